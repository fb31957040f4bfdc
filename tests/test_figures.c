/* Figures are all there or not at all: what plot does without gnuplot, with one that fails, and when asked to stop. */
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "flavordiff/rng.h"
#include "folder.h"
#include "stages/common.h"
#include "stages/plot.h"

static char *path_before;

static bool there(const char *name) { return access(at(name), F_OK) == 0; }

static void write_file(const char *name, const char *text) {
    fd_error err;
    ok(fd_write_text(at(name), text, strlen(text), &err), &err);
}

static bool file_has(const char *name, const char *what) {
    char *text = NULL;
    fd_error err;
    ok(fd_read_text(at(name), 1 << 24, &text, NULL, &err), &err);
    bool has = strstr(text, what) != NULL;
    free(text);
    return has;
}

/* Draws what passes for whole figures, marked; `before` is run first, with the name of the figure in $name. */
static void fake_gnuplot(const char *before) {
    char text[2000];
    snprintf(text, sizeof text,
             "#!/bin/sh\nname=${2%%.gp}\n%s\n"
             "printf '%%s' \"drawn as $name, then IEND\" >$name.png; printf '\\256B`\\202' >>$name.png\n"
             "printf '%%s\\n' \"drawn as $name\" '%%%%EOF' >$name.pdf\n",
             before);
    write_file("bin/gnuplot", text);
    assert_int_equal(chmod(at("bin/gnuplot"), 0755), 0);
    snprintf(text, sizeof text, "%s:%s", at("bin"), path_before);
    setenv("PATH", text, 1);
}

/* ---- callers ---------------------------------------------------------------------------------------------- */

static fd_config config;
static uint64_t last_done, calls;
static const char *stop_when; /* asks to stop once this file is there */

static int watch(void *user, const char *stage, uint64_t done, uint64_t total, const fd_tally *tally,
                 const char *detail) {
    (void)user, (void)tally;
    assert_string_equal(stage, "plot");
    assert_non_null(detail);
    assert_true(done >= last_done && done <= total && total == 6);
    last_done = done;
    calls++;
    return stop_when && there(stop_when);
}

static fd_status plot(bool force, fd_error *err) {
    fd_run run = {.config = &config, .command = "test", .force = force, .progress = watch};
    *err = (fd_error){0};
    last_done = calls = 0;
    return fd_stage_plot(&run, at("analysis"), NULL, folder, err);
}

/* The same command once more, without --force, with a gnuplot that works. */
static void again_works(void) {
    fd_error err;
    stop_when = NULL;
    assert_false(there("figures"));
    fake_gnuplot("");
    ok(plot(false, &err), &err);
    assert_true(there("figures/fig2.gp") && there("figures/phases.pdf") && there("figures/fig5.csv"));
    assert_false(there("figures/drawing.part"));
    assert_int_equal(last_done, 6);
    assert_int_equal(plot(false, &err), FD_ERR_FILE);
    assert_non_null(strstr(err.message, "--force"));
}

static int fresh(void **state) {
    char command[300];
    (void)state;
    stop_when = NULL;
    fd_config_default(&config);
    snprintf(command, sizeof command, "rm -rf %s/figures %s/mark %s/config.yaml", folder, folder, folder);
    return system(command);
}

/* ---- no gnuplot, or one that fails ------------------------------------------------------------------------ */

static void missing(void **state) {
    fd_error err;
    (void)state;
    setenv("PATH", at("empty"), 1);
    assert_int_equal(plot(false, &err), FD_ERR_TOOL);
    assert_non_null(strstr(err.message, "apt install gnuplot"));
    again_works();
}

static void fails_half_way(void **state) {
    fd_error err;
    (void)state;
    fake_gnuplot("if [ $name = fig4 ]; then echo '\"fig4.gp\" line 7: no such terminal' >&2; exit 1; fi");
    assert_int_equal(plot(false, &err), FD_ERR_TOOL);
    assert_non_null(strstr(err.message, "line 7: no such terminal"));
    assert_non_null(strstr(err.message, "version 5.4"));
    again_works();
}

static void killed(void **state) {
    fd_error err;
    (void)state;
    fake_gnuplot("if [ $name = fig3 ]; then kill -KILL $$; fi");
    assert_int_equal(plot(false, &err), FD_ERR_TOOL);
    assert_non_null(strstr(err.message, "killed by signal 9"));
    assert_null(strstr(err.message, "version"));
    again_works();
}

/* gnuplot ends with 0 on a full disk. */
static void half_files(void **state) {
    static const char *const tricks[] = {
        "if [ $name = fig3 ]; then exit 0; fi",
        "if [ $name = fig3 ]; then echo 'a picture of which the end is missing' >fig3.png; exit 0; fi",
        "if [ $name = fig3 ]; then printf 'a picture, IEND\\256B`\\202' >fig3.png; : >fig3.pdf; exit 0; fi",
        "if [ $name = fig3 ]; then printf 'a picture, IEND\\256B`\\202' >fig3.png; echo %%EOF+ >fig3.pdf; exit; fi",
    };
    fd_error err;
    (void)state;
    for (size_t i = 0; i < sizeof tricks / sizeof *tricks; i++) {
        fake_gnuplot(tricks[i]);
        assert_int_equal(plot(false, &err), FD_ERR_TOOL);
        assert_non_null(strstr(err.message, i < 2 ? "fig3.png" : "fig3.pdf"));
        assert_non_null(strstr(err.message, "is the disk full?"));
        assert_false(there("figures"));
    }
    again_works();
}

/* An earlier set, and what else is in its folder, survive a failure. */
static void earlier_set_stays(void **state) {
    fd_error err;
    (void)state;
    again_works();
    write_file("figures/fig2.gp", "restyled");
    write_file("figures/mine.txt", "mine");
    fake_gnuplot("if [ $name = phases ]; then kill -KILL $$; fi");
    assert_int_equal(plot(true, &err), FD_ERR_TOOL);
    assert_true(file_has("figures/fig2.gp", "restyled") && file_has("figures/fig2.pdf", "drawn as fig2"));
    assert_true(there("figures/mine.txt"));
    assert_false(there("figures/drawing.part"));
    fake_gnuplot("");
    ok(plot(true, &err), &err);
    assert_true(file_has("figures/fig2.gp", "set output") && there("figures/mine.txt"));
}

/* ---- asked to stop ---------------------------------------------------------------------------------------- */

static void stopped_by_signal(void **state) {
    static const char *const signals[] = {"INT", "TERM"};
    char trick[100];
    fd_error err;
    (void)state;
    for (int i = 0; i < 2; i++) {
        snprintf(trick, sizeof trick, "if [ $name = fig3 ]; then kill -%s $$; sleep 1; fi", signals[i]);
        fake_gnuplot(trick);
        fd_status status = plot(false, &err);
        assert_int_equal(status, FD_ERR_STOPPED);
        assert_int_equal(fd_status_exit_code(status), 75);
        assert_non_null(strstr(err.message, "stopped"));
        assert_null(strstr(err.message, "version"));
        assert_false(there("figures"));
    }
    again_works();
}

/* gnuplot makes an exit code of Ctrl-C; that the caller asks to stop tells what it was. */
static void stopped_both(void **state) {
    fd_error err;
    (void)state;
    fake_gnuplot("if [ $name = fig2 ]; then : >../../mark; echo >&2; exit 1; fi");
    stop_when = "mark";
    assert_int_equal(plot(false, &err), FD_ERR_STOPPED);
    assert_null(strstr(err.message, "version"));
    again_works();
}

/* A stop ends a gnuplot that hangs, also when a child of it holds the pipe. */
static void stopped_while_drawing(void **state) {
    static const char *const tricks[] = {": >../../mark; exec sleep 30", ": >../../mark; sleep 30",
                                         ": >../../mark; trap '' TERM INT; exec 2>&-; sleep 30"};
    fd_error err;
    (void)state;
    for (size_t i = 0; i < sizeof tricks / sizeof *tricks; i++) {
        fresh(NULL);
        fake_gnuplot(tricks[i]);
        stop_when = "mark";
        double begin = fd_seconds();
        assert_int_equal(plot(false, &err), FD_ERR_STOPPED);
        assert_true(fd_seconds() - begin < 20);
        assert_true(calls >= 2);
    }
    again_works();
}

/* A gnuplot that ended is not waited for because of what it started. */
static void left_child(void **state) {
    fd_error err;
    (void)state;
    fake_gnuplot("if [ $name = fig2 ]; then sleep 30 & fi");
    double begin = fd_seconds();
    ok(plot(false, &err), &err);
    assert_true(fd_seconds() - begin < 20);
}

/* ---- what else is in the folder --------------------------------------------------------------------------- */

static void left_overs(void **state) {
    fd_error err;
    char *text = NULL;
    (void)state;
    again_works();
    config.tune_rounds = 1;
    ok(fd_config_dump(&config, &text, &err), &err);
    write_file("config.yaml", text);
    free(text);
    write_file("figures/loss-tuned-1.csv", "configured");
    write_file("figures/loss-tuned-2.csv", "of an earlier run");
    write_file("figures/loss-tuned-20.csv", "of an earlier run");
    assert_int_equal(mkdir(at("figures/drawing.part"), 0777), 0);
    write_file("figures/drawing.part/fig9.png", "of a killed process");
    ok(plot(true, &err), &err);
    assert_true(there("figures/loss-tuned-1.csv"));
    assert_false(there("figures/loss-tuned-2.csv") || there("figures/loss-tuned-20.csv"));
    assert_false(there("figures/fig9.png") || there("figures/drawing.part"));
}

static void two_at_once(void **state) {
    fd_error err;
    (void)state;
    again_works();
    assert_int_equal(mkdir(at("figures/drawing.part"), 0777), 0);
    write_file("figures/drawing.part/fig2.csv", "of the other one");
    int fd = open(at("figures/drawing.part"), O_RDONLY | O_DIRECTORY);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    assert_int_equal(plot(true, &err), FD_ERR_FILE);
    assert_non_null(strstr(err.message, "another process"));
    assert_true(there("figures/drawing.part/fig2.csv"));
    close(fd);
    ok(plot(true, &err), &err);
}

static void unknown_target(void **state) {
    fd_error err;
    (void)state;
    write_file("analysis/summary.json", "{\"target\": {\"name\": \"of-my-own\"}, \"samples\": {\"generated\": 1000}}");
    fd_status status = plot(false, &err);
    write_file("analysis/summary.json",
               "{\"target\": {\"name\": \"paper-table1-no\"}, \"samples\": {\"generated\": 1000}}");
    assert_int_equal(status, FD_ERR_FILE);
    assert_non_null(strstr(err.message, "of-my-own"));
    assert_non_null(strstr(err.message, "give its file with --target"));
    again_works();
}

/* ---- gnuplot itself --------------------------------------------------------------------------------------- */

static void real_gnuplot(void **state) {
    char command[200];
    fd_error err;
    struct rlimit before, small;
    (void)state;
    setenv("PATH", path_before, 1);
    if (system("gnuplot --version >/dev/null 2>&1") != 0) skip();
    getrlimit(RLIMIT_FSIZE, &before);
    small = before;
    small.rlim_cur = 16000; /* room for scripts and data, not for pictures */
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    fd_status status = plot(false, &err);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(status, FD_ERR_TOOL);
    assert_non_null(strstr(err.message, "disk full"));
    assert_false(there("figures"));
    ok(plot(false, &err), &err);
    /* By hand, as the head of the script says. */
    assert_int_equal(unlink(at("figures/fig3.png")) | unlink(at("figures/fig3.pdf")), 0);
    snprintf(command, sizeof command, "cd %s/figures && gnuplot fig3.gp", folder);
    assert_int_equal(system(command), 0);
    assert_true(there("figures/fig3.png") && there("figures/fig3.pdf"));
}

/* ---- an analysis ------------------------------------------------------------------------------------------ */

static int set_up(void **state) {
    static const struct {
        const char *name;
        double lo, hi;
    } columns[] = {{"sum_m_eV", 0.06, 0.1},
                   {"mnue_eV", 0.009, 0.02},
                   {"mbb_eV", 0.001, 0.01},
                   {"delta_rad", 0, 6},
                   {"alpha21_rad", 0, 6},
                   {"alpha31_rad", 0, 6},
                   {"s23sq", 0.4, 0.6},
                   {"M1_GeV", 1e11, 1e12},
                   {"M2_GeV", 1e12, 1e13},
                   {"M3_GeV", 1e13, 1e15},
                   {"mbb_eV_paper_phases", 0.001, 0.01},
                   {"chi2_five", 1, 30},
                   {"in_prior", 1, 1}};
    enum { COLUMNS = sizeof columns / sizeof *columns };
    const char *names[COLUMNS];
    fd_table table = {0};
    fd_rng rng;
    signal(SIGINT, SIG_DFL); /* a shell's background jobs, and the gnuplot they start, are deaf to it */
    if (make_folder(state)) return -1;
    path_before = strdup(getenv("PATH"));
    fd_make_folder(at("analysis"), NULL);
    fd_make_folder(at("bin"), NULL);
    fd_make_folder(at("empty"), NULL);
    for (int j = 0; j < COLUMNS; j++) names[j] = columns[j].name;
    fd_rng_start(&rng, 3, FD_STREAM_TEST, 0, 0);
    int failed = fd_table_create(COLUMNS, names, &table, NULL) != 0;
    for (int i = 0; i < 30 && !failed; i++) {
        double *row = fd_table_row(&table);
        for (int j = 0; j < COLUMNS; j++)
            row[j] = columns[j].lo + fd_rng_uniform(&rng) * (columns[j].hi - columns[j].lo);
    }
    failed |= fd_table_write(&table, at("analysis/solutions.csv"), NULL) != 0;
    fd_table_free(&table);
    write_file("analysis/summary.json",
               "{\"target\": {\"name\": \"paper-table1-no\"}, \"samples\": {\"generated\": 1000}}");
    return failed;
}

static int tear_down(void **state) {
    setenv("PATH", path_before, 1);
    free(path_before);
    return remove_folder(state);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(missing, fresh),
        cmocka_unit_test_setup(fails_half_way, fresh),
        cmocka_unit_test_setup(killed, fresh),
        cmocka_unit_test_setup(half_files, fresh),
        cmocka_unit_test_setup(earlier_set_stays, fresh),
        cmocka_unit_test_setup(stopped_by_signal, fresh),
        cmocka_unit_test_setup(stopped_both, fresh),
        cmocka_unit_test_setup(stopped_while_drawing, fresh),
        cmocka_unit_test_setup(left_child, fresh),
        cmocka_unit_test_setup(left_overs, fresh),
        cmocka_unit_test_setup(two_at_once, fresh),
        cmocka_unit_test_setup(unknown_target, fresh),
        cmocka_unit_test_setup(real_gnuplot, fresh),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
