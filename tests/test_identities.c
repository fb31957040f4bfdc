/* Exact identities the physics must obey: derivatives, Haar moments, rephasing, scaling, Casas-Ibarra. */
#include "physics_oracles.h"

#include "flavordiff/model.h"

enum { M1, M2, M3, DM21, DM3L, S12, S13, S23, DELTA, A21, A31, ETA, JARLSKOG, SUM, MBB, MNUE, U, HEAVY = U + 9,
       DIGITS = HEAVY + 3, N_OBS };
enum { R1 = 18, R2, K, ARG1, ARG2, N_PAR, N_LAB = 11 };

static fd_model *make(fd_ordering ordering, bool real_majorana) {
    fd_model_options options;
    fd_model *model;
    fd_model_options_default(&options);
    options.ordering = ordering;
    options.real_majorana = real_majorana;
    assert_int_equal(fd_model_create(&options, &model, NULL), FD_OK);
    return model;
}

/* A prior draw whose masses are apart and whose moduli do not vanish, so that labels and phases are smooth there. */
static bool smooth_row(const fd_model *model, uint64_t item, double *theta, double *o) {
    fd_rng rng;
    fd_rng_start(&rng, 40, FD_STREAM_TEST, item, 0);
    model->draw_prior(model, &rng, theta);
    model->forward(model, 1, theta, NULL, o);
    double m[3] = {o[M1], o[M2], o[M3]};
    qsort(m, 3, sizeof *m, ascending);
    bool good = m[0] > 1e-3 * m[2] && m[1] > 1.2 * m[0] && m[2] > 1.2 * m[1] && theta[R1] > 0.02;
    for (int i = 0; i < 9; i++) good = good && o[U + i] > 0.05;
    return good;
}

/* ---- derivatives ------------------------------------------------------------------------------------------- */

/* Five-point central difference of all labels along one parameter. */
static void difference(const fd_model *model, const double *theta, int p, double *slope) {
    double step = 2e-4 * (p == R1 || p == R2 ? theta[p] : 1), t[4][N_PAR], l[4][N_LAB];
    static const double offset[4] = {-2, -1, 1, 2}, weight[4] = {1, -8, 8, -1};
    for (int i = 0; i < 4; i++) {
        memcpy(t[i], theta, (size_t)model->n_params * sizeof *theta);
        t[i][p] += offset[i] * step;
        model->forward(model, 1, t[i], l[i], NULL);
    }
    for (int k = 0; k < N_LAB; k++) {
        slope[k] = 0;
        for (int i = 0; i < 4; i++) slope[k] += weight[i] * l[i][k] / (12 * step);
    }
}

static void derivatives_match_differences(void **state) {
    (void)state;
    for (int setting = 0; setting < 4; setting++) {
        fd_model *model = make(setting % 2 ? FD_ORDERING_INVERTED : FD_ORDERING_NORMAL, setting >= 2);
        int used = 0;
        for (uint64_t item = 0; used < 500; item++) {
            double theta[N_PAR], o[N_OBS], labels[N_LAB], jacobian[N_LAB * N_PAR], slope[N_LAB];
            if (!smooth_row(model, item, theta, o)) continue;
            used++;
            model->derivatives(model, 1, theta, labels, jacobian);
            for (int p = 0; p < model->n_params; p++) {
                difference(model, theta, p, slope);
                for (int k = 0; k < N_LAB; k++)
                    assert_below(fabs(jacobian[k * model->n_params + p] - slope[k]) / (1 + fabs(slope[k])), 2e-7);
            }
        }
        fd_model_free(model);
    }
}

/* ---- Haar measure ---------------------------------------------------------------------------------------------- */

static double mean_pull(const double *x, size_t n, double expected) {
    double sum = 0, square = 0;
    for (size_t i = 0; i < n; i++) sum += x[i];
    for (size_t i = 0; i < n; i++) square += (x[i] - sum / (double)n) * (x[i] - sum / (double)n);
    return fabs(sum / (double)n - expected) / (sqrt(square) / (double)n);
}

/* With complex Gaussian Y and equal heavy masses m_nu is as likely as V^T m_nu V for every unitary V, so U is Haar distributed:
 * s12^2, s23^2, c13^4 and the three phases are uniform, <|J|> = pi/105, <|Im (Ue1 Ue2*)^2|> = 1/(6 pi). */
static void gaussian_yukawas_are_haar(void **state) {
    (void)state;
    enum { N = 200000 };
    static const int flat[6] = {S12, S23, S13, DELTA, A21, A31};
    static double column[6][N], jarlskog[N], invariant[N];
    for (int setting = 0; setting < 2; setting++) {
        fd_model *model = make(setting ? FD_ORDERING_INVERTED : FD_ORDERING_NORMAL, false);
        for (size_t n = 0; n < N; n++) {
            fd_rng rng;
            double theta[N_PAR] = {[R1] = 1, [R2] = 1, [K] = -1}, o[N_OBS];
            fd_rng_start(&rng, 41 + (uint64_t)setting, FD_STREAM_TEST, n, 0);
            for (int i = 0; i < 18; i++) theta[i] = fd_rng_normal(&rng);
            model->forward(model, 1, theta, NULL, o);
            for (int i = 0; i < 6; i++) column[i][n] = flat[i] == S13 ? (1 - o[S13]) * (1 - o[S13]) : o[flat[i]];
            jarlskog[n] = fabs(o[JARLSKOG]);
            invariant[n] = o[U] * o[U] * o[U + 1] * o[U + 1] * fabs(sin(o[A21]));
        }
        for (int i = 0; i < 6; i++) assert_below(ks_uniform(column[i], N, 0, i < 3 ? 1 : TAU), 2.2);
        assert_below(mean_pull(jarlskog, N, TAU / 210), 4);
        assert_below(mean_pull(invariant, N, 1 / (3 * TAU)), 4);
        fd_model_free(model);
    }
}

/* The paper's prior in its own words: flat phases, not alpha21 = 0. */
static void prior_phases_are_flat(void **state) {
    (void)state;
    enum { N = 100000 };
    static const int flat[3] = {DELTA, A21, A31};
    static double column[3][N];
    fd_model *model = make(FD_ORDERING_NORMAL, false);
    for (size_t n = 0; n < N; n++) {
        fd_rng rng;
        double theta[N_PAR], o[N_OBS];
        fd_rng_start(&rng, 43, FD_STREAM_TEST, n, 0);
        model->draw_prior(model, &rng, theta);
        model->forward(model, 1, theta, NULL, o);
        for (int i = 0; i < 3; i++) column[i][n] = o[flat[i]];
    }
    /* The box prior is not exactly Haar: the corners of the box leave a modulation below a few per cent. */
    for (int i = 0; i < 3; i++) assert_below(ks_uniform(column[i], N, 0, TAU) / sqrt(N), 0.03);
    fd_model_free(model);
}

/* ---- symmetries ------------------------------------------------------------------------------------------------ */

static void assert_same_physics(const double *a, const double *b) {
    for (int i = M1; i <= M3; i++) assert_below(fabs(a[i] / b[i] - 1), 1e-11);
    for (int i = S12; i <= S23; i++) assert_below(fabs(a[i] - b[i]), 1e-12);
    for (int i = DELTA; i <= ETA; i++) assert_below(angle_distance(a[i], b[i]), 1e-10);
    assert_below(fabs(a[JARLSKOG] - b[JARLSKOG]), 1e-12);
    for (int i = SUM; i <= MNUE; i++) assert_below(fabs(a[i] - b[i]) / a[SUM], 1e-12);
    for (int i = U; i < HEAVY; i++) assert_below(fabs(a[i] - b[i]), 1e-12);
    for (int i = HEAVY; i < DIGITS; i++) assert_below(fabs(a[i] / b[i] - 1), 1e-15);
}

static void turn(double *theta, int element, double phase) {
    double complex y = (theta[element] + I * theta[9 + element]) * cexp(I * phase);
    theta[element] = creal(y);
    theta[9 + element] = cimag(y);
}

static void rephasing_leaves_the_physics(void **state) {
    (void)state;
    fd_model *models[2] = {make(FD_ORDERING_NORMAL, false), make(FD_ORDERING_INVERTED, false)};
    fd_rng rng;
    fd_rng_start(&rng, 44, FD_STREAM_TEST, 0, 0);
    for (uint64_t item = 0; item < 5000; item++) {
        const fd_model *model = models[item % 2];
        double theta[N_PAR], before[N_OBS], after[N_OBS];
        if (!smooth_row(model, item, theta, before)) continue;
        /* Lepton flavours: a phase for each column of Y is unphysical. */
        for (int a = 0; a < 3; a++) {
            double phase = TAU * fd_rng_uniform(&rng);
            for (int i = 0; i < 3; i++) turn(theta, 3 * i + a, phase);
        }
        model->forward(model, 1, theta, NULL, after);
        assert_same_physics(after, before);
        /* Heavy states: Y_i e^{i phase} with arg M_i + 2 phase is the same matrix; Y_3 -> -Y_3 as well. */
        for (int i = 0; i < 2; i++) {
            double phase = TAU * fd_rng_uniform(&rng);
            for (int a = 0; a < 3; a++) turn(theta, 3 * i + a, phase);
            theta[ARG1 + i] += 2 * phase;
        }
        for (int a = 0; a < 3; a++) turn(theta, 6 + a, TAU / 2);
        model->forward(model, 1, theta, NULL, after);
        assert_same_physics(after, before);
    }
    for (int i = 0; i < 2; i++) fd_model_free(models[i]);
}

static void scale_moves_masses_only(void **state) {
    (void)state;
    fd_model *model = make(FD_ORDERING_NORMAL, false);
    for (uint64_t item = 0; item < 2000; item++) {
        double theta[N_PAR], before[N_OBS], after[N_OBS];
        smooth_row(model, item, theta, before);
        theta[K] += 1.75;
        model->forward(model, 1, theta, NULL, after);
        double factor = pow(10, 1.75);
        for (int i = S12; i <= JARLSKOG; i++) assert_true(before[i] == after[i]);
        for (int i = U; i < HEAVY; i++) assert_true(before[i] == after[i]);
        for (int i = M1; i <= M3; i++) assert_below(fabs(after[i] / before[i] / factor - 1), 1e-14);
        for (int i = SUM; i <= MNUE; i++) assert_below(fabs(after[i] / before[i] / factor - 1), 1e-14);
        for (int i = DM21; i <= DM3L; i++) assert_below(fabs(after[i] / before[i] / (factor * factor) - 1), 1e-14);
        for (int i = HEAVY; i < DIGITS; i++) assert_below(fabs(after[i] / before[i] * factor - 1), 1e-14);
    }
    fd_model_free(model);
}

/* ---- Casas-Ibarra ------------------------------------------------------------------------------------------------ */

/* A complex orthogonal matrix: product of three rotations by complex angles. */
static void complex_orthogonal(fd_rng *rng, cmat r) {
    memset(r, 0, sizeof(cmat));
    for (int i = 0; i < 3; i++) r[i][i] = 1;
    for (int k = 0; k < 3; k++) {
        double complex angle = TAU * fd_rng_uniform(rng) + I * (2 * fd_rng_uniform(rng) - 1);
        double complex c = ccos(angle), s = csin(angle);
        int p = k, q = (k + 1) % 3;
        for (int i = 0; i < 3; i++) {
            double complex x = r[i][p], y = r[i][q];
            r[i][p] = c * x - s * y;
            r[i][q] = s * x + c * y;
        }
    }
}

/* Eq. (2.4) from angles and phases of our choice, and Y = 10^{-k/2} sqrt(M_i/M3) R sqrt(D) U^+: any such Y gives back exactly
 * the masses, angles and phases it was made of. */
static void casas_ibarra_comes_back(void **state) {
    (void)state;
    fd_model *models[2] = {make(FD_ORDERING_NORMAL, false), make(FD_ORDERING_INVERTED, false)};
    fd_rng rng;
    fd_rng_start(&rng, 45, FD_STREAM_TEST, 0, 0);
    for (int n = 0; n < 20000; n++) {
        bool normal = n % 2 == 0;
        double light = 1e-3 + 0.05 * fd_rng_uniform(&rng), dm21 = 7.49e-5, dm3l = 2.513e-3;
        double m1 = normal ? light : sqrt(light * light + dm3l - dm21), m2 = sqrt(m1 * m1 + dm21);
        double m[3] = {m1, m2, normal ? sqrt(m1 * m1 + dm3l) : light};
        double s12sq = 0.05 + 0.9 * fd_rng_uniform(&rng), s13sq = 0.01 + 0.5 * fd_rng_uniform(&rng),
               s23sq = 0.05 + 0.9 * fd_rng_uniform(&rng), delta = TAU * fd_rng_uniform(&rng), a21 = TAU * fd_rng_uniform(&rng),
               a31 = TAU * fd_rng_uniform(&rng);
        double s12 = sqrt(s12sq), c12 = sqrt(1 - s12sq), s13 = sqrt(s13sq), c13 = sqrt(1 - s13sq), s23 = sqrt(s23sq),
               c23 = sqrt(1 - s23sq);
        double complex e = cexp(I * delta), phase[3] = {1, cexp(0.5 * I * a21), cexp(0.5 * I * a31)};
        cmat u = {{c12 * c13, s12 * c13, s13 / e},
                  {-s12 * c23 - c12 * s23 * s13 * e, c12 * c23 - s12 * s23 * s13 * e, s23 * c13},
                  {s12 * s23 - c12 * c23 * s13 * e, -c12 * s23 - s12 * c23 * s13 * e, c23 * c13}}, r;
        double theta[N_PAR], o[N_OBS];
        theta[R1] = 0.05 + 0.4 * fd_rng_uniform(&rng);
        theta[R2] = 0.5 + 0.5 * fd_rng_uniform(&rng);
        theta[K] = -2 + fd_rng_uniform(&rng);
        theta[ARG1] = TAU * (fd_rng_uniform(&rng) - 0.5);
        theta[ARG2] = TAU * (fd_rng_uniform(&rng) - 0.5);
        double complex root[3] = {sqrt(theta[R1]) * cexp(0.5 * I * theta[ARG1]), sqrt(theta[R2]) * cexp(0.5 * I * theta[ARG2]), 1};
        complex_orthogonal(&rng, r);
        for (int i = 0; i < 3; i++)
            for (int a = 0; a < 3; a++) {
                double complex y = 0;
                for (int j = 0; j < 3; j++) y += r[i][j] * sqrt(m[j]) * conj(u[a][j] * phase[j]);
                y *= root[i] * pow(10, -theta[K] / 2);
                theta[3 * i + a] = creal(y);
                theta[9 + 3 * i + a] = cimag(y);
            }
        const fd_model *model = models[n % 2];
        model->forward(model, 1, theta, NULL, o);
        for (int j = 0; j < 3; j++) assert_below(fabs(o[M1 + j] - m[j]) / m[1], 1e-11);
        assert_below(fabs(o[S12] - s12sq) + fabs(o[S13] - s13sq) + fabs(o[S23] - s23sq), 1e-9);
        assert_below(angle_distance(o[DELTA], delta), 1e-8);
        assert_below(angle_distance(o[A21], a21), 1e-8);
        assert_below(angle_distance(o[A31], a31), 1e-8);
        assert_below(angle_distance(o[ETA], a31 - 2 * delta), 1e-8);
    }
    for (int i = 0; i < 2; i++) fd_model_free(models[i]);
}


/* Kolmogorov-Smirnov distance of n numbers from the uniform law on [0, 1]. */
static double from_uniform(double *x, int n) {
    double worst = 0;
    qsort(x, (size_t)n, sizeof *x, ascending);
    for (int i = 0; i < n; i++) worst = fmax(worst, fmax(fabs(x[i] - (double)i / n), fabs(x[i] - (double)(i + 1) / n)));
    return worst;
}

/* The moves leave the prior as it is: every parameter, and the largest component of Y, of each row and the ratio of the heavy
 * masses, which feel the rates of the scale moves (18 and 8). Each law is known in closed form; 1.95 is the 99.9 % point. */
static void symmetries_leave_the_prior(void **state) {
    (void)state;
    enum { N = 20000, LAWS = 27 };
    fd_model_options options;
    fd_model_options_default(&options);
    fd_model *model = NULL;
    fd_error err = {0};
    assert_int_equal(fd_model_create(&options, &model, &err), FD_OK);
    double(*u)[N] = malloc(LAWS * sizeof *u);
    for (int i = 0; i < N; i++) {
        fd_rng rng;
        double theta[FD_MAX_PARAMS], row[3] = {0};
        fd_rng_start(&rng, 8, FD_STREAM_TEST, (uint64_t)i, 0);
        model->draw_prior(model, &rng, theta);
        model->random_symmetry(model, &rng, theta);
        for (int j = 0; j < 23; j++) u[j][i] = (theta[j] - model->params[j].lo) / (model->params[j].hi - model->params[j].lo);
        u[18][i] = 1 - (1 - u[18][i]) * (1 - u[18][i]); /* the smaller and the larger of two */
        u[19][i] = u[19][i] * u[19][i];
        for (int e = 0; e < 9; e++) row[e / 3] = fmax(row[e / 3], fmax(fabs(theta[e]), fabs(theta[9 + e])));
        for (int k = 0; k < 3; k++) u[23 + k][i] = pow(row[k], 6);
        u[26][i] = pow(fmax(row[0], fmax(row[1], row[2])), 18);
    }
    for (int j = 0; j < LAWS; j++) {
        double distance = from_uniform(u[j], N);
        if (distance > 1.95 / sqrt(N)) fail_msg("law %d is off by %.4f", j, distance);
    }
    free(u);
    fd_model_free(model);
}

/* What orients a point is a symmetry: its labels stay; and all points of an orbit are brought to one. */
static void orientation(void **state) {
    (void)state;
    for (int real = 0; real < 2; real++) {
        fd_model_options options;
        fd_model_options_default(&options);
        options.real_majorana = real != 0;
        fd_model *model = NULL;
        fd_error err = {0};
        assert_int_equal(fd_model_create(&options, &model, &err), FD_OK);
        for (uint64_t i = 0; i < 500; i++) {
            fd_rng rng;
            double theta[2][FD_MAX_PARAMS], label[2][FD_MAX_LABELS];
            float x[FD_MAX_PARAMS], sign[FD_MAX_PARAMS], once[FD_MAX_PARAMS], other[FD_MAX_PARAMS];
            int source[FD_MAX_PARAMS], dim = model->n_params;
            fd_rng_start(&rng, 6, FD_STREAM_TEST, i, 0);
            model->draw_prior(model, &rng, theta[0]);
            for (int j = 0; j < dim; j++) x[j] = (float)theta[0][j];
            model->orient(model, x, source, sign);
            for (int j = 0; j < dim; j++) {
                theta[1][j] = sign[j] * theta[0][source[j]];
                once[j] = sign[j] * x[source[j]];
            }
            for (int k = 0; k < 2; k++) model->forward(model, 1, theta[k], label[k], NULL);
            for (int l = 0; l < model->n_labels; l++) assert_true(fabs(label[0][l] - label[1][l]) < 1e-8);
            /* conjugated, column 2 times i and row 1 times -1 */
            for (int e = 0; e < 9; e++) {
                double complex y = conj(x[e] + I * x[9 + e]);
                if (e % 3 == 2) y *= I;
                if (e / 3 == 0) y = -y;
                other[e] = (float)creal(y);
                other[9 + e] = (float)cimag(y);
            }
            for (int j = 18; j < dim; j++) other[j] = j < 21 ? x[j] : -x[j];
            model->orient(model, other, source, sign);
            for (int j = 0; j < dim; j++) assert_true(sign[j] * other[source[j]] == once[j]);
        }
        fd_model_free(model);
    }
}

/* The symmetries leave every label and the prior as they are, and every observable but the signs of the CP phases. */
static void symmetries_leave_labels(void **state) {
    (void)state;
    for (int real = 0; real < 2; real++) {
        fd_model_options options;
        fd_model_options_default(&options);
        options.real_majorana = real != 0;
        fd_model *model = NULL;
        fd_error err = {0};
        assert_int_equal(fd_model_create(&options, &model, &err), FD_OK);
        int moved = 0, conjugated = 0, sum = fd_model_observable(model, "sum_m_eV"), mbb = fd_model_observable(model, "mbb_eV"),
            delta = fd_model_observable(model, "delta_rad"), eta = fd_model_observable(model, "eta_rad");
        for (uint64_t i = 0; i < 500; i++) {
            fd_rng rng;
            double theta[2][FD_MAX_PARAMS], label[2][FD_MAX_LABELS], seen[2][FD_MAX_OBSERVABLES];
            fd_rng_start(&rng, 5, FD_STREAM_TEST, i, 0);
            model->draw_prior(model, &rng, theta[0]);
            memcpy(theta[1], theta[0], sizeof theta[0]);
            model->random_symmetry(model, &rng, theta[1]);
            assert_true(model->in_prior(model, theta[1]));
            for (int k = 0; k < 2; k++) model->forward(model, 1, theta[k], label[k], seen[k]);
            for (int l = 0; l < model->n_labels; l++) assert_true(fabs(label[0][l] - label[1][l]) < 1e-8);
            assert_true(fabs(seen[0][sum] - seen[1][sum]) <= 1e-8 * seen[0][sum]);
            assert_true(fabs(seen[0][mbb] - seen[1][mbb]) <= 1e-8 * seen[0][sum]);
            double same = fabs(sin(0.5 * (seen[1][delta] - seen[0][delta]))) + fabs(sin(0.5 * (seen[1][eta] - seen[0][eta])));
            double opposite =
                fabs(sin(0.5 * (seen[1][delta] + seen[0][delta]))) + fabs(sin(0.5 * (seen[1][eta] + seen[0][eta])));
            assert_true(same < 1e-6 || opposite < 1e-6);
            conjugated += opposite < same;
            for (int j = 0; j < model->n_params; j++) moved += theta[0][j] != theta[1][j];
        }
        assert_true(moved > 495 * model->n_params); /* a phase finds no room now and then */
        assert_in_range(conjugated, 200, 300); /* half of them */
        fd_model_free(model);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(symmetries_leave_labels),
        cmocka_unit_test(symmetries_leave_the_prior),
        cmocka_unit_test(orientation),
        cmocka_unit_test(derivatives_match_differences), cmocka_unit_test(gaussian_yukawas_are_haar),
        cmocka_unit_test(prior_phases_are_flat), cmocka_unit_test(rephasing_leaves_the_physics),
        cmocka_unit_test(scale_moves_masses_only), cmocka_unit_test(casas_ibarra_comes_back)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
