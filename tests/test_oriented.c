/* An oriented network is exactly symmetric: turning a point turns what is said of it. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "flavordiff/informant.h"

enum { DIM = 23, LABELS = 11, ROWS = 40 };

/* Conjugation, a quarter turn of column 1 and the sign of row 2: none of them is the identity on Y. */
static void turn(const float *x, float *out) {
    for (int e = 0; e < 9; e++) {
        float re = x[e], im = -x[9 + e], sign = e / 3 == 1 ? -1.0f : 1.0f;
        out[e] = sign * (e % 3 == 0 ? -im : re);
        out[9 + e] = sign * (e % 3 == 0 ? re : im);
    }
    for (int j = 18; j < DIM; j++) out[j] = j < 21 ? x[j] : -x[j];
}

static void what_is_said_turns_with_the_point(void **state) {
    (void)state;
    fd_model_options options;
    fd_model *model = NULL;
    fd_schedule *schedule = NULL;
    fd_network *network = NULL;
    fd_informant *informant = NULL;
    fd_denoiser *plain = NULL, *informed = NULL;
    fd_schedule_spec noise = {.kind = FD_SCHEDULE_LOG_SNR, .steps = 100, .s_min = 0.005, .s_max = 40};
    fd_informant_spec told;
    fd_scaler params = {.n = DIM}, labels = {.n = LABELS};
    fd_model_options_default(&options);
    assert_int_equal(fd_model_create(&options, &model, NULL), FD_OK);
    fd_informant_spec_default(&told);
    assert_true(told.oriented);
    for (int j = 0; j < DIM; j++) {
        params.shift[j] = 0.5 * (model->params[j].lo + model->params[j].hi);
        params.scale[j] = 0.5 * (model->params[j].hi - model->params[j].lo);
    }
    for (int k = 0; k < LABELS; k++) labels.shift[k] = k < 2 ? -4 : 0.5, labels.scale[k] = 1;
    fd_network_spec spec = {.dim = DIM, .n_labels = LABELS, .n_hidden = 1, .widths = {32}, .activations = {FD_SILU},
                            .n_features = fd_informant_features(&told, DIM, LABELS)};
    assert_int_equal(fd_network_create(&spec, &network, NULL), FD_OK);
    fd_network_initialise(network, 3); /* a random network has no symmetry of its own */
    assert_int_equal(fd_schedule_create(&noise, &schedule, NULL), FD_OK);
    assert_int_equal(fd_model_informant(model, &params, &labels, schedule, &told, &informant, NULL), FD_OK);
    assert_int_equal(fd_network_denoiser(network, schedule, FD_FLOAT32, &plain, NULL), FD_OK);
    assert_int_equal(fd_informed_denoiser(plain, informant, schedule, &informed, NULL), FD_OK);

    void *scratch = aligned_alloc(64, (informed->scratch_bytes + 63) / 64 * 64);
    float x[2][ROWS * DIM], eps[2][ROWS * DIM], label[LABELS] = {0}, expected[DIM];
    fd_rng rng;
    fd_rng_start(&rng, 4, FD_STREAM_TEST, 0, 0);
    for (int i = 0; i < ROWS * DIM; i++) x[0][i] = (float)fd_rng_normal(&rng);
    for (int i = 0; i < ROWS; i++) turn(x[0] + i * DIM, x[1] + i * DIM);
    informed->prepare(informed, ROWS, label, 1, scratch);
    for (int t = 20; t <= 100; t += 20) {
        double moved = 0;
        for (int k = 0; k < 2; k++) informed->predict(informed, ROWS, x[k], t, eps[k], scratch);
        for (int i = 0; i < ROWS; i++) {
            turn(eps[0] + i * DIM, expected);
            for (int j = 0; j < DIM; j++) {
                assert_true(fabsf(expected[j] - eps[1][i * DIM + j]) <= 1e-6f * (1 + fabsf(expected[j])));
                moved += fabs((double)eps[0][i * DIM + j] - eps[1][i * DIM + j]);
            }
        }
        assert_true(moved > ROWS); /* and the turn does something */
    }
    free(scratch);
    fd_denoiser_free(informed);
    fd_denoiser_free(plain);
    fd_informant_free(informant);
    fd_schedule_free(schedule);
    fd_network_free(network);
    fd_model_free(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_said_turns_with_the_point)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
