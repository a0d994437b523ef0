/* The operations of api/integers.h on numbers in memory, for tests/capi/test_integers.py. */
#include "api/integers.h"

int limbs_most(void);
int limbs_most(void) { return WIF_LIMBS; }

/* Read a number of n limbs, with a sign. */
static wif_integer *get(wif_integer *x, const uint32_t *limbs, int n, int negative) {
    x->n = n;
    x->negative = negative;
    memcpy(x->limb, limbs, (size_t)n * sizeof *limbs);
    wif_trim(x);
    return x;
}

/* Replace x by the result of an operation; return its number of limbs, or -1 minus it if the result
 * is negative. */
int apply(char operation, uint32_t *x, int xn, int x_negative, const uint32_t *y, int yn,
          int y_negative, int number);
int apply(char operation, uint32_t *x, int xn, int x_negative, const uint32_t *y, int yn,
          int y_negative, int number) {
    wif_integer a, b, product;
    get(&a, x, xn, x_negative);
    get(&b, y, yn, y_negative);
    switch (operation) {
    case '+':
        wif_add(&a, &b);
        break;
    case '*':
        wif_multiply(&product, &a, &b);
        wif_copy(&a, &product);
        break;
    case '/':
        wif_divide(&a, (uint32_t)number);
        break;
    default:
        wif_shift(&a, number);
    }
    memcpy(x, a.limb, (size_t)a.n * sizeof *x);
    return a.negative ? -1 - a.n : a.n;
}

double as_double(const uint32_t *x, int n, int negative, int exponent);
double as_double(const uint32_t *x, int n, int negative, int exponent) {
    wif_integer a;
    return wif_to_double(get(&a, x, n, negative), exponent);
}
