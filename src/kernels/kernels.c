#define _GNU_SOURCE /* syscall */
#include "kernels/kernels.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include "flavordiff/machine.h"

/* From lowest to highest. */
enum { LEVELS = 5 };
static const char *const names[LEVELS] = {"portable", "avx2", "avx512", "avx512bf16", "amx"};

#if defined(__x86_64__) && defined(__linux__)
/* Registers of tiles are given to a process that asks for them, by feature 18 of XSAVE. Asking again changes nothing. */
static bool tiles_permitted(void) {
    enum { REQUEST_PERMISSION = 0x1023, TILE_DATA = 18 };
    return syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
}
#elif defined(__x86_64__) || defined(__i386__)
static bool tiles_permitted(void) { return false; }
#endif

enum { CPUID_7_1_EAX_AVX512_BF16 = 1 << 5, CPUID_7_EDX_AMX_BF16 = 1 << 22, CPUID_7_EDX_AMX_TILE = 1 << 24 };

/* __builtin_cpu_supports also checks that the system saves the registers. */
static const fd_kernels *level(int i) {
    if (i == 0) return fd_table_portable;
#if defined(__x86_64__) || defined(__i386__)
    unsigned a = 0, b, c, d = 0, bf16 = 0;
    __builtin_cpu_init();
    if (i == 1)
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? fd_table_avx2 : NULL;
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512bw") ||
        !__builtin_cpu_supports("avx512vl") || !__builtin_cpu_supports("fma"))
        return NULL;
    if (i == 2) return fd_table_avx512;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || a < 1 || !__get_cpuid_count(7, 1, &bf16, &b, &c, &a)) return NULL;
    if (!(bf16 & CPUID_7_1_EAX_AVX512_BF16)) return NULL;
    if (i == 3) return fd_bf16_avx512bf16.gemm ? fd_table_avx512bf16 : NULL;
    if ((d & CPUID_7_EDX_AMX_TILE) && (d & CPUID_7_EDX_AMX_BF16) && fd_bf16_amx.gemm && tiles_permitted()) return fd_table_amx;
#endif
    return NULL;
}

const fd_kernels *fd_kernels_named(const char *name) {
    for (int i = 0; i < LEVELS; i++) {
        const fd_kernels *table = level(i);
        if (table && strcmp(table->name, name) == 0) return table;
    }
    return NULL;
}

/* Level the mask in the environment allows: the last without a mask, -1 for a name that is none. */
static int highest_allowed(void) {
    const char *mask = getenv("FLAVORDIFF_CPU");
    if (!mask || !*mask) return LEVELS - 1;
    for (int i = 0; i < LEVELS; i++)
        if (strcmp(mask, names[i]) == 0) return i;
    return -1;
}

int fd_machine_mask_known(void) { return highest_allowed() >= 0; }

static const fd_kernels *choose(void) {
    int highest = highest_allowed();
    for (int i = highest < 0 ? LEVELS - 1 : highest; i > 0; i--)
        if (level(i)) return level(i);
    return fd_table_portable;
}

const fd_kernels *fd_kernels_get(void) {
    /* Threads that meet here at the same time make the same choice. */
    static _Atomic(const fd_kernels *) chosen;
    const fd_kernels *table = atomic_load_explicit(&chosen, memory_order_acquire);
    if (!table) {
        table = choose();
        atomic_store_explicit(&chosen, table, memory_order_release);
    }
    return table;
}
