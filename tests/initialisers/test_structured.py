"""Identity, dirac, sparse and the orthogonal matrices: signatures, keys and refusals."""

import inspect

import numpy as np
import pytest
from numpy.random import PCG64, default_rng
from oracles import oracle
from support.refusals import INF, NAN, backing, refuse
from support.surface import COMMON_WITHOUT_ROWS, REQUIRED, same_bits

import weightinit_fast as wf

pytestmark = pytest.mark.usefixtures("eager")

OWN = {
    "identity": {"gain": 1},
    "dirac": {"groups": 1, "layout": None},
    "sparse": {"sparsity": REQUIRED, "std": 0.01, "layout": None},
    "orthogonal": {"gain": 1, "column_axis": 0, "layout": None},
    "delta_orthogonal": {"gain": 1, "layout": None},
}


@pytest.mark.parametrize("name", OWN)
def test_signature(name):
    shape, *rest = inspect.signature(getattr(wf, name)).parameters.values()
    assert (shape.name, shape.default) == ("shape", None)
    assert {p.kind for p in rest} == {inspect.Parameter.KEYWORD_ONLY}
    assert {p.name: p.default for p in rest} == OWN[name] | COMMON_WITHOUT_ROWS
    assert name in wf.__all__


# Keys --------------------------------------------------------------------------------------------

CALLS = [("sparse", (6, 5), {"sparsity": 0.5}), ("orthogonal", (6, 5), {})]
CALLS += [("delta_orthogonal", (6, 5, 3), {}), ("truncated_normal", (6, 5), {})]


@pytest.mark.parametrize(("name", "shape", "own"), CALLS)
def test_one_key_is_drawn(name, shape, own):
    ours, twin = default_rng(3), PCG64(3)
    first = getattr(wf, name)(shape, rng=ours, **own)
    key = wf.Key(*oracle.derive_key(twin))
    assert same_bits(first, getattr(wf, name)(shape, rng=key, **own))
    assert ours.bit_generator.state == twin.state


# Refusals ----------------------------------------------------------------------------------------

BAD = [
    *((wf.identity, s, {}, ValueError, str(s)) for s in ((), (4,), (2, 2, 2))),
    *((wf.identity, (6, 8), {"gain": v}, TypeError, repr(v)) for v in (None, [1.0])),
    (wf.identity, (6, 8), {"gain": 1e39}, ValueError, "1e+39"),
    *((wf.dirac, s, {}, ValueError, str(s)) for s in ((), (4,), (6, 8), (1, 1, 1, 1, 2, 24))),
    *((wf.dirac, (6, 4, 2), {"groups": g}, ValueError, str(g)) for g in (4, 5, 0, -2)),
    *((wf.dirac, (6, 4, 2), {"groups": g}, TypeError, repr(g)) for g in (True, 1.0, "2")),
    *((wf.dirac, (6, 4, 2), {"layout": v}, ValueError, repr(v)) for v in ("OI", "OIHW", "OHW", "")),
    *((wf.sparse, s, {"sparsity": 0.5}, ValueError, str(s)) for s in ((), (48,), (2, 4, 6))),
    *((wf.sparse, (6, 8), {"sparsity": v}, ValueError, repr(v)) for v in (-0.25, 1.5, NAN, INF)),
    *((wf.sparse, (6, 8), {"sparsity": v}, TypeError, repr(v)) for v in ("0.5", None)),
    *(
        (wf.sparse, (6, 8), {"sparsity": 0, "std": v}, ValueError, repr(v))
        for v in (-0.5, NAN, INF)
    ),
    *((wf.orthogonal, s, {}, ValueError, None) for s in ((), (48,))),
    *((wf.orthogonal, (6, 8), {"gain": v}, ValueError, repr(v)) for v in (NAN, INF, "gellu")),
    *((wf.orthogonal, (6, 8), {"column_axis": v}, ValueError, str(v)) for v in (2, -3)),
    *((wf.orthogonal, (6, 8), {"column_axis": v}, TypeError, repr(v)) for v in (1.0, "0", True)),
    *(
        (wf.delta_orthogonal, s, {}, ValueError, str(s))
        for s in ((), (48,), (8, 6), (4, 3, 1, 1, 2, 2))
    ),
    (wf.delta_orthogonal, (2, 6, 4), {}, ValueError, "6"),
    (wf.delta_orthogonal, (6, 2, 4), {"layout": "IOH"}, ValueError, "6"),
    (wf.delta_orthogonal, (6, 2, 4), {"layout": "OI"}, ValueError, "'OI'"),
]


@pytest.mark.parametrize(("function", "shape", "own", "error", "text"), BAD)
def test_refused(function, shape, own, error, text):
    memory = backing()
    out = memory[: int(np.prod(shape))].reshape(shape)
    refuse(error, text, function, shape, **own)
    refuse(error, text, function, shape, out=out, guard=memory, **own)


def test_sparsity_has_no_default():
    with pytest.raises(TypeError, match="sparsity"):
        wf.sparse((3, 4))
