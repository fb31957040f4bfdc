/* Draws restricted to a region: orbits of the mixing matrix against the prior itself, and against plain rejection. */
#include "physics_oracles.h"

#include <stdio.h>
#include <stdlib.h>

#include "flavordiff/files.h"
#include "flavordiff/region.h"
#include "physics/seesaw.h"

enum { DM21 = 3, DM3L, S12, S13, S23, SUM = 13, U = 16, N_OBS = 29, EXTRA = 4 };

static fd_model *model_for(fd_ordering ordering, bool real_majorana) {
    fd_model_options options;
    fd_model *model;
    fd_model_options_default(&options);
    options.ordering = ordering;
    options.real_majorana = real_majorana;
    assert_int_equal(fd_model_create(&options, &model, NULL), FD_OK);
    return model;
}

static fd_region everything(void) {
    fd_region r;
    for (int o = 0; o < FD_MAX_OBSERVABLES; o++) r.lo[o] = -INFINITY, r.hi[o] = INFINITY;
    return r;
}

static void window(fd_region *r, int observable, double lo, double hi) { r->lo[observable] = lo, r->hi[observable] = hi; }

/* Windows wide enough for rejection to be quick, with everything in them that a region may ask. */
static fd_region wide(fd_ordering ordering) {
    fd_region r = everything();
    bool normal = ordering == FD_ORDERING_NORMAL;
    window(&r, DM21, 2e-5, normal ? 4e-4 : 1.2e-3);
    window(&r, DM3L, normal ? 1.5e-3 : -4e-3, normal ? 4e-3 : -1.5e-3);
    window(&r, S12, 0.1, 0.6);
    window(&r, S13, 0.01, 0.2);
    window(&r, S23, 0.25, 0.75);
    window(&r, U + 3, 0.2, 0.6);
    window(&r, SUM, -INFINITY, 0.15);
    return r;
}

/* sqrt(nm/(n+m)) times the Kolmogorov-Smirnov distance of two samples, sorted in place. */
static double ks_two(double *x, size_t n, double *y, size_t m) {
    double worst = 0;
    size_t i = 0, j = 0;
    qsort(x, n, sizeof *x, ascending);
    qsort(y, m, sizeof *y, ascending);
    while (i < n && j < m) {
        double at = fmin(x[i], y[j]);
        while (i < n && x[i] == at) i++;
        while (j < m && y[j] == at) j++;
        worst = fmax(worst, fabs((double)i / (double)n - (double)j / (double)m));
    }
    return worst * sqrt((double)n * (double)m / (double)(n + m));
}

/* Parameters, observables, and what ties parameters together: the norms of the rows of Y and its largest component. */
static double *columns(const fd_model *model, size_t n, const double *theta) {
    size_t p = (size_t)model->n_params, width = p + N_OBS + EXTRA;
    double *out = malloc(n * width * sizeof *out), *o = malloc(n * N_OBS * sizeof *o);
    model->forward(model, n, theta, NULL, o);
    for (size_t i = 0; i < n; i++) {
        const double *g = theta + i * p;
        double extra[EXTRA] = {0};
        for (int c = 0; c < 18; c++) {
            extra[c % 9 / 3] += g[c] * g[c];
            extra[3] = fmax(extra[3], fabs(g[c]));
        }
        for (size_t c = 0; c < width; c++)
            out[c * n + i] = c < p ? g[c] : c < p + N_OBS ? o[i * N_OBS + c - p] : extra[c - p - N_OBS];
    }
    free(o);
    return out;
}

static void assert_same_law(const fd_model *model, size_t n, const double *a, size_t m, const double *b) {
    size_t width = (size_t)model->n_params + N_OBS + EXTRA;
    double *x = columns(model, n, a), *y = columns(model, m, b);
    for (size_t c = 0; c < width; c++) {
        double ks = ks_two(x + c * n, n, y + c * m, m);
        if (!(ks < 2.2)) fail_msg("column %zu: KS %.2f standard units", c, ks); /* p < 1.3e-4 */
    }
    free(x), free(y);
}

static void assert_inside(const fd_model *model, const fd_region *r, size_t n, const double *theta) {
    double o[N_OBS];
    for (size_t i = 0; i < n; i++) {
        const double *row = theta + i * (size_t)model->n_params;
        assert_true(model->in_prior(model, row));
        model->forward(model, 1, row, NULL, o);
        for (int c = 0; c < N_OBS; c++) { /* a rounding error of the edge */
            if (o[c] < r->lo[c] - 1e-9 * fabs(r->lo[c]) || o[c] > r->hi[c] + 1e-9 * fabs(r->hi[c]))
                fail_msg("row %zu: observable %d = %g outside [%g, %g]", i, c, o[c], r->lo[c], r->hi[c]);
        }
    }
}

static size_t draw(const fd_model *model, const fd_region *r, uint64_t item, double cluster, size_t n, double *theta,
                   uint64_t *tried) {
    fd_rng rng;
    *tried = 100000000;
    fd_rng_start(&rng, 71, FD_STREAM_TEST, item, 0);
    return cluster > 0 ? fd_region_draw(model, r, &rng, cluster, n, theta, tried)
                       : fd_region_reject(model, r, &rng, n, theta, tried);
}

/* Rows with a heavy state whose |Y_i|^2 is above s: the corner of the cube, which no KS distance sees. */
static double long_rows(size_t n, size_t p, const double *theta, double s) {
    double count = 0;
    for (size_t i = 0; i < n; i++) {
        double norm[3] = {0};
        for (size_t c = 0; c < 18; c++) norm[c % 9 / 3] += theta[i * p + c] * theta[i * p + c];
        count += fmax(norm[0], fmax(norm[1], norm[2])) > s;
    }
    return count;
}

/* A region that is everything gives the prior back: weights, walls and directions have nothing to hide behind. */
static void an_open_region_is_the_prior(void **state) {
    (void)state;
    enum { N = 20000 };
    for (int variant = 0; variant < 2; variant++) {
        fd_model *model = model_for(FD_ORDERING_NORMAL, variant == 1);
        size_t p = (size_t)model->n_params;
        double *a = malloc(N * p * sizeof *a), *b = malloc(N * p * sizeof *b);
        fd_region r = everything();
        fd_rng rng;
        uint64_t tried;
        assert_int_equal(draw(model, &r, (uint64_t)variant, 0.2, N, a, &tried), N);
        assert_inside(model, &r, N, a);
        fd_rng_start(&rng, 72, FD_STREAM_TEST, 0, 0);
        for (size_t i = 0; i < N; i++) model->draw_prior(model, &rng, b + i * p);
        assert_same_law(model, N, a, N, b);
        for (double s = 3.5; s < 4.4; s += 0.25) {
            double x = long_rows(N, p, a, s), y = long_rows(N, p, b, s);
            if (fabs(x - y) > 4 * sqrt(x + y)) fail_msg("|Y_i|^2 > %g: %g rows, the prior has %g", s, x, y);
        }
        /* As many rows as proposals times `cluster`: nothing was lost on the way. */
        double rate = N / (0.2 * (double)tried);
        if (fabs(rate - 1) > 0.05) fail_msg("%.3f rows for each that was expected", rate);
        free(a), free(b), fd_model_free(model);
    }
}

/* The chance of surviving a try must be one: the bound it is divided by is one, and is not far above. */
static void bound_on_the_walls(void **state) {
    (void)state;
    double closest = 0;
    for (int i = 1; i < 100000; i++) {
        double m2 = 1 + 1e-5 * i;
        closest = fmax(closest, (8 / TAU * asin(1 / sqrt(m2)) - 1) * exp(SEESAW_WALL_DECAY * (m2 - 1)));
    }
    assert_below(closest, 1);
    assert_below(0.99, closest);
}

static void orbits_agree_with_rejection(void **state) {
    (void)state;
    enum { N = 1500 };
    static const struct { fd_ordering ordering; bool real; } variants[] = {
        {FD_ORDERING_NORMAL, false}, {FD_ORDERING_INVERTED, false}, {FD_ORDERING_NORMAL, true}};
    for (size_t v = 0; v < sizeof variants / sizeof *variants; v++) {
        fd_model *model = model_for(variants[v].ordering, variants[v].real);
        size_t p = (size_t)model->n_params;
        double *a = malloc(8 * N * p * sizeof *a), *b = malloc(N * p * sizeof *b);
        fd_region r = wide(variants[v].ordering);
        uint64_t tried;
        assert_int_equal(draw(model, &r, 10 + v, 0.2, 8 * N, a, &tried), 8 * N);
        assert_int_equal(draw(model, &r, 20 + v, 0, N, b, &tried), N);
        assert_inside(model, &r, 8 * N, a);
        assert_inside(model, &r, N, b);
        assert_same_law(model, 8 * N, a, N, b);
        free(a), free(b), fd_model_free(model);
    }
}

/* Many rows an orbit have the same law, seen through one row of each hundred. */
static void clusters_have_the_same_law(void **state) {
    (void)state;
    enum { N = 2000, THIN = 100 };
    fd_model *model = model_for(FD_ORDERING_NORMAL, false);
    fd_region r = wide(FD_ORDERING_NORMAL);
    double *a = malloc(N * 23 * sizeof *a), *b = malloc(N * THIN * 23 * sizeof *b);
    uint64_t few, many;
    assert_int_equal(draw(model, &r, 40, 0.2, N, a, &few), N);
    assert_int_equal(draw(model, &r, 41, 5, N * THIN, b, &many), N * THIN);
    assert_true(many < 10 * few); /* a hundred times the rows: it is one orbit's rows that are more */
    for (size_t i = 0; i < N; i++) memmove(b + i * 23, b + i * THIN * 23, 23 * sizeof *b);
    assert_same_law(model, N, a, N, b);
    free(a), free(b), fd_model_free(model);
}

/* Same cursor, same rows; a budget is kept to the proposal. */
static void budget_and_cursor(void **state) {
    (void)state;
    fd_model *model = model_for(FD_ORDERING_NORMAL, false);
    fd_region r = wide(FD_ORDERING_NORMAL);
    enum { N = 300 };
    for (int way = 0; way < 2; way++) {
        static double a[N * 23], b[N * 23];
        uint64_t tried, again = 0;
        size_t n = draw(model, &r, 50, way ? 0.3 : 0, N, a, &tried), m = draw(model, &r, 50, way ? 0.3 : 0, N, b, &again);
        assert_true(n == N && m == N && tried == again);
        assert_memory_equal(a, b, sizeof a);
        fd_rng rng;
        fd_rng_start(&rng, 71, FD_STREAM_TEST, 50, 0);
        again = tried / 2;
        m = way ? fd_region_draw(model, &r, &rng, 0.3, N, b, &again) : fd_region_reject(model, &r, &rng, N, b, &again);
        assert_int_equal(again, tried / 2);
        assert_true(m > N / 4 && m < N);
        assert_memory_equal(a, b, m / 2 * 23 * sizeof *a);
        again = 0;
        assert_int_equal(fd_region_draw(model, &r, &rng, 0.3, N, b, &again), 0);
        assert_int_equal(again, 0);
    }
    window(&r, S12, 0.9, 0.1); /* empty: ends with the budget */
    uint64_t tried = 999;
    fd_rng rng;
    double row[23];
    fd_rng_start(&rng, 71, FD_STREAM_TEST, 51, 0);
    assert_int_equal(fd_region_draw(model, &r, &rng, 0.3, 1, row, &tried), 0);
    assert_int_equal(tried, 999);
    fd_model_free(model);
}

/* A model that offers nothing is drawn from by rejection; without a scale parameter too. */
static void any_model_can_be_drawn_from(void **state) {
    (void)state;
    enum { N = 400 };
    fd_model *model = model_for(FD_ORDERING_NORMAL, false);
    fd_region r = everything();
    window(&r, S12, 0.1, 0.5);
    window(&r, SUM, 0.01, 1);
    static double solved[N * 23], unsolved[N * 23];
    uint64_t tried;
    model->draw_region = NULL;
    assert_int_equal(draw(model, &r, 60, 1, N, solved, &tried), N);
    model->scale_slopes = NULL;
    assert_int_equal(draw(model, &r, 61, 1, N, unsolved, &tried), N);
    assert_inside(model, &r, N, solved);
    assert_inside(model, &r, N, unsolved);
    assert_same_law(model, N, solved, N, unsolved);
    fd_model_free(model);
}

/* Each observable follows the scale parameter as the model says. */
static void slopes_are_the_models_own(void **state) {
    (void)state;
    fd_model *model = model_for(FD_ORDERING_NORMAL, false);
    fd_rng rng;
    double theta[23], before[N_OBS], after[N_OBS];
    fd_rng_start(&rng, 73, FD_STREAM_TEST, 0, 0);
    model->draw_prior(model, &rng, theta);
    model->forward(model, 1, theta, NULL, before);
    theta[model->scale_param] += 0.75;
    model->forward(model, 1, theta, NULL, after);
    for (int o = 0; o < N_OBS; o++)
        assert_below(fabs(log10(fabs(after[o] / before[o])) - 0.75 * model->scale_slopes[o]), 1e-13);
    fd_model_free(model);
}

static void regions_of_targets(void **state) {
    (void)state;
    static const char *const names[] = {"paper-table1-no", "paper-table1-io"};
    for (int n = 0; n < 2; n++) {
        fd_target t;
        fd_judge *judge;
        fd_region r;
        assert_int_equal(fd_target_load(names[n], &t, NULL), FD_OK);
        fd_model *model = model_for(t.ordering, false);
        assert_int_equal(fd_judge_create(model, &t, &judge, NULL), FD_OK);
        fd_judge_region(judge, 1, &r);
        for (int i = 0; i < t.n_measurements; i++) {
            const fd_measurement *m = &t.measurements[i];
            int o = fd_model_observable(model, m->observable);
            bool cut_on = m->group != FD_GROUP_PHASE;
            assert_true(r.lo[o] == (cut_on ? m->lo : -INFINITY) && r.hi[o] == (cut_on ? m->hi : INFINITY));
        }
        fd_judge_region(judge, 3, &r);
        double centre = sqrt(6.82e-5 * (n ? 8.04e-5 : 8.03e-5)), ratio = pow((n ? 8.04 : 8.03) / 6.82, 1.5);
        assert_below(fabs(r.lo[DM21] - centre / ratio), 1e-18);
        assert_below(fabs(r.hi[DM21] - centre * ratio), 1e-18);
        assert_true(n ? r.lo[DM3L] < -2.570e-3 && r.hi[DM3L] > -2.406e-3 && r.hi[DM3L] < 0 : r.lo[DM3L] < 2.427e-3);
        assert_true(r.lo[U] == -INFINITY && r.hi[U + 8] == INFINITY && r.hi[SUM] == INFINITY);
        fd_judge_region(judge, 100, &r);
        assert_true(r.lo[S13] == 0 && r.hi[S13] < 1 && r.lo[S12] == 0 && r.hi[S12] == 1);
        /* All that is drawn at factor 1 are solutions. */
        fd_judge_region(judge, 1, &r);
        static double theta[100 * 23];
        double o[N_OBS];
        uint64_t tried;
        size_t rows = draw(model, &r, 80, n ? 3 : 0.3, 100, theta, &tried);
        assert_int_equal(rows, 100);
        for (size_t i = 0; i < rows; i++) {
            model->forward(model, 1, theta + 23 * i, NULL, o);
            assert_int_equal(fd_judge_point(judge, theta + 23 * i, o, NULL),
                             FD_FINITE | FD_IN_PRIOR | FD_MASSES | FD_ANGLES | FD_LABELS);
        }
        fd_judge_free(judge);
        fd_model_free(model);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_open_region_is_the_prior), cmocka_unit_test(bound_on_the_walls),
        cmocka_unit_test(orbits_agree_with_rejection),
        cmocka_unit_test(clusters_have_the_same_law),  cmocka_unit_test(budget_and_cursor),
        cmocka_unit_test(any_model_can_be_drawn_from), cmocka_unit_test(slopes_are_the_models_own),
        cmocka_unit_test(regions_of_targets)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
