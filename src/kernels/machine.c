#include "flavordiff/machine.h"

#include "kernels/kernels.h"

const char *fd_machine_kernels(void) { return fd_kernels_get()->name; }

const char *fd_machine_kernels_available(int i) {
    static const char *const best_first[] = {"amx", "avx512bf16", "avx512", "avx2", "portable"};
    for (int k = 0; k < 5; k++) {
        const fd_kernels *table = fd_kernels_named(best_first[k]);
        if (table && i-- == 0) return table->name;
    }
    return 0;
}
