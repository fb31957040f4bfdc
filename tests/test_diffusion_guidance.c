/* Classifier-free guidance. */
#include "exact_denoiser.h"

/* ---- guidance ----------------------------------------------------------------------------------------------------- */

static void guidance_identities(void **state) {
    (void)state;
    fd_schedule *s = make_schedule(FD_SCHEDULE_LINEAR, 1000, 1);
    fd_sampler *sampler = make_sampler(s, FD_SAMPLER_DDPM, 50, 0, FD_VARIANCE_BETA);
    mixture m = make_mixture(s);
    fd_denoiser *one = NULL, *zero = NULL;
    assert_int_equal(fd_guided_denoiser(&m.base, 1, &one, NULL), FD_OK);
    assert_int_equal(fd_guided_denoiser(&m.base, 0, &zero, NULL), FD_OK);
    float plain[ROWS * DIM], x[ROWS * DIM], label = 3;

    generate(sampler, &m.base, 1, 0, ROWS, ROWS, &label, plain);
    m.labelled = m.unlabelled = 0;
    generate(sampler, one, 1, 0, ROWS, ROWS, &label, x);
    assert_memory_equal(x, plain, sizeof x);
    assert_true(m.labelled == 1 && m.unlabelled == 0);

    generate(sampler, &m.base, 1, 0, ROWS, ROWS, NULL, plain);
    m.labelled = m.unlabelled = 0;
    generate(sampler, zero, 1, 0, ROWS, ROWS, &label, x);
    assert_memory_equal(x, plain, sizeof x);
    assert_true(m.labelled == 0 && m.unlabelled == 1);
    generate(sampler, one, 1, 0, ROWS, ROWS, NULL, x); /* no label to follow: unconditional, whatever gamma */
    assert_memory_equal(x, plain, sizeof x);

    fd_denoiser_free(one);
    fd_denoiser_free(zero);
    fd_sampler_free(sampler);
    fd_schedule_free(s);
}

static void guidance_is_linear_in_gamma(void **state) {
    (void)state;
    fd_schedule *s = make_schedule(FD_SCHEDULE_LINEAR, 1000, 1);
    mixture m = make_mixture(s);
    float x[ROWS * DIM], with[ROWS * DIM], without[ROWS * DIM], eps[ROWS * DIM], labels[ROWS];
    fd_rng rng;
    fd_rng_start(&rng, 9, FD_STREAM_TEST, 0, 0);
    for (int j = 0; j < ROWS * DIM; j++) x[j] = (float)(2 * fd_rng_normal(&rng));
    for (int i = 0; i < ROWS; i++) labels[i] = (float)(1 + i % MODES);
    tile t;
    mixture_prepare(&m.base, ROWS, labels, 0, &t);
    mixture_predict(&m.base, ROWS, x, 400, with, &t);
    mixture_prepare(&m.base, ROWS, NULL, 0, &t);
    mixture_predict(&m.base, ROWS, x, 400, without, &t);
    const double gammas[] = {-2, 0, 0.25, 1, 3.5, 8};
    for (int g = 0; g < 6; g++) {
        fd_denoiser *guided = NULL;
        assert_int_equal(fd_guided_denoiser(&m.base, gammas[g], &guided, NULL), FD_OK);
        void *scratch = aligned_alloc(64, (guided->scratch_bytes + 63) & ~(size_t)63);
        guided->prepare(guided, ROWS, labels, 0, scratch);
        guided->predict(guided, ROWS, x, 400, eps, scratch);
        for (int j = 0; j < ROWS * DIM; j++) {
            double wanted = (1 - gammas[g]) * without[j] + gammas[g] * with[j];
            double scale = fabs((1 - gammas[g]) * without[j]) + fabs(gammas[g] * with[j]);
            assert_true(fabs(eps[j] - wanted) <= 4 * 0x1p-24 * scale);
        }
        free(scratch);
        fd_denoiser_free(guided);
    }
    fd_schedule_free(s);
}

/* Between the levels it is the guided model, elsewhere the plain conditional one, to the last bit: at every t, both ends of
 * the interval included. */
static void guidance_is_limited_to_its_interval(void **state) {
    (void)state;
    fd_schedule *s = make_schedule(FD_SCHEDULE_LOG_SNR, 60, 1);
    mixture m = make_mixture(s);
    const double gammas[] = {3, 0};
    for (int g = 0; g < 2; g++) {
        fd_denoiser *limited = NULL, *full = NULL;
        assert_int_equal(fd_guided_denoiser(&m.base, gammas[g], &limited, NULL), FD_OK);
        assert_int_equal(fd_guided_denoiser(&m.base, gammas[g], &full, NULL), FD_OK);
        assert_int_equal(fd_guidance_between(limited, s, fd_schedule_s(s, 20), fd_schedule_s(s, 40), NULL), FD_OK);
        float x[DIM] = {0.3f, -0.2f}, got[DIM], wanted[DIM], label = 2;
        void *a = aligned_alloc(64, (limited->scratch_bytes + 63) & ~(size_t)63);
        void *b = aligned_alloc(64, (full->scratch_bytes + 63) & ~(size_t)63);
        tile plain;
        limited->prepare(limited, 1, &label, 1, a);
        full->prepare(full, 1, &label, 1, b);
        mixture_prepare(&m.base, 1, &label, 1, &plain);
        for (int t = 1; t <= 60; t++) {
            limited->predict(limited, 1, x, t, got, a);
            if (t >= 20 && t <= 40) full->predict(full, 1, x, t, wanted, b);
            else
                mixture_predict(&m.base, 1, x, t, wanted, &plain);
            assert_memory_equal(got, wanted, sizeof got);
        }
        free(a), free(b);
        fd_denoiser_free(limited);
        fd_denoiser_free(full);
    }
    fd_schedule_free(s);
}

/* What is announced is what happens. */
static void evaluations_are_counted_honestly(void **state) {
    (void)state;
    fd_schedule *s = make_schedule(FD_SCHEDULE_LOG_SNR, 300, 1);
    const double gammas[] = {0, 1, 4}, intervals[][2] = {{0, INFINITY}, {0.1, 5}, {0, 0.5}, {2, INFINITY}, {1e3, 1e4}};
    float x[ROWS * DIM], label = 1;
    for (int kind = 0; kind < KINDS; kind++)
        for (int g = 0; g < 3; g++)
            for (int i = 0; i < 5; i++) {
                mixture m = make_mixture(s);
                fd_denoiser *guided = NULL;
                fd_sampler *sampler = sampler_of(s, (fd_sampler_spec){.kind = (fd_sampler_kind)kind, .steps = 21,
                                                                      .grid = FD_GRID_LOG_SNR});
                assert_int_equal(fd_guided_denoiser(&m.base, gammas[g], &guided, NULL), FD_OK);
                assert_int_equal(fd_guidance_between(guided, s, intervals[i][0], intervals[i][1], NULL), FD_OK);
                generate(sampler, guided, 1, 0, ROWS, ROWS, &label, x);
                assert_int_equal(m.calls, fd_guided_evaluations(guided, sampler));
                if (g < 2 || i == 4) assert_int_equal(m.calls, sampler->evaluations);
                else if (i == 0) assert_int_equal(m.calls, 2 * sampler->evaluations);
                else assert_true(m.calls > sampler->evaluations && m.calls < 2 * sampler->evaluations);
                fd_sampler_free(sampler);
                fd_denoiser_free(guided);
            }
    fd_schedule_free(s);
}

static void impossible_intervals_are_refused(void **state) {
    (void)state;
    fd_schedule *s = make_schedule(FD_SCHEDULE_LINEAR, 10, 1);
    mixture m = make_mixture(s);
    fd_denoiser *guided = NULL;
    fd_error err;
    const double bad[][2] = {{-1, 1}, {2, 1}, {(double)NAN, 1}, {0, (double)NAN}};
    assert_int_equal(fd_guided_denoiser(&m.base, 2, &guided, NULL), FD_OK);
    for (int i = 0; i < 4; i++) assert_int_equal(fd_guidance_between(guided, s, bad[i][0], bad[i][1], &err), FD_ERR_CONFIG);
    fd_denoiser_free(guided);
    fd_schedule_free(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(guidance_identities),
        cmocka_unit_test(guidance_is_linear_in_gamma),
        cmocka_unit_test(guidance_is_limited_to_its_interval),
        cmocka_unit_test(evaluations_are_counted_honestly),
        cmocka_unit_test(impossible_intervals_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
