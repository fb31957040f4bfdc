#include "io/yaml.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

enum { TEXT_MAX = 200, PLACE_MAX = 200, MAX_DEPTH = 8 };

/* What libcyaml's log says about a failure: the first line, then a backtrace from the innermost value outwards. */
typedef struct trail {
    char problem[TEXT_MAX];
    int n;
    struct {
        char field[64]; /* "" in an entry of a sequence, or at a key the schema does not know */
        int entry;      /* from 1; 0 in a mapping */
        int line;
    } step[MAX_DEPTH];
} trail;

static void collect(cyaml_log_t level, void *context, const char *format, va_list args) {
    (void)level;
    trail *t = context;
    char line[2 * TEXT_MAX];
    vsnprintf(line, sizeof line, format, args);
    line[strcspn(line, "\r\n")] = '\0';
    if (strstr(line, "Backtrace:")) return;
    char *at = strstr(line, "(line: ");
    if (strncmp(line, "  in ", 5) == 0 && at) {
        if (t->n == MAX_DEPTH) return;
        char *quote = strchr(line, '\'');
        if (quote && quote < at) {
            quote[1 + strcspn(quote + 1, "'")] = '\0';
            if (strstr(line, "sequence entry"))
                t->step[t->n].entry = (int)strtol(quote + 1, NULL, 10);
            else
                snprintf(t->step[t->n].field, sizeof t->step[0].field, "%.63s", quote + 1);
        }
        t->step[t->n++].line = (int)strtol(at + 7, NULL, 10);
    } else if (!t->problem[0]) {
        const char *text = strncmp(line, "Load: ", 6) == 0 ? line + 6 : line;
        snprintf(t->problem, sizeof t->problem, "%.*s", TEXT_MAX - 1, text);
    }
}

static const cyaml_config_t base_config = {
    .log_fn = collect, .log_level = CYAML_LOG_WARNING, .mem_fn = cyaml_mem, .flags = CYAML_CFG_NO_ALIAS};

/* ---- places ------------------------------------------------------------------------------------------- */

static int node_line(const yaml_node_t *node) { return (int)node->start_mark.line + 1; }

/* One step of a place from `node`: an entry or the last occurrence of a key (a key given twice is wrong the second
 * time). *line is where the step stands. NULL when it is not there. */
static yaml_node_t *step_into(yaml_document_t *document, const yaml_node_t *node, const char *key, size_t key_length,
                              int entry, int *line) {
    yaml_node_t *found = NULL;
    if (entry > 0 && node->type == YAML_SEQUENCE_NODE) {
        const yaml_node_item_t *items = node->data.sequence.items.start;
        if (entry <= node->data.sequence.items.top - items) {
            found = yaml_document_get_node(document, items[entry - 1]);
            *line = node_line(found);
        }
    } else if (entry == 0 && node->type == YAML_MAPPING_NODE) {
        for (const yaml_node_pair_t *p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top; p++) {
            const yaml_node_t *name = yaml_document_get_node(document, p->key);
            if (name->type != YAML_SCALAR_NODE || name->data.scalar.length != key_length ||
                memcmp(name->data.scalar.value, key, key_length) != 0)
                continue;
            found = yaml_document_get_node(document, p->value);
            *line = node_line(name);
        }
    }
    return found;
}

static int line_of(yaml_document_t *document, const char *place) {
    yaml_node_t *node = yaml_document_get_root_node(document);
    if (!node) return 0;
    int line = node_line(node);
    while (node && *place) {
        size_t length = 0;
        int entry = 0;
        if (*place == '[') {
            entry = (int)strtol(place + 1, NULL, 10);
            place += strcspn(place, "]");
            if (*place) place++;
        } else {
            length = strcspn(place, ".[");
            place += length;
        }
        node = step_into(document, node, place - length, length, entry, &line);
        if (*place == '.') place++;
    }
    return line;
}

int fd_yaml_line(const char *text, size_t length, const char *place) {
    yaml_parser_t parser;
    yaml_document_t document;
    if (!yaml_parser_initialize(&parser)) return 0;
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, length);
    int line = 0;
    if (yaml_parser_load(&parser, &document)) {
        line = line_of(&document, place);
        yaml_document_delete(&document);
    }
    yaml_parser_delete(&parser);
    return line;
}

fd_status fd_yaml_fail(fd_error *err, fd_status status, const char *name, const char *text, size_t length,
                       const char *place, const char *format, ...) {
    char message[512];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    return fd_fail(err, status, "%s:%d: %s%s%s", name, fd_yaml_line(text, length, place), place, *place ? ": " : "",
                   message);
}

/* ---- messages ------------------------------------------------------------------------------------------ */

/* Syntax errors: libcyaml's log does not say where, libyaml itself does. */
static fd_status fail_syntax(const char *name, const char *text, size_t length, const trail *t, fd_error *err) {
    yaml_parser_t parser;
    yaml_document_t document;
    if (!yaml_parser_initialize(&parser)) return fd_fail(err, FD_ERR_MEMORY, "%s: out of memory", name);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, length);
    unsigned long line = t->n ? (unsigned long)t->step[0].line : 1;
    char problem[TEXT_MAX];
    snprintf(problem, sizeof problem, "%s", t->problem);
    bool short_of_memory = strstr(problem, "(null)") != NULL; /* the one failure for which libyaml has no words */
    if (yaml_parser_load(&parser, &document)) {
        yaml_document_delete(&document);
    } else {
        short_of_memory = parser.error == YAML_MEMORY_ERROR;
        line = (unsigned long)parser.problem_mark.line + 1;
        snprintf(problem, sizeof problem, "%s%s%s", parser.context ? parser.context : "", parser.context ? ": " : "",
                 parser.problem ? parser.problem : "cannot be read");
        if (parser.error == YAML_READER_ERROR) { /* the reader counts bytes, not lines */
            line = 1;
            for (size_t i = 0; i < parser.problem_offset && i < length; i++) line += text[i] == '\n';
        }
    }
    yaml_parser_delete(&parser);
    if (short_of_memory) return fd_fail(err, FD_ERR_MEMORY, "%s: out of memory", name);
    return fd_fail(err, FD_ERR_CONFIG, "%s:%lu: not valid YAML: %s", name, line, problem);
}

/* The place of a trail, and the schema of its innermost value. */
static const cyaml_schema_value_t *resolve(const trail *t, const cyaml_schema_value_t *schema, char *place) {
    size_t used = 0;
    place[0] = '\0';
    for (int i = t->n - 1; i >= 0 && used < PLACE_MAX; i--) {
        const char *field = t->step[i].field;
        if (t->step[i].entry > 0) {
            used += (size_t)snprintf(place + used, PLACE_MAX - used, "[%d]", t->step[i].entry);
            if (schema && (schema->type == CYAML_SEQUENCE || schema->type == CYAML_SEQUENCE_FIXED))
                schema = schema->sequence.entry;
        } else if (field[0]) {
            used += (size_t)snprintf(place + used, PLACE_MAX - used, "%s%s", used ? "." : "", field);
            const cyaml_schema_field_t *f = schema && schema->type == CYAML_MAPPING ? schema->mapping.fields : NULL;
            while (f && f->key && strcmp(f->key, field) != 0) f++;
            schema = f && f->key ? &f->value : NULL;
        }
    }
    return schema;
}

static void append(char *list, size_t room, const char *word) {
    size_t used = strlen(list);
    snprintf(list + used, room - used, "%s%s", used ? ", " : "", word);
}

/* What would be right there, in words. */
static void list_choices(const cyaml_schema_value_t *schema, char *list, size_t room) {
    list[0] = '\0';
    if (!schema) return;
    if (schema->type == CYAML_MAPPING)
        for (const cyaml_schema_field_t *f = schema->mapping.fields; f->key; f++) append(list, room, f->key);
    else if (schema->type == CYAML_ENUM)
        for (uint32_t i = 0; i < schema->enumeration.count; i++) append(list, room, schema->enumeration.strings[i].str);
    else if (schema->type == CYAML_BOOL)
        append(list, room, "true or false");
    else if (schema->type == CYAML_FLOAT)
        append(list, room, "a number");
    else if (schema->type == CYAML_INT || schema->type == CYAML_UINT)
        append(list, room, "a whole number");
    else if (schema->type == CYAML_STRING)
        append(list, room, "a single value");
    else if (schema->type == CYAML_SEQUENCE || schema->type == CYAML_SEQUENCE_FIXED)
        append(list, room, "a list");
}

static const char *after(const char *text, const char *head) {
    size_t n = strlen(head);
    return strncmp(text, head, n) == 0 ? text + n : NULL;
}

/* The mapping a complaint about keys is about: the trail without the last field that was read. */
static trail without_field(const trail *t) {
    trail outer = *t;
    if (outer.n > 0) outer.step[0].field[0] = '\0';
    return outer;
}

static fd_status fail_schema(const char *name, const char *text, size_t length, const trail *t, cyaml_err_t code,
                             const cyaml_schema_value_t *schema, fd_error *err) {
    char place[PLACE_MAX + 80], list[400];
    const char *key;
    if ((key = after(t->problem, "Unexpected key: "))) {
        trail outer = without_field(t);
        const cyaml_schema_value_t *mapping = resolve(&outer, schema, place);
        list_choices(mapping, list, sizeof list);
        size_t used = strlen(place);
        snprintf(place + used, sizeof place - used, "%s%.60s", used ? "." : "", key);
        return fd_yaml_fail(err, FD_ERR_CONFIG, name, text, length, place, "unknown key; known here: %s", list);
    }
    if ((key = after(t->problem, "Missing required mapping field: "))) {
        trail outer = without_field(t);
        resolve(&outer, schema, place);
        return fd_yaml_fail(err, FD_ERR_CONFIG, name, text, length, place, "the key '%s' is missing; add it", key);
    }
    const cyaml_schema_value_t *value = resolve(t, schema, place);
    if (after(t->problem, "Mapping field already seen: "))
        return fd_yaml_fail(err, FD_ERR_CONFIG, name, text, length, place, "given twice; keep one");
    list_choices(value, list, sizeof list);
    if (code == CYAML_ERR_ALIAS)
        return fd_yaml_fail(err, FD_ERR_CONFIG, name, text, length, place, "aliases are not supported; write the value");
    if (after(t->problem, "Expecting ") && list[0])
        return fd_yaml_fail(err, FD_ERR_CONFIG, name, text, length, place, "expected here: %s", list);
    if (code == CYAML_ERR_INVALID_VALUE && list[0]) {
        const char *got = strrchr(t->problem, ':');
        return fd_yaml_fail(err, FD_ERR_CONFIG, name, text, length, place, "'%s' is not possible; expected: %s",
                            got ? got + 1 + (got[1] == ' ') : "", list);
    }
    return fd_yaml_fail(err, FD_ERR_CONFIG, name, text, length, place, "%s",
                        t->problem[0] ? t->problem : cyaml_strerror(code));
}

fd_status fd_yaml_load(const char *name, const char *text, size_t length, const cyaml_schema_value_t *schema,
                       void **data, fd_error *err) {
    trail t = {0};
    cyaml_config_t config = base_config;
    config.log_ctx = &t;
    *data = NULL;
    void *loaded = NULL;
    cyaml_err_t code = cyaml_load_data((const uint8_t *)text, length, &config, schema, &loaded, NULL);
    if (code == CYAML_OK && loaded && !t.problem[0]) {
        *data = loaded;
        return FD_OK;
    }
    if (code == CYAML_OK) {
        fd_yaml_free(schema, loaded);
        return fd_fail(err, FD_ERR_CONFIG, "%s:1: %s", name,
                       loaded ? "more than one document; keep the first" : "the file is empty");
    }
    if (code == CYAML_ERR_OOM || code == CYAML_ERR_LIBYAML_PARSER_INIT || code == CYAML_ERR_LIBYAML_EVENT_INIT) return fd_fail(err, FD_ERR_MEMORY, "%s: out of memory", name);
    /* libcyaml may stumble over a value before it sees that the rest is no YAML at all. */
    if (code == CYAML_ERR_LIBYAML_PARSER || fd_yaml_line(text, length, "") == 0)
        return fail_syntax(name, text, length, &t, err);
    return fail_schema(name, text, length, &t, code, schema, err);
}

void fd_yaml_free(const cyaml_schema_value_t *schema, void *data) {
    trail t = {0};
    cyaml_config_t config = base_config;
    config.log_ctx = &t;
    if (data) cyaml_free(&config, schema, data, 0);
}
