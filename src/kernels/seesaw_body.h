/* The seesaw's forward map and derivatives for FD_LANES points at a time (physics/seesaw.h), written once. The file that includes
 * this defines FD_SEESAW, the name of the table, and FD_TAKAGI, the factorisation of the same instruction set. Included once
 * per instruction set: this is a template, not a header. */
#include "kernels/seesaw_lanes.h"
#include "kernels/vector_math.h"

enum { W = FD_LANES };

/* A complex number in every lane. */
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

#include "kernels/seesaw_forward_body.h"
#include "kernels/seesaw_slopes_body.h"
#include "kernels/seesaw_surface_body.h"

const seesaw_kernels FD_SEESAW = {factorise, evaluate, derivatives, surface, approach};
