/* Images seen through a matrix each: rows copied, rows and columns resampled apart, or each pixel for itself.
 */
#include "augment_warp.h"
#include "augment_places.h"

/* Rows of y to a tile: some 16384 elements. */
static int64_t band_rows(int64_t width, int64_t c) { return fc_max(1, FC_CHUNK / fc_max(1, width * c)); }
static int64_t warp_tiles(int64_t n, int64_t oh, int64_t ow, int64_t c) {
    const int64_t rows = band_rows(ow, c);
    return ow * c == 0 ? 0 : n * ((oh + rows - 1) / rows);
}

/* ---- rows that are copied: flips, crops, and with nearest pixels moves and shears along rows ---- */

static int is_flat(const double *m) { return m[6] == 0.0 && m[7] == 0.0 && m[8] == 1.0; }

/* Whether each row shows a row of x, pixel by pixel. */
static int copies_rows(const warp *t) {
    const double *m = t->m;
    if (!is_flat(m) || fabs(m[0]) != 1.0 || m[3] != 0.0) return 0;
    return !t->bilinear || (fabs(m[4]) == 1.0 && m[1] == 0.0 && m[2] == floor(m[2]) && m[5] == floor(m[5]));
}

/* No pixel is so far away that it would matter to anyone where beyond it. */
static int64_t nearest(double place) { return (int64_t)floor(fmin(fmax(place, -1e9), 1e9) + 0.5); }

FC_INLINE void copy_row(const warp *t, int64_t row, int bytes) {
    const int64_t from = fold(nearest(t->m[4] * (double)row + t->m[5]), t->h, t->border);
    const int64_t step = (int64_t)t->m[0], shift = nearest(t->m[1] * (double)row + t->m[2]);
    const int64_t out = row * t->ow, in = from * t->w;
    if (from < 0) {
        for (int64_t j = 0; j < t->ow; j++) put(t, out + j, -1, bytes);
        return;
    }
    /* Columns first .. last - 1 lie within the image. */
    const int64_t a = step > 0 ? -shift : shift - t->w + 1, b = step > 0 ? t->w - shift : shift + 1;
    const int64_t first = fc_max(0, fc_min(a, t->ow)), last = fc_max(first, fc_min(b, t->ow));
    for (int64_t j = 0; j < first; j++) {
        const int64_t k = fold(step * j + shift, t->w, t->border);
        put(t, out + j, k < 0 ? -1 : in + k, bytes);
    }
    if (step > 0)
        fc_copy(t->x, (in + first + shift) * t->c, t->y, (out + first) * t->c, (last - first) * t->c, bytes);
    else
        for (int64_t j = first; j < last; j++) put(t, out + j, in + shift - j, bytes);
    for (int64_t j = last; j < t->ow; j++) {
        const int64_t k = fold(step * j + shift, t->w, t->border);
        put(t, out + j, k < 0 ? -1 : in + k, bytes);
    }
}

/* ---- rows and columns apart: scaled, moved by parts of pixels ---- */

/* The two rows (or columns) between which a place lies, and the second one's share. */
typedef struct {
    int64_t a, b;
    float share;
} taps;

FC_INLINE taps taps_at(double place, int64_t size, int bilinear, int border) {
    if (!bilinear) {
        const int64_t pixel = fold(nearest(place), size, border);
        const taps t = {pixel, pixel, 0.0f};
        return t;
    }
    const double inside = fmin(fmax(place, -1e9), 1e9);
    const double whole = floor(inside);
    const taps t = {fold((int64_t)whole, size, border), fold((int64_t)whole + 1, size, border),
                    (float)(inside - whole)};
    return t;
}

/* A row of x between two rows of it, as floats; behind it a pixel of the border's colour. */
FC_INLINE void blend_rows(const warp *t, const taps *rows, int64_t first, int64_t last, float *row,
                          int bytes) {
    const int64_t width = t->w * t->c;
    for (int64_t ch = 0; ch < t->c; ch++) row[width + ch] = t->fill;
    const vf fill = vf_set1(t->fill), q = vf_set1(rows->share), p = vf_set1(1.0f - rows->share);
    const int64_t a = rows->a * width + first, b = rows->b * width + first, count = last - first;
    float *to = row + first;
    if (rows->a == rows->b || rows->share == 0.0f) {
        if (rows->a >= 0) {
            fc_get_row(t->x, a, to, count, bytes);
            return;
        }
    } else if (rows->a >= 0 && rows->b >= 0) {
#define STEP(i, n)                                                                                           \
    vf_store_tail(                                                                                           \
        to + (i),                                                                                            \
        vf_fma(fc_pixels(t->x, b + (i), n, bytes), q, vf_mul(fc_pixels(t->x, a + (i), n, bytes), p)), n)
        FC_FOR_LANES(count, STEP);
#undef STEP
        return;
    }
    for (int64_t i = 0; i < count; i += VL) {
        const vf u = rows->a < 0 ? fill : fc_pixels(t->x, a + i, count - i, bytes);
        const vf v = rows->b < 0 ? fill : fc_pixels(t->x, b + i, count - i, bytes);
        vf_store_tail(to + i, vf_fma(v, q, vf_mul(u, p)), count - i);
    }
}

/* Where in a row of floats each column's two pixels begin, and the second one's share. */
typedef struct {
    int32_t *a, *b;
    float *share;
} columns;

FC_INLINE void blend_columns(const warp *t, const columns *l, const float *row, float *out) {
    if (t->c == 3) {
        for (int64_t j = 0; j < t->ow; j++) {
            const float *a = row + l->a[j], *b = row + l->b[j], q = l->share[j], p = 1.0f - q;
            out[3 * j] = a[0] * p + b[0] * q;
            out[3 * j + 1] = a[1] * p + b[1] * q;
            out[3 * j + 2] = a[2] * p + b[2] * q;
        }
        return;
    }
    for (int64_t j = 0; j < t->ow; j++) {
        const float *a = row + l->a[j], *b = row + l->b[j];
        const vf q = vf_set1(l->share[j]), p = vf_set1(1.0f - l->share[j]);
        for (int64_t ch = 0; ch < t->c; ch += VL)
            vf_store_tail(
                out + j * t->c + ch,
                vf_fma(vf_load_tail(b + ch, t->c - ch), q, vf_mul(vf_load_tail(a + ch, t->c - ch), p)),
                t->c - ch);
    }
}

/* Scratch: a row of x and a pixel, a row of y, and the columns' lists. */
static size_t warp_scratch(int64_t w, int64_t c, int64_t ow) {
    return (size_t)((w + 1) * c + ow * c + 3 * ow) * sizeof(float);
}

FC_INLINE void separable_rows(const warp *t, int64_t begin, int64_t end, float *scratch, int bytes) {
    float *row = scratch, *out = row + (t->w + 1) * t->c;
    const columns l = {(int32_t *)(out + t->ow * t->c), (int32_t *)(out + t->ow * t->c) + t->ow,
                       out + t->ow * t->c + 2 * t->ow};
    int64_t first = t->w, last = 0;
    for (int64_t j = 0; j < t->ow; j++) {
        const taps at = taps_at(t->m[0] * (double)j + t->m[2], t->w, t->bilinear, t->border);
        const int64_t pair[2] = {at.a, at.b};
        int32_t *to[2] = {l.a, l.b};
        for (int k = 0; k < 2; k++) {
            to[k][j] = (int32_t)((pair[k] < 0 ? t->w : pair[k]) * t->c);
            if (pair[k] < 0) continue;
            first = fc_min(first, pair[k]);
            last = fc_max(last, pair[k] + 1);
        }
        l.share[j] = at.share;
    }
    first = fc_min(first, last);
    for (int64_t i = begin; i < end; i++) {
        const taps rows = taps_at(t->m[4] * (double)i + t->m[5], t->h, t->bilinear, t->border);
        blend_rows(t, &rows, first * t->c, last * t->c, row, bytes);
        blend_columns(t, &l, row, out);
        fc_put_row(t->y, i * t->ow * t->c, out, t->ow * t->c, bytes);
    }
}

FC_INLINE void warp_rows(const warp *t, int64_t begin, int64_t end, float *scratch, int bytes) {
    if (copies_rows(t))
        for (int64_t i = begin; i < end; i++) copy_row(t, i, bytes);
    else if (is_flat(t->m) && t->m[1] == 0.0 && t->m[3] == 0.0)
        separable_rows(t, begin, end, scratch, bytes);
    else
        any_rows(t, begin, end, scratch, bytes);
}

#define WARP(name, bytes)                                                                                    \
    FC_TILES(name) { return warp_tiles(a->n, a->oh, a->ow, a->c); }                                          \
    FC_SCRATCH(name) { return warp_scratch(a->w, a->c, a->ow); }                                             \
    FC_RUN(name) {                                                                                           \
        const int64_t rows = band_rows(a->ow, a->c), bands = (a->oh + rows - 1) / rows;                      \
        for (int64_t tile = begin; tile < end; tile++) {                                                     \
            const int64_t image = tile / bands, first = tile % bands * rows;                                 \
            const warp t = {a->x + image * a->h * a->w * a->c,                                               \
                            a->y + image * a->oh * a->ow * a->c,                                             \
                            a->matrix + 9 * image,                                                           \
                            a->h,                                                                            \
                            a->w,                                                                            \
                            a->c,                                                                            \
                            a->oh,                                                                           \
                            a->ow,                                                                           \
                            a->bilinear != 0,                                                                \
                            (int)a->border,                                                                  \
                            (float)a->fill};                                                                 \
            warp_rows(&t, first, fc_min(first + rows, a->oh), scratch, bytes);                               \
        }                                                                                                    \
    }
WARP(augment_warp_u8, 1)
WARP(augment_warp_f32, 0)
