/* What the paper says of its solutions, as shares that can be counted in any table of solutions, and a verdict on each. */
#ifndef FLAVORDIFF_STAGES_CLAIMS_H
#define FLAVORDIFF_STAGES_CLAIMS_H

#include <stdbool.h>
#include <stddef.h>

#include "stages/table.h"

typedef enum fd_claim_kind {
    FD_CLAIM_BETWEEN, /* a <= factor x <= b */
    FD_CLAIM_NEAR,    /* an angle (rad) within a degrees of a multiple of b degrees */
    FD_CLAIM_EDGE     /* mbb above a times what aligned phases would give it, m1 c12^2 c13^2 + m2 s12^2 c13^2 + m3 s13^2 */
} fd_claim_kind;

typedef struct fd_claim {
    const char *claim;     /* as the paper has it */
    const char *statistic; /* what is counted */
    fd_claim_kind kind;
    const char *column;    /* of solutions.csv */
    double factor, a, b;
    const char *unit;      /* of factor x, for quartiles; NULL: none are told */
    double lo, hi;         /* shares that bear the claim out */
    const char *means;     /* ... in words */
    bool by_definition;    /* of the quantity: true of every point */
} fd_claim;

enum { FD_CLAIMS = 14 };
extern const fd_claim fd_claims[FD_CLAIMS];

/* k of the n rows that have the quantity: n = 0 where the table has not the column, or no row. */
typedef struct fd_share {
    size_t k, n;
} fd_share;
fd_share fd_claim_count(const fd_claim *claim, const fd_table *table);

/* In words, a literal: what exact solutions, and the prior with the mass windows alone (n = 0: not at hand), say of a claim. It holds
 * where the 95 % interval (Wilson) of a share lies inside lo .. hi, and fails where it lies outside.
 *   "of the definition"     by_definition
 *   "no exact solutions"    exact.n = 0
 *   "undecided"             the exact interval is partly inside
 *   "not of the posterior"  it fails for exact solutions
 *   "the prior's too"       it holds for both
 *   "the posterior's"       it holds for exact solutions, and not, or not for sure, in the prior
 *   "the posterior's; the prior was not asked" */
const char *fd_claim_verdict(const fd_claim *claim, fd_share exact, fd_share prior);

/* Whether two shares differ: their 99 % intervals (Wilson) have no number in common. Two equal ones are told apart far less often
 * than once in a hundred. */
bool fd_shares_differ(fd_share a, fd_share b);

#endif
