/* Which settings an output depends on: what `run` and checkpoints compare. */
#ifndef FD_STAGES_SETTINGS_H
#define FD_STAGES_SETTINGS_H

#include "stages/common.h"

typedef enum fd_section { /* of the configuration */
    FD_S_SIMULATE = 1, FD_S_NETWORK = 2, FD_S_TRAIN = 4, FD_S_TUNE = 8, FD_S_SELECT = 16, FD_S_BEFORE = 32, FD_S_SAMPLE = 64,
    FD_S_TARGET = 128, /* the numbers of the target file */
    FD_S_INFORMED = 256, /* all but what comes after training */
    FD_S_INFORMED_SAMPLE = 512, FD_S_REFERENCE = 1024, FD_S_EXACT = 2048, FD_S_CALIBRATE = 4096
} fd_section;

/* The configuration with every section but those named put back to its default, as YAML the caller frees. Seed and model are always
 * part of it. */
fd_status fd_settings_text(const fd_config *config, unsigned sections, char **text, fd_error *err);
/* Where sections name the target, its numbers are hashed into *hash. */
fd_status fd_settings_target(const fd_config *config, unsigned sections, uint64_t *hash, fd_error *err);

#endif
