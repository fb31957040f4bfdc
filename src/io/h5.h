/* Thin layer over HDF5 for this folder: every call checked, one error kept, everything read is checked first.
 *
 * Errors are sticky: after the first failure every further call on the same fd_h5 does nothing, so that a sequence of
 * writes or reads is written without a branch a line and asked once at the end.
 *
 * The HDF5 library is not thread-safe as it is commonly built: file functions are called from one thread at a time.
 *
 * Layout choices that make damage visible: format bounds of HDF5 1.10, where all metadata carry checksums; every dataset
 * chunked with a Fletcher32 checksum; texts of fixed length (variable-length ones live in a heap that has none). */
#ifndef FD_IO_H5_H
#define FD_IO_H5_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hdf5.h>

#include "flavordiff/status.h"

typedef struct fd_h5 {
    hid_t file, driver; /* driver: how the file is read and written; > 0 while it is open */
    const char *path; /* for messages; borrowed */
    fd_status status;
    fd_error *err; /* where the first failure is described; may be NULL */
    int io_error;   /* errno of the first system call that failed; an open file stays where its fd_h5 is */
    int *io;        /* -> io_error, also in copies of this struct */
} fd_h5;

enum { FD_H5_MAX_RANK = 3, FD_H5_MAX_TEXT = 1 << 24 };

/* Records the first failure "PATH: message". */
void fd_h5_fail(fd_h5 *h, fd_status status, const char *format, ...) FD_PRINTF(3, 4);

/* ---- writing ------------------------------------------------------------------------------------------------ */

/* Creates (truncates) `name`; messages call it `path`. */
void fd_h5_create(fd_h5 *h, const char *name, const char *path, fd_error *err);
hid_t fd_h5_new_group(fd_h5 *h, const char *name);
void fd_h5_put_text(fd_h5 *h, hid_t object, const char *name, const char *text);
void fd_h5_put_u64(fd_h5 *h, hid_t object, const char *name, uint64_t value);
void fd_h5_put_real(fd_h5 *h, hid_t object, const char *name, double value);
void fd_h5_put_ints(fd_h5 *h, hid_t object, const char *name, int n, const int *values);

/* How a dataset looks. dims[0] counts rows; a dataset that grows is created with dims[0] = 0. */
typedef struct fd_h5_shape {
    int rank;
    hsize_t dims[FD_H5_MAX_RANK];
} fd_h5_shape;
/* A chunked dataset that can grow along its first axis, with the attributes `unit` and `description`. */
hid_t fd_h5_new_dataset(fd_h5 *h, hid_t group, const char *name, hid_t type, const fd_h5_shape *shape, const char *unit,
                        const char *description);
/* Appends n rows of memory type `type`. */
void fd_h5_append(fd_h5 *h, hid_t dataset, hid_t type, size_t n, const void *rows);
/* new_dataset + all its rows + close. */
void fd_h5_put_array(fd_h5 *h, hid_t group, const char *name, hid_t file_type, hid_t memory_type,
                     const fd_h5_shape *shape, const void *data, const char *unit, const char *description);
/* A column of n texts. */
void fd_h5_put_texts(fd_h5 *h, hid_t group, const char *name, int n, const char *const *texts, const char *unit,
                     const char *description);
/* Flushes and closes the file, even after a failure. */
void fd_h5_close(fd_h5 *h);
/* Closes a group or dataset; negative ids are ignored. */
void fd_h5_drop(fd_h5 *h, hid_t object);

/* ---- reading -------------------------------------------------------------------------------------------------- */

/* Opens for reading and tells apart: missing, a folder, empty, not HDF5, truncated or damaged. */
void fd_h5_open(fd_h5 *h, const char *path, fd_error *err);
/* Closes what is open. */
void fd_h5_leave(fd_h5 *h);
hid_t fd_h5_group(fd_h5 *h, const char *name);
/* Whether a group or dataset, or an attribute, is there; false, too, after a failure, of which not being able to tell is one. */
bool fd_h5_has(fd_h5 *h, const char *name);
bool fd_h5_has_attribute(fd_h5 *h, hid_t object, const char *name);
/* Attribute as text; longer than room - 1 is an error. `where` names the object in messages. */
void fd_h5_get_text(fd_h5 *h, hid_t object, const char *where, const char *name, char *text, size_t room);
/* The same, in fresh memory. */
char *fd_h5_get_long_text(fd_h5 *h, hid_t object, const char *where, const char *name);
uint64_t fd_h5_get_u64(fd_h5 *h, hid_t object, const char *where, const char *name);
double fd_h5_get_real(fd_h5 *h, hid_t object, const char *where, const char *name);
/* Whole-number attribute array of at most `max` entries; returns how many there are. */
int fd_h5_get_ints(fd_h5 *h, hid_t object, const char *where, const char *name, int max, int *values);
/* Opens dataset `name` (a path from the root) and checks its type class, rank and that the file really stores the
 * rows it declares. Dimensions given as FD_H5_ANY are filled in, others must agree. */
#define FD_H5_ANY ((hsize_t)-1)
hid_t fd_h5_dataset(fd_h5 *h, const char *name, H5T_class_t type_class, fd_h5_shape *shape);
/* Rows first..first + n - 1 of an open dataset, converted to `type`. */
void fd_h5_get_rows(fd_h5 *h, hid_t dataset, const char *name, hid_t type, uint64_t first, size_t n, void *rows);
/* Whole dataset: opened, checked, read, closed. */
void fd_h5_get_array(fd_h5 *h, const char *name, H5T_class_t type_class, hid_t type, fd_h5_shape *shape, void *data);
/* Column of `n` texts, each cut to room - 1 bytes: text[i * room]. */
void fd_h5_get_texts(fd_h5 *h, const char *name, int n, char *texts, size_t room);

#endif
