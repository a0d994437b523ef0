/* Strips: the columns of a tile, which wait until they leave as whole cache lines.
 *
 * Where the elements of a column follow each other in memory (Fortran order), the rows of a tile
 * are drawn, and then transposed into strips, one for each column.  While the next tile is drawn,
 * the lines of the strips are stored into the buffer, past the caches.  (A line that an ordinary
 * store fills, or fills in part, is read from memory first: uniforms in Fortran order then take 6
 * to 14 times as long as in C order on an Intel Xeon, family 6, model 167.)
 *
 * A column may begin anywhere within a line of the buffer.  What does not fill a line at the end of
 * a strip is kept for the next tile of the same columns, in the room for one line that is before
 * each strip.
 */
#ifndef WIF_STRIPS_H
#define WIF_STRIPS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { WIF_LINE_BYTES = 64 };

typedef struct {
    char *strips;          /* where the strip of the first column begins */
    size_t strip_bytes;    /* from one strip to the next */
    char *dst;             /* where the first strip goes in the buffer */
    ptrdiff_t column_step; /* in bytes, from there to where the next strip goes */
    size_t columns;        /* how many */
    size_t bytes;          /* of each column, in this tile */
    int is_first;          /* whether this is the first tile of its columns: nothing is kept */
    /* the line that leaves next, how many lines of its column are left, and how many columns */
    const char *from;
    char *to;
    size_t lines_left, columns_left;
} wif_strips;

/* Go to the next column. */
static inline void wif_strips_next(wif_strips *s) {
    const size_t column = s->columns - s->columns_left--;
    char *const dst = s->dst + (ptrdiff_t)column * s->column_step;
    const size_t lead = (uintptr_t)dst % WIF_LINE_BYTES, end = lead + s->bytes;
    /* wif_strips_begin has stored what the first tile has of the line in which a column begins. */
    const size_t skip = s->is_first && lead ? WIF_LINE_BYTES : 0;
    s->from = s->strips + column * s->strip_bytes - lead + skip;
    s->to = dst - lead + skip;
    s->lines_left = end > skip ? (end - skip) / WIF_LINE_BYTES : 0;
}

/* Begin with the strips of a tile, which have been filled. */
static inline void wif_strips_begin(wif_strips *s) {
    for (size_t k = 0; s->is_first && k < s->columns; k++) {
        char *const dst = s->dst + (ptrdiff_t)k * s->column_step;
        const size_t to_line = -(uintptr_t)dst % WIF_LINE_BYTES;
        memcpy(dst, s->strips + k * s->strip_bytes, to_line < s->bytes ? to_line : s->bytes);
    }
    s->columns_left = s->columns;
    wif_strips_next(s);
}

#endif
