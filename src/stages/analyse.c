/* analyse: what the solutions of a sample file predict (section 3 of the paper).
 *
 * Every row is judged again with the target set as it is now, and the rows picked by that are run through the model
 * with the Majorana phases of the factorisation and with the paper's, so that every number in the folder comes from one
 * place. When the target has been edited since the samples were made, it is said how many verdicts changed. */
#include "io/file_safety.h"
#include "stages/analyse.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "inference/stats.h"
#include "stages/common.h"
#include "stages/text.h"

const char *const fd_paper_columns[FD_PAPER_COLUMNS] = {"alpha21_rad", "alpha31_rad", "eta_rad", "mbb_eV"};

enum { BLOCK = 16384 };

/* ---- small things shared with plot and report ------------------------------------------------------------- */

char *fd_path(const char *folder, const char *name) {
    size_t size = strlen(folder) + strlen(name) + 2;
    char *path = malloc(size);
    if (path) snprintf(path, size, "%s/%s", folder, name);
    return path;
}

const char *fd_base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool folder_config(const char *folder, fd_config *config) {
    char *path = fd_path(folder, "config.yaml");
    bool known = path && !fd_config_load(path, 0, NULL, config, NULL);
    free(path);
    return known;
}

int fd_folder_rounds(const char *folder) {
    fd_config config;
    if (!folder_config(folder, &config)) return FD_MAX_ROUNDS;
    return config.paper ? config.tune_rounds : -1;
}

bool fd_folder_informed(const char *folder) {
    fd_config config;
    return !folder_config(folder, &config) || config.informed.enabled;
}

fd_status fd_named_target(const fd_run *run, const char *name, fd_target *target, char found[256], fd_error *err) {
    const char *own = run->config ? run->config->target : "";
    const char *from = own[0] && !fd_target_load(own, target, NULL) && !strcmp(target->name, name) ? own : name;
    if (found) snprintf(found, 256, "%s", from);
    fd_error why = {0};
    fd_status status = fd_target_load(from, target, &why);
    if (status == FD_ERR_FILE) return fd_fail(err, status, "%s; give its file with --target", why.message);
    return status ? fd_fail(err, status, "%s", why.message) : FD_OK;
}

/* ---- picking rows ----------------------------------------------------------------------------------------- */

/* Rows taken from the sample file, with today's verdict. */
typedef struct picked {
    size_t n, room;
    float *theta; /* (n, n_params) */
    double *chi2; /* five observables */
    uint8_t *flags;
    uint64_t *row;
} picked;

static void picked_free(picked *p) {
    free(p->theta);
    free(p->chi2);
    free(p->flags);
    free(p->row);
    *p = (picked){0};
}

static fd_status picked_reserve(picked *p, size_t room, size_t n_params, fd_error *err) {
    if (room <= p->room) return FD_OK;
    if (room < 2 * p->room) room = 2 * p->room;
    float *theta = realloc(p->theta, room * n_params * sizeof *theta);
    if (theta) p->theta = theta;
    double *chi2 = realloc(p->chi2, room * sizeof *chi2);
    if (chi2) p->chi2 = chi2;
    uint8_t *flags = realloc(p->flags, room * sizeof *flags);
    if (flags) p->flags = flags;
    uint64_t *row = realloc(p->row, room * sizeof *row);
    if (row) p->row = row;
    if (!theta || !chi2 || !flags || !row) return fd_fail(err, FD_ERR_MEMORY, "out of memory for %zu rows", room);
    p->room = room;
    return FD_OK;
}

static void picked_set(picked *p, size_t at, size_t n_params, const float *theta, double chi2, uint8_t flags,
                       uint64_t row) {
    memcpy(p->theta + at * n_params, theta, n_params * sizeof *theta);
    p->chi2[at] = chi2;
    p->flags[at] = flags;
    p->row[at] = row;
}

/* Keeps the FD_NEAREST smallest chi2: the worst kept row gives way. Rare after the first rows, so a plain search. */
static void offer_nearest(picked *near, size_t n_params, const float *theta, double chi2, uint8_t flags, uint64_t row) {
    if (near->n < FD_NEAREST) {
        picked_set(near, near->n++, n_params, theta, chi2, flags, row);
        return;
    }
    size_t worst = 0;
    for (size_t i = 1; i < near->n; i++)
        if (near->chi2[i] > near->chi2[worst]) worst = i;
    if (chi2 < near->chi2[worst]) picked_set(near, worst, n_params, theta, chi2, flags, row);
}

/* Rows with all flags `needed` are solutions, the nearest of the others near ones. */
static void sort_block(const fd_block *b, uint8_t needed, uint64_t first, size_t n, size_t n_params, picked *solutions, picked *near) {
    double limit = INFINITY; /* nothing beyond the worst kept row need be looked at */
    for (size_t i = 0; i < n; i++) {
        const float *theta = b->theta + i * n_params;
        double chi2 = b->chi2[i].five;
        if (!(b->flags[i] & FD_FINITE)) continue;
        if ((b->flags[i] & needed) == needed) {
            picked_set(solutions, solutions->n++, n_params, theta, chi2, b->flags[i], first + i);
        } else if (chi2 < limit) {
            offer_nearest(near, n_params, theta, chi2, b->flags[i], first + i);
            if (near->n == FD_NEAREST) {
                limit = 0;
                for (size_t k = 0; k < near->n; k++) limit = fmax(limit, near->chi2[k]);
            }
        }
    }
}

/* What became of the rows of the file. */
typedef struct verdicts {
    size_t finite, differ; /* differ: other flags today than stored */
} verdicts;

static fd_status pick(const fd_run *run, fd_sample_reader *reader, uint64_t rows, const fd_setting *setting, uint8_t needed,
                      picked *solutions, picked *near, verdicts *seen, fd_error *err) {
    fd_ticker ticker = {.run = run, .stage = "analyse"};
    fd_block b = {0};
    size_t n_params = (size_t)setting->model->n_params;
    uint8_t *stored = malloc(BLOCK);
    fd_status status = stored ? FD_OK : fd_fail(err, FD_ERR_MEMORY, "out of memory for a block of rows");
    if (!status) status = fd_block_create(setting->model, BLOCK, &b, err);
    if (!status) status = picked_reserve(near, FD_NEAREST, n_params, err);
    for (uint64_t first = 0; !status && first < rows; first += BLOCK) {
        size_t n = rows - first < BLOCK ? (size_t)(rows - first) : BLOCK;
        if ((status = fd_samples_read(reader, first, n, b.theta, NULL, NULL, stored, err))) break;
        if ((status = picked_reserve(solutions, solutions->n + n, n_params, err))) break;
        fd_judge_rows(setting, n, b.theta, b.labels, b.chi2, b.flags);
        for (size_t i = 0; i < n; i++) {
            seen->finite += (b.flags[i] & FD_FINITE) != 0;
            const uint8_t making = FD_PROJECTED | FD_UNREACHED; /* of the point's making, which no judge knows */
            b.flags[i] |= stored[i] & making;
            seen->differ += b.flags[i] != stored[i];
        }
        sort_block(&b, needed, first, n, n_params, solutions, near);
        status = fd_tick(&ticker, first + n, rows, NULL, "reading", err);
    }
    free(stored);
    fd_block_free(&b);
    return status;
}

/* ---- tables ----------------------------------------------------------------------------------------------- */

/* The two readings of the Majorana phases, and the judge. */
typedef struct views {
    fd_setting setting; /* with the phases of the factorisation */
    fd_model *paper;
    char target_file[256];
} views;

static void views_free(views *v) {
    fd_setting_free(&v->setting);
    fd_model_free(v->paper);
}

static fd_status views_create(const fd_run *run, const fd_sample_info *info, views *v, fd_error *err) {
    fd_model_options options = info->model;
    fd_setting *s = &v->setting;
    fd_status status = fd_named_target(run, info->target, &s->target, v->target_file, err);
    options.phases = FD_PHASES_TAKAGI;
    if (!status) status = fd_model_create(&options, &s->model, err);
    options.phases = FD_PHASES_PAPER;
    if (!status) status = fd_model_create(&options, &v->paper, err);
    if (!status) status = fd_judge_create(s->model, &s->target, &s->judge, err);
    return status;
}

static const char *const extra_columns[] = {"chi2_five", "chi2_mass", "chi2_mixing", "chi2_all",
                                            "in_prior",  "solution",  "flags",       "row"};
enum { EXTRA = sizeof extra_columns / sizeof *extra_columns };

/* Parameters, observables, the same with the paper's phases where that matters, verdict, row in the sample file. */
static fd_status table_create(const fd_model *model, fd_table *table, fd_error *err) {
    const char *names[FD_MAX_PARAMS + FD_MAX_OBSERVABLES + FD_PAPER_COLUMNS + EXTRA];
    char paper[FD_PAPER_COLUMNS][FD_TABLE_NAME];
    size_t n = 0;
    for (int i = 0; i < model->n_params; i++) names[n++] = model->params[i].name;
    for (int i = 0; i < model->n_observables; i++) names[n++] = model->observables[i].name;
    for (int i = 0; i < FD_PAPER_COLUMNS; i++) {
        snprintf(paper[i], sizeof paper[i], "%s" FD_PAPER_SUFFIX, fd_paper_columns[i]);
        names[n++] = paper[i];
    }
    for (int i = 0; i < EXTRA; i++) names[n++] = extra_columns[i];
    return fd_table_create(n, names, table, err);
}

/* One row; observables (n_observables) is filled too. */
static void fill_row(const views *v, const float *stored, uint64_t file_row, double *out, double *observables) {
    const fd_model *model = v->setting.model;
    double theta[FD_MAX_PARAMS] = {0}, paper[FD_MAX_OBSERVABLES];
    fd_chi2 chi2 = {0};
    for (int i = 0; i < model->n_params; i++) theta[i] = stored[i];
    model->forward(model, 1, theta, NULL, observables);
    v->paper->forward(v->paper, 1, theta, NULL, paper);
    uint8_t flags = fd_judge_point(v->setting.judge, theta, observables, &chi2);
    for (int i = 0; i < model->n_params; i++) *out++ = theta[i];
    for (int i = 0; i < model->n_observables; i++) *out++ = observables[i];
    for (int i = 0; i < FD_PAPER_COLUMNS; i++) {
        int at = fd_model_observable(v->paper, fd_paper_columns[i]);
        *out++ = at < 0 ? NAN : paper[at];
    }
    const double extra[EXTRA] = {
        chi2.five, chi2.mass,       chi2.mixing, chi2.all, (flags & FD_IN_PRIOR) != 0, (flags & FD_LABELS) != 0,
        flags,     (double)file_row};
    memcpy(out, extra, sizeof extra);
}

static fd_status fill_table(const views *v, const picked *p, fd_table *table, double *observables, fd_error *err) {
    size_t n_params = (size_t)v->setting.model->n_params, n_observables = (size_t)v->setting.model->n_observables;
    for (size_t i = 0; i < p->n; i++) {
        double *row = fd_table_row(table);
        if (!row) return fd_fail(err, FD_ERR_MEMORY, "out of memory for a table of %zu rows", p->n);
        fill_row(v, p->theta + i * n_params, p->row[i], row, observables + i * n_observables);
    }
    return FD_OK;
}

/* Nearest rows from the best on. Few of them: insertion. */
static void order_nearest(picked *near, size_t n_params) {
    float theta[FD_MAX_PARAMS];
    for (size_t i = 1; i < near->n; i++)
        for (size_t j = i; j > 0 && near->chi2[j] < near->chi2[j - 1]; j--) {
            double chi2 = near->chi2[j - 1];
            uint8_t flags = near->flags[j - 1];
            uint64_t row = near->row[j - 1];
            memcpy(theta, near->theta + (j - 1) * n_params, n_params * sizeof *theta);
            picked_set(near, j - 1, n_params, near->theta + j * n_params, near->chi2[j], near->flags[j], near->row[j]);
            picked_set(near, j, n_params, theta, chi2, flags, row);
        }
}

/* ---- the stage -------------------------------------------------------------------------------------------- */

static fd_status write_analysis(const fd_run *run, const char *samples, const char *path, const views *v,
                                const fd_sample_info *info, const picked *solutions, const double *observables,
                                fd_error *err) {
    char parents[FD_PARENTS_SIZE], *config_text = NULL;
    const char *const parent_paths[] = {samples, NULL};
    fd_provenance provenance;
    fd_status status =
        fd_stage_provenance(run, "analyse", NULL, parent_paths, parents, sizeof parents, &config_text, &provenance, err);
    if (!status)
        status = fd_analysis_write(path, run->force, v->setting.model, info, &provenance, solutions->n,
                                   solutions->theta, observables, solutions->chi2, solutions->flags, err);
    free(config_text);
    return status;
}

/* nearest.csv, when there are few solutions; else it must not be there, or it would be drawn. */
static fd_status write_nearest(const views *v, const char *path, bool few, picked *near, fd_table *table,
                               double *observables, fd_error *err) {
    fd_status status = table_create(v->setting.model, table, err);
    if (!status && !few) unlink(path);
    if (status || !few) return status;
    order_nearest(near, (size_t)v->setting.model->n_params);
    status = fill_table(v, near, table, observables, err);
    return status ? status : fd_table_write(table, path, err);
}

/* Everything in the folder. */
static fd_status write_folder(const fd_run *run, const char *samples, const char *folder, const views *v,
                              const fd_sample_info *info, const picked *solutions, picked *near, size_t differ,
                              fd_error *err) {
    const fd_model *model = v->setting.model;
    fd_table table = {0}, near_table = {0};
    bool few = solutions->n < FD_FEW_SOLUTIONS;
    size_t most = solutions->n > near->n ? solutions->n : near->n;
    double *observables = malloc((most + 1) * (size_t)model->n_observables * sizeof *observables);
    char *csv = fd_path(folder, "solutions.csv"), *near_csv = fd_path(folder, "nearest.csv");
    char *h5 = fd_path(folder, "analysis.h5"), *json = fd_path(folder, "summary.json");
    fd_status status = FD_OK;
    if (!observables || !csv || !near_csv || !h5 || !json) status = fd_fail(err, FD_ERR_MEMORY, "out of memory");
    if (!status) status = fd_make_folder(folder, err);
    if (!status) status = fd_part_allowed(json, run->force, err);
    if (!status) unlink(json); /* written last: a folder with a summary is whole */
    if (!status) status = write_nearest(v, near_csv, few, near, &near_table, observables, err);
    if (!status) status = table_create(model, &table, err);
    if (!status) status = fill_table(v, solutions, &table, observables, err);
    if (!status) status = fd_table_write(&table, csv, err);
    if (!status) status = write_analysis(run, samples, h5, v, info, solutions, observables, err);
    if (!status) {
        fd_findings findings = {.info = info,
                                .samples_path = samples,
                                .target_file = v->target_file,
                                .target = &v->setting.target,
                                .model = model,
                                .solutions = &table,
                                .nearest = few ? &near_table : NULL,
                                .in_file = info->n,
                                .differ = differ,
                                .seed = run->config ? run->config->seed : info->seed};
        status = fd_summary_write(json, &findings, err);
    }
    fd_table_free(&table);
    fd_table_free(&near_table);
    free(observables);
    free(csv);
    free(near_csv);
    free(h5);
    free(json);
    return status;
}

/* What the user can do about a file without a usable row. */
static fd_status nothing_finite(const char *samples, const fd_sample_info *info, fd_error *err) {
    char made[32], rows[32];
    if (info->n == 0)
        return fd_fail(err, FD_ERR_EMPTY,
                       "%s: no row was kept of %s samples, so there is nothing to analyse; keep more of them "
                       "(sample.keep_chi2_below) or generate more (sample.n)",
                       samples, fd_text_count(info->tally.n, made));
    return fd_fail(err, FD_ERR_EMPTY,
                   "%s: none of %s rows is finite; the training has probably diverged: train again with a smaller "
                   "train.max_rate (tune.max_rate), or sample with a smaller sample.guidance",
                   samples, fd_text_count(info->n, rows));
}

static void say_result(const fd_run *run, size_t solutions, size_t near, size_t differ) {
    if (differ)
        fd_say(run,
               "analyse: %zu rows have another verdict today than when they were made: the target set has been edited "
               "since. The analysis uses it as it is now; counts of the samples are of then",
               differ);
    if (solutions < FD_FEW_SOLUTIONS)
        fd_say(run, "analyse: %zu solutions; nearest.csv has the nearest %zu by chi2, which are not solutions",
               solutions, near);
    else
        fd_say(run, "analyse: %zu solutions", solutions);
}

fd_status fd_stage_analyse(const fd_run *run, const char *samples, const char *folder, fd_error *err) {
    fd_sample_reader *reader = NULL;
    fd_sample_info info;
    views v = {0};
    picked solutions = {0}, near = {0};
    verdicts seen = {0};
    fd_status status = fd_samples_open(samples, &reader, &info, err);
    if (status) return status;
    if ((status = views_create(run, &info, &v, err))) goto cleanup;
    if ((status = fd_samples_check_model(reader, v.setting.model, err))) goto cleanup;
    if ((status = pick(run, reader, info.n, &v.setting, FD_LABELS, &solutions, &near, &seen, err))) goto cleanup;
    if (seen.finite == 0) {
        status = nothing_finite(samples, &info, err);
        goto cleanup;
    }
    status = write_folder(run, samples, folder, &v, &info, &solutions, &near, seen.differ, err);
    if (!status) say_result(run, solutions.n, near.n, seen.differ);
cleanup:
    picked_free(&solutions);
    picked_free(&near);
    views_free(&v);
    fd_samples_close(reader);
    return status;
}

fd_status fd_rows_read(const fd_run *run, const char *samples, const json_t *summary, uint8_t needed, fd_table *table,
                       fd_sample_info *info, fd_error *err) {
    fd_sample_reader *reader = NULL;
    views v = {0};
    picked rows = {0}, others = {0};
    verdicts seen = {0};
    double observables[FD_MAX_OBSERVABLES];
    fd_status status = fd_samples_open(samples, &reader, info, err);
    if (status) return status;
    status = fd_summary_is_of(summary, info, samples, err);
    if (!status) status = views_create(run, info, &v, err);
    if (!status) status = fd_samples_check_model(reader, v.setting.model, err);
    if (!status) status = pick(run, reader, info->n, &v.setting, needed, &rows, &others, &seen, err);
    if (!status) status = table_create(v.setting.model, table, err);
    for (size_t i = 0; !status && i < rows.n; i++) {
        double *row = fd_table_row(table);
        if (!row) status = fd_fail(err, FD_ERR_MEMORY, "%s: out of memory", samples);
        else fill_row(&v, rows.theta + i * (size_t)v.setting.model->n_params, rows.row[i], row, observables);
    }
    picked_free(&rows);
    picked_free(&others);
    views_free(&v);
    fd_samples_close(reader);
    return status;
}
