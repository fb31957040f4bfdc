/* compare: distances of the columns of sample files, and of whole rows. */
#include "flavordiff/compare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inference/two_sample.h"
#include "stages/analyse.h"
#include "stages/columns.h"
#include "stages/overlay.h"

/* The reference as all sets are compared with it. */
typedef struct yardstick {
    const fd_compare_spec *spec;
    fd_model *model;
    fd_columns columns;
    double *features;       /* (n, d), with spec->together */
    size_t n;
    int d;
} yardstick;

static void distance(const fd_model *model, int j, size_t n, const double *x, size_t m, const double *y, fd_distance *out) {
    fd_quantity q = fd_quantity_of(model, j);
    fd_two_sample t = fd_compare_sorted(n, x, m, y);
    *out = (fd_distance){.parameter = q.parameter, .periodic = q.periodic, .n = n, .m = m, .ks = t.ks, .ks_tail = t.ks_tail,
                         .kuiper = t.kuiper, .kuiper_tail = t.kuiper_tail, .ks_null = fd_ks_null(n, m, FD_COMPARE_TAIL),
                         .kuiper_null = fd_kuiper_null(n, m, FD_COMPARE_TAIL)};
    snprintf(out->name, sizeof out->name, "%s", q.name);
    snprintf(out->unit, sizeof out->unit, "%s", q.unit);
    out->outside = out->periodic ? t.kuiper > out->kuiper_null : t.ks > out->ks_null;
}

static fd_status one_by_one(const yardstick *y, const fd_columns *set, fd_comparison *out, fd_error *err) {
    const fd_columns *a = &y->columns;
    double *x = malloc((a->n + set->n) * sizeof *x);
    out->n = a->n;
    out->m = set->n;
    out->n_distances = a->n_columns;
    out->distances = calloc((size_t)a->n_columns, sizeof *out->distances);
    if (!x || !out->distances) {
        free(x);
        return fd_fail(err, FD_ERR_MEMORY, "out of memory");
    }
    for (int j = 0; j < a->n_columns; j++) {
        size_t n = fd_columns_sorted(a, j, x), m = fd_columns_sorted(set, j, x + a->n);
        distance(y->model, j, n, x, m, x + a->n, &out->distances[j]);
        out->n_outside += out->distances[j].outside;
    }
    free(x);
    return FD_OK;
}

/* ---- rows as a whole -------------------------------------------------------------------------------------- */

/* Which of the discrete symmetries brings a row into the part of space where each orbit has one point: a number for it. */
static uint64_t image(const fd_model *model, const fd_columns *c, size_t i) {
    float x[FD_MAX_PARAMS], sign[FD_MAX_PARAMS];
    int source[FD_MAX_PARAMS];
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a */
    for (int j = 0; j < model->n_params; j++) {
        const fd_param *p = &model->params[j];
        double half = 0.5 * (p->hi - p->lo), at = c->data[j][i];
        if (p->periodic && at >= p->hi) at -= 2 * half; /* columns have angles on [0, 2 pi) */
        x[j] = half > 0 ? (float)((at - p->lo - half) / half) : 0;
    }
    model->orient(model, x, source, sign);
    for (int j = 0; j < model->n_params; j++)
        hash = (hash ^ (uint64_t)(2 * source[j] + (sign[j] < 0))) * 0x100000001b3u;
    return hash;
}

typedef struct member {
    uint64_t image;
    bool of_set;
} member;

static int by_image(const void *a, const void *b) {
    const member *x = a, *y = b;
    return (x->image > y->image) - (x->image < y->image);
}

static fd_status count_images(const fd_model *model, const fd_columns *a, const fd_columns *b, fd_cells *out, fd_error *err) {
    size_t n = a->n + b->n, images = 0;
    member *rows = malloc(n * sizeof *rows);
    uint64_t *counts = calloc(2 * n, sizeof *counts);
    fd_status status = rows && counts ? FD_OK : fd_fail(err, FD_ERR_MEMORY, "out of memory");
    for (size_t i = 0; !status && i < n; i++)
        rows[i] = i < a->n ? (member){image(model, a, i), false} : (member){image(model, b, i - a->n), true};
    if (!status) qsort(rows, n, sizeof *rows, by_image);
    for (size_t i = 0; !status && i < n; i++) {
        images += i == 0 || rows[i].image != rows[i - 1].image;
        counts[(rows[i].of_set ? n : 0) + images - 1]++;
    }
    if (!status) fd_cells_counts((int)images, counts, counts + n, out);
    free(rows);
    free(counts);
    return status;
}

static fd_status together(const yardstick *y, const fd_columns *set, fd_comparison *out, fd_error *err) {
    size_t m;
    int d;
    double *features = fd_columns_features(y->model, set, 0, &m, &d);
    fd_status status = features ? FD_OK : fd_fail(err, FD_ERR_MEMORY, "out of memory");
    out->together = true;
    if (!status && y->n >= FD_C2ST_LEAST && m >= FD_C2ST_LEAST)
        status = fd_c2st_run(y->n, m, d, y->features, features, &y->spec->c2st, &out->c2st, err);
    if (!status) status = fd_cells_cut(y->n, m, d, y->features, features, &out->cells, err);
    if (!status && y->model->orient) status = count_images(y->model, &y->columns, set, &out->images, err);
    free(features);
    return status;
}

/* ---- files ------------------------------------------------------------------------------------------------ */

static fd_status compare_set(yardstick *y, const char *path, fd_comparison *c, fd_error *err) {
    fd_columns set = {0};
    fd_sample_info info;
    fd_status status = fd_columns_read(path, y->spec->most, y->spec->all_rows, &y->model, &set, &info, err);
    if (!status) {
        memcpy(c->target, info.target, sizeof c->target);
        status = one_by_one(y, &set, c, err);
    }
    if (!status && y->spec->together) status = together(y, &set, c, err);
    fd_columns_free(&set);
    return status;
}

fd_status fd_compare(int n_paths, const char *const *paths, const fd_compare_spec *spec, fd_comparison *comparisons,
                     fd_error *err) {
    yardstick y = {.spec = spec};
    fd_sample_info info = {0};
    memset(comparisons, 0, (size_t)(n_paths - 1) * sizeof *comparisons);
    fd_status status = fd_columns_read(paths[0], spec->most, spec->all_rows, &y.model, &y.columns, &info, err);
    if (!status && spec->together && !(y.features = fd_columns_features(y.model, &y.columns, 0, &y.n, &y.d)))
        status = fd_fail(err, FD_ERR_MEMORY, "out of memory");
    for (int i = 1; !status && i < n_paths; i++) {
        fd_comparison *c = &comparisons[i - 1];
        c->reference = paths[0];
        c->set = paths[i];
        memcpy(c->reference_target, info.target, sizeof c->reference_target);
        status = compare_set(&y, paths[i], c, err);
    }
    for (int i = 0; status && i < n_paths - 1; i++) fd_comparison_free(&comparisons[i]);
    free(y.features);
    fd_columns_free(&y.columns);
    fd_model_free(y.model);
    return status;
}

void fd_comparison_free(fd_comparison *comparison) {
    free(comparison->distances);
    *comparison = (fd_comparison){0};
}

fd_status fd_compare_figures(int n_paths, const char *const *paths, const fd_compare_spec *spec, const char *folder,
                             const char *corner, bool force, fd_error *err) {
    const fd_run run = {.force = force};
    fd_columns sets[FD_OVERLAY_SETS] = {0};
    fd_model *model = NULL;
    fd_status status = FD_OK;
    if (n_paths > FD_OVERLAY_SETS)
        return fd_fail(err, FD_ERR_USAGE, "figures: %d sets, at most %d fit", n_paths, FD_OVERLAY_SETS);
    fd_overlay overlay = {.title = "Sample sets over each other", .n_sets = n_paths};
    for (int i = 0; !status && i < n_paths; i++) {
        status = fd_columns_read(paths[i], spec->most, spec->all_rows, &model, &sets[i], NULL, err);
        overlay.sets[i].name = fd_base_name(paths[i]);
        overlay.sets[i].columns = &sets[i];
    }
    overlay.model = model;
    if (!status) status = fd_overlay_draw(&overlay, &run, folder, corner, err);
    for (int i = 0; i < n_paths; i++) fd_columns_free(&sets[i]);
    fd_model_free(model);
    return status;
}
