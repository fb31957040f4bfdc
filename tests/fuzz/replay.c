/* Runs a fuzz target on files, and on every file of folders: the corpus as a test, with any compiler. */
#define _GNU_SOURCE
#include <dirent.h>
#include <sys/stat.h>

#include "fuzz.h"

static int replayed;

static void replay(const char *path) {
    struct stat info;
    MUST(stat(path, &info) == 0);
    if (S_ISDIR(info.st_mode)) {
        DIR *dir = opendir(path);
        MUST(dir);
        for (struct dirent *entry; (entry = readdir(dir));) {
            char *inner = NULL;
            if (entry->d_name[0] == '.') continue;
            MUST(asprintf(&inner, "%s/%s", path, entry->d_name) > 0);
            replay(inner);
            free(inner);
        }
        closedir(dir);
        return;
    }
    FILE *file = fopen(path, "rb");
    size_t size = (size_t)info.st_size;
    uint8_t *data = malloc(size + 1);
    MUST(file && data && fread(data, 1, size, file) == size);
    fclose(file);
    fprintf(stderr, "%s\n", path); /* so that the last one named is the one that fails */
    LLVMFuzzerTestOneInput(data, size);
    free(data);
    replayed++;
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) replay(argv[i]);
    printf("%d inputs replayed\n", replayed);
    return replayed == 0;
}
