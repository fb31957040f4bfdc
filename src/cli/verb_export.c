/* export: sample sets for other tools. */
#include <stdio.h>

#include "cli/cli.h"
#include "flavordiff/exchange.h"

fd_status verb_export(cli *c, fd_error *err) {
    fd_export_spec spec = {.all_rows = c->all_rows, .most = c->count, .force = c->force};
    uint64_t rows = 0;
    if (!c->format || !fd_export_format_named(c->format, &spec.format))
        return fd_fail(err, FD_ERR_USAGE, "export: --format%s%.40s: expected csv, npz, getdist, slha or nufit", c->format ? " " : "",
                       c->format ? c->format : "");
    fd_status status = fd_export(c->args[0], &spec, c->output, &rows, err);
    if (!status && !c->quiet) fprintf(stderr, "export: %llu rows of %s as %s\n", (unsigned long long)rows, c->args[0], c->format);
    return status;
}
