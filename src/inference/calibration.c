#include "inference/calibration.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

uint32_t fd_rank(size_t m, const double *x, size_t stride, double truth, fd_rng *rng) {
    uint32_t below = 0, equal = 0;
    for (size_t i = 0; i < m; i++) {
        below += x[i * stride] < truth;
        equal += x[i * stride] == truth;
    }
    return equal ? below + (uint32_t)fd_rng_below(rng, (uint64_t)equal + 1) : below;
}

double fd_wrapped_distance(int dim, const double *x, const double *z, const double *period) {
    double sum = 0;
    for (int j = 0; j < dim; j++) {
        double d = x[j] - z[j];
        if (period[j] > 0) d -= period[j] * round(d / period[j]);
        sum += d * d;
    }
    return sqrt(sum);
}

/* ---- the test ----------------------------------------------------------------------------------------------------- */

struct fd_rank_test {
    size_t n, m;
    double *ln_factorial; /* [0..n] */
    double *below;        /* (m + 1, n + 1): P(Bin(n, j/(m+1)) <= R), row j = 1..m */
    double *scratch;      /* (3, n + 1) */
    size_t *counts;       /* (m + 1) */
};

/* Bin(n, q) for k = lo..hi into out[k - lo], by recurrence from the largest term inside: nothing underflows that matters. */
static void binomial_terms(const fd_rank_test *t, size_t n, double q, size_t lo, size_t hi, double *out) {
    size_t top = (size_t)((double)(n + 1) * q);
    memset(out, 0, (hi - lo + 1) * sizeof *out);
    if (q >= 1) {
        if (hi == n) out[n - lo] = 1;
        return;
    }
    top = top < lo ? lo : top > hi ? hi : top;
    double odds = q / (1 - q), peak = exp(t->ln_factorial[n] - t->ln_factorial[top] - t->ln_factorial[n - top] +
                                          (double)top * log(q) + (double)(n - top) * log1p(-q));
    double term = peak;
    for (size_t k = top; k <= hi && term > 1e-25; k++) {
        out[k - lo] = term;
        term *= odds * (double)(n - k) / (double)(k + 1);
    }
    term = peak;
    for (size_t k = top; k > lo && term > 1e-25; k--) {
        term *= (double)k / (odds * (double)(n - k + 1));
        out[k - 1 - lo] = term;
    }
}

fd_status fd_rank_test_create(size_t n, size_t m, fd_rank_test **test, fd_error *err) {
    fd_rank_test *t = calloc(1, sizeof *t);
    if (t) {
        t->n = n, t->m = m;
        t->ln_factorial = malloc((n + 1) * sizeof *t->ln_factorial);
        t->below = malloc((m + 1) * (n + 1) * sizeof *t->below);
        t->scratch = malloc(3 * (n + 1) * sizeof *t->scratch);
        t->counts = malloc((m + 1) * sizeof *t->counts);
    }
    *test = t;
    if (!t || !t->ln_factorial || !t->below || !t->scratch || !t->counts) {
        fd_rank_test_free(t);
        *test = NULL;
        return fd_fail(err, FD_ERR_MEMORY, "out of memory for tables of %zu ranks", n);
    }
    t->ln_factorial[0] = 0;
    for (size_t i = 1; i <= n; i++) t->ln_factorial[i] = t->ln_factorial[i - 1] + log((double)i);
    for (size_t j = 1; j <= m; j++) {
        double *row = t->below + j * (n + 1);
        binomial_terms(t, n, (double)j / (double)(m + 1), 0, n, row);
        for (size_t r = 1; r <= n; r++) row[r] += row[r - 1];
    }
    return FD_OK;
}

void fd_rank_test_free(fd_rank_test *test) {
    if (!test) return;
    free(test->ln_factorial);
    free(test->below);
    free(test->scratch);
    free(test->counts);
    free(test);
}

/* 2 min(P(Bin <= r), P(Bin >= r)) at j; the upper tail is the lower one of the mirrored law. */
static double two_sided(const fd_rank_test *t, size_t j, size_t r) {
    double low = t->below[j * (t->n + 1) + r], high = t->below[(t->m + 1 - j) * (t->n + 1) + t->n - r];
    return 2 * fmin(low, high);
}

/* Values of R_j whose two-sided tail is more than g: from *lo to *hi; false when there is none. */
static bool inside(const fd_rank_test *t, size_t j, double g, size_t *lo, size_t *hi) {
    size_t middle = (size_t)((double)t->n * (double)j / (double)(t->m + 1)), a = 0, b = middle;
    if (middle < t->n && two_sided(t, j, middle + 1) > two_sided(t, j, middle)) b = ++middle;
    if (!(two_sided(t, j, middle) > g)) return false;
    while (a < b) { /* the tail rises up to the middle */
        size_t c = (a + b) / 2;
        if (two_sided(t, j, c) > g) b = c;
        else a = c + 1;
    }
    *lo = a;
    for (a = middle, b = t->n; a < b;) {
        size_t c = (a + b + 1) / 2;
        if (two_sided(t, j, c) > g) a = c;
        else b = c - 1;
    }
    *hi = a;
    return true;
}

/* P(min_j tail_j <= g) for uniform ranks: what is left of the law of R_j on paths that stay inside. */
static double crossing(fd_rank_test *t, double g) {
    double *now = t->scratch, *next = now + t->n + 1, *terms = next + t->n + 1;
    size_t lo = 0, hi = 0, to_lo, to_hi;
    now[0] = 1;
    for (size_t j = 1; j <= t->m; j++) {
        if (!inside(t, j, g, &to_lo, &to_hi)) return 1;
        memset(next + to_lo, 0, (to_hi - to_lo + 1) * sizeof *next);
        for (size_t r = lo; r <= hi; r++) {
            size_t from = to_lo > r ? to_lo : r;
            if (now[r] < 1e-25 || from > to_hi) continue;
            binomial_terms(t, t->n - r, 1 / (double)(t->m + 2 - j), from - r, to_hi - r, terms);
            for (size_t k = from; k <= to_hi; k++) next[k] += now[r] * terms[k - from];
        }
        double *swap = now;
        now = next, next = swap;
        lo = to_lo, hi = to_hi;
    }
    double stays = 0;
    for (size_t r = lo; r <= hi; r++) stays += now[r];
    /* The difference has no digits where crossings are rare; these bounds hold for any law of several tails. */
    return fmin(fmax(1 - stays, g), fmin(1, (double)t->m * g));
}

fd_rank_verdict fd_rank_judge(fd_rank_test *t, const uint32_t *ranks, double *difference) {
    double n = (double)t->n, levels = (double)(t->m + 1), g = 1, square = 0;
    fd_rank_verdict v = {0};
    memset(t->counts, 0, (t->m + 1) * sizeof *t->counts);
    for (size_t i = 0; i < t->n; i++) {
        double u = ((double)ranks[i] + 0.5) / levels - 0.5;
        v.mean += u / n;
        square += u * u / n;
        t->counts[ranks[i]]++;
    }
    /* u is uniform on m + 1 midpoints: variance (1 - 1/levels^2)/12, fourth moment (3 - 10/levels^2 + 7/levels^4)/240. */
    double d = 1 / (levels * levels), variance = (1 - d) / 12, fourth = (3 - 10 * d + 7 * d * d) / 240;
    v.mean_pull = v.mean / sqrt(variance / n);
    v.width = square / variance;
    v.width_pull = t->m > 1 ? (square - variance) / sqrt((fourth - variance * variance) / n) : 0;
    v.mean += 0.5;
    for (size_t j = 1, r = 0; j <= t->m; j++) {
        r += t->counts[j - 1];
        double gap = (double)r / n - (double)j / levels;
        if (difference) difference[j - 1] = gap;
        v.deviation = fmax(v.deviation, fabs(gap));
        g = fmin(g, two_sided(t, j, r));
    }
    v.p_value = crossing(t, g);
    return v;
}

void fd_rank_band(fd_rank_test *t, double tail, double *lo, double *hi) {
    double inner = tail / (double)t->m, outer = 1; /* crossing(inner) <= tail < crossing(outer) */
    while (outer / inner > 1 + 1e-9) {
        double middle = sqrt(inner * outer);
        *(crossing(t, middle) <= tail ? &inner : &outer) = middle;
    }
    for (size_t j = 1; j <= t->m; j++) {
        size_t a = 0, b = t->n;
        inside(t, j, inner, &a, &b);
        lo[j - 1] = (double)a / (double)t->n - (double)j / (double)(t->m + 1);
        hi[j - 1] = (double)b / (double)t->n - (double)j / (double)(t->m + 1);
    }
}

/* ---- a whole calibration ------------------------------------------------------------------------------------------ */

/* A block of truths and samples. */
typedef struct block {
    double *truth, *truth_x, *samples, *samples_x, *z;
} block;

static void block_free(block *b) {
    free(b->truth);
    free(b->truth_x);
    free(b->samples);
    free(b->samples_x);
    free(b->z);
}

static bool block_create(const fd_calibration_source *s, size_t n, size_t each, block *b) {
    size_t q = (size_t)s->n_quantities, dim = (size_t)s->dim;
    *b = (block){malloc((n * q + 1) * sizeof(double)), malloc(n * dim * sizeof(double)),
                 malloc((n * each * q + 1) * sizeof(double)), malloc(n * each * dim * sizeof(double)),
                 malloc(n * dim * sizeof(double))};
    return b->truth && b->truth_x && b->samples && b->samples_x && b->z;
}

static bool calibration_create(fd_calibration *c, size_t n, size_t m, int n_rows) {
    size_t rows = (size_t)n_rows;
    *c = (fd_calibration){.n = n, .m = m, .n_rows = n_rows};
    c->ranks = calloc(rows * n, sizeof *c->ranks); /* kept in checkpoints before it is full */
    c->difference = malloc(rows * m * sizeof *c->difference);
    c->verdicts = malloc(rows * sizeof *c->verdicts);
    c->lo = malloc(m * sizeof *c->lo);
    c->hi = malloc(m * sizeof *c->hi);
    return c->ranks && c->difference && c->verdicts && c->lo && c->hi;
}

void fd_calibration_free(fd_calibration *c) {
    free(c->ranks);
    free(c->difference);
    free(c->verdicts);
    free(c->lo);
    free(c->hi);
    *c = (fd_calibration){0};
}

/* Rank of the truth's distance from z among those of the samples. */
static uint32_t distance_rank(const fd_calibration_source *s, size_t m, const double *x, const double *truth, const double *z,
                              fd_rng *rng) {
    double d[FD_CALIBRATION_SAMPLES];
    for (size_t i = 0; i < m; i++) d[i] = fd_wrapped_distance(s->dim, x + i * (size_t)s->dim, z, s->period);
    return fd_rank(m, d, 1, fd_wrapped_distance(s->dim, truth, z, s->period), rng);
}

/* All ranks of truth i of the block, number `at` of the calibration. The last sample at its label is not ranked: z of TARP. */
static void rank_truth(const fd_calibration_source *s, const fd_calibration_spec *spec, const block *b, size_t i, size_t at,
                       fd_calibration *out) {
    size_t q = (size_t)s->n_quantities, dim = (size_t)s->dim, each = out->m + 1;
    const double *x = b->samples_x + i * each * dim, *truth = b->truth_x + i * dim;
    fd_rng rng;
    fd_rng_start(&rng, spec->seed, FD_STREAM_TIES, at, 0);
    for (size_t k = 0; k < q; k++)
        out->ranks[k * out->n + at] = fd_rank(out->m, b->samples + i * each * q + k, q, b->truth[i * q + k], &rng);
    out->ranks[(q + FD_TARP_GIVEN) * out->n + at] = distance_rank(s, out->m, x, truth, b->z + i * dim, &rng);
    out->ranks[(q + FD_TARP_OWN) * out->n + at] = distance_rank(s, out->m, x, truth, x + out->m * dim, &rng);
}

static fd_status rank_all(const fd_calibration_source *s, const fd_calibration_spec *spec, fd_calibration *out,
                          fd_error *err) {
    block b;
    size_t first = 0;
    fd_status status = block_create(s, spec->block, spec->m + 1, &b) ? FD_OK : fd_fail(err, FD_ERR_MEMORY, "out of memory");
    if (!status && spec->before) status = spec->before(spec->user, out, &first, err);
    for (; !status && first < spec->n; first += spec->block) {
        size_t n = spec->n - first < spec->block ? spec->n - first : spec->block;
        status = s->draw(s, first, n, spec->m + 1, b.truth, b.truth_x, b.samples, b.samples_x, b.z, err);
        if (status) break;
#pragma omp parallel for schedule(static)
        for (long i = 0; i < (long)n; i++) rank_truth(s, spec, &b, (size_t)i, first + (size_t)i, out);
        if (spec->after) status = spec->after(spec->user, out, first + n, err);
    }
    block_free(&b);
    return status;
}

fd_status fd_calibrate(const fd_calibration_source *source, const fd_calibration_spec *spec, fd_calibration *out,
                       fd_error *err) {
    fd_rank_test *test = NULL;
    fd_status status = FD_OK;
    if (!calibration_create(out, spec->n, spec->m, source->n_quantities + FD_TARP_ROWS))
        status = fd_fail(err, FD_ERR_MEMORY, "out of memory for %zu truths", spec->n);
    if (!status) status = rank_all(source, spec, out, err);
    if (!status) status = fd_rank_test_create(spec->n, spec->m, &test, err);
    for (int k = 0; !status && k < out->n_rows; k++)
        out->verdicts[k] = fd_rank_judge(test, out->ranks + (size_t)k * spec->n, out->difference + (size_t)k * spec->m);
    if (!status) fd_rank_band(test, spec->tail, out->lo, out->hi);
    if (status) fd_calibration_free(out);
    fd_rank_test_free(test);
    return status;
}
