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

enum { ITEMS = 64, /* at once, of each rank */ ITEM_ROWS = 512, ITEM_ORBITS = 4096, ITEM_DRAWS = 16384 };

/* What some items gave. */
typedef struct harvest {
    size_t items;
    double *theta;   /* (items, ITEM_ROWS, n_params); in the end without gaps */
    uint64_t *rows;  /* (items) */
    uint64_t *tried; /* (items) */
} harvest;

typedef struct work {
    const fd_reference_spec *spec;
    uint64_t seed;
    fd_team *team;
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

static void draw_item(work *w, uint64_t first, size_t i) {
    const fd_model *model = w->setting.model;
    bool orbit = by_orbit(w);
    fd_rng rng;
    double *theta = w->harvest.theta + i * ITEM_ROWS * (size_t)model->n_params;
    uint64_t *tried = &w->harvest.tried[i];
    fd_rng_start(&rng, w->seed, FD_STREAM_REFERENCE, first + i, 0);
    *tried = orbit ? ITEM_ORBITS : ITEM_DRAWS;
    w->harvest.rows[i] = orbit ? fd_region_draw(model, &w->region, &rng, w->spec->cluster, ITEM_ROWS, theta, tried)
                               : fd_region_reject(model, &w->region, &rng, ITEM_ROWS, theta, tried);
}

/* Items first, first + 1, ..., a part of them by each rank; rows of all, one behind the other. A job. */
static void draw_items(work *w, uint64_t first) {
    harvest *h = &w->harvest;
    size_t n_params = (size_t)w->setting.model->n_params, from, to, end = 0;
    fd_team_part(w->team, h->items, 1, &from, &to);
#pragma omp parallel for schedule(dynamic, 1)
    for (size_t i = from; i < to; i++) draw_item(w, first, i);
    fd_team_share_rows(w->team, h->rows, h->items, 1, sizeof *h->rows);
    fd_team_share_rows(w->team, h->tried, h->items, 1, sizeof *h->tried);
    for (size_t i = 0; i < h->items; end += (size_t)h->rows[i++] * n_params)
        if (i >= from && i < to)
            memmove(h->theta + end, h->theta + i * ITEM_ROWS * n_params, (size_t)h->rows[i] * n_params * sizeof *h->theta);
    fd_team_share_items(w->team, h->theta, h->items, h->rows, n_params * sizeof *h->theta);
}

/* Rows of one proposal share a parameter to the last bit, and follow each other; those of two never do. */
static bool same_proposal(const fd_model *model, const double *a, const double *b) {
    for (int j = 0; j < model->n_params; j++) /* but where the prior is a point */
        if (a[j] == b[j] && model->params[j].lo < model->params[j].hi) return true;
    return false;
}

/* Rows of all items, rounded and judged at once. */
static void gather(work *w) {
    size_t n_params = (size_t)w->setting.model->n_params, n = 0;
    for (size_t i = 0; i < w->harvest.items; i++) n += (size_t)w->harvest.rows[i];
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
    for (size_t item = 0; item < w->harvest.items && w->at.kept < w->spec->n; item++) {
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
    w->at.items += w->harvest.items;
    fd_block_compact(model, &w->block, used, w->keep);
    return fd_resume_append(&w->resume, w->writer, model, (size_t)(w->at.kept - before), &w->block,
                            (fd_piece){&w->at, sizeof w->at}, err);
}

static fd_status allocate(work *w, fd_error *err) {
    const fd_model *model = w->setting.model;
    harvest *h = &w->harvest;
    h->items = ITEMS * (w->team ? (size_t)w->team->size : 1);
    h->theta = malloc(h->items * ITEM_ROWS * (size_t)model->n_params * sizeof *h->theta);
    h->rows = malloc(h->items * sizeof *h->rows);
    h->tried = malloc(h->items * sizeof *h->tried);
    w->keep = malloc(h->items * ITEM_ROWS * sizeof *w->keep);
    if (!h->theta || !h->rows || !h->tried || !w->keep) return fd_fail(err, FD_ERR_MEMORY, "out of memory");
    return fd_block_create(model, h->items * ITEM_ROWS, &w->block, err);
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
        if ((status = fd_team_lead(w->team, &w->at.items, sizeof w->at.items, err))) break;
        draw_items(w, w->at.items);
        status = take(w, err);
        snprintf(detail, sizeof detail, "%" PRIu64 " %s tried", w->at.tried, by_orbit(w) ? "orbits" : "prior draws");
        if (!status) status = fd_tick(ticker, w->at.kept, w->spec->n, &w->at.tally, detail, err);
    }
    return status;
}

/* What ranks other than 0 do. */
static fd_status follow(work *w, fd_status status, fd_error *err) {
    uint64_t first;
    while (fd_team_follow(w->team, &status, &first, sizeof first, err)) draw_items(w, first);
    return status;
}

static void release(work *w) {
    fd_samples_abort(w->writer);
    fd_block_free(&w->block);
    fd_setting_free(&w->setting);
    free(w->harvest.theta);
    free(w->harvest.rows);
    free(w->harvest.tried);
    free(w->keep);
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
    work w = {.spec = &config->reference, .team = run->team, .seed = fd_derive_seed(config->seed, purposes[config->reference.cuts])};
    fd_sample_info info = {.role = "reference", .seed = config->seed};
    fd_provenance provenance;
    const char *const no_parents[] = {NULL};
    char *config_text = NULL, parents[8];

    if (fd_team_follows(run->team)) {
        fd_status told = follow(&w, prepare(run, &w, err), err);
        release(&w);
        return told;
    }
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
        fd_tell_target(&w.setting.target, &info);
        describe(&w, info.note, sizeof info.note);
        status = fd_samples_finish(w.writer, &info, err);
        w.writer = NULL;
    }
    if (!status)
        fd_say(run, "reference: %" PRIu64 " exact %s from %" PRIu64 " of %" PRIu64 " %s in %.1f s -> %s", w.at.kept,
               w.spec->cuts == FD_CUTS_ALL ? "solutions" : "draws", w.at.proposals, w.at.tried, by_orbit(&w) ? "orbits" : "prior draws", info.tally.seconds, out);
    release(&w);
    free(config_text);
    return fd_resume_close(&w.resume, status, err);
}
