/* Takagi factorisation against LAPACK, against matrices of known masses, and at the edges. */
#include "physics_oracles.h"

#include <lapacke.h>

#include "flavordiff/model.h"
#include "kernels/kernels.h"
#include "physics/takagi.h"

static void check_valid(cmat m, const double d[3], cmat u) {
    double scale = largest(m);
    assert_below(unitarity_defect(u), 1e-13);
    assert_true(d[0] >= 0 && d[0] <= d[1] && d[1] <= d[2]);
    if (scale == 0) {
        assert_true(d[2] == 0);
        return;
    }
    /* Scaled first, so that tiny and huge matrices do not under- or overflow here. */
    int exponent;
    frexp(scale, &exponent);
    cmat scaled;
    double ds[3];
    for (int i = 0; i < 9; i++)
        scaled[i / 3][i % 3] = ldexp(creal(m[i / 3][i % 3]), -exponent) + I * ldexp(cimag(m[i / 3][i % 3]), -exponent);
    for (int i = 0; i < 3; i++) ds[i] = ldexp(d[i], -exponent);
    assert_below(residual(scaled, ds, u) / largest(scaled), 1e-12);
}

static void singular_values(cmat m, double s[3]) {
    lapack_complex_double a[16] = {0}, dummy[1]; /* roomy: OpenBLAS 0.3.21 reads past the end */
    double superb[3], values[3];
    for (int i = 0; i < 9; i++) a[i] = m[i / 3][i % 3];
    assert_int_equal(LAPACKE_zgesvd(LAPACK_COL_MAJOR, 'N', 'N', 3, 3, a, 3, values, dummy, 1, dummy, 1, superb), 0);
    for (int i = 0; i < 3; i++) s[i] = values[2 - i];
}

/* The mass matrix of a prior draw, straight from eq. (2.2). */
static void prior_matrix(const fd_model *model, uint64_t item, cmat m) {
    fd_rng rng;
    double t[FD_MAX_PARAMS];
    fd_rng_start(&rng, 20, FD_STREAM_TEST, item, 0);
    model->draw_prior(model, &rng, t);
    double complex x[3] = {cexp(-I * t[21]) / t[18], cexp(-I * t[22]) / t[19], 1};
    for (int a = 0; a < 3; a++)
        for (int b = a; b < 3; b++) {
            m[a][b] = 0;
            for (int i = 0; i < 3; i++)
                m[a][b] += pow(10, t[20]) * (t[3 * i + a] + I * t[9 + 3 * i + a]) * x[i] * (t[3 * i + b] + I * t[9 + 3 * i + b]);
            m[b][a] = m[a][b];
        }
}

static void prior_draws_agree_with_svd(void **state) {
    (void)state;
    fd_model_options options;
    fd_model *model;
    fd_model_options_default(&options);
    assert_int_equal(fd_model_create(&options, &model, NULL), FD_OK);
    int light = 0;
    for (uint64_t n = 0; n < 100000; n++) {
        cmat m, u;
        double d[3], s[3];
        prior_matrix(model, n, m);
        fd_takagi(m, d, u);
        check_valid(m, d, u);
        singular_values(m, s);
        for (int i = 0; i < 3; i++) assert_below(fabs(d[i] - s[i]) / s[2], 2e-14);
        /* The determinant in long double is itself good to about 1e-19 m3^2 / (m1 m2). */
        double known = 1e-18 * (s[2] / s[0]) * (s[2] / s[1]);
        if (d[0] / d[2] < 1e-6 || known > 1e-9) continue;
        light += d[0] / d[2] < 1e-3;
        assert_below(fabs(modulus_of_determinant(m) / (d[1] * d[2]) / d[0] - 1), 1e-8);
    }
    assert_true(light > 1000);
    fd_model_free(model);
}

static void columns_are_eigenvectors(void **state) {
    (void)state;
    fd_rng rng;
    fd_rng_start(&rng, 21, FD_STREAM_TEST, 0, 0);
    for (int n = 0; n < 2000; n++) {
        cmat v, m, u;
        double d0[3] = {0.3 + 0.1 * fd_rng_uniform(&rng), 0.6, 1 + fd_rng_uniform(&rng)}, d[3], values[3];
        random_unitary(&rng, v);
        compose(d0, v, m);
        fd_takagi(m, d, u);
        lapack_complex_double h[16] = {0};
        for (int a = 0; a < 3; a++)
            for (int b = 0; b < 3; b++) {
                h[a + 3 * b] = 0;
                for (int i = 0; i < 3; i++) h[a + 3 * b] += conj(m[i][a]) * m[i][b];
            }
        assert_int_equal(LAPACKE_zheev(LAPACK_COL_MAJOR, 'V', 'U', 3, h, 3, values), 0);
        for (int j = 0; j < 3; j++) {
            assert_below(fabs(values[j] - d[j] * d[j]), 1e-13);
            double complex dot = 0;
            for (int i = 0; i < 3; i++) dot += conj(h[i + 3 * j]) * u[i][j];
            assert_below(fabs(cabs(dot) - 1), 1e-13);
            /* ... and the columns of the matrix it was made of, up to a sign. */
            dot = 0;
            for (int i = 0; i < 3; i++) dot += conj(v[i][j]) * u[i][j];
            assert_below(fabs(fabs(creal(dot)) - 1), 1e-13);
            assert_below(fabs(cimag(dot)), 1e-13);
        }
    }
}

static void hierarchies_keep_the_light_mass(void **state) {
    (void)state;
    fd_rng rng;
    fd_rng_start(&rng, 22, FD_STREAM_TEST, 0, 0);
    for (int n = 0; n < 40000; n++) {
        double depth = 8 * fd_rng_uniform(&rng), middle = depth * fd_rng_uniform(&rng), d[3];
        double d0[3] = {pow(10, -depth), pow(10, -middle), 1};
        cmat v, m, u;
        random_unitary(&rng, v);
        compose(d0, v, m);
        fd_takagi(m, d, u);
        check_valid(m, d, u);
        assert_below(fabs(d[2] - 1), 1e-14);
        /* m itself is rounded to 1e-16 of its largest element: no method can do better than that. */
        assert_below(fabs(d[1] - d0[1]), 2e-15);
        assert_below(fabs(d[0] - d0[0]), 2e-15);
        if (depth <= 6) assert_below(fabs(d[0] / d0[0] - 1), 1e-8);
    }
}

static void degenerate_and_rank_deficient(void **state) {
    (void)state;
    static const double spectra[][3] = {{1, 1, 2},     {1, 2, 2},         {1, 1, 1}, {0, 1, 2}, {0, 1, 1}, {0, 0, 1}, {0, 0, 0},
                                        {1e-9, 1e-9, 1}, {1, 1 + 1e-15, 2}, {1, 1 + 1e-9, 1 + 2e-9}, {1e-300, 1e-200, 1}};
    fd_rng rng;
    fd_rng_start(&rng, 23, FD_STREAM_TEST, 0, 0);
    for (int n = 0; n < 20000; n++) {
        const double *d0 = spectra[(size_t)n % (sizeof spectra / sizeof *spectra)];
        cmat v, m, u;
        double d[3];
        random_unitary(&rng, v);
        compose(d0, v, m);
        fd_takagi(m, d, u);
        check_valid(m, d, u);
        for (int i = 0; i < 3; i++) assert_below(fabs(d[i] - d0[i]), 1e-14);
    }
}

/* Sparse matrices with entries 0, +-1, +-i: all the exact ties a Jacobi step can meet, |a| = |b| blocks among them. */
static void exact_ties(void **state) {
    (void)state;
    static const double complex entries[6] = {0, 1, -1, I, -I, 1 + I};
    for (int code = 0; code < 6 * 6 * 6 * 6 * 6 * 6; code++) {
        cmat m, u;
        double d[3], s[3];
        int rest = code;
        for (int i = 0; i < 3; i++)
            for (int j = i; j < 3; j++, rest /= 6) m[i][j] = m[j][i] = entries[rest % 6];
        fd_takagi(m, d, u);
        check_valid(m, d, u);
        if (code % 7) continue;
        singular_values(m, s);
        for (int i = 0; i < 3; i++) assert_below(fabs(d[i] - s[i]), 1e-14);
    }
}

static void tiny_and_huge_scales(void **state) {
    (void)state;
    static const int exponents[] = {-1020, -1000, -600, -1, 0, 1, 600, 1000, 1020, 1023};
    fd_rng rng;
    fd_rng_start(&rng, 24, FD_STREAM_TEST, 0, 0);
    for (int n = 0; n < 500; n++) {
        cmat v, m, u0;
        double d0[3], spectrum[3] = {0.2, 0.5, 1.1};
        random_unitary(&rng, v);
        compose(spectrum, v, m);
        fd_takagi(m, d0, u0);
        for (size_t k = 0; k < sizeof exponents / sizeof *exponents; k++) {
            cmat scaled, u;
            double d[3];
            for (int i = 0; i < 9; i++)
                scaled[i / 3][i % 3] = ldexp(creal(m[i / 3][i % 3]), exponents[k]) + I * ldexp(cimag(m[i / 3][i % 3]), exponents[k]);
            fd_takagi(scaled, d, u);
            if (exponents[k] < -1000) { /* subnormal elements have lost bits */
                check_valid(scaled, d, u);
                continue;
            }
            assert_memory_equal(u, u0, sizeof u);
            for (int i = 0; i < 3; i++) assert_true(d[i] == ldexp(d0[i], exponents[k]));
        }
    }
    cmat m = {{5e-324}}, u;
    double d[3];
    fd_takagi(m, d, u);
    assert_true(d[2] == 5e-324 && d[1] == 0);
    assert_below(unitarity_defect(u), 1e-13);
    /* A diagonal matrix is left exactly as it is, however deep its hierarchy. */
    cmat diagonal = {{1e-200 * I, 0, 0}, {0, -1, 0}, {0, 0, 1e-90}};
    fd_takagi(diagonal, d, u);
    assert_true(d[0] == 1e-200 && d[1] == 1e-90 && d[2] == 1);
}

static void not_finite_stays_in_its_lane(void **state) {
    (void)state;
    fd_rng rng;
    fd_takagi_lanes clean, dirty;
    fd_rng_start(&rng, 25, FD_STREAM_TEST, 0, 0);
    for (int e = 0; e < FD_SYM; e++)
        for (int w = 0; w < FD_LANES; w++) {
            clean.m_re[e][w] = fd_rng_normal(&rng);
            clean.m_im[e][w] = fd_rng_normal(&rng);
        }
    dirty = clean;
    dirty.m_im[FD_ET][3] = NAN;
    dirty.m_re[FD_MM][5] = -INFINITY;
    fd_takagi_batch(&clean);
    fd_takagi_batch(&dirty);
    for (int w = 0; w < FD_LANES; w++)
        for (int i = 0; i < 9; i++) {
            double re = dirty.u_re[i / 3][i % 3][w], im = dirty.u_im[i / 3][i % 3][w], d = dirty.d[i % 3][w];
            if (w == 3 || w == 5)
                assert_true(isnan(re) && isnan(im) && isnan(d));
            else
                assert_true(re == clean.u_re[i / 3][i % 3][w] && im == clean.u_im[i / 3][i % 3][w] && d == clean.d[i % 3][w]);
        }
    /* Also where nothing is left to rotate. */
    cmat diagonal = {{NAN, 0, 0}, {0, 1, 0}, {0, 0, 2}}, u;
    double d[3];
    fd_takagi(diagonal, d, u);
    for (int i = 0; i < 9; i++) assert_true(isnan(creal(u[i / 3][i % 3])) && isnan(cimag(u[i / 3][i % 3])) && isnan(d[i / 3]));
}

/* A lane's bits do not depend on its neighbours, however many sweeps those need. */
static void lanes_are_independent(void **state) {
    (void)state;
    fd_rng rng;
    fd_rng_start(&rng, 26, FD_STREAM_TEST, 0, 0);
    for (int n = 0; n < 5000; n++) {
        fd_takagi_lanes lanes;
        cmat m[FD_LANES];
        for (int w = 0; w < FD_LANES; w++) {
            cmat v;
            double depth = w % 3 ? 1 : 1e-7, d0[3] = {depth * fd_rng_uniform(&rng), w % 4 ? fd_rng_uniform(&rng) : 1, 1};
            random_unitary(&rng, v);
            if (w == n % FD_LANES) memset(v, 0, sizeof v);
            compose(d0, v, m[w]);
            for (int e = 0, i = 0; i < 3; i++)
                for (int j = i; j < 3; j++, e++) {
                    lanes.m_re[e][w] = creal(m[w][i][j]);
                    lanes.m_im[e][w] = cimag(m[w][i][j]);
                }
        }
        fd_takagi_batch(&lanes);
        for (int w = 0; w < FD_LANES; w++) {
            double d[3];
            cmat u;
            fd_takagi(m[w], d, u);
            for (int i = 0; i < 9; i++) {
                double complex from_batch = lanes.u_re[i / 3][i % 3][w] + I * lanes.u_im[i / 3][i % 3][w];
                assert_memory_equal(&u[i / 3][i % 3], &from_batch, sizeof from_batch);
                assert_true(d[i / 3] == lanes.d[i / 3][w]);
            }
        }
    }
}

static void same_number(const char *table, const double *a, const double *b, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (memcmp(&a[i], &b[i], sizeof *a) != 0 && !(isnan(a[i]) && isnan(b[i])))
            fail_msg("%s gives %a where portable gives %a", table, b[i], a[i]);
}

/* Every table's kernel gives the bits of the portable one: random, hierarchical, tied, scaled and broken matrices. */
static void tables_agree_bitwise(void **state) {
    (void)state;
    static const char *const names[] = {"avx2", "avx512"};
    static const double ties[4] = {0, 1, -1, -0.0};
    fd_rng rng;
    fd_rng_start(&rng, 27, FD_STREAM_TEST, 0, 0);
    for (int n = 0; n < 20000; n++) {
        fd_takagi_lanes in, want;
        memset(&in, 0, sizeof in);
        for (int w = 0; w < FD_LANES; w++)
            for (int e = 0; e < FD_SYM; e++) {
                double scale = w < 2 ? 1 : w < 4 ? pow(10, -12 * fd_rng_uniform(&rng)) : w == 4 ? 1e-310 : 1e307;
                in.m_re[e][w] = w > 5 ? ties[fd_rng_below(&rng, 4)] : scale * fd_rng_normal(&rng);
                in.m_im[e][w] = w > 5 ? ties[fd_rng_below(&rng, 4)] : scale * fd_rng_normal(&rng);
            }
        if (n % 8 == 0) in.m_im[n / 8 % FD_SYM][n / 8 % FD_LANES] = n % 16 ? NAN : INFINITY;
        want = in;
        fd_kernels_named("portable")->takagi(&want);
        for (size_t t = 0; t < sizeof names / sizeof *names; t++) {
            const fd_kernels *k = fd_kernels_named(names[t]);
            if (!k) continue;
            fd_takagi_lanes got = in;
            k->takagi(&got);
            same_number(names[t], &want.d[0][0], &got.d[0][0], sizeof want.d / sizeof(double));
            same_number(names[t], &want.u_re[0][0][0], &got.u_re[0][0][0], sizeof want.u_re / sizeof(double));
            same_number(names[t], &want.u_im[0][0][0], &got.u_im[0][0][0], sizeof want.u_im / sizeof(double));
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prior_draws_agree_with_svd), cmocka_unit_test(columns_are_eigenvectors),
        cmocka_unit_test(hierarchies_keep_the_light_mass), cmocka_unit_test(degenerate_and_rank_deficient),
        cmocka_unit_test(exact_ties), cmocka_unit_test(tiny_and_huge_scales),
        cmocka_unit_test(not_finite_stays_in_its_lane), cmocka_unit_test(lanes_are_independent),
        cmocka_unit_test(tables_agree_bitwise)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
