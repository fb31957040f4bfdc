/* Have Markov chains converged, and what are their draws worth? Diagnostics of Vehtari, Gelman, Simpson, Carpenter and Buerkner
 * (Bayesian Analysis 16, 667, 2021) for one quantity. Every chain is split in halves; M halves of N draws, S = M N.
 *
 *     R-hat = sqrt(((N - 1)/N W + B/N) / W),   W: mean variance inside halves, B/N: variance of their means,
 *
 * of normal scores Phi^-1((rank - 3/8)/(S + 1/4)) of the draws, and of their distances from the median (which sees different
 * spreads): the larger of the two. 1 when halves agree; 1.01 is about 50 independent draws a half.
 *
 *     ESS = S / tau,   tau = -1 + 2 sum_t (rho_2t + rho_2t+1),   rho_t = 1 - (W - mean autocovariance at t) / ((N - 1)/N W + B/N),
 *
 * summed while pairs are positive and made monotone (Geyer 1992); at most S log10 S. Bulk: of normal scores. Tail: the smaller
 * of those of x <= 5 % quantile and x <= 95 % quantile. */
#ifndef FLAVORDIFF_INFERENCE_CHAINS_H
#define FLAVORDIFF_INFERENCE_CHAINS_H

#include <stddef.h>

typedef struct fd_chain_verdict {
    double r_hat, bulk_ess, tail_ess; /* NaN where the quantity is constant: nothing to converge */
} fd_chain_verdict;

/* Doubles of scratch the two below need for chains of n draws each. */
size_t fd_chains_scratch(size_t chains, size_t n);
/* x (chains, n), n >= 8; values that are not numbers count as larger than all that are. Thread-safe; never allocates. */
fd_chain_verdict fd_chains_judge(size_t chains, size_t n, const double *x, double *scratch);
/* ESS of the mean of x itself. */
double fd_chains_ess(size_t chains, size_t n, const double *x, double *scratch);

#endif
