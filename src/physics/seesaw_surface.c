/* The labels in coordinates that are smooth where the labels are not. nu1 and nu2 are nearly equal, (m2 - m1)/m2 being 1.5 % with
 * inverted ordering, and their eigenvectors turn wildly where the mass matrix n = U* D U^+ hardly moves; nu3 stands apart, and
 * u = (U_e3, U_mu3, U_tau3) and m3 are smooth. So is what n does in the plane orthogonal to u. With c13^2 = 1 - |u_e|^2 take
 *
 *     f_1 = (e - u u_e*) / c13  (e the electron),   f_2 = w (0, u_tau*, -u_mu*) / c13,   w = u_e* u_mu u_tau / |u_e u_mu u_tau|,
 *     N = f^T n f,  symmetric, 2 x 2,   z = (-i (N_11 - N_22)/2, (N_11 + N_22)/2, i N_12)  in C^3.
 *
 * Then N^+ N = h + kappa . (sigma_x, -sigma_y, sigma_z) with h = |z|^2 = (m1^2 + m2^2)/2 and
 *
 *     kappa = 2 Re z x Im z = (dm21/2) (sin 2 theta12 cos phi, sin 2 theta12 sin phi, -cos 2 theta12),
 *
 * phi being delta but for a constant. surface() gives, with g = m3^2 - h in units of 10^2k eV^2,
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
#include <math.h>

#include "physics/pmns.h"
#include "physics/seesaw.h"

enum { W = FD_LANES };

static const double ln10 = 2.302585092994045684018;

/* One point, or its change along a direction. */
typedef struct place {
    double gap, theta13, theta23; /* gap: g */
    double complex z[3];
} place;

/* What changes of a place are made of. */
typedef struct plane {
    double complex u[3], w, v[2][2], n11, n12, n22; /* u: nu3; v = (U_j^+ f_a), j and a = 1, 2 */
    double p[3], rest, d[3];                        /* |u_a|^2, c13^2, masses in units of 10^k eV */
    place at;
} plane;

static void z_of(double complex n11, double complex n12, double complex n22, double complex z[3]) {
    z[0] = -0.5 * I * (n11 - n22);
    z[1] = 0.5 * (n11 + n22);
    z[2] = I * n12;
}

static void fill_plane(const double complex u[3][3], const double d[3], plane *q) {
    double product = 1;
    for (int a = 0; a < 3; a++) {
        q->u[a] = u[a][2];
        q->p[a] = creal(u[a][2]) * creal(u[a][2]) + cimag(u[a][2]) * cimag(u[a][2]);
        q->d[a] = d[a];
        product *= q->p[a];
    }
    q->rest = q->p[1] + q->p[2];
    q->w = conj(q->u[0]) * q->u[1] * q->u[2] / sqrt(product);
    double c13 = sqrt(q->rest);
    for (int j = 0; j < 2; j++) {
        q->v[j][0] = conj(u[0][j]) / c13;
        q->v[j][1] = q->w * (conj(u[1][j]) * conj(q->u[2]) - conj(u[2][j]) * conj(q->u[1])) / c13;
    }
    q->n11 = d[0] * q->v[0][0] * q->v[0][0] + d[1] * q->v[1][0] * q->v[1][0];
    q->n12 = d[0] * q->v[0][0] * q->v[0][1] + d[1] * q->v[1][0] * q->v[1][1];
    q->n22 = d[0] * q->v[0][1] * q->v[0][1] + d[1] * q->v[1][1] * q->v[1][1];
    z_of(q->n11, q->n12, q->n22, q->at.z);
    q->at.gap = d[2] * d[2] - 0.5 * (d[0] * d[0] + d[1] * d[1]);
    q->at.theta13 = atan2(sqrt(q->p[0]), c13);
    q->at.theta23 = atan2(sqrt(q->p[1]), sqrt(q->p[2]));
}

static void cross(const double complex x[3], const double complex y[3], double out[3]) {
    for (int i = 0; i < 3; i++) {
        int j = (i + 1) % 3, k = (i + 2) % 3;
        out[i] = 2 * (creal(x[j]) * cimag(y[k]) - creal(x[k]) * cimag(y[j]));
    }
}

/* First-order change along a direction with P = U^T dn U: du = sum_j U_j X_j3 as in seesaw_derivatives.c, and with
 * df_a = sum_b f_b O_ba + (what is along u, which n does not lead back),   dN = v^T P v + O^T N + N O. */
static void change(const plane *q, const seesaw_frame *f, const seesaw_direction *t, int w, place *out) {
    double complex du[3], p[2][2], vp[2][2], x[2];
    double dp[3], turn[3];
    for (int j = 0; j < 2; j++) {
        int e = j == 0 ? FD_ET : FD_MT, pair = 1 + j;
        x[j] = t->p_re[e][w] * f->inverse_minus[pair][w] + I * (t->p_im[e][w] * f->inverse_plus[pair][w]);
    }
    for (int a = 0; a < 3; a++) {
        du[a] = (f->u_re[a][0][w] + I * f->u_im[a][0][w]) * x[0] + (f->u_re[a][1][w] + I * f->u_im[a][1][w]) * x[1];
        double complex product = conj(q->u[a]) * du[a];
        dp[a] = 2 * creal(product);
        turn[a] = cimag(product) / q->p[a];
    }
    p[0][0] = t->p_re[FD_EE][w] + I * t->p_im[FD_EE][w];
    p[0][1] = p[1][0] = t->p_re[FD_EM][w] + I * t->p_im[FD_EM][w];
    p[1][1] = t->p_re[FD_MM][w] + I * t->p_im[FD_MM][w];
    double in_plane = turn[0] * q->p[0] / q->rest;
    double complex o11 = -I * in_plane, o22 = I * (in_plane - turn[0] + turn[1] + turn[2]);
    double complex o21 = -conj(q->w) * conj(q->u[0]) * (q->u[2] * du[1] - q->u[1] * du[2]) / q->rest, o12 = -conj(o21);
    for (int j = 0; j < 2; j++)
        for (int a = 0; a < 2; a++) vp[j][a] = p[j][0] * q->v[0][a] + p[j][1] * q->v[1][a];
    double complex n11 = q->v[0][0] * vp[0][0] + q->v[1][0] * vp[1][0] + 2 * (o11 * q->n11 + o21 * q->n12);
    double complex n12 = q->v[0][0] * vp[0][1] + q->v[1][0] * vp[1][1] + (o11 + o22) * q->n12 + o21 * q->n22 + o12 * q->n11;
    double complex n22 = q->v[0][1] * vp[0][1] + q->v[1][1] * vp[1][1] + 2 * (o12 * q->n12 + o22 * q->n22);
    z_of(n11, n12, n22, out->z);
    out->gap = 2 * q->d[2] * t->p_re[FD_TT][w] - q->d[0] * creal(p[0][0]) - q->d[1] * creal(p[1][1]);
    out->theta13 = 0.5 * dp[0] / sqrt(q->p[0] * q->rest);
    out->theta23 = 0.5 * (dp[1] * q->p[2] - dp[2] * q->p[1]) / (sqrt(q->p[1] * q->p[2]) * q->rest);
}

/* All lanes of a block, and where they are to go: kappa*'s direction and its length over |g*|. */
typedef struct context {
    seesaw_frame frame;
    plane plane[W];
    double kappa[W][3], toward[W][3];
} context;

static void surface_slopes(const void *from, seesaw_direction *t) {
    const context *c = from;
    for (int w = 0; w < W; w++) {
        const plane *q = &c->plane[w];
        place d;
        double left[3], right[3], size = fabs(q->at.gap);
        change(q, &c->frame, t, w, &d);
        cross(d.z, q->at.z, left);
        cross(q->at.z, d.z, right);
        double logarithm = d.gap / q->at.gap;
        t->out[0][w] = logarithm / ln10;
        t->out[1][w] = d.theta13;
        t->out[2][w] = d.theta23;
        for (int i = 0; i < 3; i++)
            t->out[3 + (i + 1) % 3][w] = (left[i] + right[i] - c->kappa[w][i] * logarithm) / size;
    }
}

static double square_modulus(double complex x) { return creal(x) * creal(x) + cimag(x) * cimag(x); }

static double square(const double complex z[3]) {
    double sum = 0;
    for (int i = 0; i < 3; i++) sum += square_modulus(z[i]);
    return sum;
}

static double complex along(const double complex z[3], const double direction[3]) {
    return z[0] * direction[0] + z[1] * direction[1] + z[2] * direction[2];
}

static void approach_slopes(const void *from, seesaw_direction *t) {
    const context *c = from;
    for (int w = 0; w < W; w++) {
        const plane *q = &c->plane[w];
        const double *toward = c->toward[w];
        place d;
        double left[3], right[3], change_of_kappa = 0, kappa = 0, size = fabs(q->at.gap), h = square(q->at.z), dh = 0;
        change(q, &c->frame, t, w, &d);
        cross(d.z, q->at.z, left);
        cross(q->at.z, d.z, right);
        for (int i = 0; i < 3; i++) {
            change_of_kappa += toward[i] * (left[i] + right[i]);
            kappa += toward[i] * c->kappa[w][i];
            dh += creal(conj(q->at.z[i]) * d.z[i]);
        }
        double complex off = (along(d.z, toward) - along(q->at.z, toward) * (dh / h)) / sqrt(h);
        double logarithm = d.gap / q->at.gap;
        t->out[0][w] = logarithm / ln10;
        t->out[1][w] = d.theta13;
        t->out[2][w] = d.theta23;
        t->out[3][w] = creal(off);
        t->out[4][w] = cimag(off);
        t->out[5][w] = (change_of_kappa - kappa * logarithm) / size;
    }
}

static void fill_context(const seesaw_model *model, const seesaw_block *b, context *c) {
    seesaw_fill_frame(model, b, &c->frame);
    for (int w = 0; w < W; w++) {
        double complex u[3][3];
        double d[3];
        for (int j = 0; j < 3; j++) {
            d[j] = b->n.d[model->column[j]][w];
            for (int a = 0; a < 3; a++) u[a][j] = c->frame.u_re[a][j][w] + I * c->frame.u_im[a][j][w];
        }
        fill_plane(u, d, &c->plane[w]);
        cross(c->plane[w].at.z, c->plane[w].at.z, c->kappa[w]);
    }
}

static const double by_k[SEESAW_SURFACE] = {2};

void seesaw_surface(const fd_model *base, size_t n, const double *theta, double *c, double *jacobian) {
    const seesaw_model *model = (const seesaw_model *)base;
    size_t n_params = (size_t)base->n_params;
    seesaw_block block;
    context x;
    for (size_t first = 0; first < n; first += W) {
        int count = n - first < W ? (int)(n - first) : W;
        const double *rows = theta + first * n_params;
        seesaw_evaluate(model, count, rows, &block);
        fill_context(model, &block, &x);
        for (int w = 0; w < count; w++) {
            const place *at = &x.plane[w].at;
            double *out = c + (first + (size_t)w) * SEESAW_SURFACE, size = fabs(at->gap);
            out[0] = log10(size * block.scale[w] * block.scale[w]);
            out[1] = at->theta13;
            out[2] = at->theta23;
            for (int i = 0; i < 3; i++) out[3 + (i + 1) % 3] = x.kappa[w][i] / size;
        }
        if (jacobian)
            seesaw_jacobian(model, &block, &x.frame, count, rows, SEESAW_SURFACE, by_k, surface_slopes, &x,
                            jacobian + first * SEESAW_SURFACE * n_params);
    }
}

/* A place with these labels, m1 or m3 being zero: from the splittings and four of the nine moduli (|U_e2|, |U_e3|, |U_mu3|
 * give the angles, |U_mu1| cos delta). */
static void place_of_labels(const seesaw_model *model, const double *label, place *at, double kappa[3]) {
    double e2 = label[3] * label[3], e3 = label[4] * label[4], m1 = label[5] * label[5], m3 = label[7] * label[7];
    double s12 = e2 / (1 - e3), s23 = m3 / (1 - e3), re[3][3], im[3][3];
    double twice = 2 * sqrt(s12 * (1 - s12) * s23 * (1 - s23) * e3);
    double cosine = fmax(-1, fmin(1, (m1 - s12 * (1 - s23) - (1 - s12) * s23 * e3) / twice));
    double dm21 = pow(10, label[0]), dm3l = pow(10, label[1]);
    double complex u[3][3];
    bool normal = model->base.options.ordering == FD_ORDERING_NORMAL;
    double d[3] = {normal ? 0 : sqrt(dm3l - dm21), normal ? sqrt(dm21) : sqrt(dm3l), normal ? sqrt(dm3l) : 0};
    plane q;
    fd_mixing_dirac(s12, e3, s23, cosine, sqrt(1 - cosine * cosine), re, im);
    for (int i = 0; i < 9; i++) u[i / 3][i % 3] = re[i / 3][i % 3] + I * im[i / 3][i % 3];
    fill_plane((const double complex(*)[3])u, d, &q);
    *at = q.at;
    cross(q.at.z, q.at.z, kappa);
}

/* Which way approach() goes. */
static bool along_kappa(const seesaw_model *model) { return model->base.options.ordering == FD_ORDERING_NORMAL; }

/* How far a point is from kappa = wanted, both over |g|: squares of what z has along it and of what kappa lacks, over h. */
static double distance(const place *at, const double kappa[3], const double wanted[3]) {
    double length = 0, product = 0, h = square(at->z), size = fabs(at->gap);
    for (int i = 0; i < 3; i++) {
        length += wanted[i] * wanted[i];
        product += wanted[i] * kappa[i];
    }
    double lacks = (product / sqrt(length) - size * sqrt(length)) / h;
    return square_modulus(along(at->z, wanted)) / (length * h) + lacks * lacks;
}

/* The sign of kappa*_y (over |g*|): that of the point, or the one to which it is nearer. */
static void choose_side(const seesaw_model *model, const context *x, int w, double wanted[3]) {
    const place *at = &x->plane[w].at;
    const double mirrored[3] = {wanted[0], -wanted[1], wanted[2]};
    if (along_kappa(model)) wanted[1] = copysign(wanted[1], x->kappa[w][1]);
    else if (distance(at, x->kappa[w], mirrored) < distance(at, x->kappa[w], wanted)) wanted[1] = -wanted[1];
}

/* What is missing, and direction of kappa*, of one lane. */
static void aim(const seesaw_model *model, const double *labels, double scale, context *x, int w, double *residual) {
    const place *at = &x->plane[w].at;
    place target;
    double wanted[3], length, kappa = 0, size = fabs(at->gap);
    place_of_labels(model, labels, &target, wanted);
    for (int i = 0; i < 3; i++) wanted[i] /= fabs(target.gap);
    choose_side(model, x, w, wanted);
    length = sqrt(wanted[0] * wanted[0] + wanted[1] * wanted[1] + wanted[2] * wanted[2]);
    for (int i = 0; i < 3; i++) {
        x->toward[w][i] = wanted[i] / length;
        kappa += x->toward[w][i] * x->kappa[w][i];
    }
    double complex off = along(at->z, x->toward[w]) / sqrt(square(at->z));
    residual[0] = log10(fabs(target.gap)) - log10(size * scale * scale);
    residual[1] = target.theta13 - at->theta13;
    residual[2] = target.theta23 - at->theta23;
    for (int i = 0; i < 3; i++) residual[3 + (i + 1) % 3] = wanted[i] - x->kappa[w][i] / size;
    if (along_kappa(model)) return;
    residual[3] = -creal(off);
    residual[4] = -cimag(off);
    residual[5] = length - kappa / size;
}

void seesaw_approach(const fd_model *base, size_t n, const double *theta, const double *labels, double *residual,
                     double *jacobian) {
    const seesaw_model *model = (const seesaw_model *)base;
    size_t n_params = (size_t)base->n_params;
    seesaw_block block;
    context x;
    for (size_t first = 0; first < n; first += W) {
        int count = n - first < W ? (int)(n - first) : W;
        const double *rows = theta + first * n_params;
        seesaw_evaluate(model, count, rows, &block);
        fill_context(model, &block, &x);
        for (int w = 0; w < W; w++) {
            double spare[SEESAW_SURFACE];
            size_t row = first + (size_t)(w < count ? w : count - 1);
            aim(model, labels + row * SEESAW_LABELS, block.scale[w], &x, w,
                w < count ? residual + row * SEESAW_SURFACE : spare);
        }
        seesaw_jacobian(model, &block, &x.frame, count, rows, SEESAW_SURFACE, by_k,
                        along_kappa(model) ? surface_slopes : approach_slopes, &x,
                        jacobian + first * SEESAW_SURFACE * n_params);
    }
}
