/* A folder of the test's own below /tmp, made before its tests and removed after them (with FLAVORDIFF_KEEP set it stays). */
#ifndef FD_TESTS_FOLDER_H
#define FD_TESTS_FOLDER_H

#include <stdio.h>
#include <stdlib.h>

#include "flavordiff/status.h"

static char folder[] = "/tmp/flavordiff-test-XXXXXX";

/* Path of a file in it, good for the next seven calls. */
static inline char *at(const char *name) {
    static char paths[8][256];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, 256, "%s/%s", folder, name);
    return path;
}

static inline void ok(fd_status status, const fd_error *err) {
    if (status) fail_msg("%s: %s", fd_status_name(status), err->message);
}

static inline int make_folder(void **state) {
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static inline int remove_folder(void **state) {
    (void)state;
    char command[300];
    if (getenv("FLAVORDIFF_KEEP")) return printf("kept: %s\n", folder) < 0;
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

#endif
