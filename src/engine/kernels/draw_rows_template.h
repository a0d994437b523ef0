/* One kernel: it makes the words of rows of a stream, transforms them to values, and stores the
 * values.  Each inclusion defines the static functions draw_rows_<NAME>, a wif_draw_rows, and
 * draw_tile_<NAME>, a wif_draw_tile (kernels.h), from these definitions, and undefines them at the
 * end:
 *
 *   NAME         the kernel, e.g. normal_bf16
 *   TRANSFORM    the transform in transforms.h, with its family, e.g. normal_f32
 *   VEC          the registers that the transform makes, e.g. vf32
 *   OUTPUT       the store in outputs.h without its put_, e.g. bf16
 *   GROUP_ITEMS  how many elements a group of 32 words makes
 *   ITEM_BYTES   the size of an element
 */
#ifndef NAME
#error "draw_rows_template.h needs NAME, the name of the kernel"
#endif
#ifndef TRANSFORM
#error "draw_rows_template.h needs TRANSFORM, a transform of transforms.h with its family"
#endif
#ifndef VEC
#error "draw_rows_template.h needs VEC, the type of the registers that the transform makes"
#endif
#ifndef OUTPUT
#error "draw_rows_template.h needs OUTPUT, a store of outputs.h"
#endif
#ifndef GROUP_ITEMS
#error "draw_rows_template.h needs GROUP_ITEMS, how many elements a group makes"
#endif
#ifndef ITEM_BYTES
#error "draw_rows_template.h needs ITEM_BYTES, the size of an element"
#endif

#define CAT_(a, b) a##b
#define CAT(a, b) CAT_(a, b)
#define T(suffix) CAT(NAME, suffix)
#define OUT_BYTES ((size_t)GROUP_ITEMS * ITEM_BYTES) /* the size of a group's elements */

_Static_assert(ITEM_BYTES == 1 || ITEM_BYTES == 2 || ITEM_BYTES == 4 || ITEM_BYTES == 8,
               "elements have 1, 2, 4 or 8 bytes");
_Static_assert((GROUP_ITEMS & (GROUP_ITEMS - 1)) == 0, "a group makes a power of two of elements");
_Static_assert(sizeof(group) % (GROUP_ITEMS * ITEM_BYTES) == 0,
               "elements have the size of the words that they are made of, or a part of it");

typedef struct {
    round_keys keys;
    CAT(TRANSFORM, _params) params;
} T(_state);

/* Store the elements of a group: at any address, or, if `stream`, past the caches at an address
 * that is aligned for such stores. */
INLINE void T(_store)(char *dst, const T(_state) * s, const group *g, int stream) {
    VEC y[WIF_GROUP_WORDS * WIF_WORD_BYTES / sizeof(VEC)];
    CAT(TRANSFORM, _group)(&s->params, g, y);
    CAT(put_, OUTPUT)(dst, y, stream);
}

/* Store the elements [skip, skip + items) of the group at the counter c. */
static void T(_part)(char *dst, const T(_state) * s, counter c, size_t skip, size_t items) {
    char whole[OUT_BYTES];
    const group g = next_group(&s->keys, &c);
    T(_store)(whole, s, &g, 0);
    copy_row(dst, whole + skip * ITEM_BYTES, items * ITEM_BYTES, 0);
}

/* A walk goes through the groups that hold the elements of some rows, one group after the other.
 * After the last row it stays there: the functions below draw a group more than they store, and the
 * list of ids ends with the last row. */
typedef struct {
    uint64_t stream;
    uint64_t first, first_step; /* with ids: which rows of the stream, as in wif_draw_rows */
    const int64_t *ids;
    size_t row, last_row; /* the present row and the last one, counted from 0 */
    size_t count;         /* elements of a row */
    size_t left;          /* groups of the present row that are still to come */
    counter c;
} T(_walk);

/* The number of a row's first element in the stream. */
INLINE uint64_t T(_first_of)(const T(_walk) * w, size_t row) {
    return w->first + (w->ids ? (uint64_t)w->ids[row] : row) * w->first_step;
}

INLINE void T(_enter_row)(T(_walk) * w) {
    const uint64_t first = T(_first_of)(w, w->row);
    w->left = (first % GROUP_ITEMS + w->count + GROUP_ITEMS - 1) / GROUP_ITEMS;
    w->c = counter_at(w->stream, first / GROUP_ITEMS * ARS_GROUP_BLOCKS);
}

INLINE T(_walk) T(_walk_from)(uint64_t stream, uint64_t first, uint64_t first_step,
                              const int64_t *ids, size_t rows, size_t count) {
    T(_walk)
    w = {.stream = stream,
         .first = first,
         .first_step = first_step,
         .ids = ids,
         .last_row = rows - 1,
         .count = count};
    T(_enter_row)(&w);
    return w;
}

INLINE group T(_next)(const T(_state) * s, T(_walk) * w) {
    if (!w->left) {
        w->row += w->row < w->last_row;
        T(_enter_row)(w);
    }
    w->left--;
    return next_group(&s->keys, &w->c);
}

/* Store `groups` whole groups, one or more, with a gap of `gap` bytes after every `per_row` of
 * them.  Here and in the functions below, the words of the next group are drawn before the present
 * group is transformed, even if the next group begins another row: a transform is one long chain of
 * dependent operations, and the scheduler of a core does not hold enough operations of two groups
 * to start on the next group's words by itself.  (This order makes normals 5 to 15 % faster with
 * AVX-512.) */
static void T(_groups)(char *dst, ptrdiff_t gap, const T(_state) * state, T(_walk) w, size_t groups,
                       size_t per_row) {
    const T(_state) s = *state; /* a copy stays in registers: a store to dst might change *state */
    size_t left = per_row;
    group g = T(_next)(&s, &w);
    for (; --groups; dst += OUT_BYTES) {
        const group ahead = T(_next)(&s, &w);
        T(_store)(dst, &s, &g, 0);
        g = ahead;
        if (!--left) {
            left = per_row;
            dst += gap;
        }
    }
    T(_store)(dst, &s, &g, 0);
}

/* Whether groups may pass through a strip (see below), which they leave as whole cache lines.  A
 * group of float8 is half a line, and is stored as it comes. */
#define SHIFTABLE (OUT_BYTES % CACHE_LINE == 0)

#if STREAM_BYTES
/* Does what _groups does, but stores past the caches; dst and gap are multiples of a cache line. */
static void T(_groups_streamed)(char *dst, ptrdiff_t gap, const T(_state) * state, T(_walk) w,
                                size_t groups, size_t per_row) {
    const T(_state) s = *state; /* a copy stays in registers: a store to dst might change *state */
    size_t left = per_row;
    group g = T(_next)(&s, &w);
    for (; groups; groups--, dst += OUT_BYTES) {
        const group ahead = T(_next)(&s, &w);
        T(_store)(dst, &s, &g, 1);
        g = ahead;
        if (!--left) {
            left = per_row;
            dst += gap;
        }
    }
}

/* Does the same from any address on, without gaps.  NumPy's large arrays lie 16 bytes past the
 * beginning of a cache line, and a streaming store cannot go there, since it must be aligned.  So
 * groups are stored into a strip, a buffer in the first-level cache, and dst gets whole lines out
 * of the strip, by loads that straddle two lines of the strip.  (Ordinary stores to dst that
 * straddle two lines cost more: uniforms reached 0.83 of the store limit with them.)  While one
 * strip is filled, the other one is copied to dst: a line that is read back at once would wait for
 * its stores, which are committed only after the streaming stores before them.  (With one strip,
 * uniforms reached 0.73 of the store limit.) */
static void T(_groups_shifted)(char *dst, const T(_state) * state, T(_walk) w, size_t groups) {
    const T(_state) s = *state; /* a copy stays in registers: a store to dst might change *state */
    enum { STRIP_BYTES = STRIP_GROUPS * OUT_BYTES };
    /* A load waits for an earlier store that has the same low twelve address bits and has not been
     * committed yet; a uniform then takes up to 1.7 times as long.  So the low twelve bits of the
     * three addresses are kept apart: the strip that is filled first lies a quarter of a page after
     * dst, and the other strip half a page after the end of the first.  (The strips of 2-byte types
     * are half a page long, so that the low bits of both strips agree all the same.  What that
     * costs has not been measured.) */
    char room[PAGE + CACHE_LINE + STRIP_BYTES + PAGE / 2 + STRIP_BYTES];
    const size_t lead = (uintptr_t)dst % CACHE_LINE; /* from the beginning of dst's line to dst */
    /* Before each strip there is room for up to a line: the bytes that the other strip has left,
     * because they do not fill a line of dst, are copied there. */
    char *filling = room + CACHE_LINE;
    filling += ((uintptr_t)dst - lead + PAGE / 4 - (uintptr_t)filling) % PAGE;
    char *leaving = filling + STRIP_BYTES + PAGE / 2;
    size_t leaving_bytes = 0;
    int first_line = 1; /* is the next line of dst its first one, whose beginning is not ours? */
    group g = T(_next)(&s, &w);
    dst -= lead;
    do {
        const size_t now = groups < STRIP_GROUPS ? groups : STRIP_GROUPS;
        size_t at = 0;
        if (leaving_bytes && first_line) {
            memcpy(dst + lead, leaving, CACHE_LINE - lead);
            at = CACHE_LINE;
            first_line = 0;
        }
        for (size_t k = 0; k < now; k++) {
            const group ahead = T(_next)(&s, &w);
            T(_store)(filling + k * OUT_BYTES, &s, &g, 0);
            g = ahead;
            for (; at < leaving_bytes && at < (k + 1) * OUT_BYTES; at += STREAM_BYTES)
                stream_u32(dst + at, load_u32(leaving + at - lead));
        }
        for (; at < leaving_bytes; at += STREAM_BYTES)
            stream_u32(dst + at, load_u32(leaving + at - lead));
        dst += leaving_bytes;
        if (leaving_bytes)
            memcpy(filling - lead, leaving + leaving_bytes - lead, lead);
        char *const filled = filling;
        filling = leaving;
        leaving = filled;
        leaving_bytes = now * OUT_BYTES;
        groups -= now;
    } while (leaving_bytes);
    memcpy(dst, leaving - lead, lead); /* the beginning of dst's last line */
}
#endif

/* Store whole groups to adjacent memory, or in rows with a gap between them. */
static void T(_whole)(char *dst, ptrdiff_t gap, const T(_state) * s, T(_walk) w, size_t groups,
                      size_t per_row, int nontemporal) {
#if STREAM_BYTES
    if (nontemporal && ((uintptr_t)dst | (uintptr_t)gap) % CACHE_LINE == 0)
        T(_groups_streamed)(dst, gap, s, w, groups, per_row);
    else if (nontemporal && SHIFTABLE && !gap)
        T(_groups_shifted)(dst, s, w, groups);
    else
#endif
        T(_groups)(dst, gap, s, w, groups, per_row);
    (void)nontemporal;
}

/* Store one row, whose ends may lie within a group. */
static void T(_row)(char *dst, const T(_state) * s, uint64_t stream, uint64_t first, size_t count,
                    int nontemporal) {
    const size_t skip = first % GROUP_ITEMS;
    if (skip || count < GROUP_ITEMS) {
        const size_t head = GROUP_ITEMS - skip < count ? GROUP_ITEMS - skip : count;
        T(_part)(dst, s, counter_at(stream, first / GROUP_ITEMS * ARS_GROUP_BLOCKS), skip, head);
        first += head;
        dst += head * ITEM_BYTES;
        count -= head;
    }
    const size_t rest = count % GROUP_ITEMS, groups = count / GROUP_ITEMS;
    if (groups)
        T(_whole)(dst, 0, s, T(_walk_from)(stream, first, 0, 0, 1, count - rest), groups, groups,
                  nontemporal);
    if (rest)
        T(_part)(dst + groups * OUT_BYTES, s,
                 counter_at(stream, (first / GROUP_ITEMS + groups) * ARS_GROUP_BLOCKS), 0, rest);
}

/* Store short rows.  The whole groups that hold a row go into a slot of a ring of slots.  The row
 * is copied from the slot to dst when all other slots have been filled too: by then the stores into
 * the slot have been committed, so that the loads from it need not wait. */
static void T(_short_rows)(char *dst, ptrdiff_t dst_step, const T(_state) * state, T(_walk) w,
                           size_t rows, size_t groups_most, int nontemporal) {
    const T(_state) s = *state;
    char ring[2 * STRIP_GROUPS * OUT_BYTES];
    const size_t slot = groups_most * OUT_BYTES, slots = sizeof ring / slot;
    char *const end = ring + slots * slot, *in = ring;
    const char *out = ring;
    const char *coming = dst; /* where the row goes that is being drawn */
    group g = T(_next)(&s, &w);
    for (size_t k = 0; k < rows + slots - 1; k++) {
        if (k < rows) {
            if (nontemporal)
                fetch_shared_lines(coming, w.count * ITEM_BYTES);
            coming += dst_step;
            const size_t row_end = T(_first_of)(&w, k) % GROUP_ITEMS + w.count;
            for (size_t at = 0; at < row_end; at += GROUP_ITEMS) {
                const group ahead = T(_next)(&s, &w);
                T(_store)(in + at * ITEM_BYTES, &s, &g, 0);
                g = ahead;
            }
            in = in + slot == end ? ring : in + slot;
        }
        if (k >= slots - 1) {
            const size_t skip = T(_first_of)(&w, k - (slots - 1)) % GROUP_ITEMS;
            copy_row(dst, out + skip * ITEM_BYTES, w.count * ITEM_BYTES, nontemporal);
            dst += dst_step;
            out = out + slot == end ? ring : out + slot;
        }
    }
}

static void CAT(draw_tile_, NAME)(void *tile, ptrdiff_t row_bytes, uint64_t first,
                                  uint64_t first_step, const int64_t *ids, size_t rows,
                                  size_t count, const wif_draw *draw, wif_strips *strips) {
    const T(_state)
        s = {expand_keys(draw->key_low, draw->key_high), CAT(TRANSFORM, _prepare)(draw)};
    T(_walk) w = T(_walk_from)(draw->stream, first, first_step, ids, rows, count);
    wif_strips leaving = *strips; /* as with the state above, a copy stays in registers */
    size_t owed = 0;              /* bytes that have been drawn, for which none has left */
    char *row = tile;
    group g = T(_next)(&s, &w);
    for (size_t k = 0; k < rows; k++, row += row_bytes) {
        const size_t skip = T(_first_of)(&w, k) % GROUP_ITEMS;
        char *to = row - skip * ITEM_BYTES;
        for (size_t at = 0; at < skip + count; at += GROUP_ITEMS, to += OUT_BYTES) {
            const group ahead = T(_next)(&s, &w);
            T(_store)(to, &s, &g, 0);
            g = ahead;
            for (owed += OUT_BYTES; owed >= CACHE_LINE; owed -= CACHE_LINE)
                empty_line(&leaving);
        }
    }
    *strips = leaving;
    leave_registers();
}

static void CAT(draw_rows_, NAME)(void *dst, ptrdiff_t dst_step, uint64_t first,
                                  uint64_t first_step, const int64_t *ids, size_t rows,
                                  size_t count, const wif_draw *draw, int nontemporal) {
    const T(_state)
        s = {expand_keys(draw->key_low, draw->key_high), CAT(TRANSFORM, _prepare)(draw)};
    const T(_walk) w = T(_walk_from)(draw->stream, first, first_step, ids, rows, count);
    const size_t row_bytes = count * ITEM_BYTES;
    const ptrdiff_t gap = dst_step - (ptrdiff_t)row_bytes;
    const int whole_groups = (first | first_step | count) % GROUP_ITEMS == 0;
    const int whole_lines = ((uintptr_t)dst | (uintptr_t)gap) % CACHE_LINE == 0;
    /* The most groups that may hold elements of one row. */
    const size_t groups_most = (count + 2 * (GROUP_ITEMS - 1)) / GROUP_ITEMS;
    /* Whether there are gaps between the rows, and storing the rows past the caches pays anyway. */
    const int stream_rows = STREAM_BYTES && nontemporal && gap &&
                            (dst_step % CACHE_LINE == 0 || row_bytes >= STREAMED_ROW_BYTES);
    /* Rows of whole groups are one run of groups.  Other rows go through a ring of slots if they
     * are short: up to STRIP_GROUPS groups if they are stored past the caches, and up to 5 groups
     * otherwise.  All other rows are stored one by one. */
    if (rows > 1 && whole_groups && (whole_lines || !stream_rows)) {
        T(_whole)(dst, gap, &s, w, rows * (count / GROUP_ITEMS), count / GROUP_ITEMS, nontemporal);
    } else if (rows > 1 && stream_rows && groups_most <= STRIP_GROUPS) {
        T(_short_rows)(dst, dst_step, &s, w, rows, groups_most, 1);
    } else if (rows > 1 && groups_most <= 5) {
        T(_short_rows)(dst, dst_step, &s, w, rows, groups_most, 0);
    } else {
        const int stream_row = nontemporal && row_bytes >= (gap ? STREAMED_ROW_BYTES : PAGE);
        char *row = dst;
        for (size_t k = 0; k < rows; k++, row += dst_step) {
            if (stream_row && gap && k + 1 < rows)
                fetch_shared_lines(row + dst_step, row_bytes);
            T(_row)(row, &s, draw->stream, T(_first_of)(&w, k), count, stream_row);
        }
    }
#if STREAM_BYTES
    if (nontemporal)
        stream_fence();
#endif
    leave_registers();
}

#undef CAT_
#undef CAT
#undef T
#undef OUT_BYTES
#undef SHIFTABLE
#undef TRANSFORM
#undef OUTPUT
#undef VEC
#undef NAME
#undef GROUP_ITEMS
#undef ITEM_BYTES
