/* Vectors of four, which every 64-bit machine has; no fused multiply-add is assumed. Plain C with the vector
 * extensions of gcc and clang, so that this table is there on any processor. */
#include "kernels/kernels.h"

#include <math.h>

#define VW 4
#include "kernels/vectors.h"

static inline vq mul_even(vu a, vu b) { return ((vq)a & 0xffffffffu) * ((vq)b & 0xffffffffu); }
static inline vf vsqrt(vf x) { return (vf){sqrtf(x[0]), sqrtf(x[1]), sqrtf(x[2]), sqrtf(x[3])}; }

#define UNPACK_LOW(a, b)                                                                                               \
    (vf) { (a)[0], (b)[0], (a)[1], (b)[1] }
#define UNPACK_HIGH(a, b)                                                                                              \
    (vf) { (a)[2], (b)[2], (a)[3], (b)[3] }
#define PAIR_LOW(a, b)                                                                                                 \
    (vf) { (a)[0], (a)[1], (b)[0], (b)[1] }
#define PAIR_HIGH(a, b)                                                                                                \
    (vf) { (a)[2], (a)[3], (b)[2], (b)[3] }

#define FD_TAKAGI fd_takagi_portable
#define FD_SEESAW fd_seesaw_portable
#define FD_BOX_MEAN fd_box_mean_portable
#define FD_LEAST_NORM fd_least_norm_portable
#define FD_MR 6
#include "kernels/kernels_body.h"

static const fd_kernels table = FD_TABLE_WITH("portable", fd_bf16_portable);
const fd_kernels *const fd_table_portable = &table;
