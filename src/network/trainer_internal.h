/* Inside of the trainer, shared by trainer.c (state, batches, the update) and trainer_pass.c (forward, backward,
 * gradient).
 *
 * Layouts. Weights of a layer are one matrix W (n_out, w_row) with columns [h, L, t, 1, padding]: label, time and bias
 * are inputs like any other, and the whole network with Adam's moments is contiguous. Activations exist twice:
 *   feature-major  (n_in, 32 samples)   in a thread's own buffers, as operand B of the forward product W u
 *   sample-major   (batch, row)         for the whole batch, as operands of the backward products
 * so that no weight is ever transposed or repacked; only the activations are, and they are a quarter of the weights.
 *
 * An update: shards of 32 samples run forward and backward on their own; then blocks of weight rows are given their
 * gradient (a sum over the whole batch in order) and their Adam step at once, while the gradient is in cache. Every
 * number is made by one chain of operations whatever the number of threads. Nor does the number of ranks matter: each has whole
 * shards, whose activations and deltas go to the ranks whose blocks need them, and whole blocks, whose weights go to all
 * (trainer_team.c). */
#ifndef FD_TRAINER_INTERNAL_H
#define FD_TRAINER_INTERNAL_H

#include "flavordiff/trainer.h"
#include "kernels/kernels.h"

enum { FD_SHARD = FD_PANEL, FD_BLOCK_ROWS = 12, FD_MIXED_BLOCK_ROWS = 64 };

typedef struct fd_layer {
    int n_before, n_in, n_out; /* n_in = n_before + n_labels + 2: label, time and the constant 1 */
    fd_activation act;
    size_t weight; /* offset of W in w, m, v, ema */
    ptrdiff_t w_row;
    float *input; /* u (batch, input_row), padding zero */
    ptrdiff_t input_row;
    float *before_act; /* z of the layer (batch, delta_row), SiLU only: its slope is a function of z */
    float *delta;      /* dE/dz (batch, delta_row) */
    ptrdiff_t delta_row;
} fd_layer;

/* A block of rows of one layer's weights: the unit of work of the second half of an update. */
typedef struct fd_block {
    int layer, row, rows;
} fd_block;

/* What a batch is: inputs (noised x and features), label (zeros when dropped), t/T and what is to be found: the noise, or
 * for an informed network (guess - x_0) / c. */
typedef struct fd_batch {
    const float *inputs, *labels, *time, *target;
} fd_batch;

/* The same, being made. */
typedef struct fd_rows {
    float *inputs, *labels, *time, *target;
} fd_rows;

/* A thread's own. */
typedef struct fd_worker {
    float *from, *to;                 /* feature-major activations */
    float *condition;                 /* (n_labels + 2, 32): label, time and 1, feature-major */
    float *before_act;                /* (widest, 32) */
    float *gradient;                  /* (rows of a block, longest row of weights) */
    void *mixed;                      /* scratch of products in mixed precision, or NULL */
    fd_rows rows;                     /* one shard of a validation batch */
    float *x, *noise, *guess;         /* (32, dim) of the shard being made */
    int *t;                           /* (32) */
    uint8_t *given;                   /* (32) */
    void *informant;                  /* scratch */
} fd_worker;

struct fd_trainer {
    fd_network_spec net;
    fd_train_spec spec;
    const fd_kernels *kernels;
    double *signal, *spread; /* [0..T] sqrt(abar_t), sqrt(1 - abar_t) */
    int steps;
    uint64_t seed;
    int n_inputs;                /* dim and features */
    double *t_below;             /* [0..T] probability of a time up to t */
    size_t n_train, n_valid;
    const float *data, *labels;  /* training rows; of a source: the pool */
    const float *valid_x, *valid_labels;
    const fd_pair_source *source;
    const fd_informant *informant;
    float *pool_x, *pool_labels; /* (n_train, ...) what the source gave last */
    long done;

    int n_layers;
    fd_layer layers[FD_MAX_HIDDEN + 1];
    size_t n_weights;
    float *w, *m, *v, *ema; /* ema is NULL when ema_decay is 0: nothing to average */
    int n_blocks;
    fd_block *blocks;

    uint32_t *order; /* the epoch's permutation of the training rows */
    uint64_t epoch;
    size_t *pairs;                          /* (batch) rows of this update's pairs */
    fd_rows batch;                          /* the batch the trainer makes itself */
    double *row_loss;                       /* (batch) */
    double *shard_loss;                     /* of the validation rows */
    int n_workers;
    fd_worker *workers;
    fd_team *team;  /* NULL: works alone */
    char *sent, *received; /* rows of the batch for the others, and theirs */
    void **memory; /* everything allocated, freed together */
    int n_memory;
};

/* Forward pass of `rows` samples (1..32). With `first` >= 0 the activations are also kept for backward at batch rows
 * first.. . Leaves the predictions feature-major, (dim, 32), in the returned buffer of the worker. */
const float *fd_pass_forward(const fd_trainer *trainer, const float *weights, fd_worker *worker, const fd_batch *batch,
                             int rows, int first);
/* What the ranks of a team have to give each other: the halves of an update, and the pool of a source (n_train rows, made in blocks of
 * FD_PAIR_BLOCK). Nothing where there is no team. */
void fd_share_batch(fd_trainer *trainer);
void fd_share_weights(fd_trainer *trainer, float *of);
void fd_share_pool(fd_trainer *trainer);
/* Forward and backward of batch rows first..first+rows: fills row_loss and every layer's delta. */
void fd_pass_shard(fd_trainer *trainer, fd_worker *worker, const fd_batch *batch, int rows, int first);
/* Gradient of one block of weight rows, summed over the batch, and its Adam step. */
void fd_pass_block(fd_trainer *trainer, fd_worker *worker, const fd_block *block, const fd_adam *adam);

#endif
