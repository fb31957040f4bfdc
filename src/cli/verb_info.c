/* info: any file of ours, or a target set by name. version: what runs here. */
#define _GNU_SOURCE
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "flavordiff/exchange.h"
#include "flavordiff/machine.h"
#include "io/json.h"
#ifdef FLAVORDIFF_MPI
#include "mpi/team.h"
#endif

static const char *const group_names[] = {"mass", "angle", "modulus", "phase"};

static void target_text(const fd_target *t) {
    printf("target set %s: %s (%s ordering)\nsource: %s\n\n", t->name, t->title,
           fd_ordering_name(t->ordering), t->source);
    printf("%-12s %-8s %12s %10s %10s %12s %12s %12s\n", "observable", "group", "best", "+1 sigma", "-1 sigma", "3 sigma lo",
           "3 sigma hi", "label");
    for (int i = 0; i < t->n_measurements; i++) {
        const fd_measurement *m = &t->measurements[i];
        printf("%-12s %-8s %12.6g %10.4g %10.4g %12.6g %12.6g %12.6g\n", m->observable, group_names[m->group], m->best,
               m->plus, m->minus, m->lo, m->hi, m->label);
    }
    printf("\nlimits (drawn, never cut on):\n");
    for (int i = 0; i < t->n_limits; i++)
        printf("  %-34s %-10s %g .. %g%s, %g %% CL; %s\n", t->limits[i].name, t->limits[i].observable, t->limits[i].lo,
               t->limits[i].hi, t->limits[i].band ? " (range of limits)" : "", 100 * t->limits[i].confidence,
               t->limits[i].source);
}

static fd_status target_json(const fd_target *t, fd_error *err) {
    fd_json_watch();
    json_t *measurements = json_array(), *limits = json_array();
    for (int i = 0; i < t->n_measurements; i++) {
        const fd_measurement *m = &t->measurements[i];
        json_array_append_new(measurements,
                              json_pack("{s:s, s:s, s:f, s:f, s:f, s:f, s:f, s:f, s:s}", "observable", m->observable, "group",
                                        group_names[m->group], "best", m->best, "plus", m->plus, "minus", m->minus, "lo",
                                        m->lo, "hi", m->hi, "label", m->label, "source", m->source));
    }
    for (int i = 0; i < t->n_limits; i++) { /* an open end is null: JSON has no infinity */
        const fd_limit *l = &t->limits[i];
        json_array_append_new(limits,
                              json_pack("{s:s, s:s, s:o, s:o, s:f, s:b, s:s}", "name", l->name, "observable",
                                        l->observable, "lo", isfinite(l->lo) ? json_real(l->lo) : json_null(), "hi",
                                        isfinite(l->hi) ? json_real(l->hi) : json_null(), "confidence", l->confidence,
                                        "range_of_limits", l->band, "source", l->source));
    }
    json_t *root = json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:o}", "kind", "target", "name", t->name, "title", t->title,
                             "ordering", fd_ordering_name(t->ordering), "source", t->source,
                             "measurements", measurements, "limits", limits);
    char *text = fd_json_text(root, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
    if (text) puts(text);
    fd_status status = text ? FD_OK : fd_fail(err, FD_ERR_MEMORY, "%s: out of memory", t->name);
    free(text);
    json_decref(root);
    return status;
}

static bool is_target(const char *name) {
    size_t n = strlen(name);
    if (n > 5 && strcmp(name + n - 5, ".yaml") == 0) return true;
    return !strchr(name, '/') && access(name, F_OK) != 0 && !(n > 3 && strcmp(name + n - 3, ".h5") == 0);
}

static fd_status verify(const cli *c, fd_error *err) {
    char *text = NULL;
    if (is_target(c->args[0])) return fd_fail(err, FD_ERR_USAGE, "info: --verify is for files, not target sets");
    fd_status status = fd_verify(c->args[0], c->json, &text, err);
    if (text) fputs(text, stdout);
    free(text);
    return status;
}

fd_status verb_info(cli *c, fd_error *err) {
    if (c->verify) return verify(c, err);
    if (is_target(c->args[0])) {
        fd_target target;
        fd_status status = fd_target_load(c->args[0], &target, err);
        if (!status && c->json) status = target_json(&target, err);
        else if (!status) target_text(&target);
        return status;
    }
    char *text = NULL;
    fd_status status = fd_file_describe(c->args[0], c->json, &text, err);
    if (!status) fputs(text, stdout);
    free(text);
    return status;
}

fd_status verb_version(cli *c, fd_error *err) {
    (void)err;
    const char *chosen = fd_machine_kernels(), *name;
    bool below = false;
    if (!c->isa_below)
        printf("flavordiff %s (revision %s)\nkernels: %s; on this machine:", fd_version(), fd_revision(), chosen);
    for (int i = 0; (name = fd_machine_kernels_available(i)); i++) {
        if (!c->isa_below || below) printf(" %s", name);
        below = below || strcmp(name, chosen) == 0;
    }
    putchar('\n');
#ifdef FLAVORDIFF_MPI
    char mpi[128];
    fd_mpi_version(mpi, sizeof mpi);
    if (!c->isa_below) printf("MPI: %s\n", mpi);
#endif
    return FD_OK;
}
