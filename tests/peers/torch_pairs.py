"""Pairs of torch.nn.init, or the initialisation of torch's own layers, and ours."""

import math
import warnings
from typing import Any

import numpy as np
from layers import Fans, Layer, Stored
from pairs import (
    HIGH,
    LOW,
    ROOT_3,
    SLOPE,
    STD,
    TRUNCATED_STD,
    VALUE,
    Draw,
    Pair,
    Peer,
    always,
    by_fan,
    plain_pairs,
    truncated_std,
)

import weightinit_fast as wi

CONVS = ("conv 1-D", "conv 2-D", "conv 3-D", "grouped", "depthwise", "transposed")
MODULES = ("linear", *CONVS, "grouped transposed", "empty", "1-wide")


def torch_peer() -> Peer:
    """Return torch.nn.init and the layers' own initialisation."""
    import torch  # type: ignore[import-not-found, unused-ignore]  # noqa: PLC0415 -- optional

    init = torch.nn.init

    def call(name: str, *args: Any, **options: Any) -> Draw:
        def draw(layer: Layer, weight: Stored, number: int) -> np.ndarray:
            torch.manual_seed(number)
            given = {"groups": layer.groups} if name == "dirac_" else {}
            tensor = torch.empty(weight.shape)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # torch warns of empty tensors
                getattr(init, name)(tensor, *args, **options, **given)
            return np.asarray(tensor)

        return draw

    def default(layer: Layer, weight: Stored, number: int) -> np.ndarray:
        torch.manual_seed(number)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = torch_module(layer)
        if tuple(module.weight.shape) != weight.shape:
            raise AssertionError(f"{layer}: torch stores {tuple(module.weight.shape)}")
        return np.asarray(module.weight.detach())

    def fans(layer: Layer, weight: Stored) -> Fans:
        found: Fans = init._calculate_fan_in_and_fan_out(torch.empty(weight.shape, device="meta"))
        return found

    def kaiming(mode: str, slope: float, uniform: bool) -> Pair:
        name = f"kaiming_{'uniform' if uniform else 'normal'}_"
        act = "leaky_relu" if slope else "relu"
        gain = init.calculate_gain(act, slope)
        rule = wi.kaiming_uniform if uniform else wi.kaiming_normal
        ours = wi.initializer(rule, a=slope, mode=mode)
        label = f"{name} {mode} {act[:5]}" + (f" {slope}" if slope else "")
        draw = call(name, a=slope, mode=mode, nonlinearity=act)
        return Pair(label, draw, ours, by_fan(gain**2, mode), "fans", ROOT_3 * uniform)

    tanh = init.calculate_gain("tanh")
    lower, upper, far = -2.0, 2.0, (1.0, 3.0)
    pairs = [
        *plain_pairs(
            uniform=("uniform_", call("uniform_", LOW, HIGH), {"low": LOW, "high": HIGH}),
            normal=("normal_", call("normal_", 0, STD)),
            constants=[
                ("constant_", call("constant_", VALUE), wi.initializer(wi.constant, value=VALUE)),
                ("ones_", call("ones_"), wi.initializer(wi.ones)),
                ("zeros_", call("zeros_"), wi.initializer(wi.zeros)),
                ("eye_", call("eye_"), wi.initializer(wi.eye)),
            ],
        ),
        Pair(
            "dirac_", call("dirac_"), wi.initializer(wi.dirac), always(0), "dirac", judged="equal",
        ),
        Pair(
            "xavier_uniform_", call("xavier_uniform_"), wi.initializer(wi.xavier_uniform),
            by_fan(1, "fan_avg"), "fans", ROOT_3,
        ),
        Pair(
            "xavier_normal_ tanh", call("xavier_normal_", gain=tanh),
            wi.initializer(wi.xavier_normal, gain="tanh"), by_fan(tanh**2, "fan_avg"), "fans",
        ),
        *(
            kaiming(mode, slope, uniform)
            for uniform in (True, False)
            for mode in ("fan_in", "fan_out")
            for slope in (0.0, SLOPE)
        ),
        Pair(
            "trunc_normal_ ±2σ", call("trunc_normal_", 0, STD, lower * STD, upper * STD),
            wi.initializer(wi.truncated_normal, std=STD), always(STD * TRUNCATED_STD),
            bound=2 / TRUNCATED_STD,
        ),
        Pair(
            "trunc_normal_ σ to 3σ", call("trunc_normal_", 0, STD, *(z * STD for z in far)),
            wi.initializer(wi.truncated_normal, std=STD, lower=far[0], upper=far[1]),
            always(STD * truncated_std(*far)), bound=far[1] / truncated_std(*far),
        ),
        Pair(
            "orthogonal_ relu", call("orthogonal_", init.calculate_gain("relu")),
            wi.initializer(wi.orthogonal, gain="relu"), always(math.sqrt(2)), "column",
            judged="matrix",
        ),
        Pair(
            "sparse_ 0.1", call("sparse_", 0.1, STD),
            wi.initializer(wi.sparse, sparsity=0.1, std=STD), always(STD), judged="nonzero",
        ),
        Pair(
            "Linear, Conv by default", default, wi.initializer(wi.fan_in_uniform),
            by_fan(1 / 3, "fan_in"), "fans", ROOT_3, kinds=MODULES,
        ),
        Pair(
            "Embedding by default", default, wi.initializer(wi.normal), always(1),
            kinds=("embedding",),
        ),
    ]  # fmt: skip
    return Peer("torch", torch.__version__, pairs, fans)


def torch_module(layer: Layer) -> Any:
    """Return torch's module for a layer."""
    import torch  # type: ignore[import-not-found, unused-ignore]  # noqa: PLC0415 -- optional

    if layer.kind == "embedding":
        return torch.nn.Embedding(layer.outputs, layer.inputs)
    if not layer.kernel:
        return torch.nn.Linear(layer.inputs, layer.outputs)
    name = f"Conv{'Transpose' if layer.transposed else ''}{len(layer.kernel)}d"
    make = getattr(torch.nn, name)
    return make(layer.inputs, layer.outputs, layer.kernel, groups=layer.groups)
