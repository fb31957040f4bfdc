/* The operations on tiles of AMX in plain C, as the Intel manual (volume 2, LDTILECFG, TILELOADD, TDPBF16PS, TILESTORED) has
 * them, under the product that is written for them: a machine without AMX tests where its numbers go. */
#ifndef FD_TEST_AMX_EMULATION_H
#define FD_TEST_AMX_EMULATION_H

#include "kernels/kernels.h"

#define VW 4
#include "kernels/vectors.h"

ALWAYS vf vmax(vf a, vf b) { return pick(a > b, a, b); }
ALWAYS vf vmin(vf a, vf b) { return pick(a < b, a, b); }
ALWAYS vf reciprocal(vf x) { return 1.0f / x; }
#include "kernels/bf16_shift.h"

#include "kernels/bf16_finish.h"

static struct {
    int configured, rows[8], row_bytes[8];
    union {
        float sums[16][16];
        fd_bf16 pairs[16][16][2];
    } tiles[8];
} emulated;

static void emulated_configure(const uint8_t *c) { /* 64 bytes: 16-17 and so on bytes of a row, 48 and so on rows */
    assert_int_equal(c[0], 1);
    for (int i = 1; i < 16; i++) assert_int_equal(c[i], 0);
    emulated.configured = 1;
    for (int i = 0; i < 8; i++) {
        emulated.row_bytes[i] = c[16 + 2 * i] | c[17 + 2 * i] << 8;
        emulated.rows[i] = c[48 + i];
        assert_true(emulated.row_bytes[i] <= 64 && emulated.rows[i] <= 16);
        assert_int_equal(emulated.row_bytes[i] == 0, emulated.rows[i] == 0);
    }
    for (int i = 8; i < 16; i++) assert_true(c[16 + 2 * i] == 0 && c[17 + 2 * i] == 0 && c[48 + i] == 0);
    memset(emulated.tiles, 0, sizeof emulated.tiles);
}

static void in_use(int tile) { assert_true(emulated.configured && emulated.rows[tile] > 0); }

static void emulated_zero(int tile) {
    in_use(tile);
    memset(&emulated.tiles[tile], 0, sizeof emulated.tiles[tile]);
}

static void emulated_load(int tile, const void *from, long stride) {
    emulated_zero(tile);
    for (int i = 0; i < emulated.rows[tile]; i++)
        memcpy(emulated.tiles[tile].pairs[i], (const char *)from + i * stride, (size_t)emulated.row_bytes[tile]);
}

static void emulated_store(int tile, void *to, long stride) {
    in_use(tile);
    for (int i = 0; i < emulated.rows[tile]; i++)
        memcpy((char *)to + i * stride, emulated.tiles[tile].sums[i], (size_t)emulated.row_bytes[tile]);
}

static void emulated_dot(int sums, int a, int b) {
    in_use(sums), in_use(a), in_use(b);
    assert_true(emulated.rows[sums] == emulated.rows[a] && emulated.row_bytes[sums] == emulated.row_bytes[b] &&
                emulated.row_bytes[a] == 4 * emulated.rows[b]);
    for (int i = 0; i < emulated.rows[sums]; i++)
        for (int j = 0; j < emulated.row_bytes[sums] / 4; j++) {
            float two[2] = {0, 0};
            for (int k = 0; k < emulated.row_bytes[a] / 4; k++)
                for (int q = 0; q < 2; q++)
                    two[q] += fd_bf16_value(emulated.tiles[a].pairs[i][k][q]) * fd_bf16_value(emulated.tiles[b].pairs[k][j][q]);
            emulated.tiles[sums].sums[i][j] += two[0] + two[1];
        }
}

static void emulated_release(void) {
    assert_true(emulated.configured);
    emulated.configured = 0;
}

#define TILE_CONFIGURE(config) emulated_configure((const uint8_t *)(config))
#define TILE_ZERO(tile) emulated_zero(tile)
#define TILE_LOAD(tile, from, stride) emulated_load(tile, from, stride)
#define TILE_DOT(sums, a, b) emulated_dot(sums, a, b)
#define TILE_STORE(tile, to, stride) emulated_store(tile, to, stride)
#define TILE_RELEASE() emulated_release()
#include "kernels/bf16_amx_body.h"

static void emulated_amx_gemm(const fd_bf16_gemm *g) {
    tile_gemm(g);
    assert_false(emulated.configured);
}

#endif
