/* Formats of the field: SLHA-like blocks, one set a point, and a summary in the manner of NuFIT. */
#include "stages/export.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/constants.h"
#include "inference/stats.h"

static double on_circle(double x) {
    double y = x - FD_TWO_PI * floor(x / FD_TWO_PI);
    return y < FD_TWO_PI ? y : 0;
}

/* ---- SLHA -------------------------------------------------------------------------------------------------------- */

static double observable(const fd_source *s, size_t i, const char *name) {
    int o = fd_model_observable(s->model, name);
    return o < 0 ? NAN : s->observables[i * (size_t)s->model->n_observables + (size_t)o];
}

static double parameter(const fd_source *s, size_t i, const char *name) {
    int p = fd_model_param(s->model, name);
    return p < 0 ? 0 : s->theta[i * (size_t)s->model->n_params + (size_t)p];
}

/* SLHA2 has U = V(theta, delta) diag(e^{i a1/2}, e^{i a2/2}, 1) where we have V diag(1, e^{i alpha21/2}, e^{i alpha31/2}): up to a
 * common phase a1 = -alpha31, a2 = alpha21 - alpha31. */
static void write_point(const fd_source *s, size_t i, uint64_t number, FILE *f) {
    static const char *const flavours[3] = {"e", "mu", "tau"}, *const kinds[2] = {"re", "im"};
    double alpha21 = observable(s, i, "alpha21_rad"), alpha31 = observable(s, i, "alpha31_rad");
    fprintf(f, "# point %" PRIu64 "\nBLOCK SMINPUTS\n", number);
    fprintf(f, "  8 %.17g # m_nu3 [GeV]\n 12 %.17g # m_nu1 [GeV]\n 14 %.17g # m_nu2 [GeV]\n", 1e-9 * observable(s, i, "m3_eV"),
            1e-9 * observable(s, i, "m1_eV"), 1e-9 * observable(s, i, "m2_eV"));
    fprintf(f, "BLOCK UPMNSIN\n  1 %.17g # theta12\n  2 %.17g # theta23\n  3 %.17g # theta13\n", asin(sqrt(observable(s, i, "s12sq"))),
            asin(sqrt(observable(s, i, "s23sq"))), asin(sqrt(observable(s, i, "s13sq"))));
    fprintf(f, "  4 %.17g # delta\n  5 %.17g # alpha1\n  6 %.17g # alpha2\n", observable(s, i, "delta_rad"), on_circle(-alpha31),
            on_circle(alpha21 - alpha31));
    for (int part = 0; part < 2; part++) {
        fprintf(f, "BLOCK %sYNU # rows: heavy states, columns: e, mu, tau\n", part ? "IM" : "");
        for (int r = 0; r < 3; r++)
            for (int c = 0; c < 3; c++) {
                char name[24];
                snprintf(name, sizeof name, "%s_Y_%d%s", kinds[part], r + 1, flavours[c]);
                fprintf(f, "  %d %d %.17g\n", r + 1, c + 1, parameter(s, i, name));
            }
    }
    for (int part = 0; part < 2; part++) {
        fprintf(f, "BLOCK %sMNUR # Majorana masses [GeV]\n", part ? "IM" : "");
        for (int r = 0; r < 3; r++) {
            char mass[24], phase[24];
            snprintf(mass, sizeof mass, "M%d_GeV", r + 1);
            snprintf(phase, sizeof phase, "arg_M%d", r + 1); /* there is no arg_M3: real */
            double angle = parameter(s, i, phase);
            fprintf(f, "  %d %d %.17g\n", r + 1, r + 1, observable(s, i, mass) * (part ? sin(angle) : cos(angle)));
        }
    }
    fprintf(f, "BLOCK FLAVORDIFF\n  1 %.17g # chi2\n  2 %d # verdict, bits of /samples/valid\n  3 %.17g # m_bb [eV]\n  4 %.17g # k\n\n",
            s->chi2[i], s->flags[i], observable(s, i, "mbb_eV"), parameter(s, i, "k"));
}

fd_status fd_export_slha(fd_source *s, const char *out, uint64_t *rows, fd_error *err) {
    fd_sink sink;
    size_t n;
    if (fd_model_observable(s->model, "alpha21_rad") < 0 || fd_model_param(s->model, "re_Y_1e") < 0)
        return fd_fail(err, FD_ERR_MISMATCH, "%s: SLHA blocks are known for the seesaw only", s->path);
    fd_status status = fd_sink_open(out, s->spec->force, &sink, err);
    if (status) return status;
    while (!(status = fd_source_next(s, &n, err)) && n && !ferror(sink.file)) {
        for (size_t i = 0; i < n; i++) write_point(s, i, *rows + i + 1, sink.file);
        *rows += n;
    }
    if (!status) return fd_sink_close(&sink, err);
    fd_sink_abort(&sink);
    return status;
}

/* ---- NuFIT ------------------------------------------------------------------------------------------------------- */

/* One line: values at best, at the median, and at Phi(-1), Phi(1), Phi(-3), Phi(3). */
typedef struct summary {
    double best, central, range[4];
} summary;

/* x (n) is sorted in place. Angles are unrolled about their mean direction first: ranges may run below 0 or past 2 pi. */
static summary summarise(size_t n, double *x, size_t best, bool periodic) {
    static const double levels[4] = {0.15865525393145705, 0.84134474606854293, 0.0013498980316300946, 0.99865010196836991};
    summary r = {.best = x[best]};
    double mean, resultant;
    if (periodic) {
        fd_circular_mean(n, x, &mean, &resultant);
        for (size_t i = 0; i < n && isfinite(mean); i++) x[i] = mean - FD_PI + on_circle(x[i] - mean + FD_PI);
    }
    fd_sort(n, x);
    r.central = fd_quantile(n, x, 0.5);
    for (int k = 0; k < 4; k++) r.range[k] = fd_quantile(n, x, levels[k]);
    return r;
}

static void write_summary(FILE *f, const char *name, const char *unit, const summary *r) {
    fprintf(f, "%s %s %.17g %.17g %.17g %.17g", name, unit, r->best, r->central, r->range[1] - r->central, r->central - r->range[0]);
    for (int k = 0; k < 4; k++) fprintf(f, " %.17g", r->range[k]);
    fputc('\n', f);
}

static summary in_degrees(const summary *r, bool square_of_sine) {
    summary d = *r;
    double *const values[] = {&d.best, &d.central, &d.range[0], &d.range[1], &d.range[2], &d.range[3]};
    for (int k = 0; k < 6; k++) *values[k] = (square_of_sine ? asin(sqrt(*values[k])) : *values[k]) * 180 / FD_PI;
    return d;
}

static void write_all(const fd_source *s, FILE *f, size_t n, double *columns, size_t best) {
    static const char *const angles[4][2] = {{"s12sq", "theta12"}, {"s23sq", "theta23"}, {"s13sq", "theta13"}, {"delta_rad", "delta"}};
    fputs("# quantity unit best central plus1 minus1 lo1 hi1 lo3 hi3\n", f);
    fprintf(f, "# %zu rows, %s ordering, target %s; best: smallest chi2 of masses and angles, central: median, ranges: 68.27 %% and\n"
            "# 99.73 %% of the rows between equal tails (of fewer than 741 rows the latter are near the extremes); angles about their mean\n"
            "# direction, and may run below 0 or past the circle\n",
            n, fd_ordering_name(s->info.model.ordering), s->info.target);
    for (int o = 0; o < s->model->n_observables; o++) {
        const fd_observable *q = &s->model->observables[o];
        summary r = summarise(n, columns + (size_t)o * n, best, q->periodic);
        write_summary(f, q->name, q->unit, &r);
        for (int k = 0; k < 4; k++)
            if (strcmp(angles[k][0], q->name) == 0) {
                summary d = in_degrees(&r, !q->periodic);
                write_summary(f, angles[k][1], "deg", &d);
            }
    }
}

fd_status fd_export_nufit(fd_source *s, const char *out, uint64_t *rows, fd_error *err) {
    uint64_t total;
    size_t n, best = 0;
    double least = INFINITY;
    fd_sink sink = {.part = {.lock = -1}};
    fd_status status = fd_source_count(s, &total, err);
    if (status) return status;
    double *columns = total < SIZE_MAX / sizeof(double) / FD_MAX_OBSERVABLES
                          ? calloc((size_t)total * (size_t)s->model->n_observables, sizeof *columns) : NULL;
    if (!columns) return fd_fail(err, FD_ERR_MEMORY, "%s: out of memory for %" PRIu64 " rows; take fewer with -n", s->path, total);
    while (!(status = fd_source_next(s, &n, err)) && n) {
        for (size_t i = 0; i < n; i++, ++*rows) {
            if (s->chi2[i] < least) least = s->chi2[i], best = (size_t)*rows;
            for (int o = 0; o < s->model->n_observables; o++)
                columns[(size_t)o * (size_t)total + (size_t)*rows] = fd_source_value(s, i, s->model->n_params + o);
        }
    }
    if (!status) status = fd_sink_open(out, s->spec->force, &sink, err);
    if (!status) {
        write_all(s, sink.file, (size_t)total, columns, best);
        status = fd_sink_close(&sink, err);
    }
    free(columns);
    return status;
}
