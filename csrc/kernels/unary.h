/* The functions of one element that fc_unary lists, and their derivatives: for the element-wise kernels, and
 * for those that apply one in passing. */
#ifndef FC_UNARY_H
#define FC_UNARY_H
#include "kernel.h"
#include "vec_math.h"

/* x tanh(log(1 + exp(x))) = x m / (m + 2) with e = exp(x) and m = e (e + 2). Beyond 20 it is x in float. */
FC_INLINE vf fc_mish(vf x) {
    const vf e = vf_exp(vf_min(vf_set1(20.0f), x)), m = vf_mul(e, vf_add(e, vf_set1(2.0f)));
    return vf_mul(vf_max(vf_set1(-104.0f), x), vf_div(m, vf_add(m, vf_set1(2.0f))));
}

/* f(x). `kind` is a constant wherever this ends up inlined, so that the switch folds away. Limits go before x
 * in vf_max and vf_min, which lets NaN through. */
FC_INLINE vf vf_unary(int64_t kind, vf x, vf alpha, vf beta) {
    const vf zero = vf_zero(), one = vf_set1(1.0f);
    switch (kind) {
    case FC_RELU:
        return vf_max(zero, x);
    case FC_LEAKY_RELU:
        return vf_blend(vm_lt(x, zero), vf_mul(alpha, x), x);
    case FC_RELU6:
        return vf_min(vf_set1(6.0f), vf_max(zero, x));
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
    case FC_CLIP:
        return vf_min(beta, vf_max(alpha, x));
    case FC_THRESHOLD:
        return vf_blend(vm_le(x, alpha), beta, x);
    case FC_SHRINK:
        return vf_blend(vm_le(vf_abs(x), alpha), zero,
                        vf_blend(vm_lt(x, zero), vf_add(x, beta), vf_sub(x, beta)));
    case FC_HARD_SIGMOID:
        return vf_min(one, vf_max(zero, vf_fma(alpha, x, beta)));
    case FC_HARD_SILU: {
        const vf v = vf_max(vf_set1(-3.0f), x);
        const vf gate = vf_min(vf_set1(6.0f), vf_add(v, vf_set1(3.0f)));
        return vf_mul(v, vf_mul(gate, vf_set1(1.0f / 6.0f)));
    }
    case FC_SOFTSIGN: {
        const vf most = vf_set1(3.40282347e38f), v = vf_min(most, vf_max(vf_neg(most), x));
        return vf_div(v, vf_add(one, vf_abs(v)));
    }
    case FC_RECIPROCAL:
        return vf_div(one, x);
    case FC_FLOOR:
        return vf_floor(x);
    case FC_CEIL:
        return vf_neg(vf_floor(vf_neg(x)));
    case FC_ROUND:
        return vf_nearest(x);
    case FC_SIGN:
        return vf_sign(x);
    case FC_ELU:
        return vf_blend(vm_lt(x, zero), vf_mul(alpha, vf_expm1_negative(vf_mul(beta, x))), x);
    case FC_SELU:
        return vf_mul(beta, vf_blend(vm_lt(x, zero), vf_mul(alpha, vf_expm1_negative(x)), x));
    case FC_SOFTPLUS:
        return vf_softplus(x);
    case FC_SILU:
        return vf_gated(x, vf_mul(alpha, x));
    case FC_GELU: {
        /* At -6 the second factor is 0. */
        const vf v = vf_max(vf_set1(-6.0f), x);
        return vf_mul(vf_mul(vf_set1(0.5f), v), vf_add(one, vf_erf(vf_mul(v, vf_set1(0.707106781f)))));
    }
    case FC_GELU_TANH: /* (1 + tanh u) / 2 = 1 / (1 + exp(-2 u)) */
        return vf_gated(x, vf_mul(x, vf_fma(vf_set1(7.13548163e-2f), vf_mul(x, x), vf_set1(1.59576912f))));
    case FC_MISH:
        return fc_mish(x);
    case FC_ERF:
        return vf_erf(x);
    case FC_POWER:
        return vf_pow(x, alpha);
    default:
        return x;
    }
}

/* The derivatives of the functions that take exp(x) for it, at x: beyond `far` they are constant in float,
 * and keeping x there avoids infinity times 0. */
FC_INLINE vf fc_steep_derivative(int64_t kind, vf x, vf alpha) {
    const vf one = vf_set1(1.0f);
    const vf far = vf_set1(kind == FC_SILU ? 100.0f : kind == FC_MISH ? 20.0f : 10.0f);
    vf z = kind == FC_SILU ? vf_mul(alpha, x) : x;
    z = vf_min(far, vf_max(kind == FC_MISH ? vf_set1(-100.0f) : vf_neg(far), z));
    const vf square = vf_mul(z, z);
    if (kind == FC_SILU) { /* s + z s (1 - s) */
        const vf s = vf_sigmoid(z);
        return vf_mul(s, vf_fma(z, vf_sub(one, s), one));
    }
    if (kind == FC_GELU) { /* the normal distribution's integral, plus z times its density */
        const vf half = vf_set1(0.5f);
        const vf integral = vf_fma(half, vf_erf(vf_mul(z, vf_set1(0.707106781f))), half);
        const vf density = vf_mul(vf_set1(0.398942280f), vf_exp(vf_mul(vf_neg(half), square)));
        return vf_fma(z, density, integral);
    }
    if (kind == FC_GELU_TANH) { /* s + z s (1 - s) u', with s = sigmoid(u) */
        const vf a = vf_set1(1.59576912f), b = vf_set1(7.13548163e-2f), three = vf_set1(3.0f);
        const vf s = vf_sigmoid(vf_mul(z, vf_fma(b, square, a)));
        const vf slope = vf_mul(z, vf_fma(vf_mul(three, b), square, a));
        return vf_mul(s, vf_fma(slope, vf_sub(one, s), one));
    }
    /* Mish: with e and m as above, m / (m + 2) + 4 z e (1 + e) / (m + 2)^2. */
    const vf e = vf_exp(z), more = vf_add(one, e), m = vf_mul(e, vf_add(e, vf_set1(2.0f)));
    const vf r = vf_div(one, vf_add(m, vf_set1(2.0f)));
    const vf rest = vf_mul(vf_mul(vf_set1(4.0f), z), vf_mul(vf_mul(e, r), vf_mul(more, r)));
    return vf_fma(m, r, rest);
}

/* dy f'(x) from s, which is y or x as kernels.def says. At the corners of ReLU and its kin the derivative is
 * that of the flat (leaky: the left) side, also for leaky ReLU of slope 0, whose y is 0 there. */
FC_INLINE vf vf_unary_gradient(int64_t kind, vf dy, vf s, vf alpha, vf beta) {
    const vf zero = vf_zero(), one = vf_set1(1.0f);
    switch (kind) {
    case FC_RELU:
        return vf_blend(vm_le(s, zero), zero, dy);
    case FC_LEAKY_RELU:
        return vf_blend(vm_le(s, zero), vf_mul(alpha, dy), dy);
    case FC_RELU6:
        return vf_blend(vm_or(vm_le(s, zero), vm_le(vf_set1(6.0f), s)), zero, dy);
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
    case FC_CLIP:
        return vf_blend(vm_or(vm_le(s, alpha), vm_le(beta, s)), zero, dy);
    case FC_THRESHOLD:
        return vf_blend(vm_le(s, alpha), zero, dy);
    case FC_SHRINK:
        return vf_blend(vm_le(vf_abs(s), alpha), zero, dy);
    case FC_HARD_SIGMOID:
        return vf_blend(vm_or(vm_le(s, zero), vm_le(one, s)), zero, vf_mul(alpha, dy));
    case FC_HARD_SILU: {
        const vf between = vf_mul(dy, vf_fma(s, vf_set1(1.0f / 3.0f), vf_set1(0.5f)));
        return vf_blend(vm_le(s, vf_set1(-3.0f)), zero, vf_blend(vm_le(vf_set1(3.0f), s), dy, between));
    }
    case FC_SOFTSIGN: {
        const vf rest = vf_sub(one, vf_abs(s));
        return vf_mul(dy, vf_mul(rest, rest));
    }
    case FC_RECIPROCAL:
        return vf_neg(vf_mul(dy, vf_mul(s, s)));
    case FC_FLOOR:
    case FC_CEIL:
    case FC_ROUND:
    case FC_SIGN:
        return vf_mul(dy, zero);
    case FC_ELU:
        return vf_blend(vm_le(s, zero), vf_mul(dy, vf_mul(beta, vf_add(s, alpha))), dy);
    case FC_SELU:
        return vf_mul(dy, vf_blend(vm_le(s, zero), vf_fma(alpha, beta, s), beta));
    case FC_SOFTPLUS: /* 1 - exp(-y) */
        return vf_neg(vf_mul(dy, vf_expm1_negative(vf_neg(s))));
    case FC_SILU:
    case FC_GELU:
    case FC_GELU_TANH:
    case FC_MISH:
        return vf_mul(dy, fc_steep_derivative(kind, s, alpha));
    case FC_ERF:
        return vf_mul(dy, vf_mul(vf_set1(1.12837917f), vf_exp(vf_neg(vf_mul(s, s)))));
    case FC_POWER: {
        const vf slope = vf_mul(alpha, vf_pow(s, vf_sub(alpha, one)));
        return vf_mul(dy, vf_blend(vm_eq(alpha, zero), zero, slope));
    }
    default:
        return dy;
    }
}

#endif
