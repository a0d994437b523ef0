"""wi.dask.array: the values of the same call without Dask, in any chunks and in any process."""

import pickle
import random
import sys
import time
import tracemalloc

import numpy as np
import pytest
from support.frameworks import Framework
from support.interpreter import run
from support.surface import same_bits

import weightinit_fast as wi

adapter = Framework("weightinit_fast.dask")
da = Framework("dask.array")
dask = Framework("dask.base")
zarr = Framework("zarr")

CALL = {"rng": 5, "stream": "table"}
#: Initialiser -> a shape that it takes.
MATRIX, KERNEL = (37, 53), (6, 5, 3, 3)
TAKES = [
    ("normal(std=0.02)", MATRIX),
    ("uniform(low=-1.0, high=3.0)", MATRIX),
    ("truncated_normal(std=0.5)", MATRIX),
    ("xavier_uniform", MATRIX),
    ("he_normal(layout='HWIO')", KERNEL),
    ("sparse(sparsity=0.3)", MATRIX),
    ("dirac", KERNEL),
    ("identity(gain=2.0)", MATRIX),
    ("constant(value=1.5)", MATRIX),
    ("zeros", MATRIX),
]


def lengths(n, pick):
    """Cut an axis at random places; a chunk may be empty."""
    cuts = sorted(pick.randrange(n + 1) for _ in range(pick.randrange(4)))
    return tuple(b - a for a, b in zip([0, *cuts], [*cuts, n], strict=True))


@pytest.fixture
def fills(monkeypatch):
    """Return a list that grows by the arguments of each call of an Initializer."""
    seen, call = [], wi.Initializer.__call__

    def spy(self, shape=None, **kwargs):
        seen.append(kwargs)
        return call(self, shape, **kwargs)

    monkeypatch.setattr(wi.Initializer, "__call__", spy)
    return seen


# ---- values ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "shape"), TAKES)
@pytest.mark.parametrize("seed", range(20))
def test_chunks_do_not_change_the_values(text, shape, seed):
    pick = random.Random(seed)
    chunks = tuple(lengths(n, pick) for n in shape)
    made = adapter.array(text, shape, chunks, **CALL)
    assert made.chunks == chunks
    assert same_bits(made.compute(), wi.initializer(text)(shape, **CALL))


@pytest.mark.parametrize("chunks", [(-1, 1), (-1, 7), (1, -1), 1, (37, (0, 53)), "auto", "1 KiB"])
def test_columns_rows_and_sizes_in_bytes(chunks):
    made = adapter.array(wi.he_normal, MATRIX, chunks, **CALL)
    assert same_bits(made.compute(), wi.he_normal(MATRIX, **CALL))


@pytest.mark.parametrize(
    "dtype",
    ["float64", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2", ">f4", np.float32, None],
)
def test_dtypes(dtype):
    wanted = wi.normal(MATRIX, dtype=dtype, **CALL)
    made = adapter.array("normal", MATRIX, (10, 20), dtype, **CALL)
    assert made.dtype == wanted.dtype
    assert made._meta.dtype == wanted.dtype
    assert made._meta.shape == (0, 0)
    assert same_bits(made.compute(), wanted)
    assert same_bits(pickle.loads(pickle.dumps(made)).compute(), wanted)


@pytest.mark.parametrize("shape", [(), (0,), (0, 5), (5, 0), 7, [3, 4]])
def test_shapes_without_elements_and_without_axes(shape):
    made = adapter.array("normal", shape, 2, **CALL)
    wanted = wi.normal(shape, **CALL)
    assert made.shape == wanted.shape
    assert same_bits(np.asarray(made.compute()), wanted)
    assert made.map_blocks(np.ndarray.copy).compute().shape == wanted.shape  # no scalars


@pytest.mark.parametrize("name", ["orthogonal", "delta_orthogonal"])
def test_one_chunk_of_what_needs_the_whole(name):
    shape = KERNEL if "delta" in name else MATRIX
    made = adapter.array(name, shape, -1, **CALL)
    assert made.npartitions == 1
    assert same_bits(made.compute(), wi.initializer(name)(shape, **CALL))
    with pytest.raises(ValueError, match=r"whole tensor in one chunk.*chunks=-1"):
        adapter.array(name, shape, 3, **CALL)


def test_the_list_of_initialisers_that_need_the_whole():
    """Dask refuses to cut exactly those that take no index."""
    for name in wi.__all__:
        function = getattr(wi, name)
        if not hasattr(function, "__signature__"):
            continue
        own = {"constant": {"value": 1.0}, "sparse": {"sparsity": 0.5}}.get(function.__name__, {})
        init = wi.initializer(function, **own)
        for shape in ((6, 6), (6, 6, 3)):
            try:
                init.law(shape)
            except ValueError:
                continue
            try:
                init(shape, index=0)
                cuts = True
            except ValueError:
                cuts = False
            try:
                adapter.array(init, shape, 2)
                cut = True
            except ValueError:
                cut = False
            assert cut == cuts, name


# ---- keys, streams and names ----------------------------------------------------------------


@pytest.mark.parametrize(("text", "shape"), TAKES)
def test_a_generator_advances_as_without_dask(text, shape):
    ours, theirs = np.random.default_rng(3), np.random.default_rng(3)
    made = adapter.array(text, shape, 4, rng=ours)
    assert same_bits(made.compute(), wi.initializer(text)(shape, rng=theirs))
    assert ours.bit_generator.state == theirs.bit_generator.state


def test_fresh_entropy_is_drawn_once():
    one, two = (adapter.array("normal", 100, 30) for _ in range(2))
    assert same_bits(one.compute(), one.compute())
    assert same_bits(one[50:].compute(), one.compute()[50:])
    assert one.name != two.name
    assert not same_bits(one.compute(), two.compute())


DIFFERENT = [
    {"initializer": "normal(std=3.0)"},
    {"shape": (37, 54)},
    {"chunks": (10, 21)},
    {"dtype": "float16"},
    {"rng": 6},
    {"stream": "other"},
]


def test_the_name_is_a_function_of_the_arguments():
    same = {"initializer": "normal", "shape": MATRIX, "chunks": (10, 20), **CALL}
    name = adapter.array(**same).name
    assert name.startswith("normal-")
    same["initializer"], same["rng"] = wi.initializer(wi.normal, std=1), wi.key(5)
    same["chunks"], same["dtype"] = {np.int64(0): 10, 1: 20}, np.float32
    assert adapter.array(**same).name == name
    names = {adapter.array(**same | change).name for change in DIFFERENT}
    assert len(names | {name}) == len(DIFFERENT) + 1


def test_constants_need_no_key():
    assert adapter.array("zeros", 5).name == adapter.array("zeros", 5, rng=8, stream="x").name


@pytest.mark.process
def test_the_name_is_the_same_in_another_process():
    made = adapter.array("he_normal(a=0.25)", MATRIX, (10, 20), "bfloat16", **CALL)
    script = f"""
    import weightinit_fast.dask as adapter
    text = "he_normal(a=0.25)"
    print(adapter.array(text, {MATRIX}, (10, 20), "bfloat16", rng=5, stream="table").name)
    """
    assert run(script, PYTHONHASHSEED="77") == made.name


# ---- graphs ---------------------------------------------------------------------------------


def test_one_layer_that_is_cut_to_what_is_needed(fills):
    made = adapter.array("normal", (1000, 80), (10, 20), **CALL)
    (layer,) = made.dask.layers.values()
    fills.clear()
    part = made[:15, 30:50].compute()
    assert len(fills) == 4
    assert {fill["threads"] for fill in fills} == {1}
    assert not layer.is_materialized()
    assert same_bits(part, wi.normal((1000, 80), **CALL)[:15, 30:50])


def test_later_steps_are_fused_with_the_fill():
    made = adapter.array("normal", (100, 80), (10, 20), **CALL)
    later = (made * 2 + 1).astype("f8")
    (graph,) = (array.dask for array in dask.optimize(later))
    assert len(graph) == later.npartitions
    assert same_bits(later.compute(), (wi.normal((100, 80), **CALL) * 2 + 1).astype("f8"))


@pytest.mark.parametrize(
    ("shape", "chunks", "most"),
    [((10**10, 64), (10**5, 64), 2_000_000), ((10**7, 10**4), (10**5, 10), 30_000)],
)
def test_the_graph_of_many_chunks_is_small(shape, chunks, most, fills):
    """It takes some bytes a chunk along an axis, for the lengths, and nothing for a task."""
    begun = time.perf_counter()
    made = adapter.array("normal(std=0.02)", shape, chunks, **CALL)
    assert made.npartitions == 10**5
    assert len(pickle.dumps(made)) < most
    (layer,) = made.dask.layers.values()
    fills.clear()
    part = made[-1, 15:25].compute()
    assert len(fills) == (2 if made.numblocks[1] > 1 else 1)
    assert not layer.is_materialized()
    assert time.perf_counter() - begun < 20
    assert same_bits(part, wi.normal(shape, std=0.02, index=np.s_[-1, 15:25], **CALL))


def test_a_task_is_pickled_in_few_bytes():
    fill = next(iter(adapter.array("he_normal(a=0.25)", MATRIX, 10, **CALL).dask.values())).func
    again = pickle.loads(pickle.dumps(fill))
    assert len(pickle.dumps(fill)) < 200
    assert same_bits(again((slice(3, 5), slice(9))), wi.he_normal(MATRIX, a=0.25, **CALL)[3:5, :9])


# ---- what Dask does with arrays -------------------------------------------------------------


def test_steps_of_dask():
    made = adapter.array("normal", (200, 60), (70, 25), **CALL)
    whole = wi.normal((200, 60), **CALL)
    assert same_bits(made.rechunk((50, 60)).compute(), whole)
    assert same_bits(made.persist()[::3].compute(), whole[::3])
    assert same_bits(made[[5, 199, 5]].compute(), whole[[5, 199, 5]])
    assert same_bits(made.T.compute(), whole.T.copy())
    rolled = made.map_overlap(np.roll, depth=1, boundary="periodic", shift=1, axis=0)
    assert same_bits(rolled.compute(), np.roll(whole, 1, 0))
    np.testing.assert_allclose(made.std().compute(), whole.std(), rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_to_zarr(tmp_path, dtype):
    made = adapter.array("normal", (200, 60), (70, 25), dtype, **CALL)
    bits = made.view("u2") if dtype == "bfloat16" else made
    read = zarr.open  # skips where zarr is missing
    bits.to_zarr(str(tmp_path / "table.zarr"))
    kept = read(str(tmp_path / "table.zarr"))[:]
    assert kept.tobytes() == wi.normal((200, 60), dtype=dtype, **CALL).tobytes()


# ---- refusals -------------------------------------------------------------------------------

REFUSED = [
    ({"initializer": "nromal"}, ValueError, "no initialiser is called"),
    ({"initializer": 3}, TypeError, "initializer takes a function"),
    ({"initializer": "normal(std=-1.0)"}, ValueError, "std"),
    ({"initializer": "normal(std=1e300)"}, ValueError, "float32"),
    ({"initializer": "he_normal", "shape": 5}, ValueError, "shape"),
    ({"initializer": "orthogonal", "shape": 5, "chunks": -1}, ValueError, "two axes"),
    ({"initializer": "delta_orthogonal", "shape": (2, 3, 3), "chunks": -1}, ValueError, "O >= I"),
    (
        {"initializer": "orthogonal(gain=1e300)", "chunks": -1},
        ValueError,
        "float32",
    ),
    ({"shape": -1}, ValueError, "negative length"),
    ({"shape": 1.5}, TypeError, "shape"),
    ({"shape": (2**40, 2**23)}, ValueError, "2**63"),
    ({"dtype": "int32"}, TypeError, "dtype must be one of"),
    ({"rng": -1}, ValueError, "-1"),
    ({"rng": "0"}, TypeError, "'0'"),
    ({"stream": -1}, ValueError, "stream"),
    ({"stream": 1.5}, TypeError, "stream"),
    ({"chunks": 0}, ValueError, "must be positive"),
    ({"chunks": -2}, ValueError, "must be positive"),
    ({"chunks": "-5MB"}, ValueError, "a size in bytes must be positive"),
    ({"chunks": 2.5}, TypeError, "must be an integer"),
    ({"chunks": True}, TypeError, "must be an integer"),
    ({"chunks": float("nan")}, TypeError, "must be an integer"),
    ({"chunks": "five"}, ValueError, "five"),
    ({"chunks": ("1 KiB", "2 KiB")}, ValueError, "more than one size in bytes"),
    ({"chunks": (2,)}, ValueError, "is for 1 axes"),
    ({"chunks": (2, 2, 2)}, ValueError, "is for 3 axes"),
    ({"chunks": ((5, 5), (4, 1))}, ValueError, "whose sum is 4"),
    ({"chunks": ((12, -2), 4)}, ValueError, "lengths >= 0"),
    ({"chunks": {2: 1}}, ValueError, "no axis"),
    ({"chunks": {"x": 1}}, ValueError, "no axis"),
]


@pytest.mark.parametrize(("change", "error", "text"), REFUSED)
def test_refused_at_once(change, error, text):
    generator = np.random.default_rng(0)
    state = generator.bit_generator.state
    given = {"initializer": "normal", "shape": (10, 4), "chunks": 5, "rng": generator} | change
    with pytest.raises(error) as caught:
        adapter.array(**given)
    assert text in str(caught.value)
    assert len(str(caught.value)) <= 400
    assert generator.bit_generator.state == state


@pytest.mark.parametrize(
    ("shape", "chunks"),
    [
        ((2**62,), "auto"),
        ((2**40, 2**20), ("auto", -1)),
        ((2**40, 2**20), (1, "auto")),
        ((2**61,), 10),
        ((2**31, 2**31), (2**7, 2**20)),
    ],
)
def test_too_many_chunks_are_refused_before_they_are_listed(shape, chunks):
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="10000000 are the most: pass longer chunks"):
            adapter.array("normal", shape, chunks, **CALL)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_the_end_of_the_longest_table():
    length = 2**63 - 1
    made = adapter.array("normal", length, ((length - 7, 7),), **CALL)
    wanted = wi.normal(length, index=slice(-5, None), **CALL)
    assert same_bits(made[-5:].compute(), wanted)
    rows = adapter.array("normal", (2**40, 2**22), (2**32, 2**18), **CALL)
    assert rows.nbytes == 2**64
    assert rows.npartitions == 2**12
    assert rows.blocks[-1, -1].shape == (2**32, 2**18)


def test_chunks_are_those_of_dask():
    for shape in [(10**6, 300), (50, 10**7), (3000, 4000, 50), (10**9,)]:
        for chunks in ["auto", ("auto",) * (len(shape) - 1) + (-1,), "10 MiB", 10**5]:
            assert (
                adapter.array("normal", shape, chunks).chunks
                == da.zeros(shape, chunks=chunks, dtype="f4").chunks
            )


def test_without_dask_the_error_names_the_extra(monkeypatch):
    monkeypatch.delitem(sys.modules, "weightinit_fast.dask", raising=False)
    monkeypatch.setitem(sys.modules, "dask.array", None)
    with pytest.raises(ImportError, match=r"pip install '\.\[dask\]' in the clone"):
        import weightinit_fast.dask  # noqa: F401, PLC0415
