/* The boundary at one abscissa. Over the phases it is closed: with t_i the three moduli, mbb runs from
 * max(0, 2 max t - sum t) (triangle inequality) to sum t. Over the box a grid is scanned whose edges are exact:
 *
 *  - for fixed masses t_i and 2 t_i - sum t are bilinear in (s12^2, s13^2), so extremes lie on corners of the grid;
 *  - |dm3l| is cut at the value where the lightest mass reaches 0 for this abscissa, so the grid ends on that edge;
 *  - the smallest value is 0 as soon as the largest term changes from one grid point to another, because on the way
 *    two terms are equal and the triangle closes. */
#include "stages/regions.h"

#include <math.h>
#include <string.h>

enum { GRID = 7 };

static const fd_measurement *find(const fd_target *target, const char *name) {
    for (int i = 0; i < target->n_measurements; i++)
        if (!strcmp(target->measurements[i].observable, name)) return &target->measurements[i];
    return NULL;
}

static bool interval(const fd_target *target, const char *name, double z, double top, double range[2]) {
    const fd_measurement *m = find(target, name);
    if (!m) return false;
    double lo = m->best - z * m->minus, hi = m->best + z * m->plus;
    /* |dm32| of inverted ordering is stored with its sign. */
    range[0] = m->best < 0 ? -hi : lo;
    range[1] = m->best < 0 ? -lo : hi;
    return range[0] > 0 && range[0] <= range[1] && range[1] < top;
}

fd_status fd_region_box(const fd_target *target, double z, fd_box *box, fd_error *err) {
    *box = (fd_box){.ordering = target->ordering};
    if (!interval(target, "dm21_eV2", z, 1, box->dm21) || !interval(target, "dm3l_eV2", z, 1, box->dm3l) ||
        !interval(target, "s12sq", z, 1, box->s12sq) || !interval(target, "s13sq", z, 1, box->s13sq) ||
        box->dm21[1] >= box->dm3l[0])
        return fd_fail(err, FD_ERR_MISMATCH,
                       "target '%s': dm21_eV2, dm3l_eV2, s12sq and s13sq are needed with positive ranges",
                       target->name);
    return FD_OK;
}

void fd_region_masses(fd_ordering ordering, double lightest, double dm21, double dm3l, double m[3]) {
    double square = lightest * lightest;
    if (ordering == FD_ORDERING_NORMAL) {
        m[0] = lightest;
        m[1] = sqrt(square + dm21);
        m[2] = sqrt(square + dm3l);
    } else {
        m[2] = lightest;
        m[1] = sqrt(square + dm3l);
        m[0] = sqrt(square + (dm3l - dm21));
    }
}

static double sum_of_masses(fd_ordering ordering, double lightest, double dm21, double dm3l) {
    double m[3];
    fd_region_masses(ordering, lightest, dm21, dm3l, m);
    return m[0] + m[1] + m[2];
}

/* mnue^2 = lightest^2 + this. */
static double mnue_offset(fd_ordering ordering, double dm21, double dm3l, double s12sq, double s13sq) {
    double c13sq = 1 - s13sq;
    if (ordering == FD_ORDERING_NORMAL) return dm21 * s12sq * c13sq + dm3l * s13sq;
    return c13sq * (dm3l - dm21 * (1 - s12sq));
}

/* Largest |dm3l| for which a lightest mass >= 0 gives abscissa x. */
static double dm3l_edge(fd_ordering ordering, fd_region_axis axis, double x, double dm21, double s12sq, double s13sq) {
    if (axis == FD_REGION_MNUE) {
        double c13sq = 1 - s13sq;
        return ordering == FD_ORDERING_NORMAL ? (x * x - dm21 * s12sq * c13sq) / s13sq
                                              : x * x / c13sq + dm21 * (1 - s12sq);
    }
    if (ordering == FD_ORDERING_NORMAL) {
        double rest = x - sqrt(dm21);
        return rest > 0 ? rest * rest : -1;
    }
    /* m1 + m2 = x and m2^2 - m1^2 = dm21 */
    double m2 = 0.5 * (x + dm21 / x);
    return dm21 <= x * x ? m2 * m2 : -1;
}

/* Lightest mass with sum of masses x. The sum is convex and rising in it, and x/3 is never too small: Newton's
 * method comes down from there without overshooting. */
static double lightest_for_sum(fd_ordering ordering, double x, double dm21, double dm3l) {
    double lightest = x / 3;
    if (sum_of_masses(ordering, 0, dm21, dm3l) >= x) return 0;
    for (int i = 0; i < 60; i++) {
        double m[3];
        fd_region_masses(ordering, lightest, dm21, dm3l, m);
        double slope = lightest * (1 / m[0] + 1 / m[1] + 1 / m[2]);
        double step = (m[0] + m[1] + m[2] - x) / slope;
        lightest = fmax(lightest - step, 0);
        if (!(step > 1e-15 * x)) break;
    }
    return lightest;
}

/* What has been seen so far on the grid. */
typedef struct extremes {
    double lo, hi;
    int largest; /* index of the term that exceeds the sum of the others; -1 before the first point */
    bool closes; /* a point where the triangle closes was met or passed */
} extremes;

static void visit(extremes *e, const double m[3], double s12sq, double s13sq) {
    double c13sq = 1 - s13sq;
    double t[3] = {m[0] * (1 - s12sq) * c13sq, m[1] * s12sq * c13sq, m[2] * s13sq};
    double sum = t[0] + t[1] + t[2];
    int largest = t[1] > t[0] ? 1 : 0;
    if (t[2] > t[largest]) largest = 2;
    double rest = 2 * t[largest] - sum;
    if (rest <= 0 || (e->largest >= 0 && largest != e->largest)) e->closes = true;
    if (e->largest < 0 || rest < e->lo) e->lo = rest;
    if (sum > e->hi) e->hi = sum;
    e->largest = largest;
}

static double at_grid(const double range[2], int i) {
    return i == GRID - 1 ? range[1] : range[0] + (range[1] - range[0]) * i / (GRID - 1);
}

/* All |dm3l| of the box that reach x, at one (dm21, s12^2, s13^2). */
static void visit_dm3l(const fd_box *box, fd_region_axis axis, double x, double dm21, double s12sq, double s13sq,
                       extremes *e) {
    double range[2] = {box->dm3l[0], box->dm3l[1]};
    double edge = dm3l_edge(box->ordering, axis, x, dm21, s12sq, s13sq);
    if (edge < range[0] * (1 - 1e-12)) return;
    if (edge < range[1]) range[1] = fmax(edge, range[0]);
    for (int l = 0; l < GRID; l++) {
        double dm3l = at_grid(range, l), m[3], lightest;
        if (axis == FD_REGION_SUM)
            lightest = lightest_for_sum(box->ordering, x, dm21, dm3l);
        else
            lightest = sqrt(fmax(0, x * x - mnue_offset(box->ordering, dm21, dm3l, s12sq, s13sq)));
        fd_region_masses(box->ordering, lightest, dm21, dm3l, m);
        visit(e, m, s12sq, s13sq);
    }
}

bool fd_region_at(const fd_box *box, fd_region_axis axis, double x, double *lo, double *hi) {
    extremes e = {.largest = -1};
    for (int i = 0; i < GRID; i++)
        for (int j = 0; j < GRID; j++)
            for (int k = 0; k < GRID; k++)
                visit_dm3l(box, axis, x, at_grid(box->dm21, i), at_grid(box->s12sq, j), at_grid(box->s13sq, k), &e);
    if (e.largest < 0) return false;
    *lo = e.closes ? 0 : e.lo;
    *hi = e.hi;
    return true;
}

double fd_region_start(const fd_box *box, fd_region_axis axis) {
    double least = INFINITY;
    for (int corner = 0; corner < 16; corner++) {
        double dm21 = box->dm21[corner & 1], dm3l = box->dm3l[corner >> 1 & 1];
        double s12sq = box->s12sq[corner >> 2 & 1], s13sq = box->s13sq[corner >> 3 & 1];
        double x = axis == FD_REGION_SUM ? sum_of_masses(box->ordering, 0, dm21, dm3l)
                                         : sqrt(mnue_offset(box->ordering, dm21, dm3l, s12sq, s13sq));
        least = fmin(least, x);
    }
    return least;
}
