/* What AVX-512 has for the templates of bfloat16 products. */
#include <immintrin.h>

#define VW 16
#include "kernels/vectors.h"

ALWAYS vf vmax(vf a, vf b) { return (vf)_mm512_max_ps((__m512)a, (__m512)b); }
ALWAYS vf vmin(vf a, vf b) { return (vf)_mm512_min_ps((__m512)a, (__m512)b); }
ALWAYS vf reciprocal(vf x) { return (vf)_mm512_rcp14_ps((__m512)x); }

#if defined(__AVX512BF16__)
ALWAYS void round_two(vf low, vf high, uint16_t *to) {
    __m512bh both = _mm512_cvtne2ps_pbh((__m512)high, (__m512)low);
    memcpy(to, &both, sizeof both);
}

ALWAYS vi pair(vf low, vf high) {
    const __m512i zip = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21, 5, 20, 4,
                                         19, 3, 18, 2, 17, 1, 16, 0);
    return (vi)_mm512_permutexvar_epi16(zip, (__m512i)_mm512_cvtne2ps_pbh((__m512)high, (__m512)low));
}
#endif
