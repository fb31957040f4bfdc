/* run: the method of the paper from prior draws to the report, then the simulator-informed network, as one list of stages.
 * A stage is skipped when its output is there and was made with the same settings from the same inputs (RUN/stages.json
 * keeps a signature each). */
#define _GNU_SOURCE
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/json.h"
#include "stages/ledger.h"
#include "stages/plot.h"
#include "stages/settings.h"

enum { PATH_SIZE = 1024, MAX_PARTS = 4, MOST_SETS = 2 * (FD_MAX_ROUNDS + 4) + 1 };

typedef struct chain {
    const fd_run *run;
    const char *folder;
    json_t *signatures; /* output name -> signature of settings and inputs */
    int made, kept;
    int n_sets; /* of the ledger */
    fd_ledger_entry sets[MOST_SETS];
    bool last[MOST_SETS]; /* what a network gave in the end, told last */
} chain;

typedef fd_status (*stage_function)(const chain *c, const char *const *inputs, const char *output, fd_error *err);

static void in_folder(const chain *c, const char *name, char *path) { snprintf(path, PATH_SIZE, "%s/%s", c->folder, name); }

/* Signature: the settings that matter, the target file's numbers and the content of every input. */
static fd_status signature(const chain *c, unsigned sections, const char *const *inputs, char *out, fd_error *err) {
    char *settings = NULL;
    uint64_t hash = 0;
    fd_config config = *c->run->config;
    config.reference.n = config.informed.reference;
    fd_status status = fd_settings_text(&config, sections, &settings, err);
    /* Files of another version of the program are not taken for its own. */
    if (!status) hash = fd_derive_seed(fd_derive_seed(0, fd_version()), settings);
    free(settings);
    if (!status) status = fd_settings_target(&config, sections, &hash, err);
    for (; !status && *inputs; inputs++) {
        char id[17];
        status = fd_file_id(*inputs, id, err);
        if (!status) hash = fd_derive_seed(hash, id);
    }
    snprintf(out, 17, "%016llx", (unsigned long long)hash);
    return status;
}

/* What stages.json says of an output: the signature it is made under and the id of its content or, before it is made, `making` and
 * the id of what it replaces: a kill may come between its last byte and a word about it. */
static fd_status remember(chain *c, const char *name, const char *sign, const char *id, bool making, fd_error *err) {
    char entry[64], list[PATH_SIZE];
    snprintf(entry, sizeof entry, "%s %s%s", sign, *id ? id : "0000000000000000", making ? " making" : "");
    const char *old = json_string_value(json_object_get(c->signatures, name));
    if (old && strcmp(old, entry) == 0) return FD_OK;
    json_object_set_new(c->signatures, name, json_string(entry));
    char *text = fd_json_text(c->signatures, JSON_INDENT(2) | JSON_SORT_KEYS);
    if (!text) return fd_fail(err, FD_ERR_MEMORY, "out of memory");
    in_folder(c, "stages.json", list);
    fd_status status = fd_write_text(list, text, strlen(text), err);
    free(text);
    return status;
}

/* Why an existing output of content `id` cannot stand, or NULL when it is up to date. */
static const char *stale(const chain *c, const char *name, const char *sign, const char *id) {
    const char *entry = json_string_value(json_object_get(c->signatures, name));
    size_t length = entry ? strlen(entry) : 0;
    if (length < 33 || strncmp(entry, sign, 16) != 0) return "made with other settings or inputs";
    if (length > 33) return strncmp(entry + 17, id, 16) ? NULL : "still the one that was to be replaced";
    return strcmp(entry + 17, id) ? "changed or damaged since it was made" : NULL;
}

/* Makes the output, in front of which there was content `id`. */
static fd_status make_output(chain *c, const char *name, const char *sign, char id[17], const char *const *inputs, const char *out,
                             stage_function make, fd_error *err) {
    fd_status status = remember(c, name, sign, id, true, err);
    if (!status) status = make(c, inputs, out, err);
    if (!status) status = fd_file_id(out, id, err);
    if (!status) status = remember(c, name, sign, id, false, err);
    c->made += !status;
    return status;
}

/* One link: does nothing when the output is up to date, else makes it. inputs: names in the run folder. */
static fd_status link_stage(chain *c, const char *output, unsigned sections, const char *in1, const char *in2,
                            stage_function make, fd_error *err) {
    char paths[MAX_PARTS][PATH_SIZE], out[PATH_SIZE], sign[17], id[17] = "";
    const char *inputs[MAX_PARTS] = {NULL}, *const names[] = {in1, in2}, *reason = NULL;
    int n = 0;
    for (int i = 0; i < 2; i++)
        if (names[i]) in_folder(c, names[i], paths[n]), inputs[n] = paths[n], n++;
    in_folder(c, output, out);
    fd_status status = signature(c, sections, inputs, sign, err);
    bool there = access(out, F_OK) == 0;
    if (!status && there) status = fd_file_id(out, id, err);
    if (status) return status;
    if (!there || (reason = stale(c, output, sign, id))) {
        if (there && !c->run->force)
            return fd_fail(err, FD_ERR_FILE, "%s: %s; give --force to make it again, or another -o", out, reason);
        return make_output(c, output, sign, id, inputs, out, make, err);
    }
    c->kept++;
    fd_say(c->run, "run: %s is up to date", out);
    return remember(c, output, sign, id, false, err);
}

static fd_status make_pairs(const chain *c, const char *const *in, const char *out, fd_error *err) {
    (void)in;
    return fd_stage_simulate(c->run, out, err);
}
static fd_status make_network(const chain *c, const char *const *in, const char *out, fd_error *err) {
    return fd_stage_train(c->run, in[0], NULL, out, err);
}
static fd_status make_tuned(const chain *c, const char *const *in, const char *out, fd_error *err) {
    return fd_stage_train(c->run, in[1], in[0], out, err);
}
static fd_status make_selected(const chain *c, const char *const *in, const char *out, fd_error *err) {
    return fd_stage_select(c->run, in[0], out, err);
}
/* A stop rule that was not met is news, not an end: what is in hand is analysed. */
static fd_status make_sample_set(const chain *c, const fd_sample_spec *spec, const char *in, const char *out, fd_error *err) {
    fd_error wanting = {0};
    fd_status status = fd_stage_sample(c->run, spec, in, out, &wanting);
    if (status == FD_ERR_WANTING) {
        fd_say(c->run, "%s", wanting.message);
        return FD_OK;
    }
    return status ? fd_fail(err, status, "%s", wanting.message) : FD_OK;
}
static fd_status make_before(const chain *c, const char *const *in, const char *out, fd_error *err) {
    return make_sample_set(c, &c->run->config->before, in[0], out, err);
}
static fd_status make_samples(const chain *c, const char *const *in, const char *out, fd_error *err) {
    return make_sample_set(c, &c->run->config->sample, in[0], out, err);
}

static fd_status make_informed(const chain *c, const char *const *in, const char *out, fd_error *err) {
    (void)in;
    return fd_stage_train_informed(c->run, out, err);
}
static fd_status make_informed_samples(const chain *c, const char *const *in, const char *out, fd_error *err) {
    return make_sample_set(c, &c->run->config->informed.sample, in[0], out, err);
}
static fd_status make_reference(const chain *c, const char *const *in, const char *out, fd_error *err) {
    fd_config config = *c->run->config;
    fd_run run = *c->run;
    (void)in;
    config.reference.n = config.informed.reference;
    run.config = &config;
    return fd_stage_reference(&run, out, err);
}

/* Appends the tally of a sample set to the ledger. */
static fd_status enter(chain *c, const char *file, const char *set, fd_error *err) {
    char path[PATH_SIZE];
    fd_sample_info info;
    fd_sample_reader *reader = NULL;
    in_folder(c, file, path);
    fd_status status = fd_samples_open(path, &reader, &info, err);
    if (status) return status;
    fd_samples_close(reader);
    if (strcmp(info.role, "reference") == 0) {
        fd_ledger_entry *entry = &c->sets[c->n_sets++];
        *entry = (fd_ledger_entry){.tally = fd_exact_tally(info.n), .exact = true};
        entry->tally.seconds = info.tally.seconds;
        snprintf(entry->set, sizeof entry->set, "%s", set);
        snprintf(entry->note, sizeof entry->note, "%s", info.note);
    } else {
        c->n_sets += fd_ledger_entries(set, &info, c->sets + c->n_sets);
    }
    return FD_OK;
}

/* The same for what a network gives in the end. */
static fd_status enter_last(chain *c, const char *file, const char *set, fd_error *err) {
    int first = c->n_sets;
    fd_status status = enter(c, file, set, err);
    for (int i = first; i < c->n_sets; i++) c->last[i] = true;
    return status;
}

static fd_status enter_paper(chain *c, fd_error *err) {
    const fd_config *config = c->run->config;
    char file[32], set[64];
    fd_status status = enter(c, "pairs.h5", "prior draws", err);
    if (!status && config->before.n) status = enter(c, "before.h5", "pre-network", err);
    for (int round = 1; !status && round <= config->tune_rounds; round++) {
        snprintf(file, sizeof file, "selected-%d.h5", round);
        snprintf(set, sizeof set, "selection %d", round);
        status = enter(c, file, set, err);
    }
    return status ? status : enter_last(c, "samples.h5", config->tune_rounds ? "tuned network" : "network", err);
}

static fd_status enter_informed(chain *c, fd_error *err) {
    fd_status status = enter_last(c, "informed-samples.h5", "informed network", err);
    if (!status && c->run->config->informed.reference) status = enter(c, "reference.h5", "reference", err);
    return status;
}

static fd_status write_ledger(chain *c, fd_error *err) {
    char path[PATH_SIZE];
    fd_status status = FD_OK;
    if (c->run->config->paper) status = enter_paper(c, err);
    if (!status && c->run->config->informed.enabled) status = enter_informed(c, err);
    in_folder(c, "ledger.json", path);
    if (!status) status = fd_ledger_write(path, c->n_sets, c->sets, err);
    if (status) return status;
    char *text = fd_ledger_text(c->n_sets, c->sets);
    if (text && c->run->message) c->run->message(c->run->user, text);
    free(text);
    return FD_OK;
}

/* simulate -> train -> (select -> tune) per round -> sample. */
static fd_status generate_paper(chain *c, fd_error *err) {
    char network[32] = "pre-network.h5", selected[32], tuned[32];
    fd_status status = link_stage(c, "pairs.h5", FD_S_SIMULATE | FD_S_TARGET, NULL, NULL, make_pairs, err);
    if (!status) status = link_stage(c, network, FD_S_NETWORK | FD_S_TRAIN, "pairs.h5", NULL, make_network, err);
    if (!status && c->run->config->before.n)
        status = link_stage(c, "before.h5", FD_S_BEFORE | FD_S_TARGET, network, NULL, make_before, err);
    for (int round = 1; !status && round <= c->run->config->tune_rounds; round++) {
        snprintf(selected, sizeof selected, "selected-%d.h5", round);
        snprintf(tuned, sizeof tuned, "tuned-%d.h5", round);
        status = link_stage(c, selected, FD_S_SELECT | FD_S_TARGET, network, NULL, make_selected, err);
        if (!status) status = link_stage(c, tuned, FD_S_TUNE, network, selected, make_tuned, err);
        memcpy(network, tuned, sizeof network);
    }
    if (!status) status = link_stage(c, "samples.h5", FD_S_SAMPLE | FD_S_TARGET, network, NULL, make_samples, err);
    return status;
}

/* train-informed -> sample, and exact solutions to compare with. */
static fd_status generate_informed(chain *c, fd_error *err) {
    fd_status status = link_stage(c, "informed.h5", FD_S_INFORMED | FD_S_TARGET, NULL, NULL, make_informed, err);
    if (!status)
        status = link_stage(c, "informed-samples.h5", FD_S_INFORMED_SAMPLE | FD_S_TARGET, "informed.h5", NULL,
                            make_informed_samples, err);
    if (!status && c->run->config->informed.reference)
        status = link_stage(c, "reference.h5", FD_S_REFERENCE | FD_S_TARGET, NULL, NULL, make_reference, err);
    return status;
}

static fd_status generate(chain *c, fd_error *err) {
    const fd_config *config = c->run->config;
    fd_status status = FD_OK;
    if (!config->paper && !config->informed.enabled)
        return fd_fail(err, FD_ERR_CONFIG,
                       "paper: false and informed.enabled: false leave nothing to run; set one of them to true");
    if (config->paper) status = generate_paper(c, err);
    if (!status && config->informed.enabled) status = generate_informed(c, err);
    return status;
}

/* Written once the stages agree with it, so that a refused run does not change what the folder says of itself. */
static fd_status write_config(const chain *c, fd_error *err) {
    char path[PATH_SIZE], *text = NULL;
    in_folder(c, "config.yaml", path);
    fd_status status = fd_config_dump(c->run->config, &text, err);
    if (!status) status = fd_write_text(path, text, strlen(text), err);
    free(text);
    return status;
}

/* analyse and plot of a sample file into `folder`, with loss curves where those are the networks' own folder. */
static fd_status predictions(const chain *c, const char *samples, const char *folder, fd_error *err) {
    char from[PATH_SIZE], analysis[PATH_SIZE], reference[PATH_SIZE];
    fd_run replacing = *c->run; /* results are rebuilt in seconds from files that stay */
    replacing.force = true;
    in_folder(c, samples, from);
    in_folder(c, "reference.h5", reference);
    snprintf(analysis, sizeof analysis, "%s/analysis", folder);
    fd_status status = fd_make_folder(folder, err);
    if (!status) status = fd_stage_analyse(&replacing, from, analysis, err);
    const char *networks = strcmp(folder, c->folder) ? NULL : folder;
    if (!status) status = fd_draw_figures(&replacing, analysis, networks, reference, false, folder, err);
    return status;
}

/* The informed network's samples where there are some; the paper's then have a folder of their own. */
static fd_status results(chain *c, fd_error *err) {
    const fd_config *config = c->run->config;
    char paper[PATH_SIZE];
    fd_run replacing = *c->run;
    fd_error why = {0};
    replacing.force = true;
    fd_status status = write_ledger(c, err);
    if (status) return status;
    status = predictions(c, config->informed.enabled ? "informed-samples.h5" : "samples.h5", c->folder, err);
    bool nothing = status == FD_ERR_EMPTY; /* no point to draw is a result too: the ledger and the report say it */
    if (status && !nothing) return status;
    if (config->paper && config->informed.enabled) {
        in_folder(c, "paper", paper);
        status = predictions(c, "samples.h5", paper, &why);
        if (status == FD_ERR_EMPTY)
            fd_say(c->run, "run: %s", why.message);
        else if (status)
            return fd_fail(err, status, "%s", why.message);
    }
    fd_status told = fd_stage_report(&replacing, c->folder, nothing ? NULL : err);
    return nothing ? FD_ERR_EMPTY : told;
}

/* What a stranger wants to know: how many solutions, of how many, by which network, and where to look. */
static void tell(const chain *c, double seconds) {
    char labels[32], inside[32], n[32];
    for (int i = 0; i < c->n_sets; i++) {
        const fd_tally *t = &c->sets[i].tally;
        if (c->last[i])
            fd_say(c->run, "run: %s: %s solutions inside 3 sigma, %s of them inside the prior, of %s samples in %.1f s",
                   c->sets[i].set, fd_text_count(t->labels, labels), fd_text_count(t->labels_in_prior, inside),
                   fd_text_count(t->n, n), t->seconds);
    }
    fd_say(c->run, "run: %d stages made, %d up to date, in %.0f s; figures: %s/figures; report: %s/report.html", c->made,
           c->kept, seconds, c->folder, c->folder);
}

static fd_status open_folder(chain *c, fd_error *err) {
    char path[PATH_SIZE];
    fd_status status = fd_make_folder(c->folder, err);
    in_folder(c, "stages.json", path);
    fd_json_watch();
    if (!status && access(path, F_OK) == 0) c->signatures = json_load_file(path, 0, NULL);
    if (!status && fd_json_ran_short()) status = fd_fail(err, FD_ERR_MEMORY, "%s: out of memory", path);
    /* An unreadable list means only that nothing is known to be up to date. */
    if (!json_is_object(c->signatures)) {
        json_decref(c->signatures);
        c->signatures = json_object();
    }
    return status;
}

fd_status fd_pipeline(const fd_run *run, const char *folder, fd_error *err) {
    double start = fd_seconds();
    if (!fd_team_alone(run->team)) return fd_fail(err, FD_ERR_USAGE, "run: one process; its stages one by one can have several");
    if (strlen(folder) > PATH_SIZE - 64) return fd_fail(err, FD_ERR_USAGE, "%s: path too long", folder);
    chain *c = calloc(1, sizeof *c); /* the ledger makes it large for a stack */
    if (!c) return fd_fail(err, FD_ERR_MEMORY, "out of memory");
    fd_run going_on = *run; /* at the stage that was stopped or killed, where it was */
    going_on.resume = true;
    c->run = &going_on;
    c->folder = folder;
    fd_status status = open_folder(c, err);
    if (!status) status = generate(c, err);
    if (!status) status = write_config(c, err);
    if (!status) status = results(c, err);
    if (!status) tell(c, fd_seconds() - start);
    json_decref(c->signatures);
    free(c);
    return status;
}
