/* exact: every solution of a sample set, a network's for instance, is the start of a Markov chain of its own (docs/referee.md).
 * Chains move in stretches. Done when a stretch that is long enough to forget its beginning changes the distribution of no
 * quantity: its ends are exact draws, whatever the starts were. How far the ends are from the starts is the error of the set. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inference/two_sample.h"
#include "io/file_safety.h"
#include "stages/analyse.h"
#include "stages/columns.h"
#include "stages/mcmc.h"
#include "stages/resume.h"
#include "stages/text.h"

enum { WARMING = 256, STEPS_AT_ONCE = 256 };
static const double CHANCE = 0.01, FORGOTTEN = 0.1; /* of any false alarm; correlation of ends with beginnings */

typedef struct work {
    const fd_exact_spec *spec;
    const char *path;
    uint64_t seed;
    fd_sample_reader *reader;
    fd_sample_info read, info;
    fd_setting setting;
    fd_region region;
    fd_mcmc *mcmc;
    size_t n, n_columns;
    double *start, *state, *before; /* (n, n_params): as read, now, where the stretch began */
    struct { /* what a checkpoint tells beside states */
        double lengths[FD_MCMC_LENGTHS];
        fd_mcmc_counts counts;
        uint32_t step, stretches, done, unused; /* of a chain; whole ones; steps of the one that is on */
    } at;
    fd_resume resume;
    double memory, chance; /* of the last stretch: largest correlation; smallest chance of a distance, times quantities */
    bool settled;
} work;

/* What became of one quantity. */
typedef struct drift {
    double distance, null, tail, memory;
} drift;

static void release(work *w) {
    fd_samples_close(w->reader);
    fd_mcmc_free(w->mcmc);
    fd_setting_free(&w->setting);
    free(w->start);
    free(w->state);
    free(w->before);
}

/* ---- distributions ----------------------------------------------------------------------------------------------- */

/* Parameters and observables of n rows, column after column; angles on [0, 2 pi). */
static void tabulate(const fd_model *model, size_t n, const double *theta, double *table) {
    const double turn = 8 * atan(1);
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < n; i++) {
        double row[FD_MAX_PARAMS + FD_MAX_OBSERVABLES];
        memcpy(row, theta + i * (size_t)model->n_params, (size_t)model->n_params * sizeof *row);
        model->forward(model, 1, row, NULL, row + model->n_params);
        for (int j = 0; j < model->n_params + model->n_observables; j++)
            table[(size_t)j * n + i] = fd_quantity_of(model, j).periodic ? row[j] - turn * floor(row[j] / turn) : row[j];
    }
}

static double correlation(size_t n, const double *x, const double *y, double (*of)(double)) {
    double mx = 0, my = 0, xx = 0, yy = 0, xy = 0;
    for (size_t i = 0; i < n; i++) mx += of(x[i]) / (double)n, my += of(y[i]) / (double)n;
    for (size_t i = 0; i < n; i++) {
        double a = of(x[i]) - mx, b = of(y[i]) - my;
        xx += a * a, yy += b * b, xy += a * b;
    }
    return xx > 0 && yy > 0 ? xy / sqrt(xx * yy) : 0;
}

static double itself(double x) { return x; }
static double size_of(double x) { return log10(fabs(x)); }

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Quantity j before and after (n each, sorted here). */
static drift drift_of(const fd_model *model, int j, size_t n, double *before, double *after) {
    fd_quantity q = fd_quantity_of(model, j);
    drift d = {.memory = q.periodic ? fmax(correlation(n, before, after, cos), correlation(n, before, after, sin))
                                    : correlation(n, before, after, q.scale ? size_of : itself)};
    qsort(before, n, sizeof *before, ascending);
    qsort(after, n, sizeof *after, ascending);
    fd_two_sample t = fd_compare_sorted(n, before, n, after);
    d.distance = q.periodic ? t.kuiper : t.ks;
    d.tail = q.periodic ? t.kuiper_tail : t.ks_tail;
    d.null = q.periodic ? fd_kuiper_null(n, n, 0.01) : fd_ks_null(n, n, 0.01);
    return d;
}

/* Every quantity between two states; drifts (n_columns). */
static fd_status compare(const work *w, const double *before, const double *after, drift *drifts, fd_error *err) {
    double *a = malloc(w->n * w->n_columns * sizeof *a), *b = malloc(w->n * w->n_columns * sizeof *b);
    fd_status status = a && b ? FD_OK : fd_fail(err, FD_ERR_MEMORY, "out of memory");
    if (!status) {
        tabulate(w->setting.model, w->n, before, a);
        tabulate(w->setting.model, w->n, after, b);
#pragma omp parallel for schedule(dynamic, 1)
        for (size_t j = 0; j < w->n_columns; j++)
            drifts[j] = drift_of(w->setting.model, (int)j, w->n, a + j * w->n, b + j * w->n);
    }
    free(a);
    free(b);
    return status;
}

/* ---- chains ------------------------------------------------------------------------------------------------------ */

/* target: NULL for the file's own; config receives which. */
static fd_status open_rows(const fd_run *run, const char *target, fd_config *config, work *w, fd_error *err) {
    char found[256] = "";
    fd_status status = fd_samples_open(w->path, &w->reader, &w->read, err);
    if (!status) status = fd_check_configured_model(run, w->path, &w->read.model, err);
    if (!status && !target) status = fd_named_target(run, w->read.target, &w->setting.target, found, err);
    if (status) return status;
    snprintf(config->target, sizeof config->target, "%s", target ? target : found);
    status = fd_setting_create(&w->read.model, config->target, &w->setting, err);
    if (status) fd_error_prefix(err, "%s", w->path);
    return status ? status : fd_samples_check_model(w->reader, w->setting.model, err);
}

/* The rows that have a place in the target, at most spec->n of them. */
static fd_status read_rows(work *w, fd_error *err) {
    size_t dim = (size_t)w->setting.model->n_params, rows = (size_t)w->read.n;
    float *theta = malloc((rows ? rows : 1) * dim * sizeof *theta);
    w->start = malloc((rows ? rows : 1) * dim * sizeof *w->start);
    w->state = malloc((rows ? rows : 1) * dim * sizeof *w->state);
    w->before = malloc((rows ? rows : 1) * dim * sizeof *w->before);
    fd_status status = theta && w->start && w->state && w->before ? FD_OK : fd_fail(err, FD_ERR_MEMORY, "out of memory");
    if (!status) status = fd_samples_read(w->reader, 0, rows, theta, NULL, NULL, NULL, err);
    for (size_t i = 0; !status && i < rows && (!w->spec->n || w->n < w->spec->n); i++) {
        double *row = w->start + w->n * dim;
        for (size_t j = 0; j < dim; j++) row[j] = (double)theta[i * dim + j];
        w->n += fd_mcmc_holds(w->mcmc, row);
    }
    free(theta);
    if (!status && w->n < 100)
        status = fd_fail(err, FD_ERR_EMPTY, "%s: %zu solutions of target set %s; exact needs at least 100 to see a drift",
                         w->path, w->n, w->setting.target.name);
    if (!status) memcpy(w->state, w->start, w->n * dim * sizeof *w->state);
    return status;
}

/* Step lengths, adapted on copies of the first rows. */
static fd_status warm_up(work *w, fd_error *err) {
    size_t n = w->n < WARMING ? w->n : WARMING, size = n * (size_t)w->setting.model->n_params;
    double *copies = malloc(size * sizeof *copies);
    if (!copies) return fd_fail(err, FD_ERR_MEMORY, "out of memory");
    memcpy(copies, w->start, size * sizeof *copies);
    fd_status status = fd_mcmc_warm_up(w->mcmc, 0, n, copies, (uint32_t)w->spec->burn_in, err);
    w->at.step = (uint32_t)w->spec->burn_in;
    free(copies);
    return status;
}

/* Steps after `stretches` whole ones, each after the second twice as long as the one before: also the length of the next, but for
 * the first. */
static uint64_t steps_of(const work *w, uint32_t stretches) {
    return stretches ? (uint64_t)w->spec->steps << (stretches - 1) : 0;
}
static uint32_t stretch(const work *w) { return (uint32_t)steps_of(w, w->at.stretches ? w->at.stretches : 1); }

enum { PIECES = 3 };

static void pieces(work *w, fd_piece out[PIECES]) {
    size_t size = w->n * (size_t)w->setting.model->n_params * sizeof *w->state;
    out[0] = (fd_piece){&w->at, sizeof w->at};
    out[1] = (fd_piece){w->state, size};
    out[2] = (fd_piece){w->before, size};
}

static fd_status save(work *w, fd_error *err) {
    fd_piece all[PIECES];
    fd_mcmc_lengths(w->mcmc, w->at.lengths);
    pieces(w, all);
    return fd_resume_replace(&w->resume, PIECES, all, err);
}

/* Goes on from the checkpoint, or begins. */
static fd_status restore(work *w, fd_error *err) {
    fd_piece all[PIECES];
    bool found;
    pieces(w, all);
    fd_status status = fd_resume_restore(&w->resume, PIECES, all, &found, err);
    if (status || !found) return status ? status : warm_up(w, err);
    status = fd_resume_check(&w->resume, w->at.stretches < 32 && steps_of(w, w->at.stretches) <= w->spec->max_steps &&
                                             w->at.done <= stretch(w) &&
                                             w->at.step == (uint64_t)w->spec->burn_in + steps_of(w, w->at.stretches) + w->at.done, err);
    if (!status) fd_mcmc_set_lengths(w->mcmc, w->at.lengths);
    return status;
}

/* What is left of the stretch. */
static fd_status move(work *w, fd_ticker *ticker, fd_error *err) {
    fd_status status = FD_OK;
    while (!status && w->at.done < stretch(w)) {
        uint32_t left = stretch(w) - w->at.done, some = left < STEPS_AT_ONCE ? left : STEPS_AT_ONCE;
        status = fd_mcmc_run(w->mcmc, 0, w->n, w->state, w->at.step, some, 1, NULL, &w->at.counts, err);
        if (status) break; /* states half moved are not kept */
        w->at.step += some;
        w->at.done += some;
        status = fd_tick(ticker, w->at.step, 0, NULL, "steps of every chain", err);
        if (status || fd_resume_due(&w->resume)) {
            fd_status saved = save(w, status ? NULL : err);
            if (!status) status = saved;
        }
    }
    return status;
}

/* Whether the stretch forgot its beginning and found nothing to change. */
static fd_status judge_stretch(work *w, drift *drifts, fd_error *err) {
    fd_status status = compare(w, w->before, w->state, drifts, err);
    if (status) return status;
    w->memory = 0, w->chance = 1;
    for (size_t j = 0; j < w->n_columns; j++) {
        w->memory = fmax(w->memory, drifts[j].memory);
        w->chance = fmin(w->chance, drifts[j].tail * (double)w->n_columns);
    }
    w->settled = w->memory <= FORGOTTEN + 3 / sqrt((double)w->n) && w->chance >= CHANCE;
    return FD_OK;
}

/* Stretches until one settles; the first only leads away from the starts. */
static fd_status settle(const fd_run *run, work *w, fd_error *err) {
    fd_ticker ticker = {.run = run, .stage = "exact"};
    size_t size = w->n * (size_t)w->setting.model->n_params * sizeof *w->state;
    drift *drifts = calloc(w->n_columns, sizeof *drifts);
    fd_status status = drifts ? FD_OK : fd_fail(err, FD_ERR_MEMORY, "out of memory");
    while (!status && !w->settled && (w->at.stretches == 0 || w->at.done > 0 || w->at.step + stretch(w) <= w->spec->max_steps)) {
        if (w->at.done == 0) memcpy(w->before, w->state, size);
        status = move(w, &ticker, err);
        if (!status && w->at.stretches > 0) status = judge_stretch(w, drifts, err);
        if (!status && !w->settled) w->at.stretches++, w->at.done = 0;
    }
    free(drifts);
    return status;
}

/* ---- results ----------------------------------------------------------------------------------------------------- */

/* The drift of every quantity from the set as read to its end. */
static fd_status report(const fd_run *run, work *w, int *drifted, fd_error *err) {
    drift *drifts = calloc(w->n_columns, sizeof *drifts);
    fd_text text = {0};
    fd_status status = drifts ? compare(w, w->start, w->state, drifts, err) : fd_fail(err, FD_ERR_MEMORY, "out of memory");
    *drifted = 0;
    if (!status) fd_text_addf(&text, "%-12s %8s %9s  from the set as read to exact draws\n", "quantity", "distance", "99% null");
    for (size_t j = 0; !status && j < w->n_columns; j++) {
        const drift *d = &drifts[j];
        bool far = d->tail * (double)w->n_columns < CHANCE;
        *drifted += far;
        fd_text_addf(&text, "%-12s %8.4f %9.4f  %s\n", fd_quantity_of(w->setting.model, (int)j).name, d->distance, d->null,
                     far ? "DRIFTED" : d->distance > d->null ? "outside, as one of many may be" : "no drift");
    }
    free(drifts);
    if (!status && (text.failed || !text.data)) status = fd_fail(err, FD_ERR_MEMORY, "out of memory");
    if (!status && run->message) run->message(run->user, text.data); /* longer than a line of news */
    fd_text_free(&text);
    return status;
}

static fd_status write_rows(work *w, fd_sample_writer *writer, fd_error *err) {
    const uint8_t solution = FD_IN_PRIOR | FD_MASSES | FD_ANGLES | FD_LABELS;
    const fd_model *model = w->setting.model;
    fd_block block = {0};
    bool *keep = malloc(w->n * sizeof *keep);
    fd_status status = keep ? fd_block_create(model, w->n, &block, err) : fd_fail(err, FD_ERR_MEMORY, "out of memory");
    if (!status) {
        for (size_t i = 0; i < w->n * (size_t)model->n_params; i++) block.theta[i] = (float)w->state[i];
        fd_judge_rows(&w->setting, w->n, block.theta, block.labels, block.chi2, block.flags);
        for (size_t i = 0; i < w->n; i++) {
            keep[i] = (block.flags[i] & solution) == solution; /* rounding to float32 carries one in a million over an edge */
            if (keep[i]) fd_tally_add(&w->info.tally, block.flags[i]);
        }
        w->info.n = fd_block_compact(model, &block, w->n, keep);
        status = fd_samples_append(writer, (size_t)w->info.n, block.theta, block.labels, block.five, block.flags, err);
    }
    fd_block_free(&block);
    free(keep);
    return status;
}

static void describe(const fd_run *run, work *w, int drifted) {
    fd_sample_info *info = &w->info;
    snprintf(info->role, sizeof info->role, "reference");
    fd_tell_target(&w->setting.target, info);
    info->model = w->read.model;
    info->seed = run->config->seed;
    info->n_train = fd_training_rows(run->config, info->n);
    snprintf(info->note, sizeof info->note,
             "%s%zu solutions of a set of role %s, each moved by %u steps of a Markov chain of its own; %d of %zu quantities drifted; "
             "in the last %u steps, which keep a correlation of %.2f, none did (chance %.2g); acceptance %.2f",
             w->settled ? "" : "NOT SETTLED. ", w->n, w->read.role, w->at.step - (uint32_t)w->spec->burn_in, drifted, w->n_columns,
             stretch(w), w->memory, w->chance, (double)w->at.counts.accepted / (double)w->at.counts.moves);
    if (w->settled) return;
    snprintf(info->note, sizeof info->note,
             "NOT SETTLED. %zu solutions of a set of role %s, each moved by %u steps of a Markov chain of its own; the last stretch keeps "
             "a correlation of %.2f, and some quantity's drift in it has chance %.2g", w->n, w->read.role,
             w->at.step - (uint32_t)w->spec->burn_in, w->memory, w->chance);
}

static fd_status tell(const fd_run *run, const work *w, int drifted, const char *out, fd_error *err) {
    const char *verdict = drifted ? "the set was not distributed as exact draws" : "no difference from exact draws was seen";
    fd_say(run, "exact: %" PRIu64 " rows in %.1f s, %u steps each; %d of %zu quantities drifted: %s -> %s", w->info.n,
           w->info.tally.seconds, w->at.step - (uint32_t)w->spec->burn_in, drifted, w->n_columns, verdict, out);
    if (w->settled) return FD_OK;
    if (run->strict)
        return fd_fail(err, FD_ERR_WANTING, "%s: not settled: the last stretch keeps a correlation of %.2f, chance of its drift %.2g; "
                       "raise exact.max_steps", out, w->memory, w->chance);
    fd_say(run, "exact: NOT SETTLED: the last stretch keeps a correlation of %.2f, chance of its drift %.2g; raise exact.max_steps",
           w->memory, w->chance);
    return FD_OK;
}

static fd_status prepare(work *w, fd_error *err) {
    fd_mcmc_target target = fd_stage_target(&w->setting, FD_LIKELIHOOD_WINDOW, &w->region);
    w->n_columns = (size_t)(w->setting.model->n_params + w->setting.model->n_observables);
    fd_status status = fd_mcmc_create(&target, w->seed, &w->mcmc, err);
    return status ? status : read_rows(w, err);
}

fd_status fd_stage_exact(const fd_run *given, const char *target, const char *samples, const char *out, fd_error *err) {
    const char *const parent_paths[] = {samples, NULL};
    fd_config config = *given->config; /* with the target set that counts */
    fd_run own = *given;
    const fd_run *const run = &own;
    own.config = &config;
    work w = {.spec = &run->config->exact, .seed = fd_derive_seed(run->config->seed, "exact"), .path = samples};
    fd_sample_writer *writer = NULL;
    fd_provenance provenance;
    char *config_text = NULL, parents[FD_PARENTS_SIZE];
    int drifted = 0;

    fd_status status = fd_part_allowed(out, run->force || run->resume, err);
    if (!status) status = fd_check_not_input(out, parent_paths, err);
    if (!status) status = open_rows(run, target, &config, &w, err);
    if (!status) status = prepare(&w, err);
    if (!status)
        status = fd_stage_provenance(run, "exact", &w.read.model, parent_paths, parents, sizeof parents, &config_text,
                                     &provenance, err);
    if (!status) status = fd_resume_open(run, out, &provenance, &config, FD_S_EXACT | FD_S_TARGET, &w.resume, err);
    if (!status) status = fd_samples_create(out, run->force, w.setting.model, &provenance, &writer, err);
    if (!status) status = restore(&w, err);
    if (!status) status = settle(run, &w, err);
    if (!status) status = report(run, &w, &drifted, err);
    if (!status) status = write_rows(&w, writer, err);
    if (!status) {
        w.info.tally.seconds = fd_resume_seconds(&w.resume);
        describe(run, &w, drifted);
        status = fd_samples_finish(writer, &w.info, err);
        writer = NULL;
    }
    if (!status) status = tell(run, &w, drifted, out, err);
    fd_samples_abort(writer);
    free(config_text);
    release(&w);
    return fd_resume_close(&w.resume, status, err);
}
