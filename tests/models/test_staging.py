"""The staging folder: races and crashes at chosen points, and what is in its place already."""

import os
import pathlib
import shutil
import tempfile
import time

import pytest
from saved_models import PLAIN, TABLE, contents_of
from support.internals import publishing, saving, staging

save, finish = saving.save, saving.finish


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
