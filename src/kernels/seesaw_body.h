/* The seesaw's forward map and derivatives for FD_LANES points at a time (physics/seesaw.h), written once. The file that includes
 * this defines FD_SEESAW, the name of the table, and FD_TAKAGI, the factorisation of the same instruction set. Included once
 * per instruction set: this is a template, not a header. */
#include "kernels/seesaw_lanes.h"
#include "kernels/vector_complex.h"
#include "kernels/vector_math.h"

enum { W = FD_LANES };

#include "kernels/seesaw_forward_body.h"
#include "kernels/seesaw_slopes_body.h"
#include "kernels/seesaw_surface_body.h"

const seesaw_kernels FD_SEESAW = {factorise, evaluate, derivatives, surface, approach};
