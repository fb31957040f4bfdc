/* What one rate of `bench` needs and does; the loop over rates is bench.c, the rates are bench_simulator.c and
 * bench_network.c. */
#ifndef FD_STAGES_BENCH_H
#define FD_STAGES_BENCH_H

#include "flavordiff/bench.h"
#include "flavordiff/region.h"
#include "flavordiff/trainer.h"
#include "stages/common.h"

enum { FD_BENCH_POINTS = 4096 };

/* What all rates share, and what the one at work has opened. */
typedef struct fd_bench {
    const fd_run *run;
    const fd_bench_spec *spec;
    fd_setting setting;
    double *points; /* (FD_BENCH_POINTS, n_params) prior draws */
    uint64_t next;  /* items of random streams used so far: repetitions do not repeat them */
    double flops;   /* as fd_bench_row.flops */
    fd_precision precision; /* of those operations */

    fd_generator *generator;
    fd_block block;
    bool solutions; /* the unit of the generator is a solution, not a sample */
    fd_network *network;
    fd_schedule *schedule;
    fd_informant *informant;
    fd_trainer *trainer;
    float *x, *labels;
} fd_bench;

typedef struct fd_bench_rate {
    const char *name, *unit, *what;
    fd_status (*open)(fd_bench *b, fd_error *err); /* may be NULL */
    /* Does about n units and says how many it did. */
    fd_status (*work)(fd_bench *b, size_t n, double *done, fd_error *err);
} fd_bench_rate;

/* End with a NULL name. */
extern const fd_bench_rate fd_bench_simulator[], fd_bench_network[];

#endif
