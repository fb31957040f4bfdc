/* Labels of a model in the coordinates that suit it best: its own (fd_model.surface, fd_model.approach) or, where it has none,
 * the labels. Points are moved along level surfaces of the first and towards given labels by steps in the second. */
#ifndef FLAVORDIFF_INFERENCE_SURFACE_H
#define FLAVORDIFF_INFERENCE_SURFACE_H

#include <stdbool.h>
#include <stddef.h>

#include "flavordiff/model.h"

/* How many coordinates: fd_model.n_surface, or n_labels. At most FD_MAX_LABELS. */
int fd_surface_dim(const fd_model *model);
/* fd_model.surface, or labels and derivatives(). c and jacobian are both wanted. */
void fd_surface_at(const fd_model *model, size_t n, const double *theta, double *c, double *jacobian);

/* fd_model.approach, or labels - L(theta) and derivatives(): residual (n, fd_surface_dim) and jacobian. */
void fd_surface_approach(const fd_model *model, size_t n, const double *theta, const double *labels, double *residual,
                         double *jacobian);

/* How many conditions the way by which steps reach furthest has: that of approach() where it does, else that of the labels. */
int fd_approach_dim(const fd_model *model);
/* The way itself, or with by_labels that of the labels, for FD_LANES points as fd_model.approach_lanes has it; by rows where the
 * model has no lanes. */
void fd_approach_lanes(const fd_model *model, bool by_labels, const double *unit, const double *theta, const double *labels,
                       double *residual, double *jacobian);

#endif
