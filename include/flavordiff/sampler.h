/* Reverse processes. A sampler is a function of a denoiser (function pointers), a schedule and a random
 * stream; it knows nothing of networks or models. Guidance wraps a denoiser and is one. */
#ifndef FLAVORDIFF_SAMPLER_H
#define FLAVORDIFF_SAMPLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flavordiff/api.h"
#include "flavordiff/network.h"
#include "flavordiff/schedule.h"

FD_DECLS_BEGIN

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
 * so `network` and `schedule` may go). max_rows = 64. `precision` is what weights and activations are rounded to. Sums, labels, time,
 * what the denoiser returns, and the state x_t are float32 in both; with FD_BF16 steps take turns between a weight's two neighbours, so
 * that its mean over steps is nearer than either. */
fd_status fd_network_denoiser(const fd_network *network, const fd_schedule *schedule, fd_precision precision,
                              fd_denoiser **denoiser, fd_error *err);

/* Classifier-free guidance, eq. B.5: eps_hat = (1 - gamma) eps(x, null) + gamma eps(x, c).
 * gamma = 1 is the plain conditional model (and costs one evaluation), gamma = 0 the unconditional;
 * others write w = gamma - 1. `inner` is borrowed and must outlive the result. */
fd_status fd_guided_denoiser(const fd_denoiser *inner, double gamma, fd_denoiser **denoiser, fd_error *err);

/* Limits the guidance of a denoiser made by fd_guided_denoiser to times whose noise level s_t is in [s_min, s_max]
 * (Kynkaanniemi et al. 2024); at others it is the plain conditional model, for one evaluation. FD_ERR_CONFIG unless
 * 0 <= s_min <= s_max; s_max may be infinite. An interval with no time in it is no guidance. To be called before threads
 * share the denoiser. */
fd_status fd_guidance_between(fd_denoiser *guided, const fd_schedule *schedule, double s_min, double s_max, fd_error *err);

typedef enum fd_sampler_kind {
    FD_SAMPLER_DDPM, /* ancestral, eq. A.23; fewer steps than T: betas of the respaced chain */
    FD_SAMPLER_DDIM, /* Song, Meng, Ermon 2021; eta = 0 deterministic, eta = 1 at T steps = DDPM with beta tilde */
    FD_SAMPLER_DPMPP_2M,     /* DPM-Solver++(2M), Lu et al. 2022: second order, deterministic, one evaluation a step */
    FD_SAMPLER_DPMPP_2M_SDE, /* the same with noise put back: eta = 1 the reverse SDE, eta = 0 is dpmpp_2m */
    FD_SAMPLER_HEUN          /* Karras et al. 2022, algorithm 1: second order, deterministic, two evaluations a step */
} fd_sampler_kind;
typedef enum fd_variance { FD_VARIANCE_BETA, FD_VARIANCE_BETA_TILDE } fd_variance;

/* Which times of the schedule are kept: tau_1 < ... < tau_steps = T, and a last step from tau_1 to 0. */
typedef enum fd_grid {
    FD_GRID_UNIFORM_T, /* tau_i = round(i T / steps) */
    FD_GRID_LOG_SNR,   /* log s uniform between s_1 and s_T: tau_1 = 1 */
    FD_GRID_KARRAS     /* s^(1/rho) uniform between s_1 and s_T: tau_1 = 1; large rho: as log_snr */
} fd_grid;

typedef struct fd_sampler_spec {
    fd_sampler_kind kind;
    int steps;            /* 1..T; need not divide T. Evaluations: one a step, Heun two but for the last */
    double eta;           /* DDIM, DPM-Solver++ SDE: share of the noise that is drawn anew, 0 to 1 */
    fd_variance variance; /* DDPM: sigma_t^2 = beta_t or beta_t (1 - abar_{t-1}) / (1 - abar_t) */
    fd_grid grid;
    double rho;           /* Karras grid: more than 0; 7 */
    bool clip;            /* for who owns the bounds: asks for fd_sampler_clip */
} fd_sampler_spec;

/* Coefficients of one step, from time t to t_next < t (0 on the last). What a kind does not use is 0.
 *   ddpm, ddim   x' = from_x x + from_eps eps + sigma z
 *   dpmpp        x' = from_x x + from_x0 x0 + from_past x0_before + sigma z
 *   heun         x1 = from_x x + from_eps eps,  x' = from_x x + from_eps (eps + eps(x1, t_next)) / 2;  x' = x1 on the last
 * with x0 = (x - spread eps) / signal, the clean point that eps implies. The last step is x' = x0 and adds no noise. */
typedef struct fd_sampler_step {
    int t, t_next;
    double from_x, from_eps, sigma;
    double from_x0, from_past;
    double signal, spread; /* sqrt(abar_t), sqrt(1 - abar_t) */
} fd_sampler_step;

typedef struct fd_sampler {
    fd_sampler_spec spec;
    int n_steps;
    int evaluations;        /* of the denoiser, for one sample; guidance may take two networks for one of them */
    fd_sampler_step *table; /* in the order they are taken: t = T first */
    int n_bounds;           /* components that have bounds, or 0: no clipping */
    float *lo, *hi;         /* (n_bounds) */
} fd_sampler;

/* FD_ERR_CONFIG on steps outside 1..T, eta outside [0, 1], rho not positive, an unknown kind or grid, or a schedule that
 * leaves no signal at T where levels of noise are needed (grids other than uniform_t, dpmpp, heun). Free with
 * fd_sampler_free (NULL ok). */
fd_status fd_sampler_create(const fd_sampler_spec *spec, const fd_schedule *schedule, fd_sampler **sampler,
                            fd_error *err);
void fd_sampler_free(fd_sampler *sampler);
/* Evaluations of the inner denoiser that one sample with a label takes: the sampler's, and those that guidance adds. */
long fd_guided_evaluations(const fd_denoiser *guided, const fd_sampler *sampler);

/* Keeps the clean point inside a box: after every prediction x0 is clamped to [lo, hi] component by component and
 * eps = (x - signal x0) / spread taken from it. lo, hi (dim), normalised coordinates, copied; infinite: that component
 * is free. The samples themselves lie in the box to the last bit. FD_ERR_VALUE when some lo < hi does not hold,
 * FD_ERR_CONFIG when the schedule leaves no signal at T. To be called before the sampler is shared by threads. */
fd_status fd_sampler_clip(fd_sampler *sampler, int dim, const float *lo, const float *hi, fd_error *err);

/* Bytes of scratch one tile needs (includes the denoiser's). */
size_t fd_sampler_scratch_bytes(const fd_sampler *sampler, const fd_denoiser *denoiser);
/* Generates samples first_item .. first_item + rows - 1 (rows <= denoiser->max_rows) into x (rows, dim), in
 * normalised coordinates. x_T and all noise depend on (seed, item, t) alone, so any tiling and any
 * number of threads gives the same samples. labels as in fd_denoiser.prepare. State is float32. */
void fd_sampler_run(const fd_sampler *sampler, const fd_denoiser *denoiser, uint64_t seed, uint64_t first_item,
                    int rows, const float *labels, int shared_label, float *x, void *scratch);

FD_DECLS_END

#endif
