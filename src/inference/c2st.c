/* The classifier is a network of the house in an unusual seat: its one component is the class, -1 or 1, to be found at the last
 * time of a schedule, where nothing is left of x, and the row is its label, which every layer sees. Least squares on the class find
 * E[class | row], whose sign is the best guess. */
#include "flavordiff/c2st.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "flavordiff/rng.h"
#include "flavordiff/sampler.h"
#include "flavordiff/trainer.h"
#include "inference/stats.h"

enum { BATCH = 128, EPOCHS = 8, WIDTH = 64 };

/* Rows of both sets, float and standardised, and what all dealings share. */
typedef struct pool {
    size_t rows; /* of each set */
    int d;
    float *x; /* (2 rows, d) */
    fd_network_spec network;
    fd_schedule *schedule;
    uint64_t seed;
} pool;

/* What one fold of one dealing needs. */
typedef struct fold {
    float *x, *side;                             /* (training rows, d), (training rows) */
    size_t n;
    float batch_x[BATCH], batch_time[BATCH], batch_side[BATCH]; /* no x; the last time; the classes */
    float *batch_rows;                           /* (BATCH, d) */
    uint32_t *order;                             /* (training rows) */
} fold;

static void shuffle(fd_rng *rng, size_t n, uint32_t *order) {
    for (size_t i = n; i > 1; i--) {
        size_t j = (size_t)fd_rng_below(rng, i);
        uint32_t swap = order[i - 1];
        order[i - 1] = order[j];
        order[j] = swap;
    }
}

/* Rows in the order of dealing `deal`: the first half count as the first set. 0: as they are, each set in random order. The
 * rows i of a half with i mod FOLDS = f are fold f. */
static void deal_rows(const pool *p, int deal, uint32_t *order) {
    fd_rng rng;
    fd_rng_start(&rng, p->seed, FD_STREAM_C2ST, (uint64_t)deal, 0);
    for (size_t i = 0; i < 2 * p->rows; i++) order[i] = (uint32_t)i;
    if (deal > 0) {
        shuffle(&rng, 2 * p->rows, order);
    } else {
        shuffle(&rng, p->rows, order);
        shuffle(&rng, p->rows, order + p->rows);
    }
}

static bool in_fold(const pool *p, size_t position, int f) {
    return (position % p->rows) % FD_C2ST_FOLDS == (size_t)f; // NOLINT(clang-analyzer-core.DivideZero): rows >= FD_C2ST_LEAST
}

static float side(const pool *p, size_t position) { return position < p->rows ? -1 : 1; }

static void gather(const pool *p, const uint32_t *dealt, int f, fold *w) {
    size_t d = (size_t)p->d;
    w->n = 0;
    for (size_t i = 0; i < 2 * p->rows; i++) {
        if (in_fold(p, i, f)) continue;
        memcpy(w->x + w->n * d, p->x + dealt[i] * d, d * sizeof *w->x);
        w->side[w->n++] = side(p, i);
    }
    for (size_t i = 0; i < w->n; i++) w->order[i] = (uint32_t)i;
    for (int i = 0; i < BATCH; i++) w->batch_x[i] = 0, w->batch_time[i] = 1;
}

static fd_status train(const pool *p, int deal, int f, fold *w, fd_network *network, fd_error *err) {
    fd_train_spec spec;
    fd_trainer *trainer;
    fd_rng rng;
    size_t d = (size_t)p->d, at = w->n;
    fd_train_spec_paper(&spec);
    spec.batch = BATCH;
    spec.updates = (long)(EPOCHS * w->n / BATCH) + 1;
    spec.max_rate = 3e-3;
    spec.ema_decay = 0;
    const fd_train_data data = {.n = w->n, .n_train = w->n, .x = w->side, .labels = w->x};
    fd_status status = fd_trainer_create(network, p->schedule, &spec, &data, p->seed, &trainer, err);
    if (status) return status;
    fd_rng_start(&rng, p->seed, FD_STREAM_C2ST, (uint64_t)deal, (uint32_t)(f + 1));
    for (long u = 0; u < spec.updates; u++) {
        for (size_t i = 0; i < BATCH; i++, at++) {
            if (at >= w->n) shuffle(&rng, w->n, w->order), at = 0;
            memcpy(w->batch_rows + i * d, w->x + w->order[at] * d, d * sizeof *w->x);
            w->batch_side[i] = w->side[w->order[at]];
        }
        fd_trainer_step_batch(trainer, w->batch_x, w->batch_rows, w->batch_time, w->batch_side);
    }
    fd_trainer_weights(trainer, false, network->weights);
    fd_trainer_free(trainer);
    return FD_OK;
}

/* Rows of fold f that the network puts on their side. */
static fd_status judge(const pool *p, const uint32_t *dealt, int f, fold *w, const fd_network *network, size_t *right,
                       fd_error *err) {
    fd_denoiser *denoiser;
    size_t d = (size_t)p->d;
    float found[BATCH];
    fd_status status = fd_network_denoiser(network, p->schedule, FD_FLOAT32, &denoiser, err);
    if (status) return status;
    void *scratch = aligned_alloc(64, denoiser->scratch_bytes);
    if (!scratch) status = fd_fail(err, FD_ERR_MEMORY, "classifier: out of memory");
    int rows = 0;
    *right = 0;
    for (size_t i = 0; !status && i < 2 * p->rows; i++) {
        if (in_fold(p, i, f)) {
            memcpy(w->batch_rows + (size_t)rows * d, p->x + dealt[i] * d, d * sizeof *p->x);
            w->batch_side[rows++] = side(p, i);
        }
        if (rows < denoiser->max_rows && (i + 1 < 2 * p->rows || rows == 0)) continue;
        denoiser->prepare(denoiser, rows, w->batch_rows, 0, scratch);
        denoiser->predict(denoiser, rows, w->batch_x, p->schedule->spec.steps, found, scratch);
        for (int j = 0; j < rows; j++) *right += (found[j] > 0) == (w->batch_side[j] > 0);
        rows = 0;
    }
    free(scratch);
    fd_denoiser_free(denoiser);
    return status;
}

static fd_status one_fold(const pool *p, const uint32_t *dealt, int deal, int f, size_t *right, fd_error *err) {
    size_t d = (size_t)p->d, n = 2 * p->rows;
    fd_network *network = NULL;
    fold w = {.x = malloc(n * d * sizeof *w.x), .side = malloc(n * sizeof *w.side), .order = malloc(n * sizeof *w.order),
              .batch_rows = malloc(BATCH * d * sizeof *w.batch_rows)};
    fd_status status = w.x && w.side && w.order && w.batch_rows ? fd_network_create(&p->network, &network, err)
                                                                : fd_fail(err, FD_ERR_MEMORY, "classifier: out of memory");
    if (!status) {
        fd_network_initialise(network, p->seed + (uint64_t)(deal * FD_C2ST_FOLDS + f));
        gather(p, dealt, f, &w);
        status = train(p, deal, f, &w, network, err);
    }
    if (!status) status = judge(p, dealt, f, &w, network, right, err);
    fd_network_free(network);
    free(w.x);
    free(w.side);
    free(w.order);
    free(w.batch_rows);
    return status;
}

/* Accuracies (deals): of the true labels, then of dealt ones. */
static fd_status all_deals(const pool *p, int deals, double *accuracy, fd_error *err) {
    size_t n = 2 * p->rows;
    fd_status status = FD_OK;
    uint32_t *orders = malloc((size_t)deals * n * sizeof *orders);
    size_t *right = calloc((size_t)deals * FD_C2ST_FOLDS, sizeof *right);
    if (!orders || !right) status = fd_fail(err, FD_ERR_MEMORY, "classifier: out of memory");
    for (int i = 0; !status && i < deals; i++) deal_rows(p, i, orders + (size_t)i * n);
    if (!status) {
#pragma omp parallel for schedule(dynamic, 1)
        for (int job = 0; job < deals * FD_C2ST_FOLDS; job++) {
            int deal = job / FD_C2ST_FOLDS;
            fd_error why;
            fd_status one = one_fold(p, orders + (size_t)deal * n, deal, job % FD_C2ST_FOLDS, &right[job], &why);
            if (!one) continue;
#pragma omp critical
            status = fd_fail(err, one, "%s", why.message);
        }
    }
    for (int i = 0; !status && i < deals; i++) {
        size_t sum = 0;
        for (int f = 0; f < FD_C2ST_FOLDS; f++) sum += right[i * FD_C2ST_FOLDS + f];
        accuracy[i] = (double)sum / (double)n;
    }
    free(orders);
    free(right);
    return status;
}

/* Both sets as float, each column with mean 0 and deviation 1 over both; a column without spread is 0. */
static void standardise(pool *p, const double *x, const double *y) {
    size_t d = (size_t)p->d, n = p->rows;
    for (size_t j = 0; j < d; j++) {
        double mean = 0, square = 0;
        for (size_t i = 0; i < n; i++) mean += (x[i * d + j] + y[i * d + j]) / (2 * (double)n);
        for (size_t i = 0; i < n; i++) square += pow(x[i * d + j] - mean, 2) + pow(y[i * d + j] - mean, 2);
        double scale = square > 0 ? sqrt(2 * (double)n / square) : 0;
        for (size_t i = 0; i < n; i++) {
            p->x[i * d + j] = (float)((x[i * d + j] - mean) * scale);
            p->x[(n + i) * d + j] = (float)((y[i * d + j] - mean) * scale);
        }
    }
}

static void conclude(int permutations, const double *accuracy, fd_c2st *r) {
    double sum = 0, square = 0;
    r->accuracy = accuracy[0];
    r->permutations = permutations;
    for (int i = 1; i <= permutations; i++) {
        sum += accuracy[i];
        r->exceeding += accuracy[i] >= accuracy[0];
    }
    r->null_mean = sum / permutations;
    for (int i = 1; i <= permutations; i++) square += pow(accuracy[i] - r->null_mean, 2);
    r->null_deviation = sqrt(square / (permutations - 1));
    double spread = r->null_deviation * sqrt(1 + 1.0 / permutations);
    r->null99 = r->null_mean + spread * fd_student_quantile(0.01, permutations - 1);
    r->tail = spread > 0 ? fd_student_tail((r->accuracy - r->null_mean) / spread, permutations - 1)
                         : r->accuracy <= r->null_mean;
}

fd_status fd_c2st_run(size_t n, size_t m, int d, const double *x, const double *y, const fd_c2st_spec *spec, fd_c2st *result,
                      fd_error *err) {
    size_t rows = n < m ? n : m;
    fd_schedule_spec schedule;
    *result = (fd_c2st){0};
    if (spec->most && rows > spec->most) rows = spec->most;
    if (rows < FD_C2ST_LEAST)
        return fd_fail(err, FD_ERR_EMPTY, "classifier: %zu rows of a set, at least %d are needed", rows, FD_C2ST_LEAST);
    if (spec->permutations < 2) return fd_fail(err, FD_ERR_USAGE, "classifier: at least 2 permutations are needed");
    pool p = {.rows = rows, .d = d, .seed = spec->seed, .x = malloc(2 * rows * (size_t)d * sizeof *p.x),
              .network = {.dim = 1, .n_labels = d, .n_hidden = 2, .widths = {WIDTH, WIDTH}, .activations = {FD_SILU, FD_SILU}}};
    double *accuracy = malloc((size_t)(spec->permutations + 1) * sizeof *accuracy);
    fd_schedule_spec_paper(&schedule);
    fd_status status = p.x && accuracy ? FD_OK : fd_fail(err, FD_ERR_MEMORY, "classifier: out of memory");
    if (!status) status = fd_schedule_create(&schedule, &p.schedule, err);
    if (!status) {
        standardise(&p, x, y);
        status = all_deals(&p, spec->permutations + 1, accuracy, err);
    }
    if (!status) {
        result->rows = rows;
        conclude(spec->permutations, accuracy, result);
    }
    fd_schedule_free(p.schedule);
    free(p.x);
    free(accuracy);
    return status;
}
