/* Jacobi congruences on FD_LANES matrices at a time (physics/takagi.h), written once. The file that includes this defines
 * FD_TAKAGI, the name of the function. Included once per instruction set: this is a template, not a header.
 *
 * Compiled with -ffp-contract=off everywhere: no fused operations, no reordering, and nothing but + - * / and sqrt, which
 * IEEE 754 rounds correctly. So all instruction sets give the same bits.
 *
 * Rotations wait for each other, and a rotation is one long chain of operations: two roots, two quotients. So what can be is kept
 * out of the chain. After one rotation in (0, 2), a sweep goes through the planes (1, 2), (0, 1), (0, 2). A rotation in the plane
 * of the off-diagonal element b finds another one, o, and zero for the third, which the rotation before made so. With c and f its
 * cosine and e^{ip} sine it leaves c o in the plane of the next rotation, f o or -f* o beside it, and b = 0. The next direction
 * e^{ip} needs o only, not c. U is made afterwards, from the list of rotations. */
#include "kernels/takagi_lanes.h"
#include "kernels/vector_complex.h"

enum { W = FD_LANES, N = W / VW, MAX_SWEEPS = 24 }; /* five were the most ever seen, over random, tied and hierarchical matrices */

/* Off-diagonal elements below this fraction of the largest element count as zero: |b|^2 against 2^-120. */
static const double off2_tolerance = 0x1p-120;
/* |z| below this is as good as zero, and any direction as good as z's: w b* is then real but for 2^-250, against
 * |b|^2 > 2^-120; and no square underflows. */
static const double z_floor = 0x1p-250;

typedef struct state {
    vc a[3], h, o; /* diagonal; off-diagonal elements: b = s h in the plane of the next rotation, and another */
    vd s;
    vd up, poison; /* the power of two that undoes the scaling; 0, or NaN in a lane with an element that is not finite */
} state;

typedef struct rotation {
    vd c;
    vc f;
} rotation;

/* The largest power of two not above x, for x at least the smallest normal number. */
INLINE vd power_below(vd x) { return (vd)((vl)x & INT64_C(0x7ff) << 52); }
/* 1 / x for a power of two between 2^-1022 and 2^1022. */
INLINE vd inverse_power(vd x) { return (vd)((INT64_C(0x7fe) << 52) - (vl)x); }

/* One congruence in the plane (p, q): changes the diagonal and s, not h and o. Lanes whose element is as good as zero get the
 * identity. With v = 2 |z| |b|^2 cot 2t, g = 2 |z| |b|^2 e^{ip}, r = sqrt(v^2 + |g|^2) and the sign of v: e^{ip} tan t is
 * +-g / (r + |v|), e^{ip} sin t is +-g / sqrt(2 r (r + |v|)). Both v and g are divided by s^2: v is that of h in place of b. From
 * V^T A V = D follows A V = V* D, which gives the new diagonal a - tan(t) e^{-ip} b and d + tan(t) e^{ip} b without squares of
 * the old one. */
INLINE rotation turn(state *t, int p, int q) {
    vc a = t->a[p], d = t->a[q], h = t->h, b = times(h, t->s), sum = add(a, d), difference = sub(a, d);
    vl rotates = norm2(b) > off2_tolerance;
    vc e = {sum.re * h.re + sum.im * h.im + z_floor, difference.re * h.im - difference.im * h.re}; /* |z| e^{ip} */
    vc w = {sum.im * e.im - difference.re * e.re, sum.re * e.im + difference.im * e.re};           /* -w* |z| */
    vd v = w.re * h.re - w.im * h.im;
    vc g = times(e, (t->s + t->s) * norm2(h));
    vd r = vsqrt(v * v + norm2(g)), total = r + vabs(v), inverse = 1.0 / vsqrt((r + r) * total);
    vc tangent = times(g, where(rotates, vcopysign(1.0 / total, v)));
    t->a[p] = sub(a, conj_mul(tangent, b));
    t->a[q] = add(d, mul(tangent, b));
    t->s = choose(rotates, total * inverse, splat(1));
    return (rotation){t->s, times(g, where(rotates, vcopysign(inverse, v)))};
}

/* Columns x, y of a matrix become c x - f* y and c y + f x. */
INLINE void mix(rotation r, vc *x, vc *y) {
    vc p = *x, q = *y;
    *x = sub(times(p, r.c), conj_mul(r.f, q));
    *y = add(times(q, r.c), mul(r.f, p));
}

/* Scales every lane by a power of two (exactly) so that its largest component is in [1, 2), or [2, 4) where it is above 2^1023, or
 * below 1 where it is subnormal. Returns the first rotation, which finds no zero yet. */
INLINE rotation start(const fd_takagi_lanes *in, int from, state *t) {
    vc m[FD_SYM];
    vd top[2] = {splat(0x1p-1022), splat(0)}, sum = splat(0);
    for (int e = 0; e < FD_SYM; e++) {
        m[e] = c_load(in->m_re[e] + from, in->m_im[e] + from);
        top[0] = vmax(vabs(m[e].re), top[0]);
        top[1] = vmax(vabs(m[e].im), top[1]);
    }
    t->up = power_below(vmin(vmax(top[0], top[1]), splat(0x1p1022)));
    vd down = inverse_power(t->up);
    for (int e = 0; e < FD_SYM; e++) {
        m[e] = times(m[e], down);
        sum += m[e].re + m[e].im;
    }
    t->poison = sum * 0.0;
    t->a[0] = m[FD_EE], t->a[1] = m[FD_MM], t->a[2] = m[FD_TT];
    t->h = m[FD_ET], t->o = m[FD_EM], t->s = splat(1);
    rotation r = turn(t, 0, 2);
    t->h = m[FD_MT], t->s = splat(1);
    mix(r, &t->o, &t->h);
    return r;
}

INLINE void rotate(state *t, int p, int q, rotation *out) {
    for (int k = 0; k < N; k++) {
        vc o = t[k].o;
        rotation r = out[k] = turn(&t[k], p, q);
        t[k].o = q - p == 2 ? conj_mul((vc){-r.f.re, -r.f.im}, o) : mul(r.f, o);
        t[k].h = o;
    }
}

INLINE bool all_diagonal(const state *t) {
    vl left = {0};
    for (int k = 0; k < N; k++)
        left |= (norm2(times(t[k].h, t[k].s)) > off2_tolerance) | (norm2(t[k].o) > off2_tolerance);
    return !any(left);
}

/* U from the rotations. Its determinant is 1, as theirs are: the third row is the conjugate cross product of the others. */
INLINE void unitary(int sweeps, const rotation (*list)[N], int k, vc u[3][3]) {
    vd zero = splat(0);
    u[0][0] = (vc){list[0][k].c, zero}, u[0][1] = (vc){zero, zero}, u[0][2] = list[0][k].f;
    u[1][0] = u[1][2] = (vc){zero, zero}, u[1][1] = (vc){splat(1), zero};
    for (int n = 0; n < sweeps; n++)
        for (int i = 0; i < 2; i++) {
            mix(list[1 + 3 * n][k], &u[i][1], &u[i][2]);
            mix(list[2 + 3 * n][k], &u[i][0], &u[i][1]);
            mix(list[3 + 3 * n][k], &u[i][0], &u[i][2]);
        }
    for (int j = 0; j < 3; j++) {
        int a = (j + 1) % 3, b = (j + 2) % 3;
        u[2][j] = c_conj(sub(mul(u[0][a], u[1][b]), mul(u[0][b], u[1][a])));
    }
}

/* Column j of U times exp(-i arg(a) / 2), by half-angle formulas on the side that does not cancel; |a| in the original unit. */
INLINE vd finish(const state *t, vc a, vc column[3]) {
    vd top = power_below(vmax(vmax(vabs(a.re), vabs(a.im)), splat(0x1p-1022))), down = inverse_power(top);
    /* + 0.0 turns -0 into +0: the sign of a zero must not choose the branch of the half angle. */
    vd x = a.re * down, y = a.im * down + 0.0, radius = vsqrt(x * x + y * y), total = radius + vabs(x);
    vl none = total == 0.0, left = x < 0.0;
    vd size = vsqrt((radius + radius) * total) + where(none, splat(1));
    vd near = total / size + where(none, splat(1)), far = vabs(y) / size; /* near >= 1/sqrt 2 >= far; real a: exactly 1 and 0 */
    vc half = {choose(left, far, near) + t->poison, vcopysign(choose(left, near, far), y) + t->poison};
    for (int i = 0; i < 3; i++) column[i] = conj_mul(half, column[i]);
    return radius * top * t->up + t->poison;
}

INLINE void exchange(vl mask, vd *x, vd *y) {
    vl difference = ((vl)*x ^ (vl)*y) & mask;
    *x = (vd)((vl)*x ^ difference);
    *y = (vd)((vl)*y ^ difference);
}

typedef struct column {
    vd d;
    vc u[3];
} column;

/* Puts two columns in ascending order in every lane. */
INLINE void order(column *x, column *y) {
    vl mask = x->d > y->d;
    exchange(mask, &x->d, &y->d);
    for (int i = 0; i < 3; i++) {
        exchange(mask, &x->u[i].re, &y->u[i].re);
        exchange(mask, &x->u[i].im, &y->u[i].im);
    }
}

void FD_TAKAGI(fd_takagi_lanes *restrict lanes) {
    state t[N];
    rotation list[1 + 3 * MAX_SWEEPS][N];
    int sweeps = 0;
    for (int k = 0; k < N; k++) list[0][k] = start(lanes, k * VW, &t[k]);
    for (; sweeps < MAX_SWEEPS && !all_diagonal(t); sweeps++) {
        rotate(t, 1, 2, list[1 + 3 * sweeps]);
        rotate(t, 0, 1, list[2 + 3 * sweeps]);
        rotate(t, 0, 2, list[3 + 3 * sweeps]);
    }
    for (int k = 0; k < N; k++) {
        vc u[3][3];
        column c[3];
        unitary(sweeps, (const rotation(*)[N])list, k, u);
        for (int j = 0; j < 3; j++) {
            for (int i = 0; i < 3; i++) c[j].u[i] = u[i][j];
            c[j].d = finish(&t[k], t[k].a[j], c[j].u);
        }
        order(&c[0], &c[1]);
        order(&c[1], &c[2]);
        order(&c[0], &c[1]);
        for (int j = 0; j < 3; j++) {
            store(c[j].d, lanes->d[j] + k * VW);
            for (int i = 0; i < 3; i++) {
                store(c[j].u[i].re, lanes->u_re[i][j] + k * VW);
                store(c[j].u[i].im, lanes->u_im[i][j] + k * VW);
            }
        }
    }
}
