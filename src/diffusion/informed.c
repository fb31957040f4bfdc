/* The informed network as a denoiser: ask the informant, ask the network, put both together. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "flavordiff/informant.h"

typedef struct informed {
    fd_denoiser base;
    const fd_denoiser *network;
    const fd_informant *informant;
    int steps, row; /* row: floats from one input of the network to the next */
    float *signal, *inverse_spread, *c; /* [0..T] */
    size_t place[12]; /* of the parts of a tile's scratch; the last is its size */
} informed;

/* Scratch of a tile: what lies where, in bytes. */
typedef struct tile {
    uint8_t *given; /* (max_rows) */
    int *times;     /* (max_rows) */
    float *labels, *inputs, *guess;
    void *network, *informant;
    float *x, *found, *sign; /* (max_rows, dim) oriented points, what is found for them, and how they were oriented */
    int *source;
} tile;

static tile tile_of(const informed *d, void *scratch) {
    char *at = scratch;
    const size_t *p = d->place;
    return (tile){(uint8_t *)at,          (int *)(at + p[1]), (float *)(at + p[2]), (float *)(at + p[3]),
                  (float *)(at + p[4]),   at + p[5],          at + p[6],           (float *)(at + p[7]),
                  (float *)(at + p[8]),   (float *)(at + p[9]), (int *)(at + p[10])};
}

static void prepare(const fd_denoiser *self, int rows, const float *labels, int shared, void *scratch) {
    const informed *d = (const informed *)self;
    tile t = tile_of(d, scratch);
    size_t nl = (size_t)self->n_labels;
    memset(t.given, labels != NULL, (size_t)self->max_rows);
    memset(t.labels, 0, (size_t)self->max_rows * nl * sizeof *t.labels);
    for (int i = 0; labels && i < rows; i++)
        memcpy(t.labels + (size_t)i * nl, labels + (shared ? 0 : (size_t)i * nl), nl * sizeof *labels);
    d->network->prepare(d->network, rows, labels, shared, t.network);
}

static void predict(const fd_denoiser *self, int rows, const float *x, int step, float *eps, void *scratch) {
    const informed *d = (const informed *)self;
    int dim = self->dim;
    tile t = tile_of(d, scratch);
    for (int i = 0; i < rows; i++) {
        const float *from = x + (ptrdiff_t)i * dim;
        float *to = t.x + (ptrdiff_t)i * dim;
        t.times[i] = step;
        if (d->informant->orient) {
            int *source = t.source + i * dim;
            float *sign = t.sign + i * dim;
            d->informant->orient(d->informant, from, source, sign);
            for (int j = 0; j < dim; j++) to[j] = sign[j] * from[source[j]];
        } else {
            memcpy(to, from, (size_t)dim * sizeof *x);
        }
        memcpy(t.inputs + (ptrdiff_t)i * d->row, to, (size_t)dim * sizeof *x);
    }
    d->informant->inform(d->informant, rows, t.x, t.times, t.labels, t.given, t.inputs + dim, d->row, t.guess,
                         t.informant);
    d->network->predict(d->network, rows, t.inputs, step, t.found, t.network);
    float signal = d->signal[step], inverse = d->inverse_spread[step], c = d->c[step];
    for (ptrdiff_t j = 0; j < (ptrdiff_t)rows * dim; j++) t.found[j] = (t.x[j] - signal * (t.guess[j] - c * t.found[j])) * inverse;
    if (!d->informant->orient) {
        memcpy(eps, t.found, (size_t)rows * (size_t)dim * sizeof *eps);
        return;
    }
    for (int i = 0; i < rows * dim; i++) eps[i / dim * dim + t.source[i]] = t.sign[i] * t.found[i];
}

static void destroy(fd_denoiser *self) {
    informed *d = (informed *)self;
    if (!d) return;
    free(d->signal);
    free(d);
}

fd_status fd_informed_denoiser(const fd_denoiser *network, const fd_informant *informant, const fd_schedule *schedule,
                               fd_denoiser **denoiser, fd_error *err) {
    *denoiser = NULL;
    size_t n = (size_t)schedule->spec.steps + 1;
    informed *d = calloc(1, sizeof *d);
    float *table = calloc(3 * n, sizeof *table);
    if (!d || !table) {
        free(d), free(table);
        return fd_fail(err, FD_ERR_MEMORY, "no memory for an informed denoiser");
    }
    int max_rows = network->max_rows < informant->max_rows ? network->max_rows : informant->max_rows;
    *d = (informed){.base = {.dim = network->dim,
                             .n_labels = network->n_labels,
                             .max_rows = max_rows,
                             .prepare = prepare,
                             .predict = predict,
                             .destroy = destroy},
                    .network = network,
                    .informant = informant,
                    .steps = schedule->spec.steps,
                    .row = network->dim + informant->n_features,
                    .signal = table,
                    .inverse_spread = table + n,
                    .c = table + 2 * n};
    for (size_t t = 1; t < n; t++) {
        d->signal[t] = (float)sqrt(schedule->alpha_bar[t]);
        d->inverse_spread[t] = (float)(1 / sqrt(schedule->noise[t]));
        d->c[t] = (float)informant->c[t];
    }
    size_t points = (size_t)max_rows * (size_t)network->dim;
    size_t rows = (size_t)max_rows, parts[] = {rows, rows * sizeof(int), rows * (size_t)network->n_labels * sizeof(float),
                                               rows * (size_t)d->row * sizeof(float),
                                               rows * (size_t)network->dim * sizeof(float), network->scratch_bytes,
                                               informant->scratch_bytes, points * sizeof(float),
                                               points * sizeof(float), points * sizeof(float), points * sizeof(int)};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) d->place[i + 1] = d->place[i] + (parts[i] + 63) / 64 * 64;
    d->base.scratch_bytes = d->place[sizeof parts / sizeof *parts];
    *denoiser = &d->base;
    return FD_OK;
}
