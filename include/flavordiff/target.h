/* Measured values a model is compared with: best fits, asymmetric 1 sigma errors, 3 sigma windows,
 * the label handed to the network, and limits that are drawn but never cut on. A target set is a YAML file
 * a physicist can edit (targets/, docs/targets.md); fd_target_load() is in io. */
#ifndef FLAVORDIFF_TARGET_H
#define FLAVORDIFF_TARGET_H

#include <stdint.h>

#include "flavordiff/api.h"
#include "flavordiff/model.h"

FD_DECLS_BEGIN

typedef enum fd_group { /* what a measurement counts for */
    FD_GROUP_MASS,      /* the two mass-squared differences (labels) */
    FD_GROUP_ANGLE,     /* s12^2, s13^2, s23^2 */
    FD_GROUP_MODULUS,   /* the nine |U| (labels) */
    FD_GROUP_PHASE      /* delta: shown, never cut on */
} fd_group;

typedef struct fd_measurement {
    char observable[32];       /* the model's name for it */
    fd_group group;
    double best, plus, minus;  /* best fit, +1 sigma, -1 sigma (both positive) in the observable's unit */
    double lo, hi;             /* 3 sigma range, lo < hi (delta may run past 2 pi) */
    double label;              /* value given to the network when labels are central (signed) */
    char source[160];
} fd_measurement;

typedef struct fd_limit {
    char name[64];             /* "DESI DR2+CMB" */
    char observable[32];
    double lo, hi;             /* allowed interval; -inf / +inf where open */
    double confidence;         /* 0.95 */
    bool band;                 /* lo..hi is a range of published limits (nuclear matrix elements), not an interval */
    char source[160];
} fd_limit;

enum { FD_MAX_MEASUREMENTS = 24, FD_MAX_LIMITS = 16 };

typedef struct fd_target {
    char name[64], title[128], source[160];
    fd_ordering ordering;
    int n_measurements, n_limits;
    fd_measurement measurements[FD_MAX_MEASUREMENTS];
    fd_limit limits[FD_MAX_LIMITS];
} fd_target;
/* Hash of its name and of every measurement: two files of one name may say different things. Limits cut nothing and do not count. */
uint64_t fd_target_hash(const fd_target *target);

/* What a point satisfies, as bits of one byte; stored per sample in the files. */
enum {
    FD_FINITE = 1 << 0,  /* parameters and labels are finite numbers */
    FD_IN_PRIOR = 1 << 1,
    FD_MASSES = 1 << 2,  /* both mass-squared differences inside 3 sigma */
    FD_ANGLES = 1 << 3,  /* s12^2, s13^2, s23^2 inside 3 sigma */
    FD_LABELS = 1 << 4,  /* all labels (masses and nine moduli) inside 3 sigma: a solution */
    /* Not of the point but of its making; no verdict sets them. Both: nearer to its label than the network had left it. */
    FD_PROJECTED = 1 << 5, /* moved by the projection (project.h), or found on its label by it */
    FD_UNREACHED = 1 << 6  /* the projection did not reach the label */
};                       /* five observables: (flags & (FD_MASSES | FD_ANGLES)) == both */

/* chi^2 of eq. 2.22 with the error of the side the prediction is on. */
typedef struct fd_chi2 {
    double mass;    /* the two mass-squared differences */
    double mixing;  /* the nine |U|, sigma = (3 sigma width) / 6 */
    double all;     /* mass + mixing: "all of L" */
    double five;    /* masses and three angles: the colour of the figures */
} fd_chi2;

/* Target bound to a model: names resolved to indices. Immutable, shareable. */
typedef struct fd_judge fd_judge;
/* FD_ERR_MISMATCH when a measurement names no observable of the model, the orderings differ, a label of the
 * model has no measurement, or a group that is cut on (mass, angle, modulus) has none: its flag would always be set.
 * Caller frees with fd_judge_free. `model` must outlive it. */
fd_status fd_judge_create(const fd_model *model, const fd_target *target, fd_judge **judge, fd_error *err);
void fd_judge_free(fd_judge *judge);
/* Verdict on one point from its parameters (n_params) and observables (n_observables): flags as above, and
 * chi2 (may be NULL). Not-finite points get flags 0 and infinite chi2. Thread-safe. */
uint8_t fd_judge_point(const fd_judge *judge, const double *theta, const double *observables, fd_chi2 *chi2);
/* The central label in label space (n_labels), eqs. 2.19-2.21. */
void fd_judge_central_label(const fd_judge *judge, double *label);
/* False when windows of moduli and angles exclude each other: of 100,000 sets of angles and delta, drawn when the judge
 * was made, none gave nine moduli inside their windows. Ask before drawing window labels, and refuse the target. */
bool fd_judge_window_feasible(const fd_judge *judge);
/* A label drawn inside the 3 sigma window. The nine moduli belong to one unitary matrix: log10 of the
 * masses and the angles uniform in their 3 sigma ranges and delta uniform on [0, 2 pi) (it is not a label), kept when
 * all nine moduli lie in their windows. Deterministic in rng. Precondition: fd_judge_window_feasible(); without it every
 * element of the label is NaN. */
void fd_judge_window_label(const fd_judge *judge, fd_rng *rng, double *label);
/* The 3 sigma windows of all that is cut on, as a region of observables: mass-squared differences, angles and moduli.
 * Each is widened about its centre by the factor `widen` (> 0; 1: the windows themselves): mass-squared differences in
 * log10, angles linearly and clipped into [0, 1]. Moduli are left open when widen > 1, where the angles say enough. */
void fd_judge_region(const fd_judge *judge, double widen, fd_region *region);

/* A label drawn from the global fit: masses and angles from exp(-chi^2 / 2) with the two errors of each measurement, delta
 * uniform, nothing cut. The smooth alternative to the 3 sigma window. Deterministic in rng. */
void fd_judge_gaussian_label(const fd_judge *judge, fd_rng *rng, double *label);

FD_DECLS_END

#endif
