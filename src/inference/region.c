#include "flavordiff/region.h"

#include <math.h>
#include <string.h>

enum { BLOCK = 64 };

typedef struct interval {
    double lo, hi;
} interval;

bool fd_region_holds(const fd_model *model, const fd_region *region, const double *observables) {
    for (int o = 0; o < model->n_observables; o++) {
        if (region->lo[o] == -INFINITY && region->hi[o] == INFINITY) continue;
        if (!(observables[o] >= region->lo[o] && observables[o] <= region->hi[o])) return false;
    }
    return true;
}

size_t fd_region_draw(const fd_model *model, const fd_region *region, fd_rng *rng, double cluster, size_t capacity,
                      double *theta, uint64_t *tried) {
    if (model->draw_region) return model->draw_region(model, region, rng, cluster, capacity, theta, tried);
    return fd_region_reject(model, region, rng, capacity, theta, tried);
}

static double slope(const fd_model *model, int o) { return model->scale_slopes ? model->scale_slopes[o] : 0; }

/* The shifts x for which lo <= value 10^{slope x} <= hi; empty as lo > hi. */
static interval shifts(double lo, double hi, double value, double rise) {
    if (value < 0) {
        double other = -lo;
        lo = -hi, hi = other, value = -value;
    }
    if (!(hi > 0) || !(value > 0)) return value == 0 && lo <= 0 && hi >= 0 ? (interval){-INFINITY, INFINITY} : (interval){1, 0};
    double a = lo > 0 ? log10(lo / value) : -INFINITY, b = log10(hi / value);
    return rise > 0 ? (interval){a / rise, b / rise} : (interval){b / rise, a / rise};
}

/* Values of the scale parameter, now at `scale`, that put all observables inside. */
static interval solve_scale(const fd_model *model, const fd_region *region, double scale, const double *observables) {
    const fd_param *p = &model->params[model->scale_param];
    interval all = {p->lo, p->hi};
    for (int o = 0; o < model->n_observables; o++) {
        double rise = slope(model, o);
        if (region->lo[o] == -INFINITY && region->hi[o] == INFINITY) continue;
        if (rise == 0) {
            if (!(observables[o] >= region->lo[o] && observables[o] <= region->hi[o])) return (interval){1, 0};
            continue;
        }
        interval one = shifts(region->lo[o], region->hi[o], observables[o], rise);
        all.lo = fmax(all.lo, scale + one.lo);
        all.hi = fmin(all.hi, scale + one.hi);
    }
    return all;
}

/* The longest interval solve_scale() can return. */
static double longest(const fd_model *model, const fd_region *region) {
    const fd_param *p = &model->params[model->scale_param];
    double most = p->hi - p->lo;
    for (int o = 0; o < model->n_observables; o++) {
        double lo = region->lo[o], hi = region->hi[o], ratio = lo < 0 ? lo / hi : hi / lo;
        if (slope(model, o) != 0 && ratio > 1 && isfinite(ratio)) most = fmin(most, log10(ratio) / fabs(slope(model, o)));
    }
    return most;
}

/* Labels cost half of all observables: those that are observables and have nothing to do with the scale decide first. */
static bool labels_allow(const fd_model *model, const fd_region *region, const double *labels) {
    for (int l = 0; l < model->n_labels; l++) {
        int o = model->labels[l].observable;
        if (model->labels[l].log10 || slope(model, o) != 0) continue;
        if (!(labels[l] >= region->lo[o] && labels[l] <= region->hi[o])) return false;
    }
    return true;
}

/* Decides on one draw, and sets its scale. */
static bool accept(const fd_model *model, const fd_region *region, double most, fd_rng *rng, double *theta) {
    double observables[FD_MAX_OBSERVABLES];
    model->forward(model, 1, theta, NULL, observables);
    if (!model->scale_slopes) return fd_region_holds(model, region, observables);
    double *scale = &theta[model->scale_param];
    interval k = solve_scale(model, region, *scale, observables);
    if (!(k.hi > k.lo) || !(fd_rng_uniform(rng) * most < k.hi - k.lo)) return false;
    *scale = k.lo + (k.hi - k.lo) * fd_rng_uniform(rng);
    return true;
}

size_t fd_region_reject(const fd_model *model, const fd_region *region, fd_rng *rng, size_t capacity, double *theta,
                        uint64_t *tried) {
    double draws[BLOCK * FD_MAX_PARAMS], labels[BLOCK * FD_MAX_LABELS];
    double most = model->scale_slopes ? longest(model, region) : 0;
    size_t n = 0, n_params = (size_t)model->n_params;
    uint64_t budget = *tried;
    for (*tried = 0; n < capacity && *tried < budget;) {
        size_t rows = budget - *tried < BLOCK ? (size_t)(budget - *tried) : BLOCK;
        for (size_t i = 0; i < rows; i++) model->draw_prior(model, rng, draws + i * n_params);
        model->forward(model, rows, draws, labels, NULL);
        for (size_t i = 0; i < rows && n < capacity; i++, ++*tried) {
            if (!labels_allow(model, region, labels + i * (size_t)model->n_labels)) continue;
            if (!accept(model, region, most, rng, draws + i * n_params)) continue;
            memcpy(theta + n++ * n_params, draws + i * n_params, n_params * sizeof *theta);
        }
    }
    return n;
}
