/* Files beside each other: how two were made differently, and whether what a file was made from is still there. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "flavordiff/exchange.h"
#include "io/h5.h"
#include "io/json.h"
#include "io/origin.h"
#include "io/provenance.h"
#include "io/text.h"

/* ---- diff -------------------------------------------------------------------------------------------------------- */

static void diff_text(FILE *out, const fd_origin *a, const fd_origin *b) {
    fd_difference d = {0};
    while (fd_origin_next(a, b, &d))
        fprintf(out, "%-32s %s | %s\n", d.key, d.a ? d.a : "(none)", d.b ? d.b : "(none)");
}

/* Text of a file need not be UTF-8, which JSON must be. */
static json_t *json_text(const char *text) {
    json_t *json = text ? json_string(text) : json_null();
    return json ? json : json_string("(not UTF-8)");
}

static void diff_json(FILE *out, const char *paths[2], const fd_origin *a, const fd_origin *b) {
    fd_difference d = {0};
    fd_json_watch();
    json_t *list = json_array(), *root = json_object();
    while (fd_origin_next(a, b, &d)) {
        json_t *one = json_object();
        json_object_set_new(one, "key", json_text(d.key));
        json_object_set_new(one, "a", json_text(d.a));
        json_object_set_new(one, "b", json_text(d.b));
        json_array_append_new(list, one);
    }
    json_object_set_new(root, "a", json_text(paths[0]));
    json_object_set_new(root, "b", json_text(paths[1]));
    json_object_set_new(root, "differences", list);
    char *text = fd_json_text(root, JSON_INDENT(2));
    if (text) fprintf(out, "%s\n", text);
    free(text);
    json_decref(root);
}

fd_status fd_files_diff(const char *path_a, const char *path_b, bool json, char **text, fd_error *err) {
    fd_origin a, b = {0};
    size_t size;
    *text = NULL;
    fd_status status = fd_origin_read(path_a, &a, err);
    if (!status) status = fd_origin_read(path_b, &b, err);
    if (!status) {
        FILE *out = open_memstream(text, &size);
        if (out && json) diff_json(out, (const char *[]){path_a, path_b}, &a, &b);
        else if (out) diff_text(out, &a, &b);
        if (!fd_text_finish(out, text) || (json && !**text)) status = fd_fail(err, FD_ERR_MEMORY, "%s: out of memory", path_a);
    }
    fd_origin_free(&a);
    fd_origin_free(&b);
    return status;
}

/* ---- verify ------------------------------------------------------------------------------------------------------- */

enum { MAX_DEPTH = 32, MAX_VISITED = 4096 }; /* a foreign file may name itself, or anything */

typedef struct walk {
    FILE *out;
    json_t *list; /* NULL: lines */
    int n_visited, changed, missing;
    char *visited[MAX_VISITED]; /* "FOLDER\nPATH HASH" */
    char *first;                /* that is not as it was */
} walk;

typedef enum state { MISSING, CHANGED, SAME } state;

/* What is at `path`: only plain files count. */
static fd_status look(const char *path, const char *id, state *at, fd_error *err) {
    struct stat info;
    char found[17];
    *at = MISSING;
    if (stat(path, &info) != 0 || !S_ISREG(info.st_mode)) return FD_OK;
    fd_status status = fd_file_id(path, found, err);
    if (!status) *at = strcmp(found, id) == 0 ? SAME : CHANGED;
    return status;
}

static bool visit(walk *w, const char *folder, size_t folder_length, const char *line, size_t length, bool *fresh) {
    char *key;
    if (asprintf(&key, "%.*s\n%.*s", (int)folder_length, folder, (int)length, line) < 0) return false;
    *fresh = true;
    for (int i = 0; i < w->n_visited && *fresh; i++) *fresh = strcmp(w->visited[i], key) != 0;
    if (*fresh) w->visited[w->n_visited++] = key;
    else free(key);
    return true;
}

static fd_status verify_file(walk *w, const char *path, int depth, fd_error *err);

/* Where a parent recorded as `recorded` may be by now: there, beside its child, or in the folder above (analysis/ in a run folder),
 * where a file of other content is another file. */
static fd_status find(const char *child, const char *recorded, const char *id, char **found, state *at, fd_error *err) {
    static const char *const above[3] = {"", "", "../"};
    const char *slash = strrchr(child, '/'), *name = strrchr(recorded, '/');
    int folder = slash ? (int)(slash + 1 - child) : 0;
    fd_status status = FD_OK;
    *at = MISSING;
    if (!(*found = strdup(recorded))) return fd_fail(err, FD_ERR_MEMORY, "%s: out of memory", child);
    for (int i = 0; i < 3 && !status && *at != SAME; i++) {
        char *place = NULL;
        state here = MISSING;
        if (asprintf(&place, "%.*s%s%s", i ? folder : 0, child, above[i], i && name ? name + 1 : recorded) < 0)
            return fd_fail(err, FD_ERR_MEMORY, "%s: out of memory", child);
        status = look(place, id, &here, err);
        if (here > *at && (i < 2 || here == SAME)) {
            free(*found);
            *found = place, *at = here;
        } else {
            free(place);
        }
    }
    return status;
}

static fd_status verify_parent(walk *w, const char *child, const char *line, int depth, fd_error *err) {
    static const char *const words[] = {[MISSING] = "missing", [CHANGED] = "changed", [SAME] = "ok"};
    const char *slash = strrchr(child, '/');
    char id[17], *recorded = NULL, *found = NULL;
    size_t length = fd_parent_split(line, id);
    bool fresh = false;
    state at = MISSING;
    if (!length)
        return fd_fail(err, FD_ERR_FORMAT, "%s: the attribute 'parents' is not lines of a path and a hash; make the file again", child);
    if (w->n_visited == MAX_VISITED)
        return fd_fail(err, FD_ERR_FORMAT, "%s: more than %d files behind it; verify its parents one by one", child, MAX_VISITED);
    if (!visit(w, child, slash ? (size_t)(slash - child) : 0, line, strcspn(line, "\n"), &fresh) || !(recorded = strndup(line, length)))
        return fd_fail(err, FD_ERR_MEMORY, "%s: out of memory", child);
    fd_status status = fresh ? find(child, recorded, id, &found, &at, err) : FD_OK;
    if (fresh && !status) {
        fprintf(w->out, "%*s%-7s %s\n", 2 * depth, "", words[at], found);
        if (w->list)
            json_array_append_new(w->list, json_pack("{s:o, s:o, s:s}", "file", json_text(found), "child", json_text(child), "state",
                                                     words[at]));
        w->changed += at == CHANGED;
        w->missing += at == MISSING;
        if (at == SAME) status = verify_file(w, found, depth + 1, err);
        else if (!w->first && !(w->first = strdup(recorded))) status = fd_fail(err, FD_ERR_MEMORY, "%s: out of memory", child);
    }
    free(recorded);
    free(found);
    return status;
}

static fd_status verify_file(walk *w, const char *path, int depth, fd_error *err) {
    fd_h5 h;
    char format[32];
    if (depth > MAX_DEPTH) return fd_fail(err, FD_ERR_FORMAT, "%s: more than %d generations of parents", path, MAX_DEPTH);
    fd_h5_open(&h, path, err);
    fd_provenance_format(&h, format);
    char *parents = fd_h5_get_long_text(&h, h.file, "the file", "parents");
    fd_h5_leave(&h);
    fd_status status = h.status;
    for (const char *line = parents; line && *line && !status; line += strcspn(line, "\n"), line += *line == '\n')
        status = verify_parent(w, path, line, depth, err);
    free(parents);
    return status;
}

/* The list as text, in place of the lines. */
static fd_status list_text(walk *w, const char *path, char **text, fd_error *err) {
    json_t *root = json_pack("{s:o, s:O}", "file", json_text(path), "files", w->list);
    free(*text);
    *text = fd_json_text(root, JSON_INDENT(2));
    json_decref(root);
    char *line = *text ? realloc(*text, strlen(*text) + 2) : NULL;
    if (!line) {
        free(*text);
        *text = NULL;
        return fd_fail(err, FD_ERR_MEMORY, "%s: out of memory", path);
    }
    *text = strcat(line, "\n");
    return FD_OK;
}

fd_status fd_verify(const char *path, bool json, char **text, fd_error *err) {
    size_t size;
    *text = NULL;
    fd_status status = fd_file_describe(path, false, text, err); /* every row is read */
    free(*text);
    *text = NULL;
    if (status) return status;
    walk *w = calloc(1, sizeof *w);
    if (!w || !(w->out = open_memstream(text, &size))) {
        free(w);
        return fd_fail(err, FD_ERR_MEMORY, "%s: out of memory", path);
    }
    fd_json_watch();
    if (json && !(w->list = json_array())) status = fd_fail(err, FD_ERR_MEMORY, "%s: out of memory", path);
    if (!status) status = verify_file(w, path, 0, err);
    if (!fd_text_finish(w->out, text) && !status) status = fd_fail(err, FD_ERR_MEMORY, "%s: out of memory", path);
    if (w->list) {
        fd_status told = list_text(w, path, text, status ? NULL : err);
        if (!status) status = told;
    }
    if (!status && w->first)
        status = fd_fail(err, w->changed ? FD_ERR_MISMATCH : FD_ERR_FILE,
                         "%s: of the %d files behind it %d changed, %d missing, the first: %.400s", path, w->n_visited, w->changed,
                         w->missing, w->first);
    for (int i = 0; i < w->n_visited; i++) free(w->visited[i]);
    json_decref(w->list);
    free(w->first);
    free(w);
    return status;
}
