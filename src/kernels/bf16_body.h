/* The bfloat16 product, written once. The file that includes this defines, beside what bf16_finish.h and bf16_pack.h need, FD_MR, the type
 * `pairs` (VW pairs of bfloat16), pairs_of (from VW words of 32 bits), dot (sum + first products + second products) and
 * FD_BF16, the name of what it defines. A template. */
#include "kernels/bf16_finish.h"
#include "kernels/bf16_pack.h"

typedef int32_t vi_any __attribute__((vector_size(VW * 4), aligned(2), may_alias));
typedef int32_t word_any __attribute__((aligned(2), may_alias));

ALWAYS pairs columns_at(const fd_bf16 *p) { return pairs_of(*(const vi_any *)p); }
ALWAYS pairs pair_at(const fd_bf16 *p) { return pairs_of(*(const word_any *)p + (vi){0}); }

/* Sums of mr rows and two registers of columns, all in registers. */
ALWAYS void micro(const int mr, const fd_bf16_gemm *g, const fd_bf16 *a, const fd_bf16 *b, float *sums) {
    const ptrdiff_t a_row = g->a_row;
    const fd_bf16 *rows[(FD_MR + 2) / 3];
    vf left[FD_MR], right[FD_MR];
    UNROLL
    for (int i = 0; i < mr; i++) {
        left[i] = right[i] = (vf){0};
        rows[i / 3] = a + i / 3 * 3 * a_row;
    }
    for (int k = g->k; k > 0; k -= 2) {
        pairs b0 = columns_at(b), b1 = columns_at(b + 2 * VW);
        UNROLL
        for (int i = 0; i < mr; i++) {
            pairs s = pair_at(rows[i / 3] + i % 3 * a_row);
            left[i] = dot(left[i], s, b0);
            right[i] = dot(right[i], s, b1);
        }
        UNROLL
        for (int i = 0; i < mr; i += 3) rows[i / 3] += 2;
        b += 2 * FD_PANEL;
    }
    UNROLL
    for (int i = 0; i < mr; i++) {
        store(sums + i * FD_PANEL, left[i]);
        store(sums + i * FD_PANEL + VW, right[i]);
    }
}

/* clang-format off */
#define MICRO(mr)                                                                                                      \
    static void micro_##mr(const fd_bf16_gemm *g, const fd_bf16 *a, const fd_bf16 *b, float *sums) { micro(mr, g, a, b, sums); }
MICRO(1) MICRO(2) MICRO(3) MICRO(4)
#if FD_MR > 4
MICRO(5) MICRO(6) MICRO(7) MICRO(8) MICRO(9) MICRO(10) MICRO(11) MICRO(12)
#endif
#if FD_MR > 12
MICRO(13) MICRO(14)
#endif

static void (*const micros[FD_MR + 1])(const fd_bf16_gemm *, const fd_bf16 *, const fd_bf16 *, float *) = {
    NULL, micro_1, micro_2, micro_3, micro_4,
#if FD_MR > 4
    micro_5, micro_6, micro_7, micro_8, micro_9, micro_10, micro_11, micro_12,
#endif
#if FD_MR > 12
    micro_13, micro_14,
#endif
};
/* clang-format on */

static void gemm(const fd_bf16_gemm *g) {
    int tiles = (g->m + FD_MR - 1) / FD_MR, panels = (g->n + FD_PANEL - 1) / FD_PANEL;
    float sums[FD_MR * FD_PANEL];
    for (int p = 0; p < panels; p++) {
        const fd_bf16 *b = g->b + (ptrdiff_t)p * FD_PANEL * g->k;
        for (int t = 0, i = 0; t < tiles; t++) { /* tiles of nearly equal height */
            int rows = (g->m - i + tiles - t - 1) / (tiles - t);
            for (int j = 0; j < FD_PANEL; j += 2 * VW) micros[rows](g, g->a + i * g->a_row, b + 2 * j, sums + j);
            finish(g, p, i, rows, sums);
            i += rows;
        }
    }
}

enum { CHAINS = FD_MR > 8 ? 16 : 2 * FD_MR };

static double peak(long rounds) {
    vf sums[CHAINS];
    pairs factor = pairs_of((vi){0} + 0x3f803f80), term = pairs_of((vi){0} + 0x3a803a80); /* 1, 2^-10 */
    UNROLL
    for (int i = 0; i < CHAINS; i++) sums[i] = splat((float)i);
    for (long r = 0; r < rounds; r++) {
        UNROLL
        for (int i = 0; i < CHAINS; i++) {
            sums[i] = dot(sums[i], factor, term);
            __asm__ volatile("" : KEEP_IN_REGISTER(sums[i])); /* neither merged nor left out */
        }
    }
    return 4.0 * VW * CHAINS * (double)rounds;
}

const fd_bf16_kernels FD_BF16 = {.gemm = gemm, .peak = peak, .pack_rows = pack_rows, .pack_panel = pack_panel};
