/* A table of numbers with named columns: what goes from analysis to figures, as CSV people can open. */
#ifndef FLAVORDIFF_STAGES_TABLE_H
#define FLAVORDIFF_STAGES_TABLE_H

#include <stddef.h>

#include "flavordiff/status.h"

enum { FD_TABLE_NAME = 48 };

/* Zero-initialise; fd_table_free when done. */
typedef struct fd_table {
    size_t n_columns, n_rows, room; /* room: rows allocated */
    char (*names)[FD_TABLE_NAME];
    double *data; /* (n_rows, n_columns) */
} fd_table;

/* FD_ERR_MEMORY, or FD_ERR_VALUE when a name does not fit. */
fd_status fd_table_create(size_t n_columns, const char *const *names, fd_table *table, fd_error *err);
/* A new row of zeros at the end; NULL without memory. Valid until the next call. */
double *fd_table_row(fd_table *table);
void fd_table_free(fd_table *table);
/* Column by name, or -1. */
int fd_table_column(const fd_table *table, const char *name);
/* data[row][column]. */
double fd_table_at(const fd_table *table, size_t row, int column);
/* A column's finite values in fresh memory (*n of them), rows with filter column != 0 only (filter -1: all). NULL
 * without memory; never NULL otherwise. */
double *fd_table_values(const fd_table *table, int column, int filter, size_t *n);

/* CSV: a header with the names, then rows with 17 significant digits (integers short), atomically. */
fd_status fd_table_write(const fd_table *table, const char *path, fd_error *err);
/* Reads what fd_table_write wrote; FD_ERR_FORMAT with file and line when a field is no number or a row is short. */
fd_status fd_table_read(const char *path, fd_table *table, fd_error *err);

#endif
