/* Are two sets of numbers draws from one distribution? Distances of their empirical distribution functions F and G,
 *
 *     Kolmogorov-Smirnov  D = sup |F - G|,      Kuiper  V = sup (F - G) + sup (G - F),
 *
 * and how far apart two sets of n and m draws from one continuous distribution come. With lambda = D sqrt(n m / (n + m)),
 * for large n and m (and on the safe side for small ones and for ties):
 *
 *     P(D) = 2 sum_j (-1)^(j-1) exp(-2 j^2 lambda^2),   P(V) = 2 sum_j (4 j^2 lambda^2 - 1) exp(-2 j^2 lambda^2).
 *
 * V does not depend on where a circle is cut: the right one for angles. */
#ifndef FLAVORDIFF_INFERENCE_TWO_SAMPLE_H
#define FLAVORDIFF_INFERENCE_TWO_SAMPLE_H

#include <stddef.h>

typedef struct fd_two_sample {
    double ks, kuiper;         /* D and V; NaN when a set is empty */
    double ks_tail, kuiper_tail; /* probability of a larger one by chance */
} fd_two_sample;

/* x (n) and y (m) ascending, without NaN; ties within and between them are allowed. */
fd_two_sample fd_compare_sorted(size_t n, const double *x, size_t m, const double *y);

/* P of the sums above at lambda, in [0, 1]. */
double fd_kolmogorov_tail(double lambda);
double fd_kuiper_tail(double lambda);
/* D and V that two sets of n and m exceed by chance with probability `tail` (0.01: the 99 % null). */
double fd_ks_null(size_t n, size_t m, double tail);
double fd_kuiper_null(size_t n, size_t m, double tail);

#endif
