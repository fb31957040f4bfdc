/* Loss curves of the networks of a run folder. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stages/analyse.h"
#include "stages/common.h"
#include "stages/plot.h"

/* The pre-network, the tuned ones, the informed one: a panel each, for their losses are of different things. */
enum { PANELS = 3, MOST_NETWORKS = 2 + FD_MAX_ROUNDS };

typedef struct network {
    char stem[32];
    int panel;
} network;

/* loss-STEM.csv from STEM.h5. *rows: 0 when the file is not there or has no log; *last: raised to its last update. */
static fd_status write_curve(const fd_plot *plot, const char *run_folder, const char *stem, size_t *rows, double *last,
                             fd_error *err) {
    static const char *const names[] = {"update", "learning_rate", "training_loss", "validation_loss"};
    char file[64];
    fd_model_file model = {0};
    fd_table table = {0};
    *rows = 0;
    snprintf(file, sizeof file, "%.32s.h5", stem);
    char *from = fd_path(run_folder, file), *to = NULL;
    snprintf(file, sizeof file, "loss-%.32s.csv", stem);
    fd_status status =
        from && (to = fd_path(plot->folder, file)) ? FD_OK : fd_fail(err, FD_ERR_MEMORY, "out of memory");
    if (status || access(from, F_OK)) goto cleanup;
    if ((status = fd_model_file_read(from, &model, err)) || model.n_log == 0) goto cleanup;
    if ((status = fd_table_create(4, names, &table, err))) goto cleanup;
    for (size_t i = 0; i < model.n_log; i++) {
        double *row = fd_table_row(&table);
        if (!row) {
            status = fd_fail(err, FD_ERR_MEMORY, "out of memory");
            goto cleanup;
        }
        memcpy(row, model.log + 4 * i, 4 * sizeof *row);
        *last = fmax(*last, row[0]);
    }
    if (!(status = fd_table_write(&table, to, err))) *rows = model.n_log;
cleanup:
    fd_model_file_clear(&model);
    fd_table_free(&table);
    free(from);
    free(to);
    return status;
}

/* One panel: training loss pale, validation loss dark, one colour a network. */
static void curves(fd_text *script, size_t n, char stems[][32]) {
    static const char *const colours[][2] = {{"#2166ac", "#a6c8e4"},
                                             {"#b2182b", "#f0b0a8"},
                                             {"#1b7837", "#a8d8b0"},
                                             {"#e08214", "#f8d0a0"},
                                             {"#762a83", "#d0b0d8"}};
    fd_text_add(script, "plot NaN notitle");
    for (size_t i = 0; i < n; i++) {
        const char *const *colour = colours[i % 5];
        fd_text_addf(
            script,
            ", \\\n  'loss-%s.csv' using 'update':'training_loss' with lines lw 1.4 lc rgb '%s' title '%s, training'",
            stems[i], colour[1], stems[i]);
        fd_text_addf(script,
                     ", \\\n  '' using 'update':'validation_loss' with lines lw 1.4 lc rgb '%s' "
                     "title '%s, validation'",
                     colour[0], stems[i]);
    }
    fd_text_add(script, "\n");
}

/* Networks the folder should have; those of more rounds are left over from another configuration. */
static int expected(const char *run_folder, network networks[MOST_NETWORKS]) {
    int n = 0, rounds = fd_folder_rounds(run_folder);
    for (int round = 0; round <= rounds; round++, n++) {
        networks[n].panel = round > 0;
        if (round == 0)
            snprintf(networks[n].stem, sizeof networks[n].stem, "pre-network");
        else
            snprintf(networks[n].stem, sizeof networks[n].stem, "tuned-%d", round);
    }
    if (fd_folder_informed(run_folder)) networks[n++] = (network){"informed", 2};
    return n;
}

fd_status fd_plot_loss(const fd_plot *plot, const char *run_folder, fd_error *err) {
    static const double widths[PANELS + 1] = {0, 7, 9, 13};
    char stems[PANELS][MOST_NETWORKS][32];
    network networks[MOST_NETWORKS];
    size_t count[PANELS] = {0}, rows;
    double last[PANELS] = {1, 1, 1}; /* updates */
    int panels = 0;
    fd_text script = {0};
    fd_status status = FD_OK;
    for (int i = 0, n = expected(run_folder, networks); i < n && !status; i++) {
        int p = networks[i].panel;
        status = write_curve(plot, run_folder, networks[i].stem, &rows, &last[p], err);
        if (status || rows == 0) continue;
        panels += count[p] == 0;
        memcpy(stems[p][count[p]++], networks[i].stem, sizeof networks[i].stem);
    }
    if (status) return status;
    if (panels == 0) {
        fd_say(plot->run, "plot: no network with a loss history in %s; loss curves left out", run_folder);
        return FD_OK;
    }
    fd_script_open(&script, "loss", "loss of the networks", widths[panels], 4.4);
    fd_text_addf(&script, "set label 1 'Mean squared error%s' at screen 0.5,0.93 center font big\n"
                          "set xlabel 'update'\nset ylabel 'loss' offset 1\nset grid ytics lc rgb '#dddddd'\n",
                 count[2] ? "" : " on the noise");
    for (int p = 0, panel = 0; p < PANELS; p++) {
        if (count[p] == 0) continue;
        fd_script_panel(&script, panel++, panels, false);
        fd_text_addf(&script, "set key top right font small\nset xrange [0:%.6g]\nset xtics %g\n", last[p],
                     fd_tic_step(last[p], 5));
        curves(&script, count[p], stems[p]);
    }
    fd_script_close(&script);
    status = fd_script_draw(plot, "loss", &script, err);
    fd_text_free(&script);
    return status;
}
