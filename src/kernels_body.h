/* Every kernel of one instruction set.  An isa_*.c file defines ISA, includes a vocabulary
 * (simd_*.h) and an implementation of the words on it (ars_*.h), then this; what leaves the object
 * file is the table wif_kernels_<ISA> alone. */
#include <string.h>

#include "kernels.h"
#include "transforms.h"

#define CACHE_LINE 64
#define STRIP_GROUPS 32 /* 4 KiB: more stores than a core holds back at once */

#define TRANSFORM words_u32
#define REAL u32
#define ITEM uint32_t
#define GROUP_ITEMS 32
#include "fill_template.h"

#define TRANSFORM constant_f32
#define REAL f32
#define ITEM float
#define GROUP_ITEMS 32
#include "fill_template.h"

#define TRANSFORM constant_f64
#define REAL f64
#define ITEM double
#define GROUP_ITEMS 16
#include "fill_template.h"

#define TRANSFORM uniform_f32
#define REAL f32
#define ITEM float
#define GROUP_ITEMS 32
#include "fill_template.h"

#define TRANSFORM uniform_f64
#define REAL f64
#define ITEM double
#define GROUP_ITEMS 16
#include "fill_template.h"

#define TRANSFORM normal_f32
#define REAL f32
#define ITEM float
#define GROUP_ITEMS 32
#include "fill_template.h"

#define TRANSFORM normal_f64
#define REAL f64
#define ITEM double
#define GROUP_ITEMS 16
#include "fill_template.h"

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
#define WIF_SLOT(name, bytes) fill_##name,

extern const wif_kernels WIF_TABLE_(ISA);
const wif_kernels WIF_TABLE_(ISA) = {WIF_NAME_(ISA), {WIF_FOR_EACH_KERNEL(WIF_SLOT)}, one_block};
