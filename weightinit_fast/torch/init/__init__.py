"""Drop-ins for the functions of torch.nn.init, which draw at the speed of memory.

They have torch's names, positional arguments, defaults, return values, errors and warnings, and
fill a tensor in place. They take these keyword arguments besides:

- ``rng`` is whatever `weightinit_fast.key` takes, and ``stream`` is the number or the name of the
  tensor: the elements are then those of the function of this package that is named below, with the
  same rng and stream. Without ``rng``, each call draws a key from ``generator``, or from torch's
  default generator, so that ``torch.manual_seed`` alone makes a program repeat. (``constant_``,
  ``ones_``, ``zeros_``, ``eye_`` and ``dirac_`` draw nothing, and take neither.)
- ``layout``, ``groups`` and ``transposed`` say what the axes of a weight are, as in
  `weightinit_fast.fans`. Without them the fans are torch's, which are those of a plain layer.
- ``threads`` is the greatest number of threads to use, as in `weightinit_fast.normal`.

======================  ======================================================================
here                    in weightinit_fast
======================  ======================================================================
``uniform_``            uniform
``normal_``             normal
``trunc_normal_``       truncated_normal, with bounds in units of std
``constant_``           constant
``ones_``, ``zeros_``   ones, zeros
``eye_``                identity
``dirac_``              dirac
``orthogonal_``         orthogonal
``sparse_``             sparse
``xavier_uniform_``     xavier_uniform
``xavier_normal_``      xavier_normal
``kaiming_uniform_``    he_uniform; variance_scaling with the square of the gain for a
                        nonlinearity other than relu and leaky_relu
``kaiming_normal_``     he_normal; variance_scaling likewise
======================  ======================================================================

Tensors of float32, float64, float16, bfloat16, float8_e4m3fn and float8_e5m2 are filled, in any
memory format and on any device; of a DTensor each process fills what it holds. What the engine does
not fill is left to torch's own function, which draws it or refuses it: integers, complex numbers,
quantised, sparse and nested tensors, subclasses that override their operations, and whatever is
traced or transformed. If ``rng``, ``stream`` or another argument is given that torch's function
does not have, such a tensor is refused.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch.nn.init import calculate_gain

from .constants import constant_, ones_, zeros_
from .draws import normal_, trunc_normal_, uniform_
from .scaled import kaiming_normal_, kaiming_uniform_, xavier_normal_, xavier_uniform_
from .structured import dirac_, eye_, orthogonal_, sparse_

__all__ = [
    "calculate_gain",
    "constant_",
    "dirac_",
    "eye_",
    "kaiming_normal_",
    "kaiming_uniform_",
    "normal_",
    "ones_",
    "orthogonal_",
    "sparse_",
    "trunc_normal_",
    "uniform_",
    "xavier_normal_",
    "xavier_uniform_",
    "zeros_",
]

# help() and pickles then name each function by this module.
for _name in __all__:
    if _name != "calculate_gain":
        globals()[_name].__module__ = __name__


def _deprecated(function: Callable[..., torch.Tensor], name: str) -> Callable[..., torch.Tensor]:
    """Return the function under a name without its underscore, which warns as torch's does."""

    def with_warning(*args: Any, **keywords: Any) -> torch.Tensor:
        warnings.warn(
            f"`nn.init.{name}` is now deprecated in favor of `nn.init.{name}_`.",
            FutureWarning,
            stacklevel=2,
        )
        return function(*args, **keywords)

    with_warning.__name__ = with_warning.__qualname__ = name
    with_warning.__doc__ = f"""Call `{name}_`, which is the name to use.

    torch.nn.init.{name} is deprecated as well.
    """
    return with_warning


for _name in [name for name in __all__ if name.endswith("_")]:
    _old = _name.removesuffix("_")
    if hasattr(torch.nn.init, _old):
        globals()[_old] = _deprecated(globals()[_name], _old)
        __all__.append(_old)
del _name, _old
