/* Status codes, error messages and exit codes.
 *
 * Every function that can fail returns fd_status and takes an fd_error *, which may be NULL.
 * On failure the message is one line that names the file, the field and the remedy; callers put
 * their own context in front with fd_error_prefix(). The library never prints and never exits. */
#ifndef FLAVORDIFF_STATUS_H
#define FLAVORDIFF_STATUS_H

#include "flavordiff/api.h"

#if defined(__GNUC__)
#define FD_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define FD_PRINTF(fmt, args)
#endif

FD_DECLS_BEGIN

typedef enum fd_status {
    FD_OK = 0,
    FD_ERR_USAGE,    /* command line: unknown verb or option, missing argument */
    FD_ERR_CONFIG,   /* configuration: unknown key, impossible value */
    FD_ERR_FILE,     /* the system refused: missing, unreadable, unwritable, disk full */
    FD_ERR_FORMAT,   /* the file is foreign, truncated, damaged or of another version */
    FD_ERR_MISMATCH, /* two files, or a file and the configuration, do not belong together */
    FD_ERR_VALUE,    /* a number in user data is not finite or not possible */
    FD_ERR_EMPTY,    /* nothing left to work on: zero samples selected */
    FD_ERR_MEMORY,
    FD_ERR_STOPPED,  /* asked to stop (signal, --max-time); what is finished is kept */
    FD_ERR_TOOL,     /* an outside program (gnuplot) is missing or failed */
    FD_ERR_WANTING,  /* the work is done, but a diagnostic failed and the user asked to be strict */
    FD_STATUS_COUNT
} fd_status;

typedef struct fd_error {
    fd_status status;
    char message[1024];
} fd_error;

/* Records a formatted message, control characters as '?', and returns `status`, so that `return fd_fail(err, ...)` works. */
fd_status fd_fail(fd_error *err, fd_status status, const char *format, ...) FD_PRINTF(3, 4);
#ifdef __clang_analyzer__ /* which sees one file at a time: what fd_fail returns is the status it was given */
#define fd_fail(err, status, ...) ((fd_fail)(err, status, __VA_ARGS__), (status))
#endif
/* Puts "context: " in front of the message already there. */
void fd_error_prefix(fd_error *err, const char *format, ...) FD_PRINTF(2, 3);

/* Short name of a status ("file", "format", ...), from the one table in status.c. */
const char *fd_status_name(fd_status status);
/* Exit code of the program: 0 done, 1 failed, 2 usage or configuration, 3 bad or incompatible
 * file, 5 done but a diagnostic failed under --strict, 75 stopped with its work kept (--resume). */
int fd_status_exit_code(fd_status status);

FD_DECLS_END

#endif
