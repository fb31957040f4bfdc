/* The network: its shape, its reference against finite differences, and the float32 denoiser against the reference. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "flavordiff/rng.h"
#include "flavordiff/sampler.h"
#include "kernels/kernels.h"

static double *random_doubles(size_t n, double scale, uint64_t item) {
    fd_rng rng;
    double *x = malloc(n * sizeof *x);
    assert_non_null(x);
    fd_rng_start(&rng, 7, FD_STREAM_TEST, item, 0);
    for (size_t i = 0; i < n; i++) x[i] = scale * fd_rng_normal(&rng);
    return x;
}

static fd_network *make(const fd_network_spec *spec) {
    fd_network *network;
    assert_int_equal(fd_network_create(spec, &network, NULL), FD_OK);
    fd_network_initialise(network, 11);
    return network;
}

/* Odd sizes everywhere. */
static fd_network_spec odd_spec(fd_activation a, fd_activation b, fd_activation c) {
    return (fd_network_spec){.dim = 5, .n_labels = 3, .n_hidden = 3, .widths = {7, 33, 6}, .activations = {a, b, c}};
}

/* The same told something: further inputs of the first layer. */
static fd_network_spec told_spec(fd_activation a, fd_activation b, fd_activation c) {
    fd_network_spec spec = odd_spec(a, b, c);
    spec.n_features = 6;
    return spec;
}

static void shapes(void **state) {
    (void)state;
    fd_network_spec spec;
    fd_network_spec_paper(&spec, 23, 11);
    fd_network *network = make(&spec);
    int n_in, n_out;
    size_t weight, bias;
    fd_network_layer(&spec, 3, &n_in, &n_out, &weight, &bias);
    assert_int_equal(n_in, 256 + 12);
    assert_int_equal(n_out, 512);
    assert_int_equal(bias - weight, 268 * 512);
    assert_int_equal(network->n_weights, 365611); /* PyTorch: sum(p.numel() for p in net.parameters()) */
    fd_network_layer(&spec, 7, &n_in, &n_out, &weight, &bias);
    assert_int_equal(bias + 23, network->n_weights);
    fd_network_free(network);
    spec = told_spec(FD_SELU, FD_SELU, FD_TANH);
    network = make(&spec);
    fd_network_layer(&spec, 0, &n_in, &n_out, &weight, &bias);
    assert_true(n_in == 5 + 6 + 3 + 1 && n_out == 7);
    fd_network_layer(&spec, 1, &n_in, &n_out, &weight, &bias);
    assert_int_equal(n_in, 7 + 3 + 1);
    assert_int_equal(network->n_weights, 7 * 16 + 33 * 12 + 6 * 38 + 5 * 11);
    fd_network_free(network);
    fd_network_free(NULL);
}

static void impossible_specs(void **state) {
    (void)state;
    fd_network_spec good = odd_spec(FD_SELU, FD_SELU, FD_TANH), bad[6];
    for (int i = 0; i < 6; i++) bad[i] = good;
    bad[0].dim = 0;
    bad[1].n_hidden = 0;
    bad[2].n_hidden = FD_MAX_HIDDEN + 1;
    bad[3].widths[1] = FD_MAX_WIDTH + 1;
    bad[4].n_labels = -1;
    bad[5].n_features = -1;
    for (int i = 0; i < 6; i++) {
        fd_network *network = (fd_network *)&good;
        fd_error err = {0};
        assert_int_equal(fd_network_create(&bad[i], &network, &err), FD_ERR_CONFIG);
        assert_null(network);
        assert_true(strlen(err.message) > 0);
    }
}

/* U(-b, b) with b = 1/sqrt(fan_in), layer by layer: inside, nearly reaching the ends, mean and variance. */
static void initial_weights(void **state) {
    (void)state;
    fd_network_spec spec;
    fd_network_spec_paper(&spec, 23, 11);
    fd_network *network = make(&spec);
    for (int layer = 0; layer <= spec.n_hidden; layer++) {
        int n_in, n_out;
        size_t weight, bias;
        fd_network_layer(&spec, layer, &n_in, &n_out, &weight, &bias);
        double bound = 1 / sqrt(n_in), sum = 0, square = 0, largest = 0, n = (double)(bias - weight) + n_out;
        for (size_t i = weight; i < bias + (size_t)n_out; i++) {
            double u = network->weights[i] / bound;
            sum += u;
            square += u * u;
            largest = fmax(largest, fabs(u));
        }
        assert_true(largest <= 1 + 1e-6 && largest > 1 - 20 / n);
        assert_true(fabs(sum / n) < 5 * sqrt(1 / (3 * n)));
        assert_true(fabs(square / n - 1.0 / 3) < 5 * sqrt(4.0 / (45 * n)));
    }
    fd_network_free(network);
}

/* Central differences of E in double: error h^2 E'''/6 + rounding / h, best near h = 1e-5. */
static void gradient_of(const fd_network_spec *spec, bool drop, uint64_t item) {
    fd_network *network = make(spec);
    size_t n = network->n_weights;
    double *w = malloc(n * sizeof *w), *g = calloc(n, sizeof *g), *scratch = calloc(n, sizeof *scratch);
    double *x = random_doubles((size_t)(spec->dim + spec->n_features), 1, item);
    double *target = random_doubles((size_t)spec->dim, 1, item + 1);
    double *label = random_doubles((size_t)spec->n_labels, 1, item + 2), worst = 0, h = 1e-5;
    size_t where = 0;
    for (size_t i = 0; i < n; i++) w[i] = 2 * network->weights[i];
    const double *l = drop ? NULL : label;
    double loss = fd_reference_backward(spec, w, x, l, 0.37, target, 3, g), eps[64], direct = 0;
    fd_reference_forward(spec, w, x, l, 0.37, eps);
    for (int i = 0; i < spec->dim; i++) direct += (eps[i] - target[i]) * (eps[i] - target[i]) / spec->dim;
    assert_true(fabs(direct - loss) < 1e-14 * (1 + loss));
    for (size_t i = 0; i < n; i++) {
        double keep = w[i];
        w[i] = keep + h;
        double up = fd_reference_backward(spec, w, x, l, 0.37, target, 0, scratch);
        w[i] = keep - h;
        double down = fd_reference_backward(spec, w, x, l, 0.37, target, 0, scratch);
        w[i] = keep;
        double error = fabs(3 * (up - down) / (2 * h) - g[i]);
        if (error > worst) worst = error, where = i;
    }
    if (worst > 1e-8) fail_msg("gradient of weight %zu: off by %g (is %g)", where, worst, g[where]);
    free(w), free(g), free(scratch), free(x), free(target), free(label);
    fd_network_free(network);
}

static void gradients(void **state) {
    (void)state;
    const fd_activation acts[] = {FD_SELU, FD_TANH, FD_SILU, FD_IDENTITY};
    for (int i = 0; i < 4; i++) {
        fd_network_spec spec = odd_spec(acts[i], acts[(i + 1) % 4], acts[(i + 2) % 4]);
        gradient_of(&spec, false, (uint64_t)(100 + 10 * i));
        gradient_of(&spec, true, (uint64_t)(100 + 10 * i));
        spec = told_spec(acts[i], acts[(i + 1) % 4], acts[(i + 2) % 4]);
        gradient_of(&spec, false, (uint64_t)(150 + 10 * i));
    }
    fd_network_spec paper; /* Table 2 in small: every layer, the paper's activations */
    fd_network_spec_paper(&paper, 6, 2);
    for (int i = 0; i < paper.n_hidden; i++) paper.widths[i] /= 32;
    gradient_of(&paper, false, 200);
}

/* eps of the float32 denoiser against the reference: 1e-5 of the largest component is some 80 units of float32, for
 * eight layers of sums of up to 512 terms. */
static void denoise(const fd_network_spec *spec, int rows, int mode) {
    fd_schedule_spec schedule_spec;
    fd_schedule_spec_paper(&schedule_spec);
    fd_schedule *schedule;
    fd_denoiser *denoiser;
    assert_int_equal(fd_schedule_create(&schedule_spec, &schedule, NULL), FD_OK);
    fd_network *network = make(spec);
    assert_int_equal(fd_network_denoiser(network, schedule, FD_FLOAT32, &denoiser, NULL), FD_OK);
    fd_schedule_free(schedule);
    size_t dim = (size_t)spec->dim, nl = (size_t)spec->n_labels, r = (size_t)rows, n = network->n_weights;
    size_t in = dim + (size_t)spec->n_features;
    double *w = malloc(n * sizeof *w), *x = random_doubles(r * in, 1, 1), *l = random_doubles(r * nl, 1, 2), eps[64];
    float *xf = malloc(r * in * sizeof *xf), *lf = malloc(r * nl * sizeof *lf),
          *out = malloc((r * dim + 8) * sizeof *out);
    void *scratch = aligned_alloc(64, denoiser->scratch_bytes);
    memset(scratch, 0xff, denoiser->scratch_bytes); /* NaN everywhere */
    for (size_t i = 0; i < n; i++) w[i] = network->weights[i];
    for (size_t i = 0; i < r * in; i++) x[i] = xf[i] = (float)x[i];
    for (size_t i = 0; i < r * nl; i++) l[i] = lf[i] = (float)l[i];
    fd_network_free(network); /* the denoiser has its own copy */
    for (int i = 0; i < 8; i++) out[r * dim + (size_t)i] = 123;
    denoiser->prepare(denoiser, rows, mode == 0 ? NULL : lf, mode == 1, scratch);
    for (int t = 1; t <= 1000; t += 333) {
        denoiser->predict(denoiser, rows, xf, t, out, scratch);
        for (size_t i = 0; i < r; i++) {
            const double *label = mode == 0 ? NULL : mode == 1 ? l : l + i * nl;
            fd_reference_forward(spec, w, x + i * in, label, t / 1000.0, eps);
            double largest = 0;
            for (size_t j = 0; j < dim; j++) largest = fmax(largest, fabs(eps[j]));
            for (size_t j = 0; j < dim; j++)
                if (!(fabs(out[i * dim + j] - eps[j]) <= 1e-5 * largest))
                    fail_msg("%s, %d rows, mode %d, t %d, sample %zu: eps[%zu] = %.9g, reference %.9g",
                             fd_kernels_get()->name, rows, mode, t, i, j, (double)out[i * dim + j], eps[j]);
        }
    }
    for (int i = 0; i < 8; i++) assert_true(out[r * dim + (size_t)i] == 123);
    free(w), free(x), free(l), free(xf), free(lf), free(out), free(scratch);
    fd_denoiser_free(denoiser);
}

static void denoiser_equals_reference(void **state) {
    (void)state;
    static const int rows[] = {1, 2, 15, 16, 17, 31, 33, 63, 64};
    fd_network_spec paper, odd = odd_spec(FD_SILU, FD_TANH, FD_SELU), told = told_spec(FD_SILU, FD_TANH, FD_SELU);
    fd_network_spec_paper(&paper, 23, 11);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int mode = 0; mode < 3; mode++) {
            denoise(&odd, rows[i], mode);
            denoise(&told, rows[i], mode);
            if (i % 4 == 0) denoise(&paper, rows[i], mode);
        }
}

/* Weights -1, 0, 1 and identities: every number is a whole one of at most 8 bits, which bfloat16 holds, and so nothing is
 * rounded and the denoiser equals the reference to the last bit, whatever its order of sums. Widths, inputs and labels are no
 * multiples of anything. */
static void bf16_is_exact_where_nothing_rounds(void **state) {
    (void)state;
    enum { ROWS = 49, DIM = 7, FEATURES = 29, IN = DIM + FEATURES, LABELS = 3 };
    fd_network_spec spec = {.dim = DIM, .n_features = FEATURES, .n_labels = LABELS, .n_hidden = 3, .widths = {45, 70, 33}};
    fd_schedule_spec schedule_spec;
    fd_schedule_spec_paper(&schedule_spec);
    fd_schedule *schedule;
    fd_network *network = make(&spec);
    fd_denoiser *denoiser;
    assert_int_equal(fd_schedule_create(&schedule_spec, &schedule, NULL), FD_OK);
    double *w = calloc(network->n_weights, sizeof *w), l[ROWS * LABELS], x[ROWS * IN];
    for (int i = 0; i <= spec.n_hidden; i++) { /* three inputs and 1 to a unit: at most 202 from inputs of 2 */
        int n_in, n_out;
        size_t weight, bias;
        fd_network_layer(&spec, i, &n_in, &n_out, &weight, &bias);
        for (int j = 0; j < n_out; j++) w[bias + (size_t)j] = j % 3 - 1;
        for (int j = 0; j < n_out; j++)
            for (int q = 0; q < 3; q++)
                w[weight + (size_t)(j * n_in + (7 * j + 11 * q + i) % (q < 2 ? n_in - 4 : n_in))] = (j + q) % 3 ? 1 : -1;
    }
    for (size_t i = 0; i < network->n_weights; i++) network->weights[i] = (float)w[i];
    for (int i = 0; i < ROWS * IN; i++) x[i] = i * 5 % 13 % 5 - 2;
    for (int i = 0; i < ROWS * LABELS; i++) l[i] = i * 3 % 7 % 3 - 1;
    assert_int_equal(fd_network_denoiser(network, schedule, FD_BF16, &denoiser, NULL), FD_OK);
    float xf[ROWS * IN], lf[ROWS * LABELS], out[ROWS * DIM];
    for (int i = 0; i < ROWS * IN; i++) xf[i] = (float)x[i];
    for (int i = 0; i < ROWS * LABELS; i++) lf[i] = (float)l[i];
    void *scratch = aligned_alloc(64, denoiser->scratch_bytes);
    memset(scratch, 0xff, denoiser->scratch_bytes); /* NaN everywhere */
    for (int mode = 0; mode < 3; mode++) {
        double largest = 0, eps[DIM];
        denoiser->prepare(denoiser, ROWS, mode ? lf : NULL, mode == 1, scratch);
        denoiser->predict(denoiser, ROWS, xf, 1000, out, scratch);
        for (int i = 0; i < ROWS; i++) {
            fd_reference_forward(&spec, w, x + i * IN, mode == 0 ? NULL : mode == 1 ? l : l + i * LABELS, 1, eps);
            for (int j = 0; j < DIM; j++) {
                if (out[i * DIM + j] != eps[j])
                    fail_msg("%s mode %d: eps[%d,%d] = %.9g, reference %.9g", fd_kernels_get()->name, mode, i, j,
                             (double)out[i * DIM + j], eps[j]);
                largest = fmax(largest, fabs(eps[j]));
            }
        }
        assert_true(largest >= 8); /* not all zeros */
    }
    free(w), free(scratch);
    fd_denoiser_free(denoiser), fd_network_free(network), fd_schedule_free(schedule);
}

/* A weight between two bfloat16, 1 + q 2^-10 with q of 0..8, is neither at any step and right in the mean over all of them. */
static void bf16_weights_are_right_in_the_mean(void **state) {
    (void)state;
    enum { DIM = 9, STEPS = 1000 };
    fd_network_spec spec = {.dim = DIM, .n_labels = 1, .n_hidden = 1, .widths = {DIM}};
    fd_schedule_spec schedule_spec;
    fd_schedule_spec_paper(&schedule_spec);
    fd_schedule *schedule;
    fd_network *network = make(&spec);
    fd_denoiser *denoiser;
    float x[DIM], eps[DIM];
    double mean[DIM] = {0};
    assert_int_equal(fd_schedule_create(&schedule_spec, &schedule, NULL), FD_OK);
    memset(network->weights, 0, network->n_weights * sizeof *network->weights);
    for (int i = 0; i < 2; i++) {
        int n_in, n_out;
        size_t weight, bias;
        fd_network_layer(&spec, i, &n_in, &n_out, &weight, &bias);
        for (int j = 0; j < DIM; j++) network->weights[weight + (size_t)(j * n_in + j)] = i ? 1 : (float)(1 + j * 0x1p-10);
    }
    assert_int_equal(fd_network_denoiser(network, schedule, FD_BF16, &denoiser, NULL), FD_OK);
    void *scratch = aligned_alloc(64, denoiser->scratch_bytes);
    for (int j = 0; j < DIM; j++) x[j] = j % 2 ? -1 : 1;
    denoiser->prepare(denoiser, 1, NULL, 0, scratch);
    for (int t = 1; t <= STEPS; t++) {
        denoiser->predict(denoiser, 1, x, t, eps, scratch);
        for (int j = 0; j < DIM; j++) {
            double weight = (double)(eps[j] * x[j]);
            assert_true(weight == 1 || weight == 1 + 0x1p-7);
            mean[j] += weight / STEPS;
        }
    }
    for (int j = 0; j < DIM; j++) assert_true(fabs(mean[j] - (1 + j * 0x1p-10)) <= 0.02 * 0x1p-7);
    free(scratch);
    fd_denoiser_free(denoiser), fd_network_free(network), fd_schedule_free(schedule);
}

/* The paper's network: 16 roundings by at most 2^-8 each lie one behind the other, of weights and of activations; as
 * independent errors they come to 1.6 %, and 5 % of the largest component is three times that. */
static void bf16_is_near(void **state) {
    (void)state;
    enum { ROWS = 64, DIM = 23, LABELS = 11 };
    fd_network_spec spec;
    fd_network_spec_paper(&spec, DIM, LABELS);
    fd_schedule_spec schedule_spec;
    fd_schedule_spec_paper(&schedule_spec);
    fd_schedule *schedule;
    fd_network *network = make(&spec);
    fd_denoiser *both[2];
    float out[2][ROWS * DIM], xf[ROWS * DIM], lf[LABELS];
    double *x = random_doubles(ROWS * DIM, 1, 1), *l = random_doubles(LABELS, 1, 2), worst = 0, squares = 0;
    for (int i = 0; i < ROWS * DIM; i++) xf[i] = (float)x[i];
    for (int i = 0; i < LABELS; i++) lf[i] = (float)l[i];
    assert_int_equal(fd_schedule_create(&schedule_spec, &schedule, NULL), FD_OK);
    for (int p = 0; p < 2; p++) {
        assert_int_equal(fd_network_denoiser(network, schedule, p ? FD_BF16 : FD_FLOAT32, &both[p], NULL), FD_OK);
        void *scratch = aligned_alloc(64, both[p]->scratch_bytes);
        both[p]->prepare(both[p], ROWS, lf, 1, scratch);
        both[p]->predict(both[p], ROWS, xf, 500, out[p], scratch);
        free(scratch);
        fd_denoiser_free(both[p]);
    }
    float largest = 0;
    for (int i = 0; i < ROWS * DIM; i++) {
        largest = fmaxf(largest, fabsf(out[0][i]));
        double off = fabs((double)out[1][i] - (double)out[0][i]);
        if (!(off <= worst)) worst = off;
        squares += off * off / (ROWS * DIM);
    }
    printf("bf16: off by at most %.2g, root mean square %.2g, of the largest component\n", worst / (double)largest,
           sqrt(squares) / (double)largest);
    assert_true(worst <= 0.05 * (double)largest);
    assert_true(worst > 0); /* it was not float32 */
    free(x), free(l);
    fd_network_free(network), fd_schedule_free(schedule);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes),    cmocka_unit_test(impossible_specs),          cmocka_unit_test(initial_weights),
        cmocka_unit_test(gradients), cmocka_unit_test(denoiser_equals_reference),
        cmocka_unit_test(bf16_is_exact_where_nothing_rounds), cmocka_unit_test(bf16_weights_are_right_in_the_mean), cmocka_unit_test(bf16_is_near),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
