/* Focal losses (Lin, Goyal, Girshick, He and Dollar, "Focal loss for dense object detection", ICCV 2017):
 * cross entropy times (1 - p)^gamma, p the probability of what is right, so that what is easy counts little;
 * with their gradients, in one pass from the logits. */
#include "classes.h"
#include "vec_math.h"

/* As in loss.c: the distance that given probabilities keep from 0 and 1. */
#define CLIP 1e-7f

/* ---- binary ---- */

typedef struct {
    vf loss, slope;
} value_and_slope;

/* With probabilities p of 1 and n of 0, and a target t between: u = t n + (1 - t) p is how wrong it is, and
 * B = -(t log p + (1 - t) log n). The loss is w u^gamma B. With the logit z, dp / dz = p n, so that
 * du / dz = (1 - 2 t) p n and dB / dz = p - t; u^(gamma - 1) is taken as u^gamma / u, whose quotient p n / u
 * is at most 1 where one of p and n has become 0. */
FC_INLINE value_and_slope binary_focal(const fc_binary_focal_loss_args *a, vf x, vf t) {
    const vf one = vf_set1(1.0f), gamma = vf_set1((float)a->gamma), clip = vf_set1(CLIP);
    t = vf_fma(t, vf_set1((float)(1.0 - a->smoothing)), vf_set1((float)(0.5 * a->smoothing)));
    vf p, n, log_p, log_n;
    if (a->from_logits) {
        const vf rest = vf_log1p_unit(vf_exp(vf_neg(vf_abs(x))));
        log_p = vf_neg(vf_add(vf_max(vf_zero(), vf_neg(x)), rest));
        log_n = vf_neg(vf_add(vf_max(vf_zero(), x), rest));
        p = vf_exp(log_p), n = vf_exp(log_n);
    } else {
        p = vf_min(vf_set1(1.0f - CLIP), vf_max(clip, x));
        n = vf_min(vf_set1(1.0f - CLIP), vf_max(clip, vf_sub(one, x)));
        log_p = vf_log(p), log_n = vf_log(n);
    }
    const vf s = vf_sub(one, t), u = vf_fma(t, n, vf_mul(s, p)), both = vf_mul(p, n);
    const vf entropy = vf_neg(vf_fma(t, log_p, vf_mul(s, log_n)));
    const vf w = vf_mul(vf_fma(t, vf_set1((float)a->positive), vf_mul(s, vf_set1((float)a->negative))),
                        vf_pow(u, gamma));
    const vf quotient = vf_blend(vm_eq(u, vf_zero()), one, vf_div(both, u));
    const vf turn = vf_mul(vf_mul(gamma, vf_sub(s, t)), vf_mul(quotient, entropy));
    vf slope = vf_mul(w, vf_add(turn, vf_sub(p, t)));
    if (!a->from_logits) {
        const vm outside = vm_or(vm_lt(x, clip), vm_lt(vf_sub(one, x), clip));
        slope = vf_blend(outside, vf_zero(), vf_div(slope, both));
    }
    const value_and_slope found = {vf_mul(w, entropy), slope};
    return found;
}

FC_TILES(binary_focal_loss) { return row_tiles(a->rows, a->cols); }
FC_NO_SCRATCH(binary_focal_loss)
FC_RUN(binary_focal_loss) {
    (void)scratch;
    const int64_t step = tile_rows(a->cols), last = fc_min(end * step, a->rows), cols = a->cols;
    for (int64_t r = begin * step; r < last; r++) {
        const double weight = (a->weight ? (double)a->weight[r] : 1.0) * a->row_scale;
        const vf factor = vf_set1((float)(weight * a->scale));
        double total = 0.0;
        for (int64_t from = 0; from < cols; from += BLOCK) {
            vf sum = vf_zero();
            for (int64_t i = from; i < fc_min(from + BLOCK, cols); i += VL) {
                const int64_t n = cols - i, at = r * cols + i;
                const value_and_slope f =
                    binary_focal(a, vf_load_tail(a->p + at, n), vf_load_tail(a->t + at, n));
                sum = vf_add(sum, vf_keep(f.loss, n));
                if (a->dp) vf_store_tail(a->dp + at, vf_mul(f.slope, factor), n);
            }
            total += (double)vf_sum(sum);
        }
        a->losses[r] = (float)(weight * total);
    }
}

/* ---- of several classes ---- */

/* A class with the logarithm of its probability and its target times alpha: its loss, and h, the loss's
 * derivative in that logarithm. With q = 1 - p: loss = -t q^gamma log p, h = t q^gamma (gamma p log p / q -
 * 1). q comes from the logarithm, for 1 - p has no digits left near p = 1; log p / q is -1 there. */
typedef struct {
    vf p, loss, h;
} focal_class;

FC_INLINE focal_class class_of(vf log_p, vf target, vf gamma) {
    const vf one = vf_set1(1.0f), log_kept = vf_max(vf_set1(-87.0f), log_p);
    const vf p = vf_exp(log_p), q = vf_sub(vf_zero(), fc_expm1(log_kept)), power = vf_pow(q, gamma);
    const vf ratio = vf_blend(vm_eq(q, vf_zero()), vf_neg(one), vf_div(log_kept, q));
    const vf turn = vf_sub(vf_mul(gamma, vf_mul(p, ratio)), one);
    const focal_class found = {p, weigh(target, vf_neg(vf_mul(power, log_p))),
                               weigh(target, vf_mul(power, turn))};
    return found;
}

/* The logarithm of the sum of exp(x - max). */
static float log_sum(const float *x, vf max, int64_t cols) {
    double total = 0.0;
    float found[VL];
    for (int64_t from = 0; from < cols; from += BLOCK) {
        vf sum = vf_zero();
        for (int64_t i = from; i < fc_min(from + BLOCK, cols); i += VL)
            sum = vf_add(sum, vf_exp(vf_sub(load_logits(x + i, cols - i), max)));
        total += (double)vf_sum(sum);
    }
    vf_store(found, vf_log(vf_set1((float)total)));
    return found[0];
}

/* Three passes: the sum of exponentials; losses, h (kept in dlogits) and its sum H; then dz = h - p H. */
static float focal_row(const fc_softmax_focal_args *a, const float *x, const row_targets *t, double weight,
                       float *probs, float *dlogits) {
    const int64_t cols = a->cols;
    const vf max = vf_set1(fc_row_max(x, cols)), logarithm = vf_set1(log_sum(x, max, cols)),
             gamma = vf_set1((float)a->gamma);
    double loss = 0.0, total = 0.0;
    for (int64_t from = 0; from < cols; from += BLOCK) {
        vf losses = vf_zero(), slopes = vf_zero();
        for (int64_t i = from; i < fc_min(from + BLOCK, cols); i += VL) {
            const int64_t n = cols - i;
            const vf log_p = vf_sub(vf_sub(load_logits(x + i, n), max), logarithm);
            const vf target = vf_mul(load_targets(t, i, n), vf_load_tail(a->alpha + i, n));
            const focal_class c = class_of(log_p, target, gamma);
            losses = vf_add(losses, c.loss);
            slopes = vf_add(slopes, c.h);
            if (probs) vf_store_tail(probs + i, c.p, n);
            if (dlogits) vf_store_tail(dlogits + i, c.h, n);
        }
        loss += (double)vf_sum(losses);
        total += (double)vf_sum(slopes);
    }
    const vf sum = vf_set1((float)total), factor = vf_set1((float)(weight * a->scale));
    for (int64_t i = 0; dlogits && i < cols; i += VL) {
        const int64_t n = cols - i;
        const vf p = vf_exp(vf_sub(vf_sub(load_logits(x + i, n), max), logarithm));
        vf_store_tail(dlogits + i, vf_mul(factor, vf_sub(vf_load_tail(dlogits + i, n), vf_mul(p, sum))), n);
    }
    return (float)(weight * loss);
}

FC_TILES(softmax_focal) { return row_tiles(a->rows, a->cols); }
FC_NO_SCRATCH(softmax_focal)
FC_RUN(softmax_focal) {
    (void)scratch;
    const int64_t step = tile_rows(a->cols), last = fc_min(end * step, a->rows), cols = a->cols;
    row_targets t = {NULL, 0, (float)(1.0 - a->smoothing), (float)(a->smoothing / (double)cols)};
    for (int64_t r = begin * step; r < last; r++) {
        double weight = a->weight ? (double)a->weight[r] : 1.0;
        if (a->targets)
            t.targets = a->targets + r * cols;
        else {
            t.label = a->labels[r];
            if (t.label < 0 || t.label >= cols) weight = (double)NAN;
        }
        a->losses[r] = focal_row(a, a->logits + r * cols, &t, weight, a->probs ? a->probs + r * cols : NULL,
                                 a->dlogits ? a->dlogits + r * cols : NULL);
    }
}
