/* How group normalization is cut, and the sums of one group of one pixel (group_norm.c,
 * group_norm_backward.c).
 *
 * Two ways. Where images are single pixels (layer normalization), groups are short rows that lie together:
 * each is summed and normalized while it is in the cache. Else vectors go along the channels of several
 * groups, over all pixels of an image: sums of each channel first, which then are joined to those of groups.
 */
#ifndef FC_GROUP_NORM_H
#define FC_GROUP_NORM_H
#include "rows.h"

/* Channels that a tile of an image with many pixels takes at least, two cache lines: more tiles where there
 * are few images. */
#define GROUP_CHANNELS 32
/* Pixels whose sums are taken in float, before they are added up in double. */
#define GROUP_BLOCK 64

/* Groups to a tile, and tiles to an image. */
FC_INLINE int64_t fc_groups_a_tile(int64_t groups, int64_t c) {
    return fc_min(fc_max(1, groups), (GROUP_CHANNELS + c - 1) / fc_max(1, c));
}
FC_INLINE int64_t fc_group_tiles(int64_t groups, int64_t c) {
    const int64_t step = fc_groups_a_tile(groups, fc_max(1, c));
    return c == 0 ? 0 : (groups + step - 1) / step;
}

/* The sum over i < count of (p[i] - shift) q[i] w[i], each of q and w 1 where it is NULL; of (p[i] - shift)^2
 * where q is p. Blocks of 64 vectors in four sums; blocks in double. */
FC_INLINE double fc_weighed_sum(const float *p, float shift, const float *q, const float *w, int64_t count) {
    const vf off = vf_set1(shift);
    double total = 0.0;
    for (int64_t from = 0; from < count; from += 64 * VL) {
        const int64_t to = fc_min(count, from + 64 * VL);
        vf sum[4] = {vf_zero(), vf_zero(), vf_zero(), vf_zero()};
        int64_t i = from;
#define STEP(j, n)                                                                                           \
    do {                                                                                                     \
        const vf u = vf_sub(vf_load_tail(p + i, n), off);                                                    \
        vf v = q == NULL ? vf_set1(1.0f) : q == p ? u : vf_load_tail(q + i, n);                              \
        if (w) v = vf_mul(v, vf_load_tail(w + i, n));                                                        \
        sum[j] = vf_add(sum[j], vf_keep(vf_mul(u, v), n));                                                   \
        i += VL;                                                                                             \
    } while (0)
        while (i + 4 * VL <= to) {
            STEP(0, VL);
            STEP(1, VL);
            STEP(2, VL);
            STEP(3, VL);
        }
        while (i < to) STEP(0, to - i);
#undef STEP
        total += (double)vf_sum(vf_add(vf_add(sum[0], sum[1]), vf_add(sum[2], sum[3])));
    }
    return total;
}

/* first[i] += sums over the pixels of x[i] - mean[i], times y[i] where y isn't NULL, squared where y is x;
 * mean NULL: 0. second[i] += sums of y[i] where second isn't NULL. Pixels lie `step` floats apart; channels
 * <= GROUP_CHANNELS at a time in registers. */
FC_INLINE void fc_channel_sums(const float *x, const float *y, int64_t step, int64_t pixels,
                               const float *mean, int64_t channels, double *first, double *second) {
    float block[VL];
    for (int64_t i = 0; i < channels; i += VL) {
        const int64_t n = fc_min(VL, channels - i);
        const vf off = mean ? vf_load_tail(mean + i, n) : vf_zero();
        for (int64_t from = 0; from < pixels; from += GROUP_BLOCK) {
            const int64_t to = fc_min(pixels, from + GROUP_BLOCK);
            /* Four sums of pixels in turn, which don't wait for each other. */
            vf s[4] = {vf_zero(), vf_zero(), vf_zero(), vf_zero()};
            vf t[4] = {vf_zero(), vf_zero(), vf_zero(), vf_zero()};
            int64_t r = from;
#define STEP(j)                                                                                              \
    do {                                                                                                     \
        const vf u = vf_sub(vf_load_tail(x + r * step + i, n), off);                                         \
        const vf v = y == NULL ? vf_set1(1.0f) : y == x ? u : vf_load_tail(y + r * step + i, n);             \
        s[j] = vf_fma(u, v, s[j]);                                                                           \
        if (second) t[j] = vf_add(t[j], v);                                                                  \
        r++;                                                                                                 \
    } while (0)
            while (r + 4 <= to) {
                STEP(0);
                STEP(1);
                STEP(2);
                STEP(3);
            }
            while (r < to) STEP(0);
#undef STEP
            vf_store(block, vf_add(vf_add(s[0], s[1]), vf_add(s[2], s[3])));
            for (int64_t j = 0; j < n; j++) first[i + j] += (double)block[j];
            if (second) {
                vf_store(block, vf_add(vf_add(t[0], t[1]), vf_add(t[2], t[3])));
                for (int64_t j = 0; j < n; j++) second[i + j] += (double)block[j];
            }
        }
    }
}

#endif
