/* Which predictions are the data's, and which were the prior's all along? */
#ifndef FLAVORDIFF_STAGES_ATTRIBUTE_H
#define FLAVORDIFF_STAGES_ATTRIBUTE_H

#include "flavordiff/stages.h"
#include "stages/columns.h"

/* A divergence below this counts as none: a normal law moved by a third of its deviation has delta^2 / (8 ln 2) = 0.02 bits. */
#define FD_ATTRIBUTE_LITTLE 0.02

enum { FD_PRIOR, FD_MASS_CUTS, FD_POSTERIOR, FD_ATTRIBUTE_SETS };

/* How far apart two laws are: Kolmogorov-Smirnov's distance (Kuiper's for angles), Jensen-Shannon's divergence in bits. */
typedef struct fd_step {
    double distance, bits;
} fd_step;

typedef struct fd_attribution {
    fd_quantity quantity;
    bool cut_on;                             /* inside a window in all solutions, whatever they predict */
    double quartiles[FD_ATTRIBUTE_SETS][3];  /* lower, median, upper; angles cut at 0 */
    fd_step by_masses, by_mixing, by_all;    /* prior to mass cuts, these to the posterior, prior to posterior */
} fd_attribution;

/* All quantities of the three sets into out (sets[0].n_columns). The quantities' names are the model's. */
fd_status fd_attribute(const fd_model *model, const fd_target *target, const fd_columns sets[FD_ATTRIBUTE_SETS],
                       fd_attribution *out, fd_error *err);
/* "cut on", "the prior's", "of the mass splittings", "of the mixing", "of mass splittings and mixing". */
const char *fd_attribution_verdict(const fd_attribution *attribution);

#endif
