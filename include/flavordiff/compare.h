/* Do sample sets have the same distribution? Every parameter and every observable of each set against those of a first
 * one, the reference, by two-sample Kolmogorov-Smirnov and, for angles, Kuiper distances (Smirnov 1948, Kuiper 1960); all of them
 * together by a classifier (c2st.h) and by the cells of space each set fills (cells.h). */
#ifndef FLAVORDIFF_COMPARE_H
#define FLAVORDIFF_COMPARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flavordiff/api.h"
#include "flavordiff/c2st.h"
#include "flavordiff/cells.h"
#include "flavordiff/files.h"

FD_DECLS_BEGIN

/* Chance of a distance outside the null when the distributions are the same. */
#define FD_COMPARE_TAIL 0.01

typedef struct fd_compare_spec {
    uint64_t most;  /* at most so many rows of each set, the first ones; 0: all */
    bool all_rows;  /* every finite row; false: solutions inside the prior only */
    bool together;  /* judge all quantities together: c2st, cells and images below */
    fd_c2st_spec c2st;
} fd_compare_spec;

/* One quantity of one set. */
typedef struct fd_distance {
    char name[48], unit[16];
    bool parameter, periodic;
    size_t n, m;                   /* values of the reference, of the set; those that are not finite are left out */
    double ks, ks_null, ks_tail;   /* D, what is exceeded by chance in 1 % of cases, chance of a larger D */
    double kuiper, kuiper_null, kuiper_tail;
    bool outside;                  /* of the 99 % null: by V for angles, by D for all others */
} fd_distance;

/* A set against the reference. */
typedef struct fd_comparison {
    const char *reference, *set;   /* paths as given: borrowed */
    char reference_target[64], target[64];
    uint64_t n, m;                 /* rows compared */
    int n_distances, n_outside;
    fd_distance *distances;        /* parameters, then observables */
    bool together;                 /* the following were asked for */
    fd_c2st c2st;                  /* 0 rows: fewer than FD_C2ST_LEAST in a set */
    fd_cells cells;                /* cells of the reference; 0 cells: too few rows */
    fd_cells images;               /* images under the model's discrete symmetries (fd_model.orient); 0 cells: it has none */
} fd_comparison;

/* paths (n_paths >= 2), the reference first; comparisons (n_paths - 1) are freed with fd_comparison_free (zeroed: ok).
 * FD_ERR_MISMATCH when the files' models differ, FD_ERR_EMPTY when a set has no row to compare. */
fd_status fd_compare(int n_paths, const char *const *paths, const fd_compare_spec *spec, fd_comparison *comparisons,
                     fd_error *err);
/* The sets over each other, as figures into `folder` (docs/figures.md): every parameter, every observable, and a corner plot of
 * the quantities named in `corner` (separated by commas; NULL: a choice). At most 8 sets: FD_ERR_USAGE. FD_ERR_FILE when figures are
 * there and force is false; FD_ERR_TOOL without gnuplot. */
fd_status fd_compare_figures(int n_paths, const char *const *paths, const fd_compare_spec *spec, const char *folder,
                             const char *corner, bool force, fd_error *err);
void fd_comparison_free(fd_comparison *comparison);

/* In words, in out[64], which is returned: "as two draws of one", "different: by chance once in 1,234". */
char *fd_distance_verdict(const fd_distance *distance, char out[64]);
/* Of the set, in out[256], which is returned, from what has a chance below FD_COMPARE_TAIL (that of the worst quantity times their
 * number): "not told apart from the reference", "close to the reference, but told apart by ...", "DIFFERENT from the
 * reference: ..."; close is a classifier that is right in at most 55 %. Needs `together`. */
char *fd_comparison_verdict(const fd_comparison *comparison, char out[256]);
/* As a table for people, as CSV (one header, a row a set and quantity), as JSON; fresh text, NULL without memory. */
char *fd_compare_text(int n, const fd_comparison *comparisons, const fd_compare_spec *spec);
char *fd_compare_csv(int n, const fd_comparison *comparisons);
char *fd_compare_json(int n, const fd_comparison *comparisons, const fd_compare_spec *spec);

FD_DECLS_END

#endif
