#define _GNU_SOURCE
#include "cli/csv.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_COLUMNS = 4096, MAX_LINE = 1 << 20 };

/* Cuts the line into fields in place (RFC 4180 quotes); -1 when a quote does not close or there are too many. */
static int split(char *line, char **fields) {
    int n = 0;
    char *read = line;
    for (;;) {
        if (n == MAX_COLUMNS) return -1;
        while (*read == ' ' || *read == '\t') read++;
        char *write = read;
        fields[n++] = write;
        if (*read == '"') {
            for (read++; *read && !(*read == '"' && read[1] != '"'); read++) {
                if (*read == '"') read++;
                *write++ = *read;
            }
            if (*read != '"') return -1;
            read++;
            read += strcspn(read, ",");
        } else {
            while (*read && *read != ',') *write++ = *read++;
            while (write > fields[n - 1] && (write[-1] == ' ' || write[-1] == '\t')) write--;
        }
        char end = *read;
        *write = '\0';
        if (!end) return n;
        read++;
    }
}

/* Next line that is not blank, without its end; *more = 0 at the end of the file. */
static fd_status next_line(csv_reader *r, int *more, fd_error *err) {
    *more = 0;
    if (!r->text && !(r->text = malloc(MAX_LINE))) return fd_fail(err, FD_ERR_MEMORY, "%s: out of memory", r->path);
    for (;;) {
        size_t n = 0;
        int c;
        errno = 0;
        while ((c = getc(r->file)) != EOF && c != '\n') {
            if (n == MAX_LINE - 1)
                return fd_fail(err, FD_ERR_FORMAT, "%s:%ld: a line of more than %d bytes; this is not a CSV file", r->path,
                               r->line + 1, MAX_LINE);
            r->text[n++] = (char)c;
        }
        if (ferror(r->file)) return fd_fail(err, FD_ERR_FILE, "%s: %s", r->path, strerror(errno));
        if (c == EOF && n == 0) return FD_OK;
        r->line++;
        if (memchr(r->text, '\0', n))
            return fd_fail(err, FD_ERR_FORMAT, "%s:%ld: a NUL byte; this is not a CSV file", r->path, r->line);
        while (n > 0 && r->text[n - 1] == '\r') n--;
        r->text[n] = '\0';
        *more = strspn(r->text, " \t") != n;
        if (*more) return FD_OK;
    }
}

static fd_status header(csv_reader *r, const fd_model *model, fd_error *err) {
    static const char byte_order_mark[] = "\xef\xbb\xbf";
    char *fields[MAX_COLUMNS];
    int found;
    fd_status status = next_line(r, &found, err);
    if (status) return status;
    if (!found) return fd_fail(err, FD_ERR_FORMAT, "%s: empty; expected a header with the columns %s ... %s", r->path,
                               model->params[0].name, model->params[model->n_params - 1].name);
    char *text = r->text + (strncmp(r->text, byte_order_mark, 3) == 0 ? 3 : 0);
    if ((r->n_columns = split(text, fields)) < 0)
        return fd_fail(err, FD_ERR_FORMAT, "%s:%ld: a quote does not close, or more than %d columns", r->path, r->line,
                       MAX_COLUMNS);
    for (int p = 0; p < model->n_params; p++) {
        r->column_of[p] = -1;
        for (int c = 0; c < r->n_columns; c++) {
            if (strcmp(fields[c], model->params[p].name) != 0) continue;
            if (r->column_of[p] >= 0)
                return fd_fail(err, FD_ERR_FORMAT, "%s:%ld: column %s stands twice", r->path, r->line, fields[c]);
            r->column_of[p] = c;
        }
        if (r->column_of[p] < 0)
            return fd_fail(err, FD_ERR_FORMAT, "%s:%ld: column %s is missing from the header", r->path, r->line,
                           model->params[p].name);
    }
    return FD_OK;
}

fd_status csv_open(const char *path, const fd_model *model, csv_reader *r, fd_error *err) {
    *r = (csv_reader){.path = strcmp(path, "-") == 0 ? "standard input" : path};
    r->file = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");
    if (!r->file) return fd_fail(err, FD_ERR_FILE, "%s: %s", path, strerror(errno));
    return header(r, model, err);
}

fd_status csv_next(csv_reader *r, const fd_model *model, double *theta, int *more, fd_error *err) {
    char *fields[MAX_COLUMNS];
    fd_status status = next_line(r, more, err);
    if (status || !*more) return status;
    int n = split(r->text, fields);
    if (n < 0)
        return fd_fail(err, FD_ERR_FORMAT, "%s:%ld: a quote does not close on its line", r->path, r->line);
    if (n != r->n_columns)
        return fd_fail(err, FD_ERR_FORMAT, "%s:%ld: %d fields, the header has %d", r->path, r->line, n, r->n_columns);
    for (int p = 0; p < model->n_params; p++) {
        const char *text = fields[r->column_of[p]];
        char *end;
        theta[p] = strtod(text, &end);
        if (!*text || *end)
            return fd_fail(err, FD_ERR_FORMAT, "%s:%ld: %s = '%.40s' is not a number", r->path, r->line,
                           model->params[p].name, text);
        if (!isfinite(theta[p]))
            return fd_fail(err, FD_ERR_VALUE, "%s:%ld: %s = %.40s is not finite", r->path, r->line,
                           model->params[p].name, text);
    }
    return FD_OK;
}

void csv_close(csv_reader *r) {
    if (r->file && r->file != stdin) fclose(r->file);
    free(r->text);
    *r = (csv_reader){0};
}
