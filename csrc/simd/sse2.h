/* SSE2, the baseline of x86-64 ("portable" there): 4 lanes, masks are vectors of all-ones or zero. */
#include <emmintrin.h>
#define VL 4
typedef __m128 vf;
typedef __m128 vm;
typedef __m128i vi;

FC_INLINE vf vf_zero(void) { return _mm_setzero_ps(); }
FC_INLINE vf vf_set1(float x) { return _mm_set1_ps(x); }
FC_INLINE vf vf_load(const float *p) { return _mm_loadu_ps(p); }
FC_INLINE void vf_store(float *p, vf v) { _mm_storeu_ps(p, v); }
/* One, two or three lanes by their own instructions: through memory a load would wait for three small stores.
 * As integers, since only their loads may read memory of any type. */
FC_INLINE __m128i sse2_load_n(const void *p, int n) {
    int32_t last;
    if (n <= 0) return _mm_setzero_si128();
    if (n >= 4) return _mm_loadu_si128((const __m128i *)p);
    memcpy(&last, (const char *)p + 4 * (n - 1), 4);
    if (n == 1) return _mm_cvtsi32_si128(last);
    const __m128i two = _mm_loadl_epi64((const __m128i *)p);
    return n == 2 ? two : _mm_unpacklo_epi64(two, _mm_cvtsi32_si128(last));
}
FC_INLINE void sse2_store_n(void *p, __m128i v, int n) {
    if (n >= 4)
        _mm_storeu_si128((__m128i *)p, v);
    else if (n > 0) {
        if (n > 1) _mm_storel_epi64((__m128i *)p, v);
        if (n != 2) {
            const int32_t last = _mm_cvtsi128_si32(n == 1 ? v : _mm_unpackhi_epi64(v, v));
            memcpy((char *)p + 4 * (n - 1), &last, 4);
        }
    }
}
FC_INLINE vf vf_load_n(const float *p, int n) { return _mm_castsi128_ps(sse2_load_n(p, n)); }
FC_INLINE void vf_store_n(float *p, vf v, int n) { sse2_store_n(p, _mm_castps_si128(v), n); }
FC_INLINE vm vm_first(int n) {
    return _mm_castsi128_ps(_mm_cmpgt_epi32(_mm_set1_epi32(n), _mm_setr_epi32(0, 1, 2, 3)));
}
FC_INLINE vf vf_blend(vm m, vf a, vf b) { return _mm_or_ps(_mm_and_ps(m, a), _mm_andnot_ps(m, b)); }
FC_INLINE vf vf_load_fill(const float *p, int n, float fill) {
    return vf_blend(vm_first(n), vf_load_n(p, n), _mm_set1_ps(fill));
}
FC_INLINE void vf_stream(float *p, vf v) { _mm_stream_ps(p, v); }
FC_INLINE void vf_fence(void) { _mm_sfence(); }
FC_INLINE vf vf_add(vf a, vf b) { return _mm_add_ps(a, b); }
FC_INLINE vf vf_sub(vf a, vf b) { return _mm_sub_ps(a, b); }
FC_INLINE vf vf_mul(vf a, vf b) { return _mm_mul_ps(a, b); }
FC_INLINE vf vf_div(vf a, vf b) { return _mm_div_ps(a, b); }
FC_INLINE vf vf_fma(vf a, vf b, vf c) { return _mm_add_ps(_mm_mul_ps(a, b), c); }
FC_INLINE vf vf_sqrt(vf a) { return _mm_sqrt_ps(a); }
FC_INLINE vf vf_abs(vf a) { return _mm_andnot_ps(_mm_set1_ps(-0.0f), a); }
FC_INLINE vf vf_neg(vf a) { return _mm_xor_ps(a, _mm_set1_ps(-0.0f)); }
FC_INLINE vf vf_max(vf a, vf b) { return _mm_max_ps(a, b); }
FC_INLINE vf vf_min(vf a, vf b) { return _mm_min_ps(a, b); }
FC_INLINE vm vm_lt(vf a, vf b) { return _mm_cmplt_ps(a, b); }
FC_INLINE vm vm_le(vf a, vf b) { return _mm_cmple_ps(a, b); }
FC_INLINE vm vm_eq(vf a, vf b) { return _mm_cmpeq_ps(a, b); }
FC_INLINE vm vm_nan(vf a) { return _mm_cmpunord_ps(a, a); }
FC_INLINE vm vm_and(vm a, vm b) { return _mm_and_ps(a, b); }
FC_INLINE vm vm_or(vm a, vm b) { return _mm_or_ps(a, b); }
FC_INLINE vm vm_not(vm a) { return _mm_xor_ps(a, _mm_castsi128_ps(_mm_set1_epi32(-1))); }
FC_INLINE vm vm_beats(vf a, vf b) { return _mm_and_ps(_mm_cmpord_ps(b, b), _mm_cmpnle_ps(a, b)); }
FC_INLINE int vm_any(vm a) { return _mm_movemask_ps(a) != 0; }
FC_INLINE vf vf_maxnan(vf a, vf b) { return vf_blend(vm_nan(a), a, _mm_max_ps(a, b)); }
/* Adding 1.5 x 2^23 leaves no bits for a fraction. */
FC_INLINE vf vf_round(vf a) {
    const vf shift = _mm_set1_ps(12582912.0f);
    return _mm_sub_ps(_mm_add_ps(a, shift), shift);
}
FC_INLINE vf vf_pow2i(vf a) {
    return _mm_castsi128_ps(_mm_slli_epi32(_mm_add_epi32(_mm_cvtps_epi32(a), _mm_set1_epi32(127)), 23));
}
FC_INLINE float vf_sum(vf a) {
    const __m128 s = _mm_add_ps(a, _mm_movehl_ps(a, a));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_shuffle_ps(s, s, 1)));
}
FC_INLINE float vf_hmax(vf a) {
    if (_mm_movemask_ps(vm_nan(a))) return NAN;
    const __m128 s = _mm_max_ps(a, _mm_movehl_ps(a, a));
    return _mm_cvtss_f32(_mm_max_ss(s, _mm_shuffle_ps(s, s, 1)));
}

FC_INLINE vi vi_set1(int32_t x) { return _mm_set1_epi32(x); }
FC_INLINE vi vi_load(const int32_t *p) { return _mm_loadu_si128((const __m128i *)p); }
FC_INLINE vi vi_load_n(const int32_t *p, int n) { return sse2_load_n(p, n); }
FC_INLINE void vi_store(int32_t *p, vi v) { _mm_storeu_si128((__m128i *)p, v); }
FC_INLINE void vi_store_n(int32_t *p, vi v, int n) { sse2_store_n(p, v, n); }
FC_INLINE vi vi_bits(vf a) { return _mm_castps_si128(a); }
FC_INLINE vf vf_bits(vi a) { return _mm_castsi128_ps(a); }
FC_INLINE vf vf_from_int(vi a) { return _mm_cvtepi32_ps(a); }
FC_INLINE vi vi_add(vi a, vi b) { return _mm_add_epi32(a, b); }
FC_INLINE vi vi_sub(vi a, vi b) { return _mm_sub_epi32(a, b); }
FC_INLINE vi vi_shl(vi a, int n) { return _mm_slli_epi32(a, n); }
FC_INLINE vi vi_shr(vi a, int n) { return _mm_srai_epi32(a, n); }
FC_INLINE vm vi_eq(vi a, vi b) { return _mm_castsi128_ps(_mm_cmpeq_epi32(a, b)); }
FC_INLINE vi vi_blend(vm m, vi a, vi b) { return vi_bits(vf_blend(m, vf_bits(a), vf_bits(b))); }
FC_INLINE vi vi_from_u8(const uint8_t *p) {
    int32_t word;
    memcpy(&word, p, 4);
    const __m128i zero = _mm_setzero_si128();
    return _mm_unpacklo_epi16(_mm_unpacklo_epi8(_mm_cvtsi32_si128(word), zero), zero);
}
FC_INLINE void vi_to_u8(uint8_t *p, vi a) {
    const __m128i s = _mm_packs_epi32(a, a);
    const int32_t word = _mm_cvtsi128_si32(_mm_packus_epi16(s, s));
    memcpy(p, &word, 4);
}
/* Bytes are gathered in one word (processors with these vectors run little-endian): one store of it can feed
 * the vector load, which several small ones would hold up. */
FC_INLINE vi vi_from_u8_n(const uint8_t *p, int n) {
    uint32_t word = 0;
    if (n >= VL) return vi_from_u8(p);
    for (int i = 0; i < n; i++) word |= (uint32_t)p[i] << (8 * i);
    return vi_from_u8((const uint8_t *)&word);
}
FC_INLINE vm vm_eq_u8(const uint8_t *p, int byte) { return vi_eq(vi_from_u8(p), vi_set1(byte)); }
FC_INLINE void vi_to_u8_n(uint8_t *p, vi a, int n) {
    uint32_t word;
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
