/* Operands of the kernel that factorises complex symmetric 3 x 3 matrices; physics/takagi.h has the mathematics. */
#ifndef FD_KERNELS_TAKAGI_LANES_H
#define FD_KERNELS_TAKAGI_LANES_H

#include "flavordiff/model.h"

/* The six independent elements of a symmetric matrix, in this order everywhere. */
enum { FD_EE, FD_EM, FD_ET, FD_MM, FD_MT, FD_TT, FD_SYM };

/* FD_LANES matrices and their factorisations, structure of arrays: the last index is the lane. */
typedef struct fd_takagi_lanes {
    double m_re[FD_SYM][FD_LANES], m_im[FD_SYM][FD_LANES];   /* in */
    double d[3][FD_LANES];                                   /* out: ascending, in the unit of m */
    double u_re[3][3][FD_LANES], u_im[3][3][FD_LANES];       /* out: [row][column] */
} fd_takagi_lanes;

/* One of each kernel table (kernels.h); in objects of their own, because these never fuse a product and a sum. Those
 * of an instruction set the compiler lacks do not exist. */
void fd_takagi_portable(fd_takagi_lanes *lanes);
void fd_takagi_avx2(fd_takagi_lanes *lanes);
void fd_takagi_avx512(fd_takagi_lanes *lanes);

#endif
