"""Fans, read from a weight's shape: the inputs that feed one output, the outputs of one input."""

from collections.abc import Sequence
from math import prod
from typing import Literal, NamedTuple, SupportsIndex, TypeAlias, get_args

from .. import _core
from .messages import shown
from .numbers import flag, integer
from .shape import Shape, as_shape

__all__ = [
    "Fans",
    "Mode",
    "WeightAxes",
    "check_convolution_layout",
    "check_groups",
    "check_letters",
    "check_mode",
    "convolution_axes",
    "fan_of",
    "fans",
]

Mode: TypeAlias = Literal["fan_in", "fan_out", "fan_avg", "fan_geo_avg"]
Fans: TypeAlias = Sequence[SupportsIndex]

MODES: tuple[Mode, ...] = get_args(Mode)

#: Names of layouts in other libraries -> the letters to pass here.
_LAYOUT_NAMES = {
    "channels_last": "HWIO",
    "channels_first": "OIHW",
    "torch": "OIHW",
    "pytorch": "OIHW",
    "keras": "HWIO",
    "jax": "HWIO",
    "flax": "HWIO",
    "tensorflow": "HWIO",
}
_NO_FANS = (
    "shape {} has no fans, as it has fewer than two axes. A bias has the fans of its layer's "
    "weight: state them by fans=(fan_in, fan_out). fan_in_uniform(n, fans=(fan_in, fan_out)) draws "
    "a bias as torch's layers do"
)


class WeightAxes(NamedTuple):
    """What layout=, groups=, transposed= and fans= say about the axes of a weight."""

    layout: str | None
    groups: int
    transposed: bool
    stated: tuple[int, int] | None  # (fan_in, fan_out) of fans=, which replaces the other three

    @staticmethod
    def read(layout: str | None, groups: int, transposed: bool, fans: Fans | None) -> "WeightAxes":
        """Read the four arguments, and check what can be checked without a shape."""
        if (
            layout is None
            and fans is None
            and transposed is False
            and type(groups) is int
            and groups == 1
        ):
            return TORCH_AXES
        if layout is not None:
            check_letters(layout)
        groups = check_groups(groups)
        transposed = flag(transposed, "transposed")
        stated = None
        if fans is not None:
            if layout is not None or groups != 1 or transposed:
                raise ValueError(
                    "fans= replaces layout=, groups= and transposed=: pass fans= alone"
                )
            stated = _stated(fans)
        return WeightAxes(layout, groups, transposed, stated)

    def fans(self, whole: tuple[int, ...]) -> tuple[int, int]:
        """Return (fan_in, fan_out) of a weight of that whole shape."""
        layout, groups, transposed, stated = self
        if stated is not None:
            return stated
        if layout is None:
            if len(whole) < 2:
                raise ValueError(_NO_FANS.format(whole))
            units_out, units_in = whole[0], whole[1]
            area = prod(whole[2:]) if len(whole) > 2 else 1
        else:
            if len(layout) != len(whole):
                raise ValueError(
                    f"layout {shown(layout)} has {len(layout)} letters for shape {shown(whole)}"
                )
            pairs = list(zip(layout, whole, strict=True))
            units_out = prod(n for letter, n in pairs if letter == "O")
            units_in = prod(n for letter, n in pairs if letter == "I")
            area = prod(n for letter, n in pairs if letter not in "OIBG")
        if groups == 1:
            return units_in * area, units_out * area
        if (units_in if transposed else units_out) % groups:
            axis = "I" if transposed else "O"
            raise ValueError(
                f"groups={shown(groups)} does not divide axis {axis} of shape {shown(whole)}"
            )
        if transposed:
            return units_in * area // groups, units_out * area
        return units_in * area, units_out * area // groups


#: What the default arguments say: torch's axes, "OI" followed by kernel axes.
TORCH_AXES = _core.keep_forever(WeightAxes(None, 1, False, None))


def _stated(fans: Fans) -> tuple[int, int]:
    """Read the argument fans=."""
    if isinstance(fans, (str, bytes)) or not isinstance(fans, Sequence) or len(fans) != 2:
        raise TypeError(f"fans must be the two ints (fan_in, fan_out), not {shown(fans)}")
    fan_in, fan_out = integer(fans[0], "fan_in of fans="), integer(fans[1], "fan_out of fans=")
    for name, fan in (("fan_in", fan_in), ("fan_out", fan_out)):
        if not 0 <= fan < 1 << 63:
            raise ValueError(f"{name} of fans= must be in [0, 2**63), not {shown(fan)}")
    return fan_in, fan_out


def check_groups(groups: object) -> int:
    """Return a number of groups; whether it divides an axis is judged where the shape is known."""
    number = integer(groups, "groups")
    if number < 1:
        raise ValueError(f"groups must be at least 1, not {shown(number)}")
    return number


def check_letters(layout: object) -> str:
    """Return a layout if its letters are valid; WeightAxes.fans checks its length."""
    if not isinstance(layout, str):
        raise TypeError(f"layout must be a str such as 'HWIO', not {shown(layout)}")
    if layout.isalpha() and layout.isascii() and layout.isupper():
        if "O" in layout and "I" in layout:
            return layout
        problem = "must have an O (outputs) and an I (inputs) among its letters"
    else:
        problem = "must be a capital letter for each axis, such as 'OIHW' or 'HWIO'"
    meant = _LAYOUT_NAMES.get(layout.lower())
    if meant is None and layout.isalpha() and {"O", "I"} <= set(layout.upper()):
        meant = layout.upper()
    hint = f"; you may mean {meant!r}" if meant and meant != layout else ""
    raise ValueError(f"layout {problem}, not {shown(layout)}{hint}")


def fans(
    shape: Shape,
    *,
    layout: str | None = None,
    groups: int = 1,
    transposed: bool = False,
) -> tuple[int, int]:
    """Return (fan_in, fan_out) of a weight.

    Parameters
    ----------
    shape : int or sequence of int
        The stored shape of the whole weight, with two axes or more.
    layout : str, optional
        What each axis is, a capital letter for each: ``O`` outputs, ``I`` inputs, ``H``, ``W``,
        ``D`` (or any other letter) an axis of the kernel, ``B`` or ``G`` an axis that the fans do
        not count (experts, groups). Several axes may be ``O`` and several may be ``I``, as in fused
        and multi-head weights: the fans count their product. The default is ``"OI"`` followed by
        kernel axes, as torch stores weights; Keras and JAX store ``"HWIO"`` and ``"IO"``.
    groups : int, default 1
        The number of groups of a grouped convolution, whose I axis is stored for one group.
    transposed : bool, default False
        Whether the convolution is transposed: its I axis is then stored in full, and its O axis for
        one group.

    Returns
    -------
    fan_in, fan_out : int
        fan_in is the number of values that one output reads, and fan_out the number of outputs that
        one input feeds. With k the product of the kernel axes they are I·k and O·k/groups, and if
        transposed I·k/groups and O·k.

    Raises
    ------
    ValueError
        If the shape has fewer than two axes, the layout does not fit the shape, or groups does not
        divide the O axis (the I axis if transposed).
    TypeError
        If an argument has a wrong type.

    Notes
    -----
    Glorot & Bengio (2010), eq. 12, count units. He et al. (2015), eq. 7 and 10, count connections,
    which include the kernel positions of a convolution. The stride is ignored, as in every library.

    Examples
    --------
    >>> import weightinit_fast as wi
    >>> wi.fans((256, 128))
    (128, 256)
    >>> wi.fans((64, 3, 7, 7))
    (147, 3136)
    >>> wi.fans((7, 7, 3, 64), layout="HWIO")
    (147, 3136)
    >>> wi.fans((64, 1, 3, 3), groups=64)  # depthwise
    (9, 9)
    >>> wi.fans((12, 64, 768), layout="OOI")  # 12 attention heads of 64
    (768, 768)
    """
    whole = as_shape(shape)
    return WeightAxes.read(layout, groups, transposed, None).fans(whole)


def fan_of(mode: Mode, fan_in: int, fan_out: int) -> float:
    """Return the fan that a mode names."""
    if mode == "fan_in":
        return fan_in
    if mode == "fan_out":
        return fan_out
    if mode == "fan_avg":
        return (fan_in + fan_out) / 2
    return _core.geometric_mean(fan_in, fan_out)


def check_mode(mode: object) -> Mode:
    """Return a mode, unless it is none of MODES."""
    for known in MODES:
        if isinstance(mode, str) and mode == known:
            return known
    raise ValueError(f"mode must be one of {', '.join(MODES)}, not {shown(mode)}")


def convolution_axes(whole: tuple[int, ...], layout: str | None) -> tuple[int, int, list[int]]:
    """Return the O axis, the I axis and the kernel axes of a convolution's weight."""
    if not 3 <= len(whole) <= 5:
        raise ValueError(f"a convolution's weight must have 3 to 5 axes, not shape {shown(whole)}")
    letters = "OI" + "k" * (len(whole) - 2) if layout is None else layout
    if len(letters) != len(whole):
        raise ValueError(
            f"layout {shown(letters)} has {len(letters)} letters for shape {shown(whole)}"
        )
    kernel = [axis for axis, letter in enumerate(letters) if letter not in "OI"]
    return letters.index("O"), letters.index("I"), kernel


def check_convolution_layout(layout: str | None) -> str | None:
    """Return a layout, unless it is other than one O, one I and kernel axes."""
    if layout is not None:
        check_letters(layout)
        if "B" in layout or "G" in layout or layout.count("O") > 1 or layout.count("I") > 1:
            raise ValueError(
                f"layout must have one O, one I and kernel axes here, not {shown(layout)}"
            )
    return layout
