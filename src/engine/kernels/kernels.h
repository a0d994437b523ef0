/* The engine's public C interface: what to draw, and the kernels of one instruction set.
 *
 * A kernel writes `rows` runs of `count` elements.  Row k starts at the byte dst + k*dst_step and
 * holds the elements first + k*first_step, first + k*first_step + 1, ... of the stream; within a
 * row elements are adjacent in memory.  Any alignment will do.  The caller guarantees that all
 * those bytes belong to it, and that the floating-point state is standard (fpenv.h).
 */
#ifndef WIF_KERNELS_H
#define WIF_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#define WIF_STREAM_VERSION 1

/* X(type, name in NumPy or ml_dtypes, bytes). */
#define WIF_FOR_EACH_TYPE(X)                                                                       \
    X(f32, float32, 4)                                                                             \
    X(f64, float64, 8)                                                                             \
    X(f16, float16, 2)                                                                             \
    X(bf16, bfloat16, 2)                                                                           \
    X(f8e4m3fn, float8_e4m3fn, 1)                                                                  \
    X(f8e5m2, float8_e5m2, 1)

enum wif_type {
#define WIF_ENUM(type, name, bytes) WIF_##type,
    WIF_FOR_EACH_TYPE(WIF_ENUM)
#undef WIF_ENUM
        WIF_TYPES
};

static inline const char *wif_type_name(int type) {
#define WIF_NAME(type, name, bytes) #name,
    static const char *const names[] = {WIF_FOR_EACH_TYPE(WIF_NAME)};
#undef WIF_NAME
    return names[type];
}
static inline size_t wif_type_bytes(int type) {
#define WIF_BYTES(type, name, bytes) bytes,
    static const unsigned char sizes[] = {WIF_FOR_EACH_TYPE(WIF_BYTES)};
#undef WIF_BYTES
    return sizes[type];
}

enum wif_transform {
    WIF_words, /* 32-bit words as they come, in the place of f32 */
    WIF_constant,
    WIF_uniform,
    WIF_normal,
    WIF_truncated,
    WIF_ASKED, /* for: those below make the values of one above, for parameters that allow it */
    WIF_trimmed = WIF_ASKED, /* of uniform: the single family's */
    WIF_near,                /* of truncated */
    WIF_TRANSFORMS
};

/* Every number is already a value of its family's type, the clamp of the output's own
 * (wif_prepare in params.h rounds them). */
typedef struct {
    enum wif_transform transform; /* whose kernel makes it */
    int subnormals;               /* whether values below 2^-126 may come, other than 0 */
    uint64_t key_low, key_high, stream;
    uint64_t pattern;       /* constant: its bits, repeated over eight bytes */
    double least, greatest; /* uniform, truncated: the clamp */
    double centre, half;    /* uniform: of the interval; truncated: of x = 2 Phi(z) - 1 */
    int32_t word_least, word_greatest; /* trimmed: the clamp, of words */
    double mean, std;
    /* truncated: the probabilities beyond the interval, to the middle of the first word, and the
     * step of a word between them, all times 2^k; -4 * 2^-k; and what the scale and the
     * polynomial's centre add to -2 ln. */
    double tail_low, tail_high, tail_step, unscale, log_shift;
} wif_draw;

typedef void wif_fill(void *dst, ptrdiff_t dst_step, uint64_t first, uint64_t first_step,
                      size_t rows, size_t count, const wif_draw *draw, int nontemporal);

/* Element (r, c) of a tile, at r * row_bytes + c * itemsize, goes to
 * dst + c * column_step + r * itemsize. */
typedef void wif_turn(char *dst, ptrdiff_t column_step, const char *tile, ptrdiff_t row_bytes,
                      size_t rows, size_t columns);

typedef struct wif_kernels {
    const char *isa;
    wif_fill *fill[WIF_TRANSFORMS][WIF_TYPES]; /* words: WIF_f32 alone */
    wif_turn *turn[WIF_TYPES];
    /* float32 to the bits of a narrower type, as every draw of it is rounded; NULL for f32, f64. */
    void (*narrow[WIF_TYPES])(void *dst, const float *src, size_t count);
    /* One block by its counter, for known answers: elements reach only counters below 2^62. */
    void (*block)(uint32_t out[4], uint64_t key_low, uint64_t key_high, uint64_t counter_low,
                  uint64_t counter_high);
    /* The set whose kernels make bfloat16 values that may be subnormal; NULL: this one. */
    const struct wif_kernels *subnormals;
} wif_kernels;

static inline wif_fill *wif_kernel(const wif_kernels *set, enum wif_type type,
                                   const wif_draw *draw) {
    if (type == WIF_bf16 && draw->subnormals && set->subnormals)
        set = set->subnormals;
    return set->fill[draw->transform][type];
}

#endif
