#if defined(__AVX512F__) && defined(__AVX512DQ__) && defined(__AVX512BW__) && defined(__AVX512VL__)
#define FD_TAKAGI fd_takagi_avx512
#define FD_SEESAW fd_seesaw_avx512
#include "kernels/seesaw_body.h"
#else
typedef int fd_no_seesaw_avx512; /* a file of C is not empty */
#endif
