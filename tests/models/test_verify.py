"""verify: damage at random places is found, described and repaired; what does not fit is told."""

import hashlib
import math
import os
import time
import tracemalloc

import numpy as np
import pytest
from support import internals
from support.internals import dtypes, layout, recipe, saving, verification

import weightinit_fast as wi

verify, Recipe = verification.verify, recipe.Recipe

RECIPE = Recipe(
    [
        ("*.bias", "zeros"),
        ("ortho*", "orthogonal"),
        ("half*", "truncated_normal(std=0.5)"),
        ("*", "he_normal"),
    ],
    same_as={"head": "a.weight"},
)
SHAPES = {
    "a.weight": ((300, 70), "float32"),
    "a.bias": ((70,), None),
    "b.weight": ((37, 11, 3), "float64"),
    "half.weight": ((1000, 3), "bfloat16"),
    "half.more": ((5,), "float16"),
    "byte.weight": ((90, 100), "float8_e4m3fn"),
    "ortho": ((40, 30), "float32"),
    "head": ((300, 70), "float32"),
    "scalar.bias": ((), "float64"),
    "empty.weight": ((0, 3), "float32"),
}
FORMATS = ["model.safetensors", "shards", "arrays.npy"]


def write(path, shapes=SHAPES, rng=3, dtype=None, made=RECIPE, **options):
    """Write a model as the layout says, without the code that saves models."""
    files = layout.layout_of(path, shapes, dtype, **options)
    if files.folder:
        path.mkdir()
    for file in files.files:
        data = bytearray(file.nbytes)
        data[: len(file.header)] = file.header
        for entry in file.entries:
            name = made.same_as.get(entry.name, entry.name)
            array = np.empty(entry.shape, dtypes.kind_named(entry.dtype).storage)
            made.initializer_for(name)(out=array, dtype=entry.dtype, rng=rng, stream=name)
            data[entry.begin : entry.begin + entry.nbytes] = array.tobytes()
        (path / file.name if files.folder else path).write_bytes(data)
    return files


def places(path, files):
    """Return (file, entry) of every tensor that has elements."""
    return [
        (path / file.name if files.folder else path, entry)
        for file in files.files
        for entry in file.entries
        if entry.nbytes
    ]


def digest(path):
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]


def flip(path, offset):
    with open(path, "r+b") as file:
        offset = file.seek(offset, os.SEEK_SET if offset >= 0 else os.SEEK_END)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 0x10]))


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    internals.small_pieces(monkeypatch, 1 << 12, 1 << 9)


@pytest.fixture(params=FORMATS)
def model(request, tmp_path):
    """Return the path and the layout of a model in each format."""
    path = tmp_path / request.param
    options = {"max_shard_bytes": 90_000} if request.param == "shards" else {}
    return path, write(path, **options)


@pytest.mark.parametrize("threads", [1, 2])
def test_what_was_drawn_is_as_drawn(model, threads):
    path, _ = model
    with internals.eager():
        for shapes in (None, SHAPES):
            found = verify(path, RECIPE, shapes=shapes, rng=3, threads=threads)
            assert found
            assert found.ok
            assert (found.tensors, found.elements, found.blocks) == (len(SHAPES), 0, 0)
    sizes = (math.prod(s) * dtypes.kind_named(d or "float32").storage.itemsize
             for s, d in SHAPES.values())  # fmt: skip
    assert found.nbytes == sum(sizes)
    assert (found.first, found.faults, found.rewritten, found.damaged) == (None, (), 0, {})
    assert str(found).endswith(f"is as drawn: {len(SHAPES)} tensors, {found.nbytes:,} bytes")


@pytest.mark.parametrize("name", FORMATS)
def test_what_save_writes_is_as_drawn(name, tmp_path):
    path = tmp_path / name
    saved = saving.save(path, RECIPE, SHAPES, rng=3)
    right = digest(path)
    found = verify(path, RECIPE, shapes=SHAPES, rng=3)
    assert found
    assert found.tensors == len(SHAPES) - 1  # save leaves out tied tensors
    assert found.nbytes < saved.nbytes
    flip(max(saved.files, key=os.path.getsize), -1)
    assert verify(path, RECIPE, rng=3, repair=True).elements == 1
    assert digest(path) == right


@pytest.mark.parametrize("threads", [1, 2])
def test_damage_at_random_places_is_found_and_repaired(model, threads):
    path, files = model
    right = digest(path)
    rng = np.random.default_rng(sum(map(ord, path.name)) + threads)
    spots = places(path, files)
    for trial in range(5):
        hit = set()
        for _ in range(int(rng.integers(1, 12))):
            file, entry = spots[rng.integers(len(spots))]
            offset = int(rng.integers(entry.nbytes))
            size = entry.kind.storage.itemsize
            if (file, entry.begin, offset // size) not in {place[:3] for place in hit}:
                hit.add((file, entry.begin, offset // size, offset))
                flip(file, entry.begin + offset)
        with internals.eager():
            found = verify(path, RECIPE, shapes=SHAPES, rng=3, threads=threads)
            assert not found
            assert digest(path) != right
            again = verify(path, RECIPE, rng=3, threads=threads, repair=True)
        assert found.elements == again.elements == len(hit), trial
        entries = {(file, entry.begin): entry for file, entry in spots}
        damaged, blocks = {}, set()
        for file, begin, _, offset in hit:
            entry = entries[file, begin]
            damaged[entry.name] = damaged.get(entry.name, 0) + 1
            blocks.add((file, begin, offset // 512))
        assert found.damaged == damaged
        assert found.blocks == len(blocks)
        written = sum(
            min(512, entries[file, begin].nbytes - 512 * block) for file, begin, block in blocks
        )
        assert (found.rewritten, found.repaired) == (0, False)
        assert (again.rewritten, again.repaired, again.ok) == (written, True, False)
        assert digest(path) == right, trial
        first = found.first
        entry = next(entry for file, entry in spots if entry.name == first.name)
        assert (first.file, entry.begin) in entries
        assert first.found_bits ^ first.expected_bits in [0x10 << 8 * n for n in range(8)]
        assert first == again.first
    assert verify(path, RECIPE, rng=3)


def test_the_first_difference_is_described(tmp_path):
    path = tmp_path / "model.safetensors"
    files = write(path)
    entries = {entry.name: entry for entry in files.files[0].entries}
    rewritten = {
        "b.weight": (np.float64, (36, 10, 2), 7.5),
        "a.weight": (np.float32, (299, 69), -2.0),
        "a.bias": (np.float32, (69,), -0.0),
        "half.more": (np.float16, (4,), np.nan),
        "scalar.bias": (np.float64, (), 1.0),
    }
    # The order of the file: float64 by name, then float32, then 16 bits.
    order = ["b.weight", "scalar.bias", "a.bias", "a.weight", "half.more"]
    for name in reversed(order):
        dtype, index, value = rewritten[name]
        array = np.memmap(path, dtype, "r+", entries[name].begin, entries[name].shape)
        expected = float(array[index])
        array[index] = value
        array.flush()
        first = verify(path, RECIPE, rng=3).first
        assert (first.name, first.index, first.expected) == (name, index, expected)
        assert first.found == value or math.isnan(value)
        assert (type(first.found), type(first.index)) == (float, tuple)
        element = np.ravel_multi_index(index, entries[name].shape) if index else 0
        assert first.offset == entries[name].begin + element * array.itemsize
        assert first.file == path
        text = str(verify(path, RECIPE, rng=3))
        assert f"The first one: {name}" in text
    found = verify(path, RECIPE, rng=3)
    assert found.elements == found.blocks == 5
    assert found.damaged == dict.fromkeys(order, 1)
    assert "is not as drawn: 5 elements differ, in 5 blocks of 64 KiB (" in str(found)
    assert "b.weight (1 element), " in str(found)
    assert "The first one: b.weight[36, 10, 2] is 7.5, not " in str(found)


def test_equal_values_with_other_bits(tmp_path):
    path = tmp_path / "nan.npy"
    made = Recipe({"*": "constant(value=nan)"})
    right = wi.constant(8, value=math.nan)
    right.view(np.uint32)[5] ^= 1
    np.save(path, right)
    found = verify(path, made, rng=0)
    assert (found.elements, found.first.index) == (1, (5,))
    assert "nan[5] is bits 0x7fc00001, not bits 0x7fc00000" in str(found)


@pytest.mark.parametrize("repair", [False, True])
def test_another_model_is_told_and_never_repaired(model, repair):
    path, _ = model
    right = digest(path)
    others = {"seed": (RECIPE, 4), "recipe": (Recipe({"*": "normal"}), 3)}
    for made, rng in others.values():
        found = verify(path, made, rng=rng, repair=repair)
        assert not found
        assert found.mostly_different
        assert (found.rewritten, found.repaired) == (0, False)
        assert "Most elements differ: another seed, another recipe" in str(found)
        assert digest(path) == right
    assert "a.bias" not in verify(path, RECIPE, rng=4).damaged


def test_a_lost_region_is_repaired(model):
    path, files = model
    right = digest(path)
    file, entry = max(places(path, files), key=lambda place: place[1].nbytes)
    with open(file, "r+b") as opened:
        opened.seek(entry.begin + 1000)
        opened.write(bytes(30_000))
    found = verify(path, RECIPE, rng=3, repair=True)
    assert found.repaired
    assert not found.mostly_different
    assert found.blocks == (31_000 - 1) // 512 - 1000 // 512 + 1
    assert digest(path) == right


def test_constants_alone_are_repaired(tmp_path):
    path = tmp_path / "zeros.npy"
    np.save(path, np.ones(1000, np.float32))
    found = verify(path, Recipe({"*": "zeros"}), rng=0, repair=True)
    assert (found.elements, found.rewritten) == (1000, 4000)
    assert not np.load(path).any()


FAULTS = {
    "missing": ({**SHAPES, "more": 3}, None, "Missing: more"),
    "not expected": ({"a.weight": (300, 70)}, None, "Not expected: "),
    "shape": ({**SHAPES, "a.bias": 71}, None, "a.bias has shape (70,), not (71,)"),
    "same size": ({**SHAPES, "b.weight": ((11, 37, 3), "float64")}, None, "b.weight has shape"),
    "dtype": (SHAPES, "float16", "a.bias has dtype float32, not float16"),
    "own dtype": ({**SHAPES, "half.more": (5, "bfloat16")}, None, "half.more has dtype float16, n"),
}


@pytest.mark.parametrize("what", FAULTS)
def test_headers_that_do_not_fit_are_told_without_reading(model, what, monkeypatch):
    path, _ = model
    shapes, dtype, message = FAULTS[what]
    monkeypatch.setattr(os, "preadv", lambda *_: pytest.fail("an element was read"))
    found = verify(path, RECIPE, shapes=shapes, dtype=dtype, rng=3, repair=True)
    assert not found
    assert (found.tensors, found.nbytes, found.first, found.elements) == (0, 0, None, 0)
    assert message in "\n".join(found.faults)
    assert message in str(found)
    assert str(found).startswith(f"{path} is not as expected:\n")


def test_truncated_files_are_told_without_reading(model, monkeypatch):
    path, files = model
    monkeypatch.setattr(os, "preadv", lambda *_: pytest.fail("an element was read"))
    for file, _ in dict(places(path, files)).items():
        whole = file.read_bytes()
        for size in (0, 5, 100, len(whole) - 1, len(whole) + 1):
            file.write_bytes((whole + b"\0")[:size])
            found = verify(path, RECIPE, shapes=SHAPES, rng=3, repair=True)
            assert not found
            assert len(found.faults) == 1
            assert file.name in found.faults[0]
            assert len(file.read_bytes()) == size
        file.write_bytes(whole)


def test_tied_tensors_may_be_left_out(tmp_path):
    path = tmp_path / "model.safetensors"
    write(path, {name: spec for name, spec in SHAPES.items() if name != "head"})
    found = verify(path, RECIPE, shapes=SHAPES, rng=3)
    assert found
    assert found.tensors == len(SHAPES) - 1
    without = {name: spec for name, spec in SHAPES.items() if name != "a.bias"}
    found = verify(path, RECIPE, shapes=without, rng=3)
    assert found.faults == ("Not expected: a.bias",)


def test_many_faults_are_shortened(tmp_path):
    path = tmp_path / "many.safetensors"
    write(path, {f"w{n}": ((2, 2), None) for n in range(50)})
    found = verify(path, RECIPE, shapes={f"w{n}": (4, 1) for n in range(50)}, rng=3)
    assert len(found.faults) == 50
    assert str(found).endswith("w19 has shape (2, 2), not (4, 1)\nand 30 more faults")
    assert len(str(found).splitlines()) == 22


def test_tensors_that_are_never_drawn(tmp_path):
    for name, array, message in (
        ("ids.npy", np.arange(3), "ids has dtype int64, which is never drawn"),
        ("bits.npy", np.zeros(3, "u2"), "bits has dtype uint16, which is never drawn"),
        ("f.npy", np.zeros((3, 4), order="F"), "f is stored in Fortran order"),
    ):
        np.save(tmp_path / name, array)
        found = verify(tmp_path / name, RECIPE, rng=0)
        assert found.faults[0].startswith(message)
        assert found.left_out == ()


def test_counters_beside_weights_are_left_out(tmp_path):
    folder = tmp_path / "model.npy"
    write(folder, {"a.weight": ((4, 3), None), "half.x": ((3,), "float32")})
    (folder / "tensors.json").unlink()
    np.save(folder / "bn.seen.npy", np.int64(3))
    found = verify(folder, RECIPE, rng=3)
    assert (found.ok, found.tensors, found.left_out) == (True, 2, ("bn.seen",))
    assert str(found).splitlines() == [
        f"{folder} is as drawn: 2 tensors, 60 bytes",
        "1 tensor left out, which has a dtype that is never drawn: bn.seen",
    ]
    found = verify(folder, RECIPE, rng=4)
    assert not found
    assert "\n1 tensor left out, " in str(found)
    found = verify(folder, RECIPE, rng=3, shapes={"a.weight": (4, 3), "half.x": 3})
    assert found.faults == ("Not expected: bn.seen",)
    np.save(folder / "bits.npy", np.zeros(3, "u2"))  # perhaps bfloat16
    assert verify(folder, RECIPE, rng=3).faults[0].startswith("bits has dtype uint16")


def test_a_repair_of_a_damaged_header_says_what_to_do(tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"garbage!")
    advice = "Only elements are repaired"
    assert advice in str(verify(path, RECIPE, rng=0, repair=True))
    assert advice not in str(verify(path, RECIPE, rng=0))


def test_single_arrays(tmp_path):
    """A .npy file tells neither its tensor's name nor the types that NumPy lacks."""
    path = tmp_path / "table.npy"
    write(path, {"half.x": ((50, 4), "bfloat16")})
    assert verify(path, RECIPE, shapes={"half.x": ((50, 4), "bfloat16")}, rng=3)
    assert verify(path, RECIPE, shapes={"half.x": (50, 4)}, dtype="bfloat16", rng=3)
    assert verify(path, RECIPE, dtype="bfloat16", rng=3).mostly_different
    assert "not float32" in verify(path, RECIPE, shapes={"half.x": (50, 4)}, rng=3).faults[0]
    swapped = tmp_path / "swapped.npy"
    right = wi.he_normal((50, 4), dtype=">f4", rng=3, stream="swapped")
    np.save(swapped, right)
    assert verify(swapped, RECIPE, rng=3)
    original = swapped.read_bytes()
    flip(swapped, len(original) - 2)
    found = verify(swapped, RECIPE, rng=3, repair=True)
    assert (found.first.index, found.first.expected) == ((49, 3), float(right[-1, -1]))
    assert swapped.read_bytes() == original


def test_progress_is_called_with_bytes(tmp_path):
    path = tmp_path / "model.safetensors"
    write(path)
    calls = []
    flip(path, path.stat().st_size - 1)
    found = verify(path, RECIPE, rng=3, repair=True, progress=lambda *call: calls.append(call))
    assert found.repaired
    assert {total for _, total in calls} == {found.nbytes}
    assert [done for done, _ in calls] == sorted({done for done, _ in calls})
    assert calls[-1][0] == found.nbytes
    with pytest.raises(TypeError, match="progress must be"):
        verify(path, RECIPE, rng=3, progress="yes")

    def fail(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), internals.eager():
        verify(path, RECIPE, rng=3, progress=fail, threads=2)


def test_refused_arguments(tmp_path):
    path = tmp_path / "model.safetensors"
    write(path)
    with pytest.raises(TypeError, match="verify needs rng="):
        verify(path, RECIPE, rng=None)
    with pytest.raises(ValueError, match="threads must be"):
        verify(path, RECIPE, rng=0, threads=0)
    with pytest.raises(ValueError, match="no rule of the recipe matches 10 tensors"):
        verify(path, Recipe({}), rng=0)
    with pytest.raises(TypeError, match="dtype must be"):
        verify(path, RECIPE, rng=0, dtype="int8")
    with pytest.raises(FileNotFoundError):
        verify(tmp_path / "other.safetensors", RECIPE, rng=0)
    np.savez(tmp_path / "a.npz", w=np.zeros(3))
    with pytest.raises(ValueError, match=r"is a \.npz file"):
        verify(tmp_path / "a.npz", RECIPE, rng=0)
    with pytest.raises(ValueError, match=r"a group of Zarr.*wi\.dask\.array"):
        verify(tmp_path / "a.zarr", RECIPE, rng=0)


def test_a_file_that_may_not_be_written(tmp_path, monkeypatch):
    path = tmp_path / "model.safetensors"
    write(path)
    flip(path, path.stat().st_size - 1)
    former = os.open

    def refuse(name, flags, *rest, **more):
        if flags & os.O_RDWR:
            raise PermissionError(13, "Permission denied", str(name))
        return former(name, flags, *rest, **more)

    monkeypatch.setattr(os, "open", refuse)
    assert verify(path, RECIPE, rng=3).elements == 1
    with pytest.raises(PermissionError):
        verify(path, RECIPE, rng=3, repair=True)


def test_a_file_that_shrinks_while_it_is_read(tmp_path, monkeypatch):
    path = tmp_path / "model.safetensors"
    write(path)
    former = verification.compare

    def compare(*arguments):
        os.truncate(path, 5000)
        return former(*arguments)

    monkeypatch.setattr(verification, "compare", compare)
    with pytest.raises(ValueError, match="became shorter while"):
        verify(path, RECIPE, rng=3)


def test_memory_is_bounded(tmp_path, monkeypatch):
    monkeypatch.undo()  # pieces and blocks of their own sizes
    former = os.preadv

    def slow(*arguments):
        time.sleep(0.02)  # so that all threads hold their buffers at once
        return former(*arguments)

    monkeypatch.setattr(os, "preadv", slow)
    path = tmp_path / "large.npy"
    shape = (48 << 20,)
    np.save(path, np.zeros(shape, np.uint8))
    made = Recipe({"*": "normal(std=0.5)"})
    with internals.eager():
        tracemalloc.start()
        found = verify(path, made, rng=0, dtype="float8_e5m2", threads=32)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert found.elements > 40 << 20
    assert peak < 40 << 20


def test_progress_shows_nothing_where_no_terminal_is(tmp_path, capsys):
    path = tmp_path / "model.safetensors"
    write(path)
    assert verify(path, RECIPE, rng=3, progress=True)
    assert capsys.readouterr() == ("", "")
