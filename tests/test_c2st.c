/* The classifier test: one law stays inside its null, and what no single quantity shows is caught. */
#include "physics_oracles.h"

#include "flavordiff/c2st.h"
#include "inference/stats.h"
#include "inference/two_sample.h"

enum { N = 600, D = 5 };

/* Standard normals; quantities 0 and 1 of correlation rho, which changes neither of their distributions. */
static void draw(uint64_t item, double rho, double *x) {
    fd_rng rng;
    fd_rng_start(&rng, 85, FD_STREAM_TEST, item, 0);
    for (int i = 0; i < N; i++, x += D) {
        for (int j = 0; j < D; j++) x[j] = fd_rng_normal(&rng);
        x[1] = rho * x[0] + sqrt(1 - rho * rho) * x[1];
    }
}

static void same_law(void **state) {
    (void)state;
    static double x[N * D], y[N * D];
    const fd_c2st_spec spec = {.permutations = 8, .seed = 1};
    fd_c2st r;
    draw(0, 0.5, x);
    draw(1, 0.5, y);
    assert_int_equal(fd_c2st_run(N, N, D, x, y, &spec, &r, NULL), FD_OK);
    assert_true(r.rows == N && r.permutations == 8);
    assert_true(r.accuracy < r.null99 && r.tail > 0.01);
    assert_below(fabs(r.accuracy - 0.5), 4 * sqrt(0.25 / (2 * N))); /* decisions of 2 N rows, about independent */
    assert_below(fabs(r.null_mean - 0.5), 0.02);
    assert_below(r.null_deviation, 2.5 * sqrt(0.25 / (2 * N)));
    assert_below(0.4 * sqrt(0.25 / (2 * N)), r.null_deviation);
}

/* No quantity differs by itself, and no mean: the best possible classifier, which decides by the likelihood ratio, is right in
 * 1/2 + arctan(rho / sqrt(1 - rho^2)) / pi of all cases of correlation rho against -rho (the sign of x0 x1). */
static void planted_correlation(void **state) {
    (void)state;
    static double x[N * D], y[N * D], a[N], b[N];
    const fd_c2st_spec spec = {.permutations = 8, .seed = 1};
    const double rho = 0.6, best = 0.5 + atan(rho / sqrt(1 - rho * rho)) / (0.5 * TAU);
    fd_c2st r;
    draw(2, rho, x);
    draw(3, -rho, y);
    for (int j = 0; j < D; j++) {
        for (int i = 0; i < N; i++) a[i] = x[i * D + j], b[i] = y[i * D + j];
        fd_sort(N, a);
        fd_sort(N, b);
        assert_true(fd_compare_sorted(N, a, N, b).ks_tail > 0.01);
    }
    assert_int_equal(fd_c2st_run(N, N, D, x, y, &spec, &r, NULL), FD_OK);
    assert_true(r.accuracy > r.null99 && r.tail < 0.001 && r.exceeding == 0);
    assert_below(r.accuracy, best + 4 * sqrt(best * (1 - best) / (2 * N)));
    assert_below(best - 0.08, r.accuracy);
}

/* What can be told apart for certain is; the seed decides all, and the number of rows is the smaller set's. */
static void limits(void **state) {
    (void)state;
    static double x[N * D], y[N * D];
    fd_c2st_spec spec = {.permutations = 2, .seed = 3};
    fd_c2st r, again;
    draw(4, 0, x);
    draw(5, 0, y);
    for (int i = 0; i < N; i++) y[i * D + 2] += 12;
    assert_int_equal(fd_c2st_run(N, N / 2, D, x, y, &spec, &r, NULL), FD_OK);
    assert_true(r.rows == N / 2 && r.accuracy > 0.99);
    assert_int_equal(fd_c2st_run(N, N / 2, D, x, y, &spec, &again, NULL), FD_OK);
    assert_memory_equal(&r, &again, sizeof r);
    spec.most = 40;
    fd_error err;
    assert_int_equal(fd_c2st_run(N, N, D, x, y, &spec, &r, &err), FD_ERR_EMPTY);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_law),
        cmocka_unit_test(planted_correlation),
        cmocka_unit_test(limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
