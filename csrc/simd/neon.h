/* AArch64 Advanced SIMD: 4 lanes. */
#include <arm_neon.h>
#define VL 4
typedef float32x4_t vf;
typedef uint32x4_t vm;

FC_INLINE vf vf_zero(void) { return vdupq_n_f32(0.0f); }
FC_INLINE vf vf_set1(float x) { return vdupq_n_f32(x); }
FC_INLINE vf vf_load(const float *p) { return vld1q_f32(p); }
FC_INLINE void vf_store(float *p, vf v) { vst1q_f32(p, v); }
FC_INLINE vf vf_load_n(const float *p, int n) {
    float t[4] = {0};
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
FC_INLINE vf vf_from_u8(const uint8_t *p) {
    float t[4] = {p[0], p[1], p[2], p[3]};
    return vld1q_f32(t);
}
/* Lanes hold whole numbers 0 .. 255. */
FC_INLINE void vf_to_u8(uint8_t *p, vf a) {
    uint32x4_t u = vcvtnq_u32_f32(a);
    p[0] = (uint8_t)vgetq_lane_u32(u, 0);
    p[1] = (uint8_t)vgetq_lane_u32(u, 1);
    p[2] = (uint8_t)vgetq_lane_u32(u, 2);
    p[3] = (uint8_t)vgetq_lane_u32(u, 3);
}
