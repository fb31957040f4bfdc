/* The hot loops behind one table. kernels_*.c are compiled with the flags of one instruction set each; nothing
 * above this folder knows an instruction set. The portable table is always there. None of these functions allocates,
 * fails or keeps state; pointers need no alignment. */
#ifndef FD_KERNELS_H
#define FD_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "flavordiff/network.h"
#include "kernels/bf16.h"
#include "kernels/box_mean_lanes.h"
#include "kernels/least_norm_lanes.h"
#include "kernels/seesaw_lanes.h"
#include "kernels/takagi_lanes.h"

/* Columns of a product are computed in panels of FD_PANEL: whatever N is, C is written and B, bias, row_bias and gate
 * are read up to the next multiple of FD_PANEL. */
enum { FD_PANEL = 32 };
#define FD_PANEL_UP(n) (((n) + FD_PANEL - 1) / FD_PANEL * FD_PANEL)

/* Forward, without a gate: C (m, n) = act(A B + bias + row_bias). Backward, with a gate:
 * C = (A B + bias + row_bias) * gate_act'(gate), and act is ignored. Sums over k run in order, one chain per element, so that an
 * element does not depend on how a matrix is cut into calls. C overlaps nothing else. */
typedef struct fd_gemm {
    int m, n, k;
    const float *a; /* element (i, k) at a[i * a_row + k * a_col] */
    ptrdiff_t a_row, a_col;
    const float *b; /* element (k, j) at b[(j / 32) * b_panel + k * b_row + j % 32]: row-major with b_panel = 32, */
    ptrdiff_t b_row, b_panel; /* or packed in panels with b_row = 32 and b_panel = 32 K */
    const float *bias;        /* (n), or NULL */
    const float *row_bias;    /* (m, n) with rows row_bias_row apart, or NULL */
    ptrdiff_t row_bias_row;
    float *c; /* rows c_row apart */
    ptrdiff_t c_row;
    fd_activation act;
    const float *gate; /* (m, n) or NULL: outputs of gate_act (SELU, tanh), or inputs for SiLU */
    ptrdiff_t gate_row;
    fd_activation gate_act;
} fd_gemm;

/* Adam with bias corrections folded in:
 *   m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2;  w -= step m / (sqrt(v) inv_sqrt_correction2 + eps);
 *   ema = d ema + (1 - d) w.
 * The complements are computed in double and rounded once: 1.0f - 0.999f is off by 1.3e-5 of itself. */
typedef struct fd_adam {
    float one_minus_beta1, beta2, one_minus_beta2, step, inv_sqrt_correction2, eps, one_minus_ema;
} fd_adam;

typedef struct fd_kernels {
    const char *name; /* "portable", "avx2", "avx512", "avx512bf16", "amx" */
    void (*gemm)(const fd_gemm *product);
    /* What follows the sums of a panel of C: biases, activation or gate. gemm does it itself. */
    void (*finish)(const fd_gemm *product, int panel);
    /* out[i] = act(in[i]); in place allowed. Error of SELU, tanh and SiLU: at most 4 ulp of the result. */
    void (*activate)(fd_activation act, size_t n, const float *in, float *out);
    /* out (cols, rows) = transpose of in (rows, cols). */
    void (*transpose)(int rows, int cols, const float *in, ptrdiff_t in_row, float *out, ptrdiff_t out_row);
    /* ema may be NULL. */
    void (*adam)(const fd_adam *adam, size_t n, float *w, float *m, float *v, float *ema, const float *g);
    /* n standard normals for each item first_item + 0..items-1: out[i * ld + j]. Philox counter = (item, step, j / 4),
     * Box-Muller in float32 from pairs of 32-bit words, |z| <= 6.77. Tables agree to a few ulp, not bitwise. */
    void (*normals)(const uint32_t key[2], uint64_t first_item, uint32_t step, int items, int n, float *out,
                    ptrdiff_t ld);
    /* Takagi factorisation in place, physics/takagi.h. Tables agree bitwise (but for the payload of a NaN). */
    void (*takagi)(fd_takagi_lanes *lanes);
    /* Labels of the seesaw, their smooth coordinates and derivatives of both, physics/seesaw.h. Tables agree bitwise. */
    const seesaw_kernels *seesaw;
    /* Means of a uniform law seen through noise, diffusion/box_mean.h. Tables agree bitwise. */
    void (*box_mean)(const fd_box_mean *problem);
    /* Steps of least norm, inference/least_norm.h. Tables agree bitwise. */
    void (*least_norm)(const fd_least_norm *problem, double *step);
    /* The yardstick: rounds of independent multiply-adds in registers. Returns how many operations that was. */
    double (*peak)(long rounds);
    const fd_bf16_kernels *bf16; /* products in bfloat16; each its own instruction set, NULL gemm where it is none */
} fd_kernels;

/* The table for this machine, chosen once from CPUID feature bits (each independently, with the operating system's
 * register state; for AMX also its permission, which is asked for here and so best before threads start) and the mask in
 * the environment variable FLAVORDIFF_CPU (a table's name; one above what the machine has is lowered). "avx512bf16" and "amx"
 * are "avx512" with another bf16. Thread-safe. */
const fd_kernels *fd_kernels_get(void);
/* Table by name, or NULL when this machine or this build lacks it: for the tests. */
const fd_kernels *fd_kernels_named(const char *name);

/* Tables of this build, NULL where the compiler had not the instruction set. Only kernels.c looks. */
extern const fd_kernels *const fd_table_portable, *const fd_table_avx2, *const fd_table_avx512, *const fd_table_avx512bf16,
    *const fd_table_amx;

#endif
