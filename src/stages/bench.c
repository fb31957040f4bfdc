/* bench: every rate is measured the same way. */
#include "stages/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inference/stats.h"
#include "kernels/kernels.h"

enum { LEAST = 5, MOST = 64, WARM = 16 };

static const fd_bench_rate *const lists[] = {fd_bench_simulator, fd_bench_network};

static const fd_bench_rate *rate_at(int i) {
    for (size_t l = 0; l < sizeof lists / sizeof *lists; l++)
        for (const fd_bench_rate *r = lists[l]; r->name; r++)
            if (i-- == 0) return r;
    return NULL;
}

const char *fd_bench_name(int i) { return rate_at(i) ? rate_at(i)->name : NULL; }

/* Whether `name` is in a list separated by commas. */
static bool listed(const char *list, const char *name) {
    for (size_t n = strlen(name); list; list = (list = strchr(list, ',')) ? list + 1 : NULL)
        if (strncmp(list, name, n) == 0 && (list[n] == ',' || !list[n])) return true;
    return false;
}

static bool wanted(const fd_bench_spec *spec, const char *name) { return !spec->only || listed(spec->only, name); }

static bool known(const char *name, size_t length) {
    for (int i = 0; fd_bench_name(i); i++)
        if (strlen(fd_bench_name(i)) == length && strncmp(fd_bench_name(i), name, length) == 0) return true;
    return false;
}

static fd_status check_names(const char *only, fd_error *err) {
    char all[512];
    size_t used = 0;
    for (int i = 0; fd_bench_name(i); i++)
        used += (size_t)snprintf(all + used, sizeof all - used, "%s%s", i ? ", " : "", fd_bench_name(i));
    for (const char *at = only; at; at = (at = strchr(at, ',')) ? at + 1 : NULL)
        if (!known(at, strcspn(at, ",")))
            return fd_fail(err, FD_ERR_USAGE, "bench: no rate '%.*s'; there are %s", (int)strcspn(at, ","), at, all);
    return FD_OK;
}

/* Operations a second of all threads together, from registers. Best of five. */
static double peak(fd_precision precision) {
    const fd_kernels *kernels = fd_kernels_get();
    double best = 0, (*yardstick)(long rounds) = precision == FD_BF16 ? kernels->bf16->peak : kernels->peak;
    for (int i = 0; i < 5; i++) {
        double done = 0, start = fd_seconds();
#pragma omp parallel reduction(+ : done)
        done += yardstick(2000000);
        double rate = done / (fd_seconds() - start);
        if (rate > best) best = rate;
    }
    return best;
}

/* Units that take about a sixteenth of the share; found by doing them, which warms everything up. */
static fd_status find_size(fd_bench *b, const fd_bench_rate *rate, double share, size_t *n, fd_error *err) {
    for (*n = 1;; *n *= 2) {
        double done, start = fd_seconds();
        fd_status status = rate->work(b, *n, &done, err);
        if (status || fd_seconds() - start >= share / WARM) return status;
    }
}

static fd_status measure(fd_bench *b, const fd_bench_rate *rate, fd_ticker *ticker, double share, fd_bench_row *row,
                         fd_error *err) {
    double rates[MOST], begin = fd_seconds();
    size_t n;
    fd_status status = find_size(b, rate, share, &n, err);
    row->flops = b->flops;
    row->peak = b->flops > 0 ? peak(b->precision) : 0;
    while (!status && row->repetitions < MOST && (row->repetitions < LEAST || fd_seconds() - begin < share)) {
        double done, start = fd_seconds();
        status = rate->work(b, n, &done, err);
        rates[row->repetitions++] = done / (fd_seconds() - start);
        if (!status) status = fd_tick(ticker, (uint64_t)row->repetitions, 0, NULL, rate->name, err);
    }
    if (status) return status;
    double after = b->flops > 0 ? peak(b->precision) : 0;
    if (after > row->peak) row->peak = after;
    fd_sort((size_t)row->repetitions, rates);
    row->lo = rates[0];
    row->rate = rates[row->repetitions / 2];
    row->hi = rates[row->repetitions - 1];
    return FD_OK;
}

/* What the rate at work has opened. */
static void close_rate(fd_bench *b) {
    fd_generator_free(b->generator);
    fd_block_free(&b->block);
    fd_trainer_free(b->trainer);
    fd_informant_free(b->informant);
    fd_schedule_free(b->schedule);
    fd_network_free(b->network);
    free(b->x);
    free(b->labels);
    *b = (fd_bench){.run = b->run, .spec = b->spec, .setting = b->setting, .points = b->points, .next = b->next};
}

static fd_status open_bench(fd_bench *b, fd_error *err) {
    const fd_config *config = b->run->config;
    fd_target target;
    fd_model_options options = config->model;
    fd_status status = fd_target_load(config->target, &target, err);
    options.ordering = target.ordering;
    if (!status) status = fd_setting_create(&options, config->target, &b->setting, err);
    if (status) return status;
    const fd_model *model = b->setting.model;
    b->points = malloc(FD_BENCH_POINTS * (size_t)model->n_params * sizeof *b->points);
    if (!b->points) return fd_fail(err, FD_ERR_MEMORY, "out of memory");
    for (uint64_t i = 0; i < FD_BENCH_POINTS; i++) {
        fd_rng rng;
        fd_rng_start(&rng, config->seed, FD_STREAM_PRIOR, i, 0);
        model->draw_prior(model, &rng, b->points + i * (uint64_t)model->n_params);
    }
    return FD_OK;
}

fd_status fd_stage_bench(const fd_run *run, const fd_bench_spec *spec, void (*report)(void *user, const fd_bench_row *row),
                         void *user, fd_error *err) {
    fd_bench b = {.run = run, .spec = spec};
    fd_ticker ticker = {.run = run, .stage = "bench"};
    int n = 0;
    fd_status status = check_names(spec->only, err);
    if (!status) status = open_bench(&b, err);
    for (int i = 0; fd_bench_name(i); i++) n += wanted(spec, fd_bench_name(i));
    for (int i = 0; !status && fd_bench_name(i); i++) {
        const fd_bench_rate *rate = rate_at(i);
        fd_bench_row row = {.name = rate->name, .unit = rate->unit, .what = rate->what};
        if (!wanted(spec, rate->name)) continue;
        if (rate->open) status = rate->open(&b, err);
        if (!status) status = measure(&b, rate, &ticker, spec->seconds / n, &row, err);
        if (!status) report(user, &row);
        close_rate(&b);
    }
    free(b.points);
    fd_setting_free(&b.setting);
    return status;
}
