/* Text that grows: tables, JSON, scripts and HTML are put together in memory and written whole. */
#ifndef FLAVORDIFF_STAGES_TEXT_H
#define FLAVORDIFF_STAGES_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flavordiff/status.h"

/* Zero-initialise; failed is sticky, so that callers check once at the end. free(data) when done. */
typedef struct fd_text {
    char *data; /* NUL-terminated, or NULL when nothing was added */
    size_t length, room;
    bool failed; /* out of memory: later additions do nothing */
} fd_text;

void fd_text_add(fd_text *text, const char *string);
void fd_text_bytes(fd_text *text, const char *bytes, size_t n);
void fd_text_addf(fd_text *text, const char *format, ...) FD_PRINTF(2, 3);
void fd_text_free(fd_text *text);

/* 1234567 -> "1,234,567" into out[32]; returns out. */
char *fd_text_count(uint64_t n, char out[32]);

/* A fraction with `digits` significant digits, or with digits - 1 of its complement where those are more: 1.37e-05, 0.123, 0.645,
 * 0.99963. */
char *fd_text_fraction(double p, int digits, char out[32]);

/* Writes text to path (fd_write_text) or returns FD_ERR_MEMORY when it failed to grow. */
fd_status fd_text_write(const fd_text *text, const char *path, fd_error *err);

#endif
