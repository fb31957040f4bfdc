/* YAML text into structs through a libcyaml schema, with every complaint as one line that names the file, the line,
 * the place and the remedy. Keys the schema does not know are errors. Aliases and further documents are refused.
 *
 * A place in a document is written like "measurements[2].lo": keys joined by dots, entries counted from 1. */
#ifndef FD_IO_YAML_H
#define FD_IO_YAML_H

#include <stddef.h>

#include <cyaml/cyaml.h>

#include "flavordiff/status.h"

/* Parses `text` (length bytes, need not be NUL-terminated) into a fresh *data of the schema's top-level mapping
 * (CYAML_FLAG_POINTER). `name` is what messages call the file. On success the caller frees *data with fd_yaml_free();
 * on failure *data is NULL and err is "NAME:LINE: ..." with FD_ERR_CONFIG, or FD_ERR_MEMORY. Thread-safe. */
fd_status fd_yaml_load(const char *name, const char *text, size_t length, const cyaml_schema_value_t *schema,
                       void **data, fd_error *err);
/* Frees what fd_yaml_load() gave; NULL ok. */
void fd_yaml_free(const cyaml_schema_value_t *schema, void *data);

/* Line (from 1) of a place of the document, for checks a schema cannot express. When the place is not there,
 * the line of the innermost part that is; 0 when the text is not YAML. */
int fd_yaml_line(const char *text, size_t length, const char *place);
/* Records "NAME:LINE: PLACE: formatted message" and returns `status`. */
fd_status fd_yaml_fail(fd_error *err, fd_status status, const char *name, const char *text, size_t length,
                       const char *place, const char *format, ...) FD_PRINTF(7, 8);

#endif
