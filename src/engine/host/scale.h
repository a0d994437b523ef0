/* From the variance that an initialiser asks for to the scale of the distribution that has it.
 * The results do not depend on the host's floating-point state. */
#ifndef WIF_SCALE_H
#define WIF_SCALE_H

#include "kernels/kernels.h"

/* The scale of a distribution of mean 0 and variance gain^2 * scale / ((1 + slope^2) * fan):
 *
 *   WIF_normal     its standard deviation;
 *   WIF_uniform    half the width of its interval;
 *   WIF_truncated  the standard deviation of the normal distribution that becomes it when it is
 *                  truncated to two of its own standard deviations on either side.
 *
 * NaN for any other transform.  All numbers are finite, scale and gain not negative, fan positive.
 * Where the result is representable it is right to three units in the last place, even if a
 * product on the way to it is not representable. */
double wif_spread(enum wif_transform transform, double scale, double gain, double slope,
                  double fan);

double wif_geometric_mean(double a, double b);

#endif
