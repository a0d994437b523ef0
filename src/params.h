/* From a draw's parameters as the caller wrote them, in binary64, to those of the contract, each a
 * value of the output type rounded once; and from fans to a scale.  Whatever the host's
 * floating-point state. */
#ifndef WIF_PARAMS_H
#define WIF_PARAMS_H

#include "kernels.h"

enum wif_params_status { WIF_PARAMS_OK, WIF_PARAMS_OVERFLOW, WIF_PARAMS_NO_VALUE };

/* constant: (value, unused) | uniform: (low, high) | normal: (mean, std) -> draw->p. */
int wif_prepare(enum wif_kind kind, double first, double second, wif_draw *draw);

/* gain * sqrt(scale / ((1 + slope^2) * fan)). */
double wif_deviation(double scale, double gain, double slope, double fan);

#endif
