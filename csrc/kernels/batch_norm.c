/* Batch normalization, forward: one pass for the statistics, one to apply them. Both wait for memory. */
#include "batch_norm.h"
#include "rows.h"

/* ---- statistics ---- */

/* Mean and sum of squared deviations of each column of what has been read so far; sums of one block. */
typedef struct {
    double mean[FC_NORM_COLUMNS], m2[FC_NORM_COLUMNS];
    float sum[FC_NORM_COLUMNS], center[FC_NORM_COLUMNS], squares[FC_NORM_COLUMNS];
} column_state;

/* Rows of a block, which are read twice: 16 KiB, but no fewer than let joining it pay. */
static int64_t block_rows(int64_t columns) { return fc_min(64, fc_max(16, 4096 / columns)); }

/* squares[i] += the squared deviations from center[i] of `rows` rows (1 or 4, a constant). */
FC_INLINE void add_squares(const float *x, int64_t step, int rows, int64_t columns, column_state *s) {
#define STEP(i, n)                                                                                           \
    do {                                                                                                     \
        const vf center = vf_load_tail(s->center + (i), n);                                                  \
        vf total = vf_load_tail(s->squares + (i), n);                                                        \
        for (int r = 0; r < rows; r++) {                                                                     \
            const vf d = vf_sub(vf_load_tail(x + r * step + (i), n), center);                                \
            total = vf_fma(d, d, total);                                                                     \
        }                                                                                                    \
        vf_store_tail(s->squares + (i), total, n);                                                           \
    } while (0)
    FC_FOR_LANES(columns, STEP);
#undef STEP
}

/* Two sets of values joined: Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for
 * computing sample variances", 1979. share: the second set's of the count; weight: the product of both counts
 * over their sum. */
FC_INLINE void join(double *mean, double *m2, double share, double weight, double other_mean,
                    double other_m2) {
    const double d = other_mean - *mean;
    *mean += d * share;
    *m2 += other_m2 + d * d * weight;
}

/* Joins a block of rows, which is in the cache after its mean is taken, to the `done` rows before. Deviations
 * are from the block's own mean: nothing cancels, however large the mean is. */
static void join_block(const float *x, int64_t step, int64_t rows, int64_t columns, int64_t done,
                       column_state *s) {
    const double share = (double)rows / (double)(done + rows), weight = (double)done * share,
                 inverse = 1.0 / (double)rows;
    fc_add_rows(x, step, rows, columns, s->sum);
    for (int64_t i = 0; i < columns; i++) {
        s->center[i] = (float)((double)s->sum[i] * inverse);
        s->squares[i] = 0.0f;
    }
    int64_t r = 0;
    for (; r + 4 <= rows; r += 4) add_squares(x + r * step, step, 4, columns, s);
    for (; r < rows; r++) add_squares(x + r * step, step, 1, columns, s);
    for (int64_t i = 0; i < columns; i++)
        join(s->mean + i, s->m2 + i, share, weight, (double)s->sum[i] * inverse, (double)s->squares[i]);
}

static void part_statistics(const float *x, int64_t step, int64_t rows, int64_t columns, int64_t group,
                            column_state *s) {
    const int64_t width = columns * group, groups = rows / group, left = rows % group;
    memset(s->mean, 0, sizeof s->mean);
    memset(s->m2, 0, sizeof s->m2);
    for (int64_t r = 0; r < groups; r += block_rows(width)) {
        const int64_t n = fc_min(block_rows(width), groups - r);
        join_block(x + r * group * step, group * step, n, width, r, s);
    }
    /* The places of a group are one another's channels again; all have seen as many rows. */
    for (int64_t g = 1; g < group && groups > 0; g++)
        for (int64_t i = 0; i < columns; i++)
            join(s->mean + i, s->m2 + i, 1.0 / (double)(g + 1), (double)(g * groups) / (double)(g + 1),
                 s->mean[g * columns + i], s->m2[g * columns + i]);
    if (left > 0) join_block(x + groups * group * step, step, left, columns, groups * group, s);
}

FC_TILES(batch_norm_statistics) { return a->parts * fc_norm_column_tiles(a->c); }
FC_SCRATCH(batch_norm_statistics) {
    (void)a;
    return sizeof(column_state);
}
FC_RUN(batch_norm_statistics) {
    const int64_t tiles = fc_norm_column_tiles(a->c);
    column_state *s = scratch;
    for (int64_t tile = begin; tile < end; tile++) {
        const int64_t part = tile / tiles, from = tile % tiles * FC_NORM_COLUMNS,
                      columns = fc_min(FC_NORM_COLUMNS, a->c - from);
        const int64_t row = fc_norm_start(a->rows, part, a->parts);
        float *mean = a->sums + 2 * part * a->c + from, *m2 = mean + a->c;
        part_statistics(a->x + row * a->c + from, a->c, fc_norm_start(a->rows, part + 1, a->parts) - row,
                        columns, fc_norm_group(a->c), s);
        for (int64_t i = 0; i < columns; i++) {
            mean[i] = (float)s->mean[i];
            m2[i] = (float)s->m2[i];
        }
    }
}

/* ---- application ---- */

/* One row, or several taken as one. `act` is a constant, and so is whether there is a residual. */
FC_INLINE void apply_row(int64_t act, const float *x, const float *residual, const float *scale,
                         const float *shift, float *y, int64_t count, vf alpha, int streams) {
#define RESULT(i, n)                                                                                         \
    vf v = vf_fma(vf_load_tail(x + (i), n), vf_load_tail(scale + (i), n), vf_load_tail(shift + (i), n));     \
    if (residual) v = vf_add(v, vf_load_tail(residual + (i), n));                                            \
    v = vf_unary(act, v, alpha, vf_zero())
#define STEP(i, n)                                                                                           \
    do {                                                                                                     \
        RESULT(i, n);                                                                                        \
        vf_store_tail(y + (i), v, n);                                                                        \
    } while (0)
    if (streams) {
        int64_t i = 0;
        for (; i + VL <= count; i += VL) {
            RESULT(i, VL);
            vf_stream(y + i, v);
        }
        if (i < count) STEP(i, count - i);
        return;
    }
    FC_FOR_LANES(count, STEP);
#undef STEP
#undef RESULT
}

FC_INLINE void apply_rows(int64_t act, const fc_batch_norm_apply_args *a, fc_norm_range range,
                          const float *scale, const float *shift, int streams) {
    const int64_t width = a->c * fc_norm_group(a->c);
    const vf alpha = vf_set1((float)a->alpha);
    for (int64_t i = range.from; i < range.to; i += width) {
        const int64_t n = fc_min(width, range.to - i);
        if (a->residual)
            apply_row(act, a->x + i, a->residual + i, scale, shift, a->y + i, n, alpha, streams);
        else
            apply_row(act, a->x + i, NULL, scale, shift, a->y + i, n, alpha, streams);
    }
}

FC_TILES(batch_norm_apply) { return fc_norm_tiles(a->rows, a->c); }
FC_SCRATCH(batch_norm_apply) { return 2 * (size_t)fc_norm_spread_size(a->c) * sizeof(float); }
FC_RUN(batch_norm_apply) {
    float *room = scratch;
    const float *scale = fc_norm_spread(a->scale, a->c, &room),
                *shift = fc_norm_spread(a->shift, a->c, &room);
    const int in_place = a->y == a->x || a->y == a->residual;
    const int streams = fc_norm_streams(a->y, in_place, a->residual ? 3 : 2, a->rows, a->c);
    for (int64_t t = begin; t < end; t++) {
        const fc_norm_range range = fc_norm_tile(a->rows, a->c, t);
        switch (a->act) {
#define CASE(act)                                                                                            \
    case act:                                                                                                \
        apply_rows(act, a, range, scale, shift, streams);                                                    \
        break;
            CASE(FC_LINEAR)
            CASE(FC_RELU)
            CASE(FC_LEAKY_RELU)
            CASE(FC_RELU6)
#undef CASE
        }
    }
    if (streams) vf_fence();
}
