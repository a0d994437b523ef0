/* The interface between the two halves of the engine.  The host half (host/) prepares a wif_draw,
 * which says what to draw.  The kernels draw it; each instruction set has a table of kernels, a
 * wif_kernels.
 *
 * This file also holds the lists of types and of transforms.  Enumerations, names, sizes, formats
 * and the tables of kernels are made from them, in C and in Cython.
 */
#ifndef WIF_KERNELS_H
#define WIF_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/strips.h"
#include "linalg/panels.h"

/* weightinit_fast.h defines it too, and the compiler refuses two definitions that differ. */
#define WIF_STREAM_VERSION 1

/* A generator makes words in groups of 32.  A group becomes 32 elements of the single family (all
 * types but float64; one word makes one element) or 16 of the double family (float64; two words
 * make one element). */
enum { WIF_GROUP_WORDS = 32, WIF_WORD_BYTES = 4 };

/* ---- the types ------------------------------------------------------------------------------- */

/* X(with, type, name in NumPy or ml_dtypes, bytes, family, significand bits that are stored,
 *   exponent of the least normal value, whether there are infinities, largest finite value)
 *
 * `with` may be empty.  It is an argument that whoever uses the list passes on to each X. */
#define WIF_FOR_EACH_TYPE(X, with)                                                                 \
    X(with, f32, float32, 4, single, 23, -126, 1, 0x1.fffffep127)                                  \
    X(with, f64, float64, 8, double, 52, -1022, 1, 0x1.fffffffffffffp1023)                         \
    X(with, f16, float16, 2, single, 10, -14, 1, 0x1.ffcp15)                                       \
    X(with, bf16, bfloat16, 2, single, 7, -126, 1, 0x1.fep127)                                     \
    X(with, f8e4m3fn, float8_e4m3fn, 1, single, 3, -6, 0, 448)                                     \
    X(with, f8e5m2, float8_e5m2, 1, single, 2, -14, 1, 57344)

enum wif_type {
#define WIF_TYPE(with, type, ...) WIF_##type,
    WIF_FOR_EACH_TYPE(WIF_TYPE, )
#undef WIF_TYPE
        WIF_TYPES /* how many there are */
};

/* The bytes of an element of each type: WIF_f32_BYTES and so on. */
enum {
#define WIF_BYTES(with, type, name, bytes, ...) WIF_##type##_BYTES = bytes,
    WIF_FOR_EACH_TYPE(WIF_BYTES, )
#undef WIF_BYTES
};

static inline const char *wif_type_name(int type) {
#define WIF_NAME(with, type, name, ...) #name,
    static const char *const names[] = {WIF_FOR_EACH_TYPE(WIF_NAME, )};
#undef WIF_NAME
    return names[type];
}
static inline size_t wif_type_bytes(int type) {
#define WIF_BYTES(with, type, name, bytes, ...) bytes,
    static const unsigned char sizes[] = {WIF_FOR_EACH_TYPE(WIF_BYTES, )};
#undef WIF_BYTES
    return sizes[type];
}

/* An element has a sign bit, an exponent and the stored significand.  If the exponent has e bits,
 * its bias is 2^(e - 1) - 1 and the least normal value has the exponent 1 - bias. */
#define WIF_CHECK_FORMAT(with, type, name, bytes, family, significand_bits, least_exponent, ...)   \
    _Static_assert(INT64_C(1) << (8 * (bytes) - 1 - (significand_bits)) ==                         \
                       2 * (2 - (least_exponent)),                                                 \
                   #name ": size, significand and least exponent do not fit together");
WIF_FOR_EACH_TYPE(WIF_CHECK_FORMAT, )
#undef WIF_CHECK_FORMAT

/* ---- the transforms -------------------------------------------------------------------------- */

/* X(transform, for which types it has kernels, number of parameters, names of the parameters that
 *   messages show)
 *
 *   ONE             one kernel, which stands in the column of float32
 *   EACH_SIZE       one kernel for all types of the same size
 *   EACH_TYPE       a kernel for each type
 *   EACH_SINGLE     a kernel for each type of the single family
 *
 * host/params.h says what the parameters are. */
#define WIF_FOR_EACH_PUBLIC_TRANSFORM(X)                                                           \
    X(words, ONE, 0, "") /* 32-bit words as they come */                                           \
    X(constant, EACH_SIZE, 1, "value")                                                             \
    X(uniform, EACH_TYPE, 2, "low high")                                                           \
    X(normal, EACH_TYPE, 2, "mean std")                                                            \
    X(truncated, EACH_TYPE, 10, "mean std lower upper")

/* A variant makes the values of a public transform in another way, for parameters that allow it:
 *
 *   uniform_clamped_words   makes the bits of uniform faster: it clamps the words instead of the
 *                           values (wif_clamp_words in host/params.h)
 *   truncated_near_median   takes the place of truncated if both bounds are near the median of the
 *                           parent, the normal distribution that is truncated (wif_prepare) */
#define WIF_FOR_EACH_VARIANT(X)                                                                    \
    X(uniform_clamped_words, EACH_SINGLE, 0, "")                                                   \
    X(truncated_near_median, EACH_TYPE, 0, "")

enum wif_transform {
#define WIF_TRANSFORM(transform, ...) WIF_##transform,
    WIF_FOR_EACH_PUBLIC_TRANSFORM(WIF_TRANSFORM) WIF_PUBLIC_TRANSFORMS,
    /* Steps back by one, so that the first variant has the number WIF_PUBLIC_TRANSFORMS. */
    WIF_LAST_PUBLIC_TRANSFORM = WIF_PUBLIC_TRANSFORMS - 1,
    WIF_FOR_EACH_VARIANT(WIF_TRANSFORM) WIF_TRANSFORMS
#undef WIF_TRANSFORM
};

enum { WIF_MOST_PARAMETERS = 10 };
#define WIF_CHECK_PARAMETERS(transform, kernels, count, names)                                     \
    _Static_assert((count) <= WIF_MOST_PARAMETERS, #transform ": too many parameters");
WIF_FOR_EACH_PUBLIC_TRANSFORM(WIF_CHECK_PARAMETERS)
#undef WIF_CHECK_PARAMETERS

static inline const char *wif_transform_name(int transform) {
#define WIF_NAME(transform, ...) #transform,
    static const char *const names[] = {WIF_FOR_EACH_PUBLIC_TRANSFORM(WIF_NAME)
                                            WIF_FOR_EACH_VARIANT(WIF_NAME)};
#undef WIF_NAME
    return names[transform];
}
static inline int wif_parameter_count(int transform) {
#define WIF_COUNT(transform, kernels, count, names) count,
    static const unsigned char counts[] = {WIF_FOR_EACH_PUBLIC_TRANSFORM(WIF_COUNT)};
#undef WIF_COUNT
    return counts[transform];
}
static inline const char *wif_parameter_names(int transform) {
#define WIF_NAMES(transform, kernels, count, names) names,
    static const char *const lists[] = {WIF_FOR_EACH_PUBLIC_TRANSFORM(WIF_NAMES)};
#undef WIF_NAMES
    return lists[transform];
}

/* ---- what to draw ---------------------------------------------------------------------------- */

/* What to draw.  wif_prepare (host/params.h) has rounded every number here to float32 or float64,
 * the type in which the family computes, and the clamp to the output's type. */
typedef struct {
    enum wif_transform transform; /* the public transform, or the variant that stands in for it */
    int may_be_subnormal;         /* whether a value other than 0 may lie within 2^-126 of 0 */
    uint64_t key_low, key_high, stream;
    uint64_t pattern;                  /* constant: its bits, repeated over eight bytes */
    double least, greatest;            /* uniform, truncated: the clamp */
    double centre, half;               /* uniform: centre and half width of the interval; truncated:
                                          fma(word, half, centre) is x = 2 Phi(z) - 1 of a word */
    int32_t word_least, word_greatest; /* uniform_clamped_words: the clamp of the words */
    double mean, std;                  /* normal; truncated: of the parent distribution */
    /* truncated: fma(n, tail_step, tail) is the probability q beyond an element, times 2^k (the k
     * of host/params.h), where n counts words from the nearer end of the interval */
    double tail_low, tail_high; /* the tail at the lower and at the upper end, for n = 0 */
    double tail_step;           /* the step from one word to the next */
    double unscale;             /* -4 * 2^-k, which takes 2^k out of 4 q^2 */
    const wif_matrix *matrix;   /* read_rows alone: what it reads */
    double log_shift;           /* 2 k ln 2, which takes 2^k out of -2 ln, less the shift of the
                                   variable of the polynomial (QUANTILE_SHIFT) */
} wif_draw;

/* ---- the kernels of one instruction set ------------------------------------------------------ */

/* Write `rows` rows of `count` elements.  Row k starts at the byte dst + k * dst_step and holds the
 * elements f, f + 1, ... of the stream, where f is first + k * first_step, or first + ids[k] *
 * first_step if `ids` is not NULL; the elements of a row are adjacent in memory.  dst and dst_step
 * may have any alignment.  If `nontemporal`, stores go past the caches where that pays.
 *
 * The caller guarantees that the bytes of all rows belong to it, and that the floating-point state
 * is the standard one (host/fpenv.h). */
typedef void wif_draw_rows(void *dst, ptrdiff_t dst_step, uint64_t first, uint64_t first_step,
                           const int64_t *ids, size_t rows, size_t count, const wif_draw *draw,
                           int nontemporal);

/* Write rows into a tile, as wif_draw_rows does, and let lines of `strips` leave meanwhile, as many
 * bytes as are drawn, or all that are left.  Whole groups are stored: up to WIF_GROUP_WORDS - 1
 * elements before a row and after it are overwritten too, before the next row is written. */
typedef void wif_draw_tile(void *tile, ptrdiff_t row_bytes, uint64_t first, uint64_t first_step,
                           const int64_t *ids, size_t rows, size_t count, const wif_draw *draw,
                           wif_strips *strips);

/* Let all lines of the strips leave that are left.  What does not fill a line is stored too if this
 * is the last tile of its columns, and else is kept for the next tile. */
typedef void wif_empty_strips(wif_strips *strips, int is_last);

/* Transpose a tile into a buffer: the element in row r and column c of the tile, which lies at
 * tile + r * row_bytes + c * itemsize, goes to dst + c * column_step + r * itemsize. */
typedef void wif_transpose(char *dst, ptrdiff_t column_step, const char *tile, ptrdiff_t row_bytes,
                           size_t rows, size_t columns);

/* Round `count` float32 numbers, none of them NaN, to a narrower type, in the same way as draws are
 * rounded, and write their bits to dst. */
typedef void wif_narrow(void *dst, const float *src, size_t count);

typedef struct wif_kernels {
    const char *isa;
    wif_draw_rows *draw_rows[WIF_TRANSFORMS][WIF_TYPES]; /* NULL: there is none */
    wif_draw_tile *draw_tile[WIF_TRANSFORMS][WIF_TYPES]; /* NULL where draw_rows is */
    wif_transpose *transpose[WIF_TYPES];
    wif_empty_strips *empty_strips;
    wif_narrow *narrow[WIF_TYPES]; /* NULL for float32 and float64 */
    wif_panels panels[2];          /* of the single and of the double family */
    /* Read the elements of draw->matrix, row after row, as if they were drawn. */
    wif_draw_rows *read_rows[WIF_TYPES];
    /* Make the block of four words at a counter.  Tests use it with known answers, for counters
     * that no element reaches (elements reach those below 2^62). */
    void (*block)(uint32_t out[4], uint64_t key_low, uint64_t key_high, uint64_t counter_low,
                  uint64_t counter_high);
    /* The set whose kernels draw bfloat16 values that may be subnormal (the glossary's fallback);
     * NULL: this set draws them itself. */
    const struct wif_kernels *subnormal_bf16;
} wif_kernels;

/* The set whose kernels make a draw, which wif_prepare has prepared. */
static inline const wif_kernels *wif_choose_set(const wif_kernels *set, enum wif_type type,
                                                const wif_draw *draw) {
    const int falls_back = type == WIF_bf16 && draw->may_be_subnormal && set->subnormal_bf16;
    return falls_back ? set->subnormal_bf16 : set;
}

/* The kernel that makes a draw. */
static inline wif_draw_rows *wif_choose_kernel(const wif_kernels *set, enum wif_type type,
                                               const wif_draw *draw) {
    return wif_choose_set(set, type, draw)->draw_rows[draw->transform][type];
}

#endif
