/* Losses that compare predictions with targets element by element, and their gradients, in one pass. */
#include "kernel.h"
#include "vec_math.h"

/* The distance that probabilities keep from 0 and from 1. Clipping p and 1 - p apart, instead of p alone,
 * gives log(1e-7) at both ends: 1 - 1e-7 is not a float. */
#define CLIP 1e-7f

FC_INLINE vf clipped(vf p) { return vf_min(vf_set1(1.0f - CLIP), vf_max(vf_set1(CLIP), p)); }

/* f(p, t). `kind` is a constant wherever this is inlined. */
FC_INLINE vf loss_value(int64_t kind, vf p, vf t) {
    const vf one = vf_set1(1.0f), d = vf_sub(p, t);
    switch (kind) {
    case FC_SQUARED_ERROR:
        return vf_mul(d, d);
    case FC_ABSOLUTE_ERROR:
        return vf_abs(d);
    case FC_BINARY_CROSSENTROPY: {
        const vf no = vf_mul(vf_sub(one, t), vf_log(clipped(vf_sub(one, p))));
        return vf_neg(vf_fma(t, vf_log(clipped(p)), no));
    }
    case FC_BINARY_CROSSENTROPY_LOGITS: {
        const vf linear = vf_fma(vf_neg(p), t, vf_max(vf_zero(), p));
        return vf_add(linear, vf_log1p_unit(vf_exp(vf_neg(vf_abs(p)))));
    }
    default:
        return vf_neg(vf_mul(t, vf_log(clipped(p))));
    }
}

/* df / dp; 0 where p was clipped. */
FC_INLINE vf loss_gradient(int64_t kind, vf p, vf t) {
    const vf d = vf_sub(p, t), q = vf_sub(vf_set1(1.0f), p), clip = vf_set1(CLIP);
    const vm outside = vm_or(vm_lt(p, clip), vm_lt(q, clip));
    switch (kind) {
    case FC_SQUARED_ERROR:
        return vf_add(d, d);
    case FC_ABSOLUTE_ERROR:
        return vf_sign(d);
    case FC_BINARY_CROSSENTROPY:
        return vf_blend(outside, vf_zero(), vf_div(d, vf_mul(p, q)));
    case FC_BINARY_CROSSENTROPY_LOGITS:
        return vf_sub(vf_sigmoid(p), t);
    default:
        return vf_blend(outside, vf_zero(), vf_neg(vf_div(t, p)));
    }
}

/* One row: its sum, in blocks of 64 vectors joined in double, and dp = factor x f'. dp may be NULL. */
FC_INLINE double loss_row(int64_t kind, const float *p, const float *t, int64_t cols, float factor,
                          float *dp) {
    double total = 0.0;
    for (int64_t from = 0; from < cols; from += 64 * VL) {
        vf sum = vf_zero();
        for (int64_t i = from; i < fc_min(from + 64 * VL, cols); i += VL) {
            const vf pv = vf_load_tail(p + i, cols - i), tv = vf_load_tail(t + i, cols - i);
            sum = vf_add(sum, vf_keep(loss_value(kind, pv, tv), cols - i));
            if (dp) vf_store_tail(dp + i, vf_mul(loss_gradient(kind, pv, tv), vf_set1(factor)), cols - i);
        }
        total += (double)vf_sum(sum);
    }
    return total;
}

/* Rows of one column (a single output): vectors along the rows. */
FC_INLINE void loss_column(int64_t kind, const fc_pointwise_loss_args *a, int64_t row, int64_t rows) {
    const vf row_scale = vf_set1((float)a->row_scale), factor = vf_set1((float)(a->scale * a->row_scale));
    for (int64_t r = row; r < row + rows; r += VL) {
        const int64_t n = row + rows - r;
        const vf p = vf_load_tail(a->p + r, n), t = vf_load_tail(a->t + r, n);
        const vf weight = a->weight ? vf_load_tail(a->weight + r, n) : vf_set1(1.0f);
        vf_store_tail(a->losses + r, vf_mul(loss_value(kind, p, t), vf_mul(weight, row_scale)), n);
        if (a->dp) vf_store_tail(a->dp + r, vf_mul(loss_gradient(kind, p, t), vf_mul(weight, factor)), n);
    }
}

FC_INLINE void loss_rows(int64_t kind, const fc_pointwise_loss_args *a, int64_t row, int64_t rows) {
    if (a->cols == 1) {
        loss_column(kind, a, row, rows);
        return;
    }
    for (int64_t r = row; r < row + rows; r++) {
        const double weight = (a->weight ? (double)a->weight[r] : 1.0) * a->row_scale;
        const int64_t at = r * a->cols;
        a->losses[r] = (float)(weight * loss_row(kind, a->p + at, a->t + at, a->cols,
                                                 (float)(weight * a->scale), a->dp ? a->dp + at : NULL));
    }
}

static int64_t tile_rows(int64_t cols) { return fc_max(1, 4096 / fc_max(1, cols)); }

FC_TILES(pointwise_loss) { return (a->rows + tile_rows(a->cols) - 1) / tile_rows(a->cols); }
FC_NO_SCRATCH(pointwise_loss)
FC_RUN(pointwise_loss) {
    (void)scratch;
    const int64_t row = begin * tile_rows(a->cols), rows = fc_min(end * tile_rows(a->cols), a->rows) - row;
    switch (a->kind) {
#define CASE(kind)                                                                                           \
    case kind:                                                                                               \
        loss_rows(kind, a, row, rows);                                                                       \
        break;
        CASE(FC_SQUARED_ERROR)
        CASE(FC_ABSOLUTE_ERROR)
        CASE(FC_BINARY_CROSSENTROPY)
        CASE(FC_BINARY_CROSSENTROPY_LOGITS)
        CASE(FC_CATEGORICAL_CROSSENTROPY)
#undef CASE
    }
}
