#if defined(__AVX2__)
#define FD_LEAST_NORM fd_least_norm_avx2
#include "kernels/least_norm_body.h"
#else
typedef int fd_no_least_norm_avx2; /* a file of C is not empty */
#endif
