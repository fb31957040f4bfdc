#include "inference/stopping.h"

#include <math.h>
#include <stdlib.h>

#include "inference/stats.h"

/* x with I_x(a, b) = p. */
static double beta_quantile(double p, double a, double b) {
    double lo = 0, hi = 1;
    for (int i = 0; i < 200; i++) {
        double middle = 0.5 * (lo + hi);
        if (middle == lo || middle == hi) break;
        *(fd_beta_regularised(middle, a, b) < p ? &lo : &hi) = middle;
    }
    return 0.5 * (lo + hi);
}

fd_efficiency fd_inverse_sampling(uint64_t k, uint64_t n, double tail) {
    double successes = (double)k, failures = (double)(n - k);
    return (fd_efficiency){.plain = successes / (double)n,
                           .unbiased = k < 2 ? NAN : (successes - 1) / ((double)n - 1),
                           .lo = beta_quantile(tail / 2, successes, failures + 1),
                           .hi = n == k ? 1 : beta_quantile(1 - tail / 2, successes, failures)};
}

/* FNV-1a. */
static uint64_t hash(const unsigned char *bytes, size_t n) {
    uint64_t h = 14695981039346656037u;
    for (size_t i = 0; i < n; i++) h = (h ^ bytes[i]) * 1099511628211u;
    return h;
}

/* Slot of the key, or the free one where it belongs. */
static struct fd_effective_slot *find(struct fd_effective_slot *slots, size_t room, uint64_t key) {
    size_t i = (size_t)key & (room - 1);
    while (slots[i].weight > 0 && slots[i].key != key) i = (i + 1) & (room - 1);
    return &slots[i];
}

static fd_status grow(fd_effective *e, fd_error *err) {
    size_t room = e->room ? 2 * e->room : 1024;
    struct fd_effective_slot *slots = calloc(room, sizeof *slots);
    if (!slots) return fd_fail(err, FD_ERR_MEMORY, "out of memory for %zu distinct points", room / 2);
    for (size_t i = 0; i < e->room; i++)
        if (e->slots[i].weight > 0) *find(slots, room, e->slots[i].key) = e->slots[i];
    free(e->slots);
    e->slots = slots;
    e->room = room;
    return FD_OK;
}

fd_status fd_effective_add(fd_effective *e, const void *point, size_t n_bytes, double weight, fd_error *err) {
    if (2 * (e->n + 1) > e->room) {
        fd_status status = grow(e, err);
        if (status) return status;
    }
    uint64_t key = hash(point, n_bytes);
    struct fd_effective_slot *slot = find(e->slots, e->room, key);
    e->n += slot->weight == 0;
    e->sum += weight;
    e->squares += weight * (weight + 2 * slot->weight);
    slot->key = key;
    slot->weight += weight;
    return FD_OK;
}

double fd_effective_size(const fd_effective *e) { return e->squares > 0 ? e->sum * e->sum / e->squares : 0; }

void fd_effective_free(fd_effective *e) {
    free(e->slots);
    *e = (fd_effective){0};
}
