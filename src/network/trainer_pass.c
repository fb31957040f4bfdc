#include <string.h>

#include "kernels/mixed.h"
#include "network/trainer_internal.h"

static void multiply(const fd_trainer *tr, const fd_worker *w, const fd_gemm *g) {
    if (w->mixed) fd_gemm_mixed(tr->kernels, g, w->mixed);
    else tr->kernels->gemm(g);
}

/* Label, time and the constant 1 of the shard's samples, feature-major; zeros beyond the last sample, so that
 * what is computed there is finite and stays unused. */
static void fill_condition(const fd_trainer *tr, fd_worker *w, const fd_batch *b, int rows) {
    int nl = tr->net.n_labels;
    memset(w->condition, 0, (size_t)(nl + 2) * FD_SHARD * sizeof(float));
    for (int s = 0; s < rows; s++) {
        for (int j = 0; j < nl; j++) w->condition[j * FD_SHARD + s] = b->labels[s * nl + j];
        w->condition[nl * FD_SHARD + s] = b->time[s];
        w->condition[(nl + 1) * FD_SHARD + s] = 1;
    }
}

/* Keeps the first `width` features and the condition as rows of the layer's sample-major input. */
static void keep_input(const fd_trainer *tr, const fd_layer *l, const float *features, int rows, int first,
                       const fd_batch *b) {
    int nl = tr->net.n_labels;
    float *input = l->input + first * l->input_row;
    tr->kernels->transpose(l->n_before, FD_SHARD, features, FD_SHARD, input, l->input_row);
    for (int s = 0; s < rows; s++) {
        float *tail = input + s * l->input_row + l->n_before;
        memcpy(tail, b->labels + s * nl, (size_t)nl * sizeof *tail);
        tail[nl] = b->time[s];
        tail[nl + 1] = 1;
    }
}

static void swap_buffers(fd_worker *w) {
    float *swap = w->from;
    w->from = w->to;
    w->to = swap;
}

const float *fd_pass_forward(const fd_trainer *tr, const float *weights, fd_worker *w, const fd_batch *b, int rows,
                             int first) {
    int dim = tr->n_inputs;
    fill_condition(tr, w, b, rows);
    memset(w->from, 0, (size_t)dim * FD_SHARD * sizeof(float));
    for (int s = 0; s < rows; s++)
        for (int j = 0; j < dim; j++) w->from[j * FD_SHARD + s] = b->inputs[s * dim + j];
    for (int i = 0; i < tr->n_layers; i++) {
        const fd_layer *l = &tr->layers[i];
        memcpy(w->from + l->n_before * FD_SHARD, w->condition,
               (size_t)(tr->net.n_labels + 2) * FD_SHARD * sizeof(float));
        if (first >= 0) keep_input(tr, l, w->from, rows, first, b);
        fd_gemm g = {.m = l->n_out,
                     .n = FD_SHARD,
                     .k = l->n_in,
                     .a = weights + l->weight,
                     .a_row = l->w_row,
                     .a_col = 1,
                     .b = w->from,
                     .b_row = FD_SHARD,
                     .b_panel = FD_PANEL,
                     .c = w->to,
                     .c_row = FD_SHARD,
                     .act = l->act};
        if (l->before_act) {
            g.c = w->before_act;
            g.act = FD_IDENTITY;
        }
        if (first >= 0) multiply(tr, w, &g);
        else tr->kernels->gemm(&g); /* validation */
        if (l->before_act) {
            tr->kernels->activate(l->act, (size_t)l->n_out * FD_SHARD, w->before_act, w->to);
            if (first >= 0)
                tr->kernels->transpose(l->n_out, FD_SHARD, w->before_act, FD_SHARD,
                                       l->before_act + first * l->delta_row, l->delta_row);
        }
        swap_buffers(w);
    }
    return w->from;
}

/* dE/d eps of the mean over batch x dim, and each sample's own loss. */
static void output_delta(fd_trainer *tr, const float *eps, const float *target, int rows, int first) {
    const fd_layer *l = &tr->layers[tr->n_layers - 1];
    int dim = tr->net.dim;
    float factor = (float)(2.0 / ((double)tr->spec.batch * dim));
    for (int s = 0; s < rows; s++) {
        float *delta = l->delta + (first + s) * l->delta_row;
        double loss = 0;
        for (int j = 0; j < dim; j++) {
            float difference = eps[j * FD_SHARD + s] - target[s * dim + j];
            loss += (double)difference * difference;
            delta[j] = factor * difference;
        }
        tr->row_loss[first + s] = loss / dim;
    }
}

void fd_pass_shard(fd_trainer *tr, fd_worker *w, const fd_batch *b, int rows, int first) {
    const float *eps = fd_pass_forward(tr, tr->w, w, b, rows, first);
    output_delta(tr, eps, b->target, rows, first);
    /* Frozen layers need no delta. */
    for (int i = tr->n_layers - 1; i > tr->spec.frozen_layers; i--) {
        const fd_layer *l = &tr->layers[i], *below = &tr->layers[i - 1];
        const float *gate =
            below->before_act ? below->before_act + first * below->delta_row : l->input + first * l->input_row;
        multiply(tr, w, &(fd_gemm){.m = rows,
                                     .n = l->n_before,
                                     .k = l->n_out,
                                     .a = l->delta + first * l->delta_row,
                                     .a_row = l->delta_row,
                                     .a_col = 1,
                                     .b = tr->w + l->weight,
                                     .b_row = l->w_row,
                                     .b_panel = FD_PANEL,
                                     .c = below->delta + first * below->delta_row,
                                     .c_row = below->delta_row,
                                     .gate = gate,
                                     .gate_row = below->before_act ? below->delta_row : l->input_row,
                                     .gate_act = below->act});
    }
}

void fd_pass_block(fd_trainer *tr, fd_worker *w, const fd_block *block, const fd_adam *adam) {
    const fd_layer *l = &tr->layers[block->layer];
    multiply(tr, w, &(fd_gemm){.m = block->rows,
                                 .n = l->n_in,
                                 .k = tr->spec.batch,
                                 .a = l->delta + block->row,
                                 .a_row = 1,
                                 .a_col = l->delta_row,
                                 .b = l->input,
                                 .b_row = l->input_row,
                                 .b_panel = FD_PANEL,
                                 .c = w->gradient,
                                 .c_row = l->input_row});
    for (int i = 0; i < block->rows; i++) {
        size_t at = l->weight + (size_t)(block->row + i) * (size_t)l->w_row;
        /* The padding of a row has zero gradient and stays zero. */
        tr->kernels->adam(adam, (size_t)l->w_row, tr->w + at, tr->m + at, tr->v + at, tr->ema ? tr->ema + at : NULL,
                          w->gradient + i * l->input_row);
    }
}
