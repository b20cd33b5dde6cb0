/* Images seen through a matrix each: pixels copied, rows and columns resampled apart, or each pixel for
 * itself. */
#include "augment.h"

/* What a tile works on, of either type. */
typedef struct {
    const void *x;
    void *y;
    const double *m;
    int64_t h, w, c, oh, ow;
    int bilinear, border;
    float fill;
} warp;

/* Rows of y to a tile: some 16384 elements. */
static int64_t band_rows(int64_t width, int64_t c) { return fc_max(1, FC_CHUNK / fc_max(1, width * c)); }
static int64_t warp_tiles(int64_t n, int64_t oh, int64_t ow, int64_t c) {
    const int64_t rows = band_rows(ow, c);
    return ow * c == 0 ? 0 : n * ((oh + rows - 1) / rows);
}

/* Which of `size` rows (or columns) is seen at place i; -1: none, but the border's colour. */
FC_INLINE int64_t fold(int64_t i, int64_t size, int border) {
    if (i >= 0 && i < size) return i;
    if (border == FC_BORDER_CONSTANT) return -1;
    if (border == FC_BORDER_NEAREST) return i < 0 ? 0 : size - 1;
    const int64_t period = border == FC_BORDER_WRAP ? size : 2 * size;
    const int64_t r = (i % period + period) % period;
    return r < size ? r : period - 1 - r;
}

FC_INLINE void put(const warp *t, int64_t to, int64_t from, int bytes) {
    if (from >= 0) {
        if (t->c == 3)
            fc_copy(t->x, from * t->c, t->y, to * t->c, 3, bytes);
        else
            fc_copy(t->x, from * t->c, t->y, to * t->c, t->c, bytes);
        return;
    }
    for (int64_t ch = 0; ch < t->c; ch++) fc_put_pixels(t->y, to * t->c + ch, vf_set1(t->fill), 1, bytes);
}

/* ---- whole pixels: flips and crops are copies ---- */

static int is_whole(const double *m) {
    return (m[0] == 1.0 || m[0] == -1.0) && (m[4] == 1.0 || m[4] == -1.0) && m[1] == 0.0 && m[3] == 0.0 &&
           m[6] == 0.0 && m[7] == 0.0 && m[8] == 1.0 && m[2] == floor(m[2]) && m[5] == floor(m[5]) &&
           fabs(m[2]) < 1e9 && fabs(m[5]) < 1e9;
}

FC_INLINE void copy_row(const warp *t, int64_t row, int bytes) {
    const int64_t from = fold((int64_t)(t->m[4] * (double)row + t->m[5]), t->h, t->border);
    const int64_t step = (int64_t)t->m[0], shift = (int64_t)t->m[2], out = row * t->ow, in = from * t->w;
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
    /* No pixel is so far away that folding it would matter to anyone. */
    const double inside = fmin(fmax(place, -1e9), 1e9);
    if (!bilinear) {
        const int64_t nearest = fold((int64_t)floor(inside + 0.5), size, border);
        const taps t = {nearest, nearest, 0.0f};
        return t;
    }
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

/* ---- any matrix ---- */

/* Pixels whose places are computed at once. They are differences from where the first one lies, so that
 * floats have them to millionths of a pixel in an image of any size. */
#define RUN 32

typedef struct {
    int64_t col, row;             /* the first one's, whole */
    float x[RUN], y[RUN];         /* shares of the second column and row */
    int32_t dcol[RUN], drow[RUN]; /* of the pixel left of and above each */
} places;

static void find_places(const warp *t, int64_t i, int64_t j0, int64_t count, places *p) {
    const double *m = t->m, bound = 1e9;
    const double x0 = m[0] * (double)j0 + m[1] * (double)i + m[2],
                 y0 = m[3] * (double)j0 + m[4] * (double)i + m[5];
    const double w0 = m[6] * (double)j0 + m[7] * (double)i + m[8];
    const double col = floor(fmin(fmax(x0 / w0, -bound), bound)),
                 row = floor(fmin(fmax(y0 / w0, -bound), bound));
    const float half = t->bilinear ? 0.0f : 0.5f, limit = 1e6f;
    const float xs = (float)(x0 - col * w0), ys = (float)(y0 - row * w0), ws = (float)w0;
    const float dx = (float)(m[0] - col * m[6]), dy = (float)(m[3] - row * m[6]), dw = (float)m[6];
    p->col = (int64_t)col;
    p->row = (int64_t)row;
    for (int64_t j = 0; j < count; j++) {
        const float d = (float)(int32_t)j, w = 1.0f / (ws + d * dw);
        float x = (xs + d * dx) * w + half, y = (ys + d * dy) * w + half;
        x = x > -limit ? x < limit ? x : limit : -limit; /* NaN, where a matrix has no inverse, as well */
        y = y > -limit ? y < limit ? y : limit : -limit;
        int32_t ix = (int32_t)x, iy = (int32_t)y;
        ix -= (float)ix > x;
        iy -= (float)iy > y;
        p->dcol[j] = ix;
        p->drow[j] = iy;
        p->x[j] = x - (float)ix;
        p->y[j] = y - (float)iy;
    }
}

/* Four pixels' mean with these shares; from: where each begins, or -1. */
FC_INLINE void blend_four(const warp *t, const int64_t *from, const float *share, float *out, int bytes) {
    for (int64_t ch = 0; ch < t->c; ch++) {
        float sum = 0.0f;
        for (int k = 0; k < 4; k++)
            sum += share[k] * (from[k] < 0 ? t->fill : fc_pixel(t->x, from[k] + ch, bytes));
        out[ch] = sum;
    }
}

#if FC_PICKS && VL >= 8
/* Two pixels of three channels next to each other: six lanes, and nothing beyond is read. */
FC_INLINE vf two_pixels(const void *x, int64_t i, int bytes) {
    return bytes ? vf_from_int(vi_from_u8_n((const uint8_t *)x + i, 6)) : vf_load_n((const float *)x + i, 6);
}

/* A pixel of three channels between four: both rows at once as six lanes, then the last three lanes are added
 * to the first three. A third of the instructions of one channel after the other. */
FC_INLINE void blend_three(const warp *t, int64_t at, float x, float y, float *out, int bytes) {
    static const float ones[16] = {1, 1, 1}, signs[16] = {-1, -1, -1, 1, 1, 1};
    static const int32_t next[16] = {3, 4, 5};
    const vf above = two_pixels(t->x, at, bytes), below = two_pixels(t->x, at + t->w * 3, bytes);
    const vf rows = vf_fma(below, vf_set1(y), vf_mul(above, vf_set1(1.0f - y)));
    const vf both = vf_mul(rows, vf_fma(vf_set1(x), vf_load(signs), vf_load(ones)));
    vf_store_n(out, vf_add(both, vf_pick(both, vi_load(next))), 3);
}
#else
FC_INLINE void blend_three(const warp *t, int64_t at, float x, float y, float *out, int bytes) {
    const int64_t below = at + t->w * 3;
    const float share[4] = {(1.0f - x) * (1.0f - y), x * (1.0f - y), (1.0f - x) * y, x * y};
    for (int ch = 0; ch < 3; ch++)
        out[ch] = share[0] * fc_pixel(t->x, at + ch, bytes) + share[1] * fc_pixel(t->x, at + 3 + ch, bytes) +
                  share[2] * fc_pixel(t->x, below + ch, bytes) +
                  share[3] * fc_pixel(t->x, below + 3 + ch, bytes);
}
#endif

FC_INLINE void blend_places(const warp *t, const places *p, int64_t count, float *out, int bytes) {
    for (int64_t j = 0; j < count; j++, out += t->c) {
        const int64_t col = p->col + p->dcol[j], row = p->row + p->drow[j];
        const float x = p->x[j], y = p->y[j];
        const float share[4] = {(1.0f - x) * (1.0f - y), x * (1.0f - y), (1.0f - x) * y, x * y};
        if (col >= 0 && col < t->w - 1 && row >= 0 && row < t->h - 1) {
            const int64_t at = (row * t->w + col) * t->c, below = at + t->w * t->c;
            if (t->c == 3) {
                blend_three(t, at, x, y, out, bytes);
                continue;
            }
            const int64_t from[4] = {at, at + t->c, below, below + t->c};
            blend_four(t, from, share, out, bytes);
            continue;
        }
        int64_t from[4];
        for (int k = 0; k < 4; k++) {
            const int64_t r = fold(row + k / 2, t->h, t->border), q = fold(col + k % 2, t->w, t->border);
            from[k] = r < 0 || q < 0 ? -1 : (r * t->w + q) * t->c;
        }
        blend_four(t, from, share, out, bytes);
    }
}

/* The nearest pixels of a run. Where all of them lie within the image, and none of them at its end, a pixel
 * of three bytes is copied as four, of which the next one writes the last again. */
FC_INLINE void copy_places(const warp *t, const places *p, int64_t to, int64_t count, int bytes) {
    int32_t low_col = p->dcol[0], high_col = low_col, low_row = p->drow[0], high_row = low_row;
    for (int64_t k = 1; k < count; k++) {
        low_col = p->dcol[k] < low_col ? p->dcol[k] : low_col;
        high_col = p->dcol[k] > high_col ? p->dcol[k] : high_col;
        low_row = p->drow[k] < low_row ? p->drow[k] : low_row;
        high_row = p->drow[k] > high_row ? p->drow[k] : high_row;
    }
    if (bytes && t->c == 3 && p->col + low_col >= 0 && p->col + high_col < t->w && p->row + low_row >= 0 &&
        p->row + high_row < t->h - 1) {
        const uint8_t *x = (const uint8_t *)t->x + 3 * (p->row * t->w + p->col);
        uint8_t *y = (uint8_t *)t->y + 3 * to;
        for (int64_t k = 0; k < count - 1; k++)
            memcpy(y + 3 * k, x + 3 * (p->drow[k] * t->w + p->dcol[k]), 4);
        memcpy(y + 3 * (count - 1), x + 3 * (p->drow[count - 1] * t->w + p->dcol[count - 1]), 3);
        return;
    }
    for (int64_t k = 0; k < count; k++) {
        const int64_t row = fold(p->row + p->drow[k], t->h, t->border);
        const int64_t col = fold(p->col + p->dcol[k], t->w, t->border);
        put(t, to + k, row < 0 || col < 0 ? -1 : row * t->w + col, bytes);
    }
}

FC_INLINE void any_rows(const warp *t, int64_t begin, int64_t end, float *scratch, int bytes) {
    places p;
    for (int64_t i = begin; i < end; i++) {
        for (int64_t j = 0; j < t->ow; j += RUN) {
            const int64_t count = fc_min(RUN, t->ow - j);
            find_places(t, i, j, count, &p);
            if (t->bilinear) {
                blend_places(t, &p, count, scratch + j * t->c, bytes);
                continue;
            }
            copy_places(t, &p, i * t->ow + j, count, bytes);
        }
        if (t->bilinear) fc_put_row(t->y, i * t->ow * t->c, scratch, t->ow * t->c, bytes);
    }
}

FC_INLINE void warp_rows(const warp *t, int64_t begin, int64_t end, float *scratch, int bytes) {
    const double *m = t->m;
    const int apart = m[1] == 0.0 && m[3] == 0.0 && m[6] == 0.0 && m[7] == 0.0 && m[8] == 1.0;
    double moved[9];
    warp whole = *t;
    if (!t->bilinear && apart && fabs(m[0]) == 1.0 && fabs(m[4]) == 1.0) {
        /* Of images that are moved the nearest pixels are those of a move by whole pixels. */
        memcpy(moved, m, sizeof moved);
        moved[2] = floor(m[2] + 0.5);
        moved[5] = floor(m[5] + 0.5);
        whole.m = moved;
    }
    if (is_whole(whole.m))
        for (int64_t i = begin; i < end; i++) copy_row(&whole, i, bytes);
    else if (apart)
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
