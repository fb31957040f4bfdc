#include "kernels/mixed.h"

/* Rows of A are a line of the cache longer than k: such strides do not map all of them to a few sets. */
static ptrdiff_t row_of(int k) { return FD_BF16_K_UP(k) + FD_BF16_K; }

size_t fd_mixed_scratch_bytes(int m, int k) {
    size_t numbers = (size_t)m * (size_t)row_of(k) + (size_t)FD_BF16_K_UP(k) * FD_PANEL;
    return numbers * sizeof(fd_bf16) + (size_t)m * FD_BF16_K * sizeof(float);
}

/* A whose rows lie along the columns of memory: transposed, FD_BF16_K columns at a time. */
static void pack_columns(const fd_kernels *kernels, const fd_gemm *g, fd_bf16 *a, float *turned) {
    for (int k = 0; k < g->k; k += FD_BF16_K) {
        int columns = g->k - k < FD_BF16_K ? g->k - k : FD_BF16_K;
        kernels->transpose(columns, g->m, g->a + k * g->a_col, g->a_col, turned, FD_BF16_K);
        kernels->bf16->pack_rows(g->m, columns, turned, FD_BF16_K, a + k, row_of(g->k));
    }
}

void fd_gemm_mixed(const fd_kernels *kernels, const fd_gemm *g, void *scratch) {
    fd_bf16 *a = scratch, *b = a + g->m * row_of(g->k);
    if (g->a_col == 1) kernels->bf16->pack_rows(g->m, g->k, g->a, g->a_row, a, row_of(g->k));
    else pack_columns(kernels, g, a, (void *)(b + FD_BF16_K_UP(g->k) * FD_PANEL));
    for (int panel = 0; panel * FD_PANEL < g->n; panel++) {
        kernels->bf16->pack_panel(g->k, g->b + panel * g->b_panel, g->b_row, b);
        kernels->bf16->gemm(&(fd_bf16_gemm){.m = g->m,
                                            .n = FD_PANEL,
                                            .k = FD_BF16_K_UP(g->k),
                                            .a = a,
                                            .a_row = row_of(g->k),
                                            .b = b,
                                            .c_float = g->c + panel * FD_PANEL,
                                            .c_row = g->c_row,
                                            .act = FD_IDENTITY});
        kernels->finish(g, panel);
    }
}
