"""Pairs of keras.initializers and ours, on the JAX backend unless KERAS_BACKEND differs."""

import os
from functools import partial
from typing import Any

import numpy as np
from layers import Layer, Stored
from pairs import (
    HIGH,
    LOW,
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


def keras_peer() -> Peer:
    """Return keras.initializers, on the JAX backend unless KERAS_BACKEND says otherwise."""
    os.environ.setdefault("KERAS_BACKEND", "jax")
    import keras  # type: ignore[import-not-found, unused-ignore]  # noqa: PLC0415 -- optional
    from keras.src.initializers.random_initializers import (  # type: ignore[import-not-found, unused-ignore]  # noqa: PLC0415
        compute_fans,
    )

    init = keras.initializers
    names = {n: "".join(part.capitalize() for part in n.split("_")) for n in NAMED}

    def axes(layer: Layer) -> dict[str, list[int]]:
        return {"input_axes": [1], "output_axes": [2]} if layer.experts else {}

    def call(make: Any, fan_based: bool = False, seeded: bool = True) -> Draw:
        def draw(layer: Layer, weight: Stored, number: int) -> np.ndarray:
            options: dict[str, Any] = axes(layer) if fan_based else {}
            if seeded:
                options["seed"] = number
            found: np.ndarray = keras.ops.convert_to_numpy(make(**options)(weight.shape))
            return found

        return draw

    def scaling(mode: str, distribution: str) -> tuple[str, Draw]:
        name = "untruncated_normal" if distribution == "normal" else distribution
        make = partial(init.VarianceScaling, 0.5, mode, name)
        return f"VarianceScaling {mode[4:]} {name[:11]}", call(make, True)

    def fixed(name: str, **options: Any) -> tuple[str, Draw]:
        return name, call(partial(getattr(init, name), **options), seeded=False)

    pairs = [
        *plain_pairs(
            uniform=(
                "RandomUniform", call(partial(init.RandomUniform, LOW, HIGH)),
                {"low": LOW, "high": HIGH},
            ),
            normal=("RandomNormal", call(partial(init.RandomNormal, 0.0, STD))),
            constants=[
                (*fixed("Constant", value=VALUE), wi.initializer(wi.constant, value=VALUE)),
                (*fixed("Ones"), wi.initializer(wi.ones)),
                (*fixed("Zeros"), wi.initializer(wi.zeros)),
                (*fixed("Identity", gain=VALUE), wi.initializer(wi.identity, gain=VALUE)),
            ],
        ),
        Pair(
            "TruncatedNormal", call(partial(init.TruncatedNormal, 0.0, STD)),
            wi.initializer(wi.truncated_normal, std=STD), always(STD * TRUNCATED_STD),
            bound=2 / TRUNCATED_STD,
        ),
        Pair(
            "Orthogonal", call(partial(init.Orthogonal, 1.5)),
            wi.initializer(wi.orthogonal, gain=1.5), always(1.5), "column", judged="matrix",
        ),
        *named_pairs({n: (names[n], call(getattr(init, names[n]), True)) for n in NAMED}, 1.0),
        *scaling_pairs(
            ("fan_in", "fan_out", "fan_avg"), ("normal", "truncated_normal", "uniform"),
            scaling, 1.0,
        ),
    ]  # fmt: skip
    return Peer(
        "keras",
        f"{keras.__version__} ({keras.backend.backend()})",
        pairs,
        lambda layer, weight: compute_fans(weight.shape, **axes(layer)),
    )
