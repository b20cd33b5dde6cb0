/* What happens to pixels one by one: going through the list of what each image has done to it
 * (augment_lists.c), all in one pass. */
#include "augment.h"
#include "random.h"

/* A block: 256 pixels of three channels, each channel in an array of its own, or 768 elements as they come.
 */
#define PIXELS 256
#define ELEMENTS (3 * PIXELS)

typedef struct {
    float v[ELEMENTS];    /* of three channels: PIXELS of the first, of the second, of the third */
    float row[ELEMENTS];  /* the same as they come */
    int64_t first, count; /* elements of the image */
    int64_t c, image;
    int apart; /* of three channels each has an array of its own */
    const uint64_t *rng;
    uint32_t site;
    float low, high;
} block;

/* Within the limits; NaN stays NaN. */
FC_INLINE vf clipped(vf v, const block *b) { return vf_min(vf_set1(b->high), vf_max(vf_set1(b->low), v)); }

FC_INLINE float clip(float v, const block *b) {
    v = v < b->low ? b->low : v;
    return v > b->high ? b->high : v;
}

static void map_three(block *b, const float *m) {
    vf of[12];
    for (int k = 0; k < 12; k++) of[k] = vf_set1(m[k]);
    for (int j = 0; j < PIXELS; j += VL) {
        const vf r = vf_load(b->v + j), g = vf_load(b->v + PIXELS + j), u = vf_load(b->v + 2 * PIXELS + j);
        for (int ch = 0; ch < 3; ch++) {
            const vf *to = of + 4 * ch;
            const vf made = vf_fma(to[0], r, vf_fma(to[1], g, vf_fma(to[2], u, to[3])));
            vf_store(b->v + ch * PIXELS + j, clipped(made, b));
        }
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
        for (int k = 0; k < 3; k++) {
            const vf factor = vf_load(factors + k * VL), summand = vf_load(summands + k * VL);
            for (int j = k * VL; j < ELEMENTS; j += 3 * VL)
                vf_store(v + j, clipped(vf_fma(vf_load(v + j), factor, summand), b));
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
            const vf made = vf_sub(value, vf_mul(chroma, part));
            vf_store(b->v + ch * PIXELS + j, clipped(made, b));
        }
    }
}

static void solarize(float *v, const block *b, float threshold, float addition) {
    const float range = b->high - b->low;
    const vf from = vf_set1(b->low + threshold * range), more = vf_set1(addition * range);
    const vf ends = vf_set1(b->low + b->high);
    for (int j = 0; j < ELEMENTS; j += VL) {
        const vf x = clipped(vf_add(vf_load(v + j), more), b);
        vf_store(v + j, vf_blend(vm_le(from, x), vf_sub(ends, x), x));
    }
}

static void posterize(float *v, const block *b, float bits) {
    const float range = b->high - b->low, step = (float)(1 << (8 - (int)(bits + 0.5f)));
    const vf to = vf_set1(255.0f / range / step), back = vf_set1(range / 255.0f * step);
    const vf low = vf_set1(b->low), little = vf_set1(1e-3f), one = vf_set1(1.0f);
    for (int j = 0; j < ELEMENTS; j += VL) {
        const vf steps = vf_fma(vf_sub(clipped(vf_load(v + j), b), low), to, little), near = vf_round(steps);
        const vf whole = vf_sub(near, vf_blend(vm_lt(steps, near), one, vf_zero()));
        vf_store(v + j, vf_fma(whole, back, low));
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

#if FC_PICKS
/* Lane l of `to` is lane picks[l] of vector from[l] of three. */
typedef struct {
    vi picks;
    vm second, third;
} mixture;

FC_INLINE mixture mixture_of(const int32_t *picks, const int32_t *from) {
    const vi which = vi_load(from);
    const mixture m = {vi_load(picks), vi_eq(which, vi_set1(1)), vi_eq(which, vi_set1(2))};
    return m;
}
FC_INLINE vf mixed(const vf *v, const mixture *m) {
    const vf first = vf_blend(m->second, vf_pick(v[1], m->picks), vf_pick(v[0], m->picks));
    return vf_blend(m->third, vf_pick(v[2], m->picks), first);
}

/* Three channels taken apart, three vectors of whole pixels at once: one by one this would cost more than all
 * that is done to them. */
static void take_apart(block *b) {
    mixture of[3];
    int32_t picks[VL], from[VL];
    for (int ch = 0; ch < 3; ch++) {
        for (int l = 0; l < VL; l++) {
            picks[l] = (3 * l + ch) % VL;
            from[l] = (3 * l + ch) / VL;
        }
        of[ch] = mixture_of(picks, from);
    }
    for (int j = 0; j < PIXELS; j += VL) {
        const vf v[3] = {vf_load(b->row + 3 * j), vf_load(b->row + 3 * j + VL),
                         vf_load(b->row + 3 * j + 2 * VL)};
        for (int ch = 0; ch < 3; ch++) vf_store(b->v + ch * PIXELS + j, mixed(v, of + ch));
    }
}
static void put_together(block *b) {
    mixture of[3];
    int32_t picks[VL], from[VL];
    for (int k = 0; k < 3; k++) {
        for (int l = 0; l < VL; l++) {
            picks[l] = (k * VL + l) / 3;
            from[l] = (k * VL + l) % 3;
        }
        of[k] = mixture_of(picks, from);
    }
    for (int j = 0; j < PIXELS; j += VL) {
        const vf v[3] = {vf_load(b->v + j), vf_load(b->v + PIXELS + j), vf_load(b->v + 2 * PIXELS + j)};
        for (int k = 0; k < 3; k++) vf_store(b->row + 3 * j + k * VL, mixed(v, of + k));
    }
}
#else
static void take_apart(block *b) {
    for (int j = 0; j < PIXELS; j++)
        for (int ch = 0; ch < 3; ch++) b->v[ch * PIXELS + j] = b->row[3 * j + ch];
}
static void put_together(block *b) {
    for (int j = 0; j < PIXELS; j++)
        for (int ch = 0; ch < 3; ch++) b->row[3 * j + ch] = b->v[ch * PIXELS + j];
}
#endif

FC_INLINE void load_block(const void *x, int64_t at, block *b, int bytes) {
    fc_get_row(x, at, b->apart ? b->row : b->v, b->count, bytes);
    if (b->apart) take_apart(b);
}

FC_INLINE void store_block(void *y, int64_t at, block *b, int bytes) {
    if (b->apart) put_together(b);
    fc_put_row(y, at, b->apart ? b->row : b->v, b->count, bytes);
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
    for (int64_t e = 0; b->c == 3 && e < entries && list[e * FC_AUG_ENTRY_OF(3)] >= 0.0f; e++)
        b->apart = b->apart || mixes(list + e * FC_AUG_ENTRY_OF(3));
    for (; b->first < end; b->first += ELEMENTS) {
        b->count = fc_min(ELEMENTS, end - b->first);
        load_block(x, at + b->first, b, bytes);
        for (int64_t e = 0; e < entries && list[e * FC_AUG_ENTRY_OF(b->c)] >= 0.0f; e++)
            do_entry(b, list + e * FC_AUG_ENTRY_OF(b->c));
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
            do_piece(a->x, a->y, b.image *size, a->lists + b.image * (a->k + 1) * FC_AUG_ENTRY_OF(a->c),     \
                     a->k + 1, &b, fc_min(b.first + PIECE, size), bytes);                                    \
        }                                                                                                    \
    }
POINTS(augment_points_u8, 1)
POINTS(augment_points_f32, 0)
