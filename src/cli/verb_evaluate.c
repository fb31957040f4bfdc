/* evaluate: what the model says of points a physicist gives. */
#define _GNU_SOURCE
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/csv.h"
#include "io/json.h"
#include "io/text.h"

typedef struct evaluation {
    const fd_model *model;
    const fd_judge *judge;
    int n_columns;        /* observables up to and with M3_GeV: the documented columns */
    bool json, failed;    /* failed: memory ran short, the answer has gaps */
    FILE *out;
    uint64_t rows, outside, undefined; /* undefined: no finite masses or labels; their rows are not a number */
    long first_outside, first_undefined; /* their lines */
    char first_reason[128];
} evaluation;

/* Why theta lies outside the prior, for the message. */
static void explain(const fd_model *model, const double *theta, char *reason, size_t size) {
    for (int p = 0; p < model->n_params; p++)
        if (!(theta[p] >= model->params[p].lo && theta[p] <= model->params[p].hi)) {
            snprintf(reason, size, "%s = %g is not in [%g, %g]", model->params[p].name, theta[p], model->params[p].lo,
                     model->params[p].hi);
            return;
        }
    snprintf(reason, size, "r1 > r2");
}

static void write_json(evaluation *e, const double *obs, double chi2, int inside) {
    fd_json_watch();
    json_t *row = json_object();
    for (int i = 0; i < e->n_columns; i++) json_object_set_new(row, e->model->observables[i].name, isfinite(obs[i]) ? json_real(obs[i]) : json_null());
    json_object_set_new(row, "chi2", isfinite(chi2) ? json_real(chi2) : json_null());
    json_object_set_new(row, "inside_3sigma", json_integer(inside));
    char *text = fd_json_text(row, JSON_REAL_PRECISION(17));
    e->failed = e->failed || !text;
    fprintf(e->out, "%s%s", e->rows ? ",\n " : " ", text ? text : "{}");
    free(text);
    json_decref(row);
}

static void write_csv(evaluation *e, const double *obs, double chi2, int inside) {
    for (int i = 0; i < e->n_columns; i++) fprintf(e->out, "%.17g,", obs[i]);
    fprintf(e->out, "%.17g,%d\n", chi2, inside);
}

static void one(evaluation *e, const csv_reader *reader, const double *theta) {
    double obs[FD_MAX_OBSERVABLES];
    fd_chi2 chi2;
    e->model->forward(e->model, 1, theta, NULL, obs);
    if (!isfinite(obs[0]) && e->undefined++ == 0) e->first_undefined = reader->line;
    uint8_t flags = fd_judge_point(e->judge, theta, obs, &chi2);
    if (!(flags & FD_IN_PRIOR) && e->outside++ == 0) {
        e->first_outside = reader->line;
        explain(e->model, theta, e->first_reason, sizeof e->first_reason);
    }
    (e->json ? write_json : write_csv)(e, obs, chi2.five, (flags & FD_LABELS) != 0);
    e->rows++;
}

static fd_status all(evaluation *e, csv_reader *reader, fd_error *err) {
    double theta[FD_MAX_PARAMS];
    int more = 1;
    if (e->json) fputs("[\n", e->out);
    else {
        for (int i = 0; i < e->n_columns; i++) fprintf(e->out, "%s,", e->model->observables[i].name);
        fputs("chi2,inside_3sigma\n", e->out);
    }
    fd_status status = csv_next(reader, e->model, theta, &more, err);
    while (!status && more) {
        one(e, reader, theta);
        status = csv_next(reader, e->model, theta, &more, err);
    }
    if (e->json) fputs("\n]\n", e->out);
    if (!status && (e->failed || (e->out != stdout && ferror(e->out))))
        status = fd_fail(err, FD_ERR_MEMORY, "%s: out of memory", reader->path);
    if (!status && e->rows == 0)
        status = fd_fail(err, FD_ERR_EMPTY, "%s: a header and no points", reader->path);
    return status;
}

/* -o: through memory and fd_write_text, so that a failure leaves nothing half-written. */
static fd_status to_output(const cli *c, evaluation *e, csv_reader *reader, fd_error *err) {
    if (!c->output) {
        e->out = stdout;
        return all(e, reader, err);
    }
    char *text = NULL;
    size_t length = 0;
    if (!c->force && access(c->output, F_OK) == 0)
        return fd_fail(err, FD_ERR_FILE, "%s: exists already; give --force to replace it", c->output);
    if (!(e->out = open_memstream(&text, &length))) return fd_fail(err, FD_ERR_MEMORY, "%s: out of memory", c->output);
    fd_status status = all(e, reader, err);
    if (!fd_text_finish(e->out, &text) && !status) status = fd_fail(err, FD_ERR_MEMORY, "%s: out of memory", c->output);
    if (!status) status = fd_write_text(c->output, text, length, err);
    free(text);
    return status;
}

/* What the user should know of the points; the reason to fail under --strict. */
static fd_status remarks(const evaluation *e, const char *path, bool strict, fd_error *err) {
    char outside[320] = "", undefined[320] = "";
    if (e->outside)
        snprintf(outside, sizeof outside, "%llu of %llu points lie outside the prior (first in line %ld: %s)",
                 (unsigned long long)e->outside, (unsigned long long)e->rows, e->first_outside, e->first_reason);
    if (e->undefined)
        snprintf(undefined, sizeof undefined,
                 "%llu of %llu points have no finite labels, their rows are not numbers (first in line %ld: equal or zero "
                 "masses, r1 or r2 zero, or a scale out of range)",
                 (unsigned long long)e->undefined, (unsigned long long)e->rows, e->first_undefined);
    if (!e->outside && !e->undefined) return FD_OK;
    const char *both = e->outside && e->undefined ? "; " : "";
    if (strict) return fd_fail(err, FD_ERR_WANTING, "evaluate: %s: %s%s%s", path, undefined, both, outside);
    fprintf(stderr, "flavordiff: evaluate: %s: %s%s%s\n", path, undefined, both, outside);
    return FD_OK;
}

fd_status verb_evaluate(cli *c, fd_error *err) {
    fd_model_options options;
    fd_target target;
    fd_model *model = NULL;
    fd_judge *judge = NULL;
    csv_reader reader = {0};
    evaluation e = {.json = c->json};

    fd_model_options_default(&options);
    if (c->phases && strcmp(c->phases, "paper") == 0) options.phases = FD_PHASES_PAPER;
    else if (c->phases && strcmp(c->phases, "takagi") != 0)
        return fd_fail(err, FD_ERR_USAGE, "--phases %s: expected takagi or paper", c->phases);
    if (c->vev > 0) options.vev_GeV = c->vev;
    fd_status status = fd_target_load(c->target ? c->target : "paper-table1-no", &target, err);
    if (!status) {
        options.ordering = target.ordering;
        status = fd_model_create(&options, &model, err);
    }
    if (!status) status = fd_judge_create(model, &target, &judge, err);
    if (!status) status = csv_open(c->args[0], model, &reader, err);
    if (!status) {
        e.model = model;
        e.judge = judge;
        e.n_columns = fd_model_observable(model, "M3_GeV") + 1;
        status = to_output(c, &e, &reader, err);
    }
    if (!status) status = remarks(&e, reader.path, c->strict, err);
    csv_close(&reader);
    fd_judge_free(judge);
    fd_model_free(model);
    return status;
}
