"""save: the values that are in memory otherwise, in files that are whole or not there at all."""

import ctypes
import errno
import os
import resource
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from saved_models import DRAWN, OPTIONS, RECIPE, SHAPES, TARGETS, contents_of, expected, tensors_of
from support import HANG_SECONDS
from support.internals import contents, eager, layout, recipe, saving, space, staging, writer
from support.interpreter import linux_only, run
from support.isolated import forks, isolated

import weightinit_fast as wi

save, Recipe = saving.save, recipe.Recipe
PLAIN = Recipe({"*": "normal(std=0.02)"})
TABLE = {"table": (1000, 300), "more": (777,)}


def options_of(target):
    return OPTIONS.get(target, {})


# Values -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", TARGETS)
def test_every_tensor_has_the_values_of_its_initialiser(tmp_path, target):
    saved = save(tmp_path / target, RECIPE, SHAPES, rng=0, **options_of(target))
    found = tensors_of(saved.files)
    assert found.keys() == set(DRAWN)
    for name in DRAWN:
        assert found[name] == expected(name), name
    assert saved.finished
    assert saved.path == tmp_path / target
    assert saved.nbytes == saved.written == sum(path.stat().st_size for path in saved.files)
    assert os.listdir(tmp_path) == [target]


def test_one_npy(tmp_path):
    shape = (7, 11)
    save(tmp_path / "x.npy", PLAIN, {"w": shape}, rng=0)
    right = wi.normal(shape, std=0.02, rng=0, stream="w")
    assert np.array_equal(np.load(tmp_path / "x.npy"), right)
    save(tmp_path / "b.npy", PLAIN, {"w": (shape, "bfloat16")}, rng=0)
    right = np.empty(shape, np.uint16)
    wi.normal(out=right, dtype="bfloat16", std=0.02, rng=0, stream="w")
    assert np.array_equal(np.load(tmp_path / "b.npy"), right)


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
@pytest.mark.parametrize("direct", [False, True])
@pytest.mark.parametrize("piece", [1 << 16, 1 << 20])
def test_threads_pieces_and_direct_writes_change_nothing(
    tmp_path, monkeypatch, threads, direct, piece
):
    save(tmp_path / "right.safetensors", RECIPE, SHAPES, rng=0, threads=1)
    monkeypatch.setattr(writer, "PIECE_BYTES", piece)
    monkeypatch.setattr(writer, "DIRECT_BYTES", 0 if direct else 1 << 60)
    monkeypatch.setattr(writer, "in_memory", lambda _: False)
    with eager():
        save(tmp_path / "x.safetensors", RECIPE, SHAPES, rng=0, threads=threads)
    assert (tmp_path / "x.safetensors").read_bytes() == (
        tmp_path / "right.safetensors"
    ).read_bytes()


def test_file_system_that_takes_no_direct_writes(tmp_path, monkeypatch):
    """One that refuses them when a file is opened, and one that does so at the first write."""
    save(tmp_path / "right.safetensors", PLAIN, TABLE, rng=0)
    right = (tmp_path / "right.safetensors").read_bytes()
    monkeypatch.setattr(writer, "DIRECT_BYTES", 0)
    monkeypatch.setattr(writer, "in_memory", lambda _: False)
    pwrite = os.pwrite
    direct = []

    def refusing(descriptor, data, offset):
        if descriptor in direct:
            raise OSError(errno.EINVAL, "no direct write")
        return pwrite(descriptor, data, offset)

    def plain_descriptor(path):
        direct.append(os.open(path, os.O_WRONLY))
        return direct[-1]

    with monkeypatch.context() as patch:
        patch.setattr(writer, "direct_descriptor", plain_descriptor)
        patch.setattr(os, "pwrite", refusing)
        save(tmp_path / "x.safetensors", PLAIN, TABLE, rng=0)
    assert direct
    assert (tmp_path / "x.safetensors").read_bytes() == right
    monkeypatch.setattr(writer, "direct_descriptor", lambda path: None)
    save(tmp_path / "y.safetensors", PLAIN, TABLE, rng=0)
    assert (tmp_path / "y.safetensors").read_bytes() == right


def test_short_writes_go_on(tmp_path, monkeypatch):
    save(tmp_path / "right.safetensors", PLAIN, TABLE, rng=0)
    pwrite = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, offset: pwrite(fd, data[:4099], offset))
    save(tmp_path / "x.safetensors", PLAIN, TABLE, rng=0)
    assert (tmp_path / "x.safetensors").read_bytes() == (
        tmp_path / "right.safetensors"
    ).read_bytes()


def test_rng(tmp_path):
    for name, rng in (("a", None), ("b", None), ("c", 5), ("d", wi.key(5)), ("e", 5)):
        save(tmp_path / f"{name}.npy", PLAIN, {"w": 100}, rng=rng)
    files = contents_of(tmp_path)
    assert files["c.npy"] == files["d.npy"] == files["e.npy"]
    assert len(set(files.values())) == 3


def test_progress_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "PIECE_BYTES", 1 << 16)
    told = []
    here = threading.get_ident()

    def tell(done, total):
        assert threading.get_ident() == here
        told.append((done, total))

    saved = save(tmp_path / "x.safetensors", PLAIN, TABLE, rng=0, threads=3, progress=tell)
    assert told[-1] == (saved.nbytes, saved.nbytes)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert {total for _, total in told} == {saved.nbytes}


def test_progress_in_a_pipe_is_nothing(tmp_path, capfd):
    save(tmp_path / "x.safetensors", PLAIN, TABLE, rng=0, progress=True)
    assert capfd.readouterr() == ("", "")


def test_permissions_are_the_usual_ones(tmp_path):
    former = os.umask(0o027)
    try:
        save(tmp_path / "x.safetensors", PLAIN, TABLE, rng=0)
        save(tmp_path / "x", PLAIN, TABLE, rng=0)
    finally:
        os.umask(former)
    for path, mode in (("x.safetensors", 0o640), ("x", 0o750), ("x/model.safetensors", 0o640)):
        assert stat.S_IMODE((tmp_path / path).stat().st_mode) == mode


# Targets that exist -------------------------------------------------------------------------------


@pytest.mark.parametrize("part", [None, (0, 2)])
@pytest.mark.parametrize("target", TARGETS)
def test_existing_target_stays(tmp_path, target, part):
    save(tmp_path / target, RECIPE, SHAPES, rng=0, **options_of(target))
    before = contents_of(tmp_path)
    with pytest.raises(FileExistsError, match="force=True"):
        save(tmp_path / target, RECIPE, SHAPES, rng=1, part=part, **options_of(target))
    assert contents_of(tmp_path) == before
    assert os.listdir(tmp_path) == [target]


@pytest.mark.parametrize("target", TARGETS)
def test_force_replaces(tmp_path, target):
    save(tmp_path / target, RECIPE, SHAPES, rng=0, **options_of(target))
    save(tmp_path / target, RECIPE, SHAPES, rng=1, force=True, **options_of(target))
    (tmp_path / "right").mkdir()
    save(tmp_path / "right" / target, RECIPE, SHAPES, rng=1, **options_of(target))
    right = contents_of(tmp_path / "right")
    shutil.rmtree(tmp_path / "right")
    assert contents_of(tmp_path) == right


def test_folder_keeps_its_other_files(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    save(folder, RECIPE, SHAPES, rng=0, max_shard_bytes=30_000)
    assert len(os.listdir(folder)) > 4
    save(folder, RECIPE, SHAPES, rng=0, force=True)  # one shard instead of several
    assert sorted(os.listdir(folder)) == ["config.json", "model.safetensors"]
    save(folder, RECIPE, SHAPES, rng=0, max_shard_bytes=30_000, force=True)
    assert (folder / "config.json").read_text() == "{}"
    assert not (folder / "model.safetensors").exists()
    found = tensors_of(folder.glob("*.safetensors"))
    assert all(found[name] == expected(name) for name in DRAWN)


def test_targets_of_another_kind(tmp_path):
    (tmp_path / "x.safetensors").mkdir()
    (tmp_path / "x").touch()
    for force in (False, True):
        with pytest.raises(IsADirectoryError):
            save(tmp_path / "x.safetensors", PLAIN, TABLE, rng=0, force=force)
        with pytest.raises(FileExistsError, match="no folder"):
            save(tmp_path / "x", PLAIN, TABLE, rng=0, force=force)
    assert sorted(os.listdir(tmp_path)) == ["x", "x.safetensors"]


def test_link_is_replaced_and_not_what_it_leads_to(tmp_path):
    (tmp_path / "kept").write_text("kept")
    (tmp_path / "x.safetensors").symlink_to("kept")
    (tmp_path / "y.safetensors").symlink_to("nothing")
    for name in ("x.safetensors", "y.safetensors"):
        with pytest.raises(FileExistsError):
            save(tmp_path / name, PLAIN, TABLE, rng=0)
        save(tmp_path / name, PLAIN, TABLE, rng=0, force=True)
        assert not (tmp_path / name).is_symlink()
    assert (tmp_path / "kept").read_text() == "kept"


def test_target_that_comes_into_being_meanwhile(tmp_path):
    path = tmp_path / "x.safetensors"

    def make(*_):
        path.write_text("another program's")

    with pytest.raises(FileExistsError):
        save(path, PLAIN, TABLE, rng=0, progress=make)
    assert contents_of(tmp_path) == {"x.safetensors": b"another program's"}


def test_what_a_crash_left_behind(tmp_path, monkeypatch):
    """A whole save cleans up, whatever model the crashed one wrote."""
    path = tmp_path / "x.safetensors"
    for seed in (0, 1):
        with monkeypatch.context() as patch:
            patch.setattr(saving, "mark", lambda *_: os.abort)
            patch.setattr(saving, "what_is_missing", lambda _: "all")
            patch.setattr(staging.Staging, "is_finished", lambda _: False)
            assert not save(path, PLAIN, TABLE, rng=0).finished
        save(path, PLAIN, TABLE, rng=seed)
        assert os.listdir(tmp_path) == ["x.safetensors"]
        path.unlink()


def test_folder_without_a_plan(tmp_path):
    """What is left if a process is killed while it deletes the folder."""
    (tmp_path / ".x.safetensors.saving").mkdir()
    (tmp_path / ".x.safetensors.saving/lock").touch()
    save(tmp_path / "x.safetensors", PLAIN, TABLE, rng=0)
    assert os.listdir(tmp_path) == ["x.safetensors"]


def test_another_save_at_work_is_left_alone(tmp_path):
    path = tmp_path / "x.safetensors"
    refused = []

    def disturb(*_):
        if not refused:
            with pytest.raises(FileExistsError) as caught:
                save(path, PLAIN, TABLE, rng=1)
            refused.append(str(caught.value))

    save(path, PLAIN, TABLE, rng=0, progress=disturb)
    assert "another process is writing 'x.safetensors' in " in refused[0]
    assert "with another key: wait" in refused[0]
    save(tmp_path / "y.safetensors", PLAIN, TABLE, rng=0)
    assert path.read_bytes() == (tmp_path / "y.safetensors").read_bytes()


# What cannot be written ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "options", "error", "text"),
    [
        ("no/x.safetensors", {}, FileNotFoundError, "does not exist"),
        ("..", {}, ValueError, "names neither a file nor a folder"),
        ("", {}, ValueError, "names neither a file nor a folder"),
        ("x.pt", {}, ValueError, "no format has the suffix"),
        ("x.safetensors", {"dtype": "int8"}, TypeError, "dtype must be one of"),
        ("x.safetensors", {"rng": -1}, ValueError, "not a seed"),
        ("x.safetensors", {"threads": 0}, ValueError, "threads must be"),
        ("x.safetensors", {"progress": 3}, TypeError, "progress must be"),
        ("x.safetensors", {"shapes": {"a": (-1,)}}, ValueError, "negative length"),
        ("x.safetensors", {"shapes": {}}, ValueError, "no tensor"),
        ("x.safetensors", {"recipe": Recipe({"m*": "ones"})}, ValueError, "table"),
        ("x.safetensors", {"recipe": Recipe({"*": "he_normal"})}, ValueError, "more"),
        (
            "x.safetensors",
            {"recipe": Recipe({"*": "truncated_normal(lower=30.0, upper=31.0)"})},
            ValueError,
            "more: the interval",
        ),
    ],
)
def test_refused_before_anything_is_written(tmp_path, monkeypatch, path, options, error, text):
    monkeypatch.chdir(tmp_path)
    arguments = {"recipe": PLAIN, "shapes": TABLE, "rng": 0} | options
    with pytest.raises(error) as caught:
        save(path, **arguments)
    assert text in str(caught.value)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("reserved", [True, False])
def test_full_disk_is_told_at_once(tmp_path, monkeypatch, reserved):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(writer, "in_memory", lambda _: not reserved)
    monkeypatch.setattr(writer, "reserve" if reserved else "require_free", full)
    monkeypatch.setattr(writer, "_write", lambda *_: pytest.fail("something was drawn"))
    with pytest.raises(OSError, match=r"No space left .* 1,203,284 bytes are to be written.* free"):
        save(tmp_path / "x.safetensors", PLAIN, TABLE, rng=0)
    assert os.listdir(tmp_path) == []


def test_nothing_is_reserved_of_a_disk_that_is_too_small(tmp_path, monkeypatch):
    """A reservation may fill a disk before it fails, and others would find it full meanwhile."""
    monkeypatch.setattr(writer, "in_memory", lambda _: False)
    monkeypatch.setattr(writer, "reserve", lambda *_: pytest.fail("something was reserved"))
    nbytes = space.free_bytes(str(tmp_path)) + (1 << 40)
    with pytest.raises(OSError, match="bytes are to be written"):
        save(tmp_path / "x.zarr", PLAIN, {"w": (nbytes // 4,)}, rng=0, max_shard_bytes=1 << 36)
    assert os.listdir(tmp_path) == []


def test_free_space_is_that_before_a_reservation_took_it(tmp_path, monkeypatch):
    free = [1_000_000]

    def reserve(*_):
        free[0] = 0
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(writer, "in_memory", lambda _: False)
    monkeypatch.setattr(writer, "free_bytes", lambda _: free[0])
    monkeypatch.setattr(writer, "reserve", reserve)
    for target in ("x.safetensors", "x.zarr"):
        free[0] = 1_000_000
        with pytest.raises(OSError, match=r"written; the disk has 1,000,000 bytes free: use anoth"):
            save(tmp_path / target, PLAIN, TABLE, rng=0)
    free[0] = 2_000_000
    with pytest.raises(OSError, match=r"had 2,000,000 bytes free at the beginning, but it is full"):
        save(tmp_path / "x.safetensors", PLAIN, TABLE, rng=0)
    assert os.listdir(tmp_path) == []


def test_space_that_a_crash_left_reserved_is_not_asked_for_again(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(writer, "in_memory", lambda _: False)
    monkeypatch.setattr(writer, "require_free", lambda _, nbytes: asked.append(nbytes))
    made = layout.layout_of(tmp_path / "x.npy", {"w": ((1 << 20,), None)})
    of_file = contents.Contents(made, PLAIN.plan({"w": 1 << 20}), wi.key(0))
    for _ in range(2):
        writer._make_files(of_file, [writer.Range(0, 0, made.nbytes)], [str(tmp_path / "x.npy")])
    if len(asked) > 2:
        pytest.skip("this file system reserves nothing")
    assert asked == [made.nbytes, 0]


def test_file_system_that_tells_no_holes(tmp_path, monkeypatch):
    """It calls all of a new file data, but that file has no blocks yet."""
    monkeypatch.setattr(writer, "allocated", lambda _, begin, end: end - begin)
    monkeypatch.setattr(writer, "in_memory", lambda _: True)
    asked = []
    monkeypatch.setattr(writer, "require_free", lambda _, nbytes: asked.append(nbytes))
    saved = save(tmp_path / "x.safetensors", PLAIN, TABLE, rng=0)
    assert asked == [saved.nbytes] * 2


def test_more_than_any_disk(tmp_path):
    with pytest.raises(OSError, match="bytes are to be written"):
        save(tmp_path / "x.safetensors", PLAIN, {"w": (2**51,)}, rng=0)
    assert os.listdir(tmp_path) == []


def test_disk_that_fills_up_meanwhile(tmp_path, monkeypatch):
    pwrite = os.pwrite
    left = [300_000]

    def filling(descriptor, data, offset):
        if left[0] <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        left[0] -= len(data)
        return pwrite(descriptor, data, offset)

    monkeypatch.setattr(writer, "PIECE_BYTES", 1 << 16)
    monkeypatch.setattr(os, "pwrite", filling)
    with eager(), pytest.raises(OSError, match="No space left"):
        save(tmp_path / "x.safetensors", PLAIN, TABLE, rng=0, threads=3)
    assert os.listdir(tmp_path) == []


def test_free_space():
    space.require_free(os.curdir, 1)
    with pytest.raises(OSError, match="No space"):
        space.require_free(os.curdir, 1 << 62)


@linux_only
def test_reserved_and_allocated(tmp_path):
    descriptor = os.open(tmp_path / "x", os.O_RDWR | os.O_CREAT)
    try:
        os.ftruncate(descriptor, 1 << 20)
        assert space.allocated(descriptor, 0, 1 << 20) == 0
        os.pwrite(descriptor, bytes(8192), 1 << 16)
        assert space.allocated(descriptor, 0, 1 << 20) >= 8192
        assert space.allocated(descriptor, 1 << 16, (1 << 16) + 4096) == 4096
        if space.reserve(descriptor, 0, 1 << 20):
            assert os.fstat(descriptor).st_blocks * 512 >= 1 << 20
        assert os.fstat(descriptor).st_size == 1 << 20
    finally:
        os.close(descriptor)


def test_a_signal_does_not_end_the_reservation(tmp_path, monkeypatch):
    """Python calls the C function again by itself in `os`, but not in ctypes."""
    answers = [errno.EINTR, errno.EINTR, 0]

    def interrupted(*_):
        ctypes.set_errno(answers.pop(0))
        return -1 if answers else 0

    monkeypatch.setattr(space, "_library", lambda: (interrupted, None))
    with open(tmp_path / "x", "wb") as file:
        assert space.reserve(file.fileno(), 0, 4096)
    assert answers == []


@forks
@pytest.mark.process
def test_limit_of_file_size(tmp_path):
    def limited():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
        with pytest.raises(OSError, match=r"File too large: 1,203,284 bytes are to be written"):
            save(tmp_path / "x.safetensors", PLAIN, TABLE, rng=0)

    isolated(limited)
    assert os.listdir(tmp_path) == []


@forks
@linux_only
@pytest.mark.process
def test_small_disk(tmp_path):
    """A tmpfs of 1 MB; where this user may mount none, the test has nothing to say."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    mounted = shutil.which("mount") and subprocess.run(command, check=False, capture_output=True)
    if not mounted or mounted.returncode:
        pytest.skip("no tmpfs can be mounted")
    try:
        with pytest.raises(
            OSError, match=r"1,203,284 bytes are to be written.* [0-9,]+ bytes free"
        ):
            save(disk / "x.safetensors", PLAIN, TABLE, rng=0)
        assert os.listdir(disk) == []
        save(disk / "x.safetensors", PLAIN, {"w": (1000,)}, rng=0)
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@forks
@pytest.mark.process
def test_read_only_folder():
    # Of a temporary folder of pytest, others may not enter the folders above it.
    with tempfile.TemporaryDirectory() as name:
        above = Path(name)
        above.chmod(0o755)
        folder = above / "folder"
        folder.mkdir()
        folder.chmod(0o555)
        refused_as_nobody(folder)
        assert os.listdir(folder) == []


def refused_as_nobody(folder):
    def as_nobody():
        if os.geteuid() == 0:
            os.seteuid(65534)
        with pytest.raises(
            PermissionError, match=r"no permission to write in the folder '.*folder'"
        ):
            save(folder / "x.safetensors", PLAIN, TABLE, rng=0)

    isolated(as_nobody)


def test_interrupt_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "PIECE_BYTES", 1 << 16)

    def interrupt(done, total):
        raise KeyboardInterrupt

    before = threading.active_count()
    with eager(), pytest.raises(KeyboardInterrupt):
        save(tmp_path / "x.safetensors", PLAIN, TABLE, rng=0, threads=3, progress=interrupt)
    assert os.listdir(tmp_path) == []
    assert threading.active_count() == before


def test_second_interrupt_waits_for_the_threads(tmp_path, monkeypatch):
    """A thread that ran on would write into a file that is closed, or into another one."""
    monkeypatch.setattr(writer, "PIECE_BYTES", 1 << 16)
    pwrite, join, joins = os.pwrite, threading.Thread.join, []

    def slow(*args):
        time.sleep(0.1)
        return pwrite(*args)

    def interrupted(thread, *args):
        joins.append(thread)
        if len(joins) < 3:
            raise KeyboardInterrupt
        join(thread, *args)

    def interrupt(done, total):
        raise KeyboardInterrupt

    before = threading.active_count()
    with monkeypatch.context() as patch, eager():
        patch.setattr(os, "pwrite", slow)
        patch.setattr(threading.Thread, "join", interrupted)
        with pytest.raises(KeyboardInterrupt):
            save(tmp_path / "x.safetensors", PLAIN, TABLE, rng=0, threads=3, progress=interrupt)
        assert threading.active_count() == before
    assert os.listdir(tmp_path) == []


@pytest.mark.process
def test_control_c(tmp_path):
    script = """
        import signal, sys, time
        from weightinit_fast.models.files import save
        from weightinit_fast.models.recipe import Recipe
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it
        def tell(done, total):
            if done * 10 > total:
                print("go", flush=True)
                time.sleep(60)  # the signal ends it; the other thread goes on meanwhile
        recipe = Recipe({"*": "normal"})
        save(sys.argv[1], recipe, {"w": (10**8,)}, rng=0, threads=2, progress=tell)
    """
    command = [sys.executable, "-c", textwrap.dedent(script), str(tmp_path / "x.safetensors")]
    environment = os.environ | {"SKBUILD_EDITABLE_VERBOSE": "0"}
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": environment}
    with subprocess.Popen(command, **options) as child:
        assert child.stdout.readline() == b"go\n"
        child.send_signal(signal.SIGINT)
        _, errors = child.communicate(timeout=HANG_SECONDS)
    assert b"KeyboardInterrupt" in errors
    assert child.returncode == -signal.SIGINT
    assert os.listdir(tmp_path) == []


@linux_only
@pytest.mark.process
@pytest.mark.slow
def test_memory_does_not_grow_with_the_model(tmp_path):
    script = """
        import resource
        from weightinit_fast.models.files import save
        from weightinit_fast.models.recipe import Recipe
        recipe = Recipe({"*.bias": "zeros", "*": "normal(std=0.02)"})
        def peak():
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        shapes = {f"{k}.{what}": (1000, 100_000) for k in range(10) for what in ("weight", "bias")}
        before = peak()
        save("PATH", recipe, shapes, rng=0, dtype="bfloat16", threads=8, max_shard_bytes=10**9)
        print((peak() - before) // 1024)
    """
    mebibytes = int(run(script.replace("PATH", str(tmp_path / "model")), prelude=""))
    shutil.rmtree(tmp_path / "model")
    assert mebibytes < 64


@pytest.mark.parametrize("direct", [False, True])
@pytest.mark.parametrize("threads", [1, 2, 16, 17, 32, 100, 10_000])
def test_buffers_are_bounded_for_any_number_of_threads(threads, direct):
    workers, piece = writer._workers_and_piece(threads, direct)
    assert workers * piece <= writer.BUFFER_BYTES
    assert piece >= 1 << 16
    assert piece % writer.DIRECT_BLOCK == 0


def test_seconds(tmp_path):
    begun = time.perf_counter()
    saved = save(tmp_path / "x.safetensors", PLAIN, TABLE, rng=0)
    assert 0 < saved.seconds <= time.perf_counter() - begun


# Rules that take nothing --------------------------------------------------------------------------


def test_what_may_be_misspelt_is_warned_about(tmp_path):
    made = Recipe(
        [("*.outt.weight", "zeros"), ("*", "he_normal")], same_as={"head.weigth": "emb.weight"}
    )
    shapes = {"emb.weight": (5, 4), "head.weight": (5, 4), "a.out.weight": (3, 3)}
    with pytest.warns(UserWarning, match="takes no tensor|is tied to") as warned:
        assert save(tmp_path / "x.npy", made, shapes, rng=0).finished
    texts = [str(warning.message) for warning in warned]
    assert texts == [
        "the pattern *.outt.weight of the recipe takes no tensor",
        "head.weigth, which is tied to emb.weight, is not among the tensors; did you mean "
        "'head.weight'?",
    ]
    assert {warning.filename for warning in warned} == {__file__}
    save(tmp_path / "y.npy", made, shapes, rng=0, part=(1, 2))  # part 0 warns
    with pytest.warns(UserWarning, match="takes no tensor|is tied to"):
        save(tmp_path / "y.npy", made, shapes, rng=0, part=(0, 2))
