/* The training loop, shared by the paper's network and the informed one. */
#ifndef FD_STAGES_TRAIN_H
#define FD_STAGES_TRAIN_H

#include "flavordiff/trainer.h"
#include "stages/resume.h"

/* Ranks other than 0 do their part of it until rank 0 ends, which may be long after.
 *
 * Steps `trainer` through spec->updates updates with progress and log, then copies raw and averaged weights into
 * file->network and file->ema. Begins where the checkpoint ends. Stops when asked, or when the loss is no number any more. */
fd_status fd_fit(fd_ticker *ticker, fd_resume *resume, const fd_train_spec *spec, fd_trainer *trainer, fd_model_file *file, fd_error *err);

/* The networks that `config` asks for. */
fd_network_spec fd_configured_network(const fd_config *config, const fd_model *model);
fd_network_spec fd_configured_informed_network(const fd_config *config, const fd_model *model);
/* The coordinates of an informed network: the prior's ranges -> [-stretch, stretch] (fd_param.stretch). */
fd_scaler fd_informed_box(const fd_model *model);

#endif
