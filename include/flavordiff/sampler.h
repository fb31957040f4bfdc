/* Reverse processes. A sampler is a function of a denoiser (function pointers), a schedule and a random
 * stream; it knows nothing of networks or models. Guidance wraps a denoiser and is one. */
#ifndef FLAVORDIFF_SAMPLER_H
#define FLAVORDIFF_SAMPLER_H

#include <stddef.h>
#include <stdint.h>

#include "flavordiff/network.h"
#include "flavordiff/schedule.h"

/* Predicts the noise in x_t for a tile of up to max_rows samples at one time. All calls for a tile use
 * one scratch block (scratch_bytes, 64-byte aligned, owned by the caller; tiles in different threads use
 * different blocks), first prepare(), then any number of predict(). Neither allocates. */
typedef struct fd_denoiser fd_denoiser;
struct fd_denoiser {
    int dim, n_labels, max_rows;
    size_t scratch_bytes;
    /* labels (rows, n_labels) normalised, or NULL: the label is dropped for the whole tile.
     * When all rows have the same label pass `shared` = 1 and one row. */
    void (*prepare)(const fd_denoiser *self, int rows, const float *labels, int shared, void *scratch);
    /* x (rows, dim), t in 1..T -> eps (rows, dim). x and eps do not overlap. */
    void (*predict)(const fd_denoiser *self, int rows, const float *x, int t, float *eps, void *scratch);
    void (*destroy)(fd_denoiser *self);
};
void fd_denoiser_free(fd_denoiser *denoiser); /* NULL ok */

/* The trained network as a denoiser: weights packed once for the kernels in use (they are copied,
 * so `network` and `schedule` may go). max_rows = 64. */
fd_status fd_network_denoiser(const fd_network *network, const fd_schedule *schedule, fd_denoiser **denoiser,
                              fd_error *err);

/* Classifier-free guidance, eq. B.5: eps_hat = (1 - gamma) eps(x, null) + gamma eps(x, c).
 * gamma = 1 is the plain conditional model (and costs one evaluation), gamma = 0 the unconditional;
 * others write w = gamma - 1. `inner` is borrowed and must outlive the result. */
fd_status fd_guided_denoiser(const fd_denoiser *inner, double gamma, fd_denoiser **denoiser, fd_error *err);

typedef enum fd_sampler_kind {
    FD_SAMPLER_DDPM, /* ancestral, eq. A.23; fewer steps than T: betas of the respaced chain */
    FD_SAMPLER_DDIM  /* Song, Meng, Ermon 2021; eta = 0 deterministic, eta = 1 at T steps = DDPM with beta tilde */
} fd_sampler_kind;
typedef enum fd_variance { FD_VARIANCE_BETA, FD_VARIANCE_BETA_TILDE } fd_variance;

typedef struct fd_sampler_spec {
    fd_sampler_kind kind;
    int steps;            /* 1..T evaluations; times tau_i = round(i T / steps), so steps need not divide T */
    double eta;           /* DDIM */
    fd_variance variance; /* DDPM: sigma_t^2 = beta_t or beta_t (1 - abar_{t-1}) / (1 - abar_t) */
} fd_sampler_spec;

/* Coefficients of step i (from tau_i to tau_{i-1}): x' = from_x x + from_eps eps + sigma z. The last step adds
 * no noise. */
typedef struct fd_sampler_step {
    int t, t_next;
    double from_x, from_eps, sigma;
} fd_sampler_step;

typedef struct fd_sampler {
    fd_sampler_spec spec;
    int n_steps;
    fd_sampler_step *table; /* in the order they are taken: t = T first */
} fd_sampler;

/* FD_ERR_CONFIG on steps outside 1..T or eta outside [0, 1]. Free with fd_sampler_free (NULL ok). */
fd_status fd_sampler_create(const fd_sampler_spec *spec, const fd_schedule *schedule, fd_sampler **sampler,
                            fd_error *err);
void fd_sampler_free(fd_sampler *sampler);

/* Bytes of scratch one tile needs (includes the denoiser's). */
size_t fd_sampler_scratch_bytes(const fd_sampler *sampler, const fd_denoiser *denoiser);
/* Generates samples first_item .. first_item + rows - 1 (rows <= denoiser->max_rows) into x (rows, dim), in
 * normalised coordinates. x_T and all noise depend on (seed, item, t) alone, so any tiling and any
 * number of threads gives the same samples. labels as in fd_denoiser.prepare. State is float32. */
void fd_sampler_run(const fd_sampler *sampler, const fd_denoiser *denoiser, uint64_t seed, uint64_t first_item,
                    int rows, const float *labels, int shared_label, float *x, void *scratch);

#endif
