/* The functions of one element that fc_unary lists, and their derivatives: for the element-wise kernels, and
 * for those that apply one in passing. */
#ifndef FC_UNARY_H
#define FC_UNARY_H
#include "kernel.h"
#include "vec_math.h"

/* f(x). `kind` is a constant wherever this ends up inlined, so that the switch folds away. */
FC_INLINE vf vf_unary(int64_t kind, vf x, vf alpha) {
    switch (kind) {
    case FC_RELU:
        return vf_max(vf_zero(), x);
    case FC_LEAKY_RELU:
        return vf_blend(vm_lt(x, vf_zero()), vf_mul(alpha, x), x);
    case FC_RELU6:
        return vf_min(vf_set1(6.0f), vf_max(vf_zero(), x));
    case FC_SIGMOID:
        return vf_sigmoid(x);
    case FC_TANH:
        return vf_tanh(x);
    case FC_EXP:
        return vf_exp(x);
    case FC_LOG:
        return vf_log(x);
    case FC_SQRT:
        return vf_sqrt(x);
    case FC_SQUARE:
        return vf_mul(x, x);
    case FC_ABS:
        return vf_abs(x);
    case FC_NEGATIVE:
        return vf_neg(x);
    default:
        return x;
    }
}

/* dy f'(x) from s, which is y or x as kernels.def says. At the corners of ReLU and its kin the derivative is
 * that of the flat (leaky: the left) side, also for leaky ReLU of slope 0, whose y is 0 there. */
FC_INLINE vf vf_unary_gradient(int64_t kind, vf dy, vf s, vf alpha) {
    const vf one = vf_set1(1.0f);
    switch (kind) {
    case FC_RELU:
        return vf_blend(vm_le(s, vf_zero()), vf_zero(), dy);
    case FC_LEAKY_RELU:
        return vf_blend(vm_le(s, vf_zero()), vf_mul(alpha, dy), dy);
    case FC_RELU6:
        return vf_blend(vm_or(vm_le(s, vf_zero()), vm_le(vf_set1(6.0f), s)), vf_zero(), dy);
    case FC_SIGMOID:
        return vf_mul(dy, vf_mul(s, vf_sub(one, s)));
    case FC_TANH:
        return vf_mul(dy, vf_fma(vf_neg(s), s, one));
    case FC_EXP:
        return vf_mul(dy, s);
    case FC_LOG:
        return vf_div(dy, s);
    case FC_SQRT:
        return vf_div(vf_mul(dy, vf_set1(0.5f)), s);
    case FC_SQUARE:
        return vf_mul(vf_add(dy, dy), s);
    case FC_ABS:
        return vf_mul(dy, vf_sign(s));
    case FC_NEGATIVE:
        return vf_neg(dy);
    default:
        return dy;
    }
}

#endif
