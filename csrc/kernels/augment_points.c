/* What happens to pixels one by one: their statistics, the list of what each image has done to it, and doing
 * it, all in one pass. */
#include "augment.h"
#include "random.h"

#define ENTRY(c) (2 + 4 * (c))

/* ---- statistics ---- */

/* One channel of one image, as sums of doubles over blocks of floats. */
FC_INLINE void channel_statistics(const void *x, int64_t at, int64_t pixels, int64_t c, float *to,
                                  int bytes) {
    double total = 0.0;
    float least = fc_pixel(x, at, bytes), greatest = least;
    for (int64_t i = 0; i < pixels; i += 256) {
        float sum = 0.0f;
        for (int64_t j = i; j < fc_min(i + 256, pixels); j++) {
            const float v = fc_pixel(x, at + j * c, bytes);
            sum += v;
            least = v < least ? v : least;
            greatest = v > greatest ? v : greatest;
        }
        total += sum;
    }
    to[0] = (float)(total / (double)pixels);
    to[1] = least;
    to[2] = greatest;
}

/* All channels of an image of three at once: a vector after the other, three make whole pixels again. */
FC_INLINE void three_channels(const void *x, int64_t at, int64_t pixels, float *to, int bytes) {
    double total[3] = {0.0, 0.0, 0.0};
    vf least[3], greatest[3];
    float lanes[3 * VL], low[3 * VL], high[3 * VL];
    const int64_t whole = pixels / VL * VL;
    for (int k = 0; k < 3; k++) least[k] = greatest[k] = fc_pixels(x, at + k * VL, VL, bytes);
    for (int64_t i = 0; i < whole; i += 256 * VL) {
        vf sum[3] = {vf_zero(), vf_zero(), vf_zero()};
        for (int64_t j = i; j < fc_min(i + 256 * VL, whole); j += VL)
            for (int k = 0; k < 3; k++) {
                const vf v = fc_pixels(x, at + 3 * j + k * VL, VL, bytes);
                sum[k] = vf_add(sum[k], v);
                least[k] = vf_min(v, least[k]);
                greatest[k] = vf_max(v, greatest[k]);
            }
        for (int k = 0; k < 3; k++) vf_store(lanes + k * VL, sum[k]);
        for (int l = 0; l < 3 * VL; l++) total[l % 3] += lanes[l];
    }
    for (int k = 0; k < 3; k++) {
        vf_store(low + k * VL, least[k]);
        vf_store(high + k * VL, greatest[k]);
    }
    for (int l = 3; l < 3 * VL; l++) {
        low[l % 3] = low[l] < low[l % 3] ? low[l] : low[l % 3];
        high[l % 3] = high[l] > high[l % 3] ? high[l] : high[l % 3];
    }
    for (int ch = 0; ch < 3; ch++) {
        for (int64_t i = whole; i < pixels; i++) {
            const float v = fc_pixel(x, at + 3 * i + ch, bytes);
            total[ch] += v;
            low[ch] = v < low[ch] ? v : low[ch];
            high[ch] = v > high[ch] ? v : high[ch];
        }
        to[3 * ch] = (float)(total[ch] / (double)pixels);
        to[3 * ch + 1] = low[ch];
        to[3 * ch + 2] = high[ch];
    }
}

FC_INLINE void image_statistics(const void *x, int64_t image, int64_t pixels, int64_t c, float *to,
                                int bytes) {
    const int64_t at = image * pixels * c;
    if (c == 3 && pixels >= VL)
        three_channels(x, at, pixels, to + image * 9, bytes);
    else
        for (int64_t ch = 0; ch < c; ch++)
            channel_statistics(x, at + ch, pixels, c, to + (image * c + ch) * 3, bytes);
}

#define STATISTICS(name, bytes)                                                                              \
    FC_TILES(name) { return a->n; }                                                                          \
    FC_NO_SCRATCH(name)                                                                                      \
    FC_RUN(name) {                                                                                           \
        (void)scratch;                                                                                       \
        for (int64_t i = begin; i < end; i++)                                                                \
            image_statistics(a->x, i, a->pixels, a->c, a->statistics, bytes);                                \
    }
STATISTICS(augment_statistics_u8, 1)
STATISTICS(augment_statistics_f32, 0)

/* ---- lists ---- */

/* The linear map that steps before make together: of 3 channels a matrix [3][4], else factors [c] and
 * summands [c]. */
static void begin_map(float *map, int64_t c) {
    memset(map, 0, (size_t)(4 * c) * sizeof *map);
    for (int64_t ch = 0; ch < c; ch++) map[c == 3 ? 5 * ch : ch] = 1.0f;
}

/* map = x -> x factor + summand, after map. */
static void scale_channel(float *map, int64_t c, int64_t ch, double factor, double summand) {
    if (c == 3) {
        float *row = map + 4 * ch;
        for (int k = 0; k < 3; k++) row[k] = (float)(row[k] * factor);
        row[3] = (float)(row[3] * factor + summand);
    } else {
        map[ch] = (float)(map[ch] * factor);
        map[c + ch] = (float)(map[c + ch] * factor + summand);
    }
}

static const double gray[3] = {0.2989, 0.5870, 0.1140};

/* The mean of a channel of the image that map makes. */
static double mean_after(const float *map, const float *statistics, int64_t c, int64_t ch) {
    if (c != 3) return (double)map[ch] * statistics[3 * ch] + map[c + ch];
    double sum = map[4 * ch + 3];
    for (int k = 0; k < 3; k++) sum += (double)map[4 * ch + k] * statistics[3 * k];
    return sum;
}

static double gray_mean(const float *map, const float *statistics, int64_t c) {
    double sum = 0.0;
    for (int64_t ch = 0; ch < c; ch++)
        sum += (c == 3 ? gray[ch] : 1.0 / (double)c) * mean_after(map, statistics, c, ch);
    return sum;
}

static void towards_gray(float *map, double v) {
    float before[12];
    memcpy(before, map, sizeof before);
    for (int ch = 0; ch < 3; ch++)
        for (int k = 0; k < 4; k++) {
            double of_gray = 0.0;
            for (int from = 0; from < 3; from++) of_gray += gray[from] * before[4 * from + k];
            map[4 * ch + k] = (float)(before[4 * ch + k] * v + of_gray * (1.0 - v));
        }
}

static void linear_step(const fc_augment_colors_args *a, const double *step, const float *v,
                        const float *statistics, float *map) {
    const double range = a->high - a->low;
    const int64_t c = a->c;
    if (step[FC_STEP_KIND] == FC_AUG_COLOR) {
        if (c == 3) towards_gray(map, v[0]);
        return;
    }
    const int of_gray = step[FC_STEP_KIND] == FC_AUG_CONTRAST && step[FC_STEP_FIXED] != 0.0;
    const double mean = of_gray ? gray_mean(map, statistics, c) : 0.0;
    for (int64_t ch = 0; ch < c; ch++) {
        const float *of = statistics + 3 * ch;
        switch ((int)step[FC_STEP_KIND]) {
        case FC_AUG_SHIFT:
            scale_channel(map, c, ch, 1.0, v[0] * range);
            break;
        case FC_AUG_SCALE:
            scale_channel(map, c, ch, v[0], 0.0);
            break;
        case FC_AUG_INVERT:
            scale_channel(map, c, ch, -1.0, a->low + a->high);
            break;
        case FC_AUG_CONTRAST: {
            const double middle = of_gray ? mean : mean_after(map, statistics, c, ch);
            scale_channel(map, c, ch, v[0], middle * (1.0 - v[0]));
            break;
        }
        case FC_AUG_STRETCH:
            if (of[2] > of[1]) {
                const double factor = range / ((double)of[2] - of[1]);
                scale_channel(map, c, ch, factor, a->low - of[1] * factor);
            }
            break;
        default:
            break;
        }
    }
}

static float *end_map(float *to, const float *map, int64_t c) {
    to[0] = FC_AUG_SHIFT;
    to[1] = 0.0f;
    memcpy(to + 2, map, (size_t)(4 * c) * sizeof *map);
    return to + ENTRY(c);
}

static void make_list(const fc_augment_colors_args *a, int64_t image, float *map) {
    const int64_t c = a->c;
    float *to = a->lists + image * (a->k + 1) * ENTRY(c);
    const float *statistics = a->statistics == NULL ? NULL : a->statistics + image * c * 3;
    memset(to, 0, (size_t)((a->k + 1) * ENTRY(c)) * sizeof *to);
    int open = 0;
    for (int64_t s = 0; s < a->k; s++) {
        const double *step = a->steps + s * FC_STEP_SIZE;
        const float *drawn = a->drawn + (image * a->k + s) * FC_DRAWN;
        const int kind = (int)step[FC_STEP_KIND];
        if (drawn[0] == 0.0f || kind < FC_AUG_SHIFT || kind > FC_AUG_SALT) continue;
        if (kind <= FC_AUG_STRETCH) {
            if (!open) begin_map(map, c);
            open = 1;
            linear_step(a, step, drawn + 1, statistics, map);
            continue;
        }
        if (kind == FC_AUG_HSV && c != 3) continue;
        if (open) to = end_map(to, map, c);
        open = 0;
        to[0] = (float)kind;
        to[1] = (float)step[FC_STEP_LANE];
        to[2] = drawn[1];
        to[3] = drawn[2];
        to[4] = (float)step[FC_STEP_FIXED];
        to += ENTRY(c);
    }
    if (open) to = end_map(to, map, c);
    if (to < a->lists + (image + 1) * (a->k + 1) * ENTRY(c)) to[0] = -1.0f;
}

FC_TILES(augment_colors) { return (a->n + 31) / 32; }
FC_SCRATCH(augment_colors) { return (size_t)(4 * a->c) * sizeof(float); }
FC_RUN(augment_colors) {
    for (int64_t i = begin * 32; i < fc_min(end * 32, a->n); i++) make_list(a, i, scratch);
}

/* ---- going through a list ---- */

/* A block: 256 pixels of three channels, each channel in an array of its own, or 768 elements as they come.
 */
#define PIXELS 256
#define ELEMENTS (3 * PIXELS)

typedef struct {
    float v[ELEMENTS];    /* of three channels: PIXELS of the first, of the second, of the third */
    int64_t first, count; /* elements of the image */
    int64_t c, image;
    int apart; /* of three channels each has an array of its own */
    const uint64_t *rng;
    uint32_t site;
    float low, high;
} block;

FC_INLINE float clip(float v, const block *b) {
    v = v < b->low ? b->low : v;
    return v > b->high ? b->high : v;
}

static void map_three(block *b, const float *m) {
    for (int j = 0; j < PIXELS; j++) {
        const float r = b->v[j], g = b->v[PIXELS + j], u = b->v[2 * PIXELS + j];
        b->v[j] = clip(m[0] * r + m[1] * g + m[2] * u + m[3], b);
        b->v[PIXELS + j] = clip(m[4] * r + m[5] * g + m[6] * u + m[7], b);
        b->v[2 * PIXELS + j] = clip(m[8] * r + m[9] * g + m[10] * u + m[11], b);
    }
}

static void map_others(block *b, const float *m) {
    float *v = b->v;
    if (b->c == 3) {
        /* Three vectors are whole pixels: each has its own factors. */
        float factors[3 * VL], summands[3 * VL];
        for (int l = 0; l < 3 * VL; l++) {
            factors[l] = m[5 * (l % 3)];
            summands[l] = m[4 * (l % 3) + 3];
        }
        const vf low = vf_set1(b->low), high = vf_set1(b->high);
        for (int k = 0; k < 3; k++) {
            const vf factor = vf_load(factors + k * VL), summand = vf_load(summands + k * VL);
            for (int j = k * VL; j < ELEMENTS; j += 3 * VL)
                vf_store(v + j, vf_min(high, vf_max(low, vf_fma(vf_load(v + j), factor, summand))));
        }
    } else if (b->c == 1)
        for (int j = 0; j < ELEMENTS; j++) v[j] = clip(m[0] * v[j] + m[1], b);
    else
        for (int64_t j = 0, ch = b->first % b->c; j < b->count; j++, ch = ch + 1 < b->c ? ch + 1 : 0)
            v[j] = clip(m[ch] * v[j] + m[b->c + ch], b);
}

/* Hue and saturation. With the value V, the greatest of the channels, the chroma C, what it is above the
 * least, and the hue H in sixths of a turn, a channel is V - C max(0, min(k, 4 - k, 1)) with k = H + 5, 3, 1
 * for red, green, blue, less whole turns (Smith 1978, "Color gamut transform pairs", in one formula). */
static void change_hsv(block *b, float turns, float saturation) {
    const vf six = vf_set1(6.0f), one = vf_set1(1.0f), zero = vf_zero(), sixth = vf_set1(1.0f / 6.0f);
    const float whole = turns - floorf(turns);
    for (int j = 0; j < PIXELS; j += VL) {
        const vf r = vf_load(b->v + j), g = vf_load(b->v + PIXELS + j), u = vf_load(b->v + 2 * PIXELS + j);
        const vf value = vf_maxnan(vf_maxnan(r, g), u), least = vf_min(vf_min(r, g), u),
                 c = vf_sub(value, least);
        const vf over = vf_div(one, vf_blend(vm_le(c, zero), one, c));
        const vf blue = vf_fma(vf_sub(r, g), over, vf_set1(4.0f)),
                 green = vf_fma(vf_sub(u, r), over, vf_set1(2.0f));
        vf h = vf_blend(vm_eq(value, g), green, blue);
        h = vf_blend(vm_eq(value, r), vf_mul(vf_sub(g, u), over), h);
        h = vf_add(h, vf_set1(6.0f * whole));
        const vf chroma = vf_min(value, vf_mul(c, vf_set1(saturation)));
        for (int ch = 0; ch < 3; ch++) {
            vf k = vf_add(h, vf_set1((float)(5 - 2 * ch)));
            k = vf_fma(vf_round(vf_fma(k, sixth, vf_set1(-0.5f))), vf_neg(six), k);
            const vf part = vf_max(zero, vf_min(one, vf_min(vf_sub(vf_set1(4.0f), k), k)));
            vf_store(b->v + ch * PIXELS + j, vf_sub(value, vf_mul(chroma, part)));
        }
    }
}

static void solarize(float *v, const block *b, float threshold, float addition) {
    const float range = b->high - b->low, from = b->low + threshold * range, more = addition * range;
    for (int j = 0; j < ELEMENTS; j++) {
        const float x = clip(v[j] + more, b);
        v[j] = x >= from ? b->low + b->high - x : x;
    }
}

static void posterize(float *v, const block *b, float bits) {
    const float range = b->high - b->low, step = (float)(1 << (8 - (int)(bits + 0.5f)));
    const float to = 255.0f / range / step, back = range / 255.0f * step;
    for (int j = 0; j < ELEMENTS; j++) {
        const float x = (clip(v[j], b) - b->low) * to;
        v[j] = x == x ? b->low + (float)(int32_t)(x + 1e-3f) * back : x;
    }
}

/* The place of element i of a block. */
FC_INLINE float *element(block *b, int64_t i) { return b->apart ? b->v + i % 3 * PIXELS + i / 3 : b->v + i; }

static void add_noise(block *b, int64_t lane, float share) {
    const uint64_t seed = fc_lane_seed(b->rng[0], lane);
    const float scale = share * (b->high - b->low);
    uint32_t words[4 * FC_RANDOM_BLOCK];
    float z[4 * FC_RANDOM_BLOCK];
    for (int64_t i = 0; i < b->count; i += 4 * FC_RANDOM_BLOCK) {
        fc_philox_block((uint64_t)((b->first + i) / 4) | (uint64_t)(b->image | 0x80000000) << 32, seed,
                        b->rng[1], b->site, words);
        fc_normals(words, z);
        for (int64_t j = 0; j < fc_min(4 * FC_RANDOM_BLOCK, b->count - i); j++) {
            float *v = element(b, i + j);
            *v = clip(*v + scale * z[j], b);
        }
    }
}

static void add_salt(block *b, int64_t lane, float share, float salt) {
    const uint64_t seed = fc_lane_seed(b->rng[0], lane);
    const double white = (double)share * (double)salt * 4294967296.0, any = (double)share * 4294967296.0;
    int64_t counter = -1;
    uint32_t words[4];
    for (int64_t i = 0; i < b->count; i++) {
        const int64_t pixel = (b->first + i) / b->c;
        if (pixel / 4 != counter) {
            counter = pixel / 4;
            fc_philox((uint64_t)counter | (uint64_t)(b->image | 0x80000000) << 32, seed, b->rng[1], b->site,
                      words);
        }
        const uint32_t word = words[pixel % 4];
        if (word < any) *element(b, i) = word < white ? b->high : b->low;
    }
}

static void do_entry(block *b, const float *entry) {
    switch ((int)entry[0]) {
    case FC_AUG_SHIFT:
        if (b->apart)
            map_three(b, entry + 2);
        else
            map_others(b, entry + 2);
        break;
    case FC_AUG_HSV:
        change_hsv(b, entry[2], entry[3]);
        break;
    case FC_AUG_SOLARIZE:
        solarize(b->v, b, entry[2], entry[3]);
        break;
    case FC_AUG_POSTERIZE:
        posterize(b->v, b, entry[2]);
        break;
    case FC_AUG_NOISE:
        add_noise(b, (int64_t)entry[1], entry[2]);
        break;
    case FC_AUG_SALT:
        add_salt(b, (int64_t)entry[1], entry[2], entry[4]);
        break;
    default:
        break;
    }
}

FC_INLINE void load_block(const void *x, int64_t at, block *b, int bytes) {
    if (!b->apart) {
        fc_get_row(x, at, b->v, b->count, bytes);
        return;
    }
    for (int64_t j = 0; j < b->count / 3; j++)
        for (int ch = 0; ch < 3; ch++) b->v[ch * PIXELS + j] = fc_pixel(x, at + 3 * j + ch, bytes);
}

FC_INLINE void store_block(void *y, int64_t at, const block *b, int bytes) {
    float row[ELEMENTS];
    if (b->apart)
        for (int64_t j = 0; j < b->count / 3; j++)
            for (int ch = 0; ch < 3; ch++) row[3 * j + ch] = b->v[ch * PIXELS + j];
    fc_put_row(y, at, b->apart ? row : b->v, b->count, bytes);
}

/* Elements of an image to a tile: whole blocks. */
#define PIECE (21 * ELEMENTS)
static int64_t pieces(int64_t pixels, int64_t c) { return (pixels * c + PIECE - 1) / PIECE; }

/* Whether an entry makes a channel of others. */
static int mixes(const float *entry) {
    const float *m = entry + 2;
    if (entry[0] == FC_AUG_HSV) return 1;
    return entry[0] == FC_AUG_SHIFT &&
           (m[1] != 0.0f || m[2] != 0.0f || m[4] != 0.0f || m[6] != 0.0f || m[8] != 0.0f || m[9] != 0.0f);
}

FC_INLINE void do_piece(const void *x, void *y, int64_t at, const float *list, int64_t entries, block *b,
                        int64_t end, int bytes) {
    if (entries == 0 || list[0] < 0.0f) {
        if (x != y) fc_copy(x, at + b->first, y, at + b->first, end - b->first, bytes);
        return;
    }
    b->apart = 0;
    for (int64_t e = 0; b->c == 3 && e < entries && list[e * ENTRY(3)] >= 0.0f; e++)
        b->apart = b->apart || mixes(list + e * ENTRY(3));
    for (; b->first < end; b->first += ELEMENTS) {
        b->count = fc_min(ELEMENTS, end - b->first);
        load_block(x, at + b->first, b, bytes);
        for (int64_t e = 0; e < entries && list[e * ENTRY(b->c)] >= 0.0f; e++)
            do_entry(b, list + e * ENTRY(b->c));
        store_block(y, at + b->first, b, bytes);
    }
}

#define POINTS(name, bytes)                                                                                  \
    FC_TILES(name) { return a->n * pieces(a->pixels, a->c); }                                                \
    FC_NO_SCRATCH(name)                                                                                      \
    FC_RUN(name) {                                                                                           \
        (void)scratch;                                                                                       \
        const int64_t size = a->pixels * a->c, parts = pieces(a->pixels, a->c);                              \
        block b;                                                                                             \
        memset(&b, 0, sizeof b); /* what lies behind an image's last pixel is computed with as well */       \
        b.c = a->c;                                                                                          \
        b.rng = a->rng;                                                                                      \
        b.site = (uint32_t)a->site;                                                                          \
        b.low = (float)a->low;                                                                               \
        b.high = (float)a->high;                                                                             \
        for (int64_t tile = begin; tile < end; tile++) {                                                     \
            b.image = tile / parts;                                                                          \
            b.first = tile % parts * PIECE;                                                                  \
            do_piece(a->x, a->y, b.image *size, a->lists + b.image * (a->k + 1) * ENTRY(a->c), a->k + 1, &b, \
                     fc_min(b.first + PIECE, size), bytes);                                                  \
        }                                                                                                    \
    }
POINTS(augment_points_u8, 1)
POINTS(augment_points_f32, 0)
