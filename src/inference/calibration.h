/* Is a sampler of p(x | label) calibrated over many labels? Draw (x*, label) from any joint law with that conditional, then m
 * samples at the label. If they follow p(x | label), the truth x* is one more of them:
 *
 *   simulation-based calibration (Talts et al. 2018): the rank of f(x*) among f(x_1) .. f(x_m) is uniform on 0..m for every
 *   function f, each parameter and observable for instance;
 *   TARP (Lemos et al. 2023): so it is for f(x) = |x - z|, the distance from a point z that may depend on the label but not on
 *   x*. rank/m is the credibility of the region around z that just holds the truth; the fraction of truths inside regions of
 *   credibility c is the expected coverage, which must be c.
 *
 * The test of uniformity is exact. With R_j = #{rank < j}, j = 1..m, of n ranks, R_j ~ Bin(n, j/(m+1)) and
 *
 *   R_{j+1} - R_j | R_j ~ Bin(n - R_j, 1/(m + 1 - j)),
 *
 * a Markov chain. The statistic is the smallest two-sided tail g = min_j 2 min(P(Bin <= R_j), P(Bin >= R_j)); recursion over j
 * gives its law, hence a p-value and the band that all R_j keep to with a given probability (Saeilynoja, Buerkner, Vehtari
 * 2022, algorithm 1). A curve leaves the band exactly when its p-value is at most 1 - that probability. */
#ifndef FLAVORDIFF_INFERENCE_CALIBRATION_H
#define FLAVORDIFF_INFERENCE_CALIBRATION_H

#include <stddef.h>
#include <stdint.h>

#include "flavordiff/rng.h"
#include "flavordiff/status.h"

/* ---- ranks ------------------------------------------------------------------------------------------------------ */

/* Values of x[0], x[stride] .. (m of them) below truth, and of those equal to it a random number from 0 to all: uniform for
 * whole numbers too. NaN counts as above. */
uint32_t fd_rank(size_t m, const double *x, size_t stride, double truth, fd_rng *rng);

/* |x - z| in `dim` components; period[j] > 0: component j is a circle of that length. */
double fd_wrapped_distance(int dim, const double *x, const double *z, const double *period);

typedef struct fd_rank_verdict {
    double p_value;
    double deviation; /* largest |R_j / n - j/(m+1)| */
    double mean;      /* of (rank + 1/2)/(m + 1): 1/2; more: the samples are too low */
    double width;     /* variance of it over that of uniform ranks: 1; more: the samples are too narrow */
    double mean_pull, width_pull; /* both in their standard deviations */
} fd_rank_verdict;

/* Tables for n ranks on 0..m; n, m >= 1. FD_ERR_MEMORY. Has scratch of its own: one thread at a time. */
typedef struct fd_rank_test fd_rank_test;
fd_status fd_rank_test_create(size_t n, size_t m, fd_rank_test **test, fd_error *err);
void fd_rank_test_free(fd_rank_test *test); /* NULL ok */
/* Verdict on `ranks` (n), each at most m; difference (m), or NULL, receives R_j / n - j/(m+1). */
fd_rank_verdict fd_rank_judge(fd_rank_test *test, const uint32_t *ranks, double *difference);
/* The band that R_j / n - j/(m+1), j = 1..m, of uniform ranks keeps to, ends included, with probability at least 1 - tail:
 * lo, hi (m). */
void fd_rank_band(fd_rank_test *test, double tail, double *lo, double *hi);

/* ---- a whole calibration ---------------------------------------------------------------------------------------- */

/* Something to calibrate: truths and what a sampler says of them. */
typedef struct fd_calibration_source fd_calibration_source;
struct fd_calibration_source {
    int n_quantities, dim;
    const double *period; /* (dim), 0: no circle */
    /* Truths first .. first + n - 1, each with `each` samples at its own label: quantities truth (n, n_quantities) and samples
     * (n, each, n_quantities); coordinates truth_x (n, dim), samples_x (n, each, dim); a point z for each truth,
     * z (n, dim). A function of the indices alone. */
    fd_status (*draw)(const fd_calibration_source *self, uint64_t first, size_t n, size_t each, double *truth, double *truth_x,
                      double *samples, double *samples_x, double *z, fd_error *err);
};

/* Rows of ranks after the quantities: distance from z, and from one more sample at the same label. */
enum { FD_CALIBRATION_SAMPLES = 1023 }; /* most of m */
enum { FD_TARP_GIVEN, FD_TARP_OWN, FD_TARP_ROWS };

typedef struct fd_calibration {
    size_t n, m;
    int n_rows;                /* n_quantities + FD_TARP_ROWS */
    uint32_t *ranks;           /* (n_rows, n) */
    double *difference;        /* (n_rows, m): R_j / n - j/(m+1) */
    fd_rank_verdict *verdicts; /* (n_rows) */
    double *lo, *hi;           /* (m): the band */
} fd_calibration;

/* n truths with m samples each, in blocks of `block` truths; band and verdicts at `tail`. before (may be NULL) may fill the ranks of
 * the first *done truths, which are then not drawn; after (may be NULL) is told the truths done after every block and may stop the
 * work. Freed with fd_calibration_free (zeroed: ok); empty on failure. */
typedef struct fd_calibration_spec {
    size_t n, m, block;
    uint64_t seed; /* of ties */
    double tail;
    fd_status (*before)(void *user, fd_calibration *calibration, size_t *done, fd_error *err);
    fd_status (*after)(void *user, const fd_calibration *calibration, size_t done, fd_error *err);
    void *user;
} fd_calibration_spec;
fd_status fd_calibrate(const fd_calibration_source *source, const fd_calibration_spec *spec, fd_calibration *out,
                       fd_error *err);
void fd_calibration_free(fd_calibration *calibration);

#endif
