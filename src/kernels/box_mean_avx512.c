#if defined(__AVX512F__) && defined(__AVX512DQ__) && defined(__AVX512BW__) && defined(__AVX512VL__)
#define FD_BOX_MEAN fd_box_mean_avx512
#include "kernels/box_mean_body.h"
#else
typedef int fd_no_box_mean_avx512; /* a file of C is not empty */
#endif
