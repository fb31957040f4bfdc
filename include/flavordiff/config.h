/* The configuration: one YAML file, checked against a schema (unknown key or impossible value: one-line error
 * with file and line). Every key is optional; defaults are the paper's. docs/configuration.md lists them. */
#ifndef FLAVORDIFF_CONFIG_H
#define FLAVORDIFF_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "flavordiff/api.h"
#include "flavordiff/informant.h"
#include "flavordiff/network.h"
#include "flavordiff/project.h"
#include "flavordiff/sampler.h"
#include "flavordiff/schedule.h"
#include "flavordiff/target.h"
#include "flavordiff/trainer.h"

FD_DECLS_BEGIN

enum { FD_MAX_ROUNDS = 20 }; /* of tuning */

typedef enum fd_param_scaling { FD_SCALING_NONE, FD_SCALING_BOX /* prior range -> [-1, 1] */, FD_SCALING_STANDARD } fd_param_scaling;
typedef enum fd_label_choice { FD_LABEL_CENTRAL, FD_LABEL_WINDOW, FD_LABEL_VALUES, FD_LABEL_GAUSSIAN } fd_label_choice;

typedef struct fd_simulate_spec {
    uint64_t pairs;          /* 100000 */
    double train_fraction;   /* 0.9 */
    uint64_t scan;           /* further prior draws counted for the ledger, not kept; 0 = none */
} fd_simulate_spec;

typedef struct fd_generate_spec { /* shared by select and sample */
    fd_sampler_spec sampler;
    double gamma;            /* guidance: eps = (1 - gamma) eps(null) + gamma eps(label); 8 */
    double guidance_s_min, guidance_s_max; /* noise levels between which gamma applies; 1 elsewhere. 0, inf: all */
    fd_label_choice label;
    bool symmetries;         /* every sample is given a random element of the symmetries of the model */
    double label_values[FD_MAX_LABELS]; /* FD_LABEL_VALUES: the model's labels, in label space */
    int n_label_values;
    fd_project_spec project; /* of every sample onto its own label; 0 steps: none */
    fd_precision precision;  /* of the network's weights and activations */
} fd_generate_spec;

typedef struct fd_select_spec {
    fd_generate_spec generate;
    uint64_t wanted;         /* stop when so many are selected: 122306 */
    uint64_t max_generated;  /* give up after so many samples */
    double chi2_all, chi2_mass, chi2_mixing; /* 5.5e3, 1e3, 4.5e3 */
} fd_select_spec;

typedef struct fd_sample_spec {
    fd_generate_spec generate;
    uint64_t n;              /* 3e7 in the paper; without a stop rule */
    /* Stop rules, 0: none. With one, samples are taken in the order of their stream, whatever the block, until the one that
     * completes so many solutions inside the prior and so many effective ones; max_generated bounds them. */
    uint64_t until;
    double until_ess;
    uint64_t max_generated;
    double keep_chi2_below;  /* rows kept in the file: solutions, and those whose five-observable chi2 is below; inf: all */
} fd_sample_spec;

typedef enum fd_draws { FD_DRAWS_REGION, FD_DRAWS_PRIOR } fd_draws;

/* The simulator-informed network (informant.h): trained on fresh draws, beside or in place of the paper's. */
typedef struct fd_informed_spec {
    bool enabled;            /* the pipeline trains it and samples from it */
    int width, hidden, last; /* hidden layers of `width` (SiLU) and one of `last` (tanh; 0: none) */
    fd_informant_spec told;  /* what it is told */
    fd_schedule_spec diffusion;
    fd_draws draws;          /* training pairs: the prior restricted to widened windows, or the prior */
    double widen;            /* region: the 3 sigma windows widened by this factor */
    double cluster;          /* region: draws an orbit, in the mean */
    uint64_t pool;           /* region: so many draws are made once and met again, each time moved along the symmetries; 0: endless */
    uint64_t validation;     /* further pairs the validation loss is taken on */
    fd_train_spec train;
    bool use_ema;
    fd_sample_spec sample;
    uint64_t reference;      /* exact solutions the pipeline draws beside it; 0: none */
} fd_informed_spec;

typedef enum fd_reference_method {
    FD_REFERENCE_ORBIT,     /* the model's own way to draw inside a region; rejection where it has none */
    FD_REFERENCE_REJECTION, /* prior draws with the scale solved for: the referee's referee */
    FD_REFERENCE_MCMC       /* Markov chains along the surface of the labels */
} fd_reference_method;

typedef enum fd_cuts {
    FD_CUTS_ALL,    /* masses, angles and moduli: solutions */
    FD_CUTS_MASSES, /* the two mass-squared differences only */
    FD_CUTS_NONE    /* the prior */
} fd_cuts;

typedef enum fd_likelihood {
    FD_LIKELIHOOD_WINDOW,   /* 1 inside all 3 sigma windows, 0 outside */
    FD_LIKELIHOOD_GAUSSIAN  /* exp(-chi^2/2), chi^2 of masses and angles */
} fd_likelihood;

typedef struct fd_reference_spec { /* exact draws from the prior inside the 3 sigma windows */
    uint64_t n;              /* 10000 */
    fd_reference_method method;
    double cluster;          /* rows a proposal gives in the mean, about; 0.3: nearly all are independent */
    fd_cuts cuts;            /* which of the windows count */
    fd_likelihood likelihood; /* mcmc; the others know the window only */
    int chains, burn_in;     /* mcmc: chains, and steps before draws are kept; 64, 512 */
    uint64_t steps;          /* mcmc: at most so many a chain after them; 100000 */
} fd_reference_spec;

typedef struct fd_calibrate_spec { /* calibration over many labels */
    uint64_t draws;          /* truths: 2000 */
    int samples;             /* ranked at the label of each: 63 */
} fd_calibrate_spec;

enum { FD_MAX_GAMMAS = 16 };
typedef struct fd_distortion_spec { /* what guidance costs */
    double gammas[FD_MAX_GAMMAS]; /* 1, 1.5, 2, 4, 8 */
    int n_gammas;
    uint64_t n;              /* samples of each: 5000 */
    uint64_t draws;          /* truths its calibration is taken on: 500 */
} fd_distortion_spec;

typedef struct fd_exact_spec { /* Markov chains from the rows of a sample set */
    uint64_t n;              /* rows taken at most; 0: all that are solutions */
    int burn_in;             /* steps of copies of the first rows, while the step length is adapted; 256 */
    int steps;               /* of the first stretch; 128 */
    uint64_t max_steps;      /* of a chain in all; 8192 */
} fd_exact_spec;

typedef struct fd_config {
    char name[64];
    uint64_t seed;
    char target[256];
    bool paper;              /* the pipeline trains, tunes and samples the paper's network */
    fd_model_options model;
    fd_simulate_spec simulate;
    struct { int n_hidden; int widths[FD_MAX_HIDDEN]; fd_activation activations[FD_MAX_HIDDEN];
             fd_param_scaling params; bool standard_labels; } network;
    fd_schedule_spec diffusion;
    fd_train_spec train;
    bool train_use_ema;      /* sample from the averaged weights */
    fd_train_spec tune;      /* defaults to the train block's values */
    int tune_rounds;         /* 1 in the paper; at most FD_MAX_ROUNDS */
    fd_select_spec select;
    fd_sample_spec before;   /* samples of the pre-network, for the ledger: the yield before tuning */
    fd_sample_spec sample;   /* samples of the tuned network */
    fd_informed_spec informed;
    fd_reference_spec reference;
    fd_calibrate_spec calibrate;
    fd_distortion_spec distortion;
    fd_exact_spec exact;
} fd_config;

void fd_config_default(fd_config *config);
/* Reads path (NULL: defaults only), then applies `n_sets` overrides "a.b=value" as --set gives them, then checks. */
fd_status fd_config_load(const char *path, int n_sets, const char *const *sets, fd_config *config, fd_error *err);
/* The resolved configuration as YAML that fd_config_load reads back to the same struct. Caller frees *text. */
fd_status fd_config_dump(const fd_config *config, char **text, fd_error *err);

FD_DECLS_END

#endif
