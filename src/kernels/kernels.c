#include "kernels/kernels.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "flavordiff/machine.h"

/* From lowest to highest. __builtin_cpu_supports also checks that the system saves the registers. */
enum { LEVELS = 3 };
static const char *const names[LEVELS] = {"portable", "avx2", "avx512"};

static const fd_kernels *level(int i) {
    if (i == 0) return fd_table_portable;
#if defined(__x86_64__) || defined(__i386__)
    __builtin_cpu_init();
    if (i == 1 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return fd_table_avx2;
    if (i == 2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma"))
        return fd_table_avx512;
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
