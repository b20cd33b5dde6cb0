/* Copies between different orders of elements (contracts in kernels.def). Axes that are walked alike are
 * merged first. Then the last axis of y either lies together in x as well, and rows are copied; or another
 * axis of y does, and matrices of the two are transposed block by block: images from channels first to
 * channels last, say; or none does, and elements are fetched one by one. */
#include "transpose.h"

/* Elements of the blocks that tiles are made of, and columns of y in a row of them, unless there are few
 * rows. */
#define BLOCK 8192
#define BLOCK_COLUMNS 128

typedef struct {
    int axes;                 /* >= 1 */
    int64_t size[5], step[5]; /* of y's axes, outermost first; steps in x */
    int near;                 /* the axis that lies together in x, or -1 */
    int64_t outer;            /* blocks to walk: all axes but the last, and but `near` if that is another */
    int64_t row_blocks, col_blocks; /* of a matrix near x last; or pieces of a row, and 1 */
    int64_t rows, columns; /* to a block of a matrix; or whole rows to a tile, where they are short */
} strided_plan;

static strided_plan plan_strided(const fc_strided_copy_args *a) {
    const int64_t size[5] = {a->d0, a->d1, a->d2, a->d3, a->d4};
    const int64_t step[5] = {a->s0, a->s1, a->s2, a->s3, a->s4};
    strided_plan p = {0};
    for (int k = 0; k < 5; k++) {
        if (size[k] == 1) continue;
        const int last = p.axes - 1;
        if (p.axes && p.step[last] == step[k] * size[k]) {
            p.size[last] *= size[k];
            p.step[last] = step[k];
        } else {
            p.size[p.axes] = size[k];
            p.step[p.axes++] = step[k];
        }
    }
    if (p.axes == 0) {
        p.size[0] = p.step[0] = 1;
        p.axes = 1;
    }
    p.near = -1;
    for (int k = 0; k < p.axes; k++)
        if (p.step[k] == 1) p.near = k; /* the last such axis */
    const int last = p.axes - 1;
    p.outer = 1;
    for (int k = 0; k < last; k++)
        if (k != p.near) p.outer *= p.size[k];
    p.rows = p.row_blocks = p.col_blocks = 1;
    if (p.near >= 0 && p.near < last) {
        p.columns = p.size[p.near] < FC_SQUARE ? BLOCK / FC_SQUARE : BLOCK_COLUMNS;
        p.rows = BLOCK / fc_max(1, fc_min(p.size[last], p.columns)) / FC_SQUARE * FC_SQUARE;
        p.row_blocks = (p.size[p.near] + p.rows - 1) / p.rows;
        p.col_blocks = (p.size[last] + p.columns - 1) / p.columns;
    } else {
        p.row_blocks = fc_chunks(p.size[last]);
        if (p.size[last] > 0 && p.size[last] < FC_CHUNK) p.rows = FC_CHUNK / p.size[last];
    }
    return p;
}

/* Where the outer index number `index` lies in x and in y. */
typedef struct {
    int64_t x, y;
} strided_place_of;

static strided_place_of outer_place(const strided_plan *p, int64_t index) {
    strided_place_of at = {0, 0};
    const int last = p->axes - 1;
    int64_t dense = p->size[last];
    for (int k = last - 1; k >= 0; dense *= p->size[k--]) {
        if (k == p->near) continue;
        at.x += index % p->size[k] * p->step[k];
        at.y += index % p->size[k] * dense;
        index /= p->size[k];
    }
    return at;
}

FC_INLINE int is_transposed(const strided_plan *p) { return p->near >= 0 && p->near < p->axes - 1; }

FC_TILES(strided_copy) {
    const strided_plan p = plan_strided(a);
    if (is_transposed(&p)) return p.outer * p.row_blocks * p.col_blocks;
    return (p.outer + p.rows - 1) / p.rows * p.row_blocks;
}
FC_NO_SCRATCH(strided_copy)

/* One block of the matrix of axes `near` (rows of y, together in x) and last (together in y). */
static void transpose_block(const fc_strided_copy_args *a, const strided_plan *p, int64_t tile) {
    const int last = p->axes - 1;
    const int64_t row = tile / p->col_blocks % p->row_blocks * p->rows,
                  column = tile % p->col_blocks * p->columns;
    const strided_place_of at = outer_place(p, tile / (p->row_blocks * p->col_blocks));
    int64_t y_step = 1; /* between rows of y */
    for (int k = p->near + 1; k <= last; k++) y_step *= p->size[k];
    fc_transpose(a->x + a->x0 + at.x + column * p->step[last] + row, p->step[last],
                 fc_min(p->columns, p->size[last] - column), fc_min(p->rows, p->size[p->near] - row),
                 a->y + at.y + row * y_step + column, y_step);
}

/* `count` elements of one row. */
FC_INLINE void copy_row(const float *x, int64_t step, float *y, int64_t count) {
    if (step == 1)
        memcpy(y, x, (size_t)count * sizeof(float));
    else
        for (int64_t i = 0; i < count; i++) y[i] = x[i * step];
}

FC_RUN(strided_copy) {
    (void)scratch;
    const strided_plan p = plan_strided(a);
    const int last = p.axes - 1;
    for (int64_t tile = begin; tile < end; tile++) {
        if (is_transposed(&p)) {
            transpose_block(a, &p, tile);
            continue;
        }
        const int64_t first = tile / p.row_blocks * p.rows, column = tile % p.row_blocks * FC_CHUNK;
        const int64_t count = fc_min(FC_CHUNK, p.size[last] - column);
        for (int64_t row = first; row < fc_min(first + p.rows, p.outer); row++) {
            const strided_place_of at = outer_place(&p, row);
            copy_row(a->x + a->x0 + at.x + column * p.step[last], p.step[last], a->y + at.y + column, count);
        }
    }
}

/* ---- into a larger array ---- */

static int64_t place_rows(const fc_strided_place_args *a) { return fc_max(1, FC_CHUNK / fc_max(1, a->d4)); }

FC_TILES(strided_place) {
    const int64_t step = place_rows(a);
    return a->d4 == 0 ? 0 : (a->d0 * a->d1 * a->d2 * a->d3 + step - 1) / step;
}
FC_NO_SCRATCH(strided_place)

/* Which element of x's axis, of `size`, lies at place `at` of y's; -1: none. */
FC_INLINE int64_t source_of(int64_t at, int64_t first, int64_t step, int64_t size) {
    const int64_t j = (at - first) / step;
    return (at - first) % step == 0 && j >= 0 && j < size ? j : -1;
}

/* The row of x that lies in row `row` of y, or NULL. */
static const float *source_row(const fc_strided_place_args *a, int64_t row) {
    const int64_t j3 = source_of(row % a->d3, a->b3, a->t3, a->e3);
    row /= a->d3;
    const int64_t j2 = source_of(row % a->d2, a->b2, a->t2, a->e2);
    row /= a->d2;
    const int64_t j1 = source_of(row % a->d1, a->b1, a->t1, a->e1);
    const int64_t j0 = source_of(row / a->d1, a->b0, a->t0, a->e0);
    if (j0 < 0 || j1 < 0 || j2 < 0 || j3 < 0) return NULL;
    return a->x + (((j0 * a->e1 + j1) * a->e2 + j2) * a->e3 + j3) * a->e4;
}

FC_RUN(strided_place) {
    (void)scratch;
    const int64_t step = place_rows(a), to = fc_min(end * step, a->d0 * a->d1 * a->d2 * a->d3), d = a->d4;
    const float value = (float)a->value;
    /* The columns of y that x reaches, where it lies without gaps. */
    const int64_t left = fc_min(fc_max(a->b4, 0), d), right = fc_max(fc_min(a->b4 + a->e4, d), left);
    for (int64_t row = begin * step; row < to; row++) {
        const float *x = source_row(a, row);
        float *y = a->y + row * d;
        const int dense = x && a->t4 == 1;
        const int64_t before = dense ? left : d;
        for (int64_t i = 0; i < before; i++) y[i] = value;
        if (dense) {
            if (right > left) memcpy(y + left, x + left - a->b4, (size_t)(right - left) * sizeof(float));
            for (int64_t i = right; i < d; i++) y[i] = value;
        } else if (x)
            for (int64_t j = 0; j < a->e4; j++) {
                const int64_t i = a->b4 + j * a->t4;
                if (i >= 0 && i < d) y[i] = x[j];
            }
    }
}
