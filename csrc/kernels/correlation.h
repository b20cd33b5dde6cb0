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
    int64_t block; /* columns of dx whose channels count as those of one (fc_column_block); 0: one */
} fc_conv_shape;

#define FC_CONV_SHAPE(a)                                                                                     \
    { a->h, a->w, a->c, a->k, a->kh, a->kw, a->sh, a->sw, a->dh, a->dw, a->pt, a->pl, a->groups, 0 }

/* Blocks of so many columns of dx: tap u of block i reads column i block / stride + *first + u of dy. */
FC_INLINE int64_t fc_block_taps(const fc_conv_shape *s, int64_t block, int64_t *first) {
    const int64_t from = s->pl - s->kw + 1, to = s->pl + block - 1; /* all strides' multiples between these */
    *first = from > 0 ? (from + s->sw - 1) / s->sw : -(-from / s->sw);
    return (to >= 0 ? to / s->sw : -((-to + s->sw - 1) / s->sw)) - *first + 1;
}

/* Few channels leave most of a vector empty: first layers have 1 or 3. So some neighbouring columns of dx,
 * which lie together, are computed as the channels of one: each from all columns of dy that any of them
 * needs, by weights that are zeros where it doesn't (that is why an infinite dy may make its block NaN). 3
 * channels of a 7x7 kernel with stride 2: 5 columns of dy for 4 of dx, in one vector, where each column by
 * itself takes 3 or 4. 0 where nothing is to be gained. */
FC_INLINE int64_t fc_column_block(const fc_conv_shape *s) {
    const int64_t most = 64, at_once = 1024; /* columns of packed weights; terms of a sum in place */
    int64_t best = 0;
    if (s->groups != 1 || s->dw != 1 || s->c < 1 || 2 * s->c > VL || s->w < 1) return 0;
    const int64_t every = s->sh / fc_gcd(s->sh, s->dh), rows = (s->kh - 1) / every + 1;
    double least = 0.8 * (double)s->kw / (double)s->sw; /* vectors of dy's columns for a column of dx */
    for (int64_t block = s->sw; block * s->c <= most; block += s->sw) {
        int64_t first;
        const int64_t taps = fc_block_taps(s, block, &first), vectors = (block * s->c + VL - 1) / VL;
        const double cost = (double)(taps * vectors) / (double)block;
        const int fits = taps * vectors * VL <= s->kw * most &&
                         (rows * taps * s->k <= at_once || s->kh * s->kw * s->k > at_once);
        if (block > 1 && s->w % block == 0 && fits && cost < least) {
            best = block;
            least = cost;
        }
    }
    return best;
}

/* One phase of rows and columns; walk: for (p = fc_first_phase(s); p.index < fc_phases(s); fc_next_phase(s,
 * &p)) */
typedef struct {
    fc_axis y, x;
    int64_t packed; /* where its weights begin in the packed ones */
    int64_t index;
} fc_phase;

FC_INLINE int64_t fc_phases(const fc_conv_shape *s) {
    return fc_axis_phases(s->h, s->sh) * (s->block ? 1 : fc_axis_phases(s->w, s->sw));
}

FC_INLINE void fc_set_phase(const fc_conv_shape *s, fc_phase *p) {
    const int64_t across = s->block ? 1 : fc_axis_phases(s->w, s->sw);
    p->y = fc_axis_backward(s->h, p->index / across, s->sh, s->dh, s->pt, s->kh);
    if (s->block) {
        const fc_axis blocks = {s->w / s->block, 0, 1, 0, s->block / s->sw, 0, 1, 0, 0};
        p->x = blocks;
        p->x.taps = fc_block_taps(s, s->block, &p->x.src_start);
    } else {
        p->x = fc_axis_backward(s->w, p->index % across, s->sw, s->dw, s->pl, s->kw);
    }
    if (p->y.taps * p->x.taps == 0) p->y.taps = p->x.taps = 0;
}

FC_INLINE fc_phase fc_first_phase(const fc_conv_shape *s) {
    fc_phase p = {.packed = 0, .index = 0};
    fc_set_phase(s, &p);
    return p;
}

FC_INLINE void fc_next_phase(const fc_conv_shape *s, fc_phase *p) {
    const int64_t cols = s->block ? s->block * s->c : s->c / s->groups;
    p->packed += fc_correlation_packed(&p->y, &p->x, s->k / s->groups, cols, s->groups);
    p->index++;
    fc_set_phase(s, p);
}

#endif
