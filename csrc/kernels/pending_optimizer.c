/* TEMPORARY: deleted when the family is written. */
#include "kernel.h"
FC_NO_SCRATCH(sgd)
FC_TILES(sgd) { (void)a; return 0; }
FC_RUN(sgd) { (void)a; (void)begin; (void)end; (void)scratch; }
FC_NO_SCRATCH(sgd_momentum)
FC_TILES(sgd_momentum) { (void)a; return 0; }
FC_RUN(sgd_momentum) { (void)a; (void)begin; (void)end; (void)scratch; }
FC_NO_SCRATCH(rmsprop)
FC_TILES(rmsprop) { (void)a; return 0; }
FC_RUN(rmsprop) { (void)a; (void)begin; (void)end; (void)scratch; }
FC_NO_SCRATCH(adam)
FC_TILES(adam) { (void)a; return 0; }
FC_RUN(adam) { (void)a; (void)begin; (void)end; (void)scratch; }
FC_NO_SCRATCH(adagrad)
FC_TILES(adagrad) { (void)a; return 0; }
FC_RUN(adagrad) { (void)a; (void)begin; (void)end; (void)scratch; }
FC_NO_SCRATCH(adadelta)
FC_TILES(adadelta) { (void)a; return 0; }
FC_RUN(adadelta) { (void)a; (void)begin; (void)end; (void)scratch; }
FC_NO_SCRATCH(lion)
FC_TILES(lion) { (void)a; return 0; }
FC_RUN(lion) { (void)a; (void)begin; (void)end; (void)scratch; }
