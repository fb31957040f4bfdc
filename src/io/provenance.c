#include "io/provenance.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#ifdef __GLIBC__
#include <gnu/libc-version.h>
#endif

#include "kernels/kernels.h"

static const char conventions[] =
    "Rows are samples. Angles and delta as in the PDG parametrisation of the PMNS matrix, phases in [0, 2 pi); "
    "eta = alpha31 - 2 delta. Masses ascending in normal ordering (m1 < m2 < m3), m3 lightest in inverted. "
    "Dm^2_3l is Dm^2_31 (normal) or Dm^2_32 (inverted, negative). chi2 counts the two mass-squared differences and the "
    "three sin^2 with the error of the side the prediction is on. Guidance: "
    "eps = (1 - gamma) eps(x, null) + gamma eps(x, label); gamma = 1 is the plain conditional model.";

void fd_timestamp(char text[32]) {
    const char *fixed = getenv("SOURCE_DATE_EPOCH");
    time_t now = fixed ? (time_t)strtoll(fixed, NULL, 10) : time(NULL);
    struct tm parts;
    if (!gmtime_r(&now, &parts) || strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0) strcpy(text, "unknown");
}

/* What besides this program has a say in the bytes: HDF5 as it runs, the compiler, OpenMP and the C library. */
static void describe_libraries(char *text, size_t size) {
    unsigned major = 0, minor = 0, release = 0;
    H5get_libversion(&major, &minor, &release);
#ifdef __clang__
    const char *compiler = "Clang", *version = __clang_version__;
#else
    const char *compiler = "GCC", *version = __VERSION__;
#endif
#ifdef __GLIBC__
    const char *c_library = gnu_get_libc_version();
#else
    const char *c_library = "unknown";
#endif
    snprintf(text, size, "HDF5 %u.%u.%u, %s %.60s, OpenMP %d, glibc %s", major, minor, release, compiler, version, _OPENMP, c_library);
}

void fd_provenance_write(fd_h5 *h, const char *format, const fd_provenance *p) {
    char created[32], libraries[160];
    fd_timestamp(created);
    describe_libraries(libraries, sizeof libraries);
    const struct {
        const char *name, *text;
    } texts[] = {
        {"format", format},
        {"tool", "flavordiff"},
        {"tool_version", fd_version()},
        {"git_revision", fd_revision()},
        {"verb", p && p->verb ? p->verb : ""},
        {"command", p && p->command ? p->command : ""},
        {"config", p && p->config ? p->config : ""},
        {"isa", p && p->kernels ? p->kernels : fd_kernels_get()->name},
        {"libraries", libraries},
        {"created_utc", created},
        {"parents", p && p->parents ? p->parents : ""},
        {"conventions", conventions},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) fd_h5_put_text(h, h->file, texts[i].name, texts[i].text);
    fd_h5_put_u64(h, h->file, "format_version", FD_FORMAT_VERSION);
    fd_h5_put_u64(h, h->file, "seed", p ? p->seed : 0);
}

bool fd_provenance_same(const char *path, const fd_provenance *p) {
    fd_h5 h;
    fd_h5_open(&h, path, NULL);
    const char *const texts[][2] = {{"tool_version", fd_version()}, {"git_revision", fd_revision()}, {"verb", p->verb},
                                    {"config", p->config}, {"isa", fd_kernels_get()->name}, {"parents", p->parents}};
    bool same = !h.status;
    for (size_t i = 0; same && i < sizeof texts / sizeof *texts; i++) {
        char *text = fd_h5_get_long_text(&h, h.file, "the file", texts[i][0]);
        same = text && strcmp(text, texts[i][1]) == 0;
        free(text);
    }
    same = same && fd_h5_get_u64(&h, h.file, "the file", "seed") == p->seed && !h.status;
    fd_h5_leave(&h);
    return same;
}

void fd_provenance_format(fd_h5 *h, char format[32]) {
    format[0] = '\0';
    if (h->status) return;
    if (!fd_h5_has_attribute(h, h->file, "format") || !fd_h5_has_attribute(h, h->file, "format_version")) {
        fd_h5_fail(h, FD_ERR_FORMAT, "an HDF5 file, but not one of flavordiff (no attribute 'format')");
        return;
    }
    fd_h5_get_text(h, h->file, "the file", "format", format, 32);
    if (!h->status && strncmp(format, "flavordiff-", 11) != 0) {
        fd_h5_fail(h, FD_ERR_FORMAT, "an HDF5 file of format '%s', not one of flavordiff", format);
        return;
    }
    uint64_t version = fd_h5_get_u64(h, h->file, "the file", "format_version");
    if (h->status) return;
    if (version > FD_FORMAT_VERSION)
        fd_h5_fail(h, FD_ERR_FORMAT, "%s version %llu is newer than this program (%s reads up to %d); upgrade flavordiff",
                   format, (unsigned long long)version, fd_version(), FD_FORMAT_VERSION);
    else if (version < 1)
        fd_h5_fail(h, FD_ERR_FORMAT, "%s version 0 is not supported; make the file again", format);
}

static const char *maker(const char *format) {
    if (strcmp(format, FD_FORMAT_SAMPLES) == 0) return "a sample file, made by 'simulate', 'select', 'sample' or 'reference'";
    if (strcmp(format, FD_FORMAT_NETWORK) == 0) return "a network file, made by 'train' or 'tune'";
    return "an analysis file, made by 'analyse'";
}

void fd_provenance_check(fd_h5 *h, const char *format) {
    char found[32];
    fd_provenance_format(h, found);
    if (!h->status && strcmp(found, format) != 0)
        fd_h5_fail(h, FD_ERR_FORMAT, "is a %s file; needed here is %s", found, maker(format));
}

/* ---- /model ------------------------------------------------------------------------------------------------------ */

static const char *const phases_names[] = {[FD_PHASES_TAKAGI] = "takagi", [FD_PHASES_PAPER] = "paper"};
static const char *const scale_names[] = {[FD_SCALE_MEV] = "mev", [FD_SCALE_AS_PRINTED] = "as-printed"};

const char *fd_phases_name(fd_phases phases) { return (unsigned)phases < 2 ? phases_names[phases] : "?"; }
const char *fd_scale_name(fd_scale_window scale) { return (unsigned)scale < 2 ? scale_names[scale] : "?"; }

static void write_parameters(fd_h5 *h, const fd_model *model) {
    const char *names[FD_MAX_PARAMS], *latex[FD_MAX_PARAMS], *units[FD_MAX_PARAMS], *texts[FD_MAX_PARAMS];
    double prior[2 * FD_MAX_PARAMS];
    uint8_t periodic[FD_MAX_PARAMS];
    int n = model->n_params;
    for (int i = 0; i < n; i++) {
        const fd_param *p = &model->params[i];
        names[i] = p->name, latex[i] = p->latex, units[i] = p->unit, texts[i] = p->description;
        prior[2 * i] = p->lo, prior[2 * i + 1] = p->hi;
        periodic[i] = p->periodic;
    }
    hid_t group = fd_h5_new_group(h, "model/parameters");
    fd_h5_put_texts(h, group, "name", n, names, "", "Name of each column of theta");
    fd_h5_put_texts(h, group, "latex", n, latex, "", "The same as LaTeX");
    fd_h5_put_texts(h, group, "unit", n, units, "", "Unit of each column of theta");
    fd_h5_put_texts(h, group, "description", n, texts, "", "Meaning of each column of theta");
    fd_h5_put_array(h, group, "prior", H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, &(fd_h5_shape){2, {(hsize_t)n, 2}}, prior,
                    "as the column", "Lower and upper end of the uniform prior");
    fd_h5_put_array(h, group, "periodic", H5T_STD_U8LE, H5T_NATIVE_UINT8, &(fd_h5_shape){1, {(hsize_t)n}}, periodic, "",
                    "1 where both ends of the prior are the same point");
    fd_h5_drop(h, group);
}

static void write_labels(fd_h5 *h, const fd_model *model) {
    const char *names[FD_MAX_LABELS], *units[FD_MAX_LABELS];
    for (int i = 0; i < model->n_labels; i++) {
        names[i] = model->labels[i].name;
        units[i] = model->labels[i].log10 ? "dex" : model->observables[model->labels[i].observable].unit;
    }
    hid_t group = fd_h5_new_group(h, "model/labels");
    fd_h5_put_texts(h, group, "name", model->n_labels, names, "", "Name of each column of labels");
    fd_h5_put_texts(h, group, "unit", model->n_labels, units, "", "Unit of each column of labels");
    fd_h5_drop(h, group);
}

void fd_model_group_write(fd_h5 *h, const fd_model *model, const fd_model_options *options) {
    if (h->status) return;
    hid_t group = fd_h5_has(h, "model") ? fd_h5_group(h, "model") : fd_h5_new_group(h, "model");
    if (options) {
        fd_h5_put_text(h, group, "kind", options->kind);
        fd_h5_put_text(h, group, "ordering", fd_ordering_name(options->ordering));
        fd_h5_put_text(h, group, "phases", fd_phases_name(options->phases));
        fd_h5_put_text(h, group, "scale", fd_scale_name(options->scale));
        fd_h5_put_u64(h, group, "real_majorana", options->real_majorana);
        fd_h5_put_real(h, group, "vev_GeV", options->vev_GeV);
    }
    fd_h5_drop(h, group);
    if (model) {
        write_parameters(h, model);
        write_labels(h, model);
    }
}

static int get_choice(fd_h5 *h, hid_t group, const char *name, const char *const *choices, int n) {
    char text[32];
    fd_h5_get_text(h, group, "/model", name, text, sizeof text);
    for (int i = 0; i < n; i++)
        if (strcmp(text, choices[i]) == 0) return i;
    fd_h5_fail(h, FD_ERR_FORMAT, "the attribute '%s' of /model is '%s', which this program does not know; "
               "upgrade flavordiff", name, text);
    return 0;
}

void fd_model_group_read(fd_h5 *h, fd_model_options *options) {
    const char *const orderings[] = {fd_ordering_name(FD_ORDERING_NORMAL), fd_ordering_name(FD_ORDERING_INVERTED)};
    memset(options, 0, sizeof *options);
    hid_t group = fd_h5_group(h, "model");
    fd_h5_get_text(h, group, "/model", "kind", options->kind, sizeof options->kind);
    options->ordering = (fd_ordering)get_choice(h, group, "ordering", orderings, 2);
    options->phases = (fd_phases)get_choice(h, group, "phases", phases_names, 2);
    options->scale = (fd_scale_window)get_choice(h, group, "scale", scale_names, 2);
    options->real_majorana = fd_h5_get_u64(h, group, "/model", "real_majorana") != 0;
    options->vev_GeV = fd_h5_get_real(h, group, "/model", "vev_GeV");
    if (!h->status && !(isfinite(options->vev_GeV) && options->vev_GeV > 0))
        fd_h5_fail(h, FD_ERR_FORMAT, "the attribute 'vev_GeV' of /model is %g, not a positive number", options->vev_GeV);
    if (group >= 0) H5Gclose(group);
}
