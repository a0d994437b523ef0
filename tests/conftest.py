"""Fixtures that the tests share: the instruction set under test, and how threads share work."""

import os
import subprocess

import numpy.testing  # noqa: F401  its import starts lscpu in NumPy 2.0
import pytest
from hypothesis import HealthCheck, settings

# These limits would change what the tests count, and the package reads them when it is imported.
for name in ("OMP_NUM_THREADS", "WEIGHTINIT_FAST_NUM_THREADS"):
    os.environ.pop(name, None)

pytest.register_assert_rewrite("support")

from support import internals  # noqa: E402
from support.isas import INNER_ISAS, ISAS_HERE, judge_cpu, required  # noqa: E402

# Hypothesis tries the same examples in every run, and takes as long for each as a busy machine
# needs: the limit of 200 ms that it has otherwise would fail tests by chance.
settings.register_profile(
    "fixed",
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("fixed")

# Interpreters that tests start import the installed package, not the folder that they start in.
os.environ["PYTHONSAFEPATH"] = "1"


@pytest.fixture(scope="session")
def cpu_isas():
    """Return the sets that this CPU has, judged without the package; skip where none can tell."""
    names = judge_cpu()
    if names is None:
        pytest.skip("no /proc/cpuinfo: this CPU cannot be judged independently of the package")
    return names


def selected(name):
    """Select an instruction set for a while; skip or fail where it is missing."""
    has_to_run = required() and name in (judge_cpu() or ())
    if name not in internals.core.ISAS_BUILT:
        if has_to_run:
            pytest.fail(f"{name}: not built in this extension, but this CPU can run it")
        pytest.skip(f"{name}: not built in this extension")
    if name not in internals.core.ISAS_RUNNABLE:
        if has_to_run:
            pytest.fail(f"{name}: the package does not run it, but this CPU can")
        pytest.skip(f"{name}: not runnable on this CPU")
    with internals.instruction_set(name):
        yield name


@pytest.fixture(params=ISAS_HERE)
def isa(request):
    """Fill with each instruction set of this architecture in turn."""
    yield from selected(request.param)


def some_slow(slow):
    """Return the instruction sets of this architecture, of which some have the marker `slow`."""
    marks = dict.fromkeys(slow, pytest.mark.slow)
    return [pytest.param(name, marks=marks.get(name, ())) for name in ISAS_HERE]


@pytest.fixture(params=some_slow(INNER_ISAS))
def outer_isa(request):
    """Do as `isa`, for tests that take long.

    Runs without the slow tests keep the scalar and the widest set.
    """
    yield from selected(request.param)


@pytest.fixture(params=some_slow(["scalar"]))
def streaming_isa(request):
    """Do as `isa`; the scalar set, which takes longest and never bypasses caches, is slow."""
    yield from selected(request.param)


@pytest.fixture(scope="module")
def eager():
    """Let threads share fills of nearly any size, even where that does not pay."""
    with internals.eager():
        yield


@pytest.fixture
def streamed_from():
    """Return a size from which on stores bypass the caches, whatever caches this machine has."""
    with internals.streamed_from(4 << 20):
        yield 4 << 20


@pytest.fixture(autouse=True)
def _processes_are_marked(request, monkeypatch):
    """Fail a test that starts a process without the marker that says so."""
    if request.node.get_closest_marker("process"):
        return

    def refuse(*_, **__):
        pytest.fail("a test that starts a process needs the marker `process`")

    monkeypatch.setattr(os, "fork", refuse, raising=False)
    monkeypatch.setattr(subprocess.Popen, "__init__", refuse)
