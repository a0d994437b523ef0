"""The accuracy of truncated normals, and their moments, for near, far and one-sided bounds.

    python tests/proof/truncated_accuracy.py            10^6 words, 10^8 for the moments; slow
    python tests/proof/truncated_accuracy.py --words 20000 --moments 1000000

It needs mpmath. The exit code is 1 where an element leaves the bound of the stream contract, or
where a mean or a variance is more than MOST_SIGMAS standard errors from the exact one.

The error of an element y of word W is judged by its probability: z - y is (P - Phi(y))/phi(y) with
P = Phi(lower) + p (Phi(upper) - Phi(lower)), to second order, which leaves out 10^-7 of the
error. Phi is counted from the tail that y lies in. The bound is the stream contract's, for mean 0
and std 1: 2^-20 max(1, |z|) + 2^-23 |y|; in float64 the two factors are 2^-48 and 2^-52.
"""

import argparse
import math
import sys
from pathlib import Path

import mpmath as mp
import numpy as np

import weightinit_fast as wi

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from support.internals import core

INF = math.inf
INTERVALS = ((-2, 2), (-8, 8), (0, INF), (3, 4), (5, 8), (-8, -7.5), (-100, 100))
#: Bits of a word -> (dtype, the two factors of the bound, the most words that are judged).
FAMILIES = {32: ("f4", 2.0**-20, 2.0**-23, None), 64: ("f8", 2.0**-48, 2.0**-52, 20_000)}
KEY = wi.Key(0x243F6A8885A308D3, 0x13198A2E03707344)  # digits of pi
SLAB = 1 << 22
MOST_SIGMAS = 6.0  # a random key has one of the 14 scores beyond this with p = 3·10^-8


def words(count: int, bits: int) -> np.ndarray:
    """Return the first words of the stream, unsigned, of the family's width."""
    out = np.empty(count * bits // 32, np.uint32)
    core.fill(out, core.WORDS, 0, (), KEY, 0, 0, None, 1)
    return out if bits == 32 else out.view("<u8")


def tail(z: mp.mpf) -> mp.mpf:
    """Return 1 - Phi(z)."""
    return mp.erfc(z * mp.sqrt(0.5)) / 2


def error(y: float, word: int, bits: int, lower: mp.mpf, upper: mp.mpf) -> mp.mpf:
    """Return z - y, where z is the exact value that the word stands for."""
    p = mp.ldexp(2 * word + 1, -bits - 1)
    sign = 1 if y < 0 else -1
    # Where y > 0 the interval is mirrored, so that everything is counted from the lower tail.
    low, high, p = (lower, upper, p) if sign > 0 else (-upper, -lower, 1 - p)
    beyond = tail(-low)
    mass = tail(-high) - beyond if high < 0 else 1 - tail(high) - beyond
    magnitude = mp.mpf(abs(y))
    return sign * (beyond + p * mass - tail(magnitude)) / mp.npdf(magnitude)


def judge(bits: int, count: int, interval: tuple[float, float]) -> tuple[bool, str]:
    """Return whether the bound is kept, and a line: the largest error and the z that has it."""
    dtype, factor, rounding, most = FAMILIES[bits]
    count = min(count, most or count)
    y = wi.truncated_normal(count, lower=interval[0], upper=interval[1], dtype=dtype, rng=KEY)
    mp.mp.prec = 80 if bits == 32 else 120
    lower, upper = map(mp.mpf, interval)
    worst = (0.0, 0.0, 0.0)
    for value, word in zip(y.tolist(), words(count, bits).tolist(), strict=True):
        size = float(abs(error(value, word, bits, lower, upper)))
        bound = factor * max(1.0, abs(value)) + rounding * abs(value)
        worst = max(worst, (size / bound, size / max(1.0, abs(value)), value))
    ratio, size, where = worst
    return ratio <= 1, (
        f"{dtype}  {count:>9,}  2^{math.log2(size):.2f} max(1, |z|)  {ratio:.3f} of the bound  "
        f"z = {where:.4f}"
    )


def moments(count: int, interval: tuple[float, float]) -> tuple[bool, str]:
    """Return whether mean and variance are near the exact ones, and a line with all of them."""
    mp.mp.prec = 200
    a, b = (mp.mpf(z) for z in interval)
    mass = tail(a) - tail(b)
    ends = [(z, mp.npdf(z) if mp.isfinite(z) else mp.mpf(0)) for z in (a, b)]
    slopes = [z * density if mp.isfinite(z) else 0 for z, density in ends]
    mean = (ends[0][1] - ends[1][1]) / mass
    variance = float(1 + (slopes[0] - slopes[1]) / mass - mean**2)
    mean = float(mean)
    sums = np.zeros(4)
    for start in range(0, count, SLAB):
        index = np.s_[start : min(start + SLAB, count)]
        options = {"lower": interval[0], "upper": interval[1], "rng": KEY, "index": index}
        gap = wi.truncated_normal(count, **options).astype("f8") - mean
        square = gap * gap
        sums += gap.sum(), square.sum(), (square * square).sum(), len(gap)
    found_mean, found_variance, fourth = sums[:3] / sums[3]
    scores = (
        found_mean / math.sqrt(variance / count),
        (found_variance - variance) / math.sqrt((fourth - found_variance**2) / count),
    )
    return max(map(abs, scores)) <= MOST_SIGMAS, (
        f"mean {mean + found_mean:.7f} ({mean:.7f}), variance {found_variance:.7f} "
        f"({variance:.7f}), scores {scores[0]:+.2f} {scores[1]:+.2f}"
    )


def main() -> int:
    """Print the tables; return 1 where a line of them is out of its bounds."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--words", type=int, default=1_000_000)
    parser.add_argument("--moments", type=int, default=100_000_000)
    options = parser.parse_args()
    kept = True

    def report(interval: tuple[float, float], found: tuple[bool, str]) -> None:
        nonlocal kept
        kept &= found[0]
        warning = "" if found[0] else "  OUT OF BOUNDS"
        print(f"({interval[0]:>4}, {interval[1]:>4})  {found[1]}{warning}", flush=True)

    print(
        f"weightinit_fast {wi.__version__}, {wi.info()['isa']}; z against mpmath {mp.__version__}"
    )
    for bits in FAMILIES:
        for interval in INTERVALS:
            report(interval, judge(bits, options.words, interval))
    print(f"moments of {options.moments:,} float32 elements, the exact ones in brackets")
    for interval in INTERVALS:
        report(interval, moments(options.moments, interval))
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
