/* NPZ: a zip archive, stored, of one .npy a column. Sizes are known beforehand, so every member has its place and rows go to all
 * of them as they come. Always zip64: one layout for any size. */
#define _GNU_SOURCE
#include "stages/export.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { MOST_MEMBERS = FD_MAX_PARAMS + FD_MAX_OBSERVABLES + 2, HEAD = 128 /* of a .npy */, LOCAL = 30 + 20 };

typedef struct member {
    char name[64];
    size_t item;     /* bytes of a number */
    uint64_t offset; /* of the local header */
    uint64_t size;
    uint32_t crc;
} member;

/* n bytes of x, least significant first, as zip has them. */
static void put(FILE *file, uint64_t x, int n) {
    for (int i = 0; i < n; i++) fputc((int)(x >> 8 * i & 255), file);
}

/* Version 1.0 of numpy's format: magic, length, a Python dictionary, padded to 128 bytes. */
static void npy_head(char head[HEAD], size_t item, uint64_t rows) {
    const char *order = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? "<" : ">";
    memset(head, ' ', HEAD);
    memcpy(head, "\x93NUMPY\x01\x00", 8);
    head[8] = HEAD - 10, head[9] = 0;
    int n = snprintf(head + 10, HEAD - 10, "{'descr': '%s', 'fortran_order': False, 'shape': (%" PRIu64 ",), }",
                     item == 1 ? "|u1" : order[0] == '<' ? "<f8" : ">f8", rows);
    head[10 + n] = ' ';
    head[HEAD - 1] = '\n';
}

static void local_header(FILE *file, const member *m) {
    put(file, 0x04034b50, 4), put(file, 45, 2), put(file, 0, 2), put(file, 0, 2); /* stored */
    put(file, 0, 2), put(file, 0x21, 2), put(file, m->crc, 4);                    /* 1 January 1980: same content, same bytes */
    put(file, UINT32_MAX, 4), put(file, UINT32_MAX, 4), put(file, strlen(m->name), 2), put(file, 20, 2);
    fputs(m->name, file);
    put(file, 1, 2), put(file, 16, 2), put(file, m->size, 8), put(file, m->size, 8);
}

static void directory(FILE *file, int n, const member *members, uint64_t start) {
    uint64_t size = 0;
    for (int i = 0; i < n; i++) {
        const member *m = &members[i];
        put(file, 0x02014b50, 4), put(file, 45, 2), put(file, 45, 2), put(file, 0, 2), put(file, 0, 2), put(file, 0, 2);
        put(file, 0x21, 2), put(file, m->crc, 4), put(file, UINT32_MAX, 4), put(file, UINT32_MAX, 4);
        put(file, strlen(m->name), 2), put(file, 28, 2), put(file, 0, 2), put(file, 0, 2), put(file, 0, 2), put(file, 0, 4);
        put(file, UINT32_MAX, 4);
        fputs(m->name, file);
        put(file, 1, 2), put(file, 24, 2), put(file, m->size, 8), put(file, m->size, 8), put(file, m->offset, 8);
        size += 46 + strlen(m->name) + 28;
    }
    put(file, 0x06064b50, 4), put(file, 44, 8), put(file, 45, 2), put(file, 45, 2), put(file, 0, 4), put(file, 0, 4);
    put(file, (uint64_t)n, 8), put(file, (uint64_t)n, 8), put(file, size, 8), put(file, start, 8);
    put(file, 0x07064b50, 4), put(file, 0, 4), put(file, start + size, 8), put(file, 1, 4);
    put(file, 0x06054b50, 4), put(file, 0, 4), put(file, UINT16_MAX, 2), put(file, UINT16_MAX, 2), put(file, UINT32_MAX, 4);
    put(file, UINT32_MAX, 4), put(file, 0, 2);
}

/* Places of all members; where the directory begins. */
static uint64_t lay_out(const fd_source *s, uint64_t rows, int n, member *members) {
    uint64_t at = 0;
    for (int c = 0; c < n; c++) {
        member *m = &members[c];
        char head[HEAD];
        const char *name = c < s->n_columns ? fd_source_name(s, c) : c == s->n_columns ? "chi2" : "valid";
        m->item = c == n - 1 ? 1 : sizeof(double);
        snprintf(m->name, sizeof m->name, "%.50s.npy", name);
        m->offset = at;
        m->size = HEAD + m->item * rows;
        npy_head(head, m->item, rows);
        m->crc = (uint32_t)crc32(0, (const unsigned char *)head, HEAD);
        at += LOCAL + strlen(m->name) + m->size;
    }
    return at;
}

static fd_status write_rows(fd_source *s, FILE *file, int n_members, member *members, uint64_t *rows, fd_error *err) {
    double column[FD_EXPORT_BLOCK];
    size_t n;
    fd_status status;
    while (!(status = fd_source_next(s, &n, err)) && n && !ferror(file)) {
        for (int c = 0; c < n_members; c++) {
            member *m = &members[c];
            for (size_t i = 0; i < n && c < s->n_columns; i++) column[i] = fd_source_value(s, i, c);
            const void *data = c < s->n_columns ? column : c == s->n_columns ? s->chi2 : (const void *)s->flags;
            m->crc = (uint32_t)crc32(m->crc, data, (unsigned)(n * m->item));
            if (fseeko(file, (off_t)(m->offset + LOCAL + strlen(m->name) + HEAD + *rows * m->item), SEEK_SET) == 0)
                fwrite(data, m->item, n, file);
        }
        *rows += n;
    }
    return status;
}

fd_status fd_export_npz(fd_source *s, const char *out, uint64_t *rows, fd_error *err) {
    member members[MOST_MEMBERS];
    int n = s->n_columns + 2;
    uint64_t total, end;
    fd_sink sink;
    fd_status status = fd_source_count(s, &total, err);
    if (!status) status = fd_sink_open(out, s->spec->force, &sink, err);
    if (status) return status;
    end = lay_out(s, total, n, members);
    if (!sink.part.name) status = fd_fail(err, FD_ERR_FILE, "%s: an archive cannot be written to a pipe; name a file", out);
    if (!status) status = write_rows(s, sink.file, n, members, rows, err);
    for (int c = 0; c < n && !status; c++) {
        char head[HEAD];
        npy_head(head, members[c].item, total);
        if (fseeko(sink.file, (off_t)members[c].offset, SEEK_SET) != 0) break;
        local_header(sink.file, &members[c]);
        fwrite(head, 1, HEAD, sink.file);
    }
    if (!status && fseeko(sink.file, (off_t)end, SEEK_SET) == 0) directory(sink.file, n, members, end);
    if (!status) return fd_sink_close(&sink, err);
    fd_sink_abort(&sink);
    return status;
}
