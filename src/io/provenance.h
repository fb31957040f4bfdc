/* What every file of ours says about itself (root attributes), and the group /model. */
#ifndef FD_IO_PROVENANCE_H
#define FD_IO_PROVENANCE_H

#include "flavordiff/files.h"
#include "io/h5.h"

enum { FD_FORMAT_VERSION = 1 };
#define FD_FORMAT_SAMPLES "flavordiff-samples"
#define FD_FORMAT_NETWORK "flavordiff-network"
#define FD_FORMAT_ANALYSIS "flavordiff-analysis"

/* UTC now; SOURCE_DATE_EPOCH (seconds) instead when set, for byte-identical files. */
void fd_timestamp(char text[32]);
void fd_provenance_write(fd_h5 *h, const char *format, const fd_provenance *provenance);
/* Whether `path` is a file that this version wrote for the same verb, configuration, seed and inputs, with the same kernels. */
bool fd_provenance_same(const char *path, const fd_provenance *provenance);
/* Fails unless the open file is of `format` and of a version this program reads. */
void fd_provenance_check(fd_h5 *h, const char *format);
/* The file's own format, "" with an error when it is none of ours; checks the version. */
void fd_provenance_format(fd_h5 *h, char format[32]);

/* /model: options as attributes; with `model`, its parameters and labels as columns. */
void fd_model_group_write(fd_h5 *h, const fd_model *model, const fd_model_options *options);
void fd_model_group_read(fd_h5 *h, fd_model_options *options);
/* Names of the options (fd_ordering_name: model.h) as they stand in files and in the configuration. */
const char *fd_phases_name(fd_phases phases);
const char *fd_scale_name(fd_scale_window scale);

#endif
