# The functions of weightinit_fast.h as other packages reach them: as Cython functions, which
# _core.pxd declares, and as a table in a capsule, for C and C++ (weightinit_fast_python.h).
from cpython.pycapsule cimport PyCapsule_New


# The C functions, under other names than the Cython functions that call them.
cdef extern from "weightinit_fast.h" nogil:
    ctypedef struct wif_api:
        pass
    const wif_api *wif_functions()
    wif_status c_wif_fill "wif_fill"(const wif_request *request)
    wif_status c_wif_check "wif_check"(const wif_request *request)
    const char *c_wif_status_text "wif_status_text"(wif_status status)
    wif_key c_wif_key_from_seed "wif_key_from_seed"(uint64_t seed)
    uint64_t c_wif_stream_from_name "wif_stream_from_name"(const char *name, size_t length)
    wif_status c_wif_prepare_interval "wif_prepare_interval"(
        double lower, double upper, int32_t dtype, wif_interval *interval)
    wif_status c_wif_fans "wif_fans"(
        int32_t ndim, const int64_t *shape, const char *layout, int64_t groups, int transposed,
        int64_t *fan_in, int64_t *fan_out)
    wif_status c_wif_fan "wif_fan"(int32_t mode, int64_t fan_in, int64_t fan_out, double *fan)
    wif_status c_wif_gain "wif_gain"(const char *nonlinearity, double slope, double *gain)
    wif_status c_wif_set_variance_scaling "wif_set_variance_scaling"(
        wif_request *request, int32_t distribution, double scale, double gain, double slope,
        double fan)
    wif_status c_wif_set_xavier "wif_set_xavier"(
        wif_request *request, int32_t distribution, double gain, int64_t fan_in, int64_t fan_out)
    wif_status c_wif_set_he "wif_set_he"(
        wif_request *request, int32_t distribution, double slope, double fan)
    wif_status c_wif_set_lecun "wif_set_lecun"(
        wif_request *request, int32_t distribution, double fan_in)
    int32_t c_wif_default_threads "wif_default_threads"()
    const char *c_wif_version "wif_version"()
    const char *c_wif_instruction_set "wif_instruction_set"()


cdef wif_status wif_fill(const wif_request *request) noexcept nogil:
    return c_wif_fill(request)


cdef wif_status wif_check(const wif_request *request) noexcept nogil:
    return c_wif_check(request)


cdef const char *wif_status_text(wif_status status) noexcept nogil:
    return c_wif_status_text(status)


cdef wif_key wif_key_from_seed(uint64_t seed) noexcept nogil:
    return c_wif_key_from_seed(seed)


cdef uint64_t wif_stream_from_name(const char *name, size_t length) noexcept nogil:
    return c_wif_stream_from_name(name, length)


cdef wif_status wif_prepare_interval(
    double lower, double upper, int32_t dtype, wif_interval *interval,
) noexcept nogil:
    return c_wif_prepare_interval(lower, upper, dtype, interval)


cdef wif_status wif_fans(
    int32_t ndim, const int64_t *shape, const char *layout, int64_t groups, int transposed,
    int64_t *fan_in, int64_t *fan_out,
) noexcept nogil:
    return c_wif_fans(ndim, shape, layout, groups, transposed, fan_in, fan_out)


cdef wif_status wif_fan(int32_t mode, int64_t fan_in, int64_t fan_out, double *fan) noexcept nogil:
    return c_wif_fan(mode, fan_in, fan_out, fan)


cdef wif_status wif_gain(const char *nonlinearity, double slope, double *gain) noexcept nogil:
    return c_wif_gain(nonlinearity, slope, gain)


cdef wif_status wif_set_variance_scaling(
    wif_request *request, int32_t distribution, double scale, double gain, double slope,
    double fan,
) noexcept nogil:
    return c_wif_set_variance_scaling(request, distribution, scale, gain, slope, fan)


cdef wif_status wif_set_xavier(
    wif_request *request, int32_t distribution, double gain, int64_t fan_in, int64_t fan_out,
) noexcept nogil:
    return c_wif_set_xavier(request, distribution, gain, fan_in, fan_out)


cdef wif_status wif_set_he(
    wif_request *request, int32_t distribution, double slope, double fan,
) noexcept nogil:
    return c_wif_set_he(request, distribution, slope, fan)


cdef wif_status wif_set_lecun(
    wif_request *request, int32_t distribution, double fan_in,
) noexcept nogil:
    return c_wif_set_lecun(request, distribution, fan_in)


cdef int32_t wif_default_threads() noexcept nogil:
    return c_wif_default_threads()


cdef const char *wif_version() noexcept nogil:
    return c_wif_version()


cdef const char *wif_instruction_set() noexcept nogil:
    return c_wif_instruction_set()


c_api = PyCapsule_New(<void *>wif_functions(), b"weightinit_fast._core.c_api", NULL)
