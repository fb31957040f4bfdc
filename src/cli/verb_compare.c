/* compare: distances between the distributions of sample sets. */
#define _GNU_SOURCE
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "flavordiff/compare.h"

static fd_status put(const cli *c, const char *text, fd_error *err) {
    if (!text) return fd_fail(err, FD_ERR_MEMORY, "compare: out of memory, or a file's name is not UTF-8");
    if (c->output) return fd_write_text(c->output, text, strlen(text), err);
    printf("%s%s", text, text[strlen(text) - 1] == '\n' ? "" : "\n");
    return FD_OK;
}

fd_status verb_compare(cli *c, fd_error *err) {
    fd_comparison comparisons[CLI_MAX_COMPARED];
    fd_compare_spec spec = {.most = c->count, .all_rows = c->all_rows, .together = c->permutations > 0,
                            .c2st = {.most = c->classified, .permutations = (int)c->permutations, .seed = c->seed}};
    int n = c->n_args - 1;
    if (c->json && c->csv) return fd_fail(err, FD_ERR_USAGE, "compare: --json and --csv exclude each other");
    if (c->output && !c->force && access(c->output, F_OK) == 0)
        return fd_fail(err, FD_ERR_FILE, "%s: exists already; give --force to replace it", c->output);
    if (c->threads) omp_set_num_threads(c->threads);
    fd_status status = fd_compare(c->n_args, c->args, &spec, comparisons, err);
    if (status) return status;
    char *text = c->json  ? fd_compare_json(n, comparisons, &spec)
                 : c->csv ? fd_compare_csv(n, comparisons)
                          : fd_compare_text(n, comparisons, &spec);
    status = put(c, text, err);
    if (!status && c->figures) status = fd_compare_figures(c->n_args, c->args, &spec, c->figures, c->corner, c->force, err);
    free(text);
    for (int i = 0; i < n; i++) fd_comparison_free(&comparisons[i]);
    return status;
}
