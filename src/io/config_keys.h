/* The one table of configuration keys: a row is a key's name, kind, place in fd_config, allowed range and choices. The
 * schema, the parser, the range messages and the dump all come from it. */
#ifndef FD_IO_CONFIG_KEYS_H
#define FD_IO_CONFIG_KEYS_H

#include <stdbool.h>
#include <stddef.h>

#include "flavordiff/config.h"

typedef enum fd_key_kind {
    FD_KEY_END, /* end of a block's rows */
    FD_KEY_BLOCK,
    FD_KEY_TEXT,
    FD_KEY_BOOL,
    FD_KEY_INT,
    FD_KEY_LONG,
    FD_KEY_U64,
    FD_KEY_REAL,
    FD_KEY_CHOICE,      /* one of `choices`, stored as an enum */
    FD_KEY_CHOICE_BOOL, /* one of two, stored as a bool */
    FD_KEY_INTS,        /* lists: at most `room` entries, their number at `count` */
    FD_KEY_REALS,
    FD_KEY_CHOICES
} fd_key_kind;

typedef struct fd_key_choice {
    const char *name; /* NULL ends the list */
    int value;
} fd_key_choice;

typedef struct fd_key fd_key;
struct fd_key {
    const char *name;
    fd_key_kind kind;
    size_t offset;  /* into fd_config. BLOCK: where `inherited` bytes are copied to before its rows are read */
    double lo, hi;  /* numbers: allowed range, both ends included unless open */
    bool open_lo, open_hi;
    size_t room;    /* TEXT: bytes; lists: entries */
    size_t count;   /* lists: offset of the int that holds the number of entries */
    const fd_key_choice *choices;
    const fd_key *rows; /* BLOCK */
    size_t inherited, from; /* BLOCK: bytes, and the offset they come from: values of keys that are not given */
};

enum { FD_MAX_KEYS = 240, FD_MAX_LISTS = 8 };

extern const fd_key fd_config_keys[];

static inline bool fd_key_is_list(const fd_key *key) { return key->kind >= FD_KEY_INTS; }
/* "1 to 4096", "more than 0, at most 1", "takagi, paper", ... */
void fd_key_allowed(const fd_key *key, char *text, size_t room);
/* Parses `text` into entry `i` (0 for scalars) of the key's place in *config; false when it is not allowed. */
bool fd_key_parse(const fd_key *key, const char *text, int i, fd_config *config);

/* Sets one value of a YAML text: `setting` is "a.b=value" (value: a scalar or a flow sequence); missing blocks are made.
 * *out is fresh YAML text. FD_ERR_USAGE / FD_ERR_CONFIG with a message that begins "--set SETTING: ". */
fd_status fd_config_override(const char *text, size_t length, const char *setting, char **out, size_t *out_length,
                             fd_error *err);

#endif
