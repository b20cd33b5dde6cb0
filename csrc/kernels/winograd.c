/* Winograd convolution (contract in kernels.def, transforms in winograd.h).
 *
 * Output is cut into squares of m x m pixels. A tile of work is a block of squares times a group times a span
 * of panels of the group's output channels. The block's patches are transformed for all channels of the group
 * into points[point][square][part of the kernel][channel]; then for each panel the (m + 2)^2 products of
 * points and weights go to sums[point][square][column] and these are transformed back into y. All of it stays
 * in the worker's L2 cache, through which the weights stream once a block.
 */
#include "winograd_narrow.h"
#include "winograd_products.h"
#include "winograd_strided.h"

/* Squares of a block, a multiple of every register tile's rows. With 36 and up to 256 channels the points
 * still lie mostly in L2, and weights pass seldom enough. */
#define LEAST_SQUARES 12
#define MOST_SQUARES 36
/* Points of a block at most: 8 MiB, unless LEAST_SQUARES take more. */
#define POINT_FLOATS (2 * 1048576)
/* Tiles of work, so that 16 threads have one each: by smaller blocks where a core's caches hold the weights,
 * then by spans of columns, which cost another transform of the block's patches where two threads share it.
 * The number of blocks is even, for two threads to have the same. */
#define ENOUGH_TILES 16
#define NEAR_WEIGHTS 196608 /* floats: 768 KiB, held by L2 */
#define WEIGHT_FLOATS 1048576
#define FAR_FLOATS 4194304 /* more than L3 holds for long: they should pass seldom */
/* Weights of so many floats, 512 KiB, are fetched while others are multiplied, where they pass for so many
 * blocks at most: in networks that are larger than the shared cache they come from memory. On one image
 * 28x28, 128->128 takes 0.69 of its time then, 14x14, 256->256 0.77, and up to 3 % more where the shared
 * cache has the weights. */
#define FETCHED_WEIGHTS 131072
#define MOST_PASSES 8
/* Images of so many floats, 512 KiB, are taken to lie in the L2 cache. */
#define NEAR_FLOATS 131072

/* Weights that are transformed late: channels at a time, and how many of these times ahead they are fetched.
 */
#define LATE_DEPTH 8
#define LATE_AHEAD 2

typedef fc_winograd_forward_args args;

typedef struct {
    int64_t edge;                     /* m + 2 */
    int64_t down, across, squares;    /* squares of an image's columns and rows, and of all images */
    int64_t block, blocks;            /* squares of a block at most, all have nearly as many */
    int64_t panels, span, spans;      /* panels of one tile of work */
    int64_t down_parts, across_parts; /* of the kernel, 3 x 3 each */
    int64_t c, depth, k;              /* of a group: channels, those of all parts, channels out */
    int64_t bundle;                   /* groups that take turns on a block */
    int64_t point_row, point_matrix;  /* floats from square to square and from point to point: of points */
    int64_t sum_matrix;               /* and of sums, whose rows are FC_NR */
    int late;                         /* whether weights are transformed here */
    int narrow;                       /* whether winograd_narrow.c does it */
    int far_weights;                  /* whether the weights are fetched ahead */
    int far;                          /* whether the images don't lie in the L2 cache anyway */
} cut;

static cut cut_work(const args *a) {
    cut k;
    const int64_t m = fc_wino_m(a->m);
    k.edge = m + 2;
    k.down = (a->oh + m - 1) / m;
    k.across = (a->ow + m - 1) / m;
    k.squares = a->n * k.down * k.across;
    k.down_parts = fc_wino_parts(a->kh);
    k.across_parts = fc_wino_parts(a->kw);
    k.c = a->c / a->groups;
    k.k = a->k / a->groups;
    k.depth = k.down_parts * k.across_parts * k.c;
    k.point_row = fc_odd_lines(k.depth - k.c + FC_ROUND_UP(k.c, 16));
    const int64_t weights = k.edge * k.edge * k.depth * k.k;
    const int64_t fit = POINT_FLOATS / (k.edge * k.edge * k.point_row) / LEAST_SQUARES * LEAST_SQUARES;
    const int64_t most =
        fc_min(fc_max(fit, LEAST_SQUARES), weights > FAR_FLOATS ? 2 * MOST_SQUARES : MOST_SQUARES);
    k.late = a->late && m == 4;
    k.narrow = !k.late && fc_wino_is_narrow(a, k.squares);
    const int64_t few =
        weights > WEIGHT_FLOATS ? 0 : fc_min(k.squares / (2 * LEAST_SQUARES), ENOUGH_TILES / a->groups);
    k.blocks = k.narrow ? (k.squares + FC_NARROW_SQUARES - 1) / FC_NARROW_SQUARES
                        : fc_max((k.squares + most - 1) / most, few);
    k.blocks += k.blocks > 1 ? k.blocks & 1 : 0;
    k.block = k.blocks ? (k.squares + k.blocks - 1) / k.blocks : 0;
    k.panels = fc_panels(k.k);
    const int64_t units = k.blocks * a->groups;
    const int64_t wanted = units ? fc_min((ENOUGH_TILES + units - 1) / units, k.panels) : 1;
    k.span = (k.panels + wanted - 1) / wanted;
    k.spans = (k.panels + k.span - 1) / k.span;
    k.point_matrix = fc_odd_lines(k.block * k.point_row);
    k.sum_matrix = fc_odd_lines(k.block * FC_NR);
    k.bundle = fc_wino_bundle(a->groups, weights);
    k.far_weights = weights > (k.blocks > MOST_PASSES ? 2 * WEIGHT_FLOATS : FETCHED_WEIGHTS);
    k.far = a->n * (a->h * a->w * a->c + a->oh * a->ow * a->k) > NEAR_FLOATS;
    return k;
}

typedef struct {
    int64_t *kept; /* 1 + the unit (block and group) whose points these are, 0: none */
    float *points, *sums;
    float *weights; /* of two rows of points: [point][channel][width] */
} space;

/* Floats from point to point of weights that are transformed late. */
static int64_t late_matrix(void) { return fc_odd_lines(LATE_DEPTH * FC_NR); }

static size_t space_bytes(const cut *k) {
    return 64 + (size_t)(k->edge * k->edge * (k->point_matrix + k->sum_matrix) +
                         k->late * 2 * k->edge * late_matrix()) *
                    sizeof(float);
}

static space lay_out(const cut *k, void *scratch) {
    space s;
    s.kept = scratch;
    s.points = (float *)((char *)scratch + 64);
    s.sums = s.points + k->edge * k->edge * k->point_matrix;
    s.weights = s.sums + k->edge * k->edge * k->sum_matrix;
    return s;
}

/* ---- products ---- */

/* sums = points x weights for one panel of output channels; b: its weights, [point][channel][width]. */
static void multiply(const cut *k, const space *s, int64_t panel, const float *b, int64_t count,
                     const fc_wino_wanted *in, const fc_wino_wanted *out) {
    const int64_t points = k->edge * k->edge;
    const int vectors = fc_panel_vectors(k->k, panel);
    const int64_t width = vectors * VL, matrix = fc_odd_lines(k->depth * width);
    for (int64_t point = 0; point < points; point++) {
        fc_wino_fetch(in, k->edge - 2, point, points);
        fc_wino_fetch(out, k->edge - 2, point, points);
        for (int64_t c = 0; c < k->depth; c += FC_WINO_DEPTH) {
            const fc_wino_products p = {.a = s->points + point * k->point_matrix + c,
                                        .b = b + point * matrix + c * width,
                                        .sums = s->sums + point * k->sum_matrix,
                                        .row = k->point_row,
                                        .depth = fc_min(FC_WINO_DEPTH, k->depth - c),
                                        .add = c > 0};
            FC_NAME(fc_wino_multiply)
            (&p, count, vectors, k->far_weights ? fc_min(matrix, FC_WINO_DEPTH * width) : 0);
        }
    }
}

/* ---- products with weights that are transformed late ---- */

/* Rows `first` and `second` of points of `depth` channels' weights, [channel][tap][width], and every so many
 * cache lines of those that follow are fetched. */
FC_INLINE void transform_late(const int m, const int first, const int second, const float *from,
                              int64_t depth, const int nv, float *to) {
    const int edge = m + 2, width = nv * VL;
    const int64_t matrix = late_matrix();
    vf g[3], o[FC_WINO_EDGE], upper[3], lower[3];
    for (int64_t c = 0; c < depth; c++, from += 9 * width, to += width) {
        const float *ahead = from + LATE_AHEAD * LATE_DEPTH * 9 * width + (first + 1) / 2 * 3 * width;
        for (int i = 0; i < 3 * width; i += LINE_FLOATS) fc_prefetch_l2(ahead + i);
        FC_UNROLL(2)
        for (int v = 0; v < width; v += VL) {
            FC_UNROLL(3)
            for (int j = 0; j < 3; j++) {
                FC_UNROLL(3)
                for (int i = 0; i < 3; i++) g[i] = vf_load(from + (i * 3 + j) * width + v);
                fc_wino_weights(m, g, 1, o, 1);
                upper[j] = o[first];
                lower[j] = o[second];
            }
            fc_wino_weights(m, upper, 1, o, 1);
            FC_UNROLL(6)
            for (int j = 0; j < edge; j++) vf_store(to + j * matrix + v, o[j]);
            fc_wino_weights(m, lower, 1, o, 1);
            FC_UNROLL(6)
            for (int j = 0; j < edge; j++) vf_store(to + (edge + j) * matrix + v, o[j]);
        }
    }
}

/* As fc_wino_multiply, without a call where there are four squares. */
FC_INLINE void multiply_late_squares(const fc_wino_products *p, int64_t count, const int nv) {
    if (count == 4)
        fc_wino_multiply_rows(4, nv, 0, p);
    else
        FC_NAME(fc_wino_multiply)(p, count, nv, 0);
}

/* As multiply, b: [channel][tap][width]. Two rows of points at a time, whose weights share most sums, and so
 * few channels that their transformed weights lie in the L1 cache. */
FC_INLINE void multiply_late(const int nv, const args *a, const cut *k, const space *s, const float *b,
                             int64_t count) {
    const int m = 4, edge = m + 2;
    for (int64_t c = 0; c < a->c; c += LATE_DEPTH) {
        const int64_t depth = fc_min(LATE_DEPTH, a->c - c);
        FC_UNROLL(3)
        for (int pair = 0; pair < 3; pair++) {
            const int first = pair ? 2 * pair - 1 : 0, second = pair ? 2 * pair : edge - 1;
            transform_late(m, first, second, b + c * 9 * nv * VL, depth, nv, s->weights);
            for (int j = 0; j < 2 * edge; j++) {
                const int point = (j < edge ? first * edge : second * edge - edge) + j;
                const fc_wino_products p = {.a = s->points + point * k->point_matrix + c,
                                            .b = s->weights + j * late_matrix(),
                                            .sums = s->sums + point * k->sum_matrix,
                                            .row = k->point_row,
                                            .depth = depth,
                                            .add = c > 0};
                multiply_late_squares(&p, count, nv);
            }
        }
    }
}

/* ---- sums to pixels ---- */

/* The same for the 2 x 2 maxima of the 4 x 4 pixels: they never leave the registers. */
FC_INLINE void finish_pooled(const args *a, const float *from, int64_t matrix, const fc_wino_target *t) {
    vf half[FC_WINO_POINTS], upper[4], lower[4];
    fc_wino_square(4, from, matrix, half);
    FC_UNROLL(2)
    for (int i = 0; i < 2; i++) {
        fc_wino_sums(4, half + 2 * i * 6, 1, upper, 1);
        fc_wino_sums(4, half + (2 * i + 1) * 6, 1, lower, 1);
        FC_UNROLL(4)
        for (int j = 0; j < 4; j++) {
            upper[j] = fc_activated(vf_add(upper[j], t->bias), t->act, t->alpha);
            lower[j] = fc_activated(vf_add(lower[j], t->bias), t->act, t->alpha);
        }
        FC_UNROLL(2)
        for (int j = 0; j < 2; j++)
            if (i < t->high && j < t->wide) {
                const int64_t at = t->at + i * t->row + j * t->pixel;
                vi index;
                const vf best =
                    fc_max_2x2(upper[2 * j], upper[2 * j + 1], lower[2 * j], lower[2 * j + 1], &index);
                vf_store_tail(a->y + at, best, t->n);
                if (a->index) vi_to_u8_n(a->index + at, index, (int)fc_min(t->n, VL));
            }
    }
}

FC_INLINE void finish(const int m, const int pool, const args *a, const float *from, int64_t matrix,
                      const fc_wino_target *t) {
    if (pool)
        finish_pooled(a, from, matrix, t);
    else
        fc_wino_finish(m, a, from, matrix, t);
}

FC_INLINE void finish_panel(const int m, const int pool, const args *a, const cut *k, const space *s,
                            int64_t group, int64_t panel, int64_t first, int64_t count) {
    const int64_t col = group * k->k + panel * FC_NR, cols = fc_min(FC_NR, k->k - panel * FC_NR),
                  by = pool ? 2 : 1, side = m / by;
    const int64_t oh = a->oh / by, ow = a->ow / by;
    fc_wino_target t;
    t.row = ow * a->y_step;
    t.pixel = a->y_step;
    t.act = (int)a->act;
    t.alpha = vf_set1((float)a->alpha);
    fc_square q = fc_square_at(m, k->down, k->across, first);
    for (int64_t i = 0; i < count; i++, fc_next_square(m, k->down, k->across, &q)) {
        const int64_t y = q.y / by, x = q.x / by, high = fc_min(side, oh - y), wide = fc_min(side, ow - x);
        const int64_t to = ((q.image * oh + y) * ow + x) * a->y_step + col;
        for (int64_t j = 0; j < cols; j += VL) {
            const float *from = s->sums + i * FC_NR + j;
            t.bias = a->bias ? vf_load_tail(a->bias + col + j, cols - j) : vf_zero();
            t.at = to + j;
            if (high == side && wide == side && cols - j >= VL) { /* constants: no branches are left */
                t.high = t.wide = side;
                t.n = VL;
                finish(m, pool, a, from, k->sum_matrix, &t);
            } else {
                t.high = high;
                t.wide = wide;
                t.n = cols - j;
                finish(m, pool, a, from, k->sum_matrix, &t);
            }
        }
        if (fc_acts_late(t.act)) fc_wino_activate(a, to, t.row, fc_min(high, side), fc_min(wide, side), cols);
    }
}

/* ---- the kernel ---- */

FC_TILES(winograd_forward) {
    if (fc_wino_is_strided(a)) return FC_NAME(fc_wino_strided_tiles)(a);
    const cut k = cut_work(a);
    return a->groups * k.blocks * k.spans;
}

FC_SCRATCH(winograd_forward) {
    if (fc_wino_is_strided(a)) return FC_NAME(fc_wino_strided_scratch)(a);
    const cut k = cut_work(a);
    return k.narrow ? fc_wino_narrow_bytes(k.c) : space_bytes(&k);
}

/* A tile: squares of a group, and panels of its weights. */
typedef struct {
    int64_t group, first, next; /* squares first .. next */
    int64_t following;          /* squares next .. following come after them */
    int64_t panels, last;
} task;

static task task_at(const cut *k, int64_t tile, int64_t end) {
    const fc_wino_unit u = fc_wino_unit_at(k->blocks, k->bundle, tile / k->spans);
    const int64_t next = k->squares * (u.block + 1) / k->blocks, panels = tile % k->spans * k->span;
    const int go_on =
        k->far && u.block + 1 < k->blocks && tile / k->spans + k->bundle < (end + k->spans - 1) / k->spans;
    const task t = {u.group, k->squares * u.block / k->blocks,
                    next,    go_on ? fc_min(next + k->block, k->squares) : next,
                    panels,  fc_min(panels + k->span, k->panels)};
    return t;
}

FC_INLINE void run_panel(const int m, const args *a, const cut *k, const space *s, const task *t,
                         const fc_wino_images *images, const fc_wino_images *results, int64_t panel) {
    const int64_t lines = (k->c + 15) / 16, part = panel - t->panels, parts = t->last - t->panels;
    const int64_t count = t->next - t->first, col = t->group * k->k;
    const fc_wino_wanted in = {images,
                               t->next,
                               t->following,
                               m + 2 + 3 * (fc_max(k->down_parts, k->across_parts) - 1),
                               lines * part / parts * 16,
                               fc_min(lines * (part + 1) / parts * 16, k->c)};
    const fc_wino_wanted out = {results,
                                t->first,
                                k->far ? t->next : t->first,
                                m,
                                col + panel * FC_NR,
                                col + fc_min((panel + 1) * FC_NR, k->k)};
    if (m == 4 && k->late) {
        const float *b = a->packed + 9 * panel * k->c * FC_NR;
        if (fc_panel_vectors(k->k, panel) > 1)
            multiply_late(2, a, k, s, b, count);
        else
            multiply_late(1, a, k, s, b, count);
    } else {
        const float *b = a->packed + t->group * fc_wino_group(m, k->depth, k->k);
        multiply(k, s, panel, b + panel * fc_wino_panel(m, k->depth), count, &in, &out);
    }
    if (m == 4 && a->pool)
        finish_panel(m, 1, a, k, s, t->group, panel, t->first, count);
    else
        finish_panel(m, 0, a, k, s, t->group, panel, t->first, count);
}

/* Functions of their own: with all the rest in one, its frame is larger than 4 KiB, and what is put aside
 * there is read late after stores that lie 4 KiB from it, as it seems. Small groups took 1.2 times as long.
 */
FC_NOINLINE void transform_3(const cut *k, const fc_wino_images *images, const task *t, float *points) {
    fc_wino_squares(3, images, t->first, t->next - t->first, k->c, k->down_parts, k->across_parts, points,
                    k->point_row, k->point_matrix);
}
FC_NOINLINE void transform_4(const cut *k, const fc_wino_images *images, const task *t, float *points) {
    fc_wino_squares(4, images, t->first, t->next - t->first, k->c, k->down_parts, k->across_parts, points,
                    k->point_row, k->point_matrix);
}

FC_INLINE void run_tiles(const int m, const args *a, int64_t begin, int64_t end, void *scratch) {
    const cut k = cut_work(a);
    const space s = lay_out(&k, scratch);
    const fc_wino_images results = {a->y, a->pool ? 0 : a->oh, a->ow, a->y_step, 0, 0, k.down, k.across};
    for (int64_t tile = begin; tile < end; tile++) {
        const task t = task_at(&k, tile, end);
        const int64_t unit = tile / k.spans;
        const fc_wino_images images = {
            a->x + t.group * k.c, a->h, a->w, a->c, a->pt, a->pl, k.down, k.across};
        if (*s.kept != unit + 1) /* spans of one block follow each other */
            (m == 3 ? transform_3 : transform_4)(&k, &images, &t, s.points);
        *s.kept = unit + 1;
        for (int64_t panel = t.panels; panel < t.last; panel++)
            run_panel(m, a, &k, &s, &t, &images, &results, panel);
    }
}

static void run_3(const args *a, int64_t begin, int64_t end, void *scratch) {
    run_tiles(3, a, begin, end, scratch);
}
static void run_4(const args *a, int64_t begin, int64_t end, void *scratch) {
    run_tiles(4, a, begin, end, scratch);
}

FC_RUN(winograd_forward) {
    if (fc_wino_is_strided(a)) {
        FC_NAME(fc_wino_strided_run)(a, begin, end, scratch);
        return;
    }
    const cut k = cut_work(a);
    if (k.narrow) {
        const fc_wino_blocks blocks = {k.down, k.across, k.squares, k.blocks, k.bundle, k.far};
        FC_NAME(fc_wino_narrow_run)(a, &blocks, begin, end, scratch);
        return;
    }
    if (fc_wino_m(a->m) == 3)
        run_3(a, begin, end, scratch);
    else
        run_4(a, begin, end, scratch);
}
