/* simulate: pairs (G, L) from the prior (section 2.2.1 of the paper), and a longer scan that is only counted. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stages/common.h"

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

/* One stretch of draws; appended to `writer` unless it is NULL. */
static fd_status stretch(fd_ticker *ticker, const fd_setting *setting, uint64_t seed, fd_stream stream, uint64_t total,
                         fd_block *block, fd_sample_writer *writer, fd_tally *tally, fd_error *err) {
    for (uint64_t done = 0; done < total;) {
        size_t n = total - done < SIMULATE_BLOCK ? (size_t)(total - done) : SIMULATE_BLOCK;
        draw(setting, seed, stream, done, n, block);
        for (size_t i = 0; i < n; i++) {
            fd_tally_add(tally, block->flags[i]);
            block->five[i] = block->chi2[i].five;
        }
        fd_status status = FD_OK;
        if (writer) status = fd_samples_append(writer, n, block->theta, block->labels, block->five, block->flags, err);
        done += n;
        if (!status) status = fd_tick(ticker, done, total, tally, writer ? "pairs" : "scan", err);
        if (status) return status;
    }
    return FD_OK;
}

fd_status fd_stage_simulate(const fd_run *run, const char *out, fd_error *err) {
    const fd_config *config = run->config;
    fd_ticker ticker = {.run = run, .stage = "simulate"};
    fd_setting setting = {0};
    fd_block block = {0};
    fd_sample_writer *writer = NULL;
    char *config_text = NULL, parents[8];
    const char *const no_parents[] = {NULL};
    fd_provenance provenance;
    fd_sample_info info = {.role = "prior", .seed = config->seed, .n = config->simulate.pairs};
    uint64_t seed = fd_derive_seed(config->seed, "simulate");
    double start = fd_seconds();

    fd_target target;
    fd_status status = fd_target_load(config->target, &target, err);
    info.model = config->model;
    if (!status) {
        info.model.ordering = target.ordering;
        status = fd_setting_create(&info.model, config->target, &setting, err);
    }
    if (!status) status = fd_block_create(setting.model, SIMULATE_BLOCK, &block, err);
    if (!status)
        status = fd_stage_provenance(run, "simulate", NULL, no_parents, parents, sizeof parents, &config_text, &provenance, err);
    if (!status) status = fd_samples_create(out, run->force, setting.model, &provenance, &writer, err);
    if (!status)
        status = stretch(&ticker, &setting, seed, FD_STREAM_PRIOR, config->simulate.pairs, &block, writer, &info.tally, err);
    if (!status)
        status = stretch(&ticker, &setting, seed, FD_STREAM_SCAN, config->simulate.scan, &block, NULL, &info.tally, err);
    if (!status) {
        info.n_train = fd_training_rows(config, info.n);
        info.tally.seconds = fd_seconds() - start;
        snprintf(info.target, sizeof info.target, "%s", setting.target.name);
        snprintf(info.note, sizeof info.note, "%s", "independent draws from the prior");
        status = fd_samples_finish(writer, &info, err);
        writer = NULL;
    }
    if (!status)
        fd_say(run, "simulate: %llu pairs (%llu for training) and %llu scanned draws in %.1f s -> %s",
               (unsigned long long)info.n, (unsigned long long)info.n_train,
               (unsigned long long)config->simulate.scan, info.tally.seconds, out);
    fd_samples_abort(writer);
    fd_block_free(&block);
    fd_setting_free(&setting);
    free(config_text);
    return status;
}
