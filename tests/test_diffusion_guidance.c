/* Classifier-free guidance. */
#include "exact_denoiser.h"

/* ---- guidance --------------------------------------------------------------------------------------------------------- */

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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(guidance_identities),
        cmocka_unit_test(guidance_is_linear_in_gamma),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
