/* Denoising diffusion implicit models, Song, Meng, Ermon (2021), eqs. 12 and 16, from time t to t' < t:
 *
 *   x' = sqrt(abar') x0 + sqrt(1 - abar' - sigma^2) eps + sigma z,   x0 = (x - sqrt(1 - abar) eps) / sqrt(abar),
 *   sigma = eta sqrt((1 - abar') / (1 - abar)) sqrt(1 - abar / abar').
 *
 * The step to t' = 0 gives x0 exactly. */
#include <math.h>

#include "diffusion/step_table.h"

void fd_ddim_step(const fd_sampler_spec *spec, const fd_span *span, fd_sampler_step *step) {
    double alpha = 1 - span->beta; /* abar / abar' */
    double variance = spec->eta * spec->eta * span->noise_next / span->noise * span->beta;
    double direct = sqrt(fmax(0, span->noise_next - variance)); /* towards eps at t' */
    double removed = sqrt(span->noise / alpha);                 /* eps taken out with x0 */
    step->from_x = 1 / sqrt(alpha);
    /* direct - removed, as (direct^2 - removed^2) / (direct + removed): both are close to 1 early in the chain and
     * their difference is of order beta. */
    step->from_eps = -(span->beta / alpha + variance) / (direct + removed);
    step->sigma = sqrt(variance);
}
