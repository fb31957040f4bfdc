/* The network as a denoiser. For a tile of samples the label and the time are known before x, so every layer is
 *
 *   h' = act(h W_h^T + c),   c = b + t/T w_t + W_L L
 *
 * with K = the previous width alone: W_h is packed in panels once, W_L L is worked out once per tile in prepare()
 * (one row, or a row per sample), and b + t/T w_t once per call, which is 1,431 products for the paper's network. */
#include <stdlib.h>
#include <string.h>

#include "flavordiff/sampler.h"
#include "kernels/kernels.h"

enum { TILE_ROWS = 64, ALIGN = 64 };

typedef struct layer {
    int n_before, n_out;
    ptrdiff_t column; /* where this layer's outputs begin in rows of all layers' outputs */
    size_t weight;    /* panels of W_h, (n_before, n_out), in `memory` */
    size_t label;     /* panels of W_L, (n_labels, n_out) */
    fd_activation act;
} layer;

typedef struct net_denoiser {
    fd_denoiser base;
    const fd_kernels *kernels;
    int n_layers, steps;
    int n_inputs; /* from one row of x to the next: dim and the features */
    ptrdiff_t columns; /* of all layers together, in whole panels */
    ptrdiff_t row;     /* from one sample's activations to the next: the widest layer and a little, off powers of two */
    size_t bias, time; /* (columns) each, in `memory` */
    layer layers[FD_MAX_HIDDEN + 1];
    float *memory;
} net_denoiser;

/* Scratch of a tile: one block, laid out here and nowhere else. */
typedef struct tile {
    int *shared;      /* 1: one row of label parts for the whole tile */
    float *label;     /* (rows or 1, columns) W_L L */
    float *constant;  /* (columns) b + t/T w_t, and the label part when it is shared */
    float *from, *to; /* (rows, row) activations */
} tile;

static tile tile_of(const net_denoiser *d, void *scratch) {
    size_t label = (size_t)d->base.max_rows * (size_t)d->columns;
    tile t = {.shared = scratch, .label = (float *)((char *)scratch + ALIGN)};
    t.constant = t.label + label;
    t.from = t.constant + d->columns;
    t.to = t.from + d->base.max_rows * d->row;
    return t;
}

static size_t tile_bytes(const net_denoiser *d) {
    size_t rows = (size_t)d->base.max_rows;
    return ALIGN + (rows * (size_t)d->columns + (size_t)d->columns + 2 * rows * (size_t)d->row) * sizeof(float);
}

static void prepare(const fd_denoiser *self, int rows, const float *labels, int shared, void *scratch) {
    const net_denoiser *d = (const net_denoiser *)self;
    tile t = tile_of(d, scratch);
    int one = !labels || shared;
    *t.shared = one;
    if (!labels || self->n_labels == 0) {
        *t.shared = 1;
        memset(t.label, 0, (size_t)d->columns * sizeof *t.label);
        return;
    }
    for (int i = 0; i < d->n_layers; i++) {
        const layer *l = &d->layers[i];
        d->kernels->gemm(&(fd_gemm){.m = one ? 1 : rows,
                                    .n = l->n_out,
                                    .k = self->n_labels,
                                    .a = labels,
                                    .a_row = self->n_labels,
                                    .a_col = 1,
                                    .b = d->memory + l->label,
                                    .b_row = FD_PANEL,
                                    .b_panel = (ptrdiff_t)FD_PANEL * self->n_labels,
                                    .c = t.label + l->column,
                                    .c_row = d->columns});
    }
}

static void predict(const fd_denoiser *self, int rows, const float *x, int step, float *eps, void *scratch) {
    const net_denoiser *d = (const net_denoiser *)self;
    const float *bias = d->memory + d->bias, *slope = d->memory + d->time;
    tile t = tile_of(d, scratch);
    float time = (float)((double)step / d->steps);
    for (ptrdiff_t j = 0; j < d->columns; j++) t.constant[j] = bias[j] + time * slope[j] + (*t.shared ? t.label[j] : 0);
    for (int i = 0; i < d->n_layers; i++) {
        const layer *l = &d->layers[i];
        d->kernels->gemm(&(fd_gemm){.m = rows,
                                    .n = l->n_out,
                                    .k = l->n_before,
                                    .a = i ? t.from : x,
                                    .a_row = i ? d->row : d->n_inputs,
                                    .a_col = 1,
                                    .b = d->memory + l->weight,
                                    .b_row = FD_PANEL,
                                    .b_panel = (ptrdiff_t)FD_PANEL * l->n_before,
                                    .bias = t.constant + l->column,
                                    .row_bias = *t.shared ? NULL : t.label + l->column,
                                    .row_bias_row = d->columns,
                                    .c = t.to,
                                    .c_row = d->row,
                                    .act = l->act});
        float *swap = t.from;
        t.from = t.to;
        t.to = swap;
    }
    for (int i = 0; i < rows; i++)
        memcpy(eps + (ptrdiff_t)i * self->dim, t.from + i * d->row, (size_t)self->dim * sizeof *eps);
}

static void destroy(fd_denoiser *self) {
    net_denoiser *d = (net_denoiser *)self;
    if (!d) return;
    free(d->memory);
    free(d);
}

/* Columns first..first+k of the canonical matrix w (n_out, n_in), transposed into panels. */
static void pack(const float *w, int n_in, int n_out, int first, int k, float *panels) {
    for (int j = 0; j < n_out; j++)
        for (int i = 0; i < k; i++)
            panels[((size_t)(j / FD_PANEL) * (size_t)k + (size_t)i) * FD_PANEL + (size_t)(j % FD_PANEL)] =
                w[(size_t)j * (size_t)n_in + (size_t)(first + i)];
}

static void fill(net_denoiser *d, const fd_network *network) {
    for (int i = 0; i < d->n_layers; i++) {
        const layer *l = &d->layers[i];
        int n_in, n_out;
        size_t weight, bias;
        fd_network_layer(&network->spec, i, &n_in, &n_out, &weight, &bias);
        const float *w = network->weights + weight;
        pack(w, n_in, n_out, 0, l->n_before, d->memory + l->weight);
        pack(w, n_in, n_out, l->n_before, d->base.n_labels, d->memory + l->label);
        for (int j = 0; j < n_out; j++) {
            d->memory[d->bias + (size_t)(l->column + j)] = network->weights[bias + (size_t)j];
            d->memory[d->time + (size_t)(l->column + j)] = w[(size_t)(j + 1) * (size_t)n_in - 1];
        }
    }
}

fd_status fd_network_denoiser(const fd_network *network, const fd_schedule *schedule, fd_denoiser **denoiser,
                              fd_error *err) {
    const fd_network_spec *spec = &network->spec;
    *denoiser = NULL;
    net_denoiser *d = malloc(sizeof *d);
    if (!d) return fd_fail(err, FD_ERR_MEMORY, "network: out of memory");
    *d = (net_denoiser){.base = {.dim = spec->dim,
                                 .n_labels = spec->n_labels,
                                 .max_rows = TILE_ROWS,
                                 .prepare = prepare,
                                 .predict = predict,
                                 .destroy = destroy},
                        .kernels = fd_kernels_get(),
                        .n_layers = spec->n_hidden + 1,
                        .n_inputs = spec->dim + spec->n_features,
                        .steps = schedule->spec.steps};
    size_t size = 0;
    for (int i = 0; i < d->n_layers; i++) {
        layer *l = &d->layers[i];
        l->n_before = i ? spec->widths[i - 1] : d->n_inputs;
        l->n_out = i < spec->n_hidden ? spec->widths[i] : spec->dim;
        l->act = i < spec->n_hidden ? spec->activations[i] : FD_IDENTITY;
        l->column = d->columns;
        size_t padded = (size_t)FD_PANEL_UP(l->n_out);
        l->weight = size;
        l->label = size + padded * (size_t)l->n_before;
        size = l->label + padded * (size_t)spec->n_labels;
        d->columns += (ptrdiff_t)padded;
        if ((ptrdiff_t)padded + 16 > d->row) d->row = (ptrdiff_t)padded + 16;
    }
    d->bias = size;
    d->time = size + (size_t)d->columns;
    size += 2 * (size_t)d->columns;
    size = (size + 15) / 16 * 16;
    d->memory = aligned_alloc(ALIGN, size * sizeof(float));
    if (!d->memory) {
        free(d);
        return fd_fail(err, FD_ERR_MEMORY, "network: out of memory");
    }
    memset(d->memory, 0, size * sizeof(float));
    fill(d, network);
    d->base.scratch_bytes = (tile_bytes(d) + ALIGN - 1) / ALIGN * ALIGN;
    *denoiser = &d->base;
    return FD_OK;
}
