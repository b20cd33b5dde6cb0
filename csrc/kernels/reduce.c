/* Sums, means and maxima. Sums are exact to float32 however many terms they have: rows are summed in blocks
 * of a fixed size, and the blocks' sums are joined pairwise (Higham, "Accuracy and Stability of Numerical
 * Algorithms", 2002, section 4.2) or in double. Blocks depend on the shapes only. */
#include "rows.h"

/* Rows to a block, columns to a tile, and the levels of pairwise sums that 2^63 rows need. */
#define ROW_BLOCK 64
#define COLUMNS 512
#define LEVELS 58

/* ---- rows into one row ---- */

/* y[i] = scale x the sum over the rows, columns <= COLUMNS. Like counting in binary: levels[k] holds the sum
 * of 2^k blocks whenever bit k of the number of blocks done is set. */
static void pairwise_rows(const float *x, int64_t step, int64_t rows, int64_t columns, double scale, float *y,
                          float *levels) {
    float block[COLUMNS];
    int64_t done = 0;
    for (int64_t r = 0; r < rows; r += ROW_BLOCK, done++) {
        fc_add_rows(x + r * step, step, fc_min(ROW_BLOCK, rows - r), columns, block);
        int level = 0;
        for (; done >> level & 1; level++)
            for (int64_t i = 0; i < columns; i++) block[i] += levels[level * COLUMNS + i];
        memcpy(levels + level * COLUMNS, block, (size_t)columns * sizeof(float));
    }
    for (int64_t i = 0; i < columns; i++) block[i] = 0.0f;
    for (int level = 0; done >> level; level++)
        if (done >> level & 1)
            for (int64_t i = 0; i < columns; i++) block[i] += levels[level * COLUMNS + i];
    for (int64_t i = 0; i < columns; i++) y[i] = (float)(scale * (double)block[i]);
}

/* ---- one dense row into one number ---- */

/* Blocks of 64 vectors in four sums; the blocks' sums in double. */
static double dense_sum(const float *x, int64_t count) {
    double total = 0.0;
    for (int64_t from = 0; from < count; from += 64 * VL) {
        const int64_t n = fc_min(64 * VL, count - from);
        vf s0 = vf_zero(), s1 = vf_zero(), s2 = vf_zero(), s3 = vf_zero();
        const float *p = x + from;
        int64_t i = 0;
        for (; i + 4 * VL <= n; i += 4 * VL) {
            s0 = vf_add(s0, vf_load(p + i));
            s1 = vf_add(s1, vf_load(p + i + VL));
            s2 = vf_add(s2, vf_load(p + i + 2 * VL));
            s3 = vf_add(s3, vf_load(p + i + 3 * VL));
        }
        for (; i < n; i += VL) s0 = vf_add(s0, vf_load_tail(p + i, n - i));
        total += (double)vf_sum(vf_add(vf_add(s0, s1), vf_add(s2, s3)));
    }
    return total;
}

/* ---- kernels ---- */

FC_TILES(fold) { return (a->count + COLUMNS - 1) / COLUMNS; }
FC_NO_SCRATCH(fold)
FC_RUN(fold) {
    (void)scratch;
    const int64_t from = begin * COLUMNS, columns = fc_min(end * COLUMNS, a->count) - from;
    const float *x = a->x + from;
    float *y = a->y + from;
#define STEP(i, n) fc_add_rows_narrow(x + (i), a->count, a->parts, 1, n, y + (i))
    FC_FOR_LANES(columns, STEP);
#undef STEP
}

static int64_t column_tiles(int64_t columns) { return (columns + COLUMNS - 1) / COLUMNS; }

FC_TILES(column_sums) { return a->parts * column_tiles(a->cols); }
FC_SCRATCH(column_sums) {
    (void)a;
    return LEVELS * COLUMNS * sizeof(float);
}
FC_RUN(column_sums) {
    const int64_t tiles = column_tiles(a->cols);
    for (int64_t tile = begin; tile < end; tile++) {
        const int64_t part = tile / tiles, from = tile % tiles * COLUMNS;
        const int64_t row = a->rows * part / a->parts, rows = a->rows * (part + 1) / a->parts - row;
        pairwise_rows(a->x + row * a->cols + from, a->cols, rows, fc_min(COLUMNS, a->cols - from), 1.0,
                      a->y + part * a->cols + from, scratch);
    }
}

/* One element per outer index (inner == 1): tiles of as many rows as make a chunk. Else tiles of columns. */
static int64_t reduce_rows(int64_t count) { return fc_max(1, FC_CHUNK / fc_max(1, count)); }

FC_TILES(reduce) {
    if (a->inner == 1) return (a->outer + reduce_rows(a->count) - 1) / reduce_rows(a->count);
    return a->outer * column_tiles(a->inner);
}
FC_SCRATCH(reduce) { return a->inner == 1 ? 0 : LEVELS * COLUMNS * sizeof(float); }

FC_RUN(reduce) {
    const double scale = a->kind == FC_REDUCE_MEAN ? a->scale / (double)a->count : a->scale;
    if (a->inner == 1) {
        const int64_t step = reduce_rows(a->count), to = fc_min(end * step, a->outer);
        for (int64_t o = begin * step; o < to; o++) {
            const float *x = a->x + o * a->count;
            a->y[o] = a->kind == FC_REDUCE_MAX ? (float)scale * fc_row_max(x, a->count)
                                               : (float)(scale * dense_sum(x, a->count));
        }
        return;
    }
    const int64_t tiles = column_tiles(a->inner);
    for (int64_t tile = begin; tile < end; tile++) {
        const int64_t o = tile / tiles, from = tile % tiles * COLUMNS,
                      columns = fc_min(COLUMNS, a->inner - from);
        const float *x = a->x + o * a->count * a->inner + from;
        float *y = a->y + o * a->inner + from;
        if (a->kind == FC_REDUCE_MAX) {
            fc_max_places(x, 1, a->count, 0, a->inner, columns, y);
            for (int64_t i = 0; i < columns; i++) y[i] *= (float)scale;
        } else
            pairwise_rows(x, a->inner, a->count, columns, scale, y, scratch);
    }
}
