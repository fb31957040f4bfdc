/* report: report.html of a run folder. Reads what is there; says what is not. */
#include "io/file_safety.h"
#include "stages/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "stages/analyse.h"
#include "stages/common.h"

/* ---- reading the folder ----------------------------------------------------------------------------------- */

static void read_config(fd_report *r) {
    char *path = fd_path(r->folder, "config.yaml");
    size_t length = 0;
    fd_config_default(&r->config);
    r->has_config = path && !fd_config_load(path, 0, NULL, &r->config, NULL) &&
                    !fd_read_text(path, 1 << 20, &r->config_text, &length, NULL);
    free(path);
}

/* Head of a sample file; false when it is missing or unreadable. */
static bool read_info(const fd_report *r, const char *name, fd_sample_info *info) {
    fd_sample_reader *reader = NULL;
    char *path = fd_path(r->folder, name);
    bool ok = path && access(path, F_OK) == 0 && !fd_samples_open(path, &reader, info, NULL);
    fd_samples_close(reader);
    free(path);
    return ok;
}

/* Rows of a sample file that lie inside the prior box; false when it is missing or unreadable. */
static bool count_in_prior(const char *path, uint64_t *count) {
    enum { BLOCK = 65536 };
    fd_sample_reader *reader = NULL;
    fd_sample_info info;
    uint8_t *flags = malloc(BLOCK);
    bool ok = flags && !fd_samples_open(path, &reader, &info, NULL);
    *count = 0;
    for (uint64_t first = 0; ok && first < info.n; first += BLOCK) {
        size_t n = info.n - first < BLOCK ? (size_t)(info.n - first) : BLOCK;
        ok = !fd_samples_read(reader, first, n, NULL, NULL, NULL, flags, NULL);
        for (size_t i = 0; ok && i < n; i++) *count += (flags[i] & FD_IN_PRIOR) != 0;
    }
    fd_samples_close(reader);
    free(flags);
    return ok;
}

/* The configuration says how many rounds there are: files of more are left over from another one. */
static void read_rounds(fd_report *r) {
    char name[32];
    int most = fd_folder_rounds(r->folder);
    for (int i = 0; i < most; i++) {
        snprintf(name, sizeof name, "selected-%d.h5", i + 1);
        char *path = fd_path(r->folder, name);
        bool ok = path && read_info(r, name, &r->rounds[i]) && count_in_prior(path, &r->rounds_in_prior[i]);
        free(path);
        if (!ok) break;
        r->n_rounds++;
    }
}

static void read_analysis(fd_report *r) {
    char *summary = fd_path(r->folder, "analysis/summary.json"), *csv = fd_path(r->folder, "analysis/solutions.csv");
    if (summary && fd_json_load(summary, &r->summary, NULL)) r->summary = NULL;
    r->has_solutions = r->summary && csv && !fd_table_read(csv, &r->solutions, NULL);
    free(summary);
    free(csv);
}

static void read_target(fd_report *r) {
    const char *name = json_string_value(json_object_get(json_object_get(r->summary, "target"), "name"));
    if (!name && r->has_samples) name = r->samples.target;
    if (!name && r->has_config) name = r->config.target;
    r->has_target = name && !fd_named_target(r->run, name, &r->target, NULL, NULL);
}

static fd_status read_folder(fd_report *r, fd_error *err) {
    char *ledger = fd_path(r->folder, "ledger.json");
    if (!ledger) return fd_fail(err, FD_ERR_MEMORY, "out of memory");
    read_config(r);
    r->has_samples = read_info(r, "samples.h5", &r->samples);
    read_rounds(r);
    read_analysis(r);
    read_target(r);
    if (access(ledger, F_OK) || fd_ledger_read(ledger, FD_MOST_SETS, &r->n_sets, r->sets, NULL)) r->n_sets = 0;
    free(ledger);
    if (!r->has_config && !r->summary && !r->has_samples && !r->n_sets)
        return fd_fail(err, FD_ERR_EMPTY,
                       "%s: no config.yaml, samples.h5, ledger.json or analysis/summary.json; is it a run folder?",
                       r->folder);
    return FD_OK;
}

/* ---- page ------------------------------------------------------------------------------------------------- */

const fd_ledger_entry *fd_report_result(const fd_report *r) {
    for (int i = r->n_sets; i-- > 0;)
        if (!r->sets[i].exact) return &r->sets[i];
    return NULL;
}

/* The one sentence most readers come for. */
static void headline(fd_report *r) {
    fd_text *html = &r->html;
    char a[32], b[32];
    const fd_ledger_entry *last = fd_report_result(r);
    if (!last && !r->has_samples) return;
    const fd_tally *t = last ? &last->tally : &r->samples.tally;
    double lo, hi;
    fd_wilson(t->labels, t->n, &lo, &hi);
    fd_text_addf(
        html,
        "<p class=\"headline\"><b>%s</b> of %s generated points reproduce the measured masses and mixing within "
        "3&nbsp;σ",
        fd_text_count(t->labels, a), fd_text_count(t->n, b));
    fd_text_addf(
        html,
        " (yield %.3g, 95&nbsp;%% interval %.3g to %.3g); %s of them have all parameters inside the prior box. "
        "The paper reports 104 of 30,000,000 (yield 3.47e-06, 95&nbsp;%% interval 2.86e-06 to 4.20e-06).</p>\n",
        t->n ? (double)t->labels / (double)t->n : 0.0, lo, hi, fd_text_count(t->labels_in_prior, a));
}

static void page(fd_report *r) {
    char title[160], when[32] = "";
    time_t now = time(NULL);
    struct tm utc;
    if (gmtime_r(&now, &utc)) strftime(when, sizeof when, "%Y-%m-%d %H:%M UTC", &utc);
    snprintf(title, sizeof title, "flavordiff: %s",
             r->has_config && r->config.name[0] ? r->config.name : fd_base_name(r->folder));
    fd_html_open(&r->html, title);
    fd_text_add(&r->html, "<h1>");
    fd_html_escape(&r->html, title);
    fd_text_addf(
        &r->html,
        "</h1>\n<p class=\"sub\">A diffusion model generates type-I seesaw parameters conditioned on neutrino data. "
        "Report of %s by flavordiff %s (%s).</p>\n",
        when, fd_version(), fd_revision());
    headline(r);
    fd_report_run(r);
    fd_report_ledger(r);
    fd_report_compare(r);
    fd_report_figures(r);
    fd_report_reading(r);
    fd_html_close(&r->html);
}

fd_status fd_stage_report(const fd_run *run, const char *run_folder, fd_error *err) {
    fd_report *r = calloc(1, sizeof *r); /* the ledger and the rounds make it large for a stack */
    char *path = fd_path(run_folder, "report.html");
    fd_status status = r && path ? FD_OK : fd_fail(err, FD_ERR_MEMORY, "out of memory");
    if (status) goto cleanup;
    r->run = run;
    r->folder = run_folder;
    if ((status = fd_part_allowed(path, run->force, err))) goto cleanup;
    if ((status = read_folder(r, err))) goto cleanup;
    page(r);
    if ((status = fd_text_write(&r->html, path, err))) goto cleanup;
    fd_say(run, "report: %s", path);
cleanup:
    if (r) {
        json_decref(r->summary);
        fd_table_free(&r->solutions);
        fd_text_free(&r->html);
        free(r->config_text);
    }
    free(r);
    free(path);
    return status;
}
