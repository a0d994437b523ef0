"""Parts: shares of bytes, markers, the part that ends last, and what is told apart."""

import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saved_models import OPTIONS, RECIPE, SHAPES, TARGETS, contents_of
from support.internals import layout, publishing, recipe, saving, shares, staging
from support.isolated import forks

save, finish = saving.save, saving.finish
PLAIN = recipe.Recipe({"*": "normal(std=0.02)"})
#: 2 MB: enough blocks for 16 parts.
TABLE = {"table": (1000, 300), "more": (777,), "last": (200_000,)}


def whole(folder, target, **options):
    """Return the files of a whole save."""
    folder.mkdir()
    save(folder / target, RECIPE, SHAPES, rng=0, **OPTIONS.get(target, {}), **options)
    return contents_of(folder)


# Shares -------------------------------------------------------------------------------------------


@given(
    st.lists(
        st.tuples(st.integers(0, 40_000), st.sampled_from(["float64", "bfloat16"])), min_size=1
    ),
    st.integers(1, 40),
    st.sampled_from(["x.safetensors", "x", "x.npy"]),
)
def test_shares_cover_every_byte_once(tensors, n, path):
    shapes = {f"t{k}": ((size,), dtype) for k, (size, dtype) in enumerate(tensors)}
    options = {"max_shard_bytes": 100_000} if path == "x" else {}
    made = layout.layout_of(path, shapes, **options)
    covered = dict.fromkeys(range(len(made.files)), 0)
    sizes = []
    for k in range(n):
        ranges = shares.share(made, k, n)
        sizes.append(sum(r.end - r.begin for r in ranges))
        for file, begin, end in ranges:
            assert begin == covered[file]
            assert begin < end
            covered[file] = end
            if end < made.files[file].nbytes:
                assert end % 4096 == 0
    assert list(covered.values()) == [file.nbytes for file in made.files]
    if n != sum(bool(file.entries) for file in made.files):
        assert max(sizes) <= made.nbytes / n + 4096 + 1


def test_large_shares_end_at_multiples_of_a_mebibyte():
    made = layout.layout_of("x.safetensors", {"table": ((10**9,), None)})
    for k in range(15):
        (part,) = shares.share(made, k, 16)
        assert part.end % 2**20 == 0


def test_as_many_parts_as_files_are_one_file_each():
    shapes = {f"t{k}": ((1000 + k,), None) for k in range(4)}
    made = layout.layout_of("x", shapes, max_shard_bytes=5000)
    for k in range(4):
        files = [part.file for part in shares.share(made, k, 4)]
        assert files == ([k] if k < 3 else [3, 4])  # the index belongs to the last part


# The same bytes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("n", [1, 3, 16])
def test_parts_in_any_order_make_the_same_files(tmp_path, target, n):
    expected = whole(tmp_path / "whole", target)
    order = list(range(n))
    random.Random(n).shuffle(order)
    folder = tmp_path / "parts"
    folder.mkdir()
    for done, k in enumerate(order, start=1):
        saved = save(folder / target, RECIPE, SHAPES, rng=0, part=(k, n), **OPTIONS.get(target, {}))
        assert saved.finished is (done == n)
        assert (folder / target).exists() is saved.finished
    assert contents_of(folder) == expected


def test_parts_of_several_counts_fit_together(tmp_path):
    expected = tmp_path / "whole.safetensors"
    save(expected, PLAIN, TABLE, rng=0)
    path = tmp_path / "x.safetensors"
    for part in [(0, 2), (3, 4), (4, 7), (5, 7), (0, 2)]:
        assert not save(path, PLAIN, TABLE, rng=0, part=part).finished
    with pytest.raises(ValueError, match="is not complete") as caught:
        finish(path)
    assert str(caught.value).partition("complete: ")[2] == (
        "of 2 parts, counted from 0, these are missing: 1; or of 4 parts, counted from 0, these "
        "are missing: 0, 1, 2; or of 7 parts, counted from 0, these are missing: 0, 1, 2, 3, 6. "
        "Write all missing parts of one of these numbers"
    )
    assert save(path, PLAIN, TABLE, rng=0, part=(3, 7)).finished
    assert path.read_bytes() == expected.read_bytes()


def test_parts_run_again(tmp_path):
    path = tmp_path / "x.safetensors"
    for k in (0, 0, 1, 0):
        assert not save(path, PLAIN, TABLE, rng=0, part=(k, 3)).finished
    save(path, PLAIN, TABLE, rng=0, part=(2, 3))
    save(tmp_path / "whole.safetensors", PLAIN, TABLE, rng=0)
    assert path.read_bytes() == (tmp_path / "whole.safetensors").read_bytes()
    assert sorted(os.listdir(tmp_path)) == ["whole.safetensors", "x.safetensors"]


def test_folders_of_hosts_that_share_no_disk_are_copied_together(tmp_path):
    shapes = {f"t{k}": (1000,) for k in range(3)}
    for k in range(3):
        host = tmp_path / f"host{k}"
        host.mkdir()
        save(host / "model", PLAIN, shapes, rng=0, part=(k, 3), max_shard_bytes=4000)
        data = host / ".model.saving/data"
        files = {path.name for path in data.iterdir()} - {"model.safetensors.index.json"}
        assert files == {f"model-0000{k + 1}-of-00003.safetensors"}
        shutil.copytree(host, tmp_path / "all", dirs_exist_ok=True)
    finish(tmp_path / "all/model")
    (tmp_path / "one").mkdir()
    save(tmp_path / "one/model", PLAIN, shapes, rng=0, max_shard_bytes=4000)
    assert contents_of(tmp_path / "all") == contents_of(tmp_path / "one")


# What is told apart -------------------------------------------------------------------------------


_SHAPES_DIFFER = "another set of names, shapes and dtypes"


@pytest.mark.parametrize(
    ("other", "cause"),
    [
        ({"rng": 1}, "another key"),
        ({"recipe": recipe.Recipe({"*": "normal(std=0.03)"})}, "another recipe"),
        (
            {"rng": 1, "recipe": "he_normal(fans=(1, 2))"},
            "another key and another recipe",
        ),
        ({"shapes": TABLE | {"table": (300, 1000)}}, _SHAPES_DIFFER),
        ({"dtype": "bfloat16"}, _SHAPES_DIFFER),
        ({"metadata": {}}, "another max_shard_bytes, metadata or order of tensors"),
    ],
    ids=lambda other: next(iter(other)) if isinstance(other, dict) else "",
)
@pytest.mark.parametrize("part", [(1, 3), None])
def test_parts_of_another_model_are_refused(tmp_path, other, cause, part):
    path = tmp_path / "x.safetensors"
    usual = {"recipe": PLAIN, "shapes": TABLE, "rng": 0}
    save(path, part=(0, 3), **usual)
    before = contents_of(tmp_path)
    with pytest.raises(FileExistsError, match=f"'x.safetensors' that were written with {cause}:"):
        save(path, part=part, force=True, **usual | other)
    assert contents_of(tmp_path) == before
    for k in (1, 2):
        save(path, part=(k, 3), **usual)
    assert path.exists()


def test_shards_of_another_size_are_refused_with_the_right_cause(tmp_path):
    save(tmp_path / "x", PLAIN, TABLE, rng=0, part=(0, 3), max_shard_bytes=1 << 20)
    with pytest.raises(FileExistsError, match="written with another max_shard_bytes, metadata or"):
        save(tmp_path / "x", PLAIN, TABLE, rng=0, part=(1, 3), max_shard_bytes=1 << 21)


def test_marker_of_another_model_is_refused(tmp_path):
    for name, seed in (("x.safetensors", 0), ("y.safetensors", 1)):
        save(tmp_path / name, PLAIN, TABLE, rng=seed, part=(seed, 2))
    marker = ".y.safetensors.saving/part-00001-of-00002.json"
    shutil.copy(tmp_path / marker, tmp_path / ".x.safetensors.saving")
    with pytest.raises(ValueError, match="marker of a part of another model"):
        finish(tmp_path / "x.safetensors")


# finish -------------------------------------------------------------------------------------------


def test_finish_names_the_missing_parts(tmp_path):
    path = tmp_path / "x.safetensors"
    with pytest.raises(FileNotFoundError, match="there are no parts of"):
        finish(path)
    for k in (0, 3):
        save(path, PLAIN, TABLE, rng=0, part=(k, 5))
    with pytest.raises(ValueError, match=r"of 5 parts, counted from 0, .*: 1, 2, 4$"):
        finish(path)


def test_finish_of_a_killed_save_says_to_run_it_again(tmp_path, monkeypatch):
    path = tmp_path / "x.safetensors"
    with monkeypatch.context() as patch:
        patch.setattr(saving, "mark", lambda *_: 1 / 0)
        patch.setattr(staging.Staging, "give_up", lambda _: None)
        with pytest.raises(ZeroDivisionError):
            save(path, PLAIN, TABLE, rng=0)
    with pytest.raises(ValueError, match=r"was stopped: run the same call again$"):
        finish(path)


@pytest.mark.parametrize("target", TARGETS)
def test_finish_by_hand(tmp_path, target, monkeypatch):
    expected = whole(tmp_path / "whole", target)
    folder = tmp_path / "parts"
    folder.mkdir()

    def stopped(*_):
        raise SystemError("as if the process ended here")

    options = OPTIONS.get(target, {})
    save(folder / target, RECIPE, SHAPES, rng=0, part=(0, 2), **options)
    with monkeypatch.context() as patch:
        patch.setattr(publishing.Publisher, "publish", stopped)
        with pytest.raises(SystemError):
            save(folder / target, RECIPE, SHAPES, rng=0, part=(1, 2), **options)
    assert not (folder / target).exists()
    saved = finish(folder / target)
    assert saved.finished
    assert saved.nbytes == sum(len(content) for content in expected.values())
    assert contents_of(folder) == expected
    with pytest.raises(FileNotFoundError, match="the file itself exists"):
        finish(folder / target)


def test_finish_refuses_a_cut_file(tmp_path, monkeypatch):
    path = tmp_path / "x.safetensors"
    with monkeypatch.context() as patch:
        patch.setattr(publishing.Publisher, "publish", lambda *_: None)
        for k in (0, 1):
            save(path, PLAIN, TABLE, rng=0, part=(k, 2))
    data = tmp_path / ".x.safetensors.saving/data"
    os.truncate(data, 1000)
    with pytest.raises(ValueError, match="has 1,000 bytes, and not"):
        finish(path)


@pytest.mark.parametrize("name", ["plan.json", "part-00000-of-00001.json"])
@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", "{", "[" * 100_000, '{"version": 1}'],
    ids=["empty", "list", "dict", "cut", "deep", "version"],
)
def test_damaged_notes_are_refused(tmp_path, monkeypatch, name, text):
    path = tmp_path / "x.safetensors"
    with monkeypatch.context() as patch:
        patch.setattr(publishing.Publisher, "publish", lambda *_: None)
        save(path, PLAIN, TABLE, rng=0, part=(0, 1))
    (tmp_path / ".x.safetensors.saving" / name).write_text(text)
    with pytest.raises(ValueError, match=r"is damaged|another model"):
        finish(path)


@pytest.mark.parametrize("name", ["../x", "/x", "..", "a/b/c", "a/../b", "", 3, "a\\b"])
def test_names_of_a_plan_cannot_leave_the_folder(tmp_path, name):
    folder = tmp_path / ".x.saving"
    folder.mkdir()
    plan = {
        "version": 1,
        "digest": "",
        "digests": {},
        "format": "safetensors",
        "folder": True,
        "force": False,
        "parts": True,
        "files": [[name, 0]],
    }
    (folder / "plan.json").write_text(json.dumps(plan))
    with pytest.raises(ValueError, match="is damaged"):
        finish(tmp_path / "x")
    plan["files"] = [["model.safetensors", 0]]
    (folder / "plan.json").write_text(json.dumps(plan))
    with pytest.raises(FileNotFoundError, match="not there any more"):
        finish(tmp_path / "x")


def test_two_processes_that_end_at_once(tmp_path, monkeypatch):
    """The other process finishes between the marker of this one and its own look at the markers."""
    path = tmp_path / "x.safetensors"
    save(path, PLAIN, TABLE, rng=0, part=(0, 2))
    mark, publish = saving.mark, publishing.Publisher.publish
    staging_of_another = staging.Staging(path)
    staging_of_another.read()

    def mark_and_lose(*args):
        mark(*args)
        finish(path)

    def publish_and_lose(self, *args):
        publish(publishing.Publisher(staging_of_another), *args)
        publish(self, *args)

    for changed, name, function in (
        (saving, "mark", mark_and_lose),
        (publishing.Publisher, "publish", publish_and_lose),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(changed, name, function)
            saved = save(path, PLAIN, TABLE, rng=0, part=(1, 2))
        assert saved.finished
        assert os.listdir(tmp_path) == ["x.safetensors"]
        path.unlink()
        save(path, PLAIN, TABLE, rng=0, part=(0, 2))


def test_markers_that_outlived_their_files_do_not_count(tmp_path, monkeypatch):
    """The process that gave the file its name was killed before it deleted the markers."""
    path = tmp_path / "x.safetensors"
    with monkeypatch.context() as patch:
        patch.setattr(staging.Staging, "discard", lambda self: self.leave())
        for k in (0, 1):
            save(path, PLAIN, TABLE, rng=0, part=(k, 2))
    expected = path.read_bytes()
    shutil.copytree(tmp_path, tmp_path / "copy")
    assert finish(path).finished
    assert sorted(os.listdir(tmp_path)) == ["copy", "x.safetensors"]
    path = tmp_path / "copy/x.safetensors"
    with monkeypatch.context() as patch:
        patch.setattr(staging.Staging, "clean", lambda self: None)
        assert not save(path, PLAIN, TABLE, rng=0, part=(0, 2), force=True).finished
        assert save(path, PLAIN, TABLE, rng=0, part=(1, 2), force=True).finished
    assert path.read_bytes() == expected
    assert os.listdir(tmp_path / "copy") == ["x.safetensors"]


def test_folders_that_crashes_left_are_deleted(tmp_path, monkeypatch):
    path = tmp_path / "x.safetensors"
    with monkeypatch.context() as patch:
        patch.setattr(staging.Staging, "discard", lambda self: self.leave())
        save(path, PLAIN, TABLE, rng=0)
    old, new, others = "0" * 16, "1" * 16, "y.saving"
    for name, age in ((old, 100), (new, 1), (others, 100)):
        (tmp_path / f".x.safetensors.saving.{name}").mkdir()
        when = time.time() - age
        os.utime(tmp_path / f".x.safetensors.saving.{name}", (when, when))
    assert len(os.listdir(tmp_path)) == 5
    with pytest.raises(FileExistsError):
        save(path, PLAIN, TABLE, rng=1, part=(0, 2))
    # One process may be making its folder now, and the other name belongs to another target.
    left = {f".x.safetensors.saving.{name}" for name in (new, others)}
    assert set(os.listdir(tmp_path)) == left | {"x.safetensors"}


# Races and crashes at chosen points ---------------------------------------------------------------


def joined(target, seed=0, **options):
    """Return the staging folder of a save that has not drawn anything yet."""
    made = []

    def stop(self, *args):
        made.append(self)
        raise _StoppedError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(saving, "_write", lambda staging, *_: stop(staging))
        patch.setattr(staging.Staging, "give_up", lambda self: None)
        with pytest.raises(_StoppedError):
            save(target, PLAIN, TABLE, rng=seed, force=True, **options)
    return made[0]


class _StoppedError(Exception):
    pass


def test_a_part_that_begins_leaves_the_folder_of_another_alone(tmp_path):
    """Each part replaces a file that exists, so that this file says nothing about the parts."""
    path = tmp_path / "x.safetensors"
    save(path, PLAIN, TABLE, rng=7)
    joined(path, part=(0, 2))
    folder = tmp_path / ".x.safetensors.saving"
    (folder / "note").touch()
    assert not save(path, PLAIN, TABLE, rng=0, part=(1, 2), force=True).finished
    assert (folder / "note").exists()
    with pytest.raises(ValueError, match="these are missing: 0"):
        finish(path)


def test_a_part_whose_folder_was_deleted_does_not_call_a_former_file_its_own(tmp_path, monkeypatch):
    path = tmp_path / "x.safetensors"
    save(path, PLAIN, TABLE, rng=7)
    before = path.read_bytes()
    mark = saving.mark

    def delete_and_mark(found, *args):
        shutil.rmtree(found.folder)
        mark(found, *args)

    monkeypatch.setattr(saving, "mark", delete_and_mark)
    with pytest.raises(FileNotFoundError):
        save(path, PLAIN, TABLE, rng=0, part=(0, 2), force=True)
    assert contents_of(tmp_path) == {"x.safetensors": before}


def test_finish_does_not_take_a_former_file_for_one_that_is_begun(tmp_path):
    path = tmp_path / "x.safetensors"
    save(path, PLAIN, TABLE, rng=7)
    joined(path, part=(0, 2)).leave()
    with pytest.raises(ValueError, match="is not complete"):
        finish(path)
    assert (tmp_path / ".x.safetensors.saving/plan.json").exists()


def test_a_lost_file_is_not_replaced_by_a_former_one(tmp_path):
    """A former shard has the same name and the same size, and would make a mixture of models."""
    folder = tmp_path / "model"
    shapes = {f"t{k}": (1000,) for k in range(3)}
    save(folder, PLAIN, shapes, rng=7, max_shard_bytes=4000)
    options = {"rng": 0, "max_shard_bytes": 4000, "force": True}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(publishing.Publisher, "publish", lambda *_: None)
        for k in range(3):
            save(folder, PLAIN, shapes, part=(k, 3), **options)
    before = contents_of(folder)
    lost = "model-00001-of-00003.safetensors"
    (tmp_path / ".model.saving/data" / lost).unlink()
    with pytest.raises(FileNotFoundError, match=lost):
        finish(folder)
    assert contents_of(folder) == before
    save(folder, PLAIN, shapes, part=(0, 3), **options)
    (tmp_path / "right").mkdir()
    save(tmp_path / "right/model", PLAIN, shapes, rng=0, max_shard_bytes=4000)
    assert contents_of(folder) == contents_of(tmp_path / "right/model")


@pytest.mark.parametrize("again", ["finish", (0, 3), (1, 3), (2, 3)])
@pytest.mark.parametrize("moved", [0, 1, 3])
def test_stopped_while_files_are_moved(tmp_path, monkeypatch, moved, again):
    """Nothing that was written is lost, and any part, or finish, goes on."""
    folder = tmp_path / "model"
    shapes = {f"t{k}": (1000,) for k in range(3)}
    for seed, target in ((7, folder), (0, tmp_path / "right")):
        save(target, PLAIN, shapes, rng=seed, max_shard_bytes=4000)
    options = {"rng": 0, "max_shard_bytes": 4000, "force": True}
    for k in (0, 1):
        save(folder, PLAIN, shapes, part=(k, 3), **options)
    rename, calls = os.rename, []

    def stopping(source, target):
        if folder in target.parents:
            if len(calls) == moved:
                raise KeyboardInterrupt
            calls.append(target)
        rename(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", stopping)
        with pytest.raises(KeyboardInterrupt):
            save(folder, PLAIN, shapes, part=(2, 3), **options)
    if again == "finish":
        finish(folder)
    else:
        assert save(folder, PLAIN, shapes, part=again, **options).finished
    assert contents_of(folder) == contents_of(tmp_path / "right")
    assert sorted(os.listdir(tmp_path)) == ["model", "right"]


def test_a_whole_save_that_is_stopped_while_files_are_moved(tmp_path, monkeypatch):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").touch()
    rename = os.rename

    def stopping(source, target):
        if target == folder / "model-00002-of-00002.safetensors":
            raise KeyboardInterrupt
        rename(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", stopping)
        with pytest.raises(KeyboardInterrupt):
            save(folder, PLAIN, {"a": 1000, "b": 1000}, rng=0, max_shard_bytes=4000)
    finish(folder)
    assert len(os.listdir(folder)) == 4


def test_killed_while_a_zarr_group_is_replaced(tmp_path, monkeypatch):
    """The former group is moved away at once: half of one would be refused as no group of Zarr."""
    path = tmp_path / "x.zarr"
    save(path, PLAIN, TABLE, rng=7)
    rename = os.rename

    def killed_at_the_data(source, target):
        if target == path:
            raise SystemError("as if the process ended here")
        rename(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", killed_at_the_data)
        patch.setattr(staging.Staging, "give_up", lambda self: self.leave())
        with pytest.raises(SystemError):
            save(path, PLAIN, TABLE, rng=0, force=True)
    assert contents_of(tmp_path / ".x.zarr.saving/former").keys() > {"zarr.json"}
    assert not path.exists()
    save(path, PLAIN, TABLE, rng=0, force=True)
    save(tmp_path / "y.zarr", PLAIN, TABLE, rng=0)
    assert contents_of(path) == contents_of(tmp_path / "y.zarr")
    assert sorted(os.listdir(tmp_path)) == ["x.zarr", "y.zarr"]


def test_a_deleted_folder_is_not_taken_for_a_new_one_of_its_name(tmp_path):
    """A process that waits with the lock of the deleted one must not delete the new one."""
    path = tmp_path / "x.safetensors"
    waiting = joined(path, part=(0, 2))
    waiting._take_lock()
    shutil.rmtree(waiting.folder)
    joined(path, part=(1, 2)).leave()
    assert not waiting._lock.try_exclusive()
    waiting.give_up()
    assert (waiting.folder / "plan.json").exists()


def test_a_folder_is_not_joined_while_it_is_deleted(tmp_path, monkeypatch):
    """Whoever looks during the deletion finds no folder of that name, not half of one."""
    path = tmp_path / "x.safetensors"
    made = joined(path)
    made._take_lock()
    rmtree, seen = shutil.rmtree, []

    def looking(folder, **options):
        seen.append((made.folder.exists(), made._lock.is_open))
        rmtree(folder, **options)

    with monkeypatch.context() as patch:
        patch.setattr(staging.shutil, "rmtree", looking)
        made.discard()
    assert seen == [(False, False)]
    assert os.listdir(tmp_path) == []


def test_links_in_the_place_of_our_folders_are_refused(tmp_path):
    """Whoever may write into the folder could choose which files are overwritten."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/kept").write_text("kept")
    path, folder = tmp_path / "x.safetensors", tmp_path / ".x.safetensors.saving"
    folder.symlink_to("elsewhere")
    with pytest.raises(FileExistsError, match="is a link"):
        save(path, PLAIN, TABLE, rng=0)
    folder.unlink()
    joined(path, part=(0, 1)).leave()
    (folder / "data").symlink_to("../elsewhere/kept")
    with pytest.raises(FileExistsError, match="is a link"):
        save(path, PLAIN, TABLE, rng=0, part=(0, 1), force=True)
    shutil.rmtree(folder)
    joined(tmp_path / "x", part=(0, 1)).leave()
    (tmp_path / ".x.saving/data/model.safetensors").symlink_to("../../elsewhere/kept")
    with pytest.raises(OSError, match="symbolic link"):
        save(tmp_path / "x", PLAIN, TABLE, rng=0, part=(0, 1), force=True)
    assert (tmp_path / "elsewhere/kept").read_text() == "kept"


def test_folder_on_another_disk(tmp_path, monkeypatch):
    """Files cannot be moved there: it is told before anything is drawn, and nothing is lost."""
    disk = pathlib.Path(tempfile.mkdtemp(dir="/dev/shm" if os.path.isdir("/dev/shm") else None))
    try:
        if disk.stat().st_dev == tmp_path.stat().st_dev:
            pytest.skip("there is one disk only")
        path = disk / "model"
        save(path, PLAIN, TABLE, rng=7)
        before = contents_of(disk)
        (tmp_path / "link").symlink_to(path)
        with pytest.raises(OSError, match="another disk"):
            save(tmp_path / "link", PLAIN, TABLE, rng=0, force=True)
        assert contents_of(disk) == before
        assert os.listdir(tmp_path) == ["link"]
    finally:
        shutil.rmtree(disk)


@pytest.mark.parametrize("n", [3, 10**15])
def test_missing_parts_of_any_number_are_counted(tmp_path, n):
    path = tmp_path / "x.safetensors"
    save(path, PLAIN, TABLE, rng=0, part=(1, n))
    with pytest.raises(ValueError, match="these are missing: 0, 2") as caught:
        finish(path)
    if n > 20:
        assert str(caught.value).endswith(f"20 and {n - 21} more")


# part= --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("part", "error", "text"),
    [
        ((3, 3), ValueError, "counted from 0 to 2"),
        ((-1, 3), ValueError, "counted from 0 to 2"),
        ((0, 0), ValueError, "at least 1"),
        ((0, 2.0), TypeError, "two ints"),
        ((True, 2), TypeError, "two ints"),
        ((1,), TypeError, r"\(k, n\) or 'auto'"),
        (3, TypeError, r"\(k, n\) or 'auto'"),
        ("3/4", ValueError, r"\(k, n\) or 'auto'"),
    ],
)
def test_bad_parts(tmp_path, part, error, text):
    with pytest.raises(error, match=text):
        save(tmp_path / "x.safetensors", PLAIN, TABLE, rng=0, part=part)
    assert os.listdir(tmp_path) == []


def test_part_needs_a_key(tmp_path):
    with pytest.raises(ValueError, match="every part needs the same key"):
        save(tmp_path / "x.safetensors", PLAIN, TABLE, part=(0, 2))


@pytest.mark.parametrize(
    ("variables", "part"),
    [
        ({"RANK": "3", "WORLD_SIZE": "16", "SLURM_PROCID": "0", "SLURM_NTASKS": "2"}, (3, 16)),
        ({"SLURM_PROCID": "5", "SLURM_NTASKS": "8"}, (5, 8)),
        ({"OMPI_COMM_WORLD_RANK": "0", "OMPI_COMM_WORLD_SIZE": "1"}, (0, 1)),
    ],
)
def test_auto(variables, part):
    assert shares.part_of("auto", variables) == part


@pytest.mark.parametrize(
    ("variables", "text"),
    [
        ({}, "none of them is set"),
        ({"RANK": "3"}, "no two numbers: RANK=3, WORLD_SIZE=None"),
        ({"RANK": "x", "WORLD_SIZE": "2"}, "no two numbers"),
        ({"RANK": "2", "WORLD_SIZE": "2"}, "counted from 0 to 1"),
    ],
)
def test_auto_refused(variables, text):
    with pytest.raises(ValueError, match=text):
        shares.part_of("auto", variables)


def test_auto_reads_the_environment(tmp_path, monkeypatch):
    path = tmp_path / "x.safetensors"
    monkeypatch.setenv("WORLD_SIZE", "2")
    for k in range(2):
        monkeypatch.setenv("RANK", str(k))
        saved = save(path, PLAIN, TABLE, rng=0, part="auto")
    assert saved.finished


# Processes ----------------------------------------------------------------------------------------

PART = """
import sys
from weightinit_fast.models.files import save
from weightinit_fast.models.recipe import Recipe
path, k, n = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
shapes = {"table": (1000, 300), "more": (777,), "last": (200_000,)}
save(path, Recipe({"*": "normal(std=0.02)"}), shapes, rng=0, part=(k, n))
"""


@forks
@pytest.mark.process
@pytest.mark.parametrize("n", [1, 3, 16])
def test_forked_processes_at_once(tmp_path, n):
    save(tmp_path / "whole.safetensors", PLAIN, TABLE, rng=0)
    path = tmp_path / "x.safetensors"
    children = []
    for k in range(n):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                save(path, PLAIN, TABLE, rng=0, part=(k, n))
                code = 0
            finally:
                os._exit(code)
        children.append(child)
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0] * n
    assert path.read_bytes() == (tmp_path / "whole.safetensors").read_bytes()
    assert sorted(os.listdir(tmp_path)) == ["whole.safetensors", "x.safetensors"]


@pytest.mark.process
def test_separate_interpreters_under_a_launcher(tmp_path):
    save(tmp_path / "whole.safetensors", PLAIN, TABLE, rng=0)
    path = tmp_path / "x.safetensors"
    environment = os.environ | {"SKBUILD_EDITABLE_VERBOSE": "0"}
    children = [
        subprocess.Popen([sys.executable, "-c", PART, str(path), str(k), "3"], env=environment)
        for k in range(3)
    ]
    assert [child.wait(60) for child in children] == [0] * 3
    assert path.read_bytes() == (tmp_path / "whole.safetensors").read_bytes()


KILLED = textwrap.dedent(
    """
    import os, sys
    from weightinit_fast.models.files import save
    from weightinit_fast.models.recipe import Recipe
    shapes = {"table": (1000, 5000), "last": (2_000_000,)}
    path, target, k, n = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    os.write(1, b"go")
    while True:
        part = (k, n) if n else None
        save(path, Recipe({"*": "normal(std=0.02)"}), shapes, rng=0, part=part, force=not n)
        if n:
            break
    """
)


def found_in(folder, *others):
    """Return what is in a folder, without the names that begin with one of the others."""
    found = contents_of(folder).items()
    return {name: content for name, content in found if not name.startswith(others)}


def killed_again_and_again(folder, target, kills, seed):
    """Kill whole saves and parts at random moments; the files are always whole, and the same."""
    shapes = {"table": (1000, 5000), "last": (2_000_000,)}
    pauses = random.Random(seed)
    path = folder / target
    (folder / "right").mkdir()
    save(folder / "right" / target, PLAIN, shapes, rng=0)
    expected = contents_of(folder / "right")
    environment = os.environ | {"SKBUILD_EDITABLE_VERBOSE": "0"}

    def start(k, n):
        command = [sys.executable, "-c", KILLED, str(path), target, str(k), str(n)]
        child = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)
        assert child.stdout.read(2) == b"go"
        child.stdout.close()
        return child

    for n in (0, 3):
        for turn in range(kills):
            child = start(turn % 3, n)
            time.sleep(pauses.random() * 0.05)
            child.send_signal(signal.SIGKILL)
            child.wait()
            if path.exists():
                # A folder that exists is replaced file by file, and `finish` completes that.
                if (folder / f".{target}.saving" / "moving").exists():
                    finish(path)
                assert found_in(folder, "right", ".") == expected
                if n:
                    break
        if not n:
            save(path, PLAIN, shapes, rng=0, force=True)
            assert not (folder / f".{target}.saving").exists()
        else:
            for k in range(n):
                if not path.exists():
                    save(path, PLAIN, shapes, rng=0, part=(k, n))
            if (folder / f".{target}.saving").exists():  # killed after the files had their names
                finish(path)
        # A process that is killed while it makes the staging folder leaves a folder in the making.
        assert found_in(folder, "right", f".{target}.saving.") == expected
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


@pytest.mark.process
def test_killed_and_started_again(tmp_path):
    killed_again_and_again(tmp_path, "x.safetensors", 3, seed=0)


@pytest.mark.process
@pytest.mark.slow
@pytest.mark.parametrize("target", ["x.safetensors", "shards", "arrays.npy"])
def test_killed_many_times(tmp_path, target):
    killed_again_and_again(tmp_path, target, 40, seed=1)
