/* What follows the sums of a bfloat16 product: biases, activation, rounding. A template: the file that includes it defines
 * VW and includes vectors.h, then defines vmax, vmin (the second operand where one is NaN), reciprocal (to 2^-14) and
 * round_two (VW floats twice -> 2 VW bfloat16). */
#include "kernels/kernels.h"

/* e^x - 1 = power p + (power - 1), to 2e-5 of it: x / ln 2 = n + f, power = 2^n, and p = 2^f - 1 as f times a cubic, the best
 * for |f| <= 1/2 in the relative sense (1.5e-5). */
ALWAYS vf short_expm1(vf x, vf *power) {
    const vf magic = splat(12583039.0f); /* 1.5 x 2^23 + 127: the low bits become n + 127 */
    vf shifted = x * 1.44269504088896341f + magic;
    vf f = x * 1.44269504088896341f - (shifted - magic);
    vf q = f * 0.009618110954761505f + 0.05583728849887848f;
    q = q * f + 0.24023252725601196f;
    q = q * f + 0.6931368708610535f;
    *power = (vf)((vi)shifted << 23);
    return q * f;
}

ALWAYS vf short_selu(vf x) {
    const vf alpha = splat(1.0507009873554804934193349852946f * 1.6732632423543772848170429916717f);
    vf power, p = short_expm1(vmax(splat(-80.0f), vmin(splat(0.0f), x)), &power);
    return (power * p + (power - 1.0f)) * alpha + vmax(splat(0.0f), x) * 1.0507009873554804934193349852946f;
}

ALWAYS vf short_tanh(vf x) {
    vi sign = (vi)x & (int32_t)0x80000000;
    vf power, p = short_expm1(vmax(splat(-80.0f), (vf)((vi)x | (int32_t)0x80000000) * 2.0f), &power);
    vf e = power * p + (power - 1.0f);
    return (vf)((vi)(-e * reciprocal(e + 2.0f)) ^ sign);
}

ALWAYS vf short_silu(vf x) {
    vf power, p = short_expm1(vmax(splat(-80.0f), vmin(splat(80.0f), -x)), &power);
    return x * reciprocal(power * p + power + 1.0f);
}

ALWAYS vf short_activation(fd_activation act, vf x) {
    switch (act) {
    case FD_SELU: return short_selu(x);
    case FD_TANH: return short_tanh(x);
    case FD_SILU: return short_silu(x);
    default: return x;
    }
}

ALWAYS void finish_as(fd_activation act, const fd_bf16_gemm *g, int panel, int first, int rows, const float *sums) {
    ptrdiff_t at = (ptrdiff_t)panel * FD_PANEL;
    for (int i = 0; i < rows; i++, sums += FD_PANEL) {
        ptrdiff_t to = (first + i) * g->c_row + at;
        const float *row = g->row_bias ? g->row_bias + (first + i) * g->row_bias_row + at : NULL;
        vf x[FD_PANEL / VW];
        UNROLL
        for (int j = 0; j < FD_PANEL / VW; j++) {
            x[j] = load(sums + j * VW);
            if (g->bias) x[j] += load(g->bias + at + j * VW);
            if (row) x[j] += load(row + j * VW);
            x[j] = short_activation(act, x[j]);
        }
        if (g->c) {
            UNROLL
            for (int j = 0; j < FD_PANEL / VW; j += 2) round_two(x[j], x[j + 1], g->c + to + j * VW);
        } else {
            UNROLL
            for (int j = 0; j < FD_PANEL / VW; j++) store(g->c_float + to + j * VW, x[j]);
        }
    }
}

/* Rows first .. first + rows - 1 of a panel from their sums (rows, FD_PANEL). */
static void finish(const fd_bf16_gemm *g, int panel, int first, int rows, const float *sums) {
    switch (g->act) {
    case FD_SELU: finish_as(FD_SELU, g, panel, first, rows, sums); break;
    case FD_TANH: finish_as(FD_TANH, g, panel, first, rows, sums); break;
    case FD_SILU: finish_as(FD_SILU, g, panel, first, rows, sums); break;
    case FD_IDENTITY: finish_as(FD_IDENTITY, g, panel, first, rows, sums); break;
    }
}
