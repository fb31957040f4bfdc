/* The kernels, written once with vectors of VW floats. The file that includes this defines VW, includes
 * vectors.h and defines mul_even, vsqrt, the four shuffles, FD_MR, FD_TAKAGI, FD_SEESAW, FD_BOX_MEAN and FD_LEAST_NORM,
 * and then its tables with FD_TABLE_WITH.
 * Included once per instruction set: this is a template, not a header. */
#include <string.h>

#include "base/constants.h"

/* ---- elementary functions, branch-free ---- */

/* e^x - 1 for x in [-87, 88] (clamped; NaN stays NaN): x = n ln 2 + r, 2^n (e^r - 1) + (2^n - 1). The polynomial
 * is that of Cephes' expf. Relative error below 3e-7 on both sides of zero, because nothing cancels there. */
ALWAYS vf expm1_scaled(vf x, vf *power) {
    const vf magic = splat(12582912.0f); /* 1.5 x 2^23: adding it rounds to an integer in the low bits */
    x = pick(x < -87.0f, splat(-87.0f), x);
    x = pick(x > 88.0f, splat(88.0f), x);
    vf shifted = x * 1.44269504088896341f + magic;
    vf n = shifted - magic;
    vf r = x - n * 0.693359375f;
    r = r + n * 2.12194440e-4f;
    vf p = r * 1.9875691500e-4f + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * (r * r) + r;
    *power = (vf)(((vi)shifted - (vi)magic + 127) << 23);
    return p;
}

ALWAYS vf vexpm1(vf x) {
    vf power, p = expm1_scaled(x, &power);
    return power * p + (power - 1.0f);
}

ALWAYS vf vexp(vf x) {
    vf power, p = expm1_scaled(x, &power);
    return power * p + power;
}

#define SELU_SCALE 1.0507009873554804934193349852946f
#define SELU_ALPHA 1.6732632423543772848170429916717f

ALWAYS vf selu(vf x) {
    vf below = vexpm1(pick(x > 0.0f, splat(0.0f), x)) * (SELU_SCALE * SELU_ALPHA);
    return pick(x > 0.0f, x * SELU_SCALE, below);
}

ALWAYS vf vtanh(vf x) {
    vi sign = (vi)x & (int32_t)0x80000000;
    vf e = vexpm1((vf)((vi)x ^ sign) * -2.0f);
    vf t = -e / (e + 2.0f);
    return (vf)((vi)t ^ sign);
}

ALWAYS vf logistic(vf x) { return 1.0f / (1.0f + vexp(-x)); }

ALWAYS vf activation(fd_activation act, vf x) {
    switch (act) {
    case FD_SELU: return selu(x);
    case FD_TANH: return vtanh(x);
    case FD_SILU: return x * logistic(x);
    default: return x;
    }
}

/* act' in terms of the output y (SELU, tanh) or of the input (SiLU). */
ALWAYS vf slope(fd_activation act, vf y) {
    switch (act) {
    case FD_SELU: return pick(y > 0.0f, splat(SELU_SCALE), y + SELU_SCALE * SELU_ALPHA);
    case FD_TANH: return 1.0f - y * y;
    case FD_SILU: {
        vf s = logistic(y);
        return s * (1.0f + y * (1.0f - s));
    }
    default: return splat(1.0f);
    }
}

/* ---- products ---- */

/* mr rows and two registers of columns of C, all in registers. Rows of A are reached from a pointer for every three, so
 * that addresses fit x86's base + index x scale. */
ALWAYS void micro(const int mr, const fd_gemm *g, ptrdiff_t a_col, const float *a, const float *b, float *c) {
    const ptrdiff_t a_row = g->a_row, b_row = g->b_row;
    const float *rows[(FD_MR + 2) / 3];
    vf left[FD_MR], right[FD_MR];
    UNROLL
    for (int i = 0; i < mr; i++) {
        left[i] = right[i] = (vf){0};
        rows[i / 3] = a + i / 3 * 3 * a_row;
    }
    for (int k = g->k; k > 0; k--) {
        vf b0 = load(b), b1 = load(b + VW);
        UNROLL
        for (int i = 0; i < mr; i++) {
            vf s = splat(rows[i / 3][i % 3 * a_row]);
            left[i] += s * b0;
            right[i] += s * b1;
        }
        UNROLL
        for (int i = 0; i < mr; i += 3) rows[i / 3] += a_col;
        b += b_row;
    }
    UNROLL
    for (int i = 0; i < mr; i++) {
        store(c + i * g->c_row, left[i]);
        store(c + i * g->c_row + VW, right[i]);
    }
}

/* clang-format off */
#define MICRO(mr)                                                                                                      \
    static void micro_##mr(const fd_gemm *g, const float *a, const float *b, float *c) {                               \
        if (g->a_col == 1) micro(mr, g, 1, a, b, c);                                                                   \
        else micro(mr, g, g->a_col, a, b, c);                                                                          \
    }
MICRO(1) MICRO(2) MICRO(3) MICRO(4) MICRO(5) MICRO(6)
#if FD_MR > 6
MICRO(7) MICRO(8) MICRO(9) MICRO(10) MICRO(11) MICRO(12) MICRO(13) MICRO(14)
#endif

static void (*const micros[FD_MR + 1])(const fd_gemm *, const float *, const float *, float *) = {
    NULL, micro_1, micro_2, micro_3, micro_4, micro_5, micro_6,
#if FD_MR > 6
    micro_7, micro_8, micro_9, micro_10, micro_11, micro_12, micro_13, micro_14
#endif
};
/* clang-format on */

/* Bias, activation and gate on a finished panel, which is still in the first-level cache. */
ALWAYS void finish_as(fd_activation act, fd_activation gate_act, const fd_gemm *g, int panel) {
    ptrdiff_t at = (ptrdiff_t)panel * FD_PANEL;
    for (int i = 0; i < g->m; i++) {
        float *c = g->c + i * g->c_row + at;
        const float *row = g->row_bias ? g->row_bias + i * g->row_bias_row + at : NULL;
        const float *gate = g->gate ? g->gate + i * g->gate_row + at : NULL;
        for (int j = 0; j < FD_PANEL; j += VW) {
            vf x = load(c + j);
            if (g->bias) x += load(g->bias + at + j);
            if (row) x += load(row + j);
            x = activation(act, x);
            if (gate) x *= slope(gate_act, load(gate + j));
            store(c + j, x);
        }
    }
}

static void finish(const fd_gemm *g, int panel) {
    if (!g->bias && !g->row_bias && !g->gate && g->act == FD_IDENTITY) return;
    if (g->gate) { /* the backward pass: no activation */
        switch (g->gate_act) {
        case FD_SELU: finish_as(FD_IDENTITY, FD_SELU, g, panel); break;
        case FD_TANH: finish_as(FD_IDENTITY, FD_TANH, g, panel); break;
        case FD_SILU: finish_as(FD_IDENTITY, FD_SILU, g, panel); break;
        case FD_IDENTITY: finish_as(FD_IDENTITY, FD_IDENTITY, g, panel); break;
        }
        return;
    }
    switch (g->act) {
    case FD_SELU: finish_as(FD_SELU, FD_IDENTITY, g, panel); break;
    case FD_TANH: finish_as(FD_TANH, FD_IDENTITY, g, panel); break;
    case FD_SILU: finish_as(FD_SILU, FD_IDENTITY, g, panel); break;
    case FD_IDENTITY: finish_as(FD_IDENTITY, FD_IDENTITY, g, panel); break;
    }
}

static void gemm(const fd_gemm *g) {
    int tiles = (g->m + FD_MR - 1) / FD_MR, panels = (g->n + FD_PANEL - 1) / FD_PANEL;
    for (int p = 0; p < panels; p++) {
        const float *b = g->b + p * g->b_panel;
        for (int t = 0, i = 0; t < tiles; t++) { /* tiles of nearly equal height */
            int rows = (g->m - i + tiles - t - 1) / (tiles - t);
            for (int j = 0; j < FD_PANEL; j += 2 * VW)
                micros[rows](g, g->a + i * g->a_row, b + j, g->c + i * g->c_row + p * FD_PANEL + j);
            i += rows;
        }
        finish(g, p);
    }
}

/* ---- elementwise ---- */

ALWAYS void activate_as(fd_activation act, size_t n, const float *in, float *out) {
    size_t i = 0;
    for (; i + VW <= n; i += VW) store(out + i, activation(act, load(in + i)));
    if (i < n) {
        float rest[VW] = {0};
        memcpy(rest, in + i, (n - i) * sizeof *rest);
        store(rest, activation(act, load(rest)));
        memcpy(out + i, rest, (n - i) * sizeof *rest);
    }
}

static void activate(fd_activation act, size_t n, const float *in, float *out) {
    switch (act) {
    case FD_SELU: activate_as(FD_SELU, n, in, out); break;
    case FD_TANH: activate_as(FD_TANH, n, in, out); break;
    case FD_SILU: activate_as(FD_SILU, n, in, out); break;
    case FD_IDENTITY: activate_as(FD_IDENTITY, n, in, out); break;
    }
}

ALWAYS vf adam_vector(const fd_adam *a, vf w, vf *m, vf *v, vf g) {
    *m = *m + a->one_minus_beta1 * (g - *m);
    *v = a->beta2 * *v + a->one_minus_beta2 * g * g;
    return w - a->step * *m / (vsqrt(*v) * a->inv_sqrt_correction2 + a->eps);
}

static void adam(const fd_adam *a, size_t n, float *w, float *m, float *v, float *ema, const float *g) {
    float rest[5][VW] = {{0}};
    size_t whole = n / VW * VW, left = n - whole;
    for (size_t i = 0; i < whole; i += VW) {
        vf mi = load(m + i), vi_ = load(v + i);
        vf wi = adam_vector(a, load(w + i), &mi, &vi_, load(g + i));
        store(w + i, wi);
        store(m + i, mi);
        store(v + i, vi_);
        if (ema) {
            vf e = load(ema + i);
            store(ema + i, e + a->one_minus_ema * (wi - e));
        }
    }
    if (!left) return;
    float *parts[5] = {w + whole, m + whole, v + whole, ema ? ema + whole : rest[3], NULL};
    for (int p = 0; p < 4; p++) memmove(rest[p], parts[p], left * sizeof(float));
    memcpy(rest[4], g + whole, left * sizeof(float));
    vf mi = load(rest[1]), vi_ = load(rest[2]), e = load(rest[3]);
    vf wi = adam_vector(a, load(rest[0]), &mi, &vi_, load(rest[4]));
    store(rest[0], wi);
    store(rest[1], mi);
    store(rest[2], vi_);
    store(rest[3], e + a->one_minus_ema * (wi - e));
    for (int p = 0; p < (ema ? 4 : 3); p++) memcpy(parts[p], rest[p], left * sizeof(float));
}

/* ---- transposition ---- */

/* Four registers as four rows of VW: afterwards 128-bit part l of part[q] holds column 4 l + q. */
ALWAYS void columns_of_four(vf x0, vf x1, vf x2, vf x3, vf part[4]) {
    vf a = UNPACK_LOW(x0, x1), b = UNPACK_HIGH(x0, x1), c = UNPACK_LOW(x2, x3), d = UNPACK_HIGH(x2, x3);
    part[0] = PAIR_LOW(a, c);
    part[1] = PAIR_HIGH(a, c);
    part[2] = PAIR_LOW(b, d);
    part[3] = PAIR_HIGH(b, d);
}

static void transpose(int rows, int cols, const float *in, ptrdiff_t in_row, float *out, ptrdiff_t out_row) {
    int i = 0;
    for (; i + 4 <= rows; i += 4) {
        const float *p = in + i * in_row;
        int j = 0;
        for (; j + VW <= cols; j += VW) {
            vf part[4];
            columns_of_four(load(p + j), load(p + in_row + j), load(p + 2 * in_row + j), load(p + 3 * in_row + j),
                            part);
            for (int l = 0; l < VW; l++)
                memcpy(out + (j + l) * out_row + i, (const float *)&part[l % 4] + l / 4 * 4, 4 * sizeof(float));
        }
        for (; j < cols; j++)
            for (int q = 0; q < 4; q++) out[j * out_row + i + q] = p[q * in_row + j];
    }
    for (; i < rows; i++)
        for (int j = 0; j < cols; j++) out[j * out_row + i] = in[i * in_row + j];
}

/* ---- random numbers ---- */

ALWAYS void philox_half(vu x, uint32_t factor, vu *low, vu *high) {
    const vq lower = (vq){0} + 0xffffffffu;
    vu f = factor + (vu){0};
    vq even = mul_even(x, f), odd = mul_even((vu)((vq)x >> 32), f);
    *low = (vu)((even & lower) | (odd << 32));
    *high = (vu)((even >> 32) | (odd & ~lower));
}

/* Philox4x32-10 (Salmon et al. 2011), a block a lane. */
ALWAYS void philox(vu c[4], const uint32_t key[2]) {
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        vu low0, high0, low1, high1;
        philox_half(c[0], 0xD2511F53u, &low0, &high0);
        philox_half(c[2], 0xCD9E8D57u, &low1, &high1);
        c[0] = high1 ^ c[1] ^ k0;
        c[1] = low1;
        c[2] = high0 ^ c[3] ^ k1;
        c[3] = low0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
}

/* log u for u in (0, 1]; Cephes' logf. */
ALWAYS vf vlog(vf u) {
    vi bits = (vi)u;
    vi e = (bits - 0x3f3504f3) >> 23; /* mantissa in [sqrt(1/2), sqrt(2)) */
    vf x = (vf)(bits - (e << 23)) - 1.0f;
    vf n = __builtin_convertvector(e, vf);
    vf z = x * x;
    vf y = x * 7.0376836292e-2f - 1.1514610310e-1f;
    y = y * x + 1.1676998740e-1f;
    y = y * x - 1.2420140846e-1f;
    y = y * x + 1.4249322787e-1f;
    y = y * x - 1.6668057665e-1f;
    y = y * x + 2.0000714765e-1f;
    y = y * x - 2.4999993993e-1f;
    y = y * x + 3.3333331174e-1f;
    y = y * x * z;
    y = y - n * 2.12194440e-4f;
    y = y - 0.5f * z;
    return n * 0.693359375f + (x + y);
}

/* cos and sin of 2 pi w / 2^32. The quadrant is taken off in integers, exactly. */
ALWAYS void turn(vu w, vf *cosine, vf *sine) {
    vu quadrant = (w + 0x20000000u) >> 30;
    vf x = __builtin_convertvector((vi)(w - (quadrant << 30)), vf) * (float)(FD_TWO_PI * 0x1p-32);
    vf z = x * x;
    vf c = z * 2.443315711809948e-5f - 1.388731625493765e-3f;
    c = c * z + 4.166664568298827e-2f;
    c = c * (z * z) - 0.5f * z + 1.0f;
    vf s = z * -1.9515295891e-4f + 8.3321608736e-3f;
    s = s * z - 1.6666654611e-1f;
    s = s * (z * x) + x;
    vi odd = (vi)(quadrant << 31) >> 31;
    vi cosine_sign = (vi)(((quadrant + 1) & 2) << 30), sine_sign = (vi)((quadrant & 2) << 30);
    *cosine = (vf)((vi)pick(odd, s, c) ^ cosine_sign);
    *sine = (vf)((vi)pick(odd, c, s) ^ sine_sign);
}

/* u = (w + 1/2) / 2^32, rounded to a float in [2^-33, 1]: never zero. */
ALWAYS void box_muller(vu w0, vu w1, vf *z0, vf *z1) {
    vf high = __builtin_convertvector((vi)(w0 >> 16), vf), low = __builtin_convertvector((vi)(w0 & 0xffffu), vf);
    vf u = (high * 65536.0f + low) * 0x1p-32f + 0x1p-33f;
    vf square = -2.0f * vlog(u);
    vf radius = vsqrt(pick(square > 0.0f, square, splat(0.0f))), c, s;
    turn(w1, &c, &s);
    *z0 = radius * c;
    *z1 = radius * s;
}

static void normals(const uint32_t key[2], uint64_t first_item, uint32_t step, int items, int n, float *out,
                    ptrdiff_t ld) {
    for (int i = 0; i < items; i += VW) { /* an item a lane */
        uint32_t low[VW], high[VW];
        int lanes = items - i < VW ? items - i : VW;
        for (int l = 0; l < VW; l++) {
            uint64_t item = first_item + (uint64_t)(i + l);
            low[l] = (uint32_t)item;
            high[l] = (uint32_t)(item >> 32);
        }
        for (int j = 0; j < n; j += 4) {
            vu c[4];
            vf z[4], part[4];
            memcpy(&c[0], low, sizeof low);
            memcpy(&c[1], high, sizeof high);
            c[2] = step + (vu){0};
            c[3] = (uint32_t)j / 4 + (vu){0};
            philox(c, key);
            box_muller(c[0], c[1], &z[0], &z[1]);
            box_muller(c[2], c[3], &z[2], &z[3]);
            columns_of_four(z[0], z[1], z[2], z[3], part);
            float *to = out + i * ld + j;
            if (n - j >= 4)
                for (int l = 0; l < lanes; l++)
                    memcpy(to + l * ld, (const float *)&part[l % 4] + l / 4 * 4, 4 * sizeof(float));
            else
                for (int l = 0; l < lanes; l++)
                    memcpy(to + l * ld, (const float *)&part[l % 4] + l / 4 * 4, (size_t)(n - j) * sizeof(float));
        }
    }
}

/* ---- the yardstick ---- */

enum { CHAINS = 12 };

static double peak(long rounds) {
    vf sums[CHAINS], factor = splat(0.999f), term = splat(1e-3f);
    UNROLL
    for (int i = 0; i < CHAINS; i++) sums[i] = splat((float)i);
    for (long r = 0; r < rounds; r++) {
        UNROLL
        for (int i = 0; i < CHAINS; i++) {
            sums[i] = sums[i] * factor + term;
            __asm__ volatile("" : KEEP_IN_REGISTER(sums[i])); /* neither merged nor left out */
        }
    }
    return 2.0 * VW * CHAINS * (double)rounds;
}

#define FD_TABLE_WITH(its_name, its_bf16)                                                                              \
    {                                                                                                                  \
        .name = its_name, .gemm = gemm, .finish = finish, .activate = activate, .transpose = transpose, .adam = adam,                    \
        .normals = normals, .takagi = FD_TAKAGI, .seesaw = &FD_SEESAW, .box_mean = FD_BOX_MEAN,                        \
        .least_norm = FD_LEAST_NORM, .peak = peak, .bf16 = &its_bf16                                                   \
    }
