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
 * Where maps are so small that those classes leave register tiles half empty (7 x 7 has 25, 5 and 1 pixels in
 * them), and channels many, the taps are taken one by one instead, each for all pixels that it reaches. Sums
 * meet in a buffer in the L1 cache, from which results are finished.
 *
 * Pooling: blocks are pairs of rows, and a panel's results for one go to a buffer in the L1 cache first, from
 * which their maxima are taken. What is four times as large never leaves the core.
 */
#include "correlation_cut.h"
#include "epilogue.h"

/* Piece of a panel that stays in the L2 cache while all rows pass it: 128 KiB. Pieces that fit L1 measured
 * slower: L2 feeds a tile well enough, and each piece costs a turn of the sums through memory. The contract
 * relies on sums of 1024 terms being one piece, however wide a panel is. */
#define PANEL_FLOATS 32768
/* Where images aren't found in the L2 caches, what comes next is fetched while products are computed, at
 * least so many floats ahead, which a tile takes as long for as memory does. On 1x1 layers, which read a
 * float for few operations, that is worth up to half of the time. */
#define FETCH_AHEAD 768

/* Results so many floats apart, 2 KiB, meet in two sets of the L1 cache: a tile's rows of them and of what is
 * added to them would push each other out. */
#define HALF_WAY_FLOATS 512

/* Weights of so many floats may come from memory, in networks that are larger than the shared cache: what
 * comes next of them is fetched too, which made layers whose weights weren't in the cache up to a tenth
 * faster, and takes a percent where they were. Where there are borders, the tiles of all classes fetch, so
 * there it takes more to pay. */
#define AHEAD_WEIGHTS 65536
#define AHEAD_WEIGHTS_BORDERS (1 << 19)

int64_t FC_NAME(fc_correlation_tiles)(const fc_correlation *s) {
    const fc_cut k = FC_NAME(fc_cut_work)(s);
    return k.blocks * k.spans;
}

/* ---- a block's pixels ---- */

/* Pixels that share their taps, or pixels that one tap reaches. */
typedef struct {
    int64_t first, count;
    const fc_range *y, *x;
} pixel_class;

typedef struct {
    const float **src; /* where each pixel reads its first tap, channel 0; class by class */
    float **dst;
    float *full; /* a panel's results before pooling, or sums before they are finished, [pixel][FC_NR] */
    int buffered;
    fc_range *y, *x; /* ranges, or taps */
    pixel_class *classes;
    int64_t *a_seg, *b_seg;
    int64_t class_count;
} block_state;

static size_t place_state(const fc_correlation *s, const fc_cut *k, char *memory, block_state *b) {
    size_t at = 0;
    const int64_t taps = s->y.taps * s->x.taps, lists = k->by_tap ? taps : 1;
    b->buffered = s->pool || k->by_tap;
#define PLACE(field, number)                                                                                 \
    b->field = (void *)(memory + at);                                                                        \
    at += (size_t)(number) * sizeof *b->field
    PLACE(src, k->block * lists);
    PLACE(dst, k->block * lists);
    PLACE(y, k->by_tap ? s->y.taps : k->y_ranges);
    PLACE(x, k->by_tap ? s->x.taps : k->x_ranges);
    PLACE(classes, k->by_tap ? taps : k->y_ranges * k->x_ranges);
    PLACE(a_seg, taps);
    PLACE(b_seg, taps);
    at = FC_ROUND_UP(at, 64);
    PLACE(full, b->buffered ? k->block * FC_NR : 0);
#undef PLACE
    return at;
}

size_t FC_NAME(fc_correlation_scratch)(const fc_correlation *s) {
    static char nothing;
    const fc_cut k = FC_NAME(fc_cut_work)(s);
    block_state b;
    return place_state(s, &k, &nothing, &b);
}

/* Pixels p0 .. p1 (all images' pixels counted through) of rows y and columns x. */
static int64_t list_pixels(const fc_correlation *s, block_state *b, int64_t at, int64_t p0, int64_t p1,
                           const fc_range *y, const fc_range *x) {
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
            float *dst = b->buffered ? b->full + pixel * FC_NR
                                     : s->dst + ((n * s->oh + dy) * s->ow + dx) * s->dst_step;
            const int64_t dst_step = b->buffered ? FC_NR : s->x.out_step * s->dst_step;
            for (int64_t j = 0; j < j1 - j0; j++, at++) {
                b->src[at] = taps ? src + j * s->x.src_step * s->c : src;
                b->dst[at] = dst + j * dst_step;
            }
        }
    }
    return at;
}

static void prepare_block(const fc_correlation *s, const fc_cut *k, int64_t p0, int64_t p1, block_state *b) {
    const int64_t down = k->by_tap ? s->y.taps : k->y_ranges, across = k->by_tap ? s->x.taps : k->x_ranges;
    int64_t at = 0;
    b->class_count = 0;
    for (int64_t i = 0; i < down; i++)
        for (int64_t j = 0; j < across; j++) {
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
    int64_t rows;   /* of a register tile, at most */
    int sums;       /* only adds to sums that somebody else begins and finishes */
} chunk;

/* One chunk of the reduction for all pixels of a class, clipped to the class's taps. Taps whose sources lie
 * one after the other are one segment: of a kernel's row, kw c floats. */
static void run_chunk(const fc_correlation *s, const block_state *b, const pixel_class *c, const chunk *k,
                      fc_tile *t, const float *bias) {
    const fc_range *y = c->y, *x = c->x;
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
    const int last = !k->sums && (none || (r1 == y->t1 && q1 == x->t1 && k->c1 == cg));
    t->add = k->sums || (!none && (r0 > y->t0 || q0 > x->t0 || k->c0 > 0));
    t->bias = t->add ? NULL : bias;
    t->act = last ? s->act : FC_LINEAR;
    t->residual = last ? s->residual : NULL;
    t->saved = last ? s->saved : NULL;
    t->stream = k->stream && last && !t->add;
    const int64_t weights = s->k * s->y.taps * s->x.taps * cg,
                  next = k->sums ? 1 : (k->r1 - k->r0) * (k->q1 - k->q0);
    t->b_ahead =
        weights >= (b->class_count == 1 ? AHEAD_WEIGHTS : AHEAD_WEIGHTS_BORDERS) ? next * len * t->b_step : 0;
    t->a = b->src + c->first;
    t->c = b->dst + c->first;
    t->count = c->count;
    t->rows = (int)fc_min(fc_tile_rows(c->count, k->rows), c->count);
    FC_NAME(fc_tiles_run)(t);
}

/* Whether panels as wide as cache lines write whole ones, and these would leave the cache unread. */
static int streams(const fc_correlation *s) {
    return !s->pool && !fc_acts_late(s->act) && (uintptr_t)s->dst % 64 == 0 &&
           s->dst_step % LINE_FLOATS == 0 && s->k % LINE_FLOATS == 0 &&
           fc_streams(s->dst, s->n * s->oh * s->ow * s->k);
}

/* A panel's sums begin with the bias. */
static void begin_sums(const fc_tile *t, const float *bias, float *full, int64_t pixels) {
    for (int64_t j = 0; j < t->b_step; j += VL) {
        const vf start = bias && j < t->cols ? vf_load_tail(bias + j, t->cols - j) : vf_zero();
        for (int64_t p = 0; p < pixels; p++) vf_store(full + p * FC_NR + j, start);
    }
}

/* A panel's sums, `cols` columns of the result from col on, become the results of the pixels p0 .. p1. */
static void finish_sums(const fc_correlation *s, const float *full, int64_t p0, int64_t p1, int64_t col,
                        int64_t cols) {
    const vf alpha = vf_set1(s->alpha);
    for (int64_t p = p0; p < p1; p++, full += FC_NR) {
        const int64_t row = p / s->x.count, n = row / s->y.count;
        const int64_t y = s->y.out_start + s->y.out_step * (row % s->y.count);
        const int64_t x = s->x.out_start + s->x.out_step * (p % s->x.count);
        const int64_t to = ((n * s->oh + y) * s->ow + x) * s->dst_step + col;
        for (int64_t j = 0; j < cols; j += VL) {
            const float *residual = s->residual ? s->residual + to + j : NULL;
            const float *saved = s->saved ? s->saved + to + j : NULL;
            const vf v = fc_finished(vf_load(full + j), residual, saved, cols - j, s->act, alpha);
            vf_store_tail(s->dst + to + j, v, cols - j);
        }
        if (fc_acts_late(s->act))
            FC_NAME(fc_activate_late)(s->dst + to, 1, 0, cols, s->act, s->alpha, s->beta);
    }
}

/* The same panel tap by tap: the tile t adds to sums of whole vectors in the buffer. */
static void run_taps(const fc_correlation *s, const block_state *b, fc_tile *t, chunk *c, int64_t pieces) {
    const int64_t cg = s->c / s->groups;
    t->cols = (int)t->b_step;
    t->fetch_out = 0;
    c->sums = 1;
    c->r1 = s->y.taps;
    c->q1 = s->x.taps;
    for (int64_t j = 0; j < b->class_count; j++)
        for (int64_t i = 0; i < pieces; i++) {
            c->c0 = cg * i / pieces;
            c->c1 = cg * (i + 1) / pieces;
            run_chunk(s, b, &b->classes[j], c, t, NULL);
        }
}

/* One panel of weights times the block's pixels, in chunks whose piece of the panel stays in the L2 cache: as
 * many kernel rows as fit, else part of a row, else part of a tap's channels. `first`: the block's first,
 * which brings its pixels to the cache. */
static void run_unit(const fc_correlation *s, const fc_cut *k, const block_state *b, int64_t unit, int first,
                     int64_t p0, int64_t p1) {
    const int64_t cg = s->c / s->groups, kg = k->kg, g = unit / k->panels, panel = unit % k->panels;
    const int64_t col = panel * FC_NR, depth = s->y.taps * s->x.taps * cg;
    fc_tile t = {0};
    t.a_step = 1;
    t.a_seg = b->a_seg;
    t.b_seg = b->b_seg;
    t.alpha = s->alpha;
    t.beta = s->beta;
    t.vectors = fc_panel_vectors(kg, panel);
    t.b_step = t.vectors * VL;
    t.cols = (int)fc_min(kg - col, t.b_step);
    t.b = s->packed + g * depth * fc_packed_cols(kg) + depth * col;
    t.c_offset = b->buffered ? 0 : g * kg + col;
    t.dst = s->dst;
    int32_t lanes[16]; /* of the first channel of each lane's group */
    if (k->side_by_side) {
        for (int i = 0; i < VL; i++) lanes[i] = (int32_t)(i - i % cg);
        t.lanes = lanes;
    }
    t.ahead =
        first && k->fetch && s->c >= LINE_FLOATS ? fc_max(FC_MR * s->x.src_step * s->c, FETCH_AHEAD) : 0;
    t.fetch_out = k->fetch && !s->pool ? 1 + (s->x.out_step * s->dst_step % HALF_WAY_FLOATS == 0) : 0;
    const float *bias = s->bias ? s->bias + g * kg + col : NULL;
    /* The same for narrow panels: a sum's order doesn't depend on which columns are beside it. */
    const int64_t limit = PANEL_FLOATS / FC_NR, kh = fc_max(s->y.taps, 1), kw = fc_max(s->x.taps, 1);
    const int64_t rows = fc_max(limit / (kw * cg), 1), cols = fc_min(fc_max(limit / cg, 1), kw);
    const int64_t pieces = (cg + limit - 1) / limit;
    chunk c = {.source = g * k->cg, .rows = k->rows};
    if (k->by_tap) {
        const int64_t valid = t.cols;
        begin_sums(&t, bias, b->full, p1 - p0);
        run_taps(s, b, &t, &c, pieces);
        finish_sums(s, b->full, p0, p1, g * kg + col, valid);
        return;
    }
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
static void pool_unit(const fc_correlation *s, const fc_cut *k, const block_state *b, int64_t unit,
                      int64_t p0, int64_t p1) {
    const int64_t kg = k->kg, first = unit % k->panels * FC_NR, cols = fc_min(kg - first, FC_NR);
    const int64_t col = unit / k->panels * kg + first, wide = s->x.count / 2, row_step = s->x.count * FC_NR;
    const float *from = b->full;
    for (int64_t row = p0 / s->x.count; row < p1 / s->x.count; row += 2, from += row_step)
        for (int64_t j = 0; j < wide; j++, from += 2 * FC_NR) {
            const int64_t n = row / s->y.count, i = row % s->y.count / 2;
            const int64_t to = ((n * (s->oh / 2) + i) * (s->ow / 2) + j) * s->dst_step + col;
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
    const fc_cut k = FC_NAME(fc_cut_work)(s);
    block_state b = {.class_count = 0};
    place_state(s, &k, scratch, &b);
    if (k.by_tap) {
        for (int64_t t = 0; t < s->y.taps; t++) b.y[t] = FC_NAME(fc_one_tap)(&s->y, s->h, t);
        for (int64_t t = 0; t < s->x.taps; t++) b.x[t] = FC_NAME(fc_one_tap)(&s->x, s->w, t);
    } else {
        FC_NAME(fc_list_ranges)(&s->y, s->h, b.y);
        FC_NAME(fc_list_ranges)(&s->x, s->w, b.x);
    }
    int64_t prepared = -1, p0 = 0, p1 = 0;
    for (int64_t tile = begin; tile < end; tile++) {
        const int64_t block = k.by_span ? tile % k.blocks : tile / k.spans;
        const int64_t first = (k.by_span ? tile / k.blocks : tile % k.spans) * k.span;
        if (block != prepared) {
            FC_NAME(fc_block_pixels)(s, &k, block, &p0, &p1);
            prepare_block(s, &k, p0, p1, &b);
            prepared = block;
        }
        for (int64_t unit = first; unit < fc_min(first + k.span, k.units); unit++) {
            run_unit(s, &k, &b, unit, unit == first, p0, p1);
            if (s->pool) pool_unit(s, &k, &b, unit, p0, p1);
        }
    }
    if (streams(s)) vf_fence();
}
