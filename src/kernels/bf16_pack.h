/* Floats rounded into the operands of a bfloat16 product, with zeros up to the next multiple of FD_BF16_K along k. A template: the
 * file that includes it has vectors.h, round_two and pair (VW floats twice -> VW words, the first in the lower halves). */
#include "kernels/kernels.h"

/* A (m, k). */
static void pack_rows(int m, int k, const float *in, ptrdiff_t in_row, fd_bf16 *out, ptrdiff_t out_row) {
    for (int i = 0; i < m; i++) {
        const float *from = in + i * in_row;
        for (int j = 0; j < FD_BF16_K_UP(k); j += 2 * VW) {
            float rest[2 * VW] = {0};
            const float *x = from + j;
            if (j + 2 * VW > k) {
                if (j < k) memcpy(rest, x, (size_t)(k - j) * sizeof *rest);
                x = rest;
            }
            round_two(load(x), load(x + VW), out + i * out_row + j);
        }
    }
}

/* One panel of B (k, FD_PANEL). */
static void pack_panel(int k, const float *in, ptrdiff_t in_row, fd_bf16 *out) {
    static const float zeros[FD_PANEL];
    for (int q = 0; q < FD_BF16_K_UP(k); q += 2, out += 2 * FD_PANEL) {
        const float *first = q < k ? in + q * in_row : zeros, *second = q + 1 < k ? in + (q + 1) * in_row : zeros;
        UNROLL
        for (int j = 0; j < FD_PANEL; j += VW) {
            vi words = pair(load(first + j), load(second + j));
            memcpy(out + 2 * j, &words, sizeof words);
        }
    }
}
