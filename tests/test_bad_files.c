/* Files that are not what they should be: each is named in one line, none is a crash. */
#include "file_fixtures.h"

#include <fcntl.h>
#include <sys/file.h>

/* ---- files that are wrong ---------------------------------------------------------------------------------------------- */

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
                   "is a flavordiff-network file; needed here is a sample file, made by 'simulate', 'select', 'sample' or 'reference'");
    assert_int_equal(write_samples(path, true, 3, 3, NULL), FD_OK);
    refuse_network(path, FD_ERR_FORMAT, "is a flavordiff-samples file; needed here is a network file, made by 'train' or");
}

/* HDF5 locks what it writes, and would say "Resource temporarily unavailable". */
static void a_file_being_written_is_named(void **state) {
    (void)state;
    const char *path = fresh_samples();
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    if (!getenv("HDF5_USE_FILE_LOCKING") && flock(fd, LOCK_EX | LOCK_NB) == 0)
        refuse_samples(path, FD_ERR_FILE, "cannot open: another process is writing it; wait until it is done");
    close(fd);
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

static void set_real(const char *path, const char *object, const char *name, double value) {
    set_attribute(path, object, name, H5T_NATIVE_DOUBLE, 0, &value);
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
    set_attribute(path = fresh_samples(), "/tally", "projected", -1, 0, NULL); /* as in files of before there was one */
    fd_sample_reader *reader = NULL;
    fd_sample_info info;
    assert_int_equal(fd_samples_open(path, &reader, &info, NULL), FD_OK);
    assert_true(info.tally.projected == 0 && info.tally.n > 0);
    fd_samples_close(reader);
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

/* A file may say that its rows stand in another one. */
static void rows_elsewhere_are_refused(void **state) {
    (void)state;
    const char *path = fresh_samples(), *other = in_folder("other.bin");
    static const double numbers[40];
    hsize_t dims[1] = {40};
    assert_int_equal(fd_write_text(other, (const char *)numbers, sizeof numbers, NULL), FD_OK);
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT), create = H5Pcreate(H5P_DATASET_CREATE);
    hid_t space = H5Screate_simple(1, dims, NULL);
    assert_true(H5Ldelete(file, "/samples/chi2", H5P_DEFAULT) >= 0);
    assert_true(H5Pset_external(create, strrchr(other, '/') + 1, 0, sizeof numbers) >= 0);
    hid_t dataset = H5Dcreate2(file, "/samples/chi2", H5T_IEEE_F64LE, space, H5P_DEFAULT, create, H5P_DEFAULT);
    assert_true(dataset >= 0);
    H5Dclose(dataset);
    H5Sclose(space);
    H5Pclose(create);
    H5Fclose(file);
    refuse_samples(path, FD_ERR_FORMAT, "/samples/chi2 declares more rows than the file holds");
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
    set_text(path = fresh_network(false), "/schedule", "kind", "log_snr"); /* and no s_min */
    refuse_network(path, FD_ERR_FORMAT, "s_min");
    set_real(path = fresh_network(false), "/schedule", "beta_max", 2);
    refuse_network(path, FD_ERR_FORMAT, "/schedule: beta_min 0.0001 and beta_max 2 must lie between 0 and 1");
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

static void wrong_informants_are_named(void **state) {
    (void)state;
    const char *path;
    bool informed;
    fd_error err = {0};
    set_text(path = fresh_informed(), "/informant", "prediction", "score");
    refuse_network(path, FD_ERR_FORMAT, "'prediction' of /informant is 'score', which this program does not know; upgrade");
    set_u64(path = fresh_informed(), "/informant", "label_steps", 3);
    refuse_network(path, FD_ERR_FORMAT, "'label_steps' of /informant is 3, must be 0 to 2");
    set_u64(path = fresh_informed(), "/informant", "label_steps", (UINT64_C(1) << 32) + 1);
    refuse_network(path, FD_ERR_FORMAT, "'label_steps' of /informant is 4294967297, must be 0 to 2");
    set_u64(path = fresh_informed(), "/informant", "label_steps", 0);
    refuse_network(path, FD_ERR_FORMAT, "/informant tells of 28 features, /network of 62");
    set_u64(path = fresh_informed(), "/informant", "waves", UINT64_MAX);
    refuse_network(path, FD_ERR_FORMAT, "/informant tells of 57 features, /network of 62");
    static const char *const positive[] = {"regularisation", "clip", "fade", "trust", "trust_floor", "margin"};
    for (size_t i = 0; i < sizeof positive / sizeof *positive; i++) {
        set_real(path = fresh_informed(), "/informant", positive[i], -1);
        refuse_network(path, FD_ERR_FORMAT, "/informant: informant: ");
        set_real(path = fresh_informed(), "/informant", positive[i], (double)NAN);
        refuse_network(path, FD_ERR_FORMAT, "/informant: informant: ");
        set_real(path = fresh_informed(), "/informant", positive[i], (double)INFINITY);
        refuse_network(path, FD_ERR_FORMAT, "/informant: informant: ");
        set_attribute(path = fresh_informed(), "/informant", positive[i], -1, 0, NULL);
        refuse_network(path, FD_ERR_FORMAT, "of /informant is missing; make the file again");
    }
    set_attribute(path = fresh_informed(), "/network", "n_features", -1, 0, NULL);
    refuse_network(path, FD_ERR_FORMAT, "the attribute 'n_features' of /network is missing");
    set_u64(path = fresh_informed(), "/network", "n_features", 61);
    refuse_network(path, FD_ERR_FORMAT, "/network/layer_0/weight has 97 entries along axis 1 where 96 are needed");
    set_u64(path = fresh_informed(), "/network", "n_features", UINT64_MAX);
    refuse_network(path, FD_ERR_FORMAT, "a network of 18446744073709551615 features; at most 160 are possible");
    hid_t file = H5Fopen(path = fresh_informed(), H5F_ACC_RDWR, H5P_DEFAULT);
    H5Ldelete(file, "/informant", H5P_DEFAULT);
    H5Fclose(file);
    refuse_network(path, FD_ERR_FORMAT, "/network/layer_0/weight has 97 entries along axis 1 where 35 are needed");
    assert_int_equal(fd_model_file_is_informed(fresh_samples(), &informed, &err), FD_ERR_FORMAT);
    assert_int_equal(fd_model_file_is_informed("no/such.h5", &informed, &err), FD_ERR_FILE);
}

static herr_t no_time(hid_t object, const char *name, const H5O_info_t *info, void *user) {
    (void)object, (void)user;
    if (info->ctime || info->mtime || info->btime) fail_msg("object %s has a time", name);
    return 0;
}

/* The same content is the same bytes, whenever it is written. */
static void no_object_has_a_time(void **state) {
    (void)state;
    const char *paths[] = {fresh_samples(), fresh_network(true), fresh_informed()};
    for (int i = 0; i < 3; i++) {
        hid_t file = H5Fopen(paths[i], H5F_ACC_RDONLY, H5P_DEFAULT);
        assert_true(H5Ovisit2(file, H5_INDEX_NAME, H5_ITER_INC, no_time, NULL, H5O_INFO_TIME) >= 0);
        H5Fclose(file);
    }
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(foreign_files_are_named),
        cmocka_unit_test(a_file_being_written_is_named),
        cmocka_unit_test(wrong_sample_files_are_named),
        cmocka_unit_test(rows_elsewhere_are_refused),
        cmocka_unit_test(rows_of_another_model_are_named),
        cmocka_unit_test(wrong_network_files_are_named),
        cmocka_unit_test(wrong_informants_are_named),
        cmocka_unit_test(no_object_has_a_time),
        cmocka_unit_test(truncated_files_are_refused),
        cmocka_unit_test(damaged_files_are_answered),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
