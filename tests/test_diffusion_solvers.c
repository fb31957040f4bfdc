/* Solvers of the probability-flow equation against its exact solution, and clipping against a denoiser that knows the
 * answer. */
#include "exact_denoiser.h"

/* ---- order of convergence ----------------------------------------------------------------------------------------- */

/* The flow of a Gaussian N(mu, C), from level S to 0, in z = x / sqrt(abar): every principal component of z - mu, of
 * variance v, shrinks by sqrt(v / (v + S^2)). */
static void exact_flow(const mode *m, double S, const double *z, double *out) {
    double middle = 0.5 * (m->cov[0] + m->cov[2]), half = 0.5 * (m->cov[0] - m->cov[2]);
    double root = hypot(half, m->cov[1]), angle = 0.5 * atan2(m->cov[1], half), c = cos(angle), s = sin(angle);
    double dx = z[0] - m->mean[0], dy = z[1] - m->mean[1];
    double major = (c * dx + s * dy) * sqrt((middle + root) / (middle + root + S * S));
    double minor = (c * dy - s * dx) * sqrt((middle - root) / (middle - root + S * S));
    out[0] = m->mean[0] + c * major - s * minor;
    out[1] = m->mean[1] + s * major + c * minor;
}

/* Root mean square distance of a tile of samples of the first mode from where the flow takes their x_T. */
static double flow_error(const fd_schedule *s, const mixture *m, const fd_sampler_spec *spec) {
    float x[ROWS * DIM], latent[ROWS * DIM], label = 1;
    uint32_t key[2];
    int T = s->spec.steps;
    fd_sampler *sampler = sampler_of(s, *spec);
    generate(sampler, &m->base, 7, 0, ROWS, ROWS, &label, x);
    fd_sampler_free(sampler);
    fd_rng_key(7, FD_STREAM_LATENT, key);
    fd_kernels_get()->normals(key, 0, 0, ROWS, DIM, latent, DIM);
    double sum = 0;
    for (int i = 0; i < ROWS; i++) {
        double root = sqrt(s->alpha_bar[T]), z[DIM], exact[DIM];
        for (int j = 0; j < DIM; j++) z[j] = (double)latent[i * DIM + j] / root;
        exact_flow(&modes[0], fd_schedule_s(s, T), z, exact);
        for (int j = 0; j < DIM; j++) sum += pow((double)x[i * DIM + j] - exact[j], 2);
    }
    return sqrt(sum / (ROWS * DIM));
}

/* Halving the steps of a grid uniform in log s, which divides the schedule, so that no rounding of times disturbs. */
static void solvers_have_their_order(void **state) {
    (void)state;
    enum { T = 1281 };
    const struct {
        fd_sampler_kind kind;
        double lowest, highest, final;
    } cases[] = {
        {FD_SAMPLER_DDIM, 0.8, 1.2, 2e-2}, {FD_SAMPLER_DPMPP_2M, 1.8, 2.4, 1e-3}, {FD_SAMPLER_HEUN, 1.8, 2.4, 1e-3}};
    fd_schedule *s = make_schedule(FD_SCHEDULE_LOG_SNR, T, 1);
    mixture m = make_mixture(s);
    for (int c = 0; c < 3; c++) {
        double before = 0, error = 0;
        for (int intervals = 40; intervals <= 160; intervals *= 2) {
            fd_sampler_spec spec = {.kind = cases[c].kind, .steps = intervals + 1, .grid = FD_GRID_LOG_SNR};
            error = flow_error(s, &m, &spec);
            double order = log2(before / error);
            if (before > 0 && !(order > cases[c].lowest && order < cases[c].highest))
                fail_msg("%s, %d steps: error %g, order %g", sampler_names[cases[c].kind], intervals, error, order);
            before = error;
        }
        if (!(error < cases[c].final)) fail_msg("%s: error %g", sampler_names[cases[c].kind], error);
    }
    fd_schedule_free(s);
}

/* The same with steps of varying length: r is not 1. */
static void order_is_kept_on_karras_grids(void **state) {
    (void)state;
    fd_schedule *s = make_schedule(FD_SCHEDULE_LOG_SNR, 40001, 1);
    mixture m = make_mixture(s);
    const fd_sampler_kind kinds[] = {FD_SAMPLER_DPMPP_2M, FD_SAMPLER_HEUN};
    for (int c = 0; c < 2; c++) {
        fd_sampler_spec spec = {.kind = kinds[c], .steps = 40, .grid = FD_GRID_KARRAS, .rho = 7};
        double coarse = flow_error(s, &m, &spec);
        spec.steps = 80;
        double fine = flow_error(s, &m, &spec), order = log2(coarse / fine);
        if (!(order > 1.7 && order < 2.5))
            fail_msg("%s: errors %g and %g, order %g", sampler_names[kinds[c]], coarse, fine, order);
    }
    fd_schedule_free(s);
}

/* ---- clipping ----------------------------------------------------------------------------------------------------- */

/* All data at one point, `point`: eps = (x - sqrt(abar) point) / sqrt(1 - abar). Remembers the x it was asked about. */
typedef struct spy {
    fd_denoiser base;
    const fd_schedule *schedule;
    float point[DIM], x[64][DIM];
    int t[64], calls;
} spy;

static void spy_prepare(const fd_denoiser *self, int rows, const float *labels, int shared, void *scratch) {
    (void)self, (void)rows, (void)labels, (void)shared, (void)scratch;
}

static void spy_predict(const fd_denoiser *self, int rows, const float *x, int t, float *eps, void *scratch) {
    (void)scratch;
    spy *p = (spy *)(uintptr_t)self; /* the test looks */
    double signal = sqrt(p->schedule->alpha_bar[t]), spread = sqrt(p->schedule->noise[t]);
    p->t[p->calls] = t;
    memcpy(p->x[p->calls++], x, sizeof p->x[0]); /* of the first row */
    for (int j = 0; j < rows * DIM; j++) eps[j] = (float)(((double)x[j] - signal * (double)p->point[j % DIM]) / spread);
}

static spy make_spy(const fd_schedule *schedule) {
    return (spy){.base = {.dim = DIM, .max_rows = ROWS, .scratch_bytes = 64, .prepare = spy_prepare,
                          .predict = spy_predict},
                 .schedule = schedule, .point = {2, -3}};
}

/* The denoiser says 2 and -3, the box allows at most 1.5 in the first: without noise of its own a sampler goes straight,
 * x_t = sqrt(abar) (1.5, -3) + sqrt(1 - abar) eps with one eps, and its samples are (1.5, -3). */
static void clipped_samples_aim_at_the_box(void **state) {
    (void)state;
    const float lo[DIM] = {-1, -INFINITY}, hi[DIM] = {1.5f, INFINITY};
    fd_schedule *s = make_schedule(FD_SCHEDULE_LOG_SNR, 500, 1);
    for (int kind = 0; kind < KINDS; kind++) {
        spy p = make_spy(s);
        fd_sampler *sampler = sampler_of(s, (fd_sampler_spec){.kind = (fd_sampler_kind)kind, .steps = 20, .eta = 1,
                                                              .grid = FD_GRID_KARRAS, .rho = 7});
        if (kind == FD_SAMPLER_DDIM) fd_sampler_free(sampler), sampler = make_sampler(s, FD_SAMPLER_DDIM, 20, 0, 0);
        float x[ROWS * DIM];
        assert_int_equal(fd_sampler_clip(sampler, DIM, lo, hi, NULL), FD_OK);
        generate(sampler, &p.base, 3, 0, ROWS, ROWS, NULL, x);
        for (int i = 0; i < ROWS; i++) {
            assert_true(x[i * DIM] <= hi[0] && fabsf(x[i * DIM] - 1.5f) < 1e-4f);
            assert_true(fabsf(x[i * DIM + 1] + 3) < 1e-4f);
        }
        assert_int_equal(p.calls, sampler->evaluations);
        const double aim[DIM] = {1.5, -3};
        for (int c = 1; c < p.calls && kind != FD_SAMPLER_DDPM && kind != FD_SAMPLER_DPMPP_2M_SDE; c++)
            for (int j = 0; j < DIM; j++) {
                double first = ((double)p.x[0][j] - sqrt(s->alpha_bar[p.t[0]]) * aim[j]) / sqrt(s->noise[p.t[0]]);
                double wanted = sqrt(s->alpha_bar[p.t[c]]) * aim[j] + sqrt(s->noise[p.t[c]]) * first;
                if (fabs((double)p.x[c][j] - wanted) > 2e-4)
                    fail_msg("%s, call %d: x[%d] = %g, not %g", sampler_names[kind], c, j, (double)p.x[c][j], wanted);
            }
        fd_sampler_free(sampler);
    }
    fd_schedule_free(s);
}

/* Walls that are never met change no bit. */
static void far_walls_do_nothing(void **state) {
    (void)state;
    const float lo[DIM] = {-1e6f, -INFINITY}, hi[DIM] = {1e6f, INFINITY};
    fd_schedule *s = make_schedule(FD_SCHEDULE_COSINE, 300, 1);
    mixture m = make_mixture(s);
    for (int kind = 0; kind < KINDS; kind++) {
        float x[ROWS * DIM], free_x[ROWS * DIM];
        fd_sampler *sampler = make_sampler(s, (fd_sampler_kind)kind, 17, 1, FD_VARIANCE_BETA);
        generate(sampler, &m.base, 4, 0, ROWS, ROWS, NULL, free_x);
        assert_int_equal(fd_sampler_clip(sampler, DIM, lo, hi, NULL), FD_OK);
        generate(sampler, &m.base, 4, 0, ROWS, ROWS, NULL, x);
        assert_memory_equal(x, free_x, sizeof x);
        fd_sampler_free(sampler);
    }
    fd_schedule_free(s);
}

static void impossible_walls_are_refused(void **state) {
    (void)state;
    const float lo[DIM] = {-1, 0.5f}, equal[DIM] = {1, 0.5f}, nan[DIM] = {(float)NAN, 1};
    fd_schedule *s = make_schedule(FD_SCHEDULE_LINEAR, 10, 1);
    fd_sampler *sampler = make_sampler(s, FD_SAMPLER_DDIM, 5, 0, FD_VARIANCE_BETA);
    fd_error err;
    assert_int_equal(fd_sampler_clip(sampler, DIM, lo, equal, &err), FD_ERR_VALUE);
    assert_non_null(strstr(err.message, "component 1"));
    assert_int_equal(fd_sampler_clip(sampler, DIM, lo, nan, &err), FD_ERR_VALUE);
    assert_int_equal(sampler->n_bounds, 0);
    fd_sampler_free(sampler);
    fd_schedule_free(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(solvers_have_their_order),
        cmocka_unit_test(order_is_kept_on_karras_grids),
        cmocka_unit_test(clipped_samples_aim_at_the_box),
        cmocka_unit_test(far_walls_do_nothing),
        cmocka_unit_test(impossible_walls_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
