#include <stdlib.h>
#include <string.h>

#include "network/trainer_internal.h"

/* What a rank needs of every row of the batch: operands of the gradients of its blocks, which are those of neighbouring layers,
 * and the loss. */
typedef struct needs {
    int first, end;       /* layers */
    size_t from, to;      /* rows of the batch that the rank makes itself */
    size_t row_bytes;
} needs;

static needs needs_of(const fd_trainer *tr, const fd_team *team, int rank) {
    fd_team at = *team;
    size_t first, end;
    needs n = {0};
    at.rank = rank;
    fd_team_part(&at, (size_t)tr->spec.batch, FD_SHARD, &n.from, &n.to);
    fd_team_part(&at, (size_t)tr->n_blocks, 1, &first, &end);
    if (first < end) n.first = tr->blocks[first].layer, n.end = tr->blocks[end - 1].layer + 1;
    n.row_bytes = sizeof(double);
    for (int i = n.first; i < n.end; i++)
        n.row_bytes += (size_t)(tr->layers[i].input_row + tr->layers[i].delta_row) * sizeof(float);
    return n;
}

fd_status fd_trainer_share(fd_trainer *tr, fd_team *team, fd_error *err) {
    if (fd_team_alone(team)) return FD_OK;
    needs mine = needs_of(tr, team, team->rank);
    size_t bytes = (size_t)tr->spec.batch * mine.row_bytes;
    tr->received = malloc(bytes);
    bytes = 0;
    for (int r = 0; r < team->size; r++) bytes += (mine.to - mine.from) * needs_of(tr, team, r).row_bytes;
    tr->sent = malloc(bytes + 1);
    if (!tr->received || !tr->sent) return fd_fail(err, FD_ERR_MEMORY, "training: out of memory");
    tr->team = team;
    return FD_OK;
}

/* One row of the batch to (in) or from its place in a message to the rank that needs `n`. */
static void copy_row(fd_trainer *tr, const needs *n, size_t row, char *at, bool in) {
#define COPY(mine, size) (in ? memcpy(at, mine, size) : memcpy(mine, at, size), at += (size))
    COPY(&tr->row_loss[row], sizeof(double));
    for (int i = n->first; i < n->end; i++) {
        const fd_layer *l = &tr->layers[i];
        COPY(l->input + (ptrdiff_t)row * l->input_row, (size_t)l->input_row * sizeof(float));
        COPY(l->delta + (ptrdiff_t)row * l->delta_row, (size_t)l->delta_row * sizeof(float));
    }
#undef COPY
}

/* One message to each rank: many small ones cost more than the copies. */
void fd_share_batch(fd_trainer *tr) {
    fd_team *team = tr->team;
    if (fd_team_alone(team)) return;
    needs mine = needs_of(tr, team, team->rank);
    size_t *sent_at = team->scratch, *received_at = sent_at + team->size + 1;
    sent_at[0] = received_at[0] = 0;
    for (int r = 0; r < team->size; r++) {
        needs n = needs_of(tr, team, r);
        bool other = r != team->rank;
        sent_at[r + 1] = sent_at[r] + (other ? (mine.to - mine.from) * n.row_bytes : 0);
        received_at[r + 1] = received_at[r] + (other ? (n.to - n.from) * mine.row_bytes : 0);
        for (size_t i = mine.from; i < mine.to && other; i++) copy_row(tr, &n, i, tr->sent + sent_at[r] + (i - mine.from) * n.row_bytes, true);
    }
    team->deal(team->user, tr->sent, sent_at, tr->received, received_at);
    for (int r = 0; r < team->size; r++) {
        needs n = needs_of(tr, team, r);
        for (size_t i = n.from; i < n.to && r != team->rank; i++)
            copy_row(tr, &mine, i, tr->received + received_at[r] + (i - n.from) * mine.row_bytes, false);
    }
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
