/* From a draw's parameters as the caller wrote them, in binary64, to those of the contract, each
 * rounded once.  Whatever the host's floating-point state. */
#ifndef WIF_PARAMS_H
#define WIF_PARAMS_H

#include "kernels/kernels.h"

enum wif_params_status { WIF_PARAMS_OK, WIF_PARAMS_OVERFLOW, WIF_PARAMS_NO_VALUE };

/* given[]:
 *   words      nothing
 *   constant   value
 *   uniform    low, high
 *   normal     mean, std
 *   truncated  mean, std, lower, upper, and the interval's probabilities as _truncation.py makes
 *              them: Phi(lower) + Phi(upper) - 1 + D/2^w of a w-bit word, D = Phi(upper) -
 *              Phi(lower), 2^k D, 2^k Phi(lower), 2^k (1 - Phi(upper)), k
 */
enum { WIF_GIVEN = 10 };
int wif_prepare(enum wif_transform transform, enum wif_type type, const double given[WIF_GIVEN],
                wif_draw *draw);

/* Draw a uniform of the single family by the faster kernel, if its parameters allow that without a
 * change of any bit; return whether.  About a microsecond, which pays from some number of elements
 * on. */
enum { WIF_TRIM_ITEMS = 1 << 14 };
int wif_trim(enum wif_type type, wif_draw *draw);

#endif
