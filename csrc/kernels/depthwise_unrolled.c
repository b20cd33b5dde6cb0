/* Depthwise correlation with 3x3 and 5x5 kernels (contract in depthwise_unrolled.h).
 *
 * A tile of ROWS x 7 output pixels stays in registers while each pixel of the source that it needs is loaded
 * once and used for every tap that it meets: 36 loads of pixels for 126 products at 3x3, where four
 * neighbours by themselves would take 126. Seven, because the maps of networks are 7, 14, 28, 56 and 112
 * pixels wide; at other widths the last tile is moved to the left and computes some pixels twice (the same
 * bits each time).
 *
 * All channels of a tile come before the next tile: a walk along the row for each vector of channels would,
 * at many channels, step through memory by whole kilobytes, which collide in the L1 cache. Taps outside of
 * the image are left out by a bit for each source row and column of the tile: predictable branches, cheaper
 * than copies of the rim. */
#include "depthwise_unrolled.h"

#if FC_UNROLLED_REGISTERS >= 32
#define ROWS 2
#else
#define ROWS 1
#endif
#define PIXELS 7
#define FEW_PIXELS 4
/* Rows of output that one band has: a multiple of ROWS on every instruction set. */
#define BAND 2

typedef fc_unrolled_band band;

/* acc[i][p] += v w for each output pixel of the tile that source pixel (y, x) of the tile is a tap of; w: the
 * rows of weights y and y - stride. All but v is known to the compiler. */
#define TAP(i, s)                                                                                            \
    do {                                                                                                     \
        if ((i) < rows && (s) < kernel && y - (i)*stride >= 0 && y - (i)*stride < kernel && x >= (s) &&      \
            (x - (s)) % stride == 0 && (x - (s)) / stride < pixels)                                          \
            acc[(i)*PIXELS + (x - (s)) / stride] =                                                           \
                vf_fma(v, w[(i)*5 + (s)], acc[(i)*PIXELS + (x - (s)) / stride]);                             \
    } while (0)
FC_INLINE void add_pixel(vf *acc, const vf *w, vf v, const int y, const int x, const int kernel,
                         const int stride, const int rows, const int pixels) {
    TAP(0, 0);
    TAP(0, 1);
    TAP(0, 2);
    TAP(0, 3);
    TAP(0, 4);
    TAP(1, 0);
    TAP(1, 1);
    TAP(1, 2);
    TAP(1, 3);
    TAP(1, 4);
}

/* Unrolled by hand: compilers unroll loops only after they have decided which arrays can live in registers.
 */
#define UP_TO_7(M) M(0) M(1) M(2) M(3) M(4) M(5) M(6)
#define UP_TO_17(M) UP_TO_7(M) M(7) M(8) M(9) M(10) M(11) M(12) M(13) M(14) M(15) M(16)

/* Source row y of the tile. src: its column 0; columns: a bit for each that lies in the image. */
FC_INLINE void add_row(vf *acc, const band *b, const float *src, const float *weights, unsigned columns,
                       const int y, const int kernel, const int stride, const int rows, const int pixels) {
    const int64_t pixel = b->s->src_step, tap = b->s->weight_step;
    vf w[10];
#define WEIGHT(i)                                                                                            \
    if ((i) < kernel && y < kernel) w[i] = vf_load(weights + (y * kernel + (i)) * tap);                      \
    if ((i) < kernel && rows > 1 && y >= stride)                                                             \
        w[5 + (i) % 5] = vf_load(weights + ((y - stride) * kernel + (i)) * tap);
    UP_TO_7(WEIGHT)
#undef WEIGHT
#define COLUMN(x)                                                                                            \
    if ((x) < stride * (pixels - 1) + kernel && (columns >> (x)&1))                                          \
        add_pixel(acc, w, vf_load(src + (x)*pixel), y, x, kernel, stride, rows, pixels);
    UP_TO_17(COLUMN)
#undef COLUMN
}

FC_INLINE void finish(vf *acc, const band *b, float *dst, const int rows, const int pixels) {
    const fc_unrolled *s = b->s;
    const int64_t pixel = s->dst_step, row = s->dst_row;
    /* What lies beyond the limits; linear: nothing does. NaN stays. */
    const vf low = vf_set1(s->act == FC_RELU || s->act == FC_RELU6 ? 0.0f : -INFINITY);
    const vf high = vf_set1(s->act == FC_RELU6 ? 6.0f : INFINITY);
    if (s->act == FC_LEAKY_RELU) {
        const vf alpha = vf_set1(s->alpha);
#define LEAK(p)                                                                                              \
    if ((p) < pixels) {                                                                                      \
        acc[p] = vf_blend(vm_lt(acc[p], vf_zero()), vf_mul(acc[p], alpha), acc[p]);                          \
        if (rows > 1)                                                                                        \
            acc[PIXELS + (p)] = vf_blend(vm_lt(acc[PIXELS + (p)], vf_zero()),                                \
                                         vf_mul(acc[PIXELS + (p)], alpha), acc[PIXELS + (p)]);               \
    }
        UP_TO_7(LEAK)
#undef LEAK
    }
    if (s->act == FC_HARD_SILU) {
#define GATE(p)                                                                                              \
    if ((p) < pixels) {                                                                                      \
        acc[p] = vf_unary(FC_HARD_SILU, acc[p], low, high);                                                  \
        if (rows > 1) acc[PIXELS + (p)] = vf_unary(FC_HARD_SILU, acc[PIXELS + (p)], low, high);              \
    }
        UP_TO_7(GATE)
#undef GATE
    }
#define LIMITED(v) vf_min(high, vf_max(low, v))
#define STORE(p)                                                                                             \
    if ((p) < pixels) {                                                                                      \
        vf_store(dst + (p)*pixel, LIMITED(acc[p]));                                                          \
        if (rows > 1) vf_store(dst + row + (p)*pixel, LIMITED(acc[PIXELS + (p)]));                           \
    }
#define STREAM(p)                                                                                            \
    if ((p) < pixels) {                                                                                      \
        vf_stream(dst + (p)*pixel, LIMITED(acc[p]));                                                         \
        if (rows > 1) vf_stream(dst + row + (p)*pixel, LIMITED(acc[PIXELS + (p)]));                          \
    }
    if (b->stream) {
        UP_TO_7(STREAM)
    } else {
        UP_TO_7(STORE)
    }
#undef STORE
#undef STREAM
#undef LIMITED
}

/* The tile whose upper left output pixel is (row, column), for all channels of the band; the last vector of
 * channels is moved back where they are no whole number of vectors. */
FC_INLINE void run_tile(const band *b, int64_t row, int64_t column, const int kernel, const int stride,
                        const int rows, const int pixels) {
    const fc_unrolled *s = b->s;
    const int64_t y0 = row * stride - s->pt, x0 = column * stride - s->pl;
    const unsigned inside = fc_inside(y0, stride * (rows - 1) + kernel, s->h);
    const unsigned columns = fc_inside(x0, stride * (pixels - 1) + kernel, s->w);
    /* May lie before the image; only what the bits allow is added up to an address inside. */
    const int64_t from = y0 * s->src_row + x0 * s->src_step;
    float *dst = b->dst + row * s->dst_row + column * s->dst_step;
    /* The source pixels that the next tile of these rows reads for the first time, that is, all but the
     * columns shared with this tile and the rows shared with the band above. */
    const int64_t ahead = from + stride * pixels * s->src_step;
    for (int64_t c = 0;;) {
        if (b->ahead)
            for (int y = kernel - stride; y < stride * (rows - 1) + kernel; y++)
                for (int x = kernel - stride; x < stride * (pixels - 1) + kernel; x++)
                    fc_prefetch(b->src + (ahead + y * s->src_row + x * s->src_step + c));
        const vf first = b->bias ? vf_load(b->bias + c) : vf_zero();
        vf acc[ROWS * PIXELS];
#define START(p)                                                                                             \
    if ((p) < pixels) {                                                                                      \
        acc[p] = first;                                                                                      \
        if (rows > 1) acc[(ROWS - 1) * PIXELS + (p)] = first;                                                \
    }
        UP_TO_7(START)
#undef START
#define ROW(y)                                                                                               \
    if ((y) < stride * (rows - 1) + kernel && (inside >> (y)&1))                                             \
        add_row(acc, b, b->src + (from + (y)*s->src_row + c), b->weights + c, columns, y, kernel, stride,    \
                rows, pixels);
        UP_TO_7(ROW)
#undef ROW
        finish(acc, b, dst + c, rows, pixels);
        if (c + VL >= b->channels) break;
        c = fc_min(c + VL, b->channels - VL);
    }
    if (!fc_acts_late(s->act)) return;
    for (int i = 0; i < rows; i++, dst += s->dst_row)
        FC_NAME(fc_activate_late)(dst, pixels, s->dst_step, b->channels, s->act, s->alpha, s->beta);
}

FC_INLINE void run_rows(const band *b, int64_t row, const int kernel, const int stride, const int rows) {
    const int64_t ow = b->s->ow, rest = ow % PIXELS;
    const int64_t tiles = ow < PIXELS ? 0 : ow / PIXELS + (rest > FEW_PIXELS);
    for (int64_t t = 0; t < tiles; t++)
        run_tile(b, row, fc_min(t * PIXELS, ow - PIXELS), kernel, stride, rows, PIXELS);
    for (int64_t j = tiles * PIXELS; j < ow; j += FEW_PIXELS)
        run_tile(b, row, fc_min(j, ow - FEW_PIXELS), kernel, stride, rows, FEW_PIXELS);
}

FC_INLINE void run_band(const band *b, int64_t number, const int kernel, const int stride) {
    const int64_t row = number * BAND;
    /* Images that come from memory, with stride 2, go row by row: two rows would read four or five new ones
     * at a time, more places than the memory likes. */
    if (ROWS == BAND && (stride == 1 || !b->ahead) && row + BAND <= b->s->oh) {
        run_rows(b, row, kernel, stride, ROWS);
        return;
    }
    for (int64_t i = row; i < fc_min(row + BAND, b->s->oh); i++) run_rows(b, i, kernel, stride, 1);
}

static void run_3_1(const band *b, int64_t number) { run_band(b, number, 3, 1); }
static void run_3_2(const band *b, int64_t number) { run_band(b, number, 3, 2); }
static void run_5_1(const band *b, int64_t number) { run_band(b, number, 5, 1); }
static void run_5_2(const band *b, int64_t number) { run_band(b, number, 5, 2); }

static int64_t bands_of(const fc_unrolled *s) { return (s->oh + BAND - 1) / BAND; }

static fc_unrolled_cut cut_of(const fc_unrolled *s) {
    return fc_cut_bands(s->n * bands_of(s), BAND * s->ow * s->c, s->c);
}

static void run_images(const fc_unrolled *s, int64_t begin, int64_t end) {
    const fc_unrolled_cut cut = cut_of(s);
    fc_each_band(s, &cut, bands_of(s), begin, end,
                 s->kernel == 3 ? (s->stride == 1 ? run_3_1 : run_3_2)
                                : (s->stride == 1 ? run_5_1 : run_5_2));
}

static int64_t tiles_of(const fc_unrolled *s) {
    const fc_unrolled_cut cut = cut_of(s);
    return cut.groups * cut.blocks;
}

/* ---- dilation d: every d-th row and column meet only each other, d d correlations without ---- */

/* Along one axis: every d-th output position from `index` on reads every d-th place of the source, from
 * *first on. Both counted anew, it is a correlation without dilation, of these sizes and with this padding.
 */
static void take_every(int64_t d, int64_t index, int64_t *source, int64_t *out, int64_t *pad,
                       int64_t *first) {
    const int64_t from = index - *pad; /* of the first tap */
    *first = (from % d + d) % d;
    *pad = -(from - *first) / d;
    *source = *source > *first ? (*source - *first + d - 1) / d : 0;
    *out = *out > index ? (*out - index + d - 1) / d : 0;
}

/* Phase index % (d d) of one image by itself: its rows and columns are d apart in the source and in the
 * result. All phases of an image come before the next, while it is in the cache. */
static fc_unrolled phase_of(const fc_unrolled *whole, int64_t index) {
    const int64_t d = whole->dilation;
    fc_unrolled s = *whole;
    const int64_t image = index / (d * d), i = index / d % d, j = index % d;
    s.n = 1;
    s.src += image * s.src_image;
    s.dst += image * s.dst_image;
    int64_t y, x;
    take_every(d, i, &s.h, &s.oh, &s.pt, &y);
    take_every(d, j, &s.w, &s.ow, &s.pl, &x);
    s.src += y * s.src_row + x * s.src_step;
    s.dst += i * s.dst_row + j * s.dst_step;
    s.src_row *= d;
    s.src_step *= d;
    s.dst_row *= d;
    s.dst_step *= d;
    return s;
}

static int64_t tiles_of_image(const fc_unrolled *s) {
    int64_t tiles = 0;
    for (int64_t i = 0; i < s->dilation * s->dilation; i++) {
        const fc_unrolled phase = phase_of(s, i);
        tiles += tiles_of(&phase);
    }
    return tiles;
}

int64_t FC_NAME(fc_unrolled_tiles)(const fc_unrolled *s) {
    if (s->dilation == 1) return tiles_of(s);
    return s->n > 0 ? s->n * tiles_of_image(s) : 0;
}

void FC_NAME(fc_unrolled_run)(const fc_unrolled *s, int64_t begin, int64_t end) {
    if (s->dilation == 1) {
        run_images(s, begin, end);
        return;
    }
    if (begin >= end) return;
    const int64_t tiles = tiles_of_image(s), image = begin / tiles;
    int64_t first = image * tiles; /* tile of the phase */
    for (int64_t i = image * s->dilation * s->dilation; first < end; i++) {
        const fc_unrolled phase = phase_of(s, i);
        const int64_t count = tiles_of(&phase);
        const int64_t from = fc_max(begin - first, 0), to = fc_min(end - first, count);
        if (from < to) run_images(&phase, from, to);
        first += count;
    }
}
