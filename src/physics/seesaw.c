#include "physics/seesaw.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/constants.h"

/* ---- names, units, prior ---------------------------------------------------------------------------------- */

/* Ranges of eqs. (2.17), (2.18). That of k is filled in by seesaw_create(). */
static const fd_param param_table[SEESAW_PARAMS] = {
    {"re_Y_1e", "\\mathrm{Re}\\,Y_{1e}", "1", "real part of the neutrino Yukawa Y[1][e]", -1, 1, false},
    {"re_Y_1mu", "\\mathrm{Re}\\,Y_{1\\mu}", "1", "real part of the neutrino Yukawa Y[1][mu]", -1, 1, false},
    {"re_Y_1tau", "\\mathrm{Re}\\,Y_{1\\tau}", "1", "real part of the neutrino Yukawa Y[1][tau]", -1, 1, false},
    {"re_Y_2e", "\\mathrm{Re}\\,Y_{2e}", "1", "real part of the neutrino Yukawa Y[2][e]", -1, 1, false},
    {"re_Y_2mu", "\\mathrm{Re}\\,Y_{2\\mu}", "1", "real part of the neutrino Yukawa Y[2][mu]", -1, 1, false},
    {"re_Y_2tau", "\\mathrm{Re}\\,Y_{2\\tau}", "1", "real part of the neutrino Yukawa Y[2][tau]", -1, 1, false},
    {"re_Y_3e", "\\mathrm{Re}\\,Y_{3e}", "1", "real part of the neutrino Yukawa Y[3][e]", -1, 1, false},
    {"re_Y_3mu", "\\mathrm{Re}\\,Y_{3\\mu}", "1", "real part of the neutrino Yukawa Y[3][mu]", -1, 1, false},
    {"re_Y_3tau", "\\mathrm{Re}\\,Y_{3\\tau}", "1", "real part of the neutrino Yukawa Y[3][tau]", -1, 1, false},
    {"im_Y_1e", "\\mathrm{Im}\\,Y_{1e}", "1", "imaginary part of the neutrino Yukawa Y[1][e]", -1, 1, false},
    {"im_Y_1mu", "\\mathrm{Im}\\,Y_{1\\mu}", "1", "imaginary part of the neutrino Yukawa Y[1][mu]", -1, 1, false},
    {"im_Y_1tau", "\\mathrm{Im}\\,Y_{1\\tau}", "1", "imaginary part of the neutrino Yukawa Y[1][tau]", -1, 1, false},
    {"im_Y_2e", "\\mathrm{Im}\\,Y_{2e}", "1", "imaginary part of the neutrino Yukawa Y[2][e]", -1, 1, false},
    {"im_Y_2mu", "\\mathrm{Im}\\,Y_{2\\mu}", "1", "imaginary part of the neutrino Yukawa Y[2][mu]", -1, 1, false},
    {"im_Y_2tau", "\\mathrm{Im}\\,Y_{2\\tau}", "1", "imaginary part of the neutrino Yukawa Y[2][tau]", -1, 1, false},
    {"im_Y_3e", "\\mathrm{Im}\\,Y_{3e}", "1", "imaginary part of the neutrino Yukawa Y[3][e]", -1, 1, false},
    {"im_Y_3mu", "\\mathrm{Im}\\,Y_{3\\mu}", "1", "imaginary part of the neutrino Yukawa Y[3][mu]", -1, 1, false},
    {"im_Y_3tau", "\\mathrm{Im}\\,Y_{3\\tau}", "1", "imaginary part of the neutrino Yukawa Y[3][tau]", -1, 1, false},
    {"r1", "|M_1|/M_3", "1", "mass of the first heavy state over the third; the prior has r1 <= r2", 1e-5, 1, false},
    {"r2", "|M_2|/M_3", "1", "mass of the second heavy state over the third", 1e-5, 1, false},
    {"k", "\\log_{10}(\\langle H\\rangle^2/M_3\\,[\\mathrm{eV}])", "dex", "logarithm of the seesaw scale <H>^2/M3 in eV",
     0, 0, false},
    {"arg_M1", "\\arg M_1", "rad", "phase of the first heavy Majorana mass", -FD_PI, FD_PI, true},
    {"arg_M2", "\\arg M_2", "rad", "phase of the second heavy Majorana mass", -FD_PI, FD_PI, true},
};

static const fd_observable observable_table[SEESAW_OBSERVABLES] = {
    {"m1_eV", "m_1", "eV", "mass of nu1", false},
    {"m2_eV", "m_2", "eV", "mass of nu2", false},
    {"m3_eV", "m_3", "eV", "mass of nu3", false},
    {"dm21_eV2", "\\Delta m^2_{21}", "eV2", "m2^2 - m1^2", false},
    {"dm3l_eV2", "\\Delta m^2_{3\\ell}", "eV2", "m3^2 - m1^2 (normal) or m3^2 - m2^2 < 0 (inverted ordering)", false},
    {"s12sq", "\\sin^2\\theta_{12}", "1", "|Ue2|^2 / (1 - |Ue3|^2)", false},
    {"s13sq", "\\sin^2\\theta_{13}", "1", "|Ue3|^2", false},
    {"s23sq", "\\sin^2\\theta_{23}", "1", "|Umu3|^2 / (1 - |Ue3|^2)", false},
    {"delta_rad", "\\delta_\\mathrm{CP}", "rad", "Dirac phase", true},
    {"alpha21_rad", "\\alpha_{21}", "rad", "Majorana phase of nu2", true},
    {"alpha31_rad", "\\alpha_{31}", "rad", "Majorana phase of nu3", true},
    {"eta_rad", "\\eta", "rad", "alpha31 - 2 delta, the phase of the m3 term of m_bb", true},
    {"jarlskog", "J_\\mathrm{CP}", "1", "Jarlskog invariant Im(Ue1 Umu2 Ue2* Umu1*)", false},
    {"sum_m_eV", "\\sum m_i", "eV", "m1 + m2 + m3", false},
    {"mbb_eV", "\\langle m_{\\beta\\beta}\\rangle", "eV", "effective mass of neutrinoless double beta decay, |(m_nu)_ee|", false},
    {"mnue_eV", "m_{\\nu_e}", "eV", "effective mass of tritium beta decay", false},
    {"U_e1", "|U_{e1}|", "1", "modulus of the mixing matrix element, row e, column 1", false},
    {"U_e2", "|U_{e2}|", "1", "modulus of the mixing matrix element, row e, column 2", false},
    {"U_e3", "|U_{e3}|", "1", "modulus of the mixing matrix element, row e, column 3", false},
    {"U_mu1", "|U_{\\mu1}|", "1", "modulus of the mixing matrix element, row mu, column 1", false},
    {"U_mu2", "|U_{\\mu2}|", "1", "modulus of the mixing matrix element, row mu, column 2", false},
    {"U_mu3", "|U_{\\mu3}|", "1", "modulus of the mixing matrix element, row mu, column 3", false},
    {"U_tau1", "|U_{\\tau1}|", "1", "modulus of the mixing matrix element, row tau, column 1", false},
    {"U_tau2", "|U_{\\tau2}|", "1", "modulus of the mixing matrix element, row tau, column 2", false},
    {"U_tau3", "|U_{\\tau3}|", "1", "modulus of the mixing matrix element, row tau, column 3", false},
    {"M1_GeV", "|M_1|", "GeV", "modulus of the first heavy mass", false},
    {"M2_GeV", "|M_2|", "GeV", "modulus of the second heavy mass", false},
    {"M3_GeV", "M_3", "GeV", "third heavy mass, vev^2 / 10^k", false},
    {"yukawa_digits", "\\mathrm{digits}(Y)", "1", "round(log10(max/min)) over the 18 absolute values of Re Y, Im Y", false},
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

/* Quarter turns are the phases that keep the cube |Re Y|, |Im Y| <= 1 (and half turns, where a Majorana phase is fixed):
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
        .in_prior = in_prior,
        .forward = seesaw_forward,
        .derivatives = seesaw_derivatives,
        .scale_param = SEESAW_K,
        .scale_slopes = scale_slopes,
        .draw_region = seesaw_draw_region,
        .destroy = destroy,
    };
    *model = &s->base;
    return FD_OK;
}
