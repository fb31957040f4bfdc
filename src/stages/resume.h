/* How a long stage goes on after a stop or a kill: it tells OUT.checkpoint now and then what it has (io/checkpoint.h), and a
 * stage of the same program, settings and inputs reads it before it begins. Stages whose rows follow from their number append
 * rows and counters, the others replace their whole state. */
#ifndef FD_STAGES_RESUME_H
#define FD_STAGES_RESUME_H

#include "io/checkpoint.h"
#include "stages/settings.h"

typedef struct fd_resume {
    const fd_run *run;
    const char *out;      /* borrowed */
    fd_checkpoint *file;  /* NULL: run->checkpoint_every is 0 */
    double begin, before; /* when this run began; seconds that runs before it worked */
    double written;       /* when the checkpoint was last made durable */
    uint64_t rows;        /* read back */
    bool finished;        /* the output is there already */
    char made[17];        /* hash of all the output depends on */
} fd_resume;

/* Opens the checkpoint of `out`, when the run keeps any. `config` and `sections`: the settings the output depends on. With
 * run->resume and an output there that this very command made, says so, sets *finished and returns FD_ERR_STOPPED, which
 * fd_resume_close() turns into success; of an output that is a folder, that is left to the stage. Errors as fd_checkpoint_open(). Zero-initialise. */
fd_status fd_resume_open(const fd_run *run, const char *out, const fd_provenance *provenance, const fd_config *config,
                         unsigned sections, fd_resume *resume, fd_error *err);
/* Seconds of work, those of runs before this one included. */
double fd_resume_seconds(const fd_resume *resume);
/* Whether the time for a checkpoint has come. */
bool fd_resume_due(const fd_resume *resume);

/* State as one piece after another, in place of what was there; nothing when no checkpoint is kept. */
fd_status fd_resume_replace(fd_resume *resume, int n, const fd_piece *pieces, fd_error *err);
/* Fills the pieces from the record, when there is one. FD_ERR_FORMAT when their sizes are not those written. */
fd_status fd_resume_restore(fd_resume *resume, int n, const fd_piece *pieces, bool *found, fd_error *err);

/* Rows for the writer, and for the checkpoint with the counters that `state` is (a multiple of 8 bytes). */
fd_status fd_resume_append(fd_resume *resume, fd_sample_writer *writer, const fd_model *model, size_t n, const fd_block *block,
                           fd_piece state, fd_error *err);
/* Rows of the next record, borrowed until the next call, back to the writer, and the counters as they were then. rows->capacity:
 * their number; *more: there was a record. */
fd_status fd_resume_next(fd_resume *resume, fd_sample_writer *writer, const fd_model *model, fd_block *rows, fd_piece state,
                         bool *more, fd_error *err);
/* All records. */
fd_status fd_resume_rows(fd_resume *resume, fd_sample_writer *writer, const fd_model *model, fd_piece state, fd_error *err);

/* FD_ERR_FORMAT unless `holds`, what the counters of this stage always obey: a hash keeps accidents out, not all else. */
fd_status fd_resume_check(const fd_resume *resume, bool holds, fd_error *err);

/* Ends the stage, which ended with `status`: the checkpoint stays when there is something to go on from, and goes otherwise.
 * Returns the status, with a word on how to go on. */
fd_status fd_resume_close(fd_resume *resume, fd_status status, fd_error *err);

#endif
