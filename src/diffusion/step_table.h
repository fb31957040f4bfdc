/* What a sampler fills in: the coefficients of one reverse step from the chain's state at its two ends. */
#ifndef FD_DIFFUSION_STEP_TABLE_H
#define FD_DIFFUSION_STEP_TABLE_H

#include "flavordiff/sampler.h"

/* One step of the kept chain, from time t to t_next < t. `noise` = 1 - alpha_bar and `beta` are accumulated from the
 * betas, not subtracted, so that they keep their digits where alpha_bar is close to 1. */
typedef struct fd_span {
    double beta;       /* 1 - alpha_bar(t) / alpha_bar(t_next): beta_t itself when no time was left out */
    double noise;      /* 1 - alpha_bar(t) */
    double noise_next; /* 1 - alpha_bar(t_next); 0 on the last step */
    double s, s_next;  /* sqrt((1 - alpha_bar) / alpha_bar) at both ends; s_next = 0 on the last step */
    double s_before;   /* level at which the step before this one began; 0: there is none */
} fd_span;

void fd_ddpm_step(const fd_sampler_spec *spec, const fd_span *span, fd_sampler_step *step);
void fd_ddim_step(const fd_sampler_spec *spec, const fd_span *span, fd_sampler_step *step);
void fd_dpmpp_step(const fd_sampler_spec *spec, const fd_span *span, fd_sampler_step *step);
void fd_heun_step(const fd_sampler_spec *spec, const fd_span *span, fd_sampler_step *step);

/* Kept times tau[0] = 0 < tau[1] < ... < tau[steps] = T of the spec's grid, which must be valid. */
void fd_grid_times(const fd_sampler_spec *spec, const fd_schedule *schedule, int *tau);

#endif
