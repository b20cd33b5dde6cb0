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
