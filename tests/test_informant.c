/* The informant: the prior's mean against quadrature, label steps of a linear model against LAPACK (the seesaw's are in
 * test_informant_seesaw.c, the denoiser that is told in test_diffusion_informed.c). */
#include "physics_oracles.h"

#include <lapacke.h>

#include "diffusion/box_mean.h"
#include "flavordiff/informant.h"
#include "kernels/kernels.h"

/* ---- the prior's mean ----------------------------------------------------------------------------------------------
 */

/* Gauss-Legendre nodes and weights on [-1, 1], by Newton's method on the polynomial. */
enum { NODES = 20, PANELS = 24 };
static void legendre(double *node, double *weight) {
    for (int i = 0; i < NODES; i++) {
        double x = cos(TAU / 2 * (i + 0.75) / (NODES + 0.5)), slope = 1;
        for (int step = 0; step < 20; step++) {
            double before = 1, now = x;
            for (int n = 2; n <= NODES; n++) {
                double next = ((2 * n - 1) * x * now - (n - 1) * before) / n;
                before = now;
                now = next;
            }
            slope = NODES * (x * now - before) / (x * x - 1);
            x -= now / slope;
        }
        node[i] = x;
        weight[i] = 2 / ((1 - x * x) * slope * slope);
    }
}

/* E[x0 | d] for x0 uniform on [-h, h] seen through noise s, by quadrature of exp(k v - q^2 v^2 / 2) where it is not
 * negligible beside its maximum. The mean of both signs of v together, so that nothing cancels when k is small. */
static double quadrature_mean(double d, double h, double s) {
    double node[NODES], weight[NODES], q2 = h * h / (s * s), k = h * fabs(d) / (s * s), top = fmin(1, fabs(d) / h);
    legendre(node, weight);
    double slope = fabs(d) > h ? q2 * (fabs(d) - h) / h : 0, reach = 90 / (slope + sqrt(slope * slope + 90 * q2)),
           low = fmax(0, top - reach);
    double high = fmin(1, top + reach), sum = 0, first = 0;
    for (int side = 0; side < 2; side++) { /* top may be inside: panels end there */
        double from = side ? top : low, to = side ? high : top;
        for (int p = 0; p < PANELS * NODES; p++) {
            double half = (to - from) / PANELS / 2, v = from + half * (2 * (p / NODES) + 1 + node[p % NODES]);
            double e = weight[p % NODES] * half * exp((v - top) * (slope - 0.5 * q2 * (v - top)));
            first += e * v * -expm1(-2 * k * v);
            sum += e * (1 + exp(-2 * k * v));
        }
    }
    return copysign(h * first / sum, d);
}

/* By every table of kernels, among lanes with other noise. */
static double my_mean(double d, double h, double s) {
    static const char *const names[] = {"portable", "avx2", "avx512"};
    double noise[FD_LANES], at[FD_LANES], mean[FD_LANES], up[FD_BOX_TERMS][FD_LANES], down[FD_BOX_TERMS][FD_LANES], first = 0;
    for (int w = 0; w < FD_LANES; w++) {
        fd_box_series series = {0};
        noise[w] = w == 3 ? s : s * (w + 1);
        at[w] = w % 2 ? d : 1.7 * d;
        if (h < noise[w]) fd_box_series_at(h, noise[w], &series);
        for (int n = 0; n < FD_BOX_TERMS; n++) up[n][w] = series.up[n], down[n][w] = series.down[n];
    }
    for (int k = 0; k < 3; k++) {
        const fd_kernels *table = fd_kernels_named(names[k]);
        if (!table) continue;
        table->box_mean(&(fd_box_mean){1, h, noise, up[0], down[0], at, mean});
        if (k == 0) first = mean[3];
        assert_true(mean[3] == first);
    }
    return first;
}

/* Inside, outside, at the wall and a hair beside it. */
static void box_mean_by_quadrature(void **state) {
    (void)state;
    for (int i = 0; i <= 50; i++) {
        double s = 1e-3 * pow(1e5, i / 50.0);
        for (int width = 0; width < 3; width++) {
            double h = (const double[]){1, 0.3, 2.5}[width];
            const double at[] = {1e-9,  0.1 * h,   0.7 * h,   h - 3 * s, h - s,           h * (1 - 1e-9),  h,
                                 h + s, h + 4 * s, h + 9 * s, 3.7 * s,   5.9 * s * s / h, 6.1 * s * s / h, 2 * h,
                                 5 * h};
            for (size_t p = 0; p < sizeof at / sizeof *at; p++) {
                double wanted = quadrature_mean(at[p], h, s);
                assert_below(fabs(my_mean(at[p], h, s) / wanted - 1), 1e-13);
                assert_true(my_mean(-at[p], h, s) == -my_mean(at[p], h, s));
            }
        }
    }
    assert_true(my_mean(0, 1, 3) == 0 && my_mean(0, 1, 0.3) == 0);
    /* z - centre times h^2 / (3 s^2) when the noise is wide */
    assert_below(fabs(my_mean(50, 1, 1e4) * 3e8 / 50 - 1), 1e-7);
}

/* ---- a linear model
 * -------------------------------------------------------------------------------------------------- */

enum { D = 6, N = 4, T = 40, PERIODIC = 5, ROWS = 37, FEATURES = 2 * D + N };

static const fd_param toy_params[D] = {
    {.name = "a", .lo = -1, .hi = 1},    {.name = "b", .lo = 0, .hi = 3},
    {.name = "c", .lo = -4, .hi = -2},   {.name = "d", .lo = -0.5, .hi = 0.5},
    {.name = "e", .lo = 100, .hi = 102}, {.name = "f", .lo = -2, .hi = 2, .periodic = true}};
/* Labels A theta + b; the last row is the sum of the others, as moduli of a unitary matrix depend on each other. */
static const double matrix[N][D] = {{1, 0.3, -2, 0.1, 0.5, 0.7},
                                    {20, 0, 7, 31, -12, 3},
                                    {0, 0.01, 0.02, 0, -0.03, 0.01},
                                    {21, 0.31, 5.02, 31.1, -11.53, 3.71}};
static const double offset[N] = {0.5, -3, 10, 7.5};

/* Beyond a = 0.9 there are no labels, if `holes`. */
typedef struct toy {
    fd_model base;
    bool holes;
} toy;

static void toy_derivatives(const fd_model *model, size_t n, const double *theta, double *labels, double *jacobian) {
    for (size_t i = 0; i < n; i++)
        for (int k = 0; k < N; k++) {
            double sum = offset[k];
            for (int j = 0; j < D; j++) sum += matrix[k][j] * theta[i * D + (size_t)j];
            labels[i * N + (size_t)k] = ((const toy *)model)->holes && theta[i * D] > 0.9 ? (double)NAN : sum;
            memcpy(jacobian + (i * N + (size_t)k) * D, matrix[k], sizeof matrix[k]);
        }
}

/* Three noise levels that matter are exact: s = 1e-3 at t = 1, 100 at T. Scalers of no particular relation to the box,
 * so that there are many half widths. */
typedef struct setting {
    toy model;
    fd_scaler params, labels;
    fd_schedule *schedule;
    fd_informant *informant;
} setting;

static setting make_setting(void) {
    setting q = {
        .model = {.base = {.n_params = D, .n_labels = N, .params = toy_params, .derivatives = toy_derivatives}},
        .params = {.n = D, .shift = {0, 1.5, -3.2, 0.1, 101, 0}, .scale = {1, 1.5, 0.8, 0.25, 1, 2}},
        .labels = {.n = N, .shift = {1, 2, 3, 4}, .scale = {0.5, 2, 0.1, 3}}};
    fd_schedule_spec noise = {.kind = FD_SCHEDULE_LOG_SNR, .steps = T, .s_min = 1e-3, .s_max = 100};
    assert_int_equal(fd_schedule_create(&noise, &q.schedule, NULL), FD_OK);
    return q;
}

static void open_informant(setting *q, const fd_informant_spec *spec) {
    fd_error err = {0};
    fd_informant_free(q->informant);
    if (fd_model_informant(&q->model.base, &q->params, &q->labels, q->schedule, spec, &q->informant, &err))
        fail_msg("%s", err.message);
}

static void close_setting(setting *q) {
    fd_informant_free(q->informant);
    fd_schedule_free(q->schedule);
}

/* Defaults that leave the linear algebra alone: no limit that matters. */
static fd_informant_spec plain_spec(void) {
    return (fd_informant_spec){.prediction = FD_PREDICT_V,
                               .guess = true,
                               .label_steps = 1,
                               .regularisation = 1e-13,
                               .clip = 1e6,
                               .margin = 0.1,
                               .fade = 1e9,
                               .trust = 1e9};
}

/* Noisy points of prior draws with the labels of other points near by; what inform() says of them. */
typedef struct rows {
    float x[ROWS * D], labels[ROWS * N], features[ROWS * (FEATURES + 3)], guess[ROWS * D];
    int t[ROWS];
    uint8_t given[ROWS];
} rows;

static double signal_of(const setting *q, int t) { return sqrt(q->schedule->alpha_bar[t]); }

static void draw_rows(const setting *q, uint64_t item, int first_time, int last_time, rows *r) {
    fd_rng rng;
    fd_rng_start(&rng, 51, FD_STREAM_TEST, item, 0);
    for (int i = 0; i < ROWS; i++) {
        double theta[D], label[N];
        r->t[i] = first_time + i * (last_time - first_time) / (ROWS - 1);
        r->given[i] = 1;
        double s = fd_schedule_s(q->schedule, r->t[i]);
        for (int j = 0; j < D; j++) {
            const fd_param *p = &toy_params[j];
            theta[j] = p->lo + (p->hi - p->lo) * fd_rng_uniform(&rng);
            double x0 = (theta[j] - q->params.shift[j]) / q->params.scale[j];
            r->x[i * D + j] = (float)(signal_of(q, r->t[i]) * (x0 + s * fd_rng_normal(&rng)));
            theta[j] += 0.03 * fd_rng_normal(&rng);
        }
        for (int k = 0; k < N; k++) {
            label[k] = offset[k];
            for (int j = 0; j < D; j++) label[k] += matrix[k][j] * theta[j];
            r->labels[i * N + k] = (float)((label[k] - q->labels.shift[k]) / q->labels.scale[k]);
        }
    }
}

static void ask(const setting *q, rows *r) {
    void *scratch = aligned_alloc(64, q->informant->scratch_bytes);
    memset(scratch, 0xff, q->informant->scratch_bytes);
    for (size_t i = 0; i < sizeof r->features / sizeof *r->features; i++) r->features[i] = 77;
    q->informant->inform(q->informant, ROWS, r->x, r->t, r->labels, r->given, r->features, FEATURES + 3, r->guess,
                         scratch);
    for (int i = 0; i < ROWS; i++) /* nothing between the rows is touched */
        for (int p = q->informant->n_features; p < FEATURES + 3; p++)
            assert_true(r->features[i * (FEATURES + 3) + p] == 77);
    free(scratch);
}

/* The same in the open: z, mu, y of row i, normalised, and the least-norm step at it by singular values. */
typedef struct expected {
    double s, z[D], mu[D], y[D], lo[D], hi[D], step[D], rho[N];
} expected;

static expected expect(const setting *q, const rows *r, int i, double margin) {
    expected e = {.s = fd_schedule_s(q->schedule, r->t[i])};
    double a[N * D], b[D] = {0}, sv[N];
    int rank;
    for (int j = 0; j < D; j++) {
        const fd_param *p = &toy_params[j];
        e.lo[j] = (p->lo - q->params.shift[j]) / q->params.scale[j];
        e.hi[j] = (p->hi - q->params.shift[j]) / q->params.scale[j];
        double centre = 0.5 * (e.lo[j] + e.hi[j]), half = 0.5 * (e.hi[j] - e.lo[j]), room = (1 - margin) * half;
        e.z[j] = r->x[i * D + j] / signal_of(q, r->t[i]);
        e.mu[j] = centre + quadrature_mean(e.z[j] - centre, half, e.s);
        e.y[j] = p->periodic ? e.z[j] : fmin(fmax(e.z[j], centre - room), centre + room);
    }
    for (int k = 0; k < N; k++) { /* rows of length one, so that a cut on singular values is fair */
        double norm = 0, wanted = q->labels.shift[k] + q->labels.scale[k] * r->labels[i * N + k], at_mu = offset[k];
        double at_y = offset[k];
        for (int j = 0; j < D; j++) {
            a[k * D + j] = matrix[k][j] * q->params.scale[j];
            norm += a[k * D + j] * a[k * D + j];
            at_mu += matrix[k][j] * (q->params.shift[j] + q->params.scale[j] * e.mu[j]);
            at_y += matrix[k][j] * (q->params.shift[j] + q->params.scale[j] * e.y[j]);
        }
        for (int j = 0; j < D; j++) a[k * D + j] /= sqrt(norm);
        b[k] = (wanted - at_mu) / sqrt(norm);
        e.rho[k] = (wanted - at_y) / (e.s * sqrt(norm) + 0.003);
    }
    assert_int_equal(LAPACKE_dgelsd(LAPACK_ROW_MAJOR, N, D, 1, a, D, b, 1, sv, 1e-6, &rank), 0);
    assert_int_equal(rank, N - 1);
    memcpy(e.step, b, sizeof e.step);
    return e;
}

/* Steps are asked for in float32 labels; those of the dependent row disagree with the others by a rounding. */
static void assert_near(double found, double wanted, double scale) {
    assert_below(fabs(found - wanted), 2e-5 * (1 + scale));
}

static double length(const double *x) {
    double sum = 0;
    for (int j = 0; j < D; j++) sum += x[j] * x[j];
    return sqrt(sum);
}

static void compare(const setting *q, const rows *r, double margin) {
    for (int i = 0; i < ROWS; i++) {
        expected e = expect(q, r, i, margin);
        const float *f = r->features + i * (FEATURES + 3);
        for (int j = 0; j < D; j++) {
            double x0 = e.mu[j] + e.step[j];
            if (!toy_params[j].periodic) x0 = fmin(fmax(x0, e.lo[j]), e.hi[j]);
            assert_near(f[j], (e.z[j] - e.mu[j]) / e.s, fabs(e.z[j] / e.s) * 1e-2);
            assert_near(f[D + j], e.step[j] / e.s, length(e.step) / e.s);
            assert_near(r->guess[i * D + j], x0, length(e.step));
        }
        for (int k = 0; k < N; k++) assert_near(f[2 * D + k], e.rho[k], fabs(e.rho[k]));
    }
}

static void prior_mean_through_inform(void **state) {
    (void)state;
    fd_informant_spec spec = plain_spec();
    spec.label_steps = 0;
    setting q = make_setting();
    rows r;
    open_informant(&q, &spec);
    assert_int_equal(q.informant->n_features, D);
    draw_rows(&q, 1, 1, T, &r);
    ask(&q, &r);
    for (int i = 0; i < ROWS; i++) {
        expected e = expect(&q, &r, i, spec.margin);
        for (int j = 0; j < D; j++) { /* float32: of u, of the guess */
            assert_below(fabs(r.guess[i * D + j] - e.mu[j]), 1e-7 * (1e-3 + fabs(e.mu[j])));
            double u = (e.z[j] - e.mu[j]) / e.s;
            assert_below(fabs(r.features[i * (FEATURES + 3) + j] - u), 1e-7 * fabs(u) + 1e-12 / e.s);
        }
    }
    close_setting(&q);
}

static void linear_labels_by_lapack(void **state) {
    (void)state;
    fd_informant_spec spec = plain_spec();
    setting q = make_setting();
    rows r;
    for (uint64_t item = 2; item < 6; item++) {
        spec.margin = item % 2 ? 0.1 : 0;
        open_informant(&q, &spec);
        draw_rows(&q, item, 18, 34, &r); /* s = 0.15 .. 17 */
        ask(&q, &r);
        compare(&q, &r, spec.margin);
    }
    close_setting(&q);
}

/* A linear constraint is met after one step: the second finds the same dx, and a residual of zero where the first one's
 * end is inside the box. */
static void second_step_changes_nothing(void **state) {
    (void)state;
    fd_informant_spec spec = plain_spec();
    setting q = make_setting();
    rows one, two;
    spec.margin = 0;
    draw_rows(&q, 6, 8, 24, &one);
    two = one;
    open_informant(&q, &spec);
    ask(&q, &one);
    spec.label_steps = 2;
    open_informant(&q, &spec);
    ask(&q, &two);
    int inside = 0;
    for (int i = 0; i < ROWS; i++) {
        const float *a = one.features + i * (FEATURES + 3), *b = two.features + i * (FEATURES + 3);
        bool in = true;
        for (int j = 0; j < 2 * D; j++) assert_near(b[j], a[j], 10);
        for (int j = 0; j < D; j++) {
            expected e = expect(&q, &one, i, 0);
            double x0 = e.mu[j] + e.step[j];
            in &= toy_params[j].periodic || (x0 > e.lo[j] && x0 < e.hi[j]);
        }
        inside += in;
        for (int k = 0; in && k < N; k++) assert_below(fabs(b[2 * D + k]), 1e-3);
    }
    assert_true(inside > ROWS / 4);
    close_setting(&q);
}

static void limits(void **state) {
    (void)state;
    fd_informant_spec spec = plain_spec();
    setting q = make_setting();
    rows free_rows, r;
    int shortened = 0, kept = 0, clipped = 0;
    draw_rows(&q, 7, 10, 30, &free_rows);
    r = free_rows;
    open_informant(&q, &spec);
    ask(&q, &free_rows);
    spec.trust = 0.4;
    spec.trust_floor = 0.05;
    spec.fade = 0.3;
    spec.clip = 0.35;
    open_informant(&q, &spec);
    ask(&q, &r);
    for (int i = 0; i < ROWS; i++) {
        expected e = expect(&q, &r, i, spec.margin);
        double most = 0.4 * e.s + 0.05, norm = length(e.step), factor = norm > most ? most / norm : 1;
        norm > most ? shortened++ : kept++;
        for (int p = 0; p < FEATURES; p++) {
            double wanted = p < D       ? (e.z[p] - e.mu[p]) / e.s
                            : p < 2 * D ? factor * e.step[p - D] / e.s
                                        : e.rho[p - 2 * D];
            clipped += fabs(wanted) > 0.36;
            assert_near(r.features[i * (FEATURES + 3) + p], fmin(fmax(wanted, -0.35), 0.35), 1);
        }
        for (int j = 0; j < D; j++) {
            double x0 = e.mu[j] + factor * e.step[j] / (1 + e.s * e.s / 0.09);
            if (!toy_params[j].periodic) x0 = fmin(fmax(x0, e.lo[j]), e.hi[j]);
            assert_near(r.guess[i * D + j], x0, 0);
        }
    }
    assert_true(shortened > 5 && kept > 5 && clipped > 50);
    close_setting(&q);
}

/* A dropped label says nothing whatever its value, nor does a point without labels; their neighbours, and the way rows
 * are dealt out, change nothing. */
static void dropped_labels_and_holes(void **state) {
    (void)state;
    fd_informant_spec spec = plain_spec(), without = plain_spec();
    setting q = make_setting();
    rows all, r, prior;
    int holes = 0;
    draw_rows(&q, 8, 5, 35, &all);
    r = prior = all;
    spec.margin = 0;
    spec.label_steps = 2;
    open_informant(&q, &spec);
    ask(&q, &all);
    for (int i = 0; i < ROWS; i += 3) {
        r.given[i] = 0;
        for (int k = 0; k < N; k++) r.labels[i * N + k] = i % 2 ? (float)NAN : 3;
    }
    r.labels[N] = (float)NAN; /* row 1: given, and not a number */
    q.model.holes = true;
    ask(&q, &r);
    q.model.holes = false;
    without.label_steps = 0;
    open_informant(&q, &without);
    ask(&q, &prior);
    for (int i = 0; i < ROWS; i++) {
        const float *f = r.features + i * (FEATURES + 3), *p = prior.features + i * (FEATURES + 3);
        assert_memory_equal(f, p, D * sizeof *f);
        bool silent = i % 3 == 0 || i == 1,
             same = memcmp(f, all.features + i * (FEATURES + 3), FEATURES * sizeof *f) == 0;
        if (!silent && !same) holes++, silent = true;
        for (int k = 0; silent && k < D + N; k++) assert_true(f[D + k] == 0);
        assert_memory_equal(r.guess + i * D, (silent ? prior.guess : all.guess) + i * D, D * sizeof *r.guess);
    }
    assert_true(holes > 0 && holes < ROWS / 2);
    open_informant(&q, &spec);
    void *scratch = aligned_alloc(64, q.informant->scratch_bytes);
    for (int i = 0; i < ROWS; i++) {
        float features[FEATURES], guess[D];
        q.informant->inform(q.informant, 1, all.x + i * D, all.t + i, all.labels + i * N, all.given + i, features,
                            FEATURES, guess, scratch);
        assert_memory_equal(features, all.features + i * (FEATURES + 3), sizeof features);
        assert_memory_equal(guess, all.guess + i * D, sizeof guess);
    }
    free(scratch);
    close_setting(&q);
}

/* Without a guess of its own the three predictions are the usual ones: x0 = z - s F, -F, signal x_t - spread F. */
static void usual_predictions(void **state) {
    (void)state;
    fd_informant_spec spec = plain_spec();
    setting q = make_setting();
    rows r;
    spec.guess = false;
    draw_rows(&q, 9, 1, T, &r);
    for (int kind = 0; kind < 3; kind++) {
        spec.prediction = (fd_prediction)kind;
        open_informant(&q, &spec);
        ask(&q, &r);
        for (int t = 1; t <= T; t++) {
            double s = fd_schedule_s(q.schedule, t), c = kind == 0 ? s : kind == 1 ? 1 : s / sqrt(1 + s * s);
            assert_below(fabs(q.informant->c[t] / c - 1), 1e-14);
        }
        for (int i = 0; i < ROWS * D; i++) {
            double x = r.x[i], signal = signal_of(&q, r.t[i / D]);
            double wanted = kind == 0 ? x / signal : kind == 1 ? 0 : signal * x;
            assert_below(fabs(r.guess[i] - wanted), 1e-7 * fabs(wanted));
        }
    }
    close_setting(&q);
}

static void refusals(void **state) {
    (void)state;
    fd_informant_spec good, bad[10];
    fd_informant_spec_default(&good);
    setting q = make_setting();
    fd_error err = {0};
    assert_int_equal(fd_informant_spec_check(&good, &err), FD_OK);
    for (int i = 0; i < 10; i++) bad[i] = good;
    bad[0].label_steps = 3;
    bad[1].label_steps = -1;
    bad[2].regularisation = 0;
    bad[3].clip = -1;
    bad[4].fade = 0;
    bad[5].trust = (double)NAN;
    bad[6].trust_floor = -0.1;
    bad[7].margin = 1;
    bad[8].margin = -0.1;
    bad[9].prediction = (fd_prediction)3;
    for (int i = 0; i < 10; i++) {
        memset(&err, 0, sizeof err);
        assert_int_equal(
            fd_model_informant(&q.model.base, &q.params, &q.labels, q.schedule, &bad[i], &q.informant, &err),
            FD_ERR_CONFIG);
        assert_null(q.informant);
        assert_true(strncmp(err.message, "informant: ", 11) == 0);
    }
    q.params.n--;
    assert_int_equal(fd_model_informant(&q.model.base, &q.params, &q.labels, q.schedule, &good, &q.informant, &err),
                     FD_ERR_MISMATCH);
    fd_informant_free(NULL);
    close_setting(&q);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(box_mean_by_quadrature),
        cmocka_unit_test(prior_mean_through_inform),
        cmocka_unit_test(linear_labels_by_lapack),
        cmocka_unit_test(second_step_changes_nothing),
        cmocka_unit_test(limits),
        cmocka_unit_test(dropped_labels_and_holes),
        cmocka_unit_test(usual_predictions),
        cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
