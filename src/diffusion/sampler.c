#include "flavordiff/sampler.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "diffusion/step_table.h"
#include "flavordiff/rng.h"
#include "kernels/kernels.h"

/* Below this signal sqrt(abar_T) a level of noise is no number that float32 could do anything with. */
static const double least_signal = 1e-12;

/* ---- how a step is taken ------------------------------------------------------------------------------------------ */

/* What one tile works with while it is generated. */
typedef struct tile {
    const fd_sampler *sampler;
    const fd_denoiser *denoiser;
    int rows;
    size_t n; /* rows * dim */
    void *scratch;
    uint64_t first_item;
    uint32_t reverse[2]; /* key of the noise of reverse steps */
    float *x, *eps, *z;
    float *past; /* multistep: x0 of the step before; Heun: the Euler step */
} tile;

/* x (rows, n_bounds) into the box. */
static void clamp(const fd_sampler *sampler, int rows, float *x) {
    int dim = sampler->n_bounds;
    const float *lo = sampler->lo, *hi = sampler->hi;
    for (int i = 0; i < rows; i++, x += dim)
        for (int j = 0; j < dim; j++) {
            float inside = x[j] < lo[j] ? lo[j] : x[j];
            x[j] = inside > hi[j] ? hi[j] : inside;
        }
}

/* x0 = (x - spread eps) / signal, clamped; eps moves by what x0 moved, (x0 - clamped) / s, and by nothing inside the
 * box. */
static void clip_prediction(const fd_sampler *sampler, const fd_sampler_step *step, int rows, const float *x,
                            float *eps) {
    int dim = sampler->n_bounds;
    const float *lo = sampler->lo, *hi = sampler->hi;
    float from_x = (float)(1 / step->signal), from_eps = (float)(-step->spread / step->signal);
    float back = (float)(step->signal / step->spread);
    for (int i = 0; i < rows; i++, x += dim, eps += dim)
        for (int j = 0; j < dim; j++) {
            float x0 = from_x * x[j] + from_eps * eps[j];
            float inside = x0 < lo[j] ? lo[j] : x0;
            inside = inside > hi[j] ? hi[j] : inside;
            eps[j] += back * (x0 - inside);
        }
}

static void draw_noise(const tile *k, const fd_sampler_step *step) {
    int dim = k->denoiser->dim;
    fd_kernels_get()->normals(k->reverse, k->first_item, (uint32_t)step->t, k->rows, dim, k->z, dim);
}

/* ddpm, ddim. */
static void take_single(const tile *k, const fd_sampler_step *step) {
    float from_x = (float)step->from_x, from_eps = (float)step->from_eps, sigma = (float)step->sigma;
    float *x = k->x, *eps = k->eps, *z = k->z;
    if (step->sigma > 0) {
        draw_noise(k, step);
        for (size_t j = 0; j < k->n; j++) x[j] = from_x * x[j] + from_eps * eps[j] + sigma * z[j];
    } else {
        for (size_t j = 0; j < k->n; j++) x[j] = from_x * x[j] + from_eps * eps[j];
    }
}

static void take_multistep(const tile *k, const fd_sampler_step *step) {
    float from_x = (float)step->from_x, from_x0 = (float)step->from_x0, from_past = (float)step->from_past;
    float clean_x = (float)(1 / step->signal), clean_eps = (float)(-step->spread / step->signal);
    float sigma = (float)step->sigma, *x = k->x, *eps = k->eps, *past = k->past, *z = k->z;
    for (size_t j = 0; j < k->n; j++) {
        float x0 = clean_x * x[j] + clean_eps * eps[j];
        x[j] = from_x * x[j] + from_x0 * x0 + from_past * past[j];
        past[j] = x0;
    }
    if (!(step->sigma > 0)) return;
    draw_noise(k, step);
    for (size_t j = 0; j < k->n; j++) x[j] += sigma * z[j];
}

static void predict(const tile *k, const fd_sampler_step *at, const float *x, float *eps) {
    k->denoiser->predict(k->denoiser, k->rows, x, at->t, eps, k->scratch);
    if (k->sampler->n_bounds) clip_prediction(k->sampler, at, k->rows, x, eps);
}

static void take_heun(const tile *k, const fd_sampler_step *step) {
    float from_x = (float)step->from_x, from_eps = (float)step->from_eps, half = 0.5f * from_eps;
    float *x = k->x, *eps = k->eps, *euler = k->past, *second = k->z;
    if (step->t_next == 0) {
        for (size_t j = 0; j < k->n; j++) x[j] = from_x * x[j] + from_eps * eps[j];
        return;
    }
    for (size_t j = 0; j < k->n; j++) euler[j] = from_x * x[j] + from_eps * eps[j];
    predict(k, step + 1, euler, second); /* the next step of the table begins where this one ends */
    for (size_t j = 0; j < k->n; j++) x[j] = from_x * x[j] + half * (eps[j] + second[j]);
}

/* A sampler is one row: how it turns a span of the chain into coefficients, and takes a step with them. */
static const struct {
    void (*fill)(const fd_sampler_spec *, const fd_span *, fd_sampler_step *);
    void (*take)(const tile *, const fd_sampler_step *);
    int buffers;       /* of a tile's size: eps, z, and what it remembers */
    bool wants_levels; /* works with s_t */
    bool wants_eta;
} rows_of[] = {
    [FD_SAMPLER_DDPM] = {fd_ddpm_step, take_single, 2, false, false},
    [FD_SAMPLER_DDIM] = {fd_ddim_step, take_single, 2, false, true},
    [FD_SAMPLER_DPMPP_2M] = {fd_dpmpp_step, take_multistep, 3, true, false},
    [FD_SAMPLER_DPMPP_2M_SDE] = {fd_dpmpp_step, take_multistep, 3, true, true},
    [FD_SAMPLER_HEUN] = {fd_heun_step, take_heun, 3, true, false},
};

/* ---- construction ------------------------------------------------------------------------------------------------- */

static fd_status check_signal(double alpha_bar, fd_error *err) {
    if (sqrt(alpha_bar) >= least_signal) return FD_OK;
    return fd_fail(
        err, FD_ERR_CONFIG,
        "the noise schedule leaves nothing of the signal at t = T (alpha_bar = %g), where this sampler, time grid "
        "or clipping needs some; lower diffusion.beta_max or diffusion.steps",
        alpha_bar);
}

static fd_status check_spec(const fd_sampler_spec *spec, const fd_schedule *schedule, fd_error *err) {
    int T = schedule->spec.steps;
    if ((unsigned)spec->kind >= sizeof rows_of / sizeof *rows_of)
        return fd_fail(err, FD_ERR_CONFIG, "unknown sampler %d: ddpm, ddim, dpmpp_2m, dpmpp_2m_sde or heun",
                       (int)spec->kind);
    if (spec->steps < 1 || spec->steps > T)
        return fd_fail(err, FD_ERR_CONFIG, "sampler steps %d: must be 1 to %d, the steps of the noise schedule",
                       spec->steps, T);
    if (rows_of[spec->kind].wants_eta && !(spec->eta >= 0 && spec->eta <= 1))
        return fd_fail(err, FD_ERR_CONFIG, "sampler eta %g: must be 0 to 1", spec->eta);
    if (spec->kind == FD_SAMPLER_DDPM && spec->variance != FD_VARIANCE_BETA && spec->variance != FD_VARIANCE_BETA_TILDE)
        return fd_fail(err, FD_ERR_CONFIG, "unknown sampler variance %d: beta or beta_tilde", (int)spec->variance);
    if ((unsigned)spec->grid > FD_GRID_KARRAS)
        return fd_fail(err, FD_ERR_CONFIG, "unknown sampler grid %d: uniform_t, log_snr or karras", (int)spec->grid);
    if (spec->grid == FD_GRID_KARRAS && !(spec->rho > 0 && isfinite(spec->rho)))
        return fd_fail(err, FD_ERR_CONFIG, "sampler rho %g: must be more than 0", spec->rho);
    if (spec->grid != FD_GRID_UNIFORM_T || rows_of[spec->kind].wants_levels)
        return check_signal(schedule->alpha_bar[T], err);
    return FD_OK;
}

/* 1 - product of (1 - beta_t) over t = from + 1 .. to: a sum of positive terms, so no digit is lost. */
static double noise_between(const fd_schedule *schedule, int from, int to) {
    double noise = 0;
    for (int t = from + 1; t <= to; t++) noise += schedule->beta[t] * (1 - noise);
    return noise;
}

/* Fills the table from the kept times tau[0..steps]. */
static void fill_table(fd_sampler *s, const fd_schedule *schedule, const int *tau) {
    fd_span span = {0};
    for (int i = 1; i <= s->n_steps; i++) { /* towards more noise, so that 1 - abar accumulates */
        fd_sampler_step *step = &s->table[s->n_steps - i];
        step->t = tau[i];
        step->t_next = tau[i - 1];
        span.beta = noise_between(schedule, step->t_next, step->t);
        span.noise_next = span.noise;
        span.noise = span.noise_next + span.beta * schedule->alpha_bar[step->t_next];
        span.s = fd_schedule_s(schedule, step->t);
        span.s_next = fd_schedule_s(schedule, step->t_next);
        span.s_before = i < s->n_steps ? fd_schedule_s(schedule, tau[i + 1]) : 0;
        step->signal = sqrt(schedule->alpha_bar[step->t]);
        step->spread = sqrt(schedule->noise[step->t]);
        rows_of[s->spec.kind].fill(&s->spec, &span, step);
    }
}

fd_status fd_sampler_create(const fd_sampler_spec *spec, const fd_schedule *schedule, fd_sampler **sampler,
                            fd_error *err) {
    *sampler = NULL;
    fd_status status = check_spec(spec, schedule, err);
    if (status) return status;
    fd_sampler *s = calloc(1, sizeof *s);
    fd_sampler_step *table = calloc((size_t)spec->steps, sizeof *table);
    int *tau = calloc((size_t)spec->steps + 1, sizeof *tau);
    if (!s || !table || !tau) {
        free(s), free(table), free(tau);
        return fd_fail(err, FD_ERR_MEMORY, "no memory for a sampler of %d steps", spec->steps);
    }
    s->spec = *spec;
    s->n_steps = spec->steps;
    s->evaluations = spec->kind == FD_SAMPLER_HEUN ? 2 * spec->steps - 1 : spec->steps;
    s->table = table;
    fd_grid_times(spec, schedule, tau);
    fill_table(s, schedule, tau);
    free(tau);
    *sampler = s;
    return FD_OK;
}

fd_status fd_sampler_clip(fd_sampler *sampler, int dim, const float *lo, const float *hi, fd_error *err) {
    for (int j = 0; j < dim; j++)
        if (!(lo[j] < hi[j]))
            return fd_fail(err, FD_ERR_VALUE, "clipping to [%g, %g] in component %d: the first must be the smaller",
                           (double)lo[j], (double)hi[j], j);
    double signal = sampler->table[0].signal;
    fd_status status = check_signal(signal * signal, err);
    if (status) return status;
    float *bounds = malloc(2 * (size_t)dim * sizeof *bounds);
    if (!bounds) return fd_fail(err, FD_ERR_MEMORY, "no memory for the bounds of %d components", dim);
    memcpy(bounds, lo, (size_t)dim * sizeof *lo);
    memcpy(bounds + dim, hi, (size_t)dim * sizeof *hi);
    free(sampler->lo);
    sampler->n_bounds = dim;
    sampler->lo = bounds;
    sampler->hi = bounds + dim;
    return FD_OK;
}

void fd_sampler_free(fd_sampler *sampler) {
    if (!sampler) return;
    free(sampler->lo); /* hi is the second half of the same block */
    free(sampler->table);
    free(sampler);
}

void fd_denoiser_free(fd_denoiser *denoiser) {
    if (denoiser) denoiser->destroy(denoiser);
}

/* ---- generation --------------------------------------------------------------------------------------------------- */

static size_t aligned(size_t bytes) { return (bytes + 63) & ~(size_t)63; }
static size_t tile_bytes(const fd_denoiser *denoiser) {
    return aligned((size_t)denoiser->max_rows * (size_t)denoiser->dim * sizeof(float));
}

size_t fd_sampler_scratch_bytes(const fd_sampler *sampler, const fd_denoiser *denoiser) {
    return aligned(denoiser->scratch_bytes) + (size_t)rows_of[sampler->spec.kind].buffers * tile_bytes(denoiser);
}

void fd_sampler_run(const fd_sampler *sampler, const fd_denoiser *denoiser, uint64_t seed, uint64_t first_item,
                    int rows, const float *labels, int shared_label, float *x, void *scratch) {
    int dim = denoiser->dim;
    char *block = (char *)scratch + aligned(denoiser->scratch_bytes);
    size_t room = tile_bytes(denoiser);
    tile k = {.sampler = sampler,
              .denoiser = denoiser,
              .rows = rows,
              .n = (size_t)rows * (size_t)dim,
              .scratch = scratch,
              .first_item = first_item,
              .x = x,
              .eps = (float *)block,
              .z = (float *)(block + room)};
    uint32_t latent[2];
    fd_rng_key(seed, FD_STREAM_LATENT, latent);
    fd_rng_key(seed, FD_STREAM_REVERSE, k.reverse);
    if (rows_of[sampler->spec.kind].buffers > 2) {
        k.past = (float *)(block + 2 * room);
        memset(k.past, 0, k.n * sizeof *k.past); /* its first factor is 0, and 0 times what lies there may be NaN */
    }
    fd_kernels_get()->normals(latent, first_item, 0, rows, dim, x, dim);
    denoiser->prepare(denoiser, rows, labels, shared_label, scratch);
    for (int i = 0; i < sampler->n_steps; i++) {
        const fd_sampler_step *step = &sampler->table[i];
        predict(&k, step, x, k.eps);
        rows_of[sampler->spec.kind].take(&k, step);
    }
    if (sampler->n_bounds) clamp(sampler, rows, x); /* what rounding of the last step, x' = x0, left outside */
}
