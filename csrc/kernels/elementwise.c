/* Functions of one array and of an array and a number. All of it waits for memory once arrays leave the
 * cache: one pass, four vectors a turn so that the loop itself costs nothing, tiles of FC_CHUNK floats,
 * and what is larger than the cache and not in place is written past it. */
#include "epilogue.h"

/* Four vectors a turn, or one for functions beside which the loop costs nothing and whose code is long. */
#define FOR_VECTORS(kind, count, STEP)                                                                       \
    do {                                                                                                     \
        if (kind < FC_ELU) {                                                                                 \
            FC_FOR_LANES(count, STEP);                                                                       \
        } else {                                                                                             \
            int64_t i = 0;                                                                                   \
            for (; i + VL <= (count); i += VL) STEP(i, VL);                                                  \
            if (i < (count)) STEP(i, (count)-i);                                                             \
        }                                                                                                    \
    } while (0)

FC_INLINE void unary_range(int64_t kind, const float *x, float *y, int64_t count, vf alpha, vf beta,
                           int stream) {
#define STEP(i, n) fc_put(y + (i), vf_unary(kind, vf_load_tail(x + (i), n), alpha, beta), n, stream)
    FOR_VECTORS(kind, count, STEP);
#undef STEP
}

FC_INLINE void unary_gradient_range(int64_t kind, const float *dy, const float *s, float *dx, int64_t count,
                                    vf alpha, vf beta, int stream) {
#define STEP(i, n)                                                                                           \
    fc_put(dx + (i),                                                                                         \
           vf_unary_gradient(kind, vf_load_tail(dy + (i), n), vf_load_tail(s + (i), n), alpha, beta), n,     \
           stream)
    FOR_VECTORS(kind, count, STEP);
#undef STEP
}

/* One loop for each function. */
#define EACH_UNARY(CASE)                                                                                     \
    CASE(FC_LINEAR)                                                                                          \
    CASE(FC_RELU)                                                                                            \
    CASE(FC_LEAKY_RELU)                                                                                      \
    CASE(FC_RELU6)                                                                                           \
    CASE(FC_SIGMOID)                                                                                         \
    CASE(FC_TANH)                                                                                            \
    CASE(FC_EXP)                                                                                             \
    CASE(FC_LOG)                                                                                             \
    CASE(FC_SQRT)                                                                                            \
    CASE(FC_SQUARE)                                                                                          \
    CASE(FC_ABS)                                                                                             \
    CASE(FC_NEGATIVE)                                                                                        \
    CASE(FC_CLIP)                                                                                            \
    CASE(FC_THRESHOLD)                                                                                       \
    CASE(FC_SHRINK)                                                                                          \
    CASE(FC_HARD_SIGMOID)                                                                                    \
    CASE(FC_HARD_SILU)                                                                                       \
    CASE(FC_SOFTSIGN)                                                                                        \
    CASE(FC_RECIPROCAL)                                                                                      \
    CASE(FC_FLOOR)                                                                                           \
    CASE(FC_CEIL)                                                                                            \
    CASE(FC_ROUND)                                                                                           \
    CASE(FC_SIGN)                                                                                            \
    CASE(FC_ELU)                                                                                             \
    CASE(FC_SELU)                                                                                            \
    CASE(FC_SOFTPLUS)                                                                                        \
    CASE(FC_SILU)                                                                                            \
    CASE(FC_GELU)                                                                                            \
    CASE(FC_GELU_TANH)                                                                                       \
    CASE(FC_MISH)                                                                                            \
    CASE(FC_ERF)                                                                                             \
    CASE(FC_POWER)

static void apply(int64_t kind, const float *x, float *y, int64_t count, vf alpha, vf beta, int stream) {
    switch (kind) {
#define CASE(kind)                                                                                           \
    case kind:                                                                                               \
        unary_range(kind, x, y, count, alpha, beta, stream);                                                 \
        break;
        EACH_UNARY(CASE)
#undef CASE
    }
}

FC_TILES(unary_forward) { return fc_chunks(a->count); }
FC_NO_SCRATCH(unary_forward)
FC_RUN(unary_forward) {
    (void)scratch;
    const int64_t from = begin * FC_CHUNK, count = fc_min(end * FC_CHUNK, a->count) - from;
    const int stream = a->x != a->y && fc_streams(a->y, a->count);
    apply(a->kind, a->x + from, a->y + from, count, vf_set1((float)a->alpha), vf_set1((float)a->beta),
          stream);
    if (stream) vf_fence();
}

void FC_NAME(fc_activate_late)(float *y, int64_t pixels, int64_t step, int64_t channels, int act, float alpha,
                               float beta) {
    const vf first = vf_set1(alpha), second = vf_set1(beta);
    if (step == channels) {
        apply(act, y, y, pixels * channels, first, second, 0);
        return;
    }
    for (int64_t p = 0; p < pixels; p++) apply(act, y + p * step, y + p * step, channels, first, second, 0);
}

FC_TILES(unary_backward) { return fc_chunks(a->count); }
FC_NO_SCRATCH(unary_backward)
FC_RUN(unary_backward) {
    (void)scratch;
    const vf alpha = vf_set1((float)a->alpha), beta = vf_set1((float)a->beta);
    const int64_t from = begin * FC_CHUNK, count = fc_min(end * FC_CHUNK, a->count) - from;
    const float *dy = a->dy + from, *saved = a->saved + from;
    float *dx = a->dx + from;
    const int stream = a->dx != a->dy && a->dx != a->saved && fc_streams(a->dx, a->count);
    switch (a->kind) {
#define CASE(kind)                                                                                           \
    case kind:                                                                                               \
        unary_gradient_range(kind, dy, saved, dx, count, alpha, beta, stream);                               \
        break;
        EACH_UNARY(CASE)
#undef CASE
    }
    if (stream) vf_fence();
}

FC_TILES(affine) { return fc_chunks(a->count); }
FC_NO_SCRATCH(affine)
FC_RUN(affine) {
    (void)scratch;
    const vf scale = vf_set1((float)a->scale), shift = vf_set1((float)a->shift);
    const int64_t from = begin * FC_CHUNK, count = fc_min(end * FC_CHUNK, a->count) - from;
    const float *x = a->x + from;
    float *y = a->y + from;
    const int stream = a->x != a->y && fc_streams(a->y, a->count);
#define STEP(i, n) fc_put(y + (i), vf_fma(scale, vf_load_tail(x + (i), n), shift), n, stream)
    FC_FOR_LANES(count, STEP);
#undef STEP
    if (stream) vf_fence();
}

FC_TILES(accumulate) { return fc_chunks(a->count); }
FC_NO_SCRATCH(accumulate)
FC_RUN(accumulate) {
    (void)scratch;
    const vf scale = vf_set1((float)a->scale);
    const int64_t from = begin * FC_CHUNK, count = fc_min(end * FC_CHUNK, a->count) - from;
    const float *x = a->x + from;
    float *y = a->y + from;
#define STEP(i, n)                                                                                           \
    vf_store_tail(y + (i), vf_fma(scale, vf_load_tail(x + (i), n), vf_load_tail(y + (i), n)), n)
    FC_FOR_LANES(count, STEP);
#undef STEP
}
