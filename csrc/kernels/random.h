/* Random numbers from counters: Philox4x32-10, and normally distributed numbers from its words. */
#ifndef FC_RANDOM_H
#define FC_RANDOM_H
#include "kernel.h"
#include "vec_math.h"

/* Counters to a block: four words each. The block's words go through a small array, so that both loops below
 * are plain enough for compilers to make vectors of. */
#define FC_RANDOM_BLOCK 64

/* The four words of Philox4x32-10 at counter (counter low, high, step low, site + step high). Ten rounds of
 * two 32 x 32 -> 64 bit products, the key growing by the golden ratio and by sqrt(3) - 1 in between (Salmon,
 * Moraes, Dror, Shaw 2011, section 3). */
FC_INLINE void fc_philox(uint64_t counter, uint64_t seed, uint64_t step, uint32_t site,
                         uint32_t *FC_RESTRICT words) {
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
    words[0] = c0;
    words[1] = c1;
    words[2] = c2;
    words[3] = c3;
}

/* words[4 j + k] = word k at counter first + j. */
static inline void fc_philox_block(uint64_t first, uint64_t seed, uint64_t step, uint32_t site,
                                   uint32_t *FC_RESTRICT words) {
    for (uint32_t j = 0; j < FC_RANDOM_BLOCK; j++) fc_philox(first + j, seed, step, site, words + 4 * j);
}

/* c = cos(2 pi u), s = sin(2 pi u) for u in 0 .. 1: u less the nearest quarter turn leaves an angle t of at
 * most pi / 4, whose Taylor series end where the next term is below 3e-8; quarter turns exchange them and
 * their signs. */
FC_INLINE void fc_turn(vf u, vf *c, vf *s) {
    const vf quarters = vf_round(vf_mul(u, vf_set1(4.0f))), one = vf_set1(1.0f), three = vf_set1(3.0f);
    const vf t = vf_mul(vf_fma(quarters, vf_set1(-0.25f), u), vf_set1(6.28318531f)), t2 = vf_mul(t, t);
    vf even = vf_fma(t2, vf_set1(1.0f / 40320.0f), vf_set1(-1.0f / 720.0f));
    even = vf_fma(even, t2, vf_set1(1.0f / 24.0f));
    even = vf_fma(even, t2, vf_set1(-0.5f));
    even = vf_fma(even, t2, one);
    vf odd = vf_fma(t2, vf_set1(1.0f / 362880.0f), vf_set1(-1.0f / 5040.0f));
    odd = vf_fma(odd, t2, vf_set1(1.0f / 120.0f));
    odd = vf_fma(odd, t2, vf_set1(-1.0f / 6.0f));
    odd = vf_fma(vf_mul(odd, t2), t, t);
    const vm first = vm_eq(quarters, one), second = vm_eq(quarters, vf_set1(2.0f)),
             third = vm_eq(quarters, three);
    const vm exchanged = vm_or(first, third);
    const vf x = vf_blend(exchanged, odd, even), y = vf_blend(exchanged, even, odd);
    *c = vf_blend(vm_or(first, second), vf_neg(x), x);
    *s = vf_blend(vm_or(second, third), vf_neg(y), y);
}

/* Two normally distributed numbers for each pair of words. */
static inline void fc_normals(const uint32_t *words, float *z) {
    float u[2][2 * FC_RANDOM_BLOCK], pair[2][VL];
    for (int j = 0; j < 2 * FC_RANDOM_BLOCK; j++)
        for (int k = 0; k < 2; k++)
            u[k][j] = ((float)(int32_t)(words[2 * j + k] >> 9) + 0.5f) * (1.0f / 8388608.0f);
    for (int j = 0; j < 2 * FC_RANDOM_BLOCK; j += VL) {
        const vf radius = vf_sqrt(vf_mul(vf_set1(-2.0f), vf_log(vf_load(u[0] + j))));
        vf c, s;
        fc_turn(vf_load(u[1] + j), &c, &s);
        vf_store(pair[0], vf_mul(radius, c));
        vf_store(pair[1], vf_mul(radius, s));
        for (int l = 0; l < VL; l++) {
            z[2 * (j + l)] = pair[0][l];
            z[2 * (j + l) + 1] = pair[1][l];
        }
    }
}
#endif
