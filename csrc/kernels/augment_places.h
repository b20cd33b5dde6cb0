/* Images seen through any matrix: each pixel of the result for itself. */
#ifndef FC_AUGMENT_PLACES_H
#define FC_AUGMENT_PLACES_H
#include "augment_warp.h"

/* Pixels whose places are computed at once. They are told from a pixel near the first one's, so that floats
 * have them to millionths of a pixel in an image of any size; what is further off than LIMIT counts as there.
 */
#define RUN 64
#define LIMIT 1000000

typedef struct {
    int64_t col, row;             /* from where places are told */
    int32_t dcol[RUN], drow[RUN]; /* the pixel left of and above each place */
    float x[RUN], y[RUN];         /* shares of the one right of and below that */
    float outside[RUN];           /* 1: it looks for pixels that aren't there */
    int plain;                    /* none is outside, and none is the image's last pixel */
} places;

/* The pixel at a place, or the image's middle where that is far outside, as it is next to where a
 * perspective's plane is seen edge on: places are divided by almost nothing there, and the next ones may well
 * be inside. */
static int64_t near_image(double place, int64_t size) {
    const double room = (double)fc_min(size, LIMIT / 2);
    return place >= -room && place <= (double)size + room ? (int64_t)floor(place) : size / 2;
}

typedef struct {
    vf origin, step, low, high;
} along;

/* From the first place, as a numerator, and the step to the next one. Limits: of pixels within the image. */
static along along_axis(double first, double step, int64_t base, int64_t size, int reach) {
    const along a = {vf_set1((float)first), vf_set1((float)step),
                     vf_set1((float)(int32_t)fc_max(-base, -LIMIT)),
                     vf_set1((float)(int32_t)fc_min(size - 1 - reach - base, LIMIT))};
    return a;
}

/* Each place along an axis: the whole pixel (floor), with limits first, which NaN becomes as well. */
FC_INLINE vf whole_place(const along *a, vf d, vf over, vf half, vf *place) {
    const vf limit = vf_set1((float)LIMIT), exact = vf_fma(vf_fma(d, a->step, a->origin), over, half);
    *place = vf_min(vf_max(exact, vf_neg(limit)), limit);
    const vf near = vf_round(*place);
    return vf_sub(near, vf_blend(vm_lt(*place, near), vf_set1(1.0f), vf_zero()));
}
/* 1.5 x 2^23 + v has v in its lowest bits. */
FC_INLINE vi whole_to_int(vf v) {
    return vi_sub(vi_bits(vf_add(v, vf_set1(12582912.0f))), vi_set1(0x4B400000));
}

static void find_places(const warp *t, int64_t i, int64_t j0, int64_t count, places *p) {
    const double *m = t->m;
    const int flat = m[6] == 0.0 && m[7] == 0.0 && m[8] == 1.0;
    const double x0 = m[0] * (double)j0 + m[1] * (double)i + m[2],
                 y0 = m[3] * (double)j0 + m[4] * (double)i + m[5];
    const double w0 = flat ? 1.0 : m[6] * (double)j0 + m[7] * (double)i + m[8];
    p->col = near_image(flat ? x0 : x0 / w0, t->w);
    p->row = near_image(flat ? y0 : y0 / w0, t->h);
    const double col = (double)p->col, row = (double)p->row;
    const along x = along_axis(x0 - col * w0, m[0] - col * m[6], p->col, t->w, t->bilinear);
    const along y = along_axis(y0 - row * w0, m[3] - row * m[6], p->row, t->h, t->bilinear);
    const vf one = vf_set1(1.0f), half = vf_set1(t->bilinear ? 0.0f : 0.5f),
             last = vf_set1((float)(count - 1));
    const vf ws = vf_set1((float)w0), dw = vf_set1((float)m[6]);
    p->plain = 1;
    for (int64_t k = 0; k < count; k += VL) {
        /* What lies behind the last one is where the last one is. */
        const vf d = vf_min(last, vf_add(vf_from_int(vi_iota()), vf_set1((float)k)));
        const vf over = flat ? one : vf_div(one, vf_fma(d, dw, ws));
        vf px, py;
        const vf wx = whole_place(&x, d, over, half, &px), wy = whole_place(&y, d, over, half, &py);
        const vm beside = vm_or(vm_lt(wx, x.low), vm_lt(x.high, wx));
        const vm outside = vm_or(beside, vm_or(vm_lt(wy, y.low), vm_lt(y.high, wy)));
        vi_store(p->dcol + k, whole_to_int(wx));
        vi_store(p->drow + k, whole_to_int(wy));
        vf_store(p->x + k, vf_sub(px, wx));
        vf_store(p->y + k, vf_sub(py, wy));
        vf_store(p->outside + k, vf_blend(outside, one, vf_zero()));
        if (vm_any(vm_or(outside, vm_and(vm_le(x.high, wx), vm_le(y.high, wy))))) p->plain = 0;
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
        if (t->c == 3 && p->outside[j] == 0.0f) {
            blend_three(t, (row * t->w + col) * 3, x, y, out, bytes);
            continue;
        }
        const float share[4] = {(1.0f - x) * (1.0f - y), x * (1.0f - y), (1.0f - x) * y, x * y};
        int64_t from[4];
        for (int k = 0; k < 4; k++) {
            const int64_t r = fold(row + k / 2, t->h, t->border), q = fold(col + k % 2, t->w, t->border);
            from[k] = r < 0 || q < 0 ? -1 : (r * t->w + q) * t->c;
        }
        blend_four(t, from, share, out, bytes);
    }
}

/* The nearest pixels of a run. Three bytes are copied as four, of which the next pixel writes the last again:
 * all but the image's last pixel have a byte behind them. */
FC_INLINE void copy_places(const warp *t, const places *p, int64_t to, int64_t count, int bytes) {
    const int64_t base = p->row * t->w + p->col;
    if (bytes && t->c == 3 && p->plain) {
        const uint8_t *x = (const uint8_t *)t->x;
        uint8_t *y = (uint8_t *)t->y + 3 * to;
        for (int64_t k = 0; k < count - 1; k++)
            memcpy(y + 3 * k, x + 3 * (base + p->drow[k] * t->w + p->dcol[k]), 4);
        memcpy(y + 3 * (count - 1), x + 3 * (base + p->drow[count - 1] * t->w + p->dcol[count - 1]), 3);
        return;
    }
    for (int64_t k = 0; k < count; k++) {
        if (p->outside[k] == 0.0f) {
            put(t, to + k, base + p->drow[k] * t->w + p->dcol[k], bytes);
            continue;
        }
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
            if (t->bilinear)
                blend_places(t, &p, count, scratch + j * t->c, bytes);
            else
                copy_places(t, &p, i * t->ow + j, count, bytes);
        }
        if (t->bilinear) fc_put_row(t->y, i * t->ow * t->c, scratch, t->ow * t->c, bytes);
    }
}
#endif
