#define FD_BOX_MEAN fd_box_mean_portable
#include "kernels/box_mean_body.h"
