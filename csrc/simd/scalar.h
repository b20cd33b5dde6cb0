/* Plain C, 4 lanes in an array: compilers turn the loops into whatever the baseline has (SSE2 on x86-64).
 * Also what a compiler without a header of its own here gets. */
#define VL 4
typedef struct {
    float v[VL];
} vf;
typedef struct {
    int32_t v[VL];
} vm;

#define FC_LANES(expr)                                                                                       \
    vf r;                                                                                                    \
    FC_UNROLL(4)                                                                                             \
    for (int i = 0; i < VL; i++) r.v[i] = (expr);                                                            \
    return r
#define FC_MASK_LANES(expr)                                                                                  \
    vm r;                                                                                                    \
    FC_UNROLL(4)                                                                                             \
    for (int i = 0; i < VL; i++) r.v[i] = (expr);                                                            \
    return r

FC_INLINE vf vf_zero(void) { FC_LANES(0.0f); }
FC_INLINE vf vf_set1(float x) { FC_LANES(x); }
FC_INLINE vf vf_load(const float *p) {
    vf r;
    memcpy(&r, p, sizeof r);
    return r;
}
FC_INLINE void vf_store(float *p, vf a) { memcpy(p, &a, sizeof a); }
FC_INLINE vf vf_load_n(const float *p, int n) { FC_LANES(i < n ? p[i] : 0.0f); }
FC_INLINE void vf_store_n(float *p, vf a, int n) {
    for (int i = 0; i < n; i++) p[i] = a.v[i];
}
FC_INLINE void vf_stream(float *p, vf a) { memcpy(p, &a, sizeof a); }
FC_INLINE void vf_fence(void) {}
FC_INLINE vf vf_add(vf a, vf b) { FC_LANES(a.v[i] + b.v[i]); }
FC_INLINE vf vf_sub(vf a, vf b) { FC_LANES(a.v[i] - b.v[i]); }
FC_INLINE vf vf_mul(vf a, vf b) { FC_LANES(a.v[i] * b.v[i]); }
FC_INLINE vf vf_div(vf a, vf b) { FC_LANES(a.v[i] / b.v[i]); }
FC_INLINE vf vf_fma(vf a, vf b, vf c) { FC_LANES(a.v[i] * b.v[i] + c.v[i]); }
FC_INLINE vf vf_sqrt(vf a) { FC_LANES(sqrtf(a.v[i])); }
FC_INLINE vf vf_abs(vf a) { FC_LANES(fabsf(a.v[i])); }
FC_INLINE vf vf_neg(vf a) { FC_LANES(-a.v[i]); }
FC_INLINE vf vf_max(vf a, vf b) { FC_LANES(a.v[i] > b.v[i] ? a.v[i] : b.v[i]); }
FC_INLINE vf vf_min(vf a, vf b) { FC_LANES(a.v[i] < b.v[i] ? a.v[i] : b.v[i]); }
FC_INLINE vm vm_lt(vf a, vf b) { FC_MASK_LANES(-(a.v[i] < b.v[i])); }
FC_INLINE vm vm_le(vf a, vf b) { FC_MASK_LANES(-(a.v[i] <= b.v[i])); }
FC_INLINE vm vm_eq(vf a, vf b) { FC_MASK_LANES(-(a.v[i] == b.v[i])); }
FC_INLINE vm vm_nan(vf a) { FC_MASK_LANES(-(a.v[i] != a.v[i])); }
FC_INLINE vm vm_and(vm a, vm b) { FC_MASK_LANES(a.v[i] & b.v[i]); }
FC_INLINE vm vm_or(vm a, vm b) { FC_MASK_LANES(a.v[i] | b.v[i]); }
FC_INLINE vm vm_not(vm a) { FC_MASK_LANES(~a.v[i]); }
FC_INLINE vf vf_blend(vm m, vf a, vf b) { FC_LANES(m.v[i] ? a.v[i] : b.v[i]); }
FC_INLINE vf vf_maxnan(vf a, vf b) { FC_LANES(a.v[i] > b.v[i] || a.v[i] != a.v[i] ? a.v[i] : b.v[i]); }
FC_INLINE vf vf_round(vf a) {
    vf r;
    for (int i = 0; i < VL; i++) r.v[i] = rintf(a.v[i]);
    return r;
}
FC_INLINE vf vf_pow2i(vf a) {
    int32_t bits[VL];
    vf r;
    for (int i = 0; i < VL; i++) bits[i] = ((int32_t)a.v[i] + 127) * (1 << 23);
    memcpy(&r, bits, sizeof r);
    return r;
}
FC_INLINE float vf_sum(vf a) { return (a.v[0] + a.v[2]) + (a.v[1] + a.v[3]); }
FC_INLINE float vf_hmax(vf a) {
    float m = a.v[0];
    for (int i = 1; i < VL; i++) m = a.v[i] > m || a.v[i] != a.v[i] ? a.v[i] : m;
    return m;
}
FC_INLINE vf vf_from_u8(const uint8_t *p) { FC_LANES((float)p[i]); }
/* Lanes hold whole numbers 0 .. 255. */
FC_INLINE void vf_to_u8(uint8_t *p, vf a) {
    for (int i = 0; i < VL; i++) p[i] = (uint8_t)a.v[i];
}
#undef FC_LANES
#undef FC_MASK_LANES
