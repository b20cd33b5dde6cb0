/* How a correlation's work is cut into tiles, and which of its pixels go together (correlation_cut.c). */
#ifndef FC_CORRELATION_CUT_H
#define FC_CORRELATION_CUT_H
#include "correlation.h"

/* Results of a panel that are finished later, pooled or activated: 32 KiB. */
#define FC_FULL_FLOATS 8192

/* Positions first .. end of an axis, which share their taps t0 .. t1. */
typedef struct {
    int64_t first, end, t0, t1;
} fc_range;

typedef struct {
    int64_t pixels; /* of all images */
    int64_t block;  /* pixels in a block, at most */
    int64_t pieces; /* > 1: an output row is cut into so many blocks */
    int64_t blocks;
    int side_by_side;      /* as in gemm.h: what follows takes a vector of groups as one */
    int64_t cg, kg;        /* from one group's channels to the next one's: of the source, of the output */
    int64_t panels, units; /* panels of one group, of all groups */
    int64_t span, spans;   /* panels of one tile */
    int by_span;           /* tiles of one span follow each other, instead of those of one block */
    int64_t y_ranges, x_ranges;
    int64_t rows; /* of a register tile, at most */
    int by_tap;   /* tap by tap, each for all pixels that it reaches; else by classes of pixels */
    int fetch;    /* images or results are too large to be in the cache */
} fc_cut;

fc_cut FC_NAME(fc_cut_work)(const fc_correlation *s);

/* Pixels p0 .. p1 of block b, all images' pixels counted through. */
void FC_NAME(fc_block_pixels)(const fc_correlation *s, const fc_cut *k, int64_t b, int64_t *p0, int64_t *p1);

/* The ranges of an axis over `size` source positions, in order; returns how many. Written where `ranges`
 * isn't NULL. */
int64_t FC_NAME(fc_list_ranges)(const fc_axis *a, int64_t size, fc_range *ranges);

/* The positions that tap t reaches. */
fc_range FC_NAME(fc_one_tap)(const fc_axis *a, int64_t size, int64_t t);

/* Rows of each register tile, of so many pixels: as few tiles of at most `most` rows as can hold them, of
 * nearly equal even numbers of rows, since a tile of one or two takes as long as one of four. */
FC_INLINE int64_t fc_tile_rows(int64_t pixels, int64_t most) {
    const int64_t tiles = (pixels + most - 1) / most;
    return FC_ROUND_UP((pixels + tiles - 1) / tiles, 2);
}

#endif
