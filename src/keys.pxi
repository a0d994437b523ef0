# Keys from what NumPy draws with, as _keys.py asks for them.
from cpython.pycapsule cimport PyCapsule_GetPointer


# NumPy's public C interface to a bit generator: bitgen_t of numpy/random/bitgen.h.
ctypedef struct bitgen:
    void *state
    uint64_t (*next_uint64)(void *state) noexcept nogil
    uint32_t (*next_uint32)(void *state) noexcept nogil
    double (*next_double)(void *state) noexcept nogil
    uint64_t (*next_raw)(void *state) noexcept nogil


cdef tuple key_of(const uint32_t *w):
    return w[0] | <uint64_t>w[1] << 32, w[2] | <uint64_t>w[3] << 32


def raw_key(object capsule, object lock):
    """Return (key_low, key_high) of four raw draws, the low half of each, with the lock held."""
    cdef uint32_t words[4]
    cdef int k
    cdef bitgen *bits = <bitgen *>PyCapsule_GetPointer(capsule, b"BitGenerator")
    lock.acquire()
    for k in range(4):  # nothing here can raise
        words[k] = <uint32_t>bits.next_raw(bits.state)
    lock.release()
    return key_of(words)


def seed_key(uint64_t seed):
    """Return (key_low, key_high) of SeedSequence(seed).generate_state(4)."""
    cdef uint32_t words[4]
    wif_seed_words(seed, words)
    return key_of(words)
