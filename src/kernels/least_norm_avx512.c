#if defined(__AVX512F__) && defined(__AVX512DQ__) && defined(__AVX512BW__) && defined(__AVX512VL__)
#define FD_LEAST_NORM fd_least_norm_avx512
#include "kernels/least_norm_body.h"
#else
typedef int fd_no_least_norm_avx512; /* a file of C is not empty */
#endif
