/* Training: mean squared error on the noise, Adam, OneCycleLR with PyTorch's semantics, EMA.
 * Iterative: the caller steps, draws progress, logs and stops. Results do not depend on the number of threads. */
#ifndef FLAVORDIFF_TRAINER_H
#define FLAVORDIFF_TRAINER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flavordiff/network.h"
#include "flavordiff/schedule.h"

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
    int frozen_layers;           /* first Q layers keep their weights (appendix C); 0: fine-tuning of all */
} fd_train_spec;

void fd_train_spec_paper(fd_train_spec *spec);
/* Learning rate and beta1 of update i = 0..updates-1 (torch.optim.lr_scheduler.OneCycleLR, cosine, two phases). */
void fd_one_cycle(const fd_train_spec *spec, long update, double *rate, double *beta1);

typedef struct fd_trainer fd_trainer;

/* x (n, dim) and labels (n, n_labels): normalised training pairs, borrowed for the trainer's life; the
 * first n_train rows train, the others validate. `network` gives the initial weights (copied).
 * FD_ERR_CONFIG on an impossible spec, FD_ERR_EMPTY when n_train is 0, FD_ERR_VALUE on numbers that are not finite. */
fd_status fd_trainer_create(const fd_network *network, const fd_schedule *schedule, const fd_train_spec *spec,
                            size_t n, size_t n_train, const float *x, const float *labels, uint64_t seed,
                            fd_trainer **trainer, fd_error *err);
void fd_trainer_free(fd_trainer *trainer);
/* One update on the next batch (pairs reshuffled every epoch; t uniform on 1..T; label dropped with
 * probability label_drop). Returns the batch loss: mean over rows and components. */
double fd_trainer_step(fd_trainer *trainer);
/* The same update on a batch the caller made: noised x_t (batch, dim), labels (batch, n_labels) with dropped ones zero,
 * time = t/T (batch), noise (batch, dim). What the golden test drives. */
double fd_trainer_step_batch(fd_trainer *trainer, const float *x_t, const float *labels, const float *time,
                             const float *noise);
long fd_trainer_updates_done(const fd_trainer *trainer);
/* Loss on the validation rows with fixed t and noise (so that values are comparable), label given; raw or EMA
 * weights. NaN when there are no validation rows. At most max_rows rows. */
double fd_trainer_validate(fd_trainer *trainer, bool ema, size_t max_rows);
/* Copies current weights in canonical order; ema selects the averaged ones. */
void fd_trainer_weights(const fd_trainer *trainer, bool ema, float *weights);

#endif
