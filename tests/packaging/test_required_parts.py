"""Builds that lack a part: a release build fails, and a build from source says what it lacks."""

import os
import shutil
import subprocess
import sys

import pytest
from engine import ENGINE, instruction_sets
from support import ROOT

COMPILER = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
pytestmark = [
    pytest.mark.meta,
    pytest.mark.process,
    pytest.mark.skipif(shutil.which("cmake") is None, reason="no cmake"),
    pytest.mark.skipif(COMPILER is None, reason="no C compiler"),
]


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """Configure the engine once; return what the compiler answered CMake, as options of CMake.

    With these options the other builds of this module need not ask the compiler again.
    """
    folder = tmp_path_factory.mktemp("configured")
    done = configure(folder, [])
    assert done.returncode == 0, done.stdout
    cache = (folder / "CMakeCache.txt").read_text(encoding="utf-8").splitlines()
    wanted = ("WIF_CC_", "WIF_FOR_", "WIF_LIBM")
    return [f"-D{line.replace(':INTERNAL', '')}" for line in cache if line.startswith(wanted)]


def configure(folder, options, source=ENGINE, **environment):
    command = ["cmake", "-S", source, "-B", folder, *options]
    return subprocess.run(
        command,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=300,
    )


def said(done):
    """Return the output as one line, since CMake wraps the texts of errors."""
    return " ".join(done.stdout.split())


def sets_here(answers):
    """Return the instruction sets that the compiler knows, slowest first."""
    return [name for name in instruction_sets() if f"-DWIF_CC_{name}=1" in answers]


def test_a_complete_build_may_require_everything(answers, tmp_path):
    done = configure(tmp_path, [*answers, "-DWIF_REQUIRE=all"])
    assert done.returncode == 0, done.stdout
    assert "weightinit_fast" not in done.stdout.replace(str(tmp_path), "").replace(str(ENGINE), "")


def test_a_missing_set_is_told_and_is_an_error_where_it_is_required(answers, tmp_path):
    name = sets_here(answers)[-1]
    lacking = [*answers, f"-DWIF_CC_{name}="]
    done = configure(tmp_path / "told", lacking)
    assert done.returncode == 0, done.stdout
    assert f"weightinit_fast is built without {name}: the compiler" in said(done)
    assert "the bits are the same" in said(done)
    for required in ("all", name, f"scalar,{name}", f"threads;{name}"):
        done = configure(tmp_path / "failed", [*lacking, f"-DWIF_REQUIRE={required}"])
        assert done.returncode != 0, required
        assert f"requires {name}, which cannot be built: the compiler" in said(done)
    done = configure(tmp_path / "others", [*lacking, "-DWIF_REQUIRE=scalar,threads"])
    assert done.returncode == 0, done.stdout


def test_missing_threads_are_told_and_are_an_error_where_they_are_required(answers, tmp_path):
    for options, reason in (
        (["-DWIF_THREADS=OFF"], "WIF_THREADS is OFF"),
        (["-DWIF_CC_atomics="], "no atomic operations on 64 bits"),
    ):
        folder = tmp_path / options[0].strip("-=")
        done = configure(folder, [*answers, *options])
        assert done.returncode == 0, done.stdout
        assert f"weightinit_fast is built without threads: {reason}" in said(done) or (
            f"weightinit_fast is built without threads: the processor has {reason}" in said(done)
        )
        for required in ("all", "threads", "scalar,threads"):
            done = configure(folder, [*answers, *options, f"-DWIF_REQUIRE={required}"])
            assert done.returncode != 0, required
            assert "requires threads, which cannot be built" in said(done)


def test_a_set_that_needs_a_missing_set_is_missing_too(answers, tmp_path):
    if "avx512_bf16" not in sets_here(answers):
        pytest.skip("no set with a fallback here")
    lacking = [*answers, "-DWIF_CC_avx512_vaes="]
    done = configure(tmp_path, lacking)
    assert "built without avx512_bf16: it needs the set avx512_vaes" in said(done)
    done = configure(tmp_path, [*lacking, "-DWIF_REQUIRE=avx512_bf16"])
    assert done.returncode != 0


def test_what_no_build_here_can_have_is_refused_by_name(answers, tmp_path):
    done = configure(tmp_path, [*answers, "-DWIF_REQUIRE=sse9"])
    assert done.returncode != 0
    assert "names sse9, and knows only: scalar" in said(done)
    foreign = "avx2" if "neon" in sets_here(answers) else "neon"
    done = configure(tmp_path, [*answers, f"-DWIF_REQUIRE={foreign}"])
    assert done.returncode != 0
    assert f"requires {foreign}, which cannot be built: it belongs to the architecture" in said(
        done
    )


def test_a_handler_for_jax_that_cannot_be_built(answers, tmp_path):
    """Configure the whole package with a header of XLA from which the handler does not compile."""
    header = tmp_path / "header" / "xla" / "ffi" / "api" / "c_api.h"
    header.parent.mkdir(parents=True)
    header.write_text("#define XLA_FFI_API_MAJOR 1\n", encoding="utf-8")
    options = [
        "-DSKBUILD_PROJECT_NAME=weightinit_fast",
        "-DSKBUILD_PROJECT_VERSION=0.1.0",
        f"-DPython_EXECUTABLE={sys.executable}",
        f"-DWIF_XLA_INCLUDE_DIR={header.parents[3]}",
        *answers,
    ]
    done = configure(tmp_path / "told", options, source=ROOT)
    assert done.returncode == 0, done.stdout
    assert "the FFI handler for JAX is not built, since it does not compile" in said(done)
    for required in ("xla", "all,xla"):
        done = configure(tmp_path / "told", [*options, f"-DWIF_REQUIRE={required}"], source=ROOT)
        assert done.returncode != 0, required
        assert "requires xla, the FFI handler for JAX, which cannot be built" in said(done)


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="the compiler of this test is a script of a shell")
def test_a_compiler_that_does_not_know_a_set(answers, tmp_path):
    """Ask a real compiler that refuses the options of a set, as an older one would."""
    name = sets_here(answers)[-1]
    flag = {"avx512_bf16": "-mavx512bf16", "neon": "-march=armv8-a+crypto"}.get(name)
    if flag is None:
        pytest.skip(f"no option is known that only {name} has")
    compiler = tmp_path / "old-cc"
    compiler.write_text(
        f'#!/bin/sh\nfor option; do if [ "$option" = {flag} ]; then\n'
        f'echo "unrecognized option {flag}" >&2; exit 1; fi; done\nexec {COMPILER} "$@"\n',
        encoding="utf-8",
    )
    compiler.chmod(0o755)
    done = configure(tmp_path / "told", [], CC=str(compiler))
    assert done.returncode == 0, done.stdout
    assert f"built without {name}: the compiler" in said(done)
    assert flag in said(done)
    done = configure(tmp_path / "failed", ["-DWIF_REQUIRE=all"], CC=str(compiler))
    assert done.returncode != 0
    assert f"requires {name}, which cannot be built" in said(done)
