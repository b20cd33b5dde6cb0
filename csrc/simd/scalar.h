/* Plain C, 4 lanes in an array, for processors and compilers without a header of their own here: what any of
 * them makes of it is right; how fast it is, is up to the compiler. */
#define VL 4
typedef struct {
    float v[VL];
} vf;
typedef struct {
    int32_t v[VL];
} vm;
typedef vm vi;

#define FC_LANES_OF(type, expr)                                                                              \
    type r;                                                                                                  \
    FC_UNROLL(4)                                                                                             \
    for (int i = 0; i < VL; i++) r.v[i] = (expr);                                                            \
    return r
#define FC_LANES(expr) FC_LANES_OF(vf, expr)
#define FC_INT_LANES(expr) FC_LANES_OF(vm, expr)

FC_INLINE vf vf_zero(void) { FC_LANES(0.0f); }
FC_INLINE vf vf_set1(float x) { FC_LANES(x); }
FC_INLINE vf vf_load(const float *p) {
    vf r;
    memcpy(&r, p, sizeof r);
    return r;
}
FC_INLINE void vf_store(float *p, vf a) { memcpy(p, &a, sizeof a); }
FC_INLINE vf vf_load_n(const float *p, int n) { FC_LANES(i < n ? p[i] : 0.0f); }
FC_INLINE vf vf_load_fill(const float *p, int n, float fill) { FC_LANES(i < n ? p[i] : fill); }
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
FC_INLINE vm vm_lt(vf a, vf b) { FC_INT_LANES(-(a.v[i] < b.v[i])); }
FC_INLINE vm vm_le(vf a, vf b) { FC_INT_LANES(-(a.v[i] <= b.v[i])); }
FC_INLINE vm vm_eq(vf a, vf b) { FC_INT_LANES(-(a.v[i] == b.v[i])); }
FC_INLINE vm vm_nan(vf a) { FC_INT_LANES(-(a.v[i] != a.v[i])); }
FC_INLINE vm vm_and(vm a, vm b) { FC_INT_LANES(a.v[i] & b.v[i]); }
FC_INLINE vm vm_or(vm a, vm b) { FC_INT_LANES(a.v[i] | b.v[i]); }
FC_INLINE vm vm_not(vm a) { FC_INT_LANES(~a.v[i]); }
FC_INLINE vm vm_beats(vf a, vf b) { FC_INT_LANES(-(b.v[i] == b.v[i] && !(a.v[i] <= b.v[i]))); }
FC_INLINE int vm_any(vm a) { return (a.v[0] | a.v[1] | a.v[2] | a.v[3]) != 0; }
FC_INLINE vf vf_blend(vm m, vf a, vf b) { FC_LANES(m.v[i] ? a.v[i] : b.v[i]); }
FC_INLINE vf vf_maxnan(vf a, vf b) { FC_LANES(a.v[i] > b.v[i] || a.v[i] != a.v[i] ? a.v[i] : b.v[i]); }
FC_INLINE vf vf_round(vf a) { FC_LANES(rintf(a.v[i])); }

FC_INLINE vi vi_set1(int32_t x) { FC_INT_LANES(x); }
FC_INLINE vi vi_load(const int32_t *p) {
    vi r;
    memcpy(&r, p, sizeof r);
    return r;
}
FC_INLINE vi vi_load_n(const int32_t *p, int n) { FC_INT_LANES(i < n ? p[i] : 0); }
FC_INLINE void vi_store(int32_t *p, vi a) { memcpy(p, &a, sizeof a); }
FC_INLINE void vi_store_n(int32_t *p, vi a, int n) {
    for (int i = 0; i < n; i++) p[i] = a.v[i];
}
FC_INLINE vi vi_bits(vf a) {
    vi r;
    memcpy(&r, &a, sizeof r);
    return r;
}
FC_INLINE vf vf_bits(vi a) {
    vf r;
    memcpy(&r, &a, sizeof r);
    return r;
}
FC_INLINE vf vf_from_int(vi a) { FC_LANES((float)a.v[i]); }
/* Sums and shifts wrap around, as they do in every processor's vectors; in C only unsigned ones may. */
FC_INLINE vi vi_add(vi a, vi b) { FC_INT_LANES((int32_t)((uint32_t)a.v[i] + (uint32_t)b.v[i])); }
FC_INLINE vi vi_sub(vi a, vi b) { FC_INT_LANES((int32_t)((uint32_t)a.v[i] - (uint32_t)b.v[i])); }
FC_INLINE vi vi_shl(vi a, int n) { FC_INT_LANES((int32_t)((uint32_t)a.v[i] << n)); }
FC_INLINE vi vi_shr(vi a, int n) { FC_INT_LANES(a.v[i] >> n); }
FC_INLINE vm vi_eq(vi a, vi b) { FC_INT_LANES(-(a.v[i] == b.v[i])); }
FC_INLINE vi vi_blend(vm m, vi a, vi b) { FC_INT_LANES(m.v[i] ? a.v[i] : b.v[i]); }
FC_INLINE vi vi_from_u8(const uint8_t *p) { FC_INT_LANES(p[i]); }
FC_INLINE void vi_to_u8(uint8_t *p, vi a) {
    for (int i = 0; i < VL; i++) p[i] = (uint8_t)a.v[i];
}
FC_INLINE vi vi_from_u8_n(const uint8_t *p, int n) { FC_INT_LANES(i < n ? p[i] : 0); }
FC_INLINE vm vm_eq_u8(const uint8_t *p, int byte) { return vi_eq(vi_from_u8(p), vi_set1(byte)); }
FC_INLINE void vi_to_u8_n(uint8_t *p, vi a, int n) {
    for (int i = 0; i < n; i++) p[i] = (uint8_t)a.v[i];
}

/* In the sum with 1.5 x 2^23 + 127 the lowest bits are v + 127 as an integer: no conversion that a NaN would
 * break. */
FC_INLINE vf vf_pow2i(vf a) { return vf_bits(vi_shl(vi_bits(vf_add(a, vf_set1(12583039.0f))), 23)); }
FC_INLINE vf vf_ldexp(vf a, vf n) {
    const vf half = vf_round(vf_mul(n, vf_set1(0.5f)));
    return vf_mul(vf_mul(a, vf_pow2i(half)), vf_pow2i(vf_sub(n, half)));
}
FC_INLINE float vf_sum(vf a) { return (a.v[0] + a.v[2]) + (a.v[1] + a.v[3]); }
FC_INLINE float vf_hmax(vf a) {
    float m = a.v[0];
    for (int i = 1; i < VL; i++) m = a.v[i] > m || a.v[i] != a.v[i] ? a.v[i] : m;
    return m;
}
#undef FC_LANES_OF
#undef FC_LANES
#undef FC_INT_LANES
