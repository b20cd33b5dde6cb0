/* What a detector's places and objects are: see detection_assign in kernels.def. */
#ifndef FC_DETECTION_H
#define FC_DETECTION_H
#include "kernel.h"

/* x, y and stride of all places. */
typedef struct {
    const float *x, *y, *stride;
    int64_t count;
} place_list;

FC_INLINE place_list places_of(const float *places, int64_t count) {
    const place_list found = {places, places + count, places + 2 * count, count};
    return found;
}

/* The box that a place predicts: raw holds its distances, in strides. */
FC_INLINE void predicted_box(const place_list *places, int64_t i, const float *raw, double *box) {
    const double x = (double)places->x[i], y = (double)places->y[i], stride = (double)places->stride[i];
    box[0] = x - stride * (double)raw[0];
    box[1] = y - stride * (double)raw[1];
    box[2] = x + stride * (double)raw[2];
    box[3] = y + stride * (double)raw[3];
}

/* A row of targets: class number and box. Whether it is an object. */
FC_INLINE int object_of(const float *row, int64_t classes, double *box, int64_t *label) {
    for (int i = 0; i < 4; i++) box[i] = (double)row[1 + i];
    if (!(row[0] >= 0.0f && row[0] < (float)classes)) return 0;
    *label = (int64_t)row[0];
    return box[2] > box[0] && box[3] > box[1] && (box[2] - box[0]) * (box[3] - box[1]) < (double)INFINITY;
}

#endif
