/* Labels asked for: what a configuration says of them, as vectors in label space. */
#include <math.h>
#include <string.h>

#include "stages/common.h"

bool fd_own_labels(const fd_generate_spec *spec) {
    return spec->label == FD_LABEL_WINDOW || spec->label == FD_LABEL_GAUSSIAN;
}

const char *fd_label_word(const fd_generate_spec *spec) {
    static const char *const words[] = {[FD_LABEL_CENTRAL] = "central",
                                        [FD_LABEL_WINDOW] = "window",
                                        [FD_LABEL_VALUES] = "values",
                                        [FD_LABEL_GAUSSIAN] = "gaussian"};
    return words[spec->label];
}

fd_status fd_check_label_choice(const fd_setting *setting, const fd_generate_spec *spec, fd_error *err) {
    if (spec->label == FD_LABEL_VALUES && spec->n_label_values != setting->model->n_labels)
        return fd_fail(err, FD_ERR_CONFIG, "label_values: the model has %d labels, the configuration gives %d",
                       setting->model->n_labels, spec->n_label_values);
    if (spec->label == FD_LABEL_WINDOW && !fd_judge_window_feasible(setting->judge))
        return fd_fail(err, FD_ERR_CONFIG,
                       "target set %s: no unitary matrix has all nine |U| inside their windows; label: window cannot be",
                       setting->target.name);
    return FD_OK;
}

void fd_shared_label(const fd_setting *setting, const fd_generate_spec *spec, double *label) {
    if (spec->label == FD_LABEL_VALUES)
        memcpy(label, spec->label_values, (size_t)setting->model->n_labels * sizeof *label);
    else
        fd_judge_central_label(setting->judge, label);
}

/* exp(slope (l - the window's higher side)) of all labels, at most 1: with what chance a label is kept. */
static double share(const fd_setting *setting, const double *slopes, const double *label) {
    fd_region window;
    double sum = 0;
    fd_judge_region(setting->judge, 1, &window);
    for (int l = 0; l < setting->model->n_labels; l++) {
        const fd_label *kind = &setting->model->labels[l];
        double lo = window.lo[kind->observable], hi = window.hi[kind->observable], edge = slopes[l] > 0 ? hi : lo;
        if (slopes[l] == 0 || !isfinite(edge)) continue;
        if (kind->log10) edge = slopes[l] > 0 ? fmax(log10(fabs(lo)), log10(fabs(hi))) : fmin(log10(fabs(lo)), log10(fabs(hi)));
        sum += slopes[l] * (label[l] - edge);
    }
    return exp(fmin(sum, 0));
}

void fd_own_label(const fd_setting *setting, const fd_generate_spec *spec, const double *slopes, uint64_t seed,
                  uint64_t item, double *label) {
    fd_rng rng;
    fd_rng_start(&rng, seed, FD_STREAM_LABEL, item, 0);
    bool steep = false;
    for (int l = 0; slopes && l < setting->model->n_labels; l++) steep = steep || slopes[l] != 0;
    do {
        if (spec->label == FD_LABEL_GAUSSIAN) fd_judge_gaussian_label(setting->judge, &rng, label);
        else fd_judge_window_label(setting->judge, &rng, label);
    } while (steep && fd_rng_uniform(&rng) >= share(setting, slopes, label));
}
