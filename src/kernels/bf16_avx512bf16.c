#include "kernels/kernels.h"

#if defined(__AVX512BF16__)
#include "kernels/bf16_vectors512.h"

typedef __m512bh pairs;
ALWAYS pairs pairs_of(vi words) { return (pairs)words; }
ALWAYS vf dot(vf sum, pairs a, pairs b) { return (vf)_mm512_dpbf16_ps((__m512)sum, a, b); }

#define FD_BF16 fd_bf16_avx512bf16
#define FD_MR 14 /* 28 accumulators, two columns of B and one broadcast: 31 of 32 registers */
#include "kernels/bf16_body.h"
#else
const fd_bf16_kernels fd_bf16_avx512bf16 = {0};
#endif
