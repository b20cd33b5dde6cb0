/* Correlation by register tiles (contract in correlation.h).
 *
 * Work is cut into blocks of output pixels times spans of weight panels. Within a tile each panel is taken
 * through the whole reduction before the next: the reduction in depths whose piece of the panel stays in the
 * L1 cache while the block's pixels pass it.
 *
 * Borders: a block's pixels are sorted by which taps fall into the image. Those that share all of them (the
 * interior is the largest such class) go through register tiles together, over just those taps: nothing is
 * copied, and no zeros are multiplied, which saves a third of the work on small maps.
 *
 * Pooling: blocks are pairs of rows, and a panel's results for one go to a buffer in the L1 cache first, from
 * which their maxima are taken. What is four times as large never leaves the core.
 */
#include "correlation.h"

#include "epilogue.h"

/* Piece of a panel that stays in the L2 cache while all rows pass it: 128 KiB. Pieces that fit L1 measured
 * slower: L2 feeds a tile well enough, and each piece costs a turn of the sums through memory. */
#define PANEL_FLOATS 32768
/* Source of a block: 256 KiB, a quarter of a common L2. */
#define BLOCK_FLOATS 65536
/* A tile smaller than this isn't worth handing to a thread: one or two us. */
#define TILE_FLOPS 300000
/* Results of a panel before they are pooled: 32 KiB. */
#define POOL_FLOATS 8192
/* Images and results larger than this, 4 MiB, aren't found in the L2 caches: what comes next is fetched while
 * products are computed, at least so many floats ahead, which a tile takes as long for as memory does. On
 * 1x1 layers, which read a float for few operations, that is worth up to half of the time. */
#define FETCH_FLOATS (1 << 20)
#define FETCH_AHEAD 768
/* As many tiles as keep 16 threads evenly busy. */
#define ENOUGH_TILES 64

/* ---- borders ---- */

/* Positions first .. end of an axis, which share their taps t0 .. t1. */
typedef struct {
    int64_t first, end, t0, t1;
} range;

static void taps_at(const fc_axis *a, int64_t size, int64_t i, range *r) {
    const int64_t base = a->src_start + a->src_step * i;
    r->t0 = base < 0 ? (-base + a->tap_step - 1) / a->tap_step : 0;
    r->t1 = size > base ? fc_min(a->taps, (size - base + a->tap_step - 1) / a->tap_step) : 0;
    if (r->t0 >= r->t1) r->t0 = r->t1 = 0;
}

static range range_from(const fc_axis *a, int64_t size, int64_t first) {
    range r = {.first = first, .end = first + 1}, next;
    taps_at(a, size, first, &r);
    if (r.t1 - r.t0 == a->taps) { /* the interior: as far as the last tap stays inside, in one step */
        const int64_t room = size - a->src_start - (a->taps - 1) * a->tap_step;
        r.end = a->taps ? fc_min((room + a->src_step - 1) / a->src_step, a->count) : a->count;
        return r;
    }
    for (; r.end < a->count; r.end++) {
        taps_at(a, size, r.end, &next);
        if (next.t0 != r.t0 || next.t1 != r.t1) break;
    }
    return r;
}

/* The ranges of an axis, in order; written where `ranges` isn't NULL. */
static int64_t list_ranges(const fc_axis *a, int64_t size, range *ranges) {
    int64_t count = 0;
    for (int64_t i = 0; i < a->count; count++) {
        const range r = range_from(a, size, i);
        if (ranges) ranges[count] = r;
        i = r.end;
    }
    return count;
}

/* ---- cutting the work ---- */

typedef struct {
    int64_t pixels; /* of all images */
    int64_t block;  /* pixels in a block, at most */
    int64_t pieces; /* > 1: an output row is cut into so many blocks */
    int64_t blocks;
    int side_by_side;      /* as in gemm.h: what follows takes a vector of groups as one */
    int64_t cg, kg;        /* from one group's channels to the next one's: of the source, of the output */
    int64_t panels, units; /* panels of one group, of all groups */
    int64_t span, spans;   /* panels of one tile */
    int64_t y_ranges, x_ranges;
    int fetch; /* images or results are too large to be in the cache */
} cut;

/* Blocks where there are borders: whole images or rows, such that the small classes fill register tiles too.
 */
static void cut_with_borders(const fc_correlation *s, cut *k, int64_t block) {
    const int64_t rows = s->n * s->y.count, image = s->y.count * s->x.count;
    k->pieces = 1;
    if (block >= image || (s->n >= 16 && image * s->c <= BLOCK_FLOATS)) {
        /* Corners have one pixel an image: where they weigh, take many images, and multiples of a tile's
         * rows. */
        const int64_t most = fc_max(BLOCK_FLOATS / (image * s->c), 1);
        int64_t images = fc_max(fc_min(s->n / 16, most), fc_min(256 / image, FC_MR));
        if (images > 4) images -= images % (images < FC_MR ? 4 : FC_MR);
        block = fc_max(images, 1) * image;
    } else if (block >= s->x.count || 4 * s->x.count * s->c <= 2 * BLOCK_FLOATS) {
        block = fc_min(fc_max(block / s->x.count, 4), s->y.count) * s->x.count;
    } else {
        k->pieces = (s->x.count + block - 1) / block;
        k->block = (s->x.count + k->pieces - 1) / k->pieces;
        k->blocks = rows * k->pieces;
        return;
    }
    k->block = block;
    k->blocks = (k->pixels + block - 1) / block;
}

static cut cut_work(const fc_correlation *s) {
    cut k;
    k.pixels = s->n * s->y.count * s->x.count;
    k.side_by_side = fc_side_by_side(s->c, s->k, s->groups);
    k.cg = k.side_by_side ? VL : s->c / s->groups;
    k.kg = k.side_by_side ? VL : s->k / s->groups;
    k.panels = fc_panels(k.kg);
    k.units = k.panels * (k.side_by_side ? s->k / VL : s->groups);
    k.y_ranges = list_ranges(&s->y, s->h, NULL);
    k.x_ranges = list_ranges(&s->x, s->w, NULL);
    const double depth = (double)fc_max(s->y.taps * s->x.taps * (s->c / s->groups), 1);
    const double flops = 2.0 * depth * FC_NR; /* a pixel, a panel */
    /* What the caches hold; no fewer pixels than let a panel's way from the
     * shared cache pay; then smaller ones where there would be too few tiles. */
    int64_t block = fc_max(fc_min(BLOCK_FLOATS / s->c, 768), 8 * FC_MR);
    const int64_t few = k.pixels / ENOUGH_TILES + 1;
    const int64_t least = fc_max((int64_t)(TILE_FLOPS / (flops * (double)k.units)), 4 * FC_MR);
    block = FC_ROUND_UP(fc_min(block, fc_max(few, least)), FC_MR);
    if (s->pool) {
        const int64_t pair = fc_max(2 * s->x.count, 1);
        k.pieces = 1;
        k.block = fc_max(fc_min(block, POOL_FLOATS / FC_NR) / pair, 1) * pair;
        k.blocks = (k.pixels + k.block - 1) / k.block;
    } else if (k.y_ranges > 1 || k.x_ranges > 1) {
        cut_with_borders(s, &k, block);
    } else {
        k.pieces = 1;
        k.block = block;
        k.blocks = (k.pixels + block - 1) / block;
    }
    k.block = fc_min(k.block, k.pixels);
    int64_t span = k.units;
    if (k.blocks && k.blocks < ENOUGH_TILES) {
        const int64_t enough = k.units * k.blocks / ENOUGH_TILES + 1;
        span = fc_min(span, fc_max(enough, (int64_t)(TILE_FLOPS / (flops * (double)k.block)) + 1));
    }
    k.span = fc_max(span, 1);
    k.spans = (k.units + k.span - 1) / k.span;
    k.fetch = s->n * s->h * s->w * s->c + s->n * s->oh * s->ow * s->k > FETCH_FLOATS;
    return k;
}

static void block_range(const fc_correlation *s, const cut *k, int64_t b, int64_t *p0, int64_t *p1) {
    if (k->pieces > 1) {
        const int64_t row = b / k->pieces * s->x.count;
        *p0 = row + b % k->pieces * k->block;
        *p1 = fc_min(*p0 + k->block, row + s->x.count);
    } else {
        *p0 = b * k->block;
        *p1 = fc_min(*p0 + k->block, k->pixels);
    }
}

int64_t FC_NAME(fc_correlation_tiles)(const fc_correlation *s) {
    const cut k = cut_work(s);
    return k.blocks * k.spans;
}

/* ---- a block's pixels ---- */

/* Pixels that share their taps. */
typedef struct {
    int64_t first, count;
    const range *y, *x;
} pixel_class;

typedef struct {
    const float **src; /* where each pixel reads its first tap, channel 0; class by class */
    float **dst;
    float *full; /* a panel's results before pooling, [pixel][FC_NR] */
    range *y, *x;
    pixel_class *classes;
    int64_t *a_seg, *b_seg;
    int64_t class_count;
} block_state;

static size_t place_state(const fc_correlation *s, const cut *k, char *memory, block_state *b) {
    size_t at = 0;
#define PLACE(field, number)                                                                                 \
    b->field = (void *)(memory + at);                                                                        \
    at += (size_t)(number) * sizeof *b->field
    PLACE(src, k->block);
    PLACE(dst, k->block);
    PLACE(y, k->y_ranges);
    PLACE(x, k->x_ranges);
    PLACE(classes, k->y_ranges * k->x_ranges);
    PLACE(a_seg, s->y.taps * s->x.taps);
    PLACE(b_seg, s->y.taps * s->x.taps);
    at = FC_ROUND_UP(at, 64);
    PLACE(full, s->pool ? k->block * FC_NR : 0);
#undef PLACE
    return at;
}

size_t FC_NAME(fc_correlation_scratch)(const fc_correlation *s) {
    static char nothing;
    const cut k = cut_work(s);
    block_state b;
    return place_state(s, &k, &nothing, &b);
}

/* Pixels p0 .. p1 (all images' pixels counted through) of rows y and columns x. */
static int64_t list_pixels(const fc_correlation *s, block_state *b, int64_t at, int64_t p0, int64_t p1,
                           const range *y, const range *x) {
    const int64_t image_pixels = s->y.count * s->x.count;
    for (int64_t n = p0 / image_pixels; n * image_pixels < p1; n++) {
        const int64_t from = fc_max(p0 - n * image_pixels, 0),
                      to = fc_min(p1 - n * image_pixels, image_pixels);
        const int64_t end = fc_min(y->end, (to + s->x.count - 1) / s->x.count);
        for (int64_t i = fc_max(y->first, from / s->x.count); i < end; i++) {
            const int64_t j0 = fc_max(x->first, from - i * s->x.count),
                          j1 = fc_min(x->end, to - i * s->x.count);
            if (j0 >= j1) continue;
            const int64_t sy = s->y.src_start + s->y.src_step * i + s->y.tap_step * y->t0;
            const int64_t sx = s->x.src_start + s->x.src_step * j0 + s->x.tap_step * x->t0;
            const int64_t dy = s->y.out_start + s->y.out_step * i, dx = s->x.out_start + s->x.out_step * j0;
            const int taps = y->t1 > 0 && x->t1 > 0; /* else there is nothing to point at */
            const float *src = taps ? s->src + ((n * s->h + sy) * s->w + sx) * s->c : s->src;
            const int64_t pixel = n * image_pixels + i * s->x.count + j0 - p0;
            float *dst = s->pool ? b->full + pixel * FC_NR : s->dst + ((n * s->oh + dy) * s->ow + dx) * s->k;
            const int64_t dst_step = s->pool ? FC_NR : s->x.out_step * s->k;
            for (int64_t j = 0; j < j1 - j0; j++, at++) {
                b->src[at] = taps ? src + j * s->x.src_step * s->c : src;
                b->dst[at] = dst + j * dst_step;
            }
        }
    }
    return at;
}

static void prepare_block(const fc_correlation *s, const cut *k, int64_t p0, int64_t p1, block_state *b) {
    int64_t at = 0;
    b->class_count = 0;
    for (int64_t i = 0; i < k->y_ranges; i++)
        for (int64_t j = 0; j < k->x_ranges; j++) {
            pixel_class *c = &b->classes[b->class_count];
            c->first = at;
            c->y = &b->y[i];
            c->x = &b->x[j];
            at = list_pixels(s, b, at, p0, p1, c->y, c->x);
            c->count = at - c->first;
            b->class_count += c->count > 0;
        }
}

/* ---- running ---- */

/* A piece of the reduction: kernel rows r0 .. r1, columns q0 .. q1, channels c0 .. c1 of the group. */
typedef struct {
    int64_t r0, r1, q0, q1, c0, c1;
    int64_t source; /* the group's first channel */
    int stream;     /* results go past the cache */
} chunk;

/* One chunk of the reduction for all pixels of a class, clipped to the class's taps. Taps whose sources lie
 * one after the other are one segment: of a kernel's row, kw c floats. */
static void run_chunk(const fc_correlation *s, const block_state *b, const pixel_class *c, const chunk *k,
                      fc_tile *t, const float *bias) {
    const range *y = c->y, *x = c->x;
    const int64_t cg = s->c / s->groups, len = k->c1 - k->c0;
    const int64_t r0 = fc_max(k->r0, y->t0), r1 = fc_min(k->r1, y->t1);
    const int64_t q0 = fc_max(k->q0, x->t0), q1 = fc_min(k->q1, x->t1);
    const int none = y->t1 == 0 || x->t1 == 0;
    if (none ? k->r0 + k->q0 + k->c0 > 0 : r0 >= r1 || q0 >= q1) return;
    const int fuse = len == s->c && s->x.tap_step == 1;
    t->segs = 0;
    t->len = fuse ? len * (q1 - q0) : len;
    for (int64_t r = r0; r < r1; r++)
        for (int64_t q = q0; q < (fuse ? q0 + 1 : q1); q++, t->segs++) {
            const int64_t row = (r - y->t0) * s->y.tap_step, col = (q - x->t0) * s->x.tap_step;
            b->a_seg[t->segs] = (row * s->w + col) * s->c + k->source + k->c0;
            b->b_seg[t->segs] = ((r * s->x.taps + q) * cg + k->c0) * t->b_step;
        }
    const int last = none || (r1 == y->t1 && q1 == x->t1 && k->c1 == cg);
    t->add = !none && (r0 > y->t0 || q0 > x->t0 || k->c0 > 0);
    t->bias = t->add ? NULL : bias;
    t->act = last ? s->act : FC_LINEAR;
    t->residual = last ? s->residual : NULL;
    t->saved = last ? s->saved : NULL;
    t->stream = k->stream && last && !t->add;
    for (int64_t p = 0; p < c->count; p += FC_MR) {
        t->a = b->src + c->first + p;
        t->c = b->dst + c->first + p;
        t->rows = (int)fc_min(FC_MR, c->count - p);
        FC_NAME(fc_tile_run)(t);
    }
}

/* Whether panels as wide as cache lines write whole ones, and these would leave the cache unread. */
static int streams(const fc_correlation *s) {
    return !s->pool && (uintptr_t)s->dst % 64 == 0 && s->k % LINE_FLOATS == 0 &&
           fc_streams(s->dst, s->n * s->oh * s->ow * s->k);
}

/* One panel of weights times the block's pixels, in chunks whose piece of the panel stays in the L2 cache: as
 * many kernel rows as fit, else part of a row, else part of a tap's channels. `first`: the block's first,
 * which brings its pixels to the cache. */
static void run_unit(const fc_correlation *s, const cut *k, const block_state *b, int64_t unit, int first) {
    const int64_t cg = s->c / s->groups, kg = k->kg, g = unit / k->panels, panel = unit % k->panels;
    const int64_t col = panel * FC_NR, depth = s->y.taps * s->x.taps * cg;
    fc_tile t = {0};
    t.a_step = 1;
    t.a_seg = b->a_seg;
    t.b_seg = b->b_seg;
    t.alpha = s->alpha;
    t.vectors = fc_panel_vectors(kg, panel);
    t.b_step = t.vectors * VL;
    t.cols = (int)fc_min(kg - col, t.b_step);
    t.b = s->packed + g * depth * fc_packed_cols(kg) + depth * col;
    t.c_offset = s->pool ? 0 : g * kg + col;
    t.dst = s->dst;
    int32_t lanes[16]; /* of the first channel of each lane's group */
    if (k->side_by_side) {
        for (int i = 0; i < VL; i++) lanes[i] = (int32_t)(i - i % cg);
        t.lanes = lanes;
    }
    t.ahead =
        first && k->fetch && s->c >= LINE_FLOATS ? fc_max(FC_MR * s->x.src_step * s->c, FETCH_AHEAD) : 0;
    t.fetch_out = k->fetch && !s->pool;
    const float *bias = s->bias ? s->bias + g * kg + col : NULL;
    const int64_t limit = PANEL_FLOATS / t.b_step, kh = fc_max(s->y.taps, 1), kw = fc_max(s->x.taps, 1);
    const int64_t rows = fc_max(limit / (kw * cg), 1), cols = fc_min(fc_max(limit / cg, 1), kw);
    const int64_t pieces = (cg + limit - 1) / limit;
    chunk c;
    c.source = g * k->cg;
    c.stream = streams(s) && kg % LINE_FLOATS == 0 && t.cols % LINE_FLOATS == 0;
    for (c.r0 = 0; c.r0 < kh; c.r0 = c.r1) {
        c.r1 = fc_min(c.r0 + rows, kh);
        for (c.q0 = 0; c.q0 < kw; c.q0 = c.q1) {
            c.q1 = fc_min(c.q0 + cols, kw);
            for (int64_t i = 0; i < pieces; i++) {
                c.c0 = cg * i / pieces;
                c.c1 = cg * (i + 1) / pieces;
                for (int64_t j = 0; j < b->class_count; j++) run_chunk(s, b, &b->classes[j], &c, &t, bias);
            }
        }
    }
}

/* The maxima of a panel's results for the pixels p0 .. p1, pairs of whole rows. */
static void pool_unit(const fc_correlation *s, const cut *k, const block_state *b, int64_t unit, int64_t p0,
                      int64_t p1) {
    const int64_t kg = k->kg, first = unit % k->panels * FC_NR, cols = fc_min(kg - first, FC_NR);
    const int64_t col = unit / k->panels * kg + first, wide = s->x.count / 2, row_step = s->x.count * FC_NR;
    const float *from = b->full;
    for (int64_t row = p0 / s->x.count; row < p1 / s->x.count; row += 2, from += row_step)
        for (int64_t j = 0; j < wide; j++, from += 2 * FC_NR) {
            const int64_t n = row / s->y.count, i = row % s->y.count / 2;
            const int64_t to = ((n * (s->oh / 2) + i) * (s->ow / 2) + j) * s->k + col;
            for (int64_t c = 0; c < cols; c += VL) {
                const float *below = from + row_step;
                vi index;
                const vf best = fc_max_2x2(vf_load(from + c), vf_load(from + FC_NR + c), vf_load(below + c),
                                           vf_load(below + FC_NR + c), &index);
                vf_store_tail(s->dst + to + c, best, cols - c);
                if (s->index) vi_to_u8_n(s->index + to + c, index, (int)fc_min(cols - c, VL));
            }
        }
}

void FC_NAME(fc_correlation_run)(const fc_correlation *s, int64_t begin, int64_t end, void *scratch) {
    const cut k = cut_work(s);
    block_state b = {.class_count = 0};
    place_state(s, &k, scratch, &b);
    list_ranges(&s->y, s->h, b.y);
    list_ranges(&s->x, s->w, b.x);
    int64_t prepared = -1, p0 = 0, p1 = 0;
    for (int64_t tile = begin; tile < end; tile++) {
        const int64_t block = tile / k.spans, first = tile % k.spans * k.span;
        if (block != prepared) {
            block_range(s, &k, block, &p0, &p1);
            prepare_block(s, &k, p0, p1, &b);
            prepared = block;
        }
        for (int64_t unit = first; unit < fc_min(first + k.span, k.units); unit++) {
            run_unit(s, &k, &b, unit, unit == first);
            if (s->pool) pool_unit(s, &k, &b, unit, p0, p1);
        }
    }
    if (streams(s)) vf_fence();
}
