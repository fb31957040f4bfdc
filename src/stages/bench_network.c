/* Rates of `bench` with a network: training, sampling, what an informed network is told. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/kernels.h"
#include "stages/bench.h"
#include "stages/train.h"

enum { PAIRS = 100000, STEPS = 20, TILE = 64 };

/* The layers on x alone, as operations: two a multiply-add. */
static double layer_flops(const fd_network_spec *spec) {
    double flops = 0;
    for (int i = 0, before = spec->dim + spec->n_features; i <= spec->n_hidden; i++) {
        int n = i < spec->n_hidden ? spec->widths[i] : spec->dim;
        flops += 2.0 * before * n;
        before = n;
    }
    return flops;
}

/* ---- training ------------------------------------------------------------------------------------------------------- */

static fd_status open_training(fd_bench *b, int batch, fd_precision precision, fd_error *err) {
    const fd_config *config = b->run->config;
    const fd_model *model = b->setting.model;
    size_t dim = (size_t)model->n_params, n_labels = (size_t)model->n_labels;
    fd_network_spec spec = fd_configured_network(config, model);
    fd_train_spec train = config->train;
    train.batch = batch;
    b->precision = train.precision = precision;
    b->x = malloc(PAIRS * dim * sizeof *b->x);
    b->labels = malloc(PAIRS * n_labels * sizeof *b->labels);
    if (!b->x || !b->labels) return fd_fail(err, FD_ERR_MEMORY, "out of memory");
    fd_rng rng;
    fd_rng_start(&rng, config->seed, FD_STREAM_TEST, 0, 0);
    for (size_t i = 0; i < PAIRS * dim; i++) b->x[i] = (float)(2 * fd_rng_uniform(&rng) - 1);
    for (size_t i = 0; i < PAIRS * n_labels; i++) b->labels[i] = (float)fd_rng_normal(&rng);
    fd_status status = fd_network_create(&spec, &b->network, err);
    if (!status) status = fd_schedule_create(&config->diffusion, &b->schedule, err);
    if (status) return status;
    fd_network_initialise(b->network, config->seed);
    /* forward, the gradient of the weights, and that of the inputs but for the first layer */
    b->flops = batch * (3 * layer_flops(&spec) - 2.0 * spec.dim * spec.widths[0]);
    fd_train_data data = {.n = PAIRS, .n_train = PAIRS, .x = b->x, .labels = b->labels};
    return fd_trainer_create(b->network, b->schedule, &train, &data, config->seed, &b->trainer, err);
}
static fd_status open_64(fd_bench *b, fd_error *err) { return open_training(b, 64, b->run->config->train.precision, err); }
static fd_status open_1024(fd_bench *b, fd_error *err) { return open_training(b, 1024, b->run->config->train.precision, err); }
static fd_status open_64_bf16(fd_bench *b, fd_error *err) { return open_training(b, 64, FD_BF16, err); }
static fd_status open_1024_bf16(fd_bench *b, fd_error *err) { return open_training(b, 1024, FD_BF16, err); }

static fd_status train(fd_bench *b, size_t n, double *done, fd_error *err) {
    (void)err;
    for (size_t i = 0; i < n; i++) fd_trainer_step(b->trainer);
    *done = (double)n;
    return FD_OK;
}

/* ---- sampling ------------------------------------------------------------------------------------------------------- */

/* A network of the configured size and random weights. */
static fd_status random_file(const fd_bench *b, bool informed, fd_model_file *file, fd_error *err) {
    const fd_config *config = b->run->config;
    const fd_model *model = b->setting.model;
    fd_network_spec spec = informed ? fd_configured_informed_network(config, model) : fd_configured_network(config, model);
    *file = (fd_model_file){.schedule = informed ? config->informed.diffusion : config->diffusion,
                            .params = informed ? fd_informed_box(model) : fd_prior_box(model),
                            .labels = {.n = model->n_labels},
                            .informed = informed,
                            .told = config->informed.told,
                            .model = model->options};
    for (int k = 0; k < model->n_labels; k++) file->labels.scale[k] = 1;
    fd_status status = fd_network_create(&spec, &file->network, err);
    if (!status) fd_network_initialise(file->network, config->seed);
    return status;
}

/* A generator of the network given, where it is of this kind, or of a random one. */
static fd_status open_generator(fd_bench *b, bool informed, const fd_generate_spec *spec, fd_error *err) {
    fd_model_file file = {0};
    bool given = false;
    fd_status status = FD_OK;
    if (b->spec->model) {
        status = fd_model_file_is_informed(b->spec->model, &given, err);
        given = given == informed;
    }
    if (!status) status = given ? fd_model_file_read(b->spec->model, &file, err) : random_file(b, informed, &file, err);
    if (!status) b->flops = layer_flops(&file.network->spec);
    b->precision = spec->precision;
    if (!status)
        status = fd_generator_adopt(b->run, given ? b->spec->model : "bench: random network", &file, spec,
                                    fd_derive_seed(b->run->config->seed, "sample"), &b->generator, err);
    fd_model_file_clear(&file);
    if (!status) status = fd_block_create(b->setting.model, fd_generator_block(b->generator), &b->block, err);
    return status;
}

static fd_status generate(fd_bench *b, size_t n, double *done, fd_error *err) {
    const uint8_t solution = FD_IN_PRIOR | FD_LABELS;
    *done = 0;
    for (size_t left = n; left > 0;) {
        size_t rows = left < b->block.capacity ? left : b->block.capacity;
        fd_status status = fd_generator_run(b->generator, b->next, rows, b->block.theta, b->block.labels, b->block.chi2,
                                            b->block.flags, b->block.alone, err);
        if (status) return status;
        for (size_t i = 0; i < rows; i++) *done += !b->solutions || (b->block.flags[i] & solution) == solution;
        b->next += rows;
        left -= rows;
    }
    return FD_OK;
}

/* As `sample` says, but for the number of steps: at most STEPS, which costs the same a step and is measured sooner. */
static fd_status open_plain_in(fd_bench *b, fd_precision precision, fd_error *err) {
    fd_generate_spec spec = b->run->config->sample.generate;
    spec.precision = precision;
    if (spec.sampler.steps > STEPS) spec.sampler.steps = STEPS;
    fd_status status = open_generator(b, false, &spec, err);
    if (!status) b->flops *= (double)fd_generator_evaluations(b->generator) / spec.sampler.steps;
    return status;
}

static fd_status open_plain(fd_bench *b, fd_error *err) {
    return open_plain_in(b, b->run->config->sample.generate.precision, err);
}
static fd_status open_bf16(fd_bench *b, fd_error *err) { return open_plain_in(b, FD_BF16, err); }

static fd_status steps(fd_bench *b, size_t n, double *done, fd_error *err) {
    int each = fd_generator_spec(b->generator)->sampler.steps;
    fd_status status = generate(b, (n + (size_t)each - 1) / (size_t)each, done, err);
    *done *= each;
    return status;
}

static fd_status open_informed(fd_bench *b, bool project, fd_error *err) {
    fd_generate_spec spec = b->run->config->informed.sample.generate;
    if (!project) spec.project.steps = 0;
    fd_status status = open_generator(b, true, &spec, err);
    b->flops *= status ? 0 : (double)fd_generator_evaluations(b->generator);
    if (project) b->flops = 0; /* of solutions */
    b->solutions = project;
    return status;
}
static fd_status open_alone(fd_bench *b, fd_error *err) { return open_informed(b, false, err); }
static fd_status open_projected(fd_bench *b, fd_error *err) { return open_informed(b, true, err); }

/* ---- what an informed network is told ---------------------------------------------------------------------------------- */

static fd_status open_features(fd_bench *b, fd_error *err) {
    const fd_config *config = b->run->config;
    const fd_model *model = b->setting.model;
    fd_scaler params = fd_informed_box(model), labels = {.n = model->n_labels};
    for (int k = 0; k < labels.n; k++) labels.scale[k] = 1;
    fd_status status = fd_schedule_create(&config->informed.diffusion, &b->schedule, err);
    if (!status)
        status = fd_model_informant(model, &params, &labels, b->schedule, &config->informed.told, &b->informant, err);
    return status;
}

/* Prior draws at random times, each asked for the label of another. */
static void noised_tile(const fd_bench *b, long k, float *x, int *times, float *labels) {
    const fd_model *model = b->setting.model;
    fd_scaler params = fd_informed_box(model);
    double exact[TILE * FD_MAX_LABELS];
    fd_rng rng;
    fd_rng_start(&rng, b->run->config->seed, FD_STREAM_TEST, (uint64_t)k, 0);
    const double *theta = b->points + (size_t)(k % (FD_BENCH_POINTS / TILE)) * TILE * (size_t)model->n_params;
    model->forward(model, TILE, theta, exact, NULL);
    for (int i = 0; i < TILE; i++) {
        int t = times[i] = 1 + (int)fd_rng_below(&rng, (uint64_t)b->schedule->spec.steps);
        double signal = sqrt(b->schedule->alpha_bar[t]), spread = sqrt(b->schedule->noise[t]);
        for (int j = 0; j < params.n; j++)
            x[i * params.n + j] = (float)(signal * (theta[i * params.n + j] - params.shift[j]) / params.scale[j] +
                                          spread * fd_rng_normal(&rng));
        for (int l = 0; l < model->n_labels; l++)
            labels[i * model->n_labels + l] = (float)exact[(TILE - 1 - i) * model->n_labels + l];
    }
}

/* Every tile is asked about SIXTY times, which leaves little of the time to making it. */
static fd_status features(fd_bench *b, size_t n, double *done, fd_error *err) {
    enum { SIXTY = 60 };
    long tiles = (long)((n + SIXTY * TILE - 1) / (SIXTY * TILE));
    size_t row = (size_t)b->informant->n_features, bytes = TILE * (row + FD_MAX_PARAMS) * sizeof(float);
    int failed = 0;
#pragma omp parallel reduction(| : failed)
    {
        float x[TILE * FD_MAX_PARAMS], labels[TILE * FD_MAX_LABELS];
        int times[TILE];
        uint8_t given[TILE];
        void *scratch = aligned_alloc(64, (b->informant->scratch_bytes + 63) / 64 * 64);
        float *out = malloc(bytes);
        memset(given, 1, sizeof given);
        failed = !scratch || !out;
#pragma omp for schedule(dynamic, 1)
        for (long k = 0; k < tiles; k++) {
            if (failed) continue;
            noised_tile(b, k, x, times, labels);
            for (int r = 0; r < SIXTY; r++)
                b->informant->inform(b->informant, TILE, x, times, labels, given, out, (ptrdiff_t)row, out + TILE * row, scratch);
        }
        free(scratch);
        free(out);
    }
    *done = (double)tiles * SIXTY * TILE;
    return failed ? fd_fail(err, FD_ERR_MEMORY, "out of memory") : FD_OK;
}

const fd_bench_rate fd_bench_network[] = {
    {"train-64", "updates", "training of the paper's network, batch 64", open_64, train},
    {"train-1024", "updates", "the same, batch 1024", open_1024, train},
    {"train-64-bf16", "updates", "batch 64 in mixed precision", open_64_bf16, train},
    {"train-1024-bf16", "updates", "batch 1024 in mixed precision", open_1024_bf16, train},
    {"sample", "steps", "steps of the paper's network, guided as sample says", open_plain, steps},
    {"sample-bf16", "steps", "the same in bfloat16", open_bf16, steps},
    {"features", "rows", "what an informed network is told", open_features, features},
    {"informed", "samples", "informed network alone, as informed.sample says", open_alone, generate},
    {"informed-projected", "solutions", "the same with projection", open_projected, generate},
    {0},
};
