/* The library keeps nothing between calls: two threads at once get what one gets alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <hdf5.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "flavordiff/files.h"
#include "flavordiff/region.h"
#include "flavordiff/stages.h"

enum { ROWS = 60, THREADS = 2 };

/* Draws by the library and by a whole stage with its files, in one ordering. */
typedef struct job {
    const char *target;
    uint64_t seed;
    char path[64];
    fd_status status;
    fd_error err;
    uint64_t n;
    float theta[ROWS * FD_MAX_PARAMS]; /* of the file */
    double drawn[ROWS * FD_MAX_PARAMS], observables[ROWS * FD_MAX_OBSERVABLES];
    double sum; /* over prior draws */
    size_t n_drawn;
    pthread_barrier_t *gate; /* to begin together; NULL: alone */
} job;

static fd_status draw(job *j) {
    fd_target target;
    fd_model_options options;
    fd_model *model = NULL;
    fd_judge *judge = NULL;
    fd_region region;
    fd_rng rng;
    uint64_t tried = 1 << 18; /* inverted ordering: some ten rows */
    fd_model_options_default(&options);
    fd_status status = fd_target_load(j->target, &target, &j->err);
    if (status) return status;
    options.ordering = target.ordering;
    status = fd_model_create(&options, &model, &j->err);
    if (!status) status = fd_judge_create(model, &target, &judge, &j->err);
    if (!status) {
        fd_judge_region(judge, 3, &region);
        fd_rng_start(&rng, j->seed, FD_STREAM_REFERENCE, 7, 0);
        j->n_drawn = fd_region_draw(model, &region, &rng, 1, ROWS, j->drawn, &tried);
        for (uint64_t item = 0; item < 20000; item++) { /* many short calls: the threads meet in each of them */
            double theta[FD_MAX_PARAMS], observables[FD_MAX_OBSERVABLES];
            fd_rng_start(&rng, j->seed, FD_STREAM_PAIRS, item, 0);
            model->draw_prior(model, &rng, theta);
            model->forward(model, 1, theta, NULL, observables);
            j->sum += fd_judge_point(judge, theta, observables, NULL) + observables[0];
        }
        model->forward(model, j->n_drawn, j->drawn, NULL, j->observables);
    }
    fd_judge_free(judge);
    fd_model_free(model);
    return status;
}

static fd_status stage(job *j) {
    fd_config config;
    fd_sample_reader *reader = NULL;
    fd_sample_info info;
    char target[96];
    snprintf(target, sizeof target, "target=%s", j->target);
    const char *const sets[] = {target, "simulate.pairs=60"};
    fd_status status = fd_config_load(NULL, 2, sets, &config, &j->err);
    config.seed = j->seed;
    const fd_run run = {.config = &config, .force = true};
    if (!status) status = fd_stage_simulate(&run, j->path, &j->err);
    if (!status) status = fd_samples_open(j->path, &reader, &info, &j->err);
    if (!status) status = fd_samples_read(reader, 0, (size_t)(j->n = info.n), j->theta, NULL, NULL, NULL, &j->err);
    fd_samples_close(reader);
    return status;
}

static void *work(void *user) {
    job *j = user;
    if (j->gate) pthread_barrier_wait(j->gate);
    j->status = draw(j);
    for (int again = 0; again < 10 && !j->status; again++) j->status = stage(j);
    return NULL;
}

static void two_at_once_are_as_one_alone(void **state) {
    static job alone[THREADS], together[THREADS];
    static const char *const targets[THREADS] = {"paper-table1-no", "paper-table1-io"};
    pthread_t threads[THREADS];
    pthread_barrier_t gate;
    char folder[] = "test_threads.XXXXXX";
    hbool_t safe = 0;
    (void)state;
    if (H5is_library_threadsafe(&safe) < 0 || !safe) skip(); /* then callers keep files to one thread: docs/library.md */
    assert_non_null(mkdtemp(folder));
    for (int i = 0; i < THREADS; i++) {
        alone[i].target = targets[i];
        alone[i].seed = 5 + (uint64_t)i;
        snprintf(alone[i].path, sizeof alone[i].path, "%s/%d.h5", folder, i);
        together[i] = alone[i];
        work(&alone[i]);
        assert_string_equal(alone[i].err.message, "");
        assert_int_equal(alone[i].n, ROWS);
        assert_true(alone[i].n_drawn > 0);
    }
    pthread_barrier_init(&gate, NULL, THREADS);
    for (int i = 0; i < THREADS; i++) together[i].gate = &gate;
    for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_create(&threads[i], NULL, work, &together[i]), 0);
    for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < THREADS; i++) {
        together[i].gate = NULL;
        assert_memory_equal(&together[i], &alone[i], sizeof alone[i]);
        unlink(alone[i].path);
    }
    pthread_barrier_destroy(&gate);
    assert_memory_not_equal(alone[0].theta, alone[1].theta, sizeof alone[0].theta);
    rmdir(folder);
}

/* Failures of two threads do not mix: each gets its own message. */
static void *open_missing(void *user) {
    job *j = user;
    for (int i = 0; i < 200; i++) {
        fd_sample_reader *reader = NULL;
        j->status = fd_samples_open(j->path, &reader, NULL, &j->err);
        if (j->status != FD_ERR_FILE || !strstr(j->err.message, j->path)) break;
    }
    return NULL;
}

static void messages_do_not_mix(void **state) {
    static job jobs[THREADS] = {{.path = "/nowhere/one.h5"}, {.path = "/nowhere/two.h5"}};
    pthread_t threads[THREADS];
    (void)state;
    for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_create(&threads[i], NULL, open_missing, &jobs[i]), 0);
    for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(jobs[i].status, FD_ERR_FILE);
        assert_non_null(strstr(jobs[i].err.message, jobs[i].path));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(two_at_once_are_as_one_alone), cmocka_unit_test(messages_do_not_mix)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
