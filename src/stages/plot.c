/* plot: Figures 2-5 of the paper, the two readings of the Majorana phases, and the loss curves. */
#include "stages/plot.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stages/analyse.h"
#include "stages/common.h"
#include "stages/density.h"

/* ---- points in plot units --------------------------------------------------------------------------------- */

static const double degree = 57.295779513082320877;

/* Column of the analysis -> column of the figures. */
static const struct {
    const char *from, *to;
    double factor;
} units[] = {
    {"sum_m_eV", "sum_m_meV", 1e3},
    {"mnue_eV", "mnue_meV", 1e3},
    {"mbb_eV", "mbb_meV", 1e3},
    {"mbb_eV" FD_PAPER_SUFFIX, "mbb_paper_phases_meV", 1e3},
    {"delta_rad", "delta_deg", degree},
    {"alpha21_rad", "alpha21_deg", degree},
    {"alpha31_rad", "alpha31_deg", degree},
    {"s23sq", "s23sq", 1},
    {"M1_GeV", "M1_GeV", 1},
    {"M2_GeV", "M2_GeV", 1},
    {"M3_GeV", "M3_GeV", 1},
    {"chi2_five", "chi2", 1},
};
enum { UNITS = sizeof units / sizeof *units };

static fd_status add_points(fd_plot *plot, const fd_table *from, bool solutions, size_t keep, fd_rng *rng,
                            fd_error *err) {
    size_t left = from->n_rows;
    int in_prior = fd_table_column(from, "in_prior");
    for (size_t i = 0; i < from->n_rows; i++, left--) {
        /* Selection sampling (Knuth, algorithm S): every subset of `keep` rows is as likely as any other. */
        if (keep < left && fd_rng_uniform(rng) * (double)left >= (double)keep) continue;
        keep--;
        double *row = fd_table_row(&plot->points);
        if (!row) return fd_fail(err, FD_ERR_MEMORY, "out of memory for the points of the figures");
        int class = !solutions                            ? FD_POINT_NEAREST
                    : fd_table_at(from, i, in_prior) != 0 ? FD_POINT_INSIDE
                                                          : FD_POINT_OUTSIDE;
        for (int j = 0; j < UNITS; j++) {
            int column = fd_table_column(from, units[j].from);
            row[j] = column < 0 ? NAN : units[j].factor * fd_table_at(from, i, column);
        }
        row[UNITS] = class;
        plot->drawn[class]++;
    }
    return FD_OK;
}

/* Worst chi2 first, so that the best points are drawn on top; nearest rows below all solutions. */
static int worst_first(const void *a, const void *b) {
    const double *x = a, *y = b;
    bool near_x = x[UNITS] == FD_POINT_NEAREST, near_y = y[UNITS] == FD_POINT_NEAREST;
    if (near_x != near_y) return near_x ? -1 : 1;
    return (x[UNITS - 1] < y[UNITS - 1]) - (x[UNITS - 1] > y[UNITS - 1]);
}

fd_status fd_plot_points(fd_plot *plot, uint64_t seed, fd_error *err) {
    const char *names[UNITS + 1];
    fd_rng rng;
    for (int j = 0; j < UNITS; j++) names[j] = units[j].to;
    names[UNITS] = "class";
    fd_status status = fd_table_create(UNITS + 1, names, &plot->points, err);
    fd_rng_start(&rng, seed, FD_STREAM_PLOT, 0, 0);
    if (!status) status = add_points(plot, &plot->nearest, false, plot->nearest.n_rows, &rng, err);
    if (!status) status = add_points(plot, &plot->solutions, true, FD_MOST_POINTS, &rng, err);
    if (!status && plot->points.n_rows)
        qsort(plot->points.data, plot->points.n_rows, (UNITS + 1) * sizeof(double), worst_first);
    return status;
}

/* Widens lo..hi by the finite positive values among factor times a column's. */
static void widen(const fd_table *table, const char *column, double factor, double *lo, double *hi) {
    int at = fd_table_column(table, column);
    for (size_t i = 0; at >= 0 && i < table->n_rows; i++) {
        double x = factor * fd_table_at(table, i, at);
        if (!(x > 0) || !isfinite(x)) continue;
        *lo = fmin(*lo, x);
        *hi = fmax(*hi, x);
    }
}

static int unit_of(const char *column) {
    for (int j = 0; j < UNITS; j++)
        if (!strcmp(units[j].to, column)) return j;
    return -1;
}

bool fd_points_range(const fd_plot *plot, const char *column, double *lo, double *hi) {
    *lo = INFINITY;
    *hi = 0;
    widen(&plot->points, column, 1, lo, hi);
    return *hi > 0;
}

bool fd_plot_range(const fd_plot *plot, const char *column, double *lo, double *hi) {
    int unit = unit_of(column);
    fd_points_range(plot, column, lo, hi);
    if (unit >= 0) widen(&plot->exact, units[unit].from, units[unit].factor, lo, hi);
    return *hi > 0;
}

double *fd_plot_exact(const fd_plot *plot, const char *column) {
    int unit = unit_of(column), at = unit < 0 ? -1 : fd_table_column(&plot->exact, units[unit].from);
    double *x = malloc((plot->exact.n_rows + 1) * sizeof *x);
    for (size_t i = 0; x && i < plot->exact.n_rows; i++)
        x[i] = at < 0 ? NAN : units[unit].factor * fd_table_at(&plot->exact, i, at);
    return x;
}

fd_status fd_plot_contours(const fd_plot *plot, const char *name, int panel, const char *x, bool log_x, const char *y, bool log_y,
                           double turn_y, fd_error *err) {
    static const double shares[] = {0.5, 0.9};
    const char *const names[] = {x, y, "dx", "dy", "share"};
    fd_table table = {0};
    char file[64];
    if (plot->exact.n_rows < FD_LEAST_EXACT) return FD_OK;
    snprintf(file, sizeof file, "%s-exact-%d.csv", name, panel);
    char *path = fd_path(plot->folder, file);
    double *at = fd_plot_exact(plot, x), *up = fd_plot_exact(plot, y);
    const fd_density_axis across = {at, log_x, 0}, upward = {up, log_y, turn_y};
    fd_status status = path && at && up ? fd_table_create(5, names, &table, err) : fd_fail(err, FD_ERR_MEMORY, "out of memory");
    if (!status) status = fd_density_contours(plot->exact.n_rows, &across, &upward, 2, shares, &table, err);
    if (!status) status = fd_table_write(&table, path, err);
    fd_table_free(&table);
    free(path);
    free(at);
    free(up);
    return status;
}

fd_status fd_plot_csv(const fd_plot *plot, const char *name, size_t n, const char *const *columns, fd_error *err) {
    fd_table table = {0};
    char file[64];
    snprintf(file, sizeof file, "%s.csv", name);
    char *path = fd_path(plot->folder, file);
    fd_status status = path ? fd_table_create(n, columns, &table, err) : fd_fail(err, FD_ERR_MEMORY, "out of memory");
    for (size_t i = 0; !status && i < plot->points.n_rows; i++) {
        double *row = fd_table_row(&table);
        if (!row) {
            status = fd_fail(err, FD_ERR_MEMORY, "%s: out of memory", path);
            break;
        }
        for (size_t j = 0; j < n; j++)
            row[j] = fd_table_at(&plot->points, i, fd_table_column(&plot->points, columns[j]));
    }
    if (!status) status = fd_table_write(&table, path, err);
    fd_table_free(&table);
    free(path);
    return status;
}

/* ---- the stage -------------------------------------------------------------------------------------------- */

/* The set of the other ordering: the same name with -no and -io exchanged. Missing: no region, and a remark. */
static fd_status find_other(fd_plot *plot, const char *found, fd_error *err) {
    char name[256];
    size_t length = strlen(found);
    snprintf(name, sizeof name, "%s", found);
    bool normal = plot->target.ordering == FD_ORDERING_NORMAL;
    for (size_t i = length < sizeof name ? length : 0; i-- > 0;)
        if (!strncmp(name + i, normal ? "-no" : "-io", 3)) {
            name[i + 1] = normal ? 'i' : 'n';
            if (!fd_target_known(name)) break;
            fd_status status = fd_target_load(name, &plot->other, err);
            if (status == FD_ERR_MEMORY || status == FD_ERR_FILE) return status;
            plot->has_other = !status && plot->other.ordering != plot->target.ordering;
            break;
        }
    if (!plot->has_other)
        fd_say(plot->run, "plot: no target set of the other ordering beside '%s'; its region is not drawn", found);
    return FD_OK;
}

/* The exact solutions beside the run's own. */
static fd_status load_exact(fd_plot *plot, const json_t *summary, const char *reference, bool asked_for, fd_error *err) {
    fd_sample_info info;
    fd_error why = {0};
    if (!reference || (!asked_for && access(reference, F_OK) != 0)) return FD_OK;
    fd_status status = fd_rows_read(plot->run, reference, summary, FD_LABELS, &plot->exact, &info, &why);
    if (status && (asked_for || status == FD_ERR_MEMORY || status == FD_ERR_FILE || status == FD_ERR_STOPPED))
        return fd_fail(err, status, "%s", why.message);
    if (status) fd_say(plot->run, "plot: no exact solutions are drawn: %s", why.message);
    else if (plot->exact.n_rows < FD_LEAST_EXACT)
        fd_say(plot->run, "plot: %s: %zu solutions; contours need %d", reference, plot->exact.n_rows, FD_LEAST_EXACT);
    return FD_OK;
}

static fd_status load(fd_plot *plot, const char *analysis, const char *reference, bool asked_for, fd_error *err) {
    char *solutions = fd_path(analysis, "solutions.csv"), *nearest = fd_path(analysis, "nearest.csv");
    char *summary = fd_path(analysis, "summary.json"), found[256];
    json_t *root = NULL;
    fd_status status = solutions && nearest && summary ? FD_OK : fd_fail(err, FD_ERR_MEMORY, "out of memory");
    if (!status) status = fd_json_load(summary, &root, err);
    if (!status) status = fd_table_read(solutions, &plot->solutions, err);
    if (!status && plot->solutions.n_rows < FD_FEW_SOLUTIONS) status = fd_table_read(nearest, &plot->nearest, err);
    if (status) goto cleanup;
    const char *name = json_string_value(json_object_get(json_object_get(root, "target"), "name"));
    int in_prior = fd_table_column(&plot->solutions, "in_prior");
    if (!name || in_prior < 0 || fd_table_column(&plot->solutions, "chi2_five") < 0) {
        status = fd_fail(err, FD_ERR_FORMAT, "%s: not an analysis folder of this version; run analyse again", analysis);
        goto cleanup;
    }
    for (size_t i = 0; i < plot->solutions.n_rows; i++)
        plot->n_inside += fd_table_at(&plot->solutions, i, in_prior) != 0;
    plot->generated = json_number_value(json_object_get(json_object_get(root, "samples"), "generated"));
    if ((status = fd_named_target(plot->run, name, &plot->target, found, err))) goto cleanup;
    status = find_other(plot, found, err);
    if (!status) status = load_exact(plot, root, reference, asked_for, err);
cleanup:
    json_decref(root);
    free(solutions);
    free(nearest);
    free(summary);
    return status;
}

static const struct {
    const char *name;
    fd_status (*draw)(const fd_plot *, fd_error *);
    const char *needs[5]; /* columns of the analysis; a model without them has no such figure */
} figures[] = {
    {"fig2", fd_plot_heavy, {"M1_GeV", "M2_GeV", "M3_GeV"}},
    {"fig3", fd_plot_dirac, {"sum_m_eV", "delta_rad", "s23sq"}},
    {"fig4", fd_plot_phases, {"alpha21_rad", "alpha31_rad"}},
    {"fig5", fd_plot_mbb, {"sum_m_eV", "mnue_eV", "mbb_eV"}},
    {"phases", fd_plot_views, {"sum_m_eV", "mbb_eV", "mbb_eV" FD_PAPER_SUFFIX}},
};
enum { FIGURES = sizeof figures / sizeof *figures };

static bool able(const fd_plot *plot, int figure) {
    for (int j = 0; figures[figure].needs[j]; j++)
        if (fd_table_column(&plot->solutions, figures[figure].needs[j]) < 0) return false;
    return true;
}

static fd_status draw_all(fd_plot *plot, const char *networks, fd_error *err) {
    fd_status status = FD_OK;
    for (int i = 0; i < FIGURES + (networks != NULL) && !status; i++) {
        const char *name = i < FIGURES ? figures[i].name : "loss";
        plot->done = (uint64_t)i;
        if ((status = fd_tick(plot->ticker, plot->done, plot->total, NULL, name, err))) break;
        if (i < FIGURES && !able(plot, i))
            fd_say(plot->run, "plot: %s left out, the model has not its observables", name);
        else if ((status = i < FIGURES ? figures[i].draw(plot, err) : fd_plot_loss(plot, networks, err)) &&
                 status != FD_ERR_STOPPED)
            fd_error_prefix(err, "%s", name);
    }
    return status;
}

static void remove_curve(const char *figures_folder, const char *stem) {
    char file[64];
    snprintf(file, sizeof file, "loss-%.40s.csv", stem);
    char *path = fd_path(figures_folder, file);
    if (path) unlink(path);
    free(path);
}

/* Figures this model has not, contours of a reference that is gone, and curves of networks that are not configured: left over from
 * an earlier set. */
static void remove_stale(const fd_plot *plot, const char *networks, const char *figures_folder) {
    static const char *const types[] = {"gp", "png", "pdf", "csv"};
    char file[64], *path;
    for (int i = 0; i < FIGURES; i++)
        for (size_t t = 0; t < sizeof types / sizeof *types && !able(plot, i); t++) {
            snprintf(file, sizeof file, "%s.%s", figures[i].name, types[t]);
            if ((path = fd_path(figures_folder, file))) unlink(path);
            free(path);
        }
    for (int i = 0; i < 2 * FIGURES && plot->exact.n_rows < FD_LEAST_EXACT; i++) {
        snprintf(file, sizeof file, "%s-exact-%d.csv", figures[i / 2].name, i % 2 + 1);
        if ((path = fd_path(figures_folder, file))) unlink(path);
        free(path);
    }
    if (!networks) return;
    for (int round = fd_folder_rounds(networks) + 1; round <= FD_MAX_ROUNDS; round++) {
        snprintf(file, sizeof file, "tuned-%d", round);
        remove_curve(figures_folder, round ? file : "pre-network");
    }
    if (!fd_folder_informed(networks)) remove_curve(figures_folder, "informed");
}

fd_status fd_stage_plot(const fd_run *run, const char *analysis_folder, const char *reference, const char *folder, fd_error *err) {
    char *own = fd_path(folder, "reference.h5");
    fd_status status = own ? fd_draw_figures(run, analysis_folder, folder, reference ? reference : own, reference != NULL, folder, err)
                           : fd_fail(err, FD_ERR_MEMORY, "out of memory");
    free(own);
    return status;
}

fd_status fd_draw_figures(const fd_run *run, const char *analysis_folder, const char *networks, const char *reference, bool asked_for,
                          const char *folder, fd_error *err) {
    fd_ticker ticker = {.run = run, .stage = "plot"};
    fd_plot plot = {.run = run, .ticker = &ticker, .total = FIGURES + (networks != NULL)};
    fd_plot_folder out = {.lock = -1};
    const char *names[FIGURES + 2] = {[FIGURES] = "loss"};
    for (int i = 0; i < FIGURES; i++) names[i] = figures[i].name;
    char *figures_folder = fd_path(folder, "figures");
    fd_status status = figures_folder ? FD_OK : fd_fail(err, FD_ERR_MEMORY, "out of memory");
    if (!status) status = load(&plot, analysis_folder, reference, asked_for, err);
    if (!status) status = fd_plot_folder_begin(figures_folder, names, run->force, &out, err);
    if (!status) status = fd_plot_points(&plot, run->config ? run->config->seed : 0, err);
    plot.folder = out.part;
    if (!status) status = draw_all(&plot, networks, err);
    if (!status) status = fd_plot_folder_commit(&out, err);
    fd_plot_folder_abort(&out);
    if (!status) {
        remove_stale(&plot, networks, figures_folder);
        fd_tick(&ticker, plot.total, plot.total, NULL, "", NULL); /* all is kept: whether to stop is the next one's */
        fd_say(run, "plot: figures are in %s", figures_folder);
    }
    fd_table_free(&plot.solutions);
    fd_table_free(&plot.nearest);
    fd_table_free(&plot.points);
    fd_table_free(&plot.exact);
    free(figures_folder);
    return status;
}
