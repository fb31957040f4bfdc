#include "stages/columns.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/constants.h"
#include "inference/stats.h"
#include "stages/common.h"

enum { BLOCK = 4096 };

void fd_columns_free(fd_columns *c) {
    for (int j = 0; j < c->n_columns; j++) free(c->data[j]);
    *c = (fd_columns){0};
}

static fd_status columns_reserve(fd_columns *c, size_t rows, fd_error *err) {
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

static void add_row(fd_columns *c, const fd_model *model, const float *row) {
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

static fd_status read_rows(fd_sample_reader *reader, const fd_model *model, uint64_t rows, uint64_t most,
                           bool all_rows, fd_columns *c, fd_error *err) {
    uint8_t wanted = all_rows ? FD_FINITE : FD_FINITE | FD_IN_PRIOR | FD_LABELS;
    float *theta = malloc(BLOCK * (size_t)model->n_params * sizeof *theta);
    uint8_t flags[BLOCK];
    fd_status status = theta ? FD_OK : fd_fail(err, FD_ERR_MEMORY, "out of memory");
    for (uint64_t first = 0; !status && first < rows && (!most || c->n < most); first += BLOCK) {
        size_t n = rows - first < BLOCK ? (size_t)(rows - first) : BLOCK;
        status = fd_samples_read(reader, first, n, theta, NULL, NULL, flags, err);
        if (!status) status = columns_reserve(c, c->n + n, err);
        for (size_t i = 0; !status && i < n && (!most || c->n < most); i++)
            if ((flags[i] & wanted) == wanted) add_row(c, model, theta + i * (size_t)model->n_params);
    }
    free(theta);
    return status;
}

fd_status fd_columns_read(const char *path, uint64_t most, bool all_rows, fd_model **model, fd_columns *c, fd_sample_info *info,
                          fd_error *err) {
    fd_sample_reader *reader = NULL;
    fd_sample_info own;
    if (!info) info = &own;
    fd_status status = fd_samples_open(path, &reader, info, err);
    if (status) return status;
    if (!*model) status = fd_model_create(&info->model, model, err);
    else if (!fd_same_model(&info->model, &(*model)->options) || info->model.ordering != (*model)->options.ordering)
        status = fd_fail(err, FD_ERR_MISMATCH,
                         "%s: another model or mass ordering than the reference's; compare files of one model", path);
    if (!status) status = fd_samples_check_model(reader, *model, err);
    if (!status) {
        c->n_columns = (*model)->n_params + (*model)->n_observables;
        status = read_rows(reader, *model, info->n, most, all_rows, c, err);
    }
    fd_samples_close(reader);
    if (!status && c->n == 0)
        status = fd_fail(err, FD_ERR_EMPTY,
                         all_rows ? "%s: no finite row" : "%s: no row is a solution inside the prior; --all-rows compares all",
                         path);
    return status;
}

size_t fd_columns_sorted(const fd_columns *c, int column, double *out) {
    size_t kept = 0;
    for (size_t i = 0; i < c->n; i++)
        if (isfinite(c->data[column][i])) out[kept++] = c->data[column][i];
    fd_sort(kept, out);
    return kept;
}

fd_quantity fd_quantity_of(const fd_model *model, int column) {
    if (column < model->n_params) {
        const fd_param *p = &model->params[column];
        return (fd_quantity){p->name, p->unit, p->latex, true, p->periodic, false, p->lo, p->hi};
    }
    const fd_observable *o = &model->observables[column - model->n_params];
    bool scale = !strcmp(o->unit, "eV") || !strcmp(o->unit, "eV2") || !strcmp(o->unit, "GeV");
    return (fd_quantity){o->name, o->unit, o->latex, false, o->periodic, scale, NAN, NAN};
}

/* Coordinates of row i into out; how many, or 0 when one is not finite. */
static int features_of(const fd_model *model, const fd_columns *c, size_t i, double *out) {
    int d = 0;
    for (int j = 0; j < c->n_columns; j++) {
        double x = c->data[j][i];
        fd_quantity q = fd_quantity_of(model, j);
        if (q.periodic) {
            out[d++] = cos(x);
            out[d++] = sin(x);
        } else {
            out[d++] = q.scale ? log10(fabs(x)) : x;
        }
        if (!isfinite(out[d - 1])) return 0;
    }
    return d;
}

double *fd_columns_features(const fd_model *model, const fd_columns *c, size_t most, size_t *n, int *d) {
    double row[2 * (FD_MAX_PARAMS + FD_MAX_OBSERVABLES)];
    size_t rows = most && most < c->n ? most : c->n;
    *n = 0;
    *d = 0;
    for (int j = 0; j < c->n_columns; j++) *d += fd_quantity_of(model, j).periodic ? 2 : 1;
    double *out = malloc((rows * (size_t)*d + 1) * sizeof *out);
    for (size_t i = 0; out && i < c->n && *n < rows; i++)
        if (features_of(model, c, i, row)) memcpy(out + (*n)++ * (size_t)*d, row, (size_t)*d * sizeof *row);
    return out;
}
