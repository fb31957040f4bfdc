#include "kernels/kernels.h"

#if defined(__AVX512F__) && defined(__AVX512DQ__) && defined(__AVX512BW__) && defined(__AVX512VL__)
#include <immintrin.h>

#define VW 16
#include "kernels/vectors.h"

static inline vq mul_even(vu a, vu b) { return (vq)_mm512_mul_epu32((__m512i)a, (__m512i)b); }
static inline vf vsqrt(vf x) { return (vf)_mm512_sqrt_ps((__m512)x); }

/* Within every 128 bits. */
#define UNPACK_LOW(a, b) (vf) _mm512_unpacklo_ps((__m512)(a), (__m512)(b))
#define UNPACK_HIGH(a, b) (vf) _mm512_unpackhi_ps((__m512)(a), (__m512)(b))
#define PAIR_LOW(a, b) (vf) _mm512_unpacklo_pd((__m512d)(a), (__m512d)(b))
#define PAIR_HIGH(a, b) (vf) _mm512_unpackhi_pd((__m512d)(a), (__m512d)(b))

#define FD_TAKAGI fd_takagi_avx512
#define FD_SEESAW fd_seesaw_avx512
#define FD_BOX_MEAN fd_box_mean_avx512
#define FD_LEAST_NORM fd_least_norm_avx512
#define FD_MR 14 /* 28 accumulators, two columns of B and one broadcast: 31 of 32 registers */
#include "kernels/kernels_body.h"

static const fd_kernels tables[] = {FD_TABLE_WITH("avx512", fd_bf16_avx512), FD_TABLE_WITH("avx512bf16", fd_bf16_avx512bf16),
                                    FD_TABLE_WITH("amx", fd_bf16_amx)};
const fd_kernels *const fd_table_avx512 = &tables[0], *const fd_table_avx512bf16 = &tables[1],
                        *const fd_table_amx = &tables[2];
#else
const fd_kernels *const fd_table_avx512 = NULL, *const fd_table_avx512bf16 = NULL, *const fd_table_amx = NULL;
#endif
