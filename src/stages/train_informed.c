/* train-informed: the simulator-informed network, from pairs drawn while it trains; no pair is ever seen twice. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flavordiff/informant.h"
#include "flavordiff/region.h"
#include "io/file_safety.h"
#include "stages/common.h"
#include "stages/train.h"

/* Draws from the prior, or from its part inside widened windows, normalised. */
typedef struct draw_source {
    fd_pair_source base;
    const fd_model *model;
    fd_draws kind;
    fd_region region;
    double cluster;
    const fd_scaler *params, *labels;
    double *pool;        /* (pool_rows, n_params): region draws made once, or NULL */
    uint64_t pool_rows;
} draw_source;

/* One block of region draws. */
static void draw_block(const draw_source *s, fd_rng *rng, size_t n, double *theta) {
    uint64_t tried = UINT64_MAX; /* fd_check_region() has found a point in it */
    fd_region_draw(s->model, &s->region, rng, s->cluster, n, theta, &tried);
}

/* A row of the pool, moved at random along the exact symmetries: a new draw but for what they leave. */
static void draw_from_pool(const draw_source *s, fd_rng *rng, double *theta) {
    uint64_t row = (uint64_t)(fd_rng_uniform(rng) * (double)s->pool_rows);
    memcpy(theta, s->pool + row * (size_t)s->model->n_params, (size_t)s->model->n_params * sizeof *theta);
    if (s->model->random_symmetry) s->model->random_symmetry(s->model, rng, theta);
}

/* Long stretches: where one ends a cluster is cut, which favours small ones. */
enum { STRETCH = 16384 };

static fd_status fill_pool(draw_source *s, uint64_t rows, uint64_t seed, fd_error *err) {
    uint64_t stretches = (rows + STRETCH - 1) / STRETCH;
    size_t size = STRETCH * (size_t)s->model->n_params;
    if (!(s->pool = malloc(stretches * size * sizeof *s->pool)))
        return fd_fail(err, FD_ERR_MEMORY, "out of memory for a pool of %llu draws", (unsigned long long)rows);
#pragma omp parallel for schedule(dynamic, 1)
    for (uint64_t b = 0; b < stretches; b++) {
        fd_rng rng;
        fd_rng_start(&rng, seed, FD_STREAM_PAIRS, b, 0);
        draw_block(s, &rng, STRETCH, s->pool + b * size);
    }
    s->pool_rows = stretches * STRETCH;
    return FD_OK;
}

static void draw_pairs(const fd_pair_source *base, uint64_t seed, uint64_t block, int n, float *x, float *labels) {
    const draw_source *s = (const draw_source *)base;
    size_t dim = (size_t)s->model->n_params, nl = (size_t)s->model->n_labels;
    double theta[FD_PAIR_BLOCK * FD_MAX_PARAMS], label[FD_PAIR_BLOCK * FD_MAX_LABELS];
    fd_rng rng;
    fd_rng_start(&rng, seed, FD_STREAM_PAIRS, block, 0);
    if (s->kind == FD_DRAWS_REGION && !s->pool) draw_block(s, &rng, (size_t)n, theta);
    for (int i = 0; i < n && s->pool; i++) draw_from_pool(s, &rng, theta + (size_t)i * dim);
    for (int i = 0; i < n && s->kind == FD_DRAWS_PRIOR; i++) s->model->draw_prior(s->model, &rng, theta + (size_t)i * dim);
    s->model->forward(s->model, (size_t)n, theta, label, NULL);
    for (size_t i = 0; i < (size_t)n * dim; i++)
        x[i] = (float)((theta[i] - s->params->shift[i % dim]) / s->params->scale[i % dim]);
    for (size_t i = 0; i < (size_t)n * nl; i++)
        labels[i] = (float)((label[i] - s->labels->shift[i % nl]) / s->labels->scale[i % nl]);
}

fd_scaler fd_informed_box(const fd_model *model) {
    fd_scaler s = {.n = model->n_params};
    for (int j = 0; j < s.n; j++) {
        s.shift[j] = 0.5 * (model->params[j].lo + model->params[j].hi);
        double stretch = model->params[j].stretch > 0 ? model->params[j].stretch : 1;
        s.scale[j] = 0.5 * (model->params[j].hi - model->params[j].lo) / stretch;
    }
    return s;
}

/* Labels to zero mean and unit spread, from the source's own first draws. */
static fd_status standardise_labels(draw_source *source, uint64_t seed, fd_scaler *labels, fd_error *err) {
    enum { BLOCKS = 64 };
    int nl = source->model->n_labels, dim = source->model->n_params;
    double sum[FD_MAX_LABELS] = {0}, square[FD_MAX_LABELS] = {0}, n = (double)BLOCKS * FD_PAIR_BLOCK;
    float *x = malloc(FD_PAIR_BLOCK * (size_t)(dim + nl) * sizeof *x);
    if (!x) return fd_fail(err, FD_ERR_MEMORY, "out of memory");
    float *label = x + FD_PAIR_BLOCK * dim;
    labels->n = nl;
    for (int k = 0; k < nl; k++) labels->shift[k] = 0, labels->scale[k] = 1;
    for (uint64_t b = 0; b < BLOCKS; b++) {
        draw_pairs(&source->base, seed, b, FD_PAIR_BLOCK, x, label);
        for (int i = 0; i < FD_PAIR_BLOCK; i++)
            for (int k = 0; k < nl; k++) {
                double v = label[i * nl + k];
                sum[k] += v;
                square[k] += v * v;
            }
    }
    free(x);
    for (int k = 0; k < nl; k++) {
        double mean = sum[k] / n, variance = square[k] / n - mean * mean;
        labels->shift[k] = mean;
        labels->scale[k] = variance > 0 ? sqrt(variance) : 1;
    }
    return FD_OK;
}

/* Maximum likelihood of b for a density e^{b x} on [-h, h], of which x has this mean: h coth(b h) - 1/b = mean. */
static double slope_of_mean(double mean, double h) {
    double lo = -100 / h, hi = 100 / h;
    for (int i = 0; i < 100; i++) {
        double b = 0.5 * (lo + hi), at = fabs(b * h) < 1e-4 ? b * h * h / 3 : h / tanh(b * h) - 1 / b;
        if (at < mean) lo = b;
        else hi = b;
    }
    return 0.5 * (lo + hi);
}

/* How the density of the masses' labels rises over the widened windows; that of angles is flat (docs/method.md). Slopes that
 * may be nothing but the scatter of the draws are none. `labels` are normalised. */
static void find_slopes(const draw_source *s, size_t n, const float *labels, double *slopes) {
    for (int l = 0; l < s->model->n_labels; l++) {
        const fd_label *kind = &s->model->labels[l];
        double a = log10(fabs(s->region.lo[kind->observable])), b = log10(fabs(s->region.hi[kind->observable]));
        double h = 0.5 * fabs(b - a), mean = 0, scatter;
        slopes[l] = 0;
        if (s->kind != FD_DRAWS_REGION || !kind->log10 || !isfinite(h) || h == 0) continue;
        for (size_t i = 0; i < n; i++)
            mean += s->labels->shift[l] + s->labels->scale[l] * (double)labels[i * (size_t)s->model->n_labels + (size_t)l];
        mean = mean / (double)n - 0.5 * (a + b);
        scatter = h / sqrt(3.0 * (double)n / fmax(1, s->cluster));
        if (fabs(mean) > 4 * scatter) slopes[l] = slope_of_mean(mean, h);
    }
}

fd_network_spec fd_configured_informed_network(const fd_config *config, const fd_model *model) {
    const fd_informed_spec *s = &config->informed;
    fd_network_spec spec = {.dim = model->n_params,
                            .n_labels = model->n_labels,
                            .n_features = fd_informant_features(&s->told, model->n_params, model->n_labels)};
    for (; spec.n_hidden < s->hidden; spec.n_hidden++) {
        spec.widths[spec.n_hidden] = s->width;
        spec.activations[spec.n_hidden] = FD_SILU;
    }
    if (s->last) {
        spec.widths[spec.n_hidden] = s->last;
        spec.activations[spec.n_hidden++] = FD_TANH;
    }
    return spec;
}

static fd_status make_network(const fd_config *config, const fd_model *model, fd_network **network, fd_error *err) {
    fd_network_spec spec = fd_configured_informed_network(config, model);
    fd_status status = fd_network_create(&spec, network, err);
    if (!status) fd_network_initialise(*network, fd_derive_seed(config->seed, "informed weights"));
    return status;
}

typedef struct work {
    fd_setting setting;
    draw_source source;
    fd_model_file file;
    fd_schedule *schedule;
    fd_informant *informant;
    fd_trainer *trainer;
    float *valid_x, *valid_labels;
    char *config_text;
} work;

static void work_free(work *w) {
    fd_trainer_free(w->trainer);
    fd_informant_free(w->informant);
    fd_schedule_free(w->schedule);
    fd_model_file_clear(&w->file);
    fd_setting_free(&w->setting);
    free(w->source.pool);
    free(w->valid_x);
    free(w->valid_labels);
    free(w->config_text);
}

static fd_status open_source(const fd_config *config, work *w, fd_error *err) {
    fd_target target;
    fd_model_options options = config->model;
    fd_status status = fd_target_load(config->target, &target, err);
    if (status) return status;
    options.ordering = target.ordering;
    status = fd_setting_create(&options, config->target, &w->setting, err);
    if (status) return status;
    w->file.model = options;
    w->source = (draw_source){.base = {draw_pairs},
                              .model = w->setting.model,
                              .kind = config->informed.draws,
                              .cluster = config->informed.cluster,
                              .params = &w->file.params,
                              .labels = &w->file.labels};
    fd_judge_region(w->setting.judge, config->informed.widen, &w->source.region);
    if (w->source.kind == FD_DRAWS_REGION)
        status = fd_check_region(&w->setting, &w->source.region, config->informed.widen,
                                 fd_derive_seed(config->seed, "informed region"), err);
    if (status) return status;
    w->file.params = fd_informed_box(w->setting.model);
    return standardise_labels(&w->source, fd_derive_seed(config->seed, "informed labels"), &w->file.labels, err);
}

static fd_status draw_validation(const fd_config *config, work *w, size_t *n, fd_error *err) {
    size_t dim = (size_t)w->setting.model->n_params, nl = (size_t)w->setting.model->n_labels;
    size_t blocks = ((size_t)config->informed.validation + FD_PAIR_BLOCK - 1) / FD_PAIR_BLOCK;
    *n = blocks * FD_PAIR_BLOCK;
    w->valid_x = malloc((*n * dim + 1) * sizeof *w->valid_x);
    w->valid_labels = malloc((*n * nl + 1) * sizeof *w->valid_labels);
    if (!w->valid_x || !w->valid_labels) return fd_fail(err, FD_ERR_MEMORY, "out of memory for %zu validation pairs", *n);
    uint64_t seed = fd_derive_seed(config->seed, "informed validation");
    for (size_t b = 0; b < blocks; b++)
        draw_pairs(&w->source.base, seed, b, FD_PAIR_BLOCK, w->valid_x + b * FD_PAIR_BLOCK * dim,
                   w->valid_labels + b * FD_PAIR_BLOCK * nl);
    find_slopes(&w->source, *n, w->valid_labels, w->file.label_slopes);
    return FD_OK;
}

static fd_status open_work(const fd_config *config, work *w, fd_error *err) {
    const fd_informed_spec *s = &config->informed;
    size_t n = 0;
    fd_status status = open_source(config, w, err);
    w->file.schedule = s->diffusion;
    w->file.informed = true;
    w->file.told = s->told;
    w->file.use_ema = s->use_ema && s->train.ema_decay > 0;
    if (!status) status = make_network(config, w->setting.model, &w->file.network, err);
    if (!status) status = fd_schedule_create(&s->diffusion, &w->schedule, err);
    if (!status)
        status = fd_model_informant(w->setting.model, &w->file.params, &w->file.labels, w->schedule, &s->told, &w->informant,
                                    err);
    if (!status) status = draw_validation(config, w, &n, err); /* before there is a pool: of its own */
    if (!status && config->informed.pool && w->source.kind == FD_DRAWS_REGION)
        status = fill_pool(&w->source, config->informed.pool, fd_derive_seed(config->seed, "informed pool"), err);
    if (!status)
        status = fd_trainer_create(w->file.network, w->schedule, &s->train,
                                   &(fd_train_data){.n = n,
                                                    .x = w->valid_x,
                                                    .labels = w->valid_labels,
                                                    .source = &w->source.base,
                                                    .informant = w->informant},
                                   fd_derive_seed(config->seed, "informed train"), &w->trainer, err);
    return status;
}

fd_status fd_stage_train_informed(const fd_run *run, const char *out, fd_error *err) {
    const fd_config *config = run->config;
    const fd_train_spec *spec = &config->informed.train;
    fd_ticker ticker = {.run = run, .stage = "train-informed"};
    const char *const no_parents[] = {NULL};
    char parents[8];
    fd_provenance provenance;
    work w = {0};
    fd_resume resume = {0};
    bool writes = !fd_team_follows(run->team);
    fd_status status = writes ? fd_part_allowed(out, run->force || run->resume, err) : FD_OK;
    if (!status) status = open_work(config, &w, err);
    if (!status)
        status = fd_stage_provenance(run, ticker.stage, &w.file.model, no_parents, parents, sizeof parents, &w.config_text,
                                     &provenance, err);
    if (!status && writes) status = fd_resume_open(run, out, &provenance, config, FD_S_INFORMED | FD_S_TARGET, &resume, err);
    if (!status) status = fd_fit(&ticker, &resume, spec, w.trainer, &w.file, err);
    if (!status && writes) {
        w.file.updates = spec->updates;
        snprintf(w.file.trained_on, sizeof w.file.trained_on, "%s",
                 config->informed.draws == FD_DRAWS_PRIOR ? "prior draws" : "region draws");
        status = fd_model_file_write(out, run->force, &w.file, &provenance, err);
    }
    if (!status && writes && w.file.n_log) {
        const double *last = w.file.log + 4 * (w.file.n_log - 1);
        double seconds = fd_resume_seconds(&resume);
        fd_say(run, "%s: %ld updates of %d in %.1f s (%.0f/s), loss %.4f, validation %.4f -> %s", ticker.stage,
               spec->updates, spec->batch, seconds, (double)spec->updates / seconds, last[2], last[3], out);
    }
    work_free(&w);
    return fd_resume_close(&resume, status, err);
}
