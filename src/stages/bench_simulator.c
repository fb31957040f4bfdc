/* Rates of `bench` that need no network. */
#include <math.h>

#include "kernels/kernels.h"
#include "physics/takagi.h"
#include "stages/bench.h"

enum { CHUNK = 64, PROPOSALS = 2000, ROWS = 512 };

/* ---- the forward map ------------------------------------------------------------------------------------------------ */

typedef enum part { LABELS, OBSERVABLES, DERIVATIVES } part;

static fd_status map(fd_bench *b, size_t n, part what, double *done) {
    const fd_model *model = b->setting.model;
    long chunks = (long)((n + CHUNK - 1) / CHUNK);
#pragma omp parallel for schedule(static)
    for (long k = 0; k < chunks; k++) {
        const double *theta = b->points + (size_t)(k % (FD_BENCH_POINTS / CHUNK)) * CHUNK * (size_t)model->n_params;
        double labels[CHUNK * FD_MAX_LABELS], out[CHUNK * FD_MAX_LABELS * FD_MAX_PARAMS];
        if (what == DERIVATIVES) model->derivatives(model, CHUNK, theta, labels, out);
        else model->forward(model, CHUNK, theta, labels, what == OBSERVABLES ? out : NULL);
    }
    *done = (double)chunks * CHUNK;
    return FD_OK;
}

static fd_status labels(fd_bench *b, size_t n, double *done, fd_error *err) {
    (void)err;
    return map(b, n, LABELS, done);
}
static fd_status observables(fd_bench *b, size_t n, double *done, fd_error *err) {
    (void)err;
    return map(b, n, OBSERVABLES, done);
}
static fd_status derivatives(fd_bench *b, size_t n, double *done, fd_error *err) {
    (void)err;
    return map(b, n, DERIVATIVES, done);
}

/* ---- kernels -------------------------------------------------------------------------------------------------------- */

/* Random matrices, factorised again and again. */
static fd_status takagi(fd_bench *b, size_t n, double *done, fd_error *err) {
    (void)err;
    long batches = (long)((n + FD_LANES - 1) / FD_LANES);
#pragma omp parallel
    {
        fd_takagi_lanes lanes;
        fd_rng rng;
        fd_rng_start(&rng, b->run->config->seed, FD_STREAM_TEST, 0, 0);
        for (int e = 0; e < FD_SYM; e++)
            for (int w = 0; w < FD_LANES; w++) lanes.m_re[e][w] = fd_rng_normal(&rng), lanes.m_im[e][w] = fd_rng_normal(&rng);
#pragma omp for schedule(static)
        for (long k = 0; k < batches; k++) {
            fd_takagi_lanes own = lanes;
            fd_takagi_batch(&own);
        }
    }
    *done = (double)batches * FD_LANES;
    return FD_OK;
}

static fd_status noise(fd_bench *b, size_t n, double *done, fd_error *err) {
    (void)err;
    enum { ITEMS = 64, COLUMNS = 24 };
    long tiles = (long)((n + ITEMS * COLUMNS - 1) / (ITEMS * COLUMNS));
    uint32_t key[2];
    fd_rng_key(b->run->config->seed, FD_STREAM_TEST, key);
#pragma omp parallel for schedule(static)
    for (long k = 0; k < tiles; k++) {
        float out[ITEMS * COLUMNS];
        fd_kernels_get()->normals(key, (uint64_t)k * ITEMS, 0, ITEMS, COLUMNS, out, COLUMNS);
    }
    *done = (double)tiles * ITEMS * COLUMNS;
    return FD_OK;
}

/* ---- exact draws ---------------------------------------------------------------------------------------------------- */

/* n times PROPOSALS proposals for draws inside the windows widened by `widen`; cluster 0: by rejection. Counts draws, or
 * proposals. */
static fd_status draw(fd_bench *b, double widen, double cluster, size_t n, bool solutions, double *done) {
    const fd_model *model = b->setting.model;
    fd_region region;
    double count = 0;
    fd_judge_region(b->setting.judge, widen, &region);
#pragma omp parallel for schedule(dynamic, 1) reduction(+ : count)
    for (long k = 0; k < (long)n; k++) {
        double theta[ROWS * FD_MAX_PARAMS];
        uint64_t tried = PROPOSALS;
        fd_rng rng;
        fd_rng_start(&rng, b->run->config->seed, FD_STREAM_REFERENCE, b->next + (uint64_t)k, 0);
        size_t rows = cluster > 0 ? fd_region_draw(model, &region, &rng, cluster, ROWS, theta, &tried)
                                  : fd_region_reject(model, &region, &rng, ROWS, theta, &tried);
        count += solutions ? (double)rows : (double)tried;
    }
    b->next += n;
    *done = count;
    return FD_OK;
}

static fd_status rejection(fd_bench *b, size_t n, double *done, fd_error *err) {
    (void)err;
    return draw(b, 1, 0, n, false, done);
}
static fd_status orbits(fd_bench *b, size_t n, double *done, fd_error *err) {
    (void)err;
    return draw(b, 1, b->run->config->reference.cluster, n, true, done);
}
static fd_status pairs(fd_bench *b, size_t n, double *done, fd_error *err) {
    (void)err;
    return draw(b, b->run->config->informed.widen, b->run->config->informed.cluster, n, true, done);
}

const fd_bench_rate fd_bench_simulator[] = {
    {"labels", "points", "forward map to the labels", NULL, labels},
    {"observables", "points", "forward map to labels and all observables", NULL, observables},
    {"derivatives", "points", "labels and their derivatives", NULL, derivatives},
    {"takagi", "matrices", "Takagi factorisation, 3 x 3", NULL, takagi},
    {"noise", "normals", "counter-based normal numbers", NULL, noise},
    {"rejection", "proposals", "prior draws, k solved for the 3 sigma windows", NULL, rejection},
    {"orbits", "solutions", "exact solutions (reference.cluster)", NULL, orbits},
    {"pairs", "pairs", "training pairs in widened windows (informed.draws)", NULL, pairs},
    {0},
};
