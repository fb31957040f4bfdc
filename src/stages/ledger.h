/* The windows a ledger counts, in one table for text, JSON and HTML. */
#ifndef FLAVORDIFF_STAGES_LEDGER_H
#define FLAVORDIFF_STAGES_LEDGER_H

#include <stddef.h>
#include <stdint.h>

#include "flavordiff/files.h"

enum { FD_WINDOW_COUNT = 6 };

typedef struct fd_window {
    const char *key;   /* in ledger.json */
    const char *title; /* table heading, at most 16 characters */
    size_t offset;     /* of the count (uint64_t) in fd_tally */
    const char *meaning;
} fd_window;

/* masses, angles, five observables, all labels, then the last two with the parameters inside the prior. */
extern const fd_window fd_windows[FD_WINDOW_COUNT];

uint64_t fd_window_count(const fd_tally *tally, int window);

/* Tally of n exact solutions: they are inside everything there is to be inside of. */
fd_tally fd_exact_tally(uint64_t n);

#endif
