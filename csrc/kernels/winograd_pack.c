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

/* A group's channels in and out, and the first ones' places among all. */
typedef struct {
    int64_t c, k, parts, first_c, first_k;
} group;

static group group_at(const fc_winograd_pack_args *a, int64_t g) {
    const group of = {a->c / a->groups, a->k / a->groups, fc_wino_parts(a->kh) * fc_wino_parts(a->kw),
                      a->c / a->groups * g, a->k / a->groups * g};
    return of;
}

static int64_t steps_of(const group *g) { return (g->c + PACK_DEPTH - 1) / PACK_DEPTH; }

FC_TILES(winograd_pack) {
    const group g = group_at(a, 0);
    return a->groups * fc_panels(g.k) * g.parts * steps_of(&g);
}

/* The weights of tap (row, column) of the convolution to be computed, c0 .. c0 + depth of a group's channels
 * in, col .. col + width of those out; beyond the kernel they are zeros. */
static void take_tap(const fc_winograd_pack_args *a, const group *g, int64_t row, int64_t column, int64_t c0,
                     int64_t depth, int64_t col, int64_t width, float *to) {
    const int64_t cols = row < a->kh && column < a->kw ? fc_min(g->k - col, width) : 0;
    if (!a->adjoint) {
        const float *from = a->weights + ((row * a->kw + column) * g->c + c0) * a->k + g->first_k + col;
        for (int64_t c = 0; c < depth; c++)
            for (int64_t j = 0; j < width; j += VL)
                vf_store(to + c * width + j,
                         j < cols ? vf_load_tail(from + c * a->k + j, cols - j) : vf_zero());
        return;
    }
    const int64_t tap = (a->kh - 1 - row) * a->kw + a->kw - 1 - column;
    const float *from = a->weights + (tap * g->k + col) * a->c + g->first_c + c0;
    for (int64_t j = 0; j < width; j++)
        for (int64_t c = 0; c < depth; c++) to[c * width + j] = j < cols ? from[j * a->c + c] : 0.0f;
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

/* packed: [group][panel][point][part][channel][width], or late [panel][channel][tap][width]. A tile is
 * PACK_DEPTH channels of a part and a panel. */
FC_RUN(winograd_pack) {
    const int64_t m = fc_wino_m(a->m), across = fc_wino_parts(a->kw);
    float *taken = scratch;
    for (int64_t tile = begin; tile < end; tile++) {
        group g = group_at(a, 0);
        const int64_t steps = steps_of(&g), part = tile / steps % g.parts;
        const int64_t unit = tile / (steps * g.parts), panel = unit % fc_panels(g.k);
        g = group_at(a, unit / fc_panels(g.k));
        const int64_t c0 = tile % steps * PACK_DEPTH, depth = fc_min(PACK_DEPTH, g.c - c0);
        const int64_t col = panel * FC_NR, width = fc_panel_vectors(g.k, panel) * VL;
        const int64_t all = g.parts * g.c, matrix = fc_odd_lines(all * width);
        float *to = a->packed + unit / fc_panels(g.k) * fc_wino_group(m, all, g.k) +
                    panel * fc_wino_panel(m, all) + (part * g.c + c0) * width;
        for (int64_t tap = 0; tap < 9; tap++)
            take_tap(a, &g, part / across * 3 + tap / 3, part % across * 3 + tap % 3, c0, depth, col, width,
                     taken + tap * PACK_DEPTH * FC_NR);
        if (a->late && m == 4) {
            order_weights(taken, depth, width, a->packed + 9 * (panel * g.c * FC_NR + c0 * width));
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
