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

/* Jensen-Shannon divergence in bits between the laws of x and y, each with weight 1/2: the mutual information of a value and of
 * which law it came from,
 *
 *     JS = sum_b [ p_b log2(2 p_b / (p_b + q_b)) + q_b log2(2 q_b / (p_b + q_b)) ] / 2,   0 same, 1 disjoint,
 *
 * over up to 64 bins of equal content of the mixture (fewer below 1,280 values a set), less what chance alone adds (Miller 1955:
 * (joint cells - bins - 1)(1/n + 1/m)/(8 ln 2)), inside [0, 1]. Bins hide structure finer than 1/64 of the mixture; an upper
 * bound is not claimed. x (n) and y (m) ascending, without NaN, ties allowed. NaN when a set is empty. */
double fd_jensen_shannon(size_t n, const double *x, size_t m, const double *y);

#endif
