/* A target set bound to a model: flags, chi^2 (eq. 2.22) and the labels handed to the network (eqs. 2.19-2.21). */
#include "flavordiff/target.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/constants.h"
#include "flavordiff/rng.h"
#include "physics/pmns.h"

enum { WINDOW_TRIES = 100000 };

typedef struct cut {
    int observable;
    fd_group group;
    double best, inverse_plus, inverse_minus, lo, hi;
} cut;

struct fd_judge {
    const fd_model *model;
    int n;
    cut cuts[FD_MAX_MEASUREMENTS];
    int label_cut[FD_MAX_LABELS];     /* cut that belongs to a label */
    double central[FD_MAX_LABELS];
    int angle_cut[3];                 /* s12^2, s13^2, s23^2; -1 when the target has none */
    int modulus[FD_MAX_LABELS];       /* 0..8 for a label that is a modulus of the mixing matrix, else -1 */
    bool unitary;                     /* window labels can be made from angles */
    bool feasible;                    /* ... and some have been found inside all windows */
};

static const char *const modulus_names[9] = {"U_e1",  "U_e2",   "U_e3",   "U_mu1", "U_mu2",
                                             "U_mu3", "U_tau1", "U_tau2", "U_tau3"};
static const char *const angle_names[3] = {"s12sq", "s13sq", "s23sq"};

static cut make_cut(const fd_measurement *m, int observable) {
    /* The errors of the nine moduli are not published: a sixth of the 3 sigma width stands for them. */
    double sixth = (m->hi - m->lo) / 6, plus = m->group == FD_GROUP_MODULUS ? sixth : m->plus,
           minus = m->group == FD_GROUP_MODULUS ? sixth : m->minus;
    return (cut){observable, m->group, m->best, 1 / plus, 1 / minus, m->lo, m->hi};
}

static double to_label(const fd_label *label, double value) { return label->log10 ? log10(fabs(value)) : value; }

/* Which measurement a label belongs to, and whether the label is an element of the mixing matrix. */
static fd_status bind_labels(fd_judge *judge, const fd_target *target, fd_error *err) {
    const fd_model *model = judge->model;
    int moduli = 0;
    for (int l = 0; l < model->n_labels; l++) {
        const char *name = model->observables[model->labels[l].observable].name;
        int found = -1;
        for (int i = 0; i < judge->n; i++)
            if (judge->cuts[i].observable == model->labels[l].observable) found = i;
        if (found < 0)
            return fd_fail(err, FD_ERR_MISMATCH,
                           "target '%s' has no measurement of '%s', which is a label of model '%s'; add one", target->name,
                           name, model->name);
        judge->label_cut[l] = found;
        judge->central[l] = to_label(&model->labels[l], target->measurements[found].label);
        if (!isfinite(judge->central[l]))
            return fd_fail(err, FD_ERR_VALUE, "target '%s': the label of '%s' is not a finite number", target->name, name);
        judge->modulus[l] = -1;
        for (int i = 0; i < 9; i++)
            if (strcmp(name, modulus_names[i]) == 0) judge->modulus[l] = i;
        moduli += judge->modulus[l] >= 0;
    }
    judge->unitary = moduli > 0;
    for (int k = 0; k < 3; k++) {
        judge->angle_cut[k] = -1;
        for (int i = 0; i < judge->n; i++)
            if (strcmp(model->observables[judge->cuts[i].observable].name, angle_names[k]) == 0) judge->angle_cut[k] = i;
        judge->unitary = judge->unitary && judge->angle_cut[k] >= 0;
    }
    return FD_OK;
}

/* Uniform in label space: a flat prior of the seesaw scale makes Delta m^2 uniform in its logarithm. */
static double draw_label(const fd_label *label, const cut *c, fd_rng *rng) {
    double a = to_label(label, c->lo), b = to_label(label, c->hi);
    return a + (b - a) * fd_rng_uniform(rng);
}

static bool inside(const cut *c, double value) { return value >= c->lo && value <= c->hi; }

static double draw(const cut *c, fd_rng *rng) { return c->lo + (c->hi - c->lo) * fd_rng_uniform(rng); }

/* The two halves of chi^2 have different errors: a side is chosen by its share of the integral of exp(-chi^2 / 2). */
static double draw_gaussian(const cut *c, fd_rng *rng) {
    double plus = 1 / c->inverse_plus, minus = 1 / c->inverse_minus;
    bool up = fd_rng_uniform(rng) * (plus + minus) < plus;
    double z = fabs(fd_rng_normal(rng));
    return up ? c->best + plus * z : c->best - minus * z;
}

/* One draw of angles and delta; true when its moduli, which it leaves in `label`, are inside all windows. */
static bool draw_moduli(const fd_judge *judge, fd_rng *rng, double *label) {
    const fd_model *model = judge->model;
    double s[3], moduli[9];
    bool good = true;
    for (int k = 0; k < 3; k++) s[k] = draw(&judge->cuts[judge->angle_cut[k]], rng);
    fd_mixing_moduli(s[0], s[1], s[2], FD_TWO_PI * fd_rng_uniform(rng), moduli);
    for (int l = 0; l < model->n_labels; l++) {
        if (judge->modulus[l] < 0) continue;
        good = good && inside(&judge->cuts[judge->label_cut[l]], moduli[judge->modulus[l]]);
        label[l] = to_label(&model->labels[l], moduli[judge->modulus[l]]);
    }
    return good;
}

static bool window_is_feasible(const fd_judge *judge) {
    double label[FD_MAX_LABELS];
    fd_rng rng;
    fd_rng_start(&rng, 0, FD_STREAM_WINDOW, 0, 0);
    bool found = !judge->unitary;
    for (int i = 0; i < WINDOW_TRIES && !found; i++) found = draw_moduli(judge, &rng, label);
    return found;
}

/* Without a measurement a group's flag would be set for every point. */
static fd_status check_groups(const fd_judge *judge, const fd_target *target, fd_error *err) {
    static const struct { fd_group group; const char *name, *what; } needed[] = {
        {FD_GROUP_MASS, "mass", "a mass-squared difference"},
        {FD_GROUP_ANGLE, "angle", "a mixing angle"},
        {FD_GROUP_MODULUS, "modulus", "an element of the mixing matrix"}};
    for (size_t g = 0; g < sizeof needed / sizeof *needed; g++) {
        bool found = false;
        for (int i = 0; i < judge->n; i++) found = found || judge->cuts[i].group == needed[g].group;
        if (!found)
            return fd_fail(err, FD_ERR_MISMATCH, "target '%s' has no measurement in the group '%s'; add %s", target->name,
                           needed[g].name, needed[g].what);
    }
    return FD_OK;
}

fd_status fd_judge_create(const fd_model *model, const fd_target *target, fd_judge **judge, fd_error *err) {
    *judge = NULL;
    if (model->options.ordering != target->ordering) {
        static const char *const words[] = {"normal", "inverted"};
        return fd_fail(err, FD_ERR_MISMATCH, "target '%s' is for %s ordering but the model has %s ordering; change one",
                       target->name, words[target->ordering == FD_ORDERING_INVERTED],
                       words[model->options.ordering == FD_ORDERING_INVERTED]);
    }
    fd_judge *j = calloc(1, sizeof *j);
    if (!j) return fd_fail(err, FD_ERR_MEMORY, "out of memory");
    j->model = model;
    fd_status status = FD_OK;
    for (int i = 0; i < target->n_measurements && !status; i++) {
        const fd_measurement *m = &target->measurements[i];
        int observable = fd_model_observable(model, m->observable);
        if (observable < 0)
            status = fd_fail(err, FD_ERR_MISMATCH, "target '%s' measures '%s', which model '%s' does not predict",
                             target->name, m->observable, model->name);
        else
            j->cuts[j->n++] = make_cut(m, observable);
    }
    if (!status) status = bind_labels(j, target, err);
    if (!status) status = check_groups(j, target, err);
    if (status) {
        free(j);
        return status;
    }
    j->feasible = window_is_feasible(j);
    *judge = j;
    return FD_OK;
}

void fd_judge_free(fd_judge *judge) { free(judge); }

static bool all_finite(const fd_judge *judge, const double *theta, const double *observables) {
    const fd_model *model = judge->model;
    double sum = 0;
    for (int i = 0; i < model->n_params; i++) sum += 0 * theta[i];
    for (int l = 0; l < model->n_labels; l++)
        sum += 0 * to_label(&model->labels[l], observables[model->labels[l].observable]);
    for (int i = 0; i < judge->n; i++) sum += 0 * observables[judge->cuts[i].observable];
    return sum == 0; /* 0 * inf and 0 * NaN are NaN */
}

uint8_t fd_judge_point(const fd_judge *judge, const double *theta, const double *observables, fd_chi2 *chi2) {
    if (!all_finite(judge, theta, observables)) {
        if (chi2) *chi2 = (fd_chi2){INFINITY, INFINITY, INFINITY, INFINITY};
        return 0;
    }
    uint8_t flags = FD_FINITE | FD_MASSES | FD_ANGLES | FD_LABELS;
    if (judge->model->in_prior(judge->model, theta)) flags |= FD_IN_PRIOR;
    double sum[FD_GROUP_PHASE + 1] = {0};
    for (int i = 0; i < judge->n; i++) {
        const cut *c = &judge->cuts[i];
        double value = observables[c->observable], distance = value - c->best;
        double pull = distance * (distance > 0 ? c->inverse_plus : c->inverse_minus);
        sum[c->group] += pull * pull;
        if (inside(c, value)) continue;
        if (c->group == FD_GROUP_MASS) flags &= (uint8_t)~FD_MASSES;
        if (c->group == FD_GROUP_ANGLE) flags &= (uint8_t)~FD_ANGLES;
    }
    for (int l = 0; l < judge->model->n_labels; l++)
        if (!inside(&judge->cuts[judge->label_cut[l]], observables[judge->model->labels[l].observable]))
            flags &= (uint8_t)~FD_LABELS;
    if (chi2) {
        double mass = sum[FD_GROUP_MASS], mixing = sum[FD_GROUP_MODULUS];
        *chi2 = (fd_chi2){.mass = mass, .mixing = mixing, .all = mass + mixing, .five = mass + sum[FD_GROUP_ANGLE]};
    }
    return flags;
}

void fd_judge_central_label(const fd_judge *judge, double *label) {
    memcpy(label, judge->central, (size_t)judge->model->n_labels * sizeof *label);
}

bool fd_judge_window_feasible(const fd_judge *judge) { return judge->feasible; }

void fd_judge_window_label(const fd_judge *judge, fd_rng *rng, double *label) {
    const fd_model *model = judge->model;
    for (int l = 0; l < model->n_labels; l++) {
        if (!judge->feasible)
            label[l] = NAN;
        else if (!judge->unitary || judge->modulus[l] < 0)
            label[l] = draw_label(&model->labels[l], &judge->cuts[judge->label_cut[l]], rng);
    }
    if (!judge->feasible || !judge->unitary) return;
    while (!draw_moduli(judge, rng, label)) {} /* ends: a point of positive measure has been found before */
}

/* A window lo < hi of one sign, widened about its centre in log10 |value|; one that holds 0, linearly. */
static void widen_mass(double widen, double *lo, double *hi) {
    if (*lo > 0 || *hi < 0) {
        double centre = sqrt(*lo * *hi) * (*lo > 0 ? 1 : -1), ratio = pow(*hi / *lo, 0.5 * widen);
        *lo = centre / ratio;
        *hi = centre * ratio;
        return;
    }
    double centre = 0.5 * (*lo + *hi), half = 0.5 * widen * (*hi - *lo);
    *lo = centre - half;
    *hi = centre + half;
}

void fd_judge_region(const fd_judge *judge, double widen, fd_region *region) {
    for (int o = 0; o < FD_MAX_OBSERVABLES; o++) region->lo[o] = -INFINITY, region->hi[o] = INFINITY;
    for (int i = 0; i < judge->n; i++) {
        const cut *c = &judge->cuts[i];
        double lo = c->lo, hi = c->hi, centre = 0.5 * (lo + hi), half = 0.5 * widen * (hi - lo);
        if (c->group == FD_GROUP_PHASE || (c->group == FD_GROUP_MODULUS && widen > 1)) continue;
        if (widen != 1) { /* 1 is the window itself to the last bit, as fd_judge_point() cuts */
            if (c->group == FD_GROUP_MASS) widen_mass(widen, &lo, &hi);
            else lo = fmax(centre - half, 0), hi = fmin(centre + half, 1);
        }
        region->lo[c->observable] = lo;
        region->hi[c->observable] = hi;
    }
}

void fd_judge_gaussian_label(const fd_judge *judge, fd_rng *rng, double *label) {
    const fd_model *model = judge->model;
    double s[3], moduli[9];
    for (int l = 0; l < model->n_labels; l++)
        if (!judge->unitary || judge->modulus[l] < 0)
            label[l] = to_label(&model->labels[l], draw_gaussian(&judge->cuts[judge->label_cut[l]], rng));
    if (!judge->unitary) return;
    for (int k = 0; k < 3; k++)
        do s[k] = draw_gaussian(&judge->cuts[judge->angle_cut[k]], rng);
        while (!(s[k] > 0 && s[k] < 1));
    fd_mixing_moduli(s[0], s[1], s[2], FD_TWO_PI * fd_rng_uniform(rng), moduli);
    for (int l = 0; l < model->n_labels; l++)
        if (judge->modulus[l] >= 0) label[l] = to_label(&model->labels[l], moduli[judge->modulus[l]]);
}

uint64_t fd_target_hash(const fd_target *target) {
    uint64_t hash = fd_derive_seed(0, target->name);
    for (int i = 0; i < target->n_measurements; i++) {
        char line[256];
        const fd_measurement *m = &target->measurements[i];
        snprintf(line, sizeof line, "%s %d %.17g %.17g %.17g %.17g %.17g %.17g", m->observable, (int)m->group, m->best, m->plus,
                 m->minus, m->lo, m->hi, m->label);
        hash = fd_derive_seed(hash, line);
    }
    return hash;
}
