/* Derivatives of the labels in closed form. With n = U* D U^+ (seesaw.h) and a direction t of parameter space,
 *
 *     P = U^T (dn/dt) U,   dd_j/dt = Re P_jj,   dU/dt = U X,   X anti-Hermitian,
 *     Re X_jl = -Re P_jl / (d_j - d_l),   Im X_jl = -Im P_jl / (d_j + d_l)   (j != l; X_jj is a phase and drops out)
 *     d|U_aj|/dt = Re[U_aj* (U X)_aj] / |U_aj|.
 *
 * With Q = U_aj* U_al, j < l, the pair (j, l) adds -g / |U_aj| and +g / |U_al| where g = Re Q Re X_jl + Im Q Im X_jl.
 * dn/dt is rank one or two in every direction, so P follows from V_ij = sum_b Y[i][b] U_bj:
 *
 *     Re Y[i][a]: P_jl = x_i (U_aj V_il + V_ij U_al);   Im Y[i][a]: i times that;
 *     r_i: -(x_i / r_i) V_ij V_il;   arg M_i: -i x_i V_ij V_il;   k: 2 on both logarithms, 0 on the moduli.
 *
 * Equal masses or a vanishing |U_aj| have no derivative: those entries are not finite. */
#include <math.h>

#include "physics/seesaw.h"

enum { W = FD_LANES };

static const int pair_j[3] = {0, 0, 1}, pair_l[3] = {1, 2, 2};
static const int sym_of_pair[3] = {FD_EM, FD_ET, FD_MT}, sym_of_diagonal[3] = {FD_EE, FD_MM, FD_TT};

typedef seesaw_frame frame;
typedef seesaw_direction direction;

static void mixing_frame(const seesaw_model *model, const seesaw_block *restrict b, frame *restrict f) {
    for (int i = 0; i < 9; i++) {
        int a = i / 3, j = i % 3, c = model->column[j];
#pragma omp simd
        for (int w = 0; w < W; w++) {
            f->u_re[a][j][w] = b->n.u_re[a][c][w];
            f->u_im[a][j][w] = b->n.u_im[a][c][w];
            f->inverse_modulus[a][j][w] = 1.0 / b->label[2 + i][w];
            double re = 0, im = 0;
            for (int k = 0; k < 3; k++) {
                re += b->y_re[a][k][w] * b->n.u_re[k][c][w] - b->y_im[a][k][w] * b->n.u_im[k][c][w];
                im += b->y_re[a][k][w] * b->n.u_im[k][c][w] + b->y_im[a][k][w] * b->n.u_re[k][c][w];
            }
            f->v_re[a][j][w] = re;
            f->v_im[a][j][w] = im;
        }
    }
    for (int a = 0; a < 3; a++)
        for (int p = 0; p < 3; p++) {
            int j = pair_j[p], l = pair_l[p];
#pragma omp simd
            for (int w = 0; w < W; w++) {
                f->q_re[a][p][w] = f->u_re[a][j][w] * f->u_re[a][l][w] + f->u_im[a][j][w] * f->u_im[a][l][w];
                f->q_im[a][p][w] = f->u_re[a][j][w] * f->u_im[a][l][w] - f->u_im[a][j][w] * f->u_re[a][l][w];
            }
        }
}

static void mass_frame(const seesaw_model *model, const seesaw_block *restrict b, frame *restrict f) {
    const double ln10 = 2.302585092994045684018;
    int low = model->base.options.ordering == FD_ORDERING_NORMAL ? 0 : 1;
    const double(*d)[W] = b->n.d;
    for (int p = 0; p < 3; p++) {
        const double *dj = d[model->column[pair_j[p]]], *dl = d[model->column[pair_l[p]]];
#pragma omp simd
        for (int w = 0; w < W; w++) {
            f->inverse_minus[p][w] = -1.0 / (dj[w] - dl[w]);
            f->inverse_plus[p][w] = -1.0 / (dj[w] + dl[w]);
        }
    }
    for (int l = 0; l < 2; l++) {
        int up = l == 0 ? 1 : 2, down = l == 0 ? 0 : low, rest = 3 - up - down;
        const double *du = d[model->column[up]], *dd = d[model->column[down]];
#pragma omp simd
        for (int w = 0; w < W; w++) {
            double factor = 2.0 / (ln10 * (du[w] - dd[w]) * (du[w] + dd[w]));
            f->mass_weight[l][up][w] = du[w] * factor;
            f->mass_weight[l][down][w] = -dd[w] * factor;
            f->mass_weight[l][rest][w] = 0;
        }
    }
}

/* P of a direction to the derivatives of the labels. */
static void label_slopes(const void *context, direction *restrict t) {
    const frame *restrict f = context;
    for (int l = 0; l < 2; l++) {
#pragma omp simd
        for (int w = 0; w < W; w++)
            t->out[l][w] = f->mass_weight[l][0][w] * t->p_re[sym_of_diagonal[0]][w] +
                             f->mass_weight[l][1][w] * t->p_re[sym_of_diagonal[1]][w] +
                             f->mass_weight[l][2][w] * t->p_re[sym_of_diagonal[2]][w];
    }
    double x_re[3][W], x_im[3][W];
    for (int p = 0; p < 3; p++)
#pragma omp simd
        for (int w = 0; w < W; w++) {
            x_re[p][w] = t->p_re[sym_of_pair[p]][w] * f->inverse_minus[p][w];
            x_im[p][w] = t->p_im[sym_of_pair[p]][w] * f->inverse_plus[p][w];
        }
    for (int a = 0; a < 3; a++)
#pragma omp simd
        for (int w = 0; w < W; w++) {
            double g12 = f->q_re[a][0][w] * x_re[0][w] + f->q_im[a][0][w] * x_im[0][w];
            double g13 = f->q_re[a][1][w] * x_re[1][w] + f->q_im[a][1][w] * x_im[1][w];
            double g23 = f->q_re[a][2][w] * x_re[2][w] + f->q_im[a][2][w] * x_im[2][w];
            t->out[2 + 3 * a][w] = -(g12 + g13) * f->inverse_modulus[a][0][w];
            t->out[3 + 3 * a][w] = (g12 - g23) * f->inverse_modulus[a][1][w];
            t->out[4 + 3 * a][w] = (g13 + g23) * f->inverse_modulus[a][2][w];
        }
}

/* P_jl = x_i (U_aj V_il + V_ij U_al). */
static void yukawa_direction(const seesaw_block *restrict b, const frame *restrict f, int i, int a,
                             direction *restrict t) {
    for (int e = 0, j = 0; j < 3; j++)
        for (int l = j; l < 3; l++, e++) {
            const double *uj_re = f->u_re[a][j], *uj_im = f->u_im[a][j], *ul_re = f->u_re[a][l], *ul_im = f->u_im[a][l];
            const double *vj_re = f->v_re[i][j], *vj_im = f->v_im[i][j], *vl_re = f->v_re[i][l], *vl_im = f->v_im[i][l];
#pragma omp simd
            for (int w = 0; w < W; w++) {
                double re = uj_re[w] * vl_re[w] - uj_im[w] * vl_im[w] + (vj_re[w] * ul_re[w] - vj_im[w] * ul_im[w]);
                double im = uj_re[w] * vl_im[w] + uj_im[w] * vl_re[w] + (vj_re[w] * ul_im[w] + vj_im[w] * ul_re[w]);
                t->p_re[e][w] = b->x_re[i][w] * re - b->x_im[i][w] * im;
                t->p_im[e][w] = b->x_re[i][w] * im + b->x_im[i][w] * re;
            }
        }
}

/* P_jl = x_i V_ij V_il: minus r_i times the derivative by r_i. */
static void majorana_direction(const seesaw_block *restrict b, const frame *restrict f, int i, direction *restrict t) {
    for (int e = 0, j = 0; j < 3; j++)
        for (int l = j; l < 3; l++, e++) {
            const double *vj_re = f->v_re[i][j], *vj_im = f->v_im[i][j], *vl_re = f->v_re[i][l], *vl_im = f->v_im[i][l];
#pragma omp simd
            for (int w = 0; w < W; w++) {
                double re = vj_re[w] * vl_re[w] - vj_im[w] * vl_im[w], im = vj_re[w] * vl_im[w] + vj_im[w] * vl_re[w];
                t->p_re[e][w] = b->x_re[i][w] * re - b->x_im[i][w] * im;
                t->p_im[e][w] = b->x_re[i][w] * im + b->x_im[i][w] * re;
            }
        }
}

/* P times i (sign = +1) or -i (sign = -1). */
static void quarter_turn(direction *restrict t, double sign) {
    for (int e = 0; e < FD_SYM; e++)
#pragma omp simd
        for (int w = 0; w < W; w++) {
            double re = t->p_re[e][w];
            t->p_re[e][w] = -sign * t->p_im[e][w];
            t->p_im[e][w] = sign * re;
        }
}

/* One column of the Jacobian, n_params wide, of `count` lanes. factor scales each lane (NULL: 1). */
static void store(const direction *t, int n_out, int count, int n_params, int param, const double *factor,
                  double *jacobian) {
    for (int w = 0; w < count; w++)
        for (int l = 0; l < n_out; l++)
            jacobian[(size_t)(w * n_out + l) * (size_t)n_params + (size_t)param] = t->out[l][w] * (factor ? factor[w] : 1.0);
}

void seesaw_fill_frame(const seesaw_model *model, const seesaw_block *b, seesaw_frame *f) {
    mixing_frame(model, b, f);
    mass_frame(model, b, f);
}

void seesaw_jacobian(const seesaw_model *model, const seesaw_block *b, const seesaw_frame *f, int count,
                     const double *theta, int n_out, const double *by_k,
                     void (*slopes)(const void *context, seesaw_direction *t), const void *context, double *jacobian) {
    int n_params = model->base.n_params;
    direction t;
    for (int i = 0; i < 9; i++) {
        yukawa_direction(b, f, i / 3, i % 3, &t);
        slopes(context, &t);
        store(&t, n_out, count, n_params, i, NULL, jacobian);
        quarter_turn(&t, 1);
        slopes(context, &t);
        store(&t, n_out, count, n_params, 9 + i, NULL, jacobian);
    }
    for (int i = 0; i < 2; i++) {
        double factor[W];
        for (int w = 0; w < count; w++) factor[w] = -1.0 / theta[w * n_params + SEESAW_R1 + i];
        majorana_direction(b, f, i, &t);
        slopes(context, &t);
        store(&t, n_out, count, n_params, SEESAW_R1 + i, factor, jacobian);
        if (n_params != SEESAW_PARAMS) continue;
        quarter_turn(&t, -1);
        slopes(context, &t);
        store(&t, n_out, count, n_params, SEESAW_ARG1 + i, NULL, jacobian);
    }
    for (int l = 0; l < n_out; l++)
        for (int w = 0; w < W; w++) t.out[l][w] = by_k[l];
    store(&t, n_out, count, n_params, SEESAW_K, NULL, jacobian);
}

/* Labels that are not finite have no slopes. */
static void blank(const seesaw_block *b, int count, size_t n_params, double *jacobian) {
    for (int w = 0; w < count; w++)
        for (size_t i = 0; !b->finite[w] && i < SEESAW_LABELS * n_params; i++)
            jacobian[(size_t)w * SEESAW_LABELS * n_params + i] = NAN;
}

void seesaw_derivatives(const fd_model *base, size_t n, const double *theta, double *labels, double *jacobian) {
    const seesaw_model *model = (const seesaw_model *)base;
    size_t n_params = (size_t)base->n_params;
    static const double by_k[SEESAW_LABELS] = {2, 2};
    seesaw_block block;
    seesaw_frame f;
    for (size_t first = 0; first < n; first += W) {
        int count = n - first < W ? (int)(n - first) : W;
        const double *rows = theta + first * n_params;
        seesaw_evaluate(model, count, rows, &block);
        double *out = jacobian + first * SEESAW_LABELS * n_params;
        seesaw_fill_frame(model, &block, &f);
        seesaw_jacobian(model, &block, &f, count, rows, SEESAW_LABELS, by_k, label_slopes, &f, out);
        blank(&block, count, n_params, out);
        for (int w = 0; labels && w < count; w++)
            for (int l = 0; l < SEESAW_LABELS; l++)
                labels[(first + (size_t)w) * SEESAW_LABELS + (size_t)l] = block.finite[w] ? block.label[l][w] : NAN;
    }
}
