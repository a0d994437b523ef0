/* Computes the spread of a distribution from the variance that an initialiser asks for.  The spread
 * is the parameter with which the distribution is then drawn, such as a standard deviation.  The
 * results do not depend on the calling program's floating-point state (fpenv.h). */
#ifndef WIF_SCALE_H
#define WIF_SCALE_H

#include "kernels/kernels.h"

/* The spread of a distribution of mean 0 and variance gain^2 * scale / ((1 + slope^2) * fan):
 *
 *   WIF_normal     its standard deviation;
 *   WIF_uniform    half the width of its interval;
 *   WIF_truncated  the standard deviation of its parent.  The parent is the normal distribution
 *                  that is truncated, at two of its own standard deviations on either side.
 *
 * The result is NaN for any other transform.  The arguments are finite, scale and gain are not
 * negative, and fan is positive.  If the result is representable, it is right to three units in the
 * last place, even if a product on the way to it is not representable. */
double wif_spread(enum wif_transform transform, double scale, double gain, double slope,
                  double fan);

double wif_geometric_mean(double a, double b);

#endif
