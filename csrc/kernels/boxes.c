/* How far boxes agree, all pairs (contract in kernels.def). One row of the result is one box against all
 * others, which lie side by side, coordinate by coordinate, in scratch memory: then lanes are boxes. */
#include "boxes.h"

/* Rows of y to a tile: some 64 KiB. */
static int64_t rows_to_tile(const fc_box_iou_args *a) { return fc_max(1, FC_CHUNK / fc_max(1, a->cols)); }

FC_TILES(box_iou) { return a->cols == 0 ? 0 : (a->rows + rows_to_tile(a) - 1) / rows_to_tile(a); }

/* ANGLE is only there for CIoU; CROWD is 1 or 0. */
enum { ANGLE = BOX_PARTS, CROWD, PARTS };
static int64_t padded(int64_t count) { return FC_ROUND_UP(count, VL); }
FC_SCRATCH(box_iou) { return (size_t)(PARTS * padded(a->cols)) * sizeof(float); }

static void describe(const float *box, int kind, float *to, int64_t step) {
    fc_box_parts(box, to, step);
    to[ANGLE * step] = kind == FC_CIOU ? atan2f(fc_side(box[0], box[2]), fc_side(box[1], box[3])) : 0.0f;
    to[CROWD * step] = 0.0f;
}

/* NaN in either box reaches the result through its area, which is why the order of vf_min's arguments needn't
 * matter. */
FC_INLINE vf overlap(int kind, const vf *p, const vf *q) {
    const vf common = fc_box_common(p, q), both = fc_box_union(p, q, common);
    const vf iou = fc_ratio(common, vf_blend(vm_lt(vf_zero(), q[CROWD]), p[BOX_AREA], both));
    if (kind == FC_IOU) return iou;
    if (kind == FC_GIOU) {
        const vf around = vf_mul(fc_hull(p[BOX_LEFT], p[BOX_RIGHT], q[BOX_LEFT], q[BOX_RIGHT]),
                                 fc_hull(p[BOX_TOP], p[BOX_BOTTOM], q[BOX_TOP], q[BOX_BOTTOM]));
        return vf_sub(iou, fc_ratio(vf_sub(around, both), around));
    }
    const vf diou = vf_sub(iou, fc_box_apart(p, q));
    if (kind == FC_DIOU) return diou;
    const vf v = vf_mul(vf_set1(0.405284735f), fc_square(vf_sub(p[ANGLE], q[ANGLE])));
    const vf least = vf_add(vf_sub(vf_set1(1.0f), iou), v);
    return vf_sub(diou, vf_blend(vm_lt(vf_zero(), least), vf_div(fc_square(v), least), vf_zero()));
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
