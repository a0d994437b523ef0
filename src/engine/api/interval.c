/* See interval.h. */
#include "api/interval.h"

#include "api/integers.h"

enum {
    /* Bits beyond the binary point.  The difference D of the probabilities needs 192 significant
     * bits: 64 for the smallest step, D/2^64, 53 for a double, and a margin.  The narrowest
     * interval that is taken, between 0 and the least double, has D > 2^-1076. */
    LEAST_BITS = 256,
    MOST_BITS = 2048,
    SIGNIFICANT_BITS = 192,
    /* k of host/params.h, and the exponent of the mass below which it is not 0. */
    TINY_SCALE = 128,
    TINY_EXPONENT = 800
};

/* From this distance on Phi counts as 0 or 1: 1 - Phi(40) is below 2^-1159, far less than the
 * probability of any interval that is taken. */
static const double CERTAIN = 40;

/* 2^4480 / sqrt(2 pi), rounded down, the lowest limb first.  src/derive/density.py derives it. */
enum { DENSITY_BITS = 4480 };
static const uint32_t DENSITY[DENSITY_BITS / 32] = {
    0x95326a8e, 0x414f4de0, 0xfcc9323b, 0x8a70b92a, 0x1246e937, 0xd436a8e5, 0x62aa7893, 0x61019e6e,
    0xb9de7193, 0x136f979c, 0xb9fe332b, 0xed576883, 0x136432da, 0x23728ea3, 0xbaae2fdc, 0x2c37a03c,
    0xd6d3029d, 0x78e9e342, 0x16df62fb, 0x481f2e2f, 0x234a07be, 0x63eac32d, 0xa6e302b5, 0x2ae343d0,
    0x0090850f, 0x1861a175, 0x1b1494f2, 0xe3261ce5, 0x1cbbb0b0, 0x04682ef7, 0x2499426d, 0x9995ffae,
    0x534c7a81, 0xf90226a7, 0x37bac5c5, 0x3be95331, 0x0779f53c, 0xb015285a, 0xe4a529fc, 0xd767bd58,
    0x8d9b98bf, 0xbc1ac9ab, 0xdf14506b, 0x7e9a212c, 0x3106116c, 0x48aa442b, 0x4d7795a8, 0x2fd6ca40,
    0x45f1eede, 0x8f306709, 0x2d86a815, 0xdde6682b, 0xa5dd9215, 0x6a37179f, 0x0ea0d7d3, 0xe9fcd58c,
    0xd63a6b7c, 0xdb6377dd, 0x7d45d31f, 0xa57a78ad, 0x9661928f, 0xd854f7a0, 0x28575328, 0x0cd24a3f,
    0xf37a2d62, 0xcb5a7fe9, 0x51f05d9b, 0xe1972f7d, 0xaadaed32, 0x0296a90c, 0xe7e1e918, 0x71e1dec4,
    0x82467be4, 0x300c9f50, 0x503a86e8, 0xefa26992, 0x1956748d, 0x311eb907, 0xcbb5c65b, 0xd6b17578,
    0xf0e311b0, 0xef4167fc, 0xb81ec651, 0xa67f0e5a, 0x4f4a0bfd, 0x79079f71, 0xa218282c, 0xfeb8ed1e,
    0xd1961020, 0xa95546ca, 0xe5ec8b5e, 0x8b742ca9, 0x01aa890d, 0x3f9d0aaf, 0x4c697ed5, 0x2e6bff59,
    0x04a18e43, 0xfe60871d, 0x1e51487a, 0x659565e9, 0xcb81ab87, 0xed298857, 0x65c92193, 0x69e73298,
    0x82a39837, 0x23695995, 0xe623122d, 0x480d8928, 0xbb49487e, 0x150c426b, 0x35ee45c9, 0xc8d2ab24,
    0x8329ab3f, 0xefe1f670, 0x82c77aac, 0x1c1cec48, 0x1bc56769, 0xc276937b, 0xe69eea32, 0xcacb544d,
    0x65c23395, 0x4ecdbd6e, 0xd947ce4b, 0x98282e1f, 0x45f08cff, 0x278e9934, 0x70be1513, 0xeb142779,
    0xb374e88d, 0x23f5d3ab, 0x447d3db7, 0x9df8ac55, 0x02639d2e, 0xc0471b48, 0x512706d8, 0xd3829f30,
    0x2eae38bf, 0x3f2cf140, 0x50d94234, 0x662114cf,
};
_Static_assert(DENSITY_BITS >= MOST_BITS + 32 + 3 * 40 * 40 / 2,
               "the density has as many bits as the series of any z below CERTAIN");

/* A finite double as a sign, a significand and a power of two. */
typedef struct {
    int negative, exponent;
    uint64_t significand;
} parts;

static parts parts_of(double z) {
    uint64_t bits;
    memcpy(&bits, &z, sizeof bits);
    const int exponent = (int)(bits >> 52 & 0x7ff);
    const uint64_t fraction = bits & ((UINT64_C(1) << 52) - 1);
    const parts result = {(int)(bits >> 63), (exponent ? exponent : 1) - 1075,
                          exponent ? fraction | UINT64_C(1) << 52 : fraction};
    return result;
}

/* x = Phi(z) * 2^bits, within a few units, by the integrated series of exp(-t^2/2). */
static void normal_cdf(double z, int bits, wif_integer *x) {
    wif_integer square, term, product;
    if (z >= CERTAIN || z <= -CERTAIN) {
        wif_set(x, 0, z > 0, bits);
        return;
    }
    /* The terms grow to exp(z^2/2) before they vanish, and their rounding errors grow with them. */
    const int work = bits + 32 + (int)(1.5 * z * z);
    const parts p = parts_of(z);
    wif_set(&product, 0, p.significand, 0);
    wif_multiply(&square, &product, &product);
    wif_shift(&square, 2 * p.exponent + work);
    wif_set(&term, p.negative, p.significand, p.exponent + work);
    wif_copy(x, &term);
    for (uint32_t n = 1; term.n; n++) {
        wif_multiply(&product, &term, &square);
        wif_shift(&product, -work);
        wif_negate(&product);
        wif_divide(&product, 2 * n);
        wif_copy(&term, &product);
        const int is_last = term.negative && term.n == 1 && term.limb[0] == 1;
        wif_divide(&product, 2 * n + 1);
        wif_add(x, &product);
        if (is_last) /* division that rounds down would leave the term at -1 for ever */
            break;
    }
    term.negative = 0;
    term.n = DENSITY_BITS / 32;
    memcpy(term.limb, DENSITY, sizeof DENSITY);
    wif_shift(&term, work - DENSITY_BITS);
    wif_multiply(&product, x, &term);
    wif_shift(&product, bits - 2 * work);
    wif_set(x, 0, 1, bits - 1);
    wif_add(x, &product);
}

/* The numbers of the interval from -2 to 2, which nearly every truncated normal has. */
#define USUAL_MASS 0x1.e8b4307d3627ap-1
#define USUAL_TAIL 0x1.74bcf82c9d860p-6
static const wif_interval USUAL[2] = {
    {-2, 2, {0x1.e8b4307d3627ap-33, USUAL_MASS, USUAL_MASS, USUAL_TAIL, USUAL_TAIL, 0}, 32, 0},
    {-2, 2, {0x1.e8b4307d3627ap-65, USUAL_MASS, USUAL_MASS, USUAL_TAIL, USUAL_TAIL, 0}, 64, 0},
};

wif_status wif_interval_of(double lower, double upper, int word_bits, wif_interval *interval) {
    wif_integer low, high, mass, one, sum;
    /* A whole interval beyond this distance from the mean, in std, is refused: a normal is never
     * drawn there. */
    const double farthest = word_bits == 64 ? 37 : 8;
    if (!(lower < upper))
        return WIF_ERROR_PARAMETER;
    if (lower > farthest || upper < -farthest)
        return WIF_ERROR_FAR_INTERVAL;
    for (int k = 0; k < 2; k++)
        if (wif_interval_fits(&USUAL[k], lower, upper, word_bits)) {
            *interval = USUAL[k];
            return WIF_OK;
        }

    /* Far out the probabilities are small, and few bits of them would be significant: Phi(-z) is
     * about 2^(-0.72 z^2).  To begin with enough bits saves the attempts with too few. */
    const double nearest = lower > 0 ? lower : upper < 0 ? -upper : 0;
    int bits = LEAST_BITS;
    while (bits < MOST_BITS && bits - SIGNIFICANT_BITS < 0.72 * nearest * nearest)
        bits *= 2;
    for (;; bits *= 2) {
        normal_cdf(lower, bits, &low);
        normal_cdf(upper, bits, &high);
        wif_copy(&mass, &low);
        wif_negate(&mass);
        wif_add(&mass, &high);
        if (wif_bits(&mass) > SIGNIFICANT_BITS || bits >= MOST_BITS)
            break;
    }
    const int scale =
        word_bits == 64 && wif_bits(&mass) - 1 < bits - TINY_EXPONENT ? TINY_SCALE : 0;
    memset(interval, 0, sizeof *interval);
    interval->lower = lower;
    interval->upper = upper;
    interval->word_bits = word_bits;
    interval->numbers[1] = wif_to_double(&mass, bits);
    interval->numbers[2] = wif_to_double(&mass, bits - scale);
    interval->numbers[3] = wif_to_double(&low, bits - scale);
    wif_copy(&sum, &low);
    wif_add(&sum, &high);
    wif_set(&one, 1, 1, bits);
    wif_add(&sum, &one);
    wif_shift(&sum, word_bits);
    wif_add(&sum, &mass);
    interval->numbers[0] = wif_to_double(&sum, bits + word_bits);
    wif_negate(&high);
    one.negative = 0;
    wif_add(&one, &high);
    interval->numbers[4] = wif_to_double(&one, bits - scale);
    interval->numbers[5] = scale;
    return WIF_OK;
}

int wif_interval_fits(const wif_interval *interval, double lower, double upper, int word_bits) {
    return interval->lower == lower && interval->upper == upper &&
           interval->word_bits == word_bits && interval->reserved == 0 &&
           (interval->numbers[5] == 0 || interval->numbers[5] == (double)TINY_SCALE);
}
