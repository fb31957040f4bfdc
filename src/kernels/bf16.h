/* Products in bfloat16 with float32 sums, for sampling. A bfloat16 is the upper half of a float32, rounded to nearest,
 * ties to even. Pairs of elements that follow each other along k are multiplied and added at once. */
#ifndef FD_KERNELS_BF16_H
#define FD_KERNELS_BF16_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "flavordiff/network.h"

typedef uint16_t fd_bf16;

/* Inner dimensions are whole multiples of FD_BF16_K: what is short of it is filled with zeros, in A and in B. */
enum { FD_BF16_K = 32 };
#define FD_BF16_K_UP(k) (((k) + FD_BF16_K - 1) / FD_BF16_K * FD_BF16_K)

/* C (m, n) = act(A B + bias + row_bias). Columns come in panels of FD_PANEL as in fd_gemm: C is written and B, bias and
 * row_bias are read up to the next multiple of it. Each element is one chain of float32 sums over k in order, so that it
 * does not depend on how a matrix is cut into calls. C overlaps nothing else.
 *
 * Error of the sum: products of two bfloat16 are exact in float32, so gamma_{K+2} sum |a b| as for float32 (numbers below
 * 2^-126 count as 0). Error of an activation: 1e-4 of the result before it is rounded, for C as floats too. */
typedef struct fd_bf16_gemm {
    int m, n, k;      /* k: a multiple of FD_BF16_K */
    const fd_bf16 *a; /* (m, k), rows a_row apart; a_row even */
    ptrdiff_t a_row;
    const fd_bf16 *b; /* element (k, j) at b[(j / 32) * 32 K + (k / 2) * 64 + j % 32 * 2 + k % 2] */
    const float *bias;     /* (n), or NULL */
    const float *row_bias; /* (m, n) with rows row_bias_row apart, or NULL */
    ptrdiff_t row_bias_row;
    fd_bf16 *c;     /* rows c_row apart, rounded; or NULL and */
    float *c_float; /* the same without rounding */
    ptrdiff_t c_row;
    fd_activation act;
} fd_bf16_gemm;

typedef struct fd_bf16_kernels {
    void (*gemm)(const fd_bf16_gemm *product); /* NULL where the compiler had not the instruction set */
    double (*peak)(long rounds);               /* the yardstick, as in fd_kernels */
    /* Operands from floats, rounded as fd_bf16_round does (numbers below 2^-126 may become 0), zeros up to FD_BF16_K_UP(k): A (m, k),
     * and one panel of B (k, FD_PANEL). Rows of `in` are in_row apart. */
    void (*pack_rows)(int m, int k, const float *in, ptrdiff_t in_row, fd_bf16 *out, ptrdiff_t out_row);
    void (*pack_panel)(int k, const float *in, ptrdiff_t in_row, fd_bf16 *out);
} fd_bf16_kernels;

extern const fd_bf16_kernels fd_bf16_portable, fd_bf16_avx2, fd_bf16_avx512, fd_bf16_avx512bf16, fd_bf16_amx;

/* Nearest, ties to even; NaN stays NaN. */
static inline fd_bf16 fd_bf16_round(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    uint32_t nearest = bits + 0x7fffu + (bits >> 16 & 1);
    return (fd_bf16)((x != x ? bits | 0x400000u : nearest) >> 16);
}

static inline float fd_bf16_value(fd_bf16 x) {
    uint32_t bits = (uint32_t)x << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

#endif
