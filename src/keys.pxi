# The key and the stream's number that rng and stream stand for.  Those that loops pass are read
# here; _keys.py, which says what else there may be, registers itself for it.
from cpython.pycapsule cimport PyCapsule_GetPointer


# NumPy's public C interface to a bit generator: bitgen_t of numpy/random/bitgen.h.
ctypedef struct bitgen:
    void *state
    uint64_t (*next_uint64)(void *state) noexcept nogil
    uint32_t (*next_uint32)(void *state) noexcept nogil
    double (*next_double)(void *state) noexcept nogil
    uint64_t (*next_raw)(void *state) noexcept nogil


cdef object Key = None, other_key = None, other_stream = None
# NumPy's, once somebody passes one: of the bit generators its own, not subclasses, which may draw
# otherwise.
cdef object Generator = None
cdef frozenset bit_generators = None


def register_keys(object key_type, object key_words, object stream_number):
    """Set the class of ready keys, and what reads the kinds of rng and stream not known here."""
    global Key, other_key, other_stream
    Key, other_key, other_stream = key_type, key_words, stream_number


cdef int find_generators() except -1:
    global Generator, bit_generators
    from numpy import random
    bit_generators = frozenset(
        (random.MT19937, random.PCG64, random.PCG64DXSM, random.Philox, random.SFC64)
    )
    Generator = random.Generator  # last: another thread takes it as the sign that both are there
    return 0


cdef int draw_raw(object bits, uint32_t *words) except -1:
    """Draw as bits.random_raw(4) does, lock held, and keep the low halves."""
    cdef const bitgen *c = <const bitgen *>PyCapsule_GetPointer(bits.capsule, b"BitGenerator")
    cdef int k
    lock = bits.lock
    lock.acquire()
    for k in range(4):  # nothing here raises
        words[k] = <uint32_t>c.next_raw(c.state)
    lock.release()
    return 0


cdef bint below_2_64(object number, uint64_t *out) except -1:
    """Read an int if it lies in [0, 2**64)."""
    if type(number) is not int:
        return False
    try:
        out[0] = number
    except OverflowError:
        return False
    return True


cdef int read_key(object rng, uint64_t *low, uint64_t *high) except -1:
    """Read the key of any rng; a Generator and its like advance."""
    cdef uint32_t words[4]
    cdef uint64_t seed = 0
    if type(rng) is Key:
        low[0], high[0] = rng.low, rng.high
        return 0
    if below_2_64(rng, &seed):
        wif_seed_words(seed, words)
    else:
        if Generator is None:
            find_generators()
        bits = rng.bit_generator if isinstance(rng, Generator) else rng
        if type(bits) not in bit_generators:
            low[0], high[0] = other_key(rng)
            return 0
        draw_raw(bits, words)
    low[0] = words[0] | <uint64_t>words[1] << 32
    high[0] = words[2] | <uint64_t>words[3] << 32
    return 0


cdef int read_key_and_stream(object rng, object stream, wif_draw *draw) except -1:
    if not below_2_64(stream, &draw.stream):
        draw.stream = other_stream(stream)
    return read_key(rng, &draw.key_low, &draw.key_high)


def key_words(object rng):
    """Return (key_low, key_high) of any rng."""
    cdef uint64_t low = 0, high = 0
    read_key(rng, &low, &high)
    return low, high
