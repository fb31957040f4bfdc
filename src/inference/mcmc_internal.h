/* Inside of the chains, shared by mcmc.c (moves) and mcmc_team.c (chains divided among ranks). */
#ifndef FD_INFERENCE_MCMC_INTERNAL_H
#define FD_INFERENCE_MCMC_INTERNAL_H

#include "inference/mcmc.h"

enum { FD_MCMC_TILE = 16 }; /* chains that move together */

struct fd_mcmc {
    fd_mcmc_target target;
    double tangent; /* s */
    uint64_t seed;
    fd_team *team; /* NULL: works alone */
    int dim, n;
    int pick[FD_MAX_LABELS]; /* the coordinates used, of those fd_surface_at() gives */
    double middle[FD_MAX_PARAMS], half[FD_MAX_PARAMS]; /* theta = middle + half x */
    double spread[FD_MAX_LABELS];
};

/* fd_mcmc_run() of these rows by this rank. */
fd_status fd_mcmc_run_alone(const fd_mcmc *mcmc, uint64_t first_chain, size_t n, double *theta, uint32_t first_step,
                            uint32_t steps, uint32_t stride, double *trace, fd_mcmc_counts *counts, fd_error *err);

#endif
