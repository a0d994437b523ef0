"""Keys of ints, of NumPy's bit generators and of foreign ones, against words that NumPy draws."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.random import PCG64, Generator, RandomState, SeedSequence, default_rng
from support import HANG_SECONDS
from support.internals import core
from support.memory import FIXED
from support.surface import LOW32, joined

import weightinit_fast as wi

NAMES = ("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64")
KINDS = [getattr(np.random, name) for name in NAMES]


def same_state(a, b):
    return repr(a.state) == repr(b.state)  # the state of MT19937 holds an array


# Seeds -------------------------------------------------------------------------------------------

EDGES = [edge + k for edge in (2**31, 2**32, 2**33, 2**63, 2**64) for k in (-2, -1, 0, 1)]
EDGES += [*range(100), 2**96, 2**128 - 1, 2**128, 2**200]


def test_small_seeds_and_edges():
    for seed in EDGES:
        assert wi.key(seed) == joined(SeedSequence(seed).generate_state(4)), seed


@FIXED
@given(st.integers(0, 2**64 - 1))
def test_seeds(seed):
    expected = joined(SeedSequence(seed).generate_state(4))
    assert wi.key(seed) == expected
    assert (wi.normal(3, rng=seed) == wi.normal(3, rng=expected)).all()


def test_ten_thousand_seeds():
    seeds = default_rng(0).integers(0, 2**64, 10_000, dtype=np.uint64)
    seeds >>= default_rng(1).integers(0, 64, 10_000, dtype=np.uint64)  # numbers of every length
    for seed in map(int, seeds):
        assert wi.key(seed) == joined(SeedSequence(seed).generate_state(4)), seed


def test_integers_of_other_types_are_the_same_seeds():
    class Mine(int):
        pass

    for seed in (Mine(7), np.int64(7), np.uint8(7), [7]):
        assert wi.key(seed) == wi.key(7)


@pytest.mark.process
def test_a_seed_or_a_key_does_not_load_numpys_generators():
    script = (
        "import sys, weightinit_fast as wi\n"
        "wi.normal(4, rng=2**64 - 1, stream='name')\n"
        "wi.he_normal((4, 4), rng=wi.key(3))\n"
        "print('numpy.random' in sys.modules)"
    )
    printed = subprocess.run([sys.executable, "-c", script], check=True, stdout=subprocess.PIPE)
    assert printed.stdout.split() == [b"False"]


# Generators --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("wrap", [lambda bits: bits, Generator, RandomState])
def test_the_words_are_those_of_random_raw(kind, wrap):
    bits, twin = kind(5), kind(5)
    rng = wrap(bits)
    for _ in range(500):  # MT19937 makes 624 words at a time, SFC64 and Philox have buffers
        assert wi.key(rng) == joined(twin.random_raw(4))
    assert same_state(bits, twin)
    out = np.empty(5, np.float32)
    wi.normal(out=out, rng=rng)
    assert (out == wi.normal(5, rng=joined(twin.random_raw(4)))).all()
    assert same_state(bits, twin)


@pytest.mark.parametrize("kind", KINDS)
def test_a_half_word_that_a_generator_keeps_stays_there(kind):
    """A Generator that drew 32 bits keeps the other half of the word; random_raw ignores it."""
    bits, twin = kind(5), kind(5)
    for one in (bits, twin):
        Generator(one).integers(0, 2**31, dtype=np.uint32)
    assert wi.key(Generator(bits)) == joined(twin.random_raw(4))
    assert same_state(bits, twin)
    assert Generator(bits).integers(2**31) == Generator(twin).integers(2**31)


class Recorded(PCG64):
    """A bit generator that draws in its own way."""

    def random_raw(self, size=None, output=True):
        return np.arange(size, dtype=np.uint64) + (7 << 32)


class Plain(PCG64):
    """A subclass that draws as its parent does."""


class Foreign:
    """An object with a capsule and a lock, which a Generator takes for a bit generator."""

    def __init__(self):
        self.kept = PCG64(5)
        self.capsule, self.lock = self.kept.capsule, self.kept.lock

    def random_raw(self, size):
        return self.kept.random_raw(size)[::-1]


def test_foreign_bit_generators_draw_by_their_own_random_raw():
    for rng in (Recorded(5), Generator(Recorded(5))):
        assert wi.key(rng) == joined(range(4))
    for rng in (Plain(5), Generator(Plain(5))):
        assert wi.key(rng) == joined(PCG64(5).random_raw(4))
    assert wi.key(Generator(Foreign())) == joined(PCG64(5).random_raw(4)[::-1])
    with pytest.raises(TypeError, match="Foreign"):
        wi.key(Foreign())


def test_a_subclass_of_generator():
    class Mine(Generator):
        pass

    assert wi.key(Mine(PCG64(5))) == wi.key(Generator(PCG64(5)))


def test_an_empty_tensor_takes_a_key_too():
    for arguments in ({"shape": (0, 3)}, {"out": np.empty((3, 0), np.float32)}):
        rng, twin = default_rng(5), PCG64(5)
        wi.normal(**arguments, rng=rng)
        twin.random_raw(4)
        assert same_state(rng.bit_generator, twin)


# Refusals ----------------------------------------------------------------------------------------

OUT = {"out": np.full(12, 77, np.float32)}
BAD = [
    # Parameters are judged before the stream.
    (wi.normal, {"std": 1e39, "stream": -1}, "overflows"),
    (wi.normal, {"threads": 0, "std": 1e39}, "threads"),
    (wi.normal, {"stream": 2**64}, "stream"),
    (wi.normal, {"stream": -1}, "stream"),
    (wi.uniform, {"low": 1.0, "high": 1 + 2**-30}, "no float32 value"),
    (wi.truncated_normal, {"lower": 9.0, "upper": 10.0, "stream": -1}, "beyond"),
    (wi.xavier_normal, {"gain": 1e300, "fans": (3, 4)}, "overflows"),
]
BAD_SPARSE = [({"threads": 0}, "threads"), ({"stream": -1}, "stream"), ({"std": 1e39}, "overflows")]


@pytest.mark.parametrize("place", [OUT, {"shape": 12}, {"shape": 12, "index": slice(4)}])
@pytest.mark.parametrize(("function", "options", "text"), BAD)
def test_a_refusal_draws_nothing(function, options, text, place):
    rng = default_rng(5)
    with pytest.raises(ValueError, match=text):
        function(**place, **options, rng=rng)
    assert same_state(rng.bit_generator, PCG64(5))
    assert (OUT["out"] == 77).all()


@pytest.mark.parametrize(("options", "text"), BAD_SPARSE)
def test_a_refusal_of_sparse_draws_nothing(options, text):
    rng, out = default_rng(5), np.full((4, 3), 77, np.float32)
    with pytest.raises(ValueError, match=text):
        wi.sparse(out=out, sparsity=0.5, **options, rng=rng)
    assert same_state(rng.bit_generator, PCG64(5))
    assert (out == 77).all()


@pytest.mark.parametrize("rng", [True, "seed", 1.5, -1, [-1], object()])
def test_a_stream_is_judged_before_a_seed(rng):
    with pytest.raises(ValueError, match="stream"):
        wi.normal(out=OUT["out"], rng=rng, stream=2**64)


def test_the_engine_proves_its_bounds_before_it_draws():
    rng, out = default_rng(5), np.zeros(4, np.float32)
    for axes, first in (([(5, 1, 4)], 0), ([(4, 1, 4)], 2**64 - 2), (None, 2**64 - 2)):
        with pytest.raises(ValueError, match="beyond"):
            core.fill(out, core.NORMAL, 0, (0.0, 1.0), rng, 0, first, axes, 1)
    assert same_state(rng.bit_generator, PCG64(5))
    assert not out.any()


# Threads -----------------------------------------------------------------------------------------


def test_threads_that_share_a_generator_never_share_a_key():
    """The four words of a key are always neighbours, even while another thread draws."""
    rng, twin = default_rng(5), PCG64(5)
    done = threading.Event()

    def others():
        drawn = 0
        while not done.is_set() and drawn < 300_000:  # all of them are drawn again below
            rng.bit_generator.random_raw(4 * 1000, output=False)
            drawn += 1000
        return drawn

    def keys(_):
        return [wi.key(rng) for _ in range(500)]

    with ThreadPoolExecutor(5) as pool:
        beside = pool.submit(others)
        found = [key for some in pool.map(keys, range(4)) for key in some]
        done.set()
        total = beside.result() + len(found)
    assert len(set(found)) == len(found)
    words = (twin.random_raw(4 * total) & np.uint64(LOW32)).reshape(-1, 4)
    low, high = (words[:, k] | words[:, k + 1] << np.uint64(32) for k in (0, 2))
    assert set(found) <= set(map(wi.Key, low.tolist(), high.tolist()))
    assert same_state(rng.bit_generator, twin)


@pytest.mark.parametrize("kind", KINDS)
def test_a_call_waits_for_the_lock_of_a_generator(kind):
    rng, twin = Generator(kind(5)), kind(5)
    lock = rng.bit_generator.lock

    def is_free():
        with lock:
            return True

    with ThreadPoolExecutor(1) as pool:
        with lock:
            waiting = pool.submit(wi.key, rng)
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.05)
        assert waiting.result(timeout=HANG_SECONDS) == joined(twin.random_raw(4))
    with ThreadPoolExecutor(1) as pool:  # the lock is given back
        assert pool.submit(is_free).result(timeout=HANG_SECONDS)
