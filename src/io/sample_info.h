/* What a sample set says about itself: attributes of /samples, /tally, /groups and /model. */
#ifndef FD_IO_SAMPLE_INFO_H
#define FD_IO_SAMPLE_INFO_H

#include <jansson.h>

#include "flavordiff/files.h"
#include "io/h5.h"

/* The group /samples must be there. */
void fd_sample_info_write(fd_h5 *h, const fd_sample_info *info, uint64_t rows);
void fd_sample_info_read(fd_h5 *h, fd_sample_info *info);
/* Adds counts and seconds. */
void fd_tally_join(fd_tally *into, const fd_tally *more);
/* Adds the same as members of a JSON object. */
void fd_sample_info_json(const fd_sample_info *info, json_t *into);
json_t *fd_model_options_json(const fd_model_options *options);

#endif
