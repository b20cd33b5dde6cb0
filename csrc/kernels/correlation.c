/* Correlation by register tiles (contract in correlation.h).
 *
 * Work is cut into blocks of output pixels times spans of weight panels. Within a tile each panel is taken
 * through the whole reduction before the next: the reduction in depths whose piece of the panel stays in the
 * L1 cache while all the block's pixels pass it. Images with borders are copied, zeros and all, to the
 * worker's scratch, a block's rows at a time; others are read where they lie.
 */
#include "correlation.h"

/* Piece of a panel that stays in L1 beside the rows that pass it: 24 KiB. */
#define PANEL_FLOATS 6144
/* A tile smaller than this isn't worth handing to a thread: some 5 us. */
#define TILE_FLOPS 1000000
/* As many tiles as keep 16 threads evenly busy. */
#define ENOUGH_TILES 64

typedef struct {
    int64_t rows, pixels; /* output rows of all images; output pixels */
    int64_t block;        /* pixels in a block, at most */
    int64_t pieces; /* > 1: a row is cut into so many blocks; 0: blocks pay no heed to rows; 1: whole rows */
    int64_t blocks;
    int64_t panels, units; /* panels of one group, of all groups */
    int64_t span, spans;   /* panels of one tile */
    int padded;
} cut;

static int reaches_outside(const fc_axis *a, int64_t size) {
    return a->src_start < 0 ||
           a->src_start + (a->count - 1) * a->src_step + (a->taps - 1) * a->tap_step >= size;
}

static cut cut_work(const fc_correlation *s) {
    cut k;
    k.rows = s->n * s->y.count;
    k.pixels = k.rows * s->x.count;
    k.panels = fc_panels(s->k / s->groups);
    k.units = k.panels * s->groups;
    const int64_t taps = s->y.taps * s->x.taps;
    k.padded = taps && (reaches_outside(&s->y, s->h) || reaches_outside(&s->x, s->w));
    const double flops = 2.0 * (double)fc_max(taps * (s->c / s->groups), 1) * FC_NR; /* a pixel, a panel */
    /* The source of a block in a quarter of a 1 MiB L2; no fewer pixels than let a panel's way from the
     * shared cache pay; then smaller ones where there would be too few tiles. */
    int64_t block = fc_max(fc_min(65536 / s->c, 768), 8 * FC_MR);
    const int64_t few = k.pixels / ENOUGH_TILES + 1;
    const int64_t least = fc_max((int64_t)(TILE_FLOPS / (flops * (double)k.units)), 4 * FC_MR);
    block = FC_ROUND_UP(fc_min(block, fc_max(few, least)), FC_MR);
    if (!k.padded) {
        k.pieces = 0;
        k.blocks = (k.pixels + block - 1) / block;
    } else if (block < s->x.count) {
        k.pieces = (s->x.count + block - 1) / block;
        block = (s->x.count + k.pieces - 1) / k.pieces;
        k.blocks = k.rows * k.pieces;
    } else {
        /* Whole rows, and whole images where a block holds one: fewer borders are copied twice. */
        int64_t rows = block / s->x.count;
        if (rows > s->y.count) rows -= rows % s->y.count;
        k.pieces = 1;
        block = rows * s->x.count;
        k.blocks = (k.rows + rows - 1) / rows;
    }
    k.block = fc_min(block, k.pixels);
    int64_t span = k.units;
    if (k.blocks && k.blocks < ENOUGH_TILES) {
        const int64_t enough = k.units * k.blocks / ENOUGH_TILES + 1;
        span = fc_min(span, fc_max(enough, (int64_t)(TILE_FLOPS / (flops * (double)k.block)) + 1));
    }
    k.span = fc_max(span, 1);
    k.spans = (k.units + k.span - 1) / k.span;
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

static int64_t reach(const fc_axis *a, int64_t count) {
    return (count - 1) * a->src_step + (a->taps - 1) * a->tap_step + 1;
}

/* Floats of scratch that hold the padded source of any block. */
static int64_t padded_floats(const fc_correlation *s, const cut *k) {
    if (!k->padded || !k->blocks) return 0;
    const int64_t cols = k->pieces > 1 ? k->block : s->x.count;
    const int64_t rows = k->pieces > 1 ? 1 : k->block / s->x.count;
    const int64_t images = fc_min((rows + s->y.count - 2) / s->y.count + 1, rows);
    return (rows * s->y.src_step + images * reach(&s->y, 1)) * reach(&s->x, cols) * s->c;
}

int64_t FC_NAME(fc_correlation_tiles)(const fc_correlation *s) {
    const cut k = cut_work(s);
    return k.blocks * k.spans;
}

typedef struct {
    const float **src; /* where each pixel of the block reads tap 0 of channel 0 */
    float **dst;
    int64_t *a_seg, *b_seg, *tap_offset;
    float *padded;
    int64_t row_stride; /* of what src points into */
    int64_t count;      /* pixels */
    int64_t segs, len;  /* the reduction of one pixel: tap_offset[segs], floats from there */
} block_state;

size_t FC_NAME(fc_correlation_scratch)(const fc_correlation *s) {
    const cut k = cut_work(s);
    const int64_t words = 2 * k.block + 3 * s->y.taps * s->x.taps;
    return (size_t)(FC_ROUND_UP(words * 8, 64) + padded_floats(s, &k) * 4);
}

static block_state lay_out(const fc_correlation *s, const cut *k, void *scratch) {
    block_state b;
    const int64_t taps = s->y.taps * s->x.taps, words = 2 * k->block + 3 * taps;
    b.src = scratch;
    b.dst = (float **)(b.src + k->block);
    b.a_seg = (int64_t *)(b.dst + k->block);
    b.b_seg = b.a_seg + taps;
    b.tap_offset = b.b_seg + taps;
    b.padded = (float *)((char *)scratch + FC_ROUND_UP(words * 8, 64));
    b.row_stride = b.count = b.segs = 0;
    b.len = s->c / s->groups;
    return b;
}

void FC_NAME(fc_copy_padded)(float *dst, const float *image, int64_t h, int64_t w, int64_t c, int64_t sy,
                             int64_t rows, int64_t sx, int64_t cols) {
    const int64_t left = fc_min(fc_max(-sx, 0), cols), right = fc_max(fc_min(w - sx, cols), left);
    for (int64_t y = sy; y < sy + rows; y++, dst += cols * c) {
        if (y < 0 || y >= h) {
            memset(dst, 0, (size_t)(cols * c) * sizeof *dst);
            continue;
        }
        memset(dst, 0, (size_t)(left * c) * sizeof *dst);
        memcpy(dst + left * c, image + (y * w + sx + left) * c, (size_t)((right - left) * c) * sizeof *dst);
        memset(dst + right * c, 0, (size_t)((cols - right) * c) * sizeof *dst);
    }
}

/* Point the block's pixels at their source and destination; copy the source where it has borders. */
static void prepare_block(const fc_correlation *s, const cut *k, int64_t p0, int64_t p1, block_state *b) {
    const fc_axis *y = &s->y, *x = &s->x;
    const int whole_rows = k->pieces <= 1;
    const int64_t from = whole_rows ? 0 : p0 % x->count;
    const int64_t cols = whole_rows ? x->count : p1 - p0; /* columns of the padded copy, in outputs */
    const int64_t width = k->padded ? reach(x, cols) : s->w;
    float *padded = b->padded;
    b->row_stride = width * s->c;
    b->count = p1 - p0;
    int64_t at = 0;
    for (int64_t row = p0 / x->count; row * x->count < p1;) {
        /* The rows of one image. */
        const int64_t image = row / y->count, i0 = row - image * y->count;
        const int64_t rows = fc_min(y->count - i0, (p1 + x->count - 1) / x->count - row);
        const int64_t sy = y->src_start + y->src_step * i0, sx = x->src_start + x->src_step * from;
        const float *src = s->src + image * s->h * s->w * s->c;
        if (k->padded) {
            const int64_t height = reach(y, rows);
            FC_NAME(fc_copy_padded)(padded, src, s->h, s->w, s->c, sy, height, sx, width);
            src = padded;
            padded += height * b->row_stride;
        } else {
            src += s->y.taps ? sy * b->row_stride + sx * s->c : 0;
        }
        for (int64_t i = 0; i < rows; i++, row++) {
            const int64_t j0 = fc_max(p0 - row * x->count, 0), j1 = fc_min(p1 - row * x->count, x->count);
            float *dst =
                s->dst +
                ((image * s->oh + y->out_start + y->out_step * (i0 + i)) * s->ow + x->out_start) * s->k;
            for (int64_t j = j0; j < j1; j++, at++) {
                b->src[at] = src + i * y->src_step * b->row_stride + (j - from) * x->src_step * s->c;
                b->dst[at] = dst + j * x->out_step * s->k;
            }
        }
    }
}

/* Where the taps of a pixel begin. Those whose sources lie one after the other are taken as one: a kernel's
 * row reads kw c floats. */
static void place_taps(const fc_correlation *s, block_state *b) {
    const int fuse = s->groups == 1 && s->x.tap_step == 1;
    const int64_t across = fuse ? fc_min(s->x.taps, 1) : s->x.taps;
    b->len = s->c / s->groups * (fuse ? s->x.taps : 1);
    b->segs = 0;
    for (int64_t r = 0; r < s->y.taps; r++)
        for (int64_t q = 0; q < across; q++)
            b->tap_offset[b->segs++] = r * s->y.tap_step * b->row_stride + q * s->x.tap_step * s->c;
}

/* All the block's pixels past one piece of the reduction, of which `done` of `depth` lie behind. */
static void pass_pixels(const fc_correlation *s, const block_state *b, fc_tile *t, int64_t done,
                        int64_t depth) {
    const int last = done + t->segs * t->len >= depth;
    t->add = done > 0;
    t->bias = last && s->bias ? s->bias + t->c_offset : NULL;
    t->act = last ? s->act : FC_LINEAR;
    for (int64_t p = 0; p < b->count; p += FC_MR) {
        t->a = b->src + p;
        t->c = b->dst + p;
        t->rows = (int)fc_min(FC_MR, b->count - p);
        FC_NAME(fc_tile_run)(t);
    }
}

/* One panel of weights times one block of pixels. */
static void run_unit(const fc_correlation *s, const cut *k, const block_state *b, int64_t unit) {
    const int64_t cg = s->c / s->groups, kg = s->k / s->groups, g = unit / k->panels,
                  panel = unit % k->panels;
    const int64_t segs = b->segs, len = b->len, depth = segs * len, col = panel * FC_NR;
    fc_tile t = {0};
    t.a_step = 1;
    t.alpha = s->alpha;
    t.vectors = fc_panel_vectors(kg, panel);
    t.b_step = t.vectors * VL;
    t.cols = (int)fc_min(kg - col, t.b_step);
    t.b = s->packed + g * depth * fc_packed_cols(kg) + depth * col;
    t.c_offset = g * kg + col;
    for (int64_t i = 0; i < segs; i++) {
        b->a_seg[i] = b->tap_offset[i] + g * cg;
        b->b_seg[i] = i * len * t.b_step;
    }
    const int64_t limit = PANEL_FLOATS / t.b_step;
    if (segs == 0 || len <= limit) {
        const int64_t together = limit / fc_max(len, 1);
        for (int64_t i = 0; i == 0 || i < segs; i += together) {
            t.a_seg = b->a_seg + i;
            t.b_seg = b->b_seg + i;
            t.segs = fc_min(together, segs - i);
            t.len = len;
            pass_pixels(s, b, &t, i * len, depth);
        }
        return;
    }
    const int64_t pieces = (len + limit - 1) / limit;
    for (int64_t i = 0; i < segs * pieces; i++) {
        const int64_t from = len * (i % pieces) / pieces;
        const int64_t a_seg = b->a_seg[i / pieces] + from, b_seg = b->b_seg[i / pieces] + from * t.b_step;
        t.a_seg = &a_seg;
        t.b_seg = &b_seg;
        t.segs = 1;
        t.len = len * (i % pieces + 1) / pieces - from;
        pass_pixels(s, b, &t, i / pieces * len + from, depth);
    }
}

void FC_NAME(fc_correlation_run)(const fc_correlation *s, int64_t begin, int64_t end, void *scratch) {
    const cut k = cut_work(s);
    block_state b = lay_out(s, &k, scratch);
    int64_t prepared = -1;
    for (int64_t tile = begin; tile < end; tile++) {
        const int64_t block = tile / k.spans, first = tile % k.spans * k.span;
        if (block != prepared) {
            int64_t p0, p1;
            block_range(s, &k, block, &p0, &p1);
            prepare_block(s, &k, p0, p1, &b);
            place_taps(s, &b);
            prepared = block;
        }
        for (int64_t unit = first; unit < fc_min(first + k.span, k.units); unit++) run_unit(s, &k, &b, unit);
    }
}
