/* merge: one sample file out of parts that were drawn with seeds of their own and are otherwise alike. Files are open one at a
 * time, and rows are copied block by block. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flavordiff/exchange.h"
#include "io/file_safety.h"
#include "io/origin.h"
#include "io/sample_info.h"
#include "io/text.h"
#include "stages/common.h"

enum { ROWS = 4096 };

typedef struct merge {
    int n;
    const char *const *paths;
    fd_origin first;      /* how the first part was made; the others alike */
    fd_model *model;
    fd_sample_info info;  /* of all */
    uint64_t *seeds, *rows, *training; /* of each part */
    char *parents;
    size_t parents_size;
    FILE *parents_out;
    fd_sample_writer *writer;
    fd_block block;
} merge;

/* What parts may differ in: seed (checked apart) and counts. */
static bool may_differ(const char *key) {
    static const char *const keys[] = {"seed", "libraries", "sample.n", "before.n", "informed.sample.n", "reference.n"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (strcmp(key, keys[i]) == 0) return true;
    return false;
}

static fd_status check_verb(const char *path, const fd_origin *origin, fd_error *err) {
    const char *verb = fd_origin_value(origin, "verb");
    if (strcmp(verb, "sample") == 0 || strcmp(verb, "reference") == 0) return FD_OK;
    if (strcmp(verb, "merge") == 0)
        return fd_fail(err, FD_ERR_MISMATCH, "%s: merged already; give its parts, with the others", path);
    return fd_fail(err, FD_ERR_MISMATCH, "%s: made by '%.40s'; parts of 'sample' or 'reference' can be merged", path, verb);
}

static fd_status check_origin(const merge *m, const char *path, fd_error *err) {
    fd_origin origin;
    fd_difference d = {0};
    fd_status status = fd_origin_read(path, &origin, err);
    if (!status) status = check_verb(path, &origin, err);
    const char *numbers = fd_origin_value(&m->first, "target_numbers"); /* then its file may have any name */
    bool one_target = *numbers && strcmp(numbers, fd_origin_value(&origin, "target_numbers")) == 0;
    while (!status && fd_origin_next(&m->first, &origin, &d))
        if (!may_differ(d.key) && !(one_target && strcmp(d.key, "target") == 0))
            status = fd_fail(err, FD_ERR_MISMATCH, "%s: %s is %.120s, but %.120s in %s; merge parts of one making", path, d.key,
                             d.b ? d.b : "not there", d.a ? d.a : "not there", m->paths[0]);
    fd_origin_free(&origin);
    return status;
}

static fd_status check_seed(const merge *m, int part, uint64_t seed, fd_error *err) {
    for (int i = 0; i < part; i++)
        if (m->seeds[i] == seed)
            return fd_fail(err, FD_ERR_MISMATCH, "%s: seed %" PRIu64 ", as %s: the same draws; make each part with a seed of its own",
                           m->paths[part], seed, m->paths[i]);
    return FD_OK;
}

/* Adds what part i says of itself. */
static void join_info(merge *m, int i, const fd_sample_info *info) {
    char note[sizeof info->note];
    m->seeds[i] = info->seed;
    m->rows[i] = info->n;
    m->training[i] = info->n_train;
    if (i == 0) {
        m->info = *info;
        return;
    }
    m->info.n += info->n;
    m->info.n_train += info->n_train;
    fd_tally_join(&m->info.tally, &info->tally);
    fd_tally_join(&m->info.alone, &info->alone);
    for (int k = 0; k < 3; k++) m->info.groups[k] += info->groups[k];
    if (strcmp(m->info.note, info->note) == 0 || strncmp(m->info.note, "merged; ", 8) == 0) return;
    memcpy(note, m->info.note, sizeof note); /* notes that count something differ from part to part */
    snprintf(m->info.note, sizeof m->info.note, "merged; the first of %d parts: %.450s", m->n, note);
}

static fd_status check_part(merge *m, int i, fd_error *err) {
    const char *path = m->paths[i];
    fd_sample_reader *reader = NULL;
    fd_sample_info info;
    char id[17];
    fd_status status = fd_samples_open(path, &reader, &info, err);
    if (!status && i == 0) status = fd_origin_read(path, &m->first, err);
    if (!status && i == 0) status = check_verb(path, &m->first, err);
    if (!status && i == 0) status = fd_model_create(&info.model, &m->model, err);
    if (!status && i > 0) status = check_origin(m, path, err);
    if (!status && i > 0 && (!fd_same_model(&info.model, &m->info.model) || info.model.ordering != m->info.model.ordering))
        status = fd_fail(err, FD_ERR_MISMATCH, "%s: of another model than %s; merge parts of one making", path, m->paths[0]);
    if (!status) status = fd_samples_check_model(reader, m->model, err);
    if (!status) status = check_seed(m, i, info.seed, err);
    fd_samples_close(reader);
    if (!status) status = fd_file_id(path, id, err);
    if (status) return status;
    fprintf(m->parents_out, "%s%s %s", i ? "\n" : "", path, id);
    join_info(m, i, &info);
    return FD_OK;
}

/* Rows first .. last - 1 of a part. */
static fd_status copy_rows(merge *m, int part, uint64_t first, uint64_t last, fd_error *err) {
    fd_sample_reader *reader = NULL;
    fd_sample_info info;
    const fd_block *b = &m->block;
    if (first == last) return FD_OK;
    fd_status status = fd_samples_open(m->paths[part], &reader, &info, err);
    if (!status) status = fd_samples_check_model(reader, m->model, err);
    while (!status && first < last) {
        size_t n = last - first < ROWS ? (size_t)(last - first) : ROWS;
        status = fd_samples_read(reader, first, n, b->theta, b->labels, b->five, b->flags, err);
        if (!status) status = fd_samples_append(m->writer, n, b->theta, b->labels, b->five, b->flags, err);
        first += n;
    }
    fd_samples_close(reader);
    return status;
}

static fd_status write_all(merge *m, const char *out, bool force, const char *command, fd_error *err) {
    const fd_provenance provenance = {.verb = "merge", .command = command ? command : "", .config = m->first.config,
                                      .seed = m->seeds[0], .parents = m->parents, .kernels = fd_origin_value(&m->first, "kernels")};
    fd_status status = fd_block_create(m->model, ROWS, &m->block, err);
    if (!status) status = fd_samples_create(out, force, m->model, &provenance, &m->writer, err);
    for (int i = 0; i < m->n && !status; i++) status = copy_rows(m, i, 0, m->training[i], err);
    for (int i = 0; i < m->n && !status; i++) status = copy_rows(m, i, m->training[i], m->rows[i], err);
    if (status) return status;
    fd_sample_writer *writer = m->writer;
    m->writer = NULL;
    return fd_samples_finish(writer, &m->info, err);
}

static fd_status check_parts(merge *m, const char *out, bool force, fd_error *err) {
    size_t n = (size_t)m->n;
    const char **inputs = calloc(n + 1, sizeof *inputs);
    m->seeds = calloc(n, sizeof *m->seeds);
    m->rows = calloc(n, sizeof *m->rows);
    m->training = calloc(n, sizeof *m->training);
    m->parents_out = open_memstream(&m->parents, &m->parents_size);
    bool good = inputs && m->seeds && m->rows && m->training && m->parents_out;
    fd_status status = good ? fd_part_allowed(out, force, err) : fd_fail(err, FD_ERR_MEMORY, "%s: out of memory", out);
    if (good) memcpy(inputs, m->paths, n * sizeof *inputs);
    if (!status) status = fd_check_not_input(out, inputs, err);
    free(inputs);
    for (int i = 0; i < m->n && !status; i++) status = check_part(m, i, err);
    if (!fd_text_finish(m->parents_out, &m->parents)) good = false;
    return status || good ? status : fd_fail(err, FD_ERR_MEMORY, "%s: out of memory", out);
}

fd_status fd_merge(int n, const char *const *parts, const char *out, bool force, const char *command, fd_sample_info *info,
                   fd_error *err) {
    merge m = {.n = n, .paths = parts};
    if (n < 2) return fd_fail(err, FD_ERR_USAGE, "merge: %d files; at least two are needed", n);
    fd_status status = check_parts(&m, out, force, err);
    if (!status) status = write_all(&m, out, force, command, err);
    if (!status && info) *info = m.info;
    fd_samples_abort(m.writer);
    fd_block_free(&m.block);
    fd_model_free(m.model);
    fd_origin_free(&m.first);
    free(m.seeds);
    free(m.rows);
    free(m.training);
    free(m.parents);
    return status;
}
