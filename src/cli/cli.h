/* The command line: one table of verbs and one of options generate parsing, help and docs/verbs.md. Uses the public
 * headers only. */
#ifndef FD_CLI_H
#define FD_CLI_H

#include <stdbool.h>
#include <stdint.h>

#include "flavordiff/stages.h"

enum { CLI_MAX_SETS = 64, CLI_MAX_ARGS = 1024, CLI_MAX_KEYED = 8, CLI_KEYED_SIZE = 96, CLI_MAX_COMPARED = 16, CLI_COMMON_SIZE = 4096 };

/* Which options a verb takes. */
typedef enum cli_option_bit {
    CLI_CONFIG = 1 << 0,
    CLI_OUTPUT = 1 << 1,
    CLI_SEED = 1 << 2,
    CLI_THREADS = 1 << 3,
    CLI_SET = 1 << 4,
    CLI_FORCE = 1 << 5,
    CLI_DRY_RUN = 1 << 6,
    CLI_MAX_TIME = 1 << 7,
    CLI_JSON = 1 << 8,
    CLI_TARGET = 1 << 9,
    CLI_MARKDOWN = 1 << 10,
    CLI_ISA_BELOW = 1 << 11,
    CLI_NUMBER = 1 << 12,
    CLI_PHASES = 1 << 13,
    CLI_VEV = 1 << 14,
    CLI_QUIET = 1 << 15,
    CLI_STRICT = 1 << 16,
    CLI_METHOD = 1 << 17,
    CLI_NO_PROJECT = 1 << 18,
    CLI_GENERATE = 1 << 19, /* the options of verbs that generate points */
    CLI_CSV = 1 << 20,
    CLI_ALL_ROWS = 1 << 21,
    CLI_TOGETHER = 1 << 22, /* the options of verbs that judge whole rows */
    CLI_UNTIL = 1 << 23, /* the stop rules of sample */
    CLI_RESUME = 1 << 24, /* the options of verbs that keep checkpoints */
    CLI_BENCH = 1 << 25,
    CLI_FORMAT = 1 << 26,
    CLI_VERIFY = 1 << 27,
    CLI_RANKS = 1 << 28, /* no option: the verb divides its work among the ranks of an MPI job */
    CLI_EVERYWHERE = 1 << 30, /* of every verb, and so not in its list */
    CLI_STAGE = CLI_CONFIG | CLI_OUTPUT | CLI_SEED | CLI_THREADS | CLI_SET | CLI_FORCE | CLI_DRY_RUN | CLI_MAX_TIME |
                CLI_TARGET | CLI_QUIET,
    CLI_RESULT = CLI_THREADS | CLI_FORCE | CLI_MAX_TIME | CLI_QUIET
} cli_option_bit;

typedef struct cli_verb cli_verb;

/* What the user asked for. */
typedef struct cli {
    const cli_verb *verb;
    int n_args;
    const char *args[CLI_MAX_ARGS];
    int n_sets;
    const char *sets[CLI_MAX_SETS];
    const char *config, *output, *target, *phases, *format;
    bool have_seed, force, resume, dry_run, json, markdown, isa_below, quiet, strict, no_project, csv, all_rows, verify;
    uint64_t seed;
    uint64_t count;  /* -n; 0: not given */
    char number[64]; /* -n as an override: "sample.n=100000" */
    char method[64]; /* --method as an override */
    int n_keyed;
    char keyed[CLI_MAX_KEYED][CLI_KEYED_SIZE]; /* options that stand for keys of a block: "sampler.steps=20" */
    const char *block; /* "sample", "informed.sample"; NULL: the block of the verb's number_key */
    const char *figures, *corner;     /* folder; quantities of the corner plot */
    const char *only;                 /* rates of bench */
    uint64_t permutations, classified; /* --permutations, --classified */
    double max_time, checkpoint_every, vev, seconds;
    int threads;
    fd_team *team; /* the ranks of an MPI job, or NULL */
    char command[4096]; /* as typed, for provenance */
} cli;

struct cli_verb {
    const char *name, *args, *summary;
    const char *details; /* paragraphs of help */
    const char *example;
    unsigned options;
    int min_args, max_args;
    fd_status (*run)(cli *c, fd_error *err);
    const char *number_key; /* the configuration key -n stands for, or NULL */
};

extern const cli_verb cli_verbs[]; /* ends with a NULL name */

/* Fills c from argv; FD_ERR_USAGE with a one-line message. */
fd_status cli_parse(int argc, char **argv, cli *c, fd_error *err);
void cli_help(const cli_verb *verb);   /* on stdout; NULL: the overview */
void cli_markdown(void);               /* docs/verbs.md */

/* Configuration of a stage verb: file, --set, --seed, --target, -n; checked as a whole. */
fd_status cli_config(const cli *c, const char *path, fd_config *config, fd_error *err);
/* Runs a stage with progress on stderr, signals and --max-time; prints the resolved configuration instead
 * under --dry-run. */
typedef fd_status (*cli_stage)(const fd_run *run, const cli *c, fd_error *err);
fd_status cli_run_stage(cli *c, const char *config_path, cli_stage stage, fd_error *err);
/* FD_ERR_USAGE when -o is missing. */
fd_status cli_need_output(const cli *c, fd_error *err);

/* The verbs. */
fd_status verb_simulate(cli *c, fd_error *err);
fd_status verb_train(cli *c, fd_error *err);
fd_status verb_train_informed(cli *c, fd_error *err);
fd_status verb_tune(cli *c, fd_error *err);
fd_status verb_select(cli *c, fd_error *err);
fd_status verb_sample(cli *c, fd_error *err);
fd_status verb_project(cli *c, fd_error *err);
fd_status verb_calibrate(cli *c, fd_error *err);
fd_status verb_distortion(cli *c, fd_error *err);
fd_status verb_analyse(cli *c, fd_error *err);
fd_status verb_attribute(cli *c, fd_error *err);
fd_status verb_plot(cli *c, fd_error *err);
fd_status verb_report(cli *c, fd_error *err);
fd_status verb_reference(cli *c, fd_error *err);
fd_status verb_exact(cli *c, fd_error *err);
fd_status verb_run(cli *c, fd_error *err);
fd_status verb_compare(cli *c, fd_error *err);
fd_status verb_export(cli *c, fd_error *err);
fd_status verb_merge(cli *c, fd_error *err);
fd_status verb_diff(cli *c, fd_error *err);
fd_status verb_evaluate(cli *c, fd_error *err);
fd_status verb_info(cli *c, fd_error *err);
fd_status verb_bench(cli *c, fd_error *err);
fd_status verb_version(cli *c, fd_error *err);
fd_status verb_help(cli *c, fd_error *err);

#endif
