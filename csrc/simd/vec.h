/* One vector of floats, the same operations on every instruction set. Kernels include this file only.
 *
 * The build compiles each kernel file once per instruction set with FC_TARGET_<ISA> defined and the flags that
 * the set needs. FC_NAME(f) gives a function its set's suffix. VL is the number of lanes.
 *
 *   vf                          VL floats              vm                 a mask of VL lanes
 *   vf_load(p) vf_store(p, v)   unaligned              vf_load_n, vf_store_n   the first n < VL lanes, rest 0
 *   vf_stream(p, v)             p aligned to VL floats; past the cache where the set has it (then vf_fence())
 *   vf_fma(a, b, c)             a b + c (one rounding where the set has FMA)
 *   vf_max(a, b), vf_min(a, b)  b where either is NaN: write vf_max(limit, x) to let x's NaN through
 *   vf_maxnan(a, b)             NaN where either is NaN
 *   vf_blend(m, a, b)           m ? a : b
 *   vf_sum(v), vf_hmax(v)       across lanes, in a fixed order; vf_hmax is NaN if any lane is
 *   vf_pow2i(v)                 2^v for whole v in -126..127
 *   vf_round(v)                 to nearest even, |v| < 2^22
 */
#ifndef FC_VEC_H
#define FC_VEC_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(_MSC_VER) && !defined(__clang__)
#define FC_INLINE static __forceinline
#define FC_UNROLL(n)
#define FC_RESTRICT __restrict
#define FC_ALIGNED(n) __declspec(align(n))
#else
#define FC_INLINE static inline __attribute__((always_inline))
#define FC_PRAGMA(x) _Pragma(#x)
#if defined(__clang__)
#define FC_UNROLL(n) FC_PRAGMA(unroll n)
#else
#define FC_UNROLL(n) FC_PRAGMA(GCC unroll n)
#endif
#define FC_RESTRICT __restrict__
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
#include "scalar.h"
#endif

/* Loads and stores of n lanes, n = VL allowed: for loops whose last step may be short. */
FC_INLINE vf vf_load_tail(const float *p, int64_t n) { return n >= VL ? vf_load(p) : vf_load_n(p, (int)n); }
FC_INLINE void vf_store_tail(float *p, vf v, int64_t n) {
    if (n >= VL) vf_store(p, v);
    else vf_store_n(p, v, (int)n);
}

#endif
