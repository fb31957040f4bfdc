#include "stages/claims.h"

#include <math.h>
#include <string.h>

#include "inference/stats.h"
#include "stages/analyse.h"

static const double degree = 57.295779513082320877, Z99 = 2.575829303548901;

/* 95 % (Wilson) about what 104 solutions of the paper show: 52, 99, 104 and 0 of them. */
#define HALF 0.4056, 0.5944
#define OF_99 0.8924, 0.9793
#define ALL 0.9644, 1
#define NONE 0, 0.0356

const fd_claim fd_claims[FD_CLAIMS] = {
    {"Σm clusters near 60 meV", "Σm within 5 meV of that", FD_CLAIM_BETWEEN, "sum_m_eV", 1e3, 55, 65, "meV", 0.5, 1, "most", false},
    {"", "Σm below the paper's median, 60.3 meV", FD_CLAIM_BETWEEN, "sum_m_eV", 1e3, 0, 60.3, NULL, HALF, "a half", false},
    {"δ has quartiles 106° and 228°", "δ between 106° and 228°; 34 % if flat", FD_CLAIM_BETWEEN, "delta_rad", 57.295779513082320877, 106,
     228, "°", HALF, "a half", false},
    {"few δ near 0° and 180°", "δ within 30° of 0° or 180°; 33 % if flat", FD_CLAIM_NEAR, "delta_rad", 1, 30, 180, NULL, 0, 1.0 / 6,
     "at most half of flat", false},
    {"α21 = 0 for all solutions", "α21 of the factorisation within 1° of 0", FD_CLAIM_NEAR, "alpha21_rad", 1, 1, 360, NULL, ALL, "all",
     false},
    {"", "α21 of the paper's phases within 1° of 0", FD_CLAIM_NEAR, "alpha21_rad" FD_PAPER_SUFFIX, 1, 1, 360, NULL, ALL, "all", true},
    {"no α31 near 0", "α31 of the factorisation within 15° of 0; 8.3 % if flat", FD_CLAIM_NEAR, "alpha31_rad", 1, 15, 360, NULL, NONE,
     "none", false},
    {"", "α31 of the paper's phases within 15° of 0", FD_CLAIM_NEAR, "alpha31_rad" FD_PAPER_SUFFIX, 1, 15, 360, NULL, NONE, "none", false},
    {"mββ of 2 to 4 meV", "mββ between 2 and 4 meV", FD_CLAIM_BETWEEN, "mbb_eV", 1e3, 2, 4, "meV", 0.5, 1, "most", false},
    {"mββ along the boundary of the allowed region", "mββ within 1 % of its largest value for the point's masses and angles",
     FD_CLAIM_EDGE, "mbb_eV", 1, 0.99, 0, NULL, ALL, "all", false},
    {"", "the same with the paper's phases", FD_CLAIM_EDGE, "mbb_eV" FD_PAPER_SUFFIX, 1, 0.99, 0, NULL, ALL, "all", true},
    {"|M1| and |M2| of 1e15 to 1e16 GeV", "|M1| in that range", FD_CLAIM_BETWEEN, "M1_GeV", 1, 1e15, 1e16, "GeV", 0.5, 1, "most", false},
    {"", "|M2| in that range", FD_CLAIM_BETWEEN, "M2_GeV", 1, 1e15, 1e16, "GeV", 0.5, 1, "most", false},
    {"Yukawas within two digits of each other: 95.2 %", "at most two digits between the largest and the smallest |Y|", FD_CLAIM_BETWEEN,
     "yukawa_digits", 1, 0, 2, NULL, OF_99, "99 of 104", false},
};

/* m1 c12^2 c13^2 + m2 s12^2 c13^2 + m3 s13^2 of a row; NaN where the table has not what it takes. */
static double aligned(const fd_table *t, size_t row) {
    static const char *const names[] = {"m1_eV", "m2_eV", "m3_eV", "s12sq", "s13sq"};
    double v[5];
    for (int i = 0; i < 5; i++) {
        int at = fd_table_column(t, names[i]);
        v[i] = at < 0 ? NAN : fd_table_at(t, row, at);
    }
    return (v[0] * (1 - v[3]) + v[1] * v[3]) * (1 - v[4]) + v[2] * v[4];
}

fd_share fd_claim_count(const fd_claim *c, const fd_table *t) {
    fd_share share = {0};
    int at = fd_table_column(t, c->column);
    for (size_t i = 0; at >= 0 && i < t->n_rows; i++) {
        double x = c->factor * fd_table_at(t, i, at);
        if (!isfinite(x)) continue;
        share.n++;
        if (c->kind == FD_CLAIM_BETWEEN) share.k += x >= c->a && x <= c->b;
        if (c->kind == FD_CLAIM_NEAR) share.k += fabs(remainder(degree * x, c->b)) <= c->a;
        if (c->kind == FD_CLAIM_EDGE) share.k += x > c->a * aligned(t, i);
    }
    return share;
}

/* 1: holds, -1: fails, 0: not known. */
static int borne_out(const fd_claim *c, fd_share s) {
    double lo, hi;
    fd_wilson_interval(s.k, s.n, FD_Z95, &lo, &hi);
    if (s.n == 0) return 0;
    return lo >= c->lo && hi <= c->hi ? 1 : hi < c->lo || lo > c->hi ? -1 : 0;
}

const char *fd_claim_verdict(const fd_claim *c, fd_share exact, fd_share prior) {
    if (c->by_definition) return "of the definition";
    if (exact.n == 0) return "no exact solutions";
    if (borne_out(c, exact) < 0) return "not of the posterior";
    if (borne_out(c, exact) == 0) return "undecided";
    if (prior.n == 0) return "the posterior's; the prior was not asked";
    return borne_out(c, prior) > 0 ? "the prior's too" : "the posterior's";
}

bool fd_shares_differ(fd_share a, fd_share b) {
    double lo[2], hi[2];
    fd_wilson_interval(a.k, a.n, Z99, &lo[0], &hi[0]);
    fd_wilson_interval(b.k, b.n, Z99, &lo[1], &hi[1]);
    return a.n && b.n && (hi[0] < lo[1] || hi[1] < lo[0]);
}
