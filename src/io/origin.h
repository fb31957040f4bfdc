/* How a file was made, as a sorted list of facts: what `diff` prints and `merge` insists on. */
#ifndef FD_IO_ORIGIN_H
#define FD_IO_ORIGIN_H

#include <stdbool.h>
#include <stddef.h>

#include "flavordiff/status.h"

typedef struct fd_fact {
    char *key, *value;
} fd_fact;

typedef struct fd_origin {
    size_t n, room;
    fd_fact *facts; /* by key: settings as --set names them ("train.batch"), and format, verb, version, revision, kernels,
                     * libraries, seed, ordering, role, labelled_by (the target set of chi2 and verdicts), parent.1, ... */
    char *config;   /* the configuration as the file has it */
} fd_origin;

/* Reads no rows. On failure *origin is empty. */
fd_status fd_origin_read(const char *path, fd_origin *origin, fd_error *err);
void fd_origin_free(fd_origin *origin);
/* The value of a fact, "" when there is none. */
const char *fd_origin_value(const fd_origin *origin, const char *key);

typedef struct fd_difference {
    const char *key, *a, *b; /* borrowed; NULL: not there, or empty */
    size_t at_a, at_b;       /* where the search goes on */
} fd_difference;
/* The next difference after that in *d, which starts as zeros; false when there is none. Parents are the same when their contents
 * are, wherever they lie. */
bool fd_origin_next(const fd_origin *a, const fd_origin *b, fd_difference *d);

/* Bytes of the path in a line "PATH HASH" of the attribute `parents`, which ends at a newline or NUL; the hash into id. 0 when the
 * line is none. */
size_t fd_parent_split(const char *line, char id[17]);

#endif
