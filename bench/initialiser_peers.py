"""The initialisers of torch, JAX and Keras beside ours, with the peers' formulas and fans."""

import math
import os
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from initialiser_layers import Fans, Layer, Stored

import weightinit_fast as wi

STD, BOUND, LOW, HIGH, VALUE, SLOPE = 0.02, 0.1, -0.05, 0.15, 0.3, 0.2
TRUNCATED_STD = 0.8796256610342398  # of N(0, 1) between -2 and 2
ROOT_3 = math.sqrt(3)
Draw = Callable[[Layer, Stored, int], np.ndarray]


class Pair(NamedTuple):
    """A peer's initialiser and ours."""

    name: str
    draw: Draw  # the peer's: layer, stored shape, number
    ours: Callable[..., np.ndarray]
    formula: Callable[[Fans], float]  # std, by the peer's source
    takes: str = ""  # what ours is told: fans, column, dirac, delta or nothing
    bound: float = 0.0  # in units of std, 0: none
    judged: str = "std"  # or equal, nonzero, matrix, centre
    kinds: tuple[str, ...] = ()  # of layers; (): all


class Peer(NamedTuple):
    """A framework."""

    name: str
    version: str
    pairs: list[Pair]
    fans: Callable[[Layer, Stored], Fans]


def _fan(mode: str, fans: Fans) -> float:
    fan_in, fan_out = fans
    both = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}
    return both[mode] if mode in both else math.sqrt(fan_in * fan_out)


def _by_fan(scale: float, mode: str, least: float = 0.0) -> Callable[[Fans], float]:
    return lambda fans: math.sqrt(scale / max(least, _fan(mode, fans)))


def _always(std: float) -> Callable[[Fans], float]:
    return lambda _: std


def truncated_std(lower: float, upper: float) -> float:
    """Return the deviation of N(0, 1) between two bounds."""
    mass = (math.erf(upper / math.sqrt(2)) - math.erf(lower / math.sqrt(2))) / 2
    low, high = (math.exp(-z * z / 2) / math.sqrt(2 * math.pi) for z in (lower, upper))
    mean = (low - high) / mass
    return math.sqrt(1 + (lower * low - upper * high) / mass - mean * mean)


# ---- torch ----------------------------------------------------------------------------------

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
                warnings.simplefilter("ignore")  # of empty tensors
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
        ours = partial(wi.kaiming_uniform if uniform else wi.kaiming_normal, a=slope, mode=mode)
        label = f"{name} {mode} {act[:5]}" + (f" {slope}" if slope else "")
        draw = call(name, a=slope, mode=mode, nonlinearity=act)
        return Pair(label, draw, ours, _by_fan(gain**2, mode), "fans", ROOT_3 * uniform)

    tanh = init.calculate_gain("tanh")
    lower, upper, far = -2.0, 2.0, (1.0, 3.0)
    pairs = [
        *_plain(
            uniform=("uniform_", call("uniform_", LOW, HIGH), {"low": LOW, "high": HIGH}),
            normal=("normal_", call("normal_", 0, STD)),
            constants=[
                ("constant_", call("constant_", VALUE), partial(wi.constant, value=VALUE)),
                ("ones_", call("ones_"), wi.ones),
                ("zeros_", call("zeros_"), wi.zeros),
                ("eye_", call("eye_"), wi.eye),
            ],
        ),
        Pair("dirac_", call("dirac_"), wi.dirac, _always(0), "dirac", judged="equal"),
        Pair(
            "xavier_uniform_", call("xavier_uniform_"), wi.xavier_uniform,
            _by_fan(1, "fan_avg"), "fans", ROOT_3,
        ),
        Pair(
            "xavier_normal_ tanh", call("xavier_normal_", gain=tanh),
            partial(wi.xavier_normal, gain="tanh"), _by_fan(tanh**2, "fan_avg"), "fans",
        ),
        *(
            kaiming(mode, slope, uniform)
            for uniform in (True, False)
            for mode in ("fan_in", "fan_out")
            for slope in (0.0, SLOPE)
        ),
        Pair(
            "trunc_normal_ ±2σ", call("trunc_normal_", 0, STD, lower * STD, upper * STD),
            partial(wi.truncated_normal, std=STD), _always(STD * TRUNCATED_STD),
            bound=2 / TRUNCATED_STD,
        ),
        Pair(
            "trunc_normal_ σ to 3σ", call("trunc_normal_", 0, STD, *(z * STD for z in far)),
            partial(wi.truncated_normal, std=STD, lower=far[0], upper=far[1]),
            _always(STD * truncated_std(*far)), bound=far[1] / truncated_std(*far),
        ),
        Pair(
            "orthogonal_ relu", call("orthogonal_", init.calculate_gain("relu")),
            partial(wi.orthogonal, gain="relu"), _always(math.sqrt(2)), "column", judged="matrix",
        ),
        Pair(
            "sparse_ 0.1", call("sparse_", 0.1, STD),
            partial(wi.sparse, sparsity=0.1, std=STD), _always(STD), judged="nonzero",
        ),
        Pair(
            "Linear, Conv by default", default, wi.fan_in_uniform, _by_fan(1 / 3, "fan_in"),
            "fans", ROOT_3, kinds=MODULES,
        ),
        Pair(
            "Embedding by default", default, wi.normal, _always(1), kinds=("embedding",),
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


# ---- JAX ------------------------------------------------------------------------------------


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
        *_plain(
            uniform=("uniform", call(lambda: init.uniform(BOUND)), {"low": 0.0, "high": BOUND}),
            normal=("normal", call(lambda: init.normal(STD))),
            constants=[
                ("constant", call(lambda: init.constant(VALUE)), partial(wi.constant, value=VALUE)),
                ("ones", call(lambda: init.ones), wi.ones),
                ("zeros", call(lambda: init.zeros), wi.zeros),
            ],
        ),
        Pair(
            "truncated_normal", call(lambda: init.truncated_normal(STD)),
            partial(wi.truncated_normal, std=STD), _always(STD * TRUNCATED_STD),
            bound=2 / TRUNCATED_STD,
        ),
        Pair(
            "orthogonal", call(lambda: init.orthogonal(1.5)), partial(wi.orthogonal, gain=1.5),
            _always(1.5), "column", judged="matrix",
        ),
        Pair(
            "delta_orthogonal", call(lambda: init.delta_orthogonal(1.5)),
            partial(wi.delta_orthogonal, gain=1.5), _always(1.5), "delta", judged="centre",
        ),
        *_named({n: (n, call(getattr(init, n), True)) for n in _NAMED}),
        *_scalings(
            ("fan_in", "fan_out", "fan_avg", "fan_geo_avg"),
            ("normal", "truncated_normal", "uniform"),
            scaling,
        ),
    ]  # fmt: skip
    return Peer("jax", jax.__version__, pairs, fans)


# ---- Keras ----------------------------------------------------------------------------------


def keras_peer() -> Peer:
    """Return keras.initializers, on the JAX backend unless KERAS_BACKEND says otherwise."""
    os.environ.setdefault("KERAS_BACKEND", "jax")
    import keras  # type: ignore[import-not-found, unused-ignore]  # noqa: PLC0415 -- optional
    from keras.src.initializers.random_initializers import (  # type: ignore[import-not-found, unused-ignore]  # noqa: PLC0415
        compute_fans,
    )

    init = keras.initializers
    names = {n: "".join(part.capitalize() for part in n.split("_")) for n in _NAMED}

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
        *_plain(
            uniform=(
                "RandomUniform", call(partial(init.RandomUniform, LOW, HIGH)),
                {"low": LOW, "high": HIGH},
            ),
            normal=("RandomNormal", call(partial(init.RandomNormal, 0.0, STD))),
            constants=[
                (*fixed("Constant", value=VALUE), partial(wi.constant, value=VALUE)),
                (*fixed("Ones"), wi.ones),
                (*fixed("Zeros"), wi.zeros),
                (*fixed("Identity", gain=VALUE), partial(wi.identity, gain=VALUE)),
            ],
        ),
        Pair(
            "TruncatedNormal", call(partial(init.TruncatedNormal, 0.0, STD)),
            partial(wi.truncated_normal, std=STD), _always(STD * TRUNCATED_STD),
            bound=2 / TRUNCATED_STD,
        ),
        Pair(
            "Orthogonal", call(partial(init.Orthogonal, 1.5)), partial(wi.orthogonal, gain=1.5),
            _always(1.5), "column", judged="matrix",
        ),
        *_named({n: (names[n], call(getattr(init, names[n]), True)) for n in _NAMED}, 1.0),
        *_scalings(
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


# ---- what JAX and Keras have in common ------------------------------------------------------

_NAMED = {  # scale, mode
    "glorot_uniform": (1.0, "fan_avg"),
    "glorot_normal": (1.0, "fan_avg"),
    "he_uniform": (2.0, "fan_in"),
    "he_normal": (2.0, "fan_in"),
    "lecun_uniform": (1.0, "fan_in"),
    "lecun_normal": (1.0, "fan_in"),
}
_BOUNDS = {"uniform": ROOT_3, "truncated_normal": 2 / TRUNCATED_STD, "normal": 0.0}


def _named(calls: dict[str, tuple[str, Draw]], least: float = 0.0) -> list[Pair]:
    """Return the named rules; a peer's "normal" is truncated, and so is what it is compared to."""
    pairs = []
    for name, (label, draw) in calls.items():
        scale, mode = _NAMED[name]
        ours, bound = getattr(wi, name), _BOUNDS["uniform"]
        if name.endswith("normal"):
            ours = partial(
                wi.variance_scaling, scale=scale, mode=mode, distribution="truncated_normal"
            )
            bound = _BOUNDS["truncated_normal"]
        pairs.append(Pair(label, draw, ours, _by_fan(scale, mode, least), "fans", bound))
        if name.endswith("normal"):  # the plain normal of the same std
            pairs.append(
                Pair(
                    f"{label}: {name}", draw, getattr(wi, name), _by_fan(scale, mode, least), "fans"
                )
            )
    return pairs


def _scalings(
    modes: tuple[str, ...],
    distributions: tuple[str, ...],
    call: Callable[[str, str], tuple[str, Draw]],
    least: float = 0.0,
) -> list[Pair]:
    return [
        Pair(
            *call(mode, distribution),
            partial(wi.variance_scaling, scale=0.5, mode=mode, distribution=distribution),
            _by_fan(0.5, mode, least),
            "fans",
            _BOUNDS[distribution],
        )
        for mode in modes
        for distribution in distributions
    ]


def _plain(
    uniform: tuple[str, Draw, dict[str, float]],
    normal: tuple[str, Draw],
    constants: list[tuple[str, Draw, Callable[..., np.ndarray]]],
) -> list[Pair]:
    name, draw, bounds = uniform
    std = (bounds["high"] - bounds["low"]) / math.sqrt(12)
    reach = max(abs(bounds["low"]), bounds["high"]) / std
    return [
        Pair(name, draw, partial(wi.uniform, **bounds), _always(std), bound=reach),
        Pair(*normal, partial(wi.normal, std=STD), _always(STD)),
        *(Pair(n, d, ours, _always(0), judged="equal") for n, d, ours in constants),
    ]


PEERS = {"torch": torch_peer, "jax": jax_peer, "keras": keras_peer}
