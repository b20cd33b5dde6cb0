/* What the two kinds of pooling share: how their work is cut into tiles, and which windows cover a pixel. */
#ifndef FC_POOL_H
#define FC_POOL_H
#include "kernel.h"

/* The fields of FC_POOL_INTS that geometry needs. */
typedef struct {
    int64_t n, h, w, c, oh, ow, ph, pw, sh, sw, pt, pl;
} pool_shape;
#define POOL_SHAPE(a)                                                                                        \
    { (a)->n, (a)->h, (a)->w, (a)->c, (a)->oh, (a)->ow, (a)->ph, (a)->pw, (a)->sh, (a)->sw, (a)->pt, (a)->pl }

/* Enough tiles for any number of cores. */
#define POOL_TILES 16

/* Forward: a tile is a band of output rows of one image, and a block of channels where even one row is much
 * work (a global average) and there are few tiles otherwise. Blocks are whole cache lines of 16 floats. */
typedef struct {
    int64_t rows, bands, channels, blocks;
} pool_cut;

FC_INLINE pool_cut pool_forward_cut(const pool_shape *s) {
    pool_cut t = {1, 0, s->c, 1};
    if (s->oh <= 0 || s->ow <= 0 || s->c <= 0) return t;
    const int64_t row_work = s->ow * s->c * s->ph * s->pw, tile_work = 2 * FC_CHUNK;
    t.rows = fc_min(s->oh, fc_max(1, tile_work / row_work));
    t.bands = (s->oh + t.rows - 1) / t.rows;
    const int64_t wanted = fc_min(row_work / tile_work, s->c / 64);
    if (wanted > 1 && s->n * t.bands < POOL_TILES) {
        t.channels = FC_ROUND_UP((s->c + wanted - 1) / wanted, 16);
        t.blocks = (s->c + t.channels - 1) / t.channels;
    }
    return t;
}

/* Backward: a tile is a band of rows of dx of one image, so that overlapping windows add up in a fixed order.
 */
FC_INLINE pool_cut pool_backward_cut(const pool_shape *s) {
    pool_cut t = {1, 0, s->c, 1};
    if (s->h <= 0 || s->w <= 0 || s->c <= 0) return t;
    t.rows = fc_min(s->h, fc_max(1, FC_CHUNK / (s->w * s->c)));
    t.bands = (s->h + t.rows - 1) / t.rows;
    return t;
}

/* begin .. end - 1: along one axis, the places of a window that lie inside x, or the windows that cover a
 * place. */
typedef struct {
    int64_t begin, end;
} pool_range;

/* The part of window `i` that lies inside 0 .. size-1, counted from the window's first place. */
FC_INLINE pool_range pool_inside(int64_t i, int64_t stride, int64_t pad, int64_t window, int64_t size) {
    const int64_t first = i * stride - pad;
    pool_range r = {fc_max(0, -first), fc_min(window, size - first)};
    if (r.end < r.begin) r.end = r.begin;
    return r;
}

/* The windows, of `count`, that cover place `p` of x. */
FC_INLINE pool_range pool_covering(int64_t p, int64_t stride, int64_t pad, int64_t window, int64_t count) {
    const int64_t q = p + pad;
    pool_range r = {q < window ? 0 : (q - window) / stride + 1, fc_min(count, q / stride + 1)};
    return r;
}

#endif
