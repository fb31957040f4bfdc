/* Claims: counted in tables whose shares are known, ranges that are Wilson's of what the paper counts, and every verdict. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "inference/stats.h"
#include "stages/claims.h"

static const fd_claim *about(const char *statistic) {
    for (int i = 0; i < FD_CLAIMS; i++)
        if (strstr(fd_claims[i].statistic, statistic)) return &fd_claims[i];
    fail_msg("no claim with '%s'", statistic);
    return NULL;
}

/* k of n in a table of one column. */
static fd_share count(const char *statistic, const char *column, size_t n, const double *x) {
    fd_table t = {0};
    assert_int_equal(fd_table_create(1, &column, &t, NULL), FD_OK);
    for (size_t i = 0; i < n; i++) *fd_table_row(&t) = x[i];
    fd_share s = fd_claim_count(about(statistic), &t);
    fd_table_free(&t);
    return s;
}

static void counts(void **state) {
    (void)state;
    const double degree = 3.14159265358979323846 / 180;
    const double sums[] = {0.0602, 0.0604, 0.0551, NAN, 0.0651}, angles[] = {0.5 * degree, -0.5 * degree, 359.5 * degree, 1.5 * degree, 179 * degree};
    const double delta[] = {20 * degree, 160 * degree, 209 * degree, 211 * degree, 90 * degree, 331 * degree, 107 * degree};
    const double digits[] = {0, 1, 2, 3}, mass[] = {9e14, 1.1e15, 9e15, 1.1e16};
    fd_share s = count("Σm within", "sum_m_eV", 5, sums);
    assert_true(s.k == 3 && s.n == 4);
    s = count("Σm below", "sum_m_eV", 5, sums);
    assert_true(s.k == 2 && s.n == 4);
    s = count("α21 of the factorisation", "alpha21_rad", 5, angles);
    assert_true(s.k == 3 && s.n == 5);
    s = count("α31 of the paper", "alpha31_rad_paper_phases", 5, angles);
    assert_true(s.k == 4 && s.n == 5);
    s = count("δ within 30°", "delta_rad", 7, delta);
    assert_true(s.k == 4 && s.n == 7); /* 20, 160, 209, 331 */
    s = count("δ between", "delta_rad", 7, delta);
    assert_true(s.k == 4 && s.n == 7); /* 160, 209, 211, 107 */
    s = count("at most two digits", "yukawa_digits", 4, digits);
    assert_true(s.k == 3 && s.n == 4);
    s = count("|M1|", "M1_GeV", 4, mass);
    assert_true(s.k == 2 && s.n == 4);
    s = count("|M2|", "M1_GeV", 4, mass); /* a table without the column */
    assert_int_equal(s.n, 0);
}

/* m = (1, 2, 10) meV, s12^2 = 0.3, s13^2 = 0.02: 0.98 (0.7 + 0.6) + 0.2 = 1.474 meV at most. */
static void edge(void **state) {
    (void)state;
    static const char *const names[] = {"m1_eV", "m2_eV", "m3_eV", "s12sq", "s13sq", "mbb_eV"};
    const double mbb[] = {1.474e-3, 1.46e-3, 1.459e-3, 0};
    fd_table t = {0};
    assert_int_equal(fd_table_create(6, names, &t, NULL), FD_OK);
    for (int i = 0; i < 4; i++) {
        const double row[] = {1e-3, 2e-3, 1e-2, 0.3, 0.02, mbb[i]};
        memcpy(fd_table_row(&t), row, sizeof row);
    }
    fd_share s = fd_claim_count(about("largest value"), &t); /* 0.99 of it is 1.45926 */
    assert_true(s.k == 2 && s.n == 4);
    fd_table_free(&t);
}

/* Where the paper counts, the range is the interval about its 104 solutions. */
static void ranges(void **state) {
    (void)state;
    static const struct { const char *means; uint64_t k; } paper[] = {{"a half", 52}, {"99 of 104", 99}, {"all", 104}, {"none", 0}};
    int seen = 0;
    for (int i = 0; i < FD_CLAIMS; i++)
        for (size_t j = 0; j < sizeof paper / sizeof *paper; j++) {
            double lo, hi;
            if (strcmp(fd_claims[i].means, paper[j].means)) continue;
            fd_wilson_interval(paper[j].k, 104, FD_Z95, &lo, &hi);
            assert_true(fabs(fd_claims[i].lo - lo) < 1e-4 && fabs(fd_claims[i].hi - hi) < 1e-4);
            seen++;
        }
    assert_int_equal(seen, 9);
}

static void verdicts(void **state) {
    (void)state;
    fd_claim c = {.lo = 0.5, .hi = 1};
    const fd_share none = {0, 0}, high = {800, 1000}, low = {200, 1000}, half = {500, 1000}, few = {3, 3};
    assert_string_equal(fd_claim_verdict(&c, none, high), "no exact solutions");
    assert_string_equal(fd_claim_verdict(&c, low, none), "not of the posterior");
    assert_string_equal(fd_claim_verdict(&c, low, high), "not of the posterior");
    assert_string_equal(fd_claim_verdict(&c, half, high), "undecided");
    assert_string_equal(fd_claim_verdict(&c, few, high), "undecided");
    assert_string_equal(fd_claim_verdict(&c, high, none), "the posterior's; the prior was not asked");
    assert_string_equal(fd_claim_verdict(&c, high, high), "the prior's too");
    assert_string_equal(fd_claim_verdict(&c, high, half), "the posterior's");
    assert_string_equal(fd_claim_verdict(&c, high, low), "the posterior's");
    c.by_definition = true;
    assert_string_equal(fd_claim_verdict(&c, low, none), "of the definition");
    assert_true(fd_shares_differ(high, low) && fd_shares_differ(low, high));
    assert_false(fd_shares_differ(high, few) || fd_shares_differ(high, high) || fd_shares_differ(high, none));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(counts), cmocka_unit_test(edge), cmocka_unit_test(ranges),
                                       cmocka_unit_test(verdicts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
