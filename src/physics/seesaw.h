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
#include "physics/takagi.h"

enum { SEESAW_R1 = 18, SEESAW_R2, SEESAW_K, SEESAW_ARG1, SEESAW_ARG2, SEESAW_PARAMS };

enum {
    SEESAW_M1, SEESAW_M2, SEESAW_M3, SEESAW_DM21, SEESAW_DM3L, SEESAW_S12, SEESAW_S13, SEESAW_S23,
    SEESAW_DELTA, SEESAW_ALPHA21, SEESAW_ALPHA31, SEESAW_ETA, SEESAW_JARLSKOG, SEESAW_SUM, SEESAW_MBB, SEESAW_MNUE,
    SEESAW_U, /* nine, row-major */
    SEESAW_HEAVY = SEESAW_U + 9, /* three */
    SEESAW_DIGITS = SEESAW_HEAVY + 3, SEESAW_OBSERVABLES
};

enum { SEESAW_LABELS = 11, SEESAW_SURFACE = 6 };

enum { SEESAW_RADII = 256 };
/* The largest kappa of three digits with (4/pi) asin(1/m) - 1 <= e^{-kappa (m^2 - 1)} for all 1 <= m <= sqrt 2. */
#define SEESAW_WALL_DECAY 3.04

typedef struct seesaw_model {
    fd_model base; /* first, so that a pointer to one is a pointer to the other */
    fd_param params[SEESAW_PARAMS];
    int column[3]; /* nu_j is column[j] of the ascending factorisation: {0, 1, 2}, or {1, 2, 0} for inverted ordering */
    double radii[2][SEESAW_RADII + 1]; /* proposals of |Y_i|^2: seesaw_orbit.c */
} seesaw_model;

/* FD_LANES points on their way through the model; the last index is the lane. */
typedef struct seesaw_block {
    double y_re[3][3][FD_LANES], y_im[3][3][FD_LANES];
    double x_re[3][FD_LANES], x_im[3][FD_LANES];
    double scale[FD_LANES]; /* 10^k, eV */
    double label[SEESAW_LABELS][FD_LANES];
    int finite[FD_LANES];
    fd_takagi_lanes n;      /* n, its factorisation (d in units of 10^k eV) */
} seesaw_block;

/* All that the derivatives of a block need and that does not depend on their direction; columns in physical order. */
typedef struct seesaw_frame {
    double u_re[3][3][FD_LANES], u_im[3][3][FD_LANES], v_re[3][3][FD_LANES], v_im[3][3][FD_LANES]; /* V = Y U */
    double q_re[3][3][FD_LANES], q_im[3][3][FD_LANES]; /* [row a][pair]: U_aj* U_al */
    double inverse_modulus[3][3][FD_LANES];
    double inverse_minus[3][FD_LANES], inverse_plus[3][FD_LANES]; /* [pair]: -1 / (d_j - d_l), -1 / (d_j + d_l) */
    double mass_weight[2][3][FD_LANES];                /* d log10|dm2| / dd_j */
} seesaw_frame;

/* One direction of parameter space. */
typedef struct seesaw_direction {
    double p_re[FD_SYM][FD_LANES], p_im[FD_SYM][FD_LANES]; /* P = U^T dn U, columns in physical order */
    double out[SEESAW_LABELS][FD_LANES];                   /* derivatives of whatever is asked for */
} seesaw_direction;

/* From an evaluated block. */
void seesaw_fill_frame(const seesaw_model *model, const seesaw_block *block, seesaw_frame *frame);
/* Derivatives of n_out <= SEESAW_LABELS functions of n, (count, n_out, n_params): slopes() turns P of a direction into those
 * of the functions, by_k (n_out) are those of k. */
void seesaw_jacobian(const seesaw_model *model, const seesaw_block *block, const seesaw_frame *frame, int count,
                     const double *theta, int n_out, const double *by_k,
                     void (*slopes)(const void *context, seesaw_direction *direction), const void *context,
                     double *jacobian);

/* n of eq. (2.2) from Y and x of every lane, and its factorisation. */
void seesaw_factorise(seesaw_block *block);
/* Loads rows theta[0 .. count-1] (1 <= count <= FD_LANES; further lanes repeat the last row), factorises them and
 * computes labels and `finite` of every lane. */
void seesaw_evaluate(const seesaw_model *model, int count, const double *theta, seesaw_block *block);
/* All observables of one lane into out (SEESAW_OBSERVABLES); theta is the lane's row. */
void seesaw_observables(const seesaw_model *model, const seesaw_block *block, int lane, const double *theta, double *out);

void seesaw_forward(const fd_model *model, size_t n, const double *theta, double *labels, double *observables);
void seesaw_derivatives(const fd_model *model, size_t n, const double *theta, double *labels, double *jacobian);

/* fd_model.surface and fd_model.approach; the coordinates are told in seesaw_surface.c. */
void seesaw_surface(const fd_model *model, size_t n, const double *theta, double *c, double *jacobian);
void seesaw_approach(const fd_model *model, size_t n, const double *theta, const double *labels, double *residual,
                     double *jacobian);

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
