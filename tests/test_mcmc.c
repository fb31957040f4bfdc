/* Markov chains against closed forms on toy models (a thick shell cut by the walls of its box, a Gaussian likelihood of a curved
 * label), and against exact draws of the seesaw. Chains of a toy start on one ray, wrongly distributed; their ends are independent. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <omp.h>

#include "flavordiff/region.h"
#include "inference/independent.h"
#include "inference/mcmc.h"
#include "inference/two_sample.h"

static void ok(fd_status status, const fd_error *err) {
    if (status) fail_msg("%s", err->message);
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Distance of the empirical distribution of x (n, stride) from the uniform one on [0, 1], as the chance of a larger one. */
static double uniform_tail(size_t n, const double *x) {
    double *sorted = malloc(n * sizeof *sorted), distance = 0;
    memcpy(sorted, x, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, ascending);
    for (size_t i = 0; i < n; i++)
        distance = fmax(distance, fmax(sorted[i] - (double)i / (double)n, (double)(i + 1) / (double)n - sorted[i]));
    free(sorted);
    return fd_kolmogorov_tail(distance * sqrt((double)n));
}

/* Chance that two columns differ more by chance; angles on a circle. */
static double same_tail(size_t n, const double *a, size_t m, const double *b, size_t width, size_t column, bool periodic) {
    double *x = malloc((n + m) * sizeof *x);
    for (size_t i = 0; i < n; i++) x[i] = a[i * width + column];
    for (size_t i = 0; i < m; i++) x[n + i] = b[i * width + column];
    qsort(x, n, sizeof *x, ascending);
    qsort(x + n, m, sizeof *x, ascending);
    fd_two_sample t = fd_compare_sorted(n, x, m, x + n);
    free(x);
    return periodic ? t.kuiper_tail : t.ks_tail;
}

/* ---- a toy ------------------------------------------------------------------------------------------------------- */

/* Parameters x, y, z on [-1, 1], a <= b on [0, 1], an angle p. Labels: log10 of the radius, and something that everything
 * enters: L2 = x + a b + cos(p)/2. */
enum { X, Y, Z, A, B, P, TOY_PARAMS };
static const fd_param toy_params[TOY_PARAMS] = {
    {.name = "x", .lo = -1, .hi = 1}, {.name = "y", .lo = -1, .hi = 1}, {.name = "z", .lo = -1, .hi = 1},
    {.name = "a", .lo = 0, .hi = 1},  {.name = "b", .lo = 0, .hi = 1},
    {.name = "p", .lo = -3.14159265358979323846, .hi = 3.14159265358979323846, .periodic = true}};
static const int toy_ordered[1][2] = {{A, B}};
static const fd_observable toy_observables[2] = {{.name = "radius"}, {.name = "mixed"}};
static const fd_label toy_labels[2] = {{.name = "log10_radius", .observable = 0, .log10 = true}, {.name = "mixed", .observable = 1}};

static void toy_draw(const fd_model *model, fd_rng *rng, double *t) {
    for (int i = 0; i < TOY_PARAMS; i++)
        t[i] = model->params[i].lo + (model->params[i].hi - model->params[i].lo) * fd_rng_uniform(rng);
    if (t[A] <= t[B]) return;
    double low = t[B];
    t[B] = t[A], t[A] = low;
}
static bool toy_in_prior(const fd_model *model, const double *t) {
    for (int i = 0; i < TOY_PARAMS; i++)
        if (!(t[i] >= model->params[i].lo && t[i] <= model->params[i].hi)) return false;
    return t[A] <= t[B];
}
static void toy_forward(const fd_model *model, size_t n, const double *theta, double *labels, double *observables) {
    (void)model;
    for (size_t i = 0; i < n; i++) {
        const double *t = theta + i * TOY_PARAMS;
        double radius = sqrt(t[X] * t[X] + t[Y] * t[Y] + t[Z] * t[Z]), mixed = t[X] + t[A] * t[B] + 0.5 * cos(t[P]);
        if (labels) labels[2 * i] = log10(radius), labels[2 * i + 1] = mixed;
        if (observables) observables[2 * i] = radius, observables[2 * i + 1] = mixed;
    }
}
static void toy_derivatives(const fd_model *model, size_t n, const double *theta, double *labels, double *jacobian) {
    if (labels) toy_forward(model, n, theta, labels, NULL);
    for (size_t i = 0; i < n; i++) {
        const double *t = theta + i * TOY_PARAMS;
        double square = (t[X] * t[X] + t[Y] * t[Y] + t[Z] * t[Z]) * log(10);
        double rows[2][TOY_PARAMS] = {{t[X] / square, t[Y] / square, t[Z] / square}, {1, 0, 0, t[B], t[A], -0.5 * sin(t[P])}};
        memcpy(jacobian + 2 * i * TOY_PARAMS, rows, sizeof rows);
    }
}

static fd_model toy(int n_labels) {
    return (fd_model){.name = "toy", .n_params = TOY_PARAMS, .n_labels = n_labels, .n_observables = n_labels,
                      .params = toy_params, .labels = toy_labels, .observables = toy_observables, .n_ordered = 1,
                      .ordered = toy_ordered, .draw_prior = toy_draw, .in_prior = toy_in_prior, .forward = toy_forward,
                      .derivatives = toy_derivatives};
}

/* The shell alone is a toy of one label. */
static void shell_forward(const fd_model *model, size_t n, const double *theta, double *labels, double *observables) {
    for (size_t i = 0; i < n; i++) {
        double l[2], o[2];
        toy_forward(model, 1, theta + i * TOY_PARAMS, l, o);
        if (labels) labels[i] = l[0];
        if (observables) observables[i] = o[0];
    }
}
static void shell_derivatives(const fd_model *model, size_t n, const double *theta, double *labels, double *jacobian) {
    for (size_t i = 0; i < n; i++) {
        double l[2], j[2 * TOY_PARAMS];
        toy_derivatives(model, 1, theta + i * TOY_PARAMS, l, j);
        if (labels) labels[i] = l[0];
        memcpy(jacobian + i * TOY_PARAMS, j, TOY_PARAMS * sizeof *j);
    }
}

/* n chains after `steps`, from a point whose radius is changed by factors 1 .. reach; theta (n, TOY_PARAMS). */
static double *run(const fd_model *model, const fd_region *region, const fd_judge *judge, const double *start, double reach, size_t n,
                   uint32_t steps) {
    fd_mcmc_target target = {.model = model, .region = region, .judge = judge};
    fd_mcmc_counts counts = {0};
    fd_mcmc *mcmc;
    fd_error err;
    size_t width = (size_t)model->n_params;
    double *theta = malloc(n * width * sizeof *theta);
    for (size_t i = 0; i < n; i++) {
        double factor = 1 + (reach - 1) * (double)i / (double)n, x = start[X];
        memcpy(theta + i * width, start, width * sizeof *start);
        for (int k = X; k <= Z; k++) theta[i * width + (size_t)k] *= factor;
        double other = 0.18 * ((double)(i * 7919 % n) / (double)n - 0.5); /* by which the second label changes */
        theta[i * width + P] = acos(cos(start[P]) - 2 * (factor - 1) * x + 2 * other);
    }
    ok(fd_mcmc_create(&target, 3, &mcmc, &err), &err);
    ok(fd_mcmc_warm_up(mcmc, 0, n, theta, steps / 2, &err), &err);
    ok(fd_mcmc_run(mcmc, 0, n, theta, steps / 2, steps - steps / 2, 1, NULL, &counts, &err), &err);
    assert_true(counts.accepted > counts.moves / 10);
    assert_true(fd_mcmc_tangent(mcmc) > 0.01);
    fd_mcmc_free(mcmc);
    return theta;
}

/* 0.5 < r < 0.9: r^3 and the cosine of the polar angle are uniform; so are a and b, in order, and p. */
static void a_thick_shell(void **state) {
    (void)state;
    enum { N = 2000 };
    fd_model model = toy(1);
    fd_region region = {.lo = {0.5}, .hi = {0.9}};
    double start[TOY_PARAMS] = {0, 0.55, 0.1, 0.1, 0.9, 1}, u[5][N];
    model.forward = shell_forward;
    model.derivatives = shell_derivatives;
    double *theta = run(&model, &region, NULL, start, 1.5, N, 200);
    for (size_t i = 0; i < N; i++) {
        const double *t = theta + i * TOY_PARAMS;
        double r = sqrt(t[X] * t[X] + t[Y] * t[Y] + t[Z] * t[Z]);
        assert_true(r > 0.5 && r < 0.9 && toy_in_prior(&model, t));
        u[0][i] = (r * r * r - 0.125) / (0.729 - 0.125);
        u[1][i] = 0.5 + 0.5 * t[Z] / r;
        u[2][i] = t[B] * t[B];       /* the larger of two */
        u[3][i] = t[A] / t[B];
        u[4][i] = 0.5 + t[P] / (2 * 3.14159265358979323846);
    }
    for (int k = 0; k < 5; k++)
        if (uniform_tail(N, u[k]) < 1e-4) fail_msg("quantity %d: chance %g", k, uniform_tail(N, u[k]));
    free(theta);
}

/* ---- a Gaussian likelihood ---------------------------------------------------------------------------------------- */

/* The radius measured as 0.6 + 0.06 - 0.03, and something that is always 0, because a target set has to have angles and moduli. */
static const fd_observable measured[2] = {{.name = "radius"}, {.name = "nothing"}};
static const double BEST = 0.6, PLUS = 0.06, MINUS = 0.03;

static double radius_of(const double *t) { return sqrt(t[X] * t[X] + t[Y] * t[Y] + t[Z] * t[Z]); }
static void measured_forward(const fd_model *model, size_t n, const double *theta, double *labels, double *observables) {
    (void)model;
    for (size_t i = 0; i < n; i++) {
        double radius = radius_of(theta + i * TOY_PARAMS);
        if (labels) labels[i] = log10(radius);
        if (observables) observables[2 * i] = radius, observables[2 * i + 1] = 0;
    }
}
/* The radius as the coordinate of the surface, which tells every observable. */
static void measured_surface(const fd_model *model, size_t n, const double *theta, double *c, double *jacobian) {
    (void)model;
    for (size_t i = 0; i < n; i++) {
        const double *t = theta + i * TOY_PARAMS;
        c[i] = radius_of(t);
        if (jacobian)
            for (int k = 0; k < TOY_PARAMS; k++) jacobian[i * TOY_PARAMS + (size_t)k] = k <= Z ? t[k] / c[i] : 0;
    }
}
static void measured_approach(const fd_model *model, size_t n, const double *theta, const double *labels, double *residual,
                              double *jacobian) {
    measured_surface(model, n, theta, residual, jacobian);
    for (size_t i = 0; i < n; i++) residual[i] = pow(10, labels[i]) - residual[i];
}
static void measured_levels(const fd_model *model, const double *c, double *observables) {
    (void)model;
    observables[0] = c[0], observables[1] = 0;
}

/* Share of r^2 exp(-chi^2 / 2) below r, by the midpoint rule. */
static double share_below(double r) {
    enum { POINTS = 4000 };
    double below = 0, all = 0;
    for (int i = 0; i < POINTS; i++) {
        double x = BEST - 8 * MINUS + (8 * MINUS + 6 * PLUS) * (i + 0.5) / POINTS, pull = (x - BEST) / (x > BEST ? PLUS : MINUS);
        double density = x * x * exp(-0.5 * pull * pull);
        all += density;
        if (x < r) below += density;
    }
    return below / all;
}

/* The radius follows r^2 exp(-chi^2 / 2), the direction nothing; with a step of the label, whose likelihood is a factor, and where
 * the model tells the likelihood of its levels. */
static void a_gaussian_shell(void **state) {
    (void)state;
    enum { N = 3000 };
    fd_target target = {.name = "shell", .n_measurements = 3, .measurements = {
        {"radius", FD_GROUP_MASS, BEST, PLUS, MINUS, 0.5, 0.8, BEST, ""}, {"nothing", FD_GROUP_ANGLE, 0, 1, 1, -1, 1, 0, ""},
        {"nothing", FD_GROUP_MODULUS, 0, 1, 1, -1, 1, 0, ""}}};
    double start[TOY_PARAMS] = {0, 0.48, 0.1, 0.1, 0.9, 1}, *u = malloc(3 * N * sizeof *u);
    fd_error err;
    for (int levels = 0; levels < 2; levels++) {
        fd_model model = toy(1);
        fd_judge *judge;
        model.observables = measured, model.n_observables = 2;
        model.forward = measured_forward, model.derivatives = shell_derivatives;
        if (levels)
            model.n_surface = 1, model.surface = measured_surface, model.approach = measured_approach,
            model.surface_observables = measured_levels;
        ok(fd_judge_create(&model, &target, &judge, &err), &err);
        double *theta = run(&model, NULL, judge, start, 1.5, N, 200);
        for (size_t i = 0; i < N; i++) {
            const double *t = theta + i * TOY_PARAMS;
            u[i] = share_below(radius_of(t));
            u[N + i] = 0.5 + 0.5 * t[Z] / radius_of(t);
            u[2 * N + i] = t[B] * t[B];
        }
        for (int k = 0; k < 3; k++)
            if (uniform_tail(N, u + k * N) < 1e-4) fail_msg("levels %d, quantity %d: chance %g", levels, k, uniform_tail(N, u + k * N));
        fd_judge_free(judge);
        free(theta);
    }
    free(u);
}

/* A shell that the walls cut, and a second label: against plain rejection. */
static void a_shell_cut_by_walls(void **state) {
    (void)state;
    enum { N = 1500, M = 6000 };
    fd_model model = toy(2);
    fd_region region = {.lo = {0.9, 0.5}, .hi = {1.2, 0.7}};
    double start[TOY_PARAMS] = {0.1, 0.7, 0.7, 0.2, 0.5, 0.5}, *exact = malloc(M * TOY_PARAMS * sizeof *exact);
    fd_rng rng;
    uint64_t tried = 1000000;
    start[P] = acos(2 * (0.6 - 0.1 - 0.1));
    fd_rng_start(&rng, 5, FD_STREAM_TEST, 0, 0);
    assert_int_equal(fd_region_reject(&model, &region, &rng, M, exact, &tried), M);
    double *theta = run(&model, &region, NULL, start, 1.15, N, 200);
    double labels[2 * N], exact_labels[2 * M];
    for (size_t j = 0; j < TOY_PARAMS; j++) {
        double tail = same_tail(N, theta, M, exact, TOY_PARAMS, j, j == P);
        if (tail < 1e-4) fail_msg("parameter %s: chance %g", toy_params[j].name, tail);
    }
    toy_forward(&model, N, theta, NULL, labels);
    toy_forward(&model, M, exact, NULL, exact_labels);
    for (size_t j = 0; j < 2; j++) assert_true(same_tail(N, labels, M, exact_labels, 2, j, false) > 1e-4);
    free(theta);
    free(exact);
}

/* ---- a ridge ------------------------------------------------------------------------------------------------------ */

/* Parameters x, y on [-1, 1]; the label is y - f(x), f = 0.7 sin(6 x), and its window leaves every y inside the walls. */
static double ridge(double x) { return 0.7 * sin(6 * x); }
static void ridge_forward(const fd_model *model, size_t n, const double *theta, double *labels, double *observables) {
    (void)model;
    for (size_t i = 0; i < n; i++) {
        double c = theta[2 * i + 1] - ridge(theta[2 * i]);
        if (labels) labels[i] = c;
        if (observables) observables[i] = c;
    }
}
static void ridge_derivatives(const fd_model *model, size_t n, const double *theta, double *labels, double *jacobian) {
    if (labels) ridge_forward(model, n, theta, labels, NULL);
    for (size_t i = 0; i < n; i++) jacobian[2 * i] = -4.2 * cos(6 * theta[2 * i]), jacobian[2 * i + 1] = 1;
}
static void ridge_draw(const fd_model *model, fd_rng *rng, double *t) {
    (void)model;
    for (int i = 0; i < 2; i++) t[i] = 2 * fd_rng_uniform(rng) - 1;
}
static bool ridge_in_prior(const fd_model *model, const double *t) {
    (void)model;
    return fabs(t[0]) <= 1 && fabs(t[1]) <= 1;
}

/* Where the surface bends back into the way of a step, Newton's method often ends on a branch from which it does not find back.
 * The flat prior inside the window has x and the label uniform; chains that kept such moves would not. */
static void a_way_back_is_needed(void **state) {
    (void)state;
    enum { N = 6000, STEPS_OF_RIDGE = 300 };
    fd_model model = {.name = "ridge", .n_params = 2, .n_labels = 1, .n_observables = 1, .params = toy_params,
                      .labels = toy_labels + 1, .observables = toy_observables + 1, .in_prior = ridge_in_prior,
                      .forward = ridge_forward, .derivatives = ridge_derivatives, .draw_prior = ridge_draw};
    fd_region region = {.lo = {-0.25}, .hi = {0.25}};
    fd_mcmc_target target = {.model = &model, .region = &region};
    fd_mcmc_counts counts = {0};
    fd_mcmc *mcmc;
    fd_error err;
    fd_rng rng;
    double *theta = malloc(2 * N * sizeof *theta), *u = malloc(2 * N * sizeof *u);
    fd_rng_start(&rng, 12, FD_STREAM_TEST, 0, 0);
    for (size_t i = 0; i < N; i++) {
        theta[2 * i] = 2 * fd_rng_uniform(&rng) - 1;
        theta[2 * i + 1] = ridge(theta[2 * i]) + 0.5 * (fd_rng_uniform(&rng) - 0.5);
    }
    ok(fd_mcmc_create(&target, 8, &mcmc, &err), &err);
    ok(fd_mcmc_warm_up(mcmc, 0, N, theta, STEPS_OF_RIDGE / 2, &err), &err);
    ok(fd_mcmc_run(mcmc, 0, N, theta, STEPS_OF_RIDGE / 2, STEPS_OF_RIDGE / 2, 1, NULL, &counts, &err), &err);
    print_message("s = %.2f; of %llu moves %llu accepted, %llu without a way back\n", fd_mcmc_tangent(mcmc), (unsigned long long)counts.moves,
                  (unsigned long long)counts.accepted, (unsigned long long)counts.irreversible);
    for (size_t i = 0; i < N; i++) {
        u[i] = 0.5 + 0.5 * theta[2 * i];
        u[N + i] = 0.5 + 2 * (theta[2 * i + 1] - ridge(theta[2 * i]));
    }
    assert_true(counts.irreversible > counts.moves / 100);
    assert_true(uniform_tail(N, u) > 1e-4);
    assert_true(uniform_tail(N, u + N) > 1e-4);
    fd_mcmc_free(mcmc);
    free(theta), free(u);
}

/* ---- the seesaw -------------------------------------------------------------------------------------------------- */

static const fd_measurement windows[] = {
    {"dm21_eV2", FD_GROUP_MASS, 7.41e-5, 2.1e-6, 2.0e-6, 6.82e-5, 8.03e-5, 7.41e-5, ""},
    {"dm3l_eV2", FD_GROUP_MASS, 2.507e-3, 2.6e-5, 2.7e-5, 2.427e-3, 2.590e-3, 2.507e-3, ""},
    {"s12sq", FD_GROUP_ANGLE, 0.303, 0.012, 0.012, 0.275, 0.345, 0.303, ""},
    {"s13sq", FD_GROUP_ANGLE, 0.02225, 0.00056, 0.00059, 0.02030, 0.02388, 0.02225, ""},
    {"s23sq", FD_GROUP_ANGLE, 0.45, 0.019, 0.016, 0.435, 0.585, 0.45, ""}};

static fd_region narrow(const fd_model *model) {
    fd_region region;
    for (int o = 0; o < FD_MAX_OBSERVABLES; o++) region.lo[o] = -INFINITY, region.hi[o] = INFINITY;
    for (size_t i = 0; i < sizeof windows / sizeof *windows; i++) {
        int o = fd_model_observable(model, windows[i].observable);
        region.lo[o] = windows[i].lo, region.hi[o] = windows[i].hi;
    }
    return region;
}

enum { DRAWS = 1500, STEPS = 24 };

static void exact_draws(const fd_model *model, const fd_region *region, uint64_t item, double *theta) {
    size_t n = 0;
    for (uint64_t k = 0; n < DRAWS; k++) {
        fd_rng rng;
        uint64_t tried = 100000;
        fd_rng_start(&rng, 11, FD_STREAM_TEST, item + k, 0);
        n += fd_region_draw(model, region, &rng, 0.1, DRAWS - n, theta + n * (size_t)model->n_params, &tried);
    }
}

/* Exact draws moved by chains remain exact draws, and do move. */
static void stationary(fd_model *model) {
    size_t width = (size_t)model->n_params, wide = (size_t)model->n_observables;
    double *theta = malloc(DRAWS * width * sizeof *theta), *others = malloc(DRAWS * width * sizeof *others);
    double *predicted = malloc(DRAWS * wide * sizeof *predicted), *expected = malloc(DRAWS * wide * sizeof *expected);
    fd_region region = narrow(model);
    fd_mcmc_target target = {.model = model, .region = &region};
    fd_mcmc_counts counts = {0};
    fd_mcmc *mcmc;
    fd_error err;
    exact_draws(model, &region, 0, theta);
    exact_draws(model, &region, 1000000, others);
    ok(fd_mcmc_create(&target, 4, &mcmc, &err), &err);
    ok(fd_mcmc_warm_up(mcmc, 0, 64, theta, 64, &err), &err);
    ok(fd_mcmc_run(mcmc, 0, DRAWS, theta, 64, STEPS, 1, NULL, &counts, &err), &err);
    assert_true(counts.accepted > counts.moves / 6);
    model->forward(model, DRAWS, theta, NULL, predicted);
    model->forward(model, DRAWS, others, NULL, expected);
    for (size_t j = 0; j < width; j++)
        if (same_tail(DRAWS, theta, DRAWS, others, width, j, model->params[j].periodic) < 1e-5)
            fail_msg("%s has drifted", model->params[j].name);
    for (size_t j = 0; j < wide; j++)
        if (same_tail(DRAWS, predicted, DRAWS, expected, wide, j, model->observables[j].periodic) < 1e-5)
            fail_msg("%s has drifted", model->observables[j].name);
    fd_mcmc_free(mcmc);
    free(theta), free(others), free(predicted), free(expected);
}

static fd_model *seesaw(fd_ordering ordering) {
    fd_model_options options;
    fd_model *model;
    fd_model_options_default(&options);
    options.ordering = ordering;
    assert_int_equal(fd_model_create(&options, &model, NULL), FD_OK);
    return model;
}

static void exact_draws_stay_exact(void **state) {
    (void)state;
    fd_model *model = seesaw(FD_ORDERING_NORMAL);
    stationary(model);
    /* without its own coordinates: labels, of which six are independent */
    model->surface = NULL, model->approach = NULL, model->surface_observables = NULL, model->n_surface = 0;
    stationary(model);
    fd_model_free(model);
}

/* What the coordinates say of the observables is what the mass matrix says. */
static void levels_tell_observables(void **state) {
    (void)state;
    for (int ordering = 0; ordering < 2; ordering++) {
        fd_model *model = seesaw(ordering ? FD_ORDERING_INVERTED : FD_ORDERING_NORMAL);
        for (uint64_t i = 0; i < 500; i++) {
            double theta[FD_MAX_PARAMS], c[FD_MAX_LABELS], jacobian[FD_MAX_LABELS * FD_MAX_PARAMS];
            double direct[FD_MAX_OBSERVABLES], told[FD_MAX_OBSERVABLES];
            int known = 0;
            fd_rng rng;
            fd_rng_start(&rng, 6, FD_STREAM_TEST, i, 0);
            model->draw_prior(model, &rng, theta);
            model->surface(model, 1, theta, c, jacobian);
            model->forward(model, 1, theta, NULL, direct);
            model->surface_observables(model, c, told);
            for (int o = 0; o < model->n_observables; o++) {
                if (isnan(told[o])) continue;
                known++;
                double off = fabs(told[o] - direct[o]), scale = fabs(direct[o]);
                if (model->observables[o].periodic) off = fabs(remainder(told[o] - direct[o], 8 * atan(1))), scale = 1;
                /* extreme hierarchies cost digits: a splitting is a difference of squares of masses */
                assert_true(off <= 1e-6 * (scale + 1e-3) || direct[o] == 0);
            }
            for (int l = 0; l < model->n_labels; l++) assert_false(isnan(told[model->labels[l].observable]));
            assert_true(known >= model->n_labels);
        }
        fd_model_free(model);
    }
}

/* Two masses and four of the nine moduli; both labels of the toy. */
static void independent_labels(void **state) {
    (void)state;
    int pick[FD_MAX_LABELS], masses = 0, n;
    fd_model *model = seesaw(FD_ORDERING_NORMAL), small = toy(2);
    n = fd_independent_labels(model, pick);
    assert_int_equal(n, 6);
    for (int k = 0; k < n; k++) masses += pick[k] < 2;
    assert_int_equal(masses, 2);
    assert_int_equal(fd_independent_labels(&small, pick), 2);
    fd_model_free(model);
}

/* A walk does not depend on threads or on the rows it shares them with. */
static void same_for_any_number_of_threads(void **state) {
    (void)state;
    enum { N = 40, D = 23 };
    fd_model *model = seesaw(FD_ORDERING_NORMAL);
    fd_region region = narrow(model);
    fd_mcmc_target target = {.model = model, .region = &region};
    double *a = malloc(DRAWS * D * sizeof *a), b[N * D], trace[2 * N * D];
    fd_mcmc_counts counts = {0};
    fd_mcmc *mcmc;
    fd_error err;
    exact_draws(model, &region, 77, a);
    memcpy(b, a, sizeof b);
    ok(fd_mcmc_create(&target, 4, &mcmc, &err), &err);
    omp_set_num_threads(3);
    ok(fd_mcmc_run(mcmc, 5, N, a, 0, 12, 6, trace, &counts, &err), &err);
    omp_set_num_threads(1);
    for (size_t i = 0; i < N; i++) {
        double alone[2 * D];
        ok(fd_mcmc_run(mcmc, 5 + i, 1, b + i * D, 0, 12, 6, alone, &counts, &err), &err);
        assert_memory_equal(trace + i * D, alone, D * sizeof *b);
        assert_memory_equal(a + i * D, b + i * D, D * sizeof *b);
    }

    assert_memory_equal(trace + N * D, a, N * D * sizeof *a);
    fd_mcmc_free(mcmc);
    fd_model_free(model);
    free(a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thick_shell),          cmocka_unit_test(a_shell_cut_by_walls),
        cmocka_unit_test(a_gaussian_shell),       cmocka_unit_test(a_way_back_is_needed),
         cmocka_unit_test(levels_tell_observables), cmocka_unit_test(exact_draws_stay_exact),
        cmocka_unit_test(independent_labels),
        cmocka_unit_test(same_for_any_number_of_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
