/* Results for other tools, and files beside each other: export, merge, diff, verify. */
#ifndef FLAVORDIFF_EXCHANGE_H
#define FLAVORDIFF_EXCHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "flavordiff/api.h"
#include "flavordiff/files.h"

FD_DECLS_BEGIN

typedef enum fd_export_format {
    FD_EXPORT_CSV,     /* a header of names, a row a point */
    FD_EXPORT_NPZ,     /* numpy.load: one array a column */
    FD_EXPORT_GETDIST, /* OUT.txt, OUT.paramnames, OUT.ranges */
    FD_EXPORT_SLHA,    /* blocks of SUSY Les Houches style, one set a point */
    FD_EXPORT_NUFIT    /* best, central, 1 and 3 sigma ranges of what is predicted */
} fd_export_format;

/* By its name ("csv", "npz", "getdist", "slha", "nufit"); false when there is none. */
bool fd_export_format_named(const char *name, fd_export_format *format);

typedef struct fd_export_spec {
    fd_export_format format;
    bool all_rows; /* every finite row; else solutions inside the prior */
    uint64_t most; /* the first so many of them; 0: all */
    bool force;    /* replace what is there */
} fd_export_spec;

/* Writes the parameters (float32 as they are), the observables computed from them, chi2 and the verdict of rows of a sample file,
 * every number with 17 significant digits or as it is in memory. Rows are streamed; nufit alone keeps the observables of all rows.
 * out: NULL for the sample file's own name with another ending. Outputs get their names when they are whole. *rows (NULL ok): how
 * many there are. FD_ERR_EMPTY without any, FD_ERR_FILE when an output is there and force is not given. */
fd_status fd_export(const char *samples, const fd_export_spec *spec, const char *out, uint64_t *rows, fd_error *err);

/* Joins sample files (n >= 2) drawn by the same verb, sample or reference, with the same settings but for counts, target set, network
 * (by content), program version, revision and kernels, and with seeds of their own: training rows of all in the order given, then the
 * others; tallies add up. Parts are read twice, block by block, one open at a time. *info (NULL ok): of the file written; n is its
 * rows. FD_ERR_MISMATCH names the part and the first thing that differs; FD_ERR_USAGE when out is a part. */
fd_status fd_merge(int n, const char *const *parts, const char *out, bool force, const char *command, fd_sample_info *info,
                   fd_error *err);

/* How two files were made differently: settings, seed, verb, version, revision, kernels, libraries, ordering, role, target set and
 * parents (by content), sorted by name. A line each, "KEY A | B", no line when there is nothing, or JSON {a, b, differences: [{key,
 * a, b}]}. The caller frees *text. */
fd_status fd_files_diff(const char *a, const char *b, bool json, char **text, fd_error *err);

/* Reads a file from end to end, then looks for the files it was made from, and for theirs: where it says, beside it or
 * one folder up, with the content it was made from. One line a file, "ok", "changed" or "missing" and its path, or JSON {file, files:
 * [{file, child, state}]}, into *text, which the caller frees, also on failure. FD_ERR_MISMATCH when one has changed, else FD_ERR_FILE when one is missing. What is behind a changed file is not looked at. */
fd_status fd_verify(const char *path, bool json, char **text, fd_error *err);

FD_DECLS_END

#endif
