#define _GNU_SOURCE
#include "io/origin.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/h5.h"
#include "io/provenance.h"

enum { MAX_CONFIG = 1 << 20, MAX_DEPTH = 8, MAX_KEY = 60 }; /* nothing of ours is larger; a foreign file may say anything */

/* Takes over key and value. */
static void add(fd_h5 *h, fd_origin *o, char *key, char *value) {
    if (!h->status && key && value && o->n == o->room) {
        size_t room = o->room ? 2 * o->room : 64;
        fd_fact *more = realloc(o->facts, room * sizeof *more);
        if (more) o->facts = more, o->room = room;
    }
    if (!h->status && key && value && o->n < o->room) {
        o->facts[o->n++] = (fd_fact){key, value};
        return;
    }
    fd_h5_fail(h, FD_ERR_MEMORY, "out of memory");
    free(key);
    free(value);
}

/* An attribute as a fact; `optional`: files from before it was written have none. */
static void add_attribute(fd_h5 *h, fd_origin *o, hid_t object, const char *where, const char *name, const char *key, bool optional) {
    if (h->status || (optional && !fd_h5_has_attribute(h, object, name))) return;
    char *value = fd_h5_get_long_text(h, object, where, name);
    if (value) add(h, o, strdup(key), value);
}

/* The configuration is block style with two blanks a level and lists on one line, as fd_config_dump writes it. */
static void add_config(fd_h5 *h, fd_origin *o) {
    char *above[MAX_DEPTH + 1] = {""};
    for (const char *line = o->config; *line && !h->status; line += strcspn(line, "\n"), line += *line == '\n') {
        size_t length = strcspn(line, "\n"), blanks = strspn(line, " ");
        if (blanks >= length) continue;
        size_t depth = blanks / 2 < MAX_DEPTH ? blanks / 2 : MAX_DEPTH - 1;
        while (depth && !above[depth]) depth--;
        const char *name = line + blanks, *colon = memchr(name, ':', length - blanks), *end = line + length;
        if (!colon) colon = end;
        int n = colon - name < MAX_KEY ? (int)(colon - name) : MAX_KEY;
        const char *value = colon < end ? colon + 1 : end;
        while (value < end && *value == ' ') value++;
        char *key = NULL;
        if (asprintf(&key, "%s%s%.*s", above[depth], *above[depth] ? "." : "", n, name) < 0) key = NULL;
        for (size_t i = depth + 1; i <= MAX_DEPTH; i++) above[i] = NULL;
        if (key && depth == 0 && strcmp(key, "seed") == 0) { /* told by the attribute */
            free(key);
            continue;
        }
        add(h, o, key, strndup(value, (size_t)(end - value)));
        if (!h->status) above[depth + 1] = o->facts[o->n - 1].key;
    }
}

size_t fd_parent_split(const char *line, char id[17]) {
    size_t length = strcspn(line, "\n");
    id[0] = '\0';
    if (length < 18 || line[length - 17] != ' ') return 0;
    for (size_t i = length - 16; i < length; i++)
        if (!isxdigit((unsigned char)line[i])) return 0;
    memcpy(id, line + length - 16, 16);
    id[16] = '\0';
    return length - 17;
}

static void add_parents(fd_h5 *h, fd_origin *o) {
    char *parents = fd_h5_get_long_text(h, h->file, "the file", "parents"), *key;
    int i = 0;
    for (const char *line = parents; line && *line && !h->status; line += strcspn(line, "\n"), line += *line == '\n')
        add(h, o, asprintf(&key, "parent.%d", ++i) < 0 ? NULL : key, strndup(line, strcspn(line, "\n")));
    free(parents);
}

static int by_key(const void *a, const void *b) {
    const fd_fact *x = a, *y = b;
    int order = strcmp(x->key, y->key);
    return order ? order : strcmp(x->value, y->value);
}

fd_status fd_origin_read(const char *path, fd_origin *o, fd_error *err) {
    static const char *const root[][2] = {{"format", "format"}, {"verb", "verb"}, {"tool_version", "version"},
                                          {"git_revision", "revision"}, {"isa", "kernels"}};
    *o = (fd_origin){0};
    fd_h5 h;
    char format[32], *seed = NULL;
    fd_h5_open(&h, path, err);
    fd_provenance_format(&h, format);
    for (size_t i = 0; i < sizeof root / sizeof *root; i++) add_attribute(&h, o, h.file, "the file", root[i][0], root[i][1], false);
    add_attribute(&h, o, h.file, "the file", "libraries", "libraries", true);
    uint64_t number = fd_h5_get_u64(&h, h.file, "the file", "seed");
    if (!h.status) add(&h, o, strdup("seed"), asprintf(&seed, "%" PRIu64, number) < 0 ? NULL : seed);
    hid_t model = fd_h5_group(&h, "model"), samples = fd_h5_has(&h, "samples") ? fd_h5_group(&h, "samples") : H5I_INVALID_HID;
    add_attribute(&h, o, model, "/model", "ordering", "ordering", false);
    if (samples >= 0) {
        add_attribute(&h, o, samples, "/samples", "role", "role", false);
        add_attribute(&h, o, samples, "/samples", "target", "labelled_by", false);
        add_attribute(&h, o, samples, "/samples", "target_numbers", "target_numbers", true);
    }
    add_parents(&h, o);
    o->config = fd_h5_get_long_text(&h, h.file, "the file", "config");
    if (o->config && strlen(o->config) > MAX_CONFIG)
        fd_h5_fail(&h, FD_ERR_FORMAT, "the attribute 'config' of the file is longer than %d bytes; make the file again", MAX_CONFIG);
    if (!h.status) add_config(&h, o);
    if (model >= 0) H5Gclose(model);
    if (samples >= 0) H5Gclose(samples);
    fd_h5_leave(&h);
    if (h.status) fd_origin_free(o);
    else if (o->n) qsort(o->facts, o->n, sizeof *o->facts, by_key);
    return h.status;
}

void fd_origin_free(fd_origin *o) {
    for (size_t i = 0; i < o->n; i++) free(o->facts[i].key), free(o->facts[i].value);
    free(o->facts);
    free(o->config);
    *o = (fd_origin){0};
}

const char *fd_origin_value(const fd_origin *o, const char *key) {
    for (size_t i = 0; i < o->n; i++)
        if (strcmp(o->facts[i].key, key) == 0) return o->facts[i].value;
    return "";
}

static bool says_something(const fd_fact *fact) { return fact && *fact->value; } /* the name of a block does not */

static bool same(const fd_fact *a, const fd_fact *b) {
    char x[17], y[17];
    if (strcmp(a->value, b->value) == 0) return true;
    return strncmp(a->key, "parent.", 7) == 0 && fd_parent_split(a->value, x) && fd_parent_split(b->value, y) && strcmp(x, y) == 0;
}

bool fd_origin_next(const fd_origin *a, const fd_origin *b, fd_difference *d) {
    while (d->at_a < a->n || d->at_b < b->n) {
        const fd_fact *x = d->at_a < a->n ? &a->facts[d->at_a] : NULL, *y = d->at_b < b->n ? &b->facts[d->at_b] : NULL;
        int order = !x ? 1 : !y ? -1 : strcmp(x->key, y->key);
        d->at_a += order <= 0;
        d->at_b += order >= 0;
        if (order < 0) y = NULL;
        if (order > 0) x = NULL;
        if (x && y ? same(x, y) : !says_something(x) && !says_something(y)) continue;
        d->key = x ? x->key : y->key;
        d->a = says_something(x) ? x->value : NULL;
        d->b = says_something(y) ? y->value : NULL;
        return true;
    }
    return false;
}
