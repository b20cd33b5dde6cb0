/* Batch normalization, backward, for arrays that fit into a few cores' caches: both passes in one, a few
 * channels at a time. What makes small work slow is waiting for other workers between the passes, and that
 * the second pass finds rows where another worker has read them; here a worker has all rows of its channels.
 * Large arrays go faster along their rows: a step of a row's length is nothing that a processor fetches
 * ahead. */
#include "batch_norm_backward.h"

/* Channels to a tile: some cache lines of each row. */
#define COLUMNS 64
/* Vectors of channels that go through the rows together, their sums in registers. */
#define STRIP 4
/* Rows whose sums are float32, before they are joined in double. */
#define BLOCK 64

/* The sums over all rows for the channels of one strip, and what becomes of them. */
typedef struct {
    double sum[STRIP * VL], dot[STRIP * VL];
    float slope[STRIP * VL], offset[STRIP * VL];
} strip_state;

/* dz of one vector, at element p. `act` and whether there is a y are constants. */
FC_INLINE vf dz_at(int64_t act, const fc_batch_norm_gradients_args *a, const float *y, int64_t p,
                   int64_t channel, vf x, int64_t n, vf alpha) {
    return before_activation(act, vf_load_tail(a->dy + p, n), x, y ? y + p : NULL, a->scale + channel,
                             a->shift + channel, n, alpha);
}

/* Sums of dz and of dz (x - mean) for `vectors` vectors of n lanes, from channel `first` on. */
FC_INLINE void strip_sums(int64_t act, const fc_batch_norm_gradients_args *a, const float *y, int64_t first,
                          int vectors, int64_t n, strip_state *s) {
    const vf alpha = vf_set1((float)a->alpha);
    vf mean[STRIP];
    float part[2][STRIP * VL];
    for (int v = 0; v < vectors; v++) mean[v] = vf_load_tail(a->mean + first + v * VL, n);
    for (int i = 0; i < vectors * VL; i++) s->sum[i] = s->dot[i] = 0.0;
    for (int64_t begin = 0; begin < a->rows; begin += BLOCK) {
        const int64_t end = fc_min(begin + BLOCK, a->rows);
        vf sum[STRIP], dot[STRIP];
        for (int v = 0; v < vectors; v++) sum[v] = dot[v] = vf_zero();
        for (int64_t r = begin; r < end; r++)
            for (int v = 0; v < vectors; v++) {
                const int64_t p = r * a->c + first + v * VL;
                const vf x = vf_load_tail(a->x + p, n);
                const vf dz = dz_at(act, a, y, p, first + v * VL, x, n, alpha);
                sum[v] = vf_add(sum[v], dz);
                dot[v] = vf_fma(dz, vf_sub(x, mean[v]), dot[v]);
            }
        for (int v = 0; v < vectors; v++) {
            vf_store(part[0] + v * VL, sum[v]);
            vf_store(part[1] + v * VL, dot[v]);
        }
        for (int i = 0; i < vectors * VL; i++) {
            s->sum[i] += (double)part[0][i];
            s->dot[i] += (double)part[1][i];
        }
    }
}

/* dx = scale dz + slope x + offset, and dz where asked for, of the same vectors. */
FC_INLINE void strip_gradient(int64_t act, const fc_batch_norm_gradients_args *a, const float *y,
                              int64_t first, int vectors, int64_t n, const strip_state *s) {
    const vf alpha = vf_set1((float)a->alpha);
    vf scale[STRIP], slope[STRIP], offset[STRIP];
    for (int v = 0; v < vectors; v++) {
        scale[v] = vf_load_tail(a->scale + first + v * VL, n);
        slope[v] = vf_load(s->slope + v * VL);
        offset[v] = vf_load(s->offset + v * VL);
    }
    for (int64_t r = 0; r < a->rows; r++)
        for (int v = 0; v < vectors; v++) {
            const int64_t p = r * a->c + first + v * VL;
            const vf x = vf_load_tail(a->x + p, n);
            const vf dz = dz_at(act, a, y, p, first + v * VL, x, n, alpha);
            if (a->dz) vf_store_tail(a->dz + p, dz, n);
            vf_store_tail(a->dx + p, vf_fma(scale[v], dz, vf_fma(slope[v], x, offset[v])), n);
        }
}

static void find_slopes(const fc_batch_norm_gradients_args *a, int64_t first, int64_t count, strip_state *s) {
    for (int64_t i = 0; i < count; i++) {
        const int64_t at = first + i;
        fc_norm_slope(s->sum[i], s->dot[i], a->rows, a->epsilon, (double)a->mean[at], (double)a->variance[at],
                      (double)a->scale[at], a->dgamma ? a->dgamma + at : NULL,
                      a->dbeta ? a->dbeta + at : NULL, s->slope + i, s->offset + i);
    }
}

FC_INLINE void strip_gradients(int64_t act, const fc_batch_norm_gradients_args *a, const float *y,
                               int64_t first, int vectors, int64_t n, strip_state *s) {
    strip_sums(act, a, y, first, vectors, n, s);
    find_slopes(a, first, vectors == 1 ? n : vectors * VL, s);
    strip_gradient(act, a, y, first, vectors, n, s);
}

typedef void (*tile_gradients)(const fc_batch_norm_gradients_args *b, int64_t from, int64_t to,
                               strip_state *s);
#define VARIANT(name, act, y)                                                                                \
    static void gradients_##name(const fc_batch_norm_gradients_args *b, int64_t from, int64_t to,            \
                                 strip_state *s) {                                                           \
        int64_t i = from;                                                                                    \
        for (; i + STRIP * VL <= to; i += STRIP * VL) strip_gradients(act, b, y, i, STRIP, VL, s);           \
        for (; i + VL <= to; i += VL) strip_gradients(act, b, y, i, 1, VL, s);                               \
        if (i < to) strip_gradients(act, b, y, i, 1, to - i, s);                                             \
    }
EACH_VARIANT(VARIANT)
#undef VARIANT

FC_TILES(batch_norm_gradients) { return (a->c + COLUMNS - 1) / COLUMNS; }
FC_NO_SCRATCH(batch_norm_gradients)
FC_RUN(batch_norm_gradients) {
    const tile_gradients gradients = FIND_VARIANT(gradients_, a->act, a->y);
    strip_state s = {{0.0}, {0.0}, {0.0f}, {0.0f}};
    (void)scratch;
    for (int64_t tile = begin; tile < end; tile++)
        gradients(a, tile * COLUMNS, fc_min((tile + 1) * COLUMNS, a->c), &s);
}
