/* reference: exact draws from the prior inside the 3 sigma windows of a target set (or some of them: reference.cuts), the
 * yardstick of every generator.
 *
 * Proposals are spent in items of a fixed number, each with a random stream of its own, and rows are taken in the order of the
 * items: the file does not depend on threads, and no item is cut short by a wanted number of rows. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flavordiff/region.h"
#include "io/file_safety.h"
#include "stages/mcmc.h"
#include "stages/resume.h"

enum { ITEMS = 64, ITEM_ROWS = 512, ITEM_ORBITS = 4096, ITEM_DRAWS = 16384 };

/* What ITEMS items gave. */
typedef struct harvest {
    double *theta; /* (ITEMS, ITEM_ROWS, n_params) */
    size_t rows[ITEMS];
    uint64_t tried[ITEMS];
} harvest;

typedef struct work {
    const fd_reference_spec *spec;
    uint64_t seed;
    fd_setting setting;
    fd_region region;
    harvest harvest;
    fd_block block;
    bool *keep;
    fd_sample_writer *writer;
    fd_resume resume;
    struct { /* what a checkpoint tells beside the rows */
        fd_tally tally;
        uint64_t items;                  /* drawn */
        uint64_t tried, proposals, kept; /* spent; that gave the rows; rows in the file */
    } at;
} work;

/* Orbits choose the mixing matrix: there is nothing to choose where it is not cut on. */
static bool by_orbit(const work *w) {
    return w->spec->method == FD_REFERENCE_ORBIT && w->spec->cuts == FD_CUTS_ALL && w->setting.model->draw_region != NULL;
}

static void draw_items(work *w, uint64_t first) {
    const fd_model *model = w->setting.model;
    bool orbit = by_orbit(w);
#pragma omp parallel for schedule(dynamic, 1)
    for (int i = 0; i < ITEMS; i++) {
        fd_rng rng;
        double *theta = w->harvest.theta + (size_t)i * ITEM_ROWS * (size_t)model->n_params;
        uint64_t *tried = &w->harvest.tried[i];
        fd_rng_start(&rng, w->seed, FD_STREAM_REFERENCE, first + (uint64_t)i, 0);
        *tried = orbit ? ITEM_ORBITS : ITEM_DRAWS;
        w->harvest.rows[i] = orbit ? fd_region_draw(model, &w->region, &rng, w->spec->cluster, ITEM_ROWS, theta, tried)
                                   : fd_region_reject(model, &w->region, &rng, ITEM_ROWS, theta, tried);
    }
}

/* Rows of one proposal share a parameter to the last bit, and follow each other; those of two never do. */
static bool same_proposal(const fd_model *model, const double *a, const double *b) {
    for (int j = 0; j < model->n_params; j++) /* but where the prior is a point */
        if (a[j] == b[j] && model->params[j].lo < model->params[j].hi) return true;
    return false;
}

/* Rows of all items, one behind the other, rounded and judged at once. */
static void gather(work *w) {
    size_t n_params = (size_t)w->setting.model->n_params, n = 0;
    for (int i = 0; i < ITEMS; i++) {
        memmove(w->harvest.theta + n * n_params, w->harvest.theta + (size_t)i * ITEM_ROWS * n_params,
                w->harvest.rows[i] * n_params * sizeof *w->harvest.theta);
        n += w->harvest.rows[i];
    }
    for (size_t i = 0; i < n * n_params; i++) w->block.theta[i] = (float)w->harvest.theta[i];
    fd_judge_rows(&w->setting, n, w->block.theta, w->block.labels, w->block.chi2, w->block.flags);
}

/* Items in their order, until the wanted number of solutions is there: these are appended. */
static fd_status take(work *w, fd_error *err) {
    const fd_model *model = w->setting.model;
    static const uint8_t demanded[] = {[FD_CUTS_ALL] = FD_IN_PRIOR | FD_MASSES | FD_ANGLES | FD_LABELS,
                                       [FD_CUTS_MASSES] = FD_IN_PRIOR | FD_MASSES, [FD_CUTS_NONE] = FD_IN_PRIOR};
    const uint8_t solution = demanded[w->spec->cuts];
    uint64_t before = w->at.kept;
    size_t used = 0;
    gather(w);
    for (int item = 0; item < ITEMS && w->at.kept < w->spec->n; item++) {
        const double *last = NULL;
        w->at.tried += w->harvest.tried[item];
        for (size_t i = 0; i < w->harvest.rows[item] && w->at.kept < w->spec->n; i++, used++) {
            const double *row = w->harvest.theta + used * (size_t)model->n_params;
            fd_tally_add(&w->at.tally, w->block.flags[used]);
            /* Rounding to float32 can carry a row over an edge, about one in a million. */
            if (!(w->keep[used] = (w->block.flags[used] & solution) == solution)) continue;
            w->at.proposals += !last || !same_proposal(model, last, row);
            last = row;
            w->at.kept++;
        }
    }
    w->at.items += ITEMS;
    fd_block_compact(model, &w->block, used, w->keep);
    return fd_resume_append(&w->resume, w->writer, model, (size_t)(w->at.kept - before), &w->block,
                            (fd_piece){&w->at, sizeof w->at}, err);
}

static fd_status allocate(work *w, fd_error *err) {
    const fd_model *model = w->setting.model;
    w->harvest.theta = malloc((size_t)ITEMS * ITEM_ROWS * (size_t)model->n_params * sizeof *w->harvest.theta);
    w->keep = malloc((size_t)ITEMS * ITEM_ROWS * sizeof *w->keep);
    if (!w->harvest.theta || !w->keep) return fd_fail(err, FD_ERR_MEMORY, "out of memory");
    return fd_block_create(model, (size_t)ITEMS * ITEM_ROWS, &w->block, err);
}

/* The windows that count. */
static void choose_region(work *w) {
    const fd_target *target = &w->setting.target;
    fd_judge_region(w->setting.judge, 1, &w->region);
    for (int i = 0; i < target->n_measurements; i++) {
        int o = fd_model_observable(w->setting.model, target->measurements[i].observable);
        bool mass = target->measurements[i].group == FD_GROUP_MASS;
        if (w->spec->cuts == FD_CUTS_NONE || (w->spec->cuts == FD_CUTS_MASSES && !mass))
            w->region.lo[o] = -INFINITY, w->region.hi[o] = INFINITY;
    }
}

/* Model, target and what is asked of them. */
static fd_status prepare(const fd_run *run, work *w, fd_error *err) {
    fd_model_options model = run->config->model;
    fd_target target;
    fd_status status = fd_target_load(run->config->target, &target, err);
    if (status) return status;
    model.ordering = target.ordering;
    status = fd_setting_create(&model, run->config->target, &w->setting, err);
    if (!status && w->spec->cuts == FD_CUTS_ALL) status = fd_check_window(&w->setting, err);
    if (!status) choose_region(w);
    return status ? status : allocate(w, err);
}

static fd_status draw_all(work *w, fd_ticker *ticker, fd_error *err) {
    fd_status status = FD_OK;
    while (!status && w->at.kept < w->spec->n) {
        char detail[64];
        draw_items(w, w->at.items);
        status = take(w, err);
        snprintf(detail, sizeof detail, "%" PRIu64 " %s tried", w->at.tried, by_orbit(w) ? "orbits" : "prior draws");
        if (!status) status = fd_tick(ticker, w->at.kept, w->spec->n, &w->at.tally, detail, err);
    }
    return status;
}

static void describe(const work *w, char *note, size_t size) {
    if (w->spec->cuts == FD_CUTS_NONE)
        snprintf(note, size, "draws from the prior, nothing cut on");
    else if (by_orbit(w))
        snprintf(note, size,
                 "exact draws from the prior inside the 3 sigma windows of masses, angles and moduli: orbits, cluster %g; "
                 "rows from %" PRIu64 " orbits of %" PRIu64 " tried, nothing capped", w->spec->cluster, w->at.proposals, w->at.tried);
    else
        snprintf(note, size,
                 "exact draws from the prior inside the 3 sigma windows of %s: rejection, k solved for; %" PRIu64 " prior draws tried",
                 w->spec->cuts == FD_CUTS_MASSES ? "the two mass-squared differences, mixing not cut on" : "masses, angles and moduli",
                 w->at.tried);
}

fd_status fd_stage_reference(const fd_run *run, const char *out, fd_error *err) {
    const fd_config *config = run->config;
    if (config->reference.method == FD_REFERENCE_MCMC) return fd_reference_by_mcmc(run, out, err);
    if (config->reference.likelihood != FD_LIKELIHOOD_WINDOW)
        return fd_fail(err, FD_ERR_CONFIG, "reference.likelihood: gaussian is drawn from by reference.method: mcmc alone");
    fd_ticker ticker = {.run = run, .stage = "reference"};
    /* Sets of different cuts are compared: they must not be the same draws. */
    static const char *const purposes[] = {"reference", "reference, masses", "reference, prior"};
    work w = {.spec = &config->reference, .seed = fd_derive_seed(config->seed, purposes[config->reference.cuts])};
    fd_sample_info info = {.role = "reference", .seed = config->seed};
    fd_provenance provenance;
    const char *const no_parents[] = {NULL};
    char *config_text = NULL, parents[8];

    fd_status status = fd_part_allowed(out, run->force || run->resume, err);
    if (!status) status = prepare(run, &w, err);
    if (!status)
        status = fd_stage_provenance(run, "reference", &w.setting.model->options, no_parents, parents, sizeof parents,
                                     &config_text, &provenance, err);
    if (!status) status = fd_resume_open(run, out, &provenance, config, FD_S_REFERENCE | FD_S_TARGET, &w.resume, err);
    if (!status) status = fd_samples_create(out, run->force, w.setting.model, &provenance, &w.writer, err);
    if (!status) status = fd_resume_rows(&w.resume, w.writer, w.setting.model, (fd_piece){&w.at, sizeof w.at}, err);
    if (!status) status = fd_resume_check(&w.resume, w.at.kept == w.resume.rows && w.at.kept <= w.spec->n, err);
    if (!status) status = draw_all(&w, &ticker, err);
    if (!status) {
        if (w.spec->cuts == FD_CUTS_NONE) strcpy(info.role, "prior");
        info.model = w.setting.model->options;
        info.n = w.at.kept;
        info.n_train = fd_training_rows(config, w.at.kept);
        info.tally = w.at.tally;
        info.tally.seconds = fd_resume_seconds(&w.resume);
        snprintf(info.target, sizeof info.target, "%s", w.setting.target.name);
        describe(&w, info.note, sizeof info.note);
        status = fd_samples_finish(w.writer, &info, err);
        w.writer = NULL;
    }
    if (!status)
        fd_say(run, "reference: %" PRIu64 " exact %s from %" PRIu64 " of %" PRIu64 " %s in %.1f s -> %s", w.at.kept,
               w.spec->cuts == FD_CUTS_ALL ? "solutions" : "draws", w.at.proposals, w.at.tried, by_orbit(&w) ? "orbits" : "prior draws", info.tally.seconds, out);
    fd_samples_abort(w.writer);
    fd_block_free(&w.block);
    fd_setting_free(&w.setting);
    free(w.harvest.theta);
    free(w.keep);
    free(config_text);
    return fd_resume_close(&w.resume, status, err);
}
