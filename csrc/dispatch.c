/* Which tables are compiled in, and which of them this processor can run. */
#include "fastcnn.h"

extern const fc_kernel fc_table_portable[];
#ifdef FC_HAVE_AVX2
extern const fc_kernel fc_table_avx2[];
#endif
#ifdef FC_HAVE_AVX512
extern const fc_kernel fc_table_avx512[];
#endif
#ifdef FC_HAVE_NEON
extern const fc_kernel fc_table_neon[];
#endif

int fc_cpu_runs(fc_isa isa); /* cpu.c */

const fc_kernel *fc_kernels(fc_isa isa) {
    switch (isa) {
    case FC_PORTABLE:
        return fc_table_portable;
#ifdef FC_HAVE_AVX2
    case FC_AVX2:
        return fc_table_avx2;
#endif
#ifdef FC_HAVE_AVX512
    case FC_AVX512:
        return fc_table_avx512;
#endif
#ifdef FC_HAVE_NEON
    case FC_NEON:
        return fc_table_neon;
#endif
    default:
        return NULL;
    }
}

int fc_isa_usable(fc_isa isa) { return fc_kernels(isa) != NULL && fc_cpu_runs(isa); }

fc_isa fc_best_isa(void) {
    fc_isa best = FC_PORTABLE;
    for (int isa = FC_PORTABLE + 1; isa < FC_ISA_COUNT; isa++)
        if (fc_isa_usable((fc_isa)isa)) best = (fc_isa)isa;
    return best;
}

const char *fc_isa_name(fc_isa isa) {
    static const char *const names[FC_ISA_COUNT] = {"portable", "avx2", "avx512", "neon"};
    return (unsigned)isa < FC_ISA_COUNT ? names[isa] : "unknown";
}

#define FC_STRING2(x) #x
#define FC_STRING(x) FC_STRING2(x)
const char *fc_compiler(void) {
#if defined(__clang__)
    return "Clang " __clang_version__;
#elif defined(__GNUC__)
    return "GCC " __VERSION__;
#elif defined(_MSC_VER)
    return "MSVC " FC_STRING(_MSC_FULL_VER);
#else
    return "unknown";
#endif
}
