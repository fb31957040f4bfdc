/* Part of seesaw_body.h: parameters to the mass matrix and the labels of eq. (2.16). */

static const int ascending[2][3] = {{0, 1, 2}, {1, 2, 0}}; /* [inverted] */

static void factorise(seesaw_block *b) {
    for (int w = 0; w < W; w += VW) {
        vc y[3][3], x[3];
        for (int i = 0; i < 3; i++) {
            x[i] = c_load(b->x_re[i] + w, b->x_im[i] + w);
            for (int a = 0; a < 3; a++) y[i][a] = c_load(b->y_re[i][a] + w, b->y_im[i][a] + w);
        }
        for (int e = 0, a = 0; a < 3; a++)
            for (int c = a; c < 3; c++, e++) {
                vc sum = mul(mul(y[0][a], y[0][c]), x[0]);
                for (int i = 1; i < 3; i++) sum = add(sum, mul(mul(y[i][a], y[i][c]), x[i]));
                store(sum.re, b->n.m_re[e] + w);
                store(sum.im, b->n.m_im[e] + w);
            }
    }
    FD_TAKAGI(&b->n);
}

/* x_i and 10^k of lanes w.. */
INLINE void unpack(const seesaw_setting *s, const double *theta, int w, seesaw_block *b) {
    for (int i = 0; i < 2; i++) {
        vd sine = {0}, cosine = splat(1), inverse = 1.0 / load(theta + (SEESAW_R1 + i) * W + w);
        if (s->n_params == SEESAW_PARAMS) vsincos(load(theta + (SEESAW_ARG1 + i) * W + w), &sine, &cosine);
        store(cosine * inverse, b->x_re[i] + w);
        store(-sine * inverse, b->x_im[i] + w);
    }
    store(splat(1), b->x_re[2] + w);
    store(splat(0), b->x_im[2] + w);
    store(vexp10(load(theta + SEESAW_K * W + w)), b->scale + w);
}

/* Labels of eq. (2.16), and whether they and the heavy masses are finite. */
INLINE void fill_labels(const seesaw_setting *s, const double *theta, int w, seesaw_block *b) {
    const int *column = ascending[s->inverted];
    vd d[3], scale = load(b->scale + w), sum = vabs(load(theta + SEESAW_R1 * W + w)) + vabs(load(theta + SEESAW_R2 * W + w));
    for (int j = 0; j < 3; j++) d[j] = load(b->n.d[column[j]] + w);
    vd lower = d[s->inverted], square = scale * scale;
    vd label[2] = {(d[1] - d[0]) * (d[1] + d[0]) * square, (d[2] - lower) * (d[2] + lower) * square};
    sum = s->heavy / scale * (1.0 + sum);
    for (int l = 0; l < 2; l++) {
        label[l] = vlog10(vabs(label[l]));
        store(label[l], b->label[l] + w);
        sum += vabs(label[l]);
    }
    for (int i = 0; i < 9; i++) {
        int j = column[i % 3];
        vd modulus = vsqrt(norm2(c_load(b->n.u_re[i / 3][j] + w, b->n.u_im[i / 3][j] + w)));
        store(modulus, b->label[2 + i] + w);
        sum += modulus;
    }
    store(sum - sum, b->poison + w);
}

static void evaluate(const seesaw_setting *s, const double *theta, seesaw_block *b) {
    memcpy(b->y_re, theta, sizeof b->y_re);
    memcpy(b->y_im, theta + 9 * W, sizeof b->y_im);
    for (int w = 0; w < W; w += VW) unpack(s, theta, w, b);
    factorise(b);
    for (int w = 0; w < W; w += VW) fill_labels(s, theta, w, b);
}
