"""Pipe words into dieharder, and keep what it says.

``python tests/proof/batteries.py sequential`` builds tests/engine, pipes ``draws`` in that layout
into ``dieharder -g 200`` (Debian's package) and prints its verdicts; ``--keep`` writes them to
results/dieharder_LAYOUT.txt. It runs all tests that dieharder calls good, with the lagged sums of
lags 0, 3, 15 and 31; ``--all`` runs all 33 lags. The runs differ by their layout alone: every one
has the same key, digits of pi, and every test begins at the beginning of the layout.

dieharder calls a p-value WEAK within 0.005 of 0 or 1, which one in a hundred is by chance, and
FAILED within 0.000001. This command's exit code is 1 where one FAILED.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import time

from engine import RESULTS, build
from provenance import heading

KEY = ("0x243F6A8885A308D3", "0x13198A2E03707344")
LAYOUTS = ("sequential", "reversed", "streams", "keys", "shards")
VERDICT = re.compile(r"(\S+)\|\s*(\d+)\|\s*(\d+)\|\s*(\d+)\|([0-9.]+)\|\s*(\w+)")
#: Number of a test -> its tuples or lags. Tests that dieharder itself calls Suspect (5, 6 and 7:
#: OPSO, OQSO, DNA) or Do Not Use (14: sums) are left out.
TESTS = {
    **dict.fromkeys((*range(5), *range(8, 14), 15, 16, 17, 100, 101, 102), (0,)),
    200: range(1, 13),
    201: range(2, 6),
    202: range(2, 6),
    203: (0, 3, 15, 31),
    **dict.fromkeys(range(204, 210), (0,)),
}


def verdicts(program, layout, isa, number, tuple_):
    """Run one test; return its verdicts and how many bytes it took."""
    source = [program, isa, "words", layout, *KEY, "0"]
    battery = ["dieharder", "-g", "200", "-d", str(number), "-n", str(tuple_)]
    with subprocess.Popen(source, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as words:
        said = subprocess.run(
            battery, stdin=words.stdout, capture_output=True, text=True, check=True
        ).stdout
        words.stdout.close()
        taken = int(words.stderr.read().split()[0])
    found = VERDICT.findall(said)
    if not found:
        raise SystemExit(f"{' '.join(battery)} said nothing: {said}")
    return found, taken


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("layout", choices=LAYOUTS)
    parser.add_argument("--isa", default="scalar", help="the set that draws (default %(default)s)")
    parser.add_argument("--all", action="store_true", help="lagged sums of every lag up to 32")
    parser.add_argument("--only", type=int, nargs="+", metavar="NUMBER")
    parser.add_argument("--keep", action="store_true")
    arguments = parser.parse_args()
    began, taken = time.monotonic(), 0
    lines = heading()
    found = []
    tests = TESTS | ({203: range(33)} if arguments.all else {})
    with tempfile.TemporaryDirectory() as folder:
        program = build(folder, targets=["draws"]) / "draws"
        for number in arguments.only or tests:
            for tuple_ in tests[number]:
                new, more = verdicts(program, arguments.layout, arguments.isa, number, tuple_)
                found += new
                taken += more
                lines += ["{:<22} {:>3} {:>9} {:>5} {} {}".format(*verdict) for verdict in new]
                print(*lines[-len(new) :], sep="\n", flush=True)
    failed, weak = (sum(v[5] == word for v in found) for word in ("FAILED", "WEAK"))
    edge = min(min(float(v[4]), 1 - float(v[4])) for v in found)
    lines += [
        f"{len(found)} p-values: {failed} failed, {weak} weak ({len(found) / 100:.1f} expected)",
        f"the nearest to 0 or 1 is so by {edge:.8f}",
        f"{taken} bytes, {time.monotonic() - began:.0f} s",
    ]
    print(*lines[-3:], sep="\n")
    if arguments.keep:
        name = f"dieharder_{arguments.layout}.txt"
        (RESULTS / name).write_text("\n".join(lines) + "\n")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
