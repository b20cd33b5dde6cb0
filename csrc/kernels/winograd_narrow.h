/* Winograd convolution F(4x4, 3x3) of few channels, as many in as out (winograd_narrow.c). */
#ifndef FC_WINOGRAD_NARROW_H
#define FC_WINOGRAD_NARROW_H
#include "winograd.h"

/* Squares of a block: a register tile's, whose points of 16 channels lie in the L1 cache. */
#ifndef FC_NARROW_SQUARES
#define FC_NARROW_SQUARES 12
#endif
/* Floats from point to point. */
#define FC_NARROW_MATRIX(c) (FC_ROUND_UP(FC_NARROW_SQUARES * (c), 16) | 16)

/* Fewer squares don't fill their blocks, which cost as much as whole ones. */
#define FC_NARROW_LEAST (8 * FC_NARROW_SQUARES)

typedef struct {
    int64_t down, across, squares, blocks; /* squares of an image's columns and rows, and of all images */
    int64_t bundle;                        /* groups that take turns on a block */
    int far;                               /* whether the images don't lie in the L2 cache anyway */
} fc_wino_blocks;

FC_INLINE int fc_wino_is_narrow(const fc_winograd_forward_args *a, int64_t squares) {
    return fc_wino_m(a->m) == 4 && !a->pool && a->kh == 3 && a->kw == 3 && a->c == a->k &&
           fc_wino_narrow(a->c / a->groups) && a->k / a->groups <= FC_NR && squares >= FC_NARROW_LEAST;
}
FC_INLINE size_t fc_wino_narrow_bytes(int64_t c) {
    return (size_t)(FC_WINO_POINTS * FC_NARROW_MATRIX(c)) * sizeof(float);
}

/* Blocks begin .. end, those of each group. */
void FC_NAME(fc_wino_narrow_run)(const fc_winograd_forward_args *a, const fc_wino_blocks *k, int64_t begin,
                                 int64_t end, float *points);
#endif
