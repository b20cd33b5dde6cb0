/* What every kernel file starts with: the contract, the vectors, and the three functions' heads. */
#ifndef FC_KERNEL_H
#define FC_KERNEL_H
#include "../fastcnn.h"
#include "../simd/vec.h"

/* FC_TILES(relu) { return ...; } with `a` the arguments; likewise FC_SCRATCH and FC_RUN (begin, end,
 * scratch). */
#define FC_TILES(k)                                                                                          \
    static int64_t k##_tiles_(const fc_##k##_args *a);                                                       \
    int64_t FC_NAME(k##_tiles)(const void *args);                                                            \
    int64_t FC_NAME(k##_tiles)(const void *args) { return k##_tiles_(args); }                                \
    static int64_t k##_tiles_(const fc_##k##_args *a)
#define FC_SCRATCH(k)                                                                                        \
    static size_t k##_scratch_(const fc_##k##_args *a);                                                      \
    size_t FC_NAME(k##_scratch)(const void *args);                                                           \
    size_t FC_NAME(k##_scratch)(const void *args) { return k##_scratch_(args); }                             \
    static size_t k##_scratch_(const fc_##k##_args *a)
#define FC_RUN(k)                                                                                            \
    static void k##_run_(const fc_##k##_args *a, int64_t begin, int64_t end, void *scratch);                 \
    void FC_NAME(k##_run)(const void *args, int64_t begin, int64_t end, void *scratch);                      \
    void FC_NAME(k##_run)(const void *args, int64_t begin, int64_t end, void *scratch) {                     \
        k##_run_(args, begin, end, scratch);                                                                 \
    }                                                                                                        \
    static void k##_run_(const fc_##k##_args *a, int64_t begin, int64_t end, void *scratch)
#define FC_NO_SCRATCH(k)                                                                                     \
    FC_SCRATCH(k) {                                                                                          \
        (void)a;                                                                                             \
        return 0;                                                                                            \
    }

/* Element-wise work is cut into pieces of this many floats: 64 KiB, some 5 us of memory traffic. */
#define FC_CHUNK 16384
FC_INLINE int64_t fc_chunks(int64_t count) { return (count + FC_CHUNK - 1) / FC_CHUNK; }
/* Whether to write an output of so many floats past the cache (vf_stream, then vf_fence at the end): worth it
 * where most of it would leave the cache before anyone reads it. */
#define FC_STREAM_FLOATS (4 << 20)
FC_INLINE int fc_streams(const float *y, int64_t count) {
    return count >= FC_STREAM_FLOATS && (uintptr_t)y % (VL * sizeof(float)) == 0;
}
/* vf_store_tail, or past the cache. */
FC_INLINE void fc_put(float *p, vf v, int64_t n, int stream) {
    if (stream && n >= VL)
        vf_stream(p, v);
    else
        vf_store_tail(p, v, n);
}
FC_INLINE int64_t fc_min(int64_t a, int64_t b) { return a < b ? a : b; }
FC_INLINE int64_t fc_max(int64_t a, int64_t b) { return a > b ? a : b; }

#endif
