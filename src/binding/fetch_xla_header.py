"""Fetch the header of XLA's foreign function interface, which the handler for JAX is built from.

``python src/binding/fetch_xla_header.py FOLDER`` takes the header from the wheel of jaxlib on the
package index, and prints the folder to pass as WIF_XLA_INCLUDE_DIR (see xla_ffi.cmake). It installs
nothing, and needs no compiler. The header is the same on all systems, so that the wheel is always
that for Linux. Its version is the oldest whose interface, 0.1, the handler uses; a handler that was
built with it works with older and newer versions of JAX.

The script also runs with the CPython 3.9 of the images in which wheels for Linux are built.
"""

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

# pip refuses a file with another digest, so that nobody can change the header of a release.
REQUIREMENT = (
    "jaxlib==0.6.0 --hash=sha256:b6d85b8d1fd79248b04503517201e72fcbcd3980cf791d37e814709ea50a3c82\n"
)
HEADER = "xla/ffi/api/c_api.h"


def fetch(folder):
    """Put the header into the folder, unless it is there."""
    target = Path(folder, HEADER)
    if target.exists():
        return
    with tempfile.TemporaryDirectory() as work:
        wanted = Path(work, "requirements.txt")
        wanted.write_text(REQUIREMENT, encoding="utf-8")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--only-binary=:all:", "--python-version", "3.12", "--implementation", "cp"]
        command += ["--platform", "manylinux2014_x86_64", "--require-hashes", "-r", str(wanted)]
        subprocess.run([*command, "--dest", work], check=True)
        (wheel,) = Path(work).glob("jaxlib-*.whl")
        with zipfile.ZipFile(wheel) as files:
            content = files.read(f"jaxlib/include/{HEADER}")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)


if __name__ == "__main__":
    fetch(sys.argv[1])
    print(Path(sys.argv[1]).resolve())
