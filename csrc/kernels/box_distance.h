/* How far a predicted box is from the one that is wanted, 1 - IoU and its kin, with the gradient.
 *
 * GIoU: Rezatofighi et al., "Generalized intersection over union", CVPR 2019. DIoU and CIoU: Zheng et al.,
 * "Distance-IoU loss", AAAI 2020. A few boxes an object: plain numbers, in double. */
#ifndef FC_BOX_DISTANCE_H
#define FC_BOX_DISTANCE_H
#include "kernel.h"

typedef struct {
    double loss, slope[4]; /* by the prediction's left, top, right, bottom */
} box_distance;

/* A stretch of one axis that depends on a box's two ends, and its derivatives in them. */
typedef struct {
    double size, low, high;
} box_span;

/* What two boxes have in common of an axis, from p0 .. p1 and t0 .. t1. */
FC_INLINE box_span box_common(double p0, double p1, double t0, double t1) {
    const double size = (p1 < t1 ? p1 : t1) - (p0 > t0 ? p0 : t0);
    const box_span none = {0.0, 0.0, 0.0}, found = {size, p0 > t0 ? -1.0 : 0.0, p1 < t1 ? 1.0 : 0.0};
    return size <= 0.0 ? none : found;
}

/* The least stretch that both lie in. */
FC_INLINE box_span box_hull(double p0, double p1, double t0, double t1) {
    const box_span found = {(p1 > t1 ? p1 : t1) - (p0 < t0 ? p0 : t0), p0 < t0 ? -1.0 : 0.0,
                            p1 > t1 ? 1.0 : 0.0};
    return found;
}

/* A box's own stretch; turned over it counts as empty. NaN stays NaN. */
FC_INLINE box_span box_own(double p0, double p1) {
    const box_span none = {0.0, 0.0, 0.0}, found = {p1 - p0, -1.0, 1.0};
    return p1 - p0 <= 0.0 ? none : found;
}

/* The product of two stretches, left to right and top to bottom. */
FC_INLINE box_distance box_area(box_span x, box_span y) {
    const box_distance found = {x.size * y.size,
                                {x.low * y.size, y.low * x.size, x.high * y.size, y.high * x.size}};
    return found;
}

/* Intersection over union, 0 where both are empty. */
FC_INLINE double box_iou(const double *p, const double *t) {
    const double common = box_common(p[0], p[2], t[0], t[2]).size * box_common(p[1], p[3], t[1], t[3]).size;
    const double own = box_own(p[0], p[2]).size * box_own(p[1], p[3]).size;
    const double both = own + box_own(t[0], t[2]).size * box_own(t[1], t[3]).size - common;
    return both == 0.0 ? 0.0 : common / both;
}

/* f += sign x a / b, both with their derivatives; nothing where b is 0. */
FC_INLINE void box_add_ratio(box_distance *f, double sign, const box_distance *a, const box_distance *b) {
    if (b->loss == 0.0) return;
    const double ratio = a->loss / b->loss;
    f->loss += sign * ratio;
    for (int i = 0; i < 4; i++) f->slope[i] += sign * (a->slope[i] - ratio * b->slope[i]) / b->loss;
}

/* d^2 / c^2: the squared distance of the centres by the hull's squared diagonal. */
FC_INLINE void box_add_centres(box_distance *f, const double *p, const double *t, box_span x, box_span y) {
    const double dx = 0.5 * (p[0] + p[2] - t[0] - t[2]), dy = 0.5 * (p[1] + p[3] - t[1] - t[3]);
    const box_distance apart = {dx * dx + dy * dy, {dx, dy, dx, dy}};
    const box_distance across = {
        x.size * x.size + y.size * y.size,
        {2.0 * x.size * x.low, 2.0 * y.size * y.low, 2.0 * x.size * x.high, 2.0 * y.size * y.high}};
    box_add_ratio(f, 1.0, &apart, &across);
}

/* alpha v: how far the ratios of width to height are apart, v = 4 / pi^2 (difference of the angles)^2, and
 * alpha = v / (1 - IoU + v), which counts as a constant in the gradient, as in the paper. */
FC_INLINE void box_add_ratios(box_distance *f, double rest, box_span w, box_span h, const double *t) {
    const double turn = atan2(t[2] - t[0], t[3] - t[1]) - atan2(w.size, h.size);
    const double of_pi = 0.40528473456935109, v = of_pi * turn * turn, both = rest + v;
    const double square = w.size * w.size + h.size * h.size;
    if (v == 0.0 || both == 0.0) return;
    f->loss += v / both * v;
    if (square == 0.0) return;
    const double slope = -2.0 * of_pi * turn * (v / both) / square;
    f->slope[0] += slope * h.size * w.low;
    f->slope[1] -= slope * w.size * h.low;
    f->slope[2] += slope * h.size * w.high;
    f->slope[3] -= slope * w.size * h.high;
}

/* kind: fc_overlap. p, t: left, top, right, bottom. */
FC_INLINE box_distance box_distance_of(int64_t kind, const double *p, const double *t) {
    const box_span w = box_own(p[0], p[2]), h = box_own(p[1], p[3]);
    const box_distance own = box_area(w, h), common = box_area(box_common(p[0], p[2], t[0], t[2]),
                                                               box_common(p[1], p[3], t[1], t[3]));
    box_distance both = own, f = {1.0, {0.0, 0.0, 0.0, 0.0}};
    both.loss += box_own(t[0], t[2]).size * box_own(t[1], t[3]).size - common.loss;
    for (int i = 0; i < 4; i++) both.slope[i] -= common.slope[i];
    box_add_ratio(&f, -1.0, &common, &both);
    if (kind == FC_IOU) return f;
    const box_span x = box_hull(p[0], p[2], t[0], t[2]), y = box_hull(p[1], p[3], t[1], t[3]);
    const double rest = f.loss;
    if (kind == FC_GIOU) {
        const box_distance hull = box_area(x, y);
        f.loss += hull.loss == 0.0 ? 0.0 : 1.0;
        box_add_ratio(&f, -1.0, &both, &hull);
        return f;
    }
    box_add_centres(&f, p, t, x, y);
    if (kind == FC_CIOU) box_add_ratios(&f, rest, w, h, t);
    return f;
}

#endif
