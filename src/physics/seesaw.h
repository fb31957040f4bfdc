/* Type-I seesaw with diagonal charged leptons and heavy Majorana states: what its files share.
 *
 * Parameters G, eq. (2.15): Re Y[i][a] (0-8, row-major, i = heavy state, a = e, mu, tau), Im Y[i][a] (9-17), r1 = |M1|/M3,
 * r2 = |M2|/M3, k = log10(<H>^2/M3 [eV]), and unless real_majorana arg M1, arg M2. Light mass matrix, eq. (2.2):
 *
 *     m_nu = 10^k n,   n[a][b] = sum_i Y[i][a] x_i Y[i][b],   x_i = M3/M_i = e^{-i arg M_i} / r_i,   x_3 = 1.
 *
 * Only n is factorised: 10^k is a common factor of the masses and leaves the mixing alone. */
#ifndef FD_PHYSICS_SEESAW_H
#define FD_PHYSICS_SEESAW_H

#include "flavordiff/model.h"
#include "kernels/seesaw_lanes.h"

enum {
    SEESAW_M1, SEESAW_M2, SEESAW_M3, SEESAW_DM21, SEESAW_DM3L, SEESAW_S12, SEESAW_S13, SEESAW_S23,
    SEESAW_DELTA, SEESAW_ALPHA21, SEESAW_ALPHA31, SEESAW_ETA, SEESAW_JARLSKOG, SEESAW_SUM, SEESAW_MBB, SEESAW_MNUE,
    SEESAW_U, /* nine, row-major */
    SEESAW_HEAVY = SEESAW_U + 9, /* three */
    SEESAW_DIGITS = SEESAW_HEAVY + 3, SEESAW_OBSERVABLES
};

enum { SEESAW_RADII = 256 };
/* The largest kappa of three digits with (4/pi) asin(1/m) - 1 <= e^{-kappa (m^2 - 1)} for all 1 <= m <= sqrt 2. */
#define SEESAW_WALL_DECAY 3.04

typedef struct seesaw_model {
    fd_model base; /* first, so that a pointer to one is a pointer to the other */
    fd_param params[SEESAW_PARAMS];
    int column[3]; /* nu_j is column[j] of the ascending factorisation: {0, 1, 2}, or {1, 2, 0} for inverted ordering */
    double unit[SEESAW_PARAMS]; /* ones */
    seesaw_setting setting;
    double radii[2][SEESAW_RADII + 1]; /* proposals of |Y_i|^2: seesaw_orbit.c */
} seesaw_model;

/* n of eq. (2.2) from Y and x of every lane, and its factorisation. */
void seesaw_factorise(seesaw_block *block);
/* All observables of one lane of an evaluated block into out (SEESAW_OBSERVABLES); theta is the lane's row. */
void seesaw_observables(const seesaw_model *model, const seesaw_block *block, int lane, const double *theta, double *out);

void seesaw_forward(const fd_model *model, size_t n, const double *theta, double *labels, double *observables);
void seesaw_derivatives(const fd_model *model, size_t n, const double *theta, double *labels, double *jacobian);

/* fd_model.surface and fd_model.approach; the coordinates are told in kernels/seesaw_surface_body.h. */
void seesaw_surface(const fd_model *model, size_t n, const double *theta, double *c, double *jacobian);
void seesaw_approach(const fd_model *model, size_t n, const double *theta, const double *labels, double *residual,
                     double *jacobian);
void seesaw_approach_lanes(const fd_model *model, bool smooth, const double *unit, const double *theta, const double *labels,
                           double *residual, double *jacobian);

/* fd_model.surface_observables. */
void seesaw_surface_observables(const fd_model *model, const double *c, double *observables);

/* Fills model->radii, which seesaw_draw_region() reads. */
void seesaw_prepare_orbits(seesaw_model *model);
/* fd_model.draw_region; the method is told in seesaw_orbit.c. A proposal is an orbit. */
size_t seesaw_draw_region(const fd_model *model, const fd_region *region, fd_rng *rng, double cluster, size_t capacity,
                          double *theta, uint64_t *tried);

/* Row of the table of models. */
fd_status seesaw_create(const fd_model_options *options, fd_model **model, fd_error *err);

#endif
