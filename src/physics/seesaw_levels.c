/* What the surface coordinates say of the observables: kernels/seesaw_surface_body.h read backwards. */
#include <math.h>

#include "physics/pmns.h"
#include "physics/seesaw.h"

void seesaw_surface_observables(const fd_model *base, const double *c, double *out) {
    double gap = pow(10, c[0]), part[3], re[3][3], im[3][3];
    double flat = sqrt(c[4] * c[4] + c[5] * c[5]), length = sqrt(c[3] * c[3] + flat * flat);
    double s13 = sin(c[1]), s23 = sin(c[2]), dm21 = 2 * gap * length;
    double cosine = c[4] / flat, sine = c[5] / flat;
    for (int o = 0; o < SEESAW_OBSERVABLES; o++) out[o] = NAN;
    out[SEESAW_DM21] = dm21;
    out[SEESAW_DM3L] = base->options.ordering == FD_ORDERING_NORMAL ? gap + 0.5 * dm21 : -gap - 0.5 * dm21;
    out[SEESAW_S12] = part[0] = 0.5 * (1 + c[3] / length);
    out[SEESAW_S13] = part[1] = s13 * s13;
    out[SEESAW_S23] = part[2] = s23 * s23;
    out[SEESAW_DELTA] = fd_wrap_2pi(atan2(sine, cosine));
    fd_mixing_dirac(part[0], part[1], part[2], cosine, sine, re, im);
    for (int i = 0; i < 9; i++)
        out[SEESAW_U + i] = sqrt(re[i / 3][i % 3] * re[i / 3][i % 3] + im[i / 3][i % 3] * im[i / 3][i % 3]);
}
