/* Ancestral sampling, eq. A.23 (Ho, Jain, Abbeel 2020):
 *
 *   x_{t-1} = (x_t - beta_t / sqrt(1 - abar_t) eps) / sqrt(1 - beta_t) + sigma_t z,
 *   sigma_t^2 = beta_t   or   beta~_t = beta_t (1 - abar_{t-1}) / (1 - abar_t);
 *
 * the last step adds no noise. With fewer steps than T, beta_t is that of the chain of kept times. */
#include <math.h>

#include "diffusion/step_table.h"

void fd_ddpm_step(const fd_sampler_spec *spec, const fd_span *span, fd_sampler_step *step) {
    double root_alpha = sqrt(1 - span->beta);
    step->from_x = 1 / root_alpha;
    step->from_eps = -span->beta / (sqrt(span->noise) * root_alpha);
    double variance = span->beta;
    if (spec->variance == FD_VARIANCE_BETA_TILDE) variance *= span->noise_next / span->noise;
    step->sigma = step->t_next ? sqrt(variance) : 0;
}
