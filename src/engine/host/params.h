/* Converts the parameters of a draw, which the caller gives as doubles, to the parameters of the
 * stream contract, each rounded once.  The results do not depend on the calling program's
 * floating-point state (fpenv.h). */
#ifndef WIF_PARAMS_H
#define WIF_PARAMS_H

#include "kernels/kernels.h"

enum wif_params_status {
    WIF_PARAMS_OK,
    WIF_PARAMS_OVERFLOW, /* a parameter is beyond the largest value of the type */
    WIF_PARAMS_NO_VALUE  /* the type has no value in the interval */
};

/* Prepare a draw of a public transform; return a wif_params_status.  parameters[] holds
 *
 *   words      nothing
 *   constant   value
 *   uniform    low, high
 *   normal     mean, std
 *   truncated  mean, std, lower, upper, and six numbers about the probability that the parent,
 *              the normal distribution that is truncated, has in the interval and beyond it.
 *              wif_prepare_interval (weightinit_fast.h) computes them from the bounds, for words of
 *              w bits, with D = Phi(upper) - Phi(lower):
 *                  parameters[4]  Phi(lower) + Phi(upper) - 1 + D/2^w
 *                  parameters[5]  D
 *                  parameters[6]  2^k D
 *                  parameters[7]  2^k Phi(lower)
 *                  parameters[8]  2^k (1 - Phi(upper))
 *                  parameters[9]  k: 128 for words of 64 bits if D < 2^-800, so that the step
 *                                 2^k D/2^w is never subnormal; otherwise 0
 *
 * If the bounds of a truncated normal are near the median of the parent, draw->transform becomes
 * WIF_truncated_near_median. */
int wif_prepare(enum wif_transform transform, enum wif_type type,
                const double parameters[WIF_MOST_PARAMETERS], wif_draw *draw);

/* Do the same in the standard floating-point state, which the caller has set (fpenv.h). */
int wif_prepare_in_standard_state(enum wif_transform transform, enum wif_type type,
                                  const double *parameters, wif_draw *draw);

/* Change a prepared uniform draw of the single family to the transform WIF_uniform_clamped_words,
 * which is faster, if the draw's parameters allow that without a change of any bit; return whether
 * they do.  This function takes about a microsecond, which it saves again if the draw has
 * WIF_CLAMP_WORDS_ITEMS elements or more. */
enum { WIF_CLAMP_WORDS_ITEMS = 1 << 14 };
int wif_clamp_words(enum wif_type type, wif_draw *draw);

#endif
