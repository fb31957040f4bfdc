/* Training: the one-cycle policy, gradients against the reference, PyTorch's first twenty updates, freezing, EMA,
 * independence of threads, and that it learns. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <omp.h>

#include "fake_informant.h"
#include "flavordiff/rng.h"
#include "flavordiff/trainer.h"
#include "kernels/kernels.h"

static fd_schedule *make_schedule(void) {
    fd_schedule_spec spec;
    fd_schedule_spec_paper(&spec);
    fd_schedule *schedule;
    assert_int_equal(fd_schedule_create(&spec, &schedule, NULL), FD_OK);
    return schedule;
}

static fd_network *make_network(const fd_network_spec *spec) {
    fd_network *network;
    assert_int_equal(fd_network_create(spec, &network, NULL), FD_OK);
    fd_network_initialise(network, 5);
    return network;
}

/* ---- one cycle ---- */

static void one_cycle_ends(void **state) {
    (void)state;
    fd_train_spec spec;
    double rate, beta1;
    fd_train_spec_paper(&spec);
    fd_one_cycle(&spec, 0, &rate, &beta1);
    assert_true(fabs(rate - 4e-5) < 1e-18 && fabs(beta1 - 0.95) < 1e-15);
    fd_one_cycle(&spec, 29999, &rate, &beta1); /* pct_start * total_steps - 1 */
    assert_true(fabs(rate - 1e-3) < 1e-17 && fabs(beta1 - 0.85) < 1e-15);
    fd_one_cycle(&spec, 99999, &rate, &beta1);
    assert_true(fabs(rate - 4e-9) < 1e-20 && fabs(beta1 - 0.95) < 1e-15);
    spec.cycle_momentum = false;
    fd_one_cycle(&spec, 29999, &rate, &beta1);
    assert_true(beta1 == spec.beta1_max);
}

/* ---- gradients ---- */

/* A problem small enough for the reference, with odd sizes and every activation. */
typedef struct problem {
    fd_network_spec spec;
    fd_network *network;
    fd_schedule *schedule;
    fd_train_spec train;
    size_t n, n_train;
    float *x, *labels;
    fd_informant informant; /* of a network that is told something */
} problem;

static problem make_told_problem(int batch, int n_features) {
    problem p = {.spec = {.dim = 5,
                          .n_features = n_features,
                          .n_labels = 3,
                          .n_hidden = 4,
                          .widths = {33, 64, 7, 18},
                          .activations = {FD_SELU, FD_SILU, FD_TANH, FD_IDENTITY}},
                 .n = 150,
                 .n_train = 100};
    p.network = make_network(&p.spec);
    p.schedule = make_schedule();
    if (n_features) p.informant = make_fake_informant(5, 3, n_features, 32, p.schedule->spec.steps);
    fd_train_spec_paper(&p.train);
    p.train.batch = batch;
    p.train.updates = 400;
    p.x = malloc(p.n * 5 * sizeof *p.x);
    p.labels = malloc(p.n * 3 * sizeof *p.labels);
    fd_rng rng;
    fd_rng_start(&rng, 1, FD_STREAM_TEST, 1, 0);
    for (size_t i = 0; i < p.n; i++) { /* labels that say something about x */
        for (int j = 0; j < 5; j++) p.x[i * 5 + (size_t)j] = (float)(2 * fd_rng_uniform(&rng) - 1);
        for (int j = 0; j < 3; j++)
            p.labels[i * 3 + (size_t)j] = p.x[i * 5 + (size_t)j] + 0.1f * (float)fd_rng_normal(&rng);
    }
    return p;
}

static problem make_problem(int batch) { return make_told_problem(batch, 0); }

static void free_problem(problem *p) {
    free(p->informant.c);
    fd_network_free(p->network);
    fd_schedule_free(p->schedule);
    free(p->x);
    free(p->labels);
}

static fd_trainer *make_trainer(const problem *p) {
    fd_trainer *trainer;
    fd_error err = {0};
    fd_train_data data = {.n = p->n, .n_train = p->n_train, .x = p->x, .labels = p->labels,
                          .informant = p->spec.n_features ? &p->informant : NULL};
    if (fd_trainer_create(p->network, p->schedule, &p->train, &data, 9, &trainer, &err))
        fail_msg("%s", err.message);
    return trainer;
}

/* With beta1 = beta2 = 0 and a large epsilon the first Adam step is w -= rate g / (|g| + eps): g follows from the
 * weights before and after. The rate is 2^10 with eps 2^10, so that the step is g to |g| / 1024, undone exactly below,
 * and its rounding is that of a weight below 2: 1.2e-7. In mixed precision every product has operands off by up to 2^-9: with three
 * products for each of five layers 30 such errors add up to 6 % of the gradient's length at most where they all conspire, were every
 * activation and layer neutral, and to sqrt(30) 2^-9 = 1 % where they do not. */
static void gradients_of(int batch, int n_features, fd_precision precision) {
    problem p = make_told_problem(batch, n_features);
    int n_in = 5 + n_features;
    p.train.beta1_min = p.train.beta1_max = p.train.beta2 = 0;
    p.train.div = 1;
    p.train.max_rate = p.train.epsilon = 1024;
    p.train.precision = precision;
    size_t n = p.network->n_weights;
    double *w = malloc(n * sizeof *w), *g = calloc(n, sizeof *g), x[64], label[3], noise[5], loss = 0;
    float *after = malloc(n * sizeof *after), *time = malloc((size_t)batch * sizeof *time);
    float *inputs = malloc((size_t)(batch * n_in) * sizeof *inputs);
    for (size_t i = 0; i < n; i++) w[i] = p.network->weights[i];
    for (int i = 0; i < batch; i++) {
        time[i] = (float)(i + 1) / 100;
        for (int j = 0; j < n_in; j++)
            x[j] = inputs[i * n_in + j] = j < 5 ? p.x[i * 5 + j] : (float)((i * 7 + j * 3) % 11) / 6 - 1;
        for (int j = 0; j < 5; j++) noise[j] = p.x[(i + 70) * 5 + j];
        for (int j = 0; j < 3; j++) label[j] = p.labels[i * 3 + j];
        loss += fd_reference_backward(&p.spec, w, x, label, time[i], noise, 1.0 / batch, g) / batch;
    }
    fd_trainer *trainer = make_trainer(&p);
    double got = fd_trainer_step_batch(trainer, inputs, p.labels, time, p.x + (ptrdiff_t)70 * 5);
    assert_true(fabs(got - loss) < (precision == FD_BF16 ? 0.06 : 1e-6) * loss);
    fd_trainer_weights(trainer, false, after);
    double worst = 0, largest = 0, off = 0, length = 0;
    for (size_t i = 0; i < n; i++) {
        double step = w[i] - after[i], found = step / (1 - fabs(step) / 1024);
        worst = fmax(worst, fabs(found - g[i]));
        largest = fmax(largest, fabs(g[i]));
        off += (found - g[i]) * (found - g[i]);
        length += g[i] * g[i];
    }
    off = sqrt(off / length);
    if (precision == FD_BF16 && !(off < 0.06 && off > 1e-4)) fail_msg("batch %d: mixed gradient off by %g of its length", batch, off);
    if (precision == FD_FLOAT32 && !(worst < 3e-7)) fail_msg("batch %d, %d features: gradient off by %g, largest %g", batch, n_features, worst, largest);
    assert_true(largest > 0.05); /* otherwise nothing was compared */
    fd_trainer_free(trainer);
    free(w), free(g), free(after), free(time), free(inputs);
    free_problem(&p);
}

static void gradients(void **state) {
    (void)state;
    static const int batches[] = {1, 2, 15, 17, 31, 32, 33, 64, 65};
    for (size_t q = 0; q < sizeof batches / sizeof *batches; q++) {
        gradients_of(batches[q], 0, FD_FLOAT32);
        gradients_of(batches[q], q % 2 ? 29 : 8, FD_FLOAT32);
        gradients_of(batches[q], q % 2 ? 29 : 8, FD_BF16);
    }
}

/* ---- PyTorch ---- */

static uint32_t word(uint32_t stream, uint32_t index) { /* as in make_golden.py */
    uint32_t h = stream * 0x9E3779B9u + index;
    h ^= h >> 16;
    h *= 0x7FEB352Du;
    h ^= h >> 15;
    h *= 0x846CA68Bu;
    return h ^ h >> 16;
}

static void symmetric(uint32_t stream, size_t first, size_t count, double bound, float *out) {
    for (size_t i = 0; i < count; i++)
        out[i] = (float)(((word(stream, (uint32_t)(first + i)) >> 8) * 0x1p-23 - 1.0) * bound);
}

enum { G_WEIGHTS = 1, G_X, G_LABEL, G_TIME, G_NOISE, BATCH = 64, DIM = 23, LABELS = 11 };

static double golden_update(fd_trainer *trainer, size_t update) {
    float x[BATCH * DIM], label[BATCH * LABELS], time[BATCH], noise[BATCH * DIM];
    symmetric(G_X, update * BATCH * DIM, BATCH * DIM, 2, x);
    symmetric(G_NOISE, update * BATCH * DIM, BATCH * DIM, 2, noise);
    symmetric(G_LABEL, update * BATCH * LABELS, BATCH * LABELS, 2, label);
    for (size_t i = 0; i < BATCH; i++) {
        time[i] = (float)((1 + word(G_TIME, (uint32_t)(update * BATCH + i)) % 1000) / 1000.0);
        if (i % 10 == 0) memset(label + i * LABELS, 0, LABELS * sizeof *label);
    }
    return fd_trainer_step_batch(trainer, x, label, time, noise);
}

typedef struct deviation {
    double loss, rate, moved, weight;
} deviation;

/* One tensor of the golden file: the length of its whole change, and the sampled weights. */
static void golden_tensor(FILE *file, const float *start, const float *now, size_t count, deviation *worst) {
    double moved, change = 0, largest = 0;
    int samples;
    assert_int_equal(fscanf(file, " t %*d %lf %d", &moved, &samples), 2);
    for (size_t i = 0; i < count; i++) {
        double d = (double)now[i] - start[i];
        change += d * d;
        largest = fmax(largest, fabs((double)now[i]));
    }
    /* Beside 1e-5 of itself, the weights' own last place on both sides: the first steps are only 4e-5 long. */
    double bound = 1e-5 * moved + 0x1p-24 * largest * sqrt((double)count);
    worst->moved = fmax(worst->moved, fabs(sqrt(change) - moved) / bound);
    for (int i = 0; i < samples; i++) {
        size_t at;
        double weight;
        assert_int_equal(fscanf(file, "%zu %lf", &at, &weight), 2);
        assert_true(at < count);
        worst->weight = fmax(worst->weight, fabs(now[at] - weight) / largest);
    }
}

/* Loss, rate and beta1 relative to their own value, a sampled weight relative to the largest of its tensor. */
static deviation follow(const char *name, long total) {
    char path[4096], line[256];
    snprintf(path, sizeof path, "%s/tests/golden/%s", FD_SOURCE_DIR, name);
    FILE *file = fopen(path, "r");
    if (!file) fail_msg("cannot open %s", path);
    for (int i = 0; i < 2; i++) assert_non_null(fgets(line, sizeof line, file));
    problem p = {.n = 1, .n_train = 1};
    fd_network_spec_paper(&p.spec, DIM, LABELS);
    p.network = make_network(&p.spec);
    p.schedule = make_schedule();
    fd_train_spec_paper(&p.train);
    p.train.updates = total;
    p.x = calloc(DIM, sizeof *p.x);
    p.labels = calloc(LABELS, sizeof *p.labels);
    for (int layer = 0; layer <= p.spec.n_hidden; layer++) {
        int n_in, n_out;
        size_t weight, bias;
        fd_network_layer(&p.spec, layer, &n_in, &n_out, &weight, &bias);
        symmetric(G_WEIGHTS, weight, bias + (size_t)n_out - weight, 1 / sqrt(n_in), p.network->weights + weight);
    }
    fd_trainer *trainer = make_trainer(&p);
    const float *start = p.network->weights;
    float *now = malloc(p.network->n_weights * sizeof *now);
    deviation worst = {0};
    for (int update = 0; update < 20; update++) {
        int number;
        double loss, rate, beta1, my_rate, my_beta1;
        assert_int_equal(fscanf(file, " u %d %lf %lf %lf", &number, &loss, &rate, &beta1), 4);
        assert_int_equal(number, update);
        fd_one_cycle(&p.train, update, &my_rate, &my_beta1);
        worst.rate = fmax(worst.rate, fmax(fabs(my_rate / rate - 1), fabs(my_beta1 / beta1 - 1)));
        worst.loss = fmax(worst.loss, fabs(golden_update(trainer, (size_t)update) / loss - 1));
        fd_trainer_weights(trainer, false, now);
        for (int layer = 0; layer <= p.spec.n_hidden; layer++) {
            int n_in, n_out;
            size_t weight, bias;
            fd_network_layer(&p.spec, layer, &n_in, &n_out, &weight, &bias);
            golden_tensor(file, start + weight, now + weight, bias - weight, &worst);
            golden_tensor(file, start + bias, now + bias, (size_t)n_out, &worst);
        }
    }
    printf("%s (%s): worst relative deviation of loss %.2g, rate %.2g, weight %.2g; change of a tensor %.2g of its "
           "bound\n",
           name, fd_kernels_get()->name, worst.loss, worst.rate, worst.weight, worst.moved);
    fd_trainer_free(trainer);
    free(now);
    fclose(file);
    free_problem(&p);
    return worst;
}

static void pytorch(void **state) {
    (void)state;
    for (int i = 0; i < 2; i++) {
        deviation d = i ? follow("training_100.txt", 100) : follow("training_20.txt", 20);
        assert_true(d.rate < 1e-12);
        /* Seen with all tables: 1.4e-7, 0.03 and 2.4e-7. A beta2 whose complement is formed in float gives 0.5 of the
         * bound. */
        assert_true(d.loss < 1e-6);
        assert_true(d.moved < 0.2);
        assert_true(d.weight < 1e-6);
    }
}

/* ---- the trainer as a whole ---- */

static void freezing_and_averages(void **state) {
    (void)state;
    problem p = make_problem(16);
    p.train.frozen_layers = 2;
    p.train.ema_decay = 0.5;
    fd_trainer *trainer = make_trainer(&p);
    size_t n = p.network->n_weights, weight, bias;
    float *w = malloc(n * sizeof *w), *average = malloc(n * sizeof *w), *mine = malloc(n * sizeof *mine);
    memcpy(mine, p.network->weights, n * sizeof *w);
    for (int i = 0; i < 10; i++) {
        fd_trainer_step(trainer);
        fd_trainer_weights(trainer, false, w);
        for (size_t j = 0; j < n; j++) mine[j] += 0.5f * (w[j] - mine[j]);
    }
    fd_trainer_weights(trainer, true, average);
    for (size_t j = 0; j < n; j++) assert_true(fabsf(mine[j] - average[j]) < 1e-6f);
    int n_in, n_out, moved = 0;
    fd_network_layer(&p.spec, 2, &n_in, &n_out, &weight, &bias);
    assert_memory_equal(w, p.network->weights, weight * sizeof *w);
    for (size_t j = weight; j < n; j++) moved += w[j] != p.network->weights[j];
    assert_true(moved > (int)(n - weight) * 9 / 10);
    fd_trainer_free(trainer);
    free(w), free(average), free(mine);
    free_problem(&p);
}

static void same_for_any_threads(void **state) {
    (void)state;
    static const int batches[] = {33, 64, 100, 257}; /* the last is more than two epochs in one batch */
    int before = omp_get_max_threads();
    for (size_t q = 0; q < 4; q++) {
        problem p = make_problem(batches[q]);
        p.train.precision = q % 2 ? FD_BF16 : FD_FLOAT32;
        size_t bytes = p.network->n_weights * sizeof(float);
        float *first = malloc(bytes), *w = malloc(bytes);
        double loss = 0, validation = 0;
        for (int threads = 1; threads <= 3; threads++) {
            omp_set_num_threads(threads);
            fd_trainer *trainer = make_trainer(&p);
            double sum = 0;
            for (int i = 0; i < 25; i++) sum += fd_trainer_step(trainer);
            assert_int_equal(fd_trainer_updates_done(trainer), 25);
            double value = fd_trainer_validate(trainer, false, 1000);
            assert_true(fd_trainer_validate(trainer, false, 1000) == value); /* fixed t and noise */
            fd_trainer_weights(trainer, false, threads == 1 ? first : w);
            if (threads == 1)
                loss = sum, validation = value;
            else
                assert_true(memcmp(first, w, bytes) == 0 && loss == sum && validation == value);
            fd_trainer_free(trainer);
        }
        free(first), free(w);
        free_problem(&p);
    }
    omp_set_num_threads(before);
}

/* 100 pairs, 5 dimensions: the noise is learnt far better than by saying zero (loss 1). */
static void it_learns(void **state) {
    (void)state;
    problem p = make_problem(64);
    p.train.updates = 3000;
    p.train.max_rate = 3e-3;
    fd_trainer *trainer = make_trainer(&p);
    double before = fd_trainer_validate(trainer, false, 50), loss = 0;
    for (long i = 0; i < p.train.updates; i++) {
        double l = fd_trainer_step(trainer);
        if (i >= p.train.updates - 100) loss += l / 100;
    }
    double after = fd_trainer_validate(trainer, false, 50), average = fd_trainer_validate(trainer, true, 50);
    printf("loss of the last updates %.3f; validation %.3f -> %.3f, averaged weights %.3f\n", loss, before, after,
           average);
    assert_true(before > 0.9 && loss < 0.35 && after < 0.45 && average < 0.45);
    fd_trainer_free(trainer);
    free_problem(&p);
}

static void refusals(void **state) {
    (void)state;
    problem p = make_problem(8);
    fd_trainer *trainer;
    fd_error err;
    fd_train_spec bad[] = {p.train, p.train, p.train, p.train};
    bad[0].batch = 0;
    bad[1].max_rate = -1;
    bad[2].frozen_layers = 5;
    bad[3].label_drop = 1.5;
    for (int i = 0; i < 4; i++) {
        fd_status s =
            fd_trainer_create(p.network, p.schedule, &bad[i], &(fd_train_data){.n = p.n, .n_train = p.n_train, .x = p.x, .labels = p.labels}, 1, &trainer, &err);
        assert_int_equal(s, FD_ERR_CONFIG);
        assert_null(trainer);
    }
    assert_int_equal(fd_trainer_create(p.network, p.schedule, &p.train, &(fd_train_data){.n = p.n, .n_train = 0, .x = p.x, .labels = p.labels}, 1, &trainer, &err),
                     FD_ERR_EMPTY);
    p.x[40] = NAN;
    assert_int_equal(fd_trainer_create(p.network, p.schedule, &p.train, &(fd_train_data){.n = p.n, .n_train = 9, .x = p.x, .labels = p.labels}, 1, &trainer, &err),
                     FD_ERR_VALUE);
    p.x[40] = 0;
    assert_int_equal(fd_trainer_create(p.network, p.schedule, &p.train, &(fd_train_data){.n = p.n, .n_train = p.n, .x = p.x, .labels = p.labels}, 1, &trainer, NULL),
                     FD_OK);
    assert_true(isnan(fd_trainer_validate(trainer, false, 10)));
    fd_trainer_free(trainer);
    fd_trainer_free(NULL);
    free_problem(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_cycle_ends),
        cmocka_unit_test(gradients),
        cmocka_unit_test(pytorch),
        cmocka_unit_test(freezing_and_averages),
        cmocka_unit_test(same_for_any_threads),
        cmocka_unit_test(it_learns),
        cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
