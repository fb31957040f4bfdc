#include <stdlib.h>
#include <string.h>

#include "network/trainer_internal.h"

/* Bytes of a row of the batch in the layers that train: operands of the gradients of all their blocks, and the loss. */
static size_t row_bytes(const fd_trainer *tr) {
    size_t floats = 0;
    for (int i = tr->spec.frozen_layers; i < tr->n_layers; i++)
        floats += (size_t)tr->layers[i].input_row + (size_t)tr->layers[i].delta_row;
    return sizeof(double) + floats * sizeof(float);
}

fd_status fd_trainer_share(fd_trainer *tr, fd_team *team, fd_error *err) {
    size_t bytes = (size_t)tr->spec.batch * row_bytes(tr);
    if (fd_team_alone(team)) return FD_OK;
    if (!(tr->exchange = malloc(bytes))) return fd_fail(err, FD_ERR_MEMORY, "training: out of memory");
    tr->team = team;
    return FD_OK;
}

/* One row of the batch to or from its place in the exchange. */
static void copy_row(fd_trainer *tr, size_t row, char *at, bool in) {
#define COPY(mine, size) (in ? memcpy(at, mine, size) : memcpy(mine, at, size), at += (size))
    COPY(&tr->row_loss[row], sizeof(double));
    for (int i = tr->spec.frozen_layers; i < tr->n_layers; i++) {
        const fd_layer *l = &tr->layers[i];
        COPY(l->input + (ptrdiff_t)row * l->input_row, (size_t)l->input_row * sizeof(float));
        COPY(l->delta + (ptrdiff_t)row * l->delta_row, (size_t)l->delta_row * sizeof(float));
    }
#undef COPY
}

/* In one message: many small ones cost more than the copies. */
void fd_share_batch(fd_trainer *tr) {
    size_t batch = (size_t)tr->spec.batch, bytes = row_bytes(tr), from, to;
    if (fd_team_alone(tr->team)) return;
    fd_team_part(tr->team, batch, FD_SHARD, &from, &to);
    for (size_t row = from; row < to; row++) copy_row(tr, row, tr->exchange + row * bytes, true);
    fd_team_share_rows(tr->team, tr->exchange, batch, FD_SHARD, bytes);
    for (size_t row = 0; row < batch; row++)
        if (row < from || row >= to) copy_row(tr, row, tr->exchange + row * bytes, false);
}

/* Blocks follow each other in memory: a rank's are one piece of w, m, v or ema. */
static size_t begin_of_block(const fd_trainer *tr, size_t b) {
    if (b == (size_t)tr->n_blocks) return tr->n_weights;
    const fd_block *block = &tr->blocks[b];
    return tr->layers[block->layer].weight + (size_t)block->row * (size_t)tr->layers[block->layer].w_row;
}

void fd_share_weights(fd_trainer *tr, float *of) {
    if (fd_team_alone(tr->team)) return;
    fd_team rank = *tr->team;
    for (rank.rank = 0; rank.rank < rank.size; rank.rank++) {
        size_t from, to;
        fd_team_part(&rank, (size_t)tr->n_blocks, 1, &from, &to);
        rank.scratch[rank.rank] = begin_of_block(tr, from) * sizeof *of;
        rank.scratch[rank.rank + 1] = begin_of_block(tr, to) * sizeof *of;
    }
    rank.share(rank.user, of, rank.scratch);
}

void fd_share_pool(fd_trainer *tr) {
    size_t rows = tr->n_train;
    fd_team_share_rows(tr->team, tr->pool_x, rows, FD_PAIR_BLOCK, (size_t)tr->net.dim * sizeof *tr->pool_x);
    fd_team_share_rows(tr->team, tr->pool_labels, rows, FD_PAIR_BLOCK, (size_t)tr->net.n_labels * sizeof *tr->pool_labels);
}

void fd_trainer_collect(fd_trainer *tr) {
    fd_share_weights(tr, tr->m);
    fd_share_weights(tr, tr->v);
    if (tr->ema) fd_share_weights(tr, tr->ema);
}
