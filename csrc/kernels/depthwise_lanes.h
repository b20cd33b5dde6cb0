/* Vectors of channels taken from where a depthwise convolution finds them: neighbouring ones, each several
 * times (a depth multiplier), or every few. For depthwise.c and depthwise_weights.c. */
#ifndef FC_DEPTHWISE_LANES_H
#define FC_DEPTHWISE_LANES_H
#include "kernel.h"

/* Where a vector's lanes come from: `first` on the same number of channels, or these ones. */
typedef struct {
    int64_t first;
    int n; /* lanes */
    int32_t from[16];
    int together, repeated; /* neighbouring channels; neighbouring ones, each several times */
} fc_lanes;

/* Lanes of the output channels from `first` on: each meets the channels / `repeat`, times `every`, + pass. */
FC_INLINE fc_lanes fc_start_lanes(int64_t first, int64_t n, int64_t repeat, int64_t every, int64_t pass) {
    fc_lanes l = {.n = (int)fc_min(n, VL), .together = repeat == 1 && every == 1, .repeated = every == 1};
    l.first = first / repeat * every + pass;
    if (l.together) return l; /* most: spares small maps dozens of divisions a tile */
    for (int i = 0; i < l.n; i++) l.from[i] = (int32_t)(((first + i) / repeat - first / repeat) * every);
    return l;
}

/* One vector of each of `count` pixels, `step` floats apart, to `to`, `to_step` floats apart. Lanes from n on
 * are zeros. */
static inline void fc_copy_lanes(const fc_lanes *l, const float *from, int64_t count, int64_t step, float *to,
                                 int64_t to_step) {
    from += l->first;
    if (l->together) {
        for (int64_t i = 0; i < count; i++) vf_store(to + i * to_step, vf_load_tail(from + i * step, l->n));
    } else if (FC_PICKS && l->repeated) {
        const int read = l->from[l->n - 1] + 1;
        for (int64_t i = 0; i < count; i++)
            vf_store(to + i * to_step,
                     vf_keep(vf_pick(vf_load_tail(from + i * step, read), vi_load_n(l->from, l->n)), l->n));
    } else {
        for (int64_t i = 0; i < count; i++, from += step, to += to_step) {
            for (int j = 0; j < l->n; j++) to[j] = from[l->from[j]];
            for (int j = l->n; j < VL; j++) to[j] = 0.0f;
        }
    }
}

#endif
