#include "flavordiff/network.h"

#include <math.h>
#include <stdlib.h>

#include "flavordiff/rng.h"

void fd_network_spec_paper(fd_network_spec *spec, int dim, int n_labels) {
    static const int widths[] = {64, 128, 256, 512, 256, 128, 64};
    *spec = (fd_network_spec){.dim = dim, .n_labels = n_labels, .n_hidden = 7};
    for (int i = 0; i < spec->n_hidden; i++) {
        spec->widths[i] = widths[i];
        spec->activations[i] = i == spec->n_hidden - 1 ? FD_TANH : FD_SELU;
    }
}

static fd_status check(const fd_network_spec *spec, fd_error *err) {
    if (spec->dim < 1 || spec->dim > FD_MAX_WIDTH)
        return fd_fail(err, FD_ERR_CONFIG, "network: dim is %d, must be 1..%d", spec->dim, FD_MAX_WIDTH);
    if (spec->n_features < 0 || spec->n_features > FD_MAX_WIDTH - spec->dim)
        return fd_fail(err, FD_ERR_CONFIG, "network: n_features is %d, must be 0..%d", spec->n_features,
                       FD_MAX_WIDTH - spec->dim);
    if (spec->n_labels < 0 || spec->n_labels > FD_MAX_WIDTH)
        return fd_fail(err, FD_ERR_CONFIG, "network: n_labels is %d, must be 0..%d", spec->n_labels, FD_MAX_WIDTH);
    if (spec->n_hidden < 1 || spec->n_hidden > FD_MAX_HIDDEN)
        return fd_fail(err, FD_ERR_CONFIG, "network: %d hidden layers, must be 1..%d", spec->n_hidden, FD_MAX_HIDDEN);
    for (int i = 0; i < spec->n_hidden; i++) {
        if (spec->widths[i] < 1 || spec->widths[i] > FD_MAX_WIDTH)
            return fd_fail(err, FD_ERR_CONFIG, "network: width of hidden layer %d is %d, must be 1..%d", i + 1,
                           spec->widths[i], FD_MAX_WIDTH);
        if ((unsigned)spec->activations[i] > FD_SILU)
            return fd_fail(err, FD_ERR_CONFIG, "network: unknown activation of hidden layer %d", i + 1);
    }
    return FD_OK;
}

void fd_network_layer(const fd_network_spec *spec, int layer, int *n_in, int *n_out, size_t *weight, size_t *bias) {
    size_t offset = 0;
    for (int i = 0;; i++) {
        int before = i ? spec->widths[i - 1] : spec->dim + spec->n_features;
        int in = before + spec->n_labels + 1, out = i < spec->n_hidden ? spec->widths[i] : spec->dim;
        size_t size = (size_t)in * (size_t)out;
        if (i == layer) {
            *n_in = in;
            *n_out = out;
            *weight = offset;
            *bias = offset + size;
            return;
        }
        offset += size + (size_t)out;
    }
}

fd_status fd_network_create(const fd_network_spec *spec, fd_network **network, fd_error *err) {
    *network = NULL;
    if (check(spec, err) != FD_OK) return FD_ERR_CONFIG;
    int n_in, n_out;
    size_t weight, bias;
    fd_network_layer(spec, spec->n_hidden, &n_in, &n_out, &weight, &bias);
    fd_network *new = malloc(sizeof *new);
    if (new) {
        *new = (fd_network){.spec = *spec, .n_weights = bias + (size_t)n_out};
        new->weights = calloc(new->n_weights, sizeof *new->weights);
    }
    if (!new || !new->weights) {
        fd_network_free(new);
        return fd_fail(err, FD_ERR_MEMORY, "network: out of memory");
    }
    *network = new;
    return FD_OK;
}

void fd_network_free(fd_network *network) {
    if (!network) return;
    free(network->weights);
    free(network);
}

void fd_network_initialise(fd_network *network, uint64_t seed) {
    for (int layer = 0; layer <= network->spec.n_hidden; layer++) {
        int n_in, n_out;
        size_t weight, bias;
        fd_network_layer(&network->spec, layer, &n_in, &n_out, &weight, &bias);
        /* SiLU halves its input and more: E[silu(z)^2] = 0.3557 for a standard normal z, made up for here. */
        int silu = layer < network->spec.n_hidden && network->spec.activations[layer] == FD_SILU;
        double bound = (silu ? sqrt(3 / 0.3557) : 1.0) / sqrt(n_in);
        fd_rng rng;
        fd_rng_start(&rng, seed, FD_STREAM_WEIGHTS, (uint64_t)layer, 0);
        for (size_t i = weight; i < bias + (size_t)n_out; i++) /* the bias follows its weights */
            network->weights[i] = (float)(bound * (2.0 * fd_rng_uniform(&rng) - 1.0));
    }
}

const char *fd_activation_name(fd_activation activation) {
    static const char *const names[] = {"identity", "selu", "tanh", "silu"};
    return (unsigned)activation <= FD_SILU ? names[activation] : "unknown";
}
