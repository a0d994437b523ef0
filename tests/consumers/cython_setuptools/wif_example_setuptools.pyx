# cython: language_level=3
"""A truncated normal whose interval is prepared once, and He's rule by the fans of a shape."""

from libc.stdint cimport int64_t

from weightinit_fast cimport (
    WIF_FLOAT32, WIF_FLOAT64, WIF_OK, WIF_TRUNCATED_NORMAL, wif_fans, wif_fill, wif_interval,
    wif_key_from_seed, wif_prepare_interval, wif_request, wif_request_new, wif_set_he,
    wif_set_truncated_normal, wif_status, wif_status_text,
)


cdef int check(wif_status status) except -1:
    if status != WIF_OK:
        raise ValueError(wif_status_text(status).decode())
    return 0


cdef class Truncated:
    """Draws truncated_normal(n, lower=lower, upper=upper, dtype="float64", rng=seed, stream=k)."""

    cdef wif_interval interval
    cdef double lower, upper

    def __init__(self, double lower, double upper):
        self.lower, self.upper = lower, upper
        check(wif_prepare_interval(lower, upper, WIF_FLOAT64, &self.interval))

    def draw(self, double[::1] out not None, seed, stream):
        cdef wif_request request = wif_request_new(&out[0], WIF_FLOAT64, out.shape[0])
        wif_set_truncated_normal(&request, 0, 1, self.lower, self.upper)
        request.interval = &self.interval
        request.key = wif_key_from_seed(seed)
        request.stream = stream
        check(wif_fill(&request))


def he_truncated(float[:, ::1] out not None, seed):
    """Fill a matrix with variance_scaling(shape, scale=2, distribution="truncated_normal")."""
    cdef int64_t fan_in, fan_out
    cdef int64_t[2] shape = [out.shape[0], out.shape[1]]
    cdef wif_request request = wif_request_new(&out[0, 0], WIF_FLOAT32, out.size)
    check(wif_fans(2, shape, NULL, 1, 0, &fan_in, &fan_out))
    check(wif_set_he(&request, WIF_TRUNCATED_NORMAL, 0, fan_in))
    request.key = wif_key_from_seed(seed)
    check(wif_fill(&request))
