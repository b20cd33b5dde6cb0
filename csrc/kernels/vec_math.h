/* Elementary functions on vectors, infinities and NaN included: exp and log are off by less
 * than one unit in the last place, tanh and sigmoid by less than 2.5.
 *
 * The method is the classical one (Cody and Waite, "Software Manual for the Elementary Functions", 1980):
 * reduce the argument to a small interval with a constant split in two so that the reduction is exact, then a
 * polynomial. The polynomials' coefficients are minimax in the relative error of the result (Remez exchange),
 * rounded to float. Denormal arguments count as zero, as they do in workers (flush-to-zero).
 */
#ifndef FC_VEC_MATH_H
#define FC_VEC_MATH_H
#include "../simd/vec.h"

/* ln 2 = hi + lo; hi has 9 bits, so that hi times a whole number up to 2^15 is exact. */
#define FC_LN2_HI 0.693359375f
#define FC_LN2_LO -2.12194440e-4f

/* exp(x) = 2^n (1 + p): returns p = exp(r) - 1 and sets n = round(x / ln 2), r = x - n ln 2 in +-0.347.
 * |error of 1 + p| < 3.1e-9 before rounding. */
FC_INLINE vf fc_exp_parts(vf x, vf *n) {
    *n = vf_round(vf_mul(x, vf_set1(1.44269504f)));
    vf r = vf_fma(*n, vf_set1(-FC_LN2_HI), x);
    r = vf_fma(*n, vf_set1(-(FC_LN2_LO)), r);
    vf q = vf_set1(1.3814467e-3f);
    q = vf_fma(q, r, vf_set1(8.368781e-3f));
    q = vf_fma(q, r, vf_set1(4.1668393e-2f));
    q = vf_fma(q, r, vf_set1(0.1666652f));
    q = vf_fma(q, r, vf_set1(0.49999994f));
    return vf_fma(vf_mul(r, r), q, r);
}

/* Beyond -104 and 89 the result is 0 and infinity; clipped there, n stays in what vf_ldexp takes. */
FC_INLINE vf vf_exp(vf x) {
    vf n;
    const vf p = fc_exp_parts(vf_min(vf_set1(89.0f), vf_max(vf_set1(-104.0f), x)), &n);
    return vf_ldexp(vf_add(vf_set1(1.0f), p), n);
}

/* log(1 + f) - f for f in sqrt(1/2) - 1 .. sqrt(2) - 1: -f^2 / 2 + f^3 p(f), |relative error of the log|
 * < 5.9e-9. */
FC_INLINE vf fc_log1p_rest(vf f) {
    vf p = vf_set1(-7.6344993e-2f);
    p = vf_fma(p, f, vf_set1(0.12761578f));
    p = vf_fma(p, f, vf_set1(-0.13160182f));
    p = vf_fma(p, f, vf_set1(0.14201758f));
    p = vf_fma(p, f, vf_set1(-0.16623357f));
    p = vf_fma(p, f, vf_set1(0.20001227f));
    p = vf_fma(p, f, vf_set1(-0.25000821f));
    p = vf_fma(p, f, vf_set1(0.33333332f));
    p = vf_fma(p, f, vf_set1(-0.5f));
    return vf_mul(vf_mul(f, f), p);
}

/* x = m 2^e with m in sqrt(1/2) .. sqrt(2); log x = log m + e ln 2, the largest term added last.
 * -infinity at 0, NaN below. */
FC_INLINE vf vf_log(vf x) {
    const vi half_root = vi_set1(0x3f3504f3); /* the bits of sqrt(1/2) */
    const vi e = vi_shr(vi_sub(vi_bits(x), half_root), 23);
    const vf f = vf_sub(vf_bits(vi_sub(vi_bits(x), vi_shl(e, 23))), vf_set1(1.0f)), n = vf_from_int(e);
    vf y = vf_fma(n, vf_set1(FC_LN2_LO), fc_log1p_rest(f));
    y = vf_fma(n, vf_set1(FC_LN2_HI), vf_add(f, y));
    const vf smallest = vf_set1(1.17549435e-38f);
    y = vf_blend(vm_lt(x, vf_set1(INFINITY)), y, x); /* infinity and NaN as they are */
    y = vf_blend(vm_lt(x, smallest), vf_set1(-INFINITY), y);
    return vf_blend(vm_le(x, vf_neg(smallest)), vf_set1(NAN), y);
}

/* log(1 + e) for e in 0 .. 1: above sqrt(2) - 1 through log(1 + e) = ln 2 + log(1 + (e - 1) / 2). */
FC_INLINE vf vf_log1p_unit(vf e) {
    const vm big = vm_lt(vf_set1(0.41421356f), e);
    const vf f = vf_blend(big, vf_mul(vf_sub(e, vf_set1(1.0f)), vf_set1(0.5f)), e);
    return vf_add(vf_add(f, fc_log1p_rest(f)), vf_blend(big, vf_set1(0.69314718f), vf_zero()));
}

FC_INLINE vf vf_sigmoid(vf x) {
    const vf one = vf_set1(1.0f);
    return vf_div(one, vf_add(one, vf_exp(vf_neg(x))));
}

/* exp(x) - 1 = 2^n p + (2^n - 1), which loses nothing near 0, for x in -87 .. 88. */
FC_INLINE vf fc_expm1(vf x) {
    vf n;
    const vf p = fc_exp_parts(x, &n), power = vf_pow2i(n);
    return vf_fma(power, p, vf_sub(power, vf_set1(1.0f)));
}

/* exp(x) - 1 for x <= 0; 0 above. Below -30 it is -1 in float. */
FC_INLINE vf vf_expm1_negative(vf x) { return fc_expm1(vf_min(vf_zero(), vf_max(vf_set1(-30.0f), x))); }

/* tanh x = u / (u + 2) with u = exp(2x) - 1. Beyond +-9.1 it is +-1 in float. */
FC_INLINE vf vf_tanh(vf x) {
    const vf clipped = vf_min(vf_set1(10.0f), vf_max(vf_set1(-10.0f), x));
    const vf u = fc_expm1(vf_add(clipped, clipped));
    return vf_div(u, vf_add(u, vf_set1(2.0f)));
}

/* x / (1 + exp(-z)), where z has x's sign or is 0: 0 at x = -infinity, as further on the way there. */
FC_INLINE vf vf_gated(vf x, vf z) {
    return vf_div(vf_max(vf_set1(-3.40282347e38f), x), vf_add(vf_set1(1.0f), vf_exp(vf_neg(z))));
}

/* log(1 + exp(x)) = max(x, 0) + log(1 + exp(-|x|)). */
FC_INLINE vf vf_softplus(vf x) {
    return vf_add(vf_max(vf_zero(), x), vf_log1p_unit(vf_exp(vf_neg(vf_abs(x)))));
}

/* erf x = x P(x^2) / Q(x^2) for |x| < 4, |relative error| < 2.5e-8 before rounding, 4.1e-7 with it; beyond 4
 * it is +-1 in float. P and Q are a minimax fit of erf(x) / x by iteratively reweighted least squares. */
FC_INLINE vf vf_erf(vf x) {
    const vf clipped = vf_min(vf_set1(4.0f), vf_max(vf_set1(-4.0f), x)), t = vf_mul(clipped, clipped);
    vf p = vf_set1(1.98676986e-6f), q = vf_set1(3.74200214e-5f);
    p = vf_fma(p, t, vf_set1(2.84565492e-4f));
    p = vf_fma(p, t, vf_set1(3.88335929e-3f));
    p = vf_fma(p, t, vf_set1(5.31017929e-2f));
    p = vf_fma(p, t, vf_set1(0.193545538f));
    p = vf_fma(p, t, vf_set1(1.12837914f));
    q = vf_fma(q, t, vf_set1(1.18557337e-3f));
    q = vf_fma(q, t, vf_set1(1.52072832e-2f));
    q = vf_fma(q, t, vf_set1(0.115350183f));
    q = vf_fma(q, t, vf_set1(0.504857823f));
    q = vf_fma(q, t, vf_set1(1.0f));
    const vf one = vf_set1(1.0f), y = vf_div(vf_mul(clipped, p), q);
    const vf inside = vf_min(one, vf_max(vf_neg(one), y));
    const vf far = vf_blend(vm_lt(x, vf_zero()), vf_neg(one), one);
    return vf_blend(vm_le(vf_set1(4.0f), vf_abs(x)), far, inside);
}

/* To the nearest whole number, halves to the even one, for any x: what reaches 2^23 is whole already, and
 * adding 2^23 to what doesn't leaves no bits for a fraction. */
FC_INLINE vf vf_nearest(vf x) {
    const vf size = vf_abs(x), limit = vf_set1(8388608.0f);
    const vf whole = vf_sub(vf_add(size, limit), limit);
    return vf_blend(vm_lt(size, limit), vf_blend(vm_lt(x, vf_zero()), vf_neg(whole), whole), x);
}

FC_INLINE vf vf_floor(vf x) {
    const vf near = vf_nearest(x);
    return vf_sub(near, vf_blend(vm_lt(x, near), vf_set1(1.0f), vf_zero()));
}

/* x^p = exp(p log |x|), with x's sign where p is odd; off by p |log x| units in the last place, which is less
 * than 1e-5 of the result. Below 0 it is NaN unless p is whole. x^0 is 1. */
FC_INLINE vf vf_pow(vf x, vf p) {
    const vf half = vf_mul(p, vf_set1(0.5f)), one = vf_set1(1.0f);
    const vm whole = vm_eq(vf_nearest(p), p), even = vm_eq(vf_nearest(half), half);
    const vm minus = vi_eq(vi_shr(vi_bits(x), 31), vi_set1(-1));
    vf y = vf_exp(vf_mul(p, vf_log(vf_abs(x))));
    y = vf_blend(vm_and(minus, vm_and(whole, vm_not(even))), vf_neg(y), y);
    y = vf_blend(vm_and(vm_lt(x, vf_zero()), vm_not(whole)), vf_set1(NAN), y);
    return vf_blend(vm_eq(p, vf_zero()), one, y);
}

/* 1, 0 or -1; NaN stays. */
FC_INLINE vf vf_sign(vf x) {
    return vf_blend(vm_lt(vf_zero(), x), vf_set1(1.0f), vf_blend(vm_lt(x, vf_zero()), vf_set1(-1.0f), x));
}

#endif
