/* Depthwise correlation with the kernels that networks have, 3x3 and 5x5, stride 1 or 2, by unrolled register
 * tiles (depthwise_unrolled.c), for depthwise.c. A dilated one is several that aren't: every d-th row and
 * column meet only each other. */
#ifndef FC_DEPTHWISE_UNROLLED_H
#define FC_DEPTHWISE_UNROLLED_H
#include "epilogue.h"

typedef struct {
    int64_t n, h, w, oh, ow; /* source and output images */
    int64_t c;               /* channels of both, at least VL */
    int64_t kernel, stride;
    int64_t dilation; /* 1 for fc_unrolled_adjoint_* */
    int64_t pt, pl;   /* output (i, j) reads source rows i stride - pt on, columns j stride - pl on */
    const float *src, *bias;
    /* Tap t = row * kernel + column has the weights weights + t weight_step: a kernel turned by 180 degrees
     * begins at its end. */
    const float *weights;
    int64_t weight_step;
    float *dst;
    /* Floats from pixel to pixel, from row to row, and from image to image. */
    int64_t src_step, src_row, src_image, dst_step, dst_row, dst_image;
    int act;
    float alpha, beta;
} fc_unrolled;

FC_INLINE int fc_unrolled_kernel(int64_t kh, int64_t kw, int64_t sh, int64_t sw, int64_t dh, int64_t dw) {
    return kh == kw && (kh == 3 || kh == 5) && sh == sw && (sh == 1 || sh == 2) && dh == 1 && dw == 1;
}

/* Whether these kernels take it; then tiles and run, without scratch, as in
 * fastcnn.h. */
FC_INLINE int fc_unrolled_fits(int64_t ow, int64_t c, int64_t kh, int64_t kw, int64_t sh, int64_t sw,
                               int64_t dh, int64_t dw) {
    return dh == dw && (dh == 1 || sh == 1) && ow / dh >= 4 && c >= VL &&
           fc_unrolled_kernel(kh, kw, sh, sw, 1, 1);
}
int64_t FC_NAME(fc_unrolled_tiles)(const fc_unrolled *s);
void FC_NAME(fc_unrolled_run)(const fc_unrolled *s, int64_t begin, int64_t end);

/* The gradient with respect to the input of such a convolution of stride 2: src is dy (n oh ow), dst is dx (n
 * h w), pt and pl the convolution's padding. */
int64_t FC_NAME(fc_unrolled_adjoint_tiles)(const fc_unrolled *s);
void FC_NAME(fc_unrolled_adjoint_run)(const fc_unrolled *s, int64_t begin, int64_t end);

/* dw [kh][kw][k] at channel `first` += the gradient with respect to the weights of `channels` channels from
 * there on, over rows row .. end-1 of dy, counted through all images. Any number of channels. */
void FC_NAME(fc_unrolled_weights)(const fc_depthwise_backward_weights_args *a, int64_t row, int64_t end,
                                  int64_t first, int64_t channels, float *dw);

/* ---- what they are made of ---- */

/* From so many floats on, images come from memory, and asking for what is needed next pays: with eight rows
 * and more to read at a time, the processor doesn't find out by itself. */
#define FC_AHEAD_FLOATS (9 << 19)

/* Vector registers: accumulators, a row of weights and one pixel must fit. */
#if defined(FC_TARGET_AVX512) || defined(FC_TARGET_NEON)
#define FC_UNROLLED_REGISTERS 32
#else
#define FC_UNROLLED_REGISTERS 16
#endif

/* Bit i says whether place first + i lies in 0 .. size-1, for `count` <= 31 places. */
FC_INLINE unsigned fc_inside(int64_t first, int count, int64_t size) {
    const int64_t lo = fc_max(0, -first), hi = fc_min(count, size - first);
    return hi <= lo ? 0u : (1u << hi) - (1u << lo);
}

/* How the rows of all images (in bands of a few) and the channels are cut into tiles. Bands of an image lie
 * one after the other; channels are cut only where there are few bands (one small image). */
typedef struct {
    int64_t bands;  /* of all images */
    int64_t step;   /* bands to a tile */
    int64_t groups; /* tiles of bands */
    int64_t blocks, channels;
} fc_unrolled_cut;

FC_INLINE fc_unrolled_cut fc_cut_bands(int64_t bands, int64_t band_floats, int64_t c) {
    /* Some 10 us of work, and enough tiles for the cores of a small machine to end together. */
    const int64_t tile_floats = 16384, least_tiles = 16, least_channels = 64;
    fc_unrolled_cut t = {bands, 1, 0, 1, c};
    if (bands <= 0) return t;
    t.blocks = fc_max(1, fc_min(c / least_channels, least_tiles / bands));
    t.channels = c / t.blocks / 16 * 16;
    if (t.blocks == 1) t.channels = c;
    const int64_t floats = fc_max(1, band_floats / t.blocks);
    t.step = fc_max(1, fc_min(tile_floats / floats, bands * t.blocks / least_tiles));
    t.groups = (bands + t.step - 1) / t.step;
    return t;
}

/* One image's channels, as a band of its rows is computed: pointers are at the image, and at the tile's first
 * channel. */
typedef struct {
    const fc_unrolled *s;
    const float *src, *weights, *bias;
    float *dst;
    int64_t channels;
    int stream; /* past the cache */
    int ahead;  /* images come from memory: fetch what is needed next */
} fc_unrolled_band;

/* Tiles begin .. end of `bands` bands an image. run(band, number in its image). */
FC_INLINE void fc_each_band(const fc_unrolled *s, const fc_unrolled_cut *cut, int64_t bands, int64_t begin,
                            int64_t end, void (*run)(const fc_unrolled_band *, int64_t)) {
    const int stream = !fc_acts_late(s->act) && fc_streams(s->dst, s->n * s->dst_image) && s->c % VL == 0 &&
                       s->dst_step % VL == 0;
    const int ahead = s->n * (s->src_image + s->dst_image) >= FC_AHEAD_FLOATS;
    for (int64_t tile = begin; tile < end; tile++) {
        const int64_t block = tile / cut->groups, from = tile % cut->groups * cut->step,
                      c = block * cut->channels;
        const int64_t channels = block + 1 < cut->blocks ? cut->channels : s->c - c;
        for (int64_t i = from; i < fc_min(from + cut->step, cut->bands); i++) {
            const int64_t image = i / bands;
            const fc_unrolled_band b = {s,
                                        s->src + image * s->src_image + c,
                                        s->weights + c,
                                        s->bias ? s->bias + c : NULL,
                                        s->dst + image * s->dst_image + c,
                                        channels,
                                        stream,
                                        ahead};
            run(&b, i % bands);
        }
    }
    if (stream) vf_fence();
}

#endif
