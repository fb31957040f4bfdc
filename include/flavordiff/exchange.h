/* Results for other tools. */
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

FD_DECLS_END

#endif
