#include "flavordiff/model.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "physics/seesaw.h"

static const struct {
    const char *kind;
    fd_status (*create)(const fd_model_options *options, fd_model **model, fd_error *err);
} models[] = {
    {"seesaw", seesaw_create},
};

enum { N_MODELS = sizeof models / sizeof models[0] };

const char *fd_ordering_name(fd_ordering ordering) {
    switch (ordering) {
    case FD_ORDERING_NORMAL: return "normal";
    case FD_ORDERING_INVERTED: return "inverted";
    }
    return "?"; /* a number from elsewhere */
}

void fd_model_options_default(fd_model_options *options) {
    *options = (fd_model_options){.kind = "seesaw", .ordering = FD_ORDERING_NORMAL, .phases = FD_PHASES_TAKAGI,
                                  .scale = FD_SCALE_MEV, .real_majorana = false, .vev_GeV = 246.0};
}

fd_status fd_model_create(const fd_model_options *options, fd_model **model, fd_error *err) {
    *model = NULL;
    if (!memchr(options->kind, '\0', sizeof options->kind))
        return fd_fail(err, FD_ERR_CONFIG, "model kind is longer than %zu letters", sizeof options->kind - 1);
    char known[128] = "";
    for (int i = 0; i < N_MODELS; i++) {
        if (strcmp(models[i].kind, options->kind) == 0) return models[i].create(options, model, err);
        size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "", models[i].kind);
    }
    return fd_fail(err, FD_ERR_CONFIG, "unknown model kind '%s'; known: %s", options->kind, known);
}

void fd_model_free(fd_model *model) {
    if (model) model->destroy(model);
}

int fd_model_param(const fd_model *model, const char *name) {
    for (int i = 0; i < model->n_params; i++)
        if (strcmp(model->params[i].name, name) == 0) return i;
    return -1;
}

int fd_model_observable(const fd_model *model, const char *name) {
    for (int i = 0; i < model->n_observables; i++)
        if (strcmp(model->observables[i].name, name) == 0) return i;
    return -1;
}

int fd_model_label(const fd_model *model, const char *name) {
    for (int i = 0; i < model->n_labels; i++)
        if (strcmp(model->labels[i].name, name) == 0) return i;
    return -1;
}
