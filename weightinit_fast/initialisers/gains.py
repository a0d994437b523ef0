"""gain: the factor on the standard deviation of weights that makes up for a nonlinearity."""

import math
from typing import Literal, TypeAlias, get_args

from .. import _core
from .._resolve.messages import shown
from .._resolve.numbers import finite, not_negative

__all__ = ["Gain", "Nonlinearity", "gain"]

Nonlinearity: TypeAlias = Literal[
    "linear",
    "conv",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "sigmoid",
    "tanh",
    "relu",
    "leaky_relu",
    "selu",
    "elu",
    "gelu",
    "silu",
    "swish",
    "mish",
    "softplus",
]
Gain: TypeAlias = Nonlinearity | float

# The gain of every name but leaky_relu, which takes a parameter.
_GAINS = {
    # As torch.nn.init.calculate_gain has them ("conv" stands for its conv1d, conv2d and so on).
    "linear": 1.0,
    "conv": 1.0,
    "conv1d": 1.0,
    "conv2d": 1.0,
    "conv3d": 1.0,
    "conv_transpose1d": 1.0,
    "conv_transpose2d": 1.0,
    "conv_transpose3d": 1.0,
    "sigmoid": 1.0,
    "tanh": 5 / 3,
    "relu": math.sqrt(2),
    "selu": 0.75,
    # No paper and no library states these. They are 1/sqrt(E[f(z)^2]) for z of N(0, 1), by the
    # argument that gives He's sqrt(2) for ReLU. src/derive/gains.py integrates them, and each is
    # rounded once to a double.
    "elu": 1.2451983007007066,
    "gelu": 1.5335304411955353,
    "silu": 1.676532470331091,
    "swish": 1.676532470331091,
    "mish": 1.486847581273208,
    "softplus": 1.0418668355353018,
}


def gain(nonlinearity: Gain, param: float | None = None) -> float:
    """Return the factor on the std of weights that keeps a signal's scale through a nonlinearity.

    Parameters
    ----------
    nonlinearity : str or float
        A name of the table below, or a number >= 0, which is returned as it is. So ``gain=`` of
        every initialiser takes both.
    param : float, optional
        The slope of leaky_relu on the negative side; default 0.01.

    Returns
    -------
    float
        The gain, >= 0.

    Raises
    ------
    ValueError
        If the name is unknown, a number is negative or not finite, or param is not finite or does
        not apply.
    TypeError
        If nonlinearity is neither a name nor a number, or param is no number.

    Notes
    -----
    =====================================  ==================  ==================================
    name                                   gain                source
    =====================================  ==================  ==================================
    linear, sigmoid,                       1                   torch.nn.init.calculate_gain
    conv1d, conv_transpose1d, …, conv
    tanh                                   5/3                 torch, see below
    relu                                   √2                  He et al. (2015), eq. 10
    leaky_relu                             √(2/(1 + param²))   He et al. (2015), eq. 15
    selu                                   3/4                 torch, see below
    elu, gelu, silu (swish), mish,         1/√E[f(z)²]         derived here
    softplus
    =====================================  ==================  ==================================

    torch's 5/3 makes up for the slope of tanh, which is below 1 away from 0. The gain 1 makes SELU
    networks self-normalising (Klambauer et al., "Self-normalizing neural networks", 2017); torch's
    documentation says that they train more stably with 3/4. "conv" stands for all of torch's names
    of convolutions.

    No paper states the gains of the last row. They are 1/√E[f(z)²], where f is the nonlinearity and
    z is of N(0, 1). He et al. derive √2 for relu from the same condition. The script
    ``src/derive/gains.py`` integrates them. gelu is the exact one, z·Φ(z), and elu has α = 1.

    Examples
    --------
    >>> import weightinit_fast as wi
    >>> wi.gain("relu")
    1.4142135623730951
    >>> wi.gain("leaky_relu", 1)
    1.0
    >>> round(wi.gain("gelu"), 4)
    1.5335
    """
    if isinstance(nonlinearity, str):
        if nonlinearity == "leaky_relu":
            slope = 0.01 if param is None else finite(param, "param")
            return _core.spread(_core.NORMAL, 2.0, 1.0, slope, 1.0)
        if nonlinearity not in _GAINS:
            names = ", ".join(get_args(Nonlinearity))
            raise ValueError(f"gain must be a number or one of {names}, not {shown(nonlinearity)}")
        if param is None:
            return _GAINS[nonlinearity]
    elif param is None:
        return not_negative(nonlinearity, "gain")
    raise ValueError(f"param={shown(param)} belongs to leaky_relu, not to {shown(nonlinearity)}")
