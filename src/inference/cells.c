#include "flavordiff/cells.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "inference/stats.h"

void fd_cells_counts(int cells, const uint64_t *reference, const uint64_t *set, fd_cells *result) {
    double n = 0, m = 0;
    int used = 0;
    *result = (fd_cells){0};
    for (int i = 0; i < cells; i++) n += (double)reference[i], m += (double)set[i];
    for (int i = 0; i < cells; i++) {
        double a = (double)reference[i], b = (double)set[i];
        if (a + b == 0) continue;
        used++;
        result->chi2 += pow(sqrt(m / n) * a - sqrt(n / m) * b, 2) / (a + b);
        if (a == 0) continue;
        result->cells++;
        result->filled += b > 0;
        result->expected += -expm1(m * log1p(-a / n));
    }
    result->freedom = used - 1;
    if (used < 2) *result = (fd_cells){0};
    else result->tail = fd_chi2_tail(result->chi2, result->freedom);
}

enum { MAKES, COUNTS, SET, PARTS }; /* first half of the reference, second half, the set */

typedef struct cutting {
    int d;
    size_t least;                      /* fewer rows that make it: a cell is not cut */
    const double *rows[PARTS];         /* (.., d) */
    uint32_t *order[PARTS];            /* rows, those of a cell together */
    double *column;                    /* one quantity of a cell, sorted */
    uint32_t *spare;
    int cells;
    uint64_t counts[2][4 * FD_CELLS_MOST];  /* a cell is a fifth of `least` or more */
} cutting;

static double value(const cutting *c, int part, uint32_t row, int j) { return c->rows[part][(size_t)row * (size_t)c->d + (size_t)j]; }

/* Share of the variance of sorted values between the parts of the best cut, which goes below *at; 0: there is none. */
static double best_place(size_t n, const double *sorted, double *at) {
    double mean = 0, variance = 0, below = 0, most = 0;
    for (size_t i = 0; i < n; i++) mean += sorted[i] / (double)n;
    for (size_t i = 0; i < n; i++) variance += pow(sorted[i] - mean, 2) / (double)n;
    for (size_t k = 1; k <= n - n / 4; k++) {
        below += (sorted[k - 1] - mean) / (double)n; /* the upper part has the same with the other sign */
        if (k < n / 4 || k == n || sorted[k - 1] == sorted[k]) continue;
        double share = (double)k / (double)n, between = below * below * (1 / share + 1 / (1 - share));
        if (between <= most * variance) continue;
        most = between / variance;
        *at = sorted[k];
    }
    return most;
}

static int best_cut(const cutting *c, const uint32_t *order, size_t n, double *at) {
    int best = -1;
    double most = 0, place = 0;
    for (int j = 0; j < c->d; j++) {
        for (size_t i = 0; i < n; i++) c->column[i] = value(c, MAKES, order[i], j);
        fd_sort(n, c->column);
        double share = best_place(n, c->column, &place);
        if (share <= most) continue;
        most = share;
        best = j;
        *at = place;
    }
    return best;
}

/* Rows with a value below `at` first; how many they are. */
static size_t divide(const cutting *c, int part, uint32_t *order, size_t n, int j, double at) {
    size_t low = 0, high = 0;
    for (size_t i = 0; i < n; i++) {
        if (value(c, part, order[i], j) < at) order[low++] = order[i];
        else c->spare[high++] = order[i];
    }
    memcpy(order + low, c->spare, high * sizeof *order);
    return low;
}

static void cut(cutting *c, uint32_t *const order[PARTS], const size_t n[PARTS]) {
    double at = 0;
    size_t low[PARTS], high[PARTS];
    uint32_t *above[PARTS];
    int j = n[MAKES] >= c->least ? best_cut(c, order[MAKES], n[MAKES], &at) : -1;
    if (j < 0) {
        c->counts[0][c->cells] = n[COUNTS];
        c->counts[1][c->cells++] = n[SET];
        return;
    }
    for (int part = 0; part < PARTS; part++) {
        low[part] = divide(c, part, order[part], n[part], j, at);
        high[part] = n[part] - low[part];
        above[part] = order[part] + low[part];
    }
    cut(c, order, low);
    cut(c, above, high);
}

fd_status fd_cells_cut(size_t n, size_t m, int d, const double *x, const double *y, fd_cells *result, fd_error *err) {
    const size_t half = n / 2, rows[PARTS] = {half, n - half, m}, most = n > m ? n : m;
    size_t least = 2 * half / FD_CELLS_MOST + 1, for_set = FD_CELLS_ROWS * half / (m + 1) + 1;
    if (least < FD_CELLS_ROWS) least = FD_CELLS_ROWS;
    if (least < for_set) least = for_set;
    fd_status status = FD_OK;
    *result = (fd_cells){0};
    cutting c = {.d = d, .least = least,
                 .rows = {x, x + half * (size_t)d, y}, .column = malloc((half + 1) * sizeof *c.column),
                 .spare = malloc((most + 1) * sizeof *c.spare)};
    for (int part = 0; part < PARTS; part++)
        if (!(c.order[part] = malloc((rows[part] + 1) * sizeof **c.order))) status = FD_ERR_MEMORY;
    if (!c.column || !c.spare || status) {
        status = fd_fail(err, FD_ERR_MEMORY, "cells: out of memory");
    } else {
        for (int part = 0; part < PARTS; part++)
            for (size_t i = 0; i < rows[part]; i++) c.order[part][i] = (uint32_t)i;
        cut(&c, c.order, rows);
        fd_cells_counts(c.cells, c.counts[0], c.counts[1], result);
    }
    for (int part = 0; part < PARTS; part++) free(c.order[part]);
    free(c.column);
    free(c.spare);
    return status;
}
