/* Jacobi congruences on FD_LANES matrices at a time (physics/takagi.h), written once. The file that includes this defines
 * FD_TAKAGI, the name of the function. Included once per instruction set: this is a template, not a header.
 *
 * Compiled with -ffp-contract=off everywhere: no fused operations, no reordering, and nothing but + - * / and sqrt, which
 * IEEE 754 rounds correctly. So all instruction sets give the same bits. */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "kernels/takagi_lanes.h"

enum { W = FD_LANES, MAX_SWEEPS = 24 }; /* five were the most ever seen, over random, tied and hierarchical matrices */

typedef struct state {
    double ar[FD_SYM][W], ai[FD_SYM][W];
    double ur[3][3][W], ui[3][3][W];
    double up[W], up2[W];     /* powers of two that undo the scaling: first up2, then up */
    double poison[W];         /* 0, or NaN in a lane with an element that is not finite */
} state;

/* Off-diagonal elements below this fraction of the largest element count as zero: |b|^2 against 2^-120. */
static const double off2_tolerance = 0x1p-120;
/* |z|^2 below this counts as zero: w b* is then real but for 2^-250, against |b|^2 > 2^-120; and |b|^4 |z|^2 does not underflow. */
static const double z2_floor = 0x1p-500;

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* Scales every lane by powers of two (exactly) so that its largest component is in [1, 2), and sets U = 1. */
ALWAYS_INLINE void start(state *restrict s, const fd_takagi_lanes *restrict in) {
    double top[W];
#pragma omp simd
    for (int w = 0; w < W; w++) {
        top[w] = 0;
        for (int e = 0; e < FD_SYM; e++) {
            double re = fabs(in->m_re[e][w]), im = fabs(in->m_im[e][w]);
            top[w] = re > top[w] ? re : top[w];
            top[w] = im > top[w] ? im : top[w];
        }
    }
    double down[W], down2[W];
    for (int w = 0; w < W; w++) {
        /* First into the range where 2^exponent and 2^-exponent are both normal numbers, then to [1, 2). */
        down[w] = top[w] > 0x1p900 ? 0x1p-600 : top[w] < 0x1p-900 ? 0x1p600 : 1.0;
        s->up[w] = 1.0 / down[w];
        double there = top[w] * down[w];
        uint64_t bits;
        memcpy(&bits, &there, sizeof bits);
        bits &= UINT64_C(0x7ff) << 52;
        if (bits == 0 || bits == UINT64_C(0x7ff) << 52) bits = UINT64_C(0x3ff) << 52; /* zero or inf: leave */
        uint64_t inverse = (UINT64_C(0x7fe) << 52) - bits;
        memcpy(&s->up2[w], &bits, sizeof bits);
        memcpy(&down2[w], &inverse, sizeof inverse);
    }
#pragma omp simd
    for (int w = 0; w < W; w++) {
        double sum = 0;
        for (int e = 0; e < FD_SYM; e++) {
            s->ar[e][w] = in->m_re[e][w] * down[w] * down2[w];
            s->ai[e][w] = in->m_im[e][w] * down[w] * down2[w];
            sum += s->ar[e][w] * 0.0 + s->ai[e][w] * 0.0;
        }
        s->poison[w] = sum;
        for (int i = 0; i < 9; i++) {
            s->ur[i / 3][i % 3][w] = i % 4 == 0;
            s->ui[i / 3][i % 3][w] = 0;
        }
    }
}

/* Columns x, y of a matrix become c x - conj(f) y and c y + f x. */
#define MIX(xr, xi, yr, yi, c, fr, fi)                          \
    do {                                                        \
        double pr_ = (xr), pi_ = (xi), qr_ = (yr), qi_ = (yi);  \
        (xr) = (c)*pr_ - ((fr)*qr_ + (fi)*qi_);                 \
        (xi) = (c)*pi_ - ((fr)*qi_ - (fi)*qr_);                 \
        (yr) = (c)*qr_ + ((fr)*pr_ - (fi)*pi_);                 \
        (yi) = (c)*qi_ + ((fr)*pi_ + (fi)*pr_);                 \
    } while (0)

/* One congruence in the plane (p, q) of every lane; pp, pq, qq and kp, kq are the elements it touches. A lane whose
 * off-diagonal element is zero already gets the identity. With x = |z| |b|^2 cot 2t and r = sqrt(x^2 + |z|^2 |b|^4), tan t is
 * |z| |b|^2 / (r + |x|), with the sign of x, and cos^2 t is (r + |x|) / 2r: few roots and quotients wait for each other. From V^T A V = D follows A V = V* D, which gives the new
 * diagonal a - tan(t) e^{-ip} b and d + tan(t) e^{ip} b without squares of the old one. */
ALWAYS_INLINE void rotate(state *restrict s, int p, int q, int pp, int pq, int qq, int kp, int kq) {
    /* Conditions become numbers, 0 or 1, in a loop of their own: compilers then see no branch in the long loop and turn
     * it into SIMD. */
    double lost[W], done[W], zr[W], zi[W], bb[W];
#pragma omp simd
    for (int w = 0; w < W; w++) {
        double ar = s->ar[pp][w], ai = s->ai[pp][w], br = s->ar[pq][w], bi = s->ai[pq][w];
        double dr = s->ar[qq][w], di = s->ai[qq][w];
        bb[w] = br * br + bi * bi;
        zr[w] = ar * br + ai * bi + (dr * br + di * bi);
        zi[w] = ai * br - ar * bi + (dr * bi - di * br);
        lost[w] = zr[w] * zr[w] + zi[w] * zi[w] > z2_floor ? 0.0 : 1.0;
        done[w] = bb[w] > off2_tolerance ? 0.0 : 1.0;
    }
#pragma omp simd
    for (int w = 0; w < W; w++) {
        double ar = s->ar[pp][w], ai = s->ai[pp][w], br = s->ar[pq][w], bi = s->ai[pq][w];
        double dr = s->ar[qq][w], di = s->ai[qq][w];
        double zz = zr[w] * zr[w] + zi[w] * zi[w] + lost[w], z = sqrt(zz), inverse = 1.0 / z;
        double er = zr[w] + lost[w], ei = -zi[w]; /* |z| e^{ip} */
        double wr = ar * er - ai * ei - (dr * er + di * ei);
        double wi = ar * ei + ai * er - (di * er - dr * ei);
        double real = -0.5 * (wr * br + wi * bi); /* |z| |b|^2 cot 2t */
        double both = sqrt(real * real + bb[w] * bb[w] * zz + done[w]), sum = both + fabs(real);
        double tangent = copysign((1.0 - done[w]) * (bb[w] * z / sum), real);
        double c = done[w] + (1.0 - done[w]) * sqrt(0.5 * sum / both);
        er *= inverse;
        ei *= inverse;
        double fr = c * tangent * er, fi = c * tangent * ei;
        s->ar[pp][w] = ar - tangent * (er * br + ei * bi);
        s->ai[pp][w] = ai - tangent * (er * bi - ei * br);
        s->ar[qq][w] = dr + tangent * (er * br - ei * bi);
        s->ai[qq][w] = di + tangent * (er * bi + ei * br);
        s->ar[pq][w] = br * done[w];
        s->ai[pq][w] = bi * done[w];
        MIX(s->ar[kp][w], s->ai[kp][w], s->ar[kq][w], s->ai[kq][w], c, fr, fi);
        MIX(s->ur[0][p][w], s->ui[0][p][w], s->ur[0][q][w], s->ui[0][q][w], c, fr, fi);
        MIX(s->ur[1][p][w], s->ui[1][p][w], s->ur[1][q][w], s->ui[1][q][w], c, fr, fi);
        MIX(s->ur[2][p][w], s->ui[2][p][w], s->ur[2][q][w], s->ui[2][q][w], c, fr, fi);
    }
}

ALWAYS_INLINE int all_diagonal(const state *s) {
    static const int off[3] = {FD_EM, FD_ET, FD_MT};
    int left = 0;
    for (int k = 0; k < 3; k++)
        for (int w = 0; w < W; w++) {
            double br = s->ar[off[k]][w], bi = s->ai[off[k]][w];
            left |= br * br + bi * bi > off2_tolerance;
        }
    return !left;
}

/* Column j: d_j = |a_j| in the original unit, and the column times exp(-i arg(a_j) / 2), by half-angle formulas on the
 * side that does not cancel. */
ALWAYS_INLINE void finish_column(const state *restrict s, int j, int jj, fd_takagi_lanes *restrict out) {
#pragma omp simd
    for (int w = 0; w < W; w++) {
        /* + 0.0 turns -0 into +0: the sign of a zero must not choose the branch of the half angle. */
        double re = s->ar[jj][w] + 0.0, im = s->ai[jj][w] + 0.0;
        double big = fabs(re) > fabs(im) ? fabs(re) : fabs(im);
        double none = big > 0 ? 0.0 : 1.0;
        double x = (re + none) / (big + none), y = im / (big + none);
        double radius = sqrt(x * x + y * y);
        double left = x < 0 ? 1.0 : 0.0;
        double inverse = 1.0 / sqrt(2.0 * radius * (radius + fabs(x)));
        double near = (radius + fabs(x)) * inverse, far = fabs(y) * inverse; /* near >= 1/sqrt 2 >= far */
        double half_cos = near + left * (far - near), half_sin = copysign(far + left * (near - far), y);
        out->d[j][w] = big * radius * s->up2[w] * s->up[w] + s->poison[w];
        for (int i = 0; i < 3; i++) {
            double ur = s->ur[i][j][w], ui = s->ui[i][j][w];
            out->u_re[i][j][w] = ur * half_cos + ui * half_sin + s->poison[w];
            out->u_im[i][j][w] = ui * half_cos - ur * half_sin + s->poison[w];
        }
    }
}

/* Swaps the lanes of x and y whose mask is all ones. */
ALWAYS_INLINE void exchange(const uint64_t *restrict mask, double *restrict x, double *restrict y) {
    uint64_t a[W], b[W];
    memcpy(a, x, sizeof a);
    memcpy(b, y, sizeof b);
#pragma omp simd
    for (int w = 0; w < W; w++) {
        uint64_t difference = (a[w] ^ b[w]) & mask[w];
        a[w] ^= difference;
        b[w] ^= difference;
    }
    memcpy(x, a, sizeof a);
    memcpy(y, b, sizeof b);
}

/* Puts columns j, l of every lane in ascending order. */
ALWAYS_INLINE void order(fd_takagi_lanes *restrict t, int j, int l) {
    uint64_t mask[W];
#pragma omp simd
    for (int w = 0; w < W; w++) mask[w] = t->d[j][w] > t->d[l][w] ? ~UINT64_C(0) : 0;
    exchange(mask, t->d[j], t->d[l]);
    for (int i = 0; i < 3; i++) {
        exchange(mask, t->u_re[i][j], t->u_re[i][l]);
        exchange(mask, t->u_im[i][j], t->u_im[i][l]);
    }
}

void FD_TAKAGI(fd_takagi_lanes *restrict lanes) {
    state s;
    start(&s, lanes);
    for (int sweep = 0; sweep < MAX_SWEEPS && !all_diagonal(&s); sweep++) {
        rotate(&s, 0, 2, FD_EE, FD_ET, FD_TT, FD_EM, FD_MT);
        rotate(&s, 1, 2, FD_MM, FD_MT, FD_TT, FD_EM, FD_ET);
        rotate(&s, 0, 1, FD_EE, FD_EM, FD_MM, FD_ET, FD_MT);
    }
    finish_column(&s, 0, FD_EE, lanes);
    finish_column(&s, 1, FD_MM, lanes);
    finish_column(&s, 2, FD_TT, lanes);
    order(lanes, 0, 1);
    order(lanes, 1, 2);
    order(lanes, 0, 1);
}
