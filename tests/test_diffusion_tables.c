/* Schedules, time grids and step tables against their formulas. */
#include "exact_denoiser.h"

/* ---- schedules ---------------------------------------------------------------------------------------------------- */

static void linear_schedule_is_eq_2_14(void **state) {
    (void)state;
    fd_schedule *s = make_schedule(FD_SCHEDULE_LINEAR, 1000, 1);
    assert_true(s->beta[0] == 0 && s->alpha_bar[0] == 1);
    assert_close(s->beta[1], 0.999 * 1e-4 + 0.001 * 0.02, 1e-15, "beta_1");
    assert_close(s->beta[500], (1e-4 + 0.02) / 2, 1e-15, "beta_500");
    assert_close(s->beta[1000], 0.02, 1e-15, "beta_1000");
    long double product = 1;
    for (int t = 1; t <= 1000; t++) {
        product *= 1 - ((1 - t / 1000.0L) * 1e-4L + t / 1000.0L * 0.02L);
        assert_close(s->alpha_bar[t], (double)product, 1e-13, "alpha_bar");
    }
    fd_schedule_free(s);
    fd_schedule_free(NULL);
}

static void cosine_schedule_is_nichol_dhariwal(void **state) {
    (void)state;
    fd_schedule *s = make_schedule(FD_SCHEDULE_COSINE, 400, 1);
    const long double pi = 3.141592653589793238462643L;
    long double f0 = powl(cosl(0.008L / 1.008L * pi / 2), 2);
    for (int t = 1; t < 400; t++) {
        long double f = powl(cosl((t / 400.0L + 0.008L) / 1.008L * pi / 2), 2);
        assert_close(s->alpha_bar[t], (double)(f / f0), 1e-10, "alpha_bar");
    }
    assert_true(s->beta[400] == 0.999); /* clipped: f(T) = 0 */
    fd_schedule_free(s);
}

static void impossible_specs_are_refused(void **state) {
    (void)state;
    fd_schedule_spec spec;
    fd_schedule *s = NULL;
    fd_error err;
    fd_schedule_spec_paper(&spec), spec.steps = 0;
    assert_int_equal(fd_schedule_create(&spec, &s, &err), FD_ERR_CONFIG);
    fd_schedule_spec_paper(&spec), spec.beta_max = 1;
    assert_int_equal(fd_schedule_create(&spec, &s, &err), FD_ERR_CONFIG);
    fd_schedule_spec_paper(&spec), spec.beta_min = (double)NAN;
    assert_int_equal(fd_schedule_create(&spec, &s, &err), FD_ERR_CONFIG);
    const double levels[][2] = {{0, 80}, {0.1, 0.1}, {0.1, 0.19}, {80, 0.002}, {0.002, 1e7}, {0.002, (double)NAN}};
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        fd_schedule_spec_paper(&spec), spec.kind = FD_SCHEDULE_LOG_SNR;
        spec.s_min = levels[i][0], spec.s_max = levels[i][1];
        assert_int_equal(fd_schedule_create(&spec, &s, &err), FD_ERR_CONFIG);
    }
    fd_schedule_spec_paper(&spec), spec.kind = (fd_schedule_kind)3;
    assert_int_equal(fd_schedule_create(&spec, &s, &err), FD_ERR_CONFIG);
    assert_null(s);

    s = make_schedule(FD_SCHEDULE_LINEAR, 10, 1);
    fd_sampler *sampler = NULL;
    const fd_sampler_spec bad[] = {{.kind = FD_SAMPLER_DDIM, .steps = 0},
                                   {.kind = FD_SAMPLER_DDIM, .steps = 11},
                                   {.kind = FD_SAMPLER_DDIM, .steps = 5, .eta = 1.5},
                                   {.kind = FD_SAMPLER_DDIM, .steps = 5, .eta = (double)NAN},
                                   {.kind = FD_SAMPLER_DPMPP_2M_SDE, .steps = 5, .eta = -0.1},
                                   {.kind = FD_SAMPLER_DDPM, .steps = 5, .variance = (fd_variance)7},
                                   {.kind = FD_SAMPLER_HEUN, .steps = 5, .grid = (fd_grid)3},
                                   {.kind = FD_SAMPLER_DDIM, .steps = 5, .grid = FD_GRID_KARRAS},
                                   {.kind = FD_SAMPLER_DDIM, .steps = 5, .grid = FD_GRID_KARRAS, .rho = (double)INFINITY},
                                   {.kind = (fd_sampler_kind)9, .steps = 5}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(fd_sampler_create(&bad[i], s, &sampler, &err), FD_ERR_CONFIG);
        assert_null(sampler);
    }
    mixture m = make_mixture(s);
    fd_denoiser *guided = NULL;
    assert_int_equal(fd_guided_denoiser(&m.base, (double)INFINITY, &guided, &err), FD_ERR_CONFIG);
    assert_int_equal(fd_guided_denoiser(&m.base, (double)NAN, &guided, &err), FD_ERR_CONFIG);
    fd_denoiser_free(NULL);
    fd_sampler_free(NULL);
    fd_schedule_free(s);
}

/* Levels and all that follows from them in long double. 1 - abar is 4e-6 at t = 1: taken as a difference it would keep ten
 * digits. */
static void log_snr_schedule_is_geometric(void **state) {
    (void)state;
    const int lengths[] = {1000, 40, 2, 1};
    for (int c = 0; c < 4; c++) {
        int T = lengths[c];
        fd_schedule *s = make_schedule(FD_SCHEDULE_LOG_SNR, T, 1);
        long double before = 0;
        assert_true(s->beta[0] == 0 && s->alpha_bar[0] == 1 && s->noise[0] == 0 && fd_schedule_s(s, 0) == 0);
        for (int t = 1; t <= T; t++) {
            long double level = T > 1 ? 0.002L * powl(80 / 0.002L, (t - 1.0L) / (T - 1)) : 80, square = level * level;
            assert_close(fd_schedule_s(s, t), (double)level, 1e-13, "s");
            assert_close(s->alpha_bar[t], (double)(1 / (1 + square)), 1e-13, "alpha_bar");
            assert_close(s->noise[t], (double)(square / (1 + square)), 1e-13, "noise");
            assert_close(s->beta[t], (double)((square - before) / (1 + square)), 1e-12, "beta");
            before = square;
        }
        fd_schedule_free(s);
    }
}

static void noise_is_what_alpha_bar_leaves(void **state) {
    (void)state;
    for (int kind = 0; kind < SCHEDULES; kind++) {
        fd_schedule *s = make_schedule((fd_schedule_kind)kind, 1000, 1);
        for (int t = 0; t <= 1000; t++) assert_true(fabs(s->noise[t] + s->alpha_bar[t] - 1) < 1e-14);
        for (int t = 1; t <= 1000; t++) assert_true(fd_schedule_s(s, t) > fd_schedule_s(s, t - 1));
        fd_schedule_free(s);
    }
}

static void schedules_have_names(void **state) {
    (void)state;
    assert_string_equal(fd_schedule_name(FD_SCHEDULE_LINEAR), "linear");
    assert_string_equal(fd_schedule_name(FD_SCHEDULE_COSINE), "cosine");
    assert_string_equal(fd_schedule_name(FD_SCHEDULE_LOG_SNR), "log_snr");
    assert_string_equal(fd_schedule_name((fd_schedule_kind)3), "?");
}

/* ---- step tables -------------------------------------------------------------------------------------------------- */

static void times_are_rounded_and_increasing(void **state) {
    (void)state;
    const int cases[][2] = {{1000, 1},  {1000, 2},   {1000, 3},  {1000, 7},    {1000, 30}, {1000, 39}, {1000, 333},
                            {1000, 667}, {1000, 999}, {1000, 1000}, {1, 1},    {7, 5},     {1003, 1001}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        int T = cases[c][0], steps = cases[c][1];
        fd_schedule *s = make_schedule(FD_SCHEDULE_LINEAR, T, 1);
        fd_sampler *sampler = make_sampler(s, FD_SAMPLER_DDIM, steps, 0, FD_VARIANCE_BETA);
        assert_int_equal(sampler->n_steps, steps);
        assert_int_equal(sampler->table[0].t, T);
        assert_int_equal(sampler->table[steps - 1].t_next, 0);
        for (int i = 0; i < steps; i++) {
            const fd_sampler_step *step = &sampler->table[i];
            assert_true(step->t > step->t_next);
            assert_int_equal(step->t, (int)floor((double)(steps - i) * T / steps + 0.5));
            if (i) assert_int_equal(step->t, sampler->table[i - 1].t_next);
        }
        fd_sampler_free(sampler);
        fd_schedule_free(s);
    }
}

/* ---- time grids --------------------------------------------------------------------------------------------------- */

static long double distance(const fd_schedule *s, int t, long double log_level) {
    return fabsl(logl(fd_schedule_s(s, t)) - log_level);
}

static long double least_distance(const fd_schedule *s, long double log_level) {
    long double least = distance(s, 1, log_level);
    for (int t = 2; t <= s->spec.steps; t++) least = fminl(least, distance(s, t, log_level));
    return least;
}

/* Karras et al. (2022), eq. 5, from the noisy end: i = 0..steps - 1. */
static long double wanted_level(const fd_schedule *s, const fd_sampler_spec *spec, int i) {
    long double low = fd_schedule_s(s, 1), high = fd_schedule_s(s, s->spec.steps), u = (long double)i / (spec->steps - 1);
    if (spec->grid == FD_GRID_LOG_SNR) return logl(high) + u * (logl(low) - logl(high));
    long double power = 1 / (long double)spec->rho;
    return spec->rho * logl(powl(high, power) + u * (powl(low, power) - powl(high, power)));
}

/* Strictly decreasing from T to 1 and 0; each time the nearest to its level, unless a neighbour took that. */
static void check_grid(const fd_schedule *s, const fd_sampler_spec *spec, bool levels) {
    fd_sampler *sampler = sampler_of(s, *spec);
    const fd_sampler_step *table = sampler->table;
    int n = spec->steps;
    assert_int_equal(sampler->n_steps, n);
    assert_int_equal(table[0].t, s->spec.steps);
    assert_int_equal(table[n - 1].t_next, 0);
    if (n > 1 && spec->grid != FD_GRID_UNIFORM_T) assert_int_equal(table[n - 1].t, 1);
    for (int i = 0; i < n; i++) {
        if (!(table[i].t > table[i].t_next)) fail_msg("grid %d, step %d of %d has no length", (int)spec->grid, i, n);
        if (i) assert_int_equal(table[i].t, table[i - 1].t_next);
        if (!levels || i == 0 || i == n - 1 || spec->grid == FD_GRID_UNIFORM_T) continue;
        long double level = wanted_level(s, spec, i), excess = distance(s, table[i].t, level) - least_distance(s, level);
        bool crowded = table[i].t == table[i - 1].t - 1 || table[i].t == table[i + 1].t + 1;
        if (excess > 1e-8L && !crowded)
            fail_msg("grid %d, step %d of %d: t = %d is not the nearest", (int)spec->grid, i, n, table[i].t);
    }
    fd_sampler_free(sampler);
}

static void no_step_has_zero_length(void **state) {
    (void)state;
    const int lengths[] = {1, 2, 3, 7, 50, 257, 1000}, some[] = {1, 2, 3, 8, 10, 20, 39, 333, 667, 998, 999, 1000};
    for (int c = 0; c < 7; c++)
        for (int kind = 0; kind < SCHEDULES; kind++) {
            fd_schedule *s = make_schedule((fd_schedule_kind)kind, lengths[c], 1);
            for (int g = 0; g < GRIDS; g++) {
                fd_sampler_spec spec = {.kind = FD_SAMPLER_DPMPP_2M, .grid = (fd_grid)g, .rho = 7};
                if (lengths[c] < 1000)
                    for (spec.steps = 1; spec.steps <= lengths[c]; spec.steps++) check_grid(s, &spec, lengths[c] <= 50);
                else
                    for (int i = 0; i < 12; i++) spec.steps = some[i], check_grid(s, &spec, some[i] < 50);
            }
            fd_schedule_free(s);
        }
}

/* On a schedule that is itself uniform in log s, a grid that divides it takes every so many times. */
static void log_snr_grid_divides_log_snr_schedule(void **state) {
    (void)state;
    fd_schedule *s = make_schedule(FD_SCHEDULE_LOG_SNR, 1001, 1);
    fd_sampler *sampler = sampler_of(s, (fd_sampler_spec){.kind = FD_SAMPLER_DDIM, .steps = 41, .grid = FD_GRID_LOG_SNR});
    for (int i = 0; i <= 40; i++) assert_int_equal(sampler->table[i].t, 1001 - 25 * i);
    fd_sampler_free(sampler);
    fd_schedule_free(s);
}

/* ---- step tables -------------------------------------------------------------------------------------------------- */

/* Coefficients against the printed formulas in long double, with 1 - abar of the whole chain. */
static void ddpm_coefficients_are_eq_a_23(void **state) {
    (void)state;
    fd_schedule *s = make_schedule(FD_SCHEDULE_LINEAR, 1000, 1);
    fd_sampler *beta = make_sampler(s, FD_SAMPLER_DDPM, 1000, 0, FD_VARIANCE_BETA);
    fd_sampler *tilde = make_sampler(s, FD_SAMPLER_DDPM, 1000, 0, FD_VARIANCE_BETA_TILDE);
    long double abar = 1, before;
    for (int t = 1; t <= 1000; t++) {
        long double b = s->beta[t];
        before = abar;
        abar *= 1 - b;
        const fd_sampler_step *step = &beta->table[1000 - t];
        assert_close(step->from_x, (double)(1 / sqrtl(1 - b)), 1e-12, "from_x");
        assert_close(step->from_eps, (double)(-b / sqrtl(1 - abar) / sqrtl(1 - b)), 1e-12, "from_eps");
        assert_close(step->sigma, t == 1 ? 0 : (double)sqrtl(b), 1e-12, "sigma");
        assert_close(tilde->table[1000 - t].sigma, (double)sqrtl(b * (1 - before) / (1 - abar)), 1e-12, "sigma~");
    }
    fd_sampler_free(beta);
    fd_sampler_free(tilde);
    fd_schedule_free(s);
}

static void ddim_with_eta_1_is_ddpm_with_beta_tilde(void **state) {
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        fd_schedule *s = make_schedule((fd_schedule_kind)kind, 1000, 1);
        const int counts[] = {1000, 333, 20, 1};
        for (int c = 0; c < 4; c++) {
            fd_sampler *ddim = make_sampler(s, FD_SAMPLER_DDIM, counts[c], 1, FD_VARIANCE_BETA);
            fd_sampler *ddpm = make_sampler(s, FD_SAMPLER_DDPM, counts[c], 0, FD_VARIANCE_BETA_TILDE);
            for (int i = 0; i < counts[c]; i++) {
                assert_int_equal(ddim->table[i].t, ddpm->table[i].t);
                assert_close(ddim->table[i].from_x, ddpm->table[i].from_x, 1e-12, "from_x");
                assert_close(ddim->table[i].from_eps, ddpm->table[i].from_eps, 1e-12, "from_eps");
                assert_close(ddim->table[i].sigma, ddpm->table[i].sigma, 1e-12, "sigma");
            }
            fd_sampler_free(ddim);
            fd_sampler_free(ddpm);
        }
        fd_schedule_free(s);
    }
}

/* Whatever a step is made of, from x_t = sqrt(abar) x0 + sqrt(1 - abar) eps with the true x0 and eps it leaves
 * sqrt(abar') of signal and 1 - abar' of noise: for every sampler, schedule, grid and eta. */
static void check_marginals(const fd_schedule *s, const fd_sampler *sampler, const char *name) {
    for (int i = 0; i < sampler->n_steps; i++) {
        const fd_sampler_step *p = &sampler->table[i];
        double signal = sqrt(s->alpha_bar[p->t]), spread = sqrt(s->noise[p->t]);
        double kept = p->from_x * signal + p->from_x0 + p->from_past, noise = p->from_x * spread + p->from_eps;
        assert_close(p->signal, signal, 1e-15, "table's signal");
        assert_close(p->spread, spread, 1e-15, "table's spread");
        assert_close(kept, sqrt(s->alpha_bar[p->t_next]), 1e-6, name); /* 1 - beta of the cosine's last t has 8 digits */
        if (p->t_next) assert_close(noise * noise + p->sigma * p->sigma, s->noise[p->t_next], 1e-9, name);
        else if (!(fabs(noise) < 1e-12 && p->sigma == 0)) fail_msg("%s: the last step leaves noise %g", name, noise);
    }
}

static void steps_keep_the_marginals(void **state) {
    (void)state;
    for (int kind = FD_SAMPLER_DDIM; kind < KINDS; kind++)
        for (int schedule = 0; schedule < SCHEDULES; schedule++) {
            fd_schedule *s = make_schedule((fd_schedule_kind)schedule, 1000, 1);
            for (int g = 0; g < GRIDS; g++)
                for (int e = 0; e <= 2; e++) {
                    fd_sampler *sampler = sampler_of(s, (fd_sampler_spec){.kind = (fd_sampler_kind)kind, .steps = 39,
                                                                          .eta = 0.5 * e, .grid = (fd_grid)g, .rho = 7});
                    check_marginals(s, sampler, sampler_names[kind]);
                    assert_int_equal(sampler->evaluations, kind == FD_SAMPLER_HEUN ? 77 : 39);
                    fd_sampler_free(sampler);
                }
            fd_schedule_free(s);
        }
}

/* The steps of DPM-Solver++ that know no earlier x0, the first and the last, are DDIM's once x0 is written with eps; those
 * of the SDE with eta = 1 are DDIM's with eta = 1. */
static void first_order_dpmpp_is_ddim(void **state) {
    (void)state;
    fd_schedule *s = make_schedule(FD_SCHEDULE_LINEAR, 1000, 1);
    for (int sde = 0; sde < 2; sde++)
        for (int steps = 1; steps <= 40; steps += 13) {
            fd_sampler *ddim = make_sampler(s, FD_SAMPLER_DDIM, steps, sde, FD_VARIANCE_BETA);
            fd_sampler *solver =
                make_sampler(s, sde ? FD_SAMPLER_DPMPP_2M_SDE : FD_SAMPLER_DPMPP_2M, steps, sde, FD_VARIANCE_BETA);
            for (int i = 0; i < steps; i += steps > 1 ? steps - 1 : 1) {
                const fd_sampler_step *a = &ddim->table[i], *b = &solver->table[i];
                assert_true(b->from_past == 0);
                assert_close(b->from_x + b->from_x0 / b->signal, a->from_x, 1e-10, "from_x");
                assert_close(-b->from_x0 * b->spread / b->signal, a->from_eps, 1e-10, "from_eps");
                assert_close(b->sigma, a->sigma, 1e-10, "sigma");
            }
            fd_sampler_free(ddim);
            fd_sampler_free(solver);
        }
    fd_schedule_free(s);
}

/* x0 that changes linearly in lambda: the second-order term is the change over half a step, as by the midpoint rule. */
static void dpmpp_extrapolates_half_a_step(void **state) {
    (void)state;
    fd_schedule *s = make_schedule(FD_SCHEDULE_LINEAR, 1000, 1);
    fd_sampler *sampler = sampler_of(
        s, (fd_sampler_spec){.kind = FD_SAMPLER_DPMPP_2M, .steps = 17, .grid = FD_GRID_KARRAS, .rho = 7});
    for (int i = 1; i < 16; i++) {
        const fd_sampler_step *p = &sampler->table[i];
        double before = -log(fd_schedule_s(s, sampler->table[i - 1].t)), now = -log(fd_schedule_s(s, p->t));
        double after = -log(fd_schedule_s(s, p->t_next));
        double weight = p->from_x0 + p->from_past; /* of an x0 that does not change */
        assert_close(p->from_x0 * now + p->from_past * before, weight * (now + after) / 2, 1e-9, "midpoint");
    }
    fd_sampler_free(sampler);
    fd_schedule_free(s);
}

/* A schedule that leaves nothing at T has no levels to work with; ddpm and ddim on the plain grid need none. */
static void levels_need_some_signal(void **state) {
    (void)state;
    fd_schedule *s = make_schedule(FD_SCHEDULE_LINEAR, 20000, 1);
    const float lo[DIM] = {-1, -1}, hi[DIM] = {1, 1};
    fd_sampler_spec spec = {.kind = FD_SAMPLER_DPMPP_2M, .steps = 10, .rho = 7};
    fd_sampler *sampler = NULL;
    fd_error err;
    assert_int_equal(fd_sampler_create(&spec, s, &sampler, &err), FD_ERR_CONFIG);
    assert_non_null(strstr(err.message, "leaves nothing of the signal"));
    spec.kind = FD_SAMPLER_DDIM, spec.grid = FD_GRID_KARRAS;
    assert_int_equal(fd_sampler_create(&spec, s, &sampler, &err), FD_ERR_CONFIG);
    spec.grid = FD_GRID_UNIFORM_T;
    assert_int_equal(fd_sampler_create(&spec, s, &sampler, &err), FD_OK);
    assert_int_equal(fd_sampler_clip(sampler, DIM, lo, hi, &err), FD_ERR_CONFIG);
    fd_sampler_free(sampler);
    fd_schedule_free(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(linear_schedule_is_eq_2_14),
        cmocka_unit_test(cosine_schedule_is_nichol_dhariwal),
        cmocka_unit_test(impossible_specs_are_refused),
        cmocka_unit_test(log_snr_schedule_is_geometric),
        cmocka_unit_test(noise_is_what_alpha_bar_leaves),
        cmocka_unit_test(schedules_have_names),
        cmocka_unit_test(times_are_rounded_and_increasing),
        cmocka_unit_test(no_step_has_zero_length),
        cmocka_unit_test(log_snr_grid_divides_log_snr_schedule),
        cmocka_unit_test(ddpm_coefficients_are_eq_a_23),
        cmocka_unit_test(ddim_with_eta_1_is_ddpm_with_beta_tilde),
        cmocka_unit_test(steps_keep_the_marginals),
        cmocka_unit_test(first_order_dpmpp_is_ddim),
        cmocka_unit_test(dpmpp_extrapolates_half_a_step),
        cmocka_unit_test(levels_need_some_signal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
