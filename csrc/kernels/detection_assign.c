/* Which object each place of a detector is to find, an image a tile. An object has some hundreds of
 * candidates at most, so that plain numbers, in double, do; what goes through all places, looking for them,
 * is vectors. */
#include "box_distance.h"
#include "detection.h"
#include "vec_math.h"

/* What one image needs. By place: the strength with which its object has taken it, t's logarithm and u there.
 * Of an object's candidates: their places, u, and what to order them by, the least first. */
typedef struct {
    place_list places;
    const float *raw;
    int64_t width; /* of a row of raw */
    double *strength, *log_t, *u, *entropy;
    double *overlap, *key;
    int32_t *candidates, *best;
    double *peak_t, *peak_u; /* by object */
} image_work;

enum { BY_PLACE = 6 }; /* doubles; and two int32 */

static image_work work_of(const fc_detection_assign_args *a, int64_t image, void *scratch) {
    image_work w;
    double *room = (double *)scratch;
    w.places = places_of(a->places, a->p);
    w.width = 4 + a->c;
    w.raw = a->raw + image * a->p * w.width;
    w.strength = room, w.log_t = room + a->p, w.u = room + 2 * a->p, w.entropy = room + 3 * a->p;
    w.overlap = room + 4 * a->p, w.key = room + 5 * a->p;
    w.peak_t = room + BY_PLACE * a->p, w.peak_u = w.peak_t + a->m;
    w.candidates = (int32_t *)(w.peak_u + a->m), w.best = w.candidates + a->p;
    return w;
}

/* The places within a box, in order: their number. */
static int64_t places_within(const place_list *places, const float *box, int32_t *found) {
    const vf left = vf_set1(box[0]), top = vf_set1(box[1]), right = vf_set1(box[2]), bottom = vf_set1(box[3]);
    int64_t count = 0;
    for (int64_t i = 0; i < places->count; i += VL) {
        const int64_t n = places->count - i;
        const vf x = vf_load_tail(places->x + i, n), y = vf_load_tail(places->y + i, n);
        if (!vm_any(vm_and(vm_and(vm_lt(left, x), vm_lt(x, right)), vm_and(vm_lt(top, y), vm_lt(y, bottom)))))
            continue;
        for (int64_t j = i; j < i + fc_min(n, VL); j++) {
            const float px = places->x[j], py = places->y[j];
            if (px > box[0] && px < box[2] && py > box[1] && py < box[3]) found[count++] = (int32_t)j;
        }
    }
    return count;
}

static int64_t nearest_place(const place_list *places, const double *box) {
    const double x = 0.5 * (box[0] + box[2]), y = 0.5 * (box[1] + box[3]);
    double least = (double)INFINITY;
    int64_t found = 0;
    for (int64_t i = 0; i < places->count; i++) {
        const double dx = (double)places->x[i] - x, dy = (double)places->y[i] - y, far = dx * dx + dy * dy;
        if (far < least) least = far, found = i;
    }
    return found;
}

/* The share that a box has of the least box around it and a place: the best IoU that is possible there, since
 * what a place predicts lies around it. */
static double reachable(const place_list *places, int64_t i, const double *box) {
    const double x = (double)places->x[i], y = (double)places->y[i];
    const double width = (x > box[2] ? x : box[2]) - (x < box[0] ? x : box[0]);
    const double height = (y > box[3] ? y : box[3]) - (y < box[1] ? y : box[1]);
    return (box[2] - box[0]) * (box[3] - box[1]) / (width * height);
}

/* The numbers of the k least keys, the first of equals, in order. */
static void least_keys(const double *key, int64_t count, int64_t k, int32_t *best) {
    int64_t have = 0;
    for (int64_t i = 0; i < count; i++) {
        if (have == k && !(key[i] < key[best[k - 1]])) continue;
        int64_t at = have < k ? have++ : k - 1;
        for (; at > 0 && key[i] < key[best[at - 1]]; at--) best[at] = best[at - 1];
        best[at] = (int32_t)i;
    }
}

/* The sum of B(0) over the classes, for each place. */
static void entropies(const image_work *w, int64_t classes) {
    for (int64_t i = 0; i < w->places.count; i++) {
        const float *logits = w->raw + i * w->width + 4;
        vf sum = vf_zero();
        for (int64_t j = 0; j < classes; j += VL)
            sum = vf_add(sum, vf_keep(vf_softplus(vf_load_tail(logits + j, classes - j)), classes - j));
        w->entropy[i] = (double)vf_sum(sum);
    }
}

/* -log t with u the overlap at this place. */
static double misaligned(const fc_detection_assign_args *a, double z, double u) {
    const double log_p = (z < 0.0 ? z : 0.0) - log1p(exp(-fabs(z)));
    return -(a->alpha * log_p + a->beta * log(u));
}

static double cost_of(const fc_detection_assign_args *a, const image_work *w, int64_t place, double z,
                      double u, const double *box) {
    const double reach = a->beta * (double)w->places.stride[place];
    const double dx = fabs((double)w->places.x[place] - 0.5 * (box[0] + box[2]));
    const double dy = fabs((double)w->places.y[place] - 0.5 * (box[1] + box[3]));
    return w->entropy[place] - z - a->alpha * log(u + 1e-8) + (dx < reach && dy < reach ? 0.0 : 1e5);
}

/* u and keys of an object's candidates; how many of them it takes. */
static int64_t rate(const fc_detection_assign_args *a, const image_work *w, int64_t count, const double *box,
                    int64_t label) {
    double predicted[4], sum = 0.0;
    for (int64_t i = 0; i < count; i++) {
        const int64_t place = w->candidates[i];
        const float *raw = w->raw + place * w->width;
        predicted_box(&w->places, place, raw, predicted);
        const double u = box_iou(predicted, box), z = (double)raw[4 + label];
        w->overlap[i] = u > 0.0 ? u : 0.0;
        w->key[i] = a->method == FC_SIMOTA ? -w->overlap[i] : misaligned(a, z, w->overlap[i]);
        if (!(w->key[i] == w->key[i])) w->key[i] = (double)INFINITY;
    }
    const int64_t most = fc_min(a->top, count);
    if (a->method != FC_SIMOTA) return most;
    least_keys(w->key, count, most, w->best);
    for (int64_t i = 0; i < most; i++) sum += w->overlap[w->best[i]];
    for (int64_t i = 0; i < count; i++) {
        const int64_t place = w->candidates[i];
        const double z = (double)w->raw[place * w->width + 4 + label];
        w->key[i] = cost_of(a, w, place, z, w->overlap[i], box);
        if (!(w->key[i] == w->key[i])) w->key[i] = (double)INFINITY;
    }
    return fc_max(1, (int64_t)sum);
}

/* An object takes its places, from others where it is the stronger one. */
static void claim(const fc_detection_assign_args *a, const image_work *w, int64_t object, const double *box,
                  int64_t label, const float *corners, int32_t *assigned, float *scores) {
    const int64_t count = places_within(&w->places, corners, w->candidates);
    if (count == 0 && a->p > 0) {
        const int64_t place = nearest_place(&w->places, box);
        if (assigned[place] >= 0 && w->strength[place] == (double)INFINITY) return;
        assigned[place] = (int32_t)object;
        scores[place] = (float)reachable(&w->places, place, box);
        w->strength[place] = (double)INFINITY;
        return;
    }
    const int64_t takes = fc_min(count, rate(a, w, count, box, label));
    least_keys(w->key, count, takes, w->best);
    for (int64_t i = 0; i < takes; i++) {
        const int64_t from = w->best[i], place = w->candidates[from];
        const double strength = a->method == FC_SIMOTA ? -w->key[from] : w->overlap[from];
        if (assigned[place] >= 0 && !(strength > w->strength[place])) continue;
        assigned[place] = (int32_t)object;
        w->strength[place] = strength;
        w->log_t[place] = -w->key[from], w->u[place] = w->overlap[from];
    }
}

/* Scores of the places that objects have in the end. */
static void score(const fc_detection_assign_args *a, const image_work *w, const int32_t *assigned,
                  float *scores) {
    for (int64_t j = 0; j < a->m; j++) w->peak_t[j] = -(double)INFINITY, w->peak_u[j] = 0.0;
    for (int64_t i = 0; i < a->p; i++) {
        const int32_t object = assigned[i];
        if (object < 0 || w->strength[i] == (double)INFINITY) continue;
        if (w->log_t[i] > w->peak_t[object]) w->peak_t[object] = w->log_t[i];
        if (w->u[i] > w->peak_u[object]) w->peak_u[object] = w->u[i];
    }
    for (int64_t i = 0; i < a->p; i++) {
        const int32_t object = assigned[i];
        if (object < 0 || w->strength[i] == (double)INFINITY) continue;
        const double peak = w->peak_t[object];
        const double share = peak == -(double)INFINITY ? 1.0 : exp(w->log_t[i] - peak);
        scores[i] = (float)(a->method == FC_SIMOTA ? w->u[i] : share * w->peak_u[object]);
    }
}

FC_TILES(detection_assign) { return a->n; }
FC_SCRATCH(detection_assign) {
    return (size_t)(BY_PLACE * a->p + 2 * a->m) * sizeof(double) + (size_t)(2 * a->p) * sizeof(int32_t);
}
FC_RUN(detection_assign) {
    for (int64_t image = begin; image < end; image++) {
        const image_work w = work_of(a, image, scratch);
        int32_t *assigned = a->assigned + image * a->p;
        float *scores = a->scores + image * a->p;
        for (int64_t i = 0; i < a->p; i++) assigned[i] = -1, scores[i] = 0.0f;
        if (a->method == FC_SIMOTA) entropies(&w, a->c);
        for (int64_t j = 0; j < a->m; j++) {
            const float *row = a->targets + (image * a->m + j) * 5;
            double box[4];
            int64_t label;
            if (object_of(row, a->c, box, &label)) claim(a, &w, j, box, label, row + 1, assigned, scores);
        }
        score(a, &w, assigned, scores);
        double total = 0.0;
        for (int64_t i = 0; i < a->p; i++) total += (double)scores[i];
        a->totals[image] = (float)total;
    }
}
