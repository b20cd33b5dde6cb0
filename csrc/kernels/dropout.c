/* Dropout from a counter-based generator: which elements stay depends on their index only, so any split over
 * tiles and any instruction set give the same mask, and the backward pass makes it again instead of storing
 * it. */
#include "kernel.h"

/* Counters to a block: four words each. The block's words go through a small array, so that both loops below
 * are plain enough for compilers to make vectors of. */
#define BLOCK 64

/* words[4 j + k] = word k of Philox4x32-10 at counter (first + j, step low, site + step high). Ten rounds of
 * two 32 x 32 -> 64 bit products, the key growing by the golden ratio and by sqrt(3) - 1 in between (Salmon,
 * Moraes, Dror, Shaw 2011, section 3). */
static void philox_block(uint64_t first, uint64_t seed, uint64_t step, uint32_t site,
                         uint32_t *FC_RESTRICT words) {
    for (uint32_t j = 0; j < BLOCK; j++) {
        const uint64_t counter = first + j;
        uint32_t c0 = (uint32_t)counter, c1 = (uint32_t)(counter >> 32);
        uint32_t c2 = (uint32_t)step, c3 = site + (uint32_t)(step >> 32);
        uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
        FC_UNROLL(10)
        for (int round = 0; round < 10; round++) {
            const uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
            c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
            c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
            c1 = (uint32_t)p1;
            c3 = (uint32_t)p0;
            k0 += 0x9E3779B9u;
            k1 += 0xBB67AE85u;
        }
        words[4 * j] = c0;
        words[4 * j + 1] = c1;
        words[4 * j + 2] = c2;
        words[4 * j + 3] = c3;
    }
}

FC_TILES(dropout) { return fc_chunks(a->count); }
FC_NO_SCRATCH(dropout)
FC_RUN(dropout) {
    (void)scratch;
    const uint32_t site = (uint32_t)a->site;
    const float scale = (float)(1.0 / (1.0 - a->rate));
    /* The smallest word that is kept, at most 2^32 - 1. */
    const uint32_t threshold = (uint32_t)fmin(ceil(a->rate * 4294967296.0), 4294967295.0);
    const int64_t last = fc_min(end * FC_CHUNK, a->count);
    uint32_t words[4 * BLOCK];
    for (int64_t i = begin * FC_CHUNK; i < last; i += 4 * BLOCK) {
        philox_block((uint64_t)i / 4, a->rng[0], a->rng[1], site, words);
        const int n = (int)fc_min(4 * BLOCK, last - i);
        const float *x = a->x + i;
        float *y = a->y + i;
        for (int j = 0; j < n; j++) y[j] = words[j] >= threshold ? x[j] * scale : 0.0f;
    }
}
