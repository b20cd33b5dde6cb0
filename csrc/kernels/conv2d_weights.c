/* The gradient of a convolution with respect to its weights (contract in kernels.def).
 *
 * Seen as a product of matrices: rows are the weights of one output channel, (r, s, ci) flattened, columns
 * the output channels, and the reduction runs over pixels: x strided by the pixel's size, broadcast, times
 * dy.
 *
 * A tile is a part of the pixels x a group of panels of columns x a span of rows. Within it, blocks of pixels
 * that stay in the L2 cache are added to dweights one after the other, which also keeps the sums' rounding
 * errors small. A block's dy is packed into panels in one sweep, since single panels of it lie scattered in
 * memory.
 *
 * Borders: where a tap has enough channels to fill register tiles, each tap's range of pixels is clipped to
 * those that fall into the image ("by tap"), so zeros are neither copied nor multiplied. Thin layers, whose
 * register tiles mix taps, read a copy with zeros instead.
 */
#include "correlation.h"

/* Pixels of a block: no fewer than let a tile's start and end pay, and packed dy in 256 KiB. */
#define LEAST_PIXELS 256
#define MOST_PIXELS 1024
#define DY_FLOATS 65536
/* x of a block, which each register tile walks through pixel by pixel: 512 KiB, that it stays in the L2
 * cache. */
#define X_FLOATS 131072
/* Images from so many floats on come from memory: the next block of pixels is fetched to the L2 cache
 * meanwhile, as each register tile reads a few channels of each pixel, which the processor doesn't foresee.
 * The gradient of 1x1 56x56, 144->24 at batch 16 takes 0.64 of its time with it. */
#define FETCH_FLOATS (1 << 20)
/* Sums of a tile, in floats: 256 KiB. */
#define SUM_FLOATS 65536
#define TILE_FLOPS 1000000
#define ENOUGH_TILES 32

typedef struct {
    int64_t pieces, len;          /* an output row is cut into `pieces` strips of at most `len` pixels */
    int64_t strips;               /* of all images */
    int64_t rows_per_block;       /* strips of a block; 1 where pieces > 1 */
    int64_t weights;              /* kh kw c / groups */
    int64_t span, spans;          /* weights of one tile, tiles across them */
    int64_t panels, units;        /* of one group of channels, of all */
    int64_t batch, batches;       /* units of one tile, tiles across them */
    int by_tap, padded, in_place; /* in_place: dy already lies as one panel */
} cut;

typedef fc_conv2d_backward_weights_args args;

static int pads(const args *a) {
    return a->pt > 0 || a->pl > 0 || (a->oh - 1) * a->sh + (a->kh - 1) * a->dh - a->pt >= a->h ||
           (a->ow - 1) * a->sw + (a->kw - 1) * a->dw - a->pl >= a->w;
}

/* The shapes with 1x1 convolutions flattened to one row of pixels. */
static args flattened(const args *a) {
    args f = *a;
    if (a->kh == 1 && a->kw == 1 && a->sh == 1 && a->sw == 1 && a->oh == a->h && a->ow == a->w && !pads(a)) {
        f.w = f.ow = a->n * a->h * a->w;
        f.n = f.h = f.oh = 1;
    }
    return f;
}

static cut cut_work(const args *a) {
    cut k;
    const int64_t cg = a->c / a->groups, kg = a->k / a->groups;
    k.weights = a->kh * a->kw * cg;
    k.panels = fc_panels(kg);
    k.units = a->groups * k.panels;
    k.padded = pads(a);
    k.by_tap = k.padded && cg >= 8;
    k.padded = k.padded && !k.by_tap;
    k.in_place = a->k <= FC_NR && kg % VL == 0;
    /* Tiles of a part: as many as there must be for the sums to stay in the cache and for threads to have
     * work. */
    const double flops =
        2.0 * (double)(a->n * a->oh * a->ow) / (double)a->parts * (double)(k.weights * k.units * FC_NR);
    const int64_t wanted =
        fc_min((ENOUGH_TILES + a->parts - 1) / a->parts, (int64_t)(flops / TILE_FLOPS) + 1);
    const int64_t tiles = fc_max(wanted, k.weights * k.units * FC_NR / SUM_FLOATS + 1);
    k.batch = (k.units + tiles - 1) / tiles;
    k.batches = (k.units + k.batch - 1) / k.batch;
    const int64_t spans = (tiles + k.batches - 1) / k.batches, grain = k.by_tap ? cg : FC_MR;
    k.span = FC_ROUND_UP(fc_max((k.weights + spans - 1) / spans, 8 * FC_MR), grain);
    k.spans = (k.weights + k.span - 1) / k.span;
    /* Blocks. */
    int64_t pixels = fc_min(fc_max(DY_FLOATS / (k.batch * FC_NR), LEAST_PIXELS), MOST_PIXELS);
    const int64_t x = fc_min(k.span, cg) * fc_min(a->sh, a->kh) * fc_min(a->sw, a->kw); /* floats a pixel */
    if (a->n * a->oh * a->ow > LEAST_PIXELS * a->parts)
        pixels = fc_min(pixels, fc_max(X_FLOATS / x, LEAST_PIXELS / 2));
    k.pieces = (a->ow + pixels - 1) / pixels;
    k.len = k.pieces ? (a->ow + k.pieces - 1) / k.pieces : 0;
    k.strips = a->n * a->oh * k.pieces;
    k.rows_per_block = k.pieces == 1 ? fc_max(pixels / a->ow, 1) : 1;
    return k;
}

typedef struct {
    const float **a; /* FC_MR row pointers, of x or of the padded copy */
    float **c;
    int64_t *a_seg, *b_seg;
    float *dy, *x; /* packed panel of dy; padded copy of x */
} space;

static int64_t padded_width(const args *a, const cut *k) {
    return (k->len - 1) * a->sw + (a->kw - 1) * a->dw + 1;
}

static size_t space_bytes(const args *a, const cut *k) {
    const int64_t words = 2 * FC_MR + 2 * k->rows_per_block, pixels = k->rows_per_block * k->len;
    const int64_t x = k->padded ? k->rows_per_block * a->kh * padded_width(a, k) * a->c : 0;
    return (size_t)(FC_ROUND_UP(words * 8, 64) + (pixels * FC_NR * k->batch + x) * 4);
}

static space lay_out(const cut *k, void *scratch) {
    const int64_t words = 2 * FC_MR + 2 * k->rows_per_block;
    space m;
    m.a = scratch;
    m.c = (float **)(m.a + FC_MR);
    m.a_seg = (int64_t *)(m.c + FC_MR);
    m.b_seg = m.a_seg + k->rows_per_block;
    m.dy = (float *)((char *)scratch + FC_ROUND_UP(words * 8, 64));
    m.x = m.dy + k->rows_per_block * k->len * FC_NR * k->batch;
    return m;
}

/* A block: strips first .. first + rows, all of the same columns j0 .. j0 + len. */
typedef struct {
    int64_t first, rows, j0, len;
    int add; /* to sums of blocks before; else they begin here */
} block;

static block next_block(const args *a, const cut *k, int64_t strip, int64_t end, int add) {
    block b = {strip, fc_min(k->rows_per_block, end - strip), strip % k->pieces * k->len, 0, add};
    b.len = fc_min(k->len, a->ow - b.j0);
    return b;
}

/* Everything about one unit of a tile. */
typedef struct {
    int64_t m0, m1; /* rows of weights */
    int64_t col;    /* first column */
    int64_t g;      /* its group */
    int vectors, cols;
    float *out;      /* dweights of the part */
    const float *dy; /* the block's panel, [pixel][b_step] */
    int64_t b_step;
} job;

static job start_job(const args *a, const cut *k, int64_t part, int64_t span, int64_t unit) {
    const int64_t kg = a->k / a->groups;
    job j = {.m0 = span * k->span, .m1 = fc_min((span + 1) * k->span, k->weights), .g = unit / k->panels};
    j.vectors = fc_panel_vectors(kg, unit % k->panels);
    j.col = j.g * kg + unit % k->panels * FC_NR;
    j.cols = (int)fc_min(kg - unit % k->panels * FC_NR, j.vectors * VL);
    j.out = a->dweights + part * k->weights * a->k;
    j.b_step = k->in_place ? a->k : j.vectors * VL;
    return j;
}

/* One panel's columns of neighbouring pixels. */
static void pack_pixels(const float *from, int64_t k, int64_t pixels, const job *j, float *to) {
    for (int64_t p = 0; p < pixels; p++, from += k, to += j->b_step)
        for (int64_t i = 0; i < j->cols; i += VL) vf_store(to + i, vf_load_tail(from + i, j->cols - i));
}

/* dy of a block as panels of FC_NR floats a pixel, one after the other, for the units of `batch`. */
static void pack_dy(const args *a, const cut *k, const block *b, int64_t batch, float *to) {
    const float *from = a->dy + b->first / k->pieces * a->ow * a->k + b->j0 * a->k;
    const int64_t pixels = b->rows * b->len; /* contiguous: several rows are whole rows */
    const int64_t first = batch * k->batch, end = fc_min(first + k->batch, k->units);
    for (int64_t p = 0; p < pixels; p += 16) /* a few pixels at a time, so that dy is read in one sweep */
        for (int64_t unit = first; unit < end; unit++) {
            const job j = start_job(a, k, 0, 0, unit);
            pack_pixels(from + p * a->k + j.col, a->k, fc_min(16, pixels - p), &j,
                        to + (unit - first) * pixels * FC_NR + p * j.b_step);
        }
}

static void set_tile(const args *a, const block *b, const job *j, fc_tile *t) {
    memset(t, 0, sizeof *t);
    t->a_step = a->sw * a->c;
    t->b_step = j->b_step;
    t->b = j->dy;
    t->c_offset = 0;
    t->vectors = j->vectors;
    t->cols = j->cols;
    t->add = b->add;
    t->act = FC_LINEAR;
}

static float *out_row(const args *a, const job *j, int64_t m) { return j->out + m * a->k + j->col; }

/* Sums of no pixels. */
static void clear_rows(const args *a, const job *j, int64_t m0, int64_t m1) {
    for (int64_t m = m0; m < m1; m++) memset(out_row(a, j, m), 0, (size_t)j->cols * sizeof *j->out);
}

/* Output positions [lo, hi) within [from, to) whose source at `offset` + step i lies in [0, size). */
static void clip(int64_t offset, int64_t step, int64_t size, int64_t from, int64_t to, int64_t *lo,
                 int64_t *hi) {
    *lo = fc_max(from, offset < 0 ? (-offset + step - 1) / step : 0);
    *hi = fc_min(to, size > offset ? (size - offset + step - 1) / step : 0);
}

/* One block's share of the sums of one tap, its pixels clipped to the image. */
static void add_tap(const args *a, const cut *k, const block *b, const space *m, const job *j, int64_t tap) {
    const int64_t cg = a->c / a->groups, oy = tap / a->kw * a->dh - a->pt, ox = tap % a->kw * a->dw - a->pl;
    int64_t lo, hi;
    fc_tile t;
    set_tile(a, b, j, &t);
    clip(ox, a->sw, a->w, b->j0, b->j0 + b->len, &lo, &hi);
    t.len = hi - lo;
    for (int64_t i = 0; i < b->rows; i++) {
        const int64_t row = (b->first + i) / k->pieces, image = row / a->oh, y = row % a->oh * a->sh + oy;
        if (y < 0 || y >= a->h) continue;
        m->a_seg[t.segs] = ((image * a->h + y) * a->w + lo * a->sw + ox) * a->c;
        m->b_seg[t.segs++] = (i * b->len + lo - b->j0) * j->b_step;
    }
    if (t.len <= 0 || t.segs == 0) {
        if (!b->add) clear_rows(a, j, tap * cg, (tap + 1) * cg);
        return;
    }
    t.a = m->a;
    t.a_seg = m->a_seg;
    t.b_seg = m->b_seg;
    t.c = m->c;
    for (int64_t ci = 0; ci < cg; ci += FC_MR) {
        t.count = t.rows = (int)fc_min(FC_MR, cg - ci);
        for (int i = 0; i < t.rows; i++) {
            m->a[i] = a->x + j->g * cg + ci + i;
            m->c[i] = out_row(a, j, tap * cg + ci + i);
        }
        FC_NAME(fc_tiles_run)(&t);
    }
}

/* One block's share of the sums of rows m0 .. m1, whatever taps they belong to. All pixels are in the image,
 * or in the padded copy, which has the kh rows that each strip reads. */
static void add_rows(const args *a, const cut *k, const block *b, const space *m, const job *j) {
    const int64_t cg = a->c / a->groups, width = k->padded ? padded_width(a, k) : a->w;
    const int64_t tap_row = k->padded ? width * a->c : a->dh * width * a->c;
    fc_tile t;
    set_tile(a, b, j, &t);
    t.len = b->len;
    t.segs = b->rows;
    if (a->kh * a->kw == 1 && a->n * a->h * a->w * a->c >= FETCH_FLOATS)
        t.a_ahead = b->rows * b->len * a->sw * a->c;
    t.a = m->a;
    t.a_seg = m->a_seg;
    t.b_seg = m->b_seg;
    t.c = m->c;
    for (int64_t i = 0; i < b->rows; i++) {
        const int64_t row = (b->first + i) / k->pieces, image = row / a->oh;
        m->a_seg[i] = k->padded ? i * a->kh * tap_row
                                : ((image * a->h + row % a->oh * a->sh) * a->w + b->j0 * a->sw) * a->c;
        m->b_seg[i] = i * b->len * j->b_step;
    }
    for (int64_t row = j->m0; row < j->m1; row += FC_MR) {
        t.count = t.rows = (int)fc_min(FC_MR, j->m1 - row);
        for (int i = 0; i < t.rows; i++) {
            const int64_t tap = (row + i) / cg, ci = (row + i) % cg;
            m->a[i] = (k->padded ? m->x : a->x) + tap / a->kw * tap_row + tap % a->kw * a->dw * a->c +
                      j->g * cg + ci;
            m->c[i] = out_row(a, j, row + i);
        }
        FC_NAME(fc_tiles_run)(&t);
    }
}

/* Rows sy .. sy + rows, columns sx .. sx + cols of an image [h][w][c] to dst, zero outside the image. */
static void copy_padded(float *dst, const float *image, int64_t h, int64_t w, int64_t c, int64_t sy,
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

static void copy_block(const args *a, const cut *k, const block *b, const space *m) {
    const int64_t width = padded_width(a, k);
    float *to = m->x;
    for (int64_t i = 0; i < b->rows; i++) {
        const int64_t row = (b->first + i) / k->pieces, image = row / a->oh;
        for (int64_t r = 0; r < a->kh; r++, to += width * a->c)
            copy_padded(to, a->x + image * a->h * a->w * a->c, a->h, a->w, a->c,
                        row % a->oh * a->sh + r * a->dh - a->pt, 1, b->j0 * a->sw - a->pl, width);
    }
}

FC_TILES(conv2d_backward_weights) {
    const args f = flattened(a);
    const cut k = cut_work(&f);
    return f.parts * k.batches * k.spans;
}

FC_SCRATCH(conv2d_backward_weights) {
    const args f = flattened(a);
    const cut k = cut_work(&f);
    return space_bytes(&f, &k);
}

static void run_tile(const args *a, const cut *k, const space *m, int64_t tile) {
    const int64_t cg = a->c / a->groups, span = tile % k->spans, batch = tile / k->spans % k->batches;
    const int64_t part = tile / (k->spans * k->batches), first = batch * k->batch;
    const int64_t last = fc_min(first + k->batch, k->units);
    const int64_t begin = k->strips * part / a->parts, end = k->strips * (part + 1) / a->parts;
    for (int64_t unit = first; unit < last && begin == end; unit++) {
        const job j = start_job(a, k, part, span, unit);
        clear_rows(a, &j, j.m0, j.m1);
    }
    for (int64_t strip = begin; strip < end;) {
        const block b = next_block(a, k, strip, end, strip > begin);
        if (!k->in_place) pack_dy(a, k, &b, batch, m->dy);
        if (k->padded) copy_block(a, k, &b, m);
        for (int64_t unit = first; unit < last; unit++) {
            job j = start_job(a, k, part, span, unit);
            j.dy = m->dy + (unit - first) * b.rows * b.len * FC_NR;
            if (k->in_place) j.dy = a->dy + b.first / k->pieces * a->ow * a->k + b.j0 * a->k + j.col;
            if (k->by_tap)
                for (int64_t tap = j.m0 / cg; tap < j.m1 / cg; tap++) add_tap(a, k, &b, m, &j, tap);
            else
                add_rows(a, k, &b, m, &j);
        }
        strip += b.rows;
    }
}

FC_RUN(conv2d_backward_weights) {
    const args f = flattened(a);
    const cut k = cut_work(&f);
    const space m = lay_out(&k, scratch);
    for (int64_t tile = begin; tile < end; tile++) run_tile(&f, &k, &m, tile);
}
