#include "io/checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/file_safety.h"

static const char magic[] = "flavordiff-checkpoint 1 ";

enum { HEAD_LINE = 48, MOST_TEXT = 1 << 20 };

struct fd_checkpoint {
    char *name;    /* OUT.checkpoint */
    char *header;  /* magic, length of the text, newline, text */
    size_t header_size;
    int fd;        /* locked */
    uint64_t at;   /* end of the records read or written */
    bool records;
    void *payload; /* of the record read last */
};

typedef struct record_head {
    uint64_t size, hash;
} record_head;

/* FNV-1a by words of 8 bytes: any change of one word changes the hash. */
static uint64_t hash_bytes(uint64_t hash, const void *data, size_t size) {
    const unsigned char *p = data;
    for (; size >= 8; p += 8, size -= 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        hash = (hash ^ word) * 0x100000001b3u;
        hash ^= hash >> 32; /* high bits of a word reach the low ones of the hash */
    }
    for (; size > 0; p++, size--) hash = (hash ^ *p) * 0x100000001b3u;
    return hash;
}

static fd_status fail_system(const fd_checkpoint *c, const char *what, fd_error *err) {
    return fd_fail(err, FD_ERR_FILE, "%s: cannot %s: %s", c->name, what, strerror(errno));
}

/* Reads exactly `size` bytes at `from`; false at the end of the file or on an error. */
static bool read_at(int fd, uint64_t from, void *data, size_t size) {
    char *to = data;
    while (size > 0) {
        ssize_t n = pread(fd, to, size, (off_t)from);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        to += n, from += (uint64_t)n, size -= (size_t)n;
    }
    return true;
}

/* ---- opening ---------------------------------------------------------------------------------------------------- */

/* The first line of `mine` that `theirs` has not, as both have it, for people. */
static fd_status tell_difference(const fd_checkpoint *c, const char *theirs, const char *mine, fd_error *err) {
    while (*theirs && *theirs == *mine) theirs++, mine++;
    while (mine > c->header && mine[-1] != '\n') theirs--, mine--;
    return fd_fail(err, FD_ERR_MISMATCH,
                   "%s: of other settings than these: '%.*s' there, '%.*s' now; make them the same, or give --force to begin anew",
                   c->name, (int)strcspn(theirs, "\n"), theirs, (int)strcspn(mine, "\n"), mine);
}

/* Why the file does not begin with this header. */
static fd_status refuse_header(const fd_checkpoint *c, uint64_t size, fd_error *err) {
    char line[HEAD_LINE + 1] = "";
    size_t head = size < HEAD_LINE ? (size_t)size : HEAD_LINE;
    if (!read_at(c->fd, 0, line, head)) return fail_system(c, "read", err);
    char *end = strchr(line, '\n'), *stop = NULL;
    fd_status bad = FD_ERR_FORMAT;
    bool ours = strncmp(line, magic, sizeof magic - 1) == 0 && end;
    uint64_t length = ours ? strtoull(line + sizeof magic - 1, &stop, 10) : 0;
    if (!ours || stop != end)
        return fd_fail(err, bad, "%s: not a checkpoint of this program; remove it, or give --force to begin anew", c->name);
    size_t start = (size_t)(end + 1 - line);
    char *text = length <= MOST_TEXT && length <= size - start ? calloc((size_t)length + 1, 1) : NULL;
    fd_status status = bad;
    if (text && read_at(c->fd, start, text, (size_t)length))
        status = tell_difference(c, text, strchr(c->header, '\n') + 1, err);
    else
        fd_fail(err, bad, "%s: the checkpoint is damaged; remove it, or give --force to begin anew", c->name);
    free(text);
    return status;
}

/* Whether the file begins with this header; *fresh: it is to be begun anew. A kill may have left a part of the header, or nothing else. */
static fd_status check_header(fd_checkpoint *c, fd_checkpoint_mode mode, uint64_t size, bool *fresh, fd_error *err) {
    size_t there = size < c->header_size ? (size_t)size : c->header_size;
    char *head = malloc(there + 1);
    if (!head) return fd_fail(err, FD_ERR_MEMORY, "%s: out of memory", c->name);
    bool read = read_at(c->fd, 0, head, there), same = read && memcmp(head, c->header, there) == 0;
    free(head);
    if (!read) return fail_system(c, "read", err);
    *fresh = mode == FD_CHECKPOINT_REPLACE || (same && size <= c->header_size) || (!same && mode == FD_CHECKPOINT_EITHER);
    if (*fresh) return FD_OK;
    if (mode == FD_CHECKPOINT_FRESH)
        return fd_fail(err, FD_ERR_FILE, "%s: an unfinished run is there; give --resume to go on with it, or --force to begin anew",
                       c->name);
    return same ? FD_OK : refuse_header(c, size, err);
}

/* Opens and locks the file that has the name now: its owner may have renamed another over it. */
static fd_status open_locked(fd_checkpoint *c, fd_error *err) {
    for (;;) {
        struct stat mine, there;
        c->fd = open(c->name, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
        if (c->fd < 0) return fail_system(c, "open", err);
        if (flock(c->fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
            return fd_fail(err, FD_ERR_FILE, "%s: another process is writing it; wait for it, or give another name", c->name);
        if (fstat(c->fd, &mine) != 0) return fail_system(c, "open", err);
        if (!S_ISREG(mine.st_mode)) return fd_fail(err, FD_ERR_FILE, "%s: is not a file; choose another name", c->name);
        if (stat(c->name, &there) == 0 && mine.st_ino == there.st_ino && mine.st_dev == there.st_dev) return FD_OK;
        close(c->fd);
        c->fd = -1;
    }
}

static fd_status make_header(fd_checkpoint *c, const char *path, const char *text, fd_error *err) {
    size_t stem = strlen(path), header = strlen(text) + HEAD_LINE + 1;
    while (stem > 1 && path[stem - 1] == '/') stem--; /* a folder's lies beside it */
    size_t name = stem + sizeof ".checkpoint";
    c->name = malloc(name);
    c->header = malloc(header);
    if (!c->name || !c->header) return fd_fail(err, FD_ERR_MEMORY, "%s: out of memory", path);
    snprintf(c->name, name, "%.*s.checkpoint", (int)stem, path);
    c->header_size = (size_t)snprintf(c->header, header, "%s%zu\n%s", magic, strlen(text), text);
    return FD_OK;
}

static fd_status begin_anew(fd_checkpoint *c, fd_error *err) {
    if (ftruncate(c->fd, 0) != 0 || lseek(c->fd, 0, SEEK_SET) < 0 || fd_write_all(c->fd, c->header, c->header_size) != 0)
        return fail_system(c, "write", err);
    return FD_OK;
}

fd_status fd_checkpoint_open(const char *path, const char *text, fd_checkpoint_mode mode, fd_checkpoint **checkpoint,
                             fd_error *err) {
    *checkpoint = NULL;
    struct stat info;
    bool fresh = false;
    fd_checkpoint *c = calloc(1, sizeof *c);
    if (!c) return fd_fail(err, FD_ERR_MEMORY, "%s: out of memory", path);
    c->fd = -1;
    fd_status status = make_header(c, path, text, err);
    if (!status) status = open_locked(c, err);
    if (!status && fstat(c->fd, &info) != 0) status = fail_system(c, "read", err);
    if (!status) status = check_header(c, mode, (uint64_t)info.st_size, &fresh, err);
    if (!status && fresh) status = begin_anew(c, err);
    if (status) {
        c->records = !fresh; /* another's is not ours to remove */
        fd_checkpoint_close(c, true);
        return status;
    }
    c->at = c->header_size;
    c->records = !fresh && (uint64_t)info.st_size > c->at;
    *checkpoint = c;
    return FD_OK;
}

/* ---- records ---------------------------------------------------------------------------------------------------- */

/* What is left of a record that a kill cut short goes, and the next one is written in its place. */
static fd_status end_of_records(fd_checkpoint *c, fd_error *err) {
    if (ftruncate(c->fd, (off_t)c->at) != 0 || lseek(c->fd, (off_t)c->at, SEEK_SET) < 0) return fail_system(c, "write", err);
    return FD_OK;
}

fd_status fd_checkpoint_next(fd_checkpoint *c, const void **payload, size_t *size, fd_error *err) {
    struct stat info;
    record_head head;
    free(c->payload);
    c->payload = NULL;
    *payload = NULL;
    *size = 0;
    if (fstat(c->fd, &info) != 0) return fail_system(c, "read", err);
    uint64_t left = (uint64_t)info.st_size - c->at;
    if (left < sizeof head) return end_of_records(c, err);
    if (!read_at(c->fd, c->at, &head, sizeof head)) return fail_system(c, "read", err);
    if (head.size > left - sizeof head) return end_of_records(c, err);
    if (!(c->payload = malloc((size_t)head.size + 1)))
        return fd_fail(err, FD_ERR_MEMORY, "%s: out of memory for %" PRIu64 " bytes", c->name, head.size);
    if (!read_at(c->fd, c->at + sizeof head, c->payload, (size_t)head.size)) return fail_system(c, "read", err);
    if (hash_bytes(head.size, c->payload, (size_t)head.size) != head.hash)
        return fd_fail(err, FD_ERR_FORMAT, "%s: the checkpoint is damaged; remove it, or give --force to begin anew", c->name);
    c->at += sizeof head + head.size;
    c->records = true;
    *payload = c->payload;
    *size = (size_t)head.size;
    return FD_OK;
}

/* One record in one piece of memory: a kill between two writes would cut it short, and copying costs less than the hash. */
static fd_status write_record(fd_checkpoint *c, int fd, int n, const fd_piece *pieces, uint64_t *size, fd_error *err) {
    record_head head = {0};
    for (int i = 0; i < n; i++) head.size += pieces[i].size;
    *size = sizeof head + head.size;
    char *record = malloc((size_t)*size), *to;
    if (!record) return fd_fail(err, FD_ERR_MEMORY, "%s: out of memory for %" PRIu64 " bytes", c->name, *size);
    to = record + sizeof head;
    for (int i = 0; i < n; to += pieces[i].size, i++)
        if (pieces[i].size) memcpy(to, pieces[i].data, pieces[i].size);
    head.hash = hash_bytes(head.size, record + sizeof head, (size_t)head.size);
    memcpy(record, &head, sizeof head);
    int failed = fd_write_all(fd, record, (size_t)*size), reason = errno;
    free(record);
    errno = reason;
    return failed ? fail_system(c, "write", err) : FD_OK;
}

fd_status fd_checkpoint_append(fd_checkpoint *c, int n, const fd_piece *pieces, fd_error *err) {
    uint64_t size;
    fd_status status = write_record(c, c->fd, n, pieces, &size, err);
    if (!status) c->at += size, c->records = true;
    return status;
}

fd_status fd_checkpoint_sync(fd_checkpoint *c, fd_error *err) {
    return fsync(c->fd) == 0 ? FD_OK : fail_system(c, "write", err);
}

fd_status fd_checkpoint_replace(fd_checkpoint *c, int n, const fd_piece *pieces, fd_error *err) {
    fd_part part = {.lock = -1};
    uint64_t size;
    int fd = -1;
    fd_status status = fd_part_begin(c->name, true, &part, err);
    if (status) return status;
    if (ftruncate(part.lock, 0) != 0 || fd_write_all(part.lock, c->header, c->header_size) != 0 || (fd = fcntl(part.lock, F_DUPFD_CLOEXEC, 0)) < 0)
        status = fail_system(c, "write", err);
    if (!status) status = write_record(c, part.lock, n, pieces, &size, err);
    if (!status) status = fd_part_commit(&part, err); /* fd shares the lock of the part, which has the name now */
    fd_part_abort(&part);
    if (status) {
        if (fd >= 0) close(fd);
        return status;
    }
    close(c->fd);
    c->fd = fd;
    c->at = c->header_size + size;
    c->records = true;
    return FD_OK;
}

const char *fd_checkpoint_name(const fd_checkpoint *c) { return c->name; }

/* With what a kill may have left of a replacement: its name is the output's, with .checkpoint.part behind it. */
static void remove_files(fd_checkpoint *c) {
    size_t length = strlen(c->name);
    unlink(c->name);
    char *part = malloc(length + sizeof ".part");
    if (!part) return;
    snprintf(part, length + sizeof ".part", "%s.part", c->name);
    unlink(part);
    free(part);
}

void fd_checkpoint_close(fd_checkpoint *c, bool keep) {
    if (!c) return;
    if (c->fd >= 0 && !(keep && c->records)) remove_files(c);
    if (c->fd >= 0) close(c->fd);
    free(c->payload);
    free(c->header);
    free(c->name);
    free(c);
}
