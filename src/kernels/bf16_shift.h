/* bfloat16 pairs where the machine has no instructions for them: each is two floats after a shift and a mask. */
typedef struct pairs {
    vf even, odd;
} pairs;

ALWAYS pairs pairs_of(vi words) { return (pairs){(vf)(words << 16), (vf)(words & (int32_t)0xffff0000)}; }
ALWAYS vf dot(vf sum, pairs a, pairs b) { return sum + a.even * b.even + a.odd * b.odd; }

typedef uint16_t v16 __attribute__((vector_size(VW * 2)));
typedef uint16_t v16_any __attribute__((vector_size(VW * 2), aligned(2), may_alias));

/* In the upper halves. */
ALWAYS vu nearest(vf x) {
    vu bits = (vu)x, up = bits + 0x7fffu + ((bits >> 16) & 1u);
    vi nan = x != x;
    return ((vu)nan & (bits | 0x400000u)) | (~(vu)nan & up);
}

ALWAYS v16 rounded(vf x) { return __builtin_convertvector(nearest(x) >> 16, v16); }

ALWAYS void round_two(vf low, vf high, uint16_t *to) {
    *(v16_any *)to = rounded(low);
    *(v16_any *)(to + VW) = rounded(high);
}

ALWAYS vi pair(vf low, vf high) { return (vi)(nearest(low) >> 16 | (nearest(high) & 0xffff0000u)); }
