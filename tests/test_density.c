/* Contours of a density against closed forms: circles of a normal law, widened by the kernel; an angle that goes round; a logarithm. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "flavordiff/rng.h"
#include "stages/density.h"

enum { N = 20000 };
static double x[N], y[N];

/* Columns x, y, dx, dy, share. */
static fd_table contours(fd_density_axis a, fd_density_axis b, int n, const double *shares) {
    static const char *const names[] = {"x", "y", "dx", "dy", "share"};
    fd_table t = {0};
    assert_int_equal(fd_table_create(5, names, &t, NULL), FD_OK);
    assert_int_equal(fd_density_contours(N, &a, &b, n, shares, &t, NULL), FD_OK);
    return t;
}

/* Middle of a segment. */
static void middle(const fd_table *t, size_t i, double at[2]) {
    at[0] = fd_table_at(t, i, 0) + fd_table_at(t, i, 2) / 2;
    at[1] = fd_table_at(t, i, 1) + fd_table_at(t, i, 3) / 2;
}

/* The region that holds p of a normal law is the disc of radius sqrt(-2 ln (1 - p)) deviations, those of the law and the kernel,
 * 1 + N^(-1/3), together; chance moves it by a few hundredths. One closed line each: 2 pi r long. */
static void circles(void **state) {
    (void)state;
    static const double shares[2] = {0.5, 0.9};
    fd_rng rng;
    for (int logarithm = 0; logarithm < 2; logarithm++) {
        fd_rng_start(&rng, 3, FD_STREAM_TEST, (uint64_t)logarithm, 0);
        for (int i = 0; i < N; i++) {
            x[i] = fd_rng_normal(&rng), y[i] = 5 + 3 * fd_rng_normal(&rng);
            if (logarithm) x[i] = pow(10, x[i]);
        }
        fd_table t = contours((fd_density_axis){x, logarithm, 0}, (fd_density_axis){y, false, 0}, 2, shares);
        for (int s = 0; s < 2; s++) {
            double radius = sqrt(-2 * log(1 - shares[s]) * (1 + pow(N, -1.0 / 3))), length = 0, mean = 0;
            size_t n = 0;
            for (size_t i = 0; i < t.n_rows; i++) {
                double at[2];
                if (fd_table_at(&t, i, 4) != shares[s]) continue;
                middle(&t, i, at);
                double u = logarithm ? log10(at[0]) : at[0], v = (at[1] - 5) / 3, r = hypot(u, v);
                if (!(fabs(r / radius - 1) < 0.15)) fail_msg("share %g: radius %g, expected %g", shares[s], r, radius);
                double end = fd_table_at(&t, i, 0) + fd_table_at(&t, i, 2), begin = fd_table_at(&t, i, 0);
                length += hypot(logarithm ? log10(end / begin) : end - begin, fd_table_at(&t, i, 3) / 3);
                mean += r;
                n++;
            }
            assert_true(n > 50);
            assert_true(fabs(mean / (double)n / radius - 1) < 0.03);
            assert_true(fabs(length / (2 * 3.14159265358979 * radius) - 1) < 0.08);
        }
        fd_table_free(&t);
    }
}

/* A normal law about 0 degrees: the same line is met near 0 and near 360 and nowhere between. */
static void round_the_circle(void **state) {
    (void)state;
    static const double share[1] = {0.9};
    size_t low = 0, high = 0;
    double top = 0;
    fd_rng rng;
    fd_rng_start(&rng, 4, FD_STREAM_TEST, 0, 0);
    for (int i = 0; i < N; i++) {
        double angle = 20 * fd_rng_normal(&rng);
        x[i] = fd_rng_normal(&rng), y[i] = angle - 360 * floor(angle / 360);
    }
    fd_table t = contours((fd_density_axis){x, false, 0}, (fd_density_axis){y, false, 360}, 1, share);
    for (size_t i = 0; i < t.n_rows; i++) {
        double at[2];
        middle(&t, i, at);
        assert_true(at[1] < 100 || at[1] > 260);
        low += at[1] < 180, high += at[1] > 180;
        if (at[1] < 180) top = fmax(top, at[1]);
    }
    assert_true(low > 20 && high > 20);
    /* quartiles on [0, 360) say a width of a flat circle, so the kernel has that: 360/sqrt(12) N^(-1/6) = 20 degrees */
    assert_true(fabs(top - sqrt(-2 * log(0.1) * 2) * 20) < 8);
    fd_table_free(&t);
}

/* What is not finite lies outside of all; points on a line have no contours. */
static void holes(void **state) {
    (void)state;
    static const double share[1] = {0.5};
    fd_rng rng;
    fd_rng_start(&rng, 5, FD_STREAM_TEST, 0, 0);
    for (int i = 0; i < N; i++) x[i] = fd_rng_normal(&rng), y[i] = i % 4 ? fd_rng_normal(&rng) : NAN;
    fd_table t = contours((fd_density_axis){x, false, 0}, (fd_density_axis){y, false, 0}, 1, share);
    double radius = sqrt(-2 * log(1 - 0.5 / 0.75) * (1 + pow(N, -1.0 / 3))), at[2];
    assert_true(t.n_rows > 50);
    for (size_t i = 0; i < t.n_rows; i++) {
        middle(&t, i, at);
        assert_true(fabs(hypot(at[0], at[1]) / radius - 1) < 0.15);
    }
    fd_table_free(&t);
    for (int i = 0; i < N; i++) y[i] = 1;
    t = contours((fd_density_axis){x, false, 0}, (fd_density_axis){y, false, 0}, 1, share);
    assert_int_equal(t.n_rows, 0);
    fd_table_free(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(circles), cmocka_unit_test(round_the_circle), cmocka_unit_test(holes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
