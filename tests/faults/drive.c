/* Walks through the calls of small jobs of every verb and makes each fail in turn. A job that meets a failure must end by
 * itself with exit code 1 and one line on standard error, and leave under every name what a good run leaves there or what
 * was there before, and nothing else; or take no notice and write what a good run writes, to the byte.
 * Usage: drive [--full | --places] [--kinds KIND,...] [--from N] [--job WORD] FLAVORDIFF SOURCE_FOLDER SHIM
 * --full: every call; --places: the first by every chain of callers; else some, with another N others */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "faults.h"

enum { MAX_FILES = 256, MAX_WORDS = 40, SECONDS = 300 };
static const char *program, *source, *shim, *only;
static bool full, by_place;
static const char *kinds; /* NULL: all */
static char root[] = "/tmp/faults.XXXXXX";
static unsigned turn; /* which calls without --full */
static int failures, runs, survived, not_met, inside, endless;
static rlim_t seconds; /* of processor time a run may take; 0: any */

static void die(const char *what) {
    fprintf(stderr, "drive: %s: %s\n", what, strerror(errno));
    exit(2);
}

/* ---- folders ------------------------------------------------------------------------------------------------------- */

typedef struct tree {
    int n;
    char names[MAX_FILES][128]; /* below the folder */
    uint64_t hashes[MAX_FILES]; /* of the contents; 1: a folder */
} tree;

static tree *filling;
static size_t prefix;

static int add_file(const char *path, const struct stat *info, int kind, struct FTW *where) {
    if (where->level == 0 || filling->n == MAX_FILES) return 0;
    uint64_t hash = 1;
    if (kind == FTW_F) {
        FILE *file = fopen(path, "rb");
        if (!file) die(path);
        hash = 0xcbf29ce484222325u;
        for (int c; (c = getc(file)) != EOF;) hash = (hash ^ (unsigned)c) * 0x100000001b3u;
        fclose(file);
    }
    (void)info;
    snprintf(filling->names[filling->n], sizeof filling->names[0], "%s", path + prefix);
    filling->hashes[filling->n++] = hash;
    return 0;
}

static void read_tree(const char *folder, tree *t) {
    t->n = 0;
    filling = t;
    prefix = strlen(folder) + 1;
    if (nftw(folder, add_file, 16, FTW_PHYS)) die(folder);
}

static uint64_t hash_in(const tree *t, const char *name) {
    for (int i = 0; i < t->n; i++)
        if (strcmp(t->names[i], name) == 0) return t->hashes[i];
    return 0;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *where) {
    (void)info, (void)kind, (void)where;
    return remove(path);
}

static void fresh_folder(const char *folder, const char *before) {
    char command[PATH_MAX];
    nftw(folder, remove_one, 16, FTW_PHYS | FTW_DEPTH);
    if (mkdir(folder, 0777)) die(folder);
    snprintf(command, sizeof command, "cp -r '%s/in/%s' '%s'", root, before, folder);
    if (strcmp(before, "-") != 0 && system(command) != 0) die(command);
}

/* ---- one run -------------------------------------------------------------------------------------------------------- */

typedef struct outcome {
    int state; /* of wait4 */
    double seconds; /* of processor time */
    bool fired;
    unsigned long calls[KINDS];
    char said[4096]; /* on standard error */
    uint64_t output; /* hash of standard output */
} outcome;

static char *slurp(const char *name, size_t *length) {
    static char text[1 << 20];
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", root, name);
    FILE *file = fopen(path, "rb");
    *length = file ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file) fclose(file);
    text[*length] = '\0';
    return text;
}

/* What the shim noted in a good run: the first call by every chain of callers, kind by kind in rising order. */
static unsigned long (*places)[2];
static size_t n_places;

static void read_places(void) {
    size_t length;
    const char *from = slurp("places", &length);
    free(places);
    places = malloc(length + 1);
    if (!places) die("places");
    memcpy(places, from, length);
    n_places = length / sizeof *places;
}

static unsigned long place_after(int kind, unsigned long last) {
    for (size_t i = 0; i < n_places; i++)
        if (places[i][0] == (unsigned long)kind && places[i][1] > last) return places[i][1];
    return ULONG_MAX;
}

static void child(const char *folder, char *command, const char *fault) {
    char *words[MAX_WORDS] = {"flavordiff"}, path[PATH_MAX];
    int n = 1;
    for (char *word = strtok(command, " "); word && n < MAX_WORDS - 4; word = strtok(NULL, " ")) words[n++] = word;
    static const char *const alone[] = {"evaluate", "info", "version", "help", "merge", "diff", "export"}; /* no option -j */
    bool threads = true;
    for (size_t i = 0; i < sizeof alone / sizeof *alone; i++) threads = threads && strcmp(words[1], alone[i]) != 0;
    if (threads)
        words[n++] = "-j", words[n++] = "1";
    if (strcmp(words[1], "compare") && n > 3 && strcmp(words[n - 2], "-j") == 0) words[n++] = "-q";
    if (chdir(folder)) _exit(126);
    const char *const streams[] = {"/dev/null", "../stdout", "../stderr"};
    for (int i = 0; i < 3; i++) {
        int fd = open(streams[i], i ? O_WRONLY | O_CREAT | O_TRUNC : O_RDONLY, 0600);
        if (fd < 0 || dup2(fd, i) < 0) _exit(126);
        if (fd > 2) close(fd);
    }
    snprintf(path, sizeof path, "%s/report", root);
    setenv("FAULT_REPORT", path, 1);
    snprintf(path, sizeof path, "%s/places", root);
    if (fault) setenv("FAULT", fault, 1);
    else setenv("FAULT_PLACES", path, 1);
    setenv("LD_PRELOAD", shim, 1);
    alarm(SECONDS);
    if (seconds) setrlimit(RLIMIT_CPU, &(struct rlimit){seconds, seconds + 1});
    execv(program, words);
    _exit(127);
}

static void run(const char *folder, const char *command, const char *fault, outcome *o) {
    char copy[512];
    size_t length;
    snprintf(copy, sizeof copy, "%s", command);
    memset(o, 0, sizeof *o);
    pid_t pid = fork();
    if (pid == 0) child(folder, copy, fault);
    struct rusage used;
    if (pid < 0 || wait4(pid, &o->state, 0, &used) != pid) die("wait4");
    o->seconds = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec);
    runs++;
    char *text = slurp("report", &length);
    o->fired = length % sizeof o->calls != 0 || strchr(text, 'F') == text;
    if (length >= sizeof o->calls) memcpy(o->calls, text + length - sizeof o->calls, sizeof o->calls);
    snprintf(o->said, sizeof o->said, "%s", slurp("stderr", &length));
    text = slurp("stdout", &length);
    o->output = 0xcbf29ce484222325u;
    for (size_t i = 0; i < length; i++) o->output = (o->output ^ (unsigned char)text[i]) * 0x100000001b3u;
}

/* ---- what must hold ------------------------------------------------------------------------------------------------- */

static const char *wrong_with(const outcome *o, const outcome *good, const tree *before, const tree *after,
                              const tree *wanted, int kind, char *text, size_t size) {
    /* HDF5 does not survive its own allocations failing while it starts, or while it handles a failure (1.10: it crashes or
     * calls exit(-1), or goes round in H5C_dest() for ever). What it leaves behind is looked at all the same. */
    bool of_hdf5 = kind == HDF5 && (WIFSIGNALED(o->state) || WEXITSTATUS(o->state) == 255 || strstr(o->said, "HDF5-DIAG"));
    inside += of_hdf5;
    endless += of_hdf5 && WIFSIGNALED(o->state) && WTERMSIG(o->state) == SIGXCPU;
    if (WIFSIGNALED(o->state) && !of_hdf5) {
        snprintf(text, size, "killed by signal %d (%s)", WTERMSIG(o->state), strsignal(WTERMSIG(o->state)));
        return text;
    }
    int code = WEXITSTATUS(o->state);
    bool done = o->state == 0;
    if (done) {
        if (o->output != good->output) return "exit 0, but standard output differs from that of a good run";
        for (int i = 0; i < wanted->n; i++)
            if (hash_in(after, wanted->names[i]) != wanted->hashes[i]) {
                snprintf(text, size, "exit 0, but %s differs from that of a good run", wanted->names[i]);
                return text;
            }
    } else if (!of_hdf5) {
        /* A file that cannot be read for want of memory inside HDF5 may be called damaged: 3. */
        if (code != 1 && !(code == 3 && kind == HDF5)) {
            snprintf(text, size, "exit code %d", code);
            return text;
        }
        const char *end = strchr(o->said, '\n');
        if (strncmp(o->said, "flavordiff: ", 12) != 0 || !end || end[1]) return "standard error is not one line of ours";
        if (kind == INTERRUPTS || kind == SHORTS) return "an interrupted or short write is no failure";
    }
    for (int i = 0; i < after->n; i++) {
        uint64_t hash = after->hashes[i];
        if (of_hdf5 && strstr(after->names[i], ".part")) continue;
        if (!done && strstr(after->names[i], "stages.json")) continue; /* grows stage by stage */
        if (!done && strstr(after->names[i], ".checkpoint")) continue; /* what --resume goes on from */
        if (hash == hash_in(wanted, after->names[i]) || (!done && hash == hash_in(before, after->names[i]))) continue;
        snprintf(text, size, "exit %d, but %s %s", code, after->names[i],
                 hash_in(wanted, after->names[i]) ? "is neither whole nor the old one" : "is left behind");
        return text;
    }
    for (int i = 0; i < before->n; i++)
        if (!hash_in(after, before->names[i])) {
            snprintf(text, size, "%s is gone", before->names[i]);
            return text;
        }
    return NULL;
}

typedef struct job {
    const char *before_name, *command;
    char good_folder[PATH_MAX], try_folder[PATH_MAX];
    outcome good;
    tree before, wanted;
} job;

static void try_fault(const job *j, int kind, unsigned long call, bool sticky) {
    static tree after;
    outcome o;
    char fault[64], text[300];
    snprintf(fault, sizeof fault, "%s:%lu%s", kind_names[kind], call, sticky ? "+" : "");
    fresh_folder(j->try_folder, j->before_name);
    run(j->try_folder, j->command, fault, &o);
    read_tree(j->try_folder, &after);
    const char *wrong = wrong_with(&o, &j->good, &j->before, &after, &j->wanted, kind, text, sizeof text);
    survived += o.state == 0;
    not_met += !o.fired;
    if (!wrong) return;
    failures++;
    printf("FAIL: FAULT=%s of %lu: flavordiff %s\n  %s\n  | %.300s%s", fault, j->good.calls[kind], j->command, wrong, o.said,
           o.said[0] ? "" : "\n");
    fflush(stdout);
}

static bool good_run(job *j) {
    snprintf(j->good_folder, sizeof j->good_folder, "%s/good", root);
    snprintf(j->try_folder, sizeof j->try_folder, "%s/try", root);
    fresh_folder(j->good_folder, j->before_name);
    read_tree(j->good_folder, &j->before);
    seconds = 0;
    run(j->good_folder, j->command, NULL, &j->good);
    read_tree(j->good_folder, &j->wanted);
    seconds = 3 + 5 * (rlim_t)j->good.seconds;
    if (j->good.calls[ALLOC] && !j->good.state) return true;
    failures++;
    if (j->good.state) printf("FAIL: the job itself: %s\n  | %s", j->command, j->good.said);
    else printf("FAIL: the shim saw no call of: %s\n", j->command);
    return false;
}

/* The next call of a kind to fail, after call `last`; 0: no more. */
static unsigned long next_call(const job *j, int kind, unsigned long last, unsigned long first, unsigned long stride) {
    unsigned long n = j->good.calls[kind], next = last ? last + stride : first;
    if (by_place) next = place_after(kind, last);
    return next <= n ? next : 0;
}

static void walk(const char *before_name, const char *command) {
    static job j;
    j = (job){.before_name = before_name, .command = command};
    if (!good_run(&j)) return;
    read_places();
    for (int kind = 0; kind < KINDS; kind++) {
        if (kinds && !strstr(kinds, kind_names[kind])) continue;
        unsigned long n = j.good.calls[kind];
        /* Some of them, others in every job. */
        unsigned long most = kind == ALLOC ? 4 : 1, stride = full || n <= most ? 1 : n / most;
        unsigned long first = stride == 1 ? 1 : 1 + turn++ % stride;
        for (unsigned long call = 0; (call = next_call(&j, kind, call, first, stride)) != 0;) {
            try_fault(&j, kind, call, false);
            if (kind == WRITES || kind == OPENS) try_fault(&j, kind, call, true);
        }
    }
}

static void tell(const char *what) {
    printf("%s: %d runs, %d took no notice and were right, %d ended inside HDF5 (%d would not), %d did not meet their fault, "
           "%d failures\n", what, runs, survived, inside, endless, not_met, failures);
    fflush(stdout);
}

int main(int argc, char **argv) {
    char path[PATH_MAX], line[512], here[PATH_MAX];
    int i = 1;
    for (; i < argc && argv[i][0] == '-'; i++) {
        if (strcmp(argv[i], "--full") == 0) full = true;
        if (strcmp(argv[i], "--places") == 0) by_place = true;
        if (strcmp(argv[i], "--kinds") == 0 && i + 1 < argc) kinds = argv[++i];
        if (strcmp(argv[i], "--from") == 0 && i + 1 < argc) turn = (unsigned)atoi(argv[++i]);
        if (strcmp(argv[i], "--job") == 0 && i + 1 < argc) only = argv[++i];
    }
    if (argc - i != 3) return fprintf(stderr, "usage: drive %s FLAVORDIFF SOURCE_FOLDER SHIM\n",
                       "[--full | --places] [--kinds KIND,...] [--from N] [--job WORD]"), 2;
    program = realpath(argv[i], NULL), source = realpath(argv[i + 1], NULL), shim = realpath(argv[i + 2], NULL);
    if (!program || !source || !shim || !mkdtemp(root) || !getcwd(here, sizeof here)) die("start");
    snprintf(path, sizeof path, "%s/tests/faults:%s", source, getenv("PATH"));
    setenv("PATH", path, 1);
    snprintf(path, sizeof path, "%s/targets", source);
    setenv("FLAVORDIFF_TARGETS", path, 1);
    setenv("GOMP_SPINCOUNT", "3000", 1); /* else the program begins once more, without the shim */
    setenv("SOURCE_DATE_EPOCH", "1700000000", 1);
    snprintf(path, sizeof path, "mkdir '%s/in' && cd '%s/in' && sh '%s/tests/faults/setup.sh' '%s' '%s'", root, root, source,
             program, source);
    if (system(path) != 0) die("setup.sh");
    snprintf(path, sizeof path, "%s/tests/faults/jobs.txt", source);
    FILE *jobs = fopen(path, "r");
    if (!jobs) die(path);
    while (fgets(line, sizeof line, jobs)) {
        char *bar = strstr(line, " | ");
        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '#' || !bar || (only && !strstr(line, only))) continue;
        *bar = '\0';
        bool long_one = strncmp(bar + 3, "run ", 4) == 0; /* not with some calls of each */
        if (full || by_place || only || !long_one) walk(line, bar + 3);
        if (full || by_place) tell(bar + 3); /* hours: so far */
    }
    fclose(jobs);
    nftw(root, remove_one, 16, FTW_PHYS | FTW_DEPTH);
    tell("all jobs");

    return failures != 0;
}
