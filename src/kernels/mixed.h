/* The products of training in mixed precision: those of fd_gemm with A and B rounded to bfloat16, and all else in float32. */
#ifndef FD_KERNELS_MIXED_H
#define FD_KERNELS_MIXED_H

#include "kernels/kernels.h"

/* Bytes of scratch, aligned to 64, for products up to (m, k) times (k, any n). */
size_t fd_mixed_scratch_bytes(int m, int k);

/* `product`, whose A is contiguous along k (a_col = 1) or along its rows (a_row = 1). Error: that of a float32 product of the rounded
 * operands, gamma_{K+2} sum |a b|; an element does not depend on how a matrix is cut into calls. */
void fd_gemm_mixed(const fd_kernels *kernels, const fd_gemm *product, void *scratch);

#endif
