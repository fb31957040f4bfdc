#define FD_LEAST_NORM fd_least_norm_portable
#include "kernels/least_norm_body.h"
