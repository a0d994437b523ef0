"""Pairs of an initialiser of jax.nn.initializers and ours."""

from functools import partial
from typing import Any

import numpy as np
from layers import Fans, Layer, Stored
from pairs import (
    BOUND,
    NAMED,
    STD,
    TRUNCATED_STD,
    VALUE,
    Draw,
    Pair,
    Peer,
    always,
    named_pairs,
    plain_pairs,
    scaling_pairs,
)

import weightinit_fast as wi


def jax_peer() -> Peer:
    """Return jax.nn.initializers."""
    import jax  # type: ignore[import-not-found, unused-ignore]  # noqa: PLC0415 -- optional
    from jax._src.nn.initializers import (  # type: ignore[import-not-found, unused-ignore]  # noqa: PLC0415
        _compute_fans,
    )

    init = jax.nn.initializers

    def call(make: Any, fan_based: bool = False) -> Draw:
        def draw(layer: Layer, weight: Stored, number: int) -> np.ndarray:
            batch = {"batch_axis": (0,)} if fan_based and layer.experts else {}
            return np.asarray(make(**batch)(jax.random.key(number), weight.shape))

        return draw

    def fans(layer: Layer, weight: Stored) -> Fans:
        found: Fans = _compute_fans(weight.shape, -2, -1, (0,) if layer.experts else ())
        return found

    def scaling(mode: str, distribution: str) -> tuple[str, Draw]:
        make = partial(init.variance_scaling, 0.5, mode, distribution)
        return f"variance_scaling {mode[4:]} {distribution[:9]}", call(make, True)

    pairs = [
        *plain_pairs(
            uniform=("uniform", call(lambda: init.uniform(BOUND)), {"low": 0.0, "high": BOUND}),
            normal=("normal", call(lambda: init.normal(STD))),
            constants=[
                (
                    "constant", call(lambda: init.constant(VALUE)),
                    wi.initializer(wi.constant, value=VALUE),
                ),
                ("ones", call(lambda: init.ones), wi.initializer(wi.ones)),
                ("zeros", call(lambda: init.zeros), wi.initializer(wi.zeros)),
            ],
        ),
        Pair(
            "truncated_normal", call(lambda: init.truncated_normal(STD)),
            wi.initializer(wi.truncated_normal, std=STD), always(STD * TRUNCATED_STD),
            bound=2 / TRUNCATED_STD,
        ),
        Pair(
            "orthogonal", call(lambda: init.orthogonal(1.5)),
            wi.initializer(wi.orthogonal, gain=1.5), always(1.5), "column", judged="matrix",
        ),
        Pair(
            "delta_orthogonal", call(lambda: init.delta_orthogonal(1.5)),
            wi.initializer(wi.delta_orthogonal, gain=1.5), always(1.5), "delta", judged="centre",
        ),
        *named_pairs({n: (n, call(getattr(init, n), True)) for n in NAMED}),
        *scaling_pairs(
            ("fan_in", "fan_out", "fan_avg", "fan_geo_avg"),
            ("normal", "truncated_normal", "uniform"),
            scaling,
        ),
    ]  # fmt: skip
    return Peer("jax", jax.__version__, pairs, fans)
