/* report: report.html of a run folder. Reads what is there; says what is not. */
#include "io/file_safety.h"
#include "io/provenance.h"
#include "stages/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stages/analyse.h"
#include "stages/common.h"

/* ---- reading the folder ----------------------------------------------------------------------------------- */

bool fd_report_takes(fd_report *r, const char *path, fd_status status, const fd_error *err) {
    bool there = path && access(path, F_OK) == 0;
    bool refused = status == FD_ERR_MEMORY || ((status == FD_ERR_FILE || status == FD_ERR_FORMAT) && there);
    if (refused && !r->trouble.status) r->trouble = *err;
    return !status;
}

static char *path_in(fd_report *r, const char *name) {
    char *path = fd_path(r->folder, name);
    if (!path && !r->trouble.status) fd_fail(&r->trouble, FD_ERR_MEMORY, "out of memory");
    return path;
}

static void read_config(fd_report *r) {
    char *path = path_in(r, "config.yaml");
    size_t length = 0;
    fd_error err = {0};
    fd_config_default(&r->config);
    r->has_config = path && fd_report_takes(r, path, fd_config_load(path, 0, NULL, &r->config, &err), &err) &&
                    fd_report_takes(r, path, fd_read_text(path, 1 << 20, &r->config_text, &length, &err), &err);
    free(path);
}

/* Head of a sample file; false when it is missing or unreadable. */
static bool read_info(fd_report *r, const char *name, fd_sample_info *info) {
    fd_sample_reader *reader = NULL;
    fd_error err = {0};
    char *path = path_in(r, name);
    bool ok = path && access(path, F_OK) == 0 && fd_report_takes(r, path, fd_samples_open(path, &reader, info, &err), &err);
    fd_samples_close(reader);
    free(path);
    return ok;
}

/* Rows of a sample file that lie inside the prior box; false when it is missing or unreadable. */
static bool count_in_prior(fd_report *r, const char *path, uint64_t *count) {
    enum { BLOCK = 65536 };
    fd_error err = {0};
    fd_sample_reader *reader = NULL;
    fd_sample_info info;
    uint8_t *flags = malloc(BLOCK);
    fd_status status = flags ? fd_samples_open(path, &reader, &info, &err) : fd_fail(&err, FD_ERR_MEMORY, "out of memory");
    bool ok = fd_report_takes(r, path, status, &err);
    *count = 0;
    for (uint64_t first = 0; ok && first < info.n; first += BLOCK) {
        size_t n = info.n - first < BLOCK ? (size_t)(info.n - first) : BLOCK;
        ok = fd_report_takes(r, path, fd_samples_read(reader, first, n, NULL, NULL, NULL, flags, &err), &err);
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
        char *path = path_in(r, name);
        bool ok = path && read_info(r, name, &r->rounds[i]) && count_in_prior(r, path, &r->rounds_in_prior[i]);
        free(path);
        if (!ok) break;
        r->n_rounds++;
    }
}

static void read_analysis(fd_report *r, fd_report_part *part) {
    char name[64];
    fd_error err = {0};
    snprintf(name, sizeof name, "%sanalysis/summary.json", part->folder);
    char *summary = path_in(r, name);
    snprintf(name, sizeof name, "%sanalysis/solutions.csv", part->folder);
    char *csv = path_in(r, name);
    if (summary && !fd_report_takes(r, summary, fd_json_load(summary, &part->summary, &err), &err)) part->summary = NULL;
    part->has_solutions = part->summary && csv && fd_report_takes(r, csv, fd_table_read(csv, &part->solutions, &err), &err);
    free(summary);
    free(csv);
}

static const char informed[] = "informed network";

/* The last set of the ledger that a network gave, and the one before where that is the same without projection. */
static void find_result(const fd_report *r, fd_report_part *part, bool of_informed) {
    for (int i = r->n_sets; i-- > 0;) {
        const fd_ledger_entry *e = &r->sets[i];
        if (e->exact || (strncmp(e->set, informed, sizeof informed - 1) == 0) != of_informed) continue;
        size_t same = strcspn(e->set, ",");
        part->result = e;
        if (i > 0 && e->set[same] && strncmp(e[-1].set, e->set, same + 1) == 0) part->alone = e - 1;
        return;
    }
}

/* The configuration says which networks there are: others' files are left over from another one. */
static void read_parts(fd_report *r) {
    bool both = r->has_config && r->config.informed.enabled && r->config.paper;
    bool lead = r->has_config && r->config.informed.enabled;
    r->n_parts = 1 + both;
    for (int i = 0; i < r->n_parts; i++) {
        bool of_informed = lead && i == 0;
        fd_report_part *part = &r->parts[i];
        part->name = of_informed ? informed : "paper's network";
        part->file = of_informed ? "informed-samples.h5" : "samples.h5";
        part->folder = i ? "paper/" : "";
        part->has_samples = read_info(r, part->file, &part->samples);
        read_analysis(r, part);
        find_result(r, part, of_informed);
    }
    r->part = r->parts;
}

static void read_target(fd_report *r) {
    const char *name = json_string_value(json_object_get(json_object_get(r->part->summary, "target"), "name"));
    if (!name && r->part->has_samples) name = r->part->samples.target;
    if (!name && r->has_config) name = r->config.target;
    fd_error err = {0};
    if (!name) return;
    fd_status status = fd_named_target(r->run, name, &r->target, NULL, &err);
    r->has_target = fd_report_takes(r, fd_target_known(name) ? r->folder : NULL, status, &err); /* gone is told, unreadable is an error */
}

static fd_status told(const fd_report *r, fd_error *err) {
    if (err) *err = r->trouble;
    return r->trouble.status;
}

static fd_status read_folder(fd_report *r, fd_error *err) {
    char *ledger = fd_path(r->folder, "ledger.json");
    if (!ledger) return fd_fail(err, FD_ERR_MEMORY, "out of memory");
    fd_error inner = {0};
    read_config(r);
    if (access(ledger, F_OK) || !fd_report_takes(r, ledger, fd_ledger_read(ledger, FD_MOST_SETS, &r->n_sets, r->sets, &inner), &inner))
        r->n_sets = 0;
    free(ledger);
    read_parts(r);
    if (!r->has_config || r->config.paper) read_rounds(r);
    read_target(r);
    if (r->trouble.status) return told(r, err);
    if (!r->has_config && !r->part->summary && !r->part->has_samples && !r->n_sets)
        return fd_fail(err, FD_ERR_EMPTY,
                       "%s: no config.yaml, samples.h5, ledger.json or analysis/summary.json; is it a run folder?",
                       r->folder);
    return FD_OK;
}

/* ---- page ------------------------------------------------------------------------------------------------- */

/* The one sentence most readers come for, of each network. */
static void headline(fd_report *r) {
    fd_text *html = &r->html;
    const fd_report_part *part = r->part;
    char a[32], b[32], yield[32], from[32], to[32];
    if (!part->result && !part->has_samples) return;
    const fd_tally *t = part->result ? &part->result->tally : &part->samples.tally;
    double lo, hi;
    fd_wilson(t->labels, t->n, &lo, &hi);
    fd_text_addf(
        html,
        "<p class=\"headline\"><b>%s</b> of %s generated points%s%s reproduce the measured masses and mixing within "
        "3&nbsp;σ",
        fd_text_count(t->labels, a), fd_text_count(t->n, b), r->n_parts > 1 ? " of the " : "",
        r->n_parts > 1 ? part->name : "");
    fd_text_addf(
        html, " (yield %s, 95&nbsp;%% interval %s to %s); %s of them have all parameters inside the prior box.",
        fd_text_fraction(t->n ? (double)t->labels / (double)t->n : 0.0, 3, yield), fd_text_fraction(lo, 3, from),
        fd_text_fraction(hi, 3, to), fd_text_count(t->labels_in_prior, a));
    if (part->alone)
        fd_text_addf(html, " They were projected onto their labels; before that %s were solutions, %s inside the prior box.",
                     fd_text_count(part->alone->tally.labels, a), fd_text_count(part->alone->tally.labels_in_prior, b));
    if (part == &r->parts[r->n_parts - 1])
        fd_text_add(html, " The paper reports 104 of 30,000,000 (yield 3.47e-06, 95&nbsp;% interval 2.86e-06 to 4.20e-06).");
    fd_text_add(html, "</p>\n");
}

/* Calls a section once for each network. */
static void for_parts(fd_report *r, void (*section)(fd_report *)) {
    for (int i = 0; i < r->n_parts; i++) {
        r->part = &r->parts[i];
        section(r);
    }
    r->part = r->parts;
}

static void page(fd_report *r) {
    char title[160], when[32];
    fd_timestamp(when);
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
    for_parts(r, headline);
    fd_report_run(r);
    fd_report_ledger(r);
    fd_report_claims(r);
    fd_report_exact(r);
    for_parts(r, fd_report_compare);
    for_parts(r, fd_report_figures);
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
    if (r->trouble.status) {
        status = told(r, err);
        goto cleanup;
    }
    if ((status = fd_text_write(&r->html, path, err))) goto cleanup;
    fd_say(run, "report: %s", path);
cleanup:
    if (r) {
        for (int i = 0; i < r->n_parts; i++) {
            json_decref(r->parts[i].summary);
            fd_table_free(&r->parts[i].solutions);
        }
        fd_text_free(&r->html);
        free(r->config_text);
    }
    free(r);
    free(path);
    return status;
}
