/* run: the method of the paper from prior draws to the report, as one list of stages. A stage is skipped when its
 * output is there and was made with the same settings from the same inputs (RUN/stages.json keeps a signature each). */
#define _GNU_SOURCE
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stages/common.h"

enum { PATH_SIZE = 1024, MAX_PARTS = 4 };

typedef enum section { S_SIMULATE = 1, S_NETWORK = 2, S_TRAIN = 4, S_TUNE = 8, S_SELECT = 16, S_BEFORE = 32,
                       S_SAMPLE = 64, S_TARGET = 128 } section;

typedef struct chain {
    const fd_run *run;
    const char *folder;
    json_t *signatures; /* output name -> signature of settings and inputs */
    int made, kept;
} chain;

typedef fd_status (*stage_function)(const chain *c, const char *const *inputs, const char *output, fd_error *err);

static void in_folder(const chain *c, const char *name, char *path) { snprintf(path, PATH_SIZE, "%s/%s", c->folder, name); }

/* The configuration with every section but those named put back to its default, as a string to hash. */
static fd_status settings_text(const fd_config *config, unsigned sections, char **text, fd_error *err) {
    fd_config relevant;
    fd_config_default(&relevant);
    relevant.seed = config->seed;
    relevant.model = config->model;
    if (sections & S_SIMULATE) relevant.simulate = config->simulate;
    if (sections & S_NETWORK) relevant.network = config->network, relevant.diffusion = config->diffusion;
    if (sections & S_TRAIN) relevant.train = config->train, relevant.train_use_ema = config->train_use_ema;
    if (sections & S_TUNE) relevant.tune = config->tune, relevant.train_use_ema = config->train_use_ema;
    if (sections & S_SELECT) relevant.select = config->select;
    if (sections & S_BEFORE) relevant.before = config->before;
    if (sections & S_SAMPLE) relevant.sample = config->sample;
    return fd_config_dump(&relevant, text, err);
}

/* Signature: the settings that matter, the target file's numbers and the content of every input. */
static fd_status signature(const chain *c, unsigned sections, const char *const *inputs, char *out, fd_error *err) {
    char *settings = NULL;
    uint64_t hash = 0;
    fd_status status = settings_text(c->run->config, sections, &settings, err);
    /* Files of another version of the program are not taken for its own. */
    if (!status) hash = fd_derive_seed(fd_derive_seed(0, fd_version()), settings);
    free(settings);
    if (!status && (sections & S_TARGET)) {
        fd_target target;
        status = fd_target_load(c->run->config->target, &target, err);
        if (!status) hash = fd_derive_seed(hash, target.name);
        for (int i = 0; !status && i < target.n_measurements; i++) {
            char line[256];
            const fd_measurement *m = &target.measurements[i];
            snprintf(line, sizeof line, "%s %d %.17g %.17g %.17g %.17g %.17g %.17g", m->observable, (int)m->group, m->best,
                     m->plus, m->minus, m->lo, m->hi, m->label);
            hash = fd_derive_seed(hash, line);
        }
    }
    for (; !status && *inputs; inputs++) {
        char id[17];
        status = fd_file_id(*inputs, id, err);
        if (!status) hash = fd_derive_seed(hash, id);
    }
    snprintf(out, 17, "%016llx", (unsigned long long)hash);
    return status;
}

/* What stages.json says of an output: the signature it was made under and the id of its content. */
static fd_status remember(chain *c, const char *name, const char *sign, const char *path, fd_error *err) {
    char entry[40], id[17], list[PATH_SIZE];
    fd_status status = fd_file_id(path, id, err);
    if (status) return status;
    snprintf(entry, sizeof entry, "%s %s", sign, id);
    json_object_set_new(c->signatures, name, json_string(entry));
    char *text = json_dumps(c->signatures, JSON_INDENT(2) | JSON_SORT_KEYS);
    if (!text) return fd_fail(err, FD_ERR_MEMORY, "out of memory");
    in_folder(c, "stages.json", list);
    status = fd_write_text(list, text, strlen(text), err);
    free(text);
    return status;
}

/* Why an existing output cannot stand, or NULL when it is up to date. */
static const char *stale(const chain *c, const char *name, const char *sign, const char *path) {
    char id[17];
    const char *entry = json_string_value(json_object_get(c->signatures, name));
    if (!entry || strlen(entry) != 33 || strncmp(entry, sign, 16) != 0) return "made with other settings or inputs";
    if (fd_file_id(path, id, NULL) || strcmp(entry + 17, id) != 0) return "changed or damaged since it was made";
    return NULL;
}

/* One link: does nothing when the output is up to date, else makes it. inputs: names in the run folder. */
static fd_status link_stage(chain *c, const char *output, unsigned sections, const char *in1, const char *in2,
                            stage_function make, fd_error *err) {
    char paths[MAX_PARTS][PATH_SIZE], out[PATH_SIZE], sign[17];
    const char *inputs[MAX_PARTS] = {NULL}, *const names[] = {in1, in2}, *reason = NULL;
    int n = 0;
    for (int i = 0; i < 2; i++)
        if (names[i]) in_folder(c, names[i], paths[n]), inputs[n] = paths[n], n++;
    in_folder(c, output, out);
    fd_status status = signature(c, sections, inputs, sign, err);
    if (status) return status;
    if (access(out, F_OK) == 0) {
        if (!(reason = stale(c, output, sign, out))) {
            c->kept++;
            fd_say(c->run, "run: %s is up to date", out);
            return FD_OK;
        }
        if (!c->run->force)
            return fd_fail(err, FD_ERR_FILE, "%s: %s; give --force to make it again, or another -o", out, reason);
    }
    status = make(c, inputs, out, err);
    if (!status) status = remember(c, output, sign, out, err);
    c->made += !status;
    return status;
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
static fd_status make_before(const chain *c, const char *const *in, const char *out, fd_error *err) {
    return fd_stage_sample(c->run, &c->run->config->before, in[0], out, err);
}
static fd_status make_samples(const chain *c, const char *const *in, const char *out, fd_error *err) {
    return fd_stage_sample(c->run, &c->run->config->sample, in[0], out, err);
}

/* Appends the tally of a sample set to the ledger. */
static fd_status enter(const chain *c, const char *file, const char *set, int *n, fd_ledger_entry *entries,
                       fd_error *err) {
    char path[PATH_SIZE];
    fd_sample_info info;
    fd_sample_reader *reader = NULL;
    in_folder(c, file, path);
    fd_status status = fd_samples_open(path, &reader, &info, err);
    if (status) return status;
    fd_samples_close(reader);
    *n += fd_ledger_entries(set, &info, entries + *n);
    return FD_OK;
}

static fd_status write_ledger(const chain *c, fd_error *err) {
    fd_ledger_entry entries[2 * (FD_MAX_ROUNDS + 3)];
    char path[PATH_SIZE], file[32], set[64];
    int n = 0;
    fd_status status = enter(c, "pairs.h5", "prior draws", &n, entries, err);
    if (!status && c->run->config->before.n) status = enter(c, "before.h5", "pre-network", &n, entries, err);
    for (int round = 1; !status && round <= c->run->config->tune_rounds; round++) {
        snprintf(file, sizeof file, "selected-%d.h5", round);
        snprintf(set, sizeof set, "selection %d", round);
        status = enter(c, file, set, &n, entries, err);
    }
    if (!status)
        status = enter(c, "samples.h5", c->run->config->tune_rounds ? "tuned network" : "network", &n, entries, err);
    in_folder(c, "ledger.json", path);
    if (!status) status = fd_ledger_write(path, n, entries, err);
    if (status) return status;
    char *text = fd_ledger_text(n, entries);
    if (text && c->run->message) c->run->message(c->run->user, text);
    free(text);
    return FD_OK;
}

/* simulate -> train -> (select -> tune) per round -> sample. */
static fd_status generate(chain *c, fd_error *err) {
    char network[32] = "pre-network.h5", selected[32], tuned[32];
    fd_status status = link_stage(c, "pairs.h5", S_SIMULATE | S_TARGET, NULL, NULL, make_pairs, err);
    if (!status) status = link_stage(c, network, S_NETWORK | S_TRAIN, "pairs.h5", NULL, make_network, err);
    if (!status && c->run->config->before.n)
        status = link_stage(c, "before.h5", S_BEFORE | S_TARGET, network, NULL, make_before, err);
    for (int round = 1; !status && round <= c->run->config->tune_rounds; round++) {
        snprintf(selected, sizeof selected, "selected-%d.h5", round);
        snprintf(tuned, sizeof tuned, "tuned-%d.h5", round);
        status = link_stage(c, selected, S_SELECT | S_TARGET, network, NULL, make_selected, err);
        if (!status) status = link_stage(c, tuned, S_TUNE, network, selected, make_tuned, err);
        memcpy(network, tuned, sizeof network);
    }
    if (!status) status = link_stage(c, "samples.h5", S_SAMPLE | S_TARGET, network, NULL, make_samples, err);
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

static fd_status results(const chain *c, fd_error *err) {
    char samples[PATH_SIZE], analysis[PATH_SIZE];
    fd_run replacing = *c->run; /* results are rebuilt in seconds from files that stay */
    replacing.force = true;
    in_folder(c, "samples.h5", samples);
    in_folder(c, "analysis", analysis);
    fd_status status = write_ledger(c, err);
    if (status) return status;
    status = fd_stage_analyse(&replacing, samples, analysis, err);
    bool nothing = status == FD_ERR_EMPTY; /* no point to draw is a result too: the ledger and the report say it */
    if (!status) status = fd_stage_plot(&replacing, analysis, c->folder, err);
    if (status && !nothing) return status;
    fd_status told = fd_stage_report(&replacing, c->folder, nothing ? NULL : err);
    return nothing ? status : told;
}

static fd_status open_folder(chain *c, fd_error *err) {
    char path[PATH_SIZE];
    fd_status status = fd_make_folder(c->folder, err);
    in_folder(c, "stages.json", path);
    if (!status && access(path, F_OK) == 0) c->signatures = json_load_file(path, 0, NULL);
    /* An unreadable list means only that nothing is known to be up to date. */
    if (!json_is_object(c->signatures)) {
        json_decref(c->signatures);
        c->signatures = json_object();
    }
    return status;
}

fd_status fd_pipeline(const fd_run *run, const char *folder, fd_error *err) {
    chain c = {.run = run, .folder = folder};
    if (strlen(folder) > PATH_SIZE - 64) return fd_fail(err, FD_ERR_USAGE, "%s: path too long", folder);
    fd_status status = open_folder(&c, err);
    if (!status) status = generate(&c, err);
    if (!status) status = write_config(&c, err);
    if (!status) status = results(&c, err);
    json_decref(c.signatures);
    if (!status) fd_say(run, "run: %d stages made, %d up to date; report: %s/report.html", c.made, c.kept, folder);
    return status;
}
