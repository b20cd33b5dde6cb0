/* Pixels and their surroundings: blurred, sharpened. */
#include "augment.h"

/* y = own x + around (rows (x) columns) x, with taps along both axes. */
typedef struct {
    const void *x;
    void *y;
    int64_t h, w, c, rows, cols;
    const float *row_taps, *col_taps;
    float own, around, low, high;
    int keep_border;
} filter;

/* Scratch: both axes' taps, as many rows as the window has, a row with what lies left and right of it, and a
 * row of results. */
static size_t filter_scratch(int64_t rows, int64_t cols, int64_t w, int64_t c) {
    return (size_t)(rows + cols + rows * w * c + (w + cols) * c + w * c) * sizeof(float);
}

static void gaussian(float *taps, int64_t count, double sigma) {
    double sum = 0.0;
    for (int pass = 0; pass < 2; pass++)
        for (int64_t i = 0; i < count; i++) {
            const double t = (double)(i - count / 2) / sigma;
            const double weight = sigma > 0.0 ? exp(-0.5 * t * t) : i == count / 2 ? 1.0 : 0.0;
            if (pass == 0)
                sum += weight;
            else
                taps[i] = (float)(weight / sum);
        }
}

/* sum = x tap, of a window's first tap, or sum + x tap. A pass for each tap over rows that stay in the first
 * cache costs less than finding all rows anew for each vector. */
FC_INLINE void add_tap(float *sum, const float *x, float tap, int first, int64_t count) {
    const vf t = vf_set1(tap);
#define STEP(i, n)                                                                                           \
    vf_store_tail(sum + (i),                                                                                 \
                  vf_fma(vf_load_tail(x + (i), n), t, first ? vf_zero() : vf_load_tail(sum + (i), n)), n)
    FC_FOR_LANES(count, STEP);
#undef STEP
}

/* Row i of y. ring: the image's rows around it as they were, row k at place k % rows; as y may be x, those
 * above it are there no more. */
FC_INLINE void filter_row(const filter *f, int64_t i, const float *ring, float *wide, float *out, int bytes) {
    const int64_t size = f->w * f->c, side = f->cols / 2 * f->c;
    const float *mine = ring + i % f->rows * size;
    float *row = wide + side;
    for (int64_t k = 0; k < f->rows; k++) {
        const int64_t at = fc_min(fc_max(i + k - f->rows / 2, 0), f->h - 1);
        add_tap(row, ring + at % f->rows * size, f->row_taps[k], k == 0, size);
    }
    for (int64_t j = 0; j < side; j++) {
        wide[j] = row[j % f->c];
        row[size + j] = row[size - f->c + j % f->c];
    }
    for (int64_t k = 0; k < f->cols; k++) add_tap(out, wide + k * f->c, f->col_taps[k], k == 0, size);
    const vf own = vf_set1(f->own), around = vf_set1(f->around), low = vf_set1(f->low),
             high = vf_set1(f->high);
    for (int64_t j = 0; j < size; j += VL) {
        const vf mixed =
            vf_fma(vf_load_tail(out + j, size - j), around, vf_mul(vf_load_tail(mine + j, size - j), own));
        vf_store_tail(out + j, vf_min(high, vf_max(low, mixed)), size - j);
    }
    if (f->keep_border)
        for (int64_t ch = 0; ch < f->c; ch++) {
            out[ch] = mine[ch];
            out[size - f->c + ch] = mine[size - f->c + ch];
        }
    fc_put_row(f->y, i * size, out, size, bytes);
}

FC_INLINE void filter_image(filter *f, const double *step, const float *drawn, float *scratch, int bytes) {
    const int64_t size = f->w * f->c;
    if (drawn[0] == 0.0f) {
        if (f->x != f->y) fc_copy(f->x, 0, f->y, 0, f->h * size, bytes);
        return;
    }
    float *row_taps = scratch, *col_taps = row_taps + f->rows, *ring = col_taps + f->cols;
    float *wide = ring + f->rows * size, *out = wide + (f->w + f->cols) * f->c;
    f->row_taps = row_taps;
    f->col_taps = col_taps;
    f->keep_border = step[FC_STEP_KIND] == FC_AUG_SHARPEN;
    if (f->keep_border) {
        /* smooth = (9 mean of 3 x 3 + 4 x) / 13 */
        for (int k = 0; k < 3; k++) row_taps[k] = col_taps[k] = 1.0f / 3.0f;
        f->own = drawn[1] + (1.0f - drawn[1]) * (4.0f / 13.0f);
        f->around = (1.0f - drawn[1]) * (9.0f / 13.0f);
    } else {
        gaussian(row_taps, f->rows, drawn[1]);
        gaussian(col_taps, f->cols, drawn[1]);
        f->own = 0.0f;
        f->around = 1.0f;
    }
    int64_t there = 0; /* rows that the ring has seen */
    for (int64_t i = 0; i < f->h; i++) {
        for (; there < fc_min(i + f->rows / 2 + 1, f->h); there++)
            fc_get_row(f->x, there * size, ring + there % f->rows * size, size, bytes);
        if (f->keep_border && (i == 0 || i == f->h - 1))
            fc_put_row(f->y, i * size, ring + i % f->rows * size, size, bytes);
        else
            filter_row(f, i, ring, wide, out, bytes);
    }
}

/* A tile is an image: where it works in place, rows follow each other. */
#define FILTER(name, bytes)                                                                                  \
    FC_TILES(name) { return a->h * a->w * a->c == 0 ? 0 : a->n; }                                            \
    FC_SCRATCH(name) { return filter_scratch(a->rows, a->cols, a->w, a->c); }                                \
    FC_RUN(name) {                                                                                           \
        for (int64_t image = begin; image < end; image++) {                                                  \
            const int64_t at = image * a->h * a->w * a->c;                                                   \
            filter f = {a->x + at, a->y + at, a->h, a->w, a->c,          a->rows,        a->cols,            \
                        NULL,      NULL,      0,    0,    (float)a->low, (float)a->high, 0};                 \
            filter_image(&f, a->steps + a->step * FC_STEP_SIZE,                                              \
                         a->drawn + (image * a->k + a->step) * FC_DRAWN, scratch, bytes);                    \
        }                                                                                                    \
    }
FILTER(augment_filter_u8, 1)
FILTER(augment_filter_f32, 0)
