/* Doubles in the widest vectors of the instruction set a file is compiled for: VW lanes, + - * / and comparisons as the
 * compilers' vector extensions have them. A template's tool, not an interface: only kernel bodies include it. They are compiled
 * with -ffp-contract=off, and what is here rounds correctly, so all instruction sets give the same bits. */
#ifndef FD_KERNELS_VECTOR_DOUBLE_H
#define FD_KERNELS_VECTOR_DOUBLE_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#if defined(__AVX512F__) && defined(__AVX512DQ__) && defined(__AVX512BW__) && defined(__AVX512VL__)
#include <immintrin.h>
enum { VW = 8 };
typedef double vd __attribute__((vector_size(64)));
typedef int64_t vl __attribute__((vector_size(64)));
typedef uint64_t vu __attribute__((vector_size(64)));
static inline vd vsqrt(vd x) { return (vd)_mm512_sqrt_pd((__m512d)x); }
static inline bool any(vl mask) { return _mm512_movepi64_mask((__m512i)mask) != 0; }
#elif defined(__AVX2__)
#include <immintrin.h>
enum { VW = 4 };
typedef double vd __attribute__((vector_size(32)));
typedef int64_t vl __attribute__((vector_size(32)));
typedef uint64_t vu __attribute__((vector_size(32)));
static inline vd vsqrt(vd x) { return (vd)_mm256_sqrt_pd((__m256d)x); }
static inline bool any(vl mask) { return _mm256_movemask_pd((__m256d)mask) != 0; }
#else
enum { VW = 2 };
typedef double vd __attribute__((vector_size(16)));
typedef int64_t vl __attribute__((vector_size(16)));
typedef uint64_t vu __attribute__((vector_size(16)));
static inline vd vsqrt(vd x) { return (vd){sqrt(x[0]), sqrt(x[1])}; }
static inline bool any(vl mask) { return (mask[0] | mask[1]) != 0; }
#endif

static inline vd load(const double *from) {
    vd x;
    memcpy(&x, from, sizeof x);
    return x;
}

static inline void store(vd x, double *to) { memcpy(to, &x, sizeof x); }

static inline vd splat(double x) { return x - (vd){0}; }

/* x in the lanes of the mask, +0 in the others. */
static inline vd where(vl mask, vd x) { return (vd)(mask & (vl)x); }

/* mask ? a : b, lane by lane; a mask is what a comparison gives. */
static inline vd choose(vl mask, vd a, vd b) { return (vd)((mask & (vl)a) | (~mask & (vl)b)); }

static inline vd vabs(vd x) { return (vd)((vl)x & INT64_MAX); }
/* The second where one is not a number. */
#if defined(__AVX512DQ__)
static inline vd vmin(vd a, vd b) { return (vd)_mm512_min_pd((__m512d)a, (__m512d)b); }
static inline vd vmax(vd a, vd b) { return (vd)_mm512_max_pd((__m512d)a, (__m512d)b); }
#elif defined(__AVX2__)
static inline vd vmin(vd a, vd b) { return (vd)_mm256_min_pd((__m256d)a, (__m256d)b); }
static inline vd vmax(vd a, vd b) { return (vd)_mm256_max_pd((__m256d)a, (__m256d)b); }
#else
static inline vd vmin(vd a, vd b) { return choose(a < b, a, b); }
static inline vd vmax(vd a, vd b) { return choose(a > b, a, b); }
#endif
static inline vd vcopysign(vd x, vd sign) { return (vd)(((vl)x & INT64_MAX) | ((vl)sign & INT64_MIN)); }

#endif
