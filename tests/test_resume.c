/* A stage stopped after every block and resumed gives the same file as one that was left alone, whatever the number of threads; it
 * goes on from its own checkpoint only, and leaves none behind. */
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
#include "same_file.h"
#include "small_stages.h"

static char said[4096]; /* what the last run said */
static int stop_after;  /* calls of progress */
static int most_stops = 1000;

static bool there(const char *name) { return access(at(name), F_OK) == 0; }

static fd_config small(void) {
    fd_config c = small_stages();
    c.simulate.pairs = 40000; /* blocks are of 32768 */
    c.simulate.scan = 40000;
    return c;
}

static int stop(void *user, const char *stage, uint64_t done, uint64_t total, const fd_tally *tally, const char *detail) {
    (void)user, (void)stage, (void)done, (void)total, (void)tally, (void)detail;
    return --stop_after < 0;
}

static void listen(void *user, const char *line) {
    (void)user;
    snprintf(said, sizeof said, "%s", line);
}

static fd_run run_of(const fd_config *config) {
    return (fd_run){.config = config, .command = "test", .message = listen, .checkpoint_every = 1e-9, .progress = stop, .resume = true};
}

typedef fd_status (*stage)(const fd_run *run, const char *out, fd_error *err);

static fd_status simulate(const fd_run *run, const char *out, fd_error *err) { return fd_stage_simulate(run, out, err); }
static fd_status train(const fd_run *run, const char *out, fd_error *err) {
    return fd_stage_train(run, at("pairs.h5"), NULL, out, err);
}
static fd_status tune(const fd_run *run, const char *out, fd_error *err) {
    return fd_stage_train(run, at("pairs.h5"), at("net.h5"), out, err);
}
static fd_status train_informed(const fd_run *run, const char *out, fd_error *err) {
    return fd_stage_train_informed(run, out, err);
}
static fd_status select_points(const fd_run *run, const char *out, fd_error *err) {
    return fd_stage_select(run, at("net.h5"), out, err);
}
static fd_status sample(const fd_run *run, const char *out, fd_error *err) {
    return fd_stage_sample(run, &run->config->sample, at("net.h5"), out, err);
}
static fd_status reference(const fd_run *run, const char *out, fd_error *err) { return fd_stage_reference(run, out, err); }
static fd_status project(const fd_run *run, const char *out, fd_error *err) {
    return fd_stage_project(run, at("pairs.h5"), out, err);
}
static fd_status calibrate(const fd_run *run, const char *out, fd_error *err) {
    return fd_stage_calibrate(run, &run->config->sample.generate, at("net.h5"), out, err);
}
static fd_status exact(const fd_run *run, const char *out, fd_error *err) {
    return fd_stage_exact(run, NULL, at("orbits.h5"), out, err);
}

/* Stopped at every call of progress. Returns how many times. */
static int in_pieces(const fd_config *config, stage make, const char *name, fd_status end) {
    fd_error err;
    int stops = 0;
    for (;; stops++) {
        fd_run run = run_of(config);
        run.checkpoint_every = stops % 2 ? 1e9 : 1e-9; /* by time, and for being stopped */
        omp_set_num_threads(1 + stops % 2);
        stop_after = stops < most_stops ? 0 : 1 << 30;
        fd_status status = make(&run, at(name), &err);
        omp_set_num_threads(2);
        if (status == end) return stops;
        if (status != FD_ERR_STOPPED) fail_msg("%s", err.message);
        assert_non_null(strstr(err.message, ".checkpoint"));
        assert_false(there(name));
        assert_true(stops < 1000);
    }
}

/* Files of a folder, but for figures. */
static void assert_same_folder(const char *a, const char *b) {
    static const char *const names[] = {"calibration.json", "calibration.csv", "calibration-ecdf.csv"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char paths[2][300], *text[2];
        size_t size[2];
        snprintf(paths[0], sizeof paths[0], "%s/%s", a, names[i]), snprintf(paths[1], sizeof paths[1], "%s/%s", b, names[i]);
        for (int k = 0; k < 2; k++) assert_int_equal(fd_read_text(paths[k], 1 << 22, &text[k], &size[k], NULL), FD_OK);
        assert_true(size[0] > 100);
        assert_int_equal(size[0], size[1]);
        assert_memory_equal(text[0], text[1], size[0]);
        free(text[0]), free(text[1]);
    }
}

/* Returns how often it was stopped. */
static int same_in_pieces(const fd_config *config, stage make, const char *name, fd_status end) {
    fd_error err;
    char whole[64], checkpoint[64];
    fd_run run = run_of(config);
    snprintf(whole, sizeof whole, "whole-%s", name);
    snprintf(checkpoint, sizeof checkpoint, "%s.checkpoint", name);
    run.checkpoint_every = 0;
    stop_after = 1 << 30;
    fd_status status = make(&run, at(whole), &err);
    if (status != end) fail_msg("%s", err.message);
    int stops = in_pieces(config, make, name, end);
    if (strstr(name, ".h5")) assert_same_file(at(whole), at(name));
    else assert_same_folder(at(whole), at(name));
    assert_false(there(checkpoint));
    unlink(at(whole));
    return stops;
}

static void pairs(void **state) {
    (void)state;
    fd_config c = small();
    assert_true(same_in_pieces(&c, simulate, "pairs.h5", FD_OK) >= 4);
}

static void networks(void **state) {
    (void)state;
    fd_config c = small();
    assert_true(same_in_pieces(&c, train, "net.h5", FD_OK) >= 10);
    assert_true(same_in_pieces(&c, tune, "tuned.h5", FD_OK) >= 10);
    c.train.ema_decay = 0; /* no averaged weights */
    c.train_use_ema = false;
    assert_true(same_in_pieces(&c, train, "plain.h5", FD_OK) >= 10);
    c.train.updates = 201; /* two to a row of the log: stopped between them */
    most_stops = 3;
    assert_int_equal(same_in_pieces(&c, train, "logged.h5", FD_OK), 3);
    most_stops = 1000;
}

static void informed_network(void **state) {
    (void)state;
    fd_config c = small();
    assert_true(same_in_pieces(&c, train_informed, "informed.h5", FD_OK) >= 70);
    c.informed.draws = FD_DRAWS_REGION; /* from a pool that is made again */
    c.informed.pool = 100;
    c.informed.train.updates = 4;
    assert_true(same_in_pieces(&c, train_informed, "pooled.h5", FD_OK) >= 4);
}

static void generated(void **state) {
    (void)state;
    fd_config c = small();
    assert_true(same_in_pieces(&c, select_points, "selected.h5", FD_OK) >= 2);
    assert_true(same_in_pieces(&c, sample, "samples.h5", FD_OK) >= 3);
    c.sample.keep_chi2_below = 1e4; /* rows that are counted and not kept */
    c.sample.generate.project = c.informed.sample.generate.project; /* and whose fate before is counted */
    c.sample.generate.label = FD_LABEL_WINDOW;
    assert_true(c.sample.generate.project.steps > 0);
    assert_true(same_in_pieces(&c, sample, "projected.h5", FD_OK) >= 3);
    c.sample.until = 350; /* the rule counts what the checkpoint has; most are solutions, projected */
    c.sample.until_ess = 350;
    c.sample.max_generated = 100000;
    assert_true(same_in_pieces(&c, sample, "until.h5", FD_OK) >= 1);
    c.sample.until = 1u << 30;
    c.sample.max_generated = 2200;
    assert_true(same_in_pieces(&c, sample, "wanting.h5", FD_ERR_WANTING) >= 3);
}

static void exact_draws(void **state) {
    (void)state;
    fd_config c = small();
    c.reference.n = 2500;
    assert_true(same_in_pieces(&c, reference, "orbits.h5", FD_OK) >= 2);
    c.reference.n = 40000; /* by rejection, at once */
    c.reference.cuts = FD_CUTS_NONE;
    c.reference.method = FD_REFERENCE_REJECTION;
    assert_true(same_in_pieces(&c, reference, "prior.h5", FD_OK) >= 2);
}

static void chains(void **state) {
    (void)state;
    fd_config c = small();
    c.reference.method = FD_REFERENCE_MCMC;
    c.reference.n = 250, c.reference.chains = 8, c.reference.burn_in = 64, c.reference.steps = 3000;
    assert_true(same_in_pieces(&c, reference, "chains.h5", FD_OK) >= 3);
}

static void moved_rows(void **state) {
    (void)state;
    fd_config c = small();
    assert_true(c.informed.sample.generate.project.steps > 0);
    assert_true(same_in_pieces(&c, project, "moved.h5", FD_OK) >= 2);
}

/* A chain a row, until the set settles; and stretches that never do. */
static void made_exact(void **state) {
    (void)state;
    fd_config c = small();
    c.exact.n = 200, c.exact.burn_in = 32, c.exact.steps = 32;
    assert_true(same_in_pieces(&c, exact, "exact.h5", FD_OK) >= 3);
    c.exact.steps = 300, c.exact.max_steps = 1000; /* in pieces of 256 and 44 */
    assert_true(same_in_pieces(&c, exact, "unsettled.h5", FD_OK) >= 4);
}

/* Into a folder; asked again, it is there already, and for another number of labels it is in the way. */
static void calibrated(void **state) {
    (void)state;
    fd_config c = small();
    fd_error err;
    fd_run run = run_of(&c);
    c.calibrate = (fd_calibrate_spec){.draws = 900, .samples = 3};
    assert_true(same_in_pieces(&c, calibrate, "calibration", FD_OK) >= 2);
    stop_after = 1 << 30;
    ok(calibrate(&run, at("calibration/"), &err), &err);
    assert_non_null(strstr(said, "is there already"));
    c.calibrate.draws = 901;
    assert_int_equal(calibrate(&run, at("calibration"), &err), FD_ERR_FILE);
    assert_false(there("calibration.checkpoint"));
}

static void checkpoint_of(const fd_config *c, stage make, const char *name) {
    fd_run run = run_of(c);
    fd_error err;
    stop_after = 0;
    assert_int_equal(make(&run, at(name), &err), FD_ERR_STOPPED);
}

static void refusals(void **state) {
    (void)state;
    fd_config c = small(), other = c;
    fd_error err;
    fd_run run = run_of(&c);
    checkpoint_of(&c, train, "x.h5");
    /* not asked to go on: told, not thrown away */
    stop_after = 1 << 30;
    run.resume = false;
    assert_int_equal(train(&run, at("x.h5"), &err), FD_ERR_FILE);
    assert_non_null(strstr(err.message, "an unfinished run is there; give --resume"));
    /* other settings, seed, inputs, verb */
    run.resume = true;
    run.config = &other;
    other.train.batch = 33;
    assert_int_equal(train(&run, at("x.h5"), &err), FD_ERR_MISMATCH);
    assert_non_null(strstr(err.message, "batch: 33"));
    other = c, other.seed++;
    assert_int_equal(train(&run, at("x.h5"), &err), FD_ERR_MISMATCH);
    assert_non_null(strstr(err.message, "seed"));
    other = c;
    run.config = &c;
    assert_int_equal(tune(&run, at("x.h5"), &err), FD_ERR_MISMATCH);
    assert_non_null(strstr(err.message, "verb: "));
    assert_int_equal(fd_stage_train(&run, at("selected.h5"), NULL, at("x.h5"), &err), FD_ERR_MISMATCH);
    assert_non_null(strstr(err.message, "inputs: "));
    /* cut short inside its one record: begins anew */
    assert_int_equal(truncate(at("x.h5.checkpoint"), 4000), 0);
    stop_after = 0;
    assert_int_equal(train(&run, at("x.h5"), &err), FD_ERR_STOPPED);
    other.sample.n++; /* no setting of training */
    run.config = &other;
    stop_after = 0;
    assert_int_equal(train(&run, at("x.h5"), &err), FD_ERR_STOPPED);
    run.config = &c;
    stop_after = 1 << 30;
    ok(train(&run, at("x.h5"), &err), &err);
    assert_same_file(at("net.h5"), at("x.h5"));
    unlink(at("x.h5"));
}

/* With force, one of other settings goes, and one of these is gone on from. */
static void force(void **state) {
    (void)state;
    fd_config c = small(), other = c;
    fd_error err;
    fd_run run = run_of(&other);
    other.train.batch = 33;
    checkpoint_of(&c, train, "x.h5");
    run.force = true;
    stop_after = 1 << 30;
    ok(train(&run, at("x.h5"), &err), &err); /* replaces the output that is there, too */
    fd_run without = run_of(&other);
    without.checkpoint_every = 0;
    ok(train(&without, at("y.h5"), &err), &err);
    assert_same_file(at("x.h5"), at("y.h5"));
    assert_false(there("x.h5.checkpoint"));
}

/* Killed after its last byte and before a word: asked again, it is done. Of other settings, it is another's file. */
static void finished(void **state) {
    (void)state;
    fd_config c = small();
    fd_error err;
    fd_run run = run_of(&c);
    stop_after = 1 << 30;
    ok(simulate(&run, at("pairs.h5"), &err), &err);
    assert_non_null(strstr(said, "is there already"));
    ok(sample(&run, at("samples.h5"), &err), &err);
    assert_non_null(strstr(said, "is there already"));
    ok(train(&run, at("net.h5"), &err), &err);
    c.seed++;
    assert_int_equal(simulate(&run, at("pairs.h5"), &err), FD_ERR_FILE);
    assert_non_null(strstr(err.message, "exists already"));
    c.seed--;
    run.resume = false;
    assert_int_equal(simulate(&run, at("pairs.h5"), &err), FD_ERR_FILE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs),      cmocka_unit_test(networks),   cmocka_unit_test(informed_network),
        cmocka_unit_test(generated),  cmocka_unit_test(exact_draws), cmocka_unit_test(chains),
        cmocka_unit_test(moved_rows), cmocka_unit_test(made_exact), cmocka_unit_test(calibrated),
        cmocka_unit_test(refusals),   cmocka_unit_test(force),      cmocka_unit_test(finished),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
