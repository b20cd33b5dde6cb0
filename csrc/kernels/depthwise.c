/* Depthwise convolution, forward and with respect to its input (contract in kernels.def): a correlation, as
 * in correlation.h, in which each channel stays by itself. The kernels that networks have go to
 * depthwise_unrolled.c; here is what takes any other: pixels whose taps all lie in the image go four at a
 * time, those at the rim one by one with their taps clipped.
 *
 * A depth multiplier (k / c > 1) is brought back to the case without: forward, the rows of x are spread to k
 * channels in scratch; backward, a row of k channels is made in scratch and its channels summed by input. */
#include "correlation.h"
#include "depthwise_unrolled.h"

/* Output floats of a tile, some 10 us. */
#define TILE_FLOATS 16384
#define PIXELS 4

typedef struct {
    fc_axis y, x;
    int64_t n, h, w, c; /* source */
    int64_t oh, ow, oc; /* output */
    int64_t k, kw;      /* weights [kh][kw][k] */
    const float *src, *weights, *bias;
    float *dst;
    int act;
    float alpha;
} depthwise;

/* What one output row reads: `rows` source rows of k channels with their rows of weights, outside ones left
 * out. */
typedef struct {
    const float **src, **weights;
    int64_t rows;
    float *spread; /* rows of k channels made here where the multiplier isn't 1 */
} row_state;

static int64_t rows_per_tile(const depthwise *s) {
    return fc_max(TILE_FLOATS / fc_max(s->x.count * s->k, 1), 1);
}

static int64_t depthwise_tiles(const depthwise *s) {
    const int64_t rows = rows_per_tile(s);
    return (s->n * s->y.count + rows - 1) / rows;
}

static size_t depthwise_scratch(const depthwise *s) {
    const int64_t spread = s->c < s->k ? s->y.taps * s->w * s->k : s->oc < s->k ? s->x.count * s->k : 0;
    return (size_t)(FC_ROUND_UP(2 * s->y.taps * 8, 64) + spread * 4);
}

FC_INLINE vf activate(const depthwise *s, vf v) {
    switch (s->act) {
    case FC_RELU:
        return vf_max(vf_zero(), v);
    case FC_LEAKY_RELU:
        return vf_blend(vm_lt(v, vf_zero()), vf_mul(v, vf_set1(s->alpha)), v);
    case FC_RELU6:
        return vf_min(vf_set1(6.0f), vf_max(vf_zero(), v));
    default:
        return v;
    }
}

/* `pixels` neighbours (a constant), nv vectors of channels from o on; n: channels left. Column taps q0 .. q1.
 */
FC_INLINE void pixels_body(const depthwise *s, const row_state *r, int64_t from, float *dst, int64_t dst_step,
                           int64_t q0, int64_t q1, int64_t o, const int pixels, const int nv, int64_t n) {
    vf acc[PIXELS][2];
    const int64_t k = s->k, pixel_step = s->x.src_step * k, tap_step = s->x.tap_step * k;
    FC_UNROLL(4)
    for (int p = 0; p < pixels; p++) acc[p][0] = acc[p][1] = vf_zero();
    for (int64_t i = 0; i < r->rows; i++) {
        for (int64_t q = q0; q < q1; q++) {
            const float *x = r->src[i] + from * k + q * tap_step + o;
            const float *w = r->weights[i] + (s->x.w_first + s->x.w_step * q) * k + o;
            FC_UNROLL(2)
            for (int v = 0; v < nv; v++) {
                const vf weight = vf_load_tail(w + v * VL, n);
                FC_UNROLL(4)
                for (int p = 0; p < pixels; p++)
                    acc[p][v] = vf_fma(vf_load_tail(x + p * pixel_step + v * VL, n), weight, acc[p][v]);
            }
        }
    }
    FC_UNROLL(2)
    for (int v = 0; v < nv; v++) {
        const vf bias = s->bias ? vf_load_tail(s->bias + o + v * VL, n) : vf_zero();
        FC_UNROLL(4)
        for (int p = 0; p < pixels; p++)
            vf_store_tail(dst + p * dst_step + o + v * VL, activate(s, vf_add(acc[p][v], bias)), n);
    }
}

/* All channels of `pixels` neighbours before the next ones: at many channels a walk along the row instead
 * would step through memory by whole kilobytes, which collide in the L1 cache. */
FC_INLINE void pixels_run(const depthwise *s, const row_state *r, int64_t from, float *dst, int64_t dst_step,
                          int64_t q0, int64_t q1, const int pixels) {
    int64_t o = 0;
    for (; o + 2 * VL <= s->k; o += 2 * VL) pixels_body(s, r, from, dst, dst_step, q0, q1, o, pixels, 2, VL);
    for (; o + VL <= s->k; o += VL) pixels_body(s, r, from, dst, dst_step, q0, q1, o, pixels, 1, VL);
    if (o < s->k) pixels_body(s, r, from, dst, dst_step, q0, q1, o, pixels, 1, s->k - o);
}

static void run_pixel(const depthwise *s, const row_state *r, int64_t j, float *dst, int64_t dst_step) {
    const fc_axis *x = &s->x;
    const int64_t from = x->src_start + x->src_step * j;
    int64_t q0 = 0, q1 = x->taps;
    while (q0 < q1 && from + q0 * x->tap_step < 0) q0++;
    while (q0 < q1 && from + (q1 - 1) * x->tap_step >= s->w) q1--;
    pixels_run(s, r, from, dst + j * dst_step, dst_step, q0, q1, 1);
}

static void run_row(const depthwise *s, const row_state *r, float *dst, int64_t dst_step) {
    const fc_axis *x = &s->x;
    /* Columns lo .. hi have all their taps inside. */
    const int64_t beyond = s->w - (fc_max(x->taps, 1) - 1) * x->tap_step - x->src_start;
    const int64_t lo =
        fc_min(x->src_start < 0 ? (-x->src_start + x->src_step - 1) / x->src_step : 0, x->count);
    const int64_t hi =
        fc_max(fc_min(beyond > 0 ? (beyond + x->src_step - 1) / x->src_step : 0, x->count), lo);
    int64_t j = 0;
    for (; j < lo; j++) run_pixel(s, r, j, dst, dst_step);
    for (; j + PIXELS <= hi; j += PIXELS)
        pixels_run(s, r, x->src_start + x->src_step * j, dst + j * dst_step, dst_step, 0, x->taps, PIXELS);
    for (; j < x->count; j++) run_pixel(s, r, j, dst, dst_step);
}

/* x [w][c] to k channels: each repeated k / c times. */
static void spread_channels(float *to, const float *x, int64_t pixels_c, int64_t times) {
    for (int64_t i = 0; i < pixels_c; i++)
        for (int64_t q = 0; q < times; q++) *to++ = x[i];
}

static void gather_rows(const depthwise *s, int64_t image, int64_t i, row_state *r) {
    r->rows = 0;
    for (int64_t t = 0; t < s->y.taps; t++) {
        const int64_t y = s->y.src_start + s->y.src_step * i + s->y.tap_step * t;
        if (y < 0 || y >= s->h) continue;
        const float *src = s->src + (image * s->h + y) * s->w * s->c;
        if (s->c < s->k) {
            float *spread = r->spread + r->rows * s->w * s->k;
            spread_channels(spread, src, s->w * s->c, s->k / s->c);
            src = spread;
        }
        r->src[r->rows] = src;
        r->weights[r->rows++] = s->weights + (s->y.w_first + s->y.w_step * t) * s->kw * s->k;
    }
}

static void depthwise_run(const depthwise *s, int64_t begin, int64_t end, void *scratch) {
    row_state r = {scratch, (const float **)scratch + s->y.taps, 0,
                   (float *)((char *)scratch + FC_ROUND_UP(2 * s->y.taps * 8, 64))};
    const int64_t step = rows_per_tile(s), times = s->k / s->oc;
    for (int64_t row = begin * step; row < fc_min(end * step, s->n * s->y.count); row++) {
        const int64_t image = row / s->y.count, i = row % s->y.count;
        float *dst =
            s->dst + ((image * s->oh + s->y.out_start + s->y.out_step * i) * s->ow + s->x.out_start) * s->oc;
        gather_rows(s, image, i, &r);
        if (times == 1) {
            run_row(s, &r, dst, s->x.out_step * s->oc);
            continue;
        }
        run_row(s, &r, r.spread, s->k);
        for (int64_t j = 0; j < s->x.count; j++)
            for (int64_t c = 0; c < s->oc; c++) {
                float sum = 0.0f;
                for (int64_t q = 0; q < times; q++) sum += r.spread[j * s->k + c * times + q];
                dst[j * s->x.out_step * s->oc + c] = sum;
            }
    }
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
                         (int)a->act,
                         (float)a->alpha};
    return s;
}

/* Whether the unrolled kernels take a convolution (of either struct of arguments); `width`: columns of the
 * result. */
#define UNROLLED(a, width)                                                                                   \
    ((a)->k == (a)->c && fc_unrolled_fits(width, a->c, a->kh, a->kw, a->sh, a->sw, a->dh, a->dw))

static fc_unrolled unrolled_forward(const fc_depthwise_forward_args *a) {
    const fc_unrolled s = {a->n,  a->h, a->w,    a->oh,      a->ow, a->c, a->kh,       a->sh,          a->pt,
                           a->pl, a->x, a->bias, a->weights, a->k,  a->y, (int)a->act, (float)a->alpha};
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
                           .pt = turn ? a->kh - 1 - a->pt : a->pt,
                           .pl = turn ? a->kw - 1 - a->pl : a->pl,
                           .src = a->dy,
                           .weights = turn ? a->weights + (a->kh * a->kw - 1) * a->k : a->weights,
                           .weight_step = turn ? -a->k : a->k,
                           .dst = a->dx,
                           .act = FC_LINEAR};
    return s;
}

static depthwise backward(const fc_depthwise_backward_data_args *a, const fc_phase *p) {
    const depthwise s = {p->y, p->x,  a->n,  a->oh,      a->ow, a->k,  a->h,      a->w, a->c,
                         a->k, a->kw, a->dy, a->weights, NULL,  a->dx, FC_LINEAR, 0.0f};
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
