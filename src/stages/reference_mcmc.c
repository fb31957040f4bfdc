/* reference --method mcmc: exact draws by Markov chains (docs/referee.md), for any model and also for a Gaussian likelihood. Not
 * independent, so that it tells what they are worth: chains run on, every stride-th state kept and the stride doubled when there
 * are enough of them, until the stop rule is met and each row is worth three quarters of an independent one. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/file_safety.h"
#include "stages/mcmc.h"
#include "stages/resume.h"

enum { FIRST_STRIDE = 8, LEAST_DRAWS = 32, SPARE = 1, STEPS_AT_ONCE = 1024 };

typedef struct work {
    const fd_reference_spec *spec;
    uint64_t seed;
    fd_team *team;
    fd_setting setting;
    fd_region region;
    fd_mcmc *mcmc;
    size_t chains, draws;  /* draws kept of a chain */
    double *state, *trace; /* (chains, n_params), (draws, chains, n_params) */
    struct { /* what a checkpoint tells beside states and trace */
        double lengths[FD_MCMC_LENGTHS];
        fd_mcmc_counts counts;
        uint64_t filled; /* draws of the trace */
        uint32_t step, stride;
    } at;
    fd_resume resume;
    bool converged;
    fd_convergence verdict;
    fd_block block;
    bool *keep;
    fd_sample_info info;
} work;

static void release(work *w) {
    fd_mcmc_free(w->mcmc);
    fd_block_free(&w->block);
    fd_setting_free(&w->setting);
    free(w->state);
    free(w->trace);
    free(w->keep);
}

static fd_status prepare(const fd_run *run, work *w, fd_error *err) {
    fd_model_options options = run->config->model;
    if (w->spec->cuts != FD_CUTS_ALL)
        return fd_fail(err, FD_ERR_CONFIG, "reference.cuts: reference.method: mcmc takes all; use rejection");
    fd_status status = fd_target_load(run->config->target, &w->setting.target, err);
    if (status) return status;
    options.ordering = w->setting.target.ordering;
    status = fd_setting_create(&options, run->config->target, &w->setting, err);
    if (!status) status = fd_check_window(&w->setting, err);
    if (status) return status;
    const fd_model *model = w->setting.model;
    fd_mcmc_target target = fd_stage_target(&w->setting, w->spec->likelihood, &w->region);
    w->chains = (size_t)w->spec->chains;
    w->draws = (size_t)((w->spec->n + w->chains - 1) / w->chains) + SPARE;
    if (w->draws < LEAST_DRAWS) w->draws = LEAST_DRAWS;
    w->draws += w->draws % 2; /* halves of them are kept */
    w->state = malloc(w->chains * (size_t)model->n_params * sizeof *w->state);
    w->trace = malloc(w->draws * w->chains * (size_t)model->n_params * sizeof *w->trace);
    w->keep = malloc(w->draws * w->chains * sizeof *w->keep);
    if (!w->state || !w->trace || !w->keep) return fd_fail(err, FD_ERR_MEMORY, "out of memory");
    status = fd_block_create(model, w->draws * w->chains, &w->block, err);
    if (!status) status = fd_mcmc_create(&target, w->seed, &w->mcmc, err);
    if (!status) fd_mcmc_share(w->mcmc, w->team);
    return status;
}

/* Every row worth three quarters of an independent one, and what the stop rule wants. A stride twice as long costs as much again as
 * all before; one more doubling, to nine tenths, was not worth that. */
static bool good_enough(const work *w) {
    return w->verdict.failed == 0 && w->verdict.bulk_ess >= 0.75 * (double)w->spec->n;
}

enum { PIECES = 3 };

static void pieces(work *w, fd_piece out[PIECES]) {
    size_t row = w->chains * (size_t)w->setting.model->n_params;
    out[0] = (fd_piece){&w->at, sizeof w->at};
    out[1] = (fd_piece){w->state, row * sizeof *w->state};
    out[2] = (fd_piece){w->trace, w->draws * row * sizeof *w->trace};
}

static fd_status save(work *w, fd_error *err) {
    fd_piece all[PIECES];
    fd_mcmc_lengths(w->mcmc, w->at.lengths);
    pieces(w, all);
    return fd_resume_replace(&w->resume, PIECES, all, err);
}

static fd_status restore(work *w, bool *found, fd_error *err) {
    fd_piece all[PIECES];
    pieces(w, all);
    fd_status status = fd_resume_restore(&w->resume, PIECES, all, found, err);
    if (status || !*found) return status;
    uint64_t stride = w->at.stride, burn_in = (uint64_t)w->spec->burn_in;
    bool holds = w->at.filled <= w->draws && w->at.step == burn_in + w->at.filled * stride &&
                 (stride == FIRST_STRIDE || (stride > FIRST_STRIDE && w->draws * stride <= w->spec->steps));
    status = fd_resume_check(&w->resume, holds, err);
    if (!status) fd_mcmc_set_lengths(w->mcmc, w->at.lengths);
    return status;
}

/* What the ranks do together: begin, at the beginning or where the checkpoint ends (stride then says so), and `draws` draws. */
typedef struct job {
    uint64_t draws; /* 0: begin */
    uint32_t step, stride;
} job;

static fd_status start_chains(work *w, fd_error *err);

static fd_status do_job(work *w, const job *j, double *trace, fd_error *err) {
    if (j->draws)
        return fd_mcmc_run(w->mcmc, 0, w->chains, w->state, j->step, (uint32_t)j->draws * j->stride, j->stride, trace, &w->at.counts, err);
    if (!j->stride) return start_chains(w, err);
    fd_team_broadcast(w->team, w->state, w->chains * (size_t)w->setting.model->n_params * sizeof *w->state);
    fd_team_broadcast(w->team, w->at.lengths, sizeof w->at.lengths);
    fd_mcmc_set_lengths(w->mcmc, w->at.lengths);
    return FD_OK;
}

/* Rank 0's side of a job. */
static fd_status together(work *w, const job *j, double *trace, fd_error *err) {
    fd_status status = fd_team_lead(w->team, j, sizeof *j, err);
    return status ? status : do_job(w, j, trace, err);
}

static fd_status follow(work *w, fd_status status, fd_error *err) {
    job j;
    while (fd_team_follow(w->team, &status, &j, sizeof j, err)) status = do_job(w, &j, w->trace, err);
    return status;
}

/* Fills what is left of the trace. */
static fd_status fill(work *w, fd_ticker *ticker, fd_error *err) {
    size_t row = w->chains * (size_t)w->setting.model->n_params;
    fd_status status = FD_OK;
    while (!status && w->at.filled < w->draws) {
        char detail[64];
        size_t some = STEPS_AT_ONCE / w->at.stride + 1;
        if (some > w->draws - w->at.filled) some = w->draws - (size_t)w->at.filled;
        status = together(w, &(job){some, w->at.step, w->at.stride}, w->trace + w->at.filled * row, err);
        if (status) break; /* states half moved are not kept */
        w->at.step += (uint32_t)some * w->at.stride;
        w->at.filled += some;
        snprintf(detail, sizeof detail, "every %u. of %u steps", w->at.stride, w->at.step);
        status = fd_tick(ticker, w->at.step, (uint64_t)w->spec->burn_in + w->spec->steps, NULL, detail, err);
        if (status || fd_resume_due(&w->resume)) {
            fd_status saved = save(w, status ? NULL : err);
            if (!status) status = saved;
        }
    }
    return status;
}

/* Every second draw of the trace. */
static void thin(work *w) {
    size_t row = w->chains * (size_t)w->setting.model->n_params;
    for (size_t t = 0; t < w->draws / 2; t++)
        memmove(w->trace + t * row, w->trace + (2 * t + 1) * row, row * sizeof *w->trace);
    w->at.stride *= 2;
    w->at.filled = w->draws / 2;
}

static fd_status start_chains(work *w, fd_error *err) {
    fd_status status = fd_chain_starts(&w->setting, w->mcmc, w->spec->likelihood, w->seed, w->chains, w->state, err);
    status = fd_team_agree(w->team, status, err);
    if (!status) status = fd_mcmc_warm_up(w->mcmc, 0, w->chains, w->state, (uint32_t)w->spec->burn_in, err);
    w->at.step = (uint32_t)w->spec->burn_in;
    w->at.stride = FIRST_STRIDE;
    return status;
}

static fd_status run_chains(const fd_run *run, work *w, fd_error *err) {
    fd_ticker ticker = {.run = run, .stage = "reference"};
    bool found = false;
    fd_status status = restore(w, &found, err);
    if (!status) status = together(w, &(job){0, 0, found}, NULL, err);
    if (!status) status = fill(w, &ticker, err);
    while (!status) {
        status = fd_convergence_judge(w->setting.model, w->chains, w->draws, w->trace, &w->verdict, err);
        w->converged = w->verdict.failed == 0;
        if (status || good_enough(w)) break;
        if (w->at.step - (uint64_t)w->spec->burn_in + w->draws / 2 * 2 * w->at.stride > w->spec->steps) break;
        thin(w);
        status = fill(w, &ticker, err);
    }
    return status;
}

/* Rounded and judged, the last n rows of those still in the target: rounding to float32 carries one in a million over an edge. */
static fd_status write_rows(work *w, fd_sample_writer *writer, fd_error *err) {
    const fd_model *model = w->setting.model;
    size_t n = w->draws * w->chains, kept = 0;
    uint8_t needed = FD_IN_PRIOR;
    if (w->spec->likelihood == FD_LIKELIHOOD_WINDOW) needed |= FD_MASSES | FD_ANGLES | FD_LABELS;
    for (size_t i = 0; i < n * (size_t)model->n_params; i++) w->block.theta[i] = (float)w->trace[i];
    fd_judge_rows(&w->setting, n, w->block.theta, w->block.labels, w->block.chi2, w->block.flags);
    for (size_t i = n; i-- > 0;) {
        w->keep[i] = kept < w->spec->n && (w->block.flags[i] & needed) == needed;
        kept += w->keep[i];
        if (w->keep[i]) fd_tally_add(&w->info.tally, w->block.flags[i]);
    }
    fd_block_compact(model, &w->block, n, w->keep);
    w->info.n = kept;
    return fd_samples_append(writer, kept, w->block.theta, w->block.labels, w->block.five, w->block.flags, err);
}

static void describe(const fd_run *run, work *w) {
    const fd_convergence *v = &w->verdict;
    fd_sample_info *info = &w->info;
    info->model = w->setting.model->options;
    info->n_train = fd_training_rows(run->config, w->info.n);
    fd_tell_target(&w->setting.target, info);
    snprintf(info->note, sizeof info->note,
             "%sMarkov chains, %s: %zu chains, %d + %u steps, every %u. kept; acceptance %.2f; worst of all quantities: R-hat %.4f "
             "(%s), bulk ESS %.0f (%s), tail ESS %.0f (%s), of %zu draws",
             w->converged ? "" : "NOT CONVERGED. ",
             w->spec->likelihood == FD_LIKELIHOOD_WINDOW ? "the prior inside the 3 sigma windows of masses, angles and moduli"
                                                         : "the prior times exp(-chi2/2) of masses and angles",
             w->chains, w->spec->burn_in, w->at.step - (uint32_t)w->spec->burn_in, w->at.stride,
             (double)w->at.counts.accepted / (double)w->at.counts.moves, v->r_hat, v->r_hat_name, v->bulk_ess, v->bulk_name, v->tail_ess,
             v->tail_name, w->draws * w->chains);
}

/* What the user should know; the reason to fail under --strict. */
static fd_status tell(const fd_run *run, const work *w, const char *out, fd_error *err) {
    const fd_convergence *v = &w->verdict;
    fd_say(run, "reference: %" PRIu64 " draws of %zu chains in %.1f s, R-hat at most %.4f (%s), ESS at least %.0f in the bulk (%s), "
           "%.0f in the tails (%s) -> %s", w->info.n, w->chains, w->info.tally.seconds, v->r_hat, v->r_hat_name, v->bulk_ess,
           v->bulk_name, v->tail_ess, v->tail_name, out);
    if (w->converged) return FD_OK;
    if (run->strict)
        return fd_fail(err, FD_ERR_WANTING, "%s: not converged after %u steps: %d quantities with R-hat >= %g or ESS < %g (%s); "
                       "raise reference.steps", out, w->at.step, v->failed, FD_R_HAT, FD_LEAST_ESS, v->failing);
    fd_say(run, "reference: NOT CONVERGED after %u steps: %d quantities with R-hat >= %g or ESS < %g (%s); raise reference.steps",
           w->at.step, v->failed, FD_R_HAT, FD_LEAST_ESS, v->failing);
    return FD_OK;
}

fd_status fd_reference_by_mcmc(const fd_run *run, const char *out, fd_error *err) {
    const char *const no_parents[] = {NULL};
    work w = {.spec = &run->config->reference, .team = run->team, .seed = fd_derive_seed(run->config->seed, "mcmc")};
    fd_sample_writer *writer = NULL;
    fd_provenance provenance;
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
    if (!status)
        status = fd_resume_open(run, out, &provenance, run->config, FD_S_REFERENCE | FD_S_TARGET, &w.resume, err);
    if (!status) status = fd_samples_create(out, run->force, w.setting.model, &provenance, &writer, err);
    if (!status) status = run_chains(run, &w, err);
    if (!status) {
        snprintf(w.info.role, sizeof w.info.role, "reference");
        w.info.seed = run->config->seed;
        status = write_rows(&w, writer, err);
    }
    if (!status) {
        describe(run, &w);
        w.info.tally.seconds = fd_resume_seconds(&w.resume);
        status = fd_samples_finish(writer, &w.info, err);
        writer = NULL;
    }
    if (!status) status = tell(run, &w, out, err);
    fd_samples_abort(writer);
    free(config_text);
    release(&w);
    return fd_resume_close(&w.resume, status, err);
}
