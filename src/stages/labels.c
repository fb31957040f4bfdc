/* Labels asked for: what a configuration says of them, as vectors in label space. */
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

void fd_own_label(const fd_setting *setting, const fd_generate_spec *spec, uint64_t seed, uint64_t item, double *label) {
    fd_rng rng;
    fd_rng_start(&rng, seed, FD_STREAM_LABEL, item, 0);
    if (spec->label == FD_LABEL_GAUSSIAN) fd_judge_gaussian_label(setting->judge, &rng, label);
    else fd_judge_window_label(setting->judge, &rng, label);
}
