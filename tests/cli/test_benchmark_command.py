"""``python -m weightinit_fast benchmark``: tables, digests, exit status, plain output."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections import Counter
from typing import Any

import numpy as np
import pytest
from support import internals
from support.command import COMMAND, QUIET, main, run
from support.internals import benchmark, models

import weightinit_fast as wi

TOTALS = {"gpt2": 124_439_808, "resnet50": 25_557_032, "embedding": 128_000_000}
ESCAPE = "\x1b"


@pytest.fixture
def resnet_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep only the smallest model, for tests of what the command prints about it."""
    internals.keep_only_model(monkeypatch, "resnet50")


@pytest.mark.process
def test_json_in_a_pipe() -> None:
    done = run("benchmark", "--json", "--no-numpy")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert ESCAPE not in done.stdout
    document: dict[str, Any] = json.loads(done.stdout)
    info = wi.info()
    for field in ("version", "stream_version", "isa", "threads_wait_by"):
        assert document[field] == info[field]
    assert document["threads"] >= 1

    assert document["models"].keys() == TOTALS.keys()
    for name, model in document["models"].items():
        assert model["parameters"] == TOTALS[name]
        assert model["expected"] == models.SHA256[name]
        assert model["sha256"] == model["expected"]
        assert model["match"] is True
    elements: Counter[str] = Counter()
    for group in document["groups"]:
        elements[group["model"]] += group["elements"]
        assert group["gb_per_s"] > 0
        assert group["numpy_gb_per_s"] is None
        assert group["ratio"] is None
        if group["wanted_std"] == 0:
            assert group["measured_std"] == 0
        else:
            # The std of n normals has a relative error of 1 / sqrt(2n), uniforms have less.
            error = 6 / math.sqrt(2 * group["elements"])
            assert group["measured_over_wanted"] == pytest.approx(1, abs=error)
    assert elements == TOTALS


@pytest.mark.usefixtures("resnet_only")
def test_against_numpy(capsys: pytest.CaptureFixture[str]) -> None:
    """Compare with NumPy for one model; NumPy takes ten seconds for all models."""
    assert main("benchmark", "--json") == 0
    groups = json.loads(capsys.readouterr().out)["groups"]
    assert [group["group"] for group in groups] == ["convolutions", "fc", "norms"]
    for group in groups:
        ratio = group["gb_per_s"] / group["numpy_gb_per_s"]
        assert group["ratio"] == pytest.approx(ratio)


def test_numpy_does_the_same_work() -> None:
    """NumPy's values have the wanted moments too, so that the comparison is fair."""
    for model, parameter in (
        ("gpt2", "h.0.mlp.c_fc.weight"),
        ("embedding", "embedding.weight"),
        ("gpt2", "ln_f.weight"),
    ):
        table = models.model(model)
        init = table.recipe.initializer_for(parameter)
        law = init.law(table.shapes[parameter].shape)
        tensors = [benchmark.Tensor(np.empty(10**6, np.float32), law, init, lambda: None)]
        benchmark._numpy_fill(tensors, np.random.default_rng(0))
        assert benchmark._deviation(tensors) == pytest.approx(1 if law.std else 0, abs=5e-3)
        assert tensors[0].values.mean() == pytest.approx(law.mean, abs=5e-3 * law.std)


@pytest.mark.usefixtures("resnet_only")
def test_text_without_numpy(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    assert main("benchmark", "--no-numpy", "--threads", "1") == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert ESCAPE not in out
    assert "\r" not in out
    head = f"weightinit_fast {wi.info()['version']}, stream version {wi.STREAM_VERSION}, "
    assert out.startswith(head)
    assert "25,557,032 parameters" in out
    digest = models.SHA256["resnet50"]
    assert f"  SHA-256 {digest}\n  as published for stream version 1\n" in out
    assert max(map(len, out.splitlines())) <= 80
    assert "  convolutions: he_normal(mode='fan_out')\n" in out
    assert "  norms: ones, zeros (*" in out


@pytest.mark.usefixtures("resnet_only")
@pytest.mark.parametrize("arguments", [["--no-numpy"], ["--no-numpy", "--json"]])
def test_a_wrong_digest_fails(
    arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    true = models.SHA256["resnet50"]
    false = true[::-1]
    monkeypatch.setitem(models.SHA256, "resnet50", false)
    assert main("benchmark", *arguments) == 1
    out, err = capsys.readouterr()
    assert err == f"resnet50: wanted SHA-256 {false}, got {true}\n"
    if "--json" in arguments:
        model = json.loads(out)["models"]["resnet50"]
        assert (model["sha256"], model["expected"], model["match"]) == (true, false, False)
    else:
        assert "NOT as published" in out


@pytest.mark.usefixtures("resnet_only")
@pytest.mark.parametrize(
    ("variable", "value", "coloured"),
    [("NO_COLOR", "1", False), ("TERM", "dumb", False), ("", "", True)],
)
def test_colour_only_where_wanted(
    variable: str,
    value: str,
    coloured: bool,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    if variable:
        monkeypatch.setenv(variable, value)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert main("benchmark", "--no-numpy") == 0
    assert (ESCAPE in capsys.readouterr().out) is coloured


@pytest.mark.usefixtures("resnet_only")
def test_interrupted(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(wi.Initializer, "__call__", interrupt)
    assert main("benchmark", "--no-numpy", "--json") == 130
    assert "interrupted" in capsys.readouterr().err


@pytest.mark.process
def test_a_reader_that_closes_the_pipe_early() -> None:
    with subprocess.Popen(
        [*COMMAND, "benchmark", "--no-numpy"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=QUIET,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith("weightinit_fast ")
        process.stdout.close()
        complaint = process.stderr.read()
        assert process.wait() == 141
        assert complaint == ""
