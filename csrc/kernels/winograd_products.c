/* The products of a Winograd convolution (contract in winograd_products.h), a function for each size of a
 * register tile. */
#include "winograd_products.h"

#define ROWS(n)                                                                                              \
    static void multiply_##n##x1(const fc_wino_products *p) { fc_wino_multiply_rows(n, 1, 0, p); }           \
    static void multiply_##n##x2(const fc_wino_products *p) { fc_wino_multiply_rows(n, 2, 0, p); }           \
    static void fetching_##n##x1(const fc_wino_products *p) { fc_wino_multiply_rows(n, 1, 1, p); }           \
    static void fetching_##n##x2(const fc_wino_products *p) { fc_wino_multiply_rows(n, 2, 1, p); }           \
    static void hurrying_##n##x1(const fc_wino_products *p) { fc_wino_multiply_rows(n, 1, 2, p); }           \
    static void hurrying_##n##x2(const fc_wino_products *p) { fc_wino_multiply_rows(n, 2, 2, p); }
ROWS(1)
ROWS(2)
ROWS(3)
ROWS(4)
#if FC_MR > 4
ROWS(5)
ROWS(6)
#endif
#if FC_MR > 6
ROWS(7)
ROWS(8)
#endif
#if FC_MR > 8
ROWS(9)
ROWS(10)
ROWS(11)
ROWS(12)
#endif
#undef ROWS

typedef void (*multiplication)(const fc_wino_products *);
#define BODIES(n)                                                                                            \
    {                                                                                                        \
        {multiply_##n##x1, multiply_##n##x2}, {fetching_##n##x1, fetching_##n##x2}, {                        \
            hurrying_##n##x1, hurrying_##n##x2                                                               \
        }                                                                                                    \
    }
/* [rows - 1][lines that it fetches with each channel][vectors - 1] */
static const multiplication MULTIPLICATIONS[FC_MR][3][FC_NV] = {
    BODIES(1), BODIES(2),  BODIES(3),  BODIES(4),
#if FC_MR > 4
    BODIES(5), BODIES(6),
#endif
#if FC_MR > 6
    BODIES(7), BODIES(8),
#endif
#if FC_MR > 8
    BODIES(9), BODIES(10), BODIES(11), BODIES(12),
#endif
};
#undef BODIES

/* Register tiles of nearly the same number of squares, since from four on a tile takes as long as it has
 * squares. Each fetches its share of what comes next: a core waits for only so many lines at a time. */
void FC_NAME(fc_wino_multiply)(const fc_wino_products *squares, int64_t count, int vectors, int64_t ahead) {
    const int64_t tiles = (count + FC_MR - 1) / FC_MR;
    fc_wino_products p = *squares;
    const int64_t width = vectors * VL;
    p.stride = (width + tiles - 1) / tiles;
    const int lines = ahead ? 1 + (p.stride > LINE_FLOATS) : 0;
    for (int64_t tile = 0; tile < tiles; tile++) {
        const int64_t first = count * tile / tiles, rows = count * (tile + 1) / tiles - first;
        p.a = squares->a + first * p.row;
        p.sums = squares->sums + first * FC_NR;
        p.wanted = p.b + ahead + p.depth * width * tile / tiles;
        MULTIPLICATIONS[rows - 1][lines][vectors - 1](&p);
    }
}
