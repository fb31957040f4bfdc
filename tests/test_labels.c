/* Labels drawn from a window follow the prior's density over it; the slope is found from the training draws. */
#include "physics_oracles.h"

#include <stdio.h>
#include <unistd.h>

#include "flavordiff/stages.h"
#include "stages/common.h"

enum { N = 4000, N_LAB = 11 };

static char folder[] = "/tmp/flavordiff-labels-XXXXXX", path[256];

static int make_folder(void **state) {
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int drop_folder(void **state) {
    (void)state;
    unlink(path);
    return rmdir(folder);
}

/* KS distance of label l of N labels from e^{slope x} on the window of its observable; slope 0: uniform. */
static double distance(const fd_setting *setting, const double *slopes, int l, double slope) {
    fd_generate_spec spec = {.label = FD_LABEL_WINDOW};
    const fd_label *kind = &setting->model->labels[l];
    fd_region window;
    double value[N], worst = 0;
    fd_judge_region(setting->judge, 1, &window);
    double a = log10(fabs(window.lo[kind->observable])), b = log10(fabs(window.hi[kind->observable]));
    double lo = fmin(a, b), width = fabs(b - a);
    for (uint64_t i = 0; i < N; i++) {
        double label[N_LAB];
        fd_own_label(setting, &spec, slopes, 3, i, label);
        value[i] = (label[l] - lo) / width;
        assert_true(value[i] >= 0 && value[i] <= 1);
    }
    qsort(value, N, sizeof *value, ascending);
    for (int i = 0; i < N; i++) {
        double exact = slope == 0 ? value[i] : expm1(slope * width * value[i]) / expm1(slope * width);
        worst = fmax(worst, fabs(exact - (i + 0.5) / N));
    }
    return worst;
}

static void labels_follow_slopes(void **state) {
    (void)state;
    const double null = 1.95 / sqrt((double)N); /* Kolmogorov at 0.999 */
    static const char *const sets[2] = {"paper-table1-no", "paper-table1-io"};
    for (int s = 0; s < 2; s++) {
        fd_model_options options;
        fd_setting setting;
        fd_model_options_default(&options);
        options.ordering = s ? FD_ORDERING_INVERTED : FD_ORDERING_NORMAL;
        assert_int_equal(fd_setting_create(&options, sets[s], &setting, NULL), FD_OK);
        const double up[N_LAB] = {20, -30};
        assert_below(distance(&setting, NULL, 0, 0), null);
        assert_below(distance(&setting, up, 0, 20), null);
        assert_below(distance(&setting, up, 1, -30), null);
        assert_true(distance(&setting, up, 0, 0) > 0.1 && distance(&setting, NULL, 0, 20) > 0.1);
        fd_setting_free(&setting);
    }
}

static void train(const char *target, uint64_t pool, fd_model_file *file) {
    fd_config config;
    fd_error err = {0};
    fd_config_default(&config);
    snprintf(config.target, sizeof config.target, "%s", target);
    config.informed.width = 8;
    config.informed.hidden = 1;
    config.informed.last = 0;
    config.informed.train.updates = 2;
    config.informed.validation = 4096;
    config.informed.cluster = 8; /* some 500 orbits: the slope to 0.7 */
    config.informed.pool = pool;
    fd_run run = {.config = &config, .command = "test", .force = true};
    snprintf(path, sizeof path, "%s/labels-net.h5", folder);
    if (fd_stage_train_informed(&run, path, &err))
        fail_msg("%s", err.message);
    if (fd_model_file_read(path, file, &err)) fail_msg("%s", err.message);
}

/* Nearly equal masses repel each other: with complex symmetric matrices the chance of dm21 below x grows as x^2, 2 ln 10 in
 * log10 dm21. With m1 << m2 the scale alone decides, and it is flat. A pool gives other pairs, of the same law. */
static void slopes_are_found(void **state) {
    (void)state;
    fd_model_file file, pooled;
    train("paper-table1-io", 0, &file);
    assert_below(fabs(file.label_slopes[0] - 2 * log(10)), 2.9);
    train("paper-table1-io", 1000, &pooled);
    assert_memory_equal(file.label_slopes, pooled.label_slopes, sizeof file.label_slopes);
    assert_true(memcmp(file.network->weights, pooled.network->weights, file.network->n_weights * sizeof(float)) != 0);
    fd_model_file_clear(&file);
    fd_model_file_clear(&pooled);
    train("paper-table1-no", 0, &file);
    assert_below(fabs(file.label_slopes[0]), 1.5);
    fd_model_file_clear(&file);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(labels_follow_slopes), cmocka_unit_test(slopes_are_found)};
    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
