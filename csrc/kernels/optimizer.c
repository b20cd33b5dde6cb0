/* Optimizers: one pass over flat memory each, bound by it. Constants are worked out in double once a call (1
 * - beta of a beta near 1 would lose digits in float), the rest is float. */
#include "kernel.h"
#include "vec_math.h"

/* Every optimizer's piece of work, and a hyperparameter or a number as a vector. */
#define FROM (begin * FC_CHUNK)
#define COUNT (fc_min(end * FC_CHUNK, a->count) - FROM)
#define HYPER(which) vf_set1((float)a->hyper[which])
#define REST(which) vf_set1((float)(1.0 - a->hyper[which]))

/* w without its decay. As w - decay w: 1 - decay would round a decay of 1e-6 by some percent. */
FC_INLINE vf decayed(vf w, vf decay) { return vf_fma(vf_neg(decay), w, w); }
/* keep x average + rest x value */
FC_INLINE vf average(vf keep, vf mean, vf rest, vf value) { return vf_fma(keep, mean, vf_mul(rest, value)); }

FC_TILES(sgd) { return fc_chunks(a->count); }
FC_NO_SCRATCH(sgd)
FC_RUN(sgd) {
    (void)scratch;
    const vf lr = HYPER(FC_HYPER_LR), decay = HYPER(FC_HYPER_DECAY);
    float *w = a->w + FROM;
    const float *g = a->g + FROM;
#define STEP(i, n)                                                                                           \
    vf_store_tail(w + (i),                                                                                   \
                  vf_fma(vf_neg(lr), vf_load_tail(g + (i), n), decayed(vf_load_tail(w + (i), n), decay)), n)
    FC_FOR_LANES(COUNT, STEP);
#undef STEP
}

FC_INLINE void momentum_step(float *w, const float *g, float *m, int64_t n, vf lr, vf decay, vf momentum,
                             int nesterov) {
    const vf step = vf_mul(lr, vf_load_tail(g, n)), kept = decayed(vf_load_tail(w, n), decay);
    const vf mean = vf_sub(vf_mul(momentum, vf_load_tail(m, n)), step);
    vf_store_tail(m, mean, n);
    vf_store_tail(w, vf_add(kept, nesterov ? vf_sub(vf_mul(momentum, mean), step) : mean), n);
}

FC_TILES(sgd_momentum) { return fc_chunks(a->count); }
FC_NO_SCRATCH(sgd_momentum)
FC_RUN(sgd_momentum) {
    (void)scratch;
    const vf lr = HYPER(FC_HYPER_LR), decay = HYPER(FC_HYPER_DECAY), momentum = HYPER(FC_HYPER_MOMENTUM);
    float *w = a->w + FROM, *m = a->m + FROM;
    const float *g = a->g + FROM;
#define STEP(i, n) momentum_step(w + (i), g + (i), m + (i), n, lr, decay, momentum, a->nesterov != 0)
    FC_FOR_LANES(COUNT, STEP);
#undef STEP
}

typedef struct {
    vf lr, decay, momentum, rho, rest, epsilon;
} rmsprop_hyper;

/* m and d may be NULL. */
FC_INLINE void rmsprop_step(float *w, const float *g, float *v, float *m, float *d, int64_t n,
                            const rmsprop_hyper *h) {
    const vf gradient = vf_load_tail(g, n);
    const vf square = average(h->rho, vf_load_tail(v, n), h->rest, vf_mul(gradient, gradient));
    vf_store_tail(v, square, n);
    vf variance = square;
    if (d) {
        const vf mean = average(h->rho, vf_load_tail(d, n), h->rest, gradient);
        vf_store_tail(d, mean, n);
        variance = vf_sub(square, vf_mul(mean, mean));
    }
    vf step = vf_div(vf_mul(h->lr, gradient), vf_sqrt(vf_add(variance, h->epsilon)));
    if (m) {
        step = vf_fma(h->momentum, vf_load_tail(m, n), step);
        vf_store_tail(m, step, n);
    }
    vf_store_tail(w, vf_sub(decayed(vf_load_tail(w, n), h->decay), step), n);
}

FC_TILES(rmsprop) { return fc_chunks(a->count); }
FC_NO_SCRATCH(rmsprop)
FC_RUN(rmsprop) {
    (void)scratch;
    const rmsprop_hyper h = {HYPER(FC_HYPER_LR),    HYPER(FC_HYPER_DECAY), HYPER(FC_HYPER_MOMENTUM),
                             HYPER(FC_HYPER_BETA1), REST(FC_HYPER_BETA1),  HYPER(FC_HYPER_EPSILON)};
    float *w = a->w + FROM, *v = a->v + FROM, *m = a->m ? a->m + FROM : NULL, *d = a->d ? a->d + FROM : NULL;
    const float *g = a->g + FROM;
#define STEP(i, n) rmsprop_step(w + (i), g + (i), v + (i), m ? m + (i) : NULL, d ? d + (i) : NULL, n, &h)
    FC_FOR_LANES(COUNT, STEP);
#undef STEP
}

typedef struct {
    vf lr, decay, rest1, rest2, epsilon;
} adam_hyper;

FC_INLINE void adam_step(float *w, const float *g, float *m, float *v, int64_t n, const adam_hyper *h) {
    const vf gradient = vf_load_tail(g, n), old_m = vf_load_tail(m, n), old_v = vf_load_tail(v, n);
    const vf mean = vf_fma(h->rest1, vf_sub(gradient, old_m), old_m);
    const vf square = vf_fma(h->rest2, vf_sub(vf_mul(gradient, gradient), old_v), old_v);
    vf_store_tail(m, mean, n);
    vf_store_tail(v, square, n);
    const vf step = vf_div(vf_mul(h->lr, mean), vf_add(vf_sqrt(square), h->epsilon));
    vf_store_tail(w, vf_sub(decayed(vf_load_tail(w, n), h->decay), step), n);
}

FC_TILES(adam) { return fc_chunks(a->count); }
FC_NO_SCRATCH(adam)
FC_RUN(adam) {
    (void)scratch;
    const adam_hyper h = {HYPER(FC_HYPER_LR), HYPER(FC_HYPER_DECAY), REST(FC_HYPER_BETA1),
                          REST(FC_HYPER_BETA2), HYPER(FC_HYPER_EPSILON)};
    float *w = a->w + FROM, *m = a->m + FROM, *v = a->v + FROM;
    const float *g = a->g + FROM;
#define STEP(i, n) adam_step(w + (i), g + (i), m + (i), v + (i), n, &h)
    FC_FOR_LANES(COUNT, STEP);
#undef STEP
}

FC_INLINE void adagrad_step(float *w, const float *g, float *v, int64_t n, vf lr, vf decay, vf epsilon) {
    const vf gradient = vf_load_tail(g, n), sum = vf_fma(gradient, gradient, vf_load_tail(v, n));
    vf_store_tail(v, sum, n);
    const vf step = vf_div(vf_mul(lr, gradient), vf_sqrt(vf_add(sum, epsilon)));
    vf_store_tail(w, vf_sub(decayed(vf_load_tail(w, n), decay), step), n);
}

FC_TILES(adagrad) { return fc_chunks(a->count); }
FC_NO_SCRATCH(adagrad)
FC_RUN(adagrad) {
    (void)scratch;
    const vf lr = HYPER(FC_HYPER_LR), decay = HYPER(FC_HYPER_DECAY), epsilon = HYPER(FC_HYPER_EPSILON);
    float *w = a->w + FROM, *v = a->v + FROM;
    const float *g = a->g + FROM;
#define STEP(i, n) adagrad_step(w + (i), g + (i), v + (i), n, lr, decay, epsilon)
    FC_FOR_LANES(COUNT, STEP);
#undef STEP
}

typedef struct {
    vf lr, decay, rho, rest, epsilon;
} adadelta_hyper;

FC_INLINE void adadelta_step(float *w, const float *g, float *v, float *u, int64_t n,
                             const adadelta_hyper *h) {
    const vf gradient = vf_load_tail(g, n), updates = vf_load_tail(u, n);
    const vf square = average(h->rho, vf_load_tail(v, n), h->rest, vf_mul(gradient, gradient));
    const vf ratio = vf_div(vf_sqrt(vf_add(updates, h->epsilon)), vf_sqrt(vf_add(square, h->epsilon)));
    const vf delta = vf_mul(gradient, ratio);
    vf_store_tail(v, square, n);
    vf_store_tail(u, average(h->rho, updates, h->rest, vf_mul(delta, delta)), n);
    vf_store_tail(w, vf_fma(vf_neg(h->lr), delta, decayed(vf_load_tail(w, n), h->decay)), n);
}

FC_TILES(adadelta) { return fc_chunks(a->count); }
FC_NO_SCRATCH(adadelta)
FC_RUN(adadelta) {
    (void)scratch;
    const adadelta_hyper h = {HYPER(FC_HYPER_LR), HYPER(FC_HYPER_DECAY), HYPER(FC_HYPER_BETA1),
                              REST(FC_HYPER_BETA1), HYPER(FC_HYPER_EPSILON)};
    float *w = a->w + FROM, *v = a->v + FROM, *u = a->u + FROM;
    const float *g = a->g + FROM;
#define STEP(i, n) adadelta_step(w + (i), g + (i), v + (i), u + (i), n, &h)
    FC_FOR_LANES(COUNT, STEP);
#undef STEP
}

typedef struct {
    vf lr, decay, beta1, rest1, beta2, rest2;
} lion_hyper;

FC_INLINE void lion_step(float *w, const float *g, float *m, int64_t n, const lion_hyper *h) {
    const vf gradient = vf_load_tail(g, n), mean = vf_load_tail(m, n);
    const vf direction = vf_sign(average(h->beta1, mean, h->rest1, gradient));
    vf_store_tail(m, average(h->beta2, mean, h->rest2, gradient), n);
    vf_store_tail(w, vf_fma(vf_neg(h->lr), direction, decayed(vf_load_tail(w, n), h->decay)), n);
}

FC_TILES(lion) { return fc_chunks(a->count); }
FC_NO_SCRATCH(lion)
FC_RUN(lion) {
    (void)scratch;
    const lion_hyper h = {HYPER(FC_HYPER_LR),   HYPER(FC_HYPER_DECAY), HYPER(FC_HYPER_BETA1),
                          REST(FC_HYPER_BETA1), HYPER(FC_HYPER_BETA2), REST(FC_HYPER_BETA2)};
    float *w = a->w + FROM, *m = a->m + FROM;
    const float *g = a->g + FROM;
#define STEP(i, n) lion_step(w + (i), g + (i), m + (i), n, &h)
    FC_FOR_LANES(COUNT, STEP);
#undef STEP
}
