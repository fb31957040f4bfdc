/* Noise schedules (eqs. 2.13, 2.14 and the cosine schedule of Nichol and Dhariwal 2021). */
#ifndef FLAVORDIFF_SCHEDULE_H
#define FLAVORDIFF_SCHEDULE_H

#include "flavordiff/status.h"

typedef enum fd_schedule_kind { FD_SCHEDULE_LINEAR, FD_SCHEDULE_COSINE } fd_schedule_kind;

typedef struct fd_schedule_spec {
    fd_schedule_kind kind;
    int steps;                 /* T = 1000 */
    double beta_min, beta_max; /* linear: beta_t = (1 - t/T) beta_min + t/T beta_max, t = 1..T */
} fd_schedule_spec;

typedef struct fd_schedule {
    fd_schedule_spec spec;
    double *beta;              /* [0..T]; beta[0] = 0 */
    double *alpha_bar;         /* [0..T]; alpha_bar[0] = 1 */
} fd_schedule;

void fd_schedule_spec_paper(fd_schedule_spec *spec);
/* FD_ERR_CONFIG on T < 1 or beta outside (0, 1). Free with fd_schedule_free (NULL ok). */
fd_status fd_schedule_create(const fd_schedule_spec *spec, fd_schedule **schedule, fd_error *err);
void fd_schedule_free(fd_schedule *schedule);

#endif
