/* Every kernel of one instruction set.  The build compiles this file once for each set that
 * isas.def lists, with the set's compiler flags and these definitions:
 *
 *   WIF_ISA_NAME    the set's name, e.g. avx2_vaes
 *   WIF_VOCABULARY  the header with its vocabulary, e.g. "simd/avx2.h"
 *   WIF_WORDS       the header that makes the words, e.g. "words/vaes256.h"
 *   WIF_FALLBACK    the set that draws bfloat16 values which may be subnormal; not defined if this
 *                   set draws them itself
 *
 * The object file exports the table wif_kernels_<WIF_ISA_NAME> and nothing else
 * (tests/values/test_engine_source.py checks that).
 */
#ifndef WIF_ISA_NAME
#error "isa.c needs WIF_ISA_NAME, the name of the instruction set"
#endif
#ifndef WIF_VOCABULARY
#error "isa.c needs WIF_VOCABULARY, the header with the set's vocabulary"
#endif
#ifndef WIF_WORDS
#error "isa.c needs WIF_WORDS, the header that makes the words"
#endif

#include <string.h>

#include WIF_VOCABULARY
#include WIF_WORDS

#define CACHE_LINE 64
#define PAGE 4096
/* From this size on, rows with gaps are stored past the caches even where the rows do not begin at
 * the same place in a cache line.  The lines at their ends are fetched in time; before they were,
 * such stores did not pay below 512 bytes.  Rows of 8 and 16 bytes take 1.1 to 1.2 times as long
 * that way. */
#define STREAMED_ROW_BYTES 32
/* How many groups a strip holds.  They are up to 4 KiB, which is more than the stores that wait in
 * a core's store buffer: the stores into a strip have been committed when the strip is read. */
#define STRIP_GROUPS 32

#include "kernels/kernels.h"
#include "kernels/transforms.h"
#include "kernels/outputs.h"

#if defined(FLUSHING_BF16) && !defined(WIF_FALLBACK)
#error "this set's conversion to bfloat16 flushes subnormals: it needs WIF_FALLBACK"
#endif

/* ---- what must agree between the vocabulary, the words and the host -------------------------- */

_Static_assert(ARS_GROUP_BLOCKS * 4 == WIF_GROUP_WORDS, "a block is four words");
_Static_assert(sizeof(group) == WIF_GROUP_WORDS * WIF_WORD_BYTES, "a group is 32 words");
_Static_assert(sizeof(vf32) == LANES_32 * 4 && sizeof(vu32) == sizeof(vf32),
               "the 32-bit registers have LANES_32 lanes");
_Static_assert(sizeof(vf64) == LANES_64 * 8 && sizeof(vu64) == sizeof(vf64),
               "the 64-bit registers have LANES_64 lanes");
_Static_assert(WIF_GROUP_WORDS % (2 * LANES_32) == 0 && WIF_GROUP_WORDS / 2 % (2 * LANES_64) == 0,
               "both halves of a group, which a normal pairs, are whole registers");
_Static_assert(STREAM_BYTES == 0 || STREAM_BYTES == sizeof(vu32),
               "a streaming store takes one register");
_Static_assert(CACHE_LINE % sizeof(vu32) == 0, "a cache line is whole registers");
_Static_assert(CACHE_LINE == WIF_LINE_BYTES, "strips leave as whole cache lines");
_Static_assert(PIECES == sizeof(vu32) / 16, "PIECES is how many 16 bytes a register holds");

/* ---- the kernels ----------------------------------------------------------------------------- */

#define NAME words
#define TRANSFORM words_u32
#define VEC vu32
#define OUTPUT u32
#define GROUP_ITEMS 32
#define ITEM_BYTES 4
#include "kernels/draw_rows_template.h"

/* A constant of any type is a pattern of eight bytes, so that one kernel serves all types of a
 * size. */
#define NAME constant_1
#define TRANSFORM pattern_u64
#define VEC vu64
#define OUTPUT u64
#define GROUP_ITEMS 128
#define ITEM_BYTES 1
#include "kernels/draw_rows_template.h"

#define NAME constant_2
#define TRANSFORM pattern_u64
#define VEC vu64
#define OUTPUT u64
#define GROUP_ITEMS 64
#define ITEM_BYTES 2
#include "kernels/draw_rows_template.h"

#define NAME constant_4
#define TRANSFORM pattern_u64
#define VEC vu64
#define OUTPUT u64
#define GROUP_ITEMS 32
#define ITEM_BYTES 4
#include "kernels/draw_rows_template.h"

#define NAME constant_8
#define TRANSFORM pattern_u64
#define VEC vu64
#define OUTPUT u64
#define GROUP_ITEMS 16
#define ITEM_BYTES 8
#include "kernels/draw_rows_template.h"

#define TRANSFORM_NAME uniform
#include "kernels/draw_rows_types.h"

#define TRANSFORM_NAME normal
#include "kernels/draw_rows_types.h"

#define TRANSFORM_NAME truncated
#include "kernels/draw_rows_types.h"

#define TRANSFORM_NAME truncated_near_median
#include "kernels/draw_rows_types.h"

#define SINGLE_FAMILY_ONLY
#define TRANSFORM_NAME uniform_clamped_words
#include "kernels/draw_rows_types.h"

#define ITEM 1
#include "kernels/transpose_template.h"
#define ITEM 2
#include "kernels/transpose_template.h"
#define ITEM 4
#include "kernels/transpose_template.h"
#define ITEM 8
#include "kernels/transpose_template.h"

/* See wif_empty_strips in kernels.h. */
static void empty_strips(wif_strips *strips, int is_last) {
    wif_strips s = *strips; /* a copy stays in registers */
    for (;;) {
        while (s.lines_left)
            empty_line(&s);
        if (!s.columns_left)
            break;
        wif_strips_next(&s);
    }
    for (size_t k = 0; k < s.columns; k++) {
        char *const strip = s.strips + k * s.strip_bytes, *const end = strip + s.bytes;
        char *const dst = s.dst + (ptrdiff_t)k * s.column_step + s.bytes;
        const size_t rest = (uintptr_t)dst % CACHE_LINE;
        if (!is_last)
            copy_line(strip - CACHE_LINE, end - CACHE_LINE, 0);
        else if (!s.is_first || rest <= s.bytes) /* else the column begins and ends in one line */
            copy_few(dst - rest, end - rest, rest);
    }
    *strips = s;
    if (is_last)
        stream_fence();
    leave_registers();
}

/* narrow_<type>, a wif_narrow (kernels.h): rounds numbers group by group with a store of
 * outputs.h. */
#define NARROW(type, put)                                                                          \
    static void narrow_##type(void *dst, const float *src, size_t count) {                         \
        char *to = dst;                                                                            \
        for (size_t n; count; count -= n, src += n, to += n * WIF_##type##_BYTES) {                \
            float in[WIF_GROUP_WORDS] = {0};                                                       \
            char out[WIF_GROUP_WORDS * WIF_##type##_BYTES];                                        \
            vf32 y[VECTORS_32];                                                                    \
            n = count < WIF_GROUP_WORDS ? count : WIF_GROUP_WORDS;                                 \
            memcpy(in, src, n * sizeof *src);                                                      \
            UNROLL for (int v = 0; v < VECTORS_32; v++)                                            \
                y[v] = from_bits_f32(load_u32(in + v * LANES_32));                                 \
            put(out, y, 0);                                                                        \
            memcpy(to, out, n * WIF_##type##_BYTES);                                               \
        }                                                                                          \
    }
NARROW(f16, put_f16)
NARROW(bf16, put_exact_bf16)
NARROW(f8e4m3fn, put_f8e4m3fn)
NARROW(f8e5m2, put_f8e5m2)

/* The factorisation of a matrix, and the elements of the factor. */

#define F32(x) x##_f32
#define F64(x) x##_f64

#define REAL float
#define VEC vf32
#define F F32
#define LANES LANES_32
#define FLOOR 0x1p-16
#include "linalg/panels_template.h"

#define REAL double
#define VEC vf64
#define F F64
#define LANES LANES_64
#define FLOOR 0x1p-45
#include "linalg/panels_template.h"

#define TYPE f64
#define REAL double
#define VEC vf64
#define F F64
#define PUT put_f64
#define ITEMS (WIF_GROUP_WORDS / 2)
#include "linalg/read_rows_template.h"

#define TYPE f32
#define PUT put_f32
#include "linalg/read_rows_single.h"
#define TYPE f16
#define PUT put_f16
#include "linalg/read_rows_single.h"
#define TYPE bf16
#define PUT put_exact_bf16
#include "linalg/read_rows_single.h"
#define TYPE f8e4m3fn
#define PUT put_f8e4m3fn
#include "linalg/read_rows_single.h"
#define TYPE f8e5m2
#define PUT put_f8e5m2
#include "linalg/read_rows_single.h"

/* The `block` of the table: draws the group that holds the block, and copies that block. */
static void one_block(uint32_t out[4], uint64_t key_low, uint64_t key_high, uint64_t counter_low,
                      uint64_t counter_high) {
    const round_keys keys = expand_keys(key_low, key_high);
    const uint64_t place = counter_low % ARS_GROUP_BLOCKS;
    counter c = counter_at(counter_high, counter_low - place);
    const group g = next_group(&keys, &c);
    memcpy(out, (const char *)&g + place * 16, 16);
    leave_registers();
}

/* ---- the table ------------------------------------------------------------------------------- */

/* Each transform has a row of kernels, one column for each type, in each of two tables.
 * ROW_OF_<...> makes the row of a transform for which kernels.h says ONE, EACH_SIZE, EACH_TYPE or
 * EACH_SINGLE. */
#define ROWS(transform, kernels, ...) [WIF_##transform] = ROW_OF_##kernels(draw_rows_##transform),
#define TILES(transform, kernels, ...) [WIF_##transform] = ROW_OF_##kernels(draw_tile_##transform),
#define ROW_OF_ONE(kernel) {[WIF_f32] = kernel}
#define ROW_OF_EACH_SIZE(kernel) {WIF_FOR_EACH_TYPE(KERNEL_OF_SIZE, kernel)}
#define ROW_OF_EACH_TYPE(kernel) {WIF_FOR_EACH_TYPE(KERNEL_OF_TYPE, kernel)}
#define ROW_OF_EACH_SINGLE(kernel) {WIF_FOR_EACH_TYPE(KERNEL_OF_SINGLE, kernel)}
#define KERNEL_OF_SIZE(kernel, type, name, bytes, ...) kernel##_##bytes,
#define KERNEL_OF_TYPE(kernel, type, ...) kernel##_##type,
#define KERNEL_OF_SINGLE(kernel, type, name, bytes, family, ...)                                   \
    KERNEL_IF_##family(kernel##_##type),
#define KERNEL_IF_single(kernel) kernel
#define KERNEL_IF_double(kernel) NULL

#define READ_ROWS(with, type, ...) read_rows_##type,
#define TRANSPOSE(with, type, name, bytes, ...) transpose_##bytes,

#define CONCATENATED(a, b) CONCATENATED_(a, b)
#define CONCATENATED_(a, b) a##b
#define QUOTED(name) QUOTED_(name)
#define QUOTED_(name) #name
#define TABLE_OF(isa) CONCATENATED(wif_kernels_, isa)

#ifdef WIF_FALLBACK
extern const wif_kernels TABLE_OF(WIF_FALLBACK);
#define FALLBACK &TABLE_OF(WIF_FALLBACK)
#else
#define FALLBACK NULL
#endif

extern const wif_kernels TABLE_OF(WIF_ISA_NAME);
const wif_kernels TABLE_OF(WIF_ISA_NAME) = {
    .isa = QUOTED(WIF_ISA_NAME),
    .draw_rows = {WIF_FOR_EACH_PUBLIC_TRANSFORM(ROWS) WIF_FOR_EACH_VARIANT(ROWS)},
    .draw_tile = {WIF_FOR_EACH_PUBLIC_TRANSFORM(TILES) WIF_FOR_EACH_VARIANT(TILES)},
    .empty_strips = empty_strips,
    .transpose = {WIF_FOR_EACH_TYPE(TRANSPOSE, )},
    .narrow = {[WIF_f16] = narrow_f16,
               [WIF_bf16] = narrow_bf16,
               [WIF_f8e4m3fn] = narrow_f8e4m3fn,
               [WIF_f8e5m2] = narrow_f8e5m2},
    .panels = {panels_f32, panels_f64},
    .read_rows = {WIF_FOR_EACH_TYPE(READ_ROWS, )},
    .block = one_block,
    .subnormal_bf16 = FALLBACK,
};
