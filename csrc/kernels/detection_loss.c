/* The loss of a detector's output and its gradient, in one pass over it, an image a tile. */
#include "box_distance.h"
#include "detection.h"
#include "vec_math.h"

typedef struct {
    vf loss, slope;
} class_term;

/* B(0) and the probabilities of 1 and of 0, from one exponential, which never overflows. */
typedef struct {
    vf entropy, p, n;
} class_chance;

FC_INLINE class_chance chance_of(vf z) {
    const vf one = vf_set1(1.0f), e = vf_exp(vf_neg(vf_abs(z))), high = vf_div(one, vf_add(one, e));
    const vf low = vf_mul(e, high);
    const vm minus = vm_lt(z, vf_zero());
    const class_chance found = {vf_add(vf_max(vf_zero(), z), vf_log1p_unit(e)), vf_blend(minus, low, high),
                                vf_blend(minus, high, low)};
    return found;
}

/* p^gamma B(0) and its derivative in z: dp / dz = p n. */
FC_INLINE class_term focal_term(class_chance c, vf gamma) {
    const vf power = vf_pow(c.p, gamma), turn = vf_mul(vf_mul(gamma, c.n), c.entropy);
    const class_term found = {vf_mul(power, c.entropy), vf_mul(power, vf_add(c.p, turn))};
    return found;
}

/* Of classes with logits z and targets t; own: the lane of the place's object. kind is a constant wherever
 * this is inlined. */
FC_INLINE class_term class_term_of(int64_t kind, vf z, vf t, vm own, vf gamma, float alpha) {
    if (kind == FC_FOCAL) { /* with 1 for 0 and -z for z, the loss of an object is that of none */
        const vf weight = vf_blend(own, vf_set1(alpha), vf_set1(1.0f - alpha));
        const class_term f = focal_term(chance_of(vf_blend(own, vf_neg(z), z)), gamma);
        const vf slope = vf_mul(weight, f.slope);
        const class_term found = {vf_mul(weight, f.loss), vf_blend(own, vf_neg(slope), slope)};
        return found;
    }
    const class_chance c = chance_of(z);
    const class_term entropy = {vf_sub(c.entropy, vf_mul(z, t)), vf_sub(c.p, t)};
    if (kind == FC_QUALITY_FOCAL) {
        /* d = p - t: the derivative of |d|^gamma is gamma |d|^gamma / d dp / dz. */
        const vf d = entropy.slope, power = vf_pow(vf_abs(d), gamma);
        const vf turn = vf_blend(vm_eq(d, vf_zero()), vf_zero(), vf_div(vf_mul(gamma, power), d));
        const vf slope = vf_fma(vf_mul(turn, vf_mul(c.p, c.n)), entropy.loss, vf_mul(power, d));
        const class_term found = {vf_mul(power, entropy.loss), slope};
        return found;
    }
    if (kind == FC_VARIFOCAL) {
        const class_term f = focal_term(c, gamma);
        const vf weight = vf_set1(alpha);
        const class_term found = {vf_blend(own, vf_mul(t, entropy.loss), vf_mul(weight, f.loss)),
                                  vf_blend(own, vf_mul(t, entropy.slope), vf_mul(weight, f.slope))};
        return found;
    }
    return entropy;
}

/* The classes of one place, whose object has the class `label` (-1: no object) and the score t; d: scale x
 * the gradient, or NULL. The losses' sums, in lanes. */
FC_INLINE vf class_row(int64_t kind, const fc_detection_loss_args *a, const float *z, int64_t label, float t,
                       float scale, float *d) {
    const vf gamma = vf_set1((float)a->gamma), factor = vf_set1(scale);
    vf sum = vf_zero();
    for (int64_t i = 0; i < a->c; i += VL) {
        const int64_t n = a->c - i;
        const int here = label >= i && label < i + VL;
        const vm own = vi_eq(vi_iota(), vi_set1(here ? (int32_t)(label - i) : -1));
        const class_term f = class_term_of(kind, vf_load_tail(z + i, n), vf_blend(own, vf_set1(t), vf_zero()),
                                           own, gamma, (float)a->alpha);
        sum = vf_add(sum, vf_keep(f.loss, n));
        if (d) vf_store_tail(d + i, vf_mul(f.slope, factor), n);
    }
    return sum;
}

/* The sum over the classes of all places; sums are joined in double every few vectors. */
FC_INLINE double class_sum(int64_t kind, const fc_detection_loss_args *a, int64_t image, float scale) {
    const int64_t width = 4 + a->c, rows = fc_max(1, 64 * VL / fc_max(VL, a->c));
    double total = 0.0;
    for (int64_t from = 0; from < a->p; from += rows) {
        vf sum = vf_zero();
        for (int64_t i = from; i < fc_min(from + rows, a->p); i++) {
            const int64_t at = image * a->p + i;
            const int32_t object = a->assigned[at];
            const int64_t label = object < 0 ? -1 : (int64_t)a->targets[(image * a->m + object) * 5];
            sum = vf_add(sum, class_row(kind, a, a->raw + at * width + 4, label, a->scores[at], scale,
                                        a->draw ? a->draw + at * width + 4 : NULL));
        }
        total += (double)vf_sum(sum);
    }
    return total;
}

static double all_classes(const fc_detection_loss_args *a, int64_t image, float scale) {
    switch (a->class_loss) {
    case FC_QUALITY_FOCAL:
        return class_sum(FC_QUALITY_FOCAL, a, image, scale);
    case FC_VARIFOCAL:
        return class_sum(FC_VARIFOCAL, a, image, scale);
    case FC_FOCAL:
        return class_sum(FC_FOCAL, a, image, scale);
    default:
        return class_sum(FC_BCE, a, image, scale);
    }
}

/* The sum over places with an object; the gradient goes from corners to distances, which reach left and up
 * from the place, right and down. */
static double all_boxes(const fc_detection_loss_args *a, int64_t image, double scale) {
    const place_list places = places_of(a->places, a->p);
    double total = 0.0;
    for (int64_t i = 0; i < a->p; i++) {
        const int64_t at = image * a->p + i, width = 4 + a->c;
        float *d = a->draw ? a->draw + at * width : NULL;
        for (int k = 0; d && k < 4; k++) d[k] = 0.0f;
        if (a->assigned[at] < 0) continue;
        const float *wanted = a->targets + (image * a->m + a->assigned[at]) * 5 + 1;
        double p[4], t[4];
        for (int k = 0; k < 4; k++) t[k] = (double)wanted[k];
        predicted_box(&places, i, a->raw + at * width, p);
        const box_distance f = box_distance_of(a->box_loss, p, t);
        const double score = (double)a->scores[at], stride = (double)places.stride[i];
        total += score * f.loss;
        for (int k = 0; d && k < 4; k++)
            d[k] = (float)((k < 2 ? -scale : scale) * score * stride * f.slope[k]);
    }
    return total;
}

FC_TILES(detection_loss) { return a->n; }
FC_NO_SCRATCH(detection_loss)
FC_RUN(detection_loss) {
    (void)scratch;
    double divisor = 0.0;
    for (int64_t i = 0; i < a->n; i++) divisor += (double)a->totals[i];
    if (!a->normalize || divisor < 1.0) divisor = 1.0;
    for (int64_t i = begin; i < end; i++) {
        const double s = (a->weight ? (double)a->weight[i] : 1.0) / divisor;
        const double classes = s * a->class_weight, boxes = s * a->box_weight;
        const double class_part = classes * all_classes(a, i, (float)(a->scale * classes));
        const double box_part = boxes * all_boxes(a, i, a->scale * boxes);
        a->parts[2 * i] = (float)class_part;
        a->parts[2 * i + 1] = (float)box_part;
        a->losses[i] = (float)(class_part + box_part);
    }
}
