/* Model files: a trained network with everything that is needed to sample from it or to train it on. docs/formats.md. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "flavordiff/files.h"
#include "io/file_safety.h"
#include "io/h5.h"
#include "io/provenance.h"

enum { LOG_COLUMNS = 4, MAX_LOG = 1 << 24, MAX_ACTIVATIONS_TEXT = 16 * FD_MAX_HIDDEN };

/* ---- writing ---------------------------------------------------------------------------------------------------- */

static void write_layers(fd_h5 *h, const fd_network_spec *spec, const float *weights, const float *ema) {
    for (int layer = 0; layer <= spec->n_hidden; layer++) {
        int n_in, n_out;
        size_t weight, bias;
        char name[32];
        fd_network_layer(spec, layer, &n_in, &n_out, &weight, &bias);
        fd_h5_shape matrix = {2, {(hsize_t)n_out, (hsize_t)n_in}}, column = {1, {(hsize_t)n_out}};
        snprintf(name, sizeof name, "network/layer_%d", layer);
        hid_t group = fd_h5_new_group(h, name);
        fd_h5_put_array(h, group, "weight", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, &matrix, weights + weight, "1",
                        "W (out, in), columns [previous layer, label, time]");
        fd_h5_put_array(h, group, "bias", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, &column, weights + bias, "1", "b (out)");
        if (ema) {
            fd_h5_put_array(h, group, "ema_weight", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, &matrix, ema + weight, "1",
                            "Exponential moving average of W");
            fd_h5_put_array(h, group, "ema_bias", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, &column, ema + bias, "1",
                            "Exponential moving average of b");
        }
        fd_h5_drop(h, group);
    }
}

static void write_network(fd_h5 *h, const fd_model_file *file) {
    const fd_network_spec *spec = &file->network->spec;
    char activations[MAX_ACTIVATIONS_TEXT] = "";
    for (int i = 0; i < spec->n_hidden; i++) {
        if (i) strcat(activations, ",");
        strncat(activations, fd_activation_name(spec->activations[i]), 12);
    }
    hid_t group = fd_h5_new_group(h, "network");
    fd_h5_put_u64(h, group, "dim", (uint64_t)spec->dim);
    fd_h5_put_u64(h, group, "n_labels", (uint64_t)spec->n_labels);
    if (spec->n_features) fd_h5_put_u64(h, group, "n_features", (uint64_t)spec->n_features);
    fd_h5_put_ints(h, group, "widths", spec->n_hidden, spec->widths);
    fd_h5_put_text(h, group, "activations", activations);
    fd_h5_put_u64(h, group, "has_ema", file->ema != NULL);
    fd_h5_put_u64(h, group, "use_ema", file->use_ema);
    fd_h5_drop(h, group);
    write_layers(h, spec, file->network->weights, file->ema);
}

static void write_scaler(fd_h5 *h, const char *name, const fd_scaler *scaler, const char *unit) {
    fd_h5_shape column = {1, {(hsize_t)scaler->n}};
    hid_t group = fd_h5_new_group(h, name);
    fd_h5_put_array(h, group, "shift", H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, &column, scaler->shift, unit,
                    "normalised = (x - shift) / scale");
    fd_h5_put_array(h, group, "scale", H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, &column, scaler->scale, unit,
                    "normalised = (x - shift) / scale");
    fd_h5_drop(h, group);
}

static void write_schedule(fd_h5 *h, const fd_schedule_spec *spec) {
    hid_t group = fd_h5_new_group(h, "schedule");
    fd_h5_put_text(h, group, "kind", fd_schedule_name(spec->kind));
    fd_h5_put_u64(h, group, "steps", (uint64_t)spec->steps);
    fd_h5_put_real(h, group, "beta_min", spec->beta_min);
    fd_h5_put_real(h, group, "beta_max", spec->beta_max);
    if (spec->kind == FD_SCHEDULE_LOG_SNR) {
        fd_h5_put_real(h, group, "s_min", spec->s_min);
        fd_h5_put_real(h, group, "s_max", spec->s_max);
    }
    fd_h5_drop(h, group);
}

static const char *const predictions[] = {"noise", "x0", "v"};

static void write_informant(fd_h5 *h, const fd_informant_spec *spec) {
    hid_t group = fd_h5_new_group(h, "informant");
    fd_h5_put_text(h, group, "prediction", predictions[spec->prediction]);
    fd_h5_put_u64(h, group, "oriented", spec->oriented);
    fd_h5_put_u64(h, group, "guess", spec->guess);
    fd_h5_put_u64(h, group, "label_steps", (uint64_t)spec->label_steps);
    fd_h5_put_u64(h, group, "smooth", spec->smooth);
    fd_h5_put_u64(h, group, "waves", (uint64_t)spec->waves);
    fd_h5_put_real(h, group, "regularisation", spec->regularisation);
    fd_h5_put_real(h, group, "clip", spec->clip);
    fd_h5_put_real(h, group, "margin", spec->margin);
    fd_h5_put_real(h, group, "fade", spec->fade);
    fd_h5_put_real(h, group, "trust", spec->trust);
    fd_h5_put_real(h, group, "trust_floor", spec->trust_floor);
    fd_h5_drop(h, group);
}

static void write_training(fd_h5 *h, const fd_model_file *file) {
    hid_t group = fd_h5_new_group(h, "training");
    fd_h5_put_text(h, group, "trained_on", file->trained_on);
    fd_h5_put_u64(h, group, "updates", (uint64_t)file->updates);
    fd_h5_put_array(h, group, "log", H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE,
                    &(fd_h5_shape){2, {file->n_log, LOG_COLUMNS}}, file->log, "1",
                    "Columns: update, learning rate, training loss (mean since the last row), validation loss");
    fd_h5_put_array(h, group, "label_slopes", H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE,
                    &(fd_h5_shape){1, {(hsize_t)file->network->spec.n_labels}}, file->label_slopes, "1 / label",
                    "d ln density / d label of the prior about the windows trained on");
    fd_h5_drop(h, group);
}

static bool all_finite(const float *values, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (!isfinite(values[i])) return false;
    return true;
}

/* A file that could not be read back is not written. */
static fd_status check_file(const char *path, const fd_model_file *file, fd_error *err) {
    const fd_network *net = file->network;
    if (file->params.n != net->spec.dim || file->labels.n != net->spec.n_labels)
        return fd_fail(err, FD_ERR_MISMATCH, "%s: scalers of %d parameters and %d labels for a network of %d and %d", path,
                       file->params.n, file->labels.n, net->spec.dim, net->spec.n_labels);
    if (!all_finite(net->weights, net->n_weights) || (file->ema && !all_finite(file->ema, net->n_weights)))
        return fd_fail(err, FD_ERR_VALUE, "%s: not written: the network has weights that are not finite; the training "
                       "diverged, lower train.max_rate", path);
    return FD_OK;
}

fd_status fd_model_file_write(const char *path, bool force, const fd_model_file *file, const fd_provenance *provenance,
                              fd_error *err) {
    fd_h5 h = {.file = H5I_INVALID_HID};
    fd_part part = {.lock = -1};
    fd_model *model = NULL;
    fd_status status = check_file(path, file, err);
    if (!status) status = fd_model_create(&file->model, &model, err);
    if (!status) status = fd_part_begin(path, force, &part, err);
    if (status) goto cleanup;
    fd_h5_create(&h, part.name, path, err);
    fd_provenance_write(&h, FD_FORMAT_NETWORK, provenance);
    fd_model_group_write(&h, model, &file->model);
    write_network(&h, file);
    fd_h5_drop(&h, fd_h5_new_group(&h, "scalers"));
    write_scaler(&h, "scalers/parameters", &file->params, "see /model/parameters/unit");
    write_scaler(&h, "scalers/labels", &file->labels, "see /model/labels/unit");
    write_schedule(&h, &file->schedule);
    if (file->informed) write_informant(&h, &file->told);
    write_training(&h, file);
    fd_h5_close(&h);
    status = h.status ? h.status : fd_part_commit(&part, err);
cleanup:
    fd_part_abort(&part);
    fd_model_free(model);
    return status;
}

/* ---- reading ---------------------------------------------------------------------------------------------------- */

static void parse_activations(fd_h5 *h, char *text, fd_network_spec *spec) {
    int n = 0;
    char *rest = NULL;
    for (char *word = strtok_r(text, ",", &rest); word && !h->status; word = strtok_r(NULL, ",", &rest)) {
        int kind = FD_IDENTITY;
        while (kind <= FD_SILU && strcmp(word, fd_activation_name((fd_activation)kind)) != 0) kind++;
        if (kind > FD_SILU)
            fd_h5_fail(h, FD_ERR_FORMAT, "the attribute 'activations' of /network names '%s', which this program does not "
                       "know; upgrade flavordiff", word);
        else if (n < FD_MAX_HIDDEN)
            spec->activations[n] = (fd_activation)kind;
        n++;
    }
    if (!h->status && n != spec->n_hidden)
        fd_h5_fail(h, FD_ERR_FORMAT, "the attribute 'activations' of /network has %d names for %d widths", n,
                   spec->n_hidden);
}

static void read_spec(fd_h5 *h, fd_network_spec *spec, bool *has_ema, bool *use_ema) {
    char activations[MAX_ACTIVATIONS_TEXT] = "";
    hid_t group = fd_h5_group(h, "network");
    uint64_t dim = fd_h5_get_u64(h, group, "/network", "dim"), n_labels = fd_h5_get_u64(h, group, "/network", "n_labels");
    uint64_t n_features = fd_h5_has(h, "informant") ? fd_h5_get_u64(h, group, "/network", "n_features") : 0;
    spec->n_hidden = fd_h5_get_ints(h, group, "/network", "widths", FD_MAX_HIDDEN, spec->widths);
    fd_h5_get_text(h, group, "/network", "activations", activations, sizeof activations);
    *has_ema = fd_h5_get_u64(h, group, "/network", "has_ema") != 0;
    *use_ema = fd_h5_get_u64(h, group, "/network", "use_ema") != 0;
    if (group >= 0) H5Gclose(group);
    if (h->status) return;
    if (n_features > 2 * FD_MAX_PARAMS + FD_MAX_LABELS)
        fd_h5_fail(h, FD_ERR_FORMAT, "a network of %llu features; at most %d are possible", (unsigned long long)n_features,
                   2 * FD_MAX_PARAMS + FD_MAX_LABELS);
    if (dim < 1 || dim > FD_MAX_PARAMS || n_labels > FD_MAX_LABELS) {
        fd_h5_fail(h, FD_ERR_FORMAT, "a network of %llu parameters and %llu labels; at most %d and %d are possible",
                   (unsigned long long)dim, (unsigned long long)n_labels, FD_MAX_PARAMS, FD_MAX_LABELS);
        return;
    }
    for (int i = 0; i < spec->n_hidden; i++)
        if (spec->widths[i] < 1 || spec->widths[i] > FD_MAX_WIDTH)
            fd_h5_fail(h, FD_ERR_FORMAT, "the attribute 'widths' of /network has %d; 1 to %d are possible",
                       spec->widths[i], FD_MAX_WIDTH);
    spec->dim = (int)dim;
    spec->n_labels = (int)n_labels;
    spec->n_features = (int)n_features;
    parse_activations(h, activations, spec);
}

/* Reads one array of a layer and refuses numbers that are not finite. */
static void read_weights(fd_h5 *h, int layer, const char *array, fd_h5_shape shape, float *into) {
    char name[64];
    size_t n = (size_t)shape.dims[0] * (size_t)(shape.rank > 1 ? shape.dims[1] : 1);
    snprintf(name, sizeof name, "network/layer_%d/%s", layer, array);
    fd_h5_get_array(h, name, H5T_FLOAT, H5T_NATIVE_FLOAT, &shape, into);
    if (!h->status && !all_finite(into, n))
        fd_h5_fail(h, FD_ERR_VALUE, "/%s has weights that are not finite; train the network again", name);
}

static void read_layers(fd_h5 *h, const fd_network_spec *spec, float *weights, float *ema) {
    for (int layer = 0; layer <= spec->n_hidden && !h->status; layer++) {
        int n_in, n_out;
        size_t weight, bias;
        fd_network_layer(spec, layer, &n_in, &n_out, &weight, &bias);
        fd_h5_shape matrix = {2, {(hsize_t)n_out, (hsize_t)n_in}}, column = {1, {(hsize_t)n_out}};
        read_weights(h, layer, "weight", matrix, weights + weight);
        read_weights(h, layer, "bias", column, weights + bias);
        if (!ema) continue;
        read_weights(h, layer, "ema_weight", matrix, ema + weight);
        read_weights(h, layer, "ema_bias", column, ema + bias);
    }
}

/* The layers must be in the file before memory is taken for what /network declares. */
static void check_layers(fd_h5 *h, const fd_network_spec *spec) {
    for (int layer = 0; layer <= spec->n_hidden && !h->status; layer++) {
        int n_in, n_out;
        size_t weight, bias;
        char name[64];
        fd_network_layer(spec, layer, &n_in, &n_out, &weight, &bias);
        snprintf(name, sizeof name, "network/layer_%d/weight", layer);
        hid_t dataset = fd_h5_dataset(h, name, H5T_FLOAT, &(fd_h5_shape){2, {(hsize_t)n_out, (hsize_t)n_in}});
        if (dataset >= 0) H5Dclose(dataset);
    }
}

static void read_network(fd_h5 *h, fd_model_file *file) {
    fd_network_spec spec = {0};
    bool has_ema = false;
    read_spec(h, &spec, &has_ema, &file->use_ema);
    check_layers(h, &spec);
    if (h->status) return;
    fd_error inner = {0};
    fd_status status = fd_network_create(&spec, &file->network, &inner);
    if (!status && has_ema && !(file->ema = calloc(file->network->n_weights, sizeof(float))))
        status = fd_fail(&inner, FD_ERR_MEMORY, "out of memory");
    if (status) {
        fd_h5_fail(h, status == FD_ERR_CONFIG ? FD_ERR_FORMAT : status, "%s", inner.message);
        return;
    }
    if (file->use_ema && !has_ema)
        fd_h5_fail(h, FD_ERR_FORMAT, "use_ema is set but there are no averaged weights; train the network again");
    read_layers(h, &spec, file->network->weights, file->ema);
}

static void read_scaler(fd_h5 *h, const char *name, int n, fd_scaler *scaler) {
    if (h->status) return;
    fd_h5_shape column = {1, {(hsize_t)n}};
    char dataset[64];
    scaler->n = n;
    snprintf(dataset, sizeof dataset, "%s/shift", name);
    fd_h5_get_array(h, dataset, H5T_FLOAT, H5T_NATIVE_DOUBLE, &column, scaler->shift);
    snprintf(dataset, sizeof dataset, "%s/scale", name);
    fd_h5_get_array(h, dataset, H5T_FLOAT, H5T_NATIVE_DOUBLE, &column, scaler->scale);
    for (int i = 0; i < n && !h->status; i++)
        if (!isfinite(scaler->shift[i]) || !isfinite(scaler->scale[i]) || scaler->scale[i] <= 0)
            fd_h5_fail(h, FD_ERR_VALUE, "/%s has shift %g, scale %g in row %d; finite numbers and a positive scale are "
                       "needed", name, scaler->shift[i], scaler->scale[i], i);
}

/* Whether /schedule holds numbers that its kind can be made of. */
static void check_schedule(fd_h5 *h, const fd_schedule_spec *spec) {
    fd_schedule *schedule = NULL;
    fd_error inner = {0};
    fd_status status = fd_schedule_create(spec, &schedule, &inner);
    fd_schedule_free(schedule);
    if (status) fd_h5_fail(h, status == FD_ERR_CONFIG ? FD_ERR_FORMAT : status, "/schedule: %s", inner.message);
}

static void read_schedule(fd_h5 *h, fd_schedule_spec *spec) {
    char name[16];
    int kind = FD_SCHEDULE_LINEAR;
    fd_schedule_spec_paper(spec); /* s_min and s_max of kinds that have none */
    hid_t group = fd_h5_group(h, "schedule");
    fd_h5_get_text(h, group, "/schedule", "kind", name, sizeof name);
    uint64_t steps = fd_h5_get_u64(h, group, "/schedule", "steps");
    spec->beta_min = fd_h5_get_real(h, group, "/schedule", "beta_min");
    spec->beta_max = fd_h5_get_real(h, group, "/schedule", "beta_max");
    if (!h->status)
        while (kind <= FD_SCHEDULE_LOG_SNR && strcmp(name, fd_schedule_name((fd_schedule_kind)kind)) != 0) kind++;
    if (!h->status && kind == FD_SCHEDULE_LOG_SNR) {
        spec->s_min = fd_h5_get_real(h, group, "/schedule", "s_min");
        spec->s_max = fd_h5_get_real(h, group, "/schedule", "s_max");
    }
    if (group >= 0) H5Gclose(group);
    if (h->status) return;
    if (kind > FD_SCHEDULE_LOG_SNR) {
        fd_h5_fail(h, FD_ERR_FORMAT, "the attribute 'kind' of /schedule is '%s', which this program does not know; "
                   "upgrade flavordiff", name);
        return;
    }
    if (steps < 1 || steps > 1000000) {
        fd_h5_fail(h, FD_ERR_FORMAT, "the attribute 'steps' of /schedule is %llu; 1 to 1000000 are possible",
                   (unsigned long long)steps);
        return;
    }
    spec->kind = (fd_schedule_kind)kind;
    spec->steps = (int)steps;
    check_schedule(h, spec);
}

static void read_informant(fd_h5 *h, fd_model_file *file) {
    static const char place[] = "/informant";
    char prediction[16];
    fd_informant_spec *s = &file->told;
    file->informed = !h->status && fd_h5_has(h, "informant");
    if (!file->informed) return;
    hid_t group = fd_h5_group(h, "informant");
    fd_h5_get_text(h, group, place, "prediction", prediction, sizeof prediction);
    s->oriented = fd_h5_get_u64(h, group, place, "oriented") != 0;
    s->guess = fd_h5_get_u64(h, group, place, "guess") != 0;
    uint64_t label_steps = fd_h5_get_u64(h, group, place, "label_steps");
    /* Files from before there was a choice: the labels themselves. */
    s->smooth = fd_h5_has_attribute(h, group, "smooth") && fd_h5_get_u64(h, group, place, "smooth") != 0;
    uint64_t waves = fd_h5_has_attribute(h, group, "waves") ? fd_h5_get_u64(h, group, place, "waves") : 0;
    s->waves = waves > 64 ? 0 : (int)waves; /* a wrong number shows in that of the features */
    s->regularisation = fd_h5_get_real(h, group, place, "regularisation");
    s->clip = fd_h5_get_real(h, group, place, "clip");
    s->margin = fd_h5_get_real(h, group, place, "margin");
    s->fade = fd_h5_get_real(h, group, place, "fade");
    s->trust = fd_h5_get_real(h, group, place, "trust");
    s->trust_floor = fd_h5_get_real(h, group, place, "trust_floor");
    if (group >= 0) H5Gclose(group);
    if (h->status) return;
    int kind = 0;
    while (kind < 3 && strcmp(prediction, predictions[kind]) != 0) kind++;
    fd_error inner = {0};
    s->prediction = (fd_prediction)kind;
    s->label_steps = label_steps > 2 ? 0 : (int)label_steps;
    if (label_steps > 2)
        fd_h5_fail(h, FD_ERR_FORMAT, "the attribute 'label_steps' of /informant is %llu, must be 0 to 2",
                   (unsigned long long)label_steps);
    else if (kind == 3)
        fd_h5_fail(h, FD_ERR_FORMAT, "the attribute 'prediction' of /informant is '%s', which this program does not know; "
                   "upgrade flavordiff", prediction);
    else if (fd_informant_spec_check(s, &inner))
        fd_h5_fail(h, FD_ERR_FORMAT, "/informant: %s", inner.message);
    else if (fd_informant_features(s, file->network->spec.dim, file->network->spec.n_labels) !=
             file->network->spec.n_features)
        fd_h5_fail(h, FD_ERR_FORMAT, "/informant tells of %d features, /network of %d",
                   fd_informant_features(s, file->network->spec.dim, file->network->spec.n_labels),
                   file->network->spec.n_features);
}

/* Files from before there were any: flat. */
static void read_slopes(fd_h5 *h, fd_model_file *file) {
    static const char place[] = "training/label_slopes";
    size_t n = h->status ? 0 : (size_t)file->network->spec.n_labels;
    if (h->status || !fd_h5_has(h, place)) return;
    fd_h5_shape shape = {1, {(hsize_t)n}};
    hid_t slopes = fd_h5_dataset(h, place, H5T_FLOAT, &shape);
    if (h->status) return;
    fd_h5_get_rows(h, slopes, place, H5T_NATIVE_DOUBLE, 0, n, file->label_slopes);
    H5Dclose(slopes);
    for (size_t l = 0; l < n && !h->status; l++)
        if (!isfinite(file->label_slopes[l]))
            fd_h5_fail(h, FD_ERR_FORMAT, "/%s is not finite for label %zu", place, l);
}

static void read_training(fd_h5 *h, fd_model_file *file) {
    hid_t group = fd_h5_group(h, "training");
    fd_h5_get_text(h, group, "/training", "trained_on", file->trained_on, sizeof file->trained_on);
    file->updates = (long)fd_h5_get_u64(h, group, "/training", "updates");
    if (group >= 0) H5Gclose(group);
    fd_h5_shape shape = {2, {FD_H5_ANY, LOG_COLUMNS}};
    hid_t log = fd_h5_dataset(h, "training/log", H5T_FLOAT, &shape);
    if (h->status) return;
    if (shape.dims[0] > MAX_LOG)
        fd_h5_fail(h, FD_ERR_FORMAT, "/training/log has %llu rows; at most %d are possible",
                   (unsigned long long)shape.dims[0], MAX_LOG);
    else if (!(file->log = calloc((size_t)shape.dims[0] + 1, LOG_COLUMNS * sizeof(double))))
        fd_h5_fail(h, FD_ERR_MEMORY, "out of memory");
    else
        file->n_log = (size_t)shape.dims[0];
    fd_h5_get_rows(h, log, "training/log", H5T_NATIVE_DOUBLE, 0, file->n_log, file->log);
    H5Dclose(log);
    read_slopes(h, file);
}

fd_status fd_model_file_read(const char *path, fd_model_file *file, fd_error *err) {
    memset(file, 0, sizeof *file);
    fd_h5 h;
    fd_h5_open(&h, path, err);
    fd_provenance_check(&h, FD_FORMAT_NETWORK);
    fd_model_group_read(&h, &file->model);
    read_network(&h, file);
    read_scaler(&h, "scalers/parameters", h.status ? 0 : file->network->spec.dim, &file->params);
    read_scaler(&h, "scalers/labels", h.status ? 0 : file->network->spec.n_labels, &file->labels);
    read_schedule(&h, &file->schedule);
    read_informant(&h, file);
    read_training(&h, file);
    fd_h5_leave(&h);
    if (h.status) fd_model_file_clear(file);
    return h.status;
}

fd_status fd_model_file_is_informed(const char *path, bool *informed, fd_error *err) {
    fd_h5 h;
    fd_h5_open(&h, path, err);
    fd_provenance_check(&h, FD_FORMAT_NETWORK);
    *informed = !h.status && fd_h5_has(&h, "informant");
    fd_h5_leave(&h);
    return h.status;
}

void fd_model_file_clear(fd_model_file *file) {
    if (!file) return;
    fd_network_free(file->network);
    free(file->ema);
    free(file->log);
    memset(file, 0, sizeof *file);
}
