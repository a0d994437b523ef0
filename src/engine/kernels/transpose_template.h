/* Defines the static function transpose_<ITEM>, a wif_transpose (kernels.h), which transposes a
 * tile into the buffer.  Each inclusion defines it for one size of element, and undefines
 *
 *   ITEM  the size of an element in bytes: 1, 2, 4 or 8
 *
 * at the end.
 *
 * SIDE columns of the tile are transposed at a time, in SIDE registers.  A register holds PIECES
 * pieces of 16 bytes.  Each piece is SIDE adjacent elements of one row, and the rows of a
 * register's pieces are SIDE apart.  So the first pieces of all registers make a square of SIDE
 * rows and SIDE columns, the second pieces another square, and so on.  log2(SIDE) rounds of zips
 * transpose all squares.  A float32 that is copied by itself costs 0.6 to 0.9 ns, twice the time in
 * which it is drawn.
 */
#ifndef ITEM
#error "transpose_template.h needs ITEM, the size of an element in bytes"
#endif
#if ITEM != 1 && ITEM != 2 && ITEM != 4 && ITEM != 8
#error "transpose_template.h has no transposition of elements of this size: ITEM is 1, 2, 4 or 8"
#endif

#define CAT_(a, b) a##b
#define CAT(a, b) CAT_(a, b)
#define T(name) CAT(name, ITEM)

#if PIECES
enum { T(SIDE_) = 16 / ITEM, T(STEP_) = T(SIDE_) * PIECES };

/* Transpose STEP rows of SIDE columns. */
INLINE void T(transpose_step_)(char *dst, ptrdiff_t column_step, const char *tile,
                               ptrdiff_t row_bytes) {
    enum { SIDE = T(SIDE_) };
    vu32 x[SIDE], y[SIDE];
    UNROLL for (int k = 0; k < SIDE; k++)
        x[k] = load_pieces(tile + k * row_bytes, SIDE * row_bytes);
    UNROLL for (int round = 1; round < SIDE; round *= 2) {
        UNROLL for (int k = 0; k < SIDE / 2; k++) {
            y[2 * k] = T(zip_low_)(x[k], x[k + SIDE / 2]);
            y[2 * k + 1] = T(zip_high_)(x[k], x[k + SIDE / 2]);
        }
        UNROLL for (int k = 0; k < SIDE; k++)
            x[k] = y[k];
    }
    UNROLL for (int k = 0; k < SIDE; k++)
        store_u32(dst + k * column_step, x[k]);
}
#endif

static void T(transpose_)(char *dst, ptrdiff_t column_step, const char *tile, ptrdiff_t row_bytes,
                          size_t rows, size_t columns) {
    size_t c = 0;
#if PIECES
    const size_t whole_rows = rows - rows % T(STEP_);
    for (; c + T(SIDE_) <= columns; c += T(SIDE_)) {
        const char *from = tile + c * ITEM;
        char *to = dst + (ptrdiff_t)c * column_step;
        size_t r = 0;
        for (; r < whole_rows; r += T(STEP_), from += T(STEP_) * row_bytes, to += sizeof(vu32))
            T(transpose_step_)(to, column_step, from, row_bytes);
        for (; r < rows; r++, from += row_bytes, to += ITEM)
            for (int k = 0; k < T(SIDE_); k++)
                memcpy(to + k * column_step, from + k * ITEM, ITEM);
    }
#endif
    for (; c < columns; c++)
        for (size_t r = 0; r < rows; r++)
            memcpy(dst + (ptrdiff_t)c * column_step + r * ITEM,
                   tile + (ptrdiff_t)r * row_bytes + c * ITEM, ITEM);
}

#undef CAT_
#undef CAT
#undef T
#undef ITEM
