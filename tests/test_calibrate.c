/* The stage calibrate on a network that has learned nothing: samples are at the labels of their truths, ranks do not depend
 * on threads, and it is found out. */
#include <math.h>
#include <omp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "stages/calibrate.h"

static char folder[] = "/tmp/flavordiff-calibrate-XXXXXX";
static char network[256];
static fd_config config;

static void ok(fd_status status, const fd_error *err) {
    if (status) fail_msg("%s", err->message);
}

static int make(void **state) {
    (void)state;
    fd_run run = {.config = &config, .command = "test"};
    fd_error err;
    fd_config_default(&config);
    config.informed.width = 8, config.informed.hidden = 1;
    config.informed.train.updates = 2, config.informed.train.batch = 16;
    config.informed.draws = FD_DRAWS_PRIOR;
    config.informed.validation = 0;
    config.informed.sample.generate.sampler.steps = 3;
    if (!mkdtemp(folder)) return -1;
    snprintf(network, sizeof network, "%s/net.h5", folder);
    return fd_stage_train_informed(&run, network, &err) ? -1 : 0;
}

static int unmake(void **state) {
    (void)state;
    unlink(network);
    return rmdir(folder);
}

/* Labels of the projected samples are those given, each for as many samples as said. */
static void samples_have_the_labels_given(void **state) {
    (void)state;
    enum { N = 12, EACH = 5, L = 11, DIM = 23 };
    fd_run run = {.config = &config, .command = "test"};
    fd_generate_spec spec = config.informed.sample.generate;
    fd_generator *g;
    fd_error err;
    double given[N * L];
    spec.label = FD_LABEL_GAUSSIAN;
    ok(fd_generator_create(&run, network, &spec, 1, &g, &err), &err);
    const fd_setting *s = fd_generator_setting(g);
    for (uint64_t i = 0; i < N; i++) {
        double theta[DIM];
        fd_rng rng;
        fd_rng_start(&rng, 6, FD_STREAM_TEST, i, 0);
        s->model->draw_prior(s->model, &rng, theta);
        s->model->forward(s->model, 1, theta, given + i * L, NULL);
    }
    fd_block b;
    ok(fd_block_create(s->model, N * EACH, &b, &err), &err);
    fd_generator_give_labels(g, given, EACH);
    ok(fd_generator_run(g, 0, N * EACH, b.theta, b.labels, b.chi2, b.flags, b.alone, &err), &err);
    int reached = 0;
    for (int i = 0; i < N * EACH; i++) {
        if (b.flags[i] & FD_UNREACHED) continue;
        reached++;
        for (int k = 0; k < L; k++) assert_true(fabs(b.labels[i * L + k] - given[i / EACH * L + k]) < 1e-4);
    }
    assert_true(reached > N * EACH / 2);
    fd_block_free(&b);
    fd_generator_free(g);
}

static fd_network_calibration calibrated(int threads) {
    fd_run run = {.config = &config, .command = "test"};
    const fd_calibrate_spec size = {.draws = 300, .samples = 9};
    fd_network_calibration c;
    fd_error err;
    omp_set_num_threads(threads);
    ok(fd_calibrate_network(&run, "calibrate", &config.informed.sample.generate, network, &size, NULL, &c, &err), &err);
    omp_set_num_threads(2);
    return c;
}

static void ignorance_is_found_out(void **state) {
    (void)state;
    fd_network_calibration a = calibrated(1), b = calibrated(3);
    assert_int_equal(a.ranks.n_rows, 23 + 13 + FD_TARP_ROWS);
    assert_memory_equal(a.ranks.ranks, b.ranks.ranks, (size_t)a.ranks.n_rows * a.ranks.n * sizeof *a.ranks.ranks);
    assert_true(a.n_outside >= 5); /* 0.4 by chance */
    assert_string_equal(a.names[20], "k");
    assert_non_null(strstr(a.unranked.data, "delta_rad"));
    assert_non_null(strstr(a.note, "label of truth"));
    fd_text text = {0};
    fd_calibration_table(&text, "net.h5", &a);
    assert_non_null(strstr(text.data, "TARP, points of the network"));
    fd_text_free(&text);
    fd_network_calibration_free(&a);
    fd_network_calibration_free(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_have_the_labels_given),
        cmocka_unit_test(ignorance_is_found_out),
    };
    return cmocka_run_group_tests(tests, make, unmake);
}
