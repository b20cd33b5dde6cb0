/* Rows picked by index: how a batch is put together from a data set. */
#include "kernel.h"

/* Rows to a tile: some 64 KiB of output. */
static int64_t gather_rows(int64_t size) { return fc_max(1, FC_CHUNK / fc_max(1, size)); }
static int64_t gather_tiles(int64_t rows, int64_t size) {
    return (rows + gather_rows(size) - 1) / gather_rows(size);
}

FC_TILES(gather_f32) { return gather_tiles(a->rows, a->size); }
FC_NO_SCRATCH(gather_f32)
FC_RUN(gather_f32) {
    (void)scratch;
    const int64_t step = gather_rows(a->size), last = fc_min(end * step, a->rows);
    for (int64_t r = begin * step; r < last; r++)
        memcpy(a->y + r * a->size, a->x + a->index[r] * a->size, (size_t)a->size * sizeof(float));
}

FC_TILES(gather_u8) { return gather_tiles(a->rows, a->size); }
FC_NO_SCRATCH(gather_u8)
FC_RUN(gather_u8) {
    (void)scratch;
    const int64_t step = gather_rows(a->size), last = fc_min(end * step, a->rows);
    for (int64_t r = begin * step; r < last; r++) {
        const uint8_t *x = a->x + a->index[r] * a->size;
        float *y = a->y + r * a->size;
#define STEP(i, n) vf_store_tail(y + (i), vf_from_int(vi_from_u8_n(x + (i), (int)fc_min(n, VL))), n)
        FC_FOR_LANES(a->size, STEP);
#undef STEP
    }
}
