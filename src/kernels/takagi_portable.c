#define FD_TAKAGI fd_takagi_portable
#include "kernels/takagi_body.h"
