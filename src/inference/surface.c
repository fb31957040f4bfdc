#include "inference/surface.h"

int fd_surface_dim(const fd_model *model) { return model->surface ? model->n_surface : model->n_labels; }

void fd_surface_at(const fd_model *model, size_t n, const double *theta, double *c, double *jacobian) {
    if (model->surface) model->surface(model, n, theta, c, jacobian);
    else model->derivatives(model, n, theta, c, jacobian);
}

void fd_label_approach(const fd_model *model, size_t n, const double *theta, const double *labels, double *residual,
                       double *jacobian) {
    model->derivatives(model, n, theta, residual, jacobian);
    for (size_t i = 0; i < n * (size_t)model->n_labels; i++) residual[i] = labels[i] - residual[i];
}

void fd_surface_approach(const fd_model *model, size_t n, const double *theta, const double *labels, double *residual,
                         double *jacobian) {
    if (model->surface) model->approach(model, n, theta, labels, residual, jacobian);
    else fd_label_approach(model, n, theta, labels, residual, jacobian);
}

int fd_approach_dim(const fd_model *model) {
    return model->approach_reaches_further ? model->n_surface : model->n_labels;
}

void fd_approach(const fd_model *model, size_t n, const double *theta, const double *labels, double *residual,
                 double *jacobian) {
    if (model->approach_reaches_further) model->approach(model, n, theta, labels, residual, jacobian);
    else fd_label_approach(model, n, theta, labels, residual, jacobian);
}
