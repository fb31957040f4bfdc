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
    if (!status) status = fd_model_create(&p->info.model, &p->model, err);
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

/* The loop: update, log, stop when asked or when the loss is no number any more. */
static fd_status fit_loop(fd_ticker *ticker, const fd_train_spec *spec, fd_trainer *trainer, fd_model_file *file,
                     fd_error *err) {
    long every = (spec->updates + LOG_POINTS - 1) / LOG_POINTS;
    double sum = 0, count = 0;
    char detail[96] = "";
    file->log = calloc((size_t)(spec->updates / every + 1) * 4, sizeof *file->log);
    if (!file->log) return fd_fail(err, FD_ERR_MEMORY, "out of memory");
    for (long u = 0; u < spec->updates; u++) {
        double loss = fd_trainer_step(trainer);
        sum += loss, count += 1;
        if (!isfinite(loss))
            return fd_fail(err, FD_ERR_VALUE, "train: the loss is not finite at update %ld; lower train.max_rate", u);
        if ((u + 1) % every == 0 || u + 1 == spec->updates) {
            double *row = file->log + 4 * file->n_log++;
            double beta1;
            row[0] = (double)(u + 1);
            fd_one_cycle(spec, u, &row[1], &beta1);
            row[2] = sum / count;
            row[3] = fd_trainer_validate(trainer, false, VALIDATION_ROWS);
            sum = count = 0;
            snprintf(detail, sizeof detail, "loss %.4f, validation %.4f", row[2], row[3]);
        }
        fd_status status = fd_tick(ticker, (uint64_t)(u + 1), (uint64_t)spec->updates, NULL, detail, err);
        if (status) return status;
    }
    return FD_OK;
}

fd_status fd_fit(fd_ticker *ticker, const fd_train_spec *spec, fd_trainer *trainer, fd_model_file *file, fd_error *err) {
    fd_status status = fit_loop(ticker, spec, trainer, file, err);
    if (!status && !file->ema && !(file->ema = malloc(file->network->n_weights * sizeof(float))))
        status = fd_fail(err, FD_ERR_MEMORY, "out of memory");
    if (status) return status;
    fd_trainer_weights(trainer, false, file->network->weights);
    fd_trainer_weights(trainer, true, file->ema);
    return FD_OK;
}

static fd_status run_trainer(const fd_run *run, fd_ticker *ticker, const fd_train_spec *spec, const char *purpose,
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
    if (!status) status = fd_fit(ticker, spec, trainer, file, err);
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
    double begin = fd_seconds();

    fd_status status = fd_part_allowed(out, run->force, err);
    if (!status) status = fd_check_not_input(out, parent_paths, err);
    if (!status) status = read_pairs(data, &p, err);
    if (!status) status = fd_check_configured_model(run, data, &p.info.model, err);
    if (!status)
        status = start ? starting_network(start, data, &p, &file, err) : fresh_network(config, &p, &file, err);
    /* The parents are named before the long work: what can fail should fail early. */
    if (!status)
        status = fd_stage_provenance(run, ticker.stage, &p.info.model, parent_paths, parents, sizeof parents,
                                     &config_text, &provenance, err);
    if (!status) {
        file.use_ema = config->train_use_ema;
        normalise(&file.params, (size_t)p.info.n, p.theta);
        normalise(&file.labels, (size_t)p.info.n, p.labels);
        /* The order of batches must differ from that of the pre-network, and from round to round. */
        char purpose[48];
        snprintf(purpose, sizeof purpose, "train after %ld", file.updates);
        status = run_trainer(run, &ticker, spec, purpose, data, &p, &file, err);
    }
    if (!status) {
        file.updates += spec->updates;
        snprintf(file.trained_on, sizeof file.trained_on, "%s", p.info.role);
        status = fd_model_file_write(out, run->force, &file, &provenance, err);
    }
    if (!status && file.n_log) {
        const double *last = file.log + 4 * (file.n_log - 1);
        double seconds = fd_seconds() - begin;
        fd_say(run, "%s: %ld updates of %d in %.1f s (%.0f/s), loss %.4f, validation %.4f -> %s", ticker.stage,
               spec->updates, spec->batch, seconds, (double)spec->updates / seconds, last[2], last[3], out);
    }
    pairs_free(&p);
    fd_model_file_clear(&file);
    free(config_text);
    return status;
}
