/* Which labels of a model are independent of each other: the nine moduli of a unitary matrix are four numbers. */
#ifndef FLAVORDIFF_INFERENCE_INDEPENDENT_H
#define FLAVORDIFF_INFERENCE_INDEPENDENT_H

#include "flavordiff/model.h"

/* Indices of as many labels as there are independent ones into pick (n_labels); returns how many. By pivoted Gram-Schmidt of
 * their gradients (in units of the prior's box, normalised) at 16 fixed prior draws with one order of pivots: each time the label
 * with the most left at its worst draw, until all have less than 1e-8 of their square left. Thread-safe. */
int fd_independent_labels(const fd_model *model, int *pick);

#endif
