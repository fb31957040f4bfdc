/* The denoising network of Table 2: fully connected layers, each fed [previous layer, label, time].
 *
 *   h_0 = [x_t, f];   h_k = act_k(W_k [h_{k-1}, L, t] + b_k);   eps = h_{K+1}     (eq. 2.11)
 *
 * f are features of (x_t, t, L) that somebody else works out (informant.h); the paper's network has none. t enters as t/T; the label is normalised (fd_scaler) and is all zeros when dropped (paper: null = 0).
 * Weights are float32. Canonical order, the only one in files and at this interface, is PyTorch's: for each layer
 * weight (out, in + n_labels + 1) row-major with columns [h, L, t], then bias (out). */
#ifndef FLAVORDIFF_NETWORK_H
#define FLAVORDIFF_NETWORK_H

#include <stddef.h>
#include <stdint.h>

#include "flavordiff/api.h"
#include "flavordiff/status.h"

FD_DECLS_BEGIN

enum { FD_MAX_HIDDEN = 16, FD_MAX_WIDTH = 4096 };

typedef enum fd_activation { FD_IDENTITY, FD_SELU, FD_TANH, FD_SILU } fd_activation;

/* What the operands of a network's products are rounded to; their sums are float32. bfloat16 is a float32 cut to 8 significant bits. */
typedef enum fd_precision { FD_FLOAT32, FD_BF16 } fd_precision;

typedef struct fd_network_spec {
    int dim;                                  /* components of x and of the output: 23 or 21 */
    int n_features;                           /* further inputs of the first layer; 0 in the paper */
    int n_labels;                             /* 11 */
    int n_hidden;                             /* 7 in the paper */
    int widths[FD_MAX_HIDDEN];                /* 64 128 256 512 256 128 64 */
    fd_activation activations[FD_MAX_HIDDEN]; /* selu x6, tanh; the output layer is the identity */
} fd_network_spec;

/* x_normalised = (x - shift) / scale, per component. */
typedef struct fd_scaler {
    int n;
    double shift[64], scale[64];
} fd_scaler;

typedef struct fd_network {
    fd_network_spec spec;
    size_t n_weights;
    float *weights;                           /* canonical order, n_weights */
} fd_network;

/* Table 2 with the given dimensions. */
void fd_network_spec_paper(fd_network_spec *spec, int dim, int n_labels);
/* Checks spec (FD_ERR_CONFIG) and allocates zeroed weights; free with fd_network_free (NULL ok). */
fd_status fd_network_create(const fd_network_spec *spec, fd_network **network, fd_error *err);
void fd_network_free(fd_network *network);
/* PyTorch's nn.Linear default: weights and biases U(-1/sqrt(fan_in), 1/sqrt(fan_in)); before SiLU 2.90 times that, which
 * keeps the variance from layer to layer. */
void fd_network_initialise(fd_network *network, uint64_t seed);
/* Rows, columns and offsets (into weights) of layer 0..n_hidden; n_out = widths or dim. */
void fd_network_layer(const fd_network_spec *spec, int layer, int *n_in, int *n_out, size_t *weight, size_t *bias);
const char *fd_activation_name(fd_activation activation);

/* The readable reference: the whole maths of the network in double, one sample at a time. Oracle of the
 * kernels and of the gradient test; not fast. weights, and gradient if wanted, are double (n_weights).
 * eps (dim). x (dim + n_features), label (n_labels) normalised or NULL for dropped, time = t/T. */
void fd_reference_forward(const fd_network_spec *spec, const double *weights, const double *x, const double *label,
                          double time, double *eps);
/* Loss mean_k (eps_k - target_k)^2 of one sample; adds `factor` x d loss / d weights to gradient. */
double fd_reference_backward(const fd_network_spec *spec, const double *weights, const double *x, const double *label,
                             double time, const double *target, double factor, double *gradient);

FD_DECLS_END

#endif
