/* The gradient of a depthwise convolution of 3x3 or 5x5 and stride 1 or 2 with respect to its weights
 * (contract in depthwise_unrolled.h).
 *
 * A vector of channels keeps the sums of up to three rows of taps in registers while it walks over a few rows
 * of pixels, PIXELS at a time: their dy are loaded once, and each pixel of x once a row of taps, for every
 * tap that it meets. Taps outside of the image are left out by a bit for each source row and column, as in
 * depthwise_unrolled.c. */
#include "depthwise_unrolled.h"

#if FC_UNROLLED_REGISTERS >= 32
#define PIXELS 7
#define MOST_ROWS 3
#define ROWS_OF_5 3
#else
#define PIXELS 4
#define MOST_ROWS 3
#define ROWS_OF_5 2
#endif
/* Output pixels of a strip, at least: the sums are added to those in memory so often. */
#define STRIP 56

/* Some rows of one image, from the first channel of a span on. */
typedef struct {
    const fc_depthwise_backward_weights_args *a;
    const float *x, *dy; /* of the image */
    float *dw;
    int64_t first, last; /* rows of dy */
    int ahead;           /* fetch what the next strip reads */
} strip;

/* acc[r][s] += x at column x of the tile, in row r of the kernel's, times the dy that meets it in tap s. */
#define TAP(s)                                                                                               \
    do {                                                                                                     \
        if ((s) < kernel && x >= (s) && (x - (s)) % stride == 0 && (x - (s)) / stride < pixels)              \
            acc[s] = vf_fma(v, g[(x - (s)) / stride], acc[s]);                                               \
    } while (0)
FC_INLINE void add_pixel(vf *acc, const vf *g, vf v, const int x, const int kernel, const int stride,
                         const int pixels) {
    TAP(0);
    TAP(1);
    TAP(2);
    TAP(3);
    TAP(4);
}

/* Unrolled by hand, as in depthwise_unrolled.c. */
#define UP_TO_7(M) M(0) M(1) M(2) M(3) M(4) M(5) M(6)
#define UP_TO_17(M) UP_TO_7(M) M(7) M(8) M(9) M(10) M(11) M(12) M(13) M(14) M(15) M(16)
#define UP_TO_15(M) UP_TO_7(M) M(7) M(8) M(9) M(10) M(11) M(12) M(13) M(14)

FC_INLINE void add_row(vf *acc, const vf *g, const float *src, int64_t pixel, unsigned columns, int64_t n,
                       const int kernel, const int stride, const int pixels) {
#define COLUMN(x)                                                                                            \
    if ((x) < stride * (pixels - 1) + kernel && (columns >> (x)&1))                                          \
        add_pixel(acc, g, vf_load_tail(src + (x)*pixel, n), x, kernel, stride, pixels);
    UP_TO_17(COLUMN)
#undef COLUMN
}

/* What the same tile of the next strip reads that no row before it did. */
FC_INLINE void fetch_ahead(const strip *s, int64_t from, const float *dy, const int kernel, const int stride,
                           const int pixels) {
    const fc_depthwise_backward_weights_args *a = s->a;
    const int64_t rows = s->last - s->first;
    const float *x = s->x + (from + (rows * stride + kernel - stride) * a->w * a->c);
    for (int p = 0; p < pixels; p++) fc_prefetch(dy + (rows * a->ow + p) * a->k);
    for (int y = 0; y < stride; y++)
        for (int p = 0; p < stride * pixels; p++) fc_prefetch(x + (y * a->w + p) * a->c);
}

/* Rows r0 .. r0 + rows of the kernel, pixels (i, j) .. (i, j + pixels) of dy, n channels from c on. */
FC_INLINE void sum_tile(vf *acc, const strip *s, int64_t i, int64_t j, int64_t c, int64_t n, const int kernel,
                        const int stride, const int r0, const int rows, const int pixels) {
    const fc_depthwise_backward_weights_args *a = s->a;
    const int64_t y = i * stride - a->pt + r0, x = j * stride - a->pl, source_row = a->w * a->c;
    const unsigned inside = fc_inside(y, rows, a->h);
    const unsigned columns = fc_inside(x, stride * (pixels - 1) + kernel, a->w);
    /* May lie before the image; only what the bits allow is added up to an address inside. */
    const int64_t from = (y * a->w + x) * a->c + c;
    const float *dy = s->dy + (i * a->ow + j) * a->k + c;
    vf g[PIXELS];
#define LOAD(p)                                                                                              \
    if ((p) < pixels) g[(p) % PIXELS] = vf_load_tail(dy + (p)*a->k, n);
    UP_TO_7(LOAD)
#undef LOAD
    if (s->ahead && r0 == 0) fetch_ahead(s, from, dy, kernel, stride, pixels);
#define ROW(r)                                                                                               \
    if ((r) < rows && (inside >> (r)&1))                                                                     \
        add_row(acc + 5 * (r), g, s->x + (from + (r)*source_row), a->c, columns, n, kernel, stride, pixels);
    ROW(0) ROW(1) ROW(2)
#undef ROW
}

FC_INLINE void sum_strip(const strip *s, int64_t c, int64_t n, const int kernel, const int stride,
                         const int r0, const int rows) {
    const fc_depthwise_backward_weights_args *a = s->a;
    vf acc[MOST_ROWS * 5];
#define START(t) acc[t] = vf_zero();
    UP_TO_15(START)
#undef START
    for (int64_t i = s->first; i < s->last; i++) {
        int64_t j = 0;
        /* A part of a vector goes pixel by pixel: rare, and not worth unrolled code of its own. */
        for (; n == VL && j + PIXELS <= a->ow; j += PIXELS)
            sum_tile(acc, s, i, j, c, n, kernel, stride, r0, rows, PIXELS);
        for (; j < a->ow; j++) sum_tile(acc, s, i, j, c, n, kernel, stride, r0, rows, 1);
    }
    float *dw = s->dw + r0 * kernel * a->k + c;
#define FINISH(t)                                                                                            \
    if ((t) / 5 < rows && (t) % 5 < kernel) {                                                                \
        float *p = dw + ((t) / 5 * kernel + (t) % 5) * a->k;                                                 \
        vf_store_tail(p, vf_add(vf_load_tail(p, n), acc[t]), n);                                             \
    }
    UP_TO_15(FINISH)
#undef FINISH
}

FC_INLINE void sum_lanes(const strip *s, int64_t c, int64_t n, const int kernel, const int stride) {
    if (kernel == 3) {
        sum_strip(s, c, n, 3, stride, 0, 3);
        return;
    }
    sum_strip(s, c, n, 5, stride, 0, ROWS_OF_5);
    sum_strip(s, c, n, 5, stride, ROWS_OF_5, 2);
    if (ROWS_OF_5 + 2 < 5) sum_strip(s, c, n, 5, stride, 4, 1);
}

FC_INLINE void sum_channels(const strip *s, int64_t channels, const int kernel, const int stride) {
    int64_t c = 0;
    for (; c + VL <= channels; c += VL) sum_lanes(s, c, VL, kernel, stride);
    if (c < channels) sum_lanes(s, c, channels - c, kernel, stride);
}

static void sum_3_1(const strip *s, int64_t channels) { sum_channels(s, channels, 3, 1); }
static void sum_3_2(const strip *s, int64_t channels) { sum_channels(s, channels, 3, 2); }
static void sum_5_1(const strip *s, int64_t channels) { sum_channels(s, channels, 5, 1); }
static void sum_5_2(const strip *s, int64_t channels) { sum_channels(s, channels, 5, 2); }

void FC_NAME(fc_unrolled_weights)(const fc_depthwise_backward_weights_args *a, int64_t row, int64_t end,
                                  int64_t first, int64_t channels, float *dw) {
    const int64_t height = fc_max(1, STRIP / a->ow);
    const int ahead = a->n * (a->h * a->w + a->oh * a->ow) * a->c >= FC_AHEAD_FLOATS;
    while (row < end) {
        const int64_t image = row / a->oh, i = row % a->oh;
        const int64_t last = fc_min(fc_min(i + height, a->oh), i + end - row);
        const strip s = {a,
                         a->x + image * a->h * a->w * a->c + first,
                         a->dy + image * a->oh * a->ow * a->k + first,
                         dw,
                         i,
                         last,
                         ahead};
        (a->kh == 3 ? a->sh == 1 ? sum_3_1 : sum_3_2 : a->sh == 1 ? sum_5_1 : sum_5_2)(&s, channels);
        row += last - i;
    }
}
