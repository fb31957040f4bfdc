#include "io/json.h"

#include <stdlib.h>

static _Thread_local bool ran_short; /* jansson's allocator takes no context */

static void *watched_malloc(size_t size) {
    void *memory = malloc(size);
    if (!memory) ran_short = true;
    return memory;
}

void fd_json_watch(void) { json_set_alloc_funcs(watched_malloc, free); }

void fd_json_run_short(void) { ran_short = true; }

bool fd_json_ran_short(void) {
    bool result = ran_short;
    ran_short = false;
    return result;
}

char *fd_json_text(const json_t *root, size_t flags) {
    char *text = root ? json_dumps(root, flags) : NULL;
    if (!fd_json_ran_short()) return text;
    free(text);
    return NULL;
}
