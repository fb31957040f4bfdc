/* Writing without ever leaving half a file under its final name: PATH.part, fsync, rename, fsync of the folder. */
#ifndef FD_IO_FILE_SAFETY_H
#define FD_IO_FILE_SAFETY_H

#include <stdbool.h>

#include "flavordiff/status.h"

/* "PATH.part" in fresh memory, or NULL without memory. A PATH that is a symbolic link is followed first: the file it
 * points to is replaced, not the link. On success *final (fresh too) is the name to rename to. */
char *fd_part_name(const char *path, char **final);
/* FD_ERR_FILE when something is at `path` already and `force` does not allow to replace it, when it is not a plain
 * file, or when its folder is missing or not writable: told before hours of work, not after. */
fd_status fd_part_allowed(const char *path, bool force, fd_error *err);
/* Makes the finished `part` durable and gives it its final name. On failure the part is removed. */
fd_status fd_part_commit(const char *part, const char *path, fd_error *err);

#endif
