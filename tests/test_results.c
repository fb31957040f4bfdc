/* The way from a sample file to figures and report. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <hdf5.h>
#include <jansson.h>

#include "folder.h"
#include "inference/stats.h"
#include "solved_points.h"
#include "stages/analyse.h"
#include "stages/common.h"
#include "stages/plot.h"
#include "stages/report.h"

static char messages[8192]; /* what stages said */

static void listen(void *user, const char *line) {
    (void)user;
    strncat(messages, line, sizeof messages - strlen(messages) - 2);
    strcat(messages, "\n");
}

static fd_config config;

static fd_run a_run(void) {
    fd_config_default(&config);
    messages[0] = '\0';
    return (fd_run){.config = &config, .command = "test", .message = listen};
}

/* ---- from samples to a report ----------------------------------------------------------------------------- */

/* A sample file with `solved` solutions among `prior` prior draws. The first solved points are returned. */
static void make_samples(const char *path, int solved, int prior, solved_point *points) {
    fd_model_options options;
    fd_setting setting;
    fd_error err;
    fd_sample_writer *writer = NULL;
    fd_sample_info info = {
        .role = "generated", .target = "paper-table1-no", .note = "solved <points> & prior draws", .seed = 5};
    fd_provenance provenance = {.verb = "sample", .command = "test", .config = "", .parents = ""};
    fd_model_options_default(&options);
    info.model = options;
    ok(fd_setting_create(&options, info.target, &setting, &err), &err);
    ok(fd_samples_create(path, true, setting.model, &provenance, &writer, &err), &err);
    for (int i = 0, tries = 0; i < solved + prior; tries++) {
        fd_rng rng;
        float theta[23];
        double draw[23], labels[11];
        fd_chi2 chi2;
        uint8_t flags;
        solved_point p;
        fd_rng_start(&rng, 9, FD_STREAM_TEST, (uint64_t)tries, (uint32_t)(i < solved));
        setting.model->draw_prior(setting.model, &rng, draw);
        solved_draw(&setting.target, i % 4 ? 0.9 : 1.1, &rng, &p);
        for (int k = 0; k < 23; k++) theta[k] = (float)(i < solved ? p.theta[k] : draw[k]);
        fd_judge_rows(&setting, 1, theta, labels, &chi2, &flags);
        if (i < solved && !(flags & FD_LABELS)) continue;
        if (i < solved && points) points[i] = p;
        fd_tally_add(&info.tally, flags);
        ok(fd_samples_append(writer, 1, theta, labels, &chi2.five, &flags, &err), &err);
        i++;
    }
    info.tally.seconds = 1;
    ok(fd_samples_finish(writer, &info, &err), &err);
    fd_setting_free(&setting);
}

static bool starts_with(const char *path, const char *magic, long least) {
    char head[16] = "";
    FILE *file = fopen(path, "rb");
    if (!file) return false;
    size_t n = fread(head, 1, sizeof head - 1, file);
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    fclose(file);
    return n >= strlen(magic) && !memcmp(head, magic, strlen(magic)) && size >= least;
}

static void angle_close(double a, double b, double tolerance) {
    if (!(cos(a - b) > cos(tolerance))) fail_msg("angle %.8g, expected %.8g", a, b);
}

/* The table equals the model's own numbers, and what the points were made from (parameters are float32). */
static void analysis_numbers(void **state) {
    (void)state;
    enum { N = 40 };
    static solved_point points[N];
    fd_run run = a_run();
    fd_error err;
    fd_table t;
    fd_model *model = NULL;
    make_samples(at("samples.h5"), N, 2000, points);
    ok(fd_stage_analyse(&run, at("samples.h5"), at("analysis"), &err), &err);
    ok(fd_table_read(at("analysis/solutions.csv"), &t, &err), &err);
    ok(fd_model_create(&config.model, &model, &err), &err);
    assert_int_equal(t.n_rows, N);
    for (size_t i = 0; i < N; i++) {
        double theta[23], observables[FD_MAX_OBSERVABLES];
        for (int k = 0; k < 23; k++) theta[k] = fd_table_at(&t, i, fd_table_column(&t, model->params[k].name));
        model->forward(model, 1, theta, NULL, observables);
        for (int k = 0; k < model->n_observables; k++)
            assert_true(observables[k] == fd_table_at(&t, i, fd_table_column(&t, model->observables[k].name)));
        const solved_point *p = &points[i];
#define AT(name) fd_table_at(&t, i, fd_table_column(&t, name))
        assert_true(fabs(AT("m3_eV") / p->m[2] - 1) < 1e-5);
        assert_true(fabs(AT("s23sq") - p->s23sq) < 1e-5);
        angle_close(AT("delta_rad"), p->delta, 1e-3);
        angle_close(AT("alpha31_rad"), p->alpha31, 1e-3);
        angle_close(AT("alpha21_rad_paper_phases"), 0, 1e-6);
        angle_close(AT("alpha31_rad_paper_phases"), 2 * p->delta, 2e-3);
        double c13 = 1 - p->s13sq;
        double edge = p->m[0] * (1 - p->s12sq) * c13 + p->m[1] * p->s12sq * c13 + p->m[2] * p->s13sq;
        assert_true(fabs(AT("mbb_eV_paper_phases") / edge - 1) < 1e-4);
        assert_true(AT("mbb_eV") <= edge * (1 + 1e-4));
        assert_true(AT("solution") == 1 && AT("row") == (double)i);
        assert_true(AT("in_prior") == (i % 4 != 0));
#undef AT
    }
    json_t *root = NULL;
    ok(fd_json_load(at("analysis/summary.json"), &root, &err), &err);
    json_t *solutions = json_object_get(root, "solutions"), *digits = json_object_get(root, "digits");
    assert_int_equal(json_integer_value(json_object_get(solutions, "n")), N);
    assert_int_equal(json_integer_value(json_object_get(solutions, "n_in_prior")), N - N / 4);
    json_t *sum = json_object_get(json_object_get(solutions, "observables"), "sum_m_eV");
    size_t n;
    double q[3], *x = fd_table_values(&t, fd_table_column(&t, "sum_m_eV"), -1, &n);
    fd_quartiles(n, x, q);
    assert_true(json_number_value(json_object_get(sum, "median")) == q[1]);
    free(x);
    /* 94.7 % of uniform draws are within two digits; 1e5 draws. */
    double prior = json_number_value(json_object_get(json_object_get(digits, "prior"), "within_two"));
    assert_true(fabs(prior - 0.947) < 0.004);
    assert_null(json_object_get(root, "nearest_not_solutions"));
    assert_int_not_equal(access(at("analysis/nearest.csv"), F_OK), 0);
    assert_true(starts_with(at("analysis/analysis.h5"), "\x89HDF", 1000));
    json_decref(root);
    fd_model_free(model);
    fd_table_free(&t);
    /* Nothing is replaced unasked. */
    assert_int_equal(fd_stage_analyse(&run, at("samples.h5"), at("analysis"), &err), FD_ERR_FILE);
    assert_non_null(strstr(err.message, "--force"));
}

static void check_figures(void) {
    static const char *const names[] = {"fig2", "fig3", "fig4", "fig5", "phases"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char name[64];
        snprintf(name, sizeof name, "figures/%s.png", names[i]);
        assert_true(starts_with(at(name), "\x89PNG", 15000));
        snprintf(name, sizeof name, "figures/%s.pdf", names[i]);
        assert_true(starts_with(at(name), "%PDF-", 5000));
        snprintf(name, sizeof name, "figures/%s.gp", names[i]);
        assert_true(starts_with(at(name), "# ", 500));
        snprintf(name, sizeof name, "figures/%s.csv", names[i]);
        assert_int_equal(access(at(name), F_OK), 0);
    }
}

/* The report, read back: self-contained, and with `expected` in it. */
static void check_report(const char *const *expected) {
    char *html = NULL;
    size_t length;
    fd_error err;
    ok(fd_read_text(at("report.html"), (size_t)64 << 20, &html, &length, &err), &err);
    assert_non_null(strstr(html, "</html>"));
    for (const char *src = html; (src = strstr(src, "src=\"")); src++)
        assert_memory_equal(src, "src=\"data:image/png;base64,", 26);
    assert_null(strstr(html, " href=")); /* the blank: base64 has none */
    assert_null(strstr(html, "<script"));
    assert_null(strstr(html, "url("));
    assert_null(strstr(html, "@import"));
    for (; *expected; expected++)
        if (!strstr(html, *expected)) fail_msg("report has no '%s'", *expected);
    free(html);
}

static void write_run_files(void) {
    fd_ledger_entry entries[] = {{"prior draws", "plain", {.n = 1000, .finite = 1000, .in_prior = 1000}, false},
                                 {"tuned <network>",
                                  "x",
                                  {.n = 2040,
                                   .finite = 2040,
                                   .in_prior = 1500,
                                   .masses = 50,
                                   .angles = 45,
                                   .five = 42,
                                   .labels = 40,
                                   .labels_in_prior = 30,
                                   .five_in_prior = 31,
                                   .seconds = 1},
                                  false}};
    char *text = NULL;
    fd_error err;
    ok(fd_ledger_write(at("ledger.json"), 2, entries, &err), &err);
    ok(fd_config_dump(&config, &text, &err), &err);
    ok(fd_write_text(at("config.yaml"), text, strlen(text), &err), &err);
    free(text);
}

/* A network file that has nothing but a loss history worth showing. */
static void write_network(const char *path, int rows) {
    static double log[4 * 50];
    fd_model_file file = {
        .params = {.n = 23}, .labels = {.n = 11}, .updates = 100 * rows, .n_log = (size_t)rows, .log = log};
    fd_network_spec spec = {.dim = 23, .n_labels = 11, .n_hidden = 1, .widths = {4}, .activations = {FD_SELU}};
    fd_provenance provenance = {.verb = "train", .command = "test", .config = "", .parents = ""};
    fd_error err;
    fd_schedule_spec_paper(&file.schedule);
    fd_model_options_default(&file.model);
    strcpy(file.trained_on, "prior");
    for (int i = 0; i < 23; i++) file.params.scale[i] = 1;
    for (int i = 0; i < 11; i++) file.labels.scale[i] = 1;
    for (int i = 0; i < rows; i++) {
        log[4 * i] = 100 * (i + 1), log[4 * i + 1] = 1e-3;
        log[4 * i + 2] = 0.6 + 0.4 * exp(-0.1 * i) + 0.01 * sin(7.0 * i), log[4 * i + 3] = 0.61 + 0.4 * exp(-0.1 * i);
    }
    ok(fd_network_create(&spec, &file.network, &err), &err);
    ok(fd_model_file_write(path, true, &file, &provenance, &err), &err);
    fd_network_free(file.network);
}

static void many_solutions_to_report(void **state) {
    (void)state;
    fd_run run = a_run();
    fd_error err;
    write_run_files();
    write_network(at("pre-network.h5"), 50);
    write_network(at("tuned-1.h5"), 30);
    ok(fd_stage_plot(&run, at("analysis"), NULL, folder, &err), &err);
    check_figures();
    assert_true(starts_with(at("figures/loss.png"), "\x89PNG", 10000));
    /* Figures' numbers are the analysis' in other units. */
    fd_table points, t;
    ok(fd_table_read(at("figures/fig5.csv"), &points, &err), &err);
    ok(fd_table_read(at("analysis/solutions.csv"), &t, &err), &err);
    assert_int_equal(points.n_rows, t.n_rows);
    double sum[2] = {0, 0};
    for (size_t i = 0; i < t.n_rows; i++) {
        sum[0] += fd_table_at(&points, i, fd_table_column(&points, "mbb_meV"));
        sum[1] += 1e3 * fd_table_at(&t, i, fd_table_column(&t, "mbb_eV"));
    }
    assert_true(fabs(sum[0] / sum[1] - 1) < 1e-12);
    fd_table_free(&points);
    fd_table_free(&t);
    assert_int_equal(fd_stage_plot(&run, at("analysis"), NULL, folder, &err), FD_ERR_FILE);
    ok(fd_stage_report(&run, folder, &err), &err);
    static const char *const wanted[] = {"40 solutions",
                                         "tuned &lt;network&gt;",
                                         "solved &lt;points&gt; &amp; prior draws",
                                         "30 inside the prior box",
                                         "104 of 30,000,000",
                                         "yield before tuning is not known",
                                         "Loss of the networks",
                                         "<b>of the definition</b>",
                                         "selected-1.h5 is missing",
                                         "116,306",
                                         "gamma - 1",
                                         NULL};
    check_report(wanted);
    assert_int_equal(fd_stage_report(&run, folder, &err), FD_ERR_FILE);
}

static bool file_has(const char *name, const char *what) {
    char *text = NULL;
    size_t length;
    fd_error err;
    ok(fd_read_text(at(name), (size_t)64 << 20, &text, &length, &err), &err);
    bool has = strstr(text, what) != NULL;
    free(text);
    return has;
}

/* Exact solutions are drawn over the figures and judge the claims; those of another target set are not, or refused when asked for. */
static void exact_beside(void **state) {
    (void)state;
    fd_run run = a_run();
    fd_error err;
    fd_table t;
    run.force = true;
    ok(fd_stage_report(&run, folder, &err), &err);
    assert_true(file_has("report.html", "No exact solutions, so no verdict") && file_has("report.html", "<b>no exact solutions</b>"));
    config.reference.n = 150;
    ok(fd_stage_reference(&run, at("reference.h5"), &err), &err);
    ok(fd_stage_plot(&run, at("analysis"), NULL, folder, &err), &err);
    check_figures();
    assert_true(file_has("figures/fig3.gp", "exact solutions (150)") && file_has("figures/fig3.gp", "'fig3-exact-2.csv'"));
    ok(fd_table_read(at("figures/fig3-exact-2.csv"), &t, &err), &err);
    assert_true(t.n_rows > 20 && fd_table_column(&t, "s23sq") == 0 && fd_table_column(&t, "delta_deg") == 1);
    fd_table_free(&t);
    ok(fd_table_read(at("figures/fig4.csv"), &t, &err), &err);
    for (int i = 0; i < 2; i++) {
        double sum = 0;
        for (size_t b = 0; b < t.n_rows; b++) sum += fd_table_at(&t, b, fd_table_column(&t, i ? "alpha21_exact_scaled" : "alpha31_exact_scaled"));
        assert_true(fabs(sum - 40) < 1e-9);
    }
    fd_table_free(&t);
    ok(fd_stage_report(&run, folder, &err), &err);
    check_report((const char *const[]){"<small>150 points</small>", "<b>not of the posterior</b>", "<b>of the definition</b>",
                                       "the prior was not asked", "exact draws from the prior", NULL});

    snprintf(config.target, sizeof config.target, "nufit-6.0-ic24-no");
    ok(fd_stage_reference(&run, at("other.h5"), &err), &err);
    assert_int_equal(fd_stage_plot(&run, at("analysis"), at("other.h5"), folder, &err), FD_ERR_MISMATCH);
    assert_non_null(strstr(err.message, "other.h5: of target set nufit-6.0-ic24-no"));
    assert_int_equal(rename(at("other.h5"), at("reference.h5")), 0);
    messages[0] = '\0';
    ok(fd_stage_plot(&run, at("analysis"), NULL, folder, &err), &err);
    assert_non_null(strstr(messages, "no exact solutions are drawn"));
    assert_false(file_has("figures/fig3.gp", "exact"));
    assert_int_not_equal(access(at("figures/fig3-exact-2.csv"), F_OK), 0); /* those of the other set are gone */
    ok(fd_stage_report(&run, folder, &err), &err);
    assert_true(file_has("report.html", "reference.h5 is left out"));
    assert_int_equal(unlink(at("reference.h5")), 0);
    assert_int_equal(fd_stage_plot(&run, at("analysis"), at("reference.h5"), folder, &err), FD_ERR_FILE);
}

/* What is there and cannot be read is no gap in the page: the page is not made. A folder stands in for a failing disk. */
static void unreadable_is_an_error(void **state) {
    (void)state;
    fd_run run = a_run();
    fd_error err = {0};
    const char *targets = getenv("FLAVORDIFF_TARGETS");
    run.force = true;
    unlink(at("report.html"));
    assert_int_equal(mkdir(at("reference.h5"), 0700), 0);
    assert_int_equal(fd_stage_report(&run, folder, &err), FD_ERR_FILE);
    assert_non_null(strstr(err.message, "reference.h5: "));
    assert_int_not_equal(access(at("report.html"), F_OK), 0);
    assert_int_equal(rmdir(at("reference.h5")), 0);
    FILE *damaged = fopen(at("reference.h5"), "w");
    assert_true(damaged && fputs("\211HDF\r\n\032\n and no more", damaged) > 0 && fclose(damaged) == 0);
    assert_int_equal(fd_stage_report(&run, folder, &err), FD_ERR_FORMAT);
    assert_non_null(strstr(err.message, "reference.h5: "));
    assert_int_not_equal(access(at("report.html"), F_OK), 0);
    assert_int_equal(unlink(at("reference.h5")), 0);
    assert_int_equal(mkdir(at("targets"), 0700), 0);
    assert_int_equal(mkdir(at("targets/paper-table1-no.yaml"), 0700), 0);
    char *before = targets ? strdup(targets) : NULL;
    setenv("FLAVORDIFF_TARGETS", at("targets"), 1);
    assert_int_equal(fd_stage_report(&run, folder, &err), FD_ERR_FILE);
    assert_non_null(strstr(err.message, "paper-table1-no"));
    assert_int_not_equal(access(at("report.html"), F_OK), 0);
    assert_int_equal(rmdir(at("targets/paper-table1-no.yaml")), 0);
    ok(fd_stage_report(&run, folder, &err), &err);
    assert_int_equal(rmdir(at("targets")), 0);
    if (before) setenv("FLAVORDIFF_TARGETS", before, 1);
    else unsetenv("FLAVORDIFF_TARGETS");
    free(before);
}

/* Files of more rounds than the configuration has are left over: neither report nor figure shows them. */
static void rounds_of_the_configuration(void **state) {
    (void)state;
    fd_run run = a_run();
    fd_error err;
    run.force = true;
    write_run_files(); /* one round */
    assert_int_equal(fd_folder_rounds(folder), 1);
    assert_int_equal(fd_folder_rounds("no-such-folder"), FD_MAX_ROUNDS);
    make_samples(at("selected-1.h5"), 8, 3, NULL); /* every fourth of 8 is outside the prior */
    make_samples(at("selected-2.h5"), 4, 1, NULL);
    write_network(at("tuned-2.h5"), 20);
    ok(fd_stage_plot(&run, at("analysis"), NULL, folder, &err), &err);
    ok(fd_stage_report(&run, folder, &err), &err);
    assert_true(file_has("figures/loss.gp", "tuned-1") && !file_has("figures/loss.gp", "tuned-2"));
    assert_true(file_has("report.html", "round 1</th>") && !file_has("report.html", "round 2</th>"));
    assert_true(file_has("report.html", "<td class=\"n\">9</td><td class=\"n\">11</td></tr>"));
    config.tune_rounds = 0;
    write_run_files();
    ok(fd_stage_plot(&run, at("analysis"), NULL, folder, &err), &err);
    ok(fd_stage_report(&run, folder, &err), &err);
    assert_true(!file_has("figures/loss.gp", "tuned-1") && file_has("figures/loss.gp", "pre-network"));
    assert_true(file_has("report.html", "was not tuned") && !file_has("report.html", "round 1</th>"));
    assert_false(file_has("report.html", "yield before tuning"));
}

/* The target set changes after the samples were made: every file of the analysis follows it, and it is said. */
static void edited_target(void **state) {
    (void)state;
    fd_run run = a_run();
    fd_error err;
    fd_table t;
    char *text = NULL, *window;
    size_t length;
    run.force = true;
    make_samples(at("samples.h5"), 40, 100, NULL);
    ok(fd_read_text(FD_SOURCE_DIR "/targets/paper-table1-no.yaml", 1 << 20, &text, &length, &err), &err);
    window = strstr(text, "lo: 2.427e-3, hi: 2.590e-3");
    assert_non_null(window);
    memcpy(window, "lo: 2.427e-3, hi: 2.508e-3", 26);
    ok(fd_write_text(at("edited.yaml"), text, length, &err), &err);
    free(text);
    snprintf(config.target, sizeof config.target, "%s", at("edited.yaml"));
    ok(fd_stage_analyse(&run, at("samples.h5"), at("edited"), &err), &err);
    assert_non_null(strstr(messages, "has been edited since"));
    ok(fd_table_read(at("edited/solutions.csv"), &t, &err), &err);
    assert_true(t.n_rows > 0 && t.n_rows < 40);
    int dm3l = fd_table_column(&t, "dm3l_eV2"), flags = fd_table_column(&t, "flags");
    int chi2 = fd_table_column(&t, "chi2_five");
    hid_t h5 = H5Fopen(at("edited/analysis.h5"), H5F_ACC_RDONLY, H5P_DEFAULT);
    double in_h5[40];
    uint8_t flags_in_h5[40];
    hid_t set = H5Dopen2(h5, "samples/chi2", H5P_DEFAULT);
    assert_true(H5Dread(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, in_h5) >= 0);
    H5Dclose(set);
    set = H5Dopen2(h5, "samples/valid", H5P_DEFAULT);
    assert_true(H5Dread(set, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, flags_in_h5) >= 0);
    H5Dclose(set);
    H5Fclose(h5);
    for (size_t i = 0; i < t.n_rows; i++) {
        assert_true(fd_table_at(&t, i, dm3l) <= 2.508e-3);
        assert_true(fd_table_at(&t, i, chi2) == in_h5[i]);
        assert_true(fd_table_at(&t, i, flags) == flags_in_h5[i]);
    }
    fd_table_free(&t);
}

static void few_solutions(int solved, const char *phrase) {
    fd_run run = a_run();
    fd_error err;
    fd_table t;
    run.force = true;
    make_samples(at("samples.h5"), solved, 3000, NULL);
    ok(fd_stage_analyse(&run, at("samples.h5"), at("analysis"), &err), &err);
    assert_non_null(strstr(messages, "nearest"));
    ok(fd_table_read(at("analysis/nearest.csv"), &t, &err), &err);
    assert_int_equal(t.n_rows, FD_NEAREST);
    int chi2 = fd_table_column(&t, "chi2_five"), solution = fd_table_column(&t, "solution");
    for (size_t i = 0; i < t.n_rows; i++) {
        assert_true(fd_table_at(&t, i, solution) == 0);
        assert_true(i == 0 || fd_table_at(&t, i, chi2) >= fd_table_at(&t, i - 1, chi2) * (1 - 1e-12));
    }
    fd_table_free(&t);
    ok(fd_stage_plot(&run, at("analysis"), NULL, folder, &err), &err);
    check_figures();
    char *script = NULL;
    size_t length;
    ok(fd_read_text(at("figures/fig3.gp"), 1 << 20, &script, &length, &err), &err);
    assert_non_null(strstr(script, "NOT solutions"));
    free(script);
    ok(fd_stage_report(&run, folder, &err), &err);
    check_report((const char *const[]){phrase, "ollow marks", NULL});
}

static void three_solutions(void **state) {
    (void)state;
    few_solutions(3, "Only 3 solutions");
}

static void no_solutions(void **state) {
    (void)state;
    few_solutions(0, "No solution in this run");
}

static void no_rows(void **state) {
    (void)state;
    fd_run run = a_run();
    fd_error err;
    make_samples(at("empty.h5"), 0, 0, NULL);
    assert_int_equal(fd_stage_analyse(&run, at("empty.h5"), at("empty"), &err), FD_ERR_EMPTY);
    assert_non_null(strstr(err.message, "empty.h5"));
    assert_non_null(strstr(err.message, "sample.keep_chi2_below"));
    assert_int_not_equal(access(at("empty"), F_OK), 0);
}

/* ---- failures --------------------------------------------------------------------------------------------- */

static void gnuplot_missing(void **state) {
    (void)state;
    fd_run run = a_run();
    fd_error err;
    run.force = true;
    char *path = strdup(getenv("PATH"));
    setenv("PATH", "/nonexistent", 1);
    fd_status status = fd_stage_plot(&run, at("analysis"), NULL, folder, &err);
    setenv("PATH", path, 1);
    free(path);
    assert_int_equal(status, FD_ERR_TOOL);
    assert_non_null(strstr(err.message, "apt install gnuplot"));
}

static void gnuplot_fails(void **state) {
    (void)state;
    fd_run run = a_run();
    fd_plot plot = {.run = &run, .folder = folder};
    fd_text script = {0};
    fd_error err;
    fd_text_add(&script, "set output 'broken.png'\nplot nothing_of_that_name\n");
    assert_int_equal(fd_script_draw(&plot, "broken", &script, &err), FD_ERR_TOOL);
    assert_non_null(strstr(err.message, "nothing_of_that_name"));
    fd_text_free(&script);
    fd_text_add(&script, "# draws nothing\n");
    assert_int_equal(fd_script_draw(&plot, "broken", &script, &err), FD_ERR_TOOL);
    fd_text_free(&script);
}

/* A limit's name comes from a file anyone may edit; it must stay text. */
static void names_stay_text(void **state) {
    (void)state;
    fd_text text = {0};
    fd_script_quote(&text, "a'b\n`touch x`'; system('x')");
    assert_string_equal(text.data, "'a''b `touch x`''; system(''x'')'");
    fd_text_free(&text);
    fd_html_escape(&text, "<b onclick='x'>&\"");
    assert_string_equal(text.data, "&lt;b onclick=&#39;x&#39;&gt;&amp;&quot;");
    fd_text_free(&text);
}

static void report_of_nothing(void **state) {
    (void)state;
    fd_run run = a_run();
    fd_error err;
    ok(fd_make_folder(at("nothing"), &err), &err);
    assert_int_equal(fd_stage_report(&run, at("nothing"), &err), FD_ERR_EMPTY);
    /* Only a configuration: a report that says what is missing. */
    char *text = NULL;
    ok(fd_config_dump(&config, &text, &err), &err);
    ok(fd_write_text(at("nothing/config.yaml"), text, strlen(text), &err), &err);
    free(text);
    ok(fd_stage_report(&run, at("nothing"), &err), &err);
    ok(fd_read_text(at("nothing/report.html"), 1 << 20, &text, NULL, &err), &err);
    assert_non_null(strstr(text, "samples.h5 is missing"));
    assert_non_null(strstr(text, "ledger.json is missing"));
    assert_non_null(strstr(text, "figures/fig2.png is not there"));
    free(text);
}

static void bad_tables(void **state) {
    (void)state;
    static const char *const bad[] = {"", "a,b\n1\n", "a,b\n1,2,3\n", "a,b\n1,x\n", "a,b\n1,\n"};
    fd_table t;
    fd_error err;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ok(fd_write_text(at("bad.csv"), bad[i], strlen(bad[i]), &err), &err);
        assert_int_equal(fd_table_read(at("bad.csv"), &t, &err), FD_ERR_FORMAT);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_tables),
        cmocka_unit_test(names_stay_text),
        cmocka_unit_test(analysis_numbers),
        cmocka_unit_test(many_solutions_to_report),
        cmocka_unit_test(exact_beside),
        cmocka_unit_test(unreadable_is_an_error), cmocka_unit_test(rounds_of_the_configuration),
        cmocka_unit_test(edited_target),
        cmocka_unit_test(three_solutions),
        cmocka_unit_test(no_solutions),
        cmocka_unit_test(no_rows),
        cmocka_unit_test(gnuplot_missing),
        cmocka_unit_test(gnuplot_fails),
        cmocka_unit_test(report_of_nothing),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
