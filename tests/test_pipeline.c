/* run: which stages it makes, keeps and makes again, for the paper's network, the informed one, and both. */
#include <jansson.h>
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

#include "flavordiff/compare.h"
#include "flavordiff/stages.h"
#include "folder.h"
#include "stages/analyse.h"

static char messages[16384]; /* what the last run said */
static const char *stop_at;  /* asks to stop in this stage */

static bool there(const char *name) { return access(at(name), F_OK) == 0; }

static bool file_has(const char *name, const char *what) {
    char *text = NULL;
    fd_error err;
    ok(fd_read_text(at(name), 1 << 24, &text, NULL, &err), &err);
    bool has = strstr(text, what) != NULL;
    free(text);
    return has;
}

/* Figures are not what is tested here, and a real gnuplot takes seconds for them. */
static void fake_gnuplot(void) {
    static const char text[] = "#!/bin/sh\nname=${2%.gp}\n"
                               "printf 'drawn, then IEND' >$name.png; printf '\\256B`\\202' >>$name.png\n"
                               "printf '%s\\n' \"drawn as $name\" '%%EOF' >$name.pdf\n";
    char path[4096];
    fd_error err;
    assert_int_equal(mkdir(at("bin"), 0755), 0);
    ok(fd_write_text(at("bin/gnuplot"), text, strlen(text), &err), &err);
    assert_int_equal(chmod(at("bin/gnuplot"), 0755), 0);
    snprintf(path, sizeof path, "%s:%s", at("bin"), getenv("PATH"));
    setenv("PATH", path, 1);
}

static void listen(void *user, const char *line) {
    (void)user;
    strncat(messages, line, sizeof messages - strlen(messages) - 2);
    strcat(messages, "\n");
}

static int watch(void *user, const char *stage, uint64_t done, uint64_t total, const fd_tally *tally, const char *detail) {
    (void)user, (void)done, (void)total, (void)tally, (void)detail;
    return stop_at && strcmp(stage, stop_at) == 0;
}

/* Both networks as small as they go. */
static fd_config small(void) {
    static const char *const sets[] = {
        "network.widths=[8]", "train.updates=20", "diffusion.steps=20", "simulate.pairs=600", "simulate.scan=50",
        "before.n=60", "select.wanted=40", "select.max_generated=400", "select.chi2_all=1e300", "select.chi2_mass=1e300",
        "sample.n=80", "informed.enabled=true", "informed.reference=15", "informed.network.width=8",
        "informed.network.hidden=1", "informed.network.last=0", "informed.diffusion.steps=20",
        "informed.draws.validation=64", "informed.draws.from=prior", "informed.train.updates=10", "informed.train.batch=16", "informed.sample.n=70",
        "informed.sample.sampler.steps=3", "informed.sample.project.steps=20"};
    fd_config c;
    fd_error err;
    ok(fd_config_load(NULL, sizeof sets / sizeof *sets, sets, &c, &err), &err);
    return c;
}

static fd_status pipeline(const fd_config *c, bool force, const char *name, fd_error *err) {
    fd_run run = {.config = c, .command = "test", .force = force, .progress = watch, .message = listen};
    messages[0] = '\0';
    *err = (fd_error){0};
    return fd_pipeline(&run, at(name), err);
}

/* Runs, and checks how many stages were made and kept. */
static void runs(const fd_config *c, bool force, const char *name, int made, int kept) {
    char line[64];
    fd_error err;
    ok(pipeline(c, force, name, &err), &err);
    snprintf(line, sizeof line, "run: %d stages made, %d up to date", made, kept);
    if (!strstr(messages, line)) fail_msg("no '%s' in:\n%s", line, messages);
}

static void refuses(const fd_config *c, const char *name, const char *file) {
    fd_error err;
    assert_int_equal(pipeline(c, false, name, &err), FD_ERR_FILE);
    assert_non_null(strstr(err.message, file));
    assert_non_null(strstr(err.message, "--force"));
}

/* Which sample file an analysis is of. */
static void analysed(const char *summary, const char *expected) {
    json_t *root = NULL;
    fd_error err;
    ok(fd_json_load(at(summary), &root, &err), &err);
    const char *file = json_string_value(json_object_get(json_object_get(root, "samples"), "file"));
    assert_non_null(file);
    assert_string_equal(file, expected);
    json_decref(root);
}

static size_t read_rows(const char *name, float *theta, uint8_t *flags, size_t room) {
    fd_sample_reader *reader = NULL;
    fd_sample_info info;
    fd_error err;
    ok(fd_samples_open(at(name), &reader, &info, &err), &err);
    assert_true(info.n <= room);
    ok(fd_samples_read(reader, 0, (size_t)info.n, theta, NULL, NULL, flags, &err), &err);
    fd_samples_close(reader);
    return (size_t)info.n;
}

static void same_rows(const char *a, const char *b) {
    static float theta[2][100 * 23];
    size_t n = read_rows(a, theta[0], NULL, 100);
    assert_int_equal(read_rows(b, theta[1], NULL, 100), n);
    assert_memory_equal(theta[0], theta[1], n * 23 * sizeof(float));
}

/* Every set is in the ledger, and the informed one's counts are those of its file. */
static void check_ledger(void) {
    static const char *const sets[] = {"prior draws", "pre-network", "selection 1", "tuned network",
                                       "informed network, network alone", "informed network, projected", "reference"};
    enum { SETS = sizeof sets / sizeof *sets };
    fd_ledger_entry entries[SETS];
    fd_error err;
    int n = 0;
    ok(fd_ledger_read(at("both/ledger.json"), SETS, &n, entries, &err), &err);
    assert_int_equal(n, SETS);
    for (int i = 0; i < n; i++) assert_string_equal(entries[i].set, sets[i]);
    uint8_t flags[100];
    size_t rows = read_rows("both/informed-samples.h5", NULL, flags, 100), labels = 0;
    for (size_t i = 0; i < rows; i++) labels += (flags[i] & FD_LABELS) != 0;
    assert_int_equal(entries[5].tally.n, 70);
    assert_int_equal(entries[5].tally.labels, labels);
    assert_int_equal(entries[4].tally.n, 70);
    assert_int_equal(entries[6].tally.n, 15);
    assert_true(entries[6].exact && !entries[5].exact);
    /* An exact set has a number and nothing that looks like a yield. */
    assert_true(file_has("both/ledger.json", "\"solutions\": 15"));
    assert_non_null(strstr(messages, "\nreference: 15 exact solutions\n"));
    assert_null(strstr(messages, "\nreference  "));
}

/* Both networks are in the report, the informed one first, and what compare says of it. */
static void check_report(void) {
    static const char *const wanted[] = {"generated points of the informed network",
                                         "generated points of the paper's network",
                                         "exact solutions, drawn to compare with",
                                         "Selection for tuning",
                                         "<h2>The informed network beside the exact posterior</h2>",
                                         "<h2>The paper and this run: informed network</h2>",
                                         "<h2>The paper and this run: paper's network</h2>",
                                         "<h2>Figures: informed network</h2>",
                                         "Loss of the networks",
                                         "<h2>Figures: paper's network</h2>",
                                         "<code>paper/figures</code>"};
    const char *const paths[] = {at("both/reference.h5"), at("both/informed-samples.h5")};
    const fd_compare_spec all = {0};
    fd_comparison c;
    fd_error err;
    char *html = NULL, line[160];
    ok(fd_read_text(at("both/report.html"), 1 << 24, &html, NULL, &err), &err);
    const char *from = html;
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++, from++)
        if (!(from = strstr(from, wanted[i]))) fail_msg("the report has no '%s' after '%s'", wanted[i], i ? wanted[i - 1] : "");
    assert_null(strstr(from, "Loss of the networks"));
    ok(fd_compare(2, paths, &all, &c, &err), &err);
    snprintf(line, sizeof line, "<b>%d of %d quantities lie outside", c.n_outside, c.n_distances);
    assert_non_null(strstr(html, line));
    for (int i = 0; i < c.n_distances; i++)
        if (strcmp(c.distances[i].name, "sum_m_eV") == 0)
            snprintf(line, sizeof line, "<tr><th>sum_m_eV</th><td class=\"n\">%.4f</td>", c.distances[i].ks);
    assert_non_null(strstr(html, line));
    fd_comparison_free(&c);
    free(html);
}

static void from_scratch(void **state) {
    (void)state;
    fd_config c = small();
    runs(&c, false, "both", 9, 0);
    static const char *const files[] = {"pairs.h5",   "pre-network.h5",       "before.h5",    "selected-1.h5", "tuned-1.h5",
                                        "samples.h5", "informed.h5",          "informed-samples.h5",
                                        "reference.h5", "paper/figures/fig5.csv", "figures/loss-informed.csv"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char name[64];
        snprintf(name, sizeof name, "both/%s", files[i]);
        if (!there(name)) fail_msg("%s is missing", name);
    }
    analysed("both/analysis/summary.json", "informed-samples.h5");
    analysed("both/paper/analysis/summary.json", "samples.h5");
    assert_false(there("both/paper/figures/loss.gp")); /* all networks are in one figure */
    assert_true(file_has("both/figures/loss.gp", "tuned-1") && file_has("both/figures/loss.gp", "loss-informed.csv"));
    check_ledger();
    check_report();
    assert_non_null(strstr(messages, "run: tuned network: "));
    assert_non_null(strstr(messages, "run: informed network, network alone: "));
    const char *told = strstr(messages, "run: informed network, projected: ");
    assert_non_null(told);
    assert_non_null(strstr(told, "of 70 samples"));
    assert_non_null(strstr(told, "both/report.html"));
    assert_non_null(strstr(told, "both/figures"));
    c.sample.n = 90; /* the paper's samples are made again, the informed ones stay */
    refuses(&c, "both", "/samples.h5");
    runs(&c, true, "both", 1, 8);
}

/* The informed network does not know whether the paper's is there; a changed key makes again what depends on it, and
 * nothing else. */
static void informed_alone(void **state) {
    (void)state;
    fd_config c = small();
    c.paper = false;
    runs(&c, false, "alone", 3, 0);
    assert_false(there("alone/pairs.h5") || there("alone/samples.h5") || there("alone/paper"));
    analysed("alone/analysis/summary.json", "informed-samples.h5");
    assert_true(file_has("alone/config.yaml", "\npaper: false\n") && there("alone/figures/loss-informed.csv"));
    assert_null(strstr(messages, "tuned network"));
    assert_false(file_has("alone/report.html", "Selection for tuning") || file_has("alone/report.html", "class=\"missing\""));
    same_rows("both/informed-samples.h5", "alone/informed-samples.h5");

    c.train.updates = 21; /* of the paper's chain */
    c.reference.n = 77;   /* of the verb alone */
    runs(&c, false, "alone", 0, 3);
    c.informed.sample.generate.project.steps = 0;
    refuses(&c, "alone", "informed-samples.h5");
    runs(&c, true, "alone", 1, 2);
    assert_null(strstr(messages, "projected"));
    c.informed.reference = 20;
    refuses(&c, "alone", "reference.h5");
    runs(&c, true, "alone", 1, 2);
    c.reference.cluster = 0.5;
    refuses(&c, "alone", "reference.h5");
    c.informed.told.fade = 0.4;
    refuses(&c, "alone", "informed.h5");
    runs(&c, true, "alone", 3, 0);
    strcpy(c.target, "nufit-6.0-ic24-no");
    refuses(&c, "alone", "informed.h5");
    c = small();
    c.informed.reference = 0; /* what is not asked for is left alone, and out of the ledger */
    runs(&c, true, "alone", 8, 0);
    assert_true(there("alone/reference.h5") && !file_has("alone/ledger.json", "reference"));
    c.paper = false; /* back again: the paper's curves go, its files stay */
    runs(&c, false, "alone", 0, 2);
    assert_int_equal(fd_folder_rounds(at("alone")), -1);
    assert_false(there("alone/figures/loss-pre-network.csv") || there("alone/figures/loss-tuned-1.csv"));
    assert_true(there("alone/samples.h5"));
}

static void paper_alone(void **state) {
    (void)state;
    fd_config c = small();
    fd_error err;
    c.informed.enabled = false;
    runs(&c, false, "paper", 6, 0);
    assert_false(there("paper/informed.h5") || there("paper/reference.h5") || there("paper/paper"));
    analysed("paper/analysis/summary.json", "samples.h5");
    assert_null(strstr(messages, "informed"));
    assert_false(file_has("paper/report.html", "<h2>The informed") || file_has("paper/report.html", "informed network"));
    c.paper = false;
    assert_int_equal(pipeline(&c, false, "nothing", &err), FD_ERR_CONFIG);
    assert_non_null(strstr(err.message, "informed.enabled"));
}

static void stops_and_goes_on(void **state) {
    (void)state;
    fd_config c = small();
    fd_error err;
    stop_at = "train-informed";
    assert_int_equal(pipeline(&c, false, "parts", &err), FD_ERR_STOPPED);
    assert_true(there("parts/samples.h5"));
    assert_false(there("parts/informed.h5") || there("parts/informed.h5.part") || there("parts/ledger.json"));
    stop_at = "reference";
    assert_int_equal(pipeline(&c, false, "parts", &err), FD_ERR_STOPPED);
    assert_true(there("parts/informed-samples.h5") && !there("parts/reference.h5"));
    stop_at = NULL;
    runs(&c, false, "parts", 1, 8);
    same_rows("both/informed-samples.h5", "parts/informed-samples.h5");
    same_rows("both/reference.h5", "parts/reference.h5");
}

static int set_up(void **state) {
    if (make_folder(state)) return -1;
    fake_gnuplot();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(from_scratch),
        cmocka_unit_test(informed_alone),
        cmocka_unit_test(paper_alone),
        cmocka_unit_test(stops_and_goes_on),
    };
    return cmocka_run_group_tests(tests, set_up, remove_folder);
}
