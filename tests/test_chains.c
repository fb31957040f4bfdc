/* Convergence diagnostics against chains whose answers are known: independent draws, AR(1), shifted and stretched chains. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "flavordiff/rng.h"
#include "inference/chains.h"

enum { CHAINS = 16, N = 4000 };

static double x[CHAINS * N];

static void between(double value, double lo, double hi) {
    if (!(value >= lo && value <= hi)) fail_msg("%.6g is not in [%g, %g]", value, lo, hi);
}

static fd_chain_verdict judge(size_t chains, size_t n) {
    double *scratch = malloc(fd_chains_scratch(chains, n) * sizeof *scratch);
    fd_chain_verdict v = fd_chains_judge(chains, n, x, scratch);
    free(scratch);
    return v;
}

static double plain_ess(size_t chains, size_t n) {
    double *scratch = malloc(fd_chains_scratch(chains, n) * sizeof *scratch);
    double e = fd_chains_ess(chains, n, x, scratch);
    free(scratch);
    return e;
}

/* Stationary AR(1) of unit variance: x_t = rho x_{t-1} + sqrt(1 - rho^2) z. */
static void autoregressive(size_t chains, size_t n, double rho, uint64_t seed) {
    for (size_t c = 0; c < chains; c++) {
        fd_rng rng;
        fd_rng_start(&rng, seed, FD_STREAM_TEST, c, 0);
        double at = fd_rng_normal(&rng);
        for (size_t t = 0; t < n; t++) {
            x[c * n + t] = at;
            at = rho * at + sqrt(1 - rho * rho) * fd_rng_normal(&rng);
        }
    }
}

static void independent_draws_are_worth_their_number(void **state) {
    (void)state;
    autoregressive(CHAINS, N, 0, 1);
    fd_chain_verdict v = judge(CHAINS, N);
    double s = CHAINS * N;
    between(v.r_hat, 0.999, 1.002);
    between(v.bulk_ess, 0.95 * s, 1.05 * s);
    between(v.tail_ess, 0.90 * s, 1.05 * s);
}

/* ESS of the mean of AR(1) is S (1 - rho)/(1 + rho); antithetic chains are worth more than their number. */
static void autoregressive_chains(void **state) {
    (void)state;
    static const double rhos[] = {0.3, 0.8, 0.95, -0.4};
    for (int i = 0; i < 4; i++) {
        double rho = rhos[i], expected = CHAINS * N * (1 - rho) / (1 + rho);
        autoregressive(CHAINS, N, rho, 2 + (uint64_t)i);
        between(plain_ess(CHAINS, N), 0.85 * expected, 1.15 * expected);
        between(judge(CHAINS, N).bulk_ess, 0.85 * expected, 1.15 * expected);
    }
}

/* Two groups of chains, one wholly above the other: normal scores are halves of a normal, means -+ sqrt(2/pi) and variance
 * 1 - 2/pi, so that R-hat^2 = 1 + M/(M - 1) (2/pi)/(1 - 2/pi) for M halves. */
static void chains_that_disagree(void **state) {
    (void)state;
    double part = 2 / 3.14159265358979323846, m = 2 * CHAINS;
    autoregressive(CHAINS, N, 0, 7);
    for (size_t i = 0; i < CHAINS * N / 2; i++) x[i] += 100;
    between(judge(CHAINS, N).r_hat / sqrt(1 + m / (m - 1) * part / (1 - part)), 0.998, 1.002);
    between(judge(CHAINS, N).bulk_ess, 1, 2 * m); /* two draws, seen M times */
    /* a small shift of every other chain by d: R-hat^2 = 1 + d^2/4 */
    autoregressive(CHAINS, N, 0, 8);
    for (size_t c = 0; c < CHAINS; c += 2)
        for (size_t t = 0; t < N; t++) x[c * N + t] += 0.4;
    between(judge(CHAINS, N).r_hat, sqrt(1 + 0.04 / 1.0) - 0.004, sqrt(1 + 0.04 * m / (m - 1)) + 0.002);
}

/* The same means and different spreads: only the distances from the median tell. */
static void chains_of_another_spread(void **state) {
    (void)state;
    autoregressive(CHAINS, N, 0, 9);
    for (size_t c = 0; c < CHAINS; c += 2)
        for (size_t t = 0; t < N; t++) x[c * N + t] *= 3;
    between(judge(CHAINS, N).r_hat, 1.1, 2);
}

/* A chain that drifts from its beginning to its end disagrees with itself. */
static void chains_that_drift(void **state) {
    (void)state;
    autoregressive(CHAINS, N, 0, 10);
    for (size_t c = 0; c < CHAINS; c++)
        for (size_t t = 0; t < N; t++) x[c * N + t] += (double)t / N;
    between(judge(CHAINS, N).r_hat, 1.02, 1.1);
}

/* Ranks know nothing of scale, a logarithm changes nothing; infinities, ties and NaN are ordered; constants say nothing. */
static void ranks(void **state) {
    (void)state;
    autoregressive(CHAINS, N, 0.5, 11);
    fd_chain_verdict a = judge(CHAINS, N);
    for (size_t i = 0; i < CHAINS * N; i++) x[i] = exp(x[i]);
    fd_chain_verdict b = judge(CHAINS, N);
    assert_true(a.bulk_ess == b.bulk_ess);
    between(a.tail_ess / b.tail_ess, 0.999, 1.001); /* a quantile lies between two draws */
    for (size_t i = 0; i < CHAINS * N; i++)
        if (x[i] > 5) x[i] = i % 2 ? INFINITY : NAN;
    between(judge(CHAINS, N).bulk_ess / a.bulk_ess, 0.9, 1.1);
    for (size_t i = 0; i < CHAINS * N; i++) x[i] = (double)(i % 3 == 0); /* of two values */
    assert_true(isfinite(judge(CHAINS, N).r_hat));
    for (size_t i = 0; i < CHAINS * N; i++) x[i] = 2;
    assert_true(isnan(judge(CHAINS, N).r_hat) && isnan(judge(CHAINS, N).bulk_ess));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(independent_draws_are_worth_their_number), cmocka_unit_test(autoregressive_chains),
        cmocka_unit_test(chains_that_disagree), cmocka_unit_test(chains_of_another_spread),
        cmocka_unit_test(chains_that_drift), cmocka_unit_test(ranks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
