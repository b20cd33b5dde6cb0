/* Dropout and noise from a counter-based generator: which elements stay depends on their index only, so any
 * split over tiles and any instruction set give the same mask, and the backward pass makes it again instead
 * of storing it. */
#include "kernel.h"
#include "random.h"

FC_TILES(dropout) { return fc_chunks(a->count); }
FC_NO_SCRATCH(dropout)
FC_RUN(dropout) {
    (void)scratch;
    const uint32_t site = (uint32_t)a->site;
    const float scale = (float)(1.0 / (1.0 - a->rate));
    /* The smallest word that is kept, at most 2^32 - 1. */
    const uint32_t threshold = (uint32_t)fmin(ceil(a->rate * 4294967296.0), 4294967295.0);
    const int64_t last = fc_min(end * FC_CHUNK, a->count);
    uint32_t words[4 * FC_RANDOM_BLOCK];
    for (int64_t i = begin * FC_CHUNK; i < last; i += 4 * FC_RANDOM_BLOCK) {
        fc_philox_block((uint64_t)i / 4, a->rng[0], a->rng[1], site, words);
        const int n = (int)fc_min(4 * FC_RANDOM_BLOCK, last - i);
        const float *x = a->x + i;
        float *y = a->y + i;
        for (int j = 0; j < n; j++) y[j] = words[j] >= threshold ? x[j] * scale : 0.0f;
    }
}

FC_TILES(gaussian_noise) { return fc_chunks(a->count); }
FC_NO_SCRATCH(gaussian_noise)
FC_RUN(gaussian_noise) {
    (void)scratch;
    const float stddev = (float)a->stddev;
    const int64_t last = fc_min(end * FC_CHUNK, a->count);
    uint32_t words[4 * FC_RANDOM_BLOCK];
    float z[4 * FC_RANDOM_BLOCK];
    for (int64_t i = begin * FC_CHUNK; i < last; i += 4 * FC_RANDOM_BLOCK) {
        fc_philox_block((uint64_t)i / 4, a->rng[0], a->rng[1], (uint32_t)a->site, words);
        fc_normals(words, z);
        const int n = (int)fc_min(4 * FC_RANDOM_BLOCK, last - i);
        for (int j = 0; j < n; j++) a->y[i + j] = a->x[i + j] + stddev * z[j];
    }
}
