/* Elementary functions of vector_double.h's vectors, with errors below 2 ulp (atan: 3). The polynomials are those of fdlibm (Sun Microsystems
 * 1993) and serve a range; lanes outside of it are the C library's. A lane does not depend on its neighbours. A template's tool,
 * as vector_double.h is. */
#ifndef FD_KERNELS_VECTOR_MATH_H
#define FD_KERNELS_VECTOR_MATH_H

#include "kernels/vector_double.h"

/* Adding and subtracting it rounds to an integer, which is left in the low bits on the way. */
static const double rounder = 0x1.8p52;

static inline vd polynomial(const double *c, int n, vd x) {
    vd sum = splat(c[n - 1]);
    for (int i = n - 2; i >= 0; i--) sum = sum * x + c[i];
    return sum;
}

/* 2^n for n whole, |n| < 1022. */
static inline vd power_of_two(vd n) { return (vd)(((vu)(n + rounder) + 1023) << 52); }

/* Remainder by pi/2 in three parts of 33 bits each (the first two products are exact). */
static inline void vsincos(vd x, vd *sine, vd *cosine) {
    static const double s[] = {-1.66666666666666324348e-01, 8.33333333332248946124e-03, -1.98412698298579493134e-04,
                               2.75573137070700676789e-06, -2.50507602534068634195e-08, 1.58969099521155010221e-10};
    static const double c[] = {4.16666666666666019037e-02, -1.38888888888741095749e-03, 2.48015872894767294178e-05,
                               -2.75573143513906633035e-07, 2.08757232129817482790e-09, -1.13596475577881948265e-11};
    vl far = ~(vabs(x) < 1e6);
    vd turns = x * 0.63661977236758134308 + rounder;
    vu quarter = (vu)turns;
    turns -= rounder;
    vd r = ((x - turns * 1.57079632673412561417e+00) - turns * 6.07710050630396597660e-11) - turns * 2.0222662487959506e-21;
    vd z = r * r, half = 0.5 * z, one = 1.0 - half;
    vd sin_r = r + r * z * polynomial(s, 6, z);
    vd cos_r = one + (((1.0 - one) - half) + z * z * polynomial(c, 6, z));
    vl odd = (vl)(0 - (quarter & 1));
    *sine = (vd)((vu)choose(odd, cos_r, sin_r) ^ ((quarter & 2) << 62));
    *cosine = (vd)((vu)choose(odd, sin_r, cos_r) ^ (((quarter + 1) & 2) << 62));
    for (int w = 0; any(far) && w < VW; w++)
        if (far[w]) (*sine)[w] = sin(x[w]), (*cosine)[w] = cos(x[w]);
}

/* e^r for |r| <= 0.35, Taylor's series. */
static const double exp_terms[] = {1, 1, 1.0 / 2, 1.0 / 6, 1.0 / 24, 1.0 / 120, 1.0 / 720, 1.0 / 5040, 1.0 / 40320, 1.0 / 362880,
                                   1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800};
static inline vd exp_small(vd r) { return polynomial(exp_terms, 14, r); }

/* e^x = 2^n e^r; below -700 that of -700. */
static inline vd remainder_of_exp(vd x, vd *n) {
    *n = (x * 1.44269504088896338700 + rounder) - rounder;
    return (x - *n * 6.93147180369123816490e-01) - *n * 1.90821492927058770002e-10;
}

static inline vd vexp(vd x) {
    vd n, r = remainder_of_exp(vmax(x, splat(-700)), &n);
    return exp_small(r) * power_of_two(n);
}

/* e^x - 1 for x <= 0. */
static inline vd vexpm1(vd x) {
    vd n, r = remainder_of_exp(vmax(x, splat(-700)), &n), power = power_of_two(n);
    return power * (r * polynomial(exp_terms + 1, 13, r)) + (power - 1.0);
}

/* 10^x = 2^n 10^r. */
static inline vd vexp10(vd x) {
    vl far = ~(vabs(x) < 300);
    vd n = (x * 3.32192809488736234787 + rounder) - rounder;
    vd r = (x - n * 0x1.34413509cp-2) - n * 0x1.bcff7988f895ap-37; /* log10 2 in two parts, the first of 36 bits */
    vd y = exp_small(r * 2.302585092994045684018) * power_of_two(n);
    for (int w = 0; any(far) && w < VW; w++)
        if (far[w]) y[w] = pow(10.0, x[w]);
    return y;
}

/* x = 2^e m, m in [sqrt(1/2), sqrt(2)); log m = f - f^2/2 + s (f^2/2 + R(s^2)), f = m - 1, s = f / (2 + f). */
static inline vd vlog10(vd x) {
    static const double c[] = {6.666666666666735130e-01, 3.999999999940941908e-01, 2.857142874366239149e-01,
                               2.222219843214978396e-01, 1.818357216161805012e-01, 1.531383769920937332e-01,
                               1.479819860511658591e-01};
    vl far = ~((x >= 0x1p-1022) & (x < 0x1p1023));
    vl bits = (vl)((vu)x - (UINT64_C(0x3fe6a09e667f3bcd) - (UINT64_C(1023) << 52)));
    vl exponent = (bits >> 52) - 1023;
    vd f = (vd)((vu)x - ((vu)exponent << 52)) - 1.0, s = f / (2.0 + f), z = s * s, half = 0.5 * f * f;
    vd logarithm = f - (half - s * (half + z * polynomial(c, 7, z)));
    vd e = (vd)(exponent + INT64_C(0x4338000000000000)) - rounder;
    vd y = e * 3.01029995663611771306e-01 + (e * 3.69423907715893078616e-13 + logarithm * 4.34294481903251816668e-01);
    for (int w = 0; any(far) && w < VW; w++)
        if (far[w]) y[w] = log10(x[w]);
    return y;
}

/* atan(y / x) for x, y >= 0, not both zero. */
static inline vd vatan_quadrant(vd y, vd x) {
    static const double c[] = {3.33333333333329318027e-01, -1.99999999998764832476e-01, 1.42857142725034663711e-01,
                               -1.11111104054623557880e-01, 9.09088713343650656196e-02, -7.69187620504482999495e-02,
                               6.66107313738753120669e-02, -5.83357013379057348645e-02, 4.97687799461593236017e-02,
                               -3.65315727442169155270e-02, 1.62858201153657823623e-02};
    vl steep = y > x;
    vd low = choose(steep, x, y), high = choose(steep, y, x);
    vl wide = low > 0.41421356237309503 * high; /* tan(pi/8): atan(low/high) = pi/4 - atan((high - low) / (high + low)) */
    vd t = choose(wide, high - low, low) / choose(wide, high + low, high), z = t * t;
    vd angle = t - t * z * polynomial(c, 11, z);
    angle = choose(wide, 0.78539816339744830962 - angle, angle);
    return choose(steep, 1.57079632679489661923 - angle, angle);
}

#endif
