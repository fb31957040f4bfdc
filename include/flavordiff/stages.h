/* The stages of the method. Each reads files and writes files, reports through callbacks and can be run alone;
 * pipeline.c chains them and skips what is up to date. */
#ifndef FLAVORDIFF_STAGES_H
#define FLAVORDIFF_STAGES_H

#include <stdbool.h>
#include <stdint.h>

#include "flavordiff/api.h"
#include "flavordiff/config.h"
#include "flavordiff/files.h"
#include "flavordiff/team.h"

FD_DECLS_BEGIN

/* Asked to stop: a flag the caller may set from a signal handler or a timer. */
typedef struct fd_run {
    const fd_config *config;
    const char *command;             /* the command line, for provenance */
    bool force;                      /* replace existing outputs */
    bool resume;                     /* go on from what a stopped or killed run left in OUT.checkpoint (or begin); with force:
                                      * one of other settings is thrown away, without: refused, FD_ERR_MISMATCH */
    double checkpoint_every;         /* seconds between checkpoints of the stages that resume; 0: none are kept */
    fd_team *team;                   /* ranks that train, tune, train-informed, select, sample and reference divide their work among:
                                      * all call the stage, rank 0 alone writes and uses the callbacks, and fd_team_end() is
                                      * the caller's. NULL: one process. Other stages take none */
    bool strict;                     /* a diagnostic that fails is FD_ERR_WANTING; outputs are written all the same */
    /* Called a few times a second from the calling thread with work done of total (0: unknown), and the tally so
     * far or NULL; returns non-zero to stop (FD_ERR_STOPPED). May be NULL. */
    int (*progress)(void *user, const char *stage, uint64_t done, uint64_t total, const fd_tally *tally,
                    const char *detail);
    void (*message)(void *user, const char *line); /* one finished line of news; may be NULL */
    void *user;
} fd_run;

fd_status fd_stage_simulate(const fd_run *run, const char *out, fd_error *err);
/* start NULL: a fresh network on prior pairs (the pre-network). Otherwise fine-tuning from that model file with the
 * tune settings. */
fd_status fd_stage_train(const fd_run *run, const char *data, const char *start, const char *out, fd_error *err);
/* The simulator-informed network, from endless draws: no data file. */
fd_status fd_stage_train_informed(const fd_run *run, const char *out, fd_error *err);
fd_status fd_stage_select(const fd_run *run, const char *model, const char *out, fd_error *err);
/* spec->n samples, or as its stop rules say. FD_ERR_WANTING when max_generated came first: the file is there all the same. */
fd_status fd_stage_sample(const fd_run *run, const fd_sample_spec *spec, const char *model, const char *out,
                          fd_error *err);
/* project: the ablation of the network. Every row of any sample set is given a label as informed.sample says and moved onto
 * it with informed.sample.project, in the coordinates of the prior's box; role "generated", with the rows as read in `alone`.
 * FD_ERR_CONFIG on no steps, FD_ERR_MISMATCH when the set's ordering is not the target's, FD_ERR_EMPTY on a set of no rows. */
fd_status fd_stage_project(const fd_run *run, const char *samples, const char *out, fd_error *err);
/* reference: exact draws from the prior inside the 3 sigma windows of all that is cut on (region.h), role "reference". By Markov
 * chains: draws whose worth the note tells, or which it says have not converged (FD_ERR_WANTING with run->strict). */
fd_status fd_stage_reference(const fd_run *run, const char *out, fd_error *err);
/* attribute: what moved the predictions of the solutions in `posterior`: the two mass-squared differences, mixing, or nothing, which
 * makes them the prior's. Draws reference.n times from the prior, and from it inside the mass windows of the set's own target
 * (prior.h5, masses.h5), and writes attribution.csv and attribution.json into `folder`; the table goes to run->message. */
fd_status fd_stage_attribute(const fd_run *run, const char *posterior, const char *folder, fd_error *err);
/* calibrate: is the network calibrated over many labels (inference/calibration.h)? Samples as `spec` says, but for the labels.
 * Writes calibration.json, calibration.csv, calibration-ecdf.csv and the figure calibration into `folder`. */
fd_status fd_stage_calibrate(const fd_run *run, const fd_generate_spec *spec, const char *model, const char *folder,
                             fd_error *err);
/* distortion: yield, distance from the exact solutions of `reference`, and calibration for every gamma of config.distortion, with
 * all else as `spec` says. Writes distortion.csv, the figure distortion and the samples gamma-G.h5 into `folder`. */
fd_status fd_stage_distortion(const fd_run *run, const fd_generate_spec *spec, const char *model, const char *reference,
                              const char *folder, fd_error *err);
/* exact: the solutions of any sample set, each moved by a Markov chain of its own until a stretch that forgets its beginning
 * changes the distribution of no quantity; role "reference". Tells the drift of every quantity from the set as read. target: name or
 * file of a target set; NULL: the one the samples were made for. FD_ERR_EMPTY on fewer than 100 solutions, FD_ERR_MISMATCH when the
 * set's ordering is not the target's; chains that do not settle are told in the note, and FD_ERR_WANTING with run->strict. */
fd_status fd_stage_exact(const fd_run *run, const char *target, const char *samples, const char *out, fd_error *err);
/* One set of a ledger. */
typedef struct fd_ledger_entry {
    char set[64];       /* "prior", "pre-network", "tuned network" */
    char note[512];
    fd_tally tally;
    bool exact;         /* drawn as solutions: their number means something, their fraction does not */
} fd_ledger_entry;
/* Lines of a sample set in a ledger: one, or where it was projected two, "SET, network alone" and "SET, projected", the one
 * that counts last. Returns how many. */
int fd_ledger_entries(const char *set, const fd_sample_info *info, fd_ledger_entry entries[2]);
/* Wilson score interval (95 %) of k successes in n. */
void fd_wilson(uint64_t k, uint64_t n, double *lo, double *hi);
/* Ledger as a table of text, exact sets as a line of their own below it; caller frees. */
char *fd_ledger_text(int n, const fd_ledger_entry *entries);
/* ledger.json of the run folder: per set n, counts per window, in-box, non-finite, seconds; of an exact one only how many
 * solutions there are. */
fd_status fd_ledger_write(const char *path, int n, const fd_ledger_entry *entries, fd_error *err);
fd_status fd_ledger_read(const char *path, int max, int *n, fd_ledger_entry *entries, fd_error *err);

/* analyse: section 3 of the paper for a sample file. Writes into `folder`: analysis.h5, solutions.csv (parameters and
 * observables), summary.json (medians, quartiles, hierarchy digits, counts). When fewer than 10 rows pass 3 sigma,
 * the nearest 200 rows by chi2 are written to nearest.csv and marked so. */
fd_status fd_stage_analyse(const fd_run *run, const char *samples, const char *folder, fd_error *err);
/* plot: Figures 2-5 from the analysis folder, each as PNG, PDF, CSV and the gnuplot script that drew it, into
 * `folder`/figures; over them the exact solutions of the sample file `reference` (NULL: of `folder`/reference.h5, if that is there
 * and of the same target set and model). FD_ERR_MISMATCH when a given one is of others. */
fd_status fd_stage_plot(const fd_run *run, const char *analysis_folder, const char *reference, const char *folder, fd_error *err);
/* report: self-contained report.html of a run folder. */
fd_status fd_stage_report(const fd_run *run, const char *run_folder, fd_error *err);
/* run: the whole chain into `folder`, skipping stages whose outputs are there and were made by this version with the
 * same settings from the same inputs (by content). First the paper's network (config.paper), then the informed one
 * (config.informed.enabled), whose samples are then those analysed and drawn; the paper's go into `folder`/paper. Says in the
 * end how many solutions each network gave. FD_ERR_CONFIG when neither is asked for. */
fd_status fd_pipeline(const fd_run *run, const char *folder, fd_error *err);

FD_DECLS_END

#endif
