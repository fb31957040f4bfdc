#include "kernels/kernels.h"

#define VW 4
#include "kernels/vectors.h"

ALWAYS vf vmax(vf a, vf b) { return pick(a > b, a, b); }
ALWAYS vf vmin(vf a, vf b) { return pick(a < b, a, b); }
ALWAYS vf reciprocal(vf x) { return 1.0f / x; }

#include "kernels/bf16_shift.h"
#define FD_BF16 fd_bf16_portable
#define FD_MR 4
#include "kernels/bf16_body.h"
