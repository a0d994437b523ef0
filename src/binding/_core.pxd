# What other Cython packages can use of weightinit_fast, without the GIL; they write `cimport
# weightinit_fast`.  The functions are those of weightinit_fast.h, which says what each of them does
# and takes; docs/c-api.md has examples.  Generated C code includes that header: see
# weightinit_fast.get_include().
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t


cdef extern from "weightinit_fast.h" nogil:
    enum:
        WIF_API_VERSION, WIF_STREAM_VERSION

    ctypedef int wif_status
    enum:
        WIF_OK, WIF_CANCELLED, WIF_ERROR_NULL, WIF_ERROR_SIZE, WIF_ERROR_UNKNOWN, WIF_ERROR_DTYPE
        WIF_ERROR_TRANSFORM, WIF_ERROR_PARAMETER, WIF_ERROR_OVERFLOW, WIF_ERROR_NO_VALUE
        WIF_ERROR_FAR_INTERVAL, WIF_ERROR_INTERVAL, WIF_ERROR_SHAPE, WIF_ERROR_REGION
        WIF_ERROR_STRIDE, WIF_ERROR_STREAM_END, WIF_ERROR_ROW, WIF_ERROR_MEMORY
        WIF_ERROR_THREADS, WIF_ERROR_FLAGS, WIF_ERROR_PARALLEL_FOR, WIF_ERROR_LAYOUT
        WIF_ERROR_GROUPS, WIF_ERROR_FAN, WIF_ERROR_NAME, WIF_ERROR_INSTRUCTION_SET

    ctypedef struct wif_key:
        uint64_t low, high

    enum:
        WIF_FLOAT32, WIF_FLOAT64, WIF_FLOAT16, WIF_BFLOAT16, WIF_FLOAT8_E4M3FN, WIF_FLOAT8_E5M2
        WIF_UINT32
    enum:
        WIF_WORDS, WIF_CONSTANT, WIF_UNIFORM, WIF_NORMAL, WIF_TRUNCATED_NORMAL
    enum:
        WIF_FAN_IN, WIF_FAN_OUT, WIF_FAN_AVG, WIF_FAN_GEO_AVG
    enum:
        WIF_AXES_MOST, WIF_THREADS_MOST, WIF_FLAG_FRESH_MEMORY

    ctypedef struct wif_interval:
        double lower, upper
        double numbers[6]
        int32_t word_bits, reserved

    ctypedef int wif_chunk(void *fill, int64_t k) noexcept nogil
    ctypedef int wif_parallel_for(
        void *context, int64_t chunks, int threads, wif_chunk *run, void *fill) noexcept nogil
    ctypedef int wif_progress(void *context, int64_t done, int64_t total) noexcept nogil

    ctypedef struct wif_request:
        size_t size
        void *data
        int32_t dtype
        int32_t transform
        wif_key key
        uint64_t stream
        double parameters[4]
        uint64_t first
        int64_t count
        const wif_interval *interval
        int32_t ndim
        int32_t threads
        const int64_t *shape
        const Py_ssize_t *strides
        const int64_t *whole
        const int64_t *start
        const int64_t *step
        const int64_t *rows
        const void *buffer
        size_t buffer_bytes
        uint32_t flags
        uint32_t reserved
        wif_parallel_for *parallel_for
        void *parallel_context
        wif_progress *progress
        void *progress_context

    # These are static inline functions of the header.
    wif_request wif_request_new(void *data, int32_t dtype, int64_t count)
    void wif_set_constant(wif_request *request, double value)
    void wif_set_uniform(wif_request *request, double low, double high)
    void wif_set_normal(wif_request *request, double mean, double std)
    void wif_set_truncated_normal(
        wif_request *request, double mean, double std, double lower, double upper)


# Cython finds these functions in the installed package when a module that uses them is imported,
# and compares their signatures with those that the module was compiled with.
cdef wif_status wif_fill(const wif_request *request) noexcept nogil
cdef wif_status wif_check(const wif_request *request) noexcept nogil
cdef const char *wif_status_text(wif_status status) noexcept nogil
cdef wif_key wif_key_from_seed(uint64_t seed) noexcept nogil
cdef uint64_t wif_stream_from_name(const char *name, size_t length) noexcept nogil
cdef wif_status wif_prepare_interval(
    double lower, double upper, int32_t dtype, wif_interval *interval) noexcept nogil
cdef wif_status wif_fans(
    int32_t ndim, const int64_t *shape, const char *layout, int64_t groups, int transposed,
    int64_t *fan_in, int64_t *fan_out) noexcept nogil
cdef wif_status wif_fan(
    int32_t mode, int64_t fan_in, int64_t fan_out, double *fan) noexcept nogil
cdef wif_status wif_gain(const char *nonlinearity, double slope, double *gain) noexcept nogil
cdef wif_status wif_set_variance_scaling(
    wif_request *request, int32_t distribution, double scale, double gain, double slope,
    double fan) noexcept nogil
cdef wif_status wif_set_xavier(
    wif_request *request, int32_t distribution, double gain, int64_t fan_in,
    int64_t fan_out) noexcept nogil
cdef wif_status wif_set_he(
    wif_request *request, int32_t distribution, double slope, double fan) noexcept nogil
cdef wif_status wif_set_lecun(
    wif_request *request, int32_t distribution, double fan_in) noexcept nogil
cdef int32_t wif_default_threads() noexcept nogil
cdef const char *wif_version() noexcept nogil
cdef const char *wif_instruction_set() noexcept nogil
