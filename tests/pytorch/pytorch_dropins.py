"""Calls of the drop-ins of torch.nn.init, and the initialisers that they stand for."""

from __future__ import annotations

from typing import Any, NamedTuple


class Call(NamedTuple):
    """A call of a drop-in: ``name(tensor, *arguments)`` for a tensor of a shape."""

    name: str
    arguments: tuple[Any, ...]
    initialiser: tuple[str]
    own: dict[str, Any]
    shape: tuple[int, ...]
    draws: bool = True
    elementwise: bool = True

    def __str__(self) -> str:
        return f"{self.name}{self.arguments}".replace(",)", ")").replace("()", "")


def _call(
    text: str, shape: tuple[int, ...], name: str, *arguments: Any, draws: bool = True, **own: Any
) -> Call:
    elementwise = text not in ("identity", "dirac", "orthogonal", "sparse")
    return Call(name, arguments, (text,), own, shape, draws, elementwise)


_IMAGE = (6, 4, 3, 5)
_MATRIX = (11, 7)
CALLS = [
    _call("uniform", (97,), "uniform_"),
    _call("uniform", _IMAGE, "uniform_", -2, 3.5, low=-2, high=3.5),
    _call("normal", (97,), "normal_"),
    _call("normal", _IMAGE, "normal_", 1, 0.02, mean=1, std=0.02),
    _call("truncated_normal", _MATRIX, "trunc_normal_"),
    _call("truncated_normal", _IMAGE, "trunc_normal_", 0.5, 2.0, -1.5, 3.5, mean=0.5, std=2.0,
          lower=-1.0, upper=1.5),
    _call("constant", (97,), "constant_", 0.3, draws=False, value=0.3),
    _call("constant", _IMAGE, "constant_", -7, draws=False, value=-7),
    _call("ones", _MATRIX, "ones_", draws=False),
    _call("zeros", _MATRIX, "zeros_", draws=False),
    _call("xavier_uniform", _MATRIX, "xavier_uniform_"),
    _call("xavier_uniform", _IMAGE, "xavier_uniform_", 5 / 3, gain=5 / 3),
    _call("xavier_normal", _MATRIX, "xavier_normal_"),
    _call("xavier_normal", _IMAGE, "xavier_normal_", 2, gain=2),
    _call("he_uniform", _MATRIX, "kaiming_uniform_"),
    _call("he_uniform", _IMAGE, "kaiming_uniform_", 0.2, "fan_out", a=0.2, mode="fan_out"),
    _call("he_uniform", _MATRIX, "kaiming_uniform_", None, a=0.01),
    _call("he_uniform", _MATRIX, "kaiming_uniform_", 0.7, "Fan_In", "relu"),
    _call("variance_scaling", _MATRIX, "kaiming_uniform_", 0, "fan_in", "tanh",
          scale=(5 / 3) ** 2, distribution="uniform"),
    _call("he_normal", _MATRIX, "kaiming_normal_"),
    _call("he_normal", _IMAGE, "kaiming_normal_", 0.2, "FAN_OUT", a=0.2, mode="fan_out"),
    _call("variance_scaling", _MATRIX, "kaiming_normal_", 0, "fan_out", "selu", scale=0.75**2,
          mode="fan_out"),
    _call("variance_scaling", _IMAGE, "kaiming_normal_", 0, "fan_in", "linear"),
    _call("identity", _MATRIX, "eye_", draws=False),
    _call("dirac", _IMAGE, "dirac_", draws=False),
    _call("dirac", (6, 3, 5), "dirac_", 2, draws=False, groups=2),
    _call("orthogonal", _MATRIX, "orthogonal_"),
    _call("orthogonal", _IMAGE, "orthogonal_", 2.5, gain=2.5),
    _call("sparse", _MATRIX, "sparse_", 0.3, sparsity=0.3),
    _call("sparse", (40, 9), "sparse_", 0.1, 2.0, sparsity=0.1, std=2.0),
]  # fmt: skip
#: Those that draw random numbers.
DRAWN = [call for call in CALLS if call.draws]
