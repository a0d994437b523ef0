"""The golden file judges every instruction set, thread count, partition and memory layout."""

import itertools

import golden
import numpy as np
import pytest

import weightinit_fast as wi

WANTED = golden.expected()
CASES = golden.cases()
KEY = wi.Key(*golden.KEY)
PUBLIC = {"uniform": ("low", "high"), "normal": ("mean", "std")}
LARGE = [
    c
    for c in CASES
    if c.count == golden.MEGAWORD and c.params in ((), (0.0, 1.0), (0.1,), golden.TRUNCATED[0])
]


def test_the_file_holds_every_case_and_no_other():
    assert set(WANTED) == {case.name for case in CASES}
    assert len(set(WANTED.values())) == len(WANTED)


def marked(case):
    """Mark the one case of 50 million elements, in which the far tail occurs."""
    marks = pytest.mark.slow if case.count > golden.MEGAWORD else ()
    return pytest.param(case, id=case.name, marks=marks)


@pytest.mark.parametrize("case", list(map(marked, CASES)))
def test_every_instruction_set(isa, case):
    assert golden.digest(golden.fill(case)) == WANTED[case.name]


@pytest.mark.parametrize("call", golden.PUBLIC, ids=lambda c: golden.public_name(*c))
def test_public_calls(isa, call):
    assert golden.public_digest(*call) == golden.expected("public")[golden.public_name(*call)]


@pytest.mark.parametrize("matrix", golden.MATRICES, ids=lambda m: m.name)
def test_orthogonal_matrices(isa, matrix):
    wanted = golden.expected("orthogonal")
    assert set(wanted) == {m.name for m in golden.MATRICES}
    for threads in (1, 3):
        assert golden.matrix_digest(matrix, threads=threads) == wanted[matrix.name]


@pytest.mark.parametrize("threads", [1, 2, 3, 7, 64])
@pytest.mark.parametrize("case", LARGE, ids=lambda c: c.name)
def test_every_thread_count(case, threads):
    assert golden.digest(golden.fill(case, threads)) == WANTED[case.name]


@pytest.mark.parametrize("case", LARGE, ids=lambda c: c.name)
def test_random_cuts(outer_isa, case):
    """Draw the range in pieces of every size, each into its own place of one buffer."""
    random = np.random.default_rng(3)
    pieces = np.zeros(case.count, f"=u{golden.ITEMSIZE[case.dtype]}")
    sizes = random.choice([1, 2, 3, 15, 16, 17, 31, 32, 33, 1000, 65536], 400)
    cuts = np.unique([0, *np.minimum(np.cumsum(sizes), case.count), case.count])
    for begin, end in zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True):
        golden.fill_into(pieces[begin:end], case, case.first + begin)
    assert (
        golden.digest(pieces.astype(pieces.dtype.newbyteorder("<"), copy=False))
        == WANTED[case.name]
    )


def backwards(part, n):
    """Return the slice that has the same elements of n in reverse order."""
    places = range(*part.indices(n))[::-1]
    stop = places.stop if places.stop >= 0 else None
    return slice(places.start, stop, places.step) if places else slice(0, 0)


@pytest.mark.parametrize("dtype", ["f4", "f8", "f2"])
@pytest.mark.parametrize("transform", ["uniform", "normal", "truncated_normal"])
def test_random_slices(outer_isa, transform, dtype):
    """Draw a megaword table by index, in random blocks and steps, each into its own place."""
    random = np.random.default_rng(4)
    shape = (241, 4351)
    case = f"{transform.removesuffix('_normal')}_f{int(dtype[1]) * 8}"
    params = (0.0, 1.0, -2.0, 2.0) if transform == "truncated_normal" else (0.0, 1.0)
    whole = np.zeros(shape, dtype, random.choice(["C", "F"]))
    for low, high in itertools.pairwise((0, 1, 33, 34, 150, 241)):
        left = 0
        while left < shape[1]:
            right = min(shape[1], left + int(random.choice([1, 3, 31, 64, 500, 1500])))
            rows, step = int(random.integers(1, 4)), int(random.choice([1, 2, 3, 40]))
            for i, j in itertools.product(range(rows), range(step)):
                index = np.s_[low + i : high : rows, left + j : right : step]
                if random.random() < 0.5:
                    index = tuple(map(backwards, index, shape))
                getattr(wi, transform)(
                    shape, index=index, out=whole[index], rng=KEY, stream=golden.STREAM
                )
            left = right
    name = f"{case}{params}[0:+{golden.MEGAWORD}]"
    assert golden.digest(np.ascontiguousarray(whole, f"<{dtype}")) == WANTED[name]


@pytest.mark.parametrize("order", ["C", "F", "reversed", "strided", "misaligned", "swapped"])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("transform", ["uniform", "normal"])
def test_layouts_through_the_public_surface(transform, dtype, order):
    """A megaword table in any memory order, read in C order, has the golden file's hash."""
    count = golden.MEGAWORD
    shape = (241, 4351)
    assert shape[0] * shape[1] == count
    name = f"{transform}_f{int(dtype[1]) * 8}(0.0, 1.0)[0:+{count}]"
    out = {
        "C": lambda: np.empty(shape, dtype),
        "F": lambda: np.empty(shape, dtype, "F"),
        "reversed": lambda: np.empty(shape, dtype)[::-1, ::-1],
        "strided": lambda: np.empty((482, 8702), dtype)[::2, 1::2],
        "misaligned": lambda: np.frombuffer(
            bytearray(count * int(dtype[1]) + 3), dtype, count, offset=3
        ).reshape(shape),
        "swapped": lambda: np.empty(shape, np.dtype(dtype).newbyteorder()),
    }[order]()
    keywords = dict(zip(PUBLIC[transform], (0.0, 1.0), strict=True))
    result = getattr(wi, transform)(out=out, rng=KEY, stream=golden.STREAM, **keywords)
    assert result is out
    assert golden.digest(np.ascontiguousarray(out, f"<{dtype}")) == WANTED[name]
