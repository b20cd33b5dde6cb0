/* The gradient of a convolution with respect to its input (contract in kernels.def): for each phase of the
 * stride a correlation of dy with the taps that reach that phase, flipped, channels and filters exchanged.
 * With few channels, all phases of some columns at once (fc_column_block). */
#include "correlation.h"

static fc_conv_shape in_blocks(fc_conv_shape s) {
    s.block = fc_column_block(&s);
    return s;
}

/* Of either struct of arguments. */
#define SHAPE(a) in_blocks((fc_conv_shape)FC_CONV_SHAPE(a))

static fc_correlation phase_correlation(const fc_conv2d_backward_data_args *a, const fc_phase *p,
                                        int64_t block) {
    const int64_t columns = fc_max(block, 1);
    fc_correlation s = {p->y,
                        p->x,
                        a->n,
                        a->oh,
                        a->ow,
                        a->k,
                        a->h,
                        a->w / columns,
                        a->c * columns,
                        a->groups,
                        a->dy,
                        a->packed + p->packed,
                        NULL,
                        a->dx,
                        a->c * columns,
                        a->saved ? (int)a->act : FC_LINEAR,
                        (float)a->alpha,
                        0.0f,
                        a->residual,
                        a->saved,
                        0,
                        NULL};
    fc_correlation_flatten(&s);
    return s;
}

FC_TILES(conv2d_backward_data) {
    const fc_conv_shape s = SHAPE(a);
    int64_t tiles = 0;
    fc_phase p = fc_first_phase(&s);
    for (; p.index < fc_phases(&s); fc_next_phase(&s, &p)) {
        const fc_correlation c = phase_correlation(a, &p, s.block);
        tiles += FC_NAME(fc_correlation_tiles)(&c);
    }
    return tiles;
}

FC_SCRATCH(conv2d_backward_data) {
    const fc_conv_shape s = SHAPE(a);
    size_t most = 0;
    fc_phase p = fc_first_phase(&s);
    for (; p.index < fc_phases(&s); fc_next_phase(&s, &p)) {
        const fc_correlation c = phase_correlation(a, &p, s.block);
        const size_t bytes = FC_NAME(fc_correlation_scratch)(&c);
        if (bytes > most) most = bytes;
    }
    return most;
}

FC_RUN(conv2d_backward_data) {
    const fc_conv_shape s = SHAPE(a);
    int64_t first = 0; /* tile of the phase */
    fc_phase p = fc_first_phase(&s);
    for (; p.index < fc_phases(&s) && first < end; fc_next_phase(&s, &p)) {
        const fc_correlation c = phase_correlation(a, &p, s.block);
        const int64_t tiles = FC_NAME(fc_correlation_tiles)(&c);
        const int64_t from = fc_max(begin - first, 0), to = fc_min(end - first, tiles);
        if (from < to) FC_NAME(fc_correlation_run)(&c, from, to, scratch);
        first += tiles;
    }
}

/* A tile packs one panel of one group, of every phase: [tap y][tap x][k / groups][panel of c / groups]. */
FC_NO_SCRATCH(conv2d_pack_transposed)
FC_TILES(conv2d_pack_transposed) {
    const fc_conv_shape s = SHAPE(a);
    if (s.block) return fc_panels(s.block * a->c);
    return fc_side_by_side(a->c, a->k, a->groups) ? a->c / VL : a->groups * fc_panels(a->c / a->groups);
}

/* from [cols][depth] with rows of `stride` floats to `to` [depth][width], zeros from cols on; in squares,
 * through a copy that lies together, since rows of the weights are often whole kilobytes apart and collide in
 * the cache. */
static void transpose(const float *from, int64_t stride, int64_t cols, int64_t depth, float *to,
                      int64_t width) {
    float square[16][17];
    for (int64_t d0 = 0; d0 < depth; d0 += 16)
        for (int64_t j0 = 0; j0 < width; j0 += 16) {
            const int64_t rows = fc_min(depth - d0, 16), valid = fc_min(fc_max(cols - j0, 0), 16);
            const int64_t wide = fc_min(width - j0, 16);
            for (int64_t j = 0; j < wide; j++)
                for (int64_t d = 0; d < rows; d++)
                    square[j][d] = j < valid ? from[(j0 + j) * stride + d0 + d] : 0.0f;
            for (int64_t d = 0; d < rows; d++)
                for (int64_t j = 0; j < wide; j++) to[(d0 + d) * width + j0 + j] = square[j][d];
        }
}

/* One vector of input channels, of groups side by side: [tap y][tap x][k / groups][VL]. */
static void pack_side_by_side(const fc_conv2d_pack_transposed_args *a, const fc_phase *p, int64_t vector) {
    const int64_t cg = a->c / a->groups, kg = a->k / a->groups, taps = p->y.taps * p->x.taps;
    float *to = a->packed + p->packed + vector * taps * kg * VL;
    for (int64_t t = 0; t < taps; t++) {
        const int64_t r = p->y.w_first + p->y.w_step * (t / p->x.taps);
        const int64_t q = p->x.w_first + p->x.w_step * (t % p->x.taps);
        const float *tap = a->weights + (r * a->kw + q) * cg * a->k;
        for (int64_t o = 0; o < kg; o++)
            for (int64_t j = 0; j < VL; j++) {
                const int64_t c = vector * VL + j;
                *to++ = tap[c % cg * a->k + c / cg * kg + o];
            }
    }
}

static void pack_panel(const fc_conv2d_pack_transposed_args *a, const fc_phase *p, int64_t g, int64_t panel) {
    const int64_t cg = a->c / a->groups, kg = a->k / a->groups, col = panel * FC_NR;
    const int64_t width = fc_panel_vectors(cg, panel) * VL, cols = fc_min(cg - col, width);
    const int64_t depth = p->y.taps * p->x.taps * kg;
    float *to = a->packed + p->packed + g * depth * fc_packed_cols(cg) + depth * col;
    for (int64_t t = 0; t < p->y.taps * p->x.taps; t++) {
        const int64_t r = p->y.w_first + p->y.w_step * (t / p->x.taps);
        const int64_t q = p->x.w_first + p->x.w_step * (t % p->x.taps);
        const float *from = a->weights + ((r * a->kw + q) * cg + col) * a->k + g * kg;
        transpose(from, a->k, cols, kg, to, width);
        to += kg * width;
    }
}

/* As pack_panel, for a block of columns of dx: [tap y][tap x][k][panel of block c]. */
static void pack_block_panel(const fc_conv2d_pack_transposed_args *a, const fc_phase *p, int64_t block,
                             int64_t panel) {
    const int64_t cols = block * a->c, col = panel * FC_NR, width = fc_panel_vectors(cols, panel) * VL;
    float *to = a->packed + p->packed + p->y.taps * p->x.taps * a->k * col;
    for (int64_t t = 0; t < p->y.taps * p->x.taps; t++, to += a->k * width) {
        const int64_t r = p->y.w_first + p->y.w_step * (t / p->x.taps);
        const int64_t at =
            a->pl - a->sw * (p->x.src_start + t % p->x.taps); /* tap of the block's first column */
        for (int64_t j = 0; j < width; j++) {
            const int64_t q = at + (col + j) / a->c, c = (col + j) % a->c;
            const int meets = col + j < cols && q >= 0 && q < a->kw;
            const float *from = a->weights + ((r * a->kw + (meets ? q : 0)) * a->c + c) * a->k;
            for (int64_t o = 0; o < a->k; o++) to[o * width + j] = meets ? from[o] : 0.0f;
        }
    }
}

FC_RUN(conv2d_pack_transposed) {
    (void)scratch;
    const fc_conv_shape s = SHAPE(a);
    const int64_t panels = fc_panels(a->c / a->groups);
    fc_phase p = fc_first_phase(&s);
    for (; p.index < fc_phases(&s); fc_next_phase(&s, &p))
        for (int64_t tile = begin; tile < end; tile++) {
            if (s.block)
                pack_block_panel(a, &p, s.block, tile);
            else if (fc_side_by_side(a->c, a->k, a->groups))
                pack_side_by_side(a, &p, tile);
            else
                pack_panel(a, &p, tile / panels, tile % panels);
        }
}
