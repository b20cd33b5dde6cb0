/* AVX2 + FMA: 8 lanes, masks are vectors of all-ones or zero. */
#include <immintrin.h>
#define VL 8
typedef __m256 vf;
typedef __m256 vm;
typedef __m256i vi;

FC_INLINE vf vf_zero(void) { return _mm256_setzero_ps(); }
FC_INLINE vf vf_set1(float x) { return _mm256_set1_ps(x); }
FC_INLINE vf vf_load(const float *p) { return _mm256_loadu_ps(p); }
FC_INLINE void vf_store(float *p, vf v) { _mm256_storeu_ps(p, v); }
FC_INLINE __m256i vm_first(int n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
FC_INLINE vf vf_load_n(const float *p, int n) { return _mm256_maskload_ps(p, vm_first(n)); }
FC_INLINE vf vf_load_fill(const float *p, int n, float fill) {
    const __m256i first = vm_first(n);
    return _mm256_blendv_ps(_mm256_set1_ps(fill), _mm256_maskload_ps(p, first), _mm256_castsi256_ps(first));
}
FC_INLINE void vf_store_n(float *p, vf v, int n) { _mm256_maskstore_ps(p, vm_first(n), v); }
FC_INLINE void vf_stream(float *p, vf v) { _mm256_stream_ps(p, v); }
FC_INLINE void vf_fence(void) { _mm_sfence(); }
FC_INLINE vf vf_add(vf a, vf b) { return _mm256_add_ps(a, b); }
FC_INLINE vf vf_sub(vf a, vf b) { return _mm256_sub_ps(a, b); }
FC_INLINE vf vf_mul(vf a, vf b) { return _mm256_mul_ps(a, b); }
FC_INLINE vf vf_div(vf a, vf b) { return _mm256_div_ps(a, b); }
FC_INLINE vf vf_fma(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); }
FC_INLINE vf vf_sqrt(vf a) { return _mm256_sqrt_ps(a); }
FC_INLINE vf vf_abs(vf a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }
FC_INLINE vf vf_neg(vf a) { return _mm256_xor_ps(a, _mm256_set1_ps(-0.0f)); }
FC_INLINE vf vf_max(vf a, vf b) { return _mm256_max_ps(a, b); }
FC_INLINE vf vf_min(vf a, vf b) { return _mm256_min_ps(a, b); }
FC_INLINE vm vm_lt(vf a, vf b) { return _mm256_cmp_ps(a, b, _CMP_LT_OQ); }
FC_INLINE vm vm_le(vf a, vf b) { return _mm256_cmp_ps(a, b, _CMP_LE_OQ); }
FC_INLINE vm vm_eq(vf a, vf b) { return _mm256_cmp_ps(a, b, _CMP_EQ_OQ); }
FC_INLINE vm vm_nan(vf a) { return _mm256_cmp_ps(a, a, _CMP_UNORD_Q); }
FC_INLINE vm vm_and(vm a, vm b) { return _mm256_and_ps(a, b); }
FC_INLINE vm vm_or(vm a, vm b) { return _mm256_or_ps(a, b); }
FC_INLINE vm vm_not(vm a) { return _mm256_xor_ps(a, _mm256_castsi256_ps(_mm256_set1_epi32(-1))); }
FC_INLINE vm vm_beats(vf a, vf b) {
    return _mm256_and_ps(_mm256_cmp_ps(b, b, _CMP_ORD_Q), _mm256_cmp_ps(a, b, _CMP_NLE_UQ));
}
FC_INLINE int vm_any(vm a) { return _mm256_movemask_ps(a) != 0; }
FC_INLINE vf vf_blend(vm m, vf a, vf b) { return _mm256_blendv_ps(b, a, m); }
FC_INLINE vf vf_maxnan(vf a, vf b) { return _mm256_blendv_ps(_mm256_max_ps(a, b), a, vm_nan(a)); }
FC_INLINE vf vf_round(vf a) { return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
FC_INLINE vf vf_pow2i(vf a) {
    return _mm256_castsi256_ps(
        _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(a), _mm256_set1_epi32(127)), 23));
}
FC_INLINE float vf_sum(vf a) {
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}
FC_INLINE float vf_hmax(vf a) {
    if (_mm256_movemask_ps(vm_nan(a))) return NAN;
    __m128 s = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    s = _mm_max_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
}

FC_INLINE vi vi_set1(int32_t x) { return _mm256_set1_epi32(x); }
FC_INLINE vi vi_load(const int32_t *p) { return _mm256_loadu_si256((const __m256i *)p); }
FC_INLINE vi vi_load_n(const int32_t *p, int n) { return _mm256_maskload_epi32((const int *)p, vm_first(n)); }
FC_INLINE void vi_store(int32_t *p, vi v) { _mm256_storeu_si256((__m256i *)p, v); }
FC_INLINE void vi_store_n(int32_t *p, vi v, int n) { _mm256_maskstore_epi32((int *)p, vm_first(n), v); }
FC_INLINE vi vi_bits(vf a) { return _mm256_castps_si256(a); }
FC_INLINE vf vf_bits(vi a) { return _mm256_castsi256_ps(a); }
FC_INLINE vf vf_from_int(vi a) { return _mm256_cvtepi32_ps(a); }
FC_INLINE vi vi_add(vi a, vi b) { return _mm256_add_epi32(a, b); }
FC_INLINE vi vi_sub(vi a, vi b) { return _mm256_sub_epi32(a, b); }
#define FC_PICKS 1
FC_INLINE vf vf_pick(vf v, vi lanes) { return _mm256_permutevar8x32_ps(v, lanes); }
FC_INLINE vi vi_shl(vi a, int n) { return _mm256_slli_epi32(a, n); }
FC_INLINE vi vi_shr(vi a, int n) { return _mm256_srai_epi32(a, n); }
FC_INLINE vm vi_eq(vi a, vi b) { return _mm256_castsi256_ps(_mm256_cmpeq_epi32(a, b)); }
FC_INLINE vi vi_blend(vm m, vi a, vi b) { return vi_bits(_mm256_blendv_ps(vf_bits(b), vf_bits(a), m)); }
FC_INLINE vi vi_from_u8(const uint8_t *p) {
    return _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)p));
}
FC_INLINE void vi_to_u8(uint8_t *p, vi a) {
    __m128i s = _mm_packus_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
    _mm_storel_epi64((__m128i *)p, _mm_packus_epi16(s, s));
}
FC_INLINE vm vm_eq_u8(const uint8_t *p, int byte) { return vi_eq(vi_from_u8(p), vi_set1(byte)); }
/* Bytes are gathered in one word (processors with these vectors run little-endian): one store of it can feed
 * the vector load, which several small ones would hold up. */
FC_INLINE vi vi_from_u8_n(const uint8_t *p, int n) {
    uint64_t word = 0;
    if (n >= VL) return vi_from_u8(p);
    for (int i = 0; i < n; i++) word |= (uint64_t)p[i] << (8 * i);
    return vi_from_u8((const uint8_t *)&word);
}
FC_INLINE void vi_to_u8_n(uint8_t *p, vi a, int n) {
    uint64_t word;
    vi_to_u8((uint8_t *)&word, a);
    if (n >= VL)
        vi_to_u8(p, a);
    else
        for (int i = 0; i < n; i++) p[i] = (uint8_t)(word >> (8 * i));
}
FC_INLINE vf vf_ldexp(vf a, vf n) {
    const vf half = vf_round(vf_mul(n, vf_set1(0.5f)));
    return vf_mul(vf_mul(a, vf_pow2i(half)), vf_pow2i(vf_sub(n, half)));
}
