/* Part of seesaw_body.h: the labels in coordinates that are smooth where the labels are not. nu1 and nu2 are nearly equal,
 * (m2 - m1)/m2 being 1.5 % with inverted ordering, and their eigenvectors turn wildly where the mass matrix n = U* D U^+ hardly
 * moves; nu3 stands apart, and u = (U_e3, U_mu3, U_tau3) and m3 are smooth. So is what n does in the plane orthogonal to u. With
 * c13^2 = 1 - |u_e|^2 take
 *
 *     f_1 = (e - u u_e*) / c13  (e the electron),   f_2 = w (0, u_tau*, -u_mu*) / c13,   w = u_e* u_mu u_tau / |u_e u_mu u_tau|,
 *     N = f^T n f,  symmetric, 2 x 2,   z = (-i (N_11 - N_22)/2, (N_11 + N_22)/2, i N_12)  in C^3.
 *
 * Then N^+ N = h + kappa . (sigma_x, -sigma_y, sigma_z) with h = |z|^2 = (m1^2 + m2^2)/2 and
 *
 *     kappa = 2 Re z x Im z = (dm21/2) (sin 2 theta12 cos delta, +-sin 2 theta12 sin delta, -cos 2 theta12).
 *
 * surface() gives, with g = m3^2 - h in units of 10^2k eV^2,
 *
 *     c = (log10 |g| [eV^2], theta13, theta23, kappa_z/|g|, kappa_x/|g|, kappa_y/|g|).
 *
 * approach() takes the way from c to the c* of the labels for normal ordering. For inverted ordering m1 and m2 are nearly equal:
 * Re z and Im z are nearly parallel, and kappa can hardly turn out of the plane orthogonal to both, its derivative there being
 * as small as m2 - m1. But labels ask for a direction kappa*, and kappa || kappa* says that z is orthogonal to it: two real
 * conditions, linear in N. So there it takes the way to
 *
 *     z . kappa* / (|z| |kappa*|) -> 0,   kappa . kappa* / (|g| |kappa*|) -> |kappa*|/|g*|
 *
 * in place of c_3..5. The labels leave the sign of kappa*_y, which is that of sin delta, open: the nearer one is taken. */

/* The plane orthogonal to nu3, and what changes of it are made of. */
typedef struct plane {
    vc v[2][2], n11, n12, n22;     /* v = (U_j^+ f_a), j and a = 1, 2 */
    vc lead;                       /* -w* u_e* / c13^2 */
    vd p[3], inverse_p[3];         /* |u_a|^2 */
    vd inverse_rest, by13, by23;   /* 1 / c13^2; d theta13 / d p[0], and of theta23 */
    vc z[3];
    vd gap, theta13, theta23;      /* gap: g */
    vd kappa[3], h;
    vd size, inverse_size, inverse_gap; /* |g| */
    vd toward[3], along;           /* approach(): direction of kappa*, kappa along it, and of z: */
    vc off;
    vd inverse_h, inverse_length;  /* 1 / |z|^2, 1 / |z| */
} plane;

/* What a plane loses or wins in one direction. */
typedef struct shift {
    vc z[3];
    vd gap, theta13, theta23, kappa[3];
} shift;

INLINE void z_of(vc n11, vc n12, vc n22, vc z[3]) {
    vc difference = sub(n11, n22);
    z[0] = (vc){0.5 * difference.im, -0.5 * difference.re};
    z[1] = times(add(n11, n22), splat(0.5));
    z[2] = (vc){-n12.im, n12.re};
}

/* 2 (Re x_j Im y_k - Re x_k Im y_j) for (i, j, k) = (0, 1, 2) and so on. */
INLINE vd cross(const vc x[3], const vc y[3], int i) {
    int j = (i + 1) % 3, k = (i + 2) % 3;
    return 2.0 * (x[j].re * y[k].im - x[k].re * y[j].im);
}

INLINE vc along(const vc z[3], const vd direction[3]) {
    return add(add(times(z[0], direction[0]), times(z[1], direction[1])), times(z[2], direction[2]));
}

INLINE void fill_plane(const frame *f, plane *q) {
    const vc u[3] = {f->u[0][2], f->u[1][2], f->u[2][2]};
    for (int a = 0; a < 3; a++) {
        q->p[a] = norm2(u[a]);
        q->inverse_p[a] = 1.0 / q->p[a];
    }
    vd rest = q->p[1] + q->p[2], c13 = vsqrt(rest), inverse = 1.0 / c13;
    vc w = times(conj_mul(u[0], mul(u[1], u[2])), 1.0 / vsqrt(q->p[0] * q->p[1] * q->p[2]));
    for (int j = 0; j < 2; j++) {
        q->v[j][0] = times(c_conj(f->u[0][j]), inverse);
        q->v[j][1] = times(mul(w, c_conj(sub(mul(f->u[1][j], u[2]), mul(f->u[2][j], u[1])))), inverse);
    }
    q->n11 = add(times(mul(q->v[0][0], q->v[0][0]), f->d[0]), times(mul(q->v[1][0], q->v[1][0]), f->d[1]));
    q->n12 = add(times(mul(q->v[0][0], q->v[0][1]), f->d[0]), times(mul(q->v[1][0], q->v[1][1]), f->d[1]));
    q->n22 = add(times(mul(q->v[0][1], q->v[0][1]), f->d[0]), times(mul(q->v[1][1], q->v[1][1]), f->d[1]));
    z_of(q->n11, q->n12, q->n22, q->z);
    q->inverse_rest = 1.0 / rest;
    q->lead = times(c_conj(mul(w, u[0])), -q->inverse_rest);
    q->by13 = 0.5 / vsqrt(q->p[0] * rest);
    q->by23 = 0.5 / (vsqrt(q->p[1] * q->p[2]) * rest);
    q->gap = f->d[2] * f->d[2] - 0.5 * (f->d[0] * f->d[0] + f->d[1] * f->d[1]);
    q->theta13 = vatan_quadrant(vsqrt(q->p[0]), c13);
    q->theta23 = vatan_quadrant(vsqrt(q->p[1]), vsqrt(q->p[2]));
    q->h = norm2(q->z[0]) + norm2(q->z[1]) + norm2(q->z[2]);
    for (int i = 0; i < 3; i++) q->kappa[i] = cross(q->z, q->z, i);
    q->size = vabs(q->gap);
    q->inverse_gap = 1.0 / q->gap;
    q->inverse_size = vabs(q->inverse_gap);
}

/* First-order change along a direction with P = U^T dn U: du = sum_j U_j X_j3 as for the labels, and with
 * df_a = sum_b f_b O_ba + (what is along u, which n does not lead back),   dN = v^T P v + O^T N + N O,
 * O_11 = -i in_plane, O_22 = i other. */
INLINE void change(const plane *q, const frame *f, const vc p[FD_SYM], shift *out) {
    const vc u[3] = {f->u[0][2], f->u[1][2], f->u[2][2]}, two[2][2] = {{p[FD_EE], p[FD_EM]}, {p[FD_EM], p[FD_MM]}};
    vc du[3], vp[2][2], product[3], x0 = {p[FD_ET].re * f->minus[1], p[FD_ET].im * f->plus[1]};
    vc x1 = {p[FD_MT].re * f->minus[2], p[FD_MT].im * f->plus[2]};
    for (int a = 0; a < 3; a++) {
        du[a] = add(mul(f->u[a][0], x0), mul(f->u[a][1], x1));
        product[a] = conj_mul(u[a], du[a]);
    }
    vd in_plane = product[0].im * q->inverse_rest;
    vd other = in_plane - product[0].im * q->inverse_p[0] + product[1].im * q->inverse_p[1] + product[2].im * q->inverse_p[2];
    vc o21 = mul(q->lead, sub(mul(u[2], du[1]), mul(u[1], du[2]))), o12 = {-o21.re, o21.im};
    for (int j = 0; j < 2; j++)
        for (int a = 0; a < 2; a++) vp[j][a] = add(mul(two[j][0], q->v[0][a]), mul(two[j][1], q->v[1][a]));
    vc n11 = add(mul(q->v[0][0], vp[0][0]), mul(q->v[1][0], vp[1][0]));
    vc n12 = add(mul(q->v[0][0], vp[0][1]), mul(q->v[1][0], vp[1][1]));
    vc n22 = add(mul(q->v[0][1], vp[0][1]), mul(q->v[1][1], vp[1][1]));
    n11 = add(n11, times(add(turned(-in_plane, q->n11), mul(o21, q->n12)), splat(2)));
    n12 = add(n12, add(turned(other - in_plane, q->n12), add(mul(o21, q->n22), mul(o12, q->n11))));
    n22 = add(n22, times(add(mul(o12, q->n12), turned(other, q->n22)), splat(2)));
    z_of(n11, n12, n22, out->z);
    for (int i = 0; i < 3; i++) out->kappa[i] = cross(out->z, q->z, i) + cross(q->z, out->z, i);
    out->gap = 2.0 * f->d[2] * p[FD_TT].re - f->d[0] * p[FD_EE].re - f->d[1] * p[FD_MM].re;
    out->theta13 = 2.0 * product[0].re * q->by13;
    out->theta23 = 2.0 * (product[1].re * q->p[2] - product[2].re * q->p[1]) * q->by23;
}

/* c_3..5 in their order from what belongs to kappa_x, kappa_y, kappa_z. */
enum { OF_X = 4, OF_Y = 5, OF_Z = 3 };
static const int place_of[3] = {OF_X, OF_Y, OF_Z};

static inline void surface_slopes(const void *context, const frame *f, const vc p[FD_SYM], vd out[SEESAW_LABELS]) {
    const plane *q = context;
    shift d;
    change(q, f, p, &d);
    vd logarithm = d.gap * q->inverse_gap;
    out[0] = logarithm * (1 / ln10);
    out[1] = d.theta13;
    out[2] = d.theta23;
    for (int i = 0; i < 3; i++) out[place_of[i]] = (d.kappa[i] - q->kappa[i] * logarithm) * q->inverse_size;
}

static inline void orthogonal_slopes(const void *context, const frame *f, const vc p[FD_SYM], vd out[SEESAW_LABELS]) {
    const plane *q = context;
    shift d;
    vd change_of_kappa = splat(0), dh = splat(0);
    change(q, f, p, &d);
    for (int i = 0; i < 3; i++) {
        change_of_kappa += q->toward[i] * d.kappa[i];
        dh += q->z[i].re * d.z[i].re + q->z[i].im * d.z[i].im;
    }
    vc off = times(sub(along(d.z, q->toward), times(q->off, dh * q->inverse_h)), q->inverse_length);
    vd logarithm = d.gap * q->inverse_gap;
    out[0] = logarithm * (1 / ln10);
    out[1] = d.theta13;
    out[2] = d.theta23;
    out[3] = off.re;
    out[4] = off.im;
    out[5] = (change_of_kappa - q->along * logarithm) * q->inverse_size;
}

static void surface(const seesaw_setting *s, const double *theta, const seesaw_block *b, double *c, double *jacobian) {
    for (int w = 0; w < W; w += VW) {
        frame f;
        plane q;
        slots to = {s, SEESAW_SURFACE, jacobian ? jacobian + w : NULL};
        vd scale = load(b->scale + w);
        fill_frame(s, b, w, &f);
        fill_plane(&f, &q);
        store(vlog10(q.size * scale * scale), c + w);
        store(q.theta13, c + W + w);
        store(q.theta23, c + 2 * W + w);
        for (int i = 0; i < 3; i++) store(q.kappa[i] * q.inverse_size, c + place_of[i] * W + w);
        if (jacobian) fill_jacobian(surface_slopes, &q, &f, &to, theta + w, 1);
    }
}

/* Where labels lead: |g*|, both angles, kappa*; from the splittings and four of the nine moduli (|U_e2|, |U_e3|, |U_mu3| give the
 * angles, |U_mu1| cos delta). */
typedef struct goal {
    vd size, theta13, theta23, kappa[3]; /* kappa*_y >= 0 */
} goal;

INLINE goal goal_of(const double *labels) {
    vd e2 = load(labels + 3 * W), e3 = load(labels + 4 * W), m1 = load(labels + 5 * W), m3 = load(labels + 7 * W);
    e2 *= e2, e3 *= e3, m1 *= m1, m3 *= m3;
    vd rest = 1.0 - e3, s12 = e2 / rest, s23 = m3 / rest, dm21 = vexp10(load(labels)), dm3l = vexp10(load(labels + W));
    vd product = s12 * (1.0 - s12), twice = 2.0 * vsqrt(product * s23 * (1.0 - s23) * e3);
    vd cosine = (m1 - s12 * (1.0 - s23) - (1.0 - s12) * s23 * e3) / twice;
    cosine = vmax(vmin(cosine, splat(1)), splat(-1));
    vd flat = dm21 * vsqrt(product); /* sin 2 theta12 dm21 / 2 */
    return (goal){.size = vabs(dm3l - 0.5 * dm21),
                  .theta13 = vatan_quadrant(vsqrt(e3), vsqrt(rest)),
                  .theta23 = vatan_quadrant(vsqrt(m3), vsqrt(rest - m3)),
                  .kappa = {flat * cosine, flat * vsqrt(1.0 - cosine * cosine), dm21 * (s12 - 0.5)}};
}

/* How far a point is from kappa = wanted, both over |g|: squares of what z has along it and of what kappa lacks, over h. */
INLINE vd distance(const plane *q, const vd wanted[3]) {
    vd length2 = splat(0), product = splat(0);
    for (int i = 0; i < 3; i++) {
        length2 += wanted[i] * wanted[i];
        product += wanted[i] * q->kappa[i];
    }
    vd length = vsqrt(length2), lacks = (product / length - q->size * length) / q->h;
    return norm2(along(q->z, wanted)) / (length2 * q->h) + lacks * lacks;
}

/* The sign of kappa*_y (over |g*|): that of the point, or the one to which it is nearer. */
INLINE void choose_side(const seesaw_setting *s, const plane *q, vd wanted[3]) {
    const vd mirrored[3] = {wanted[0], -wanted[1], wanted[2]};
    if (s->inverted) wanted[1] = choose(distance(q, mirrored) < distance(q, wanted), mirrored[1], wanted[1]);
    else wanted[1] = vcopysign(wanted[1], q->kappa[1]);
}

/* What is missing, and direction of kappa*. */
INLINE void aim(const seesaw_setting *s, const double *labels, vd scale, plane *q, vd residual[SEESAW_SURFACE]) {
    goal to = goal_of(labels);
    vd wanted[3], inverse = 1.0 / to.size;
    for (int i = 0; i < 3; i++) wanted[i] = to.kappa[i] * inverse;
    choose_side(s, q, wanted);
    residual[0] = vlog10(to.size / (q->size * scale * scale));
    residual[1] = to.theta13 - q->theta13;
    residual[2] = to.theta23 - q->theta23;
    for (int i = 0; i < 3; i++) residual[place_of[i]] = wanted[i] - q->kappa[i] * q->inverse_size;
    if (!s->inverted) return;
    vd length = vsqrt(wanted[0] * wanted[0] + wanted[1] * wanted[1] + wanted[2] * wanted[2]);
    q->along = splat(0);
    for (int i = 0; i < 3; i++) {
        q->toward[i] = wanted[i] / length;
        q->along += q->toward[i] * q->kappa[i];
    }
    q->off = along(q->z, q->toward);
    q->inverse_h = 1.0 / q->h;
    q->inverse_length = vsqrt(q->inverse_h);
    residual[3] = -q->off.re * q->inverse_length;
    residual[4] = -q->off.im * q->inverse_length;
    residual[5] = length - q->along * q->inverse_size;
}

static void approach(const seesaw_setting *s, const double *theta, const seesaw_block *b, const double *labels,
                     double *residual, double *jacobian) {
    for (int w = 0; w < W; w += VW) {
        frame f;
        plane q;
        slots to = {s, SEESAW_SURFACE, jacobian + w};
        vd missing[SEESAW_SURFACE];
        fill_frame(s, b, w, &f);
        fill_plane(&f, &q);
        aim(s, labels + w, load(b->scale + w), &q, missing);
        for (int i = 0; i < SEESAW_SURFACE; i++) store(missing[i], residual + i * W + w);
        if (s->inverted) fill_jacobian(orthogonal_slopes, &q, &f, &to, theta + w, 1);
        else fill_jacobian(surface_slopes, &q, &f, &to, theta + w, 1);
    }
}
