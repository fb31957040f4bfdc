/* Steps of least norm against LAPACK's minimum-norm least squares (dgelsd), lane by lane. */
#include "physics_oracles.h"

#include <lapacke.h>

#include "flavordiff/model.h"
#include "inference/least_norm.h"
#include "kernels/kernels.h"

enum { W = FD_LANES, N = 7, D = 12 };

typedef struct problem {
    double j[W][N][D], r[W][N];                                  /* rows, as a model gives them */
    double lanes[N * D * W], residual[N * W], movable[D * W], step[D * W];
    double scale[D];
} problem;

/* Rows of `count` lanes, column d in units of scale[d], and zeros in the others. */
static void to_lanes(problem *p, int count) {
    for (int w = 0; w < W; w++)
        for (int i = 0; i < N * D; i++) p->lanes[i * W + w] = w < count ? p->j[w][i / D][i % D] * p->scale[i % D] : 0;
}

/* J of rank `rank` and r in its range (rank < N), or r arbitrary (rank = N). Rows differ by factors up to 1e3. */
static void draw(problem *p, uint64_t item, int rank, bool frozen) {
    fd_rng rng;
    fd_rng_start(&rng, 41, FD_STREAM_TEST, item, 0);
    for (int d = 0; d < D; d++) p->scale[d] = 0.2 + fd_rng_uniform(&rng);
    for (int w = 0; w < W; w++) {
        double x[D];
        for (int d = 0; d < D; d++) {
            p->movable[d * W + w] = frozen && fd_rng_uniform(&rng) < 0.25 ? 0 : 1;
            x[d] = fd_rng_normal(&rng);
        }
        for (int i = 0; i < N; i++) {
            double unit = pow(10, 3 * fd_rng_uniform(&rng));
            for (int d = 0; d < D; d++) p->j[w][i][d] = i < rank ? unit * fd_rng_normal(&rng) : 0;
            for (int k = 0; k < rank && i >= rank; k++) {
                double c = fd_rng_normal(&rng);
                for (int d = 0; d < D; d++) p->j[w][i][d] += c * p->j[w][k][d];
            }
            p->r[w][i] = rank == N ? unit * fd_rng_normal(&rng) : 0;
            for (int d = 0; d < D && rank < N; d++)
                p->r[w][i] += p->j[w][i][d] * p->scale[d] * x[d] * p->movable[d * W + w];
            p->residual[i * W + w] = p->r[w][i];
        }
    }
    to_lanes(p, W);
}

/* The same by singular values; frozen columns are taken out of the matrix. */
static void oracle(const problem *p, int w, double *x) {
    double a[N * D], b[D] = {0}, s[N];
    int column[D], n = 0, rank;
    for (int d = 0; d < D; d++)
        if (p->movable[d * W + w] != 0) column[n++] = d;
    for (int i = 0; i < N; i++) {
        double norm = 0; /* rows of length one, so that a cut on singular values is fair */
        for (int d = 0; d < n; d++) norm += pow(p->j[w][i][column[d]] * p->scale[column[d]], 2);
        for (int d = 0; d < n; d++) a[i * n + d] = p->j[w][i][column[d]] * p->scale[column[d]] / sqrt(norm);
        b[i] = p->r[w][i] / sqrt(norm);
    }
    assert_int_equal(LAPACKE_dgelsd(LAPACK_ROW_MAJOR, N, n, 1, a, n, b, 1, s, 1e-9, &rank), 0);
    for (int d = 0; d < D; d++) x[d] = 0;
    for (int d = 0; d < n; d++) x[column[d]] = b[d];
}

static void compare(const problem *p, double tolerance) {
    for (int w = 0; w < W; w++) {
        double x[D], norm = 0;
        oracle(p, w, x);
        for (int d = 0; d < D; d++) norm += x[d] * x[d];
        for (int d = 0; d < D; d++) {
            assert_below(fabs(p->step[d * W + w] - x[d]), tolerance * sqrt(norm));
            if (p->movable[d * W + w] == 0) assert_true(p->step[d * W + w] == 0);
        }
    }
}

static void solve(problem *p, double relative) {
    fd_least_norm q = {.n_labels = N, .dim = D, .jacobian = p->lanes, .residual = p->residual, .movable = p->movable,
                       .relative = relative};
    fd_least_norm_solve(&q, p->step);
}

static void full_rank(void **state) {
    (void)state;
    problem p;
    for (uint64_t item = 0; item < 50; item++) {
        draw(&p, item, N, false);
        solve(&p, 0);
        compare(&p, 1e-7);
        fd_least_norm q = {.n_labels = N, .dim = D, .jacobian = p.lanes, .residual = p.residual};
        double all[D * W];
        fd_least_norm_solve(&q, all);
        assert_memory_equal(all, p.step, sizeof all);
    }
}

static void dependent_labels(void **state) {
    (void)state;
    problem p;
    for (uint64_t item = 50; item < 100; item++) {
        draw(&p, item, 4, false);
        solve(&p, 1e-10);
        compare(&p, 1e-4);
    }
}

static void frozen_components(void **state) {
    (void)state;
    problem p;
    for (uint64_t item = 100; item < 150; item++) {
        draw(&p, item, 4, true);
        solve(&p, 1e-10);
        compare(&p, 1e-4);
    }
}

/* (J J^T + c) y = r, J^T y = dx, for a lane's own c: checked by putting dx back, J dx + c y = r. */
static void damped(void **state) {
    (void)state;
    problem p;
    double absolute[W];
    draw(&p, 150, 4, false);
    for (int w = 0; w < W; w++) absolute[w] = w + 0.5;
    fd_least_norm q = {.n_labels = N, .dim = D, .jacobian = p.lanes, .residual = p.residual, .absolute = absolute};
    fd_least_norm_solve(&q, p.step);
    for (int w = 0; w < W; w++) {
        double a[N * N], y[N], x;
        lapack_int pivot[N];
        for (int i = 0; i < N; i++) {
            y[i] = p.r[w][i];
            for (int k = 0; k < N; k++) {
                a[i * N + k] = i == k ? absolute[w] : 0;
                for (int d = 0; d < D; d++) a[i * N + k] += p.j[w][i][d] * p.j[w][k][d] * p.scale[d] * p.scale[d];
            }
        }
        assert_int_equal(LAPACKE_dgesv(LAPACK_ROW_MAJOR, N, 1, a, N, pivot, y, 1), 0);
        for (int d = 0; d < D; d++) {
            x = 0;
            for (int i = 0; i < N; i++) x += p.j[w][i][d] * p.scale[d] * y[i];
            assert_below(fabs(p.step[d * W + w] - x), 1e-6);
        }
    }
}

/* A lane of NaN, and one without any movable component, leave their neighbours as they are; lanes that were not loaded
 * do not move. */
static void lanes_are_independent(void **state) {
    (void)state;
    problem clean, p;
    draw(&clean, 151, N, false);
    p = clean;
    solve(&clean, 1e-10);
    p.j[2][3][1] = NAN;
    for (int d = 0; d < D; d++) p.movable[d * W + 5] = 0;
    to_lanes(&p, W - 1);
    solve(&p, 1e-10);
    for (int d = 0; d < D; d++) {
        assert_true(isnan(p.step[d * W + 2]));
        assert_true(p.step[d * W + 5] == 0 && p.step[d * W + W - 1] == 0);
        for (int w = 0; w < W - 1; w++)
            if (w != 2 && w != 5) assert_true(p.step[d * W + w] == clean.step[d * W + w]);
    }
}

/* From x + offset less is missing: r - J offset, summed here. The diagonal of J J^T is that of the movable components. */
static void offset_and_diagonal(void **state) {
    (void)state;
    problem p;
    double offset[D * W], diagonal[N * W], shifted[N * W], step[D * W];
    fd_rng rng;
    fd_rng_start(&rng, 42, FD_STREAM_TEST, 0, 0);
    draw(&p, 152, N, true);
    for (int i = 0; i < D * W; i++) offset[i] = fd_rng_normal(&rng);
    fd_least_norm q = {.n_labels = N, .dim = D, .jacobian = p.lanes, .residual = p.residual, .movable = p.movable,
                       .relative = 1e-10, .offset = offset, .diagonal = diagonal};
    fd_least_norm_solve(&q, p.step);
    for (int w = 0; w < W; w++)
        for (int i = 0; i < N; i++) {
            double moved = 0, square = 0;
            for (int d = 0; d < D; d++) {
                double slope = p.lanes[(i * D + d) * W + w];
                moved += slope * offset[d * W + w];
                square += slope * slope * p.movable[d * W + w];
            }
            shifted[i * W + w] = p.residual[i * W + w] - moved;
            assert_below(fabs(diagonal[i * W + w] / square - 1), 1e-14);
        }
    q.residual = shifted;
    q.offset = NULL;
    fd_least_norm_solve(&q, step);
    for (int i = 0; i < D * W; i++) assert_below(fabs(step[i] - p.step[i]), 1e-7 * (1 + fabs(step[i])));
}

/* Every table of this machine gives the bits of the portable one. */
static void same_bits_everywhere(void **state) {
    (void)state;
    static const char *const names[] = {"avx2", "avx512"};
    problem p;
    for (uint64_t item = 160; item < 200; item++) {
        double plain[D * W], diagonal[2][N * W];
        draw(&p, item, item % 2 ? N : 4, item % 4 > 1);
        fd_least_norm q = {.n_labels = N, .dim = D, .jacobian = p.lanes, .residual = p.residual, .movable = item % 8 > 3 ? p.movable : NULL,
                           .relative = item % 3 ? 1e-10 : 0.1, .offset = item % 5 ? p.movable : NULL, .diagonal = diagonal[0]};
        fd_kernels_named("portable")->least_norm(&q, plain);
        for (int i = 0; i < 2; i++) {
            const fd_kernels *table = fd_kernels_named(names[i]);
            if (!table) continue;
            q.diagonal = diagonal[1];
            table->least_norm(&q, p.step);
            assert_memory_equal(p.step, plain, sizeof plain);
            assert_memory_equal(diagonal[0], diagonal[1], sizeof *diagonal);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(full_rank), cmocka_unit_test(dependent_labels),      cmocka_unit_test(frozen_components),
        cmocka_unit_test(damped),    cmocka_unit_test(lanes_are_independent),
        cmocka_unit_test(offset_and_diagonal), cmocka_unit_test(same_bits_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
