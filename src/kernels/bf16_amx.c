#include "kernels/kernels.h"

#if (defined(__AMX_BF16__) || defined(__AMXBF16__)) && defined(__AVX512BF16__)
#include "kernels/bf16_vectors512.h"

#include "kernels/bf16_finish.h"
#include "kernels/bf16_pack.h"

/* Some compilers do not know which memory these touch: nothing may move across them. */
#define FENCE __asm__ volatile("" ::: "memory")
#define TILE_CONFIGURE(config)                                                                                         \
    do {                                                                                                               \
        FENCE;                                                                                                         \
        _tile_loadconfig(config);                                                                                      \
    } while (0)
#define TILE_ZERO(tile) _tile_zero(tile)
#define TILE_LOAD(tile, from, stride) _tile_loadd(tile, from, stride)
#define TILE_DOT(sums, a, b) _tile_dpbf16ps(sums, a, b)
#define TILE_STORE(tile, to, stride) _tile_stored(tile, to, stride)
#define TILE_RELEASE() _tile_release()
#include "kernels/bf16_amx_body.h"

static void gemm(const fd_bf16_gemm *g) {
    FENCE;
    tile_gemm(g);
    FENCE;
}

static double peak(long rounds) {
    configure(TILE, TILE);
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    _tile_zero(4);
    _tile_zero(5);
    _tile_zero(6);
    _tile_zero(7);
    for (long r = 0; r < rounds; r += 16) { /* one is as long as 16 of a vector's */
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
    }
    _tile_release();
    return 4.0 * 2 * TILE * TILE * 2 * TILE * (double)((rounds + 15) / 16);
}

const fd_bf16_kernels fd_bf16_amx = {.gemm = gemm, .peak = peak, .pack_rows = pack_rows, .pack_panel = pack_panel};
#else
const fd_bf16_kernels fd_bf16_amx = {0};
#endif
