/* The stage that writes exact draws: the same for any number of threads, all rows solutions, and refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <inttypes.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "flavordiff/stages.h"
#include "folder.h"

static fd_config settings(const char *target, uint64_t n) {
    fd_config c;
    fd_config_default(&c);
    snprintf(c.target, sizeof c.target, "%s", target);
    c.reference.n = n;
    return c;
}

static fd_status reference(const fd_config *config, const char *name, fd_error *err) {
    fd_run run = {.config = config, .command = "test"};
    unlink(at(name));
    return fd_stage_reference(&run, at(name), err);
}

/* A target set like `like` with the lines of sed script `edits` applied. */
static const char *edited_target(const char *like, const char *edits) {
    char command[1024];
    const char *path = at("edited.yaml");
    snprintf(command, sizeof command, "sed -e '%s' %s/targets/%s.yaml >%s", edits, FD_SOURCE_DIR, like, path);
    assert_int_equal(system(command), 0);
    return path;
}

/* The windows of paper-table1-no, wide enough that a few thousand prior draws find some. */
static const char *wide_target(void) {
    return edited_target("paper-table1-no",
                         "s/lo: 6.82e-5, hi: 8.03e-5/lo: 2e-5, hi: 4e-4/; s/lo: 2.427e-3, hi: 2.590e-3/lo: 1e-3, hi: 5e-3/;"
                         "s/lo: 0.275, hi: 0.345/lo: 0.1, hi: 0.7/; s/lo: 0.02030, hi: 0.02388/lo: 0.001, hi: 0.3/;"
                         "s/lo: 0.435, hi: 0.585/lo: 0.2, hi: 0.8/; s/group: modulus, unit: 1, lo: [0-9.]*, hi: [0-9.]*/"
                         "group: modulus, unit: 1, lo: 0, hi: 1/");
}

typedef struct rows {
    fd_sample_info info;
    float *theta;
    double *labels, *chi2;
    uint8_t *flags;
    size_t width;
} rows;

static rows load(const char *name) {
    rows r = {0};
    fd_error err;
    fd_sample_reader *reader;
    ok(fd_samples_open(at(name), &reader, &r.info, &err), &err);
    size_t n = (size_t)r.info.n;
    r.width = r.info.model.real_majorana ? 21 : 23;
    r.theta = malloc(n * r.width * sizeof(float));
    r.labels = malloc(n * 11 * sizeof(double));
    r.chi2 = malloc(n * sizeof(double));
    r.flags = malloc(n);
    ok(fd_samples_read(reader, 0, n, r.theta, r.labels, r.chi2, r.flags, &err), &err);
    fd_samples_close(reader);
    return r;
}

static void drop(rows *r) { free(r->theta), free(r->labels), free(r->chi2), free(r->flags); }

static void assert_same(const rows *a, const rows *b, size_t n) {
    assert_memory_equal(a->theta, b->theta, n * a->width * sizeof(float));
    assert_memory_equal(a->labels, b->labels, n * 11 * sizeof(double));
    assert_memory_equal(a->chi2, b->chi2, n * sizeof(double));
    assert_memory_equal(a->flags, b->flags, n);
}

/* As many rows as asked, every one a solution inside the prior, none twice; a shorter file is the beginning of a longer. */
static void check(const fd_config *config, const char *method) {
    fd_error err;
    fd_config fewer = *config;
    fewer.reference.n = config->reference.n / 3;
    omp_set_num_threads(1);
    ok(reference(config, "one.h5", &err), &err);
    omp_set_num_threads(3);
    ok(reference(config, "three.h5", &err), &err);
    ok(reference(&fewer, "fewer.h5", &err), &err);
    rows a = load("one.h5"), b = load("three.h5"), c = load("fewer.h5");
    assert_int_equal(a.info.n, config->reference.n);
    assert_int_equal(c.info.n, config->reference.n / 3);
    assert_same(&a, &b, (size_t)a.info.n);
    assert_same(&a, &c, (size_t)c.info.n);
    assert_string_equal(a.info.note, b.info.note);
    assert_string_equal(a.info.role, "reference");
    assert_non_null(strstr(a.info.note, method));
    assert_int_equal(a.info.tally.n, a.info.n);
    assert_int_equal(a.info.tally.labels_in_prior, a.info.n);
    assert_int_equal(a.info.tally.five_in_prior, a.info.n);
    for (size_t i = 0; i < a.info.n; i++) {
        assert_int_equal(a.flags[i], FD_FINITE | FD_IN_PRIOR | FD_MASSES | FD_ANGLES | FD_LABELS);
        assert_true(i == 0 || a.theta[i * a.width] != a.theta[(i - 1) * a.width]);
    }
    drop(&a), drop(&b), drop(&c);
}

static void orbits_for_any_number_of_threads(void **state) {
    (void)state;
    fd_config c = settings("paper-table1-no", 300);
    check(&c, "orbits, cluster 0.3; rows from ");
    c = settings("nufit-6.0-ic24-io", 9);
    c.reference.cluster = 2;
    c.model.real_majorana = true;
    check(&c, "orbits, cluster 2; rows from ");
}

static void rejection_for_any_number_of_threads(void **state) {
    (void)state;
    fd_config c = settings(wide_target(), 60);
    c.reference.method = FD_REFERENCE_REJECTION;
    check(&c, "rejection, k solved for; ");
}

/* The orbits behind the rows are counted: nearly all rows have one of their own, or few do. */
static void orbits_are_counted(void **state) {
    (void)state;
    fd_error err;
    for (int many = 0; many < 2; many++) {
        fd_config c = settings("paper-table1-no", 600);
        uint64_t orbits = 0, tried = 0;
        c.reference.cluster = many ? 30 : 0.05;
        ok(reference(&c, "counted.h5", &err), &err);
        rows r = load("counted.h5");
        assert_int_equal(sscanf(strstr(r.info.note, "rows from"), "rows from %" SCNu64 " orbits of %" SCNu64 " tried", &orbits, &tried), 2);
        uint64_t distinct = 1; /* r1 belongs to the orbit */
        for (size_t i = 1; i < r.info.n; i++) distinct += r.theta[i * 23 + 18] != r.theta[(i - 1) * 23 + 18];
        assert_int_equal(orbits, distinct);
        assert_true(many ? orbits < 150 : orbits > 550);
        assert_true(tried > 10 * orbits);
        drop(&r);
    }
}

static int stop(void *user, const char *stage, uint64_t done, uint64_t total, const fd_tally *tally, const char *detail) {
    (void)user, (void)stage, (void)done, (void)total, (void)tally, (void)detail;
    return 1;
}

static void nothing_is_left_of_what_fails(void **state) {
    (void)state;
    fd_error err;
    fd_config c = settings("paper-table1-no", 50);
    fd_run run = {.config = &c, .command = "test"};
    ok(reference(&c, "there.h5", &err), &err);
    assert_int_equal(fd_stage_reference(&run, at("there.h5"), &err), FD_ERR_FILE);
    run.force = true;
    ok(fd_stage_reference(&run, at("there.h5"), &err), &err);
    run.progress = stop;
    assert_int_equal(fd_stage_reference(&run, at("stopped.h5"), &err), FD_ERR_STOPPED);
    /* Moduli that no unitary matrix has. */
    c = settings(edited_target("paper-table1-no", "s/lo: 0.801, hi: 0.842, best: 0.822/lo: 0.101, hi: 0.142, best: 0.122/"), 50);
    assert_int_equal(reference(&c, "impossible.h5", &err), FD_ERR_CONFIG);
    assert_non_null(strstr(err.message, "no unitary matrix"));
    static const char *const none[] = {"stopped.h5", "stopped.h5.part", "impossible.h5", "impossible.h5.part"};
    for (int i = 0; i < 4; i++) assert_int_not_equal(access(at(none[i]), F_OK), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(orbits_for_any_number_of_threads), cmocka_unit_test(rejection_for_any_number_of_threads),
        cmocka_unit_test(orbits_are_counted), cmocka_unit_test(nothing_is_left_of_what_fails)};
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
