/* Figures get their names when all of them are whole: they are drawn in a folder inside their own, so that a failure, a
 * full disk or Ctrl-C leaves what was there before and the same command can be given again. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/file_safety.h"
#include "stages/analyse.h"
#include "stages/plot.h"

static bool is_script(const char *name) {
    size_t length = strlen(name);
    return length > 3 && !strcmp(name + length - 3, ".gp");
}

static int not_hidden(const struct dirent *entry) {
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static int scripts_last(const struct dirent **a, const struct dirent **b) {
    int difference = is_script((*a)->d_name) - is_script((*b)->d_name);
    return difference ? difference : strcmp((*a)->d_name, (*b)->d_name);
}

/* Moves every file of the part to its place (move), or removes it. */
static fd_status each_file(const fd_plot_folder *folder, bool move, fd_error *err) {
    struct dirent **entries = NULL;
    int n = scandir(folder->part, &entries, not_hidden, scripts_last);
    if (n < 0) return fd_fail(err, FD_ERR_FILE, "%s: cannot read the folder: %s", folder->part, strerror(errno));
    fd_status status = FD_OK;
    for (int i = 0; i < n; i++) {
        char *from = fd_path(folder->part, entries[i]->d_name), *to = fd_path(folder->final, entries[i]->d_name);
        if (!from || !to)
            status = fd_fail(err, FD_ERR_MEMORY, "out of memory");
        else if (!move)
            unlink(from);
        else if (!status && rename(from, to) != 0)
            status = fd_fail(err, FD_ERR_FILE, "%s: cannot give the figure its name: %s", to, strerror(errno));
        free(from);
        free(to);
        free(entries[i]);
    }
    free(entries);
    return status;
}

/* Makes and locks the part. The one locked may meanwhile have been removed by its owner: then make a new one. */
static fd_status lock_part(fd_plot_folder *folder, fd_error *err) {
    for (;;) {
        struct stat mine, there;
        if (mkdir(folder->part, 0777) != 0 && errno != EEXIST)
            return fd_fail(err, FD_ERR_FILE, "%s: cannot make the folder: %s", folder->part, strerror(errno));
        folder->lock = open(folder->part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (folder->lock < 0 && errno == ENOENT) continue;
        if (folder->lock < 0) {
            int reason = errno;
            rmdir(folder->part); /* where it is empty, it is ours or nobody's */
            errno = reason;
        }
        if (folder->lock < 0)
            return fd_fail(err, FD_ERR_FILE, "%s: cannot use the folder: %s", folder->part, strerror(errno));
        if (flock(folder->lock, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
            close(folder->lock);
            folder->lock = -1;
            return fd_fail(err, FD_ERR_FILE,
                           "%s: another process is drawing there; wait for it, or give another folder", folder->final);
        } /* a file system without locks: go on without */
        if (fstat(folder->lock, &mine) == 0 && stat(folder->part, &there) == 0 && mine.st_ino == there.st_ino)
            return FD_OK;
        close(folder->lock);
        folder->lock = -1;
    }
}

static fd_status allowed(const fd_plot_folder *folder, const char *const *names, bool force, fd_error *err) {
    fd_status status = FD_OK;
    for (; *names && !status; names++) {
        char file[64];
        snprintf(file, sizeof file, "%s.gp", *names);
        char *script = fd_path(folder->final, file);
        status = script ? fd_part_allowed(script, force, err) : fd_fail(err, FD_ERR_MEMORY, "out of memory");
        free(script);
    }
    return status;
}

fd_status fd_plot_folder_begin(const char *path, const char *const *names, bool force, fd_plot_folder *folder,
                               fd_error *err) {
    *folder = (fd_plot_folder){
        .final = strdup(path), .part = fd_path(path, "drawing.part"), .lock = -1, .made = access(path, F_OK) != 0};
    fd_status status = folder->final && folder->part ? FD_OK : fd_fail(err, FD_ERR_MEMORY, "out of memory");
    if (!status) status = fd_make_folder(path, err);
    if (!status) status = allowed(folder, names, force, err);
    if (!status) status = lock_part(folder, err);
    if (!status) status = each_file(folder, false, err); /* what a killed process left */
    if (status) fd_plot_folder_abort(folder);
    return status;
}

fd_status fd_plot_folder_commit(fd_plot_folder *folder, fd_error *err) {
    fd_status status = each_file(folder, true, err);
    if (!status) folder->made = false;
    int fd = open(folder->final, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) { /* the names are durable with the folder; some file systems refuse to sync one */
        (void)fsync(fd);
        close(fd);
    }
    fd_plot_folder_abort(folder);
    return status;
}

void fd_plot_folder_abort(fd_plot_folder *folder) {
    if (folder->part && folder->lock >= 0) {
        each_file(folder, false, NULL);
        rmdir(folder->part);
    }
    if (folder->final && folder->made) rmdir(folder->final); /* refused unless empty */
    if (folder->lock >= 0) close(folder->lock);
    free(folder->final);
    free(folder->part);
    *folder = (fd_plot_folder){.lock = -1};
}
