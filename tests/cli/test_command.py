"""``python -m weightinit_fast``: help, wrong use, errors in one line, exit status, imports."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys

import pytest
from support import DOCS
from support.command import QUIET, main, run
from support.internals import command, info_command

import weightinit_fast as wi

SUBCOMMANDS = ["init", "inspect", "verify", "finish", "explain", "benchmark", "info"]


def test_without_a_command_the_help_is_short(capsys):
    assert main() == 2
    out, err = capsys.readouterr()
    assert out == ""
    for name in ("init gpt2 -o gpt2.safetensors", "inspect", "benchmark", "--help"):
        assert f"python -m weightinit_fast {name}" in err
    assert len(err.splitlines()) < 12


def test_help_lists_the_commands_and_the_exit_statuses(capsys):
    assert main("--help") == 0
    out = capsys.readouterr().out
    lines = [line.split() for line in out.splitlines() if line.strip()]
    first = [words[0] for words in lines]
    assert [name for name in first if name in SUBCOMMANDS] == SUBCOMMANDS
    assert [word for word in first if word.isdigit()] == ["0", "1", "2", "130", "141"]
    assert max(map(len, out.splitlines())) < 92


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_help_of_each_command(name, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert main(name, "--help") == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.startswith(f"usage: python -m weightinit_fast {name} ")
    assert "--json" in out
    assert max(map(len, out.splitlines())) <= 80, "longer than a line of a terminal"


def test_every_command_is_tried():
    assert list(command._COMMANDS) == SUBCOMMANDS


def test_version(capsys):
    assert main("--version") == 0
    info = wi.info()
    version = f"weightinit_fast {info['version']}, stream version {info['stream_version']}\n"
    assert capsys.readouterr().out == version


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["benchmark", "--threads", "0"], "--threads: threads must be in [1, "),
        (["benchmark", "--threads", "two"], "--threads: this must be an integer, not 'two'"),
        (["init", "gpt2"], "required: -o/--output"),
        (["init", "gpt2", "-o", "x", "--seed", "-1"], "--seed: "),
        (["init", "gpt2", "-o", "x", "--dtype", "int8"], "--dtype: "),
        (["init", "gpt2", "-o", "x", "--part", "4/4"], "of 4 parts the last is 3/4"),
        (["init", "gpt2", "-o", "x", "--part", "some"], "a part is k/n"),
        (
            ["init", "gpt2", "-o", "x", "--part", "-1/3"],
            "or auto, not '-1/3'",
        ),
        (["init", "gpt2", "-o", "x", "--max-shard-bytes", "2 pounds"], "500MB, 2GB or 4GiB"),
        (["init", "gpt2", "-o", "x", "--set", "24"], "must be NAME=VALUE"),
        (["inspect", "a.safetensors", "--html", "a.safetensors"], "page ends with .html, not 'a."),
        (["explain", "gpt2", "--toml", "--json"], "leave --json out"),
        (["explain", "--toml"], "name the model"),
        (["initialise"], "invalid choice: 'initialise'"),
        (["--json"], "required: COMMAND (the table of three models is now python -m "),
    ],
)
def test_wrong_use(arguments, message, capsys):
    assert main(*arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert len(err.splitlines()) <= 2
    if len(err.splitlines()) == 2:
        words = arguments[:1] if arguments[0] in SUBCOMMANDS else []
        assert err.splitlines()[1] == " ".join(["see python -m weightinit_fast", *words, "--help"])


@pytest.fixture
def broken(monkeypatch):
    """Return a function that lets the command info raise an error."""

    def breaks(error):
        def run(*_):
            raise error

        monkeypatch.setattr(info_command, "run", run)

    return breaks


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("one\ntwo \x1b[31m"), "one; two \\x1b[31m"),
        (TypeError("wrong"), "wrong"),
        (OSError(28, "No space left on device", "a.npy"), "a.npy: No space left on device"),
        (FileExistsError("a.npy exists"), "a.npy exists"),
        (MemoryError(), "not enough memory"),
        (ImportError("needs zarr"), "needs zarr"),
    ],
)
def test_errors_are_one_line(error, text, broken, capsys, monkeypatch):
    monkeypatch.delenv("WEIGHTINIT_FAST_TRACEBACK", raising=False)
    broken(error)
    assert main("info") == 2
    assert capsys.readouterr() == ("", f"python -m weightinit_fast info: error: {text}\n")


@pytest.mark.parametrize("how", ["option", "variable"])
def test_a_traceback_for_those_who_want_one(how, broken, capsys, monkeypatch):
    broken(ValueError("wrong"))
    if how == "variable":
        monkeypatch.setenv("WEIGHTINIT_FAST_TRACEBACK", "1")
    assert main("info", *(["--traceback"] if how == "option" else [])) == 2
    err = capsys.readouterr().err
    assert err.startswith("Traceback (most recent call last):\n")
    assert err.endswith("python -m weightinit_fast info: error: wrong\n")


def test_mistakes_of_our_own_are_not_hidden(broken):
    broken(ZeroDivisionError("a mistake in the package"))
    with pytest.raises(ZeroDivisionError):
        main("info")


def test_interrupted(broken, capsys):
    broken(KeyboardInterrupt())
    assert main("info") == 130
    assert capsys.readouterr().err == "\ninterrupted\n"


@pytest.mark.process
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_full_standard_output():
    with open("/dev/full", "w") as full:
        done = run("info", capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 2
    assert done.stderr == "python -m weightinit_fast info: error: No space left on device\n"


@pytest.mark.process
def test_a_name_that_the_terminal_cannot_show():
    done = run("finish", "\N{SNOWMAN}", env=QUIET | {"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 2
    assert "\\u2603" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.process
@pytest.mark.parametrize("arguments", [["info"], ["--help"], ["init", "--help"]])
def test_only_what_is_needed_is_imported(arguments):
    """``info`` and all help answer at once: they import no model, no hash, no other command."""
    code = (
        "import sys; sys.argv[1:] = %r; from weightinit_fast import cli\n"
        "try: cli.main()\n"
        "except SystemExit: pass\n"
        "print(*sys.modules)"
    )
    done = run_code(code % arguments)
    modules = {name for name in done.split() if name.startswith("weightinit_fast.")}
    assert not [name for name in modules if name.startswith("weightinit_fast.models.")]
    imported = {name.rpartition(".")[2] for name in modules if ".cli." in name}
    assert imported & set(SUBCOMMANDS) == {arguments[0]} & set(SUBCOMMANDS)


@pytest.mark.process
def test_import_leaves_the_command_out():
    """``import weightinit_fast`` imports neither the command nor the models."""
    modules = run_code("import sys, weightinit_fast; print(*sys.modules)").split()
    found = [m for m in modules if m.startswith(("weightinit_fast.cli", "weightinit_fast.models"))]
    assert not found


def run_code(code: str) -> str:
    """Run code in an interpreter of its own; return the last line that it printed."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=QUIET
    )
    return done.stdout.splitlines()[-1]


@pytest.mark.meta
@pytest.mark.skipif(not DOCS.is_dir(), reason="no docs/ beside these tests")
def test_the_page_names_every_command_and_status():
    text = (DOCS / "command.md").read_text(encoding="utf-8")
    for name, does in command._COMMANDS.items():
        assert re.search(rf"^\| `{name}[ `]", text, re.MULTILINE), (name, does)
    for line in command._EXIT_STATUS.splitlines()[1:]:
        number, meaning = line.split(maxsplit=1)
        assert f"| {number} | {meaning.replace('inspect', '`inspect`')} |" in text
    named = set(re.findall(r"--[a-z][a-z-]+", text)) - {"--ntasks"}
    assert named <= options_of_all_commands()


def options_of_all_commands():
    """Return the long options that the parsers of all commands take."""
    options = {"--help"}
    for name in SUBCOMMANDS:
        parser = command._parser([name])
        (commands,) = (a for a in parser._actions if a.choices and a.dest == "command")
        for action in (*parser._actions, *commands.choices[name]._actions):
            options.update(action.option_strings)
    return options


def test_where_the_c_interface_is(capsys):
    assert main("--includes") == 0
    assert capsys.readouterr().out == f"-I{wi.get_include()}\n"
    assert main("--cmakedir") == 0
    assert capsys.readouterr().out == f"{wi.get_cmake_dir()}\n"


def test_a_shell_can_read_the_option_for_the_headers(capsys, monkeypatch, tmp_path):
    package = tmp_path / "a folder with spaces"
    (package / "include").mkdir(parents=True)
    monkeypatch.setattr(wi._core, "__file__", str(package / "_core.so"))
    assert main("--includes") == 0
    assert shlex.split(capsys.readouterr().out) == [f"-I{package / 'include'}"]


@pytest.mark.parametrize("option", ["--includes", "--cmakedir"])
def test_where_there_is_no_c_interface(option, capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(wi._core, "__file__", str(tmp_path / "_core.so"))
    assert main(option) == 2
    assert "was built without its C interface" in capsys.readouterr().err
