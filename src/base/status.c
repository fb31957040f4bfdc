#include "flavordiff/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int exit_code;
} status_table[FD_STATUS_COUNT] = {
    [FD_OK] = {"ok", 0},           [FD_ERR_USAGE] = {"usage", 2},       [FD_ERR_CONFIG] = {"config", 2},
    [FD_ERR_FILE] = {"file", 1},   [FD_ERR_FORMAT] = {"format", 3},     [FD_ERR_MISMATCH] = {"mismatch", 3},
    [FD_ERR_VALUE] = {"value", 3}, [FD_ERR_EMPTY] = {"empty", 1},       [FD_ERR_MEMORY] = {"memory", 1},
    [FD_ERR_STOPPED] = {"stopped", 75}, [FD_ERR_TOOL] = {"tool", 1}, [FD_ERR_WANTING] = {"wanting", 5},
};

/* Messages quote names and files; they stay one line, and no terminal's commands, whatever those hold. */
static void keep_one_line(char *message) {
    for (char *p = message; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 127) *p = '?';
}

fd_status(fd_fail)(fd_error *err, fd_status status, const char *format, ...) {
    if (err) {
        va_list args;
        va_start(args, format);
        err->status = status;
        vsnprintf(err->message, sizeof err->message, format, args);
        va_end(args);
        keep_one_line(err->message);
    }
    return status;
}

void fd_error_prefix(fd_error *err, const char *format, ...) {
    if (!err) return;
    char context[512], old[sizeof err->message];
    va_list args;
    va_start(args, format);
    vsnprintf(context, sizeof context, format, args);
    va_end(args);
    memcpy(old, err->message, sizeof old);
    /* A chain longer than the buffer loses its tail, never its head. */
    int n = snprintf(err->message, sizeof err->message, "%s: ", context);
    if (n > 0 && (size_t)n < sizeof err->message) {
        size_t room = sizeof err->message - (size_t)n - 1, length = strlen(old);
        if (length > room) length = room;
        memcpy(err->message + n, old, length);
        err->message[(size_t)n + length] = '\0';
    }
    keep_one_line(err->message);
}

const char *fd_status_name(fd_status status) {
    return (unsigned)status < FD_STATUS_COUNT ? status_table[status].name : "unknown";
}

int fd_status_exit_code(fd_status status) {
    return (unsigned)status < FD_STATUS_COUNT ? status_table[status].exit_code : 1;
}
