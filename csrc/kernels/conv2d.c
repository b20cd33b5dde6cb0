/* Convolution, forward (contract in kernels.def): a correlation whose weights are packed once and kept. */
#include "correlation.h"

static fc_correlation forward_correlation(const fc_conv2d_forward_args *a) {
    fc_correlation s = {fc_axis_forward(a->oh, a->sh, a->dh, a->pt, a->kh),
                        fc_axis_forward(a->ow, a->sw, a->dw, a->pl, a->kw),
                        a->n,
                        a->h,
                        a->w,
                        a->c,
                        a->oh,
                        a->ow,
                        a->k,
                        a->groups,
                        a->x,
                        a->packed,
                        a->bias,
                        a->y,
                        a->y_step,
                        (int)a->act,
                        (float)a->alpha,
                        (float)a->beta,
                        a->pool ? NULL : a->residual,
                        NULL,
                        a->pool != 0,
                        a->index};
    if (a->pool) {
        s.y.count &= ~(int64_t)1;
        s.x.count &= ~(int64_t)1;
    }
    fc_correlation_flatten(&s);
    return s;
}

FC_TILES(conv2d_forward) {
    const fc_correlation s = forward_correlation(a);
    return FC_NAME(fc_correlation_tiles)(&s);
}
FC_SCRATCH(conv2d_forward) {
    const fc_correlation s = forward_correlation(a);
    return FC_NAME(fc_correlation_scratch)(&s);
}
FC_RUN(conv2d_forward) {
    const fc_correlation s = forward_correlation(a);
    FC_NAME(fc_correlation_run)(&s, begin, end, scratch);
}

/* Filters that are packed together: those of a group, or a vector of groups. */
static int64_t filters(const fc_conv2d_pack_args *a) {
    return fc_side_by_side(a->c, a->k, a->groups) ? VL : a->k / a->groups;
}

/* A tile packs one panel of one group: rows of the weights, cut to the panel's width. */
FC_NO_SCRATCH(conv2d_pack)
FC_TILES(conv2d_pack) { return a->k / filters(a) * fc_panels(filters(a)); }
FC_RUN(conv2d_pack) {
    (void)scratch;
    const int64_t kg = filters(a), depth = a->kh * a->kw * (a->c / a->groups), panels = fc_panels(kg);
    for (int64_t tile = begin; tile < end; tile++) {
        const int64_t g = tile / panels, panel = tile % panels, col = panel * FC_NR;
        const int64_t width = fc_panel_vectors(kg, panel) * VL, cols = fc_min(kg - col, width);
        const float *from = a->weights + g * kg + col;
        float *to = a->packed + g * depth * fc_packed_cols(kg) + depth * col;
        for (int64_t d = 0; d < depth; d++, from += a->k, to += width)
            for (int64_t j = 0; j < width; j += VL)
                vf_store(to + j, j < cols ? vf_load_tail(from + j, cols - j) : vf_zero());
    }
}
