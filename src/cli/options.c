#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "flavordiff/machine.h"

typedef struct option_row {
    unsigned bit;
    const char *name, *letter, *value, *help;
} option_row;

static const option_row options[] = {
    {CLI_CONFIG, "config", "c", "FILE", "configuration (YAML); default: the paper's settings"},
    {CLI_OUTPUT, "output", "o", "PATH", "where to write"},
    {CLI_TARGET, "target", "t", "NAME", "target set: a name (paper-table1-no, nufit-6.0-ic24-no, ...) or a YAML file"},
    {CLI_NUMBER, "number", "n", "N", "how many: pairs, selected points, samples, rows (1e6 is understood)"},
    {CLI_METHOD, "method", NULL, "KIND", "orbit: orbits of the mixing matrix (default); rejection: plain, k solved for; mcmc: Markov chains"},
    {CLI_GENERATE, "sampler", NULL, "KIND", "ddpm, ddim, dpmpp_2m, dpmpp_2m_sde or heun"},
    {CLI_GENERATE, "steps", NULL, "N", "steps of the sampler; default: all of the noise schedule"},
    {CLI_GENERATE, "grid", NULL, "KIND", "times the steps take: uniform_t, log_snr or karras"},
    {CLI_GENERATE, "guidance", NULL, "GAMMA", "gamma; 1 is the plain conditional network"},
    {CLI_GENERATE, "precision", NULL, "KIND", "of the network's weights and activations: float32 (default) or bf16, faster"},
    {CLI_UNTIL, "until", NULL, "N", "go on until N solutions inside the prior are in hand, and stop at that very sample"},
    {CLI_UNTIL, "until-ess", NULL, "N", "go on until the solutions are worth N independent ones; equal points count once"},
    {CLI_UNTIL, "max", NULL, "N", "with --until or --until-ess: give up after N samples, with exit code 5"},
    {CLI_SEED, "seed", "s", "N", "seed; the same seed gives the same result for any number of threads"},
    {CLI_THREADS, "jobs", "j", "N", "threads; default: all"},
    {CLI_SET, "set", NULL, "A.B=V", "override one configuration key; may be repeated"},
    {CLI_FORCE, "force", "f", NULL, "replace existing outputs"},
    {CLI_DRY_RUN, "dry-run", NULL, NULL, "print the resolved configuration and do nothing"},
    {CLI_MAX_TIME, "max-time", NULL, "SECONDS", "stop after so long with exit code 75; what is done is kept where --resume is an option"},
    {CLI_RESUME, "resume", NULL, NULL, "go on from the checkpoint of a stopped or killed run, or begin where there is none; with --force: "
                                       "begin where it is of other settings"},
    {CLI_RESUME, "checkpoint-every", NULL, "SECONDS", "how often PATH.checkpoint is made durable; default 60; 0: none is kept"},
    {CLI_QUIET, "quiet", "q", NULL, "no progress, no news"},
    {CLI_STRICT, "strict", NULL, NULL, "exit with 5 when something was found wanting though the work was done"},
    {CLI_NO_PROJECT, "no-project", NULL, NULL, "leave the points as the network made them, whatever project.steps says"},
    {CLI_ALL_ROWS, "all-rows", NULL, NULL, "every finite row, not only solutions inside the prior"},
    {CLI_TOGETHER, "figures", NULL, "FOLDER", "draw the sets over each other: every quantity, and a corner plot"},
    {CLI_TOGETHER, "corner", NULL, "NAMES", "quantities of the corner plot, separated by commas"},
    {CLI_TOGETHER, "permutations", NULL, "N", "dealings of the labels behind the classifier's null; default 50, 0: one quantity at a time only"},
    {CLI_TOGETHER, "classified", NULL, "N", "rows of each set the classifier sees at most; default 5000"},
    {CLI_BENCH, "only", NULL, "NAMES", "rates to measure, separated by commas; default: all"},
    {CLI_BENCH, "seconds", NULL, "S", "time for all of them together; default 45"},
    {CLI_JSON, "json", NULL, NULL, "answer in JSON"},
    {CLI_FORMAT, "format", NULL, "KIND", "csv, npz, getdist, slha or nufit"},
    {CLI_VERIFY, "verify", NULL, NULL, "are the files this one was made from, and theirs, still there and as they were"},
    {CLI_CSV, "csv", NULL, NULL, "answer in CSV"},
    {CLI_PHASES, "phases", NULL, "takagi|paper", "Majorana phases: true (default), or the paper's artefact alpha21 = 0"},
    {CLI_VEV, "vev", NULL, "GEV", "vev that turns k into M3; default 246 (the paper's)"},
    {CLI_MARKDOWN, "markdown", NULL, NULL, "the help of every verb as Markdown"},
    {CLI_ISA_BELOW, "isa-below", NULL, NULL, "names of the kernel sets below the chosen one, best first"},
    {CLI_EVERYWHERE, "cpu", NULL, "NAME", "kernels no better than these: portable, avx2, avx512, avx512bf16 or amx"},
    {0},
};

static const cli_verb *find_verb(const char *name) {
    for (const cli_verb *v = cli_verbs; v->name; v++)
        if (strcmp(v->name, name) == 0) return v;
    return NULL;
}

/* An integer in decimal, or a float that is integral (1e6); the whole text must be read. */
static fd_status parse_count(const char *option, const char *text, double lo, double hi, uint64_t *value,
                             fd_error *err) {
    char *end;
    errno = 0;
    if (*text && strspn(text, "0123456789") == strlen(text)) {
        *value = strtoull(text, &end, 10);
        if (errno == 0 && (double)*value >= lo && (double)*value <= hi) return FD_OK;
    } else {
        double x = strtod(text, &end);
        if (*text && !isspace((unsigned char)*text) && !*end && errno == 0 && x == floor(x) && x >= lo && x <= hi &&
            x < 9007199254740992.0) {
            *value = (uint64_t)x;
            return FD_OK;
        }
    }
    return fd_fail(err, FD_ERR_USAGE, "--%s %s: expected a whole number from %.0f to %s", option, text, lo,
                   hi < 1e4 ? "1024" : hi < 1e16 ? "1e15" : "18446744073709551615");
}

static fd_status parse_positive(const char *option, const char *text, double *value, fd_error *err) {
    char *end;
    errno = 0;
    *value = strtod(text, &end);
    if (!*text || isspace((unsigned char)*text) || *end || errno || !isfinite(*value) || *value <= 0)
        return fd_fail(err, FD_ERR_USAGE, "--%s %s: expected a positive number", option, text);
    return FD_OK;
}

/* Options of the bits CLI_GENERATE and CLI_UNTIL, and the keys of a generating block they stand for. */
static const char *const keyed[][2] = {{"sampler", "sampler.kind"},
                                       {"steps", "sampler.steps"},
                                       {"grid", "sampler.grid"},
                                       {"guidance", "guidance"},
                                       {"precision", "precision"},
                                       {"until", "until"},
                                       {"until-ess", "until_ess"},
                                       {"max", "max_generated"}};
_Static_assert(sizeof keyed / sizeof *keyed <= CLI_MAX_KEYED, "room for one override each");

/* An option as an override of its key; given twice, the second counts. */
static fd_status apply_keyed(cli *c, const option_row *o, const char *value, fd_error *err) {
    const char *key = "";
    for (size_t i = 0; i < sizeof keyed / sizeof *keyed; i++)
        if (strcmp(keyed[i][0], o->name) == 0) key = keyed[i][1];
    char setting[CLI_KEYED_SIZE];
    int n = snprintf(setting, sizeof setting, "%s=", key), slot = 0;
    if (strlen(value) >= sizeof setting - (size_t)n)
        return fd_fail(err, FD_ERR_USAGE, "--%s: a value of more than %d characters", o->name, CLI_KEYED_SIZE - n - 1);
    while (slot < c->n_keyed && strncmp(c->keyed[slot], setting, (size_t)n) != 0) slot++;
    if (slot == c->n_keyed) c->n_keyed++;
    snprintf(setting + n, sizeof setting - (size_t)n, "%s", value);
    memcpy(c->keyed[slot], setting, sizeof setting);
    return FD_OK;
}

static fd_status apply_together(cli *c, const option_row *o, const char *value, fd_error *err) {
    if (strcmp(o->name, "figures") == 0) return c->figures = value, FD_OK;
    if (strcmp(o->name, "corner") == 0) return c->corner = value, FD_OK;
    bool permutations = strcmp(o->name, "permutations") == 0;
    fd_status status = parse_count(o->name, value, permutations ? 0 : 1, permutations ? 10000 : 1e9,
                                   permutations ? &c->permutations : &c->classified, err);
    if (!status && permutations && c->permutations == 1)
        status = fd_fail(err, FD_ERR_USAGE, "--permutations 1: a spread needs at least 2; 0 leaves the classifier out");
    return status;
}

static fd_status apply_resume(cli *c, const option_row *o, const char *seconds, fd_error *err) {
    if (strcmp(o->name, "resume") == 0) return c->resume = true, FD_OK;
    if (strcmp(seconds, "0") == 0) return c->checkpoint_every = 0, FD_OK;
    return parse_positive("checkpoint-every", seconds, &c->checkpoint_every, err);
}

static fd_status apply(cli *c, const option_row *o, const char *value, fd_error *err) {
    uint64_t count = 0;
    fd_status status = FD_OK;
    switch (o->bit) {
    case CLI_CONFIG: c->config = value; break;
    case CLI_OUTPUT: c->output = value; break;
    case CLI_TARGET: c->target = value; break;
    case CLI_PHASES: c->phases = value; break;
    case CLI_SET:
        if (c->n_sets == CLI_MAX_SETS)
            return fd_fail(err, FD_ERR_USAGE, "--set: at most %d overrides; write a configuration", CLI_MAX_SETS);
        c->sets[c->n_sets++] = value;
        break;
    case CLI_NUMBER:
        status = parse_count(o->name, value, 1, 1e15, &c->count, err);
        if (c->verb->number_key)
            snprintf(c->number, sizeof c->number, "%s=%llu", c->verb->number_key, (unsigned long long)c->count);
        break;
    case CLI_METHOD:
        if (strlen(value) > sizeof c->method - sizeof "reference.method=") /* no method has so long a name */
            return fd_fail(err, FD_ERR_USAGE, "--method %.20s...: expected orbit, rejection or mcmc", value);
        snprintf(c->method, sizeof c->method, "reference.method=%s", value);
        break;
    case CLI_GENERATE:
    case CLI_UNTIL: status = apply_keyed(c, o, value, err); break;
    case CLI_SEED:
        status = parse_count(o->name, value, 0, 18446744073709551615.0, &c->seed, err);
        c->have_seed = true;
        break;
    case CLI_THREADS:
        status = parse_count(o->name, value, 1, 1024, &count, err);
        c->threads = (int)count;
        break;
    case CLI_MAX_TIME: status = parse_positive(o->name, value, &c->max_time, err); break;
    case CLI_RESUME: status = apply_resume(c, o, value, err); break;
    case CLI_VEV: status = parse_positive(o->name, value, &c->vev, err); break;
    case CLI_FORCE: c->force = true; break;
    case CLI_DRY_RUN: c->dry_run = true; break;
    case CLI_QUIET: c->quiet = true; break;
    case CLI_STRICT: c->strict = true; break;
    case CLI_NO_PROJECT: c->no_project = true; break;
    case CLI_ALL_ROWS: c->all_rows = true; break;
    case CLI_TOGETHER: status = apply_together(c, o, value, err); break;
    case CLI_BENCH:
        if (strcmp(o->name, "only") == 0) c->only = value;
        else status = parse_positive(o->name, value, &c->seconds, err);
        break;
    case CLI_JSON: c->json = true; break;
    case CLI_FORMAT: c->format = value; break;
    case CLI_VERIFY: c->verify = true; break;
    case CLI_CSV: c->csv = true; break;
    case CLI_MARKDOWN: c->markdown = true; break;
    case CLI_ISA_BELOW: c->isa_below = true; break;
    case CLI_EVERYWHERE: /* --cpu: no kernel has been asked for yet */
        if (setenv("FLAVORDIFF_CPU", value, 1) || !*value || !fd_machine_mask_known())
            return fd_fail(err, FD_ERR_USAGE, "--cpu %.40s: expected portable, avx2, avx512, avx512bf16 or amx", value);
        break;
    default: break;
    }
    return status;
}

/* One option: --name VALUE, --name=VALUE, -l VALUE or -lVALUE. *i is left on the last word used. */
static fd_status parse_option(cli *c, int argc, char **argv, int *i, fd_error *err) {
    const char *word = argv[*i], *value = NULL;
    bool is_long = word[1] == '-';
    const char *name = word + (is_long ? 2 : 1);
    size_t length = is_long ? strcspn(name, "=") : 1;
    const option_row *o = options;
    for (; o->name; o++) {
        const char *candidate = is_long ? o->name : o->letter;
        if (candidate && strlen(candidate) == length && strncmp(candidate, name, length) == 0) break;
    }
    if (!o->name || !((c->verb->options | CLI_EVERYWHERE) & o->bit))
        return fd_fail(err, FD_ERR_USAGE, "%s: no option %.*s; see: flavordiff help %s", c->verb->name,
                       (int)(length + (is_long ? 2 : 1)), word, c->verb->name);
    if (name[length]) value = name + length + (is_long ? 1 : 0);
    if (!o->value && value) return fd_fail(err, FD_ERR_USAGE, "--%s takes no value", o->name);
    if (o->value && !value) {
        if (*i + 1 >= argc) return fd_fail(err, FD_ERR_USAGE, "--%s: %s is missing", o->name, o->value);
        value = argv[++*i];
    }
    return apply(c, o, value ? value : "", err);
}

static void join_command(int argc, char **argv, char *out, size_t size) {
    size_t used = 0;
    out[0] = '\0';
    for (int i = 0; i < argc && used < size; i++) {
        int n = snprintf(out + used, size - used, "%s%s", i ? " " : "", i ? argv[i] : "flavordiff");
        used += n > 0 ? (size_t)n : 0;
    }
}

fd_status cli_parse(int argc, char **argv, cli *c, fd_error *err) {
    *c = (cli){.checkpoint_every = 60, .permutations = 50, .classified = 5000, .seconds = 45};
    join_command(argc, argv, c->command, sizeof c->command);
    const char *verb = argc > 1 ? argv[1] : "help";
    if (strcmp(verb, "--help") == 0 || strcmp(verb, "-h") == 0) verb = "help";
    if (strcmp(verb, "--version") == 0) verb = "version";
    if (!(c->verb = find_verb(verb)))
        return fd_fail(err, FD_ERR_USAGE, "no verb '%s'; see: flavordiff help", verb);
    bool only_args = false;
    for (int i = 2; i < argc; i++) {
        const char *word = argv[i];
        if (!only_args && strcmp(word, "--") == 0) {
            only_args = true;
        } else if (!only_args && (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)) {
            c->args[0] = c->verb->name;
            c->n_args = 1;
            c->verb = find_verb("help");
            return FD_OK;
        } else if (!only_args && word[0] == '-' && word[1]) {
            fd_status status = parse_option(c, argc, argv, &i, err);
            if (status) return status;
        } else if (c->n_args == c->verb->max_args) {
            return fd_fail(err, FD_ERR_USAGE, "%s: '%s' is one argument too many; see: flavordiff help %s",
                           c->verb->name, word, c->verb->name);
        } else {
            c->args[c->n_args++] = word;
        }
    }
    if (c->n_args < c->verb->min_args)
        return fd_fail(err, FD_ERR_USAGE, "%s: expected %s; see: flavordiff help %s", c->verb->name, c->verb->args,
                       c->verb->name);
    return FD_OK;
}

/* ---- help ------------------------------------------------------------------------------------------------- */

static void print_wrapped(const char *text, int indent, int width) {
    int column = indent;
    printf("%*s", indent, "");
    while (*text) {
        int n = (int)strcspn(text, " ");
        if (column > indent && column + n + 1 > width) {
            printf("\n%*s", indent, "");
            column = indent;
        } else if (column > indent) {
            putchar(' ');
            column++;
        }
        printf("%.*s", n, text);
        column += n;
        text += n + (text[n] == ' ');
    }
    putchar('\n');
}

static void option_words(const option_row *o, char *words, size_t size) {
    snprintf(words, size, "%s%s%s--%s%s%s", o->letter ? "-" : "", o->letter ? o->letter : "", o->letter ? ", " : "",
             o->name, o->value ? " " : "", o->value ? o->value : "");
}

void cli_help(const cli_verb *verb) {
    if (!verb) {
        printf("flavordiff %s: seesaw parameters behind measured neutrino masses and mixings, by conditional diffusion\n\n"
               "usage: flavordiff VERB [ARGUMENTS] [OPTIONS]\n\n", fd_version());
        for (const cli_verb *v = cli_verbs; v->name; v++) printf("  %-10s %s\n", v->name, v->summary);
        printf("\nStart with:  flavordiff run recipes/quick.yaml -o runs/quick\n"
               "Help:        flavordiff help VERB\n"
               "Every verb:  --cpu NAME, kernels no better than portable, avx2, avx512, avx512bf16 or amx\n"
               "Exit codes:  0 done, 1 failed, 2 usage or configuration, 3 bad or incompatible file,\n"
               "             5 done but found wanting (with --strict), 75 stopped by signal or --max-time, work kept\n");
        return;
    }
    printf("usage: flavordiff %s%s%s%s\n\n%s\n", verb->name, *verb->args ? " " : "", verb->args,
           verb->options ? " [OPTIONS]" : "", verb->summary);
    if (*verb->details) putchar('\n'), print_wrapped(verb->details, 0, 100);
    if (verb->options & CLI_RANKS) printf("Divides its work among the ranks of an MPI job.\n");
    if (verb->options) putchar('\n');
    for (const option_row *o = options; o->name; o++) {
        char words[64];
        if (!(verb->options & o->bit)) continue;
        option_words(o, words, sizeof words);
        printf("  %-22s %s\n", words, o->help);
    }
    printf("\nexample: %s\n", verb->example);
}

void cli_markdown(void) {
    printf("# Verbs\n\nGenerated by `make docs` from the program's own command table; do not edit.\n\n"
           "Exit codes: 0 done, 1 failed, 2 usage or configuration, 3 bad or incompatible file, 5 done but found wanting\n"
           "(with `--strict`), 75 stopped by signal or `--max-time` with work kept (`--resume` goes on; `run` does so by itself).\n\n"
           "Every verb has `--cpu NAME`: kernels no better than `portable`, `avx2`, `avx512`, `avx512bf16` or `amx`, as the environment\n"
           "variable `FLAVORDIFF_CPU`. It does not change what is computed but for the last digits.\n");
    for (const cli_verb *v = cli_verbs; v->name; v++) {
        printf("\n## %s\n\n`flavordiff %s%s%s%s`: %s.\n", v->name, v->name, *v->args ? " " : "", v->args,
               v->options ? " [OPTIONS]" : "", v->summary);
        if (*v->details) putchar('\n'), print_wrapped(v->details, 0, 116);
        if (v->options & CLI_RANKS) printf("Divides its work among the ranks of an MPI job ([clusters.md](clusters.md)).\n");
        if (v->options) printf("\n| option | meaning |\n|---|---|\n");
        for (const option_row *o = options; o->name; o++) {
            char words[64];
            if (!(v->options & o->bit)) continue;
            option_words(o, words, sizeof words);
            printf("| `");
            for (const char *w = words; *w; w++) printf(*w == '|' ? "\\|" : "%c", *w);
            printf("` | %s |\n", o->help);
        }
        printf("\n    %s\n", v->example);
    }
}

fd_status verb_help(cli *c, fd_error *err) {
    if (c->markdown) {
        cli_markdown();
        return FD_OK;
    }
    const cli_verb *verb = c->n_args ? find_verb(c->args[0]) : NULL;
    if (c->n_args && !verb) return fd_fail(err, FD_ERR_USAGE, "no verb '%s'; see: flavordiff help", c->args[0]);
    cli_help(verb);
    return FD_OK;
}
