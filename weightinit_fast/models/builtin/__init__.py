"""Built-in models: the names and shapes of their parameters, and their recipes, by their sizes.

Each file of this package holds one family of models, and `family` says what such a file states.
Only what is learned is listed: a buffer, such as the running statistics of a batch norm, is not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from inspect import Parameter, signature
from math import prod

from ..._resolve.messages import shown
from ..._resolve.numbers import integer
from ..._resolve.shape import as_shape
from ..messages import concerning
from ..recipe import Recipe
from ..shapes import TensorSpec
from .bert import BERT
from .dlrm import DLRM
from .embedding import EMBEDDING
from .family import Family, Size
from .gpt2 import GPT2
from .llama3 import LLAMA3
from .mixtral import MIXTRAL
from .resnet import RESNETS
from .vit import VIT

__all__ = ["FILE_SHA256", "MODELS", "SHA256", "SHA256_STREAM_VERSION", "Model", "model"]

MODELS: dict[str, Family] = {
    "gpt2": GPT2,
    "llama3": LLAMA3,
    "mixtral": MIXTRAL,
    "bert": BERT,
    "vit": VIT,
    **RESNETS,
    "dlrm": DLRM,
    "embedding": EMBEDDING,
}

# SHA-256 of the bytes of all tensors, little-endian float32, in the order of the model's shapes.
# They are drawn with rng=0, and the stream of each tensor is its name. Another digest for the same
# stream version breaks the contract.
SHA256_STREAM_VERSION = 1
SHA256 = {
    "gpt2": "26051b23957ef2670bec15fdd342d229d7cb4e2ddae721ab85fe8198fc04aa5b",
    "resnet50": "fc78a482c3505269192165b44ddcfe3c7279f957aa8898c025c18357bdb26c86",
    "embedding": "e25c8006e235305e591ed16785c3fa22e63e8e441eff3e572a3557fd6dcc765e",
}

#: SHA-256 of the safetensors file of a model of its published sizes, drawn with rng=0: by the name
#: of the model and the dtype. ``python -m weightinit_fast init`` prints it. The header of the file
#: is part of it, so another order of tensors or other metadata would change it too.
FILE_SHA256: dict[tuple[str, str], str] = {
    ("gpt2", "float32"): "1deefe2f3fefcb606b2dcd9d1ac7ef22b3628607b738b9f36f37554ddaa26392",
    ("gpt2", "bfloat16"): "a0952c51a3995b20126ee6d294a999ed6f399ec2c16659706dda3810e9b359fd",
    ("bert", "float32"): "fce53b332979bf4c6368f7e85c5962cee13f5efa8a53739ff8fe38b06712e953",
    ("bert", "bfloat16"): "e9ded19a7c8cd94ac4451b90315ea04daa2faf4ba8cd363a2f96f47e6a94dfc5",
    ("vit", "float32"): "99bd0fef9a9442a3749c94c8e14d504d705b426f2e3e88ee3a13613c909c6d45",
    ("vit", "bfloat16"): "f6c29896987752e32cf95f967294cf2033fcd9f6c946791ffb68c40961dea589",
    ("resnet18", "float32"): "5fb17988aa9c87ee3dfc4660686a7b882916f1ca090679efbb0e0bc6fee1a967",
    ("resnet18", "bfloat16"): "f653fde761a10ad6cd8f2cd52908e3a8dd689d1c018a64fcd2576673a92b4019",
    ("resnet34", "float32"): "6af1b316411824282a50969c935ace9f3c6aca07ea148fd5455b2dffbbc00396",
    ("resnet34", "bfloat16"): "40566ffc911f97dd0b331b1030aacb22f0c40bb845cbc1541fb349aefcfee41d",
    ("resnet50", "float32"): "56213d99b97da6e9891fcc0d17c759f2af4b7571e7de70dcdc42985bab35035a",
    ("resnet50", "bfloat16"): "13597662a828c81562d23d08760d00060360152963de8b99188f65c5aa894bc2",
    ("resnet101", "float32"): "913ea921ec23d3f0ce4f63992295c8426d162b4cada92882401d87162e18fc25",
    ("resnet101", "bfloat16"): "e996baeafd1e64c2ffd589e59b7837790d9c12f628d20fdf8c6f5b2bf443ed1e",
    ("resnet152", "float32"): "a557c3aa33c87ac82f643407699afd3d0f09ad519974bfd1f8a34c51b7bf8882",
    ("resnet152", "bfloat16"): "364601e6a1e756eb3363f5eac95cb4576dfd53b5506740476008fc1cd93c028a",
    ("embedding", "float32"): "763dea341afbdcad088c7eb544b0a5d0c54caccc57b1630e8554696979a7b445",
    ("embedding", "bfloat16"): "45cd11408dcc2681cc1a2fbfb33a320a7ee6d78c54a321cb6556b10759ecfc14",
    ("dlrm", "float32"): "da72ae6aae0e70baf42c52c86e86a7d45960f7933403d4f27b039e6c379bc0f3",
    ("dlrm", "bfloat16"): "469439fc824dd8590b792e8556551e8a584d97efe06b8ef1043f719c40076cdd",
}


@dataclass(frozen=True, repr=False)
class Model:
    """A built-in model of given sizes; `model` makes one.

    Attributes
    ----------
    name : str
        What `model` takes.
    title : str
        For people: the name of the published model, or of the family with the sizes that differ.
    source : str
        The paper, and the code whose names, shapes and initialisers these are.
    sizes : dict
        All sizes: name -> int, or tuple of int.
    shapes : dict
        Name -> `TensorSpec` of each parameter, in the order of the published checkpoint. Tied
        names are not in it, as they are not in checkpoints.
    recipe : Recipe
        Its ``same_as`` has the tied names.

    See Also
    --------
    model : makes a Model.

    Examples
    --------
    >>> gpt2 = model("gpt2")
    >>> print(gpt2)
    GPT-2 124M: 124,439,808 parameters in 148 tensors
    >>> gpt2.shapes["h.0.mlp.c_fc.weight"]
    TensorSpec(shape=(768, 3072), dtype=None)
    >>> gpt2.recipe.initializer_for("h.0.mlp.c_proj.weight")
    initializer("normal(std=0.004082482904638631)")
    >>> gpt2.recipe.same_as
    {'lm_head.weight': 'wte.weight'}
    """

    name: str
    title: str = field(compare=False)
    source: str
    sizes: dict[str, Size]
    shapes: dict[str, TensorSpec]
    recipe: Recipe
    _kinds: dict[str, str] = field(compare=False)  # the pattern of a rule -> its group
    _call: str = field(compare=False)  # the call of `model` that makes this one

    @property
    def parameters(self) -> int:
        """The number of parameters; those of tied tensors count once."""
        return sum(prod(spec.shape) for spec in self.shapes.values())

    @cached_property
    def groups(self) -> dict[str, str]:
        """The kind of each tensor in plain words, such as "biases", for a printed table: by name.

        The kinds come from the rules of the recipe.
        """
        return {row.name: self._kinds[row.pattern] for row in self.recipe.explain(self.shapes)}

    def __str__(self) -> str:
        tensors = "1 tensor" if len(self.shapes) == 1 else f"{len(self.shapes):,} tensors"
        return f"{self.title}: {self.parameters:,} parameters in {tensors}"

    def __repr__(self) -> str:
        return self._call

    def __hash__(self) -> int:
        return hash((self.name, tuple(self.sizes.items())))


def model(name: str, **sizes: Size) -> Model:
    """Return a built-in model: the shapes of its parameters, and the recipe that draws them.

    Parameters
    ----------
    name : str
        ``"gpt2"``, ``"llama3"``, ``"mixtral"``, ``"bert"``, ``"vit"``, ``"resnet18"`` (34, 50, 101,
        152), ``"dlrm"`` or ``"embedding"``.
    **sizes : int or tuple of int
        The sizes that differ from those of the published model. The sizes of each model are in its
        ``Model.sizes``. ``hidden``, the width of the feed-forward layers, follows ``width`` where
        it is not given.

    Returns
    -------
    Model

    Raises
    ------
    ValueError
        If there is no such model, or if the sizes do not fit together. The message says what would.
    TypeError
        If the model has no such size, or a size is no integer.

    See Also
    --------
    Recipe : what draws the model.
    save : writes a model into files.

    Examples
    --------
    >>> print(model("gpt2", layers=24, width=1024, heads=16))
    GPT-2 (layers=24, width=1024, heads=16): 354,823,168 parameters in 292 tensors
    >>> model("gpt2", width=1000)
    Traceback (most recent call last):
    ...
    ValueError: gpt2: width must be a multiple of heads, which is 12: 996 or 1008, for example, \
not 1000
    >>> model("resnet50").sizes
    {'classes': 1000, 'channels': 3}
    """
    if not isinstance(name, str) or name not in MODELS:
        raise ValueError(
            f"there is no built-in model called {shown(name)}; the names are {', '.join(MODELS)}"
        )
    family = MODELS[name]
    defaults = _defaults(family)
    for size in sizes:
        if size not in defaults:
            raise TypeError(
                f"{name} has no size called {shown(size)}; its sizes are {', '.join(defaults)}"
            )
    given = {size: _read(f"{name}: {size}", n, defaults[size]) for size, n in sizes.items()}
    with concerning(name):
        table = family.table(**given)
    known = {**defaults, **given, **table.derived}
    # Only a derived size can be None, and the table has derived it.
    final = {size: n for size, n in known.items() if n is not None}
    shapes = {}
    for parameter, shape in table.shapes.items():
        with concerning(f"{name}: {parameter}"):
            shapes[parameter] = TensorSpec(as_shape(shape))
    rules = (*table.rules, *family.rules)
    pairs = [(rule.pattern, rule.initialiser) for rule in rules]
    recipe = Recipe(pairs, let=table.let, same_as=table.same_as)
    kinds = {rule.pattern: rule.group for rule in rules}
    changed = _changed(family, given, final)
    title = f"{family.title} ({', '.join(changed)})" if changed else family.published
    call = f"model({', '.join([repr(name), *changed])})"
    return Model(name, title, family.source, final, shapes, recipe, kinds, call)


def _defaults(family: Family) -> dict[str, Size | None]:
    """Return the sizes of the published model; None for those that are derived."""
    parameters = signature(family.table).parameters.values()
    return {p.name: p.default for p in parameters if p.kind is Parameter.KEYWORD_ONLY}


def _changed(family: Family, given: dict[str, Size], final: dict[str, Size]) -> list[str]:
    """Return those of the given sizes that make another model, as arguments."""
    defaults = _defaults(family)
    if final == defaults | family.table().derived:
        return []
    # A size whose default is None may be another one than the published model's where it is not
    # given, so that it matters even if it is that of the published model.
    return [f"{size}={n!r}" for size, n in given.items() if n != defaults[size]]


def _read(what: str, given: object, default: Size | None) -> Size:
    """Return a size as an int or, where the default is a tuple, as an int or a tuple of them."""
    if isinstance(default, tuple) and isinstance(given, (tuple, list)):
        return tuple(_positive(f"each number of {what}", n) for n in given)
    if default == 0:  # a switch
        number = integer(given, what)
        if number not in (0, 1):
            raise ValueError(f"{what} must be 0 or 1, not {shown(given)}")
        return number
    return _positive(what, given)


def _positive(what: str, given: object) -> int:
    number = integer(given, what)
    if number < 1:
        raise ValueError(f"{what} must be at least 1, not {shown(given)}")
    return number
