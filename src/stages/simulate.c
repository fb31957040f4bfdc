/* simulate: pairs (G, L) from the prior (section 2.2.1 of the paper), and a longer scan that is only counted. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/file_safety.h"
#include "stages/resume.h"

enum { SIMULATE_BLOCK = 1 << 15 };

/* Prior draws first .. first + n - 1 of a stream, judged. */
static void draw(const fd_setting *setting, uint64_t seed, fd_stream stream, uint64_t first, size_t n, fd_block *block) {
    const fd_model *model = setting->model;
    size_t n_params = (size_t)model->n_params;
#pragma omp parallel for schedule(static)
    for (long i = 0; i < (long)n; i++) {
        fd_rng rng;
        double theta[FD_MAX_PARAMS];
        fd_rng_start(&rng, seed, stream, first + (uint64_t)i, 0);
        model->draw_prior(model, &rng, theta);
        for (size_t j = 0; j < n_params; j++) block->theta[(size_t)i * n_params + j] = (float)theta[j];
    }
    fd_judge_rows(setting, n, block->theta, block->labels, block->chi2, block->flags);
}

typedef struct work {
    fd_setting setting;
    fd_block block;
    fd_sample_writer *writer;
    fd_resume resume;
    struct { /* what a checkpoint tells beside the rows */
        fd_tally tally;
        uint64_t pairs, scanned;
    } at;
} work;

/* One stretch of draws, from *done on; those of the prior's stream are kept. */
static fd_status stretch(work *w, fd_ticker *ticker, uint64_t seed, fd_stream stream, uint64_t total, uint64_t *done,
                         fd_error *err) {
    bool keep = stream == FD_STREAM_PRIOR;
    while (*done < total) {
        size_t n = total - *done < SIMULATE_BLOCK ? (size_t)(total - *done) : SIMULATE_BLOCK;
        draw(&w->setting, seed, stream, *done, n, &w->block);
        for (size_t i = 0; i < n; i++) {
            fd_tally_add(&w->at.tally, w->block.flags[i]);
            w->block.five[i] = w->block.chi2[i].five;
        }
        *done += n;
        fd_status status = fd_resume_append(&w->resume, w->writer, w->setting.model, keep ? n : 0, &w->block,
                                            (fd_piece){&w->at, sizeof w->at}, err);
        if (!status) status = fd_tick(ticker, *done, total, &w->at.tally, keep ? "pairs" : "scan", err);
        if (status) return status;
    }
    return FD_OK;
}

fd_status fd_stage_simulate(const fd_run *run, const char *out, fd_error *err) {
    const fd_config *config = run->config;
    fd_ticker ticker = {.run = run, .stage = "simulate"};
    work w = {0};
    char *config_text = NULL, parents[8];
    const char *const no_parents[] = {NULL};
    fd_provenance provenance;
    fd_sample_info info = {.role = "prior", .seed = config->seed, .n = config->simulate.pairs};
    uint64_t seed = fd_derive_seed(config->seed, "simulate");

    fd_target target = {0};
    fd_status status = fd_part_allowed(out, run->force || run->resume, err);
    if (!status) status = fd_target_load(config->target, &target, err);
    info.model = config->model;
    if (!status) {
        info.model.ordering = target.ordering;
        status = fd_setting_create(&info.model, config->target, &w.setting, err);
    }
    if (!status) status = fd_block_create(w.setting.model, SIMULATE_BLOCK, &w.block, err);
    if (!status)
        status = fd_stage_provenance(run, "simulate", NULL, no_parents, parents, sizeof parents, &config_text, &provenance, err);
    if (!status) status = fd_resume_open(run, out, &provenance, config, FD_S_SIMULATE | FD_S_TARGET, &w.resume, err);
    if (!status) status = fd_samples_create(out, run->force, w.setting.model, &provenance, &w.writer, err);
    if (!status) status = fd_resume_rows(&w.resume, w.writer, w.setting.model, (fd_piece){&w.at, sizeof w.at}, err);
    if (!status)
        status = fd_resume_check(&w.resume, w.at.pairs == w.resume.rows && w.at.pairs <= config->simulate.pairs &&
                                                w.at.scanned <= config->simulate.scan, err);
    if (!status) status = stretch(&w, &ticker, seed, FD_STREAM_PRIOR, config->simulate.pairs, &w.at.pairs, err);
    if (!status) status = stretch(&w, &ticker, seed, FD_STREAM_SCAN, config->simulate.scan, &w.at.scanned, err);
    if (!status) {
        info.n_train = fd_training_rows(config, info.n);
        info.tally = w.at.tally;
        info.tally.seconds = fd_resume_seconds(&w.resume);
        fd_tell_target(&w.setting.target, &info);
        snprintf(info.note, sizeof info.note, "%s", "independent draws from the prior");
        status = fd_samples_finish(w.writer, &info, err);
        w.writer = NULL;
    }
    if (!status)
        fd_say(run, "simulate: %llu pairs (%llu for training) and %llu scanned draws in %.1f s -> %s",
               (unsigned long long)info.n, (unsigned long long)info.n_train,
               (unsigned long long)config->simulate.scan, info.tally.seconds, out);
    fd_samples_abort(w.writer);
    fd_block_free(&w.block);
    fd_setting_free(&w.setting);
    free(config_text);
    return fd_resume_close(&w.resume, status, err);
}
