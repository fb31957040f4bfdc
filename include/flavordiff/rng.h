/* Counter-based random numbers (Philox4x32-10 of Random123).
 *
 * A draw is a pure function of (seed, stream, item, step, position), so the same seed gives the same
 * numbers for any number of threads and in any order. key = hash(seed, stream), counter =
 * (item, step, block). No state is shared; fd_rng is a cursor the caller owns. */
#ifndef FLAVORDIFF_RNG_H
#define FLAVORDIFF_RNG_H

#include <stdint.h>

#include "flavordiff/api.h"

FD_DECLS_BEGIN

/* Every purpose has its own stream; two purposes never share one. Numbers are part of the file
 * contract (same seed, same samples): append, never renumber. */
typedef enum fd_stream {
    FD_STREAM_PRIOR = 1,    /* item: draw                         parameters from the prior */
    FD_STREAM_SCAN = 2,     /* item: draw                         prior draws counted but not kept */
    FD_STREAM_WEIGHTS = 3,  /* item: layer                        initial weights */
    FD_STREAM_SHUFFLE = 4,  /* item: epoch                        order of the training pairs */
    FD_STREAM_TRAIN = 5,    /* item: update, step: row            t, label drop of a training row */
    FD_STREAM_TRAIN_NOISE = 6, /* item: update * batch + row      noise added to a training row */
    FD_STREAM_VALIDATE = 7, /* item: row                          fixed t of the validation loss */
    FD_STREAM_VALIDATE_NOISE = 8, /* item: row                    fixed noise of the validation loss */
    FD_STREAM_LATENT = 9,   /* item: sample                       x_T */
    FD_STREAM_REVERSE = 10, /* item: sample, step: t              noise of a reverse step */
    FD_STREAM_LABEL = 11,   /* item: sample                       labels drawn from a window */
    FD_STREAM_TEST = 12,    /* tests only */
    FD_STREAM_ANALYSE = 13, /* item: draw                         prior draws the analysis compares with */
    FD_STREAM_PLOT = 14,    /* item: 0                            which points of a large set are drawn */
    FD_STREAM_WINDOW = 15,  /* item: 0                            search for one label inside a target's windows */
    FD_STREAM_PAIRS = 16,   /* item: block of pairs               fresh training pairs */
    FD_STREAM_REFERENCE = 17, /* item: batch of proposals         exact draws inside the windows of a target */
    FD_STREAM_SYMMETRY = 18, /* item: sample                      its random symmetry */
    FD_STREAM_C2ST = 23,    /* item: dealing of labels, step: fold  labels and order of a classifier's rows */
    FD_STREAM_TIES = 24,    /* item: truth                        rank of a truth among samples equal to it */
    FD_STREAM_MCMC = 25     /* item: chain, step: step            moves of a Markov chain */
} fd_stream;

typedef struct fd_rng {
    uint32_t key[2];
    uint64_t item;
    uint32_t step, block;
    uint32_t buffer[4];
    unsigned used; /* words of buffer already handed out; 4 = empty */
} fd_rng;

/* Cursor at the start of (seed, stream, item, step). */
void fd_rng_start(fd_rng *rng, uint64_t seed, fd_stream stream, uint64_t item, uint32_t step);
/* The Philox key of (seed, stream); kernels that generate noise in place take this. */
void fd_rng_key(uint64_t seed, fd_stream stream, uint32_t key[2]);

/* Seed of a stage: the user's one seed spread by purpose ("train", "sample"), so that two stages that use the same
 * stream never see the same numbers. */
uint64_t fd_derive_seed(uint64_t seed, const char *purpose);

uint32_t fd_rng_u32(fd_rng *rng);
/* Uniform on [0, 1), 53 bits. */
double fd_rng_uniform(fd_rng *rng);
/* Uniform integer on [0, n), n >= 1, unbiased (Lemire's rejection). */
uint64_t fd_rng_below(fd_rng *rng, uint64_t n);
/* Standard normal, Box-Muller in double (53-bit uniforms). */
double fd_rng_normal(fd_rng *rng);
/* n of them at half the price: both components of every point of the plane. */
void fd_rng_normals(fd_rng *rng, int n, double *out);

FD_DECLS_END

#endif
