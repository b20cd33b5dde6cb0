/* What the processor and the operating system can do, asked once; and the floating-point mode of workers. */
#include "fastcnn.h"
#include <string.h>

int fc_cpu_runs(fc_isa isa);

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>
static void cpuid(unsigned leaf, unsigned sub, unsigned r[4]) { __cpuidex((int *)r, (int)leaf, (int)sub); }
static uint64_t xcr0(void) { return _xgetbv(0); }
#else
#include <cpuid.h>
static void cpuid(unsigned leaf, unsigned sub, unsigned r[4]) {
    __cpuid_count(leaf, sub, r[0], r[1], r[2], r[3]);
}
/* By its opcode, since the intrinsic needs -mxsave on the baseline. */
static uint64_t xcr0(void) {
    uint32_t lo, hi;
    __asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
    return ((uint64_t)hi << 32) | lo;
}
#endif

/* Bits of leaf 7's EBX, leaf 1's ECX, and the register state the system saves (Intel SDM vol. 2, CPUID). */
typedef struct {
    unsigned leaf1_ecx, leaf7_ebx, leaf7_ecx;
    uint64_t state;
} cpu_bits;

static cpu_bits read_cpu(void) {
    cpu_bits b = {0, 0, 0, 0};
    unsigned r[4];
    cpuid(0, 0, r);
    unsigned last = r[0];
    cpuid(1, 0, r);
    b.leaf1_ecx = r[2];
    if (b.leaf1_ecx & (1u << 27)) b.state = xcr0();
    if (last >= 7) {
        cpuid(7, 0, r);
        b.leaf7_ebx = r[1];
        b.leaf7_ecx = r[2];
    }
    return b;
}

typedef struct {
    const char *name;
    int leaf7_ebx, bit;
} feature;
static const feature features[] = {{"sse4.2", 0, 20},   {"avx", 0, 28},       {"fma", 0, 12},
                                   {"f16c", 0, 29},     {"avx2", 1, 5},       {"avx512f", 1, 16},
                                   {"avx512dq", 1, 17}, {"avx512cd", 1, 28},  {"avx512bw", 1, 30},
                                   {"avx512vl", 1, 31}, {"avx512vnni", 2, 11}};

static int has(const cpu_bits *b, const feature *f) {
    unsigned word = f->leaf7_ebx == 0 ? b->leaf1_ecx : f->leaf7_ebx == 1 ? b->leaf7_ebx : b->leaf7_ecx;
    return (word >> f->bit) & 1;
}

int fc_cpu_runs(fc_isa isa) {
    const cpu_bits b = read_cpu();
    const unsigned fma = 1u << 12, avx = 1u << 28, avx2 = 1u << 5;
    const unsigned avx512 = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31; /* F, DQ, BW, VL */
    const int ymm = (b.state & 0x6) == 0x6, zmm = (b.state & 0xe6) == 0xe6;
    const int runs_avx2 = ymm && (b.leaf1_ecx & fma) && (b.leaf1_ecx & avx) && (b.leaf7_ebx & avx2);
    if (isa == FC_AVX2) return runs_avx2;
    if (isa == FC_AVX512) return runs_avx2 && zmm && (b.leaf7_ebx & avx512) == avx512;
    return isa == FC_PORTABLE;
}

const char *fc_cpu_features(void) {
    static char text[160];
    const cpu_bits b = read_cpu();
    char *out = text;
    for (size_t i = 0; i < sizeof features / sizeof features[0]; i++)
        if (has(&b, &features[i])) {
            size_t length = strlen(features[i].name);
            if (out != text) *out++ = ' ';
            memcpy(out, features[i].name, length);
            out += length;
        }
    *out = 0;
    return text;
}

uint64_t fc_denormals_off(void) {
    const unsigned csr = _mm_getcsr();
    _mm_setcsr(csr | 0x8040); /* FTZ and DAZ */
    return csr;
}
void fc_denormals_restore(uint64_t state) {
    /* Exception flags raised meanwhile are dropped with the rest. */
    _mm_setcsr((unsigned)state);
}

#elif defined(__aarch64__) || defined(_M_ARM64)
int fc_cpu_runs(fc_isa isa) {
    return isa == FC_PORTABLE || isa == FC_NEON; /* part of the AArch64 baseline */
}
const char *fc_cpu_features(void) { return "neon fma"; }

#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>
#define FC_FPCR ARM64_SYSREG(3, 3, 4, 4, 0)
static uint64_t read_fpcr(void) { return (uint64_t)_ReadStatusReg(FC_FPCR); }
static void write_fpcr(uint64_t v) { _WriteStatusReg(FC_FPCR, (int64_t)v); }
#else
static uint64_t read_fpcr(void) {
    uint64_t v;
    __asm__ volatile("mrs %0, fpcr" : "=r"(v));
    return v;
}
static void write_fpcr(uint64_t v) { __asm__ volatile("msr fpcr, %0" : : "r"(v)); }
#endif
uint64_t fc_denormals_off(void) {
    const uint64_t v = read_fpcr();
    write_fpcr(v | (UINT64_C(1) << 24)); /* FZ */
    return v;
}
void fc_denormals_restore(uint64_t state) { write_fpcr(state); }

#else
int fc_cpu_runs(fc_isa isa) { return isa == FC_PORTABLE; }
const char *fc_cpu_features(void) { return ""; }
uint64_t fc_denormals_off(void) { return 0; }
void fc_denormals_restore(uint64_t state) { (void)state; }
#endif
