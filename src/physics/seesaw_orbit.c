/* Exact draws from the prior restricted to a region of observables, by orbits of the mixing matrix.
 *
 * For V in U(3), Y -> Y V turns n = Y^T x Y = U* D U^+ into V^T n V: U -> V^+ U, and D, x, k and the norms |Y_i| of the
 * rows stay. So a mixing matrix can be chosen: Z = Y U has U = 1, and Y' = Z T^+ has U = T. If Y has a law that V leaves
 * alone and T is drawn from Haar measure, Y' has the law of Y, and T may then be drawn inside the windows of the angles.
 *
 * 1. An orbit. The prior's cube is not invariant; proposed instead are rows of uniform direction whose S_i = |Y_i|^2 has a law
 *    that is uniform within each of many bins. Its density relative to the cube's 2^-6 in R^6 is 1 / w(S),
 *
 *        w(S) = (pi^3 S^2 / 128) / q(S),   q: density of S;  pi^3 S^2 dS / 2 is the volume of a shell of R^6,
 *
 *    so the product of three w is the weight that turns proposals into the prior, if those outside the cube are dropped.
 *    The bins decide speed only, as w is exact whatever they are. x comes from the prior. Only the orbit matters: Y is taken
 *    lower triangular with real positive diagonal.
 * 2. Its masses. k is uniform in the interval where both mass-squared differences are inside their windows, for weight its
 *    length. Most proposals end here.
 * 3. Mixing. T = diag(e^{i phi}) R(angles, delta) diag(1, e^{i a}, e^{i b}), Haar: sin^2 of 12 and 23, cos^4 of 13 and all
 *    phases uniform. Kept when the moduli are inside their windows.
 * 4. The walls. phi_a turns the three numbers of column a of Y' together. A number of modulus m stays inside the square
 *    [-1, 1]^2 for a fraction f(m) of all phases,
 *
 *        f = 1 (m <= 1),   (4/pi) asin(1/m) - 1 (1 < m < sqrt 2),   0 beyond.
 *
 *    phi_a is drawn from what suits the largest number of its column, for weight f; then the others must fit too.
 *
 * Weights become counts. An orbit is given a whole number of tries whose mean is cluster * length * w1 w2 w3 / gain, and a try
 * survives with probability gain * f_e f_mu f_tau. As f(m) <= e^{-kappa (m^2 - 1)} with
 * kappa = SEESAW_WALL_DECAY, the product of f is at most
 * e^{-kappa (S - 3)} for the longest row, and gain is its inverse: nothing is capped and nothing lost. */
#include <math.h>

#include "base/constants.h"
#include "physics/pmns.h"
#include "physics/seesaw.h"

enum { W = FD_LANES, GRID = 6000 };

/* ---- proposals of S = |Y_i|^2 ------------------------------------------------------------------------------- */

/* Close to the law of a point uniform in the cube, [-1, 1]^6. */
static double radial_guess(double s) { return s * s * exp(s > 1 ? -0.6 * (s - 1) * (s - 1) : 0.0); }

/* edge (SEESAW_RADII + 1): bins of equal probability of radial_guess() on [from, 6], 6 = the far corner of the cube. */
static void quantiles(double from, double *edge) {
    double total = 0, step = (6 - from) / GRID, sum = 0;
    for (int i = 0; i < GRID; i++) total += radial_guess(from + (i + 0.5) * step);
    edge[0] = from;
    edge[SEESAW_RADII] = 6;
    for (int i = 0, j = 1; i < GRID && j < SEESAW_RADII; i++) {
        double density = radial_guess(from + (i + 0.5) * step);
        for (; j < SEESAW_RADII && sum + density >= total * j / SEESAW_RADII; j++)
            edge[j] = from + step * (i + (total * j / SEESAW_RADII - sum) / density);
        sum += density;
    }
}

/* The last bin, which reaches to the corner, is divided once more in the same way. */
void seesaw_prepare_orbits(seesaw_model *model) {
    quantiles(0, model->radii[0]);
    quantiles(model->radii[0][SEESAW_RADII - 1], model->radii[1]);
}

/* S of one row; *weight is multiplied by w(S). */
static double draw_radius(const seesaw_model *model, fd_rng *rng, double *weight) {
    double u = fd_rng_uniform(rng) * SEESAW_RADII, bins = SEESAW_RADII;
    int level = 0, j = (int)u;
    if (j == SEESAW_RADII - 1) {
        u = (u - j) * SEESAW_RADII;
        bins *= SEESAW_RADII;
        level = 1;
        j = (int)u;
    }
    const double *edge = &model->radii[level][j];
    double width = edge[1] - edge[0], s = edge[0] + width * (u - j);
    *weight *= FD_PI * FD_PI * FD_PI / 128 * s * s * bins * width;
    return s;
}

/* ---- what is asked ------------------------------------------------------------------------------------------ */

typedef struct window {
    double lo, hi;
} window;

typedef struct plan {
    const seesaw_model *model;
    const fd_region *region;
    window mass[2];          /* of the mass-squared differences */
    window scale;            /* 10^{2k} in the prior */
    double tries;            /* mean tries of an orbit of weight 1, over the length of its interval of k */
    window s12, s23, c13_4;  /* uniform in Haar measure */
    window modulus2[9];
    bool others;             /* windows on observables that only the forward map knows */
} plan;

static window range(const fd_region *region, int observable, double least, double most) {
    return (window){fmax(region->lo[observable], least), fmin(region->hi[observable], most)};
}

static plan make_plan(const seesaw_model *model, const fd_region *region, double cluster) {
    const fd_param *k = &model->params[SEESAW_K];
    plan p = {.model = model, .region = region, .scale = {pow(10, 2 * k->lo), pow(10, 2 * k->hi)}};
    double longest = k->hi - k->lo;
    for (int l = 0; l < 2; l++) {
        p.mass[l] = range(region, SEESAW_DM21 + l, -INFINITY, INFINITY);
        double ratio = p.mass[l].lo < 0 ? p.mass[l].lo / p.mass[l].hi : p.mass[l].hi / p.mass[l].lo;
        if (ratio > 1 && isfinite(ratio)) longest = fmin(longest, 0.5 * log10(ratio));
    }
    p.tries = cluster / longest;
    p.s12 = range(region, SEESAW_S12, 0, 1);
    p.s23 = range(region, SEESAW_S23, 0, 1);
    window s13 = range(region, SEESAW_S13, 0, 1);
    p.c13_4 = (window){(1 - s13.hi) * (1 - s13.hi), (1 - s13.lo) * (1 - s13.lo)};
    for (int i = 0; i < 9; i++) {
        window m = range(region, SEESAW_U + i, 0, 2);
        p.modulus2[i] = (window){region->lo[SEESAW_U + i] > 0 ? m.lo * m.lo : -1, m.hi >= 0 ? m.hi * m.hi : -1};
    }
    for (int o = 0; o < SEESAW_OBSERVABLES; o++) {
        bool known = (o >= SEESAW_DM21 && o <= SEESAW_S23) || (o >= SEESAW_U && o < SEESAW_HEAVY);
        p.others = p.others || (!known && (region->lo[o] > -INFINITY || region->hi[o] < INFINITY));
    }
    return p;
}

/* ---- orbits --------------------------------------------------------------------------------------------------- */

typedef struct orbits {
    seesaw_block block;
    double r[2][W], s[3][W], weight[W]; /* s: |Y_i|^2; weight: w1 w2 w3 */
} orbits;

/* In (0, 1), 32 bits. */
static double uniform32(fd_rng *rng) { return ((double)fd_rng_u32(rng) + 0.5) * 0x1p-32; }

static double inside(window w, fd_rng *rng) { return w.lo + (w.hi - w.lo) * uniform32(rng); }

/* Uniform on the unit circle: a point of the disc, its angle doubled (von Neumann 1951). */
static void unit_phase(fd_rng *rng, double *re, double *im) {
    double u, v, norm;
    do {
        u = 2 * uniform32(rng) - 1;
        v = 2 * uniform32(rng) - 1;
        norm = u * u + v * v;
    } while (norm > 1);
    *re = (u * u - v * v) / norm;
    *im = 2 * u * v / norm;
}

/* Element (i, a) of Y in lane w: a uniform phase, as long as sqrt(norm2). */
static void set_phased(seesaw_block *b, int i, int a, int w, double norm2, fd_rng *rng) {
    double length = sqrt(norm2), re, im;
    unit_phase(rng, &re, &im);
    b->y_re[i][a][w] = length * re;
    b->y_im[i][a][w] = length * im;
}

static void set_real(seesaw_block *b, int i, int a, int w, double norm2) {
    b->y_re[i][a][w] = sqrt(norm2);
    b->y_im[i][a][w] = 0;
}

/* Rows of uniform direction in C^3, turned into a triangle. The squared lengths of the components are uniform on the simplex:
 * in three complex dimensions 1 - sqrt(u) of the whole is along a given axis, and u of the rest along the next. */
static void draw_yukawa(const seesaw_model *model, int w, fd_rng *rng, orbits *o) {
    double s[3];
    o->weight[w] = 1;
    for (int i = 0; i < 3; i++) o->s[i][w] = s[i] = draw_radius(model, rng, &o->weight[w]);
    double rest2 = sqrt(uniform32(rng)), rest3 = sqrt(uniform32(rng)), share = uniform32(rng);
    set_real(&o->block, 0, 0, w, s[0]);
    set_real(&o->block, 0, 1, w, 0);
    set_real(&o->block, 0, 2, w, 0);
    set_phased(&o->block, 1, 0, w, s[1] * (1 - rest2), rng);
    set_real(&o->block, 1, 1, w, s[1] * rest2);
    set_real(&o->block, 1, 2, w, 0);
    set_phased(&o->block, 2, 0, w, s[2] * (1 - rest3), rng);
    set_phased(&o->block, 2, 1, w, s[2] * rest3 * share, rng);
    set_real(&o->block, 2, 2, w, s[2] * rest3 * (1 - share));
}

static void draw_heavy(const seesaw_model *model, int w, fd_rng *rng, orbits *o) {
    bool phases = model->base.n_params == SEESAW_PARAMS;
    double r[2];
    for (int i = 0; i < 2; i++) {
        const fd_param *p = &model->params[SEESAW_R1 + i];
        r[i] = p->lo + (p->hi - p->lo) * fd_rng_uniform(rng);
    }
    o->r[0][w] = fmin(r[0], r[1]);
    o->r[1][w] = fmax(r[0], r[1]);
    for (int i = 0; i < 2; i++) {
        double re = 1, im = 0;
        if (phases) unit_phase(rng, &re, &im);
        o->block.x_re[i][w] = re / o->r[i][w];
        o->block.x_im[i][w] = im / o->r[i][w];
    }
    o->block.x_re[2][w] = 1;
    o->block.x_im[2][w] = 0;
}

/* The t > 0 for which value * t is inside w; empty as lo >= hi. */
static window scales_for(window w, double value) {
    if (value < 0) w = (window){-w.hi, -w.lo}, value = -value;
    return (window){fmax(w.lo, 0) / value, w.hi / value};
}

/* Interval of 10^{2k} where both mass-squared differences of lane w are inside their windows. */
static window scale_interval(const plan *p, const orbits *o, int w) {
    const int *column = p->model->column;
    const double (*d)[W] = o->block.n.d;
    double m1 = d[column[0]][w], m2 = d[column[1]][w], m3 = d[column[2]][w];
    double ml = p->model->base.options.ordering == FD_ORDERING_NORMAL ? m1 : m2;
    window a = scales_for(p->mass[0], (m2 - m1) * (m2 + m1)), b = scales_for(p->mass[1], (m3 - ml) * (m3 + ml));
    return (window){fmax(p->scale.lo, fmax(a.lo, b.lo)), fmin(p->scale.hi, fmin(a.hi, b.hi))};
}

/* ---- one orbit's tries ------------------------------------------------------------------------------------------ */

typedef struct orbit {
    double z_re[3][3], z_im[3][3]; /* Y U: columns in the order of nu1, nu2, nu3 */
    int row[3];                    /* longest first: it decides most */
    double gain;
} orbit;

static orbit take_orbit(const seesaw_model *model, const orbits *o, int w) {
    const seesaw_block *b = &o->block;
    orbit out = {.row = {0, 1, 2}};
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 2; j++)
            if (o->s[out.row[j]][w] < o->s[out.row[j + 1]][w]) {
                int other = out.row[j];
                out.row[j] = out.row[j + 1];
                out.row[j + 1] = other;
            }
    out.gain = exp(SEESAW_WALL_DECAY * fmax(o->s[out.row[0]][w] - 3, 0));
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++) {
            int c = model->column[j];
            double re = 0, im = 0;
            for (int a = 0; a <= i; a++) { /* a triangle */
                double yr = b->y_re[i][a][w], yi = b->y_im[i][a][w], ur = b->n.u_re[a][c][w], ui = b->n.u_im[a][c][w];
                re += yr * ur - yi * ui;
                im += yr * ui + yi * ur;
            }
            out.z_re[i][j] = re;
            out.z_im[i][j] = im;
        }
    return out;
}

/* R(angles, delta) from Haar measure inside the windows of the angles; false when a modulus is outside its own. */
static bool draw_mixing(const plan *p, fd_rng *rng, double re[3][3], double im[3][3]) {
    double s12 = inside(p->s12, rng), s23 = inside(p->s23, rng), s13 = 1 - sqrt(inside(p->c13_4, rng)), cos_delta, sin_delta;
    unit_phase(rng, &cos_delta, &sin_delta);
    fd_mixing_dirac(s12, s13, s23, cos_delta, sin_delta, re, im);
    for (int i = 0; i < 9; i++) {
        double m2 = re[i / 3][i % 3] * re[i / 3][i % 3] + im[i / 3][i % 3] * im[i / 3][i % 3];
        if (!(m2 >= p->modulus2[i].lo && m2 <= p->modulus2[i].hi)) return false;
    }
    return true;
}

/* y = Z diag(1, e^{ia}, e^{ib}) R^+; false when the try is lost already: the survival is below `least` by the bound
 * f <= 1 - sqrt(m^2 - 1) on any row, which is 0 where an element is too large for every phase. */
static bool turn(const orbit *o, double least, fd_rng *rng, double r_re[3][3], double r_im[3][3], double re[3][3],
                 double im[3][3]) {
    double p_re[3] = {1}, p_im[3] = {0};
    for (int j = 1; j < 3; j++) unit_phase(rng, &p_re[j], &p_im[j]);
    for (int n = 0; n < 3; n++) {
        int i = o->row[n];
        double a_re[3], a_im[3], bound = o->gain;
        for (int j = 0; j < 3; j++) {
            a_re[j] = o->z_re[i][j] * p_re[j] - o->z_im[i][j] * p_im[j];
            a_im[j] = o->z_re[i][j] * p_im[j] + o->z_im[i][j] * p_re[j];
        }
        for (int a = 0; a < 3; a++) {
            double x = 0, y = 0;
            for (int j = 0; j < 3; j++) {
                x += a_re[j] * r_re[a][j] + a_im[j] * r_im[a][j];
                y += a_im[j] * r_re[a][j] - a_re[j] * r_im[a][j];
            }
            re[i][a] = x;
            im[i][a] = y;
            double over = x * x + y * y - 1;
            bound *= over <= 0 ? 1 : over < 1 ? 1 - sqrt(over) : 0;
        }
        if (!(bound > least)) return false;
    }
    return true;
}

/* Where the largest element of a column may point: |arg - pi/4| <= width modulo pi/2. */
typedef struct arc {
    int row;
    double m2, width, fraction;
} arc;

static arc widest_arc(double re[3][3], double im[3][3], int a) {
    arc c = {0};
    for (int i = 0; i < 3; i++) {
        double m2 = re[i][a] * re[i][a] + im[i][a] * im[i][a];
        if (m2 > c.m2) c.m2 = m2, c.row = i;
    }
    c.width = c.m2 > 1 ? asin(1 / sqrt(c.m2)) - 0.25 * FD_PI : 0.25 * FD_PI;
    c.fraction = c.width * (4 / FD_PI);
    return c;
}

/* Turns column a by a phase drawn from its arc; false when an element is outside the square. */
static bool turn_column(arc c, int a, fd_rng *rng, double re[3][3], double im[3][3]) {
    double p_re, p_im;
    if (c.m2 > 1) {
        double angle = 0.25 * FD_PI + c.width * (2 * uniform32(rng) - 1) + 0.5 * FD_PI * (fd_rng_u32(rng) >> 30);
        double x = cos(angle), y = sin(angle), scale = 1 / sqrt(c.m2);
        p_re = (x * re[c.row][a] + y * im[c.row][a]) * scale;
        p_im = (y * re[c.row][a] - x * im[c.row][a]) * scale;
    } else {
        unit_phase(rng, &p_re, &p_im);
    }
    bool fits = true;
    for (int i = 0; i < 3; i++) {
        double x = re[i][a] * p_re - im[i][a] * p_im, y = re[i][a] * p_im + im[i][a] * p_re;
        re[i][a] = x;
        im[i][a] = y;
        fits = fits && fabs(x) <= 1 && fabs(y) <= 1;
    }
    return fits;
}

/* One try: a member of the orbit inside the windows of mixing and the prior's cube, or false. */
static bool draw_member(const plan *p, const orbit *o, fd_rng *rng, double re[3][3], double im[3][3]) {
    double r_re[3][3], r_im[3][3], survival = o->gain, least = uniform32(rng);
    arc arcs[3];
    if (!draw_mixing(p, rng, r_re, r_im) || !turn(o, least, rng, r_re, r_im, re, im)) return false;
    for (int a = 0; a < 3; a++) {
        arcs[a] = widest_arc(re, im, a);
        survival *= arcs[a].fraction;
    }
    if (!(least < survival)) return false;
    for (int a = 0; a < 3; a++)
        if (!turn_column(arcs[a], a, rng, re, im)) return false;
    return true;
}

static void write_row(const plan *p, const orbits *o, int w, double k, double re[3][3], double im[3][3], double *theta) {
    for (int i = 0; i < 9; i++) {
        theta[i] = re[i / 3][i % 3];
        theta[9 + i] = im[i / 3][i % 3];
    }
    theta[SEESAW_R1] = o->r[0][w];
    theta[SEESAW_R2] = o->r[1][w];
    theta[SEESAW_K] = k;
    if (p->model->base.n_params == SEESAW_PARAMS)
        for (int i = 0; i < 2; i++) theta[SEESAW_ARG1 + i] = -atan2(o->block.x_im[i][w], o->block.x_re[i][w]);
}

static bool others_inside(const plan *p, const double *theta) {
    double observables[SEESAW_OBSERVABLES];
    seesaw_forward(&p->model->base, 1, theta, NULL, observables);
    for (int o = 0; o < SEESAW_OBSERVABLES; o++)
        if (!(observables[o] >= p->region->lo[o] && observables[o] <= p->region->hi[o])) return false;
    return true;
}

/* All tries of lane w, whose 10^{2k} may be in `scale`; rows go to theta. */
static size_t work_orbit(const plan *p, const orbits *o, int w, window scale, fd_rng *rng, size_t capacity, double *theta) {
    orbit one = take_orbit(p->model, o, w);
    double start = 0.5 * log10(scale.lo), length = 0.5 * log10(scale.hi / scale.lo);
    double mean = p->tries * length * o->weight[w] / one.gain;
    uint64_t tries = (uint64_t)(mean + fd_rng_uniform(rng));
    size_t n = 0;
    for (uint64_t t = 0; t < tries && n < capacity; t++) {
        double re[3][3], im[3][3];
        if (!draw_member(p, &one, rng, re, im)) continue;
        double *row = theta + n * (size_t)p->model->base.n_params;
        write_row(p, o, w, start + length * fd_rng_uniform(rng), re, im, row);
        n += !p->others || others_inside(p, row);
    }
    return n;
}

size_t seesaw_draw_region(const fd_model *base, const fd_region *region, fd_rng *rng, double cluster, size_t capacity,
                          double *theta, uint64_t *tried) {
    const seesaw_model *model = (const seesaw_model *)base;
    plan p = make_plan(model, region, cluster);
    orbits o;
    size_t n = 0;
    uint64_t most = *tried;
    for (*tried = 0; n < capacity && *tried < most;) {
        int lanes = most - *tried < W ? (int)(most - *tried) : W;
        for (int w = 0; w < W; w++) {
            draw_yukawa(model, w, rng, &o);
            draw_heavy(model, w, rng, &o);
        }
        seesaw_factorise(&o.block);
        for (int w = 0; w < lanes && n < capacity; w++) {
            window scale = scale_interval(&p, &o, w);
            if (scale.lo < scale.hi)
                n += work_orbit(&p, &o, w, scale, rng, capacity - n, theta + n * (size_t)base->n_params);
            ++*tried;
        }
    }
    return n;
}
