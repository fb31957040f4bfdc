/* Operands of the kernel that takes steps of least norm; inference/least_norm.h has the mathematics. */
#ifndef FD_KERNELS_LEAST_NORM_LANES_H
#define FD_KERNELS_LEAST_NORM_LANES_H

#include "flavordiff/model.h"

typedef struct fd_least_norm {
    int n_labels, dim;         /* at most FD_MAX_LABELS, FD_MAX_PARAMS */
    const double *jacobian;    /* (n_labels, dim, lanes) */
    const double *residual;    /* (n_labels, lanes) */
    const double *movable;     /* (dim, lanes): 1 moves, 0 is frozen; NULL: all move */
    double relative;           /* >= 0; 1e-10 is the plain step in double precision. At least 1e-13 without `absolute` */
    const double *absolute;    /* (lanes), > 0, in units of (J J^T)_kk; NULL: none */
    const double *offset;      /* (dim, lanes): the step begins at x + offset, where what is missing is residual - J offset;
                                * NULL: none */
    double *diagonal;          /* (n_labels, lanes) out: (J J^T)_kk; NULL: not wanted */
} fd_least_norm;

/* One of each kernel table (kernels.h), in objects of their own as those of takagi_lanes.h are. */
void fd_least_norm_portable(const fd_least_norm *problem, double *step);
void fd_least_norm_avx2(const fd_least_norm *problem, double *step);
void fd_least_norm_avx512(const fd_least_norm *problem, double *step);

#endif
