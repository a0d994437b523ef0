/* Fans, gains and scales of weights, as weightinit_fast/_resolve/fans.py and
 * weightinit_fast/initialisers/gains.py have them. */
#include "host/scale.h"

#include <string.h>

#include "compiler.h"
#include "host/fpenv.h"
#include "weightinit_fast.h"

/* Told by the bits, since a comparison with a NaN may trap. */
static int is_finite(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return (bits >> 52 & 0x7ff) != 0x7ff;
}
static int is_scale(double x) { return is_finite(x) && x >= 0; }

/* *product *= factor, unless that is above INT64_MAX; return whether it is not. */
static int multiply(int64_t *product, int64_t factor) {
    if (factor < 0 || (factor && *product > INT64_MAX / factor))
        return 0;
    *product *= factor;
    return 1;
}

wif_status wif_fans(int32_t ndim, const int64_t *shape, const char *layout, int64_t groups,
                    int transposed, int64_t *fan_in, int64_t *fan_out) {
    int64_t inputs = 1, outputs = 1, area = 1;
    if (!shape || !fan_in || !fan_out)
        return WIF_ERROR_NULL;
    if (ndim < 2 || ndim > WIF_AXES_MOST)
        return WIF_ERROR_SHAPE;
    if (groups < 1)
        return WIF_ERROR_GROUPS;
    if (layout) {
        int32_t letters = 0;
        while (letters <= ndim && layout[letters] >= 'A' && layout[letters] <= 'Z')
            letters++;
        if (letters != ndim || layout[letters] || !strchr(layout, 'O') || !strchr(layout, 'I'))
            return WIF_ERROR_LAYOUT;
    }
    for (int32_t k = 0; k < ndim; k++) {
        const char letter = layout ? layout[k] : k == 0 ? 'O' : k == 1 ? 'I' : 'K';
        int64_t uncounted = 1;
        int64_t *const product = letter == 'O'                    ? &outputs
                                 : letter == 'I'                  ? &inputs
                                 : letter == 'B' || letter == 'G' ? &uncounted
                                                                  : &area;
        if (!multiply(product, shape[k]))
            return WIF_ERROR_SHAPE;
    }
    if ((transposed ? inputs : outputs) % groups)
        return WIF_ERROR_GROUPS;
    if (!multiply(&inputs, area) || !multiply(&outputs, area))
        return WIF_ERROR_SHAPE;
    *fan_in = transposed ? inputs / groups : inputs;
    *fan_out = transposed ? outputs : outputs / groups;
    return WIF_OK;
}

/* Half of a sum, which is below 2^64, rounded once. */
static NOINLINE double half(uint64_t sum) { return (double)sum / 2; }
static NOINLINE double as_double(int64_t fan) { return (double)fan; }

wif_status wif_fan(int32_t mode, int64_t fan_in, int64_t fan_out, double *fan) {
    if (!fan)
        return WIF_ERROR_NULL;
    if (mode < WIF_FAN_IN || mode > WIF_FAN_GEO_AVG || fan_in < 0 || fan_out < 0)
        return WIF_ERROR_FAN;
    /* Arguments and results are volatile, as host/params.c explains. */
    volatile int64_t in = fan_in, out = fan_out;
    const wif_fpstate callers = wif_fp_enter();
    volatile double result = mode == WIF_FAN_AVG   ? half((uint64_t)in + (uint64_t)out)
                             : mode == WIF_FAN_OUT ? as_double(out)
                                                   : as_double(in);
    volatile double other = as_double(out);
    wif_fp_leave(callers);
    *fan = mode == WIF_FAN_GEO_AVG ? wif_geometric_mean(result, other) : result;
    return WIF_OK;
}

wif_status wif_gain(const char *nonlinearity, double slope, double *gain) {
    static const struct {
        const char *name;
        double gain;
    } table[] = {
        {"linear", 1},
        {"conv", 1},
        {"conv1d", 1},
        {"conv2d", 1},
        {"conv3d", 1},
        {"conv_transpose1d", 1},
        {"conv_transpose2d", 1},
        {"conv_transpose3d", 1},
        {"sigmoid", 1},
        {"tanh", 1.6666666666666667},
        {"relu", 1.4142135623730951},
        {"selu", 0.75},
        /* src/derive/gains.py integrates these. */
        {"elu", 1.2451983007007066},
        {"gelu", 1.5335304411955353},
        {"silu", 1.676532470331091},
        {"swish", 1.676532470331091},
        {"mish", 1.486847581273208},
        {"softplus", 1.0418668355353018},
    };
    if (!nonlinearity || !gain)
        return WIF_ERROR_NULL;
    if (!is_finite(slope))
        return WIF_ERROR_PARAMETER;
    if (!strcmp(nonlinearity, "leaky_relu")) {
        *gain = wif_spread(WIF_normal, 2, 1, slope, 1);
        return WIF_OK;
    }
    for (size_t k = 0; k < sizeof table / sizeof *table; k++)
        if (!strcmp(nonlinearity, table[k].name)) {
            if (slope != 0)
                return WIF_ERROR_PARAMETER;
            *gain = table[k].gain;
            return WIF_OK;
        }
    return WIF_ERROR_NAME;
}

wif_status wif_set_variance_scaling(wif_request *request, int32_t distribution, double scale,
                                    double gain, double slope, double fan) {
    if (!request)
        return WIF_ERROR_NULL;
    if (distribution != WIF_NORMAL && distribution != WIF_UNIFORM &&
        distribution != WIF_TRUNCATED_NORMAL)
        return WIF_ERROR_TRANSFORM;
    if (!is_scale(scale) || !is_scale(gain) || !is_finite(slope))
        return WIF_ERROR_PARAMETER;
    if (!is_scale(fan))
        return WIF_ERROR_FAN;
    const double spread =
        wif_spread((enum wif_transform)(distribution - 1), scale, gain, slope, fan == 0 ? 1 : fan);
    if (!is_finite(spread))
        return WIF_ERROR_OVERFLOW;
    if (distribution == WIF_NORMAL || spread == 0) /* a normal of std 0 gives its mean */
        wif_set_normal(request, 0, spread);
    else if (distribution == WIF_UNIFORM)
        wif_set_uniform(request, -spread, spread);
    else
        wif_set_truncated_normal(request, 0, spread, -2, 2);
    return WIF_OK;
}

wif_status wif_set_xavier(wif_request *request, int32_t distribution, double gain, int64_t fan_in,
                          int64_t fan_out) {
    double fan;
    const wif_status status = wif_fan(WIF_FAN_AVG, fan_in, fan_out, &fan);
    return status != WIF_OK ? status
                            : wif_set_variance_scaling(request, distribution, 1, gain, 0, fan);
}

wif_status wif_set_he(wif_request *request, int32_t distribution, double slope, double fan) {
    return wif_set_variance_scaling(request, distribution, 2, 1, slope, fan);
}

wif_status wif_set_lecun(wif_request *request, int32_t distribution, double fan_in) {
    return wif_set_variance_scaling(request, distribution, 1, 1, 0, fan_in);
}
