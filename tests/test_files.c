/* Files: what is written reads back, and nothing half-written stays under a final name. */
#include "file_fixtures.h"
#include "io/h5.h"

/* What is read back. */
static float theta2[MAX_ROWS * FD_MAX_PARAMS];
static double labels2[MAX_ROWS * FD_MAX_LABELS], chi22[MAX_ROWS];
static uint8_t flags2[MAX_ROWS];

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

static void model_file_round_trip(void **state) {
    (void)state;
    const fd_schedule_kind kinds[] = {FD_SCHEDULE_LINEAR, FD_SCHEDULE_COSINE, FD_SCHEDULE_LOG_SNR};
    for (int round = 0; round < 3; round++) {
        int ema = round == 1;
        fd_model_file file, back;
        fd_error err = {0};
        const char *path = in_folder("network.h5");
        make_model_file(&file, ema);
        file.schedule.kind = kinds[round];
        if (kinds[round] == FD_SCHEDULE_LOG_SNR) file.schedule.s_min = 0.01, file.schedule.s_max = 30;
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

static void informed_file_round_trip(void **state) {
    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        fd_model_file file, back;
        fd_error err = {0};
        const char *path = in_folder("informed.h5");
        bool informed = false;
        make_informed_file(&file);
        file.told.prediction = (fd_prediction)kind;
        file.told.guess = kind != 1;
        if (fd_model_file_write(path, true, &file, &provenance, &err)) fail_msg("%s", err.message);
        if (fd_model_file_read(path, &back, &err)) fail_msg("%s", err.message);
        assert_true(back.informed && back.told.prediction == file.told.prediction && back.told.guess == file.told.guess);
        assert_true(back.told.smooth && back.told.waves == 5);
        assert_memory_equal(back.label_slopes, file.label_slopes, sizeof file.label_slopes);
        assert_true(back.told.label_steps == 1 && back.told.regularisation == 3e-4 && back.told.clip == 7 &&
                    back.told.margin == 0.02 && back.told.fade == 0.4 && back.told.trust == 5 &&
                    back.told.trust_floor == 0.03);
        assert_int_equal(back.network->spec.n_features, 23 + 23 + 11 + 5);
        assert_memory_equal(&back.network->spec, &file.network->spec, sizeof file.network->spec);
        assert_memory_equal(back.network->weights, file.network->weights, file.network->n_weights * sizeof(float));
        assert_int_equal(fd_model_file_is_informed(path, &informed, &err), FD_OK);
        assert_true(informed);
        fd_model_file_clear(&file);
        fd_model_file_clear(&back);
    }
    bool informed = true;
    assert_int_equal(fd_model_file_is_informed(fresh_network(false), &informed, NULL), FD_OK);
    assert_false(informed);
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
                                                  "config", "seed", "isa", "created_utc", "parents", "conventions", "libraries"};
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
    assert_non_null(strstr(text, "\nconfig\n  name: 'x'\n"));
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

/* What an older file need not have is not taken for absent because HDF5 could not look: then other rows would come of it. */
static void not_knowing_is_a_failure(void **state) {
    (void)state;
    const char *path = in_folder("samples.h5");
    fd_error err = {0};
    fd_h5 h;
    assert_int_equal(write_samples(path, true, 10, 10, &err), FD_OK);
    fd_h5_open(&h, path, &err);
    hid_t group = fd_h5_group(&h, "samples");
    assert_true(fd_h5_has_attribute(&h, group, "role") && fd_h5_has(&h, "samples/theta"));
    assert_false(fd_h5_has_attribute(&h, group, "no such") || fd_h5_has(&h, "no/such") || h.status);
    H5Gclose(group);
    assert_false(fd_h5_has_attribute(&h, group, "role"));
    assert_int_equal(h.status, FD_ERR_FORMAT);
    assert_message(&err, "role cannot be read");
    fd_h5_leave(&h);
    fd_h5_open(&h, path, &err);
    H5Fclose(h.file);
    assert_false(fd_h5_has(&h, "samples"));
    assert_int_equal(h.status, FD_ERR_FORMAT);
    h.file = H5I_INVALID_HID;
    fd_h5_leave(&h);
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
        cmocka_unit_test(informed_file_round_trip),
        cmocka_unit_test(bad_networks_are_not_written),
        cmocka_unit_test(analysis_files),
        cmocka_unit_test(everything_is_described),
        cmocka_unit_test(description_in_two_forms),
        cmocka_unit_test(not_knowing_is_a_failure),
        cmocka_unit_test(texts_and_folders),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
