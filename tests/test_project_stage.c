/* Projection without a network: prior draws become solutions inside the prior, each on a label of its own, the same for any
 * number of threads; the ledger's two lines, other labels, and refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "flavordiff/stages.h"
#include "folder.h"
#include "stages/common.h"

enum { N = 200, DIM = 23, LABELS = 11 };

typedef struct rows {
    fd_sample_info info;
    float theta[N * DIM];
    double labels[N * LABELS], chi2[N];
    uint8_t flags[N];
} rows;

static void load(const char *name, rows *r) {
    fd_error err;
    fd_sample_reader *reader;
    memset(r, 0, sizeof *r);
    ok(fd_samples_open(at(name), &reader, &r->info, &err), &err);
    assert_int_equal(r->info.n, N);
    ok(fd_samples_read(reader, 0, N, r->theta, r->labels, r->chi2, r->flags, &err), &err);
    fd_samples_close(reader);
    r->info.tally.seconds = r->info.alone.seconds = 0;
}

static fd_config settings(void) {
    fd_config c;
    fd_config_default(&c);
    snprintf(c.target, sizeof c.target, "paper-table1-no");
    c.simulate.pairs = N;
    c.informed.sample.generate.label = FD_LABEL_WINDOW;
    c.informed.sample.generate.project = (fd_project_spec){.steps = 60, .trust = 0.5, .tolerance = 1e-6};
    return c;
}

static fd_run run_of(const fd_config *config) { return (fd_run){.config = config, .command = "test", .force = true}; }

static rows prior, one, other; /* too large for the stack of some machines */

static void prior_draws_become_solutions(void **state) {
    (void)state;
    fd_error err;
    fd_config c = settings();
    fd_run run = run_of(&c);
    fd_setting setting;
    ok(fd_stage_project(&run, at("prior.h5"), at("projected.h5"), &err), &err);
    load("prior.h5", &prior);
    load("projected.h5", &one);
    assert_string_equal(one.info.role, "generated");
    assert_non_null(strstr(one.info.note, "projection alone, no network: rows of a set of role prior; label window"));
    /* what was read stands beside it, as simulate had judged it: no scan, so the tallies are of the same rows */
    assert_memory_equal(&one.info.alone, &prior.info.tally, sizeof one.info.alone);
    assert_int_equal(one.info.tally.n, N);
    assert_true(prior.info.tally.labels_in_prior == 0 && one.info.tally.labels_in_prior >= N * 9 / 10);

    /* By the model itself: inside the prior, labels those of the row, and a row that arrived lies on the label drawn for it. */
    ok(fd_setting_create(&one.info.model, one.info.target, &setting, &err), &err);
    uint64_t solutions = 0, unreached = 0, projected = 0;
    for (uint64_t i = 0; i < N; i++) {
        double theta[DIM], labels[LABELS], observables[FD_MAX_OBSERVABLES], aim[LABELS];
        fd_chi2 chi2;
        fd_rng rng;
        for (int j = 0; j < DIM; j++) theta[j] = one.theta[i * DIM + (uint64_t)j];
        assert_true(setting.model->in_prior(setting.model, theta));
        setting.model->forward(setting.model, 1, theta, labels, observables);
        assert_memory_equal(labels, one.labels + i * LABELS, sizeof labels);
        uint8_t verdict = fd_judge_point(setting.judge, theta, observables, &chi2);
        assert_int_equal(one.flags[i] & (FD_PROJECTED - 1), verdict);
        assert_true(one.chi2[i] == chi2.five);
        fd_rng_start(&rng, fd_derive_seed(c.seed, "project"), FD_STREAM_LABEL, i, 0);
        fd_judge_window_label(setting.judge, &rng, aim);
        double farthest = 0;
        for (int k = 0; k < LABELS; k++) farthest = fmax(farthest, fabs(labels[k] - aim[k]));
        /* float32 parameters: labels move by some 1e-7 times how strongly they depend on them */
        assert_true((one.flags[i] & FD_UNREACHED) || farthest < 1e-3);
        solutions += (verdict & FD_LABELS) != 0;
        unreached += (one.flags[i] & FD_UNREACHED) != 0, projected += (one.flags[i] & FD_PROJECTED) != 0;
    }
    assert_true(one.info.tally.labels == solutions && one.info.tally.unreached == unreached &&
                one.info.tally.projected == projected && projected >= N - unreached);
    fd_setting_free(&setting);
}

static void assert_same(const rows *a, const rows *b) {
    assert_memory_equal(&a->info.tally, &b->info.tally, sizeof a->info.tally);
    assert_memory_equal(a->theta, b->theta, sizeof a->theta);
    assert_memory_equal(a->labels, b->labels, sizeof a->labels);
    assert_memory_equal(a->flags, b->flags, sizeof a->flags);
}

static void threads_do_not_matter(void **state) {
    (void)state;
    fd_error err;
    fd_config c = settings();
    fd_run run = run_of(&c);
    static const fd_label_choice choices[] = {FD_LABEL_WINDOW, FD_LABEL_GAUSSIAN, FD_LABEL_CENTRAL};
    for (int k = 0; k < 3; k++) {
        c.informed.sample.generate.label = choices[k];
        omp_set_num_threads(1);
        ok(fd_stage_project(&run, at("prior.h5"), at("one.h5"), &err), &err);
        omp_set_num_threads(3);
        ok(fd_stage_project(&run, at("prior.h5"), at("three.h5"), &err), &err);
        omp_set_num_threads(2);
        load("one.h5", &one);
        load("three.h5", &other);
        assert_same(&one, &other);
        /* labels from the global fit reach out of the windows of 3 sigma, though rarely */
        assert_true(one.info.tally.labels_in_prior >= N * 8 / 10);
    }
}

/* A row the projection leaves alone keeps its bits: with trust for no step at all, every row inside the prior. */
static void unmoved_rows_stay(void **state) {
    (void)state;
    fd_error err;
    fd_config c = settings();
    fd_run run = run_of(&c);
    ok(fd_stage_project(&run, at("prior.h5"), at("once.h5"), &err), &err);
    c.informed.sample.generate.project.trust = 1e-300;
    ok(fd_stage_project(&run, at("once.h5"), at("twice.h5"), &err), &err);
    load("once.h5", &one);
    load("twice.h5", &other);
    for (size_t i = 0; i < N; i++)
        if ((other.flags[i] & (FD_PROJECTED | FD_UNREACHED)) == FD_UNREACHED)
            assert_memory_equal(one.theta + i * DIM, other.theta + i * DIM, DIM * sizeof(float));
    /* a projected set can be projected again, and its rows as read are what the first time made of them */
    assert_int_equal(other.info.alone.labels_in_prior, one.info.tally.labels_in_prior);
    assert_int_equal(other.info.alone.projected, 0);
}

static void refusals(void **state) {
    (void)state;
    fd_error err;
    fd_config c = settings();
    fd_run run = run_of(&c);
    assert_int_equal(fd_stage_project(&run, at("nofile.h5"), at("x.h5"), &err), FD_ERR_FILE);
    assert_non_null(strstr(err.message, "nofile.h5"));
    assert_int_equal(fd_stage_project(&run, at("prior.h5"), at("prior.h5"), &err), FD_ERR_USAGE);
    snprintf(c.target, sizeof c.target, "paper-table1-io");
    assert_int_equal(fd_stage_project(&run, at("prior.h5"), at("x.h5"), &err), FD_ERR_MISMATCH);
    assert_non_null(strstr(err.message, "prior.h5"));
    c = settings();
    c.informed.sample.generate.project.steps = 0;
    assert_int_equal(fd_stage_project(&run, at("prior.h5"), at("x.h5"), &err), FD_ERR_CONFIG);
    assert_non_null(strstr(err.message, "informed.sample.project.steps"));
    c = settings();
    run.force = false;
    assert_int_equal(fd_stage_project(&run, at("prior.h5"), at("projected.h5"), &err), FD_ERR_FILE);
    assert_int_not_equal(access(at("x.h5"), F_OK), 0);
    assert_int_not_equal(access(at("x.h5.part"), F_OK), 0);
}

static int make_prior(void **state) {
    (void)state;
    fd_error err;
    fd_config c = settings();
    fd_run run = run_of(&c);
    return !mkdtemp(folder) || fd_stage_simulate(&run, at("prior.h5"), &err) ? -1 : 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prior_draws_become_solutions), cmocka_unit_test(threads_do_not_matter),
        cmocka_unit_test(unmoved_rows_stay), cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, make_prior, remove_folder);
}
