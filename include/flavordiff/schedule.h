/* Noise schedules: linear in beta (eqs. 2.13, 2.14), cosine (Nichol and Dhariwal 2021), and uniform in log-SNR as the
 * noise levels of Karras et al. (2022), "EDM", are.
 *
 * The noise level of time t is s_t = sqrt((1 - abar_t) / abar_t): x_t / sqrt(abar_t) is the clean point plus s_t times a
 * standard normal. */
#ifndef FLAVORDIFF_SCHEDULE_H
#define FLAVORDIFF_SCHEDULE_H

#include "flavordiff/api.h"
#include "flavordiff/status.h"

FD_DECLS_BEGIN

typedef enum fd_schedule_kind { FD_SCHEDULE_LINEAR, FD_SCHEDULE_COSINE, FD_SCHEDULE_LOG_SNR } fd_schedule_kind;

/* Levels a log_snr schedule may have: x_t is float32, in which a wider range is lost. */
#define FD_LEAST_S 1e-6
#define FD_MOST_S 1e6

typedef struct fd_schedule_spec {
    fd_schedule_kind kind;
    int steps;                 /* T = 1000 */
    double beta_min, beta_max; /* linear: beta_t = (1 - t/T) beta_min + t/T beta_max, t = 1..T */
    double s_min, s_max;       /* log_snr: log s_t = log s_min + (t - 1) / (T - 1) log(s_max / s_min); 0.002, 80 */
} fd_schedule_spec;

typedef struct fd_schedule {
    fd_schedule_spec spec;
    double *beta;      /* [0..T]; beta[0] = 0 */
    double *alpha_bar; /* [0..T]; alpha_bar[0] = 1 */
    double *noise;     /* [0..T] 1 - alpha_bar with all its digits where alpha_bar is close to 1; noise[0] = 0 */
} fd_schedule;

void fd_schedule_spec_paper(fd_schedule_spec *spec);
/* "linear", "cosine", "log_snr"; "?" for others. */
const char *fd_schedule_name(fd_schedule_kind kind);
/* FD_ERR_CONFIG on T < 1, beta outside (0, 1), s_min or s_max outside FD_LEAST_S..FD_MOST_S, or s_max < 2 s_min. Free
 * with fd_schedule_free (NULL ok). */
fd_status fd_schedule_create(const fd_schedule_spec *spec, fd_schedule **schedule, fd_error *err);
void fd_schedule_free(fd_schedule *schedule);
/* s_t = sqrt((1 - abar_t) / abar_t), t in 0..T: 0 at t = 0, strictly increasing. */
double fd_schedule_s(const fd_schedule *schedule, int t);

FD_DECLS_END

#endif
