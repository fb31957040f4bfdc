/* Every kernel of every table this machine has, against double. Bounds are derived where they are stated; a failure
 * prints the worst element. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "flavordiff/machine.h"
#include "flavordiff/rng.h"
#include "kernels/kernels.h"

static const char *const names[] = {"portable", "avx2", "avx512"}; /* those above differ in bf16 alone */
enum { TABLES = 3, GUARD = 40 };
static const double unit = 0x1p-24; /* unit roundoff of float */

static float *numbers(size_t n, uint64_t item) {
    fd_rng rng;
    float *x = malloc((n + 1) * sizeof *x);
    assert_non_null(x);
    fd_rng_start(&rng, 3, FD_STREAM_TEST, item, 0);
    for (size_t i = 0; i < n; i++) x[i] = (float)(4 * fd_rng_uniform(&rng) - 2);
    return x;
}

static double act(fd_activation a, double z) {
    const double scale = 1.0507009873554804934193349852946, alpha = 1.6732632423543772848170429916717;
    switch (a) {
    case FD_SELU: return scale * (z > 0 ? z : alpha * expm1(z));
    case FD_TANH: return tanh(z);
    case FD_SILU: return z / (1 + exp(-z));
    default: return z;
    }
}

static double slope(fd_activation a, double y) { /* as the kernels: of the output, of the input for SiLU */
    const double scale = 1.0507009873554804934193349852946, alpha = 1.6732632423543772848170429916717;
    double s = 1 / (1 + exp(-y));
    switch (a) {
    case FD_SELU: return y > 0 ? scale : y + scale * alpha;
    case FD_TANH: return 1 - y * y;
    case FD_SILU: return s * (1 + y * (1 - s));
    default: return 1;
    }
}

typedef struct shape {
    int m, n, k;
    int a_by_columns, b_packed, bias, row_bias, gate, offset;
    fd_activation act;
} shape;

static size_t at(int row, ptrdiff_t stride, int column) { return (size_t)(row * stride + column); }

/* Bound of element (i, j): a sum of K products and two biases in any order of roundings is off by at most
 * gamma_{K+2} (sum |a b| + |bias| + |row bias|); the activations have slopes of at most 1.7581 (SELU at 0-), and add 4
 * ulp of their own; a gate multiplies by a slope itself known to 8 ulp of its largest value. */
static void one_product(const fd_kernels *k, const shape *s, uint64_t item) {
    int padded = FD_PANEL_UP(s->n);
    ptrdiff_t a_row = s->a_by_columns ? 1 : s->k + 3, a_col = s->a_by_columns ? s->m + 5 : 1;
    ptrdiff_t b_row = s->b_packed ? FD_PANEL : padded + 7,
              b_panel = s->b_packed ? (ptrdiff_t)FD_PANEL * s->k : FD_PANEL;
    ptrdiff_t c_row = padded + 16 + s->offset;
    size_t a_size = (size_t)(s->a_by_columns ? s->k * a_col : s->m * a_row), c_size = at(s->m, c_row, 0);
    size_t b_size = s->b_packed ? (size_t)(padded * s->k) : at(s->k, b_row, 0);
    float *a = numbers(a_size + 1, item), *b = numbers(b_size + 1, item + 1), *bias = numbers((size_t)padded, item + 2);
    float *row_bias = numbers(c_size, item + 3), *gate = numbers(c_size, item + 4);
    float *memory = malloc((c_size + 2 * GUARD + 1) * sizeof *memory), *c = memory + GUARD + s->offset;
    a += s->offset, b += s->offset; /* unaligned on purpose */
    /* Poison: what A does not own, the unused columns of B (they may only reach unused columns of C), and C. */
    for (int i = 0; i < s->m && !s->a_by_columns; i++)
        for (int q = 0; q < 3; q++) a[at(i, a_row, s->k + q)] = NAN;
    for (int q = 0; q < s->k; q++)
        for (int j = s->n; j < padded; j++) b[(j / 32) * b_panel + q * b_row + j % 32] = NAN;
    for (size_t i = 0; i < c_size + 2 * GUARD + 1; i++) memory[i] = 12345.0f;
    fd_gemm g = {.m = s->m,
                 .n = s->n,
                 .k = s->k,
                 .a = a,
                 .a_row = a_row,
                 .a_col = a_col,
                 .b = b,
                 .b_row = b_row,
                 .b_panel = b_panel,
                 .c = c,
                 .c_row = c_row,
                 .bias = s->bias ? bias : NULL,
                 .row_bias = s->row_bias ? row_bias : NULL,
                 .row_bias_row = c_row,
                 .act = s->gate ? FD_IDENTITY : s->act,
                 .gate = s->gate ? gate : NULL,
                 .gate_row = c_row,
                 .gate_act = s->act};
    k->gemm(&g);
    double worst = 0;
    int wi = 0, wj = 0;
    for (int i = 0; i < s->m; i++)
        for (int j = 0; j < s->n; j++) {
            double sum = 0, size = 0;
            for (int q = 0; q < s->k; q++) {
                double p = (double)a[i * a_row + q * a_col] * b[(j / 32) * b_panel + q * b_row + j % 32];
                sum += p;
                size += fabs(p);
            }
            if (s->bias) sum += bias[j], size += fabs((double)bias[j]);
            if (s->row_bias) sum += row_bias[at(i, c_row, j)], size += fabs((double)row_bias[at(i, c_row, j)]);
            double gamma = (s->k + 2) * unit / (1 - (s->k + 2) * unit), want, bound;
            if (s->gate) {
                double d = slope(s->act, gate[at(i, c_row, j)]);
                want = sum * d;
                bound = gamma * size * fabs(d) + fabs(sum) * 8 * 5 * 2 * unit;
            } else {
                want = act(s->act, sum);
                bound = 1.7581 * gamma * size + 8 * unit * fabs(want);
            }
            double excess = fabs(c[at(i, c_row, j)] - want) / bound;
            if (!(excess <= worst)) worst = excess, wi = i, wj = j;
        }
    if (!(worst <= 1))
        fail_msg("%s gemm m %d n %d k %d %s: C[%d,%d] is off by %g of the bound", k->name, s->m, s->n, s->k,
                 fd_activation_name(s->act), wi, wj, worst);
    for (ptrdiff_t i = -GUARD - s->offset; i < 0; i++) assert_true(c[i] == 12345.0f);
    for (int i = 0; i < s->m; i++)
        for (ptrdiff_t j = padded; j < c_row; j++) assert_true(c[i * c_row + j] == 12345.0f);
    for (size_t i = c_size; i < c_size + GUARD - 1; i++) assert_true(c[i] == 12345.0f);
    free(a - s->offset), free(b - s->offset), free(bias), free(row_bias), free(gate), free(memory);
}

static void products(void **state) {
    (void)state;
    static const int ms[] = {1, 2, 3, 5, 6, 7, 12, 13, 14, 15, 16, 17, 29, 31, 32, 33, 63, 64, 65};
    static const int ns[] = {1, 11, 23, 31, 32, 33, 64, 70}, ks[] = {1, 2, 7, 23, 64, 141, 524};
    for (int t = 0; t < TABLES; t++) {
        const fd_kernels *k = fd_kernels_named(names[t]);
        if (!k) continue;
        unsigned variant = 0;
        for (size_t m = 0; m < sizeof ms / sizeof *ms; m++)
            for (size_t n = 0; n < sizeof ns / sizeof *ns; n++)
                for (size_t q = 0; q < sizeof ks / sizeof *ks; q++) {
                    variant = variant * 1664525u + 1013904223u;
                    unsigned v = variant >> 16;
                    shape s = {ms[m],      ns[n],      ks[q],      v & 1,        v >> 1 & 1,
                               v >> 2 & 1, v >> 3 & 1, v >> 4 & 1, (v >> 5) % 2, (fd_activation)(v >> 6 & 3)};
                    one_product(k, &s, variant);
                }
    }
}

/* Distance in units of the last place of float, the result's own. */
static double ulps(double got, double want) {
    double size = fabs(want);
    if (size < 0x1p-126) size = 0x1p-126;
    return fabs(got - want) / ldexp(1, ilogb(size) - 23);
}

static void activations(void **state) {
    (void)state;
    enum { N = 400003 };
    float *x = malloc(N * sizeof *x), *y = malloc((N + 1) * sizeof *y);
    /* Dense near zero and out to where everything saturates. */
    for (int i = 0; i < N; i++) x[i] = (float)((i % 2 ? -1 : 1) * pow(10, -9 + 10.93 * (double)i / N));
    for (int t = 0; t < TABLES; t++) {
        const fd_kernels *k = fd_kernels_named(names[t]);
        if (!k) continue;
        for (fd_activation a = FD_IDENTITY; a <= FD_SILU; a++) {
            double worst = 0;
            int where = 0;
            y[N] = 5;
            k->activate(a, N, x, y);
            assert_true(y[N] == 5);
            for (int i = 0; i < N; i++) {
                if (a == FD_SILU && x[i] < -80) continue; /* below: SiLU ends in denormals, checked absolutely */
                double e = ulps(y[i], act(a, x[i]));
                if (!(e <= worst)) worst = e, where = i;
            }
            if (!(worst <= 4))
                fail_msg("%s %s(%.9g) = %.9g, off by %.3g ulp", k->name, fd_activation_name(a), (double)x[where],
                         (double)y[where], worst);
            for (int i = 0; i < N; i++) assert_true(fabs(y[i] - act(a, x[i])) <= 1e-6 * fmax(1, fabs((double)x[i])));
            float special[5] = {NAN, INFINITY, -INFINITY, 0, -0.0f}, out[5];
            k->activate(a, 5, special, out);
            assert_true(isnan(out[0]));
            assert_true(out[3] == 0 && out[4] == 0);
            if (a == FD_TANH) assert_true(out[1] == 1 && out[2] == -1);
            if (a == FD_SELU) assert_true(isinf(out[1]) && fabs((double)out[2] + 1.7580993) < 1e-6);
        }
    }
    free(x), free(y);
}

static void transposition(void **state) {
    (void)state;
    for (int t = 0; t < TABLES; t++) {
        const fd_kernels *k = fd_kernels_named(names[t]);
        if (!k) continue;
        for (int rows = 1; rows <= 37; rows += 4 - (rows & 1))
            for (int cols = 1; cols <= 67; cols += 3) {
                enum { IN = 70, OUT = 41 };
                float *in = numbers(37 * IN, 1), *out = numbers(67 * OUT, 2), *before = numbers(67 * OUT, 2);
                k->transpose(rows, cols, in, IN, out, OUT);
                for (int j = 0; j < 67; j++)
                    for (int i = 0; i < OUT; i++) {
                        int inside = j < cols && i < rows;
                        assert_true(out[j * OUT + i] == (inside ? in[i * IN + j] : before[j * OUT + i]));
                    }
                free(in), free(out), free(before);
            }
    }
}

/* Five updates against double, moments restarted from the float ones so that only one step's rounding counts. */
static void adam_steps(void **state) {
    (void)state;
    const double beta1 = 0.9, beta2 = 0.999, decay = 0.99;
    const fd_adam a = {(float)(1 - beta1), (float)beta2, (float)(1 - beta2), 1e-3f, 1.7f, 1e-8f, (float)(1 - decay)};
    for (int t = 0; t < TABLES; t++) {
        const fd_kernels *k = fd_kernels_named(names[t]);
        if (!k) continue;
        for (size_t n = 1; n < 70; n += 3) {
            float *w = numbers(n + 1, 1), *m = numbers(n + 1, 2), *v = numbers(n + 1, 3), *e = numbers(n + 1, 4),
                  *g = numbers(n, 5);
            float *w0 = numbers(n, 1), *m0 = numbers(n, 2), *e0 = numbers(n, 4), *v0 = malloc((n + 1) * sizeof *v0);
            for (size_t i = 0; i <= n; i++) v[i] = fabsf(v[i]);
            memcpy(v0, v, (n + 1) * sizeof *v);
            w[n] = m[n] = v[n] = e[n] = 77;
            k->adam(&a, n, w, m, v, n % 2 ? e : NULL, g);
            for (size_t i = 0; i < n; i++) {
                double gi = g[i], mi = m0[i] + (1 - beta1) * (gi - m0[i]);
                double vi = beta2 * v0[i] + (1 - beta2) * gi * gi;
                double wi = w0[i] - (double)a.step * mi / (sqrt(vi) * (double)a.inv_sqrt_correction2 + (double)a.eps);
                double ei = n % 2 ? e0[i] + (1 - decay) * (wi - e0[i]) : e0[i];
                assert_true(fabs(m[i] - mi) <= 1e-6 && fabs(v[i] - vi) <= 6 * unit * vi);
                assert_true(fabs(w[i] - wi) <= 2 * unit * (fabs(wi) + 1e-3) && fabs(e[i] - ei) <= 1e-6);
            }
            assert_true(w[n] == 77 && m[n] == 77 && v[n] == 77 && e[n] == 77);
            free(w), free(m), free(v), free(e), free(g), free(w0), free(m0), free(e0), free(v0);
        }
    }
}

/* The normals are Box-Muller of the very words fd_rng hands out. Radius and angle are each good to a few units, so z
 * is good to about 4e-7 of the radius (which is at most 6.77). */
static void normals_from_words(void **state) {
    (void)state;
    static const int lengths[] = {1, 2, 3, 4, 5, 21, 23, 24};
    const uint64_t first = 0xfffffffau; /* the low word of the item overflows within the call */
    for (int t = 0; t < TABLES; t++) {
        const fd_kernels *k = fd_kernels_named(names[t]);
        if (!k) continue;
        for (size_t q = 0; q < sizeof lengths / sizeof *lengths; q++)
            for (int items = 1; items <= 65; items += 4) {
                int n = lengths[q], ld = n + 2;
                float *z = numbers((size_t)(items * ld + 8), 9), *before = numbers((size_t)(items * ld + 8), 9);
                uint32_t key[2];
                fd_rng_key(42, FD_STREAM_TEST, key);
                k->normals(key, first, 17, items, n, z, ld);
                for (int i = 0; i < items; i++) {
                    fd_rng rng;
                    fd_rng_start(&rng, 42, FD_STREAM_TEST, first + (uint64_t)i, 17);
                    double radius = 0, angle = 0;
                    for (int j = 0; j < ld; j++) {
                        if (j % 2 == 0 && j < n) {
                            uint32_t u = fd_rng_u32(&rng), v = fd_rng_u32(&rng);
                            radius = sqrt(-2 * log(fmin(1, (u + 0.5) * 0x1p-32)));
                            angle = 6.283185307179586476925 * (v * 0x1p-32);
                        }
                        double want = j >= n ? before[i * ld + j] : radius * (j % 2 ? sin(angle) : cos(angle));
                        /* near u = 1 the radius is that of u rounded to 24 bits */
                        double bound = j >= n ? 0 : 4e-7 * fmax(1, radius) + (radius < 0.02 ? 3e-4 : 1.2e-7 / radius);
                        if (!(fabs(z[i * ld + j] - want) <= bound))
                            fail_msg("%s item %d of %d, normal %d of %d: %.9g, want %.9g", k->name, i, items, j, n,
                                     (double)z[i * ld + j], want);
                    }
                }
                for (int i = items * ld; i < items * ld + 8; i++) assert_true(z[i] == before[i]);
                free(z), free(before);
            }
    }
}

/* Moments within five standard errors, and the tail beyond 4: 6.334e-5. */
static void normals_moments(void **state) {
    (void)state;
    enum { ITEMS = 20000, N = 24, ALL = ITEMS * N };
    uint32_t key[2];
    fd_rng_key(1, FD_STREAM_TEST, key);
    float *z = malloc(ALL * sizeof *z);
    for (int t = 0; t < TABLES; t++) {
        const fd_kernels *k = fd_kernels_named(names[t]);
        if (!k) continue;
        double sum[5] = {0}, across = 0;
        int tail = 0;
        k->normals(key, 0, 1, ITEMS, N, z, N);
        for (int i = 0; i < ALL; i++) {
            double x = z[i];
            for (int p = 1; p <= 4; p++) sum[p] += pow(x, p) / ALL;
            tail += fabs(x) > 4;
            if (i) across += x * z[i - 1] / ALL;
        }
        double error = 5 / sqrt(ALL);
        assert_true(fabs(sum[1]) < error && fabs(sum[2] - 1) < error * sqrt(2));
        assert_true(fabs(sum[3]) < error * sqrt(15) && fabs(sum[4] - 3) < error * sqrt(96) && fabs(across) < error);
        double expect = 6.334248e-5 * ALL;
        assert_true(fabs(tail - expect) < 5 * sqrt(expect));
    }
    free(z);
}

/* The ends of the uniform: a first word of zero (u = 2^-33, the largest radius, which without the offset would be that of
 * log 0) and one of all ones (u = 1, radius 0). A search found items that begin so. */
static void normals_of_extreme_words(void **state) {
    (void)state;
    static const struct { uint64_t item; uint32_t word; double radius; } ends[] = {
        {1190727806u, 0, 6.763705635}, {5616525500u, 0xffffffffu, 0}}; /* sqrt(66 ln 2) */
    uint32_t key[2];
    fd_rng_key(42, FD_STREAM_TEST, key);
    for (int t = 0; t < TABLES; t++)
        for (size_t e = 0; e < sizeof ends / sizeof *ends && fd_kernels_named(names[t]); e++) {
            fd_rng rng;
            float z[2];
            fd_rng_start(&rng, 42, FD_STREAM_TEST, ends[e].item, 0);
            assert_int_equal(fd_rng_u32(&rng), ends[e].word);
            fd_kernels_named(names[t])->normals(key, ends[e].item, 0, 1, 2, z, 2);
            assert_true(fabs(hypot(z[0], z[1]) - ends[e].radius) <= 3e-6); /* false for NaN */
        }
}

static void dispatch(void **state) {
    (void)state;
    assert_non_null(fd_kernels_named("portable"));
    assert_null(fd_kernels_named("no such table"));
    const fd_kernels *chosen = fd_kernels_get();
    assert_ptr_equal(chosen, fd_kernels_named(chosen->name));
    assert_ptr_equal(chosen, fd_kernels_get());
    printf("tables:");
    for (int t = 0; t < TABLES; t++) printf(" %s%s", names[t], fd_kernels_named(names[t]) ? "" : " (absent)");
    printf("; chosen: %s\n", chosen->name);
}

/* Only names that fd_kernels_named could know count; the table, once chosen, stays. */
static void mask(void **state) {
    (void)state;
    static const struct { const char *value; int known; } cases[] = {
        {"portable", 1}, {"avx2", 1}, {"avx512", 1}, {"avx512bf16", 1}, {"amx", 1}, {"", 1}, {"AVX2", 0}, {"avx", 0}, {"avx2 ", 0}};
    const char *old = getenv("FLAVORDIFF_CPU");
    char *before = old ? strdup(old) : NULL;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(setenv("FLAVORDIFF_CPU", cases[i].value, 1), 0);
        assert_int_equal(fd_machine_mask_known(), cases[i].known);
    }
    unsetenv("FLAVORDIFF_CPU");
    assert_int_equal(fd_machine_mask_known(), 1);
    if (before) setenv("FLAVORDIFF_CPU", before, 1);
    free(before);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dispatch),        cmocka_unit_test(products),   cmocka_unit_test(activations),
        cmocka_unit_test(transposition),   cmocka_unit_test(adam_steps), cmocka_unit_test(normals_from_words),
        cmocka_unit_test(normals_moments), cmocka_unit_test(mask),
        cmocka_unit_test(normals_of_extreme_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
