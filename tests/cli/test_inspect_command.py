"""``python -m weightinit_fast inspect`` and ``explain``: what a file holds, and what should."""

from __future__ import annotations

import json
import os
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
        assert "std off" in out
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


def test_the_page_replaces_no_foreign_file(model, tmp_path, capsys):
    page = tmp_path / "report.html"
    page.write_text("mine")
    assert main("inspect", model, "--html", page) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "is not a page of this package: pass --force to replace it" in err
    assert page.read_text() == "mine"
    assert main("inspect", model, "--html", page, "--force") == 1
    assert main("inspect", model, "--html", page) == 1  # a page of ours is replaced
    weights = model.rename(tmp_path / "model.html.npz")
    os.link(weights, tmp_path / "weights.html")
    before = weights.read_bytes()
    assert main("inspect", weights, "--html", tmp_path / "weights.html", "--force") == 2
    assert "is the file that was inspected" in capsys.readouterr().err
    assert weights.read_bytes() == before


def test_all_columns_are_a_choice(model, capsys):
    main("inspect", model, "--recipe", "he_normal")
    out = capsys.readouterr().out
    assert max(map(len, out.partition("\n\n")[0].splitlines())) <= 80
    assert "(--wide shows more columns: " in out
    main("inspect", model, "--recipe", "he_normal", "--wide")
    assert "max/std" in capsys.readouterr().out.splitlines()[0]


def test_json_says_which_findings_are_notes(tmp_path, capsys):
    np.savez(tmp_path / "m.npz", a=np.ones((3, 3), np.float32), b=np.ones(3, np.float32))
    main("inspect", tmp_path / "m.npz", "--recipe", "he_normal", "--json")
    findings = json.loads(capsys.readouterr().out)["findings"]
    assert {finding["kind"]: finding["note"] for finding in findings} == {
        "constant": False,
        "no law": True,
    }


def test_colours(model, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert main("inspect", model) == 1
    assert "\x1b[1;31mWhat looks wrong (2):\x1b[0m\n" in capsys.readouterr().out


def test_bits_of_bfloat16(tmp_path, capsys):
    """What init writes into a .npy file, inspect shows as it was meant."""
    path, sizes = tmp_path / "e.npy", ["embedding", "--set", "rows=100", "--set", "width=40"]
    assert main("init", *sizes, "--dtype", "bfloat16", "-o", path) == 0
    capsys.readouterr()
    assert main("inspect", path) == 0
    out = capsys.readouterr().out
    assert "uint16" in out
    assert "look like the bits of bfloat16 (--dtype can say so) in 1 tensor: e\n" in out
    for arguments in ([], sizes):
        assert main("inspect", path, *arguments, "--dtype", "bfloat16", "--json") == 0
        report = json.loads(capsys.readouterr().out)
        assert report["findings"] == []
        assert report["tensors"][0]["dtype"] == "bfloat16"
    assert main("inspect", path, *sizes) == 0


@pytest.fixture
def checkpoint(tmp_path):
    """Return a file as torch saves one: with a counter, which is never drawn."""
    path = tmp_path / "torch.npz"
    tensors = {"fc.weight": wi.he_normal((64, 32), rng=0, stream="fc.weight")}
    np.savez(path, **tensors, **{"bn.num_batches_tracked": np.array(7)})
    return path


@pytest.mark.parametrize("command", ["explain", "init", "inspect"])
def test_counters_of_a_checkpoint_are_left_out(command, checkpoint, tmp_path, capsys):
    new = tmp_path / "new.safetensors"
    arguments = {
        "explain": ["explain", checkpoint, "--recipe", "he_normal"],
        "init": ["init", checkpoint, "--recipe", "he_normal", "-o", new],
        "inspect": ["inspect", checkpoint, checkpoint, "--recipe", "he_normal"],
    }[command]
    assert main(*arguments) == 0
    out, err = capsys.readouterr()
    assert err == (
        "note: 1 tensor is left out, since int64 is never drawn: bn.num_batches_tracked\n"
    )
    if command == "inspect":
        assert "Notes" not in out
    if command == "init":
        assert main("verify", new, checkpoint, "--recipe", "he_normal") == 0
        assert main(*arguments, "--force", "--quiet") == 0
        assert capsys.readouterr().err.count("note:") == 1, "that of verify; --quiet has none"


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
    ties = "Tied names that are not among the tensors: lm_head.weight (same as wte.weight)"
    assert out.endswith(f"\n{ties}\n16 tensors, 19,376 parameters\n")
    assert main("explain", *TINY, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["unused_rules"] == []
    assert found["absent_tied_names"] == {"lm_head.weight": "wte.weight"}
    rows = {row["name"]: row for row in found["tensors"]}
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
