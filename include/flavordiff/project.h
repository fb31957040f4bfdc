/* Projection onto the surface of given labels, {x : L(x) = L*}, inside the support of the prior. What an ideal denoiser
 * does in its last step: a point that is nearly right moves by little and is then right.
 *
 * Gauss-Newton steps of least norm in the network's normalised coordinates x = (theta - shift) / scale,
 *
 *     dx = J^T (J J^T + Lambda)^-1 (c* - c(x)),   J = d c / d x,
 *
 * where c - c* is what is missing to the labels: L - L*, or in the coordinates of fd_model.approach where these reach further,
 * cut to the length `trust`. Walls are those of the prior: the box [lo, hi] of every parameter that is not periodic, and the
 * model's ordered pairs. A component outside its wall is reflected by it at the start and after the first two steps; after
 * a later one it is put on the wall and frozen, and all are released every third step. The walls are taken a few units of
 * float32 inside the prior, so that rounding the result does not leave it. Any model with derivatives can be projected. */
#ifndef FLAVORDIFF_PROJECT_H
#define FLAVORDIFF_PROJECT_H

#include <stddef.h>
#include <stdint.h>

#include "flavordiff/api.h"
#include "flavordiff/model.h"
#include "flavordiff/network.h"

FD_DECLS_BEGIN

typedef struct fd_project_spec {
    int steps;        /* at most so many; 0: no projection */
    double trust;     /* longest step, Euclidean, in normalised coordinates */
    double tolerance; /* done when every coordinate is so near, |c_k - c*_k| in its own unit, or has so little left to gain */
} fd_project_spec;

/* No projection (0 steps); trust 0.5, tolerance 1e-6. */
void fd_project_spec_default(fd_project_spec *spec);

typedef struct fd_projector fd_projector;
/* params: the scaling of x. The scaler is copied; `model` is borrowed and must outlive the projector, which is immutable:
 * share it between threads. FD_ERR_CONFIG on fewer than one step, trust or tolerance that is not positive; FD_ERR_MISMATCH
 * when the scaler has another number of parameters. Free with fd_projector_free (NULL ok). */
fd_status fd_projector_create(const fd_model *model, const fd_scaler *params, const fd_project_spec *spec,
                              fd_projector **projector, fd_error *err);
void fd_projector_free(fd_projector *projector);

/* Replaces a label (n_labels, label space) by the nearest one the model can have, by least squares in the labels' own units:
 * itself, but for the tolerance, unless its components contradict each other, as midpoints of nine windows that are the
 * moduli of no unitary matrix. Points cannot converge to a contradiction. Works from 64 fixed prior draws; FD_ERR_VALUE when
 * none gets there, FD_ERR_MEMORY. */
fd_status fd_projector_nearest_label(const fd_projector *projector, double *label, fd_error *err);

/* Bytes of scratch one call of fd_project_tile needs. */
size_t fd_projector_scratch_bytes(const fd_projector *projector);
/* Moves n points x (n, n_params), normalised, towards their labels (n, n_labels; label space, not normalised). Periodic
 * components come back in [lo, hi). converged[i] = 1: within the tolerance (before x is rounded to float32) and inside the
 * prior. 0: the last iterate, inside the prior, where it is nearer to the label than the point was when it
 * entered; else x is untouched. Rows are independent of each other. scratch: 64-byte aligned, one block a thread. */
void fd_project_tile(const fd_projector *projector, size_t n, float *x, const double *labels, uint8_t *converged,
                     void *scratch);
/* The same with rows in parallel; FD_ERR_MEMORY without scratch. */
fd_status fd_project(const fd_projector *projector, size_t n, float *x, const double *labels, uint8_t *converged,
                     fd_error *err);

FD_DECLS_END

#endif
