/* TEMPORARY: deleted when the family is written. */
#include "kernel.h"
FC_NO_SCRATCH(max_pool_forward)
FC_TILES(max_pool_forward) { (void)a; return 0; }
FC_RUN(max_pool_forward) { (void)a; (void)begin; (void)end; (void)scratch; }
FC_NO_SCRATCH(max_pool_backward)
FC_TILES(max_pool_backward) { (void)a; return 0; }
FC_RUN(max_pool_backward) { (void)a; (void)begin; (void)end; (void)scratch; }
FC_NO_SCRATCH(avg_pool_forward)
FC_TILES(avg_pool_forward) { (void)a; return 0; }
FC_RUN(avg_pool_forward) { (void)a; (void)begin; (void)end; (void)scratch; }
FC_NO_SCRATCH(avg_pool_backward)
FC_TILES(avg_pool_backward) { (void)a; return 0; }
FC_RUN(avg_pool_backward) { (void)a; (void)begin; (void)end; (void)scratch; }
