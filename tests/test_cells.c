/* Cells and their null: simulated, and modes that are dropped. */
#include "physics_oracles.h"

#include "flavordiff/cells.h"
#include "inference/stats.h"

enum { D = 6 };

/* Four modes along the first quantity, correlated and skewed elsewhere; `without` (-1: none) leaves one mode out. */
static void draw(fd_rng *rng, size_t n, int without, double *x) {
    for (size_t i = 0; i < n; i++, x += D) {
        int mode;
        do mode = (int)fd_rng_below(rng, 4);
        while (mode == without);
        x[0] = 8 * mode + fd_rng_normal(rng);
        x[1] = exp(fd_rng_normal(rng));
        x[2] = x[1] + 0.3 * fd_rng_normal(rng);
        for (int j = 3; j < D; j++) x[j] = fd_rng_uniform(rng);
        x[D - 1] = floor(3 * x[D - 1]); /* ties */
    }
}

/* Draws of one law, sets of other sizes: chi^2 has the mean and the tails it should, and cells left empty are as many. */
static void null_law(void **state) {
    (void)state;
    enum { REPEATS = 300 };
    static double x[400 * D], y[900 * D];
    static const size_t sizes[][2] = {{400, 300}, {400, 900}};
    for (int s = 0; s < 2; s++) {
        double chi2 = 0, filled = 0, expected = 0, freedom = 0;
        int low = 0, one = 0;
        for (int r = 0; r < REPEATS; r++) {
            fd_rng rng;
            fd_cells c;
            fd_rng_start(&rng, 83, FD_STREAM_TEST, (uint64_t)r, (uint32_t)s);
            draw(&rng, sizes[s][0], -1, x);
            draw(&rng, sizes[s][1], -1, y);
            assert_int_equal(fd_cells_cut(sizes[s][0], sizes[s][1], D, x, y, &c, NULL), FD_OK);
            assert_true(c.cells >= 8 && c.cells <= 40); /* 5 to 20 of 200 rows in each */
            freedom += (double)c.freedom / REPEATS;
            chi2 += c.chi2 / REPEATS;
            filled += (double)c.filled / REPEATS;
            expected += c.expected / REPEATS;
            low += c.tail < 0.1;
            one += c.tail < 0.01;
        }
        assert_below(fabs(chi2 - freedom), 5 * sqrt(2.0 * freedom / REPEATS));
        assert_below(fabs(filled - expected), 0.2);
        assert_below(fabs(low - 0.1 * REPEATS), 5 * sqrt(0.1 * REPEATS));
        assert_below(one, 0.01 * REPEATS + 5 * sqrt(0.01 * REPEATS));
    }
}

/* A mode that is missing empties its cells; one that is half as full is seen by chi^2. */
static void dropped_mode(void **state) {
    (void)state;
    enum { N = 6000 };
    static double x[N * D], y[N * D];
    fd_rng rng;
    fd_cells c;
    fd_rng_start(&rng, 84, FD_STREAM_TEST, 0, 0);
    draw(&rng, N, -1, x);
    draw(&rng, N, 2, y);
    assert_int_equal(fd_cells_cut(N, N, D, x, y, &c, NULL), FD_OK);
    assert_below(fabs(c.filled - 0.75 * c.cells), 0.06 * c.cells); /* a quarter of the cells is empty, but for those on an edge */
    assert_true(c.tail < 1e-9 && c.expected > 0.98 * c.cells);
    draw(&rng, N / 2, -1, y);
    draw(&rng, N / 2, 2, y + N / 2 * D);
    assert_int_equal(fd_cells_cut(N, N, D, x, y, &c, NULL), FD_OK);
    assert_true(c.tail < 1e-4);
    draw(&rng, N, -1, y);
    assert_int_equal(fd_cells_cut(N, N, D, x, y, &c, NULL), FD_OK);
    assert_true(c.tail > 1e-3 && c.filled > 0.96 * c.cells);
}

/* Few rows: no cells. Nothing but ties: one cell, which says nothing. */
static void nothing_to_cut(void **state) {
    (void)state;
    double x[40 * D] = {0};
    fd_cells c;
    for (int i = 0; i < 40 * D; i++) x[i] = i;
    assert_int_equal(fd_cells_cut(39, 40, D, x, x, &c, NULL), FD_OK);
    assert_int_equal(c.cells, 0);
    memset(x, 0, sizeof x);
    assert_int_equal(fd_cells_cut(40, 40, D, x, x, &c, NULL), FD_OK);
    assert_int_equal(c.cells, 0);
}

/* Two rows of a contingency table: the textbook's sum over (observed - expected)^2 / expected. */
static void counted(void **state) {
    (void)state;
    static const uint64_t a[] = {12, 5, 0, 30, 3}, b[] = {8, 0, 0, 22, 10};
    double n = 50, m = 40, chi2 = 0;
    fd_cells c;
    for (int i = 0; i < 5; i++) {
        double sum = (double)(a[i] + b[i]), ea = sum * n / (n + m), eb = sum * m / (n + m);
        if (sum > 0) chi2 += pow((double)a[i] - ea, 2) / ea + pow((double)b[i] - eb, 2) / eb;
    }
    fd_cells_counts(5, a, b, &c);
    assert_below(fabs(c.chi2 - chi2), 1e-12);
    assert_true(c.freedom == 3 && c.cells == 4 && c.filled == 3);
    assert_below(fabs(c.tail - fd_chi2_tail(chi2, 3)), 1e-15);
    double expected = 0;
    for (int i = 0; i < 5; i++) expected += a[i] ? 1 - pow(1 - (double)a[i] / n, m) : 0;
    assert_below(fabs(c.expected - expected), 1e-12);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(null_law),
        cmocka_unit_test(dropped_mode),
        cmocka_unit_test(nothing_to_cut),
        cmocka_unit_test(counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
