/* The seesaw forward map: eq. (2.2) to observables, checked by rebuilding the mass matrix and by exact identities. */
#include "physics_oracles.h"

#include <float.h>

#include <lapacke.h>

#include "flavordiff/model.h"

enum { M1, M2, M3, DM21, DM3L, S12, S13, S23, DELTA, A21, A31, ETA, JARLSKOG, SUM, MBB, MNUE, U, HEAVY = U + 9,
       DIGITS = HEAVY + 3, N_OBS };
enum { R1 = 18, R2, K, ARG1, ARG2, N_PAR, N_LAB = 11 };

static fd_model *make(fd_ordering ordering, fd_phases phases, bool real_majorana) {
    fd_model_options options;
    fd_model *model;
    fd_model_options_default(&options);
    options.ordering = ordering;
    options.phases = phases;
    options.real_majorana = real_majorana;
    assert_int_equal(fd_model_create(&options, &model, NULL), FD_OK);
    return model;
}

static void prior_row(const fd_model *model, uint64_t item, double *theta) {
    fd_rng rng;
    fd_rng_start(&rng, 30, FD_STREAM_TEST, item, 0);
    model->draw_prior(model, &rng, theta);
}

/* Eq. (2.2), written out. */
static void mass_matrix(const double *t, cmat m) {
    double complex x[3] = {cexp(-I * t[ARG1]) / t[R1], cexp(-I * t[ARG2]) / t[R2], 1};
    for (int a = 0; a < 3; a++)
        for (int b = 0; b < 3; b++) {
            m[a][b] = 0;
            for (int i = 0; i < 3; i++)
                m[a][b] += pow(10, t[K]) * (t[3 * i + a] + I * t[9 + 3 * i + a]) * x[i] * (t[3 * i + b] + I * t[9 + 3 * i + b]);
        }
}

/* Eq. (2.4), written out, from observables. */
static void pmns(const double *o, cmat u) {
    double s12 = sqrt(o[S12]), c12 = sqrt(1 - o[S12]), s13 = sqrt(o[S13]), c13 = sqrt(1 - o[S13]), s23 = sqrt(o[S23]),
           c23 = sqrt(1 - o[S23]);
    double complex e = cexp(I * o[DELTA]);
    cmat v = {{c12 * c13, s12 * c13, s13 / e},
              {-s12 * c23 - c12 * s23 * s13 * e, c12 * c23 - s12 * s23 * s13 * e, s23 * c13},
              {s12 * s23 - c12 * c23 * s13 * e, -c12 * s23 - s12 * c23 * s13 * e, c23 * c13}};
    double complex phase[3] = {1, cexp(0.5 * I * o[A21]), cexp(0.5 * I * o[A31])};
    for (int i = 0; i < 9; i++) u[i / 3][i % 3] = v[i / 3][i % 3] * phase[i % 3];
}

static void tables_are_the_contract(void **state) {
    (void)state;
    static const char *const observables[] = {
        "m1_eV", "m2_eV", "m3_eV", "dm21_eV2", "dm3l_eV2", "s12sq", "s13sq", "s23sq", "delta_rad", "alpha21_rad",
        "alpha31_rad", "eta_rad", "jarlskog", "sum_m_eV", "mbb_eV", "mnue_eV", "U_e1", "U_e2", "U_e3", "U_mu1", "U_mu2",
        "U_mu3", "U_tau1", "U_tau2", "U_tau3", "M1_GeV", "M2_GeV", "M3_GeV", "yukawa_digits"};
    static const char *const params[] = {
        "re_Y_1e", "re_Y_1mu", "re_Y_1tau", "re_Y_2e", "re_Y_2mu", "re_Y_2tau", "re_Y_3e", "re_Y_3mu", "re_Y_3tau",
        "im_Y_1e", "im_Y_1mu", "im_Y_1tau", "im_Y_2e", "im_Y_2mu", "im_Y_2tau", "im_Y_3e", "im_Y_3mu", "im_Y_3tau",
        "r1", "r2", "k", "arg_M1", "arg_M2"};
    static const char *const labels[] = {"log10_dm21_eV2", "log10_dm3l_eV2", "U_e1", "U_e2", "U_e3", "U_mu1", "U_mu2",
                                         "U_mu3", "U_tau1", "U_tau2", "U_tau3"};
    for (int real = 0; real < 2; real++) {
        fd_model *model = make(FD_ORDERING_NORMAL, FD_PHASES_TAKAGI, real);
        assert_int_equal(model->n_params, real ? 21 : 23);
        assert_int_equal(model->n_observables, N_OBS);
        assert_int_equal(model->n_ordered, 1);
        assert_true(model->ordered[0][0] == R1 && model->ordered[0][1] == R2);
        assert_int_equal(model->n_labels, N_LAB);
        for (int i = 0; i < model->n_params; i++) {
            assert_string_equal(model->params[i].name, params[i]);
            assert_int_equal(fd_model_param(model, params[i]), i);
            assert_true(model->params[i].lo < model->params[i].hi && model->params[i].periodic == (i >= ARG1));
        }
        for (int i = 0; i < N_OBS; i++) {
            assert_string_equal(model->observables[i].name, observables[i]);
            assert_int_equal(fd_model_observable(model, observables[i]), i);
            assert_true(model->observables[i].periodic == (i >= DELTA && i <= ETA));
        }
        for (int i = 0; i < N_LAB; i++) {
            assert_string_equal(model->labels[i].name, labels[i]);
            assert_int_equal(fd_model_label(model, labels[i]), i);
            assert_int_equal(model->labels[i].observable, i < 2 ? DM21 + i : U + i - 2);
            assert_true(model->labels[i].log10 == (i < 2));
        }
        assert_int_equal(fd_model_param(model, "arg_M3"), -1);
        fd_model_free(model);
    }
    fd_model_free(NULL);
}

static void options_are_checked(void **state) {
    (void)state;
    fd_model_options good, bad;
    fd_model *model;
    fd_error err;
    fd_model_options_default(&good);
    bad = good;
    strcpy(bad.kind, "texture");
    assert_int_equal(fd_model_create(&bad, &model, &err), FD_ERR_CONFIG);
    assert_non_null(strstr(err.message, "texture"));
    assert_non_null(strstr(err.message, "seesaw"));
    assert_null(model);
    static const double vevs[] = {0, -246, NAN, INFINITY};
    for (size_t i = 0; i < 4; i++) {
        bad = good;
        bad.vev_GeV = vevs[i];
        assert_int_equal(fd_model_create(&bad, &model, &err), FD_ERR_CONFIG);
    }
    good.scale = FD_SCALE_AS_PRINTED;
    assert_int_equal(fd_model_create(&good, &model, &err), FD_OK);
    assert_true(model->params[K].lo == -1.22 && model->params[K].hi == 2.78);
    fd_model_free(model);
}

/* m' = U* D U^+ from (m_i, angles, phases) is m up to unphysical row phases: same moduli, same rephasing invariants. */
static void check_rebuilt(cmat m, const double *o) {
    static const int pairs[3][2] = {{0, 1}, {0, 2}, {1, 2}};
    cmat u, r;
    pmns(o, u);
    compose(o + M1, u, r);
    double top = largest(m);
    for (int i = 0; i < 9; i++) assert_below(fabs(cabs(r[i / 3][i % 3]) - cabs(m[i / 3][i % 3])) / top, 1e-12);
    for (int p = 0; p < 3; p++) {
        int a = pairs[p][0], b = pairs[p][1];
        double complex before = m[a][a] * m[b][b] * conj(m[a][b] * m[a][b]);
        double complex after = r[a][a] * r[b][b] * conj(r[a][b] * r[a][b]);
        assert_below(cabs(after - before) / (top * top * top * top), 1e-12);
    }
    double complex before = m[0][0] * m[1][2] * conj(m[0][1] * m[0][2]), after = r[0][0] * r[1][2] * conj(r[0][1] * r[0][2]);
    assert_below(cabs(after - before) / (top * top * top * top), 1e-12);
}

/* The paper's own words for the observables: eqs. (2.5)-(2.10). */
static void check_formulas(cmat m, const double *o, bool normal) {
    double c12sq = 1 - o[S12], c13sq = 1 - o[S13], c23sq = 1 - o[S23], s13 = sqrt(o[S13]);
    double k = sqrt(o[S12] * c12sq * o[S23] * c23sq) * s13;
    double complex terms = o[M1] * c12sq * c13sq + o[M2] * o[S12] * c13sq * cexp(I * o[A21]) + o[M3] * o[S13] * cexp(I * o[ETA]);
    double top = fmax(o[M2], o[M3]);
    assert_below(fabs(o[MBB] - cabs(m[0][0])) / top, 1e-13);
    assert_below(fabs(o[MBB] - cabs(terms)) / top, 1e-12);
    assert_below(fabs(o[JARLSKOG] - k * c13sq * sin(o[DELTA])), 1e-14);
    assert_below(fabs(o[U + 3] * o[U + 3] - (o[S12] * c23sq + c12sq * o[S23] * o[S13] + 2 * k * cos(o[DELTA]))), 1e-13);
    assert_below(angle_distance(o[A31], o[ETA] + 2 * o[DELTA]), 1e-14);
    assert_below(fabs(o[U + 2] * o[U + 2] - o[S13]), 1e-14);
    assert_below(fabs(o[U + 1] * o[U + 1] - o[S12] * c13sq), 1e-14);
    assert_below(fabs(o[U + 5] * o[U + 5] - o[S23] * c13sq), 1e-14);
    assert_below(fabs(o[SUM] / (o[M1] + o[M2] + o[M3]) - 1), 1e-14);
    double mnue = sqrt(o[M1] * o[M1] * c12sq * c13sq + o[M2] * o[M2] * o[S12] * c13sq + o[M3] * o[M3] * o[S13]);
    assert_below(fabs(o[MNUE] - mnue) / top, 1e-14);
    assert_below(fabs(o[DM21] - (o[M2] * o[M2] - o[M1] * o[M1])) / (top * top), 1e-15);
    double ml = normal ? o[M1] : o[M2];
    assert_below(fabs(o[DM3L] - (o[M3] * o[M3] - ml * ml)) / (top * top), 1e-15);
    assert_true(normal ? o[M1] < o[M2] && o[M2] < o[M3] && o[DM3L] > 0 : o[M3] < o[M1] && o[M1] < o[M2] && o[DM3L] < 0);
    for (int i = DELTA; i <= ETA; i++) assert_true(o[i] >= 0 && o[i] < TAU);
}

static void check_masses(cmat m, const double *o) {
    lapack_complex_double a[16] = {0}, dummy[1]; /* roomy: OpenBLAS 0.3.21 reads past the end */
    double superb[3], s[3], mine[3] = {o[M1], o[M2], o[M3]};
    for (int i = 0; i < 9; i++) a[i] = m[i / 3][i % 3];
    assert_int_equal(LAPACKE_zgesvd(LAPACK_COL_MAJOR, 'N', 'N', 3, 3, a, 3, s, dummy, 1, dummy, 1, superb), 0);
    qsort(mine, 3, sizeof *mine, ascending);
    for (int i = 0; i < 3; i++) assert_below(fabs(mine[i] - s[2 - i]) / s[0], 3e-14);
}

static void prior_draws_rebuild_their_matrix(void **state) {
    (void)state;
    enum { BLOCK = 1000 };
    static double theta[BLOCK][N_PAR], labels[BLOCK][N_LAB], o[BLOCK][N_OBS];
    fd_model *models[2] = {make(FD_ORDERING_NORMAL, FD_PHASES_TAKAGI, false),
                           make(FD_ORDERING_INVERTED, FD_PHASES_TAKAGI, false)};
    for (int block = 0; block < 120; block++) {
        const fd_model *model = models[block % 2];
        for (int n = 0; n < BLOCK; n++) prior_row(model, (uint64_t)(block * BLOCK + n), theta[n]);
        model->forward(model, BLOCK, theta[0], labels[0], o[0]);
        for (int n = 0; n < BLOCK; n++) {
            cmat m;
            mass_matrix(theta[n], m);
            check_masses(m, o[n]);
            check_formulas(m, o[n], block % 2 == 0);
            check_rebuilt(m, o[n]);
            for (int l = 0; l < 2; l++) {
                double logarithm = log10(fabs(o[n][DM21 + l]));
                assert_below(fabs(labels[n][l] - logarithm), 3 * DBL_EPSILON * fabs(logarithm));
            }
            for (int i = 0; i < 9; i++) assert_true(labels[n][2 + i] == o[n][U + i]);
            double m3 = 246.0 * 246.0 * 1e9 / pow(10, theta[n][K]);
            assert_below(fabs(o[n][HEAVY + 2] / m3 - 1), 1e-15);
            assert_below(fabs(o[n][HEAVY] / (m3 * theta[n][R1]) - 1), 1e-15);
            assert_below(fabs(o[n][HEAVY + 1] / (m3 * theta[n][R2]) - 1), 1e-15);
        }
    }
    for (int i = 0; i < 2; i++) fd_model_free(models[i]);
}

static void batch_is_single_bit_for_bit(void **state) {
    (void)state;
    enum { N = 1003 };
    static double theta[N * N_PAR], labels[N * N_LAB], again[N * N_LAB], o[N * N_OBS], one_o[N_OBS], one_l[N_LAB];
    static double jacobian[N * N_LAB * N_PAR], one_j[N_LAB * N_PAR];
    for (int real = 0; real < 2; real++) {
        fd_model *model = make(real ? FD_ORDERING_INVERTED : FD_ORDERING_NORMAL, FD_PHASES_TAKAGI, real);
        int n_params = model->n_params;
        for (int n = 0; n < N; n++) prior_row(model, (uint64_t)n, theta + n * n_params);
        theta[5 * n_params + 3] = NAN; /* must not disturb its block */
        model->forward(model, N, theta, labels, o);
        model->forward(model, N, theta, again, NULL);
        assert_memory_equal(labels, again, sizeof labels);
        model->derivatives(model, N, theta, again, jacobian);
        assert_memory_equal(labels, again, sizeof labels);
        for (int n = 0; n < N; n++) {
            model->forward(model, 1, theta + n * n_params, one_l, NULL);
            model->forward(model, 1, theta + n * n_params, NULL, one_o);
            model->derivatives(model, 1, theta + n * n_params, NULL, one_j);
            assert_memory_equal(one_l, labels + n * N_LAB, sizeof one_l);
            assert_memory_equal(one_o, o + n * N_OBS, sizeof one_o);
            size_t row = (size_t)(N_LAB * n_params);
            assert_memory_equal(one_j, jacobian + (size_t)n * row, row * sizeof *one_j);
            assert_true(isnan(one_l[0]) == (n == 5) && isnan(one_j[0]) == (n == 5));
        }
        fd_model_free(model);
    }
}

static void outside_the_prior(void **state) {
    (void)state;
    fd_model *model = make(FD_ORDERING_NORMAL, FD_PHASES_TAKAGI, false);
    double theta[N_PAR], t[N_PAR], labels[N_LAB], o[N_OBS];
    prior_row(model, 7, theta);
    assert_true(model->in_prior(model, theta));
    /* Outside the box the formula still holds. */
    memcpy(t, theta, sizeof t);
    t[R1] = -0.3;
    t[R2] = 0.1;
    t[0] = 5;
    t[K] = 1;
    t[ARG1] = 40;
    assert_false(model->in_prior(model, t));
    model->forward(model, 1, t, labels, o);
    cmat m;
    mass_matrix(t, m);
    check_masses(m, o);
    check_rebuilt(m, o);
    assert_below(fabs(o[HEAVY] / (0.3 * o[HEAVY + 2]) - 1), 1e-15);
    /* No finite image: NaN in the whole row. */
    for (int i = 0; i < N_PAR; i++)
        for (int bad = 0; bad < 3; bad++) {
            memcpy(t, theta, sizeof t);
            t[i] = bad == 0 ? NAN : bad == 1 ? INFINITY : -INFINITY;
            assert_false(model->in_prior(model, t));
            model->forward(model, 1, t, labels, o);
            for (int k = 0; k < N_LAB; k++) assert_true(isnan(labels[k]));
            for (int k = 0; k < N_OBS; k++) assert_true(isnan(o[k]));
        }
    static const struct { int index; double value; } dead[] = {{R1, 0}, {R2, 0}, {K, 400}, {K, -400}, {K, 200}};
    for (size_t i = 0; i < sizeof dead / sizeof *dead; i++) {
        memcpy(t, theta, sizeof t);
        t[dead[i].index] = dead[i].value;
        model->forward(model, 1, t, labels, o);
        for (int k = 0; k < N_LAB; k++) assert_true(isnan(labels[k]));
        for (int k = 0; k < N_OBS; k++) assert_true(isnan(o[k]));
    }
    memset(t, 0, 18 * sizeof *t); /* Y = 0: no logarithm */
    model->forward(model, 1, t, labels, o);
    assert_true(isnan(labels[0]) && isnan(o[0]));
    fd_model_free(model);
}

/* Permutation matrices for U: angles and phases that are undefined come out as finite conventions. */
static void vanishing_elements_are_finite(void **state) {
    (void)state;
    static const int permutations[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    fd_model *model = make(FD_ORDERING_NORMAL, FD_PHASES_TAKAGI, false);
    for (int p = 0; p < 6; p++) {
        double t[N_PAR] = {0}, labels[N_LAB], o[N_OBS];
        for (int i = 0; i < 3; i++) t[3 * i + permutations[p][i]] = 0.3 * (i + 1);
        t[R1] = t[R2] = 1;
        t[K] = -1;
        model->forward(model, 1, t, labels, o);
        for (int k = 0; k < N_OBS; k++) assert_true(isfinite(o[k]));
        for (int i = 0; i < 3; i++) assert_below(fabs(o[M1 + i] - 0.1 * 0.09 * (i + 1) * (i + 1)), 1e-16);
        assert_true(o[U + 3 * permutations[p][2] + 2] == 1 && o[JARLSKOG] == 0 && o[DIGITS] == 99);
    }
    fd_model_free(model);
}

static void paper_phases(void **state) {
    (void)state;
    fd_model *truth = make(FD_ORDERING_NORMAL, FD_PHASES_TAKAGI, false), *paper = make(FD_ORDERING_NORMAL, FD_PHASES_PAPER, false);
    for (uint64_t n = 0; n < 2000; n++) {
        double theta[N_PAR], a[N_OBS], b[N_OBS];
        prior_row(truth, n, theta);
        truth->forward(truth, 1, theta, NULL, a);
        paper->forward(paper, 1, theta, NULL, b);
        for (int i = 0; i < N_OBS; i++)
            if (i != A21 && i != A31 && i != ETA && i != MBB) assert_true(a[i] == b[i]);
        assert_true(b[A21] == 0 && b[ETA] == 0);
        assert_below(angle_distance(b[A31], 2 * b[DELTA]), 1e-14);
        double edge = b[M1] * (1 - b[S12]) * (1 - b[S13]) + b[M2] * b[S12] * (1 - b[S13]) + b[M3] * b[S13];
        assert_below(fabs(b[MBB] / edge - 1), 1e-14);
        assert_true(a[MBB] <= b[MBB] * (1 + 1e-15));
    }
    fd_model_free(truth);
    fd_model_free(paper);
}

static void prior_is_the_prior(void **state) {
    (void)state;
    enum { N = 20000 };
    static double theta[N][N_PAR], column[N];
    fd_model *model = make(FD_ORDERING_NORMAL, FD_PHASES_TAKAGI, false);
    for (int n = 0; n < N; n++) {
        fd_rng rng;
        fd_rng_start(&rng, 31, FD_STREAM_TEST, (uint64_t)n, 0);
        model->draw_prior(model, &rng, theta[n]);
        assert_true(model->in_prior(model, theta[n]));
        assert_true(theta[n][R1] <= theta[n][R2]);
    }
    for (int i = 0; i < N_PAR; i++) {
        double lo = model->params[i].lo, hi = model->params[i].hi;
        for (int n = 0; n < N; n++) {
            double x = (theta[n][i] - lo) / (hi - lo);
            /* The smaller and the larger of two uniform draws have cumulative 1 - (1 - x)^2 and x^2. */
            column[n] = i == R1 ? 1 - (1 - x) * (1 - x) : i == R2 ? x * x : x;
        }
        assert_below(ks_uniform(column, N, 0, 1), 2.2);
    }
    assert_true(model->params[K].lo == -4.22 && model->params[K].hi == -0.22 && model->params[R1].lo == 1e-5);
    double t[N_PAR];
    memcpy(t, theta[0], sizeof t);
    t[ARG1] = -acos(-1);
    t[ARG2] = acos(-1);
    t[0] = 1;
    t[1] = -1;
    assert_true(model->in_prior(model, t));
    t[R1] = t[R2] = 1e-5;
    assert_true(model->in_prior(model, t));
    t[R1] = 2e-5;
    assert_false(model->in_prior(model, t));
    fd_model_free(model);
}

/* 94.7 % of uniform draws have at most two digits of hierarchy. */
static void digits_of_hierarchy(void **state) {
    (void)state;
    enum { N = 100000 };
    fd_model *model = make(FD_ORDERING_NORMAL, FD_PHASES_TAKAGI, false);
    int within = 0;
    double theta[N_PAR], o[N_OBS];
    for (uint64_t n = 0; n < N; n++) {
        prior_row(model, n, theta);
        model->forward(model, 1, theta, NULL, o);
        within += o[DIGITS] <= 2;
    }
    assert_below(fabs(within / (double)N - 0.947), 0.0028);
    for (int i = 0; i < 18; i++) theta[i] = i % 2 ? 1 : -0.5;
    theta[4] = 0.0031; /* log10(1/0.0031) = 2.509 */
    model->forward(model, 1, theta, NULL, o);
    assert_true(o[DIGITS] == 3);
    theta[4] = -0.0032; /* 2.495 */
    model->forward(model, 1, theta, NULL, o);
    assert_true(o[DIGITS] == 2);
    fd_model_free(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_are_the_contract), cmocka_unit_test(options_are_checked),
        cmocka_unit_test(prior_draws_rebuild_their_matrix), cmocka_unit_test(batch_is_single_bit_for_bit),
        cmocka_unit_test(outside_the_prior), cmocka_unit_test(vanishing_elements_are_finite),
        cmocka_unit_test(paper_phases), cmocka_unit_test(prior_is_the_prior), cmocka_unit_test(digits_of_hierarchy)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
