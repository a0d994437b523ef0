"""Identity, dirac, sparse and the orthogonal matrices: structure, places, properties, refusals."""

import inspect
import itertools

import hypothesis.extra.numpy as hnp
import numpy as np
import oracle
import oracle_structured
import oracle_types
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.random import PCG64, default_rng
from test_contract import KEY, STREAM
from test_errors import INF, NAN, backing, refuse
from test_layout import FIXED, Memory, assert_same, placed
from test_layout import KEY as LAYOUT_KEY
from test_surface import COMMON, REQUIRED, same_bits
from test_types import storage

import weightinit_fast as wf

pytestmark = pytest.mark.usefixtures("eager")
RNG = wf.Key(*KEY)
DTYPES = ("f4", "f8")
NAMES = tuple(oracle_types.TYPES)
SAME = {"rng": RNG, "stream": STREAM}
OWN = {
    "identity": {"gain": 1},
    "dirac": {"groups": 1, "layout": None},
    "sparse": {"sparsity": REQUIRED, "std": 0.01},
    "orthogonal": {"gain": 1, "column_axis": 0},
    "delta_orthogonal": {"gain": 1, "layout": None},
}


@pytest.mark.parametrize("name", OWN)
def test_signature(name):
    shape, *rest = inspect.signature(getattr(wf, name)).parameters.values()
    assert (shape.name, shape.default) == ("shape", None)
    assert {p.kind for p in rest} == {inspect.Parameter.KEYWORD_ONLY}
    assert {p.name: p.default for p in rest} == OWN[name] | COMMON
    assert name in wf.__all__


def patterns(function, shape, name, **own):
    """Bit patterns of a narrow type."""
    out = np.full(shape, 77, storage(name))
    assert function(shape, out=out, dtype=name, **SAME, **own) is out
    return out.view(oracle_types.TYPES[name].bits)


def check_narrow(function, shape, name, expected, **own):
    """As the rounded values of ``expected``."""
    wanted = oracle_types.encode(name, oracle_types.round_to(name, expected))
    assert patterns(function, shape, name, **own).tolist() == wanted.tolist()


def whole_and_parts(data, function, expected, dtype, **own):
    """A part of the tensor, new and in memory of any layout, equals that part of ``expected``."""
    expected = expected.astype(dtype)
    options = {"allow_newaxis": True, "allow_ellipsis": True, "max_dims": 7}
    index = data.draw(hnp.basic_indices(expected.shape, **options))
    index = index if isinstance(index, tuple) else (index,)
    given_options = {"shape": expected.shape, "index": index} | own
    part = expected[index]
    got = function(dtype=dtype, rng=LAYOUT_KEY, stream="layout", **given_options)
    assert_same(got, part)
    memory = data.draw(placed((np.shape(part), dtype)))
    memory.assert_filled(part, function, **given_options)
    memory = data.draw(placed((expected.shape, dtype)))
    memory.assert_filled(expected, function, **own)


some_dtypes = st.sampled_from(["<f4", ">f4", "<f8", ">f8", "<f2", ">f2"])
sides = st.integers(0, 9)

# Identity ----------------------------------------------------------------------------------------


def test_eye_is_identity():
    assert wf.eye is wf.identity


@FIXED
@given(st.data(), st.tuples(sides, sides), some_dtypes, st.sampled_from([1, 0.25, 3.0, 0]))
def test_identity(data, shape, dtype, gain):
    expected = oracle_structured.identity(shape, gain)
    whole_and_parts(data, wf.identity, expected, dtype, gain=gain)


@pytest.mark.parametrize("name", NAMES)
def test_narrow_identity(isa, name):
    f = oracle_types.TYPES[name]
    for gain in (1.0, 0.1, 1 + f.epsilon / 2 + 2.0**-40, f.largest):
        expected = oracle_structured.identity((9, 14), gain)
        check_narrow(wf.identity, (9, 14), name, expected, gain=gain)


def test_large_identity():
    for dtype in ("f2", "f4", "f8"):
        w = wf.identity((1500, 1700), dtype=dtype, gain=0.5)
        assert same_bits(w, oracle_structured.identity((1500, 1700), 0.5).astype(dtype))
        memory = Memory((700, 600), dtype, order=(1, 0), gaps=3, offset=1)
        memory.assert_filled(np.eye(700, 600, dtype=dtype), wf.identity, threads=2)
    corner = wf.identity((2**31, 2**31), index=np.s_[-2:, -3:])
    assert corner.tolist() == [[0, 1, 0], [0, 0, 1]]


# Dirac -------------------------------------------------------------------------------------------

conv_shapes = st.lists(st.integers(1, 5), min_size=1, max_size=3)


@FIXED
@given(st.data(), st.integers(1, 4), st.integers(1, 4), st.integers(0, 6), conv_shapes, some_dtypes)
def test_dirac(data, groups, per_group, into, kernel, dtype):
    expected = oracle_structured.dirac((groups * per_group, into, *kernel), groups)
    whole_and_parts(data, wf.dirac, expected, dtype, groups=groups)


@pytest.mark.parametrize(
    ("shape", "layout"),
    [
        *(((3, 5, 4, 6), layout) for layout in ("HWIO", "HWOI", "IOHW", "OIHW", "OHWI", "IHWO")),
        *(((3, 4, 6), "HIO"), ((2, 3, 4, 5, 6), "DHWIO"), ((2, 3, 4, 5, 6), "ODHWI")),
    ],
)
def test_dirac_in_layouts(shape, layout):
    expected = oracle_structured.dirac(shape, 1, layout)
    assert same_bits(wf.dirac(shape, layout=layout), expected.astype("f4"))
    index = np.s_[::-1, 1:, ..., -1:0:-1]
    assert_same(wf.dirac(shape, layout=layout, index=index), expected[index].astype("f4"))
    if shape[layout.index("O")] % 2 == 0:
        expected = oracle_structured.dirac(shape, 2, layout)
        assert same_bits(wf.dirac(shape, layout=layout, groups=2), expected.astype("f4"))


def test_dirac_keeps_channels():
    """Convolution with it is the identity, by groups."""
    w = wf.dirac((6, 3, 5), groups=2, dtype="f8")
    x = default_rng(0).normal(size=(6, 20))
    for g, channel in itertools.product(range(2), range(3)):
        kernel = w[3 * g + channel]
        y = sum(np.convolve(x[3 * g + k], kernel[k][::-1], mode="same") for k in range(3))
        np.testing.assert_array_equal(y, x[3 * g + channel])


@pytest.mark.parametrize("name", NAMES)
def test_narrow_dirac(isa, name):
    check_narrow(wf.dirac, (6, 4, 3, 5), name, oracle_structured.dirac((6, 4, 3, 5), 2), groups=2)


@pytest.mark.parametrize("name", ["identity", "dirac"])
def test_structure_leaves_a_generator_alone(name):
    shape = (4, 4) if name == "identity" else (4, 4, 3)
    rng = default_rng(3)
    getattr(wf, name)(shape, rng=rng)
    getattr(wf, name)(shape, rng=rng, index=np.s_[1:], out=np.empty((3, *shape[1:])))
    assert rng.bit_generator.state == PCG64(3).state


# Sparse ------------------------------------------------------------------------------------------


def sparse(shape, sparsity, std, dtype, key=RNG, stream=STREAM):
    """The package's own normals under the oracle's mask."""
    values = wf.normal(shape, std=std, dtype=dtype, rng=key, stream=stream)
    zeros = oracle_structured.sparse_zeros((key.low, key.high), stream, shape, sparsity)
    return np.where(zeros, values.dtype.type(0), values).astype(values.dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sparsity", [0, 0.1, 0.25, 1 / 3, 0.5, 0.999, 1])
@pytest.mark.parametrize("shape", [(1, 1), (10, 7), (7, 10), (300, 41), (2, 3000)])
def test_sparse(dtype, sparsity, shape):
    w = wf.sparse(shape, sparsity=sparsity, std=0.3, dtype=dtype, **SAME)
    assert same_bits(w, sparse(shape, sparsity, 0.3, dtype))
    assert ((w == 0).sum(axis=0) == int(np.ceil(sparsity * shape[0]))).all()


def test_sparse_defaults_and_counts():
    """torch counts ceil(sparsity·rows) in float64: 0.1·10 is 1, 0.07·100 a little above 7."""
    w = wf.sparse((10, 50), sparsity=0.1, **SAME)
    assert same_bits(w, sparse((10, 50), 0.1, 0.01, "f4"))
    assert ((w == 0).sum(axis=0) == 1).all()
    w = wf.sparse((100, 50), sparsity=0.07, **SAME)
    assert ((w == 0).sum(axis=0) == 8).all()


@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (0, 0)])
def test_empty_sparse(shape):
    assert wf.sparse(shape, sparsity=0.5, rng=0).shape == shape


def test_sparse_ties_go_to_the_first_rows():
    """A column so long that words repeat, cut between the two rows of one word."""
    rows = 2**18
    words = oracle.words(KEY, STREAM, np.arange(rows, dtype=np.uint64) + np.uint64(2**63))
    order = np.argsort(words, kind="stable")
    repeats = np.flatnonzero(words[order][1:] == words[order][:-1])
    assert len(repeats) > 1
    for rank in repeats[:3]:
        first, second = order[rank], order[rank + 1]
        assert first < second
        sparsity = (rank + 1) / rows  # exact
        w = wf.sparse((rows, 1), sparsity=sparsity, **SAME)
        assert w[first, 0] == 0 != w[second, 0]
        assert np.flatnonzero(w == 0).tolist() == sorted(order[: rank + 1].tolist())
        index = np.s_[second : second + 1]
        assert wf.sparse((rows, 1), sparsity=sparsity, index=index, **SAME)[0, 0] == w[second, 0]


@FIXED
@given(st.data(), st.tuples(sides, sides), some_dtypes, st.sampled_from([0, 0.3, 0.5, 1]))
def test_parts_of_sparse(data, shape, dtype, sparsity):
    expected = sparse(shape, sparsity, 2.0, dtype, LAYOUT_KEY, "layout")
    whole_and_parts(data, wf.sparse, expected, dtype, sparsity=sparsity, std=2.0)


@pytest.mark.parametrize("name", NAMES)
def test_narrow_sparse(isa, name):
    expected = sparse((60, 21), 0.4, 1.0, "f4")
    check_narrow(wf.sparse, (60, 21), name, expected, sparsity=0.4, std=1.0)


def test_sparse_of_any_threads(isa):
    expected = wf.sparse((3000, 120), sparsity=0.7, threads=1, **SAME)
    assert same_bits(expected, sparse((3000, 120), 0.7, 0.01, "f4"))
    for threads in (2, 3, 7):
        got = wf.sparse((3000, 120), sparsity=0.7, threads=threads, **SAME)
        assert same_bits(got, expected)


# Orthogonal --------------------------------------------------------------------------------------

#: Shape, column_axis: tall, wide, square, kernels, more axes, single rows and columns.
MATRICES = [((100, 30), 0), ((30, 100), 0), ((25, 25), 0), ((64, 3, 3, 3), 0), ((8, 16, 3), 0)]
MATRICES += [((3, 3, 8, 40), -1), ((3, 3, 8, 40), 3), ((5, 200, 4), 1), ((40, 9), 1), ((1, 7), 0)]
MATRICES += [((7, 1), 0), ((1, 1), 0), ((2, 3, 4, 5), 2), ((200, 150), 0)]  # the last: in threads


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("shape", "axis"), MATRICES)
def test_orthogonal(dtype, shape, axis):
    own = {"gain": 1.5, "column_axis": axis, "dtype": dtype} | SAME
    w = wf.orthogonal(shape, **own)
    assert (w.shape, w.dtype) == (shape, np.dtype(dtype))
    assert w.flags.c_contiguous
    flat = np.moveaxis(w, axis, 0).reshape(shape[axis], -1).astype("f8") / 1.5
    gram = flat.T @ flat if flat.shape[0] >= flat.shape[1] else flat @ flat.T
    limit = 1e-5 if dtype == "f4" else 1e-12
    assert np.linalg.norm(gram - np.eye(len(gram)), 2) <= limit
    normals = wf.normal(flat.shape, dtype=dtype, **SAME)
    expected = oracle_structured.orthogonal(normals, shape, 1.5, axis)
    # What a QR loses is its precision times the condition, a few hundred where square.
    tolerance = limit * (10 if flat.shape[0] != flat.shape[1] else 1000)
    np.testing.assert_allclose(w, expected, rtol=0, atol=tolerance)
    assert same_bits(w, wf.orthogonal(shape, threads=1, **own))
    assert same_bits(w, wf.orthogonal(shape, threads=7, **own))


def test_large_orthogonal():
    for shape in ((700, 400), (400, 700)):
        w = wf.orthogonal(shape, rng=3).astype("f8")
        gram = w.T @ w if shape[0] > shape[1] else w @ w.T
        assert np.linalg.norm(gram - np.eye(400), 2) <= 1e-5


def test_orthogonal_depends_on_key_and_stream_alone():
    w = wf.orthogonal((20, 10), rng=1, stream="a")
    assert same_bits(w, wf.orthogonal((20, 10), rng=1, stream="a"))
    for other in ({"rng": 2, "stream": "a"}, {"rng": 1, "stream": "b"}):
        assert not same_bits(w, wf.orthogonal((20, 10), **other))


def test_orthogonal_gains():
    unit = wf.orthogonal((20, 10), rng=1)
    for gain, number in (("tanh", 5 / 3), ("relu", 2**0.5), ("linear", 1.0), (0, 0.0)):
        w = wf.orthogonal((20, 10), rng=1, gain=gain)
        np.testing.assert_allclose(w, unit * number, rtol=1e-6)
        if number:
            assert same_bits(w, wf.orthogonal((20, 10), rng=1, gain=number))


@pytest.mark.parametrize("name", NAMES)
def test_narrow_orthogonal(name):
    for shape, axis, gain in (((40, 24), 0, 1.0), ((5, 40, 3), 1, 0.3)):
        own = {"gain": gain, "column_axis": axis}
        expected = wf.orthogonal(shape, **own, **SAME)
        check_narrow(wf.orthogonal, shape, name, expected, **own)
    expected = wf.delta_orthogonal((8, 6, 3, 3), **SAME)
    check_narrow(wf.delta_orthogonal, (8, 6, 3, 3), name, expected)


@pytest.mark.parametrize("dtype", ["<f4", ">f8", "<f2"])
@pytest.mark.parametrize("name", ["orthogonal", "delta_orthogonal"])
def test_orthogonal_into_memory(name, dtype):
    function, shape = getattr(wf, name), (9, 4, 5)
    expected = function(shape, dtype=dtype, rng=LAYOUT_KEY, stream="layout")
    assert expected.dtype == np.dtype(dtype)
    for layout in ({}, {"order": (2, 0, 1), "offset": 3}, {"steps": (-1, 2, 1), "gaps": 2}):
        Memory(shape, dtype, **layout).assert_filled(expected, function)


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0), (2, 0, 4), (0, 4, 2)])
@pytest.mark.parametrize("dtype", DTYPES)
def test_empty_orthogonal(shape, dtype):
    w = wf.orthogonal(shape, dtype=dtype, rng=0)
    assert (w.shape, w.dtype) == (shape, np.dtype(dtype))


# Delta-orthogonal --------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("shape", "layout", "out", "into"),
    [
        *(((8, 5, k), None, 8, 5) for k in (1, 2, 3, 4)),
        *(((6, 6, 3, 4), None, 6, 6), ((6, 2, 2, 3, 5), None, 6, 2)),
        *(
            ((3, 4, 5, 8), "HWIO", 8, 5),
            ((8, 3, 3, 5), "OHWI", 8, 5),
            ((2, 3, 4, 5, 8), "DHWIO", 8, 5),
        ),
        *(((5, 8, 3), "IOH", 8, 5), ((3, 1, 1), None, 3, 1)),
    ],
)
def test_delta_orthogonal(dtype, shape, layout, out, into):
    own = {"gain": 0.7, "dtype": dtype} | SAME
    w = wf.delta_orthogonal(shape, layout=layout, **own)
    matrix = wf.orthogonal((out, into), **own)
    assert same_bits(
        w, np.ascontiguousarray(oracle_structured.delta_orthogonal(matrix, shape, layout))
    )


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
    *((wf.orthogonal, (6, 8), {"gain": v}, ValueError, repr(v)) for v in (NAN, INF, "gelu")),
    *((wf.orthogonal, (6, 8), {"column_axis": v}, ValueError, str(v)) for v in (2, -3)),
    *((wf.orthogonal, (6, 8), {"column_axis": v}, TypeError, repr(v)) for v in (1.0, "0", True)),
    (wf.orthogonal, (6, 8), {"index": np.s_[:]}, ValueError, "index"),
    (wf.orthogonal, (6, 8), {"index": ...}, ValueError, "index"),
    (wf.delta_orthogonal, (6, 4, 2), {"index": np.s_[:]}, ValueError, "index"),
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
