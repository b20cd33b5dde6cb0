/* Correlation of images with small kernels, by register tiles: what the forward pass of a convolution and,
 * phase by phase, its gradient with respect to the input have in common (correlation.c).
 *
 * Both are: output position i of an axis reads source positions src_start + src_step i + tap_step t, t <
 * taps, and is written to out_start + out_step i. */
#ifndef FC_CORRELATION_H
#define FC_CORRELATION_H
#include "gemm.h"

typedef struct {
    int64_t count;               /* output positions */
    int64_t out_start, out_step; /* where they lie in the output */
    int64_t src_start,
        src_step;            /* source of tap 0 of position 0 (may be negative: padding); step of positions */
    int64_t taps, tap_step;  /* source positions per output; their distance */
    int64_t w_first, w_step; /* tap t is row (or column) w_first + w_step t of the weights */
} fc_axis;

typedef struct {
    fc_axis y, x;
    int64_t n, h, w, c; /* source images */
    int64_t oh, ow, k;  /* output images */
    int64_t groups;
    const float *src, *packed,
        *bias; /* packed: [group][panel of k / groups][tap y][tap x][c / groups][width] */
    float *dst;
    int64_t dst_step; /* floats from pixel to pixel: k, or more where there is neither residual nor saved */
    int act;
    float alpha, beta;
    const float *residual, *saved; /* as in fc_tile; NULL where pool is set */
    /* dst takes the maxima of 2 x 2 positions, [n][oh / 2][ow / 2][k], and index, if there is one, their
     * places. The axes' counts are even, their steps in the output 1. */
    int pool;
    uint8_t *index;
} fc_correlation;

/* tiles, scratch and run as in fastcnn.h. Either both axes have taps or none has: then
 * the output is bias or zero. */
int64_t FC_NAME(fc_correlation_tiles)(const fc_correlation *s);
size_t FC_NAME(fc_correlation_scratch)(const fc_correlation *s);
void FC_NAME(fc_correlation_run)(const fc_correlation *s, int64_t begin, int64_t end, void *scratch);

/* A 1x1 kernel without stride or padding is a product of matrices: one row of all pixels. */
FC_INLINE void fc_correlation_flatten(fc_correlation *s) {
    const fc_axis *y = &s->y, *x = &s->x;
    if (!s->pool && y->taps == 1 && y->src_step == 1 && y->src_start == 0 && y->out_step == 1 &&
        y->count == s->h && x->taps == 1 && x->src_step == 1 && x->src_start == 0 && x->out_step == 1 &&
        x->count == s->w) {
        s->w = s->ow = s->x.count = s->n * s->h * s->w;
        s->n = s->h = s->oh = s->y.count = 1;
    }
}

/* Elements of `packed` for one axis pair. */
FC_INLINE int64_t fc_correlation_packed(const fc_axis *y, const fc_axis *x, int64_t cg, int64_t kg,
                                        int64_t groups) {
    return groups * y->taps * x->taps * cg * fc_packed_cols(kg);
}

/* The axis of a forward convolution: out positions, stride, dilation, padding before, kernel size. */
FC_INLINE fc_axis fc_axis_forward(int64_t out, int64_t stride, int64_t dilation, int64_t pad,
                                  int64_t kernel) {
    const fc_axis axis = {out, 0, 1, -pad, stride, kernel, dilation, 0, 1};
    return axis;
}

FC_INLINE int64_t fc_gcd(int64_t a, int64_t b) {
    while (b) {
        const int64_t r = a % b;
        a = b;
        b = r;
    }
    return a;
}

/* Phases of the gradient with respect to the input: positions p with equal (p + pad) mod stride are reached
 * by the same taps. Phase f is that of position f; there are no more phases than positions. */
FC_INLINE int64_t fc_axis_phases(int64_t size, int64_t stride) { return fc_min(size, stride); }

/* The axis of phase f: dx[p] = sum over r with (p + pad - r dilation) = stride i of dy[i] w[r]. The taps that
 * hit are every `every`-th; taken from the last to the first, so that the source positions ascend. */
FC_INLINE fc_axis fc_axis_backward(int64_t size, int64_t phase, int64_t stride, int64_t dilation, int64_t pad,
                                   int64_t kernel) {
    const int64_t every = stride / fc_gcd(stride, dilation), residue = (phase + pad) % stride;
    int64_t first = 0;
    while (first < fc_min(every, kernel) && first * dilation % stride != residue) first++;
    const int64_t taps = first < fc_min(every, kernel) ? (kernel - 1 - first) / every + 1 : 0;
    const int64_t last = first + (taps - 1) * every;
    fc_axis axis = {(size - phase + stride - 1) / stride, phase, stride, 0, 1, taps, 1, 0, 0};
    if (taps) {
        axis.src_start = (phase + pad - last * dilation) / stride; /* divides exactly, may be negative */
        axis.tap_step = dilation / (stride / every);
        axis.w_first = last;
        axis.w_step = -every;
    }
    return axis;
}

typedef struct {
    int64_t h, w, c, k, kh, kw, sh, sw, dh, dw, pt, pl, groups;
} fc_conv_shape;

#define FC_CONV_SHAPE(a)                                                                                     \
    { a->h, a->w, a->c, a->k, a->kh, a->kw, a->sh, a->sw, a->dh, a->dw, a->pt, a->pl, a->groups }

/* One phase of rows and columns; walk: for (p = fc_first_phase(s); p.index < fc_phases(s); fc_next_phase(s,
 * &p)) */
typedef struct {
    fc_axis y, x;
    int64_t packed; /* where its weights begin in the packed ones */
    int64_t index;
} fc_phase;

FC_INLINE int64_t fc_phases(const fc_conv_shape *s) {
    return fc_axis_phases(s->h, s->sh) * fc_axis_phases(s->w, s->sw);
}

FC_INLINE void fc_set_phase(const fc_conv_shape *s, fc_phase *p) {
    const int64_t across = fc_axis_phases(s->w, s->sw);
    p->y = fc_axis_backward(s->h, p->index / across, s->sh, s->dh, s->pt, s->kh);
    p->x = fc_axis_backward(s->w, p->index % across, s->sw, s->dw, s->pl, s->kw);
    if (p->y.taps * p->x.taps == 0) p->y.taps = p->x.taps = 0;
}

FC_INLINE fc_phase fc_first_phase(const fc_conv_shape *s) {
    fc_phase p = {.packed = 0, .index = 0};
    fc_set_phase(s, &p);
    return p;
}

FC_INLINE void fc_next_phase(const fc_conv_shape *s, fc_phase *p) {
    p->packed += fc_correlation_packed(&p->y, &p->x, s->k / s->groups, s->c / s->groups, s->groups);
    p->index++;
    fc_set_phase(s, p);
}

#endif
