/* What the kernels of batch normalization's backward pass share: the gradient behind the activation, and one
 * loop for each activation. */
#ifndef FC_BATCH_NORM_BACKWARD_H
#define FC_BATCH_NORM_BACKWARD_H
#include "batch_norm.h"

/* dy behind the activation: y where the result is kept, else what the activation was applied to, from x.
 * `act` and whether there is a y are constants. */
FC_INLINE vf before_activation(int64_t act, vf dy, vf x, const float *y, const float *scale,
                               const float *shift, int64_t n, vf alpha) {
    if (act == FC_LINEAR) return dy;
    if (y) return vf_unary_gradient(act, dy, vf_load_tail(y, n), alpha, vf_zero());
    return vf_unary_gradient(act, dy, vf_fma(x, vf_load_tail(scale, n), vf_load_tail(shift, n)), alpha,
                             vf_zero());
}

/* One loop for each activation, with the result given and without: VARIANT(name, act, y), then the one among
 * their names that a kernel's arguments ask for. */
#define EACH_VARIANT(VARIANT)                                                                                \
    VARIANT(linear, FC_LINEAR, NULL)                                                                         \
    VARIANT(relu_x, FC_RELU, NULL)                                                                           \
    VARIANT(leaky_x, FC_LEAKY_RELU, NULL)                                                                    \
    VARIANT(relu6_x, FC_RELU6, NULL)                                                                         \
    VARIANT(relu_y, FC_RELU, b->y)                                                                           \
    VARIANT(leaky_y, FC_LEAKY_RELU, b->y)                                                                    \
    VARIANT(relu6_y, FC_RELU6, b->y)
#define FIND_VARIANT(prefix, act, y)                                                                         \
    ((act) == FC_LINEAR       ? prefix##linear                                                               \
     : (act) == FC_RELU       ? ((y) ? prefix##relu_y : prefix##relu_x)                                      \
     : (act) == FC_LEAKY_RELU ? ((y) ? prefix##leaky_y : prefix##leaky_x)                                    \
                              : ((y) ? prefix##relu6_y : prefix##relu6_x))

/* From a channel's sums (of dz, and of dz (x - mean)) to dgamma and dbeta, where asked for, and to dx = scale
 * dz + slope x + offset. In double: there are thousands of channels at most, and this rounding would reach
 * every element. */
FC_INLINE void fc_norm_slope(double sum, double dot, int64_t rows, double epsilon, double mean,
                             double variance, double scale, float *dgamma, float *dbeta, float *slope,
                             float *offset) {
    const double inverse = 1.0 / (double)fc_max(1, rows), rstd = 1.0 / sqrt(variance + epsilon);
    const double s = -scale * rstd * rstd * dot * inverse;
    *slope = (float)s;
    *offset = (float)(-scale * sum * inverse - s * mean);
    if (dgamma) *dgamma = (float)(dot * rstd);
    if (dbeta) *dbeta = (float)sum;
}

#endif
