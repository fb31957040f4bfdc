/* OUT.checkpoint: what an unfinished OUT is made on from. A file has one header, the text of what it is a checkpoint of
 * (version, verb, settings, inputs), and records, each with its length and hash. Records are appended, or the last state
 * replaces all there was (by temporary name, fsync, rename). A kill can cut the last appended record short: it is dropped. All
 * numbers are as in memory: the header names the program's revision and kernels, and another's are refused. */
#ifndef FD_IO_CHECKPOINT_H
#define FD_IO_CHECKPOINT_H

#include <stdbool.h>
#include <stddef.h>

#include "flavordiff/status.h"

typedef struct fd_piece { /* of a record */
    void *data; /* only read where a record is written */
    size_t size;
} fd_piece;

typedef struct fd_checkpoint fd_checkpoint;

/* What is to be done with a checkpoint that is there. */
typedef enum fd_checkpoint_mode {
    FD_CHECKPOINT_FRESH,   /* FD_ERR_FILE: nothing is thrown away unasked */
    FD_CHECKPOINT_RESUME,  /* go on from it; of another text: FD_ERR_MISMATCH with the first line that differs */
    FD_CHECKPOINT_REPLACE, /* begin anew */
    FD_CHECKPOINT_EITHER   /* go on where the text is the same, else begin anew */
} fd_checkpoint_mode;

/* Opens, or makes, and locks the checkpoint of output `path`; `text` is what it is of, lines "name: value" or any other.
 * FD_ERR_FORMAT when the file is no checkpoint, FD_ERR_FILE when another process has it. Free with fd_checkpoint_close. */
fd_status fd_checkpoint_open(const char *path, const char *text, fd_checkpoint_mode mode, fd_checkpoint **checkpoint,
                             fd_error *err);
/* The next record, borrowed until the next call; *payload is NULL after the last one. FD_ERR_FORMAT when it is damaged. All are to be
 * read before any is written. */
fd_status fd_checkpoint_next(fd_checkpoint *checkpoint, const void **payload, size_t *size, fd_error *err);
/* Appends a record; durable against a kill of the process, and with fd_checkpoint_sync() of the machine. */
fd_status fd_checkpoint_append(fd_checkpoint *checkpoint, int n, const fd_piece *pieces, fd_error *err);
fd_status fd_checkpoint_sync(fd_checkpoint *checkpoint, fd_error *err);
/* One record in place of all. */
fd_status fd_checkpoint_replace(fd_checkpoint *checkpoint, int n, const fd_piece *pieces, fd_error *err);
const char *fd_checkpoint_name(const fd_checkpoint *checkpoint);
/* keep false, or no record in it: removes the file. NULL ok. */
void fd_checkpoint_close(fd_checkpoint *checkpoint, bool keep);

#endif
