#include "inference/least_norm.h"

#include "kernels/kernels.h"

void fd_least_norm_solve(const fd_least_norm *problem, double *step) { fd_kernels_get()->least_norm(problem, step); }
