/* One vector of floats, the same operations on every instruction set. Kernels include this file only.
 *
 * The build compiles each kernel file once per instruction set with FC_TARGET_<ISA> defined and the flags
 * that the set needs. FC_NAME(f) gives a function its set's suffix. VL is the number of lanes.
 *
 *   vf, vi, vm                  VL floats, VL int32, a mask of VL lanes
 *   vf_load(p) vf_store(p, v)   unaligned; vf_load_n, vf_store_n: the first n <= VL lanes, the rest 0
 *   vf_load_fill(p, n, x)       the first n <= VL lanes, the rest x
 *   vf_load_tail(p, n), vf_store_tail(p, v, n)   the first min(n, VL) lanes
 *   vf_keep(v, n)               v in the first min(n, VL) lanes, 0 in the rest; vi_iota(): 0, 1, 2, ...
 *   vf_stream(p, v)             p aligned to VL floats; past the cache where the set has it (then vf_fence())
 *   vf_fma(a, b, c)             a b + c (one rounding where the set has FMA)
 *   vf_max(a, b), vf_min(a, b)  b where either is NaN: write vf_max(limit, x) to let x's NaN through
 *   vf_maxnan(a, b)             NaN where either is NaN
 *   vf_blend(m, a, b)           m ? a : b
 *   fc_prefetch(p)              ask for p's cache line; p may lie anywhere
 *   vf_sum(v), vf_hmax(v)       across lanes, in a fixed order; vf_hmax is NaN if any lane is
 *   vf_round(v)                 to nearest even, |v| < 2^22
 *   vf_pow2i(v)                 2^v for whole v in -126..127
 *   vf_ldexp(a, v)              a 2^v for whole v in -252..254
 *   vm_lt, vm_le, vm_eq         false where either is NaN; vm_any: is any lane set
 *   vm_beats(a, b)              a > b, or a is NaN and b is not: what a running maximum that keeps NaN takes
 *   vi_load, vi_store, _n       as for floats
 *   vi_bits(a), vf_bits(v)      the same bits as the other type; vf_from_int converts the value
 *   vf_pick(v, lanes)           v's lanes of these numbers; only where FC_PICKS is 1
 *   vi_shl, vi_shr              by a constant; vi_shr copies the sign
 *   vm_eq_u8(p, byte)           which of VL bytes are `byte`, 0 .. 255
 *   vi_from_u8, vi_to_u8, _n    VL bytes, or the first n <= VL of them; lanes hold 0 .. 255
 */
#ifndef FC_VEC_H
#define FC_VEC_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(_MSC_VER) && !defined(__clang__)
#define FC_INLINE static __forceinline
#define FC_NOINLINE static __declspec(noinline)
#define FC_UNROLL(n)
#define FC_RESTRICT __restrict
#define fc_prefetch(p) ((void)(p))
#define fc_prefetch_l2(p) ((void)(p))
#define FC_ALIGNED(n) __declspec(align(n))
#else
#define FC_INLINE static inline __attribute__((always_inline))
#define FC_NOINLINE static __attribute__((noinline))
#define FC_PRAGMA(x) _Pragma(#x)
#if defined(__clang__)
#define FC_UNROLL(n) FC_PRAGMA(unroll n)
#else
#define FC_UNROLL(n) FC_PRAGMA(GCC unroll n)
#endif
#define FC_RESTRICT __restrict__
#define fc_prefetch(p) __builtin_prefetch(p)
#define fc_prefetch_l2(p) __builtin_prefetch(p, 0, 2)
#define FC_ALIGNED(n) __attribute__((aligned(n)))
#endif

#define FC_JOIN2(a, b) a##_##b
#define FC_JOIN(a, b) FC_JOIN2(a, b)
#define FC_NAME(f) FC_JOIN(f, FC_TARGET)

#if defined(FC_TARGET_AVX512)
#define FC_TARGET avx512
#include "avx512.h"
#elif defined(FC_TARGET_AVX2)
#define FC_TARGET avx2
#include "avx2.h"
#elif defined(FC_TARGET_NEON)
#define FC_TARGET neon
#include "neon.h"
#else
#define FC_TARGET portable
#if (defined(__SSE2__) || defined(_M_X64)) && !defined(FC_PLAIN_C)
#include "sse2.h"
#else
#include "scalar.h"
#endif
#endif

#ifndef FC_PICKS
#define FC_PICKS 0
#define vf_pick(v, lanes) (v)
#endif

/* Loads and stores of n lanes, n >= VL allowed: for loops whose last step may be short. */
FC_INLINE vf vf_load_tail(const float *p, int64_t n) { return n >= VL ? vf_load(p) : vf_load_n(p, (int)n); }
FC_INLINE void vf_store_tail(float *p, vf v, int64_t n) {
    if (n >= VL)
        vf_store(p, v);
    else
        vf_store_n(p, v, (int)n);
}

/* 0, 1, 2, ... */
FC_INLINE vi vi_iota(void) {
    static const int32_t numbers[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    return vi_load(numbers);
}
/* v in the first n lanes, 0 in the rest. */
FC_INLINE vf vf_keep(vf v, int64_t n) {
    return n >= VL ? v : vf_blend(vm_lt(vf_from_int(vi_iota()), vf_set1((float)n)), v, vf_zero());
}
/* A loop over `count` elements, four vectors a turn so that the loop itself costs nothing: STEP(i, n) for n =
 * VL lanes from i on, then once for the rest. n is a constant in the hot part, where vf_load_tail and
 * vf_store_tail become plain loads and stores. */
#define FC_FOR_LANES(count, STEP)                                                                            \
    do {                                                                                                     \
        int64_t i = 0;                                                                                       \
        for (; i + 4 * VL <= (count); i += 4 * VL) {                                                         \
            STEP(i, VL);                                                                                     \
            STEP(i + VL, VL);                                                                                \
            STEP(i + 2 * VL, VL);                                                                            \
            STEP(i + 3 * VL, VL);                                                                            \
        }                                                                                                    \
        for (; i + VL <= (count); i += VL) STEP(i, VL);                                                      \
        if (i < (count)) STEP(i, (count)-i);                                                                 \
    } while (0)

#endif
