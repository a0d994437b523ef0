"""Parts in processes that run at once, and in processes that are killed again and again."""

import os
import random
import shutil
import signal
import subprocess
import sys
import textwrap
import time

import pytest
from saved_models import PLAIN, TABLE, contents_of
from support.internals import saving
from support.isolated import forks

save, finish = saving.save, saving.finish


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
