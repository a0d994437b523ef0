"""docs/torch.md: the sessions print what they say, the scripts run, and the picture is this one."""

import doctest
import hashlib
import os
import re
import subprocess
import sys

import pytest
from signal_nets import adapter, torch
from signal_nets import one_thread as one_thread  # noqa: PLC0414  a fixture
from support import DOCS, HANG_SECONDS, modules_of

import weightinit_fast as wi

SLOW = pytest.mark.slow

if not DOCS.is_dir():
    pytest.skip("no docs/ beside these tests", allow_module_level=True)

TEXT = (DOCS / "torch.md").read_text(encoding="utf-8")
#: Blocks of Python that are no sessions.
BLOCKS = re.findall(r"^```python\n(.*?)^```", TEXT, re.S | re.M)
#: What the parts of a script need that the page shows as they would stand in a program.
SETTING = """
import tempfile, torch
import torch.distributed as dist
import weightinit_fast as wi, weightinit_fast.torch
from torch.distributed.fsdp import FullyShardedDataParallel
store = dist.FileStore(tempfile.mktemp(), 1)
dist.init_process_group("gloo", store=store, rank=0, world_size=1)
class Model(torch.nn.Sequential):
    def init_weights(self):
        for layer in self:
            torch.nn.init.trunc_normal_(layer.weight, std=0.02)
            torch.nn.init.zeros_(layer.bias)
with torch.device("meta"):
    model = Model(torch.nn.Linear(8, 16), torch.nn.Linear(16, 4))
recipe = {"*.bias": "zeros", "*": "truncated_normal(std=0.02, lower=-100, upper=100)"}
"""
RESULT = """
same = wi.truncated_normal(
    (16, 8), std=0.02, lower=-100, upper=100, rng=0, stream="0.weight"
)
found = [p for p in model.parameters()][0].detach().flatten()[:128].numpy()
print(bool((found == same.ravel()).all()))
dist.destroy_process_group()
"""


def block_with(text):
    (block,) = (block for block in BLOCKS if text in block)
    return block


def test_sessions(tmp_path, monkeypatch):
    """All sessions are one program, in which the block about torchrec is defined as well."""
    assert adapter.signal  # skips where torch is not installed
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(block_with("def init_fn_of"), names)
    source = re.sub(r"^```.*$", "", TEXT, flags=re.MULTILINE)  # a fence is not part of the output
    test = doctest.DocTestParser().get_doctest(source, names, "torch.md", "torch.md", 0)
    assert len(test.examples) > 30
    assert doctest.DocTestRunner().run(test).failed == 0
    assert list(tmp_path.iterdir()) == []


def run(*arguments, cwd):
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def alone():
    """Return the digest that one process finds, of a module and not of shards."""
    script = block_with("def main():")
    names = {"__name__": "part"}
    exec(script, names)
    model, recipe = names["build"](), wi.Recipe(names["RECIPE"], let={"layers": 4})
    adapter.materialize(model, recipe, rng=0)
    digest = hashlib.sha256()
    for name, parameter in model.named_parameters():
        digest.update(name.encode() + parameter.detach().numpy().tobytes())
    return digest.hexdigest()


@pytest.mark.process
@pytest.mark.parametrize("count", [2, pytest.param(1, marks=SLOW), pytest.param(4, marks=SLOW)])
def test_shards_of_any_number_of_processes(tmp_path, alone, count):
    """The script prints the digest of the whole model, with any number of processes."""
    (tmp_path / "shards.py").write_text(block_with("def main():"), encoding="utf-8")
    start = ("-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}")
    assert run(*start, "shards.py", cwd=tmp_path) == f"{alone}\n"


@pytest.mark.process
@pytest.mark.parametrize("text", ["model.init_weights()", "param_init_fn"])
def test_parts_of_scripts(tmp_path, text):
    assert torch.distributed.is_available()
    (tmp_path / "part.py").write_text(SETTING + block_with(text) + RESULT, encoding="utf-8")
    assert run("part.py", cwd=tmp_path) == "True\n"


def test_every_block_is_run():
    assert len(BLOCKS) == 4


def test_the_snippet_of_the_front_page():
    text = (DOCS / "index.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.S | re.M)
    (snippet,) = (block for block in blocks if "torch" in block)
    names = {}
    exec(snippet, names)
    again = {}
    exec(snippet, again)
    assert (names["net"].weight == again["net"].weight).all()
    assert abs(float(names["net"].weight.detach().abs().max()) - 784**-0.5) < 1e-5


# The picture --------------------------------------------------------------------------------------


@pytest.fixture
def drawing(one_thread):
    with modules_of(DOCS, ("signal_picture",)) as modules:
        module = modules["signal_picture"]
        yield module, module.reports()


def test_the_picture_is_that_of_the_script(drawing):
    """Its texts are equal, and its numbers within what another BLAS changes."""
    module, reports = drawing
    kept = (DOCS / "_static" / "torch" / "signal.svg").read_text(encoding="utf-8")
    drawn = module.picture(reports)
    number = r"[0-9]+\.[0-9]+"
    assert re.sub(number, "", drawn) == re.sub(number, "", kept)
    for one, other in zip(re.findall(number, drawn), re.findall(number, kept), strict=True):
        assert abs(float(one) - float(other)) < 0.25

    # σ = 0.01 falls by 1/(0.01·√(256/2)) a layer, Xavier by √2 a layer, and He stays level.
    wanted = {"N(0, 0.01²)": 1 / (0.01 * 128**0.5), "Xavier": 2**0.5, "He": 1}
    for label, report in reports.items():
        stds = [row.std for row in report.rows if row.kind == "Linear"]
        assert abs((stds[0] / stds[-1]) ** (1 / 29) / wanted[label] - 1) < 0.02


def test_the_titles_that_the_page_links_to_are_there():
    titles = {
        re.sub(r"[^a-z0-9_ -]", "", title.lower()).replace(" ", "-")
        for title in re.findall(r"^#+ (.*)$", TEXT, re.MULTILINE)
    }
    assert set(re.findall(r"\]\(#([^)]*)\)", TEXT)) <= titles
