/* Complex numbers in vector_double.h's lanes. A template's tool, as that is. */
#ifndef FD_KERNELS_VECTOR_COMPLEX_H
#define FD_KERNELS_VECTOR_COMPLEX_H

#include "kernels/vector_double.h"

typedef struct vc {
    vd re, im;
} vc;

#define INLINE static inline __attribute__((always_inline))

INLINE vc c_load(const double *re, const double *im) { return (vc){load(re), load(im)}; }
INLINE vc add(vc a, vc b) { return (vc){a.re + b.re, a.im + b.im}; }
INLINE vc sub(vc a, vc b) { return (vc){a.re - b.re, a.im - b.im}; }
INLINE vc mul(vc a, vc b) { return (vc){a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re}; }
INLINE vc conj_mul(vc a, vc b) { return (vc){a.re * b.re + a.im * b.im, a.re * b.im - a.im * b.re}; } /* a* b */
INLINE vc times(vc a, vd b) { return (vc){a.re * b, a.im * b}; }
INLINE vc turned(vd angle, vc a) { return (vc){-angle * a.im, angle * a.re}; } /* i angle a */
INLINE vc c_conj(vc a) { return (vc){a.re, -a.im}; }
INLINE vd norm2(vc a) { return a.re * a.re + a.im * a.im; }

#endif
