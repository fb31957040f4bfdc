#include "flavordiff/schedule.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/constants.h"

void fd_schedule_spec_paper(fd_schedule_spec *spec) {
    *spec = (fd_schedule_spec){.kind = FD_SCHEDULE_LINEAR, .steps = 1000, .beta_min = 1e-4, .beta_max = 0.02};
}

static bool is_rate(double beta) { return beta > 0 && beta < 1; }

static fd_status check_spec(const fd_schedule_spec *spec, fd_error *err) {
    if (spec->kind != FD_SCHEDULE_LINEAR && spec->kind != FD_SCHEDULE_COSINE)
        return fd_fail(err, FD_ERR_CONFIG, "unknown noise schedule %d: linear or cosine", (int)spec->kind);
    if (spec->steps < 1) return fd_fail(err, FD_ERR_CONFIG, "schedule steps %d: at least 1 is needed", spec->steps);
    if (spec->kind == FD_SCHEDULE_LINEAR && !(is_rate(spec->beta_min) && is_rate(spec->beta_max)))
        return fd_fail(err, FD_ERR_CONFIG, "beta_min %g and beta_max %g must lie between 0 and 1", spec->beta_min,
                       spec->beta_max);
    return FD_OK;
}

/* Eq. 2.14. */
static double linear_beta(const fd_schedule_spec *spec, int t) {
    double u = (double)t / spec->steps;
    return (1 - u) * spec->beta_min + u * spec->beta_max;
}

/* Nichol and Dhariwal (2021), eq. 17: alpha_bar_t = f(t) / f(0), f(t) = cos^2((t/T + s) / (1 + s) pi/2), s = 0.008;
 * beta is clipped at 0.999 so that the last steps stay finite. */
static double cosine_beta(const fd_schedule_spec *spec, int t) {
    const double s = 0.008;
    double now = cos(((double)t / spec->steps + s) / (1 + s) * FD_PI / 2);
    double before = cos(((double)(t - 1) / spec->steps + s) / (1 + s) * FD_PI / 2);
    double beta = 1 - (now * now) / (before * before);
    return beta < 0.999 ? beta : 0.999;
}

fd_status fd_schedule_create(const fd_schedule_spec *spec, fd_schedule **schedule, fd_error *err) {
    *schedule = NULL;
    fd_status status = check_spec(spec, err);
    if (status) return status;
    size_t n = (size_t)spec->steps + 1;
    fd_schedule *s = calloc(1, sizeof *s);
    double *table = calloc(2 * n, sizeof *table);
    if (!s || !table) {
        free(s), free(table);
        return fd_fail(err, FD_ERR_MEMORY, "no memory for a schedule of %d steps", spec->steps);
    }
    s->spec = *spec;
    s->beta = table;
    s->alpha_bar = table + n;
    s->alpha_bar[0] = 1;
    for (int t = 1; t <= spec->steps; t++) {
        s->beta[t] = spec->kind == FD_SCHEDULE_COSINE ? cosine_beta(spec, t) : linear_beta(spec, t);
        s->alpha_bar[t] = s->alpha_bar[t - 1] * (1 - s->beta[t]);
    }
    *schedule = s;
    return FD_OK;
}

void fd_schedule_free(fd_schedule *schedule) {
    if (!schedule) return;
    free(schedule->beta); /* alpha_bar is the second half of the same block */
    free(schedule);
}
