"""Any bytes stand for a file of weights from a stranger: it is read, or refused by FormatError.

``python tests/models/fuzz_headers.py --seconds 600`` changes valid files at random, reads them, and
prints executions, refusals by kind and findings. test_readers.py repeats a small sample.

A finding is an exception other than FormatError and OSError, a tensor outside its file, a time of
more than a second, or memory of more than 64 times the file's size and 16 MiB.
"""

import argparse
import collections
import random
import re
import sys
import tempfile
import time
import traceback
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).resolve().parents[1])]

from support.internals import readers
from weight_files import npy_bytes, npz_bytes, safetensors_of

#: Texts that a header may have in the place of others.
WORDS = (
    *(b"0", b"1", b"-1", b"9223372036854775807", b"18446744073709551616", b"1e400", b"NaN", b"2.5"),
    *(
        b"[",
        b"]",
        b"{",
        b"}",
        b"(",
        b")",
        b",",
        b":",
        b'"',
        b"'",
        b"\\",
        b"\\ud800",
        b"\0",
        b"\xff",
    ),
    *(b"true", b"null", b"True", b"None", b"F32", b"BF16", b"F4", b"F6_E2M3", b"C64", b"U64"),
    *(b'"dtype"', b'"shape"', b'"data_offsets"', b'"__metadata__"', b'"weight_map"', b'"a"'),
    *(b"'descr'", b"'|O'", b"'>f8'", b"'<f4'", b"'|V2'", b"'fortran_order'", b"'shape'", b"10L"),
    *(b"../", b"/etc/passwd", b"model-00001.safetensors", b"PK\3\4", b"PK\1\2", b"PK\5\6"),
    *(b"[" * 2000, b"{" * 300, b"(" * 500, b"9" * 5000, b'{"a":' * 1000, b"-" * 900),
)
SECONDS = 1.0
#: The index of a folder of .npy files, which is read by the path of its folder.
NPY_INDEX = "tensors.json"


class Finding(Exception):  # noqa: N818
    """Something that must not happen."""


def valid_files():
    """Return suffix -> valid files that are changed."""
    two = {"a": ("F32", np.ones((2, 3), "f4")), "b.weight": ("BF16", np.zeros(4, "u2"))}
    many = {f"h.{n}.w": ("F16", np.zeros((n, 2), "f2")) for n in range(9)}
    arrays = [
        np.arange(6.0).reshape(2, 3),
        np.asfortranarray(np.ones((3, 2, 2), ">f4")),
        np.zeros((), "u1"),
        np.zeros((0, 7), "i8"),
    ]
    entries = {f"arr_{n}.npy": npy_bytes(array) for n, array in enumerate(arrays)}
    index = (
        b'{"metadata": {"total_size": 32}, "weight_map": '
        b'{"a": "model-00001.safetensors", "b.weight": "model-00001.safetensors"}}'
    )
    return {
        ".safetensors": [safetensors_of(two), safetensors_of(many), safetensors_of({})],
        ".npy": [npy_bytes(a, v) for a in arrays for v in ((1, 0), (2, 0), (3, 0))],
        ".npz": [
            npz_bytes(entries),
            npz_bytes(entries, zipfile.ZIP_DEFLATED),
            npz_bytes({"zeros.npy": npy_bytes(np.zeros(5000))}, zipfile.ZIP_DEFLATED),
        ],
        ".safetensors.index.json": [index],
        NPY_INDEX: [
            b'{"tensors": {"w": {"file": "w.npy", "dtype": "bfloat16", "shape": [2, 3]}, '
            b'"../v": {"file": "v.npy", "dtype": "float32", "shape": [4]}}}'
        ],
    }


def changed(data, rng):
    """Return bytes with one to four changes."""
    data = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        at = rng.randrange(len(data) + 1)
        end = min(len(data), at + rng.choice((1, 1, 2, 4, 8, 40)))
        kind = rng.randrange(8)
        if kind == 0:
            data[at:end] = rng.randbytes(end - at)
        elif kind == 1 and at < len(data):
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 2:
            del data[at:end]
        elif kind == 3:
            data[at:at] = rng.choice(WORDS)
        elif kind == 4:
            data[at:end] = rng.choice(WORDS)
        elif kind == 5:
            other = rng.randrange(len(data) + 1)
            data[at:at] = data[other : other + rng.choice((1, 8, 40, 200))]
        elif kind == 6:
            # A number of another size, in text.
            numbers = list(re.finditer(rb"\d+", data))
            if numbers:
                place = rng.choice(numbers)
                value = rng.choice((0, 1, 7, 2**31, 2**32, 2**62, 2**63, 2**64 - 1, 10**30))
                data[place.start() : place.end()] = str(value).encode()
        else:
            # A number of another size, in binary.
            width = rng.choice((1, 2, 4, 8))
            value = rng.choice((0, 1, 255, 65535, 2**31, 2**32 - 1, 2**63, 2**64 - 1, len(data)))
            data[at : at + width] = (value % 256**width).to_bytes(width, "little")
    if rng.randrange(4) == 0 and data[8:9] == b"{":
        # Most changes of a safetensors header change its length: make it fit again.
        end = data.rfind(b"}") + 1
        data[:8] = max(0, end - 8).to_bytes(8, "little")
    return bytes(data)


def judge(path):
    """Read a file; return None or the refusal; raise Finding for whatever must not happen."""
    size = path.stat().st_size
    begin = time.process_time()
    tracemalloc.reset_peak()
    held = tracemalloc.get_traced_memory()[0]
    try:
        tensors = readers.read_tensors(path.parent if path.name == NPY_INDEX else path)
        refusal = None
        for tensor in tensors.values():
            check(tensor)
    except (readers.FormatError, OSError) as error:
        refusal = error
        if len(str(error)) > 600:
            raise Finding(f"a message of {len(str(error))} characters") from error
    peak = tracemalloc.get_traced_memory()[1] - held
    if time.process_time() - begin > SECONDS:
        raise Finding("it took more than a second")
    if tracemalloc.is_tracing() and peak > 64 * size + (16 << 20):
        raise Finding(f"it took {peak} bytes for a file of {size}")
    return refusal


def check(tensor):
    """Read what a header promises, within a bound."""
    size = tensor.file.stat().st_size
    if tensor.member is None and tensor.begin + tensor.nbytes > size:
        raise Finding(f"{tensor} ends after its file of {size} bytes")
    if tensor.nbytes > 1100 * size:
        raise Finding(f"{tensor} is too large for its file of {size} bytes")
    str(tensor)
    tensor.name.encode()
    if readers.is_readable(tensor.dtype):
        seen = 0
        for piece in readers.read_pieces(tensor, 1000):
            seen += readers.as_numbers(piece, tensor.dtype).size
        if seen != tensor.size:
            raise Finding(f"{seen} elements of {tensor}")


def run(rng, folder, files):
    """Change one file, and read it; return its suffix and the refusal."""
    suffix = rng.choice(tuple(files))
    path = folder / ("npy/tensors.json" if suffix == NPY_INDEX else f"x{suffix}")
    path.write_bytes(changed(rng.choice(files[suffix]), rng))
    return path, suffix, judge(path)


def prepare(folder):
    """Write the files that valid indexes name."""
    files = valid_files()
    (folder / "npy").mkdir()
    (folder / "npy/w.npy").write_bytes(npy_bytes(np.ones((2, 3), "u2")))
    (folder / "npy/v.npy").write_bytes(npy_bytes(np.ones(4, "f4")))
    (folder / "model-00001.safetensors").write_bytes(files[".safetensors"][0])
    return files


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="of CPU time")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    counts, findings = collections.Counter(), []
    messages = set()
    tracemalloc.start()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = prepare(folder)
        while time.process_time() < arguments.seconds and len(findings) < 10:
            state = rng.getstate()
            try:
                _, suffix, refusal = run(rng, folder, files)
                counts[suffix, "read" if refusal is None else type(refusal).__name__] += 1
                if refusal is not None:
                    messages.add(re.sub(r"'[^']*'|\"[^\"]*\"|\d+", "_", str(refusal))[:120])
            except Exception:
                rng.setstate(state)
                suffix = rng.choice(tuple(files))
                data = changed(rng.choice(files[suffix]), rng)
                findings.append((suffix, data))
                text = traceback.format_exc()
                print(f"finding in {suffix}: {data[:2000]!r}", text[-1000:], sep="\n")
    print(f"{sum(counts.values())} executions in {arguments.seconds:.0f} s of CPU time")
    for (suffix, outcome), count in sorted(counts.items()):
        print(f"  {suffix}: {outcome} {count}")
    print(f"{len(messages)} kinds of refusal")
    print(f"{len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
