/* The interface between the factorisation of a matrix (orthogonal.c) and its kernels
 * (panels_template.h), and the sizes that the stream contract fixes.
 *
 * A matrix lies in memory as panels of WIF_PANEL_COLUMNS columns, one after the other.  In a panel
 * the rows follow each other, so that both products below read memory in order.  The last panel has
 * only the columns that are left, and its rows are as long, so that a matrix of one column takes no
 * more memory than a vector.  Every panel has zeros in some rows below the last one, which fill up
 * its last tile.
 *
 * Kernels read whole registers, and so they read on from a row of a narrow panel into the rows
 * below it.  A lane is a column, and no number of the panel depends on the lanes beyond its
 * columns. Behind the last panel there are WIF_PANEL_COLUMNS zeros, which its last rows read. */
#ifndef WIF_PANELS_H
#define WIF_PANELS_H

#include <stddef.h>
#include <stdint.h>

/* Fixed by the contract. */
enum {
    WIF_PANEL_COLUMNS = 32,
    WIF_BLOCK_ROWS = 128,        /* of an inner product */
    WIF_SPAN_ROWS = 32 * 128,    /* 32 blocks */
    WIF_BLOCK_PANELS = 128 / 32, /* a block of columns that are removed */
    WIF_PANEL_ROUNDS = 8
};

enum {
    WIF_PANEL_SQUARE = WIF_PANEL_COLUMNS * WIF_PANEL_COLUMNS, /* numbers in a product of panels */
    WIF_PANEL_TILE_ROWS = 8 /* a multiple of the rows of a kernel's tile, on every set */
};

/* A matrix in panels, of float32 or float64. */
typedef struct {
    void *panels;
    int64_t rows, columns;
    int64_t panel_step; /* from one panel to the next, in numbers */
    double gain;        /* on the elements that are read */
} wif_matrix;

/* The kernels of one type.  Numbers of products are stored as squares of WIF_PANEL_SQUARE numbers:
 * the square of a left and a right panel holds the inner product of left column i and right column
 * j at i * WIF_PANEL_COLUMNS + j. */
typedef struct {
    /* Form the inner products of the columns of `lefts` panels and `rights` panels, summed over the
     * rows from row_begin to row_end; row_begin is the beginning of a block.  The last of the right
     * panels has `columns` columns; so has the left panel if it is the same one, and all others are
     * whole.  The square of left panel i and right panel j is the one with the number j * step + i.
     * Its numbers beyond the columns of either panel mean nothing.  If `more`, the squares hold the
     * sums of the blocks before, to which those of these blocks are added. */
    void (*inner)(void *squares, int64_t step, const void *left, int64_t lefts, const void *right,
                  int64_t rights, int64_t columns, int64_t panel_step, int64_t row_begin,
                  int64_t row_end, int more);
    /* Subtract from each of `rights` panels, of which the last has `columns` columns, the product
     * of `lefts` whole panels, at most a block of columns, and their squares, in the rows from
     * row_begin to row_end, whole tiles. */
    void (*subtract)(void *right, int64_t rights, int64_t columns, const void *left, int64_t lefts,
                     const void *squares, int64_t step, int64_t panel_step, int64_t row_begin,
                     int64_t row_end);
    /* Add `count` squares to the first ones. */
    void (*add)(void *squares, const void *others, int64_t count);
    /* Make X of the contract from the square of a panel with itself, which is overwritten; return
     * whether the panel is done.  Bit j of *zeros tells that column j is zero. */
    int (*factor)(void *x, void *square, int64_t columns, double sigma, uint32_t *zeros);
    /* Multiply a panel of so many columns by X, in whole tiles of rows. */
    void (*multiply)(void *panel, int64_t columns, const void *x, int64_t row_begin,
                     int64_t row_end);
} wif_panels;

#endif
