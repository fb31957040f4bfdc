#if defined(__AVX2__)
#define FD_TAKAGI fd_takagi_avx2
#include "kernels/takagi_body.h"
#else
typedef int fd_no_takagi_avx2; /* a file of C is not empty */
#endif
