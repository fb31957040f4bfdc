/* Sample sets: /samples/{theta, labels, chi2, valid}, one row per point, written as they come. docs/formats.md. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "flavordiff/files.h"
#include "io/file_safety.h"
#include "io/h5.h"
#include "io/provenance.h"
#include "io/sample_info.h"

struct fd_sample_writer {
    fd_h5 h5;
    fd_error first; /* the first failure, told again by every later call */
    char *path;
    fd_part part;
    hid_t theta, labels, chi2, valid;
    uint64_t rows;
};

struct fd_sample_reader {
    fd_h5 h5;
    char *path;
    hid_t theta, labels, chi2, valid;
    uint64_t rows;
    int n_params, n_labels;
};

/* ---- writing --------------------------------------------------------------------------------------------------- */

static fd_status tell(const fd_sample_writer *w, fd_error *err) {
    if (w->h5.status && err) *err = w->first;
    return w->h5.status;
}

static void free_writer(fd_sample_writer *w) {
    fd_part_abort(&w->part); /* nothing when it is committed */
    free(w->path);
    free(w);
}

void fd_samples_abort(fd_sample_writer *writer) {
    if (!writer) return;
    fd_h5_close(&writer->h5); /* closes the datasets too */
    free_writer(writer);
}

static void create_datasets(fd_sample_writer *w, const fd_model *model) {
    fd_h5 *h = &w->h5;
    hsize_t n_params = (hsize_t)model->n_params, n_labels = (hsize_t)model->n_labels;
    hid_t group = fd_h5_new_group(h, "samples");
    w->theta = fd_h5_new_dataset(h, group, "theta", H5T_IEEE_F32LE, &(fd_h5_shape){2, {0, n_params}},
                                 "see /model/parameters/unit", "Parameters G of each point, as rounded to float32");
    w->labels = fd_h5_new_dataset(h, group, "labels", H5T_IEEE_F64LE, &(fd_h5_shape){2, {0, n_labels}},
                                  "see /model/labels/unit", "Labels L of the rounded parameters");
    w->chi2 = fd_h5_new_dataset(h, group, "chi2", H5T_IEEE_F64LE, &(fd_h5_shape){1, {0}}, "1",
                                "chi^2 of the five observables (two mass-squared differences, three sin^2)");
    w->valid = fd_h5_new_dataset(h, group, "valid", H5T_STD_U8LE, &(fd_h5_shape){1, {0}}, "bits",
                                 "1: finite, 2: inside the prior, 4: masses inside 3 sigma, 8: angles inside 3 sigma, "
                                 "16: all labels inside 3 sigma, 32: moved onto its label by the projection, 64: not reached");
    fd_h5_drop(h, group);
}

fd_status fd_samples_create(const char *path, bool force, const fd_model *model, const fd_provenance *provenance,
                            fd_sample_writer **writer, fd_error *err) {
    *writer = NULL;
    fd_sample_writer *w = calloc(1, sizeof *w);
    if (!w) return fd_fail(err, FD_ERR_MEMORY, "%s: out of memory", path);
    w->h5.file = H5I_INVALID_HID;
    fd_status status = fd_part_begin(path, force, &w->part, err);
    if (!status && !(w->path = strdup(path))) status = fd_fail(err, FD_ERR_MEMORY, "%s: out of memory", path);
    if (status) {
        free_writer(w);
        return status;
    }
    fd_h5_create(&w->h5, w->part.name, w->path, &w->first);
    fd_provenance_write(&w->h5, FD_FORMAT_SAMPLES, provenance);
    fd_model_group_write(&w->h5, model, NULL);
    create_datasets(w, model);
    if (w->h5.status) {
        status = tell(w, err);
        fd_samples_abort(w);
        return status;
    }
    *writer = w;
    return FD_OK;
}

fd_status fd_samples_append(fd_sample_writer *w, size_t n, const float *theta, const double *labels, const double *chi2,
                            const uint8_t *flags, fd_error *err) {
    fd_h5 *h = &w->h5;
    fd_h5_append(h, w->theta, H5T_NATIVE_FLOAT, n, theta);
    fd_h5_append(h, w->labels, H5T_NATIVE_DOUBLE, n, labels);
    fd_h5_append(h, w->chi2, H5T_NATIVE_DOUBLE, n, chi2);
    fd_h5_append(h, w->valid, H5T_NATIVE_UINT8, n, flags);
    if (!h->status) w->rows += n;
    return tell(w, err);
}

fd_status fd_samples_finish(fd_sample_writer *w, const fd_sample_info *info, fd_error *err) {
    fd_h5 *h = &w->h5;
    if (!h->status && info->n_train > w->rows)
        fd_h5_fail(h, FD_ERR_VALUE, "%llu training rows of only %llu", (unsigned long long)info->n_train,
                   (unsigned long long)w->rows);
    fd_sample_info_write(h, info, w->rows);
    fd_h5_drop(h, w->theta), fd_h5_drop(h, w->labels), fd_h5_drop(h, w->chi2), fd_h5_drop(h, w->valid);
    fd_h5_close(h);
    fd_status status = tell(w, err);
    if (!status) status = fd_part_commit(&w->part, err);
    free_writer(w);
    return status;
}

/* ---- reading ---------------------------------------------------------------------------------------------------- */

static void open_datasets(fd_sample_reader *r, uint64_t n) {
    fd_h5_shape theta = {2, {n, FD_H5_ANY}}, labels = {2, {n, FD_H5_ANY}}, column = {1, {n}};
    r->theta = fd_h5_dataset(&r->h5, "samples/theta", H5T_FLOAT, &theta);
    r->labels = fd_h5_dataset(&r->h5, "samples/labels", H5T_FLOAT, &labels);
    r->chi2 = fd_h5_dataset(&r->h5, "samples/chi2", H5T_FLOAT, &column);
    r->valid = fd_h5_dataset(&r->h5, "samples/valid", H5T_INTEGER, &column);
    if (r->h5.status) return;
    if (theta.dims[1] < 1 || theta.dims[1] > FD_MAX_PARAMS || labels.dims[1] < 1 || labels.dims[1] > FD_MAX_LABELS) {
        fd_h5_fail(&r->h5, FD_ERR_FORMAT, "/samples has %llu parameters and %llu labels; at most %d and %d are possible",
                   (unsigned long long)theta.dims[1], (unsigned long long)labels.dims[1], FD_MAX_PARAMS, FD_MAX_LABELS);
        return;
    }
    r->n_params = (int)theta.dims[1];
    r->n_labels = (int)labels.dims[1];
}

fd_status fd_samples_open(const char *path, fd_sample_reader **reader, fd_sample_info *info, fd_error *err) {
    *reader = NULL;
    fd_sample_info local;
    if (!info) info = &local;
    memset(info, 0, sizeof *info);
    fd_sample_reader *r = calloc(1, sizeof *r);
    if (!r || !(r->path = strdup(path))) {
        free(r);
        return fd_fail(err, FD_ERR_MEMORY, "%s: out of memory", path);
    }
    fd_h5 *h = &r->h5;
    fd_h5_open(h, r->path, err);
    fd_provenance_check(h, FD_FORMAT_SAMPLES);
    fd_sample_info_read(h, info);
    if (!h->status && info->n > (uint64_t)INT64_MAX)
        fd_h5_fail(h, FD_ERR_FORMAT, "the attribute 'n' of /samples is not possible; make the file again");
    open_datasets(r, info->n);
    if (!h->status && info->n_train > info->n)
        fd_h5_fail(h, FD_ERR_FORMAT, "the attribute 'n_train' of /samples is %llu of only %llu rows; make the file again",
                   (unsigned long long)info->n_train, (unsigned long long)info->n);
    r->rows = info->n;
    h->err = NULL; /* the caller's err may be gone by the next call */
    if (h->status) {
        fd_status status = h->status;
        fd_samples_close(r);
        return status;
    }
    *reader = r;
    return FD_OK;
}

void fd_samples_close(fd_sample_reader *reader) {
    if (!reader) return;
    fd_h5_leave(&reader->h5); /* closes the datasets too */
    free(reader->path);
    free(reader);
}

static void check_names(fd_h5 *h, const char *dataset, const char *what, int n, const char *const *expected) {
    char names[FD_MAX_PARAMS][64] = {{0}};
    fd_h5_get_texts(h, dataset, n, names[0], sizeof names[0]);
    for (int i = 0; i < n && !h->status; i++)
        if (strcmp(names[i], expected[i]) != 0)
            fd_h5_fail(h, FD_ERR_MISMATCH, "%s %d is '%s' but '%s' in the model; use files of one model", what, i + 1,
                       names[i], expected[i]);
}

/* The same name with another prior range is another parameter: the network sees it scaled by that range. */
static void check_prior(fd_h5 *h, const fd_model *model) {
    double prior[2 * FD_MAX_PARAMS] = {0};
    fd_h5_shape shape = {2, {(hsize_t)model->n_params, 2}};
    fd_h5_get_array(h, "model/parameters/prior", H5T_FLOAT, H5T_NATIVE_DOUBLE, &shape, prior);
    for (int i = 0; i < model->n_params && !h->status; i++) {
        const fd_param *p = &model->params[i];
        if (prior[2 * i] != p->lo || prior[2 * i + 1] != p->hi)
            fd_h5_fail(h, FD_ERR_MISMATCH, "the prior of %s is [%g, %g] but [%g, %g] in the model; use the same 'model' "
                       "settings", p->name, prior[2 * i], prior[2 * i + 1], p->lo, p->hi);
    }
}

fd_status fd_samples_check_model(const fd_sample_reader *reader, const fd_model *model, fd_error *err) {
    fd_h5 h = reader->h5;
    h.err = err;
    h.status = FD_OK;
    const char *names[FD_MAX_PARAMS], *labels[FD_MAX_LABELS];
    for (int i = 0; i < model->n_params; i++) names[i] = model->params[i].name;
    for (int i = 0; i < model->n_labels; i++) labels[i] = model->labels[i].name;
    if (reader->n_params != model->n_params || reader->n_labels != model->n_labels)
        fd_h5_fail(&h, FD_ERR_MISMATCH, "has %d parameters and %d labels but the model has %d and %d; use the same 'model' "
                   "settings (real_majorana: 21 parameters instead of 23)", reader->n_params, reader->n_labels,
                   model->n_params, model->n_labels);
    if (h.status) return h.status;
    check_names(&h, "model/parameters/name", "parameter", model->n_params, names);
    check_names(&h, "model/labels/name", "label", model->n_labels, labels);
    check_prior(&h, model);
    return h.status;
}

fd_status fd_samples_read(fd_sample_reader *reader, uint64_t first, size_t n, float *theta, double *labels, double *chi2,
                          uint8_t *flags, fd_error *err) {
    fd_h5 h = reader->h5;
    h.err = err;
    h.status = FD_OK;
    if (first > reader->rows || n > reader->rows - first)
        fd_h5_fail(&h, FD_ERR_VALUE, "rows %llu to %llu are not in a file of %llu", (unsigned long long)first,
                   (unsigned long long)first + n, (unsigned long long)reader->rows);
    if (theta) fd_h5_get_rows(&h, reader->theta, "samples/theta", H5T_NATIVE_FLOAT, first, n, theta);
    if (labels) fd_h5_get_rows(&h, reader->labels, "samples/labels", H5T_NATIVE_DOUBLE, first, n, labels);
    if (chi2) fd_h5_get_rows(&h, reader->chi2, "samples/chi2", H5T_NATIVE_DOUBLE, first, n, chi2);
    if (flags) fd_h5_get_rows(&h, reader->valid, "samples/valid", H5T_NATIVE_UINT8, first, n, flags);
    return h.status;
}
