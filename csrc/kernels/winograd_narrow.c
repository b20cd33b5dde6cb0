/* Winograd convolution F(4x4, 3x3) of 16 or 32 channels.
 *
 * All distances are constants here: points are `c` floats apart, and pixels too unless there are groups, and
 * a block always has room for the same number of squares. Sums take the place of the points that they are
 * made of, so that a block stays in the L1 cache, or close to it.
 */
#include "winograd_narrow.h"

typedef fc_winograd_forward_args args;

/* ---- pixels to points ---- */

/* One vector of channels of a patch whose pixels lie `step` floats apart. */
FC_INLINE void transform_patch(const int crosses, const int c, const int64_t step, const fc_wino_place *p,
                               int64_t at, float *to) {
    vf half[FC_WINO_POINTS], d[FC_WINO_EDGE], o[FC_WINO_EDGE];
    FC_UNROLL(6)
    for (int j = 0; j < 6; j++) {
        FC_UNROLL(6)
        for (int i = 0; i < 6; i++) d[i] = fc_wino_pixel(crosses, step, p, i, j, at);
        fc_wino_pixels(4, d, 1, half + j, 6);
    }
    FC_UNROLL(6)
    for (int i = 0; i < 6; i++) {
        fc_wino_pixels(4, half + i * 6, 1, o, 1);
        FC_UNROLL(6)
        for (int j = 0; j < 6; j++) vf_store(to + (i * 6 + j) * FC_NARROW_MATRIX(c), o[j]);
    }
}

/* `count` squares from the one at q on. */
FC_INLINE void transform_squares(const int c, const int64_t step, const fc_wino_images *s, fc_square q,
                                 int64_t count, float *points) {
    for (int64_t t = 0; t < count; t++, points += c, fc_next_square(4, s->down, s->across, &q)) {
        fc_wino_place p = {{0}, {0}, {0}, {0}, 0};
        fc_wino_find(6, step, s, &q, &p);
        for (int64_t at = 0; at < c; at += VL)
            if (p.crosses)
                transform_patch(1, c, step, &p, at, points + at);
            else
                transform_patch(0, c, step, &p, at, points + at);
    }
}

/* ---- products ---- */

/* Rows of a register tile: all of a block's, or an equal part of them. */
#if FC_MR >= FC_NARROW_SQUARES
#define TILE FC_NARROW_SQUARES
#elif FC_MR >= 6
#define TILE 6
#else
#define TILE 4
#endif

/* The products of TILE squares with the weights of one point take the place of its points. */
FC_INLINE void multiply_tile(const int c, const float *b, float *points) {
    const int nv = c / VL;
    vf acc[TILE][FC_NV], w[FC_NV];
    FC_UNROLL(12)
    for (int i = 0; i < TILE; i++) acc[i][0] = acc[i][1] = vf_zero();
    FC_UNROLL(16)
    for (int k = 0; k < c; k++, b += c) {
        w[0] = vf_load(b);
        w[1] = nv > 1 ? vf_load(b + VL) : w[0];
        FC_UNROLL(12)
        for (int i = 0; i < TILE; i++) {
            const vf x = vf_set1(points[i * c + k]);
            acc[i][0] = vf_fma(x, w[0], acc[i][0]);
            if (nv > 1) acc[i][1] = vf_fma(x, w[1], acc[i][1]);
        }
    }
    FC_UNROLL(12)
    for (int i = 0; i < TILE; i++) {
        vf_store(points + i * c, acc[i][0]);
        if (nv > 1) vf_store(points + i * c + VL, acc[i][1]);
    }
}

/* Of a block with fewer squares the others are multiplied with them: whatever they are, nobody reads it. */
FC_INLINE void multiply(const int c, const float *weights, float *points, const fc_wino_wanted *in,
                        const fc_wino_wanted *out) {
    for (int point = 0; point < FC_WINO_POINTS; point++) {
        fc_wino_fetch(in, 4, point, FC_WINO_POINTS);
        fc_wino_fetch(out, 4, point, FC_WINO_POINTS);
        for (int i = 0; i < FC_NARROW_SQUARES; i += TILE)
            multiply_tile(c, weights + point * fc_odd_lines(c * c),
                          points + point * FC_NARROW_MATRIX(c) + i * c);
    }
}

/* ---- sums to pixels ---- */

FC_INLINE void finish_squares(const int c, const args *a, int64_t down, int64_t across, int64_t col,
                              fc_square q, int64_t count, const float *sums) {
    fc_wino_target t;
    t.row = a->ow * a->y_step;
    t.pixel = a->y_step;
    t.act = (int)a->act;
    t.alpha = vf_set1((float)a->alpha);
    t.n = VL;
    for (int64_t i = 0; i < count; i++, sums += c, fc_next_square(4, down, across, &q)) {
        const int64_t high = a->oh - q.y, wide = a->ow - q.x;
        const int64_t to = ((q.image * a->oh + q.y) * a->ow + q.x) * a->y_step + col;
        for (int64_t j = 0; j < c; j += VL) {
            t.bias = a->bias ? vf_load(a->bias + col + j) : vf_zero();
            t.at = to + j;
            if (high >= 4 && wide >= 4) {
                t.high = t.wide = 4;
                fc_wino_finish(4, a, sums + j, FC_NARROW_MATRIX(c), &t);
            } else {
                t.high = high;
                t.wide = wide;
                fc_wino_finish(4, a, sums + j, FC_NARROW_MATRIX(c), &t);
            }
        }
        if (fc_acts_late(t.act)) fc_wino_activate(a, to, t.row, fc_min(high, 4), fc_min(wide, 4), c);
    }
}

/* ---- the kernel ---- */

/* These two don't depend on how far apart pixels lie: one function for images with groups and without. */
#define APART(c)                                                                                             \
    FC_NOINLINE void multiply_##c(const float *weights, float *points, const fc_wino_wanted *in,             \
                                  const fc_wino_wanted *out) {                                               \
        multiply(c, weights, points, in, out);                                                               \
    }                                                                                                        \
    FC_NOINLINE void finish_##c(const args *a, const fc_wino_blocks *k, int64_t col, const fc_square *q,     \
                                int64_t count, const float *sums) {                                          \
        finish_squares(c, a, k->down, k->across, col, *q, count, sums);                                      \
    }
APART(16)
#if FC_NR >= 32
APART(32)
#else
#define multiply_32 multiply_16
#define finish_32 finish_16
#endif

FC_INLINE void run(const int c, const int64_t step, const args *a, const fc_wino_blocks *k, int64_t begin,
                   int64_t end, float *points) {
    const fc_wino_images results = {a->y, a->oh, a->ow, a->y_step, 0, 0, k->down, k->across};
    for (int64_t index = begin; index < end; index++) {
        const fc_wino_unit u = fc_wino_unit_at(k->blocks, k->bundle, index);
        const int64_t first = k->squares * u.block / k->blocks, next = k->squares * (u.block + 1) / k->blocks;
        const int64_t count = next - first, following = fc_min(next + FC_NARROW_SQUARES, k->squares);
        const int64_t col = u.group * c;
        const fc_wino_images images = {a->x + col, a->h, a->w, step, a->pt, a->pl, k->down, k->across};
        const fc_wino_wanted in = {&images, next, k->far ? following : next, 6, 0, c};
        const fc_wino_wanted out = {&results, first, k->far ? next : first, 4, col, col + c};
        const fc_square q = fc_square_at(4, k->down, k->across, first);
        transform_squares(c, step, &images, q, count, points);
        const float *weights = a->packed + u.group * FC_WINO_POINTS * fc_odd_lines(c * c);
        (c == 16 ? multiply_16 : multiply_32)(weights, points, &in, &out);
        (c == 16 ? finish_16 : finish_32)(a, k, col, &q, count, points);
    }
}

void FC_NAME(fc_wino_narrow_run)(const args *a, const fc_wino_blocks *k, int64_t begin, int64_t end,
                                 float *points) {
    if (a->c == 16)
        run(16, 16, a, k, begin, end, points);
    else if (a->groups > 1 && a->c / a->groups == 16)
        run(16, a->c, a, k, begin, end, points);
#if FC_NR >= 32
    else if (a->c == 32)
        run(32, 32, a, k, begin, end, points);
    else
        run(32, a->c, a, k, begin, end, points);
#endif
}
