"""Draws of 16 bits: ours, our float32 stream rounded to 16 bits, and those of JAX and torch."""

import importlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

import weightinit_fast as wi

HIGH = 0.1  # of the uniforms: [-HIGH, HIGH)
INITIALISERS = (wi.initializer(wi.normal), wi.initializer(wi.uniform, low=-HIGH, high=HIGH))


class Narrow(NamedTuple):
    """What a source gives in a dtype."""

    distribution: str
    dtype: str
    source: str
    distinct: int
    least: float
    most: float
    mean: float
    std: float
    outside: int  # elements of a uniform that are not in [low, high), in the dtype or in float64
    remark: str = ""


def narrow_rows(names: list[str], items: int) -> Iterator[Narrow]:
    """Yield each distribution in each dtype: ours, our float32 rounded, and the frameworks'."""
    ml_dtypes = importlib.import_module("ml_dtypes")
    for init in INITIALISERS:
        distribution = init.function.__name__
        for name in ("bfloat16", "float16"):
            dtype = np.dtype(getattr(ml_dtypes, name) if name == "bfloat16" else name)
            ours = init(items, dtype=name, rng=0)
            rounded = init(items, rng=0).astype(dtype)
            differ = ours.view("u2") != rounded.view("u2")
            remark = "equal to the rounded stream, bit for bit"
            if differ.any():
                # A rounded uniform may reach the upper bound or pass the lower: ours is clamped.
                clamped = int(_outside(rounded[differ].astype(np.float64), dtype).sum())
                count = np.count_nonzero(differ)
                remark = f"{count} clamped" if clamped == count else f"{count - clamped} differ"
            yield _row(distribution, name, "ours", ours, remark)
            yield _row(distribution, name, "rounded float32", rounded)
            for peer in names:
                if peer in PEERS:
                    yield _row(distribution, name, peer, PEERS[peer](distribution, name, items))


def _outside(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Return which values lie outside [-HIGH, HIGH), whether in float64 or in the dtype."""
    high = float(np.asarray(HIGH, dtype))
    found: np.ndarray = (values < max(-HIGH, -high)) | (values >= min(HIGH, high))
    return found


def _row(distribution: str, name: str, source: str, found: np.ndarray, remark: str = "") -> Narrow:
    count = np.bincount(found.view("u2"), minlength=1 << 16)
    bits = np.flatnonzero(count)
    values = bits.astype("u2").view(found.dtype).astype(np.float64)
    weight = count[bits] / found.size
    mean = float(values @ weight)
    std = float(((values - mean) ** 2 @ weight) ** 0.5)
    distinct = len(set(values.tolist()))  # -0 and 0 count once
    outside = int(count[bits][_outside(values, found.dtype)].sum())
    outside *= distribution == "uniform"
    least, most = float(values.min()), float(values.max())
    return Narrow(distribution, name, source, distinct, least, most, mean, std, outside, remark)


def _torch(distribution: str, name: str, items: int) -> np.ndarray:
    torch = importlib.import_module("torch")
    torch.manual_seed(0)
    tensor = torch.empty(items, dtype=getattr(torch, name))
    if distribution == "normal":
        tensor.normal_(0, 1)
    else:
        tensor.uniform_(-HIGH, HIGH)
    found: np.ndarray = tensor.view(torch.uint16).numpy()
    return _named(found, name)


def _jax(distribution: str, name: str, items: int) -> np.ndarray:
    jax = importlib.import_module("jax")
    key, dtype = jax.random.key(0), getattr(jax.numpy, name)
    if distribution == "normal":
        return np.asarray(jax.random.normal(key, (items,), dtype))
    return np.asarray(jax.random.uniform(key, (items,), dtype, -HIGH, HIGH))


def _named(bits: np.ndarray, name: str) -> np.ndarray:
    dtype = importlib.import_module("ml_dtypes").bfloat16 if name == "bfloat16" else np.float16
    found: np.ndarray = bits.view(dtype)
    return found


PEERS: dict[str, Callable[[str, str, int], np.ndarray]] = {"torch": _torch, "jax": _jax}
