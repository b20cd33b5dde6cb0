/* The transforms of Winograd's minimal filtering F(m x m, 3 x 3), m = 3 or 4 (Lavin and Gray 2016, "Fast
 * Algorithms for Convolutional Neural Networks", section 4).
 *
 * With d a patch of m + 2 x m + 2 pixels and g a kernel of 3 x 3, the m x m pixels that the kernel gives on
 * the patch are  y = A^T [ (G g G^T) . (B^T d B) ] A  where . multiplies element by element. Over many
 * channels the products become (m + 2)^2 products of matrices, with 36 multiplications where 16 pixels took
 * 144.
 *
 * The matrices are those of the points 0, 1, -1, 2 (, -2) and infinity. Each function below multiplies one
 * vector of vectors (lanes are channels) by one of them: in and out lie `from` and `to` vectors apart. m is a
 * constant at every call, so that nothing of the choice is left in the machine code.
 */
#ifndef FC_WINOGRAD_H
#define FC_WINOGRAD_H
#include "epilogue.h"
#include "gemm.h"

#define FC_WINO_EDGE 6    /* of the largest patch */
#define FC_WINO_POINTS 36 /* of the largest patch */

/* The argument m of the kernels; whatever isn't 3 counts as 4, as in kernels.def. */
FC_INLINE int64_t fc_wino_m(int64_t m) { return m == 3 ? 3 : 4; }

/* Larger kernels are sums of parts of 3 x 3, each on the image 3 pixels further; zeros fill up the last ones.
 * As the sums are those of the points too, the parts of a pixel are but more channels: 5 x 5 taps take 4 x 36
 * multiplications for 16 pixels instead of 400. */
FC_INLINE int64_t fc_wino_parts(int64_t taps) { return (taps + 2) / 3; }

/* A block of squares and a group of channels. */
typedef struct {
    int64_t block, group;
} fc_wino_unit;

/* Groups that take turns on a block before the next one, so many that their weights stay in the L2 cache: a
 * group by itself would read its few channels of pixels that lie far apart, and these from memory. */
#define FC_WINO_BUNDLE_FLOATS 65536
FC_INLINE int64_t fc_wino_bundle(int64_t groups, int64_t weights) {
    int64_t bundle = fc_min(fc_max(FC_WINO_BUNDLE_FLOATS / fc_max(weights, 1), 1), groups);
    while (groups % bundle) bundle--;
    return bundle;
}

FC_INLINE fc_wino_unit fc_wino_unit_at(int64_t blocks, int64_t bundle, int64_t index) {
    const int64_t of = blocks * bundle, rest = index % of;
    const fc_wino_unit u = {rest / bundle, index / of * bundle + rest % bundle};
    return u;
}

/* Scratch memory: rows of channels and the matrices of the points lie an odd number of cache lines apart, so
 * that what is used together doesn't compete for one set of the cache. */
FC_INLINE int64_t fc_odd_lines(int64_t floats) { return FC_ROUND_UP(floats, 16) | 16; }

/* Floats of a panel of transformed weights before the last: `depth` channels of all parts. */
FC_INLINE int64_t fc_wino_panel(int64_t m, int64_t depth) {
    return (m + 2) * (m + 2) * fc_odd_lines(depth * FC_NR);
}
/* And of a group's, k channels wide. */
FC_INLINE int64_t fc_wino_group(int64_t m, int64_t depth, int64_t k) {
    const int64_t last = fc_panels(k) - 1;
    return k ? last * fc_wino_panel(m, depth) +
                   (m + 2) * (m + 2) * fc_odd_lines(depth * fc_panel_vectors(k, last) * VL)
             : 0;
}

/* B^T d: m + 2 pixels -> m + 2 points. */
FC_INLINE void fc_wino_pixels(const int m, const vf *d, const int from, vf *o, const int to) {
    const vf d0 = d[0], d1 = d[from], d2 = d[2 * from], d3 = d[3 * from], d4 = d[4 * from];
    const vf two = vf_set1(2.0f);
    if (m == 3) {
        const vf a = vf_sub(d3, d1);
        o[0] = vf_add(vf_fma(two, vf_sub(d0, d2), d3), vf_neg(d1));
        o[to] = vf_fma(vf_set1(-2.0f), d1, vf_sub(d3, d2));
        o[2 * to] = vf_fma(two, d1, vf_fma(vf_set1(-3.0f), d2, d3));
        o[3 * to] = a;
        o[4 * to] = vf_fma(vf_set1(-2.0f), a, vf_sub(d4, d2));
        return;
    }
    const vf d5 = d[5 * from], four = vf_set1(4.0f), minus4 = vf_set1(-4.0f), minus5 = vf_set1(-5.0f);
    const vf a = vf_fma(minus4, d2, d4), b = vf_fma(minus4, d1, d3), c = vf_sub(d4, d2);
    const vf e = vf_sub(d3, d1);
    o[0] = vf_fma(four, d0, vf_fma(minus5, d2, d4));
    o[to] = vf_add(a, b);
    o[2 * to] = vf_sub(a, b);
    o[3 * to] = vf_fma(two, e, c);
    o[4 * to] = vf_fma(vf_set1(-2.0f), e, c);
    o[5 * to] = vf_fma(four, d1, vf_fma(minus5, d3, d5));
}

/* G g: 3 weights -> m + 2 points. */
FC_INLINE void fc_wino_weights(const int m, const vf *g, const int from, vf *o, const int to) {
    const vf g0 = g[0], g1 = g[from], g2 = g[2 * from], ends = vf_add(g0, g2);
    const vf sixth = vf_set1(1.0f / 6.0f);
    if (m == 3) {
        o[0] = vf_mul(vf_set1(0.5f), g0);
        o[to] = vf_mul(vf_set1(-0.5f), vf_add(ends, g1));
        o[2 * to] = vf_mul(sixth, vf_sub(g1, ends));
        o[3 * to] = vf_mul(sixth, vf_fma(vf_set1(4.0f), g2, vf_fma(vf_set1(2.0f), g1, g0)));
        o[4 * to] = g2;
        return;
    }
    const vf outer = vf_mul(vf_set1(1.0f / 24.0f), vf_fma(vf_set1(4.0f), g2, g0));
    const vf twelfth = vf_mul(vf_set1(1.0f / 12.0f), g1);
    o[0] = vf_mul(vf_set1(0.25f), g0);
    o[to] = vf_mul(vf_neg(sixth), vf_add(ends, g1));
    o[2 * to] = vf_mul(sixth, vf_sub(g1, ends));
    o[3 * to] = vf_add(outer, twelfth);
    o[4 * to] = vf_sub(outer, twelfth);
    o[5 * to] = g2;
}

/* The same for strides of 2 (winograd_strided.c): the two outer weights at the points of m = 3, whose taps of
 * zero leave nothing but at infinity, and the middle one as it is. */
FC_INLINE void fc_wino_strided_weights(const vf *g, const int from, vf *o, const int to) {
    const vf outer[3] = {g[0], g[2 * from], vf_zero()};
    fc_wino_weights(3, outer, 1, o, to);
    o[4 * to] = g[2 * from];
    o[5 * to] = g[from];
}

/* A^T s: m + 2 points -> m pixels. */
FC_INLINE void fc_wino_sums(const int m, const vf *s, const int from, vf *o, const int to) {
    const vf s0 = s[0], s1 = s[from], s2 = s[2 * from], s3 = s[3 * from], s4 = s[4 * from];
    const vf p = vf_add(s1, s2), q = vf_sub(s1, s2);
    if (m == 3) {
        o[0] = vf_add(vf_add(s0, p), s3);
        o[to] = vf_fma(vf_set1(2.0f), s3, q);
        o[2 * to] = vf_add(vf_fma(vf_set1(4.0f), s3, p), s4);
        return;
    }
    const vf r = vf_add(s3, s4), t = vf_sub(s3, s4);
    o[0] = vf_add(vf_add(s0, p), r);
    o[to] = vf_fma(vf_set1(2.0f), t, q);
    o[2 * to] = vf_fma(vf_set1(4.0f), r, p);
    o[3 * to] = vf_add(vf_fma(vf_set1(8.0f), t, q), s[5 * from]);
}

/* A y: m gradients of pixels -> m + 2 points, the adjoint of fc_wino_sums. */
FC_INLINE void fc_wino_gradients(const int m, const vf *y, const int from, vf *o, const int to) {
    const vf y0 = y[0], y1 = y[from], y2 = y[2 * from], four = vf_set1(4.0f), two = vf_set1(2.0f);
    o[0] = y0;
    if (m == 3) {
        const vf even = vf_add(y0, y2);
        o[to] = vf_add(even, y1);
        o[2 * to] = vf_sub(even, y1);
        o[3 * to] = vf_fma(four, y2, vf_fma(two, y1, y0));
        o[4 * to] = y2;
        return;
    }
    const vf y3 = y[3 * from], even = vf_add(y0, y2), odd = vf_add(y1, y3);
    const vf even2 = vf_fma(four, y2, y0), odd2 = vf_mul(two, vf_fma(four, y3, y1));
    o[to] = vf_add(even, odd);
    o[2 * to] = vf_sub(even, odd);
    o[3 * to] = vf_add(even2, odd2);
    o[4 * to] = vf_sub(even2, odd2);
    o[5 * to] = y3;
}

/* G^T s: m + 2 points -> 3 gradients of weights, the adjoint of fc_wino_weights. */
FC_INLINE void fc_wino_taps(const int m, const vf *s, const int from, vf *o, const int to) {
    const vf s0 = s[0], s1 = s[from], s2 = s[2 * from], s3 = s[3 * from], s4 = s[4 * from];
    const vf half = vf_set1(0.5f), sixth = vf_set1(1.0f / 6.0f);
    if (m == 3) {
        const vf a = vf_mul(half, s1), b = vf_mul(sixth, s2);
        o[0] = vf_sub(vf_fma(half, s0, vf_mul(sixth, s3)), vf_add(a, b));
        o[to] = vf_fma(vf_set1(1.0f / 3.0f), s3, vf_sub(b, a));
        o[2 * to] = vf_sub(vf_fma(vf_set1(2.0f / 3.0f), s3, s4), vf_add(a, b));
        return;
    }
    const vf p = vf_mul(sixth, vf_add(s1, s2)), r = vf_add(s3, s4), t = vf_sub(s3, s4);
    o[0] = vf_sub(vf_fma(vf_set1(0.25f), s0, vf_mul(vf_set1(1.0f / 24.0f), r)), p);
    o[to] = vf_fma(vf_set1(1.0f / 12.0f), t, vf_mul(sixth, vf_sub(s2, s1)));
    o[2 * to] = vf_add(vf_sub(vf_mul(sixth, r), p), s[5 * from]);
}

/* ---- images to points ---- */

/* Images whose squares of m x m output pixels are walked: a square at (y, x) reads x at (y - pt, x - pl).
 * Where there are groups, x is a group's first channel, and c still that of all: floats from pixel to pixel.
 */
typedef struct {
    const float *x;
    int64_t h, w, c, pt, pl;
    int64_t down, across; /* squares of an image */
} fc_wino_images;

typedef struct {
    int64_t image, y, x; /* its first output pixel */
} fc_square;

FC_INLINE fc_square fc_square_at(int64_t m, int64_t down, int64_t across, int64_t index) {
    const fc_square s = {index / (down * across), index / across % down * m, index % across * m};
    return s;
}

/* The next one: divisions take as long as a fifth of a vector's transform. */
FC_INLINE void fc_next_square(int64_t m, int64_t down, int64_t across, fc_square *s) {
    s->x += m;
    if (s->x < across * m) return;
    s->x = 0;
    s->y += m;
    if (s->y < down * m) return;
    s->y = 0;
    s->image++;
}

/* A patch of edge x edge pixels, edge = m + 2. Pixel (i, j) lies at at + i row + j pixel floats of `base`,
 * where bit i edge + j of `inside` is set; elsewhere it counts as 0. */
typedef struct {
    const float *base;
    int64_t at, row, pixel;
    uint64_t inside;
} fc_wino_source;

/* One vector of channels, from c on, of a patch to points `matrix` apart. Where `crosses`, a constant, is 0,
 * all pixels are inside. */
FC_INLINE void fc_wino_patch(const int m, const int crosses, const fc_wino_source *s, int64_t c, float *to,
                             int64_t matrix) {
    FC_ALIGNED(64) static const float zeros[VL] = {0};
    const int edge = m + 2;
    const float *base = s->base;
    const int64_t at = s->at + c, row = s->row, pixel = s->pixel;
    const uint64_t inside = s->inside;
    vf half[FC_WINO_POINTS], d[FC_WINO_EDGE], o[FC_WINO_EDGE];
    FC_UNROLL(6)
    for (int j = 0; j < edge; j++) {
        FC_UNROLL(6)
        for (int i = 0; i < edge; i++)
            d[i] = vf_load(crosses && !(inside >> (i * edge + j) & 1) ? zeros
                                                                      : base + (at + i * row + j * pixel));
        fc_wino_pixels(m, d, 1, half + j, edge);
    }
    FC_UNROLL(6)
    for (int i = 0; i < edge; i++) {
        fc_wino_pixels(m, half + i * edge, 1, o, 1);
        FC_UNROLL(6)
        for (int j = 0; j < edge; j++) vf_store(to + (i * edge + j) * matrix, o[j]);
    }
}

/* The last channels, which don't fill a vector, of a patch that may cross the border. */
FC_INLINE void fc_wino_rest(const int m, const fc_wino_source *s, int64_t c, int64_t channels, float *to,
                            int64_t matrix) {
    FC_ALIGNED(64) float copy[FC_WINO_POINTS * VL];
    const int edge = m + 2;
    const fc_wino_source copied = {copy, 0, edge * VL, VL, 0};
    for (int i = 0; i < edge * edge; i++) {
        const float *from =
            s->base + (s->inside >> i & 1 ? s->at + i / edge * s->row + i % edge * s->pixel + c : 0);
        vf_store(copy + i * VL, s->inside >> i & 1 ? vf_load_n(from, (int)channels) : vf_zero());
    }
    fc_wino_patch(m, 0, &copied, 0, to, matrix);
}

/* Bits of the pixels from `first` on, `edge` of them, that lie within [0, size). */
FC_INLINE uint64_t fc_wino_within(const int edge, int64_t first, int64_t size) {
    uint64_t bits = 0;
    for (int i = 0; i < edge; i++) bits |= (uint64_t)(first + i >= 0 && first + i < size) << i;
    return bits;
}

/* The part of a square's right neighbour that isn't its own, for one vector of channels: patches are read in
 * strides that the processor doesn't foresee. */
FC_INLINE void fc_wino_prefetch(const int m, const float *from, int64_t row, int64_t pixel) {
    FC_UNROLL(6)
    for (int i = 0; i < m + 2; i++) {
        FC_UNROLL(4)
        for (int j = m + 2; j < m + 2 + m; j++) fc_prefetch(from + i * row + j * pixel);
    }
}

/* Pixels that are wanted next, while the products keep the processor busy and memory idle: squares first ..
 * end of `images`, of each `edge` x `edge` pixels, channels c0 .. c1. */
typedef struct {
    const fc_wino_images *images;
    int64_t first, end, edge, c0, c1;
} fc_wino_wanted;

/* Brings every `step`-th square from the one at `turn` to the L2 cache. */
FC_INLINE void fc_wino_fetch(const fc_wino_wanted *w, int64_t m, int64_t turn, int64_t step) {
    const fc_wino_images *s = w->images;
    for (int64_t i = w->first + turn; i < w->end; i += step) {
        const fc_square q = fc_square_at(m, s->down, s->across, i);
        const int64_t x = q.x - s->pl, y0 = fc_max(q.y - s->pt, 0), y1 = fc_min(q.y - s->pt + w->edge, s->h);
        const int64_t x0 = fc_max(q.x > 0 ? x + w->edge - m : x, 0), x1 = fc_min(x + w->edge, s->w);
        for (int64_t j = y0; j < y1; j++) {
            const float *from = s->x + ((q.image * s->h + j) * s->w + x0) * s->c + w->c0;
            for (int64_t p = x0; p < x1; p++, from += s->c)
                for (int64_t c = 0; c < w->c1 - w->c0; c += 16) fc_prefetch_l2(from + c);
        }
    }
}

/* `channels` channels of the patch at (y, x) of an image to points `matrix` floats apart. */
FC_INLINE void fc_wino_patches(const int m, const fc_wino_images *s, const float *image, int64_t y, int64_t x,
                               int64_t channels, float *to, int64_t matrix) {
    const int edge = m + 2;
    const int64_t line = s->w * s->c, whole = channels - channels % VL;
    fc_wino_source from = {image, y * line + x * s->c, line, s->c, ~UINT64_C(0)};
    if (y < 0 || x < 0 || y + edge > s->h || x + edge > s->w) {
        const uint64_t rows = fc_wino_within(edge, y, s->h), columns = fc_wino_within(edge, x, s->w);
        from.inside = 0;
        for (int i = 0; i < edge; i++) from.inside |= (rows >> i & 1 ? columns : 0) << i * edge;
        for (int64_t c = 0; c < whole; c += VL) fc_wino_patch(m, 1, &from, c, to + c, matrix);
    } else {
        for (int64_t c = 0; c < whole; c += VL) {
            fc_wino_prefetch(m, from.base + (from.at + c), line, s->c);
            fc_wino_patch(m, 0, &from, c, to + c, matrix);
        }
    }
    if (whole < channels) fc_wino_rest(m, &from, whole, channels - whole, to + whole, matrix);
}

/* Squares first .. first + count to points[point][square][part of the kernel][channel], of which squares lie
 * `to_row` and points `matrix` floats apart. `channels` of the images' are read, for each of the down x
 * across parts. What a last vector has too much goes to the next part's place, which follows, or past the
 * row. */
FC_INLINE void fc_wino_squares(const int m, const fc_wino_images *s, int64_t first, int64_t count,
                               int64_t channels, int64_t down, int64_t across, float *points, int64_t to_row,
                               int64_t matrix) {
    fc_square q = fc_square_at(m, s->down, s->across, first);
    for (int64_t t = 0; t < count; t++, fc_next_square(m, s->down, s->across, &q)) {
        const float *image = s->x + q.image * s->h * s->w * s->c;
        float *to = points + t * to_row;
        for (int64_t i = 0; i < down; i++)
            for (int64_t j = 0; j < across; j++, to += channels)
                fc_wino_patches(m, s, image, q.y - s->pt + 3 * i, q.x - s->pl + 3 * j, channels, to, matrix);
    }
}

/* ---- images of few channels ---- */

#define FC_WINO_NARROW 32
FC_INLINE int fc_wino_narrow(int64_t c) { return c == 16 || c == FC_WINO_NARROW; }

/* Where a square has but one or two vectors of channels, finding its pixels weighs as much as its transform.
 * With a constant number `c` of floats from pixel to pixel, that of the channels where they are one group,
 * the distances are part of the machine code: a patch is found by where its rows begin. A row outside of the
 * image is one of zeros; a column outside has no lanes, and another one's place. Where there are more
 * channels than there are zeros, rows outside are as columns. */
typedef struct {
    const float *rows[FC_WINO_EDGE];
    int64_t columns[FC_WINO_EDGE];
    int lanes[FC_WINO_EDGE], heights[FC_WINO_EDGE]; /* of columns and rows: VL inside, 0 outside */
    int crosses;                                    /* whether these count */
} fc_wino_place;

/* The patch of edge x edge pixels that belongs to a square. */
FC_INLINE void fc_wino_find(const int edge, const int64_t c, const fc_wino_images *s, const fc_square *q,
                            fc_wino_place *p) {
    FC_ALIGNED(64) static const float zeros[FC_WINO_EDGE * FC_WINO_NARROW] = {0};
    const int64_t y = q->y - s->pt, x = q->x - s->pl;
    const int wide = c > FC_WINO_NARROW;
    const int crosses = x < 0 || x + edge > s->w || (wide && (y < 0 || y + edge > s->h));
    const int64_t left = crosses ? fc_max(fc_min(x, s->w - 1), 0) : x;
    const float *image = s->x + q->image * s->h * s->w * c;
    FC_UNROLL(6)
    for (int i = 0; i < edge; i++)
        p->rows[i] = y + i >= 0 && y + i < s->h ? image + ((y + i) * s->w + left) * c : wide ? image : zeros;
    p->crosses = crosses;
    if (!crosses) return;
    for (int j = 0; j < edge; j++) {
        const int inside = x + j >= 0 && x + j < s->w;
        p->columns[j] = inside ? (x + j - left) * c : 0;
        p->lanes[j] = inside ? VL : 0;
        p->heights[j] = !wide || (y + j >= 0 && y + j < s->h) ? VL : 0;
    }
}

/* A vector of channels, from `at` on, of pixel (i, j). Where `crosses`, a constant, is 0, none is outside. */
FC_INLINE vf fc_wino_pixel(const int crosses, const int64_t c, const fc_wino_place *p, int i, int j,
                           int64_t at) {
    return crosses ? vf_load_n(p->rows[i] + p->columns[j] + at, p->lanes[j] & p->heights[i])
                   : vf_load(p->rows[i] + j * c + at);
}

/* ---- sums to pixels ---- */

/* One vector of channels of a square to its pixels before bias, row by row. */
FC_INLINE void fc_wino_square(const int m, const float *from, int64_t matrix, vf *half) {
    const int edge = m + 2;
    vf s[FC_WINO_EDGE];
    FC_UNROLL(6)
    for (int j = 0; j < edge; j++) {
        FC_UNROLL(6)
        for (int i = 0; i < edge; i++) s[i] = vf_load(from + (i * edge + j) * matrix);
        fc_wino_sums(m, s, 1, half + j, edge);
    }
}

/* Where a vector of channels of a square goes, and what of it lies within y. */
typedef struct {
    int64_t at, row, pixel; /* in y: the square's first pixel; from row to row and from pixel to pixel */
    int64_t high, wide, n;
    vf bias, alpha;
    int act;
} fc_wino_target;

/* A vector of a square's results, without bias, to its place `at` of y. */
FC_INLINE void fc_wino_store(const fc_winograd_forward_args *a, vf v, int64_t at, const fc_wino_target *t) {
    v = fc_finished(vf_add(v, t->bias), a->residual ? a->residual + at : NULL,
                    a->saved ? a->saved + at : NULL, t->n, t->act, t->alpha);
    vf_store_tail(a->y + at, v, t->n);
}

FC_INLINE void fc_wino_finish(const int m, const fc_winograd_forward_args *a, const float *from,
                              int64_t matrix, const fc_wino_target *t) {
    vf half[FC_WINO_POINTS], o[FC_WINO_EDGE];
    fc_wino_square(m, from, matrix, half);
    FC_UNROLL(4)
    for (int i = 0; i < m; i++) {
        fc_wino_sums(m, half + i * (m + 2), 1, o, 1);
        FC_UNROLL(4)
        for (int j = 0; j < m; j++)
            if (i < t->high && j < t->wide) fc_wino_store(a, o[j], t->at + i * t->row + j * t->pixel, t);
    }
}

/* What is left to do with a square's results where the activation takes a loop of its own. */
FC_INLINE void fc_wino_activate(const fc_winograd_forward_args *a, int64_t at, int64_t row, int64_t high,
                                int64_t wide, int64_t channels) {
    const float alpha = (float)a->alpha, beta = (float)a->beta;
    for (float *y = a->y + at; high > 0; high--, y += row)
        FC_NAME(fc_activate_late)(y, wide, a->y_step, channels, (int)a->act, alpha, beta);
}

#endif
