"""What a kernel's inner loop is made of: instructions by kind, and cycles, measured and predicted.

The command compiles the kernels of an instruction set with the flags of the engine's own build
(this needs gcc, x86-64 and objdump), finds the loop that streams whole groups of 32 words, and
counts its instructions. If llvm-mca is installed, it predicts the cycles of a group and the ports
that are busiest on Sapphire Rapids (llvm-mca's model of Zen 4 has no 512-bit AES). The column
"cycles here" has the cycles that a group takes on this machine: the time of fills in the
second-level cache, times the clock rate, which a chain of dependent additions shows.
"""

import argparse
import ctypes
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

import weightinit_fast as wi

from .. import internals
from ..report import results
from . import machine

MODELS = ("sapphirerapids",)
Instruction = tuple[int, str, str]

# Each addition waits for the one before, so that it takes a cycle. It adds a register: Golden Cove
# adds an immediate while it renames registers, and a chain of those showed a clock of 22 GHz there.
CLOCK = r"""
void chain_of(long n) { long x = 0, y = 1; while (n--) __asm__ volatile(
    "add %1, %0\n add %1, %0\n add %1, %0\n add %1, %0\n add %1, %0\n add %1, %0\n"
    "add %1, %0\n add %1, %0\n add %1, %0\n add %1, %0" : "+r"(x) : "r"(y)); }
"""


def kind(name: str) -> str:
    """Return the kind that an instruction counts as."""
    if name.startswith("vaes"):
        return "aes"
    if re.match(r"v(fn?m(add|sub)|mul)", name):
        return "fma"
    if name.startswith("vsqrt"):
        return "sqrt"
    if name.startswith("vmovnt"):
        return "store"
    if re.match(r"v(mov|broadcast|pbroadcast)", name):
        return "move"
    return "vector" if name.startswith(("v", "k")) else "scalar"


def inner_loops(listing: str) -> list[list[Instruction]]:
    """Return the bodies of all loops of a function, as objdump lists it."""
    found = re.findall(r"^\s*([0-9a-f]+):\s+(\S+)[ \t]*(.*)$", listing, re.MULTILINE)
    code = [(int(at, 16), name, operands) for at, name, operands in found]
    place = {at: k for k, (at, _, _) in enumerate(code)}
    loops = []
    for k, (at, name, operands) in enumerate(code):
        target = re.match(r"([0-9a-f]+) <", operands) if name.startswith("j") else None
        if target and int(target[1], 16) <= at and int(target[1], 16) in place:
            loops.append(code[place[int(target[1], 16)] : k + 1])
    return loops


def streaming_loop(listing: str, kernel: str) -> list[Instruction] | None:
    """Return the kernel's shortest loop that draws words and stores past the caches."""
    functions = re.split(r"^[0-9a-f]+ <([^>]+)>:$", listing, flags=re.MULTILINE)
    owned = [
        body
        for name, body in zip(functions[1::2], functions[2::2], strict=True)
        if name == f"draw_rows_{kernel}" or name.startswith(f"{kernel}_")
    ]

    def wanted(body: list[Instruction]) -> bool:
        kinds = {kind(name) for _, name, _ in body}
        return {"aes", "store"} <= kinds

    loops = [loop for body in owned for loop in inner_loops(body)]
    return min(filter(wanted, loops), key=len, default=None)


def predicted(body: list[Instruction], model: str, mca: str) -> tuple[float, str] | None:
    """Return llvm-mca's cycles for a group, and the three busiest ports with their cycles."""
    lines = [f"{name} {operands}" for _, name, operands in body if not name.startswith("j")]
    command = [mca, f"-mcpu={model}", "-iterations=200"]
    shown = subprocess.run(
        command, input="\n".join(lines), capture_output=True, text=True, check=False
    )
    cycles = re.search(r"Total Cycles:\s+(\d+)", shown.stdout)
    if shown.returncode or not cycles:
        return None
    names = re.findall(r"^\[([\d.]+)\]\s+- (\S+)", shown.stdout, re.MULTILINE)
    table = re.search(r"Resource pressure per iteration:\n.*\n(.*)\n", shown.stdout)
    pressure = table[1].split() if table else []
    busy = sorted(
        ((float(p), n) for (_, n), p in zip(names, pressure, strict=False) if p != "-"),
        reverse=True,
    )
    ports = ", ".join(f"{name} {cycles:.1f}" for cycles, name in busy[:3])
    return int(cycles[1]) / 200, ports


def clock_ghz(folder: Path) -> float:
    """Return the clock, as a chain of additions shows it."""
    library = folder / "clock.so"
    command = ["gcc", "-O2", "-shared", "-fPIC", "-xc", "-", "-o", str(library)]
    subprocess.run(command, input=CLOCK, text=True, check=True)
    chain = ctypes.CDLL(str(library)).chain_of
    chain.argtypes = [ctypes.c_long]
    best, loops = 0.0, 100_000  # of 10 additions; few, so that some chains are not interrupted
    for _ in range(200):
        started = time.perf_counter()
        chain(loops)
        best = max(best, 1e-8 * loops / (time.perf_counter() - started))
    return best


def measured_ns(transform: str, dtype: str, params: tuple[float, ...], isa: str) -> float:
    """Return the nanoseconds of a group of 32 words in the cache, without those of the call.

    Two sizes are filled. The difference of their best times is divided by the difference of their
    numbers of groups.
    """
    item = {"float32": 4, "float64": 8}.get(dtype, 2)
    whole = np.empty(192 << 10, np.uint8)
    whole = whole.view({2: "f2" if dtype == "float16" else "u2", 4: "f4", 8: "f8"}[item])
    parts = (whole[: whole.size // 3], whole)
    if transform == "TRUNCATED":
        params = internals.truncated_params(params, dtype)
    key, best = wi.key(0), [1.0, 1.0]
    with internals.selected(isa):
        for _ in range(600):
            for k, out in enumerate(parts):
                started = time.perf_counter()
                internals.fill(transform, out, dtype, params, key)
                best[k] = min(best[k], time.perf_counter() - started)
    groups = (parts[1].size - parts[0].size) * (2 if item == 8 else 1) / 32
    return 1e9 * (best[1] - best[0]) / groups


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    sets = internals.KERNEL_FLAGS
    parser.add_argument("--isa", default="avx512_vaes", choices=sets, help="(avx512_vaes)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")


def main(args: argparse.Namespace) -> int:
    """Compile, count, predict and measure."""
    if not (shutil.which("gcc") and shutil.which("objdump")):
        print("not measured: gcc and objdump are needed")
        return 0
    mca = next(filter(None, map(shutil.which, ("llvm-mca", "llvm-mca-19"))), None)
    runnable = args.isa in internals.RUNNABLE
    facts = machine.describe()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        ghz = clock_ghz(Path(folder))
        compiled = str(Path(folder, "isa.o"))
        compilation = internals.kernel_compilation(args.isa)
        subprocess.run(["gcc", *compilation, "-o", compiled], check=True)
        command = ["objdump", "-d", "--no-show-raw-insn", compiled]
        listing = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        heads = ("aes", "fma", "sqrt", "vector", "move", "scalar", "store", "all", "from memory")
        print(f"{machine.processor(facts['cpu'])}; commit {facts['commit'] or 'unknown'}")
        print(f"{args.isa}, a group of 32 words; the clock here: {ghz:.2f} GHz")
        print(f"{'':26}" + "".join(f"{h:>8}" for h in heads[:-1]) + "  mem  cycles here  predicted")
        for name, transform, dtype, params in internals.KERNELS:
            body = streaming_loop(listing, name)
            if body is None:
                print(f"{name:13}   no loop found")
                continue
            kinds = [kind(instruction) for _, instruction, _ in body]
            counts = {head: kinds.count(head) for head in heads[:-2]}
            counts["all"] = len(body)
            memory = sum("(" in operands for _, _, operands in body) - counts["store"]
            cycles = measured_ns(transform, dtype, params, args.isa) * ghz if runnable else None
            models = {m: predicted(body, m, mca) for m in MODELS} if mca else {}
            shown = "; ".join(f"{m} {p[0]:.1f} ({p[1]})" for m, p in models.items() if p)
            numbers = "".join(f"{counts[h]:>8}" for h in heads[:-1])
            here = f"{cycles:>11.1f}" if cycles else f"{'-':>11}"
            print(f"{name:26}{numbers}{memory:>5}  {here}  {shown}")
            rows.append(
                {"kernel": name, "counts": counts, "memory_operands": memory, "cycles": cycles}
                | {"predicted": models}
            )
    if args.json:
        document = {"machine": facts, "isa": args.isa, "ghz": ghz, "rows": rows}
        results.save(args.json, document)
    return 0 if rows else 1
