/* DPM-Solver++(2M), Lu et al. (2022), and its SDE variant of the same paper. With lambda = -log s,
 * h = lambda' - lambda > 0 and r = h_before / h,
 *
 *   D  = x0 + (x0 - x0_before) / (2 r)      (x0 alone on the first step and on the last),
 *   x' = sqrt(1 - abar') / sqrt(1 - abar) e^(-eta h) x + sqrt(abar') (1 - e^(-(1 + eta) h)) D + sigma z,
 *   sigma^2 = (1 - abar') (1 - e^(-2 eta h)).
 *
 * Both ends of a step are exact in the linear part, so that only the change of x0 is approximated: it is extrapolated
 * from the last two. To first order, D = x0, this is DDIM with the same eta when eta is 0 or 1. The step to s = 0 is h
 * = inf: x' = x0. */
#include <math.h>

#include "diffusion/step_table.h"

void fd_dpmpp_step(const fd_sampler_spec *spec, const fd_span *span, fd_sampler_step *step) {
    if (span->s_next == 0) {
        step->from_x0 = 1;
        return;
    }
    double eta = spec->kind == FD_SAMPLER_DPMPP_2M_SDE ? spec->eta : 0;
    double h = log(span->s / span->s_next);
    double ahead = span->s_before > 0 ? h / (2 * log(span->s_before / span->s)) : 0; /* 1 / (2 r) */
    double change = -expm1(-(1 + eta) * h) * sqrt(span->noise_next) / span->s_next;
    step->from_x = sqrt(span->noise_next / span->noise) * exp(-eta * h);
    step->from_x0 = change * (1 + ahead);
    step->from_past = -change * ahead;
    step->sigma = sqrt(span->noise_next * -expm1(-2 * eta * h));
}
