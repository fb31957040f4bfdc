/* train: the pre-network on prior pairs, or (with a starting model) the tuned network on selected pairs. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/file_safety.h"
#include "stages/common.h"
#include "stages/train.h"

enum { LOG_POINTS = 200, VALIDATION_ROWS = 4096 };

typedef struct pairs {
    fd_sample_info info;
    fd_model *model;
    float *theta;   /* normalised (n, dim) */
    float *labels;  /* normalised (n, n_labels) */
} pairs;

static void pairs_free(pairs *p) {
    fd_model_free(p->model);
    free(p->theta);
    free(p->labels);
}

static fd_status read_pairs(const char *path, pairs *p, fd_error *err) {
    fd_sample_reader *reader = NULL;
    double *labels = NULL;
    fd_status status = fd_samples_open(path, &reader, &p->info, err);
    if (status) return status;
    size_t n = (size_t)p->info.n;
    status = fd_model_create(&p->info.model, &p->model, err);
    if (!status) status = fd_samples_check_model(reader, p->model, err);
    if (!status && p->info.n_train == 0)
        status = fd_fail(err, FD_ERR_EMPTY, "%s: no rows to train on", path);
    if (!status) {
        size_t n_labels = (size_t)p->model->n_labels;
        p->theta = malloc(n * (size_t)p->model->n_params * sizeof *p->theta);
        p->labels = malloc(n * n_labels * sizeof *p->labels);
        labels = malloc(n * n_labels * sizeof *labels);
        if (!p->theta || !p->labels || !labels)
            status = fd_fail(err, FD_ERR_MEMORY, "%s: out of memory for %zu pairs", path, n);
        else
            status = fd_samples_read(reader, 0, n, p->theta, labels, NULL, NULL, err);
        for (size_t i = 0; !status && i < n * n_labels; i++) {
            p->labels[i] = (float)labels[i];
            if (!isfinite(p->labels[i]))
                status = fd_fail(err, FD_ERR_VALUE, "%s: /samples/labels: row %zu is not finite; simulate it again",
                                 path, i / n_labels);
        }
    }
    free(labels);
    fd_samples_close(reader);
    return status;
}

/* Mean and standard deviation of each column over the first n rows; a constant column keeps scale 1. */
static void standardise(const float *x, size_t n, int columns, fd_scaler *scaler) {
    scaler->n = columns;
    for (int j = 0; j < columns; j++) {
        double mean = 0, square = 0;
        for (size_t i = 0; i < n; i++) mean += (double)x[i * (size_t)columns + (size_t)j];
        mean /= (double)n;
        for (size_t i = 0; i < n; i++) {
            double d = (double)x[i * (size_t)columns + (size_t)j] - mean;
            square += d * d;
        }
        double deviation = sqrt(square / (double)n);
        scaler->shift[j] = mean;
        scaler->scale[j] = deviation > 0 ? deviation : 1;
    }
}

static void identity(int columns, fd_scaler *scaler) {
    scaler->n = columns;
    for (int j = 0; j < columns; j++) scaler->shift[j] = 0, scaler->scale[j] = 1;
}

static void choose_scalers(const fd_config *config, const pairs *p, fd_model_file *file) {
    const fd_model *model = p->model;
    identity(model->n_params, &file->params);
    identity(model->n_labels, &file->labels);
    if (config->network.params == FD_SCALING_STANDARD)
        standardise(p->theta, (size_t)p->info.n_train, model->n_params, &file->params);
    if (config->network.params == FD_SCALING_BOX)
        for (int j = 0; j < model->n_params; j++) {
            file->params.shift[j] = 0.5 * (model->params[j].lo + model->params[j].hi);
            file->params.scale[j] = 0.5 * (model->params[j].hi - model->params[j].lo);
        }
    if (config->network.standard_labels)
        standardise(p->labels, (size_t)p->info.n_train, model->n_labels, &file->labels);
}

static void normalise(const fd_scaler *scaler, size_t n, float *x) {
    for (size_t i = 0; i < n; i++)
        for (int j = 0; j < scaler->n; j++) {
            float *v = &x[i * (size_t)scaler->n + (size_t)j];
            *v = (float)(((double)*v - scaler->shift[j]) / scaler->scale[j]);
        }
}

fd_network_spec fd_configured_network(const fd_config *config, const fd_model *model) {
    fd_network_spec spec = {.dim = model->n_params, .n_labels = model->n_labels, .n_hidden = config->network.n_hidden};
    memcpy(spec.widths, config->network.widths, sizeof spec.widths);
    memcpy(spec.activations, config->network.activations, sizeof spec.activations);
    return spec;
}

static fd_status fresh_network(const fd_config *config, const pairs *p, fd_model_file *file, fd_error *err) {
    fd_network_spec spec = fd_configured_network(config, p->model);
    fd_status status = fd_network_create(&spec, &file->network, err);
    if (status) return status;
    fd_network_initialise(file->network, fd_derive_seed(config->seed, "weights"));
    file->schedule = config->diffusion;
    file->model = p->info.model;
    choose_scalers(config, p, file);
    return FD_OK;
}

static fd_status same_model(const char *start, const char *data, const fd_model_options *a, const fd_model_options *b,
                            fd_error *err) {
    if (fd_same_model(a, b) && a->ordering == b->ordering) return FD_OK;
    return fd_fail(err, FD_ERR_MISMATCH,
                   "%s and %s: made with different models (ordering, scale window, phases, vev or Majorana masses); "
                   "select the pairs with this network", start, data);
}

static fd_status starting_network(const char *start, const char *data, const pairs *p, fd_model_file *file,
                                  fd_error *err) {
    fd_status status = fd_model_file_read(start, file, err);
    if (status) return status;
    if (file->informed)
        return fd_fail(err, FD_ERR_MISMATCH, "%s: a simulator-informed network, which selected points cannot tune; give one "
                       "of 'train'", start);
    if ((status = same_model(start, data, &file->model, &p->info.model, err))) return status;
    if (file->network->spec.dim != p->model->n_params || file->network->spec.n_labels != p->model->n_labels)
        return fd_fail(err, FD_ERR_MISMATCH, "%s: network of %d parameters, %s has %d", start, file->network->spec.dim,
                       data, p->model->n_params);
    if (file->use_ema && file->ema)
        memcpy(file->network->weights, file->ema, file->network->n_weights * sizeof(float));
    free(file->log);
    file->log = NULL;
    file->n_log = 0;
    return FD_OK;
}

/* Where the loop is: what a checkpoint holds beside the trainer's state and the log. */
typedef struct fit_place {
    int64_t update;      /* done */
    double sum, count;   /* of losses since the last row of the log */
    uint64_t n_log;
} fit_place;

typedef struct fit_work {
    fd_ticker *ticker;
    fd_resume *resume;
    fd_team *team;
    const fd_train_spec *spec;
    fd_trainer *trainer;
    fd_model_file *file;
    fit_place at;
    size_t log_rows; /* room */
    void *state;     /* the trainer's, for the checkpoint */
} fit_work;

/* What the ranks do together; rank 0 alone validates, logs, saves and stops. */
typedef enum fit_job { FIT_RESTORE, FIT_STEP, FIT_COLLECT } fit_job;

static fd_status do_job(fit_work *w, fit_job job, double *loss, fd_error *err) {
    if (job == FIT_STEP && loss) *loss = fd_trainer_step(w->trainer);
    if (job == FIT_COLLECT) fd_trainer_collect(w->trainer);
    if (job != FIT_RESTORE) return FD_OK;
    fd_team_broadcast(w->team, w->state, fd_trainer_state_bytes(w->trainer));
    return fd_trainer_restore(w->trainer, w->state, err);
}

static fd_status together(fit_work *w, fit_job job, double *loss, fd_error *err) {
    fd_status status = fd_team_lead(w->team, &job, sizeof job, err);
    return status ? status : do_job(w, job, loss, err);
}

static fd_status follow(fit_work *w, fd_status status, fd_error *err) {
    fit_job job;
    double loss;
    while (fd_team_follow(w->team, &status, &job, sizeof job, err)) status = do_job(w, job, &loss, err);
    return status;
}

enum { FIT_PIECES = 3 };

static void fit_pieces(fit_work *w, fd_piece pieces[FIT_PIECES]) {
    pieces[0] = (fd_piece){&w->at, sizeof w->at};
    pieces[1] = (fd_piece){w->file->log, w->log_rows * 4 * sizeof *w->file->log};
    pieces[2] = (fd_piece){w->state, fd_trainer_state_bytes(w->trainer)};
}

/* Updates a row of the log. */
static long log_every(const fd_train_spec *spec) { return (spec->updates + LOG_POINTS - 1) / LOG_POINTS; }

static uint64_t rows_logged(const fit_work *w) {
    long every = log_every(w->spec), done = (long)w->at.update;
    return (uint64_t)(done / every + (done == w->spec->updates && done % every != 0));
}

static fd_status save(fit_work *w, fd_error *err) {
    fd_piece pieces[FIT_PIECES];
    fd_status status = together(w, FIT_COLLECT, NULL, err);
    if (status) return status;
    fd_trainer_save(w->trainer, w->state);
    fit_pieces(w, pieces);
    return fd_resume_replace(w->resume, FIT_PIECES, pieces, err);
}

static fd_status restore(fit_work *w, fd_error *err) {
    fd_piece pieces[FIT_PIECES];
    bool found;
    fit_pieces(w, pieces);
    fd_status status = fd_resume_restore(w->resume, FIT_PIECES, pieces, &found, err);
    if (status || !found) return status;
    status = together(w, FIT_RESTORE, NULL, err);
    if (status) {
        fd_error_prefix(err, "%s", fd_checkpoint_name(w->resume->file));
        return status;
    }
    return fd_resume_check(w->resume, fd_trainer_updates_done(w->trainer) == w->at.update && w->at.n_log == rows_logged(w), err);
}

/* A row of the log, and the news. */
static void log_update(fit_work *w, char *detail, size_t size) {
    double *row = w->file->log + 4 * w->at.n_log++, beta1;
    row[0] = (double)w->at.update;
    fd_one_cycle(w->spec, (long)w->at.update - 1, &row[1], &beta1);
    row[2] = w->at.sum / w->at.count;
    row[3] = fd_trainer_validate(w->trainer, false, VALIDATION_ROWS);
    w->at.sum = w->at.count = 0;
    snprintf(detail, size, "loss %.4f, validation %.4f", row[2], row[3]);
}

/* The loop: update, log, stop when asked or when the loss is no number any more. */
static fd_status fit_loop(fit_work *w, fd_error *err) {
    const fd_train_spec *spec = w->spec;
    long every = log_every(spec);
    char detail[96] = "";
    fd_status status = FD_OK;
    while (!status && w->at.update < spec->updates) {
        double loss;
        if ((status = together(w, FIT_STEP, &loss, err))) break;
        if (!isfinite(loss))
            return fd_fail(err, FD_ERR_VALUE, "train: the loss is not finite at update %ld; lower train.max_rate", (long)w->at.update);
        w->at.update++;
        w->at.sum += loss, w->at.count += 1;
        if (w->at.update % every == 0 || w->at.update == spec->updates) log_update(w, detail, sizeof detail);
        status = fd_tick(w->ticker, (uint64_t)w->at.update, (uint64_t)spec->updates, NULL, detail, err);
        if (status || fd_resume_due(w->resume)) {
            fd_status saved = save(w, status ? NULL : err); /* asked to stop: that is told, and how long ago the last one was */
            if (!status) status = saved;
        }
    }
    return status;
}

static fd_status fit(fit_work *w, fd_error *err) {
    w->log_rows = LOG_POINTS + 1;
    free(w->file->log);
    w->file->log = calloc(w->log_rows * 4, sizeof *w->file->log);
    w->state = malloc(fd_trainer_state_bytes(w->trainer));
    fd_status status = w->file->log && w->state ? FD_OK : fd_fail(err, FD_ERR_MEMORY, "out of memory");
    if (!status) status = fd_trainer_share(w->trainer, w->team, err);
    if (fd_team_follows(w->team)) return follow(w, status, err);
    if (!status) status = restore(w, err);
    if (!status) status = fit_loop(w, err);
    if (!status) status = together(w, FIT_COLLECT, NULL, err);
    w->file->n_log = (size_t)w->at.n_log;
    return status;
}

fd_status fd_fit(fd_ticker *ticker, fd_resume *resume, const fd_train_spec *spec, fd_trainer *trainer, fd_model_file *file,
                 fd_error *err) {
    fit_work w = {.ticker = ticker, .resume = resume, .team = ticker->run->team, .spec = spec, .trainer = trainer, .file = file};
    fd_status status = fit(&w, err);
    free(w.state);
    if (!status && !file->ema && !(file->ema = malloc(file->network->n_weights * sizeof(float))))
        status = fd_fail(err, FD_ERR_MEMORY, "out of memory");
    if (status) return status;
    fd_trainer_weights(trainer, false, file->network->weights);
    fd_trainer_weights(trainer, true, file->ema);
    return FD_OK;
}

static fd_status run_trainer(const fd_run *run, fd_ticker *ticker, fd_resume *resume, const fd_train_spec *spec, const char *purpose,
                             const char *data, const pairs *p, fd_model_file *file, fd_error *err) {
    fd_schedule *schedule = NULL;
    fd_trainer *trainer = NULL;
    fd_status status = fd_schedule_create(&file->schedule, &schedule, err);
    if (!status)
        status = fd_trainer_create(
            file->network, schedule, spec,
            &(fd_train_data){.n = (size_t)p->info.n, .n_train = (size_t)p->info.n_train, .x = p->theta, .labels = p->labels},
            fd_derive_seed(run->config->seed, purpose), &trainer, err);
    if (status) fd_error_prefix(err, "%s", data);
    if (!status) status = fd_fit(ticker, resume, spec, trainer, file, err);
    fd_trainer_free(trainer);
    fd_schedule_free(schedule);
    return status;
}

fd_status fd_stage_train(const fd_run *run, const char *data, const char *start, const char *out, fd_error *err) {
    const fd_config *config = run->config;
    const fd_train_spec *spec = start ? &config->tune : &config->train;
    fd_ticker ticker = {.run = run, .stage = start ? "tune" : "train"};
    const char *const parent_paths[] = {data, start, NULL};
    char parents[FD_PARENTS_SIZE], *config_text = NULL;
    fd_provenance provenance;
    pairs p = {0};
    fd_model_file file = {0};
    fd_resume resume = {0};

    bool writes = !fd_team_follows(run->team);
    fd_status status = writes ? fd_part_allowed(out, run->force || run->resume, err) : FD_OK;
    if (!status) status = fd_check_not_input(out, parent_paths, err);
    if (!status) status = read_pairs(data, &p, err);
    if (!status) status = fd_check_configured_model(run, data, &p.info.model, err);
    if (!status)
        status = start ? starting_network(start, data, &p, &file, err) : fresh_network(config, &p, &file, err);
    /* The parents are named before the long work: what can fail should fail early. */
    if (!status)
        status = fd_stage_provenance(run, ticker.stage, &p.info.model, parent_paths, parents, sizeof parents,
                                     &config_text, &provenance, err);
    if (!status && writes)
        status = fd_resume_open(run, out, &provenance, config, start ? FD_S_TUNE : FD_S_NETWORK | FD_S_TRAIN, &resume, err);
    if (!status) {
        file.use_ema = config->train_use_ema;
        normalise(&file.params, (size_t)p.info.n, p.theta);
        normalise(&file.labels, (size_t)p.info.n, p.labels);
        /* The order of batches must differ from that of the pre-network, and from round to round. */
        char purpose[48];
        snprintf(purpose, sizeof purpose, "train after %ld", file.updates);
        status = run_trainer(run, &ticker, &resume, spec, purpose, data, &p, &file, err);
    }
    if (!status && writes) {
        file.updates += spec->updates;
        snprintf(file.trained_on, sizeof file.trained_on, "%s", p.info.role);
        status = fd_model_file_write(out, run->force, &file, &provenance, err);
    }
    if (!status && writes && file.n_log) {
        const double *last = file.log + 4 * (file.n_log - 1);
        double seconds = fd_resume_seconds(&resume);
        fd_say(run, "%s: %ld updates of %d in %.1f s (%.0f/s), loss %.4f, validation %.4f -> %s", ticker.stage,
               spec->updates, spec->batch, seconds, (double)spec->updates / seconds, last[2], last[3], out);
    }
    pairs_free(&p);
    fd_model_file_clear(&file);
    free(config_text);
    return fd_resume_close(&resume, status, err);
}
