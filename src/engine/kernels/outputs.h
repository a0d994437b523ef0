/* Stores the values of a group.  For each type, put_<type> takes the registers of a group and
 * stores them at any address, or, if `stream`, past the caches at an aligned address.  If the type
 * is narrower than float32, it first rounds the values once, to nearest even.
 *
 * bfloat16 and the float8 types are rounded here, by integer operations on the bits of float32,
 * into the upper half of each lane.  A set that has an instruction for bfloat16 uses that instead.
 * This instruction flushes subnormals, so that draws which may contain subnormals go to the kernels
 * of another set, the fallback.  For float16 the vocabulary has store_f16.  Draws are never NaN.
 */
#ifndef WIF_OUTPUTS_H
#define WIF_OUTPUTS_H

#include "kernels/kernels.h"

/* Without stores past the caches, `stream` changes nothing. */
#if !STREAM_BYTES
#define stream_u32 store_u32
#define stream_u64 store_u64
#define stream_f32 store_f32
#define stream_f64 store_f64
#define stream_f16 store_f16
#define stream_low_u8 store_low_u8
#define stream_fence() ((void)0)
#endif

/* ---- rounding ------------------------------------------------------------------------------ */

/* Round the bits of a float32, as an integer, to a multiple of 2^shift, ties to even.  A carry out
 * of the significand raises the exponent, as it should, and takes the largest finite value to
 * infinity.  The low `shift` bits of the result are not cleared and mean nothing. */
#define round_bits(x, shift)                                                                       \
    add_u32(add_u32((x), set1_u32((1u << ((shift) - 1)) - 1)),                                     \
            and_u32(shr_u32((x), (shift)), set1_u32(1)))

/* bfloat16 has the sign and exponent of float32, so that infinity and subnormals need no care. */
INLINE vu32 high_bf16(vf32 x) { return round_bits(bits_f32(x), 16); }

/* 2^e as a constant expression, for the exponents of float8. */
#define from_exponent_f32(e) ((float)((e) < 0 ? 1.0 / (1 << (-(e) & 31)) : 1 << ((e) & 31)))

/* high_<type> returns the code of float8 in the bits 16 to 23 of each lane.  Magnitudes above
 * `limit` become `limit`: 448, at which e4m3fn saturates, or 2^16, whose code in e5m2 is the code
 * of infinity.  Normal values are rounded as integers.  Subnormal values are rounded by an
 * addition: the last place of the number `magic` has the unit of the subnormals. */
#define HIGH_F8(name, mantissa_bits, min_exponent, limit)                                          \
    INLINE vu32 high_##name(vf32 x) {                                                              \
        enum { SHIFT = 23 - (mantissa_bits) };                                                     \
        const vf32 least_normal = set1_f32(from_exponent_f32(min_exponent));                       \
        const vf32 magic = set1_f32(from_exponent_f32((min_exponent) + SHIFT));                    \
        const vu32 sign = and_u32(bits_f32(x), set1_u32(0x80000000));                              \
        const vf32 size = at_most_f32(set1_f32(limit), xor_f32(x, sign));                          \
        const vu32 rebias = set1_u32((uint32_t)(126 + (min_exponent)) << 23);                      \
        const vu32 normal = shr_u32(sub_u32(round_bits(bits_f32(size), SHIFT), rebias), SHIFT);    \
        const vu32 subnormal = sub_u32(bits_f32(add_f32(size, magic)), bits_f32(magic));           \
        const vu32 code = bits_f32(                                                                \
            select_from_f32(size, least_normal, from_bits_f32(normal), from_bits_f32(subnormal))); \
        return xor_u32(shl_u32(code, 16), shr_u32(sign, 8));                                       \
    }

HIGH_F8(f8e4m3fn, 3, -6, 448.0f)
HIGH_F8(f8e5m2, 2, -14, 0x1p16f)

/* ---- stores -------------------------------------------------------------------------------- */

#define PUT_WHOLE(type, vectors)                                                                   \
    INLINE void put_##type(char *dst, const v##type *y, int stream) {                              \
        UNROLL for (int v = 0; v < (vectors); v++) {                                               \
            char *const to = dst + (size_t)v * sizeof *y;                                          \
            if (stream)                                                                            \
                stream_##type(to, y[v]);                                                           \
            else                                                                                   \
                store_##type(to, y[v]);                                                            \
        }                                                                                          \
    }
PUT_WHOLE(u32, VECTORS_32)
PUT_WHOLE(u64, VECTORS_64)
PUT_WHOLE(f32, VECTORS_32)
PUT_WHOLE(f64, VECTORS_64)

INLINE void put_f16(char *dst, const vf32 *y, int stream) {
    UNROLL for (int v = 0; v < VECTORS_32; v++) {
        char *const to = dst + (size_t)v * (sizeof *y / 2);
        if (stream)
            stream_f16(to, y[v]);
        else
            store_f16(to, y[v]);
    }
}

#define PUT_HALVES(type, pack)                                                                     \
    INLINE void put_##type(char *dst, const vf32 *y, int stream) {                                 \
        UNROLL for (int v = 0; v < VECTORS_32; v += 2) {                                           \
            char *const to = dst + (size_t)v * (sizeof *y / 2);                                    \
            const vu32 halves = pack;                                                              \
            if (stream)                                                                            \
                stream_u32(to, halves);                                                            \
            else                                                                                   \
                store_u32(to, halves);                                                             \
        }                                                                                          \
    }
PUT_HALVES(exact_bf16, pack_high_u16(high_bf16(y[v]), high_bf16(y[v + 1])))
#ifdef FLUSHING_BF16
PUT_HALVES(bf16, pack_flushed_bf16(y[v], y[v + 1]))
#else
#define put_bf16 put_exact_bf16
#endif

#define PUT_BYTES(type)                                                                            \
    INLINE void put_##type(char *dst, const vf32 *y, int stream) {                                 \
        UNROLL for (int v = 0; v < VECTORS_32; v += 2) {                                           \
            char *const to = dst + (size_t)(v / 2) * (sizeof *y / 2);                              \
            const vu32 codes = pack_high_u16(high_##type(y[v]), high_##type(y[v + 1]));            \
            if (stream)                                                                            \
                stream_low_u8(to, codes);                                                          \
            else                                                                                   \
                store_low_u8(to, codes);                                                           \
        }                                                                                          \
    }
PUT_BYTES(f8e4m3fn)
PUT_BYTES(f8e5m2)

/* ---- copies out of the first-level cache ----------------------------------------------------- */

/* Copy fewer than CACHE_LINE bytes in two moves, which may overlap.  Two other ways are slower: a
 * call of memcpy takes longer than most of these copies, and one move for each bit of the size has
 * branches that are mispredicted if sizes vary. */
INLINE void copy_few(char *dst, const char *src, size_t bytes) {
#define COPY_FROM(piece)                                                                           \
    if (bytes >= (piece)) {                                                                        \
        char low[piece], high[piece];                                                              \
        memcpy(low, src, piece);                                                                   \
        memcpy(high, src + bytes - (piece), piece);                                                \
        memcpy(dst, low, piece);                                                                   \
        memcpy(dst + bytes - (piece), high, piece);                                                \
        return;                                                                                    \
    }
    COPY_FROM(32)
    COPY_FROM(16)
    COPY_FROM(8)
    COPY_FROM(4)
    if (bytes) {
        dst[0] = src[0];
        dst[bytes / 2] = src[bytes / 2];
        dst[bytes - 1] = src[bytes - 1];
    }
#undef COPY_FROM
}

/* Copy one cache line.  If `stream`, dst is a multiple of CACHE_LINE, and the stores go past the
 * caches. */
INLINE void copy_line(char *dst, const char *src, int stream) {
    UNROLL for (size_t k = 0; k < CACHE_LINE / sizeof(vu32); k++) {
        const vu32 x = load_u32(src + k * sizeof x);
        if (stream)
            stream_u32(dst + k * sizeof x, x);
        else
            store_u32(dst + k * sizeof x, x);
    }
}

/* Copy a row to any address.  If `stream`, the whole lines of dst are stored past the caches. */
INLINE void copy_row(char *dst, const char *src, size_t bytes, int stream) {
    if (stream) {
        const size_t to_line = -(uintptr_t)dst % CACHE_LINE;
        const size_t head = to_line < bytes ? to_line : bytes;
        copy_few(dst, src, head);
        dst += head, src += head, bytes -= head;
    }
    for (; bytes >= CACHE_LINE; dst += CACHE_LINE, src += CACHE_LINE, bytes -= CACHE_LINE)
        copy_line(dst, src, stream);
    copy_few(dst, src, bytes);
}

/* Fetch the lines at the ends of a row that the row shares with other bytes, before copy_row stores
 * its whole lines past the caches.  Stores to these two lines would otherwise wait for the reads of
 * them, one after the other. */
INLINE void fetch_shared_lines(const char *dst, size_t bytes) {
    if ((uintptr_t)dst % CACHE_LINE)
        prefetch_for_store(dst);
    if ((uintptr_t)(dst + bytes) % CACHE_LINE)
        prefetch_for_store(dst + bytes);
}

/* Let one line of the strips leave, if there is one. */
INLINE void empty_line(wif_strips *s) {
    if (!s->lines_left)
        return;
    copy_line(s->to, s->from, 1);
    s->from += CACHE_LINE;
    s->to += CACHE_LINE;
    if (!--s->lines_left && s->columns_left)
        wif_strips_next(s);
}

#endif
