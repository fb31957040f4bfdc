/* compare: the columns of sample files, and their distances. */
#include "flavordiff/compare.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/constants.h"
#include "inference/stats.h"
#include "inference/two_sample.h"
#include "stages/common.h"

enum { BLOCK = 4096 };

/* Parameters and observables of the rows that are compared, column by column. */
typedef struct columns {
    int n_columns;
    size_t n, room;                                     /* rows */
    double *data[FD_MAX_PARAMS + FD_MAX_OBSERVABLES];   /* (n) each */
    size_t finite[FD_MAX_PARAMS + FD_MAX_OBSERVABLES];  /* values left once sorted */
} columns;

static void columns_free(columns *c) {
    for (int j = 0; j < c->n_columns; j++) free(c->data[j]);
    *c = (columns){0};
}

static fd_status columns_reserve(columns *c, size_t rows, fd_error *err) {
    size_t room = c->room ? c->room : BLOCK;
    while (room < rows) room *= 2;
    for (int j = 0; j < c->n_columns && room > c->room; j++) {
        double *data = realloc(c->data[j], room * sizeof *data);
        if (!data) return fd_fail(err, FD_ERR_MEMORY, "out of memory for %zu rows", room);
        c->data[j] = data;
    }
    c->room = room;
    return FD_OK;
}

/* Angles on [0, 2 pi), whatever range they are kept in. */
static double on_circle(double x) {
    double y = x - FD_TWO_PI * floor(x / FD_TWO_PI);
    return y < FD_TWO_PI ? y : 0;
}

static void add_row(columns *c, const fd_model *model, const float *row) {
    double theta[FD_MAX_PARAMS], observables[FD_MAX_OBSERVABLES];
    for (int j = 0; j < model->n_params; j++) theta[j] = (double)row[j];
    model->forward(model, 1, theta, NULL, observables);
    for (int j = 0; j < model->n_params; j++)
        c->data[j][c->n] = model->params[j].periodic ? on_circle(theta[j]) : theta[j];
    for (int j = 0; j < model->n_observables; j++)
        c->data[model->n_params + j][c->n] =
            model->observables[j].periodic ? on_circle(observables[j]) : observables[j];
    c->n++;
}

static fd_status read_rows(fd_sample_reader *reader, const fd_model *model, uint64_t rows, const fd_compare_spec *spec,
                           columns *c, fd_error *err) {
    uint8_t wanted = spec->all_rows ? FD_FINITE : FD_FINITE | FD_IN_PRIOR | FD_LABELS;
    float *theta = malloc(BLOCK * (size_t)model->n_params * sizeof *theta);
    uint8_t flags[BLOCK];
    fd_status status = theta ? FD_OK : fd_fail(err, FD_ERR_MEMORY, "out of memory");
    for (uint64_t first = 0; !status && first < rows && (!spec->most || c->n < spec->most); first += BLOCK) {
        size_t n = rows - first < BLOCK ? (size_t)(rows - first) : BLOCK;
        status = fd_samples_read(reader, first, n, theta, NULL, NULL, flags, err);
        if (!status) status = columns_reserve(c, c->n + n, err);
        for (size_t i = 0; !status && i < n && (!spec->most || c->n < spec->most); i++)
            if ((flags[i] & wanted) == wanted) add_row(c, model, theta + i * (size_t)model->n_params);
    }
    free(theta);
    return status;
}

/* Drops what is not finite and sorts. */
static void sort_columns(columns *c) {
    for (int j = 0; j < c->n_columns; j++) {
        size_t kept = 0;
        for (size_t i = 0; i < c->n; i++)
            if (isfinite(c->data[j][i])) c->data[j][kept++] = c->data[j][i];
        fd_sort(kept, c->data[j]);
        c->finite[j] = kept;
    }
}

/* The columns of a file. *model: NULL for the first file, which creates it; others must agree with it. */
static fd_status read_set(const char *path, const fd_compare_spec *spec, fd_model **model, columns *c, char target[64],
                          fd_error *err) {
    fd_sample_reader *reader = NULL;
    fd_sample_info info;
    fd_status status = fd_samples_open(path, &reader, &info, err);
    if (status) return status;
    if (!*model) status = fd_model_create(&info.model, model, err);
    else if (!fd_same_model(&info.model, &(*model)->options) || info.model.ordering != (*model)->options.ordering)
        status = fd_fail(err, FD_ERR_MISMATCH,
                         "%s: another model or mass ordering than the reference's; compare files of one model", path);
    if (!status) status = fd_samples_check_model(reader, *model, err);
    if (!status) {
        c->n_columns = (*model)->n_params + (*model)->n_observables;
        status = read_rows(reader, *model, info.n, spec, c, err);
    }
    fd_samples_close(reader);
    if (!status && c->n == 0)
        status = fd_fail(err, FD_ERR_EMPTY,
                         spec->all_rows ? "%s: no finite row"
                                        : "%s: no row is a solution inside the prior; --all-rows compares all", path);
    snprintf(target, 64, "%s", info.target);
    if (!status) sort_columns(c);
    return status;
}

static void distance(const fd_model *model, int j, const columns *a, const columns *b, fd_distance *out) {
    bool parameter = j < model->n_params;
    const fd_observable *o = parameter ? NULL : &model->observables[j - model->n_params];
    size_t n = a->finite[j], m = b->finite[j];
    fd_two_sample t = fd_compare_sorted(n, a->data[j], m, b->data[j]);
    *out = (fd_distance){.parameter = parameter, .n = n, .m = m, .ks = t.ks, .ks_tail = t.ks_tail, .kuiper = t.kuiper,
                         .kuiper_tail = t.kuiper_tail, .ks_null = fd_ks_null(n, m, FD_COMPARE_TAIL),
                         .kuiper_null = fd_kuiper_null(n, m, FD_COMPARE_TAIL),
                         .periodic = parameter ? model->params[j].periodic : o->periodic};
    snprintf(out->name, sizeof out->name, "%s", parameter ? model->params[j].name : o->name);
    snprintf(out->unit, sizeof out->unit, "%s", parameter ? model->params[j].unit : o->unit);
    out->outside = out->periodic ? t.kuiper > out->kuiper_null : t.ks > out->ks_null;
}

static fd_status compare_columns(const fd_model *model, const columns *a, const columns *b, fd_comparison *out,
                                 fd_error *err) {
    out->n = a->n;
    out->m = b->n;
    out->n_distances = a->n_columns;
    if (!(out->distances = calloc((size_t)a->n_columns, sizeof *out->distances)))
        return fd_fail(err, FD_ERR_MEMORY, "out of memory");
    for (int j = 0; j < a->n_columns; j++) {
        distance(model, j, a, b, &out->distances[j]);
        out->n_outside += out->distances[j].outside;
    }
    return FD_OK;
}

fd_status fd_compare(int n_paths, const char *const *paths, const fd_compare_spec *spec, fd_comparison *comparisons,
                     fd_error *err) {
    columns reference = {0};
    fd_model *model = NULL;
    char target[64] = "";
    memset(comparisons, 0, (size_t)(n_paths - 1) * sizeof *comparisons);
    fd_status status = read_set(paths[0], spec, &model, &reference, target, err);
    for (int i = 1; !status && i < n_paths; i++) {
        fd_comparison *c = &comparisons[i - 1];
        columns set = {0};
        c->reference = paths[0];
        c->set = paths[i];
        memcpy(c->reference_target, target, sizeof target);
        status = read_set(paths[i], spec, &model, &set, c->target, err);
        if (!status) status = compare_columns(model, &reference, &set, c, err);
        columns_free(&set);
    }
    for (int i = 0; status && i < n_paths - 1; i++) fd_comparison_free(&comparisons[i]);
    columns_free(&reference);
    fd_model_free(model);
    return status;
}

void fd_comparison_free(fd_comparison *comparison) {
    free(comparison->distances);
    *comparison = (fd_comparison){0};
}
