/* TEMPORARY: deleted when the family is written. */
#include "kernel.h"
FC_NO_SCRATCH(unary_forward)
FC_TILES(unary_forward) { (void)a; return 0; }
FC_RUN(unary_forward) { (void)a; (void)begin; (void)end; (void)scratch; }
FC_NO_SCRATCH(unary_backward)
FC_TILES(unary_backward) { (void)a; return 0; }
FC_RUN(unary_backward) { (void)a; (void)begin; (void)end; (void)scratch; }
FC_NO_SCRATCH(binary)
FC_TILES(binary) { (void)a; return 0; }
FC_RUN(binary) { (void)a; (void)begin; (void)end; (void)scratch; }
FC_NO_SCRATCH(affine)
FC_TILES(affine) { (void)a; return 0; }
FC_RUN(affine) { (void)a; (void)begin; (void)end; (void)scratch; }
FC_NO_SCRATCH(accumulate)
FC_TILES(accumulate) { (void)a; return 0; }
FC_RUN(accumulate) { (void)a; (void)begin; (void)end; (void)scratch; }
FC_NO_SCRATCH(dropout)
FC_TILES(dropout) { (void)a; return 0; }
FC_RUN(dropout) { (void)a; (void)begin; (void)end; (void)scratch; }
