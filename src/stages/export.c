/* export: rows of a sample file for other tools. Here: the rows, CSV and GetDist chains. */
#define _GNU_SOURCE
#include "stages/export.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/constants.h"

/* ---- rows ------------------------------------------------------------------------------------------------------ */

fd_status fd_source_open(const char *path, const fd_export_spec *spec, fd_source *s, fd_error *err) {
    *s = (fd_source){.path = path, .spec = spec, .left = spec->most ? spec->most : UINT64_MAX};
    fd_status status = fd_samples_open(path, &s->reader, &s->info, err);
    if (!status) status = fd_model_create(&s->info.model, &s->model, err);
    if (!status) status = fd_samples_check_model(s->reader, s->model, err);
    if (!status) {
        size_t n_params = (size_t)s->model->n_params, n_observables = (size_t)s->model->n_observables;
        s->n_columns = s->model->n_params + s->model->n_observables;
        s->read = malloc(FD_EXPORT_BLOCK * n_params * sizeof *s->read);
        s->theta = malloc(FD_EXPORT_BLOCK * n_params * sizeof *s->theta);
        s->observables = malloc(FD_EXPORT_BLOCK * n_observables * sizeof *s->observables);
        if (!s->read || !s->theta || !s->observables) status = fd_fail(err, FD_ERR_MEMORY, "%s: out of memory", path);
    }
    if (status) fd_source_close(s);
    return status;
}

void fd_source_close(fd_source *s) {
    fd_samples_close(s->reader);
    fd_model_free(s->model);
    free(s->read);
    free(s->theta);
    free(s->observables);
    *s = (fd_source){0};
}

static bool counts(const fd_source *s, uint8_t flags) {
    uint8_t wanted = s->spec->all_rows ? FD_FINITE : FD_FINITE | FD_IN_PRIOR | FD_LABELS;
    return (flags & wanted) == wanted;
}

fd_status fd_source_count(fd_source *s, uint64_t *rows, fd_error *err) {
    fd_status status = FD_OK;
    *rows = 0;
    for (uint64_t first = 0; !status && first < s->info.n; first += FD_EXPORT_BLOCK) {
        uint64_t left = s->info.n - first;
        size_t n = left < FD_EXPORT_BLOCK ? (size_t)left : FD_EXPORT_BLOCK;
        status = fd_samples_read(s->reader, first, n, NULL, NULL, NULL, s->flags, err);
        for (size_t i = 0; !status && i < n; i++) *rows += counts(s, s->flags[i]);
    }
    if (*rows > s->left) *rows = s->left;
    return status;
}

fd_status fd_source_next(fd_source *s, size_t *n, fd_error *err) {
    size_t n_params = (size_t)s->model->n_params;
    for (*n = 0; *n == 0 && s->next < s->info.n && s->left > 0;) {
        uint64_t rest = s->info.n - s->next;
        size_t here = rest < FD_EXPORT_BLOCK ? (size_t)rest : FD_EXPORT_BLOCK;
        fd_status status = fd_samples_read(s->reader, s->next, here, s->read, NULL, s->chi2, s->flags, err);
        if (status) return status;
        s->next += here;
        for (size_t i = 0; i < here && s->left > 0; i++) {
            if (!counts(s, s->flags[i])) continue;
            for (size_t j = 0; j < n_params; j++) s->theta[*n * n_params + j] = (double)s->read[i * n_params + j];
            s->chi2[*n] = s->chi2[i];
            s->flags[(*n)++] = s->flags[i];
            s->left--;
        }
    }
    if (*n) s->model->forward(s->model, *n, s->theta, NULL, s->observables);
    return FD_OK;
}

const char *fd_source_name(const fd_source *s, int c) {
    return c < s->model->n_params ? s->model->params[c].name : s->model->observables[c - s->model->n_params].name;
}

double fd_source_value(const fd_source *s, size_t i, int c) {
    return c < s->model->n_params ? s->theta[i * (size_t)s->model->n_params + (size_t)c]
                                  : s->observables[i * (size_t)s->model->n_observables + (size_t)(c - s->model->n_params)];
}

/* ---- files ----------------------------------------------------------------------------------------------------- */

fd_status fd_sink_open(const char *path, bool force, fd_sink *sink, fd_error *err) {
    struct stat info;
    bool stream = stat(path, &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode);
    *sink = (fd_sink){.path = path, .part = {.lock = -1}};
    fd_status status = stream ? FD_OK : fd_part_begin(path, force, &sink->part, err);
    if (status) return status;
    if (!(sink->file = fopen(stream ? path : sink->part.name, "we"))) {
        status = fd_fail(err, FD_ERR_FILE, "%s: cannot write: %s", path, strerror(errno));
        fd_sink_abort(sink);
    }
    return status;
}

fd_status fd_sink_close(fd_sink *sink, fd_error *err) {
    errno = 0;
    bool failed = ferror(sink->file) || fflush(sink->file) != 0;
    int reason = errno ? errno : ENOSPC; /* an earlier write failed, and no longer says why: nearly always this */
    if (fclose(sink->file) != 0 && !failed) failed = true, reason = errno;
    sink->file = NULL;
    if (!failed) return sink->part.name ? fd_part_commit(&sink->part, err) : FD_OK;
    fd_sink_abort(sink);
    return fd_fail(err, FD_ERR_FILE, "%s: cannot write: %s", sink->path, strerror(reason));
}

void fd_sink_abort(fd_sink *sink) {
    if (sink->file) fclose(sink->file);
    sink->file = NULL;
    if (sink->part.name) fd_part_abort(&sink->part);
}

/* ---- CSV --------------------------------------------------------------------------------------------------------- */

static fd_status export_csv(fd_source *s, const char *out, uint64_t *rows, fd_error *err) {
    fd_sink sink;
    size_t n;
    fd_status status = fd_sink_open(out, s->spec->force, &sink, err);
    if (status) return status;
    for (int c = 0; c < s->n_columns; c++) fprintf(sink.file, "%s,", fd_source_name(s, c));
    fputs("chi2,valid\n", sink.file);
    while (!(status = fd_source_next(s, &n, err)) && n && !ferror(sink.file)) {
        for (size_t i = 0; i < n; i++) {
            for (int c = 0; c < s->n_columns; c++) fprintf(sink.file, "%.17g,", fd_source_value(s, i, c));
            fprintf(sink.file, "%.17g,%d\n", s->chi2[i], s->flags[i]);
        }
        *rows += n;
    }
    if (!status) return fd_sink_close(&sink, err);
    fd_sink_abort(&sink);
    return status;
}

/* ---- GetDist ------------------------------------------------------------------------------------------------------ */

/* NAME LATEX; a name that ends in * is derived. */
static void write_names(const fd_source *s, FILE *file) {
    for (int c = 0; c < s->model->n_params; c++)
        fprintf(file, "%s\t%s\n", s->model->params[c].name, s->model->params[c].latex);
    for (int c = 0; c < s->model->n_observables; c++)
        fprintf(file, "%s*\t%s\n", s->model->observables[c].name, s->model->observables[c].latex);
}

/* NAME LOWER UPPER [periodic]; N is an open end. */
static void write_ranges(const fd_source *s, FILE *file) {
    for (int c = 0; c < s->model->n_params; c++) {
        const fd_param *p = &s->model->params[c];
        fprintf(file, "%s\t%.17g\t%.17g%s\n", p->name, p->lo, p->hi, p->periodic ? "\tperiodic" : "");
    }
    for (int c = 0; c < s->model->n_observables; c++) {
        const fd_observable *o = &s->model->observables[c];
        if (o->periodic) fprintf(file, "%s\t0\t%.17g\tperiodic\n", o->name, FD_TWO_PI);
        else fprintf(file, "%s\tN\tN\n", o->name);
    }
}

/* Weight 1: rows of all our files count the same. Then chi^2/2, then the columns. */
static fd_status write_chain(fd_source *s, FILE *file, uint64_t *rows, fd_error *err) {
    size_t n;
    fd_status status;
    while (!(status = fd_source_next(s, &n, err)) && n && !ferror(file)) {
        for (size_t i = 0; i < n; i++) {
            fprintf(file, "1 %.17g", 0.5 * s->chi2[i]);
            for (int c = 0; c < s->n_columns; c++) fprintf(file, " %.17g", fd_source_value(s, i, c));
            fputc('\n', file);
        }
        *rows += n;
    }
    return status;
}

static fd_status export_getdist(fd_source *s, const char *root, uint64_t *rows, fd_error *err) {
    static const char *const endings[3] = {".paramnames", ".ranges", ".txt"}; /* the chain is named last */
    fd_sink sinks[3] = {{.part = {.lock = -1}}, {.part = {.lock = -1}}, {.part = {.lock = -1}}};
    char *names[3] = {NULL};
    fd_status status = FD_OK;
    for (int k = 0; k < 3 && !status; k++) {
        if (asprintf(&names[k], "%s%s", root, endings[k]) < 0) {
            names[k] = NULL;
            status = fd_fail(err, FD_ERR_MEMORY, "%s: out of memory", root);
        } else {
            status = fd_sink_open(names[k], s->spec->force, &sinks[k], err);
        }
    }
    if (!status) {
        write_names(s, sinks[0].file);
        write_ranges(s, sinks[1].file);
        status = write_chain(s, sinks[2].file, rows, err);
    }
    for (int k = 0; k < 3; k++) {
        if (!status) status = fd_sink_close(&sinks[k], err);
        fd_sink_abort(&sinks[k]);
        free(names[k]);
    }
    return status;
}

/* ---- the verb ------------------------------------------------------------------------------------------------------ */

typedef fd_status (*writer)(fd_source *source, const char *out, uint64_t *rows, fd_error *err);
static const struct {
    const char *name, *ending;
    writer write;
} formats[] = {
    [FD_EXPORT_CSV] = {"csv", ".csv", export_csv},       [FD_EXPORT_NPZ] = {"npz", ".npz", fd_export_npz},
    [FD_EXPORT_GETDIST] = {"getdist", "", export_getdist}, [FD_EXPORT_SLHA] = {"slha", ".slha", fd_export_slha},
    [FD_EXPORT_NUFIT] = {"nufit", ".nufit", fd_export_nufit},
};

bool fd_export_format_named(const char *name, fd_export_format *format) {
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (strcmp(name, formats[i].name) == 0) return *format = (fd_export_format)i, true;
    return false;
}

fd_status fd_export(const char *samples, const fd_export_spec *spec, const char *out, uint64_t *rows, fd_error *err) {
    fd_source source;
    char *own = NULL;
    uint64_t n = 0, written = 0;
    size_t stem = strlen(samples);
    if (stem > 3 && strcmp(samples + stem - 3, ".h5") == 0) stem -= 3;
    if (!out && asprintf(&own, "%.*s%s", (int)stem, samples, formats[spec->format].ending) < 0)
        return fd_fail(err, FD_ERR_MEMORY, "%s: out of memory", samples);
    fd_status status = fd_source_open(samples, spec, &source, err);
    if (status) goto cleanup;
    status = fd_source_count(&source, &n, err);
    if (!status && n == 0)
        status = fd_fail(err, FD_ERR_EMPTY,
                         spec->all_rows ? "%s: no finite row" : "%s: no row is a solution inside the prior; --all-rows takes all",
                         samples);
    if (!status) status = formats[spec->format].write(&source, out ? out : own, &written, err);
    if (rows) *rows = written;
    fd_source_close(&source);
cleanup:
    free(own);
    return status;
}
