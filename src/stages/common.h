/* What the stages share: progress, tallies, and turning a model file into something that generates points. */
#ifndef FD_STAGES_COMMON_H
#define FD_STAGES_COMMON_H

#include <stdbool.h>

#include "flavordiff/sampler.h"
#include "flavordiff/stages.h"

/* Monotonic seconds. */
double fd_seconds(void);
/* Calls the run's progress at most five times a second (and always when done == total); FD_ERR_STOPPED when the caller
 * asks to stop. */
typedef struct fd_ticker {
    const fd_run *run;
    const char *stage;
    double last;
} fd_ticker;
fd_status fd_tick(fd_ticker *ticker, uint64_t done, uint64_t total, const fd_tally *tally, const char *detail,
                  fd_error *err);
void fd_say(const fd_run *run, const char *format, ...) FD_PRINTF(2, 3);

/* FD_ERR_USAGE when the output is one of the inputs (a NULL-terminated list): --force must not eat them. */
fd_status fd_check_not_input(const char *path, const char *const *inputs, fd_error *err);

/* Counts one point by its flags. */
void fd_tally_add(fd_tally *tally, uint8_t flags);
/* Rows that train, of n: train_fraction of them to the nearest, at least one. The others validate. */
uint64_t fd_training_rows(const fd_config *config, uint64_t n);
enum { FD_PARENTS_SIZE = 9000 }; /* two of the longest paths, and their ids */
/* Provenance of a file this stage writes; *config_text receives the resolved configuration the caller frees, with
 * `model` (that of the input files; NULL: as configured) in its place, and parents (a buffer) the ids of the files it was
 * made from (NULL-terminated list of paths). */
fd_status fd_stage_provenance(const fd_run *run, const char *verb, const fd_model_options *model,
                              const char *const *parent_paths, char *parents, size_t parents_size, char **config_text,
                              fd_provenance *provenance, fd_error *err);
/* The target set that rows are judged by, into what is told of them. */
void fd_tell_target(const fd_target *target, fd_sample_info *info);
/* Whether two models are the same but for the ordering. */
bool fd_same_model(const fd_model_options *a, const fd_model_options *b);
/* A file's model goes before a configuration that says nothing of it (defaults); one that says something else is refused:
 * FD_ERR_MISMATCH. */
fd_status fd_check_configured_model(const fd_run *run, const char *path, const fd_model_options *model, fd_error *err);

/* Model and target, bound. */
typedef struct fd_setting {
    fd_model *model;
    fd_target target;
    fd_judge *judge;
} fd_setting;
/* Loads the target and binds the model of `options` to it. fd_setting_free accepts a zeroed setting. */
fd_status fd_setting_create(const fd_model_options *options, const char *target, fd_setting *setting, fd_error *err);
void fd_setting_free(fd_setting *setting);

/* FD_ERR_CONFIG when no point of the prior is found in a region made of windows widened by `widen`: drawing from it would
 * never end. */
fd_status fd_check_region(const fd_setting *setting, const fd_region *region, double widen, uint64_t seed, fd_error *err);
/* The prior's ranges -> [-1, 1]. A range that is a point keeps its unit. */
fd_scaler fd_prior_box(const fd_model *model);
/* FD_ERR_CONFIG when no unitary matrix has its moduli in the windows. */
fd_status fd_check_window(const fd_setting *setting, fd_error *err);

/* Labels asked for (labels.c). Whether every point has one of its own (window, gaussian) or all share one (central, values);
 * the choice in a word. */
bool fd_own_labels(const fd_generate_spec *spec);
const char *fd_label_word(const fd_generate_spec *spec);
/* FD_ERR_CONFIG on another number of label_values than the model has labels, and on window labels of a target set whose
 * windows exclude each other. To be asked before the two below. */
fd_status fd_check_label_choice(const fd_setting *setting, const fd_generate_spec *spec, fd_error *err);
/* The label (n_labels, label space) that all points share, as given: a central one may contradict itself. */
void fd_shared_label(const fd_setting *setting, const fd_generate_spec *spec, double *label);
/* The label of point `item`, drawn: a function of (seed, item) alone. slopes (n_labels; NULL: flat): where the prior's density
 * rises over a window, d ln density / d label, so do the labels. */
void fd_own_label(const fd_setting *setting, const fd_generate_spec *spec, const double *slopes, uint64_t seed,
                  uint64_t item, double *label);

/* theta rounded to float32 and judged: labels, chi2 and flags for n rows. Periodic parameters are brought into their
 * range first. labels (n, n_labels). Rows in parallel. */
void fd_judge_rows(const fd_setting *setting, size_t n, float *theta, double *labels, fd_chi2 *chi2, uint8_t *flags);

/* Arrays for one block of points; what every generating stage works on. */
typedef struct fd_block {
    size_t capacity;
    float *theta;   /* (capacity, n_params) */
    double *labels; /* (capacity, n_labels) */
    fd_chi2 *chi2;  /* (capacity) */
    double *five;   /* (capacity) five-observable chi2, as files store it */
    uint8_t *flags; /* (capacity) */
    uint8_t *alone; /* (capacity) flags before projection */
} fd_block;
fd_status fd_block_create(const fd_model *model, size_t capacity, fd_block *block, fd_error *err);
void fd_block_free(fd_block *block);
/* Moves the rows for which keep[i] is set to the front (order kept), fills `five`, returns their number. */
size_t fd_block_compact(const fd_model *model, fd_block *block, size_t n, const bool *keep);

/* A trained network ready to generate points: denoiser, guidance, sampler, labels, judge. */
typedef struct fd_generator fd_generator;
fd_status fd_generator_create(const fd_run *run, const char *model_path, const fd_generate_spec *spec, uint64_t seed,
                              fd_generator **generator, fd_error *err);
/* The same from a network in memory, which messages call `name`. *file is taken over and zeroed; FD_ERR_MEMORY may leave it. */
fd_status fd_generator_adopt(const fd_run *run, const char *name, fd_model_file *file, const fd_generate_spec *spec,
                             uint64_t seed, fd_generator **generator, fd_error *err);
void fd_generator_free(fd_generator *generator);
const fd_setting *fd_generator_setting(const fd_generator *generator);
/* How the points are made, with the number of steps as resolved. */
const fd_generate_spec *fd_generator_spec(const fd_generator *generator);
const fd_model_file *fd_generator_model_file(const fd_generator *generator);
/* Point i has label i / each of `labels` (rows, n_labels; label space; borrowed) in place of a drawn one. For a spec whose
 * points have labels of their own (fd_own_labels). */
void fd_generator_give_labels(fd_generator *generator, const double *labels, uint64_t each);
/* All runs from now on are jobs of `team` (borrowed): rank 0 calls fd_generator_run(), the others fd_generator_follow(). */
void fd_generator_share(fd_generator *generator, fd_team *team);
/* Does its part of rank 0's runs until that ends. generator may be NULL when `status` says why. */
fd_status fd_generator_follow(fd_generator *generator, fd_team *team, fd_status status, fd_error *err);
/* Evaluations of the network one sample takes, guidance included. */
long fd_generator_evaluations(const fd_generator *generator);
/* Rows a call should ask for so that it lasts a fraction of a second to a few seconds. */
size_t fd_generator_block(const fd_generator *generator);
/* Samples first .. first + n - 1 and their verdicts; the result depends on (seed, index) alone. With projection: the
 * projected samples, flags with FD_PROJECTED and FD_UNREACHED, and alone (n) with the verdicts on the network's own points.
 * Without: alone is flags. */
fd_status fd_generator_run(fd_generator *generator, uint64_t first, size_t n, float *theta, double *labels,
                           fd_chi2 *chi2, uint8_t *flags, uint8_t *alone, fd_error *err);
/* Wall seconds of all runs so far that went into projecting. */
double fd_generator_projecting(const fd_generator *generator);
/* How the points are made, in words: "DDIM, 20 steps, eta 0; guidance gamma = 8 (...); label central". */
void fd_generate_note(const fd_generate_spec *spec, char *note, size_t size);

#endif
