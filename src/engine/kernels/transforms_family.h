/* The transforms of one family.  transforms.h includes this file twice, for the single and for the
 * double family, with
 *
 *   REAL, BITS     the C type of an element, and that of its bits
 *   VF, VU         registers of elements, and of their bits
 *   F(name)        the vocabulary's name of an operation on elements, e.g. fma_f32
 *   U(name)        the vocabulary's name of an operation on their bits, e.g. xor_u32
 *   P(NAME)        the name of a polynomial of polynomials.h for this family
 *   TERMS(NAME)    how many coefficients that polynomial has
 *   PARAMS(T), PREPARE(T), GROUP(T)   the names of a transform's three parts
 *   WORD_BITS      how many random bits an element takes: 32 or 64
 *   MANTISSA_BITS  how many bits of the significand are stored
 *   VECTORS        how many registers of elements a group makes
 */
#if !defined(REAL) || !defined(BITS) || !defined(VF) || !defined(VU)
#error "transforms_family.h needs the types REAL and BITS and the registers VF and VU"
#endif
#if !defined(F) || !defined(U) || !defined(P) || !defined(TERMS)
#error "transforms_family.h needs the names F, U, P and TERMS"
#endif
#if !defined(PARAMS) || !defined(PREPARE) || !defined(GROUP)
#error "transforms_family.h needs the names PARAMS, PREPARE and GROUP"
#endif
#if !defined(MANTISSA_BITS) || !defined(VECTORS)
#error "transforms_family.h needs MANTISSA_BITS and VECTORS"
#endif
#if WORD_BITS != 32 && WORD_BITS != 64
#error "transforms_family.h needs WORD_BITS, which is 32 or 64"
#endif

_Static_assert(sizeof(REAL) * 8 == WORD_BITS && sizeof(BITS) == sizeof(REAL),
               "an element takes as many random bits as it has bits");

/* The fraction of a word is a number in [-1, 1]: the word as a signed integer, rounded to REAL,
 * times 2^(1 - WORD_BITS). */
INLINE VF F(fraction)(VU word) {
    const REAL unit = (REAL)1 / (REAL)((BITS)1 << (WORD_BITS - 1));
    return F(mul)(F(to)(word), F(set1)(unit));
}

/* A parameter of the draw in every lane of a register. */
#define BROADCAST(field) F(set1)((REAL)draw->field)

/* ---- uniform: y = clamp(half * s + centre) ------------------------------------------------- */

typedef struct {
    VF centre, half, least, greatest;
} PARAMS(uniform);

INLINE PARAMS(uniform) PREPARE(uniform)(const wif_draw *draw) {
    return (PARAMS(uniform)){BROADCAST(centre), BROADCAST(half), BROADCAST(least),
                             BROADCAST(greatest)};
}

INLINE void GROUP(uniform)(const PARAMS(uniform) *p, const group *g, VF *y) {
    UNROLL for (int v = 0; v < VECTORS; v++) {
        const VF x = F(fma)(p->half, F(fraction)(U(group)(g, v)), p->centre);
        y[v] = F(at_most)(p->greatest, F(at_least)(p->least, x));
    }
}

/* The variant of uniform that clamps the words instead of the values.  To compare integers is
 * cheaper, and the fraction needs no multiplication of its own, as half already holds its 2^-31.
 * wif_clamp_words (host/params.h) chooses this variant for parameters with which it changes no
 * bit. */
#if WORD_BITS == 32
typedef struct {
    VF centre, half;
    VU least, greatest;
} PARAMS(uniform_clamped_words);

INLINE PARAMS(uniform_clamped_words) PREPARE(uniform_clamped_words)(const wif_draw *draw) {
    return (PARAMS(uniform_clamped_words)){BROADCAST(centre), BROADCAST(half),
                                           U(set1)((BITS)draw->word_least),
                                           U(set1)((BITS)draw->word_greatest)};
}

INLINE void GROUP(uniform_clamped_words)(const PARAMS(uniform_clamped_words) *p, const group *g,
                                         VF *y) {
    UNROLL for (int v = 0; v < VECTORS; v++) {
        const VU word = at_most_i32(p->greatest, at_least_i32(p->least, U(group)(g, v)));
        y[v] = F(fma)(p->half, F(to)(word), p->centre);
    }
}
#endif

/* ---- normal: Box & Muller (1958), with an angle in a half-plane and a sign bit ------------- */

/* A polynomial by Horner's rule, coefficients lowest order first. */
INLINE VF F(horner)(VF x, const REAL *coefficient, int terms) {
    VF y = F(set1)(coefficient[terms - 1]);
    UNROLL for (int k = terms - 2; k >= 0; k--)
        y = F(fma)(y, x, F(set1)(coefficient[k]));
    return y;
}

/* The logarithm is computed with a table of eight cells, which divide [1, 2) into eight equal parts
 * (src/derive/derive_polynomials.py).  Below, u = m 2^e with m in [1, 2), and m lies in cell i. */
typedef struct {
    F(table) inverse, log;
} F(cells);

/* The table for factor * -2 ln u + addend, where factor is a power of two. */
INLINE F(cells) F(load_cells)(REAL factor, double addend) {
    static const REAL inverses[] = P(LOG_CELL_INVERSES), logs[] = P(LOG_CELL_LOGS);
    REAL shares[COUNT(logs)];
    for (int k = 0; k < COUNT(logs); k++)
        shares[k] = (REAL)(factor * logs[k] + addend);
    return (F(cells)){F(load_table)(inverses), F(load_table)(shares)};
}

/* factor * -2 ln u + addend, for 0 < u <= 1, with the table of this factor and addend.  In the last
 * cell, where u may tend to 1, f = m / 2 - 1 is exact, and what the cell and t add cancels, so that
 * the relative accuracy holds as u -> 1. */
INLINE VF F(minus_2_log)(const F(cells) * cells, REAL factor, VF u) {
    static const REAL terms[] = P(LOG);
    const VU one = F(bits)(F(set1)(1)), mantissa = U(set1)(((BITS)1 << MANTISSA_BITS) - 1);
    const VU t = U(sra)(U(sub)(F(bits)(u), one), MANTISSA_BITS - 3); /* t = 8 e + i */
    const VF m = F(from_bits)(U(merge)(mantissa, F(bits)(u), one));
    const VF f = F(fma)(m, F(look_up)(&cells->inverse, t), F(set1)(-1));
    const VF share = F(look_up)(&cells->log, t);
    VF slope = F(set1)(factor * terms[COUNT(terms) - 1]); /* -2 ln(1 + f) / f */
    UNROLL for (int k = COUNT(terms) - 2; k >= 0; k--)
        slope = F(fma)(slope, f, F(set1)(factor * terms[k]));
    return F(fma)(slope, f, F(fma)(F(to)(t), F(set1)(factor * P(LOG_STEP)), share));
}

/* A polynomial by Horner's rule whose coefficients are registers, lowest order first. */
INLINE VF F(horner_scaled)(VF x, const VF *coefficient, int terms) {
    VF y = coefficient[terms - 1];
    UNROLL for (int k = terms - 2; k >= 0; k--)
        y = F(fma)(y, x, coefficient[k]);
    return y;
}

/* y[k] = coefficient[k] * scale, rounded once to REAL. */
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
    PARAMS(normal) p = {.cells = F(load_cells)(4, 0), .mean = BROADCAST(mean)};
    F(scale_terms)(p.sin_terms, sin_terms, COUNT(sin_terms), draw->std / 2);
    F(scale_terms)(p.cos_terms, cos_terms, COUNT(cos_terms), draw->std / 2);
    return p;
}

/* A pair of elements is mean + r std/2 cos(pi/2 x) and mean + r std/2 sin(pi/2 x), where x is
 * fraction(B), r is 2 sqrt(-2 ln u), twice the contract's r, and the sign of r is the low bit of A.
 * The polynomials hold std/2 (src/derive/derive_polynomials.py says why not std). */
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
 * "Approximating the erfinv function", GPU Computing Gems, Jade edition, 2011).  If both bounds are
 * near the median of the parent, as the usual bounds are, x alone has enough digits, and one
 * polynomial in n is enough. */
typedef struct {
    F(cells) cells;
    VF terms[TERMS(QUANTILE_NEAR_MEDIAN)], centre, half, mean, least, greatest;
} PARAMS(truncated_near_median);

INLINE PARAMS(truncated_near_median) PREPARE(truncated_near_median)(const wif_draw *draw) {
    static const double terms[] = P(QUANTILE_NEAR_MEDIAN);
    PARAMS(truncated_near_median) p = {F(load_cells)(1, 0), {BROADCAST(mean)}, BROADCAST(centre),
                                       BROADCAST(half),     BROADCAST(mean),   BROADCAST(least),
                                       BROADCAST(greatest)};
    F(scale_terms)(p.terms, terms, COUNT(terms), draw->std);
    return p;
}

/* word - 2^(WORD_BITS - 1) as a signed integer, rounded to REAL.  An element's probability ascends
 * with this number, as it ascends with the word. */
INLINE VF F(ascending)(VU word) { return F(to)(U(xor)(word, U(set1)((BITS)1 << (WORD_BITS - 1)))); }

INLINE void GROUP(truncated_near_median)(const PARAMS(truncated_near_median) *p, const group *g,
                                         VF *y) {
    UNROLL for (int v = 0; v < VECTORS; v++) {
        const VF x = F(fma)(F(ascending)(U(group)(g, v)), p->half, p->centre);
        const VF rest = F(fma)(F(negate)(x), x, F(set1)(1));
        const VF n = F(minus_2_log)(&p->cells, 1, rest);
        const VF z = F(fma)(F(horner_scaled)(n, p->terms, TERMS(QUANTILE_NEAR_MEDIAN)), x, p->mean);
        y[v] = F(at_most)(p->greatest, F(at_least)(p->least, z));
    }
}

/* In the tails, where |x| -> 1, 1 - |x| has too few digits, while q = Phi(-|z|) has enough, and n
 * is -2 ln(4 q (1 - q)).  So both x and q are made from the word: x from the word as a signed
 * integer, q from the word's distance to the nearer end of the interval.  One polynomial serves up
 * to a |z| of about 3, where most elements are.  Beyond it there are polynomials in sqrt(n), one
 * for each piece of the tail, behind a branch.
 *
 * In the double family, if the bounds are far from the median, q is multiplied by 2^k, since the
 * step of q from word to word could be below the least normal number.  The logarithm takes 2^k out
 * again (log_shift), together with the shift of the polynomial's variable: t = n - shift. */
typedef struct {
    F(cells) cells;
    VF centre, half;                            /* make x */
    VF tail_low, tail_high, tail_step, unscale; /* make q */
    VF mean, std, least, greatest;
} PARAMS(truncated);

INLINE PARAMS(truncated) PREPARE(truncated)(const wif_draw *draw) {
    return (PARAMS(truncated)){F(load_cells)(1, draw->log_shift),
                               BROADCAST(centre),
                               BROADCAST(half),
                               BROADCAST(tail_low),
                               BROADCAST(tail_high),
                               BROADCAST(tail_step),
                               BROADCAST(unscale),
                               BROADCAST(mean),
                               BROADCAST(std),
                               BROADCAST(least),
                               BROADCAST(greatest)};
}

/* z / x by the polynomials of the tail, in the lanes in which t = n - shift is beyond the central
 * polynomial.  The other lanes keep `central`, the value of the central polynomial. */
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

#undef BROADCAST
