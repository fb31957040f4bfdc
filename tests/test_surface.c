/* Smooth coordinates of the labels: what the mass matrix says of them is what the labels say, which come another way (Takagi
 * factorisation); derivatives are those of differences; symmetries leave them; a linear step reaches further than in labels. */
#include "physics_oracles.h"

#include <lapacke.h>

#include "flavordiff/model.h"
#include "inference/surface.h"

enum { N_PAR = 23, N_LAB = 11, N_SURFACE = 6, LAST = 5, K = 20 };

static fd_model *make(fd_ordering ordering, bool real_majorana) {
    fd_model_options options;
    fd_model *model;
    fd_model_options_default(&options);
    options.ordering = ordering;
    options.real_majorana = real_majorana;
    assert_int_equal(fd_model_create(&options, &model, NULL), FD_OK);
    assert_int_equal(fd_surface_dim(model), N_SURFACE);
    return model;
}

/* A prior draw without extreme hierarchies: where |U| is 1e-6 labels know delta to no digit. */
static bool plain_draw(const fd_model *model, uint64_t item, double *theta, double *labels, double *c) {
    fd_rng rng;
    double jacobian[N_SURFACE * N_PAR];
    fd_rng_start(&rng, 17, FD_STREAM_TEST, item, 0);
    model->draw_prior(model, &rng, theta);
    model->forward(model, 1, theta, labels, NULL);
    fd_surface_at(model, 1, theta, c, jacobian);
    bool plain = labels[0] > labels[1] - 3 && labels[1] > labels[0] - 3;
    for (int i = 2; i < N_LAB; i++) plain = plain && labels[i] > 0.05 && labels[i] < 0.99;
    return plain && fabs(c[LAST]) > 0.003 && theta[18] > 0.02;
}

/* Nothing is missing to a point's own labels, nor to those of its images, the complex conjugate one among them. */
static void nothing_is_missing_at_home(void **state) {
    (void)state;
    for (int setting = 0; setting < 4; setting++) {
        fd_model *model = make(setting % 2 ? FD_ORDERING_INVERTED : FD_ORDERING_NORMAL, setting >= 2);
        int used = 0;
        for (uint64_t item = 0; used < 2000; item++) {
            double theta[N_PAR], labels[N_LAB], c[N_SURFACE], missing[N_SURFACE], jacobian[N_SURFACE * N_PAR];
            fd_rng rng;
            if (!plain_draw(model, item, theta, labels, c)) continue;
            used++;
            fd_rng_start(&rng, 16, FD_STREAM_TEST, item, 0);
            for (int image = 0; image < 2; image++) {
                fd_surface_approach(model, 1, theta, labels, missing, jacobian);
                for (int i = 0; i < N_SURFACE; i++) assert_below(fabs(missing[i]), 1e-7);
                model->random_symmetry(model, &rng, theta);
            }
        }
        fd_model_free(model);
    }
}

/* c from the labels of the point, eq. (2.5) and the definitions: dm21 / 2|g| and 2 theta12 are length and polar angle. */
static void coordinates_are_those_of_the_labels(void **state) {
    (void)state;
    for (int setting = 0; setting < 2; setting++) {
        fd_model *model = make(setting ? FD_ORDERING_INVERTED : FD_ORDERING_NORMAL, false);
        int used = 0;
        for (uint64_t item = 0; used < 2000; item++) {
            double theta[N_PAR], labels[N_LAB], c[N_SURFACE];
            if (!plain_draw(model, item, theta, labels, c)) continue;
            used++;
            double dm21 = pow(10, labels[0]), dm3l = pow(10, labels[1]), gap = dm3l - dm21 / 2;
            double length = sqrt(c[3] * c[3] + c[4] * c[4] + c[5] * c[5]), s12 = labels[3] / sqrt(1 - labels[4] * labels[4]);
            assert_below(fabs(c[0] - log10(gap)), 1e-9);
            assert_below(fabs(sin(c[1]) - labels[4]), 1e-9);
            assert_below(fabs(tan(c[2]) - labels[7] / labels[10]), 1e-7);
            assert_below(fabs(length - dm21 / (2 * gap)), 1e-8);
            assert_below(fabs(-c[3] / length - (1 - 2 * s12 * s12)), 1e-7);
        }
        fd_model_free(model);
    }
}

/* Five-point differences of surface(), or of minus what is missing to `labels`. */
static void difference(const fd_model *model, const double *theta, const double *labels, int p, double *slope) {
    static const double offset[4] = {-2, -1, 1, 2}, weight[4] = {1, -8, 8, -1};
    double step = 1e-4 * (p == 18 || p == 19 ? theta[p] : 1);
    for (int k = 0; k < N_SURFACE; k++) slope[k] = 0;
    for (int i = 0; i < 4; i++) {
        double moved[N_PAR], at[N_SURFACE], unused[N_SURFACE * N_PAR];
        memcpy(moved, theta, (size_t)model->n_params * sizeof *theta);
        moved[p] += offset[i] * step;
        if (labels) model->approach(model, 1, moved, labels, at, unused);
        else model->surface(model, 1, moved, at, NULL);
        for (int k = 0; k < N_SURFACE; k++) slope[k] += (labels ? -1 : 1) * weight[i] * at[k] / (12 * step);
    }
}

static void derivatives_match_differences(void **state) {
    (void)state;
    for (int setting = 0; setting < 4; setting++) {
        fd_model *model = make(setting % 2 ? FD_ORDERING_INVERTED : FD_ORDERING_NORMAL, setting >= 2);
        double others[N_LAB];
        int used = 0, switched = 0, n = model->n_params;
        for (uint64_t item = 0; used < 300; item++) {
            double theta[N_PAR], labels[N_LAB], c[N_SURFACE], jacobian[N_SURFACE * N_PAR], slope[N_SURFACE];
            if (!plain_draw(model, item, theta, labels, c)) continue;
            for (int kind = 0; kind < 2 && used; kind++) { /* the way to the labels of the draw before */
                if (kind) model->approach(model, 1, theta, others, c, jacobian);
                else model->surface(model, 1, theta, c, jacobian);
                for (int p = 0; p < n; p++) {
                    difference(model, theta, kind ? others : NULL, p, slope);
                    double worst = 0;
                    for (int k = 0; k < N_SURFACE; k++)
                        worst = fmax(worst, fabs(jacobian[k * n + p] - slope[k]) / (1 + fabs(slope[k])));
                    if (kind && worst > 0.1) switched++; /* the sign of sin delta within the difference */
                    else assert_below(worst, 1e-5);
                }
            }
            memcpy(others, labels, sizeof others);
            used++;
        }
        assert_below(switched, 0.002 * 300 * n);
        fd_model_free(model);
    }
}

static void symmetries_leave_them(void **state) {
    (void)state;
    fd_model *model = make(FD_ORDERING_NORMAL, false);
    int mirrored = 0, used = 0;
    for (uint64_t item = 0; used < 500; item++) {
        double theta[N_PAR], labels[N_LAB], c[N_SURFACE], moved[N_SURFACE];
        fd_rng rng;
        if (!plain_draw(model, item, theta, labels, c)) continue;
        used++;
        fd_rng_start(&rng, 18, FD_STREAM_TEST, item, 0);
        model->random_symmetry(model, &rng, theta);
        model->surface(model, 1, theta, moved, NULL);
        if (fabs(moved[LAST] + c[LAST]) < fabs(moved[LAST] - c[LAST])) moved[LAST] *= -1, mirrored++;
        for (int i = 0; i < N_SURFACE; i++) assert_below(fabs(moved[i] - c[i]), 1e-8);
    }
    assert_true(mirrored > 100 && mirrored < 400); /* complex conjugation, every other time */
    fd_model_free(model);
}

/* m1 and m2 nearly equal, Y = sqrt(D) U^+ (Casas-Ibarra): one linear step, in labels and in these coordinates, towards the labels
 * the point had before it was moved. What is left of the way, as lengths of the next step. */
static void they_reach_over_degeneracies(void **state) {
    (void)state;
    enum { N = 200 };
    static const double mass[3] = {0.70, 0.71, 0.1};
    fd_model *model = make(FD_ORDERING_INVERTED, false);
    int better = 0;
    for (uint64_t item = 0; item < N; item++) {
        fd_rng rng;
        cmat u;
        double theta[N_PAR] = {0}, labels[N_LAB], left[2], start = 0;
        fd_rng_start(&rng, 19, FD_STREAM_TEST, item, 0);
        random_unitary(&rng, u);
        for (int i = 0; i < 3; i++)
            for (int a = 0; a < 3; a++) {
                theta[3 * i + a] = sqrt(mass[i]) * creal(u[a][i]);
                theta[9 + 3 * i + a] = -sqrt(mass[i]) * cimag(u[a][i]);
            }
        theta[18] = theta[19] = 1;
        model->forward(model, 1, theta, labels, NULL);
        for (int p = 0; p < 18; p++) theta[p] += 0.02 * fd_rng_normal(&rng);
        for (int smooth = 0; smooth < 2; smooth++) {
            double at[N_PAR];
            memcpy(at, theta, sizeof at);
            for (int step = 0; step < 3; step++) {
                double missing[N_LAB], jacobian[N_LAB * N_PAR], s[N_LAB];
                int n = smooth ? N_SURFACE : N_LAB;
                lapack_int rank;
                if (smooth) fd_surface_approach(model, 1, at, labels, missing, jacobian);
                else model->derivatives(model, 1, at, missing, jacobian);
                for (int k = 0; k < N_LAB && !smooth; k++) missing[k] = labels[k] - missing[k];
                double x[N_PAR] = {0}, length = 0;
                memcpy(x, missing, (size_t)n * sizeof *x);
                assert_int_equal(LAPACKE_dgelsd(LAPACK_ROW_MAJOR, n, N_PAR, 1, jacobian, N_PAR, x, 1, s, 1e-8, &rank), 0);
                for (int p = 0; p < N_PAR; p++) length += x[p] * x[p], at[p] += x[p];
                if (step == 0 && smooth) start = sqrt(length);
                if (step == 2) left[smooth] = sqrt(length);
            }
        }
        better += left[1] < 0.1 * start && left[1] < 0.1 * left[0];
    }
    assert_true(better > 0.6 * N);
    fd_model_free(model);
}

static void points_that_are_not_finite_stay_so(void **state) {
    (void)state;
    fd_model *model = make(FD_ORDERING_NORMAL, false);
    double theta[N_PAR] = {[18] = 0.5, [19] = 0.5, [K] = -2}, c[N_SURFACE], jacobian[N_SURFACE * N_PAR];
    model->surface(model, 1, theta, c, jacobian); /* no mass at all */
    assert_false(isfinite(c[0]));
    theta[0] = (double)NAN;
    model->surface(model, 1, theta, c, jacobian);
    assert_false(isfinite(c[1]));
    fd_model_free(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_missing_at_home),     cmocka_unit_test(coordinates_are_those_of_the_labels),
        cmocka_unit_test(derivatives_match_differences),
        cmocka_unit_test(symmetries_leave_them),          cmocka_unit_test(they_reach_over_degeneracies),
        cmocka_unit_test(points_that_are_not_finite_stay_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
