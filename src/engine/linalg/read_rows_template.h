/* One kernel that reads a matrix in panels: a wif_draw_rows (kernels.h) whose elements are those of
 * draw->matrix, row after row, times its gain.  So a matrix can be written wherever a stream can:
 * into any strides, or in part.  isa.c includes this file once for each type, with
 *
 *   TYPE   the type, e.g. bf16
 *   REAL   the type of the matrix, float or double
 *   VEC    its register, e.g. vf32
 *   F(x)   the vocabulary's x for it, e.g. mul_f32
 *   PUT    the store of outputs.h for the elements of a row of a panel
 *   ITEMS  how many elements PUT stores */
#ifndef TYPE
#error "read_rows_template.h needs TYPE, the type of the elements"
#endif
#ifndef REAL
#error "read_rows_template.h needs REAL, the type of the matrix"
#endif
#ifndef VEC
#error "read_rows_template.h needs VEC, the type of a register"
#endif
#ifndef F
#error "read_rows_template.h needs F, which makes a name of the vocabulary"
#endif
#ifndef PUT
#error "read_rows_template.h needs PUT, a store of outputs.h"
#endif
#ifndef ITEMS
#error "read_rows_template.h needs ITEMS, how many elements PUT stores"
#endif

#define READ_JOIN_(a, b) a##b
#define READ_JOIN(a, b) READ_JOIN_(a, b)
#define READ(name) READ_JOIN(name, TYPE)
#define BYTES READ_JOIN(READ_JOIN(WIF_, TYPE), _BYTES)
#define LANES ((int)(sizeof(VEC) / sizeof(REAL)))

/* Store the whole row of a panel. */
INLINE void READ(read_whole_)(char *dst, const REAL *row, VEC gain) {
    for (int k = 0; k < WIF_PANEL_COLUMNS; k += ITEMS, dst += ITEMS * BYTES) {
        VEC y[ITEMS / LANES];
        UNROLL for (int v = 0; v < ITEMS / LANES; v++)
            y[v] = F(mul)(F(load)(row + k + v * LANES), gain);
        PUT(dst, y, 0);
    }
}

static void READ(read_rows_)(void *dst, ptrdiff_t dst_step, uint64_t first, uint64_t first_step,
                             const int64_t *ids, size_t rows, size_t count, const wif_draw *draw,
                             int nontemporal) {
    const wif_matrix *const m = draw->matrix;
    const VEC gain = F(set1)((REAL)m->gain);
    /* The rows of a single panel follow each other without gaps, so that it is read as one row. */
    const int single = m->columns <= WIF_PANEL_COLUMNS;
    const uint64_t columns = (uint64_t)(single ? m->rows * m->columns : m->columns);
    for (size_t k = 0; k < rows; k++) {
        const uint64_t at = first + (ids ? (uint64_t)ids[k] : k) * first_step;
        uint64_t row = at / columns, column = at % columns;
        char *to = (char *)dst + (ptrdiff_t)k * dst_step;
        for (size_t left = count, n; left; left -= n, to += n * BYTES) {
            const uint64_t rest = columns - column;
            const size_t skip = single ? 0 : column % WIF_PANEL_COLUMNS;
            const size_t here =
                rest + skip < WIF_PANEL_COLUMNS ? (size_t)rest : WIF_PANEL_COLUMNS - skip;
            const REAL *from = (const REAL *)m->panels;
            if (single)
                from += column;
            else
                from +=
                    (int64_t)(column / WIF_PANEL_COLUMNS) * m->panel_step +
                    (int64_t)row * (int64_t)(rest + skip < WIF_PANEL_COLUMNS ? rest + skip
                                                                             : WIF_PANEL_COLUMNS);
            n = here < left ? here : left;
            if (n == WIF_PANEL_COLUMNS) {
                READ(read_whole_)(to, from, gain);
            } else {
                char whole[WIF_PANEL_COLUMNS * BYTES];
                READ(read_whole_)(whole, from, gain);
                memcpy(to, whole + skip * BYTES, n * BYTES);
            }
            column += n;
            if (column == columns) {
                column = 0;
                row++;
            }
        }
    }
    (void)nontemporal;
    leave_registers();
}

#undef READ_JOIN_
#undef READ_JOIN
#undef READ
#undef BYTES
#undef LANES
#undef TYPE
#undef REAL
#undef VEC
#undef F
#undef PUT
#undef ITEMS
