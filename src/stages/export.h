/* What the formats of export share: the rows that count, and files that get their names when they are whole. */
#ifndef FD_STAGES_EXPORT_H
#define FD_STAGES_EXPORT_H

#include <stdio.h>

#include "flavordiff/exchange.h"
#include "io/file_safety.h"

enum { FD_EXPORT_BLOCK = 1024 };

/* Rows of a sample file that count, a block at a time: parameters, then observables, chi2 and flags of each. */
typedef struct fd_source {
    const char *path;
    const fd_export_spec *spec;
    fd_sample_reader *reader;
    fd_sample_info info;
    fd_model *model;
    int n_columns;       /* parameters and observables */
    uint64_t next, left; /* row of the file to read next; rows that may still be taken */
    float *read;         /* (FD_EXPORT_BLOCK, n_params) */
    double *theta;       /* (FD_EXPORT_BLOCK, n_params) */
    double *observables; /* (FD_EXPORT_BLOCK, n_observables) */
    double chi2[FD_EXPORT_BLOCK];
    uint8_t flags[FD_EXPORT_BLOCK];
} fd_source;

fd_status fd_source_open(const char *path, const fd_export_spec *spec, fd_source *source, fd_error *err);
void fd_source_close(fd_source *source);
/* How many rows will be given; reads the verdicts only. */
fd_status fd_source_count(fd_source *source, uint64_t *rows, fd_error *err);
/* The next rows that count; *n = 0 after the last. */
fd_status fd_source_next(fd_source *source, size_t *n, fd_error *err);
/* Name of column c; its value in row i of the block. */
const char *fd_source_name(const fd_source *source, int c);
double fd_source_value(const fd_source *source, size_t i, int c);

/* A file being written; a pipe or device is written to directly. */
typedef struct fd_sink {
    FILE *file;
    fd_part part;
    const char *path;
} fd_sink;
fd_status fd_sink_open(const char *path, bool force, fd_sink *sink, fd_error *err);
/* Flushes, names and closes. On failure nothing is left under the name. */
fd_status fd_sink_close(fd_sink *sink, fd_error *err);
void fd_sink_abort(fd_sink *sink); /* a closed or zeroed one is fine */

fd_status fd_export_npz(fd_source *source, const char *out, uint64_t *rows, fd_error *err);
fd_status fd_export_slha(fd_source *source, const char *out, uint64_t *rows, fd_error *err);
fd_status fd_export_nufit(fd_source *source, const char *out, uint64_t *rows, fd_error *err);

#endif
