#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <omp.h>

#include "flavordiff/rng.h"
#include "kernels/mixed.h"
#include "network/trainer_internal.h"

/* POOL: updates that a source is asked for at once. */
enum { ALIGN = 64, MAX_MEMORY = 160, SLACK = FD_PANEL, POOL = 32 };

/* ---- creation ---- */

static fd_status check_data(const fd_network *network, const fd_train_data *d, fd_error *err) {
    if (d->n_train == 0 && !d->source) return fd_fail(err, FD_ERR_EMPTY, "training: no training pairs");
    if (d->n_train > d->n || d->n_train > UINT32_MAX || (d->source && d->n_train))
        return fd_fail(err, FD_ERR_CONFIG, "training: %zu training pairs of %zu%s", d->n_train, d->n,
                       d->source ? " beside a source of pairs" : "");
    int features = d->informant ? d->informant->n_features : 0;
    if (network->spec.n_features != features)
        return fd_fail(err, FD_ERR_MISMATCH, "training: a network of %d features, told %d", network->spec.n_features,
                       features);
    return FD_OK;
}

static fd_status check(const fd_network *network, const fd_train_spec *s, fd_error *err) {
    if (s->batch < 1) return fd_fail(err, FD_ERR_CONFIG, "training: batch is %d, must be at least 1", s->batch);
    if (s->updates < 1) return fd_fail(err, FD_ERR_CONFIG, "training: updates is %ld, must be at least 1", s->updates);
    if (!(s->max_rate > 0) || !isfinite(s->max_rate))
        return fd_fail(err, FD_ERR_CONFIG, "training: max_rate is %g, must be positive", s->max_rate);
    if (!(s->warmup >= 0 && s->warmup <= 1))
        return fd_fail(err, FD_ERR_CONFIG, "training: warmup is %g, must be in [0, 1]", s->warmup);
    if (!(s->div > 0) || !(s->final_div > 0))
        return fd_fail(err, FD_ERR_CONFIG, "training: div and final_div are %g and %g, must be positive", s->div,
                       s->final_div);
    if (!(s->beta1_min >= 0 && s->beta1_min < 1 && s->beta1_max >= 0 && s->beta1_max < 1 && s->beta2 >= 0 &&
          s->beta2 < 1))
        return fd_fail(err, FD_ERR_CONFIG, "training: beta1 and beta2 must be in [0, 1)");
    if (!(s->epsilon > 0)) return fd_fail(err, FD_ERR_CONFIG, "training: epsilon is %g, must be positive", s->epsilon);
    if (!(s->label_drop >= 0 && s->label_drop <= 1))
        return fd_fail(err, FD_ERR_CONFIG, "training: label_drop is %g, must be in [0, 1]", s->label_drop);
    if (!(s->ema_decay >= 0 && s->ema_decay < 1))
        return fd_fail(err, FD_ERR_CONFIG, "training: ema_decay is %g, must be in [0, 1)", s->ema_decay);
    if (s->frozen_layers < 0 || s->frozen_layers > network->spec.n_hidden)
        return fd_fail(err, FD_ERR_CONFIG,
                       "training: frozen_layers is %d, must be 0..%d (the output layer always trains)",
                       s->frozen_layers, network->spec.n_hidden);
    if (!isfinite(s->noise_mean) || !(s->noise_spread >= 0) || !isfinite(s->noise_spread))
        return fd_fail(err, FD_ERR_CONFIG, "training: noise_mean is %g and noise_spread %g; finite numbers are needed, and a "
                       "spread of at least 0", s->noise_mean, s->noise_spread);
    return FD_OK;
}

static fd_status check_finite(const char *what, const float *x, size_t rows, int columns, fd_error *err) {
    for (size_t i = 0; i < rows * (size_t)columns; i++)
        if (!isfinite(x[i]))
            return fd_fail(err, FD_ERR_VALUE, "training: %s is not finite in row %zu, column %zu", what,
                           i / (size_t)columns, i % (size_t)columns);
    return FD_OK;
}

/* Zeroed memory that lives as long as the trainer; NULL once anything failed. */
static void *take(fd_trainer *tr, size_t count, size_t size) {
    size_t bytes = (count * size + ALIGN - 1) / ALIGN * ALIGN + ALIGN;
    void *p = tr->n_memory < MAX_MEMORY ? aligned_alloc(ALIGN, bytes) : NULL;
    if (!p) {
        tr->n_memory = MAX_MEMORY; /* the next ones fail as well, and create() sees it */
        return NULL;
    }
    memset(p, 0, bytes);
    tr->memory[tr->n_memory++] = p;
    return p;
}

/* In mixed precision the other operand is rounded anew for every block: they are larger. */
static int block_rows(const fd_trainer *tr) {
    return tr->spec.precision == FD_BF16 ? FD_MIXED_BLOCK_ROWS : FD_BLOCK_ROWS;
}

static void lay_out(fd_trainer *tr) {
    size_t padded_batch = (size_t)FD_PANEL_UP(tr->spec.batch);
    int most = block_rows(tr);
    for (int i = 0; i < tr->n_layers; i++) {
        fd_layer *l = &tr->layers[i];
        l->n_before = i ? tr->net.widths[i - 1] : tr->n_inputs;
        l->n_in = l->n_before + tr->net.n_labels + 2;
        l->n_out = i < tr->net.n_hidden ? tr->net.widths[i] : tr->net.dim;
        l->act = i < tr->net.n_hidden ? tr->net.activations[i] : FD_IDENTITY;
        l->weight = tr->n_weights;
        l->w_row = (l->n_in + 15) / 16 * 16;
        tr->n_weights += (size_t)l->n_out * (size_t)l->w_row;
        /* delta_row: widths are often powers of two, and such a stride would map all rows to a few cache sets; that of
         * the inputs has labels, time and bias beside the width. */
        l->input_row = FD_PANEL_UP(l->n_in);
        l->delta_row = FD_PANEL_UP(l->n_out) + 16;
        l->input = take(tr, padded_batch * (size_t)l->input_row, sizeof(float));
        l->delta = take(tr, padded_batch * (size_t)l->delta_row, sizeof(float));
        if (l->act == FD_SILU) l->before_act = take(tr, padded_batch * (size_t)l->delta_row, sizeof(float));
        if (i >= tr->spec.frozen_layers) tr->n_blocks += (l->n_out + most - 1) / most;
    }
    tr->blocks = take(tr, (size_t)tr->n_blocks, sizeof *tr->blocks);
    if (!tr->blocks) return;
    int b = 0;
    for (int i = tr->spec.frozen_layers; i < tr->n_layers; i++)
        for (int row = 0, n = tr->layers[i].n_out; row < n; row += most)
            tr->blocks[b++] = (fd_block){i, row, n - row < most ? n - row : most};
}

/* Scratch of the largest of a worker's products: a layer's weights times a shard, a shard of deltas times them, and a block's gradient. */
static size_t mixed_bytes(const fd_trainer *tr) {
    size_t most = fd_mixed_scratch_bytes(FD_MIXED_BLOCK_ROWS, tr->spec.batch);
    for (int i = 0; i < tr->n_layers; i++) {
        const fd_layer *l = &tr->layers[i];
        size_t forward = fd_mixed_scratch_bytes(l->n_out, l->n_in), backward = fd_mixed_scratch_bytes(FD_SHARD, l->n_out);
        if (forward > most) most = forward;
        if (backward > most) most = backward;
    }
    return (most + ALIGN - 1) / ALIGN * ALIGN;
}

static void make_workers(fd_trainer *tr) {
    int dim = tr->net.dim, nl = tr->net.n_labels;
    size_t features = 0, row = 0;
    for (int i = 0; i < tr->n_layers; i++) {
        const fd_layer *l = &tr->layers[i];
        if ((size_t)l->n_in > features) features = (size_t)l->n_in;
        if ((size_t)l->n_out > features) features = (size_t)l->n_out;
        if ((size_t)l->input_row > row) row = (size_t)l->input_row;
    }
    size_t x = (size_t)dim * FD_SHARD, rows = FD_SHARD;
    size_t sizes[] = {features * FD_SHARD, features * FD_SHARD, (size_t)(nl + 2) * rows, features * FD_SHARD,
                      (size_t)block_rows(tr) * row, (size_t)tr->n_inputs * rows, (size_t)nl * rows, rows, x, x, x, x, rows, rows};
    enum { PARTS = sizeof sizes / sizeof *sizes };
    size_t total = 0, scratch = tr->informant ? tr->informant->scratch_bytes : 0;
    for (size_t i = 0; i < PARTS; i++) total += sizes[i] = (sizes[i] + 31) / 32 * 32;
    tr->n_workers = omp_get_max_threads() > omp_get_num_procs() ? omp_get_max_threads() : omp_get_num_procs();
    tr->workers = take(tr, (size_t)tr->n_workers, sizeof *tr->workers);
    float *at = take(tr, (size_t)tr->n_workers * total, sizeof(float));
    char *informant = scratch ? take(tr, (size_t)tr->n_workers, scratch) : NULL;
    size_t wide = tr->spec.precision == FD_BF16 ? mixed_bytes(tr) : 0;
    char *mixed = wide ? take(tr, (size_t)tr->n_workers, wide) : NULL;
    if (!tr->workers || !at || (scratch && !informant) || (wide && !mixed)) return;
    for (int i = 0; i < tr->n_workers; i++) {
        fd_worker *w = &tr->workers[i];
        float *part[PARTS];
        for (size_t p = 0; p < PARTS; at += sizes[p++]) part[p] = at;
        *w = (fd_worker){.from = part[0],
                         .to = part[1],
                         .condition = part[2],
                         .before_act = part[3],
                         .gradient = part[4],
                         .rows = {part[5], part[6], part[7], part[8]},
                         .mixed = wide ? mixed + (size_t)i * wide : NULL,
                         .x = part[9],
                         .noise = part[10],
                         .guess = part[11],
                         .t = (int *)part[12],
                         .given = (uint8_t *)part[13],
                         .informant = informant ? informant + (size_t)i * scratch : NULL};
    }
}

static void make_state(fd_trainer *tr) {
    size_t batch = (size_t)FD_PANEL_UP(tr->spec.batch), dim = (size_t)tr->net.dim, nl = (size_t)tr->net.n_labels;
    /* The last panel of backward's operand reads a little past its row. */
    tr->w = take(tr, tr->n_weights + SLACK, sizeof(float));
    tr->m = take(tr, tr->n_weights, sizeof(float));
    tr->v = take(tr, tr->n_weights, sizeof(float));
    if (tr->spec.ema_decay > 0) tr->ema = take(tr, tr->n_weights + SLACK, sizeof(float));
    tr->signal = take(tr, (size_t)tr->steps + 1, sizeof(double));
    tr->spread = take(tr, (size_t)tr->steps + 1, sizeof(double));
    tr->pairs = take(tr, batch, sizeof *tr->pairs);
    tr->t_below = take(tr, (size_t)tr->steps + 1, sizeof(double));
    tr->batch.inputs = take(tr, batch * (size_t)tr->n_inputs, sizeof(float));
    tr->batch.labels = take(tr, batch * nl, sizeof(float));
    tr->batch.time = take(tr, batch, sizeof(float));
    tr->batch.target = take(tr, batch * dim, sizeof(float));
    if (tr->source) {
        tr->data = tr->pool_x = take(tr, tr->n_train * dim, sizeof(float));
        tr->labels = tr->pool_labels = take(tr, tr->n_train * nl, sizeof(float));
    } else {
        tr->order = take(tr, tr->n_train, sizeof *tr->order);
    }
    tr->row_loss = take(tr, batch, sizeof(double));
    tr->shard_loss = take(tr, tr->n_valid / FD_SHARD + 1, sizeof(double));
}

/* Canonical weights of one layer to or from the trainer's matrix. */
static void copy_layer(const fd_trainer *tr, int layer, float *matrix, float *canonical, bool into_matrix) {
    const fd_layer *l = &tr->layers[layer];
    int n_in, n_out;
    size_t weight, bias;
    fd_network_layer(&tr->net, layer, &n_in, &n_out, &weight, &bias);
    for (int i = 0; i < n_out; i++) {
        float *row = matrix + l->weight + i * l->w_row;
        float *w = canonical + weight + (size_t)i * (size_t)n_in, *b = canonical + bias + i;
        if (into_matrix) {
            memcpy(row, w, (size_t)n_in * sizeof *w);
            row[n_in] = *b;
        } else {
            memcpy(w, row, (size_t)n_in * sizeof *w);
            *b = row[n_in];
        }
    }
}

/* Distribution of the training times. */
static void fill_times(fd_trainer *tr) {
    double sum = 0;
    for (int t = 1; t <= tr->steps; t++) {
        double weight = 1;
        if (tr->spec.noise_spread > 0) {
            /* density of log s times the width of the cell around t */
            int before = t > 1 ? t - 1 : t, after = t < tr->steps ? t + 1 : t;
            double here = log(tr->spread[t] / tr->signal[t]);
            double width = after > before ? log(tr->spread[after] / tr->signal[after]) -
                                                log(tr->spread[before] / tr->signal[before])
                                          : 1;
            double u = (here - tr->spec.noise_mean) / tr->spec.noise_spread;
            weight = exp(-0.5 * u * u) * width / (after - before > 1 ? 2 : 1) + 1e-12;
        }
        tr->t_below[t] = sum += weight;
    }
    for (int t = 1; t <= tr->steps; t++) tr->t_below[t] /= sum;
}

static int draw_time(const fd_trainer *tr, fd_rng *rng) {
    if (tr->spec.noise_spread == 0) return 1 + (int)fd_rng_below(rng, (uint64_t)tr->steps);
    double u = fd_rng_uniform(rng);
    int low = 1, high = tr->steps; /* the first t with u < t_below[t] */
    while (low < high) {
        int middle = (low + high) / 2;
        if (u < tr->t_below[middle]) high = middle;
        else low = middle + 1;
    }
    return low;
}

static void fill(fd_trainer *tr, const fd_network *network, const fd_schedule *schedule) {
    for (int i = 0; i < tr->n_layers; i++) copy_layer(tr, i, tr->w, network->weights, true);
    if (tr->ema) memcpy(tr->ema, tr->w, tr->n_weights * sizeof(float));
    for (int t = 0; t <= tr->steps; t++) {
        tr->signal[t] = sqrt(schedule->alpha_bar[t]);
        tr->spread[t] = sqrt(schedule->noise[t]);
    }
    fill_times(tr);
    tr->epoch = UINT64_MAX; /* no permutation yet */
}

fd_status fd_trainer_create(const fd_network *network, const fd_schedule *schedule, const fd_train_spec *spec,
                            const fd_train_data *data, uint64_t seed, fd_trainer **trainer, fd_error *err) {
    *trainer = NULL;
    size_t n = data->n;
    fd_status status = check(network, spec, err);
    if (status == FD_OK) status = check_data(network, data, err);
    if (status == FD_OK) status = check_finite("x", data->x, n, network->spec.dim, err);
    if (status == FD_OK && network->spec.n_labels)
        status = check_finite("label", data->labels, n, network->spec.n_labels, err);
    if (status == FD_OK) status = check_finite("initial weight", network->weights, network->n_weights, 1, err);
    if (status != FD_OK) return status;
    fd_trainer *tr = calloc(1, sizeof *tr);
    if (tr) tr->memory = calloc(MAX_MEMORY, sizeof *tr->memory);
    if (!tr || !tr->memory) {
        free(tr);
        return fd_fail(err, FD_ERR_MEMORY, "training: out of memory");
    }
    tr->net = network->spec;
    tr->spec = *spec;
    tr->kernels = fd_kernels_get();
    tr->steps = schedule->spec.steps;
    tr->seed = seed;
    tr->n_inputs = network->spec.dim + network->spec.n_features;
    tr->source = data->source;
    tr->informant = data->informant;
    tr->data = data->x;
    tr->labels = data->labels;
    tr->n_valid = n - data->n_train;
    tr->valid_x = n ? data->x + data->n_train * (size_t)network->spec.dim : NULL;
    tr->valid_labels = n && data->labels ? data->labels + data->n_train * (size_t)network->spec.n_labels : NULL;
    size_t pool = (size_t)POOL * (size_t)spec->batch;
    tr->n_train = data->source ? (pool + FD_PAIR_BLOCK - 1) / FD_PAIR_BLOCK * FD_PAIR_BLOCK : data->n_train;
    tr->n_layers = network->spec.n_hidden + 1;
    lay_out(tr);
    make_workers(tr);
    make_state(tr);
    if (tr->n_memory == MAX_MEMORY) {
        fd_trainer_free(tr);
        return fd_fail(err, FD_ERR_MEMORY, "training: out of memory");
    }
    fill(tr, network, schedule);
    *trainer = tr;
    return FD_OK;
}

void fd_trainer_free(fd_trainer *tr) {
    if (!tr) return;
    for (int i = 0; i < MAX_MEMORY; i++) free(tr->memory[i]);
    free(tr->memory);
    free(tr->sent);
    free(tr->received);
    free(tr);
}

/* ---- batches ---- */

static int threads(const fd_trainer *tr) {
    int n = omp_get_max_threads();
    return n < tr->n_workers ? n : tr->n_workers;
}

/* Fisher-Yates from the epoch's own stream. */
static void shuffle(fd_trainer *tr, uint64_t epoch) {
    fd_rng rng;
    fd_rng_start(&rng, tr->seed, FD_STREAM_SHUFFLE, epoch, 0);
    for (size_t i = 0; i < tr->n_train; i++) tr->order[i] = (uint32_t)i;
    for (size_t i = tr->n_train - 1; i > 0; i--) {
        size_t j = fd_rng_below(&rng, i + 1);
        uint32_t swap = tr->order[i];
        tr->order[i] = tr->order[j];
        tr->order[j] = swap;
    }
    tr->epoch = epoch;
}

/* Fills the pool. Neighbours in it may be related (draws of one orbit), so an update takes every POOL-th. */
static void refill(fd_trainer *tr) {
    size_t blocks = tr->n_train / FD_PAIR_BLOCK, from, to;
    uint64_t first = (uint64_t)(tr->done / POOL) * (uint64_t)blocks;
    fd_team_part(tr->team, blocks, 1, &from, &to);
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads(tr))
    for (size_t b = from; b < to; b++) {
        size_t row = b * FD_PAIR_BLOCK;
        tr->source->draw(tr->source, tr->seed, first + (uint64_t)b, FD_PAIR_BLOCK,
                         tr->pool_x + row * (size_t)tr->net.dim, tr->pool_labels + row * (size_t)tr->net.n_labels);
    }
    fd_share_pool(tr);
}

/* Pairs of this update. Position p of the endless sequence is pair p mod n_train of epoch p / n_train, so a batch may
 * straddle epochs and no pair is left out. */
static void choose_pairs(fd_trainer *tr) {
    if (tr->source) {
        if (tr->done % POOL == 0) refill(tr);
        for (int i = 0; i < tr->spec.batch; i++) tr->pairs[i] = (size_t)i * POOL + (size_t)(tr->done % POOL);
        return;
    }
    uint64_t position = (uint64_t)tr->done * (uint64_t)tr->spec.batch;
    for (int i = 0; i < tr->spec.batch; i++, position++) {
        if (position / tr->n_train != tr->epoch) shuffle(tr, position / tr->n_train);
        tr->pairs[i] = tr->order[position % tr->n_train];
    }
}

/* x_t = sqrt(abar_t) x_0 + sqrt(1 - abar_t) noise */
static void add_noise(const fd_trainer *tr, const float *x0, int t, const float *noise, float *x) {
    float signal = (float)tr->signal[t], spread = (float)tr->spread[t];
    for (int j = 0; j < tr->net.dim; j++) x[j] = signal * x0[j] + spread * noise[j];
}

/* Every noisy point with its x_0 through the symmetry that orients it. */
static void orient_rows(const fd_trainer *tr, fd_worker *w, int rows, fd_rows *out) {
    int dim = tr->net.dim, source[FD_MAX_PARAMS];
    float sign[FD_MAX_PARAMS], clean[FD_MAX_PARAMS];
    for (int i = 0; i < rows; i++) {
        float *x = w->x + i * dim, *x0 = out->target + i * dim, *input = out->inputs + i * tr->n_inputs;
        tr->informant->orient(tr->informant, x, source, sign);
        memcpy(clean, x0, (size_t)dim * sizeof *clean);
        for (int j = 0; j < dim; j++) {
            x0[j] = sign[j] * clean[source[j]];
            input[j] = sign[j] * x[source[j]];
        }
        memcpy(x, input, (size_t)dim * sizeof *x);
    }
}

/* Inputs and targets of rows whose x_0, noise, t and labels are there: w->x holds x_0 and becomes x_t. */
static void make_inputs(const fd_trainer *tr, fd_worker *w, int rows, fd_rows *out) {
    int dim = tr->net.dim;
    const fd_informant *informant = tr->informant;
    for (int i = 0; i < rows; i++) {
        float *x = w->x + i * dim, *input = out->inputs + i * tr->n_inputs;
        add_noise(tr, x, w->t[i], w->noise + i * dim, input);
        out->time[i] = (float)((double)w->t[i] / tr->steps);
        memcpy(out->target + i * dim, informant ? x : w->noise + i * dim, (size_t)dim * sizeof *x);
        memcpy(x, input, (size_t)dim * sizeof *x);
    }
    if (!informant) return;
    if (informant->orient) orient_rows(tr, w, rows, out);
    informant->inform(informant, rows, w->x, w->t, out->labels, w->given, out->inputs + dim, tr->n_inputs, w->guess,
                      w->informant);
    for (int i = 0; i < rows; i++) {
        float inverse = (float)(1 / informant->c[w->t[i]]);
        for (int j = 0; j < dim; j++) out->target[i * dim + j] = (w->guess[i * dim + j] - out->target[i * dim + j]) * inverse;
    }
}

/* Rows first..first+rows of the trainer's own batch. */
static void make_rows(fd_trainer *tr, fd_worker *w, int rows, int first) {
    size_t dim = (size_t)tr->net.dim, nl = (size_t)tr->net.n_labels;
    fd_rows *batch = &tr->batch;
    fd_rows out = {batch->inputs + (size_t)first * (size_t)tr->n_inputs, batch->labels + (size_t)first * nl,
                   batch->time + first, batch->target + (size_t)first * dim};
    uint32_t key[2];
    fd_rng_key(tr->seed, FD_STREAM_TRAIN_NOISE, key);
    tr->kernels->normals(key, (uint64_t)tr->done * (uint64_t)tr->spec.batch + (uint64_t)first, 0, rows, tr->net.dim,
                         w->noise, tr->net.dim);
    for (int i = 0; i < rows; i++) {
        fd_rng rng;
        fd_rng_start(&rng, tr->seed, FD_STREAM_TRAIN, (uint64_t)tr->done, (uint32_t)(first + i));
        w->t[i] = draw_time(tr, &rng);
        size_t pair = tr->pairs[first + i];
        float *label = out.labels + (size_t)i * nl;
        w->given[i] = !(fd_rng_uniform(&rng) < tr->spec.label_drop);
        if (!w->given[i])
            memset(label, 0, nl * sizeof *label);
        else if (nl)
            memcpy(label, tr->labels + pair * nl, nl * sizeof *label);
        memcpy(w->x + (size_t)i * dim, tr->data + pair * dim, dim * sizeof(float));
    }
    make_inputs(tr, w, rows, &out);
}

static fd_batch rows_from(const fd_trainer *tr, const fd_batch *b, int first) {
    ptrdiff_t dim = tr->net.dim, nl = tr->net.n_labels;
    return (fd_batch){b->inputs + (ptrdiff_t)first * tr->n_inputs, b->labels + first * nl, b->time + first,
                      b->target + first * dim};
}

/* ---- the update ---- */

static fd_adam adam_of_update(const fd_trainer *tr) {
    double rate, beta1, count = (double)(tr->done + 1);
    fd_one_cycle(&tr->spec, tr->done, &rate, &beta1);
    /* PyTorch corrects with the present beta1 to the power of the count, though beta1 was another before. */
    return (fd_adam){.one_minus_beta1 = (float)(1 - beta1),
                     .beta2 = (float)tr->spec.beta2,
                     .one_minus_beta2 = (float)(1 - tr->spec.beta2),
                     .step = (float)(rate / (1 - pow(beta1, count))),
                     .inv_sqrt_correction2 = (float)(1 / sqrt(1 - pow(tr->spec.beta2, count))),
                     .eps = (float)tr->spec.epsilon,
                     .one_minus_ema = (float)(1 - tr->spec.ema_decay)};
}

/* With own, the batch is still to be made, by the threads that use it. */
static double update(fd_trainer *tr, const fd_batch *batch, bool own) {
    fd_adam adam = adam_of_update(tr);
    int size = tr->spec.batch;
    size_t from, to, first_block, end_block;
    fd_team_part(tr->team, (size_t)(size + FD_SHARD - 1) / FD_SHARD, 1, &from, &to);
    fd_team_part(tr->team, (size_t)tr->n_blocks, 1, &first_block, &end_block);
#pragma omp parallel num_threads(threads(tr))
    {
        fd_worker *worker = &tr->workers[omp_get_thread_num()];
#pragma omp for schedule(static)
        for (size_t s = from; s < to; s++) {
            int first = (int)s * FD_SHARD, rows = size - first < FD_SHARD ? size - first : FD_SHARD;
            if (own) make_rows(tr, worker, rows, first);
            fd_batch shard = rows_from(tr, batch, first);
            fd_pass_shard(tr, worker, &shard, rows, first);
        }
        if (tr->team) { /* by the thread that MPI knows */
#pragma omp master
            fd_share_batch(tr);
#pragma omp barrier
        }
#pragma omp for schedule(dynamic, 2)
        for (size_t b = first_block; b < end_block; b++) fd_pass_block(tr, worker, &tr->blocks[b], &adam);
    }
    fd_share_weights(tr, tr->w);
    double loss = 0;
    for (int i = 0; i < size; i++) loss += tr->row_loss[i];
    tr->done++;
    return loss / size;
}

double fd_trainer_step(fd_trainer *tr) {
    fd_batch own = {tr->batch.inputs, tr->batch.labels, tr->batch.time, tr->batch.target};
    choose_pairs(tr);
    return update(tr, &own, true);
}

double fd_trainer_step_batch(fd_trainer *tr, const float *inputs, const float *labels, const float *time,
                             const float *target) {
    fd_batch given = {inputs, labels, time, target};
    return update(tr, &given, false);
}

long fd_trainer_updates_done(const fd_trainer *tr) { return tr->done; }

/* Sum of the losses of validation rows first..first+rows. */
static double validate_shard(const fd_trainer *tr, const float *weights, fd_worker *w, int rows, size_t first) {
    int dim = tr->net.dim;
    size_t nl = (size_t)tr->net.n_labels;
    uint32_t key[2];
    fd_rng_key(tr->seed, FD_STREAM_VALIDATE_NOISE, key);
    tr->kernels->normals(key, first, 0, rows, dim, w->noise, dim);
    for (int i = 0; i < rows; i++) {
        size_t row = first + (size_t)i;
        fd_rng rng;
        fd_rng_start(&rng, tr->seed, FD_STREAM_VALIDATE, row, 0);
        w->t[i] = draw_time(tr, &rng);
        w->given[i] = 1;
        if (nl) memcpy(w->rows.labels + (size_t)i * nl, tr->valid_labels + row * nl, nl * sizeof(float));
        memcpy(w->x + i * dim, tr->valid_x + row * (size_t)dim, (size_t)dim * sizeof(float));
    }
    make_inputs(tr, w, rows, &w->rows);
    fd_batch batch = {w->rows.inputs, w->rows.labels, w->rows.time, w->rows.target};
    const float *found = fd_pass_forward(tr, weights, w, &batch, rows, -1);
    double loss = 0;
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < dim; j++) {
            double difference = (double)found[j * FD_SHARD + i] - batch.target[i * dim + j];
            loss += difference * difference / dim;
        }
    return loss;
}

double fd_trainer_validate(fd_trainer *tr, bool ema, size_t max_rows) {
    size_t rows = tr->n_valid;
    if (rows > max_rows) rows = max_rows;
    if (rows == 0) return NAN;
    const float *weights = ema && tr->ema ? tr->ema : tr->w;
    long shards = (long)((rows + FD_SHARD - 1) / FD_SHARD);
#pragma omp parallel for schedule(static) num_threads(threads(tr))
    for (long s = 0; s < shards; s++) {
        size_t first = (size_t)s * FD_SHARD;
        int count = rows - first < FD_SHARD ? (int)(rows - first) : FD_SHARD;
        tr->shard_loss[s] = validate_shard(tr, weights, &tr->workers[omp_get_thread_num()], count, first);
    }
    double loss = 0;
    for (long s = 0; s < shards; s++) loss += tr->shard_loss[s];
    return loss / (double)rows;
}

void fd_trainer_weights(const fd_trainer *tr, bool ema, float *weights) {
    float *from = ema && tr->ema ? tr->ema : tr->w;
    for (int i = 0; i < tr->n_layers; i++) copy_layer(tr, i, from, weights, false);
}

/* ---- state ---- */

size_t fd_trainer_state_bytes(const fd_trainer *tr) {
    return sizeof(int64_t) + (tr->ema ? 4 : 3) * tr->n_weights * sizeof(float);
}

void fd_trainer_save(const fd_trainer *tr, void *state) {
    int64_t done = tr->done;
    size_t size = tr->n_weights * sizeof(float);
    char *to = state;
    memcpy(to, &done, sizeof done);
    to += sizeof done;
    memcpy(to, tr->w, size), to += size;
    memcpy(to, tr->m, size), to += size;
    memcpy(to, tr->v, size), to += size;
    if (tr->ema) memcpy(to, tr->ema, size);
}

fd_status fd_trainer_restore(fd_trainer *tr, const void *state, fd_error *err) {
    int64_t done;
    size_t size = tr->n_weights * sizeof(float);
    const char *from = state;
    memcpy(&done, from, sizeof done);
    if (done < 0 || done > tr->spec.updates)
        return fd_fail(err, FD_ERR_FORMAT, "training: a state after %lld updates of %ld", (long long)done, tr->spec.updates);
    from += sizeof done;
    memcpy(tr->w, from, size), from += size;
    memcpy(tr->m, from, size), from += size;
    memcpy(tr->v, from, size), from += size;
    if (tr->ema) memcpy(tr->ema, from, size);
    tr->done = (long)done;
    tr->epoch = UINT64_MAX;
    if (tr->source && tr->done % POOL) refill(tr); /* what is left of the pool; updates that fill it do so themselves */
    return FD_OK;
}
