/* The verbs that run one stage or all: they only name inputs and outputs. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"

static fd_status simulate(const fd_run *run, const cli *c, fd_error *err) {
    return fd_stage_simulate(run, c->output, err);
}
static fd_status train(const fd_run *run, const cli *c, fd_error *err) {
    return fd_stage_train(run, c->args[0], NULL, c->output, err);
}
static fd_status tune(const fd_run *run, const cli *c, fd_error *err) {
    return fd_stage_train(run, c->args[1], c->args[0], c->output, err);
}
static fd_status train_informed(const fd_run *run, const cli *c, fd_error *err) {
    return fd_stage_train_informed(run, c->output, err);
}
static fd_status reference(const fd_run *run, const cli *c, fd_error *err) {
    return fd_stage_reference(run, c->output, err);
}
static fd_status attribute(const fd_run *run, const cli *c, fd_error *err) {
    return fd_stage_attribute(run, c->args[0], c->output, err);
}
static fd_status exact(const fd_run *run, const cli *c, fd_error *err) {
    return fd_stage_exact(run, c->target, c->args[0], c->output, err);
}
static fd_status analyse(const fd_run *run, const cli *c, fd_error *err) {
    return fd_stage_analyse(run, c->args[0], c->output, err);
}
static fd_status plot(const fd_run *run, const cli *c, fd_error *err) {
    return fd_stage_plot(run, c->args[0], c->n_args > 1 ? c->args[1] : NULL, c->output, err);
}
static fd_status report(const fd_run *run, const cli *c, fd_error *err) {
    return fd_stage_report(run, c->args[0], err);
}
static fd_status pipeline(const fd_run *run, const cli *c, fd_error *err) { return fd_pipeline(run, c->output, err); }

/* The ledger of the set just written. before: what a projected set's points were, where it was not a network that left them;
 * else NULL. */
static fd_status print_ledger(const fd_run *run, const char *path, const char *set, const char *before, fd_error *err) {
    fd_sample_reader *reader = NULL;
    fd_sample_info info;
    fd_status status = fd_samples_open(path, &reader, &info, err);
    if (status) return status;
    fd_samples_close(reader);
    fd_ledger_entry entries[2];
    int n = fd_ledger_entries(set, &info, entries);
    if (n == 2 && before) snprintf(entries[0].set, sizeof entries[0].set, "%s, %s", set, before);
    char *text = fd_ledger_text(n, entries);
    if (text) run->message(run->user, text);
    free(text);
    return FD_OK;
}

/* An informed network has settings of its own; -n counts for both. */
static fd_status sample(const fd_run *run, const cli *c, fd_error *err) {
    bool informed;
    fd_sample_spec spec = run->config->sample;
    fd_status status = fd_model_file_is_informed(c->args[0], &informed, err);
    if (!status && informed) {
        spec = run->config->informed.sample;
        if (c->number[0]) spec.n = run->config->sample.n;
    }
    if (!status && c->number[0] && (spec.until || spec.until_ess > 0))
        return fd_fail(err, FD_ERR_USAGE, "sample: -n counts samples, until and until_ess solutions; give one of them");
    if (!status) status = fd_stage_sample(run, &spec, c->args[0], c->output, err);
    if ((status && status != FD_ERR_WANTING) || fd_team_follows(run->team)) return status;
    fd_status printed = print_ledger(run, c->output, "samples", NULL, status ? NULL : err);
    return status ? status : printed;
}
/* The block of settings that a network's samples are made with. */
static fd_status generate_block(const fd_run *run, const cli *c, const fd_generate_spec **spec, fd_error *err) {
    bool informed;
    fd_status status = fd_model_file_is_informed(c->args[0], &informed, err);
    if (!status) *spec = informed ? &run->config->informed.sample.generate : &run->config->sample.generate;
    return status;
}
static fd_status calibrate(const fd_run *run, const cli *c, fd_error *err) {
    const fd_generate_spec *spec;
    fd_status status = generate_block(run, c, &spec, err);
    return status ? status : fd_stage_calibrate(run, spec, c->args[0], c->output, err);
}
static fd_status distortion(const fd_run *run, const cli *c, fd_error *err) {
    const fd_generate_spec *spec;
    fd_status status = generate_block(run, c, &spec, err);
    return status ? status : fd_stage_distortion(run, spec, c->args[0], c->args[1], c->output, err);
}
static fd_status select_points(const fd_run *run, const cli *c, fd_error *err) {
    fd_status status = fd_stage_select(run, c->args[0], c->output, err);
    return status || fd_team_follows(run->team) ? status : print_ledger(run, c->output, "generated", NULL, err);
}
static fd_status project(const fd_run *run, const cli *c, fd_error *err) {
    fd_status status = fd_stage_project(run, c->args[0], c->output, err);
    return status ? status : print_ledger(run, c->output, "samples", "as read", err);
}

static fd_status with_output(cli *c, cli_stage stage, fd_error *err) {
    fd_status status = c->dry_run ? FD_OK : cli_need_output(c, err);
    return status ? status : cli_run_stage(c, NULL, stage, err);
}

fd_status verb_simulate(cli *c, fd_error *err) { return with_output(c, simulate, err); }
fd_status verb_train(cli *c, fd_error *err) { return with_output(c, train, err); }
fd_status verb_train_informed(cli *c, fd_error *err) { return with_output(c, train_informed, err); }
fd_status verb_tune(cli *c, fd_error *err) { return with_output(c, tune, err); }
fd_status verb_select(cli *c, fd_error *err) { return with_output(c, select_points, err); }
/* Options of a generating block go to that of the network's kind. */
static fd_status with_block(cli *c, cli_stage stage, fd_error *err) {
    bool informed; /* a file that cannot be read is the stage's to complain about */
    c->block = !fd_model_file_is_informed(c->args[0], &informed, NULL) && informed ? "informed.sample" : "sample";
    return with_output(c, stage, err);
}
fd_status verb_sample(cli *c, fd_error *err) { return with_block(c, sample, err); }
fd_status verb_calibrate(cli *c, fd_error *err) { return with_block(c, calibrate, err); }
fd_status verb_distortion(cli *c, fd_error *err) { return with_block(c, distortion, err); }
fd_status verb_project(cli *c, fd_error *err) { return with_output(c, project, err); }
fd_status verb_attribute(cli *c, fd_error *err) { return with_output(c, attribute, err); }
fd_status verb_exact(cli *c, fd_error *err) { return with_output(c, exact, err); }
fd_status verb_analyse(cli *c, fd_error *err) { return with_output(c, analyse, err); }
fd_status verb_plot(cli *c, fd_error *err) { return with_output(c, plot, err); }
fd_status verb_report(cli *c, fd_error *err) { return cli_run_stage(c, NULL, report, err); }

/* The configuration is the argument, or --config. */
static fd_status with_config(cli *c, cli_stage stage, fd_error *err) {
    if (c->n_args && c->config)
        return fd_fail(err, FD_ERR_USAGE, "%s: the configuration is given twice: %s and --config %s", c->verb->name,
                       c->args[0], c->config);
    fd_status status = c->dry_run ? FD_OK : cli_need_output(c, err);
    return status ? status : cli_run_stage(c, c->n_args ? c->args[0] : NULL, stage, err);
}

fd_status verb_run(cli *c, fd_error *err) { return with_config(c, pipeline, err); }
fd_status verb_reference(cli *c, fd_error *err) { return with_config(c, reference, err); }
