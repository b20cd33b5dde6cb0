/* Resampling of images along both axes, by lists of taps (contract in kernels.def). The rows of a result are
 * made one after the other: first the rows of x that it needs become one, as wide as x, then its pixels are
 * taken from that. Enlarging, shrinking, and the gradients of both are the same work with other lists. */
#include "kernel.h"

/* Rows of y to a tile: some 64 KiB. */
static int64_t band_rows(const fc_resize_args *a) {
    return fc_max(1, FC_CHUNK / fc_max(1, fc_max(a->ow, a->w) * a->c));
}
static int64_t bands(const fc_resize_args *a) { return (a->oh + band_rows(a) - 1) / band_rows(a); }

FC_TILES(resize) { return a->ow * a->c == 0 ? 0 : a->n * bands(a); }
/* One row of x. */
FC_SCRATCH(resize) { return (size_t)(a->w * a->c) * sizeof(float); }

/* The taps of one row or column. */
typedef struct {
    const int32_t *index;
    const float *weight;
    int64_t count;
} taps_of;

static taps_of taps_at(const int32_t *start, const int32_t *index, const float *weight, int64_t i) {
    const taps_of t = {index + start[i], weight + start[i], start[i + 1] - start[i]};
    return t;
}

/* to[i] = sum over taps of weight from[index step + i] for i < count. */
FC_INLINE void weigh(const float *from, int64_t step, const taps_of *t, float *to, int64_t count) {
    const int32_t *index = t->index;
    const float *weight = t->weight;
    if (t->count == 2) {
        const float *p = from + index[0] * step, *q = from + index[1] * step;
        const vf u = vf_set1(weight[0]), v = vf_set1(weight[1]);
#define STEP(i, n)                                                                                           \
    vf_store_tail(to + (i), vf_fma(vf_load_tail(q + (i), n), v, vf_mul(vf_load_tail(p + (i), n), u)), n)
        FC_FOR_LANES(count, STEP);
#undef STEP
        return;
    }
    for (int64_t i = 0; i < count; i += VL) {
        vf sum = vf_zero();
        for (int64_t k = 0; k < t->count; k++)
            sum = vf_fma(vf_load_tail(from + index[k] * step + i, count - i), vf_set1(weight[k]), sum);
        vf_store_tail(to + i, sum, count - i);
    }
}

/* One pixel of few channels. */
FC_INLINE void weigh_narrow(const float *from, int64_t channels, const taps_of *t, float *to) {
    for (int64_t ch = 0; ch < channels; ch++) {
        float sum = 0.0f;
        for (int64_t k = 0; k < t->count; k++) sum += from[t->index[k] * channels + ch] * t->weight[k];
        to[ch] = sum;
    }
}

/* One pixel of a picture: three sums at a time, where the loop above would wait for one after the other. */
FC_INLINE void weigh_colors(const float *from, const taps_of *t, float *to) {
    float r = 0.0f, g = 0.0f, b = 0.0f;
    for (int64_t k = 0; k < t->count; k++) {
        const float *p = from + t->index[k] * 3, weight = t->weight[k];
        r += p[0] * weight;
        g += p[1] * weight;
        b += p[2] * weight;
    }
    to[0] = r;
    to[1] = g;
    to[2] = b;
}

FC_INLINE int is_copy(const taps_of *t) { return t->count == 1 && t->weight[0] == 1.0f; }

/* A pixel as it is. Most are a few vectors, for which a call of memcpy is dear. */
FC_INLINE void copy_pixel(const float *from, float *to, int64_t count) {
#define STEP(i, n) vf_store_tail(to + (i), vf_load_tail(from + (i), n), n)
    FC_FOR_LANES(count, STEP);
#undef STEP
}

static void resize_columns(const fc_resize_args *a, const float *row, float *y) {
    for (int64_t j = 0; j < a->ow; j++, y += a->c) {
        const taps_of t = taps_at(a->col_start, a->col_index, a->col_weight, j);
        if (is_copy(&t))
            copy_pixel(row + t.index[0] * a->c, y, a->c);
        else if (a->c == 3)
            weigh_colors(row, &t, y);
        else if (a->c < VL)
            weigh_narrow(row, a->c, &t, y);
        else
            weigh(row, a->c, &t, y, a->c);
    }
}

/* Whether two rows have the same taps: those of an image that is enlarged by repeating pixels. */
static int same_taps(const taps_of *p, const taps_of *q) {
    return p->count == q->count && !memcmp(p->index, q->index, (size_t)p->count * sizeof *p->index) &&
           !memcmp(p->weight, q->weight, (size_t)p->count * sizeof *p->weight);
}

FC_RUN(resize) {
    float *row = scratch;
    const int64_t band = band_rows(a), width = a->w * a->c, out = a->ow * a->c;
    for (int64_t tile = begin; tile < end; tile++) {
        const int64_t image = tile / bands(a), first = tile % bands(a) * band;
        const float *x = a->x + image * a->h * width;
        taps_of before = {NULL, NULL, -1};
        for (int64_t i = first; i < fc_min(first + band, a->oh); i++) {
            const taps_of t = taps_at(a->row_start, a->row_index, a->row_weight, i);
            float *y = a->y + (image * a->oh + i) * out;
            if (same_taps(&t, &before)) {
                memcpy(y, y - out, (size_t)out * sizeof(float));
            } else if (is_copy(&t)) {
                resize_columns(a, x + t.index[0] * width, y);
            } else {
                weigh(x, width, &t, row, width);
                resize_columns(a, row, y);
            }
            before = t;
        }
    }
}
