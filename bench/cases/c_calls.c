/* Loops of small calls, which measure/c_calls.py compiles on the fly and loads with ctypes.
 *
 * Each function returns the nanoseconds that one call for `count` normals of float32 takes, the
 * least of some repetitions.  It is linked with the static library of the package, whose kernels it
 * calls too, and with NumPy's library of distributions.
 */
#define _GNU_SOURCE
#include <numpy/random/distributions.h>
#include <time.h>

#include "api/machine.h"
#include "host/params.h"
#include "weightinit_fast.h"

/* A repetition is shorter than the slices of time in which a busy system runs programs. */
enum { MOST = 4096, REPETITIONS = 25, NORMALS = 1 << 16 };

static float out[MOST];

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* The least time of one run of `call`, which may use the number k of the call. */
#define MEASURE(call)                                                                              \
    const int calls = NORMALS / (count + 64);                                                      \
    double least = 1e12;                                                                           \
    for (int repetition = 0; repetition < REPETITIONS; repetition++) {                             \
        const double began = now();                                                                \
        for (int k = 0; k < calls; k++)                                                            \
            call;                                                                                  \
        const double time = (now() - began) / calls;                                               \
        least = time < least ? time : least;                                                       \
    }                                                                                              \
    return least;

static wif_request request_of(int count) {
    wif_request request = wif_request_new(out, WIF_FLOAT32, count);
    wif_set_normal(&request, 0, 0.02);
    request.key = wif_key_from_seed(0);
    return request;
}

/* By a pointer to the function, as Cython and the capsule call it. */
double by_pointer(wif_status (*fill)(const wif_request *), int count) {
    wif_request request = request_of(count);
    MEASURE((request.first = (uint64_t)k * (uint64_t)count, fill(&request)))
}

double by_link(int count) {
    wif_request request = request_of(count);
    MEASURE((request.first = (uint64_t)k * (uint64_t)count, wif_fill(&request)))
}

/* The kernel alone, with a draw that has been prepared. */
double by_kernel(int count) {
    const wif_kernels *const kernels = wif_kernels_in_use();
    const wif_key key = wif_key_from_seed(0);
    const double parameters[WIF_MOST_PARAMETERS] = {0, 0.02};
    wif_draw draw = {0};
    wif_prepare(WIF_normal, WIF_f32, parameters, &draw);
    draw.key_low = key.low;
    draw.key_high = key.high;
    wif_draw_rows *const kernel = wif_choose_kernel(kernels, WIF_f32, &draw);
    MEASURE(kernel(out, 0, (uint64_t)k * (uint64_t)count, 0, NULL, 1, (size_t)count, &draw, 0))
}

double by_numpy(bitgen_t *bits, int count) {
    MEASURE(random_standard_normal_fill_f(bits, count, out))
}
