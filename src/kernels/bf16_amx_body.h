/* The bfloat16 product on tiles: 32 rows by one panel in four tiles of sums, two of A, two of B. A template: the file that
 * includes it has included bf16_finish.h and defines the tile operations, with the operands of the intrinsics of the same
 * names: TILE_CONFIGURE, TILE_ZERO, TILE_LOAD, TILE_DOT, TILE_STORE, TILE_RELEASE. A test defines them in plain C.
 *
 * A tile has 16 rows of 64 bytes. Of A: 16 rows by 32 k. Of B: 16 pairs along k by 16 columns, which is half of 16 rows of a panel.
 * TILE_DOT adds to each sum the 32 products of its row and column. */
enum { TILE = 16, BLOCK = 2 * TILE, ROW_OF_PANEL = 2 * FD_PANEL * sizeof(fd_bf16), ROW_OF_SUMS = FD_PANEL * sizeof(float) };

typedef struct tile_config {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} tile_config;

/* Tiles 0, 1 and 4 have the upper rows of sums and A, 2, 3 and 5 the lower ones, 6 and 7 are B. */
static void configure(int upper, int lower) {
    tile_config c = {.palette = 1};
    const int rows[8] = {upper, upper, lower, lower, upper, lower, TILE, TILE};
    for (int i = 0; i < 8; i++) {
        c.rows[i] = (uint8_t)rows[i];
        c.row_bytes[i] = rows[i] ? 64 : 0;
    }
    TILE_CONFIGURE(&c);
}

/* Sums that wait for their biases and activation: those of one block are finished between the tile operations of the next. */
typedef struct pending {
    int panel, first, rows;
    const float *sums;
} pending;

static void finish_rows(const fd_bf16_gemm *g, pending *p, int rows) {
    if (rows > p->rows) rows = p->rows;
    if (rows <= 0) return;
    finish(g, p->panel, p->first, rows, p->sums);
    p->first += rows;
    p->rows -= rows;
    p->sums += rows * FD_PANEL;
}

ALWAYS void block(const int lower, const fd_bf16_gemm *g, const fd_bf16 *a, const fd_bf16 *b, pending *before, float *sums) {
    const long a_row = (long)(g->a_row * (ptrdiff_t)sizeof *a);
    const int chunks = g->k / FD_BF16_K, share = chunks ? (before->rows + chunks - 1) / chunks : 0;
    TILE_ZERO(0);
    TILE_ZERO(1);
    if (lower) TILE_ZERO(2);
    if (lower) TILE_ZERO(3);
    for (int k = 0; k < chunks; k++) {
        TILE_LOAD(6, b, ROW_OF_PANEL);
        TILE_LOAD(4, a, a_row);
        TILE_DOT(0, 4, 6);
        TILE_LOAD(7, b + FD_PANEL, ROW_OF_PANEL);
        TILE_DOT(1, 4, 7);
        if (lower) {
            TILE_LOAD(5, a + TILE * g->a_row, a_row);
            TILE_DOT(2, 5, 6);
            TILE_DOT(3, 5, 7);
        }
        finish_rows(g, before, share);
        a += FD_BF16_K;
        b += FD_BF16_K * FD_PANEL;
    }
    finish_rows(g, before, before->rows);
    TILE_STORE(0, sums, ROW_OF_SUMS);
    TILE_STORE(1, sums + TILE, ROW_OF_SUMS);
    if (lower) {
        TILE_STORE(2, sums + TILE * FD_PANEL, ROW_OF_SUMS);
        TILE_STORE(3, sums + TILE * FD_PANEL + TILE, ROW_OF_SUMS);
    }
}

static void tile_gemm(const fd_bf16_gemm *g) {
    _Alignas(64) float sums[2][BLOCK * FD_PANEL];
    int configured = 0, panels = (g->n + FD_PANEL - 1) / FD_PANEL, turn = 0;
    pending before = {0};
    for (int i = 0; i < g->m; i += BLOCK) {
        const int rows = g->m - i < BLOCK ? g->m - i : BLOCK;
        const fd_bf16 *a = g->a + i * g->a_row;
        if (rows != configured) configure(rows < TILE ? rows : TILE, rows < TILE ? 0 : rows - TILE);
        configured = rows;
        for (int p = 0; p < panels; p++, turn ^= 1) {
            const fd_bf16 *b = g->b + (ptrdiff_t)p * FD_PANEL * g->k;
            if (rows > TILE) block(1, g, a, b, &before, sums[turn]);
            else block(0, g, a, b, &before, sums[turn]);
            before = (pending){p, i, rows, sums[turn]};
        }
    }
    finish_rows(g, &before, before.rows);
    if (configured) TILE_RELEASE();
}
