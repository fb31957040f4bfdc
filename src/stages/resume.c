#include "stages/resume.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "flavordiff/rng.h"
#include "io/file_safety.h"
#include "io/provenance.h"
#include "kernels/kernels.h"

enum { MOST_PIECES = 8 };

/* The ids of "path id" lines: files may be called by other paths. */
static void parent_ids(const char *parents, char *ids, size_t size) {
    size_t used = 0;
    ids[0] = '\0';
    for (const char *line = parents ? parents : ""; *line;) {
        size_t length = strcspn(line, "\n");
        int n = length >= 16 ? snprintf(ids + used, size - used, " %.16s", line + length - 16) : 0;
        used += n > 0 ? (size_t)n : 0;
        line += length + (line[length] == '\n');
    }
}

/* Everything the output depends on, as text. The caller frees it. */
static fd_status identity(const fd_provenance *p, const fd_config *config, unsigned sections, char **text, fd_error *err) {
    char head[256], ids[64], *settings = NULL;
    uint64_t target = 0;
    *text = NULL;
    parent_ids(p->parents, ids, sizeof ids);
    fd_status status = fd_settings_target(config, sections, &target, err);
    if (!status) status = fd_settings_text(config, sections, &settings, err);
    if (status) return status;
    int n = snprintf(head, sizeof head, "version: %s, revision %s\nkernels: %s\nverb: %s\ninputs:%s\ntarget: %016" PRIx64 "\n", fd_version(),
                     fd_revision(), fd_kernels_get()->name, p->verb, ids, target);
    size_t size = (size_t)n + strlen(settings) + 1;
    if ((*text = malloc(size))) snprintf(*text, size, "%s%s", head, settings);
    free(settings);
    return *text ? FD_OK : fd_fail(err, FD_ERR_MEMORY, "out of memory");
}

/* An output that is there: made by this very command, whose end a kill kept from being told, or something else. */
static fd_status check_finished(const char *out, const fd_provenance *provenance, fd_resume *r, fd_error *err) {
    struct stat info;
    if (stat(out, &info) != 0 || S_ISDIR(info.st_mode)) return FD_OK;
    if (!fd_provenance_same(out, provenance)) return fd_part_allowed(out, false, err);
    r->finished = true;
    fd_say(r->run, "%s: %s is there already, made with these settings", provenance->verb, out);
    return fd_fail(err, FD_ERR_STOPPED, "%s is there already", out);
}

fd_status fd_resume_open(const fd_run *run, const char *out, const fd_provenance *provenance, const fd_config *config,
                         unsigned sections, fd_resume *r, fd_error *err) {
    static const fd_checkpoint_mode modes[2][2] = {{FD_CHECKPOINT_FRESH, FD_CHECKPOINT_REPLACE},
                                                   {FD_CHECKPOINT_RESUME, FD_CHECKPOINT_EITHER}};
    char *text = NULL;
    double now = fd_seconds();
    *r = (fd_resume){.run = run, .out = out, .begin = now, .written = now};
    fd_status status = run->resume && !run->force ? check_finished(out, provenance, r, err) : FD_OK;
    if (status && !r->finished) return status;
    fd_status inner = identity(provenance, config, sections, &text, status ? NULL : err);
    if (!inner) snprintf(r->made, sizeof r->made, "%016" PRIx64, fd_derive_seed(0, text));
    if (!inner && run->checkpoint_every > 0) inner = fd_checkpoint_open(out, text, modes[run->resume][run->force], &r->file, status ? NULL : err);
    free(text);
    return status ? status : inner;
}

double fd_resume_seconds(const fd_resume *r) { return r->before + fd_seconds() - r->begin; }

bool fd_resume_due(const fd_resume *r) { return r->file && fd_seconds() - r->written >= r->run->checkpoint_every; }

/* ---- whole states ------------------------------------------------------------------------------------------------- */

fd_status fd_resume_replace(fd_resume *r, int n, const fd_piece *pieces, fd_error *err) {
    if (!r->file) return FD_OK;
    double seconds = fd_resume_seconds(r);
    fd_piece all[MOST_PIECES] = {{&seconds, sizeof seconds}};
    memcpy(all + 1, pieces, (size_t)n * sizeof *pieces);
    fd_status status = fd_checkpoint_replace(r->file, n + 1, all, err);
    r->written = fd_seconds();
    return status;
}

fd_status fd_resume_check(const fd_resume *r, bool holds, fd_error *err) {
    return holds ? FD_OK
                 : fd_fail(err, FD_ERR_FORMAT, "%s: the checkpoint is damaged; remove it, or give --force to begin anew",
                           fd_checkpoint_name(r->file));
}

fd_status fd_resume_restore(fd_resume *r, int n, const fd_piece *pieces, bool *found, fd_error *err) {
    const void *payload;
    size_t size, wanted = sizeof r->before;
    *found = false;
    if (!r->file) return FD_OK;
    fd_status status = fd_checkpoint_next(r->file, &payload, &size, err);
    if (status || !payload) return status;
    for (int i = 0; i < n; i++) wanted += pieces[i].size;
    if (size != wanted) return fd_resume_check(r, false, err);
    const char *from = payload;
    memcpy(&r->before, from, sizeof r->before);
    from += sizeof r->before;
    for (int i = 0; i < n; from += pieces[i].size, i++) memcpy(pieces[i].data, from, pieces[i].size);
    *found = true;
    return FD_OK;
}

/* ---- rows ----------------------------------------------------------------------------------------------------------- */

/* Wide types first: each piece of a record stays aligned. */
typedef struct row_head {
    double seconds;
    uint64_t rows;
} row_head;

static int row_pieces(const fd_model *model, const fd_block *b, size_t n, fd_piece *pieces) {
    pieces[0] = (fd_piece){b->labels, n * (size_t)model->n_labels * sizeof *b->labels};
    pieces[1] = (fd_piece){b->five, n * sizeof *b->five};
    pieces[2] = (fd_piece){b->theta, n * (size_t)model->n_params * sizeof *b->theta};
    pieces[3] = (fd_piece){b->flags, n};
    return 4;
}

fd_status fd_resume_append(fd_resume *r, fd_sample_writer *writer, const fd_model *model, size_t n, const fd_block *block,
                           fd_piece state, fd_error *err) {
    row_head head = {fd_resume_seconds(r), n};
    fd_piece pieces[6] = {{&head, sizeof head}, state};
    fd_status status = fd_samples_append(writer, n, block->theta, block->labels, block->five, block->flags, err);
    if (status || !r->file) return status;
    status = fd_checkpoint_append(r->file, 2 + row_pieces(model, block, n, pieces + 2), pieces, err);
    if (status || !fd_resume_due(r)) return status;
    status = fd_checkpoint_sync(r->file, err);
    r->written = fd_seconds();
    return status;
}

fd_status fd_resume_next(fd_resume *r, fd_sample_writer *writer, const fd_model *model, fd_block *rows, fd_piece state,
                         bool *more, fd_error *err) {
    const void *payload;
    size_t size;
    row_head head;
    *more = false;
    if (!r->file) return FD_OK;
    fd_status status = fd_checkpoint_next(r->file, &payload, &size, err);
    if (status || !payload) return status;
    size_t fixed = sizeof head + state.size;
    size_t row = (size_t)model->n_labels * sizeof(double) + sizeof(double) + (size_t)model->n_params * sizeof(float) + 1;
    if (size < fixed) return fd_resume_check(r, false, err);
    memcpy(&head, payload, sizeof head);
    if (head.rows > size / row || size != fixed + (size_t)head.rows * row) return fd_resume_check(r, false, err);
    size_t n = (size_t)head.rows;
    r->before = head.seconds;
    r->rows += head.rows;
    memcpy(state.data, (const char *)payload + sizeof head, state.size);
    double *labels = (double *)((uintptr_t)payload + fixed), *five = labels + n * (size_t)model->n_labels;
    float *theta = (float *)(five + n);
    *rows = (fd_block){.capacity = n, .labels = labels, .five = five, .theta = theta,
                       .flags = (uint8_t *)(theta + n * (size_t)model->n_params)};
    *more = true;
    return fd_samples_append(writer, n, rows->theta, rows->labels, rows->five, rows->flags, err);
}

fd_status fd_resume_rows(fd_resume *r, fd_sample_writer *writer, const fd_model *model, fd_piece state, fd_error *err) {
    bool more = true;
    fd_block rows;
    fd_status status = FD_OK;
    while (!status && more) status = fd_resume_next(r, writer, model, &rows, state, &more, err);
    return status;
}

/* ---- the end -------------------------------------------------------------------------------------------------------- */

/* A failure of the work itself would only come again; whatever else went wrong may be mended. */
static bool worth_keeping(fd_status status) {
    return status && status != FD_ERR_WANTING && status != FD_ERR_VALUE && status != FD_ERR_EMPTY;
}

fd_status fd_resume_close(fd_resume *r, fd_status status, fd_error *err) {
    bool keep = worth_keeping(status) && !r->finished;
    if (r->file && keep) {
        fd_checkpoint_sync(r->file, NULL); /* what a kill leaves is good enough to go on from */
        if (status == FD_ERR_STOPPED)
            fd_fail(err, status, "what is done is kept in %s", fd_checkpoint_name(r->file));
    }
    fd_checkpoint_close(r->file, keep);
    r->file = NULL;
    return r->finished ? FD_OK : status;
}
