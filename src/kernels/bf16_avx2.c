#include "kernels/kernels.h"

#if defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>

#define VW 8
#include "kernels/vectors.h"

ALWAYS vf vmax(vf a, vf b) { return (vf)_mm256_max_ps((__m256)a, (__m256)b); }
ALWAYS vf vmin(vf a, vf b) { return (vf)_mm256_min_ps((__m256)a, (__m256)b); }
ALWAYS vf reciprocal(vf x) { return 1.0f / x; }

#include "kernels/bf16_shift.h"
#define FD_BF16 fd_bf16_avx2
#define FD_MR 4 /* 8 accumulators, two columns of B and one broadcast, each twice: 14 of 16 registers */
#include "kernels/bf16_body.h"
#else
const fd_bf16_kernels fd_bf16_avx2 = {0};
#endif
