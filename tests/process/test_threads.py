"""Threads of the caller, and how many threads a fill gets."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import threadpoolctl
from support import internals
from support.interpreter import LARGE, linux_only, run, threaded_only
from support.isolated import half_written

import weightinit_fast as wi

pytestmark = pytest.mark.usefixtures("eager")


def test_fills_from_many_threads_at_once():
    def work(stream, threads=3):
        return wi.normal(LARGE, rng=0, stream=stream, threads=threads).tobytes()

    expected = [work(stream, 1) for stream in range(20)]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(3):
            assert list(pool.map(work, range(20))) == expected


def test_other_threads_run_during_a_fill():
    """Another thread sees the buffer half written, which shows that it runs during the fill."""
    out, seen, done = np.zeros(2**23, "f4"), threading.Event(), threading.Event()

    def watch():
        while not (seen.is_set() or done.is_set()):
            if half_written(out):
                seen.set()

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        with internals.instruction_set("scalar"):
            for _ in range(100):
                if not seen.is_set():
                    out.fill(0)
                    wi.normal(out=out, rng=0, threads=1)
    finally:
        done.set()
        thread.join()
    assert seen.is_set()


@pytest.mark.process
@linux_only
@threaded_only
def test_threads_are_as_many_as_asked_for():
    script = """
    def alive():
        return len(os.listdir("/proc/self/task"))
    counts = [alive()]
    for threads, n in ((1, LARGE), (2, LARGE), (3, LARGE), (7, 1000)):
        wi.normal(n, rng=0, threads=threads)
        counts.append(alive())
    print([n - counts[0] for n in counts])
    """
    assert run(script, OPENBLAS_NUM_THREADS="1") == "[0, 0, 1, 2, 2]"


INFO = "print(wi.info()['threads'])"
#: What threads=None means where nothing but the affinity limits it; 1 in a build without threads.
UNLIMITED = len(os.sched_getaffinity(0)) if wi.info()["threads_wait_by"] else 1


@pytest.mark.process
def test_threads_by_the_environment():
    assert [run(INFO, OMP_NUM_THREADS=n) for n in ("1", "1,3")] == ["1", "1"]
    assert int(run(INFO, OMP_NUM_THREADS="1000")) <= (os.cpu_count() or 1)


@pytest.mark.process
def test_threads_by_the_variable_of_the_package():
    """It goes before OMP_NUM_THREADS, and is refused where it is no number of threads."""
    name = "WEIGHTINIT_FAST_NUM_THREADS"
    assert run(INFO, OMP_NUM_THREADS="99", **{name: "1"}) == "1"
    assert run(INFO, OMP_NUM_THREADS="1", **{name: "1024"}) == str(UNLIMITED)
    for wrong in ("0", "-1", "two", "1025", "1.0"):
        script = "try:\n    import weightinit_fast\nexcept ImportError as error:\n    print(error)"
        assert run(script, prelude="", **{name: wrong}).startswith(f"{name}={wrong}: ")


DAEMONIC = """
import multiprocessing
def tell(queue):
    queue.put(wi.info()["threads"])
context = multiprocessing.get_context("fork")
queue, counts = context.Queue(), []
for daemon in (True, False):
    process = context.Process(target=tell, args=(queue,), daemon=daemon)
    process.start()
    counts.append(queue.get())
    process.join()
with context.Pool(2) as pool:
    counts += pool.map(len, [range(n) for n in pool.map(abs, [wi.info()["threads"]])])
print(counts)
"""


@pytest.mark.process
@linux_only
def test_threads_in_daemonic_processes():
    """One of many workers, as those of Pool and DataLoader are, fills on one thread by default."""
    assert run(DAEMONIC) == f"{[1, UNLIMITED, UNLIMITED]}"
    set_here = run(DAEMONIC, WEIGHTINIT_FAST_NUM_THREADS="1024")
    assert set_here == f"{[UNLIMITED, UNLIMITED, UNLIMITED]}"


@pytest.mark.process
@linux_only
def test_threads_by_affinity():
    script = """
    before = len(os.listdir("/proc/self/task"))
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    wi.normal(2**22, rng=0)
    print(wi.info()["threads"], len(os.listdir("/proc/self/task")) - before)
    """
    assert run(script, OMP_NUM_THREADS="2") == "1 0"


def test_threads_by_threadpoolctl():
    before = wi.info()["threads"]
    with threadpoolctl.threadpool_limits(1, user_api="openmp"):
        assert wi.info()["threads"] == 1
        wi.normal(LARGE, rng=0, threads=3)  # threads= of one call must not persist
        assert wi.info()["threads"] == 1
    assert wi.info()["threads"] == before


def test_a_limit_belongs_to_its_thread():
    """Two threads that set and restore limits at the same time leave each other's alone."""
    before, ready = wi.info()["threads"], threading.Barrier(2)

    def limited():
        with threadpoolctl.threadpool_limits(1):
            ready.wait()
            seen = wi.info()["threads"]
            ready.wait()
        return seen, wi.info()["threads"]

    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(limited)
        ready.wait()
        here = wi.info()["threads"]
        ready.wait()
        assert other.result() == (1, before)
    assert here == before


@pytest.mark.process
@pytest.mark.parametrize("first", ["threadpoolctl", "weightinit_fast"])
def test_threadpoolctl_in_either_order(first):
    """threadpoolctl lists the package and limits it, whichever of the two is imported first."""
    script = f"""
    import sys
    if {first!r} == "threadpoolctl":
        import threadpoolctl
    import weightinit_fast as wi
    assert ("threadpoolctl" in sys.modules) == ({first!r} == "threadpoolctl")
    import threadpoolctl
    found = [lib for lib in threadpoolctl.threadpool_info() if "weightinit" in lib["internal_api"]]
    (lib,) = found
    assert lib["num_threads"] == wi.info()["threads"], found
    assert lib["filepath"] == wi._core.__file__, found
    assert lib["version"] == wi.__version__, found
    with threadpoolctl.threadpool_limits(limits=1):
        seen = wi.info()["threads"]
    controller = threadpoolctl.ThreadpoolController()
    with controller.limit(limits={{"openmp": 1}}):
        seen += wi.info()["threads"]
    assert wi.info()["threads"] == lib["num_threads"]
    print(seen)
    """
    assert run(script, prelude="") == "2"


@pytest.mark.process
def test_an_import_of_threadpoolctl_within_another_import():
    """What waits for threadpoolctl does not make imports miss a finder that have begun before.

    Here the other import is one of the same thread, in a finder that it asks; the import of another
    thread has the same list before it.
    """
    script = """
    import sys
    from importlib.machinery import BuiltinImporter
    import weightinit_fast as wi
    builtin = next(n for n in sys.builtin_module_names if n not in sys.modules)
    class Finder:
        def find_spec(self, name, path, target=None):
            if name == builtin:
                import threadpoolctl
    sys.meta_path.insert(sys.meta_path.index(BuiltinImporter), Finder())
    __import__(builtin)
    print(builtin in sys.modules, "threadpoolctl" in sys.modules)
    """
    assert run(script, prelude="") == "True True"


MANY = internals.most_threads()


@pytest.mark.parametrize(
    ("own", "files", "expected"),
    [
        ("0::/\n", {"cpu.max": "max 100000"}, MANY),
        ("0::/\n", {"cpu.max": "250000 100000"}, 3),
        ("0::/\n", {"cpu.max": "1000 100000"}, 1),
        ("0::/a/b\n", {"a/b/cpu.max": "400000 100000", "a/cpu.max": "300000 100000"}, 3),
        ("0::/a/b\n", {"a/c/cpu.max": "100000 100000"}, MANY),
        ("0::/../x\n", {"cpu.max": "500000 100000"}, 5),
        ("0::/a\n", {"a/cpu.max": "nonsense"}, MANY),
        ("4:cpuacct,cpu:/d/e\n0::/\n", {"cpu/d/e": (-1, 100_000), "cpu/d": (150_000, 100_000)}, 2),
        ("4:cpu:/not/mounted/here\n", {"cpu": (700_000, 100_000)}, 7),
        ("3:cpuset:/d\n2:cpuacct:/d\n", {"cpu/d": (100_000, 100_000)}, MANY),
        ("4:cpu:/d\n0::/u\n", {"cpu/d": (500_000, 100_000), "u/cpu.max": "200000 100000"}, 2),
        ("", {}, MANY),
        (None, {"cpu.max": "100000 100000"}, MANY),
    ],
)
def test_cgroup_quota(tmp_path, own, files, expected):
    root = tmp_path / "cgroup"
    for name, content in files.items():
        if isinstance(content, tuple):
            (root / name).mkdir(parents=True, exist_ok=True)
            (root / name / "cpu.cfs_quota_us").write_text(f"{content[0]}\n")
            (root / name / "cpu.cfs_period_us").write_text(f"{content[1]}\n")
        else:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(f"{content}\n")
    if own is not None:
        (tmp_path / "own").write_text(own)
    assert internals.cgroup_cpus(root, tmp_path / "own") == expected


def test_cgroup_path_of_any_bytes(tmp_path):
    """A container may have any name, even one that is not UTF-8."""
    for name in ("böx".encode(), b"\xff\xfe", "箱".encode()):
        folder = os.path.join(os.fsencode(tmp_path), b"cgroup", name)
        os.makedirs(folder)
        with open(os.path.join(folder, b"cpu.max"), "w") as file:
            file.write("300000 100000\n")
        (tmp_path / "own").write_bytes(b"0::/" + name + b"\n")
        assert internals.cgroup_cpus(tmp_path / "cgroup", tmp_path / "own") == 3


@threaded_only
def test_a_quota_that_changes_is_seen(monkeypatch):
    """The quota is read again after a second, and not with every fill."""
    clock, quota, reads = [1000.0], [7], []

    def cgroup_cpus():
        reads.append(clock[0])
        return quota[0]

    internals.replace_quota(monkeypatch, cgroup_cpus, lambda: clock[0])
    limits = internals.threads.available_threads
    assert limits() == min(7, UNLIMITED)
    quota[0] = 1
    clock[0] += 0.5
    assert limits() == min(7, UNLIMITED)
    clock[0] += 0.6
    assert limits() == 1
    for _ in range(100):
        limits()
    assert len(reads) == 2


def test_a_limit_that_ends_after_the_quota_has_grown(monkeypatch):
    """threadpool_limits restores what was: no limit, and not the number that it had found."""
    most = [8]
    monkeypatch.setattr(internals.threads, "unlimited_threads", lambda: most[0])
    with threadpoolctl.threadpool_limits(4):
        most[0] = 16
        assert wi.info()["threads"] == 4
    assert wi.info()["threads"] == 16
    with threadpoolctl.threadpool_limits(4, user_api="blas"):  # restores all libraries
        most[0] = 32
    assert wi.info()["threads"] == 32
