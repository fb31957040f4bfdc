/* The network as a denoiser. For a tile of samples the label and the time are known before x, so every layer is
 *
 *   h' = act(h W_h^T + c),   c = b + t/T w_t + W_L L
 *
 * with K = the previous width alone: W_h is packed in panels once, W_L L is worked out once per tile in prepare()
 * (one row, or a row per sample), and b + t/T w_t once per call, which is 1,431 products for the paper's network.
 *
 * In bfloat16 W_h, x and h are rounded to it; c, all sums and the last layer's outputs are float32. Rounded activations are noise,
 * beside which the sampler's own is large; but a rounded weight is the same error in every sample at every step, and guidance
 * multiplies it: distributions move. So there are VARIANTS of W_h, each weight rounded down in some and up in others such that
 * their mean is right to a VARIANTS-th of the last bit, and steps take turns. */
#include <stdlib.h>
#include <string.h>

#include "flavordiff/sampler.h"
#include "kernels/kernels.h"

enum { TILE_ROWS = 64, ALIGN = 64, VARIANTS = 8 };

typedef struct layer {
    int n_before, n_out;
    int k;            /* n_before, in bfloat16 up to a multiple of FD_BF16_K */
    ptrdiff_t column; /* where this layer's outputs begin in rows of all layers' outputs */
    size_t weight;    /* panels of W_h, (k, n_out), in `memory`; in bfloat16 one variant behind the other */
    size_t label;     /* panels of W_L, (n_labels, n_out) */
    fd_activation act;
} layer;

typedef struct net_denoiser {
    fd_denoiser base;
    const fd_kernels *kernels;
    fd_precision precision;
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
    float *from, *to; /* (rows, row) activations; as many bfloat16 take half of it */
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

static void swap(tile *t) {
    float *from = t->from;
    t->from = t->to;
    t->to = from;
}

static void run_float32(const net_denoiser *d, tile *t, int rows, const float *x) {
    for (int i = 0; i < d->n_layers; i++, swap(t)) {
        const layer *l = &d->layers[i];
        d->kernels->gemm(&(fd_gemm){.m = rows,
                                    .n = l->n_out,
                                    .k = l->k,
                                    .a = i ? t->from : x,
                                    .a_row = i ? d->row : d->n_inputs,
                                    .a_col = 1,
                                    .b = d->memory + l->weight,
                                    .b_row = FD_PANEL,
                                    .b_panel = (ptrdiff_t)FD_PANEL * l->k,
                                    .bias = t->constant + l->column,
                                    .row_bias = *t->shared ? NULL : t->label + l->column,
                                    .row_bias_row = d->columns,
                                    .c = t->to,
                                    .c_row = d->row,
                                    .act = l->act});
    }
}

static size_t products(const layer *l) { return (size_t)FD_PANEL_UP(l->n_out) * (size_t)l->k; }

/* Whose turn it is at a step: multiples of the golden ratio spread any arithmetic progression of steps evenly. */
static size_t variant(int step) { return (size_t)((uint64_t)((uint32_t)step * UINT32_C(2654435769)) * VARIANTS >> 32); }

static void run_bf16(const net_denoiser *d, tile *t, int rows, const float *x, int step) {
    fd_bf16 *input = (fd_bf16 *)t->from;
    for (int i = 0; i < rows; i++, input += d->row, x += d->n_inputs) {
        for (int j = 0; j < d->n_inputs; j++) input[j] = fd_bf16_round(x[j]);
        for (int j = d->n_inputs; j < d->layers[0].k; j++) input[j] = 0;
    }
    for (int i = 0; i < d->n_layers; i++, swap(t)) {
        const layer *l = &d->layers[i];
        int last = i + 1 == d->n_layers;
        d->kernels->bf16->gemm(&(fd_bf16_gemm){.m = rows,
                                               .n = l->n_out,
                                               .k = l->k,
                                               .a = (const fd_bf16 *)t->from,
                                               .a_row = d->row,
                                               .b = (const fd_bf16 *)(d->memory + l->weight) + variant(step) * products(l),
                                               .bias = t->constant + l->column,
                                               .row_bias = *t->shared ? NULL : t->label + l->column,
                                               .row_bias_row = d->columns,
                                               .c = last ? NULL : (fd_bf16 *)t->to,
                                               .c_float = t->to,
                                               .c_row = d->row,
                                               .act = l->act});
    }
}

static void predict(const fd_denoiser *self, int rows, const float *x, int step, float *eps, void *scratch) {
    const net_denoiser *d = (const net_denoiser *)self;
    const float *bias = d->memory + d->bias, *slope = d->memory + d->time;
    tile t = tile_of(d, scratch);
    float time = (float)((double)step / d->steps);
    for (ptrdiff_t j = 0; j < d->columns; j++) t.constant[j] = bias[j] + time * slope[j] + (*t.shared ? t.label[j] : 0);
    if (d->precision == FD_BF16) run_bf16(d, &t, rows, x, step);
    else run_float32(d, &t, rows, x);
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

/* A weight in variant v: the lower half of its bits is the share of variants that round it up (in magnitude), and a phase of its own
 * says in which it begins. */
static fd_bf16 rounded(float weight, uint32_t phase, uint32_t v) {
    uint32_t bits;
    memcpy(&bits, &weight, sizeof bits);
    uint32_t share = bits & 0xffff, start = phase >> 16;
    return (fd_bf16)((bits >> 16) + ((start + share * (v + 1)) >> 16) - ((start + share * v) >> 16));
}

/* The first columns of w into panels of pairs, every variant. */
static void pack_bf16(const layer *l, const float *w, int n_in, fd_bf16 *panels) {
    for (int j = 0; j < l->n_out; j++)
        for (int i = 0; i < l->n_before; i++) {
            size_t at = (size_t)j * (size_t)n_in + (size_t)i;
            fd_bf16 *to = panels + (size_t)(j / FD_PANEL) * FD_PANEL * (size_t)l->k +
                          (size_t)(i / 2 * 2 * FD_PANEL + j % FD_PANEL * 2 + i % 2);
            for (uint32_t v = 0; v < VARIANTS; v++, to += products(l))
                *to = rounded(w[at], (uint32_t)at * UINT32_C(2246822519), v);
        }
}

static void fill(net_denoiser *d, const fd_network *network) {
    for (int i = 0; i < d->n_layers; i++) {
        const layer *l = &d->layers[i];
        int n_in, n_out;
        size_t weight, bias;
        fd_network_layer(&network->spec, i, &n_in, &n_out, &weight, &bias);
        const float *w = network->weights + weight;
        if (d->precision == FD_BF16)
            pack_bf16(l, w, n_in, (fd_bf16 *)(d->memory + l->weight));
        else pack(w, n_in, n_out, 0, l->n_before, d->memory + l->weight);
        pack(w, n_in, n_out, l->n_before, d->base.n_labels, d->memory + l->label);
        for (int j = 0; j < n_out; j++) {
            d->memory[d->bias + (size_t)(l->column + j)] = network->weights[bias + (size_t)j];
            d->memory[d->time + (size_t)(l->column + j)] = w[(size_t)(j + 1) * (size_t)n_in - 1];
        }
    }
}

fd_status fd_network_denoiser(const fd_network *network, const fd_schedule *schedule, fd_precision precision,
                              fd_denoiser **denoiser, fd_error *err) {
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
                        .precision = precision,
                        .n_layers = spec->n_hidden + 1,
                        .n_inputs = spec->dim + spec->n_features,
                        .steps = schedule->spec.steps};
    size_t size = 0;
    for (int i = 0; i < d->n_layers; i++) {
        layer *l = &d->layers[i];
        l->n_before = i ? spec->widths[i - 1] : d->n_inputs;
        l->k = precision == FD_BF16 ? FD_BF16_K_UP(l->n_before) : l->n_before;
        l->n_out = i < spec->n_hidden ? spec->widths[i] : spec->dim;
        l->act = i < spec->n_hidden ? spec->activations[i] : FD_IDENTITY;
        l->column = d->columns;
        size_t padded = (size_t)FD_PANEL_UP(l->n_out);
        l->weight = size;
        l->label = size + (precision == FD_BF16 ? products(l) * VARIANTS / 2 : products(l));
        size = l->label + padded * (size_t)spec->n_labels;
        d->columns += (ptrdiff_t)padded;
        ptrdiff_t wide = precision == FD_BF16 && (ptrdiff_t)padded < l->k ? l->k : (ptrdiff_t)padded;
        ptrdiff_t row = wide + (precision == FD_BF16 ? 32 : 16); /* a line of the cache more */
        if (row > d->row) d->row = row;
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
