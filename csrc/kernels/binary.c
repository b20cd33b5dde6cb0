/* Functions of two arrays with broadcasting. Axes that lie dense in both operands (or are broadcast in both)
 * are merged first: most calls become one long row, and a bias or a scale per channel becomes rows of
 * channels. */
#include "kernel.h"

typedef struct {
    int axes;           /* >= 1 */
    int64_t size[5];    /* outermost first */
    int64_t p[5], q[5]; /* strides */
    int64_t rows;       /* product of all sizes but the last */
    int64_t row_tiles;  /* tiles to a row, where rows are longer than a tile */
    int64_t tile_rows;  /* rows to a tile, where they are shorter */
} binary_plan;

static binary_plan plan_binary(const fc_binary_args *a) {
    const int64_t size[5] = {a->d0, a->d1, a->d2, a->d3, a->d4};
    const int64_t p[5] = {a->p0, a->p1, a->p2, a->p3, a->p4}, q[5] = {a->q0, a->q1, a->q2, a->q3, a->q4};
    binary_plan b = {0};
    for (int k = 0; k < 5; k++) {
        if (size[k] == 1) continue;
        const int last = b.axes - 1;
        if (b.axes && b.p[last] == p[k] * size[k] && b.q[last] == q[k] * size[k]) {
            b.size[last] *= size[k];
            b.p[last] = p[k];
            b.q[last] = q[k];
        } else {
            b.size[b.axes] = size[k];
            b.p[b.axes] = p[k];
            b.q[b.axes++] = q[k];
        }
    }
    if (b.axes == 0) b.size[b.axes++] = 1;
    b.rows = 1;
    for (int k = 0; k < b.axes - 1; k++) b.rows *= b.size[k];
    const int64_t row = b.size[b.axes - 1];
    b.row_tiles = fc_chunks(row);
    b.tile_rows = row > 0 && row < FC_CHUNK ? FC_CHUNK / row : 1;
    return b;
}

FC_INLINE vf binary_value(int64_t kind, vf p, vf q) {
    switch (kind) {
    case FC_ADD:
        return vf_add(p, q);
    case FC_SUBTRACT:
        return vf_sub(p, q);
    case FC_MULTIPLY:
        return vf_mul(p, q);
    case FC_DIVIDE:
        return vf_div(p, q);
    case FC_MAXIMUM:
        return vf_maxnan(p, q);
    case FC_PRELU:
        return vf_blend(vm_lt(p, vf_zero()), vf_mul(p, q), p);
    case FC_PRELU_SLOPE:
        return vf_blend(vm_le(p, vf_zero()), q, vf_set1(1.0f));
    default:
        return vf_neg(vf_maxnan(vf_neg(p), vf_neg(q)));
    }
}

/* One row whose operands step by 0 or 1; `kind` and both steps are constants where this is inlined. */
FC_INLINE void binary_row(int64_t kind, const float *p, int p_step, const float *q, int q_step, float *y,
                          int64_t count, int stream) {
    const vf p_first = vf_set1(*p), q_first = vf_set1(*q);
#define STEP(i, n)                                                                                           \
    fc_put(y + (i),                                                                                          \
           binary_value(kind, p_step ? vf_load_tail(p + (i), n) : p_first,                                   \
                        q_step ? vf_load_tail(q + (i), n) : q_first),                                        \
           n, stream)
    FC_FOR_LANES(count, STEP);
#undef STEP
}

/* Any other steps: operands are brought together VL at a time. */
FC_INLINE void binary_row_strided(int64_t kind, const float *p, int64_t p_step, const float *q,
                                  int64_t q_step, float *y, int64_t count) {
    float s[VL] = {0}, t[VL] = {0};
    for (int64_t i = 0; i < count; i += VL) {
        const int64_t n = fc_min(VL, count - i);
        for (int64_t j = 0; j < n; j++) {
            s[j] = p[(i + j) * p_step];
            t[j] = q[(i + j) * q_step];
        }
        vf_store_tail(y + i, binary_value(kind, vf_load(s), vf_load(t)), n);
    }
}

/* `rows` rows that lie evenly spaced in p and q, and dense in y. */
FC_INLINE void binary_matrix(int64_t kind, const float *p, int64_t p_row, int64_t p_step, const float *q,
                             int64_t q_row, int64_t q_step, float *y, int64_t y_row, int64_t rows,
                             int64_t count, int stream) {
#define EACH_ROW(CALL)                                                                                       \
    for (int64_t r = 0; r < rows; r++, p += p_row, q += q_row, y += y_row) CALL
    if (p_step == 1 && q_step == 1)
        EACH_ROW(binary_row(kind, p, 1, q, 1, y, count, stream));
    else if (p_step == 1 && q_step == 0)
        EACH_ROW(binary_row(kind, p, 1, q, 0, y, count, stream));
    else if (p_step == 0 && q_step == 1)
        EACH_ROW(binary_row(kind, p, 0, q, 1, y, count, stream));
    else
        EACH_ROW(binary_row_strided(kind, p, p_step, q, q_step, y, count));
#undef EACH_ROW
}

/* Rows row .. row + rows, the `count` columns from `column` on. Rows that share all axes but the last two are
 * evenly spaced and go in one call. */
FC_INLINE void binary_block(int64_t kind, const fc_binary_args *a, const binary_plan *b, int64_t row,
                            int64_t rows, int64_t column, int64_t count, int stream) {
    const int last = b->axes - 1;
    const int64_t run = last > 0 ? b->size[last - 1] : 1, width = b->size[last];
    while (rows > 0) {
        const int64_t n = fc_min(rows, run - row % run);
        const float *p = a->p + column * b->p[last], *q = a->q + column * b->q[last];
        int64_t rest = row;
        for (int k = last - 1; k >= 0; rest /= b->size[k--]) {
            p += rest % b->size[k] * b->p[k];
            q += rest % b->size[k] * b->q[k];
        }
        binary_matrix(kind, p, last > 0 ? b->p[last - 1] : 0, b->p[last], q, last > 0 ? b->q[last - 1] : 0,
                      b->q[last], a->y + row * width + column, width, n, count, stream);
        row += n;
        rows -= n;
    }
}

FC_TILES(binary) {
    const binary_plan b = plan_binary(a);
    return b.row_tiles > 1 ? b.rows * b.row_tiles : b.row_tiles * ((b.rows + b.tile_rows - 1) / b.tile_rows);
}
FC_NO_SCRATCH(binary)
FC_RUN(binary) {
    (void)scratch;
    const binary_plan b = plan_binary(a);
    const int64_t width = b.size[b.axes - 1];
    const int stream = a->y != a->p && a->y != a->q && width % VL == 0 &&
                       fc_streams(a->y, a->d0 * a->d1 * a->d2 * a->d3 * a->d4);
    for (int64_t tile = begin; tile < end; tile++) {
        int64_t row = tile * b.tile_rows, rows = fc_min(b.tile_rows, b.rows - row), column = 0, count = width;
        if (b.row_tiles > 1) {
            row = tile / b.row_tiles;
            rows = 1;
            column = tile % b.row_tiles * FC_CHUNK;
            count = fc_min(FC_CHUNK, width - column);
        }
        switch (a->kind) {
#define CASE(kind)                                                                                           \
    case kind:                                                                                               \
        binary_block(kind, a, &b, row, rows, column, count, stream);                                         \
        break;
            CASE(FC_ADD)
            CASE(FC_SUBTRACT)
            CASE(FC_MULTIPLY)
            CASE(FC_DIVIDE)
            CASE(FC_MAXIMUM)
            CASE(FC_MINIMUM)
            CASE(FC_PRELU)
            CASE(FC_PRELU_SLOPE)
#undef CASE
        }
    }
    if (stream) vf_fence();
}
