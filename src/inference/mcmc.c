#include "inference/mcmc_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "flavordiff/region.h"
#include "inference/independent.h"
#include "inference/surface.h"

/* Newton's method gives up after so many evaluations, or when it would move by more than FAR, and is there when it moves by
 * less than NEAR: the next step would be of the order of NEAR^2. The way back has to end within BACK of where the move
 * began. LEVELS steps among the levels make one proposal where the model tells their likelihood. */
enum { NEWTON = 8, SYMMETRY = 4, LEVELS = 32 };
static const double NEAR = 3e-5, BACK = 1e-6, FAR = 4;

/* A point and what is known of it. */
typedef struct place {
    double *x;         /* (dim) */
    double *c;         /* (n) */
    double *jacobian;  /* (n, dim) dc/dx */
    double *normal;    /* (n, dim) its rows made orthonormal */
    double log_volume; /* ln sqrt det J J^T */
    double log_weight; /* of the target */
} place;

/* One chain on its way. */
typedef struct chain {
    fd_rng rng;
    place here, there, back;
    double labels[FD_MAX_LABELS], aim_labels[FD_MAX_LABELS]; /* here, and of the level to be reached */
    double aim[FD_MAX_LABELS]; /* c to be reached */
    double level_gain;         /* ln of likelihood there over here, as the levels tell it */
    double size;               /* |v|^2 of the move */
} chain;

typedef struct tile {
    const fd_mcmc *mcmc;
    chain chains[FD_MCMC_TILE];
    double *memory;                                                   /* of all places and of what follows */
    double *theta, *aims, *c, *jacobian, *observables;                /* (FD_MCMC_TILE, ...) rows for the model */
    fd_mcmc_counts counts;
} tile;

/* ---- coordinates ------------------------------------------------------------------------------------------------ */

/* x -> [-1, 1] and the sign of the slope. */
static double fold(bool periodic, double x, double *sign) {
    double turn = x - 4 * floor((x + 1) / 4); /* [-1, 3) */
    *sign = 1;
    if (periodic) return x - 2 * floor((x + 1) / 2);
    if (turn <= 1) return turn;
    *sign = -1;
    return 2 - turn;
}

/* theta of x; d theta[source[i]] / d x[i] = slope[i]. */
static void unfold(const fd_mcmc *m, const double *x, double *theta, double *slope, int *source) {
    const fd_model *model = m->target.model;
    for (int i = 0; i < m->dim; i++) {
        theta[i] = m->middle[i] + m->half[i] * fold(model->params[i].periodic, x[i], &slope[i]);
        slope[i] *= m->half[i];
        source[i] = i;
    }
    for (int k = 0; k < model->n_ordered; k++) {
        int a = model->ordered[k][0], b = model->ordered[k][1];
        if (theta[a] <= theta[b]) continue;
        double low = theta[b];
        theta[b] = theta[a], theta[a] = low;
        source[a] = b, source[b] = a;
    }
}

static void fold_theta(const fd_mcmc *m, const double *theta, double *x) {
    for (int i = 0; i < m->dim; i++) x[i] = m->half[i] > 0 ? (theta[i] - m->middle[i]) / m->half[i] : 0;
}

/* ---- small linear algebra ---------------------------------------------------------------------------------------- */

static double dot(int n, const double *a, const double *b) {
    double sum[4] = {0};
    int i = 0;
    for (; i + 4 <= n; i += 4)
        for (int k = 0; k < 4; k++) sum[k] += a[i + k] * b[i + k];
    for (; i < n; i++) sum[0] += a[i] * b[i];
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

/* y += sum_k a_k row_k, rows (n, dim) */
static void add_rows(const fd_mcmc *m, const double *rows, const double *a, double *y) {
    for (int k = 0; k < m->n; k++)
        for (int i = 0; i < m->dim; i++) y[i] += rows[k * m->dim + i] * a[k];
}

/* Rows of J made orthonormal (modified Gram-Schmidt), and ln sqrt det J J^T; false where they depend on each other. */
static bool orthonormalise(const fd_mcmc *m, place *p) {
    memcpy(p->normal, p->jacobian, (size_t)(m->n * m->dim) * sizeof(double));
    p->log_volume = 0;
    for (int k = 0; k < m->n; k++) {
        double *row = p->normal + k * m->dim;
        for (int q = 0; q < k; q++) {
            const double *other = p->normal + q * m->dim;
            double overlap = dot(m->dim, row, other);
            for (int i = 0; i < m->dim; i++) row[i] -= overlap * other[i];
        }
        double length = sqrt(dot(m->dim, row, row));
        if (!(length > 0) || isinf(length)) return false;
        for (int i = 0; i < m->dim; i++) row[i] /= length;
        p->log_volume += log(length);
    }
    return true;
}

/* b = A^-1 b for A (n, n), which is lost: Gauss with row pivots. False when A is singular. */
static bool gauss(int n, double *a, double *b) {
    for (int k = 0; k < n; k++) {
        int best = k;
        for (int r = k + 1; r < n; r++)
            if (fabs(a[r * n + k]) > fabs(a[best * n + k])) best = r;
        if (!(fabs(a[best * n + k]) > 0)) return false;
        for (int q = k; q < n && best != k; q++) {
            double other = a[k * n + q];
            a[k * n + q] = a[best * n + q], a[best * n + q] = other;
        }
        double other = b[k];
        b[k] = b[best], b[best] = other;
        for (int r = k + 1; r < n; r++) {
            double f = a[r * n + k] / a[k * n + k];
            for (int q = k + 1; q < n; q++) a[r * n + q] -= f * a[k * n + q];
            b[r] -= f * b[k];
        }
    }
    for (int r = n; r-- > 0;) {
        for (int q = r + 1; q < n; q++) b[r] -= a[r * n + q] * b[q];
        b[r] /= a[r * n + r];
    }
    return true;
}

/* Tangent part of v at p, in place. */
static void to_tangent(const fd_mcmc *m, const place *p, double *v) {
    double a[FD_MAX_LABELS];
    for (int k = 0; k < m->n; k++) a[k] = -dot(m->dim, p->normal + k * m->dim, v);
    add_rows(m, p->normal, a, v);
}

/* ---- places ------------------------------------------------------------------------------------------------------ */

/* Picked rows (n, dim) of a model's derivatives by theta, as derivatives by x. */
static void chain_rule(const fd_mcmc *m, const double *by_theta, const double *slope, const int *source, double *out) {
    for (int k = 0; k < m->n; k++)
        for (int i = 0; i < m->dim; i++)
            out[k * m->dim + i] = slope[i] * by_theta[m->pick[k] * m->dim + source[i]];
}

/* c and J at the given places. */
static void evaluate(tile *t, int count, place *const *places) {
    const fd_mcmc *m = t->mcmc;
    int dim = m->dim, all = fd_surface_dim(m->target.model);
    double slope[FD_MCMC_TILE][FD_MAX_PARAMS];
    int source[FD_MCMC_TILE][FD_MAX_PARAMS];
    for (int i = 0; i < count; i++) unfold(m, places[i]->x, t->theta + i * dim, slope[i], source[i]);
    fd_surface_at(m->target.model, (size_t)count, t->theta, t->c, t->jacobian);
    for (int i = 0; i < count; i++) {
        for (int k = 0; k < m->n; k++) places[i]->c[k] = t->c[i * all + m->pick[k]];
        chain_rule(m, t->jacobian + i * all * dim, slope[i], source[i], places[i]->jacobian);
    }
}

/* ln of prior times likelihood, up to a constant. */
static double log_weight(const fd_mcmc_target *target, const double *theta, const double *observables) {
    fd_chi2 chi2;
    if (!target->model->in_prior(target->model, theta)) return -INFINITY;
    if (target->region) return fd_region_holds(target->model, target->region, observables) ? 0 : -INFINITY;
    fd_judge_point(target->judge, theta, observables, &chi2);
    return -0.5 * chi2.five;
}

static void weigh(tile *t, int count, place *const *places) {
    const fd_model *model = t->mcmc->target.model;
    double slope[FD_MAX_PARAMS];
    int source[FD_MAX_PARAMS], dim = t->mcmc->dim;
    for (int i = 0; i < count; i++) unfold(t->mcmc, places[i]->x, t->theta + i * dim, slope, source);
    model->forward(model, (size_t)count, t->theta, NULL, t->observables);
    for (int i = 0; i < count; i++)
        places[i]->log_weight = log_weight(&t->mcmc->target, t->theta + i * dim, t->observables + i * model->n_observables);
}

/* ---- levels ------------------------------------------------------------------------------------------------------ */

static void labels_of(const fd_model *model, const double *observables, double *labels) {
    for (int l = 0; l < model->n_labels; l++) {
        double value = observables[model->labels[l].observable];
        labels[l] = model->labels[l].log10 ? log10(fabs(value)) : value;
    }
}

/* ln of the likelihood as the level c tells it, and its labels: all where the model knows them, else those picked, with a
 * likelihood of 1. */
static double weigh_level(const fd_mcmc *m, const double *c, double *labels) {
    const fd_model *model = m->target.model;
    double observables[FD_MAX_OBSERVABLES];
    if (!model->surface_observables) {
        for (int k = 0; k < m->n; k++) labels[m->pick[k]] = c[k];
        return 0;
    }
    model->surface_observables(model, c, observables);
    labels_of(model, observables, labels);
    if (!m->target.region) {
        fd_chi2 chi2;
        fd_judge_point(m->target.judge, m->middle, observables, &chi2);
        return -0.5 * chi2.five;
    }
    for (int o = 0; o < model->n_observables; o++)
        if (observables[o] < m->target.region->lo[o] || observables[o] > m->target.region->hi[o]) return -INFINITY;
    return 0;
}

/* A walk among levels that leaves their likelihood as it is, from c of `here` to `aim`. */
static void walk_levels(const fd_mcmc *m, chain *q) {
    bool known = m->target.model->surface_observables != NULL;
    double next[FD_MAX_LABELS], labels[FD_MAX_LABELS] = {0}, first = weigh_level(m, q->here.c, q->labels), now = first;
    memcpy(q->aim, q->here.c, (size_t)m->n * sizeof(double));
    memcpy(q->aim_labels, q->labels, sizeof q->labels);
    for (int step = 0; step < (known ? LEVELS : 1); step++) {
        double size = exp2(-1 - 4 * fd_rng_uniform(&q->rng)); /* long steps get far, short ones get on */
        fd_rng_normals(&q->rng, m->n, next);
        for (int k = 0; k < m->n; k++) next[k] = q->aim[k] + size * m->spread[k] * next[k];
        double gain = weigh_level(m, next, labels) - now;
        if (!(log(1 - fd_rng_uniform(&q->rng)) < gain)) continue;
        now += gain;
        memcpy(q->aim, next, (size_t)m->n * sizeof(double));
        memcpy(q->aim_labels, labels, sizeof labels);
    }
    q->level_gain = now - first;
}

/* ---- Newton's method --------------------------------------------------------------------------------------------- */

/* One way: from + v, which is in to->x, along the normals of `from` to given labels. */
typedef struct way {
    const place *from;
    place *to;
    const double *labels;
    bool found;
} way;

/* One step, from residual (n) and what it loses by x (n, dim). 1: there, 0: on its way, -1: lost. */
static int newton(const fd_mcmc *m, const way *w, double *residual, const double *jacobian) {
    double a[FD_MAX_LABELS * FD_MAX_LABELS], step[FD_MAX_PARAMS] = {0};
    for (int k = 0; k < m->n; k++)
        for (int q = 0; q < m->n; q++)
            a[k * m->n + q] = dot(m->dim, jacobian + k * m->dim, w->from->normal + q * m->dim);
    if (!gauss(m->n, a, residual)) return -1;
    add_rows(m, w->from->normal, residual, step);
    double square = dot(m->dim, step, step);
    if (!(square <= FAR * FAR)) return -1;
    for (int i = 0; i < m->dim; i++) w->to->x[i] += step[i];
    return square <= NEAR * NEAR;
}

static void find(tile *t, int count, way *ways) {
    const fd_mcmc *m = t->mcmc;
    const fd_model *model = m->target.model;
    int active[FD_MCMC_TILE], n = count, dim = m->dim, all = fd_surface_dim(model), source[FD_MCMC_TILE][FD_MAX_PARAMS];
    double slope[FD_MCMC_TILE][FD_MAX_PARAMS], residual[FD_MAX_LABELS], jacobian[FD_MAX_LABELS * FD_MAX_PARAMS];
    for (int i = 0; i < count; i++) active[i] = i, ways[i].found = false;
    for (int step = 0; n > 0 && step < NEWTON; step++) {
        int left = 0;
        for (int k = 0; k < n; k++) {
            unfold(m, ways[active[k]].to->x, t->theta + k * dim, slope[k], source[k]);
            memcpy(t->aims + k * model->n_labels, ways[active[k]].labels, (size_t)model->n_labels * sizeof(double));
        }
        fd_surface_approach(model, (size_t)n, t->theta, t->aims, t->c, t->jacobian);
        for (int k = 0; k < n; k++) {
            int i = active[k];
            for (int q = 0; q < m->n; q++) residual[q] = t->c[k * all + m->pick[q]];
            chain_rule(m, t->jacobian + k * all * dim, slope[k], source[k], jacobian);
            int found = newton(m, &ways[i], residual, jacobian);
            ways[i].found = found > 0;
            if (found == 0) active[left++] = i;
        }
        n = left;
    }
}

/* ---- moves ------------------------------------------------------------------------------------------------------- */

/* `there` := a step along the tangent space, aim := another level. */
static void propose(const fd_mcmc *m, chain *q) {
    double v[FD_MAX_PARAMS];
    fd_rng_normals(&q->rng, m->dim, v);
    for (int i = 0; i < m->dim; i++) v[i] *= m->tangent;
    to_tangent(m, &q->here, v);
    q->size = dot(m->dim, v, v);
    for (int i = 0; i < m->dim; i++) q->there.x[i] = q->here.x[i] + v[i];
    walk_levels(m, q);
}

/* Whether the move ended on the level it was sent to: the labels leave signs open. */
static bool on_level(const fd_mcmc *m, const chain *q) {
    for (int k = 0; k < m->n; k++)
        if (!(fabs(q->there.c[k] - q->aim[k]) <= 1e-4 * m->spread[k])) return false;
    return true;
}

/* Metropolis's rule; and where it says yes, `back` := the beginning of the way back. */
static bool wanted(const fd_mcmc *m, chain *q) {
    double u[FD_MAX_PARAMS], s = m->tangent;
    if (q->there.log_weight == -INFINITY || !on_level(m, q) || !orthonormalise(m, &q->there)) return false;
    for (int i = 0; i < m->dim; i++) u[i] = q->here.x[i] - q->there.x[i];
    to_tangent(m, &q->there, u);
    double gain = q->there.log_weight - q->here.log_weight - q->level_gain + q->here.log_volume - q->there.log_volume +
                  (q->size - dot(m->dim, u, u)) / (2 * s * s);
    if (!(log(1 - fd_rng_uniform(&q->rng)) < gain)) return false;
    for (int i = 0; i < m->dim; i++) q->back.x[i] = q->there.x[i] + u[i];
    return true;
}

static bool returned(const fd_mcmc *m, const chain *q) {
    double far = 0;
    for (int i = 0; i < m->dim; i++) far = fmax(far, fabs(q->back.x[i] - q->here.x[i]));
    return far <= BACK;
}

static void settle(chain *q) {
    place old = q->here;
    q->here = q->there;
    q->there = old;
}

static void move(tile *t, int count) {
    const fd_mcmc *m = t->mcmc;
    chain *who[FD_MCMC_TILE];
    way ways[FD_MCMC_TILE] = {0};
    place *to[FD_MCMC_TILE];
    int n = 0, kept = 0;
    for (int i = 0; i < count; i++) {
        chain *q = &t->chains[i];
        propose(m, q);
        ways[i] = (way){&q->here, &q->there, q->aim_labels, false};
    }
    find(t, count, ways);
    for (int i = 0; i < count; i++)
        if (ways[i].found) who[n] = &t->chains[i], to[n++] = &t->chains[i].there;
    evaluate(t, n, to);
    weigh(t, n, to);
    for (int i = 0; i < n; i++)
        if (wanted(m, who[i])) who[kept++] = who[i];
    for (int i = 0; i < kept; i++) ways[i] = (way){&who[i]->there, &who[i]->back, who[i]->labels, false};
    find(t, kept, ways);
    t->counts.moves += (uint64_t)count;
    t->counts.unsolved += (uint64_t)(count - n);
    for (int i = 0; i < kept; i++) {
        bool back = ways[i].found && returned(m, who[i]);
        if (back) settle(who[i]);
        t->counts.accepted += back;
        t->counts.irreversible += !back;
    }
}

/* A draw along the symmetries; rounding may carry one over an edge of the window, which is then not taken. */
static void turn(tile *t, int count) {
    const fd_mcmc *m = t->mcmc;
    place *to[FD_MCMC_TILE];
    double theta[FD_MAX_PARAMS], slope[FD_MAX_PARAMS];
    int source[FD_MAX_PARAMS];
    for (int i = 0; i < count; i++) {
        chain *q = &t->chains[i];
        unfold(m, q->here.x, theta, slope, source);
        m->target.model->random_symmetry(m->target.model, &q->rng, theta);
        fold_theta(m, theta, q->there.x);
        to[i] = &q->there;
    }
    evaluate(t, count, to);
    weigh(t, count, to);
    for (int i = 0; i < count; i++)
        if (to[i]->log_weight > -INFINITY && orthonormalise(m, to[i])) settle(&t->chains[i]);
}

/* ---- chains ------------------------------------------------------------------------------------------------------ */

static size_t place_doubles(const fd_mcmc *m) {
    size_t dim = (size_t)m->dim, n = (size_t)m->n;
    return dim + n + 2 * n * dim;
}

static double *cut(const fd_mcmc *m, double *memory, place *p) {
    size_t dim = (size_t)m->dim, n = (size_t)m->n;
    p->x = memory;
    p->c = p->x + dim;
    p->jacobian = p->c + n;
    p->normal = p->jacobian + n * dim;
    return memory + place_doubles(m);
}

static tile *tile_create(const fd_mcmc *m) {
    const fd_model *model = m->target.model;
    size_t dim = (size_t)m->dim, n = (size_t)fd_surface_dim(model), n_labels = (size_t)model->n_labels;
    size_t shared = dim + n_labels + n + n * dim + (size_t)model->n_observables;
    tile *t = calloc(1, sizeof *t);
    if (!t) return NULL;
    t->mcmc = m;
    t->memory = calloc(FD_MCMC_TILE * (3 * place_doubles(m) + shared), sizeof *t->memory);
    if (!t->memory) {
        free(t);
        return NULL;
    }
    double *at = t->memory;
    for (int i = 0; i < FD_MCMC_TILE; i++) {
        at = cut(m, at, &t->chains[i].here);
        at = cut(m, at, &t->chains[i].there);
        at = cut(m, at, &t->chains[i].back);
    }
    t->theta = at;
    t->aims = t->theta + FD_MCMC_TILE * dim;
    t->c = t->aims + FD_MCMC_TILE * n_labels;
    t->jacobian = t->c + FD_MCMC_TILE * n;
    t->observables = t->jacobian + FD_MCMC_TILE * n * dim;
    return t;
}

static void tile_free(tile *t) {
    if (t) free(t->memory);
    free(t);
}

/* What fd_mcmc_run() was asked for. */
typedef struct journey {
    uint64_t first_chain;
    size_t n;
    double *theta, *trace;
    uint32_t first_step, steps, stride;
} journey;

static void read_state(const tile *t, int i, double *theta) {
    double slope[FD_MAX_PARAMS];
    int source[FD_MAX_PARAMS];
    unfold(t->mcmc, t->chains[i].here.x, theta, slope, source);
}

/* Rows first .. first + count - 1. */
static void run_tile(tile *t, const journey *j, size_t first, int count) {
    const fd_mcmc *m = t->mcmc;
    place *all[FD_MCMC_TILE] = {0};
    double *theta = j->theta + first * (size_t)m->dim;
    for (int i = 0; i < count; i++) {
        all[i] = &t->chains[i].here;
        fold_theta(m, theta + i * m->dim, all[i]->x);
    }
    evaluate(t, count, all);
    weigh(t, count, all);
    for (int i = 0; i < count; i++) orthonormalise(m, all[i]);
    for (uint32_t s = 0; s < j->steps; s++) {
        uint32_t step = j->first_step + s;
        for (int i = 0; i < count; i++)
            fd_rng_start(&t->chains[i].rng, m->seed, FD_STREAM_MCMC, j->first_chain + first + (uint64_t)i, step);
        if (step % SYMMETRY == 0 && m->target.model->random_symmetry) turn(t, count);
        move(t, count);
        for (int i = 0; j->trace && (s + 1) % j->stride == 0 && i < count; i++)
            read_state(t, i, j->trace + (s / j->stride * j->n + first + (size_t)i) * (size_t)m->dim);
    }
    for (int i = 0; i < count; i++) read_state(t, i, theta + i * m->dim);
}

fd_status fd_mcmc_run_alone(const fd_mcmc *m, uint64_t first_chain, size_t n, double *theta, uint32_t first_step,
                            uint32_t steps, uint32_t stride, double *trace, fd_mcmc_counts *counts, fd_error *err) {
    const journey j = {first_chain, n, theta, trace, first_step, steps, stride};
    long tiles = (long)((n + FD_MCMC_TILE - 1) / FD_MCMC_TILE);
    uint64_t moves = 0, accepted = 0, unsolved = 0, irreversible = 0;
    int failed = 0;
#pragma omp parallel reduction(| : failed) reduction(+ : moves, accepted, unsolved, irreversible)
    {
        tile *t = tile_create(m);
        failed = t == NULL;
#pragma omp for schedule(dynamic, 1)
        for (long k = 0; k < tiles; k++) {
            size_t first = (size_t)k * FD_MCMC_TILE, rows = n - first < FD_MCMC_TILE ? n - first : FD_MCMC_TILE;
            if (t) run_tile(t, &j, first, (int)rows);
        }
        if (t) {
            moves += t->counts.moves, accepted += t->counts.accepted;
            unsolved += t->counts.unsolved, irreversible += t->counts.irreversible;
        }
        tile_free(t);
    }
    counts->moves += moves, counts->accepted += accepted;
    counts->unsolved += unsolved, counts->irreversible += irreversible;
    return failed ? fd_fail(err, FD_ERR_MEMORY, "out of memory") : FD_OK;
}

bool fd_mcmc_holds(const fd_mcmc *m, const double *theta) {
    double observables[FD_MAX_OBSERVABLES];
    m->target.model->forward(m->target.model, 1, theta, NULL, observables);
    return log_weight(&m->target, theta, observables) > -INFINITY;
}

/* spread := standard deviations of c over n rows. */
static void measure(fd_mcmc *m, size_t n, const double *theta) {
    double sum[FD_MAX_LABELS] = {0}, square[FD_MAX_LABELS] = {0}, c[FD_MAX_LABELS], jacobian[FD_MAX_LABELS * FD_MAX_PARAMS];
    for (size_t i = 0; i < n; i++) {
        fd_surface_at(m->target.model, 1, theta + i * (size_t)m->dim, c, jacobian);
        for (int k = 0; k < m->n; k++) sum[k] += c[m->pick[k]], square[k] += c[m->pick[k]] * c[m->pick[k]];
    }
    for (int k = 0; k < m->n; k++) {
        double mean = sum[k] / (double)n, variance = square[k] / (double)n - mean * mean;
        m->spread[k] = variance > 0 ? sqrt(variance) : 1e-6;
    }
}

fd_status fd_mcmc_warm_up(fd_mcmc *m, uint64_t first_chain, size_t n, double *theta, uint32_t steps, fd_error *err) {
    enum { ROUND = 32 };
    fd_status status = FD_OK;
    for (uint32_t first = 0; !status && first < steps; first += ROUND) {
        fd_mcmc_counts counts = {0};
        uint32_t length = steps - first < ROUND ? steps - first : ROUND;
        measure(m, n, theta);
        status = fd_mcmc_run(m, first_chain, n, theta, first, length, 1, NULL, &counts, err);
        if (status) break;
        double accepted = (double)counts.accepted / (double)counts.moves;
        m->tangent *= exp((accepted - 0.4) / (1 + 0.1 * (double)(first / ROUND)));
        m->tangent = fmin(fmax(m->tangent, 1e-4), 1);
    }
    if (!status) measure(m, n, theta);
    return status;
}

double fd_mcmc_tangent(const fd_mcmc *m) { return m->tangent; }

void fd_mcmc_lengths(const fd_mcmc *m, double lengths[FD_MCMC_LENGTHS]) {
    lengths[0] = m->tangent;
    memcpy(lengths + 1, m->spread, sizeof m->spread);
}

void fd_mcmc_set_lengths(fd_mcmc *m, const double lengths[FD_MCMC_LENGTHS]) {
    m->tangent = lengths[0];
    memcpy(m->spread, lengths + 1, sizeof m->spread);
}

static void choose_coordinates(fd_mcmc *m) {
    const fd_model *model = m->target.model;
    m->n = fd_surface_dim(model);
    for (int k = 0; k < m->n; k++) m->spread[k] = 1, m->pick[k] = k;
    if (!model->surface) m->n = fd_independent_labels(model, m->pick);
}

fd_status fd_mcmc_create(const fd_mcmc_target *target, uint64_t seed, fd_mcmc **mcmc, fd_error *err) {
    fd_mcmc *m = calloc(1, sizeof *m);
    *mcmc = m;
    if (!m) return fd_fail(err, FD_ERR_MEMORY, "out of memory");
    m->target = *target;
    m->seed = seed;
    m->dim = target->model->n_params;
    m->tangent = 0.1;
    for (int i = 0; i < m->dim; i++) {
        m->middle[i] = 0.5 * (target->model->params[i].lo + target->model->params[i].hi);
        m->half[i] = 0.5 * (target->model->params[i].hi - target->model->params[i].lo);
    }
    choose_coordinates(m);
    return FD_OK;
}

void fd_mcmc_free(fd_mcmc *m) { free(m); }
