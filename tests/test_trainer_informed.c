/* Training of an informed network on draws without end: which pairs, times and labels it sees, what it is asked to
 * find, and that threads do not matter. A fake informant writes down what it is asked. */
#include "physics_oracles.h"

#include <omp.h>

#include "fake_informant.h"
#include "flavordiff/trainer.h"

enum { DIM = 3, LABELS = 2, FEATURES = 4, STEPS = 200 };

/* ---- a source that numbers its pairs
 * --------------------------------------------------------------------------------- */

enum { BLOCKS = 4096 };

typedef struct numbered {
    fd_pair_source base;
    uint64_t seed;
    int drawn[BLOCKS]; /* how often */
} numbered;

/* x_0 of pair `id`, which its first label names (exactly, below 2^24). */
static float x0_of(uint64_t id, int j) { return sinf((float)(id % 1000) + 2 * (float)j); }

static void draw_numbered(const fd_pair_source *base, uint64_t seed, uint64_t block, int n, float *x, float *labels) {
    numbered *s = (numbered *)(uintptr_t)base; /* the test counts */
    assert_true(block < BLOCKS && n == FD_PAIR_BLOCK);
#pragma omp atomic
    s->drawn[block]++;
    __atomic_store_n(&s->seed, seed, __ATOMIC_RELAXED); /* by every thread */
    for (int i = 0; i < n; i++) {
        uint64_t id = block * FD_PAIR_BLOCK + (uint64_t)i;
        for (int j = 0; j < DIM; j++) x[i * DIM + j] = x0_of(id, j);
        labels[i * LABELS] = (float)id;
        labels[i * LABELS + 1] = 0.5f;
    }
}

/* ---- an informant that writes down
 * --------------------------------------------------------------------------------------- */

enum { MOST_PAIRS = 1 << 18 };

typedef struct recorder {
    fd_informant base;
    double *signal, *spread;
    long rows, given, seen[STEPS + 1];
    unsigned char used[MOST_PAIRS];
    double loss, noise, noise2; /* sums over rows and components: of (found - target)^2, of the noise */
    bool source;                /* x_0 is the source's */
} recorder;

/* What the network of open_trainer() answers. */
static double answer(int j, const float *x, const float *features, double time, double label) {
    double sum = x[j] + label * 1e-4 + time;
    for (int q = 0; q < FEATURES; q++) sum += 0.25 * (q + 1) * features[q];
    return sum;
}

static void record(const fd_informant *self, int n, const float *x, const int *t, const float *labels,
                   const uint8_t *given, float *features, ptrdiff_t feature_row, float *guess, void *scratch) {
    recorder *r = (recorder *)(uintptr_t)self; /* one thread at a time, see open_trainer() */
    fake_inform(self, n, x, t, labels, given, features, feature_row, guess, scratch);
    for (int i = 0; i < n; i++) {
        uint64_t id = (uint64_t)labels[i * LABELS];
        assert_true(t[i] >= 1 && t[i] <= STEPS && id < MOST_PAIRS);
        r->rows++;
        r->given += given[i];
        r->seen[t[i]]++;
        if (!given[i]) {
            assert_true(labels[i * LABELS] == 0 && labels[i * LABELS + 1] == 0);
            continue;
        }
        r->used[id]++;
        for (int j = 0; j < DIM; j++) {
            double x0 = x0_of(id, j), noise = (x[i * DIM + j] - r->signal[t[i]] * x0) / r->spread[t[i]];
            double target = (guess[i * DIM + j] - x0) / fake_c(t[i]);
            double found = answer(j, x + i * DIM, features + i * feature_row, (double)t[i] / STEPS, labels[i * LABELS]);
            r->loss += (found - target) * (found - target) / DIM;
            r->noise += noise;
            r->noise2 += noise * noise;
        }
    }
}

/* ---- a trainer
 * ------------------------------------------------------------------------------------------------------------ */

typedef struct course {
    numbered source;
    recorder informant;
    fd_schedule *schedule;
    fd_network *network;
    fd_train_spec spec;
    fd_trainer *trainer;
    size_t n;
    float *x, *labels;
} course;

/* One linear layer that copies x_t and adds features, label and time, and one that adds nothing: see answer(). */
static fd_network *transparent_network(void) {
    fd_network_spec spec = {.dim = DIM,
                            .n_labels = LABELS,
                            .n_features = FEATURES,
                            .n_hidden = 1,
                            .widths = {DIM},
                            .activations = {FD_IDENTITY}};
    fd_network *network;
    assert_int_equal(fd_network_create(&spec, &network, NULL), FD_OK);
    for (int layer = 0; layer < 2; layer++) {
        int n_in, n_out;
        size_t weight, bias;
        fd_network_layer(&spec, layer, &n_in, &n_out, &weight, &bias);
        for (int j = 0; j < DIM; j++) {
            float *row = network->weights + weight + j * n_in;
            row[j] = 1;
            for (int q = 0; layer == 0 && q < FEATURES; q++) row[DIM + q] = 0.25f * (float)(q + 1);
            row[n_in - LABELS - 1] = layer == 0 ? 1e-4f : 0; /* columns [h, L, t] */
            row[n_in - 1] = layer == 0 ? 1 : 0;
        }
    }
    return network;
}

static course *open_course(fd_schedule_kind kind, int batch) {
    course *c = calloc(1, sizeof *c);
    fd_schedule_spec noise;
    fd_schedule_spec_paper(&noise);
    noise.kind = kind;
    noise.steps = STEPS;
    noise.s_min = 0.01;
    noise.s_max = 50;
    assert_int_equal(fd_schedule_create(&noise, &c->schedule, NULL), FD_OK);
    c->network = transparent_network();
    c->source.base.draw = draw_numbered;
    c->informant.base = make_fake_informant(DIM, LABELS, FEATURES, 64, STEPS);
    c->informant.base.inform = record;
    c->informant.signal = malloc((STEPS + 1) * sizeof(double));
    c->informant.spread = malloc((STEPS + 1) * sizeof(double));
    for (int t = 0; t <= STEPS; t++) {
        c->informant.signal[t] = sqrt(c->schedule->alpha_bar[t]);
        c->informant.spread[t] = sqrt(c->schedule->noise[t]);
    }
    fd_train_spec_paper(&c->spec);
    c->spec.batch = batch;
    c->spec.updates = 1000;
    c->spec.label_drop = 0;
    return c;
}

static void open_trainer(course *c) {
    fd_train_data data = {
        .n = c->n, .x = c->x, .labels = c->labels, .source = &c->source.base, .informant = &c->informant.base};
    fd_error err = {0};
    if (fd_trainer_create(c->network, c->schedule, &c->spec, &data, 31, &c->trainer, &err)) fail_msg("%s", err.message);
}

static void close_course(course *c) {
    fd_trainer_free(c->trainer);
    fd_informant_free(&c->informant.base);
    fd_network_free(c->network);
    fd_schedule_free(c->schedule);
    free(c->informant.signal), free(c->informant.spread), free(c->x), free(c->labels);
    free(c);
}

/* ---- tests
 * ------------------------------------------------------------------------------------------------------------------ */

static void every_pair_once(void **state) {
    (void)state;
    static const int batches[] = {1, 10, 40, 64};
    int threads = omp_get_max_threads();
    omp_set_num_threads(1);
    for (int b = 0; b < 4; b++) {
        course *c = open_course(FD_SCHEDULE_LINEAR, batches[b]);
        long used = 0;
        open_trainer(c);
        for (int i = 0; i < 100; i++) fd_trainer_step(c->trainer);
        for (int id = 0; id < MOST_PAIRS; id++) {
            assert_true(c->informant.used[id] <= 1);
            assert_true(c->informant.used[id] <= c->source.drawn[id / FD_PAIR_BLOCK]);
            used += c->informant.used[id];
        }
        assert_int_equal(used, 100L * batches[b]);
        for (int i = 0; i < BLOCKS; i++) assert_true(c->source.drawn[i] <= 1);
        assert_int_equal(c->source.seed, 31);
        close_course(c);
    }
    omp_set_num_threads(threads);
}

/* The first update's loss, before weights move: inputs, order of columns, target and noise are all in it. */
static void loss_is_what_it_says(void **state) {
    (void)state;
    int threads = omp_get_max_threads();
    omp_set_num_threads(1);
    for (int kind = 0; kind < 3; kind++) {
        course *c = open_course((fd_schedule_kind)kind, 200);
        c->n = 300;
        c->x = malloc(c->n * DIM * sizeof(float));
        c->labels = malloc(c->n * LABELS * sizeof(float));
        for (size_t i = 0; i < c->n; i++) {
            for (int j = 0; j < DIM; j++) c->x[i * DIM + (size_t)j] = x0_of(i, j);
            c->labels[i * LABELS] = (float)i, c->labels[i * LABELS + 1] = 0.5f;
        }
        open_trainer(c);
        recorder *r = &c->informant;
        double validation = fd_trainer_validate(c->trainer, false, 250);
        assert_int_equal(r->rows, 250);
        assert_below(fabs(validation / (r->loss / 250) - 1), 1e-5);
        for (int i = 0; i < 300; i++) assert_int_equal(r->used[i], i < 250);
        r->rows = 0;
        r->loss = r->noise = r->noise2 = 0;
        double loss = fd_trainer_step(c->trainer), n = 200 * DIM;
        assert_int_equal(r->rows, 200);
        assert_below(fabs(loss / (r->loss / 200) - 1), 1e-5);
        assert_below(fabs(r->noise / n), 5 / sqrt(n));
        assert_below(fabs(r->noise2 / n - 1), 5 * sqrt(2 / n));
        close_course(c);
    }
    omp_set_num_threads(threads);
}

static double normal_cdf(double x) { return 0.5 * erfc(-x / sqrt(2)); }

/* chi^2 of the times drawn: log s normal within the schedule, or t uniform. Bins end half way between two times and
 * hold at least 50. */
static void times_are_distributed(fd_schedule_kind kind, double mean, double spread) {
    course *c = open_course(kind, 250);
    c->spec.noise_mean = mean;
    c->spec.noise_spread = spread;
    c->spec.label_drop = 0.3;
    open_trainer(c);
    for (int i = 0; i < 200; i++) fd_trainer_step(c->trainer);
    recorder *r = &c->informant;
    double n = (double)r->rows, probability[STEPS + 1], total = 0, chi2 = 0, expected = 0, seen = 0;
    int bins = 0;
    for (int t = 1; t <= STEPS; t++) {
        double edge[2];
        for (int side = 0; side < 2; side++) { /* the first and last time have as much room outside as inside */
            int other = side ? t + 1 : t - 1, inside = 2 * t - other, mirrored = other < 1 || other > STEPS;
            double here = log(fd_schedule_s(c->schedule, t));
            double step = (log(fd_schedule_s(c->schedule, mirrored ? inside : other)) - here) / 2;
            edge[side] = mirrored ? here - step : here + step;
        }
        probability[t] = spread > 0 ? normal_cdf((edge[1] - mean) / spread) - normal_cdf((edge[0] - mean) / spread) : 1;
        total += probability[t];
    }
    for (int t = 1; t <= STEPS; t++) {
        expected += n * probability[t] / total;
        seen += (double)r->seen[t];
        if (expected < 50) continue;
        chi2 += (seen - expected) * (seen - expected) / expected;
        expected = seen = 0;
        bins++;
    }
    assert_int_equal(r->rows, 50000);
    assert_true(bins > 10);
    assert_below(chi2, bins + 5 * sqrt(2.0 * bins));
    assert_below(fabs((double)r->given / n - 0.7), 5 * sqrt(0.21 / n));
    close_course(c);
}

static void times(void **state) {
    (void)state;
    int threads = omp_get_max_threads();
    omp_set_num_threads(1);
    times_are_distributed(FD_SCHEDULE_LOG_SNR, -1, 1.2);
    times_are_distributed(FD_SCHEDULE_LOG_SNR, 0.5, 0.4);
    times_are_distributed(FD_SCHEDULE_LOG_SNR, 3.5, 1); /* half of it beyond the last time */
    times_are_distributed(FD_SCHEDULE_LINEAR, 0, 1);
    times_are_distributed(FD_SCHEDULE_COSINE, 0, 0);
    omp_set_num_threads(threads);
}

/* The whole of it, with an informant of real size, bit by bit. */
static void same_for_any_threads(void **state) {
    (void)state;
    int before = omp_get_max_threads();
    for (int batch = 33; batch <= 128; batch += 95) {
        size_t bytes = 0;
        float *first = NULL, *now = NULL;
        double loss = 0;
        for (int threads = 1; threads <= 3; threads++) {
            course *c = open_course(FD_SCHEDULE_LOG_SNR, batch);
            c->informant.base.inform = fake_inform;
            c->spec.label_drop = 0.2;
            c->spec.noise_spread = 1;
            c->spec.max_rate = 1e-5; /* labels are large */
            fd_network_initialise(c->network, 8);
            bytes = c->network->n_weights * sizeof *now;
            if (!now) first = malloc(bytes), now = malloc(bytes);
            omp_set_num_threads(threads);
            open_trainer(c);
            double sum = 0;
            for (int i = 0; i < 40; i++) sum += fd_trainer_step(c->trainer);
            fd_trainer_weights(c->trainer, false, now);
            assert_true(isfinite(sum));
            assert_true(memcmp(now, c->network->weights, bytes) != 0);
            if (threads == 1) loss = sum, memcpy(first, now, bytes);
            assert_true(loss == sum && memcmp(first, now, bytes) == 0);
            close_course(c);
        }
        free(first), free(now);
    }
    omp_set_num_threads(before);
}

static void refusals(void **state) {
    (void)state;
    course *c = open_course(FD_SCHEDULE_LINEAR, 8);
    fd_error err = {0};
    float x[DIM] = {0}, labels[LABELS] = {0};
    fd_train_data good = {.source = &c->source.base, .informant = &c->informant.base}, bad[3] = {good, good, {0}};
    fd_status wanted[3] = {FD_ERR_MISMATCH, FD_ERR_CONFIG, FD_ERR_EMPTY};
    bad[0].informant = NULL; /* the network has features */
    bad[1].n = bad[1].n_train = 1, bad[1].x = x, bad[1].labels = labels;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(fd_trainer_create(c->network, c->schedule, &c->spec, &bad[i], 1, &c->trainer, &err),
                         wanted[i]);
        assert_null(c->trainer);
    }
    for (int i = 0; i < 3; i++) {
        fd_train_spec spec = c->spec;
        if (i == 2)
            spec.noise_mean = (double)NAN;
        else
            spec.noise_spread = i ? (double)INFINITY : -1;
        assert_int_equal(fd_trainer_create(c->network, c->schedule, &spec, &good, 1, &c->trainer, &err), FD_ERR_CONFIG);
        assert_non_null(strstr(err.message, "noise_mean"));
    }
    assert_int_equal(fd_trainer_create(c->network, c->schedule, &c->spec, &good, 1, &c->trainer, &err), FD_OK);
    assert_true(isnan(fd_trainer_validate(c->trainer, false, 10)));
    close_course(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_pair_once), cmocka_unit_test(loss_is_what_it_says),
        cmocka_unit_test(times),           cmocka_unit_test(same_for_any_threads),
        cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
