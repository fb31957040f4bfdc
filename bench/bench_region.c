/* Exact draws inside label windows: rows per second of processor time on one core, proposals a row, and rows that share
 * their orbit with the one before. Run from the root of the source tree, or with FLAVORDIFF_TARGETS set. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "flavordiff/files.h"
#include "flavordiff/region.h"

enum { ROWS = 1 << 17, REPETITIONS = 5 };

static const struct {
    const char *target;
    double widen, cluster; /* cluster 0: rejection */
    uint64_t proposals;
} cases[] = {
    {"paper-table1-no", 1, 0.3, 1000000}, {"paper-table1-no", 1, 2, 500000},   {"paper-table1-no", 3, 0.3, 500000},
    {"paper-table1-no", 3, 1, 300000},    {"paper-table1-no", 3, 2, 200000},   {"paper-table1-io", 1, 0.3, 8000000},
    {"paper-table1-io", 1, 2, 8000000},   {"paper-table1-io", 3, 1, 3000000},  {"paper-table1-no", 1, 0, 4000000},
};

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure(int c, const fd_model *model, const fd_judge *judge, double *theta) {
    double rate[REPETITIONS];
    uint64_t rows = 0, shared = 0, proposals = 0;
    size_t p = (size_t)model->n_params;
    int r1 = fd_model_param(model, "r1");
    fd_region region;
    fd_judge_region(judge, cases[c].widen, &region);
    for (int r = 0; r < REPETITIONS; r++) {
        fd_rng rng;
        uint64_t tried = cases[c].proposals;
        fd_rng_start(&rng, 1, FD_STREAM_REFERENCE, (uint64_t)r, 0);
        double start = seconds();
        size_t n = cases[c].cluster > 0 ? fd_region_draw(model, &region, &rng, cases[c].cluster, ROWS, theta, &tried)
                                        : fd_region_reject(model, &region, &rng, ROWS, theta, &tried);
        rate[r] = (double)n / (seconds() - start);
        for (size_t i = 1; i < n; i++) shared += theta[i * p + (size_t)r1] == theta[(i - 1) * p + (size_t)r1];
        rows += n;
        proposals += tried;
    }
    qsort(rate, REPETITIONS, sizeof *rate, ascending);
    printf("%-16s windows x %g  cluster %-4g %10.3g rows/s median [%.3g ... %.3g]  %9.3g proposals/row  %.3f share an orbit\n",
           cases[c].target, cases[c].widen, cases[c].cluster, rate[REPETITIONS / 2], rate[0], rate[REPETITIONS - 1],
           (double)proposals / (double)rows, (double)shared / (double)rows);
}

int main(void) {
    double *theta = malloc((size_t)ROWS * FD_MAX_PARAMS * sizeof *theta);
    for (size_t c = 0; theta && c < sizeof cases / sizeof *cases; c++) {
        fd_target target;
        fd_model_options options;
        fd_model *model = NULL;
        fd_judge *judge = NULL;
        fd_error err;
        fd_model_options_default(&options);
        fd_status status = fd_target_load(cases[c].target, &target, &err);
        options.ordering = target.ordering;
        if (!status) status = fd_model_create(&options, &model, &err);
        if (!status) status = fd_judge_create(model, &target, &judge, &err);
        if (status) fprintf(stderr, "%s\n", err.message);
        else measure((int)c, model, judge, theta);
        fd_judge_free(judge);
        fd_model_free(model);
        if (status) return 1;
    }
    free(theta);
    return 0;
}
