"""Nanoseconds a call of the drop-ins of torch.nn.init, beside torch's own functions.

Small tensors, of which a model may have thousands: there the call matters, and not the fill. Both
run in turns, some calls at a time, and the fastest turn of each counts, since a busy machine only
adds to it.
"""

import argparse
import timeit
from collections.abc import Callable
from functools import partial
from typing import Any

from . import machine

#: Calls of a turn.
CALLS = 60
#: name of the function, shape of a parameter or a plain tensor, its dtype, and its arguments
CASES = (
    ("normal_", (64,), "float32", ()),
    ("normal_", (64,), "bfloat16", ()),
    ("uniform_", (64,), "float32", ()),
    ("trunc_normal_", (16, 16), "float32", (0.0, 0.02)),
    ("kaiming_uniform_", (16, 16), "float32", (5**0.5,)),
    ("kaiming_normal_", (16, 16), "float32", ()),
    ("xavier_uniform_", (16, 16), "float32", ()),
    ("zeros_", (64,), "float32", ()),
    ("ones_", (64,), "float32", ()),
    ("constant_", (64,), "float32", (0.1,)),
    ("eye_", (16, 16), "float32", ()),
    ("dirac_", (16, 16, 3), "float32", ()),
    ("orthogonal_", (16, 16), "float32", ()),
    ("sparse_", (16, 16), "float32", (0.1,)),
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--turns", type=int, default=150, help="how often each function runs (150)")


def fastest(calls: list[Callable[[], Any]], turns: int) -> list[float]:
    """Return the nanoseconds of each call, in its fastest turn."""
    best = [float("inf")] * len(calls)
    for _ in range(turns):
        for number, call in enumerate(calls):
            best[number] = min(best[number], timeit.timeit(call, number=CALLS) / CALLS * 1e9)
    return best


def main(args: argparse.Namespace) -> int:
    """Measure, and print a table."""
    if machine.installed("torch") is None:
        print("not measured: torch is not installed")
        return 0
    import torch  # noqa: PLC0415  only where it is installed

    import weightinit_fast.torch as adapter  # noqa: PLC0415

    print(f"torch {torch.__version__}; nanoseconds a call, and how many times faster a drop-in is")
    for name, shape, dtype, arguments in CASES:
        tensor = torch.nn.Parameter(torch.empty(shape, dtype=getattr(torch, dtype)))
        calls = [
            partial(getattr(module, name), tensor, *arguments)
            for module in (torch.nn.init, adapter.init)
        ]
        stock, ours = fastest(calls, args.turns)
        what = f"{name}({'x'.join(map(str, shape))}, {dtype})"
        print(f"{what:36} torch {stock:9.0f}   drop-in {ours:9.0f}   {stock / ours:6.2f}")
    return 0
