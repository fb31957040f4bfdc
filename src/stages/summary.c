/* summary.json: the numbers of section 3, for the report and for anyone's own scripts. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inference/stats.h"
#include "io/json.h"
#include "stages/analyse.h"

json_t *fd_json_number(double x) { return isfinite(x) ? json_real(x) : json_null(); }

fd_status fd_json_load(const char *path, json_t **root, fd_error *err) {
    char *text = NULL;
    size_t length = 0;
    json_error_t where;
    fd_status status = fd_read_text(path, (size_t)64 << 20, &text, &length, err);
    if (status) return status;
    fd_json_watch();
    *root = json_loadb(text, length, 0, &where);
    free(text);
    if (fd_json_ran_short()) { /* jansson cuts strings that memory is too short for */
        json_decref(*root);
        *root = NULL;
        return fd_fail(err, FD_ERR_MEMORY, "%s: out of memory", path);
    }
    if (!*root) return fd_fail(err, FD_ERR_FORMAT, "%s:%d: not JSON (%s); make it again", path, where.line, where.text);
    return FD_OK;
}

/* Quartiles and mean direction of one column; null without rows. */
static json_t *column_json(const fd_table *table, int column, int filter, const char *unit, bool periodic) {
    size_t n = 0;
    double *x = fd_table_values(table, column, filter, &n), q[3], mean, resultant;
    if (!x) {
        fd_json_run_short();
        return NULL;
    }
    if (periodic) fd_circular_mean(n, x, &mean, &resultant);
    fd_quartiles(n, x, q);
    json_t *json = json_object();
    json_object_set_new(json, "unit", json_string(unit));
    json_object_set_new(json, "n", json_integer((json_int_t)n));
    json_object_set_new(json, "min", fd_json_number(fd_quantile(n, x, 0)));
    json_object_set_new(json, "quartile1", fd_json_number(q[0]));
    json_object_set_new(json, "median", fd_json_number(q[1]));
    json_object_set_new(json, "quartile3", fd_json_number(q[2]));
    json_object_set_new(json, "max", fd_json_number(fd_quantile(n, x, 1)));
    if (periodic) {
        json_object_set_new(json, "circular_mean", fd_json_number(mean));
        json_object_set_new(json, "circular_resultant", fd_json_number(resultant));
    }
    free(x);
    return json;
}

/* Every observable, and those that depend on the reading of the phases once more. filter: a column, or -1. */
static json_t *observables_json(const fd_findings *f, const fd_table *table, int filter) {
    json_t *all = json_object();
    const fd_model *model = f->model;
    for (int i = 0; i < model->n_observables; i++) {
        const fd_observable *o = &model->observables[i];
        json_object_set_new(all, o->name,
                            column_json(table, fd_table_column(table, o->name), filter, o->unit, o->periodic));
    }
    for (int i = 0; i < FD_PAPER_COLUMNS; i++) {
        char name[FD_TABLE_NAME];
        int at = fd_model_observable(model, fd_paper_columns[i]);
        snprintf(name, sizeof name, "%s" FD_PAPER_SUFFIX, fd_paper_columns[i]);
        if (at < 0) continue;
        const fd_observable *o = &model->observables[at];
        json_object_set_new(all, name, column_json(table, fd_table_column(table, name), filter, o->unit, o->periodic));
    }
    json_object_set_new(all, "chi2_five", column_json(table, fd_table_column(table, "chi2_five"), filter, "1", false));
    return all;
}

/* {"counts": [points with 0, 1, ... digits], "within_two": fraction} */
static json_t *digits_json(size_t n, const uint64_t counts[FD_DIGIT_BINS]) {
    json_t *list = json_array();
    uint64_t within = counts[0] + counts[1] + counts[2];
    for (int i = 0; i < FD_DIGIT_BINS; i++) json_array_append_new(list, json_integer((json_int_t)counts[i]));
    return json_pack("{s:I, s:o, s:o}", "n", (json_int_t)n, "counts", list, "within_two",
                     fd_json_number(n ? (double)within / (double)n : NAN));
}

static const char digits_name[] = "yukawa_digits";

static void count_digits(double digits, size_t *n, uint64_t counts[FD_DIGIT_BINS]) {
    if (!(digits >= 0)) return;
    counts[digits < FD_DIGIT_BINS - 1 ? (int)digits : FD_DIGIT_BINS - 1]++;
    ++*n;
}

static json_t *table_digits(const fd_table *table) {
    uint64_t counts[FD_DIGIT_BINS] = {0};
    size_t n = 0;
    int column = fd_table_column(table, digits_name);
    for (size_t i = 0; column >= 0 && i < table->n_rows; i++) count_digits(fd_table_at(table, i, column), &n, counts);
    return digits_json(n, counts);
}

/* The same for plain draws from the prior, for comparison. */
static json_t *prior_digits(const fd_model *model, uint64_t seed) {
    uint64_t counts[FD_DIGIT_BINS] = {0};
    size_t n = 0;
    int at = fd_model_observable(model, digits_name);
    for (uint64_t i = 0; at >= 0 && i < FD_PRIOR_DRAWS; i++) {
        fd_rng rng;
        double theta[FD_MAX_PARAMS], observables[FD_MAX_OBSERVABLES];
        fd_rng_start(&rng, seed, FD_STREAM_ANALYSE, i, 0);
        model->draw_prior(model, &rng, theta);
        model->forward(model, 1, theta, NULL, observables);
        count_digits(observables[at], &n, counts);
    }
    return digits_json(n, counts);
}

/* Solutions inside each limit. A band is a range of published limits: the count below its lower and its upper end. */
static json_t *limits_json(const fd_findings *f) {
    json_t *list = json_array();
    for (int i = 0; i < f->target->n_limits; i++) {
        const fd_limit *limit = &f->target->limits[i];
        int column = fd_table_column(f->solutions, limit->observable);
        json_int_t inside = 0, below = 0;
        if (column < 0) continue;
        for (size_t k = 0; k < f->solutions->n_rows; k++) {
            double x = fd_table_at(f->solutions, k, column);
            below += x < limit->lo;
            inside += limit->band ? x < limit->hi : x >= limit->lo && x <= limit->hi;
        }
        json_t *json = json_pack("{s:s, s:s, s:b, s:o, s:o, s:o, s:I, s:I}", "name", limit->name, "observable",
                                 limit->observable, "band", limit->band, "lo", fd_json_number(limit->lo), "hi",
                                 fd_json_number(limit->hi), "confidence", fd_json_number(limit->confidence), "n",
                                 (json_int_t)f->solutions->n_rows, "satisfied", inside);
        if (limit->band) json_object_set_new(json, "below_all", json_integer(below));
        json_array_append_new(list, json);
    }
    return list;
}

static json_t *model_json(const fd_model_options *o) {
    return json_pack("{s:s, s:s, s:s, s:s, s:b, s:f}", "kind", o->kind, "ordering", fd_ordering_name(o->ordering),
                     "phases_asked_for", o->phases == FD_PHASES_PAPER ? "paper-phases" : "takagi", "scale",
                     o->scale == FD_SCALE_AS_PRINTED ? "as-printed" : "meV", "real_majorana", o->real_majorana,
                     "vev_GeV", o->vev_GeV);
}

fd_status fd_summary_is_of(const json_t *summary, const fd_sample_info *info, const char *samples, fd_error *err) {
    fd_json_watch();
    const char *target = json_string_value(json_object_get(json_object_get(summary, "target"), "name"));
    json_t *a = json_copy(json_object_get(summary, "model")), *b = model_json(&info->model);
    if (a) json_object_del(a, "phases_asked_for"); /* an analysis has both */
    if (b) json_object_del(b, "phases_asked_for");
    bool same = target && !strcmp(target, info->target) && json_equal(a, b);
    json_decref(a);
    json_decref(b);
    if (fd_json_ran_short()) return fd_fail(err, FD_ERR_MEMORY, "%s: out of memory", samples);
    if (same) return FD_OK;
    return fd_fail(err, FD_ERR_MISMATCH, "%s: of target set %s, or of another model than the analysis", samples, info->target);
}

static json_t *samples_json(const fd_findings *f) {
    const fd_sample_info *info = f->info;
    const fd_tally *t = &info->tally;
    return json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "file", fd_base_name(f->samples_path),
                     "role", info->role, "note", info->note, "rows_in_file", (json_int_t)f->in_file, "generated",
                     (json_int_t)t->n, "inside_all_labels", (json_int_t)t->labels, "inside_all_labels_in_prior",
                     (json_int_t)t->labels_in_prior, "inside_five_observables", (json_int_t)t->five, "flags_changed",
                     (json_int_t)f->differ, "seed", (json_int_t)info->seed);
}

static json_int_t count_set(const fd_table *table, const char *name) {
    json_int_t n = 0;
    int column = fd_table_column(table, name);
    for (size_t i = 0; i < table->n_rows; i++) n += fd_table_at(table, i, column) != 0;
    return n;
}

fd_status fd_summary_write(const char *path, const fd_findings *f, fd_error *err) {
    int in_prior = fd_table_column(f->solutions, "in_prior");
    fd_json_watch();
    json_t *target = json_pack("{s:s, s:s, s:s, s:s}", "name", f->target->name, "file", f->target_file, "title",
                               f->target->title, "source", f->target->source);
    json_t *digits = json_pack("{s:s, s:o, s:o}", "rule", "round(log10(max/min)) of the absolute Yukawa entries",
                               "solutions", table_digits(f->solutions), "prior", prior_digits(f->model, f->seed));
    json_t *solutions =
        json_pack("{s:I, s:I, s:o, s:o}", "n", (json_int_t)f->solutions->n_rows, "n_in_prior",
                  count_set(f->solutions, "in_prior"), "observables", observables_json(f, f->solutions, -1),
                  "observables_in_prior", observables_json(f, f->solutions, in_prior));
    json_t *root = json_pack("{s:s, s:i, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "format", "flavordiff-summary",
                             "format_version", 1, "tool_version", fd_version(), "phases",
                             "observables use the phases of the Takagi factorisation; *" FD_PAPER_SUFFIX
                             " those of eigenvectors with a real first row",
                             "target", target, "model", model_json(&f->info->model), "samples", samples_json(f),
                             "solutions", solutions, "limits", limits_json(f), "digits", digits);
    if (root && f->nearest)
        json_object_set_new(root, "nearest_not_solutions",
                            json_pack("{s:I, s:o}", "n", (json_int_t)f->nearest->n_rows, "observables",
                                      observables_json(f, f->nearest, -1)));
    char *text = fd_json_text(root, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
    fd_status status = text ? fd_write_text(path, text, strlen(text), err)
                            : fd_fail(err, FD_ERR_MEMORY, "%s: out of memory, or a name is not UTF-8", path);
    free(text);
    json_decref(root);
    return status;
}
