/* What this machine offers the hot loops, by name, best first. */
#ifndef FLAVORDIFF_MACHINE_H
#define FLAVORDIFF_MACHINE_H

/* Kernel set in use ("avx512", "avx2", "portable"): the best this machine has, or what the environment variable
 * FLAVORDIFF_CPU lowers it to. */
const char *fd_machine_kernels(void);
/* The i-th best set this machine and this build have, NULL after the last ("portable"). */
const char *fd_machine_kernels_available(int i);

#endif
