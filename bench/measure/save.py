"""save of a large bfloat16 model into shards, beside plain writes of as many ready bytes.

Every figure comes from a fresh process (workers/save_worker.py), and every repetition goes once
through all ways, folders and numbers of threads, in a shuffled order. "pwrite" writes the same
MiB of random bytes again and again, with as many threads and files; "dd" copies /dev/zero with one
thread. All of them wait until their bytes are on the disk (fsync). The column "of pwrite" is the
rate of save beside that of pwrite (the faster of pwrite and pwrite O_DIRECT), in medians. The
column "KiB" is the peak memory beyond the interpreter and its imports. The exit status is 1 if it
is above 64 MiB.
"""

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from ..report import results
from ..workers.save_worker import BLOCK, DIRECT, PLAIN, SAVE
from . import machine

LIMIT_KIB = 64 << 10
DD = "dd"
WORKER = Path(__file__).parent.parent / "workers/save_worker.py"
#: Folders to write to, unless --folders names others: memory, and the disk that has this clone.
MEMORY = Path("/dev/shm")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--quick", action="store_true", help="0.5 GB in 4 files, 3 repetitions")
    parser.add_argument("--gb", type=float, default=8.0, help="size of the model (8)")
    parser.add_argument("--files", type=int, default=32, help="how many shards (32)")
    parser.add_argument("--repeats", type=int, default=5, help="how often each way runs (5)")
    parser.add_argument("--threads", type=int, nargs="+", metavar="N", help="(1 and all)")
    parser.add_argument(
        "--folders", type=Path, nargs="+", metavar="DIR", help="(/dev/shm and the current folder)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")


def once(way: str, parent: Path, nbytes: int, files: int, threads: int) -> results.Row:
    """Run one way in a process of its own, and delete what it wrote."""
    with tempfile.TemporaryDirectory(dir=parent, prefix="weightinit_fast-bench-") as folder:
        if way == DD:
            blocks = nbytes // BLOCK
            command = ["dd", "if=/dev/zero", f"of={folder}/x", "bs=1M", f"count={blocks}"]
            begun = time.perf_counter()
            subprocess.run([*command, "conv=fsync"], check=True, capture_output=True)
            return {"bytes": blocks * BLOCK, "seconds": time.perf_counter() - begun, "kib": 0}
        arguments = [way, f"{folder}/model", *map(str, (nbytes, files, threads))]
        command = [sys.executable, str(WORKER), *arguments]
        shown = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        row: results.Row = json.loads(shown.stdout.splitlines()[-1])
        return row


def main(args: argparse.Namespace) -> int:
    """Measure; return 1 if save took more memory than is allowed."""
    if not Path("/proc/self/status").exists():
        print("not measured: this system has no /proc/self/status")
        return 0
    gb, files, repeats = (0.5, 4, 3) if args.quick else (args.gb, args.files, args.repeats)
    nbytes = int(gb * 1e9)
    facts = machine.describe()
    folders = args.folders or [MEMORY, Path.cwd()]
    folders = [folder for folder in folders if folder.is_dir()]
    for folder in folders:
        free = shutil.disk_usage(folder).free
        if folder == MEMORY:
            free = min(free, machine.free_bytes())
        if free < 1.2 * nbytes:
            print(f"{folder} has {free / 1e9:.1f} GB free: pass a smaller --gb", file=sys.stderr)
            return 2
    counts = args.threads or sorted({1, facts["cpu"]["cpus"]})
    ways = [(way, folder, n) for folder in folders for n in counts for way in (SAVE, PLAIN, DIRECT)]
    if shutil.which("dd"):
        ways += [(DD, folder, 1) for folder in folders]
    print(machine.heading(facts, {}))
    print(f"{gb} GB of bfloat16 in {files} files, {repeats} repetitions\n")
    found: dict[tuple[str, Path, int], list[results.Row]] = {way: [] for way in ways}
    for _ in range(repeats):
        random.shuffle(ways)
        for way, folder, threads in ways:
            found[way, folder, threads].append(once(way, folder, nbytes, files, threads))
    rows = [_row(*case, runs) for case, runs in found.items()]
    _print(rows)
    if args.json:
        settings = {"quick": args.quick, "gb": gb, "files": files, "repeats": repeats}
        results.save(args.json, machine.document(facts, "save", settings, rows, {}))
    return int(any(row["kib"] > LIMIT_KIB for row in rows if row["way"] == SAVE))


def _row(way: str, folder: Path, threads: int, runs: list[results.Row]) -> results.Row:
    place = "memory" if folder == MEMORY else "disk"
    nbytes, seconds = runs[0]["bytes"], [run["seconds"] for run in runs]
    return {
        "name": f"save {way} {folder.name if place == 'disk' else place} t{threads}",
        "way": way,
        "place": place if folder in (MEMORY, Path.cwd()) else str(folder),
        "threads": threads,
        "bytes": nbytes,
        "samples": 1,
        "seconds": seconds,
        "median_gbs": nbytes / median(seconds) / 1e9,
        "best_gbs": nbytes / min(seconds) / 1e9,
        "cpu_seconds": [run.get("cpu_seconds", 0.0) for run in runs],
        "kib": max(run["kib"] for run in runs),
    }


def _print(rows: list[results.Row]) -> None:
    print(f"{'place':8} {'threads':>7}  {'way':16} {'GB/s':>6} {'best':>6} {'cpu ns/B':>9}", end="")
    print(f" {'KiB':>7}  of pwrite")
    for row in rows:
        cpu = median(row["cpu_seconds"]) / row["bytes"] * 1e9
        line = f"{row['place']:8} {row['threads']:>7}  {row['way']:16} {row['median_gbs']:6.2f}"
        line += f" {row['best_gbs']:6.2f} {cpu:9.3f} {row['kib']:>7}"
        if row["way"] == SAVE:
            plain = [
                other["median_gbs"]
                for other in rows
                if other["way"] in (PLAIN, DIRECT)
                and (other["place"], other["threads"]) == (row["place"], row["threads"])
            ]
            line += f"  {row['median_gbs'] / max(plain):.2f}"
        print(line)
