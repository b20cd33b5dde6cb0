/* Maximum pooling, vectors along the channels: a window is then a handful of loads and no shuffle. */
#include "max_pool_separable.h"
#include "rows.h"

/* Images of so many floats come from memory. What windows AHEAD floats further along read is fetched then:
 * their rows are on several pages, and at a page's end the processor fetches nothing by itself. 112x112x128
 * at batch 16 takes 0.66 of its time forward and 0.68 backward. Large windows take long enough over each. */
#define FAR_FLOATS (9 << 19)
#define AHEAD 2048
#define MOST_FETCHED 4 /* rows of a window */

FC_INLINE void fetch_ahead(const float *x, int64_t rows, int64_t row_step, int64_t floats) {
    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < floats; i += 16) fc_prefetch(x + (r * row_step + i + AHEAD));
}

/* Where a window's maxima and their places go, either index may be NULL. */
typedef struct {
    float *y;
    uint8_t *index8;
    int32_t *index32;
    int stream; /* y goes past the cache */
} max_out;

/* The maximum over rows x columns places for the n <= VL channels from `ch` on. The first of equal ones wins,
 * and the first NaN wins over all. `x` is the first place inside the
 * image, number `place` of the window, whose width is pw. */
FC_INLINE void max_lanes(const float *x, int64_t rows, int64_t columns, int64_t row_step, int64_t column_step,
                         int64_t place, int64_t pw, int64_t ch, int64_t n, int indexed, const max_out *out) {
    vf best = vf_load_tail(x + ch, n);
    vi index = vi_set1((int32_t)place);
    for (int64_t r = 0; r < rows; r++)
        for (int64_t s = 0; s < columns; s++) {
            const vf v = vf_load_tail(x + r * row_step + s * column_step + ch, n);
            if (indexed) {
                const vm take = vm_beats(v, best);
                best = vf_blend(take, v, best);
                index = vi_blend(take, vi_set1((int32_t)(place + r * pw + s)), index);
            } else {
                best = vf_maxnan(best, v);
            }
        }
    fc_put(out->y + ch, best, n, out->stream);
    if (indexed && out->index8) vi_to_u8_n(out->index8 + ch, index, (int)fc_min(n, VL));
    if (indexed && out->index32) vi_store_n(out->index32 + ch, index, (int)fc_min(n, VL));
}

FC_INLINE void max_window(const float *x, int64_t rows, int64_t columns, int64_t row_step,
                          int64_t column_step, int64_t place, int64_t pw, int64_t channels, int indexed,
                          const max_out *out) {
    int64_t ch = 0;
    for (; ch + VL <= channels; ch += VL)
        max_lanes(x, rows, columns, row_step, column_step, place, pw, ch, VL, indexed, out);
    if (ch < channels)
        max_lanes(x, rows, columns, row_step, column_step, place, pw, ch, channels - ch, indexed, out);
}

/* One row of outputs, the channels channel .. channel + channels. 2x2 and 3x3 windows that lie inside the
 * image have loops of constant length, which the compiler unrolls. */
FC_INLINE void max_row(const fc_max_pool_forward_args *a, int64_t image, int64_t i, int64_t channel,
                       int64_t channels, int far, int stream, int indexed) {
    const int64_t row_step = a->w * a->c, c = a->c;
    const pool_range r = pool_inside(i, a->sh, a->pt, a->ph, a->h);
    const float *x = a->x + (image * a->h + i * a->sh - a->pt + r.begin) * row_step + channel;
    for (int64_t j = 0; j < a->ow; j++) {
        const int64_t pixel = (image * a->oh + i) * a->ow + j, at = pixel * c + channel;
        const max_out out = {a->y + pixel * a->y_step + channel, a->index8 ? a->index8 + at : NULL,
                             a->index32 ? a->index32 + at : NULL, stream};
        const pool_range s = pool_inside(j, a->sw, a->pl, a->pw, a->w);
        const int64_t rows = r.end - r.begin, columns = s.end - s.begin, place = r.begin * a->pw + s.begin;
        const float *first = x + (j * a->sw - a->pl + s.begin) * c;
        if (far) fetch_ahead(first, rows, row_step, a->sw * c);
        if (rows == 2 && columns == 2)
            max_window(first, 2, 2, row_step, c, place, a->pw, channels, indexed, &out);
        else if (rows == 3 && columns == 3)
            max_window(first, 3, 3, row_step, c, place, a->pw, channels, indexed, &out);
        else if (!indexed && rows * columns > 16)
            fc_max_places(first, rows, columns, row_step, c, channels, out.y);
        else if (rows > 0 && columns > 0)
            max_window(first, rows, columns, row_step, c, place, a->pw, channels, indexed, &out);
        else
            for (int64_t k = 0; k < channels; k++) {
                out.y[k] = -INFINITY;
                if (out.index8) out.index8[k] = 0;
                if (out.index32) out.index32[k] = 0;
            }
    }
}

/* Of the numbers only: whether there are indices isn't known when the work is cut. */
static pool_cut max_cut(const pool_shape *s) {
    return separable_pays(s) ? separable_cut(s) : pool_forward_cut(s);
}

FC_TILES(max_pool_forward) {
    const pool_shape s = POOL_SHAPE(a);
    const pool_cut cut = max_cut(&s);
    return s.n * cut.bands * cut.blocks;
}
FC_SCRATCH(max_pool_forward) {
    const pool_shape s = POOL_SHAPE(a);
    return separable_pays(&s) ? separable_bytes(&s) : 0;
}
FC_RUN(max_pool_forward) {
    const pool_shape s = POOL_SHAPE(a);
    const pool_cut cut = max_cut(&s);
    const int indexed = a->index8 || a->index32;
    if (separable_pays(&s) && (s.c >= VL || !indexed)) {
        max_separable_tiles(a, begin, end, scratch);
        return;
    }
    const int far = cut.blocks == 1 && s.ph <= MOST_FETCHED && s.n * s.h * s.w * s.c >= FAR_FLOATS;
    const int stream =
        s.c % VL == 0 && a->y_step % VL == 0 && fc_streams(a->y, s.n * s.oh * s.ow * a->y_step);
    for (int64_t tile = begin; tile < end; tile++) {
        const int64_t channel = tile % cut.blocks * cut.channels, band = tile / cut.blocks % cut.bands;
        const int64_t image = tile / (cut.blocks * cut.bands), first = band * cut.rows;
        const int64_t last = fc_min(s.oh, first + cut.rows), channels = fc_min(cut.channels, s.c - channel);
        for (int64_t i = first; i < last; i++)
            if (indexed)
                max_row(a, image, i, channel, channels, far, stream, 1);
            else
                max_row(a, image, i, channel, channels, far, stream, 0);
    }
    if (stream) vf_fence();
}

/* One pixel of dx: from each covering window, dy where the window's maximum is at this pixel. Asking the
 * windows writes each dx once, in one pass, where scattering dy would clear dx first and add to it. */
typedef struct {
    const float *dy;       /* the image's first output */
    const uint8_t *index8; /* the same place of the index that there is */
    const int32_t *index32;
    pool_range rows, columns; /* covering windows */
    int64_t place;            /* this pixel's number in window (0, 0), may be past its end */
    int stream;
} max_pixel;

FC_INLINE vf max_gradient(const max_pixel *p, const fc_max_pool_backward_args *a, int64_t i, int64_t j,
                          int64_t ch, int64_t n) {
    const int64_t at = (i * a->ow + j) * a->c + ch;
    const int place = (int)(p->place - i * a->sh * a->pw - j * a->sw);
    const vf dy = vf_load_tail(p->dy + at, n);
    if (p->index8 && n >= VL) return vf_blend(vm_eq_u8(p->index8 + at, place), dy, vf_zero());
    const vi index = p->index8 ? vi_from_u8_n(p->index8 + at, (int)n)
                     : n >= VL ? vi_load(p->index32 + at)
                               : vi_load_n(p->index32 + at, (int)n);
    return vf_blend(vi_eq(index, vi_set1(place)), dy, vf_zero());
}

FC_INLINE void max_gradient_lanes(const max_pixel *p, const fc_max_pool_backward_args *a, float *dx,
                                  int64_t ch, int64_t n) {
    vf sum = vf_zero();
    for (int64_t i = p->rows.begin; i < p->rows.end; i++)
        for (int64_t j = p->columns.begin; j < p->columns.end; j++)
            sum = vf_add(sum, max_gradient(p, a, i, j, ch, n));
    fc_put(dx + ch, sum, n, p->stream);
}

/* Four vectors with an index of bytes: what a window needs is worked out once for all. */
FC_INLINE void max_gradient_four(const max_pixel *p, const fc_max_pool_backward_args *a, float *dx,
                                 int64_t ch) {
    vf s0 = vf_zero(), s1 = s0, s2 = s0, s3 = s0;
    for (int64_t i = p->rows.begin; i < p->rows.end; i++)
        for (int64_t j = p->columns.begin; j < p->columns.end; j++) {
            const int place = (int)(p->place - i * a->sh * a->pw - j * a->sw);
            const uint8_t *index = p->index8 + ((i * a->ow + j) * a->c + ch);
            const float *dy = p->dy + ((i * a->ow + j) * a->c + ch);
            s0 = vf_blend(vm_eq_u8(index, place), vf_add(s0, vf_load(dy)), s0);
            s1 = vf_blend(vm_eq_u8(index + VL, place), vf_add(s1, vf_load(dy + VL)), s1);
            s2 = vf_blend(vm_eq_u8(index + 2 * VL, place), vf_add(s2, vf_load(dy + 2 * VL)), s2);
            s3 = vf_blend(vm_eq_u8(index + 3 * VL, place), vf_add(s3, vf_load(dy + 3 * VL)), s3);
        }
    fc_put(dx + ch, s0, VL, p->stream);
    fc_put(dx + ch + VL, s1, VL, p->stream);
    fc_put(dx + ch + 2 * VL, s2, VL, p->stream);
    fc_put(dx + ch + 3 * VL, s3, VL, p->stream);
}

FC_INLINE void max_gradient_pixel(const max_pixel *p, const fc_max_pool_backward_args *a, float *dx) {
    int64_t ch = 0;
    if (p->rows.end - p->rows.begin == 1 && p->columns.end - p->columns.begin == 1) {
        /* The one window of pooling without overlap. */
        for (; ch + VL <= a->c; ch += VL)
            fc_put(dx + ch, max_gradient(p, a, p->rows.begin, p->columns.begin, ch, VL), VL, p->stream);
    }
    for (; p->index8 && ch + 4 * VL <= a->c; ch += 4 * VL) max_gradient_four(p, a, dx, ch);
    for (; ch + VL <= a->c; ch += VL) max_gradient_lanes(p, a, dx, ch, VL);
    if (ch < a->c) max_gradient_lanes(p, a, dx, ch, a->c - ch);
}

/* With few channels a vector would hold one pixel's, and mostly air: dy is scattered then, element by
 * element, to the rows first .. last - 1 of an image's dx. Each element is the sum of the same windows in the
 * same order as above. */
#define FEW_CHANNELS (VL < 8 ? 8 : VL)

static void max_scatter(const fc_max_pool_backward_args *a, int64_t image, int64_t first, int64_t last,
                        const int64_t *offsets) {
    const int64_t c = a->c, row = a->w * c, band = (last - first) * row;
    float *dx = a->dx + (image * a->h + first) * row;
    memset(dx, 0, (size_t)band * sizeof *dx);
    const int64_t end = pool_covering(last - 1, a->sh, a->pt, a->ph, a->oh).end;
    for (int64_t i = pool_covering(first, a->sh, a->pt, a->ph, a->oh).begin; i < end; i++) {
        const int64_t y = i * a->sh - a->pt;
        if (y >= a->h || y + a->ph <= 0) continue;
        for (int64_t j = 0; j < a->ow; j++) {
            const int64_t x = j * a->sw - a->pl, at = ((image * a->oh + i) * a->ow + j) * c;
            if (x >= a->w || x + a->pw <= 0) continue; /* all padding: has no maximum */
            const int64_t window = (y - first) * row + x * c;
            for (int64_t ch = 0; ch < c; ch++) {
                const int64_t place = a->index8 ? a->index8[at + ch] : a->index32[at + ch];
                const int64_t offset = a->index8 ? offsets[place] : place / a->pw * row + place % a->pw * c;
                const int64_t to = window + offset + ch;
                if (to >= 0 && to < band) dx[to] += a->dy[at + ch];
            }
        }
    }
}

FC_TILES(max_pool_backward) {
    const pool_shape s = POOL_SHAPE(a);
    return s.n * pool_backward_cut(&s).bands;
}
/* The covering windows of every column, or where each place of a window lies: divisions are too dear to do
 * them again in every row. */
FC_SCRATCH(max_pool_backward) {
    return (size_t)fc_max(a->w * (int64_t)sizeof(pool_range), 256 * (int64_t)sizeof(int64_t));
}
FC_RUN(max_pool_backward) {
    const pool_shape s = POOL_SHAPE(a);
    const pool_cut cut = pool_backward_cut(&s);
    if (s.c < FEW_CHANNELS) {
        int64_t *offsets = scratch;
        for (int64_t p = 0; p < 256; p++) offsets[p] = p / s.pw * s.w * s.c + p % s.pw * s.c;
        for (int64_t tile = begin; tile < end; tile++) {
            const int64_t first = tile % cut.bands * cut.rows;
            max_scatter(a, tile / cut.bands, first, fc_min(s.h, first + cut.rows), offsets);
        }
        return;
    }
    pool_range *columns = scratch;
    const int stream = s.c % VL == 0 && fc_streams(a->dx, s.n * s.h * s.w * s.c);
    const int far = s.n * (s.h * s.w + s.oh * s.ow) * s.c >= FAR_FLOATS;
    for (int64_t x = 0; x < s.w; x++) columns[x] = pool_covering(x, s.sw, s.pl, s.pw, s.ow);
    for (int64_t tile = begin; tile < end; tile++) {
        const int64_t image = tile / cut.bands, first = tile % cut.bands * cut.rows;
        const int64_t at = image * s.oh * s.ow * s.c;
        max_pixel p = {a->dy + at,
                       a->index8 ? a->index8 + at : NULL,
                       a->index32 ? a->index32 + at : NULL,
                       {0, 0},
                       {0, 0},
                       0,
                       stream};
        for (int64_t y = first; y < fc_min(s.h, first + cut.rows); y++) {
            p.rows = pool_covering(y, s.sh, s.pt, s.ph, s.oh);
            const int fetch =
                far && (y + s.pt) % s.sh == 0 && p.rows.end > p.rows.begin; /* a new row of dy */
            const int64_t newest = (p.rows.end - 1) * s.ow * s.c;
            for (int64_t x = 0; x < s.w; x++) {
                p.columns = columns[x];
                if (fetch && (x == 0 || p.columns.end > columns[x - 1].end)) {
                    const int64_t from = newest + (p.columns.end - 1) * s.c;
                    fetch_ahead(p.dy + from, 1, 0, s.c);
                    if (p.index8) fetch_ahead((const float *)(const void *)(p.index8 + from), 1, 0, s.c / 4);
                }
                p.place = (y + s.pt) * s.pw + x + s.pl;
                max_gradient_pixel(&p, a, a->dx + ((image * s.h + y) * s.w + x) * s.c);
            }
        }
    }
    if (stream) vf_fence();
}
