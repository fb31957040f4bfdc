/* Sample files as columns of numbers: every parameter and every observable of the rows that count. */
#ifndef FLAVORDIFF_STAGES_COLUMNS_H
#define FLAVORDIFF_STAGES_COLUMNS_H

#include <stdbool.h>

#include "flavordiff/files.h"

/* Parameters, then observables; angles on [0, 2 pi). Zero-initialise; fd_columns_free when done. */
typedef struct fd_columns {
    int n_columns;
    size_t n, room;                                   /* rows */
    double *data[FD_MAX_PARAMS + FD_MAX_OBSERVABLES]; /* (n) each, in the order of the file; values may be not finite */
} fd_columns;

/* What a column is called and measured in, borrowed from the model. */
typedef struct fd_quantity {
    const char *name, *unit, *latex;
    bool parameter, periodic;
    bool scale;     /* a mass, or a power of one: positive, spread over decades, judged by its logarithm */
    double lo, hi;  /* prior range of a parameter; else NaN */
} fd_quantity;
fd_quantity fd_quantity_of(const fd_model *model, int column);

/* The rows of a file: solutions inside the prior, or (all_rows) every finite one; the first `most` of them (0: all). *model: NULL
 * for a first file, which creates it; others must agree with it: FD_ERR_MISMATCH. FD_ERR_EMPTY without a row. info may be NULL. */
fd_status fd_columns_read(const char *path, uint64_t most, bool all_rows, fd_model **model, fd_columns *columns,
                          fd_sample_info *info, fd_error *err);
void fd_columns_free(fd_columns *columns);

/* The finite values of a column in ascending order into out (n); how many they are. */
size_t fd_columns_sorted(const fd_columns *columns, int column, double *out);

/* Rows as points of a flat space, for classifiers and cells: an angle as cosine and sine, a scale as log10 of its modulus. Fresh
 * (*n, *d), rows with anything not finite left out; at most `most` rows (0: all). NULL without memory. */
double *fd_columns_features(const fd_model *model, const fd_columns *columns, size_t most, size_t *n, int *d);

#endif
