/* The configuration: text -> schema (libcyaml) -> values -> checks, and back to text. */
#include "flavordiff/config.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flavordiff/files.h"
#include "io/config_keys.h"
#include "io/text.h"
#include "io/yaml.h"

enum { MAX_CONFIG_BYTES = 1 << 20, MAX_PLACE = 96 };

/* ---- defaults: the paper's ------------------------------------------------------------------------------------------ */

static void default_generate(fd_generate_spec *g) {
    *g = (fd_generate_spec){.sampler = {.kind = FD_SAMPLER_DDPM, .steps = 1000, .variance = FD_VARIANCE_BETA, .rho = 7},
                            .gamma = 8,
                            .guidance_s_max = INFINITY,
                            .label = FD_LABEL_CENTRAL};
    fd_project_spec_default(&g->project);
}

static void default_informed(fd_informed_spec *s) {
    s->width = 768;
    s->hidden = 2;
    s->last = 0;
    fd_informant_spec_default(&s->told);
    fd_schedule_spec_paper(&s->diffusion);
    s->diffusion.kind = FD_SCHEDULE_LOG_SNR;
    s->diffusion.s_min = 0.005;
    s->diffusion.s_max = 40;
    s->draws = FD_DRAWS_REGION;
    s->widen = 3;
    s->cluster = 4;
    s->validation = 4096;
    fd_train_spec_paper(&s->train);
    s->train.batch = 256;
    s->train.updates = 40000;
    s->train.max_rate = 2e-3;
    s->train.noise_mean = -0.6;
    s->train.noise_spread = 1.3;
    s->use_ema = true;
    s->sample.n = 20000;
    s->sample.max_generated = 1000000000;
    s->sample.keep_chi2_below = INFINITY;
    s->sample.generate = (fd_generate_spec){.sampler = {.kind = FD_SAMPLER_DPMPP_2M_SDE, .steps = 10, .eta = 1, .variance = FD_VARIANCE_BETA,
                                                        .grid = FD_GRID_LOG_SNR, .rho = 7, .clip = true},
                                            .gamma = 1,
                                            .guidance_s_max = INFINITY,
                                            .label = FD_LABEL_WINDOW,
                                            .symmetries = true};
    fd_project_spec_default(&s->sample.generate.project);
    s->sample.generate.project.steps = 20;
}

void fd_config_default(fd_config *config) {
    memset(config, 0, sizeof *config); /* padding too: configurations are compared as bytes */
    strcpy(config->name, "paper");
    config->seed = 1;
    strcpy(config->target, "paper-table1-no");
    config->paper = true;
    fd_model_options_default(&config->model);
    config->simulate = (fd_simulate_spec){.pairs = 100000, .train_fraction = 0.9};

    fd_network_spec paper;
    fd_network_spec_paper(&paper, 23, 11);
    config->network.n_hidden = paper.n_hidden;
    memcpy(config->network.widths, paper.widths, sizeof paper.widths);
    memcpy(config->network.activations, paper.activations, sizeof paper.activations);
    config->network.params = FD_SCALING_NONE;
    config->network.standard_labels = false;

    fd_schedule_spec_paper(&config->diffusion);
    fd_train_spec_paper(&config->train);
    config->tune = config->train;
    config->tune_rounds = 1;

    config->select.wanted = 122306;
    config->select.max_generated = 30000000;
    config->select.chi2_all = 5.5e3;
    config->select.chi2_mass = 1e3;
    config->select.chi2_mixing = 4.5e3;
    default_generate(&config->select.generate);
    config->before.n = 100000;
    config->sample.n = 30000000;
    config->before.max_generated = config->sample.max_generated = 1000000000;
    config->before.keep_chi2_below = config->sample.keep_chi2_below = INFINITY;
    default_generate(&config->before.generate);
    default_generate(&config->sample.generate);
    default_informed(&config->informed);
    config->calibrate = (fd_calibrate_spec){.draws = 2000, .samples = 63};
    config->distortion = (fd_distortion_spec){.gammas = {1, 1.5, 2, 4, 8}, .n_gammas = 5, .n = 5000, .draws = 500};
    config->reference = (fd_reference_spec){.n = 10000, .method = FD_REFERENCE_ORBIT, .cluster = 0.3, .chains = 64,
                                              .burn_in = 512, .steps = 100000};
    config->exact = (fd_exact_spec){.burn_in = 256, .steps = 128, .max_steps = 8192};
}

/* ---- schema: every value is first a text, so that absent keys are known and messages are ours ------------------ */

typedef struct raw {
    char *value[FD_MAX_KEYS];
    struct {
        char *entry[FD_MAX_LABELS];
        uint32_t n;
    } list[FD_MAX_LISTS];
} raw;

static const cyaml_schema_value_t text_value = {
    .type = CYAML_STRING, .flags = CYAML_FLAG_POINTER, .data_size = sizeof(char), .string = {.max = MAX_CONFIG_BYTES}};

typedef struct schema {
    cyaml_schema_field_t fields[2 * FD_MAX_KEYS];
    int used, values, lists;
    cyaml_schema_value_t top;
} schema;

/* Rows of the table into rows of libcyaml; the n-th scalar of the table is raw.value[n], the n-th list raw.list[n]. */
static const cyaml_schema_field_t *build_fields(schema *s, const fd_key *keys) {
    int first = s->used, n = 0;
    while (keys[n].kind != FD_KEY_END) n++;
    s->used += n + 1;
    for (int i = 0; i < n; i++) {
        const fd_key *key = &keys[i];
        cyaml_schema_field_t f = {.key = key->name};
        f.value = text_value;
        if (key->kind == FD_KEY_BLOCK) { /* a block's values live in the one struct: offset 0 */
            f.value = (cyaml_schema_value_t){.type = CYAML_MAPPING, .data_size = sizeof(raw)};
            f.value.mapping.fields = build_fields(s, key->rows);
        } else if (fd_key_is_list(key)) {
            f.data_offset = (uint32_t)(offsetof(raw, list) + (size_t)s->lists * sizeof((raw *)0)->list[0]);
            f.count_offset = f.data_offset + (uint32_t)(offsetof(raw, list[0].n) - offsetof(raw, list[0]));
            f.count_size = sizeof(uint32_t);
            f.value = (cyaml_schema_value_t){.type = CYAML_SEQUENCE, .data_size = sizeof(char *)};
            f.value.sequence.entry = &text_value;
            f.value.sequence.max = (uint32_t)key->room;
            s->lists++;
        } else {
            f.data_offset = (uint32_t)(offsetof(raw, value) + (size_t)s->values++ * sizeof(char *));
        }
        f.value.flags |= CYAML_FLAG_OPTIONAL;
        s->fields[first + i] = f;
    }
    return &s->fields[first];
}

static void build_schema(schema *s) {
    memset(s, 0, sizeof *s);
    s->top = (cyaml_schema_value_t){.type = CYAML_MAPPING, .flags = CYAML_FLAG_POINTER, .data_size = sizeof(raw)};
    s->top.mapping.fields = build_fields(s, fd_config_keys);
}

/* ---- values -------------------------------------------------------------------------------------------------------- */

/* Where the text being read came from, for messages. */
typedef struct source {
    const char *name; /* file, or NULL: defaults */
    const char *text; /* as the user wrote it */
    size_t length;
    int n_sets;
    const char *const *sets; /* overrides applied so far; the last one is to blame for what was right before */
} source;

static bool names_place(const char *setting, const char *place) {
    size_t n = strcspn(setting, "=");
    return strncmp(setting, place, n) == 0 && (place[n] == '\0' || place[n] == '.' || place[n] == '[');
}

/* "FILE:LINE: PLACE: message", or "--set a.b=value: message" when an override put the value there. */
static fd_status fail_at(fd_error *err, const source *from, const char *place, const char *message) {
    for (int i = from->n_sets - 1; i >= 0; i--) {
        if (!names_place(from->sets[i], place)) continue;
        bool same = strcspn(from->sets[i], "=") == strlen(place);
        return fd_fail(err, FD_ERR_CONFIG, "--set %.200s: %s%s%s", from->sets[i], same ? "" : place, same ? "" : ": ",
                       message);
    }
    if (!from->name) return fd_fail(err, FD_ERR_CONFIG, "%s: %s", place, message);
    return fd_yaml_fail(err, FD_ERR_CONFIG, from->name, from->text, from->length, place, "%s", message);
}

typedef struct reader {
    const raw *values;
    int value, list; /* next slots */
    int n_widths, n_activations;
    fd_config *config;
    const source *from;
    fd_error *err;
} reader;

static fd_status reject(const reader *r, const fd_key *key, const char *place, const char *text) {
    char allowed[200], message[320];
    fd_key_allowed(key, allowed, sizeof allowed);
    snprintf(message, sizeof message, "'%.60s' is not possible; allowed: %s", text, allowed);
    return fail_at(r->err, r->from, place, message);
}

static fd_status read_list(reader *r, const fd_key *key, const char *place) {
    int slot = r->list++, n = (int)r->values->list[slot].n;
    if (key->kind == FD_KEY_INTS) r->n_widths = n;
    if (key->kind == FD_KEY_CHOICES) r->n_activations = n;
    for (int i = 0; i < n; i++) {
        char entry[MAX_PLACE + 16];
        snprintf(entry, sizeof entry, "%s[%d]", place, i + 1);
        const char *text = r->values->list[slot].entry[i];
        if (!fd_key_parse(key, text, i, r->config)) return reject(r, key, entry, text);
    }
    if (n > 0) memcpy((char *)r->config + key->count, &n, sizeof n);
    return FD_OK;
}

static fd_status read_values(reader *r, const fd_key *keys, const char *block) {
    fd_status status = FD_OK;
    for (const fd_key *key = keys; key->kind != FD_KEY_END && !status; key++) {
        char place[MAX_PLACE];
        snprintf(place, sizeof place, "%s%s%s", block, *block ? "." : "", key->name);
        if (key->kind == FD_KEY_BLOCK) {
            memcpy((char *)r->config + key->offset, (const char *)r->config + key->from, key->inherited);
            status = read_values(r, key->rows, place);
        } else if (fd_key_is_list(key)) {
            status = read_list(r, key, place);
        } else {
            const char *text = r->values->value[r->value++];
            if (text && !fd_key_parse(key, text, 0, r->config)) status = reject(r, key, place, text);
        }
    }
    return status;
}

/* Widths without activations get the paper's: selu, and tanh before the output. */
static fd_status settle_network(const reader *r) {
    fd_config *c = r->config;
    if (r->n_widths && !r->n_activations)
        for (int i = 0; i < FD_MAX_HIDDEN; i++)
            c->network.activations[i] = i >= r->n_widths ? FD_IDENTITY : i == r->n_widths - 1 ? FD_TANH : FD_SELU;
    int widths = r->n_widths ? r->n_widths : 7, activations = r->n_activations ? r->n_activations : widths;
    c->network.n_hidden = widths;
    for (int i = widths; i < FD_MAX_HIDDEN; i++) c->network.widths[i] = 0, c->network.activations[i] = FD_IDENTITY;
    if (widths == activations) return FD_OK;
    char message[160];
    snprintf(message, sizeof message, "%d activations for %d hidden layers; give one for each of network.widths",
             activations, widths);
    return fail_at(r->err, r->from, "network.activations", message);
}

/* The eta of a sampler whose block gives none: DDIM is known as the deterministic one, an SDE has all its noise. */
enum { ETA_NOT_GIVEN = -1 };
static void settle_sampler(fd_sampler_spec *sampler) {
    if (sampler->eta == ETA_NOT_GIVEN) sampler->eta = sampler->kind == FD_SAMPLER_DPMPP_2M_SDE;
}

/* One text, with nothing inherited from an earlier one, into *config. */
static fd_status read_text(const char *name, const char *text, size_t length, const source *from, fd_config *config,
                           fd_error *err) {
    schema s;
    void *data = NULL;
    build_schema(&s);
    fd_status status = fd_yaml_load(name, text, length, &s.top, &data, err);
    if (status) return status;
    fd_config_default(config);
    fd_sampler_spec *const samplers[] = {&config->select.generate.sampler, &config->before.generate.sampler,
                                         &config->sample.generate.sampler, &config->informed.sample.generate.sampler};
    const int n_samplers = sizeof samplers / sizeof *samplers;
    for (int i = 0; i < n_samplers; i++) samplers[i]->eta = ETA_NOT_GIVEN;
    reader r = {.values = data, .config = config, .from = from, .err = err};
    status = read_values(&r, fd_config_keys, "");
    for (int i = 0; i < n_samplers; i++) settle_sampler(samplers[i]);
    if (!status) status = settle_network(&r);
    fd_yaml_free(&s.top, data);
    return status;
}

/* ---- checks that need more than one key ------------------------------------------------------------------------------ */

static fd_status check_generate(const fd_config *c, const fd_generate_spec *g, int steps, const char *block,
                                const source *from, fd_error *err) {
    char place[MAX_PLACE], message[256];
    if (g->sampler.steps > steps) {
        snprintf(place, sizeof place, "%s.sampler.steps", block);
        snprintf(message, sizeof message, "'%d' is not possible; allowed: 1 to %d, the steps of diffusion.steps",
                 g->sampler.steps, steps);
        return fail_at(err, from, place, message);
    }
    if (g->guidance_s_min > g->guidance_s_max) {
        snprintf(place, sizeof place, "%s.guidance_s_min", block);
        snprintf(message, sizeof message, "'%g' is not possible; allowed: at most guidance_s_max, %g", g->guidance_s_min,
                 g->guidance_s_max);
        return fail_at(err, from, place, message);
    }
    if (g->label != FD_LABEL_VALUES) return FD_OK;
    fd_model *model = NULL;
    fd_status status = fd_model_create(&c->model, &model, err);
    if (status) return status;
    int n = model->n_labels;
    fd_model_free(model);
    if (g->n_label_values == n) return FD_OK;
    snprintf(place, sizeof place, "%s.label_values", block);
    snprintf(message, sizeof message, "%d values, but label: values needs %d, the labels of the model", g->n_label_values,
             n);
    return fail_at(err, from, place, message);
}

static fd_status check_train(const fd_train_spec *t, const char *block, const source *from, fd_error *err) {
    char place[MAX_PLACE], message[160];
    if (t->beta1_min <= t->beta1_max) return FD_OK;
    snprintf(place, sizeof place, "%s.beta1_min", block);
    snprintf(message, sizeof message, "'%g' is not possible; allowed: at most beta1_max, %g", t->beta1_min, t->beta1_max);
    return fail_at(err, from, place, message);
}

static fd_status check_diffusion(const fd_schedule_spec *d, const char *block, const source *from, fd_error *err) {
    char place[MAX_PLACE], message[160];
    if (d->kind == FD_SCHEDULE_LINEAR && d->beta_min > d->beta_max) {
        snprintf(place, sizeof place, "%s.beta_min", block);
        snprintf(message, sizeof message, "'%g' is not possible; allowed: at most beta_max, %g", d->beta_min, d->beta_max);
        return fail_at(err, from, place, message);
    }
    if (d->kind == FD_SCHEDULE_LOG_SNR && d->s_max < 2 * d->s_min) {
        snprintf(place, sizeof place, "%s.s_min", block);
        snprintf(message, sizeof message, "'%g' is not possible; allowed: at most half of s_max, %g", d->s_min, d->s_max);
        return fail_at(err, from, place, message);
    }
    return FD_OK;
}

static fd_status check(const fd_config *c, const source *from, fd_error *err) {
    char message[200];
    fd_model *model = NULL;
    fd_error inner = {0};
    fd_status status = fd_model_create(&c->model, &model, &inner);
    if (status == FD_ERR_MEMORY) return fd_fail(err, status, "configuration: %s", inner.message);
    if (status) return fail_at(err, from, "model.kind", inner.message);
    fd_model_free(model);
    status = check_diffusion(&c->diffusion, "diffusion", from, err);
    if (!status) status = check_diffusion(&c->informed.diffusion, "informed.diffusion", from, err);
    if (status) return status;
    if (c->tune.frozen_layers > c->network.n_hidden) {
        snprintf(message, sizeof message, "'%d' is not possible; allowed: 0 to %d, the hidden layers",
                 c->tune.frozen_layers, c->network.n_hidden);
        return fail_at(err, from, "tune.frozen_layers", message);
    }
    if (c->select.wanted > c->select.max_generated) {
        snprintf(message, sizeof message, "'%llu' is not possible; allowed: at most select.max_generated, %llu",
                 (unsigned long long)c->select.wanted, (unsigned long long)c->select.max_generated);
        return fail_at(err, from, "select.wanted", message);
    }
    status = check_train(&c->train, "train", from, err);
    if (!status) status = check_train(&c->tune, "tune", from, err);
    int steps = c->diffusion.steps;
    if (!status) status = check_train(&c->informed.train, "informed.train", from, err);
    if (!status) status = check_generate(c, &c->select.generate, steps, "select", from, err);
    if (!status) status = check_generate(c, &c->before.generate, steps, "before", from, err);
    if (!status) status = check_generate(c, &c->sample.generate, steps, "sample", from, err);
    if (!status)
        status = check_generate(c, &c->informed.sample.generate, c->informed.diffusion.steps, "informed.sample", from, err);
    return status;
}

/* ---- load ------------------------------------------------------------------------------------------------------------ */

/* libcyaml counts lines in the re-emitted text, which nobody has seen: "NAME:7: message" -> "NAME: message". */
static void drop_line_number(fd_error *err, const char *name) {
    size_t n = strlen(name); /* control characters of the name are '?' in the message */
    if (!err || strncmp(err->message, "--set ", 6) != 0 || strlen(err->message) < n || err->message[n] != ':') return;
    char *digits = err->message + n + 1;
    size_t length = strspn(digits, "0123456789");
    if (length > 0 && digits[length] == ':') memmove(digits, digits + length + 1, strlen(digits + length + 1) + 1);
}

/* A file of comments alone means: all defaults. */
static bool is_blank(const char *text) {
    while (*text) {
        text += strspn(text, " \t\r\n");
        if (*text == '#')
            text += strcspn(text, "\n");
        else if (*text)
            return false;
    }
    return true;
}

fd_status fd_config_load(const char *path, int n_sets, const char *const *sets, fd_config *config, fd_error *err) {
    char *text = NULL, *original = NULL;
    size_t length = 0, original_length = 0;
    fd_config loaded;
    fd_status status = FD_OK;
    if (path) status = fd_read_text(path, MAX_CONFIG_BYTES, &original, &original_length, err);
    if (status) return status;
    if (original && strlen(original) != original_length) {
        free(original);
        return fd_fail(err, FD_ERR_CONFIG, "%s: not a text file; is it the right file?", path);
    }
    text = strdup(original && !is_blank(original) ? original : "{}");
    if (!text) {
        free(original);
        return fd_fail(err, FD_ERR_MEMORY, "configuration: out of memory");
    }
    length = strlen(text);

    source from = {.name = path, .text = original ? original : "", .length = original_length, .sets = sets};
    status = read_text(path ? path : "defaults", text, length, &from, &loaded, err);
    for (int i = 0; i < n_sets && !status; i++) {
        char *next = NULL, name[256];
        snprintf(name, sizeof name, "--set %.200s", sets[i]);
        status = fd_config_override(text, length, sets[i], &next, &length, err);
        if (status) break;
        free(text);
        text = next;
        from.n_sets = i + 1;
        status = read_text(name, text, length, &from, &loaded, err);
        if (status) drop_line_number(err, name);
    }
    if (!status) status = check(&loaded, &from, err);
    if (!status) memcpy(config, &loaded, sizeof *config);
    free(text);
    free(original);
    return status;
}

/* ---- dump ------------------------------------------------------------------------------------------------------------ */

static void print_real(FILE *out, double value) {
    char text[40];
    if (isinf(value)) {
        fputs(".inf", out);
        return;
    }
    for (int digits = 15; digits <= 17; digits++) { /* the shortest that reads back to the same number */
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value) break;
    }
    fputs(text, out);
}

static void print_quoted(FILE *out, const char *text) {
    putc('\'', out);
    for (; *text; text++) fputs(*text == '\'' ? "''" : (char[]){*text, '\0'}, out);
    putc('\'', out);
}

static const char *choice_name(const fd_key *key, int value) {
    const fd_key_choice *c = key->choices;
    while (c->name && c->value != value) c++;
    return c->name ? c->name : "?";
}

static void print_entry(FILE *out, const fd_key *key, const char *place, int i) {
    switch (key->kind) {
    case FD_KEY_TEXT: print_quoted(out, place); break;
    case FD_KEY_BOOL: fputs(*(const bool *)place ? "true" : "false", out); break;
    case FD_KEY_INT:
    case FD_KEY_INTS: fprintf(out, "%d", ((const int *)place)[i]); break;
    case FD_KEY_LONG: fprintf(out, "%ld", *(const long *)place); break;
    case FD_KEY_U64: fprintf(out, "%llu", (unsigned long long)*(const uint64_t *)place); break;
    case FD_KEY_REAL:
    case FD_KEY_REALS: print_real(out, ((const double *)place)[i]); break;
    case FD_KEY_CHOICE:
    case FD_KEY_CHOICES: fputs(choice_name(key, ((const int *)place)[i]), out); break;
    case FD_KEY_CHOICE_BOOL: fputs(choice_name(key, *(const bool *)place), out); break;
    default: break;
    }
}

static void print_keys(FILE *out, const fd_key *keys, const fd_config *config, int depth) {
    for (const fd_key *key = keys; key->kind != FD_KEY_END; key++) {
        const char *place = (const char *)config + key->offset;
        int n = 1;
        if (fd_key_is_list(key)) memcpy(&n, (const char *)config + key->count, sizeof n);
        if (n == 0) continue;
        fprintf(out, "%*s%s:", 2 * depth, "", key->name);
        if (key->kind == FD_KEY_BLOCK) {
            putc('\n', out);
            print_keys(out, key->rows, config, depth + 1);
            continue;
        }
        fputs(fd_key_is_list(key) ? " [" : " ", out);
        for (int i = 0; i < n; i++) {
            if (i) fputs(", ", out);
            print_entry(out, key, place, i);
        }
        fputs(fd_key_is_list(key) ? "]\n" : "\n", out);
    }
}

fd_status fd_config_dump(const fd_config *config, char **text, fd_error *err) {
    size_t length = 0;
    *text = NULL;
    FILE *out = open_memstream(text, &length);
    if (!out) return fd_fail(err, FD_ERR_MEMORY, "configuration: out of memory");
    print_keys(out, fd_config_keys, config, 0);
    return fd_text_finish(out, text) ? FD_OK : fd_fail(err, FD_ERR_MEMORY, "configuration: out of memory");
}
