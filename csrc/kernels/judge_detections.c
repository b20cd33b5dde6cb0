/* Detections judged as COCO judges them (Lin et al., "Microsoft COCO: Common objects in context", ECCV 2014,
 * and its evaluation server's rules): which of them find an object, and the precision that is kept up to each
 * recall. In double precision throughout, with the same roundings on every machine, since a box may sit right
 * on a threshold: products stand in statements of their own, so that no compiler contracts them. */
#include "kernel.h"
#include <string.h>

/* ---- match_detections ---- */

/* An image's boxes of one class are a group; mostly there are a handful. */
#define GROUPS 16

/* An object that a detection could be meant for. */
typedef struct {
    double share;
    int64_t truth; /* counted within the group */
} candidate;

/* A group's objects, and where to note what is found of them. */
typedef struct {
    const double *boxes, *areas;
    const uint8_t *crowd;
    int64_t count, first;
    candidate *near;
    uint8_t *ignored; /* [ranges][count] */
    uint8_t *taken;   /* [ranges][thresholds][count] */
} objects;

FC_INLINE double lesser(double a, double b) { return a < b ? a : b; }
FC_INLINE double greater(double a, double b) { return a > b ? a : b; }

/* A threshold as it is applied: boxes that are equal pass one of 1 in spite of rounding. */
FC_INLINE double bar(double threshold) { return lesser(threshold, 1.0 - 1e-10); }

/* Intersection over union of two boxes (x, y, width, height); of a crowd, over the detection's area. */
FC_INLINE double overlap(const double *found, const double *object, int crowd) {
    const double w = lesser(found[0] + found[2], object[0] + object[2]) - greater(found[0], object[0]);
    const double h = lesser(found[1] + found[3], object[1] + object[3]) - greater(found[1], object[1]);
    if (w <= 0.0 || h <= 0.0) return 0.0;
    const double both = w * h, mine = found[2] * found[3], other = object[2] * object[3];
    if (crowd) return both / mine;
    const double sum = mine + other;
    return both / (sum - both);
}

FC_INLINE int outside(double area, const double *range) { return area < range[0] || area > range[1]; }

/* The objects that reach the lowest threshold: one or two of many, so that what follows is short. */
FC_INLINE int64_t list_near(const objects *o, const double *found, double lowest) {
    int64_t count = 0;
    for (int64_t i = 0; i < o->count; i++) {
        const double share = overlap(found, o->boxes + 4 * i, o->crowd[i]);
        if (share >= lowest) o->near[count++] = (candidate){share, i};
    }
    return count;
}

/* The object with the largest overlap, of equal ones the last: one that counts if any is free, else one to
 * ignore. -1: none. A crowd is never used up. */
FC_INLINE int64_t choose(const objects *o, int64_t near, double limit, const uint8_t *ignored,
                         const uint8_t *taken) {
    double best = limit, spare_best = limit;
    int64_t chosen = -1, spare = -1;
    for (int64_t i = 0; i < near; i++) {
        const candidate c = o->near[i];
        if (taken[c.truth] && !o->crowd[c.truth]) continue;
        if (ignored[c.truth]) {
            if (c.share >= spare_best) spare_best = c.share, spare = c.truth;
        } else if (c.share >= best) {
            best = c.share, chosen = c.truth;
        }
    }
    return chosen >= 0 ? chosen : spare;
}

/* One detection at every range of areas and every threshold. */
static void judge(const fc_match_detections_args *a, const objects *o, int64_t d, double lowest) {
    const double *found = a->boxes + 4 * d, area = found[2] * found[3];
    const int64_t near = list_near(o, found, lowest);
    for (int64_t r = 0; r < a->n_ranges; r++) {
        const uint8_t *ignored = o->ignored + r * o->count;
        const int beyond = outside(area, a->ranges + 2 * r);
        for (int64_t t = 0; t < a->n_thresholds; t++) {
            const int64_t at = r * a->n_thresholds + t, place = d * a->n_ranges * a->n_thresholds + at;
            uint8_t *taken = o->taken + at * o->count;
            const int64_t chosen = near ? choose(o, near, bar(a->thresholds[t]), ignored, taken) : -1;
            if (chosen >= 0) taken[chosen] = 1;
            const int skip = chosen >= 0 ? ignored[chosen] : beyond;
            a->states[place] = skip ? FC_IGNORED : chosen >= 0 ? FC_FOUND : FC_WRONG;
            if (a->matched) a->matched[place] = chosen < 0 ? -1 : o->first + chosen;
        }
    }
}

FC_TILES(match_detections) { return (a->groups + GROUPS - 1) / GROUPS; }
FC_SCRATCH(match_detections) {
    return (size_t)a->most_truths * (sizeof(candidate) + (size_t)(a->n_ranges * (1 + a->n_thresholds)));
}
FC_RUN(match_detections) {
    double lowest = 1.0;
    for (int64_t t = 0; t < a->n_thresholds; t++) lowest = lesser(lowest, bar(a->thresholds[t]));
    objects o = {0};
    o.near = scratch;
    o.ignored = (uint8_t *)(o.near + a->most_truths);
    o.taken = o.ignored + a->n_ranges * a->most_truths;
    for (int64_t g = begin * GROUPS; g < fc_min(end * GROUPS, a->groups); g++) {
        o.first = a->truth_starts[g], o.count = a->truth_starts[g + 1] - o.first;
        o.boxes = a->truths + 4 * o.first, o.areas = a->areas + o.first, o.crowd = a->crowd + o.first;
        if (o.count) memset(o.taken, 0, (size_t)(a->n_ranges * a->n_thresholds * o.count));
        for (int64_t r = 0; r < a->n_ranges; r++)
            for (int64_t i = 0; i < o.count; i++)
                o.ignored[r * o.count + i] = o.crowd[i] || outside(o.areas[i], a->ranges + 2 * r);
        for (int64_t d = a->starts[g]; d < a->starts[g + 1]; d++) judge(a, &o, d, lowest);
    }
}

/* ---- precision_at_recall ---- */

/* What is counted at one threshold while detections are gone through from the surest on. */
typedef struct {
    int64_t found, wrong;
    double *precision; /* at each object found */
    int64_t *within;   /* objects found by the surest so many of each image */
} counts;

FC_INLINE void count(counts *c, uint8_t state, int64_t rank, const int64_t *limits, int64_t n_limits) {
    c->wrong += state == FC_WRONG;
    if (state != FC_FOUND) return;
    c->found++;
    c->precision[c->found - 1] = (double)c->found / (double)(c->found + c->wrong);
    for (int64_t m = 0; m < n_limits; m++) c->within[m] += rank < limits[m];
}

/* At each recall the highest precision that is had from there on. It only rises where an object is found, so
 * these places are enough. */
static void precision_curve(counts *c, int64_t positives, const double *recalls, int64_t n, double *y) {
    for (int64_t i = c->found - 1; i > 0; i--)
        c->precision[i - 1] = greater(c->precision[i - 1], c->precision[i]);
    int64_t i = 0;
    for (int64_t r = 0; r < n; r++) {
        while (i < c->found && (double)(i + 1) / (double)positives < recalls[r]) i++;
        y[r] = i < c->found ? c->precision[i] : 0.0;
    }
}

FC_TILES(precision_at_recall) { return a->classes * a->n_ranges; }
FC_SCRATCH(precision_at_recall) {
    return (size_t)a->n_thresholds * (sizeof(counts) + 8 * (size_t)(a->most_positives + a->n_limits));
}
FC_RUN(precision_at_recall) {
    counts *lanes = scratch;
    double *precisions = (double *)(lanes + a->n_thresholds);
    int64_t *within = (int64_t *)(precisions + a->n_thresholds * a->most_positives);
    for (int64_t tile = begin; tile < end; tile++) {
        const int64_t c = tile / a->n_ranges, r = tile % a->n_ranges, positives = a->positives[tile];
        double *precision = a->precision + tile * a->n_thresholds * a->n_recalls;
        double *recall = a->recall + tile * a->n_thresholds * a->n_limits;
        for (int64_t t = 0; t < a->n_thresholds; t++)
            lanes[t] = (counts){0, 0, precisions + t * a->most_positives, within + t * a->n_limits};
        memset(within, 0, (size_t)(a->n_thresholds * a->n_limits) * sizeof *within);
        for (int64_t d = positives ? a->starts[c] : a->starts[c + 1]; d < a->starts[c + 1]; d++) {
            const uint8_t *states = a->states + (a->order[d] * a->n_ranges + r) * a->n_thresholds;
            for (int64_t t = 0; t < a->n_thresholds; t++)
                count(lanes + t, states[t], a->ranks[a->order[d]], a->limits, a->n_limits);
        }
        for (int64_t t = 0; t < a->n_thresholds; t++) {
            precision_curve(lanes + t, positives, a->recalls, a->n_recalls, precision + t * a->n_recalls);
            for (int64_t m = 0; m < a->n_limits; m++)
                recall[t * a->n_limits + m] =
                    positives ? (double)lanes[t].within[m] / (double)positives : 0.0;
        }
    }
}
