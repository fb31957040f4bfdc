/* Text written into memory, by open_memstream(). */
#ifndef FD_IO_TEXT_H
#define FD_IO_TEXT_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/* Closes the stream (NULL: it could not be opened). False where memory ran short; *text is then freed and NULL. glibc's
 * fclose() says nothing of a failure to trim the text, but leaves NULL. */
static inline bool fd_text_finish(FILE *out, char **text) {
    bool good = out && !ferror(out);
    if (out && fclose(out) != 0) good = false;
    if (good && *text) return true;
    free(*text);
    *text = NULL;
    return false;
}

#endif
