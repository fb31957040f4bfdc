#define FD_TAKAGI fd_takagi_portable
#define FD_SEESAW fd_seesaw_portable
#include "kernels/seesaw_body.h"
