"""Orthogonal and delta-orthogonal matrices: their properties, their layouts, and NumPy's QR."""

import functools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import oracle_orthogonal, oracle_structured
from support import internals
from support.memory import LAYOUT_KEY, Memory
from support.structured import NAMES, SAME, check_narrow
from support.surface import same_bits

import weightinit_fast as wf

pytestmark = pytest.mark.usefixtures("eager")
DTYPES = ("f4", "f8")

# Orthogonal --------------------------------------------------------------------------------------

#: (shape, column_axis): tall, wide and square ones, kernels, more axes, single rows and columns.
MATRICES = [((100, 30), 0), ((30, 100), 0), ((25, 25), 0), ((64, 3, 3, 3), 0), ((8, 16, 3), 0)]
MATRICES += [((3, 3, 8, 40), -1), ((3, 3, 8, 40), 3), ((5, 200, 4), 1), ((40, 9), 1), ((1, 7), 0)]
# Threads share only the last of these.
MATRICES += [((7, 1), 0), ((1, 1), 0), ((2, 3, 4, 5), 2), ((200, 150), 0)]


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
    # The error is the precision times the condition number, some hundreds for square matrices.
    tolerance = limit * (10 if flat.shape[0] != flat.shape[1] else 1000)
    np.testing.assert_allclose(w, expected, rtol=0, atol=tolerance)
    assert same_bits(w, wf.orthogonal(shape, threads=1, **own))
    assert same_bits(w, wf.orthogonal(shape, threads=7, **own))


#: Panels, blocks of rows, spans and blocks of columns that are whole, and that are not.
EXACT = [(1, 1), (3, 2), (2, 3), (8, 8), (31, 31), (33, 33), (64, 32), (257, 40), (40, 257)]
EXACT += [(129, 129), (4100, 2), (2, 8193), (170, 161)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", EXACT)
def test_every_bit_is_that_of_the_contract(isa, dtype, shape):
    normals = wf.normal(shape, dtype=dtype, **SAME)
    expected = _exact(normals.tobytes(), dtype, shape)
    for threads in (1, 2, 5):
        assert same_bits(
            wf.orthogonal(shape, gain=1.3, dtype=dtype, threads=threads, **SAME), expected
        )


@functools.cache
def _exact(normals, dtype, shape, gain=1.3):
    """Return what the oracle makes of normals; it is the same for all instruction sets."""
    matrix = np.frombuffer(normals, dtype).reshape(shape)
    return np.ascontiguousarray(oracle_orthogonal.orthogonal(matrix, gain))


@pytest.mark.parametrize("size", [2, 3, 6])
def test_nearly_singular_squares(size):
    """The worst of 100,000 squares take several rounds, and pivots that are raised to phi·g."""
    shape = (100_000, size, size)
    normals = wf.normal(shape, **SAME)
    made = wf.orthogonal(shape, layout="BOI", **SAME)
    worst = np.argsort(np.linalg.cond(normals))[-20:]
    gram = np.linalg.qr(normals[worst].astype("f8"), mode="r")
    assert (np.abs(gram[:, -1, -1]) ** 2 < 2.0**-16 * np.sum(gram[:, :, -1] ** 2, axis=1)).any()
    for b in worst:
        assert same_bits(made[b], oracle_orthogonal.orthogonal(normals[b]))
        square = made[b].astype("f8")
        assert np.linalg.norm(square.T @ square - np.eye(size), 2) <= 1e-5


@pytest.mark.parametrize(
    ("size", "dtype", "rng", "number"),
    [
        *((2, "f4", 305, 861884), (2, "f8", 301, 738958)),
        *((3, "f8", 107, 683886), (4, "f8", 301, 435958)),
    ],
)
def test_the_worst_of_millions_of_squares(size, dtype, rng, number):
    """Their deviations, 6.5e-6, 1.2e-14, 1.1e-14 and 1.4e-14, are the largest that are known."""
    own = {"layout": "BOI", "dtype": dtype, "rng": rng}
    w = wf.orthogonal((1_000_000, size, size), index=number, **own).astype(np.longdouble)
    deviation = np.linalg.norm((w.T @ w - np.eye(size)).astype("f8"), 2)
    assert deviation <= (1e-5 if dtype == "f4" else 2e-14)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "shape", [(1024, 1024), (64, 3 * 3 * 64), (64, 288), (20000, 128), (300, 300), (64, 128, 128)]
)
def test_orthogonality(dtype, shape):
    """The 2-norm of the deviation stays below the limits of large matrices."""
    layout = "BOI"[-len(shape) :]
    w = wf.orthogonal(shape, layout=layout, rng=3, dtype=dtype).astype("f8")
    for one in w if len(shape) == 3 else [w]:
        gram = one.T @ one if len(one) > one.shape[1] else one @ one.T
        assert np.linalg.norm(gram - np.eye(len(gram)), 2) <= (1e-5 if dtype == "f4" else 1e-14)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(4096, 4096), (10**6, 64), (100_000, 128)])
def test_orthogonality_of_large_matrices(dtype, shape):
    w = wf.orthogonal(shape, rng=5, dtype=dtype)
    error = -np.eye(shape[1])
    for begin in range(0, shape[0], 1 << 14):
        rows = w[begin : begin + (1 << 14)].astype("f8")
        error += rows.T @ rows
    vector = np.random.default_rng(0).standard_normal(shape[1])
    for _ in range(40):  # the power method
        vector = error @ (vector / np.linalg.norm(vector))
    assert np.linalg.norm(vector) <= (1e-5 if dtype == "f4" else 1e-14)


@pytest.mark.parametrize("dtype", DTYPES)
def test_small_squares_are_orthogonal(dtype):
    """Among many small squares there are some whose normals are nearly singular."""
    for size in (1, 2, 3, 5, 8, 16, 33):
        for key in range(60):
            w = wf.orthogonal((size, size), rng=key, stream=size, dtype=dtype).astype("f8")
            deviation = np.linalg.norm(w.T @ w - np.eye(size), 2)
            assert deviation <= (1e-5 if dtype == "f4" else 1e-14)


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


#: dtype -> the largest gain that is accepted: the largest number by 1.00002, or for types that
#: round, nearly the number from which on they overflow.
LARGEST = {"f4": float(np.finfo("f4").max) / 1.000021, "f8": np.finfo("f8").max / 1.000021}
LARGEST |= {"f2": 65504.0}


def test_the_zeros_of_a_kernel_are_a_fill(monkeypatch):
    """So threads share them, and Ctrl-C ends them, as in `zeros`."""
    module = internals.orthogonal
    calls, set_zeros = [], module.set_zeros

    def recording(target, threads):
        set_zeros(target, threads)
        assert not target.array.any()
        calls.append((target.array.shape, threads))

    monkeypatch.setattr(module, "set_zeros", recording)
    out = np.ones((8, 4, 3), "f4")
    wf.delta_orthogonal(out=out, rng=0, threads=2)
    assert calls == [((8, 4, 3), 2)]
    assert np.count_nonzero(out) == 8 * 4


@pytest.mark.parametrize("dtype", LARGEST)
def test_gains_near_the_end_of_the_type(dtype):
    """An element may be 1 and rounding errors, so that a gain at the end could give infinity."""
    for shape in ((1, 1), (300, 1), (1, 5), (2, 2), (7, 3)):
        for key in range(40):
            w = wf.orthogonal(shape, gain=LARGEST[dtype], rng=key, dtype=dtype)
            assert np.isfinite(w).all()
    kernels = np.ones((3, 3, 5), dtype)
    end = 65519.9 if dtype == "f2" else float(np.finfo(dtype).max)
    for function in (wf.orthogonal, wf.delta_orthogonal):
        for gain in (end, end / 1.00001):
            key = wf.key(0)
            generator = np.random.default_rng(0)
            before = generator.bit_generator.state
            with pytest.raises(ValueError, match=r"gain=.* so near the end of .*1\.00002"):
                function(out=kernels, gain=gain, rng=generator)
            assert generator.bit_generator.state == before
            assert (kernels == 1).all()
            with pytest.raises(ValueError, match="so near the end"):
                function((3, 0, 3), gain=gain, rng=key, dtype=dtype)


def test_elements_are_barely_larger_than_one():
    """The most that gains allow for; single columns and rows have elements that round upwards."""
    largest = max(
        float(np.abs(wf.orthogonal((100_000, *shape), layout="BOI", dtype=dtype, rng=1)).max())
        for shape in ((1, 1), (2, 1), (2, 2), (3, 3))
        for dtype in DTYPES
    )
    assert 1 < largest <= 1 + 1e-5


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


# Many matrices, and parts ------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("shape", "layout"),
    [
        *(((6, 8, 5), "BOI"), ((6, 5, 8), "BOI"), ((5, 6, 8), "IBO"), ((3, 2, 40, 7), "GBOI")),
        *(((7, 3, 2, 9), "OBHI"), ((2, 3, 4, 20), "BOOI"), ((4, 9), "IO"), ((2, 40, 33), "BOI")),
        *(((30, 4, 4), "BOI"), ((2, 200, 160), "BOI"), ((1, 3, 3), "BOI")),
    ],
)
def test_layouts_and_batches(shape, layout, dtype, threads):
    """Matrix b is what the normals from element b·s on give; B and G axes number the matrices."""
    own = {"gain": 0.9, "dtype": dtype}
    w = wf.orthogonal(shape, layout=layout, threads=threads, **own, **SAME)
    order = [k for k in range(len(layout)) if layout[k] in "BG"]
    order += [k for k in range(len(layout)) if layout[k] == "O"]
    order += [k for k in range(len(layout)) if layout[k] not in "BGO"]
    moved = np.ascontiguousarray(w.transpose(order))
    rows = int(np.prod([n for n, c in zip(shape, layout, strict=True) if c == "O"]))
    count = int(np.prod([n for n, c in zip(shape, layout, strict=True) if c in "BG"]))
    matrices = moved.reshape(count, rows, -1)
    size = matrices[0].size
    normals = wf.normal(count * size, dtype=dtype, **SAME).reshape(matrices.shape)
    for b, matrix in enumerate(matrices):
        expected = _exact(normals[b].tobytes(), dtype, matrix.shape, 0.9)
        assert same_bits(np.ascontiguousarray(matrix), expected)


def test_the_first_matrix_of_many_is_the_only_one_of_one():
    w = wf.orthogonal((3, 20, 10), layout="BOI", **SAME)
    assert same_bits(w[0], wf.orthogonal((20, 10), **SAME))
    kernels = wf.delta_orthogonal((3, 8, 5, 3), layout="BOIH", **SAME)
    assert same_bits(kernels[0], wf.delta_orthogonal((8, 5, 3), **SAME))


@given(data=st.data())
def test_parts_of_many_matrices(data):
    shape = data.draw(st.tuples(*[st.integers(1, 4)] * 2, st.integers(1, 9), st.integers(1, 9)))
    order = data.draw(st.permutations(range(4)))
    layout = "".join("BGOI"[k] for k in order)
    shape = tuple(shape[k] for k in order)
    index = []
    for n, letter in zip(shape, layout, strict=True):
        if letter in "BG":
            places = st.integers(-n, n - 1)
            steps = st.sampled_from([1, 2, -1])
            index.append(data.draw(places | st.builds(slice, places, places, steps)))
        else:
            index.append(data.draw(st.sampled_from([slice(None), np.s_[::-1]])))
    dtype = data.draw(st.sampled_from(["<f4", ">f8", "<f2"]))
    own = {"layout": layout, "gain": 1.1, "dtype": dtype, "rng": 5}
    expected = wf.orthogonal(shape, **own)[tuple(index)]
    got = wf.orthogonal(shape, index=tuple(index), **own)
    assert np.array_equal(got, expected)


def test_parts_of_kernels():
    own = {"layout": "BOIHW", "rng": 5}
    whole = wf.delta_orthogonal((4, 6, 5, 3, 3), **own)
    for index in (1, np.s_[1:3], np.s_[::-2, ::-1, :, ::-1], np.s_[3:3]):
        got = wf.delta_orthogonal((4, 6, 5, 3, 3), index=index, **own)
        assert same_bits(np.ascontiguousarray(got), np.ascontiguousarray(whole[index]))


def test_only_the_matrices_of_a_part_are_made():
    """Two of 2**40 matrices."""
    w = wf.orthogonal((2**40, 8, 8), layout="BOI", rng=0, index=np.s_[2**39 : 2**39 + 2])
    np.testing.assert_allclose(w @ w.transpose(0, 2, 1), np.eye(8)[None].repeat(2, 0), atol=1e-5)


@pytest.mark.parametrize("name", ["orthogonal", "delta_orthogonal"])
def test_a_part_of_a_matrix_is_refused(name):
    for index in (np.s_[:, 1:], np.s_[..., 0], np.s_[:, ::2]):
        with pytest.raises(ValueError, match="takes whole matrices"):
            getattr(wf, name)((3, 8, 5, 3), layout="BOIH", rng=0, index=index)


def test_bad_layouts():
    with pytest.raises(ValueError, match="2 letters for shape"):
        wf.orthogonal((3, 4, 5), layout="OI", rng=0)
    with pytest.raises(ValueError, match="pass no column_axis="):
        wf.orthogonal((4, 5), layout="OI", column_axis=-1, rng=0)
    with pytest.raises(ValueError, match="must have an O"):
        wf.orthogonal((4, 5), layout="BI", rng=0)
    with pytest.raises(ValueError, match="one O, one I"):
        wf.delta_orthogonal((4, 4, 5, 3), layout="OOIH", rng=0)


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
