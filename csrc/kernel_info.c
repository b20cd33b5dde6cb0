/* The description of every kernel's arguments, made from kernels.def. */
#include "fastcnn.h"

#define INFO_FIELD(name, type, kind, optional) {#name, #type, kind, optional},
#define FC_KERNEL(name, flops, fields) static const fc_field name##_fields[] = {fields};
#define FC_IN(type, name, count) INFO_FIELD(name, type, FC_FIELD_IN, 0)
#define FC_PART(type, name, count) INFO_FIELD(name, type, FC_FIELD_PART, 0)
#define FC_IN_OPT(type, name, count) INFO_FIELD(name, type, FC_FIELD_IN, 1)
#define FC_OUT(type, name, count) INFO_FIELD(name, type, FC_FIELD_OUT, 0)
#define FC_OUT_OPT(type, name, count) INFO_FIELD(name, type, FC_FIELD_OUT, 1)
#define FC_INOUT(type, name, count) INFO_FIELD(name, type, FC_FIELD_INOUT, 0)
#define FC_INOUT_OPT(type, name, count) INFO_FIELD(name, type, FC_FIELD_INOUT, 1)
#define FC_INT(name) {#name, "", FC_FIELD_INT, 0},
#define FC_REAL(name) {#name, "", FC_FIELD_REAL, 0},
#include "kernels.def"
#include "undef.h"

#define FC_KERNEL(name, flops, fields)                                                                       \
    static void name##_extents(const void *args, int64_t *counts) {                                          \
        const fc_##name##_args *a = args;                                                                    \
        (void)a;                                                                                             \
        (void)counts;                                                                                        \
        fields                                                                                               \
    }
#define FC_IN(type, name, count) *counts++ = (count);
#define FC_PART(type, name, count) *counts++ = (count);
#define FC_IN_OPT(type, name, count) *counts++ = (count);
#define FC_OUT(type, name, count) *counts++ = (count);
#define FC_OUT_OPT(type, name, count) *counts++ = (count);
#define FC_INOUT(type, name, count) *counts++ = (count);
#define FC_INOUT_OPT(type, name, count) *counts++ = (count);
#define FC_INT(name)
#define FC_REAL(name)
#include "kernels.def"
#include "undef.h"

#define FC_KERNEL(name, flops, fields)                                                                       \
    static double name##_flops(const void *args) {                                                           \
        const fc_##name##_args *a = args;                                                                    \
        (void)a;                                                                                             \
        return flops;                                                                                        \
    }
#include "kernels.def"
#undef FC_KERNEL

#define FC_KERNEL(name, flops, fields)                                                                       \
    _Static_assert(sizeof(fc_##name##_args) == 8 * (sizeof(name##_fields) / sizeof(name##_fields[0])),       \
                   "every field is 8 bytes");
#include "kernels.def"
#undef FC_KERNEL

static const fc_kernel_info table[] = {
#define FC_KERNEL(name, flops, fields)                                                                       \
    {#name, (int)(sizeof(name##_fields) / sizeof(name##_fields[0])), name##_fields, name##_extents,          \
     name##_flops},
#include "kernels.def"
#undef FC_KERNEL
};

const fc_kernel_info *fc_kernel_table(void) { return table; }
