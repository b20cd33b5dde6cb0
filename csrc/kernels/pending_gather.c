/* TEMPORARY: deleted when the family is written. */
#include "kernel.h"
FC_NO_SCRATCH(gather_f32)
FC_TILES(gather_f32) { (void)a; return 0; }
FC_RUN(gather_f32) { (void)a; (void)begin; (void)end; (void)scratch; }
FC_NO_SCRATCH(gather_u8)
FC_TILES(gather_u8) { (void)a; return 0; }
FC_RUN(gather_u8) { (void)a; (void)begin; (void)end; (void)scratch; }
