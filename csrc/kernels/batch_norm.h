/* What the passes of batch normalization share. All see their arrays as a matrix [rows][c], whose rows are
 * the pixels of all images. */
#ifndef FC_BATCH_NORM_H
#define FC_BATCH_NORM_H
#include "unary.h"

/* Rows narrower than this many floats are taken several at a time, as one row of as many channels, so that
 * the loops along a row have something to do. */
#define FC_NORM_WIDTH 128

/* How many rows are taken as one. Their width is a multiple of 16 floats where that doesn't make it large:
 * then no step of the loops is short. */
FC_INLINE int64_t fc_norm_group(int64_t c) {
    if (c < 1 || c >= FC_NORM_WIDTH) return 1;
    int64_t unit = 16;
    while (unit > 1 && c * (unit / 2) % 16 == 0) unit /= 2;
    const int64_t least = (FC_NORM_WIDTH + c - 1) / c, whole = FC_ROUND_UP(least, unit);
    return whole * c <= 4 * FC_NORM_WIDTH ? whole : least;
}

/* Floats that fc_norm_spread writes for one vector of channels. */
FC_INLINE int64_t fc_norm_spread_size(int64_t c) { return fc_norm_group(c) > 1 ? fc_norm_group(c) * c : 0; }

/* The numbers of the channels for rows taken together: v itself, or so many copies of it, in *room. */
FC_INLINE const float *fc_norm_spread(const float *v, int64_t c, float **room) {
    const int64_t group = fc_norm_group(c);
    float *copies = *room;
    if (group == 1) return v;
    for (int64_t i = 0; i < group; i++) memcpy(copies + i * c, v, (size_t)c * sizeof(float));
    *room += group * c;
    return copies;
}

/* Element-wise passes: rows to a tile, whole groups of them, some FC_CHUNK floats. */
FC_INLINE int64_t fc_norm_tile_rows(int64_t c) {
    const int64_t group = fc_norm_group(c);
    return FC_ROUND_UP(fc_max(1, FC_CHUNK / fc_max(1, c)), group);
}
FC_INLINE int64_t fc_norm_tiles(int64_t rows, int64_t c) {
    return c < 1 ? 0 : (rows + fc_norm_tile_rows(c) - 1) / fc_norm_tile_rows(c);
}

/* The elements of tile t. */
typedef struct {
    int64_t from, to;
} fc_norm_range;
FC_INLINE fc_norm_range fc_norm_tile(int64_t rows, int64_t c, int64_t t) {
    const int64_t size = fc_norm_tile_rows(c);
    const fc_norm_range range = {t * size * c, fc_min((t + 1) * size, rows) * c};
    return range;
}

/* Whether a result goes to memory past the cache: where `tensors` of this size, those that are read and it,
 * don't fit into the last cache of most processors, what is written would push out what is yet to be read,
 * and be gone itself before anyone reads it. (Measured with a cache of 32 MiB: y of 25 MB in 0.7 to 1.0 ms
 * for 1.4, but y of 13 MB, which fits with x, in 0.45 for 0.4.) Not in place, where the lines are in the
 * cache anyway; and only where each row of the pass begins at a vector. */
#define FC_NORM_CACHE (32 << 20)
FC_INLINE int fc_norm_streams(const float *result, int in_place, int tensors, int64_t rows, int64_t c) {
    return !in_place && tensors * rows * c * (int64_t)sizeof(float) > FC_NORM_CACHE &&
           (uintptr_t)result % (VL * sizeof(float)) == 0 && c * fc_norm_group(c) % VL == 0;
}

/* Sums over rows: columns to a tile, so that what is summed stays in the cache. Sums of a block of rows are
 * float32 before they are joined in double. */
#define FC_NORM_COLUMNS 1024
FC_INLINE int64_t fc_norm_column_tiles(int64_t c) { return (c + FC_NORM_COLUMNS - 1) / FC_NORM_COLUMNS; }
/* Part p of `parts` has the rows fc_norm_start(rows, p, parts) .. fc_norm_start(rows, p + 1, parts) - 1. */
FC_INLINE int64_t fc_norm_start(int64_t rows, int64_t p, int64_t parts) { return rows * p / parts; }

#endif
