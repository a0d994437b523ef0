"""Many threads call at the same time, above all where no GIL orders them."""

import sys
import sysconfig
import threading

import numpy as np
import pytest
from support.internals import core, dtypes
from support.interpreter import run

import weightinit_fast as wi

THREADS = 64
#: Calls of every way into the engine: small and large fills, types, layouts, keys and initialisers.
CALLS = {
    "small": lambda k: wi.normal(16, rng=wi.Key(k, 1), stream="w"),
    "large": lambda k: wi.uniform(40_000, rng=k, stream=k, threads=2),
    "narrow": lambda k: wi.truncated_normal((9, 33), rng=k, dtype="float16"),
    "scaled": lambda k: wi.he_normal((8, 3, 3, 3), rng=k, stream="conv"),
    "out": lambda k: wi.xavier_uniform(out=np.empty((7, 5)), rng=k),
    "strided": lambda k: wi.normal(out=np.empty((6, 10))[:, ::3], rng=k),
    "part": lambda k: wi.normal((100, 64), rng=k, stream="emb", index=np.s_[k : k + 9]),
    "rows": lambda k: wi.normal((10**9, 8), rng=k, rows=[k, 3, k * 7]),
    "orthogonal": lambda k: wi.orthogonal((8, 8), rng=k),
    "object": lambda k: wi.initializer("he_uniform(a=0.25)")((30, 4), rng=k),
    "Generator": lambda k: wi.normal(20, rng=np.random.default_rng(k)),
    "PCG64": lambda k: wi.normal(20, rng=np.random.PCG64(k)),
    "RandomState": lambda k: wi.normal(20, rng=np.random.RandomState(k)),
}


def together(work, count=THREADS):
    """Call ``work(k)`` in that many threads, which begin together; raise what one raised."""
    begin, errors = threading.Barrier(count), []

    def run(k):
        try:
            begin.wait()
            work(k)
        except BaseException as error:  # the main thread raises it
            errors.append(error)

    threads = [threading.Thread(target=run, args=(k,)) for k in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def test_every_call_has_its_own_values():
    wanted = {name: [call(k).copy() for k in range(THREADS)] for name, call in CALLS.items()}

    def work(k):
        names = list(CALLS)
        for repeat in range(3 * len(names)):
            name = names[(repeat + k) % len(names)]
            np.testing.assert_array_equal(CALLS[name](k), wanted[name][k])

    together(work)


def test_a_shared_generator_gives_each_call_a_key_of_its_own():
    """No draw is lost, and none is made twice: the keys are those of one thread, in some order."""
    repeats = 20
    alone = np.random.default_rng(5)
    wanted = {wi.normal(4, rng=alone).tobytes() for _ in range(repeats * THREADS)}
    shared, found = np.random.default_rng(5), [set() for _ in range(THREADS)]

    def work(k):
        for _ in range(repeats):
            found[k].add(wi.normal(4, rng=shared).tobytes())

    together(work)
    assert set.union(*found) == wanted
    assert sum(map(len, found)) == len(wanted)


def test_refused_calls_beside_others():
    def work(k):
        for _ in range(30):
            with pytest.raises(ValueError, match="std"):
                wi.normal(8, std=-1.0, rng=k)
            with pytest.raises(TypeError):
                wi.normal(8, rng="text")
            assert not wi.normal(8, rng=k, std=0.0).any()

    together(work)


def test_fills_while_another_thread_switches_the_kernels():
    """Tests and benchmarks switch instruction sets; each fill uses the one that it has read."""
    wanted, former, done = [wi.normal(5000, rng=k) for k in range(8)], core.isa(), threading.Event()

    def switch():
        while not done.is_set():
            for name in core.ISAS_RUNNABLE:
                core.select_isa(name)

    def work(k):
        for _ in range(20):
            np.testing.assert_array_equal(wi.normal(5000, rng=k), wanted[k])

    switcher = threading.Thread(target=switch)
    switcher.start()
    try:
        together(work, 8)
    finally:
        done.set()
        switcher.join()
        core.select_isa(former)


@pytest.mark.skipif(not sysconfig.get_config_var("Py_GIL_DISABLED"), reason="only without the GIL")
def test_what_every_call_uses_is_immortal():
    """Threads that count references to the same object wait for each other."""
    functions = [core.fill, core.pin, core.finite, core.not_negative, core.plain_target]
    methods = [vars(core.Target)["draw"], vars(core.Target)["write"], vars(dtypes.Kind)["code"]]
    for used in (
        *functions,
        *methods,
        dtypes.DEFAULT,
        *dtypes.DEFAULT,
        dtypes.kind_named("bfloat16"),
    ):
        before = sys.getrefcount(used)
        more = [used] * 1000
        assert sys.getrefcount(used) == before, used
        del more


FIRST_USE = """
import threading, sys
import numpy as np
import weightinit_fast as wi
begin, values = threading.Barrier(64), [None] * 64
def work(k):
    rng = np.random.PCG64(7) if k % 2 else np.random.default_rng(7)
    begin.wait()
    values[k] = wi.normal(50, rng=rng).tobytes()
threads = [threading.Thread(target=work, args=(k,)) for k in range(64)]
[t.start() for t in threads]; [t.join() for t in threads]
assert len(set(values)) == 1 and values[0] is not None, len(set(values))
print(getattr(sys, "_is_gil_enabled", lambda: True)())
"""


@pytest.mark.process
def test_the_first_generators_of_a_process_come_from_many_threads():
    """The classes of NumPy are registered by whichever thread needs them first."""
    for _ in range(3):
        gil = run(FIRST_USE, prelude="")
    # The import does not turn the GIL on.
    assert gil == str(not sysconfig.get_config_var("Py_GIL_DISABLED"))
