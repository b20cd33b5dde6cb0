/* The gradient of a convolution with respect to its weights in the Winograd domain (contract in kernels.def,
 * transforms in winograd.h): with d a patch of x and y the square of dy above it,
 *   dweights = G^T [ sum over squares of (B^T d B) . (A y A^T) ] G
 * which over the channels is (m + 2)^2 products of matrices, channels in x squares x channels out.
 *
 * A tile of work is a part of the squares x a span of input channels x a span of output channels, so chosen
 * that the sums stay in the worker's L2 cache while the points of a block of squares pass through it. Blocks
 * are added to the sums one after the other, which also keeps rounding errors small.
 */
#include "winograd.h"

/* Squares of a block. Shorter ones would let the points stay in L2, but each block reads and writes the sums,
 * and a register tile's start and end weigh less the longer it runs: 144 gain a tenth over 48. */
#define BLOCK 144
/* Points of pixels are kept for the tiles that follow if they are at most so many floats: 4 MiB. */
#define KEPT_FLOATS 1048576
/* Channels of a tile, in and out. Every tile transforms its gradients for itself, and its pixels where those
 * of the tile before can't be kept: fewer channels transform more often. */
#define SPAN 64

typedef fc_winograd_backward_weights_args args;

typedef struct {
    int64_t edge;                  /* m + 2 */
    int64_t down, across, squares; /* squares of an image's columns and rows, and of all images */
    int64_t block;                 /* squares whose products are added to the sums at once */
    int64_t spans_in, spans_out;   /* tiles across the channels */
    int64_t x_row, x_matrix;       /* floats from square to square and from point to point: of pixels */
    int64_t dy_row, dy_matrix;     /* and of gradients */
    int keeps;                     /* the points of all pixels of a part for the tiles that follow */
    int64_t sum_row, sum_matrix;   /* from channel to channel and from point to point: of sums */
} cut;

static cut cut_work(const args *a) {
    cut k;
    const int64_t m = fc_wino_m(a->m);
    k.edge = m + 2;
    k.down = (a->oh + m - 1) / m;
    k.across = (a->ow + m - 1) / m;
    k.squares = a->n * k.down * k.across;
    k.spans_in = (a->c + SPAN - 1) / SPAN;
    k.spans_out = (a->k + SPAN - 1) / SPAN;
    k.x_row = fc_odd_lines(fc_min(a->c, SPAN));
    const int64_t share = (k.squares + a->parts - 1) / a->parts;
    k.block = fc_max(fc_min(share, BLOCK), 1);
    k.keeps = k.spans_out > 1 && share * k.edge * k.edge * k.x_row <= KEPT_FLOATS;
    k.x_matrix = fc_odd_lines((k.keeps ? share : k.block) * k.x_row);
    k.dy_row = fc_odd_lines(fc_min(a->k, SPAN));
    k.dy_matrix = fc_odd_lines(k.block * k.dy_row);
    k.sum_row = FC_ROUND_UP(fc_min(a->k, SPAN), 16);
    k.sum_matrix = fc_odd_lines(fc_min(a->c, SPAN) * k.sum_row);
    return k;
}

typedef struct {
    float *pixels, *gradients, *sums;
} space;

FC_TILES(winograd_backward_weights) {
    const cut k = cut_work(a);
    return a->parts * k.spans_in * k.spans_out;
}

FC_SCRATCH(winograd_backward_weights) {
    const cut k = cut_work(a);
    return (size_t)(k.edge * k.edge * (k.x_matrix + k.dy_matrix + k.sum_matrix)) * sizeof(float);
}

static space lay_out(const cut *k, void *scratch) {
    space s;
    s.pixels = scratch;
    s.gradients = s.pixels + k->edge * k->edge * k->x_matrix;
    s.sums = s.gradients + k->edge * k->edge * k->dy_matrix;
    return s;
}

/* The channels of a tile. */
typedef struct {
    int64_t c0, c, k0, k;
} channels;

/* sums (+)= pixels^T x gradients of a block of squares. */
static void multiply(const cut *k, const space *s, const float *pixels, const channels *ch, int64_t squares,
                     int add, const fc_wino_wanted *x, const fc_wino_wanted *dy) {
    const float *rows[FC_MR];
    float *sums[FC_MR];
    const int64_t start = 0, points = k->edge * k->edge;
    int64_t at = 0;
    fc_tile t;
    memset(&t, 0, sizeof t);
    t.a = rows;
    t.a_seg = &at;
    t.b_seg = &start;
    t.segs = 1;
    t.len = squares;
    t.a_step = k->x_row;
    t.b_step = k->dy_row;
    t.c = sums;
    t.add = add;
    for (int64_t point = 0; point < points; point++) {
        at = point * k->x_matrix;
        t.c_offset = point * k->sum_matrix;
        fc_wino_fetch(x, k->edge - 2, point, points);
        fc_wino_fetch(dy, k->edge - 2, point, points);
        for (int64_t col = 0; col < ch->k; col += FC_NR) {
            t.vectors = fc_panel_vectors(ch->k, col / FC_NR);
            t.cols = t.vectors * VL;
            t.b = s->gradients + point * k->dy_matrix + col;
            for (int64_t c = 0; c < ch->c; c += FC_MR) {
                t.rows = (int)fc_min(FC_MR, ch->c - c);
                for (int i = 0; i < t.rows; i++) {
                    /* Sums come from L3; they are wanted when the tile ends. */
                    rows[i] = pixels + c + i;
                    sums[i] = s->sums + (c + i) * k->sum_row + col;
                    fc_prefetch(sums[i] + t.c_offset);
                    fc_prefetch(sums[i] + t.c_offset + t.cols - VL);
                }
                FC_NAME(fc_tile_run)(&t);
            }
        }
    }
}

/* The sums of all points to the nine weights of each pair of channels. */
FC_INLINE void finish(const int m, const args *a, const cut *k, const space *s, const channels *ch,
                      float *out) {
    const int edge = m + 2;
    vf half[FC_WINO_EDGE * 3], d[FC_WINO_EDGE], o[3];
    for (int64_t c = 0; c < ch->c; c++)
        for (int64_t col = 0; col < ch->k; col += VL) {
            const float *from = s->sums + c * k->sum_row + col;
            float *to = out + (ch->c0 + c) * a->k + ch->k0 + col;
            FC_UNROLL(6)
            for (int j = 0; j < edge; j++) {
                FC_UNROLL(6)
                for (int i = 0; i < edge; i++) d[i] = vf_load(from + (i * edge + j) * k->sum_matrix);
                fc_wino_taps(m, d, 1, half + j, edge);
            }
            FC_UNROLL(3)
            for (int i = 0; i < 3; i++) {
                fc_wino_taps(m, half + i * edge, 1, o, 1);
                FC_UNROLL(3)
                for (int j = 0; j < 3; j++) vf_store_tail(to + (i * 3 + j) * a->c * a->k, o[j], ch->k - col);
            }
        }
}

FC_INLINE void run_tile(const int m, const args *a, const cut *k, const space *s, int64_t tile, int ready) {
    const fc_wino_images x = {a->x, a->h, a->w, a->c, a->pt, a->pl, k->down, k->across};
    const fc_wino_images dy = {a->dy, a->oh, a->ow, a->k, 0, 0, k->down, k->across};
    const int64_t out = tile % k->spans_out, in = tile / k->spans_out % k->spans_in;
    const int64_t part = tile / (k->spans_out * k->spans_in);
    const channels ch = {in * SPAN, fc_min(SPAN, a->c - in * SPAN), out * SPAN,
                         fc_min(SPAN, a->k - out * SPAN)};
    const int64_t begin = k->squares * part / a->parts, end = k->squares * (part + 1) / a->parts;
    if (begin == end) memset(s->sums, 0, (size_t)(k->edge * k->edge * k->sum_matrix) * sizeof *s->sums);
    for (int64_t first = begin; first < end; first += k->block) {
        const int64_t next = fc_min(first + k->block, end), last = fc_min(next + k->block, end);
        const fc_wino_wanted next_x = {&x, next, ready ? next : last, m + 2, ch.c0, ch.c0 + ch.c};
        const fc_wino_wanted next_dy = {&dy, next, last, m, ch.k0, ch.k0 + ch.k};
        float *pixels = s->pixels + (k->keeps ? first - begin : 0) * k->x_row;
        if (!ready)
            fc_wino_squares(m, m + 2, &x, first, next - first, ch.c0, ch.c, pixels, k->x_row, k->x_matrix);
        fc_wino_squares(m, m, &dy, first, next - first, ch.k0, ch.k, s->gradients, k->dy_row, k->dy_matrix);
        multiply(k, s, pixels, &ch, next - first, first > begin, &next_x, &next_dy);
    }
    finish(m, a, k, s, &ch, a->dweights + part * 9 * a->c * a->k);
}

static void run_3(const args *a, const cut *k, const space *s, int64_t tile, int ready) {
    run_tile(3, a, k, s, tile, ready);
}
static void run_4(const args *a, const cut *k, const space *s, int64_t tile, int ready) {
    run_tile(4, a, k, s, tile, ready);
}

FC_RUN(winograd_backward_weights) {
    const cut k = cut_work(a);
    const space s = lay_out(&k, scratch);
    for (int64_t tile = begin; tile < end; tile++) {
        /* Tiles of the same part and input channels follow each other. */
        const int ready = k.keeps && tile > begin && tile % k.spans_out > 0;
        if (fc_wino_m(a->m) == 3)
            run_3(a, &k, &s, tile, ready);
        else
            run_4(a, &k, &s, tile, ready);
    }
}
