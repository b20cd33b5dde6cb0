/* Parts of images brought to one size, and the gradient (contracts in kernels.def).
 *
 * A bin's points form a grid, and what each is made of is a product of a weight for the row and one for the
 * column. So a bin is a sum over rows of x, of sums over its columns: with k points each way k + 1 rows and
 * columns for most bins, instead of 4 k^2 pixels. */
#include "kernel.h"

typedef struct {
    int64_t n, h, w, c, regions, oh, ow, samples, aligned;
    double scale;
    const float *boxes;
    const int32_t *image;
} roi_task;

#define TASK(a)                                                                                              \
    {                                                                                                        \
        (a)->n, (a)->h, (a)->w, (a)->c, (a)->regions, (a)->oh, (a)->ow, (a)->samples, (a)->aligned,          \
            (a)->scale, (a)->boxes, (a)->image                                                               \
    }

static int64_t image_of(const roi_task *t, int64_t region) {
    return t->image ? t->image[region] : region / (t->regions / t->n);
}

/* One axis of a region: where it begins, in pixels whose centres are whole numbers, and how long a bin is. */
typedef struct {
    double start, bin;
    int64_t size;  /* of the image */
    double points; /* a bin has */
} roi_axis;

static roi_axis axis_of(const roi_task *t, int64_t region, int column) {
    const float *box = t->boxes + region * 4 + (column ? 0 : 1);
    const int64_t bins = column ? t->ow : t->oh;
    roi_axis axis = {box[0] * t->scale, 0.0, column ? t->w : t->h, (double)t->samples};
    double length = box[2] * t->scale - axis.start;
    if (t->aligned)
        axis.start -= 0.5;
    else if (length < 1.0)
        length = 1.0;
    axis.bin = length / (double)bins;
    if (t->samples <= 0) axis.points = axis.bin > 0.0 ? ceil(axis.bin) : 0.0;
    return axis;
}

static int is_finite(const roi_task *t, int64_t region) {
    const float *box = t->boxes + region * 4;
    return box[0] * 0.0f + box[1] * 0.0f + box[2] * 0.0f + box[3] * 0.0f == 0.0f;
}

/* Rows or columns first .. last of the image with the weights of one bin; last < first: it has no points
 * there. */
typedef struct {
    int64_t first, last;
} roi_span;

static roi_span weigh_bin(const roi_axis *axis, int64_t bin, float *weight) {
    const int64_t size = axis->size;
    const double from = axis->start + (double)bin * axis->bin, points = axis->points;
    roi_span span = {size, -1};
    if (points < 1.0 || size < 1) return span;
    const double step = axis->bin / points;
    double before = 0.0, count = points;
    if (step > 0.0) {
        /* Of a region much larger than the image, only those points that may lie within a pixel of it.
         * However far off and rounded its ends are, these aren't more than so many. */
        before = fmax(0.0, floor((-1.0 - from) / step - 1.5));
        count = fmin(points - before, floor((double)(size + 1) / step) + 4.0);
    }
    for (int64_t k = 0; k < (int64_t)count; k++) {
        double at = from + (before + (double)k + 0.5) * step;
        if (!(at >= -1.0 && at <= (double)size)) continue;
        at = fmin(fmax(at, 0.0), (double)(size - 1));
        const int64_t low = (int64_t)at, high = fc_min(low + 1, size - 1);
        if (span.last < span.first) {
            span.first = low;
            span.last = low - 1;
            weight[low] = 0.0f;
        }
        for (; span.first > low; span.first--) weight[span.first - 1] = 0.0f;
        for (; span.last < high; span.last++) weight[span.last + 1] = 0.0f;
        weight[low] += (float)((1.0 - (at - (double)low)) / points);
        weight[high] += (float)((at - (double)low) / points);
    }
    return span;
}

/* The columns' weights of all bins: [ow][w], and where they begin and end. */
static void weigh_columns(const roi_task *t, int64_t region, float *weight, roi_span *span) {
    const roi_axis axis = axis_of(t, region, 1);
    for (int64_t j = 0; j < t->ow; j++) span[j] = weigh_bin(&axis, j, weight + j * t->w);
}

/* y += weight x */
FC_INLINE void add_weighted(const float *x, float weight, float *y, int64_t count) {
    const vf u = vf_set1(weight);
#define STEP(i, n) vf_store_tail(y + (i), vf_fma(vf_load_tail(x + (i), n), u, vf_load_tail(y + (i), n)), n)
    FC_FOR_LANES(count, STEP);
#undef STEP
}

static size_t in_lines(size_t bytes) { return FC_ROUND_UP(bytes, 64); }
/* Scratch: spans [ow], weights of columns [ow][w], of rows [h], and a row of x. */
static size_t roi_scratch(const roi_task *t) {
    return in_lines((size_t)t->ow * sizeof(roi_span)) +
           (size_t)(t->ow * t->w + t->h + t->w * t->c) * sizeof(float);
}

/* ---- forward: a tile is a region ---- */

FC_TILES(roi_align) { return a->c * a->oh * a->ow == 0 ? 0 : a->regions; }
FC_SCRATCH(roi_align) {
    const roi_task t = TASK(a);
    return roi_scratch(&t);
}

static void align_region(const roi_task *t, int64_t region, const float *x, float *y, void *scratch) {
    roi_span *span = scratch;
    float *columns = (float *)((char *)scratch + in_lines((size_t)t->ow * sizeof *span));
    float *rows = columns + t->ow * t->w, *row = rows + t->h;
    const roi_axis axis = axis_of(t, region, 0);
    weigh_columns(t, region, columns, span);
    int64_t first = t->w, last = -1;
    for (int64_t j = 0; j < t->ow; j++) {
        first = fc_min(first, span[j].first);
        last = fc_max(last, span[j].last);
    }
    memset(y, 0, (size_t)(t->oh * t->ow * t->c) * sizeof(float));
    if (last < first) return;
    for (int64_t i = 0; i < t->oh; i++, y += t->ow * t->c) {
        const roi_span down = weigh_bin(&axis, i, rows);
        if (down.last < down.first) continue;
        memset(row + first * t->c, 0, (size_t)((last + 1 - first) * t->c) * sizeof(float));
        for (int64_t r = down.first; r <= down.last; r++)
            add_weighted(x + (r * t->w + first) * t->c, rows[r], row + first * t->c,
                         (last + 1 - first) * t->c);
        for (int64_t j = 0; j < t->ow; j++)
            for (int64_t s = span[j].first; s <= span[j].last; s++)
                add_weighted(row + s * t->c, columns[j * t->w + s], y + j * t->c, t->c);
    }
}

FC_RUN(roi_align) {
    const roi_task t = TASK(a);
    const int64_t size = a->oh * a->ow * a->c;
    for (int64_t region = begin; region < end; region++) {
        float *y = a->y + region * size;
        if (is_finite(&t, region))
            align_region(&t, region, a->x + image_of(&t, region) * a->h * a->w * a->c, y, scratch);
        else
            for (int64_t i = 0; i < size; i++) y[i] = NAN;
    }
}

/* ---- backward: a tile is a row of an image, which takes its part of every region in turn. So no two tiles
 * write to one place, and what is added to it comes in the regions' order. ---- */

FC_TILES(roi_align_backward) { return a->w * a->c == 0 ? 0 : a->n * a->h; }
FC_SCRATCH(roi_align_backward) {
    const roi_task t = TASK(a);
    return roi_scratch(&t);
}

static void spread_region(const roi_task *t, int64_t region, int64_t r, const float *dy, float *dx,
                          void *scratch) {
    roi_span *span = scratch;
    float *columns = (float *)((char *)scratch + in_lines((size_t)t->ow * sizeof *span));
    float *rows = columns + t->ow * t->w;
    const roi_axis axis = axis_of(t, region, 0);
    /* Points a pixel above or below still take from the image's border. */
    const double low = fmin(axis.start, axis.start + (double)t->oh * axis.bin),
                 high = fmax(axis.start, axis.start + (double)t->oh * axis.bin);
    if (fmax(low, 0.0) - 1.0 > (double)r || fmin(high, (double)(t->h - 1)) + 1.0 < (double)r) return;
    int known = 0;
    for (int64_t i = 0; i < t->oh; i++) {
        const roi_span down = weigh_bin(&axis, i, rows);
        if (r < down.first || r > down.last || rows[r] == 0.0f) continue;
        if (!known) weigh_columns(t, region, columns, span);
        known = 1;
        for (int64_t j = 0; j < t->ow; j++)
            for (int64_t s = span[j].first; s <= span[j].last; s++)
                add_weighted(dy + (i * t->ow + j) * t->c, rows[r] * columns[j * t->w + s], dx + s * t->c,
                             t->c);
    }
}

FC_RUN(roi_align_backward) {
    const roi_task t = TASK(a);
    const int64_t size = a->oh * a->ow * a->c;
    for (int64_t tile = begin; tile < end; tile++) {
        const int64_t image = tile / a->h;
        float *dx = a->dx + tile * a->w * a->c;
        memset(dx, 0, (size_t)(a->w * a->c) * sizeof(float));
        for (int64_t region = 0; region < a->regions; region++)
            if (image_of(&t, region) == image && is_finite(&t, region))
                spread_region(&t, region, tile % a->h, a->dy + region * size, dx, scratch);
    }
}
