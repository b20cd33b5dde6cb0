/* AVX-512 F + BW + DQ + VL: 16 lanes, masks in registers. */
#include <immintrin.h>
#define VL 16
typedef __m512 vf;
typedef __mmask16 vm;
typedef __m512i vi;

FC_INLINE vf vf_zero(void) { return _mm512_setzero_ps(); }
FC_INLINE vf vf_set1(float x) { return _mm512_set1_ps(x); }
FC_INLINE vf vf_load(const float *p) { return _mm512_loadu_ps(p); }
FC_INLINE void vf_store(float *p, vf v) { _mm512_storeu_ps(p, v); }
FC_INLINE vm vm_first(int n) { return (vm)((1u << n) - 1u); }
FC_INLINE vf vf_load_n(const float *p, int n) { return _mm512_maskz_loadu_ps(vm_first(n), p); }
FC_INLINE vf vf_load_fill(const float *p, int n, float fill) {
    return _mm512_mask_loadu_ps(_mm512_set1_ps(fill), vm_first(n), p);
}
FC_INLINE void vf_store_n(float *p, vf v, int n) { _mm512_mask_storeu_ps(p, vm_first(n), v); }
FC_INLINE void vf_stream(float *p, vf v) { _mm512_stream_ps(p, v); }
FC_INLINE void vf_fence(void) { _mm_sfence(); }
FC_INLINE vf vf_add(vf a, vf b) { return _mm512_add_ps(a, b); }
FC_INLINE vf vf_sub(vf a, vf b) { return _mm512_sub_ps(a, b); }
FC_INLINE vf vf_mul(vf a, vf b) { return _mm512_mul_ps(a, b); }
FC_INLINE vf vf_div(vf a, vf b) { return _mm512_div_ps(a, b); }
FC_INLINE vf vf_fma(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); }
FC_INLINE vf vf_sqrt(vf a) { return _mm512_sqrt_ps(a); }
FC_INLINE vf vf_abs(vf a) { return _mm512_abs_ps(a); }
FC_INLINE vf vf_neg(vf a) { return _mm512_xor_ps(a, _mm512_set1_ps(-0.0f)); }
FC_INLINE vf vf_max(vf a, vf b) { return _mm512_max_ps(a, b); }
FC_INLINE vf vf_min(vf a, vf b) { return _mm512_min_ps(a, b); }
FC_INLINE vm vm_lt(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
FC_INLINE vm vm_le(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_LE_OQ); }
FC_INLINE vm vm_eq(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ); }
FC_INLINE vm vm_nan(vf a) { return _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q); }
FC_INLINE vm vm_and(vm a, vm b) { return (vm)(a & b); }
FC_INLINE vm vm_or(vm a, vm b) { return (vm)(a | b); }
FC_INLINE vm vm_not(vm a) { return (vm)~a; }
FC_INLINE vm vm_beats(vf a, vf b) {
    return _mm512_mask_cmp_ps_mask(_mm512_cmp_ps_mask(b, b, _CMP_ORD_Q), a, b, _CMP_NLE_UQ);
}
FC_INLINE int vm_any(vm a) { return a != 0; }
FC_INLINE vf vf_blend(vm m, vf a, vf b) { return _mm512_mask_blend_ps(m, b, a); }
FC_INLINE vf vf_maxnan(vf a, vf b) { return _mm512_mask_mov_ps(_mm512_max_ps(a, b), vm_nan(a), a); }
FC_INLINE vf vf_round(vf a) { return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
FC_INLINE vf vf_pow2i(vf a) {
    return _mm512_castsi512_ps(
        _mm512_slli_epi32(_mm512_add_epi32(_mm512_cvtps_epi32(a), _mm512_set1_epi32(127)), 23));
}
FC_INLINE float vf_sum(vf a) { return _mm512_reduce_add_ps(a); }
FC_INLINE float vf_hmax(vf a) { return vm_nan(a) ? NAN : _mm512_reduce_max_ps(a); }

FC_INLINE vi vi_set1(int32_t x) { return _mm512_set1_epi32(x); }
FC_INLINE vi vi_load(const int32_t *p) { return _mm512_loadu_si512(p); }
FC_INLINE vi vi_load_n(const int32_t *p, int n) { return _mm512_maskz_loadu_epi32(vm_first(n), p); }
FC_INLINE void vi_store(int32_t *p, vi v) { _mm512_storeu_si512(p, v); }
FC_INLINE void vi_store_n(int32_t *p, vi v, int n) { _mm512_mask_storeu_epi32(p, vm_first(n), v); }
FC_INLINE vi vi_bits(vf a) { return _mm512_castps_si512(a); }
FC_INLINE vf vf_bits(vi a) { return _mm512_castsi512_ps(a); }
FC_INLINE vf vf_from_int(vi a) { return _mm512_cvtepi32_ps(a); }
FC_INLINE vi vi_add(vi a, vi b) { return _mm512_add_epi32(a, b); }
FC_INLINE vi vi_sub(vi a, vi b) { return _mm512_sub_epi32(a, b); }
#define FC_PICKS 1
FC_INLINE vf vf_pick(vf v, vi lanes) { return _mm512_permutexvar_ps(lanes, v); }
FC_INLINE vi vi_shl(vi a, int n) { return _mm512_slli_epi32(a, (unsigned)n); }
FC_INLINE vi vi_shr(vi a, int n) { return _mm512_srai_epi32(a, (unsigned)n); }
FC_INLINE vm vi_eq(vi a, vi b) { return _mm512_cmpeq_epi32_mask(a, b); }
FC_INLINE vi vi_blend(vm m, vi a, vi b) { return _mm512_mask_blend_epi32(m, b, a); }
FC_INLINE vi vi_from_u8(const uint8_t *p) {
    return _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)p));
}
FC_INLINE void vi_to_u8(uint8_t *p, vi a) { _mm_storeu_si128((__m128i *)p, _mm512_cvtepi32_epi8(a)); }
FC_INLINE vi vi_from_u8_n(const uint8_t *p, int n) {
    return _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(vm_first(n), p));
}
FC_INLINE vm vm_eq_u8(const uint8_t *p, int byte) {
    return _mm_cmpeq_epi8_mask(_mm_loadu_si128((const __m128i *)p), _mm_set1_epi8((char)byte));
}
FC_INLINE void vi_to_u8_n(uint8_t *p, vi a, int n) {
    _mm_mask_storeu_epi8(p, vm_first(n), _mm512_cvtepi32_epi8(a));
}
FC_INLINE vf vf_ldexp(vf a, vf n) { return _mm512_scalef_ps(a, n); }
