/* The small functions of weightinit_fast.h: texts, keys, streams, intervals; and the table. */
#include "api/blake2b.h"
#include "api/interval.h"
#include "compiler.h"
#include "host/fpenv.h"
#include "host/seed.h"
#include "weightinit_fast.h"

#ifndef WIF_VERSION
#define WIF_VERSION "unknown"
#endif

const char *wif_version(void) { return WIF_VERSION; }

const char *wif_status_text(wif_status status) {
    static const char *const texts[] = {
        [WIF_OK] = "no error",
        [WIF_CANCELLED] = "progress() ended the fill; a part of the memory has been written",
        [WIF_ERROR_NULL] = "a pointer that is needed is NULL",
        [WIF_ERROR_SIZE] = "size is not that of a wif_request; wif_request_new() sets it",
        [WIF_ERROR_UNKNOWN] = "a field that this version of the library does not know is set",
        [WIF_ERROR_DTYPE] = "there is no such dtype, or not for this transform",
        [WIF_ERROR_TRANSFORM] = "no transform is set, or it is unknown or not for this function",
        [WIF_ERROR_PARAMETER] =
            "a parameter is not finite, is negative, is out of order or has to be 0",
        [WIF_ERROR_OVERFLOW] = "a parameter is beyond the largest value of the dtype",
        [WIF_ERROR_NO_VALUE] = "the dtype has no value inside the interval",
        [WIF_ERROR_FAR_INTERVAL] = "the interval lies so far out that no normal is drawn there",
        [WIF_ERROR_INTERVAL] = "interval was prepared for other bounds or another dtype",
        [WIF_ERROR_SHAPE] =
            "ndim, count or a length of the shape is out of range; count is for ndim == 0, and "
            "rows are for ndim > 0",
        [WIF_ERROR_REGION] = "start and step leave the whole tensor, or a step is 0",
        [WIF_ERROR_STRIDE] = "elements overlap by their strides, or the strides are not nested",
        [WIF_ERROR_STREAM_END] = "an element is beyond the end of the stream",
        [WIF_ERROR_ROW] = "the id of a row is negative or beyond the end of the stream",
        [WIF_ERROR_MEMORY] = "an element is outside the buffer or the address space",
        [WIF_ERROR_THREADS] = "threads is above 1024",
        [WIF_ERROR_FLAGS] = "flags has an unknown bit",
        [WIF_ERROR_PARALLEL_FOR] = "parallel_for() did not run every chunk",
        [WIF_ERROR_LAYOUT] = "the layout is not one capital letter for each axis, with O and I",
        [WIF_ERROR_GROUPS] = "groups is below 1 or does not divide its axis",
        [WIF_ERROR_FAN] = "a fan is negative or not finite, or there is no such mode",
        [WIF_ERROR_NAME] = "there is no such nonlinearity",
        [WIF_ERROR_INSTRUCTION_SET] = "WEIGHTINIT_FAST_ISA names an instruction set that "
                                      "cannot run here",
    };
    const wif_status count = sizeof texts / sizeof *texts;
    return status >= 0 && status < count ? texts[status] : "an error of a later version";
}

wif_key wif_key_from_seed(uint64_t seed) {
    uint32_t words[4];
    wif_seed_words(seed, words);
    const wif_key key = {words[0] | (uint64_t)words[1] << 32, words[2] | (uint64_t)words[3] << 32};
    return key;
}

uint64_t wif_stream_from_name(const char *name, size_t length) {
    return wif_blake2b_64(name, name ? length : 0);
}

static NOINLINE wif_status prepare_interval(const double *bounds, int word_bits,
                                            wif_interval *interval) {
    return wif_interval_of(bounds[0], bounds[1], word_bits, interval);
}

wif_status wif_prepare_interval(double lower, double upper, int32_t dtype, wif_interval *interval) {
    if (!interval)
        return WIF_ERROR_NULL;
    if (dtype < 1 || dtype >= WIF_UINT32)
        return WIF_ERROR_DTYPE;
    const double bounds[2] = {lower, upper};
    const wif_fpstate callers = wif_fp_enter();
    const wif_status status = prepare_interval(bounds, dtype == WIF_FLOAT64 ? 64 : 32, interval);
    wif_fp_leave(callers);
    return status;
}

const wif_api *wif_functions(void) {
    static const wif_api table = {
        .size = sizeof table,
        .api_version = WIF_API_VERSION,
        .stream_version = WIF_STREAM_VERSION,
        .fill = wif_fill,
        .check = wif_check,
        .status_text = wif_status_text,
        .key_from_seed = wif_key_from_seed,
        .stream_from_name = wif_stream_from_name,
        .prepare_interval = wif_prepare_interval,
        .fans = wif_fans,
        .fan = wif_fan,
        .gain = wif_gain,
        .set_variance_scaling = wif_set_variance_scaling,
        .set_xavier = wif_set_xavier,
        .set_he = wif_set_he,
        .set_lecun = wif_set_lecun,
        .default_threads = wif_default_threads,
        .version = wif_version,
        .instruction_set = wif_instruction_set,
    };
    return &table;
}
