/* Intervals, quantiles, distances and histograms, against published numbers and brute force. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "flavordiff/rng.h"
#include "inference/stats.h"

static const double pi = 3.14159265358979323846;

static void close_to(double value, double expected, double tolerance) {
    if (!(fabs(value - expected) <= tolerance)) fail_msg("%.17g, expected %.17g", value, expected);
}

/* Newcombe, Statistics in Medicine 17 (1998) 857, Table I, method 3; printed to four digits. */
static void wilson_published(void **state) {
    (void)state;
    static const struct {
        uint64_t k, n;
        double lo, hi;
    } table[] = {{81, 263, 0.2553, 0.3662}, {15, 148, 0.0624, 0.1605}, {0, 20, 0, 0.1611}, {1, 29, 0.0061, 0.1718}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        double lo, hi;
        fd_wilson_interval(table[i].k, table[i].n, FD_Z95, &lo, &hi);
        close_to(lo, table[i].lo, 5.1e-5);
        close_to(hi, table[i].hi, 5.1e-5);
    }
}

/* The ends are the p at which k is exactly z standard deviations away: (k - np)^2 = z^2 n p (1 - p). */
static void wilson_defining_equation(void **state) {
    (void)state;
    static const uint64_t cases[][2] = {{104, 30000000}, {1, 1000000}, {3, 7}, {500, 1000}, {999999, 1000000}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double k = (double)cases[i][0], n = (double)cases[i][1], end[2], mirror[2];
        fd_wilson_interval(cases[i][0], cases[i][1], FD_Z95, &end[0], &end[1]);
        assert_true(end[0] < k / n && k / n < end[1]);
        for (int e = 0; e < 2; e++) {
            double pull = (k - n * end[e]) / sqrt(n * end[e] * (1 - end[e]));
            close_to(fabs(pull), FD_Z95, 1e-6);
        }
        fd_wilson_interval(cases[i][1] - cases[i][0], cases[i][1], FD_Z95, &mirror[0], &mirror[1]);
        close_to(mirror[0], 1 - end[1], 1e-15);
        close_to(mirror[1], 1 - end[0], 1e-15);
    }
}

static void wilson_ends(void **state) {
    (void)state;
    double lo, hi, z2 = FD_Z95 * FD_Z95;
    fd_wilson_interval(0, 1000000, FD_Z95, &lo, &hi);
    assert_true(lo == 0);
    close_to(hi, z2 / (1e6 + z2), 1e-18);
    fd_wilson_interval(50, 50, FD_Z95, &lo, &hi);
    assert_true(hi == 1);
    close_to(lo, 50 / (50 + z2), 1e-15);
    fd_wilson_interval(0, 0, FD_Z95, &lo, &hi);
    assert_true(lo == 0 && hi == 1);
}

static void quantiles(void **state) {
    (void)state;
    double x[] = {7, 1, 3, 2, 10}, q[3];
    fd_quartiles(5, x, q);
    close_to(q[0], 2, 0);
    close_to(q[1], 3, 0);
    close_to(q[2], 7, 0);
    double four[] = {1, 2, 3, 4}; /* numpy.quantile([1,2,3,4], [.25,.5,.75,.1]) = 1.75 2.5 3.25 1.3 */
    fd_quartiles(4, four, q);
    close_to(q[0], 1.75, 1e-15);
    close_to(q[1], 2.5, 1e-15);
    close_to(q[2], 3.25, 1e-15);
    close_to(fd_quantile(4, four, 0.1), 1.3, 1e-15);
    assert_true(fd_quantile(4, four, 0) == 1 && fd_quantile(4, four, 1) == 4);
    double one = 5;
    assert_true(fd_quantile(1, &one, 0.3) == 5);
    assert_true(isnan(fd_quantile(0, NULL, 0.5)));
    fd_quartiles(0, NULL, q);
    assert_true(isnan(q[1]));
}

static void circular(void **state) {
    (void)state;
    double mean, r, across[] = {0.1, 2 * pi - 0.1}, square[] = {0, pi / 2, pi, 3 * pi / 2};
    fd_circular_mean(2, across, &mean, &r); /* the plain mean would be pi */
    close_to(sin(mean), 0, 1e-15);
    close_to(cos(mean), 1, 1e-15);
    assert_true(mean >= 0 && mean < 2 * pi);
    close_to(r, cos(0.1), 1e-15);
    fd_circular_mean(4, square, &mean, &r);
    close_to(r, 0, 1e-15);
    assert_true(isnan(mean));
    fd_circular_mean(0, NULL, &mean, &r);
    assert_true(isnan(mean) && isnan(r));
}

static void bins(void **state) {
    (void)state;
    double x[] = {0, 0.999, 1, 3.999, 4, -0.001, 4.001, NAN, INFINITY};
    uint64_t counts[4];
    assert_int_equal(fd_bin_counts(9, x, 0, 4, 4, counts), 4);
    assert_int_equal(counts[0], 2);
    assert_int_equal(counts[1], 1);
    assert_int_equal(counts[2], 0);
    assert_int_equal(counts[3], 2);
}

/* Tables of Abramowitz and Stegun 26.8 and 26.10 (and Cauchy's law in closed form); derivatives against the densities. */
static void chi2_and_student(void **state) {
    (void)state;
    static const struct { int freedom; double x, tail; } chi2[] = {{1, 3.84146, 0.05}, {2, 9.21034, 0.01}, {10, 18.3070, 0.05},
                                                                    {29, 49.5879, 0.01}, {30, 43.7730, 0.05}, {100, 135.807, 0.01}};
    for (size_t i = 0; i < sizeof chi2 / sizeof *chi2; i++)
        close_to(fd_chi2_tail(chi2[i].x, chi2[i].freedom), chi2[i].tail, 2e-6);
    static const struct { int freedom; double x, tail; } student[] = {{1, 31.821, 0.01}, {2, 6.965, 0.01}, {5, 3.365, 0.01},
                                                                      {10, 2.764, 0.01}, {29, 2.462, 0.01}, {30, 2.042, 0.025}};
    for (size_t i = 0; i < sizeof student / sizeof *student; i++) {
        close_to(fd_student_tail(student[i].x, student[i].freedom), student[i].tail, 2e-5);
        close_to(fd_student_quantile(student[i].tail, student[i].freedom), student[i].x, 6e-4);
    }
    close_to(fd_student_tail(3, 1), 0.5 - atan(3) / pi, 1e-15);
    for (int freedom = 1; freedom < 300; freedom += freedom < 8 ? 1 : 73) {
        double n = freedom, x = n + 0.3, t = 0.7, h = 1e-4;
        close_to((fd_chi2_tail(x - h, freedom) - fd_chi2_tail(x + h, freedom)) / (2 * h),
                 exp((n / 2 - 1) * log(x / 2) - x / 2 - lgamma(n / 2)) / 2, 1e-8);
        close_to((fd_student_tail(t - h, freedom) - fd_student_tail(t + h, freedom)) / (2 * h),
                 exp(lgamma((n + 1) / 2) - lgamma(n / 2) - (n + 1) / 2 * log1p(t * t / n)) / sqrt(n * pi), 1e-8);
    }
    close_to(fd_student_tail(0, 7), 0.5, 0);
    close_to(fd_chi2_tail(0, 7), 1, 0);
    close_to(fd_chi2_tail(1e5, 255), 0, 0);
}

/* Phi(Phi^-1(p)) = p, to what the approximation promises of the quantile; odd about 1/2. */
static void normal_quantile(void **state) {
    (void)state;
    for (double p = 1e-12; p < 0.5; p = p * 1.7 + 1e-13) {
        double z = fd_normal_quantile(p), slope = exp(-z * z / 2) / sqrt(2 * pi);
        close_to(0.5 * erfc(-z / sqrt(2)), p, 3e-7 * fabs(z) * slope);
        close_to(fd_normal_quantile(1 - p), -z, 1e-6 * (1 - z) + 1e-16 / p);
    }
    close_to(fd_normal_quantile(0.5), 0, 0);
    close_to(fd_normal_quantile(0.975), FD_Z95, 3e-7);
}

/* Weights u^-k are exactly Pareto of shape k; the estimate's error is (1 + k)/sqrt(M) of M tail points (Smith 1987), and 40 sets are
 * averaged. A factor common to all weights, and weights of nothing, do not matter. */
static void pareto_shape(void **state) {
    (void)state;
    enum { N = 5000, TAIL = 212, SETS = 40 };
    static double w[N], scaled[N];
    static const double shapes[] = {0.2, 0.5, 0.9, 1.5, 3};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        double k = shapes[s], mean = 0;
        for (uint64_t set = 0; set < SETS; set++) {
            fd_rng rng;
            fd_rng_start(&rng, 5, FD_STREAM_TEST, set, (uint32_t)s);
            for (int i = 0; i < N; i++) scaled[i] = (w[i] = -k * log(1 - fd_rng_uniform(&rng))) + 1e4;
            double one = fd_pareto_shape(N, w);
            close_to(fd_pareto_shape(N, scaled), one, 1e-6);
            mean += one / SETS;
        }
        double shrunk = (k * TAIL + 5) / (TAIL + 10);
        close_to(mean, shrunk, 4 * (1 + k) / sqrt((double)TAIL * SETS) + 0.02);
    }
    for (int i = 0; i < N; i++) w[i] = i < 100 ? i : -INFINITY;
    assert_true(isinf(fd_pareto_shape(N, w)));
    assert_true(isinf(fd_pareto_shape(24, scaled)));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wilson_published), cmocka_unit_test(wilson_defining_equation),
        cmocka_unit_test(wilson_ends),      cmocka_unit_test(quantiles),
        cmocka_unit_test(circular),         cmocka_unit_test(bins),
        cmocka_unit_test(chi2_and_student), cmocka_unit_test(normal_quantile),
        cmocka_unit_test(pareto_shape),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
