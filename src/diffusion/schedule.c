#include "flavordiff/schedule.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/constants.h"

void fd_schedule_spec_paper(fd_schedule_spec *spec) {
    *spec = (fd_schedule_spec){.kind = FD_SCHEDULE_LINEAR, .steps = 1000, .beta_min = 1e-4, .beta_max = 0.02,
                                .s_min = 0.002, .s_max = 80};
}

const char *fd_schedule_name(fd_schedule_kind kind) {
    static const char *const names[] = {
        [FD_SCHEDULE_LINEAR] = "linear", [FD_SCHEDULE_COSINE] = "cosine", [FD_SCHEDULE_LOG_SNR] = "log_snr"};
    return (unsigned)kind < sizeof names / sizeof *names ? names[kind] : "?";
}

static bool is_rate(double beta) { return beta > 0 && beta < 1; }

static fd_status check_spec(const fd_schedule_spec *spec, fd_error *err) {
    if ((unsigned)spec->kind > FD_SCHEDULE_LOG_SNR)
        return fd_fail(err, FD_ERR_CONFIG, "unknown noise schedule %d: linear, cosine or log_snr", (int)spec->kind);
    if (spec->steps < 1) return fd_fail(err, FD_ERR_CONFIG, "schedule steps %d: at least 1 is needed", spec->steps);
    if (spec->kind == FD_SCHEDULE_LINEAR && !(is_rate(spec->beta_min) && is_rate(spec->beta_max)))
        return fd_fail(err, FD_ERR_CONFIG, "beta_min %g and beta_max %g must lie between 0 and 1", spec->beta_min,
                       spec->beta_max);
    if (spec->kind == FD_SCHEDULE_LOG_SNR &&
        !(spec->s_min >= FD_LEAST_S && 2 * spec->s_min <= spec->s_max && spec->s_max <= FD_MOST_S))
        return fd_fail(err, FD_ERR_CONFIG, "s_min %g and s_max %g: both must be %g to %g, and s_max at least 2 s_min",
                       spec->s_min, spec->s_max, FD_LEAST_S, FD_MOST_S);
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

/* Betas are given; abar and 1 - abar follow. 1 - abar is a sum of positive terms: no digit is lost. */
static void fill_from_betas(fd_schedule *s) {
    for (int t = 1; t <= s->spec.steps; t++) {
        s->beta[t] = s->spec.kind == FD_SCHEDULE_COSINE ? cosine_beta(&s->spec, t) : linear_beta(&s->spec, t);
        s->alpha_bar[t] = s->alpha_bar[t - 1] * (1 - s->beta[t]);
        s->noise[t] = s->noise[t - 1] + s->beta[t] * s->alpha_bar[t - 1];
    }
}

/* Noise levels are given: abar = 1 / (1 + s^2), 1 - abar = s^2 / (1 + s^2), and beta_t = 1 - abar_t / abar_{t-1} =
 * (s_t^2 - s_{t-1}^2) / (1 + s_t^2), where the difference is s_t^2 (1 - the squared ratio of two neighbours). */
static void fill_from_levels(fd_schedule *s) {
    int T = s->spec.steps;
    double range = log(s->spec.s_max / s->spec.s_min), step = T > 1 ? range / (T - 1) : 0;
    for (int t = 1; t <= T; t++) {
        double level = t == T ? s->spec.s_max : s->spec.s_min * exp((t - 1) * step), square = level * level;
        s->alpha_bar[t] = 1 / (1 + square);
        s->noise[t] = square / (1 + square);
        s->beta[t] = s->noise[t] * (t == 1 ? 1 : -expm1(-2 * step));
    }
}

fd_status fd_schedule_create(const fd_schedule_spec *spec, fd_schedule **schedule, fd_error *err) {
    *schedule = NULL;
    fd_status status = check_spec(spec, err);
    if (status) return status;
    size_t n = (size_t)spec->steps + 1;
    fd_schedule *s = calloc(1, sizeof *s);
    double *table = calloc(3 * n, sizeof *table);
    if (!s || !table) {
        free(s), free(table);
        return fd_fail(err, FD_ERR_MEMORY, "no memory for a schedule of %d steps", spec->steps);
    }
    s->spec = *spec;
    s->beta = table;
    s->alpha_bar = table + n;
    s->noise = table + 2 * n;
    s->alpha_bar[0] = 1;
    if (spec->kind == FD_SCHEDULE_LOG_SNR) fill_from_levels(s);
    else
        fill_from_betas(s);
    *schedule = s;
    return FD_OK;
}

void fd_schedule_free(fd_schedule *schedule) {
    if (!schedule) return;
    free(schedule->beta); /* alpha_bar and noise are the rest of the same block */
    free(schedule);
}

double fd_schedule_s(const fd_schedule *schedule, int t) {
    return sqrt(schedule->noise[t] / schedule->alpha_bar[t]);
}
