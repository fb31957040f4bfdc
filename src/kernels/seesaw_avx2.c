#if defined(__AVX2__)
#define FD_TAKAGI fd_takagi_avx2
#define FD_SEESAW fd_seesaw_avx2
#include "kernels/seesaw_body.h"
#else
typedef int fd_no_seesaw_avx2; /* a file of C is not empty */
#endif
