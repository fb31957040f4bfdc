/* Target files and the judge: hand-made points, every shipped set, and files that are wrong. */
#include "physics_oracles.h"

#include <stdio.h>
#include <unistd.h>

#include "flavordiff/files.h"

static const char *const shipped[] = {"nufit-6.0-ic19-no", "nufit-6.0-ic19-io", "nufit-6.0-ic24-no", "nufit-6.0-ic24-io",
                                      "paper-table1-no",   "paper-table1-io",   "nufit-6.1-ic24-no"};
enum { N_SHIPPED = sizeof shipped / sizeof *shipped };
enum { DM21 = 3, DM3L, S12, S13, S23, DELTA, U = 16, N_OBS = 29, N_PAR = 23, N_LAB = 11 };

static fd_model *model_for(fd_ordering ordering) {
    fd_model_options options;
    fd_model *model;
    fd_model_options_default(&options);
    options.ordering = ordering;
    assert_int_equal(fd_model_create(&options, &model, NULL), FD_OK);
    return model;
}

static void load(const char *name, fd_target *target) {
    fd_error err;
    if (fd_target_load(name, target, &err)) fail_msg("%s", err.message);
}

static const fd_measurement *find(const fd_target *target, const char *observable) {
    for (int i = 0; i < target->n_measurements; i++)
        if (strcmp(target->measurements[i].observable, observable) == 0) return &target->measurements[i];
    fail_msg("%s has no %s", target->name, observable);
    return NULL;
}

static const fd_limit *find_limit(const fd_target *target, const char *name) {
    for (int i = 0; i < target->n_limits; i++)
        if (strcmp(target->limits[i].name, name) == 0) return &target->limits[i];
    fail_msg("%s has no %s", target->name, name);
    return NULL;
}

/* ---- shipped sets ------------------------------------------------------------------------------------------ */

static void shipped_sets_are_consistent(void **state) {
    (void)state;
    for (int n = 0; n < N_SHIPPED; n++) {
        fd_target t;
        load(shipped[n], &t);
        assert_string_equal(t.name, shipped[n]);
        assert_int_equal(t.n_measurements, 15);
        bool normal = strstr(shipped[n], "-no") != NULL;
        assert_int_equal(t.n_limits, normal ? 8 : 7);
        for (int i = 0; i < t.n_limits; i++) /* the prior sum > 0.059 eV is normal ordering's */
            assert_true(normal || !strstr(t.limits[i].name, "ordering prior"));
        assert_int_equal(t.ordering, normal ? FD_ORDERING_NORMAL : FD_ORDERING_INVERTED);
        for (int i = 0; i < t.n_measurements; i++) {
            const fd_measurement *m = &t.measurements[i];
            assert_true(m->lo < m->best && m->best < m->hi && m->plus > 0 && m->minus > 0 && m->source[0]);
            /* A misplaced digit would show: 1 sigma inside 3 sigma, and a width of six where the fit is nearly Gaussian. */
            double width = (m->hi - m->lo) / ((m->plus + m->minus) / 2);
            assert_true(m->best + m->plus < m->hi && m->best - m->minus > m->lo);
            if (strcmp(m->observable, "s23sq") != 0 && m->group != FD_GROUP_PHASE) assert_true(width > 5.7 && width < 6.7);
            if (m->group == FD_GROUP_MODULUS) assert_below(fabs(m->best - (m->lo + m->hi) / 2), 0.00051);
        }
        assert_true(find(&t, "dm3l_eV2")->best * (normal ? 1 : -1) > 2.4e-3 && find(&t, "dm3l_eV2")->label * (normal ? 1 : -1) > 0);
        /* The best fit itself lies inside the |U| windows. */
        assert_below(fabs(sqrt(find(&t, "s13sq")->best) - find(&t, "U_e3")->label), 0.003);
        fd_model *model = model_for(t.ordering);
        fd_judge *judge;
        assert_int_equal(fd_judge_create(model, &t, &judge, NULL), FD_OK);
        fd_judge_free(judge);
        fd_model_free(model);
    }
}

static void numbers_are_those_published(void **state) {
    (void)state;
    fd_target t;
    load("nufit-6.0-ic24-io", &t);
    const fd_measurement *m = find(&t, "dm3l_eV2");
    assert_true(m->best == -2.484e-3 && m->plus == 0.020e-3 && m->lo == -2.547e-3 && m->hi == -2.421e-3 && m->label == m->best);
    m = find(&t, "delta_rad");
    assert_below(fabs(m->best - 274 * TAU / 360) + fabs(m->plus - 22 * TAU / 360) + fabs(m->hi - 335 * TAU / 360), 1e-14);
    load("nufit-6.0-ic19-no", &t);
    m = find(&t, "s12sq");
    assert_true(m->best == 0.307 && m->plus == 0.012 && m->minus == 0.011 && m->lo == 0.275 && m->hi == 0.345);
    assert_true(find(&t, "delta_rad")->hi > TAU);
    assert_true(find(&t, "U_tau2")->lo == 0.483 && find(&t, "U_tau2")->hi == 0.690);
    load("paper-table1-no", &t);
    static const double printed[9] = {0.822, 0.550, 0.149, 0.377, 0.588, 0.704, 0.397, 0.579, 0.690};
    static const char *const names[9] = {"U_e1", "U_e2", "U_e3", "U_mu1", "U_mu2", "U_mu3", "U_tau1", "U_tau2", "U_tau3"};
    for (int i = 0; i < 9; i++) assert_true(find(&t, names[i])->label == printed[i]);
    m = find(&t, "dm21_eV2");
    assert_true(m->best == 7.41e-5 && m->label == 7.49e-5 && m->lo == 6.82e-5 && m->hi == 8.03e-5);
    m = find(&t, "dm3l_eV2");
    assert_true(m->best == 2.507e-3 && m->label == 2.51e-3);
    const fd_limit *l = find_limit(&t, "DESI DR2+CMB");
    assert_true(l->hi == 0.0642 && isinf(l->lo) && l->lo < 0 && l->confidence == 0.95 && !l->band);
    l = find_limit(&t, "KamLAND-Zen 2024");
    assert_true(l->lo == 0.028 && l->hi == 0.122 && l->band);
}

/* The |U| of NuFIT 6.1 are extremes of eq. (2.4) over the box of the three angles, delta anywhere. */
static void derived_moduli_can_be_recomputed(void **state) {
    (void)state;
    static const char *const names[9] = {"U_e1", "U_e2", "U_e3", "U_mu1", "U_mu2", "U_mu3", "U_tau1", "U_tau2", "U_tau3"};
    fd_target t;
    load("nufit-6.1-ic24-no", &t);
    const fd_measurement *angle[3] = {find(&t, "s12sq"), find(&t, "s13sq"), find(&t, "s23sq")};
    double lo[9], hi[9];
    for (int i = 0; i < 9; i++) {
        lo[i] = 1;
        hi[i] = 0;
    }
    enum { STEPS = 10 };
    for (int code = 0; code < (STEPS + 1) * (STEPS + 1) * (STEPS + 1) * 37; code++) {
        double s[3];
        int rest = code / 37;
        for (int k = 0; k < 3; k++, rest /= STEPS + 1)
            s[k] = sqrt(angle[k]->lo + (angle[k]->hi - angle[k]->lo) * (rest % (STEPS + 1)) / STEPS);
        double c[3] = {sqrt(1 - s[0] * s[0]), sqrt(1 - s[1] * s[1]), sqrt(1 - s[2] * s[2])};
        double complex e = cexp(I * (code % 37) * TAU / 36);
        double moduli[9] = {c[0] * c[1], s[0] * c[1], s[1], cabs(s[0] * c[2] + c[0] * s[2] * s[1] * e),
                            cabs(c[0] * c[2] - s[0] * s[2] * s[1] * e), s[2] * c[1], cabs(s[0] * s[2] - c[0] * c[2] * s[1] * e),
                            cabs(c[0] * s[2] + s[0] * c[2] * s[1] * e), c[2] * c[1]};
        for (int i = 0; i < 9; i++) {
            lo[i] = fmin(lo[i], moduli[i]);
            hi[i] = fmax(hi[i], moduli[i]);
        }
    }
    for (int i = 0; i < 9; i++) {
        assert_below(fabs(find(&t, names[i])->lo - lo[i]), 0.00006);
        assert_below(fabs(find(&t, names[i])->hi - hi[i]), 0.00006);
    }
}

/* ---- the judge -------------------------------------------------------------------------------------------------- */

typedef struct bench {
    fd_target target;
    fd_model *model;
    fd_judge *judge;
    double theta[N_PAR], o[N_OBS]; /* a point at the best fit */
} bench;

static void set_up(bench *b, const char *name) {
    load(name, &b->target);
    b->model = model_for(b->target.ordering);
    assert_int_equal(fd_judge_create(b->model, &b->target, &b->judge, NULL), FD_OK);
    memset(b->theta, 0, sizeof b->theta);
    b->theta[18] = b->theta[19] = 0.5;
    b->theta[20] = -2;
    memset(b->o, 0, sizeof b->o);
    for (int i = 0; i < b->target.n_measurements; i++)
        b->o[fd_model_observable(b->model, b->target.measurements[i].observable)] = b->target.measurements[i].best;
}

static void tear_down(bench *b) {
    fd_judge_free(b->judge);
    fd_model_free(b->model);
}

static void judge_by_hand(void **state) {
    (void)state;
    static const char *const sets[] = {"nufit-6.0-ic24-no", "nufit-6.0-ic24-io"};
    const uint8_t all = FD_FINITE | FD_IN_PRIOR | FD_MASSES | FD_ANGLES | FD_LABELS;
    for (int n = 0; n < 2; n++) {
        bench b;
        fd_chi2 c;
        set_up(&b, sets[n]);
        assert_int_equal(fd_judge_point(b.judge, b.theta, b.o, &c), all);
        assert_true(c.mass == 0 && c.mixing == 0 && c.all == 0 && c.five == 0);
        /* Two sigma up and one down, with the errors of their sides. */
        const fd_measurement *s23 = find(&b.target, "s23sq"), *dm = find(&b.target, "dm3l_eV2"), *e1 = find(&b.target, "U_e1");
        b.o[S23] = s23->best + 2 * s23->plus;
        b.o[DM3L] = dm->best - dm->minus;
        b.o[U] = e1->best + 3 * (e1->hi - e1->lo) / 6 * 0.99;
        assert_int_equal(fd_judge_point(b.judge, b.theta, b.o, &c), all);
        assert_below(fabs(c.mass - 1), 1e-12);
        assert_below(fabs(c.mixing - 9 * 0.99 * 0.99), 1e-9);
        assert_below(fabs(c.all - c.mass - c.mixing), 1e-12);
        assert_below(fabs(c.five - 5), 1e-12);
        /* Just outside, one window at a time; delta is never cut on. */
        b.o[DELTA] = 0.1;
        b.o[S23] = nextafter(s23->hi, 1);
        assert_int_equal(fd_judge_point(b.judge, b.theta, b.o, NULL), all & ~FD_ANGLES);
        b.o[S23] = s23->hi;
        b.o[DM3L] = nextafter(dm->lo, -1);
        assert_int_equal(fd_judge_point(b.judge, b.theta, b.o, NULL), all & ~(FD_MASSES | FD_LABELS));
        b.o[DM3L] = -dm->best; /* the other ordering's sign */
        assert_int_equal(fd_judge_point(b.judge, b.theta, b.o, NULL), all & ~(FD_MASSES | FD_LABELS));
        b.o[DM3L] = dm->best;
        b.o[U + 8] = find(&b.target, "U_tau3")->hi + 1e-9;
        assert_int_equal(fd_judge_point(b.judge, b.theta, b.o, NULL), all & ~FD_LABELS);
        b.theta[18] = 0.7; /* r1 > r2 */
        assert_int_equal(fd_judge_point(b.judge, b.theta, b.o, NULL), all & ~(FD_LABELS | FD_IN_PRIOR));
        b.theta[3] = NAN;
        assert_int_equal(fd_judge_point(b.judge, b.theta, b.o, &c), 0);
        assert_true(isinf(c.all) && isinf(c.five) && isinf(c.mass) && isinf(c.mixing));
        b.theta[3] = 0;
        b.o[DM21] = 0; /* no logarithm */
        assert_int_equal(fd_judge_point(b.judge, b.theta, b.o, &c), 0);
        b.o[DM21] = NAN;
        assert_int_equal(fd_judge_point(b.judge, b.theta, b.o, &c), 0);
        tear_down(&b);
    }
}

static void mismatches_are_refused(void **state) {
    (void)state;
    fd_target t;
    fd_error err;
    fd_judge *judge;
    load("nufit-6.0-ic24-no", &t);
    fd_model *normal = model_for(FD_ORDERING_NORMAL), *inverted = model_for(FD_ORDERING_INVERTED);
    assert_int_equal(fd_judge_create(inverted, &t, &judge, &err), FD_ERR_MISMATCH);
    assert_non_null(strstr(err.message, "inverted"));
    assert_null(judge);
    fd_target wrong = t;
    strcpy(wrong.measurements[3].observable, "theta13");
    assert_int_equal(fd_judge_create(normal, &wrong, &judge, &err), FD_ERR_MISMATCH);
    assert_non_null(strstr(err.message, "theta13"));
    wrong = t;
    wrong.n_measurements--; /* U_tau3 goes */
    assert_int_equal(fd_judge_create(normal, &wrong, &judge, &err), FD_ERR_MISMATCH);
    assert_non_null(strstr(err.message, "U_tau3"));
    wrong = t;
    wrong.measurements[0].label = 0;
    assert_int_equal(fd_judge_create(normal, &wrong, &judge, &err), FD_ERR_VALUE);
    for (fd_group g = FD_GROUP_MASS; g <= FD_GROUP_MODULUS; g++) { /* no measurement left that the group's flag could fail on */
        static const char *const names[] = {"'mass'", "'angle'", "'modulus'"};
        wrong = t;
        for (int i = 0; i < wrong.n_measurements; i++)
            if (wrong.measurements[i].group == g) wrong.measurements[i].group = FD_GROUP_PHASE;
        assert_int_equal(fd_judge_create(normal, &wrong, &judge, &err), FD_ERR_MISMATCH);
        assert_non_null(strstr(err.message, names[g]));
        assert_null(judge);
    }
    fd_judge_free(NULL);
    fd_model_free(normal);
    fd_model_free(inverted);
}

static void labels_of_the_network(void **state) {
    (void)state;
    for (int n = 0; n < N_SHIPPED; n++) {
        bench b;
        set_up(&b, shipped[n]);
        double central[N_LAB], label[N_LAB], again[N_LAB];
        assert_true(fd_judge_window_feasible(b.judge));
        fd_judge_central_label(b.judge, central);
        assert_below(fabs(central[0] - log10(find(&b.target, "dm21_eV2")->label)), 1e-14);
        assert_below(fabs(central[1] - log10(fabs(find(&b.target, "dm3l_eV2")->label))), 1e-14);
        assert_true(central[2] == find(&b.target, "U_e1")->label && central[10] == find(&b.target, "U_tau3")->label);
        double low = 9, high = 0;
        for (uint64_t item = 0; item < 3000; item++) {
            fd_rng rng;
            fd_rng_start(&rng, 50, FD_STREAM_LABEL, item, 0);
            fd_judge_window_label(b.judge, &rng, label);
            fd_rng_start(&rng, 50, FD_STREAM_LABEL, item, 0);
            fd_judge_window_label(b.judge, &rng, again);
            assert_memory_equal(label, again, sizeof label);
            for (int row = 0; row < 3; row++) { /* rows and columns of one unitary matrix */
                const double *r = label + 2 + 3 * row;
                assert_below(fabs(r[0] * r[0] + r[1] * r[1] + r[2] * r[2] - 1), 1e-14);
                const double *c = label + 2 + row;
                assert_below(fabs(c[0] * c[0] + c[3] * c[3] + c[6] * c[6] - 1), 1e-14);
            }
            /* Inside every window, as the judge sees it. */
            for (int i = 0; i < 9; i++) b.o[U + i] = label[2 + i];
            b.o[DM21] = pow(10, label[0]);
            b.o[DM3L] = pow(10, label[1]) * (b.target.ordering == FD_ORDERING_NORMAL ? 1 : -1);
            assert_true(fd_judge_point(b.judge, b.theta, b.o, NULL) & FD_LABELS);
            low = fmin(low, b.o[DM21]);
            high = fmax(high, b.o[DM21]);
        }
        const fd_measurement *m = find(&b.target, "dm21_eV2"); /* the draws fill the window */
        assert_true(low < m->lo + 0.01 * (m->hi - m->lo) && high > m->hi - 0.01 * (m->hi - m->lo));
        tear_down(&b);
    }
}

/* Labels of the global fit: each side of a best fit has its share and its spread, and the moduli are those of the angles. */
static void labels_of_the_global_fit(void **state) {
    (void)state;
    enum { N = 20000 };
    bench b;
    set_up(&b, "nufit-6.0-ic24-no");
    const fd_measurement *m = find(&b.target, "dm3l_eV2");
    double up = 0, above = 0, below = 0, s13 = 0;
    for (uint64_t item = 0; item < N; item++) {
        fd_rng rng;
        double label[N_LAB];
        fd_rng_start(&rng, 52, FD_STREAM_LABEL, item, 0);
        fd_judge_gaussian_label(b.judge, &rng, label);
        double off = pow(10, label[1]) - m->best;
        up += off > 0;
        *(off > 0 ? &above : &below) += off * off;
        s13 += label[4] * label[4];
        for (int row = 0; row < 3; row++) {
            const double *r = label + 2 + 3 * row;
            assert_below(fabs(r[0] * r[0] + r[1] * r[1] + r[2] * r[2] - 1), 1e-14);
        }
    }
    /* 5 standard errors: of a binomial fraction, of a mean square of a half normal (its relative variance is 2), of a mean. */
    double share = m->plus / (m->plus + m->minus);
    assert_below(fabs(up / N - share), 5 * 0.5 / sqrt(N));
    assert_below(fabs(sqrt(above / up) / m->plus - 1), 5 * sqrt(0.5 / (N * share)));
    assert_below(fabs(sqrt(below / (N - up)) / m->minus - 1), 5 * sqrt(0.5 / (N * (1 - share))));
    const fd_measurement *angle = find(&b.target, "s13sq");
    double mean = angle->best + sqrt(2 / M_PI) * (angle->plus - angle->minus);
    assert_below(fabs(s13 / N - mean), 5 * angle->plus / sqrt(N));
    tear_down(&b);
}

/* Windows that exclude each other are known beforehand, and must not hang the program. */
static void impossible_window_ends(void **state) {
    (void)state;
    bench b;
    fd_target t;
    fd_rng rng;
    double label[N_LAB];
    set_up(&b, "nufit-6.0-ic24-no");
    assert_true(fd_judge_window_feasible(b.judge));
    t = b.target;
    for (int i = 0; i < t.n_measurements; i++)
        if (strcmp(t.measurements[i].observable, "U_e1") == 0) {
            t.measurements[i].lo = 0.1;
            t.measurements[i].hi = 0.2;
        }
    fd_judge *judge;
    assert_int_equal(fd_judge_create(b.model, &t, &judge, NULL), FD_OK);
    fd_rng_start(&rng, 51, FD_STREAM_LABEL, 0, 0);
    fd_judge_window_label(judge, &rng, label);
    assert_false(fd_judge_window_feasible(judge));
    for (int i = 0; i < N_LAB; i++) assert_true(isnan(label[i]));
    fd_judge_free(judge);
    tear_down(&b);
}

/* ---- wrong files ------------------------------------------------------------------------------------------------ */

/* Writes a target file with one edit: the first `from` becomes `to`, or the file ends there when `to` is NULL. */
static void write_edited(const char *path, const char *text, const char *from, const char *to) {
    const char *at = strstr(text, from);
    assert_non_null(at);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fwrite(text, 1, (size_t)(at - text), f);
    if (to) fprintf(f, "%s%s", to, at + strlen(from));
    assert_int_equal(fclose(f), 0);
}

static int line_of(const char *text, const char *what) {
    int line = 1;
    for (const char *at = strstr(text, what); text < at; text++) line += *text == '\n';
    return line;
}

static void wrong_files_say_what_and_where(void **state) {
    (void)state;
    static const struct { const char *from, *to, *expect; int lines_below; } edits[] = {
        {"best: 0.308", "bets: 0.308", "unknown key", 0},
        {"best: 0.308", "best: abc", "a number", 0},
        {"best: 0.308", "best: nan", "not a finite number", 0},
        {"best: 0.308", "best: 1e999", "", 0},
        {"best: 0.308", "best: 0.4", "outside its own 3 sigma range", 0},
        {"best: 0.308, ", "", "'best' is missing", 0},
        {"lo: 0.275", "lo: inf", "not a finite number", 0},
        {"lo: 0.275", "lo: 0.9", "lo < hi", 0},
        {"plus: 0.012", "plus: -0.012", "positive", 0},
        {"group: angle", "group: angels", "mass, angle, modulus, phase", 0},
        {"group: angle", "group: phase", "write angle", 0},
        {"group: modulus", "group: angle", "write modulus", 0},
        {"group: mass", "group: modulus", "write mass", 0},
        {"group: phase", "group: angle", "write phase", 0},
        {"observable: s12sq", "observable: sum_m_eV", "give it as a limit", 0},
        {"best: -2.484e-3, plus: 0.020e-3, minus: 0.020e-3, lo: -2.547e-3, hi: -2.421e-3",
         "best: 2.484e-3, plus: 0.020e-3, minus: 0.020e-3, lo: 2.421e-3, hi: 2.547e-3",
         "Δm²32 of inverted ordering is negative", 0},
        {"hi: -2.421e-3", "hi: 2.421e-3", "Δm²32 of inverted ordering is negative", 0},
        {"lo: 6.92e-5", "lo: -6.92e-5", "contains 0", 0},
        {"ordering: inverted\n", "ordering: normal\n", "Δm²31 of normal ordering is positive", 6},
        {"unit: deg", "unit: eV", "does not fit", 0},
        {"observable: s13sq", "observable: s12sq", "measured twice", 0},
        {"lo: -2.547e-3", "lo: -2.547e-3, hi: 1", "given twice", 0},
        {"ordering: inverted", "ordering: up", "normal, inverted", 0},
        {"ordering: inverted\n", "", "'ordering' is missing", -100},
        {"name: nufit", "nmae: nufit", "unknown key", 0},
        {"confidence: 0.95", "confidence: 95", "between 0 and 1", 0},
        {"hi: 0.12, ", "", "lo, hi or both", 0},
        {"name: KamLAND-Zen 2024", "name: KamLAND-Zen 2022", "there twice", 0},
        {"{observable: s13sq", NULL, "", -100},
        {"observable: s13sq", NULL, "", -100},
        {"name: nufit", NULL, "empty", -100},
        {"measurements:", NULL, "'measurements' is missing", -100},
        {"limits:", "limits: [\n", "not valid YAML", -100},
        {"hi: 0.45", "\thi: @0.45", "not valid YAML", 0},
    };
    const char *folder = getenv("FLAVORDIFF_TARGETS") ? getenv("FLAVORDIFF_TARGETS") : FD_SOURCE_DIR "/targets";
    char shipped_path[4096], path[] = "/tmp/flavordiff-target-XXXXXX.yaml", where[64];
    snprintf(shipped_path, sizeof shipped_path, "%s/nufit-6.0-ic24-io.yaml", folder);
    char *text;
    size_t length;
    assert_int_equal(fd_read_text(shipped_path, 1 << 20, &text, &length, NULL), FD_OK);
    int handle = mkstemps(path, 5);
    assert_true(handle >= 0);
    close(handle);
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        fd_target before, t;
        fd_error err = {0};
        memset(&before, 7, sizeof before);
        t = before;
        write_edited(path, text, edits[i].from, edits[i].to);
        fd_status status = fd_target_load(path, &t, &err);
        if (status == FD_OK) fail_msg("accepted with '%s' for '%s'", edits[i].to ? edits[i].to : "(end)", edits[i].from);
        assert_memory_equal(&t, &before, sizeof t);
        if (edits[i].lines_below == -100)
            snprintf(where, sizeof where, "%s:", path);
        else
            snprintf(where, sizeof where, "%s:%d: ", path,
                     line_of(text, edits[i].from) + edits[i].lines_below);
        if (strncmp(err.message, where, strlen(where)) != 0 || !strstr(err.message, edits[i].expect) ||
            strchr(err.message, '\n'))
            fail_msg("edit '%s': expected '%s' with '%s', got '%s'", edits[i].to ? edits[i].to : "(end)", where,
                     edits[i].expect, err.message);
    }
    unlink(path);
    free(text);
}

static void missing_files_say_where_was_looked(void **state) {
    (void)state;
    fd_target t;
    fd_error err;
    assert_int_equal(fd_target_load("nufit-7.0", &t, &err), FD_ERR_FILE);
    assert_non_null(strstr(err.message, "nufit-7.0"));
    assert_non_null(strstr(err.message, "FLAVORDIFF_TARGETS"));
    assert_int_equal(fd_target_load("/nowhere/x.yaml", &t, &err), FD_ERR_FILE);
    assert_non_null(strstr(err.message, "/nowhere/x.yaml"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shipped_sets_are_consistent), cmocka_unit_test(numbers_are_those_published),
        cmocka_unit_test(derived_moduli_can_be_recomputed), cmocka_unit_test(judge_by_hand),
        cmocka_unit_test(mismatches_are_refused), cmocka_unit_test(labels_of_the_network),
        cmocka_unit_test(labels_of_the_global_fit), cmocka_unit_test(impossible_window_ends), cmocka_unit_test(wrong_files_say_what_and_where),
        cmocka_unit_test(missing_files_say_where_was_looked)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
