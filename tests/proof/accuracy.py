"""The largest error of every transform, over every input in float32 and over many in float64.

The command runs the program ``accuracy`` of tests/engine. Its sweeps hand words to the kernels of
every vocabulary, and judge the results in double (float32) or long double (float64). The command
composes the bound of all 2^63 pairs of a normal from those of radius and angle, and judges chosen
words by mpmath.

``--step N`` visits one chunk of 2^16 words in N, for a quick look. ``--emulated`` judges the NEON
kernels by an AArch64 build under qemu. The exit code is 1 where a bound of the contract is not
kept, a uniform is not exact to the bit, or two sets differ.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import mpmath as mp
import numpy as np
from engine import RESULTS, build, cross
from provenance import heading

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from support.internals import truncation_interval

INF = float("inf")
UNIFORMS = ((0, 1), (-1, 1), (-0.1, 0.1), (-0.05, 0.25), (1, 1.00001), (-2e38, 3e38))
#: The first three use the quantile for bounds within 2.25, and the others the general one.
INTERVALS = (
    *((-2, 2), (-2.25, 2.25), (1, 2.25)),
    *((-8, 8), (0, INF), (-2, 3), (3, 4), (5, 8)),
)
FAR = ((-37, 37), (-INF, -36.5), (30, 31))  # for float64 alone
STDS = (1, 1.28)  # the coefficients of cosine and sine are rounded with the std
NARROW = ("float16", "bfloat16", "float8_e4m3fn", "float8_e5m2")
PAIRS, DOUBLES = 10**9, 10**8
SHARE = re.compile(r"(.+): \d+ elements, worst ([0-9.]+|nan|inf) of the bound")


def given(lower, upper, word_bits):
    """Return the engine's parameters of a truncated normal, without mean and std."""
    return (lower, upper, *truncation_interval(float(lower), float(upper), word_bits))


def sweeps():
    """Yield the arguments of every run of the program."""
    for low, high in UNIFORMS:
        yield ("uniform", low, high)
    for bounds in INTERVALS:
        yield ("truncated", *given(*bounds, 32))
    yield ("radius",)
    yield ("tail",)
    for std in STDS:
        yield ("angle", std)
    yield ("stds",)
    yield ("pairs", 0, 1, PAIRS)
    yield ("pairs", 0.01, 0.02, PAIRS // 10)
    for type_ in NARROW:
        yield ("narrow", type_)
    for mean, std in ((0, 1), (0.01, 0.02)):
        yield ("normal64", mean, std, DOUBLES)
    for bounds in INTERVALS + FAR:
        yield ("truncated64", DOUBLES // 10, *given(*bounds, 64))


# ---- chosen words by mpmath ----------------------------------------------------------------------


def chosen_words(bits, median=0):
    """Return words with few ones or zeros, their neighbours, words near the median, and others."""
    limit, random = 1 << bits, np.random.default_rng(5)
    words = [(1 << k) + d for k in range(bits) for d in (-1, 0, 1, 2)]
    words += [median + s * (1 << k) for k in range(0, bits, 2) for s in (-1, 1)]
    words += [int(w) for w in random.integers(0, limit, 256, dtype=np.uint64, endpoint=False)]
    return sorted({w % limit for word in words for w in (word, ~word)})


def drawn(program, transform, bits, words, parameters):
    """Return the elements that the fastest set makes of words."""
    type_, word = (("f32", "<u4"), ("f64", "<u8"))[bits == 64]
    return np.frombuffer(
        subprocess.run(
            [*program, "1", "values", transform, type_, *map(repr, map(float, parameters))],
            input=np.array(words, word).tobytes(),
            capture_output=True,
            check=True,
        ).stdout,
        "f4" if bits == 32 else "f8",
    )


def rounded(number, significand):
    """Return a number rounded to `significand` bits, to nearest even."""
    with mp.workprec(significand):
        return +mp.mpf(number)


def worst_normal(program, bits):
    """Return the largest share of the bound (mean 0, std 1), and how many words were judged."""
    half = 16 if bits == 32 else 8
    chosen = chosen_words(bits)
    radii = [chosen[k % len(chosen)] for k in range(4 * len(chosen))]
    angles = [chosen[(k * 7 + k // len(chosen)) % len(chosen)] for k in range(4 * len(chosen))]
    words = []
    for k in range(0, len(radii) - half, half):
        words += radii[k : k + half] + angles[k : k + half]
    y, worst = drawn(program, "normal", bits, words, (0, 1)), 0
    significand, relative, of_y = (24, -21, -23) if bits == 32 else (53, -50, -52)
    c = (1 - mp.mpf(2) ** -significand) * mp.mpf(2) ** (1 - bits)
    for i, (a, b) in enumerate(zip(words, words[half:], strict=False)):
        if i % (2 * half) >= half:
            continue
        U = a >> 1
        if bits == 32 and U < 256:
            u = (256 * U + (b & 255) + mp.mpf(0.5)) * mp.mpf(2) ** -39
        else:
            u = rounded(c * rounded(U, significand) + mp.mpf(2) ** -bits, significand)
        r = mp.sqrt(-2 * mp.log(u)) * (-1 if a & 1 else 1)
        signed = b - (1 << bits) if b >> (bits - 1) else b
        x = rounded(signed, significand) * mp.mpf(2) ** (1 - bits)
        for got, exact in ((y[i], r * mp.cospi(x / 2)), (y[i + half], r * mp.sinpi(x / 2))):
            bound = mp.mpf(2) ** relative * abs(r) + mp.mpf(2) ** of_y * abs(float(got))
            worst = max(worst, abs(mp.mpf(float(got)) - exact) / bound)
    return float(worst), len(words)


def worst_truncated(program, bits, lower, upper):
    """Return the largest share of the bound (mean 0, std 1), and how many words were judged."""
    half = mp.sqrt(2) / 2
    below, above = mp.erfc(-mp.mpf(lower) * half) / 2, mp.erfc(mp.mpf(upper) * half) / 2
    mass = mp.erfc(lower * half) / 2 - above if lower > 0 else mp.erfc(-upper * half) / 2 - below
    median = int(min(max(0, (mp.mpf(0.5) - below) / mass * 2**bits), 2**bits - 1))
    words = chosen_words(bits, median)
    y, worst = drawn(program, "truncated", bits, words, (0, 1, *given(lower, upper, bits))), 0
    relative, of_y = (-20, -23) if bits == 32 else (-48, -52)
    for word, value in zip(words, y, strict=True):
        p, q = (mp.ldexp(w + mp.mpf(0.5), -bits) * mass for w in (word, 2**bits - 1 - word))
        tail, sign = min((below + p, -1), (above + q, 1))
        z = mp.mpf(sign * float(value))
        for _ in range(4):  # Halley's method on the logarithm of the tail
            has = mp.erfc(z * half) / 2
            gap, hazard = mp.log(has / tail), mp.npdf(z) / has
            z += 2 * gap / (2 * hazard + gap * (hazard - z))
        bound = mp.mpf(2) ** relative * max(1, abs(z)) + mp.mpf(2) ** of_y * abs(float(value))
        worst = max(worst, abs(sign * z - mp.mpf(float(value))) / bound)
    return float(worst), len(words)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--step", type=int, default=1)
    parser.add_argument("--only", nargs="+", metavar="SWEEP", help="of the program's, or words")
    parser.add_argument("--emulated", action="store_true")
    parser.add_argument("--keep", action="store_true", help="write results/accuracy.txt")
    arguments = parser.parse_args()
    lines, shares, failed = [], {}, False

    def say(line):
        lines.append(line)
        print(line, flush=True)

    began = time.monotonic()
    for line in heading():
        say(line)
    with tempfile.TemporaryDirectory() as folder:
        aarch64 = cross("aarch64-linux-gnu", "aarch64")
        options, runner = aarch64 if arguments.emulated else ((), ())
        program = (*runner, str(build(folder, *options, targets=["accuracy"]) / "accuracy"))
        for sweep in sweeps():
            if arguments.only and sweep[0] not in arguments.only:
                continue
            command = [*program, str(arguments.step), *map(str, sweep)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            failed |= done.returncode != 0
            say(f"-- {' '.join(map(str, sweep[:4]))}")
            say(done.stdout.rstrip() + done.stderr.rstrip())
            for name, share in SHARE.findall(done.stdout):
                shares[name] = max(shares.get(name, 0), float(share))
        if {"radius", "far tail", "cosine", "sine"} <= shares.keys():
            # The rounding of the product x 2r adds to the error of the sine.
            angle = max(shares["cosine"], shares["sine"] + 2.0**-24 / 2.0**-21)
            radius = max(shares["radius"], shares["far tail"])
            composed = radius + angle * (1 + 2.0**-21)
            say(f"any pair: {radius:.4f} + {angle:.4f} = {composed:.4f} of the bound at most")
            failed |= composed >= 1
        mp.mp.prec = 256
        for bits in (32, 64) if "words" in (arguments.only or ["words"]) else ():
            cases = [("normal", worst_normal(program, bits))]
            for bounds in (INTERVALS + (FAR if bits == 64 else ()))[:: min(arguments.step, 4)]:
                name = "truncated {} {}".format(*bounds)
                cases.append((name, worst_truncated(program, bits, *bounds)))
            for name, (worst, count) in cases:
                say(f"by mpmath, {bits} bits, {name}: {count} words, {worst:.4f} of the bound")
                failed |= not worst < 1
    say(f"{time.monotonic() - began:.0f} s; {'FAILED' if failed else 'every bound is kept'}")
    if arguments.keep:
        name = "accuracy_neon.txt" if arguments.emulated else "accuracy.txt"
        Path(RESULTS / name).write_text("\n".join(lines) + "\n")
    return failed


if __name__ == "__main__":
    sys.exit(main())
