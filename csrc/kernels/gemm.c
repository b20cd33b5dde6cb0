/* The register tile (contract in gemm.h), one function for each number of rows and vectors. */
#include "gemm.h"

/* Tiles at the rim, and leaky ReLU: the sums come in memory, sums[rows][vectors VL]. */
static void finish_in_memory(const fc_tile *t, const float *sums) {
    for (int i = 0; i < t->rows; i++, sums += t->vectors * VL) {
        float *c = t->c[i] + t->c_offset;
        for (int j = 0; j < t->cols; j += VL) {
            const int n = t->cols - j;
            vf v = vf_load(sums + j);
            if (t->add) v = vf_add(v, vf_load_tail(c + j, n));
            if (t->act == FC_LEAKY_RELU) v = vf_blend(vm_lt(v, vf_zero()), vf_mul(v, vf_set1(t->alpha)), v);
            if (t->act == FC_RELU || t->act == FC_RELU6) v = vf_max(vf_zero(), v);
            if (t->act == FC_RELU6) v = vf_min(vf_set1(6.0f), v);
            vf_store_tail(c + j, v, n);
        }
    }
}

/* for each vector of the tile: i, j, all loops unrolled */
#define EACH_VECTOR(...)                                                                                     \
    FC_UNROLL(12)                                                                                            \
    for (int i = 0; i < mr; i++) {                                                                           \
        FC_UNROLL(4)                                                                                         \
        for (int j = 0; j < nv; j++) __VA_ARGS__;                                                            \
    }

/* mr and nv are constants at every call, so that the loops over them unroll and acc lives in registers. A
 * tile of fewer than mr rows reads its last row again instead of branching, and doesn't store the copies. */
FC_INLINE void tile_body(const fc_tile *t, const int mr, const int nv) {
    vf acc[FC_MR][FC_NV], start[FC_NV];
    const float *a[FC_MR];
    const int64_t last = t->rows - 1;
    FC_UNROLL(4)
    for (int j = 0; j < nv; j++)
        start[j] = t->bias ? vf_load_tail(t->bias + j * VL, t->cols - j * VL) : vf_zero();
    EACH_VECTOR(acc[i][j] = start[j])
    FC_UNROLL(12)
    for (int i = 0; i < mr; i++) a[i] = t->a[fc_min(i, last)];
    const int64_t segs = t->segs, len = t->len, a_step = t->a_step, b_step = t->b_step;
    for (int64_t s = 0; s < segs; s++) {
        const float *b = t->b + t->b_seg[s];
        /* One running index for all rows: moving to the next segment costs nothing but its start. */
        int64_t at = t->a_seg[s];
        for (int64_t l = 0; l < len; l++) {
            vf row[FC_NV];
            FC_UNROLL(4)
            for (int j = 0; j < nv; j++) row[j] = vf_load(b + j * VL);
            FC_UNROLL(12)
            for (int i = 0; i < mr; i++) {
                const vf x = vf_set1(a[i][at]);
                FC_UNROLL(4)
                for (int j = 0; j < nv; j++) acc[i][j] = vf_fma(x, row[j], acc[i][j]);
            }
            at += a_step;
            b += b_step;
        }
    }
    if (t->rows < mr || t->cols < nv * VL || t->act == FC_LEAKY_RELU) {
        float sums[FC_MR * FC_NR];
        EACH_VECTOR(vf_store(sums + (i * nv + j) * VL, acc[i][j]))
        finish_in_memory(t, sums);
        return;
    }
    float *const *rows = t->c;
    const int64_t offset = t->c_offset;
    const int act = t->act;
    if (t->add) EACH_VECTOR(acc[i][j] = vf_add(acc[i][j], vf_load(rows[i] + offset + j * VL)))
    if (act != FC_LINEAR) EACH_VECTOR(acc[i][j] = vf_max(vf_zero(), acc[i][j]))
    if (act == FC_RELU6) EACH_VECTOR(acc[i][j] = vf_min(vf_set1(6.0f), acc[i][j]))
    FC_UNROLL(12)
    for (int i = 0; i < mr; i++) {
        float *c = rows[i] + offset;
        FC_UNROLL(4)
        for (int j = 0; j < nv; j++) vf_store(c + j * VL, acc[i][j]);
    }
}

#define TILE(mr, nv)                                                                                         \
    static void tile_##mr##x##nv(const fc_tile *t) { tile_body(t, mr, nv); }
#define TILES_OF_ROWS(nv) TILE(1, nv) TILE(2, nv) TILE(4, nv)
TILES_OF_ROWS(1)
TILES_OF_ROWS(2)
#if FC_MR >= 6
TILE(6, 1)
TILE(6, 2)
#endif
#if FC_MR >= 12
TILE(8, 1)
TILE(8, 2)
TILE(12, 1)
TILE(12, 2)
#endif
#if FC_NV >= 4
TILES_OF_ROWS(3)
TILES_OF_ROWS(4)
TILE(6, 3)
TILE(6, 4)
#endif

#define ROWS_OF(nv, six, eight, twelve)                                                                      \
    {                                                                                                        \
        tile_1x##nv, tile_2x##nv, tile_4x##nv, tile_4x##nv, six, six, eight, eight, twelve, twelve, twelve,  \
            twelve                                                                                           \
    }

void FC_NAME(fc_tile_run)(const fc_tile *t) {
    typedef void (*body)(const fc_tile *);
    /* [vectors - 1][rows - 1]: the smallest function that holds the rows. */
    static const body table[FC_NV][12] = {
#if FC_MR >= 12
        ROWS_OF(1, tile_6x1, tile_8x1, tile_12x1),
        ROWS_OF(2, tile_6x2, tile_8x2, tile_12x2),
#elif FC_MR >= 6
        ROWS_OF(1, tile_6x1, NULL, NULL),
        ROWS_OF(2, tile_6x2, NULL, NULL),
#if FC_NV >= 4
        ROWS_OF(3, tile_6x3, NULL, NULL),
        ROWS_OF(4, tile_6x4, NULL, NULL),
#endif
#else
        ROWS_OF(1, NULL, NULL, NULL),
        ROWS_OF(2, NULL, NULL, NULL),
#endif
    };
    table[t->vectors - 1][t->rows - 1](t);
}
