/* The transforms of Winograd's minimal filtering F(m x m, 3 x 3), m = 3 or 4 (Lavin and Gray 2016, "Fast
 * Algorithms for Convolutional Neural Networks", section 4).
 *
 * With d a patch of m + 2 x m + 2 pixels and g a kernel of 3 x 3, the m x m pixels that the kernel gives on
 * the patch are  y = A^T [ (G g G^T) . (B^T d B) ] A  where . multiplies element by element. Over many
 * channels the products become (m + 2)^2 products of matrices, with 36 multiplications where 16 pixels took
 * 144.
 *
 * The matrices are those of the points 0, 1, -1, 2 (, -2) and infinity. Each function below multiplies one
 * vector of vectors (lanes are channels) by one of them: in and out lie `from` and `to` vectors apart. m is a
 * constant at every call, so that nothing of the choice is left in the machine code.
 */
#ifndef FC_WINOGRAD_H
#define FC_WINOGRAD_H
#include "gemm.h"

#define FC_WINO_EDGE 6    /* of the largest patch */
#define FC_WINO_POINTS 36 /* of the largest patch */

/* Scratch memory: rows of channels and the matrices of the points lie an odd number of cache lines apart, so
 * that what is used together doesn't compete for one set of the cache. */
FC_INLINE int64_t fc_odd_lines(int64_t floats) { return FC_ROUND_UP(floats, 16) | 16; }

/* B^T d: m + 2 pixels -> m + 2 points. */
FC_INLINE void fc_wino_pixels(const int m, const vf *d, const int from, vf *o, const int to) {
    const vf d0 = d[0], d1 = d[from], d2 = d[2 * from], d3 = d[3 * from], d4 = d[4 * from];
    const vf two = vf_set1(2.0f);
    if (m == 3) {
        const vf a = vf_sub(d3, d1);
        o[0] = vf_add(vf_fma(two, vf_sub(d0, d2), d3), vf_neg(d1));
        o[to] = vf_fma(vf_set1(-2.0f), d1, vf_sub(d3, d2));
        o[2 * to] = vf_fma(two, d1, vf_fma(vf_set1(-3.0f), d2, d3));
        o[3 * to] = a;
        o[4 * to] = vf_fma(vf_set1(-2.0f), a, vf_sub(d4, d2));
        return;
    }
    const vf d5 = d[5 * from], four = vf_set1(4.0f), minus4 = vf_set1(-4.0f), minus5 = vf_set1(-5.0f);
    const vf a = vf_fma(minus4, d2, d4), b = vf_fma(minus4, d1, d3), c = vf_sub(d4, d2);
    const vf e = vf_sub(d3, d1);
    o[0] = vf_fma(four, d0, vf_fma(minus5, d2, d4));
    o[to] = vf_add(a, b);
    o[2 * to] = vf_sub(a, b);
    o[3 * to] = vf_fma(two, e, c);
    o[4 * to] = vf_fma(vf_set1(-2.0f), e, c);
    o[5 * to] = vf_fma(four, d1, vf_fma(minus5, d3, d5));
}

/* G g: 3 weights -> m + 2 points. */
FC_INLINE void fc_wino_weights(const int m, const vf *g, const int from, vf *o, const int to) {
    const vf g0 = g[0], g1 = g[from], g2 = g[2 * from], ends = vf_add(g0, g2);
    const vf sixth = vf_set1(1.0f / 6.0f);
    if (m == 3) {
        o[0] = vf_mul(vf_set1(0.5f), g0);
        o[to] = vf_mul(vf_set1(-0.5f), vf_add(ends, g1));
        o[2 * to] = vf_mul(sixth, vf_sub(g1, ends));
        o[3 * to] = vf_mul(sixth, vf_fma(vf_set1(4.0f), g2, vf_fma(vf_set1(2.0f), g1, g0)));
        o[4 * to] = g2;
        return;
    }
    const vf outer = vf_mul(vf_set1(1.0f / 24.0f), vf_fma(vf_set1(4.0f), g2, g0));
    const vf twelfth = vf_mul(vf_set1(1.0f / 12.0f), g1);
    o[0] = vf_mul(vf_set1(0.25f), g0);
    o[to] = vf_mul(vf_neg(sixth), vf_add(ends, g1));
    o[2 * to] = vf_mul(sixth, vf_sub(g1, ends));
    o[3 * to] = vf_add(outer, twelfth);
    o[4 * to] = vf_sub(outer, twelfth);
    o[5 * to] = g2;
}

/* A^T s: m + 2 points -> m pixels. */
FC_INLINE void fc_wino_sums(const int m, const vf *s, const int from, vf *o, const int to) {
    const vf s0 = s[0], s1 = s[from], s2 = s[2 * from], s3 = s[3 * from], s4 = s[4 * from];
    const vf p = vf_add(s1, s2), q = vf_sub(s1, s2);
    if (m == 3) {
        o[0] = vf_add(vf_add(s0, p), s3);
        o[to] = vf_fma(vf_set1(2.0f), s3, q);
        o[2 * to] = vf_add(vf_fma(vf_set1(4.0f), s3, p), s4);
        return;
    }
    const vf r = vf_add(s3, s4), t = vf_sub(s3, s4);
    o[0] = vf_add(vf_add(s0, p), r);
    o[to] = vf_fma(vf_set1(2.0f), t, q);
    o[2 * to] = vf_fma(vf_set1(4.0f), r, p);
    o[3 * to] = vf_add(vf_fma(vf_set1(8.0f), t, q), s[5 * from]);
}

#endif
