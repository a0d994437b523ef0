/* From the parameters of a draw as the caller wrote them, in binary64, to those of the stream
 * contract, each rounded once.  The results do not depend on the host's floating-point state. */
#ifndef WIF_PARAMS_H
#define WIF_PARAMS_H

#include "kernels/kernels.h"

enum wif_params_status {
    WIF_PARAMS_OK,
    WIF_PARAMS_OVERFLOW, /* a parameter is beyond the largest value of the type */
    WIF_PARAMS_NO_VALUE  /* the type has no value in the interval */
};

/* Prepare a draw of a public transform.  parameters[]:
 *
 *   words      none
 *   constant   value
 *   uniform    low, high
 *   normal     mean, std
 *   truncated  mean, std, lower, upper, and six numbers of the interval that _truncation.py
 * computes for words of w bits, with D = Phi(upper) - Phi(lower) and a scale of 2^k: Phi(lower) +
 * Phi(upper) - 1 + D/2^w, D, 2^k D, 2^k Phi(lower), 2^k (1 - Phi(upper)), k
 *
 * For a truncated normal whose bounds are near the median of its parent, draw->transform is
 * WIF_truncated_near_median. */
int wif_prepare(enum wif_transform transform, enum wif_type type,
                const double parameters[WIF_MOST_PARAMETERS], wif_draw *draw);

/* Make a prepared uniform draw of the single family into WIF_uniform_clamped_words, which is
 * faster, if its parameters allow that without a change of any bit; return whether they do.  It
 * takes about a microsecond, which pays from WIF_CLAMP_WORDS_ITEMS elements on. */
enum { WIF_CLAMP_WORDS_ITEMS = 1 << 14 };
int wif_clamp_words(enum wif_type type, wif_draw *draw);

#endif
