/* Classifier two-sample test (Lopez-Paz and Oquab 2017): can a small network learn to tell the rows of two sets apart? If not, what
 * it gets right of rows it has not seen is one half; all correlations count, not one quantity at a time.
 *
 * The accuracy is cross-validated: each of `folds` parts is judged by a network trained on the others. Judged rows are not
 * independent then (they train each other's judges), so no binomial law holds, and the null is made: the labels are dealt anew
 * among all rows, and everything is done again, training included, `permutations` times. Under the null the true labels are one
 * dealing among equals. Few dealings give mean and deviation of a normal law (an accuracy is a mean over thousands of rows), and
 * with mean a and deviation s of P of them
 *
 *     T = (accuracy - a) / (s sqrt(1 + 1/P))   is Student's t of P - 1 degrees. */
#ifndef FLAVORDIFF_C2ST_H
#define FLAVORDIFF_C2ST_H

#include <stddef.h>
#include <stdint.h>

#include "flavordiff/api.h"
#include "flavordiff/status.h"

FD_DECLS_BEGIN

typedef struct fd_c2st_spec {
    size_t most;      /* rows of each set at most, the first ones; both give as many as the smaller has */
    int permutations; /* >= 2 */
    uint64_t seed;
} fd_c2st_spec;

typedef struct fd_c2st {
    size_t rows; /* of each set */
    int permutations, exceeding; /* dealings with an accuracy at least as large */
    double accuracy;
    double null_mean, null_deviation, null99; /* null99: exceeded by chance in 1 % of cases */
    double tail; /* chance of a larger accuracy */
} fd_c2st;

enum { FD_C2ST_FOLDS = 5, FD_C2ST_LEAST = 10 * FD_C2ST_FOLDS };

/* x (n, d), y (m, d): finite, 1 <= d <= FD_MAX_WIDTH; standardised here by mean and deviation of both. Needs FD_C2ST_LEAST rows of
 * each (FD_ERR_EMPTY). The result depends on the rows and the seed, not on threads; runs threads of its own. */
fd_status fd_c2st_run(size_t n, size_t m, int d, const double *x, const double *y, const fd_c2st_spec *spec, fd_c2st *result,
                      fd_error *err);

FD_DECLS_END

#endif
