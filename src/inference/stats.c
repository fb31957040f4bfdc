#include "inference/stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/constants.h"

void fd_wilson_interval(uint64_t k, uint64_t n, double z, double *lo, double *hi) {
    if (k > n) k = n;
    *lo = 0;
    *hi = 1;
    if (n == 0) return;
    double m = (double)n, p = (double)k / m, q = (double)(n - k) / m;
    double shrink = 1 + z * z / m;
    double centre = (p + z * z / (2 * m)) / shrink;
    double half = z * sqrt(p * q / m + z * z / (4 * m * m)) / shrink;
    /* The ends below are exact in exact arithmetic; rounding must not leave 1e-20 instead of "none seen". */
    if (k > 0) *lo = fmax(0, centre - half);
    if (k < n) *hi = fmin(1, centre + half);
}

/* Continued fraction of I_x(a, b) (DLMF 8.17.22) by the method of Lentz; converges fast for x < (a + 1)/(a + b + 2). */
static double beta_fraction(double x, double a, double b) {
    const double tiny = 1e-300;
    double c = 1, d = 1 - (a + b) * x / (a + 1);
    d = 1 / (fabs(d) < tiny ? tiny : d);
    double f = d;
    for (int m = 1; m < 100000; m++) {
        for (int half = 0; half < 2; half++) {
            double term = half == 0 ? m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
                                    : -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
            c = 1 + term / c;
            d = 1 + term * d;
            c = fabs(c) < tiny ? tiny : c;
            d = 1 / (fabs(d) < tiny ? tiny : d);
            f *= c * d;
        }
        if (fabs(c * d - 1) < 1e-15) break;
    }
    return f;
}

/* lgamma() also writes a global, the sign. */
static double log_gamma(double x) {
    int sign;
    return lgamma_r(x, &sign);
}

double fd_beta_regularised(double x, double a, double b) {
    if (!(x > 0)) return 0;
    if (!(x < 1)) return 1;
    double front = exp(log_gamma(a + b) - log_gamma(a) - log_gamma(b) + a * log(x) + b * log1p(-x));
    if (x < (a + 1) / (a + b + 2)) return front * beta_fraction(x, a, b) / a;
    return 1 - front * beta_fraction(1 - x, b, a) / b;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void fd_sort(size_t n, double *x) {
    if (n > 1) qsort(x, n, sizeof *x, ascending);
}

double fd_quantile(size_t n, const double *sorted, double p) {
    if (n == 0) return NAN;
    double at = p * (double)(n - 1);
    if (!(at > 0)) return sorted[0];
    if (at >= (double)(n - 1)) return sorted[n - 1];
    size_t i = (size_t)at;
    double part = at - (double)i;
    return part > 0 ? sorted[i] + part * (sorted[i + 1] - sorted[i]) : sorted[i];
}

void fd_quartiles(size_t n, double *x, double quartile[3]) {
    fd_sort(n, x);
    for (int i = 0; i < 3; i++) quartile[i] = fd_quantile(n, x, 0.25 * (i + 1));
}

void fd_circular_mean(size_t n, const double *x, double *mean, double *resultant) {
    double c = 0, s = 0;
    for (size_t i = 0; i < n; i++) {
        c += cos(x[i]);
        s += sin(x[i]);
    }
    *mean = *resultant = NAN;
    if (n == 0) return;
    *resultant = hypot(c, s) / (double)n;
    if (*resultant > 1e-14) {
        *mean = atan2(s, c);
        if (*mean < 0) *mean += FD_TWO_PI;
        if (*mean >= FD_TWO_PI) *mean = 0; /* -1e-17 + 2 pi rounds to 2 pi */
    }
}

size_t fd_bin_counts(size_t n, const double *x, double lo, double hi, size_t bins, uint64_t *counts) {
    size_t outside = 0;
    memset(counts, 0, bins * sizeof *counts);
    for (size_t i = 0; i < n; i++) {
        if (!(x[i] >= lo && x[i] <= hi) || bins == 0) {
            outside++;
            continue;
        }
        size_t bin = (size_t)((x[i] - lo) / (hi - lo) * (double)bins);
        counts[bin < bins ? bin : bins - 1]++;
    }
    return outside;
}

double fd_chi2_tail(double x, int freedom) {
    double half = 0.5 * x, sum = 0;
    if (!(x > 0)) return isnan(x) ? NAN : 1;
    /* e^-h h^a / Gamma(a + 1) for a = 0, 1, ... or a = 1/2, 3/2, ..., below freedom / 2 */
    for (double a = freedom % 2 ? 0.5 : 0; a < 0.5 * freedom - 0.75; a++) sum += exp(a * log(half) - half - log_gamma(a + 1));
    return fmin(1, sum + (freedom % 2 ? erfc(sqrt(half)) : 0));
}

double fd_student_tail(double x, int freedom) {
    double angle = atan(x / sqrt(freedom)), cosine = cos(angle), sum = 0, term = freedom % 2 ? cosine : 1;
    for (int j = freedom % 2; j <= freedom - 2; j += 2) {
        sum += term;
        term *= cosine * cosine * (j + 1) / (j + 2);
    }
    sum *= sin(angle);
    return 0.5 - 0.5 * (freedom % 2 ? (angle + sum) / (0.5 * FD_PI) : sum);
}

double fd_student_quantile(double tail, int freedom) {
    double lo = 0, hi = 1;
    while (fd_student_tail(hi, freedom) > tail) hi *= 2;
    for (int i = 0; i < 100; i++) {
        double middle = 0.5 * (lo + hi);
        *(fd_student_tail(middle, freedom) > tail ? &lo : &hi) = middle;
    }
    return 0.5 * (lo + hi);
}

/* Mean of ln(1 - b x): the shape of greatest likelihood of a generalised Pareto law whose b = -k/sigma is known. */
static double shape_given(double b, size_t n, const double *x) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += log1p(-b * x[i]);
    return sum / (double)n;
}

double fd_pareto_shape(size_t n, double *log_weights) {
    double root = 3 * sqrt((double)n), fifth = 0.2 * (double)n;
    size_t tail = (size_t)fmin(root, fifth);
    if (tail < 5) return INFINITY;
    fd_sort(n, log_weights);
    double *x = log_weights + n - tail, top = log_weights[n - 1], cut = exp(x[-1] - top);
    for (size_t i = 0; i < tail; i++) x[i] = exp(x[i] - top) - cut;
    double quarter = x[(size_t)((double)tail / 4 + 0.5) - 1], m = 30 + floor(sqrt((double)tail));
    if (!(quarter > 0)) return INFINITY;
    double sum = 0, mean = 0, best = -INFINITY; /* of the profile likelihood over m values of b, and of b */
    for (int pass = 0; pass < 2; pass++)
        for (int j = 1; j <= (int)m; j++) {
            double b = 1 / x[tail - 1] + (1 - sqrt(m / (j - 0.5))) / (3 * quarter), k = shape_given(b, tail, x);
            double likelihood = (double)tail * (log(-b / k) - k - 1);
            if (isnan(likelihood)) continue; /* b = 0 to rounding */
            if (pass == 0) best = fmax(best, likelihood);
            else {
                sum += exp(likelihood - best);
                mean += b * exp(likelihood - best);
            }
        }
    return (shape_given(mean / sum, tail, x) * (double)tail + 5) / ((double)tail + 10);
}

double fd_normal_quantile(double p) {
    double q = p - 0.5, r = 0.180625 - q * q;
    if (fabs(q) <= 0.425)
        return q * (((5.9109374720e1 * r + 1.5929113202e2) * r + 5.0434271938e1) * r + 3.3871327179) /
               (((6.7187563600e1 * r + 7.8757757664e1) * r + 1.7895169469e1) * r + 1);
    r = sqrt(-log(q < 0 ? p : 1 - p));
    double x = r <= 5 ? (((1.7023821103e-1 * (r - 1.6) + 1.3067284816) * (r - 1.6) + 2.7568153900) * (r - 1.6) + 1.4234372777) /
                            ((1.2021132975e-1 * (r - 1.6) + 7.3700164250e-1) * (r - 1.6) + 1)
                      : (((1.7337203997e-2 * (r - 5) + 4.2868294337e-1) * (r - 5) + 3.0812263860) * (r - 5) + 6.6579051150) /
                            ((1.2258202635e-2 * (r - 5) + 2.4197894225e-1) * (r - 5) + 1);
    return q < 0 ? -x : x;
}
