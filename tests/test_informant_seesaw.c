/* What the informant of the seesaw tells with inverted ordering, and the noise as waves. */
#include "physics_oracles.h"

#include "flavordiff/informant.h"

enum { DIM = 23, N_LAB = 11, WAVES = 3, N = 64, STEPS = 1000 };

static fd_schedule *log_snr(void) {
    fd_schedule_spec spec = {.kind = FD_SCHEDULE_LOG_SNR, .steps = STEPS, .s_min = 0.005, .s_max = 40};
    fd_schedule *schedule;
    assert_int_equal(fd_schedule_create(&spec, &schedule, NULL), FD_OK);
    return schedule;
}

/* Y = sqrt(D) U^+ (Casas-Ibarra) with m1 and m2 nearly equal, in the box's coordinates; its labels. */
static void nearly_degenerate(const fd_model *model, fd_rng *rng, double *theta, double *labels) {
    static const double mass[3] = {0.70, 0.71, 0.1};
    cmat u;
    random_unitary(rng, u);
    memset(theta, 0, DIM * sizeof *theta);
    for (int i = 0; i < 3; i++)
        for (int a = 0; a < 3; a++) {
            theta[3 * i + a] = sqrt(mass[i]) * creal(u[a][i]);
            theta[9 + 3 * i + a] = -sqrt(mass[i]) * cimag(u[a][i]);
        }
    theta[18] = 0.98, theta[19] = 0.985, theta[20] = -2;
    model->forward(model, 1, theta, labels, NULL);
}

/* Mean error of the first guess from points noised at time t, over the noise. */
static double error_of_guess(const fd_model *model, const fd_schedule *schedule, bool smooth, int t) {
    fd_scaler params = {.n = DIM}, labels = {.n = N_LAB};
    fd_informant_spec spec;
    fd_informant *informant;
    double sum = 0;
    for (int j = 0; j < DIM; j++) params.scale[j] = 1;
    for (int k = 0; k < N_LAB; k++) labels.scale[k] = 1;
    fd_informant_spec_default(&spec);
    spec.smooth = smooth;
    assert_int_equal(fd_model_informant(model, &params, &labels, schedule, &spec, &informant, NULL), FD_OK);
    void *scratch = aligned_alloc(64, informant->scratch_bytes);
    float *features = malloc(sizeof(float) * (size_t)informant->n_features);
    for (int i = 0; i < N; i++) {
        fd_rng rng;
        double theta[DIM], wanted[N_LAB], found[DIM], at[N_LAB];
        float x[DIM], label[N_LAB], guess[DIM];
        uint8_t given = 1;
        fd_rng_start(&rng, 5, FD_STREAM_TEST, (uint64_t)i, 0);
        nearly_degenerate(model, &rng, theta, wanted);
        for (int j = 0; j < DIM; j++)
            x[j] = (float)(sqrt(schedule->alpha_bar[t]) * theta[j] + sqrt(schedule->noise[t]) * fd_rng_normal(&rng));
        for (int k = 0; k < N_LAB; k++) label[k] = (float)wanted[k];
        informant->inform(informant, 1, x, &t, label, &given, features, informant->n_features, guess, scratch);
        for (int j = 0; j < DIM; j++) found[j] = (double)guess[j];
        model->forward(model, 1, found, at, NULL);
        sum += fmin(1, fabs(at[3] - wanted[3])) / N; /* |U_e2|: of theta12 */
    }
    free(features);
    free(scratch);
    fd_informant_free(informant);
    return sum;
}

static void smooth_steps_reach_the_labels(void **state) {
    (void)state;
    fd_model_options options;
    fd_model *model;
    fd_model_options_default(&options);
    options.ordering = FD_ORDERING_INVERTED;
    assert_int_equal(fd_model_create(&options, &model, NULL), FD_OK);
    fd_schedule *schedule = log_snr();
    int t = 1;
    while (fd_schedule_s(schedule, t) < 0.01) t++;
    double smooth = error_of_guess(model, schedule, true, t), plain = error_of_guess(model, schedule, false, t);
    print_message("|U_e2| of the guess is off by %.4f, in labels by %.4f\n", smooth, plain);
    assert_below(smooth, 0.3 * plain);
    fd_schedule_free(schedule);
    fd_model_free(model);
}

/* cos(pi k tau), tau = (t - 1)/(T - 1) where ln s is linear in t. */
static void waves_follow_the_noise(void **state) {
    (void)state;
    fd_model_options options;
    fd_model *model;
    fd_scaler params = {.n = DIM}, labels = {.n = N_LAB};
    fd_informant_spec spec;
    fd_informant *informant;
    fd_error err = {0};
    fd_model_options_default(&options);
    assert_int_equal(fd_model_create(&options, &model, NULL), FD_OK);
    for (int j = 0; j < DIM; j++) params.scale[j] = 1;
    for (int k = 0; k < N_LAB; k++) labels.scale[k] = 1;
    fd_schedule *schedule = log_snr();
    fd_informant_spec_default(&spec);
    for (int steps = 0; steps <= 2; steps += 2) {
        spec.label_steps = steps;
        spec.waves = WAVES;
        assert_int_equal(fd_model_informant(model, &params, &labels, schedule, &spec, &informant, NULL), FD_OK);
        assert_int_equal(informant->n_features, DIM + (steps ? DIM + N_LAB : 0) + WAVES);
        void *scratch = aligned_alloc(64, informant->scratch_bytes);
        const int times[3] = {1, 400, STEPS};
        for (int i = 0; i < 3; i++) {
            float x[DIM] = {0}, label[N_LAB] = {0}, features[2 * DIM + N_LAB + WAVES], guess[DIM];
            uint8_t given = 0;
            informant->inform(informant, 1, x, &times[i], label, &given, features, 2 * DIM + N_LAB + WAVES, guess, scratch);
            for (int k = 1; k <= WAVES; k++)
                assert_below(fabs((double)features[informant->n_features - WAVES + k - 1] -
                                  cos(TAU / 2 * k * (times[i] - 1) / (STEPS - 1.0))), 1e-5);
        }
        free(scratch);
        fd_informant_free(informant);
    }
    spec.waves = 65;
    assert_int_equal(fd_model_informant(model, &params, &labels, schedule, &spec, &informant, &err), FD_ERR_CONFIG);
    fd_schedule_free(schedule);
    fd_model_free(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(smooth_steps_reach_the_labels),
                                       cmocka_unit_test(waves_follow_the_noise)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
