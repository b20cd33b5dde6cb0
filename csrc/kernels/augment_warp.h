/* What the ways to see an image through a matrix share: the image, and what lies outside it. */
#ifndef FC_AUGMENT_WARP_H
#define FC_AUGMENT_WARP_H
#include "augment.h"

/* What a tile works on, of either type. */
typedef struct {
    const void *x;
    void *y;
    const double *m;
    int64_t h, w, c, oh, ow;
    int bilinear, border;
    float fill;
} warp;

/* Which of `size` rows (or columns) is seen at place i; -1: none, but the border's colour. */
FC_INLINE int64_t fold(int64_t i, int64_t size, int border) {
    if (i >= 0 && i < size) return i;
    if (border == FC_BORDER_CONSTANT) return -1;
    if (border == FC_BORDER_NEAREST) return i < 0 ? 0 : size - 1;
    const int64_t period = border == FC_BORDER_WRAP ? size : 2 * size;
    const int64_t r = (i % period + period) % period;
    return r < size ? r : period - 1 - r;
}

FC_INLINE void put(const warp *t, int64_t to, int64_t from, int bytes) {
    if (from >= 0) {
        if (t->c == 3)
            fc_copy(t->x, from * 3, t->y, to * 3, 3, bytes);
        else if (t->c == 1)
            fc_copy(t->x, from, t->y, to, 1, bytes);
        else
            fc_copy(t->x, from * t->c, t->y, to * t->c, t->c, bytes);
        return;
    }
    for (int64_t ch = 0; ch < t->c; ch++) fc_put_pixels(t->y, to * t->c + ch, vf_set1(t->fill), 1, bytes);
}
#endif
