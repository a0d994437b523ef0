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

/* One row a transform and output type: X(name, bytes an element).  Adding one here and in
 * kernels_body.h is all that a new kernel needs; the Cython side reads the same order. */
#define WIF_FOR_EACH_KERNEL(X)                                                                     \
    X(words_u32, 4)                                                                                \
    X(constant_f32, 4)                                                                             \
    X(constant_f64, 8)                                                                             \
    X(uniform_f32, 4)                                                                              \
    X(uniform_f64, 8)                                                                              \
    X(normal_f32, 4)                                                                               \
    X(normal_f64, 8)

enum wif_kind {
#define WIF_ENUM(name, bytes) WIF_##name,
    WIF_FOR_EACH_KERNEL(WIF_ENUM)
#undef WIF_ENUM
        WIF_KINDS
};

typedef struct {
    uint64_t key_low, key_high, stream;
    /* constant: value | uniform: centre, half width, least, greatest value | normal: mean, std.
     * Each is already a value of the output's type (wif_prepare in params.h rounds it). */
    double p[4];
} wif_draw;

typedef void wif_fill(void *dst, ptrdiff_t dst_step, uint64_t first, uint64_t first_step,
                      size_t rows, size_t count, const wif_draw *draw, int nontemporal);

typedef struct {
    const char *isa;
    wif_fill *fill[WIF_KINDS];
    /* One block by its counter, for known answers: elements reach only counters below 2^62. */
    void (*block)(uint32_t out[4], uint64_t key_low, uint64_t key_high, uint64_t counter_low,
                  uint64_t counter_high);
} wif_kernels;

#endif
