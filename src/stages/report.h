/* Inside of the report stage: what it reads, and HTML put together safely. */
#ifndef FLAVORDIFF_STAGES_REPORT_H
#define FLAVORDIFF_STAGES_REPORT_H

#include <jansson.h>
#include <stdbool.h>

#include "flavordiff/stages.h"
#include "stages/table.h"
#include "stages/text.h"

enum { FD_MOST_SETS = 64 };

/* What one network of the run gave, as far as it is there. */
typedef struct fd_report_part {
    const char *name;   /* "informed network" */
    const char *file;   /* of its samples, in the run folder */
    const char *folder; /* with its analysis and figures, relative to the run folder: "" or "paper/" */
    bool has_samples, has_solutions;
    fd_sample_info samples;
    json_t *summary; /* analysis/summary.json, or NULL */
    fd_table solutions;
    const fd_ledger_entry *result, *alone; /* of the ledger: what counts; the network alone where that was projected; or NULL */
} fd_report_part;

/* A run folder as far as it is there; what is missing is said in the report. */
typedef struct fd_report {
    fd_error trouble; /* the first part that is there and could not be read */
    const fd_run *run;
    const char *folder;
    fd_text html;
    bool has_config, has_target;
    fd_config config;
    char *config_text;
    fd_target target;
    int n_parts; /* the informed network first */
    fd_report_part parts[2];
    const fd_report_part *part; /* the one that is written about */
    int n_sets;
    fd_ledger_entry sets[FD_MOST_SETS];
    int n_rounds;
    fd_sample_info rounds[FD_MAX_ROUNDS];    /* of selected-1.h5 ... */
    uint64_t rounds_in_prior[FD_MAX_ROUNDS]; /* rows of them inside the prior box */
} fd_report;

/* ---- HTML (report_html.c) --------------------------------------------------------------------------------- */

/* Whether a part that was just read is good. One that is missing, or of something else, is left out, and the page says so. One
 * that is there and cannot be read (out of memory, not permitted, damaged) is no part to leave out: the first such failure
 * is kept in r->trouble, and there is no page. path: NULL where the part is no file of the folder. */
bool fd_report_takes(fd_report *r, const char *path, fd_status status, const fd_error *err);

void fd_html_open(fd_text *html, const char *title);
void fd_html_close(fd_text *html);
/* Text with <, >, &, quotes made harmless. */
void fd_html_escape(fd_text *html, const char *string);
/* <tr><th>name</th><td>value</td></tr>; both escaped, value printf-like. */
void fd_html_row(fd_text *html, const char *name, const char *format, ...) FD_PRINTF(3, 4);
/* <tr> with the paper's value and this run's. */
void fd_html_pair(fd_text *html, const char *name, const char *paper, const char *format, ...) FD_PRINTF(4, 5);
/* Paragraph saying that something is missing; escaped. */
void fd_html_missing(fd_text *html, const char *format, ...) FD_PRINTF(2, 3);
/* <figure> with figures/NAME.png of the part embedded; what is missing is said. caption is HTML of ours. */
void fd_html_figure(fd_report *report, const char *name, const char *title, const char *caption);

/* ---- sections --------------------------------------------------------------------------------------------- */

void fd_report_run(fd_report *report);     /* what was run */
void fd_report_ledger(fd_report *report);  /* yields and selection counts */
void fd_report_exact(fd_report *report);   /* the informed network's solutions beside reference.h5 */
void fd_report_claims(fd_report *report);  /* claims of the paper / networks / exact solutions / verdict */
/* Of the part the report is at: */
void fd_report_compare(fd_report *report); /* paper / this run, limits */
void fd_report_figures(fd_report *report); /* figures 2-5, both readings of the phases, loss */
void fd_report_reading(fd_report *report); /* how we read the paper */

#endif
