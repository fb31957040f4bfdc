/* Steps of least norm for FD_LANES points at a time, written once. The file that includes this defines FD_LEAST_NORM,
 * the name of the function. Included once per instruction set: this is a template, not a header.
 *
 * As takagi_body.h: compiled with -ffp-contract=off, nothing but + - * / and sqrt, so all instruction sets give the same
 * bits. */
#include <stddef.h>

#include "kernels/least_norm_lanes.h"
#include "kernels/vector_double.h"

enum { W = FD_LANES, CHAINS = 4 };

/* Rounding leaves about this much of the diagonal where a pivot should be zero; below it the factor is noise. */
static const double least_relative = 1e-13;

/* VW of the lanes at work. */
typedef struct state {
    vd a[FD_MAX_LABELS * (FD_MAX_LABELS + 1) / 2]; /* lower triangle, row after row */
    vd lambda[FD_MAX_LABELS], y[FD_MAX_LABELS];
} state;

static inline vd *row_of(state *s, int i) { return s->a + i * (i + 1) / 2; }
static inline const double *slopes(const fd_least_norm *q, int i, int w) {
    return q->jacobian + (ptrdiff_t)i * q->dim * W + w;
}

/* row . J_j for `count` <= CHAINS labels from j on, side by side: one sum alone would wait for its own additions. */
static inline void products(const fd_least_norm *q, const vd *row, int w, int j, int count, vd *out) {
    const double *from[CHAINS];
    vd sum[CHAINS] = {{0}};
    for (int c = 0; c < CHAINS; c++) from[c] = slopes(q, j + (c < count ? c : 0), w);
    for (int p = 0; p < q->dim; p++)
        for (int c = 0; c < CHAINS; c++) sum[c] += row[p] * load(from[c] + p * W);
    for (int c = 0; c < count; c++) out[c] = sum[c];
}

/* Lower triangle of J J^T + Lambda over the movable components, Lambda, and what is missing at the offset. */
static void normal_matrix(const fd_least_norm *q, int w, state *s) {
    double relative = q->absolute ? q->relative : fmax(q->relative, least_relative);
    for (int i = 0; i < q->n_labels; i++) {
        vd row[FD_MAX_PARAMS], *a = row_of(s, i), moved = {0};
        const double *from = slopes(q, i, w);
        for (int p = 0; p < q->dim; p++) row[p] = load(from + p * W);
        for (int p = 0; q->offset && p < q->dim; p++) moved += row[p] * load(q->offset + p * W + w);
        for (int p = 0; q->movable && p < q->dim; p++) row[p] *= load(q->movable + p * W + w);
        for (int j = 0; j <= i; j += CHAINS) products(q, row, w, j, i - j + 1 < CHAINS ? i - j + 1 : CHAINS, a + j);
        if (q->diagonal) store(a[i], q->diagonal + i * W + w);
        s->lambda[i] = relative * a[i];
        if (q->absolute) s->lambda[i] += load(q->absolute + w);
        a[i] += s->lambda[i];
        /* Nothing moves this label: an identity row instead of a division by zero; its column of J^T is zero. */
        a[i] = choose(a[i] == 0.0, splat(1), a[i]);
        s->y[i] = load(q->residual + i * W + w) - moved;
    }
}

/* Lower triangle in place to its Cholesky factor, the diagonal to its inverse. A pivot that rounding has eaten becomes
 * the smallest that Lambda allows. */
static void cholesky(int n, state *s) {
    for (int i = 0; i < n; i++) {
        vd *a = row_of(s, i);
        for (int j = 0; j <= i; j++) {
            const vd *b = row_of(s, j);
            vd sum = a[j];
            for (int k = 0; k < j; k++) sum -= a[k] * b[k];
            if (j < i) {
                a[j] = sum * b[j];
            } else {
                vd floor = 0.5 * s->lambda[j];
                a[j] = 1.0 / vsqrt(choose(sum < floor, floor, sum));
            }
        }
    }
}

/* y <- (L L^T)^-1 y. */
static void substitute(int n, state *s) {
    for (int i = 0; i < n; i++) {
        const vd *a = row_of(s, i);
        for (int k = 0; k < i; k++) s->y[i] -= a[k] * s->y[k];
        s->y[i] *= a[i];
    }
    for (int i = n - 1; i >= 0; i--) {
        const vd *a = row_of(s, i);
        s->y[i] *= a[i];
        for (int k = 0; k < i; k++) s->y[k] -= a[k] * s->y[i];
    }
}

void FD_LEAST_NORM(const fd_least_norm *q, double *step) {
    for (int w = 0; w < W; w += VW) {
        state s;
        normal_matrix(q, w, &s);
        cholesky(q->n_labels, &s);
        substitute(q->n_labels, &s);
        for (int p = 0; p < q->dim; p++) {
            vd sum = {0};
            for (int i = 0; i < q->n_labels; i++) sum += load(slopes(q, i, w) + p * W) * s.y[i];
            if (q->movable) sum *= load(q->movable + p * W + w);
            store(sum, step + p * W + w);
        }
    }
}
