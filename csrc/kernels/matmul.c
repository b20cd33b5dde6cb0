/* Products of matrices that are both data (contract in kernels.def), by the register tile of gemm.h. A tile
 * of the kernel is one panel of one b and a block of rows; the panel is packed into scratch, and stays there
 * for the blocks that follow. */
#include "gemm.h"
#include "transpose.h"

/* Rows to a block: a multiple of every FC_MR, enough that packing the panel is little beside them. */
#define ROWS 240

/* Whether a panel is read where it lies: for so few rows that each number of b is read once or twice, a copy
 * would cost more than the products. Only whole panels: what lies behind the last column isn't b's. */
static int in_place(const fc_matmul_args *a, int64_t cols) {
    return !a->b_transposed && a->m <= FC_MR && cols == FC_NR;
}

static int64_t row_blocks(const fc_matmul_args *a) { return (a->m + ROWS - 1) / ROWS; }

FC_TILES(matmul) { return a->batch * fc_panels(a->n) * row_blocks(a); }

/* First the number of the panel that is there, plus 1; the panel on the next cache line. */
#define PANEL_AT LINE_FLOATS
FC_SCRATCH(matmul) { return (size_t)(PANEL_AT + a->k * FC_NR) * sizeof(float); }

/* [k][width] from the columns col .. col + cols of b, zeros behind them. */
static void pack_panel(const fc_matmul_args *a, const float *b, int64_t col, int64_t cols, int64_t width,
                       float *panel) {
    if (a->b_transposed) {
        fc_transpose(b + col * a->k, a->k, cols, a->k, panel, width);
        for (int64_t l = 0; l < a->k; l++)
            for (int64_t j = cols; j < width; j++) panel[l * width + j] = 0.0f;
        return;
    }
    for (int64_t l = 0; l < a->k; l++)
        for (int64_t j = 0; j < width; j += VL)
            vf_store(panel + l * width + j,
                     j < cols ? vf_load_tail(b + l * a->n + col + j, cols - j) : vf_zero());
}

FC_RUN(matmul) {
    int64_t *packed = scratch; /* which panel is packed, plus 1 */
    float *panel = (float *)scratch + PANEL_AT;
    const int64_t blocks = row_blocks(a), panels = fc_panels(a->n), zero[1] = {0};
    for (int64_t tile = begin; tile < end; tile++) {
        const int64_t which = tile / blocks, batch = which / panels, col = which % panels * FC_NR;
        const int vectors = fc_panel_vectors(a->n, which % panels);
        const int64_t cols = fc_min(a->n - col, vectors * VL), first = tile % blocks * ROWS;
        const float *b = a->b + batch * a->b_step;
        if (!in_place(a, cols) && *packed != which + 1) {
            pack_panel(a, b, col, cols, vectors * VL, panel);
            *packed = which + 1;
        }
        const float *rows[FC_MR], *from = a->a + batch * a->a_step;
        float *out[FC_MR], *y = a->y + batch * a->m * a->n + col;
        fc_tile t = {0};
        t.a = rows;
        t.a_seg = t.b_seg = zero;
        t.segs = 1;
        t.len = a->k;
        t.a_step = a->a_transposed ? a->m : 1;
        t.b_step = in_place(a, cols) ? a->n : vectors * VL;
        t.b = in_place(a, cols) ? b + col : panel;
        t.c = out;
        t.vectors = vectors;
        t.cols = (int)cols;
        t.act = FC_LINEAR;
        for (int64_t row = first; row < fc_min(first + ROWS, a->m); row += FC_MR) {
            t.count = t.rows = (int)fc_min(FC_MR, a->m - row);
            for (int i = 0; i < t.rows; i++) {
                rows[i] = from + (row + i) * (a->a_transposed ? 1 : a->k);
                out[i] = y + (row + i) * a->n;
            }
            FC_NAME(fc_tiles_run)(&t);
        }
    }
}
