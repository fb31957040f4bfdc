#include "inference/independent.h"

#include <math.h>
#include <string.h>

enum { DRAWS = 16 };

/* Gradients of one draw, each of length 1. */
static void gradients(const fd_model *model, uint64_t draw, double *rows) {
    double theta[FD_MAX_PARAMS];
    fd_rng rng;
    fd_rng_start(&rng, fd_derive_seed(0, "independent labels"), FD_STREAM_PRIOR, draw, 0);
    model->draw_prior(model, &rng, theta);
    model->derivatives(model, 1, theta, NULL, rows);
    for (int l = 0; l < model->n_labels; l++) {
        double *row = rows + l * model->n_params, square = 0;
        for (int i = 0; i < model->n_params; i++) {
            row[i] *= 0.5 * (model->params[i].hi - model->params[i].lo);
            square += row[i] * row[i];
        }
        for (int i = 0; i < model->n_params && square > 0; i++) row[i] /= sqrt(square);
    }
}

static double overlap(int n, const double *a, const double *b) {
    double sum = 0;
    for (int i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

int fd_independent_labels(const fd_model *model, int *pick) {
    int dim = model->n_params, all = model->n_labels, n = 0;
    double rows[DRAWS][FD_MAX_LABELS * FD_MAX_PARAMS];
    for (int d = 0; d < DRAWS; d++) gradients(model, (uint64_t)d, rows[d]);
    for (; n < all; n++) {
        int best = -1;
        double most = 1e-8;
        for (int l = 0; l < all; l++) {
            double least = INFINITY;
            for (int d = 0; d < DRAWS; d++) least = fmin(least, overlap(dim, rows[d] + l * dim, rows[d] + l * dim));
            if (least > most) best = l, most = least;
        }
        if (best < 0) break;
        pick[n] = best;
        for (int d = 0; d < DRAWS; d++) {
            double *pivot = rows[d] + best * dim, square = overlap(dim, pivot, pivot);
            for (int l = 0; l < all; l++) {
                double *row = rows[d] + l * dim, part = overlap(dim, row, pivot) / square;
                for (int i = 0; i < dim && l != best; i++) row[i] -= part * pivot[i];
            }
            memset(pivot, 0, (size_t)dim * sizeof *pivot);
        }
    }
    return n;
}
