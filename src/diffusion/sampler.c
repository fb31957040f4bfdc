#include "flavordiff/sampler.h"

#include <math.h>
#include <stdlib.h>

#include "diffusion/step_table.h"
#include "flavordiff/rng.h"
#include "kernels/kernels.h"

/* A sampler is one row: how it turns a span of the chain into coefficients. */
static void (*const step_of[])(const fd_sampler_spec *, const fd_span *, fd_sampler_step *) = {
    [FD_SAMPLER_DDPM] = fd_ddpm_step,
    [FD_SAMPLER_DDIM] = fd_ddim_step,
};

static fd_status check_spec(const fd_sampler_spec *spec, int T, fd_error *err) {
    if ((unsigned)spec->kind >= sizeof step_of / sizeof *step_of)
        return fd_fail(err, FD_ERR_CONFIG, "unknown sampler %d: ddpm or ddim", (int)spec->kind);
    if (spec->steps < 1 || spec->steps > T)
        return fd_fail(err, FD_ERR_CONFIG, "sampler steps %d: must be 1 to %d, the steps of the noise schedule",
                       spec->steps, T);
    if (spec->kind == FD_SAMPLER_DDIM && !(spec->eta >= 0 && spec->eta <= 1))
        return fd_fail(err, FD_ERR_CONFIG, "sampler eta %g: must be 0 to 1", spec->eta);
    if (spec->kind == FD_SAMPLER_DDPM && spec->variance != FD_VARIANCE_BETA && spec->variance != FD_VARIANCE_BETA_TILDE)
        return fd_fail(err, FD_ERR_CONFIG, "unknown sampler variance %d: beta or beta_tilde", (int)spec->variance);
    return FD_OK;
}

/* Kept time i of `steps`: round(i T / steps) in integers. Strictly increasing, because T / steps >= 1. */
static int kept_time(int i, int T, int steps) { return (int)((2 * (int64_t)i * T + steps) / (2 * (int64_t)steps)); }

/* 1 - product of (1 - beta_t) over t = from + 1 .. to: a sum of positive terms, so no digit is lost. */
static double noise_between(const fd_schedule *schedule, int from, int to) {
    double noise = 0;
    for (int t = from + 1; t <= to; t++) noise += schedule->beta[t] * (1 - noise);
    return noise;
}

fd_status fd_sampler_create(const fd_sampler_spec *spec, const fd_schedule *schedule, fd_sampler **sampler,
                            fd_error *err) {
    *sampler = NULL;
    int T = schedule->spec.steps;
    fd_status status = check_spec(spec, T, err);
    if (status) return status;
    fd_sampler *s = calloc(1, sizeof *s);
    fd_sampler_step *table = calloc((size_t)spec->steps, sizeof *table);
    if (!s || !table) {
        free(s), free(table);
        return fd_fail(err, FD_ERR_MEMORY, "no memory for a sampler of %d steps", spec->steps);
    }
    s->spec = *spec;
    s->n_steps = spec->steps;
    s->table = table;
    fd_span span = {0};
    for (int i = 1; i <= spec->steps; i++) { /* towards more noise, so that 1 - abar accumulates */
        fd_sampler_step *step = &table[spec->steps - i];
        step->t = kept_time(i, T, spec->steps);
        step->t_next = kept_time(i - 1, T, spec->steps);
        span.beta = noise_between(schedule, step->t_next, step->t);
        span.noise_next = span.noise;
        span.noise = span.noise_next + span.beta * schedule->alpha_bar[step->t_next];
        step_of[spec->kind](spec, &span, step);
    }
    *sampler = s;
    return FD_OK;
}

void fd_sampler_free(fd_sampler *sampler) {
    if (!sampler) return;
    free(sampler->table);
    free(sampler);
}

void fd_denoiser_free(fd_denoiser *denoiser) {
    if (denoiser) denoiser->destroy(denoiser);
}

static size_t aligned(size_t bytes) { return (bytes + 63) & ~(size_t)63; }
static size_t tile_bytes(const fd_denoiser *denoiser) {
    return aligned((size_t)denoiser->max_rows * (size_t)denoiser->dim * sizeof(float));
}

size_t fd_sampler_scratch_bytes(const fd_sampler *sampler, const fd_denoiser *denoiser) {
    (void)sampler; /* every sampler of the table needs eps and z, and no history */
    return aligned(denoiser->scratch_bytes) + 2 * tile_bytes(denoiser);
}

void fd_sampler_run(const fd_sampler *sampler, const fd_denoiser *denoiser, uint64_t seed, uint64_t first_item,
                    int rows, const float *labels, int shared_label, float *x, void *scratch) {
    const fd_kernels *kernels = fd_kernels_get();
    int dim = denoiser->dim;
    size_t n = (size_t)rows * (size_t)dim;
    char *block = (char *)scratch + aligned(denoiser->scratch_bytes);
    float *eps = (float *)block, *z = (float *)(block + tile_bytes(denoiser));
    uint32_t latent[2], reverse[2];
    fd_rng_key(seed, FD_STREAM_LATENT, latent);
    fd_rng_key(seed, FD_STREAM_REVERSE, reverse);

    kernels->normals(latent, first_item, 0, rows, dim, x, dim);
    denoiser->prepare(denoiser, rows, labels, shared_label, scratch);
    for (int i = 0; i < sampler->n_steps; i++) {
        const fd_sampler_step *step = &sampler->table[i];
        float from_x = (float)step->from_x, from_eps = (float)step->from_eps, sigma = (float)step->sigma;
        denoiser->predict(denoiser, rows, x, step->t, eps, scratch);
        if (step->sigma > 0) {
            kernels->normals(reverse, first_item, (uint32_t)step->t, rows, dim, z, dim);
            for (size_t j = 0; j < n; j++) x[j] = from_x * x[j] + from_eps * eps[j] + sigma * z[j];
        } else {
            for (size_t j = 0; j < n; j++) x[j] = from_x * x[j] + from_eps * eps[j];
        }
    }
}
