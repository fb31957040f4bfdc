/* What this machine offers the hot loops, by name, best first. */
#ifndef FLAVORDIFF_MACHINE_H
#define FLAVORDIFF_MACHINE_H

#include "flavordiff/api.h"

FD_DECLS_BEGIN

/* Kernel set in use ("amx", "avx512bf16", "avx512", "avx2", "portable"): the best this machine has, or what the environment
 * variable FLAVORDIFF_CPU lowers it to. The first call chooses, and asks the system for the tile registers of AMX: before
 * threads start, best. */
const char *fd_machine_kernels(void);
/* 1 when FLAVORDIFF_CPU is unset, empty or the name of a set (one of the above, in lower case, whether or
 * not this machine has it), else 0: what it says is then ignored, and the program should refuse it. */
int fd_machine_mask_known(void);
/* The i-th best set this machine and this build have, NULL after the last ("portable"). */
const char *fd_machine_kernels_available(int i);

FD_DECLS_END

#endif
