/* The gradient of a depthwise convolution with respect to its weights (contract in kernels.def): each tap of
 * each channel is a dot product over pixels, so vectors of channels are summed in registers along a row, up
 * to four taps of a kernel's row together, which read the same dy. The kernels that networks have go to
 * depthwise_weights_unrolled.c. */
#include "depthwise_lanes.h"
#include "depthwise_unrolled.h"

#define TAPS 4
/* Channels of a tile: a few cache lines of each pixel. */
#define TILE_CHANNELS 128

typedef fc_depthwise_backward_weights_args args;

FC_TILES(depthwise_backward_weights) { return a->parts * ((a->k + TILE_CHANNELS - 1) / TILE_CHANNELS); }

/* With a depth multiplier a row of x is first spread to k channels. */
FC_SCRATCH(depthwise_backward_weights) {
    return a->k == a->c ? 0 : (size_t)(a->w * TILE_CHANNELS) * sizeof(float);
}

/* One output row and one kernel row. x: source row, pixels x_pixel apart; dy, dw: at the first channel. */
typedef struct {
    const float *x, *dy;
    float *dw;
    int64_t x_pixel, k, lo, hi;     /* output columns */
    int64_t step, dilation, offset; /* source column of tap q of output j: j step + q dilation + offset */
} row_job;

/* dw[q .. q + taps][nv vectors] += sums over columns lo .. hi; taps and nv are constants, n: channels left.
 */
FC_INLINE void sum_body(const row_job *r, int64_t q, int64_t o, const int taps, const int nv, int64_t n) {
    vf acc[TAPS][2];
    FC_UNROLL(4)
    for (int t = 0; t < taps; t++) acc[t][0] = acc[t][1] = vf_zero();
    const float *x = r->x + (r->lo * r->step + q * r->dilation + r->offset) * r->x_pixel + o;
    const float *dy = r->dy + r->lo * r->k + o;
    const int64_t x_step = r->step * r->x_pixel, tap_step = r->dilation * r->x_pixel;
    for (int64_t j = r->lo; j < r->hi; j++, x += x_step, dy += r->k) {
        FC_UNROLL(2)
        for (int v = 0; v < nv; v++) {
            const vf g = vf_load_tail(dy + v * VL, n);
            FC_UNROLL(4)
            for (int t = 0; t < taps; t++)
                acc[t][v] = vf_fma(vf_load_tail(x + t * tap_step + v * VL, n), g, acc[t][v]);
        }
    }
    FC_UNROLL(4)
    for (int t = 0; t < taps; t++) {
        float *dw = r->dw + (q + t) * r->k + o;
        FC_UNROLL(2)
        for (int v = 0; v < nv; v++)
            vf_store_tail(dw + v * VL, vf_add(vf_load_tail(dw + v * VL, n), acc[t][v]), n);
    }
}

FC_INLINE void sum_taps(const row_job *r, int64_t q, int64_t channels, const int taps) {
    int64_t o = 0;
    for (; o + 2 * VL <= channels; o += 2 * VL) sum_body(r, q, o, taps, 2, VL);
    for (; o + VL <= channels; o += VL) sum_body(r, q, o, taps, 1, VL);
    if (o < channels) sum_body(r, q, o, taps, 1, channels - o);
}

/* Columns of tap q that fall into the image. */
static void clip(const args *a, int64_t q, int64_t *lo, int64_t *hi) {
    const int64_t offset = q * a->dw - a->pl, room = a->w - offset;
    *lo = fc_min(offset < 0 ? (-offset + a->sw - 1) / a->sw : 0, a->ow);
    *hi = fc_max(fc_min(room > 0 ? (room + a->sw - 1) / a->sw : 0, a->ow), *lo);
}

static void add_row(const args *a, row_job *r, int64_t channels) {
    for (int64_t q = 0; q < a->kw;) {
        const int64_t taps = fc_min(TAPS, a->kw - q);
        /* Columns of all these taps together, then what single ones have at the rim. */
        int64_t lo = 0, hi = a->ow;
        for (int64_t t = q; t < q + taps; t++) {
            int64_t l, h;
            clip(a, t, &l, &h);
            lo = fc_max(lo, l);
            hi = fc_min(hi, h);
        }
        hi = fc_max(hi, lo);
        for (int64_t t = q; t < q + taps; t++) {
            int64_t l, h;
            clip(a, t, &l, &h);
            r->lo = l;
            r->hi = fc_min(lo, h);
            if (r->lo < r->hi) sum_taps(r, t, channels, 1);
            r->lo = fc_max(hi, l);
            r->hi = h;
            if (r->lo < r->hi) sum_taps(r, t, channels, 1);
        }
        r->lo = lo;
        r->hi = hi;
        if (lo < hi) {
            if (taps == 4)
                sum_taps(r, q, channels, 4);
            else if (taps == 3)
                sum_taps(r, q, channels, 3);
            else if (taps == 2)
                sum_taps(r, q, channels, 2);
            else
                sum_taps(r, q, channels, 1);
        }
        q += taps;
    }
}

static void run_tile(const args *a, int64_t part, int64_t first, float *spread) {
    const int64_t channels = fc_min(TILE_CHANNELS, a->k - first), times = a->k / a->c;
    float *out = a->dweights + part * a->kh * a->kw * a->k + first;
    for (int64_t t = 0; t < a->kh * a->kw; t++) memset(out + t * a->k, 0, (size_t)channels * sizeof *out);
    if (times == 1 && fc_unrolled_kernel(a->kh, a->kw, a->sh, a->sw, a->dh, a->dw)) {
        FC_NAME(fc_unrolled_weights)
        (a, a->n * a->oh * part / a->parts, a->n * a->oh * (part + 1) / a->parts, first, channels, out);
        return;
    }
    row_job r = {.k = a->k, .step = a->sw, .dilation = a->dw, .offset = -a->pl};
    const int64_t vectors = (channels + VL - 1) / VL;
    fc_lanes lanes[TILE_CHANNELS / VL];
    if (times > 1)
        for (int64_t v = 0; v < vectors; v++)
            lanes[v] = fc_start_lanes(first + v * VL, channels - v * VL, times, 1, 0);
    for (int64_t row = a->n * a->oh * part / a->parts; row < a->n * a->oh * (part + 1) / a->parts; row++) {
        const int64_t image = row / a->oh, i = row % a->oh;
        r.dy = a->dy + row * a->ow * a->k + first;
        for (int64_t t = 0; t < a->kh; t++) {
            const int64_t y = i * a->sh + t * a->dh - a->pt;
            if (y < 0 || y >= a->h) continue;
            const float *x = a->x + (image * a->h + y) * a->w * a->c;
            if (times > 1) {
                for (int64_t v = 0; v < vectors; v++)
                    fc_copy_lanes(&lanes[v], x, a->w, a->c, spread + v * VL, vectors * VL);
                r.x = spread;
                r.x_pixel = vectors * VL;
            } else {
                r.x = x + first;
                r.x_pixel = a->c;
            }
            r.dw = out + t * a->kw * a->k;
            add_row(a, &r, channels);
        }
    }
}

FC_RUN(depthwise_backward_weights) {
    const int64_t spans = (a->k + TILE_CHANNELS - 1) / TILE_CHANNELS;
    for (int64_t tile = begin; tile < end; tile++)
        run_tile(a, tile / spans, tile % spans * TILE_CHANNELS, scratch);
}
