"""initialize(): every parameter of a module drawn by its name, as one fill."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import nn

from .._resolve.keys import RNGLike
from ..models.explanation import unused_text
from ..models.messages import listed
from ..models.recipe_like import RecipeLike, as_recipe
from ..models.report import Report, ReportRow
from .modules import Fans, check_fans
from .parameters import check_module, parameters_of, refuse_shared, selected, zero_row
from .plan import Plan, Planned, misspelt, plan_of
from .shards import is_dtensor
from .tensors import fill, increment_versions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..models.recipe import Recipe

__all__ = ["draw", "initialize", "read_recipe"]


def initialize(
    module: nn.Module,
    recipe: RecipeLike | None = None,
    *,
    rng: RNGLike = None,
    only: str | Sequence[str] | None = None,
    fans: Fans = "torch",
    threads: int | None = None,
) -> Report:
    """Draw every parameter of a module anew; the stream of each is its qualified name.

    The values of a parameter are those of ``initializer(rule)(shape, rng=rng, stream=name)``, bit
    for bit, whatever part of it this process holds: of a DTensor, or of a parameter of FSDP, each
    rank draws what it holds and nothing else. Everything is checked before anything is written.

    Parameters
    ----------
    module : torch.nn.Module
        Its parameters are written in place, without a record of autograd, and their version
        counters advance. Its buffers are left as they are.
    recipe : Recipe, Model, dict, list, str, path, Initializer or callable, optional
        Rules by names, as `weightinit_fast.Recipe` takes them, or whatever else stands for a
        recipe, such as ``weightinit_fast.model("gpt2")``. The default is what each module's own
        ``reset_parameters`` documents, for the classes of torch.nn and those derived from them;
        see Notes.
    rng : None, int, Generator or Key, optional
        What `weightinit_fast.key` takes. By default, the key is drawn from torch's default
        generator, so that ``torch.manual_seed`` alone makes a run repeatable.
    only : str or list of str, optional
        Patterns of names, as ``fnmatch`` reads them, of the parameters to draw. The others are
        left as they are.
    fans : {"torch", "layer"}, default "torch"
        Whose fans the default recipe takes. torch reads them from the shape of the stored weight,
        which exchanges them for transposed convolutions and takes the packed q, k and v of
        MultiheadAttention for one matrix. ``"layer"`` takes the fans that the layer has.
    threads : int, optional
        As in `normal`.

    Returns
    -------
    Report
        (name, shape, dtype, rule, initializer, law, same_as) for each parameter; it prints as a
        table.

    Raises
    ------
    ValueError
        If parameters have no rule, are uninitialised (lazy modules), are on the meta device, or
        share memory without being tied; if a rule cannot draw a parameter of its shape; or if a
        pattern of ``only`` matches nothing. The message lists the names.
    TypeError
        If module is no module, or parameters have a dtype that is never drawn.

    Warns
    -----
    UserWarning
        If a pattern of the recipe takes no parameter, since it may be misspelt. A last rule ``*``
        may, and so may the name of a parameter that an earlier rule takes.

    See Also
    --------
    materialize : makes a model real that was built on the meta device.
    default_rules : returns the default recipe, to be changed.

    Notes
    -----
    Processes that hold parts of one model have to be given the same ``rng``, or seed torch alike.

    The names are those without wrappers: what DistributedDataParallel, FSDP, activation
    checkpointing and torch.compile add is left out. A parameter that several modules hold is drawn
    once, and its first name is the stream.

    The default recipe differs from ``reset_parameters`` in one way: the layers of a
    torch.nn.TransformerEncoder or TransformerDecoder are drawn one by one, whereas torch copies one
    layer, so that all have equal weights. As in torch, the row ``padding_idx`` of an embedding is
    zero. It is not if a recipe is passed.

    Examples
    --------
    >>> import torch
    >>> import weightinit_fast as wi
    >>> net = torch.nn.Sequential(torch.nn.Linear(256, 10), torch.nn.BatchNorm1d(10))
    >>> wi.torch.initialize(net, rng=0)
    parameter  shape     dtype    rule         initialiser                     law
    0.weight   10 x 256  float32  Linear       fan_in_uniform                  uniform, std \
0.0360844, in [-0.0625, 0.0625]
    0.bias     10        float32  Linear       fan_in_uniform(fans=(256, 10))  uniform, std \
0.0360844, in [-0.0625, 0.0625]
    1.weight   10        float32  BatchNorm1d  ones                            constant 1
    1.bias     10        float32  BatchNorm1d  zeros                           constant 0
    >>> report = wi.torch.initialize(net, {"0.*": "zeros", "*": "ones"}, rng=0, only="*.bias")
    >>> [row.name for row in report]
    ['0.bias', '1.bias']
    """
    check_module(module)
    read = read_recipe(recipe, fans)
    held = parameters_of(module)
    on_meta = [one.name for one in held if one.tensor is not None and one.tensor.is_meta]
    chosen = selected(held, only)
    if on_meta:
        names = set(on_meta)
        on_meta = [one.name for one in chosen if one.name in names]
    if on_meta:
        raise ValueError(
            f"{len(on_meta)} parameters are on the meta device and have no memory to write: "
            f"{listed(on_meta)}. weightinit_fast.torch.materialize() gives it to them"
        )
    plan = plan_of(module, held, chosen, read, fans)
    if only is None and (patterns := misspelt(plan, held)):
        warnings.warn(unused_text(patterns), stacklevel=2)
    return draw(plan, rng, threads)


def read_recipe(recipe: RecipeLike | None, fans: Fans) -> Recipe | None:
    """Return the recipe that an argument means; None for the default one."""
    check_fans(fans)
    if recipe is None:
        return None
    if fans != "torch":
        raise ValueError(
            "fans= is for the default recipe: write layout=, groups= and transposed= into the "
            "initialisers of the recipe"
        )
    return as_recipe(recipe)


def draw(
    plan: Plan,
    rng: RNGLike,
    threads: int | None,
    tied: Mapping[str, str] | None = None,
    buffers: Mapping[str, str] | None = None,
) -> Report:
    """Draw what has been planned, as one fill, and return the report.

    ``tied`` are the parameters that are the same memory as others, if that is known.
    """
    pieces = [(one, piece) for one in plan.planned for piece in one.held.pieces()]
    if tied is None:
        tied = refuse_shared([(one.held.name, piece) for one, piece in pieces])
    drawn = [(one, piece) for one, piece in pieces if one.held.name not in tied]
    fill([(one.explanation.initializer, piece, one.stream) for one, piece in drawn], rng, threads)
    # That of the local tensors is another version, which torch's own functions leave as it is.
    held = (one.held.tensor for one in plan.planned)
    increment_versions(t for t in held if t is not None and is_dtensor(t) and not t.is_meta)
    for one, piece in drawn:
        if one.zero_row is not None:
            zero_row(piece, one.zero_row)
    return Report((_row(one, tied) for one in plan.planned), buffers, plan.unused)


def _row(one: Planned, tied: Mapping[str, str]) -> ReportRow:
    name, shape, rule, init, law, same_as = one.explanation
    dtype = str(one.held.dtype).removeprefix("torch.")
    return ReportRow(name, shape, dtype, rule, init, law, tied.get(name, same_as))
