/* The register tile (contract in gemm.h), one function for each number of rows and vectors. */
#include "gemm.h"

#include "epilogue.h"

/* Tiles at the rim, and what is rare or small beside the products: the sums come in memory,
 * sums[rows][vectors VL]. */
static void finish_in_memory(const fc_tile *t, const float *sums) {
    const vf alpha = vf_set1(t->alpha);
    for (int i = 0; i < t->rows; i++, sums += t->vectors * VL) {
        float *c = t->c[i] + t->c_offset;
        const float *residual = t->residual ? t->residual + (c - t->dst) : NULL;
        const float *saved = t->saved ? t->saved + (c - t->dst) : NULL;
        for (int j = 0; j < t->cols; j += VL) {
            const int n = t->cols - j;
            vf v = vf_load(sums + j);
            if (t->add) v = vf_add(v, vf_load_tail(c + j, n));
            v = fc_finished(v, residual ? residual + j : NULL, saved ? saved + j : NULL, n, t->act, alpha);
            vf_store_tail(c + j, v, n);
        }
    }
}

/* The address may lie outside of the array: it is only fetched from, which never fails. */
FC_INLINE void fetch_line(const float *p, int64_t ahead) {
    const uintptr_t at = (uintptr_t)p + (uintptr_t)(ahead * (int64_t)sizeof *p);
    (void)at;
    fc_prefetch((const void *)at);
}

/* The tile's place in a tensor like the one c points into: at most two lines a row. */
FC_INLINE void fetch_place(const fc_tile *t, const float *tensor) {
    const float *from = tensor + t->c_offset;
    for (int i = 0; i < t->rows; i++) {
        const float *row = from + (t->c[i] - t->dst);
        (void)row;
        fc_prefetch(row);
        fc_prefetch(row + t->cols - 1);
    }
}

/* What the tile's end will read and write: its latency passes while the products are computed. */
FC_INLINE void fetch_outputs(const fc_tile *t) {
    if (!t->stream) fetch_place(t, t->dst);
    if (t->residual) fetch_place(t, t->residual);
    if (t->saved) fetch_place(t, t->saved);
}

/* The statements once for each row i < mr. Written out, with i a constant: compilers differ in when they
 * unroll loops, and where it is too late acc stays an array in memory. */
#define ROW(n, ...)                                                                                          \
    if (n < mr) {                                                                                            \
        enum { i = n };                                                                                      \
        __VA_ARGS__;                                                                                         \
    }
#define EACH_ROW(...)                                                                                        \
    ROW(0, __VA_ARGS__)                                                                                      \
    ROW(1, __VA_ARGS__)                                                                                      \
    ROW(2, __VA_ARGS__)                                                                                      \
    ROW(3, __VA_ARGS__)                                                                                      \
    ROW(4, __VA_ARGS__)                                                                                      \
    ROW(5, __VA_ARGS__)                                                                                      \
    ROW(6, __VA_ARGS__)                                                                                      \
    ROW(7, __VA_ARGS__)                                                                                      \
    ROW(8, __VA_ARGS__)                                                                                      \
    ROW(9, __VA_ARGS__)                                                                                      \
    ROW(10, __VA_ARGS__)                                                                                     \
    ROW(11, __VA_ARGS__)
/* The statement once for each vector of the tile, j of row i. */
#define EACH_VECTOR(...)                                                                                     \
    EACH_ROW(enum {j = 0}; __VA_ARGS__)                                                                      \
    if (nv > 1) {                                                                                            \
        EACH_ROW(enum {j = 1}; __VA_ARGS__)                                                                  \
    }

/* The sums over the next `count` numbers of each row. */
#define PRODUCTS(count)                                                                                      \
    for (int64_t l = 0; l < (count); l++) {                                                                  \
        row[0] = vf_load(b);                                                                                 \
        row[1] = nv > 1 ? vf_load(b + VL) : row[0];                                                          \
        EACH_ROW(const vf x = vf_set1(a[i][at]); acc[i][0] = vf_fma(x, row[0], acc[i][0]);                   \
                 if (nv > 1) acc[i][1] = vf_fma(x, row[1], acc[i][1]))                                       \
        at += a_step;                                                                                        \
        b += b_step;                                                                                         \
    }

/* mr, nv and pick are constants at every call. A tile of fewer than mr rows reads its last row again instead
 * of branching, and doesn't store the copies. */
FC_INLINE void tile_body(const fc_tile *t, const int mr, const int nv, const int pick) {
    vf acc[12][2], start[2], row[2];
    const float *a[12];
    const int64_t last = t->rows - 1;
    start[0] = t->bias ? vf_load_tail(t->bias, t->cols) : vf_zero();
    start[1] = t->bias && nv > 1 ? vf_load_tail(t->bias + VL, t->cols - VL) : vf_zero();
    EACH_VECTOR(acc[i][j] = start[j])
    EACH_ROW(a[i] = t->a[fc_min(i, last)])
    const int64_t segs = t->segs, len = t->len, a_step = t->a_step, b_step = t->b_step;
    const int64_t ahead = t->ahead;
    for (int64_t s = 0; pick && s < segs; s++) {
        const float *b = t->b + t->b_seg[s];
        vf pixel[12];
        vi lanes = vi_load(t->lanes);
        EACH_ROW(pixel[i] = vf_load(a[i] + t->a_seg[s]))
        for (int64_t l = 0; l < len; l++) {
            row[0] = vf_load(b);
            EACH_ROW(acc[i][0] = vf_fma(vf_pick(pixel[i], lanes), row[0], acc[i][0]))
            lanes = vi_add(lanes, vi_set1(1));
            b += b_step;
        }
    }
    for (int64_t s = 0; !pick && s < segs; s++) {
        const float *b = t->b + t->b_seg[s];
        /* One running index for all rows: moving to the next segment costs nothing but its start. */
        int64_t at = t->a_seg[s];
        int64_t rest = len;
        if (ahead) {
            for (; rest > LINE_FLOATS; rest -= LINE_FLOATS) {
                EACH_ROW(fetch_line(a[i] + at, ahead))
                PRODUCTS(LINE_FLOATS)
            }
            EACH_ROW(fetch_line(a[i] + at, ahead))
        }
        PRODUCTS(rest)
    }
    if (t->rows < mr || t->cols < nv * VL || t->act == FC_LEAKY_RELU || t->saved) {
        float sums[FC_MR * FC_NR];
        EACH_VECTOR(vf_store(sums + (i * nv + j) * VL, acc[i][j]))
        finish_in_memory(t, sums);
        return;
    }
    float *const *rows = t->c;
    const int64_t offset = t->c_offset;
    const int act = t->act;
    if (t->add) {
        EACH_VECTOR(acc[i][j] = vf_add(acc[i][j], vf_load(rows[i] + offset + j * VL)))
    }
    if (t->residual) {
        EACH_VECTOR(acc[i][j] =
                        vf_add(acc[i][j], vf_load(t->residual + (rows[i] + offset - t->dst) + j * VL)))
    }
    if (act != FC_LINEAR) {
        EACH_VECTOR(acc[i][j] = vf_max(vf_zero(), acc[i][j]))
    }
    if (act == FC_RELU6) {
        EACH_VECTOR(acc[i][j] = vf_min(vf_set1(6.0f), acc[i][j]))
    }
    if (t->stream) {
        EACH_VECTOR(vf_stream(rows[i] + offset + j * VL, acc[i][j]))
    } else {
        EACH_VECTOR(vf_store(rows[i] + offset + j * VL, acc[i][j]))
    }
}

#define TILE(mr, nv)                                                                                         \
    static void tile_##mr##x##nv(const fc_tile *t) { tile_body(t, mr, nv, 0); }
#if FC_PICKS
#define TILES_OF_ROWS(mr)                                                                                    \
    TILE(mr, 1)                                                                                              \
    TILE(mr, 2) static void tile_##mr##xpicked(const fc_tile *t) { tile_body(t, mr, 1, 1); }
#else
#define TILES_OF_ROWS(mr) TILE(mr, 1) TILE(mr, 2)
#endif
TILES_OF_ROWS(1)
TILES_OF_ROWS(2)
TILES_OF_ROWS(4)
#if FC_MR >= 6
TILES_OF_ROWS(6)
#endif
#if FC_MR >= 8
TILES_OF_ROWS(8)
#endif
#if FC_MR >= 12
TILES_OF_ROWS(10)
TILES_OF_ROWS(12)
#endif

void FC_NAME(fc_tile_run)(const fc_tile *t) {
    typedef void (*body)(const fc_tile *);
#define ROWS(nv) tile_1x##nv, tile_2x##nv, tile_4x##nv, tile_4x##nv SIX(nv) EIGHT(nv) TWELVE(nv)
#if FC_MR >= 6
#define SIX(nv) , tile_6x##nv, tile_6x##nv
#else
#define SIX(nv)
#endif
#if FC_MR >= 8
#define EIGHT(nv) , tile_8x##nv, tile_8x##nv
#else
#define EIGHT(nv)
#endif
#if FC_MR >= 12
#define TWELVE(nv) , tile_10x##nv, tile_10x##nv, tile_12x##nv, tile_12x##nv
#else
#define TWELVE(nv)
#endif
    /* [vectors - 1][rows - 1]: the smallest function that holds the rows. */
    static const body table[FC_NV][FC_MR] = {{ROWS(1)}, {ROWS(2)}};
    if (t->fetch_out) fetch_outputs(t);
#if FC_PICKS
    static const body picked[FC_MR] = {ROWS(picked)};
    if (t->lanes) {
        picked[t->rows - 1](t);
        return;
    }
#endif
    table[t->vectors - 1][t->rows - 1](t);
}
