/* merge and diff: files beside each other. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "flavordiff/exchange.h"

fd_status verb_merge(cli *c, fd_error *err) {
    fd_sample_info info;
    fd_status status = cli_need_output(c, err);
    if (!status) status = fd_merge(c->n_args, c->args, c->output, c->force, c->command, &info, err);
    if (!status && !c->quiet)
        fprintf(stderr, "merge: %llu rows of %d files, %llu samples -> %s\n", (unsigned long long)info.n, c->n_args,
                (unsigned long long)info.tally.n, c->output);
    return status;
}

fd_status verb_diff(cli *c, fd_error *err) {
    char *text = NULL;
    fd_status status = fd_files_diff(c->args[0], c->args[1], c->json, &text, err);
    if (!status) fputs(text, stdout);
    free(text);
    return status;
}
