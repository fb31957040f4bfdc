#include "stages/text.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flavordiff/files.h"

/* Room for n more bytes and the NUL. */
static bool grow(fd_text *text, size_t n) {
    if (text->failed) return false;
    if (n >= SIZE_MAX / 4 - text->length) {
        text->failed = true;
        return false;
    }
    size_t need = text->length + n + 1;
    if (need <= text->room) return true;
    size_t room = text->room ? text->room : 1024;
    while (room < need) room *= 2;
    char *data = realloc(text->data, room);
    if (!data) {
        text->failed = true;
        return false;
    }
    text->data = data;
    text->room = room;
    return true;
}

void fd_text_bytes(fd_text *text, const char *bytes, size_t n) {
    if (!grow(text, n)) return;
    memcpy(text->data + text->length, bytes, n);
    text->length += n;
    text->data[text->length] = '\0';
}

void fd_text_add(fd_text *text, const char *string) { fd_text_bytes(text, string, strlen(string)); }

void fd_text_addf(fd_text *text, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    if (n < 0) text->failed = true;
    if (n >= 0 && grow(text, (size_t)n)) {
        vsnprintf(text->data + text->length, (size_t)n + 1, format, again);
        text->length += (size_t)n;
    }
    va_end(again);
    va_end(args);
}

void fd_text_free(fd_text *text) {
    free(text->data);
    *text = (fd_text){0};
}

char *fd_text_count(uint64_t n, char out[32]) {
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%" PRIu64, n), at = 0;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0) out[at++] = ',';
        out[at++] = digits[i];
    }
    out[at] = '\0';
    return out;
}

char *fd_text_fraction(double p, int digits, char out[32]) {
    if (p > 0.5 && p < 1) {
        int decimals = digits - 2 - (int)floor(log10(1 - p));
        if (decimals < digits) decimals = digits;
        snprintf(out, 32, "%.*f", decimals < 15 ? decimals : 15, p);
    } else {
        snprintf(out, 32, "%.*g", digits, p);
    }
    return out;
}

fd_status fd_text_write(const fd_text *text, const char *path, fd_error *err) {
    if (text->failed) return fd_fail(err, FD_ERR_MEMORY, "%s: out of memory while writing it", path);
    return fd_write_text(path, text->data ? text->data : "", text->length, err);
}
