/* merge, diff, verify: rows and tallies of parts against their plain concatenation, every refusal, and chains of files that were
 * moved, changed and lost. */
#include "file_fixtures.h"

#include "flavordiff/exchange.h"

enum { MANY = 450 };

/* How a part is made; what is not given is as in `plain`. */
typedef struct making {
    const char *verb, *config, *parents, *kernels, *target, *numbers, *role, *note;
    uint64_t seed, first, n, n_train;
    double vev_GeV;
} making;

static const making plain = {.verb = "sample", .parents = "", .target = "paper-table1-no", .role = "generated", .note = "n",
                             .config = "seed: 1\ntarget: 'paper-table1-no'\nsample:\n  n: 30\n  sampler:\n    steps: 20\n  guidance: 8\n"};

/* Counts that are linear in the seed, so that those of a sum are known. */
static fd_tally tally_of(uint64_t seed) {
    return (fd_tally){.n = 100 * seed, .finite = 90 * seed, .in_prior = 80 * seed, .masses = 7 * seed, .angles = 6 * seed, .five = 5 * seed,
                      .labels = 4 * seed, .labels_in_prior = 3 * seed, .five_in_prior = 2 * seed, .projected = 11 * seed,
                      .unreached = 13 * seed, .seconds = 0.25 * (double)seed};
}

static const char *make_part(const char *path, const making *how) {
    const fd_provenance from = {.verb = how->verb, .command = "c", .config = how->config, .seed = how->seed, .parents = how->parents,
                                .kernels = how->kernels};
    fd_sample_writer *writer = NULL;
    fd_sample_info info = {.n_train = how->n_train, .seed = how->seed, .tally = tally_of(how->seed), .alone = tally_of(2 * how->seed),
                           .groups = {how->seed, 0, 2}};
    fd_model_options_default(&info.model);
    if (how->vev_GeV > 0) info.model.vev_GeV = how->vev_GeV;
    snprintf(info.role, sizeof info.role, "%s", how->role);
    snprintf(info.target, sizeof info.target, "%s", how->target);
    snprintf(info.target_numbers, sizeof info.target_numbers, "%s", how->numbers ? how->numbers : "");
    snprintf(info.note, sizeof info.note, "%s", how->note);
    assert_int_equal(fd_samples_create(path, true, model, &from, &writer, NULL), FD_OK);
    for (uint64_t i = 0; i < how->n; i += MAX_ROWS) {
        size_t n = how->n - i < MAX_ROWS ? (size_t)(how->n - i) : MAX_ROWS;
        make_rows(how->first + i, n, theta, labels, chi2, flags);
        assert_int_equal(fd_samples_append(writer, n, theta, labels, chi2, flags, NULL), FD_OK);
    }
    assert_int_equal(fd_samples_finish(writer, &info, NULL), FD_OK);
    return path;
}

static making like(uint64_t seed, uint64_t first, uint64_t n, uint64_t n_train) {
    making how = plain;
    how.seed = seed, how.first = first, how.n = n, how.n_train = n_train;
    return how;
}

/* A root attribute, as another program would have written it. */
static void set_text(const char *path, const char *name, const char *value) {
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT), type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR);
    H5Tset_size(type, strlen(value) + 1);
    assert_true(H5Adelete(file, name) >= 0);
    hid_t attribute = H5Acreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(H5Awrite(attribute, type, value) >= 0);
    H5Aclose(attribute);
    H5Tclose(type);
    H5Sclose(space);
    H5Fclose(file);
}

/* Rows at .. at + n - 1 of the file are rows skip .. skip + n - 1 of the part that begins with row `first` of make_rows. */
static void assert_rows(fd_sample_reader *reader, uint64_t at, uint64_t first, size_t skip, size_t n) {
    size_t p = (size_t)model->n_params, l = (size_t)model->n_labels;
    static float theta2[MAX_ROWS * FD_MAX_PARAMS];
    static double labels2[MAX_ROWS * FD_MAX_LABELS], chi22[MAX_ROWS];
    static uint8_t flags2[MAX_ROWS];
    make_rows(first, skip + n, theta, labels, chi2, flags);
    assert_int_equal(fd_samples_read(reader, at, n, theta2, labels2, chi22, flags2, NULL), FD_OK);
    assert_memory_equal(theta2, theta + skip * p, n * p * sizeof *theta);
    assert_memory_equal(labels2, labels + skip * l, n * l * sizeof *labels);
    assert_memory_equal(chi22, chi2 + skip, n * sizeof *chi2);
    assert_memory_equal(flags2, flags + skip, n);
}

static void assert_counts(const fd_tally *tally, uint64_t seeds) {
    const fd_tally wanted = tally_of(seeds);
    assert_memory_equal(tally, &wanted, sizeof wanted);
}

static void parts_are_joined(void **state) {
    (void)state;
    making how[3] = {like(1, 0, 5000, 5000), like(2, 100000, 0, 0), like(4, 200000, 4097, 4097)};
    char names[3][300];
    const char *const parts[] = {names[0], names[1], names[2]};
    for (int i = 0; i < 3; i++) snprintf(names[i], sizeof names[i], "%s/part-%d.h5", folder, i);
    for (int split = 0; split < 2; split++) {
        fd_sample_reader *reader = NULL;
        fd_sample_info info, told;
        fd_error err = {0};
        if (split) how[0].n_train = 4000, how[2].n_train = 97, how[2].note = "of another count";
        for (int i = 0; i < 3; i++) make_part(parts[i], &how[i]);
        const char *all = in_folder("all.h5");
        if (fd_merge(3, parts, all, split > 0, "flavordiff merge", &told, &err)) fail_msg("%s", err.message);
        assert_int_equal(fd_samples_open(all, &reader, &info, NULL), FD_OK);
        assert_true(info.n == 9097 && told.n == 9097 && info.seed == 1);
        assert_true(info.n_train == (split ? 4097 : 9097) && told.n_train == info.n_train);
        assert_rows(reader, 0, 0, 0, split ? 4000 : 5000);
        if (split) { /* training rows of all, then the others */
            assert_rows(reader, 4000, 200000, 0, 97);
            assert_rows(reader, 4097, 0, 4000, 1000);
            assert_rows(reader, 5097, 200000, 97, 4000);
        } else {
            assert_rows(reader, 5000, 200000, 0, 4097);
        }
        fd_samples_close(reader);
        assert_counts(&info.tally, 7);
        assert_counts(&info.alone, 14);
        assert_true(info.groups[0] == 7 && info.groups[1] == 0 && info.groups[2] == 6);
        assert_string_equal(info.role, "generated");
        assert_string_equal(info.note, split ? "merged; the first of 3 parts: n" : "n");
    }
    assert_no_parts();
}

/* Two parts, the second made as `how`: refused with this status and this message, which names the second; nothing is written. */
static void refuse(const making *how, const char *wanted) {
    const making first = like(1, 0, 10, 10);
    const char *const parts[] = {make_part(in_folder("one.h5"), &first), make_part(in_folder("two.h5"), how)};
    fd_error err = {0};
    assert_int_equal(fd_merge(2, parts, in_folder("x.h5"), true, "", NULL, &err), FD_ERR_MISMATCH);
    assert_message(&err, wanted);
    assert_non_null(strstr(err.message, "two.h5: "));
    assert_false(exists(in_folder("x.h5")));
    assert_no_parts();
}

static void other_makings_are_refused(void **state) {
    (void)state;
    making how = like(2, 0, 10, 10);
    const char *const parts[] = {make_part(in_folder("one.h5"), &(making){.verb = plain.verb, .config = plain.config, .parents = "",
                                 .target = plain.target, .role = plain.role, .note = "n", .seed = 1}),
                                 make_part(in_folder("two.h5"), &how)};
    assert_int_equal(fd_merge(2, parts, in_folder("fine.h5"), true, "", NULL, NULL), FD_OK);
    how = like(1, 0, 10, 10), refuse(&how, "two.h5: seed 1, as ");
    how = like(2, 0, 10, 10), how.verb = "reference", refuse(&how, "verb is reference, but sample in ");
    how = like(2, 0, 10, 10), how.verb = "simulate", refuse(&how, "made by 'simulate'; parts of 'sample' or 'reference'");
    how = like(2, 0, 10, 10), how.verb = "merge", refuse(&how, "merged already; give its parts");
    how = like(2, 0, 10, 10), how.kernels = "abacus", refuse(&how, "kernels is abacus, but ");
    how = like(2, 0, 10, 10), how.target = "nufit", refuse(&how, "labelled_by is nufit, but paper-table1-no in ");
    how = like(2, 0, 10, 10), how.role = "reference", refuse(&how, "role is reference, but generated in ");
    how = like(2, 0, 10, 10), how.parents = "net.h5 0123456789abcdef", refuse(&how, "parent.1 is net.h5 0123456789abcdef, but not there in ");
    how = like(2, 0, 10, 10), how.vev_GeV = 174, refuse(&how, "of another model than ");
    how = like(2, 0, 10, 10), how.config = "seed: 2\ntarget: 'paper-table1-no'\nsample:\n  n: 30\n  sampler:\n    steps: 21\n  guidance: 8\n";
    refuse(&how, "sample.sampler.steps is 21, but 20 in ");
    how.config = "seed: 2\ntarget: 'other'\nsample:\n  n: 30\n  sampler:\n    steps: 20\n  guidance: 8\n";
    refuse(&how, "target is 'other', but 'paper-table1-no' in ");
    how.config = "seed: 2\ntarget: 'paper-table1-no'\nsample:\n  n: 30\n  sampler:\n    steps: 20\n";
    refuse(&how, "sample.guidance is not there, but 8 in ");
    how.config = "seed: 2\ntarget: 'paper-table1-no'\nsample:\n  n: 31\n  sampler:\n    steps: 20\n  guidance: 8\nn: 5\n";
    refuse(&how, "n is 5, but not there in ");
}

/* One name for two target sets is found out; two names for one do not matter. */
static void targets_are_their_numbers(void **state) {
    (void)state;
    making how[2] = {like(1, 0, 10, 10), like(2, 0, 10, 10)};
    fd_sample_info info;
    fd_error err = {0};
    how[0].numbers = "0123456789abcdef", how[1].numbers = "0123456789abcdee";
    const char *parts[] = {make_part(in_folder("one.h5"), &how[0]), make_part(in_folder("two.h5"), &how[1])};
    assert_int_equal(fd_merge(2, parts, in_folder("x.h5"), true, "", NULL, &err), FD_ERR_MISMATCH);
    assert_message(&err, "target_numbers is 0123456789abcdee, but 0123456789abcdef in ");
    how[1].numbers = how[0].numbers;
    how[1].config = "seed: 2\ntarget: 'copy.yaml'\nsample:\n  n: 30\n  sampler:\n    steps: 20\n  guidance: 8\n";
    make_part(parts[1], &how[1]);
    assert_int_equal(fd_merge(2, parts, in_folder("fine.h5"), true, "", &info, &err), FD_OK);
    assert_string_equal(info.target_numbers, how[0].numbers);
}

static void other_programs_are_refused(void **state) {
    (void)state;
    static const char *const texts[][3] = {{"tool_version", "9.9", "two.h5: version is 9.9, but "},
                                           {"git_revision", "f00", "two.h5: revision is f00, but "}};
    const making first = like(1, 0, 10, 10), second = like(2, 0, 10, 10);
    for (int i = 0; i < 2; i++) {
        const char *const parts[] = {make_part(in_folder("one.h5"), &first), make_part(in_folder("two.h5"), &second)};
        fd_error err = {0};
        set_text(parts[1], texts[i][0], texts[i][1]);
        assert_int_equal(fd_merge(2, parts, in_folder("x.h5"), true, "", NULL, &err), FD_ERR_MISMATCH);
        assert_message(&err, texts[i][2]);
        assert_int_equal(fd_merge(1, parts, in_folder("x.h5"), true, "", NULL, &err), FD_ERR_USAGE);
        assert_int_equal(fd_merge(2, parts, parts[0], true, "", NULL, &err), FD_ERR_USAGE);
        assert_int_equal(fd_merge(2, parts, in_folder("fine.h5"), false, "", NULL, &err), FD_ERR_FILE);
        assert_false(exists(in_folder("x.h5")));
    }
}

/* Networks are the same when their content is, wherever they lay; libraries need not be the same; kernels are those of the parts. */
static void what_does_not_matter(void **state) {
    (void)state;
    making how[2] = {like(1, 0, 10, 10), like(2, 10, 20, 20)};
    how[0].parents = "a/net.h5 0123456789abcdef", how[1].parents = "net.h5 0123456789abcdef";
    how[0].kernels = how[1].kernels = "abacus";
    const char *const parts[] = {make_part(in_folder("one.h5"), &how[0]), make_part(in_folder("two.h5"), &how[1])};
    char *text = NULL;
    set_text(parts[1], "libraries", "HDF5 9");
    assert_int_equal(fd_merge(2, parts, in_folder("all.h5"), true, "", NULL, NULL), FD_OK);
    assert_int_equal(fd_file_describe(in_folder("all.h5"), false, &text, NULL), FD_OK);
    assert_non_null(strstr(text, "isa                    abacus\n"));
    free(text);
}

/* More than the 64 kB that an attribute has in an object's header. */
static void many_parts(void **state) {
    (void)state;
    static char names[MANY][300];
    const char *parts[MANY];
    fd_sample_info info;
    fd_error err = {0};
    char *text = NULL;
    for (int i = 0; i < MANY; i++) {
        making how = like(1 + (uint64_t)i, (uint64_t)i, 1, 1);
        snprintf(names[i], sizeof names[i], "%s/p%0180d.h5", folder, i);
        parts[i] = make_part(names[i], &how);
    }
    if (fd_merge(MANY, parts, in_folder("all.h5"), true, "", &info, &err)) fail_msg("%s", err.message);
    assert_true(info.n == MANY);
    assert_counts(&info.tally, (uint64_t)MANY * (MANY + 1) / 2);
    if (fd_verify(in_folder("all.h5"), false, &text, &err)) fail_msg("%s", err.message);
    int lines = 0;
    for (const char *at = text; (at = strstr(at, "ok      ")); at++) lines++;
    assert_int_equal(lines, MANY);
    free(text);
    for (int i = 0; i < MANY; i++) unlink(names[i]);
}

static void differences(void **state) {
    (void)state;
    making how[2] = {like(1, 0, 10, 10), like(2, 0, 10, 10)};
    how[0].parents = "net.h5 0123456789abcdef\nb.h5 0123456789abcdef", how[1].parents = "a/net.h5 0123456789abcdef\nb.h5 fedcba9876543210";
    how[1].config = "seed: 2\ntarget: 'paper-table1-no'\nsample:\n  n: 30\n  sampler:\n    steps: 21\n    grid: karras\n";
    const char *a = make_part(in_folder("one.h5"), &how[0]), *b = make_part(in_folder("two.h5"), &how[1]);
    char *text = NULL;
    fd_error err = {0};
    assert_int_equal(fd_files_diff(a, a, false, &text, NULL), FD_OK);
    assert_string_equal(text, "");
    free(text);
    assert_int_equal(fd_files_diff(a, b, false, &text, NULL), FD_OK);
    assert_string_equal(text, "parent.2                         b.h5 0123456789abcdef | b.h5 fedcba9876543210\n"
                              "sample.guidance                  8 | (none)\n"
                              "sample.sampler.grid              (none) | karras\n"
                              "sample.sampler.steps             20 | 21\n"
                              "seed                             1 | 2\n");
    free(text);
    assert_int_equal(fd_files_diff(a, b, true, &text, NULL), FD_OK);
    json_t *root = json_loads(text, 0, NULL), *list = json_object_get(root, "differences");
    assert_int_equal(json_array_size(list), 5);
    assert_true(json_is_null(json_object_get(json_array_get(list, 1), "b")));
    assert_string_equal(json_string_value(json_object_get(json_array_get(list, 3), "b")), "21");
    json_decref(root);
    free(text);
    assert_int_equal(fd_files_diff(a, in_folder("nofile.h5"), false, &text, &err), FD_ERR_FILE);
    assert_null(text);
    set_text(b, "config", "\xff: \xff\n:\n      deep: 1\n \n  :::\nseed: 3\n\n"); /* whatever it says, it is text */
    assert_int_equal(fd_files_diff(a, b, true, &text, NULL), FD_OK);
    free(text);
}

/* A file `name`, made from the lines given; its own line "PATH HASH" into out. */
static void make_child(const char *name, uint64_t seed, const char *parents, char out[400]) {
    making how = like(seed, 0, 3, 3);
    char id[17];
    how.parents = parents;
    const char *path = make_part(in_folder(name), &how);
    assert_int_equal(fd_file_id(path, id, NULL), FD_OK);
    snprintf(out, 400, "%s %s", path, id);
}

static void assert_verified(const char *name, fd_status status, const char *wanted) {
    char *text = NULL;
    fd_error err = {0};
    assert_int_equal(fd_verify(in_folder(name), false, &text, &err), status);
    char found[1000] = "", *out = found; /* without the folder, which has another name each time */
    for (const char *c = text; c && *c; c++) {
        if (strncmp(c, folder, strlen(folder)) == 0) c += strlen(folder); /* and the slash */
        else *out++ = *c, *out = '\0';
    }
    assert_string_equal(found, wanted);
    if (status) assert_message(&err, name);
    free(text);
}

static void chains_are_verified(void **state) {
    (void)state;
    char pairs[400], net[400], samples[400], both[820];
    make_child("pairs.h5", 1, "", pairs);
    make_child("net.h5", 2, pairs, net);
    make_child("first.h5", 3, net, samples);
    snprintf(both, sizeof both, "%s\n%s", samples, net);
    make_child("last.h5", 4, both, samples);
    assert_verified("pairs.h5", FD_OK, "");
    assert_verified("last.h5", FD_OK, "ok      first.h5\n  ok      net.h5\n    ok      pairs.h5\n"); /* net.h5 once */
    unlink(in_folder("pairs.h5"));
    assert_verified("last.h5", FD_ERR_FILE, "ok      first.h5\n  ok      net.h5\n    missing pairs.h5\n");
    make_child("pairs.h5", 9, "", pairs);
    assert_verified("last.h5", FD_ERR_MISMATCH, "ok      first.h5\n  ok      net.h5\n    changed pairs.h5\n");
    make_child("net.h5", 9, "", pairs);
    char *text = NULL;
    assert_int_equal(fd_verify(in_folder("last.h5"), true, &text, NULL), FD_ERR_MISMATCH);
    json_t *root = json_loads(text, 0, NULL), *files = json_object_get(root, "files"), *second = json_array_get(files, 1);
    assert_int_equal(json_array_size(files), 2);
    assert_string_equal(json_string_value(json_object_get(second, "state")), "changed");
    assert_string_equal(json_string_value(json_object_get(second, "file")), in_folder("net.h5"));
    assert_string_equal(json_string_value(json_object_get(second, "child")), in_folder("first.h5"));
    json_decref(root);
    free(text);
    assert_verified("first.h5", FD_ERR_MISMATCH, "changed net.h5\n"); /* what is behind another file does not matter */
    make_child("moved.h5", 5, "", pairs);
    char elsewhere[500];
    snprintf(elsewhere, sizeof elsewhere, "/no/such/folder/moved.h5%s", pairs + strlen(pairs) - 17);
    make_child("child.h5", 6, elsewhere, samples);
    assert_verified("child.h5", FD_OK, "ok      moved.h5\n"); /* beside it */
    mkdir(in_folder("inner"), 0700);
    make_child("inner/child.h5", 6, elsewhere, samples);
    assert_verified("inner/child.h5", FD_OK, "ok      inner/../moved.h5\n"); /* above it */
    make_child("moved.h5", 7, "", pairs);
    assert_verified("inner/child.h5", FD_ERR_FILE, "missing /no/such/folder/moved.h5\n");
    assert_verified("child.h5", FD_ERR_MISMATCH, "changed moved.h5\n");
    unlink(in_folder("inner/child.h5"));
    rmdir(in_folder("inner"));
    make_child("wrong.h5", 7, "moved.h5 0123", samples);
    assert_verified("wrong.h5", FD_ERR_FORMAT, "");
    make_child("null.h5", 8, "/dev/zero 0123456789abcdef", samples); /* never ends */
    assert_verified("null.h5", FD_ERR_FILE, "missing /dev/zero\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_joined),       cmocka_unit_test(other_makings_are_refused),
        cmocka_unit_test(other_programs_are_refused), cmocka_unit_test(what_does_not_matter),
        cmocka_unit_test(many_parts),             cmocka_unit_test(differences),
        cmocka_unit_test(chains_are_verified),    cmocka_unit_test(targets_are_their_numbers),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
