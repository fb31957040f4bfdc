#include "io/file_safety.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "flavordiff/files.h"

const char *fd_version(void) { return FD_VERSION; }
const char *fd_revision(void) { return FD_REVISION; }

/* ---- names ------------------------------------------------------------------------------------------------ */

static fd_status name_part(const char *path, fd_part *part, fd_error *err) {
    struct stat info;
    bool link = lstat(path, &info) == 0 && S_ISLNK(info.st_mode);
    part->final = link ? realpath(path, NULL) : NULL;
    if (!part->final) part->final = strdup(path); /* also a link to nothing: it is replaced */
    size_t size = part->final ? strlen(part->final) + sizeof ".part" : 0;
    part->name = size ? malloc(size) : NULL;
    if (!part->name) return fd_fail(err, FD_ERR_MEMORY, "%s: out of memory", path);
    snprintf(part->name, size, "%s.part", part->final);
    return FD_OK;
}

static void release(fd_part *part) {
    if (part->lock >= 0) close(part->lock);
    free(part->final);
    free(part->name);
    *part = (fd_part){.lock = -1};
}

/* Opens and locks the part. The one locked may meanwhile have been renamed by its owner: then try the new one. */
static fd_status lock_part(const char *path, fd_part *part, fd_error *err) {
    for (;;) {
        struct stat mine, there;
        part->lock = open(part->name, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
        if (part->lock < 0) return fd_fail(err, FD_ERR_FILE, "%s: cannot create: %s", path, strerror(errno));
        if (flock(part->lock, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
            close(part->lock);
            part->lock = -1;
            return fd_fail(err, FD_ERR_FILE, "%s: another process is writing it; wait for it, or give another name", path);
        } /* a file system without locks: go on without */
        if (fstat(part->lock, &mine) == 0 && stat(part->name, &there) == 0 && mine.st_ino == there.st_ino) return FD_OK;
        close(part->lock);
    }
}

fd_status fd_part_begin(const char *path, bool force, fd_part *part, fd_error *err) {
    *part = (fd_part){.lock = -1};
    fd_status status = fd_part_allowed(path, force, err);
    if (!status) status = name_part(path, part, err);
    if (!status) status = lock_part(path, part, err);
    if (status) release(part);
    return status;
}

void fd_part_abort(fd_part *part) {
    if (part->name && part->lock >= 0) unlink(part->name);
    release(part);
}

/* The folder a path lies in, in fresh memory. */
static char *folder_of(const char *path) {
    const char *slash = strrchr(path, '/');
    if (!slash) return strdup(".");
    return slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
}

fd_status fd_part_allowed(const char *path, bool force, fd_error *err) {
    struct stat info;
    if (!*path) return fd_fail(err, FD_ERR_FILE, "the name of the output file is empty");
    if (stat(path, &info) == 0) {
        if (!S_ISREG(info.st_mode))
            return fd_fail(err, FD_ERR_FILE, "%s: is a %s, not a file; choose another name", path,
                           S_ISDIR(info.st_mode) ? "folder" : "device");
        if (!force)
            return fd_fail(err, FD_ERR_FILE, "%s: exists already; give another name, or --force to replace it", path);
    }
    char *folder = folder_of(path);
    if (!folder) return fd_fail(err, FD_ERR_MEMORY, "%s: out of memory", path);
    fd_status status = FD_OK;
    if (access(folder, W_OK | X_OK) != 0)
        status = fd_fail(err, FD_ERR_FILE, "%s: cannot write in folder %s: %s", path, folder, strerror(errno));
    free(folder);
    return status;
}

static int sync_path(const char *path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return -1;
    int result = fsync(fd);
    int saved = errno;
    close(fd);
    errno = saved;
    return result;
}

fd_status fd_part_commit(fd_part *part, fd_error *err) {
    if (sync_path(part->name) != 0 || rename(part->name, part->final) != 0) {
        int reason = errno;
        fd_status status = fd_fail(err, FD_ERR_FILE, "%s: cannot finish the file: %s", part->final, strerror(reason));
        fd_part_abort(part);
        return status;
    }
    /* The name itself is durable only with its folder. Some file systems refuse to sync a folder; the file is whole
     * either way, so that is no failure. */
    char *folder = folder_of(part->final);
    if (folder) sync_path(folder);
    free(folder);
    release(part);
    return FD_OK;
}

/* ---- text ------------------------------------------------------------------------------------------------- */

int fd_write_all(int fd, const char *text, size_t length) {
    while (length > 0) {
        ssize_t n = write(fd, text, length);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return -1;
        text += n;
        length -= (size_t)n;
    }
    return 0;
}

/* A terminal, a pipe or /dev/stdout cannot be renamed over. */
static bool is_stream(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode);
}

fd_status fd_write_text(const char *path, const char *text, size_t length, fd_error *err) {
    fd_part part = {.lock = -1};
    bool stream = is_stream(path);
    fd_status status = stream ? FD_OK : fd_part_begin(path, true, &part, err);
    if (status) return status;
    int fd = open(stream ? path : part.name, O_WRONLY | O_CLOEXEC | (stream ? 0 : O_TRUNC));
    int reason = fd < 0 || fd_write_all(fd, text, length) != 0 ? errno : 0;
    if (fd >= 0 && close(fd) != 0 && !reason) reason = errno;
    if (!reason) return stream ? FD_OK : fd_part_commit(&part, err);
    fd_part_abort(&part);
    return fd_fail(err, FD_ERR_FILE, "%s: cannot write: %s", path, strerror(reason));
}

fd_status fd_read_text(const char *path, size_t max_bytes, char **text, size_t *length, fd_error *err) {
    *text = NULL;
    if (length) *length = 0;
    struct stat info;
    FILE *file = fopen(path, "rb");
    if (!file || fstat(fileno(file), &info) != 0) {
        fd_status status = fd_fail(err, FD_ERR_FILE, "%s: cannot open: %s", path, strerror(errno));
        if (file) fclose(file);
        return status;
    }
    fd_status status = FD_OK;
    char *buffer = NULL;
    size_t used = 0, room = 0;
    if (S_ISDIR(info.st_mode)) {
        status = fd_fail(err, FD_ERR_FILE, "%s: is a folder, not a file", path);
        goto cleanup;
    }
    for (;;) { /* a pipe does not tell its size */
        if (used + 1 >= room) {
            size_t wanted = room ? 2 * room : 1 << 14;
            if (wanted > max_bytes && max_bytes < SIZE_MAX - 2) wanted = max_bytes + 2;
            char *bigger = wanted > room ? realloc(buffer, wanted) : NULL;
            if (!bigger) {
                status = fd_fail(err, FD_ERR_MEMORY, "%s: out of memory", path);
                goto cleanup;
            }
            buffer = bigger;
            room = wanted;
        }
        size_t n = fread(buffer + used, 1, room - 1 - used, file);
        used += n;
        if (used > max_bytes) {
            status = fd_fail(err, FD_ERR_FORMAT, "%s: larger than %zu bytes; is it the right file?", path, max_bytes);
            goto cleanup;
        }
        if (n == 0) break;
    }
    if (ferror(file)) {
        status = fd_fail(err, FD_ERR_FILE, "%s: cannot read: %s", path, strerror(errno));
        goto cleanup;
    }
    buffer[used] = '\0';
    *text = buffer;
    if (length) *length = used;
    buffer = NULL;
cleanup:
    free(buffer);
    fclose(file);
    return status;
}

/* ---- folders and hashes ------------------------------------------------------------------------------------- */

fd_status fd_make_folder(const char *path, fd_error *err) {
    char *name = strdup(path);
    if (!name) return fd_fail(err, FD_ERR_MEMORY, "%s: out of memory", path);
    fd_status status = FD_OK;
    for (char *p = name + (*name == '/');; p++) {
        if (*p != '/' && *p != '\0') continue;
        bool last = *p == '\0';
        *p = '\0';
        if (*name && mkdir(name, 0777) != 0 && errno != EEXIST) {
            status = fd_fail(err, FD_ERR_FILE, "%s: cannot make folder %s: %s", path, name, strerror(errno));
            break;
        }
        if (last) break;
        *p = '/';
    }
    struct stat info;
    if (!status && (stat(name, &info) != 0 || !S_ISDIR(info.st_mode)))
        status = fd_fail(err, FD_ERR_FILE, "%s: is not a folder; choose another name", path);
    free(name);
    return status;
}

fd_status fd_file_id(const char *path, char id[17], fd_error *err) {
    id[0] = '\0';
    FILE *file = fopen(path, "rb");
    if (!file) return fd_fail(err, FD_ERR_FILE, "%s: cannot open: %s", path, strerror(errno));
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a, 64 bits */
    unsigned char buffer[1 << 14];
    size_t n;
    while ((n = fread(buffer, 1, sizeof buffer, file)) > 0)
        for (size_t i = 0; i < n; i++) hash = (hash ^ buffer[i]) * 0x100000001b3u;
    bool failed = ferror(file);
    int reason = errno;
    fclose(file);
    if (failed) return fd_fail(err, FD_ERR_FILE, "%s: cannot read: %s", path, strerror(reason));
    snprintf(id, 17, "%016" PRIx64, hash);
    return FD_OK;
}
