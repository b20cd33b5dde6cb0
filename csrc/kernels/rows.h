/* Adding rows of a matrix up into one row (behind column sums, means and average pooling), and their maxima.
 */
#ifndef FC_ROWS_H
#define FC_ROWS_H
#include "kernel.h"

/* y[i] = the sum of `rows` rows, `step` apart, for `vectors` vectors of columns in registers (n lanes each).
 */
FC_INLINE void fc_add_rows_narrow(const float *x, int64_t step, int64_t rows, int vectors, int64_t n,
                                  float *y) {
    vf sum[4];
    for (int v = 0; v < vectors; v++) sum[v] = vf_zero();
    for (int64_t r = 0; r < rows; r++)
        for (int v = 0; v < vectors; v++) sum[v] = vf_add(sum[v], vf_load_tail(x + r * step + v * VL, n));
    for (int v = 0; v < vectors; v++) vf_store_tail(y + v * VL, sum[v], n);
}

/* y[i] += the sum of four rows, or = it. */
FC_INLINE void fc_add_four_rows(const float *x, int64_t step, int64_t columns, int first, float *y) {
#define STEP(i, n)                                                                                           \
    do {                                                                                                     \
        const vf low = vf_add(vf_load_tail(x + (i), n), vf_load_tail(x + step + (i), n));                    \
        const vf high = vf_add(vf_load_tail(x + 2 * step + (i), n), vf_load_tail(x + 3 * step + (i), n));    \
        const vf four = vf_add(low, high);                                                                   \
        vf_store_tail(y + (i), first ? four : vf_add(vf_load_tail(y + (i), n), four), n);                    \
    } while (0)
    FC_FOR_LANES(columns, STEP);
#undef STEP
}

/* y[i] = the sum of `rows` rows, in an order that depends on the numbers of rows and columns only. Wide rows
 * are read along, four at a time, with the sums in y, which the processor's prefetching likes; narrow ones,
 * and less than four, keep their sums in registers. */
FC_INLINE void fc_add_rows(const float *x, int64_t step, int64_t rows, int64_t columns, float *y) {
    if (rows >= 4 && columns > 4 * VL) {
        int64_t r = 4;
        fc_add_four_rows(x, step, columns, 1, y);
        for (; r + 4 <= rows; r += 4) fc_add_four_rows(x + r * step, step, columns, 0, y);
        for (; r < rows; r++) {
            const float *p = x + r * step;
#define STEP(i, n) vf_store_tail(y + (i), vf_add(vf_load_tail(y + (i), n), vf_load_tail(p + (i), n)), n)
            FC_FOR_LANES(columns, STEP);
#undef STEP
        }
        return;
    }
    int64_t i = 0;
    for (; i + 4 * VL <= columns; i += 4 * VL) fc_add_rows_narrow(x + i, step, rows, 4, VL, y + i);
    for (; i + 2 * VL <= columns; i += 2 * VL) fc_add_rows_narrow(x + i, step, rows, 2, VL, y + i);
    for (; i + VL <= columns; i += VL) fc_add_rows_narrow(x + i, step, rows, 1, VL, y + i);
    if (i < columns) fc_add_rows_narrow(x + i, step, rows, 1, columns - i, y + i);
}

/* y[i] = the maximum over rows x columns places, NaN if any is, for up to four vectors of channels, whose
 * maxima don't wait for each other: n lanes each. */
FC_INLINE void fc_max_places_narrow(const float *x, int64_t rows, int64_t columns, int64_t row_step,
                                    int64_t column_step, const int vectors, int64_t n, float *y) {
    vf b0 = vf_load_tail(x, n), b1 = b0, b2 = b0, b3 = b0;
    if (vectors > 1) {
        b1 = vf_load(x + VL);
        b2 = vf_load(x + 2 * VL);
        b3 = vf_load(x + 3 * VL);
    }
    for (int64_t r = 0; r < rows; r++) {
        const float *p = x + r * row_step;
        for (int64_t s = 0; s < columns; s++, p += column_step) {
            b0 = vf_maxnan(b0, vf_load_tail(p, n));
            if (vectors > 1) {
                b1 = vf_maxnan(b1, vf_load(p + VL));
                b2 = vf_maxnan(b2, vf_load(p + 2 * VL));
                b3 = vf_maxnan(b3, vf_load(p + 3 * VL));
            }
        }
    }
    vf_store_tail(y, b0, n);
    if (vectors > 1) {
        vf_store(y + VL, b1);
        vf_store(y + 2 * VL, b2);
        vf_store(y + 3 * VL, b3);
    }
}

/* The same for any number of channels. */
FC_INLINE void fc_max_places(const float *x, int64_t rows, int64_t columns, int64_t row_step,
                             int64_t column_step, int64_t channels, float *y) {
    int64_t i = 0;
    for (; i + 4 * VL <= channels; i += 4 * VL)
        fc_max_places_narrow(x + i, rows, columns, row_step, column_step, 4, VL, y + i);
    for (; i + VL <= channels; i += VL)
        fc_max_places_narrow(x + i, rows, columns, row_step, column_step, 1, VL, y + i);
    if (i < channels)
        fc_max_places_narrow(x + i, rows, columns, row_step, column_step, 1, channels - i, y + i);
}

/* NaN if any of x is. */
FC_INLINE float fc_row_max(const float *x, int64_t count) {
    vf best = vf_set1(-INFINITY);
    int64_t i = 0;
    for (; i + VL <= count; i += VL) best = vf_maxnan(best, vf_load(x + i));
    if (i < count) best = vf_maxnan(best, vf_load_fill(x + i, (int)(count - i), -INFINITY));
    return vf_hmax(best);
}

#endif
