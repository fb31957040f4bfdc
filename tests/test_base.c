/* Status table and random streams. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <math.h>

#include "flavordiff/rng.h"
#include "flavordiff/status.h"

#include <Random123/philox.h>

static void error_chain_keeps_head(void **state) {
    (void)state;
    fd_error err;
    assert_int_equal(fd_fail(&err, FD_ERR_FORMAT, "%s: bad magic", "a.h5"), FD_ERR_FORMAT);
    fd_error_prefix(&err, "train");
    assert_string_equal(err.message, "train: a.h5: bad magic");
    for (int i = 0; i < 400; i++) fd_error_prefix(&err, "layer %d", i);
    assert_true(strlen(err.message) == sizeof err.message - 1);
    assert_true(strncmp(err.message, "layer 399: ", 11) == 0);
    fd_fail(&err, FD_ERR_FILE, "%s: missing", "a\nb\x1b[2J\x7f\xc3\xbc.h5"); /* what is quoted: a name with control characters */
    fd_error_prefix(&err, "%s", "c\rd");
    assert_string_equal(err.message, "c?d: a?b?[2J?\xc3\xbc.h5: missing");
    assert_int_equal(fd_fail(NULL, FD_ERR_FILE, "no one listens"), FD_ERR_FILE);
    assert_int_equal(fd_status_exit_code(FD_ERR_FORMAT), 3);
    assert_int_equal(fd_status_exit_code(FD_ERR_CONFIG), 2);
    assert_int_equal(fd_status_exit_code(FD_ERR_STOPPED), 75);
}

/* Known answer of Random123's own kat_vectors: philox4x32-10, all counters and keys ones. */
static void philox_known_answer(void **state) {
    (void)state;
    philox4x32_ctr_t c = {{~0u, ~0u, ~0u, ~0u}};
    philox4x32_key_t k = {{~0u, ~0u}};
    philox4x32_ctr_t r = philox4x32(c, k);
    assert_int_equal(r.v[0], 0x408f276d);
    assert_int_equal(r.v[1], 0x41c83b0e);
    assert_int_equal(r.v[2], 0xa20bc7c6);
    assert_int_equal(r.v[3], 0x6d5451fd);
}

static void streams_differ_and_repeat(void **state) {
    (void)state;
    fd_rng a, b;
    fd_rng_start(&a, 7, FD_STREAM_PRIOR, 3, 0);
    fd_rng_start(&b, 7, FD_STREAM_PRIOR, 3, 0);
    for (int i = 0; i < 100; i++) assert_int_equal(fd_rng_u32(&a), fd_rng_u32(&b));
    uint32_t first[5];
    fd_rng_start(&a, 7, FD_STREAM_PRIOR, 3, 0), first[0] = fd_rng_u32(&a);
    fd_rng_start(&a, 8, FD_STREAM_PRIOR, 3, 0), first[1] = fd_rng_u32(&a);
    fd_rng_start(&a, 7, FD_STREAM_SCAN, 3, 0), first[2] = fd_rng_u32(&a);
    fd_rng_start(&a, 7, FD_STREAM_PRIOR, 4, 0), first[3] = fd_rng_u32(&a);
    fd_rng_start(&a, 7, FD_STREAM_PRIOR, 3, 1), first[4] = fd_rng_u32(&a);
    for (int i = 0; i < 5; i++)
        for (int j = 0; j < i; j++) assert_int_not_equal(first[i], first[j]);
}

/* Pairs lie at the radius and angle of two uniforms; an odd number takes one component of the last; both components are normal
 * and have nothing to do with each other, within five deviations. */
static void normals_in_pairs(void **state) {
    (void)state;
    enum { N = 200000 };
    static double z[N];
    fd_rng a, b;
    fd_rng_start(&a, 9, FD_STREAM_TEST, 0, 0);
    fd_rng_start(&b, 9, FD_STREAM_TEST, 0, 0);
    fd_rng_normals(&a, 7, z);
    for (int i = 0; i < 8; i += 2) {
        double u = fd_rng_uniform(&b), v = fd_rng_uniform(&b);
        assert_true(fabs(hypot(z[i], i < 6 ? z[i + 1] : z[i] * tan(6.283185307179586477 * v)) - sqrt(-2 * log(1 - u))) < 1e-9);
        if (i < 6) assert_true(fabs(remainder(atan2(z[i + 1], z[i]) - 6.283185307179586477 * v, 6.283185307179586477)) < 1e-12);
    }
    assert_true(fd_rng_u32(&a) == fd_rng_u32(&b));
    fd_rng_normals(&a, N, z);
    for (int part = 0; part < 2; part++) {
        double square = 0, fourth = 0, product = 0;
        for (int i = 0; i < N; i += 2) {
            double x = z[i + part] * z[i + part];
            square += x;
            fourth += x * x;
            product += z[i] * z[i + 1];
        }
        assert_true(fabs(square / (N / 2) - 1) < 5 * sqrt(2.0 / (N / 2)));
        assert_true(fabs(fourth / (N / 2) - 3) < 5 * sqrt(96.0 / (N / 2)));
        assert_true(fabs(product / (N / 2)) < 5 * sqrt(1.0 / (N / 2)));
    }
}

static void moments(void **state) {
    (void)state;
    enum { N = 200000 };
    double u1 = 0, u2 = 0, n1 = 0, n2 = 0, n4 = 0;
    unsigned counts[7] = {0};
    for (int i = 0; i < N; i++) {
        fd_rng r;
        fd_rng_start(&r, 1, FD_STREAM_TEST, (uint64_t)i, 0);
        double u = fd_rng_uniform(&r), z = fd_rng_normal(&r);
        u1 += u, u2 += u * u, n1 += z, n2 += z * z, n4 += z * z * z * z;
        counts[fd_rng_below(&r, 7)]++;
    }
    /* five standard errors of each mean */
    assert_true(fabs(u1 / N - 0.5) < 5 * sqrt(1.0 / 12 / N));
    assert_true(fabs(u2 / N - 1.0 / 3) < 5 * sqrt(4.0 / 45 / N));
    assert_true(fabs(n1 / N) < 5 / sqrt(N));
    assert_true(fabs(n2 / N - 1) < 5 * sqrt(2.0 / N));
    assert_true(fabs(n4 / N - 3) < 5 * sqrt(96.0 / N));
    for (int i = 0; i < 7; i++) assert_true(fabs(counts[i] - N / 7.0) < 5 * sqrt(N / 7.0));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(error_chain_keeps_head),
        cmocka_unit_test(philox_known_answer),
        cmocka_unit_test(streams_differ_and_repeat),
        cmocka_unit_test(moments), cmocka_unit_test(normals_in_pairs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
