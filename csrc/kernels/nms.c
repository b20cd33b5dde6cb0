/* Non-maximum suppression (contracts in kernels.def): boxes are put in order once, then each group (class,
 * image) goes its own way. Boxes of a group that were kept, or, where scores decay, those still in the
 * running, lie coordinate by coordinate in scratch memory, so that one box meets VL others at once. No matrix
 * of all pairs is made: a box is only compared with those that were kept, and only up to the one that removes
 * it. */
#include "boxes.h"
#include "vec_math.h"

/* ---- the order ---- */

FC_TILES(nms_order) {
    (void)a;
    return 1;
}
/* Never nothing, so that there is an address to count from. */
FC_SCRATCH(nms_order) { return (size_t)fc_max(1, a->count) * 2 * sizeof(uint64_t); }

/* A number that is the smaller the larger the score is; both zeros are one. */
static uint32_t rank_of(float score) {
    uint32_t bits;
    score += 0.0f;
    memcpy(&bits, &score, sizeof bits);
    return bits & 0x80000000u ? bits : ~(bits | 0x80000000u);
}

/* By the upper half of each number, byte by byte from the least one (radix sort): stable, and no comparisons.
 * The result may lie in either array. */
static uint64_t *sort_by_rank(uint64_t *keys, uint64_t *other, int64_t count) {
    for (int shift = 32; shift < 64; shift += 8) {
        int64_t place[256] = {0}, before = 0;
        for (int64_t i = 0; i < count; i++) place[keys[i] >> shift & 255]++;
        if (count && place[keys[0] >> shift & 255] == count) continue;
        for (int b = 0; b < 256; b++) {
            const int64_t here = place[b];
            place[b] = before;
            before += here;
        }
        for (int64_t i = 0; i < count; i++) other[place[keys[i] >> shift & 255]++] = keys[i];
        uint64_t *const sorted = other;
        other = keys;
        keys = sorted;
    }
    return keys;
}

FC_INLINE int finite(const float *box) {
    /* Infinities and NaN times 0 are NaN. */
    const float zero = box[0] * 0.0f + box[1] * 0.0f + box[2] * 0.0f + box[3] * 0.0f;
    return zero == 0.0f;
}

FC_RUN(nms_order) {
    (void)begin, (void)end;
    uint64_t *keys = scratch;
    const float threshold = (float)a->threshold;
    int64_t count = 0;
    for (int64_t i = 0; i < a->count; i++)
        if (a->scores[i] > threshold && finite(a->boxes + i * 4))
            keys[count++] = (uint64_t)rank_of(a->scores[i]) << 32 | (uint64_t)i;
    keys = sort_by_rank(keys, keys + a->count, count);
    int32_t *starts = a->starts;
    memset(starts, 0, (size_t)(a->groups + 1) * sizeof *starts);
    for (int64_t k = 0; k < count; k++) {
        const int32_t i = a->order[k] = (int32_t)(keys[k] & 0xffffffffu);
        if (a->groups) starts[a->group ? a->group[i] + 1 : 1]++;
    }
    for (int64_t g = 0; g < a->groups; g++) starts[g + 1] += starts[g];
    /* Counts become places, and these run up to the next group's start, from which they are put back. */
    for (int64_t k = 0; k < count && a->groups; k++)
        a->grouped[starts[a->group ? a->group[a->order[k]] : 0]++] = a->order[k];
    if (a->groups) memmove(starts + 1, starts, (size_t)a->groups * sizeof *starts);
    starts[0] = 0;
    for (int64_t k = count; k < a->count; k++) a->order[k] = a->grouped[k] = -1;
}

/* ---- suppression ---- */

FC_TILES(nms) { return a->groups; }

enum { SCORE = BOX_PARTS, PLACE, ALL };
/* Vectors that are compared between two looks at the result. */
#define TURN 2
static int64_t padded(int64_t count) { return FC_ROUND_UP(count, TURN * VL); }
FC_SCRATCH(nms) { return (size_t)(ALL * padded(fc_max(1, a->count))) * sizeof(float); }

FC_INLINE void load_parts(const float *from, int64_t step, vf *q) {
    for (int k = 0; k < BOX_PARTS; k++) q[k] = vf_load(from + k * step);
}
/* Never more than 1, so that what scores are multiplied by isn't negative. */
FC_INLINE vf iou_of(const vf *p, const vf *q) {
    const vf common = fc_box_common(p, q);
    return vf_min(vf_set1(1.0f), fc_ratio(common, fc_box_union(p, q, common)));
}

/* Which of VL boxes agree with p beyond the threshold. IoU without a division: common > threshold * union. */
FC_INLINE vm removes(int diou, const vf *p, vf threshold, const float *from, int64_t step) {
    vf q[BOX_PARTS];
    load_parts(from, step, q);
    if (diou) return vm_lt(threshold, vf_sub(iou_of(p, q), fc_box_apart(p, q)));
    const vf common = fc_box_common(p, q);
    return vm_lt(vf_mul(threshold, fc_box_union(p, q, common)), common);
}

/* Boxes in order; those kept are in `q`, filled up with boxes at 0 of no area, which remove nothing. */
FC_INLINE void suppress(const fc_nms_args *a, int diou, const int32_t *member, int64_t count, float *kept,
                        float *q) {
    const int64_t step = padded(count);
    const vf threshold = vf_set1((float)a->iou_threshold);
    memset(q, 0, (size_t)(BOX_PARTS * step) * sizeof(float));
    for (int64_t i = 0, found = 0; i < count; i++) {
        float box[BOX_PARTS];
        vf p[BOX_PARTS];
        kept[i] = NAN;
        if (found >= a->limit) continue;
        fc_box_parts(a->boxes + (int64_t)member[i] * 4, box, 1);
        for (int k = 0; k < BOX_PARTS; k++) p[k] = vf_set1(box[k]);
        int removed = 0;
        for (int64_t j = 0; j < found && !removed; j += TURN * VL)
            removed = vm_any(vm_or(removes(diou, p, threshold, q + j, step),
                                   removes(diou, p, threshold, q + j + VL, step)));
        if (removed) continue;
        for (int k = 0; k < BOX_PARTS; k++) q[k * step + found] = box[k];
        found++;
        kept[i] = a->scores[member[i]];
    }
}

/* Scores of the `count` boxes of q after `p` was kept; returns the largest. */
FC_INLINE float decay(const fc_nms_args *a, int gaussian, const vf *p, float *q, int64_t step,
                      int64_t count) {
    const vf threshold = vf_set1((float)a->iou_threshold), one = vf_set1(1.0f),
             slope = vf_set1((float)(-1.0 / a->sigma));
    vf best = vf_set1(-INFINITY);
    for (int64_t j = 0; j < count; j += VL) {
        vf other[BOX_PARTS];
        load_parts(q + j, step, other);
        const vf iou = iou_of(p, other), score = vf_load(q + SCORE * step + j);
        const vf share = gaussian ? vf_exp(vf_mul(slope, fc_square(iou)))
                                  : vf_blend(vm_lt(threshold, iou), vf_sub(one, iou), one);
        const vf now = vf_mul(score, share);
        vf_store(q + SCORE * step + j, now);
        best = vf_max(now, best);
    }
    return vf_hmax(best);
}

/* Leaves out the boxes that are no longer in the running. */
static int64_t compact(float *q, int64_t step, int64_t count, float threshold) {
    int64_t to = 0;
    for (int64_t j = 0; j < count; j++) {
        if (!(q[SCORE * step + j] > threshold)) continue;
        for (int k = 0; k < ALL; k++) q[k * step + to] = q[k * step + j];
        to++;
    }
    for (int64_t j = to; j < padded(to); j++) q[SCORE * step + j] = -INFINITY;
    return to;
}

FC_INLINE void soften(const fc_nms_args *a, int gaussian, const int32_t *member, int64_t count, float *kept,
                      float *q) {
    const int64_t step = padded(count);
    const float threshold = (float)a->score_threshold;
    memset(q, 0, (size_t)(ALL * step) * sizeof(float));
    for (int64_t i = 0; i < count; i++) {
        const int32_t place = (int32_t)i;
        kept[i] = NAN;
        fc_box_parts(a->boxes + (int64_t)member[i] * 4, q + i, step);
        q[SCORE * step + i] = a->scores[member[i]];
        memcpy(q + PLACE * step + i, &place, sizeof place);
    }
    for (int64_t i = count; i < step; i++) q[SCORE * step + i] = -INFINITY;
    float best = count ? q[SCORE * step] : -INFINITY;
    for (int64_t found = 0, gone = 0; found < a->limit && best > threshold; found++) {
        int64_t at = 0;
        while (q[SCORE * step + at] != best) at++; /* the first of equals */
        vf p[BOX_PARTS];
        int32_t place;
        for (int k = 0; k < BOX_PARTS; k++) p[k] = vf_set1(q[k * step + at]);
        memcpy(&place, q + PLACE * step + at, sizeof place);
        kept[place] = best;
        q[SCORE * step + at] = -INFINITY;
        if (++gone > count / 4) {
            count = compact(q, step, count, threshold);
            gone = 0;
        }
        best = decay(a, gaussian, p, q, step, count);
    }
}

FC_RUN(nms) {
    for (int64_t g = begin; g < end; g++) {
        const int64_t from = a->starts[g], count = a->starts[g + 1] - from;
        const int32_t *member = a->grouped + from;
        float *kept = a->kept + from;
        switch (a->kind) {
        case FC_NMS_HARD:
            suppress(a, 0, member, count, kept, scratch);
            break;
        case FC_NMS_DIOU:
            suppress(a, 1, member, count, kept, scratch);
            break;
        case FC_NMS_LINEAR:
            soften(a, 0, member, count, kept, scratch);
            break;
        default:
            soften(a, 1, member, count, kept, scratch);
            break;
        }
        if (g == a->groups - 1)
            for (int64_t i = from + count; i < a->count; i++) a->kept[i] = NAN;
    }
}
