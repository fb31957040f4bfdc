/* Part of seesaw_body.h: derivatives of the labels in closed form. With n = U* D U^+ (seesaw.h) and a direction t of parameter
 * space,
 *
 *     P = U^T (dn/dt) U,   dd_j/dt = Re P_jj,   dU/dt = U X,   X anti-Hermitian,
 *     Re X_jl = -Re P_jl / (d_j - d_l),   Im X_jl = -Im P_jl / (d_j + d_l)   (j != l; X_jj is a phase and drops out)
 *     d|U_aj|/dt = Re[U_aj* (U X)_aj] / |U_aj|.
 *
 * With Q = U_aj* U_al, j < l, the pair (j, l) adds -g / |U_aj| and +g / |U_al| where g = Re Q Re X_jl + Im Q Im X_jl.
 * dn/dt is rank one or two in every direction, so P follows from V_ij = sum_b Y[i][b] U_bj:
 *
 *     Re Y[i][a]: P_jl = x_i (U_aj V_il + V_ij U_al);   Im Y[i][a]: i times that;
 *     r_i: -(x_i / r_i) V_ij V_il;   arg M_i: -i x_i V_ij V_il;   k: 2 on logarithms of squared masses, 0 on the mixing.
 *
 * Equal masses or a vanishing |U_aj| have no derivative: those entries are not finite. */

static const int pair_j[3] = {0, 0, 1}, pair_l[3] = {1, 2, 2};
static const int sym_of_pair[3] = {FD_EM, FD_ET, FD_MT}, sym_of_diagonal[3] = {FD_EE, FD_MM, FD_TT};
static const double ln10 = 2.302585092994045684018;

/* What the derivatives of lanes w.. need and that does not depend on the direction; columns in physical order. */
typedef struct frame {
    vc u[3][3], v[3][3], x[3];   /* V = Y U */
    vd d[3];
    vd minus[3], plus[3];        /* [pair]: -1 / (d_j - d_l), -1 / (d_j + d_l) */
} frame;

INLINE void fill_frame(const seesaw_setting *s, const seesaw_block *b, int w, frame *f) {
    const int *column = ascending[s->inverted];
    for (int j = 0; j < 3; j++) {
        f->d[j] = load(b->n.d[column[j]] + w);
        f->x[j] = c_load(b->x_re[j] + w, b->x_im[j] + w);
        for (int a = 0; a < 3; a++) f->u[a][j] = c_load(b->n.u_re[a][column[j]] + w, b->n.u_im[a][column[j]] + w);
    }
    for (int i = 0; i < 9; i++) {
        vc sum = {{0}, {0}};
        for (int a = 0; a < 3; a++)
            sum = add(sum, mul(c_load(b->y_re[i / 3][a] + w, b->y_im[i / 3][a] + w), f->u[a][i % 3]));
        f->v[i / 3][i % 3] = sum;
    }
    for (int p = 0; p < 3; p++) {
        f->minus[p] = -1.0 / (f->d[pair_j[p]] - f->d[pair_l[p]]);
        f->plus[p] = -1.0 / (f->d[pair_j[p]] + f->d[pair_l[p]]);
    }
}

/* P_jl = x_i (U_aj V_il + V_ij U_al). */
INLINE void yukawa_direction(const frame *f, int i, int a, vc p[FD_SYM]) {
    for (int e = 0, j = 0; j < 3; j++)
        for (int l = j; l < 3; l++, e++)
            p[e] = mul(f->x[i], add(mul(f->u[a][j], f->v[i][l]), mul(f->v[i][j], f->u[a][l])));
}

/* P_jl = x_i V_ij V_il: minus r_i times the derivative by r_i. */
INLINE void majorana_direction(const frame *f, int i, vc p[FD_SYM]) {
    for (int e = 0, j = 0; j < 3; j++)
        for (int l = j; l < 3; l++, e++) p[e] = mul(f->x[i], mul(f->v[i][j], f->v[i][l]));
}

/* P times i or -i. */
INLINE void quarter_turn(vc p[FD_SYM], double sign) {
    for (int e = 0; e < FD_SYM; e++) p[e] = (vc){-sign * p[e].im, sign * p[e].re};
}

/* Where the columns of a Jacobian go. */
typedef struct slots {
    const seesaw_setting *setting;
    int n_out;
    double *jacobian; /* of lanes w.. */
} slots;

INLINE void put(const slots *s, const vd *out, int param, vd factor) {
    factor *= s->setting->unit[param];
    for (int l = 0; l < s->n_out; l++) store(out[l] * factor, s->jacobian + (l * s->setting->n_params + param) * W);
}

/* P of a direction to the derivatives of whatever `context` tells. */
typedef void slopes_of(const void *context, const frame *f, const vc p[FD_SYM], vd out[SEESAW_LABELS]);

/* All columns, theta of lanes w..; the first n_mass functions rise by 2 per unit of k, the others do not. */
INLINE void fill_jacobian(slopes_of *slopes, const void *context, const frame *f, const slots *to, const double *theta,
                          int n_mass) {
    vc p[FD_SYM];
    vd out[SEESAW_LABELS], one = splat(1);
    for (int i = 0; i < 9; i++) {
        yukawa_direction(f, i / 3, i % 3, p);
        slopes(context, f, p, out);
        put(to, out, i, one);
        quarter_turn(p, 1);
        slopes(context, f, p, out);
        put(to, out, 9 + i, one);
    }
    for (int i = 0; i < 2; i++) {
        majorana_direction(f, i, p);
        slopes(context, f, p, out);
        put(to, out, SEESAW_R1 + i, -1.0 / load(theta + (SEESAW_R1 + i) * W));
        if (to->setting->n_params != SEESAW_PARAMS) continue;
        quarter_turn(p, -1);
        slopes(context, f, p, out);
        put(to, out, SEESAW_ARG1 + i, one);
    }
    for (int l = 0; l < to->n_out; l++) out[l] = splat(l < n_mass ? 2 : 0);
    put(to, out, SEESAW_K, one);
}

/* ---- of the labels ---------------------------------------------------------------------------------------------- */

typedef struct label_frame {
    vc q[3][3];               /* [row a][pair]: U_aj* U_al */
    vd inverse_modulus[3][3];
    vd mass_weight[2][3];     /* d log10|dm2| / dd_j */
} label_frame;

INLINE void fill_label_frame(const seesaw_setting *s, const seesaw_block *b, int w, const frame *f, label_frame *g) {
    for (int a = 0; a < 3; a++)
        for (int p = 0; p < 3; p++) {
            g->q[a][p] = conj_mul(f->u[a][pair_j[p]], f->u[a][pair_l[p]]);
            g->inverse_modulus[a][p] = 1.0 / load(b->label[2 + 3 * a + p] + w);
        }
    for (int l = 0; l < 2; l++) {
        int up = 1 + l, down = l == 0 ? 0 : s->inverted;
        vd factor = 2.0 / (ln10 * (f->d[up] - f->d[down]) * (f->d[up] + f->d[down]));
        g->mass_weight[l][3 - up - down] = splat(0);
        g->mass_weight[l][up] = f->d[up] * factor;
        g->mass_weight[l][down] = -f->d[down] * factor;
    }
}

/* P of a direction to the derivatives of the labels. */
static inline void label_slopes(const void *context, const frame *f, const vc p[FD_SYM], vd out[SEESAW_LABELS]) {
    const label_frame *g = context;
    vd x_re[3], x_im[3];
    for (int l = 0; l < 2; l++)
        out[l] = g->mass_weight[l][0] * p[sym_of_diagonal[0]].re + g->mass_weight[l][1] * p[sym_of_diagonal[1]].re +
                 g->mass_weight[l][2] * p[sym_of_diagonal[2]].re;
    for (int k = 0; k < 3; k++) {
        x_re[k] = p[sym_of_pair[k]].re * f->minus[k];
        x_im[k] = p[sym_of_pair[k]].im * f->plus[k];
    }
    for (int a = 0; a < 3; a++) {
        vd g12 = g->q[a][0].re * x_re[0] + g->q[a][0].im * x_im[0];
        vd g13 = g->q[a][1].re * x_re[1] + g->q[a][1].im * x_im[1];
        vd g23 = g->q[a][2].re * x_re[2] + g->q[a][2].im * x_im[2];
        out[2 + 3 * a] = -(g12 + g13) * g->inverse_modulus[a][0];
        out[3 + 3 * a] = (g12 - g23) * g->inverse_modulus[a][1];
        out[4 + 3 * a] = (g13 + g23) * g->inverse_modulus[a][2];
    }
}

static void derivatives(const seesaw_setting *s, const double *theta, const seesaw_block *b, double *jacobian) {
    for (int w = 0; w < W; w += VW) {
        frame f;
        label_frame g;
        slots to = {s, SEESAW_LABELS, jacobian + w};
        fill_frame(s, b, w, &f);
        fill_label_frame(s, b, w, &f, &g);
        fill_jacobian(label_slopes, &g, &f, &to, theta + w, 2);
    }
}
