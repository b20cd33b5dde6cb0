/* TEMPORARY: deleted when the family is written. */
#include "kernel.h"
FC_NO_SCRATCH(fold)
FC_TILES(fold) { (void)a; return 0; }
FC_RUN(fold) { (void)a; (void)begin; (void)end; (void)scratch; }
FC_NO_SCRATCH(column_sums)
FC_TILES(column_sums) { (void)a; return 0; }
FC_RUN(column_sums) { (void)a; (void)begin; (void)end; (void)scratch; }
FC_NO_SCRATCH(reduce)
FC_TILES(reduce) { (void)a; return 0; }
FC_RUN(reduce) { (void)a; (void)begin; (void)end; (void)scratch; }
