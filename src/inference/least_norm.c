#include "inference/least_norm.h"

#include "kernels/kernels.h"

enum { W = FD_STEP_LANES };

void fd_least_norm_solve(const fd_least_norm *problem, double *step) { fd_kernels_get()->least_norm(problem, step); }

void fd_least_norm_load(int n_labels, int dim, int count, const double *jacobian, const double *scale, double *lanes) {
    for (int i = 0; i < n_labels; i++)
        for (int p = 0; p < dim; p++)
            for (int w = 0; w < W; w++)
                lanes[(i * dim + p) * W + w] = w < count ? jacobian[(w * n_labels + i) * dim + p] * scale[p] : 0.0;
}
