/* Means of a uniform law seen through noise (diffusion/box_mean.h) for FD_LANES points at a time, written once. The file that
 * includes this defines FD_BOX_MEAN, the name of the function. Included once per instruction set: this is a template, not a
 * header. */
#include "kernels/box_mean_lanes.h"
#include "kernels/vector_math.h"

/* Mills ratio (1 - Phi(x)) / phi(x). For x >= 0 (1 + x) M(x) is a polynomial in t = (x - 5) / (x + 5), its Chebyshev series cut at
 * 1e-17; for x > -9 by reflection. Relative error below 4e-16 for x >= 0. */
static inline vd mills(vd x) {
    static const double c[] = {
        1.1568486282918946,     -0.22948753825211315,   0.07778159886873554,    0.0250721793016388,     -0.0661776007789934,
        0.0615050458401865,     -0.038026592187762366,  0.01634823128102938,    -0.004201290310663574,  1.9530638370790786e-05,
        0.00045704381820007954, -0.0001343742785571135, -2.48054584472145e-05,  2.270961270923768e-05,  -1.7723438185601556e-07,
        -3.277287633208865e-06, 3.2197131609042185e-07, 4.91996233147834e-07,   -6.738323465177047e-08, -7.758520236786343e-08,
        1.0082895646260188e-08, 1.1032071151574336e-08, -1.0846925288860795e-09, -9.564832934712551e-10, 6.288377855498677e-11};
    vd size = vabs(x), ratio = polynomial(c, 25, (size - 5.0) / (size + 5.0)) / (1.0 + size);
    vl left = x < 0.0;
    if (!any(left)) return ratio;
    return choose(left, 2.50662827463100050242 * vexp(0.5 * x * x) - ratio, ratio);
}

/* What Laplace's continued fraction adds to x in 1 / M(x) = x + 1/(x + 2/(x + 3/...)); x >= 6. */
static inline vd beyond(vd x) {
    vd f = x;
    for (int k = 24; k >= 2; k--) f = x + k / f;
    return 1.0 / f;
}

/* a and b: from |d| to the nearer and to the farther wall in units of s, positive away from the centre; the mean is
 * s (1 - r) / (M(a) - r M(b)) towards the centre, r = phi(b) / phi(a). From a = 6 on, only a small part of a is left of
 * it, counted from the wall. Below a = -8 it is d. */
static inline vd narrow(vd d, double h, vd s) {
    vd size = vabs(d), inverse = 1.0 / s, a = (size - h) * inverse, b = (size + h) * inverse;
    vl deep = a < -8.0;
    if (!any(~deep)) return d;
    a = vmax(a, splat(-8));
    vd log_r = -2.0 * h * inverse * (size * inverse), near = mills(a), far = mills(b), less = vexpm1(log_r), r = 1.0 + less;
    vd mean = size + s * less / (near - r * far);
    vl outside = a >= 6.0;
    if (any(outside)) {
        vd c = beyond(vmax(a, splat(6)));
        near = 1.0 / (a + c);
        mean = choose(outside, h - s * (c * near - r * (1.0 - a * far)) / (near - r * far), mean);
    }
    return choose(deep, d, vcopysign(mean, d));
}

/* The series; k = h d / s^2. */
static inline vd wide(const double *up, const double *down, double h, vd k) {
    vd k2 = k * k, above = load(up + (FD_BOX_TERMS - 1) * FD_LANES), below = load(down + (FD_BOX_TERMS - 1) * FD_LANES);
    for (int n = FD_BOX_TERMS - 2; n >= 0; n--) {
        above = above * k2 + load(up + n * FD_LANES);
        below = below * k2 + load(down + n * FD_LANES);
    }
    return h * k * above / below;
}

void FD_BOX_MEAN(const fd_box_mean *q) {
    for (int i = 0; i < q->n; i++)
        for (int w = 0; w < FD_LANES; w += VW) {
            vd d = load(q->d + i * FD_LANES + w), s = load(q->s + w), k = d * (q->h / (s * s)), mean = {0};
            vl series = (q->h < s) & (vabs(k) < FD_BOX_REACH);
            if (any(~series)) mean = narrow(d, q->h, s);
            if (any(series)) mean = choose(series, wide(q->up + w, q->down + w, q->h, k), mean);
            store(mean, q->mean + i * FD_LANES + w);
        }
}
