"""``python -m weightinit_fast inspect`` and ``explain``: what a file holds, and what should."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from support.command import TINY, main

import weightinit_fast as wi


@pytest.fixture
def model(tmp_path):
    """Return a file with a layer that is as it should be, and one with equal rows and a NaN."""
    good = wi.he_normal((64, 32), rng=0, stream="good")
    bad = wi.he_normal((64, 32), rng=0, stream="bad")
    bad[5] = bad[2]
    bad[9, 9] = np.nan
    path = tmp_path / "model.npz"
    np.savez(path, good=good, bad=bad)
    return path


def test_what_looks_wrong(model, capsys):
    assert main("inspect", model) == 1
    out, err = capsys.readouterr()
    assert err == ""
    assert "What looks wrong (2):" in out
    assert "bad: Rows 2 and 5 are equal" in out
    assert main("inspect", model, "--quiet") == 1
    assert capsys.readouterr() == ("", "")


def test_json(model, capsys):
    assert main("inspect", model, "--json") == 1
    report = json.loads(capsys.readouterr().out)
    assert {finding["tensor"] for finding in report["findings"]} == {"bad"}
    assert [tensor["name"] for tensor in report["tensors"]] == ["good", "bad"]
    assert report["tensors"][1]["nan"] == 1


def test_nothing_wrong(tmp_path, capsys):
    path = tmp_path / "tiny.safetensors"
    assert main("init", *TINY, "-o", path) == 0
    capsys.readouterr()
    assert main("inspect", path) == 0
    assert "wanted" not in capsys.readouterr().out
    for arguments in (TINY, ["--recipe", "gpt2", "--set", "layers=1"]):
        assert main("inspect", path, *arguments) == 0
        out = capsys.readouterr().out
        assert "normal, std 0.02" in out
        assert "Nothing looks wrong." in out


def test_the_recipe_and_the_shapes_count(tmp_path, capsys):
    path = tmp_path / "tiny.safetensors"
    assert main("init", *TINY, "-o", path) == 0
    assert main("inspect", path, "--recipe", "normal(std=0.03)") == 1
    assert main("inspect", path, "resnet18") == 1
    shapes = tmp_path / "shapes.json"
    shapes.write_text('{"wte.weight": [1000, 16], "head": [4, 4]}')
    capsys.readouterr()
    assert main("inspect", path, shapes) == 1
    assert "head: The file does not hold it." in capsys.readouterr().out


def test_page(model, tmp_path, capsys):
    page = tmp_path / "report.html"
    assert main("inspect", model, "--html", page) == 1
    assert f"The page with histograms is {page}\n" in capsys.readouterr().out
    text = page.read_text(encoding="utf-8")
    assert text.lower().startswith("<!doctype html>")
    assert "Rows 2 and 5 are equal" in text


def test_what_was_found_is_told_even_if_the_page_has_no_place(model, tmp_path, capsys):
    assert main("inspect", model, "--html", tmp_path / "no" / "report.html") == 2
    out, err = capsys.readouterr()
    assert "Rows 2 and 5 are equal" in out
    assert "No such file" in err


def test_numbers_of_nothing_are_refused(model, capsys):
    assert main("inspect", model, "--set", "layers=2") == 2
    assert "neither is given" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["none.safetensors", "text.safetensors", "text.txt"])
def test_files_that_are_none(name, tmp_path, capsys):
    path = tmp_path / name
    if name.startswith("text"):
        path.write_text("these are no weights")
    assert main("inspect", path) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert name in err
    assert len(err.splitlines()) == 1


def test_names_do_not_command_the_terminal(tmp_path, capsys):
    path = tmp_path / "model.npz"
    np.savez(path, **{"\x1b[31mred\r": np.ones((2, 2), np.float32)})
    for command in (["inspect", path], ["explain", path, "--recipe", "zeros"]):
        main(*command)
        out = capsys.readouterr().out
        assert "\x1b" not in out
        assert "\r" not in out
        assert "\\x1b[31mred" in out


def test_built_in_models_are_listed(capsys):
    assert main("explain") == 0
    out = capsys.readouterr().out
    assert "gpt2  GPT-2 124M: 124,439,808 parameters in 148 tensors\n  layers=12 width=768" in out
    assert max(map(len, out.splitlines())) <= 100
    assert main("explain", "--json") == 0
    models = {model["name"]: model for model in json.loads(capsys.readouterr().out)}
    assert models["gpt2"]["parameters"] == 124_439_808
    assert models["gpt2"]["sizes"]["layers"] == 12


def test_explain(capsys):
    assert main("explain", *TINY) == 0
    out = capsys.readouterr().out
    assert re.search(r"^h\.0\.mlp\.c_proj\.weight +64 x 16 ", out, re.MULTILINE)
    assert out.endswith("16 tensors, 19,376 parameters\n")
    assert main("explain", *TINY, "--json") == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["wte.weight"] == {
        "name": "wte.weight",
        "shape": [1000, 16],
        "rule": "*wte.weight",
        "same_as": None,
        "initialiser": "normal(std=0.02)",
        "kind": "normal",
        "mean": 0.0,
        "std": 0.02,
        "low": None,
        "high": None,
    }
