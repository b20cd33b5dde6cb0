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

/* tanh x = u / (u + 2) with u = exp(2x) - 1 = 2^n p + (2^n - 1), which loses nothing near 0. Beyond +-9.1 it
 * is
 * +-1 in float. */
FC_INLINE vf vf_tanh(vf x) {
    vf n;
    const vf clipped = vf_min(vf_set1(10.0f), vf_max(vf_set1(-10.0f), x));
    const vf p = fc_exp_parts(vf_add(clipped, clipped), &n), power = vf_pow2i(n);
    const vf u = vf_fma(power, p, vf_sub(power, vf_set1(1.0f)));
    return vf_div(u, vf_add(u, vf_set1(2.0f)));
}

/* 1, 0 or -1; NaN stays. */
FC_INLINE vf vf_sign(vf x) {
    return vf_blend(vm_lt(vf_zero(), x), vf_set1(1.0f), vf_blend(vm_lt(x, vf_zero()), vf_set1(-1.0f), x));
}

#endif
