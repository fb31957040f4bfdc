/* Reading a CSV of points line by line: header, quotes, CRLF, strict numbers. */
#ifndef FD_CSV_H
#define FD_CSV_H

#include <stdio.h>

#include "flavordiff/model.h"

typedef struct csv_reader {
    FILE *file;
    const char *path;
    long line;               /* of the row last read, from 1 */
    char *text;
    int n_columns;
    int column_of[FD_MAX_PARAMS]; /* where each parameter of the model stands */
} csv_reader;

/* Opens path ("-": standard input) and reads the header; FD_ERR_FORMAT naming the missing or doubled column. */
fd_status csv_open(const char *path, const fd_model *model, csv_reader *reader, fd_error *err);
/* Next row into theta; *more = 0 at the end. Blank lines are skipped. */
fd_status csv_next(csv_reader *reader, const fd_model *model, double *theta, int *more, fd_error *err);
void csv_close(csv_reader *reader);

#endif
