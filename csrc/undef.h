/* Forgets the macros that read kernels.def, for the next reading. */
#undef FC_KERNEL
#undef FC_IN
#undef FC_PART
#undef FC_IN_OPT
#undef FC_OUT
#undef FC_OUT_OPT
#undef FC_INOUT
#undef FC_INOUT_OPT
#undef FC_INT
#undef FC_REAL
