/* Configurations: the bytes up to the first NUL are the file, those after it one --set override each. What loads is
 * dumped and loaded again, and must be the same struct. */
#define _GNU_SOURCE
#include "flavordiff/config.h"
#include "fuzz.h"

enum { MAX_SETS = 4 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char path[FUZZ_PATH], *rest = malloc(size + 1), *text = NULL;
    const char *sets[MAX_SETS];
    MUST(rest);
    memcpy(rest, data, size);
    rest[size] = '\0';
    size_t length = strlen(rest);
    int n_sets = 0;
    for (size_t at = length + 1; at <= size && n_sets < MAX_SETS; at += strlen(rest + at) + 1) sets[n_sets++] = rest + at;
    int fd = file_of(rest, length, path);
    fd_config first, second;
    fd_error err = {0};
    fd_status status = fd_config_load(path, n_sets, sets, &first, &err);
    check_outcome(status, &err);
    drop_file(fd, path);
    if (!status) {
        MUST(fd_config_dump(&first, &text, NULL) == FD_OK);
        fd = file_of(text, strlen(text), path);
        status = fd_config_load(path, 0, NULL, &second, &err);
        if (status) fprintf(stderr, "%s\n%s", err.message, text);
        MUST(status == FD_OK);
        MUST(memcmp(&first, &second, sizeof first) == 0);
        drop_file(fd, path);
    }
    free(text);
    free(rest);
    return 0;
}
