/* Running gnuplot on one script: no shell is involved. While it draws, the caller is asked whether to go on; what it
 * leaves is looked at, because gnuplot does not notice that a disk is full. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stages/analyse.h"
#include "stages/plot.h"

/* ---- what it says ----------------------------------------------------------------------------------------- */

typedef struct noise {
    size_t used;
    char text[4096]; /* the beginning of what it wrote on standard error */
} noise;

/* False at the end of the file. */
static bool hear(int fd, noise *heard) {
    char buffer[1024];
    ssize_t n = read(fd, buffer, sizeof buffer);
    if (n < 0) return errno == EINTR;
    size_t left = sizeof heard->text - 1 - heard->used, take = (size_t)n < left ? (size_t)n : left;
    memcpy(heard->text + heard->used, buffer, take);
    heard->used += take;
    heard->text[heard->used] = '\0';
    return n > 0;
}

/* gnuplot echoes the statement before it says what is wrong with it: prefer the line that starts with the file name. */
static void complaint(const char *heard, char *line, size_t size) {
    const char *best = NULL;
    for (const char *at = heard; *at; at += strcspn(at, "\n"), at += *at == '\n') {
        if (*at == '\n' || *at == '\0') continue;
        if (!best || *at == '"') best = at;
        if (*at == '"') break;
    }
    snprintf(line, size, "%.*s", best ? (int)strcspn(best, "\n") : 0, best ? best : "");
}

/* ---- running it ------------------------------------------------------------------------------------------- */

static int start(const char *folder, const char *script, int ear, pid_t *pid) {
    char program[] = "gnuplot", plain[] = "-d", file[64];
    snprintf(file, sizeof file, "%s", script);
    char *const arguments[] = {program, plain, file, NULL};
    posix_spawn_file_actions_t actions;
    int error = posix_spawn_file_actions_init(&actions);
    if (error) return error;
    error = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    if (!error) error = posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    if (!error) error = posix_spawn_file_actions_adddup2(&actions, ear, 2);
    if (!error) error = posix_spawn_file_actions_addchdir_np(&actions, folder);
    if (!error) error = posix_spawnp(pid, program, &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

/* Progress; FD_ERR_STOPPED when the caller asks to stop. now: ask him whenever he was asked last. */
static fd_status go_on(const fd_plot *plot, const char *name, bool now, fd_error *err) {
    if (!plot->ticker) return FD_OK;
    if (now) plot->ticker->last = 0;
    return fd_tick(plot->ticker, plot->done, plot->total, NULL, name, err);
}

/* Waits for the end of gnuplot, whose wait status goes to *state; when asked to stop, ends it. Something that it
 * started may hold the pipe longer than gnuplot lives, so both are watched. */
static fd_status watch(const fd_plot *plot, const char *name, pid_t pid, int ear, noise *heard, int *state,
                       fd_error *err) {
    struct pollfd pipe_end = {.fd = ear, .events = POLLIN};
    for (;;) {
        bool silent = pipe_end.fd < 0;
        int ready = poll(&pipe_end, 1, silent ? 5 : 100);
        if (ready > 0 && !hear(ear, heard)) pipe_end.fd = -1;
        if (ready <= 0 || pipe_end.fd < 0) {
            pid_t ended = waitpid(pid, state, WNOHANG);
            if (ended == pid || (ended < 0 && errno != EINTR)) return FD_OK;
        }
        fd_status status = go_on(plot, name, false, err);
        if (!status) continue;
        kill(pid, SIGKILL);
        while (waitpid(pid, state, 0) < 0 && errno == EINTR) continue;
        return status;
    }
}

static fd_status missing(fd_error *err) {
    return fd_fail(err, FD_ERR_TOOL,
                   "gnuplot is not installed: install it (Debian, Ubuntu: apt install gnuplot-nox) and run plot again");
}

/* Why gnuplot did not end well. */
static fd_status verdict(const fd_plot *plot, const char *name, int state, const noise *heard, fd_error *err) {
    char line[300];
    /* Ctrl-C reaches gnuplot as well, which makes an ordinary failure of it. */
    fd_status status = go_on(plot, name, true, err);
    if (status) return status;
    if (WIFSIGNALED(state)) {
        int number = WTERMSIG(state);
        if (number == SIGINT || number == SIGTERM)
            return fd_fail(err, FD_ERR_STOPPED,
                           "plot: gnuplot was stopped by signal %d (%s); nothing of this stage is kept, finished "
                           "stages are",
                           number, strsignal(number));
        return fd_fail(err, FD_ERR_TOOL, "gnuplot was killed by signal %d (%s)%s", number, strsignal(number),
                       number == SIGKILL ? "; was memory short?" : "");
    }
    if (WEXITSTATUS(state) == 127) return missing(err);
    complaint(heard->text, line, sizeof line);
    return fd_fail(err, FD_ERR_TOOL, "gnuplot failed on %s.gp (version 5.4 or newer with cairo is needed): %s", name,
                   line[0] ? line : "it gave no reason");
}

static fd_status run_gnuplot(const fd_plot *plot, const char *name, const char *script, fd_error *err) {
    int ends[2], state = 0;
    noise heard = {0};
    pid_t pid;
    if (pipe2(ends, O_CLOEXEC)) return fd_fail(err, FD_ERR_TOOL, "gnuplot: %s", strerror(errno));
    int error = start(plot->folder, script, ends[1], &pid);
    close(ends[1]);
    fd_status status = FD_OK;
    if (error)
        status = error == ENOENT ? missing(err)
                                 : fd_fail(err, FD_ERR_TOOL, "gnuplot: cannot be started: %s", strerror(error));
    else
        status = watch(plot, name, pid, ends[0], &heard, &state, err);
    close(ends[0]);
    if (!status && state != 0) status = verdict(plot, name, state, &heard, err);
    return status;
}

/* ---- what it leaves --------------------------------------------------------------------------------------- */

/* Whether the file ends as its format does. Line breaks after `end` are fine. */
static bool ends_with(int fd, const char *end) {
    char tail[17] = {0};
    size_t length = strlen(end);
    off_t size = lseek(fd, 0, SEEK_END);
    if (size < 16 || pread(fd, tail, 16, size - 16) != 16) return false;
    size_t last = 16;
    while (last > 0 && (tail[last - 1] == '\n' || tail[last - 1] == '\r')) last--;
    return last >= length && !memcmp(tail + last - length, end, length);
}

static fd_status check_output(const fd_plot *plot, const char *name, const char *type, const char *end, fd_error *err) {
    char file[64];
    snprintf(file, sizeof file, "%s.%s", name, type);
    char *path = fd_path(plot->folder, file);
    if (!path) return fd_fail(err, FD_ERR_MEMORY, "out of memory");
    fd_status status = FD_OK;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || !ends_with(fd, end))
        status = fd_fail(err, FD_ERR_TOOL, "%s: gnuplot did not write it whole; is the disk full?", path);
    else if (fsync(fd) != 0)
        status = fd_fail(err, FD_ERR_FILE, "%s: cannot write: %s", path, strerror(errno));
    if (fd >= 0) close(fd);
    free(path);
    return status;
}

fd_status fd_script_draw(const fd_plot *plot, const char *name, const fd_text *script, fd_error *err) {
    char file[64];
    snprintf(file, sizeof file, "%s.gp", name);
    char *path = fd_path(plot->folder, file);
    if (!path) return fd_fail(err, FD_ERR_MEMORY, "out of memory");
    fd_status status = fd_text_write(script, path, err);
    if (!status) status = run_gnuplot(plot, name, file, err);
    if (!status) status = check_output(plot, name, "png", "IEND\xae\x42\x60\x82", err);
    if (!status) status = check_output(plot, name, "pdf", "%%EOF", err);
    free(path);
    return status;
}
