/* --set a.b=value: edits the tree of a YAML document and writes it out again. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "io/config_keys.h"
#include "io/text.h"

enum { MAX_DEPTH = 8, MAX_NODES = 100000 };

static fd_status fail(fd_error *err, fd_status status, const char *setting, const char *message) {
    if (errno == ENOMEM) return fd_fail(err, FD_ERR_MEMORY, "--set %.200s: out of memory", setting); /* libyaml says no more than no */
    return fd_fail(err, status, "--set %.200s: %s", setting, message);
}

static int parse(yaml_document_t *document, const char *text, size_t length) {
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser)) return 0;
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, length);
    int good = yaml_parser_load(&parser, document);
    yaml_parser_delete(&parser);
    return good;
}

/* Copies a node of one document into another; 0 without memory, or where aliases make it endless. */
static int copy_node(yaml_document_t *to, yaml_document_t *from, int index, int depth) {
    const yaml_node_t *node = yaml_document_get_node(from, index);
    if (!node || depth > MAX_DEPTH || to->nodes.top - to->nodes.start > MAX_NODES) return 0;
    if (node->type == YAML_SCALAR_NODE)
        return yaml_document_add_scalar(to, NULL, node->data.scalar.value, (int)node->data.scalar.length,
                                        node->data.scalar.style);
    if (node->type == YAML_SEQUENCE_NODE) {
        int copy = yaml_document_add_sequence(to, NULL, YAML_FLOW_SEQUENCE_STYLE);
        for (const yaml_node_item_t *i = node->data.sequence.items.start; copy && i < node->data.sequence.items.top; i++) {
            int item = copy_node(to, from, *i, depth + 1);
            if (!item || !yaml_document_append_sequence_item(to, copy, item)) return 0;
        }
        return copy;
    }
    int copy = yaml_document_add_mapping(to, NULL, YAML_BLOCK_MAPPING_STYLE);
    for (const yaml_node_pair_t *p = node->data.mapping.pairs.start; copy && p < node->data.mapping.pairs.top; p++) {
        int key = copy_node(to, from, p->key, depth + 1), value = copy_node(to, from, p->value, depth + 1);
        if (!key || !value || !yaml_document_append_mapping_pair(to, copy, key, value)) return 0;
    }
    return copy;
}

/* The value of a setting as a node of `document`. */
static int add_value(yaml_document_t *document, const char *value) {
    yaml_document_t parsed;
    if (!parse(&parsed, value, strlen(value))) return 0;
    int node;
    if (yaml_document_get_root_node(&parsed))
        node = copy_node(document, &parsed, 1, 0); /* the root is always node 1 */
    else
        node = yaml_document_add_scalar(document, NULL, (const yaml_char_t *)"", 0, YAML_SINGLE_QUOTED_SCALAR_STYLE);
    yaml_document_delete(&parsed);
    return node;
}

static yaml_node_pair_t *find_pair(yaml_document_t *document, int mapping, const char *key, size_t length) {
    const yaml_node_t *node = yaml_document_get_node(document, mapping);
    for (yaml_node_pair_t *p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top; p++) {
        const yaml_node_t *name = yaml_document_get_node(document, p->key);
        if (name->type == YAML_SCALAR_NODE && name->data.scalar.length == length &&
            memcmp(name->data.scalar.value, key, length) == 0)
            return p;
    }
    return NULL;
}

static int add_pair(yaml_document_t *document, int mapping, const char *key, size_t length, int value) {
    int name = yaml_document_add_scalar(document, NULL, (const yaml_char_t *)key, (int)length, YAML_ANY_SCALAR_STYLE);
    return name && value && yaml_document_append_mapping_pair(document, mapping, name, value);
}

/* Walks down the keys, making the blocks that are not there, and puts the value at the end. */
static fd_status set_value(yaml_document_t *document, const char *setting, fd_error *err) {
    const char *value = strchr(setting, '='), *key = setting;
    int mapping = 1;
    for (;;) {
        size_t length = strcspn(key, ".=");
        if (length == 0) return fail(err, FD_ERR_USAGE, setting, "a key is empty; write it as block.key=value");
        if (yaml_document_get_node(document, mapping)->type != YAML_MAPPING_NODE)
            return fail(err, FD_ERR_CONFIG, setting, "unknown key: what stands before the last dot is not a block");
        yaml_node_pair_t *pair = find_pair(document, mapping, key, length);
        if (key + length == value) {
            int node = add_value(document, value + 1);
            if (!node) return fail(err, FD_ERR_CONFIG, setting, "the value is not valid YAML");
            pair = find_pair(document, mapping, key, length); /* adding nodes moves them */
            if (pair)
                pair->value = node;
            else if (!add_pair(document, mapping, key, length, node))
                return fail(err, FD_ERR_MEMORY, setting, "out of memory");
            return FD_OK;
        }
        if (pair) {
            mapping = pair->value;
        } else {
            int block = yaml_document_add_mapping(document, NULL, YAML_BLOCK_MAPPING_STYLE);
            if (!add_pair(document, mapping, key, length, block))
                return fail(err, FD_ERR_MEMORY, setting, "out of memory");
            mapping = block;
        }
        key += length + 1;
    }
}

/* Consumes the document. */
static int print(yaml_document_t *document, char **text, size_t *length) {
    yaml_emitter_t emitter;
    *text = NULL;
    FILE *out = open_memstream(text, length);
    if (!out || !yaml_emitter_initialize(&emitter)) {
        fd_text_finish(out, text);
        yaml_document_delete(document);
        return 0;
    }
    yaml_emitter_set_output_file(&emitter, out);
    yaml_emitter_set_unicode(&emitter, 1);
    int good = yaml_emitter_open(&emitter) && yaml_emitter_dump(&emitter, document) && yaml_emitter_close(&emitter);
    yaml_emitter_delete(&emitter);
    return fd_text_finish(out, text) && good;
}

fd_status fd_config_override(const char *text, size_t length, const char *setting, char **out, size_t *out_length,
                             fd_error *err) {
    *out = NULL;
    errno = 0;
    if (!strchr(setting, '=')) return fail(err, FD_ERR_USAGE, setting, "no '='; write it as block.key=value");
    yaml_document_t document;
    if (!parse(&document, text, length)) return fail(err, FD_ERR_CONFIG, setting, "the configuration is not valid YAML");
    fd_status status = set_value(&document, setting, err);
    if (status) {
        yaml_document_delete(&document);
        return status;
    }
    if (print(&document, out, out_length)) return FD_OK;
    free(*out);
    *out = NULL;
    return fail(err, FD_ERR_MEMORY, setting, "out of memory");
}
