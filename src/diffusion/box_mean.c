#include "diffusion/box_mean.h"

#include <math.h>

/* By parts, m(n) = (exp(-q^2/2) + q^2 m(n+1)) / (2n + 1): downwards, an error shrinks by q^2 / (2n + 1) a step. */
void fd_box_series_at(double h, double s, fd_box_series *series) {
    enum { FROM = FD_BOX_TERMS + 20 };
    double q2 = (h / s) * (h / s), edge = exp(-0.5 * q2), moment[FROM + 1] = {0}, factorial = 1;
    for (int n = FROM - 1; n >= 0; n--) moment[n] = (edge + q2 * moment[n + 1]) / (2 * n + 1);
    for (int n = 0; n < FD_BOX_TERMS; n++) { /* factorial is (2n)! */
        series->down[n] = moment[n] / factorial;
        series->up[n] = moment[n + 1] / (factorial * (2 * n + 1));
        factorial *= (2.0 * n + 1) * (2.0 * n + 2);
    }
}

/* What Laplace's continued fraction adds to x in 1 / M(x) = x + 1/(x + 2/(x + 3/...)), M the Mills ratio; x >= 6. */
static double beyond(double x) {
    double f = x;
    for (int k = 24; k >= 2; k--) f = x + k / f;
    return 1 / f;
}

/* Mills ratio (1 - Phi(x)) / phi(x) for -9 < x. */
static double mills(double x) {
    if (x >= 6) return 1 / (x + beyond(x));
    return 1.2533141373155002512 * erfc(x * 0.70710678118654752440) * exp(0.5 * x * x);
}

/* a and b: from |d| to the nearer and to the farther wall in units of s, positive away from the centre; the mean is
 * s (1 - r) / (M(a) - r M(b)) towards the centre, r = phi(b) / phi(a). From a = 6 on, only a small part of a is left of
 * it, counted from the wall. */
double fd_box_mean_narrow(double d, double h, double s) {
    double a = (fabs(d) - h) / s, b = (fabs(d) + h) / s;
    if (a < -8) return d;
    double log_r = -2 * h / s * (fabs(d) / s), r = exp(log_r), far = mills(b), mean;
    if (a < 6) {
        mean = fabs(d) + s * expm1(log_r) / (mills(a) - r * far);
    } else {
        double c = beyond(a), near = 1 / (a + c);
        mean = h - s * (c * near - r * (1 - a * far)) / (near - r * far);
    }
    return copysign(mean, d);
}
