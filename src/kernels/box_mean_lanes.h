/* Operands of the kernel for means of a uniform law seen through noise; diffusion/box_mean.h has the mathematics. */
#ifndef FD_KERNELS_BOX_MEAN_LANES_H
#define FD_KERNELS_BOX_MEAN_LANES_H

#include "kernels/takagi_lanes.h"

enum { FD_BOX_TERMS = 18 };
#define FD_BOX_REACH 6.0

typedef struct fd_box_mean {
    int n;                        /* components of one half width */
    double h;
    const double *s;              /* (lanes) */
    const double *up, *down;      /* (FD_BOX_TERMS, lanes) of the series; only lanes with h < s are read */
    const double *d;              /* (n, lanes) */
    double *mean;                 /* (n, lanes) may be d */
} fd_box_mean;

/* One of each kernel table (kernels.h), in objects of their own as those of takagi_lanes.h are. */
void fd_box_mean_portable(const fd_box_mean *problem);
void fd_box_mean_avx2(const fd_box_mean *problem);
void fd_box_mean_avx512(const fd_box_mean *problem);

#endif
