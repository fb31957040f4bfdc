/* Training: mean squared error on the noise, Adam, OneCycleLR with PyTorch's semantics, EMA.
 * Iterative: the caller steps, draws progress, logs and stops. Results do not depend on the number of threads. */
#ifndef FLAVORDIFF_TRAINER_H
#define FLAVORDIFF_TRAINER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flavordiff/api.h"
#include "flavordiff/informant.h"
#include "flavordiff/network.h"
#include "flavordiff/schedule.h"
#include "flavordiff/team.h"

FD_DECLS_BEGIN

typedef struct fd_train_spec {
    int batch;                   /* 64 */
    long updates;                /* 100000 */
    double max_rate;             /* 1e-3, peak of the one-cycle policy */
    double warmup;               /* pct_start 0.3 */
    double div, final_div;       /* 25, 1e4 */
    bool cycle_momentum;         /* beta1 0.95 -> 0.85 -> 0.95, as OneCycleLR does with Adam */
    double beta1_min, beta1_max; /* 0.85, 0.95 */
    double beta2, epsilon;       /* 0.999, 1e-8 */
    double label_drop;           /* 0.1 */
    double ema_decay;            /* 0.999; the averaged weights are kept beside the raw ones */
    fd_precision precision;      /* of both operands of every product, forward and backward. Weights, moments, sums, activations,
                                  * Adam and all losses of validation are float32 in both */
    int frozen_layers;           /* first Q layers keep their weights (appendix C); 0: fine-tuning of all */
    double noise_mean, noise_spread; /* t drawn with log s normal(mean, spread), s = sqrt((1 - abar) / abar): more work
                                      * where it pays; spread 0: t uniform on 1..T, as in the paper */
} fd_train_spec;

/* Pairs without end: independent draws from whatever law the source stands for. */
typedef struct fd_pair_source fd_pair_source;
struct fd_pair_source {
    /* Pairs of block `block` into x (n, dim) and labels (n, n_labels), both normalised; a function of (seed, block)
     * alone. Thread-safe. */
    void (*draw)(const fd_pair_source *self, uint64_t seed, uint64_t block, int n, float *x, float *labels);
};
enum { FD_PAIR_BLOCK = 256 }; /* rows of a block */

/* What to learn from, all borrowed for the trainer's life. */
typedef struct fd_train_data {
    size_t n, n_train;            /* rows of the arrays; the first n_train train, the others validate */
    const float *x, *labels;      /* (n, dim), (n, n_labels): normalised */
    const fd_pair_source *source; /* in place of training rows (n_train = 0), or NULL */
    const fd_informant *informant; /* of an informed network, or NULL: x_t alone, predicting the noise */
} fd_train_data;

void fd_train_spec_paper(fd_train_spec *spec);
/* Learning rate and beta1 of update i = 0..updates-1 (torch.optim.lr_scheduler.OneCycleLR, cosine, two phases). */
void fd_one_cycle(const fd_train_spec *spec, long update, double *rate, double *beta1);

typedef struct fd_trainer fd_trainer;

/* `network` gives the initial weights (copied). FD_ERR_CONFIG on an impossible spec, FD_ERR_EMPTY when there is nothing to
 * train on, FD_ERR_VALUE on numbers that are not finite. */
fd_status fd_trainer_create(const fd_network *network, const fd_schedule *schedule, const fd_train_spec *spec,
                            const fd_train_data *data, uint64_t seed, fd_trainer **trainer, fd_error *err);
void fd_trainer_free(fd_trainer *trainer);
/* From now on fd_trainer_step() is a job of all ranks of `team` (borrowed), each with a trainer of its own, made alike: shards of the
 * batch and then blocks of weights are divided among them and exchanged, and weights are those of one rank alone to the bit. Moments
 * and averages lie with the rank whose blocks they are of: fd_trainer_collect(), a job too, brings them to all before
 * fd_trainer_save(), and before averaged weights are asked for. FD_ERR_MEMORY. */
fd_status fd_trainer_share(fd_trainer *trainer, fd_team *team, fd_error *err);
void fd_trainer_collect(fd_trainer *trainer);
/* One update on the next batch (pairs reshuffled every epoch; t uniform on 1..T; label dropped with
 * probability label_drop). Returns the batch loss: mean over rows and components. */
double fd_trainer_step(fd_trainer *trainer);
/* The same update on a batch the caller made: inputs (batch, dim + n_features), labels (batch, n_labels) with dropped ones
 * zero, time = t/T (batch), target (batch, dim): the noise. What the golden test drives. */
double fd_trainer_step_batch(fd_trainer *trainer, const float *inputs, const float *labels, const float *time,
                             const float *target);
long fd_trainer_updates_done(const fd_trainer *trainer);
/* Loss on the validation rows with fixed t and noise (so that values are comparable), label given; raw or EMA
 * weights. NaN when there are no validation rows. At most max_rows rows. */
double fd_trainer_validate(fd_trainer *trainer, bool ema, size_t max_rows);
/* Everything the next update depends on but for spec, seed and data, fd_trainer_state_bytes() of it: updates done, weights,
 * both moments, averaged weights, as in memory. fd_trainer_restore: FD_ERR_FORMAT on more updates than the spec has; a trainer of
 * the same spec, seed and data then goes on to the same bits. */
size_t fd_trainer_state_bytes(const fd_trainer *trainer);
void fd_trainer_save(const fd_trainer *trainer, void *state);
fd_status fd_trainer_restore(fd_trainer *trainer, const void *state, fd_error *err);
/* Copies current weights in canonical order; ema selects the averaged ones. */
void fd_trainer_weights(const fd_trainer *trainer, bool ema, float *weights);

FD_DECLS_END

#endif
