"""Ctrl-C between any two lines of save, finish and verify leaves whole files and no folder behind.

A trace function raises KeyboardInterrupt when a line of `models/files` runs for the first time, in
one call after another for each line. The calls have one thread, as a trace function has.
"""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from support import interrupts
from support.internals import publishing, recipe, saving, staging, verification

finish, save, verify = saving.finish, saving.save, verification.verify
RECIPE = recipe.Recipe({"*": "normal(std=0.02)"})
SHAPES = {"a.weight": (7, 3), "b.weight": (50,)}
FOLDER = str(Path(staging.__file__).parent)


@pytest.fixture(autouse=True)
def _no_fsync(monkeypatch):
    """Save thousands of times in a few seconds."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


def lines_of(call, stop=None):
    """Do as `interrupts.lines_of`, with the lines of `models/files`."""
    return interrupts.lines_of(call, lambda c: os.path.dirname(c.co_filename) == FOLDER, stop)


def found_in(folder):
    """Return name -> bytes of the files in a folder, and the hidden folders in it."""
    files = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    hidden = sorted(name for name in os.listdir(folder) if name.startswith("."))
    return {n: content for n, content in files.items() if not n.startswith(".")}, hidden


def saved(rng=0, **options):
    """Return a function that saves with these options."""
    return lambda path: save(path, RECIPE, SHAPES, rng=rng, threads=1, **options)


def staged(path):
    """Write both parts, and stop the second one before it gives the file its name."""
    saved(part=(0, 2))(path)
    publisher = publishing.Publisher
    publish, publisher.publish = publisher.publish, lambda *_: None
    try:
        saved(part=(1, 2))(path)
    finally:
        publisher.publish = publish


def nothing(path):
    """Leave the folder empty."""


#: Name -> (the target, what is done before, the call that is interrupted, whether the parts that
#: were there stay until the file has its name).
CALLS = {
    "file": ("x.safetensors", nothing, saved(), False),
    "file, forced": ("x.safetensors", saved(1), saved(force=True), False),
    "shards": ("x", nothing, saved(max_shard_bytes=100), False),
    "shards, forced": (
        "x",
        saved(1, max_shard_bytes=100),
        saved(max_shard_bytes=100, force=True),
        False,
    ),
    "arrays": ("x.npy", nothing, saved(), False),
    "zarr": ("x.zarr", nothing, saved(), False),
    "zarr, forced": ("x.zarr", saved(1), saved(force=True), False),
    "last part": ("x.safetensors", saved(part=(0, 2)), saved(part=(1, 2)), True),
    "finish": ("x.safetensors", staged, finish, True),
}


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=() if n == "finish" else pytest.mark.slow) for n in CALLS]
)
def test_all_new_files_or_none(name, tmp_path):
    target, before, call, parts_stay = CALLS[name]

    def begin():
        for path in tmp_path.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        before(tmp_path / target)

    begin()
    call(tmp_path / target)  # also imports what it needs
    begin()
    old, kept = found_in(tmp_path)
    all_lines, errors = lines_of(lambda: call(tmp_path / target))
    assert errors == []
    new, hidden = found_in(tmp_path)
    assert hidden == []
    assert new != old
    files_named, names = 0, set()
    for stop in range(1, len(all_lines) + 1):
        begin()
        lines, errors = lines_of(lambda: call(tmp_path / target), stop)
        at = f"after an interrupt at {lines[-1]}"
        assert [type(error) for error in errors] == [KeyboardInterrupt], at
        files, hidden = found_in(tmp_path)
        assert files in (old, new), at
        files_named += files == new
        if hidden:
            assert (files, hidden, parts_stay) == (old, kept, True), at
            call(tmp_path / target)
            assert found_in(tmp_path) == (new, []), at
        names.add(lines[-1][0])
    assert {"publish", "_begin_moving", "discard", "_delete_nameless"} <= names
    assert (name == "finish") != ({"join", "_take_lock", "_work", "mark"} <= names)
    assert 10 < files_named < len(all_lines) / 2


def test_a_part_stays_once_it_is_marked(tmp_path):
    path = tmp_path / "x.safetensors"
    saved()(path)
    new, _ = found_in(tmp_path)
    path.unlink()
    folder = staging.Staging(path).folder
    saved(part=(0, 2))(path)  # also runs the lines that run only once
    shutil.rmtree(folder)
    all_lines, _ = lines_of(lambda: saved(part=(0, 2))(path))
    stayed = set()
    for stop in range(1, len(all_lines) + 1):
        shutil.rmtree(folder, ignore_errors=True)
        lines, errors = lines_of(lambda: saved(part=(0, 2))(path), stop)
        assert [type(error) for error in errors] == [KeyboardInterrupt]
        assert os.listdir(tmp_path) in ([], [folder.name]), lines[-1]
        stayed.add(folder.exists())
        if folder.exists():
            assert saved(part=(1, 2))(path).finished, lines[-1]
            assert found_in(tmp_path) == (new, []), lines[-1]
            path.unlink()
    assert stayed == {True, False}


def test_repair_is_done_or_goes_on(tmp_path):
    """Each block is as it was, or as it should be, and a second repair repairs the others."""
    path = tmp_path / "x.npy"
    shapes = {"w": 200_000}
    save(path, RECIPE, shapes, rng=0)
    good = path.read_bytes()
    bad = bytearray(good)
    places = [200, 100_000, 700_000]
    for place in places:
        bad[place] ^= 1

    def repair():
        return verify(path, RECIPE, shapes=shapes, rng=0, threads=1, repair=True)

    path.write_bytes(bad)
    repair()
    path.write_bytes(bad)
    all_lines, errors = lines_of(repair)
    assert errors == []
    assert path.read_bytes() == good
    for stop in range(1, len(all_lines) + 1):
        path.write_bytes(bad)
        lines, errors = lines_of(repair, stop)
        assert [type(error) for error in errors] == [KeyboardInterrupt], lines[-1]
        wrong = np.flatnonzero(np.frombuffer(path.read_bytes(), "u1") != np.frombuffer(good, "u1"))
        assert set(wrong.tolist()) <= set(places), lines[-1]
        repair()
        assert path.read_bytes() == good
        assert os.listdir(tmp_path) == ["x.npy"]
