/* Allowed regions of the effective Majorana mass: what the oscillation data alone say.
 *
 *   mbb = |m1 c12^2 c13^2 + m2 s12^2 c13^2 e^{i alpha21} + m3 s13^2 e^{i eta}|
 *
 * with both phases free, the lightest mass free, and dm21, |dm3l|, s12^2, s13^2 each anywhere within its own interval
 * best - z sigma_minus ... best + z sigma_plus (z = 1.96: its 95 % interval). It is the box of the four intervals, not
 * a joint 95 % contour, which would be somewhat smaller at the corners. The region is drawn over Sigma m or over mnue =
 * sqrt(sum m_i^2 |U_ei|^2); its boundary is computed, not sampled. */
#ifndef FLAVORDIFF_STAGES_REGIONS_H
#define FLAVORDIFF_STAGES_REGIONS_H

#include <stdbool.h>

#include "flavordiff/target.h"

typedef enum fd_region_axis { FD_REGION_SUM, FD_REGION_MNUE } fd_region_axis;

/* Intervals of the four oscillation parameters; masses in eV^2, both positive. */
typedef struct fd_box {
    fd_ordering ordering;
    double dm21[2], dm3l[2], s12sq[2], s13sq[2];
} fd_box;

/* The box of a target set at z standard deviations. FD_ERR_MISMATCH when one of the four measurements (dm21_eV2,
 * dm3l_eV2, s12sq, s13sq) is missing or the box is empty or unphysical. */
fd_status fd_region_box(const fd_target *target, double z, fd_box *box, fd_error *err);

/* Masses in eV from the lightest one and the two differences: NO m1 = lightest, m2^2 = m1^2 + dm21,
 * m3^2 = m1^2 + dm31; IO m3 = lightest, m2^2 = m3^2 + |dm32|, m1^2 = m2^2 - dm21. */
void fd_region_masses(fd_ordering ordering, double lightest, double dm21, double dm3l, double m[3]);

/* Smallest abscissa the box allows (lightest mass 0), eV. */
double fd_region_start(const fd_box *box, fd_region_axis axis);

/* Range of mbb in eV at abscissa x in eV: false when x is below what the box allows. lo is exactly 0 where the three
 * terms can cancel. */
bool fd_region_at(const fd_box *box, fd_region_axis axis, double x, double *lo, double *hi);

#endif
