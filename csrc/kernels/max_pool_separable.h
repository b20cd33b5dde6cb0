/* Maximum pooling in two steps. Of large windows along the rows and then down the columns: windows above each
 * other share the rows' maxima, so that 5 x 5 places take 10 steps instead of 25. Of few channels down the
 * columns first, as rows are one piece in memory, whole vectors. */
#ifndef FC_MAX_POOL_SEPARABLE_H
#define FC_MAX_POOL_SEPARABLE_H
#include "pool.h"

/* A tile: all columns, a block of channels that with `ph` rows of maxima stays in the L2 cache, and a band of
 * rows that is high enough for windows to share. */
#define SEPARABLE_FLOATS 65536
#define SEPARABLE_CHANNELS 64

/* Whether it takes fewer steps, or longer ones: with few channels vectors along them are mostly air, but rows
 * are one piece. All windows must reach the image. */
FC_INLINE int separable_pays(const pool_shape *s) {
    if (s->pt >= s->ph || s->pl >= s->pw || (s->oh - 1) * s->sh - s->pt >= s->h ||
        (s->ow - 1) * s->sw - s->pl >= s->w)
        return 0;
    if (s->c < VL) return 1;
    return s->ph * s->pw > 16 && 2 * (fc_min(s->sh, s->ph) * (s->pw + 2) + s->ph) < s->ph * s->pw;
}

FC_INLINE pool_cut separable_cut(const pool_shape *s) {
    pool_cut t = {1, 0, s->c, 1};
    if (s->oh <= 0 || s->ow <= 0 || s->c <= 0) return t;
    if (s->c >= VL) {
        const int64_t room = SEPARABLE_FLOATS / (s->ph * s->ow) / 16 * 16;
        t.channels = fc_min(s->c, fc_min(fc_max(room, 16), SEPARABLE_CHANNELS));
        t.blocks = (s->c + t.channels - 1) / t.channels;
    }
    const int64_t shared = s->ph > s->sh ? 2 * s->ph : 1, parts = fc_max(1, s->n * t.blocks);
    const int64_t wanted = fc_max(1, (POOL_TILES + parts - 1) / parts), work = s->ow * t.channels * 8;
    t.rows = fc_min(s->oh, fc_max(fc_max(shared, s->oh / wanted), FC_CHUNK / work));
    t.bands = (s->oh + t.rows - 1) / t.rows;
    return t;
}

/* A row of maxima: of the channels of a block for each column of outputs, and room for a last vector. */
FC_INLINE int64_t separable_row(const pool_shape *s, const pool_cut *cut) {
    return FC_ROUND_UP(s->ow * cut->channels + VL, 16);
}
FC_INLINE size_t separable_bytes(const pool_shape *s) {
    const pool_cut cut = separable_cut(s);
    if (s->c < VL) return (size_t)(s->w * s->c) * sizeof(float);
    return (size_t)(s->ph * separable_row(s, &cut)) * (sizeof(float) + sizeof(int32_t));
}

/* The maxima of `columns` pixels, c floats apart, of which the first is number `place` of its window, for the
 * n lanes that may be read. */
FC_INLINE void max_across_lanes(const float *x, int64_t columns, int64_t c, int64_t place, int64_t n,
                                int indexed, float *max, int32_t *where) {
    vf best = vf_load_tail(x, n);
    vi index = vi_set1((int32_t)place);
    for (int64_t s = 1; s < columns; s++) {
        const vf v = vf_load_tail(x + s * c, n);
        if (indexed) {
            const vm take = vm_beats(v, best);
            best = vf_blend(take, v, best);
            index = vi_blend(take, vi_set1((int32_t)(place + s)), index);
        } else {
            best = vf_maxnan(best, v);
        }
    }
    vf_store(max, best);
    if (indexed) vi_store(where, index);
}

/* The maxima of one row of x, from the block's first channel on, before `end`, where x ends. */
FC_INLINE void max_across(const pool_shape *p, const float *x, const float *end, int64_t channels,
                          int indexed, float *max, int32_t *where) {
    for (int64_t j = 0; j < p->ow; j++) {
        const pool_range s = pool_inside(j, p->sw, p->pl, p->pw, p->w);
        const float *first = x + (j * p->sw - p->pl + s.begin) * p->c;
        const int64_t columns = s.end - s.begin, left = end - first - (columns - 1) * p->c;
        for (int64_t ch = 0; ch < channels; ch += VL, max += VL, where += VL) {
            if (left - ch < VL)
                max_across_lanes(first + ch, columns, p->c, s.begin, left - ch, indexed, max, where);
            else
                max_across_lanes(first + ch, columns, p->c, s.begin, VL, indexed, max, where);
        }
        max -= FC_ROUND_UP(channels, VL) - channels;
        where -= FC_ROUND_UP(channels, VL) - channels;
    }
}

/* Rows of maxima that a window reaches: of `ph`, which take turns, `count` from number `first` on. */
typedef struct {
    const float *max;
    const int32_t *where;
    int64_t row, ph, first, count, place;
} max_rows;

FC_INLINE void max_down(const max_rows *m, int64_t from, int64_t count, int64_t pw, int indexed, float *y,
                        uint8_t *index8, int32_t *index32) {
    for (int64_t i = 0; i < count; i += VL) {
        int64_t at = m->first * m->row + from + i;
        vf best = vf_load(m->max + at);
        vi index = vi_set1(0), down = vi_set1((int32_t)m->place);
        if (indexed) index = vi_add(vi_load(m->where + at), down);
        for (int64_t r = 1; r < m->count; r++) {
            at = m->first + r == m->ph ? at - (m->ph - 1) * m->row : at + m->row;
            const vf v = vf_load(m->max + at);
            if (indexed) {
                const vm take = vm_beats(v, best);
                down = vi_add(down, vi_set1((int32_t)pw));
                best = vf_blend(take, v, best);
                index = vi_blend(take, vi_add(vi_load(m->where + at), down), index);
            } else {
                best = vf_maxnan(best, v);
            }
        }
        const int64_t n = count - i;
        vf_store_tail(y + i, best, n);
        if (indexed && index8) vi_to_u8_n(index8 + i, index, (int)fc_min(n, VL));
        if (indexed && index32) vi_store_n(index32 + i, index, (int)fc_min(n, VL));
    }
}

/* The rows first .. last - 1 of an image's outputs, channels channel .. channel + channels. */
FC_INLINE void max_separable(const fc_max_pool_forward_args *a, int64_t image, int64_t first, int64_t last,
                             int64_t channel, int64_t channels, int64_t row, int indexed, void *scratch) {
    const pool_shape p = POOL_SHAPE(a);
    float *max = scratch;
    int32_t *where = (int32_t *)(max + p.ph * row);
    const float *x = a->x + image * p.h * p.w * p.c + channel, *end = a->x + p.n * p.h * p.w * p.c;
    const int together = channels == p.c && a->y_step == p.c; /* a row of y is one piece */
    int64_t done = 0;                                         /* rows of x whose maxima are taken, or past */
    for (int64_t i = first; i < last; i++) {
        const pool_range r = pool_inside(i, p.sh, p.pt, p.ph, p.h);
        const int64_t top = i * p.sh - p.pt + r.begin, bottom = i * p.sh - p.pt + r.end;
        for (done = fc_max(done, top); done < bottom; done++)
            max_across(&p, x + done * p.w * p.c, end, channels, indexed, max + done % p.ph * row,
                       where + done % p.ph * row);
        const max_rows m = {max, where, row, p.ph, top % p.ph, bottom - top, r.begin * p.pw};
        const int64_t pixels = together ? 1 : p.ow, count = together ? p.ow * p.c : channels;
        for (int64_t j = 0; j < pixels; j++) {
            const int64_t pixel = (image * p.oh + i) * p.ow + j, at = pixel * p.c + channel;
            max_down(&m, j * channels, count, p.pw, indexed, a->y + pixel * a->y_step + channel,
                     a->index8 ? a->index8 + at : NULL, a->index32 ? a->index32 + at : NULL);
        }
    }
}

/* Few channels, no indices: the rows' maxima first, which are one piece, then those of a window's pixels. */
FC_INLINE void max_few(const fc_max_pool_forward_args *a, int64_t image, int64_t first, int64_t last,
                       float *max) {
    const pool_shape p = POOL_SHAPE(a);
    const int64_t width = p.w * p.c;
    for (int64_t i = first; i < last; i++) {
        const pool_range r = pool_inside(i, p.sh, p.pt, p.ph, p.h);
        const float *x = a->x + (image * p.h + i * p.sh - p.pt + r.begin) * width;
        float *y = a->y + (image * p.oh + i) * p.ow * a->y_step;
#define STEP(at, n)                                                                                          \
    do {                                                                                                     \
        vf best = vf_load_tail(x + (at), n);                                                                 \
        for (int64_t k = 1; k < r.end - r.begin; k++)                                                        \
            best = vf_maxnan(best, vf_load_tail(x + k * width + (at), n));                                   \
        vf_store_tail(max + (at), best, n);                                                                  \
    } while (0)
        FC_FOR_LANES(width, STEP);
#undef STEP
        for (int64_t j = 0; j < p.ow; j++, y += a->y_step) {
            const pool_range s = pool_inside(j, p.sw, p.pl, p.pw, p.w);
            const float *from = max + (j * p.sw - p.pl + s.begin) * p.c;
            vf best = vf_load_n(from, (int)p.c);
            for (int64_t k = 1; k < s.end - s.begin; k++)
                best = vf_maxnan(best, vf_load_n(from + k * p.c, (int)p.c));
            vf_store_n(y, best, (int)p.c);
        }
    }
}

static void max_separable_tiles(const fc_max_pool_forward_args *a, int64_t begin, int64_t end,
                                void *scratch) {
    const pool_shape s = POOL_SHAPE(a);
    const pool_cut cut = separable_cut(&s);
    const int64_t row = separable_row(&s, &cut);
    for (int64_t tile = begin; tile < end; tile++) {
        const int64_t channel = tile % cut.blocks * cut.channels, band = tile / cut.blocks % cut.bands;
        const int64_t image = tile / (cut.blocks * cut.bands), first = band * cut.rows;
        const int64_t last = fc_min(s.oh, first + cut.rows), channels = fc_min(cut.channels, s.c - channel);
        if (s.c < VL)
            max_few(a, image, first, last, scratch);
        else if (a->index8 || a->index32)
            max_separable(a, image, first, last, channel, channels, row, 1, scratch);
        else
            max_separable(a, image, first, last, channel, channels, row, 0, scratch);
    }
}

#endif
