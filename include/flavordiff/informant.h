/* What a forward model knows about a noisy point, as inputs of a network. A plain network must learn the map from
 * parameters to labels from examples; an informed one is told, at x_t, how far the labels are from those asked for and
 * which step would mend it (docs/method.md). It stays a conditional diffusion model trained on the denoising loss: all it
 * is told is a function of (x_t, t, L).
 *
 * The informant also gives a first guess of x_0, and the network predicts what is left:
 *
 *   x0_hat = guess(x_t, t, L) - c(t) F([x_t, features], L, t)
 *
 * with c = s (noise), 1 (x0) or sqrt(1 - abar) (v), s = sqrt((1 - abar) / abar). With the guess x_t / sqrt(abar), 0 or
 * sqrt(abar) x_t these are the usual three predictions, up to the sign of F. */
#ifndef FLAVORDIFF_INFORMANT_H
#define FLAVORDIFF_INFORMANT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flavordiff/api.h"
#include "flavordiff/model.h"
#include "flavordiff/network.h"
#include "flavordiff/sampler.h"
#include "flavordiff/schedule.h"

FD_DECLS_BEGIN

typedef enum fd_prediction { FD_PREDICT_NOISE, FD_PREDICT_X0, FD_PREDICT_V } fd_prediction;

typedef struct fd_informant_spec {
    fd_prediction prediction;
    bool oriented;        /* the network sees every point through the symmetry that orients it (fd_model.orient) */
    bool guess;           /* first guess from the prior and the label steps; false: the usual one of the prediction */
    int label_steps;      /* Gauss-Newton steps: 0, 1 or 2 */
    bool smooth;          /* steps in the model's smooth coordinates of the labels (fd_model.surface) where it has them */
    int waves;            /* features cos(pi k tau), k = 1 .. waves, of tau = ln s on its range as [0, 1] */
    double regularisation; /* lambda of each step, relative to the diagonal of J J^T */
    double clip;          /* features are limited to +-clip (units of the noise) */
    double margin;        /* points are brought this far (of its half width) into the prior's box before the model sees them */
    double fade;          /* noise level s above which the label part of the guess fades, as 1 / (1 + (s / fade)^2) */
    double trust, trust_floor; /* a step is no longer than trust s + trust_floor, in normalised coordinates */
} fd_informant_spec;

void fd_informant_spec_default(fd_informant_spec *spec);
/* FD_ERR_CONFIG, with a message, on an impossible spec. */
fd_status fd_informant_spec_check(const fd_informant_spec *spec, fd_error *err);

typedef struct fd_informant fd_informant;
struct fd_informant {
    int dim, n_labels, n_features, max_rows;
    size_t scratch_bytes; /* of one call, 64-byte aligned, owned by the caller */
    double *c;            /* [0..T] c(t) */
    /* x (rows, dim) noisy points at times t (rows), labels (rows, n_labels) normalised, given (rows): 0 where the label is
     * dropped -> features (rows, n_features) with rows `feature_row` floats apart, guess (rows, dim). Thread-safe, never
     * allocates. */
    void (*inform)(const fd_informant *self, int rows, const float *x, const int *t, const float *labels,
                   const uint8_t *given, float *features, ptrdiff_t feature_row, float *guess, void *scratch);
    /* The symmetry that x (dim) is to be seen through, fd_model.orient; NULL: as it is. The network then only ever meets one
     * point of an orbit, and what it says is turned back: an exactly symmetric network for the price of a smaller one. */
    void (*orient)(const fd_informant *self, const float *x, int *source, float *sign);
    void (*destroy)(fd_informant *self);
};

/* The informant of any flavour model. `model` is borrowed; parameters and labels are normalised by the scalers.
 * FD_ERR_CONFIG on an impossible spec, FD_ERR_MISMATCH on scalers of another model. Free with fd_informant_free (NULL
 * ok). */
fd_status fd_model_informant(const fd_model *model, const fd_scaler *params, const fd_scaler *labels,
                             const fd_schedule *schedule, const fd_informant_spec *spec, fd_informant **informant,
                             fd_error *err);
/* Features of a model with `n_params` parameters and `n_labels` labels: what a network of this spec must be made for. */
int fd_informant_features(const fd_informant_spec *spec, int n_params, int n_labels);
void fd_informant_free(fd_informant *informant);

/* The informed network as a denoiser: fd_sampler and guidance see no difference. `network` (an
 * fd_network_denoiser whose inputs are [x, features]) and `informant` are borrowed and must outlive it. */
fd_status fd_informed_denoiser(const fd_denoiser *network, const fd_informant *informant, const fd_schedule *schedule,
                               fd_denoiser **denoiser, fd_error *err);

FD_DECLS_END

#endif
