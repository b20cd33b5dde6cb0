/* What is to be done to each image's pixels one by one: their statistics, and the list that they and the
 * steps make. augment_points.c does it. */
#include "augment.h"

/* ---- statistics ---- */

/* One channel of one image, as sums of doubles over blocks of floats. */
FC_INLINE void channel_statistics(const void *x, int64_t at, int64_t pixels, int64_t c, float *to,
                                  int bytes) {
    double total = 0.0;
    float least = fc_pixel(x, at, bytes), greatest = least;
    for (int64_t i = 0; i < pixels; i += 256) {
        float sum = 0.0f;
        for (int64_t j = i; j < fc_min(i + 256, pixels); j++) {
            const float v = fc_pixel(x, at + j * c, bytes);
            sum += v;
            least = v < least ? v : least;
            greatest = v > greatest ? v : greatest;
        }
        total += sum;
    }
    to[0] = (float)(total / (double)pixels);
    to[1] = least;
    to[2] = greatest;
}

/* All channels of an image of three at once: a vector after the other, three make whole pixels again. */
FC_INLINE void three_channels(const void *x, int64_t at, int64_t pixels, float *to, int bytes) {
    double total[3] = {0.0, 0.0, 0.0};
    vf least[3], greatest[3];
    float lanes[3 * VL], low[3 * VL], high[3 * VL];
    const int64_t whole = pixels / VL * VL;
    for (int k = 0; k < 3; k++) least[k] = greatest[k] = fc_pixels(x, at + k * VL, VL, bytes);
    for (int64_t i = 0; i < whole; i += 256 * VL) {
        vf sum[3] = {vf_zero(), vf_zero(), vf_zero()};
        for (int64_t j = i; j < fc_min(i + 256 * VL, whole); j += VL)
            for (int k = 0; k < 3; k++) {
                const vf v = fc_pixels(x, at + 3 * j + k * VL, VL, bytes);
                sum[k] = vf_add(sum[k], v);
                least[k] = vf_min(v, least[k]);
                greatest[k] = vf_max(v, greatest[k]);
            }
        for (int k = 0; k < 3; k++) vf_store(lanes + k * VL, sum[k]);
        for (int l = 0; l < 3 * VL; l++) total[l % 3] += lanes[l];
    }
    for (int k = 0; k < 3; k++) {
        vf_store(low + k * VL, least[k]);
        vf_store(high + k * VL, greatest[k]);
    }
    for (int l = 3; l < 3 * VL; l++) {
        low[l % 3] = low[l] < low[l % 3] ? low[l] : low[l % 3];
        high[l % 3] = high[l] > high[l % 3] ? high[l] : high[l % 3];
    }
    for (int ch = 0; ch < 3; ch++) {
        for (int64_t i = whole; i < pixels; i++) {
            const float v = fc_pixel(x, at + 3 * i + ch, bytes);
            total[ch] += v;
            low[ch] = v < low[ch] ? v : low[ch];
            high[ch] = v > high[ch] ? v : high[ch];
        }
        to[3 * ch] = (float)(total[ch] / (double)pixels);
        to[3 * ch + 1] = low[ch];
        to[3 * ch + 2] = high[ch];
    }
}

FC_INLINE void image_statistics(const void *x, int64_t image, int64_t pixels, int64_t c, float *to,
                                int bytes) {
    const int64_t at = image * pixels * c;
    if (c == 3 && pixels >= VL)
        three_channels(x, at, pixels, to + image * 9, bytes);
    else
        for (int64_t ch = 0; ch < c; ch++)
            channel_statistics(x, at + ch, pixels, c, to + (image * c + ch) * 3, bytes);
}

#define STATISTICS(name, bytes)                                                                              \
    FC_TILES(name) { return a->n; }                                                                          \
    FC_NO_SCRATCH(name)                                                                                      \
    FC_RUN(name) {                                                                                           \
        (void)scratch;                                                                                       \
        for (int64_t i = begin; i < end; i++)                                                                \
            image_statistics(a->x, i, a->pixels, a->c, a->statistics, bytes);                                \
    }
STATISTICS(augment_statistics_u8, 1)
STATISTICS(augment_statistics_f32, 0)

/* ---- lists ---- */

/* The linear map that steps before make together: of 3 channels a matrix [3][4], else factors [c] and
 * summands [c]. */
static void begin_map(float *map, int64_t c) {
    memset(map, 0, (size_t)(4 * c) * sizeof *map);
    for (int64_t ch = 0; ch < c; ch++) map[c == 3 ? 5 * ch : ch] = 1.0f;
}

/* map = x -> x factor + summand, after map. */
static void scale_channel(float *map, int64_t c, int64_t ch, double factor, double summand) {
    if (c == 3) {
        float *row = map + 4 * ch;
        for (int k = 0; k < 3; k++) row[k] = (float)(row[k] * factor);
        row[3] = (float)(row[3] * factor + summand);
    } else {
        map[ch] = (float)(map[ch] * factor);
        map[c + ch] = (float)(map[c + ch] * factor + summand);
    }
}

static const double gray[3] = {0.2989, 0.5870, 0.1140};

/* The mean of a channel of the image that map makes. */
static double mean_after(const float *map, const float *statistics, int64_t c, int64_t ch) {
    if (c != 3) return (double)map[ch] * statistics[3 * ch] + map[c + ch];
    double sum = map[4 * ch + 3];
    for (int k = 0; k < 3; k++) sum += (double)map[4 * ch + k] * statistics[3 * k];
    return sum;
}

static double gray_mean(const float *map, const float *statistics, int64_t c) {
    double sum = 0.0;
    for (int64_t ch = 0; ch < c; ch++)
        sum += (c == 3 ? gray[ch] : 1.0 / (double)c) * mean_after(map, statistics, c, ch);
    return sum;
}

static void towards_gray(float *map, double v) {
    float before[12];
    memcpy(before, map, sizeof before);
    for (int ch = 0; ch < 3; ch++)
        for (int k = 0; k < 4; k++) {
            double of_gray = 0.0;
            for (int from = 0; from < 3; from++) of_gray += gray[from] * before[4 * from + k];
            map[4 * ch + k] = (float)(before[4 * ch + k] * v + of_gray * (1.0 - v));
        }
}

static void linear_step(const fc_augment_colors_args *a, const double *step, const float *v,
                        const float *statistics, float *map) {
    const double range = a->high - a->low;
    const int64_t c = a->c;
    if (step[FC_STEP_KIND] == FC_AUG_COLOR) {
        if (c == 3) towards_gray(map, v[0]);
        return;
    }
    const int of_gray = step[FC_STEP_KIND] == FC_AUG_CONTRAST && step[FC_STEP_FIXED] != 0.0;
    const double mean = of_gray ? gray_mean(map, statistics, c) : 0.0;
    for (int64_t ch = 0; ch < c; ch++) {
        const float *of = statistics + 3 * ch;
        switch ((int)step[FC_STEP_KIND]) {
        case FC_AUG_SHIFT:
            scale_channel(map, c, ch, 1.0, v[0] * range);
            break;
        case FC_AUG_SCALE:
            scale_channel(map, c, ch, v[0], 0.0);
            break;
        case FC_AUG_INVERT:
            scale_channel(map, c, ch, -1.0, a->low + a->high);
            break;
        case FC_AUG_CONTRAST: {
            const double middle = of_gray ? mean : mean_after(map, statistics, c, ch);
            scale_channel(map, c, ch, v[0], middle * (1.0 - v[0]));
            break;
        }
        case FC_AUG_STRETCH:
            if (of[2] > of[1]) {
                const double factor = range / ((double)of[2] - of[1]);
                scale_channel(map, c, ch, factor, a->low - of[1] * factor);
            }
            break;
        default:
            break;
        }
    }
}

static float *end_map(float *to, const float *map, int64_t c) {
    to[0] = FC_AUG_SHIFT;
    to[1] = 0.0f;
    memcpy(to + 2, map, (size_t)(4 * c) * sizeof *map);
    return to + FC_AUG_ENTRY_OF(c);
}

static void make_list(const fc_augment_colors_args *a, int64_t image, float *map) {
    const int64_t c = a->c;
    float *to = a->lists + image * (a->k + 1) * FC_AUG_ENTRY_OF(c);
    const float *statistics = a->statistics == NULL ? NULL : a->statistics + image * c * 3;
    memset(to, 0, (size_t)((a->k + 1) * FC_AUG_ENTRY_OF(c)) * sizeof *to);
    int open = 0;
    for (int64_t s = 0; s < a->k; s++) {
        const double *step = a->steps + s * FC_STEP_SIZE;
        const float *drawn = a->drawn + (image * a->k + s) * FC_DRAWN;
        const int kind = (int)step[FC_STEP_KIND];
        if (drawn[0] == 0.0f || kind < FC_AUG_SHIFT || kind > FC_AUG_SALT) continue;
        if (kind <= FC_AUG_STRETCH) {
            if (!open) begin_map(map, c);
            open = 1;
            linear_step(a, step, drawn + 1, statistics, map);
            continue;
        }
        if (kind == FC_AUG_HSV && c != 3) continue;
        if (open) to = end_map(to, map, c);
        open = 0;
        to[0] = (float)kind;
        to[1] = (float)step[FC_STEP_LANE];
        to[2] = drawn[1];
        to[3] = drawn[2];
        to[4] = (float)step[FC_STEP_FIXED];
        to += FC_AUG_ENTRY_OF(c);
    }
    if (open) to = end_map(to, map, c);
    if (to < a->lists + (image + 1) * (a->k + 1) * FC_AUG_ENTRY_OF(c)) to[0] = -1.0f;
}

FC_TILES(augment_colors) { return (a->n + 31) / 32; }
FC_SCRATCH(augment_colors) { return (size_t)(4 * a->c) * sizeof(float); }
FC_RUN(augment_colors) {
    for (int64_t i = begin * 32; i < fc_min(end * 32, a->n); i++) make_list(a, i, scratch);
}
