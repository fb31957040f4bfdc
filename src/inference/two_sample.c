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

/* One bin's share of the divergence: contents p and q of the two laws. */
static double divergence(double p, double q) {
    return 0.5 * ((p > 0 ? p * log2(2 * p / (p + q)) : 0) + (q > 0 ? q * log2(2 * q / (p + q)) : 0));
}

/* Of the mixture up to here. */
static double content(size_t i, size_t n, size_t j, size_t m) {
    return 0.5 * ((double)i / (double)n + (double)j / (double)m);
}

double fd_jensen_shannon(size_t n, const double *x, size_t m, const double *y) {
    if (n == 0 || m == 0) return NAN;
    size_t most = (n < m ? n : m) / 20;
    double bins = most > 64 ? 64 : most < 2 ? 2 : (double)(most / 2 * 2); /* even: two halves that do not overlap are told apart */
    double js = 0, found = 0, cells = 0;
    for (size_t i = 0, j = 0; i < n || j < m; found++) {
        size_t i0 = i, j0 = j;
        double full = floor(bins * content(i, n, j, m) + 1e-9) + 1; /* bins when this one is */
        do { /* values that are equal stay together */
            double at = j == m || (i < n && x[i] < y[j]) ? x[i] : y[j];
            while (i < n && x[i] <= at) i++;
            while (j < m && y[j] <= at) j++;
        } while ((i < n || j < m) && bins * content(i, n, j, m) < full - 1e-9);
        js += divergence((double)(i - i0) / (double)n, (double)(j - j0) / (double)m);
        cells += (i > i0) + (j > j0);
    }
    double chance = fmax(0, cells - found - 1) * (1 / (double)n + 1 / (double)m) / (8 * log(2));
    return fmin(fmax(js - chance, 0), 1);
}
