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

/* ---- constant ---------------------------------------------------------------------------- */

typedef VF PARAMS(constant);

INLINE PARAMS(constant) PREPARE(constant)(const wif_draw *draw) {
    return F(set1)((REAL)draw->p[0]);
}

INLINE void GROUP(constant)(const PARAMS(constant) *value, const group *g, VF *y) {
    (void)g;
    UNROLL for (int v = 0; v < VECTORS; v++)
        y[v] = *value;
}

/* ---- uniform: y = clamp(half * s + centre) ------------------------------------------------- */

typedef struct {
    VF centre, half, least, greatest;
} PARAMS(uniform);

INLINE PARAMS(uniform) PREPARE(uniform)(const wif_draw *draw) {
    return (PARAMS(uniform)){F(set1)((REAL)draw->p[0]), F(set1)((REAL)draw->p[1]),
                             F(set1)((REAL)draw->p[2]), F(set1)((REAL)draw->p[3])};
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

/* sqrt(-2 ln u) for 0 < u < 1.  u = m * 2^e with m in [sqrt(1/2), sqrt(2)); f = m - 1 is exact, and
 * -2 ln(1 + f) = f*P(f) keeps its relative accuracy as f -> 0, where e = 0 adds nothing.  e stays
 * in its exponent field, which is converted as it is, and the factor goes into -2 ln 2. */
INLINE VF F(radius)(VF u) {
    static const REAL log_terms[] = P(LOG);
    const REAL minus_2_ln2 = P(MINUS_2_LN2) / (REAL)((BITS)1 << MANTISSA_BITS);
    const VU exponent_field = U(set1)((BITS)-1 << MANTISSA_BITS);
    const VU e = U (and)(U(sub)(F(bits)(u), U(set1)(P(SQRT_HALF_BITS))), exponent_field);
    const VF f = F(add)(F(from_bits)(U(sub)(F(bits)(u), e)), F(set1)(-1));
    const VF log_m = F(mul)(f, F(horner)(f, log_terms, COUNT(log_terms)));
    return F(sqrt)(F(fma)(F(to)(e), F(set1)(minus_2_ln2), log_m));
}

typedef struct {
    VF mean, std;
} PARAMS(normal);

INLINE PARAMS(normal) PREPARE(normal)(const wif_draw *draw) {
    return (PARAMS(normal)){F(set1)((REAL)draw->p[0]), F(set1)((REAL)draw->p[1])};
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
