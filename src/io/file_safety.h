/* Writing without ever leaving half a file under its final name: PATH.part, fsync, rename, fsync of the folder. */
#ifndef FD_IO_FILE_SAFETY_H
#define FD_IO_FILE_SAFETY_H

#include <stdbool.h>
#include <stddef.h>

#include "flavordiff/status.h"

/* A file being written. */
typedef struct fd_part {
    char *final; /* the name it will have: PATH, or what a symbolic link PATH points to */
    char *name;  /* final + ".part" */
    int lock;    /* descriptor that keeps other processes off `name` until it is renamed; -1: none */
} fd_part;

/* FD_ERR_FILE when something is at `path` already and `force` does not allow to replace it, when it is not a plain
 * file, or when its folder is missing or not writable: told before hours of work, not after. */
fd_status fd_part_allowed(const char *path, bool force, fd_error *err);
/* Checks as above, then makes and locks an empty PATH.part: FD_ERR_FILE when another process is writing it. What a killed
 * process left there is taken over. On failure *part is empty. */
fd_status fd_part_begin(const char *path, bool force, fd_part *part, fd_error *err);
/* Makes the finished part durable, gives it its final name and frees *part. On failure the part is removed. */
fd_status fd_part_commit(fd_part *part, fd_error *err);
/* Removes the part and frees *part; an empty one is fine. */
void fd_part_abort(fd_part *part);
/* Writes all bytes, however many calls it takes; 0, or -1 with errno. */
int fd_write_all(int fd, const char *data, size_t size);

#endif
