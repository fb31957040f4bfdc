/* Shared by the benchmarks: a clock, strict options, the paper's problem. */
#ifndef FD_BENCH_H
#define FD_BENCH_H

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <omp.h>

#include "kernels/kernels.h"

static inline double bench_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Value of --name N, or the default. */
static inline long bench_option(int argc, char **argv, const char *name, long otherwise) {
    for (int i = 1; i + 1 < argc; i += 2)
        if (strcmp(argv[i], name) == 0) {
            char *end;
            errno = 0;
            long value = strtol(argv[i + 1], &end, 10);
            if (errno == 0 && *end == 0 && end != argv[i + 1] && value > 0) return value;
            fprintf(stderr, "%s: not a positive number: %s\n", name, argv[i + 1]);
            exit(1);
        }
    return otherwise;
}

/* Multiply-adds per second of all threads together, from registers: what the fractions refer to. Best of five. */
static inline double bench_peak(const fd_kernels *kernels) {
    double best = 0;
    for (int i = 0; i < 5; i++) {
        double flops = 0, start = bench_now();
#pragma omp parallel reduction(+ : flops)
        flops += kernels->peak(2000000);
        double rate = flops / (bench_now() - start);
        if (rate > best) best = rate;
    }
    return best;
}

/* Multiply-adds of one evaluation, as operations (two each): the x-part of every layer of Table 2's network. */
static inline double bench_flops(const fd_network_spec *spec) {
    double flops = 0;
    for (int i = 0, before = spec->dim; i <= spec->n_hidden; i++) {
        int n = i < spec->n_hidden ? spec->widths[i] : spec->dim;
        flops += 2.0 * before * n;
        before = n;
    }
    return flops;
}

#endif
