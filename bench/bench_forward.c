/* Points per second of the forward map on one core: labels, labels and observables, derivatives. Prints the
 * best and the median of several repetitions. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "flavordiff/model.h"

enum { N = 20000, REPETITIONS = 15 };

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

typedef enum what { LABELS, OBSERVABLES, DERIVATIVES } what;

static void measure(const char *name, what w, const fd_model *model, const double *theta, double *labels, double *out) {
    double seconds[REPETITIONS];
    for (int r = -1; r < REPETITIONS; r++) { /* the first one warms up */
        double start = now();
        if (w == DERIVATIVES)
            model->derivatives(model, N, theta, labels, out);
        else
            model->forward(model, N, theta, labels, w == OBSERVABLES ? out : NULL);
        if (r >= 0) seconds[r] = now() - start;
    }
    qsort(seconds, REPETITIONS, sizeof *seconds, ascending);
    printf("%-24s %10.3g /s best %10.3g /s median\n", name, N / seconds[0], N / seconds[REPETITIONS / 2]);
}

int main(void) {
    fd_model_options options;
    fd_model *model = NULL;
    fd_error err;
    fd_model_options_default(&options);
    if (fd_model_create(&options, &model, &err)) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    size_t n_params = (size_t)model->n_params, n_labels = (size_t)model->n_labels;
    double *theta = malloc(N * n_params * sizeof *theta), *labels = malloc(N * n_labels * sizeof *labels);
    double *out = malloc(N * n_labels * n_params * sizeof *out);
    if (theta && labels && out) {
        for (size_t i = 0; i < N; i++) {
            fd_rng rng;
            fd_rng_start(&rng, 1, FD_STREAM_PRIOR, i, 0);
            model->draw_prior(model, &rng, theta + i * n_params);
        }
        measure("labels", LABELS, model, theta, labels, out);
        measure("labels and observables", OBSERVABLES, model, theta, labels, out);
        measure("labels and derivatives", DERIVATIVES, model, theta, labels, out);
    }
    free(theta);
    free(labels);
    free(out);
    fd_model_free(model);
    return 0;
}
