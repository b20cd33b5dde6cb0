/* Average pooling, vectors along the channels; global average pooling is one window as large as the image. */
#include "pool.h"
#include "rows.h"

/* Channels that a large window sums at a time: long runs of memory, as the next place is often on another
 * page, where the processor fetches nothing ahead. */
#define CHANNELS 2048
/* Places of a window, at most, that are summed in one go. */
#define PLACES 64

/* scale x the sum over rows x columns places, for the n <= VL channels from x on. */
FC_INLINE void avg_lanes(const float *x, int64_t rows, int64_t columns, int64_t row_step, int64_t column_step,
                         int64_t n, float scale, float *y) {
    vf sum = vf_zero();
    for (int64_t r = 0; r < rows; r++)
        for (int64_t s = 0; s < columns; s++)
            sum = vf_add(sum, vf_load_tail(x + r * row_step + s * column_step, n));
    vf_store_tail(y, vf_mul(sum, vf_set1(scale)), n);
}

FC_INLINE void avg_window(const float *x, int64_t rows, int64_t columns, int64_t row_step,
                          int64_t column_step, int64_t channels, float scale, float *y) {
    int64_t ch = 0;
    for (; ch + VL <= channels; ch += VL)
        avg_lanes(x + ch, rows, columns, row_step, column_step, VL, scale, y + ch);
    if (ch < channels) avg_lanes(x + ch, rows, columns, row_step, column_step, channels - ch, scale, y + ch);
}

/* The same for large windows. Each row is summed on its own first: thousands of places then lose no more
 * digits than a few dozen. A few dozen that follow each other are one row, such as all of an image of 7x7. */
static void avg_large_window(const float *x, int64_t rows, int64_t columns, int64_t row_step,
                             int64_t column_step, int64_t channels, float scale, float *y) {
    float row[CHANNELS], total[CHANNELS];
    if (row_step == columns * column_step && rows * columns <= PLACES) {
        columns *= rows;
        rows = 1;
    }
    for (int64_t ch = 0; ch < channels; ch += CHANNELS) {
        const int64_t n = fc_min(CHANNELS, channels - ch);
        fc_add_rows(x + ch, column_step, columns, n, total);
        for (int64_t r = 1; r < rows; r++) {
            fc_add_rows(x + r * row_step + ch, column_step, columns, n, row);
            for (int64_t i = 0; i < n; i++) total[i] += row[i];
        }
        for (int64_t i = 0; i < n; i++) y[ch + i] = total[i] * scale;
    }
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
        float *y = a->y + ((image * a->oh + i) * a->ow + j) * a->y_step + channel;
        if (rows == 2 && columns == 2)
            avg_window(first, 2, 2, row_step, c, channels, scale, y);
        else if (rows == 3 && columns == 3)
            avg_window(first, 3, 3, row_step, c, channels, scale, y);
        else if (rows * columns > 16)
            avg_large_window(first, rows, columns, row_step, c, channels, scale, y);
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

/* ---- backward ----
 * The divisor of a window is the rows times the columns of its part inside x, so that dx sums dy / columns
 * along a row of outputs, and those sums / rows. Both reciprocals, and the covering windows of every column,
 * are made once a call: divisions are too dear for every pixel. */
typedef struct {
    pool_range *covering; /* [w]: of each column */
    float *row_scale;     /* [oh]: 1 / rows inside of each row of windows */
    float *column_scale;  /* [ow] */
    int stream;           /* write dx past the cache */
} avg_tables;

static avg_tables make_tables(const fc_avg_pool_backward_args *a, void *scratch) {
    const avg_tables t = {scratch, (float *)((pool_range *)scratch + a->w),
                          (float *)((pool_range *)scratch + a->w) + a->oh,
                          a->c % VL == 0 && fc_streams(a->dx, a->n * a->h * a->w * a->c)};
    for (int64_t x = 0; x < a->w; x++) t.covering[x] = pool_covering(x, a->sw, a->pl, a->pw, a->ow);
    for (int64_t i = 0; i < a->oh; i++) {
        const pool_range r = pool_inside(i, a->sh, a->pt, a->ph, a->h);
        t.row_scale[i] = avg_scale(r.end - r.begin, a->ph, a->include_pad);
    }
    for (int64_t j = 0; j < a->ow; j++) {
        const pool_range s = pool_inside(j, a->sw, a->pl, a->pw, a->w);
        t.column_scale[j] = avg_scale(s.end - s.begin, a->pw, a->include_pad);
    }
    return t;
}

/* n <= VL channels of one pixel of dx. dy: these channels in the image's first output. */
FC_INLINE void avg_gradient_lanes(const fc_avg_pool_backward_args *a, const avg_tables *t, const float *dy,
                                  pool_range rows, pool_range columns, float *dx, int64_t n) {
    vf sum = vf_zero();
    for (int64_t i = rows.begin; i < rows.end; i++) {
        vf row = vf_zero();
        for (int64_t j = columns.begin; j < columns.end; j++)
            row = vf_fma(vf_load_tail(dy + (i * a->ow + j) * a->c, n), vf_set1(t->column_scale[j]), row);
        sum = vf_fma(row, vf_set1(t->row_scale[i]), sum);
    }
    fc_put(dx, sum, n, t->stream);
}

FC_INLINE void avg_gradient_pixel(const fc_avg_pool_backward_args *a, const avg_tables *t, const float *dy,
                                  pool_range rows, pool_range columns, float *dx) {
    int64_t ch = 0;
    if (rows.end - rows.begin == 1 && columns.end - columns.begin == 1) {
        /* The one window of pooling without overlap. */
        const vf scale = vf_set1(t->row_scale[rows.begin] * t->column_scale[columns.begin]);
        const float *p = dy + (rows.begin * a->ow + columns.begin) * a->c;
        for (; ch + VL <= a->c; ch += VL) fc_put(dx + ch, vf_mul(vf_load(p + ch), scale), VL, t->stream);
    }
    for (; ch + VL <= a->c; ch += VL) avg_gradient_lanes(a, t, dy + ch, rows, columns, dx + ch, VL);
    if (ch < a->c) avg_gradient_lanes(a, t, dy + ch, rows, columns, dx + ch, a->c - ch);
}

FC_TILES(avg_pool_backward) {
    const pool_shape s = POOL_SHAPE(a);
    return s.n * pool_backward_cut(&s).bands;
}
FC_SCRATCH(avg_pool_backward) {
    return (size_t)a->w * sizeof(pool_range) + (size_t)(a->oh + a->ow) * sizeof(float);
}
FC_RUN(avg_pool_backward) {
    const pool_shape s = POOL_SHAPE(a);
    const pool_cut cut = pool_backward_cut(&s);
    const avg_tables t = make_tables(a, scratch);
    for (int64_t tile = begin; tile < end; tile++) {
        const int64_t image = tile / cut.bands, first = tile % cut.bands * cut.rows;
        const float *dy = a->dy + image * s.oh * s.ow * s.c;
        for (int64_t y = first; y < fc_min(s.h, first + cut.rows); y++) {
            const pool_range rows = pool_covering(y, s.sh, s.pt, s.ph, s.oh);
            float *dx = a->dx + (image * s.h + y) * s.w * s.c;
            for (int64_t x = 0; x < s.w; x++, dx += s.c)
                avg_gradient_pixel(a, &t, dy, rows, t.covering[x], dx);
        }
    }
    if (t.stream) vf_fence();
}
