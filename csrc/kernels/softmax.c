/* Softmax over the last axis, and softmax with cross entropy. The row's maximum is taken off first, so that
 * exp can't overflow. Rows of up to VL columns (ten classes, say) stay in one register from start to end. */
#include "classes.h"
#include "vec_math.h"

/* ---- softmax ---- */

static void softmax_row(const float *x, float *y, int64_t cols) {
    if (cols <= VL) {
        const vf v = load_logits(x, cols), e = vf_exp(vf_sub(v, vf_set1(vf_hmax(v))));
        vf_store_tail(y, vf_mul(e, vf_set1(1.0f / vf_sum(e))), cols);
        return;
    }
    const vf max = vf_set1(fc_row_max(x, cols));
    double total = 0.0;
    for (int64_t from = 0; from < cols; from += BLOCK) {
        vf sum = vf_zero();
        for (int64_t i = from; i < fc_min(from + BLOCK, cols); i += VL) {
            const vf e = vf_exp(vf_sub(load_logits(x + i, cols - i), max));
            sum = vf_add(sum, e);
            vf_store_tail(y + i, e, cols - i);
        }
        total += (double)vf_sum(sum);
    }
    const vf scale = vf_set1((float)(1.0 / total));
#define STEP(i, n) vf_store_tail(y + (i), vf_mul(vf_load_tail(y + (i), n), scale), n)
    FC_FOR_LANES(cols, STEP);
#undef STEP
}

FC_TILES(softmax_forward) { return row_tiles(a->rows, a->cols); }
FC_NO_SCRATCH(softmax_forward)
FC_RUN(softmax_forward) {
    (void)scratch;
    const int64_t step = tile_rows(a->cols), last = fc_min(end * step, a->rows);
    for (int64_t r = begin * step; r < last; r++)
        softmax_row(a->x + r * a->cols, a->y + r * a->cols, a->cols);
}

static double dot_row(const float *p, const float *q, int64_t cols) {
    double total = 0.0;
    for (int64_t from = 0; from < cols; from += BLOCK) {
        vf sum = vf_zero();
        for (int64_t i = from; i < fc_min(from + BLOCK, cols); i += VL)
            sum = vf_fma(vf_load_tail(p + i, cols - i), vf_load_tail(q + i, cols - i), sum);
        total += (double)vf_sum(sum);
    }
    return total;
}

FC_TILES(softmax_backward) { return row_tiles(a->rows, a->cols); }
FC_NO_SCRATCH(softmax_backward)
FC_RUN(softmax_backward) {
    (void)scratch;
    const int64_t step = tile_rows(a->cols), last = fc_min(end * step, a->rows);
    for (int64_t r = begin * step; r < last; r++) {
        const float *dy = a->dy + r * a->cols, *y = a->y + r * a->cols;
        float *dx = a->dx + r * a->cols;
        const vf dot = vf_set1((float)dot_row(dy, y, a->cols));
#define STEP(i, n)                                                                                           \
    vf_store_tail(dx + (i), vf_mul(vf_load_tail(y + (i), n), vf_sub(vf_load_tail(dy + (i), n), dot)), n)
        FC_FOR_LANES(a->cols, STEP);
#undef STEP
    }
}

/* ---- its logarithm: x - max - log(sum of exp(x - max)) ---- */

static void log_softmax_row(const float *x, float *y, int64_t cols) {
    const vf max = vf_set1(fc_row_max(x, cols));
    double total = 0.0;
    for (int64_t from = 0; from < cols; from += BLOCK) {
        vf sum = vf_zero();
        for (int64_t i = from; i < fc_min(from + BLOCK, cols); i += VL)
            sum = vf_add(sum, vf_exp(vf_sub(load_logits(x + i, cols - i), max)));
        total += (double)vf_sum(sum);
    }
    const vf log_sum = vf_log(vf_set1((float)total));
#define STEP(i, n) vf_store_tail(y + (i), vf_sub(vf_sub(vf_load_tail(x + (i), n), max), log_sum), n)
    FC_FOR_LANES(cols, STEP);
#undef STEP
}

FC_TILES(log_softmax_forward) { return row_tiles(a->rows, a->cols); }
FC_NO_SCRATCH(log_softmax_forward)
FC_RUN(log_softmax_forward) {
    (void)scratch;
    const int64_t step = tile_rows(a->cols), last = fc_min(end * step, a->rows);
    for (int64_t r = begin * step; r < last; r++)
        log_softmax_row(a->x + r * a->cols, a->y + r * a->cols, a->cols);
}

static double sum_row(const float *p, int64_t cols) {
    double total = 0.0;
    for (int64_t from = 0; from < cols; from += BLOCK) {
        vf sum = vf_zero();
        for (int64_t i = from; i < fc_min(from + BLOCK, cols); i += VL)
            sum = vf_add(sum, vf_load_tail(p + i, cols - i));
        total += (double)vf_sum(sum);
    }
    return total;
}

FC_TILES(log_softmax_backward) { return row_tiles(a->rows, a->cols); }
FC_NO_SCRATCH(log_softmax_backward)
FC_RUN(log_softmax_backward) {
    (void)scratch;
    const int64_t step = tile_rows(a->cols), last = fc_min(end * step, a->rows);
    for (int64_t r = begin * step; r < last; r++) {
        const float *dy = a->dy + r * a->cols, *y = a->y + r * a->cols;
        float *dx = a->dx + r * a->cols;
        const vf sum = vf_set1((float)sum_row(dy, a->cols));
        for (int64_t i = 0; i < a->cols; i += VL) {
            const int64_t n = a->cols - i;
            const vf p = vf_exp(vf_load_tail(y + i, n));
            vf_store_tail(dx + i, vf_fma(vf_neg(p), sum, vf_load_tail(dy + i, n)), n);
        }
    }
}

/* ---- softmax and cross entropy ---- */

/* With z = x - max, S = sum exp(z) and targets t: the loss is sum t (log S - z), all of whose terms are >= 0.
 */
typedef struct {
    double exp, target, weighed; /* S, sum t, sum t z */
} row_sums;

FC_INLINE float row_loss(const row_sums *s, double weight) {
    float log_sum[VL];
    vf_store(log_sum, vf_log(vf_set1((float)s->exp)));
    return (float)(weight * (s->target * (double)log_sum[0] - s->weighed));
}

/* A row in one register. probs and dlogits may be NULL. */
FC_INLINE float short_row(const float *x, const row_targets *t, int64_t cols, double weight, double scale,
                          float *probs, float *dlogits) {
    const vf v = load_logits(x, cols), z = vf_sub(v, vf_set1(vf_hmax(v))), e = vf_exp(z);
    const vf target = load_targets(t, 0, cols);
    const float sum = vf_sum(e), target_sum = t->targets ? vf_sum(target) : 1.0f;
    const row_sums s = {sum, target_sum, vf_sum(weigh(target, z))};
    const vf p = vf_mul(e, vf_set1(1.0f / sum));
    if (probs) vf_store_tail(probs, p, cols);
    if (dlogits) {
        const vf d = vf_sub(vf_mul(p, vf_set1(target_sum)), target);
        vf_store_tail(dlogits, vf_mul(d, vf_set1((float)scale)), cols);
    }
    return row_loss(&s, weight);
}

/* A row of any length: the maximum; exponentials, kept in whichever output there is, and sums; the outputs.
 */
static float long_row(const float *x, const row_targets *t, int64_t cols, double weight, double scale,
                      float *probs, float *dlogits) {
    const vf max = vf_set1(fc_row_max(x, cols));
    float *kept = probs ? probs : dlogits;
    row_sums s = {0.0, 0.0, 0.0};
    for (int64_t from = 0; from < cols; from += BLOCK) {
        vf sum = vf_zero(), target_sum = vf_zero(), weighed = vf_zero();
        for (int64_t i = from; i < fc_min(from + BLOCK, cols); i += VL) {
            const vf z = vf_sub(load_logits(x + i, cols - i), max), e = vf_exp(z);
            const vf target = load_targets(t, i, cols - i);
            sum = vf_add(sum, e);
            target_sum = vf_add(target_sum, target);
            weighed = vf_add(weighed, weigh(target, z));
            if (kept) vf_store_tail(kept + i, e, cols - i);
        }
        s.exp += (double)vf_sum(sum);
        s.target += (double)vf_sum(target_sum);
        s.weighed += (double)vf_sum(weighed);
    }
    if (!t->targets) s.target = 1.0;
    const vf inverse = vf_set1((float)(1.0 / s.exp)), total = vf_set1((float)s.target);
    for (int64_t i = 0; kept && i < cols; i += VL) {
        const vf p = vf_mul(vf_load_tail(kept + i, cols - i), inverse);
        if (probs) vf_store_tail(probs + i, p, cols - i);
        if (dlogits) {
            const vf d = vf_sub(vf_mul(p, total), load_targets(t, i, cols - i));
            vf_store_tail(dlogits + i, vf_mul(d, vf_set1((float)scale)), cols - i);
        }
    }
    return row_loss(&s, weight);
}

FC_TILES(softmax_crossentropy) { return row_tiles(a->rows, a->cols); }
FC_NO_SCRATCH(softmax_crossentropy)
FC_RUN(softmax_crossentropy) {
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
        float *probs = a->probs ? a->probs + r * cols : NULL,
              *dlogits = a->dlogits ? a->dlogits + r * cols : NULL;
        const float *x = a->logits + r * cols;
        a->losses[r] = cols <= VL ? short_row(x, &t, cols, weight, weight * a->scale, probs, dlogits)
                                  : long_row(x, &t, cols, weight, weight * a->scale, probs, dlogits);
    }
}
