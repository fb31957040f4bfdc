/* bench: rates of the hot loops, as a table that grows or as one JSON object. */
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "flavordiff/bench.h"
#include "flavordiff/machine.h"
#include "io/json.h"

static void print_row(void *user, const fd_bench_row *r) {
    bool *begun = user;
    if (!*begun)
        printf("flavordiff %s, kernels %s, %d threads; median [slowest ... fastest]\n", fd_revision(), fd_machine_kernels(),
               omp_get_max_threads());
    *begun = true;
    printf("%-18s %10.4g %-9s/s  [%.4g ... %.4g]", r->name, r->rate, r->unit, r->lo, r->hi);
    if (r->flops > 0) printf("  %.2f of the peak, %.4g GFLOP/s", r->rate * r->flops / r->peak, r->peak * 1e-9);
    printf("  %s\n", r->what);
    fflush(stdout);
}

static void keep_row(void *user, const fd_bench_row *r) {
    json_t *row = json_pack("{s:s, s:s, s:s, s:f, s:f, s:f, s:i}", "name", r->name, "unit", r->unit, "what", r->what, "rate",
                            r->rate, "lo", r->lo, "hi", r->hi, "repetitions", r->repetitions);
    if (r->flops > 0) {
        json_object_set_new(row, "flops", json_real(r->flops));
        json_object_set_new(row, "peak", json_real(r->peak));
        json_object_set_new(row, "fraction", json_real(r->rate * r->flops / r->peak));
    }
    json_array_append_new(user, row);
}

static fd_status bench(const fd_run *run, const cli *c, fd_error *err) {
    fd_bench_spec spec = {.model = c->n_args ? c->args[0] : NULL, .only = c->only, .seconds = c->seconds};
    bool begun = false;
    if (!c->json) return fd_stage_bench(run, &spec, print_row, &begun, err);
    fd_json_watch();
    json_t *rates = json_array();
    fd_status status = fd_stage_bench(run, &spec, keep_row, rates, err);
    json_t *root = json_pack("{s:s, s:s, s:i, s:o}", "revision", fd_revision(), "kernels", fd_machine_kernels(), "threads",
                             omp_get_max_threads(), "rates", rates);
    char *text = fd_json_text(root, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
    if (!text) status = status ? status : fd_fail(err, FD_ERR_MEMORY, "bench: out of memory");
    else if (!status) puts(text);
    free(text);
    json_decref(root);
    return status;
}

fd_status verb_bench(cli *c, fd_error *err) { return cli_run_stage(c, NULL, bench, err); }
