/* Cutting a correlation's work (contract in correlation_cut.h). */
#include "correlation_cut.h"

/* Source of a block: 256 KiB, a quarter of a common L2. */
#define BLOCK_FLOATS 65536
/* Of groups with few channels a block isn't larger than if each had so many. */
#define GROUP_CHANNELS 256
/* A tile smaller than this isn't worth handing to a thread: one or two us. */
#define TILE_FLOPS 300000
/* As many tiles as keep 16 threads evenly busy. */
#define ENOUGH_TILES 64
/* Images and results larger than this, 4 MiB, aren't found in the L2 caches. */
#define FETCH_FLOATS (1 << 20)
/* What a register tile costs besides its products, in steps of the reduction of one row: half a tile's rows
 * take as long as fewer do, waiting for the weights; and to begin and to end, with sums that come from
 * memory. */
#define LEAST_ROWS (FC_MR / 2)
#define TILE_START 100
/* Channels from which on a tap by itself is long enough for a tile. */
#define TAP_CHANNELS 192
/* Pixels so many floats apart, 4 KiB, meet in one set of the L1 cache, which as many rows as it has ways
 * would fill: two ways are left to the weights. */
#define WAY_FLOATS 1024
/* Pixels that are listed tap by tap, at most: 64 KiB of pointers. */
#define LIST_PIXELS 4096

/* Images of so many floats, 1 MiB, may be read span by span, for the sake of weights of so many, 512 KiB: of
 * these each worker then reads its share only, and finds it in its L2 cache for the next block. 1x1 layers of
 * one image of 14x14 take 0.95 to 0.98 of the time. */
#define NEAR_FLOATS (1 << 18)
#define FAR_WEIGHTS (1 << 17)

/* ---- borders ---- */

static void taps_at(const fc_axis *a, int64_t size, int64_t i, fc_range *r) {
    const int64_t base = a->src_start + a->src_step * i;
    r->t0 = base < 0 ? (-base + a->tap_step - 1) / a->tap_step : 0;
    r->t1 = size > base ? fc_min(a->taps, (size - base + a->tap_step - 1) / a->tap_step) : 0;
    if (r->t0 >= r->t1) r->t0 = r->t1 = 0;
}

static fc_range range_from(const fc_axis *a, int64_t size, int64_t first) {
    fc_range r = {.first = first, .end = first + 1}, next;
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

int64_t FC_NAME(fc_list_ranges)(const fc_axis *a, int64_t size, fc_range *ranges) {
    int64_t count = 0;
    for (int64_t i = 0; i < a->count; count++) {
        const fc_range r = range_from(a, size, i);
        if (ranges) ranges[count] = r;
        i = r.end;
    }
    return count;
}

fc_range FC_NAME(fc_one_tap)(const fc_axis *a, int64_t size, int64_t t) {
    const int64_t base = a->src_start + a->tap_step * t;
    fc_range r = {.first = base < 0 ? (-base + a->src_step - 1) / a->src_step : 0, .t0 = t, .t1 = t + 1};
    r.end = size > base ? fc_min(a->count, (size - base + a->src_step - 1) / a->src_step) : 0;
    return r;
}

/* How many of the positions 0 .. end an axis' range has. */
static int64_t within(const fc_range *r, int64_t end) { return fc_max(fc_min(r->end, end) - r->first, 0); }

static int64_t tiles_cost(const fc_cut *k, int64_t pixels, int64_t depth) {
    if (pixels * depth == 0) return 0;
    const int64_t rows = fc_tile_rows(pixels, k->rows), rest = FC_ROUND_UP(pixels % rows, 2);
    const int64_t cost = pixels / rows * (fc_max(rows, LEAST_ROWS) * depth + TILE_START);
    return rest ? cost + fc_max(rest, LEAST_ROWS) * depth + TILE_START : cost;
}

/* Whether taking a block tap by tap is expected to be faster than class by class: where maps are so small
 * that their classes fill register tiles badly, and channels so many that a tap is worth a tile's start.
 * Reckoned for the first block. */
static int by_tap_is_faster(const fc_correlation *s, const fc_cut *k) {
    if (k->cg < TAP_CHANNELS || s->pool || k->pieces > 1 || k->y_ranges * k->x_ranges < 2 || s->y.taps == 0 ||
        k->block * FC_NR > FC_FULL_FLOATS || k->block * s->y.taps * s->x.taps > LIST_PIXELS)
        return 0;
    const int64_t image = s->y.count * s->x.count, images = fc_max(k->block / image, 1);
    const int64_t end = fc_min(k->block / s->x.count, s->y.count);
    int64_t by_class = 0, by_tap = 0;
    for (fc_range y = {0}; y.end < s->y.count;) {
        y = range_from(&s->y, s->h, y.end);
        for (fc_range x = {0}; x.end < s->x.count;) {
            x = range_from(&s->x, s->w, x.end);
            by_class += tiles_cost(k, images * within(&y, end) * (x.end - x.first),
                                   (y.t1 - y.t0) * (x.t1 - x.t0) * k->cg);
        }
    }
    for (int64_t r = 0; r < s->y.taps; r++)
        for (int64_t q = 0; q < s->x.taps; q++) {
            const fc_range y = FC_NAME(fc_one_tap)(&s->y, s->h, r), x = FC_NAME(fc_one_tap)(&s->x, s->w, q);
            by_tap += tiles_cost(k, images * within(&y, end) * within(&x, s->x.count), k->cg);
        }
    return by_tap + by_tap / 20 < by_class;
}

/* ---- cutting the work ---- */

/* Blocks where there are borders: whole images or rows, such that the small classes fill register tiles too.
 */
static void cut_with_borders(const fc_correlation *s, fc_cut *k, int64_t block) {
    const int64_t rows = s->n * s->y.count, image = s->y.count * s->x.count;
    k->pieces = 1;
    if (block >= image || (s->n >= 16 && image * s->c <= BLOCK_FLOATS)) {
        /* Corners have one pixel an image: where they weigh, take many images, and multiples of a tile's
         * rows. */
        const int64_t most = fc_max(BLOCK_FLOATS / (image * s->c), 1);
        int64_t images = fc_max(fc_min(s->n / 16, most), fc_min(256 / image, FC_MR));
        if (images > 4) images -= images % (images < FC_MR ? 4 : FC_MR);
        block = fc_max(images, 1) * image;
    } else if (4 * block >= 3 * image) { /* rather than a rest of an image */
        block = image;
    } else if (block >= s->x.count || 4 * s->x.count * s->c <= 2 * BLOCK_FLOATS) {
        const int64_t most = fc_min(fc_max(block / s->x.count, 4), s->y.count);
        const int64_t parts = (s->y.count + most - 1) / most; /* of an image: equal ones */
        block = (s->y.count + parts - 1) / parts * s->x.count;
    } else {
        k->pieces = (s->x.count + block - 1) / block;
        k->block = (s->x.count + k->pieces - 1) / k->pieces;
        k->blocks = rows * k->pieces;
        return;
    }
    k->block = block;
    k->blocks = (k->pixels + block - 1) / block;
}

fc_cut FC_NAME(fc_cut_work)(const fc_correlation *s) {
    fc_cut k;
    k.pixels = s->n * s->y.count * s->x.count;
    k.side_by_side = fc_side_by_side(s->c, s->k, s->groups);
    k.cg = k.side_by_side ? VL : s->c / s->groups;
    k.kg = k.side_by_side ? VL : s->k / s->groups;
    k.panels = fc_panels(k.kg);
    k.units = k.panels * (k.side_by_side ? s->k / VL : s->groups);
    k.y_ranges = FC_NAME(fc_list_ranges)(&s->y, s->h, NULL);
    k.x_ranges = FC_NAME(fc_list_ranges)(&s->x, s->w, NULL);
    const double depth = (double)fc_max(s->y.taps * s->x.taps * (s->c / s->groups), 1);
    const double flops = 2.0 * depth * FC_NR; /* a pixel, a panel */
    /* What the caches hold; no fewer pixels than let a panel's way from the
     * shared cache pay; then smaller ones where there would be too few tiles. */
    /* A group reads its own channels of a block only, and there are tiles enough where there are many groups.
     */
    const int64_t sources = k.side_by_side || s->y.src_step * s->x.src_step > 1 ? 1 : s->groups;
    const int64_t channels = fc_max(s->c / sources, fc_min(s->c, GROUP_CHANNELS));
    int64_t block = fc_max(fc_min(BLOCK_FLOATS / channels, 768), 8 * FC_MR);
    const int64_t few = k.pixels * sources / ENOUGH_TILES + 1;
    const int64_t least = fc_max((int64_t)(TILE_FLOPS / (flops * (double)k.units)), 4 * FC_MR);
    block = FC_ROUND_UP(fc_min(block, fc_max(few, least)), FC_MR);
    if (s->pool) {
        const int64_t pair = fc_max(2 * s->x.count, 1);
        k.pieces = 1;
        k.block = fc_max(fc_min(block, FC_FULL_FLOATS / FC_NR) / pair, 1) * pair;
        k.blocks = (k.pixels + k.block - 1) / k.block;
    } else if (k.y_ranges > 1 || k.x_ranges > 1) {
        cut_with_borders(s, &k, block);
    } else { /* nearly equal ones, rather than a rest of a few pixels for which all weights pass once more */
        k.pieces = 1;
        k.blocks = fc_max((k.pixels + block / 2) / block, k.pixels > 0);
        k.block =
            k.pixels % block > block / 4 || k.blocks == 0 ? block : (k.pixels + k.blocks - 1) / k.blocks;
        k.blocks = (k.pixels + k.block - 1) / k.block;
    }
    k.block = fc_min(k.block, k.pixels);
    int64_t span = k.units;
    if (k.blocks && k.blocks < ENOUGH_TILES) {
        const int64_t enough = k.units * k.blocks / ENOUGH_TILES + 1;
        span = fc_min(span, fc_max(enough, (int64_t)(TILE_FLOPS / (flops * (double)k.block)) + 1));
    }
    k.span = fc_max(span, 1);
    k.spans = (k.units + k.span - 1) / k.span;
    const int64_t source = s->n * s->h * s->w * s->c, weights = (int64_t)depth * s->k;
    k.by_span =
        source <= NEAR_FLOATS && weights >= FAR_WEIGHTS && source * (k.spans - 1) < weights * (k.blocks - 1);
    k.fetch = s->n * s->h * s->w * s->c + s->n * s->oh * s->ow * s->k > FETCH_FLOATS;
    k.rows = FC_MR > 8 && s->x.src_step * s->c % WAY_FLOATS == 0 ? FC_MR - 2 : FC_MR;
    k.by_tap = by_tap_is_faster(s, &k);
    return k;
}

void FC_NAME(fc_block_pixels)(const fc_correlation *s, const fc_cut *k, int64_t b, int64_t *p0, int64_t *p1) {
    if (k->pieces > 1) {
        const int64_t row = b / k->pieces * s->x.count;
        *p0 = row + b % k->pieces * k->block;
        *p1 = fc_min(*p0 + k->block, row + s->x.count);
    } else {
        *p0 = b * k->block;
        *p1 = fc_min(*p0 + k->block, k->pixels);
    }
}
