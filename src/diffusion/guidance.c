/* Classifier-free guidance, eq. B.5 (Ho and Salimans 2022):
 *
 *   eps_hat(x, c) = (1 - gamma) eps(x, null) + gamma eps(x, c).
 *
 * A denoiser around a denoiser. Its scratch: one header, the inner scratch of the conditional evaluation, that of the
 * unconditional one (each is prepared once and keeps its label), and the second prediction. */
#include <math.h>
#include <stdlib.h>

#include "flavordiff/sampler.h"

typedef struct guided {
    fd_denoiser base;
    const fd_denoiser *inner;
    float gamma;
} guided;

typedef struct header {
    int with_label, without_label; /* which evaluations this tile needs */
} header;

static size_t aligned(size_t bytes) { return (bytes + 63) & ~(size_t)63; }

static void *conditional(void *scratch) { return (char *)scratch + aligned(sizeof(header)); }
static void *unconditional(const guided *g, void *scratch) {
    return (char *)conditional(scratch) + aligned(g->inner->scratch_bytes);
}
static float *second_prediction(const guided *g, void *scratch) {
    return (float *)((char *)unconditional(g, scratch) + aligned(g->inner->scratch_bytes));
}

static void prepare(const fd_denoiser *self, int rows, const float *labels, int shared, void *scratch) {
    const guided *g = (const guided *)self;
    header *tile = scratch;
    /* Without a label both terms are eps(x, null) and the weights add up to one. */
    tile->with_label = labels && g->gamma != 0;
    tile->without_label = !labels || g->gamma != 1;
    if (tile->with_label) g->inner->prepare(g->inner, rows, labels, shared, conditional(scratch));
    if (tile->without_label) g->inner->prepare(g->inner, rows, NULL, 0, unconditional(g, scratch));
}

static void predict(const fd_denoiser *self, int rows, const float *x, int t, float *eps, void *scratch) {
    const guided *g = (const guided *)self;
    const header *tile = scratch;
    if (!tile->with_label) {
        g->inner->predict(g->inner, rows, x, t, eps, unconditional(g, scratch));
        return;
    }
    g->inner->predict(g->inner, rows, x, t, eps, conditional(scratch));
    if (!tile->without_label) return;
    float *null = second_prediction(g, scratch), gamma = g->gamma, rest = 1 - gamma;
    g->inner->predict(g->inner, rows, x, t, null, unconditional(g, scratch));
    size_t n = (size_t)rows * (size_t)self->dim;
    for (size_t j = 0; j < n; j++) eps[j] = rest * null[j] + gamma * eps[j];
}

static void destroy(fd_denoiser *self) { free(self); }

fd_status fd_guided_denoiser(const fd_denoiser *inner, double gamma, fd_denoiser **denoiser, fd_error *err) {
    *denoiser = NULL;
    if (!isfinite(gamma) || !isfinite((float)gamma))
        return fd_fail(err, FD_ERR_CONFIG, "guidance %g: must be a finite number", gamma);
    guided *g = calloc(1, sizeof *g);
    if (!g) return fd_fail(err, FD_ERR_MEMORY, "no memory for a guided denoiser");
    size_t prediction = (size_t)inner->max_rows * (size_t)inner->dim * sizeof(float);
    g->base = (fd_denoiser){.dim = inner->dim,
                            .n_labels = inner->n_labels,
                            .max_rows = inner->max_rows,
                            .scratch_bytes = aligned(sizeof(header)) + 2 * aligned(inner->scratch_bytes) +
                                             aligned(prediction),
                            .prepare = prepare,
                            .predict = predict,
                            .destroy = destroy};
    g->inner = inner;
    g->gamma = (float)gamma;
    *denoiser = &g->base;
    return FD_OK;
}
