/* Small statistics of the results: intervals, quantiles, histograms.
 *
 * Nothing here allocates or fails: what needs order sorts the caller's array in place. No input may be NaN
 * unless said otherwise; callers drop such rows first, and say how many.
 *
 * Angles. A quantile of an angle depends on where the circle is cut. The paper's quartiles cut it at 0, so ours do
 * too (values in [0, 2 pi), plain quartiles), and fd_circular_mean() says whether a direction is preferred at
 * all: R near 0 means that median and quartiles describe the cut and not the data. */
#ifndef FLAVORDIFF_INFERENCE_STATS_H
#define FLAVORDIFF_INFERENCE_STATS_H

#include <stddef.h>
#include <stdint.h>

/* Two-sided 95 % of a standard normal. */
#define FD_Z95 1.959963984540054

/* Wilson score interval of k successes in n at z standard deviations:
 *   (p + z^2/2n +- z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n),  p = k/n.
 * Exactly 0 below when k = 0 and exactly 1 above when k = n; [0, 1] when n = 0. k > n counts as n. */
void fd_wilson_interval(uint64_t k, uint64_t n, double z, double *lo, double *hi);

/* Regularised incomplete beta function I_x(a, b), a, b > 0, x in [0, 1]: the distribution function of the beta law. With whole
 * numbers P(Bin(n, p) >= k) = I_p(k, n - k + 1). Relative error of the order of (a + b) ln(a + b) times that of a double. */
double fd_beta_regularised(double x, double a, double b);

/* Ascending, in place. */
void fd_sort(size_t n, double *x);

/* Quantile p in [0, 1] of ascending values, linear between order statistics (Hyndman and Fan's type 7, the default of
 * R and numpy). NaN when n = 0. */
double fd_quantile(size_t n, const double *sorted, double p);

/* Lower quartile, median, upper quartile of x (sorted in place). NaN when n = 0. */
void fd_quartiles(size_t n, double *x, double quartile[3]);

/* Mean direction in [0, 2 pi) and mean resultant length R in [0, 1] of n angles in radians: R e^{i mean} = <e^{ix}>.
 * mean is NaN when R is 0 to rounding, both when n = 0. */
void fd_circular_mean(size_t n, const double *x, double *mean, double *resultant);

/* Counts per bin of [lo, hi) in `bins` equal bins; hi itself belongs to the last. NaN and values outside are not
 * counted; their number is returned. counts is overwritten. */
size_t fd_bin_counts(size_t n, const double *x, double lo, double hi, size_t bins, uint64_t *counts);

/* Chance that chi^2 of `freedom` >= 1 degrees exceeds x: Q(freedom / 2, x / 2), as the finite sums Abramowitz and Stegun 26.4.4
 * and 26.4.5 give. 1 for x <= 0. */
double fd_chi2_tail(double x, int freedom);

/* Chance that Student's t of `freedom` >= 1 degrees exceeds x (Abramowitz and Stegun 26.7.3 and 26.7.4); to 1e-15, not to a
 * relative precision. */
double fd_student_tail(double x, int freedom);
/* What it exceeds with chance `tail`, in (0, 1/2). */
double fd_student_quantile(double tail, int freedom);

/* Shape k of the generalised Pareto tail of n importance weights exp(log_weights) (sorted in place; -inf: no weight): the estimate of
 * Zhang and Stephens (2009) from the M = min(n/5, 3 sqrt n) largest, shrunk as by Vehtari et al. (2024), (k M + 5)/(M + 10). Moments
 * of the weights exist below 1/k; above 0.7 their mean is no estimate of anything. Infinite when less than a quarter of the tail
 * is distinct from its threshold in a double, or when M is below 5. */
double fd_pareto_shape(size_t n, double *log_weights);

/* Phi^-1(p) for p in (0, 1), to a relative 1e-7 (Wichura 1988, Applied Statistics algorithm 241, PPND7). */
double fd_normal_quantile(double p);

#endif
