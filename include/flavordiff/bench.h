/* How fast the hot loops of this configuration are on this machine. */
#ifndef FLAVORDIFF_BENCH_H
#define FLAVORDIFF_BENCH_H

#include "flavordiff/api.h"
#include "flavordiff/stages.h"

FD_DECLS_BEGIN

typedef struct fd_bench_spec {
    const char *model; /* a trained network that takes the place of the random one of its kind, or NULL */
    const char *only;  /* names of rates, separated by commas; NULL: all */
    double seconds;    /* for all rates together, shared equally */
} fd_bench_spec;

/* One rate. Work is repeated for its share of the time, at least five times. */
typedef struct fd_bench_row {
    const char *name, *unit, *what;
    double rate, lo, hi; /* units a second of all threads together: median, slowest and fastest repetition */
    int repetitions;
    double flops;        /* of the network's layers for one unit, a multiply-add being two; label and time part of a layer are
                          * a bias and not counted. 0: nothing is counted */
    double peak;         /* such operations a second that this instruction set does from registers in all threads, in the
                          * precision of the network, measured just before and after. 0 where flops is */
} fd_bench_row;

/* Measures the rates that spec->only names and gives each to `report` when it is done. Networks have random weights and
 * the sizes of run->config; labels and windows are those of its target set. Writes no file. FD_ERR_USAGE on a name that is
 * none. */
fd_status fd_stage_bench(const fd_run *run, const fd_bench_spec *spec, void (*report)(void *user, const fd_bench_row *row),
                         void *user, fd_error *err);
/* Name of the i-th rate, NULL after the last. */
const char *fd_bench_name(int i);

FD_DECLS_END

#endif
