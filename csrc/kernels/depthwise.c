/* Depthwise convolution, forward and with respect to its input (contract in kernels.def): a correlation, as
 * in correlation.h, in which each channel stays by itself. The kernels that networks have most go to
 * depthwise_unrolled.c; here is what takes any other.
 *
 * A tile is a band of output rows for one vector of channels. The source rows that it reads, and the weights,
 * are copied to scratch first, vector after vector: in the image, pixels that are many channels apart would
 * meet in few sets of the L1 cache, and large kernels read each of them up to kh kw times. Then neighbouring
 * pixels of a row take tap by tap together, in registers; at the image's rim only those that the tap reaches.
 *
 * A depth multiplier (k / c > 1) is brought back to the case without by the copy: forward, it repeats each
 * channel for the lanes that read it; backward, an input channel sums over k / c channels of dy, of which
 * each copy, a pass, has one. */
#include "correlation.h"
#include "depthwise_lanes.h"
#include "depthwise_unrolled.h"
#include "epilogue.h"

/* Source of a band, in vectors: 64 KiB, from which a tile's pixels come to the L1 cache. */
#define WINDOW 1024
/* Pixels of a register tile, at most: accumulators of one vector. */
#if FC_UNROLLED_REGISTERS >= 32
#define PIXELS 14
#else
#define PIXELS 7
#endif
/* Output pixels of a tile, at least, where there are as many: so often are its weights copied. */
#define TILE_PIXELS 64

typedef struct {
    fc_axis y, x;
    int64_t n, h, w, c; /* source */
    int64_t oh, ow, oc; /* output */
    int64_t k, kw;      /* weights [kh][kw][k] */
    const float *src, *weights, *bias;
    float *dst;
    int64_t dst_step; /* floats from pixel to pixel */
    int act;
    float alpha, beta;
} depthwise;

typedef struct {
    int64_t rows, bands;  /* output rows of a band, bands of an image */
    int64_t window;       /* source rows that a band reads, at most */
    int64_t vectors;      /* of output channels */
    int64_t images;       /* small ones of a tile */
    int64_t passes, taps; /* source channels of an output channel; taps of one */
} cut;

static cut cut_work(const depthwise *s) {
    cut k = {.vectors = (s->oc + VL - 1) / VL, .passes = s->k / s->oc, .taps = s->y.taps * s->x.taps};
    const int64_t reach = s->y.taps ? (s->y.taps - 1) * s->y.tap_step + 1 : 0;
    /* No fewer rows than let a row be copied twice on average. */
    const int64_t wanted = fc_max(reach, WINDOW / fc_max(s->w * k.passes, 1) - reach) / s->y.src_step;
    const int64_t most = fc_max(fc_min(wanted, s->y.count), 1);
    k.bands = (s->y.count + most - 1) / most;
    k.rows = k.bands ? (s->y.count + k.bands - 1) / k.bands : 0;
    k.window = fc_max(fc_min((k.rows - 1) * s->y.src_step + reach, s->h), 0);
    k.images = fc_max(fc_min(TILE_PIXELS / fc_max(k.rows * s->x.count, 1), s->n), 1);
    return k;
}

static int64_t depthwise_tiles(const depthwise *s) {
    const cut k = cut_work(s);
    return (s->n + k.images - 1) / k.images * k.bands * k.vectors;
}

static size_t depthwise_scratch(const depthwise *s) {
    const cut k = cut_work(s);
    return (size_t)(k.passes * (k.taps + k.window * s->w) * VL) * sizeof(float);
}

/* ---- register tiles ---- */

/* A band, one vector of channels. */
typedef struct {
    const depthwise *s;
    const float *weights; /* [pass][tap y][tap x][VL] */
    const float *window;  /* [pass][source row y0 ..][w][VL] */
    int64_t passes, rows; /* source rows in the window */
    int64_t y0;
    int n; /* channels */
    vf bias;
} band;

/* Unrolled by hand, as in depthwise_unrolled.c. */
#define UP_TO_4(M) M(0) M(1) M(2) M(3)
#define UP_TO_14(M) UP_TO_4(M) M(4) M(5) M(6) M(7) M(8) M(9) M(10) M(11) M(12) M(13)

/* `pixels` neighbours, the first of which reads source row y and column x with its first tap; step: source
 * columns from one to the next. */
FC_INLINE void run_pixels(const band *b, int64_t y, int64_t x, float *dst, const int pixels,
                          const int64_t step) {
    const depthwise *s = b->s;
    const int64_t w = s->w, dst_step = s->x.out_step * s->dst_step;
    vf acc[14];
#define START(p) acc[p] = b->bias;
    UP_TO_14(START)
#undef START
    for (int64_t pass = 0; pass < b->passes; pass++)
        for (int64_t t = 0; t < s->y.taps; t++) {
            const int64_t source = y + t * s->y.tap_step;
            if (source < 0 || source >= s->h) continue;
            const float *row = b->window + (pass * b->rows + source - b->y0) * w * VL;
            const float *weights = b->weights + (pass * s->y.taps + t) * s->x.taps * VL;
            for (int64_t u = 0; u < s->x.taps; u++) {
                const int64_t column = x + u * s->x.tap_step;
                const vf weight = vf_load(weights + u * VL);
                if (column >= 0 && column + (pixels - 1) * step < w) {
                    const float *at = row + column * VL;
#define TAP(p)                                                                                               \
    if ((p) < pixels) acc[p] = vf_fma(vf_load(at + (p)*step * VL), weight, acc[p]);
                    UP_TO_14(TAP)
#undef TAP
                } else {
#define TAP(p)                                                                                               \
    if ((p) < pixels && (uint64_t)(column + (p)*step) < (uint64_t)w)                                         \
        acc[p] = vf_fma(vf_load(row + (column + (p)*step) * VL), weight, acc[p]);
                    UP_TO_14(TAP)
#undef TAP
                }
            }
        }
    const vf alpha = vf_set1(s->alpha);
#define STORE(p)                                                                                             \
    if ((p) < pixels) vf_store_tail(dst + (p)*dst_step, fc_activated(acc[p], s->act, alpha), b->n);
    UP_TO_14(STORE)
#undef STORE
    if (fc_acts_late(s->act))
        FC_NAME(fc_activate_late)(dst, pixels, dst_step, b->n, s->act, s->alpha, s->beta);
}

FC_INLINE void run_row_of(const band *b, int64_t y, float *dst, const int64_t step) {
    const fc_axis *x = &b->s->x;
    const int64_t dst_step = x->out_step * b->s->dst_step, count = x->count;
    /* Where the last pixels don't fill a register tile, it is moved to the left and computes some of them
     * twice: the same bits each time. */
    for (int64_t j = 0; j < count;) {
        const int64_t rest = count - j;
        const int64_t pixels = count >= PIXELS && rest > 7 ? PIXELS : count >= 7 ? 7 : count >= 4 ? 4 : 1;
        const int64_t at = fc_min(j, count - pixels), from = x->src_start + x->src_step * at;
        if (pixels == PIXELS)
            run_pixels(b, y, from, dst + at * dst_step, PIXELS, step);
        else if (pixels == 7)
            run_pixels(b, y, from, dst + at * dst_step, 7, step);
        else if (pixels == 4)
            run_pixels(b, y, from, dst + at * dst_step, 4, step);
        else
            run_pixels(b, y, from, dst + at * dst_step, 1, step);
        j = at + pixels;
    }
}

static void run_row(const band *b, int64_t y, float *dst) {
    if (b->s->x.src_step == 1)
        run_row_of(b, y, dst, 1);
    else
        run_row_of(b, y, dst, b->s->x.src_step);
}

/* A band of one image: its source is copied, its rows are computed. */
static void run_band(band *b, const cut *k, int64_t image, int64_t first, int64_t o, float *window) {
    const depthwise *s = b->s;
    const int64_t end = fc_min(first + k->rows, s->y.count), times = s->k / s->c;
    for (int64_t pass = 0; pass < k->passes; pass++) {
        const fc_lanes of_source = fc_start_lanes(o, b->n, times, k->passes, pass);
        fc_copy_lanes(&of_source, s->src + (image * s->h + b->y0) * s->w * s->c, b->rows * s->w, s->c,
                      window + pass * b->rows * s->w * VL, VL);
    }
    for (int64_t i = first; i < end; i++)
        run_row(b, s->y.src_start + s->y.src_step * i,
                s->dst +
                    ((image * s->oh + s->y.out_start + s->y.out_step * i) * s->ow + s->x.out_start) *
                        s->dst_step +
                    o);
}

static void run_tile(const depthwise *s, const cut *k, int64_t tile, float *scratch) {
    const int64_t o = tile % k->vectors * VL, group = tile / k->vectors / k->bands;
    const int64_t first = tile / k->vectors % k->bands * k->rows, end = fc_min(first + k->rows, s->y.count);
    const int64_t y = s->y.src_start + s->y.src_step * first, y0 = fc_max(y, 0);
    const int64_t y1 =
        s->y.src_start + s->y.src_step * (end - 1) + fc_max(s->y.taps - 1, 0) * s->y.tap_step + 1;
    const int64_t rows = s->y.taps ? fc_max(fc_min(y1, s->h) - y0, 0) : 0;
    float *weights = scratch, *window = scratch + k->passes * k->taps * VL;
    band b = {s, weights, window, k->passes, rows, y0, (int)fc_min(s->oc - o, VL), vf_zero()};
    if (s->bias) b.bias = vf_load_tail(s->bias + o, b.n);
    for (int64_t pass = 0; pass < k->passes; pass++) {
        const fc_lanes of_weights = fc_start_lanes(o, b.n, 1, k->passes, pass);
        for (int64_t t = 0; t < s->y.taps; t++)
            for (int64_t u = 0; u < s->x.taps; u++, weights += VL) {
                const int64_t row = s->y.w_first + s->y.w_step * t, column = s->x.w_first + s->x.w_step * u;
                fc_copy_lanes(&of_weights, s->weights + (row * s->kw + column) * s->k, 1, 0, weights, VL);
            }
    }
    const int64_t last = fc_min((group + 1) * k->images, s->n);
    for (int64_t image = group * k->images; image < last; image++) run_band(&b, k, image, first, o, window);
}

static void depthwise_run(const depthwise *s, int64_t begin, int64_t end, void *scratch) {
    const cut k = cut_work(s);
    for (int64_t tile = begin; tile < end; tile++) run_tile(s, &k, tile, scratch);
}

static depthwise forward(const fc_depthwise_forward_args *a) {
    const depthwise s = {fc_axis_forward(a->oh, a->sh, a->dh, a->pt, a->kh),
                         fc_axis_forward(a->ow, a->sw, a->dw, a->pl, a->kw),
                         a->n,
                         a->h,
                         a->w,
                         a->c,
                         a->oh,
                         a->ow,
                         a->k,
                         a->k,
                         a->kw,
                         a->x,
                         a->weights,
                         a->bias,
                         a->y,
                         a->y_step,
                         (int)a->act,
                         (float)a->alpha,
                         (float)a->beta};
    return s;
}

/* Whether the unrolled kernels take a convolution (of either struct of arguments); `width`: columns of the
 * result. */
#define UNROLLED(a, width)                                                                                   \
    ((a)->k == (a)->c && fc_unrolled_fits(width, a->c, a->kh, a->kw, a->sh, a->sw, a->dh, a->dw))

static fc_unrolled unrolled_forward(const fc_depthwise_forward_args *a) {
    const fc_unrolled s = {.n = a->n,
                           .h = a->h,
                           .w = a->w,
                           .oh = a->oh,
                           .ow = a->ow,
                           .c = a->c,
                           .kernel = a->kh,
                           .stride = a->sh,
                           .dilation = a->dh,
                           .pt = a->pt,
                           .pl = a->pl,
                           .src = a->x,
                           .bias = a->bias,
                           .weights = a->weights,
                           .weight_step = a->k,
                           .dst = a->y,
                           .src_step = a->c,
                           .src_row = a->w * a->c,
                           .src_image = a->h * a->w * a->c,
                           .dst_step = a->y_step,
                           .dst_row = a->ow * a->y_step,
                           .dst_image = a->oh * a->ow * a->y_step,
                           .act = (int)a->act,
                           .alpha = (float)a->alpha,
                           .beta = (float)a->beta};
    return s;
}

FC_TILES(depthwise_forward) {
    if (UNROLLED(a, a->ow)) {
        const fc_unrolled u = unrolled_forward(a);
        return FC_NAME(fc_unrolled_tiles)(&u);
    }
    const depthwise s = forward(a);
    return depthwise_tiles(&s);
}
FC_SCRATCH(depthwise_forward) {
    const depthwise s = forward(a);
    return UNROLLED(a, a->ow) ? 0 : depthwise_scratch(&s);
}
FC_RUN(depthwise_forward) {
    if (UNROLLED(a, a->ow)) {
        const fc_unrolled u = unrolled_forward(a);
        FC_NAME(fc_unrolled_run)(&u, begin, end);
        return;
    }
    const depthwise s = forward(a);
    depthwise_run(&s, begin, end, scratch);
}

/* With stride 1 the gradient is the correlation of dy with the kernel turned by 180 degrees. */
static fc_unrolled unrolled_backward(const fc_depthwise_backward_data_args *a) {
    const int64_t turn = a->sh == 1;
    const fc_unrolled s = {.n = a->n,
                           .h = turn ? a->oh : a->h,
                           .w = turn ? a->ow : a->w,
                           .oh = turn ? a->h : a->oh,
                           .ow = turn ? a->w : a->ow,
                           .c = a->c,
                           .kernel = a->kh,
                           .stride = a->sh,
                           .dilation = a->dh,
                           .pt = turn ? (a->kh - 1) * a->dh - a->pt : a->pt,
                           .pl = turn ? (a->kw - 1) * a->dw - a->pl : a->pl,
                           .src = a->dy,
                           .weights = turn ? a->weights + (a->kh * a->kw - 1) * a->k : a->weights,
                           .weight_step = turn ? -a->k : a->k,
                           .dst = a->dx,
                           .src_step = a->c,
                           .src_row = a->ow * a->c,
                           .src_image = a->oh * a->ow * a->c,
                           .dst_step = a->c,
                           .dst_row = a->w * a->c,
                           .dst_image = a->h * a->w * a->c,
                           .act = FC_LINEAR};
    return s;
}

static depthwise backward(const fc_depthwise_backward_data_args *a, const fc_phase *p) {
    const depthwise s = {p->y,  p->x,  a->n,       a->oh, a->ow, a->k, a->h,      a->w, a->c, a->k,
                         a->kw, a->dy, a->weights, NULL,  a->dx, a->c, FC_LINEAR, 0.0f, 0.0f};
    return s;
}

FC_TILES(depthwise_backward_data) {
    if (UNROLLED(a, a->w)) {
        const fc_unrolled u = unrolled_backward(a);
        return a->sh == 1 ? FC_NAME(fc_unrolled_tiles)(&u) : FC_NAME(fc_unrolled_adjoint_tiles)(&u);
    }
    const fc_conv_shape s = FC_CONV_SHAPE(a);
    int64_t tiles = 0;
    for (fc_phase p = fc_first_phase(&s); p.index < fc_phases(&s); fc_next_phase(&s, &p)) {
        const depthwise d = backward(a, &p);
        tiles += depthwise_tiles(&d);
    }
    return tiles;
}

FC_SCRATCH(depthwise_backward_data) {
    if (UNROLLED(a, a->w)) return 0;
    const fc_conv_shape s = FC_CONV_SHAPE(a);
    size_t most = 0;
    for (fc_phase p = fc_first_phase(&s); p.index < fc_phases(&s); fc_next_phase(&s, &p)) {
        const depthwise d = backward(a, &p);
        const size_t bytes = depthwise_scratch(&d);
        if (bytes > most) most = bytes;
    }
    return most;
}

FC_RUN(depthwise_backward_data) {
    if (UNROLLED(a, a->w)) {
        const fc_unrolled u = unrolled_backward(a);
        if (a->sh == 1)
            FC_NAME(fc_unrolled_run)(&u, begin, end);
        else
            FC_NAME(fc_unrolled_adjoint_run)(&u, begin, end);
        return;
    }
    const fc_conv_shape s = FC_CONV_SHAPE(a);
    int64_t first = 0; /* tile of the phase */
    for (fc_phase p = fc_first_phase(&s); p.index < fc_phases(&s) && first < end; fc_next_phase(&s, &p)) {
        const depthwise d = backward(a, &p);
        const int64_t tiles = depthwise_tiles(&d);
        const int64_t from = fc_max(begin - first, 0), to = fc_min(end - first, tiles);
        if (from < to) depthwise_run(&d, from, to, scratch);
        first += tiles;
    }
}
