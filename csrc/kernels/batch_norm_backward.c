/* Batch normalization, backward: one pass for the sums over each channel, one for the gradient with respect
 * to x. Both wait for memory, so what can be computed again from x is not read: the derivative of an
 * activation that follows at once is that at x scale + shift, worked out as the forward pass does it. */
#include "batch_norm_backward.h"

/* ---- sums ---- */

/* Rows of a block: to join it takes as long as four rows. */
#define BLOCK 64

/* Sums of all rows so far; sums of one block. */
typedef struct {
    double total[FC_NORM_COLUMNS], total_dot[FC_NORM_COLUMNS];
    float sum[FC_NORM_COLUMNS], dot[FC_NORM_COLUMNS];
} column_sums;

/* Where rows begin, and the numbers of their channels. */
typedef struct {
    const float *x, *dy, *y;
    float *dz;
    const float *mean, *scale, *shift;
    vf alpha;
} backward_rows;

/* `rows` rows (1 or 4, a constant) from `at` on, added to the block's sums. */
FC_INLINE void add_rows(int64_t act, const backward_rows *b, const float *y, int64_t at, int64_t step,
                        int rows, int64_t columns, column_sums *s) {
#define STEP(i, n)                                                                                           \
    do {                                                                                                     \
        const vf mean = vf_load_tail(b->mean + (i), n);                                                      \
        vf sum = vf_load_tail(s->sum + (i), n), dot = vf_load_tail(s->dot + (i), n);                         \
        for (int r = 0; r < rows; r++) {                                                                     \
            const int64_t p = at + r * step + (i);                                                           \
            const vf x = vf_load_tail(b->x + p, n);                                                          \
            const vf dz = before_activation(act, vf_load_tail(b->dy + p, n), x, y ? y + p : NULL,            \
                                            b->scale + (i), b->shift + (i), n, b->alpha);                    \
            if (b->dz) vf_store_tail(b->dz + p, dz, n);                                                      \
            sum = vf_add(sum, dz);                                                                           \
            dot = vf_fma(dz, vf_sub(x, mean), dot);                                                          \
        }                                                                                                    \
        vf_store_tail(s->sum + (i), sum, n);                                                                 \
        vf_store_tail(s->dot + (i), dot, n);                                                                 \
    } while (0)
    int64_t i = 0;
    for (; i + VL <= columns; i += VL) STEP(i, VL);
    if (i < columns) STEP(i, columns - i);
#undef STEP
}

typedef void (*add_block)(const backward_rows *b, int64_t at, int64_t step, int64_t rows, int64_t columns,
                          column_sums *s);
#define VARIANT(name, act, y)                                                                                \
    static void add_block_##name(const backward_rows *b, int64_t at, int64_t step, int64_t rows,             \
                                 int64_t columns, column_sums *s) {                                          \
        int64_t r = 0;                                                                                       \
        for (; r + 4 <= rows; r += 4) add_rows(act, b, y, at + r * step, step, 4, columns, s);               \
        for (; r < rows; r++) add_rows(act, b, y, at + r * step, step, 1, columns, s);                       \
    }
EACH_VARIANT(VARIANT)
#undef VARIANT

static void join_block(add_block add, const backward_rows *b, int64_t at, int64_t step, int64_t rows,
                       int64_t columns, column_sums *s) {
    for (int64_t i = 0; i < columns; i++) s->sum[i] = s->dot[i] = 0.0f;
    add(b, at, step, rows, columns, s);
    for (int64_t i = 0; i < columns; i++) {
        s->total[i] += (double)s->sum[i];
        s->total_dot[i] += (double)s->dot[i];
    }
}

static void part_sums(add_block add, const backward_rows *b, int64_t step, int64_t rows, int64_t columns,
                      int64_t group, column_sums *s) {
    const int64_t width = columns * group, groups = rows / group, left = rows % group;
    memset(s->total, 0, sizeof s->total);
    memset(s->total_dot, 0, sizeof s->total_dot);
    for (int64_t r = 0; r < groups; r += BLOCK)
        join_block(add, b, r * group * step, group * step, fc_min(BLOCK, groups - r), width, s);
    /* The places of a group are one another's channels again. */
    for (int64_t i = columns; i < width; i++) {
        s->total[i % columns] += s->total[i];
        s->total_dot[i % columns] += s->total_dot[i];
    }
    if (left > 0) join_block(add, b, groups * group * step, step, left, columns, s);
}

FC_TILES(batch_norm_sums) { return a->parts * fc_norm_column_tiles(a->c); }
FC_SCRATCH(batch_norm_sums) {
    return sizeof(column_sums) + 3 * (size_t)fc_norm_spread_size(a->c) * sizeof(float);
}
FC_RUN(batch_norm_sums) {
    const int64_t tiles = fc_norm_column_tiles(a->c);
    column_sums *s = scratch;
    float *room = (float *)(s + 1);
    const int from_x = a->act != FC_LINEAR && !a->y;
    const float *mean = fc_norm_spread(a->mean, a->c, &room),
                *scale = from_x ? fc_norm_spread(a->scale, a->c, &room) : NULL,
                *shift = from_x ? fc_norm_spread(a->shift, a->c, &room) : NULL;
    for (int64_t tile = begin; tile < end; tile++) {
        const int64_t part = tile / tiles, from = tile % tiles * FC_NORM_COLUMNS,
                      columns = fc_min(FC_NORM_COLUMNS, a->c - from);
        const int64_t row = fc_norm_start(a->rows, part, a->parts), at = row * a->c + from,
                      rows = fc_norm_start(a->rows, part + 1, a->parts) - row;
        const backward_rows b = {a->x + at,
                                 a->dy + at,
                                 a->y ? a->y + at : NULL,
                                 a->dz ? a->dz + at : NULL,
                                 mean + from,
                                 scale ? scale + from : NULL,
                                 shift ? shift + from : NULL,
                                 vf_set1((float)a->alpha)};
        part_sums(FIND_VARIANT(add_block_, a->act, a->y), &b, a->c, rows, columns, fc_norm_group(a->c), s);
        float *sum = a->sums + 2 * part * a->c + from, *dot = sum + a->c;
        for (int64_t i = 0; i < columns; i++) {
            sum[i] = (float)s->total[i];
            dot[i] = (float)s->total_dot[i];
        }
    }
}

/* ---- the gradient with respect to x ---- */

/* One row from element `at` on. `act` and whether there is a y are constants. */
FC_INLINE void backward_row(int64_t act, const fc_batch_norm_backward_args *b, const float *y, int64_t at,
                            int64_t count, const float *scale, const float *shift, const float *slope,
                            const float *offset, int streams) {
    const float *x = b->x + at, *dy = b->dy + at;
    float *dx = b->dx + at;
    const vf alpha = vf_set1((float)b->alpha);
#define RESULT(i, n)                                                                                         \
    const vf v = vf_load_tail(x + (i), n);                                                                   \
    const vf dz = before_activation(act, vf_load_tail(dy + (i), n), v, y ? y + at + (i) : NULL, scale + (i), \
                                    shift + (i), n, alpha);                                                  \
    const vf rest = vf_fma(vf_load_tail(slope + (i), n), v, vf_load_tail(offset + (i), n));                  \
    const vf result = vf_fma(vf_load_tail(scale + (i), n), dz, rest)
#define STEP(i, n)                                                                                           \
    do {                                                                                                     \
        RESULT(i, n);                                                                                        \
        vf_store_tail(dx + (i), result, n);                                                                  \
    } while (0)
    if (streams) {
        int64_t i = 0;
        for (; i + VL <= count; i += VL) {
            RESULT(i, VL);
            vf_stream(dx + i, result);
        }
        if (i < count) STEP(i, count - i);
        return;
    }
    FC_FOR_LANES(count, STEP);
#undef STEP
#undef RESULT
}

typedef void (*backward_function)(const fc_batch_norm_backward_args *b, int64_t at, int64_t step,
                                  int64_t rows, int64_t count, const float *scale, const float *shift,
                                  const float *slope, const float *offset, int streams);
#define VARIANT(name, act, y)                                                                                \
    static void backward_##name(const fc_batch_norm_backward_args *b, int64_t at, int64_t step,              \
                                int64_t rows, int64_t count, const float *scale, const float *shift,         \
                                const float *slope, const float *offset, int streams) {                      \
        for (int64_t r = 0; r < rows; r++)                                                                   \
            backward_row(act, b, y, at + r * step, count, scale, shift, slope, offset, streams);             \
    }
EACH_VARIANT(VARIANT)
#undef VARIANT

FC_TILES(batch_norm_backward) { return fc_norm_tiles(a->rows, a->c); }
FC_SCRATCH(batch_norm_backward) { return 4 * (size_t)fc_norm_spread_size(a->c) * sizeof(float); }
FC_RUN(batch_norm_backward) {
    float *room = scratch;
    const float *scale = fc_norm_spread(a->scale, a->c, &room),
                *shift = fc_norm_spread(a->shift, a->c, &room),
                *slope = fc_norm_spread(a->slope, a->c, &room),
                *offset = fc_norm_spread(a->offset, a->c, &room);
    const int64_t width = a->c * fc_norm_group(a->c);
    const backward_function backward = FIND_VARIANT(backward_, a->act, a->y);
    const int streams = fc_norm_streams(a->dx, a->dx == a->dy, a->y ? 4 : 3, a->rows, a->c);
    for (int64_t t = begin; t < end; t++) {
        const fc_norm_range range = fc_norm_tile(a->rows, a->c, t);
        const int64_t whole = (range.to - range.from) / width, rest = range.from + whole * width;
        backward(a, range.from, width, whole, width, scale, shift, slope, offset, streams);
        if (rest < range.to)
            backward(a, rest, width, 1, range.to - rest, scale, shift, slope, offset, streams);
    }
    if (streams) vf_fence();
}
