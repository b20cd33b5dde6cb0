/* TEMPORARY: deleted when the family is written. */
#include "kernel.h"
FC_NO_SCRATCH(conv2d_pack)
FC_TILES(conv2d_pack) { (void)a; return 0; }
FC_RUN(conv2d_pack) { (void)a; (void)begin; (void)end; (void)scratch; }
FC_NO_SCRATCH(conv2d_forward)
FC_TILES(conv2d_forward) { (void)a; return 0; }
FC_RUN(conv2d_forward) { (void)a; (void)begin; (void)end; (void)scratch; }
FC_NO_SCRATCH(conv2d_pack_transposed)
FC_TILES(conv2d_pack_transposed) { (void)a; return 0; }
FC_RUN(conv2d_pack_transposed) { (void)a; (void)begin; (void)end; (void)scratch; }
FC_NO_SCRATCH(conv2d_backward_data)
FC_TILES(conv2d_backward_data) { (void)a; return 0; }
FC_RUN(conv2d_backward_data) { (void)a; (void)begin; (void)end; (void)scratch; }
FC_NO_SCRATCH(conv2d_backward_weights)
FC_TILES(conv2d_backward_weights) { (void)a; return 0; }
FC_RUN(conv2d_backward_weights) { (void)a; (void)begin; (void)end; (void)scratch; }
