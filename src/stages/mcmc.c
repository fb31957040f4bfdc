#include "stages/mcmc.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inference/chains.h"
#include "stages/columns.h"

fd_mcmc_target fd_stage_target(const fd_setting *setting, fd_likelihood likelihood, fd_region *region) {
    fd_judge_region(setting->judge, 1, region);
    return (fd_mcmc_target){setting->model, likelihood == FD_LIKELIHOOD_WINDOW ? region : NULL, setting->judge};
}

/* ---- starts ------------------------------------------------------------------------------------------------------ */

enum { TRIES = 256, STEPS = 100 };

/* Prior draws of chains `open` (n of them) brought onto labels of their own. */
static fd_status try_starts(const fd_setting *s, const fd_projector *projector, const fd_scaler *box,
                            fd_likelihood likelihood, uint64_t seed, uint64_t item, size_t n, const size_t *open,
                            double *theta, float *x, double *labels, uint8_t *converged, fd_error *err) {
    size_t dim = (size_t)s->model->n_params, n_labels = (size_t)s->model->n_labels;
    for (size_t i = 0; i < n; i++) {
        fd_rng prior, label;
        double *row = theta + open[i] * dim;
        fd_rng_start(&prior, seed, FD_STREAM_PRIOR, item + open[i], 0);
        fd_rng_start(&label, seed, FD_STREAM_LABEL, item + open[i], 0);
        s->model->draw_prior(s->model, &prior, row);
        for (size_t j = 0; j < dim; j++) x[i * dim + j] = (float)((row[j] - box->shift[j]) / box->scale[j]);
        if (likelihood == FD_LIKELIHOOD_WINDOW) fd_judge_window_label(s->judge, &label, labels + i * n_labels);
        else fd_judge_gaussian_label(s->judge, &label, labels + i * n_labels);
    }
    fd_status status = fd_project(projector, n, x, labels, converged, err);
    for (size_t i = 0; !status && i < n; i++)
        for (size_t j = 0; j < dim; j++)
            theta[open[i] * dim + j] = box->shift[j] + box->scale[j] * (double)x[i * dim + j];
    return status;
}

fd_status fd_chain_starts(const fd_setting *s, const fd_mcmc *mcmc, fd_likelihood likelihood, uint64_t seed, size_t n,
                          double *theta, fd_error *err) {
    size_t dim = (size_t)s->model->n_params, left = n;
    fd_scaler box = fd_prior_box(s->model);
    fd_projector *projector = NULL;
    fd_project_spec spec;
    fd_project_spec_default(&spec);
    spec.steps = STEPS;
    size_t *open = malloc(n * sizeof *open);
    float *x = malloc(n * dim * sizeof *x);
    double *labels = malloc(n * (size_t)s->model->n_labels * sizeof *labels);
    uint8_t *converged = malloc(n);
    fd_status status = open && x && labels && converged ? fd_projector_create(s->model, &box, &spec, &projector, err)
                                                        : fd_fail(err, FD_ERR_MEMORY, "out of memory");
    for (size_t i = 0; !status && i < n; i++) open[i] = i;
    for (uint64_t k = 0; !status && left > 0 && k < TRIES; k++) {
        size_t still = 0;
        status = try_starts(s, projector, &box, likelihood, seed, k * n, left, open, theta, x, labels, converged, err);
        for (size_t i = 0; !status && i < left; i++)
            if (!converged[i] || !fd_mcmc_holds(mcmc, theta + open[i] * dim)) open[still++] = open[i];
        left = still;
    }
    if (!status && left > 0)
        status = fd_fail(err, FD_ERR_VALUE, "target set %s: %zu of %zu chains found no start in %d prior draws each that were "
                         "moved towards its windows", s->target.name, left, n, TRIES);
    fd_projector_free(projector);
    free(open);
    free(x);
    free(labels);
    free(converged);
    return status;
}

/* ---- convergence ------------------------------------------------------------------------------------------------- */

/* One quantity of all draws, chain after chain; part: 0 its cosine, 1 its sine, -1 itself. */
static void column(size_t chains, size_t draws, const double *rows, size_t width, int part, double *out) {
    for (size_t c = 0; c < chains; c++)
        for (size_t t = 0; t < draws; t++) {
            double value = rows[(t * chains + c) * width];
            out[c * draws + t] = part < 0 ? value : part ? sin(value) : cos(value);
        }
}

static void add_verdict(fd_convergence *all, const fd_chain_verdict *v, const char *name, int part) {
    char text[48];
    snprintf(text, sizeof text, "%s%.40s", part < 0 ? "" : part ? "sin " : "cos ", name);
    if (isnan(v->r_hat)) return;
    if (v->r_hat > all->r_hat) all->r_hat = v->r_hat, memcpy(all->r_hat_name, text, sizeof text);
    if (v->bulk_ess < all->bulk_ess) all->bulk_ess = v->bulk_ess, memcpy(all->bulk_name, text, sizeof text);
    if (v->tail_ess < all->tail_ess) all->tail_ess = v->tail_ess, memcpy(all->tail_name, text, sizeof text);
    if (v->r_hat < FD_R_HAT && v->bulk_ess >= FD_LEAST_ESS && v->tail_ess >= FD_LEAST_ESS) return;
    size_t used = strlen(all->failing);
    all->failed++;
    if (used + strlen(text) + 3 < sizeof all->failing)
        snprintf(all->failing + used, sizeof all->failing - used, "%s%s", used ? ", " : "", text);
}

fd_status fd_convergence_judge(const fd_model *model, size_t chains, size_t draws, const double *theta,
                               fd_convergence *out, fd_error *err) {
    enum { PARTS = 2 * (FD_MAX_PARAMS + FD_MAX_OBSERVABLES) };
    size_t rows = chains * draws, dim = (size_t)model->n_params, width = (size_t)model->n_observables;
    fd_chain_verdict verdicts[PARTS];
    int column_of[PARTS], part_of[PARTS], n = 0, failed = 0;
    double *observables = malloc(rows * width * sizeof *observables);
    *out = (fd_convergence){.bulk_ess = INFINITY, .tail_ess = INFINITY};
    if (!observables) return fd_fail(err, FD_ERR_MEMORY, "out of memory");
    for (int j = 0; j < model->n_params + model->n_observables; j++) {
        bool periodic = fd_quantity_of(model, j).periodic;
        for (int part = periodic ? 0 : -1; part < (periodic ? 2 : 0); part++) column_of[n] = j, part_of[n++] = part;
    }
#pragma omp parallel for schedule(static)
    for (size_t t = 0; t < draws; t++)
        model->forward(model, chains, theta + t * chains * dim, NULL, observables + t * chains * width);
#pragma omp parallel reduction(| : failed)
    {
        double *x = malloc((rows + fd_chains_scratch(chains, draws)) * sizeof *x);
        failed = x == NULL;
#pragma omp for schedule(dynamic, 1)
        for (int q = 0; q < n; q++) {
            bool parameter = column_of[q] < model->n_params;
            if (!x) continue;
            column(chains, draws, parameter ? theta + column_of[q] : observables + column_of[q] - dim,
                   parameter ? dim : width, part_of[q], x);
            verdicts[q] = fd_chains_judge(chains, draws, x, x + rows);
        }
        free(x);
    }
    free(observables);
    if (failed) return fd_fail(err, FD_ERR_MEMORY, "out of memory");
    for (int q = 0; q < n; q++) add_verdict(out, &verdicts[q], fd_quantity_of(model, column_of[q]).name, part_of[q]);
    return FD_OK;
}
