/* Histograms and corner plots of several sets; scripts and data as plot's. */
#include "stages/overlay.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inference/stats.h"
#include "stages/analyse.h"

static const char *const colours[FD_OVERLAY_SETS] = {"#c4c4c4", "#d95f02", "#1f78b4", "#1b9e77", "#7570b3", "#e7298a", "#a6761d", "#000000"};

/* ---- axes ------------------------------------------------------------------------------------------------- */

double fd_axis_value(const fd_axis *axis, double x) { return axis->log10 ? log10(fabs(x)) : axis->factor * x; }

fd_status fd_overlay_axis(const fd_overlay *overlay, int column, fd_axis *axis, fd_error *err) {
    double lo = INFINITY, hi = -INFINITY;
    *axis = (fd_axis){.column = column, .quantity = fd_quantity_of(overlay->model, column), .factor = 1};
    for (int s = 0; s < overlay->n_sets; s++) {
        double *x = malloc((overlay->sets[s].columns->n + 1) * sizeof *x);
        if (!x) return fd_fail(err, FD_ERR_MEMORY, "out of memory");
        size_t n = fd_columns_sorted(overlay->sets[s].columns, column, x);
        if (n) lo = fmin(lo, fd_quantile(n, x, 0.002)), hi = fmax(hi, fd_quantile(n, x, 0.998));
        free(x);
    }
    if (!(lo <= hi)) lo = 0, hi = 1;
    if (axis->quantity.periodic) {
        axis->factor = 57.295779513082320877;
        lo = 0, hi = 6.283185307179586476925;
    }
    axis->log10 = axis->quantity.scale && lo > 0 && hi > 30 * lo;
    axis->lo = fd_axis_value(axis, lo);
    axis->hi = fd_axis_value(axis, hi);
    if (axis->hi - axis->lo < 1e-9 * fabs(axis->hi) || axis->hi == axis->lo) axis->lo -= 0.5, axis->hi += 0.5; /* one value */
    return FD_OK;
}

static const char *const letters[][2] = {
    {"\\mathrm", ""},   {"\\,", " "},      {"\\Delta", "Δ"},   {"\\delta", "δ"},   {"\\alpha", "α"},  {"\\beta", "β"},
    {"\\eta", "η"},     {"\\nu", "ν"},     {"\\mu", "μ"},      {"\\tau", "τ"},     {"\\theta", "θ"},  {"\\sum", "Σ"},
    {"\\ell", "l"},     {"\\langle", "<"}, {"\\rangle", ">"}, {"\\sin", "sin"},   {"\\arg", "arg"},  {"\\log", "log"}};

/* What the models' names need of TeX, as gnuplot's markup; another command stays without its backslash. */
static void add_markup(fd_text *text, const char *latex) {
    while (*latex) {
        size_t i = 0, count = sizeof letters / sizeof *letters;
        while (i < count && strncmp(latex, letters[i][0], strlen(letters[i][0])) != 0) i++;
        if (i < count) {
            fd_text_add(text, letters[i][1]);
            latex += strlen(letters[i][0]);
        } else {
            if (*latex != '\\') fd_text_bytes(text, latex, 1);
            latex++;
        }
    }
}

void fd_axis_label(fd_text *script, const fd_axis *axis) {
    const fd_quantity *q = &axis->quantity;
    fd_text label = {0};
    if (axis->log10) fd_text_add(&label, "log_{10} ");
    add_markup(&label, q->latex);
    if (q->periodic) fd_text_add(&label, " [deg]");
    else if (!strcmp(q->unit, "eV2")) fd_text_add(&label, " [eV^2]");
    else if (q->scale) fd_text_addf(&label, " [%s]", q->unit);
    fd_script_quote(script, label.data ? label.data : "");
    script->failed |= label.failed;
    fd_text_free(&label);
}

/* ---- data ------------------------------------------------------------------------------------------------- */

/* Density per bin of the axis, of unit area where nothing lies outside. */
static void densities(const fd_overlay *overlay, const fd_axis *axis, int set, double density[FD_OVERLAY_BINS]) {
    const fd_columns *c = overlay->sets[set].columns;
    double width = (axis->hi - axis->lo) / FD_OVERLAY_BINS;
    size_t finite = 0;
    memset(density, 0, FD_OVERLAY_BINS * sizeof *density);
    for (size_t i = 0; i < c->n; i++) {
        double x = fd_axis_value(axis, c->data[axis->column][i]);
        finite += isfinite(x);
        if (!(x >= axis->lo && x <= axis->hi)) continue;
        int bin = (int)((x - axis->lo) / width);
        density[bin < FD_OVERLAY_BINS ? bin : FD_OVERLAY_BINS - 1]++;
    }
    for (int b = 0; b < FD_OVERLAY_BINS; b++) density[b] /= finite ? (double)finite * width : 1;
}

static fd_status save(const fd_plot *plot, const char *file, const fd_table *table, fd_error *err) {
    char *path = fd_path(plot->folder, file);
    fd_status status = path ? fd_table_write(table, path, err) : fd_fail(err, FD_ERR_MEMORY, "out of memory");
    free(path);
    return status;
}

/* FILE with, per axis, the column NAME (middle of the bin) and NAME_1, NAME_2 ... (density of each set). */
static fd_status write_histograms(const fd_overlay *overlay, const fd_plot *plot, const char *file, int n, const fd_axis *axes,
                                  fd_error *err) {
    size_t per = (size_t)overlay->n_sets + 1, columns = (size_t)n * per;
    char (*text)[FD_TABLE_NAME] = calloc(columns, sizeof *text);
    const char **names = calloc(columns, sizeof *names);
    double *bins = calloc(columns * FD_OVERLAY_BINS, sizeof *bins);
    fd_table table = {0};
    fd_status status = text && names && bins ? FD_OK : fd_fail(err, FD_ERR_MEMORY, "out of memory");
    for (int a = 0; !status && a < n; a++)
        for (size_t s = 0; s < per; s++) {
            size_t column = (size_t)a * per + s;
            double *bin = bins + column * FD_OVERLAY_BINS;
            snprintf(text[column], FD_TABLE_NAME, s ? "%.40s_%d" : "%.40s", axes[a].quantity.name, (int)s & 15);
            names[column] = text[column];
            if (s) densities(overlay, &axes[a], (int)s - 1, bin);
            for (int b = 0; !s && b < FD_OVERLAY_BINS; b++)
                bin[b] = axes[a].lo + (b + 0.5) * (axes[a].hi - axes[a].lo) / FD_OVERLAY_BINS;
        }
    if (!status) status = fd_table_create(columns, names, &table, err);
    for (int b = 0; !status && b < FD_OVERLAY_BINS; b++) {
        double *row = fd_table_row(&table);
        if (!row) status = fd_fail(err, FD_ERR_MEMORY, "out of memory");
        for (size_t j = 0; row && j < columns; j++) row[j] = bins[j * FD_OVERLAY_BINS + (size_t)b];
    }
    if (!status) status = save(plot, file, &table, err);
    fd_table_free(&table);
    free(text);
    free(names);
    free(bins);
    return status;
}

/* corner.csv: a row a point, `set` counted from 1. */
static fd_status write_points(const fd_overlay *overlay, const fd_plot *plot, int n, const fd_axis *axes, fd_error *err) {
    const char *names[FD_CORNER_MOST + 1] = {"set"};
    fd_table table = {0};
    for (int a = 0; a < n; a++) names[a + 1] = axes[a].quantity.name;
    fd_status status = fd_table_create((size_t)n + 1, names, &table, err);
    for (int s = 0; !status && s < overlay->n_sets; s++)
        for (size_t i = 0; !status && i < overlay->sets[s].columns->n && i < FD_CORNER_POINTS; i++) {
            double *row = fd_table_row(&table);
            if (!row) status = fd_fail(err, FD_ERR_MEMORY, "out of memory");
            if (row) row[0] = s + 1;
            for (int a = 0; row && a < n; a++) row[a + 1] = fd_axis_value(&axes[a], overlay->sets[s].columns->data[axes[a].column][i]);
        }
    if (!status) status = save(plot, "corner.csv", &table, err);
    fd_table_free(&table);
    return status;
}

/* ---- scripts ---------------------------------------------------------------------------------------------- */

/* Title and legend in a figure of `height` units of 200 px; in the empty half of a corner plot, or in two lines above the panels. */
static void heading(fd_text *script, const fd_overlay *overlay, double height, bool corner) {
    char count[32];
    fd_text_add(script, "set label 1 ");
    fd_script_quote(script, overlay->title);
    fd_text_addf(script, " at screen %s,%.4f %s noenhanced font big\n", corner ? "0.97" : "0.5", 1 - 0.25 / height, corner ? "right" : "center");
    for (int s = 0; s < overlay->n_sets; s++) {
        double x = corner ? 0.62 : 0.04 + 0.94 * s / overlay->n_sets, y = 1 - (corner ? 0.62 + 0.27 * s : 0.56) / height;
        fd_text entry = {0};
        fd_text_addf(&entry, "%s (%s rows)", overlay->sets[s].name, fd_text_count(overlay->sets[s].columns->n, count));
        fd_text_addf(script, "set arrow %d from screen %.4f,%.4f to screen %.4f,%.4f nohead lc rgb '%s' lw %s\nset label %d ", 100 + s, x,
                     y, x + 0.025, y, colours[s], s ? "2.5" : "8", 100 + s);
        fd_script_quote(script, entry.data ? entry.data : "");
        fd_text_addf(script, " at screen %.4f,%.4f left noenhanced font small\n", x + 0.033, y);
        script->failed |= entry.failed;
        fd_text_free(&entry);
    }
}

/* The histograms of an axis, in the panel that is set. */
static void histogram_panel(fd_text *script, const fd_overlay *overlay, const char *file, const fd_axis *axis) {
    fd_text_addf(script, "set xrange [%.8g:%.8g]\nset yrange [0:*]\nplot ", axis->lo, axis->hi);
    for (int s = 0; s < overlay->n_sets; s++)
        fd_text_addf(script, "%s'%s' using '%s':'%s_%d' with %s lc rgb '%s'", s ? ", \\\n  " : "", file, axis->quantity.name,
                     axis->quantity.name, s + 1, s ? "histeps lw 1.4" : "boxes fs solid 1 noborder", colours[s]);
    fd_text_add(script, "\n");
}

static void place(fd_text *script, double left, double right, double bottom, double top) {
    fd_text_addf(script, "set lmargin at screen %.4f\nset rmargin at screen %.4f\nset bmargin at screen %.4f\nset tmargin at screen %.4f\n",
                 left, right, bottom, top);
}

static void tics(fd_text *script, char which, const fd_axis *axis, int most) {
    double step = axis->quantity.periodic ? 120 : fd_tic_step(axis->hi - axis->lo, most);
    fd_text_addf(script, "set %ctics %.6g font small\n", which, step);
}

fd_status fd_overlay_histograms(const fd_overlay *overlay, const fd_plot *plot, const char *name, int n, const int *columns,
                                fd_error *err) {
    enum { ACROSS = 6 };
    fd_axis axes[FD_MAX_PARAMS + FD_MAX_OBSERVABLES] = {0};
    fd_text script = {0};
    char file[64];
    int down = (n + ACROSS - 1) / ACROSS;
    double width = 12, height = 0.75 + 1.75 * down, free_width = 0.97, row = 1.75 / height;
    fd_status status = FD_OK;
    for (int i = 0; !status && i < n; i++) status = fd_overlay_axis(overlay, columns[i], &axes[i], err);
    snprintf(file, sizeof file, "%s.csv", name);
    if (!status) status = write_histograms(overlay, plot, file, n, axes, err);
    if (status) return status;
    fd_script_open(&script, name, "histograms of sample sets, each of unit area", width, height);
    fd_text_add(&script, "set style fill solid 1 noborder\nset boxwidth 1.03 relative\nset offsets 0,0,graph 0.04,0\nunset key\nunset ytics\nset xtics nomirror\nset format x '%.3g'\n");
    heading(&script, overlay, height, false);
    for (int i = 0; i < n; i++) {
        double left = 0.02 + free_width * (i % ACROSS) / ACROSS, top = 1 - 0.75 / height - row * (i / ACROSS);
        if (i == 1) fd_text_add(&script, "unset label\nunset arrow\n");
        place(&script, left, left + free_width / ACROSS - 0.02, top - row + 0.55 / height, top);
        fd_text_add(&script, "set xlabel ");
        fd_axis_label(&script, &axes[i]);
        fd_text_add(&script, " font small offset 0,0.5\n");
        tics(&script, 'x', &axes[i], 4);
        histogram_panel(&script, overlay, file, &axes[i]);
    }
    fd_script_close(&script);
    status = fd_script_draw(plot, name, &script, err);
    fd_text_free(&script);
    return status;
}

/* Points of every set in one panel below the diagonal. */
static void point_panel(fd_text *script, const fd_overlay *overlay, const fd_axis *x, const fd_axis *y) {
    fd_text_addf(script, "set xrange [%.8g:%.8g]\nset yrange [%.8g:%.8g]\nplot ", x->lo, x->hi, y->lo, y->hi);
    for (int s = 0; s < overlay->n_sets; s++)
        fd_text_addf(script, "%s'corner.csv' using (column('set') == %d ? column('%s') : NaN):(column('%s')) with points pt 7 ps %s lc rgb '#%s%s'",
                     s ? ", \\\n  " : "", s + 1, x->quantity.name, y->quantity.name, s ? "0.2" : "0.45", s ? "40" : "00", colours[s] + 1);
    fd_text_add(script, "\n");
}

fd_status fd_overlay_corner(const fd_overlay *overlay, const fd_plot *plot, int n, const int *columns, fd_error *err) {
    fd_axis axes[FD_CORNER_MOST] = {0};
    fd_text script = {0};
    double size = 1.2 + 1.5 * n, first = 0.8 / size, last = 0.985, cell = (last - first) / n, gap = 0.06 / size;
    fd_status status = FD_OK;
    for (int i = 0; !status && i < n; i++) status = fd_overlay_axis(overlay, columns[i], &axes[i], err);
    if (!status) status = write_histograms(overlay, plot, "corner-histograms.csv", n, axes, err);
    if (!status) status = write_points(overlay, plot, n, axes, err);
    if (status) return status;
    fd_script_open(&script, "corner", "pairs of quantities of sample sets", size, size);
    fd_text_add(&script, "set style fill solid 1 noborder\nset boxwidth 1.03 relative\nset offsets 0,0,graph 0.04,0\nunset key\n");
    heading(&script, overlay, size, true);
    for (int i = 0; i < n; i++)
        for (int j = 0; j <= i; j++) {
            place(&script, first + cell * j, first + cell * (j + 1) - gap, last - cell * (i + 1) + gap, last - cell * i);
            fd_text_add(&script, "unset xlabel\nunset ylabel\n");
            tics(&script, 'x', &axes[j], 4);
            fd_text_add(&script, i == n - 1 ? "set format x '%g'\nset xtics rotate by -40\nset xlabel " : "set format x ''\n");
            if (i == n - 1) fd_axis_label(&script, &axes[j]), fd_text_add(&script, " font small\n");
            if (i == j) {
                fd_text_add(&script, "unset ytics\n");
                histogram_panel(&script, overlay, "corner-histograms.csv", &axes[i]);
            } else {
                tics(&script, 'y', &axes[i], 4);
                fd_text_add(&script, j == 0 ? "set format y '%g'\nset ylabel " : "set format y ''\n");
                if (j == 0) fd_axis_label(&script, &axes[i]), fd_text_add(&script, " font small\n");
                point_panel(&script, overlay, &axes[j], &axes[i]);
            }
            if (i == 0) fd_text_add(&script, "unset label\nunset arrow\n");
        }
    fd_script_close(&script);
    status = fd_script_draw(plot, "corner", &script, err);
    fd_text_free(&script);
    return status;
}

/* ---- all of them ------------------------------------------------------------------------------------------ */

static int find_column(const fd_model *model, const char *name, size_t length) {
    for (int j = 0; j < model->n_params + model->n_observables; j++) {
        const char *known = fd_quantity_of(model, j).name;
        if (strlen(known) == length && !strncmp(known, name, length)) return j;
    }
    return -1;
}

static fd_status corner_columns(const fd_model *model, const char *names, int *n, int columns[FD_CORNER_MOST], fd_error *err) {
    bool chosen = names != NULL;
    if (!chosen) names = "r1,k,m1_eV,sum_m_eV,mbb_eV,delta_rad,alpha21_rad"; /* what a model has of them */
    *n = 0;
    for (const char *at = names; *at; at += strcspn(at, ","), at += *at == ',') {
        size_t length = strcspn(at, ",");
        int column = find_column(model, at, length);
        if (column < 0 && chosen)
            return fd_fail(err, FD_ERR_USAGE, "--corner: no quantity '%.*s'; names are those of the table", (int)length, at);
        if (column >= 0 && *n == FD_CORNER_MOST)
            return fd_fail(err, FD_ERR_USAGE, "--corner: at most %d quantities", FD_CORNER_MOST);
        if (column >= 0) columns[(*n)++] = column;
    }
    return FD_OK;
}

fd_status fd_overlay_draw(const fd_overlay *overlay, const fd_run *run, const char *folder, const char *corner, fd_error *err) {
    static const char *const names[] = {"parameters", "observables", "corner", NULL};
    fd_plot_folder out = {.lock = -1};
    int n_params = overlay->model->n_params, n = overlay->sets[0].columns->n_columns, n_corner;
    int columns[FD_MAX_PARAMS + FD_MAX_OBSERVABLES] = {0}, corners[FD_CORNER_MOST];
    for (int j = 0; j < n; j++) columns[j] = j;
    fd_status status = corner_columns(overlay->model, corner, &n_corner, corners, err);
    if (!status) status = fd_plot_folder_begin(folder, names, run->force, &out, err);
    fd_plot plot = {.run = run, .folder = out.part};
    if (!status) status = fd_overlay_histograms(overlay, &plot, names[0], n_params, columns, err);
    if (!status) status = fd_overlay_histograms(overlay, &plot, names[1], n - n_params, columns + n_params, err);
    if (!status && n_corner) status = fd_overlay_corner(overlay, &plot, n_corner, corners, err);
    if (!status) status = fd_plot_folder_commit(&out, err);
    fd_plot_folder_abort(&out);
    return status;
}
