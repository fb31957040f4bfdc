#define _GNU_SOURCE
#include "stages/common.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "flavordiff/region.h"

double fd_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

fd_status fd_tick(fd_ticker *ticker, uint64_t done, uint64_t total, const fd_tally *tally, const char *detail,
                  fd_error *err) {
    const fd_run *run = ticker->run;
    if (!run->progress) return FD_OK;
    double now = fd_seconds();
    if (done != total && now - ticker->last < 0.2) return FD_OK;
    ticker->last = now;
    if (run->progress(run->user, ticker->stage, done, total, tally, detail))
        return fd_fail(err, FD_ERR_STOPPED, "%s: stopped; nothing of this stage is kept, finished stages are",
                       ticker->stage);
    return FD_OK;
}

void fd_say(const fd_run *run, const char *format, ...) {
    if (!run->message) return;
    char line[1024], *text = line;
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(line, sizeof line, format, args); /* a table may be longer; without memory it is cut */
    if (length >= (int)sizeof line && (text = malloc((size_t)length + 1))) vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    va_end(args);
    run->message(run->user, text ? text : line);
    if (text != line) free(text);
}

fd_status fd_check_not_input(const char *path, const char *const *inputs, fd_error *err) {
    struct stat there, input;
    if (stat(path, &there) != 0) return FD_OK;
    for (; *inputs; inputs++)
        if (stat(*inputs, &input) == 0 && input.st_dev == there.st_dev && input.st_ino == there.st_ino)
            return fd_fail(err, FD_ERR_USAGE, "%s: is an input of this command too; give another name with -o", path);
    return FD_OK;
}

void fd_tally_add(fd_tally *tally, uint8_t flags) {
    const uint8_t five = FD_MASSES | FD_ANGLES;
    bool inside = (flags & FD_IN_PRIOR) != 0;
    tally->n++;
    tally->finite += (flags & FD_FINITE) != 0;
    tally->in_prior += inside;
    tally->masses += (flags & FD_MASSES) != 0;
    tally->angles += (flags & FD_ANGLES) != 0;
    tally->five += (flags & five) == five;
    tally->labels += (flags & FD_LABELS) != 0;
    tally->five_in_prior += (flags & five) == five && inside;
    tally->projected += (flags & FD_PROJECTED) != 0;
    tally->unreached += (flags & FD_UNREACHED) != 0;
    tally->labels_in_prior += (flags & FD_LABELS) != 0 && inside;
}

uint64_t fd_training_rows(const fd_config *config, uint64_t n) {
    uint64_t rows = (uint64_t)llround(config->simulate.train_fraction * (double)n);
    return rows ? rows : n > 0;
}

bool fd_same_model(const fd_model_options *a, const fd_model_options *b) {
    return strcmp(a->kind, b->kind) == 0 && a->scale == b->scale && a->phases == b->phases &&
           a->real_majorana == b->real_majorana && a->vev_GeV == b->vev_GeV;
}

fd_status fd_check_configured_model(const fd_run *run, const char *path, const fd_model_options *model, fd_error *err) {
    fd_model_options silent;
    fd_model_options_default(&silent);
    if (fd_same_model(&run->config->model, model) || fd_same_model(&run->config->model, &silent)) return FD_OK;
    return fd_fail(err, FD_ERR_MISMATCH,
                   "%s: made with another model than the configuration's (kind, scale, phases, real_majorana or vev_GeV); "
                   "leave model out, or make the file again", path);
}

fd_status fd_stage_provenance(const fd_run *run, const char *verb, const fd_model_options *model,
                              const char *const *parent_paths, char *parents, size_t parents_size, char **config_text,
                              fd_provenance *provenance, fd_error *err) {
    fd_config described = *run->config;
    if (model) described.model = *model;
    fd_status status = fd_config_dump(&described, config_text, err);
    if (status) return status;
    parents[0] = '\0';
    size_t used = 0;
    for (; *parent_paths; parent_paths++) {
        char id[17];
        if ((status = fd_file_id(*parent_paths, id, err))) return status;
        int n = snprintf(parents + used, parents_size - used, "%s%s %s", used ? "\n" : "", *parent_paths, id);
        if (n < 0 || (size_t)n >= parents_size - used)
            return fd_fail(err, FD_ERR_USAGE, "%s: path too long", *parent_paths);
        used += (size_t)n;
    }
    *provenance = (fd_provenance){.verb = verb,
                                  .command = run->command ? run->command : "",
                                  .config = *config_text,
                                  .seed = run->config->seed,
                                  .parents = parents};
    return FD_OK;
}

void fd_tell_target(const fd_target *target, fd_sample_info *info) {
    snprintf(info->target, sizeof info->target, "%s", target->name);
    snprintf(info->target_numbers, sizeof info->target_numbers, "%016" PRIx64, fd_target_hash(target));
}

fd_status fd_setting_create(const fd_model_options *options, const char *target, fd_setting *setting, fd_error *err) {
    *setting = (fd_setting){0};
    fd_status status = fd_target_load(target, &setting->target, err);
    if (!status) status = fd_model_create(options, &setting->model, err);
    if (!status) status = fd_judge_create(setting->model, &setting->target, &setting->judge, err);
    if (status) fd_setting_free(setting);
    return status;
}

void fd_setting_free(fd_setting *setting) {
    fd_judge_free(setting->judge);
    fd_model_free(setting->model);
    setting->judge = NULL;
    setting->model = NULL;
}

fd_status fd_check_region(const fd_setting *setting, const fd_region *region, double widen, uint64_t seed, fd_error *err) {
    double theta[FD_MAX_PARAMS];
    uint64_t tried = 20000000; /* inverted ordering, the rarest that is shipped, needs some 1e5 without any widening */
    fd_rng rng;
    fd_rng_start(&rng, seed, FD_STREAM_PAIRS, 0, 0);
    if (fd_region_draw(setting->model, region, &rng, 1, 1, theta, &tried)) return FD_OK;
    return fd_fail(err, FD_ERR_CONFIG,
                   "target set %s: no point of the prior inside its windows widened by %g in %llu proposals; raise "
                   "informed.draws.widen, or take informed.draws.from: prior",
                   setting->target.name, widen, (unsigned long long)tried);
}

fd_scaler fd_prior_box(const fd_model *model) {
    fd_scaler s = {.n = model->n_params};
    for (int j = 0; j < s.n; j++) {
        double half = 0.5 * (model->params[j].hi - model->params[j].lo);
        s.shift[j] = 0.5 * (model->params[j].lo + model->params[j].hi);
        s.scale[j] = half > 0 ? half : 1;
    }
    return s;
}

fd_status fd_check_window(const fd_setting *setting, fd_error *err) {
    if (fd_judge_window_feasible(setting->judge)) return FD_OK;
    return fd_fail(err, FD_ERR_CONFIG,
                   "target set %s: no unitary matrix has all nine |U| inside their windows; there is nothing to draw",
                   setting->target.name);
}

/* x brought into [lo, hi) of a periodic parameter; the rounding to float32 must not push it out again. */
static float wrap(double x, double lo, double hi) {
    if (!(x >= lo && x < hi)) x -= (hi - lo) * floor((x - lo) / (hi - lo));
    float rounded = (float)x;
    if ((double)rounded >= hi) rounded = nextafterf(rounded, (float)lo);
    if ((double)rounded < lo) rounded = nextafterf(rounded, (float)hi);
    return rounded;
}

enum { JUDGE_CHUNK = 64 };

static void judge_chunk(const fd_setting *setting, size_t n, float *theta, double *labels, fd_chi2 *chi2,
                        uint8_t *flags) {
    const fd_model *model = setting->model;
    double point[JUDGE_CHUNK * FD_MAX_PARAMS] = {0}, observables[JUDGE_CHUNK * FD_MAX_OBSERVABLES];
    size_t n_params = (size_t)model->n_params;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n_params; j++) {
            const fd_param *p = &model->params[j];
            float *x = &theta[i * n_params + j];
            if (p->periodic && isfinite(*x)) *x = wrap(*x, p->lo, p->hi);
            point[i * n_params + j] = *x;
        }
    model->forward(model, n, point, labels, observables);
    for (size_t i = 0; i < n; i++)
        flags[i] = fd_judge_point(setting->judge, point + i * n_params,
                                  observables + i * (size_t)model->n_observables, &chi2[i]);
}

void fd_judge_rows(const fd_setting *setting, size_t n, float *theta, double *labels, fd_chi2 *chi2, uint8_t *flags) {
    size_t n_params = (size_t)setting->model->n_params, n_labels = (size_t)setting->model->n_labels;
    long chunks = (long)((n + JUDGE_CHUNK - 1) / JUDGE_CHUNK);
#pragma omp parallel for schedule(dynamic, 4)
    for (long c = 0; c < chunks; c++) {
        size_t first = (size_t)c * JUDGE_CHUNK, rows = n - first < JUDGE_CHUNK ? n - first : JUDGE_CHUNK;
        judge_chunk(setting, rows, theta + first * n_params, labels + first * n_labels, chi2 + first, flags + first);
    }
}
