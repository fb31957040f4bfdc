/* Allowed regions of the effective Majorana mass against brute force. */
#include <complex.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "flavordiff/files.h"
#include "inference/stats.h"
#include "stages/regions.h"

static void ok(fd_status status, const fd_error *err) {
    if (status) fail_msg("%s: %s", fd_status_name(status), err->message);
}

/* One point of the box with everything free, straight from the definitions. */
typedef struct free_point {
    double dm21, dm3l, s12sq, s13sq, m[3], terms[3], sum, mnue;
} free_point;

static void masses_and_terms(const fd_box *box, double lightest, free_point *p) {
    double s = lightest * lightest;
    if (box->ordering == FD_ORDERING_NORMAL)
        p->m[0] = lightest, p->m[1] = sqrt(s + p->dm21), p->m[2] = sqrt(s + p->dm3l);
    else
        p->m[2] = lightest, p->m[1] = sqrt(s + p->dm3l), p->m[0] = sqrt(s + p->dm3l - p->dm21);
    const double weight[3] = {(1 - p->s12sq) * (1 - p->s13sq), p->s12sq * (1 - p->s13sq), p->s13sq};
    p->sum = 0;
    double square = 0;
    for (int i = 0; i < 3; i++) {
        p->terms[i] = weight[i] * p->m[i];
        p->sum += p->m[i];
        square += weight[i] * p->m[i] * p->m[i];
    }
    p->mnue = sqrt(square);
}

static double somewhere(const double range[2], fd_rng *rng) {
    double u = fd_rng_uniform(rng); /* the ends often: extremes live there */
    return u < 0.2 ? range[0] : u > 0.8 ? range[1] : range[0] + (range[1] - range[0]) * (u - 0.2) / 0.6;
}

static void draw_parameters(const fd_box *box, fd_rng *rng, free_point *p) {
    p->dm21 = somewhere(box->dm21, rng);
    p->dm3l = somewhere(box->dm3l, rng);
    p->s12sq = somewhere(box->s12sq, rng);
    p->s13sq = somewhere(box->s13sq, rng);
}

static double random_mbb(const free_point *p, fd_rng *rng) {
    double a = 6.2831853 * fd_rng_uniform(rng), b = 6.2831853 * fd_rng_uniform(rng);
    return cabs(p->terms[0] + p->terms[1] * cexp(I * a) + p->terms[2] * cexp(I * b));
}

/* No point of the box may lie outside the interval computed at its own abscissa. */
static void nothing_outside(const fd_box *box, fd_region_axis axis, uint64_t item) {
    fd_rng rng;
    fd_rng_start(&rng, 1, FD_STREAM_TEST, item, 0);
    double start = fd_region_start(box, axis);
    for (int i = 0; i < 1200; i++) {
        free_point p;
        double lo, hi;
        draw_parameters(box, &rng, &p);
        masses_and_terms(box, i % 10 == 0 ? 0 : pow(10, -5 + 4.5 * fd_rng_uniform(&rng)), &p);
        double x = axis == FD_REGION_SUM ? p.sum : p.mnue, mbb = random_mbb(&p, &rng);
        if (i % 3 == 0) mbb = p.terms[0] + p.terms[1] + p.terms[2];
        if (i % 3 == 1) mbb = fabs(p.terms[0] - p.terms[1] + p.terms[2] * (i % 2 ? 1 : -1));
        assert_true(x >= start * (1 - 1e-12));
        /* a rounding to the right, for points that sit on the left end itself */
        assert_true(fd_region_at(box, axis, x * (1 + 1e-9), &lo, &hi));
        if (!(mbb >= lo - 2e-5 && mbb <= hi + 2e-5 * hi))
            fail_msg("axis %d, x = %.6g: mbb = %.6g outside %.6g to %.6g", axis, x, mbb, lo, hi);
    }
}

/* And brute force must come close to both ends. */
static void boundary_reached(const fd_box *box, fd_region_axis axis, uint64_t item) {
    fd_rng rng;
    fd_rng_start(&rng, 2, FD_STREAM_TEST, item, 0);
    double start = fd_region_start(box, axis);
    for (int step = 0; step < 10; step++) {
        double x = start * (1.05 + 0.4 * step * step), lo, hi, least = INFINITY, most = 0;
        assert_true(fd_region_at(box, axis, x, &lo, &hi));
        for (int i = 0; i < 3000; i++) {
            free_point p;
            double from = 0, to = x;
            draw_parameters(box, &rng, &p);
            masses_and_terms(box, 0, &p);
            if ((axis == FD_REGION_SUM ? p.sum : p.mnue) > x) continue;
            for (int k = 0; k < 50; k++) { /* lightest mass for this abscissa */
                masses_and_terms(box, 0.5 * (from + to), &p);
                if ((axis == FD_REGION_SUM ? p.sum : p.mnue) < x)
                    from = 0.5 * (from + to);
                else
                    to = 0.5 * (from + to);
            }
            double t = p.terms[0] + p.terms[1] + p.terms[2];
            most = fmax(most, t);
            double gap = fmax(2 * fmax(p.terms[0], fmax(p.terms[1], p.terms[2])) - t, 0);
            least = fmin(least, gap);
        }
        if (!(most > 0.98 * hi && most <= hi * (1 + 1e-9)))
            fail_msg("upper edge at %.4g: %.6g, found %.6g", x, hi, most);
        if (!(least <= lo + 0.02 * hi && least >= lo - 1e-9))
            fail_msg("lower edge at %.4g: %.6g, found %.6g", x, lo, least);
    }
}

static void regions(void **state) {
    (void)state;
    static const char *const names[] = {"paper-table1-no", "paper-table1-io"};
    for (int i = 0; i < 2; i++) {
        fd_target target;
        fd_error err;
        fd_box box;
        ok(fd_target_load(names[i], &target, &err), &err);
        ok(fd_region_box(&target, FD_Z95, &box, &err), &err);
        assert_true(box.dm3l[0] > 2.3e-3 && box.dm3l[1] < 2.7e-3 && box.ordering == target.ordering);
        for (int axis = 0; axis < 2; axis++) {
            nothing_outside(&box, (fd_region_axis)axis, (uint64_t)(2 * i + axis));
            boundary_reached(&box, (fd_region_axis)axis, (uint64_t)(2 * i + axis));
        }
        double lo, hi;
        assert_false(fd_region_at(&box, FD_REGION_SUM, 0.9 * fd_region_start(&box, FD_REGION_SUM), &lo, &hi));
        /* Best fit, lightest mass 0, as everyone quotes them: NO 1.4 to 3.7 meV, IO 18 to 49 meV, inside. */
        assert_true(fd_region_at(&box, FD_REGION_SUM, i ? 0.1 : 0.059, &lo, &hi));
        assert_true(i ? lo > 0.013 && lo < 0.019 && hi > 0.048 && hi < 0.052
                      : lo < 0.0015 && hi > 0.0037 && hi < 0.0050);
    }
}

/* A target without an angle has no region. */
static void region_needs_its_measurements(void **state) {
    (void)state;
    fd_target target = {.name = "half", .n_measurements = 1};
    fd_box box;
    fd_error err;
    strcpy(target.measurements[0].observable, "dm21_eV2");
    target.measurements[0].best = 7e-5;
    assert_int_equal(fd_region_box(&target, FD_Z95, &box, &err), FD_ERR_MISMATCH);
    assert_non_null(strstr(err.message, "half"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(regions),
        cmocka_unit_test(region_needs_its_measurements),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
