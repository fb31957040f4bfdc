/* Sampling until enough is in hand, and what that says of the efficiency.
 *
 * Inverse sampling (Haldane 1945): independent trials with success probability p go on until the k-th success, which is
 * trial n. n has the negative binomial law C(n-1, k-1) p^k (1-p)^(n-k), under which k/n is too large in the mean and
 *
 *     (k - 1)/(n - 1)   has the mean p exactly (k >= 2).
 *
 * Exact two-sided interval (Clopper and Pearson 1934, for this law): P(n or fewer trials | lo) = tail/2 and
 * P(n or more | hi) = tail/2, that is lo = B(tail/2; k, n-k+1), hi = B(1 - tail/2; k, n-k) with B the quantiles of the
 * beta law; hi = 1 when n = k. */
#ifndef FLAVORDIFF_INFERENCE_STOPPING_H
#define FLAVORDIFF_INFERENCE_STOPPING_H

#include <stddef.h>
#include <stdint.h>

#include "flavordiff/status.h"

typedef struct fd_efficiency {
    double plain, unbiased; /* k/n, (k-1)/(n-1); unbiased is NaN for k < 2 */
    double lo, hi;          /* of the interval */
} fd_efficiency;

/* Efficiency of trials that stopped at the k-th success, trial n (1 <= k <= n); tail in (0, 1): 0.05 for 95 %. */
fd_efficiency fd_inverse_sampling(uint64_t k, uint64_t n, double tail);

/* Effective size of weighted points, (sum_g W_g)^2 / sum_g W_g^2 with W_g the summed weights of equal points (Kish 1965):
 * the number of points when all differ and weigh the same, 1 when one is repeated for ever. Zero-initialise. */
typedef struct fd_effective {
    double sum, squares;
    size_t n, room; /* distinct points, slots */
    struct fd_effective_slot {
        uint64_t key;
        double weight; /* 0: free */
    } *slots;
} fd_effective;

/* Adds a point of n_bytes bytes (equal when their 64-bit hashes are) with a weight > 0. FD_ERR_MEMORY leaves all as it was. */
fd_status fd_effective_add(fd_effective *e, const void *point, size_t n_bytes, double weight, fd_error *err);
double fd_effective_size(const fd_effective *e); /* 0 when empty */
void fd_effective_free(fd_effective *e);

#endif
