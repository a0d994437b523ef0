"""A process that ends in the middle of a fill, subinterpreters, and children that are not Python.

Each script runs in an interpreter of its own, which must end in time.
"""

import platform
import sysconfig

import pytest
from support.internals import EAGER_SCRIPT
from support.interpreter import run, threaded_only

pytestmark = pytest.mark.process

BEGIN = f"""
import atexit, os, sys, threading, time
import numpy as np
import weightinit_fast as wi
{EAGER_SCRIPT}
started = threading.Event()
def forever():
    big = np.zeros(2**27, "f4")
    started.set()
    while True:
        wi.normal(out=big, rng=0, threads=3)
def begin():
    threading.Thread(target=forever, daemon=True).start()
    started.wait()
    time.sleep(0.1)
"""
ENDS = {
    "main returns": "begin(); print('end')",
    "sys.exit": "begin(); print('end'); sys.exit(0)",
    "_exit": "begin(); print('end', flush=True); os._exit(0)",
    "fill at exit": """
        def last():
            print("end" if wi.normal(2**20, rng=0, threads=3).any() else "wrong")
            sys.exit(0)
        atexit.register(last)
        wi.normal(2**20, rng=0, threads=3)
    """,
    "thread and fill at exit": """
        atexit.register(lambda: print("end" if wi.normal(2**20, rng=0).any() else "wrong"))
        begin()
    """,
    "fill in __del__": """
        class Last:
            def __del__(self, fill=wi.normal, write=os.write):  # the module's names may be gone
                out = fill(2**20, rng=0, threads=3)
                write(1, b"end\\n" if out[0] and out[-1] else b"wrong\\n")
        last = Last()
        wi.normal(2**20, rng=0, threads=3)
    """,
    "fill in __del__ when modules are gone": """
        class Last:
            def __del__(self, fill=wi.normal, out=np.zeros(2**20, "f4"), write=os.write):
                try:
                    fill(out=out, rng=0, threads=3)
                finally:  # filled, or an exception that Python shows
                    write(1, b"end\\n")
        sys.last = Last()
        sys.last.itself = sys.last
    """,
}


@pytest.mark.parametrize("name", ENDS)
def test_the_process_ends_during_a_fill(name):
    assert run(ENDS[name], prelude=BEGIN) == "end"


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="on_exit is glibc's")
@pytest.mark.parametrize("threads", [1, 3])
def test_the_process_outlives_the_interpreter(threads):
    """Fills of daemon threads go on for half a second after the interpreter has ended."""
    script = f"""
    import ctypes
    libc = ctypes.CDLL(None)
    libc.on_exit(libc.usleep, None)  # sleeps 512,000 us: the exit status, whose low byte is 0
    first, *_, last = sorted(os.sched_getaffinity(0)) * 2
    def work():
        os.sched_setaffinity(0, {{first}})
        out = np.zeros(2**22, "f4")
        wi.normal(33 * 2**22, out=out, index=np.s_[::33], rng=0, threads={threads})  # seconds
    for _ in range(16):  # on one processor: few get to look for signals while Python ends
        threading.Thread(target=work, daemon=True).start()
    os.sched_setaffinity(0, {{last}})
    time.sleep(0.2)
    print("end")
    sys.exit(512_000)
    """
    assert run(script, prelude=BEGIN, WEIGHTINIT_FAST_ISA="scalar") == "end"


SUBINTERPRETER = """
try:
    import _interpreters as sub
except ImportError:
    import _xxsubinterpreters as sub
{before}
code = "import weightinit_fast as wi; assert wi.normal(2**22, rng=0, threads=3).any()"
try:
    made = sub.create(isolated=False) if hasattr(sub, "RunFailedError") else sub.create("legacy")
    failed = sub.run_string(made, code)
    print("refused" if failed else "filled", failed)
except Exception as error:
    print("refused", error)
{after}
"""


@pytest.mark.parametrize("before", ["", "import weightinit_fast as wi; wi.normal(2**20, rng=0)"])
def test_subinterpreters(before):
    """As with NumPy, only one interpreter of a process can import the package; its fills go on.

    Without a GIL, NumPy can be imported by the main interpreter alone.
    """
    after = "assert wi.normal(2**22, rng=0, threads=3).any()" if before else ""
    script = SUBINTERPRETER.format(before=before, after=after)
    refused = before or sysconfig.get_config_var("Py_GIL_DISABLED")
    assert run(script, prelude="").split()[0] == ("refused" if refused else "filled")


@threaded_only
def test_a_child_that_is_not_python():
    """subprocess forks while a thread fills, and the package's fork handlers do no harm."""
    script = """
    import subprocess
    done = threading.Event()
    def work():
        while not done.is_set():
            assert right()
    thread = threading.Thread(target=work)
    thread.start()
    codes = {subprocess.run([sys.executable, "-c", ""]).returncode for _ in range(5)}
    done.set()
    thread.join()
    print(codes, right())
    """
    assert run(script) == "{0} True"
