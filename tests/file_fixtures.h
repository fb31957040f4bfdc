/* What the tests of files share: a folder of their own, rows and networks to write, and checks of messages. */
#ifndef FD_TESTS_FILE_FIXTURES_H
#define FD_TESTS_FILE_FIXTURES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <dirent.h>
#include <math.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <hdf5.h>
#include <jansson.h>

#include "flavordiff/files.h"

/* HDF5 1.10 leaks a header it cannot decode; that our own handles are closed is checked in tear_down(). */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) { return "leak:libhdf5\n"; }

static char folder[] = "test_files.XXXXXX";
static fd_model *model;
static const fd_provenance provenance = {.verb = "simulate", .command = "flavordiff simulate -o a.h5",
                                         .config = "name: 'x'\n", .seed = UINT64_MAX, .parents = "up.h5 0123"};

static inline const char *in_folder(const char *name) {
    static char paths[4][300];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static inline int set_up(void **state) {
    (void)state;
    fd_model_options options;
    fd_model_options_default(&options);
    setenv("SOURCE_DATE_EPOCH", "1700000000", 1); /* same content, same bytes */
    signal(SIGXFSZ, SIG_IGN);
    return mkdtemp(folder) && fd_model_create(&options, &model, NULL) == FD_OK ? 0 : -1;
}

static inline int tear_down(void **state) {
    (void)state;
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        if (entry->d_name[0] != '.') unlink(in_folder(entry->d_name));
    if (dir) closedir(dir);
    fd_model_free(model);
    ssize_t open = H5Fget_obj_count((hid_t)H5F_OBJ_ALL, H5F_OBJ_ALL);
    if (open) {
        print_error("%zd HDF5 handles are open\n", open);
        return -1;
    }
    return rmdir(folder);
}

static inline bool exists(const char *path) { return access(path, F_OK) == 0; }

static inline void assert_no_parts(void) {
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir));)
        if (strstr(entry->d_name, ".part")) fail_msg("%s is left", entry->d_name);
    closedir(dir);
}

static inline void assert_message(const fd_error *err, const char *wanted) {
    if (!strstr(err->message, wanted)) fail_msg("message '%s' lacks '%s'", err->message, wanted);
    if (strchr(err->message, '\n')) fail_msg("message '%s' is not one line", err->message);
}

/* ---- sample sets ------------------------------------------------------------------------------------------------------ */

static inline void make_rows(uint64_t first, size_t n, float *theta, double *labels, double *chi2, uint8_t *flags) {
    for (size_t i = 0; i < n; i++) {
        for (int j = 0; j < model->n_params; j++)
            theta[i * (size_t)model->n_params + (size_t)j] = (float)(first + i) + 0.01f * (float)j;
        for (int j = 0; j < model->n_labels; j++)
            labels[i * (size_t)model->n_labels + (size_t)j] = 1.0 / (double)(first + i + 1) + j;
        chi2[i] = i % 7 ? sqrt((double)(first + i)) : INFINITY;
        flags[i] = (uint8_t)(first + i);
    }
}

enum { MAX_ROWS = 6000 };
static float theta[MAX_ROWS * FD_MAX_PARAMS];
static double labels[MAX_ROWS * FD_MAX_LABELS], chi2[MAX_ROWS];
static uint8_t flags[MAX_ROWS];

static inline fd_sample_info make_info(uint64_t n_train) {
    fd_sample_info info = {.role = "selected", .target = "paper-table1-no", .note = "ddpm 1000, gamma = 8",
                           .n_train = n_train, .groups = {1, 2, 3}, .seed = 77,
                           .tally = {.n = 1u << 31, .finite = 9, .in_prior = 8, .masses = 7, .angles = 6, .five = 5,
                                     .labels = 4, .labels_in_prior = 3, .five_in_prior = 2, .seconds = 1.25}};
    fd_model_options_default(&info.model);
    info.model.vev_GeV = 174.104;
    info.model.phases = FD_PHASES_PAPER;
    return info;
}

/* n rows in blocks of `block`. */
static inline fd_status write_samples(const char *path, bool force, size_t n, size_t block, fd_error *err) {
    fd_sample_writer *writer = NULL;
    fd_status status = fd_samples_create(path, force, model, &provenance, &writer, err);
    for (size_t i = 0; i < n && !status; i += block) {
        size_t here = n - i < block ? n - i : block;
        make_rows(i, here, theta, labels, chi2, flags);
        status = fd_samples_append(writer, here, theta, labels, chi2, flags, err);
    }
    if (status) {
        fd_samples_abort(writer);
        return status;
    }
    fd_sample_info info = make_info(n / 2);
    return fd_samples_finish(writer, &info, err);
}

static inline void make_model_file(fd_model_file *file, bool ema) {
    fd_network_spec spec = {.dim = 23, .n_labels = 11, .n_hidden = 3, .widths = {5, 7, 3},
                            .activations = {FD_SELU, FD_SILU, FD_TANH}};
    *file = (fd_model_file){.use_ema = ema, .updates = 123456, .n_log = 2, .trained_on = "prior"};
    assert_int_equal(fd_network_create(&spec, &file->network, NULL), FD_OK);
    fd_network_initialise(file->network, 3);
    if (ema) {
        file->ema = malloc(file->network->n_weights * sizeof(float));
        for (size_t i = 0; i < file->network->n_weights; i++) file->ema[i] = 0.5f * file->network->weights[i];
    }
    file->params.n = 23, file->labels.n = 11;
    for (int i = 0; i < 23; i++) file->params.shift[i] = 0.1 * i, file->params.scale[i] = 1 + i;
    for (int i = 0; i < 11; i++) file->labels.shift[i] = -0.1 * i, file->labels.scale[i] = 1.0 / (1 + i);
    fd_schedule_spec_paper(&file->schedule);
    fd_model_options_default(&file->model);
    static const double log[8] = {0, 1e-3, 1.5, 1.6, 100, 1e-4, 0.5, (double)NAN};
    file->log = malloc(sizeof log);
    memcpy(file->log, log, sizeof log);
}

/* The same of a network that is told something. */
static inline void make_informed_file(fd_model_file *file) {
    make_model_file(file, true);
    file->informed = true;
    file->told = (fd_informant_spec){.prediction = FD_PREDICT_X0, .guess = true, .label_steps = 1, .smooth = true, .waves = 5,
                                     .regularisation = 3e-4,
                                     .clip = 7, .margin = 0.02, .fade = 0.4, .trust = 5, .trust_floor = 0.03};
    fd_network_spec spec = file->network->spec;
    for (int l = 0; l < 2; l++) file->label_slopes[l] = 1.5 * l - 0.5;
    spec.n_features = fd_informant_features(&file->told, spec.dim, spec.n_labels);
    fd_network_free(file->network);
    assert_int_equal(fd_network_create(&spec, &file->network, NULL), FD_OK);
    fd_network_initialise(file->network, 4);
    free(file->ema);
    file->ema = malloc(file->network->n_weights * sizeof(float));
    memcpy(file->ema, file->network->weights, file->network->n_weights * sizeof(float));
}

static inline const char *fresh_samples(void) {
    const char *path = in_folder("wrong.h5");
    assert_int_equal(write_samples(path, true, 40, 40, NULL), FD_OK);
    return path;
}

static inline const char *fresh_network(bool ema) {
    const char *path = in_folder("wrong-net.h5");
    fd_model_file file;
    make_model_file(&file, ema);
    assert_int_equal(fd_model_file_write(path, true, &file, &provenance, NULL), FD_OK);
    fd_model_file_clear(&file);
    return path;
}

static inline const char *fresh_informed(void) {
    const char *path = in_folder("wrong-informed.h5");
    fd_model_file file;
    make_informed_file(&file);
    assert_int_equal(fd_model_file_write(path, true, &file, &provenance, NULL), FD_OK);
    fd_model_file_clear(&file);
    return path;
}

/* Reading `path` fails with this status and a message that names the file and says `wanted`. */
static inline void refuse_samples(const char *path, fd_status status, const char *wanted) {
    fd_sample_reader *reader = NULL;
    fd_error err = {0};
    assert_int_equal(fd_samples_open(path, &reader, NULL, &err), status);
    assert_null(reader);
    assert_message(&err, wanted);
    assert_int_equal(strncmp(err.message, path, strlen(path)), 0);
}

#endif
