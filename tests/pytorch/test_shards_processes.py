"""One model over 1 to 8 real processes, sharded in every way: one digest for all of them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support.frameworks import Framework, load_frameworks

torch = Framework("torch")

SCRIPT = Path(__file__).parent / "shard_processes.py"


@pytest.fixture(autouse=True, scope="module")
def _frameworks(request):
    load_frameworks(request.module)


@pytest.mark.process
@pytest.mark.parametrize(
    "world", [2, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 3, 4, 8))]
)
def test_one_digest_for_every_number_of_processes(world, tmp_path, monkeypatch):
    if not torch.distributed.is_gloo_available():
        pytest.skip("this torch has no gloo")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(world)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    expected, digests = found.pop("expected"), found.pop(str(world))
    assert found == {}
    assert len(digests) >= 8
    assert digests == dict.fromkeys(digests, expected)
