/* The transforms of one family; transforms.h includes this once for single, once for double, with
 *   REAL, BITS     the C types of an element and of its bits
 *   VF, VU         registers of both
 *   F, U, P        the vocabulary's names for both, and the names of the polynomials
 *   PARAMS, ...    the names of a transform's three parts
 *   WORD_BITS      random bits an element
 *   MANTISSA_BITS  of the stored significand
 *   VECTORS        registers of elements that a group makes
 */

/* RN(int(word)) * 2^(1 - WORD_BITS), in [-1, 1]. */
INLINE VF F(fraction)(VU word) {
    const REAL unit = (REAL)1 / (REAL)((BITS)1 << (WORD_BITS - 1));
    return F(mul)(F(to)(word), F(set1)(unit));
}

#define SPREAD(field) F(set1)((REAL)draw->field)

/* ---- uniform: y = clamp(half * s + centre) ------------------------------------------------- */

typedef struct {
    VF centre, half, least, greatest;
} PARAMS(uniform);

INLINE PARAMS(uniform) PREPARE(uniform)(const wif_draw *draw) {
    return (PARAMS(uniform)){SPREAD(centre), SPREAD(half), SPREAD(least), SPREAD(greatest)};
}

INLINE void GROUP(uniform)(const PARAMS(uniform) *p, const group *g, VF *y) {
    UNROLL for (int v = 0; v < VECTORS; v++) {
        const VF x = F(fma)(p->half, F(fraction)(U(group)(g, v)), p->centre);
        y[v] = F(at_most)(p->greatest, F(at_least)(p->least, x));
    }
}

/* As above with its clamps moved to the words, where integers are cheaper and the scale needs no
 * multiplication of its own: for parameters with which that changes no bit (wif_trim). */
#if WORD_BITS == 32
typedef struct {
    VF centre, half;
    VU least, greatest;
} PARAMS(trimmed);

INLINE PARAMS(trimmed) PREPARE(trimmed)(const wif_draw *draw) {
    return (PARAMS(trimmed)){SPREAD(centre), SPREAD(half), U(set1)((BITS)draw->word_least),
                             U(set1)((BITS)draw->word_greatest)};
}

INLINE void GROUP(trimmed)(const PARAMS(trimmed) *p, const group *g, VF *y) {
    UNROLL for (int v = 0; v < VECTORS; v++) {
        const VU word = at_most_i32(p->greatest, at_least_i32(p->least, U(group)(g, v)));
        y[v] = F(fma)(p->half, F(to)(word), p->centre);
    }
}
#endif

/* ---- normal: Box & Muller (1958), with a half-plane angle and a sign bit ------------------- */

INLINE VF F(horner)(VF x, const REAL *coefficient, int terms) {
    VF y = F(set1)(coefficient[terms - 1]);
    UNROLL for (int k = terms - 2; k >= 0; k--)
        y = F(fma)(y, x, F(set1)(coefficient[k]));
    return y;
}

/* The logarithm by a table of eight cells (derive_polynomials.py): u = m 2^e, i = the cell of m. */
typedef struct {
    F(table) inverse, log;
} F(cells);

/* For times * -2 ln u + more, times a power of two. */
INLINE F(cells) F(load_cells)(REAL times, double more) {
    static const REAL inverses[] = P(LOG_CELL_INVERSES), logs[] = P(LOG_CELL_LOGS);
    REAL shares[COUNT(logs)];
    for (int k = 0; k < COUNT(logs); k++)
        shares[k] = (REAL)(times * logs[k] + more);
    return (F(cells)){F(load_table)(inverses), F(load_table)(shares)};
}

/* times * -2 ln u + more, for 0 < u <= 1.  f = m / centre - 1 is exact in the cell that ends at 1,
 * where its share and t's are opposite: relative accuracy holds as u -> 1. */
INLINE VF F(minus_2_log)(const F(cells) * cells, REAL times, VF u) {
    static const REAL terms[] = P(LOG);
    const VU one = F(bits)(F(set1)(1)), mantissa = U(set1)(((BITS)1 << MANTISSA_BITS) - 1);
    const VU t = U(sra)(U(sub)(F(bits)(u), one), MANTISSA_BITS - 3); /* 8 e + i */
    const VF m = F(from_bits)(U(merge)(mantissa, F(bits)(u), one));
    const VF f = F(fma)(m, F(look_up)(&cells->inverse, t), F(set1)(-1));
    const VF share = F(look_up)(&cells->log, t);
    VF slope = F(set1)(times * terms[COUNT(terms) - 1]);
    UNROLL for (int k = COUNT(terms) - 2; k >= 0; k--)
        slope = F(fma)(slope, f, F(set1)(times * terms[k]));
    return F(fma)(slope, f, F(fma)(F(to)(t), F(set1)(times * P(LOG_STEP)), share));
}

/* A polynomial whose coefficients are registers, lowest order first. */
INLINE VF F(horner_scaled)(VF x, const VF *coefficient, int terms) {
    VF y = coefficient[terms - 1];
    UNROLL for (int k = terms - 2; k >= 0; k--)
        y = F(fma)(y, x, coefficient[k]);
    return y;
}

/* coefficient[k] * scale, rounded once. */
INLINE void F(scale_terms)(VF *y, const double *coefficient, int terms, double scale) {
    UNROLL for (int k = 0; k < terms; k++)
        y[k] = F(set1)((REAL)(scale * coefficient[k]));
}

typedef struct {
    F(cells) cells;
    VF sin_terms[TERMS(SIN)], cos_terms[TERMS(COS)], mean;
} PARAMS(normal);

INLINE PARAMS(normal) PREPARE(normal)(const wif_draw *draw) {
    static const double sin_terms[] = P(SIN), cos_terms[] = P(COS);
    PARAMS(normal) p = {.cells = F(load_cells)(4, 0), .mean = SPREAD(mean)};
    F(scale_terms)(p.sin_terms, sin_terms, COUNT(sin_terms), draw->std / 2);
    F(scale_terms)(p.cos_terms, cos_terms, COUNT(cos_terms), draw->std / 2);
    return p;
}

/* r = 2 sqrt(-2 ln u), with A's low bit as its sign, and x = fraction(B): mean + r std/2 cos(pi/2
 * x) and mean + r std/2 sin(pi/2 x). */
INLINE void GROUP(normal)(const PARAMS(normal) *p, const group *g, VF *y) {
    enum { HALF = VECTORS / 2 };
    UNROLL for (int v = 0; v < HALF; v++) {
        const VU a = U(group)(g, v), b = U(group)(g, v + HALF);
        const VF u = F(radius_argument)(a, b);
        const VF size = F(sqrt)(F(minus_2_log)(&p->cells, 4, u));
        const VF r = F(xor)(size, U(shl)(a, WORD_BITS - 1));
        const VF x = F(fraction)(b), x2 = F(mul)(x, x), rx = F(mul)(r, x);
        y[v] = F(fma)(r, F(horner_scaled)(x2, p->cos_terms, TERMS(COS)), p->mean);
        y[v + HALF] = F(fma)(rx, F(horner_scaled)(x2, p->sin_terms, TERMS(SIN)), p->mean);
    }
}

/* ---- truncated normal: the quantile of a probability between those of the bounds ----------- */

/* With x = 2 Phi(z) - 1 and n = -2 ln(1 - x^2), z / x is a smooth function of n (Giles,
 * "Approximating the erfinv function", GPU Computing Gems 2, 2012).  Where both bounds are near the
 * median, as the usual ones are, x has all the digits that it takes, and one polynomial does. */
typedef struct {
    F(cells) cells;
    VF terms[TERMS(QUANTILE_NEAR)], centre, half, mean, least, greatest;
} PARAMS(near);

INLINE PARAMS(near) PREPARE(near)(const wif_draw *draw) {
    static const double terms[] = P(QUANTILE_NEAR);
    PARAMS(near) p = {F(load_cells)(1, 0), {SPREAD(mean)}, SPREAD(centre),  SPREAD(half),
                      SPREAD(mean),        SPREAD(least),  SPREAD(greatest)};
    F(scale_terms)(p.terms, terms, COUNT(terms), draw->std);
    return p;
}

/* RN(int(word - 2^(WORD_BITS - 1))): the probabilities ascend with the word. */
INLINE VF F(ascending)(VU word) { return F(to)(U(xor)(word, U(set1)((BITS)1 << (WORD_BITS - 1)))); }

INLINE void GROUP(near)(const PARAMS(near) *p, const group *g, VF *y) {
    UNROLL for (int v = 0; v < VECTORS; v++) {
        const VF x = F(fma)(F(ascending)(U(group)(g, v)), p->half, p->centre);
        const VF rest = F(fma)(F(negate)(x), x, F(set1)(1));
        const VF n = F(minus_2_log)(&p->cells, 1, rest);
        const VF z = F(fma)(F(horner_scaled)(n, p->terms, TERMS(QUANTILE_NEAR)), x, p->mean);
        y[v] = F(at_most)(p->greatest, F(at_least)(p->least, z));
    }
}

/* In the tails x -> 1 loses them, and q = Phi(-|z|) keeps them: n = -2 ln(4 q (1 - q)).  So both
 * are made of the word, x of its signed fraction, q of its distance from the nearer end of the
 * interval: one polynomial to |z| of about 3, where most elements are, and pieces in sqrt(n)
 * beyond, behind a branch.
 *
 * q is scaled by 2^k for far bounds of the double family, whose words would go below the least
 * normal number; the logarithm takes k out again, with the centre of the polynomial. */
typedef struct {
    F(cells) cells;
    VF centre, half;                            /* of x */
    VF tail_low, tail_high, tail_step, unscale; /* of q */
    VF mean, std, least, greatest;
} PARAMS(truncated);

INLINE PARAMS(truncated) PREPARE(truncated)(const wif_draw *draw) {
    return (PARAMS(truncated)){F(load_cells)(1, draw->log_shift),
                               SPREAD(centre),
                               SPREAD(half),
                               SPREAD(tail_low),
                               SPREAD(tail_high),
                               SPREAD(tail_step),
                               SPREAD(unscale),
                               SPREAD(mean),
                               SPREAD(std),
                               SPREAD(least),
                               SPREAD(greatest)};
}

/* z / x for the lanes with t = n - shift beyond the central polynomial; the others keep theirs. */
static NOINLINE VF F(quantile_tails)(VF t, VF central) {
    static const REAL edges[] = P(QUANTILE_TAIL_EDGES), centres[] = P(QUANTILE_TAIL_CENTRES);
    static const REAL terms[COUNT(edges)][TERMS(QUANTILE_TAIL)] = P(QUANTILE_TAIL);
    const VF r = F(sqrt)(F(add)(t, F(set1)(P(QUANTILE_SHIFT))));
    VF result = central;
    for (int k = 0; k < COUNT(edges); k++) {
        const VF at = k ? r : t, edge = F(set1)(k ? edges[k] : P(QUANTILE_SPLIT));
        if (!F(any_from)(at, edge))
            break;
        const VF piece = F(horner)(F(add)(r, F(set1)(-centres[k])), terms[k], COUNT(*terms));
        result = F(select_from)(at, edge, piece, result);
    }
    return result;
}

INLINE void GROUP(truncated)(const PARAMS(truncated) *p, const group *g, VF *y) {
    static const REAL terms[] = P(QUANTILE_CENTRE);
    const VU ones = U(set1)((BITS)-1);
    UNROLL for (int v = 0; v < VECTORS; v++) {
        const VU w = U(group)(g, v);
        const VF x = F(fma)(F(ascending)(w), p->half, p->centre);
        const VU steps = U(select_negative)(F(bits)(x), w, U(xor)(w, ones));
        const VU tail = U(select_negative)(F(bits)(x), F(bits)(p->tail_low), F(bits)(p->tail_high));
        const VF q = F(fma)(F(unsigned_to)(steps), p->tail_step, F(from_bits)(tail));
        const VF t = F(minus_2_log)(&p->cells, 1, F(mul)(q, F(fma)(q, p->unscale, F(set1)(4))));
        VF ratio = F(horner)(t, terms, COUNT(terms));
        if (UNLIKELY(F(any_from)(t, F(set1)(P(QUANTILE_SPLIT)))))
            ratio = F(quantile_tails)(t, ratio);
        const VF z = F(fma)(p->std, F(mul)(x, ratio), p->mean);
        y[v] = F(at_most)(p->greatest, F(at_least)(p->least, z));
    }
}

#undef SPREAD
