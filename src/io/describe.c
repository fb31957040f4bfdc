/* `info`: what a file is, gathered as JSON and printed as such or as lines. Reading a file here checks all of it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flavordiff/files.h"
#include "io/h5.h"
#include "io/json.h"
#include "io/provenance.h"
#include "io/sample_info.h"
#include "io/text.h"

static json_t *json_number(double x) { return isfinite(x) ? json_real(x) : json_null(); }

/* Root attributes, common to all formats. */
static void gather_root(fd_h5 *h, json_t *into) {
    static const char *const texts[] = {"format",  "tool_version", "git_revision", "verb",       "command",
                                        "created_utc", "isa",      "parents",      "conventions", "config"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char *text = fd_h5_get_long_text(h, h->file, "the file", texts[i]);
        if (text) json_object_set_new(into, texts[i], json_string(text));
        free(text);
    }
    if (fd_h5_has_attribute(h, h->file, "libraries")) { /* not in files of before it was told */
        char *text = fd_h5_get_long_text(h, h->file, "the file", "libraries");
        if (text) json_object_set_new(into, "libraries", json_string(text));
        free(text);
    }
    json_object_set_new(into, "format_version", json_integer((json_int_t)fd_h5_get_u64(h, h->file, "the file",
                                                                                       "format_version")));
    uint64_t seed = fd_h5_get_u64(h, h->file, "the file", "seed");
    char digits[24]; /* JSON integers end at 2^63 - 1 */
    snprintf(digits, sizeof digits, "%llu", (unsigned long long)seed);
    json_object_set_new(into, "seed", seed <= INT64_MAX ? json_integer((json_int_t)seed) : json_string(digits));
}

/* Every row is read once, so that a damaged one is found. */
static fd_status check_rows(fd_sample_reader *reader, const fd_sample_info *info, fd_error *err) {
    enum { ROWS = 4096 };
    float *theta = malloc(ROWS * FD_MAX_PARAMS * sizeof *theta);
    double *labels = malloc(ROWS * FD_MAX_LABELS * sizeof *labels), chi2[ROWS];
    uint8_t flags[ROWS];
    fd_status status = theta && labels ? FD_OK : fd_fail(err, FD_ERR_MEMORY, "out of memory");
    for (uint64_t first = 0; first < info->n && !status; first += ROWS) {
        uint64_t left = info->n - first;
        status = fd_samples_read(reader, first, left < ROWS ? (size_t)left : ROWS, theta, labels, chi2, flags, err);
    }
    free(theta);
    free(labels);
    return status;
}

static fd_status gather_samples(const char *path, json_t *into, fd_error *err) {
    fd_sample_reader *reader = NULL;
    fd_sample_info info;
    fd_status status = fd_samples_open(path, &reader, &info, err);
    if (!status) status = check_rows(reader, &info, err);
    fd_samples_close(reader);
    if (!status) fd_sample_info_json(&info, into);
    return status;
}

static json_t *network_json(const fd_model_file *file) {
    const fd_network_spec *spec = &file->network->spec;
    json_t *widths = json_array(), *activations = json_array();
    for (int i = 0; i < spec->n_hidden; i++) {
        json_array_append_new(widths, json_integer(spec->widths[i]));
        json_array_append_new(activations, json_string(fd_activation_name(spec->activations[i])));
    }
    return json_pack("{s:i, s:i, s:b, s:i, s:o, s:o, s:I, s:b, s:b}", "parameters", spec->dim, "labels", spec->n_labels,
                     "simulator_informed", file->informed, "features", spec->n_features, "widths", widths, "activations", activations, "weights", (json_int_t)file->network->n_weights,
                     "averaged_weights", file->ema != NULL, "samples_from_averaged", file->use_ema);
}

static fd_status gather_network(const char *path, json_t *into, fd_error *err) {
    fd_model_file file;
    fd_status status = fd_model_file_read(path, &file, err);
    if (status) return status;
    const fd_schedule_spec *s = &file.schedule;
    json_object_set_new(into, "network", network_json(&file));
    json_object_set_new(into, "model", fd_model_options_json(&file.model));
    json_t *schedule = json_pack("{s:s, s:i, s:o, s:o}", "kind", fd_schedule_name(s->kind), "steps", s->steps, "beta_min",
                                 json_number(s->beta_min), "beta_max", json_number(s->beta_max));
    if (s->kind == FD_SCHEDULE_LOG_SNR) {
        json_object_set_new(schedule, "s_min", json_number(s->s_min));
        json_object_set_new(schedule, "s_max", json_number(s->s_max));
    }
    json_object_set_new(into, "schedule", schedule);
    json_t *training = json_pack("{s:s, s:I, s:I}", "trained_on", file.trained_on, "updates", (json_int_t)file.updates,
                                 "log_rows", (json_int_t)file.n_log);
    if (file.n_log) {
        const double *last = file.log + 4 * (file.n_log - 1);
        json_object_set_new(training, "training_loss", json_number(last[2]));
        json_object_set_new(training, "validation_loss", json_number(last[3]));
    }
    json_object_set_new(into, "training", training);
    fd_model_file_clear(&file);
    return FD_OK;
}

static herr_t add_name(hid_t group, const char *name, const H5L_info_t *info, void *user) {
    (void)group, (void)info;
    return json_array_append_new(user, json_string(name)) ? -1 : 0;
}

static fd_status gather_analysis(const char *path, json_t *into, fd_error *err) {
    fd_h5 h;
    fd_sample_info info = {0};
    fd_h5_open(&h, path, err);
    fd_sample_info_read(&h, &info);
    hid_t group = fd_h5_group(&h, "observables");
    json_t *names = json_array();
    if (group >= 0) {
        hsize_t start = 0;
        bool listed = H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, &start, add_name, names) >= 0;
        if (!listed && fd_json_ran_short()) fd_h5_fail(&h, FD_ERR_MEMORY, "out of memory");
        else if (!listed) fd_h5_fail(&h, FD_ERR_FORMAT, "/observables cannot be read: the file is damaged; make it again");
        H5Gclose(group);
    }
    fd_h5_leave(&h);
    if (!h.status) fd_sample_info_json(&info, into);
    json_object_set_new(into, "observables", names);
    return h.status;
}

/* ---- lines --------------------------------------------------------------------------------------------------------- */

static void print_value(FILE *out, const json_t *value) {
    if (json_is_string(value)) {
        for (const char *c = json_string_value(value); *c; c++) { /* further lines below the first */
            if (*c == '\n') fprintf(out, "\n%23s", "");
            else putc(*c, out);
        }
    } else if (json_is_integer(value))
        fprintf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_real(value))
        fprintf(out, "%.6g", json_real_value(value));
    else if (json_is_array(value))
        for (size_t i = 0; i < json_array_size(value); i++) {
            if (i) fputs(", ", out);
            print_value(out, json_array_get(value, i));
        }
    else
        fputs(json_is_true(value) ? "yes" : json_is_false(value) ? "no" : "-", out);
}

static void print_lines(FILE *out, json_t *object, int depth) {
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value) {
        if (strcmp(key, "config") == 0 || strcmp(key, "conventions") == 0) continue; /* the one below, the other in --json */
        if (json_is_string(value) && !*json_string_value(value)) continue;
        if (json_is_object(value)) {
            fprintf(out, "%*s%s\n", 2 * depth, "", key);
            print_lines(out, value, depth + 1);
        } else {
            fprintf(out, "%*s%-*s ", 2 * depth, "", 22 - 2 * depth, key);
            print_value(out, value);
            putc('\n', out);
        }
    }
}

/* The configuration last: it is long. */
static void print_config(FILE *out, const char *line) {
    if (line && *line) fputs("config\n", out);
    for (; line && *line; line += strcspn(line, "\n"), line += *line == '\n')
        fprintf(out, "  %.*s\n", (int)strcspn(line, "\n"), line);
}

static char *as_lines(json_t *object) {
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    char *json = fd_json_text(object, 0); /* whether it is whole */
    bool good = out && json;
    free(json);
    if (good) {
        print_lines(out, object, 0);
        print_config(out, json_string_value(json_object_get(object, "config")));
    }
    if (fd_text_finish(out, &text) && good) return text;
    free(text);
    return NULL;
}

static char *as_json(json_t *object) {
    char *text = fd_json_text(object, JSON_INDENT(2)), *line = text ? realloc(text, strlen(text) + 2) : NULL;
    if (!line) free(text);
    return line ? strcat(line, "\n") : NULL;
}

fd_status fd_file_describe(const char *path, bool json, char **text, fd_error *err) {
    *text = NULL;
    char format[32];
    fd_h5 h;
    fd_json_watch();
    json_t *object = json_object();
    json_object_set_new(object, "file", json_string(path));
    fd_h5_open(&h, path, err);
    fd_provenance_format(&h, format);
    gather_root(&h, object);
    fd_h5_leave(&h);
    fd_status status = h.status;
    if (status) goto cleanup;
    if (strcmp(format, FD_FORMAT_SAMPLES) == 0)
        status = gather_samples(path, object, err);
    else if (strcmp(format, FD_FORMAT_NETWORK) == 0)
        status = gather_network(path, object, err);
    else if (strcmp(format, FD_FORMAT_ANALYSIS) == 0)
        status = gather_analysis(path, object, err);
    else
        status = fd_fail(err, FD_ERR_FORMAT, "%s: format '%s' is not known to this program; upgrade flavordiff", path,
                         format);
    if (status) goto cleanup;
    *text = json ? as_json(object) : as_lines(object);
    if (!*text) status = fd_fail(err, FD_ERR_MEMORY, "%s: out of memory", path);
cleanup:
    json_decref(object);
    return status;
}
