/* fastcnn: the contract of every kernel.
 *
 * A kernel is a name, a struct of arguments (kernels.def) and three functions:
 *   tiles(args)    into how many independent pieces the work splits. It depends on the shapes alone,
 *                  never on the number of threads, so that results are the same bits for any of them.
 *   scratch(args)  how many bytes of scratch memory one worker needs (64-byte aligned, not cleared).
 *   run(args, begin, end, scratch)  does pieces begin..end on the calling thread.
 * A worker may call run several times for one piece of work. Before the first its scratch begins with eight
 * zero bytes, and from one to the next it is left alone: a kernel may note there what it keeps in the rest.
 *
 * C code here is single-threaded, allocates nothing, does no I/O, keeps no state but the dispatch table,
 * and touches no memory but what the arguments' extents name and its scratch. Who calls validates.
 *
 * Layout: activations NHWC, weights HWIO (kh, kw, cin / groups, cout), float32, dense, the last axis
 * fastest. Tensor pointers are aligned to 4 bytes only unless a field says otherwise; memory from a plan's
 * arena is 64-byte aligned. Outputs never overlap inputs unless the kernel's comment allows "in place".
 * NaN passes through every kernel, in every lane. The floating-point environment is left as it was found.
 */
#ifndef FASTCNN_H
#define FASTCNN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Instruction sets, weakest first within an architecture. */
typedef enum { FC_PORTABLE, FC_AVX2, FC_AVX512, FC_NEON, FC_ISA_COUNT } fc_isa;

/* Element-wise functions of one argument (unary_* and the epilogue of convolutions), some of which have one
 * or two numbers more, alpha and beta. FC_RELU6 and those before it are applied in registers wherever they
 * are fused into another kernel, and gradients go back through them there. Where a formula has no value at an
 * infinity (0 times infinity), the function has its limit there. From FC_ELU on they take an exponential or
 * more. */
typedef enum {
    FC_LINEAR,     /* x */
    FC_RELU,       /* max(x, 0) */
    FC_LEAKY_RELU, /* x < 0 ? alpha x : x */
    FC_RELU6,      /* min(max(x, 0), 6) */
    FC_SIGMOID,    /* 1 / (1 + exp(-x)) */
    FC_TANH,
    FC_EXP,
    FC_LOG,
    FC_SQRT,
    FC_SQUARE,
    FC_ABS,
    FC_NEGATIVE,
    FC_CLIP,         /* min(max(x, alpha), beta) */
    FC_THRESHOLD,    /* x > alpha ? x : beta */
    FC_SHRINK,       /* x > alpha ? x - beta : x < -alpha ? x + beta : 0; alpha >= 0 */
    FC_HARD_SIGMOID, /* min(max(alpha x + beta, 0), 1) */
    FC_HARD_SILU,    /* x min(max(x + 3, 0), 6) / 6 */
    FC_SOFTSIGN,     /* x / (1 + |x|) */
    FC_RECIPROCAL,   /* 1 / x */
    FC_FLOOR,
    FC_CEIL,
    FC_ROUND,     /* to the nearest whole number, halves to the even one */
    FC_SIGN,      /* -1, 0 or 1 */
    FC_ELU,       /* x > 0 ? x : alpha (exp(beta x) - 1); beta > 0 */
    FC_SELU,      /* beta (x > 0 ? x : alpha (exp(x) - 1)) */
    FC_SOFTPLUS,  /* log(1 + exp(x)) */
    FC_SILU,      /* x / (1 + exp(-alpha x)); alpha > 0 */
    FC_GELU,      /* x (1 + erf(x / sqrt(2))) / 2 */
    FC_GELU_TANH, /* x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2 */
    FC_MISH,      /* x tanh(log(1 + exp(x))) */
    FC_ERF,       /* 2 / sqrt(pi) times the integral of exp(-t^2) over t = 0 .. x */
    FC_POWER,     /* x^alpha; NaN for x < 0 unless alpha is whole */
    FC_UNARY_COUNT
} fc_unary;

/* Element-wise functions of two arguments. */
typedef enum {
    FC_ADD,
    FC_SUBTRACT,
    FC_MULTIPLY,
    FC_DIVIDE,
    FC_MAXIMUM,
    FC_MINIMUM,
    FC_PRELU,       /* p < 0 ? p q : p */
    FC_PRELU_SLOPE, /* p <= 0 ? q : 1, the derivative of the former in p */
    FC_BINARY_COUNT
} fc_binary;

/* Losses that compare a prediction p with a target t element by element (pointwise_loss). */
typedef enum {
    FC_SQUARED_ERROR,              /* (p - t)^2 */
    FC_ABSOLUTE_ERROR,             /* |p - t|, gradient 0 at 0 */
    FC_BINARY_CROSSENTROPY,        /* -(t log p + (1 - t) log(1 - p)), p clipped to [1e-7, 1 - 1e-7]; where it
                                    * is clipped, the gradient is 0 */
    FC_BINARY_CROSSENTROPY_LOGITS, /* max(p, 0) - p t + log(1 + exp(-|p|)) */
    FC_CATEGORICAL_CROSSENTROPY,   /* -t log p, p clipped likewise */
    FC_LOSS_COUNT
} fc_loss;

/* What is made of the overlap of two boxes (box_iou; box_loss, detection_loss: losses are
 * 1 - it). */
typedef enum {
    FC_IOU,  /* intersection over union */
    FC_GIOU, /* IoU - the share of the least box around both that neither covers */
    FC_DIOU, /* IoU - (distance of the centres / diagonal of the least box around both)^2 */
    FC_CIOU, /* DIoU - v^2 / (1 - IoU + v), v = 4 / pi^2 (difference of the angles atan(width / height))^2 */
    FC_OVERLAP_COUNT
} fc_overlap;

/* How places are given to objects (detection_assign). */
typedef enum { FC_TASK_ALIGNED, FC_SIMOTA, FC_ASSIGNMENT_COUNT } fc_assignment;

/* Losses of a class's logit z with p = 1 / (1 + exp(-z)), at a place whose object is of that class with the
 * score t, elsewhere t = 0; B(t) = max(z, 0) - z t + log(1 + exp(-|z|)). */
typedef enum {
    FC_BCE,           /* B(t) */
    FC_QUALITY_FOCAL, /* |t - p|^gamma B(t) */
    FC_VARIFOCAL,     /* t B(t), without an object alpha p^gamma B(0) */
    FC_FOCAL,         /* alpha (1 - p)^gamma B(1), without an object (1 - alpha) p^gamma B(0) */
    FC_CLASS_LOSS_COUNT
} fc_class_loss;

/* How a reduction joins elements. */
typedef enum { FC_REDUCE_SUM, FC_REDUCE_MEAN, FC_REDUCE_MAX, FC_REDUCE_COUNT } fc_reduce;

/* Optimizers' hyperparameters travel in a small array of doubles (kernels' `hyper`), so that a running plan
 * follows a schedule without being built again. Unused places are ignored. */
enum {
    FC_HYPER_LR,       /* learning rate; Adam: lr sqrt(1 - beta2^t) / (1 - beta1^t), as in Keras */
    FC_HYPER_DECAY,    /* decoupled weight decay: w -= FC_HYPER_DECAY * w first (lr x decay) */
    FC_HYPER_MOMENTUM, /* SGD, RMSprop */
    FC_HYPER_BETA1,    /* Adam, Lion: decay of the first moment; RMSprop, Adadelta: rho */
    FC_HYPER_BETA2,    /* Adam, Lion: decay of the second moment */
    FC_HYPER_EPSILON,  /* as given: not scaled by a bias correction */
    FC_HYPER_COUNT
};

/* ---- augmentation (kernels/augment*.c): a list of steps, that each image of a batch goes its own way ----
 */

/* Kinds of steps. v0, v1, ... are what an image draws for it, f0, f1, ... the same for all. Shares are of the
 * image's height or width, or of the range of its values. */
typedef enum {
    /* Geometric (augment_geometry) */
    FC_AUG_FLIP_COLUMNS, /* left becomes right */
    FC_AUG_FLIP_ROWS,    /* above becomes below */
    FC_AUG_ROTATE,       /* counterclockwise about the centre by v0 radians */
    FC_AUG_TRANSLATE,    /* down by the share v0, right by the share v1 */
    FC_AUG_ZOOM,         /* height and width of what is seen, about the centre, times v0 and v1 */
    FC_AUG_SHEAR,        /* about the centre: columns move by v0 a row, rows by v1 a column */
    FC_AUG_PERSPECTIVE,  /* the corners, clockwise from the upper left, show what lies inwards of them by the
                          * shares  v0, v1 (down, along) .. v6, v7 */
    FC_AUG_CROP,         /* what is seen begins at row v0 and column v1 */
    FC_AUG_RESIZED_CROP, /* a part, with the share v0 of the area and log(width / height) v1, within the
                          * image: shares v2, v3 of the room that it has lie above it and left of it */
    /* Linear in a pixel's channels (augment_colors) */
    FC_AUG_SHIFT,    /* x + the share v0 of the range */
    FC_AUG_SCALE,    /* x v0 */
    FC_AUG_CONTRAST, /* mean + (x - mean) v0; f0: the mean is 0 each channel's, 1 that of the gray image */
    FC_AUG_COLOR,    /* gray + (x - gray) v0 */
    FC_AUG_INVERT,   /* low + high - x */
    FC_AUG_STRETCH,  /* each channel from its least and greatest value to the whole range */
    /* Of one pixel (augment_points) */
    FC_AUG_HSV,       /* hue + v0 turns, saturation times v1 */
    FC_AUG_SOLARIZE,  /* x + the share v1 of the range; where that reaches the share v0, low + high - it */
    FC_AUG_POSTERIZE, /* of 8 bits the round(v0) highest */
    FC_AUG_NOISE,     /* x + the share v0 of the range times normally distributed numbers */
    FC_AUG_SALT, /* pixels become low or high, with probability v0 together, of which the share f0 is high */
    /* Of its surroundings (augment_filter) */
    FC_AUG_BLUR,    /* Gaussian with standard deviation v0; outside the image its border goes on */
    FC_AUG_SHARPEN, /* smooth + (x - smooth) v0, smooth the mean of 3 x 3 pixels with weight 5 on the middle
                     * one; the border stays */
    /* Others, with a kernel each */
    FC_AUG_EQUALIZE, /* augment_equalize */
    FC_AUG_ERASE,    /* a part, sized and placed as for FC_AUG_RESIZED_CROP, becomes f1, or with f0 noise */
    FC_AUG_CUTOUT,   /* f2 x f3 pixels about the place at the shares v0, v1 become f1, or with f0 noise */
    FC_AUG_COUNT
} fc_augment;

/* What a detection counts as: a false alarm, an object found, or neither. */
typedef enum { FC_WRONG, FC_FOUND, FC_IGNORED } fc_judgement;

/* How an image draws a number from low .. high. u: uniform in 0 .. 1, from 32 bits. */
typedef enum {
    FC_DRAW_CONSTANT,    /* low */
    FC_DRAW_UNIFORM,     /* low + u (high - low) */
    FC_DRAW_LOG_UNIFORM, /* its logarithm is uniform */
    FC_DRAW_WHOLE,       /* low + floor(u (high - low + 1)) */
    FC_DRAW_SIGNED,      /* uniform, from the word's upper 31 bits, and by the lowest one negative */
    FC_DRAW_LEVELS,      /* one of 31 numbers evenly from low to high */
    FC_DRAW_SIGNED_LEVELS,
    FC_DRAW_ABOUT_ONE, /* 1 + what FC_DRAW_SIGNED_LEVELS draws */
    FC_DRAW_ODDS,      /* f / (1 - f), f uniform, at most 0.999 */
    FC_DRAW_SAME,      /* the number before it */
    FC_DRAW_COUNT
} fc_draw;

/* A step is FC_STEP_SIZE doubles. */
enum {
    FC_STEP_KIND,
    FC_STEP_PROBABILITY, /* that it is done to an image */
    FC_STEP_GROUP,       /* steps of one group (0, 1, ...): one of them is drawn for each image; -1: none */
    FC_STEP_INDEX,       /* its number in its group */
    FC_STEP_OF,          /* how many its group has */
    FC_STEP_LANE,        /* its random numbers': each step of a list has its own, below 32768 */
    FC_STEP_DRAWS,       /* FC_STEP_VALUES times: fc_draw, low, high */
    FC_STEP_VALUES = 8,
    FC_STEP_HEIGHT = FC_STEP_DRAWS + 3 * FC_STEP_VALUES, /* of the image that it takes */
    FC_STEP_WIDTH,
    FC_STEP_NEW_HEIGHT, /* and of what it gives */
    FC_STEP_NEW_WIDTH,
    FC_STEP_FIXED, /* f0 .. f3 */
    FC_STEP_SIZE = FC_STEP_FIXED + 4,
    FC_DRAWN =
        1 + FC_STEP_VALUES /* floats that an image draws for a step: whether it is done, and v0 .. v7 */
};

/* What an image shows of places outside it. */
typedef enum {
    FC_BORDER_CONSTANT,
    FC_BORDER_NEAREST, /* a a | a b c d | d d */
    FC_BORDER_REFLECT, /* b a | a b c d | d c */
    FC_BORDER_WRAP,    /* c d | a b c d | a b */
    FC_BORDER_COUNT
} fc_border;

/* What a box that was kept does to those after it (nms). */
typedef enum {
    FC_NMS_HARD,     /* they go where the IoU is above the threshold */
    FC_NMS_DIOU,     /* where the DIoU is */
    FC_NMS_LINEAR,   /* where the IoU is, their scores become (1 - IoU) times as large */
    FC_NMS_GAUSSIAN, /* their scores become exp(-IoU^2 / sigma) times as large */
    FC_NMS_COUNT
} fc_nms;

/* ---- argument structs: every field is 8 bytes, so that a table of names describes them ---- */
#define FC_ROUND_UP(n, m) (((n) + (m)-1) / (m) * (m))
#define FC_KERNEL(name, flops, fields)                                                                       \
    typedef struct {                                                                                         \
        fields                                                                                               \
    } fc_##name##_args;
#define FC_IN(type, name, count) const type *name;
#define FC_PART(type, name, count) const type *name;
#define FC_IN_OPT(type, name, count) const type *name;
#define FC_OUT(type, name, count) type *name;
#define FC_OUT_OPT(type, name, count) type *name;
#define FC_INOUT(type, name, count) type *name;
#define FC_INOUT_OPT(type, name, count) type *name;
#define FC_INT(name) int64_t name;
#define FC_REAL(name) double name;
#include "kernels.def"
#include "undef.h"

/* ---- the dispatch table ---- */
enum {
#define FC_KERNEL(name, flops, fields) FC_K_##name,
#include "kernels.def"
#undef FC_KERNEL
    FC_KERNEL_COUNT
};

typedef struct {
    int64_t (*tiles)(const void *args);
    size_t (*scratch)(const void *args);
    void (*run)(const void *args, int64_t begin, int64_t end, void *scratch);
} fc_kernel;

typedef enum {
    FC_FIELD_IN,
    FC_FIELD_PART,
    FC_FIELD_OUT,
    FC_FIELD_INOUT,
    FC_FIELD_INT,
    FC_FIELD_REAL
} fc_field_kind;

typedef struct {
    const char *name;
    const char *type; /* "float", "uint8_t", "int32_t", "int64_t", "uint64_t", "double"; "" for INT, REAL */
    int kind;         /* fc_field_kind */
    int optional;     /* the pointer may be NULL */
} fc_field;

/* What a caller needs to fill in and check a kernel's arguments without knowing the kernel. */
typedef struct {
    const char *name;
    int field_count;
    const fc_field *fields;
    void (*extents)(const void *args, int64_t *counts); /* elements behind each pointer, in field order */
    double (*flops)(const void *args);
} fc_kernel_info;

const fc_kernel_info *fc_kernel_table(void); /* FC_KERNEL_COUNT entries */
const fc_kernel *fc_kernels(fc_isa isa);     /* FC_KERNEL_COUNT entries; NULL if not compiled in */

/* ---- the processor (cpu.c) ---- */
fc_isa fc_best_isa(void);      /* of those compiled in, the strongest this CPU can run */
int fc_isa_usable(fc_isa isa); /* compiled in, and this CPU can run it */
const char *fc_isa_name(fc_isa isa);
const char *fc_cpu_features(void); /* space-separated names of what was detected */
const char *fc_compiler(void);

/* Flush-to-zero for the calling thread while kernels run, so that denormals don't slow them;
 * give the returned value to fc_denormals_restore. */
uint64_t fc_denormals_off(void);
void fc_denormals_restore(uint64_t state);

#ifdef __cplusplus
}
#endif
#endif
