#include "diffusion/box_mean.h"

#include <math.h>

#include "kernels/kernels.h"

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

void fd_box_mean_solve(const fd_box_mean *problem) { fd_kernels_get()->box_mean(problem); }
