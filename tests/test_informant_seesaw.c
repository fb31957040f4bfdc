/* What the informant of the seesaw tells: label steps by their order, features far outside the box, the smooth steps, and the
 * noise as waves. */
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

/* ---- order and range ------------------------------------------------------------------------------------------ */

enum { POINTS = 256 };

typedef struct flavour {
    fd_model *model;
    fd_scaler params, labels;
    int dim, nl;
    double x0[POINTS * FD_MAX_PARAMS], wanted[POINTS * FD_MAX_LABELS], direction[POINTS * FD_MAX_PARAMS];
} flavour;

/* Prior draws moved a little to the centre, so that few guesses meet a wall, with their own labels. */
static void make_flavour(flavour *f, fd_ordering ordering) {
    fd_model_options options;
    fd_rng rng;
    fd_model_options_default(&options);
    options.ordering = ordering;
    assert_int_equal(fd_model_create(&options, &f->model, NULL), FD_OK);
    f->dim = f->params.n = f->model->n_params;
    f->nl = f->labels.n = f->model->n_labels;
    for (int j = 0; j < f->dim; j++) {
        f->params.shift[j] = 0.5 * (f->model->params[j].lo + f->model->params[j].hi);
        f->params.scale[j] = 0.5 * (f->model->params[j].hi - f->model->params[j].lo);
    }
    for (int k = 0; k < f->nl; k++) f->labels.shift[k] = 0, f->labels.scale[k] = 1;
    fd_rng_start(&rng, 52, FD_STREAM_TEST, ordering, 0);
    for (int i = 0; i < POINTS; i++) {
        double theta[FD_MAX_PARAMS], label[FD_MAX_LABELS];
        f->model->draw_prior(f->model, &rng, theta);
        for (int j = 0; j < f->dim; j++) {
            double x = (float)(0.9 * (theta[j] - f->params.shift[j]) / f->params.scale[j]);
            f->x0[i * f->dim + j] = x;
            f->direction[i * f->dim + j] = fd_rng_normal(&rng);
            theta[j] = f->params.shift[j] + f->params.scale[j] * x;
        }
        f->model->forward(f->model, 1, theta, label, NULL);
        for (int k = 0; k < f->nl; k++) f->wanted[i * f->nl + k] = (float)label[k];
    }
}

/* |L(guess) - L*| of every point seen through noise s, its direction kept. */
static void distances(const flavour *f, double s, int label_steps, double *distance) {
    fd_informant_spec spec = {
        .guess = true, .label_steps = label_steps, .regularisation = 1e-12, .clip = 1e6, .fade = 1e9, .trust = 1e9};
    fd_schedule_spec noise = {.kind = FD_SCHEDULE_LOG_SNR, .steps = 2, .s_min = s, .s_max = 2 * s};
    fd_schedule *schedule;
    fd_informant *informant;
    assert_int_equal(fd_schedule_create(&noise, &schedule, NULL), FD_OK);
    assert_int_equal(fd_model_informant(f->model, &f->params, &f->labels, schedule, &spec, &informant, NULL), FD_OK);
    void *scratch = aligned_alloc(64, informant->scratch_bytes);
    for (int i = 0; i < POINTS; i++) {
        float x[FD_MAX_PARAMS], labels[FD_MAX_LABELS], features[2 * FD_MAX_PARAMS + FD_MAX_LABELS],
            guess[FD_MAX_PARAMS];
        double theta[FD_MAX_PARAMS], label[FD_MAX_LABELS], sum = 0;
        int t = 1;
        uint8_t given = 1;
        for (int j = 0; j < f->dim; j++)
            x[j] = (float)(sqrt(schedule->alpha_bar[1]) * (f->x0[i * f->dim + j] + s * f->direction[i * f->dim + j]));
        for (int k = 0; k < f->nl; k++) labels[k] = (float)f->wanted[i * f->nl + k];
        informant->inform(informant, 1, x, &t, labels, &given, features, informant->n_features, guess, scratch);
        for (int j = 0; j < f->dim; j++) theta[j] = f->params.shift[j] + f->params.scale[j] * guess[j];
        f->model->forward(f->model, 1, theta, label, NULL);
        for (int k = 0; k < f->nl; k++) sum += pow(label[k] - f->wanted[i * f->nl + k], 2);
        distance[i] = sqrt(sum);
    }
    free(scratch);
    fd_informant_free(informant);
    fd_schedule_free(schedule);
}

static double median(double *x) {
    qsort(x, POINTS, sizeof *x, ascending);
    return x[POINTS / 2];
}

/* What is left after one step is of second order in the distance, halved noise leaves a quarter; without a step it is
 * of first order; after two steps of fourth, or what float32 makes of it. */
static void seesaw_by_order(void **state) {
    (void)state;
    static flavour f;
    for (int ordering = 0; ordering < 2; ordering++) {
        double left[3][2][POINTS], ratio[POINTS], wanted[2] = {2, 4};
        make_flavour(&f, (fd_ordering)ordering);
        for (int steps = 0; steps < 3; steps++)
            for (int half = 0; half < 2; half++) distances(&f, half ? 1e-3 : 2e-3, steps, left[steps][half]);
        for (int steps = 0; steps < 2; steps++) {
            for (int i = 0; i < POINTS; i++) ratio[i] = left[steps][0][i] / left[steps][1][i];
            assert_below(fabs(median(ratio) / wanted[steps] - 1), 0.05);
        }
        double none = median(left[0][0]), one = median(left[1][0]), two = median(left[2][0]);
        print_message("%s: labels off by %.2g, %.2g, %.2g after 0, 1, 2 steps\n",
                      fd_ordering_name((fd_ordering)ordering), none, one, two);
        assert_true(one < 0.05 * none && two < 0.05 * one);
        fd_model_free(f.model);
    }
}

/* Points far outside the box and labels that are not numbers: every feature is a number. */
static void seesaw_far_away(void **state) {
    (void)state;
    static flavour f;
    fd_informant_spec spec;
    fd_schedule_spec noise = {.kind = FD_SCHEDULE_LOG_SNR, .steps = 100, .s_min = 1e-3, .s_max = 100};
    fd_schedule *schedule;
    fd_informant *informant;
    make_flavour(&f, FD_ORDERING_INVERTED);
    fd_informant_spec_default(&spec);
    assert_int_equal(fd_schedule_create(&noise, &schedule, NULL), FD_OK);
    assert_int_equal(fd_model_informant(f.model, &f.params, &f.labels, schedule, &spec, &informant, NULL), FD_OK);
    void *scratch = aligned_alloc(64, informant->scratch_bytes);
    for (int i = 0; i < POINTS; i++) {
        float x[FD_MAX_PARAMS], labels[FD_MAX_LABELS], features[2 * FD_MAX_PARAMS + FD_MAX_LABELS],
            guess[FD_MAX_PARAMS];
        int t = 1 + i % 100;
        uint8_t given = 1;
        for (int j = 0; j < f.dim; j++) x[j] = (float)(pow(10, i % 7 - 3) * f.direction[i * f.dim + j]);
        for (int k = 0; k < f.nl; k++) labels[k] = i % 5 ? (float)f.wanted[i * f.nl + k] : i % 10 ? (float)NAN : 1e30f;
        informant->inform(informant, 1, x, &t, labels, &given, features, informant->n_features, guess, scratch);
        for (int p = 0; p < informant->n_features; p++) assert_true(fabsf(features[p]) <= 6);
        for (int j = 0; j < f.dim; j++)
            assert_true(f.model->params[j].periodic ? isfinite(guess[j]) : fabsf(guess[j]) <= 1 + 1e-6f);
    }
    free(scratch);
    fd_informant_free(informant);
    fd_schedule_free(schedule);
    fd_model_free(f.model);
}
int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(smooth_steps_reach_the_labels), cmocka_unit_test(waves_follow_the_noise),
        cmocka_unit_test(seesaw_by_order), cmocka_unit_test(seesaw_far_away)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
