/* The register tile (contract in gemm.h), one function for each number of rows and vectors. */
#include "gemm.h"

#include "epilogue.h"

/* Tiles of fewer rows than their function has, and what is rare: the sums come in memory, sums[rows][vectors
 * VL]. */
static void finish_in_memory(const fc_tile *t, float *const *rows, int64_t count, const float *sums) {
    const vf alpha = vf_set1(t->alpha);
    for (int64_t i = 0; i < count; i++, sums += t->vectors * VL) {
        float *c = rows[i] + t->c_offset;
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

/* The same for activations that take loops of their own: over the sums while they lie together. */
static void finish_late(const fc_tile *t, float *const *rows, int64_t count, float *sums) {
    const int64_t width = t->vectors * VL;
    if (t->add || t->residual)
        for (int64_t i = 0; i < count; i++) {
            const float *c = rows[i] + t->c_offset;
            const float *residual = t->residual ? t->residual + (c - t->dst) : NULL;
            for (int j = 0; j < t->cols; j += VL) {
                vf v = vf_load(sums + i * width + j);
                if (t->add) v = vf_add(v, vf_load_tail(c + j, t->cols - j));
                if (residual) v = vf_add(v, vf_load_tail(residual + j, t->cols - j));
                vf_store(sums + i * width + j, v);
            }
        }
    FC_NAME(fc_activate_late)(sums, 1, 0, count * width, t->act, t->alpha, t->beta);
    for (int64_t i = 0; i < count; i++)
        for (int j = 0; j < t->cols; j += VL)
            vf_store_tail(rows[i] + t->c_offset + j, vf_load(sums + i * width + j), t->cols - j);
}

/* The address may lie outside of the array: it is only fetched from, which never fails. */
FC_INLINE void fetch_line(const float *p, int64_t ahead) {
    const uintptr_t at = (uintptr_t)p + (uintptr_t)(ahead * (int64_t)sizeof *p);
    (void)at;
    fc_prefetch((const void *)at);
}

FC_INLINE void fetch_line_l2(const float *p, int64_t ahead) {
    const uintptr_t at = (uintptr_t)p + (uintptr_t)(ahead * (int64_t)sizeof *p);
    (void)at;
    fc_prefetch_l2((const void *)at);
}

/* A tile's place in a tensor like the one c points into: at most two lines a row. */
static void fetch_place(const fc_tile *t, float *const *rows, int64_t count, const float *tensor) {
    const float *from = tensor + t->c_offset;
    for (int64_t i = 0; i < count; i++) {
        const float *row = from + (rows[i] - t->dst);
        (void)row;
        if (t->fetch_out > 1) {
            fc_prefetch_l2(row);
            fc_prefetch_l2(row + t->cols - 1);
        } else {
            fc_prefetch(row);
            fc_prefetch(row + t->cols - 1);
        }
    }
}

/* What a tile's end will read and write: its latency passes while the products are computed. */
FC_INLINE void fetch_outputs(const fc_tile *t, float *const *rows, int64_t count) {
    if (!t->stream) fetch_place(t, rows, count, t->dst);
    if (t->residual) fetch_place(t, rows, count, t->residual);
    if (t->saved) fetch_place(t, rows, count, t->saved);
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

/* A tile's vector j of a row: the last one may be cut. */
FC_INLINE vf load_part(const float *p, int last, int n) {
    return last && n < VL ? vf_load_n(p, n) : vf_load(p);
}
FC_INLINE void store_part(float *p, vf v, int last, int n) {
    if (last && n < VL)
        vf_store_n(p, v, n);
    else
        vf_store(p, v);
}

/* What is done with a tile's sums: they are finished and stored. */
FC_INLINE void finish_tile(const fc_tile *t, vf acc[12][2], float *const *to, const int mr, const int nv) {
    const int64_t offset = t->c_offset;
    const int act = t->act, width = t->cols - (nv - 1) * VL; /* of the last vector */
    if (t->add) {
        EACH_VECTOR(acc[i][j] = vf_add(acc[i][j], load_part(to[i] + offset + j * VL, j == nv - 1, width)))
    }
    if (t->residual) {
        const float *residual = t->residual + offset;
        EACH_VECTOR(acc[i][j] = vf_add(acc[i][j],
                                       load_part(residual + (to[i] - t->dst) + j * VL, j == nv - 1, width)))
    }
    if (act == FC_RELU || act == FC_RELU6) {
        EACH_VECTOR(acc[i][j] = vf_max(vf_zero(), acc[i][j]))
    }
    if (act == FC_RELU6) {
        EACH_VECTOR(acc[i][j] = vf_min(vf_set1(6.0f), acc[i][j]))
    }
    if (act == FC_HARD_SILU) {
        EACH_VECTOR(acc[i][j] = vf_unary(FC_HARD_SILU, acc[i][j], vf_zero(), vf_zero()))
    }
    if (t->stream) {
        EACH_VECTOR(vf_stream(to[i] + offset + j * VL, acc[i][j]))
    } else {
        EACH_VECTOR(store_part(to[i] + offset + j * VL, acc[i][j], j == nv - 1, width))
    }
}

/* Tiles of mr rows one after the other, `count` rows in all; or, with fewer than mr, a single one. It reads
 * its last row again instead of branching, and doesn't store the copies. mr, nv and pick are constants at
 * every call.
 *
 * With few channels a tile's products take no longer than its beginning and its end do, so whatever tiles
 * have in common is done before the first. */
FC_INLINE void tiles_body(const fc_tile *t, const float *const *from, float *const *to, const int64_t count,
                          const int64_t ahead_b, const int mr, const int nv, const int pick) {
    vf acc[12][2], start[2], row[2];
    const float *a[12], *copies[12];
    if (count < mr) {
        EACH_ROW(copies[i] = from[fc_min(i, count - 1)])
        from = copies;
    }
    start[0] = t->bias ? vf_load_tail(t->bias, t->cols) : vf_zero();
    start[1] = t->bias && nv > 1 ? vf_load_tail(t->bias + VL, t->cols - VL) : vf_zero();
    const int64_t segs = t->segs, len = t->len, a_step = t->a_step, b_step = t->b_step;
    const int64_t ahead = t->ahead, a_ahead = t->a_ahead;
    const int late = fc_acts_late(t->act);
    const int in_memory = count < mr || t->act == FC_LEAKY_RELU || t->saved || late;
    int64_t every = 1;
    while (every < 8 && 2 * nv * every * mr <= count) every *= 2;
    const int fetches = t->fetch_out && (!t->stream || t->residual || t->saved);
    for (int64_t rest = count; rest > 0; rest -= mr, from += mr, to += mr) {
        /* Of each of b's next rows, as many lines as vectors, fetched in turns by as many tiles as there are.
         */
        const int64_t number = (count - rest) / mr, b_row = number / nv;
        const int64_t b_fetch = ahead_b && b_row < every ? ahead_b + b_row * b_step + number % nv * VL : 0;
        if (fetches) fetch_outputs(t, to, fc_min(rest, mr));
        EACH_VECTOR(acc[i][j] = start[j])
        EACH_ROW(a[i] = from[i])
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
            int64_t left = len;
            if (ahead) {
                for (; left > LINE_FLOATS; left -= LINE_FLOATS) {
                    EACH_ROW(fetch_line(a[i] + at, ahead))
                    PRODUCTS(LINE_FLOATS)
                }
                EACH_ROW(fetch_line(a[i] + at, ahead))
            } else if (b_fetch) {
                for (; left >= every; left -= every) {
                    fetch_line_l2(b, b_fetch);
                    PRODUCTS(every)
                }
            } else if (a_ahead) {
                for (; left > 0; left--) {
                    fetch_line_l2(a[0] + at, a_ahead);
                    PRODUCTS(1)
                }
            }
            PRODUCTS(left)
        }
        if (in_memory) {
            float sums[FC_MR * FC_NR];
            EACH_VECTOR(vf_store(sums + (i * nv + j) * VL, acc[i][j]))
            if (late)
                finish_late(t, to, fc_min(rest, mr), sums);
            else
                finish_in_memory(t, to, fc_min(rest, mr), sums);
        } else {
            finish_tile(t, acc, to, mr, nv);
        }
    }
}

#define TILE(mr, nv)                                                                                         \
    static void tiles_##mr##x##nv(const fc_tile *t, const float *const *from, float *const *to,              \
                                  int64_t count, int64_t ahead_b) {                                          \
        tiles_body(t, from, to, count, ahead_b, mr, nv, 0);                                                  \
    }
#if FC_PICKS
#define TILES_OF_ROWS(mr)                                                                                    \
    TILE(mr, 1)                                                                                              \
    TILE(mr, 2)                                                                                              \
    static void tiles_##mr##xpicked(const fc_tile *t, const float *const *from, float *const *to,            \
                                    int64_t count, int64_t ahead_b) {                                        \
        tiles_body(t, from, to, count, ahead_b, mr, 1, 1);                                                   \
    }
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

/* Rows of the function that takes tiles of so many. */
#define FUNCTION_ROWS(rows) ((rows) == 1 ? 1 : ((rows) + 1) & ~1)

void FC_NAME(fc_tiles_run)(const fc_tile *t) {
    typedef void (*body)(const fc_tile *, const float *const *, float *const *, int64_t, int64_t);
#define ROWS(nv) tiles_1x##nv, tiles_2x##nv, tiles_4x##nv, tiles_4x##nv SIX(nv) EIGHT(nv) TWELVE(nv)
#if FC_MR >= 6
#define SIX(nv) , tiles_6x##nv, tiles_6x##nv
#else
#define SIX(nv)
#endif
#if FC_MR >= 8
#define EIGHT(nv) , tiles_8x##nv, tiles_8x##nv
#else
#define EIGHT(nv)
#endif
#if FC_MR >= 12
#define TWELVE(nv) , tiles_10x##nv, tiles_10x##nv, tiles_12x##nv, tiles_12x##nv
#else
#define TWELVE(nv)
#endif
    /* [vectors - 1][rows - 1]: the smallest function that holds the rows. */
    static const body table[FC_NV][FC_MR] = {{ROWS(1)}, {ROWS(2)}};
#if FC_PICKS
    static const body picked[FC_MR] = {ROWS(picked)};
    const body *bodies = t->lanes ? picked : table[t->vectors - 1];
#else
    const body *bodies = table[t->vectors - 1];
#endif
    const int64_t last = t->count % t->rows, full = t->count - last;
    /* A function with more rows than a tile has takes a single one. */
    const int whole = t->rows == FUNCTION_ROWS(t->rows);
    const int64_t step = whole ? fc_max(full, 1) : t->rows;
    for (int64_t i = 0; i < full; i += step) bodies[t->rows - 1](t, t->a + i, t->c + i, step, t->b_ahead);
    if (last) bodies[last - 1](t, t->a + full, t->c + full, last, full ? 0 : t->b_ahead);
}
