/* Batch normalization: the few numbers of each channel, between the passes over the data. In double: there
 * are thousands at most, and their rounding would reach every element. */
#include "batch_norm_backward.h"

#define CHANNELS 256

static int64_t channel_tiles(int64_t c) { return (c + CHANNELS - 1) / CHANNELS; }

FC_INLINE double rstd_of(double variance, double epsilon) { return 1.0 / sqrt(variance + epsilon); }

/* scale and shift such that x scale + shift is the normalized x. */
FC_INLINE void put_scale(const float *gamma, const float *beta, double mean, double variance, double epsilon,
                         int64_t i, float *scale, float *shift) {
    const double s = rstd_of(variance, epsilon) * (gamma ? (double)gamma[i] : 1.0);
    scale[i] = (float)s;
    shift[i] = (float)((beta ? (double)beta[i] : 0.0) - mean * s);
}

FC_TILES(batch_norm_scales) { return channel_tiles(a->c); }
FC_NO_SCRATCH(batch_norm_scales)
FC_RUN(batch_norm_scales) {
    (void)scratch;
    const int64_t to = fc_min(end * CHANNELS, a->c);
    for (int64_t i = begin * CHANNELS; i < to; i++)
        put_scale(a->gamma, a->beta, (double)a->mean[i], (double)a->variance[i], a->epsilon, i, a->scale,
                  a->shift);
}

FC_TILES(batch_norm_join) { return channel_tiles(a->c); }
FC_NO_SCRATCH(batch_norm_join)
FC_RUN(batch_norm_join) {
    (void)scratch;
    const double m = a->momentum;
    for (int64_t tile = begin; tile < end; tile++) {
        const int64_t from = tile * CHANNELS, count = fc_min(CHANNELS, a->c - from);
        double mean[CHANNELS] = {0.0}, m2[CHANNELS] = {0.0};
        for (int64_t p = 0; p < a->parts; p++) {
            const int64_t before = fc_norm_start(a->rows, p, a->parts),
                          rows = fc_norm_start(a->rows, p + 1, a->parts) - before;
            if (rows == 0) continue;
            const float *part_mean = a->sums + 2 * p * a->c + from, *part_m2 = part_mean + a->c;
            const double share = (double)rows / (double)(before + rows), weight = (double)before * share;
            for (int64_t i = 0; i < count; i++) {
                const double d = (double)part_mean[i] - mean[i];
                mean[i] += d * share;
                m2[i] += (double)part_m2[i] + d * d * weight;
            }
        }
        for (int64_t i = 0; i < count; i++) {
            const int64_t at = from + i;
            const double variance = m2[i] / (double)fc_max(1, a->rows);
            a->mean[at] = (float)mean[i];
            a->variance[at] = (float)variance;
            put_scale(a->gamma, a->beta, mean[i], variance, a->epsilon, at, a->scale, a->shift);
            if (a->new_mean) a->new_mean[at] = (float)(m * (double)a->moving_mean[at] + (1.0 - m) * mean[i]);
            if (a->new_variance)
                a->new_variance[at] = (float)(m * (double)a->moving_variance[at] + (1.0 - m) * variance);
        }
    }
}

FC_TILES(batch_norm_slopes) { return channel_tiles(a->c); }
FC_NO_SCRATCH(batch_norm_slopes)
FC_RUN(batch_norm_slopes) {
    (void)scratch;
    for (int64_t tile = begin; tile < end; tile++) {
        const int64_t from = tile * CHANNELS, count = fc_min(CHANNELS, a->c - from);
        double sum[CHANNELS] = {0.0}, dot[CHANNELS] = {0.0};
        for (int64_t p = 0; p < a->parts; p++) {
            const float *part_sum = a->sums + 2 * p * a->c + from, *part_dot = part_sum + a->c;
            for (int64_t i = 0; i < count; i++) {
                sum[i] += (double)part_sum[i];
                dot[i] += (double)part_dot[i];
            }
        }
        for (int64_t i = 0; i < count; i++) {
            const int64_t at = from + i;
            fc_norm_slope(sum[i], dot[i], a->rows, a->epsilon, (double)a->mean[at], (double)a->variance[at],
                          (double)a->scale[at], a->dgamma ? a->dgamma + at : NULL,
                          a->dbeta ? a->dbeta + at : NULL, a->slope + at, a->offset + at);
        }
    }
}
