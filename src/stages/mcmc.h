/* What stages that run Markov chains share: where chains start, and whether they have converged. */
#ifndef FD_STAGES_MCMC_H
#define FD_STAGES_MCMC_H

#include "flavordiff/region.h"
#include "inference/mcmc.h"
#include "stages/common.h"

/* The prior times the likelihood asked for, as `region` (the 3 sigma windows, filled in) or, for FD_LIKELIHOOD_GAUSSIAN, the
 * global fit; borrows setting and region. */
fd_mcmc_target fd_stage_target(const fd_setting *setting, fd_likelihood likelihood, fd_region *region);

/* Over-dispersed starts theta (n, n_params): prior draws, each moved by projection onto a label of its own drawn from the
 * windows or the fit. The wrong distribution, on purpose. Row i depends on (seed, i, n). FD_ERR_VALUE when a chain finds none. */
fd_status fd_chain_starts(const fd_setting *setting, const fd_mcmc *mcmc, fd_likelihood likelihood, uint64_t seed, size_t n,
                          double *theta, fd_error *err);

/* The worst of all parameters and observables, angles through cosine and sine (chains.h). */
typedef struct fd_convergence {
    double r_hat, bulk_ess, tail_ess;
    char r_hat_name[48], bulk_name[48], tail_name[48];
    int failed;         /* quantities outside the rule below */
    char failing[256];  /* their names, as many as fit */
} fd_convergence;

/* The rule: R-hat < FD_R_HAT, bulk and tail ESS >= FD_LEAST_ESS. */
#define FD_R_HAT 1.01
#define FD_LEAST_ESS 400.0

/* theta (draws, chains, n_params), draws >= 8. FD_ERR_MEMORY. */
fd_status fd_convergence_judge(const fd_model *model, size_t chains, size_t draws, const double *theta,
                               fd_convergence *out, fd_error *err);

/* reference --method mcmc (reference.c hands it on). */
fd_status fd_reference_by_mcmc(const fd_run *run, const char *out, fd_error *err);

#endif
