/* Winograd convolution of 3x3 with strides of 2 (winograd_strided.c). */
#ifndef FC_WINOGRAD_STRIDED_H
#define FC_WINOGRAD_STRIDED_H
#include "winograd.h"

/* Strides are 1 or 2, for rows and columns alike. */
FC_INLINE int fc_wino_is_strided(const fc_winograd_forward_args *a) { return a->sh == 2; }

int64_t FC_NAME(fc_wino_strided_tiles)(const fc_winograd_forward_args *a);
size_t FC_NAME(fc_wino_strided_scratch)(const fc_winograd_forward_args *a);
void FC_NAME(fc_wino_strided_run)(const fc_winograd_forward_args *a, int64_t begin, int64_t end,
                                  void *scratch);
#endif
