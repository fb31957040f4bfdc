#include "inference/surface.h"

enum { W = FD_LANES };

int fd_surface_dim(const fd_model *model) { return model->surface ? model->n_surface : model->n_labels; }

void fd_surface_at(const fd_model *model, size_t n, const double *theta, double *c, double *jacobian) {
    if (model->surface) model->surface(model, n, theta, c, jacobian);
    else model->derivatives(model, n, theta, c, jacobian);
}

/* labels - L(theta) and derivatives(): residual (n, n_labels). */
static void label_approach(const fd_model *model, size_t n, const double *theta, const double *labels, double *residual,
                           double *jacobian) {
    model->derivatives(model, n, theta, residual, jacobian);
    for (size_t i = 0; i < n * (size_t)model->n_labels; i++) residual[i] = labels[i] - residual[i];
}

void fd_surface_approach(const fd_model *model, size_t n, const double *theta, const double *labels, double *residual,
                         double *jacobian) {
    if (model->surface) model->approach(model, n, theta, labels, residual, jacobian);
    else label_approach(model, n, theta, labels, residual, jacobian);
}

int fd_approach_dim(const fd_model *model) {
    return model->approach_reaches_further ? model->n_surface : model->n_labels;
}

static void lane_to_row(int n, const double *lanes, int w, double *row) {
    for (int i = 0; i < n; i++) row[i] = lanes[i * W + w];
}

static void row_to_lane(int n, const double *row, int w, double *lanes) {
    for (int i = 0; i < n; i++) lanes[i * W + w] = row[i];
}

/* Lane by lane. */
static void approach_rows(const fd_model *model, bool smooth, const double *unit, const double *theta, const double *labels,
                          double *residual, double *jacobian) {
    double point[FD_MAX_PARAMS], wanted[FD_MAX_LABELS] = {0}, missing[FD_MAX_LABELS], slopes[FD_MAX_LABELS * FD_MAX_PARAMS];
    int n = smooth ? model->n_surface : model->n_labels;
    for (int w = 0; w < W; w++) {
        lane_to_row(model->n_params, theta, w, point);
        lane_to_row(model->n_labels, labels, w, wanted);
        if (smooth) model->approach(model, 1, point, wanted, missing, slopes);
        else label_approach(model, 1, point, wanted, missing, slopes);
        for (int i = 0; i < n * model->n_params; i++) slopes[i] *= unit[i % model->n_params];
        row_to_lane(n, missing, w, residual);
        row_to_lane(n * model->n_params, slopes, w, jacobian);
    }
}

void fd_approach_lanes(const fd_model *model, bool by_labels, const double *unit, const double *theta, const double *labels,
                       double *residual, double *jacobian) {
    bool smooth = !by_labels && model->approach_reaches_further;
    (model->approach_lanes ? model->approach_lanes : approach_rows)(model, smooth, unit, theta, labels, residual, jacobian);
}
