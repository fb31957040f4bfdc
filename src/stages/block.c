#include <stdlib.h>
#include <string.h>

#include "stages/common.h"

fd_status fd_block_create(const fd_model *model, size_t capacity, fd_block *block, fd_error *err) {
    *block = (fd_block){.capacity = capacity};
    block->theta = malloc(capacity * (size_t)model->n_params * sizeof *block->theta);
    block->labels = malloc(capacity * (size_t)model->n_labels * sizeof *block->labels);
    block->chi2 = malloc(capacity * sizeof *block->chi2);
    block->five = malloc(capacity * sizeof *block->five);
    block->flags = malloc(capacity * sizeof *block->flags);
    block->alone = malloc(capacity * sizeof *block->alone);
    if (block->theta && block->labels && block->chi2 && block->five && block->flags && block->alone) return FD_OK;
    fd_block_free(block);
    return fd_fail(err, FD_ERR_MEMORY, "out of memory for a block of %zu points", capacity);
}

void fd_block_free(fd_block *block) {
    free(block->theta);
    free(block->labels);
    free(block->chi2);
    free(block->five);
    free(block->flags);
    free(block->alone);
    *block = (fd_block){0};
}

size_t fd_block_compact(const fd_model *model, fd_block *block, size_t n, const bool *keep) {
    size_t n_params = (size_t)model->n_params, n_labels = (size_t)model->n_labels, kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (!keep[i]) continue;
        memmove(block->theta + kept * n_params, block->theta + i * n_params, n_params * sizeof *block->theta);
        memmove(block->labels + kept * n_labels, block->labels + i * n_labels, n_labels * sizeof *block->labels);
        block->chi2[kept] = block->chi2[i];
        block->five[kept] = block->chi2[i].five;
        block->flags[kept] = block->flags[i];
        kept++;
    }
    return kept;
}
