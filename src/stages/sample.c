/* sample: generated points and their yield. select: generate until enough points pass the selection of
 * section 2.2.3, the training pairs of the tuned network. Both walk the same stream of generated points. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inference/stopping.h"
#include "io/file_safety.h"
#include "stages/resume.h"
#include "stages/text.h"

typedef struct walk {
    fd_generator *generator;
    fd_block block;
    bool *keep;
    fd_sample_writer *writer;
    char *config_text;
    char parents[FD_PARENTS_SIZE];
    fd_sample_info info;
    fd_resume resume;
    double projecting; /* seconds, of runs before this one */
} walk;

/* What a checkpoint tells beside the rows. */
typedef struct counters {
    fd_tally tally, alone;
    uint64_t groups[3];
    double projecting;
} counters;

static void walk_close(walk *w) {
    fd_samples_abort(w->writer);
    fd_block_free(&w->block);
    fd_generator_free(w->generator);
    free(w->keep);
    free(w->config_text);
}

/* config, sections: what the samples depend on. */
static fd_status walk_open(const fd_run *run, const char *verb, const char *model, const fd_generate_spec *spec,
                           const fd_config *config, unsigned sections, const char *out, walk *w, fd_error *err) {
    const char *const parent_paths[] = {model, NULL};
    fd_provenance provenance;
    *w = (walk){0};
    fd_status status = fd_part_allowed(out, run->force || run->resume, err);
    if (!status) status = fd_check_not_input(out, parent_paths, err);
    if (!status) status = fd_generator_create(run, model, spec, fd_derive_seed(config->seed, verb), &w->generator, err);
    if (status) return status;
    fd_generator_share(w->generator, run->team);
    const fd_setting *setting = fd_generator_setting(w->generator);
    size_t capacity = fd_generator_block(w->generator);
    status = fd_block_create(setting->model, capacity, &w->block, err);
    if (!status && !(w->keep = malloc(capacity * sizeof *w->keep)))
        status = fd_fail(err, FD_ERR_MEMORY, "out of memory");
    if (!status)
        status = fd_stage_provenance(run, verb, &fd_generator_model_file(w->generator)->model, parent_paths, w->parents, sizeof w->parents, &w->config_text,
                                     &provenance, err);
    if (!status)
        status = fd_resume_open(run, out, &provenance, config, sections | FD_S_NETWORK | FD_S_TARGET, &w->resume, err);
    if (!status) status = fd_samples_create(out, run->force, setting->model, &provenance, &w->writer, err);
    w->info.model = fd_generator_model_file(w->generator)->model;
    w->info.seed = run->config->seed;
    fd_tell_target(&setting->target, &w->info);
    fd_generate_note(fd_generator_spec(w->generator), w->info.note, sizeof w->info.note);
    size_t used = strlen(w->info.note);
    snprintf(w->info.note + used, sizeof w->info.note - used, "; %ld evaluations of the network a sample",
             fd_generator_evaluations(w->generator));
    return status;
}

/* What ranks other than 0 do of either verb: rank 0 counts, decides and writes. */
static fd_status follow(const fd_run *run, const char *verb, const char *model, const fd_generate_spec *spec, fd_error *err) {
    fd_generator *generator;
    fd_status status = fd_generator_create(run, model, spec, fd_derive_seed(run->config->seed, verb), &generator, err);
    if (!status) fd_generator_share(generator, run->team);
    status = fd_generator_follow(generator, run->team, status, err);
    fd_generator_free(generator);
    return status;
}

static double projecting(const walk *w) { return w->projecting + fd_generator_projecting(w->generator); }

static fd_status walk_append(walk *w, size_t n, fd_error *err) {
    const fd_model *model = fd_generator_setting(w->generator)->model;
    size_t kept = fd_block_compact(model, &w->block, n, w->keep);
    counters at = {.tally = w->info.tally, .alone = w->info.alone, .projecting = projecting(w)};
    memcpy(at.groups, w->info.groups, sizeof at.groups);
    w->info.n += kept;
    return fd_resume_append(&w->resume, w->writer, model, kept, &w->block, (fd_piece){&at, sizeof at}, err);
}

/* The next rows of the checkpoint, and the counters as they were then. */
static fd_status walk_next(walk *w, fd_block *rows, bool *more, fd_error *err) {
    counters at;
    fd_status status = fd_resume_next(&w->resume, w->writer, fd_generator_setting(w->generator)->model, rows,
                                      (fd_piece){&at, sizeof at}, more, err);
    if (status || !*more) return status;
    w->info.n += rows->capacity;
    w->info.tally = at.tally;
    w->info.alone = at.alone;
    memcpy(w->info.groups, at.groups, sizeof at.groups);
    w->projecting = at.projecting;
    return FD_OK;
}

/* Enters point i of the block into the tallies. */
static void walk_count(walk *w, size_t i) {
    fd_tally_add(&w->info.tally, w->block.flags[i]);
    if (fd_generator_spec(w->generator)->project.steps) fd_tally_add(&w->info.alone, w->block.alone[i]);
}

static fd_status walk_finish(walk *w, fd_error *err) {
    w->info.tally.seconds = fd_resume_seconds(&w->resume);
    if (w->info.alone.n)
        w->info.alone.seconds = fmax(0, w->info.tally.seconds - projecting(w));
    fd_status status = fd_samples_finish(w->writer, &w->info, err);
    w->writer = NULL;
    return status;
}

static fd_status walk_generate(walk *w, uint64_t first, size_t n, fd_error *err) {
    return fd_generator_run(w->generator, first, n, w->block.theta, w->block.labels, w->block.chi2, w->block.flags,
                            w->block.alone, err);
}

/* A stop rule at work. */
typedef struct stop {
    const fd_sample_spec *spec;
    uint64_t solutions;
    fd_effective effective;
} stop;

static bool by_rule(const fd_sample_spec *spec) { return spec->until > 0 || spec->until_ess > 0; }

static bool complete(const stop *s) {
    return by_rule(s->spec) && s->solutions >= s->spec->until &&
           (!(s->spec->until_ess > 0) || fd_effective_size(&s->effective) >= s->spec->until_ess);
}

/* Row i of the block as the rule counts it. Samples weigh the same: they are independent draws. */
static fd_status stop_count(stop *s, const walk *w, const fd_block *block, size_t i, fd_error *err) {
    const uint8_t solution = FD_IN_PRIOR | FD_LABELS;
    size_t n_params = (size_t)fd_generator_setting(w->generator)->model->n_params;
    if ((block->flags[i] & solution) != solution) return FD_OK;
    s->solutions++;
    if (!(s->spec->until_ess > 0)) return FD_OK;
    return fd_effective_add(&s->effective, block->theta + i * n_params, n_params * sizeof *block->theta, 1, err);
}

/* What the checkpoint has; solutions are always kept, so that the rule counts them again. */
static fd_status stop_resume(stop *s, walk *w, fd_error *err) {
    bool more = true;
    fd_block rows;
    fd_status status = FD_OK;
    while (!status && more) {
        status = walk_next(w, &rows, &more, err);
        for (size_t i = 0; !status && more && i < rows.capacity; i++) status = stop_count(s, w, &rows, i, err);
    }
    return status;
}

/* What the rule says in the end: the efficiency, or that there are too few. */
static fd_status stop_tell(const fd_run *run, const stop *s, uint64_t samples, const char *out, fd_error *err) {
    char k[32], n[32], worth[64] = "";
    if (!by_rule(s->spec)) return FD_OK;
    fd_text_count(s->solutions, k);
    fd_text_count(samples, n);
    if (s->spec->until_ess > 0) snprintf(worth, sizeof worth, ", worth %.1f", fd_effective_size(&s->effective));
    if (!complete(s))
        return fd_fail(err, FD_ERR_WANTING,
                       "sample: %s solutions%s after max_generated = %s samples, fewer than asked for (until %llu, until_ess "
                       "%g); they are in %s; raise --max, or ask for fewer", k, worth, n,
                       (unsigned long long)s->spec->until, s->spec->until_ess, out);
    fd_efficiency e = fd_inverse_sampling(s->solutions, samples, 0.05);
    fd_say(run, "sample: %s solutions%s, complete with sample %s: efficiency %.6g (95 %%: %.6g ... %.6g; unbiased: (k - 1)/(n - 1)"
                ", plain: k/n = %.6g)", k, worth, n, e.unbiased, e.lo, e.hi, e.plain);
    return FD_OK;
}

/* Samples worth generating at once: a rule needs at least as many as solutions are lacking. */
static size_t next_block(const walk *w, const stop *s, uint64_t most) {
    uint64_t n = most - w->info.tally.n, lacking = 2048;
    if (s->spec->until > s->solutions + lacking) lacking = s->spec->until - s->solutions;
    if (by_rule(s->spec) && n > lacking) n = lacking;
    return n < w->block.capacity ? (size_t)n : w->block.capacity;
}

static fd_status sample_block(walk *w, stop *s, uint64_t most, fd_error *err) {
    const fd_sample_spec *spec = s->spec;
    uint64_t done = w->info.tally.n;
    size_t n = next_block(w, s, most), used = 0;
    fd_status status = walk_generate(w, done, n, err);
    for (; !status && used < n && !complete(s); used++) { /* stops at a sample, whatever the size of the block */
        walk_count(w, used);
        status = stop_count(s, w, &w->block, used, err);
        w->keep[used] = isinf(spec->keep_chi2_below) || (w->block.flags[used] & FD_LABELS) ||
                        w->block.chi2[used].five < spec->keep_chi2_below;
    }
    return status ? status : walk_append(w, used, err);
}

fd_status fd_stage_sample(const fd_run *run, const fd_sample_spec *spec, const char *model, const char *out,
                          fd_error *err) {
    if (fd_team_follows(run->team)) return follow(run, "sample", model, &spec->generate, err);
    fd_ticker ticker = {.run = run, .stage = "sample"};
    stop s = {.spec = spec};
    uint64_t most = by_rule(spec) ? spec->max_generated : spec->n;
    uint64_t total = !by_rule(spec) ? spec->n : spec->until ? spec->until : (uint64_t)ceil(spec->until_ess);
    walk w;
    fd_config config = *run->config; /* which of its sample blocks this is does not matter */
    config.sample = *spec;
    /* Before and after tuning see the same latents, so that their ledgers differ by the network alone. */
    fd_status status = walk_open(run, "sample", model, &spec->generate, &config, FD_S_SAMPLE, out, &w, err);
    snprintf(w.info.role, sizeof w.info.role, "%s", "generated");
    if (!status) status = stop_resume(&s, &w, err);
    if (!status) status = fd_resume_check(&w.resume, w.info.n <= w.info.tally.n && w.info.tally.n <= most, err);
    while (!status && w.info.tally.n < most && !complete(&s)) {
        status = sample_block(&w, &s, most, err);
        uint64_t done = by_rule(spec) ? s.solutions : w.info.tally.n;
        if (!status) status = fd_tick(&ticker, done < total ? done : total, total, &w.info.tally, w.info.note, err);
    }
    w.info.n_train = w.info.n;
    if (!status) status = walk_finish(&w, err);
    if (!status)
        fd_say(run, "sample: %llu samples in %.1f s, %llu with all labels inside 3 sigma -> %s",
               (unsigned long long)w.info.tally.n, w.info.tally.seconds, (unsigned long long)w.info.tally.labels, out);
    if (!status) status = stop_tell(run, &s, w.info.tally.n, out, err);
    fd_effective_free(&s.effective);
    walk_close(&w);
    return fd_resume_close(&w.resume, status, err);
}

/* Group of section 2.2.3 a point is selected into: 0 mass only, 1 mixing only, 2 both, -1 none. */
static int group(const fd_select_spec *spec, const fd_chi2 *chi2) {
    bool mass = chi2->mass < spec->chi2_mass, mixing = chi2->mixing < spec->chi2_mixing;
    if (!(chi2->all < spec->chi2_all) || !(mass || mixing)) return -1;
    return mass && mixing ? 2 : mixing ? 1 : 0;
}

fd_status fd_stage_select(const fd_run *run, const char *model, const char *out, fd_error *err) {
    const fd_select_spec *spec = &run->config->select;
    if (fd_team_follows(run->team)) return follow(run, "select", model, &spec->generate, err);
    fd_ticker ticker = {.run = run, .stage = "select"};
    walk w;
    bool more = true;
    fd_block rows;
    fd_status status =
        walk_open(run, "select", model, &spec->generate, run->config, FD_S_SELECT, out, &w, err);
    snprintf(w.info.role, sizeof w.info.role, "%s", "selected");
    while (!status && more) status = walk_next(&w, &rows, &more, err);
    if (!status) status = fd_resume_check(&w.resume, w.info.n <= w.info.tally.n && w.info.tally.n <= spec->max_generated, err);
    uint64_t selected = w.info.n;
    while (!status && selected < spec->wanted && w.info.tally.n < spec->max_generated) {
        uint64_t done = w.info.tally.n;
        size_t n = spec->max_generated - done < w.block.capacity ? (size_t)(spec->max_generated - done) : w.block.capacity;
        status = walk_generate(&w, done, n, err);
        if (status) break;
        size_t used = 0; /* stops at the very sample that completes the set, whatever the block size */
        for (; used < n && selected < spec->wanted; used++) {
            walk_count(&w, used);
            int which = group(spec, &w.block.chi2[used]);
            w.keep[used] = which >= 0;
            if (which >= 0) w.info.groups[which]++, selected++;
        }
        status = walk_append(&w, used, err);
        if (!status) status = fd_tick(&ticker, selected, spec->wanted, &w.info.tally, w.info.note, err);
    }
    if (!status && selected == 0)
        status = fd_fail(err, FD_ERR_EMPTY,
                         "select: none of %llu generated samples passes chi2(all) < %g with chi2(mass) < %g or "
                         "chi2(mixing) < %g; train longer, or raise select.max_generated or the thresholds",
                         (unsigned long long)w.info.tally.n, spec->chi2_all, spec->chi2_mass, spec->chi2_mixing);
    w.info.n_train = fd_training_rows(run->config, w.info.n);
    if (!status) status = walk_finish(&w, err);
    if (!status && selected < spec->wanted)
        fd_say(run, "select: stopped at select.max_generated = %llu with %llu of %llu wanted",
               (unsigned long long)spec->max_generated, (unsigned long long)selected, (unsigned long long)spec->wanted);
    if (!status)
        fd_say(run, "select: %llu of %llu samples (mass only %llu, mixing only %llu, both %llu) in %.1f s -> %s",
               (unsigned long long)selected, (unsigned long long)w.info.tally.n, (unsigned long long)w.info.groups[0],
               (unsigned long long)w.info.groups[1], (unsigned long long)w.info.groups[2], w.info.tally.seconds, out);
    walk_close(&w);
    return fd_resume_close(&w.resume, status, err);
}
