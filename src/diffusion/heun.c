/* Heun's method for the probability-flow equation, Karras et al. (2022), algorithm 1. In z = x / sqrt(abar) the
 * equation is dz/ds = (z - x0) / s = eps, whose Euler step is DDIM with eta = 0; the corrector takes the same step
 * again with the mean of eps at its two ends. At s = 0 there is no eps: the last step is Euler's, x' = x0. */
#include "diffusion/step_table.h"

void fd_heun_step(const fd_sampler_spec *spec, const fd_span *span, fd_sampler_step *step) {
    fd_sampler_spec euler = *spec;
    euler.eta = 0;
    fd_ddim_step(&euler, span, step);
}
