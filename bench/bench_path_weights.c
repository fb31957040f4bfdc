/* Importance weights on the whole reverse path: what does it cost to make samples of an informed network exact by weights alone?
 * States are y_i = x_t/sqrt(abar_t) at noise levels s_1 < ... < s_K, K = `steps`, all of them random; y_1 stands for x0. One step is
 *
 *   p(y_i-1 | y_i) = N(x0_hat + (s_i-1/s_i)^2 (y_i - x0_hat), v_i),   v_i = (s_i^2 - s_i-1^2) (s_i-1/s_i)^2, or without the last factor
 *   q(y_i | y_i-1) = N(y_i-1, s_i^2 - s_i-1^2),                       p(y_K) = N(0, 1 + s_K^2)
 *   ln w_j = ln pi(y_j) h(c(L) | y_j) |dc/dL| + sum_{i > j} ln q(y_i | y_i-1) / p(y_i-1 | y_i) - ln p(y_K)
 *
 * with h = N(c(y), (width s_j)^2 J J^T), c the smooth coordinates of labels and J = dc/dx at y; labels are drawn flat from the
 * window. j = 1 is the weight asked for; larger j tell how much of it levels above s_j have spoilt.
 *
 *   bench_path_weights [--network FILE.h5] [--target NAME] [--samples 4096] [--steps 200] [--broad 1: v_i without the factor]
 *
 * Without a network: its self test, a normal law of deviation 0.5 in 6 dimensions with the exact denoiser, mean weight 1. */
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "diffusion/step_table.h"
#include "flavordiff/files.h"
#include "flavordiff/informant.h"
#include "flavordiff/region.h"
#include "flavordiff/rng.h"
#include "inference/stats.h"
#include "inference/surface.h"

static double bench_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Value of --name N, or the default. */
static long bench_option(int argc, char **argv, const char *name, long otherwise) {
    for (int i = 1; i + 1 < argc; i += 2)
        if (strcmp(argv[i], name) == 0) {
            char *end;
            errno = 0;
            long value = strtol(argv[i + 1], &end, 10);
            if (errno == 0 && *end == 0 && end != argv[i + 1] && value > 0) return value;
            fprintf(stderr, "%s: not a positive number: %s\n", name, argv[i + 1]);
            exit(1);
        }
    return otherwise;
}

enum { WIDTHS = 3, LEVELS = 10, SEED = 5 };
static const double widths[WIDTHS] = {0.5, 1, 2}, level[LEVELS] = {0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5};
static const double toy_deviation = 0.5;

typedef struct problem {
    const fd_denoiser *denoiser;
    const fd_schedule *schedule;
    const fd_model *model; /* NULL: the toy */
    const fd_judge *judge;
    const fd_scaler *params, *labels;
    fd_region window;
    int steps, *tau;
    bool broad;
    long samples;
} problem;

/* Of every sample: ln w at the levels for each width, whether y is a point of the posterior, what each step adds. */
typedef struct outcome {
    double *weight; /* (LEVELS, WIDTHS, samples) */
    bool *inside;   /* (LEVELS, samples) */
    double *added;  /* (steps, samples) */
} outcome;

static void toy_prepare(const fd_denoiser *self, int rows, const float *labels, int shared, void *scratch) {
    (void)self, (void)rows, (void)labels, (void)shared, (void)scratch;
}

static const fd_schedule *toy_schedule;
static void toy_predict(const fd_denoiser *self, int rows, const float *x, int t, float *eps, void *scratch) {
    (void)scratch;
    double signal = sqrt(toy_schedule->alpha_bar[t]), s = fd_schedule_s(toy_schedule, t);
    for (int i = 0; i < rows * self->dim; i++)
        eps[i] = (float)(x[i] / signal * s / (toy_deviation * toy_deviation + s * s));
}

static double normal(double x, double mean, double variance) {
    return -0.5 * ((x - mean) * (x - mean) / variance + log(2 * M_PI * variance));
}

/* ln |dc/dL| but for a constant, labels being flat in log10 dm2, sin^2 theta and delta: with r = dm21/(2|g|), d^3 kappa/|g| =
 * r^2 sin(2 theta12) dr d(2 theta12) dphi and ln |g|, ln r have the determinant dm31/|g|. */
static double label_density(const double *label) {
    double dm21 = pow(10, label[0]), dm31 = pow(10, label[1]), g = dm31 - dm21 / 2, e3 = label[4] * label[4];
    double s23 = label[7] * label[7] / (1 - e3);
    return 3 * log(dm21 / g) + log(dm31 / g) - 0.5 * log(e3 * (1 - e3) * s23 * (1 - s23));
}

/* ln det A and r^T A^-1 r for A = J J^T (n, n), by Cholesky; both are overwritten. */
static void gaussian_parts(int n, double *a, double *r, double *log_det, double *square) {
    *log_det = *square = 0;
    for (int j = 0; j < n; j++) {
        for (int k = 0; k < j; k++) a[j * n + j] -= a[j * n + k] * a[j * n + k];
        a[j * n + j] = sqrt(a[j * n + j]);
        for (int i = j + 1; i < n; i++) {
            for (int k = 0; k < j; k++) a[i * n + j] -= a[i * n + k] * a[j * n + k];
            a[i * n + j] /= a[j * n + j];
        }
        for (int k = 0; k < j; k++) r[j] -= a[j * n + k] * r[k];
        r[j] /= a[j * n + j];
        *log_det += 2 * log(a[j * n + j]);
        *square += r[j] * r[j];
    }
}

/* ln pi(y) h(c(L) | y) |dc/dL| for every width (-inf outside the box); true when y is inside the windows too. */
static bool target_density(const problem *p, const double *y, const double *label, double s, double *density) {
    double theta[64], residual[FD_MAX_LABELS], jacobian[FD_MAX_LABELS * 64], a[FD_MAX_LABELS * FD_MAX_LABELS];
    double observables[FD_MAX_OBSERVABLES], log_det, square;
    int dim = p->denoiser->dim;
    for (int w = 0; w < WIDTHS; w++) density[w] = -INFINITY;
    if (!p->model) {
        double sum = 0;
        for (int j = 0; j < dim; j++) sum += normal(y[j], 0, toy_deviation * toy_deviation + s * s);
        for (int w = 0; w < WIDTHS; w++) density[w] = sum;
        return true;
    }
    for (int j = 0; j < dim; j++) theta[j] = p->params->shift[j] + p->params->scale[j] * y[j];
    if (!p->model->in_prior(p->model, theta)) return false;
    int n = fd_surface_dim(p->model);
    fd_surface_approach(p->model, 1, theta, label, residual, jacobian);
    for (int i = 0; i < n; i++)
        for (int k = 0; k < n; k++) {
            a[i * n + k] = 0;
            for (int j = 0; j < dim; j++)
                a[i * n + k] += jacobian[i * dim + j] * jacobian[k * dim + j] * p->params->scale[j] * p->params->scale[j];
        }
    gaussian_parts(n, a, residual, &log_det, &square);
    if (isnan(log_det + square)) return false;
    for (int w = 0; w < WIDTHS; w++) {
        double v = widths[w] * widths[w] * s * s;
        density[w] = -0.5 * (square / v + log_det + n * log(2 * M_PI * v)) + label_density(label);
    }
    p->model->forward(p->model, 1, theta, NULL, observables);
    return fd_region_holds(p->model, &p->window, observables);
}

/* The level of the list that tau[i] stands for: the nearest kept time not below it; -1: none. */
static int listed(const problem *p, int i) {
    for (int l = 0; l < LEVELS; l++)
        if (fd_schedule_s(p->schedule, p->tau[i]) >= 0.999 * level[l] &&
            (i == 1 || fd_schedule_s(p->schedule, p->tau[i - 1]) < 0.999 * level[l]))
            return l;
    return -1;
}

static void run_tile(const problem *p, long first, int rows, void *scratch, outcome *out) {
    enum { ROWS = 64, DIM = 64 };
    static _Thread_local double y[ROWS * DIM], label[ROWS * FD_MAX_LABELS], sum[ROWS];
    static _Thread_local float x[ROWS * DIM], eps[ROWS * DIM], told[ROWS * FD_MAX_LABELS];
    const fd_denoiser *d = p->denoiser;
    int dim = d->dim, n_labels = d->n_labels;
    fd_rng rng[ROWS];
    for (int r = 0; r < rows; r++) {
        double s = fd_schedule_s(p->schedule, p->tau[p->steps]);
        fd_rng_start(&rng[r], SEED, FD_STREAM_TEST, (uint64_t)(first + r), 0);
        if (p->judge) fd_judge_window_label(p->judge, &rng[r], label + r * n_labels);
        for (int l = 0; l < n_labels; l++)
            told[r * n_labels + l] = (float)((label[r * n_labels + l] - p->labels->shift[l]) / p->labels->scale[l]);
        sum[r] = 0;
        for (int j = 0; j < dim; j++) {
            y[r * dim + j] = sqrt(1 + s * s) * fd_rng_normal(&rng[r]);
            sum[r] -= normal(y[r * dim + j], 0, 1 + s * s);
        }
    }
    d->prepare(d, rows, told, 0, scratch);
    for (int i = p->steps; i >= 1; i--) {
        double s = fd_schedule_s(p->schedule, p->tau[i]), signal = sqrt(p->schedule->alpha_bar[p->tau[i]]);
        int l = listed(p, i);
        for (int r = 0; r < rows && l >= 0; r++) {
            double density[WIDTHS];
            out->inside[l * p->samples + first + r] = target_density(p, y + r * dim, label + r * n_labels, s, density);
            for (int w = 0; w < WIDTHS; w++) out->weight[(l * WIDTHS + w) * p->samples + first + r] = sum[r] + density[w];
        }
        if (i == 1) break;
        double next = fd_schedule_s(p->schedule, p->tau[i - 1]), keep = next * next / (s * s), up = s * s - next * next;
        double v = p->broad ? up : up * keep;
        for (int j = 0; j < rows * dim; j++) x[j] = (float)(signal * y[j]);
        d->predict(d, rows, x, p->tau[i], eps, scratch);
        for (int r = 0; r < rows; r++) {
            double added = 0;
            for (int j = r * dim; j < (r + 1) * dim; j++) {
                double before = y[j], x0 = before - s * eps[j], mean = x0 + keep * (before - x0);
                y[j] = mean + sqrt(v) * fd_rng_normal(&rng[r]);
                added += normal(before, y[j], up) - normal(y[j], mean, v);
            }
            sum[r] += added;
            out->added[(i - 1) * p->samples + first + r] = added;
        }
    }
}

/* Effective sample size (sum w)^2 / sum w^2 of ln w, ln of the mean weight, and the tail's shape; sorts ln w. */
static void print_weights(long n, double *w) {
    double top = -INFINITY, one = 0, two = 0;
    long positive = 0;
    for (long i = 0; i < n; i++) top = fmax(top, w[i]);
    for (long i = 0; i < n; i++) {
        if (!isfinite(w[i])) continue;
        positive++;
        one += exp(w[i] - top);
        two += exp(2 * (w[i] - top));
    }
    double ess = positive ? one * one / two : 0;
    printf("  non-zero %.4f  ESS %8.1f  ESS/N %.5f", (double)positive / (double)n, ess, ess / (double)n);
    printf("  ln mean w %9.3f  k-hat %.2f\n", top + log(one / (double)n), fd_pareto_shape((size_t)n, w));
}

static void report(const problem *p, outcome *out) {
    long n = p->samples;
    double *scratch = malloc(sizeof *scratch * (size_t)n);
    if (!scratch) return;
    for (int l = LEVELS - 1; l >= 0; l--) {
        int at = 0;
        for (int i = 1; i <= p->steps; i++)
            if (listed(p, i) == l) at = i;
        if (!at) continue;
        if (at > 1) { /* half of what lies between the 16 % and 84 % quantiles: samples that went astray make a deviation huge */
            memcpy(scratch, out->added + (at - 1) * n, sizeof *scratch * (size_t)n);
            fd_sort((size_t)n, scratch);
            double spread = 0.5 * (fd_quantile((size_t)n, scratch, 0.84) - fd_quantile((size_t)n, scratch, 0.16));
            printf("s = %.4f: the step from here spreads ln w by %.3f\n", fd_schedule_s(p->schedule, p->tau[at]), spread);
        } else printf("s = %.4f\n", fd_schedule_s(p->schedule, p->tau[at]));
        for (int w = 0; w < (p->model ? WIDTHS : 1); w++)
            for (int exact = 0; exact < (p->model ? 2 : 1); exact++) {
                for (long i = 0; i < n; i++)
                    scratch[i] = exact && !out->inside[l * n + i] ? -INFINITY : out->weight[(l * WIDTHS + w) * n + i];
                printf("  width %.1f s %s", widths[w], exact ? "box, window" : "box        ");
                print_weights(n, scratch);
            }
    }
    free(scratch);
}

static fd_status run(problem *p, fd_error *err) {
    size_t n = (size_t)p->samples;
    outcome out = {calloc(n * LEVELS * WIDTHS, sizeof(double)), calloc(n * LEVELS, sizeof(bool)),
                   calloc(n * (size_t)p->steps, sizeof(double))};
    bool ok = out.weight && out.inside && out.added && p->tau;
    const fd_sampler_spec grid = {.steps = p->steps, .grid = FD_GRID_LOG_SNR};
    if (ok) fd_grid_times(&grid, p->schedule, p->tau);
    double start = bench_now();
#pragma omp parallel if (ok)
    {
        void *scratch = aligned_alloc(64, (p->denoiser->scratch_bytes + 127) / 64 * 64);
#pragma omp for schedule(dynamic)
        for (long first = 0; first < p->samples; first += 64)
            if (ok && scratch) run_tile(p, first, p->samples - first < 64 ? (int)(p->samples - first) : 64, scratch, &out);
        free(scratch);
    }
    printf("N %ld, %d steps, %s variance, %.1f s\n", p->samples, p->steps, p->broad ? "broad" : "posterior", bench_now() - start);
    if (ok) report(p, &out);
    free(out.weight);
    free(out.inside);
    free(out.added);
    return ok ? FD_OK : fd_fail(err, FD_ERR_MEMORY, "out of memory");
}

static fd_status run_network(problem *p, const char *path, const char *target_name, fd_error *err) {
    fd_model_file file = {0};
    fd_model *model = NULL;
    fd_schedule *schedule = NULL;
    fd_judge *judge = NULL;
    fd_denoiser *plain = NULL, *denoiser = NULL;
    fd_informant *informant = NULL;
    fd_target target;
    fd_status status = fd_model_file_read(path, &file, err);
    if (!status && (!file.informed || file.model.ordering != FD_ORDERING_NORMAL))
        status = fd_fail(err, FD_ERR_MISMATCH, "%s: not an informed network of normal ordering", path);
    if (status || (status = fd_model_create(&file.model, &model, err)) || (status = fd_target_load(target_name, &target, err)) ||
        (status = fd_judge_create(model, &target, &judge, err)) || (status = fd_schedule_create(&file.schedule, &schedule, err)))
        goto cleanup;
    if (file.ema && file.use_ema) memcpy(file.network->weights, file.ema, file.network->n_weights * sizeof(float));
    if ((status = fd_network_denoiser(file.network, schedule, FD_FLOAT32, &plain, err)) ||
        (status = fd_model_informant(model, &file.params, &file.labels, schedule, &file.told, &informant, err)) ||
        (status = fd_informed_denoiser(plain, informant, schedule, &denoiser, err)))
        goto cleanup;
    fd_judge_region(judge, 1, &p->window);
    p->denoiser = denoiser, p->schedule = schedule, p->model = model, p->judge = judge;
    p->params = &file.params, p->labels = &file.labels;
    status = run(p, err);
cleanup:
    fd_denoiser_free(denoiser);
    fd_denoiser_free(plain);
    fd_informant_free(informant);
    fd_judge_free(judge);
    fd_schedule_free(schedule);
    fd_model_free(model);
    fd_model_file_clear(&file);
    return status;
}

static fd_status run_toy(problem *p, fd_error *err) {
    const fd_schedule_spec spec = {.kind = FD_SCHEDULE_LOG_SNR, .steps = 1000, .s_min = 0.002, .s_max = 40};
    const fd_denoiser denoiser = {.dim = 6, .max_rows = 64, .prepare = toy_prepare, .predict = toy_predict};
    fd_schedule *schedule = NULL;
    fd_status status = fd_schedule_create(&spec, &schedule, err);
    toy_schedule = p->schedule = schedule;
    p->denoiser = &denoiser;
    if (!status) status = run(p, err);
    fd_schedule_free(schedule);
    return status;
}

static const char *text_option(int argc, char **argv, const char *name, const char *otherwise) {
    for (int i = 1; i + 1 < argc; i += 2)
        if (strcmp(argv[i], name) == 0) return argv[i + 1];
    return otherwise;
}

int main(int argc, char **argv) {
    problem p = {.samples = bench_option(argc, argv, "--samples", 4096), .steps = (int)bench_option(argc, argv, "--steps", 200)};
    const char *network = text_option(argc, argv, "--network", NULL);
    fd_error err = {0};
    p.broad = bench_option(argc, argv, "--broad", 2) == 1;
    if (p.steps < 2 || p.steps > 1000) return fprintf(stderr, "bench_path_weights: --steps: 2 to 1000\n"), 1;
    p.tau = calloc((size_t)p.steps + 1, sizeof *p.tau);
    fd_status status =
        network ? run_network(&p, network, text_option(argc, argv, "--target", "paper-table1-no"), &err) : run_toy(&p, &err);
    if (status) fprintf(stderr, "bench_path_weights: %s\n", err.message);
    free(p.tau);
    return status != FD_OK;
}
