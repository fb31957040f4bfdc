/* Vectors of VW floats for the kernels. The file that includes this defines VW: a template, once per object. */
#include <stdint.h>

#define ALWAYS static inline __attribute__((always_inline))
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

/* The letter by which inline assembly names a vector register; memory where it is not known. */
#if defined(__x86_64__) || defined(__i386__)
#define KEEP_IN_REGISTER(x) "+v"(x)
#elif defined(__aarch64__)
#define KEEP_IN_REGISTER(x) "+w"(x)
#else
#define KEEP_IN_REGISTER(x) "+m"(x)
#endif

typedef float vf __attribute__((vector_size(VW * 4)));
typedef uint32_t vu __attribute__((vector_size(VW * 4)));
typedef int32_t vi __attribute__((vector_size(VW * 4)));
typedef uint64_t vq __attribute__((vector_size(VW * 4)));
typedef float vf_any __attribute__((vector_size(VW * 4), aligned(4), may_alias));

ALWAYS vf load(const float *p) { return *(const vf_any *)p; }
ALWAYS void store(float *p, vf x) { *(vf_any *)p = x; }
ALWAYS vf splat(float x) { return x - (vf){0}; }
ALWAYS vf pick(vi mask, vf yes, vf no) { return (vf)((mask & (vi)yes) | (~mask & (vi)no)); }
