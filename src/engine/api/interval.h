/* Prepares the bounds of a truncated normal: the probabilities of the parent, the normal that is
 * truncated, computed in integers, so that they are the same on every machine. */
#ifndef WIF_INTERVAL_H
#define WIF_INTERVAL_H

#include "weightinit_fast.h"

/* Like wif_prepare_interval, but by the number of random bits of which an element is made: 32, or
 * 64 for float64. */
wif_status wif_interval_of(double lower, double upper, int word_bits, wif_interval *interval);

/* Whether `interval` may be what wif_interval_of made of these arguments.  It is checked because it
 * passes through the caller's memory. */
int wif_interval_fits(const wif_interval *interval, double lower, double upper, int word_bits);

#endif
