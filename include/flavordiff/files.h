/* Files: HDF5 sample sets and model files, written to a temporary name, fsynced and renamed, so that a file under
 * its final name is always whole. Readers check format, version, types, shapes and finiteness and trust no size. */
#ifndef FLAVORDIFF_FILES_H
#define FLAVORDIFF_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flavordiff/api.h"
#include "flavordiff/informant.h"
#include "flavordiff/network.h"
#include "flavordiff/schedule.h"
#include "flavordiff/target.h"

FD_DECLS_BEGIN

/* Written as root attributes of every HDF5 file. */
typedef struct fd_provenance {
    const char *verb;     /* "simulate" */
    const char *command;  /* the command line */
    const char *config;   /* resolved configuration, YAML text */
    uint64_t seed;
    const char *parents;  /* one line per parent file: "path hash" (fd_file_id), may be "" */
    const char *kernels;  /* table of kernels the numbers come from; NULL: the one in use */
} fd_provenance;

/* ---- sample sets: training pairs, selected pairs, generated samples; one format -------------------- */

/* Counts over everything that was generated, whether kept in the file or not. */
typedef struct fd_tally {
    uint64_t n, finite, in_prior, masses, angles, five, labels; /* windows: 3 sigma */
    uint64_t labels_in_prior, five_in_prior;
    uint64_t projected, unreached; /* points with FD_PROJECTED, with FD_UNREACHED */
    double seconds;       /* wall time of the generation */
} fd_tally;

typedef struct fd_sample_info {
    char role[16];        /* "prior", "selected", "generated", "reference" */
    char target[64];      /* target set the flags and chi2 refer to */
    char target_numbers[17]; /* hash of all it measures (fd_target_hash); "": not told, in files of before it was */
    char note[512];       /* how they were made, in words: sampler, steps, gamma and its convention */
    fd_model_options model;
    uint64_t n, n_train;  /* rows; the first n_train are for training, the others for validation */
    fd_tally tally;
    fd_tally alone;       /* projected sets: the same points before projection; else n = 0 */
    uint64_t groups[3];   /* role "selected": rows by mass condition only, mixing only, both */
    uint64_t seed;
} fd_sample_info;

typedef struct fd_sample_writer fd_sample_writer;
/* Creates PATH.part; FD_ERR_FILE when PATH exists and force is false, or cannot be written. */
fd_status fd_samples_create(const char *path, bool force, const fd_model *model, const fd_provenance *provenance,
                            fd_sample_writer **writer, fd_error *err);
/* Appends n rows: theta (n, n_params) float32 (labels are those of the rounded theta), labels (n, n_labels),
 * chi2 of the five observables (n), flags (n). */
fd_status fd_samples_append(fd_sample_writer *writer, size_t n, const float *theta, const double *labels,
                            const double *chi2, const uint8_t *flags, fd_error *err);
/* Writes info (n is taken from the rows appended), closes, fsyncs, renames, frees the writer. On failure
 * nothing is left under the final name. */
fd_status fd_samples_finish(fd_sample_writer *writer, const fd_sample_info *info, fd_error *err);
/* Drops the file and frees the writer; NULL ok. */
void fd_samples_abort(fd_sample_writer *writer);

typedef struct fd_sample_reader fd_sample_reader;
fd_status fd_samples_open(const char *path, fd_sample_reader **reader, fd_sample_info *info, fd_error *err);
/* FD_ERR_MISMATCH when the file's parameters or labels are not those of the model. */
fd_status fd_samples_check_model(const fd_sample_reader *reader, const fd_model *model, fd_error *err);
/* Rows first..first+n-1; any output may be NULL. */
fd_status fd_samples_read(fd_sample_reader *reader, uint64_t first, size_t n, float *theta, double *labels,
                          double *chi2, uint8_t *flags, fd_error *err);
void fd_samples_close(fd_sample_reader *reader);

/* ---- model files: a trained network and all that is needed to use it ------------------------------------- */

typedef struct fd_model_file {
    fd_network *network;        /* raw weights */
    float *ema;                 /* averaged weights, canonical order, or NULL */
    bool use_ema;               /* which of the two sampling takes */
    fd_scaler params, labels;
    fd_schedule_spec schedule;
    bool informed;              /* a simulator-informed network: `told` says what it is told */
    fd_informant_spec told;
    fd_model_options model;
    double label_slopes[FD_MAX_LABELS]; /* informed: d ln density / d label of the prior about the windows trained on, zeros
                                         * for a flat one; what labels drawn from a window follow */
    char trained_on[16];        /* "prior" (pre-network) or "selected" (tuned) */
    long updates;               /* done in all */
    size_t n_log;               /* loss history: one row a log point */
    double *log;                /* (n_log, 4): update, learning rate, training loss (mean since last), validation loss */
} fd_model_file;

fd_status fd_model_file_write(const char *path, bool force, const fd_model_file *file,
                              const fd_provenance *provenance, fd_error *err);
fd_status fd_model_file_read(const char *path, fd_model_file *file, fd_error *err);
/* Whether a model file is a simulator-informed network, without reading its weights. */
fd_status fd_model_file_is_informed(const char *path, bool *informed, fd_error *err);
void fd_model_file_clear(fd_model_file *file); /* frees what file holds and zeroes it */

/* ---- analysis files: observables of a sample set, for people and their tools -------------------------------- */

/* Observables (n, n_observables), theta, labels, chi2 and flags of selected rows. */
fd_status fd_analysis_write(const char *path, bool force, const fd_model *model, const fd_sample_info *info,
                            const fd_provenance *provenance, size_t n, const float *theta, const double *observables,
                            const double *chi2, const uint8_t *flags, fd_error *err);

/* What kind of flavordiff file is this, in one printed block (`info`); json: as one JSON object. The caller
 * frees *text. */
fd_status fd_file_describe(const char *path, bool json, char **text, fd_error *err);

/* ---- small things -------------------------------------------------------------------------------------------- */

/* Target set from YAML: `name` is a path, or a name looked up as <name>.yaml in the folder FLAVORDIFF_TARGETS, then
 * in ./targets, in targets, ../targets and ../share/flavordiff/targets beside the running program, and where it was installed. */
fd_status fd_target_load(const char *name, fd_target *target, fd_error *err);
/* Is there a file for this name or path? What is in it is not looked at. */
bool fd_target_known(const char *name);

/* Writes text to path by temporary name, fsync, rename. Always replaces. */
fd_status fd_write_text(const char *path, const char *text, size_t length, fd_error *err);
/* Reads a whole file (at most max_bytes), NUL-terminated; caller frees. */
fd_status fd_read_text(const char *path, size_t max_bytes, char **text, size_t *length, fd_error *err);
/* mkdir -p. */
fd_status fd_make_folder(const char *path, fd_error *err);

/* Hash of a file's content for provenance: 16 hex digits (FNV-1a 64) into id[17]. */
fd_status fd_file_id(const char *path, char id[17], fd_error *err);

/* Program version "0.1.0" and git revision "abc1234" or "unknown". */
const char *fd_version(void);
const char *fd_revision(void);

FD_DECLS_END

#endif
