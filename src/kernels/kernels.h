/* The hot loops behind one table. kernels_*.c are compiled with the flags of one instruction set each; nothing
 * above this folder knows an instruction set. The portable table is always there. */
#ifndef FD_KERNELS_H
#define FD_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "flavordiff/network.h"

/* Weights of one matrix are packed in panels of FD_PANEL output columns: panel p holds rows k = 0..K-1 of columns
 * [32p, 32p + 32), zero padded: packed[(p * K + k) * 32 + j]. */
enum { FD_PANEL = 32, FD_LANES = 8 };

typedef struct fd_kernels {
    const char *name; /* "portable", "avx2", "avx512" */
    /* C (M, N) = act(A (M, K) B + bias[j] + row_bias[i * ld_row_bias + j]); A element (i, k) at
     * a[i * a_row + k * a_col]; B packed in panels; bias or row_bias may be NULL (ld_row_bias 0: one shared row);
     * accumulate: adds to C before act. C rows are ldc apart and N is padded to whole panels: ldc >= the padded N. */
    void (*gemm)(int m, int n, int k, const float *a, ptrdiff_t a_row, ptrdiff_t a_col, const float *b_panels,
                 const float *bias, const float *row_bias, ptrdiff_t ld_row_bias, float *c, ptrdiff_t ldc,
                 int accumulate, fd_activation act);
    /* grad *= act'(.) written in terms of the activation's output (and for SiLU its input). */
    void (*activation_backward)(fd_activation act, size_t n, const float *output, const float *input, float *grad);
    /* Adam with bias corrections folded in: m = b1 m + (1-b1) g; v = b2 v + (1-b2) g^2;
     * w -= step * m / (sqrt(v) * inv_sqrt_correction2 + eps); ema = d ema + (1-d) w. */
    void (*adam)(size_t n, float *w, float *m, float *v, float *ema, const float *g, float beta1, float beta2,
                 float step, float inv_sqrt_correction2, float eps, float ema_decay);
    /* n standard normals for each item first_item + 0..items-1: out[i * ld + j]. Philox counter = (item, step, j / 4),
     * Box-Muller in float32 from 32-bit words; bitwise the same in every table is NOT promised, the same to a few
     * ulp is. */
    void (*normals)(const uint32_t key[2], uint64_t first_item, uint32_t step, int items, int n, float *out,
                    ptrdiff_t ld);
} fd_kernels;

/* The table for this machine, chosen once from CPUID feature bits (each independently) and the mask in the environment
 * variable FLAVORDIFF_CPU ("portable", "avx2", "avx512"; a name above what the machine has is lowered).
 * Thread-safe. */
const fd_kernels *fd_kernels_get(void);
/* Table by name, or NULL when this machine or this build lacks it: for the tests. */
const fd_kernels *fd_kernels_named(const char *name);

#endif
