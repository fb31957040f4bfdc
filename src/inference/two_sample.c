#include "inference/two_sample.h"

#include <math.h>

enum { TERMS = 100 };

double fd_kolmogorov_tail(double lambda) {
    double sum = 0;
    if (!(lambda > 0.2)) return 1; /* 1 to 1e-12; the series needs many terms there */
    for (int j = 1; j <= TERMS; j++) sum += (j % 2 ? 2 : -2) * exp(-2.0 * j * j * lambda * lambda);
    return fmin(fmax(sum, 0), 1);
}

double fd_kuiper_tail(double lambda) {
    double sum = 0;
    if (!(lambda > 0.3)) return 1;
    for (int j = 1; j <= TERMS; j++) {
        double square = 4.0 * j * j * lambda * lambda;
        sum += 2 * (square - 1) * exp(-square / 2);
    }
    return fmin(fmax(sum, 0), 1);
}

/* lambda at which a falling tail has the given value. */
static double quantile(double (*tail)(double), double value) {
    double lo = 0, hi = 40;
    for (int i = 0; i < 80; i++) {
        double middle = 0.5 * (lo + hi);
        *(tail(middle) > value ? &lo : &hi) = middle;
    }
    return 0.5 * (lo + hi);
}

static double root_of_size(size_t n, size_t m) { return sqrt((double)n * (double)m / ((double)n + (double)m)); }

double fd_ks_null(size_t n, size_t m, double tail) { return quantile(fd_kolmogorov_tail, tail) / root_of_size(n, m); }
double fd_kuiper_null(size_t n, size_t m, double tail) { return quantile(fd_kuiper_tail, tail) / root_of_size(n, m); }

fd_two_sample fd_compare_sorted(size_t n, const double *x, size_t m, const double *y) {
    if (n == 0 || m == 0) return (fd_two_sample){NAN, NAN, NAN, NAN};
    double above = 0, below = 0;
    for (size_t i = 0, j = 0; i < n && j < m;) {
        double at = x[i] < y[j] ? x[i] : y[j]; /* both functions step over all values that are equal */
        while (i < n && x[i] <= at) i++;
        while (j < m && y[j] <= at) j++;
        double difference = (double)i / (double)n - (double)j / (double)m;
        above = fmax(above, difference);
        below = fmax(below, -difference);
    }
    double ks = fmax(above, below), kuiper = above + below, root = root_of_size(n, m);
    return (fd_two_sample){ks, kuiper, fd_kolmogorov_tail(ks * root), fd_kuiper_tail(kuiper * root)};
}
