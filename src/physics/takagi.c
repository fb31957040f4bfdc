#include "physics/takagi.h"

#include "kernels/kernels.h"

void fd_takagi_batch(fd_takagi_lanes *lanes) { fd_kernels_get()->takagi(lanes); }

void fd_takagi(const double complex m[3][3], double d[3], double complex u[3][3]) {
    fd_takagi_lanes lanes;
    for (int e = 0, i = 0; i < 3; i++)
        for (int j = i; j < 3; j++, e++)
            for (int w = 0; w < FD_LANES; w++) {
                lanes.m_re[e][w] = creal(m[i][j]);
                lanes.m_im[e][w] = cimag(m[i][j]);
            }
    fd_takagi_batch(&lanes);
    for (int j = 0; j < 3; j++) {
        d[j] = lanes.d[j][0];
        for (int i = 0; i < 3; i++) u[i][j] = lanes.u_re[i][j][0] + I * lanes.u_im[i][j][0];
    }
}
