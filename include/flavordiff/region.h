/* Exact draws from the prior restricted to a region of observables (fd_region, model.h): the exact posterior of labels that
 * are known to lie in a window. A referee for anything that claims to sample it, and training pairs without end. */
#ifndef FLAVORDIFF_REGION_H
#define FLAVORDIFF_REGION_H

#include "flavordiff/api.h"
#include "flavordiff/model.h"

FD_DECLS_BEGIN

/* Whether all observables (n_observables) are inside; NaN: false where a window is not open. */
bool fd_region_holds(const fd_model *model, const fd_region *region, const double *observables);

/* fd_model.draw_region of a model that has it, else fd_region_reject(); *tried and the bias of a full `theta` as there. */
size_t fd_region_draw(const fd_model *model, const fd_region *region, fd_rng *rng, double cluster, size_t capacity,
                      double *theta, uint64_t *tried);

/* The plain method, which asks nothing of a model: prior draws that fall inside. Where the model has a scale_param, that is
 * solved for: a draw is kept when some value of it puts every observable inside, with a probability proportional to the
 * length of the interval of such values, and takes one of them at random. Rows are independent and exact.
 * theta (capacity, n_params); returns the rows written. *tried: on entry how many prior draws may be spent, on return how
 * many were. Consumes only `rng`, thread-safe, never allocates. */
size_t fd_region_reject(const fd_model *model, const fd_region *region, fd_rng *rng, size_t capacity, double *theta,
                        uint64_t *tried);

FD_DECLS_END

#endif
