#include "inference/chains.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "inference/stats.h"

/* M halves of N draws, one behind the other. */
typedef struct halves {
    size_t m, n;
    double *x;
} halves;

typedef struct moments {
    double within, plus; /* W, (N - 1)/N W + B/N */
} moments;

size_t fd_chains_scratch(size_t chains, size_t n) { return 3 * chains * n; }

/* The middle draw of an odd number is left out. */
static halves split(size_t chains, size_t n, const double *x, double *out) {
    size_t half = n / 2;
    for (size_t c = 0; c < chains; c++) {
        memcpy(out + 2 * c * half, x + c * n, half * sizeof *x);
        memcpy(out + (2 * c + 1) * half, x + (c + 1) * n - half, half * sizeof *x);
    }
    return (halves){2 * chains, half, out};
}

static double mean_of(size_t n, const double *x) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += x[i];
    return sum / (double)n;
}

/* sum_i (x_i - mean)(x_{i+lag} - mean) / n */
static double autocovariance(size_t n, const double *x, double mean, size_t lag) {
    double sum = 0;
    for (size_t i = 0; i + lag < n; i++) sum += (x[i] - mean) * (x[i + lag] - mean);
    return sum / (double)n;
}

/* means (m) receives the means of the halves. */
static moments moments_of(const halves *h, double *means) {
    double n = (double)h->n, m = (double)h->m, within = 0, between = 0;
    for (size_t c = 0; c < h->m; c++) {
        means[c] = mean_of(h->n, h->x + c * h->n);
        within += autocovariance(h->n, h->x + c * h->n, means[c], 0) * n / (n - 1) / m;
    }
    double mean = mean_of(h->m, means);
    for (size_t c = 0; c < h->m; c++) between += (means[c] - mean) * (means[c] - mean) / (m - 1);
    return (moments){within, (n - 1) / n * within + between};
}

static double r_hat(const halves *h, double *means) {
    moments v = moments_of(h, means);
    return v.plus > 0 ? sqrt(v.plus / v.within) : NAN;
}

static double correlation(const halves *h, const double *means, moments v, size_t lag) {
    double sum = 0, n = (double)h->n;
    for (size_t c = 0; c < h->m; c++) sum += autocovariance(h->n, h->x + c * h->n, means[c], lag);
    return 1 - (v.within - sum / (double)h->m * n / (n - 1)) / v.plus;
}

static double ess(const halves *h, double *means) {
    moments v = moments_of(h, means);
    double total = (double)h->m * (double)h->n, tau = -1, last = INFINITY;
    if (!(v.plus > 0)) return NAN;
    for (size_t t = 0; t + 1 < h->n; t += 2) {
        double pair = (t ? correlation(h, means, v, t) : 1) + correlation(h, means, v, t + 1);
        if (!(pair > 0)) break;
        last = fmin(last, pair);
        tau += 2 * last;
    }
    return total / fmax(tau, 1 / log10(total));
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Position of v among the n sorted values: the first that is not below it. */
static size_t position(size_t n, const double *sorted, double v) {
    size_t lo = 0, hi = n;
    while (lo < hi) {
        size_t middle = lo + (hi - lo) / 2;
        if (sorted[middle] < v) lo = middle + 1;
        else hi = middle;
    }
    return lo;
}

/* Normal scores of x (n) in place; ties share the mean of their ranks. */
static void normal_scores(size_t n, double *x, double *sorted) {
    memcpy(sorted, x, n * sizeof *x);
    qsort(sorted, n, sizeof *sorted, ascending);
    for (size_t i = 0; i < n; i++) {
        size_t first = position(n, sorted, x[i]), last = first;
        if (first + 1 < n && sorted[first + 1] == x[i]) last = position(n, sorted, nextafter(x[i], INFINITY)) - 1;
        x[i] = fd_normal_quantile((0.5 * (double)(first + last) + 1 - 0.375) / ((double)n + 0.25));
    }
}

static double tail_ess(const halves *raw, double cut, halves *work, double *means) {
    for (size_t i = 0; i < raw->m * raw->n; i++) work->x[i] = raw->x[i] <= cut;
    return ess(work, means);
}

double fd_chains_ess(size_t chains, size_t n, const double *x, double *scratch) {
    halves h = split(chains, n, x, scratch);
    return ess(&h, scratch + h.m * h.n);
}

fd_chain_verdict fd_chains_judge(size_t chains, size_t n, const double *x, double *scratch) {
    halves raw = split(chains, n, x, scratch);
    size_t total = raw.m * raw.n;
    double *sorted = scratch + total; /* and the means of the halves, when order is no longer wanted */
    halves work = {raw.m, raw.n, scratch + 2 * total};
    for (size_t i = 0; i < total; i++)
        if (isnan(raw.x[i])) raw.x[i] = INFINITY;
    memcpy(sorted, raw.x, total * sizeof *sorted);
    qsort(sorted, total, sizeof *sorted, ascending);
    double median = fd_quantile(total, sorted, 0.5), low = fd_quantile(total, sorted, 0.05),
           high = fd_quantile(total, sorted, 0.95);
    if (sorted[0] == sorted[total - 1]) return (fd_chain_verdict){NAN, NAN, NAN};
    memcpy(work.x, raw.x, total * sizeof *sorted);
    normal_scores(total, work.x, sorted);
    fd_chain_verdict v = {r_hat(&work, sorted), ess(&work, sorted), 0};
    v.tail_ess = fmin(tail_ess(&raw, low, &work, sorted), tail_ess(&raw, high, &work, sorted));
    for (size_t i = 0; i < total; i++) work.x[i] = fabs(raw.x[i] - median);
    normal_scores(total, work.x, sorted);
    v.r_hat = fmax(v.r_hat, r_hat(&work, sorted));
    return v;
}
