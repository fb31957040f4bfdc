/* Inside of the stages calibrate and distortion: the calibration of a network, named. */
#ifndef FLAVORDIFF_STAGES_CALIBRATE_H
#define FLAVORDIFF_STAGES_CALIBRATE_H

#include "inference/calibration.h"
#include "stages/resume.h"
#include "stages/text.h"

/* A verdict is outside when uniform ranks would be so in 1 % of cases. */
#define FD_CALIBRATION_TAIL 0.01

typedef struct fd_network_calibration {
    fd_calibration ranks;
    char (*names)[48];    /* (ranks.n_rows): quantities, then "TARP, ..." */
    int n_parameters;     /* of the quantities, the first ones */
    int n_outside;        /* quantities, without TARP */
    char target[64];
    char law[200];        /* what the truths are drawn from, in words */
    char note[512];       /* how the samples are made */
    fd_text unranked;     /* observables that the labels fix */
} fd_network_calibration;

/* Truths from the law an informed network is trained on (informed.draws; the prior for others), samples of `model` at their
 * labels as `spec` says but for the labels. Deterministic in the seed, whatever the number of threads. FD_ERR_CONFIG when
 * no truth is found. resume: open, or NULL. Freed with fd_network_calibration_free (zeroed: ok). */
fd_status fd_calibrate_network(const fd_run *run, const char *stage, const fd_generate_spec *spec, const char *model,
                               const fd_calibrate_spec *size, fd_resume *resume, fd_network_calibration *out, fd_error *err);
void fd_network_calibration_free(fd_network_calibration *c);

/* In words, in out[64], which is returned: "uniform", "samples too low", "samples too narrow". */
char *fd_calibration_words(const fd_rank_verdict *verdict, bool tarp, char out[64]);
/* For people. */
void fd_calibration_table(fd_text *text, const char *model, const fd_network_calibration *c);
/* Into `folder`: calibration.json, calibration.csv (a row a quantity), calibration-ecdf.csv (curves and band) and the figure
 * calibration drawn from it. made: what tells this making from another. FD_ERR_VALUE when the model's path is not UTF-8. */
fd_status fd_calibration_write(const fd_run *run, const char *model, const fd_network_calibration *c, const char *made,
                               const char *folder, fd_error *err);

#endif
