/* Boxes in vectors: what matrices of overlaps and non-maximum suppression share. */
#ifndef FC_BOXES_H
#define FC_BOXES_H
#include "kernel.h"

/* What is known of a box, and of many side by side, coordinate by coordinate. Kernels add parts of their own.
 */
enum { BOX_LEFT, BOX_TOP, BOX_RIGHT, BOX_BOTTOM, BOX_AREA, BOX_PARTS };

/* Written so that NaN stays. */
FC_INLINE float fc_side(float from, float to) { return to - from < 0.0f ? 0.0f : to - from; }

/* The parts of one box, `step` floats apart. */
FC_INLINE void fc_box_parts(const float *box, float *to, int64_t step) {
    for (int k = 0; k < 4; k++) to[k * step] = box[k];
    to[BOX_AREA * step] = fc_side(box[BOX_LEFT], box[BOX_RIGHT]) * fc_side(box[BOX_TOP], box[BOX_BOTTOM]);
}

FC_INLINE vf fc_square(vf x) { return vf_mul(x, x); }
/* p / q, and 0 where q is, unless p is NaN. */
FC_INLINE vf fc_ratio(vf p, vf q) {
    return vf_blend(vm_eq(q, vf_zero()), vf_mul(p, vf_zero()), vf_div(p, q));
}
/* The common stretch of two intervals, and the least one around both. */
FC_INLINE vf fc_common(vf a0, vf a1, vf b0, vf b1) {
    return vf_max(vf_zero(), vf_sub(vf_min(a1, b1), vf_max(a0, b0)));
}
FC_INLINE vf fc_hull(vf a0, vf a1, vf b0, vf b1) {
    return vf_max(vf_zero(), vf_sub(vf_max(a1, b1), vf_min(a0, b0)));
}

/* Of boxes given by their parts: the area of their intersection, and that of their union. */
FC_INLINE vf fc_box_common(const vf *p, const vf *q) {
    return vf_mul(fc_common(p[BOX_LEFT], p[BOX_RIGHT], q[BOX_LEFT], q[BOX_RIGHT]),
                  fc_common(p[BOX_TOP], p[BOX_BOTTOM], q[BOX_TOP], q[BOX_BOTTOM]));
}
FC_INLINE vf fc_box_union(const vf *p, const vf *q, vf common) {
    return vf_sub(vf_add(p[BOX_AREA], q[BOX_AREA]), common);
}
/* (distance of the centres / diagonal of the least box around both)^2 */
FC_INLINE vf fc_box_apart(const vf *p, const vf *q) {
    const vf dx = vf_sub(vf_add(p[BOX_LEFT], p[BOX_RIGHT]), vf_add(q[BOX_LEFT], q[BOX_RIGHT])),
             dy = vf_sub(vf_add(p[BOX_TOP], p[BOX_BOTTOM]), vf_add(q[BOX_TOP], q[BOX_BOTTOM])),
             width = fc_hull(p[BOX_LEFT], p[BOX_RIGHT], q[BOX_LEFT], q[BOX_RIGHT]),
             height = fc_hull(p[BOX_TOP], p[BOX_BOTTOM], q[BOX_TOP], q[BOX_BOTTOM]);
    return fc_ratio(vf_mul(vf_set1(0.25f), vf_fma(dx, dx, fc_square(dy))),
                    vf_fma(width, width, fc_square(height)));
}

#endif
