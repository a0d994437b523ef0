/* Every kernel of one instruction set.  An isa_*.c file defines ISA, includes a vocabulary
 * (simd_*.h) and an implementation of the words on it (ars_*.h), then this; what leaves the object
 * file is the table wif_kernels_<ISA> alone. */
#include <string.h>

#define CACHE_LINE 64
#define PAGE 4096
#define STREAMED_ROW_BYTES 512
#define STRIP_GROUPS 32 /* up to 4 KiB: more stores than a core holds back at once */

#include "kernels/kernels.h"
#include "kernels/transforms.h"
#include "kernels/outputs.h"

#define TRANSFORM words_u32
#define OUTPUT u32
#define VEC vu32
#define NAME words
#define GROUP_ITEMS 32
#define ITEM_BYTES 4
#include "kernels/fill_template.h"

/* A constant is a pattern of eight bytes, whatever its type: one kernel an element size. */
#define TRANSFORM pattern_u64
#define OUTPUT u64
#define VEC vu64
#define NAME pattern_1
#define GROUP_ITEMS 128
#define ITEM_BYTES 1
#include "kernels/fill_template.h"

#define TRANSFORM pattern_u64
#define OUTPUT u64
#define VEC vu64
#define NAME pattern_2
#define GROUP_ITEMS 64
#define ITEM_BYTES 2
#include "kernels/fill_template.h"

#define TRANSFORM pattern_u64
#define OUTPUT u64
#define VEC vu64
#define NAME pattern_4
#define GROUP_ITEMS 32
#define ITEM_BYTES 4
#include "kernels/fill_template.h"

#define TRANSFORM pattern_u64
#define OUTPUT u64
#define VEC vu64
#define NAME pattern_8
#define GROUP_ITEMS 16
#define ITEM_BYTES 8
#include "kernels/fill_template.h"

#define TRANSFORM_NAME uniform
#include "kernels/fill_types.h"

#define TRANSFORM_NAME normal
#include "kernels/fill_types.h"

#define TRANSFORM_NAME truncated
#include "kernels/fill_types.h"

#define TRANSFORM_NAME near
#include "kernels/fill_types.h"

#define SINGLE_FAMILY_ONLY
#define TRANSFORM_NAME trimmed
#include "kernels/fill_types.h"

#define ITEM 1
#include "kernels/turn_template.h"
#define ITEM 2
#include "kernels/turn_template.h"
#define ITEM 4
#include "kernels/turn_template.h"
#define ITEM 8
#include "kernels/turn_template.h"

#define NARROW(type, bytes, put)                                                                   \
    static void narrow_##type(void *dst, const float *src, size_t count) {                         \
        char *to = dst;                                                                            \
        for (size_t n; count; count -= n, src += n, to += n * (bytes)) {                           \
            float in[GROUP_WORDS] = {0};                                                           \
            char out[GROUP_WORDS * (bytes)];                                                       \
            vf32 y[VECTORS_32];                                                                    \
            n = count < GROUP_WORDS ? count : GROUP_WORDS;                                         \
            memcpy(in, src, n * sizeof *src);                                                      \
            UNROLL for (int v = 0; v < VECTORS_32; v++)                                            \
                y[v] = from_bits_f32(load_u32(in + v * LANES_32));                                 \
            put(out, y, 0);                                                                        \
            memcpy(to, out, n * (bytes));                                                          \
        }                                                                                          \
    }
NARROW(f16, 2, put_f16)
NARROW(bf16, 2, put_exact_bf16)
NARROW(f8e4m3fn, 1, put_f8e4m3fn)
NARROW(f8e5m2, 1, put_f8e5m2)

static void one_block(uint32_t out[4], uint64_t key_low, uint64_t key_high, uint64_t counter_low,
                      uint64_t counter_high) {
    const round_keys keys = expand_keys(key_low, key_high);
    const uint64_t place = counter_low % ARS_GROUP_BLOCKS;
    counter c = counter_at(counter_high, counter_low - place);
    const group g = next_group(&keys, &c);
    memcpy(out, (const char *)&g + place * 16, 16);
}

#define WIF_TABLE__(isa) wif_kernels_##isa
#define WIF_TABLE_(isa) WIF_TABLE__(isa)
#define WIF_NAME__(isa) #isa
#define WIF_NAME_(isa) WIF_NAME__(isa)
#define WIF_PATTERN(type, name, bytes) fill_pattern_##bytes,
#define WIF_TURN(type, name, bytes) turn_##bytes,
#define WIF_UNIFORM(type, name, bytes) fill_uniform_##type,
#define WIF_NORMAL(type, name, bytes) fill_normal_##type,
#define WIF_TRUNCATED(type, name, bytes) fill_truncated_##type,
#define WIF_NEAR(type, name, bytes) fill_near_##type,
#define WIF_TRIMMED(type, name, bytes) fill_trimmed_##type,
#define fill_trimmed_f64 0

#ifdef FLUSHING_BF16
extern const wif_kernels wif_kernels_avx512_vaes;
#define WIF_SUBNORMALS &wif_kernels_avx512_vaes
#else
#define WIF_SUBNORMALS 0
#endif

extern const wif_kernels WIF_TABLE_(ISA);
const wif_kernels WIF_TABLE_(ISA) = {
    WIF_NAME_(ISA),
    {[WIF_words] = {fill_words},
     [WIF_constant] = {WIF_FOR_EACH_TYPE(WIF_PATTERN)},
     [WIF_uniform] = {WIF_FOR_EACH_TYPE(WIF_UNIFORM)},
     [WIF_normal] = {WIF_FOR_EACH_TYPE(WIF_NORMAL)},
     [WIF_truncated] = {WIF_FOR_EACH_TYPE(WIF_TRUNCATED)},
     [WIF_trimmed] = {WIF_FOR_EACH_TYPE(WIF_TRIMMED)},
     [WIF_near] = {WIF_FOR_EACH_TYPE(WIF_NEAR)}},
    {WIF_FOR_EACH_TYPE(WIF_TURN)},
    {[WIF_f16] = narrow_f16,
     [WIF_bf16] = narrow_bf16,
     [WIF_f8e4m3fn] = narrow_f8e4m3fn,
     [WIF_f8e5m2] = narrow_f8e5m2},
    one_block,
    WIF_SUBNORMALS,
};
