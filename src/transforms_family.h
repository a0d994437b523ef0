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

/* ---- normal: Box & Muller (1958), with a half-plane angle and a sign bit ------------------- */

INLINE VF F(horner)(VF x, const REAL *coefficient, int terms) {
    VF y = F(set1)(coefficient[terms - 1]);
    UNROLL for (int k = terms - 2; k >= 0; k--)
        y = F(fma)(y, x, F(set1)(coefficient[k]));
    return y;
}

/* -2 ln u for 0 < u <= 1 in three parts: f*slope + e*minus_2_ln2.  u = m * 2^e with m in
 * [sqrt(1/2), sqrt(2)); f = m - 1 is exact, and -2 ln(1 + f) = f*P(f) keeps its relative accuracy
 * as f -> 0, where e = 0 adds nothing.  e stays in its exponent field, which is converted as it is,
 * and the factor goes into -2 ln 2. */
typedef struct {
    VF f, slope, e, minus_2_ln2;
} F(log_parts);

INLINE F(log_parts) F(split_log)(VF u) {
    static const REAL log_terms[] = P(LOG);
    const VU exponent_field = U(set1)((BITS)-1 << MANTISSA_BITS);
    const VU e = U (and)(U(sub)(F(bits)(u), U(set1)(P(SQRT_HALF_BITS))), exponent_field);
    const VF f = F(add)(F(from_bits)(U(sub)(F(bits)(u), e)), F(set1)(-1));
    return (F(log_parts)){f, F(horner)(f, log_terms, COUNT(log_terms)), F(to)(e),
                          F(set1)(P(MINUS_2_LN2) / (REAL)((BITS)1 << MANTISSA_BITS))};
}

/* sqrt(-2 ln u). */
INLINE VF F(radius)(VF u) {
    const F(log_parts) p = F(split_log)(u);
    return F(sqrt)(F(fma)(p.e, p.minus_2_ln2, F(mul)(p.f, p.slope)));
}

typedef struct {
    VF mean, std;
} PARAMS(normal);

INLINE PARAMS(normal) PREPARE(normal)(const wif_draw *draw) {
    return (PARAMS(normal)){SPREAD(mean), SPREAD(std)};
}

/* z = r cos(pi/2 x) and r sin(pi/2 x), r with A's low bit as its sign, x = fraction(B).  The sine
 * is x + x S(x^2): its leading term is exact. */
INLINE void GROUP(normal)(const PARAMS(normal) *p, const group *g, VF *y) {
    static const REAL sin_terms[] = P(SIN), cos_terms[] = P(COS);
    enum { HALF = VECTORS / 2 };
    UNROLL for (int v = 0; v < HALF; v++) {
        const VU a = U(group)(g, v), b = U(group)(g, v + HALF);
        const VF r = F(xor)(F(radius)(F(radius_argument)(a, b)), U(shl)(a, WORD_BITS - 1));
        const VF x = F(fraction)(b), x2 = F(mul)(x, x), rx = F(mul)(r, x);
        const VF cos_z = F(mul)(r, F(horner)(x2, cos_terms, COUNT(cos_terms)));
        const VF sin_z = F(fma)(rx, F(horner)(x2, sin_terms, COUNT(sin_terms)), rx);
        y[v] = F(fma)(p->std, cos_z, p->mean);
        y[v + HALF] = F(fma)(p->std, sin_z, p->mean);
    }
}

/* ---- truncated normal: the quantile of a probability between those of the bounds ----------- */

/* x = 2 Phi(z) - 1 keeps its digits near the median, q = Phi(-|z|) in the tails, so both are made
 * of the word: x of its signed fraction, q of its distance from the nearer end of the interval.
 * With n = -2 ln(1 - x^2) = -2 ln(4 q (1 - q)), z / x is a smooth function of n (Giles,
 * "Approximating the erfinv function", GPU Computing Gems 2, 2012): one polynomial to |z| of about
 * 3, where most elements are, and pieces in sqrt(n) beyond, behind a branch that the default bounds
 * never take.
 *
 * q is scaled by 2^k for far bounds of the double family, whose words would go below the least
 * normal number; the logarithm takes k out again, with the centre of the polynomial. */
typedef struct {
    VF centre, half;                                       /* of x */
    VF tail_low, tail_high, tail_step, unscale, log_shift; /* of q and n */
    VF mean, std, least, greatest;
} PARAMS(truncated);

INLINE PARAMS(truncated) PREPARE(truncated)(const wif_draw *draw) {
    return (PARAMS(truncated)){SPREAD(centre),    SPREAD(half),      SPREAD(tail_low),
                               SPREAD(tail_high), SPREAD(tail_step), SPREAD(unscale),
                               SPREAD(log_shift), SPREAD(mean),      SPREAD(std),
                               SPREAD(least),     SPREAD(greatest)};
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
    const VU ones = U(set1)((BITS)-1), top = U(set1)((BITS)1 << (WORD_BITS - 1));
    UNROLL for (int v = 0; v < VECTORS; v++) {
        const VU w = U(group)(g, v);
        const VF x = F(fma)(F(to)(U(xor)(w, top)), p->half, p->centre);
        const VU steps = U(select_negative)(F(bits)(x), w, U(xor)(w, ones));
        const VU tail = U(select_negative)(F(bits)(x), F(bits)(p->tail_low), F(bits)(p->tail_high));
        const VF q = F(fma)(F(unsigned_to)(steps), p->tail_step, F(from_bits)(tail));
        const F(log_parts) l = F(split_log)(F(mul)(q, F(fma)(q, p->unscale, F(set1)(4))));
        const VF t = F(fma)(l.e, l.minus_2_ln2, F(fma)(l.f, l.slope, p->log_shift));
        VF ratio = F(horner)(t, terms, COUNT(terms));
        if (UNLIKELY(F(any_from)(t, F(set1)(P(QUANTILE_SPLIT)))))
            ratio = F(quantile_tails)(t, ratio);
        const VF z = F(fma)(p->std, F(mul)(x, ratio), p->mean);
        y[v] = F(at_most)(p->greatest, F(at_least)(p->least, z));
    }
}

#undef SPREAD
