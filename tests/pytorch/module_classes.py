"""The classes of torch.nn that have parameters, and how to build each with weights to measure."""

from __future__ import annotations

import inspect
from typing import Any

from support.reference_models import quietly
from tensor_bits import torch

#: Class -> its builds: the arguments of its constructor.
BUILDS: dict[str, list[tuple[tuple[Any, ...], dict[str, Any]]]] = {
    "Linear": [((64, 96), {}), ((64, 96), {"bias": False}), ((0, 5), {})],
    "Bilinear": [((20, 30, 40), {}), ((20, 30, 40), {"bias": False})],
    "Conv1d": [((32, 48, 5), {}), ((32, 48, 5), {"groups": 4})],
    "Conv2d": [((16, 32, 3), {}), ((32, 32, 3), {"groups": 32}), ((16, 32, 3), {"bias": False})],
    "Conv3d": [((8, 16, 3), {}), ((8, 16, (1, 2, 3)), {"groups": 2})],
    "ConvTranspose1d": [((32, 48, 5), {}), ((32, 48, 5), {"groups": 4})],
    "ConvTranspose2d": [((16, 32, 3), {}), ((16, 32, 3), {"groups": 4})],
    "ConvTranspose3d": [((8, 16, 3), {}), ((8, 16, (1, 2, 3)), {"groups": 2})],
    "Embedding": [((50, 60), {}), ((50, 60), {"padding_idx": 3}), ((50, 60), {"padding_idx": -1})],
    "EmbeddingBag": [((50, 60), {}), ((50, 60), {"padding_idx": 0})],
    "BatchNorm1d": [((30,), {}), ((30,), {"affine": False})],
    "BatchNorm2d": [((30,), {}), ((30,), {"track_running_stats": False})],
    "BatchNorm3d": [((30,), {})],
    "SyncBatchNorm": [((30,), {})],
    "InstanceNorm1d": [((30,), {}), ((30,), {"affine": True, "track_running_stats": True})],
    "InstanceNorm2d": [((30,), {"affine": True})],
    "InstanceNorm3d": [((30,), {"affine": True})],
    "LayerNorm": [
        (((5, 6),), {}),
        ((30,), {"bias": False}),
        ((30,), {"elementwise_affine": False}),
    ],
    "GroupNorm": [((5, 30), {}), ((5, 30), {"affine": False})],
    "RMSNorm": [((30,), {})],
    "RNN": [((40, 50), {"num_layers": 2, "bidirectional": True}), ((40, 50), {"bias": False})],
    "LSTM": [((40, 50), {"num_layers": 2}), ((40, 50), {"proj_size": 20})],
    "GRU": [((40, 50), {})],
    "RNNBase": [(("GRU", 40, 50), {})],
    "RNNCellBase": [((40, 50, True, 4), {})],
    "RNNCell": [((40, 50), {})],
    "LSTMCell": [((40, 50), {}), ((40, 50), {"bias": False})],
    "GRUCell": [((40, 50), {})],
    "MultiheadAttention": [
        ((48, 4), {}),
        ((48, 4), {"bias": False}),
        ((600, 4), {"add_bias_kv": True, "kdim": 20, "vdim": 30}),
    ],
    "PReLU": [((), {}), ((7,), {"init": 0.1})],
    "AdaptiveLogSoftmaxWithLoss": [((64, 200, [20, 100]), {})],
    "Transformer": [((32, 4, 1, 1, 64), {"batch_first": True})],
    "TransformerEncoderLayer": [((32, 4, 64), {})],
    "TransformerDecoderLayer": [((32, 4, 64), {})],
}
#: Classes whose parameters have no shape or no law of their own, and why.
OTHERS = {
    "ParameterList": "the law of what it is given is not known: refused",
    "ParameterDict": "the law of what it is given is not known: refused",
    "TransformerEncoder": "copies of a layer: test_the_layers_of_an_encoder_differ",
    "TransformerDecoder": "copies of a layer",
    "LazyLinear": "without a shape: test_lazy_modules",
    **{
        f"Lazy{kind}{axes}d": "without a shape"
        for kind in ("Conv", "ConvTranspose", "BatchNorm", "InstanceNorm")
        for axes in (1, 2, 3)
    },
}


def cases() -> list[tuple[str, int]]:
    """Return (class, number of the build) for every build."""
    return [(name, number) for name, builds in BUILDS.items() for number in range(len(builds))]


def build(name: str, number: int, device: str = "cpu") -> Any:
    """Build a module of torch.nn."""
    args, kwargs = BUILDS[name][number]
    with quietly(), torch.device(device):  # torch warns of weights without elements
        return getattr(torch.nn, name)(*args, **kwargs)


def classes_with_parameters() -> set[str]:
    """Return the classes of torch.nn whose code, or that of their bases, makes or sets parameters.

    Containers that copy layers are among them.
    """
    words = ("Parameter(", "register_parameter", "reset_parameters", "_get_clones", "Attention(")
    found = set()
    for name, kind in vars(torch.nn).items():
        if not (inspect.isclass(kind) and issubclass(kind, torch.nn.Module)):
            continue
        bases = [base for base in kind.__mro__ if base not in (torch.nn.Module, object)]
        source = "".join(inspect.getsource(base) for base in bases)
        if any(word in source for word in words):
            found.add(name)
    return found
