/* What analyse, plot and report share: the analysis folder. */
#ifndef FLAVORDIFF_STAGES_ANALYSE_H
#define FLAVORDIFF_STAGES_ANALYSE_H

#include <jansson.h>

#include "flavordiff/stages.h"
#include "stages/table.h"

/* Fewer solutions than this: figures show the nearest rows too, and say so. FD_NEAREST of them. */
enum { FD_FEW_SOLUTIONS = 10, FD_NEAREST = 200, FD_DIGIT_BINS = 9, FD_PRIOR_DRAWS = 100000 };

/* Observables that depend on how the Majorana phases are taken: NAME_paper_phases columns of the CSV files. */
#define FD_PAPER_SUFFIX "_paper_phases"
enum { FD_PAPER_COLUMNS = 4 };
extern const char *const fd_paper_columns[FD_PAPER_COLUMNS];

/* folder/name in fresh memory, or NULL. */
char *fd_path(const char *folder, const char *name);
/* The last part of a path. */
const char *fd_base_name(const char *path);
/* Rounds of tuning by the folder's config.yaml, -1 without the paper's network, FD_MAX_ROUNDS when it cannot tell. Files of
 * later rounds are left over from another configuration. */
int fd_folder_rounds(const char *folder);
/* Whether the folder's config.yaml has the informed network; true when it cannot tell. */
bool fd_folder_informed(const char *folder);

/* The target set called `name`: the run's own when that is its name, else looked up; *found (fd_config's size, may be
 * NULL) receives what was loaded. */
fd_status fd_named_target(const fd_run *run, const char *name, fd_target *target, char found[256], fd_error *err);

/* JSON number, or null where the number is not finite (JSON has no infinity). */
json_t *fd_json_number(double x);
/* Reads a JSON file; FD_ERR_FORMAT with file and line. Release with json_decref. */
fd_status fd_json_load(const char *path, json_t **root, fd_error *err);

/* What analyse knows when it writes summary.json. */
typedef struct fd_findings {
    const fd_sample_info *info;
    const char *samples_path, *target_file;
    const fd_target *target;
    const fd_model *model;
    const fd_table *solutions, *nearest; /* nearest: NULL when not written */
    size_t in_file, differ;              /* rows read; rows whose stored flags are not today's */
    uint64_t seed;
} fd_findings;
fd_status fd_summary_write(const char *path, const fd_findings *findings, fd_error *err);
/* FD_ERR_MISMATCH unless the sample file `samples` is of the target set and the model of a summary.json (NULL: none). */
fd_status fd_summary_is_of(const json_t *summary, const fd_sample_info *info, const char *samples, fd_error *err);

/* Another sample file beside an analysis: its rows with all the flags `needed` as judged today (FD_LABELS: solutions), as the
 * columns of solutions.csv; table is zeroed and freed by the caller. FD_ERR_MISMATCH when it is not of the target set and model of
 * `summary`. */
fd_status fd_rows_read(const fd_run *run, const char *samples, const json_t *summary, uint8_t needed, fd_table *table,
                       fd_sample_info *info, fd_error *err);

#endif
