/* Average pooling, vectors along the channels; global average pooling is one window as large as the image. */
#include "pool.h"

/* scale x the sum over rows x columns places of the channels ch .. ch + vectors VL (n < VL of them if vectors
 * is 1). Each row is summed on its own first: thousands of places then lose no more digits than a few dozen.
 */
FC_INLINE void avg_lanes(const float *x, int64_t rows, int64_t columns, int64_t row_step, int64_t column_step,
                         int64_t ch, int vectors, int64_t n, float scale, float *y) {
    vf total[4], sum[4];
    for (int v = 0; v < vectors; v++) total[v] = vf_zero();
    for (int64_t r = 0; r < rows; r++) {
        for (int v = 0; v < vectors; v++) sum[v] = vf_zero();
        for (int64_t s = 0; s < columns; s++)
            for (int v = 0; v < vectors; v++)
                sum[v] = vf_add(sum[v], vf_load_tail(x + r * row_step + s * column_step + ch + v * VL, n));
        for (int v = 0; v < vectors; v++) total[v] = vf_add(total[v], sum[v]);
    }
    for (int v = 0; v < vectors; v++) vf_store_tail(y + ch + v * VL, vf_mul(total[v], vf_set1(scale)), n);
}

FC_INLINE void avg_window(const float *x, int64_t rows, int64_t columns, int64_t row_step,
                          int64_t column_step, int64_t channels, float scale, float *y) {
    int64_t ch = 0;
    for (; ch + 4 * VL <= channels; ch += 4 * VL)
        avg_lanes(x, rows, columns, row_step, column_step, ch, 4, VL, scale, y);
    for (; ch + VL <= channels; ch += VL)
        avg_lanes(x, rows, columns, row_step, column_step, ch, 1, VL, scale, y);
    if (ch < channels) avg_lanes(x, rows, columns, row_step, column_step, ch, 1, channels - ch, scale, y);
}

/* 1 / divisor of a window with `inside` elements inside x; a window wholly in the padding gives 0. */
FC_INLINE float avg_scale(int64_t inside, int64_t window, int64_t include_pad) {
    const int64_t divisor = include_pad ? window : inside;
    return divisor > 0 ? 1.0f / (float)divisor : 0.0f;
}

FC_INLINE void avg_row(const fc_avg_pool_forward_args *a, int64_t image, int64_t i, int64_t channel,
                       int64_t channels) {
    const int64_t row_step = a->w * a->c, c = a->c;
    const pool_range r = pool_inside(i, a->sh, a->pt, a->ph, a->h);
    const int64_t rows = r.end - r.begin;
    const float *x = a->x + (image * a->h + i * a->sh - a->pt + r.begin) * row_step + channel;
    for (int64_t j = 0; j < a->ow; j++) {
        const pool_range s = pool_inside(j, a->sw, a->pl, a->pw, a->w);
        const int64_t columns = s.end - s.begin;
        const float scale = avg_scale(rows * columns, a->ph * a->pw, a->include_pad);
        const float *first = x + (j * a->sw - a->pl + s.begin) * c;
        float *y = a->y + ((image * a->oh + i) * a->ow + j) * c + channel;
        if (rows == 2 && columns == 2)
            avg_window(first, 2, 2, row_step, c, channels, scale, y);
        else
            avg_window(first, rows, columns, row_step, c, channels, scale, y);
    }
}

FC_TILES(avg_pool_forward) {
    const pool_shape s = POOL_SHAPE(a);
    const pool_cut cut = pool_forward_cut(&s);
    return s.n * cut.bands * cut.blocks;
}
FC_NO_SCRATCH(avg_pool_forward)
FC_RUN(avg_pool_forward) {
    (void)scratch;
    const pool_shape s = POOL_SHAPE(a);
    const pool_cut cut = pool_forward_cut(&s);
    for (int64_t tile = begin; tile < end; tile++) {
        const int64_t channel = tile % cut.blocks * cut.channels, band = tile / cut.blocks % cut.bands;
        const int64_t image = tile / (cut.blocks * cut.bands), first = band * cut.rows;
        const int64_t last = fc_min(s.oh, first + cut.rows), channels = fc_min(cut.channels, s.c - channel);
        for (int64_t i = first; i < last; i++) avg_row(a, image, i, channel, channels);
    }
}

/* One pixel of dx: the sum of scale x dy over the windows that cover it. dy is the image's first output. */
FC_INLINE void avg_gradient_lanes(const fc_avg_pool_backward_args *a, const float *dy, pool_range rows,
                                  pool_range columns, float *dx, int64_t ch, int64_t n) {
    vf sum = vf_zero();
    for (int64_t i = rows.begin; i < rows.end; i++) {
        const pool_range r = pool_inside(i, a->sh, a->pt, a->ph, a->h);
        for (int64_t j = columns.begin; j < columns.end; j++) {
            const pool_range s = pool_inside(j, a->sw, a->pl, a->pw, a->w);
            const float scale =
                avg_scale((r.end - r.begin) * (s.end - s.begin), a->ph * a->pw, a->include_pad);
            sum = vf_fma(vf_load_tail(dy + (i * a->ow + j) * a->c + ch, n), vf_set1(scale), sum);
        }
    }
    vf_store_tail(dx + ch, sum, n);
}

FC_TILES(avg_pool_backward) {
    const pool_shape s = POOL_SHAPE(a);
    return s.n * pool_backward_cut(&s).bands;
}
/* The covering windows of every column, as in max_pool_backward. */
FC_SCRATCH(avg_pool_backward) { return (size_t)a->w * sizeof(pool_range); }
FC_RUN(avg_pool_backward) {
    const pool_shape s = POOL_SHAPE(a);
    const pool_cut cut = pool_backward_cut(&s);
    pool_range *columns = scratch;
    for (int64_t x = 0; x < s.w; x++) columns[x] = pool_covering(x, s.sw, s.pl, s.pw, s.ow);
    for (int64_t tile = begin; tile < end; tile++) {
        const int64_t image = tile / cut.bands, first = tile % cut.bands * cut.rows;
        const float *dy = a->dy + image * s.oh * s.ow * s.c;
        for (int64_t y = first; y < fc_min(s.h, first + cut.rows); y++) {
            const pool_range rows = pool_covering(y, s.sh, s.pt, s.ph, s.oh);
            float *dx = a->dx + (image * s.h + y) * s.w * s.c;
            for (int64_t x = 0; x < s.w; x++, dx += s.c) {
                int64_t ch = 0;
                for (; ch + VL <= s.c; ch += VL) avg_gradient_lanes(a, dy, rows, columns[x], dx, ch, VL);
                if (ch < s.c) avg_gradient_lanes(a, dy, rows, columns[x], dx, ch, s.c - ch);
            }
        }
    }
}
