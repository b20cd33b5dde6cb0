/* Images with margins added or cut off, and matrices put side by side: nothing is computed, all is moved
 * (contracts in kernels.def). */
#include "kernel.h"

/* Rows to a tile: some 64 KiB. */
static int64_t rows_of(int64_t size) { return fc_max(1, FC_CHUNK / fc_max(1, size)); }
static int64_t tiles_of(int64_t rows, int64_t size) { return (rows + rows_of(size) - 1) / rows_of(size); }

static void copy(float *to, const float *from, int64_t count) {
    memcpy(to, from, (size_t)count * sizeof(float));
}
/* All bits 0 is 0.0f. */
static void clear(float *to, int64_t count) { memset(to, 0, (size_t)count * sizeof(float)); }

FC_TILES(pad2d) { return tiles_of(a->n * a->oh, a->ow * a->c); }
FC_NO_SCRATCH(pad2d)
FC_RUN(pad2d) {
    (void)scratch;
    const int64_t width = a->ow * a->c, step = rows_of(width), last = fc_min(end * step, a->n * a->oh);
    /* The columns of y that x reaches. */
    const int64_t left = fc_min(fc_max(a->pl, 0), a->ow), right = fc_max(fc_min(a->w + a->pl, a->ow), left);
    for (int64_t r = begin * step; r < last; r++) {
        const int64_t image = r / a->oh, i = r % a->oh - a->pt;
        float *y = a->y + r * width;
        if (i < 0 || i >= a->h || left == right) {
            clear(y, width);
            continue;
        }
        clear(y, left * a->c);
        copy(y + left * a->c, a->x + ((image * a->h + i) * a->w + left - a->pl) * a->c,
             (right - left) * a->c);
        clear(y + right * a->c, (a->ow - right) * a->c);
    }
}

FC_TILES(copy_columns) { return tiles_of(a->rows, a->cols); }
FC_NO_SCRATCH(copy_columns)
FC_RUN(copy_columns) {
    (void)scratch;
    const int64_t step = rows_of(a->cols), last = fc_min(end * step, a->rows);
    for (int64_t r = begin * step; r < last; r++)
        copy(a->y + r * a->ycols + a->y0, a->x + r * a->xcols + a->x0, a->cols);
}
