#include "stages/density.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "inference/stats.h"

enum { CELLS = 96 };
#define TAIL 0.002 /* of the points that may lie beyond either end of the grid, but for the reach of the kernel */

/* Cells along one coordinate: centres lo + (i + 1/2) step, in its logarithm where it has one. */
typedef struct side {
    const fd_density_axis *axis;
    double lo, step, width; /* width of the kernel, in cells */
} side;

static double coordinate(const fd_density_axis *axis, size_t i) { return axis->log10 ? log10(axis->values[i]) : axis->values[i]; }

static bool place_side(size_t n, const fd_density_axis *axis, double *sorted, side *s) {
    size_t m = 0;
    for (size_t i = 0; i < n; i++) {
        double v = coordinate(axis, i);
        if (isfinite(v)) sorted[m++] = v;
    }
    fd_sort(m, sorted);
    /* a normal law has 1.349 deviations between its quartiles; a flat circle has a deviation of 1/sqrt(12) of a turn */
    double sigma = (fd_quantile(m, sorted, 0.75) - fd_quantile(m, sorted, 0.25)) / 1.349;
    if (axis->turn > 0) sigma = fmin(sigma, axis->turn / sqrt(12));
    double h = sigma * pow((double)n, -1.0 / 6);
    s->axis = axis;
    s->lo = axis->turn > 0 ? 0 : fd_quantile(m, sorted, TAIL) - 4 * h;
    double hi = axis->turn > 0 ? axis->turn : fd_quantile(m, sorted, 1 - TAIL) + 4 * h;
    s->step = (hi - s->lo) / CELLS;
    s->width = h / s->step;
    return m > 0 && h > 0 && isfinite(s->step);
}

/* Cell of a value, or -1. */
static int cell_of(const side *s, size_t i) {
    double at = floor((coordinate(s->axis, i) - s->lo) / s->step);
    if (s->axis->turn > 0) at -= CELLS * floor(at / CELLS);
    return at >= 0 && at < CELLS ? (int)at : -1;
}

/* Smooths CELLS values, `stride` apart, by a normal kernel; an angle goes round. */
static void smooth(const side *s, double *line, size_t stride) {
    double out[CELLS] = {0}, sum = 0;
    int reach = (int)ceil(4 * s->width);
    for (int k = -reach; k <= reach; k++) {
        double weight = exp(-0.5 * k * k / (s->width * s->width));
        sum += weight;
        for (int i = 0; i < CELLS; i++) {
            int from = i + k;
            if (s->axis->turn > 0) from = ((from % CELLS) + CELLS) % CELLS;
            if (from >= 0 && from < CELLS) out[i] += weight * line[(size_t)from * stride];
        }
    }
    for (int i = 0; i < CELLS; i++) line[(size_t)i * stride] = out[i] / sum;
}

static int descending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

/* Density above which the grid holds `share` of n points. */
static double level_of(const double *sorted, size_t n, double share) {
    double sum = 0;
    for (size_t i = 0; i < (size_t)CELLS * CELLS; i++)
        if ((sum += sorted[i]) >= share * (double)n) return sorted[i];
    return 0;
}

static double value_at(const side *s, double cell) {
    double v = s->lo + (cell + 0.5) * s->step;
    return s->axis->log10 ? pow(10, v) : v;
}

/* Where the level cuts the edge between corners a and b of the square at (i, j); corners go round from its lower left. */
static void crossing(int i, int j, const double corner[4], int a, int b, double level, double at[2]) {
    static const int dx[4] = {0, 1, 1, 0}, dy[4] = {0, 0, 1, 1};
    double f = (level - corner[a]) / (corner[b] - corner[a]);
    at[0] = i + dx[a] + f * (dx[b] - dx[a]);
    at[1] = j + dy[a] + f * (dy[b] - dy[a]);
}

/* The one or two pieces of the level line inside a square. */
static fd_status square(const side *x, const side *y, int i, int j, const double corner[4], double level, double share,
                        fd_table *segments, fd_error *err) {
    double at[4][2];
    int n = 0;
    for (int a = 0; a < 4; a++) {
        int b = (a + 1) % 4;
        if ((corner[a] >= level) != (corner[b] >= level)) crossing(i, j, corner, a, b, level, at[n++]);
    }
    for (int k = 0; k + 1 < n; k += 2) {
        double *row = fd_table_row(segments);
        if (!row) return fd_fail(err, FD_ERR_MEMORY, "out of memory for contours");
        row[0] = value_at(x, at[k][0]), row[1] = value_at(y, at[k][1]);
        row[2] = value_at(x, at[k + 1][0]) - row[0], row[3] = value_at(y, at[k + 1][1]) - row[1];
        row[4] = share;
    }
    return FD_OK;
}

/* density (CELLS of x, CELLS of y). An angle's last square is closed by its first cell. */
static fd_status trace(const side *x, const side *y, const double *density, double level, double share, fd_table *segments,
                       fd_error *err) {
    fd_status status = FD_OK;
    int first_x = x->axis->turn > 0 ? -1 : 0, first_y = y->axis->turn > 0 ? -1 : 0;
    for (int i = first_x; i + 1 < CELLS + (x->axis->turn > 0); i++)
        for (int j = first_y; !status && j + 1 < CELLS + (y->axis->turn > 0); j++) {
            int i0 = (i + CELLS) % CELLS, i1 = (i + 1) % CELLS, j0 = (j + CELLS) % CELLS, j1 = (j + 1) % CELLS;
            const double corner[4] = {density[i0 * CELLS + j0], density[i1 * CELLS + j0], density[i1 * CELLS + j1],
                                      density[i0 * CELLS + j1]};
            status = square(x, y, i, j, corner, level, share, segments, err);
        }
    return status;
}

fd_status fd_density_contours(size_t n, const fd_density_axis *x, const fd_density_axis *y, int n_shares, const double *shares,
                              fd_table *segments, fd_error *err) {
    enum { GRID = CELLS * CELLS };
    double *grid = calloc(2 * GRID, sizeof *grid), *values = malloc((n + 1) * sizeof *values), *sorted = grid + GRID;
    side a, b;
    fd_status status = grid && values ? FD_OK : fd_fail(err, FD_ERR_MEMORY, "out of memory for contours");
    if (!status && place_side(n, x, values, &a) && place_side(n, y, values, &b)) {
        for (size_t k = 0; k < n; k++) {
            int i = cell_of(&a, k), j = cell_of(&b, k);
            if (i >= 0 && j >= 0) grid[i * CELLS + j]++;
        }
        for (int j = 0; j < CELLS; j++) smooth(&a, grid + j, CELLS);
        for (int i = 0; i < CELLS; i++) smooth(&b, grid + i * CELLS, 1);
        memcpy(sorted, grid, GRID * sizeof *grid);
        qsort(sorted, GRID, sizeof *sorted, descending);
        for (int k = 0; !status && k < n_shares; k++)
            status = trace(&a, &b, grid, level_of(sorted, n, shares[k]), shares[k], segments, err);
    }
    free(grid);
    free(values);
    return status;
}
