"""Which instruction sets are built, run and chosen, compared with what the CPU says of itself."""

import os
import subprocess
import sys

import pytest
from support import HANG_SECONDS
from support.internals import core
from support.isas import CPU_FLAGS, ISAS_HERE, required

import weightinit_fast as wf

PRINT_ISA = "import weightinit_fast as wf; print(wf.info()['isa'])"


def import_with(name):
    """Import the package in a fresh interpreter with ``WEIGHTINIT_FAST_ISA=name``.

    The last line that it prints is the answer, since an editable install may print messages
    about a rebuild first.
    """
    environment = {k: v for k, v in os.environ.items() if k != "WEIGHTINIT_FAST_ISA"}
    if name is not None:
        environment["WEIGHTINIT_FAST_ISA"] = name
    return subprocess.run(
        [sys.executable, "-c", PRINT_ISA],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=HANG_SECONDS,
    )


def test_names_are_known():
    assert set(core.ISAS) == set(CPU_FLAGS)
    assert set(core.ISAS_RUNNABLE) <= set(core.ISAS_BUILT) <= set(core.ISAS)
    assert "scalar" in core.ISAS_RUNNABLE
    assert core.isa() in core.ISAS_RUNNABLE


def test_no_set_is_claimed_that_the_cpu_lacks(cpu_isas):
    assert set(core.ISAS_RUNNABLE) <= set(cpu_isas)


def test_every_built_set_the_cpu_has_is_run(cpu_isas):
    missing = set(core.ISAS_BUILT) & set(cpu_isas) - set(core.ISAS_RUNNABLE)
    assert not missing, f"built, and the CPU has them, yet not runnable: {sorted(missing)}"


@pytest.mark.parametrize("name", ISAS_HERE)
def test_required_sets_are_built_and_run(name, cpu_isas):
    if not required():
        pytest.skip("WEIGHTINIT_FAST_REQUIRE_ISAS=1 is not set")
    if name not in cpu_isas:
        pytest.skip(f"{name}: not runnable on this CPU")
    assert name in core.ISAS_BUILT, f"{name}: not built in this extension"
    assert name in core.ISAS_RUNNABLE, f"{name}: built but refused on a CPU that has it"


def test_selecting_a_set_selects_it(isa):
    assert core.isa() == isa


def test_selecting_an_unknown_set_is_refused():
    former = core.isa()
    with pytest.raises(ValueError, match="sse9"):
        core.select_isa("sse9")
    assert core.isa() == former


def test_selecting_a_set_that_cannot_run_is_refused():
    former = core.isa()
    refused = sorted(set(CPU_FLAGS) - set(core.ISAS_RUNNABLE))
    if not refused:
        pytest.skip("every known set runs here")
    for name in refused:
        with pytest.raises((ValueError, RuntimeError), match=name):
            core.select_isa(name)
        assert core.isa() == former


@pytest.mark.process
@pytest.mark.parametrize("name", CPU_FLAGS)
def test_environment_forces_a_set_or_fails_the_import(name):
    done = import_with(name)
    if name in core.ISAS_RUNNABLE:
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[-1] == name
    else:
        assert done.returncode != 0
        assert name in done.stderr.splitlines()[-1]


@pytest.mark.process
@pytest.mark.parametrize("name", ["sse9", "AVX2", " scalar"])
def test_environment_with_an_unknown_name_fails_the_import(name):
    done = import_with(name)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ImportError: ")
    assert repr(name) in last


@pytest.mark.process
def test_default_choice_is_the_last_runnable():
    done = import_with(None)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == core.ISAS_RUNNABLE[-1]


def test_info_tells_the_current_set():
    assert wf.info()["isa"] == core.isa()
