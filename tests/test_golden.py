"""The golden file judges every instruction set, thread count, cut and memory layout."""

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


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_every_instruction_set(isa, case):
    assert golden.digest(golden.fill(case)) == WANTED[case.name]


@pytest.mark.parametrize("call", golden.PUBLIC, ids=lambda c: golden.public_name(*c))
def test_public_calls(isa, call):
    assert golden.public_digest(*call) == golden.expected("public")[golden.public_name(*call)]


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
@pytest.mark.parametrize("case", LARGE, ids=lambda c: c.name)
def test_every_thread_count(case, threads):
    assert golden.digest(golden.fill(case, threads)) == WANTED[case.name]


@pytest.mark.parametrize("case", LARGE, ids=lambda c: c.name)
def test_random_cuts(isa, case):
    """The range in pieces of every size, each written where it belongs in one buffer."""
    random = np.random.default_rng(3)
    whole = golden.fill(case)
    pieces = np.zeros_like(whole)
    sizes = random.choice([1, 2, 3, 15, 16, 17, 31, 32, 33, 1000, 65536], 400)
    cuts = np.unique([0, *np.minimum(np.cumsum(sizes), case.count), case.count])
    for begin, end in zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True):
        golden.fill_into(pieces[begin:end], case, case.first + begin)
    assert golden.digest(pieces) == WANTED[case.name]


@pytest.mark.parametrize("order", ["C", "F", "reversed", "strided", "misaligned", "swapped"])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("transform", ["uniform", "normal"])
def test_layouts_through_the_public_surface(transform, dtype, order):
    """A megaword table written in any memory order reads, in C order, as the golden file says."""
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
