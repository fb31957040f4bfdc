/* What a flavour model must offer. Network, diffusion, inference and stages know only this header;
 * a second model is one folder beside seesaw.c and one row in fd_model_create()'s table. */
#ifndef FLAVORDIFF_MODEL_H
#define FLAVORDIFF_MODEL_H

#include <stdbool.h>
#include <stddef.h>

#include "flavordiff/api.h"
#include "flavordiff/rng.h"
#include "flavordiff/status.h"

FD_DECLS_BEGIN

/* Points that are taken at once where the last index of arrays is the lane, so that loops over lanes become SIMD: two of the
 * widest vectors, for one to work while the other waits. */
enum { FD_LANES = 16 };

enum { FD_MAX_PARAMS = 64, FD_MAX_LABELS = 32, FD_MAX_OBSERVABLES = 64, FD_MAX_ORDERED = 8 };

/* One component of G. The prior is uniform on [lo, hi] wherever the model's ordered pairs are in
 * order; in_prior below decides. */
typedef struct fd_param {
    const char *name;        /* CSV column, HDF5 name: "re_Y_1e" */
    const char *latex;       /* "\\mathrm{Re}\\,Y_{1e}" */
    const char *unit;        /* "1", "rad", "dex" */
    const char *description;
    double lo, hi;
    bool periodic;           /* lo and hi are the same point */
    double stretch;          /* half width of the range in an informed network's coordinates, 0 for 1: the larger, the earlier
                              * in the reverse process it is settled */
} fd_param;

/* Something the model predicts for a point. */
typedef struct fd_observable {
    const char *name;        /* "sum_m_eV" */
    const char *latex;
    const char *unit;        /* "eV", "GeV", "rad", "1" */
    const char *description;
    bool periodic;           /* an angle in [0, 2 pi) */
    bool of_labels;          /* the labels fix it, up to finitely many values */
} fd_observable;

/* One component of L: an observable, or log10 of its absolute value. */
typedef struct fd_label {
    const char *name;        /* "log10_dm21_eV2", "U_e1" */
    int observable;          /* index into fd_model.observables */
    bool log10;
} fd_label;

/* Settings of every model in the program's table; each model reads those that concern it. */
typedef enum fd_ordering { FD_ORDERING_NORMAL, FD_ORDERING_INVERTED } fd_ordering;
/* "normal" or "inverted". */
const char *fd_ordering_name(fd_ordering ordering);
typedef enum fd_phases {
    FD_PHASES_TAKAGI, /* Majorana phases of the factorisation itself */
    FD_PHASES_PAPER   /* the artefact of eigenvectors with a real first row: alpha21 = 0, alpha31 = 2 delta */
} fd_phases;
typedef enum fd_scale_window {
    FD_SCALE_MEV,       /* k in [-4.22, -0.22] for eV: the paper's printed numbers read as meV (default) */
    FD_SCALE_AS_PRINTED /* k in [-1.22, 2.78] */
} fd_scale_window;

typedef struct fd_model_options {
    char kind[16];              /* "seesaw" */
    fd_ordering ordering;
    fd_phases phases;
    fd_scale_window scale;
    bool real_majorana;         /* arg M1 = arg M2 = 0: 21 parameters instead of 23 */
    double vev_GeV;             /* 246 in the paper; 174.104 for L = Y N l H */
} fd_model_options;

/* A window for every observable: lo <= value <= hi, in the observable's unit; -inf and +inf where it is open. */
typedef struct fd_region {
    double lo[FD_MAX_OBSERVABLES], hi[FD_MAX_OBSERVABLES];
} fd_region;

typedef struct fd_model fd_model;
struct fd_model {
    const char *name;        /* "seesaw" */
    fd_model_options options; /* what it was created with */
    int n_params, n_labels, n_observables;
    const fd_param *params;
    const fd_label *labels;
    const fd_observable *observables;
    /* Pairs (a, b) of parameters that the prior keeps in order: theta[a] <= theta[b]. At most FD_MAX_ORDERED, both
     * of a pair with the same range, none periodic, none in two pairs. */
    int n_ordered;
    const int (*ordered)[2];

    /* One draw from the prior into theta (n_params), consuming only `rng`. Thread-safe. */
    void (*draw_prior)(const fd_model *model, fd_rng *rng, double *theta);
    /* True when theta lies in the support of the prior (NaN: false). */
    bool (*in_prior)(const fd_model *model, const double *theta);
    /* Forward map for n points, row-major: theta (n, n_params) -> labels (n, n_labels) and/or
     * observables (n, n_observables); either output may be NULL. A point that is not finite, or
     * has no finite image, gives NaN in every output of its row. Thread-safe; never allocates. */
    void (*forward)(const fd_model *model, size_t n, const double *theta, double *labels, double *observables);
    /* labels (n, n_labels) and their derivatives (n, n_labels, n_params), d label / d theta in the
     * parameters' own units. labels may be NULL. Thread-safe; never allocates. */
    void (*derivatives)(const fd_model *model, size_t n, const double *theta, double *labels, double *jacobian);
    /* The labels in other coordinates c(theta), n_surface <= FD_MAX_LABELS of them: independent of each other, and smooth also
     * where labels are not (two nearly equal masses, a small modulus); equal labels mean equal c but for signs. theta
     * (n, n_params) -> c (n, n_surface) and d c / d theta (n, n_surface, n_params), which may be NULL. NULL, 0: there are none. */
    int n_surface;
    void (*surface)(const fd_model *model, size_t n, const double *theta, double *c, double *jacobian);
    /* The way to given labels (n, n_labels) in coordinates that may depend on them, so that a linear step reaches far: residual
     * (n, n_surface), zero where L(theta) = L*, and jacobian (n, n_surface, n_params), minus its derivative. Points and labels
     * that are not finite give what is not. Both: thread-safe; never allocate; callers use inference/surface.h. */
    void (*approach)(const fd_model *model, size_t n, const double *theta, const double *labels, double *residual,
                     double *jacobian);
    /* The same for FD_LANES points, the last index of every array being the lane: theta (n_params, lanes) and labels
     * (n_labels, lanes) -> residual (n, lanes), jacobian (n, n_params, lanes), whose derivatives are those by
     * theta[p] / unit[p]. smooth: approach() with its n_surface; else labels - L(theta) and the derivatives of L, n_labels.
     * NULL: there are rows only; callers use inference/surface.h. Thread-safe; never allocates. */
    void (*approach_lanes)(const fd_model *model, bool smooth, const double *unit, const double *theta, const double *labels,
                           double *residual, double *jacobian);
    /* Whether steps by approach() reach further than steps in the labels themselves, which is a matter of measurement. */
    bool approach_reaches_further;
    /* surface() read backwards: what c (n_surface) says of the observables (n_observables), all labels among them; NaN of which
     * it says nothing. NULL: not known. Thread-safe; never allocates. */
    void (*surface_observables)(const fd_model *model, const double *c, double *observables);
    /* A parameter with a flat prior that only rescales: log10 |observable o| rises by scale_slopes[o] (n_observables) per unit
     * of it, 0 where it has no say. scale_slopes NULL: there is none. */
    int scale_param;
    const double *scale_slopes;
    /* Draws from the prior restricted to `region`, exactly: theta (capacity, n_params), equal weights; returns the rows
     * written. NULL: the model has no better way than rejection (region.h does that, and is what callers use).
     * *tried: on entry how many proposals may be spent, on return how many were. It stops when they are spent or `capacity`
     * rows are there. One proposal gives `cluster` rows in the mean if the region lets it: rows that share a proposal follow
     * each other and share what it fixes; up to 0.3 or so nearly every row has a proposal of its own. Who stops at
     * `capacity` cuts the last cluster, a bias of the order of one row in `capacity`. One cursor lasts for some 5e8 proposals.
     * Consumes only `rng`. Thread-safe; never allocates. */
    size_t (*draw_region)(const fd_model *model, const fd_region *region, fd_rng *rng, double cluster, size_t capacity,
                          double *theta, uint64_t *tried);
    /* A random move of theta (n_params) along exact symmetries of the labels that leaves the prior as it is: draws from the
     * prior, or from the prior at given labels, stay such draws, and what the moves reach is drawn afresh. NULL: none is
     * known. Thread-safe. */
    void (*random_symmetry)(const fd_model *model, fd_rng *rng, double *theta);
    /* Of those symmetries the ones that are signed permutations of G about the centre of the prior's box, and so keep
     * Gaussian noise in normalised coordinates: the one that brings x (n_params), normalised by the box, into a part of space
     * where each orbit has one point: x'[j] = sign[j] x[source[j]]. NULL: none is known. Thread-safe. */
    void (*orient)(const fd_model *model, const float *x, int *source, float *sign);
    void (*destroy)(fd_model *model);
};

/* The paper's seesaw: normal ordering, true phases, meV window, 23 parameters, 246 GeV. */
void fd_model_options_default(fd_model_options *options);
/* Creates the model named by options->kind. FD_ERR_CONFIG on an unknown kind or impossible value.
 * The caller frees it with fd_model_free (NULL is accepted). The model is immutable: share it
 * between threads. */
fd_status fd_model_create(const fd_model_options *options, fd_model **model, fd_error *err);
void fd_model_free(fd_model *model);

/* Index of a parameter, observable or label by name, or -1. */
int fd_model_param(const fd_model *model, const char *name);
int fd_model_observable(const fd_model *model, const char *name);
int fd_model_label(const fd_model *model, const char *name);

FD_DECLS_END

#endif
