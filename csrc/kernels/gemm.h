/* The register tile that dense layers and convolutions are made of (gemm.c).
 *
 * Tiles of rows x cols of the output, rows <= FC_MR, cols <= FC_NR, are held in registers while the reduction
 * runs, one after the other for as many rows as there are: c[i][j] = sum over segments t, over l < len of
 * a[i][a_seg[t] + l a_step]  b[b_seg[t] + l b_step + j] Forward and backward-data read a row of activations
 * along its channels (a_step 1) and a packed panel of weights; the gradient of the weights reads a column of
 * activations along the pixels (a_step = the pixel's size) and a panel of dy. Segments are what is
 * contiguous: a kernel's row, or a row of pixels.
 */
#ifndef FC_GEMM_H
#define FC_GEMM_H
#include "kernel.h"

/* Rows x vectors that fill the register file: accumulators, a row of b and broadcast values. AVX-512 24 + 2 +
 * 1 of 32; AVX2 12 + 2 + 1 of 16; NEON 16 + 2 + 8 of 32, since its compilers load all broadcasts first (12
 * rows spill). */
#if defined(FC_TARGET_AVX512)
#define FC_MR 12
#elif defined(FC_TARGET_AVX2)
#define FC_MR 6
#elif defined(FC_TARGET_NEON)
#define FC_MR 8
#else
#define FC_MR 4
#endif
#define FC_NV 2
#define FC_NR (FC_NV * VL)
#define LINE_FLOATS 16 /* of a cache line */

/* Rows that share all but their pointers. */
typedef struct {
    const float *const *a; /* `count` row pointers */
    const int64_t *a_seg, *b_seg;
    int64_t segs, len, a_step, b_step;
    const float *b;  /* rows of `vectors` whole vectors */
    float *const *c; /* `count` row pointers, c_offset is added to each */
    int64_t c_offset;
    int64_t count;           /* rows in all */
    int rows, vectors, cols; /* rows of a tile, the last one may have fewer; cols <= vectors VL are stored */
    int add;                 /* c += instead of c = */
    const float *bias;       /* cols values that each row's sums start from, or NULL */
    int act;                 /* fc_unary, applied last */
    float alpha, beta;
    /* Or NULL: tensors as large as that which c points into, which starts at dst. The first is added before
     * the activation. With the second, which is an activation's result, sums are gradients to go back through
     * it. */
    const float *residual, *saved;
    const float *dst;
    /* Floats from each row's a to what a later tile reads: fetched meanwhile. 0: nothing is. */
    int64_t ahead;
    /* Not 0: floats from b, or from the first row's a, to what is read there in a while: fetched to the L2
     * cache meanwhile. The tiles share the lines of b, each fetches its own of a. */
    int64_t b_ahead, a_ahead;
    /* c, residual and saved aren't expected in the cache: fetched before they are needed; 2: to the L2 cache.
     */
    int fetch_out;
    /* Not NULL: small groups side by side in one vector (fc_side_by_side). Each segment is then one vector of
     * a, whose lanes lanes[j] + l meet b's row l. */
    const int32_t *lanes;
    int stream; /* c goes past the cache where the tile is full: whole aligned vectors */
} fc_tile;

void FC_NAME(fc_tiles_run)(const fc_tile *tiles);

/* Panels of a packed matrix of `cols` columns: FC_NR wide, the last one as many whole vectors as it needs.
 * They lie one after the other, [panel][depth][width], so panel at column j starts at element j depth. */
FC_INLINE int64_t fc_panels(int64_t cols) { return (cols + FC_NR - 1) / FC_NR; }
FC_INLINE int fc_panel_vectors(int64_t cols, int64_t panel) {
    return (int)((fc_min(cols - panel * FC_NR, FC_NR) + VL - 1) / VL);
}
/* Whether the channels of several groups fill one vector, in and out: groups narrower than a vector would
 * leave its other lanes empty. Their weights are then packed as if whole vectors of groups were one:
 * [vector of k][depth][VL]. */
FC_INLINE int fc_side_by_side(int64_t c, int64_t k, int64_t groups) {
    return FC_PICKS && groups > 1 && c == k && k % VL == 0 && k / groups > 1 && VL % (k / groups) == 0 &&
           k / groups < VL;
}
FC_INLINE int64_t fc_packed_cols(int64_t cols) { return FC_ROUND_UP(cols, VL); }

#endif
