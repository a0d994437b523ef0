"""Tensors of torch and JAX as out=: they are written in place, or refused with a hint."""

import importlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

import weightinit_fast as wi

SHAPE = (37, 53)
INIT = wi.initializer(wi.normal, std=0.02)
CALL: dict[str, Any] = {"rng": 0, "stream": "out"}


class Check(NamedTuple):
    """What was tried, whether it went as it should, and what happened."""

    name: str
    ok: bool
    happened: str


def buffer_checks(names: list[str]) -> Iterator[Check]:
    """Yield every check of the frameworks that are named."""
    for name, checks in (("torch", _torch), ("jax", _jax)):
        if name in names:
            yield from checks()


def _written(name: str, tensor: Any, expected: np.ndarray, numpy: Callable[[Any], Any]) -> Check:
    address = tensor.data_ptr()
    returned = INIT(out=tensor, **CALL)
    kept = returned is tensor and tensor.data_ptr() == address
    same = bool(np.array_equal(np.asarray(numpy(tensor)), expected))
    return Check(name, kept and same, f"own memory {kept}, values of the array {same}")


def _refused(name: str, out: Any, hint: str) -> Check:
    try:
        INIT(out=out, **CALL)
    except (BufferError, RuntimeError, TypeError, ValueError) as error:
        text = " ".join(str(error).split())
        return Check(name, hint in text, f"{type(error).__name__}: {text}")
    return Check(name, False, "not refused")


def _torch() -> Iterator[Check]:
    torch = importlib.import_module("torch")
    for name in ("float32", "float64", "float16"):
        tensor = torch.full(SHAPE, -1, dtype=getattr(torch, name))
        expected = INIT(SHAPE, dtype=name, **CALL)
        yield _written(f"torch {name}", tensor, expected, lambda t: t)
    expected = INIT(SHAPE, **CALL)
    whole = torch.full(SHAPE[::-1], -1.0)
    yield _written("torch transposed view", whole.t(), expected, lambda t: t)
    wide = torch.full((SHAPE[0], 3 * SHAPE[1]), -1.0)
    part = wide[:, 1 : 1 + 2 * SHAPE[1] : 2]
    check = _written("torch strided view", part, expected, lambda t: t)
    others = torch.ones_like(wide, dtype=torch.bool)
    others[:, 1 : 1 + 2 * SHAPE[1] : 2] = False
    clean = bool((wide[others] == -1).all())
    yield check._replace(ok=check.ok and clean, happened=f"{check.happened}, gaps kept {clean}")
    image = torch.empty((8, 3, 5, 7)).to(memory_format=torch.channels_last)
    weight = INIT(image.shape, **CALL)
    yield _written("torch channels_last", image, weight, lambda t: t)
    layer = torch.nn.Linear(53, 37)
    yield _written("torch parameter.detach()", layer.weight.detach(), expected, lambda t: t)
    equal = bool((np.asarray(layer.weight.detach()) == expected).all())
    yield Check("torch parameter written through detach()", equal, f"equal {equal}")
    yield _refused("torch parameter that requires grad", layer.weight, ".detach()")
    with torch.no_grad():
        yield _refused("torch the same under no_grad", layer.weight, ".detach()")
    yield _refused("torch expanded view", torch.zeros(1, 53).expand(37, 53), "repeats elements")
    yield _refused("torch int32", torch.empty(SHAPE, dtype=torch.int32), "int32")
    yield _refused("torch complex64", torch.empty(SHAPE, dtype=torch.complex64), "complex")
    yield _refused("torch meta device", torch.empty(SHAPE, device="meta"), "meta")
    yield _refused("torch sparse", torch.eye(4).to_sparse(), "strided")
    for name, bits in (
        ("bfloat16", "uint16"),
        ("float8_e4m3fn", "uint8"),
        ("float8_e5m2", "uint8"),
    ):
        tensor = torch.zeros(SHAPE, dtype=getattr(torch, name))
        rounded = torch.from_numpy(expected).to(tensor.dtype).view(torch.uint8).numpy()
        yield _written(f"torch {name}", tensor, rounded, lambda t: t.view(torch.uint8))
        tensor = torch.zeros_like(tensor)
        INIT(out=tensor.view(getattr(torch, bits)), dtype=name, **CALL)
        equal = bool((tensor.view(torch.uint8).numpy() == rounded).all())
        yield Check(f"torch {name} by {bits} view", equal, f"torch's rounding of float32 {equal}")


def _jax() -> Iterator[Check]:
    jax = importlib.import_module("jax")
    never = "JAX's arrays never change"
    yield _refused("jax array", jax.numpy.zeros(SHAPE), never)
    yield _refused("jax bfloat16 array", jax.numpy.zeros(SHAPE, jax.numpy.bfloat16), never)
    array = INIT(SHAPE, **CALL)
    equal = bool((np.asarray(jax.numpy.asarray(array)) == array).all())
    yield Check("jax.numpy.asarray(ours)", equal, f"equal {equal}")
    narrow = INIT(SHAPE, dtype="bfloat16", **CALL)
    made = jax.numpy.asarray(narrow)
    equal = made.dtype == jax.numpy.bfloat16 and bool((np.asarray(made) == narrow).all())
    yield Check("jax.numpy.asarray(ours, bfloat16)", equal, f"equal {equal}")
