/* Markov chains whose moves follow the surface of the labels: draws from the prior times a likelihood of the labels, of any
 * flavour model. docs/referee.md tells the method and why it is exact.
 *
 * Coordinates x: the prior's box is [-1, 1]^d and goes on outside as its mirror image (periodically, where a parameter is an
 * angle; where the prior keeps a pair in order, with the pair exchanged), so that the prior is flat everywhere and has no
 * walls. c(x), n coordinates of the labels (inference/surface.h), J = dc/dx. A move from x
 *
 *   draws v ~ N(0, s^2) in the tangent space {J v = 0} and another level c* from a walk that leaves the likelihood w as it is,
 *   finds y = x + v + N(x)^T a with c(y) = c* by Newton's method, N: orthonormal rows that span J's, and is taken with probability
 *
 *     min(1, sqrt(det J J^T (x) / det J J^T (y)) exp((|v|^2 - |u|^2) / 2 s^2)),   u: tangent part of x - y at y,
 *
 * if Newton's method leads from y and u back to x (Zappa, Holmes-Cerfon and Goodman, Comm. Pure Appl. Math. 71, 2609, 2018; one
 * surface there, a stack of them here). Where the model does not tell the likelihood of a level, the walk is a step of a
 * normal law, and w(y)/w(x) a factor. Every fourth step fd_model.random_symmetry() moves first. */
#ifndef FLAVORDIFF_INFERENCE_MCMC_H
#define FLAVORDIFF_INFERENCE_MCMC_H

#include "flavordiff/target.h"
#include "flavordiff/team.h"

/* Model and, of its labels, the likelihood: 1 inside the region and 0 outside, or where region is NULL
 * exp(-chi^2/2), chi^2 of masses and angles (fd_chi2.five). Borrowed: they must outlive the chains. */
typedef struct fd_mcmc_target {
    const fd_model *model;
    const fd_region *region;
    const fd_judge *judge; /* may be NULL with a region */
} fd_mcmc_target;

typedef struct fd_mcmc_counts {
    uint64_t moves, accepted;
    uint64_t unsolved, irreversible; /* of those not accepted: Newton's method found no way there, or another way back */
} fd_mcmc_counts;

typedef struct fd_mcmc fd_mcmc;
/* FD_ERR_MEMORY. Free with fd_mcmc_free (NULL ok). */
fd_status fd_mcmc_create(const fd_mcmc_target *target, uint64_t seed, fd_mcmc **mcmc, fd_error *err);
void fd_mcmc_free(fd_mcmc *mcmc);
/* fd_mcmc_run() and fd_mcmc_warm_up() are from now on done by all ranks of `team` (borrowed) in one job, each a part of the chains;
 * theta, trace and *counts are then in all of them what they were alone. */
void fd_mcmc_share(fd_mcmc *mcmc, fd_team *team);
/* Whether theta (n_params) has a place in the target: inside the prior, likelihood above 0. */
bool fd_mcmc_holds(const fd_mcmc *mcmc, const double *theta);
/* Rows theta (n, n_params) take `steps` steps from step 0 on while lengths of steps are adapted: s to an acceptance of 0.4,
 * those of c to its standard deviations over the rows. Not to be called while draws are kept. As fd_mcmc_run(). */
fd_status fd_mcmc_warm_up(fd_mcmc *mcmc, uint64_t first_chain, size_t n, double *theta, uint32_t steps, fd_error *err);
/* s as adapted. */
double fd_mcmc_tangent(const fd_mcmc *mcmc);
/* All lengths of steps, as adapted: what a checkpoint holds of the chains beside theta and the step. */
enum { FD_MCMC_LENGTHS = 1 + FD_MAX_LABELS };
void fd_mcmc_lengths(const fd_mcmc *mcmc, double lengths[FD_MCMC_LENGTHS]);
void fd_mcmc_set_lengths(fd_mcmc *mcmc, const double lengths[FD_MCMC_LENGTHS]);
/* Rows theta (n, n_params) take steps first_step .. first_step + steps - 1 as chains first_chain .. first_chain + n - 1; each
 * starts where fd_mcmc_holds(). trace (steps / stride, n, n_params), unless NULL, receives every stride-th state. A function of (seed, chain, step, lengths of steps, theta)
 * alone. Adds to *counts. Rows in parallel;
 * FD_ERR_MEMORY without scratch. */
fd_status fd_mcmc_run(const fd_mcmc *mcmc, uint64_t first_chain, size_t n, double *theta, uint32_t first_step,
                      uint32_t steps, uint32_t stride, double *trace, fd_mcmc_counts *counts, fd_error *err);

#endif
