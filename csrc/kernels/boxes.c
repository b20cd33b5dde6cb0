/* How far boxes agree, all pairs (contract in kernels.def). One row of the result is one box against all
 * others, which lie side by side, coordinate by coordinate, in scratch memory: then lanes are boxes. */
#include "kernel.h"

/* Rows of y to a tile: some 64 KiB. */
static int64_t rows_to_tile(const fc_box_iou_args *a) { return fc_max(1, FC_CHUNK / fc_max(1, a->cols)); }

FC_TILES(box_iou) { return a->cols == 0 ? 0 : (a->rows + rows_to_tile(a) - 1) / rows_to_tile(a); }

/* What is known of a box, and of so many side by side (ANGLE: only for CIoU; CROWD: 1 or 0). */
enum { LEFT, TOP, RIGHT, BOTTOM, AREA, ANGLE, CROWD, PARTS };
static int64_t padded(int64_t count) { return FC_ROUND_UP(count, VL); }
FC_SCRATCH(box_iou) { return (size_t)(PARTS * padded(a->cols)) * sizeof(float); }

/* Written so that NaN stays. */
FC_INLINE float side(float from, float to) { return to - from < 0.0f ? 0.0f : to - from; }

static void describe(const float *box, int kind, float *to, int64_t step) {
    for (int k = 0; k < 4; k++) to[k * step] = box[k];
    const float width = side(box[LEFT], box[RIGHT]), height = side(box[TOP], box[BOTTOM]);
    to[AREA * step] = width * height;
    to[ANGLE * step] = kind == FC_CIOU ? atan2f(width, height) : 0.0f;
    to[CROWD * step] = 0.0f;
}

FC_INLINE vf square(vf x) { return vf_mul(x, x); }
/* p / q, and 0 where q is, unless p is NaN. */
FC_INLINE vf ratio(vf p, vf q) { return vf_blend(vm_eq(q, vf_zero()), vf_mul(p, vf_zero()), vf_div(p, q)); }
/* The common stretch of two intervals. */
FC_INLINE vf common(vf a0, vf a1, vf b0, vf b1) {
    return vf_max(vf_zero(), vf_sub(vf_min(a1, b1), vf_max(a0, b0)));
}
/* The stretch of both together. */
FC_INLINE vf hull(vf a0, vf a1, vf b0, vf b1) {
    return vf_max(vf_zero(), vf_sub(vf_max(a1, b1), vf_min(a0, b0)));
}

/* NaN in either box reaches the result through its area, which is why the order of vf_min's arguments
 * needn't. */
FC_INLINE vf overlap(int kind, const vf *p, const vf *q) {
    const vf both =
        vf_mul(common(p[LEFT], p[RIGHT], q[LEFT], q[RIGHT]), common(p[TOP], p[BOTTOM], q[TOP], q[BOTTOM]));
    const vf all = vf_sub(vf_add(p[AREA], q[AREA]), both);
    const vf iou = ratio(both, vf_blend(vm_lt(vf_zero(), q[CROWD]), p[AREA], all));
    if (kind == FC_IOU) return iou;
    const vf width = hull(p[LEFT], p[RIGHT], q[LEFT], q[RIGHT]),
             height = hull(p[TOP], p[BOTTOM], q[TOP], q[BOTTOM]);
    if (kind == FC_GIOU) {
        const vf around = vf_mul(width, height);
        return vf_sub(iou, ratio(vf_sub(around, all), around));
    }
    const vf dx = vf_sub(vf_add(p[LEFT], p[RIGHT]), vf_add(q[LEFT], q[RIGHT]));
    const vf dy = vf_sub(vf_add(p[TOP], p[BOTTOM]), vf_add(q[TOP], q[BOTTOM]));
    const vf apart = vf_mul(vf_set1(0.25f), vf_fma(dx, dx, square(dy)));
    const vf diou = vf_sub(iou, ratio(apart, vf_fma(width, width, square(height))));
    if (kind == FC_DIOU) return diou;
    const vf v = vf_mul(vf_set1(0.405284735f), square(vf_sub(p[ANGLE], q[ANGLE])));
    const vf least = vf_add(vf_sub(vf_set1(1.0f), iou), v);
    return vf_sub(diou, vf_blend(vm_lt(vf_zero(), least), vf_div(square(v), least), vf_zero()));
}

FC_INLINE void overlap_rows(const fc_box_iou_args *a, int kind, int64_t first, int64_t last, const float *q) {
    const int64_t step = padded(a->cols);
    for (int64_t i = first; i < last; i++) {
        float box[PARTS];
        vf p[PARTS], other[PARTS];
        describe(a->p + i * 4, kind, box, 1);
        for (int k = 0; k < PARTS; k++) p[k] = vf_set1(box[k]);
        for (int64_t j = 0; j < a->cols; j += VL) {
            for (int k = 0; k < PARTS; k++) other[k] = vf_load(q + k * step + j);
            vf_store_tail(a->y + i * a->cols + j, overlap(kind, p, other), a->cols - j);
        }
    }
}

FC_RUN(box_iou) {
    float *q = scratch;
    const int64_t step = padded(a->cols), first = begin * rows_to_tile(a),
                  last = fc_min(end * rows_to_tile(a), a->rows);
    memset(q, 0, (size_t)(PARTS * step) * sizeof(float));
    for (int64_t j = 0; j < a->cols; j++) {
        describe(a->q + j * 4, (int)a->kind, q + j, step);
        if (a->crowd) q[CROWD * step + j] = a->crowd[j] ? 1.0f : 0.0f;
    }
    switch (a->kind) {
    case FC_IOU:
        overlap_rows(a, FC_IOU, first, last, q);
        break;
    case FC_GIOU:
        overlap_rows(a, FC_GIOU, first, last, q);
        break;
    case FC_DIOU:
        overlap_rows(a, FC_DIOU, first, last, q);
        break;
    default:
        overlap_rows(a, FC_CIOU, first, last, q);
        break;
    }
}
