/* Blocks of a matrix with rows and columns exchanged, through a copy that lies together: rows of images are
 * often whole kilobytes apart and collide in the cache, so each is read, and written, a cache line at a time.
 */
#ifndef FC_TRANSPOSE_H
#define FC_TRANSPOSE_H
#include "kernel.h"

/* Rows and columns of a square: one cache line of floats. */
#define FC_SQUARE 16

/* to[j to_step + i] = from[i from_step + j], for FC_SQUARE rows i and columns j. */
FC_INLINE void fc_transpose_square(const float *FC_RESTRICT from, int64_t from_step, float *FC_RESTRICT to,
                                   int64_t to_step) {
    float square[FC_SQUARE][FC_SQUARE + 1];
    for (int i = 0; i < FC_SQUARE; i++) memcpy(square[i], from + i * from_step, FC_SQUARE * sizeof(float));
    for (int j = 0; j < FC_SQUARE; j++) {
        float line[FC_SQUARE];
        FC_UNROLL(16)
        for (int i = 0; i < FC_SQUARE; i++) line[i] = square[i][j];
        memcpy(to + j * to_step, line, sizeof line);
    }
}

/* The same for few columns, of red, green and blue, say: column by column, from rows that are in the cache by
 * the second one. */
FC_INLINE void fc_transpose_narrow(const float *FC_RESTRICT from, int64_t from_step, int64_t rows,
                                   int64_t columns, float *FC_RESTRICT to, int64_t to_step) {
    for (int64_t j = 0; j < columns; j++)
        for (int64_t i = 0; i < rows; i++) to[j * to_step + i] = from[i * from_step + j];
}

/* The same for any numbers of rows and columns. */
FC_INLINE void fc_transpose(const float *FC_RESTRICT from, int64_t from_step, int64_t rows, int64_t columns,
                            float *FC_RESTRICT to, int64_t to_step) {
    if (columns == 3 && from_step == 3) {
        fc_transpose_narrow(from, 3, rows, 3, to, to_step);
        return;
    }
    for (int64_t i = 0; i < rows; i += FC_SQUARE)
        for (int64_t j = 0; j < columns; j += FC_SQUARE) {
            const float *p = from + i * from_step + j;
            float *q = to + j * to_step + i;
            const int64_t r = fc_min(FC_SQUARE, rows - i), s = fc_min(FC_SQUARE, columns - j);
            if (r == FC_SQUARE && s == FC_SQUARE)
                fc_transpose_square(p, from_step, q, to_step);
            else
                for (int64_t l = 0; l < s; l++)
                    for (int64_t k = 0; k < r; k++) q[l * to_step + k] = p[k * from_step + l];
        }
}

#endif
