/* Group, layer and instance normalization, forward (contract in kernels.def). Variances are sums of squared
 * deviations from the mean, in a second pass: exact however large the mean is. */
#include "group_norm.h"

/* Images to a tile, where they are single pixels. */
static int64_t pixels_a_tile(const fc_group_norm_forward_args *a) {
    return fc_max(1, FC_CHUNK / 2 / fc_max(1, a->groups * a->c));
}

FC_TILES(group_norm_forward) {
    if (a->pixels == 0 || a->groups * a->c == 0) return 0;
    if (a->pixels > 1) return a->n * fc_group_tiles(a->groups, a->c);
    return (a->n + pixels_a_tile(a) - 1) / pixels_a_tile(a);
}
FC_SCRATCH(group_norm_forward) {
    if (a->pixels <= 1) return 0;
    return (size_t)(fc_groups_a_tile(a->groups, a->c) * a->c) * (sizeof(double) + 3 * sizeof(float));
}

static float rstd_of(double sum_of_squares, double count, double epsilon) {
    return (float)(1.0 / sqrt(sum_of_squares / count + epsilon));
}

static void note(const fc_group_norm_forward_args *a, int64_t group, float mean, float rstd) {
    if (a->mean) a->mean[group] = mean;
    if (a->rstd) a->rstd[group] = rstd;
}

/* y = (x - mean) scale gamma + beta for the `count` channels of one group of one pixel. */
FC_INLINE void normalize(const float *x, const float *gamma, const float *beta, float mean, float scale,
                         int64_t count, float *y) {
    const vf off = vf_set1(mean), by = vf_set1(scale);
#define STEP(i, n)                                                                                           \
    do {                                                                                                     \
        const vf w = gamma ? vf_mul(by, vf_load_tail(gamma + (i), n)) : by;                                  \
        const vf b = beta ? vf_load_tail(beta + (i), n) : vf_zero();                                         \
        vf_store_tail(y + (i), vf_fma(vf_sub(vf_load_tail(x + (i), n), off), w, b), n);                      \
    } while (0)
    FC_FOR_LANES(count, STEP);
#undef STEP
}

static void single_pixel(const fc_group_norm_forward_args *a, int64_t image) {
    const int64_t c = a->c;
    for (int64_t g = 0; g < a->groups; g++) {
        const float *x = a->x + (image * a->groups + g) * c;
        const float mean = (float)(fc_weighed_sum(x, 0.0f, NULL, NULL, c) / (double)c);
        const float rstd = rstd_of(fc_weighed_sum(x, mean, x, NULL, c), (double)c, a->epsilon);
        note(a, image * a->groups + g, mean, rstd);
        normalize(x, a->gamma ? a->gamma + g * c : NULL, a->beta ? a->beta + g * c : NULL, mean, rstd, c,
                  a->y + (image * a->groups + g) * c);
    }
}

/* `groups` groups of one image from group `first` on. */
static void several_pixels(const fc_group_norm_forward_args *a, int64_t image, int64_t first, int64_t groups,
                           double *sums) {
    const int64_t c = a->c, width = groups * c, step = a->groups * c, from = first * c;
    const double count = (double)(a->pixels * c);
    float *mean = (float *)(sums + width), *scale = mean + width, *shift = scale + width;
    const float *x = a->x + image * a->pixels * step + from;
    float *y = a->y + image * a->pixels * step + from;
    for (int64_t i = 0; i < width; i++) sums[i] = 0.0;
    fc_channel_sums(x, NULL, step, a->pixels, NULL, width, sums, NULL);
    for (int64_t g = 0; g < groups; g++) {
        double total = 0.0;
        for (int64_t i = 0; i < c; i++) total += sums[g * c + i];
        for (int64_t i = 0; i < c; i++) mean[g * c + i] = (float)(total / count);
    }
    for (int64_t i = 0; i < width; i++) sums[i] = 0.0;
    fc_channel_sums(x, x, step, a->pixels, mean, width, sums, NULL);
    for (int64_t g = 0; g < groups; g++) {
        double total = 0.0;
        for (int64_t i = 0; i < c; i++) total += sums[g * c + i];
        const float rstd = rstd_of(total, count, a->epsilon);
        note(a, image * a->groups + first + g, mean[g * c], rstd);
        for (int64_t i = g * c; i < (g + 1) * c; i++) {
            scale[i] = a->gamma ? rstd * a->gamma[from + i] : rstd;
            shift[i] = a->beta ? a->beta[from + i] : 0.0f;
        }
    }
    for (int64_t r = 0; r < a->pixels; r++, x += step, y += step) {
#define STEP(i, n)                                                                                           \
    vf_store_tail(y + (i),                                                                                   \
                  vf_fma(vf_sub(vf_load_tail(x + (i), n), vf_load_tail(mean + (i), n)),                      \
                         vf_load_tail(scale + (i), n), vf_load_tail(shift + (i), n)),                        \
                  n)
        FC_FOR_LANES(width, STEP);
#undef STEP
    }
}

FC_RUN(group_norm_forward) {
    if (a->pixels == 1) {
        const int64_t step = pixels_a_tile(a);
        for (int64_t image = begin * step; image < fc_min(end * step, a->n); image++) single_pixel(a, image);
        return;
    }
    const int64_t tiles = fc_group_tiles(a->groups, a->c), groups = fc_groups_a_tile(a->groups, a->c);
    for (int64_t tile = begin; tile < end; tile++) {
        const int64_t first = tile % tiles * groups;
        several_pixels(a, tile / tiles, first, fc_min(groups, a->groups - first), scratch);
    }
}
