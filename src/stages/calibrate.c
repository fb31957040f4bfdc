/* calibrate: does a network sample the posterior at every label, not only near the data? Truths with their labels are drawn,
 * the network samples at each label, and the truth must be one more sample (inference/calibration.h). */
#include "stages/calibrate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "flavordiff/region.h"
#include "io/json.h"
#include "stages/analyse.h"
#include "stages/plot.h"

enum { TRUTHS = 256 /* of one random stream */ };

/* Rows an orbit gives in the mean: so few that truths are independent. */
static const double cluster = 0.05;

typedef struct network_source {
    fd_calibration_source base;
    fd_generator *generator;
    const fd_setting *setting;
    const fd_scaler *scaler;
    int ranked[FD_MAX_OBSERVABLES], n_ranked; /* observables */
    double period[FD_MAX_PARAMS];
    uint64_t z_seed;
    float *truth;   /* (n, n_params) */
    double *labels; /* (n, n_labels) */
    fd_block block; /* of samples */
} network_source;

/* ---- truths ------------------------------------------------------------------------------------------------------- */

/* Whether truths come from widened windows or from the whole prior. */
static bool from_region(const fd_run *run, const network_source *s) {
    return fd_generator_model_file(s->generator)->informed && run->config->informed.draws == FD_DRAWS_REGION;
}

/* Block b of truths, n rows. region NULL: the whole prior. */
static void draw_block(const network_source *s, const fd_region *region, uint64_t seed, uint64_t b, size_t n, float *truth) {
    const fd_model *model = s->setting->model;
    double theta[TRUTHS * FD_MAX_PARAMS];
    size_t dim = (size_t)model->n_params;
    uint64_t tried = UINT64_MAX; /* fd_check_region() has found a point in it */
    fd_rng rng;
    fd_rng_start(&rng, seed, FD_STREAM_PAIRS, b, 0);
    if (region) fd_region_draw(model, region, &rng, cluster, n, theta, &tried);
    for (size_t i = 0; i < n && !region; i++) model->draw_prior(model, &rng, theta + i * dim);
    for (size_t i = 0; i < n * dim; i++) truth[i] = (float)theta[i];
}

static fd_status draw_truths(const fd_run *run, size_t n, network_source *s, fd_error *err) {
    const fd_model *model = s->setting->model;
    size_t dim = (size_t)model->n_params;
    uint64_t seed = fd_derive_seed(run->config->seed, "calibrate truths");
    fd_region region;
    bool windows = from_region(run, s);
    s->truth = malloc(n * dim * sizeof *s->truth);
    s->labels = malloc(n * (size_t)model->n_labels * sizeof *s->labels);
    fd_chi2 *chi2 = malloc(n * sizeof *chi2);
    uint8_t *flags = malloc(n);
    fd_status status = s->truth && s->labels && chi2 && flags ? FD_OK : fd_fail(err, FD_ERR_MEMORY, "out of memory");
    if (windows) fd_judge_region(s->setting->judge, run->config->informed.widen, &region);
    if (!status && windows) status = fd_check_region(s->setting, &region, run->config->informed.widen, seed, err);
    long blocks = status ? 0 : (long)((n + TRUTHS - 1) / TRUTHS);
#pragma omp parallel for schedule(dynamic, 1)
    for (long b = 0; b < blocks; b++) {
        size_t first = (size_t)b * TRUTHS;
        draw_block(s, windows ? &region : NULL, seed, (uint64_t)b, n - first < TRUTHS ? n - first : TRUTHS,
                   s->truth + first * dim);
    }
    if (!status) fd_judge_rows(s->setting, n, s->truth, s->labels, chi2, flags); /* labels of the rounded points */
    free(chi2);
    free(flags);
    return status;
}

/* ---- the source ---------------------------------------------------------------------------------------------------- */

/* Quantities (n_quantities) and normalised coordinates (dim) of a point. */
static void describe_point(const network_source *s, const float *point, double *quantities, double *x) {
    const fd_model *model = s->setting->model;
    double theta[FD_MAX_PARAMS], observables[FD_MAX_OBSERVABLES];
    for (int j = 0; j < model->n_params; j++) {
        theta[j] = quantities[j] = point[j];
        x[j] = (theta[j] - s->scaler->shift[j]) / s->scaler->scale[j];
    }
    model->forward(model, 1, theta, NULL, observables);
    for (int k = 0; k < s->n_ranked; k++) quantities[model->n_params + k] = observables[s->ranked[k]];
}

static fd_status draw(const fd_calibration_source *base, uint64_t first, size_t n, size_t each, double *truth, double *truth_x,
                      double *samples, double *samples_x, double *z, fd_error *err) {
    const network_source *s = (const network_source *)base;
    const fd_model *model = s->setting->model;
    size_t dim = (size_t)base->dim, q = (size_t)base->n_quantities;
    const fd_block *b = &s->block;
    fd_status status = fd_generator_run(s->generator, first * each, n * each, b->theta, b->labels, b->chi2, b->flags,
                                        b->alone, err);
    if (status) return status;
#pragma omp parallel for schedule(static)
    for (long i = 0; i < (long)n; i++) {
        size_t at = (size_t)i;
        double theta[FD_MAX_PARAMS];
        fd_rng rng;
        describe_point(s, s->truth + (first + at) * dim, truth + at * q, truth_x + at * dim);
        for (size_t k = at * each; k < (at + 1) * each; k++)
            describe_point(s, b->theta + k * dim, samples + k * q, samples_x + k * dim);
        fd_rng_start(&rng, s->z_seed, FD_STREAM_PRIOR, first + at, 0);
        model->draw_prior(model, &rng, theta);
        for (size_t j = 0; j < dim; j++) z[at * dim + j] = (theta[j] - s->scaler->shift[j]) / s->scaler->scale[j];
    }
    return FD_OK;
}

static void source_free(network_source *s) {
    fd_block_free(&s->block);
    fd_generator_free(s->generator);
    free(s->truth);
    free(s->labels);
}

static fd_status source_open(const fd_run *run, const fd_generate_spec *spec, const char *path, size_t each, size_t truths,
                             network_source *s, fd_error *err) {
    fd_generate_spec own = *spec;
    own.label = FD_LABEL_GAUSSIAN; /* each point a label of its own: that of its truth, below */
    fd_status status = fd_generator_create(run, path, &own, fd_derive_seed(run->config->seed, "calibrate"), &s->generator, err);
    if (status) return status;
    s->setting = fd_generator_setting(s->generator);
    s->scaler = &fd_generator_model_file(s->generator)->params;
    s->z_seed = fd_derive_seed(run->config->seed, "calibrate distances");
    const fd_model *model = s->setting->model;
    for (int k = 0; k < model->n_observables; k++)
        if (!model->observables[k].of_labels) s->ranked[s->n_ranked++] = k;
    for (int j = 0; j < model->n_params; j++)
        s->period[j] = model->params[j].periodic ? (model->params[j].hi - model->params[j].lo) / s->scaler->scale[j] : 0;
    s->base = (fd_calibration_source){.n_quantities = model->n_params + s->n_ranked, .dim = model->n_params,
                                      .period = s->period, .draw = draw};
    status = draw_truths(run, truths, s, err);
    fd_generator_give_labels(s->generator, s->labels, each);
    return status;
}

/* ---- a network ----------------------------------------------------------------------------------------------------- */

static fd_status name_rows(const fd_run *run, const network_source *s, fd_network_calibration *out, fd_error *err) {
    static const char *const tarp[] = {[FD_TARP_GIVEN] = "TARP, points of the prior",
                                       [FD_TARP_OWN] = "TARP, points of the network"};
    const fd_model *model = s->setting->model;
    int n = model->n_params;
    if (!(out->names = calloc((size_t)out->ranks.n_rows, sizeof *out->names)))
        return fd_fail(err, FD_ERR_MEMORY, "out of memory");
    for (int j = 0; j < n; j++) snprintf(out->names[j], sizeof *out->names, "%s", model->params[j].name);
    for (int k = 0; k < s->n_ranked; k++)
        snprintf(out->names[n + k], sizeof *out->names, "%s", model->observables[s->ranked[k]].name);
    for (int k = 0; k < FD_TARP_ROWS; k++) snprintf(out->names[n + s->n_ranked + k], sizeof *out->names, "%s", tarp[k]);
    for (int k = 0; k < model->n_observables; k++)
        if (model->observables[k].of_labels)
            fd_text_addf(&out->unranked, "%s%s", out->unranked.length ? ", " : "", model->observables[k].name);
    for (int k = 0; k < s->base.n_quantities; k++) out->n_outside += out->ranks.verdicts[k].p_value <= FD_CALIBRATION_TAIL;
    out->n_parameters = n;
    snprintf(out->target, sizeof out->target, "%s", s->setting->target.name);
    if (from_region(run, s))
        snprintf(out->law, sizeof out->law, "the prior inside the 3 sigma windows of %s widened by %g", out->target,
                 run->config->informed.widen);
    else snprintf(out->law, sizeof out->law, "the prior");
    fd_generate_note(fd_generator_spec(s->generator), out->note, sizeof out->note);
    char *label = strstr(out->note, "label gaussian");
    if (label) memcpy(label, "label of truth", sizeof "label of truth" - 1);
    return FD_OK;
}

typedef struct progress {
    fd_ticker ticker;
    uint64_t total;
    const char *detail;
    fd_resume *resume; /* NULL: none */
} progress;

enum { PIECES = 2 };

static void pieces(const fd_calibration *c, uint64_t *done, fd_piece out[PIECES]) {
    out[0] = (fd_piece){done, sizeof *done};
    out[1] = (fd_piece){c->ranks, (size_t)c->n_rows * c->n * sizeof *c->ranks};
}

static fd_status before_blocks(void *user, fd_calibration *c, size_t *done, fd_error *err) {
    progress *p = user;
    fd_piece all[PIECES];
    uint64_t at = 0;
    bool found, holds = true;
    if (!p->resume) return FD_OK;
    pieces(c, &at, all);
    fd_status status = fd_resume_restore(p->resume, PIECES, all, &found, err);
    for (size_t i = 0; !status && i < (size_t)c->n_rows * c->n; i++) holds = holds && c->ranks[i] <= c->m;
    *done = (size_t)at;
    return status ? status : fd_resume_check(p->resume, holds && at <= c->n, err);
}

static fd_status after_block(void *user, const fd_calibration *c, size_t done, fd_error *err) {
    progress *p = user;
    fd_piece all[PIECES];
    uint64_t at = done;
    fd_status status = fd_tick(&p->ticker, done, p->total, NULL, p->detail, err);
    if (p->resume && (status || fd_resume_due(p->resume))) {
        pieces(c, &at, all);
        fd_status saved = fd_resume_replace(p->resume, PIECES, all, status ? NULL : err);
        if (!status) status = saved;
    }
    return status;
}

fd_status fd_calibrate_network(const fd_run *run, const char *stage, const fd_generate_spec *spec, const char *model,
                               const fd_calibrate_spec *size, fd_resume *resume, fd_network_calibration *out, fd_error *err) {
    network_source s = {.n_ranked = 0};
    progress p = {.ticker = {.run = run, .stage = stage}, .total = size->draws, .detail = "labels", .resume = resume};
    fd_calibration_spec how = {.n = (size_t)size->draws, .m = (size_t)size->samples, .tail = FD_CALIBRATION_TAIL,
                               .seed = fd_derive_seed(run->config->seed, "calibrate"), .before = before_blocks, .after = after_block, .user = &p};
    size_t each = how.m + 1;
    *out = (fd_network_calibration){.n_outside = 0};
    fd_status status = source_open(run, spec, model, each, how.n, &s, err);
    if (!status) {
        how.block = fd_generator_block(s.generator) / each;
        if (how.block > how.n) how.block = how.n;
        if (how.block < 1) how.block = 1;
        status = fd_block_create(s.setting->model, how.block * each, &s.block, err);
    }
    if (!status) status = fd_calibrate(&s.base, &how, &out->ranks, err);
    if (!status) status = name_rows(run, &s, out, err);
    if (status) fd_network_calibration_free(out);
    source_free(&s);
    return status;
}

void fd_network_calibration_free(fd_network_calibration *c) {
    fd_calibration_free(&c->ranks);
    free(c->names);
    fd_text_free(&c->unranked);
    *c = (fd_network_calibration){.n_outside = 0};
}

static fd_status calibrate_into(const fd_run *run, const fd_generate_spec *spec, const char *model, const char *folder,
                                fd_resume *resume, fd_error *err) {
    static const char *const figures[] = {"calibration", NULL};
    fd_network_calibration c = {.n_outside = 0};
    fd_plot_folder out;
    fd_text text = {0};
    fd_status status = fd_plot_folder_begin(folder, figures, run->force, &out, err);
    if (status) return status;
    status = fd_calibrate_network(run, "calibrate", spec, model, &run->config->calibrate, resume, &c, err);
    if (!status) status = fd_calibration_write(run, model, &c, resume->made, out.part, err);
    if (!status) status = fd_plot_folder_commit(&out, err);
    fd_plot_folder_abort(&out);
    if (!status) {
        fd_calibration_table(&text, model, &c);
        if (text.data && run->message) run->message(run->user, text.data);
        fd_say(run, "calibrate: %llu labels in %.1f s -> %s", (unsigned long long)run->config->calibrate.draws,
               fd_resume_seconds(resume), folder);
    }
    fd_text_free(&text);
    fd_network_calibration_free(&c);
    return status;
}

/* Whether the folder has what these settings give: a kill may have come after the last byte, and scripts may ask again. */
static bool made_here(const char *folder, const char *made) {
    char *path = fd_path(folder, "calibration.json");
    json_t *root = path && access(path, F_OK) == 0 ? json_load_file(path, 0, NULL) : NULL;
    const char *there = json_string_value(json_object_get(root, "made"));
    bool same = there && strcmp(there, made) == 0;
    json_decref(root);
    free(path);
    return same;
}

/* Opens the checkpoint of the folder. FD_ERR_STOPPED when all is there already. */
static fd_status open_resume(const fd_run *run, const fd_generate_spec *spec, const char *model, const char *folder,
                             fd_resume *resume, fd_error *err) {
    const char *const parent_paths[] = {model, NULL};
    char *config_text = NULL, parents[FD_PARENTS_SIZE];
    fd_config config = *run->config;
    fd_provenance provenance;
    config.sample = (fd_sample_spec){.generate = *spec}; /* whichever block it came from */
    fd_status status = fd_stage_provenance(run, "calibrate", NULL, parent_paths, parents, sizeof parents, &config_text,
                                           &provenance, err);
    if (!status)
        status = fd_resume_open(run, folder, &provenance, &config,
                                FD_S_CALIBRATE | FD_S_NETWORK | FD_S_SAMPLE | FD_S_INFORMED | FD_S_TARGET, resume, err);
    free(config_text);
    if (status || !run->resume || run->force || !made_here(folder, resume->made)) return status;
    resume->finished = true;
    fd_say(run, "calibrate: %s is there already, made with these settings", folder);
    return fd_fail(err, FD_ERR_STOPPED, "%s is there already", folder);
}

fd_status fd_stage_calibrate(const fd_run *run, const fd_generate_spec *spec, const char *model, const char *folder,
                             fd_error *err) {
    fd_resume resume = {0};
    fd_status status = open_resume(run, spec, model, folder, &resume, err);
    if (!status) status = calibrate_into(run, spec, model, folder, &resume, err);
    return fd_resume_close(&resume, status, err);
}
