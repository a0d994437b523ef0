"""Build every module of torch's own database, stock and in fast_init; print what differs.

Usage: python module_database.py DTYPE...

Prints JSON, by type: how many modules, cases and drawn tensors there were, and a list of
differences. It is a program of its own, since torch's database of modules changes global settings
of torch.
"""

import inspect
import json
import sys
import types
import unittest
import warnings

import numpy as np
import torch
from scipy import stats

import weightinit_fast as wi

# The database's imports want this package for a class of tests that is not used here.
if "expecttest" not in sys.modules:
    stub = types.ModuleType("expecttest")
    stub.TestCase = unittest.TestCase
    sys.modules["expecttest"] = stub

from torch.testing._internal.common_modules import module_db

#: Of how many cases of a module the distributions are compared, too. (A module has up to 130.)
CASES = 4
#: How many values of each drawn tensor are compared, at least, and how often it is built at most.
LEAST_VALUES, MOST_BUILDS = 300, 25
#: The two-sample test of Kolmogorov and Smirnov may not find a smaller p. There are some hundred
#: tests a type, with fixed seeds.
SMALLEST_P = 1e-6


def built(info, case, dtype):
    """Make a module as torch's tests do, with the dtype where its constructor takes one."""
    inputs = case.constructor_input
    keywords = dict(inputs.kwargs)
    if "dtype" in inspect.signature(info.module_cls).parameters:
        keywords["dtype"] = dtype
    module = info.module_cls(*inputs.args, **keywords)
    if info.is_lazy:
        module(*case.forward_input.args, **case.forward_input.kwargs)
    if hasattr(module, "reset_parameters"):
        module.reset_parameters()
    return module


def attempt(info, case, dtype):
    """Return the module, or the type and the text of the exception."""
    try:
        return built(info, case, dtype)
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def tensors(module):
    return {**dict(module.named_parameters()), **dict(module.named_buffers())}


def facts(tensor):
    return (
        type(tensor).__name__,
        tuple(tensor.shape),
        tensor.stride(),
        str(tensor.dtype),
        tensor.requires_grad,
        tensor._version,
        tensor.grad_fn is None,
    )


def values(tensor):
    return tensor.detach().to(torch.float64).numpy().ravel()


def compare(info, case, dtype, laws, report):
    """Compare one module with one set of arguments; with `laws`, also how its values spread."""

    def build(fast, seed):
        torch.manual_seed(seed)
        if not fast:
            return attempt(info, case, dtype)
        with wi.torch.fast_init(seed):
            return attempt(info, case, dtype)

    stock, fast = build(False, 0), build(True, 0)
    if isinstance(stock, str) or isinstance(fast, str):
        if stock != fast:
            report(f"{stock} became {fast}")
        return 0
    stock_tensors, fast_tensors = tensors(stock), tensors(fast)
    for name in sorted(stock_tensors.keys() | fast_tensors.keys()):
        if name not in stock_tensors or name not in fast_tensors:
            report(f"{name} is in one of the two only")
            return 0
        if facts(stock_tensors[name]) != facts(fast_tensors[name]):
            report(f"{name}: {facts(stock_tensors[name])} became {facts(fast_tensors[name])}")
    again = tensors(build(False, 1))
    drawn = [
        name
        for name, tensor in stock_tensors.items()
        if tensor.numel() and not np.array_equal(values(tensor), values(again[name]))
    ]
    for name, tensor in stock_tensors.items():
        constant = np.array_equal(values(tensor), values(fast_tensors[name]), equal_nan=True)
        if name in drawn and constant:
            report(f"{name} was left to torch")
        if name not in drawn and not constant:
            report(f"the constant {name} has changed")
    if drawn and laws:
        smallest = min(stock_tensors[name].numel() for name in drawn)
        count = min(MOST_BUILDS, -(-LEAST_VALUES // smallest))
        builds = [[tensors(build(kind, seed)) for seed in range(count)] for kind in (False, True)]
        for name in drawn:
            samples = [np.concatenate([values(t[name]) for t in kind]) for kind in builds]
            p = stats.ks_2samp(*samples, method="asymp").pvalue
            if p < SMALLEST_P:
                report(f"{name}: p = {p:.2e}")
            limits = [(sample.min(), sample.max()) for sample in samples]
            width = limits[0][1] - limits[0][0]
            if max(limits[0][0] - limits[1][0], limits[1][1] - limits[0][1]) > 0.5 * width:
                report(f"{name}: from {limits[0]} to {limits[1]}")
    return len(drawn)


def main(dtype_name):
    dtype = getattr(torch, dtype_name)
    differences, modules, cases, drawn = [], 0, 0, 0
    warnings.simplefilter("ignore")
    for info in module_db:
        modules += 1
        given = info.module_inputs_func(
            info, device="cpu", dtype=dtype, requires_grad=False, training=True
        )
        seen = set()
        for number, case in enumerate(given):
            arguments = repr((case.constructor_input.args, case.constructor_input.kwargs))
            if arguments in seen:
                continue
            seen.add(arguments)
            cases += 1
            drawn += compare(
                info,
                case,
                dtype,
                len(seen) <= CASES,
                lambda text, at=f"{info.name}[{number}]": differences.append(f"{at}: {text}"),
            )
    return {"modules": modules, "cases": cases, "drawn": drawn, "differences": differences}


if __name__ == "__main__":
    print(json.dumps({name: main(name) for name in sys.argv[1:]}))
