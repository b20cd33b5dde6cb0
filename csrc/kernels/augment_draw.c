/* What each image of a batch draws for the steps of an augmentation, and the matrix of its geometric ones.
 * Both are a few hundred operations an image, in double: pixels follow in other kernels. */
#include "augment.h"
#include "random.h"

/* Images to a tile. */
#define IMAGES 32

static double drawn_from(int kind, double low, double high, uint32_t word, double before) {
    const double u = word / 4294967296.0, half = (word >> 1) / 2147483648.0, sign = word & 1 ? -1.0 : 1.0;
    switch (kind) {
    case FC_DRAW_UNIFORM:
        return low + u * (high - low);
    case FC_DRAW_LOG_UNIFORM:
        return exp(log(low) + u * (log(high) - log(low)));
    case FC_DRAW_WHOLE:
        return low + floor(u * (high - low + 1.0));
    case FC_DRAW_SIGNED:
        return sign * (low + half * (high - low));
    case FC_DRAW_LEVELS:
        return low + floor(u * 31.0) / 30.0 * (high - low);
    case FC_DRAW_SIGNED_LEVELS:
        return sign * (low + floor(half * 31.0) / 30.0 * (high - low));
    case FC_DRAW_ABOUT_ONE:
        return 1.0 + sign * (low + floor(half * 31.0) / 30.0 * (high - low));
    case FC_DRAW_ODDS: {
        const double f = fmin(low + u * (high - low), 0.999);
        return f / (1.0 - f);
    }
    case FC_DRAW_SAME:
        return before;
    default:
        return low;
    }
}

static void draw_step(const fc_augment_draw_args *a, int64_t image, const double *step, float *drawn) {
    const uint64_t counter = (uint64_t)image;
    const uint64_t seed = fc_lane_seed(a->rng[0], (int64_t)step[FC_STEP_LANE]);
    uint32_t words[4];
    fc_philox(counter, seed, a->rng[1], (uint32_t)a->site, words);
    int done = words[0] / 4294967296.0 < step[FC_STEP_PROBABILITY];
    if (step[FC_STEP_GROUP] >= 0.0) {
        const uint64_t group = fc_lane_seed(a->rng[0], 32768 + (int64_t)step[FC_STEP_GROUP]);
        fc_philox(counter, group, a->rng[1], (uint32_t)a->site, words);
        done = done && floor(words[1] / 4294967296.0 * step[FC_STEP_OF]) == step[FC_STEP_INDEX];
    }
    drawn[0] = done ? 1.0f : 0.0f;
    double before = 0.0;
    for (int v = 0; v < FC_STEP_VALUES; v++) {
        const double *draw = step + FC_STEP_DRAWS + 3 * v;
        if (v % 4 == 0)
            fc_philox(counter | (uint64_t)(1 + v / 4) << 32, seed, a->rng[1], (uint32_t)a->site, words);
        before = drawn_from((int)draw[0], draw[1], draw[2], words[v % 4], before);
        drawn[1 + v] = (float)before;
    }
}

FC_TILES(augment_draw) { return (a->n + IMAGES - 1) / IMAGES; }
FC_NO_SCRATCH(augment_draw)
FC_RUN(augment_draw) {
    (void)scratch;
    for (int64_t i = begin * IMAGES; i < fc_min(end * IMAGES, a->n); i++)
        for (int64_t s = 0; s < a->k; s++)
            draw_step(a, i, a->steps + s * FC_STEP_SIZE, a->drawn + (i * a->k + s) * FC_DRAWN);
}

/* ---- matrices: from (column, row, 1) of what a step gives to what it takes, both with edges at whole
 * numbers, so that the pixel in column j reaches from j to j + 1 ---- */

typedef struct {
    double m[9];
} matrix;

static matrix product(const matrix *a, const matrix *b) {
    matrix r;
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++)
            r.m[3 * i + j] =
                a->m[3 * i] * b->m[j] + a->m[3 * i + 1] * b->m[3 + j] + a->m[3 * i + 2] * b->m[6 + j];
    return r;
}

/* Of a linear map that leaves the centre of an image where it is. */
static matrix about_centre(double xx, double xy, double yx, double yy, double height, double width) {
    const double cx = width / 2, cy = height / 2;
    const matrix r = {{xx, xy, cx - xx * cx - xy * cy, yx, yy, cy - yx * cx - yy * cy, 0, 0, 1}};
    return r;
}

/* From an image to a quadrilateral in it: from the unit square to a quadrilateral (Heckbert 1989,
 * "Fundamentals of texture mapping and image warping", section 2.2.3), after the image to the unit square. v:
 * as FC_AUG_PERSPECTIVE has it. */
static matrix perspective(const float *v, double height, double width) {
    const double x0 = v[1] * width, y0 = v[0] * height, x1 = width - v[3] * width, y1 = v[2] * height;
    const double x2 = width - v[5] * width, y2 = height - v[4] * height, x3 = v[7] * width,
                 y3 = height - v[6] * height;
    const double dx1 = x1 - x2, dx2 = x3 - x2, sx = x0 - x1 + x2 - x3;
    const double dy1 = y1 - y2, dy2 = y3 - y2, sy = y0 - y1 + y2 - y3;
    const double det = dx1 * dy2 - dx2 * dy1;
    const double g = det == 0.0 ? 0.0 : (sx * dy2 - dx2 * sy) / det;
    const double h = det == 0.0 ? 0.0 : (dx1 * sy - sx * dy1) / det;
    const matrix r = {{(x1 - x0 + g * x1) / width, (x3 - x0 + h * x3) / height, x0,
                       (y1 - y0 + g * y1) / width, (y3 - y0 + h * y3) / height, y0, g / width, h / height,
                       1}};
    return r;
}

static matrix step_matrix(const double *step, const float *v) {
    const double height = step[FC_STEP_HEIGHT], width = step[FC_STEP_WIDTH];
    matrix r = {{1, 0, 0, 0, 1, 0, 0, 0, 1}};
    switch ((int)step[FC_STEP_KIND]) {
    case FC_AUG_FLIP_COLUMNS:
        return about_centre(-1, 0, 0, 1, height, width);
    case FC_AUG_FLIP_ROWS:
        return about_centre(1, 0, 0, -1, height, width);
    case FC_AUG_ROTATE: {
        /* Rows go down, so that what comes from here, turned clockwise, appears turned counterclockwise. */
        const double c = cos((double)v[0]), s = sin((double)v[0]);
        return about_centre(c, -s, s, c, height, width);
    }
    case FC_AUG_TRANSLATE:
        r.m[2] = -v[1] * width;
        r.m[5] = -v[0] * height;
        return r;
    case FC_AUG_ZOOM:
        return about_centre(v[1], 0, 0, v[0], height, width);
    case FC_AUG_SHEAR:
        return about_centre(1, v[0], v[1], 1, height, width);
    case FC_AUG_PERSPECTIVE:
        return perspective(v, height, width);
    case FC_AUG_CROP:
        r.m[2] = v[1];
        r.m[5] = v[0];
        return r;
    case FC_AUG_RESIZED_CROP: {
        const fc_part part = fc_part_of(v, (int64_t)height, (int64_t)width);
        r.m[0] = (double)(part.right - part.left) / step[FC_STEP_NEW_WIDTH];
        r.m[4] = (double)(part.bottom - part.top) / step[FC_STEP_NEW_HEIGHT];
        r.m[2] = (double)part.left;
        r.m[5] = (double)part.top;
        return r;
    }
    default:
        return r;
    }
}

FC_TILES(augment_geometry) { return (a->n + IMAGES - 1) / IMAGES; }
FC_NO_SCRATCH(augment_geometry)
FC_RUN(augment_geometry) {
    (void)scratch;
    const matrix to_edges = {{1, 0, 0.5, 0, 1, 0.5, 0, 0, 1}},
                 to_pixels = {{1, 0, -0.5, 0, 1, -0.5, 0, 0, 1}};
    for (int64_t i = begin * IMAGES; i < fc_min(end * IMAGES, a->n); i++) {
        matrix all = to_pixels;
        for (int64_t s = 0; s < a->k; s++) {
            const double *step = a->steps + s * FC_STEP_SIZE;
            const float *drawn = a->drawn + (i * a->k + s) * FC_DRAWN;
            if (drawn[0] == 0.0f || step[FC_STEP_KIND] > FC_AUG_RESIZED_CROP) continue;
            const matrix one = step_matrix(step, drawn + 1);
            all = product(&all, &one);
        }
        all = product(&all, &to_edges);
        memcpy(a->matrix + 9 * i, all.m, sizeof all.m);
    }
}
