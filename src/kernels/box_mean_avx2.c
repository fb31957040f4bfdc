#if defined(__AVX2__)
#define FD_BOX_MEAN fd_box_mean_avx2
#include "kernels/box_mean_body.h"
#else
typedef int fd_no_box_mean_avx2; /* a file of C is not empty */
#endif
