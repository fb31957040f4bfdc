/* The boundary at one abscissa. Over the phases it is closed: with t_i the three moduli, mbb runs from
 * max(0, 2 max t - sum t) (triangle inequality) to sum t. Over the box a grid is scanned whose edges are exact:
 *
 *  - for fixed masses t_i and 2 t_i - sum t are bilinear in (s12^2, s13^2), so extremes lie on corners of the grid;
 *  - each parameter in turn is cut where, with the later ones as favourable as they can be, the lightest mass reaches 0
 * for this abscissa, so the grid always ends on the edge of what is possible;
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
    const double t[3] = {m[0] * (1 - s12sq) * c13sq, m[1] * s12sq * c13sq, m[2] * s13sq};
    double sum = t[0] + t[1] + t[2];
    int largest = t[1] > t[0] ? 1 : 0;
    if (t[2] > t[largest]) largest = 2;
    double rest = 2 * t[largest] - sum;
    if (rest <= 0 || (e->largest >= 0 && largest != e->largest)) e->closes = true;
    if (e->largest < 0 || rest < e->lo) e->lo = rest;
    if (sum > e->hi) e->hi = sum;
    e->largest = largest;
}

/* The scan: parameters in the order dm21, s13^2, s12^2, |dm3l|. */
enum { DM21, S13, S12, DM3L, PARAMETERS };

typedef struct scan {
    fd_ordering ordering;
    fd_region_axis axis;
    double x;
    double ends[PARAMETERS][2]; /* [0]: the end that makes the abscissa of a massless lightest neutrino smallest */
} scan;

/* Abscissa for lightest mass 0. Monotonic in each parameter. */
static double least_abscissa(fd_ordering ordering, fd_region_axis axis, const double v[PARAMETERS]) {
    return axis == FD_REGION_SUM ? sum_of_masses(ordering, 0, v[DM21], v[DM3L])
                                 : sqrt(mnue_offset(ordering, v[DM21], v[DM3L], v[S12], v[S13]));
}

static void scan_start(const fd_box *box, fd_region_axis axis, scan *s) {
    *s = (scan){.ordering = box->ordering, .axis = axis};
    const double *const ranges[PARAMETERS] = {box->dm21, box->s13sq, box->s12sq, box->dm3l};
    for (int i = 0; i < PARAMETERS; i++) {
        double v[PARAMETERS] = {box->dm21[0], box->s13sq[0], box->s12sq[0], box->dm3l[0]}, at[2];
        for (int end = 0; end < 2; end++) {
            v[i] = ranges[i][end];
            at[end] = least_abscissa(s->ordering, axis, v);
        }
        int least = at[1] < at[0];
        s->ends[i][0] = ranges[i][least];
        s->ends[i][1] = ranges[i][!least];
    }
}

/* How far parameter `level` may go from its good end for abscissa x, the later ones at their good ends: the far end, or
 * where the lightest mass reaches 0. */
static double reach(const scan *s, int level, double v[PARAMETERS]) {
    double good = s->ends[level][0], bad = s->ends[level][1];
    v[level] = bad;
    if (least_abscissa(s->ordering, s->axis, v) <= s->x) return bad;
    for (int i = 0; i < 55; i++) {
        v[level] = 0.5 * (good + bad);
        if (least_abscissa(s->ordering, s->axis, v) <= s->x)
            good = v[level];
        else
            bad = v[level];
    }
    return good;
}

static void visit_grid(const scan *s, int level, double v[PARAMETERS], extremes *e) {
    if (level == PARAMETERS) {
        double m[3], lightest;
        if (s->axis == FD_REGION_SUM)
            lightest = lightest_for_sum(s->ordering, s->x, v[DM21], v[DM3L]);
        else
            lightest = sqrt(fmax(0, s->x * s->x - mnue_offset(s->ordering, v[DM21], v[DM3L], v[S12], v[S13])));
        fd_region_masses(s->ordering, lightest, v[DM21], v[DM3L], m);
        visit(e, m, v[S12], v[S13]);
        return;
    }
    double from = s->ends[level][0], to;
    for (int later = level; later < PARAMETERS; later++) v[later] = s->ends[later][0];
    to = reach(s, level, v);
    for (int i = 0; i < GRID; i++) {
        v[level] = i == GRID - 1 ? to : from + (to - from) * i / (GRID - 1);
        visit_grid(s, level + 1, v, e);
    }
}

double fd_region_start(const fd_box *box, fd_region_axis axis) {
    scan s;
    scan_start(box, axis, &s);
    const double v[PARAMETERS] = {s.ends[DM21][0], s.ends[S13][0], s.ends[S12][0], s.ends[DM3L][0]};
    return least_abscissa(s.ordering, axis, v);
}

bool fd_region_at(const fd_box *box, fd_region_axis axis, double x, double *lo, double *hi) {
    extremes e = {.largest = -1};
    double v[PARAMETERS];
    scan s;
    if (x < fd_region_start(box, axis)) return false;
    scan_start(box, axis, &s);
    s.x = x;
    visit_grid(&s, 0, v, &e);
    *lo = e.closes ? 0 : e.lo;
    *hi = e.hi;
    return true;
}
