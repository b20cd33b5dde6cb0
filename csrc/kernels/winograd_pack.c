/* The weights of a Winograd convolution, transformed once and kept (contract in kernels.def, transforms in
 * winograd.h). */
#include "winograd.h"

/* Input channels that are transformed at a time: a cache line of weights. */
#define PACK_DEPTH 16

/* The weights of PACK_DEPTH channels and a panel, zero past the last column: [tap][channel][width]. */
static size_t taken_bytes(void) { return 9 * PACK_DEPTH * FC_NR * sizeof(float); }

FC_SCRATCH(winograd_pack) {
    (void)a;
    return taken_bytes();
}

FC_TILES(winograd_pack) { return fc_panels(a->k) * ((a->c + PACK_DEPTH - 1) / PACK_DEPTH); }

static void take_weights(const fc_winograd_pack_args *a, int64_t c0, int64_t depth, int64_t col,
                         int64_t width, float *to) {
    const int64_t cols = fc_min(a->k - col, width);
    for (int64_t tap = 0; tap < 9; tap++, to += PACK_DEPTH * FC_NR) {
        if (!a->adjoint) {
            const float *from = a->weights + (tap * a->c + c0) * a->k + col;
            for (int64_t c = 0; c < depth; c++)
                for (int64_t j = 0; j < width; j += VL)
                    vf_store(to + c * width + j,
                             j < cols ? vf_load_tail(from + c * a->k + j, cols - j) : vf_zero());
            continue;
        }
        const float *from = a->weights + ((8 - tap) * a->k + col) * a->c + c0;
        for (int64_t j = 0; j < width; j++)
            for (int64_t c = 0; c < depth; c++) to[c * width + j] = j < cols ? from[j * a->c + c] : 0.0f;
    }
}

FC_INLINE void to_points(const int m, const int strided, const vf *g, vf *o, const int to) {
    if (strided)
        fc_wino_strided_weights(g, 1, o, to);
    else
        fc_wino_weights(m, g, 1, o, to);
}

FC_INLINE void transform_weights(const int m, const int strided, const float *from, float *to,
                                 int64_t matrix) {
    const int edge = m + 2;
    vf half[FC_WINO_EDGE * 3], g[3], o[FC_WINO_EDGE];
    FC_UNROLL(3)
    for (int j = 0; j < 3; j++) {
        FC_UNROLL(3)
        for (int i = 0; i < 3; i++) g[i] = vf_load(from + (i * 3 + j) * PACK_DEPTH * FC_NR);
        to_points(m, strided, g, half + j, 3);
    }
    FC_UNROLL(6)
    for (int i = 0; i < edge; i++) {
        to_points(m, strided, half + i * 3, o, 1);
        FC_UNROLL(6)
        for (int j = 0; j < edge; j++) vf_store(to + (i * edge + j) * matrix, o[j]);
    }
}

/* The weights as they are: [channel][tap][width]. */
static void order_weights(const float *from, int64_t depth, int64_t width, float *to) {
    for (int64_t c = 0; c < depth; c++)
        for (int64_t tap = 0; tap < 9; tap++, to += width)
            for (int64_t j = 0; j < width; j += VL)
                vf_store(to + j, vf_load(from + tap * PACK_DEPTH * FC_NR + c * width + j));
}

/* packed: [panel][point][channel][width], or late [panel][channel][tap][width]. A tile is a panel and
 * PACK_DEPTH channels. */
FC_RUN(winograd_pack) {
    const int64_t m = fc_wino_m(a->m), points = (m + 2) * (m + 2),
                  steps = (a->c + PACK_DEPTH - 1) / PACK_DEPTH;
    float *taken = scratch;
    for (int64_t tile = begin; tile < end; tile++) {
        const int64_t panel = tile / steps, c0 = tile % steps * PACK_DEPTH,
                      depth = fc_min(PACK_DEPTH, a->c - c0);
        const int64_t col = panel * FC_NR, width = fc_panel_vectors(a->k, panel) * VL;
        const int64_t matrix = fc_odd_lines(a->c * width);
        float *to = a->packed + panel * points * fc_odd_lines(a->c * FC_NR) + c0 * width;
        take_weights(a, c0, depth, col, width, taken);
        if (a->late && m == 4) {
            order_weights(taken, depth, width, a->packed + 9 * (panel * a->c * FC_NR + c0 * width));
            continue;
        }
        for (int64_t i = 0; i < depth * width; i += VL)
            if (a->stride == 2)
                transform_weights(4, 1, taken + i, to + i, matrix);
            else if (m == 3)
                transform_weights(3, 0, taken + i, to + i, matrix);
            else
                transform_weights(4, 0, taken + i, to + i, matrix);
    }
}
