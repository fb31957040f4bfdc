/* Target sets from YAML (docs/targets.md). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/constants.h"
#include "flavordiff/files.h"
#include "io/yaml.h"

enum { MAX_BYTES = 1 << 20, PATH_LENGTH = 4096 };

/* ---- what the file says ------------------------------------------------------------------------------------ */

typedef enum unit { UNIT_ONE, UNIT_EV, UNIT_EV2, UNIT_GEV, UNIT_RAD, UNIT_DEG } unit;

typedef struct raw_measurement { /* NULL: not given */
    char *observable, *source;
    fd_group group;
    unit unit;
    double *best, *plus, *minus, *label;
    double lo, hi;
} raw_measurement;

typedef struct raw_limit {
    char *name, *observable, *source;
    unit unit;
    double *lo, *hi;
    double confidence;
    bool band;
} raw_limit;

typedef struct raw_target {
    char *name, *title, *source;
    fd_ordering ordering;
    raw_measurement *measurements;
    raw_limit *limits;
    uint32_t measurements_count, limits_count;
} raw_target;

static const cyaml_strval_t units[] = {{"1", UNIT_ONE},     {"eV", UNIT_EV},   {"eV2", UNIT_EV2},
                                       {"GeV", UNIT_GEV}, {"rad", UNIT_RAD}, {"deg", UNIT_DEG}};
static const cyaml_strval_t groups[] = {
    {"mass", FD_GROUP_MASS}, {"angle", FD_GROUP_ANGLE}, {"modulus", FD_GROUP_MODULUS}, {"phase", FD_GROUP_PHASE}};
static const cyaml_strval_t orderings[] = {{"normal", FD_ORDERING_NORMAL}, {"inverted", FD_ORDERING_INVERTED}};

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
/* A text of a raw struct that must fit the member of the same name in the public one. */
#define TEXT(key, raw, public, member, flags) \
    CYAML_FIELD_STRING_PTR(key, CYAML_FLAG_POINTER | (flags), raw, member, 1, sizeof(((public *)0)->member) - 1)

static const cyaml_schema_field_t measurement_fields[] = {
    TEXT("observable", raw_measurement, fd_measurement, observable, 0),
    CYAML_FIELD_ENUM("group", CYAML_FLAG_STRICT, raw_measurement, group, groups, COUNT(groups)),
    CYAML_FIELD_ENUM("unit", CYAML_FLAG_STRICT, raw_measurement, unit, units, COUNT(units)),
    CYAML_FIELD_FLOAT_PTR("best", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, raw_measurement, best),
    CYAML_FIELD_FLOAT_PTR("plus", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, raw_measurement, plus),
    CYAML_FIELD_FLOAT_PTR("minus", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, raw_measurement, minus),
    CYAML_FIELD_FLOAT("lo", CYAML_FLAG_DEFAULT, raw_measurement, lo),
    CYAML_FIELD_FLOAT("hi", CYAML_FLAG_DEFAULT, raw_measurement, hi),
    CYAML_FIELD_FLOAT_PTR("label", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, raw_measurement, label),
    TEXT("source", raw_measurement, fd_measurement, source, CYAML_FLAG_OPTIONAL),
    CYAML_FIELD_END};
static const cyaml_schema_value_t measurement_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, raw_measurement, measurement_fields)};

static const cyaml_schema_field_t limit_fields[] = {
    TEXT("name", raw_limit, fd_limit, name, 0),
    TEXT("observable", raw_limit, fd_limit, observable, 0),
    CYAML_FIELD_ENUM("unit", CYAML_FLAG_STRICT, raw_limit, unit, units, COUNT(units)),
    CYAML_FIELD_FLOAT_PTR("lo", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, raw_limit, lo),
    CYAML_FIELD_FLOAT_PTR("hi", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, raw_limit, hi),
    CYAML_FIELD_FLOAT("confidence", CYAML_FLAG_DEFAULT, raw_limit, confidence),
    CYAML_FIELD_BOOL("band", CYAML_FLAG_OPTIONAL, raw_limit, band),
    TEXT("source", raw_limit, fd_limit, source, 0),
    CYAML_FIELD_END};
static const cyaml_schema_value_t limit_schema = {CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, raw_limit, limit_fields)};

static const cyaml_schema_field_t target_fields[] = {
    TEXT("name", raw_target, fd_target, name, 0),
    TEXT("title", raw_target, fd_target, title, 0),
    TEXT("source", raw_target, fd_target, source, 0),
    CYAML_FIELD_ENUM("ordering", CYAML_FLAG_STRICT, raw_target, ordering, orderings, COUNT(orderings)),
    CYAML_FIELD_SEQUENCE("measurements", CYAML_FLAG_POINTER, raw_target, measurements, &measurement_schema, 1,
                         FD_MAX_MEASUREMENTS),
    CYAML_FIELD_SEQUENCE("limits", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, raw_target, limits, &limit_schema, 0,
                         FD_MAX_LIMITS),
    CYAML_FIELD_END};
static const cyaml_schema_value_t target_schema = {CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, raw_target, target_fields)};

/* ---- checks ----------------------------------------------------------------------------------------------------- */

typedef struct source_text { /* for messages */
    const char *path, *text;
    size_t length;
    fd_error *err;
} source_text;

#define REFUSE(where, place, ...) \
    fd_yaml_fail((where)->err, FD_ERR_CONFIG, (where)->path, (where)->text, (where)->length, place, __VA_ARGS__)

static const char *place_of(char place[64], const char *list, uint32_t entry, const char *key) {
    snprintf(place, 64, "%s[%u]%s%s", list, (unsigned)entry + 1, key ? "." : "", key ? key : "");
    return place;
}

static bool ends_with(const char *name, const char *tail) {
    size_t n = strlen(name), t = strlen(tail);
    return n >= t && strcmp(name + n - t, tail) == 0;
}

/* The unit the name of an observable promises. */
static bool unit_fits(const char *observable, unit u) {
    if (ends_with(observable, "_rad")) return u == UNIT_RAD || u == UNIT_DEG;
    if (ends_with(observable, "_eV2")) return u == UNIT_EV2;
    if (ends_with(observable, "_eV")) return u == UNIT_EV;
    if (ends_with(observable, "_GeV")) return u == UNIT_GEV;
    return u == UNIT_ONE;
}

static fd_status check_unit(const source_text *where, const char *list, uint32_t entry, const char *observable, unit u) {
    char place[64];
    if (unit_fits(observable, u)) return FD_OK;
    return REFUSE(where, place_of(place, list, entry, "unit"), "'%s' does not fit '%s'; its name ends in its unit",
                  units[u].str, observable);
}

/* What the name of an observable says it counts for. Names of a further model that follow none of these get a row. */
static int group_of(const char *observable) {
    static const struct { const char *head, *tail; size_t length; fd_group group; } rules[] = { /* 0: any length */
        {"dm", "_eV2", 0, FD_GROUP_MASS}, {"s", "sq", 5, FD_GROUP_ANGLE}, {"U_", "", 0, FD_GROUP_MODULUS},
        {"", "_rad", 0, FD_GROUP_PHASE}};
    for (size_t i = 0; i < COUNT(rules); i++)
        if (strncmp(observable, rules[i].head, strlen(rules[i].head)) == 0 && ends_with(observable, rules[i].tail) &&
            (!rules[i].length || strlen(observable) == rules[i].length))
            return rules[i].group;
    return -1;
}

/* A measurement in the wrong group would be cut on, or counted in chi^2, as something that it is not. */
static fd_status check_group(const source_text *where, const raw_measurement *m, uint32_t i) {
    char place[64];
    int group = group_of(m->observable);
    if (group == (int)m->group) return FD_OK;
    if (group < 0)
        return REFUSE(where, place_of(place, "measurements", i, "observable"),
                      "'%s' belongs to no group (dm*_eV2, s??sq, U_* and *_rad do); give it as a limit", m->observable);
    return REFUSE(where, place_of(place, "measurements", i, "group"), "'%s' does not fit '%s'; write %s",
                  groups[m->group].str, m->observable, groups[group].str);
}

/* dm3l is dm31 > 0 in normal and dm32 < 0 in inverted ordering. */
static fd_status check_sign(const source_text *where, const raw_target *raw, uint32_t i) {
    const raw_measurement *m = &raw->measurements[i];
    char place[64];
    if (strcmp(m->observable, "dm3l_eV2") != 0) return FD_OK;
    if (raw->ordering == FD_ORDERING_NORMAL && !(m->lo > 0))
        return REFUSE(where, place_of(place, "measurements", i, "lo"),
                      "Δm²31 of normal ordering is positive, got lo = %g; change the sign or the ordering", m->lo);
    if (raw->ordering == FD_ORDERING_INVERTED && !(m->hi < 0))
        return REFUSE(where, place_of(place, "measurements", i, "hi"),
                      "Δm²32 of inverted ordering is negative, got hi = %g; change the sign or the ordering", m->hi);
    return FD_OK;
}

static fd_status check_number(const source_text *where, const char *list, uint32_t entry, const char *key,
                              const double *value) {
    char place[64];
    if (!value || isfinite(*value)) return FD_OK;
    return REFUSE(where, place_of(place, list, entry, key), "%g is not a finite number", *value);
}

static fd_status check_measurement(const source_text *where, const raw_target *raw, uint32_t i) {
    static const char list[] = "measurements";
    const raw_measurement *m = &raw->measurements[i];
    const struct { const char *key; const double *value; } numbers[] = {
        {"best", m->best}, {"plus", m->plus}, {"minus", m->minus}, {"lo", &m->lo}, {"hi", &m->hi}, {"label", m->label}};
    char place[64];
    fd_status status = check_group(where, m, i);
    if (!status) status = check_unit(where, list, i, m->observable, m->unit);
    for (size_t k = 0; k < COUNT(numbers) && !status; k++)
        status = check_number(where, list, i, numbers[k].key, numbers[k].value);
    if (status) return status;
    for (uint32_t k = 0; k < i; k++)
        if (strcmp(raw->measurements[k].observable, m->observable) == 0)
            return REFUSE(where, place_of(place, list, i, "observable"), "'%s' is measured twice; keep one", m->observable);
    if (!(m->lo < m->hi))
        return REFUSE(where, place_of(place, list, i, "lo"), "the 3 sigma range needs lo < hi, got %g and %g", m->lo, m->hi);
    for (size_t k = 0; k < 3; k++)
        if (!numbers[k].value && m->group != FD_GROUP_MODULUS)
            return REFUSE(where, place_of(place, list, i, NULL), "the key '%s' is missing; only a modulus may leave it out",
                          numbers[k].key);
    for (size_t k = 1; k < 3; k++)
        if (numbers[k].value && !(*numbers[k].value > 0))
            return REFUSE(where, place_of(place, list, i, numbers[k].key), "an error is positive, got %g", *numbers[k].value);
    if (m->best && !(*m->best >= m->lo && *m->best <= m->hi))
        return REFUSE(where, place_of(place, list, i, "best"), "%g is outside its own 3 sigma range [%g, %g]", *m->best,
                      m->lo, m->hi);
    status = check_sign(where, raw, i);
    if (!status && ends_with(m->observable, "_eV2") && m->lo <= 0 && m->hi >= 0)
        return REFUSE(where, place_of(place, list, i, "lo"), "the range [%g, %g] of a mass-squared difference contains 0",
                      m->lo, m->hi);
    return status;
}

static fd_status check_limit(const source_text *where, const raw_target *raw, uint32_t i) {
    static const char list[] = "limits";
    const raw_limit *l = &raw->limits[i];
    char place[64];
    fd_status status = check_unit(where, list, i, l->observable, l->unit);
    if (!status) status = check_number(where, list, i, "lo", l->lo);
    if (!status) status = check_number(where, list, i, "hi", l->hi);
    if (status) return status;
    for (uint32_t k = 0; k < i; k++)
        if (strcmp(raw->limits[k].name, l->name) == 0)
            return REFUSE(where, place_of(place, list, i, "name"), "'%s' is there twice; rename one", l->name);
    if (!l->lo && !l->hi) return REFUSE(where, place_of(place, list, i, NULL), "a limit needs lo, hi or both");
    if (l->lo && l->hi && !(*l->lo < *l->hi))
        return REFUSE(where, place_of(place, list, i, "lo"), "a limit needs lo < hi, got %g and %g", *l->lo, *l->hi);
    if (l->band && !(l->lo && l->hi))
        return REFUSE(where, place_of(place, list, i, "band"), "a band of published limits needs both lo and hi");
    if (!(l->confidence > 0 && l->confidence < 1))
        return REFUSE(where, place_of(place, list, i, "confidence"), "%g is not between 0 and 1", l->confidence);
    return FD_OK;
}

/* ---- into the public structs --------------------------------------------------------------------------------- */

/* The schema has made sure that the text fits. */
#define COPY(to, from) snprintf(to, sizeof(to), "%s", from)

static double factor_of(unit u) { return u == UNIT_DEG ? FD_PI / 180 : 1; }

static void convert_measurement(const raw_target *raw, const raw_measurement *m, fd_measurement *out) {
    double f = factor_of(m->unit), best = m->best ? *m->best : (m->lo + m->hi) / 2, sixth = (m->hi - m->lo) / 6;
    COPY(out->observable, m->observable);
    COPY(out->source, m->source ? m->source : raw->source);
    out->group = m->group;
    out->best = f * best;
    out->plus = f * (m->plus ? *m->plus : sixth);
    out->minus = f * (m->minus ? *m->minus : sixth);
    out->lo = f * m->lo;
    out->hi = f * m->hi;
    out->label = f * (m->label ? *m->label : best);
}

static void convert_limit(const raw_limit *l, fd_limit *out) {
    double f = factor_of(l->unit);
    COPY(out->name, l->name);
    COPY(out->observable, l->observable);
    COPY(out->source, l->source);
    out->lo = l->lo ? f * *l->lo : -INFINITY;
    out->hi = l->hi ? f * *l->hi : INFINITY;
    out->confidence = l->confidence;
    out->band = l->band;
}

static fd_status convert(const source_text *where, const raw_target *raw, fd_target *target) {
    fd_status status = FD_OK;
    memset(target, 0, sizeof *target);
    COPY(target->name, raw->name);
    COPY(target->title, raw->title);
    COPY(target->source, raw->source);
    target->ordering = raw->ordering;
    for (uint32_t i = 0; i < raw->measurements_count && !status; i++) {
        status = check_measurement(where, raw, i);
        convert_measurement(raw, &raw->measurements[i], &target->measurements[i]);
    }
    for (uint32_t i = 0; i < raw->limits_count && !status; i++) {
        status = check_limit(where, raw, i);
        convert_limit(&raw->limits[i], &target->limits[i]);
    }
    target->n_measurements = (int)raw->measurements_count;
    target->n_limits = (int)raw->limits_count;
    return status;
}

/* ---- finding the file --------------------------------------------------------------------------------------------- */

static bool readable(char *path, const char *folder, const char *below, const char *name) {
    int n = snprintf(path, PATH_LENGTH, "%s%s/%s.yaml", folder, below, name);
    return n > 0 && n < PATH_LENGTH && access(path, R_OK) == 0;
}

/* The folder of the running program, or "" where the system does not tell. */
static void program_folder(char *folder) {
    ssize_t n = readlink("/proc/self/exe", folder, PATH_LENGTH - 1);
    folder[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(folder, '/');
    if (slash) *slash = '\0';
}

static fd_status find(const char *name, char *path, fd_error *err) {
    if (strchr(name, '/') || ends_with(name, ".yaml") || ends_with(name, ".yml")) {
        if (snprintf(path, PATH_LENGTH, "%s", name) < PATH_LENGTH) return FD_OK;
        return fd_fail(err, FD_ERR_FILE, "path of the target set is too long");
    }
    const char *folder = getenv("FLAVORDIFF_TARGETS");
    char program[PATH_LENGTH];
    program_folder(program);
    if (folder && *folder && readable(path, folder, "", name)) return FD_OK;
    if (readable(path, "targets", "", name)) return FD_OK;
    static const char *const beside[] = {"/targets", "/../targets", "/../share/flavordiff/targets"};
    for (size_t i = 0; *program && i < sizeof beside / sizeof *beside; i++)
        if (readable(path, program, beside[i], name)) return FD_OK;
    if (readable(path, FD_TARGETS, "", name)) return FD_OK; /* a program of another's that uses the library */
    return fd_fail(err, FD_ERR_FILE,
                   "no target set '%s': no %s.yaml in the folder FLAVORDIFF_TARGETS%s%s, in ./targets, beside the program or "
                   "in " FD_TARGETS "; name one that is there, or a path",
                   name, name, folder ? " = " : " (not set)", folder ? folder : "");
}

bool fd_target_known(const char *name) {
    char path[PATH_LENGTH];
    fd_error ignored;
    return find(name, path, &ignored) == FD_OK && access(path, F_OK) == 0;
}

fd_status fd_target_load(const char *name, fd_target *target, fd_error *err) {
    char path[PATH_LENGTH];
    char *text = NULL;
    size_t length = 0;
    void *raw = NULL;
    fd_target loaded = {0};
    fd_status status = find(name, path, err);
    if (!status) status = fd_read_text(path, MAX_BYTES, &text, &length, err);
    if (!status) status = fd_yaml_load(path, text, length, &target_schema, &raw, err);
    if (!status) status = convert(&(source_text){path, text, length, err}, raw, &loaded);
    if (!status) *target = loaded;
    fd_yaml_free(&target_schema, raw);
    free(text);
    return status;
}
