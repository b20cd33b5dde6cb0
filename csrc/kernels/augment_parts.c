/* Parts of images: erased, or taken from other images of the batch; and values spread over their whole range.
 */
#include "augment.h"
#include "random.h"

/* ---- erasing ---- */

typedef struct {
    void *y;
    int64_t h, w, c, image;
    const double *step;
    const float *drawn;
    const uint64_t *rng;
    uint32_t site;
    float low, high;
} erasing;

static fc_part erased_part(const erasing *e) {
    const float *v = e->drawn + 1;
    if (e->step[FC_STEP_KIND] == FC_AUG_ERASE) return fc_part_of(v, e->h, e->w);
    const int64_t rows = (int64_t)e->step[FC_STEP_FIXED + 2], cols = (int64_t)e->step[FC_STEP_FIXED + 3];
    const int64_t top = fc_min((int64_t)((double)v[0] * (double)e->h), e->h - 1) - rows / 2;
    const int64_t left = fc_min((int64_t)((double)v[1] * (double)e->w), e->w - 1) - cols / 2;
    const fc_part part = {fc_max(0, top), fc_max(0, left), fc_min(e->h, top + rows),
                          fc_min(e->w, left + cols)};
    return part;
}

/* Elements first .. first + count - 1 of the image, from the block of random numbers that each is in. */
FC_INLINE void put_noise(const erasing *e, int64_t first, int64_t count, int bytes) {
    const uint64_t seed = fc_lane_seed(e->rng[0], (int64_t)e->step[FC_STEP_LANE]);
    const float middle = 0.5f * (e->low + e->high), scale = 0.25f * (e->high - e->low);
    const int64_t block = 4 * FC_RANDOM_BLOCK;
    uint32_t words[4 * FC_RANDOM_BLOCK];
    float z[4 * FC_RANDOM_BLOCK];
    for (int64_t start = first / block * block; start < first + count; start += block) {
        fc_philox_block((uint64_t)(start / 4) | (uint64_t)(e->image | 0x80000000) << 32, seed, e->rng[1],
                        e->site, words);
        fc_normals(words, z);
        const int64_t from = fc_max(first, start), to = fc_min(first + count, start + block);
        for (int64_t i = from; i < to; i++) {
            const float v = middle + scale * z[i - start];
            z[i - start] = v < e->low ? e->low : v > e->high ? e->high : v;
        }
        fc_put_row(e->y, from, z + (from - start), to - from, bytes);
    }
}

FC_INLINE void erase(const erasing *e, int bytes) {
    if (e->drawn[0] == 0.0f) return;
    const fc_part part = erased_part(e);
    const vf value = vf_set1((float)e->step[FC_STEP_FIXED + 1]);
    const int64_t count = (part.right - part.left) * e->c;
    for (int64_t i = part.top; i < part.bottom; i++) {
        const int64_t first = (i * e->w + part.left) * e->c;
        if (e->step[FC_STEP_FIXED] != 0.0) {
            if (count > 0) put_noise(e, first, count, bytes);
            continue;
        }
#define STEP(j, n) fc_put_pixels(e->y, first + (j), value, n, bytes)
        FC_FOR_LANES(count, STEP);
#undef STEP
    }
}

#define ERASE(name, bytes)                                                                                   \
    FC_TILES(name) { return a->h * a->w == 0 ? 0 : a->n; }                                                   \
    FC_NO_SCRATCH(name)                                                                                      \
    FC_RUN(name) {                                                                                           \
        (void)scratch;                                                                                       \
        for (int64_t i = begin; i < end; i++) {                                                              \
            const erasing e = {a->y + i * a->h * a->w * a->c,                                                \
                               a->h,                                                                         \
                               a->w,                                                                         \
                               a->c,                                                                         \
                               i,                                                                            \
                               a->steps + a->step * FC_STEP_SIZE,                                            \
                               a->drawn + (i * a->k + a->step) * FC_DRAWN,                                   \
                               a->rng,                                                                       \
                               (uint32_t)a->site,                                                            \
                               (float)a->low,                                                                \
                               (float)a->high};                                                              \
            erase(&e, bytes);                                                                                \
        }                                                                                                    \
    }
ERASE(augment_erase_u8, 1)
ERASE(augment_erase_f32, 0)

/* ---- spreading ---- */

/* What becomes of each of 256 values: as many steps as there are pixels below it, and half a step. A step is
 * the pixels without those of the greatest value, over 255; of none, or of one value, nothing changes. */
static void spread_values(const int64_t *counts, float *to) {
    int64_t all = 0, last = 0;
    for (int v = 0; v < 256; v++) {
        all += counts[v];
        if (counts[v] > 0) last = counts[v];
    }
    const int64_t step = (all - last) / 255;
    int64_t below = step / 2;
    for (int v = 0; v < 256; v++) {
        to[v] = (float)(step == 0 ? v : fc_min(255, below / step));
        below += counts[v];
    }
}

/* Bytes are their own bins. Pixels of `some` channels of c, at most three, are counted in one pass, every
 * other pixel in counters of its own: increments of one place wait for each other. */
FC_INLINE void equalize_channels(uint8_t *y, int64_t pixels, int64_t c, int some) {
    int32_t counters[2][3][256] = {{{0}}};
    uint8_t table[3][256];
    for (int64_t i = 0; i < pixels; i++)
        for (int ch = 0; ch < some; ch++) counters[i & 1][ch][y[i * c + ch]]++;
    for (int ch = 0; ch < some; ch++) {
        int64_t counts[256];
        float becomes[256];
        for (int v = 0; v < 256; v++) counts[v] = (int64_t)counters[0][ch][v] + counters[1][ch][v];
        spread_values(counts, becomes);
        for (int v = 0; v < 256; v++) table[ch][v] = (uint8_t)becomes[v];
    }
    for (int64_t i = 0; i < pixels; i++)
        for (int ch = 0; ch < some; ch++) y[i * c + ch] = table[ch][y[i * c + ch]];
}

static void equalize_bytes(uint8_t *y, int64_t pixels, int64_t c) {
    if (c == 3)
        equalize_channels(y, pixels, 3, 3);
    else
        for (int64_t ch = 0; ch < c; ch++) equalize_channels(y + ch, pixels, c, 1);
}

FC_INLINE void equalize(void *y, int64_t at, int64_t pixels, int64_t c, float low, float high, int bytes) {
    const float to = 255.0f / (high - low), back = (high - low) / 255.0f;
    if (bytes) {
        equalize_bytes((uint8_t *)y + at, pixels, c);
        return;
    }
    for (int64_t ch = 0; ch < c; ch++) {
        int64_t counts[256] = {0};
        float becomes[256];
        for (int pass = 0; pass < 2; pass++) {
            for (int64_t i = 0; i < pixels; i++) {
                const int64_t place = at + i * c + ch;
                const float v = fc_pixel(y, place, bytes), scaled = (v - low) * to;
                if (scaled != scaled) continue;
                const int bin = scaled > 0.0f ? scaled < 255.0f ? (int)(scaled + 0.5f) : 255 : 0;
                if (pass == 0)
                    counts[bin]++;
                else
                    fc_put_pixels(y, place, vf_set1(low + becomes[bin] * back), 1, bytes);
            }
            if (pass == 0) spread_values(counts, becomes);
        }
    }
}

#define EQUALIZE(name, bytes)                                                                                \
    FC_TILES(name) { return a->n; }                                                                          \
    FC_NO_SCRATCH(name)                                                                                      \
    FC_RUN(name) {                                                                                           \
        (void)scratch;                                                                                       \
        for (int64_t i = begin; i < end; i++)                                                                \
            if (a->drawn[(i * a->k + a->step) * FC_DRAWN] != 0.0f)                                           \
                equalize(a->y, i * a->pixels * a->c, a->pixels, a->c, (float)a->low, (float)a->high, bytes); \
    }
EQUALIZE(augment_equalize_u8, 1)
EQUALIZE(augment_equalize_f32, 0)

/* ---- mixing ---- */

typedef struct {
    const void *x;
    void *y;
    int64_t h, w, c;
} mixing;

FC_INLINE void mix_row(const mixing *m, int64_t to, int64_t from, int64_t count, float share, int bytes) {
    if (share == 0.0f) {
        fc_copy(m->x, from, m->y, to, count, bytes);
        return;
    }
    const vf p = vf_set1(share), q = vf_set1(1.0f - share);
#define STEP(i, n)                                                                                           \
    fc_put_pixels(                                                                                           \
        m->y, to + (i),                                                                                      \
        vf_fma(fc_pixels(m->x, from + (i), n, bytes), q, vf_mul(fc_pixels(m->y, to + (i), n, bytes), p)), n, \
        bytes)
    FC_FOR_LANES(count, STEP);
#undef STEP
}

FC_INLINE void mix_rows(const mixing *m, int64_t image, int64_t begin, int64_t end, int64_t p,
                        const int32_t *from, const float *share, const int32_t *box, const int32_t *shift,
                        int bytes) {
    const int64_t width = m->w * m->c, start = image * m->h * width;
    fc_copy(m->x, start + begin * width, m->y, start + begin * width, (end - begin) * width, bytes);
    for (int64_t k = 0; k < p; k++, box += 4, shift += 2)
        for (int64_t i = fc_max(begin, box[0]); i < fc_min(end, box[2]); i++) {
            const int64_t source = (from[k] * m->h + i + shift[0]) * width + (box[1] + shift[1]) * m->c;
            if (box[3] > box[1])
                mix_row(m, start + i * width + box[1] * m->c, source, (box[3] - box[1]) * m->c, share[k],
                        bytes);
        }
}

static int64_t mix_band(int64_t w, int64_t c) { return fc_max(1, FC_CHUNK / fc_max(1, w * c)); }

#define MIX(name, bytes)                                                                                     \
    FC_TILES(name) { return a->n * ((a->h + mix_band(a->w, a->c) - 1) / mix_band(a->w, a->c)); }             \
    FC_NO_SCRATCH(name)                                                                                      \
    FC_RUN(name) {                                                                                           \
        (void)scratch;                                                                                       \
        const int64_t rows = mix_band(a->w, a->c), bands = (a->h + rows - 1) / rows, p = a->p;               \
        const mixing m = {a->x, a->y, a->h, a->w, a->c};                                                     \
        for (int64_t tile = begin; tile < end; tile++) {                                                     \
            const int64_t i = tile / bands, first = tile % bands * rows;                                     \
            mix_rows(&m, i, first, fc_min(first + rows, a->h), p, a->from + i * p, a->share + i * p,         \
                     a->box + 4 * i * p, a->shift + 2 * i * p, bytes);                                       \
        }                                                                                                    \
    }
MIX(augment_mix_u8, 1)
MIX(augment_mix_f32, 0)
