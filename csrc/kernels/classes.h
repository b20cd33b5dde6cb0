/* What softmax and the losses behind it share: how rows are cut into tiles and blocks, a row's logits, its
 * targets. */
#ifndef FC_CLASSES_H
#define FC_CLASSES_H
#include "rows.h"

/* Vectors to a block: each block's sum is joined to the total in double. */
#define BLOCK (64 * VL)

/* Rows to a tile: some 4096 exponentials. */
FC_INLINE int64_t tile_rows(int64_t cols) { return fc_max(1, 4096 / fc_max(1, cols)); }
FC_INLINE int64_t row_tiles(int64_t rows, int64_t cols) {
    return (rows + tile_rows(cols) - 1) / tile_rows(cols);
}

/* Missing lanes are -infinity: neither a maximum nor, as exp(-infinity) = 0, part of a sum. */
FC_INLINE vf load_logits(const float *x, int64_t n) {
    return n >= VL ? vf_load(x) : vf_load_fill(x, (int)n, -INFINITY);
}

/* One row's targets, smoothed: keep x target + uniform. */
typedef struct {
    const float *targets; /* NULL: one-hot at label */
    int32_t label;
    float keep, uniform;
} row_targets;

/* The targets of columns i .. i + n; 0 in lanes past the row. */
FC_INLINE vf load_targets(const row_targets *t, int64_t i, int64_t n) {
    const vf raw = t->targets ? vf_load_tail(t->targets + i, n)
                              : vf_blend(vi_eq(vi_add(vi_iota(), vi_set1((int32_t)i)), vi_set1(t->label)),
                                         vf_set1(1.0f), vf_zero());
    return vf_keep(vf_fma(vf_set1(t->keep), raw, vf_set1(t->uniform)), n);
}

/* A target of 0 takes no part, not even at a logit of -infinity (a class that is masked out). */
FC_INLINE vf weigh(vf target, vf z) {
    return vf_blend(vm_eq(target, vf_zero()), vf_zero(), vf_mul(target, z));
}

#endif
