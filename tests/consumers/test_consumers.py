"""Packages and programs that use the C interface, each built from the wheel in its own environment.

Every folder beside this file is one example. What it draws is compared, byte for byte, with what
the Python functions of the package under test draw. ``WEIGHTINIT_FAST_WHEEL`` names a wheel;
without it, one is built. A C compiler, a C++ compiler and a package index are needed.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from engine import cross
from support import ROOT

import weightinit_fast as wi

HERE = Path(__file__).parent
pytestmark = [
    pytest.mark.slow,
    pytest.mark.process,
    pytest.mark.skipif(not shutil.which("c++"), reason="no C++ compiler"),
]


def run(*command, **environment):
    """Run a command outside this repository; return what it writes."""
    clean = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        list(map(str, command)),
        cwd="/",
        env=clean | environment,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout.decode()}{done.stderr.decode()}"
    return done.stdout


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    given = os.environ.get("WEIGHTINIT_FAST_WHEEL")
    if given:
        return Path(given).resolve()
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, ROOT)
    return next(folder.glob("*.whl"))


class Environment:
    """A virtual environment that has the wheel, and what is installed beside it."""

    def __init__(self, folder, wheel, *packages):
        self.folder = folder
        run(sys.executable, "-m", "venv", folder / "venv")
        self.install(wheel, *packages, links=wheel.parent)

    def install(self, *packages, links):
        run(self.bin("python"), "-m", "pip", "install", "-q", "--find-links", links, *packages)

    def install_example(self, name, links):
        """Install a copy of an example, since builds write beside their sources."""
        shutil.copytree(HERE / name, self.folder / name)
        self.install(self.folder / name, links=links)

    def bin(self, name):
        return self.folder / "venv" / "bin" / name

    def python(self, script):
        """Run a script; return what it writes to standard output."""
        return run(self.bin("python"), "-P", "-c", script)

    def cmake_dir(self):
        """Return where the CMake package of the wheel is."""
        printed = run(self.bin("python"), "-P", "-m", "weightinit_fast", "--cmakedir")
        return Path(printed.decode().strip())

    def cmake(self, example, *options):
        """Build an example by CMake, and return what its program writes."""
        build = self.folder / f"build-{example}"
        cmake = self.bin("cmake")
        options = (f"-Dweightinit_fast_DIR={self.cmake_dir()}", *options)
        run(cmake, "-S", HERE / example, "-B", build, "-DCMAKE_BUILD_TYPE=Release", *options)
        run(cmake, "--build", build)
        return run(build / "example")


@pytest.fixture(scope="session")
def environment(tmp_path_factory, wheel):
    """Return a function that makes a new environment for an example."""

    def make(name, *packages):
        return Environment(tmp_path_factory.mktemp(name), wheel, *packages)

    return make


def installed_engine(folder, *options):
    """Install the engine without Python; return the prefix, whose name has a space."""
    cmake = shutil.which("cmake")
    if not cmake:
        pytest.skip("no cmake")
    options += ("-DWIF_OPTIMISATION=-O1", f"-DCMAKE_INSTALL_PREFIX={folder / 'a prefix'}")
    run(cmake, "-S", ROOT / "src" / "engine", "-B", folder / "build", *options)
    run(cmake, "--build", folder / "build", "-j2")
    run(cmake, "--install", folder / "build")
    return folder / "a prefix"


@pytest.fixture(scope="session")
def engine(tmp_path_factory):
    return installed_engine(tmp_path_factory.mktemp("engine"))


@pytest.fixture(scope="session")
def bare_engine(tmp_path_factory):
    """The static library alone, without threads, as some programs want it."""
    folder = tmp_path_factory.mktemp("bare")
    return installed_engine(folder, "-DWIF_SHARED=OFF", "-DWIF_THREADS=OFF")


MINGW = ("-DCMAKE_SYSTEM_NAME=Windows", "-DCMAKE_C_COMPILER=x86_64-w64-mingw32-gcc")
EMULATED, EMULATOR = cross("aarch64-linux-gnu", "aarch64")


@pytest.fixture(scope="session")
def emulated_engine(tmp_path_factory):
    for tool in ("aarch64-linux-gnu-gcc", EMULATOR[0]):
        if not shutil.which(tool):
            pytest.skip(f"no {tool}")
    return installed_engine(tmp_path_factory.mktemp("emulated"), *EMULATED)


# What the programs draw ---------------------------------------------------------------------------


def five_tensors():
    """Return the bytes of c_program."""
    part = np.zeros((33, 17), np.uint16, order="F")
    wi.uniform((100, 17), low=-1, dtype="bfloat16", rng=7, index=np.s_[5:70:2], out=part)
    arrays = (
        wi.normal(1000, mean=0.5, std=0.02, rng=7, stream="layer.weight"),
        part.T,
        wi.truncated_normal(100, lower=-1, upper=3, dtype="float64", rng=7, stream=9),
        wi.he_normal((64, 3, 7, 7), rng=7),
        wi.normal((10, 16), rng=7, rows=[3, 10**12, 0, 3]),
    )
    return b"".join(np.ascontiguousarray(a).tobytes() for a in arrays)


def glorot():
    """Return the bytes of cpp_threads."""
    return wi.xavier_uniform((1000, 300), rng=7, stream=1).tobytes()


def rows_on_demand():
    """Return the bytes of embedding_store."""
    batches = ([5, 900_000_000_000, 5, 0], [7, 5], [123_456_789, 0, 7, 8])
    rows = [wi.normal((1, 24), std=0.05, rng=7, stream="users", rows=batch) for batch in batches]
    return b"".join(r.tobytes() for r in rows)


PROGRAMS = {
    "c_program": five_tensors,
    "cpp_threads": glorot,
    "embedding_store": rows_on_demand,
}


@pytest.mark.parametrize("example", PROGRAMS)
def test_a_program_from_the_wheel(example, environment):
    fresh = environment(example, "cmake")
    assert fresh.cmake(example) == PROGRAMS[example]()


def c_program(build, engine, kind, *options):
    """Build c_program with the library of an installed engine; return the program."""
    cmake = shutil.which("cmake")
    options += (f"-Dweightinit_fast_ROOT={engine}", f"-DWITH={kind}")
    run(cmake, "-S", HERE / "c_program", "-B", build, *options)
    run(cmake, "--build", build)
    return build / "example"


@pytest.mark.parametrize("kind", ["static", "shared"])
def test_a_program_from_an_installed_engine(kind, engine, tmp_path):
    assert run(c_program(tmp_path, engine, kind)) == five_tensors()


@pytest.mark.parametrize("kind", ["static", "shared"])
def test_a_program_on_aarch64(kind, emulated_engine, tmp_path):
    program = c_program(tmp_path, emulated_engine, kind, *EMULATED)
    assert run(*EMULATOR, program) == five_tensors()


@pytest.mark.skipif(not shutil.which("x86_64-w64-mingw32-gcc"), reason="no compiler for Windows")
def test_the_engine_and_a_program_are_built_for_windows(tmp_path):
    """They are not run, since the tests have no Windows."""
    engine = installed_engine(tmp_path / "engine", *MINGW)
    for kind in ("static", "shared"):
        cmake = shutil.which("cmake")
        where = f"-Dweightinit_fast_DIR={engine / 'lib' / 'cmake' / 'weightinit_fast'}"
        build = tmp_path / kind
        run(cmake, "-S", HERE / "c_program", "-B", build, where, f"-DWITH={kind}", *MINGW)
        run(cmake, "--build", build)
        assert (build / "example.exe").exists()


def built_by_pkg_config(source, program, engine, *options):
    """Compile a program with the flags that pkg-config prints; return it."""
    found = {"PKG_CONFIG_PATH": str(next(engine.glob("lib*/pkgconfig")))}
    static = ["--static"] if "-static" in options else []
    flags = run("pkg-config", *static, "--cflags", "--libs", "weightinit_fast", **found).decode()
    run("cc", "-std=c11", *options, source, *shlex.split(flags), "-o", program)
    return program


needs_pkg_config = pytest.mark.skipif(not shutil.which("pkg-config"), reason="no pkg-config")


@needs_pkg_config
@pytest.mark.parametrize("static", [False, True])
def test_a_program_by_pkg_config(static, engine, tmp_path):
    library = str(next(engine.glob("lib*/pkgconfig")).parent)
    options = ["-static"] if static else []
    source = HERE / "c_program" / "main.c"
    program = built_by_pkg_config(source, tmp_path / "example", engine, *options)
    assert run(program, LD_LIBRARY_PATH="" if static else library) == five_tensors()


@needs_pkg_config
def test_an_engine_without_threads_and_without_a_shared_library(bare_engine, tmp_path):
    """pkg-config names the libraries that the static library needs, without being asked for them.

    The folder of the installation may be moved.
    """
    moved = shutil.copytree(bare_engine, tmp_path / "moved")
    source = HERE / "c_program" / "main.c"
    assert run(built_by_pkg_config(source, tmp_path / "one", moved)) == five_tensors()
    assert run(c_program(tmp_path / "build", moved, "static")) == five_tensors()


@needs_pkg_config
def test_threads_of_the_caller_in_an_engine_without_threads(bare_engine, tmp_path):
    source = ROOT / "tests" / "capi" / "own_threads.c"
    program = built_by_pkg_config(source, tmp_path / "example", bare_engine, "-pthread")
    assert int(run(program, WEIGHTINIT_FAST_ISA="scalar")) > 1  # it is slow enough to be heard of


@needs_pkg_config
@pytest.mark.parametrize("options", [[], ["--static"]])
def test_a_program_from_the_wheel_by_pkg_config(options, environment, tmp_path):
    """The wheel has the static library alone, whose own libraries no option has to ask for."""
    folder = environment("pkg-config").cmake_dir().parents[1] / "pkgconfig"
    command = ["pkg-config", *options, "--cflags", "--libs", "weightinit_fast"]
    flags = run(*command, PKG_CONFIG_PATH=str(folder)).decode()
    program = tmp_path / "example"
    source = HERE / "c_program" / "main.c"
    run("cc", "-std=c11", source, *shlex.split(flags), "-o", program)
    assert run(program) == five_tensors()


@pytest.mark.skipif(not shutil.which("nm"), reason="no nm")
def test_the_shared_library_shows_its_functions_alone(engine):
    library = next(engine.glob("lib*/libweightinit_fast.so"))
    shown = run("nm", "-D", "--defined-only", library).decode()
    names = {line.split()[-1] for line in shown.splitlines()}
    header = (engine / "include" / "weightinit_fast.h").read_text(encoding="utf-8")
    functions = set(re.findall(r"^WIF_API [^;]*?\b(wif_\w+)\(", header, re.MULTILINE))
    assert names == functions | {"weightinit_fast_pool"}


# The page about all this --------------------------------------------------------------------------


def on_the_page(language, part):
    """Return the block of docs/c-api.md in this language that has a part."""
    page = ROOT / "docs" / "c-api.md"
    if not page.is_file():
        pytest.skip("no docs/ beside these tests")
    blocks = re.findall(rf"^```{language}\n(.*?)^```", page.read_text("utf-8"), re.M | re.S)
    (block,) = (block for block in blocks if part in block)
    return block


def test_the_program_of_the_page_by_cmake(engine, tmp_path):
    cmake = shutil.which("cmake")
    (tmp_path / "main.c").write_text(on_the_page("c", "int main"))
    (tmp_path / "CMakeLists.txt").write_text(on_the_page("cmake", "project(program"))
    build = tmp_path / "build"
    run(cmake, "-S", tmp_path, "-B", build, f"-DCMAKE_PREFIX_PATH={engine}")
    run(cmake, "--build", build)
    assert run(build / "program") == b""


@pytest.mark.skipif(not shutil.which("pkg-config"), reason="no pkg-config")
def test_the_program_of_the_page_by_pkg_config(engine, tmp_path):
    (tmp_path / "main.c").write_text(on_the_page("c", "int main"))
    libraries = next(engine.glob("lib*/pkgconfig")).parent
    for command in on_the_page("sh", "pkg-config").splitlines():
        where = {"PKG_CONFIG_PATH": f"{libraries}/pkgconfig", "LD_LIBRARY_PATH": str(libraries)}
        run("sh", "-ec", f"cd '{tmp_path}'; eval {command}; ./program; rm program", **where)


def test_the_cython_module_of_the_page(environment):
    fresh = environment("page", "cython>=3.1", "setuptools>=70")
    (fresh.folder / "page.pyx").write_text(on_the_page("cython", "def fill"))
    here = f"import os, sys; os.chdir({str(fresh.folder)!r}); sys.path.insert(0, '.')"
    fresh.python(f"""
{here}
from Cython.Build import cythonize
from setuptools import Extension, setup
import weightinit_fast
module = Extension("page", ["page.pyx"], include_dirs=[weightinit_fast.get_include()])
setup(ext_modules=cythonize([module]), script_args=["build_ext", "--inplace"])
""")
    drawn = fresh.python(f"""
{here}
import numpy as np
import page
out = np.zeros(1000, np.float32)
page.fill(out, 7)
sys.stdout.buffer.write(out.tobytes())
""")
    assert drawn == wi.uniform(1000, low=-1, rng=7).tobytes()


# Extension modules --------------------------------------------------------------------------------


def test_cython_with_scikit_build_core(environment, wheel):
    fresh = environment("skbuild")
    fresh.install_example("cython_skbuild", wheel.parent)
    drawn = fresh.python("""
import sys
import numpy as np
import wif_example_skbuild as example
assert example.refusal() == "a pointer that is needed is NULL"
out = np.zeros((50, 20), np.float32)
example.word_vectors(out, 7)
sys.stdout.buffer.write(out.tobytes())
""")
    assert drawn == wi.uniform((50, 20), low=-0.025, high=0.025, rng=7).tobytes()


def test_cython_with_setuptools(environment, wheel):
    fresh = environment("setuptools")
    fresh.install_example("cython_setuptools", wheel.parent)
    drawn = fresh.python("""
import sys
import numpy as np
from wif_example_setuptools import Truncated, he_truncated
out, matrix = np.zeros(1000), np.zeros((30, 40), np.float32)
Truncated(-1, 3).draw(out, 7, 9)
he_truncated(matrix, 7)
sys.stdout.buffer.write(out.tobytes() + matrix.tobytes())
try:
    Truncated(3, -1)
except ValueError as error:
    assert "a parameter is not finite" in str(error)
else:
    raise SystemExit("a bad interval was taken")
""")
    truncated = wi.truncated_normal(1000, lower=-1, upper=3, dtype="float64", rng=7, stream=9)
    he = wi.variance_scaling((30, 40), scale=2, distribution="truncated_normal", rng=7)
    assert drawn == truncated.tobytes() + he.tobytes()


@pytest.mark.parametrize("library", ["pybind11", "nanobind"])
def test_a_module_in_cpp(library, environment, wheel):
    fresh = environment(library)
    fresh.install_example(f"{library}_module", wheel.parent)
    drawn = fresh.python(f"""
import sys
import numpy as np
import wif_example_{library} as example
memory = np.zeros((70, 90), np.float32, order="F")
example.normal(memory[::-2, 10:80], 0.02, 7, "fc1.weight")
scalar = np.zeros((), np.float32)
example.normal(scalar, 0.02, 7, "fc1.weight")
sys.stdout.buffer.write(memory.tobytes() + scalar.tobytes())
try:
    example.normal(memory, -1, 7, "fc1.weight")
except ValueError as error:
    assert "is negative" in str(error)
else:
    raise SystemExit("a negative std was taken")
""")
    memory = np.zeros((70, 90), np.float32, order="F")
    wi.normal(out=memory[::-2, 10:80], std=0.02, rng=7, stream="fc1.weight")
    scalar = wi.normal((), std=0.02, rng=7, stream="fc1.weight")
    assert drawn == memory.tobytes() + scalar.tobytes()
