#include "flavordiff/rng.h"

#include <math.h>

#include <Random123/philox.h>

#include "base/constants.h"

/* SplitMix64 finaliser (Steele, Lea, Flood 2014): spreads (seed, stream) over the 64-bit key. */
static uint64_t mix64(uint64_t z) {
    z += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void fd_rng_key(uint64_t seed, fd_stream stream, uint32_t key[2]) {
    uint64_t k = mix64(mix64(seed) ^ (uint64_t)stream);
    key[0] = (uint32_t)k;
    key[1] = (uint32_t)(k >> 32);
}

uint64_t fd_derive_seed(uint64_t seed, const char *purpose) {
    uint64_t hash = mix64(seed);
    for (; *purpose; purpose++) hash = mix64(hash ^ (unsigned char)*purpose);
    return hash;
}

void fd_rng_start(fd_rng *rng, uint64_t seed, fd_stream stream, uint64_t item, uint32_t step) {
    *rng = (fd_rng){.item = item, .step = step, .used = 4};
    fd_rng_key(seed, stream, rng->key);
}

uint32_t fd_rng_u32(fd_rng *rng) {
    if (rng->used == 4) {
        philox4x32_ctr_t counter = {{(uint32_t)rng->item, (uint32_t)(rng->item >> 32), rng->step, rng->block++}};
        philox4x32_key_t key = {{rng->key[0], rng->key[1]}};
        philox4x32_ctr_t out = philox4x32(counter, key);
        for (int i = 0; i < 4; i++) rng->buffer[i] = out.v[i];
        rng->used = 0;
    }
    return rng->buffer[rng->used++];
}

static uint64_t u64(fd_rng *rng) {
    uint64_t low = fd_rng_u32(rng);
    return low | (uint64_t)fd_rng_u32(rng) << 32;
}

double fd_rng_uniform(fd_rng *rng) { return (double)(u64(rng) >> 11) * 0x1p-53; }

uint64_t fd_rng_below(fd_rng *rng, uint64_t n) {
    uint64_t threshold = -n % n; /* 2^64 mod n */
    for (;;) {
        unsigned __int128 product = (unsigned __int128)u64(rng) * n;
        if ((uint64_t)product >= threshold) return (uint64_t)(product >> 64);
    }
}

double fd_rng_normal(fd_rng *rng) {
    double radius = sqrt(-2.0 * log(1.0 - fd_rng_uniform(rng)));
    return radius * cos(FD_TWO_PI * fd_rng_uniform(rng));
}

void fd_rng_normals(fd_rng *rng, int n, double *out) {
    for (int i = 0; i < n; i += 2) {
        double radius = sqrt(-2.0 * log(1.0 - fd_rng_uniform(rng))), angle = FD_TWO_PI * fd_rng_uniform(rng);
        out[i] = radius * cos(angle);
        if (i + 1 < n) out[i + 1] = radius * sin(angle);
    }
}
