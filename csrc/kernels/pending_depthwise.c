/* TEMPORARY: deleted when the family is written. */
#include "kernel.h"
FC_NO_SCRATCH(depthwise_forward)
FC_TILES(depthwise_forward) { (void)a; return 0; }
FC_RUN(depthwise_forward) { (void)a; (void)begin; (void)end; (void)scratch; }
FC_NO_SCRATCH(depthwise_backward_data)
FC_TILES(depthwise_backward_data) { (void)a; return 0; }
FC_RUN(depthwise_backward_data) { (void)a; (void)begin; (void)end; (void)scratch; }
FC_NO_SCRATCH(depthwise_backward_weights)
FC_TILES(depthwise_backward_weights) { (void)a; return 0; }
FC_RUN(depthwise_backward_weights) { (void)a; (void)begin; (void)end; (void)scratch; }
