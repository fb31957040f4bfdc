/* Files: what is written reads back; what is wrong is named; nothing half-written stays under a final name. */
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

static const char *in_folder(const char *name) {
    static char paths[4][300];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static int set_up(void **state) {
    (void)state;
    fd_model_options options;
    fd_model_options_default(&options);
    setenv("SOURCE_DATE_EPOCH", "1700000000", 1); /* same content, same bytes */
    signal(SIGXFSZ, SIG_IGN);
    return mkdtemp(folder) && fd_model_create(&options, &model, NULL) == FD_OK ? 0 : -1;
}

static int tear_down(void **state) {
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

static bool exists(const char *path) { return access(path, F_OK) == 0; }

static void assert_no_parts(void) {
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir));)
        if (strstr(entry->d_name, ".part")) fail_msg("%s is left", entry->d_name);
    closedir(dir);
}

static void assert_message(const fd_error *err, const char *wanted) {
    if (!strstr(err->message, wanted)) fail_msg("message '%s' lacks '%s'", err->message, wanted);
    if (strchr(err->message, '\n')) fail_msg("message '%s' is not one line", err->message);
}

/* ---- sample sets ------------------------------------------------------------------------------------------------------ */

static void make_rows(uint64_t first, size_t n, float *theta, double *labels, double *chi2, uint8_t *flags) {
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
static float theta[MAX_ROWS * FD_MAX_PARAMS], theta2[MAX_ROWS * FD_MAX_PARAMS];
static double labels[MAX_ROWS * FD_MAX_LABELS], labels2[MAX_ROWS * FD_MAX_LABELS], chi2[MAX_ROWS], chi22[MAX_ROWS];
static uint8_t flags[MAX_ROWS], flags2[MAX_ROWS];

static fd_sample_info make_info(uint64_t n_train) {
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
static fd_status write_samples(const char *path, bool force, size_t n, size_t block, fd_error *err) {
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

static void samples_round_trip(void **state) {
    (void)state;
    const size_t counts[] = {0, 1, 5999};
    for (int c = 0; c < 3; c++) {
        const char *path = in_folder("samples.h5");
        fd_error err = {0};
        size_t n = counts[c];
        if (write_samples(path, true, n, 1000, &err)) fail_msg("%s", err.message);
        fd_sample_reader *reader = NULL;
        fd_sample_info info, wanted = make_info(n / 2);
        if (fd_samples_open(path, &reader, &info, &err)) fail_msg("%s", err.message);
        wanted.n = n;
        assert_string_equal(info.role, wanted.role);
        assert_string_equal(info.target, wanted.target);
        assert_string_equal(info.note, wanted.note);
        assert_true(info.n == n && info.n_train == n / 2 && info.seed == 77);
        assert_memory_equal(&info.tally, &wanted.tally, sizeof info.tally);
        assert_memory_equal(info.groups, wanted.groups, sizeof info.groups);
        assert_memory_equal(&info.model, &wanted.model, sizeof info.model);
        assert_int_equal(fd_samples_check_model(reader, model, &err), FD_OK);
        size_t first = n / 3, length = n - first;
        assert_int_equal(fd_samples_read(reader, first, length, theta2, labels2, chi22, flags2, &err), FD_OK);
        for (size_t i = 0; i < length; i += 100) { /* rows are those that were given, wherever a block ended */
            size_t at = (first + i) % 1000;
            make_rows(first + i - at, at + 1, theta, labels, chi2, flags);
            size_t p = (size_t)model->n_params, l = (size_t)model->n_labels;
            assert_memory_equal(theta2 + i * p, theta + at * p, p * sizeof *theta);
            assert_memory_equal(labels2 + i * l, labels + at * l, l * sizeof *labels);
            assert_true(chi22[i] == chi2[at] && flags2[i] == flags[at]);
        }
        assert_int_equal(fd_samples_read(reader, 0, n, NULL, NULL, NULL, flags2, &err), FD_OK);
        assert_int_equal(fd_samples_read(reader, n, 1, theta2, NULL, NULL, NULL, &err), FD_ERR_VALUE);
        assert_int_equal(fd_samples_read(reader, UINT64_MAX, 2, theta2, NULL, NULL, NULL, &err), FD_ERR_VALUE);
        fd_samples_close(reader);
    }
    assert_no_parts();
}

/* How many rows were written at a time leaves no trace. */
static void same_content_same_bytes(void **state) {
    (void)state;
    char one[17], other[17], third[17];
    for (int i = 0; i < 2; i++) assert_int_equal(write_samples(in_folder("bytes.h5"), i > 0, 500, 500, NULL), FD_OK);
    assert_int_equal(fd_file_id(in_folder("bytes.h5"), one, NULL), FD_OK);
    assert_int_equal(write_samples(in_folder("bytes2.h5"), false, 500, 500, NULL), FD_OK);
    assert_int_equal(fd_file_id(in_folder("bytes2.h5"), other, NULL), FD_OK);
    assert_string_equal(one, other);
    assert_int_equal(write_samples(in_folder("bytes2.h5"), true, 499, 500, NULL), FD_OK);
    assert_int_equal(fd_file_id(in_folder("bytes2.h5"), third, NULL), FD_OK);
    assert_string_not_equal(one, third);
}

static void existing_files_are_kept(void **state) {
    (void)state;
    fd_error err = {0};
    const char *path = in_folder("kept.h5");
    char before[17], after[17];
    assert_int_equal(write_samples(path, false, 10, 10, &err), FD_OK);
    fd_file_id(path, before, NULL);
    assert_int_equal(write_samples(path, false, 20, 10, &err), FD_ERR_FILE);
    assert_message(&err, "kept.h5: exists already; give another name, or --force to replace it");
    fd_sample_writer *writer = NULL; /* replacing is all or nothing */
    assert_int_equal(fd_samples_create(path, true, model, &provenance, &writer, &err), FD_OK);
    make_rows(0, 5, theta, labels, chi2, flags);
    assert_int_equal(fd_samples_append(writer, 5, theta, labels, chi2, flags, &err), FD_OK);
    assert_true(exists(in_folder("kept.h5.part")));
    fd_samples_abort(writer);
    fd_samples_abort(NULL);
    fd_file_id(path, after, NULL);
    assert_string_equal(before, after);
    assert_no_parts();

    assert_int_equal(write_samples(folder, true, 1, 1, &err), FD_ERR_FILE);
    assert_message(&err, "is a folder, not a file");
    assert_int_equal(write_samples("/dev/null", true, 1, 1, &err), FD_ERR_FILE);
    assert_message(&err, "is a device, not a file");
    assert_int_equal(write_samples("no/such/a.h5", true, 1, 1, &err), FD_ERR_FILE);
    assert_message(&err, "no/such/a.h5: cannot write in folder no/such: No such file or directory");
    assert_int_equal(write_samples("", true, 1, 1, &err), FD_ERR_FILE);
}

static void more_training_rows_than_rows(void **state) {
    (void)state;
    fd_sample_writer *writer = NULL;
    fd_error err = {0};
    const char *path = in_folder("train.h5");
    assert_int_equal(fd_samples_create(path, false, model, &provenance, &writer, &err), FD_OK);
    fd_sample_info info = make_info(1);
    assert_int_equal(fd_samples_finish(writer, &info, &err), FD_ERR_VALUE);
    assert_false(exists(path));
    assert_no_parts();
}

/* ---- full disks ------------------------------------------------------------------------------------------------------- */

static void limit_file_size(rlim_t bytes) {
    struct rlimit limit;
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void full_disk_is_told(void **state) {
    (void)state;
    fd_error err = {0};
    assert_int_equal(fd_write_text("/dev/full", "x", 1, &err), FD_ERR_FILE);
    assert_string_equal(err.message, "/dev/full: cannot write: No space left on device");
    const char *path = in_folder("full.h5"), *text = in_folder("full.txt");
    for (rlim_t bytes = 64; bytes < 4000000; bytes = bytes * 3 / 2) { /* the end comes at every kind of write */
        limit_file_size(bytes);
        fd_status status = write_samples(path, false, 5000, 1000, &err);
        limit_file_size(RLIM_INFINITY);
        if (!status) break;
        assert_int_equal(status, FD_ERR_FILE);
        assert_message(&err, "full.h5: cannot write: File too large");
        assert_false(exists(path));
        assert_no_parts();
    }
    assert_true(exists(path)); /* and with room enough it is written */
    limit_file_size(10);
    fd_status status = fd_write_text(text, "more than ten bytes", 19, &err);
    limit_file_size(RLIM_INFINITY);
    assert_int_equal(status, FD_ERR_FILE);
    assert_message(&err, "full.txt: cannot write: File too large");
    assert_false(exists(text));
    assert_no_parts();
}

/* ---- model files ------------------------------------------------------------------------------------------------------ */

static void make_model_file(fd_model_file *file, bool ema) {
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

static void model_file_round_trip(void **state) {
    (void)state;
    for (int ema = 0; ema < 2; ema++) {
        fd_model_file file, back;
        fd_error err = {0};
        const char *path = in_folder("network.h5");
        make_model_file(&file, ema);
        if (ema) file.schedule.kind = FD_SCHEDULE_COSINE;
        if (fd_model_file_write(path, true, &file, &provenance, &err)) fail_msg("%s", err.message);
        if (fd_model_file_read(path, &back, &err)) fail_msg("%s", err.message);
        size_t bytes = file.network->n_weights * sizeof(float);
        assert_memory_equal(&back.network->spec, &file.network->spec, sizeof file.network->spec);
        assert_memory_equal(back.network->weights, file.network->weights, bytes);
        assert_int_equal(back.ema != NULL, ema);
        if (ema) assert_memory_equal(back.ema, file.ema, bytes);
        assert_memory_equal(&back.params, &file.params, sizeof file.params);
        assert_memory_equal(&back.labels, &file.labels, sizeof file.labels);
        assert_memory_equal(&back.schedule, &file.schedule, sizeof file.schedule);
        assert_memory_equal(&back.model, &file.model, sizeof file.model);
        assert_string_equal(back.trained_on, "prior");
        assert_true(back.use_ema == (bool)ema && back.updates == 123456 && back.n_log == 2);
        assert_memory_equal(back.log, file.log, 7 * sizeof(double));
        assert_true(isnan(back.log[7]));
        fd_model_file_clear(&file);
        fd_model_file_clear(&back);
        fd_model_file_clear(&back);
    }
    assert_no_parts();
}

static void bad_networks_are_not_written(void **state) {
    (void)state;
    fd_model_file file;
    fd_error err = {0};
    const char *path = in_folder("bad.h5");
    make_model_file(&file, false);
    file.network->weights[9] = (float)NAN;
    assert_int_equal(fd_model_file_write(path, false, &file, &provenance, &err), FD_ERR_VALUE);
    assert_message(&err, "weights that are not finite");
    file.network->weights[9] = 0;
    file.params.n = 21;
    assert_int_equal(fd_model_file_write(path, false, &file, &provenance, &err), FD_ERR_MISMATCH);
    assert_false(exists(path));
    fd_model_file_clear(&file);
    assert_no_parts();
}

/* ---- files that are wrong ---------------------------------------------------------------------------------------------- */

/* Reading `path` fails with this status and a message that names the file and says `wanted`. */
static void refuse_samples(const char *path, fd_status status, const char *wanted) {
    fd_sample_reader *reader = NULL;
    fd_error err = {0};
    assert_int_equal(fd_samples_open(path, &reader, NULL, &err), status);
    assert_null(reader);
    assert_message(&err, wanted);
    assert_int_equal(strncmp(err.message, path, strlen(path)), 0);
}

static void refuse_network(const char *path, fd_status status, const char *wanted) {
    fd_model_file file;
    fd_error err = {0};
    assert_int_equal(fd_model_file_read(path, &file, &err), status);
    assert_null(file.network);
    assert_message(&err, wanted);
    assert_int_equal(strncmp(err.message, path, strlen(path)), 0);
}

static void foreign_files_are_named(void **state) {
    (void)state;
    const char *path = in_folder("foreign.h5");
    char *text = NULL;
    fd_error err = {0};
    refuse_samples("no/such.h5", FD_ERR_FILE, "no/such.h5: cannot open: No such file or directory");
    refuse_samples(folder, FD_ERR_FILE, "is a folder, not a file");
    refuse_samples("/dev/null", FD_ERR_FILE, "is a device, not a file");
    assert_int_equal(fd_write_text(path, "", 0, NULL), FD_OK);
    refuse_samples(path, FD_ERR_FORMAT, "the file is empty; make it again");
    assert_int_equal(fd_write_text(path, "re_Y_1e,re_Y_1mu\n", 17, NULL), FD_OK);
    refuse_samples(path, FD_ERR_FORMAT, "not an HDF5 file; is it the right file?");
    refuse_network(path, FD_ERR_FORMAT, "not an HDF5 file; is it the right file?");
    assert_int_equal(fd_file_describe(path, true, &text, &err), FD_ERR_FORMAT);
    assert_message(&err, "not an HDF5 file");
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    H5Fclose(file);
    refuse_samples(path, FD_ERR_FORMAT, "an HDF5 file, but not one of flavordiff (no attribute 'format')");
    assert_int_equal(fd_file_describe(path, true, &text, &err), FD_ERR_FORMAT);
    assert_null(text);

    fd_model_file network;
    make_model_file(&network, true);
    assert_int_equal(fd_model_file_write(path, true, &network, &provenance, NULL), FD_OK);
    fd_model_file_clear(&network);
    refuse_samples(path, FD_ERR_FORMAT,
                   "is a flavordiff-network file; needed here is a sample file, made by 'simulate', 'select' or 'sample'");
    assert_int_equal(write_samples(path, true, 3, 3, NULL), FD_OK);
    refuse_network(path, FD_ERR_FORMAT, "is a flavordiff-samples file; needed here is a network file, made by 'train' or");
}

/* Replaces attribute `name` of `object`. */
static void set_attribute(const char *path, const char *object, const char *name, hid_t type, hsize_t n,
                          const void *value) {
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT), group = H5Oopen(file, object, H5P_DEFAULT);
    assert_true(file >= 0 && group >= 0);
    H5Adelete(group, name);
    if (type >= 0) {
        hid_t space = n ? H5Screate_simple(1, &n, NULL) : H5Screate(H5S_SCALAR);
        hid_t attribute = H5Acreate2(group, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
        assert_true(H5Awrite(attribute, type, value) >= 0);
        H5Aclose(attribute);
        H5Sclose(space);
    }
    H5Oclose(group);
    H5Fclose(file);
}

static void set_u64(const char *path, const char *object, const char *name, uint64_t value) {
    set_attribute(path, object, name, H5T_NATIVE_UINT64, 0, &value);
}

static void set_text(const char *path, const char *object, const char *name, const char *text) {
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, strlen(text) + 1);
    set_attribute(path, object, name, type, 0, text);
    H5Tclose(type);
}

/* Removes a dataset, and puts one of another shape in its place unless rank is 0. */
static void set_dataset(const char *path, const char *name, hid_t type, int rank, hsize_t rows, hsize_t columns) {
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    assert_true(H5Ldelete(file, name, H5P_DEFAULT) >= 0);
    if (rank) {
        hsize_t dims[2] = {rows, columns}, chunk[2] = {16, columns};
        hid_t space = H5Screate_simple(rank, dims, NULL), create = H5Pcreate(H5P_DATASET_CREATE);
        H5Pset_chunk(create, rank, chunk);
        hid_t dataset = H5Dcreate2(file, name, type, space, H5P_DEFAULT, create, H5P_DEFAULT);
        assert_true(dataset >= 0);
        H5Dclose(dataset);
        H5Pclose(create);
        H5Sclose(space);
    }
    H5Fclose(file);
}

static const char *fresh_samples(void) {
    const char *path = in_folder("wrong.h5");
    assert_int_equal(write_samples(path, true, 40, 40, NULL), FD_OK);
    return path;
}

static void wrong_sample_files_are_named(void **state) {
    (void)state;
    const char *path = fresh_samples();
    set_u64(path, "/", "format_version", 2);
    refuse_samples(path, FD_ERR_FORMAT, "flavordiff-samples version 2 is newer than this program");
    refuse_samples(path, FD_ERR_FORMAT, "upgrade flavordiff");
    set_u64(path, "/", "format_version", 0);
    refuse_samples(path, FD_ERR_FORMAT, "version 0 is not supported; make the file again");
    set_text(path, "/", "format", "keras");
    refuse_samples(path, FD_ERR_FORMAT, "an HDF5 file of format 'keras', not one of flavordiff");
    set_text(path = fresh_samples(), "/", "format_version", "1");
    refuse_samples(path, FD_ERR_FORMAT, "the attribute 'format_version' of the file is not a whole number");
    set_text(path = fresh_samples(), "/samples", "role", "a role far too long");
    refuse_samples(path, FD_ERR_FORMAT, "the attribute 'role' of /samples is longer than 15 characters");
    set_u64(path = fresh_samples(), "/samples", "role", 3);
    refuse_samples(path, FD_ERR_FORMAT, "the attribute 'role' of /samples is not a text");
    set_attribute(path = fresh_samples(), "/tally", "five", -1, 0, NULL);
    refuse_samples(path, FD_ERR_FORMAT, "the attribute 'five' of /tally is missing; make the file again");
    set_u64(path = fresh_samples(), "/samples", "n", 41);
    refuse_samples(path, FD_ERR_FORMAT, "/samples/theta has 40 entries along axis 0 where 41 are needed");
    set_u64(path = fresh_samples(), "/samples", "n", UINT64_MAX);
    refuse_samples(path, FD_ERR_FORMAT, "the attribute 'n' of /samples is not possible");
    set_u64(path = fresh_samples(), "/samples", "n_train", 41);
    refuse_samples(path, FD_ERR_FORMAT, "the attribute 'n_train' of /samples is 41 of only 40 rows");
    set_text(path = fresh_samples(), "/model", "ordering", "sideways");
    refuse_samples(path, FD_ERR_FORMAT, "the attribute 'ordering' of /model is 'sideways', which this program does not");
    double vev = (double)NAN;
    set_attribute(path = fresh_samples(), "/model", "vev_GeV", H5T_NATIVE_DOUBLE, 0, &vev);
    refuse_samples(path, FD_ERR_FORMAT, "'vev_GeV' of /model is nan, not a positive number");
    set_dataset(path = fresh_samples(), "/samples/chi2", -1, 0, 0, 0);
    refuse_samples(path, FD_ERR_FORMAT, "the dataset /samples/chi2 is missing; make the file again");
    set_dataset(path = fresh_samples(), "/samples/chi2", H5T_NATIVE_INT, 1, 40, 1);
    refuse_samples(path, FD_ERR_FORMAT, "/samples/chi2 does not hold real numbers");
    set_dataset(path = fresh_samples(), "/samples/chi2", H5T_NATIVE_DOUBLE, 2, 40, 1);
    refuse_samples(path, FD_ERR_FORMAT, "/samples/chi2 must have 1 axes");
    set_dataset(path = fresh_samples(), "/samples/theta", H5T_NATIVE_FLOAT, 2, 40, 23);
    refuse_samples(path, FD_ERR_FORMAT, "/samples/theta declares more rows than the file holds");
}

static void rows_of_another_model_are_named(void **state) {
    (void)state;
    const char *path = fresh_samples();
    fd_sample_reader *reader = NULL;
    fd_error err = {0};
    fd_model_options options;
    fd_model *other = NULL;
    assert_int_equal(fd_samples_open(path, &reader, NULL, &err), FD_OK);
    fd_model_options_default(&options);
    options.real_majorana = true;
    assert_int_equal(fd_model_create(&options, &other, NULL), FD_OK);
    assert_int_equal(fd_samples_check_model(reader, other, &err), FD_ERR_MISMATCH);
    assert_message(&err, "has 23 parameters and 11 labels but the model has 21 and 11");
    fd_model_free(other);
    options.real_majorana = false;
    options.scale = FD_SCALE_AS_PRINTED;
    assert_int_equal(fd_model_create(&options, &other, NULL), FD_OK);
    assert_int_equal(fd_samples_check_model(reader, other, &err), FD_ERR_MISMATCH);
    assert_message(&err, "the prior of k is [-4.22, -0.22] but [-1.22, 2.78] in the model");
    fd_model_free(other);
    fd_param renamed[FD_MAX_PARAMS];
    fd_model alias = *model;
    memcpy(renamed, model->params, sizeof *renamed * (size_t)model->n_params);
    renamed[3].name = "unheard_of";
    alias.params = renamed;
    assert_int_equal(fd_samples_check_model(reader, &alias, &err), FD_ERR_MISMATCH);
    assert_message(&err, "'unheard_of' in the model; use files of one model");
    fd_samples_close(reader);
}

static const char *fresh_network(bool ema) {
    const char *path = in_folder("wrong-net.h5");
    fd_model_file file;
    make_model_file(&file, ema);
    assert_int_equal(fd_model_file_write(path, true, &file, &provenance, NULL), FD_OK);
    fd_model_file_clear(&file);
    return path;
}

static void poison(const char *path, const char *dataset, double value) {
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT), data = H5Dopen2(file, dataset, H5P_DEFAULT);
    hid_t space = H5Dget_space(data);
    size_t n = (size_t)H5Sget_simple_extent_npoints(space);
    double *all = calloc(n, sizeof *all);
    assert_true(H5Dread(data, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, all) >= 0);
    all[n - 1] = value;
    assert_true(H5Dwrite(data, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, all) >= 0);
    free(all);
    H5Sclose(space);
    H5Dclose(data);
    H5Fclose(file);
}

static void wrong_network_files_are_named(void **state) {
    (void)state;
    const char *path;
    int widths[3] = {5, 1000000000, 3}, wide[3] = {4096, 4096, 4096};
    set_attribute(path = fresh_network(false), "/network", "widths", H5T_NATIVE_INT, 3, widths);
    refuse_network(path, FD_ERR_FORMAT, "the attribute 'widths' of /network has 1000000000; 1 to 4096 are possible");
    set_attribute(path = fresh_network(false), "/network", "widths", H5T_NATIVE_INT, 3, wide);
    refuse_network(path, FD_ERR_FORMAT, "/network/layer_0/weight has 5 entries along axis 0 where 4096 are needed");
    set_attribute(path = fresh_network(false), "/network", "widths", H5T_NATIVE_INT, 2, wide);
    refuse_network(path, FD_ERR_FORMAT, "the attribute 'activations' of /network has 3 names for 2 widths");
    set_text(path = fresh_network(false), "/network", "activations", "selu,relu,tanh");
    refuse_network(path, FD_ERR_FORMAT, "the attribute 'activations' of /network names 'relu'");
    set_u64(path = fresh_network(false), "/network", "dim", 1u << 31);
    refuse_network(path, FD_ERR_FORMAT, "a network of 2147483648 parameters");
    set_u64(path = fresh_network(false), "/network", "use_ema", 1);
    refuse_network(path, FD_ERR_FORMAT, "use_ema is set but there are no averaged weights");
    set_u64(path = fresh_network(false), "/schedule", "steps", 0);
    refuse_network(path, FD_ERR_FORMAT, "the attribute 'steps' of /schedule is 0; 1 to 1000000 are possible");
    set_text(path = fresh_network(false), "/schedule", "kind", "sigmoid");
    refuse_network(path, FD_ERR_FORMAT, "the attribute 'kind' of /schedule is 'sigmoid'");
    set_dataset(path = fresh_network(true), "/network/layer_2/ema_bias", -1, 0, 0, 0);
    refuse_network(path, FD_ERR_FORMAT, "the dataset /network/layer_2/ema_bias is missing");
    set_dataset(path = fresh_network(true), "/training/log", H5T_NATIVE_DOUBLE, 2, 1u << 30, 4);
    refuse_network(path, FD_ERR_FORMAT, "/training/log declares more rows than the file holds");
    poison(path = fresh_network(false), "/network/layer_1/weight", (double)NAN);
    refuse_network(path, FD_ERR_VALUE, "/network/layer_1/weight has weights that are not finite; train the network again");
    poison(path = fresh_network(true), "/network/layer_3/ema_bias", (double)INFINITY);
    refuse_network(path, FD_ERR_VALUE, "/network/layer_3/ema_bias has weights that are not finite");
    poison(path = fresh_network(false), "/scalers/labels/scale", 0);
    refuse_network(path, FD_ERR_VALUE, "/scalers/labels has shift");
    hid_t file = H5Fopen(path = fresh_network(false), H5F_ACC_RDWR, H5P_DEFAULT);
    H5Ldelete(file, "/schedule", H5P_DEFAULT);
    H5Fclose(file);
    refuse_network(path, FD_ERR_FORMAT, "the group /schedule is missing; make the file again");
}

/* Without the care (and the fsync) of fd_write_text: there are many of these. */
static void write_bytes(const char *path, const char *bytes, size_t length) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

/* Opens and reads everything in a file; whatever happens must end here. */
static fd_status read_all(const char *path, fd_error *err) {
    char *text = NULL;
    fd_status status = fd_file_describe(path, false, &text, err);
    assert_true((status == FD_OK) == (text != NULL));
    free(text);
    return status;
}

static void truncated_files_are_refused(void **state) {
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        const char *path = kind ? fresh_network(true) : fresh_samples();
        char *bytes = NULL;
        size_t length = 0;
        assert_int_equal(fd_read_text(path, 1u << 24, &bytes, &length, NULL), FD_OK);
        for (int i = 0; i <= 60; i++) {
            size_t cut = i < 50 ? length * (size_t)i / 50 : length - 1 - (size_t)(i - 50) * 3;
            fd_error err = {0};
            write_bytes(in_folder("cut.h5"), bytes, cut);
            assert_int_equal(read_all(in_folder("cut.h5"), &err), FD_ERR_FORMAT);
            if (cut >= 1000) assert_message(&err, "the file is truncated; make it again or restore a copy");
        }
        free(bytes);
    }
}

/* Flipped bits are found by checksums, or lie where they do not matter. */
static void damaged_files_are_answered(void **state) {
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        const char *path = kind ? fresh_network(true) : fresh_samples();
        char *bytes = NULL;
        size_t length = 0, loaded = 0;
        assert_int_equal(fd_read_text(path, 1u << 24, &bytes, &length, NULL), FD_OK);
        fd_rng rng;
        fd_rng_start(&rng, 4, FD_STREAM_TEST, (uint64_t)kind, 0);
        for (int i = 0; i < 400; i++) {
            size_t at[4];
            char kept[4];
            int n = 1 + i % 4;
            for (int k = 0; k < n; k++) {
                at[k] = (size_t)fd_rng_below(&rng, length);
                kept[k] = bytes[at[k]];
                bytes[at[k]] ^= (char)(1u << fd_rng_below(&rng, 8));
            }
            fd_error err = {0};
            write_bytes(in_folder("flip.h5"), bytes, length);
            fd_status status = read_all(in_folder("flip.h5"), &err);
            assert_true(status == FD_OK || status == FD_ERR_FORMAT || status == FD_ERR_VALUE);
            loaded += status == FD_OK;
            for (int k = n - 1; k >= 0; k--) bytes[at[k]] = kept[k];
        }
        print_message("damaged %s files: %zu of 400 still load\n", kind ? "network" : "sample", loaded);
        free(bytes);
    }
}

/* ---- analysis and description -------------------------------------------------------------------------------------------- */

static void analysis_files(void **state) {
    (void)state;
    const char *path = in_folder("analysis.h5");
    fd_error err = {0};
    for (size_t n = 0; n <= 50; n += 50) {
        double *observables = calloc(51 * (size_t)model->n_observables, sizeof *observables);
        for (size_t i = 0; i < n * (size_t)model->n_observables; i++) observables[i] = (double)i;
        make_rows(0, n, theta, labels, chi2, flags);
        fd_sample_info info = make_info(0);
        if (fd_analysis_write(path, n > 0, model, &info, &provenance, n, theta, observables, chi2, flags, &err))
            fail_msg("%s", err.message);
        free(observables);
        hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT), group = H5Gopen2(file, "observables", H5P_DEFAULT);
        int k = model->n_observables - 1;
        double column[50];
        char unit[32] = "";
        hid_t data = H5Dopen2(group, model->observables[k].name, H5P_DEFAULT), space = H5Dget_space(data);
        assert_int_equal(H5Sget_simple_extent_npoints(space), n);
        assert_true(H5Dread(data, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, column) >= 0);
        if (n) assert_true(column[49] == 49.0 * model->n_observables + k);
        hid_t attribute = H5Aopen(data, "unit", H5P_DEFAULT), type = H5Aget_type(attribute);
        assert_true(H5Tget_size(type) < sizeof unit);
        H5Aread(attribute, type, unit);
        assert_string_equal(unit, model->observables[k].unit);
        H5Tclose(type), H5Aclose(attribute), H5Sclose(space), H5Dclose(data), H5Gclose(group), H5Fclose(file);
    }
    refuse_samples(path, FD_ERR_FORMAT, "is a flavordiff-analysis file");
    char *text = NULL;
    assert_int_equal(fd_file_describe(path, true, &text, &err), FD_OK);
    json_t *root = json_loads(text, 0, NULL);
    assert_int_equal(json_array_size(json_object_get(root, "observables")), model->n_observables);
    json_decref(root);
    free(text);
}

/* `unit` and `description` on every dataset of every file. */
static herr_t check_dataset(hid_t root, const char *name, const H5O_info_t *info, void *user) {
    int *count = user;
    if (info->type != H5O_TYPE_DATASET) return 0;
    hid_t data = H5Dopen2(root, name, H5P_DEFAULT);
    if (H5Aexists(data, "unit") <= 0 || H5Aexists(data, "description") <= 0) fail_msg("%s lacks unit or description", name);
    H5Dclose(data);
    ++*count;
    return 0;
}

static void everything_is_described(void **state) {
    (void)state;
    const char *paths[] = {fresh_samples(), fresh_network(true), in_folder("analysis.h5")};
    static const char *const root_attributes[] = {"format", "format_version", "tool_version", "git_revision", "command",
                                                  "config", "seed", "isa", "created_utc", "parents", "conventions"};
    for (int i = 0; i < 3; i++) {
        int count = 0;
        hid_t file = H5Fopen(paths[i], H5F_ACC_RDONLY, H5P_DEFAULT);
        assert_true(file >= 0);
        assert_true(H5Ovisit2(file, H5_INDEX_NAME, H5_ITER_INC, check_dataset, &count, H5O_INFO_BASIC) >= 0);
        assert_true(count > 10);
        for (size_t a = 0; a < sizeof root_attributes / sizeof *root_attributes; a++)
            assert_true(H5Aexists(file, root_attributes[a]) > 0);
        H5Fclose(file);
    }
}

static void description_in_two_forms(void **state) {
    (void)state;
    fd_error err = {0};
    char *text = NULL;
    const char *path = fresh_samples();
    assert_int_equal(fd_file_describe(path, false, &text, &err), FD_OK);
    assert_non_null(strstr(text, "role                   selected\n"));
    assert_non_null(strstr(text, "  labels_in_prior      3\n"));
    free(text);
    assert_int_equal(fd_file_describe(path, true, &text, &err), FD_OK);
    json_t *root = json_loads(text, 0, NULL);
    assert_int_equal(json_integer_value(json_object_get(root, "rows")), 40);
    assert_string_equal(json_string_value(json_object_get(root, "config")), "name: 'x'\n");
    assert_string_equal(json_string_value(json_object_get(root, "seed")), "18446744073709551615");
    assert_string_equal(json_string_value(json_object_get(root, "created_utc")), "2023-11-14T22:13:20Z");
    json_decref(root);
    free(text);
    assert_int_equal(fd_file_describe(fresh_network(true), true, &text, &err), FD_OK);
    root = json_loads(text, 0, NULL);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(root, "training"), "updates")), 123456);
    assert_true(json_is_null(json_object_get(json_object_get(root, "training"), "validation_loss")));
    json_decref(root);
    free(text);
}

/* ---- small things -------------------------------------------------------------------------------------------------------- */

static void texts_and_folders(void **state) {
    (void)state;
    fd_error err = {0};
    const char *path = in_folder("text.txt"), *link = in_folder("link.txt");
    char *text = NULL, id[17];
    size_t length = 0;
    assert_int_equal(fd_write_text(path, "one\n", 4, &err), FD_OK);
    assert_int_equal(symlink("text.txt", link), 0);
    assert_int_equal(fd_write_text(link, "a", 1, &err), FD_OK); /* the link stays, what it points to is replaced */
    struct stat info;
    assert_true(lstat(link, &info) == 0 && S_ISLNK(info.st_mode));
    assert_int_equal(fd_read_text(path, 1, &text, &length, &err), FD_OK);
    assert_true(length == 1 && strcmp(text, "a") == 0);
    free(text);
    assert_int_equal(fd_file_id(path, id, &err), FD_OK);
    assert_string_equal(id, "af63dc4c8601ec8c"); /* FNV-1a 64 of "a", as published */
    assert_int_equal(fd_read_text(path, 0, &text, &length, &err), FD_ERR_FORMAT);
    assert_message(&err, "text.txt: larger than 0 bytes");
    assert_int_equal(fd_read_text(folder, 9, &text, &length, &err), FD_ERR_FILE);
    assert_message(&err, "is a folder, not a file");
    assert_int_equal(fd_read_text("no/such", 9, &text, &length, &err), FD_ERR_FILE);
    assert_int_equal(fd_write_text("no/such/file", "a", 1, &err), FD_ERR_FILE);
    assert_int_equal(fd_file_id("no/such", id, &err), FD_ERR_FILE);

    char deep[160];
    snprintf(deep, sizeof deep, "%s/a/b//c/", folder);
    assert_int_equal(fd_make_folder(deep, &err), FD_OK);
    assert_int_equal(fd_make_folder(deep, &err), FD_OK);
    assert_int_equal(fd_make_folder(path, &err), FD_ERR_FILE);
    assert_message(&err, "is not a folder; choose another name");
    snprintf(deep, sizeof deep, "%s/x", path);
    assert_int_equal(fd_make_folder(deep, &err), FD_ERR_FILE);
    assert_message(&err, "cannot make folder");
    static const char *const folders[] = {"a/b/c", "a/b", "a"};
    for (int i = 0; i < 3; i++) assert_int_equal(rmdir(in_folder(folders[i])), 0);
    assert_no_parts();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_round_trip),
        cmocka_unit_test(same_content_same_bytes),
        cmocka_unit_test(existing_files_are_kept),
        cmocka_unit_test(more_training_rows_than_rows),
        cmocka_unit_test(full_disk_is_told),
        cmocka_unit_test(model_file_round_trip),
        cmocka_unit_test(bad_networks_are_not_written),
        cmocka_unit_test(foreign_files_are_named),
        cmocka_unit_test(wrong_sample_files_are_named),
        cmocka_unit_test(rows_of_another_model_are_named),
        cmocka_unit_test(wrong_network_files_are_named),
        cmocka_unit_test(truncated_files_are_refused),
        cmocka_unit_test(damaged_files_are_answered),
        cmocka_unit_test(analysis_files),
        cmocka_unit_test(everything_is_described),
        cmocka_unit_test(description_in_two_forms),
        cmocka_unit_test(texts_and_folders),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
