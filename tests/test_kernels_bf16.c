/* Products in bfloat16 of every table this machine has, and of the one for AMX on emulated tiles, against double. Bounds
 * are derived where they are stated; a failure prints the worst element. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "amx_emulation.h"
#include "flavordiff/rng.h"
#include "kernels/mixed.h"

enum { TABLES = 6, GUARD = 40 };
static const char *const names[TABLES] = {"portable", "avx2", "avx512", "avx512bf16", "amx", "amx, emulated"};
static const double unit = 0x1p-24; /* unit roundoff of float */
static const fd_bf16_kernels emulation = {.gemm = emulated_amx_gemm};

static const fd_bf16_kernels *table(int t) {
    if (t == TABLES - 1) return &emulation;
    const fd_kernels *k = fd_kernels_named(names[t]);
    return k ? k->bf16 : NULL;
}

static float *numbers(size_t n, uint64_t item) {
    fd_rng rng;
    float *x = malloc((n + 1) * sizeof *x);
    assert_non_null(x);
    fd_rng_start(&rng, 4, FD_STREAM_TEST, item, 0);
    for (size_t i = 0; i < n; i++) x[i] = (float)(4 * fd_rng_uniform(&rng) - 2);
    return x;
}

static fd_bf16 *rounded_numbers(size_t n, uint64_t item) {
    float *x = numbers(n, item);
    fd_bf16 *y = malloc((n + 2) * sizeof *y);
    assert_non_null(y);
    for (size_t i = 0; i < n; i++) y[i] = fd_bf16_round(x[i]);
    free(x);
    return y;
}

static double act(fd_activation a, double z) {
    const double scale = 1.0507009873554804934193349852946, alpha = 1.6732632423543772848170429916717;
    switch (a) {
    case FD_SELU: return scale * (z > 0 ? z : alpha * expm1(z));
    case FD_TANH: return tanh(z);
    case FD_SILU: return z / (1 + exp(-z));
    default: return z;
    }
}

/* To nearest, ties to even, found among the neighbours: every upper half with lower halves around 0, the tie and the end. */
static void rounding(void **state) {
    (void)state;
    static const uint32_t lower[] = {0, 1, 0x7fff, 0x8000, 0x8001, 0xffff};
    for (uint32_t upper = 0; upper < 0x10000; upper++)
        for (size_t i = 0; i < sizeof lower / sizeof *lower; i++) {
            uint32_t bits = upper << 16 | lower[i];
            float x;
            memcpy(&x, &bits, sizeof x);
            fd_bf16 got = fd_bf16_round(x);
            if (isnan(x)) {
                assert_true(isnan(fd_bf16_value(got)));
                continue;
            }
            double below = fd_bf16_value((fd_bf16)upper), above = fd_bf16_value((fd_bf16)(upper + 1));
            if ((upper & 0x7fff) == 0x7f7f) above = copysign(0x1p128, x); /* beyond the largest: infinity */
            double to_below = fabs(x - below), to_above = fabs(above - x);
            fd_bf16 want = (fd_bf16)(upper + (to_above < to_below || (to_above == to_below && (upper & 1))));
            if (lower[i] == 0) want = (fd_bf16)upper;
            assert_int_equal(got, want);
        }
}

typedef struct problem {
    int m, n, k, padded;
    ptrdiff_t a_row, row_bias_row, c_row;
    fd_bf16 *a, *b;
    float *bias, *row_bias;
    fd_activation act;
} problem;

static problem make(int m, int n, int k, unsigned variant) {
    problem p = {.m = m, .n = n, .k = k, .padded = FD_PANEL_UP(n), .act = (fd_activation)(variant & 3)};
    p.a_row = k + 2 * (variant >> 2 & 3);
    p.row_bias_row = p.padded + 3;
    p.c_row = p.padded + 16 + (variant >> 4 & 1);
    p.a = rounded_numbers((size_t)(m * p.a_row), variant);
    p.b = rounded_numbers((size_t)(p.padded * k), variant + 1);
    if (variant >> 5 & 1) p.bias = numbers((size_t)p.padded, variant + 2);
    if (variant >> 6 & 1) p.row_bias = numbers((size_t)(m * p.row_bias_row), variant + 3);
    /* Poison: what lies between the rows of A, and columns of B that may only reach columns of C nobody asked for. */
    for (int i = 0; i < m; i++)
        for (ptrdiff_t q = k; q < p.a_row; q++) p.a[i * p.a_row + q] = 0x7fc0;
    for (int j = n; j < p.padded; j++)
        for (int q = 0; q < k; q++) p.b[j / 32 * 32 * k + q / 2 * 64 + j % 32 * 2 + q % 2] = 0x7fc0;
    return p;
}

static void discard(problem *p) { free(p->a), free(p->b), free(p->bias), free(p->row_bias); }

static fd_bf16_gemm product(const problem *p, fd_bf16 *c, float *c_float) {
    return (fd_bf16_gemm){.m = p->m, .n = p->n, .k = p->k, .a = p->a, .a_row = p->a_row, .b = p->b, .bias = p->bias,
                          .row_bias = p->row_bias, .row_bias_row = p->row_bias_row, .c = c, .c_float = c_float,
                          .c_row = p->c_row, .act = p->act};
}

/* A sum of K exact products and two biases, in whichever order, is off by at most gamma_{K+2} (sum |a b| + |bias| + |row bias|);
 * activations have slopes of at most 1.7581 and add 1e-4 of the result. */
static void compare(const problem *p, const char *name, const float *c) {
    double worst = 0, gamma = (p->k + 2) * unit / (1 - (p->k + 2) * unit);
    int wi = 0, wj = 0;
    for (int i = 0; i < p->m; i++)
        for (int j = 0; j < p->n; j++) {
            double sum = 0, size = 0;
            for (int q = 0; q < p->k; q++) {
                double x = (double)fd_bf16_value(p->a[i * p->a_row + q]) *
                           fd_bf16_value(p->b[j / 32 * 32 * p->k + q / 2 * 64 + j % 32 * 2 + q % 2]);
                sum += x, size += fabs(x);
            }
            if (p->bias) sum += p->bias[j], size += fabs((double)p->bias[j]);
            if (p->row_bias) {
                double b = p->row_bias[i * p->row_bias_row + j];
                sum += b, size += fabs(b);
            }
            double want = act(p->act, sum), bound = 1.7581 * gamma * size + 1e-4 * fabs(want) + 1e-30;
            double excess = fabs(c[i * p->c_row + j] - want) / bound;
            if (!(excess <= worst)) worst = excess, wi = i, wj = j;
        }
    if (!(worst <= 1))
        fail_msg("%s m %d n %d k %d %s: C[%d,%d] is off by %g of the bound", name, p->m, p->n, p->k,
                 fd_activation_name(p->act), wi, wj, worst);
}

/* As floats within the bound; as bfloat16 those floats rounded, to the bit; and nothing written but whole panels. */
static void one_product(const fd_bf16_kernels *kernels, const char *name, const problem *p) {
    size_t size = (size_t)(p->m * p->c_row), all = size + 2 * GUARD;
    float *floats = malloc(all * sizeof *floats);
    fd_bf16 *rounded = malloc(all * sizeof *rounded);
    for (size_t i = 0; i < all; i++) floats[i] = 12345, rounded[i] = 4711;
    fd_bf16_gemm g = product(p, NULL, floats + GUARD);
    kernels->gemm(&g);
    g.c = rounded + GUARD;
    kernels->gemm(&g);
    compare(p, name, floats + GUARD);
    for (size_t i = 0; i < all; i++) {
        ptrdiff_t at = (ptrdiff_t)i - GUARD;
        bool outside = at < 0 || at >= (ptrdiff_t)size || at % p->c_row >= p->padded;
        if (outside) assert_true(floats[i] == 12345 && rounded[i] == 4711);
        else if (at % p->c_row < p->n) assert_int_equal(rounded[i], fd_bf16_round(floats[i]));
    }
    free(floats), free(rounded);
}

static void products(void **state) {
    (void)state;
    static const int ms[] = {1, 2, 3, 4, 5, 11, 12, 13, 14, 15, 16, 17, 31, 32, 33, 47, 48, 63, 64, 65};
    static const int ns[] = {1, 23, 31, 32, 33, 70}, ks[] = {32, 64, 160, 544};
    unsigned variant = 0;
    for (size_t m = 0; m < sizeof ms / sizeof *ms; m++)
        for (size_t n = 0; n < sizeof ns / sizeof *ns; n++)
            for (size_t k = 0; k < sizeof ks / sizeof *ks; k++) {
                variant = variant * 1664525u + 1013904223u;
                problem p = make(ms[m], ns[n], ks[k], variant >> 16);
                for (int t = 0; t < TABLES; t++)
                    if (table(t)) one_product(table(t), names[t], &p);
                discard(&p);
            }
}

/* The same bits however rows and panels are cut into calls. */
static void any_cut(void **state) {
    (void)state;
    enum { M = 64, N = 96 };
    problem p = make(M, N, 160, 1 | 1 << 5 | 1 << 6);
    float *whole = malloc(M * (size_t)p.c_row * sizeof *whole), *parts = malloc(M * (size_t)p.c_row * sizeof *parts);
    for (int t = 0; t < TABLES; t++) {
        if (!table(t)) continue;
        fd_bf16_gemm g = product(&p, NULL, whole);
        table(t)->gemm(&g);
        for (int i = 0, rows = 1; i < M; i += rows, rows = rows % 19 + 5)
            for (int panel = 0; panel < N / FD_PANEL; panel++) {
                fd_bf16_gemm part = product(&p, NULL, parts + i * p.c_row + panel * FD_PANEL);
                part.m = M - i < rows ? M - i : rows;
                part.n = FD_PANEL;
                part.a += i * p.a_row;
                part.b += panel * FD_PANEL * p.k;
                part.bias += panel * FD_PANEL;
                part.row_bias += i * p.row_bias_row + panel * FD_PANEL;
                table(t)->gemm(&part);
            }
        for (int i = 0; i < M; i++) assert_memory_equal(whole + i * p.c_row, parts + i * p.c_row, N * sizeof *whole);
    }
    free(whole), free(parts);
    discard(&p);
}

/* Activations alone: A and B are 0, the bias is the argument; from 1e-9 to where everything saturates. NaN stays NaN. */
static void activations(void **state) {
    (void)state;
    enum { N = 64 * FD_PANEL, K = 32, ROUNDS = 100 };
    fd_bf16 *zeros = calloc(N * K, sizeof *zeros), *rounded = malloc(N * sizeof *rounded);
    float *x = malloc(N * sizeof *x), *y = malloc(N * sizeof *y);
    for (int t = 0; t < TABLES; t++)
        for (int r = 0; r < 4 * ROUNDS && table(t); r++) {
            fd_activation a = (fd_activation)(r % 4);
            for (int i = 0; i < N; i++)
                x[i] = (float)((i % 2 ? -1 : 1) * pow(10, -9 + 10.9 * ((double)i / N + r / 4) / ROUNDS));
            x[7] = NAN, x[9] = 0;
            fd_bf16_gemm g = {.m = 1, .n = N, .k = K, .a = zeros, .a_row = K, .b = zeros, .bias = x, .c_float = y,
                              .c_row = N, .act = a};
            table(t)->gemm(&g);
            assert_true(isnan(y[7]) && y[9] == 0);
            for (int i = 0; i < N; i++)
                if (i != 7 && !(fabs(y[i] - act(a, x[i])) <= 1e-4 * fabs(act(a, x[i])) + 1e-33))
                    fail_msg("%s %s(%.9g) = %.9g, not %.9g", names[t], fd_activation_name(a), (double)x[i], (double)y[i],
                             act(a, x[i]));
            g.c = rounded;
            table(t)->gemm(&g);
            assert_true(isnan(fd_bf16_value(rounded[7])));
        }
    free(zeros), free(rounded), free(x), free(y);
}

/* ---- mixed precision ---- */

/* d act / dz at z of act from the gate: outputs y (SELU, tanh), inputs z (SiLU). */
static double slope(fd_activation a, double y) {
    const double scale = 1.0507009873554804934193349852946, alpha = 1.6732632423543772848170429916717;
    double s = 1 / (1 + exp(-y));
    switch (a) {
    case FD_SELU: return y > 0 ? scale : y + scale * alpha;
    case FD_TANH: return 1 - y * y;
    case FD_SILU: return s * (1 + y * (1 - s));
    default: return 1;
    }
}

/* act(A B + bias), or A B times the gate's slope, of operands rounded first: |sum| off by gamma_{K+2} sum |a b|, an activation's slope
 * below 1.7581; activation and slope themselves good to 8 ulp of 1.7581 or the result. Columns of A and B that are poison must not
 * matter, columns of C beyond whole panels stay as they are; and whatever cut of the rows gives the same bits. */
static void one_mixed(const fd_kernels *kernels, int m, int n, int k, unsigned variant) {
    bool turned = variant & 1, gated = variant & 2;
    fd_activation what = (fd_activation)(variant >> 2 & 3);
    ptrdiff_t padded = FD_PANEL_UP(n), a_row = turned ? 1 : k + 3, a_col = turned ? m + 5 : 1, c_row = padded + 7;
    size_t a_size = (size_t)(turned ? k * a_col : m * a_row), c_size = (size_t)(m * c_row);
    float *a = numbers(a_size, variant), *b = numbers((size_t)(k * padded), variant + 1), *bias = numbers((size_t)padded, variant + 2);
    float *gate = numbers(c_size, variant + 3), *c = malloc(c_size * sizeof *c), *cut = malloc(c_size * sizeof *cut);
    void *scratch = aligned_alloc(64, (fd_mixed_scratch_bytes(m, k) + 63) / 64 * 64);
    for (size_t i = 0; i < a_size; i++) {
        ptrdiff_t along = turned ? (ptrdiff_t)i % a_col : (ptrdiff_t)i % a_row;
        if (along >= (turned ? m : k)) a[i] = NAN;
    }
    for (int q = 0; q < k; q++)
        for (ptrdiff_t j = n; j < padded; j++) b[q * padded + j] = NAN;
    for (size_t i = 0; i < c_size; i++) c[i] = cut[i] = 12345;
    fd_gemm g = {.m = m, .n = n, .k = k, .a = a, .a_row = a_row, .a_col = a_col, .b = b, .b_row = padded, .b_panel = FD_PANEL,
                 .bias = gated ? NULL : bias, .c = c, .c_row = c_row, .act = what, .gate = gated ? gate : NULL, .gate_row = c_row,
                 .gate_act = what};
    fd_gemm_mixed(kernels, &g, scratch);
    for (int i = 0, rows = 1; i < m; i += rows, rows = rows % 7 + 3) {
        fd_gemm part = g;
        part.m = m - i < rows ? m - i : rows, part.a += i * a_row, part.c = cut + i * c_row, part.gate = gated ? gate + i * c_row : NULL;
        fd_gemm_mixed(kernels, &part, scratch);
    }
    double gamma = (k + 2) * unit / (1 - (k + 2) * unit);
    for (int i = 0; i < m; i++)
        for (ptrdiff_t j = 0; j < c_row; j++) {
            float got = c[i * c_row + j];
            if (j >= padded) assert_true(got == 12345 && cut[i * c_row + j] == 12345);
            if (j >= n) continue;
            double sum = gated ? 0 : bias[j], size = fabs(sum);
            for (int q = 0; q < k; q++) {
                double x = (double)fd_bf16_value(fd_bf16_round(a[i * a_row + q * a_col])) *
                           fd_bf16_value(fd_bf16_round(b[q * padded + j]));
                sum += x, size += fabs(x);
            }
            double factor = gated ? slope(what, gate[i * c_row + j]) : 1, want = gated ? sum * factor : act(what, sum);
            double bound = gamma * size * (gated ? fabs(factor) : 1.7581) + 8 * unit * (gated ? 2 * 1.7581 * size : fabs(want)) + 1e-30;
            if (!(fabs(got - want) <= bound))
                fail_msg("%s m %d n %d k %d variant %u: C[%d,%td] = %.9g, not %.9g +- %.3g", kernels->name, m, n, k, variant & 15, i, j,
                         (double)got, want, bound);
            assert_memory_equal(&got, &cut[i * c_row + j], sizeof got);
        }
    free(a), free(b), free(bias), free(gate), free(c), free(cut), free(scratch);
}

static void mixed_products(void **state) {
    (void)state;
    static const int ms[] = {1, 2, 13, 15, 16, 17, 31, 32, 33, 63, 64, 65}, ns[] = {1, 23, 32, 33, 70}, ks[] = {1, 2, 23, 31, 32, 33, 77, 268};
    fd_kernels on_tiles = *fd_kernels_named("portable"); /* but for the product */
    fd_bf16_kernels product_on_tiles = *on_tiles.bf16;
    product_on_tiles.gemm = emulation.gemm;
    on_tiles.bf16 = &product_on_tiles;
    on_tiles.name = names[TABLES - 1];
    unsigned variant = 0;
    for (size_t m = 0; m < sizeof ms / sizeof *ms; m++)
        for (size_t n = 0; n < sizeof ns / sizeof *ns; n++)
            for (size_t k = 0; k < sizeof ks / sizeof *ks; k++, variant = variant * 1664525u + 1013904223u)
                for (int t = 0; t < TABLES; t++) {
                    const fd_kernels *kernels = t < TABLES - 1 ? fd_kernels_named(names[t]) : &on_tiles;
                    if (kernels) one_mixed(kernels, ms[m], ns[n], ks[k], variant >> 16);
                }
}

static void yardsticks(void **state) {
    (void)state;
    for (int t = 0; t < TABLES - 1; t++)
        if (table(t)) assert_true(table(t)->peak(1000) >= 1000 * 64);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rounding), cmocka_unit_test(products), cmocka_unit_test(any_cut), cmocka_unit_test(activations),
        cmocka_unit_test(mixed_products), cmocka_unit_test(yardsticks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
