/* The table of this instruction set's kernels, made from kernels.def. */
#include "../fastcnn.h"
#include "../simd/vec.h"

#define FC_KERNEL(name, flops, fields)                                                                       \
    int64_t FC_NAME(name##_tiles)(const void *args);                                                         \
    size_t FC_NAME(name##_scratch)(const void *args);                                                        \
    void FC_NAME(name##_run)(const void *args, int64_t begin, int64_t end, void *scratch);
#include "../kernels.def"
#undef FC_KERNEL

extern const fc_kernel FC_NAME(fc_table)[];
const fc_kernel FC_NAME(fc_table)[] = {
#define FC_KERNEL(name, flops, fields) {FC_NAME(name##_tiles), FC_NAME(name##_scratch), FC_NAME(name##_run)},
#include "../kernels.def"
#undef FC_KERNEL
};
