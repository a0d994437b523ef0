# cython: language_level=3
"""Draws from Cython without the GIL: the vectors of word2vec, on the threads of prange."""

from cython.parallel cimport prange
from libc.stdint cimport int64_t, uint64_t

cimport weightinit_fast as wif


cdef int draw_row(float *row, int64_t width, uint64_t number, wif.wif_key key) noexcept nogil:
    cdef wif.wif_request request = wif.wif_request_new(row, wif.WIF_FLOAT32, width)
    wif.wif_set_uniform(&request, -0.5 / width, 0.5 / width)
    request.key = key
    request.first = number * <uint64_t>width
    return wif.wif_fill(&request)


def word_vectors(float[:, ::1] out not None, uint64_t seed):
    """Fill each row by itself; all rows together are uniform(shape, rng=seed)."""
    cdef wif.wif_key key = wif.wif_key_from_seed(seed)
    cdef int64_t k, rows = out.shape[0]
    cdef int failed = 0
    for k in prange(rows, nogil=True):
        failed |= draw_row(&out[k, 0], out.shape[1], <uint64_t>k, key)
    if failed:
        raise RuntimeError(wif.wif_status_text(failed).decode())


def refusal():
    """Return what the library says of a request without memory."""
    cdef wif.wif_request request = wif.wif_request_new(NULL, wif.WIF_FLOAT32, 1)
    wif.wif_set_normal(&request, 0, 1)
    return wif.wif_status_text(wif.wif_fill(&request)).decode()
