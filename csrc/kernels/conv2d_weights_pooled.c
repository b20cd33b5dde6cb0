/* The gradient of a 3x3 convolution with respect to its weights, from the gradient of its result's 2x2 maxima
 * (contract in kernels.def): for the first layers of networks, of whose result nothing else is asked.
 *
 * Spread over the windows, the gradient would be four times as large and three quarters zeros, written once
 * and read once. Here it is spread in registers only: a window's gradients, masked by their places, meet the
 * 4x4 pixels from which the window's four results were computed, each of which is loaded once.
 *
 * A tile is a part of the rows of windows x a vector or two of output channels. Blocks of rows are added to
 * dweights one after the other, which keeps the sums' rounding errors small.
 */
#include "kernel.h"

/* Vectors of output channels of a tile: 9 sums and 4 masked gradients each, and a pixel, in registers. */
#if defined(FC_TARGET_AVX512) || defined(FC_TARGET_NEON)
#define VECTORS 2
#else
#define VECTORS 1
#endif
#define WIDTH (VECTORS * VL)
#define TAPS 9
#define PATCH 4 /* rows and columns of pixels behind a window */
/* Windows of a block at least. */
#define WINDOWS 512

typedef fc_conv2d_backward_weights_pooled_args args;

static int64_t tiles_across(const args *a) { return (a->k + WIDTH - 1) / WIDTH; }

FC_TILES(conv2d_backward_weights_pooled) { return a->parts * tiles_across(a); }
FC_NO_SCRATCH(conv2d_backward_weights_pooled)

/* acc[tap] += the 4x4 pixels, `line` and `step` floats apart, x a window's gradients: the first n of nv
 * vectors of channels. */
FC_INLINE void add_window(const int nv, vf (*acc)[VECTORS], const float *x, int64_t line, int64_t step,
                          const float *dy, const uint8_t *index, int64_t n) {
    vf d[4][VECTORS];
    FC_UNROLL(2)
    for (int v = 0; v < nv; v++) {
        const vf g = vf_load_tail(dy + v * VL, n - v * VL);
        const vi places = n - v * VL >= VL ? vi_set1(0) : vi_from_u8_n(index + v * VL, (int)(n - v * VL));
        FC_UNROLL(4)
        for (int p = 0; p < 4; p++) {
            const vm here =
                n - v * VL >= VL ? vm_eq_u8(index + v * VL, p) : vi_eq(places, vi_set1((int32_t)p));
            d[p][v] = vf_blend(here, g, vf_zero());
        }
    }
    FC_UNROLL(4)
    for (int i = 0; i < PATCH; i++) {
        FC_UNROLL(4)
        for (int j = 0; j < PATCH; j++) {
            const vf pixel = vf_set1(x[i * line + j * step]);
            FC_UNROLL(4)
            for (int p = 0; p < 4; p++) {
                const int r = i - p / 2, s = j - p % 2;
                if (r < 0 || r > 2 || s < 0 || s > 2) continue;
                FC_UNROLL(2)
                for (int v = 0; v < nv; v++) acc[r * 3 + s][v] = vf_fma(pixel, d[p][v], acc[r * 3 + s][v]);
            }
        }
    }
}

/* The pixels behind a window at the border, with the zeros around the image. */
static void copy_patch(const args *a, const float *image, int64_t y, int64_t x, float *copy) {
    for (int64_t i = y; i < y + PATCH; i++)
        for (int64_t j = x; j < x + PATCH; j++) {
            const int inside = i >= 0 && i < a->h && j >= 0 && j < a->w;
            *copy++ = inside ? image[(i * a->w + j) * a->c] : 0.0f;
        }
}

/* Rows of windows begin .. end of all images, counted through them: dweights (+)= their sums for input
 * channel c and the n output channels from col on. */
FC_INLINE void add_rows(const int nv, const args *a, int64_t begin, int64_t end, int64_t c, int64_t col,
                        int64_t n, float *dweights, int first) {
    const int64_t down = a->oh / 2, across = a->ow / 2, line = a->w * a->c;
    vf acc[TAPS][VECTORS];
    FC_UNROLL(9)
    for (int t = 0; t < TAPS; t++) {
        FC_UNROLL(2)
        for (int v = 0; v < nv; v++) acc[t][v] = vf_zero();
    }
    for (int64_t row = begin; row < end; row++) {
        const int64_t y = row % down * 2 - a->pt;
        const float *image = a->x + row / down * a->h * line + c;
        for (int64_t j = 0; j < across; j++) {
            const int64_t x = 2 * j - a->pl, at = (row * across + j) * a->k + col;
            const int inside = y >= 0 && y + PATCH <= a->h && x >= 0 && x + PATCH <= a->w;
            float copy[PATCH * PATCH];
            if (!inside) copy_patch(a, image, y, x, copy);
            add_window(nv, acc, inside ? image + y * line + x * a->c : copy, inside ? line : PATCH,
                       inside ? a->c : 1, a->dy + at, a->index + at, n);
        }
    }
    FC_UNROLL(9)
    for (int t = 0; t < TAPS; t++) {
        float *to = dweights + (t * a->c + c) * a->k + col;
        FC_UNROLL(2)
        for (int v = 0; v < nv; v++) {
            const vf before = first ? vf_zero() : vf_load_tail(to + v * VL, n - v * VL);
            vf_store_tail(to + v * VL, vf_add(before, acc[t][v]), n - v * VL);
        }
    }
}

FC_RUN(conv2d_backward_weights_pooled) {
    (void)scratch;
    const int64_t tiles = tiles_across(a), rows = a->n * (a->oh / 2);
    const int64_t block = WINDOWS / fc_max(a->ow / 2, 1) + 1;
    for (int64_t tile = begin; tile < end; tile++) {
        const int64_t part = tile / tiles, col = tile % tiles * WIDTH, n = fc_min(WIDTH, a->k - col);
        const int64_t last = rows * (part + 1) / a->parts;
        float *to = a->dweights + part * TAPS * a->c * a->k;
        int64_t row = rows * part / a->parts;
        int first = 1;
        do { /* at least once: sums of no rows are 0 */
            const int64_t next = fc_min(row + block, last);
            for (int64_t c = 0; c < a->c; c++)
                if (n == WIDTH)
                    add_rows(VECTORS, a, row, next, c, col, WIDTH, to, first);
                else if (n > VL)
                    add_rows(VECTORS, a, row, next, c, col, n, to, first);
                else
                    add_rows(1, a, row, next, c, col, n, to, first);
            row = next;
            first = 0;
        } while (row < last);
    }
}
