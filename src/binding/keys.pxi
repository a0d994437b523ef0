# Reads which key an rng stands for, and which number a stream has.  This file reads the kinds of
# rng and stream that programs pass in loops.  weightinit_fast/_resolve/keys.py reads all other
# kinds, and registers its functions here for that.
from cpython.pycapsule cimport PyCapsule_GetPointer
from cpython.ref cimport Py_INCREF
from cpython.unicode cimport PyUnicode_AsUTF8AndSize


cdef extern from "Python.h":
    PyObject *class_of "(PyObject *)Py_TYPE"(object instance)  # without a reference of its own


# NumPy's public C interface to a bit generator: bitgen_t in numpy/random/bitgen.h.
ctypedef struct bitgen:
    void *state
    uint64_t (*next_uint64)(void *state) noexcept nogil
    uint32_t (*next_uint32)(void *state) noexcept nogil
    double (*next_double)(void *state) noexcept nogil
    uint64_t (*next_raw)(void *state) noexcept nogil


cdef object Key = None, read_other_key = None, read_other_stream = None  # by register_keys
cdef Py_ssize_t key_low_at, key_high_at  # the slots of a Key; by register_keys
# NumPy's classes, imported when somebody first passes an rng that is neither a Key nor an int below
# 2**64: Generator, and then the bit generators.  Subclasses of these are not among them, since they
# may draw in another way.  They may be read when shared_generators is ready (shared.h), and live
# for as long as the process.
cdef enum:
    KNOWN_CLASSES = 6
cdef PyObject *known_classes[KNOWN_CLASSES]


# torch.Generator, and what each thread keeps to draw from one: by register_torch, once somebody has
# passed one.  They may be read when shared_torch is ready.
cdef object TorchGenerator = None, torch_buffer = None, torch_methods = None
cdef object TORCH_LOWEST = -(1 << 63)


def register_torch(object generator_type, object buffer, object methods):
    """Set torch's class of generators, and how to draw from one, unless they are set already.

    ``methods()`` makes what a thread keeps in the attribute ``methods`` of ``buffer``, which is a
    threading.local: a function ``draw(lowest, None)`` that draws two words from torch's default
    generator, or from that given as ``generator=``, a function that returns the two words, and the
    default generator.
    """
    global TorchGenerator, torch_buffer, torch_methods
    if shared_claim(&shared_torch):
        TorchGenerator, torch_buffer, torch_methods = generator_type, buffer, methods
        shared_make_ready(&shared_torch)


cdef int draw_torch(object generator, uint64_t *low, uint64_t *high) except -1:
    """Draw 128 bits from a torch.Generator of the CPU or of another device, which advances."""
    # To make a tensor for each draw would take longer than to draw, and a small fill takes about as
    # long as either.
    try:
        draw, read, default = torch_buffer.methods
    except AttributeError:
        draw, read, default = torch_buffer.methods = torch_methods()
    if generator is default:
        draw(TORCH_LOWEST, None)  # faster than to name the generator
    elif generator.device.type == "cpu":
        draw(TORCH_LOWEST, None, generator=generator)
    else:
        low[0], high[0] = read_other_key(generator)
        return 0
    low[0], high[0] = read()
    return 0


def register_keys(object key_type, object key_words, object stream_value):
    """Set the class Key, and the functions that read the other kinds of rng and stream."""
    global Key, read_other_key, read_other_stream, key_low_at, key_high_at
    low, high = key_type.low, key_type.high
    key_low_at = shared_slot_offset(<PyObject *>low)
    key_high_at = shared_slot_offset(<PyObject *>high)
    if SHARED_KNOWS_SLOTS and (key_low_at < 0 or key_high_at < 0):
        raise TypeError("Key must have the slots low and high")
    Key, read_other_key, read_other_stream = key_type, key_words, stream_value


cdef int import_generators() except -1:
    """Import NumPy's classes of generators."""
    from numpy import random
    cdef tuple classes = (
        random.Generator, random.MT19937, random.PCG64, random.PCG64DXSM, random.Philox,
        random.SFC64,
    )
    cdef int k
    if shared_claim(&shared_generators):
        for k in range(KNOWN_CLASSES):
            Py_INCREF(classes[k])
            known_classes[k] = <PyObject *>classes[k]
        shared_make_ready(&shared_generators)
    return 0


cdef bint is_bit_generator(object bits) noexcept:
    """Return whether this is one of NumPy's own bit generators.

    Classes are compared by identity, because a metaclass can define an equality that lies.
    """
    cdef int k
    for k in range(1, KNOWN_CLASSES):
        if class_of(bits) == known_classes[k]:
            return True
    return False


cdef const bitgen *ready(object bits, object capsule) except NULL:
    """Return the C interface of a bit generator; refuse one that is not initialised.

    NumPy itself does not check that, and would crash.
    """
    if capsule is None:
        raise ValueError(
            f"rng is a {type(bits).__name__} that is not initialised: it has no capsule yet, "
            "because its __init__ was not called"
        )
    cdef const bitgen *c = <const bitgen *>PyCapsule_GetPointer(capsule, b"BitGenerator")
    if c.next_raw == NULL or c.state == NULL:
        raise ValueError(
            f"rng is a {type(bits).__name__} that is not initialised, because its __init__ failed"
        )
    return c


def check_bit_generator(object bits, object capsule):
    """Refuse a bit generator that is not initialised: its random_raw would crash.

    _resolve/keys.py calls this for subclasses of NumPy's bit generators, from which it draws
    itself.
    """
    ready(bits, capsule)


cdef object draw_raw(object bits, object buffer, uint32_t *words):
    """Draw as bits.random_raw(4) does, holding the generator's lock, and keep each low 32 bits.

    If this thread has to wait for the lock, other code may run meanwhile; so the buffer is pinned.
    Return what pins it, or None.
    """
    cdef const bitgen *c = ready(bits, bits.capsule)
    cdef int k
    lock, pinned = bits.lock, None
    if not lock.acquire(False):
        pinned = pin(buffer)
        lock.acquire()
    for k in range(4):  # nothing in this loop raises, so that the lock is always released
        words[k] = <uint32_t>c.next_raw(c.state)
    lock.release()
    return pinned


cdef bint below_2_64(object number, uint64_t *out) except -1:
    """If number is an int in [0, 2**64), store it in out; return whether it is."""
    if type(number) is not int:
        return False
    try:
        out[0] = number
    except OverflowError:
        return False
    return True


# While a key and a stream are read, other code may run: methods of the objects that the caller
# passed, or other threads while this one waits for a lock or an import.  So the functions below pin
# the buffer that is about to be filled before such code can run.  They return the object that pins
# it, or None if it was not necessary.

cdef object read_key(object rng, object buffer, uint64_t *low, uint64_t *high):
    """Read the key for which an rng stands.  A Generator, or another rng with a state, advances."""
    cdef uint32_t words[4]
    cdef uint64_t seed = 0
    cdef bint known
    pinned = None
    if type(rng) is Key:
        if SHARED_KNOWS_SLOTS:
            known = (
                shared_read_slot(<PyObject *>rng, key_low_at, low)
                and shared_read_slot(<PyObject *>rng, key_high_at, high)
            )
        else:
            known = below_2_64(rng.low, low) and below_2_64(rng.high, high)
        if not known:
            raise ValueError(f"no key: {rng.low!r}, {rng.high!r}")
        return None
    if below_2_64(rng, &seed):
        wif_seed_words(seed, words)
    elif shared_is_ready(&shared_torch) and type(rng) is TorchGenerator:
        pinned = pin(buffer)
        draw_torch(rng, low, high)
        return pinned
    else:
        if not shared_is_ready(&shared_generators):
            pinned = pin(buffer)
            import_generators()
        # Where another thread is about to set the classes, read_other_key draws the same words.
        ready_here = shared_is_ready(&shared_generators)
        bits = rng
        if ready_here and class_of(rng) == known_classes[0]:
            bits = rng.bit_generator
        if not (ready_here and is_bit_generator(bits)):
            pinned = pin(buffer)
            low[0], high[0] = read_other_key(rng)
            return pinned
        waited = draw_raw(bits, buffer, words)
        pinned = pinned if waited is None else waited
    low[0] = words[0] | <uint64_t>words[1] << 32
    high[0] = words[2] | <uint64_t>words[3] << 32
    return pinned


def stream_number(object stream):
    """Return the 64-bit number of a stream given as a number or a name."""
    cdef uint64_t number = 0
    cdef Py_ssize_t length = 0
    cdef const char *name
    if isinstance(stream, str):
        name = PyUnicode_AsUTF8AndSize(stream, &length)
        return c_wif_stream_from_name(name, <size_t>length)
    if below_2_64(stream, &number):
        return stream
    return read_other_stream(stream)


cdef object read_key_and_stream(object rng, object stream, object buffer, wif_draw *draw):
    """Read the key and the number of the stream into draw."""
    pinned = None
    if not below_2_64(stream, &draw.stream):
        pinned = pin(buffer)
        draw.stream = stream_number(stream)
    waited = read_key(rng, buffer, &draw.key_low, &draw.key_high)
    return pinned if waited is None else waited


def key_words(object rng):
    """Return (key_low, key_high) of the key for which an rng stands."""
    cdef uint64_t low = 0, high = 0
    read_key(rng, None, &low, &high)
    return low, high
