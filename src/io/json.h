/* JSON without silent gaps: jansson's setters leave out what could not be allocated. */
#ifndef FD_IO_JSON_H
#define FD_IO_JSON_H

#include <stdbool.h>

#include <jansson.h>

/* From here on allocations by jansson that fail are remembered, thread by thread. Call it before putting JSON together. */
void fd_json_watch(void);
/* Something that was to go in could not be made for want of memory. */
void fd_json_run_short(void);
/* Whether memory ran short since this was last asked, which forgets it. */
bool fd_json_ran_short(void);
/* The text of `root` (borrowed), which the caller frees; NULL when root is, or when memory ran short. */
char *fd_json_text(const json_t *root, size_t flags);

#endif
