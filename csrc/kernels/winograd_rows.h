/* Pixels and gradients to points, a few rows of these at a time, for the gradient of the weights
 * (winograd_weights.c). */
#ifndef FC_WINOGRAD_ROWS_H
#define FC_WINOGRAD_ROWS_H
#include "winograd.h"

/* Squares of a block at most, and rows of points at a time: the points of pixels and gradients take 650 KiB.
 * With fewer squares, a register tile's start and end and the sums that are added up weigh more; with fewer
 * rows, pixels are read more often. */
#define FC_ROWS_BLOCK 72
#define FC_ROWS 3
/* Channels of a tile, in and out. */
#define FC_ROWS_SPAN 64
/* Squares that a block has room for where channels are few, a constant of the machine code. */
#define FC_ROWS_NARROW_MATRIX(c) (FC_ROUND_UP(FC_ROWS_BLOCK * (c), 16) | 16)

/* Along one axis: m pixels of gradients, or m + 2 of images, to m + 2 points. Of what isn't wanted nothing is
 * left in the machine code. */
FC_INLINE void fc_rows_axis(const int m, const int in, const vf *d, vf *o) {
    if (in == m)
        fc_wino_gradients(m, d, 1, o, 1);
    else
        fc_wino_pixels(m, d, 1, o, 1);
}

/* `rows` rows of points, from the columns' points half[row][column]. */
FC_INLINE void fc_rows_finish(const int m, const int in, const int rows, const vf *half, float *to,
                              int64_t matrix) {
    const int edge = m + 2;
    vf o[FC_WINO_EDGE];
    FC_UNROLL(3)
    for (int i = 0; i < rows; i++) {
        fc_rows_axis(m, in, half + i * FC_WINO_EDGE, o);
        FC_UNROLL(6)
        for (int j = 0; j < edge; j++) vf_store(to + (i * edge + j) * matrix, o[j]);
    }
}

/* One vector of channels of a patch of `in` x `in` pixels, m + 2 for pixels and m for gradients, which lie at
 * at[0] + c, at[1] + c ...: `rows` rows of points from `row` on, `matrix` floats apart. */
FC_INLINE void fc_rows_patch(const int m, const int in, const int row, const int rows, const float *const *at,
                             int64_t c, float *to, int64_t matrix) {
    vf half[FC_ROWS * FC_WINO_EDGE], d[FC_WINO_EDGE], o[FC_WINO_EDGE];
    FC_UNROLL(6)
    for (int j = 0; j < in; j++) {
        FC_UNROLL(6)
        for (int i = 0; i < in; i++) d[i] = vf_load(at[i * in + j] + c);
        fc_rows_axis(m, in, d, o);
        FC_UNROLL(3)
        for (int i = 0; i < rows; i++) half[i * FC_WINO_EDGE + j] = o[row + i];
    }
    fc_rows_finish(m, in, rows, half, to, matrix);
}

/* Rows of points of the squares first .. end, `channels` channels from c0 on. */
FC_INLINE void fc_rows_squares(const int m, const int in, const int row, const int rows,
                               const fc_wino_images *s, int64_t first, int64_t end, int64_t c0,
                               int64_t channels, float *points, int64_t step, int64_t matrix) {
    FC_ALIGNED(64) static const float zeros[FC_ROWS_SPAN] = {0};
    const int64_t whole = channels - channels % VL;
    for (int64_t t = first; t < end; t++, points += step) {
        const float *at[FC_WINO_POINTS];
        const fc_square q = fc_square_at(m, s->down, s->across, t);
        const int64_t y = q.y - s->pt, x = q.x - s->pl;
        const float *image = s->x + q.image * s->h * s->w * s->c + c0;
        const int64_t top = fc_max(-y, 0), bottom = fc_min(s->h - y, in);
        const int64_t left = fc_max(-x, 0), right = fc_min(s->w - x, in);
        for (int i = 0; i < in * in; i++) at[i] = zeros;
        for (int64_t i = top; i < bottom; i++)
            for (int64_t j = left; j < right; j++) at[i * in + j] = image + ((y + i) * s->w + x + j) * s->c;
        for (int64_t c = 0; c < whole; c += VL) fc_rows_patch(m, in, row, rows, at, c, points + c, matrix);
        if (whole < channels) {
            FC_ALIGNED(64) float copy[FC_WINO_POINTS * VL];
            for (int i = 0; i < in * in; i++) {
                vf_store(copy + i * VL, vf_load_n(at[i] + whole, (int)(channels - whole)));
                at[i] = copy + i * VL;
            }
            fc_rows_patch(m, in, row, rows, at, 0, points + whole, matrix);
        }
    }
}

/* One vector of channels, from `at` on, of a square of few channels: as above, all distances constants. */
FC_INLINE void fc_rows_narrow(const int in, const int row, const int rows, const int c, const int crosses,
                              const fc_wino_place *p, int64_t at, float *to) {
    vf half[FC_ROWS * FC_WINO_EDGE], d[FC_WINO_EDGE], o[FC_WINO_EDGE];
    FC_UNROLL(6)
    for (int j = 0; j < in; j++) {
        FC_UNROLL(6)
        for (int i = 0; i < in; i++) d[i] = fc_wino_pixel(crosses, c, p, i, j, at);
        fc_rows_axis(4, in, d, o);
        FC_UNROLL(3)
        for (int i = 0; i < rows; i++) half[i * FC_WINO_EDGE + j] = o[row + i];
    }
    fc_rows_finish(4, in, rows, half, to, FC_ROWS_NARROW_MATRIX(c));
}

FC_INLINE void fc_rows_narrow_squares(const int in, const int row, const int rows, const int c,
                                      const fc_wino_images *s, int64_t first, int64_t end, float *points) {
    fc_square q = fc_square_at(4, s->down, s->across, first);
    for (int64_t t = first; t < end; t++, points += c, fc_next_square(4, s->down, s->across, &q)) {
        fc_wino_place p = {{0}, {0}, {0}, {0}, 0};
        fc_wino_find(in, c, s, &q, &p);
        for (int64_t at = 0; at < c; at += VL)
            if (p.crosses)
                fc_rows_narrow(in, row, rows, c, 1, &p, at, points + at);
            else
                fc_rows_narrow(in, row, rows, c, 0, &p, at, points + at);
    }
}

#endif
