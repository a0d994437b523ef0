"""A call that has to be refused: with the right exception, while nothing changes."""

import math
import re
from functools import partial

import numpy as np
import pytest

import weightinit_fast as wi

NAN, INF = math.nan, math.inf
SCALED = (wi.xavier_uniform, wi.xavier_normal, wi.he_uniform, wi.he_normal)
SCALED += (wi.variance_scaling, wi.lecun_normal, wi.fan_in_uniform)
#: With stated fans every function takes a shape of one axis.
RANDOM = (wi.uniform, wi.normal, wi.truncated_normal, *(partial(f, fans=(7, 9)) for f in SCALED))
FILLS = (wi.zeros, wi.ones, *RANDOM)


def backing(size=48, dtype="f4"):
    """Return memory with a pattern that no initialiser writes."""
    return np.full(size * np.dtype(dtype).itemsize, 0xA5, np.uint8).view(dtype)


def refuse(error, text, function, *args, guard=None, **kwargs):
    """Assert that the call raises exactly `error`, and that its message contains `text`.

    Not a byte of `guard` may change, and the Generator that is drawn from must not advance.
    """
    before = None if guard is None else bytes(memoryview(guard).cast("B"))
    rng = kwargs.setdefault("rng", np.random.default_rng(7))
    state = rng.bit_generator.state if isinstance(rng, np.random.Generator) else None
    with pytest.raises(error, match=text and re.escape(text)) as caught:
        function(*args, **kwargs)
    exact = error if isinstance(error, tuple) else (error,)
    assert caught.type in exact or caught.type.__module__.startswith("numpy"), caught.type
    if guard is not None:
        assert bytes(memoryview(guard).cast("B")) == before, "bytes were written"
    if state is not None:
        assert rng.bit_generator.state == state, "the Generator advanced"
