/* An informant in the place of one that asks a model: every output is a formula of its inputs that a test can repeat.
 */
#ifndef FD_TESTS_FAKE_INFORMANT_H
#define FD_TESTS_FAKE_INFORMANT_H

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "flavordiff/informant.h"

/* Feature q and component j of the guess for one row; different in every argument. */
static inline double fake_feature(int q, const float *x, int t, const float *labels, bool given) {
    return 0.3 * (q + 1) * x[0] - 0.001 * t + (given ? 0.7 * labels[0] : -0.2);
}

static inline double fake_guess(int j, const float *x, int t, const float *labels, bool given) {
    return 0.5 * x[j] + 0.002 * t + (given ? 0.1 * (j + 1) * labels[0] : 0.4);
}

static inline double fake_c(int t) { return 0.5 + 0.01 * t; }

static inline void fake_inform(const fd_informant *self, int rows, const float *x, const int *t, const float *labels,
                               const uint8_t *given, float *features, ptrdiff_t feature_row, float *guess,
                               void *scratch) {
    *(char *)scratch = 1; /* it is there */
    for (int i = 0; i < rows; i++, x += self->dim, labels += self->n_labels) {
        for (int q = 0; q < self->n_features; q++)
            features[i * feature_row + q] = (float)fake_feature(q, x, t[i], labels, given[i]);
        for (int j = 0; j < self->dim; j++) guess[i * self->dim + j] = (float)fake_guess(j, x, t[i], labels, given[i]);
    }
}

static inline void fake_destroy(fd_informant *self) { free(self->c); }

/* For times up to `steps`; freed with fd_informant_free. */
static inline fd_informant make_fake_informant(int dim, int n_labels, int n_features, int max_rows, int steps) {
    fd_informant fake = {.dim = dim,
                         .n_labels = n_labels,
                         .n_features = n_features,
                         .max_rows = max_rows,
                         .scratch_bytes = 64,
                         .c = calloc((size_t)steps + 1, sizeof(double)),
                         .inform = fake_inform,
                         .destroy = fake_destroy};
    for (int t = 1; t <= steps; t++) fake.c[t] = fake_c(t);
    return fake;
}

#endif
