"""The tables of layers.md: what to pass to the scaled initialisers, for each layer and framework.

Every row holds a layer's constructor, the shape of its stored weight, what to pass here, and the
sizes of the layer. When the page is built, our fans are computed by ``weightinit_fast.fans`` and
those of the other frameworks by their published rules. tests/meta/test_docs.py compares our fans
with the sizes.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import weightinit_fast as wi

__all__ = ["GROUPS", "PEERS", "Row", "jax_axes", "page", "wanted"]

Fans = tuple[int, int]
#: An axis, or several.
Axes = int | tuple[int, ...]


@dataclass(frozen=True)
class Row:
    """A layer: its constructor, stored shape, what to pass, and the sizes that make the fans.

    ``view`` is the shape that is passed, where it is not the stored one (a reshape without a copy).
    ``inputs`` and ``outputs`` are the channels or units of the whole layer (or of one expert, or of
    one packed matrix). ``kernel`` is the number of kernel positions. ``axes`` are the keywords that
    the framework's function is given.
    """

    layer: str
    shape: tuple[int, ...]
    pass_: dict[str, str | int | bool]
    inputs: int
    outputs: int
    kernel: int = 1
    groups: int = 1
    view: tuple[int, ...] | None = None
    axes: dict[str, Axes] = field(default_factory=dict)
    note: str = ""


def torch_fans(shape: tuple[int, ...]) -> Fans:
    """Return fans by the rule of ``torch.nn.init``."""
    receptive = math.prod(shape[2:])
    return shape[1] * receptive, shape[0] * receptive


def keras_fans(shape: tuple[int, ...]) -> Fans:
    """Return fans by the rule of ``keras.initializers.VarianceScaling``."""
    receptive = math.prod(shape[:-2])
    return shape[-2] * receptive, shape[-1] * receptive


def jax_fans(
    shape: tuple[int, ...], in_axis: Axes = -2, out_axis: Axes = -1, batch_axis: Axes = ()
) -> Fans:
    """Return fans by the rule of ``jax.nn.initializers.variance_scaling``."""

    def size(axes: Axes) -> int:
        return math.prod(shape[axis] for axis in (axes if isinstance(axes, tuple) else (axes,)))

    receptive = math.prod(shape) / size(in_axis) / size(out_axis) / size(batch_axis)
    return int(size(in_axis) * receptive), int(size(out_axis) * receptive)


def jax_axes(row: Row) -> dict[str, Axes] | None:
    """Return in_axis, out_axis and batch_axis for JAX's fans to be ours; None if nothing helps.

    Those that are JAX's defaults are left out.
    """
    if row.groups > 1:
        return None
    letters = str(row.pass_.get("layout", "OI" + "K" * (len(row.shape) - 2)))
    found: dict[str, Axes] = {}
    for name, wanted_letters, default in (
        ("in_axis", "I", -2),
        ("out_axis", "O", -1),
        ("batch_axis", "BG", ()),
    ):
        places = tuple(axis for axis, letter in enumerate(letters) if letter in wanted_letters)
        plain: Axes = places[0] if len(places) == 1 else places
        from_the_end = plain - len(letters) if isinstance(plain, int) else plain
        if from_the_end != default:
            found[name] = plain
    return found


def mlx_fans(shape: tuple[int, ...]) -> Fans:
    """Return fans by the rule of ``mlx.nn.init``."""
    receptive = math.prod(shape[1:-1])
    return shape[-1] * receptive, shape[0] * receptive


PEERS: dict[str, Callable[..., Fans]] = {
    "torch": torch_fans,
    "Keras": keras_fans,
    "JAX / Flax": jax_fans,
    "MLX": mlx_fans,
}

_LOOKUP = "a lookup, see below"
_PACKED = "three matrices in one"

GROUPS: dict[str, list[Row]] = {
    "torch": [
        Row("Linear(512, 256)", (256, 512), {}, 512, 256),
        Row("Conv1d(64, 128, 5)", (128, 64, 5), {}, 64, 128, 5),
        Row("Conv2d(64, 128, 3)", (128, 64, 3, 3), {}, 64, 128, 9),
        Row("Conv3d(16, 32, 3)", (32, 16, 3, 3, 3), {}, 16, 32, 27),
        Row("Conv2d(64, 128, 3, groups=4)", (128, 16, 3, 3), {"groups": 4}, 64, 128, 9, 4),
        Row("Conv2d(64, 64, 3, groups=64)", (64, 1, 3, 3), {"groups": 64}, 64, 64, 9, 64),
        Row("ConvTranspose2d(64, 32, 3)", (64, 32, 3, 3), {"layout": "IOHW"}, 64, 32, 9),
        Row(
            "ConvTranspose2d(64, 32, 3, groups=4)",
            (64, 8, 3, 3),
            {"layout": "IOHW", "groups": 4, "transposed": True},
            *(64, 32, 9, 4),
        ),
        Row("Embedding(50000, 512)", (50000, 512), {"layout": "IO"}, 50000, 512, note=_LOOKUP),
        Row(
            "MultiheadAttention(512, 8).in_proj_weight",
            (1536, 512),
            {"layout": "BOI"},
            *(512, 512),
            view=(3, 512, 512),
            note=_PACKED,
        ),
        Row("8 experts, (expert, out, in)", (8, 2048, 512), {"layout": "BOI"}, 512, 2048),
    ],
    "Keras": [
        Row("Dense(256) on 512", (512, 256), {"layout": "IO"}, 512, 256),
        Row("Conv1D(128, 5) on 64", (5, 64, 128), {"layout": "WIO"}, 64, 128, 5),
        Row("Conv2D(128, 3) on 64", (3, 3, 64, 128), {"layout": "HWIO"}, 64, 128, 9),
        Row("Conv3D(32, 3) on 16", (3, 3, 3, 16, 32), {"layout": "DHWIO"}, 16, 32, 27),
        Row(
            "Conv2D(128, 3, groups=4) on 64",
            (3, 3, 16, 128),
            {"layout": "HWIO", "groups": 4},
            *(64, 128, 9, 4),
        ),
        Row(
            "DepthwiseConv2D(3, depth_multiplier=2) on 64",
            (3, 3, 64, 2),
            {"layout": "HWIO", "groups": 64, "transposed": True},
            *(64, 128, 9, 64),
            note="stored with all inputs and one group's outputs",
        ),
        Row("Conv2DTranspose(32, 3) on 64", (3, 3, 32, 64), {"layout": "HWOI"}, 64, 32, 9),
        Row("Embedding(50000, 512)", (50000, 512), {"layout": "IO"}, 50000, 512, note=_LOOKUP),
        Row("8 experts, (expert, in, out)", (8, 512, 2048), {"layout": "BIO"}, 512, 2048),
    ],
    "JAX / Flax": [
        Row("Dense(256) on 512", (512, 256), {"layout": "IO"}, 512, 256),
        Row("Conv(128, (5,)) on 64", (5, 64, 128), {"layout": "WIO"}, 64, 128, 5),
        Row("Conv(128, (3, 3)) on 64", (3, 3, 64, 128), {"layout": "HWIO"}, 64, 128, 9),
        Row(
            "Conv(128, (3, 3), feature_group_count=4) on 64",
            (3, 3, 16, 128),
            {"layout": "HWIO", "groups": 4},
            *(64, 128, 9, 4),
        ),
        Row(
            "Conv(128, (3, 3), feature_group_count=64) on 64",
            (3, 3, 1, 128),
            {"layout": "HWIO", "groups": 64},
            *(64, 128, 9, 64),
        ),
        Row("ConvTranspose(32, (3, 3)) on 64", (3, 3, 64, 32), {"layout": "HWIO"}, 64, 32, 9),
        Row(
            "ConvTranspose(32, (3, 3), transpose_kernel=True) on 64",
            (3, 3, 32, 64),
            {"layout": "HWOI"},
            *(64, 32, 9),
        ),
        Row(
            "Embed(50000, 512)",
            (50000, 512),
            {"layout": "IO"},
            *(50000, 512),
            axes={"out_axis": 0},
            note=f"{_LOOKUP}; Flax's default is `out_axis=0`",
        ),
        Row("8 experts, (expert, in, out)", (8, 512, 2048), {"layout": "BIO"}, 512, 2048),
        Row(
            "8 experts, batch_axis=0",
            (8, 512, 2048),
            {"layout": "BIO"},
            *(512, 2048),
            axes={"batch_axis": 0},
        ),
        Row(
            "nn.Einsum((512, 8, 64), …)",
            (512, 8, 64),
            {"layout": "IOO"},
            *(512, 8 * 64),
            note="8 heads of 64",
        ),
        Row(
            "nn.Einsum((8, 64, 512), …)",
            (8, 64, 512),
            {"layout": "IIO"},
            *(8 * 64, 512),
            note="from the heads back",
        ),
        Row("eqx.nn.Linear(512, 256)", (256, 512), {}, 512, 256),
        Row("eqx.nn.Conv2d(64, 128, 3)", (128, 64, 3, 3), {}, 64, 128, 9),
        Row("hk.Conv2DTranspose(32, 3) on 64", (3, 3, 32, 64), {"layout": "HWOI"}, 64, 32, 9),
    ],
    "MLX": [
        Row("Linear(512, 256)", (256, 512), {}, 512, 256),
        Row("Conv2d(64, 128, 3)", (128, 3, 3, 64), {"layout": "OHWI"}, 64, 128, 9),
        Row(
            "Conv2d(64, 128, 3, groups=4)",
            (128, 3, 3, 16),
            {"layout": "OHWI", "groups": 4},
            *(64, 128, 9, 4),
        ),
        Row("ConvTranspose2d(64, 32, 3)", (32, 3, 3, 64), {"layout": "OHWI"}, 64, 32, 9),
    ],
}


def wanted(row: Row) -> Fans:
    """Return the fans by counting the inputs that one output reads and the outputs of one input."""
    return (
        row.inputs // row.groups * row.kernel,
        row.outputs // row.groups * row.kernel,
    )


def _fans(found: Fans) -> str:
    return f"{found[0]},\N{NO-BREAK SPACE}{found[1]}"


def _call(row: Row) -> str:
    words = [f"{name}={value!r}" for name, value in row.pass_.items()]
    if row.view:
        words.insert(0, f"out=w.reshape({', '.join(map(str, row.view))})")
    return f"`{', '.join(words)}`" if words else "nothing"


def _axes(row: Row) -> str:
    axes = jax_axes(row)
    if axes is None:
        words = [f"{name}={value!r}" for name, value in row.pass_.items()]
        return f"`wi.jax.initializer(…, {', '.join(words)})`"
    words = [f"{name}={value!r}" for name, value in axes.items()]
    return f"`{', '.join(words)}`" if words else "nothing"


def _lines(peer: str, rows: list[Row]) -> Iterator[str]:
    is_jax = PEERS[peer] is jax_fans
    axes = " pass to `initializers` |" if is_jax else ""
    yield f"| {peer} layer | stored shape | pass |{axes} fans | {peer} computes |"
    yield "|---|---|---|---|---|" + ("---|" if is_jax else "")
    for row in rows:
        ours = wi.fans(row.view or row.shape, **row.pass_)
        theirs = PEERS[peer](row.shape, **row.axes)
        shape = ",\N{NO-BREAK SPACE}".join(map(str, row.shape))
        layer = f"`{row.layer}`" + (f" ({row.note})" if row.note else "")
        mark = _fans(theirs) if theirs == ours else f"**{_fans(theirs)}**"
        axes = f" {_axes(row)} |" if is_jax else ""
        yield f"| {layer} | ({shape}) | {_call(row)} |{axes} {_fans(ours)} | {mark} |"


def page() -> dict[str, str]:
    """Return the Markdown of each framework's table under the name of its file."""
    tables = {}
    for peer, rows in GROUPS.items():
        name = peer.split()[0].lower()
        tables[f"layers_{name}.md"] = "\n".join(_lines(peer, rows)) + "\n"
    return tables


if __name__ == "__main__":
    print(*page().values(), sep="\n")
