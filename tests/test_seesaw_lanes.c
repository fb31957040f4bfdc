/* The seesaw's kernels: elementary functions against the C library's long double, all tables bit for bit the same, awkward numbers
 * of rows, also with nearly equal masses and points that are no numbers. */
#include "physics_oracles.h"

#include <float.h>

#include "flavordiff/model.h"
#include "kernels/kernels.h"
#include "kernels/vector_math.h"

enum { W = FD_LANES, N_PAR = SEESAW_PARAMS };

/* ---- elementary functions -------------------------------------------------------------------------------------- */

static double spread(fd_rng *rng, double lo, double hi) { return lo + (hi - lo) * fd_rng_uniform(rng); }

static void near(double value, long double exact, double ulps, double floor) {
    assert_below((double)fabsl((long double)value - exact), (double)(ulps * DBL_EPSILON * fabsl(exact)) + floor);
}

static void elementary_functions(void **state) {
    (void)state;
    const long double pi = 3.14159265358979323846264338327950288L;
    const volatile long double one = 1;
    if (one + LDBL_EPSILON == one) skip(); /* valgrind: long double is double there, and no oracle */
    fd_rng rng;
    fd_rng_start(&rng, 61, FD_STREAM_TEST, 0, 0);
    for (int n = 0; n < 40000; n++) {
        double reach = n % 4 == 1 ? 4 : n % 4 == 2 ? 1e3 : 9e5;
        double x = n % 4 ? reach * spread(&rng, -1, 1) : (double)(pi / 2 * (n / 4 % 100 - 50));
        double y = pow(10, spread(&rng, -300, 300)), e = spread(&rng, -6, 3), t = pow(10, spread(&rng, -20, 20));
        if (n % 2) y = 1 + spread(&rng, -1, 1) * pow(10, -spread(&rng, 0, 15));
        vd sine, cosine, power = vexp10(splat(n % 3 ? e : 40 * e)), logarithm = vlog10(splat(y));
        vd angle = vatan_quadrant(splat(t), splat(1));
        vsincos(splat(x), &sine, &cosine);
        /* The remainder by pi/2 is right to 2^-100 |x|, which multiples of pi/2 show. */
        near(sine[VW - 1], sinl((long double)x), 2, 0x1p-98 * fabs(x));
        near(cosine[0], cosl((long double)x), 2, 0x1p-98 * fabs(x));
        near(power[VW - 1], powl(10, n % 3 ? e : 40 * e), 2, 0);
        near(logarithm[VW - 1], log10l((long double)y), 2, 0);
        near(angle[VW - 1], atanl((long double)t), 3, 0);
    }
}

/* Beyond the polynomials' range the C library decides, and only there. */
static void lanes_out_of_range(void **state) {
    (void)state;
    static const double odd[] = {(double)NAN, (double)INFINITY, -(double)INFINITY, 1e7, -400, 0, 1e-320, -1};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        vd x = splat(0.7), sine, cosine, alone, power = vexp10(x), logarithm = vlog10(x);
        vsincos(x, &alone, &cosine);
        x[0] = odd[i];
        vd mixed = vexp10(x), other = vlog10(x);
        vsincos(x, &sine, &cosine);
        assert_true(mixed[1] == power[1] && other[1] == logarithm[1] && sine[1] == alone[1]);
        double wanted[] = {pow(10, odd[i]), log10(odd[i]), sin(odd[i]), cos(odd[i])}, got[] = {mixed[0], other[0], sine[0], cosine[0]};
        for (int k = 0; k < 4; k++)
            assert_true(isnan(wanted[k]) ? isnan(got[k]) : wanted[k] == got[k] || fabs(got[k] / wanted[k] - 1) < 1e-15);
    }
}

/* ---- kernels --------------------------------------------------------------------------------------------------- */

/* Prior draws; Y = sqrt(D) U^+ with masses equal to 1e-3 ... 1e-15; hierarchies; a point that is no number. */
static void draw(const fd_model *model, uint64_t item, double *theta) {
    fd_rng rng;
    cmat u;
    fd_rng_start(&rng, 62, FD_STREAM_TEST, item, 0);
    model->draw_prior(model, &rng, theta);
    if (item % 8 == 7) theta[fd_rng_below(&rng, (uint32_t)model->n_params)] = item % 16 == 7 ? (double)NAN : 1e300;
    if (item % 8 == 6)
        for (int p = 0; p < 18; p++) theta[p] *= pow(10, -6 * fd_rng_uniform(&rng));
    if (item % 8 != 5) return;
    random_unitary(&rng, u);
    for (int i = 0; i < 3; i++)
        for (int a = 0; a < 3; a++) {
            double mass = i == 0 ? 0.7 : i == 1 ? 0.7 * (1 + pow(10, -3 - 12 * fd_rng_uniform(&rng))) : 0.1;
            theta[3 * i + a] = sqrt(mass) * creal(u[a][i]);
            theta[9 + 3 * i + a] = -sqrt(mass) * cimag(u[a][i]);
        }
    theta[SEESAW_R1] = theta[SEESAW_R2] = 1;
    for (int p = SEESAW_ARG1; p < model->n_params; p++) theta[p] = 0;
}

static fd_model *make(int setting) {
    fd_model_options options;
    fd_model *model;
    fd_model_options_default(&options);
    options.ordering = setting % 2 ? FD_ORDERING_INVERTED : FD_ORDERING_NORMAL;
    options.real_majorana = setting >= 2;
    assert_int_equal(fd_model_create(&options, &model, NULL), FD_OK);
    return model;
}

typedef struct results {
    seesaw_block block;
    double by_labels[SEESAW_LABELS * N_PAR * W], c[SEESAW_SURFACE * W], by_c[SEESAW_SURFACE * N_PAR * W];
    double missing[SEESAW_SURFACE * W], by_way[SEESAW_SURFACE * N_PAR * W];
} results;

static void run(const seesaw_kernels *k, const seesaw_setting *s, const double *theta, const double *labels, results *r) {
    memset(r, 0, sizeof *r);
    k->evaluate(s, theta, &r->block);
    k->derivatives(s, theta, &r->block, r->by_labels);
    k->surface(s, theta, &r->block, r->c, r->by_c);
    k->approach(s, theta, &r->block, labels, r->missing, r->by_way);
}

static void tables_agree_bitwise(void **state) {
    (void)state;
    static const char *const names[] = {"avx2", "avx512"};
    static results want, got;
    double unit[N_PAR], theta[N_PAR * W], labels[SEESAW_LABELS * W] = {0}, row[N_PAR];
    for (int p = 0; p < N_PAR; p++) unit[p] = 1 + 0.1 * p;
    for (int setting = 0; setting < 4; setting++) {
        fd_model *model = make(setting);
        seesaw_setting s = {setting % 2, model->n_params, 1e9, unit};
        for (uint64_t n = 0; n < 200; n++) {
            for (int w = 0; w < W; w++) {
                draw(model, n * W + (uint64_t)w, row);
                for (int p = 0; p < model->n_params; p++) theta[p * W + w] = row[p];
            }
            run(fd_kernels_named("portable")->seesaw, &s, theta, labels, &want);
            for (size_t t = 0; t < sizeof names / sizeof *names; t++) {
                const fd_kernels *k = fd_kernels_named(names[t]);
                if (!k) continue;
                run(k->seesaw, &s, theta, labels, &got);
                const double *a = (const double *)&want, *b = (const double *)&got;
                for (size_t i = 0; i < sizeof want / sizeof *a; i++) assert_true(isnan(a[i]) ? isnan(b[i]) : a[i] == b[i]);
            }
            memcpy(labels, want.block.label, sizeof labels); /* the next ones are on their way to these */
        }
        fd_model_free(model);
    }
}

/* Rows do not know how many they are: what `count` rows give is what each gives alone, bit for bit, and nothing is written beyond. */
static void awkward_counts(void **state) {
    (void)state;
    enum { MOST = 17, SURFACE = SEESAW_SURFACE, LABELS = SEESAW_LABELS };
    static const size_t counts[] = {1, 2, 7, 8, 9, 15, 16, 17};
    static double theta[MOST * N_PAR], labels[MOST * LABELS], c[MOST * SURFACE + 1], j[MOST * SURFACE * N_PAR + 1];
    double one[SURFACE], one_j[SURFACE * N_PAR];
    for (int setting = 0; setting < 4; setting++) {
        fd_model *model = make(setting);
        size_t dim = (size_t)model->n_params, block = SURFACE * dim;
        for (size_t i = 0; i < MOST; i++) draw(model, 8 * i + i % 7, theta + i * dim);
        model->forward(model, MOST, theta, labels, NULL);
        for (size_t k = 0; k < sizeof counts / sizeof *counts; k++)
            for (int kind = 0; kind < 2; kind++) {
                size_t n = counts[k];
                c[n * SURFACE] = j[n * block] = 4711;
                if (kind) model->approach(model, n, theta, labels + LABELS * (MOST - n), c, j);
                else model->surface(model, n, theta, c, j);
                assert_true(c[n * SURFACE] == 4711 && j[n * block] == 4711);
                for (size_t i = 0; i < n; i++) {
                    if (kind) model->approach(model, 1, theta + i * dim, labels + LABELS * (MOST - n + i), one, one_j);
                    else model->surface(model, 1, theta + i * dim, one, one_j);
                    assert_memory_equal(one, c + i * SURFACE, sizeof one);
                    assert_memory_equal(one_j, j + i * block, block * sizeof *one_j);
                }
            }
        fd_model_free(model);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(elementary_functions), cmocka_unit_test(lanes_out_of_range),
                                       cmocka_unit_test(tables_agree_bitwise), cmocka_unit_test(awkward_counts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
