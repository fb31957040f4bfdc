/* Samplers: recovered distributions, determinism, order of convergence, tiling. */
#include "exact_denoiser.h"

/* ---- recovered distributions -------------------------------------------------------------------------------------- */

static void exact_moments(double mean[DIM], double cov[3]) {
    double second[3] = {0};
    mean[0] = mean[1] = 0;
    for (int k = 0; k < MODES; k++) {
        const mode *m = &modes[k];
        for (int j = 0; j < DIM; j++) mean[j] += m->weight * m->mean[j];
        second[0] += m->weight * (m->cov[0] + m->mean[0] * m->mean[0]);
        second[1] += m->weight * (m->cov[1] + m->mean[0] * m->mean[1]);
        second[2] += m->weight * (m->cov[2] + m->mean[1] * m->mean[1]);
    }
    cov[0] = second[0] - mean[0] * mean[0];
    cov[1] = second[1] - mean[0] * mean[1];
    cov[2] = second[2] - mean[1] * mean[1];
}

static int nearest_mode(const float *x) {
    int best = 0;
    double least = INFINITY;
    for (int k = 0; k < MODES; k++) {
        double d = hypot(x[0] - modes[k].mean[0], x[1] - modes[k].mean[1]);
        if (d < least) least = d, best = k;
    }
    return best;
}

/* Fraction of mode k's points that are nearest to mode j: counts are compared after this mixing. */
static void confusion(double share[MODES]) {
    fd_rng rng;
    enum { N = 200000 };
    memset(share, 0, MODES * sizeof *share);
    for (int k = 0; k < MODES; k++) {
        const mode *m = &modes[k];
        double a = sqrt(m->cov[0]), b = m->cov[1] / a, c = sqrt(m->cov[2] - b * b);
        fd_rng_start(&rng, 5, FD_STREAM_TEST, (uint64_t)k, 0);
        for (int i = 0; i < N; i++) {
            double u = fd_rng_normal(&rng), v = fd_rng_normal(&rng);
            float x[DIM] = {(float)(m->mean[0] + a * u), (float)(m->mean[1] + b * u + c * v)};
            share[nearest_mode(x)] += m->weight / N;
        }
    }
}

static int ascending(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Kolmogorov-Smirnov distance of component j from the mixture's own distribution function. */
static double ks_distance(const float *x, int n, int j) {
    float *sorted = malloc((size_t)n * sizeof *sorted);
    assert_non_null(sorted);
    for (int i = 0; i < n; i++) sorted[i] = x[i * DIM + j];
    qsort(sorted, (size_t)n, sizeof *sorted, ascending);
    double most = 0;
    for (int i = 0; i < n; i++) {
        double f = 0;
        for (int k = 0; k < MODES; k++)
            f += modes[k].weight * 0.5 * erfc((modes[k].mean[j] - (double)sorted[i]) / sqrt(2 * modes[k].cov[2 * j]));
        most = fmax(most, fmax(fabs(f - (double)i / n), fabs(f - (i + 1.0) / n)));
    }
    free(sorted);
    return most;
}

/* Mean, covariance, mode weights and both distribution functions of n samples within 4 standard errors plus `bias` of discretisation. */
static void check_distribution(const char *name, const float *x, int n, double bias) {
    double mean[DIM], cov[3], share[MODES], got[DIM] = {0}, counts[MODES] = {0};
    exact_moments(mean, cov);
    confusion(share);
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < DIM; j++) got[j] += x[i * DIM + j] / (double)n;
        counts[nearest_mode(x + i * DIM)] += 1.0 / n;
    }
    for (int j = 0; j < DIM; j++)
        if (fabs(got[j] - mean[j]) > 4 * sqrt(cov[2 * j] / n) + bias)
            fail_msg("%s: mean[%d] %g, not %g", name, j, got[j], mean[j]);
    for (int c = 0; c < 3; c++) {
        double sum = 0, square = 0;
        for (int i = 0; i < n; i++) {
            double dx = x[i * DIM] - mean[0], dy = x[i * DIM + 1] - mean[1];
            double p = c == 0 ? dx * dx : c == 1 ? dx * dy : dy * dy;
            sum += p, square += p * p;
        }
        double average = sum / n, error = sqrt((square / n - average * average) / n);
        if (fabs(average - cov[c]) > 4 * error + bias) fail_msg("%s: cov[%d] %g, not %g", name, c, average, cov[c]);
    }
    for (int k = 0; k < MODES; k++)
        if (fabs(counts[k] - share[k]) > 4 * sqrt(share[k] * (1 - share[k]) / n) + bias)
            fail_msg("%s: mode %d has %g of the samples, not %g", name, k, counts[k], share[k]);
    for (int j = 0; j < DIM; j++) { /* 1.95 / sqrt(n): exceeded by one true sample in a thousand */
        double d = ks_distance(x, n, j);
        if (d > 1.95 / sqrt(n) + bias) fail_msg("%s: component %d is off by %g", name, j, d);
    }
}

static void mixture_is_recovered(void **state) {
    (void)state;
    enum { N = 12800 };
    /* bias: what is left of discretisation; abar_T = 4e-5 alone moves means by 0.006 of a unit */
    const struct {
        const char *name;
        fd_schedule_kind schedule;
        fd_sampler_spec spec;
        double bias;
    } cases[] = {
        {"ddpm beta", FD_SCHEDULE_LINEAR, {.kind = FD_SAMPLER_DDPM, .steps = 1000}, 0.004},
        {"ddpm beta~",
         FD_SCHEDULE_LINEAR,
         {.kind = FD_SAMPLER_DDPM, .steps = 1000, .variance = FD_VARIANCE_BETA_TILDE},
         0.004},
        {"ddpm cosine",
         FD_SCHEDULE_COSINE,
         {.kind = FD_SAMPLER_DDPM, .steps = 1000, .variance = FD_VARIANCE_BETA_TILDE},
         0.004},
        {"ddim 0", FD_SCHEDULE_LINEAR, {.kind = FD_SAMPLER_DDIM, .steps = 250}, 0.01},
        {"ddim 0.5", FD_SCHEDULE_LINEAR, {.kind = FD_SAMPLER_DDIM, .steps = 333, .eta = 0.5}, 0.01},
        {"ddim 1", FD_SCHEDULE_LINEAR, {.kind = FD_SAMPLER_DDIM, .steps = 1000, .eta = 1}, 0.004},
        {"ddpm on levels",
         FD_SCHEDULE_LOG_SNR,
         {.kind = FD_SAMPLER_DDPM, .steps = 500, .variance = FD_VARIANCE_BETA_TILDE},
         0.006},
        {"2m", FD_SCHEDULE_LOG_SNR, {.kind = FD_SAMPLER_DPMPP_2M, .steps = 60, .grid = FD_GRID_LOG_SNR}, 0.006},
        {"2m karras",
         FD_SCHEDULE_COSINE,
         {.kind = FD_SAMPLER_DPMPP_2M, .steps = 60, .grid = FD_GRID_KARRAS, .rho = 7},
         0.006},
        {"2m sde",
         FD_SCHEDULE_LOG_SNR,
         {.kind = FD_SAMPLER_DPMPP_2M_SDE, .steps = 120, .eta = 1, .grid = FD_GRID_KARRAS, .rho = 7},
         0.006},
        {"2m sde 0.5",
         FD_SCHEDULE_LINEAR,
         {.kind = FD_SAMPLER_DPMPP_2M_SDE, .steps = 120, .eta = 0.5, .grid = FD_GRID_KARRAS, .rho = 7},
         0.006},
        {"heun", FD_SCHEDULE_LOG_SNR, {.kind = FD_SAMPLER_HEUN, .steps = 40, .grid = FD_GRID_KARRAS, .rho = 7}, 0.006},
        {"heun linear", FD_SCHEDULE_LINEAR, {.kind = FD_SAMPLER_HEUN, .steps = 60, .grid = FD_GRID_LOG_SNR}, 0.006},
    };
    float *x = malloc(N * DIM * sizeof *x);
    assert_non_null(x);
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        fd_schedule *s = make_schedule(cases[c].schedule, 1000, 1);
        mixture m = make_mixture(s);
        fd_sampler *sampler = NULL;
        assert_int_equal(fd_sampler_create(&cases[c].spec, s, &sampler, NULL), FD_OK);
        generate(sampler, &m.base, 11, 0, N, ROWS, NULL, x);
        check_distribution(cases[c].name, x, N, cases[c].bias);
        fd_sampler_free(sampler);
        fd_schedule_free(s);
    }
    free(x);
}

/* The label picks its mode, and the mode keeps its shape. */
static void condition_is_recovered(void **state) {
    (void)state;
    enum { N = 6400 };
    fd_schedule *s = make_schedule(FD_SCHEDULE_LINEAR, 1000, 1);
    mixture m = make_mixture(s);
    fd_denoiser *guided = NULL;
    assert_int_equal(fd_guided_denoiser(&m.base, 1, &guided, NULL), FD_OK);
    fd_sampler *sampler = make_sampler(s, FD_SAMPLER_DDPM, 500, 0, FD_VARIANCE_BETA_TILDE);
    float *x = malloc(N * DIM * sizeof *x), label = 2;
    generate(sampler, guided, 3, 0, N, ROWS, &label, x);
    double mean[DIM] = {0}, cov[3] = {0};
    for (int i = 0; i < N; i++)
        for (int j = 0; j < DIM; j++) mean[j] += x[i * DIM + j] / (double)N;
    for (int i = 0; i < N; i++) {
        double dx = x[i * DIM] - mean[0], dy = x[i * DIM + 1] - mean[1];
        cov[0] += dx * dx / N, cov[1] += dx * dy / N, cov[2] += dy * dy / N;
    }
    for (int j = 0; j < DIM; j++)
        assert_true(fabs(mean[j] - modes[1].mean[j]) < 4 * sqrt(modes[1].cov[2 * j] / N) + 0.004);
    for (int c = 0; c < 3; c++) assert_true(fabs(cov[c] - modes[1].cov[c]) < 4 * 0.12 * sqrt(2.0 / N) + 0.002);
    free(x);
    fd_denoiser_free(guided);
    fd_sampler_free(sampler);
    fd_schedule_free(s);
}

/* ---- determinism and order ---------------------------------------------------------------------------------------- */

/* eta = 0 uses x_T and nothing else: the same numbers as the bare recursion, to the last bit. */
static void ddim_without_eta_is_deterministic(void **state) {
    (void)state;
    fd_schedule *s = make_schedule(FD_SCHEDULE_LINEAR, 1000, 1);
    mixture m = make_mixture(s);
    fd_sampler *sampler = make_sampler(s, FD_SAMPLER_DDIM, 37, 0, FD_VARIANCE_BETA);
    float x[ROWS * DIM], again[ROWS * DIM], bare[ROWS * DIM], eps[ROWS * DIM];
    generate(sampler, &m.base, 42, 1000, ROWS, ROWS, NULL, x);
    generate(sampler, &m.base, 42, 1000, ROWS, ROWS, NULL, again);
    assert_memory_equal(x, again, sizeof x);
    uint32_t key[2];
    tile t = {0};
    fd_rng_key(42, FD_STREAM_LATENT, key);
    fd_kernels_get()->normals(key, 1000, 0, ROWS, DIM, bare, DIM);
    for (int i = 0; i < sampler->n_steps; i++) {
        const fd_sampler_step *step = &sampler->table[i];
        assert_true(step->sigma == 0);
        mixture_predict(&m.base, ROWS, bare, step->t, eps, &t);
        for (int j = 0; j < ROWS * DIM; j++) bare[j] = (float)step->from_x * bare[j] + (float)step->from_eps * eps[j];
    }
    for (int j = 0; j < ROWS * DIM; j++) assert_true(fabsf(x[j] - bare[j]) <= 1e-5f * fmaxf(1, fabsf(bare[j])));
#if defined(__x86_64__) /* no contraction there in either file */
    assert_memory_equal(x, bare, sizeof x);
#endif
    generate(sampler, &m.base, 43, 1000, ROWS, ROWS, NULL, again);
    assert_memory_not_equal(x, again, sizeof x);
    fd_sampler_free(sampler);
    fd_schedule_free(s);
}

/* DDIM is a first-order solver of the probability-flow equation: the error against the finest grid halves with the
 * step. T = 16000 with betas scaled down stands for continuous time. */
static void ddim_converges_with_first_order(void **state) {
    (void)state;
    enum { T = 16000 };
    fd_schedule *s = make_schedule(FD_SCHEDULE_LINEAR, T, 1000.0 / T);
    mixture m = make_mixture(s);
    float exact[ROWS * DIM], x[ROWS * DIM];
    fd_sampler *sampler = make_sampler(s, FD_SAMPLER_DDIM, T, 0, FD_VARIANCE_BETA);
    float label = 1;
    generate(sampler, &m.base, 7, 0, ROWS, ROWS, &label, exact);
    fd_sampler_free(sampler);
    double before = 0;
    for (int steps = 40; steps <= 320; steps *= 2) {
        sampler = make_sampler(s, FD_SAMPLER_DDIM, steps, 0, FD_VARIANCE_BETA);
        generate(sampler, &m.base, 7, 0, ROWS, ROWS, &label, x);
        double error = 0;
        for (int j = 0; j < ROWS * DIM; j++) error += (x[j] - exact[j]) * (x[j] - exact[j]) / (ROWS * DIM);
        error = sqrt(error);
        double order = before > 0 ? log2(before / error) : 1;
        if (!(order > 0.85 && order < 1.35)) fail_msg("%d steps: error %g, order %g", steps, error, order);
        before = error;
        fd_sampler_free(sampler);
    }
    assert_true(before < 5e-3);
    fd_schedule_free(s);
}

/* ---- tiling ------------------------------------------------------------------------------------------------------- */

static void check_tiling(fd_sampler_kind kind) {
    enum { N = 150 };
    fd_schedule *s = make_schedule(FD_SCHEDULE_LINEAR, 1000, 1);
    mixture m = make_mixture(s);
    fd_denoiser *guided = NULL;
    assert_int_equal(fd_guided_denoiser(&m.base, 2, &guided, NULL), FD_OK);
    fd_sampler *sampler = make_sampler(s, kind, kind == FD_SAMPLER_DDPM ? 60 : 12, 1, FD_VARIANCE_BETA);
    float whole[N * DIM], x[N * DIM], label = 1;
    const uint64_t firsts[] = {0, 0xffffffffu - 70}; /* the second crosses 2^32 */
    const int rows[] = {1, 3, 7, 16, 33, 63};
    for (int f = 0; f < 2; f++) {
        generate(sampler, guided, 21, firsts[f], N, ROWS, &label, whole);
        for (int r = 0; r < 6; r++) {
            generate(sampler, guided, 21, firsts[f], N, rows[r], &label, x);
            assert_memory_equal(x, whole, sizeof x);
        }
        generate(sampler, guided, 21, firsts[f] + 40, N - 40, ROWS, &label, x); /* started in the middle */
        assert_memory_equal(x, whole + 40 * DIM, (N - 40) * DIM * sizeof *x);
    }
    fd_denoiser_free(guided);
    fd_sampler_free(sampler);
    fd_schedule_free(s);
}

static void tiling_does_not_matter(void **state) {
    (void)state;
    for (int kind = 0; kind < KINDS; kind++) check_tiling((fd_sampler_kind)kind);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mixture_is_recovered),
        cmocka_unit_test(condition_is_recovered),
        cmocka_unit_test(ddim_without_eta_is_deterministic),
        cmocka_unit_test(ddim_converges_with_first_order),
        cmocka_unit_test(tiling_does_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
