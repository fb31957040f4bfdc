/* Stop rules: the estimate after inverse sampling against the negative binomial law itself and against a source of known
 * probability, its interval by the defining sums, effective sizes in closed form, and the stage that stops. */
#include <math.h>
#include <omp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "flavordiff/rng.h"
#include "flavordiff/stages.h"
#include "folder.h"
#include "inference/stats.h"
#include "inference/stopping.h"

static void close_to(double value, double expected, double tolerance) {
    if (!(fabs(value - expected) <= tolerance)) fail_msg("%.17g, expected %.17g", value, expected);
}

static double binomial(int n, int k, double p) {
    return exp(lgamma(n + 1.0) - lgamma(k + 1.0) - lgamma(n - k + 1.0) + k * log(p) + (n - k) * log1p(-p));
}

/* P(Bin(n, p) >= k), term by term. */
static double at_least(int n, int k, double p) {
    double sum = 0;
    for (int i = k; i <= n; i++) sum += binomial(n, i, p);
    return sum;
}

static void beta_is_a_binomial_tail(void **state) {
    (void)state;
    static const int cases[][2] = {{1, 1}, {5, 2}, {40, 40}, {300, 7}, {300, 290}, {1000, 500}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (double p = 0.01; p < 1; p += 0.07) {
            int n = cases[i][0], k = cases[i][1];
            close_to(fd_beta_regularised(p, k, n - k + 1), at_least(n, k, p), 1e-11);
        }
    close_to(fd_beta_regularised(0.3, 1, 4.5), 1 - pow(0.7, 4.5), 1e-14);             /* closed form */
    close_to(fd_beta_regularised(0.3, 0.5, 0.5), asin(sqrt(0.3)) * 2 / acos(-1), 1e-14); /* arcsine law */
    assert_true(fd_beta_regularised(0, 2, 3) == 0 && fd_beta_regularised(1, 2, 3) == 1);
}

/* The mean over the law of n: (k - 1)/(n - 1) has p, k/n more. */
static void unbiased_by_the_law(void **state) {
    (void)state;
    static const int ks[] = {2, 3, 10, 50};
    static const double ps[] = {0.9, 0.4, 0.05};
    for (int a = 0; a < 4; a++)
        for (int b = 0; b < 3; b++) {
            double mean = 0, plain = 0, all = 0, p = ps[b];
            for (int n = ks[a]; n < 6000; n++) {
                double law = p * binomial(n - 1, ks[a] - 1, p);
                if (law < 1e-18) continue;
                mean += law * fd_inverse_sampling((uint64_t)ks[a], (uint64_t)n, 0.05).unbiased;
                plain += law * ks[a] / n;
                all += law;
            }
            close_to(all, 1, 1e-9);
            close_to(mean, p, 1e-9);
            assert_true(plain > p * (1 + 0.3 * (1 - p) / ks[a]));
        }
    assert_true(isnan(fd_inverse_sampling(1, 9, 0.05).unbiased));
}

static void interval_by_its_definition(void **state) {
    (void)state;
    static const int cases[][2] = {{1, 1}, {1, 40}, {7, 9}, {20, 500}, {300, 310}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int k = cases[i][0], n = cases[i][1];
        fd_efficiency e = fd_inverse_sampling((uint64_t)k, (uint64_t)n, 0.05);
        close_to(at_least(n, k, e.lo), 0.025, 1e-9);                         /* n or fewer trials: k successes in n */
        if (n == k) assert_true(e.hi == 1);
        else close_to(1 - at_least(n - 1, k, e.hi), 0.025, 1e-9);            /* n or more: fewer than k in n - 1 */
        assert_true(e.plain == (double)k / n && e.lo < e.plain && e.plain <= e.hi);
    }
}

/* Trials of a known source, stopped at the k-th success: the mean of the estimates, and how often the interval holds p. */
static void a_known_source(void **state) {
    (void)state;
    enum { RUNS = 4000, K = 5 };
    const double p = 0.2;
    double sum = 0, squares = 0, plain = 0;
    int held = 0;
    for (uint64_t run = 0; run < RUNS; run++) {
        fd_rng rng;
        uint64_t n = 0;
        fd_rng_start(&rng, 5, FD_STREAM_TEST, run, 0);
        for (int k = 0; k < K; n++) k += fd_rng_uniform(&rng) < p;
        fd_efficiency e = fd_inverse_sampling(K, n, 0.05);
        sum += e.unbiased, squares += e.unbiased * e.unbiased, plain += e.plain;
        held += e.lo <= p && p <= e.hi;
    }
    double mean = sum / RUNS, error = sqrt((squares / RUNS - mean * mean) / RUNS);
    assert_true(fabs(mean - p) < 4 * error);
    assert_true(plain / RUNS > p + 8 * error); /* the plain one would have been caught */
    assert_true(held > 0.94 * RUNS);
}

static void effective_sizes(void **state) {
    (void)state;
    fd_effective e = {0};
    assert_true(fd_effective_size(&e) == 0);
    for (int i = 0; i < 5000; i++) assert_int_equal(fd_effective_add(&e, &i, sizeof i, 1, NULL), FD_OK);
    close_to(fd_effective_size(&e), 5000, 1e-9);
    for (int i = 0; i < 5000; i++) assert_int_equal(fd_effective_add(&e, &i, sizeof i, 1, NULL), FD_OK);
    close_to(fd_effective_size(&e), 5000, 1e-9); /* each twice: no more is known */
    fd_effective_free(&e);
    int same = 7;
    for (int i = 0; i < 100; i++) assert_int_equal(fd_effective_add(&e, &same, sizeof same, 1, NULL), FD_OK);
    close_to(fd_effective_size(&e), 1, 1e-12);
    fd_effective_free(&e);
    double sum = 0, squares = 0; /* Kish, for weights */
    for (int i = 1; i <= 40; i++) {
        double w = 0.1 * i * i;
        sum += w, squares += w * w;
        assert_int_equal(fd_effective_add(&e, &i, sizeof i, w, NULL), FD_OK);
    }
    close_to(fd_effective_size(&e), sum * sum / squares, 1e-9);
    fd_effective_free(&e);
}

/* ---- the stage ------------------------------------------------------------------------------------------------- */

/* A network that knows nothing, and the projection, which finds solutions all the same: some samples are, some not. */
static fd_config settings(void) {
    fd_config c;
    fd_config_default(&c);
    c.informed.width = 8, c.informed.hidden = 1;
    c.informed.train.updates = 2, c.informed.train.batch = 16;
    c.informed.draws = FD_DRAWS_PRIOR;
    c.informed.validation = 0;
    c.informed.sample.generate.sampler.steps = 2;
    c.informed.sample.generate.project.steps = 3;
    return c;
}

static fd_tally sampled(const fd_config *c, const char *name, fd_status wanted, uint64_t *rows) {
    fd_error err = {0};
    fd_run run = {.config = c, .command = "test", .force = true};
    fd_sample_reader *reader;
    fd_sample_info info;
    assert_int_equal(fd_stage_sample(&run, &c->informed.sample, at("net.h5"), at(name), &err), wanted);
    ok(fd_samples_open(at(name), &reader, &info, &err), &err);
    fd_samples_close(reader);
    *rows = info.n;
    return info.tally;
}

static void stops_at_the_sample(void **state) {
    (void)state;
    fd_config c = settings();
    fd_run run = {.config = &c, .command = "test", .force = true};
    fd_error err = {0};
    uint64_t rows[4];
    ok(fd_stage_train_informed(&run, at("net.h5"), &err), &err);
    c.informed.sample.until = 300;
    fd_tally first = {0};
    for (int threads = 1; threads <= 3; threads += 2) { /* other threads, another block */
        omp_set_num_threads(threads);
        fd_tally t = sampled(&c, "until.h5", FD_OK, &rows[0]);
        assert_int_equal(t.labels_in_prior, 300);
        assert_true(t.n > 300 && t.n == rows[0]);
        if (threads > 1) assert_int_equal(t.n, first.n);
        first = t;
    }
    omp_set_num_threads(2);
    c.informed.sample.until = 0, c.informed.sample.n = first.n; /* the same stream: the last sample completes the set */
    assert_int_equal(sampled(&c, "all.h5", FD_OK, &rows[1]).labels_in_prior, 300);
    c.informed.sample.n = first.n - 1;
    assert_int_equal(sampled(&c, "less.h5", FD_OK, &rows[1]).labels_in_prior, 299);
    c.informed.sample.until_ess = 300; /* no two solutions are equal */
    assert_int_equal(sampled(&c, "ess.h5", FD_OK, &rows[2]).n, first.n);
    c.informed.sample.max_generated = first.n - 1;
    fd_tally short_of = sampled(&c, "max.h5", FD_ERR_WANTING, &rows[3]);
    assert_true(short_of.n == first.n - 1 && short_of.labels_in_prior == 299 && rows[3] == first.n - 1);
}

static int make(void **state) {
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}
static int unmake(void **state) {
    (void)state;
    static const char *const names[] = {"net.h5", "until.h5", "all.h5", "less.h5", "ess.h5", "max.h5"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) unlink(at(names[i]));
    return rmdir(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(beta_is_a_binomial_tail), cmocka_unit_test(unbiased_by_the_law),
        cmocka_unit_test(interval_by_its_definition), cmocka_unit_test(a_known_source),
        cmocka_unit_test(effective_sizes), cmocka_unit_test(stops_at_the_sample),
    };
    return cmocka_run_group_tests(tests, make, unmake);
}
