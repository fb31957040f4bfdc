/* project: projection without a network. Rows of any sample set are moved onto labels of the target set: what of a projected
 * sample is the network's work, and what the projection's. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/file_safety.h"
#include "stages/resume.h"

enum { PROJECT_BLOCK = 1 << 14 };

typedef struct work {
    const fd_generate_spec *spec;
    uint64_t seed;
    const char *path; /* of the rows */
    fd_sample_reader *reader;
    fd_sample_info read;
    fd_setting setting;
    fd_scaler box;
    fd_projector *projector;
    double shared[FD_MAX_LABELS]; /* the label, where all rows have the same */
    fd_block block;
    float *x, *before; /* (PROJECT_BLOCK, n_params), normalised */
    double *aims;      /* (PROJECT_BLOCK, n_labels) */
    uint8_t *converged, *marks; /* marks: FD_PROJECTED and FD_UNREACHED */
    fd_sample_writer *writer;
    fd_sample_info info;
    fd_resume resume;
    struct { /* what a checkpoint tells beside the rows */
        fd_tally tally, alone;
        double projecting; /* wall seconds so far */
    } at;
} work;

static void release(work *w) {
    fd_samples_abort(w->writer);
    fd_samples_close(w->reader);
    fd_projector_free(w->projector);
    fd_block_free(&w->block);
    fd_setting_free(&w->setting);
    free(w->x);
    free(w->before);
    free(w->aims);
    free(w->converged);
    free(w->marks);
}

static fd_status allocate(work *w, fd_error *err) {
    const fd_model *model = w->setting.model;
    size_t rows = PROJECT_BLOCK, dim = (size_t)model->n_params, n_labels = (size_t)model->n_labels;
    w->x = malloc(rows * dim * sizeof *w->x);
    w->before = malloc(rows * dim * sizeof *w->before);
    w->aims = malloc(rows * n_labels * sizeof *w->aims);
    w->converged = malloc(rows);
    w->marks = malloc(rows);
    if (!w->x || !w->before || !w->aims || !w->converged || !w->marks) return fd_fail(err, FD_ERR_MEMORY, "out of memory");
    return fd_block_create(model, rows, &w->block, err);
}

/* The rows, and model and target they are judged by. */
static fd_status open_rows(const fd_run *run, work *w, fd_error *err) {
    fd_status status = fd_samples_open(w->path, &w->reader, &w->read, err);
    if (!status) status = fd_check_configured_model(run, w->path, &w->read.model, err);
    if (!status && w->read.n == 0)
        status = fd_fail(err, FD_ERR_EMPTY, "%s: a sample set without rows; nothing to project", w->path);
    if (status) return status;
    status = fd_setting_create(&w->read.model, run->config->target, &w->setting, err);
    if (status) fd_error_prefix(err, "%s", w->path);
    return status ? status : fd_samples_check_model(w->reader, w->setting.model, err);
}

static fd_status prepare(const fd_run *run, work *w, fd_error *err) {
    if (w->spec->project.steps < 1)
        return fd_fail(err, FD_ERR_CONFIG, "informed.sample.project.steps: %d; project needs at least 1",
                       w->spec->project.steps);
    fd_status status = open_rows(run, w, err);
    if (!status) status = fd_check_label_choice(&w->setting, w->spec, err);
    if (status) return status;
    w->box = fd_prior_box(w->setting.model);
    status = fd_projector_create(w->setting.model, &w->box, &w->spec->project, &w->projector, err);
    if (!status && !fd_own_labels(w->spec)) { /* midpoints of windows may contradict each other */
        fd_shared_label(&w->setting, w->spec, w->shared);
        status = fd_projector_nearest_label(w->projector, w->shared, err);
    }
    return status ? status : allocate(w, err);
}

/* What rows first .. first + n - 1 are moved onto. */
static void draw_labels(work *w, uint64_t first, size_t n) {
    size_t n_labels = (size_t)w->setting.model->n_labels;
#pragma omp parallel for schedule(static)
    for (long i = 0; i < (long)n; i++) {
        double *label = w->aims + (size_t)i * n_labels;
        if (fd_own_labels(w->spec)) fd_own_label(&w->setting, w->spec, NULL, w->seed, first + (uint64_t)i, label);
        else memcpy(label, w->shared, n_labels * sizeof *label);
    }
}

/* Row i in physical units again, and the flags of its making. One that did not move stays as it was read, to the last bit. */
static uint8_t take_back(work *w, size_t i) {
    size_t dim = (size_t)w->box.n;
    const float *x = w->x + i * dim;
    bool moved = memcmp(w->before + i * dim, x, dim * sizeof *x) != 0;
    for (size_t j = 0; moved && j < dim; j++)
        w->block.theta[i * dim + j] = (float)(w->box.shift[j] + w->box.scale[j] * (double)x[j]);
    return (uint8_t)((moved || w->converged[i] ? FD_PROJECTED : 0) | (w->converged[i] ? 0 : FD_UNREACHED));
}

/* The block's n rows: a verdict as they are, moved onto their labels, a verdict again. */
static fd_status project_rows(work *w, uint64_t first, size_t n, fd_error *err) {
    fd_block *b = &w->block;
    size_t dim = (size_t)w->box.n;
    double start = fd_seconds();
    fd_judge_rows(&w->setting, n, b->theta, b->labels, b->chi2, b->alone);
    draw_labels(w, first, n);
    for (size_t i = 0; i < n * dim; i++)
        w->x[i] = (float)((b->theta[i] - w->box.shift[i % dim]) / w->box.scale[i % dim]);
    memcpy(w->before, w->x, n * dim * sizeof *w->x);
    fd_status status = fd_project(w->projector, n, w->x, w->aims, w->converged, err);
    if (status) return status;
    for (size_t i = 0; i < n; i++) w->marks[i] = take_back(w, i);
    fd_judge_rows(&w->setting, n, b->theta, b->labels, b->chi2, b->flags);
    for (size_t i = 0; i < n; i++) {
        b->flags[i] |= w->marks[i];
        b->five[i] = b->chi2[i].five;
        fd_tally_add(&w->at.alone, b->alone[i]);
        fd_tally_add(&w->at.tally, b->flags[i]);
    }
    w->at.projecting += fd_seconds() - start;
    return FD_OK;
}

static fd_status project_all(const fd_run *run, work *w, fd_error *err) {
    fd_ticker ticker = {.run = run, .stage = "project"};
    fd_piece counters = {&w->at, sizeof w->at};
    fd_status status = fd_resume_rows(&w->resume, w->writer, w->setting.model, counters, err);
    if (!status)
        status = fd_resume_check(&w->resume, w->at.tally.n == w->resume.rows && w->resume.rows <= w->read.n, err);
    for (uint64_t done = w->resume.rows; !status && done < w->read.n;) {
        size_t n = w->read.n - done < PROJECT_BLOCK ? (size_t)(w->read.n - done) : PROJECT_BLOCK;
        fd_block *b = &w->block;
        status = fd_samples_read(w->reader, done, n, b->theta, NULL, NULL, NULL, err);
        if (!status) status = project_rows(w, done, n, err);
        if (!status) status = fd_resume_append(&w->resume, w->writer, w->setting.model, n, b, counters, err);
        done += n;
        if (!status) status = fd_tick(&ticker, done, w->read.n, &w->at.tally, w->info.note, err);
    }
    return status;
}

static void describe(const fd_run *run, work *w) {
    const fd_project_spec *p = &w->spec->project;
    fd_sample_info *info = &w->info;
    info->model = w->read.model;
    info->seed = run->config->seed;
    info->n = info->n_train = w->read.n;
    snprintf(info->role, sizeof info->role, "%s", "generated");
    fd_tell_target(&w->setting.target, info);
    snprintf(info->note, sizeof info->note,
             "projection alone, no network: rows of a set of role %s; label %s; projected onto it (at most %d steps, trust %g)",
             w->read.role, fd_label_word(w->spec), p->steps, p->trust);
}

fd_status fd_stage_project(const fd_run *run, const char *samples, const char *out, fd_error *err) {
    const char *const parent_paths[] = {samples, NULL};
    work w = {.spec = &run->config->informed.sample.generate, .seed = fd_derive_seed(run->config->seed, "project"),
              .path = samples};
    fd_provenance provenance;
    char *config_text = NULL, parents[FD_PARENTS_SIZE];

    fd_status status = fd_part_allowed(out, run->force || run->resume, err);
    if (!status) status = fd_check_not_input(out, parent_paths, err);
    if (!status) status = prepare(run, &w, err);
    if (!status)
        status = fd_stage_provenance(run, "project", &w.read.model, parent_paths, parents, sizeof parents, &config_text,
                                     &provenance, err);
    if (!status)
        status = fd_resume_open(run, out, &provenance, run->config, FD_S_INFORMED_SAMPLE | FD_S_TARGET, &w.resume, err);
    if (!status) status = fd_samples_create(out, run->force, w.setting.model, &provenance, &w.writer, err);
    if (!status) describe(run, &w);
    if (!status) status = project_all(run, &w, err);
    if (!status) {
        w.info.tally = w.at.tally, w.info.alone = w.at.alone;
        w.info.tally.seconds = fd_resume_seconds(&w.resume);
        w.info.alone.seconds = fmax(0, w.info.tally.seconds - w.at.projecting);
        status = fd_samples_finish(w.writer, &w.info, err);
        w.writer = NULL;
    }
    if (!status)
        fd_say(run, "project: %" PRIu64 " rows in %.1f s, %" PRIu64 " solutions inside the prior -> %s", w.info.tally.n,
               w.info.tally.seconds, w.info.tally.labels_in_prior, out);
    free(config_text);
    release(&w);
    return fd_resume_close(&w.resume, status, err);
}
