/* Which times of a schedule a sampler of fewer steps keeps.
 *
 * uniform_t takes round(i T / steps). The other two choose levels of noise, s_i for i = 1..steps between s_1 and s_T,
 *
 *   log_snr   log s_i uniform
 *   karras    s_i^(1/rho) uniform, Karras et al. (2022), eq. 5,
 *
 * and keep the times whose levels are nearest in log s. Both ends are kept: T, where sampling starts, and t = 1, so
 * that the last step, from tau_1 to 0, removes the least noise there is. Where the schedule is coarser than the grid,
 * times that would be taken twice move to free neighbours. */
#include <math.h>

#include "diffusion/step_table.h"

/* Kept time i of `steps`: round(i T / steps) in integers. Strictly increasing, because T / steps >= 1. */
static int uniform_time(int i, int T, int steps) { return (int)((2 * (int64_t)i * T + steps) / (2 * (int64_t)steps)); }

/* The time whose log s is nearest to that of `s`; log s increases with t. */
static int nearest_time(const fd_schedule *schedule, double s) {
    int low = 1, high = schedule->spec.steps;
    while (high - low > 1) {
        int middle = low + (high - low) / 2;
        if (fd_schedule_s(schedule, middle) <= s)
            low = middle;
        else
            high = middle;
    }
    /* A tie goes to the lower time, and not to what the last digit of pow() says. */
    return s * s < (1 + 1e-9) * fd_schedule_s(schedule, low) * fd_schedule_s(schedule, high) ? low : high;
}

/* Level u = 0..1 of the way from s_min to s_max. */
static double level(const fd_sampler_spec *spec, double s_min, double s_max, double u) {
    if (spec->grid == FD_GRID_LOG_SNR) return s_min * pow(s_max / s_min, u);
    double low = pow(s_min, 1 / spec->rho), high = pow(s_max, 1 / spec->rho);
    return pow(low + u * (high - low), spec->rho);
}

void fd_grid_times(const fd_sampler_spec *spec, const fd_schedule *schedule, int *tau) {
    int T = schedule->spec.steps, steps = spec->steps;
    tau[0] = 0;
    if (spec->grid == FD_GRID_UNIFORM_T) {
        for (int i = 1; i <= steps; i++) tau[i] = uniform_time(i, T, steps);
        return;
    }
    double s_min = fd_schedule_s(schedule, 1), s_max = fd_schedule_s(schedule, T);
    for (int i = 1; i < steps; i++) {
        int t = nearest_time(schedule, level(spec, s_min, s_max, (i - 1.0) / (steps - 1)));
        tau[i] = t > tau[i - 1] ? t : tau[i - 1] + 1;
    }
    tau[steps] = T;
    for (int i = steps - 1; i >= 1; i--) /* what was pushed up too far comes back; steps <= T leaves room for all */
        if (tau[i] >= tau[i + 1]) tau[i] = tau[i + 1] - 1;
}
