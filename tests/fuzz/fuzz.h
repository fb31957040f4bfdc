/* What the fuzz targets share. A target is a function LLVMFuzzerTestOneInput() that must return, whatever the bytes:
 * built with FLAVORDIFF_FUZZ (clang) libFuzzer feeds it, else replay.c does with the files of corpus/. */
#ifndef FD_TESTS_FUZZ_H
#define FD_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "flavordiff/status.h"

enum { FUZZ_PATH = 256 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must hold, in every build. */
#define MUST(condition) \
    do { \
        if (!(condition)) { \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
            abort(); \
        } \
    } while (0)

/* A failure has a status and one line that says why; success has none. */
static inline void check_outcome(fd_status status, const fd_error *err) {
    if (!status) return;
    MUST(status < FD_STATUS_COUNT && err->status == status && err->message[0]);
    for (const char *p = err->message; *p; p++) MUST((unsigned char)*p >= ' ' && *p != 127);
}

/* The bytes as a temporary file: its descriptor and path. A real one: HDF5 wants a name that lasts. */
static inline int file_of(const void *bytes, size_t size, char path[FUZZ_PATH]) {
    const char *folder = getenv("TMPDIR");
    snprintf(path, FUZZ_PATH, "%.200s/fuzz.XXXXXX", folder && *folder ? folder : "/tmp");
    int fd = mkstemp(path);
    MUST(fd >= 0 && (size_t)write(fd, bytes, size) == size);
    return fd;
}

static inline void drop_file(int fd, const char *path) {
    close(fd);
    unlink(path);
}

#endif
