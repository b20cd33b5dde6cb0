/* What happens to gradients between backward and optimizer, and to weights after it: norms, clipping,
 * averages. Flat memory again, so that one call serves all weights; it is cut into parts of at most FC_CHUNK
 * floats, none of which holds parts of two weights. */
#include "kernel.h"

/* Squares that no float holds. */
static double square_sum_of_huge(const float *x, int64_t count) {
    double total = 0.0;
    for (int64_t i = 0; i < count; i++) total += (double)x[i] * (double)x[i];
    return total;
}

/* Blocks of 64 vectors in four sums; the blocks' sums in double, as in reduce.c. */
static double square_sum(const float *x, int64_t count) {
    double total = 0.0;
    for (int64_t from = 0; from < count; from += 64 * VL) {
        const int64_t n = fc_min(64 * VL, count - from);
        const float *p = x + from;
        vf s[4] = {vf_zero(), vf_zero(), vf_zero(), vf_zero()};
        int64_t i = 0;
        for (; i + 4 * VL <= n; i += 4 * VL)
            for (int k = 0; k < 4; k++) {
                const vf v = vf_load(p + i + k * VL);
                s[k] = vf_fma(v, v, s[k]);
            }
        for (; i < n; i += VL) {
            const vf v = vf_load_tail(p + i, n - i);
            s[0] = vf_fma(v, v, s[0]);
        }
        const float sum = vf_sum(vf_add(vf_add(s[0], s[1]), vf_add(s[2], s[3])));
        total += isinf(sum) ? square_sum_of_huge(p, n) : (double)sum;
    }
    return total;
}

FC_TILES(square_sums) { return a->parts; }
FC_NO_SCRATCH(square_sums)
FC_RUN(square_sums) {
    (void)scratch;
    for (int64_t p = begin; p < end; p++)
        a->sums[p] = square_sum(a->x + a->bounds[p], a->bounds[p + 1] - a->bounds[p]);
}

FC_TILES(clip_norms) { return a->parts; }
FC_NO_SCRATCH(clip_norms)
FC_RUN(clip_norms) {
    (void)scratch;
    int64_t known = -1;
    double scale = 1.0;
    for (int64_t p = begin; p < end; p++) {
        /* The parts of one group have one norm: it is added up once for all of them that this call does. */
        if (a->groups[2 * p] != known) {
            known = a->groups[2 * p];
            double sum = 0.0;
            for (int64_t q = known; q < a->groups[2 * p + 1]; q++) sum += a->sums[q];
            const double norm = sqrt(sum);
            /* A norm of NaN is not below the limit: all that it is the norm of becomes NaN. */
            scale = norm <= a->limit ? 1.0 : a->limit / norm;
        }
        if (scale == 1.0) continue;
        const vf factor = vf_set1((float)scale);
        float *g = a->g + a->bounds[p];
        const int64_t count = a->bounds[p + 1] - a->bounds[p];
#define STEP(i, n) vf_store_tail(g + (i), vf_mul(factor, vf_load_tail(g + (i), n)), n)
        FC_FOR_LANES(count, STEP);
#undef STEP
    }
}

FC_TILES(moving_average) { return fc_chunks(a->count); }
FC_NO_SCRATCH(moving_average)
FC_RUN(moving_average) {
    (void)scratch;
    const int64_t from = begin * FC_CHUNK, count = fc_min(end * FC_CHUNK, a->count) - from;
    const vf keep = vf_set1((float)a->hyper[FC_HYPER_MOMENTUM]);
    const vf rest = vf_set1((float)(1.0 - a->hyper[FC_HYPER_MOMENTUM]));
    const float *x = a->x + from;
    float *y = a->y + from;
#define STEP(i, n)                                                                                           \
    vf_store_tail(y + (i), vf_fma(keep, vf_load_tail(y + (i), n), vf_mul(rest, vf_load_tail(x + (i), n))), n)
    FC_FOR_LANES(count, STEP);
#undef STEP
}
