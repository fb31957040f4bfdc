/* flavordiff: one binary, verbs. The table below is the only list of them. */
#include "cli/cli.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "flavordiff/machine.h"
#ifdef FLAVORDIFF_MPI
#include "mpi/team.h"
#endif

const cli_verb cli_verbs[] = {
    {"run", "[CONFIG.yaml]", "the whole chain, from prior draws to the report",
     "Runs simulate, train, (select, tune) for every round, sample, where informed.enabled says so train-informed, sample "
     "and (informed.reference) reference, then analyse, plot and report into one folder and skips what is there and was made with the same settings and inputs. Interrupted, it goes on where it was "
     "when given again. Without a configuration: the paper's own counts.",
     "flavordiff run recipes/quick.yaml -o runs/quick", CLI_STAGE | CLI_RESUME | CLI_NO_PROJECT, 0, 1, verb_run, NULL},
    {"simulate", "", "training pairs (G, L) from the prior",
     "Draws parameters from the prior, computes their labels and writes both. simulate.scan further draws are counted "
     "for the ledger and not kept. The file does not depend on the number of threads.",
     "flavordiff simulate -n 100000 -o pairs.h5", CLI_STAGE | CLI_RESUME | CLI_NUMBER, 0, 0, verb_simulate, "simulate.pairs"},
    {"train", "PAIRS.h5", "the pre-network, from training pairs",
     "Trains the denoising network on the first rows of PAIRS (validating on the others): mean squared error on the noise, "
     "Adam, one-cycle learning rate. Raw and averaged weights are both kept.",
     "flavordiff train pairs.h5 -o pre-network.h5", (CLI_STAGE & ~CLI_TARGET) | CLI_RESUME | CLI_RANKS, 1, 1, verb_train, NULL},
    {"train-informed", "", "the simulator-informed network, from endless draws",
     "Trains a network that is told, at every noisy point, how far its labels are from those asked for and which step would "
     "mend it (docs/method.md). Its training pairs are drawn while it trains, from the prior inside widened 3 sigma windows "
     "of the target set, and never repeat. The informed block of the configuration has the settings.",
     "flavordiff train-informed -o informed.h5", CLI_STAGE | CLI_RESUME | CLI_RANKS, 0, 0, verb_train_informed, NULL},
    {"select", "NETWORK.h5", "generated points near the target, for tuning",
     "Generates until select.wanted points pass the selection (chi2 of all labels below chi2_all, and the mass part below "
     "chi2_mass or the mixing part below chi2_mixing) or select.max_generated have been tried; counts the groups "
     "mass only, mixing only, both.",
     "flavordiff select pre-network.h5 -o selected.h5",
     CLI_STAGE | CLI_RESUME | CLI_RANKS | CLI_NUMBER | CLI_NO_PROJECT | CLI_GENERATE, 1, 1, verb_select,
     "select.wanted"},
    {"tune", "NETWORK.h5 SELECTED.h5", "fine-tuning of a network on selected points",
     "Continues from NETWORK with the tune settings: all weights, or all but the first tune.frozen_layers layers.",
     "flavordiff tune pre-network.h5 selected.h5 -o tuned.h5", (CLI_STAGE & ~CLI_TARGET) | CLI_RESUME | CLI_RANKS, 2, 2, verb_tune, NULL},
    {"sample", "NETWORK.h5", "points from a trained network, and their yield",
     "Generates points for the label of the target set with the sampler of the configuration and classifier-free guidance "
     "eps = (1 - gamma) eps(null) + gamma eps(label). Prints the ledger: how many are inside which window, outside the "
     "prior box, not finite. sample.keep_chi2_below limits what is kept in the file, never what is counted. "
     "--until N goes on until N solutions are in hand and stops at the sample that completes them: the efficiency is then told "
     "without the bias of such a stop. A "
     "simulator-informed network takes its settings from informed.sample in place of sample; --sampler, --steps, --grid and "
     "--guidance go to the block that counts. With project.steps every sample is moved onto its own label inside the prior, "
     "and the ledger shows the network alone and projected.",
     "flavordiff sample tuned.h5 -n 100000 --sampler ddim --steps 20 -o samples.h5",
     CLI_STAGE | CLI_RESUME | CLI_RANKS | CLI_NUMBER | CLI_NO_PROJECT | CLI_GENERATE | CLI_UNTIL, 1, 1, verb_sample, "sample.n"},
    {"project", "SAMPLES.h5", "projection without a network: rows of a sample set moved onto labels",
     "What the projection does by itself: every row of SAMPLES, prior draws for instance, is given a label of the target set "
     "and moved onto it inside the prior, with label and project of the block informed.sample. Prints the ledger of the rows "
     "as read and projected. Nearly all become solutions; that they are not distributed as exact ones, compare shows.",
     "flavordiff project pairs.h5 -o projected.h5", CLI_STAGE | CLI_RESUME, 1, 1, verb_project, NULL},
    {"reference", "[CONFIG.yaml]", "exact solutions: the prior inside the 3 sigma windows of a target set",
     "Independent draws from what every generator of solutions should sample: the prior, restricted to the 3 sigma windows of the "
     "mass-squared differences, the angles and the nine |U|. --method orbit draws heavy masses and Yukawas up to a "
     "unitary rotation, then the rotation inside the windows (docs/physics.md); --method rejection draws from the prior and solves for "
     "k only, thousands of times slower and as exact; --method mcmc runs Markov chains along the surface of the labels, for any model "
     "and (reference.likelihood) for a Gaussian likelihood, until R-hat < 1.01 and ESS >= 400 for every quantity, or says which did "
     "not converge (with --strict: exit code 5). All are judged like any sample. The file does not depend on the number of threads.",
     "flavordiff reference -n 10000 --target paper-table1-no -o reference.h5", CLI_STAGE | CLI_RESUME | CLI_RANKS | CLI_NUMBER | CLI_METHOD | CLI_STRICT, 0, 1,
     verb_reference, "reference.n"},
    {"calibrate", "NETWORK.h5", "is a network calibrated over many labels",
     "Draws truths with their labels from the law the network was trained on, samples from the network at each label, and ranks "
     "each truth among them: every parameter, every observable that the labels leave open (simulation-based calibration), and "
     "its distance from random points (TARP: expected coverage). If the samples follow the posterior, ranks are uniform; "
     "the test and its 99 % band are exact. Samples are made as by sample, with the same options. Writes calibration.json, "
     "calibration.csv, calibration-ecdf.csv and the figure calibration into the folder -o. -n is the number of labels. The exit "
     "code does not depend on what is found.",
     "flavordiff calibrate informed.h5 -o calibration", CLI_STAGE | CLI_RESUME | CLI_NUMBER | CLI_NO_PROJECT | CLI_GENERATE, 1, 1,
     verb_calibrate, "calibrate.draws"},
    {"distortion", "NETWORK.h5 REFERENCE.h5", "what guidance costs: yield, fidelity and calibration against gamma",
     "For every gamma of distortion.gammas: samples (-n) and their yield, the distance of the solutions from exact ones, REFERENCE "
     "(compare), and the calibration of the network at distortion.draws labels (calibrate). All else is as sample would have it, "
     "with the same options. Writes distortion.csv, the figure distortion and the samples of each gamma into the folder -o.",
     "flavordiff distortion informed.h5 reference.h5 -o distortion", CLI_STAGE | CLI_NUMBER | CLI_NO_PROJECT | CLI_GENERATE, 2, 2,
     verb_distortion, "distortion.n"},
    {"exact", "SAMPLES.h5", "a sample set made exact by Markov chains, and how far it was from that",
     "Every solution in SAMPLES starts a Markov chain of its own (as reference --method mcmc). Chains move in stretches of doubling "
     "length until one that forgets its beginning changes the distribution of no quantity: their ends are exact draws, as many as "
     "there were solutions. Prints the drift of every parameter and observable from the set as read beside what 99 % of pairs "
     "of exact sets stay below; no drift means that the set was right. The target set is the one SAMPLES was made for, unless -t names "
     "another. Chains that do not settle are told, with --strict by exit code 5.",
     "flavordiff exact samples.h5 -o exact.h5", CLI_STAGE | CLI_RESUME | CLI_NUMBER | CLI_STRICT, 1, 1, verb_exact, "exact.n"},
    {"analyse", "SAMPLES.h5", "predictions of the solutions in a sample set",
     "Writes analysis.h5, solutions.csv (or nearest.csv, marked, where too few points are solutions) and summary.json "
     "into the folder -o.",
     "flavordiff analyse samples.h5 -o analysis", CLI_RESULT | CLI_OUTPUT | CLI_TARGET, 1, 1, verb_analyse, NULL},
    {"compare", "REFERENCE.h5 SAMPLES.h5 ...", "do sample sets have the same distribution",
     "Two-sample Kolmogorov-Smirnov distance of every parameter and observable between each set and the first one, the "
     "reference, beside what 99 % of pairs of draws from one distribution stay below; for angles, on [0, 2 pi), Kuiper's distance too, "
     "which does not depend on where the circle is cut and decides. Then whole rows: what a small network, trained to tell the sets "
     "apart, gets right, beside what it gets right when the labels are dealt at random; how many rows fall into which cell of the reference "
     "and into which image under the discrete symmetries; and a verdict (docs/referee.md). The sets must not share draws. Compares "
     "solutions inside the prior, and with -n the first N of each set. The exit code does not depend on what is found.",
     "flavordiff compare reference.h5 samples.h5 -n 5000", CLI_NUMBER | CLI_ALL_ROWS | CLI_OUTPUT | CLI_JSON | CLI_CSV | CLI_FORCE | CLI_TOGETHER | CLI_SEED | CLI_THREADS, 2,
     CLI_MAX_COMPARED, verb_compare, NULL},
    {"export", "SAMPLES.h5", "a sample set for other tools: CSV, NPZ, GetDist, SLHA, NuFIT",
     "Writes parameters, observables, chi2 and verdict of the solutions inside the prior, with 17 significant digits. --format csv: "
     "a row a point, which evaluate reads back; npz: one array a column, for numpy.load; getdist: the chain OUT.txt with OUT.paramnames "
     "and OUT.ranges, phases periodic; slha: blocks SMINPUTS, UPMNSIN, YNU, MNUR a point; nufit: best and central values with 1 and 3 "
     "sigma ranges of every prediction. Without -o the files lie beside SAMPLES. docs/formats.md.",
     "flavordiff export samples.h5 --format npz", CLI_FORMAT | CLI_OUTPUT | CLI_NUMBER | CLI_ALL_ROWS | CLI_FORCE | CLI_QUIET, 1, 1,
     verb_export, NULL},
    {"attribute", "SOLUTIONS.h5", "which predictions are the data's, and which the prior's",
     "Draws -n points from the prior, and as many from the prior inside the windows of the two mass-squared differences, for the model and "
     "target set of SOLUTIONS, and puts all three side by side: quartiles of every quantity, KS distance and Jensen-Shannon divergence in "
     "bits, and whose the prediction is. The folder -o gets prior.h5, masses.h5, attribution.csv and attribution.json.",
     "flavordiff attribute exact.h5 -o attribution", CLI_STAGE | CLI_RESUME | CLI_NUMBER, 1, 1, verb_attribute, "reference.n"},
    {"plot", "ANALYSIS_FOLDER [REFERENCE.h5]", "the paper's figures 2 to 5 from an analysis, over exact solutions",
     "Each figure as PNG and PDF with its data (CSV) and the gnuplot script that drew it, in FOLDER/figures of -o. The solutions in "
     "REFERENCE, or in FOLDER/reference.h5 where that is of the same target set and model, are drawn with them: as the contours that "
     "hold half and nine tenths of them, and as a step line over the histograms.",
     "flavordiff plot analysis exact.h5 -o .", CLI_RESULT | CLI_OUTPUT | CLI_TARGET, 1, 2, verb_plot, NULL},
    {"report", "RUN_FOLDER", "report.html of a run folder",
     "One self-contained page: what was run, the ledger, the figures, the paper beside this run, the informed network "
     "beside exact solutions.",
     "flavordiff report runs/quick", CLI_RESULT, 1, 1, verb_report, NULL},
    {"evaluate", "POINTS.csv", "observables, chi2 and 3 sigma verdict of given points",
     "Reads a CSV whose header names the model's parameters (re_Y_1e ... im_Y_3tau, r1, r2, k, arg_M1, arg_M2; any order, "
     "other columns ignored; - is standard input) and writes a CSV of observables with 17 significant digits, one row a "
     "point, to standard output or -o. chi2 is that of the five observables (two mass-squared differences, three angles); inside_3sigma means both "
     "mass-squared differences and all nine |U|. With --json: an array with one object a point. Points outside the prior are "
     "evaluated and told on standard error; with --strict they give exit code 5.",
     "flavordiff evaluate points.csv --target nufit-6.0-ic24-no",
     CLI_TARGET | CLI_OUTPUT | CLI_JSON | CLI_PHASES | CLI_VEV | CLI_FORCE | CLI_STRICT, 1, 1, verb_evaluate, NULL},
    {"merge", "PART.h5 PART.h5 ...", "one sample file out of parts drawn on many machines",
     "Joins files of sample or reference that were drawn with seeds of their own and are otherwise alike: verb, settings but for counts, "
     "target set, network (by content), program version, revision and kernels. Anything else is refused, with the file and the first "
     "thing that differs. Tallies add up; training rows come first, those of each part in the order given, then the others. The parts "
     "are named in the file, by content.",
     "flavordiff merge part-1.h5 part-2.h5 -o samples.h5", CLI_OUTPUT | CLI_FORCE | CLI_QUIET, 2, CLI_MAX_ARGS, verb_merge, NULL},
    {"diff", "A.h5 B.h5", "how two files were made differently",
     "One line for every setting that differs, and for seed, verb, version, revision, kernels, libraries, target set and parents (by "
     "content): KEY, then what A has and what B has. Time, command and results are not looked at. The exit code does not depend on what "
     "is found.",
     "flavordiff diff runs/a/samples.h5 runs/b/samples.h5", CLI_JSON, 2, 2, verb_diff, NULL},
    {"info", "FILE", "what a file is and how it was made",
     "Prints format, version, provenance, contents and configuration of any file this program wrote, or a target set by name. With "
     "--verify: reads the file, then looks for those it was made from, and for theirs, where it says, beside it or one folder up, and prints whether each "
     "is ok, changed or missing; exit code 3 when one has changed, 1 when one is missing.",
     "flavordiff info runs/quick/samples.h5", CLI_JSON | CLI_VERIFY, 1, 1, verb_info, NULL},
    {"bench", "[NETWORK.h5]", "how fast this machine is at all of this",
     "Measures every hot loop with all threads: the forward map, exact draws, training, sampling. Prints the median and range of a "
     "few repetitions, and for networks the fraction of the multiply-adds a second that this instruction set does from "
     "registers, which is measured beside. Sizes and settings are those of the configuration, weights are random; NETWORK takes the "
     "place of the random network of its kind (trained, an informed network is projected in fewer steps). The time of a guided step "
     "does not depend on their number: 20 are taken.",
     "flavordiff bench --only labels,sample --seconds 5", CLI_CONFIG | CLI_SET | CLI_TARGET | CLI_SEED | CLI_THREADS | CLI_BENCH | CLI_JSON,
     0, 1, verb_bench, NULL},
    {"version", "", "version, revision and the kernels chosen on this machine", "", "flavordiff version",
     CLI_ISA_BELOW, 0, 0, verb_version, NULL},
    {"help", "[VERB]", "this overview, or the help of one verb", "", "flavordiff help sample", CLI_MARKDOWN, 0, 1,
     verb_help, NULL},
    {0},
};

/* Threads that wait by spinning hold the cores that their fellows need as soon as another program runs beside them. libgomp
 * reads how long to spin before main(), so the program begins once more; where it cannot, all goes on as it was. */
static void spin_briefly(char **argv) {
    if (getenv("GOMP_SPINCOUNT") || getenv("OMP_WAIT_POLICY")) return;
    if (setenv("GOMP_SPINCOUNT", "3000", 1) == 0) execv("/proc/self/exe", argv);
}

/* Verbs that do not divide their work would do it, and write the same file, once a rank. */
static fd_status check_ranks(const cli *c, fd_error *err) {
    char names[256] = "";
    if (fd_team_alone(c->team) || c->verb->options & CLI_RANKS) return FD_OK;
    for (const cli_verb *v = cli_verbs; v->name; v++) {
        size_t used = strlen(names);
        if (v->options & CLI_RANKS) snprintf(names + used, sizeof names - used, "%s%s", used ? ", " : "", v->name);
    }
    return fd_fail(err, FD_ERR_USAGE, "%s: runs in one process; verbs that divide their work among %d ranks: %s", c->verb->name,
                   c->team->size, names);
}

static fd_status do_verb(int argc, char **argv, fd_team *team, fd_error *err) {
    cli parsed, *c = &parsed;
    fd_status status = cli_parse(argc, argv, c, err);
    c->team = team;
    if (!status && !fd_machine_mask_known())
        status = fd_fail(err, FD_ERR_USAGE, "FLAVORDIFF_CPU=%s: no such kernel set; known: amx, avx512bf16, avx512, avx2, portable",
                         getenv("FLAVORDIFF_CPU"));
    if (!status) status = check_ranks(c, err);
    if (!status) fd_machine_kernels(); /* before there are threads: tiles of AMX are asked for here */
    return status ? status : c->verb->run(c, err);
}

int main(int argc, char **argv) {
    fd_error err = {0};
    fd_team *team = NULL;
    fd_status status = FD_OK;
    spin_briefly(argv);
    signal(SIGXFSZ, SIG_IGN); /* a file-size limit is a full disk: reported, not fatal */
    signal(SIGPIPE, SIG_IGN); /* so is a reader that went away: the flush below says so */
#ifdef FLAVORDIFF_MPI
    status = fd_mpi_begin(&argc, &argv, &team, &err);
#endif
    if (!status) status = do_verb(argc, argv, team, &err);
    /* A full disk under a redirected standard output must not look like success. */
    if ((fflush(stdout) != 0 || ferror(stdout)) && !status)
        status = fd_fail(&err, FD_ERR_FILE, "standard output: %s", strerror(errno));
    status = fd_team_end(team, status, &err);
    if (status && !fd_team_follows(team)) fprintf(stderr, "flavordiff: %s\n", err.message);
#ifdef FLAVORDIFF_MPI
    fd_mpi_end(team);
#endif
    return fd_status_exit_code(status);
}
