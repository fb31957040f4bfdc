#include "io/config_keys.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the table ------------------------------------------------------------------------------------------------- */

#define AT(field) offsetof(fd_config, field)
#define TEXT(key, field) {.name = key, .kind = FD_KEY_TEXT, .offset = AT(field), .room = sizeof((fd_config *)0)->field}
#define BOOL(key, field) {.name = key, .kind = FD_KEY_BOOL, .offset = AT(field)}
#define NUMBER(key, type, field, low, high) {.name = key, .kind = type, .offset = AT(field), .lo = low, .hi = high}
#define INT(key, field, low, high) NUMBER(key, FD_KEY_INT, field, low, high)
#define U64(key, field, low, high) NUMBER(key, FD_KEY_U64, field, low, high)
#define REAL(key, field, low, high) NUMBER(key, FD_KEY_REAL, field, low, high)
/* Real with both ends left out, or the lower one only, or the upper one only. */
#define INSIDE(key, field, low, high)                                                                                  \
    {.name = key, .kind = FD_KEY_REAL, .offset = AT(field), .lo = low, .hi = high, .open_lo = true, .open_hi = true}
#define ABOVE(key, field, low, high)                                                                                   \
    {.name = key, .kind = FD_KEY_REAL, .offset = AT(field), .lo = low, .hi = high, .open_lo = true}
#define BELOW(key, field, low, high)                                                                                   \
    {.name = key, .kind = FD_KEY_REAL, .offset = AT(field), .lo = low, .hi = high, .open_hi = true}
#define CHOICE(key, field, list) {.name = key, .kind = FD_KEY_CHOICE, .offset = AT(field), .choices = list}
#define EITHER(key, field, list) {.name = key, .kind = FD_KEY_CHOICE_BOOL, .offset = AT(field), .choices = list}
#define BLOCK(key, list) {.name = key, .kind = FD_KEY_BLOCK, .rows = list}
#define END {.kind = FD_KEY_END}

static const double most = 1e300, counts = 9007199254740992.0 /* 2^53 */;

static const fd_key_choice phases[] = {{"takagi", FD_PHASES_TAKAGI}, {"paper", FD_PHASES_PAPER}, {NULL, 0}};
static const fd_key_choice scales[] = {{"mev", FD_SCALE_MEV}, {"as-printed", FD_SCALE_AS_PRINTED}, {NULL, 0}};
static const fd_key_choice activations[] = {
    {"identity", FD_IDENTITY}, {"selu", FD_SELU}, {"tanh", FD_TANH}, {"silu", FD_SILU}, {NULL, 0}};
static const fd_key_choice param_scalings[] = {
    {"none", FD_SCALING_NONE}, {"box", FD_SCALING_BOX}, {"standard", FD_SCALING_STANDARD}, {NULL, 0}};
static const fd_key_choice label_scalings[] = {{"none", 0}, {"standard", 1}, {NULL, 0}};
static const fd_key_choice schedules[] = {
    {"linear", FD_SCHEDULE_LINEAR}, {"cosine", FD_SCHEDULE_COSINE}, {"log_snr", FD_SCHEDULE_LOG_SNR}, {NULL, 0}};
static const fd_key_choice samplers[] = {{"ddpm", FD_SAMPLER_DDPM},
                                         {"ddim", FD_SAMPLER_DDIM},
                                         {"dpmpp_2m", FD_SAMPLER_DPMPP_2M},
                                         {"dpmpp_2m_sde", FD_SAMPLER_DPMPP_2M_SDE},
                                         {"heun", FD_SAMPLER_HEUN},
                                         {NULL, 0}};
static const fd_key_choice grids[] = {
    {"uniform_t", FD_GRID_UNIFORM_T}, {"log_snr", FD_GRID_LOG_SNR}, {"karras", FD_GRID_KARRAS}, {NULL, 0}};
static const fd_key_choice variances[] = {
    {"beta", FD_VARIANCE_BETA}, {"beta_tilde", FD_VARIANCE_BETA_TILDE}, {NULL, 0}};
static const fd_key_choice precisions[] = {{"float32", FD_FLOAT32}, {"bf16", FD_BF16}, {NULL, 0}};
static const fd_key_choice labels[] = {
    {"central", FD_LABEL_CENTRAL}, {"window", FD_LABEL_WINDOW}, {"values", FD_LABEL_VALUES},
    {"gaussian", FD_LABEL_GAUSSIAN}, {NULL, 0}};

static const fd_key_choice cuts[] = {
    {"all", FD_CUTS_ALL}, {"masses", FD_CUTS_MASSES}, {"none", FD_CUTS_NONE}, {0}};
static const fd_key_choice methods[] = {
    {"orbit", FD_REFERENCE_ORBIT}, {"rejection", FD_REFERENCE_REJECTION}, {"mcmc", FD_REFERENCE_MCMC}, {NULL, 0}};
static const fd_key_choice likelihoods[] = {
    {"window", FD_LIKELIHOOD_WINDOW}, {"gaussian", FD_LIKELIHOOD_GAUSSIAN}, {NULL, 0}};

static const fd_key model_keys[] = {
    TEXT("kind", model.kind),
    CHOICE("phases", model.phases, phases),
    CHOICE("scale", model.scale, scales),
    BOOL("real_majorana", model.real_majorana),
    ABOVE("vev_GeV", model.vev_GeV, 0, 1e6),
    END,
};

static const fd_key simulate_keys[] = {
    U64("pairs", simulate.pairs, 1, counts),
    ABOVE("train_fraction", simulate.train_fraction, 0, 1),
    U64("scan", simulate.scan, 0, counts),
    END,
};

static const fd_key network_keys[] = {
    {.name = "widths", .kind = FD_KEY_INTS, .offset = AT(network.widths), .lo = 1, .hi = FD_MAX_WIDTH,
     .room = FD_MAX_HIDDEN, .count = AT(network.n_hidden)},
    {.name = "activations", .kind = FD_KEY_CHOICES, .offset = AT(network.activations), .choices = activations,
     .room = FD_MAX_HIDDEN, .count = AT(network.n_hidden)},
    CHOICE("parameters", network.params, param_scalings),
    EITHER("labels", network.standard_labels, label_scalings),
    END,
};

#define DIFFUSION_KEYS(s)                                                                                              \
    CHOICE("schedule", s.kind, schedules), INT("steps", s.steps, 1, 100000), INSIDE("beta_min", s.beta_min, 0, 1),     \
        INSIDE("beta_max", s.beta_max, 0, 1), REAL("s_min", s.s_min, FD_LEAST_S, FD_MOST_S),                           \
        REAL("s_max", s.s_max, FD_LEAST_S, FD_MOST_S), END
static const fd_key diffusion_keys[] = {DIFFUSION_KEYS(diffusion)};

#define TRAIN_KEYS(s)                                                                                                  \
    INT("batch", s.batch, 1, 65536), NUMBER("updates", FD_KEY_LONG, s.updates, 1, 1e12),                               \
        ABOVE("max_rate", s.max_rate, 0, 10), INSIDE("warmup", s.warmup, 0, 1), REAL("div", s.div, 1, 1e12),           \
        REAL("final_div", s.final_div, 1, 1e12), BOOL("cycle_momentum", s.cycle_momentum),                             \
        BELOW("beta1_min", s.beta1_min, 0, 1), BELOW("beta1_max", s.beta1_max, 0, 1), BELOW("beta2", s.beta2, 0, 1),   \
        ABOVE("epsilon", s.epsilon, 0, 1), REAL("label_drop", s.label_drop, 0, 1),                                     \
        BELOW("ema_decay", s.ema_decay, 0, 1), CHOICE("precision", s.precision, precisions)

static const fd_key train_keys[] = {TRAIN_KEYS(train), BOOL("use_ema", train_use_ema), END};
static const fd_key tune_keys[] = {
    INT("rounds", tune_rounds, 0, FD_MAX_ROUNDS),
    INT("frozen_layers", tune.frozen_layers, 0, FD_MAX_HIDDEN),
    TRAIN_KEYS(tune),
    END,
};

#define SAMPLER_KEYS(s)                                                                                                \
    CHOICE("kind", s.kind, samplers), INT("steps", s.steps, 1, 100000), REAL("eta", s.eta, 0, 1),                      \
        CHOICE("variance", s.variance, variances), CHOICE("grid", s.grid, grids), ABOVE("rho", s.rho, 0, 100),         \
        BOOL("clip", s.clip), END
static const fd_key select_sampler[] = {SAMPLER_KEYS(select.generate.sampler)};
static const fd_key before_sampler[] = {SAMPLER_KEYS(before.generate.sampler)};
static const fd_key sample_sampler[] = {SAMPLER_KEYS(sample.generate.sampler)};

#define LABEL_KEYS(s)                                                                                                  \
    REAL("guidance", s.gamma, -1e6, 1e6), REAL("guidance_s_min", s.guidance_s_min, 0, FD_MOST_S),                      \
        ABOVE("guidance_s_max", s.guidance_s_max, 0, INFINITY), BOOL("symmetries", s.symmetries),                      \
        CHOICE("precision", s.precision, precisions), CHOICE("label", s.label, labels), {                                                                            \
        .name = "label_values", .kind = FD_KEY_REALS, .offset = AT(s.label_values), .lo = -most, .hi = most,           \
        .room = FD_MAX_LABELS, .count = AT(s.n_label_values)                                                           \
    }
#define PROJECT_KEYS(s)                                                                                                \
    INT("steps", s.steps, 0, 10000), ABOVE("trust", s.trust, 0, 1e6), ABOVE("tolerance", s.tolerance, 0, 1), END
static const fd_key select_project[] = {PROJECT_KEYS(select.generate.project)};
static const fd_key before_project[] = {PROJECT_KEYS(before.generate.project)};
static const fd_key sample_project[] = {PROJECT_KEYS(sample.generate.project)};

/* A sampler whose steps are not given takes all steps of the schedule. */
#define GENERATE_KEYS(s, sampler_rows, project_rows)                                                                   \
    {.name = "sampler", .kind = FD_KEY_BLOCK, .rows = sampler_rows, .offset = AT(s.sampler.steps),                     \
     .inherited = sizeof(int), .from = AT(diffusion.steps)},                                                           \
        BLOCK("project", project_rows), LABEL_KEYS(s)

static const fd_key select_keys[] = {
    U64("wanted", select.wanted, 1, counts),
    U64("max_generated", select.max_generated, 1, counts),
    ABOVE("chi2_all", select.chi2_all, 0, INFINITY),
    ABOVE("chi2_mass", select.chi2_mass, 0, INFINITY),
    ABOVE("chi2_mixing", select.chi2_mixing, 0, INFINITY),
    GENERATE_KEYS(select.generate, select_sampler, select_project),
    END,
};

#define SAMPLE_KEYS(s, least, sampler_rows, project_rows)                                                              \
    U64("n", s.n, least, counts), U64("until", s.until, 0, counts), REAL("until_ess", s.until_ess, 0, 1e15),           \
        U64("max_generated", s.max_generated, 1, counts), REAL("keep_chi2_below", s.keep_chi2_below, 0, INFINITY),     \
        GENERATE_KEYS(s.generate, sampler_rows, project_rows), END
static const fd_key before_keys[] = {SAMPLE_KEYS(before, 0, before_sampler, before_project)};
static const fd_key sample_keys[] = {SAMPLE_KEYS(sample, 1, sample_sampler, sample_project)};

static const fd_key_choice predictions[] = {
    {"noise", FD_PREDICT_NOISE}, {"x0", FD_PREDICT_X0}, {"v", FD_PREDICT_V}, {NULL, 0}};
static const fd_key_choice draws[] = {{"region", FD_DRAWS_REGION}, {"prior", FD_DRAWS_PRIOR}, {NULL, 0}};
static const fd_key informed_network[] = {
    INT("width", informed.width, 1, FD_MAX_WIDTH),
    INT("hidden", informed.hidden, 1, FD_MAX_HIDDEN - 1),
    INT("last", informed.last, 0, FD_MAX_WIDTH),
    END,
};
static const fd_key informed_told[] = {
    CHOICE("prediction", informed.told.prediction, predictions),
    BOOL("oriented", informed.told.oriented),
    BOOL("guess", informed.told.guess),
    INT("label_steps", informed.told.label_steps, 0, 2),
    BOOL("smooth", informed.told.smooth),
    INT("waves", informed.told.waves, 0, 64),
    ABOVE("regularisation", informed.told.regularisation, 0, 1),
    ABOVE("clip", informed.told.clip, 0, 1000),
    BELOW("margin", informed.told.margin, 0, 1),
    ABOVE("fade", informed.told.fade, 0, INFINITY),
    ABOVE("trust", informed.told.trust, 0, 1e6),
    REAL("trust_floor", informed.told.trust_floor, 0, 1e6),
    END,
};
static const fd_key informed_diffusion[] = {DIFFUSION_KEYS(informed.diffusion)};
static const fd_key informed_train[] = {TRAIN_KEYS(informed.train), BOOL("use_ema", informed.use_ema),
                                        REAL("noise_mean", informed.train.noise_mean, -100, 100),
                                        REAL("noise_spread", informed.train.noise_spread, 0, 100), END};
static const fd_key informed_draws[] = {
    CHOICE("from", informed.draws, draws),
    REAL("widen", informed.widen, 1, 1000),
    ABOVE("cluster", informed.cluster, 0, 1000),
    U64("pool", informed.pool, 0, 1e9),
    U64("validation", informed.validation, 0, 1e6),
    END,
};
static const fd_key informed_project[] = {PROJECT_KEYS(informed.sample.generate.project)};
static const fd_key informed_sampler[] = {SAMPLER_KEYS(informed.sample.generate.sampler)};
static const fd_key informed_sample[] = {
    U64("n", informed.sample.n, 1, counts),
    U64("until", informed.sample.until, 0, counts),
    REAL("until_ess", informed.sample.until_ess, 0, 1e15),
    U64("max_generated", informed.sample.max_generated, 1, counts),
    REAL("keep_chi2_below", informed.sample.keep_chi2_below, 0, INFINITY),
    BLOCK("sampler", informed_sampler),
    BLOCK("project", informed_project),
    LABEL_KEYS(informed.sample.generate),
    END,
};
static const fd_key informed_keys[] = {
    BOOL("enabled", informed.enabled),
    U64("reference", informed.reference, 0, counts),
    BLOCK("network", informed_network),
    BLOCK("told", informed_told),
    BLOCK("diffusion", informed_diffusion),
    BLOCK("draws", informed_draws),
    BLOCK("train", informed_train),
    BLOCK("sample", informed_sample),
    END,
};

static const fd_key reference_keys[] = {
    U64("n", reference.n, 1, counts),
    CHOICE("method", reference.method, methods),
    ABOVE("cluster", reference.cluster, 0, 1000),
    CHOICE("cuts", reference.cuts, cuts),
    CHOICE("likelihood", reference.likelihood, likelihoods),
    INT("chains", reference.chains, 2, 65536),
    INT("burn_in", reference.burn_in, 0, 1000000000),
    U64("steps", reference.steps, 1, 1000000000),
    END,
};
static const fd_key exact_keys[] = {
    U64("n", exact.n, 0, counts),
    INT("burn_in", exact.burn_in, 0, 1000000),
    INT("steps", exact.steps, 1, 1000000),
    U64("max_steps", exact.max_steps, 1, 1000000000),
    END,
};

static const fd_key calibrate_keys[] = {
    U64("draws", calibrate.draws, 10, 1000000),
    INT("samples", calibrate.samples, 1, 1023),
    END,
};

static const fd_key distortion_keys[] = {
    {.name = "gammas", .kind = FD_KEY_REALS, .offset = AT(distortion.gammas), .lo = -1e6, .hi = 1e6, .room = FD_MAX_GAMMAS,
     .count = AT(distortion.n_gammas)},
    U64("n", distortion.n, 1, counts),
    U64("draws", distortion.draws, 10, 1000000),
    END,
};

/* Order matters: a block that inherits comes after the one it inherits from. */
const fd_key fd_config_keys[] = {
    TEXT("name", name),
    U64("seed", seed, 0, 18446744073709551615.0),
    TEXT("target", target),
    BOOL("paper", paper),
    BLOCK("model", model_keys),
    BLOCK("simulate", simulate_keys),
    BLOCK("network", network_keys),
    BLOCK("diffusion", diffusion_keys),
    BLOCK("train", train_keys),
    BLOCK("before", before_keys),
    BLOCK("select", select_keys),
    {.name = "tune", .kind = FD_KEY_BLOCK, .rows = tune_keys, .offset = AT(tune), .inherited = sizeof(fd_train_spec),
     .from = AT(train)},
    BLOCK("sample", sample_keys),
    BLOCK("informed", informed_keys),
    BLOCK("reference", reference_keys),
    BLOCK("calibrate", calibrate_keys),
    BLOCK("distortion", distortion_keys),
    BLOCK("exact", exact_keys),
    END,
};

/* ---- values ------------------------------------------------------------------------------------------------------ */

static void list_choices(const fd_key_choice *choices, char *text, size_t room) {
    size_t used = 0;
    for (const fd_key_choice *c = choices; c->name && used < room; c++)
        used += (size_t)snprintf(text + used, room - used, "%s%s", used ? ", " : "", c->name);
}

void fd_key_allowed(const fd_key *key, char *text, size_t room) {
    bool whole = key->kind == FD_KEY_INT || key->kind == FD_KEY_LONG || key->kind == FD_KEY_U64 ||
                 key->kind == FD_KEY_INTS;
    const char *what = whole ? "a whole number" : "a number";
    static const char *const upper[2][2] = {{"to", "to less than"}, {"and at most", "and less than"}};
    if (key->choices)
        list_choices(key->choices, text, room);
    else if (key->kind == FD_KEY_BOOL)
        snprintf(text, room, "true, false");
    else if (key->kind == FD_KEY_TEXT)
        snprintf(text, room, "1 to %zu printable characters", key->room - 1);
    else if (key->lo <= -most)
        snprintf(text, room, "a finite number");
    else if (key->open_lo && isinf(key->hi))
        snprintf(text, room, "%s more than %.10g (.inf: no limit)", what, key->lo);
    else if (isinf(key->hi))
        snprintf(text, room, "%s of at least %.10g (.inf: no limit)", what, key->lo);
    else
        snprintf(text, room, "%s %s %.10g %s %.10g", what, key->open_lo ? "more than" : "from", key->lo,
                 upper[key->open_lo][key->open_hi], key->hi);
}

static bool parse_real(const char *text, double *value) {
    if (strcmp(text, ".inf") == 0 || strcmp(text, "+.inf") == 0 || strcmp(text, "inf") == 0) {
        *value = INFINITY;
        return true;
    }
    if (!*text || strspn(text, "0123456789+-.eE") != strlen(text)) return false; /* strtod also takes hex, nan, spaces */
    char *end;
    *value = strtod(text, &end);
    return *end == '\0' && isfinite(*value);
}

/* Whole numbers as people write them: 30000000, 3e7, 1.5e3. Digits alone are exact to 64 bits. */
static bool parse_whole(const char *text, uint64_t *value) {
    if (*text && strspn(text, "0123456789") == strlen(text)) {
        char *end;
        errno = 0;
        unsigned long long whole = strtoull(text, &end, 10);
        *value = whole;
        return errno == 0;
    }
    double real;
    if (!parse_real(text, &real) || real != floor(real) || real < 0 || real > counts) return false;
    *value = (uint64_t)real;
    return true;
}

static bool in_range(const fd_key *key, double x) {
    return (key->open_lo ? x > key->lo : x >= key->lo) && (key->open_hi ? x < key->hi : x <= key->hi);
}

static bool parse_choice(const fd_key *key, const char *text, int *value) {
    for (const fd_key_choice *c = key->choices; c->name; c++)
        if (strcmp(text, c->name) == 0) {
            *value = c->value;
            return true;
        }
    return false;
}

static bool parse_bool(const char *text, bool *value) {
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on"};
    for (int i = 0; i < 6; i++)
        if (strcmp(text, words[i]) == 0) {
            *value = i & 1;
            return true;
        }
    return false;
}

static bool parse_text(const char *text, char *to, size_t room) {
    size_t n = strlen(text);
    if (n == 0 || n >= room) return false;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)text[i] < ' ' || text[i] == 127) return false;
    memcpy(to, text, n + 1);
    return true;
}

bool fd_key_parse(const fd_key *key, const char *text, int i, fd_config *config) {
    char *place = (char *)config + key->offset;
    uint64_t whole = 0;
    double real = 0;
    int choice = 0;
    switch (key->kind) {
    case FD_KEY_TEXT: return parse_text(text, place, key->room);
    case FD_KEY_BOOL: return parse_bool(text, (bool *)place);
    case FD_KEY_INT:
    case FD_KEY_INTS:
        if (!parse_whole(text, &whole) || whole > INT_MAX || !in_range(key, (double)whole)) return false;
        ((int *)place)[i] = (int)whole;
        return true;
    case FD_KEY_LONG:
        if (!parse_whole(text, &whole) || whole > LONG_MAX || !in_range(key, (double)whole)) return false;
        *(long *)place = (long)whole;
        return true;
    case FD_KEY_U64:
        if (!parse_whole(text, &whole) || !in_range(key, (double)whole)) return false;
        *(uint64_t *)place = whole;
        return true;
    case FD_KEY_REAL:
    case FD_KEY_REALS:
        if (!parse_real(text, &real) || !in_range(key, real)) return false;
        ((double *)place)[i] = real;
        return true;
    case FD_KEY_CHOICE:
    case FD_KEY_CHOICES:
        if (!parse_choice(key, text, &choice)) return false;
        ((int *)place)[i] = choice; /* every enum here is as wide as an int */
        return true;
    case FD_KEY_CHOICE_BOOL:
        if (!parse_choice(key, text, &choice)) return false;
        *(bool *)place = choice != 0;
        return true;
    default: return false;
    }
}

_Static_assert(sizeof(fd_activation) == sizeof(int) && sizeof(fd_label_choice) == sizeof(int) &&
                   sizeof(fd_schedule_kind) == sizeof(int) && sizeof(fd_grid) == sizeof(int),
               "enums are stored as ints");
