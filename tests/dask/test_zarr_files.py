"""`save` to a .zarr folder: what the zarr library reads, and the bytes that it would write."""

import hashlib
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from support import HANG_SECONDS, internals
from support.frameworks import Framework
from support.internals import recipe

import weightinit_fast as wi

zarr = Framework("zarr")
da = Framework("dask.array")

RECIPE = recipe.Recipe(
    [("*.bias", "zeros"), ("orth", "orthogonal"), ("*", "truncated_normal(std=0.02)")],
    same_as={"tied": "fc.weight"},
)
SHAPES = {
    "fc.weight": ((100, 64), None),
    "fc.bias": ((100,), None),
    "tied": ((100, 64), None),
    "scalar": ((), "float64"),
    "empty": ((0, 4), "float16"),
    "half": ((1000, 3), "float16"),
    "brain": ((7, 50, 3, 3), "bfloat16"),
    "tiny": ((5, 5000), "float8_e5m2"),
    "orth": ((60, 50), "float32"),
    "nested/name": ((3, 1), None),
}
CHUNK = 5000  # bytes, so that most tensors have several chunks


def save(path, **more):
    return internals.saving.save(
        path, RECIPE, SHAPES, **{"rng": 7, "max_shard_bytes": CHUNK} | more
    )


def tree(folder):
    """Return the SHA-256 of all files of a folder, with their names."""
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            total.update(f"{path.relative_to(folder)}\n".encode() + path.read_bytes())
    return total.hexdigest()


def drawn(name):
    shape, dtype = SHAPES[name]
    init = RECIPE.initializer_for(name)
    return init(shape, dtype=dtype, rng=7, stream=name)


def test_the_zarr_library_reads_the_values(tmp_path):
    saved = save(tmp_path / "model.zarr", metadata={"made by": "a test"})
    assert saved.finished
    assert saved.nbytes == sum(path.stat().st_size for path in saved.files)
    group = zarr.open_group(str(tmp_path / "model.zarr"), mode="r")
    assert dict(group.attrs) == {"made by": "a test"}
    seen = {}
    for _, array in group.arrays():
        about = array.attrs["weightinit_fast"]
        wanted = drawn(about["tensor"])
        assert about["dtype"] == wanted.dtype.name
        assert array.shape == wanted.shape
        values = np.asarray(array[...])
        if wanted.dtype.type.__module__ == "ml_dtypes":
            assert values.dtype.kind == "u"
            values = values.view(wanted.dtype)
        assert values.dtype == wanted.dtype
        assert values.tobytes() == wanted.tobytes()
        seen[about["tensor"]] = array.nchunks
    assert seen.keys() == SHAPES.keys() - {"tied"}
    assert seen["fc.weight"] == 6


def test_the_bytes_are_those_of_the_zarr_library(tmp_path):
    save(tmp_path / "ours.zarr")
    ours = zarr.open_group(str(tmp_path / "ours.zarr"), mode="r")
    store = zarr.storage.LocalStore(str(tmp_path / "theirs.zarr"))
    theirs = zarr.create_group(store)
    for name, array in ours.arrays():
        copy = theirs.create_array(
            name,
            shape=array.shape,
            chunks=array.chunks,
            dtype=array.dtype,
            compressors=None,
            filters=None,
            fill_value=0,
            chunk_key_encoding={"name": "default", "separator": "."},
            attributes=dict(array.attrs),
            config={"write_empty_chunks": True},
        )
        copy[...] = array[...]
    assert tree(tmp_path / "ours.zarr") == tree(tmp_path / "theirs.zarr")


def test_dask_reads_the_chunks(tmp_path):
    pytest.importorskip("zarr")
    save(tmp_path / "model.zarr")
    array = da.from_zarr(str(tmp_path / "model.zarr"), component="fc.weight")
    assert array.numblocks == (6, 1)
    assert array.compute().tobytes() == drawn("fc.weight").tobytes()


@pytest.mark.parametrize("n", [3, 16])
def test_parts_write_the_same_bytes(tmp_path, n):
    save(tmp_path / "one.zarr")
    ends = [save(tmp_path / "parts.zarr", part=(k, n)).finished for k in reversed(range(n))]
    assert ends == [False] * (n - 1) + [True]
    assert tree(tmp_path / "one.zarr") == tree(tmp_path / "parts.zarr")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.zarr", "parts.zarr"]


#: A process that ends itself amid its part, by SIGKILL, when the first bytes are written.
KILLED = """
import os, signal, sys
sys.path[:0] = [{tests!r}]
import test_zarr_files as here
from support.internals import writer
write, left = writer._OpenFile.write, [{after}]
def cut(self, data, begin):
    if not left[0]:
        write(self, data[: len(data) // 2], begin)
        os.kill(os.getpid(), signal.SIGKILL)
    left[0] -= 1
    write(self, data, begin)
writer._OpenFile.write = cut
here.save({path!r}, part=(1, 3), threads=1)
"""


@pytest.mark.process
@pytest.mark.parametrize("after", [0, 3])
def test_a_killed_part_runs_again(tmp_path, after):
    save(tmp_path / "one.zarr")
    path = tmp_path / "parts.zarr"
    tests = os.path.dirname(__file__)
    script = KILLED.format(tests=tests, path=str(path), after=after)
    env = os.environ | {"PYTHONPATH": os.path.dirname(tests)}
    run = subprocess.run([sys.executable, "-c", script], check=False, env=env, timeout=HANG_SECONDS)
    assert run.returncode == -signal.SIGKILL
    assert not path.exists()
    for k in (2, 1, 0):
        assert save(path, part=(k, 3)).finished == (k == 0)
    assert tree(tmp_path / "one.zarr") == tree(path)


def test_what_exists_is_replaced_only_by_force(tmp_path):
    path = tmp_path / "model.zarr"
    save(path, rng=1, max_shard_bytes=None)
    before = tree(path)
    with pytest.raises(FileExistsError, match="force=True"):
        save(path)
    assert tree(path) == before
    save(path, force=True)
    save(tmp_path / "fresh.zarr")
    assert tree(path) == tree(tmp_path / "fresh.zarr")
    other = tmp_path / "other.zarr"
    other.mkdir()
    (other / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(FileExistsError, match="no group of Zarr"):
        save(other, force=True)
    assert [file.name for file in other.iterdir()] == ["notes.txt"]


def test_a_finished_model_needs_all_parts(tmp_path):
    path = tmp_path / "model.zarr"
    save(path, part=(1, 2))
    with pytest.raises(ValueError, match="missing: 0"):
        internals.saving.finish(path)
    save(path, part=(0, 2))
    assert same_group(path)


def same_group(path):
    group = zarr.open_group(str(path), mode="r")
    return np.array_equal(group["orth"][...], wi.orthogonal((60, 50), rng=7, stream="orth"))
