/* The products of a Winograd convolution: points x weights, for one point (winograd_products.c). */
#ifndef FC_WINOGRAD_PRODUCTS_H
#define FC_WINOGRAD_PRODUCTS_H
#include "winograd.h"

/* Input channels that are added up in registers before their sum goes to the sums in memory: rounding errors
 * grow with the length of a sum, and here they are those of terms larger than the result. */
#define FC_WINO_DEPTH 256

/* The products of `rows` squares with `depth` rows of a panel's weights, added to the sums in memory or not.
 * A square's points are `row` floats apart, its sums FC_NR. What fc_tiles_run takes to begin and to end
 * weighs a quarter of the products of 16 channels, a twentieth of those of 128; here it is a loop without
 * calls. */
typedef struct {
    const float *a, *b;
    float *sums;
    int64_t row, depth;
    const float *wanted; /* weights that come next, brought to the L2 cache meanwhile, */
    int64_t stride;      /* so many floats further with each channel */
    int add;
} fc_wino_products;

/* rows, nv and fetch are constants at every call. */
FC_INLINE void fc_wino_multiply_rows(const int rows, const int nv, const int fetch,
                                     const fc_wino_products *p) {
    const float *a = p->a, *b = p->b;
    const int64_t row = p->row, depth = p->depth, stride = p->stride;
    const float *wanted = p->wanted;
    float *sums = p->sums;
    vf acc[FC_MR][FC_NV], w[FC_NV];
    if (p->add) {
        FC_UNROLL(12)
        for (int i = 0; i < rows; i++) {
            acc[i][0] = vf_load(sums + i * FC_NR);
            acc[i][1] = nv > 1 ? vf_load(sums + i * FC_NR + VL) : vf_zero();
        }
    } else {
        FC_UNROLL(12)
        for (int i = 0; i < rows; i++) acc[i][0] = acc[i][1] = vf_zero();
    }
    for (int64_t c = 0; c < depth; c++, b += nv * VL) {
        w[0] = vf_load(b);
        w[1] = nv > 1 ? vf_load(b + VL) : w[0];
        if (fetch) {
            fc_prefetch_l2(wanted);
            if (fetch > 1) fc_prefetch_l2(wanted + LINE_FLOATS);
            wanted += stride;
        }
        FC_UNROLL(12)
        for (int i = 0; i < rows; i++) {
            const vf x = vf_set1(a[i * row + c]);
            acc[i][0] = vf_fma(x, w[0], acc[i][0]);
            if (nv > 1) acc[i][1] = vf_fma(x, w[1], acc[i][1]);
        }
    }
    FC_UNROLL(12)
    for (int i = 0; i < rows; i++) {
        vf_store(sums + i * FC_NR, acc[i][0]);
        if (nv > 1) vf_store(sums + i * FC_NR + VL, acc[i][1]);
    }
}

/* The products of `count` squares with FC_WINO_DEPTH channels of weights at most. Not 0: `ahead` floats from
 * b lie the weights that follow, which come from a shared cache or from memory and are brought closer. */
void FC_NAME(fc_wino_multiply)(const fc_wino_products *squares, int64_t count, int vectors, int64_t ahead);

#endif
