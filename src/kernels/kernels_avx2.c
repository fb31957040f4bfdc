#include "kernels/kernels.h"

#if defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>

#define VW 8
#include "kernels/vectors.h"

static inline vq mul_even(vu a, vu b) { return (vq)_mm256_mul_epu32((__m256i)a, (__m256i)b); }
static inline vf vsqrt(vf x) { return (vf)_mm256_sqrt_ps((__m256)x); }

/* Within every 128 bits. */
#define UNPACK_LOW(a, b) (vf) _mm256_unpacklo_ps((__m256)(a), (__m256)(b))
#define UNPACK_HIGH(a, b) (vf) _mm256_unpackhi_ps((__m256)(a), (__m256)(b))
#define PAIR_LOW(a, b) (vf) _mm256_unpacklo_pd((__m256d)(a), (__m256d)(b))
#define PAIR_HIGH(a, b) (vf) _mm256_unpackhi_pd((__m256d)(a), (__m256d)(b))

#define FD_TAKAGI fd_takagi_avx2
#define FD_SEESAW fd_seesaw_avx2
#define FD_BOX_MEAN fd_box_mean_avx2
#define FD_LEAST_NORM fd_least_norm_avx2
#define FD_MR 6 /* 12 accumulators, two columns of B and one broadcast: 15 of 16 registers */
#include "kernels/kernels_body.h"

static const fd_kernels table = FD_TABLE_WITH("avx2", fd_bf16_avx2);
const fd_kernels *const fd_table_avx2 = &table;
#else
const fd_kernels *const fd_table_avx2 = NULL;
#endif
