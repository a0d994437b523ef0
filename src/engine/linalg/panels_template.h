/* The kernels of panels.h for one type.  isa.c includes this file once for each family, with
 *
 *   REAL   the type, float or double
 *   VEC    its register, e.g. vf32
 *   F(x)   the vocabulary's x for it, e.g. add_f32
 *   LANES  the lanes of its register
 *   FLOOR  the contract's phi
 *
 * The heart of `inner`, `subtract` and `multiply` is one loop: a tile of TILE_ROWS rows and two
 * registers of columns stays in registers, and each step of the loop adds the product of a column
 * of TILE_ROWS numbers and a row of two registers.  A lane is a column of the result, so that no
 * sum ever crosses lanes, and its order does not depend on their number. */
#ifndef REAL
#error "panels_template.h needs REAL, the type of the numbers"
#endif
#ifndef VEC
#error "panels_template.h needs VEC, the type of a register"
#endif
#ifndef F
#error "panels_template.h needs F, which makes a name of the vocabulary"
#endif
#ifndef LANES
#error "panels_template.h needs LANES, the lanes of a register"
#endif
#ifndef FLOOR
#error "panels_template.h needs FLOOR, the contract's phi"
#endif

#define ZERO F(set1)(0)
#define WIDTH WIF_PANEL_COLUMNS
#define TILE_COLUMNS (2 * LANES)
/* As many rows as the registers hold: 16 of 32 registers sum (AVX-512, NEON), or 8 of 16. */
#define TILE_ROWS (LANES_32 == 8 || LANES_32 == 1 ? 4 : 8)

_Static_assert(WIDTH % TILE_COLUMNS == 0 && WIDTH % TILE_ROWS == 0 &&
                   WIF_PANEL_TILE_ROWS % TILE_ROWS == 0,
               "panels are whole tiles");

/* sum += column * row, where the numbers of the column are `step` apart. */
INLINE void F(add_product)(VEC sum[TILE_ROWS][2], const REAL *column, size_t step,
                           const REAL *row) {
    const VEC low = F(load)(row), high = F(load)(row + LANES);
    UNROLL for (int i = 0; i < TILE_ROWS; i++) {
        const VEC x = F(set1)(column[(size_t)i * step]);
        sum[i][0] = F(fma)(x, low, sum[i][0]);
        sum[i][1] = F(fma)(x, high, sum[i][1]);
    }
}

INLINE void F(clear)(VEC sum[TILE_ROWS][2]) {
    UNROLL for (int i = 0; i < TILE_ROWS; i++)
        sum[i][0] = sum[i][1] = ZERO;
}

/* One tile of inner products over the rows of a block, which it adds to the tile, unless the block
 * is the first. */
INLINE void F(inner_tile)(REAL *tile, const REAL *left, int64_t left_columns, const REAL *right,
                          int64_t right_columns, int64_t rows, int is_first) {
    VEC sum[TILE_ROWS][2];
    F(clear)(sum);
    for (int64_t r = 0; r < rows; r++)
        F(add_product)(sum, left + r * left_columns, 1, right + r * right_columns);
    UNROLL for (int i = 0; i < TILE_ROWS; i++) UNROLL
        for (int v = 0; v < 2; v++) {
            REAL *const to = tile + i * WIDTH + v * LANES;
            F(store)(to, is_first ? sum[i][v] : F(add)(F(load)(to), sum[i][v]));
        }
}

/* The same for all tiles of a square of which a panel is narrow.  It is no part of F(inner), so
 * that the compiler keeps the constant steps of whole panels there. */
static NOINLINE void F(inner_narrow)(REAL *square, const REAL *left, int64_t left_columns,
                                     const REAL *right, int64_t right_columns, int64_t rows,
                                     int is_first) {
    if (is_first) /* the tiles that are left out are read too */
        memset(square, 0, WIF_PANEL_SQUARE * sizeof *square);
    for (int64_t at = 0; at < left_columns; at += TILE_ROWS)
        for (int64_t c = 0; c < right_columns; c += TILE_COLUMNS)
            F(inner_tile)(square + at * WIDTH + c, left + at, left_columns, right + c,
                          right_columns, rows, is_first);
}

static void F(inner)(void *squares, int64_t step, const void *left, int64_t lefts,
                     const void *right, int64_t rights, int64_t columns, int64_t panel_step,
                     int64_t row_begin, int64_t row_end, int more) {
    for (int64_t b = row_begin; b < row_end; b += WIF_BLOCK_ROWS) {
        const int64_t rows = row_end - b < WIF_BLOCK_ROWS ? row_end - b : WIF_BLOCK_ROWS;
        for (int64_t i = 0; i < lefts; i++)
            for (int64_t j = 0; j < rights; j++) {
                REAL *const square = (REAL *)squares + (j * step + i) * WIF_PANEL_SQUARE;
                const REAL *const x = (const REAL *)left + i * panel_step;
                const REAL *const y = (const REAL *)right + j * panel_step;
                const int64_t y_columns = j + 1 < rights ? WIDTH : columns;
                const int64_t x_columns = x == y ? y_columns : WIDTH;
                const int is_first = b == row_begin && !more;
                if (y_columns < WIDTH) {
                    F(inner_narrow)(square, x + b * x_columns, x_columns, y + b * y_columns,
                                    y_columns, rows, is_first);
                    continue;
                }
                for (int at = 0; at < WIDTH; at += TILE_ROWS)
                    for (int c = 0; c < WIDTH; c += TILE_COLUMNS)
                        F(inner_tile)(square + at * WIDTH + c, x + b * WIDTH + at, WIDTH,
                                      y + b * WIDTH + c, WIDTH, rows, is_first);
            }
    }
    leave_registers();
}

/* Subtract from one tile the product of some panels, a block of columns or less, and squares.  The
 * rows of the tile, before and after, are `step` numbers apart. */
INLINE void F(subtract_tile)(REAL *after, const REAL *before, int64_t step, const REAL *left,
                             int64_t lefts, int64_t panel_step, const REAL *squares) {
    VEC sum[TILE_ROWS][2];
    F(clear)(sum);
    for (int64_t p = 0; p < lefts; p++)
        for (int64_t k = 0; k < WIDTH; k++)
            F(add_product)(sum, left + p * panel_step + k, WIDTH,
                           squares + p * WIF_PANEL_SQUARE + k * WIDTH);
    UNROLL for (int i = 0; i < TILE_ROWS; i++) UNROLL
        for (int v = 0; v < 2; v++) {
            const int64_t at = i * step + v * LANES;
            F(store)(after + at, F(add)(F(load)(before + at), F(negate)(sum[i][v])));
        }
}

/* The same for TILE_ROWS rows of a narrow panel.  The register at the end of a row reaches into the
 * rows below it, which may belong to a chunk that another thread works on; so the rows are copied.
 * The rows that a store spoils are stored later, since tiles go from right to left, and the rows of
 * a tile downwards. */
static NOINLINE void F(subtract_narrow)(REAL *rows, int64_t columns, const REAL *left,
                                        int64_t lefts, int64_t panel_step, const REAL *squares) {
    REAL before[TILE_ROWS * WIDTH] = {0}, after[TILE_ROWS * WIDTH];
    const size_t bytes = (size_t)(TILE_ROWS * columns) * sizeof *rows;
    memcpy(before, rows, bytes);
    for (int64_t c = (columns - 1) / TILE_COLUMNS * TILE_COLUMNS; c >= 0; c -= TILE_COLUMNS)
        F(subtract_tile)(after + c, before + c, columns, left, lefts, panel_step, squares + c);
    memcpy(rows, after, bytes);
}

static void F(subtract)(void *right, int64_t rights, int64_t columns, const void *left,
                        int64_t lefts, const void *squares, int64_t step, int64_t panel_step,
                        int64_t row_begin, int64_t row_end) {
    for (int64_t j = 0; j < rights; j++) {
        const REAL *const s = (const REAL *)squares + j * step * WIF_PANEL_SQUARE;
        REAL *const panel = (REAL *)right + j * panel_step;
        for (int64_t r = row_begin; r < row_end; r += TILE_ROWS) {
            const REAL *const x = (const REAL *)left + r * WIDTH;
            if (j + 1 < rights || columns == WIDTH) {
                REAL *const y = panel + r * WIDTH;
                for (int c = 0; c < WIDTH; c += TILE_COLUMNS)
                    F(subtract_tile)(y + c, y + c, WIDTH, x, lefts, panel_step, s + c);
            } else {
                F(subtract_narrow)(panel + r * columns, columns, x, lefts, panel_step, s);
            }
        }
    }
    leave_registers();
}

static void F(add_squares)(void *squares, const void *others, int64_t count) {
    REAL *const to = squares;
    const REAL *const from = others;
    for (int64_t k = 0; k < count * WIF_PANEL_SQUARE; k += LANES)
        F(store)(to + k, F(add)(F(load)(to + k), F(load)(from + k)));
    leave_registers();
}

/* y += a * x in a row of a square, from the register on that holds this column.  The numbers of
 * that register before the column mean nothing afterwards. */
INLINE void F(add_row)(REAL *y, REAL a, const REAL *x, int64_t column) {
    for (int64_t c = column / LANES * LANES; c < WIDTH; c += LANES)
        F(store)(y + c, F(fma)(F(set1)(a), F(load)(x + c), F(load)(y + c)));
}

INLINE REAL F(root)(REAL d) {
    REAL lanes[LANES];
    F(store)(lanes, F(sqrt)(F(set1)(d)));
    return lanes[0];
}

static int F(factor)(void *x_square, void *gram_square, int64_t columns, double sigma,
                     uint32_t *zeros) {
    REAL *const gram = gram_square, *const x = x_square;
    REAL norms[WIDTH], inverses[WIDTH], sums[WIF_PANEL_SQUARE] = {0};
    int done = 1;
    *zeros = 0;
    for (int64_t i = 0; i < columns; i++)
        norms[i] = gram[i * WIDTH + i];
    /* Row i of the square becomes row i of R, which stands from column i + 1 on. */
    for (int64_t i = 0; i < columns; i++) {
        REAL *const row = gram + i * WIDTH;
        REAL d = row[i];
        if (norms[i] == 0) {
            *zeros |= UINT32_C(1) << i;
            d = 1;
            done = 0;
        } else if (d < (REAL)FLOOR * norms[i]) {
            d = (REAL)FLOOR * norms[i];
            done = 0;
        }
        inverses[i] = 1 / F(root)(d);
        for (int64_t c = 0; c < WIDTH; c += LANES)
            F(store)(row + c, F(mul)(F(load)(row + c), F(set1)(inverses[i])));
        for (int64_t k = i + 1; k < columns; k++)
            F(add_row)(gram + k * WIDTH, -row[k], row, k);
    }
    /* When column k of X is made, the sums have their terms for all columns before k. */
    memset(x, 0, WIF_PANEL_SQUARE * sizeof *x);
    for (int64_t k = 0; k < columns; k++) {
        x[k * WIDTH + k] = inverses[k];
        for (int64_t i = 0; i < k; i++)
            x[i * WIDTH + k] = -sums[i * WIDTH + k] * inverses[k];
        if (k + 1 < columns)
            for (int64_t i = 0; i <= k; i++)
                F(add_row)(sums + i * WIDTH, x[i * WIDTH + k], gram + k * WIDTH, k + 1);
    }
    /* The square of each column of X, by which the panel is judged. */
    for (int64_t c = 0; c < WIDTH; c += LANES) {
        VEC sum = ZERO;
        REAL squares[LANES];
        for (int64_t i = 0; i < columns; i++) {
            const VEC y = F(load)(x + i * WIDTH + c);
            sum = F(fma)(y, y, sum);
        }
        F(store)(squares, sum);
        for (int64_t k = 0; k < LANES; k++)
            done &= (REAL)sigma * squares[k] <= 8;
    }
    leave_registers();
    return done;
}

/* One tile of TILE_ROWS rows, `columns` long, times X. */
INLINE void F(multiply_tile)(REAL *after, const REAL *before, int64_t columns, const REAL *x) {
    VEC sum[TILE_ROWS][2];
    F(clear)(sum);
    for (int64_t k = 0; k < columns; k++)
        F(add_product)(sum, before + k, (size_t)columns, x + k * WIDTH);
    UNROLL for (int i = 0; i < TILE_ROWS; i++) UNROLL
        for (int v = 0; v < 2; v++)
            F(store)(after + i * columns + v * LANES, sum[i][v]);
}

/* TILE_ROWS rows of a narrow panel, in the order of F(subtract_narrow). */
static NOINLINE void F(multiply_narrow)(REAL *rows, int64_t columns, const REAL *x) {
    REAL before[TILE_ROWS * WIDTH], after[TILE_ROWS * WIDTH];
    const size_t bytes = (size_t)(TILE_ROWS * columns) * sizeof *rows;
    memcpy(before, rows, bytes);
    for (int64_t c = (columns - 1) / TILE_COLUMNS * TILE_COLUMNS; c >= 0; c -= TILE_COLUMNS)
        F(multiply_tile)(after + c, before, columns, x + c);
    memcpy(rows, after, bytes);
}

static void F(multiply)(void *panel, int64_t columns, const void *x, int64_t row_begin,
                        int64_t row_end) {
    for (int64_t r = row_begin; r < row_end; r += TILE_ROWS) {
        REAL *const rows = (REAL *)panel + r * columns;
        REAL before[TILE_ROWS * WIDTH];
        if (columns < WIDTH) {
            F(multiply_narrow)(rows, columns, x);
            continue;
        }
        memcpy(before, rows, sizeof before);
        for (int c = 0; c < WIDTH; c += TILE_COLUMNS)
            F(multiply_tile)(rows + c, before, WIDTH, (const REAL *)x + c);
    }
    leave_registers();
}

static const wif_panels F(panels) = {F(inner), F(subtract), F(add_squares), F(factor), F(multiply)};

#undef VEC
#undef ZERO
#undef WIDTH
#undef TILE_COLUMNS
#undef TILE_ROWS
#undef REAL
#undef F
#undef LANES
#undef FLOOR
