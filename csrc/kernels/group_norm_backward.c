/* Group, layer and instance normalization, backward (contract in kernels.def). With z = (x - mean) rstd and
 * d = dy gamma, dx = rstd (d - mean of d - z mean of (d z)), where means are over a group. */
#include "group_norm.h"

FC_TILES(group_norm_backward) {
    if (a->groups * a->c == 0) return 0;
    return a->pixels == 1 ? a->parts : a->parts * fc_group_tiles(a->groups, a->c);
}
/* Single pixels: sums of gamma's and beta's gradients over a block of images. Else those of all a part's
 * images and those of one, in double, and the channels' numbers. */
FC_SCRATCH(group_norm_backward) {
    if (a->pixels == 1) return (size_t)(a->groups * a->c) * 2 * sizeof(float);
    return (size_t)(fc_groups_a_tile(a->groups, a->c) * a->c) * 4 * (sizeof(double) + sizeof(float));
}

/* ---- single pixels ---- */

/* dx of one group, and its part of the sums (NULL: not wanted). */
FC_INLINE void group_gradient(const float *x, const float *dy, const float *gamma, float mean, float rstd,
                              int64_t c, float *dx, float *dgamma, float *dbeta) {
    const double d = fc_weighed_sum(dy, 0.0f, NULL, gamma, c) / (double)c;
    const double dz = fc_weighed_sum(x, mean, dy, gamma, c) / (double)c * (double)rstd;
    const vf off = vf_set1(mean), by = vf_set1(rstd), slope = vf_set1((float)-dz), shift = vf_set1((float)-d);
#define STEP(i, n)                                                                                           \
    do {                                                                                                     \
        const vf up = vf_load_tail(dy + (i), n), z = vf_mul(vf_sub(vf_load_tail(x + (i), n), off), by);      \
        const vf inner = gamma ? vf_mul(up, vf_load_tail(gamma + (i), n)) : up;                              \
        if (dgamma) {                                                                                        \
            vf_store_tail(dgamma + (i), vf_fma(up, z, vf_load_tail(dgamma + (i), n)), n);                    \
            vf_store_tail(dbeta + (i), vf_add(up, vf_load_tail(dbeta + (i), n)), n);                         \
        }                                                                                                    \
        vf_store_tail(dx + (i), vf_mul(by, vf_add(inner, vf_fma(z, slope, shift))), n);                      \
    } while (0)
    FC_FOR_LANES(c, STEP);
#undef STEP
}

/* The images from..to, whose sums are taken in blocks, so that many lose no more digits than a few. dgamma
 * and dbeta are the part's; NULL where they aren't wanted. */
static void single_pixels(const fc_group_norm_backward_args *a, int64_t from, int64_t to, float *dgamma,
                          float *dbeta, float *block) {
    const int64_t c = a->c, width = a->groups * c;
    for (int64_t i = 0; dgamma && i < width; i++) dgamma[i] = dbeta[i] = 0.0f;
    for (int64_t first = from; first < to; first += GROUP_BLOCK) {
        for (int64_t i = 0; i < 2 * width; i++) block[i] = 0.0f;
        for (int64_t image = first; image < fc_min(to, first + GROUP_BLOCK); image++)
            for (int64_t g = 0; g < a->groups; g++) {
                const int64_t group = image * a->groups + g, at = group * c;
                group_gradient(a->x + at, a->dy + at, a->gamma ? a->gamma + g * c : NULL, a->mean[group],
                               a->rstd[group], c, a->dx + at, dgamma ? block + g * c : NULL,
                               block + width + g * c);
            }
        for (int64_t i = 0; dgamma && i < width; i++) {
            dgamma[i] += block[i];
            dbeta[i] += block[width + i];
        }
    }
}

/* ---- several pixels ---- */

/* dx of `groups` groups of one image from group `first` on; adds to total[0][channel] and total[1][channel]
 * what it brings to the gradients of gamma and beta. numbers has room for eight of each channel. */
static void image_gradient(const fc_group_norm_backward_args *a, int64_t image, int64_t first, int64_t groups,
                           double *total, double *numbers) {
    const int64_t c = a->c, width = groups * c, step = a->groups * c,
                  at = image * a->pixels * step + first * c;
    const double count = (double)(a->pixels * c);
    double *dz = numbers, *d = dz + width;
    float *mean = (float *)(d + width), *scale = mean + width, *slope = scale + width, *shift = slope + width;
    for (int64_t g = 0; g < groups; g++)
        for (int64_t i = 0; i < c; i++) mean[g * c + i] = a->mean[image * a->groups + first + g];
    for (int64_t i = 0; i < 2 * width; i++) numbers[i] = 0.0;
    fc_channel_sums(a->x + at, a->dy + at, step, a->pixels, mean, width, dz, d);
    for (int64_t g = 0; g < groups; g++) {
        const double rstd = (double)a->rstd[image * a->groups + first + g];
        double mean_d = 0.0, mean_dz = 0.0;
        for (int64_t i = g * c; i < (g + 1) * c; i++) {
            const double gamma = a->gamma ? (double)a->gamma[first * c + i] : 1.0;
            dz[i] *= rstd;
            total[i] += dz[i];
            total[width + i] += d[i];
            mean_dz += gamma * dz[i] / count;
            mean_d += gamma * d[i] / count;
            scale[i] = (float)(rstd * gamma);
        }
        for (int64_t i = g * c; i < (g + 1) * c; i++) {
            slope[i] = (float)(-rstd * rstd * mean_dz);
            shift[i] = (float)(-rstd * mean_d);
        }
    }
    for (int64_t r = 0; r < a->pixels; r++) {
        const float *x = a->x + at + r * step, *dy = a->dy + at + r * step;
        float *dx = a->dx + at + r * step;
#define STEP(i, n)                                                                                           \
    do {                                                                                                     \
        const vf u = vf_sub(vf_load_tail(x + (i), n), vf_load_tail(mean + (i), n));                          \
        const vf v = vf_fma(u, vf_load_tail(slope + (i), n), vf_load_tail(shift + (i), n));                  \
        vf_store_tail(dx + (i), vf_fma(vf_load_tail(dy + (i), n), vf_load_tail(scale + (i), n), v), n);      \
    } while (0)
        FC_FOR_LANES(width, STEP);
#undef STEP
    }
}

FC_RUN(group_norm_backward) {
    const int64_t channels = a->groups * a->c, tiles = a->pixels == 1 ? 1 : fc_group_tiles(a->groups, a->c);
    const int64_t step = fc_groups_a_tile(a->groups, a->c);
    for (int64_t tile = begin; tile < end; tile++) {
        const int64_t part = tile / tiles, from = a->n * part / a->parts, to = a->n * (part + 1) / a->parts;
        float *dgamma = a->dgamma ? a->dgamma + part * channels : NULL;
        float *dbeta = a->dbeta ? a->dbeta + part * channels : NULL;
        if (a->pixels == 1) {
            single_pixels(a, from, to, dgamma, dbeta, scratch);
            continue;
        }
        const int64_t first = tile % tiles * step, groups = fc_min(step, a->groups - first),
                      width = groups * a->c;
        double *total = scratch;
        for (int64_t i = 0; i < 2 * width; i++) total[i] = 0.0;
        for (int64_t image = from; image < to; image++)
            image_gradient(a, image, first, groups, total, total + 2 * width);
        for (int64_t i = 0; dgamma && i < width; i++) {
            dgamma[first * a->c + i] = (float)total[i];
            dbeta[first * a->c + i] = (float)total[width + i];
        }
    }
}
