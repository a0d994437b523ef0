"""Install a wheel from an index into a root that has Python and no compiler, and run the main job.

    python .ci/bare_root.py wheelhouse [ROOT]

makes a Debian of nothing but its base system and the package python3-venv (by debootstrap, as root)
in the folder ROOT, or takes what an earlier run left there. It serves the wheels of the folder, and
NumPy's beside them, as a package index on this machine, which is the only index that pip asks. Then
the script shows which compilers the root has, installs the package by its name, writes the file of
the README's main job and compares its SHA-256, and times imports.
"""

import functools
import http.server
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
COMPILERS = "gcc cc clang c99 tcc g++ make cmake ninja"

# What runs within the root, as one script of sh.
SCRIPT = """
set -e
cd /tmp && rm -rf job && mkdir job && cd job
for tool in {compilers}; do
    if command -v $tool; then echo "the root has the compiler or tool $tool"; exit 1; fi
done
echo "no {compilers}"
python3 -m venv venv
. venv/bin/activate
pip install --no-cache-dir --quiet --disable-pip-version-check --index-url {index} weightinit_fast
pip list --disable-pip-version-check
python -c 'import weightinit_fast as wi; print(wi.info())'
python -m weightinit_fast init gpt2 -o gpt2.safetensors
echo "{digest}  gpt2.safetensors" | sha256sum --check
rm gpt2.safetensors
"""

# Microseconds of an import without NumPy's, and of NumPy's: each the least of ten processes.
IMPORTS = """
import re, subprocess, sys
def cumulative(name):
    command = [sys.executable, "-X", "importtime", "-c", f"import {name}"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    return {k.strip(): int(v) for v, k in re.findall(r"\\|\\s*(\\d+) \\|( *\\S+)", text)}
both = [cumulative("weightinit_fast") for _ in range(10)]
alone = [cumulative("numpy")["numpy"] for _ in range(10)]
own = min(b["weightinit_fast"] - b["numpy"] for b in both)
print(f"import numpy: {min(alone) / 1000:.1f} ms; import weightinit_fast: {own / 1000:.1f} ms more")
"""


def make_root(root: Path) -> None:
    """Make a Debian that has Python and no compiler."""
    if (root / "usr/bin/python3").exists():
        return
    packages = "--include=python3-venv"
    subprocess.run(["debootstrap", "--variant=minbase", packages, "bookworm", root], check=True)


def make_index(folder: Path, wheels: Path, python: str) -> None:
    """Lay out an index: a folder for each package, with its wheels."""
    for name in ("weightinit-fast", "numpy"):
        (folder / "simple" / name).mkdir(parents=True)
    for wheel in wheels.glob("weightinit_fast-*.whl"):
        shutil.copy(wheel, folder / "simple" / "weightinit-fast")
    target = folder / "simple" / "numpy"
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    subprocess.run([*pip, "--python-version", python, "--dest", target, "numpy"], check=True)


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files, and does not write a line for each."""

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


def main() -> None:
    """Do what the docstring says."""
    wheels = Path(sys.argv[1])
    readme = (REPOSITORY / "README.md").read_text("utf-8")
    (digest,) = re.findall(r"^SHA-256 ([0-9a-f]{64})$", readme, re.MULTILINE)
    with tempfile.TemporaryDirectory() as work:
        root = Path(sys.argv[2] if len(sys.argv) > 2 else Path(work, "root"))
        make_root(root)
        # An environment of its own: pip's settings and paths of this machine stay outside.
        inside = ["chroot", root, "env", "-i", "PATH=/usr/bin:/bin", "HOME=/root"]
        version = "import sys; print('%d.%d' % sys.version_info[:2])"
        python = subprocess.check_output([*inside, "python3", "-c", version], text=True).strip()
        make_index(Path(work), wheels, python)
        handler = functools.partial(Quiet, directory=work)
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            index = f"http://127.0.0.1:{server.server_port}/simple/"
            script = SCRIPT.format(compilers=COMPILERS, index=index, digest=digest)
            done = subprocess.run([*inside, "sh", "-c", script], check=False)
            server.shutdown()
        if done.returncode:
            raise SystemExit(done.returncode)
        subprocess.run([*inside, "/tmp/job/venv/bin/python", "-c", IMPORTS], check=True)
        shutil.rmtree(root / "tmp/job")


if __name__ == "__main__":
    os.umask(0o022)
    main()
