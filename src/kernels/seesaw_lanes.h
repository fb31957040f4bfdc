/* Operands of the kernels of the seesaw, physics/seesaw.h: FD_LANES points at a time, structure of arrays, the last index the
 * lane. */
#ifndef FD_KERNELS_SEESAW_LANES_H
#define FD_KERNELS_SEESAW_LANES_H

#include "kernels/takagi_lanes.h"

enum { SEESAW_R1 = 18, SEESAW_R2, SEESAW_K, SEESAW_ARG1, SEESAW_ARG2, SEESAW_PARAMS };
enum { SEESAW_LABELS = 11, SEESAW_SURFACE = 6 };

/* FD_LANES points on their way through the model. */
typedef struct seesaw_block {
    double y_re[3][3][FD_LANES], y_im[3][3][FD_LANES];
    double x_re[3][FD_LANES], x_im[3][FD_LANES];
    double scale[FD_LANES];                /* 10^k, eV */
    double label[SEESAW_LABELS][FD_LANES];
    double poison[FD_LANES];               /* 0, or NaN where labels or heavy masses are not finite */
    fd_takagi_lanes n;                     /* n, its factorisation (d in units of 10^k eV) */
} seesaw_block;

/* What all points share. */
typedef struct seesaw_setting {
    int inverted;    /* nu_j is column j of the ascending factorisation, or for inverted ordering {1, 2, 0}[j] */
    int n_params;    /* SEESAW_PARAMS, or SEESAW_ARG1 where arg M1 = arg M2 = 0 */
    double heavy;    /* vev^2 in eV GeV: M3 = heavy / 10^k in GeV */
    const double *unit; /* (n_params) derivatives are those by theta[p] / unit[p] */
} seesaw_setting;

/* theta is (n_params, FD_LANES) throughout, jacobians (labels, n_params, FD_LANES). Compiled without fused operations: the same
 * bits for every instruction set. Never allocate. */
typedef struct seesaw_kernels {
    /* n of eq. (2.2) from Y and x, and its factorisation. */
    void (*factorise)(seesaw_block *block);
    /* All of the block. */
    void (*evaluate)(const seesaw_setting *setting, const double *theta, seesaw_block *block);
    /* The others want an evaluated block. Derivatives of its labels: */
    void (*derivatives)(const seesaw_setting *setting, const double *theta, const seesaw_block *block, double *jacobian);
    /* fd_model.surface: c (SEESAW_SURFACE, FD_LANES); jacobian may be NULL. */
    void (*surface)(const seesaw_setting *setting, const double *theta, const seesaw_block *block, double *c,
                    double *jacobian);
    /* fd_model.approach: labels (SEESAW_LABELS, FD_LANES) -> residual (SEESAW_SURFACE, FD_LANES) and jacobian. */
    void (*approach)(const seesaw_setting *setting, const double *theta, const seesaw_block *block, const double *labels,
                     double *residual, double *jacobian);
} seesaw_kernels;

/* One of each kernel table (kernels.h), in objects of their own as those of takagi_lanes.h are. */
extern const seesaw_kernels fd_seesaw_portable, fd_seesaw_avx2, fd_seesaw_avx512;

#endif
