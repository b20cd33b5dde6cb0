/* The gradient of a convolution with respect to its weights in the Winograd domain (contract in kernels.def,
 * transforms in winograd.h and winograd_rows.h): with d a patch of x and y the square of dy above it,
 *   dweights = G^T [ sum over squares of (B^T d B) . (A y A^T) ] G
 * which over the channels is (m + 2)^2 products of matrices, channels in x squares x channels out.
 *
 * A tile of work is a share of the squares (`parts` in kernels.def) x a group x a span of input channels,
 * those of each part of a larger kernel for themselves, x spans of output channels. Its squares pass in
 * blocks, and of each block the points pass FC_ROWS rows at a time: what that many rows need lies in the
 * worker's L2 cache, where all points would not, and two workers would wait for the cache they share. The
 * sums of a row of points go through the half of G^T . G that runs along the row, and only the three numbers
 * that are left of them are added to those of the blocks before.
 */
#include "winograd_rows.h"

/* Spans of output channels that a tile may have, of which each transforms its gradients, but all have the
 * same pixels; fewer where there would be less than ENOUGH_TILES, so that 16 threads have one each. */
#define BUNDLE 4
#define ENOUGH_TILES 16
/* Rows of the register tile: AVX-512 has room for one more than FC_MR where no row pointers are needed, and
 * 64 channels are then five tiles. */
#if defined(FC_TARGET_AVX512)
#define MR 13
#else
#define MR FC_MR
#endif

/* Images of so many floats, 512 KiB, are taken to lie in the L2 cache anyway. Of others the squares that
 * follow are fetched meanwhile, unless they have so many channels that there is no room for them beside the
 * points. */
#define NEAR_FLOATS 131072
#define FAR_CHANNELS 32

typedef fc_winograd_backward_weights_args args;

typedef struct {
    int64_t edge;                  /* m + 2 */
    int64_t down, across, squares; /* squares of an image's columns and rows, and of all images */
    int64_t block;                 /* squares whose products are added up at once */
    int64_t c, k;                  /* channels in and out of a group of the convolution */
    int64_t parts_across, parts;   /* of the kernel, 3 x 3 each: of a row of them, and all */
    int64_t spans_in, spans_out;   /* spans across the channels */
    int64_t bundle, bundles;       /* spans of output channels of a tile, tiles across them */
    int64_t x_row, x_matrix;       /* floats from square to square and from point to point: of pixels */
    int64_t dy_row, dy_matrix;     /* and of gradients */
    int narrow_x, narrow_dy;       /* whether their channels are few (fc_wino_narrow) */
    int far;                       /* whether to bring images closer */
    int64_t sum_matrix;            /* floats from point to point of sums, whose rows are dy_row */
} cut;

static cut cut_work(const args *a) {
    cut k;
    const int64_t m = fc_wino_m(a->m);
    k.edge = m + 2;
    k.down = (a->oh + m - 1) / m;
    k.across = (a->ow + m - 1) / m;
    k.squares = a->n * k.down * k.across;
    k.c = a->c / a->groups;
    k.k = a->k / a->groups;
    k.parts_across = fc_wino_parts(a->kw);
    k.parts = fc_wino_parts(a->kh) * k.parts_across;
    k.spans_in = (k.c + FC_ROWS_SPAN - 1) / FC_ROWS_SPAN;
    k.spans_out = (k.k + FC_ROWS_SPAN - 1) / FC_ROWS_SPAN;
    const int64_t tiles = a->parts * a->groups * k.parts * k.spans_in;
    k.bundle = fc_min(k.spans_out, BUNDLE);
    while (k.bundle > 1 && tiles * ((k.spans_out + k.bundle - 1) / k.bundle) < ENOUGH_TILES) k.bundle--;
    k.bundles = (k.spans_out + k.bundle - 1) / k.bundle;
    const int64_t share = fc_max((k.squares + a->parts - 1) / a->parts, 1);
    const int64_t blocks = (share + FC_ROWS_BLOCK - 1) / FC_ROWS_BLOCK;
    k.block = (share + blocks - 1) / blocks;
    k.x_row = FC_ROUND_UP(fc_min(k.c, FC_ROWS_SPAN), 16);
    k.x_matrix = fc_odd_lines(k.block * k.x_row);
    k.dy_row = FC_ROUND_UP(fc_min(k.k, FC_ROWS_SPAN), 16);
    k.dy_matrix = fc_odd_lines(k.block * k.dy_row);
    k.narrow_x = fc_wino_narrow(a->c) && a->groups == 1 && m == 4;
    k.narrow_dy = fc_wino_narrow(a->k) && a->groups == 1 && m == 4;
    if (k.narrow_x) k.x_matrix = FC_ROWS_NARROW_MATRIX(k.x_row);
    if (k.narrow_dy) k.dy_matrix = FC_ROWS_NARROW_MATRIX(k.dy_row);
    k.far =
        fc_max(k.c, k.k) <= FAR_CHANNELS && a->n * (a->h * a->w * a->c + a->oh * a->ow * a->k) > NEAR_FLOATS;
    k.sum_matrix = fc_odd_lines(fc_min(k.c, FC_ROWS_SPAN) * k.dy_row);
    return k;
}

typedef struct {
    float *pixels, *gradients; /* [point of FC_ROWS rows][square][channel] */
    float *sums;               /* of a row of points: [point][channel in][channel out] */
    float *halves;             /* [span of a bundle][row of points][3][channel in][channel out] */
} space;

FC_TILES(winograd_backward_weights) {
    const cut k = cut_work(a);
    return a->parts * a->groups * k.parts * k.spans_in * k.bundles;
}

FC_SCRATCH(winograd_backward_weights) {
    const cut k = cut_work(a);
    return (size_t)(k.edge * (FC_ROWS * (k.x_matrix + k.dy_matrix) + k.sum_matrix * (1 + 3 * k.bundle))) *
           sizeof(float);
}

static space lay_out(const cut *k, void *scratch) {
    space s;
    s.pixels = scratch;
    s.gradients = s.pixels + FC_ROWS * k->edge * k->x_matrix;
    s.sums = s.gradients + FC_ROWS * k->edge * k->dy_matrix;
    s.halves = s.sums + k->edge * k->sum_matrix;
    return s;
}

/* The channels of one span each, of all those of x and of dy. */
typedef struct {
    int64_t c0, c, k0, k;
} channels;

/* ---- products ---- */

/* sums = pixels^T x gradients, `mr` channels in x nv vectors of channels out, both constants at every call.
 */
FC_INLINE void multiply_rows(const int mr, const int nv, const cut *k, const float *x, const float *dy,
                             int64_t squares, float *sums) {
    const int64_t x_row = k->x_row, dy_row = k->dy_row;
    vf acc[MR][FC_NV], w[FC_NV];
    FC_UNROLL(16)
    for (int i = 0; i < mr; i++) acc[i][0] = acc[i][1] = vf_zero();
    for (int64_t t = 0; t < squares; t++, x += x_row, dy += dy_row) {
        w[0] = vf_load(dy);
        w[1] = nv > 1 ? vf_load(dy + VL) : w[0];
        FC_UNROLL(16)
        for (int i = 0; i < mr; i++) {
            const vf p = vf_set1(x[i]);
            acc[i][0] = vf_fma(p, w[0], acc[i][0]);
            if (nv > 1) acc[i][1] = vf_fma(p, w[1], acc[i][1]);
        }
    }
    FC_UNROLL(16)
    for (int i = 0; i < mr; i++) {
        vf_store(sums + i * dy_row, acc[i][0]);
        if (nv > 1) vf_store(sums + i * dy_row + VL, acc[i][1]);
    }
}

#define CASE(n)                                                                                              \
    case n:                                                                                                  \
        if (n <= MR) multiply_rows(n <= MR ? n : 1, nv, k, x, dy, squares, sums);                            \
        break;
FC_INLINE void multiply_some(int64_t mr, const int nv, const cut *k, const float *x, const float *dy,
                             int64_t squares, float *sums) {
    switch (mr) {
        CASE(1)
        CASE(2)
        CASE(3)
        CASE(4)
        CASE(5)
        CASE(6)
        CASE(7)
        CASE(8)
        CASE(9)
        CASE(10)
        CASE(11)
        CASE(12)
        CASE(13)
    }
}

static void multiply_panel(int64_t mr, int vectors, const cut *k, const float *x, const float *dy,
                           int64_t squares, float *sums) {
    if (vectors > 1)
        multiply_some(mr, 2, k, x, dy, squares, sums);
    else
        multiply_some(mr, 1, k, x, dy, squares, sums);
}

/* What the next block of squares reads, for the products to bring it closer. */
typedef struct {
    fc_wino_wanted x, dy;
} wanted;

/* The sums over a block of squares of a row of points. */
static void multiply(const cut *k, int64_t row, const float *pixels, const float *gradients,
                     const channels *ch, int64_t squares, float *sums, const wanted *next) {
    const int64_t tiles = (ch->c + MR - 1) / MR;
    for (int64_t point = 0; point < k->edge; point++) {
        fc_wino_fetch(&next->x, k->edge - 2, row * k->edge + point, k->edge * k->edge);
        fc_wino_fetch(&next->dy, k->edge - 2, row * k->edge + point, k->edge * k->edge);
        for (int64_t col = 0; col < ch->k; col += FC_NR)
            for (int64_t i = 0; i < tiles; i++) {
                const int64_t c = ch->c * i / tiles, mr = ch->c * (i + 1) / tiles - c;
                multiply_panel(mr, fc_panel_vectors(ch->k, col / FC_NR), k, pixels + c, gradients + col,
                               squares, sums + c * k->dy_row + col);
            }
        pixels += k->x_matrix;
        gradients += k->dy_matrix;
        sums += k->sum_matrix;
    }
}

/* ---- sums to weights ---- */

/* halves (+)= the sums of a row of points, along the row. */
FC_INLINE void add_halves(const int m, const cut *k, const channels *ch, const float *sums, float *halves,
                          int first) {
    const int edge = m + 2;
    vf d[FC_WINO_EDGE], o[3];
    for (int64_t c = 0; c < ch->c; c++)
        for (int64_t col = 0; col < ch->k; col += VL) {
            const int64_t at = c * k->dy_row + col;
            FC_UNROLL(6)
            for (int j = 0; j < edge; j++) d[j] = vf_load(sums + j * k->sum_matrix + at);
            fc_wino_taps(m, d, 1, o, 1);
            FC_UNROLL(3)
            for (int j = 0; j < 3; j++) {
                float *to = halves + j * k->sum_matrix + at;
                vf_store(to, first ? o[j] : vf_add(vf_load(to), o[j]));
            }
        }
}

/* A tile: the squares begin .. end, spans of a group's channels out, one of those in, and a part of the
 * kernel. */
typedef struct {
    fc_wino_images x, dy;
    int64_t group, in, out, spans, begin, end;
    int64_t row, column; /* the part's first tap */
    float *dweights;
} task;

/* The halves to the nine weights of each pair of channels, those that the kernel has. */
FC_INLINE void finish(const int m, const args *a, const cut *k, const task *t, const channels *ch,
                      const float *halves) {
    const int edge = m + 2;
    const int64_t rows = a->kh - t->row, columns = a->kw - t->column;
    vf d[FC_WINO_EDGE], o[3];
    for (int64_t c = 0; c < ch->c; c++)
        for (int64_t col = 0; col < ch->k; col += VL) {
            const float *from = halves + c * k->dy_row + col;
            float *to = t->dweights +
                        ((t->row * a->kw + t->column) * k->c + ch->c0 - t->group * k->c + c) * a->k + ch->k0 +
                        col;
            FC_UNROLL(3)
            for (int j = 0; j < 3; j++) {
                FC_UNROLL(6)
                for (int i = 0; i < edge; i++) d[i] = vf_load(from + (i * 3 + j) * k->sum_matrix);
                fc_wino_taps(m, d, 1, o, 1);
                FC_UNROLL(3)
                for (int i = 0; i < 3; i++)
                    if (i < rows && j < columns)
                        vf_store_tail(to + (i * a->kw + j) * k->c * a->k, o[i], ch->k - col);
            }
        }
}

/* ---- the kernel ---- */

/* `rows` rows of points of a block of squares, of pixels where `in`, a constant, is m + 2, of gradients where
 * it is m. */
FC_INLINE void find_points(const int m, const int in, const int row, const int rows, const cut *k,
                           const fc_wino_images *s, int64_t first, int64_t next, int64_t c0, int64_t channels,
                           float *points) {
    const int narrow = in == m ? k->narrow_dy : k->narrow_x;
    const int64_t step = in == m ? k->dy_row : k->x_row, matrix = in == m ? k->dy_matrix : k->x_matrix;
    if (m == 4 && narrow && s->c == 16)
        fc_rows_narrow_squares(in, row, rows, 16, s, first, next, points);
    else if (m == 4 && narrow)
        fc_rows_narrow_squares(in, row, rows, FC_WINO_NARROW, s, first, next, points);
    else
        fc_rows_squares(m, in, row, rows, s, first, next, c0, channels, points, step, matrix);
}

/* `rows` rows of points, from `row` on, of one block of squares. */
FC_INLINE void run_rows(const int m, const int row, const int rows, const args *a, const cut *k,
                        const space *s, const task *t, int64_t first, int64_t next) {
    const int64_t following = k->far ? fc_min(next + k->block, t->end) : next;
    const int64_t in = t->in * FC_ROWS_SPAN;
    channels ch = {t->group * k->c + in, fc_min(FC_ROWS_SPAN, k->c - in), 0, 0};
    wanted after = {{&t->x, next, following, m + 2, ch.c0, ch.c0 + ch.c}, {&t->dy, next, following, m, 0, 0}};
    find_points(m, m + 2, row, rows, k, &t->x, first, next, ch.c0, ch.c, s->pixels);
    for (int64_t i = 0; i < t->spans; i++) {
        float *halves = s->halves + i * k->edge * 3 * k->sum_matrix;
        const int64_t out = (t->out + i) * FC_ROWS_SPAN;
        ch.k0 = t->group * k->k + out;
        ch.k = fc_min(FC_ROWS_SPAN, k->k - out);
        if (i > 0) after.x.end = next;
        after.dy.c0 = ch.k0;
        after.dy.c1 = ch.k0 + ch.k;
        find_points(m, m, row, rows, k, &t->dy, first, next, ch.k0, ch.k, s->gradients);
        for (int r = 0; r < rows; r++) {
            multiply(k, row + r, s->pixels + r * k->edge * k->x_matrix,
                     s->gradients + r * k->edge * k->dy_matrix, &ch, next - first, s->sums, &after);
            add_halves(m, k, &ch, s->sums, halves + (row + r) * 3 * k->sum_matrix, first == t->begin);
        }
        if (next == t->end && row + rows == m + 2) finish(m, a, k, t, &ch, halves);
    }
}

FC_INLINE void run_tile(const int m, const args *a, const cut *k, const space *s, const task *t) {
    int64_t first = t->begin;
    do { /* at least once: sums of no squares are 0 */
        const int64_t next = fc_min(first + k->block, t->end);
        FC_UNROLL(6)
        for (int row = 0; row < m + 2; row += FC_ROWS)
            run_rows(m, row, row + FC_ROWS <= m + 2 ? FC_ROWS : m + 2 - row, a, k, s, t, first, next);
        first = next;
    } while (first < t->end);
}

static void run_3(const args *a, const cut *k, const space *s, const task *t) { run_tile(3, a, k, s, t); }
static void run_4(const args *a, const cut *k, const space *s, const task *t) { run_tile(4, a, k, s, t); }

static task task_at(const args *a, const cut *k, int64_t tile) {
    const int64_t out = tile % k->bundles * k->bundle, in = tile / k->bundles;
    const int64_t part = in / k->spans_in, group = part / k->parts, share = group / a->groups;
    const int64_t row = part % k->parts / k->parts_across * 3, column = part % k->parts_across * 3;
    const task t = {{a->x, a->h, a->w, a->c, a->pt - row, a->pl - column, k->down, k->across},
                    {a->dy, a->oh, a->ow, a->k, 0, 0, k->down, k->across},
                    group % a->groups,
                    in % k->spans_in,
                    out,
                    fc_min(k->bundle, k->spans_out - out),
                    k->squares * share / a->parts,
                    k->squares * (share + 1) / a->parts,
                    row,
                    column,
                    a->dweights + share * a->kh * a->kw * k->c * a->k};
    return t;
}

FC_RUN(winograd_backward_weights) {
    const cut k = cut_work(a);
    const space s = lay_out(&k, scratch);
    for (int64_t tile = begin; tile < end; tile++) {
        const task t = task_at(a, &k, tile);
        if (fc_wino_m(a->m) == 3)
            run_3(a, &k, &s, &t);
        else
            run_4(a, &k, &s, &t);
    }
}
