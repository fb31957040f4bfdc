/* Projection onto given labels: a linear model whose answers are known, LAPACK for one step of the seesaw, and perturbed
 * prior draws, whose distribution must stay the prior. */
#include "physics_oracles.h"

#include <lapacke.h>
#include <omp.h>

#include "flavordiff/project.h"
#include "inference/surface.h"

enum { DIM = 23, N_LAB = 11, SURFACE = 6 };

/* ---- a linear model: L = a + 2 b + 2 c in the unit cube, c periodic, a <= b when ordered ------------------------------ */

enum { TOY = 3 };
static const double toy_row[TOY] = {1, 2, 2};

static void toy_derivatives(const fd_model *model, size_t n, const double *theta, double *labels, double *jacobian) {
    for (size_t i = 0; i < n; i++) {
        double sum = 0;
        for (int j = 0; j < model->n_params; j++) {
            sum += toy_row[j] * theta[i * TOY + (size_t)j];
            jacobian[i * TOY + (size_t)j] = toy_row[j];
        }
        if (labels) labels[i] = sum;
    }
}

static const fd_param toy_params[TOY] = {{.name = "a", .lo = 0, .hi = 1},
                                         {.name = "b", .lo = 0, .hi = 1},
                                         {.name = "c", .lo = 0, .hi = 1, .periodic = true}};
static const fd_label toy_labels[1] = {{.name = "L"}};
static const int toy_order[1][2] = {{0, 1}};

static void toy(fd_model *model, int n_ordered) {
    *model = (fd_model){.name = "toy", .n_params = TOY, .n_labels = 1, .params = toy_params, .labels = toy_labels,
                        .n_ordered = n_ordered, .ordered = toy_order, .derivatives = toy_derivatives};
}

/* Unit scaling but for the second component, which the network sees doubled. */
static fd_projector *toy_projector(const fd_model *model, int steps, double trust) {
    fd_scaler scaler = {.n = TOY, .scale = {1, 0.5, 1}};
    fd_project_spec spec = {steps, trust, 1e-9};
    fd_projector *projector;
    assert_int_equal(fd_projector_create(model, &scaler, &spec, &projector, NULL), FD_OK);
    return projector;
}

static uint8_t toy_project(const fd_model *model, int steps, double trust, double label, float x[TOY]) {
    uint8_t converged = 7;
    fd_projector *projector = toy_projector(model, steps, trust);
    assert_int_equal(fd_project(projector, 1, x, &label, &converged, NULL), FD_OK);
    fd_projector_free(projector);
    return converged;
}

static void near_point(const float *x, double a, double b, double c, double tolerance) {
    assert_below(fabs((double)x[0] - a), tolerance);
    assert_below(fabs((double)x[1] - b), tolerance);
    assert_below(fabs((double)x[2] - c), tolerance);
}

/* J = (1, 1, 2) in normalised coordinates: dx = J r / 6. */
static void linear_inside(void **state) {
    (void)state;
    fd_model model;
    toy(&model, 0);
    float x[TOY] = {0.3f, 0.8f, 0.4f}; /* L = 0.3 + 0.8 + 0.8 = 1.9 */
    assert_int_equal(toy_project(&model, 1, 10, 2.2, x), 1);
    near_point(x, 0.35, 0.85, 0.5, 1e-7);
    float shy[TOY] = {0.3f, 0.8f, 0.4f}; /* a step of at most 0.06 along (1, 1, 2) / sqrt 6 */
    assert_int_equal(toy_project(&model, 1, 0.06, 2.2, shy), 0);
    near_point(shy, 0.3 + 0.06 / sqrt(6), 0.8 + 0.06 / sqrt(6), 0.4 + 0.12 / sqrt(6), 1e-7);
    float there[TOY] = {0.3f, 0.8f, 0.4f};
    double label = (double)there[0] + (double)there[1] + 2 * (double)there[2];
    assert_int_equal(toy_project(&model, 3, 1, label, there), 1);
    assert_true(there[0] == 0.3f && there[1] == 0.8f && there[2] == 0.4f); /* nothing to do: not a bit moves */
}

/* a is carried to 1.05 and comes back as 0.95; the second step makes up for it. The angle c goes on through 1. */
static void linear_walls(void **state) {
    (void)state;
    fd_model model;
    toy(&model, 0);
    float x[TOY] = {0.95f, 0.2f, 0.95f};
    assert_int_equal(toy_project(&model, 10, 10, 3.65, x), 1);
    double first = (3.65 - 0.95 - 0.2 - 1.9) / 6, back = 2 * (0.95 + first - 1) / 6; /* reflection loses 2 (a - 1) */
    near_point(x, 2 - 0.95 - first + back, 0.2 + first + back, 0.95 + 2 * (first + back) - 1, 1e-5);
    float far[TOY] = {-0.1f, 2.3f, 0.5f}; /* outside before the first step: reflected to 0.1, 1.7 (walls at 0, 2) */
    assert_int_equal(toy_project(&model, 1, 10, 0.1 + 1.7 + 1.0, far), 1);
    near_point(far, 0.1, 1.7, 0.5, 1e-5);
}

/* theta = (0.6, 0.4) is out of order: its mirror image in a = b, in the metric da^2 + (db / 0.5)^2, is (0.28, 0.48). The
 * label then asks for 0.16 more. */
static void linear_order(void **state) {
    (void)state;
    fd_model model;
    toy(&model, 1);
    float x[TOY] = {0.6f, 0.8f, 0.5f};
    assert_int_equal(toy_project(&model, 10, 10, 2.4, x), 1);
    near_point(x, 0.28 + 0.16 / 6, 0.96 + 0.16 / 6, 0.5 + 0.32 / 6, 1e-5);
}

/* In a box without angles L = a + 2 b + 2 c is at most 5: 5.5 ends near that corner, 4.99 is reached. */
static void linear_unreachable(void **state) {
    (void)state;
    fd_model model;
    fd_param box[TOY];
    toy(&model, 0);
    memcpy(box, toy_params, sizeof box);
    box[2].periodic = false;
    model.params = box;
    float x[TOY] = {0.5f, 1.0f, 0.5f};
    assert_int_equal(toy_project(&model, 20, 10, 5.5, x), 0);
    assert_true(x[0] <= 1 && x[1] <= 2 && x[2] <= 1);
    assert_true((double)x[0] + (double)x[1] + 2 * (double)x[2] > 4.9);
    float corner[TOY] = {0.5f, 1.0f, 0.5f};
    assert_int_equal(toy_project(&model, 20, 10, 4.99, corner), 1);
    near_point(corner, 1, 2, 1, 0.01);
}

static void refusals(void **state) {
    (void)state;
    fd_model model;
    fd_error err;
    fd_projector *projector;
    fd_scaler scaler = {.n = TOY, .scale = {1, 1, 1}};
    fd_project_spec spec;
    fd_project_spec_default(&spec);
    toy(&model, 0);
    assert_int_equal(fd_projector_create(&model, &scaler, &spec, &projector, &err), FD_ERR_CONFIG); /* no steps */
    assert_null(projector);
    spec.steps = 1;
    spec.trust = NAN;
    assert_int_equal(fd_projector_create(&model, &scaler, &spec, &projector, &err), FD_ERR_CONFIG);
    spec.trust = 1;
    scaler.n = 2;
    assert_int_equal(fd_projector_create(&model, &scaler, &spec, &projector, &err), FD_ERR_MISMATCH);
    assert_non_null(strstr(err.message, "2 parameters, the model has 3"));
    fd_projector_free(NULL);
    float lost[TOY] = {NAN, 0.5f, 0.5f}, endless[TOY] = {0.5f, INFINITY, 0.5f};
    assert_int_equal(toy_project(&model, 5, 1, 1, lost), 0);
    assert_true(isnan(lost[0]) && lost[1] == 0.5f);
    assert_int_equal(toy_project(&model, 5, 1, 1, endless), 0);
    assert_true(isinf(endless[1]) && endless[0] == 0.5f);
}

/* ---- the seesaw ---------------------------------------------------------------------------------------------------- */

typedef struct draws {
    fd_model *model;
    fd_scaler scaler;
    size_t n;
    float *x;           /* (n, DIM): prior draws, perturbed */
    double *theta;      /* (n, DIM): the draws */
    double *labels;     /* (n, N_LAB): of the draws */
    uint8_t *converged;
} draws;

/* Deviations are those of the prior: what a network trained on standardised parameters sees. */
static void prior_draws(draws *d, fd_ordering ordering, size_t n, double sigma) {
    fd_model_options options;
    fd_model_options_default(&options);
    options.ordering = ordering;
    assert_int_equal(fd_model_create(&options, &d->model, NULL), FD_OK);
    d->n = n;
    d->x = malloc(n * DIM * sizeof *d->x);
    d->theta = malloc(n * DIM * sizeof *d->theta);
    d->labels = malloc(n * N_LAB * sizeof *d->labels);
    d->converged = malloc(n);
    d->scaler.n = DIM;
    for (int j = 0; j < DIM; j++) {
        const fd_param *p = &d->model->params[j];
        d->scaler.shift[j] = 0.5 * (p->lo + p->hi);
        d->scaler.scale[j] = (p->hi - p->lo) / sqrt(12);
    }
    for (size_t i = 0; i < n; i++) {
        fd_rng rng;
        fd_rng_start(&rng, 51, FD_STREAM_TEST, i, 0);
        d->model->draw_prior(d->model, &rng, d->theta + i * DIM);
        for (int j = 0; j < DIM; j++)
            d->x[i * DIM + (size_t)j] =
                (float)((d->theta[i * DIM + (size_t)j] - d->scaler.shift[j]) / d->scaler.scale[j] + sigma * fd_rng_normal(&rng));
    }
    d->model->forward(d->model, n, d->theta, d->labels, NULL);
}

static void drop(draws *d) {
    fd_model_free(d->model);
    free(d->x), free(d->theta), free(d->labels), free(d->converged);
}

static fd_projector *projector_of(const draws *d, int steps) {
    fd_project_spec spec;
    fd_projector *projector;
    fd_project_spec_default(&spec);
    spec.steps = steps;
    assert_int_equal(fd_projector_create(d->model, &d->scaler, &spec, &projector, NULL), FD_OK);
    return projector;
}

static void run(draws *d, int steps) {
    fd_projector *projector = projector_of(d, steps);
    assert_int_equal(fd_project(projector, d->n, d->x, d->labels, d->converged, NULL), FD_OK);
    fd_projector_free(projector);
}

/* Parameters as a file stores them. */
static void stored(const draws *d, size_t row, double *theta) {
    for (int j = 0; j < DIM; j++)
        theta[j] = (float)(d->scaler.shift[j] + d->scaler.scale[j] * (double)d->x[row * DIM + (size_t)j]);
    for (int j = 21; j < DIM; j++) /* rounding may lift an angle onto pi itself; files wrap it */
        if (theta[j] >= d->model->params[j].hi) theta[j] = d->model->params[j].lo;
}

/* Every converged row is inside the prior with its labels met, but for the rounding of x and of theta to float32 (half a
 * unit of 2^-23 each, to first order; twice that is allowed). Returns their number. */
static size_t check_converged(const draws *d) {
    size_t count = 0;
    for (size_t i = 0; i < d->n; i++) {
        double theta[DIM], labels[N_LAB], jacobian[N_LAB * DIM], c[SURFACE], slopes[SURFACE * DIM], reach = 1e-6;
        if (!d->converged[i]) continue;
        stored(d, i, theta);
        assert_true(d->model->in_prior(d->model, theta));
        /* 1e-6 in each component of a vector of length dm21 / 2|g| and direction 2 theta12 and delta */
        fd_surface_at(d->model, 1, theta, c, slopes);
        if (d->model->approach_reaches_further) reach *= 2 / sqrt(c[3] * c[3] + c[4] * c[4] + c[5] * c[5]);
        d->model->derivatives(d->model, 1, theta, labels, jacobian);
        for (int k = 0; k < N_LAB; k++) {
            double rounding = 0;
            for (int j = 0; j < DIM; j++)
                rounding += fabs(jacobian[k * DIM + j]) * 0x1p-23 *
                            (fabs(theta[j]) + d->scaler.scale[j] * fabs((double)d->x[i * DIM + (size_t)j]));
            assert_below(fabs(labels[k] - d->labels[i * N_LAB + (size_t)k]), reach + rounding);
        }
        count++;
    }
    return count;
}

static void perturbed_draws_come_back(void **state) {
    (void)state;
    static const struct {
        fd_ordering ordering;
        double sigma, fraction;
    } cases[] = {{FD_ORDERING_NORMAL, 0, 1},
                 {FD_ORDERING_NORMAL, 0.01, 0.999},
                 {FD_ORDERING_NORMAL, 0.1, 0.998},
                 {FD_ORDERING_INVERTED, 0.1, 0.98}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        draws d;
        prior_draws(&d, cases[c].ordering, 2000, cases[c].sigma);
        run(&d, 20);
        assert_true((double)check_converged(&d) >= cases[c].fraction * (double)d.n);
        drop(&d);
    }
}

/* Other prior draws, onto labels they know nothing of. In inverted ordering dm^2_21 must come down by more than a decade:
 * steps in its logarithm alone bring 0.6 of these rows home. */
static void strangers_come_too(void **state) {
    (void)state;
    draws d;
    prior_draws(&d, FD_ORDERING_NORMAL, 2000, 0);
    for (size_t i = 0; i < d.n; i++)
        d.model->forward(d.model, 1, d.theta + (i + 1) % d.n * DIM, d.labels + i * N_LAB, NULL);
    run(&d, 30);
    assert_true((double)check_converged(&d) >= 0.98 * (double)d.n);
    drop(&d);
    prior_draws(&d, FD_ORDERING_INVERTED, 1000, 0);
    static const double inverted[N_LAB] = {-4.1, -2.6, /* a unitary matrix: delta = pi / 2, s13^2 = 0.02, s12^2 = s23^2 = 1/2 */
                                           0.7, 0.7, 0.141421356237, 0.504975246918, 0.504975246918, 0.7,
                                           0.504975246918, 0.504975246918, 0.7};
    for (size_t i = 0; i < d.n; i++) memcpy(d.labels + i * N_LAB, inverted, sizeof inverted);
    run(&d, 30);
    assert_true((double)check_converged(&d) >= 0.98 * (double)d.n);
    drop(&d);
}

/* The paper's central label has moduli of no unitary matrix: rows of |U|^2 do not add up to one. */
static const double contradiction[N_LAB] = {-4.1255181823, -2.6003262785, 0.8215, 0.5495, 0.1485, 0.3765,
                                            0.588,         0.704,         0.397,  0.579,  0.69};

/* What is left of the residual at theta has no component that any direction of x could remove: LAPACK's least-squares
 * solution, labels in their own units, changes no label. */
static void assert_best_compromise(const draws *d, const double *theta, const double *label) {
    double labels[N_LAB], jacobian[N_LAB * DIM], copy[N_LAB * DIM], r[DIM] = {0}, s[N_LAB];
    lapack_int rank;
    d->model->derivatives(d->model, 1, theta, labels, jacobian);
    for (int k = 0; k < N_LAB; k++) {
        for (int j = 0; j < DIM; j++) jacobian[k * DIM + j] *= d->scaler.scale[j];
        r[k] = label[k] - labels[k];
        assert_below(fabs(r[k]), 0.02);
    }
    memcpy(copy, jacobian, sizeof copy);
    assert_int_equal(LAPACKE_dgelsd(LAPACK_ROW_MAJOR, N_LAB, DIM, 1, copy, DIM, r, 1, s, 1e-9, &rank), 0);
    for (int k = 0; k < N_LAB; k++) {
        double gain = 0;
        for (int j = 0; j < DIM; j++) gain += jacobian[k * DIM + j] * r[j];
        assert_below(fabs(gain), 1e-4);
    }
}

static void contradictory_labels(void **state) {
    (void)state;
    draws d;
    size_t reached;
    double label[N_LAB], again[N_LAB], row = 0;
    prior_draws(&d, FD_ORDERING_NORMAL, 400, 0);
    fd_projector *projector = projector_of(&d, 30);
    memcpy(label, contradiction, sizeof label);
    assert_int_equal(fd_projector_nearest_label(projector, label, NULL), FD_OK);
    memcpy(again, label, sizeof label);
    assert_int_equal(fd_projector_nearest_label(projector, again, NULL), FD_OK);
    for (int k = 0; k < N_LAB; k++) assert_below(fabs(again[k] - label[k]), 1e-5);
    for (int j = 0; j < 3; j++) row += label[2 + j] * label[2 + j];
    assert_below(fabs(row - 1), 1e-6);
    for (size_t i = 0; i < d.n; i++) memcpy(d.labels + i * N_LAB, label, sizeof label);
    assert_int_equal(fd_project(projector, d.n, d.x, d.labels, d.converged, NULL), FD_OK);
    reached = check_converged(&d);
    assert_true((double)reached >= 0.97 * (double)d.n);
    for (size_t i = 0; i < d.n; i++) {
        double theta[DIM];
        stored(&d, i, theta);
        if (d.converged[i]) assert_best_compromise(&d, theta, contradiction);
    }
    fd_projector_free(projector);
    drop(&d);
}

/* One step without walls in reach is LAPACK's solution of least norm; the labels have rank 6, hence the cut. */
static void one_step_is_lapacks(void **state) {
    (void)state;
    draws d;
    fd_project_spec spec = {1, 1e9, 1e-14};
    fd_projector *projector;
    int compared = 0;
    prior_draws(&d, FD_ORDERING_NORMAL, 200, 0);
    assert_int_equal(fd_projector_create(d.model, &d.scaler, &spec, &projector, NULL), FD_OK);
    for (size_t i = 0; i < d.n; i++) {
        double theta[DIM], labels[N_LAB], jacobian[N_LAB * DIM], r[DIM] = {0}, s[N_LAB], nudged[DIM], length = 0;
        float before[DIM];
        lapack_int rank;
        bool inside = true;
        memcpy(before, d.x + i * DIM, sizeof before);
        for (int j = 0; j < DIM; j++) {
            theta[j] = d.scaler.shift[j] + d.scaler.scale[j] * (double)before[j];
            nudged[j] = theta[j] + 1e-3 * d.scaler.scale[j] * cos(7.0 * j + (double)i);
        }
        d.model->derivatives(d.model, 1, theta, labels, jacobian);
        d.model->forward(d.model, 1, nudged, d.labels + i * N_LAB, NULL);
        for (int k = 0; k < N_LAB; k++) {
            double norm = 0;
            for (int j = 0; j < DIM; j++) norm += pow(jacobian[k * DIM + j] * d.scaler.scale[j], 2);
            for (int j = 0; j < DIM; j++) jacobian[k * DIM + j] *= d.scaler.scale[j] / sqrt(norm);
            r[k] = d.labels[i * N_LAB + (size_t)k] - labels[k];
            r[k] /= sqrt(norm);
        }
        assert_int_equal(LAPACKE_dgelsd(LAPACK_ROW_MAJOR, N_LAB, DIM, 1, jacobian, DIM, r, 1, s, 1e-8, &rank), 0);
        assert_int_equal(rank, 6);
        for (int j = 0; j < DIM; j++) {
            double after = d.scaler.shift[j] + d.scaler.scale[j] * ((double)before[j] + r[j]);
            inside = inside && after > d.model->params[j].lo && after < d.model->params[j].hi;
            length += r[j] * r[j];
        }
        double gap = d.scaler.scale[19] * ((double)before[19] + r[19]) - d.scaler.scale[18] * ((double)before[18] + r[18]);
        fd_project(projector, 1, d.x + i * DIM, d.labels + i * N_LAB, d.converged + i, NULL);
        if (!inside || gap < 1e-6 || memcmp(before, d.x + i * DIM, sizeof before) == 0) continue; /* it went astray */
        compared++;
        for (int j = 0; j < DIM; j++) /* x in float32 to 1.2e-7 */
            assert_below(fabs((double)d.x[i * DIM + (size_t)j] - (double)before[j] - r[j]), 2e-7 + 1e-3 * sqrt(length));
    }
    assert_true(compared > 150);
    fd_projector_free(projector);
    drop(&d);
}

/* Draws perturbed and put back onto their own labels are prior draws still: nothing heaps up on the walls (clamping would
 * leave 0.26 of a component a row there), and every Yukawa stays uniform. */
static void distribution_stays(void **state) {
    (void)state;
    draws d;
    size_t on_walls = 0;
    prior_draws(&d, FD_ORDERING_NORMAL, 4000, 0.1);
    run(&d, 20);
    double *column = malloc(d.n * sizeof *column);
    for (int j = 0; j < 21; j++) {
        double lo = d.model->params[j].lo, hi = d.model->params[j].hi, distance = 0;
        for (size_t i = 0; i < d.n; i++) {
            double theta = d.scaler.shift[j] + d.scaler.scale[j] * (double)d.x[i * DIM + (size_t)j];
            column[i] = (theta - lo) / (hi - lo);
            on_walls += column[i] < 1e-5 || column[i] > 1 - 1e-5;
        }
        qsort(column, d.n, sizeof *column, ascending);
        for (size_t i = 0; i < d.n; i++) {
            double exact = j == 18 ? 1 - (1 - column[i]) * (1 - column[i]) : j == 19 ? column[i] * column[i] : column[i];
            distance = fmax(distance, fabs(exact - ((double)i + 0.5) / (double)d.n));
        }
        assert_below(distance, 1.95 / sqrt((double)d.n)); /* one-sample Kolmogorov at 0.999 */
    }
    assert_below((double)on_walls / (double)d.n, 0.08);
    free(column);
    drop(&d);
}

/* Rows on every wall at once, r1 = r2 too. */
static void from_the_walls(void **state) {
    (void)state;
    draws d;
    prior_draws(&d, FD_ORDERING_NORMAL, 500, 0);
    for (size_t i = 0; i < d.n; i++)
        for (int j = 0; j < DIM; j++) {
            const fd_param *p = &d.model->params[j];
            float *x = &d.x[i * DIM + (size_t)j];
            double wall = (i + (size_t)j) % 2 ? p->hi : p->lo;
            if ((i + 3 * (size_t)j) % 5 == 0 && j != 18) *x = (float)((wall - d.scaler.shift[j]) / d.scaler.scale[j]);
            if (j == 19 && i % 4 == 0) *x = d.x[i * DIM + 18];
        }
    run(&d, 30);
    assert_true((double)check_converged(&d) >= 0.95 * (double)d.n);
    drop(&d);
}

/* A row does not know its neighbours, nor how many threads there are. */
static void rows_are_independent(void **state) {
    (void)state;
    draws a, b;
    int threads = omp_get_max_threads();
    prior_draws(&a, FD_ORDERING_NORMAL, 203, 0.2);
    prior_draws(&b, FD_ORDERING_NORMAL, 203, 0.2);
    omp_set_num_threads(1);
    run(&a, 10);
    omp_set_num_threads(3);
    fd_projector *projector = projector_of(&b, 10);
    for (size_t i = 0; i < b.n; i += 29) /* 7 calls of 29 rows */
        assert_int_equal(fd_project(projector, 29, b.x + i * DIM, b.labels + i * N_LAB, b.converged + i, NULL), FD_OK);
    omp_set_num_threads(threads);
    assert_memory_equal(a.x, b.x, a.n * DIM * sizeof *a.x);
    assert_memory_equal(a.converged, b.converged, a.n);
    assert_true(memchr(a.converged, 1, a.n) != NULL);
    fd_projector_free(projector);
    drop(&a);
    drop(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(linear_inside),        cmocka_unit_test(linear_walls),
        cmocka_unit_test(linear_order),         cmocka_unit_test(linear_unreachable),
        cmocka_unit_test(refusals),             cmocka_unit_test(perturbed_draws_come_back),
        cmocka_unit_test(strangers_come_too),   cmocka_unit_test(one_step_is_lapacks),
        cmocka_unit_test(contradictory_labels),
        cmocka_unit_test(distribution_stays),   cmocka_unit_test(from_the_walls),
        cmocka_unit_test(rows_are_independent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
