/* Calibration: the law of the test by enumeration, its band, ranks with ties, and a Gaussian toy whose posterior is known,
 * which passes as it is and is caught when it is shifted or too narrow. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "inference/calibration.h"

static const double pi = 3.14159265358979323846;

static void close_to(double value, double expected, double tolerance) {
    if (!(fabs(value - expected) <= tolerance)) fail_msg("%.17g, expected %.17g", value, expected);
}

static fd_rank_test *tables(size_t n, size_t m) {
    fd_rank_test *test = NULL;
    assert_int_equal(fd_rank_test_create(n, m, &test, NULL), FD_OK);
    return test;
}

/* All (m + 1)^n sequences of ranks: a p-value of t comes, or a smaller one, in exactly the fraction t of them. */
static void p_values_by_enumeration(void **state) {
    (void)state;
    enum { N = 6, M = 3, ALL = 4096 };
    static double p[ALL];
    fd_rank_test *test = tables(N, M);
    for (int code = 0; code < ALL; code++) {
        uint32_t ranks[N];
        for (int i = 0; i < N; i++) ranks[i] = (uint32_t)(code >> 2 * i & 3);
        p[code] = fd_rank_judge(test, ranks, NULL).p_value;
    }
    for (int a = 0; a < ALL; a += 7) {
        int smaller = 0;
        for (int b = 0; b < ALL; b++) smaller += p[b] <= p[a] * (1 + 1e-9);
        close_to(p[a], smaller / (double)ALL, 1e-12);
    }
    fd_rank_test_free(test);
}

/* Ranks round(m u^power): outside the band exactly when the p-value says so; uniform ones in 1 % of cases at most. */
static void band_and_p_value_agree(void **state) {
    (void)state;
    enum { N = 300, M = 31, RUNS = 1500 };
    const double tail = 0.05, powers[] = {1, 1.1, 1.3};
    double lo[M], hi[M], difference[M];
    fd_rank_test *test = tables(N, M);
    fd_rank_band(test, tail, lo, hi);
    for (int k = 0; k < 3; k++) {
        int outside = 0;
        for (uint64_t run = 0; run < RUNS; run++) {
            uint32_t ranks[N];
            bool left = false;
            fd_rng rng;
            fd_rng_start(&rng, 3, FD_STREAM_TEST, run, (uint32_t)k);
            for (int i = 0; i < N; i++) ranks[i] = (uint32_t)((M + 1) * pow(fd_rng_uniform(&rng), powers[k]));
            double p = fd_rank_judge(test, ranks, difference).p_value;
            for (int j = 0; j < M; j++) left |= difference[j] < lo[j] - 1e-12 || difference[j] > hi[j] + 1e-12;
            assert_int_equal(left, p <= tail);
            outside += left;
        }
        double expected = tail * RUNS, error = sqrt(expected);
        if (k == 0) assert_true(outside <= expected + 4 * error && outside > 0.7 * expected - 4 * error); /* discrete */
        else assert_true(outside > (k == 1 ? 2 : 10) * expected);
    }
    fd_rank_test_free(test);
}

/* Ranks 0..m once each are as uniform as can be; all in one half, or in the middle, are not. */
static void words_behind_the_verdict(void **state) {
    (void)state;
    enum { N = 640, M = 63 };
    uint32_t ranks[N];
    fd_rank_test *test = tables(N, M);
    for (uint32_t i = 0; i < N; i++) ranks[i] = i % (M + 1);
    fd_rank_verdict v = fd_rank_judge(test, ranks, NULL);
    assert_true(v.p_value > 0.999);
    close_to(v.mean, 0.5, 1e-12);
    close_to(v.width, 1, 1e-12);
    close_to(v.deviation, 0, 1e-12);
    for (uint32_t i = 0; i < N; i++) ranks[i] = M / 2 + i % 32; /* truths above the samples */
    v = fd_rank_judge(test, ranks, NULL);
    assert_true(v.p_value < 1e-12 && v.mean > 0.7 && v.mean_pull > 10 && v.deviation > 0.4);
    for (uint32_t i = 0; i < N; i++) ranks[i] = 16 + i % 32; /* samples too wide */
    v = fd_rank_judge(test, ranks, NULL);
    assert_true(v.p_value < 1e-9 && fabs(v.mean_pull) < 1 && v.width < 0.3 && v.width_pull < -10);
    fd_rank_test_free(test);
}

static void ranks_and_distances(void **state) {
    (void)state;
    fd_rng rng;
    fd_rng_start(&rng, 4, FD_STREAM_TEST, 0, 0);
    const double x[] = {1, 9, 2, 9, 3, 9, 4, 9, NAN, 9};
    assert_int_equal(fd_rank(5, x, 2, 3.5, &rng), 3);
    assert_int_equal(fd_rank(5, x, 2, 0, &rng), 0);
    int counts[3] = {0};
    const double ties[] = {0, 5, 5, 8};
    for (int i = 0; i < 3000; i++) counts[fd_rank(4, ties, 1, 5, &rng) - 1]++;
    for (int k = 0; k < 3; k++) assert_true(abs(counts[k] - 1000) < 4 * 26);
    const double period[] = {0, 2 * pi}, a[] = {1, 3}, b[] = {4, -3};
    double turn = 2 * pi - 6;
    close_to(fd_wrapped_distance(2, a, b, period), sqrt(9 + turn * turn), 1e-14);
}

/* ---- the toy -------------------------------------------------------------------------------------------------------
 *
 * x ~ N(0, 1)^3, labels x + N(0, s^2)^3: p(x | label) = N(label/(1 + s^2), s^2/(1 + s^2)). A fourth component is flat on a
 * circle and its label wrapped Gaussian: the posterior is the same law about the label. */

typedef struct toy {
    fd_calibration_source base;
    double shift, narrow; /* planted: means moved by so many deviations, deviations times */
} toy;

enum { TOY = 4 };
static const double toy_period[TOY] = {0, 0, 0, 2 * 3.14159265358979323846};

static void toy_points(const toy *t, fd_rng *rng, size_t each, double *truth, double *samples) {
    const double s = 0.7;
    for (int j = 0; j < TOY; j++) {
        bool circle = j == TOY - 1;
        double x = circle ? 2 * pi * fd_rng_uniform(rng) : fd_rng_normal(rng), label = x + s * fd_rng_normal(rng);
        double mean = circle ? label : label / (1 + s * s), spread = circle ? s : s / sqrt(1 + s * s);
        truth[j] = x;
        for (size_t i = 0; i < each; i++) {
            double y = mean + spread * (t->shift + t->narrow * fd_rng_normal(rng));
            samples[i * TOY + (size_t)j] = circle ? y - 2 * pi * floor(y / (2 * pi)) : y;
        }
    }
}

static fd_status toy_draw(const fd_calibration_source *base, uint64_t first, size_t n, size_t each, double *truth,
                          double *truth_x, double *samples, double *samples_x, double *z, fd_error *err) {
    (void)err;
    for (size_t i = 0; i < n; i++) {
        fd_rng rng;
        fd_rng_start(&rng, 8, FD_STREAM_TEST, first + i, 0);
        toy_points((const toy *)base, &rng, each, truth_x + i * TOY, samples_x + i * each * TOY);
        for (int j = 0; j < TOY; j++) z[i * TOY + (size_t)j] = 1.5 * fd_rng_normal(&rng);
    }
    memcpy(truth, truth_x, n * TOY * sizeof *truth);
    memcpy(samples, samples_x, n * each * TOY * sizeof *samples);
    return FD_OK;
}

static fd_calibration calibrated(double shift, double narrow, size_t block) {
    toy t = {{TOY, TOY, toy_period, toy_draw}, shift, narrow};
    fd_calibration_spec spec = {.n = 1000, .m = 39, .block = block, .seed = 2, .tail = 0.01};
    fd_calibration c;
    fd_error err;
    if (fd_calibrate(&t.base, &spec, &c, &err)) fail_msg("%s", err.message);
    assert_int_equal(c.n_rows, TOY + FD_TARP_ROWS);
    return c;
}

static void the_exact_posterior_passes(void **state) {
    (void)state;
    fd_calibration c = calibrated(0, 1, 1000), d = calibrated(0, 1, 7);
    for (int k = 0; k < c.n_rows; k++) assert_true(c.verdicts[k].p_value > 0.01 && fabs(c.verdicts[k].width - 1) < 0.1);
    assert_memory_equal(c.ranks, d.ranks, (size_t)c.n_rows * c.n * sizeof *c.ranks); /* whatever the block */
    fd_calibration_free(&c);
    fd_calibration_free(&d);
}

static void a_shift_is_caught(void **state) {
    (void)state;
    fd_calibration c = calibrated(0.5, 1, 500);
    for (int k = 0; k < TOY - 1; k++) /* samples too high: truths rank low */
        assert_true(c.verdicts[k].p_value < 1e-9 && c.verdicts[k].mean_pull < -8);
    fd_calibration_free(&c);
    c = calibrated(1, 1, 500); /* distances see a shift in second order: a larger one */
    assert_true(c.verdicts[TOY + FD_TARP_GIVEN].p_value < 1e-3 && c.verdicts[TOY + FD_TARP_OWN].p_value < 1e-3);
    fd_calibration_free(&c);
}

static void too_narrow_is_caught(void **state) {
    (void)state;
    fd_calibration c = calibrated(0, 0.75, 500);
    for (int k = 0; k < TOY - 1; k++)
        assert_true(c.verdicts[k].p_value < 1e-3 && c.verdicts[k].width_pull > 4 && fabs(c.verdicts[k].mean_pull) < 4);
    assert_true(c.verdicts[TOY + FD_TARP_GIVEN].p_value < 1e-3 && c.verdicts[TOY + FD_TARP_OWN].p_value < 1e-9);
    fd_calibration_free(&c);
    c = calibrated(0, 1.3, 500); /* too wide */
    for (int k = 0; k < TOY - 1; k++) assert_true(c.verdicts[k].p_value < 1e-3 && c.verdicts[k].width_pull < -4);
    assert_true(c.verdicts[TOY + FD_TARP_OWN].p_value < 1e-9);
    fd_calibration_free(&c);
}

static fd_status stop_after(void *user, const fd_calibration *c, size_t done, fd_error *err) {
    (void)c;
    *(size_t *)user = done;
    return done >= 400 ? fd_fail(err, FD_ERR_STOPPED, "stopped") : FD_OK;
}

static void may_be_stopped(void **state) {
    (void)state;
    toy t = {{TOY, TOY, toy_period, toy_draw}, 0, 1};
    size_t done = 0;
    fd_calibration_spec spec = {.n = 1000, .m = 9, .block = 100, .tail = 0.01, .after = stop_after, .user = &done};
    fd_calibration c;
    assert_int_equal(fd_calibrate(&t.base, &spec, &c, NULL), FD_ERR_STOPPED);
    assert_true(done == 400 && !c.ranks && !c.verdicts);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(p_values_by_enumeration),    cmocka_unit_test(band_and_p_value_agree),
        cmocka_unit_test(words_behind_the_verdict),   cmocka_unit_test(ranks_and_distances),
        cmocka_unit_test(the_exact_posterior_passes), cmocka_unit_test(a_shift_is_caught),
        cmocka_unit_test(too_narrow_is_caught),       cmocka_unit_test(may_be_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
