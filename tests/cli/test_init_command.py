"""``python -m weightinit_fast init``, ``finish`` and ``verify``: models in files, by command."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from support import HANG_SECONDS
from support.command import QUIET, TINY, main
from support.internals import digests, init_command, models, readers

import weightinit_fast as wi

PARAMETERS = 19_376
#: 0.1 GB, which take long enough to show how far they are.
LARGE = ["embedding", "--set", "rows=200000", "--no-digest"]
#: 2 GB, which take a second or more at the speed of memory, long enough to be interrupted.
HUGE = ["embedding", "--set", "rows=4000000", "--no-digest"]


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def values(path, name):
    """Return a float32 tensor of a file."""
    tensor = readers.read_tensors(path)[name]
    return np.fromfile(tensor.file, "<f4", offset=tensor.begin, count=tensor.nbytes // 4).reshape(
        tensor.shape
    )


def test_a_model_in_a_file(tmp_path, capsys):
    path = tmp_path / "tiny.safetensors"
    assert main("init", *TINY, "-o", path) == 0
    out, err = capsys.readouterr()
    assert err == ""
    model, size, digest, took = out.splitlines()
    assert model == (
        "GPT-2 (layers=1, width=16, heads=2, vocabulary=1000, context=4): 16 tensors, "
        f"{PARAMETERS:,} parameters"
    )
    assert re.fullmatch(
        rf"{re.escape(str(path))}: {path.stat().st_size:,} bytes in .* m?s \(.*/s\)", size
    )
    assert digest == f"SHA-256 {sha256(path)}"
    assert re.fullmatch(r"\(computed in .* m?s\)", took)
    weight = values(path, "wte.weight")
    assert (weight == wi.normal((1000, 16), std=0.02, rng=0, stream="wte.weight")).all()


MISSPELT = """
[[rule]]
match = "*.outt.weight"
init = "zeros"
[[rule]]
match = "*"
init = "he_normal"
[same_as]
"head.weigth" = "emb.weight"
"""


def test_what_may_be_misspelt_is_noted(tmp_path, capsys):
    recipe, shapes = tmp_path / "recipe.toml", tmp_path / "shapes.json"
    recipe.write_text(MISSPELT)
    names = ("emb.weight", "head.weight", "a.out.weight")
    shapes.write_text(json.dumps({name: [3, 3] for name in names}))
    unused = "the pattern *.outt.weight of the recipe takes no tensor"
    tie = "head.weigth, which is tied to emb.weight, is not among the tensors"
    arguments = ["init", shapes, "--recipe", recipe, "--force", "-o", tmp_path / "x.npy"]
    for more in ([], ["--json"]):
        assert main(*arguments, *more) == 0
        assert capsys.readouterr().err.splitlines() == [
            f"note: {unused}",
            f"note: {tie}; did you mean 'head.weight'?",
        ]
    assert main(*arguments, "--quiet") == 0
    assert capsys.readouterr() == ("", "")
    assert main("explain", shapes, "--recipe", recipe) == 0
    assert capsys.readouterr().out.splitlines()[-3:] == [
        "Rules that take no tensor: *.outt.weight",
        "Tied names that are not among the tensors: head.weigth (same as emb.weight)",
        "3 tensors, 27 parameters",
    ]
    assert main("explain", shapes, "--recipe", recipe, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["unused_rules"] == ["*.outt.weight"]
    assert found["absent_tied_names"] == {"head.weigth": "emb.weight"}
    shapes.write_text(json.dumps({"emb.weight": [3, 3], "head.weigth": [3, 3]}))
    assert main("explain", shapes, "--recipe", recipe) == 0
    assert "\n1 tensor and 1 tied name, 9 parameters\n" in capsys.readouterr().out


def test_json(tmp_path, capsys):
    path = tmp_path / "tiny.safetensors"
    assert main("init", *TINY, "-o", path, "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["parameters"] == PARAMETERS
    assert report["tensors"] == 16
    assert report["finished"] is True
    assert report["bytes"] == path.stat().st_size
    assert report["seconds"] > 0
    assert report["files"] == [{"path": str(path), "sha256": sha256(path)}]
    assert "expected" not in report, "only the digest of a model's own sizes is published"


def test_quiet(tmp_path, capsys):
    assert main("init", *TINY, "-o", tmp_path / "a.safetensors", "--quiet") == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("dtype", [None, "bfloat16"])
def test_published_digest(dtype, tmp_path, capsys, monkeypatch):
    path = tmp_path / "resnet18.safetensors"
    arguments = ["init", "resnet18", "-o", path, "--force", *(["--dtype", dtype] if dtype else [])]
    assert main(*arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "as published"
    true = models.FILE_SHA256["resnet18", dtype or "float32"]
    assert f"SHA-256 {true}" in lines
    monkeypatch.setitem(models.FILE_SHA256, ("resnet18", dtype or "float32"), true[::-1])
    assert main(*arguments, "--json") == 1
    report = json.loads(capsys.readouterr().out)
    assert (report["match"], report["expected"]) == (False, true[::-1])
    assert main(*arguments) == 1
    assert f"NOT as published: {true[::-1]} was wanted" in capsys.readouterr().out
    path.unlink()  # pytest keeps the folder


def test_no_digest_is_published_of_other_files(tmp_path, capsys):
    arguments = ["init", "resnet18", "-o", tmp_path / "a.safetensors", "--force"]
    for option in (["--seed", 1], ["--recipe", "zeros"], ["--set", "classes=10"]):
        assert main(*arguments, *option) == 0
        assert "as published" not in capsys.readouterr().out.lower()
    (tmp_path / "a.safetensors").unlink()


@pytest.mark.slow
@pytest.mark.parametrize(("model", "dtype"), list(models.FILE_SHA256))
def test_every_published_digest(model, dtype, tmp_path, capsys):
    path = tmp_path / "model.safetensors"
    assert main("init", model, "--dtype", dtype, "-o", path) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "as published"
    path.unlink()


def test_digest_is_a_choice(tmp_path, capsys):
    path = tmp_path / "tiny.safetensors"
    assert main("init", *TINY, "-o", path, "--no-digest") == 0
    assert "SHA-256" not in capsys.readouterr().out


def test_an_existing_file_stays(tmp_path, capsys):
    path = tmp_path / "tiny.safetensors"
    path.write_text("mine")
    assert main("init", *TINY, "-o", path) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("python -m weightinit_fast init: error: ")
    assert len(err.splitlines()) == 1
    assert path.read_text() == "mine"
    assert main("init", *TINY, "-o", path, "--force") == 0
    assert main("verify", path, *TINY) == 0


def test_parts(tmp_path, capsys):
    whole, path = tmp_path / "whole.safetensors", tmp_path / "parts.safetensors"
    assert main("init", *TINY, "-o", whole) == 0
    for part in ("2/3", "0/3"):
        assert main("init", *TINY, "-o", path, "--part", part, "--json") == 0
        assert not path.exists()
    capsys.readouterr()
    assert main("finish", path) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("python -m weightinit_fast finish: error: ")
    assert main("init", *TINY, "-o", path, "--part", "1/3", "--json") == 0
    assert json.loads(capsys.readouterr().out)["finished"] is True
    assert path.read_bytes() == whole.read_bytes()
    assert sorted(os.listdir(tmp_path)) == ["parts.safetensors", "whole.safetensors"]


def test_part_auto_without_a_launcher_names_the_option(tmp_path, monkeypatch, capsys):
    for name in ("RANK", "WORLD_SIZE", "SLURM_PROCID", "SLURM_NTASKS", "OMPI_COMM_WORLD_RANK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("OMPI_COMM_WORLD_SIZE", raising=False)
    assert main("init", *TINY, "-o", tmp_path / "a.safetensors", "--part", "auto") == 2
    err = capsys.readouterr().err
    assert "or pass --part K/N" in err
    assert "part=" not in err
    assert "part='auto'" not in err


def test_digests_tell_how_far_they_are(tmp_path):
    files = [tmp_path / name for name in "ab"]
    for file, size in zip(files, (3_000_000, 0), strict=True):
        file.write_bytes(b"x" * size)
    calls = []
    found = digests.digests_of(files, 2, lambda done, total: calls.append((done, total)))
    assert list(found.by_file.values()) == [sha256(file) for file in files]
    assert calls[-1] == (3_000_000, 3_000_000)
    assert len(calls) >= 3
    assert sorted(calls) == calls


def test_ctrl_c_amid_the_digest_says_that_the_file_is_complete(tmp_path, monkeypatch, capsys):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(init_command, "digests_of", interrupted)
    path = tmp_path / "tiny.safetensors"
    assert main("init", *TINY, "-o", path) == 130
    err = capsys.readouterr().err
    assert f"{path} is complete; only its SHA-256 was not computed\n" in err
    assert main("verify", path, *TINY) == 0


def test_part_auto(tmp_path, monkeypatch):
    path = tmp_path / "parts.safetensors"
    monkeypatch.setenv("WORLD_SIZE", "2")
    for rank in (0, 1):
        monkeypatch.setenv("RANK", str(rank))
        assert main("init", *TINY, "-o", path, "--part", "auto") == 0
    assert main("verify", path, *TINY) == 0


def test_shapes_and_recipe_from_files(tmp_path, capsys):
    shapes, recipe, path = (tmp_path / n for n in ("shapes.json", "recipe.toml", "a.safetensors"))
    shapes.write_text('{"fc": {"weight": [4, 3], "bias": 4}}')
    recipe.write_text(
        '[let]\nwidth = 4\n[[rule]]\nmatch = "*.bias"\ninit = "ones"\n'
        '[[rule]]\nmatch = "*"\ninit = "normal(std=1/sqrt(width))"\n'
    )
    arguments = [shapes, "--recipe", recipe]
    assert main("init", *arguments, "-o", path, "--seed", 7) == 0
    assert "shapes.json: 2 tensors, 16 parameters" in capsys.readouterr().out
    assert (
        values(path, "fc.weight") == wi.normal((4, 3), std=0.5, rng=7, stream="fc.weight")
    ).all()
    assert (values(path, "fc.bias") == 1).all()
    assert main("verify", path, *arguments, "--seed", 7) == 0
    assert main("verify", path, "--recipe", recipe, "--seed", 7) == 0
    assert main("verify", path, *arguments) == 1
    wide = ["--set", "width=16"]
    assert main("init", *arguments, *wide, "-o", path, "--force") == 0
    assert (
        values(path, "fc.weight") == wi.normal((4, 3), std=0.25, rng=0, stream="fc.weight")
    ).all()
    # The names and shapes of another file, and one initialiser for all.
    assert main("init", path, "--recipe", "he_normal(fans=(2, 2))", "-o", tmp_path / "b.npy") == 0
    made = values(tmp_path / "b.npy", "fc.bias")
    assert (made == wi.normal(4, std=1, rng=0, stream="fc.bias")).all()


def test_a_size_and_a_number_of_one_name_are_set_together(tmp_path, capsys):
    """A recipe that began as that of a built-in model still follows its sizes."""
    assert main("explain", "gpt2", "--toml") == 0
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(capsys.readouterr().out)
    explained = []
    for option in ([], ["--recipe", recipe], ["--recipe", "gpt2"]):
        assert main("explain", "gpt2", *option, "--set", "layers=2", "--set", "width=24") == 0
        explained.append(capsys.readouterr().out)
    assert explained[0] == explained[1] == explained[2]
    assert "normal(std=0.01)" in explained[0]


def test_many_files(tmp_path, capsys):
    path = tmp_path / "shards"
    assert (
        main("init", "gpt2", "--set", "layers=2", *TINY[3:], "-o", path, "--max-shard-bytes", 1)
        == 0
    )
    lines = capsys.readouterr().out.splitlines()
    assert len([line for line in lines if line.startswith("SHA-256 ")]) == 20
    # 28 shards, one for each tensor, and an index.
    assert "and those of 9 more files, which --json lists" in lines


def test_tied_tensors_are_not_counted(tmp_path, capsys):
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('[same_as]\nhead = "emb"\n[[rule]]\nmatch = "*"\ninit = "zeros"\n')
    shapes = tmp_path / "shapes.toml"
    shapes.write_text("emb = [10, 4]\nhead = [10, 4]\n")
    assert main("init", shapes, "--recipe", recipe, "-o", tmp_path / "a.safetensors") == 0
    assert capsys.readouterr().out.startswith("shapes.toml: 1 tensor, 40 parameters\n")
    assert main("verify", tmp_path / "a.safetensors", shapes, "--recipe", recipe) == 0
    capsys.readouterr()
    assert main("explain", shapes, "--recipe", recipe) == 0
    assert capsys.readouterr().out.endswith("\n1 tensor and 1 tied name, 40 parameters\n")


def test_a_size_that_no_float_holds(tmp_path):
    assert main("init", *TINY, "-o", tmp_path / "m", "--max-shard-bytes", "9" * 400 + ".5GB") == 0


def test_shards(tmp_path, capsys):
    path = tmp_path / "shards"
    assert main("init", *TINY, "-o", path, "--max-shard-bytes", "20kB") == 0
    out = capsys.readouterr().out
    for file in path.iterdir():
        assert f"SHA-256 {sha256(file)} {file.name}\n" in out
    assert len(list(path.iterdir())) == 3  # the embedding, all others, the index
    assert main("verify", path, *TINY) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gpt3"], "'gpt3' is neither a file nor a built-in model; the models are gpt2, "),
        (["gpt2", "--set", "depth=2"], "gpt2 has no size called 'depth'"),
        (["{shapes}"], "say with --recipe which initialiser draws which tensor"),
        (["{shapes}", "--recipe", "norml"], "as an initialiser it is wrong: "),
        (["{shapes}", "--recipe", "no.toml"], "no.toml: No such file or directory"),
        (["{shapes}", "--recipe", "{shapes}"], "shapes.json: this is not valid TOML"),
        (["{shapes}", "--recipe", "he_normal"], "bias: shape (4,) has no fans"),
        (["{shapes}", "--recipe", "zeros", "-o", "a.txt"], "no format has the suffix '.txt'"),
        (["{shapes}", "--recipe", "zeros", "-o", "{tmp}/no/a.npy"], "/no"),
    ],
)
def test_what_is_refused(arguments, message, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shapes = tmp_path / "shapes.json"
    shapes.write_text('{"weight": [4, 3], "bias": 4}')
    arguments = [text.format(shapes=shapes, tmp=tmp_path) for text in arguments]
    assert main("init", "-o", "a.safetensors", *arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    assert err.startswith("python -m weightinit_fast init: error: ")
    assert message in err
    assert os.listdir(tmp_path) == ["shapes.json"]


def test_verify_and_repair(tmp_path, capsys):
    path = tmp_path / "tiny.safetensors"
    assert main("init", *TINY, "-o", path) == 0
    good = path.read_bytes()
    begin = readers.read_tensors(path)["wte.weight"].begin
    with open(path, "r+b") as file:
        file.seek(begin + 4 * 17)
        file.write(b"\0\0\xc0\x7f")  # a NaN at [1, 1]
    capsys.readouterr()
    assert main("verify", path, *TINY) == 1
    assert "wte.weight[1, 1] is nan, not " in capsys.readouterr().out
    assert main("verify", path, *TINY, "--json") == 1
    report = json.loads(capsys.readouterr().out)
    assert (report["ok"], report["elements"]) == (False, 1)
    assert report["first"]["name"] == "wte.weight"
    assert report["first"]["index"] == [1, 1]
    assert report["first"]["found"] == "nan"
    assert main("verify", path, *TINY, "--quiet") == 1
    assert capsys.readouterr() == ("", "")
    assert main("verify", path, *TINY, "--repair") == 0
    assert path.read_bytes() == good
    assert main("verify", path, *TINY) == 0
    assert main("verify", path, *TINY, "--seed", "1") == 1
    path.write_bytes(good[:-4])
    assert main("verify", path, *TINY) == 1
    path.write_bytes(good)
    assert main("verify", path, "resnet18") == 1
    assert main("verify", path) == 2
    assert main("verify", tmp_path / "none.safetensors", *TINY) == 2


def test_verify_takes_the_types_of_the_file(tmp_path):
    for name in ("a.safetensors", "a.npy"):
        assert main("init", *TINY, "-o", tmp_path / name, "--dtype", "bfloat16") == 0
        assert main("verify", tmp_path / name, *TINY) == 0
        assert main("verify", tmp_path / name, *TINY, "--dtype", "float16") == 1


def starts(arguments, program=("-m", "weightinit_fast"), **options):
    """Start the command in a process of its own."""
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": QUIET}
    command = [sys.executable, *program, *map(str, arguments)]
    return subprocess.Popen(command, **(streams | options))


@pytest.mark.process
def test_ctrl_c_leaves_no_file(tmp_path):
    path = tmp_path / "large.safetensors"
    # A background job of a shell ignores Ctrl-C, and so would all that it starts.
    program = """if True:
        import runpy, signal
        signal.signal(signal.SIGINT, signal.default_int_handler)
        runpy.run_module("weightinit_fast", run_name="__main__", alter_sys=True)
    """
    with starts(["init", *HUGE, "-o", path], program=["-c", program]) as process:
        deadline = time.monotonic() + HANG_SECONDS
        while not os.listdir(tmp_path) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.001)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=HANG_SECONDS)
    assert (process.returncode, out, err) == (130, "", "\ninterrupted\n")
    assert os.listdir(tmp_path) == []


@pytest.mark.process
def test_progress_on_a_terminal(tmp_path):
    pty, termios = pytest.importorskip("pty"), pytest.importorskip("termios")
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    path = tmp_path / "large.safetensors"
    environment = {k: v for k, v in QUIET.items() if k != "COLUMNS"} | {"TERM": "xterm"}
    with starts(["init", *LARGE, "-o", path], stderr=theirs, env=environment) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:  # Linux says so that the other side is closed
                break
            if not piece:
                break
            shown += piece
        out = process.stdout.read()
        assert process.wait() == 0
    os.close(ours)
    path.unlink()
    assert "\r" not in out
    text = shown.decode()
    assert max(map(len, re.split("[\r\n]", text))) <= 80
    assert "writing large.safetensors" in text
    assert re.search(r"\d %|\d%", text)
    assert re.search(r"/s", text)
    assert text.endswith("\r"), "the line is removed in the end"
