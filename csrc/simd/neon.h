/* AArch64 Advanced SIMD: 4 lanes. */
#include <arm_neon.h>
#define VL 4
typedef float32x4_t vf;
typedef uint32x4_t vm;
typedef int32x4_t vi;

FC_INLINE vf vf_zero(void) { return vdupq_n_f32(0.0f); }
FC_INLINE vf vf_set1(float x) { return vdupq_n_f32(x); }
FC_INLINE vf vf_load(const float *p) { return vld1q_f32(p); }
FC_INLINE void vf_store(float *p, vf v) { vst1q_f32(p, v); }
FC_INLINE vf vf_load_n(const float *p, int n) {
    float t[4] = {0};
    for (int i = 0; i < n; i++) t[i] = p[i];
    return vld1q_f32(t);
}
FC_INLINE vf vf_load_fill(const float *p, int n, float fill) {
    float t[4] = {fill, fill, fill, fill};
    for (int i = 0; i < n; i++) t[i] = p[i];
    return vld1q_f32(t);
}
FC_INLINE void vf_store_n(float *p, vf v, int n) {
    float t[4];
    vst1q_f32(t, v);
    for (int i = 0; i < n; i++) p[i] = t[i];
}
FC_INLINE void vf_stream(float *p, vf v) { vst1q_f32(p, v); }
FC_INLINE void vf_fence(void) {}
FC_INLINE vf vf_add(vf a, vf b) { return vaddq_f32(a, b); }
FC_INLINE vf vf_sub(vf a, vf b) { return vsubq_f32(a, b); }
FC_INLINE vf vf_mul(vf a, vf b) { return vmulq_f32(a, b); }
FC_INLINE vf vf_div(vf a, vf b) { return vdivq_f32(a, b); }
FC_INLINE vf vf_fma(vf a, vf b, vf c) { return vfmaq_f32(c, a, b); }
FC_INLINE vf vf_sqrt(vf a) { return vsqrtq_f32(a); }
FC_INLINE vf vf_abs(vf a) { return vabsq_f32(a); }
FC_INLINE vf vf_neg(vf a) { return vnegq_f32(a); }
FC_INLINE vm vm_lt(vf a, vf b) { return vcltq_f32(a, b); }
FC_INLINE vm vm_le(vf a, vf b) { return vcleq_f32(a, b); }
FC_INLINE vm vm_eq(vf a, vf b) { return vceqq_f32(a, b); }
FC_INLINE vm vm_nan(vf a) { return vmvnq_u32(vceqq_f32(a, a)); }
FC_INLINE vm vm_and(vm a, vm b) { return vandq_u32(a, b); }
FC_INLINE vm vm_or(vm a, vm b) { return vorrq_u32(a, b); }
FC_INLINE vm vm_not(vm a) { return vmvnq_u32(a); }
FC_INLINE vm vm_beats(vf a, vf b) { return vbicq_u32(vceqq_f32(b, b), vcleq_f32(a, b)); }
FC_INLINE int vm_any(vm a) { return vmaxvq_u32(a) != 0; }
FC_INLINE vf vf_blend(vm m, vf a, vf b) { return vbslq_f32(m, a, b); }
/* a > b ? a : b, not vmaxq: the same answer for NaN and for signed zeros as on the other sets. */
FC_INLINE vf vf_max(vf a, vf b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }
FC_INLINE vf vf_min(vf a, vf b) { return vbslq_f32(vcltq_f32(a, b), a, b); }
FC_INLINE vf vf_maxnan(vf a, vf b) { return vmaxq_f32(a, b); }
FC_INLINE vf vf_round(vf a) { return vrndnq_f32(a); }
FC_INLINE vf vf_pow2i(vf a) {
    return vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(vcvtnq_s32_f32(a), vdupq_n_s32(127)), 23));
}
FC_INLINE float vf_sum(vf a) { return vaddvq_f32(a); }
FC_INLINE float vf_hmax(vf a) { return vmaxvq_f32(a); }

FC_INLINE vi vi_set1(int32_t x) { return vdupq_n_s32(x); }
FC_INLINE vi vi_load(const int32_t *p) { return vld1q_s32(p); }
FC_INLINE vi vi_load_n(const int32_t *p, int n) {
    int32_t t[4] = {0};
    for (int i = 0; i < n; i++) t[i] = p[i];
    return vld1q_s32(t);
}
FC_INLINE void vi_store(int32_t *p, vi v) { vst1q_s32(p, v); }
FC_INLINE void vi_store_n(int32_t *p, vi v, int n) {
    int32_t t[4];
    vst1q_s32(t, v);
    for (int i = 0; i < n; i++) p[i] = t[i];
}
FC_INLINE vi vi_bits(vf a) { return vreinterpretq_s32_f32(a); }
FC_INLINE vf vf_bits(vi a) { return vreinterpretq_f32_s32(a); }
FC_INLINE vf vf_from_int(vi a) { return vcvtq_f32_s32(a); }
FC_INLINE vi vi_add(vi a, vi b) { return vaddq_s32(a, b); }
FC_INLINE vi vi_sub(vi a, vi b) { return vsubq_s32(a, b); }
FC_INLINE vi vi_shl(vi a, int n) { return vshlq_s32(a, vdupq_n_s32(n)); }
FC_INLINE vi vi_shr(vi a, int n) { return vshlq_s32(a, vdupq_n_s32(-n)); }
FC_INLINE vm vi_eq(vi a, vi b) { return vceqq_s32(a, b); }
FC_INLINE vi vi_blend(vm m, vi a, vi b) { return vbslq_s32(m, a, b); }
FC_INLINE vi vi_from_u8(const uint8_t *p) {
    uint32_t word;
    memcpy(&word, p, 4);
    const uint16x8_t wide = vmovl_u8(vreinterpret_u8_u32(vdup_n_u32(word)));
    return vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(wide)));
}
FC_INLINE void vi_to_u8(uint8_t *p, vi a) {
    const uint16x4_t half = vmovn_u32(vreinterpretq_u32_s32(a));
    const uint32_t word = vget_lane_u32(vreinterpret_u32_u8(vmovn_u16(vcombine_u16(half, half))), 0);
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
