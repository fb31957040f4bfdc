#include "stages/table.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flavordiff/files.h"
#include "stages/text.h"

static const size_t most_bytes = (size_t)8 << 30;

fd_status fd_table_create(size_t n_columns, const char *const *names, fd_table *table, fd_error *err) {
    *table = (fd_table){.n_columns = n_columns};
    table->names = calloc(n_columns ? n_columns : 1, sizeof *table->names);
    if (!table->names) return fd_fail(err, FD_ERR_MEMORY, "out of memory for a table of %zu columns", n_columns);
    for (size_t i = 0; i < n_columns; i++) {
        if (strlen(names[i]) >= FD_TABLE_NAME) {
            fd_table_free(table);
            return fd_fail(err, FD_ERR_VALUE, "column name '%s' is longer than %d", names[i], FD_TABLE_NAME - 1);
        }
        strcpy(table->names[i], names[i]);
    }
    return FD_OK;
}

void fd_table_free(fd_table *table) {
    free(table->names);
    free(table->data);
    *table = (fd_table){0};
}

double *fd_table_row(fd_table *table) {
    size_t width = table->n_columns ? table->n_columns : 1;
    if (table->n_rows == table->room) {
        size_t room = table->room ? 2 * table->room : 64;
        if (room > SIZE_MAX / sizeof(double) / width) return NULL;
        double *data = realloc(table->data, room * width * sizeof *data);
        if (!data) return NULL;
        table->data = data;
        table->room = room;
    }
    double *row = table->data + table->n_rows++ * width;
    memset(row, 0, width * sizeof *row);
    return row;
}

int fd_table_column(const fd_table *table, const char *name) {
    for (size_t i = 0; i < table->n_columns; i++)
        if (!strcmp(table->names[i], name)) return (int)i;
    return -1;
}

double fd_table_at(const fd_table *table, size_t row, int column) {
    return table->data[row * table->n_columns + (size_t)column];
}

double *fd_table_values(const fd_table *table, int column, int filter, size_t *n) {
    double *values = malloc((table->n_rows + 1) * sizeof *values);
    *n = 0;
    for (size_t i = 0; values && i < table->n_rows; i++) {
        double x = fd_table_at(table, i, column);
        if (isfinite(x) && (filter < 0 || fd_table_at(table, i, filter) != 0)) values[(*n)++] = x;
    }
    return values;
}

/* Integers as integers, everything else so that it reads back to the same double. */
static void add_number(fd_text *text, double x) {
    if (isnan(x)) /* one spelling: the sign of a NaN says nothing */
        fd_text_add(text, "nan");
    else if (isfinite(x) && x == floor(x) && fabs(x) < 1e15)
        fd_text_addf(text, "%.0f", x);
    else
        fd_text_addf(text, "%.17g", x);
}

fd_status fd_table_write(const fd_table *table, const char *path, fd_error *err) {
    fd_text text = {0};
    for (size_t j = 0; j < table->n_columns; j++) fd_text_addf(&text, "%s%s", j ? "," : "", table->names[j]);
    fd_text_add(&text, "\n");
    for (size_t i = 0; i < table->n_rows; i++) {
        for (size_t j = 0; j < table->n_columns; j++) {
            if (j) fd_text_add(&text, ",");
            add_number(&text, table->data[i * table->n_columns + j]);
        }
        fd_text_add(&text, "\n");
    }
    fd_status status = fd_text_write(&text, path, err);
    fd_text_free(&text);
    return status;
}

/* Splits the header in place. */
static fd_status read_header(const char *path, char *line, fd_table *table, fd_error *err) {
    fd_status status = FD_OK;
    size_t n = 1, at = 0;
    for (const char *c = line; *c; c++) n += *c == ',';
    const char **names = calloc(n, sizeof *names);
    if (!names) return fd_fail(err, FD_ERR_MEMORY, "%s: out of memory", path);
    names[at++] = line;
    for (char *c = line; *c; c++)
        if (*c == ',') {
            *c = '\0';
            names[at++] = c + 1;
        }
    if ((status = fd_table_create(n, names, table, err))) fd_error_prefix(err, "%s", path);
    free(names);
    return status;
}

static fd_status read_row(const char *path, size_t line_number, const char *line, fd_table *table, fd_error *err) {
    double *row = fd_table_row(table);
    if (!row) return fd_fail(err, FD_ERR_MEMORY, "%s: out of memory at line %zu", path, line_number);
    for (size_t j = 0; j < table->n_columns; j++) {
        char *end = NULL;
        row[j] = strtod(line, &end);
        char after = j + 1 < table->n_columns ? ',' : '\0';
        if (end == line || *end != after)
            return fd_fail(err, FD_ERR_FORMAT, "%s:%zu: column %zu ('%s') is no number, or the row has not %zu columns",
                           path, line_number, j + 1, table->names[j], table->n_columns);
        line = end + 1;
    }
    return FD_OK;
}

fd_status fd_table_read(const char *path, fd_table *table, fd_error *err) {
    char *text = NULL;
    size_t length = 0, line_number = 0;
    *table = (fd_table){0};
    fd_status status = fd_read_text(path, most_bytes, &text, &length, err);
    for (char *line = text, *next; !status && line && *line; line = next) {
        size_t width = strcspn(line, "\n");
        next = line + width + (line[width] == '\n');
        line[width] = '\0';
        if (width && line[width - 1] == '\r') line[width - 1] = '\0';
        if (++line_number == 1)
            status = read_header(path, line, table, err);
        else
            status = read_row(path, line_number, line, table, err);
    }
    if (!status && !table->names) status = fd_fail(err, FD_ERR_FORMAT, "%s: empty, a header was expected", path);
    free(text);
    if (status) fd_table_free(table);
    return status;
}
