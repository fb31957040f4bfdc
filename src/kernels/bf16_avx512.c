#include "kernels/kernels.h"

#if defined(__AVX512F__) && defined(__AVX512DQ__) && defined(__AVX512BW__) && defined(__AVX512VL__)
#include "kernels/bf16_vectors512.h"
#include "kernels/bf16_shift.h"
#define FD_BF16 fd_bf16_avx512
#define FD_MR 12 /* 24 accumulators, two columns of B and one broadcast, each twice: 30 of 32 registers */
#include "kernels/bf16_body.h"
#else
const fd_bf16_kernels fd_bf16_avx512 = {0};
#endif
