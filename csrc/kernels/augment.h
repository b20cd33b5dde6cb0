/* What the kernels of augmentation share: pixels as bytes or floats, steps, and what images drew for them. */
#ifndef FC_AUGMENT_H
#define FC_AUGMENT_H
#include "kernel.h"

/* Floats of an entry of an image's list: FC_AUG_ENTRY of kernels.def. */
#define FC_AUG_ENTRY_OF(c) (2 + 4 * (c))

/* Each kernel is written once for both types: `bytes` is a constant where these are called. */
FC_INLINE float fc_pixel(const void *x, int64_t i, int bytes) {
    return bytes ? (float)((const uint8_t *)x)[i] : ((const float *)x)[i];
}
FC_INLINE vf fc_pixels(const void *x, int64_t i, int64_t n, int bytes) {
    if (!bytes) return vf_load_tail((const float *)x + i, n);
    const uint8_t *p = (const uint8_t *)x + i;
    return vf_from_int(n >= VL ? vi_from_u8(p) : vi_from_u8_n(p, (int)n));
}
/* A value as a byte in an int: in 0 .. 255 (NaN becomes 0), then 1.5 x 2^23 + v has v's nearest whole number
 * in its lowest bits, halves to the even one. */
FC_INLINE vi fc_to_byte(vf v) {
    const vf inside = vf_min(vf_max(v, vf_zero()), vf_set1(255.0f));
    return vi_sub(vi_bits(vf_add(inside, vf_set1(12582912.0f))), vi_set1(0x4B400000));
}
FC_INLINE void fc_put_pixels(void *y, int64_t i, vf v, int64_t n, int bytes) {
    if (!bytes)
        vf_store_tail((float *)y + i, v, n);
    else if (n >= VL)
        vi_to_u8((uint8_t *)y + i, fc_to_byte(v));
    else
        vi_to_u8_n((uint8_t *)y + i, fc_to_byte(v), (int)n);
}
/* count elements from floats. */
FC_INLINE void fc_put_row(void *y, int64_t at, const float *row, int64_t count, int bytes) {
#define STEP(i, n) fc_put_pixels(y, at + (i), vf_load_tail(row + (i), n), n, bytes)
    FC_FOR_LANES(count, STEP);
#undef STEP
}
FC_INLINE void fc_get_row(const void *x, int64_t at, float *row, int64_t count, int bytes) {
#define STEP(i, n) vf_store_tail(row + (i), fc_pixels(x, at + (i), n, bytes), n)
    FC_FOR_LANES(count, STEP);
#undef STEP
}
FC_INLINE size_t fc_pixel_size(int bytes) { return bytes ? 1 : sizeof(float); }
FC_INLINE const void *fc_from(const void *x, int64_t i, int bytes) {
    return (const char *)x + (size_t)i * fc_pixel_size(bytes);
}
FC_INLINE void fc_copy(const void *x, int64_t from, void *y, int64_t to, int64_t count, int bytes) {
    memcpy((char *)y + (size_t)to * fc_pixel_size(bytes), fc_from(x, from, bytes),
           (size_t)count * fc_pixel_size(bytes));
}

/* A part of an image: rows top .. bottom - 1, columns left .. right - 1. */
typedef struct {
    int64_t top, left, bottom, right;
} fc_part;

/* The part with a share of an image's area and a shape, which gets smaller where it doesn't fit, at a place.
 * v: share, log(width / height), shares of the room above and left of it. */
FC_INLINE fc_part fc_part_of(const float *v, int64_t height, int64_t width) {
    const double area = (double)v[0] * (double)height * (double)width, shape = exp((double)v[1]);
    const int64_t w = fc_max(1, fc_min(width, (int64_t)rint(sqrt(area * shape))));
    const int64_t h = fc_max(1, fc_min(height, (int64_t)rint(sqrt(area / shape))));
    const int64_t top = fc_min(height - h, (int64_t)((double)v[2] * (double)(height - h + 1)));
    const int64_t left = fc_min(width - w, (int64_t)((double)v[3] * (double)(width - w + 1)));
    const fc_part part = {top, left, top + h, left + w};
    return part;
}

/* The key of a step's random numbers. */
FC_INLINE uint64_t fc_lane_seed(uint64_t seed, int64_t lane) { return seed + ((uint64_t)(lane + 1) << 40); }
#endif
