"""The layout of .zarr folders: chunks hold successive elements, and each element once."""

from math import prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.internals import contents, layout, shares, zarr_layout

import weightinit_fast as wi

layout_of, chunk_shape = layout.layout_of, zarr_layout.chunk_shape
Contents, share = contents.Contents, shares.share


def chunks_of(made):
    return [file for file in made.files if file.entries]


@given(st.lists(st.integers(0, 9), max_size=4), st.integers(1, 400), st.sampled_from([1, 2, 4, 8]))
def test_chunks_cover_each_element_once(shape, most, itemsize):
    dtype = {1: "float8_e5m2", 2: "bfloat16", 4: "float32", 8: "float64"}[itemsize]
    shape = tuple(shape)
    chunk = chunk_shape(shape, itemsize, most)
    made = layout_of("x.zarr", {"w": (shape, dtype)}, None, most)
    elements = np.arange(prod(shape)).reshape(shape)
    found = []
    for file in chunks_of(made):
        (entry,) = file.entries
        numbers = range(entry.first, entry.first + entry.nbytes // itemsize)
        found += numbers
        position = [int(n) for n in file.name.rpartition("/")[2].split(".")[1:]]
        box = elements[
            tuple(slice(n * at, n * (at + 1)) for n, at in zip(chunk, position, strict=True))
        ]
        assert list(box.reshape(-1)) == list(numbers)
        assert file.nbytes == prod(chunk) * itemsize
        assert file.nbytes <= max(most, itemsize)
    assert found == list(range(prod(shape)))


@pytest.mark.parametrize(
    ("shape", "most", "chunk"),
    [
        ((), 1, ()),
        ((0, 4), 100, (1, 4)),
        ((10,), 400, (10,)),
        ((10,), 16, (4,)),
        ((10, 4), 16, (1, 4)),
        ((10, 4), 8, (1, 2)),
        ((10, 4), 1, (1, 1)),
        ((10**10, 256), 128 << 20, (131_072, 256)),
    ],
)
def test_shape_of_chunks(shape, most, chunk):
    assert chunk_shape(shape, 4, most) == chunk


def test_padding_is_zero():
    made = layout_of("x.zarr", {"w": ((10,), None)}, None, 16)
    whole = Contents(made, {"w": wi.initializer("normal")}, wi.key(0))
    last = chunks_of(made)[-1]
    drawn = np.full(last.nbytes, 0xA5, np.uint8)
    whole.draw(2, 0, drawn)
    wanted = wi.normal(10, rng=0, stream="w")[8:]
    assert drawn.tobytes() == wanted.tobytes() + bytes(8)
    tail = np.full(8, 0xA5, np.uint8)
    whole.draw(2, 8, tail)
    assert not tail.any()


@pytest.mark.parametrize("n", [1, 3, 16, 500])
def test_a_chunk_has_one_writer(n):
    made = layout_of("x.zarr", {"w": ((1000, 1000), None), "b": ((3,), None)}, None, 40_000)
    written = [part for k in range(n) for part in share(made, k, n)]
    assert sorted({part.file for part in written}) == list(range(len(made.files)))
    assert len(written) == len(made.files)
    for file, begin, end in written:
        assert (begin, end) == (0, made.files[file].nbytes)


def test_names_that_zarr_or_a_file_system_would_take_for_others():
    names = ["a/b", "../x", "__meta", "zarr.json", "A", "a", ".", "é"]
    made = layout_of("x.zarr", dict.fromkeys(names, ((), None)))
    folders = [file.name.rpartition("/")[0] for file in chunks_of(made)]
    assert len({folder.lower() for folder in folders}) == len(names)
    for folder in folders:
        assert not set(folder) & set("/\\")
        assert not folder.startswith((".", "__"))
        assert folder != "zarr.json"


@pytest.mark.parametrize(("most", "error"), [(0, ValueError), (1.5, TypeError), (True, TypeError)])
def test_refused_limits(most, error):
    with pytest.raises(error, match="max_shard_bytes"):
        layout_of("x.zarr", {"w": ((3,), None)}, None, most)


def test_too_many_chunks_are_refused_before_they_are_listed():
    with pytest.raises(ValueError, match=r"10,000,000,002 files, and 1,000,000 are the most"):
        layout.layout_of("x.zarr", {"w": ((10**10,), None)}, max_shard_bytes=4)
