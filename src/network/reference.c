/* The whole maths of the network in plain double, one sample at a time.
 *
 *   u_l = [h_l, L, t]          (n_l + n_labels + 1)   input of layer l, h_0 = [x, features]
 *   z_l = W_l u_l + b_l        (n_{l+1})
 *   h_{l+1} = act_l(z_l)                               the last layer has no activation: eps = z_K
 *
 * Backwards, with d_l = dE/dz_l:
 *   d_K = 2 (eps - target) / dim                       E = mean_k (eps_k - target_k)^2
 *   dE/dW_l = d_l u_l^T,  dE/db_l = d_l
 *   d_{l-1} = act'(z_{l-1}) * (W_l^T d_l restricted to h_l) */
#include <math.h>
#include <stdlib.h>

#include "flavordiff/network.h"

static const double selu_scale = 1.0507009873554804934193349852946, selu_alpha = 1.6732632423543772848170429916717;

static double act(fd_activation a, double z) {
    switch (a) {
    case FD_SELU: return selu_scale * (z > 0 ? z : selu_alpha * expm1(z));
    case FD_TANH: return tanh(z);
    case FD_SILU: return z / (1 + exp(-z));
    default: return z;
    }
}

static double act_slope(fd_activation a, double z) {
    switch (a) {
    case FD_SELU: return selu_scale * (z > 0 ? 1 : selu_alpha * exp(z));
    case FD_TANH: return 1 - tanh(z) * tanh(z);
    case FD_SILU: {
        double s = 1 / (1 + exp(-z));
        return s * (1 + z * (1 - s));
    }
    default: return 1;
    }
}

/* Layer l from its input h (without label and time) to z. */
static void layer_forward(const fd_network_spec *spec, int layer, const double *weights, const double *h,
                          const double *label, double time, double *z) {
    int n_in, n_out;
    size_t weight, bias;
    fd_network_layer(spec, layer, &n_in, &n_out, &weight, &bias);
    int n_h = n_in - spec->n_labels - 1;
    for (int i = 0; i < n_out; i++) {
        const double *w = weights + weight + (size_t)i * (size_t)n_in;
        double sum = weights[bias + (size_t)i];
        for (int j = 0; j < n_h; j++) sum += w[j] * h[j];
        for (int j = 0; label && j < spec->n_labels; j++) sum += w[n_h + j] * label[j];
        z[i] = sum + w[n_in - 1] * time;
    }
}

static fd_activation layer_act(const fd_network_spec *spec, int layer) {
    return layer < spec->n_hidden ? spec->activations[layer] : FD_IDENTITY;
}

void fd_reference_forward(const fd_network_spec *spec, const double *weights, const double *x, const double *label,
                          double time, double *eps) {
    double h[FD_MAX_WIDTH] = {0}, z[FD_MAX_WIDTH] = {0};
    for (int i = 0; i < spec->dim + spec->n_features; i++) h[i] = x[i];
    for (int layer = 0; layer < spec->n_hidden; layer++) {
        layer_forward(spec, layer, weights, h, label, time, z);
        for (int i = 0; i < spec->widths[layer]; i++) h[i] = act(layer_act(spec, layer), z[i]);
    }
    layer_forward(spec, spec->n_hidden, weights, h, label, time, eps);
}

/* Adds d z_l contributions to the gradient of layer l and returns the part that goes on to h_l in down (n_h). */
static void layer_backward(const fd_network_spec *spec, int layer, const double *weights, const double *h,
                           const double *label, double time, const double *d, double factor, double *gradient,
                           double *down) {
    int n_in, n_out;
    size_t weight, bias;
    fd_network_layer(spec, layer, &n_in, &n_out, &weight, &bias);
    int n_h = n_in - spec->n_labels - 1;
    for (int j = 0; j < n_h; j++) down[j] = 0;
    for (int i = 0; i < n_out; i++) {
        size_t row = weight + (size_t)i * (size_t)n_in;
        for (int j = 0; j < n_h; j++) {
            gradient[row + (size_t)j] += factor * d[i] * h[j];
            down[j] += weights[row + (size_t)j] * d[i];
        }
        for (int j = 0; label && j < spec->n_labels; j++) gradient[row + (size_t)(n_h + j)] += factor * d[i] * label[j];
        gradient[row + (size_t)n_in - 1] += factor * d[i] * time;
        gradient[bias + (size_t)i] += factor * d[i];
    }
}

double fd_reference_backward(const fd_network_spec *spec, const double *weights, const double *x, const double *label,
                             double time, const double *target, double factor, double *gradient) {
    double(*h)[FD_MAX_WIDTH] = calloc(2 * (FD_MAX_HIDDEN + 1), sizeof *h), (*z)[FD_MAX_WIDTH];
    double d[FD_MAX_WIDTH] = {0}, down[FD_MAX_WIDTH] = {0}, loss = 0;
    if (!h) return NAN;
    z = h + FD_MAX_HIDDEN + 1;
    int last = spec->n_hidden;
    for (int i = 0; i < spec->dim + spec->n_features; i++) h[0][i] = x[i];
    for (int layer = 0; layer <= last; layer++) {
        layer_forward(spec, layer, weights, h[layer], label, time, z[layer]);
        if (layer < last)
            for (int i = 0; i < spec->widths[layer]; i++) h[layer + 1][i] = act(layer_act(spec, layer), z[layer][i]);
    }
    for (int i = 0; i < spec->dim; i++) {
        double difference = z[last][i] - target[i];
        loss += difference * difference / spec->dim;
        d[i] = 2 * difference / spec->dim;
    }
    for (int layer = last; layer >= 0; layer--) {
        layer_backward(spec, layer, weights, h[layer], label, time, d, factor, gradient, down);
        for (int i = 0; layer > 0 && i < spec->widths[layer - 1]; i++)
            d[i] = down[i] * act_slope(layer_act(spec, layer - 1), z[layer - 1][i]);
    }
    free(h);
    return loss;
}
