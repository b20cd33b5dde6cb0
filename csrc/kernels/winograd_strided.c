/* Winograd convolution of 3x3 with strides of 2, four results at a time along each axis.
 *
 * Along one axis, results 0 .. 3 read pixels 0 .. 8. Of these the even ones meet the first and the last
 * weight, as a convolution of two taps and stride 1 does: Winograd's F(4, 2) takes 5 products for it, at the
 * points 0, 1, -1, 2 and infinity of F(3, 3), so that pixels are transformed as there. The odd pixels meet
 * the middle weight alone: 4 products, without transforms. That is 9 products for four results instead of 12,
 * and along both axes 81 for 16 instead of 144.
 *
 * These 81 meet 6 x 6 different weights only, the sixth of an axis being the middle one: as many as with
 * strides of 1, in the same order. The rows of points that meet the same weight lie one after the other.
 *
 * Work is cut as in winograd.c: blocks of squares times spans of panels.
 */
#include "winograd_strided.h"

#include "winograd_products.h"

#define EDGE 9 /* pixels, points and sums of a square's row */
#define EVEN 5 /* of them, those of the even pixels; the others are odd pixels as they are */
#define ODD 4
#define WEIGHTS 6 /* along an axis: EVEN, and the middle one */
#define STEP 8    /* pixels from square to square */
#define SIDE 4    /* results of a square's row */
/* Squares of a block. The points of 28 squares and 128 channels take 1.3 MB, more than an L2 cache has; but
 * with 8 or 14 it was the weights that came from farther, twice as often, and that took as long or up to 7 %
 * longer. */
#define MOST_SQUARES 28
#define ENOUGH_TILES 16
/* Weights that don't stay in the L2 cache beside the points, images that don't lie there anyway. */
#define FAR_WEIGHTS 131072
#define NEAR_FLOATS 131072

typedef fc_winograd_forward_args args;

typedef struct {
    int64_t down, across, squares; /* squares of an image's columns and rows, and of all images */
    int64_t block, blocks;         /* squares of a block at most, all have nearly as many */
    int64_t panels, span, spans;   /* panels of one tile of work */
    int64_t row;                   /* floats from square to square: of points */
    int far_weights, far;
} cut;

static cut cut_work(const args *a) {
    cut k;
    k.down = (a->oh + SIDE - 1) / SIDE;
    k.across = (a->ow + SIDE - 1) / SIDE;
    k.squares = a->n * k.down * k.across;
    k.blocks = (k.squares + MOST_SQUARES - 1) / MOST_SQUARES;
    k.blocks += k.blocks > 1 ? k.blocks & 1 : 0; /* even, for two threads to have the same */
    k.block = k.blocks ? (k.squares + k.blocks - 1) / k.blocks : 0;
    k.panels = fc_panels(a->k);
    const int64_t wanted = k.blocks ? fc_min((ENOUGH_TILES + k.blocks - 1) / k.blocks, k.panels) : 1;
    k.span = (k.panels + wanted - 1) / wanted;
    k.spans = (k.panels + k.span - 1) / k.span;
    k.row = fc_odd_lines(a->c);
    k.far_weights = WEIGHTS * WEIGHTS * a->c * a->k > FAR_WEIGHTS;
    k.far = a->n * (a->h * a->w * a->c + a->oh * a->ow * a->k) > NEAR_FLOATS;
    return k;
}

/* Where the first square's points, or sums, lie that belong to place (i, j) of 9 x 9: those of one weight
 * together, `row` floats from square to square. Returns how many floats all take. */
static int64_t place_rows(int64_t squares, int64_t row, int64_t *at) {
    int64_t place = 0;
    for (int i = 0; i < WEIGHTS; i++)
        for (int j = 0; j < WEIGHTS; j++) {
            const int down = i < EVEN ? 1 : ODD, across = j < EVEN ? 1 : ODD;
            for (int u = 0; u < down; u++)
                for (int v = 0; v < across; v++)
                    at[(i + u) * EDGE + j + v] = place + (u * across + v) * squares * row;
            place += fc_odd_lines(down * across * squares * row);
        }
    return place;
}

typedef struct {
    int64_t *kept; /* 1 + the block whose points these are, 0: none */
    float *points, *sums;
    int64_t point_at[EDGE * EDGE], sum_at[EDGE * EDGE];
} space;

/* ---- pixels to points ---- */

FC_INLINE void pixels_to_points(const vf *d, const int from, vf *o, const int to) {
    fc_wino_pixels(3, d, 2 * from, o, to);
    FC_UNROLL(4)
    for (int i = 0; i < ODD; i++) o[(EVEN + i) * to] = d[(2 * i + 1) * from];
}

/* One vector of channels of a patch whose pixels lie `row` and `pixel` floats apart. */
static void transform(const float *from, int64_t row, int64_t pixel, float *to, const int64_t *at) {
    vf half[EDGE * EDGE], d[EDGE], o[EDGE];
    FC_UNROLL(9)
    for (int j = 0; j < EDGE; j++) {
        FC_UNROLL(9)
        for (int i = 0; i < EDGE; i++) d[i] = vf_load(from + i * row + j * pixel);
        pixels_to_points(d, 1, half + j, EDGE);
    }
    FC_UNROLL(9)
    for (int i = 0; i < EDGE; i++) {
        pixels_to_points(half + i * EDGE, 1, o, 1);
        FC_UNROLL(9)
        for (int j = 0; j < EDGE; j++) vf_store(to + at[i * EDGE + j], o[j]);
    }
}

/* The same for a patch at (y, x) of an image that it isn't wholly in, or for `channels` that don't fill a
 * vector. */
static void transform_copied(const fc_wino_images *s, const float *image, int64_t y, int64_t x,
                             int64_t channels, float *to, const int64_t *at) {
    FC_ALIGNED(64) float copy[EDGE * EDGE * VL];
    for (int64_t i = 0; i < EDGE; i++)
        for (int64_t j = 0; j < EDGE; j++) {
            const int inside = y + i >= 0 && y + i < s->h && x + j >= 0 && x + j < s->w;
            vf_store(copy + (i * EDGE + j) * VL,
                     inside ? vf_load_tail(image + ((y + i) * s->w + x + j) * s->c, channels) : vf_zero());
        }
    transform(copy, EDGE * VL, VL, to, at);
}

static void transform_squares(const fc_wino_images *s, int64_t first, int64_t count, int64_t row,
                              const space *p) {
    fc_square q = fc_square_at(STEP, s->down, s->across, first);
    for (int64_t t = 0; t < count; t++, fc_next_square(STEP, s->down, s->across, &q)) {
        const int64_t y = q.y - s->pt, x = q.x - s->pl;
        const int inside = y >= 0 && x >= 0 && y + EDGE <= s->h && x + EDGE <= s->w;
        const float *image = s->x + q.image * s->h * s->w * s->c;
        for (int64_t c = 0; c < s->c; c += VL) {
            float *to = p->points + t * row + c;
            if (inside && s->c - c >= VL)
                transform(image + (y * s->w + x) * s->c + c, s->w * s->c, s->c, to, p->point_at);
            else
                transform_copied(s, image + c, y, x, s->c - c, to, p->point_at);
        }
    }
}

/* ---- products ---- */

/* sums = points x weights for one panel of output channels; b: its weights, [6 x 6][channel][width]. */
static void multiply(const args *a, const cut *k, const space *s, const float *b, int vectors, int64_t count,
                     const fc_wino_wanted *in, const fc_wino_wanted *out) {
    const int64_t width = vectors * VL, matrix = fc_odd_lines(a->c * width);
    for (int weight = 0; weight < WEIGHTS * WEIGHTS; weight++, b += matrix) {
        const int i = weight / WEIGHTS, j = weight % WEIGHTS;
        const int64_t rows = count * (i < EVEN ? 1 : ODD) * (j < EVEN ? 1 : ODD);
        fc_wino_fetch(in, STEP, weight, WEIGHTS * WEIGHTS);
        fc_wino_fetch(out, SIDE, weight, WEIGHTS * WEIGHTS);
        for (int64_t c = 0; c < a->c; c += FC_WINO_DEPTH) {
            const fc_wino_products p = {.a = s->points + s->point_at[i * EDGE + j] + c,
                                        .b = b + c * width,
                                        .sums = s->sums + s->sum_at[i * EDGE + j],
                                        .row = k->row,
                                        .depth = fc_min(FC_WINO_DEPTH, a->c - c),
                                        .add = c > 0};
            const int64_t ahead = k->far_weights ? fc_min(matrix, FC_WINO_DEPTH * width) : 0;
            FC_NAME(fc_wino_multiply)(&p, rows, vectors, ahead);
        }
    }
}

/* ---- sums to pixels ---- */

FC_INLINE void sums_to_pixels(const vf *s, vf *o, const int to) {
    const vf p = vf_add(s[1], s[2]), q = vf_sub(s[1], s[2]);
    o[0] = vf_add(vf_add(vf_add(s[0], p), s[3]), s[5]);
    o[to] = vf_add(vf_fma(vf_set1(2.0f), s[3], q), s[6]);
    o[2 * to] = vf_add(vf_fma(vf_set1(4.0f), s[3], p), s[7]);
    o[3 * to] = vf_add(vf_add(vf_fma(vf_set1(8.0f), s[3], q), s[4]), s[8]);
}

/* One vector of channels of a square. */
FC_INLINE void finish(const args *a, const float *from, const int64_t *at, const fc_wino_target *t) {
    vf half[SIDE * EDGE], s[EDGE], o[SIDE];
    FC_UNROLL(9)
    for (int j = 0; j < EDGE; j++) {
        FC_UNROLL(9)
        for (int i = 0; i < EDGE; i++) s[i] = vf_load(from + at[i * EDGE + j]);
        sums_to_pixels(s, half + j, EDGE);
    }
    FC_UNROLL(4)
    for (int i = 0; i < SIDE; i++) {
        sums_to_pixels(half + i * EDGE, o, 1);
        FC_UNROLL(4)
        for (int j = 0; j < SIDE; j++)
            if (i < t->high && j < t->wide) fc_wino_store(a, o[j], t->at + i * t->row + j * t->pixel, t);
    }
}

static void finish_panel(const args *a, const cut *k, const space *s, int64_t panel, int64_t first,
                         int64_t count) {
    const int64_t col = panel * FC_NR, cols = fc_min(FC_NR, a->k - col);
    fc_wino_target t;
    t.row = a->ow * a->y_step;
    t.pixel = a->y_step;
    t.act = (int)a->act;
    t.alpha = vf_set1((float)a->alpha);
    fc_square q = fc_square_at(SIDE, k->down, k->across, first);
    for (int64_t i = 0; i < count; i++, fc_next_square(SIDE, k->down, k->across, &q)) {
        t.high = fc_min(SIDE, a->oh - q.y);
        t.wide = fc_min(SIDE, a->ow - q.x);
        const int64_t to = ((q.image * a->oh + q.y) * a->ow + q.x) * a->y_step + col;
        for (int64_t j = 0; j < cols; j += VL) {
            t.bias = a->bias ? vf_load_tail(a->bias + col + j, cols - j) : vf_zero();
            t.at = to + j;
            t.n = fc_min(cols - j, VL);
            finish(a, s->sums + i * FC_NR + j, s->sum_at, &t);
        }
        if (fc_acts_late(t.act)) fc_wino_activate(a, to, t.row, t.high, t.wide, cols);
    }
}

/* ---- the kernel ---- */

int64_t FC_NAME(fc_wino_strided_tiles)(const args *a) {
    const cut k = cut_work(a);
    return k.blocks * k.spans;
}

size_t FC_NAME(fc_wino_strided_scratch)(const args *a) {
    const cut k = cut_work(a);
    int64_t at[EDGE * EDGE];
    return 64 + (size_t)(place_rows(k.block, k.row, at) + place_rows(k.block, FC_NR, at)) * sizeof(float);
}

void FC_NAME(fc_wino_strided_run)(const args *a, int64_t begin, int64_t end, void *scratch) {
    const cut k = cut_work(a);
    const fc_wino_images images = {a->x, a->h, a->w, a->c, a->pt, a->pl, k.down, k.across};
    const fc_wino_images results = {a->y, a->oh, a->ow, a->y_step, 0, 0, k.down, k.across};
    space s;
    s.kept = scratch;
    s.points = (float *)((char *)scratch + 64);
    for (int64_t tile = begin; tile < end; tile++) {
        const int64_t block = tile / k.spans, first = k.squares * block / k.blocks;
        const int64_t next = k.squares * (block + 1) / k.blocks, count = next - first;
        const int64_t panels = tile % k.spans * k.span, last = fc_min(panels + k.span, k.panels);
        s.sums = s.points + place_rows(count, k.row, s.point_at);
        place_rows(count, FC_NR, s.sum_at);
        if (*s.kept != block + 1) transform_squares(&images, first, count, k.row, &s);
        *s.kept = block + 1;
        const int64_t following = tile + 1 < end && (tile + 1) / k.spans != block ? next + k.block : next;
        for (int64_t panel = panels; panel < last; panel++) {
            const int64_t lines = (a->c + 15) / 16, part = panel - panels, parts = last - panels;
            const fc_wino_wanted in = {&images,
                                       next,
                                       k.far ? fc_min(following, k.squares) : next,
                                       EDGE,
                                       lines * part / parts * 16,
                                       fc_min(lines * (part + 1) / parts * 16, a->c)};
            const fc_wino_wanted out = {&results, first,         k.far ? next : first,
                                        SIDE,     panel * FC_NR, fc_min((panel + 1) * FC_NR, a->k)};
            const float *b = a->packed + panel * WEIGHTS * WEIGHTS * fc_odd_lines(a->c * FC_NR);
            multiply(a, &k, &s, b, fc_panel_vectors(a->k, panel), count, &in, &out);
            finish_panel(a, &k, &s, panel, first, count);
        }
    }
}
