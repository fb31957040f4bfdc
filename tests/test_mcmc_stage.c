/* Stages of Markov chains: a short run is refused, a set that is exact does not drift, one with a planted bias does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "flavordiff/stages.h"
#include "folder.h"

static char said[1 << 14];

static void listen(void *user, const char *line) {
    (void)user;
    size_t used = strlen(said);
    snprintf(said + used, sizeof said - used, "%s\n", line);
}

static fd_config settings(void) {
    fd_config c;
    fd_config_default(&c);
    snprintf(c.target, sizeof c.target, "paper-table1-no");
    c.reference.method = FD_REFERENCE_MCMC;
    c.reference.n = 250;
    c.reference.chains = 8;
    c.reference.burn_in = 64;
    c.reference.steps = 100;
    return c;
}

static fd_status reference(const fd_config *c, const char *name, bool strict, fd_error *err) {
    fd_run run = {.config = c, .command = "test", .strict = strict, .force = true, .message = listen};
    said[0] = '\0';
    return fd_stage_reference(&run, at(name), err);
}

static fd_sample_info read_all(const char *name, float *theta) {
    fd_sample_reader *reader;
    fd_sample_info info;
    fd_error err;
    ok(fd_samples_open(at(name), &reader, &info, &err), &err);
    ok(fd_samples_read(reader, 0, (size_t)info.n, theta, NULL, NULL, NULL, &err), &err);
    fd_samples_close(reader);
    return info;
}

static void a_short_run_is_refused(void **state) {
    (void)state;
    fd_error err;
    fd_config c = settings();
    static float a[300 * 23], b[300 * 23];
    omp_set_num_threads(1);
    ok(reference(&c, "short.h5", false, &err), &err);
    assert_non_null(strstr(said, "NOT CONVERGED"));
    fd_sample_info info = read_all("short.h5", a);
    assert_int_equal(info.n, 250);
    assert_int_equal(info.tally.labels_in_prior, 250);
    assert_string_equal(info.role, "reference");
    assert_int_equal(strncmp(info.note, "NOT CONVERGED. Markov chains", 28), 0);
    omp_set_num_threads(3);
    assert_int_equal(reference(&c, "strict.h5", true, &err), FD_ERR_WANTING);
    assert_non_null(strstr(err.message, "not converged"));
    read_all("strict.h5", b); /* written all the same, and the same */
    assert_memory_equal(a, b, 250 * 23 * sizeof *a);
}

static void a_gaussian_likelihood_leaves_the_windows(void **state) {
    (void)state;
    fd_error err;
    fd_config c = settings();
    static float a[300 * 23];
    c.reference.likelihood = FD_LIKELIHOOD_GAUSSIAN;
    ok(reference(&c, "gauss.h5", false, &err), &err);
    fd_sample_info info = read_all("gauss.h5", a);
    assert_int_equal(info.n, 250);
    assert_true(info.tally.labels_in_prior > 150 && info.tally.labels_in_prior < 250);
    c.reference.method = FD_REFERENCE_ORBIT;
    assert_int_equal(reference(&c, "gauss.h5", false, &err), FD_ERR_CONFIG);
}

/* Exact draws do not drift; those of them with a small r1, half of them, do. */
static void drift(void **state) {
    (void)state;
    enum { N = 360 };
    fd_error err;
    fd_config c = settings();
    fd_model *model;
    fd_sample_writer *writer;
    static float theta[N * 23];
    static double zeros[N * 11];
    static uint8_t flags[N];
    size_t kept = 0;
    c.reference.method = FD_REFERENCE_ORBIT;
    c.reference.n = N;
    c.exact.burn_in = 96;
    fd_run run = {.config = &c, .command = "test", .force = true, .strict = true, .message = listen};
    ok(fd_stage_reference(&run, at("orbits.h5"), &err), &err);
    said[0] = '\0';
    ok(fd_stage_exact(&run, NULL, at("orbits.h5"), at("exact.h5"), &err), &err);
    assert_non_null(strstr(said, "exact: 360 rows"));
    assert_non_null(strstr(said, "; 0 of 52 quantities drifted: no difference"));
    assert_non_null(strstr(said, "\nre_Y_1e ")); /* the first and the last of the table */
    assert_non_null(strstr(said, "\nyukawa_digits"));
    fd_sample_info info = read_all("exact.h5", theta);
    assert_int_equal(info.n, N);
    assert_int_equal(info.tally.labels_in_prior, N);

    for (size_t i = 0; i < N; i++)
        if (theta[i * 23 + 18] < 0.2f) memmove(theta + kept++ * 23, theta + i * 23, 23 * sizeof *theta);
    assert_true(kept > N / 3 && kept < N / 3 * 2);
    const fd_provenance provenance = {.verb = "test", .command = "test", .config = "", .parents = ""};
    ok(fd_model_create(&info.model, &model, &err), &err);
    ok(fd_samples_create(at("biased.h5"), true, model, &provenance, &writer, &err), &err);
    ok(fd_samples_append(writer, kept, theta, zeros, zeros, flags, &err), &err);
    info.n = info.n_train = kept;
    ok(fd_samples_finish(writer, &info, &err), &err);
    said[0] = '\0';
    ok(fd_stage_exact(&run, NULL, at("biased.h5"), at("again.h5"), &err), &err);
    assert_non_null(strstr(said, "DRIFTED"));
    assert_non_null(strstr(said, "the set was not distributed as exact draws"));
    c.exact.max_steps = 230; /* one stretch, and none to see whether it was enough */
    assert_int_equal(fd_stage_exact(&run, NULL, at("biased.h5"), at("again.h5"), &err), FD_ERR_WANTING);
    /* The set's own target counts, whatever the settings say; another one only when it is given. */
    snprintf(c.target, sizeof c.target, "nufit-6.0-ic24-no");
    assert_int_equal(fd_stage_exact(&run, NULL, at("biased.h5"), at("own.h5"), &err), FD_ERR_WANTING);
    assert_string_equal(read_all("own.h5", theta).target, "paper-table1-no");
    assert_int_equal(fd_stage_exact(&run, "nufit-6.0-ic24-no", at("orbits.h5"), at("other.h5"), &err), FD_ERR_WANTING);
    assert_string_equal(read_all("other.h5", theta).target, "nufit-6.0-ic24-no");
    assert_int_equal(fd_stage_exact(&run, "paper-table1-io", at("orbits.h5"), at("x.h5"), &err), FD_ERR_MISMATCH);
    fd_model_free(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_short_run_is_refused), cmocka_unit_test(a_gaussian_likelihood_leaves_the_windows),
        cmocka_unit_test(drift)};
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
