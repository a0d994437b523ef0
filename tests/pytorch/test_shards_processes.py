"""One model over 1 to 8 real processes, sharded in every way: one digest for all of them."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.frameworks import Framework

torch = Framework("torch")

FOLDER = Path(__file__).parent


def run_script(name, *arguments, folder):
    """Run a script of this folder; return the JSON of the last line that it printed."""
    environment = os.environ | {"TMPDIR": str(folder)}
    environment.pop("PYTHONSAFEPATH", None)  # the scripts import from their own folder
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(FOLDER / name), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.process
@pytest.mark.parametrize(
    "worlds", ["2", pytest.param("1 3 4 8", marks=pytest.mark.slow)], ids=["2", "1, 3, 4, 8"]
)
def test_one_digest_for_every_number_of_processes(worlds, tmp_path):
    if not torch.distributed.is_gloo_available():
        pytest.skip("this torch has no gloo")
    found = run_script("shard_processes.py", *worlds.split(), folder=tmp_path)
    expected = found.pop("expected")
    assert len(set(expected.values())) == 3
    assert list(found) == worlds.split()
    for digests in found.values():
        assert len(digests) >= 12
        assert digests == {way: expected.get(way, expected["initialise"]) for way in digests}


@pytest.mark.process
@pytest.mark.slow
def test_tables_of_torchrec(tmp_path):
    if importlib.util.find_spec("torchrec") is None:
        pytest.skip("torchrec is not installed")
    first, second = run_script("torchrec_processes.py", folder=tmp_path)
    for way in ("init_fn", "parts_of"):
        assert first[way] == {"rows": [True], "columns": [True, True], "table": []}
        assert second[way] == {"rows": [True], "columns": [True, True], "table": [True]}
    assert first["zeros"] == {"rows": [False], "columns": [False, False], "table": []}
