#include "physics/seesaw.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/constants.h"

/* ---- names, units, prior ---------------------------------------------------------------------------------- */

/* Ranges of eqs. (2.17), (2.18). That of k is filled in by seesaw_create(). */
static const fd_param param_table[SEESAW_PARAMS] = {
    {"re_Y_1e", "\\mathrm{Re}\\,Y_{1e}", "1", "real part of the neutrino Yukawa Y[1][e]", -1, 1, false, 0},
    {"re_Y_1mu", "\\mathrm{Re}\\,Y_{1\\mu}", "1", "real part of the neutrino Yukawa Y[1][mu]", -1, 1, false, 0},
    {"re_Y_1tau", "\\mathrm{Re}\\,Y_{1\\tau}", "1", "real part of the neutrino Yukawa Y[1][tau]", -1, 1, false, 0},
    {"re_Y_2e", "\\mathrm{Re}\\,Y_{2e}", "1", "real part of the neutrino Yukawa Y[2][e]", -1, 1, false, 0},
    {"re_Y_2mu", "\\mathrm{Re}\\,Y_{2\\mu}", "1", "real part of the neutrino Yukawa Y[2][mu]", -1, 1, false, 0},
    {"re_Y_2tau", "\\mathrm{Re}\\,Y_{2\\tau}", "1", "real part of the neutrino Yukawa Y[2][tau]", -1, 1, false, 0},
    {"re_Y_3e", "\\mathrm{Re}\\,Y_{3e}", "1", "real part of the neutrino Yukawa Y[3][e]", -1, 1, false, 0},
    {"re_Y_3mu", "\\mathrm{Re}\\,Y_{3\\mu}", "1", "real part of the neutrino Yukawa Y[3][mu]", -1, 1, false, 0},
    {"re_Y_3tau", "\\mathrm{Re}\\,Y_{3\\tau}", "1", "real part of the neutrino Yukawa Y[3][tau]", -1, 1, false, 0},
    {"im_Y_1e", "\\mathrm{Im}\\,Y_{1e}", "1", "imaginary part of the neutrino Yukawa Y[1][e]", -1, 1, false, 0},
    {"im_Y_1mu", "\\mathrm{Im}\\,Y_{1\\mu}", "1", "imaginary part of the neutrino Yukawa Y[1][mu]", -1, 1, false, 0},
    {"im_Y_1tau", "\\mathrm{Im}\\,Y_{1\\tau}", "1", "imaginary part of the neutrino Yukawa Y[1][tau]", -1, 1, false, 0},
    {"im_Y_2e", "\\mathrm{Im}\\,Y_{2e}", "1", "imaginary part of the neutrino Yukawa Y[2][e]", -1, 1, false, 0},
    {"im_Y_2mu", "\\mathrm{Im}\\,Y_{2\\mu}", "1", "imaginary part of the neutrino Yukawa Y[2][mu]", -1, 1, false, 0},
    {"im_Y_2tau", "\\mathrm{Im}\\,Y_{2\\tau}", "1", "imaginary part of the neutrino Yukawa Y[2][tau]", -1, 1, false, 0},
    {"im_Y_3e", "\\mathrm{Im}\\,Y_{3e}", "1", "imaginary part of the neutrino Yukawa Y[3][e]", -1, 1, false, 0},
    {"im_Y_3mu", "\\mathrm{Im}\\,Y_{3\\mu}", "1", "imaginary part of the neutrino Yukawa Y[3][mu]", -1, 1, false, 0},
    {"im_Y_3tau", "\\mathrm{Im}\\,Y_{3\\tau}", "1", "imaginary part of the neutrino Yukawa Y[3][tau]", -1, 1, false, 0},
    {"r1", "|M_1|/M_3", "1", "mass of the first heavy state over the third; the prior has r1 <= r2", 1e-5, 1, false, 3},
    {"r2", "|M_2|/M_3", "1", "mass of the second heavy state over the third", 1e-5, 1, false, 3},
    {"k", "\\log_{10}(\\langle H\\rangle^2/M_3\\,[\\mathrm{eV}])", "dex", "logarithm of the seesaw scale <H>^2/M3 in eV",
     0, 0, false, 3},
    {"arg_M1", "\\arg M_1", "rad", "phase of the first heavy Majorana mass", -FD_PI, FD_PI, true, 3},
    {"arg_M2", "\\arg M_2", "rad", "phase of the second heavy Majorana mass", -FD_PI, FD_PI, true, 3},
};

static const fd_observable observable_table[SEESAW_OBSERVABLES] = {
    {"m1_eV", "m_1", "eV", "mass of nu1", false, false},
    {"m2_eV", "m_2", "eV", "mass of nu2", false, false},
    {"m3_eV", "m_3", "eV", "mass of nu3", false, false},
    {"dm21_eV2", "\\Delta m^2_{21}", "eV2", "m2^2 - m1^2", false, true},
    {"dm3l_eV2", "\\Delta m^2_{3\\ell}", "eV2", "m3^2 - m1^2 (normal) or m3^2 - m2^2 < 0 (inverted ordering)", false, true},
    {"s12sq", "\\sin^2\\theta_{12}", "1", "|Ue2|^2 / (1 - |Ue3|^2)", false, true},
    {"s13sq", "\\sin^2\\theta_{13}", "1", "|Ue3|^2", false, true},
    {"s23sq", "\\sin^2\\theta_{23}", "1", "|Umu3|^2 / (1 - |Ue3|^2)", false, true},
    {"delta_rad", "\\delta_\\mathrm{CP}", "rad", "Dirac phase", true, true},
    {"alpha21_rad", "\\alpha_{21}", "rad", "Majorana phase of nu2", true, false},
    {"alpha31_rad", "\\alpha_{31}", "rad", "Majorana phase of nu3", true, false},
    {"eta_rad", "\\eta", "rad", "alpha31 - 2 delta, the phase of the m3 term of m_bb", true, false},
    {"jarlskog", "J_\\mathrm{CP}", "1", "Jarlskog invariant Im(Ue1 Umu2 Ue2* Umu1*)", false, true},
    {"sum_m_eV", "\\sum m_i", "eV", "m1 + m2 + m3", false, false},
    {"mbb_eV", "\\langle m_{\\beta\\beta}\\rangle", "eV", "effective mass of neutrinoless double beta decay, |(m_nu)_ee|", false, false},
    {"mnue_eV", "m_{\\nu_e}", "eV", "effective mass of tritium beta decay", false, false},
    {"U_e1", "|U_{e1}|", "1", "modulus of the mixing matrix element, row e, column 1", false, true},
    {"U_e2", "|U_{e2}|", "1", "modulus of the mixing matrix element, row e, column 2", false, true},
    {"U_e3", "|U_{e3}|", "1", "modulus of the mixing matrix element, row e, column 3", false, true},
    {"U_mu1", "|U_{\\mu1}|", "1", "modulus of the mixing matrix element, row mu, column 1", false, true},
    {"U_mu2", "|U_{\\mu2}|", "1", "modulus of the mixing matrix element, row mu, column 2", false, true},
    {"U_mu3", "|U_{\\mu3}|", "1", "modulus of the mixing matrix element, row mu, column 3", false, true},
    {"U_tau1", "|U_{\\tau1}|", "1", "modulus of the mixing matrix element, row tau, column 1", false, true},
    {"U_tau2", "|U_{\\tau2}|", "1", "modulus of the mixing matrix element, row tau, column 2", false, true},
    {"U_tau3", "|U_{\\tau3}|", "1", "modulus of the mixing matrix element, row tau, column 3", false, true},
    {"M1_GeV", "|M_1|", "GeV", "modulus of the first heavy mass", false, false},
    {"M2_GeV", "|M_2|", "GeV", "modulus of the second heavy mass", false, false},
    {"M3_GeV", "M_3", "GeV", "third heavy mass, vev^2 / 10^k", false, false},
    {"yukawa_digits", "\\mathrm{digits}(Y)", "1", "round(log10(max/min)) over the 18 absolute values of Re Y, Im Y", false, false},
};

static const fd_label label_table[SEESAW_LABELS] = {
    {"log10_dm21_eV2", SEESAW_DM21, true}, {"log10_dm3l_eV2", SEESAW_DM3L, true},
    {"U_e1", SEESAW_U + 0, false},   {"U_e2", SEESAW_U + 1, false},   {"U_e3", SEESAW_U + 2, false},
    {"U_mu1", SEESAW_U + 3, false},  {"U_mu2", SEESAW_U + 4, false},  {"U_mu3", SEESAW_U + 5, false},
    {"U_tau1", SEESAW_U + 6, false}, {"U_tau2", SEESAW_U + 7, false}, {"U_tau3", SEESAW_U + 8, false},
};

static const int ordered_pairs[1][2] = {{SEESAW_R1, SEESAW_R2}};

/* 10^k is a factor of the light masses, and 1 / 10^k of the heavy ones. */
static const double scale_slopes[SEESAW_OBSERVABLES] = {
    [SEESAW_M1] = 1, [SEESAW_M2] = 1, [SEESAW_M3] = 1, [SEESAW_DM21] = 2, [SEESAW_DM3L] = 2,
    [SEESAW_SUM] = 1, [SEESAW_MBB] = 1, [SEESAW_MNUE] = 1,
    [SEESAW_HEAVY] = -1, [SEESAW_HEAVY + 1] = -1, [SEESAW_HEAVY + 2] = -1,
};

/* Y[i][a] times i^turns, exactly. */
static void quarter_turns(double *theta, int element, unsigned turns) {
    double *re = &theta[element], *im = &theta[9 + element];
    for (; turns > 0; turns--) {
        double old = *re;
        *re = -*im;
        *im = old;
    }
}

/* x in [lo, hi] with density proportional to e^{rate x}, rate > 0. */
static double exponential_between(fd_rng *rng, double rate, double lo, double hi) {
    double u = fd_rng_uniform(rng);
    return hi > lo ? hi + log(u + (1 - u) * exp(rate * (lo - hi))) / rate : 0;
}

static double largest_part(const double *theta, int first, int n) {
    double most = 1e-300;
    for (int e = first; e < first + n; e++) most = fmax(most, fmax(fabs(theta[e]), fabs(theta[9 + e])));
    return most;
}

static void scale_parts(double *theta, int first, int n, double factor) {
    for (int e = first; e < first + n; e++) {
        theta[e] = fmax(-1, fmin(1, theta[e] * factor));
        theta[9 + e] = fmax(-1, fmin(1, theta[9 + e] * factor));
    }
}

/* Y -> e^x Y, k -> k - 2 x / ln 10 leaves m_nu; the volume of the 18 components grows as e^{18 x}. */
static void overall_scale(const fd_model *model, fd_rng *rng, double *theta) {
    const double rate = 2 / 2.302585092994045684018;
    const fd_param *k = &model->params[SEESAW_K];
    double hi = fmin(-log(largest_part(theta, 0, 9)), (theta[SEESAW_K] - k->lo) / rate);
    double lo = (theta[SEESAW_K] - k->hi) / rate;
    double x = exponential_between(rng, 18, lo, hi);
    scale_parts(theta, 0, 9, exp(x));
    theta[SEESAW_K] = fmax(k->lo, fmin(k->hi, theta[SEESAW_K] - rate * x));
}

/* Y_i -> e^x Y_i, r_i -> e^{2x} r_i leaves m_nu; the volume grows as e^{6x} e^{2x}. */
static void row_scale(const fd_model *model, fd_rng *rng, double *theta, int i) {
    double *r = &theta[SEESAW_R1 + i];
    double least = i == 0 ? model->params[SEESAW_R1].lo : theta[SEESAW_R1], most = i == 0 ? theta[SEESAW_R2] : 1;
    double hi = fmin(-log(largest_part(theta, 3 * i, 3)), 0.5 * log(most / *r)), lo = 0.5 * log(least / *r);
    double x = exponential_between(rng, 8, lo, hi);
    scale_parts(theta, 3 * i, 3, exp(x));
    *r = fmax(least, fmin(most, *r * exp(2 * x)));
}

/* Elements first, first + step, first + 2 step times e^{i phase}; false, and nothing done, when one leaves the cube. */
static bool rotate(double *theta, int first, int step, double phase) {
    double turned[6], c = cos(phase), s = sin(phase);
    for (int n = 0; n < 3; n++) {
        double re = theta[first + n * step], im = theta[9 + first + n * step];
        turned[n] = c * re - s * im;
        turned[3 + n] = s * re + c * im;
        if (!(fabs(turned[n]) <= 1 && fabs(turned[3 + n]) <= 1)) return false;
    }
    for (int n = 0; n < 3; n++) {
        theta[first + n * step] = turned[n];
        theta[9 + first + n * step] = turned[3 + n];
    }
    return true;
}

enum { PHASE_TRIES = 16 }; /* whoever has no luck keeps the phase, which is as reversible as a move */

/* Y_i -> e^{ip} Y_i, arg M_i -> arg M_i + 2 p leaves m_nu. */
static void row_phase(fd_rng *rng, double *theta, int i) {
    const double pi = 3.14159265358979323846;
    for (int n = 0; n < PHASE_TRIES; n++) {
        double phase = 2 * pi * fd_rng_uniform(rng), *arg = &theta[SEESAW_ARG1 + i];
        if (!rotate(theta, 3 * i, 1, phase)) continue;
        *arg += 2 * phase;
        *arg -= 2 * pi * floor((*arg + pi) / (2 * pi));
        return;
    }
}

/* Y_ia -> e^{ip} Y_ia for all i rephases row a of U: no observable changes. */
static void column_phase(fd_rng *rng, double *theta, int a) {
    for (int n = 0; n < PHASE_TRIES; n++)
        if (rotate(theta, a, 3, 2 * 3.14159265358979323846 * fd_rng_uniform(rng))) return;
}

/* A Gibbs move along everything that leaves the labels: first an element of the discrete symmetries, then the continuous ones
 * one after the other, each drawn from the prior's law along its orbit.
 *
 * Quarter turns are the phases that keep the cube |Re Y|, |Im Y| <= 1 (and half turns, where a Majorana phase is fixed):
 *   a column of Y by i^c          rephases a row of U: no observable changes
 *   row 1 or 2 of Y by i^c        with arg M_i -> arg M_i + c pi: m_nu does not change; row 3 by half turns, M3 being real
 *   all of G complex conjugated   U -> U*: the CP phases change sign, the moduli do not. */
static void random_symmetry(const fd_model *model, fd_rng *rng, double *theta) {
    const double pi = 3.14159265358979323846;
    bool phases = model->n_params == SEESAW_PARAMS;
    uint32_t bits = fd_rng_u32(rng);
    unsigned column[3], row[3];
    for (int i = 0; i < 3; i++) {
        column[i] = bits >> (2 * i) & 3;
        row[i] = bits >> (6 + 2 * i) & (phases && i < 2 ? 3 : 2);
    }
    for (int i = 0; i < 9; i++) quarter_turns(theta, i, (row[i / 3] + column[i % 3]) % 4);
    bool conjugate = bits >> 12 & 1;
    for (int i = 0; conjugate && i < 9; i++) theta[9 + i] = -theta[9 + i];
    for (int i = 0; phases && i < 2; i++) {
        double *arg = &theta[SEESAW_ARG1 + i];
        if (row[i] & 1) *arg += *arg < 0 ? pi : -pi;
        if (conjugate && *arg > -pi) *arg = -*arg;
    }
    overall_scale(model, rng, theta);
    for (int i = 0; i < 2; i++) row_scale(model, rng, theta, i);
    for (int i = 0; phases && i < 2; i++) row_phase(rng, theta, i);
    for (int a = 0; a < 3; a++) column_phase(rng, theta, a);
}

/* A quarter turn of one complex element: (Re, Im) -> (-Im, Re). */
static void turn_element(int element, int *source, float *sign) {
    int re = source[element];
    float re_sign = sign[element];
    source[element] = source[9 + element];
    sign[element] = -sign[9 + element];
    source[9 + element] = re;
    sign[9 + element] = re_sign;
}

/* Y_3a within 45 degrees of the positive real axis by quarter turns of the columns; sum of Re Y_1a and of Re Y_2a >= 0 by the
 * signs of those rows; arg M1 >= 0 (without Majorana phases: sum of Im Y_1a >= 0) by conjugation. The other symmetries move
 * arg M_i by pi, which is no isometry of noise on a line. */
static void orient(const fd_model *model, const float *x, int *source, float *sign) {
    for (int j = 0; j < model->n_params; j++) {
        source[j] = j;
        sign[j] = 1;
    }
    for (int a = 0; a < 3; a++) {
        float re = x[6 + a], im = x[15 + a];
        int turns = fabsf(re) >= fabsf(im) ? (re >= 0 ? 0 : 2) : im >= 0 ? 3 : 1;
        for (int i = 0; i < 3; i++)
            for (int turn = 0; turn < turns; turn++) turn_element(3 * i + a, source, sign);
    }
    for (int i = 0; i < 2; i++) {
        float sum = 0;
        for (int e = 3 * i; e < 3 * i + 3; e++) sum += sign[e] * x[source[e]];
        for (int e = 3 * i; sum < 0 && e < 3 * i + 3; e++) {
            sign[e] = -sign[e];
            sign[9 + e] = -sign[9 + e];
        }
    }
    float upper = model->n_params == SEESAW_PARAMS ? x[SEESAW_ARG1] : 0;
    for (int e = 9; model->n_params != SEESAW_PARAMS && e < 12; e++) upper += sign[e] * x[source[e]];
    for (int j = 9; upper < 0 && j < model->n_params; j++)
        if (j < 18 || j >= SEESAW_ARG1) sign[j] = -sign[j];
}

static void draw_prior(const fd_model *model, fd_rng *rng, double *theta) {
    for (int i = 0; i < model->n_params; i++) {
        const fd_param *p = &model->params[i];
        theta[i] = p->lo + (p->hi - p->lo) * fd_rng_uniform(rng);
    }
    if (theta[SEESAW_R1] > theta[SEESAW_R2]) {
        double r = theta[SEESAW_R1];
        theta[SEESAW_R1] = theta[SEESAW_R2];
        theta[SEESAW_R2] = r;
    }
}

static bool in_prior(const fd_model *model, const double *theta) {
    for (int i = 0; i < model->n_params; i++)
        if (!(theta[i] >= model->params[i].lo && theta[i] <= model->params[i].hi)) return false;
    return theta[SEESAW_R1] <= theta[SEESAW_R2];
}

static void destroy(fd_model *model) { free(model); }

static fd_status check(const fd_model_options *o, fd_error *err) {
    if (o->ordering != FD_ORDERING_NORMAL && o->ordering != FD_ORDERING_INVERTED)
        return fd_fail(err, FD_ERR_CONFIG, "model ordering %d is neither normal nor inverted", (int)o->ordering);
    if (o->phases != FD_PHASES_TAKAGI && o->phases != FD_PHASES_PAPER)
        return fd_fail(err, FD_ERR_CONFIG, "model phases %d are neither takagi nor paper", (int)o->phases);
    if (o->scale != FD_SCALE_MEV && o->scale != FD_SCALE_AS_PRINTED)
        return fd_fail(err, FD_ERR_CONFIG, "model scale %d is neither mev nor as-printed", (int)o->scale);
    if (!(o->vev_GeV > 0 && isfinite(o->vev_GeV)))
        return fd_fail(err, FD_ERR_CONFIG, "model vev %g GeV is not a positive number; the paper's is 246", o->vev_GeV);
    return FD_OK;
}

fd_status seesaw_create(const fd_model_options *options, fd_model **model, fd_error *err) {
    fd_status status = check(options, err);
    if (status) return status;
    seesaw_model *s = calloc(1, sizeof *s);
    if (!s) return fd_fail(err, FD_ERR_MEMORY, "out of memory");
    memcpy(s->params, param_table, sizeof param_table);
    s->params[SEESAW_K].lo = options->scale == FD_SCALE_AS_PRINTED ? -1.22 : -4.22;
    s->params[SEESAW_K].hi = options->scale == FD_SCALE_AS_PRINTED ? 2.78 : -0.22;
    for (int j = 0; j < 3; j++) s->column[j] = options->ordering == FD_ORDERING_NORMAL ? j : (j + 1) % 3;
    for (int i = 0; i < SEESAW_PARAMS; i++) s->unit[i] = 1;
    s->setting = (seesaw_setting){.inverted = options->ordering == FD_ORDERING_INVERTED,
                                  .n_params = options->real_majorana ? SEESAW_ARG1 : SEESAW_PARAMS,
                                  .heavy = options->vev_GeV * options->vev_GeV * 1e9,
                                  .unit = s->unit};
    seesaw_prepare_orbits(s);
    s->base = (fd_model){
        .name = "seesaw",
        .options = *options,
        .n_params = options->real_majorana ? SEESAW_ARG1 : SEESAW_PARAMS,
        .n_labels = SEESAW_LABELS,
        .n_observables = SEESAW_OBSERVABLES,
        .params = s->params,
        .labels = label_table,
        .observables = observable_table,
        .n_ordered = 1,
        .ordered = ordered_pairs,
        .draw_prior = draw_prior,
        .random_symmetry = random_symmetry,
        .orient = orient,
        .in_prior = in_prior,
        .forward = seesaw_forward,
        .derivatives = seesaw_derivatives,
        .n_surface = SEESAW_SURFACE,
        .surface = seesaw_surface,
        .approach = seesaw_approach,
        .approach_lanes = seesaw_approach_lanes,
        .surface_observables = seesaw_surface_observables,
        .approach_reaches_further = options->ordering == FD_ORDERING_INVERTED, /* docs/method.md */
        .scale_param = SEESAW_K,
        .scale_slopes = scale_slopes,
        .draw_region = seesaw_draw_region,
        .destroy = destroy,
    };
    *model = &s->base;
    return FD_OK;
}
