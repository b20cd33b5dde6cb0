/* Losses of boxes, a row each, and their gradients. */
#include "box_distance.h"

#define TILE 256

FC_TILES(box_loss) { return (a->rows + TILE - 1) / TILE; }
FC_NO_SCRATCH(box_loss)
FC_RUN(box_loss) {
    (void)scratch;
    for (int64_t r = begin * TILE; r < fc_min(end * TILE, a->rows); r++) {
        double p[4], t[4];
        for (int i = 0; i < 4; i++) p[i] = (double)a->p[4 * r + i], t[i] = (double)a->t[4 * r + i];
        const double weight = a->weight ? (double)a->weight[r] : 1.0;
        const box_distance f = box_distance_of(a->kind, p, t);
        a->losses[r] = (float)(weight * f.loss);
        for (int i = 0; a->dp && i < 4; i++) a->dp[4 * r + i] = (float)(a->scale * weight * f.slope[i]);
    }
}
