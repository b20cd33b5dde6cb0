/* The gradient of a depthwise convolution of 3x3 or 5x5 and stride 2 with respect to its input (contract in
 * depthwise_unrolled.h).
 *
 * Rows and columns are counted in the padded image, in pairs: the even position 2m is met by the even taps s
 * of outputs m - s / 2, the odd one 2m + 1 by the odd taps of the same. So PAIRS pairs of columns in a pair
 * of rows, all four kinds of pixels together, take each dy once into a register and every tap of it once; one
 * kind after the other would read dy four times and write each second pixel only. What of a pair lies in the
 * padding isn't stored. */
#include "depthwise_unrolled.h"

#if FC_UNROLLED_REGISTERS >= 32
#define PAIRS 4
#else
#define PAIRS 2
#endif

typedef fc_unrolled_band band;

/* acc[row of the pair][column of the tile]: dy of output row m - y and column m0 - kernel / 2 + x, times the
 * rows 2y and 2y + 1 of weights in w. */
#define TAP(i, s)                                                                                            \
    do {                                                                                                     \
        const int pair = x - kernel / 2 + (s) / 2, at = (i)*2 * PAIRS + 2 * pair + (s) % 2;                  \
        if ((s) < kernel && 2 * y + (i) < kernel && pair >= 0 && pair < PAIRS)                               \
            acc[at] = vf_fma(v, w[(i)*5 + (s)], acc[at]);                                                    \
    } while (0)
FC_INLINE void add_pixel(vf *acc, const vf *w, vf v, const int y, const int x, const int kernel) {
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

/* Unrolled by hand, as in depthwise_unrolled.c. */
#define UP_TO_6(M) M(0) M(1) M(2) M(3) M(4) M(5)
#define UP_TO_8(M) UP_TO_6(M) M(6) M(7)

FC_INLINE void add_row(vf *acc, const band *b, const float *src, const float *weights, unsigned columns,
                       const int y, const int kernel) {
    const int64_t k = b->s->c;
    vf w[10];
#define WEIGHT(i)                                                                                            \
    if ((i) < kernel) w[(i) % 5] = vf_load(weights + (2 * y * kernel + (i)) * k);                            \
    if ((i) < kernel && 2 * y + 1 < kernel)                                                                  \
        w[5 + (i) % 5] = vf_load(weights + ((2 * y + 1) * kernel + (i)) * k);
    UP_TO_6(WEIGHT)
#undef WEIGHT
#define COLUMN(x)                                                                                            \
    if ((x) < PAIRS + kernel / 2 && (columns >> (x)&1)) add_pixel(acc, w, vf_load(src + (x)*k), y, x, kernel);
    UP_TO_6(COLUMN)
#undef COLUMN
}

/* Row m of pairs, columns m0 on, all channels of the band. */
FC_INLINE void run_tile(const band *b, int64_t m, int64_t m0, const int kernel) {
    const fc_unrolled *s = b->s;
    const int reach = kernel / 2;
    const int64_t row = s->w * s->c, y = 2 * m - s->pt, x = 2 * m0 - s->pl;
    /* Bit t of `sources`: output row m - t exists. */
    const unsigned columns = fc_inside(m0 - reach, PAIRS + reach, s->ow),
                   inside = fc_inside(x, 2 * PAIRS, s->w);
    const unsigned rows = fc_inside(y, 2, s->h), up = fc_inside(m - reach, reach + 1, s->oh);
    const int64_t from = (m * s->ow + m0 - reach) * s->c, to = (y * s->w + x) * s->c;
    for (int64_t c = 0;;) {
        vf acc[4 * PAIRS];
#define START(p)                                                                                             \
    if ((p) < 2 * PAIRS) acc[(p) % (2 * PAIRS)] = acc[2 * PAIRS + (p) % (2 * PAIRS)] = vf_zero();
        UP_TO_8(START)
#undef START
#define SOURCE(t)                                                                                            \
    if ((t) <= reach && (up >> (reach - (t)) & 1))                                                           \
        add_row(acc, b, b->src + (from - (t)*s->ow * s->c + c), b->weights + c, columns, t, kernel);
        SOURCE(0)
        SOURCE(1)
        SOURCE(2)
#undef SOURCE
        float *dst = b->dst + (to + c);
#define STORE(p)                                                                                             \
    if ((p) < 2 * PAIRS && (inside >> (p)&1)) {                                                              \
        if (rows & 1) vf_store(dst + (p)*s->c, acc[(p) % (2 * PAIRS)]);                                      \
        if (rows & 2) vf_store(dst + row + (p)*s->c, acc[2 * PAIRS + (p) % (2 * PAIRS)]);                    \
    }
#define STREAM(p)                                                                                            \
    if ((p) < 2 * PAIRS && (inside >> (p)&1)) {                                                              \
        if (rows & 1) vf_stream(dst + (p)*s->c, acc[(p) % (2 * PAIRS)]);                                     \
        if (rows & 2) vf_stream(dst + row + (p)*s->c, acc[2 * PAIRS + (p) % (2 * PAIRS)]);                   \
    }
        if (b->stream) {
            UP_TO_8(STREAM)
        } else {
            UP_TO_8(STORE)
        }
#undef STORE
#undef STREAM
        if (c + VL >= b->channels) break;
        c = fc_min(c + VL, b->channels - VL);
    }
}

FC_INLINE void run_row(const band *b, int64_t number, const int kernel) {
    const fc_unrolled *s = b->s;
    for (int64_t m0 = s->pl / 2; 2 * m0 < s->pl + s->w; m0 += PAIRS)
        run_tile(b, s->pt / 2 + number, m0, kernel);
}

static void run_3(const band *b, int64_t number) { run_row(b, number, 3); }
static void run_5(const band *b, int64_t number) { run_row(b, number, 5); }

/* Pairs of rows of one image. */
static int64_t bands_of(const fc_unrolled *s) { return (s->pt + s->h + 1) / 2 - s->pt / 2; }

static fc_unrolled_cut cut_of(const fc_unrolled *s) {
    return fc_cut_bands(s->n * bands_of(s), 2 * s->w * s->c, s->c);
}

int64_t FC_NAME(fc_unrolled_adjoint_tiles)(const fc_unrolled *s) {
    const fc_unrolled_cut cut = cut_of(s);
    return cut.groups * cut.blocks;
}

void FC_NAME(fc_unrolled_adjoint_run)(const fc_unrolled *s, int64_t begin, int64_t end) {
    const fc_unrolled_cut cut = cut_of(s);
    fc_each_band(s, &cut, bands_of(s), begin, end, s->kernel == 3 ? run_3 : run_5);
}
