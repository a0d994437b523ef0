"""Bit generators that cannot draw raise an exception here, while NumPy itself would crash.

Each case runs in a child process, since a crash would end it.
"""

import numpy as np
import pytest
from support.isolated import forks, isolated, note

import weightinit_fast as wi

pytestmark = [pytest.mark.process, forks]
KINDS = ("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64")
#: Name -> what is made of a bit generator, before or after it breaks.
WRAPPERS = {
    "itself": lambda bits: bits,
    "Generator": np.random.Generator,
    "subclass of Generator": type("Mine", (np.random.Generator,), {}),
    "RandomState": np.random.RandomState,
}


def break_state(bits):
    """Call a second __init__ that raises, which leaves a bit generator without a state."""
    with pytest.raises((TypeError, ValueError)):
        bits.__init__("junk")


def refuse_all(make, case):
    note(case)
    out = np.full(8, 7, "f4")
    for use in (
        lambda rng: wi.normal(2, rng=rng),
        lambda rng: wi.normal(out=out, rng=rng),
        lambda rng: wi.he_normal((3, 4), rng=rng),
        lambda rng: wi.sparse((3, 4), sparsity=0.5, rng=rng),
        lambda rng: wi.orthogonal((3, 4), rng=rng),
        wi.key,
    ):
        with pytest.raises(ValueError, match="not initialised"):
            use(make())
    assert (out == 7).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_a_second_init_that_failed(kind, wrapper):
    def child():
        for base in (getattr(np.random, kind), type("Sub", (getattr(np.random, kind),), {})):
            bits = base(5)
            rng = WRAPPERS[wrapper](bits)
            break_state(bits)
            refuse_all(lambda rng=rng: rng, f"{base.__name__} of {kind}")
            bits.__init__(5)  # another __init__ repairs it
            assert wi.key(rng) == wi.key(WRAPPERS[wrapper](base(5)))

    isolated(child)


@pytest.mark.parametrize("kind", KINDS)
def test_an_init_that_never_ran(kind):
    def child():
        base = getattr(np.random, kind)
        for cls in (base, type("Sub", (base,), {"__init__": lambda self: None})):
            refuse_all(lambda cls=cls: cls.__new__(cls), f"{cls.__name__} of {kind}")

    isolated(child)
