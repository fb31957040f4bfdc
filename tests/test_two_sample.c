/* Two-sample distances against their definition, published quantiles, enumeration and a permutation null. */
#include "physics_oracles.h"

#include "inference/two_sample.h"

/* sup over every value of either set, by counting. */
static void by_definition(size_t n, const double *x, size_t m, const double *y, double *above, double *below) {
    *above = *below = 0;
    for (size_t k = 0; k < n + m; k++) {
        double at = k < n ? x[k] : y[k - n], f = 0, g = 0;
        for (size_t i = 0; i < n; i++) f += x[i] <= at;
        for (size_t j = 0; j < m; j++) g += y[j] <= at;
        *above = fmax(*above, f / (double)n - g / (double)m);
        *below = fmax(*below, g / (double)m - f / (double)n);
    }
}

/* Continuous values, and few different ones so that ties abound. */
static void distances(void **state) {
    (void)state;
    for (int item = 0; item < 200; item++) {
        double x[40], y[40], above, below;
        fd_rng rng;
        fd_rng_start(&rng, 61, FD_STREAM_TEST, (uint64_t)item, 0);
        size_t n = 1 + fd_rng_below(&rng, 40), m = 1 + fd_rng_below(&rng, 40);
        for (size_t i = 0; i < n; i++) x[i] = item % 2 ? fd_rng_normal(&rng) : (double)fd_rng_below(&rng, 5);
        for (size_t j = 0; j < m; j++) y[j] = item % 2 ? 0.5 + fd_rng_normal(&rng) : (double)fd_rng_below(&rng, 6);
        qsort(x, n, sizeof *x, ascending);
        qsort(y, m, sizeof *y, ascending);
        by_definition(n, x, m, y, &above, &below);
        fd_two_sample t = fd_compare_sorted(n, x, m, y), swapped = fd_compare_sorted(m, y, n, x);
        assert_below(fabs(t.ks - fmax(above, below)), 1e-12);
        assert_below(fabs(t.kuiper - above - below), 1e-12);
        assert_true(t.ks == swapped.ks && t.ks_tail == swapped.ks_tail && t.kuiper_tail == swapped.kuiper_tail);
    }
    double one[] = {1, 2}, two[] = {3, 4, 5};
    assert_true(fd_compare_sorted(2, one, 3, two).ks == 1 && fd_compare_sorted(2, one, 2, one).ks == 0);
    assert_true(isnan(fd_compare_sorted(0, one, 3, two).ks));
}

/* Kuiper's distance does not know where the circle is cut. */
static void cut_of_the_circle(void **state) {
    (void)state;
    double x[60], y[50], before = 0;
    fd_rng rng;
    fd_rng_start(&rng, 61, FD_STREAM_TEST, 1000, 0);
    for (int cut = 0; cut < 10; cut++) {
        for (int i = 0; i < 60; i++) x[i] = cut ? fmod(x[i] + 0.7, TAU) : TAU * fd_rng_uniform(&rng);
        for (int j = 0; j < 50; j++) y[j] = cut ? fmod(y[j] + 0.7, TAU) : 0.5 * TAU * fd_rng_uniform(&rng);
        qsort(x, 60, sizeof *x, ascending);
        qsort(y, 50, sizeof *y, ascending);
        double v = fd_compare_sorted(60, x, 50, y).kuiper;
        if (cut) assert_below(fabs(v - before), 1e-12);
        before = v;
    }
    assert_true(before > 0.3);
}

/* Smirnov's and Stephens' tables of asymptotic quantiles. */
static void published_quantiles(void **state) {
    (void)state;
    static const double tails[] = {0.10, 0.05, 0.01}, smirnov[] = {1.224, 1.358, 1.628}, stephens[] = {1.620, 1.747, 2.001};
    for (int i = 0; i < 3; i++) { /* n = m = 2: the root of n m / (n + m) is 1 */
        assert_below(fabs(fd_ks_null(2, 2, tails[i]) - smirnov[i]), 5.1e-4);
        assert_below(fabs(fd_kuiper_null(2, 2, tails[i]) - stephens[i]), 5.1e-4);
        assert_below(fabs(fd_kolmogorov_tail(fd_ks_null(2, 2, tails[i])) - tails[i]), 1e-9);
        assert_below(fabs(fd_kuiper_tail(fd_kuiper_null(2, 2, tails[i])) - tails[i]), 1e-9);
    }
    assert_below(fabs(fd_ks_null(5000, 5000, 0.01) - 0.0326), 5e-5);
    for (double lambda = 0; lambda < 3; lambda += 0.01) { /* falling from 1 to 0, without a jump where the series begins */
        assert_true(fd_kolmogorov_tail(lambda) > fd_kolmogorov_tail(lambda + 0.01) - 1e-9);
        assert_true(fd_kuiper_tail(lambda) > fd_kuiper_tail(lambda + 0.01) - 1e-9);
    }
    assert_true(fd_kolmogorov_tail(0) == 1 && fd_kuiper_tail(0) == 1 && fd_kolmogorov_tail(30) == 0);
    assert_below(1 - fd_kolmogorov_tail(0.21), 1e-9);
    assert_below(1 - fd_kuiper_tail(0.31), 1e-4);
}

/* One set of 600 normals dealt into two at random: the 99 % and 90 % nulls are exceeded that often and not more. */
static void permutation_null(void **state) {
    (void)state;
    enum { N = 350, M = 250, DEALS = 4000 };
    double pool[N + M], x[N], y[M];
    int out[4] = {0};
    fd_rng rng;
    fd_rng_start(&rng, 61, FD_STREAM_TEST, 2000, 0);
    for (int i = 0; i < N + M; i++) pool[i] = fd_rng_normal(&rng);
    qsort(pool, N + M, sizeof *pool, ascending);
    double null[4] = {fd_ks_null(N, M, 0.01), fd_kuiper_null(N, M, 0.01), fd_ks_null(N, M, 0.1), fd_kuiper_null(N, M, 0.1)};
    for (int deal = 0; deal < DEALS; deal++) {
        int n = 0, m = 0;
        for (int i = 0; i < N + M; i++) { /* each order of dealing is as likely */
            int first = fd_rng_below(&rng, (uint64_t)(N + M - i)) < (uint64_t)(N - n);
            if (first) x[n++] = pool[i];
            else
                y[m++] = pool[i];
        }
        fd_two_sample t = fd_compare_sorted(N, x, M, y);
        out[0] += t.ks > null[0], out[1] += t.kuiper > null[1], out[2] += t.ks > null[2], out[3] += t.kuiper > null[3];
    }
    for (int i = 0; i < 4; i++) { /* five standard deviations, and the asymptotic bound may be a tenth to a third too safe */
        double expected = DEALS * (i < 2 ? 0.01 : 0.1), deviation = sqrt(expected);
        assert_below(out[i], expected + 5 * deviation);
        assert_below(0.6 * expected - 4 * deviation, out[i]);
    }
}

/* Identical sets, disjoint ones, ties, a known divergence, and one law: 0, 1, and what they should be. */
static void bits(void **state) {
    (void)state;
    enum { N = 6000, M = 4000 };
    static double x[N], y[M];
    fd_rng rng;
    fd_rng_start(&rng, 61, FD_STREAM_TEST, 3000, 0);
    for (int i = 0; i < N; i++) x[i] = fd_rng_uniform(&rng);
    qsort(x, N, sizeof *x, ascending);
    assert_true(fd_jensen_shannon(N, x, N, x) == 0);
    for (int j = 0; j < M; j++) y[j] = 1 + fd_rng_uniform(&rng);
    qsort(y, M, sizeof *y, ascending);
    assert_true(fd_jensen_shannon(N, x, M, y) == 1 && fd_jensen_shannon(M, y, N, x) == 1);
    assert_true(isnan(fd_jensen_shannon(0, x, M, y)));
    /* u against 2 u: p = 1 and q = 1/2 where both are, so (log2(4/3) + log2(2/3)/2)/2 there and 1/4 beyond */
    for (int j = 0; j < M; j++) y[j] = 2 * fd_rng_uniform(&rng);
    qsort(y, M, sizeof *y, ascending);
    double known = 0.5 * (log2(4.0 / 3) + 0.5 * log2(2.0 / 3)) + 0.25;
    assert_below(fabs(fd_jensen_shannon(N, x, M, y) - known), 0.02);
    for (int j = 0; j < M; j++) y[j] = fd_rng_uniform(&rng);
    qsort(y, M, sizeof *y, ascending);
    assert_below(fd_jensen_shannon(N, x, M, y), 0.003); /* scatter of chi^2_63 (1/n + 1/m) / (8 ln 2): 0.0008 */
    for (int i = 0; i < N; i++) x[i] = i < N / 2; /* P(1) = 1/2 against 3/4: two bins, though there could be more */
    for (int j = 0; j < M; j++) y[j] = j < 3 * M / 4;
    qsort(x, N, sizeof *x, ascending);
    qsort(y, M, sizeof *y, ascending);
    known = 0.5 * (0.5 * log2(0.5 / 0.375) + 0.5 * log2(0.5 / 0.625) + 0.25 * log2(0.25 / 0.375) + 0.75 * log2(0.75 / 0.625));
    assert_below(fabs(fd_jensen_shannon(N, x, M, y) - known), 1e-4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distances),
        cmocka_unit_test(cut_of_the_circle),
        cmocka_unit_test(published_quantiles),
        cmocka_unit_test(permutation_null),
        cmocka_unit_test(bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
