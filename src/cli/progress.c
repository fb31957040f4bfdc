/* Running a stage for a person: progress on stderr (a bar on a terminal, a line a minute otherwise), a clean stop
 * on SIGINT, SIGTERM and --max-time, news and results on stdout. */
#define _GNU_SOURCE
#include <omp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "flavordiff/machine.h"

static volatile sig_atomic_t asked_to_stop; /* the one global: a signal handler can reach nothing else */

static void on_signal(int number) { asked_to_stop = number; }

typedef struct reporter {
    double begin, stage_begin, last_line, max_time;
    uint64_t stage_first, last_done;
    char stage[32], detail[16];
    bool quiet, terminal, bar_shown, timed_out;
} reporter;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void clear_bar(reporter *r) {
    if (r->bar_shown) fprintf(stderr, "\r\033[K");
    r->bar_shown = false;
}

static void format_time(double seconds, char *out, size_t size) {
    long s = seconds < 0 || seconds > 1e7 ? 0 : (long)(seconds + 0.5);
    if (s >= 3600) snprintf(out, size, "%ldh%02ldm", s / 3600, s / 60 % 60);
    else if (s >= 60) snprintf(out, size, "%ldm%02lds", s / 60, s % 60);
    else snprintf(out, size, "%lds", s);
}

static void show(reporter *r, const char *stage, uint64_t done, uint64_t total, const fd_tally *tally,
                 const char *detail) {
    double elapsed = now() - r->stage_begin;
    uint64_t work = done - r->stage_first;
    double rate = elapsed > 0 ? (double)work / elapsed : 0;
    char eta[24] = "?", yield[64] = "";
    if (rate > 0 && total) format_time((double)(total - done) / rate, eta, sizeof eta);
    if (tally && tally->n)
        snprintf(yield, sizeof yield, "  %llu solutions in %llu", (unsigned long long)tally->labels,
                 (unsigned long long)tally->n);
    char bar[21] = "";
    if (r->terminal && total) {
        int filled = (int)(20 * done / total);
        for (int i = 0; i < 20; i++) bar[i] = i < filled ? '#' : '.';
    }
    fprintf(stderr, "%s%-8s %s %llu/%llu  %.3g/s  ETA %s%s  %.40s%s", r->terminal ? "\r\033[K" : "", stage, bar,
            (unsigned long long)done, (unsigned long long)total, rate, eta, yield, tally ? "" : detail ? detail : "",
            r->terminal ? "" : "\n");
    fflush(stderr);
    r->bar_shown = r->terminal;
}

static int on_progress(void *user, const char *stage, uint64_t done, uint64_t total, const fd_tally *tally,
                       const char *detail) {
    reporter *r = user;
    double t = now();
    /* A stage of several parts (pairs, then scan) starts its count again: done falls. */
    if (strcmp(stage, r->stage) != 0 || done < r->last_done) {
        snprintf(r->stage, sizeof r->stage, "%s", stage);
        r->stage_begin = r->last_line = t;
        r->stage_first = done;
    }
    r->last_done = done;
    if (!r->quiet && t - r->last_line >= (r->terminal ? 0.1 : 60)) {
        r->last_line = t;
        show(r, stage, done, total, tally, detail);
    }
    r->timed_out = r->max_time > 0 && t - r->begin > r->max_time;
    return asked_to_stop || r->timed_out;
}

static void on_message(void *user, const char *line) {
    reporter *r = user;
    clear_bar(r);
    if (!r->quiet) printf("%s\n", line), fflush(stdout);
}

static void catch_signals(void) {
    struct sigaction action = {.sa_handler = on_signal};
    sigemptyset(&action.sa_mask);
    action.sa_flags = (int)SA_RESETHAND; /* a second Ctrl-C ends at once */
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    sigaction(SIGUSR1, &action, NULL); /* what mpirun hands on without ending its ranks itself */
}

fd_status cli_need_output(const cli *c, fd_error *err) {
    if (c->output) return FD_OK;
    return fd_fail(err, FD_ERR_USAGE, "%s: say where to write with -o PATH; see: flavordiff help %s", c->verb->name,
                   c->verb->name);
}

/* A relative path of a target file that is not found from here is meant from the configuration's own folder. */
static void beside_config(const char *path, fd_config *config) {
    char beside[sizeof config->target];
    const char *slash = path ? strrchr(path, '/') : NULL;
    if (!slash || config->target[0] == '/' || !strchr(config->target, '.') || access(config->target, F_OK) == 0) return;
    int n = snprintf(beside, sizeof beside, "%.*s/%s", (int)(slash - path), path, config->target);
    if (n > 0 && (size_t)n < sizeof beside && access(beside, F_OK) == 0) memcpy(config->target, beside, (size_t)n + 1);
}

fd_status cli_config(const cli *c, const char *path, fd_config *config, fd_error *err) {
    const char *sets[CLI_MAX_SETS + CLI_MAX_KEYED + 2];
    char keyed[CLI_MAX_KEYED][CLI_KEYED_SIZE + 32];
    int n_sets = 0;
    for (; n_sets < c->n_sets; n_sets++) sets[n_sets] = c->sets[n_sets];
    for (int i = 0; i < c->n_keyed; i++) {
        const char *block = c->block ? c->block : c->verb->number_key;
        int length = c->block ? (int)strlen(block) : (int)strcspn(block, ".");
        snprintf(keyed[i], sizeof keyed[i], "%.*s.%s", length, block, c->keyed[i]);
        sets[n_sets++] = keyed[i];
    }
    if (c->number[0]) sets[n_sets++] = c->number;
    if (c->method[0]) sets[n_sets++] = c->method;
    fd_status status = fd_config_load(path ? path : c->config, n_sets, sets, config, err);
    if (status) return status;
    beside_config(path ? path : c->config, config);
    if (c->have_seed) config->seed = c->seed;
    if (c->no_project)
        config->before.generate.project.steps = config->select.generate.project.steps =
            config->sample.generate.project.steps = config->informed.sample.generate.project.steps = 0;
    if (c->target) {
        if (strlen(c->target) >= sizeof config->target)
            return fd_fail(err, FD_ERR_USAGE, "--target: name longer than %zu characters", sizeof config->target - 1);
        strcpy(config->target, c->target);
    }
    return FD_OK;
}

/* Ranks that would not do the same are told before they begin: other settings, inputs, program or kernels. */
static fd_status check_ranks(const cli *c, const fd_config *config, fd_error *err) {
    char *settings = NULL, text[CLI_COMMON_SIZE];
    if (fd_team_alone(c->team)) return FD_OK;
    fd_status status = fd_config_dump(config, &settings, err);
    if (status) return status;
    int n = snprintf(text, sizeof text, "%s %s %s %s ", c->verb->name, fd_version(), fd_revision(), fd_machine_kernels());
    for (int i = 0; i < c->n_args && n < CLI_COMMON_SIZE - 20; i++) {
        char id[17];
        if (!fd_file_id(c->args[i], id, NULL)) n += snprintf(text + n, sizeof text - (size_t)n, "%s ", id);
    }
    status = fd_team_same(c->team, "program, kernels (FLAVORDIFF_CPU) or inputs are", text, err);
    if (!status) status = fd_team_same(c->team, "settings are", settings, err);
    free(settings);
    return status;
}

fd_status cli_run_stage(cli *c, const char *config_path, cli_stage stage, fd_error *err) {
    fd_config config;
    fd_status status = cli_config(c, config_path, &config, err);
    if (status) return status;
    if (c->dry_run) {
        char *text = NULL;
        if (fd_team_follows(c->team)) return FD_OK;
        status = fd_config_dump(&config, &text, err);
        if (!status) fputs(text, stdout);
        free(text);
        return status;
    }
    if (c->threads) omp_set_num_threads(c->threads);
    catch_signals();
    if ((status = check_ranks(c, &config, err))) return status;
    reporter r = {.begin = now(), .max_time = c->max_time, .quiet = c->quiet || fd_team_follows(c->team), .terminal = isatty(STDERR_FILENO)};
    fd_run run = {.config = &config, .command = c->command, .force = c->force, .strict = c->strict,
                  .resume = c->resume, .checkpoint_every = c->verb->options & CLI_RESUME ? c->checkpoint_every : 0,
                  .team = c->team, .progress = on_progress, .message = on_message, .user = &r};
    status = stage(&run, c, err);
    clear_bar(&r);
    if (status == FD_ERR_STOPPED)
        fd_error_prefix(err, "%s; to go on, give the same command again%s",
                        asked_to_stop ? "stopped by a signal" : r.timed_out ? "--max-time reached" : "stopped",
                        run.checkpoint_every > 0 && !run.resume && c->verb->run != verb_run ? " with --resume" : "");
    return status;
}
