/* The informed denoiser with a fake network and a fake informant, whose every output is a formula of its inputs. */
#include "physics_oracles.h"

#include "fake_informant.h"
#include "flavordiff/informant.h"

enum { FAKE_DIM = 3, FAKE_LABELS = 2, FAKE_FEATURES = 4 };

typedef struct fake_state {
    int rows, shared, has_labels;
    float labels[16 * FAKE_LABELS];
} fake_state;

static void fake_prepare(const fd_denoiser *self, int n, const float *labels, int shared, void *scratch) {
    fake_state *s = scratch;
    (void)self;
    *s = (fake_state){.rows = n, .shared = shared, .has_labels = labels != NULL};
    if (labels) memcpy(s->labels, labels, (size_t)(shared ? 1 : n) * FAKE_LABELS * sizeof *labels);
}

/* F_j = 10 (j + 1) + sum_p (p + 1) input_p + t + label */
static double fake_f(const float *input, int j, int t, double label) {
    double sum = 10 * (j + 1) + t + label;
    for (int p = 0; p < FAKE_DIM + FAKE_FEATURES; p++) sum += 0.1 * (p + 1) * input[p];
    return sum;
}

static void fake_predict(const fd_denoiser *self, int n, const float *x, int t, float *eps, void *scratch) {
    const fake_state *s = scratch;
    assert_int_equal(n, s->rows);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < self->dim; j++)
            eps[i * self->dim + j] =
                (float)fake_f(x + i * (FAKE_DIM + FAKE_FEATURES), j, t,
                              s->has_labels ? s->labels[(s->shared ? 0 : i) * FAKE_LABELS + 1] : 5);
}

/* labels: 0 none, 1 one for all, 2 one a row. */
static void informed(const fd_denoiser *denoiser, const fd_schedule *schedule, int n, int mode) {
    enum { MOST = 16 };
    float x[MOST * FAKE_DIM], labels[MOST * FAKE_LABELS], eps[MOST * FAKE_DIM + 4], none[FAKE_LABELS] = {0};
    char *scratch = aligned_alloc(64, denoiser->scratch_bytes);
    memset(scratch, 0xff, denoiser->scratch_bytes);
    for (int i = 0; i < MOST * FAKE_DIM; i++) x[i] = sinf((float)i + 1);
    for (int i = 0; i < MOST * FAKE_LABELS; i++) labels[i] = cosf((float)i + 2);
    for (int i = 0; i < MOST * FAKE_DIM + 4; i++) eps[i] = 77;
    denoiser->prepare(denoiser, n, mode ? labels : NULL, mode == 1, scratch);
    for (int t = 1; t <= schedule->spec.steps; t += 7) {
        denoiser->predict(denoiser, n, x, t, eps, scratch);
        double signal = sqrt(schedule->alpha_bar[t]), spread = sqrt(schedule->noise[t]);
        for (int i = 0; i < n; i++) {
            const float *row = x + i * FAKE_DIM, *label = mode == 0   ? none
                                                          : mode == 1 ? labels
                                                                      : labels + i * FAKE_LABELS;
            float input[FAKE_DIM + FAKE_FEATURES];
            memcpy(input, row, FAKE_DIM * sizeof *row);
            for (int q = 0; q < FAKE_FEATURES; q++) input[FAKE_DIM + q] = (float)fake_feature(q, row, t, label, mode);
            for (int j = 0; j < FAKE_DIM; j++) {
                double x0 = fake_guess(j, row, t, label, mode) - fake_c(t) * fake_f(input, j, t, mode ? label[1] : 5);
                double wanted = (row[j] - signal * x0) / spread;
                assert_below(fabs(eps[i * FAKE_DIM + j] - wanted), 1e-5 * (1 + fabs(wanted)));
            }
        }
        for (int i = n * FAKE_DIM; i < MOST * FAKE_DIM + 4; i++) assert_true(eps[i] == 77);
    }
    free(scratch);
}

static void informed_denoiser(void **state) {
    (void)state;
    fd_schedule_spec noise = {.kind = FD_SCHEDULE_LOG_SNR, .steps = 50, .s_min = 0.01, .s_max = 30};
    fd_schedule *schedule;
    fd_denoiser *denoiser, network = {.dim = FAKE_DIM,
                                      .n_labels = FAKE_LABELS,
                                      .max_rows = 16,
                                      .scratch_bytes = sizeof(fake_state),
                                      .prepare = fake_prepare,
                                      .predict = fake_predict};
    assert_int_equal(fd_schedule_create(&noise, &schedule, NULL), FD_OK);
    for (int most = 5; most <= 16; most += 11) {
        fd_informant fake = make_fake_informant(FAKE_DIM, FAKE_LABELS, FAKE_FEATURES, most, 50);
        assert_int_equal(fd_informed_denoiser(&network, &fake, schedule, &denoiser, NULL), FD_OK);
        assert_true(denoiser->dim == FAKE_DIM && denoiser->n_labels == FAKE_LABELS && denoiser->max_rows == most);
        for (int mode = 0; mode < 3; mode++) {
            informed(denoiser, schedule, 1, mode);
            informed(denoiser, schedule, most - 1, mode);
            informed(denoiser, schedule, most, mode);
        }
        fd_denoiser_free(denoiser);
        fd_informant_free(&fake);
    }
    fd_schedule_free(schedule);
}
int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(informed_denoiser)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
