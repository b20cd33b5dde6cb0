/* What a convolution does with a vector of its sums before it is stored. */
#ifndef FC_EPILOGUE_H
#define FC_EPILOGUE_H
#include "unary.h"

/* Whether an activation isn't applied to vectors in registers: to fc_activated it is linear. */
FC_INLINE int fc_acts_late(int act) { return act > FC_RELU6 && act != FC_HARD_SILU; }

/* Then its own loop (elementwise.c) is run over what was written just now, a register tile's or a square's
 * results: these lie in the L1 cache, and the kernels don't grow by two dozen functions.
 * y [pixels][channels], pixels `step` floats apart. */
void FC_NAME(fc_activate_late)(float *y, int64_t pixels, int64_t step, int64_t channels, int act, float alpha,
                               float beta);

FC_INLINE vf fc_activated(vf v, int act, vf alpha) {
    if (act == FC_LEAKY_RELU) return vf_unary(FC_LEAKY_RELU, v, alpha, alpha);
    if (act == FC_RELU || act == FC_RELU6) v = vf_max(vf_zero(), v);
    if (act == FC_RELU6) v = vf_min(vf_set1(6.0f), v);
    return act == FC_HARD_SILU ? vf_unary(FC_HARD_SILU, v, alpha, alpha) : v;
}

/* A gradient on its way back through an activation whose result was `saved`; at the corners as
 * unary_backward. */
FC_INLINE vf fc_deactivated(vf v, vf saved, int act, vf alpha) {
    if (act == FC_LINEAR) return v;
    vm flat = vm_le(saved, vf_zero());
    if (act == FC_LEAKY_RELU) return vf_blend(flat, vf_mul(v, alpha), v);
    if (act == FC_RELU6) flat = vm_or(flat, vm_le(vf_set1(6.0f), saved));
    return vf_blend(flat, vf_zero(), v);
}

/* residual and saved point at the place in their tensors where v is stored in the result's, or are NULL. */
FC_INLINE vf fc_finished(vf v, const float *residual, const float *saved, int64_t n, int act, vf alpha) {
    if (residual) v = vf_add(v, vf_load_tail(residual, n));
    return saved ? fc_deactivated(v, vf_load_tail(saved, n), act, alpha) : fc_activated(v, act, alpha);
}

/* The maximum of 2 x 2 places and which of them it is, 0 .. 3 row by row: the first of equal ones, the first
 * NaN before all. */
FC_INLINE vf fc_max_2x2(vf v0, vf v1, vf v2, vf v3, vi *index) {
    vm take = vm_beats(v1, v0);
    vf best = vf_blend(take, v1, v0);
    vi at = vi_blend(take, vi_set1(1), vi_set1(0));
    take = vm_beats(v2, best);
    best = vf_blend(take, v2, best);
    at = vi_blend(take, vi_set1(2), at);
    take = vm_beats(v3, best);
    *index = vi_blend(take, vi_set1(3), at);
    return vf_blend(take, v3, best);
}

#endif
